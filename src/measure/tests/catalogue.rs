//! The whole catalogue of faults: packets, connects, tokens, takeovers, fleets.

use crate::base::{DeviceId, Direction, LinkId, ListenerId, RuleId, Side, Span};
use crate::event::{Packet, RivalNews, What};
use crate::fault::{
    Alteration, Close, ConnackCode, Edit, Ending, Fault, Forgotten, HalfClose, IdleTimeout, Inject,
    Injection, LegFate, Mechanism, PacketAction, PacketFault, PacketMatch, Refusal, Refuse, Reject, Takeover,
    TokenExpiry, Toward, WaysWanted,
};
use crate::measure::story::{
    Story, answers, asks, between, blackhole, exact, latency, never, plan, rst, stall, values,
};
use crate::measure::{Cause, KeepAlive, Outcome, Results, Value};
use crate::mqtt::{PacketKind, Version};
use crate::profile::{Metric, When};
use std::time::Duration;

/// 2026-01-01T00:00:00Z, when stories begin.
const BEGAN: u64 = 1_767_225_600;

fn span(text: &str) -> Span {
    text.parse().unwrap()
}

fn packets(packet: PacketKind, action: PacketAction) -> Fault {
    let what = PacketMatch { packet: Some(packet), ..PacketMatch::EVERY };
    Fault::Packets(PacketFault { what, action, hold: None })
}

pub(super) fn drops(packet: PacketKind) -> Fault {
    packets(packet, PacketAction::Drop { acknowledge: false })
}

fn expiry(lifetime: Option<&str>) -> Fault {
    Fault::TokenExpiry(TokenExpiry { lifetime: lifetime.map(span), grace: Duration::ZERO, hold: None })
}

fn refuse(how: Refusal) -> Fault {
    Fault::Refuse(Refuse { how, hold: span("8s") })
}

fn outcomes(results: &Results) -> Vec<Outcome> {
    results.runs[0].windows.values().map(|window| window.outcome).collect()
}

fn causes(results: &Results) -> Vec<Cause> {
    results.runs[0].ends.iter().map(|end| end.cause).collect()
}

#[test]
fn a_dropped_connack_is_no_acceptance_and_an_edited_one_is_what_the_device_got() {
    let plan = plan(vec![("lost", drops(PacketKind::Connack))]);
    for (passed, accepted, cause) in [
        (None, 0, Cause::StillOpen),
        (Some(answers(0, None)), 1, Cause::StillOpen),
        (Some(answers(5, None)), 0, Cause::Refused(5)),
    ] {
        let mut story = Story::new();
        story.connect(1, 0, "a", 2).fares(1, Direction::Down, answers(0, None), passed).at(1_000);
        let results = story.results(&plan);
        assert_eq!(results.runs[0].devices.values().next().unwrap().accepted, accepted);
        assert_eq!(causes(&results), [cause]);
    }
}

#[test]
fn a_dropped_disconnect_is_a_goodbye_that_the_hub_never_heard() {
    let plan = plan(vec![("lost", drops(PacketKind::Disconnect))]);
    let bye = Packet::Disconnect { reason: 0 };
    let code = |passed| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).fares(1, Direction::Up, bye.clone(), passed);
        story.ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub).closes(1);
        let logged = story.results(&plan).runs[0].ends[0].logged;
        logged.and_then(|entry| entry.code).map(crate::azure::Code::number)
    };
    assert_eq!(code(Some(bye.clone())), None);
    assert_eq!(code(None), Some(404_104));
}

