//! Who noticed, and after how long.

use super::catalogue::drops;
use crate::base::{Direction, LinkId, RuleId, Side, WindowId};
use crate::event::{Packet, What};
use crate::fault::{Alteration, Close, Ending, Fault, LegFate, Mechanism, Toward, WaysWanted};
use crate::measure::story::{Story, between, blackhole, exact, latency, never, plan, rst, stall, values};
use crate::measure::{Cause, Outcome, Value};
use crate::mqtt::PacketKind;
use crate::profile::Metric;

/// Joined at 0, last heard of at 2 s, fault from 3 s.
pub(super) fn struck(by: Mechanism) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(2_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, by);
    story
}

struct Case {
    name: &'static str,
    fault: Fault,
    by: Mechanism,
    tell: fn(&mut Story),
    device: Option<Value>,
    hub: Option<Value>,
    device_silence: Option<Value>,
    hub_silence: Option<Value>,
}

impl Default for Case {
    fn default() -> Case {
        Case {
            name: "",
            fault: blackhole("8s"),
            by: Mechanism::Gate,
            tell: |_| {},
            device: None,
            hub: None,
            device_silence: None,
            hub_silence: None,
        }
    }
}

fn heal(story: &mut Story) {
    story.at(11_000).lifts(1, 1).heals(1);
}

