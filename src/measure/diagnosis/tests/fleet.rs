//! Ways back, and whole fleets.

use super::{by, found, grade, is_reset, lives, name, observer, reset};
use crate::base::{Side, Time};
use crate::fault::{Ending, LegFate, Mechanism, Toward};
use crate::measure::finding::Grade;
use crate::measure::story::{Story, blackhole, plan, rst};
use crate::profile::{Plan, Strictness};

/// Reset at 10 s, keep-alive 10 s, and so long nothing; then the end, or the device.
fn gone(millis: u64, back: bool) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, name(0), 10);
    is_reset(&mut story, 1, 0, 10_000);
    story.at(10_000 + millis);
    if back {
        story.joins(2, 0, name(0), 10);
    }
    story.over();
    story
}

#[test]
fn a_device_that_does_not_come_back() {
    let graded = |story: &Story| grade(&reset(), story, "device-not-back");
    assert_eq!(graded(&gone(59_999, false)), None);
    assert_eq!(graded(&gone(60_000, false)), Some(Grade::Fail), "not one attempt");
    assert_eq!(graded(&gone(60_000, true)), None);
    let in_vain = |until: u64| {
        let mut story = gone(1_000, false);
        story.events.pop();
        for link in 2..6 {
            story
                .at(link * 10_000)
                .connect(link, 0, name(0), 10)
                .ends(link, Side::Device, Ending::Fin)
                .closes(link);
        }
        story.at(10_000 + until).over();
        graded(&story)
    };
    assert_eq!((in_vain(299_999), in_vain(300_000)), (None, Some(Grade::Warn)));
}

/// While another rule has its listener closed, or holds its path, a device cannot come, and no connect of its is seen.
#[test]
fn a_device_that_is_kept_away_is_not_missed() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset)), ("dark", blackhole("100s"))]);
    for (until, expected) in [(None, None), (Some(50_000), None), (Some(49_999), Some(Grade::Fail))] {
        let mut story = Story::new();
        story.joins(1, 0, name(0), 10).at(9_000).opens(7, 1, 0, 10).applies(7, 1, Mechanism::Gate);
        is_reset(&mut story, 1, 0, 10_000);
        if let Some(until) = until {
            story.at(until).heals(7);
        }
        story.at(109_999).over();
        assert_eq!(grade(&plan, &story, "device-not-back"), expected, "{until:?}");
    }
}

#[test]
fn a_device_that_comes_back_late() {
    let graded = |millis| grade(&reset(), &gone(millis, true), "slow-recovery");
    assert_eq!((graded(150_000), graded(150_001)), (None, Some(Grade::Warn)));
}

/// A fleet whose devices lose their links at 100 s by the hub; each comes back so many times, within a second or not.
fn storm(fleet: u32, at_once: u32, knocks: u64) -> Story {
    let mut story = Story::new();
    for device in 0..fleet {
        story.at(u64::from(device) * 1_000).joins(u64::from(device), device, name(device), 600);
    }
    for device in 0..fleet {
        let at = 100_000 + u64::from(device) * 2_000;
        story.at(at).ends(u64::from(device), Side::Hub, Ending::Fin).closes(u64::from(device));
    }
    let mut link = 1_000;
    for device in 0..fleet {
        let at = if device < at_once { 400_000 } else { 500_000 + u64::from(device) * 2_000 };
        story.at(at);
        for _ in 1..knocks {
            story.connect(link, device, name(device), 600).ends(link, Side::Device, Ending::Fin).closes(link);
            link += 1;
        }
        story.joins(link, device, name(device), 600);
        link += 1;
    }
    story.at(900_000).over();
    story
}

#[test]
fn a_fleet_that_comes_back_all_at_once() {
    let graded = |plan: &Plan, story: &Story| grade(plan, story, "reconnect-storm");
    assert_eq!(graded(&observer(), &storm(20, 9, 1)), None);
    assert_eq!(graded(&observer(), &storm(20, 10, 1)), Some(Grade::Warn));
    assert_eq!(graded(&observer(), &storm(19, 19, 1)), None, "no fleet");
    assert_eq!(graded(&observer(), &storm(20, 20, 4)), Some(Grade::Warn));
    assert_eq!(graded(&observer(), &storm(20, 20, 5)), Some(Grade::Fail));
    let azure = by(Strictness::Azure, observer());
    assert_eq!(graded(&azure, &storm(210, 100, 1)), None);
    assert_eq!(graded(&azure, &storm(210, 101, 1)), Some(Grade::Fail));
    assert!(found(&azure, &storm(210, 101, 1), "reconnect-storm").unwrap().cause.contains("429001"));
    assert_eq!(graded(&by(Strictness::Strict5, observer()), &storm(20, 20, 5)), None, "no rule of MQTT");
}

/// As a log may tell it whose stamps were written over.
#[test]
fn a_fleet_that_comes_back_at_the_end_of_all_time() {
    let mut story = storm(20, 10, 1);
    let back = story.events.iter_mut().filter(|event| event.at >= Time::from_secs(400));
    back.for_each(|event| event.at = Time::MAX);
    assert_eq!(grade(&observer(), &story, "reconnect-storm"), Some(Grade::Warn));
}