#[test]
fn what_was_done_to_packets_is_counted_by_window() {
    let plan = plan(vec![("lost", drops(PacketKind::Puback)), ("never", drops(PacketKind::Auth))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).opens(1, 0, 0, 60).opens(2, 1, 0, 60);
    for nth in 0..3 {
        story.fares(1, Direction::Down, Packet::Puback, None);
        story.altered(1, Direction::Down, 1, Alteration::Dropped { acknowledged: nth == 0 });
        if nth == 0 {
            story.applies(1, 1, Mechanism::Packets);
        }
    }
    let results = story.at(9_000).results(&plan);
    assert_eq!(values(&results, Metric::PacketsAltered), [Value::Count(3), Value::Count(0)]);
    let windows: Vec<_> = results.runs[0].windows.values().collect();
    let altered = windows[0].altered.as_ref().unwrap();
    assert_eq!((altered.dropped, altered.acknowledged), (3, 1));
    assert_eq!(outcomes(&results), [Outcome::Survived, Outcome::NothingMet]);
}

/// A window that falls on each link by itself is judged on each.
#[test]
fn each_cut_at_token_expiry_is_a_start_of_its_own() {
    let plan = plan(vec![("token", expiry(Some("10s")))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).opens(1, 0, 0, 60);
    for (link, at) in [(1, 10_000), (2, 20_500), (3, 31_000)] {
        story.at(at).cut(link, Side::Device, LegFate::Close, 1).cut(link, Side::Hub, LegFate::Close, 1);
        story.applies(1, link, Mechanism::Shutdown).closes(link);
        story.at(at + 500).joins(link + 1, 0, "a", 60);
    }
    let results = story.at(35_000).over().results(&plan);
    assert_eq!(values(&results, Metric::Downtime), [exact(500), exact(500), exact(500)]);
    assert_eq!(values(&results, Metric::DisconnectInterval), [exact(10_500), exact(10_500)]);
    assert_eq!(values(&results, Metric::TokenLate), [exact(500), exact(500), exact(500)]);
    // No token can be read, so that none is known to be stale; the rule's lifetime stands in its place.
    assert_eq!(values(&results, Metric::StaleTokens), [Value::Count(0)]);
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!((window.outcome, window.later.len()), (Outcome::Back, 2));
    assert_eq!(causes(&results)[..2], [Cause::TokenExpired(RuleId(0)); 2]);
}

/// The rule fires on a link that is older than the lifetime: it ends at once, and had no earlier expiry.
#[test]
fn a_lifetime_that_was_over_before_its_rule_fired_ends_with_the_cut() {
    let plan = plan(vec![("token", expiry(Some("10s")))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(15_000).opens(1, 0, 0, 60);
    story.cut(1, Side::Device, LegFate::Close, 1).cut(1, Side::Hub, LegFate::Close, 1);
    story.applies(1, 1, Mechanism::Shutdown).closes(1).at(15_500).joins(2, 0, "a", 60);
    let results = story.at(20_000).over().results(&plan);
    assert_eq!(values(&results, Metric::TokenLate), [exact(500)]);
}

/// By the wall clock: the token expires 10 s into the run; the next CONNECT comes at this time with one that expires then.
#[test]
fn a_fresh_token_comes_with_a_margin_or_late_or_was_stale() {
    let plan = plan(vec![("token", expiry(None))]);
    let renewed = |at, expires: u64| {
        let mut story = Story::new();
        story.opens_link(1, 0, "a").up(1, asks("a", Version::V311, 60, Some(BEGAN + 10)));
        story.connack(1, false, 0).at(at).ends(1, Side::Device, Ending::Fin).closes(1);
        story.opens_link(2, 0, "a").up(2, asks("a", Version::V311, 60, Some(BEGAN + expires)));
        let results = story.connack(2, false, 0).at(30_000).results(&plan);
        (
            values(&results, Metric::TokenMargin),
            values(&results, Metric::TokenLate),
            values(&results, Metric::StaleTokens),
        )
    };
    assert_eq!(renewed(8_000, 70), (vec![exact(2_000)], vec![], vec![Value::Count(0)]));
    assert_eq!(renewed(10_000, 70), (vec![exact(0)], vec![], vec![Value::Count(0)]));
    assert_eq!(renewed(12_500, 70), (vec![], vec![exact(2_500)], vec![Value::Count(0)]));
    // The same token again: after its expiry it is stale, before it is no renewal.
    assert_eq!(renewed(12_500, 10), (vec![], vec![], vec![Value::Count(1)]));
    assert_eq!(renewed(8_000, 10), (vec![], vec![], vec![Value::Count(0)]));
}

#[test]
fn a_device_that_is_refused_is_kept_out_until_it_is_accepted() {
    let reject =
        Fault::Reject(Reject { code: ConnackCode { return_code: 3, reason_code: 0x88 }, hold: span("8s") });
    let fate = LegFate::Rejected(ConnackCode { return_code: 3, reason_code: 0x88 });
    for (fault, fate, cause) in [
        (refuse(Refusal::Reset), LegFate::Reset, Cause::ConnectRefused(RuleId(0))),
        (reject, fate, Cause::RefusedBy(RuleId(0), 3)),
    ] {
        let plan = plan(vec![("out", fault)]);
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).at(4_000).ends(1, Side::Device, Ending::Fin);
        story.closes(1);
        for (link, at) in [(2, 5_000), (3, 7_000), (4, 9_000)] {
            story.at(at).connect(link, 0, "a", 60).cut(link, Side::Device, fate, 1).closes(link);
        }
        story.at(11_000).heals(1).at(13_000).joins(5, 0, "a", 60);
        let results = story.at(20_000).results(&plan);
        assert_eq!(values(&results, Metric::ConnectsRefused), [Value::Count(3)]);
        assert_eq!(values(&results, Metric::Recovery), [exact(2_000)]);
        assert_eq!(values(&results, Metric::Downtime), [exact(8_000)]);
        let down = results.runs[0].devices[&DeviceId(0)].down;
        assert_eq!(down, Some(Duration::from_secs(9)), "the link was over before a connect was refused");
        assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(4)]);
        assert_eq!(values(&results, Metric::ConnectGap), [exact(2_000), exact(2_000), exact(4_000)]);
        assert_eq!(outcomes(&results), [Outcome::Back]);
        assert_eq!(causes(&results)[1], cause);
    }
}

#[test]
fn nobody_is_kept_out_who_did_not_come() {
    let plan = plan(vec![("out", refuse(Refusal::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).at(11_000).heals(1);
    let results = story.at(20_000).results(&plan);
    assert_eq!(outcomes(&results), [Outcome::NothingMet]);
    assert_eq!(values(&results, Metric::ConnectsRefused), [Value::Count(0)]);
    assert_eq!(values(&results, Metric::Downtime), []);
}

/// SYNs that a closed listener refuses are not seen: only the way back is.
#[test]
fn a_closed_listener_keeps_out_who_was_down() {
    let mut plan = plan(vec![("out", refuse(Refusal::Closed))]);
    plan.rules[0].when = When::At { first: Duration::from_secs(3), repeat: None };
    let story = |closes: bool, lost_at| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60);
        if closes {
            story.tell(What::ListenerMuted {
                listener: ListenerId(0),
                mechanism: Mechanism::Closed,
                from: None,
                dropped: None,
            });
        }
        story.at(lost_at).ends(1, Side::Device, Ending::Fin).closes(1);
        story.at(11_000.max(lost_at)).heals(1).at(12_500).joins(2, 0, "a", 60);
        story.at(20_000).results(&plan)
    };
    let results = story(true, 4_000);
    assert_eq!(values(&results, Metric::Recovery), [exact(1_500)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(8_500)]);
    assert_eq!(values(&results, Metric::ConnectsRefused), []);
    // Without the listener closed there is nothing to show that anyone was refused.
    assert_eq!(values(&story(false, 4_000), Metric::Recovery), []);
    // Who lost its link after it was over was not kept out.
    assert_eq!(values(&story(true, 12_000), Metric::Recovery), []);
    // Nor is it known to be of who left in good order, and came again when it liked.
    let mut leaves = Story::new();
    leaves.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).tell(What::ListenerMuted {
        listener: ListenerId(0),
        mechanism: Mechanism::Closed,
        from: None,
        dropped: None,
    });
    leaves.at(4_000).up(1, Packet::Disconnect { reason: 0 }).ends(1, Side::Device, Ending::Fin).closes(1);
    let results = leaves.at(11_000).heals(1).at(62_500).joins(2, 0, "a", 60).at(70_000).results(&plan);
    assert_eq!(values(&results, Metric::Recovery), []);
    assert_eq!(outcomes(&results), [Outcome::NothingMet]);
    assert_eq!(results.runs[0].devices[&DeviceId(0)].down, Some(Duration::ZERO));
}

/// The same of a path that is dark: the connects that a closed listener refused were not seen.
#[test]
fn a_connect_that_is_the_sign_of_a_dark_link_may_not_be_the_first() {
    let mut plan = plan(vec![("out", refuse(Refusal::Closed)), ("dark", blackhole("8s"))]);
    plan.rules[0].when = When::At { first: Duration::from_secs(3), repeat: None };
    let hidden = Value::Between { after: Duration::ZERO, before: Duration::from_millis(8_500) };
    for (closes, expected) in [(true, hidden), (false, exact(8_500))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(3_000);
        if closes {
            story.opens(1, 0, 0, 60).tell(What::ListenerMuted {
                listener: ListenerId(0),
                mechanism: Mechanism::Closed,
                from: None,
                dropped: None,
            });
        }
        story.at(4_000).opens(2, 1, 0, 60).applies(2, 1, Mechanism::Gate).at(12_000);
        if closes {
            story.heals(1);
        }
        story.lifts(2, 1).heals(2).at(12_500).joins(2, 0, "a", 60);
        let results = story.at(20_000).over().results(&plan);
        assert_eq!(values(&results, Metric::DeviceDetection), [expected], "{closes}");
    }
}

/// A link that outlived a fault is one like any other when it is lost later.
#[test]
fn a_link_that_is_lost_after_the_fault_that_it_outlived_is_an_outage() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::Gate);
    story.at(11_000).lifts(1, 1).heals(1).at(20_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
    story.at(300_000).ends(1, Side::Hub, Ending::Fin).closes(1).at(360_000).joins(2, 0, "a", 60);
    let results = story.at(400_000).over().results(&plan);
    assert_eq!(outcomes(&results), [Outcome::Survived]);
    assert_eq!(results.runs[0].devices[&DeviceId(0)].down, Some(Duration::from_secs(60)));
    assert_eq!(results.runs[0].outages.len(), 1);
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(1)]);
}

