use super::*;

const LINK: LinkId = LinkId(3);

fn peer(port: u16) -> SocketAddr {
    SocketAddr::new("10.0.0.7".parse().unwrap(), port)
}

fn segment(at: u64, port: u16, seq: u32, len: u32, flags: &str) -> Segment {
    Segment {
        at: Time::from_millis(at),
        from: peer(port),
        to: "10.0.0.2:1884".parse().unwrap(),
        flags: Flags {
            fin: flags.contains('F'),
            syn: flags.contains('S'),
            rst: flags.contains('R'),
            ack: flags.contains('A'),
        },
        seq,
        len,
    }
}

fn told(observer: &mut Observer) -> Vec<String> {
    std::iter::from_fn(|| observer.poll()).map(|news| news.to_string()).collect()
}

fn tick(observer: &mut Observer, at: u64) -> Vec<String> {
    observer.tick(Time::from_millis(at));
    told(observer)
}

#[test]
fn an_attempt_that_is_accepted_in_time_is_no_news() {
    for (accepted, expected) in [
        (Some(1_150), vec![]),
        (None, vec!["SYN from 10.0.0.7:5000 to port 1884, sent for the 1. time, seen 1.000"]),
    ] {
        let mut observer = Observer::default();
        observer.segment(&segment(1_000, 5_000, 7, 0, "S"));
        if let Some(at) = accepted {
            observer.accepted(Time::from_millis(at), peer(5_000));
        }
        assert_eq!(observer.deadline(), Some(Time::from_millis(1_200)));
        assert_eq!(tick(&mut observer, 1_199), Vec::<String>::new());
        assert_eq!(tick(&mut observer, 1_200), expected);
        assert_eq!(observer.deadline(), None);
    }
}

#[test]
fn a_connection_accepted_before_its_syn_was_read_is_no_news() {
    let mut observer = Observer::default();
    observer.accepted(Time::from_millis(1_001), peer(5_000));
    observer.segment(&segment(1_000, 5_000, 7, 0, "S"));
    assert_eq!(tick(&mut observer, 2_000), Vec::<String>::new());
    // The same port once more, much later, is another attempt.
    observer.segment(&segment(9_000, 5_000, 8, 0, "S"));
    assert_eq!(tick(&mut observer, 9_200).len(), 1);
}

#[test]
fn repetitions_of_one_syn_are_told_apart_from_new_attempts() {
    let mut observer = Observer::default();
    for (at, port, seq) in [
        (1_000, 5_000, 7),
        (2_020, 5_000, 7),
        (4_040, 5_000, 7),
        // Another port, and the same port with another number.
        (5_000, 5_001, 9),
        (6_000, 5_000, 11),
    ] {
        observer.segment(&segment(at, port, seq, 0, "S"));
    }
    observer.tick(Time::from_millis(7_000));
    assert_eq!(
        told(&mut observer),
        [
            "SYN from 10.0.0.7:5000 to port 1884, sent for the 1. time, seen 1.000",
            "SYN from 10.0.0.7:5000 to port 1884, sent for the 2. time, seen 2.020, 1.02s after the one before",
            "SYN from 10.0.0.7:5000 to port 1884, sent for the 3. time, seen 4.040, 2.02s after the one before",
            "SYN from 10.0.0.7:5000 to port 1884, sent for the 1. time, seen 6.000",
            "SYN from 10.0.0.7:5001 to port 1884, sent for the 1. time, seen 5.000",
        ]
    );
}

#[test]
fn one_syn_is_told_so_often_and_no_more() {
    let mut observer = Observer::default();
    (0..20).for_each(|n| observer.segment(&segment(n * 1_000, 5_000, 7, 0, "S")));
    assert_eq!(told(&mut observer).len(), 16);
    assert_eq!(observer.finish(Time::from_secs(30)), 4);
}

