//! What is on the wire: sizes, TLS, losses, messages.

use super::*;

fn publishing() -> Habits {
    Habits { workload: "publishing:a/{client},every=10s,qos=1,size=64".parse().unwrap(), ..habits(60) }
}

#[test]
fn a_ping_is_three_segments() {
    let seen = see(&scenario(habits(60), vec![], 100));
    let ping: Vec<_> = seen.segments.iter().filter(|(at, ..)| *at > Time::from_secs(1)).take(3).collect();
    let ms = Time::from_millis;
    let (up, down) = (Direction::Up, Direction::Down);
    assert_eq!(
        ping,
        [
            &(ms(54_080), up, Carried::Data, 54, false),
            &(ms(54_100), down, Carried::Data, 54, false),
            &(ms(54_160), up, Carried::Ack, 52, false)
        ]
    );
}

#[test]
fn tls_takes_one_more_round_trip_and_22_bytes_a_record() {
    let mut scenario = scenario(habits(60), vec![], 100);
    scenario.link.tls = true;
    let seen = see(&scenario);
    let connected = DeviceDid::Connected { session_present: false, took: ms(120) };
    assert!(seen.device.contains(&(Time::from_millis(120), 0, connected)));
    let shake = |direction| {
        let of_way = seen
            .segments
            .iter()
            .filter(|(_, way, carried, ..)| (*way, *carried) == (direction, Carried::Control));
        of_way.map(|(.., bytes, _)| u64::from(*bytes)).sum::<u64>()
    };
    assert_eq!(shake(Direction::Up), 60 + 52 + (52 + 300) + (52 + 64));
    assert_eq!(shake(Direction::Down), 60 + (2 * 52 + 2_200) + 52, "the last is the FIN of the run's end");
    let pings: Vec<u32> =
        seen.segments.iter().filter(|(_, _, carried, ..)| *carried == Carried::Data).map(|it| it.3).collect();
    assert_eq!(pings[2..], [52 + 2 + 22, 52 + 2 + 22]);
}

#[test]
fn messages_arrive_once_and_those_of_an_outage_late() {
    let dark = dark(secs(60), Connects::Vanish);
    let seen = see(&scenario(publishing(), vec![at(secs(101), dark)], 400));
    let numbers: Vec<u64> = seen.messages.iter().map(|(_, number)| *number).collect();
    let made =
        seen.device.iter().filter(|(_, _, did)| matches!(did, DeviceDid::Published { dup: false, .. }));
    let expected: Vec<u64> = (1..=u64::try_from(made.count()).unwrap()).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "none is lost, none comes twice");
    let late = seen.messages.iter().find(|(_, number)| *number == 12).unwrap();
    assert!(late.0 > Time::from_secs(161), "made at 110.08: {late:?}");
}

#[test]
fn large_messages_go_in_several_segments_and_arrive_whole() {
    let workload = "publishing:a,every=10s,qos=2,size=5000".parse().unwrap();
    let mut scenario = scenario(Habits { workload, ..habits(60) }, vec![], 61);
    scenario.link.loss = Chance::new(0.1).unwrap();
    let seen = see(&scenario);
    assert!(seen.messages.len() >= 6, "{:?}", seen.messages);
    let most = seen.segments.iter().map(|(.., bytes, _)| *bytes).max();
    assert_eq!(most, Some(1_500));
}

#[test]
fn losses_are_repaired_until_they_are_too_many() {
    let mut scenario = scenario(habits(30), vec![], 3_600);
    scenario.link.loss = Chance::new(0.2).unwrap();
    let seen = see(&scenario);
    let again = seen.segments.iter().filter(|(.., again)| *again).count();
    assert!(again > 20, "{again} of {}", seen.segments.len());
    assert_eq!(seen.noticed(), [], "a fifth is repaired within 10 s");
    scenario.link.loss = Chance::new(0.9).unwrap();
    assert!(!see(&scenario).noticed().is_empty());
}

#[test]
fn a_ping_that_comes_through_late_is_answered_to_nobody() {
    // Given up at 64.08; its FIN waits behind the ping, which comes at 54.08 + 0.24 x 64. Nobody is there for the answer: RST.
    let slow = Habits { backoff: "fixed:60s".parse().unwrap(), ..habits(60) };
    let seen = see(&scenario(slow, vec![at(secs(54), dark(secs(11), Connects::Vanish))], 80));
    let arrived = seen.told(|what| matches!(what, What::Packet { packet: Packet::Pingreq, .. }));
    assert_eq!(arrived, [Time::from_millis(69_460)]);
    assert_eq!(seen.departed(), [(Time::from_millis(69_500), Departure::Reset)]);
}