/// The reset is at 4 s; the connect at 12.5 s is the first that is seen, and maybe not the first.
#[test]
fn a_sign_that_a_closed_listener_may_have_hidden_is_known_as_a_bracket() {
    let mut plan = plan(vec![("out", refuse(Refusal::Closed)), ("reset", rst(Toward::Both, LegFate::Reset))]);
    plan.rules[0].when = When::At { first: Duration::from_secs(3), repeat: None };
    let between = |after, before| {
        let of = Duration::from_millis;
        Value::Between { after: of(after), before: of(before) }
    };
    for (closes, tapped, opened_at, expected) in [
        (Some(3_000), false, 11_000, between(0, 8_500)),
        (Some(6_000), false, 11_000, between(2_000, 8_500)),
        (Some(3_000), true, 11_000, exact(8_500)),
        (Some(3_000), false, 3_900, exact(8_500)),
        (None, false, 11_000, exact(8_500)),
    ] {
        let mut story = Story::new();
        if tapped {
            let news = crate::event::WireNews::Opened { ports: vec![1883], hub_ports: vec![1883] };
            story.tell(What::Wire { news });
        }
        story.joins(1, 0, "a", 60);
        let shut = |story: &mut Story, at| {
            story.at(at).opens(1, 0, 0, 60).tell(What::ListenerMuted {
                listener: ListenerId(0),
                mechanism: Mechanism::Closed,
                from: None,
                dropped: None,
            });
        };
        closes.filter(|at| *at < 4_000).into_iter().for_each(|at| shut(&mut story, at));
        if opened_at < 4_000 {
            story.at(opened_at).heals(1);
        }
        story.at(4_000).opens(2, 1, 0, 60).applies(2, 1, Mechanism::Linger);
        story.cut(1, Side::Device, LegFate::Reset, 2).cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
        closes.filter(|at| *at > 4_000).into_iter().for_each(|at| shut(&mut story, at));
        if opened_at > 4_000 && closes.is_some() {
            story.at(opened_at).heals(1);
        }
        let results = story.at(12_500).joins(2, 0, "a", 60).at(20_000).over().results(&plan);
        assert_eq!(values(&results, Metric::DeviceDetection), [expected], "{closes:?} {tapped} {opened_at}");
    }
}

#[test]
fn a_device_that_gives_up_waiting_for_connack_shows_how_long_it_waits() {
    let plan = plan(vec![("lost", drops(PacketKind::Connack))]);
    let waited = |dropped: bool, by_the_hub: bool| {
        let mut story = Story::new();
        story.connect(1, 0, "a", 2).at(100);
        story.fares(1, Direction::Down, answers(0, None), (!dropped).then(|| answers(0, None)));
        story.at(5_000);
        if by_the_hub {
            story.ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        }
        story.ends(1, Side::Device, Ending::Fin).closes(1);
        values(&story.results(&plan), Metric::ConnackWait)
    };
    assert_eq!(waited(true, false), [exact(5_000)]);
    assert_eq!(waited(false, false), []);
    assert_eq!(waited(true, true), []);
}

/// The command is told to end while its device waits, in its second outage: neither that wait nor that end is the device's.
#[test]
fn who_is_told_to_end_shows_no_wait_and_no_interval() {
    for (stopped, intervals, waits) in [(None, 2, 1), (Some(30_500), 2, 0), (Some(29_500), 1, 0)] {
        let mut story = Story::new();
        for link in 1..=3 {
            story.at((link - 1) * 10_000).joins(link, 0, "a", 60).at(link * 10_000);
            if link == 3 {
                stopped
                    .filter(|at| *at < 30_000)
                    .map(|at| story.at(at).tell(What::CommandStopped).at(30_000));
            }
            story.ends(link, Side::Device, Ending::Fin).closes(link);
        }
        story.at(30_100).connect(4, 0, "a", 60);
        stopped.filter(|at| *at > 30_000).map(|at| story.at(at).tell(What::CommandStopped));
        story.at(31_000).ends(4, Side::Device, Ending::Fin).closes(4).over();
        let results = story.results(&plan(Vec::new()));
        assert_eq!(values(&results, Metric::DisconnectInterval).len(), intervals, "{stopped:?}");
        assert_eq!(values(&results, Metric::ConnackWait).len(), waits, "{stopped:?}");
    }
}