#[test]
fn a_flood_of_syns_is_told_in_part_and_counted() {
    let mut observer = Observer::default();
    for port in 0..6_000 {
        observer.segment(&segment(1_000, port, 7, 0, "S"));
    }
    assert_eq!(tick(&mut observer, 1_200).len(), 5_000);
    assert_eq!(observer.finish(Time::from_secs(2)), 1_000);
}

#[test]
fn a_stray_syn_of_a_connection_that_is_there_is_no_news() {
    let mut observer = Observer::default();
    observer.segment(&segment(1_000, 5_000, 7, 0, "S"));
    observer.accepted(Time::from_millis(1_100), peer(5_000));
    observer.segment(&segment(2_000, 5_000, 7, 0, "S"));
    assert_eq!(tick(&mut observer, 3_000), Vec::<String>::new());
}

#[test]
fn attempts_without_end_are_forgotten_the_oldest_first() {
    let mut ring = Ring::new(2);
    [(1, 'a'), (2, 'b'), (1, 'c'), (3, 'd')].into_iter().for_each(|(key, value)| ring.insert(key, value));
    assert_eq!([1, 2, 3].map(|key| ring.get(key).copied()), [None, Some('b'), Some('d')]);
}

/// The connection began with this number, and 100 bytes had come before the watch.
fn watched(first: u32) -> Observer {
    let mut observer = Observer::default();
    observer.segment(&segment(100, 5_000, first, 0, "S"));
    observer.accepted(Time::from_millis(101), peer(5_000));
    let flow = Flow { from: peer(5_000), to: None };
    observer.watch(Time::from_millis(3_000), LINK, Side::Device, flow, Some(100));
    observer
}

fn repeated(observer: &mut Observer) -> Option<(u64, Vec<u64>, u64)> {
    observer.unwatch(Time::from_millis(60_000), LINK, Side::Device);
    observer.tick(Time::from_millis(60_050));
    std::iter::from_fn(|| observer.poll()).find_map(|news| match news {
        WireNews::Repeated { segments, gaps_ns, probes, .. } => {
            Some((segments, gaps_ns.into_iter().map(|gap| gap / 1_000_000).collect(), probes))
        }
        _ => None,
    })
}

#[test]
fn retransmissions_are_counted_and_the_timeout_is_seen_to_grow() {
    // Also where the numbers begin anew from 0.
    for first in [1_000, u32::MAX - 50] {
        let next = first.wrapping_add(101);
        for (name, segments, expected) in [
            ("nothing", vec![], None),
            ("sent once", vec![(4_000, next, 2)], None),
            (
                "a PINGREQ, again and again",
                vec![(4_000, next, 2), (4_200, next, 2), (4_610, next, 2), (5_430, next, 2)],
                Some((3, vec![200, 410, 820], 0)),
            ),
            (
                "more is sent meanwhile, and comes with the second repetition",
                vec![(4_000, next, 2), (4_200, next, 2), (4_300, next.wrapping_add(2), 5), (4_610, next, 7)],
                Some((2, vec![200, 410], 0)),
            ),
            (
                "what was sent before the leg went deaf",
                vec![(3_200, next.wrapping_sub(2), 2), (3_610, next.wrapping_sub(2), 2)],
                Some((2, vec![410], 0)),
            ),
            (
                "probes",
                vec![(9_000, next.wrapping_sub(1), 0), (9_500, next.wrapping_sub(1), 1)],
                Some((0, vec![], 2)),
            ),
            ("an acknowledgement is neither", vec![(9_000, next, 0), (9_500, next, 0)], None),
            ("before and after the watch", vec![(2_999, next, 2), (60_001, next, 2)], None),
        ] {
            let mut observer = watched(first);
            for (at, seq, len) in segments {
                observer.segment(&segment(at, 5_000, seq, len, "A"));
            }
            assert_eq!(repeated(&mut observer), expected, "{name}");
            assert_eq!(observer.flows().count(), 0);
        }
    }
}

