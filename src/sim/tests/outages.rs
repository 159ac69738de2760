//! Outages with known timers: what each end notices, and when.
//!
//! The device of [`habits`] is up at 0.08 s, for the hub at 0.06 s; with a keep-alive of 60 s it pings at 54.08 s and is
//! answered at 54.12 s, then at 108.08 s. Its retransmission timeout is the round trip and 200 ms.

use super::*;
use crate::fault::{Close, Forgotten, IdleTimeout, LegFate, Stall};
use crate::measure::{Measures, Value};
use crate::profile::Spell;

fn run_with(first: Duration, fault: Fault, until: u64) -> Seen {
    see(&scenario(habits(60), vec![at(first, fault)], until))
}

fn keep_alive_timeout(at: u64) -> (Time, Departure) {
    (Time::from_millis(at), Departure::KeepAliveTimeout { silent: secs(90) })
}

#[test]
fn after_an_answered_ping_it_takes_to_the_next_ping_and_its_timeout() {
    let seen = run_with(ms(54_200), dark(secs(110), Connects::Vanish), 400);
    // 108.08 + 10: 63.88 s after the beginning; the hub a keep-alive and a half after what it last got, at 54.10.
    assert_eq!(seen.noticed(), [(Time::from_millis(118_080), Sign::PingTimeout)]);
    assert_eq!(seen.departed(), [keep_alive_timeout(144_100)]);
}

#[test]
fn right_before_a_ping_it_takes_the_timeout_alone() {
    let seen = run_with(ms(54_000), dark(secs(110), Connects::Vanish), 400);
    assert_eq!(seen.noticed(), [(Time::from_millis(64_080), Sign::PingTimeout)]);
    assert_eq!(seen.departed(), [keep_alive_timeout(90_060)]);
}

#[test]
fn one_shorter_than_the_slack_is_repaired_by_retransmission_and_ends_nothing() {
    let seen = run_with(ms(54_000), dark(secs(5), Connects::Vanish), 200);
    assert_eq!((seen.noticed(), seen.departed()), (vec![], vec![]));
    // 54.08 and 0.24 x 1, 2, 4, 8, 16, 32: the first timeout's probe doubles nothing.
    let pings = seen.sent(Direction::Up, Carried::Data);
    let again = [54_080, 54_320, 54_560, 55_040, 56_000, 57_920, 61_760].map(Time::from_millis);
    assert_eq!(pings[1..8], again);
    let arrived = seen.told(|what| matches!(what, What::Packet { packet: Packet::Pingreq, .. }));
    assert_eq!(arrived[0], Time::from_millis(61_780));
    assert_eq!(pings[8], Time::from_millis(108_080), "the next ping is a ping interval after the last");
}

#[test]
fn a_stall_holds_bytes_and_nothing_is_sent_again() {
    let stall = Fault::Stall(Stall { direction: WaysWanted::Both, hold: Span::fixed(secs(5)) });
    let seen = run_with(ms(54_000), stall, 100);
    assert!(seen.segments.iter().all(|(.., again)| !again));
    let answered = seen.sent(Direction::Down, Carried::Data);
    assert_eq!(answered[1], Time::from_secs(59));
    assert_eq!(seen.noticed(), []);
}

fn idle(then: Forgotten) -> Fault {
    Fault::IdleTimeout(IdleTimeout { after: Span::fixed(secs(30)), then, hold: None })
}

#[test]
fn a_middlebox_that_forgets_in_silence_is_noticed_by_ping_timeout() {
    let seen = run_with(Duration::ZERO, idle(Forgotten::Vanish), 100);
    assert_eq!(seen.noticed()[0], (Time::from_millis(64_080), Sign::PingTimeout));
    // 5 s later the device is back, on a link of its own.
    assert_eq!(seen.departed()[0], (Time::from_millis(69_140), Departure::TakenOver));
}

#[test]
fn one_that_resets_is_noticed_at_the_next_ping() {
    let seen = run_with(Duration::ZERO, idle(Forgotten::Reset), 100);
    assert_eq!(seen.noticed()[0], (Time::from_millis(54_120), Sign::Reset));
    // It has left, and comes back in time to take its session over.
    assert_eq!(seen.departed()[0], (Time::from_millis(59_180), Departure::TakenOver));
}

#[test]
fn pings_within_the_idle_timeout_keep_the_link() {
    let idle =
        Fault::IdleTimeout(IdleTimeout { after: Span::fixed(secs(55)), then: Forgotten::Vanish, hold: None });
    let seen = run_with(Duration::ZERO, idle, 1_000);
    assert_eq!((seen.noticed(), seen.departed()), (vec![], vec![]));
}

#[test]
fn syns_that_vanish_come_back_each_second_and_then_twice_as_late() {
    let mut scenario = scenario(
        Habits { connect_timeout: secs(300), ..habits(60) },
        vec![at(Duration::ZERO, dark(secs(200), Connects::Vanish))],
        134,
    );
    scenario.begin = vec![Time::from_secs(1)];
    let seen = see(&scenario);
    let syns = seen.sent(Direction::Up, Carried::Control);
    assert_eq!(syns, [1, 2, 3, 4, 5, 6, 8, 12, 20, 36, 68].map(Time::from_secs));
    let failed = DeviceDid::ConnectFailed { why: "Connection timed out (os error 110)".into() };
    assert!(seen.device.contains(&(Time::from_secs(132), 0, failed.clone())), "131 s after the first");
    // As Linux before 6.5 does.
    scenario.link.kernel.syn_linear = 0;
    scenario.until = Time::from_secs(130);
    let seen = see(&scenario);
    let syns = seen.sent(Direction::Up, Carried::Control);
    assert_eq!(syns, [1, 2, 4, 8, 16, 32, 64].map(Time::from_secs));
    assert!(seen.device.contains(&(Time::from_secs(128), 0, failed)), "127 s after the first");
}

