use super::*;
use Direction::{Down, Up};
use proptest::prelude::*;

/// What was sent at once: whether it is the first data its way, which way, and the bytes.
type Sent = (bool, Direction, Vec<u8>);

/// Real conversations by name.
fn conversations() -> Vec<(&'static str, Vec<Sent>)> {
    [
        ("1.2", include_str!("../../../tests/cases/tls/tls12.txt")),
        ("1.2 client certificate", include_str!("../../../tests/cases/tls/tls12-client-certificate.txt")),
        ("1.2 resumed", include_str!("../../../tests/cases/tls/tls12-resumed.txt")),
        ("1.3", include_str!("../../../tests/cases/tls/tls13.txt")),
        ("1.3 client certificate", include_str!("../../../tests/cases/tls/tls13-client-certificate.txt")),
        ("1.3 resumed", include_str!("../../../tests/cases/tls/tls13-resumed.txt")),
        ("1.3 retry", include_str!("../../../tests/cases/tls/tls13-retry.txt")),
    ]
    .into_iter()
    .map(|(name, text)| (name, text.lines().filter(|line| !line.starts_with('#')).map(line).collect()))
    .collect()
}

fn line(line: &str) -> Sent {
    let (is_data, line) = line.strip_prefix("data ").map_or((false, line), |rest| (true, rest));
    let (way, hex) = line.split_once(' ').unwrap();
    let bytes = hex.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    (is_data, if way == "up" { Up } else { Down }, bytes.collect())
}

/// What was told, as the direction and the stream offset in it.
#[derive(Default)]
struct Watched {
    watch: DataWatch,
    up: Records,
    down: Records,
    told: Vec<(Direction, u64)>,
}

impl Watched {
    fn read(&mut self, direction: Direction, bytes: &[u8]) {
        let records = if direction == Up { &mut self.up } else { &mut self.down };
        let before = records.offset();
        if let Some(end) = self.watch.scan(direction, records, bytes) {
            self.told.push((direction, before + u64::try_from(end).unwrap()));
        }
    }
}

fn record(content_type: u8, length: u16) -> Vec<u8> {
    let mut bytes = vec![content_type, 3, 3];
    bytes.extend(length.to_be_bytes());
    bytes.resize(5 + usize::from(length), 0);
    bytes
}

fn told(reads: &[(Direction, &[(u8, u16)])]) -> Vec<(Direction, u64)> {
    let mut watched = Watched::default();
    for (direction, records) in reads {
        let bytes: Vec<u8> = records.iter().flat_map(|&(kind, length)| record(kind, length)).collect();
        watched.read(*direction, &bytes);
    }
    watched.told
}

#[test]
fn real_conversations_read_as_sent() {
    for (name, sent) in conversations() {
        let mut watched = Watched::default();
        for (is_data, direction, bytes) in &sent {
            let before = watched.told.len();
            watched.read(*direction, bytes);
            assert_eq!(watched.told.len() - before, usize::from(*is_data), "{name}");
        }
        assert_eq!(watched.told.iter().map(|told| told.0).collect::<Vec<_>>(), [Up, Down], "{name}");
        assert!(watched.watch.is_done());
    }
}

#[test]
fn the_first_data_may_come_with_the_finished_in_one_read() {
    for (name, mut sent) in conversations() {
        // The device says its first data at once, before the hub's tickets come.
        let at = sent.iter().position(|(is_data, direction, _)| *is_data && *direction == Up).unwrap();
        let flight = sent[..at].iter().rposition(|(_, direction, _)| *direction == Up).unwrap();
        let (_, _, data) = sent.remove(at);
        sent[flight].2.extend(&data);
        let mut watched = Watched::default();
        let mut end = 0;
        for (at, (_, direction, bytes)) in sent.iter().enumerate() {
            watched.read(*direction, bytes);
            if *direction == Up && at <= flight {
                end += u64::try_from(bytes.len()).unwrap();
            }
        }
        assert_eq!(watched.told[0], (Up, end), "{name}");
        assert_eq!(watched.told.len(), 2, "{name}");
    }
}