/// Some hubs close the older link a moment before brownout sees that they accepted the other client.
#[test]
fn a_takeover_is_told_by_the_hub_that_ends_the_link() {
    let plan = plan(vec![("other", Fault::Takeover(Takeover { hold: span("5s"), again: None }))]);
    for (ended, accepted) in [(3_000, 3_002), (3_002, 3_000)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(2_900).opens(1, 0, 0, 60);
        let mut steps = [(ended, true), (accepted, false)];
        steps.sort_unstable();
        for (at, is_end) in steps {
            story.at(at);
            if is_end {
                story.ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
            } else {
                story.rival(1, 1, RivalNews::Accepted);
            }
        }
        story.closes(1).at(4_000).joins(2, 0, "a", 60);
        let results = story.at(20_000).results(&plan);
        assert_eq!(causes(&results)[0], Cause::TakenOverBy(RuleId(0)));
        assert_eq!(outcomes(&results), [Outcome::Back], "{ended}");
        assert_eq!(values(&results, Metric::DeviceDetection), [exact(4_000 - accepted)]);
    }
}

/// Guards against the second and later links that a rival takes over being told as closed by the hub for no reason.
#[test]
fn a_rival_that_comes_back_takes_over_the_link_of_then() {
    let plan = plan(vec![("other", Fault::Takeover(Takeover { hold: span("9s"), again: None }))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60);
    for (link, at) in [(1, 3_000), (2, 5_000), (3, 7_000)] {
        story.at(at).rival(1, 1, RivalNews::Accepted).ends(link, Side::Hub, Ending::Fin);
        story.carried(link, Side::Device).closes(link).at(at + 100).joins(link + 1, 0, "a", 60);
    }
    let results = story.at(20_000).results(&plan);
    assert_eq!(causes(&results)[..3], [Cause::TakenOverBy(RuleId(0)); 3]);
}

#[test]
fn a_takeover_that_the_hub_refuses_did_not_happen() {
    let plan = plan(vec![("other", Fault::Takeover(Takeover { hold: span("5s"), again: None }))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).rival(1, 1, RivalNews::Refused { code: 5 });
    let results = story.at(9_000).heals(1).at(20_000).results(&plan);
    assert_eq!(outcomes(&results), [Outcome::NothingMet]);
    assert_eq!(causes(&results), [Cause::StillOpen]);
}

#[test]
fn a_half_closed_link_is_the_faults_and_its_end_is_the_sign() {
    let plan = plan(vec![("half", Fault::HalfClose(HalfClose { toward: Side::Device }))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::HalfShut).heals(1);
    story.at(3_400).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub).closes(1);
    story.at(4_000).joins(2, 0, "a", 60);
    let results = story.at(90_000).results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(400)]);
    assert_eq!(causes(&results)[0], Cause::Injected(Some(RuleId(0))));
}

/// By the other rule it was told FIN: what it answers is no sign that it has found the first one's fault.
#[test]
fn who_was_told_by_a_half_close_has_not_noticed_another_fault() {
    let half = Fault::HalfClose(HalfClose { toward: Side::Device });
    let plan = plan(vec![("slow", stall(WaysWanted::Both, "30s")), ("half", half)]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(6_000).opens(2, 1, 0, 2).applies(2, 1, Mechanism::HalfShut).heals(2);
    story.at(6_100).ends(1, Side::Device, Ending::Fin);
    let results = story.at(90_000).over().results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [never(3_000), exact(100)]);
}

/// Connects that are reset before their CONNECT show no identifier.
#[test]
fn refused_connects_behind_a_shared_address_may_be_of_the_device_that_was_reset() {
    let refuse = Fault::Refuse(Refuse { how: Refusal::Reset, hold: "9s".parse().unwrap() });
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset)), ("refuse", refuse)]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).joins(2, 1, "b", 60).at(3_000).opens(1, 1, 2, 60).opens(2, 0, 0, 60);
    story.applies(2, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 2);
    story.cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
    for (link, at) in [(3, 4_000), (4, 6_000)] {
        story.at(at).opens_link(link, 2, "10.0.0.1").applies(1, link, Mechanism::Linger);
        story.cut(link, Side::Device, LegFate::Reset, 1).closes(link);
    }
    let results = story.at(12_000).heals(1).at(14_000).joins(5, 0, "a", 60).at(20_000).results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [between(1_000, 11_000)]);
}

/// In the dark of another fault they had said nothing yet when a third one cut them.
#[test]
fn connects_that_no_window_fell_on_may_be_of_the_device_that_was_reset() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    let peer = |story: &mut Story, link| {
        let (listener, peer) = (ListenerId(0), format!("127.0.0.1:{link}"));
        story.tell(What::LinkOpened { link: LinkId(link), listener, peer, to: None });
    };
    story.joins(1, 0, "a", 60).joins(2, 1, "b", 60).at(3_000).opens(2, 0, 0, 60);
    story.applies(2, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 2);
    story.cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
    for (link, at) in [(3, 4_000), (4, 6_000)] {
        peer(story.at(at), link);
        story.at(at + 1_500).ends(link, Side::Device, Ending::Fin).closes(link);
    }
    let results = story.at(14_000).joins(5, 0, "a", 60).at(20_000).results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [between(1_000, 11_000)]);
    let attempts = Value::CountBetween { least: 1, most: Some(3) };
    assert_eq!(values(&results, Metric::ConnectAttempts), [attempts]);
}

#[test]
fn who_leaves_soon_after_a_packet_that_was_put_in_minds_it() {
    let inject = Inject { toward: Side::Device, what: Injection::Pingreq };
    let plan = plan(vec![("inject", Fault::Inject(inject))]);
    for (leaves, expected) in [(8_000, vec![exact(5_000)]), (8_001, vec![])] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::Injected).heals(1);
        story.at(leaves).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub).closes(1);
        let results = story.at(9_000).joins(2, 0, "a", 60).at(90_000).over().results(&plan);
        assert_eq!(values(&results, Metric::DeviceDetection), expected, "{leaves}");
    }
}

/// Nobody minded the packet; a second later the link was reset.
#[test]
fn a_link_that_another_fault_cuts_was_not_lost_to_a_packet_put_in() {
    let inject = Fault::Inject(Inject { toward: Side::Device, what: Injection::Pingreq });
    let plan = plan(vec![("inject", inject), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::Injected).heals(1);
    story.at(4_000).opens(2, 1, 0, 60).applies(2, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 2).cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
    let results = story.at(6_000).joins(2, 0, "a", 60).at(90_000).over().results(&plan);
    assert_eq!(outcomes(&results), [Outcome::EndedOtherwise, Outcome::Back]);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(2_000)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(2_000)]);
}

