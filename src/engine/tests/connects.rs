//! Attempts to connect that are refused, or answered with a refusal.

use super::*;
use crate::base::{RuleId, WindowId};
use crate::event::LastPackets;
use crate::fault::{ConnackCode, Cut, Fidelity, Refusal, Refuse, Reject};
use std::collections::BTreeSet;

const SERVER_BUSY: ConnackCode = ConnackCode { return_code: 3, reason_code: 0x89 };
const REFUSED: Ends<LegFate> = Ends { device: LegFate::Reset, hub: LegFate::Reset };
const BUSY: Ends<LegFate> = Ends { device: LegFate::Rejected(SERVER_BUSY), hub: LegFate::Close };

fn refuse(how: Refusal, hold: &str) -> Fault {
    Fault::Refuse(Refuse { how, hold: span(hold) })
}

fn reject(hold: &str) -> Fault {
    Fault::Reject(Reject { code: SERVER_BUSY, hold: span(hold) })
}

fn of(rule: Rule, client: &str) -> Rule {
    Rule { who: Who { client: Some(client.into()), ..Who::EVERYONE }, ..rule }
}

/// A plan that waits for so many devices.
fn for_devices(devices: u32, rules: Vec<Rule>) -> Plan {
    Plan { devices, ..plan(rules) }
}

impl Run {
    /// The cuts ordered: when, of which link, and what of it.
    fn cut_orders(&self) -> Vec<(u64, LinkId, Cut)> {
        let cut = |(at, link, order): &(Time, LinkId, Order)| match order {
            Order::Cut(cut) => Some((at.as_nanos() / 1_000_000, *link, *cut)),
            _ => None,
        };
        self.orders.iter().filter_map(cut).collect()
    }

    /// What was said of the last packet: whether it waits, and whether it goes no further.
    fn last_packet(&self) -> Option<(bool, bool)> {
        self.events.iter().rev().find_map(|event| match event.what {
            What::Packet { held, dropped, .. } => Some((held, dropped)),
            _ => None,
        })
    }

    fn rules_of_windows(&self) -> Vec<RuleId> {
        let rule = |event: &Event| match event.what {
            What::WindowOpened { rule, .. } => Some(rule),
            _ => None,
        };
        self.events.iter().filter_map(rule).collect()
    }

    /// The window and the legs of each leg that a fault ended.
    fn legs_cut(&self) -> Vec<(Option<WindowId>, LegFate)> {
        let cut = |event: &Event| match event.what {
            What::LegCut { window, fate, .. } => Some((window, fate)),
            _ => None,
        };
        self.events.iter().filter_map(cut).collect()
    }
}

#[test]
fn a_closed_listener_is_one_where_the_refusal_falls_on_everyone() {
    let everyone = rule(at(1000), refuse(Refusal::Closed, "2s"));
    for (rules, doors) in [
        (vec![everyone.clone()], vec![(ms(1000), Door::Closed), (ms(3000), Door::Open)]),
        (vec![of(everyone.clone(), "d*")], vec![]),
        (vec![rule(at(1000), refuse(Refusal::Reset, "2s"))], vec![]),
        // What vanishes is not refused.
        (
            vec![everyone.clone(), rule(at(1500), dark("2s", Connects::Vanish))],
            vec![(ms(1000), Door::Closed), (ms(1500), Door::Mute), (ms(3500), Door::Open)],
        ),
    ] {
        let mut run = Run::new(plan(rules));
        run.device(1, "d", 2);
        run.to(6000);
        assert_eq!(run.doors, doors);
    }
}

