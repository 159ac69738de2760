//! PUBLISH packets of QoS 0 taken many at a time say the same as one by one.

use super::*;
use crate::mqtt::packet::{Connect, Packet, Publish, Will};
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::{QoS, encode};
use crate::net::pump::Marks;
use crate::profile::{Sequence, SequencePlace};
use crate::session::ledger::Entry;
use proptest::prelude::*;

/// A packet of the stream, and whether passing it on is written down as a PUBLISH of QoS 0.
type Sent = (Vec<u8>, bool);

/// Read so many bytes at this time, of which the peer takes so many at once, and later so many of what waits.
type Turn = (usize, u64, usize, usize);

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V311), Just(Version::V5)]
}

/// A PUBLISH; in MQTT 5 with properties that are none, an alias, or look like one.
fn publish(version: Version) -> impl Strategy<Value = Sent> {
    let topic = prop_oneof![Just("t"), Just("own"), Just("a/longer/topic"), Just("")];
    let properties = prop_oneof![
        4 => Just(Properties::NONE),
        1 => Just(Properties::NONE.with(Property::TopicAlias(7))),
        1 => Just(Properties::NONE.with(Property::ContentType("a#b".into()))),
        1 => Just(Properties::NONE.with(Property::MessageExpiry(9))),
    ];
    let payload = prop_oneof![6 => 0..80usize, 1 => 100..300usize, 1 => 16_300..16_500usize];
    (0..8u8, any::<bool>(), topic, properties, payload).prop_map(
        move |(qos, retain, topic, properties, len)| {
            let qos = match qos {
                6 => QoS::AtLeastOnce,
                7 => QoS::ExactlyOnce,
                _ => QoS::AtMostOnce,
            };
            let properties = if version == Version::V5 { properties } else { Properties::NONE };
            let packet_id = (qos != QoS::AtMostOnce).then_some(5);
            // Without a name there is an alias in its place.
            let topic = if topic.is_empty() && properties == Properties::NONE { "t" } else { topic };
            let payload = vec![b'#'; len];
            let topic = topic.to_owned();
            let publish = |topic| Publish {
                qos,
                retain,
                packet_id,
                topic,
                properties: properties.clone(),
                payload: payload.clone(),
                ..Publish::default()
            };
            let mut bytes = Vec::new();
            if encode(&Packet::Publish(publish(topic)), version, &mut bytes).is_err() {
                bytes.clear();
                encode(&Packet::Publish(publish("t".into())), version, &mut bytes).unwrap();
            }
            (bytes, qos == QoS::AtMostOnce)
        },
    )
}

/// Packets of all sorts, some of them wrong.
fn sent(version: Version) -> impl Strategy<Value = Sent> {
    let odd = prop_oneof![
        Just((b"\xc0\x00".to_vec(), false)),
        Just((b"\x40\x02\x00\x05".to_vec(), false)),
        // DUP, which there is not at QoS 0; a length that is padded; names that do not end; QoS 3.
        Just((b"\x38\x04\x00\x01t\x00".to_vec(), true)),
        Just((b"\x30\x84\x00\x00\x01t\x00".to_vec(), true)),
        Just((b"\x30\x04\x00\x09t\x00".to_vec(), false)),
        Just((b"\x30\x01\x00".to_vec(), false)),
        Just((b"\x30\x00".to_vec(), false)),
        Just((b"\x36\x04\x00\x01t\x00".to_vec(), false)),
        // In MQTT 5, properties that are not there, and that do not end.
        Just((b"\x30\x03\x00\x01t".to_vec(), true)),
        Just((b"\x30\x05\x00\x01t\x09\x23".to_vec(), true)),
    ];
    prop_oneof![9 => publish(version), 1 => odd]
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let much = prop_oneof![1..20usize, 1..700usize, Just(100_000usize)];
    let passed = prop_oneof![0..300usize, Just(usize::MAX)];
    let gap = prop_oneof![4 => 0..5u64, 1 => Just(100_000u64)];
    prop::collection::vec((much, gap, passed.clone(), passed), 1..60)
}

/// One link without sockets, and all that was written and told of it.
struct Told {
    link: Link,
    queue: EventQueue,
    entries: Vec<Vec<Entry>>,
    passed: Ways<usize>,
}

impl Told {
    fn new(alarm: &Alarm, one_by_one: bool) -> Told {
        let place = SequencePlace::Bytes { at: 0, width: 1, big_endian: true };
        // Whoever looks for numbers looks at each packet.
        let sequence = one_by_one.then(|| Sequence { topic: Some("never/published".into()), place });
        let plan = Arc::new(Plan { sequence, ..Plan::clone(&plan()) });
        let (link, queue) = still(alarm, plan);
        Told { link, queue, entries: Vec::new(), passed: Ways::default() }
    }