#[test]
fn signs_of_both_ends() {
    let cases = [
        Case {
            name: "each end gives up by itself",
            tell: |s| {
                s.at(5_000).ends(1, Side::Hub, Ending::Fin);
                s.at(6_100).ends(1, Side::Device, Ending::Fin);
                heal(s);
                s.carried(1, Side::Hub).carried(1, Side::Device).closes(1);
            },
            device: Some(exact(3_100)),
            hub: Some(exact(2_000)),
            device_silence: Some(exact(4_100)),
            hub_silence: Some(exact(3_000)),
            ..Case::default()
        },
        Case {
            name: "a ping into the dark shortens the silence, not the detection",
            tell: |s| {
                s.at(4_000).passes(1, Direction::Up, Packet::Pingreq, true);
                s.at(6_000).ends(1, Side::Device, Ending::Reset);
                heal(s);
            },
            device: Some(exact(3_000)),
            device_silence: Some(exact(2_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "DISCONNECT counts at its arrival, and the silence runs from the packet before it",
            tell: |s| {
                let say = Packet::Disconnect { reason: 0 };
                s.at(6_000).passes(1, Direction::Up, say, true).at(6_500).ends(1, Side::Device, Ending::Fin);
                heal(s);
            },
            device: Some(exact(3_000)),
            device_silence: Some(exact(4_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "a new connect is a sign too",
            tell: |s| {
                s.at(7_000).connecting(2, 0, "a", 2, true).applies(1, 2, Mechanism::Gate);
                heal(s);
            },
            device: Some(exact(4_000)),
            device_silence: Some(exact(5_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "a device that is told when the path is restored has not noticed",
            tell: |s| {
                s.at(5_000).ends(1, Side::Hub, Ending::Fin);
                heal(s);
                s.at(11_001).carried(1, Side::Device).at(11_002).ends(1, Side::Device, Ending::Fin);
                s.at(11_100).joins(2, 0, "a", 2);
            },
            device: Some(never(8_000)),
            hub: Some(exact(2_000)),
            hub_silence: Some(exact(3_000)),
            ..Case::default()
        },
        Case {
            name: "told while the path is dark: watched until then",
            tell: |s| {
                s.at(6_000).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
                heal(s);
            },
            device: Some(never(3_000)),
            hub: Some(exact(3_000)),
            hub_silence: Some(exact(4_000)),
            ..Case::default()
        },
        Case {
            name: "told within a keep-alive: nobody had the time",
            tell: |s| {
                s.at(4_999).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
                heal(s);
            },
            device: None,
            hub: Some(exact(1_999)),
            hub_silence: Some(exact(2_999)),
            ..Case::default()
        },
        Case {
            name: "the hub's answer to the device's end is no detection",
            tell: |s| {
                s.at(4_000).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
                s.at(4_001).ends(1, Side::Hub, Ending::Fin);
                heal(s);
            },
            device: Some(exact(1_000)),
            device_silence: Some(exact(2_000)),
            ..Case::default()
        },
        Case {
            name: "a link that survives: both missed it",
            tell: |s| {
                heal(s);
                s.at(11_500).up(1, Packet::Pingreq).down(1, Packet::Pingresp).at(60_000);
            },
            device: Some(never(8_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "an end after the path is restored, of a device that went on: not the fault's",
            tell: |s| {
                heal(s);
                s.at(11_500).up(1, Packet::Pingreq).at(60_000).up(1, Packet::Disconnect { reason: 0 });
                s.carried(1, Side::Hub);
            },
            device: Some(never(8_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "an end after the path is restored, of a device that said nothing since: the fault's",
            tell: |s| {
                heal(s);
                s.at(11_500).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
            },
            device: Some(exact(8_500)),
            device_silence: Some(exact(9_500)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "two keep-alives after the path is restored, of a device that said nothing since: still the fault's",
            tell: |s| {
                heal(s);
                s.at(15_000).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
            },
            device: Some(exact(12_000)),
            device_silence: Some(exact(13_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "later than that: a link of its own that ended of its own",
            tell: |s| {
                heal(s);
                s.at(15_001).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
            },
            device: Some(never(8_000)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "the hub's time-out for a device that never spoke again is the fault's",
            tell: |s| {
                heal(s);
                s.at(11_000).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
            },
            device: Some(never(8_000)),
            hub: Some(exact(8_000)),
            hub_silence: Some(exact(9_000)),
            ..Case::default()
        },
        Case {
            name: "the hub hears all while only the way down stalls",
            fault: stall(WaysWanted::Down, "8s"),
            tell: |s| heal(s),
            device: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "shorter than the keep-alive: nothing to miss",
            tell: |s| {
                s.at(4_999).heals(1).at(30_000);
            },
            ..Case::default()
        },
        Case {
            name: "as long as the keep-alive: missed",
            tell: |s| {
                s.at(5_000).heals(1).at(30_000);
            },
            device: Some(never(2_000)),
            hub: Some(never(2_000)),
            ..Case::default()
        },
        Case {
            name: "a muted leg hides when the device gave up",
            by: Mechanism::MinTtl,
            tell: |s| {
                heal(s);
                s.at(11_600).ends(1, Side::Device, Ending::Fin);
                s.at(30_000);
            },
            device: Some(between(0, 8_600)),
            device_silence: Some(between(1_000, 9_600)),
            hub: Some(never(0)),
            ..Case::default()
        },
        Case {
            name: "what comes soon after a mute may have been said before the end gave up",
            by: Mechanism::Filter,
            tell: |s| {
                heal(s);
                // As long after the mute as it lasted, and a second.
                s.at(20_000).down(1, Packet::Pingresp).at(30_000);
            },
            device: Some(never(0)),
            hub: Some(never(0)),
            ..Case::default()
        },
        Case {
            name: "a muted end that goes on after it had not given up",
            by: Mechanism::Filter,
            tell: |s| {
                heal(s);
                s.at(20_001).down(1, Packet::Pingresp).at(30_000);
            },
            device: Some(never(0)),
            hub: Some(never(8_000)),
            ..Case::default()
        },
        Case {
            name: "a muted hub that was told before it was heard of may have given up long before",
            by: Mechanism::Filter,
            tell: |s| {
                heal(s);
                s.at(11_200).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
                s.ends(1, Side::Hub, Ending::Reset).closes(1);
            },
            device: Some(between(0, 8_200)),
            device_silence: Some(between(1_000, 9_200)),
            hub: Some(never(0)),
            ..Case::default()
        },
        Case {
            name: "reset toward both: the device shows in its next connect, the hub is not heard again",
            fault: rst(Toward::Both, LegFate::Reset),
            by: Mechanism::Linger,
            tell: |s| {
                s.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1);
                s.closes(1).at(3_400).joins(2, 0, "a", 2);
            },
            device: Some(exact(400)),
            device_silence: Some(exact(1_400)),
            ..Case::default()
        },
        Case {
            name: "reset toward both, and the device never comes back",
            fault: rst(Toward::Both, LegFate::Reset),
            by: Mechanism::Linger,
            tell: |s| {
                s.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1);
                s.closes(1).at(9_000);
            },
            device: Some(never(6_000)),
            ..Case::default()
        },
        Case {
            name: "reset toward the device, the hub left half-open: its time-out is measured",
            fault: rst(Toward::Device, LegFate::HalfOpen),
            by: Mechanism::Linger,
            tell: |s| {
                s.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::HalfOpen, 1).heals(1);
                s.at(3_400).joins(2, 0, "a", 2).at(5_100).ends(1, Side::Hub, Ending::Fin).closes(1);
            },
            device: Some(exact(400)),
            device_silence: Some(exact(1_400)),
            hub: Some(exact(2_100)),
            hub_silence: Some(exact(3_100)),
        },
        Case {
            name: "reset toward the hub, the device left half-open: its own sign is measured",
            fault: rst(Toward::Hub, LegFate::HalfOpen),
            by: Mechanism::Linger,
            tell: |s| {
                s.cut(1, Side::Device, LegFate::HalfOpen, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1);
                s.at(6_000).ends(1, Side::Device, Ending::Fin).closes(1);
            },
            device: Some(exact(3_000)),
            device_silence: Some(exact(4_000)),
            ..Case::default()
        },
    ];
    for case in cases {
        let mut story = struck(case.by);
        (case.tell)(&mut story);
        let results = story.results(&plan(vec![("dark", case.fault)]));
        for (metric, expected) in [
            (Metric::DeviceDetection, case.device),
            (Metric::HubDetection, case.hub),
            (Metric::DeviceSilence, case.device_silence),
            (Metric::HubSilence, case.hub_silence),
        ] {
            let seen = values(&results, metric);
            assert_eq!(seen, expected.into_iter().collect::<Vec<_>>(), "{}: {metric}", case.name);
        }
    }
}

#[test]
fn a_sign_after_another_fault_is_that_ones() {
    let two = plan(vec![("dark", blackhole("1s")), ("again", blackhole("8s"))]);
    for (again, first) in [(4_000, vec![exact(3_000)]), (4_001, vec![])] {
        // Dark for a second; then again, and the device gives up at 6.0 s.
        let mut story = struck(Mechanism::Gate);
        if again == 4_000 {
            story.at(again).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Gate).lifts(1, 1).heals(1);
        } else {
            story.at(4_000).lifts(1, 1).heals(1).at(again).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Gate);
        }
        story.at(6_000).ends(1, Side::Device, Ending::Fin).at(12_000).heals(2);
        let results = story.results(&two);
        let of = |rule| -> Vec<Value> {
            let samples = results.runs[0].samples.iter();
            let of_rule =
                samples.filter(|s| s.metric == Metric::DeviceDetection && s.rule == Some(RuleId(rule)));
            of_rule.map(|sample| sample.value).collect()
        };
        assert_eq!(of(0), first, "{again}");
        assert_eq!(of(1), [exact(6_000 - again)], "{again}");
    }
}

#[test]
fn a_slow_path_is_to_blame_while_it_is_slow() {
    for (end, outcome, values_of_device) in
        [(11_000, Outcome::Back, vec![exact(8_000)]), (11_001, Outcome::Survived, vec![])]
    {
        let mut story = struck(Mechanism::Lane);
        if end == 11_000 {
            story.at(end).ends(1, Side::Device, Ending::Fin);
        }
        heal(&mut story);
        if end > 11_000 {
            story.at(end).ends(1, Side::Device, Ending::Fin);
        }
        story.at(12_000).joins(2, 0, "a", 2);
        let results = story.results(&plan(vec![("slow", latency(300, "8s"))]));
        assert_eq!(results.runs[0].windows.values().next().unwrap().outcome, outcome, "{end}");
        assert_eq!(values(&results, Metric::DeviceDetection), values_of_device, "{end}");
    }
}

#[test]
fn a_slow_path_is_to_blame_for_an_answer_that_it_made_late() {
    for (answered, expected) in [(false, vec![exact(9_000)]), (true, vec![])] {
        let mut story = struck(Mechanism::Lane);
        story.at(10_900).passes(1, Direction::Up, Packet::Pingreq, true);
        heal(&mut story);
        if answered {
            story.at(11_500).down(1, Packet::Pingresp);
        }
        story.at(12_000).ends(1, Side::Device, Ending::Fin);
        let results = story.results(&plan(vec![("slow", latency(300, "8s"))]));
        assert_eq!(values(&results, Metric::DeviceDetection), expected, "{answered}");
    }
}

/// The PINGRESP stays away, though the rule is over before the device has waited for long enough.
#[test]
fn a_lost_answer_is_to_blame_when_the_fault_is_over() {
    let (dropped, down) = (Alteration::Dropped { acknowledged: false }, Direction::Down);
    let losing = plan(vec![("lost", drops(PacketKind::Pingresp))]);
    for (answered, expected, outcome) in
        [(false, vec![exact(2_500)], Outcome::Back), (true, vec![], Outcome::Survived)]
    {
        let mut story = Story::new();
        story.joins(1, 0, "a", 5).at(3_000).opens(1, 0, 0, 5).at(4_000).up(1, Packet::Pingreq);
        story.fares(1, down, Packet::Pingresp, None).applies(1, 1, Mechanism::Packets);
        story.tell(What::Altered {
            link: LinkId(1),
            direction: down,
            packet_seq: story.seq() - 1,
            window: Some(WindowId(1)),
            what: dropped,
        });
        story.at(5_000).lifts(1, 1).heals(1);
        // It goes on to send, and another answer would do.
        story.at(6_000).up(1, Packet::Puback);
        if answered {
            story.up(1, Packet::Pingreq).down(1, Packet::Pingresp);
        }
        story.at(6_500).ends(1, Side::Device, Ending::Fin).closes(1).at(7_500).joins(2, 0, "a", 5);
        let results = story.results(&losing);
        assert_eq!(values(&results, Metric::DeviceDetection), expected, "{answered}");
        assert_eq!(results.runs[0].windows.values().next().unwrap().outcome, outcome, "{answered}");
    }
}

#[test]
fn the_start_is_when_the_fault_holds_not_when_the_rule_fires() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).at(3_250).applies(1, 1, Mechanism::Gate);
    story.at(6_000).ends(1, Side::Device, Ending::Fin);
    let results = story.results(&plan(vec![("dark", blackhole("8s"))]));
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(2_750)]);
}

#[test]
fn split_view_needs_both_signs() {
    let mut story = struck(Mechanism::Gate);
    story.at(5_000).ends(1, Side::Hub, Ending::Fin).at(6_100).ends(1, Side::Device, Ending::Fin);
    let results = story.results(&plan(vec![("dark", blackhole("8s"))]));
    assert_eq!(values(&results, Metric::SplitView), [exact(1_100)]);
    let mut one_sided = struck(Mechanism::Gate);
    one_sided.at(5_000).ends(1, Side::Hub, Ending::Fin).at(11_000).heals(1);
    let results = one_sided.results(&plan(vec![("dark", blackhole("8s"))]));
    assert_eq!(values(&results, Metric::SplitView), []);
}

#[test]
fn what_ends_show_after_the_command_was_told_to_end_is_no_sign() {
    let plan = plan(vec![("dark", blackhole("1m"))]);
    for (stopped, device) in [(4_500, vec![]), (9_000, vec![never(6_000)])] {
        let mut story = struck(Mechanism::Gate);
        story.at(stopped).tell(What::CommandStopped);
        story.at(stopped + 1).passes(1, Direction::Up, Packet::Disconnect { reason: 0 }, true);
        story.ends(1, Side::Device, Ending::Fin).tell(What::CommandEnded { code: Some(0) });
        let results = story.at(stopped + 300).over().results(&plan);
        assert_eq!(values(&results, Metric::DeviceDetection), device);
        assert_eq!(values(&results, Metric::Downtime), []);
        let window = results.runs[0].windows.values().next().unwrap();
        assert_eq!(window.outcome, Outcome::Survived);
    }
}

/// Not as its own choice: brownout told the command to end.
#[test]
fn how_devices_end_their_links_after_the_command_was_told_to_end_is_told_apart() {
    let mut story = Story::new();
    for (device, name) in ["before", "clean", "rude", "still there"].into_iter().enumerate() {
        let device = u32::try_from(device).unwrap();
        story.joins(u64::from(device), device, name, 60);
    }
    let goodbye = |story: &mut Story, link| {
        story.passes(link, Direction::Up, Packet::Disconnect { reason: 0 }, true);
        story.ends(link, Side::Device, Ending::Fin).closes(link);
    };
    goodbye(story.at(3_000), 0);
    story.at(4_000).tell(What::CommandStopped);
    goodbye(story.at(4_010), 1);
    story.at(4_020).ends(2, Side::Device, Ending::Reset).closes(2).tell(What::CommandEnded { code: Some(0) });
    story.at(4_030).closes(3).over();
    let results = story.results(&plan(Vec::new()));
    let causes = results.runs[0].ends.iter().map(|end| end.cause);
    let expected = [
        Cause::Disconnect(Side::Device),
        Cause::ToldToEnd { clean: Some(true) },
        Cause::ToldToEnd { clean: Some(false) },
        Cause::WithTheRun,
    ];
    assert_eq!(causes.collect::<Vec<_>>(), expected);
}

#[test]
fn a_window_on_a_device_without_a_link_has_no_samples() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(3_000).opens(1, 0, 0, 2);
    story.at(4_000).connecting(2, 0, "a", 2, true).applies(1, 2, Mechanism::Gate);
    story.at(11_000).heals(1);
    let results = story.results(&plan(vec![("dark", blackhole("8s"))]));
    let window = results.runs[0].windows.values().next().unwrap();
    assert_eq!(window.outcome, Outcome::NoLink);
    assert!(results.runs[0].samples.iter().all(|sample| sample.rule.is_none()));
}

/// It has let go, and needs nothing more of the hub. Without a sign it was watched as long as its leg was heard out: later, its own
/// FIN is nobody's to see.
#[test]
fn a_device_that_answers_the_faults_end_with_its_own_has_noticed() {
    let fin = Fault::Fin(Close { toward: Toward::Both, other: LegFate::Close, close_notify: true });
    let plan = plan(vec![("fin", fin)]);
    for (closes, comes_back, expected) in
        [(true, false, exact(300)), (true, true, exact(2_000)), (false, false, never(400))]
    {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(1_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Shutdown);
        story.cut(1, Side::Device, LegFate::Close, 1).cut(1, Side::Hub, LegFate::Close, 1).heals(1);
        if closes {
            story.at(1_300).ends(1, Side::Device, Ending::Fin);
        }
        story.at(1_400).closes(1);
        if comes_back {
            story.at(3_000).joins(2, 0, "a", 2);
        }
        let results = story.at(9_000).over().results(&plan);
        assert_eq!(values(&results, Metric::DeviceDetection), [expected], "{closes} {comes_back}");
    }
}

#[test]
fn legs_cut_a_moment_before_the_fault_is_told_are_cut_by_it() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2);
    story.at(3_001).cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1);
    story.at(3_002).applies(1, 1, Mechanism::Linger).heals(1).closes(1).at(3_402).joins(2, 0, "a", 2);
    let results = story.results(&plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]));
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(400)]);
    assert_eq!(values(&results, Metric::Downtime), [exact(400)]);
    assert_eq!(values(&results, Metric::Recovery), [exact(400)]);
}

