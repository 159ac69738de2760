//! Faults of TCP and of the stream that are no state of the path: half-close, injected packets, DISCONNECT, budgets,
//! mappings that are forgotten, and another client with the device's name.

use super::*;
use crate::base::{Side, WindowId};
use crate::fault::{
    Budget, CutAfter, Disconnect, Fidelity, Forgotten, HalfClose, IdleTimeout, Inject, Injection, Loss,
    Refusal, Refuse, Reject, Takeover, TokenExpiry,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const BOTH_GATES: Ends<Option<Mechanism>> =
    Ends { device: Some(Mechanism::Gate), hub: Some(Mechanism::Gate) };

fn half_close(toward: Side) -> Fault {
    Fault::HalfClose(HalfClose { toward })
}

fn inject(toward: Side) -> Fault {
    Fault::Inject(Inject { toward, what: Injection::Pingresp })
}

fn idle(after: &str, then: Forgotten, hold: Option<&str>) -> Fault {
    Fault::IdleTimeout(IdleTimeout { after: span(after), then, hold: hold.map(span) })
}

fn cut_after(bytes: u64, hold: Option<&str>) -> Fault {
    let close = Close { toward: Toward::Device, other: LegFate::HalfOpen, close_notify: false };
    Fault::CutAfter(CutAfter {
        bytes,
        direction: Direction::Up,
        ending: LegFate::Reset,
        close,
        hold: hold.map(span),
    })
}

fn takeover(hold: &str) -> Fault {
    Fault::Takeover(Takeover { hold: span(hold), again: Some(Duration::from_secs(1)) })
}

impl Run {
    fn applied(&self) -> Vec<(u64, LinkId, Fidelity, Ends<Option<Mechanism>>)> {
        let applied = |event: &Event| match event.what {
            What::FaultApplied { link, fidelity, means, .. } => {
                Some((event.at.as_nanos() / 1_000_000, link, fidelity, means))
            }
            _ => None,
        };
        self.events.iter().filter_map(applied).collect()
    }

    /// The links that were ordered something that is neither a state nor a cut.
    fn moments(&self) -> Vec<(u64, LinkId)> {
        let is_moment = |order: &Order| {
            matches!(order, Order::Inject { .. } | Order::HalfClose { .. } | Order::Rival { .. })
        };
        let moments = self.orders.iter().filter(|(_, _, order)| is_moment(order));
        moments.map(|(at, link, _)| (at.as_nanos() / 1_000_000, *link)).collect()
    }

    fn cut_done(&mut self, link: LinkId, window: WindowId, device: LegFate, hub: LegFate) {
        let done = Ends { device: Some(device), hub: Some(hub) };
        self.tell(Input::CutDone { link, window: Some(window), done, last: Ends::default() });
    }
}

fn is_refused(what: &What) -> bool {
    matches!(what, What::FaultRefused { .. })
}

fn is_lifted(what: &What) -> bool {
    matches!(what, What::FaultLifted { .. })
}

// One-shots that wait for their moment.

#[test]
fn a_one_shot_is_told_when_it_has_come_about_on_each_link() {
    for (fault, fidelity, mechanism) in [
        (half_close(Side::Device), Fidelity::Packet, Mechanism::HalfShut),
        (inject(Side::Device), Fidelity::Stream, Mechanism::Injected),
    ] {
        let mut run = Run::new(plan(vec![rule(at(1000), fault)]));
        run.confirm = false;
        let (first, second) = (run.device(1, "d", 2), run.device(2, "d", 2));
        run.to(1000);
        assert_eq!(run.moments(), [(1000, first), (1000, second)]);
        assert_eq!(run.applied(), []);
        let orders: Vec<(LinkId, Order)> =
            run.orders.iter().map(|(_, link, order)| (*link, order.clone())).collect();
        let mut confirmed = 0;
        for (link, order) in orders {
            if matches!(order, Order::Inject { .. } | Order::HalfClose { .. }) {
                run.to(1500 + confirmed * 500);
                run.answer(link, order.clone());
                // A second confirmation of the same says nothing new.
                run.answer(link, order);
                run.drain();
                confirmed += 1;
            }
        }
        let means = Ends { device: Some(mechanism), hub: None };
        assert_eq!(run.applied(), [(1500, first, fidelity, means), (2000, second, fidelity, means)]);
        assert_eq!(run.times(is_closed), [2000]);
    }
}

#[test]
fn a_one_shot_that_does_not_come_about_is_not_told_as_one() {
    type Answer = fn(LinkId, WindowId) -> Input;
    let refused: Answer = |link, window| Input::NotAltered {
        link,
        window: Some(window),
        seq: None,
        error: "no place for it".into(),
    };
    let too_late: Answer =
        |link, window| Input::HalfClosed { link, window: Some(window), toward: Side::Device, done: false };
    let gone: Answer = |link, _| Input::LinkClosed { link, undelivered: Ways::default() };
    for (fault, answer, refusals) in [
        (inject(Side::Hub), refused, vec![1200]),
        (inject(Side::Hub), gone, vec![]),
        (half_close(Side::Device), too_late, vec![]),
        (half_close(Side::Device), gone, vec![]),
    ] {
        let mut run = Run::new(plan(vec![rule(at(1000), fault)]));
        run.confirm = false;
        let link = run.device(1, "d", 2);
        run.to(1200);
        assert_eq!(run.times(is_closed), [0u64; 0]);
        run.tell(answer(link, WindowId(0)));
        assert_eq!(run.applied(), []);
        assert_eq!(run.times(is_refused), refusals);
        assert_eq!(run.times(is_closed), [1200]);
    }
}

#[test]
fn of_a_link_whose_device_is_not_known_one_half_is_closed_and_nothing_injected() {
    let rules = vec![rule(at(1000), half_close(Side::Hub)), rule(at(1000), inject(Side::Hub))];
    let mut run = Run::new(plan(rules));
    let link = run.open(1);
    run.to(1000);
    assert_eq!(run.moments(), [(1000, link)]);
    let means = Ends { device: None, hub: Some(Mechanism::HalfShut) };
    assert_eq!(run.applied(), [(1000, link, Fidelity::Packet, means)]);
    assert_eq!(run.times(is_closed), [1000], "of the device at its address");
    // Not where only CONNECT tells whose it is.
    let who = Who { client: Some("d".into()), ..Who::EVERYONE };
    let mut run = Run::new(plan(vec![Rule { who, ..rule(at(1000), half_close(Side::Hub)) }]));
    run.open(1);
    run.to(1000);
    assert_eq!(run.moments(), []);
}

/// Two one-shots of different kinds toward one end: each confirmation is of its own.
#[test]
fn one_shots_of_nobody_yet_are_told_apart_by_kind() {
    let damage = Fault::TlsRecord(crate::fault::TlsRecord {
        toward: Side::Device,
        what: crate::fault::RecordFault::Damaged(crate::tls::Damage::Mac),
    });
    let mut run = Run::new(plan(vec![rule(at(1000), damage), rule(at(1000), half_close(Side::Device))]));
    run.confirm = false;
    let link = run.open(1);
    run.to(1000);
    run.tell(Input::HalfClosed { link, window: None, toward: Side::Device, done: true });
    let means = Ends { device: Some(Mechanism::HalfShut), hub: None };
    assert_eq!(run.applied(), [(1000, link, Fidelity::Packet, means)]);
    run.tell(Input::HalfClosed { link, window: None, toward: Side::Device, done: true });
    assert_eq!(run.applied().len(), 1, "there was one");
}

#[test]
fn a_disconnect_is_a_cut_of_each_link_of_its_device() {
    let both = Disconnect { toward: Toward::Device, reason: 0x8B, other: LegFate::HalfOpen };
    let mut run = Run::new(plan(vec![rule(at(1000), Fault::Disconnect(both))]));
    let link = run.device(1, "d", 2);
    run.to(999);
    assert_eq!(run.cuts(), []);
    run.to(1000);
    assert_eq!(run.cuts(), [(1000, link)]);
    let means = Ends { device: Some(Mechanism::Disconnected), hub: Some(Mechanism::Parked) };
    assert_eq!(run.applied(), [(1000, link, Fidelity::Stream, means)]);
    assert_eq!(run.times(is_closed), [1000]);
}

/// To a device before MQTT 5 there is no such packet: what was done is said.
#[test]
fn a_disconnect_that_became_a_fin_is_told_as_one() {
    let both = Disconnect { toward: Toward::Both, reason: 0x8B, other: LegFate::HalfOpen };
    let mut run = Run::new(plan(vec![rule(at(1000), Fault::Disconnect(both))]));
    run.confirm = false;
    let link = run.device(1, "d", 2);
    run.to(1000);
    run.cut_done(link, WindowId(0), LegFate::Close, LegFate::Close);
    let means = Ends { device: Some(Mechanism::Shutdown), hub: Some(Mechanism::Shutdown) };
    assert_eq!(run.applied(), [(1000, link, Fidelity::Packet, means)]);
}

// Budgets.

#[test]
fn each_link_has_a_budget_of_its_own_while_the_window_holds() {
    let mut run = Run::new(plan(vec![rule(at(1000), cut_after(700, Some("5s")))]));
    let first = run.device(1, "d", 2);
    run.to(999);
    assert!(run.effects(first).is_clear());
    run.to(1000);
    let legs = Ends { device: LegFate::Reset, hub: LegFate::HalfOpen };
    let budget = Budget { window: WindowId(0), bytes: 700, legs };
    assert_eq!(run.effects(first).budgets, Ways { up: Some(budget), down: None });
    assert_eq!(run.applied(), [], "nothing has come of it yet");
    run.to(2000);
    run.cut_done(first, WindowId(0), LegFate::Reset, LegFate::HalfOpen);
    run.close(first);
    assert_eq!(run.applied().len(), 1);
    assert_eq!(run.times(is_closed), [0u64; 0]);
    let second = run.device(2, "d", 2);
    assert_eq!(run.effects(second).budgets.up, Some(budget));
    run.to(5999);
    assert!(!run.effects(second).is_clear());
    run.to(6000);
    assert!(run.effects(second).is_clear());
    assert_eq!(run.times(is_closed), [6000]);
    assert_eq!(run.cuts(), [], "the link does it itself");
}

#[test]
fn the_first_of_several_budgets_holds() {
    let mut run =
        Run::new(plan(vec![rule(at(1500), cut_after(9, None)), rule(at(1000), cut_after(7, None))]));
    let link = run.device(1, "d", 2);
    run.to(1000);
    assert_eq!(run.effects(link).budgets.up.map(|budget| budget.bytes), Some(7));
    run.to(1500);
    assert_eq!(run.effects(link).budgets.up.map(|budget| budget.bytes), Some(9), "by rule, not by time");
}

/// A window without an end that cuts late: the run may have settled long ago, and has still to see what comes of it.
#[test]
fn what_comes_of_a_late_cut_is_watched() {
    let mut run = Run::with_command(plan(vec![rule(at(1000), cut_after(700, None))]), true);
    let link = run.device(1, "d", 2);
    run.to(60_000);
    run.tell(Input::CommandEnded { code: Some(0) });
    run.cut_done(link, WindowId(0), LegFate::Reset, LegFate::Reset);
    run.device(2, "e", 2);
    run.close(link);
    run.to(61_999);
    assert_eq!(run.finished, None);
    run.to(62_000);
    assert!(run.finished.is_some());
}

// Loss.

#[test]
fn loss_that_the_kernel_refuses_is_not_claimed() {
    for refused in [false, true] {
        let lossy = Loss { toward: Toward::Hub, chance: Chance::new(0.1).unwrap(), hold: Some(span("2s")) };
        let mut run = Run::new(plan(vec![rule(at(1000), Fault::Loss(lossy))]));
        run.refuse_mute = refused;
        let link = run.device(1, "d", 2);
        run.to(1500);
        let means = Ends { device: None, hub: Some(Mechanism::RandomFilter) };
        if refused {
            assert_eq!(run.applied(), []);
            assert_eq!(run.times(is_refused), [1000]);
            assert!(run.effects(link).is_clear(), "it is not tried again");
        } else {
            assert_eq!(run.applied(), [(1000, link, Fidelity::Packet, means)]);
            assert_eq!(run.effects(link).loss.hub, Some(lossy.chance));
        }
        run.to(4000);
        assert_eq!(run.times(is_lifted).len(), usize::from(!refused));
        assert_eq!(run.times(is_closed), [3000]);
    }
}

// Mappings that are forgotten.

#[test]
fn the_shortest_time_to_be_idle_is_asked_for_and_is_no_fault_yet() {
    let mut rules = vec![
        rule(at(1000), idle("5s", Forgotten::Vanish, None)),
        rule(at(1500), idle("2 keepalive", Forgotten::Vanish, Some("1s"))),
    ];
    for _ in 0..2 {
        let mut run = Run::new(plan(rules.clone()));
        let link = run.device(1, "d", 2);
        run.to(999);
        assert_eq!(run.effects(link).idle, None);
        for (at, secs) in [(1000, 5), (1500, 4), (2499, 4), (2500, 5)] {
            run.to(at);
            assert_eq!(run.effects(link).idle, Some(Duration::from_secs(secs)), "{at}");
        }
        assert_eq!(run.applied(), []);
        assert_eq!(run.times(is_lifted), [0u64; 0]);
        assert!(!run.effects(link).closed.up);
        // Whichever rule is the first.
        rules.reverse();
    }
}

#[test]
fn a_link_that_is_forgotten_is_dark_for_good_and_a_new_one_passes() {
    let mut run = Run::new(plan(vec![rule(at(1000), idle("2s", Forgotten::Vanish, Some("10s")))]));
    let link = run.device(1, "d", 60);
    run.to(5000);
    run.tell(Input::Idle { link });
    let effects = run.effects(link);
    assert_eq!(effects.closed, Ways { up: true, down: true });
    assert_eq!(effects.idle, None, "once is enough");
    assert_eq!(run.applied(), [(5000, link, Fidelity::Stall, BOTH_GATES)]);
    let second = run.device(2, "d", 60);
    assert!(!run.effects(second).closed.up);
    assert_eq!(run.effects(second).idle, Some(Duration::from_secs(2)));
    run.to(11_000);
    assert_eq!(run.effects(link).closed, Ways { up: true, down: true }, "it stays forgotten");
    assert!(run.effects(second).is_clear());
    assert_eq!(run.times(is_closed), [11_000]);
    assert_eq!(run.times(is_lifted), [0u64; 0], "nothing of it was restored");
    run.tell(Input::Idle { link: second });
    assert!(run.effects(second).is_clear(), "it is over");
}

/// Nothing passes on it for good, so that there is nothing to forget: also where it says that it is idle before it has obeyed.
#[test]
fn a_link_that_was_cut_is_not_forgotten() {
    for has_obeyed in [true, false] {
        let close = Close { toward: Toward::Device, other: LegFate::HalfOpen, close_notify: false };
        let forgets = rule(at(1000), idle("2s", Forgotten::Vanish, Some("10s")));
        let mut run = Run::new(plan(vec![forgets, rule(at(2000), Fault::Rst(close))]));
        let link = run.device(1, "d", 60);
        run.to(1999);
        run.confirm = has_obeyed;
        run.to(2000);
        run.tell(Input::Idle { link });
        assert_eq!(run.effects(link).closed, Ways::default(), "{has_obeyed}");
        assert_eq!(run.applied().len(), usize::from(has_obeyed), "the reset alone");
    }
}

#[test]
fn a_link_is_told_as_forgotten_once_it_is() {
    let mut run = Run::new(plan(vec![rule(at(1000), idle("2s", Forgotten::Vanish, Some("10s")))]));
    let link = run.device(1, "d", 60);
    run.to(5000);
    run.confirm = false;
    run.tell(Input::Idle { link });
    assert_eq!(run.applied(), []);
    run.to(5100);
    run.tell(Input::Applied { link, generation: 2, granted: Granted::default() });
    assert_eq!(run.applied(), [(5100, link, Fidelity::Stall, BOTH_GATES)]);
}

/// Nothing is said of a link that was to be forgotten when the window ended; so it must not be left dark.
#[test]
fn a_link_that_was_not_forgotten_in_time_is_remembered() {
    let mut run = Run::new(plan(vec![rule(at(1000), idle("2s", Forgotten::Vanish, Some("10s")))]));
    let link = run.device(1, "d", 60);
    run.to(10_999);
    run.confirm = false;
    run.tell(Input::Idle { link });
    run.to(11_000);
    assert!(run.effects(link).is_clear());
    run.tell(Input::Applied { link, generation: 3, granted: Granted::default() });
    assert_eq!(run.applied(), []);
    assert_eq!(run.times(is_closed), [11_000]);
}

/// What a link says of being idle is about what it was last asked for.
#[test]
fn idle_for_less_than_a_rule_asks_for_is_not_forgotten() {
    let rules = vec![
        rule(at(1000), idle("5s", Forgotten::Reset, None)),
        rule(at(1000), idle("2s", Forgotten::Vanish, Some("10s"))),
    ];
    let mut run = Run::new(plan(rules));
    let link = run.device(1, "d", 60);
    run.to(10_900);
    run.confirm = false;
    run.to(11_000);
    run.tell(Input::Idle { link });
    assert_eq!(run.effects(link).reset_senders, None, "2 s, and the rule of 2 s is over");
    run.tell(Input::Applied { link, generation: 3, granted: Granted::default() });
    run.tell(Input::Idle { link });
    assert_eq!(run.effects(link).reset_senders, Some(WindowId(0)), "5 s");
}

#[test]
fn who_sends_on_a_link_that_is_forgotten_is_reset_and_that_is_told_when_it_was() {
    let mut run = Run::new(plan(vec![rule(at(1000), idle("2s", Forgotten::Reset, None))]));
    let link = run.device(1, "d", 60);
    run.to(5000);
    run.tell(Input::Idle { link });
    let effects = run.effects(link);
    assert_eq!((effects.reset_senders, effects.idle), (Some(WindowId(0)), None));
    assert_eq!(effects.closed, Ways::default());
    assert_eq!(run.applied(), []);
    run.to(9000);
    run.cut_done(link, WindowId(0), LegFate::Reset, LegFate::ResetWhenSends);
    let means = Ends { device: Some(Mechanism::Linger), hub: Some(Mechanism::Parked) };
    assert_eq!(run.applied(), [(9000, link, Fidelity::Packet, means)]);
}

/// It stays forgotten, but nobody waits for it: who sends nothing would keep the window open for ever.
#[test]
fn a_link_that_nobody_sends_on_does_not_keep_the_window_open() {
    let mut run = Run::new(plan(vec![rule(at(1000), idle("2s", Forgotten::Reset, Some("10s")))]));
    let link = run.device(1, "d", 60);
    run.to(5000);
    run.tell(Input::Idle { link });
    run.to(11_000);
    assert_eq!(run.times(is_closed), [11_000]);
    assert_eq!(run.effects(link).reset_senders, Some(WindowId(0)));
    run.to(12_000);
    run.cut_done(link, WindowId(0), LegFate::Reset, LegFate::ResetWhenSends);
    let means = Ends { device: Some(Mechanism::Linger), hub: Some(Mechanism::Parked) };
    assert_eq!(run.applied(), [(12_000, link, Fidelity::Packet, means)], "it came about, though late");
    assert_eq!(run.times(|what| matches!(what, What::LegCut { .. })), [12_000, 12_000]);
}

// Another client.

#[test]
fn another_client_is_sent_once_with_the_connect_of_the_latest_link_that_is_up() {
    let mut run = Run::new(plan(vec![rule(at(1000), takeover("5s"))]));
    run.confirm = false;
    run.device(1, "d", 2);
    let latest = run.device(2, "d", 2);
    let unanswered = run.open(3);
    run.connect(unanswered, "d", 2);
    run.to(1000);
    let rivals: Vec<(LinkId, Order)> = run
        .orders
        .iter()
        .filter(|(_, _, order)| matches!(order, Order::Rival { .. }))
        .map(|(_, link, order)| (*link, order.clone()))
        .collect();
    let again = Some(Duration::from_secs(1));
    assert_eq!(rivals, [(latest, Order::Rival { window: WindowId(0), until: ms(6000), again })]);
    run.to(2000);
    run.device(4, "d", 2);
    assert_eq!(run.moments().len(), 1, "it is there already");
}

#[test]
fn a_takeover_is_told_with_the_first_acceptance_and_holds_for_its_span() {
    let mut run = Run::new(plan(vec![rule(at(1000), takeover("5s"))]));
    run.confirm = false;
    let link = run.device(1, "d", 2);
    run.to(1100);
    let window = WindowId(0);
    run.tell(Input::Rival { link, window, news: RivalNews::Failed { error: "no route".into() } });
    assert_eq!(run.applied(), []);
    // The hub may be quicker to end the device's link than to accept the other.
    run.close(link);
    run.to(1200);
    run.tell(Input::Rival { link, window, news: RivalNews::Accepted });
    run.tell(Input::Rival { link, window, news: RivalNews::Ended { how: crate::fault::Ending::Fin } });
    run.tell(Input::Rival { link, window, news: RivalNews::Accepted });
    let means = Ends { device: None, hub: Some(Mechanism::Rival) };
    assert_eq!(run.applied(), [(1200, link, Fidelity::Stream, means)]);
    run.to(5999);
    assert_eq!(run.times(is_closed), [0u64; 0]);
    run.to(6000);
    assert_eq!(run.times(is_closed), [6000]);
    run.tell(Input::Rival { link, window, news: RivalNews::Left });
    assert_eq!(run.times(|what| matches!(what, What::Rival { .. })), [1100, 1200, 1200, 1200, 6000]);
}

#[test]
fn where_no_link_is_up_there_is_nothing_to_take_over() {
    let mut run = Run::new(plan(vec![rule(at(1000), takeover("5s"))]));
    let link = run.open(1);
    run.connect(link, "d", 2);
    run.to(1000);
    assert_eq!(run.moments(), []);
    run.to(6000);
    assert_eq!(run.applied(), []);
    assert_eq!(run.times(is_closed), [6000]);
}

// All of them.

fn everything() -> Vec<Rule> {
    let code = crate::fault::ConnackCode { return_code: 3, reason_code: 0x88 };
    let of_d1 = Who { client: Some("d1".into()), ..Who::EVERYONE };
    let token = TokenExpiry { lifetime: Some(span("900ms")), grace: Duration::ZERO, hold: Some(span("3s")) };
    vec![
        rule(at(500), Fault::Refuse(Refuse { how: Refusal::Reset, hold: span("300ms") })),
        Rule { who: of_d1, ..rule(at(900), Fault::Reject(Reject { code, hold: span("600ms") })) },
        rule(at(200), Fault::TokenExpiry(token)),
        rule(after(PacketKind::Connack, "100ms", 2), idle("200ms", Forgotten::Vanish, Some("1s"))),
        rule(at(1500), idle("300ms", Forgotten::Reset, Some("1s"))),
        rule(after(PacketKind::Connack, "300ms", 2), takeover("700ms")),
        rule(at(1200), half_close(Side::Device)),
        rule(at(1300), inject(Side::Hub)),
        rule(at(1000), cut_after(100, Some("2s"))),
        rule(at(1800), dark("500ms", Connects::Silence)),
    ]
}

proptest! {
    /// Whatever happens in whatever order: what is told of a window comes between its beginning and its end, and once
    /// the links are gone, each window ends.
    #[test]
    fn windows_end_and_nothing_is_told_of_them_before_or_after(
        steps in prop::collection::vec((0..10u8, 0..4usize, 0..300u64), 0..150),
    ) {
        let mut run = Run::new(plan(everything()));
        let mut open: Vec<LinkId> = Vec::new();
        for (step, (what, place, wait)) in (0..).zip(steps) {
            run.to(run.now.as_nanos() / 1_000_000 + wait);
            let Some(link) = open.get(place % open.len().max(1)).copied().filter(|_| what > 1) else {
                open.push(run.open(step));
                continue;
            };
            let window = WindowId(u64::from(what) % 3);
            match what {
                2 => run.connect(link, &format!("d{}", place % 2), 1),
                3 => run.connack(link, 0),
                4 => { open.retain(|it| *it != link); run.close(link); }
                5 => run.confirm = !run.confirm,
                6 => run.tell(Input::Idle { link }),
                7 => run.cut_done(link, window, LegFate::Reset, LegFate::ResetWhenSends),
                8 => run.tell(Input::Rival { link, window, news: RivalNews::Accepted }),
                _ => run.tell(Input::NotAltered { link, window: Some(window), seq: None, error: "no".into() }),
            }
        }
        for link in open {
            run.close(link);
        }
        run.to(run.now.as_nanos() / 1_000_000 + 70_000);
        let mut windows = BTreeSet::new();
        for event in &run.events {
            match event.what {
                What::WindowOpened { window, .. } => prop_assert!(windows.insert(window)),
                What::WindowClosed { window } => prop_assert!(windows.remove(&window)),
                What::FaultApplied { window, .. }
                | What::FaultRefused { window, .. }
                | What::FaultLifted { window, .. } => prop_assert!(windows.contains(&window)),
                _ => {}
            }
        }
        prop_assert!(windows.is_empty(), "{windows:?}");
        prop_assert!(run.engine.windows.is_empty() && run.engine.links.is_empty());
        prop_assert!(run.events.iter().enumerate().all(|(n, event)| event.seq == n as u64));
    }
}
