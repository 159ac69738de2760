use super::*;
use proptest::prelude::*;

const ALL: [Damage; 3] = [Damage::Mac, Damage::Type, Damage::Length];

fn record(content_type: u8, length: u16) -> Vec<u8> {
    let mut bytes = vec![content_type, 3, 3];
    bytes.extend(length.to_be_bytes());
    bytes.resize(5 + usize::from(length), 23);
    bytes
}

/// The stream after a harmer that is armed at the call `armed`, and the stream length at which it said to be done.
/// `walk_damaged`: the walker sees what was sent, not what was to be sent.
fn sent(
    stream: &[u8],
    cuts: &[usize],
    armed: usize,
    damage: Damage,
    walk_damaged: bool,
) -> (Vec<u8>, Option<usize>, usize) {
    let (mut records, mut harmer) = (Records::default(), None);
    let (mut sent, mut done, mut armed_at) = (Vec::new(), None, stream.len());
    let (mut rest, mut cuts) = (stream, cuts.iter().cycle());
    let mut call = 0;
    while !rest.is_empty() {
        if call == armed {
            harmer = Some(Harmer::new(damage));
            armed_at = sent.len();
        }
        let (part, left) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
        let mut bytes = part.to_vec();
        if let Some(harmer) = &mut harmer {
            let is_done = harmer.harm(&records, &mut bytes);
            assert!(is_done || done.is_none(), "it stays done");
            if is_done && done.is_none() {
                done = Some(sent.len() + bytes.len());
            }
        }
        let mut scan = records.scan(if walk_damaged { &bytes } else { part });
        while scan.next_piece().is_some() {}
        sent.extend(bytes);
        rest = left;
        call += 1;
    }
    (sent, done, armed_at)
}

#[test]
fn each_damage_is_what_it_says() {
    let stream = [record(22, 2), record(23, 3), record(23, 3)].concat();
    for (damage, changed) in [
        (Damage::Mac, vec![(12, 22)]),
        (Damage::Type, vec![(7, 99)]),
        (Damage::Length, vec![(10, 0xff), (11, 0xff)]),
    ] {
        let mut expected = stream.clone();
        for (at, value) in changed {
            expected[at] = value;
        }
        for cut in 1..=stream.len() {
            let (sent, done, _) = sent(&stream, &[cut], 0, damage, true);
            assert_eq!(sent, expected, "{damage:?} cut {cut}");
            assert!(done.is_some());
        }
    }
}

#[test]
fn a_record_that_had_begun_stays_whole() {
    let stream = [record(23, 3), record(23, 3)].concat();
    for damage in ALL {
        for begun in 1..8 {
            let (sent, _, _) = sent(&stream, &[begun, 20], 1, damage, false);
            assert_eq!(sent[..8], stream[..8]);
            assert_ne!(sent[8..], stream[8..]);
        }
    }
}

#[test]
fn what_is_not_tls_stays_as_it_is() {
    for damage in ALL {
        let mut bytes = *b"\x10\x17\x17\x03\x03\0\x01\0";
        assert!(!Harmer::new(damage).harm(&Records::default(), &mut bytes));
        assert_eq!(bytes, *b"\x10\x17\x17\x03\x03\0\x01\0");
    }
}

#[test]
fn the_truncated_record_is_truncated() {
    let mut records = Records::default();
    let piece = records.scan(truncated()).next_piece().unwrap();
    let super::super::record::Piece::Record { header, end_in_input: None } = piece else {
        panic!("{piece:?}")
    };
    assert_eq!((header.content_type, header.version, header.length), (23, 0x0303, 256));
    assert!(!records.at_boundary() && !records.is_opaque());
}

proptest! {
    #[test]
    fn one_record_is_harmed_and_no_byte_else(
        kinds in prop::collection::vec((20u8..=24, 0u16..30), 1..20),
        cuts in prop::collection::vec(1usize..30, 1..60),
        armed in 0usize..6,
        which in 0usize..3,
        walk_damaged in any::<bool>(),
    ) {
        let damage = ALL[which];
        let stream: Vec<u8> = kinds.iter().flat_map(|&(kind, length)| record(kind, length)).collect();
        let (sent, done, armed_at) = sent(&stream, &cuts, armed, damage, walk_damaged);
        let mut start = 0;
        let target = kinds.iter().find_map(|&(kind, length)| {
            let at = start;
            start += 5 + usize::from(length);
            let can_be = kind == 23 && (damage != Damage::Mac || length > 0);
            (can_be && at >= armed_at).then_some(at)
        });
        let mut expected = stream.clone();
        let last_changed = target.map(|at| match damage {
            Damage::Mac => { expected[at + 5] ^= 1; at + 5 }
            Damage::Type => { expected[at] = 99; at }
            Damage::Length => { expected[at + 3..at + 5].fill(0xff); at + 4 }
        });
        prop_assert_eq!(sent, expected);
        prop_assert_eq!(done.is_some(), target.is_some());
        prop_assert!(done.is_none_or(|done| last_changed.is_some_and(|at| at < done)));
    }
}