/// A reset that falls while brownout still connects to the hub leaves the hub nothing to find out.
#[test]
fn a_hub_that_never_had_the_link_is_not_waited_for() {
    let mut story = Story::new();
    story.at(2_900).connect(1, 0, "a", 2);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 1).closes(1);
    story.at(4_000).joins(2, 0, "a", 2);
    story.at(30_000).up(2, Packet::Pingreq);
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let results = story.results(&plan);
    assert_eq!(values(&results, Metric::HubDetection), []);
    assert_eq!(values(&results, Metric::DeviceDetection), [exact(1_000)]);
}

/// A FIN that its receiver's shut window holds back tells nobody anything: what no sign of is seen, was not missed.
#[test]
fn a_fin_that_was_not_sent_is_no_word() {
    let fin = Fault::Fin(Close { toward: Toward::Both, other: LegFate::Close, close_notify: true });
    let run = |tell: &dyn Fn(&mut Story)| {
        let mut story = struck(Mechanism::Shutdown);
        Side::BOTH.into_iter().for_each(|side| _ = story.cut(1, side, LegFate::Close, 1));
        tell(&mut story);
        let results = story.at(13_000).results(&plan(vec![("reset", fin.clone())]));
        let (_, window) = results.runs[0].windows.iter().next().unwrap();
        (window.noticed.device.detection, window.noticed.device.told.is_some(), window.noticed.device.waits)
    };
    assert_eq!(run(&|_| {}), (Some(never(10_000)), true, false), "told at once");
    assert_eq!(run(&|s| _ = s.waits(1, Side::Device, 900)), (Some(never(0)), false, true), "never told");
    let later = |s: &mut Story| _ = s.waits(1, Side::Device, 900).at(4_000).waits(1, Side::Device, 0);
    assert_eq!(run(&later), (Some(never(10_000)), true, false), "told later");
    let leaves =
        |s: &mut Story| _ = s.waits(1, Side::Device, 900).at(5_000).ends(1, Side::Device, Ending::Fin);
    assert_eq!(run(&leaves), (Some(exact(2_000)), false, true), "left by itself");
}
