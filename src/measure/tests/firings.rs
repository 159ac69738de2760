//! Whom rules missed, and for whom connects vanished.

use crate::base::{Ends, LinkId, ListenerId, RuleId, Side, Span, WindowId};
use crate::event::{Dropped, Sources, What};
use crate::fault::{Connects, Ending, Fault, LegFate, Mechanism, Toward};
use crate::measure::RuleResults;
use crate::measure::story::{Story, blackhole, plan, rst};
use crate::mqtt::PacketKind;
use crate::profile::{Plan, When};
use std::time::Duration;

/// A blackhole that connects vanish in, and a reset; both by the clock.
fn by_the_clock() -> Plan {
    let Fault::Blackhole(mut dark) = blackhole("8s") else { panic!("it is one") };
    dark.connects = Connects::Vanish;
    let rules = vec![("dark", Fault::Blackhole(dark)), ("reset", rst(Toward::Both, LegFate::Reset))];
    let mut plan = plan(rules);
    for rule in &mut plan.rules {
        rule.when = When::At { first: Duration::from_secs(3), repeat: None };
    }
    plan
}

fn of(story: &Story, plan: &Plan, rule: u16) -> RuleResults {
    story.results(plan).runs[0].rules[&RuleId(rule)].clone()
}

fn fires(story: &mut Story, rule: u16) {
    story.tell(What::Fired { firing: crate::base::FiringId(0), rule: RuleId(rule), nth: 1 });
}

fn missed(rule: &RuleResults) -> Vec<(u32, u64)> {
    rule.missed.iter().map(|(device, firings)| (device.0, *firings)).collect()
}

/// `a` is connected, `b` was, `c` comes later.
fn three() -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).joins(2, 1, "b", 2).at(2_000).ends(2, Side::Device, Ending::Fin).closes(2);
    story.at(3_000);
    story
}

#[test]
fn who_was_there_before_and_is_not_now_is_missed() {
    let mut story = three();
    fires(&mut story, 1);
    story.at(4_000).joins(3, 2, "c", 2).at(5_000).joins(4, 1, "b", 2).at(6_000);
    fires(&mut story, 1);
    assert_eq!(missed(&of(&story, &by_the_clock(), 1)), [(1, 1)]);
    assert_eq!(missed(&of(&story, &by_the_clock(), 0)), []);
}

#[test]
fn a_firing_that_falls_on_the_device_later_has_not_missed_it() {
    let mut story = three();
    fires(&mut story, 0);
    fires(&mut story, 1);
    story.at(5_000).connecting(4, 1, "b", 2, true);
    story.tell(What::WindowOpened {
        window: WindowId(9),
        firing: crate::base::FiringId(0),
        rule: RuleId(0),
        device: crate::base::DeviceId(1),
        until: None,
        keep_alive_ns: 0,
        assumed: false,
        hub_keep_alive_ns: None,
    });
    assert_eq!(missed(&of(&story, &by_the_clock(), 0)), []);
    assert_eq!(missed(&of(&story, &by_the_clock(), 1)), [(1, 1)]);
}

#[test]
fn nobody_is_missed_whom_the_rule_may_not_have_meant() {
    let whole = by_the_clock();
    let with = |change: fn(&mut crate::profile::Rule)| {
        let mut plan = whole.clone();
        plan.rules.iter_mut().for_each(change);
        plan
    };
    let mut story = three();
    fires(&mut story, 0);
    let after = When::After { packet: PacketKind::Connack, nth: 1, delay: Span::ZERO, times: 1 };
    let mut of_device = whole.clone();
    of_device.rules.iter_mut().for_each(|rule| rule.when = after.clone());
    for (plan, expected) in [
        (with(|rule| rule.who.client = Some("b*".into())), vec![(1, 1)]),
        (with(|rule| rule.who.client = Some("a*".into())), vec![]),
        (with(|rule| rule.who.username = Some("*".into())), vec![]),
        (with(|rule| rule.who.listener = Some(ListenerId(0))), vec![]),
        (with(|rule| rule.chance = crate::base::Chance::new(0.5).unwrap()), vec![]),
        (of_device, vec![]),
    ] {
        assert_eq!(missed(&of(&story, &plan, 0)), expected, "{:?}", plan.rules[0]);
    }
}

#[test]
fn connects_vanish_for_the_rules_that_ask_for_it_while_they_hold() {
    let listener = ListenerId(0);
    let mut story = three();
    fires(&mut story, 0);
    story.tell(What::ListenerMuted { listener, mechanism: Mechanism::MinTtl, from: None, dropped: None });
    fires(&mut story, 1);
    story.at(11_000).tell(What::ListenerUnmuted { listener, dropped: None });
    let plan = by_the_clock();
    assert_eq!(of(&story, &plan, 0).vanished, [Mechanism::MinTtl]);
    assert_eq!(of(&story, &plan, 1).vanished, []);

    let mut refused = three();
    fires(&mut refused, 0);
    refused.tell(What::ListenerMuteRefused { listener, error: "no".into() });
    assert_eq!(of(&refused, &plan, 0).mute_refused, ["no"]);
    assert_eq!(of(&refused, &plan, 0).vanished, []);
}

#[test]
fn connects_vanish_by_address_for_the_rules_that_the_event_names() {
    let listener = ListenerId(0);
    let muted = |rules: &[u16], dropped| What::ListenerMuted {
        listener,
        mechanism: Mechanism::Filter,
        from: Some(Sources {
            addresses: 1,
            rules: rules.iter().copied().map(RuleId).collect(),
            ..Sources::default()
        }),
        dropped,
    };
    let mut story = three();
    fires(&mut story, 0);
    story.tell(muted(&[0], None)).tell(muted(&[0, 1], Some(3))).tell(muted(&[1], Some(4)));
    let plan = by_the_clock();
    let over = [
        What::ListenerUnmuted { listener, dropped: Some(5) },
        What::ListenerClosed { listener, dropped: Some(5) },
    ];
    for over in over {
        let mut story = story.clone();
        story.tell(over);
        assert_eq!(of(&story, &plan, 0).vanished, [Mechanism::Filter]);
        let dropped = [0, 1].map(|rule| of(&story, &plan, rule).vanished_packets);
        assert_eq!(dropped, [Some(3 + 4), Some(4 + 5)], "for those that it was mute for until then");
    }
}

/// A blackhole takes the place of a loss; what is lifted has no part in it.
#[test]
fn what_the_kernel_dropped_is_of_the_faults_that_held_on_the_leg() {
    let dropped = |segments| What::Dropped {
        link: LinkId(1),
        side: Side::Device,
        what: Dropped { segments, passed: 1 },
    };
    let mut story = three();
    story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::RandomFilter).tell(dropped(10));
    story.opens(2, 0, 0, 2).applies(2, 1, Mechanism::Filter).tell(dropped(200)).lifts(2, 1);
    story.tell(dropped(3_000)).lifts(1, 1).tell(dropped(40_000));
    let results = story.results(&by_the_clock());
    let of = |window| results.runs[0].windows[&WindowId(window)].dropped;
    assert_eq!(of(1).device, Some(Dropped { segments: 3_010, passed: 2 }));
    assert_eq!(of(2), Ends { device: Some(Dropped { segments: 200, passed: 1 }), hub: None });
}

#[test]
fn firings_that_fell_on_nobody_are_counted() {
    let mut story = three();
    fires(&mut story, 1);
    story.opens(1, 1, 0, 2);
    let reset = of(&story, &by_the_clock(), 1);
    assert_eq!((reset.fired, reset.idle), (2, 1));
}