const FLIGHT_13: (Direction, &[(u8, u16)]) = (Down, &[(22, 122), (20, 1), (23, 34), (23, 444), (23, 69)]);

#[test]
fn a_refusal_after_the_first_data_is_none_of_the_hubs_data() {
    let hello = (Up, &[(22, 500)][..]);
    let up = (Up, &[(23, 444), (23, 96), (23, 53), (23, 34)][..]);
    let refused = told(&[hello, FLIGHT_13, up, (Down, &[(23, 19)])]);
    assert_eq!(refused, [(Up, 505 + 449 + 101 + 58 + 39)]);
    let gone = told(&[hello, FLIGHT_13, (Up, &[(23, 53), (23, 19)])]);
    assert_eq!(gone, []);
    let in_clear = told(&[hello, (Down, &[(21, 2)])]);
    assert_eq!(in_clear, []);
}

#[test]
fn a_flight_in_one_record_ends_with_its_read() {
    let hello = (Up, &[(22, 500)][..]);
    let packed =
        told(&[hello, FLIGHT_13, (Up, &[(20, 1), (23, 700)]), (Up, &[(23, 34)]), (Down, &[(23, 21)])]);
    assert_eq!(packed, [(Up, 505 + 6 + 705 + 39), (Down, 127 + 6 + 39 + 449 + 74 + 26)]);
}

#[test]
fn what_it_gets_wrong_is_what_its_documentation_says() {
    let hello = (Up, &[(22, 500)][..]);
    // The flight in several reads that end between records: told of the second.
    let apart = told(&[hello, FLIGHT_13, (Up, &[(23, 444)]), (Up, &[(23, 96)]), (Up, &[(23, 69)])]);
    assert_eq!(apart, [(Up, 505 + 449 + 101)]);
    // The flight packed, the data in the same read: told of the next.
    let packed = told(&[hello, FLIGHT_13, (Up, &[(23, 700), (23, 34)]), (Up, &[(23, 30)])]);
    assert_eq!(packed, [(Up, 505 + 705 + 39 + 35)]);
    // A ticket after the device's first data is taken for the answer.
    let ticket = told(&[hello, FLIGHT_13, (Up, &[(23, 69), (23, 34)]), (Down, &[(23, 266)])]);
    assert_eq!(ticket.len(), 2);
    // Early data is not told; what follows it is.
    let early =
        told(&[(Up, &[(22, 500), (20, 1), (23, 40)]), FLIGHT_13, (Up, &[(23, 21), (23, 53), (23, 35)])]);
    assert_eq!(early, [(Up, 505 + 6 + 45 + 26 + 58 + 40)]);
}

proptest! {
    /// Without a client certificate the Finished stands alone, so reads do not matter.
    #[test]
    fn how_it_is_read_does_not_matter(cuts in prop::collection::vec(1usize..400, 1..40)) {
        for (name, sent) in conversations() {
            if name == "1.3 client certificate" {
                continue;
            }
            let (mut watched, mut cuts) = (Watched::default(), cuts.iter().cycle());
            let mut whole = Watched::default();
            for (_, direction, bytes) in &sent {
                whole.read(*direction, bytes);
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (part, left) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                    watched.read(*direction, part);
                    rest = left;
                }
            }
            prop_assert_eq!(watched.told, whole.told, "{}", name);
        }
    }

    #[test]
    fn at_most_one_each_way_up_first(
        reads in prop::collection::vec((any::<bool>(), prop::collection::vec((20u8..=24, 0u16..100), 0..4)), 0..30)
    ) {
        let reads: Vec<(Direction, &[(u8, u16)])> =
            reads.iter().map(|(up, records)| (if *up { Up } else { Down }, records.as_slice())).collect();
        let told: Vec<Direction> = told(&reads).iter().map(|told| told.0).collect();
        prop_assert!([&[][..], &[Up], &[Up, Down]].contains(&told.as_slice()));
    }
}