#[test]
fn a_listener_that_cannot_be_closed_resets_who_comes_and_says_so() {
    let mut run = Run::new(plan(vec![rule(at(1000), refuse(Refusal::Closed, "2s"))]));
    run.refuse_mute = true;
    run.to(1000);
    assert_eq!(run.times(|what| matches!(what, What::ListenerMuteRefused { .. })), [1000]);
    let link = run.open(1);
    assert_eq!(run.cuts(), [(1000, link)]);
    run.close(link);
    run.to(5000);
    assert_eq!(run.doors, [(ms(1000), Door::Closed)], "what was never closed is not opened");
    assert_eq!(run.times(|what| matches!(what, What::ListenerUnmuted { .. })), [0u64; 0]);
}

/// One door that is refused says nothing of another.
#[test]
fn a_door_that_is_refused_is_not_asked_for_again_and_another_is() {
    let rules = vec![
        rule(at(1000), dark("1s", Connects::Vanish)),
        rule(at(3000), dark("1s", Connects::Vanish)),
        rule(at(5000), refuse(Refusal::Closed, "1s")),
    ];
    let mut run = Run::new(plan(rules));
    run.refuse_mute = true;
    run.device(1, "d", 60);
    run.to(4500);
    run.refuse_mute = false;
    run.to(7000);
    assert_eq!(run.doors, [(ms(1000), Door::Mute), (ms(5000), Door::Closed), (ms(6000), Door::Open)]);
}

/// A door that is refused must not keep another shut.
#[test]
fn a_listener_opens_again_where_the_next_door_is_refused() {
    let rules =
        vec![rule(at(1000), refuse(Refusal::Closed, "5s")), rule(at(2000), dark("1s", Connects::Vanish))];
    let mut run = Run::new(plan(rules));
    run.refuse_mute = true;
    run.to(1500);
    run.refuse_mute = false;
    run.to(9000);
    assert_eq!(run.doors, [(ms(1000), Door::Closed), (ms(2000), Door::Mute), (ms(3000), Door::Open)]);
}

#[test]
fn a_refusal_by_server_name_waits_for_the_hello_that_asks_for_it() {
    let who = Who { sni: Some("a.*".into()), ..Who::EVERYONE };
    let mut run = Run::new(plan(vec![Rule { who, ..rule(at(1000), refuse(Refusal::Reset, "2s")) }]));
    run.to(1000);
    let (hit, passed, spared) = (run.open(1), run.open(2), run.open(3));
    assert_eq!(run.cuts(), []);
    for (link, sni, passthrough) in [(hit, "a.hub", false), (passed, "a.hub", true), (spared, "b.hub", false)]
    {
        run.tell(Input::TlsHello { link, sni: Some(sni.into()), alpn: Vec::new(), passthrough });
    }
    assert_eq!(run.cuts(), [(1000, hit), (1000, passed)]);
}

#[test]
fn a_link_that_opens_under_a_refusal_is_reset_at_once_and_one_that_is_up_is_left_alone() {
    let mut run = Run::new(plan(vec![rule(at(1000), refuse(Refusal::Reset, "2s"))]));
    let up = run.device(1, "d", 2);
    let waiting = run.open(2);
    run.to(1000);
    run.close(up);
    run.connect(waiting, "d", 2);
    assert_eq!(run.cuts(), [], "its connect was accepted before");
    run.close(waiting);
    run.to(1001);
    let late = run.open(3);
    assert_eq!(run.cut_orders().len(), 1);
    assert_eq!(run.cut_orders()[0].2.legs, REFUSED);
    assert!(!run.effects(late).hold_dial);
    run.close(late);
    run.to(2999);
    assert_eq!(run.times(is_closed), [0u64; 0]);
    run.to(3000);
    let after = run.open(4);
    run.connect(after, "d", 2);
    assert_eq!(run.cut_orders().len(), 1, "it is over");
    assert!(run.times(is_closed).iter().all(|at| *at == 3000));
}