#[test]
fn a_connect_met_with_silence_goes_on_when_the_path_is_restored() {
    let mut scenario = scenario(
        Habits { connect_timeout: secs(30), ..habits(60) },
        vec![at(Duration::ZERO, dark(secs(10), Connects::Silence))],
        50,
    );
    scenario.begin = vec![Time::from_secs(1)];
    let seen = see(&scenario);
    let took = ms(9_020);
    let connected = DeviceDid::Connected { session_present: false, took };
    assert!(seen.device.contains(&(Time::from_millis(10_020), 0, connected)), "{:?}", seen.device);
}

#[test]
fn a_kernel_gives_up_once_its_patience_is_over() {
    let quiet = Habits { ping_timeout: None, ..habits(60) };
    let seen = see(&scenario(quiet.clone(), vec![at(secs(54), dark(secs(2_000), Connects::Vanish))], 1_500));
    // From the probe at 54.32 on: 0.24 x (2^9 - 1), then 120 s each; the first that is 924.6 s later.
    assert_eq!(seen.noticed(), [(Time::from_millis(54_320 + 122_640 + 7 * 120_000), Sign::TcpTimeout)]);

    let mut hurried = scenario(quiet, vec![at(secs(54), dark(secs(2_000), Connects::Vanish))], 1_500);
    hurried.link.kernel.user_timeout = Some(secs(30));
    assert_eq!(see(&hurried).noticed()[0], (Time::from_millis(84_320), Sign::TcpTimeout));
}

#[test]
fn resets_and_ends_are_seen_at_once() {
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false };
    let seen = run_with(secs(70), Fault::Rst(close), 74);
    assert_eq!(seen.noticed(), [(Time::from_millis(70_020), Sign::Reset)]);
    assert_eq!(seen.departed(), [(Time::from_secs(70), Departure::Reset)]);
    let seen = run_with(secs(70), Fault::Fin(close), 74);
    assert_eq!(seen.noticed(), [(Time::from_millis(70_020), Sign::Fin)]);
    assert_eq!(seen.departed(), [(Time::from_secs(70), Departure::Closed)]);
    let half = Close { toward: Toward::Hub, ..close };
    let seen = run_with(secs(70), Fault::Rst(half), 130);
    assert_eq!(seen.noticed(), [(Time::from_millis(118_080), Sign::PingTimeout)], "its leg is half-open");
}

#[test]
fn spells_hold_for_as_long_as_each_says() {
    let spell = |at, hold| Spell { at: secs(at), hold: secs(hold) };
    let spells = When::Spells([spell(10, 5), spell(100, 60)].into());
    let rule = Rule { when: spells, ..at(secs(0), dark(secs(1), Connects::Vanish)) };
    let seen = see(&scenario(habits(60), vec![rule], 300));
    let closed = seen.told(|what| matches!(what, What::WindowClosed { .. }));
    assert_eq!(closed, [Time::from_secs(15), Time::from_secs(160)]);
    assert_eq!(seen.noticed(), [(Time::from_millis(118_080), Sign::PingTimeout)]);
}

/// What is measured from the engine's events is what the ends themselves say, or holds it.
#[test]
fn the_measures_agree_with_the_ends() {
    let close = Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false };
    let stall = Fault::Stall(Stall { direction: WaysWanted::Both, hold: Span::fixed(secs(110)) });
    for (first, fault) in [
        (ms(54_200), dark(secs(110), Connects::Vanish)),
        (ms(54_000), dark(secs(110), Connects::Silence)),
        (ms(54_000), stall),
        (secs(70), Fault::Rst(close)),
        (secs(70), Fault::Fin(close)),
        (Duration::ZERO, idle(Forgotten::Vanish)),
    ] {
        let scenario = scenario(habits(60), vec![at(first, fault.clone())], 300);
        let seen = see(&scenario);
        let mut measures = Measures::new(&scenario.plan);
        seen.events.iter().for_each(|event| measures.push(event));
        let results = measures.results(scenario.until);
        let window = results.runs[0].windows.values().next().unwrap();
        let start = window.start.unwrap();
        let ends = [
            (window.noticed.device, seen.noticed().first().map(|(at, _)| *at)),
            (window.noticed.hub, seen.hub_lost_first_link()),
        ];
        for (noticed, truly) in ends {
            let truly = truly.unwrap().since(start);
            match noticed.detection {
                // Who was told shows it by its next connect.
                Some(Value::Exact(measured)) if noticed.told.is_some() => assert!(measured >= truly),
                // A path of 20 ms lies between.
                Some(Value::Exact(measured)) => assert!(measured.abs_diff(truly) <= ms(20), "{fault:?}"),
                Some(Value::Between { after, before }) => {
                    assert!(after <= truly && truly <= before, "{fault:?}: {after:?} {truly:?} {before:?}");
                }
                Some(Value::Never { watched }) => assert!(watched.is_zero(), "{fault:?}: hidden"),
                // What brownout itself told an end needs no detection.
                None | Some(Value::Count(_) | Value::CountBetween { .. }) => {}
            }
        }
    }
}