    /// Bytes come, and so many are passed on at once, and of what waits.
    fn turn(&mut self, now: Time, direction: Direction, bytes: &[u8], at_once: usize, later: usize) {
        let (link, mut marks) = (&mut self.link, Marks::default());
        link.scan(now, direction, bytes, &mut marks);
        let waits = !link.pumps.get(direction).lane.is_empty();
        let written = if waits { 0 } else { at_once.min(bytes.len()) };
        link.went(now, direction, written, &marks.noted, &marks.plain);
        link.pumps.get_mut(direction).hold(now, bytes, written, &marks.noted, &marks.plain);
        let more = link.pumps.get_mut(direction).ready(now).min(later);
        link.gone(now, now, direction, more);
        *self.passed.get_mut(direction) += written + more;
        self.entries.push(std::mem::take(&mut link.books.entries));
    }

    fn passed_plain(&self, of: Direction) -> usize {
        let plain = self.entries.iter().flatten().map(|entry| match entry {
            Entry::PassedPlain { direction, messages } if *direction == of => *messages,
            _ => 0,
        });
        usize::try_from(plain.sum::<u32>()).unwrap()
    }

    /// What is told in events, without their times.
    fn events(&self) -> Vec<String> {
        let events = self.queue.take().unwrap_or_default();
        events.iter().map(|event| format!("{:?}", event.what)).collect()
    }
}

/// The CONNECT and CONNACK that a stream begins with.
fn greeting(version: Version, will: bool) -> [Vec<u8>; 2] {
    let will = will.then(|| Will {
        topic: "own".into(),
        payload: Vec::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::NONE,
    });
    let connect = Packet::Connect(Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        properties: Properties::NONE,
        client_id: "d".into(),
        will,
        username: None,
        password: None,
    });
    let mut bytes = Vec::new();
    encode(&connect, version, &mut bytes).unwrap();
    let connack = if version == Version::V5 { &b"\x20\x03\x00\x00\x00"[..] } else { b"\x20\x02\x00\x00" };
    [bytes, connack.to_vec()]
}

/// Feeds both links the same, and holds them against each other. Whether each takes what comes up many at a time.
fn compare(version: Version, will: bool, up: &[Sent], down: &[Sent], turns: &[Turn]) -> [bool; 2] {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let alarm = Alarm::start(Clock::start()).unwrap();
    let mut both = [Told::new(&alarm, false), Told::new(&alarm, true)];
    let packets = Ways { up, down };
    let greetings = greeting(version, will);
    for (direction, greeting) in Direction::BOTH.into_iter().zip(&greetings) {
        both.iter_mut().for_each(|told| told.turn(Time::from_millis(1), direction, greeting, usize::MAX, 0));
    }
    let starts = Ways { up: greetings[0].len(), down: greetings[1].len() };
    let mut now = Time::from_millis(2);
    let mut left =
        Ways { up: up.iter().flat_map(|(bytes, _)| bytes.clone()).collect::<Vec<u8>>(), down: Vec::new() };
    left.down = down.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    for (nth, &(most, gap, at_once, later)) in turns.iter().enumerate() {
        let direction = Direction::BOTH[nth % 2];
        now += Duration::from_millis(gap);
        let bytes = left.get_mut(direction);
        let read: Vec<u8> = bytes.drain(..most.min(bytes.len())).collect();
        both.iter_mut().for_each(|told| told.turn(now, direction, &read, at_once, later));
        assert_eq!(both[0].entries.last(), both[1].entries.last());
        let mut end = *starts.get(direction);
        let passed = *both[0].passed.get(direction);
        let whole = packets.get(direction).iter().filter(|(bytes, is_plain)| {
            end += bytes.len();
            *is_plain && end <= passed
        });
        assert_eq!(both[0].passed_plain(direction), whole.count(), "after turn {nth}");
    }
    let [mut at_once, mut one_by_one] = both;
    for direction in Direction::BOTH {
        assert_eq!(at_once.link.pumps.get(direction).frame, one_by_one.link.pumps.get(direction).frame);
    }
    assert_eq!(at_once.link.meter.flush(now), one_by_one.link.meter.flush(now));
    assert_eq!(at_once.events(), one_by_one.events());
    [at_once.link, one_by_one.link].map(|link| link.takes_plain(Direction::Up))
}

proptest! {
    #[test]
    fn many_at_a_time_say_the_same_as_one_by_one(
        (version, up, down) in version().prop_flat_map(|version| {
            let packets = || prop::collection::vec(sent(version), 0..60);
            (Just(version), packets(), packets())
        }),
        will in any::<bool>(),
        turns in turns(),
    ) {
        compare(version, will, &up, &down, &turns);
    }
}

#[test]
fn a_stream_of_plain_packets_is_taken_many_at_a_time() {
    let packet = (b"\x30\x05\x00\x01thi".to_vec(), true);
    let stream = vec![packet; 1000];
    // The first is told of by itself; 7 bytes at a time, then all; the peer stops amid packets.
    let turns = [(7, 0, 3, 0), (1, 0, 0, 2), (700, 1, 0, 40), (0, 1, 0, 0), (100_000, 90_000, 300, 1000)];
    assert_eq!(compare(Version::V311, true, &stream, &[], &turns), [true, false]);
}
