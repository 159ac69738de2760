//! What both makers of findings found, as one whole: as grave as the strictness has it, and no fact told twice.
//!
//! Owns which finding stays where two tell of the same fact ([`SAME`]), and how many of a kind are told. Invariant: what goes
//! leaves what it knew to what stays, its events and, where that is nearer to the truth, its cause. Deliberately absent: what
//! is found (conformance, [`diagnosis`]).

use super::diagnosis;
use super::finding::{Finding, Grade, MOST_EVIDENCE};
use super::fold::Measures;
use super::handshakes;
use super::results::RunResults;
use crate::base::{DeviceId, Time};
use crate::mqtt::Version;
use crate::profile::{Plan, Strictness, Weight};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Of a kind of finding, so many devices are told one by one; the others are summed up in one more finding.
pub const MOST_OF_A_KIND: usize = 100;

/// What is found of the waits between a device's connects.
const OF_WAITS: [&str; 2] = ["reconnect-loop", "no-back-off"];

/// Two kinds that tell of one fact, of the same device (or both of the hub, or of the fleet).
struct Same {
    stays: &'static str,
    goes: &'static str,
    when: When,
    /// What goes knows the cause, what to do, and the rule better.
    cause: bool,
}

/// Under which condition they do.
#[derive(Clone, Copy)]
enum When {
    Always,
    /// What goes was seen as often as what stays, or more often: all that is told by the one is told by the other.
    AllOfWhatStays,
    /// The other way round.
    AllOfWhatGoes,
}

/// The facts that two kinds may tell of. A finding that the strictness leaves out takes nothing with it.
///
/// That singly named devices make no fleet without back-off is seen to where that is found, since it is not of one device.
const SAME: [Same; 9] = [
    // A hub has to end the link after 1.5 keep-alives: a MUST, and so a violation.
    same("keepalive-not-enforced", "hub-keeps-dead-link", When::Always, false),
    same("keepalive-not-enforced", "hub-slow-detection", When::Always, false),
    // That it held on to the dead link is what happened; that its PINGREQ was not answered is why that was wrong.
    same("dead-link-not-detected", "pingresp-not-awaited", When::Always, true),
    same("slow-detection", "pingresp-not-awaited", When::Always, false),
    // The rhythm says more; the way in which it left says why.
    same("regular-disconnects", "closed-without-disconnect", When::AllOfWhatStays, true),
    same("random-disconnects", "closed-without-disconnect", When::AllOfWhatStays, true),
    // That the hub ends them all at once says more than how far they are apart.
    same("ended-soon-after-connect", "regular-disconnects", When::AllOfWhatGoes, false),
    same("ended-soon-after-connect", "random-disconnects", When::AllOfWhatGoes, false),
    same("fleet-without-back-off", "no-jitter", When::Always, false),
];

const fn same(stays: &'static str, goes: &'static str, when: When, cause: bool) -> Same {
    Same { stays, goes, when, cause }
}

/// All that is found of a run, as of this moment.
pub(super) fn findings(measures: &Measures, run: &RunResults, end: Time) -> Vec<Finding> {
    let mut found = measures.conformance.findings(run, end);
    // Nothing of what several devices do behind one address is a pattern of one.
    let is_several = |device: DeviceId| {
        run.devices.get(&device).is_some_and(|device| device.several)
            || handshakes::is_shared(measures, device)
    };
    let is_of_several = |finding: &Finding| finding.device.is_some_and(is_several);
    let patterns = diagnosis::findings(run, &measures.plan, &measures.watch, &found);
    found.retain(|finding| !(OF_WAITS.contains(&finding.id) && is_of_several(finding)));
    found.extend(patterns.into_iter().filter(|finding| !is_of_several(finding)));
    let weighed = found.into_iter().filter_map(|finding| weigh(finding, run, &measures.plan)).collect();
    summed_up(told_once(weighed))
}

fn weigh(finding: Finding, run: &RunResults, plan: &Plan) -> Option<Finding> {
    let strictness = plan.strictness();
    let judges = |version: Option<Version>| version.is_none_or(|version| strictness.judges(version));
    let version = finding.device.and_then(|device| run.devices.get(&device)?.version);
    let weighed_by = if judges(version) { strictness } else { Strictness::Standard };
    // What the hub or the fleet did, it did to devices of some version.
    let is_spoken = run.devices.is_empty() || run.devices.values().any(|device| judges(device.version));
    let most = if judges(version) && is_spoken { Grade::Fail } else { Grade::Warn };
    let grade = match weighed_by.weight(finding.id) {
        Weight::AsFound => finding.grade,
        Weight::Ignored => return None,
        Weight::Warn => finding.grade.min(Grade::Warn),
        Weight::Fail => Grade::Fail,
    };
    Some(Finding { grade: grade.min(most), ..finding })
}

/// The findings, each fact by one alone.
fn told_once(mut found: Vec<Finding>) -> Vec<Finding> {
    let mut places: BTreeMap<(&str, Option<DeviceId>), usize> =
        found.iter().enumerate().map(|(place, finding)| ((finding.id, finding.device), place)).collect();
    let mut gone = vec![false; found.len()];
    let devices: Vec<Option<DeviceId>> = places.keys().map(|(_, device)| *device).collect();
    for device in std::collections::BTreeSet::from_iter(devices) {
        for same in &SAME {
            let Some(stays) = places.get(&(same.stays, device)).copied() else { continue };
            let Some(goes) = places.get(&(same.goes, device)).copied() else { continue };
            if stays != goes && same.holds(&found[stays], &found[goes]) {
                let went = found[goes].clone();
                found[stays].takes(went, same.cause);
                gone[goes] = true;
                places.remove(&(same.goes, device));
            }
        }
    }
    let kept = found.into_iter().zip(gone).filter(|(_, gone)| !gone);
    kept.map(|(finding, _)| finding).collect()
}

