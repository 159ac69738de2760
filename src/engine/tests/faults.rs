//! Faults of the path: when they hold, on whom, and what is said of them.

use super::*;
use crate::base::RuleId;
use crate::fault::{Bandwidth, Fidelity, Stall};
use crate::profile::Repeat;
use proptest::prelude::*;

#[test]
fn a_blackhole_holds_for_its_span_of_each_devices_own_keep_alive() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("2 keepalive", Connects::Silence))]));
    let (short, long) = (run.device(1, "short", 2), run.device(2, "long", 5));
    run.to(999);
    assert!(run.effects(short).is_clear());
    run.to(1000);
    assert!(run.effects(short).closed.up && run.effects(long).closed.down);
    run.to(4999);
    assert!(run.effects(short).closed.up);
    run.to(5000);
    assert!(run.effects(short).is_clear() && run.effects(long).closed.up);
    run.to(11_000);
    assert!(run.effects(long).is_clear());
    assert_eq!(run.times(is_applied), [1000, 1000]);
    assert_eq!(run.times(is_closed), [5000, 11_000]);
}

#[test]
fn a_fault_is_reported_when_it_was_done_and_not_before() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("1s", Connects::Silence))]));
    let link = run.device(1, "d", 2);
    run.confirm = false;
    run.to(1500);
    assert_eq!(run.times(is_applied), [0u64; 0]);
    run.tell(Input::Applied { link, generation: 1, granted: Granted::default() });
    assert_eq!(run.times(is_applied), [1500]);
    run.to(2600);
    assert_eq!(run.times(is_closed), [0u64; 0], "lifted is what was confirmed to be lifted");
    run.tell(Input::Applied { link, generation: 2, granted: Granted::default() });
    assert_eq!(run.times(is_closed), [2600]);
}

#[test]
fn a_window_that_ends_before_it_was_confirmed_still_ends() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("1s", Connects::Silence))]));
    let link = run.device(1, "d", 2);
    run.confirm = false;
    run.to(3000);
    // Both orders were waiting; the link does the second, which confirms the first with it.
    run.tell(Input::Applied { link, generation: 2, granted: Granted::default() });
    assert_eq!(run.times(is_applied), [0u64; 0], "it never held on the wire");
    assert_eq!(run.times(is_closed), [3000]);
}

#[test]
fn a_link_that_closes_takes_its_share_of_a_window_with_it() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("2s", Connects::Silence))]));
    let link = run.device(1, "d", 2);
    run.to(1500);
    run.close(link);
    assert_eq!(run.times(is_closed), [0u64; 0], "the path is dark although nobody is on it");
    run.to(3000);
    assert_eq!(run.times(is_closed), [3000]);
}

/// The order to cut may find the link gone: then its window must not stay open for ever.
#[test]
fn a_link_that_closes_before_its_cut_closes_the_window_of_the_cut() {
    let mut run = Run::new(plan(vec![rule(at(1000), rst())]));
    let link = run.device(1, "d", 2);
    run.confirm = false;
    run.to(1000);
    run.close(link);
    assert_eq!(run.times(is_applied), [0u64; 0], "nothing was cut");
    assert_eq!(run.times(is_closed), [1000]);
}

/// A run of days fires many.
#[test]
fn a_one_shot_that_is_over_leaves_nothing_in_force() {
    let mut run = Run::new(plan(vec![rule(at(1000), rst())]));
    let link = run.device(1, "d", 2);
    run.to(1000);
    run.close(link);
    assert!(run.engine.is_calm());
}

/// A device that fails over to another listener has left the path that the rule is about.
#[test]
fn a_rule_of_one_listener_leaves_the_devices_links_at_another_alone() {
    let of_first = Who { listener: Some(ListenerId(0)), ..Who::EVERYONE };
    let rules =
        [slow(50, Some("5s")), rst()].map(|fault| Rule { who: of_first.clone(), ..rule(at(1000), fault) });
    let mut run = Run::new(plan(rules.to_vec()));
    let first = run.device(1, "d", 60);
    let second = run.open_at(2, ListenerId(1));
    run.connect(second, "d", 60);
    run.to(1000);
    let third = run.open_at(3, ListenerId(1));
    run.connect(third, "d", 60);
    assert_eq!(run.cuts(), [(1000, first)]);
    assert_eq!(run.effects(first).delays.up.len(), 1);
    for other in [second, third] {
        assert!(run.effects(other).is_clear(), "{other:?}");
    }
}