/// So many of three or more devices, all reset at 10 s, that connect again and again in vain, at these milliseconds.
fn attempts(without: u32, all: u32, waits: [u64; 5]) -> Story {
    let mut story = Story::new();
    for device in 0..all {
        story.at(u64::from(device)).joins(u64::from(device) + 1, device, name(device), 10);
    }
    for device in 0..all {
        is_reset(&mut story, u64::from(device) + 1, device, 10_000 + u64::from(device));
    }
    let growing = [100, 200, 400, 800, 1_600];
    let mut connects: Vec<(u64, u32, u64)> = Vec::new();
    for device in 0..all {
        let mut at = 11_000;
        for (nth, wait) in (0..).zip(if device < without { waits } else { growing }) {
            at += wait;
            connects.push((at, device, nth));
        }
    }
    connects.sort_unstable();
    for (link, (at, device, nth)) in (100..).zip(connects) {
        story.at(at).connect(link, device, name(device), 10);
        if nth == 4 {
            story.connack(link, false, 0);
        } else {
            story.ends(link, Side::Hub, Ending::Reset).closes(link);
        }
    }
    story.at(30_000).over();
    story
}

#[test]
fn a_fleet_without_back_off() {
    let graded = |story: &Story| grade(&reset(), story, "fleet-without-back-off");
    assert_eq!(graded(&attempts(3, 3, [1; 5])), Some(Grade::Fail), "at once");
    assert_eq!(graded(&attempts(3, 3, [1_000; 5])), Some(Grade::Warn), "in step");
    assert_eq!(graded(&attempts(2, 2, [1; 5])), None, "two are no fleet");
    assert_eq!(graded(&attempts(3, 6, [1; 5])), Some(Grade::Fail), "half of them");
    assert_eq!(graded(&attempts(3, 7, [1; 5])), None);
    assert_eq!(graded(&attempts(0, 6, [1; 5])), None);
}

/// Ten connects in a row within no time are told of each device; of three more that had too few for that, as a fleet's habit.
#[test]
fn whose_loop_is_told_by_itself_is_not_told_once_more() {
    let story = |loops: u32, others: u32| {
        let mut story = Story::new();
        let all = loops + others;
        for device in 0..all {
            story.at(u64::from(device)).joins(u64::from(device) + 1, device, name(device), 10);
        }
        for device in 0..all {
            is_reset(&mut story, u64::from(device) + 1, device, 10_000 + u64::from(device));
        }
        let mut link = 100;
        for device in 0..all {
            let connects = if device < loops { 12 } else { 6 };
            for nth in 0..connects {
                story.at(11_000 + u64::from(device) * 1_000 + nth * 20);
                story.connect(link, device, name(device), 10);
                if nth + 1 == connects {
                    story.connack(link, false, 0);
                } else {
                    story.ends(link, Side::Hub, Ending::Reset).closes(link);
                }
                link += 1;
            }
        }
        story.at(60_000).over();
        let mut ids: Vec<_> = super::findings(&reset(), &story).iter().map(|finding| finding.id).collect();
        ids.retain(|id| ["reconnect-loop", "fleet-without-back-off"].contains(id));
        ids
    };
    assert_eq!(story(3, 0), ["reconnect-loop"; 3]);
    assert_eq!(story(3, 2), ["reconnect-loop"; 3], "two are no fleet");
    let mut both = story(3, 3);
    both.sort_unstable();
    assert_eq!(both, ["fleet-without-back-off", "reconnect-loop", "reconnect-loop", "reconnect-loop"]);
}

/// Devices that lose their links within so many milliseconds of each other.
fn crowd(devices: u32, of: u32, apart: u64, back: bool, then: u64) -> Story {
    let mut story = Story::new();
    for device in 0..of {
        story.at(u64::from(device) * 5_000).joins(u64::from(device), device, name(device), 600);
    }
    for device in 0..devices {
        let link = u64::from(device);
        story.at(200_000 + link * apart).ends(link, Side::Hub, Ending::Reset).closes(link);
    }
    if back {
        story.at(230_000).joins(100, 0, name(0), 600);
    }
    story.at(200_000 + then).over();
    story
}

#[test]
fn many_devices_at_once() {
    let graded = |story: &Story| grade(&observer(), story, "many-disconnects-at-once");
    assert_eq!(graded(&crowd(3, 6, 500, true, 40_000)), Some(Grade::Warn));
    assert_eq!(graded(&crowd(3, 6, 501, true, 40_000)), None, "not within a second");
    assert_eq!(graded(&crowd(2, 4, 500, true, 40_000)), None, "two are no crowd");
    assert_eq!(graded(&crowd(3, 7, 500, true, 40_000)), None, "less than half");
    let told = found(&observer(), &crowd(3, 6, 500, true, 40_000), "many-disconnects-at-once").unwrap();
    assert!(told.cause.contains("500001") && told.seen.starts_with("3 of 6 devices"), "{told:?}");
}

/// A bench that is switched off with the run lost nothing.
#[test]
fn devices_that_stop_with_the_run_are_no_crowd() {
    let graded = |then| grade(&observer(), &crowd(3, 3, 100, false, then), "many-disconnects-at-once");
    assert_eq!((graded(60_199), graded(60_200)), (None, Some(Grade::Warn)));
}

/// More devices than are told one by one are summed up.
#[test]
fn the_list_of_findings_is_bounded() {
    let mut story = Story::new();
    for device in 0..120 {
        for (nth, until) in (0..).zip([100_000, 200_000, 300_000, 400_000]) {
            let start = nth * 100_000 + 1_000;
            let link = u64::from(device) * 10 + nth;
            // Each at its own time, so that they are no crowd.
            let shift = u64::from(device) * 3_000_000;
            lives(&mut story, link, device, shift + start, shift + until, Side::Device, Ending::Fin);
        }
    }
    story.over();
    let all = super::findings(&observer(), &story);
    let kinds: Vec<_> = all.iter().filter(|finding| finding.id == "regular-disconnects").collect();
    assert_eq!(kinds.len(), 101);
    assert_eq!((kinds[100].device, kinds[100].count), (None, 80));
    assert_eq!(kinds[100].seen, "The same of 20 more devices.");
}