#[test]
fn who_is_refused_on_a_slow_path_has_lost_no_link() {
    let plan = plan(vec![("slow", latency(300, "30s"))]);
    let mut story = Story::new();
    story.opens(1, 0, 0, 60).connect(1, 0, "a", 60).applies(1, 1, Mechanism::Lane).at(600);
    story.down(1, answers(5, None)).at(601).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
    story.at(700).ends(1, Side::Device, Ending::Fin).closes(1);
    let results = story.at(40_000).heals(1).at(50_000).over().results(&plan);
    assert_eq!(outcomes(&results), [Outcome::EndedOtherwise]);
    for metric in [Metric::HubDetection, Metric::DeviceDetection, Metric::Downtime, Metric::Recovery] {
        assert_eq!(values(&results, metric), [], "{metric:?}");
    }
}

/// Pings vanish from the first one on that met the fault: the device should find the link dead from there.
#[test]
fn pings_that_vanish_are_detected_from_the_first() {
    let plan = plan(vec![("mute", drops(PacketKind::Pingresp))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 4).opens(1, 0, 0, 4).at(4_000).up(1, Packet::Pingreq);
    story.at(4_010).fares(1, Direction::Down, Packet::Pingresp, None);
    story.altered(1, Direction::Down, 1, Alteration::Dropped { acknowledged: false });
    story.applies(1, 1, Mechanism::Packets).at(6_010).ends(1, Side::Device, Ending::Fin);
    let results = story.carried(1, Side::Hub).closes(1).at(9_000).results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(2_000)]);
    assert_eq!(values(&results, Metric::PingRtt), []);
}

#[test]
fn a_device_that_leaves_under_a_fault_that_leaves_links_up_is_told_so() {
    let slow = || ("slow", latency(300, "8s"));
    let dark = || ("dark", blackhole("8s"));
    let cause = |rules, second: bool| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
        if second {
            story.opens(2, 1, 0, 2).applies(2, 1, Mechanism::Gate);
        }
        story.at(5_000).ends(1, Side::Device, Ending::Fin).closes(1);
        causes(&story.results(&plan(rules)))[0]
    };
    assert_eq!(cause(vec![slow()], false), Cause::While(RuleId(0)));
    assert_eq!(cause(vec![slow(), dark()], true), Cause::Closed(Side::Device));
}

/// The hub ends its leg, and the device, which was told, does not close its own: the fault finds a link that is over.
#[test]
fn what_an_end_had_given_up_was_not_ended_by_a_fault() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    for (fires, expected) in [(1_999, Cause::Injected(Some(RuleId(0)))), (2_001, Cause::Closed(Side::Hub))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60);
        let ends = |story: &mut Story| {
            story.at(2_000).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        };
        if fires > 2_000 {
            ends(&mut story);
        }
        story.at(fires).opens(1, 0, 0, 60).applies(1, 1, Mechanism::Linger);
        story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1);
        if fires < 2_000 {
            ends(&mut story);
        }
        let results = story.closes(1).at(9_000).over().results(&plan);
        assert_eq!(causes(&results), [expected], "{fires}");
    }
}

/// A fault of packets that holds to the end: a link that the end of the run closes outlived it; one that its device leaves
/// did not.
#[test]
fn a_link_that_is_up_when_the_run_ends_outlived_what_held() {
    let plan = plan(vec![("mute", drops(PacketKind::Puback))]);
    for (leaves, expected) in [(false, Outcome::Survived), (true, Outcome::Gone)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 4).opens(1, 0, 0, 4).applies(1, 1, Mechanism::Packets).at(4_000);
        if leaves {
            story.ends(1, Side::Device, Ending::Fin);
        }
        story.closes(1).at(4_001).over();
        assert_eq!(outcomes(&story.results(&plan)), [expected]);
    }
}

#[test]
fn a_keep_alive_made_another_on_the_way_is_remembered_as_each_end_was_told() {
    let edit = Edit { keep_alive: Some(4), ..Edit::default() };
    let plan = plan(vec![("short", packets(PacketKind::Connect, PacketAction::Edit(edit)))]);
    let asked = |version, told: u16, answer: Option<u16>| {
        let mut story = Story::new();
        story.opens_link(1, 0, "a");
        let connect = |keep_alive| asks("a", version, keep_alive, None);
        story.fares(1, Direction::Up, connect(60), Some(connect(told)));
        story.fares(1, Direction::Down, answers(0, None), Some(answers(0, answer)));
        story.at(1_000).results(&plan).runs[0].devices.values().next().unwrap().rewritten
    };
    let told =
        KeepAlive { version: Version::V5, asked: 60, hub_told: 4, hub_answered: None, device_told: Some(4) };
    assert_eq!(asked(Version::V5, 4, Some(4)), Some(told));
    let (device, hub) = (told.of_device(), told.of_hub());
    assert_eq!((device, hub), (Duration::from_secs(4), Duration::from_secs(4)));
    let old = KeepAlive { version: Version::V311, device_told: None, ..told };
    assert_eq!(asked(Version::V311, 4, None), Some(old));
    assert_eq!(old.of_device(), Duration::from_secs(60));
    assert_eq!(asked(Version::V311, 60, None), None);
}

/// libmosquitto takes the Server Keep Alive for its own, and asks for it the next time.
#[test]
fn what_a_device_asked_for_first_is_what_it_came_with() {
    let edit = Edit { server_keep_alive: Some(4), ..Edit::default() };
    let plan = plan(vec![("short", packets(PacketKind::Connack, PacketAction::Edit(edit)))]);
    let mut story = Story::new();
    for (link, asked) in [(1, 60), (2, 4)] {
        let connect = asks("a", Version::V5, asked, None);
        story.opens_link(link, 0, "a").fares(link, Direction::Up, connect, None);
        story.fares(link, Direction::Down, answers(0, None), Some(answers(0, Some(4))));
        story.at(1_000 * link).ends(link, Side::Device, Ending::Fin).closes(link);
    }
    let results = story.results(&plan);
    let rewritten = results.runs[0].devices.values().next().unwrap().rewritten.unwrap();
    assert_eq!((rewritten.asked, rewritten.device_told), (60, Some(4)));
}