/// Whether the fault falls on a device is drawn by its name, so a link without one cannot be hit yet.
#[test]
fn a_chance_waits_for_the_devices_name() {
    let maybe = |fault| Rule { chance: Chance::new(0.5).unwrap(), ..rule(at(1000), fault) };
    let mut run = Run::new(plan(vec![maybe(rst()), maybe(dark("2s", Connects::Silence))]));
    let unknown = run.open(1);
    run.to(1500);
    assert_eq!(run.cuts(), []);
    let effects = run.effects(unknown);
    assert!(effects.hold_dial && !effects.closed.up, "{effects:?}");
}

/// What is ordered when a packet arrives holds for its bytes, so that its event must not say that it passed.
#[test]
fn a_packet_that_meets_an_order_on_its_way_is_held() {
    let rate = Bandwidth { rate: "1 kbit/s".parse().unwrap(), direction: WaysWanted::Both, hold: None };
    for fault in [dark("2s", Connects::Silence), slow(100, Some("2s")), Fault::Bandwidth(rate), rst()] {
        let mut run = Run::new(plan(vec![rule(at(1000), fault)]));
        let link = run.device(1, "d", 2);
        run.confirm = false;
        run.to(1000);
        run.connack(link, 0);
        let held = run.events.iter().rev().find_map(|event| match event.what {
            What::Packet { held, .. } => Some(held),
            _ => None,
        });
        assert_eq!(held, Some(true));
    }
}

#[test]
fn connects_in_the_dark_are_met_as_asked() {
    for (connects, held) in [(Connects::Silence, true), (Connects::Vanish, true), (Connects::Allow, false)] {
        let mut run = Run::new(plan(vec![rule(at(1000), dark("2s", connects))]));
        run.device(1, "d", 2);
        run.to(1500);
        let late = run.open(2);
        assert_eq!(run.effects(late).hold_dial, held, "{connects:?}");
        run.connect(late, "d", 2);
        assert_eq!(run.effects(late).closed.up, held, "{connects:?}");
        assert_eq!(run.effects(late).hold_dial, held, "{connects:?}");
        run.to(3000);
        assert!(run.effects(late).is_clear());
    }
}

#[test]
fn the_listener_is_mute_to_all_only_where_the_fault_falls_on_everyone() {
    let everyone = plan(vec![rule(at(1000), dark("2s", Connects::Vanish))]);
    let mut some = everyone.clone();
    some.rules[0].who.client = Some("d*".into());
    let one = Door::MuteTo([std::net::Ipv4Addr::LOCALHOST.into()].into());
    for (plan, door) in [(everyone, Door::Mute), (some, one)] {
        let mut run = Run::new(plan);
        run.device(1, "d", 2);
        run.to(5000);
        assert_eq!(run.doors, [(ms(1000), door), (ms(3000), Door::Open)]);
    }
}

#[test]
fn a_listener_that_cannot_be_muted_meets_connects_with_silence() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("2s", Connects::Vanish))]));
    run.refuse_mute = true;
    run.device(1, "d", 2);
    run.to(1500);
    assert_eq!(run.times(|what| matches!(what, What::ListenerMuteRefused { .. })), [1000]);
    let late = run.open(2);
    assert!(run.effects(late).hold_dial && run.effects(late).closed.down);
    run.to(5000);
    assert_eq!(run.doors, [(ms(1000), Door::Mute)], "asked once");
}

#[test]
fn a_device_that_only_connect_can_tell_is_not_dialled_for_before_it() {
    let mut dark = rule(at(1000), dark("2s", Connects::Silence));
    dark.who.client = Some("dark-*".into());
    let mut run = Run::new(plan(vec![dark]));
    run.to(1500);
    let (hit, spared) = (run.open(1), run.open(2));
    for link in [hit, spared] {
        assert!(run.effects(link).hold_dial && !run.effects(link).closed.up);
    }
    run.connect(hit, "dark-1", 2);
    run.connect(spared, "light-1", 2);
    assert!(run.effects(hit).closed.up);
    assert!(run.effects(spared).is_clear());
}

