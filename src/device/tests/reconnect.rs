use super::*;
use crate::base::rand::name_hash;

#[test]
fn each_step_of_a_connect_can_fail_and_backs_off() {
    let habits = Habits { backoff: "linear:1s".parse().unwrap(), ..habits(Preset::Typical, 10) };
    let mut bench = Bench::new(habits);
    assert_eq!(bench.did(), ["dialing, attempt 1", "dial"]);
    bench.input(Input::ConnectFailed { why: "connection refused".into() });
    assert_eq!(bench.did()[2], "dials again in 1s");
    bench.until(Time::from_secs(1));
    assert_eq!(bench.did(), ["dialing, attempt 2", "dial"]);
    bench.input(Input::Connected);
    bench.input(Input::Closed(HowClosed::Fin));
    assert_eq!(bench.did(), ["could not connect: before CONNACK: FIN", "close", "dials again in 2s"]);
    bench.until(Time::from_secs(3));
    bench.input(Input::Connected);
    bench.did();
    bench.hub_says(Packet::Connack(Connack { code: 3, ..Connack::default() }));
    assert_eq!(bench.did(), ["refused with 0x03", "close", "dials again in 3s"]);
    bench.until(Time::from_secs(6));
    bench.connect(false);
    bench.did();
    bench.input(Input::Closed(HowClosed::Reset));
    assert!(bench.did()[2].contains("dials again in 1s"), "CONNACK sets it back");
}

/// A link that is taken away again and again is fought for ever more slowly, until one stands.
#[test]
fn a_link_that_ends_too_soon_does_not_set_the_back_off_back() {
    let backoff = "linear:1s".parse().unwrap();
    let mut bench = Bench::up(Habits { backoff, ..habits(Preset::Careful, 10) });
    for (stood, delay) in [(2_000, 1), (9_999, 2), (2_000, 3), (10_000, 1), (2_000, 2)] {
        bench.did();
        bench.until(bench.now + Duration::from_millis(stood));
        bench.input(Input::Closed(HowClosed::Fin));
        assert_eq!(bench.did().pop(), Some(format!("dials again in {delay}s")), "stood for {stood} ms");
        bench.until(bench.now + Duration::from_secs(delay));
        bench.connect(true);
    }
}

#[test]
fn the_connect_timeout_covers_tcp_and_connack_to_the_nanosecond() {
    for tcp_at in [None, Some(Time::from_secs(9))] {
        let mut bench = Bench::new(habits(Preset::Typical, 10));
        if let Some(at) = tcp_at {
            bench.at(at);
            bench.input(Input::Connected);
        }
        bench.did();
        bench.at(Time::from_secs(10) - NANO);
        assert_eq!(bench.did(), [""; 0]);
        bench.at(Time::from_secs(10));
        assert_eq!(bench.did()[..2], ["could not connect: no CONNACK within 10s", "close"]);
    }
}

#[test]
fn what_comes_late_does_nothing() {
    let mut bench = Bench::new(habits(Preset::Naive, 10));
    bench.at(Time::from_secs(2));
    bench.did();
    bench.input(Input::Connected);
    bench.input(Input::Bytes(&[0x20, 2, 0, 0]));
    bench.input(Input::Closed(HowClosed::Reset));
    bench.input(Input::ConnectFailed { why: "late".into() });
    assert_eq!((bench.did(), bench.got()), (vec![], vec![]));
}

#[test]
fn a_naive_device_knocks_without_pause_but_not_without_end_in_no_time() {
    let mut bench = Bench::new(habits(Preset::Naive, 10));
    let mut attempts = 0;
    while bench.now < Time::from_secs(1) {
        bench.input(Input::ConnectFailed { why: "connection refused".into() });
        bench.until(bench.device.deadline().unwrap());
        attempts += 1;
    }
    assert_eq!(attempts, 100);
}

#[test]
fn jitter_is_drawn_by_seed_device_and_nth() {
    let habits = habits(Preset::Careful, 60);
    let backoff = habits.backoff;
    let mut bench = Bench::new(habits);
    for nth in 0..6 {
        let before = bench.now;
        bench.input(Input::ConnectFailed { why: String::new() });
        let drawn = backoff.delay(u32::try_from(nth).unwrap(), 42, name_hash("d"), nth);
        bench.until(bench.device.deadline().unwrap());
        assert_eq!(bench.now.since(before), drawn);
    }
}

#[test]
fn a_device_leaves_as_its_habits_say() {
    for (leaving, did, got) in [
        (Leaving::Disconnect, "close", vec!["DISCONNECT"]),
        (Leaving::Close, "close", vec![]),
        (Leaving::Reset, "reset", vec![]),
    ] {
        let mut bench = Bench::up(Habits { leaving, ..habits(Preset::Typical, 10) });
        bench.did();
        bench.input(Input::Stop);
        assert_eq!(
            (bench.did(), show(&bench.got())),
            (vec![did.into(), "stopped".into()], got.iter().map(ToString::to_string).collect())
        );
        assert_eq!((bench.device.deadline(), bench.device.is_stopped()), (None, true));
        bench.input(Input::Stop);
        assert_eq!(bench.did(), [""; 0]);
    }
}