/// The hub was told 4 s in the place of 60: it is held to what it was told.
#[test]
fn the_hubs_limits_go_by_the_keep_alive_that_it_was_told() {
    let plan = plan(vec![("dark", blackhole("90s"))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60);
    if let What::WindowOpened { hub_keep_alive_ns, .. } = &mut story.events.last_mut().unwrap().what {
        *hub_keep_alive_ns = Some(4_000_000_000);
    }
    story.applies(1, 1, Mechanism::Gate).at(9_000).ends(1, Side::Hub, Ending::Fin);
    let results = story.at(30_000).results(&plan);
    let of = |metric| {
        let sample = results.runs[0].samples.iter().find(|sample| sample.metric == metric);
        sample.map(|sample| sample.keep_alive.as_secs())
    };
    assert_eq!(of(Metric::HubDetection), Some(4));
    assert_eq!(of(Metric::DeviceDetection), None);
}

/// Five devices are reset 100 ms apart; one says goodbye before, one never comes back.
#[test]
fn a_fleet_dips_and_comes_back() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let names = ["a", "b", "c", "d", "e"];
    let fleet = |stays_away: bool| {
        let mut story = Story::new();
        for (device, name) in (0..).zip(names) {
            story.joins(u64::from(device) + 1, device, name, 60);
        }
        story.at(1_000).up(5, Packet::Disconnect { reason: 0 }).ends(5, Side::Device, Ending::Fin).closes(5);
        story.at(3_000).tell(What::Fired { firing: crate::base::FiringId(1), rule: RuleId(0), nth: 1 });
        for device in 0..4_u32 {
            let link = u64::from(device) + 1;
            story.at(3_000 + 100 * u64::from(device)).opens(link, 0, device, 60);
            if let What::WindowOpened { firing, .. } = &mut story.events.last_mut().unwrap().what {
                *firing = crate::base::FiringId(1);
            }
            story.applies(link, link, Mechanism::Linger).cut(link, Side::Device, LegFate::Reset, link);
            story.cut(link, Side::Hub, LegFate::Reset, link).heals(link).closes(link);
        }
        for device in 0..if stays_away { 3 } else { 4_u32 } {
            let link = u64::from(device) + 10;
            story.at(5_000 + 1_000 * u64::from(device)).joins(link, device, names[device as usize], 60);
        }
        story.at(20_000).results(&plan)
    };
    let results = fleet(false);
    assert_eq!(values(&results, Metric::Dip), [Value::Count(4)]);
    assert_eq!(results.runs[0].fleet.most, 5);
    assert_eq!(values(&results, Metric::FleetRecovery), [exact(4_700)]);
    assert_eq!(values(&results, Metric::ReconnectSpread), [exact(3_000)]);
    let results = fleet(true);
    assert_eq!(values(&results, Metric::FleetRecovery), [never(16_700)]);
    assert_eq!(values(&results, Metric::ReconnectSpread), [exact(2_000)]);
}

#[test]
fn a_healthy_fleet_does_not_dip() {
    let mut story = Story::new();
    assert_eq!(values(&story.at(1_000).results(&plan(Vec::new())), Metric::Dip), []);
    story.joins(1, 0, "a", 60).joins(2, 1, "b", 60);
    // The next link is accepted before the older one goes.
    story.at(2_000).joins(3, 0, "a", 60).at(2_001).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(9_000).over();
    let ends = values(&story.results(&plan(Vec::new())), Metric::Dip);
    assert_eq!(ends, [Value::Count(0)]);
}

/// Some clients say DISCONNECT as they close, whatever it is that they close for.
#[test]
fn a_disconnect_in_answer_to_the_hubs_end_is_no_leave_taken() {
    let told = |in_answer: bool| {
        let goodbye = Packet::Disconnect { reason: 0 };
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(2_000);
        if in_answer {
            story.ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        }
        story.at(2_001).passes(1, Direction::Up, goodbye, false).ends(1, Side::Device, Ending::Fin).closes(1);
        let results = story.at(5_000).joins(2, 0, "a", 60).at(9_000).over().results(&plan(Vec::new()));
        let run = &results.runs[0];
        let down = run.devices.values().next().unwrap().down;
        (run.fleet.dip, down, run.outages.len())
    };
    assert_eq!(told(false), (Some(0), Some(Duration::ZERO), 0));
    assert_eq!(told(true), (Some(1), Some(Duration::from_secs(3)), 1));
}

#[test]
fn a_fault_on_each_link_that_struck_none_says_so() {
    let close = Close { toward: Toward::Both, other: LegFate::Reset, close_notify: false };
    let cut = Fault::CutAfter(crate::fault::CutAfter {
        bytes: 1_000,
        direction: Direction::Up,
        ending: LegFate::Reset,
        close,
        hold: None,
    });
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60);
    let results = story.at(9_000).results(&plan(vec![("cap", cut)]));
    assert_eq!(outcomes(&results), [Outcome::NothingMet]);
}

/// The hub takes the device's link for the other client each time that one comes, on whatever link the device is by then.
#[test]
fn each_time_that_another_client_is_accepted_it_takes_the_link_that_is_up() {
    let plan = plan(vec![(
        "other",
        Fault::Takeover(Takeover { hold: span("20s"), again: Some(Duration::from_secs(1)) }),
    )]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(2_900).opens(1, 0, 0, 60);
    for (link, at) in [(1, 3_000), (2, 6_000), (3, 9_000)] {
        // Some hubs end the older link first.
        story.at(at - u64::from(link == 2)).ends(link, Side::Hub, Ending::Fin).carried(link, Side::Device);
        story.at(at).rival(1, 1, RivalNews::Accepted);
        if link == 1 {
            story.applies(1, 1, Mechanism::Rival);
        }
        story.at(at + 1).ends(link, Side::Device, Ending::Fin).closes(link);
        story.at(at + 1_000).joins(link + 1, 0, "a", 60).rival(1, 1, RivalNews::Ended { how: Ending::Fin });
    }
    // Nobody is there to be taken over.
    story.at(11_000).up(4, Packet::Disconnect { reason: 0 }).ends(4, Side::Device, Ending::Fin).closes(4);
    story.at(13_000).rival(1, 1, RivalNews::Accepted);
    let results = story.at(20_000).over().results(&plan);
    assert_eq!(causes(&results)[..3], [Cause::TakenOverBy(RuleId(0)); 3]);
    assert_eq!(causes(&results)[3], Cause::Disconnect(Side::Device));
    assert_eq!(values(&results, Metric::Downtime), [exact(1_000), exact(1_000), exact(1_000)]);
    let codes = results.runs[0].ends.iter().filter_map(|end| end.logged?.code);
    assert_eq!(codes.map(crate::azure::Code::number).collect::<Vec<_>>(), [400_027; 3]);
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!((window.outcome, window.later.len()), (Outcome::Back, 2));
}

/// Of WebSocket there is no CONNECT to send: that is no doing of the hub's.
#[test]
fn a_rival_that_cannot_come_is_told_with_the_reason() {
    let fault = Fault::Takeover(Takeover { hold: span("20s"), again: Some(Duration::from_secs(1)) });
    let plan = plan(vec![("rival", fault)]);
    let refused = |comes: bool| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(2_900).opens(1, 0, 0, 60);
        for at in [3_000, 4_000] {
            story.at(at).rival(1, 1, RivalNews::Failed { error: "no CONNECT".into() });
        }
        if comes {
            story.at(5_000).rival(1, 1, RivalNews::Accepted);
        }
        let results = story.at(20_000).over().results(&plan);
        (results.runs[0].windows.values().next().unwrap().refused.clone(), outcomes(&results))
    };
    assert_eq!(refused(false), (vec!["no CONNECT".to_owned()], vec![Outcome::NoLink]));
    assert_eq!(refused(true).0, Vec::<String>::new());
}