#[test]
fn packet_fidelity_mutes_links_that_were_up_and_says_so() {
    let mut run = Run::new(plan(vec![rule(at(1000), packet_dark("2s"))]));
    let up = run.device(1, "d", 2);
    run.to(1000);
    assert!(run.effects(up).mute.device && run.effects(up).mute.hub);
    let late = run.open(2);
    run.connect(late, "d", 2);
    assert!(!run.effects(late).mute.device, "a connect that was accepted is met with silence");
    let made: Vec<Fidelity> = run
        .events
        .iter()
        .filter_map(|event| match event.what {
            What::FaultApplied { fidelity, .. } => Some(fidelity),
            _ => None,
        })
        .collect();
    assert_eq!(made, [Fidelity::Packet, Fidelity::Stall]);
}

#[test]
fn a_fault_that_the_kernel_refuses_is_not_claimed_and_not_left_half_made() {
    let mut run = Run::new(plan(vec![rule(at(1000), packet_dark("2s"))]));
    run.refuse_mute = true;
    let link = run.device(1, "d", 2);
    run.to(1500);
    assert_eq!(run.times(is_applied), [0u64; 0]);
    assert_eq!(run.times(|what| matches!(what, What::FaultRefused { .. })), [1000]);
    assert!(run.effects(link).is_clear(), "the gates stay open where the mute was refused");
    run.to(4000);
    assert_eq!(run.times(|what| matches!(what, What::FaultLifted { .. })), [0u64; 0]);
    assert_eq!(run.times(is_closed), [3000]);
}

#[test]
fn faults_compose_in_the_order_of_their_rules() {
    let stall = Fault::Stall(Stall { direction: WaysWanted::Down, hold: span("2s") });
    let rules = vec![rule(at(2000), slow(30, None)), rule(at(1000), slow(20, None)), rule(at(1500), stall)];
    let mut run = Run::new(plan(rules));
    let link = run.device(1, "d", 2);
    run.to(2500);
    let effects = run.effects(link);
    assert_eq!(effects.closed, Ways { up: false, down: true });
    let order: Vec<RuleId> = effects.delays.up.iter().map(|delay| delay.rule).collect();
    assert_eq!(order, [RuleId(0), RuleId(1)], "rules in order, whichever fired first");
    let total: Duration = effects.delays.up.iter().map(|delay| delay.of(Direction::Up, 0)).sum();
    assert_eq!(total, Duration::from_millis(50), "delays add");
}

#[test]
fn after_connack_counts_from_when_the_device_has_it() {
    let mut run = Run::new(plan(vec![rule(after(PacketKind::Connack, "1 keepalive", 1), rst())]));
    let link = run.open(1);
    run.connect(link, "d", 2);
    let packet = Packet::Connack {
        session_present: false,
        code: 0,
        server_keep_alive: None,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    };
    let ticket = run.engine.packet(ms(0), link, Direction::Down, packet, Beside::default(), true).0;
    assert!(ticket.wanted && ticket.held);
    run.to(500);
    run.tell(Input::Passed { link, ticket });
    run.to(2499);
    assert_eq!(run.cuts(), []);
    run.to(2500);
    assert_eq!(run.cuts(), [(2500, link)]);
    assert_eq!(run.times(|what| matches!(what, What::Forwarded { .. })), [500]);
}

#[test]
fn a_refusing_connack_is_not_after_connack() {
    let mut run = Run::new(plan(vec![rule(after(PacketKind::Connack, "0s", 1), rst())]));
    let link = run.open(1);
    run.connect(link, "d", 2);
    run.connack(link, 5);
    run.to(1000);
    assert_eq!(run.cuts(), []);
}

#[test]
fn a_rule_fires_so_many_times_for_each_device() {
    let mut run = Run::new(plan(vec![rule(after(PacketKind::Connack, "1s", 2), rst())]));
    for attempt in 0..4u64 {
        run.to(attempt * 3000);
        run.device(attempt, "d", 2);
        run.to(attempt * 3000 + 2000);
        run.close(LinkId(attempt));
    }
    assert_eq!(run.cuts(), [(1000, LinkId(0)), (4000, LinkId(1))]);
}

#[test]
fn the_nth_packet_of_a_link_pulls() {
    let when = When::After { packet: PacketKind::Pingreq, nth: 3, delay: Span::ZERO, times: 1 };
    let mut run = Run::new(plan(vec![rule(when, rst())]));
    let link = run.device(1, "d", 2);
    for second in 1..=4u64 {
        run.to(second * 1000);
        run.packet(link, Direction::Up, Packet::Pingreq);
        run.to(second * 1000);
    }
    assert_eq!(run.cuts(), [(3000, link)]);
}

