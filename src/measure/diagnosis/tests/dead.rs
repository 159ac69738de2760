//! Dead links, and keep-alives.

use super::{by, by_itself, found, grade, name, observer};
use crate::base::{DeviceId, FiringId, RuleId, Side, WindowId};
use crate::event::{Packet, Samples, What};
use crate::fault::{Ending, Fault, Forgotten, IdleTimeout, Mechanism};
use crate::measure::finding::{Class, Grade};
use crate::measure::story::{Story, answers, asks, blackhole, plan};
use crate::mqtt::Version;
use crate::profile::{Plan, Strictness};

const NOT_DETECTED: &str = "dead-link-not-detected";
const SLOW: &str = "slow-detection";

fn dark() -> Plan {
    plan(vec![("dark", blackhole("60s"))])
}

/// Keep-alive 10 s; dark from 10 s on for so long, and nobody minds.
fn held(millis: u64) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(10_000).opens(1, 0, 0, 10).applies(1, 1, Mechanism::Gate);
    story.at(10_000 + millis).lifts(1, 1).heals(1);
    story.at(12_000 + millis).up(1, Packet::Pingreq).down(1, Packet::Pingresp).at(13_000 + millis).over();
    story
}

/// The same, and this end gives the link up after so long.
fn given_up(side: Side, millis: u64) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(10_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
    story.at(10_000).opens(1, 0, 0, 10).applies(1, 1, Mechanism::Gate);
    story.at(10_000 + millis).ends(1, side, Ending::Fin);
    story.at(70_000).lifts(1, 1).heals(1).closes(1).joins(2, 0, "a", 10);
    story.at(80_000).over();
    story
}

#[test]
fn a_dead_link_that_nobody_gives_up() {
    for (held_for, expected) in [
        (22_000, None),
        (22_001, Some(Grade::Warn)),
        (30_000, Some(Grade::Warn)),
        (30_001, Some(Grade::Fail)),
    ] {
        assert_eq!(grade(&dark(), &held(held_for), NOT_DETECTED), expected, "{held_for}");
    }
    let told = found(&dark(), &held(40_000), NOT_DETECTED).unwrap();
    assert_eq!(told.seen, "It held on to a dead link for 40.0 s (4.0 K), and did not give it up by itself.");
    assert_eq!(
        (told.class, told.evidence[0].what.as_str()),
        (Class::Detection, "dark began; not noticed in 40.0 s (4.0 K)")
    );
}

#[test]
fn a_device_that_finds_out_late() {
    for (after, expected) in [
        (19_000, None),
        (22_000, None),
        (22_001, Some(Grade::Warn)),
        (30_000, Some(Grade::Warn)),
        (30_001, Some(Grade::Fail)),
    ] {
        assert_eq!(grade(&dark(), &given_up(Side::Device, after), SLOW), expected, "{after}");
        assert_eq!(grade(&dark(), &given_up(Side::Device, after), NOT_DETECTED), None);
    }
}

/// 1.5 K, the 6 s between a broker's looks at its timers, and then late.
#[test]
fn a_hub_that_finds_out_late_or_never() {
    for (after, expected) in [
        (15_000, None),
        (21_000, None),
        (21_001, Some(Grade::Warn)),
        (36_001, Some(Grade::Fail)),
        (36_000, Some(Grade::Warn)),
    ] {
        let story = given_up(Side::Hub, after);
        let found = by_itself(&dark(), &story, "hub-slow-detection");
        assert_eq!(found.map(|finding| finding.grade), expected, "{after}");
    }
    let kept = |millis| by_itself(&dark(), &held(millis), "hub-keeps-dead-link").map(|finding| finding.grade);
    assert_eq!((kept(21_000), kept(21_001), kept(36_001)), (None, Some(Grade::Warn), Some(Grade::Fail)));
    let found = by_itself(&dark(), &held(40_000), "hub-keeps-dead-link").unwrap();
    assert_eq!((found.device, found.rule), (None, Some("MQTT-3.1.2-24")));
}

/// That a hub keeps the links of silent devices is a MUST not kept; it is not told once more as slow detection.
#[test]
fn a_hub_that_keeps_dead_links_is_told_once() {
    let ids = |story: &Story| {
        let all = super::findings(&dark(), story).into_iter().filter(|finding| finding.device.is_none());
        all.map(|finding| finding.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&held(40_000)), ["keepalive-not-enforced"]);
    assert_eq!(ids(&given_up(Side::Hub, 36_000)), ["keepalive-not-enforced"]);
}