/// It shakes hands while the rule fires: who it is would be known only now.
#[test]
fn a_link_that_was_accepted_before_a_refusal_is_left_alone_whatever_it_shows_then() {
    let mut run = Run::new(plan(vec![rule(at(1000), refuse(Refusal::Reset, "2s"))]));
    let link = run.open(1);
    run.to(1000);
    run.tell(Input::TlsHello { link, sni: None, alpn: Vec::new(), passthrough: false });
    assert_eq!((run.cuts().len(), run.rules_of_windows().len()), (0, 0));
    let after = run.open(2);
    assert_eq!(run.cuts(), [(1000, after)]);
}

/// Its address alone says whose link it is, and so nothing of what a rule by name falls on.
#[test]
fn a_link_that_is_guessed_to_be_a_devices_is_not_refused_by_its_name() {
    let everyone = rule(at(1000), refuse(Refusal::Reset, "2s"));
    let mut run = Run::new(plan(vec![of(everyone.clone(), "d*"), everyone]));
    let up = run.device(1, "d", 2);
    run.close(up);
    run.to(1000);
    let again = run.open(2);
    assert_eq!(run.cuts(), [(1000, again)]);
    assert_eq!(run.rules_of_windows(), [RuleId(0), RuleId(1)]);
    let windows: Vec<_> = run.legs_cut().into_iter().map(|(window, _)| window).collect();
    assert_eq!(windows, [Some(WindowId(1)); 2]);
}

#[test]
fn a_refusal_is_told_when_it_was_done_with_its_window_which_goes_on() {
    let mut run = Run::new(plan(vec![rule(at(1000), refuse(Refusal::Reset, "2s"))]));
    let up = run.device(1, "d", 2);
    run.to(1000);
    run.close(up);
    run.confirm = false;
    run.to(1500);
    let link = run.open(2);
    assert_eq!(run.times(is_applied), [0u64; 0], "nothing is said of what is only ordered");
    let window = run.cut_orders()[0].2.window;
    assert!(window.is_some(), "the one device that is known at its address, and that is not connected");
    let done = Ends { device: Some(LegFate::Reset), hub: None };
    run.to(1600);
    run.tell(Input::CutDone { link, window, done, last: Ends::default() });
    assert_eq!(run.times(is_applied), [1600]);
    assert_eq!(run.legs_cut(), [(window, LegFate::Reset)]);
    run.close(link);
    let again = run.open(3);
    assert_eq!(run.cuts(), [(1500, link), (1600, again)]);
    run.close(again);
    run.to(3000);
    assert_eq!(run.times(is_closed), [3000]);
}

/// Devices behind one address cannot be told apart before that. Guards: such links were reset at once in nobody's name, and the
/// report had no connect that was refused.
#[test]
fn a_link_that_may_be_of_several_devices_is_refused_at_its_connect() {
    let mut run = Run::new(for_devices(2, vec![rule(at(1000), refuse(Refusal::Reset, "2s"))]));
    let links = [run.device(1, "d", 2), run.device(2, "e", 2)];
    run.to(1000);
    let while_connected = run.open(3);
    for link in links {
        run.close(link);
    }
    let after = run.open(4);
    assert_eq!(run.cuts(), []);
    assert!(run.effects(while_connected).hold_dial && run.effects(after).hold_dial);
    run.connect(while_connected, "d", 2);
    run.connect(after, "e", 2);
    assert_eq!(run.cuts(), [(1000, while_connected), (1000, after)]);
    let windows: BTreeSet<WindowId> =
        run.cut_orders().into_iter().filter_map(|(_, _, cut)| cut.window).collect();
    assert_eq!(windows.len(), 2, "each device has its own");
    assert_eq!(run.engine.sessions.devices().count(), 2);
}

#[test]
fn a_device_that_is_connected_is_not_taken_for_the_one_that_is_refused() {
    let mut run = Run::new(plan(vec![rule(at(1000), refuse(Refusal::Reset, "2s"))]));
    run.device(1, "d", 2);
    run.to(1000);
    let other = run.open(2);
    assert_eq!(run.cuts(), []);
    run.connect(other, "e", 2);
    assert_eq!(run.cuts(), [(1000, other)]);
    assert_eq!(run.engine.sessions.devices().count(), 2);
}

