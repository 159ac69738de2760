//! What the kernel says that it dropped for a rule: evidence that its fault was on the wire.

use super::words::count;
use crate::base::{Ends, Side};
use crate::event::Dropped;
use crate::fault::{Fault, WaysWanted};
use crate::measure::WindowResults;
use crate::profile::Rule;

/// Notes of a rule: of links, and of connects that vanished.
pub(super) fn notes<'a>(
    rule: &Rule,
    windows: impl Iterator<Item = &'a WindowResults>,
    connects: Option<u64>,
) -> Vec<String> {
    let mut dropped: Ends<Option<Dropped>> = Ends::default();
    for window in windows {
        for side in Side::BOTH {
            let Some(of) = window.dropped.get(side) else { continue };
            let sum = dropped.get_mut(side).get_or_insert_default();
            sum.segments += of.segments;
            sum.passed += of.passed;
        }
    }
    let of = |side| dropped.get(side).map(|dropped| told(rule, side, dropped));
    let parts: Vec<String> = Side::BOTH.into_iter().filter_map(of).collect();
    let links =
        (!parts.is_empty()).then(|| format!("{}: the kernel dropped {}", rule.id, parts.join(", and ")));
    let connects = connects.map(|connects| {
        let packets = count(connects, "packet");
        format!(
            "{}: the kernel dropped {packets} of connects, SYNs above all, each of their repetitions",
            rule.id
        )
    });
    let one_way = one_way(rule).filter(|_| !parts.is_empty());
    links.into_iter().chain(one_way).chain(connects).collect()
}

/// What a blackhole of one way was not like one on the path.
fn one_way(rule: &Rule) -> Option<String> {
    let Fault::Blackhole(blackhole) = &rule.fault else { return None };
    let (sender, receiver) = match blackhole.direction {
        WaysWanted::Both => return None,
        WaysWanted::Up => ("the device", "the hub"),
        WaysWanted::Down => ("the hub", "the device"),
    };
    Some(format!(
        "{} was lost one way, on the leg of {sender}: what {receiver} sent was acknowledged by brownout all the same, so its \
         TCP time-outs saw nothing",
        rule.id
    ))
}

/// Of a loss the share counts, of a blackhole whether anything came through.
fn told(rule: &Rule, side: Side, Dropped { segments, passed }: Dropped) -> String {
    let who = match side {
        Side::Device => "devices",
        Side::Hub => "the hub",
    };
    let all = count(segments + passed, "segment");
    match &rule.fault {
        Fault::Loss(loss) => {
            let share = share(segments, passed);
            format!("{segments} of {all} that {who} sent ({share}{} were asked for)", loss.chance)
        }
        _ if passed == 0 => format!("all {all} that {who} sent"),
        _ => format!("{segments} of {all} that {who} sent"),
    }
}

/// In percent.
fn share(segments: u64, passed: u64) -> String {
    let all = segments + passed;
    // Shares of a few are no shares.
    if all < 20 {
        String::new()
    } else {
        format!("{}.{}%; ", segments * 100 / all, segments * 1000 / all % 10)
    }
}