/// A device that waits for ever for its PINGRESP holds on to a dead link: one finding, with that for its cause.
#[test]
fn a_device_that_does_not_await_pingresp_is_told_once() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(10_000).opens(1, 0, 0, 10).applies(1, 1, Mechanism::Gate);
    story.at(12_000);
    story.passes(1, crate::base::Direction::Up, Packet::Pingreq, true);
    story.at(60_000).over();
    let all = super::findings(&dark(), &story).into_iter().filter(|finding| finding.device.is_some());
    let told: Vec<_> = all.map(|finding| (finding.id, finding.cause, finding.evidence.len())).collect();
    let cause = "The client sends PINGREQ and does not look for the answer, or leaves the end to TCP, which takes minutes.";
    assert_eq!(told, [(NOT_DETECTED, cause.to_owned(), 2)]);
}

/// Its own system told it: nothing was there to find out.
#[test]
fn who_is_reset_has_nothing_to_detect() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10);
    super::is_reset(&mut story, 1, 0, 10_000);
    story.at(100_000).over();
    assert_eq!(grade(&super::reset(), &story, NOT_DETECTED), None);
    assert_eq!(grade(&super::reset(), &story, SLOW), None);
}

#[test]
fn keep_alive_zero_on_a_path_that_breaks() {
    let story = |fault_falls: bool| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 0).at(10_000);
        story.tell(What::Fired { firing: FiringId(1), rule: RuleId(0), nth: 1 });
        story.tell(What::WindowOpened {
            window: WindowId(1),
            firing: FiringId(1),
            rule: RuleId(0),
            device: DeviceId(0),
            until: None,
            keep_alive_ns: 60_000_000_000,
            assumed: true,
            hub_keep_alive_ns: None,
        });
        if fault_falls {
            story.applies(1, 1, Mechanism::Gate);
        }
        story.at(300_000).heals(1).at(301_000).over();
        story
    };
    let graded = |strictness, falls| grade(&by(strictness, dark()), &story(falls), "keep-alive-off");
    assert_eq!(graded(Strictness::Standard, true), Some(Grade::Warn));
    assert_eq!(graded(Strictness::Standard, false), None);
    assert_eq!(graded(Strictness::Strict311, true), None, "MQTT allows it");
    assert_eq!(graded(Strictness::Azure, true), Some(Grade::Fail));
    assert_eq!(grade(&dark(), &story(true), NOT_DETECTED), None, "nothing was promised");
}

/// An edit made the keep-alive of 10 s none for the hub, or 4 s.
#[test]
fn a_hub_that_was_told_no_keep_alive_has_nothing_to_go_by() {
    for (told, expected) in [(0, None), (4, Some(Grade::Fail))] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 10).at(10_000).opens(1, 0, 0, 10);
        if let Some(What::WindowOpened { hub_keep_alive_ns, .. }) =
            story.events.last_mut().map(|event| &mut event.what)
        {
            *hub_keep_alive_ns = Some(told * 1_000_000_000);
        }
        story.applies(1, 1, Mechanism::Gate).at(100_000).lifts(1, 1).heals(1).at(101_000).over();
        let told_of = by_itself(&dark(), &story, "hub-keeps-dead-link").map(|finding| finding.grade);
        assert_eq!(told_of, expected, "{told}");
    }
}

#[test]
fn a_keep_alive_that_the_hub_does_not_go_by() {
    let graded = |strictness, keep_alive| {
        let mut story = Story::new();
        story.joins(1, 0, "a", keep_alive).at(1_000).over();
        grade(&by(strictness, observer()), &story, "keep-alive-beyond-hub")
    };
    for (strictness, keep_alive, expected) in [
        (Strictness::Azure, 1177, None),
        (Strictness::Azure, 1178, Some(Grade::Warn)),
        (Strictness::DeviceAdvisor, 30, None),
        (Strictness::DeviceAdvisor, 29, Some(Grade::Warn)),
        (Strictness::DeviceAdvisor, 1200, None),
        (Strictness::DeviceAdvisor, 1201, Some(Grade::Warn)),
        (Strictness::Standard, 65_535, None),
        (Strictness::Azure, 0, None),
    ] {
        assert_eq!(graded(strictness, keep_alive), expected, "{} {keep_alive}", strictness.word());
    }
}

/// So many links, keep-alive 300 s, each idle for so long and reset so soon after the PINGREQ.
fn idle(links: u64, pause_s: u64, reset_after: u64, survives_s: Option<u64>) -> Story {
    let mut story = Story::new();
    for link in 1..=links {
        let from = link * 1_000_000;
        story.at(from).joins(link, 0, "a", 300);
        let mut at = from + 1_000;
        story.at(at).up(link, Packet::Pingreq).down(link, Packet::Pingresp);
        if let Some(seconds) = survives_s {
            at += seconds * 1_000;
            story.at(at).up(link, Packet::Pingreq).at(at + 1).down(link, Packet::Pingresp);
        }
        at += pause_s * 1_000 + 1;
        story.at(at).up(link, Packet::Pingreq);
        // What passed is told once a second, and at the link's end, with the last packet of each end.
        story.at(at + reset_after).ends(link, Side::Hub, Ending::Reset);
        story.traffic(link, 2, Samples::default()).closes(link);
    }
    story.at(100_000_000).over();
    story
}