/// A lifetime stands for tokens that brownout cannot read: a device that comes back and is accepted has shown none that
/// was stale.
#[test]
fn a_device_whose_link_a_lifetime_cut_gives_evidence_of_stale_tokens() {
    let plan = plan(vec![("token", expiry(Some("10s")))]);
    for (stale, expected) in [(false, 0), (true, 1)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).opens(1, 0, 0, 60).joins(9, 1, "without", 60);
        story.at(10_000).cut(1, Side::Device, LegFate::Close, 1).cut(1, Side::Hub, LegFate::Close, 1);
        story.applies(1, 1, Mechanism::Shutdown).closes(1);
        if stale {
            let code = ConnackCode { return_code: 5, reason_code: 0x87 };
            story
                .at(10_100)
                .connect(2, 0, "a", 60)
                .cut(2, Side::Device, LegFate::Rejected(code), 1)
                .closes(2);
        }
        let results = story.at(10_500).joins(3, 0, "a", 60).at(15_000).over().results(&plan);
        assert_eq!(values(&results, Metric::StaleTokens), [Value::Count(expected)]);
    }
}

/// What shows the password of the link before is no fresh token: after the expiry it is a stale one, or a password that does
/// not expire.
#[test]
fn the_same_password_again_is_no_fresh_token() {
    let plan = plan(vec![("token", expiry(Some("10s")))]);
    let shows = |again| {
        let mut packet = asks("a", Version::V311, 60, None);
        if let Packet::Connect { same_password, .. } = &mut packet {
            *same_password = again;
        }
        packet
    };
    let back = |at, again| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).opens(1, 0, 0, 60);
        if at > 10_000 {
            story.at(10_000).cut(1, Side::Device, LegFate::Close, 1).cut(1, Side::Hub, LegFate::Close, 1);
            story.applies(1, 1, Mechanism::Shutdown);
        } else {
            story.at(at).up(1, Packet::Disconnect { reason: 0 }).ends(1, Side::Device, Ending::Fin);
        }
        story.closes(1).at(at).opens_link(2, 0, "a").up(2, shows(again)).connack(2, false, 0);
        let results = story.at(15_000).over().results(&plan);
        let of = |metric| values(&results, metric);
        (of(Metric::TokenMargin), of(Metric::TokenLate), of(Metric::StaleTokens))
    };
    let perhaps = |most| vec![Value::CountBetween { least: 0, most: Some(most) }];
    assert_eq!(back(10_500, false), (vec![], vec![exact(500)], vec![Value::Count(0)]));
    assert_eq!(back(10_500, true), (vec![], vec![], perhaps(1)));
    assert_eq!(back(8_000, false), (vec![exact(2_000)], vec![], vec![Value::Count(0)]));
    assert_eq!(back(8_000, true), (vec![], vec![], vec![Value::Count(0)]));
}

/// The hub accepted it and logs its end, whether the CONNACK was dropped, or let through when the device had gone.
#[test]
fn a_link_whose_connack_never_reached_the_device_is_one_to_the_hub_alone() {
    let plan = plan(vec![("mute", stall(WaysWanted::Down, "20s"))]);
    for (dropped, accepted) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut story = Story::new();
        let code = if accepted { 0 } else { 3 };
        story.joins(1, 0, "a", 2).at(3_000).up(1, Packet::Disconnect { reason: 0 });
        story.ends(1, Side::Device, Ending::Fin).closes(1).at(4_000).connect(2, 0, "a", 2);
        if dropped {
            story.fares(2, Direction::Down, answers(code, None), None);
        } else {
            story.passes(2, Direction::Down, answers(code, None), true);
        }
        let connack = story.seq();
        story.at(6_000).ends(2, Side::Device, Ending::Fin).carried(2, Side::Hub).ends(
            2,
            Side::Hub,
            Ending::Fin,
        );
        if !dropped {
            story.at(9_000).forwarded(2, Direction::Down, connack);
        }
        let results = story.closes(2).at(12_000).over().results(&plan);
        let run = &results.runs[0];
        assert_eq!(run.devices.values().next().unwrap().accepted, 1, "the device never was");
        assert_eq!(run.ends[1].accepted, None);
        let is_logged = run.ends[1].logged.is_some();
        assert_eq!(is_logged, accepted || !dropped, "{dropped} {accepted}");
        assert_eq!((run.fleet.most, run.fleet.dip), (1, Some(0)));
    }
}