#[test]
fn where_the_connection_began_unseen_the_first_data_is_where_counting_begins() {
    let mut observer = Observer::default();
    let flow = Flow { from: peer(5_000), to: None };
    observer.watch(Time::from_millis(3_000), LINK, Side::Device, flow, Some(100));
    for at in [4_000, 4_200] {
        observer.segment(&segment(at, 5_000, 77, 2, "A"));
    }
    assert_eq!(
        told(&mut observer),
        ["L3 device: the tap did not see how this leg's connection began"],
        "so it may not see the leg at all"
    );
    assert_eq!(repeated(&mut observer), Some((1, vec![200], 0)));
}

#[test]
fn the_first_fin_and_the_first_rst_of_a_deaf_leg_are_told() {
    let mut observer = watched(1_000);
    for (at, flags) in [(5_000, "FA"), (5_200, "FA"), (5_610, "FA"), (6_000, "RA"), (6_001, "R")] {
        observer.segment(&segment(at, 5_000, 1_101, 0, flags));
    }
    // Another one's.
    observer.segment(&segment(6_100, 5_001, 1_101, 0, "FA"));
    assert_eq!(
        told(&mut observer),
        ["L3 device ended its deaf leg: FIN, seen 5.000", "L3 device ended its deaf leg: RST, seen 6.000"]
    );
    assert_eq!(repeated(&mut observer), Some((2, vec![200, 410], 0)), "FIN is repeated too");
}

#[test]
fn a_hub_is_known_by_the_port_that_it_answers() {
    let mut observer = Observer::default();
    let (from, own) = ("10.0.0.9:1883".parse().unwrap(), "10.0.0.2:40000".parse().unwrap());
    let flags = Flags { syn: true, ack: true, ..Flags::default() };
    observer.segment(&Segment { at: Time::from_millis(2_000), from, to: own, flags, seq: 0, len: 0 });
    observer.watch(Time::from_millis(3_000), LINK, Side::Hub, Flow { from, to: Some(own) }, None);
    // Of another leg to it: by its port, or in transparent mode by the address alone.
    for (at, to) in [(4_000, "10.0.0.2:40001"), (4_500, "10.0.0.3:40000"), (5_000, "10.0.0.2:40000")] {
        let flags = Flags { fin: true, ack: true, ..Flags::default() };
        let (at, to) = (Time::from_millis(at), to.parse().unwrap());
        observer.segment(&Segment { at, from, to, flags, seq: 1, len: 0 });
    }
    assert_eq!(told(&mut observer), ["L3 hub ended its deaf leg: FIN, seen 5.000"]);
}

#[test]
fn a_leg_that_is_deaf_once_more_is_watched_anew() {
    let mut observer = watched(1_000);
    for at in [4_000, 4_200] {
        observer.segment(&segment(at, 5_000, 1_101, 2, "A"));
    }
    let flow = Flow { from: peer(5_000), to: None };
    observer.watch(Time::from_millis(4_300), LINK, Side::Device, flow, Some(100));
    assert_eq!(told(&mut observer).len(), 0, "it is watched already");
    observer.unwatch(Time::from_millis(4_500), LINK, Side::Device);
    observer.watch(Time::from_millis(4_510), LINK, Side::Device, flow, Some(102));
    assert_eq!(told(&mut observer), ["L3 device sent 1 segments again, 0 probes, the last after 200ms"]);
    for at in [5_000, 5_300] {
        observer.segment(&segment(at, 5_000, 1_103, 2, "A"));
    }
    assert_eq!(repeated(&mut observer), Some((1, vec![300], 0)));
}

#[test]
fn the_end_of_the_run_tells_what_is_left() {
    let mut observer = watched(1_000);
    for at in [4_000, 4_200] {
        observer.segment(&segment(at, 5_000, 1_101, 2, "A"));
    }
    observer.segment(&segment(4_900, 5_005, 1, 0, "S"));
    assert_eq!(observer.finish(Time::from_millis(5_000)), 0);
    assert_eq!(told(&mut observer).len(), 2);
    assert_eq!(observer.deadline(), None);
}