#[test]
fn links_that_die_when_they_wake() {
    let graded = |story: &Story| grade(&observer(), story, "keep-alive-over-idle-timeout");
    assert_eq!(graded(&idle(2, 240, 20, None)), Some(Grade::Warn));
    assert_eq!(graded(&idle(1, 240, 20, None)), None, "once is chance");
    assert_eq!((graded(&idle(2, 10, 20, None)), graded(&idle(2, 9, 20, None))), (Some(Grade::Warn), None));
    assert_eq!(graded(&idle(2, 240, 5_001, None)), None, "not for its waking");
    assert_eq!(graded(&idle(2, 240, 20, Some(239))), Some(Grade::Warn));
    assert_eq!(graded(&idle(2, 240, 20, Some(241))), None, "as long a pause was outlived");
    let told = found(&observer(), &idle(2, 240, 20, Some(100)), "keep-alive-over-idle-timeout").unwrap();
    assert!(
        told.seen.starts_with("2 links of its died at the first packet after 240 s or more of silence"),
        "{}",
        told.seen
    );
}

/// A rule's idle timeout of 30 s is no finding against anybody; a keep-alive of more is.
#[test]
fn a_keep_alive_longer_than_a_rules_idle_timeout() {
    let idle = IdleTimeout { after: "30s".parse().unwrap(), then: Forgotten::Vanish, hold: None };
    let plan = plan(vec![("nat", Fault::IdleTimeout(idle))]);
    let story = |keep_alive: u16| {
        let mut story = Story::new();
        story.joins(1, 0, "a", keep_alive).opens(1, 0, 0, u64::from(keep_alive));
        story.at(30_000).applies(1, 1, Mechanism::Gate);
        story.at(60_000).ends(1, Side::Device, Ending::Fin).closes(1).joins(2, 0, "a", keep_alive);
        story.at(61_000).over();
        story
    };
    let told = found(&plan, &story(60), "keep-alive-over-idle-timeout").unwrap();
    assert!(told.seen.contains("60.0 s") && told.seen.contains("30.0 s by nat"), "{}", told.seen);
    assert_eq!(grade(&plan, &story(30), "keep-alive-over-idle-timeout"), None);
}

/// A window in which the path forgot two links, each when it was idle, has cost two.
#[test]
fn every_link_that_a_window_cost_counts() {
    let idle = IdleTimeout { after: "30s".parse().unwrap(), then: Forgotten::Vanish, hold: None };
    let plan = plan(vec![("nat", Fault::IdleTimeout(idle))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).opens(1, 0, 0, 60);
    for link in 1..=2 {
        story.at(link * 60_000 - 30_000).applies(1, link, Mechanism::Gate);
        story.at(link * 60_000).ends(link, Side::Device, Ending::Fin).closes(link).joins(
            link + 1,
            0,
            "a",
            60,
        );
    }
    story.at(121_000).over();
    let told = found(&plan, &story, "keep-alive-over-idle-timeout").unwrap();
    assert!(told.seen.ends_with("it cost 2 links."), "{}", told.seen);
    let applied = story.events.iter().filter(|event| matches!(event.what, What::FaultApplied { .. }));
    let evidence: Vec<u64> = told.evidence.iter().map(|seen| seen.seq).collect();
    assert_eq!((told.count, evidence), (2, applied.map(|event| event.seq).collect()));
}

/// A device of MQTT 5 is no affair of strict-3.1.1: the standard has its say, and fails nobody.
#[test]
fn strictness_judges_its_own_version() {
    let story = |version| {
        let mut story = Story::new();
        story.opens_link(1, 0, name(0)).up(1, asks("sensor-0", version, 10, None)).down(1, answers(0, None));
        story.at(10_000).opens(1, 0, 0, 10).applies(1, 1, Mechanism::Gate);
        story.at(60_000).lifts(1, 1).heals(1).at(61_000).over();
        story
    };
    let graded = |strictness, version| grade(&by(strictness, dark()), &story(version), NOT_DETECTED);
    assert_eq!(graded(Strictness::Strict311, Version::V311), Some(Grade::Warn));
    assert_eq!(graded(Strictness::Strict311, Version::V5), Some(Grade::Warn));
    assert_eq!(graded(Strictness::Standard, Version::V5), Some(Grade::Fail));
    assert_eq!(graded(Strictness::Strict5, Version::V5), Some(Grade::Warn));
    assert_eq!(graded(Strictness::DeviceAdvisor, Version::V5), Some(Grade::Fail));
}
