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
