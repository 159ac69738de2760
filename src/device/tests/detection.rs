use super::*;
use crate::mqtt::packet::Disconnect;
use crate::tls::Alert;

/// When a device whose hub fell silent at time 0 notices, pinged or not.
fn detection(habits: Habits) -> Option<Time> {
    let mut bench = Bench::up(habits);
    while let Some(deadline) = bench.device.deadline().filter(|&at| at < Time::from_secs(10_000)) {
        bench.at(deadline);
        if bench.noticed() {
            return Some(bench.now);
        }
    }
    None
}

#[test]
fn an_idle_device_notices_a_half_open_link_as_its_preset_says() {
    for (preset, keep_alive, expected) in [
        (Preset::Careful, 2, Some(2_500)),
        (Preset::Typical, 2, Some(3_800)),
        (Preset::Naive, 2, Some(7_800)),
        (Preset::Oblivious, 2, None),
        (Preset::Careful, 60, Some(55_000)),
        (Preset::Typical, 60, Some(114_000)),
        (Preset::Naive, 60, Some(234_000)),
        (Preset::Careful, 0, None),
    ] {
        let at = detection(habits(preset, keep_alive));
        assert_eq!(at, expected.map(Time::from_millis), "{preset} at {keep_alive} s");
    }
}

#[test]
fn a_device_that_publishes_is_blind_unless_it_pings_all_the_same() {
    for (preset, expected) in [(Preset::Careful, Some(Time::from_millis(2_500))), (Preset::Typical, None)] {
        let workload = publishing("500ms", 0);
        assert_eq!(detection(Habits { workload, ..habits(preset, 2) }), expected, "{preset}");
    }
}

#[test]
fn the_ping_timeout_is_kept_to_the_nanosecond() {
    let mut bench = Bench::up(habits(Preset::Typical, 10));
    bench.at(Time::from_secs(9) - NANO);
    assert_eq!(bench.got(), []);
    bench.at(Time::from_secs(9));
    assert_eq!(bench.got(), [Packet::Pingreq]);
    bench.until(Time::from_secs(19) - NANO);
    assert!(!bench.noticed());
    bench.at(Time::from_secs(19));
    assert_eq!(
        bench.did(),
        ["link gone: no PINGRESP in time; the hub was silent for 19s", "close", "dials again in 1s"]
    );
}

#[test]
fn an_answer_in_time_keeps_the_link() {
    let mut bench = Bench::up(habits(Preset::Typical, 10));
    for second in (0..1_000).map(|tenth| tenth * 9 + 9) {
        bench.until(Time::from_secs(second));
        assert_eq!(bench.got(), [Packet::Pingreq]);
        bench.hub_says(Packet::Pingresp);
    }
    assert!(!bench.noticed());
}

#[test]
fn only_idleness_brings_a_ping_where_that_is_the_rule() {
    for (ping, pings) in
        [(PingRule::WhenIdleOutgoing, 0), (PingRule::EveryKeepAlive, 11), (PingRule::Never, 0)]
    {
        let workload = publishing("1s", 0);
        let mut bench =
            Bench::up(Habits { ping, ping_timeout: None, workload, ..habits(Preset::Typical, 10) });
        bench.until(Time::from_secs(100));
        assert_eq!(bench.got().iter().filter(|p| **p == Packet::Pingreq).count(), pings, "{ping:?}");
    }
}

/// When the pings of an otherwise idle device of 10 s come, each answered 100 ms later, in 45 s.
fn pings(ping: PingRule, check_every: Duration) -> Vec<u64> {
    let ping_interval = Duration::from_secs(10);
    let idle = habits(Preset::Typical, 10);
    let mut bench = Bench::up(Habits { ping, ping_interval, check_every, ..idle });
    let mut at = Vec::new();
    for tenth in 0..450 {
        let now = Time::from_millis(tenth * 100);
        bench.until(now);
        if bench.got().contains(&Packet::Pingreq) {
            at.push(tenth);
            bench.until(now + Duration::from_millis(100));
            bench.hub_says(Packet::Pingresp);
        }
    }
    at
}

#[test]
fn the_clock_of_a_ping_rule_begins_where_the_rule_says() {
    for (ping, tenths) in [
        (PingRule::WhenIdleOutgoing, [100, 200, 300, 400]),
        (PingRule::WhenIdleIncoming, [100, 201, 302, 403]),
        (PingRule::WhenIdleEither, [100, 200, 300, 400]),
        (PingRule::EveryKeepAlive, [100, 200, 300, 400]),
    ] {
        assert_eq!(pings(ping, Duration::ZERO), tenths, "{ping:?}");
    }
    let looks = Duration::from_secs(3);
    assert_eq!(pings(PingRule::WhenIdleOutgoing, looks), [120, 240, 360], "looked at each 3 s");
}