#[test]
fn a_refusal_by_name_waits_for_the_connect_and_lets_nothing_reach_the_hub() {
    let named = of(rule(at(1000), refuse(Refusal::Reset, "2s")), "dark-*");
    let drawn =
        Rule { chance: Chance::new(1.0 - 1e-9).unwrap(), ..rule(at(1000), refuse(Refusal::Reset, "2s")) };
    for rule in [named, drawn] {
        let by_name = rule.who.client.is_some();
        let mut run = Run::new(plan(vec![rule]));
        let waiting = run.open(1);
        run.to(1000);
        let (hit, spared) = (run.open(2), run.open(3));
        assert_eq!(run.cuts(), []);
        assert!(run.effects(hit).hold_dial && run.effects(spared).hold_dial);
        assert!(!run.effects(waiting).hold_dial, "it was there before");
        run.connect(hit, "dark-1", 2);
        assert_eq!(run.cuts(), [(1000, hit)]);
        assert_eq!(run.last_packet(), Some((false, true)));
        run.connect(waiting, "dark-2", 2);
        assert_eq!(run.cuts().len(), 1, "it was there before");
        if by_name {
            run.connect(spared, "light-1", 2);
            assert_eq!(run.last_packet(), Some((false, false)));
            assert!(run.effects(spared).is_clear());
            assert_eq!(run.cuts().len(), 1);
        }
    }
}

#[test]
fn a_refusal_after_a_packet_waits_for_the_connect_of_its_device() {
    let mut run = Run::new(for_devices(
        2,
        vec![rule(after(PacketKind::Connack, "1s", 1), refuse(Refusal::Reset, "2s"))],
    ));
    let up = run.device(1, "d", 2);
    run.to(500);
    run.device(2, "e", 2);
    run.to(1100);
    run.close(up);
    let (its, others) = (run.open(3), run.open(4));
    run.connect(its, "d", 2);
    run.connect(others, "e", 2);
    assert_eq!(run.cuts(), [(1100, its)]);
}

#[test]
fn a_device_that_is_refused_before_any_connect_was_seen() {
    let mut run = Run::new(plan(vec![rule(at(0), refuse(Refusal::Reset, "5s"))]));
    run.to(1000);
    for link in 1..3 {
        let link = run.open(link);
        run.close(link);
        run.to(run.now.as_nanos() / 1_000_000 + 1000);
    }
    assert_eq!(run.engine.sessions.devices().count(), 1);
    run.to(60_000);
    assert_eq!(run.times(is_closed), [5000], "the firing's end: nobody knows its keep-alive");
    assert!(run.finished.is_some());
}

#[test]
fn a_connect_is_rejected_before_its_bytes_go_on() {
    let mut run = Run::new(plan(vec![rule(at(1000), reject("2s"))]));
    run.device(1, "up", 2);
    run.to(999);
    let early = run.open(2);
    assert!(!run.effects(early).hold_dial);
    run.to(1000);
    let late = run.open(3);
    assert!(run.effects(early).hold_dial && run.effects(late).hold_dial, "whoever it is");
    assert_eq!(run.cuts(), []);
    for link in [early, late] {
        run.connect(link, "d", 2);
        assert_eq!(run.last_packet(), Some((false, true)));
    }
    let orders = run.cut_orders();
    assert_eq!(orders.iter().map(|(_, link, _)| *link).collect::<Vec<_>>(), [early, late]);
    assert!(orders.iter().all(|(_, _, cut)| cut.legs == BUSY && cut.window.is_some()));
    assert!(orders.iter().all(|(_, link, _)| *link != LinkId(1)), "links that are up are left alone");
    let how: Vec<Fidelity> = run
        .events
        .iter()
        .filter_map(|event| match event.what {
            What::FaultApplied { fidelity, .. } => Some(fidelity),
            _ => None,
        })
        .collect();
    assert_eq!(how, [Fidelity::Stream, Fidelity::Stream]);
    run.to(2999);
    let last = run.open(4);
    run.connect(last, "d", 2);
    assert_eq!(run.cuts().len(), 3);
    run.to(3000);
    let after = run.open(5);
    run.connect(after, "d", 2);
    assert_eq!(run.cuts().len(), 3);
    assert_eq!(run.last_packet(), Some((false, false)));
}