/// However often the rule may fire: those behind the nth are other packets.
#[test]
fn a_rule_is_pulled_by_the_nth_packet_of_a_link_and_by_none_behind_it() {
    let when = When::After { packet: PacketKind::Pingreq, nth: 2, delay: Span::ZERO, times: 9 };
    let mut run = Run::new(plan(vec![rule(when, slow(50, Some("1s")))]));
    for number in [1, 2] {
        let link = run.device(number, "d", 2);
        for second in 1..=4 {
            run.packet(link, Direction::Up, Packet::Pingreq);
            run.to(number * 10_000 + second * 1000);
        }
        run.close(link);
    }
    assert_eq!(run.times(|what| matches!(what, What::Fired { .. })), [11_000, 21_000]);
}

#[test]
fn a_packet_that_never_passed_on_its_link_leaves_its_rule_to_the_next() {
    let mut run = Run::new(plan(vec![rule(after(PacketKind::Connack, "0s", 1), slow(50, Some("1s")))]));
    let link = run.open(1);
    run.connect(link, "d", 2);
    let accepts = Packet::Connack {
        session_present: false,
        code: 0,
        server_keep_alive: None,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    };
    let ticket = run.engine.packet(ms(0), link, Direction::Down, accepts, Beside::default(), true).0;
    assert!(ticket.wanted);
    run.close(link);
    run.to(1000).device(2, "d", 2);
    run.to(1000);
    assert_eq!(run.times(|what| matches!(what, What::Fired { .. })), [1000]);
}

#[test]
fn a_repeated_rule_fires_at_even_times_moved_by_its_jitter() {
    let repeat = |jitter, times| {
        Some(Repeat { every: Duration::from_secs(10), jitter: Duration::from_millis(jitter), times })
    };
    let fired = |what: &What| matches!(what, What::Fired { .. });
    let first = Duration::from_secs(1);
    let mut run = Run::new(plan(vec![rule(When::At { first, repeat: repeat(0, Some(3)) }, rst())]));
    run.to(60_000);
    assert_eq!(run.times(fired), [1000, 11_000, 21_000]);
    let mut run = Run::new(plan(vec![rule(When::At { first, repeat: repeat(500, None) }, rst())]));
    run.to(300_000);
    let times = run.times(fired);
    assert_eq!((times.len(), times[0]), (30, 1000));
    assert!(
        times.iter().zip((1000..).step_by(10_000)).all(|(at, even)| at.abs_diff(even) <= 500),
        "{times:?}"
    );
    let early = times.iter().filter(|at| *at % 10_000 < 1000).count();
    let late = times.iter().filter(|at| *at % 10_000 > 1000).count();
    assert!(early > 5 && late > 5, "{times:?}");
}

#[test]
fn a_device_that_comes_in_mid_fault_meets_what_is_left_of_it() {
    let mut run = Run::new(plan(vec![rule(at(1000), slow(50, Some("2 keepalive")))]));
    run.device(9, "first", 10);
    run.to(2000);
    let late = run.device(1, "late", 2);
    assert_eq!(run.effects(late).delays.up.len(), 1);
    run.to(5000);
    assert!(run.effects(late).is_clear(), "two of its own keep-alives after the firing");
    let too_late = run.device(2, "too-late", 2);
    assert!(run.effects(too_late).is_clear());
}

/// It holds for two keep-alives of each device: a firing is over with the longest of those that are there.
#[test]
fn a_firing_falls_on_who_comes_while_its_span_of_their_keep_alive_lasts() {
    let hold = Fault::Blackhole(blackhole("2 keepalive", Connects::Silence));
    let mut run = Run::new(plan(vec![rule(at(1000), hold)]));
    run.device(1, "short", 1);
    run.device(2, "long", 10);
    let windows = |run: &Run| run.times(|what| matches!(what, What::WindowOpened { .. })).len();
    run.to(2999).device(3, "in time", 1);
    assert_eq!(windows(&run), 3);
    run.to(3000).device(4, "late", 1);
    assert_eq!(windows(&run), 3);
    run.device(5, "also long", 10);
    assert_eq!(windows(&run), 4);
    run.to(20_999).device(6, "longer", 60);
    assert_eq!(windows(&run), 5);
    run.to(21_000).device(7, "too late", 60);
    assert_eq!(windows(&run), 5);
}