#[test]
fn a_half_open_link_is_seen_in_spite_of_publishing_where_incoming_idleness_counts() {
    for (ping, expected) in [
        (PingRule::WhenIdleOutgoing, None),
        (PingRule::WhenIdleIncoming, Some(15_000)),
        (PingRule::WhenIdleEither, Some(15_000)),
    ] {
        let busy = Habits {
            ping,
            ping_interval: Duration::from_secs(10),
            ping_timeout: Some(Duration::from_secs(5)),
            workload: publishing("1s", 0),
            ..habits(Preset::Typical, 10)
        };
        assert_eq!(detection(busy), expected.map(Time::from_millis), "{ping:?}");
    }
}

#[test]
fn a_subscriber_that_hears_enough_never_pings_where_only_incoming_idleness_counts() {
    for (ping, count) in [(PingRule::WhenIdleIncoming, 0), (PingRule::WhenIdleEither, 9)] {
        let ping_interval = Duration::from_secs(10);
        let mut bench =
            Bench::up(Habits { ping, ping_interval, ping_timeout: None, ..habits(Preset::Typical, 10) });
        for second in 1..100 {
            bench.until(Time::from_secs(second));
            bench.hub_says(Packet::Publish(Publish { topic: "a".into(), ..Publish::default() }));
        }
        assert_eq!(bench.got().iter().filter(|p| **p == Packet::Pingreq).count(), count, "{ping:?}");
    }
}

#[test]
fn a_device_that_looks_seldom_is_late_by_less_than_a_look() {
    for (check_millis, expected) in [(0, 19_000), (1_000, 19_000), (5_000, 20_000), (4_000, 24_000)] {
        let check_every = Duration::from_millis(check_millis);
        // Pings at 9 s, or at the look after it, and gives up 10 s later, or at the look after that.
        let idle = Habits { check_every, ..habits(Preset::Typical, 10) };
        assert_eq!(detection(idle), Some(Time::from_millis(expected)), "{check_millis} ms");
    }
}

#[test]
fn the_hubs_keep_alive_scales_the_pings() {
    let mut bench = Bench::new(Habits { version: Version::V5, ..habits(Preset::Typical, 100) });
    bench.connect_with(false, Properties(vec![Property::ServerKeepAlive(10)]));
    bench.at(Time::from_secs(9) - NANO);
    assert_eq!(bench.got(), []);
    bench.at(Time::from_secs(9));
    assert_eq!(bench.got(), [Packet::Pingreq]);
}

#[test]
fn the_end_of_the_connection_is_noticed_by_those_who_look() {
    for (how, says) in
        [(HowClosed::Fin, "FIN"), (HowClosed::Reset, "RST"), (HowClosed::TimedOut, "TCP gave up")]
    {
        let mut bench = Bench::up(habits(Preset::Careful, 10));
        bench.did();
        bench.input(Input::Closed(how));
        assert!(bench.did()[0].contains(says));
    }
    let mut bench = Bench::up(habits(Preset::Oblivious, 10));
    bench.input(Input::Closed(HowClosed::Fin));
    bench.input(Input::Closed(HowClosed::Reset));
    assert!(!bench.noticed());
    bench.input(Input::Closed(HowClosed::WriteFailed));
    assert!(bench.noticed());
}

#[test]
fn what_a_hub_says_can_end_the_link() {
    let mut bench = Bench::up(Habits { version: Version::V5, ..habits(Preset::Careful, 10) });
    bench.did();
    bench.hub_says(Packet::Disconnect(Disconnect::because(0x8b)));
    assert!(bench.did()[0].contains("DISCONNECT 0x8b, Server shutting down"));
    for bytes in [&[0xff; 5][..], &[0xc0, 0], &[0x20, 2, 0, 0]] {
        let mut bench = Bench::up(habits(Preset::Careful, 10));
        bench.did();
        bench.input(Input::Bytes(bytes));
        assert!(bench.did()[0].contains("not MQTT"), "{bytes:x?}");
    }
}

/// Whoever does not look at FIN does not look for close_notify before it; TLS that is broken ends any client's link.
#[test]
fn how_tls_ended_is_a_sign_of_its_own() {
    for (how, oblivious, sign) in [
        (HowClosed::Unnotified, false, "FIN without close_notify"),
        (HowClosed::BadRecord, true, "what came is not TLS, or does not decrypt"),
        (HowClosed::Alert(Alert::INTERNAL_ERROR), true, "TLS alert internal_error"),
    ] {
        for (preset, notices) in [(Preset::Typical, true), (Preset::Oblivious, oblivious)] {
            let mut bench = Bench::up(habits(preset, 60));
            bench.did();
            bench.input(Input::Closed(how));
            let told = bench.did().iter().any(|line| line.starts_with(&format!("link gone: {sign};")));
            assert_eq!(told, notices, "{how:?}");
        }
    }
}