/// The cut comes before anything that would let the hub be dialled.
#[test]
fn the_hub_is_not_dialled_for_who_is_rejected() {
    let mut run = Run::new(plan(vec![rule(at(1000), reject("2s"))]));
    run.to(1000);
    let link = run.open(1);
    run.connect(link, "d", 2);
    let orders: Vec<&Order> = run.orders.iter().map(|(_, _, order)| order).collect();
    assert!(
        matches!(orders.as_slice(), [Order::Apply { effects, .. }, Order::Cut(_)] if effects.hold_dial),
        "{orders:?}"
    );
}

#[test]
fn an_attempt_meets_the_first_of_several_rules() {
    let reset = || rule(at(1000), refuse(Refusal::Reset, "2s"));
    for (rules, expected) in [
        (vec![of(reset(), "d"), rule(at(1000), reject("2s"))], REFUSED),
        (vec![rule(at(1000), reject("2s")), of(reset(), "d")], BUSY),
        (vec![of(rule(at(1000), refuse(Refusal::Reset, "2s")), "e"), rule(at(1000), reject("2s"))], BUSY),
    ] {
        let mut run = Run::new(plan(rules));
        run.to(1000);
        let link = run.open(1);
        run.connect(link, "d", 2);
        let cuts: Vec<Ends<LegFate>> = run.cut_orders().iter().map(|(_, _, cut)| cut.legs).collect();
        assert_eq!(cuts, [expected]);
    }
}

/// What a link never carries does not hold on it.
#[test]
fn a_link_that_is_turned_away_comes_under_nothing_else() {
    let rules =
        vec![rule(at(500), slow(50, None)), rule(at(1000), reject("2s")), rule(at(1500), slow(50, None))];
    let mut run = Run::new(plan(rules));
    run.to(1000);
    let link = run.open(1);
    run.connect(link, "d", 2);
    run.to(1600);
    assert_eq!(run.effects(link).delays.up.len(), 0);
    assert_eq!(run.times(is_applied), [1000], "the refusal alone");
    assert_eq!(run.rules_of_windows(), [RuleId(0), RuleId(1), RuleId(2)]);
}

#[test]
fn a_device_that_is_rejected_from_its_first_connect_on_was_seen() {
    let mut run = Run::new(for_devices(2, vec![of(rule(at(0), reject("5s")), "d")]));
    run.device(1, "e", 2);
    run.to(7500);
    assert_eq!(run.finished, None, "nobody has seen the second device");
    let mut run = Run::new(for_devices(2, vec![of(rule(at(0), reject("5s")), "d")]));
    run.device(1, "e", 2);
    let link = run.open(2);
    run.connect(link, "d", 2);
    run.close(link);
    run.to(6999);
    assert_eq!(run.finished, None);
    run.to(7000);
    assert!(run.finished.is_some(), "5 s, watched for 2 s more");
}

#[test]
fn a_rejection_that_is_never_confirmed_does_not_keep_its_window_for_ever() {
    let mut run = Run::new(plan(vec![rule(at(1000), reject("2s"))]));
    run.to(1000);
    run.confirm = false;
    let link = run.open(1);
    run.connect(link, "d", 2);
    run.to(4000);
    assert_eq!(run.times(is_closed), [0u64; 0], "it may still come about");
    run.close(link);
    assert_eq!(run.times(is_closed), [4000]);
    assert_eq!(run.times(is_applied), [0u64; 0]);
}