/// The first link after the firing, of a device that nobody has seen: it was accepted, and meets silence, and nothing else.
#[test]
fn a_link_that_opens_in_a_packet_blackhole_is_not_muted() {
    let mut run = Run::new(plan(vec![rule(at(1000), packet_dark("2s"))]));
    run.device(1, "d", 60);
    run.to(1000);
    let late = run.device(2, "e", 60);
    let effects = run.effects(late);
    assert_eq!((effects.mute, effects.closed), (Ends::default(), Ways { up: true, down: true }));
}

#[test]
fn a_keep_alive_of_zero_counts_as_the_default_and_is_said() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("1 keepalive", Connects::Silence))]));
    run.device(1, "d", 0);
    run.to(1000);
    let window = run.events.iter().find_map(|event| match event.what {
        What::WindowOpened { until, assumed, .. } => Some((until, assumed)),
        _ => None,
    });
    assert_eq!(window, Some((Some(ms(61_000)), true)));
}

#[test]
fn the_run_is_through_when_nothing_is_left_to_do_and_the_watch_is_over() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("1s", Connects::Silence))]));
    run.device(1, "d", 2);
    run.to(3999);
    assert_eq!(run.finished, None);
    run.to(4000);
    assert_eq!(run.finished, Some((ms(4000), EndReason::Complete)));
}

#[test]
fn a_firing_in_force_keeps_the_run_going_even_if_it_fell_on_nobody() {
    let mut dark = rule(at(1000), dark("5s", Connects::Silence));
    dark.who.client = Some("nobody".into());
    let mut run = Run::new(plan(vec![dark]));
    run.device(1, "d", 2);
    run.to(7999);
    assert_eq!(run.finished, None);
    run.to(8000);
    assert!(run.finished.is_some(), "held to 6 s, watched for 2 s more");
}

#[test]
fn the_run_waits_for_its_first_device_and_for_each_that_is_there() {
    let mut run = Run::new(plan(vec![rule(after(PacketKind::Connack, "1s", 1), rst())]));
    run.to(100_000);
    assert_eq!(run.finished, None, "nobody came yet");
    let link = run.device(1, "d", 2);
    run.to(101_000);
    run.close(link);
    run.to(102_500);
    run.device(2, "e", 2);
    run.to(103_000);
    assert_eq!(run.finished, None, "the second device's turn is to come");
    run.to(110_000);
    assert!(run.finished.is_some());
}

#[test]
fn a_command_that_runs_keeps_the_run_going_and_one_that_ended_does_not() {
    let mut run = Run::with_command(plan(vec![rule(at(1000), rst())]), true);
    let link = run.device(1, "d", 2);
    run.to(60_000);
    assert_eq!(run.finished, None);
    run.close(link);
    run.tell(Input::CommandEnded { code: Some(0) });
    run.to(60_000);
    assert!(run.finished.is_some());
}

#[test]
fn the_duration_ends_the_run() {
    let mut plan = plan(vec![]);
    plan.duration = Some(Duration::from_secs(5));
    let mut run = Run::new(plan);
    run.to(10_000);
    assert_eq!(run.finished, Some((ms(5000), EndReason::Duration)));
}

#[test]
fn an_assigned_client_identifier_names_the_device_from_then_on() {
    let mut run = Run::new(plan(vec![]));
    let link = run.open(1);
    run.connect(link, "", 2);
    run.packet(
        link,
        Direction::Down,
        Packet::Connack {
            session_present: false,
            code: 0,
            server_keep_alive: None,
            assigned_client_id: Some("given".into()),
            terms: crate::event::SessionTerms::default(),
        },
    );
    run.close(link);
    run.device(2, "given", 2);
    let devices: Vec<&str> = run.engine.sessions.devices().map(|device| &*device.name).collect();
    assert_eq!(devices, ["given"]);
}

#[test]
fn time_that_runs_backwards_between_threads_does_no_harm() {
    let mut run = Run::new(plan(vec![]));
    run.to(1000);
    run.engine.handle(
        ms(900),
        Input::LinkOpened {
            link: LinkId(1),
            listener: ListenerId(0),
            peer: "127.0.0.1:5".parse().unwrap(),
            to: None,
        },
    );
    run.drain();
    assert_eq!(run.events.last().unwrap().at, ms(1000));
}

