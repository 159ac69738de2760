use super::*;
use proptest::prelude::*;

/// A record as the stream has it, however it was cut: the offsets of its first byte and just past its last.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Record { header: Header },
    End { header: Header, end: u64 },
    NotTls { offset: u64 },
}

fn seen<'a>(inputs: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Seen>, Records) {
    let (mut records, mut seen) = (Records::default(), Vec::new());
    for input in inputs {
        let before = records.offset();
        let stream = |at: usize| before + u64::try_from(at).unwrap();
        let mut scan = records.scan(input);
        while let Some(piece) = scan.next_piece() {
            match piece {
                Piece::Record { header, .. } => seen.push(Seen::Record { header }),
                Piece::RecordEnd { .. } => {}
                Piece::NotTls { offset } => seen.push(Seen::NotTls { offset }),
            }
            if let Some((header, end)) = piece.whole() {
                seen.push(Seen::End { header, end: stream(end) });
            }
        }
        assert_eq!(records.offset(), stream(input.len()), "all of the input is taken");
    }
    (seen, records)
}

fn record(content_type: u8, length: u16) -> Vec<u8> {
    let mut bytes = vec![content_type, 3, 3];
    bytes.extend(length.to_be_bytes());
    bytes.resize(5 + usize::from(length), 23);
    bytes
}

#[test]
fn it_is_small() {
    assert!(size_of::<Records>() <= 16);
}

#[test]
fn records_are_told_with_their_headers_and_ends() {
    let stream = [record(22, 3), record(20, 1), record(23, 0), record(23, 300)].concat();
    let header = |content_type, length| Header { content_type, version: 0x0303, length };
    let expected = |content_type, length, end| {
        let header = header(content_type, length);
        [Seen::Record { header }, Seen::End { header, end }]
    };
    let all = [expected(22, 3, 8), expected(20, 1, 14), expected(23, 0, 19), expected(23, 300, 324)];
    let (found, records) = seen([stream.as_slice()]);
    assert_eq!(found, all.concat());
    assert!(records.at_boundary() && !records.is_opaque());
}

#[test]
fn a_record_that_goes_on_is_told_twice() {
    let bytes = record(23, 10);
    let mut records = Records::default();
    let header = Header { content_type: 23, version: 0x0303, length: 10 };
    let mut scan = records.scan(&bytes[..5]);
    assert_eq!(scan.next_piece(), Some(Piece::Record { header, end_in_input: None }));
    assert_eq!(scan.next_piece(), None);
    assert!(!records.at_boundary());
    assert_eq!(records.scan(&bytes[5..9]).next_piece(), None);
    let mut scan = records.scan(&bytes[9..]);
    assert_eq!(scan.next_piece(), Some(Piece::RecordEnd { header, end_in_input: 6 }));
    assert_eq!(scan.next_piece(), None);
    assert!(records.at_boundary());
}

#[test]
fn what_is_no_header_makes_the_stream_opaque_from_its_record_on() {
    let longest = record(23, LENGTH_MAX);
    for (begin, rest, offset) in [
        (&[][..], &[0x10, 0x0c][..], 0),
        (&[], &[19], 0),
        (&[], &[25], 0),
        (&[], &[22, 2], 0),
        (&longest, &[23, 3, 3, 0x48, 0x01], u64::from(LENGTH_MAX) + 5),
    ] {
        let (found, records) = seen([begin, rest, &[23, 3, 3, 0, 1, 7]]);
        assert_eq!(found.last(), Some(&Seen::NotTls { offset }), "{rest:?}");
        assert!(records.is_opaque() && !records.at_boundary());
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        lengths in prop::collection::vec((20u8..=24, 0u16..40), 0..20),
        tail in prop::collection::vec(any::<u8>(), 0..20),
        cuts in prop::collection::vec(1usize..30, 1..60),
    ) {
        let mut stream: Vec<u8> = lengths.iter().flat_map(|&(kind, length)| record(kind, length)).collect();
        stream.extend(tail);
        let (whole, after) = seen([stream.as_slice()]);
        let (mut parts, mut rest, mut cuts) = (Vec::new(), stream.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (part, left) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            parts.push(part);
            rest = left;
        }
        let (split, after_split) = seen(parts);
        prop_assert_eq!(&whole, &split);
        prop_assert_eq!(after, after_split);
        let told = whole.iter().filter(|seen| matches!(seen, Seen::Record { .. })).count();
        prop_assert!(told >= lengths.len());
    }

    #[test]
    fn random_bytes_are_walked_to_their_end(inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..9)) {
        let (found, records) = seen(inputs.iter().map(Vec::as_slice));
        let opaque = found.iter().filter(|seen| matches!(seen, Seen::NotTls { .. })).count();
        prop_assert_eq!(opaque, usize::from(records.is_opaque()));
    }
}