impl Same {
    fn holds(&self, stays: &Finding, goes: &Finding) -> bool {
        match self.when {
            When::Always => true,
            When::AllOfWhatStays => goes.count >= stays.count,
            When::AllOfWhatGoes => stays.count >= goes.count,
        }
    }
}

impl Finding {
    /// Takes over what another finding of the same fact knew. Classes do not mix: a grade is only taken from the same one.
    fn takes(&mut self, other: Finding, cause: bool) {
        if other.class == self.class {
            self.grade = self.grade.max(other.grade);
        }
        self.rule = self.rule.or(other.rule);
        if cause {
            (self.cause, self.advice) = (other.cause, other.advice);
        }
        let room = MOST_EVIDENCE.saturating_sub(self.evidence.len());
        let known: Vec<u64> = self.evidence.iter().map(|seen| seen.seq).collect();
        let news = other.evidence.into_iter().filter(|seen| !known.contains(&seen.seq));
        self.evidence.extend(news.take(room));
        self.evidence.sort_by_key(|seen| (seen.at, seen.seq));
    }
}

/// The first of each kind, and the others in one.
fn summed_up(mut found: Vec<Finding>) -> Vec<Finding> {
    found.sort_by_key(|finding| (Reverse(finding.grade), finding.class, finding.id, finding.device));
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rest: BTreeMap<&str, (u64, Finding)> = BTreeMap::new();
    let mut kept = Vec::new();
    for finding in found {
        let of_kind = shown.entry(finding.id).or_default();
        *of_kind += 1;
        if *of_kind <= MOST_OF_A_KIND {
            kept.push(finding);
            continue;
        }
        let (devices, sum) =
            rest.entry(finding.id).or_insert_with(|| (0, Finding { count: 0, ..finding.clone() }));
        *devices += 1;
        sum.count += finding.count;
    }
    kept.extend(rest.into_values().map(|(devices, sum)| Finding {
        device: None,
        summed_up: devices,
        seen: format!("The same of {devices} more devices."),
        evidence: Vec::new(),
        ..sum
    }));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::conformance;
    use std::collections::BTreeSet;

    /// Both makers' kinds, and the rows of the strictness.
    #[test]
    fn each_kind_has_a_row_and_each_row_a_kind() {
        let kinds: BTreeSet<&str> = conformance::ids().chain(diagnosis::ids()).collect();
        let rows: BTreeSet<&str> = Strictness::kinds().collect();
        assert_eq!(kinds.difference(&rows).collect::<Vec<_>>(), Vec::<&&str>::new(), "without a row");
        assert_eq!(rows.difference(&kinds).collect::<Vec<_>>(), Vec::<&&str>::new(), "found by nobody");
        let names = conformance::ids().chain(diagnosis::ids()).count();
        assert_eq!(names, kinds.len(), "one name, two kinds");
        for same in SAME {
            assert!(kinds.contains(same.stays) && kinds.contains(same.goes), "{} {}", same.stays, same.goes);
        }
    }

    fn found(id: &'static str, device: Option<u32>, count: u64) -> Finding {
        Finding {
            id,
            class: crate::measure::Class::Recovery,
            grade: Grade::Warn,
            device: device.map(DeviceId),
            seen: String::new(),
            evidence: Vec::new(),
            count,
            summed_up: 0,
            cause: id.to_owned(),
            advice: String::new(),
            rule: None,
        }
    }

    fn left(found: Vec<Finding>) -> Vec<(&'static str, String)> {
        told_once(found).into_iter().map(|finding| (finding.id, finding.cause)).collect()
    }

    #[test]
    fn what_goes_leaves_its_cause_where_that_says_why() {
        let (regular, closed) = ("regular-disconnects", "closed-without-disconnect");
        let both = |device, closes| {
            left(vec![
                found(regular, Some(1), 4),
                Finding { rule: Some("x"), ..found(closed, device, closes) },
            ])
        };
        assert_eq!(both(Some(1), 4), [(regular, closed.to_owned())]);
        assert_eq!(both(Some(1), 3).len(), 2, "some ended otherwise");
        assert_eq!(both(Some(2), 4).len(), 2, "another device's");
    }

    /// Two that take from each other in a row: the hub ends them all soon, and the rhythm had taken the closes before.
    #[test]
    fn what_went_takes_nothing() {
        let all = ["ended-soon-after-connect", "regular-disconnects", "closed-without-disconnect"];
        let told = left(all.map(|id| found(id, Some(1), 4)).to_vec());
        assert_eq!(told, [(all[0], all[0].to_owned())]);
    }

    #[test]
    fn a_grade_is_taken_within_a_class_alone() {
        let of = |class| {
            let mut goes = found("pingresp-not-awaited", Some(1), 1);
            (goes.class, goes.grade) = (class, Grade::Fail);
            told_once(vec![found("slow-detection", Some(1), 1), goes])[0].grade
        };
        assert_eq!(of(crate::measure::Class::Recovery), Grade::Fail);
        assert_eq!(of(crate::measure::Class::Violation), Grade::Warn);
    }
}