proptest! {
    /// The same devices, however their connects interleave, get the same faults: chance, share and delays are drawn
    /// for the device, not in the order of arrival.
    #[test]
    fn faults_do_not_depend_on_the_order_of_devices(order in Just((0..12u64).collect::<Vec<_>>()).prop_shuffle()) {
        let hit = |order: &[u64]| {
            let mut dark = rule(at(1000), dark("5s", Connects::Silence));
            dark.chance = Chance::new(0.5).unwrap();
            dark.who.share = Chance::new(0.7).unwrap();
            let mut run = Run::new(plan(vec![dark, rule(at(1000), Fault::Latency(Latency {
                direction: WaysWanted::Up,
                delay: Delay { model: crate::fault::DelayModel::Fixed { delay: Duration::from_millis(50) },
                    jitter: Duration::from_millis(20) },
                hold: None,
            }))]));
            for device in order {
                run.device(*device, &format!("d{device}"), 2);
            }
            run.to(1000);
            (0..12u64).map(|device| {
                let effects = run.effects(LinkId(device));
                (effects.closed.up, effects.delays.up.iter().map(|d| d.of(Direction::Up, 3)).sum::<Duration>())
            }).collect::<Vec<_>>()
        };
        let even: Vec<u64> = (0..12).collect();
        let expected = hit(&even);
        prop_assert!(expected.iter().any(|(dark, _)| *dark) && expected.iter().any(|(dark, _)| !*dark));
        prop_assert_eq!(hit(&order), expected);
    }

    /// Whatever happens in whatever order, events are numbered without gaps and their times never fall.
    #[test]
    fn events_are_in_order(steps in prop::collection::vec((0..6u8, 0..4u64, 0..800u64), 0..120)) {
        let rules = vec![
            rule(after(PacketKind::Connack, "300ms", 2), dark("400ms", Connects::Vanish)),
            rule(at(500), packet_dark("700ms")),
            rule(at(900), rst()),
            rule(at(1100), slow(10, Some("300ms"))),
        ];
        let mut run = Run::new(plan(rules));
        for (what, link, wait) in steps {
            let now = run.now.as_nanos() / 1_000_000 + wait;
            run.to(now);
            let id = LinkId(link);
            match what {
                0 => { run.open(link); }
                1 => run.connect(id, &format!("d{}", link % 2), 1),
                2 => run.connack(id, 0),
                3 => run.close(id),
                4 => run.confirm = !run.confirm,
                _ => run.tell(Input::LegEnded {
                    link: id, side: crate::base::Side::Device, how: crate::fault::Ending::Fin, error: None,
                    last: LastPackets::default(),
                }),
            }
        }
        prop_assert!(run.events.iter().enumerate().all(|(n, event)| event.seq == n as u64));
        prop_assert!(run.events.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}

/// Each order has all that holds on its link, so one for each of many rules would cost their square.
#[test]
fn what_begins_and_ends_at_one_moment_is_ordered_at_once() {
    let mut rules = vec![rule(at(1_000), slow(50, Some("2s"))); 100];
    rules.push(rule(at(3_000), slow(7, Some("1s"))));
    let mut run = Run::new(plan(rules));
    let link = run.device(1, "a", 5);
    run.to(10_000);
    let applied: Vec<u64> = run.orders.iter().map(|(at, _, _)| at.as_nanos() / 1_000_000).collect();
    assert_eq!(applied, [1_000, 3_000, 4_000]);
    assert_eq!(run.times(is_applied), [vec![1_000; 100], vec![3_000]].concat());
    assert_eq!(run.times(is_closed), [vec![3_000; 100], vec![4_000]].concat());
    assert_eq!(run.effects(link), Effects::default());
}

/// Whatever fell on a link before the one-shot that cuts it holds there first.
#[test]
fn what_fires_with_a_cut_and_before_it_is_ordered_before_it() {
    let mut run = Run::new(plan(vec![rule(at(1_000), slow(50, Some("2s"))), rule(at(1_000), rst())]));
    run.device(1, "a", 5);
    run.to(1_500);
    let is_cut: Vec<bool> = run.orders.iter().map(|(_, _, order)| matches!(order, Order::Cut(_))).collect();
    assert_eq!(is_cut, [false, true]);
}