/// Let through when the device had long gone, an answer ends no round trip and no outage.
#[test]
fn what_comes_through_when_the_device_has_gone_reached_nobody() {
    let plan =
        plan(vec![("mute", stall(WaysWanted::Down, "20s")), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(4_000).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Linger).cut(
        1,
        Side::Device,
        LegFate::Reset,
        2,
    );
    story.cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
    story.at(4_500).connect(2, 0, "a", 2).applies(1, 2, Mechanism::Gate);
    story.passes(2, Direction::Down, answers(0, None), true);
    let connack = story.seq();
    story.at(5_000).up(2, Packet::Pingreq).passes(2, Direction::Down, Packet::Pingresp, true);
    let pingresp = story.seq();
    story.at(6_500).ends(2, Side::Device, Ending::Fin).carried(2, Side::Hub).ends(2, Side::Hub, Ending::Fin);
    story.at(23_000).lifts(1, 2).forwarded(2, Direction::Down, connack);
    story.forwarded(2, Direction::Down, pingresp).closes(2).heals(1);
    let results = story.at(23_500).joins(3, 0, "a", 2).at(30_000).over().results(&plan);
    assert_eq!(values(&results, Metric::Downtime), [exact(19_500)]);
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(2)]);
    assert_eq!(values(&results, Metric::PingRtt), []);
    assert_eq!((results.runs[0].fleet.most, results.runs[0].fleet.dip), (1, Some(1)));
    // What held the link when another fault cut it did not leave it whole.
    assert_eq!(outcomes(&results), [Outcome::EndedOtherwise, Outcome::Back]);
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!(window.end, Some(Cause::Injected(Some(RuleId(1)))));
}

/// Nothing more is read of a leg that a fault left half-open: its silence is not the device's.
#[test]
fn a_device_that_was_left_half_open_misses_no_keep_alive() {
    let plan = plan(vec![("reset", rst(Toward::Hub, LegFate::HalfOpen))]);
    let story = |is_cut: bool| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000);
        if is_cut {
            story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Parked).cut(1, Side::Hub, LegFate::Reset, 1);
            story.cut(1, Side::Device, LegFate::HalfOpen, 1).heals(1);
        }
        story.at(6_000).tell(What::KeepaliveExceeded { link: LinkId(1), gap_ns: 3_000_000_000, took_ns: 0 });
        story.ends(1, Side::Device, Ending::Fin).closes(1);
        story.at(9_000).over().results(&plan).runs[0].devices.values().next().unwrap().violations
    };
    assert_eq!((story(true), story(false)), (0, 1));
}

/// Nobody has to say anything before CONNACK, nor once the hub has given the link up.
#[test]
fn a_wait_for_connack_and_a_link_that_the_hub_has_left_miss_no_keep_alive() {
    let plan = plan(vec![("lost", drops(PacketKind::Connect))]);
    let exceeded = |gap_ns| What::KeepaliveExceeded { link: LinkId(1), gap_ns, took_ns: 0 };
    let violations = |story: &mut Story| story.over().results(&plan).runs[0].devices[&DeviceId(0)].violations;

    let mut story = Story::new();
    story.opens_link(1, 0, "a").fares(1, Direction::Up, asks("a", Version::V311, 2, None), None);
    story.at(10_000).tell(exceeded(10_000_000_000)).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(11_000).joins(2, 0, "a", 2).at(12_000);
    assert_eq!(violations(&mut story), 0, "no CONNACK");

    // (the hub's end, so many violations)
    for (left, expected) in [(2_200, 0), (2_201, 1)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(left).ends(1, Side::Hub, Ending::Fin);
        story.at(10_000).tell(exceeded(10_000_000_000)).ends(1, Side::Device, Ending::Fin).closes(1);
        assert_eq!(violations(&mut story), expected, "{left}");
    }
}

/// The findings excuse it, so the figure does: PINGREQ was sent, and its answer kept back.
#[test]
fn a_wait_for_a_pingresp_that_a_fault_dropped_misses_no_keep_alive() {
    let plan = plan(vec![("lost", drops(PacketKind::Pingresp))]);
    // (whether the next one passed, so many violations)
    for (answered, expected) in [(false, 0), (true, 1)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(2_000).passes(1, Direction::Up, Packet::Pingreq, false);
        story.fares(1, Direction::Down, Packet::Pingresp, None);
        if answered {
            story.at(4_000).passes(1, Direction::Up, Packet::Pingreq, false);
            story.passes(1, Direction::Down, Packet::Pingresp, false);
        }
        let gap_ns = 5_000_000_000;
        story.at(9_000).tell(What::KeepaliveExceeded { link: LinkId(1), gap_ns, took_ns: 0 });
        story.passes(1, Direction::Up, Packet::Pingreq, false);
        let results = story.over().results(&plan);
        assert_eq!(results.runs[0].devices[&DeviceId(0)].violations, expected, "{answered}");
    }
}

/// A fault of packets that goes on over a device's links is judged where it began.
#[test]
fn a_fault_of_packets_is_judged_on_the_first_link_that_it_fell_on() {
    let plan = plan(vec![("lost", drops(PacketKind::Connect))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(3_000).opens(1, 0, 0, 60).ends(1, Side::Device, Ending::Fin).closes(1);
    for (link, at) in [(2, 4_000), (3, 8_000), (4, 12_000)] {
        story.at(at).opens_link(link, 0, "a");
        story.fares(link, Direction::Up, asks("a", Version::V311, 60, None), None);
        story.altered(link, Direction::Up, 1, Alteration::Dropped { acknowledged: false });
        story.applies(1, link, Mechanism::Packets).at(at + 2_000).ends(link, Side::Device, Ending::Fin);
        story.closes(link);
    }
    story.at(15_000).heals(1).at(16_000).joins(5, 0, "a", 60);
    let results = story.at(20_000).over().results(&plan);
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!((window.outcome, window.attempts), (Outcome::Back, 3));
    assert_eq!(values(&results, Metric::Downtime), [exact(12_000)]);
}

/// A middlebox that resets forgets a link while the fault holds, and resets it when somebody speaks, later.
#[test]
fn a_link_that_is_reset_after_its_window_was_lost_to_it() {
    let idle = IdleTimeout { after: span("1s"), then: Forgotten::Reset, hold: Some(span("3s")) };
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(1_000).opens(1, 0, 0, 60).at(4_000).heals(1);
    story.at(5_000).applies(1, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 1);
    story.cut(1, Side::Hub, LegFate::Reset, 1).closes(1).at(5_700).joins(2, 0, "a", 60).at(90_000).over();
    let results = story.results(&plan(vec![("nat", Fault::IdleTimeout(idle))]));
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!(window.outcome, Outcome::Back);
    for metric in [Metric::DeviceDetection, Metric::Downtime, Metric::Recovery] {
        assert_eq!(values(&results, metric), [exact(700)], "{metric:?}");
    }
}