/// The CONNECT may have been read before the reset that was ordered when the link opened.
#[test]
fn a_connect_behind_a_refusal_says_whose_it_was_and_is_cut_once() {
    let mut run = Run::new(plan(vec![rule(at(1000), refuse(Refusal::Reset, "2s"))]));
    run.to(1000);
    run.confirm = false;
    let link = run.open(1);
    run.connect(link, "d", 2);
    assert_eq!(run.cuts(), [(1000, link)]);
    assert_eq!(run.last_packet(), Some((false, true)));
    let window = run.cut_orders()[0].2.window;
    let done = Ends { device: Some(LegFate::Reset), hub: None };
    run.tell(Input::CutDone { link, window, done, last: Ends::<LastPackets>::default() });
    run.close(link);
    run.to(3000);
    assert_eq!(run.times(is_closed), [3000]);
    let devices: Vec<&str> = run.engine.sessions.devices().map(|device| &*device.name).collect();
    assert_eq!(devices, ["d"]);
}

#[test]
fn who_was_cut_in_the_dark_is_not_turned_away_as_well() {
    let rules = vec![
        rule(at(1000), dark("2s", Connects::Silence)),
        of(rule(at(1000), reject("9s")), "d*"),
        rule(at(2000), rst()),
    ];
    let mut run = Run::new(plan(rules));
    run.to(1500);
    let link = run.open(1);
    run.connect(link, "d", 60);
    run.to(5000);
    assert_eq!(run.cuts(), [(2000, link)]);
}

/// In the dark nothing may arrive, a refusal neither: it falls when the path is restored, if it still holds then.
#[test]
fn nobody_is_turned_away_in_the_dark() {
    let rejected: (fn(&str) -> Fault, _) = (reject, BUSY);
    let refused: (fn(&str) -> Fault, _) = (|hold| refuse(Refusal::Reset, hold), REFUSED);
    for (fault, legs) in [rejected, refused] {
        for (hold, cuts) in [("9s", vec![3000]), ("1s", vec![])] {
            let rules =
                vec![rule(at(1000), dark("2s", Connects::Silence)), of(rule(at(1000), fault(hold)), "d*")];
            let mut run = Run::new(plan(rules));
            run.to(1500);
            let link = run.open(1);
            run.connect(link, "d", 60);
            assert_eq!(run.last_packet(), Some((true, false)), "it waits, and nothing has dropped it");
            run.to(5000);
            let ordered: Vec<_> = run.cut_orders().into_iter().map(|(at, _, cut)| (at, cut.legs)).collect();
            assert_eq!(ordered, cuts.into_iter().map(|at| (at, legs)).collect::<Vec<_>>(), "{hold}");
            // What lets its bytes pass does not come before the cut.
            let of_link = run.orders.iter().filter(|(_, of, _)| *of == link);
            let opening = of_link.clone().position(|(_, _, order)| {
                matches!(order, Order::Apply { effects, .. } if effects.closed == Ways::default() && !effects.hold_dial)
            });
            let cut = of_link.clone().position(|(_, _, order)| matches!(order, Order::Cut(_)));
            assert!(cut.is_none_or(|cut| opening.is_none_or(|opening| cut < opening)), "{cut:?} {opening:?}");
        }
    }
}

/// MQTT 5: the device leaves its identifier to the hub, and is asked for by it.
#[test]
fn a_fault_in_force_falls_on_who_is_named_by_the_hub() {
    let mut run = Run::new(plan(vec![of(rule(at(0), slow(100, Some("6s"))), "auto-*")]));
    run.to(10);
    let link = run.open(1);
    run.connect(link, "", 60);
    assert!(run.effects(link).is_clear());
    let connack = Packet::Connack {
        session_present: false,
        code: 0,
        server_keep_alive: None,
        assigned_client_id: Some("auto-1".into()),
        terms: crate::event::SessionTerms::default(),
    };
    run.packet(link, Direction::Down, connack);
    assert!(!run.effects(link).is_clear());
}
