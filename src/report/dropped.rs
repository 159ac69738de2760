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

#[cfg(test)]
mod tests {
    use crate::base::{LinkId, ListenerId, RuleId, Side};
    use crate::event::{Dropped, Sources, What};
    use crate::fault::{Blackhole, Connects, Fault, FidelityWanted, Loss, Mechanism, Toward, WaysWanted};
    use crate::measure::story::{Story, blackhole, plan};

    /// The notes of a run in which this fault held on a link by these means, and this was dropped.
    fn notes(
        fault: Fault,
        by: Mechanism,
        dropped: &[(Side, u64, u64)],
        connects: Option<u64>,
    ) -> Vec<String> {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, by);
        for &(side, segments, passed) in dropped {
            let what = Dropped { segments, passed };
            story.tell(What::Dropped { link: LinkId(1), side, what });
        }
        if connects.is_some() {
            let (listener, rules) = (ListenerId(0), vec![RuleId(0)]);
            let from = Some(Sources { addresses: 1, rules, ..Sources::default() });
            story.tell(What::ListenerMuted { listener, mechanism: Mechanism::Filter, from, dropped: None });
            story.tell(What::ListenerUnmuted { listener, dropped: connects });
        }
        story.at(11_000).lifts(1, 1).heals(1).at(20_000).over();
        let plan = plan(vec![("dark", fault)]);
        let results = story.results(&plan);
        let windows = results.runs[0].windows.values();
        super::notes(&plan.rules[0], windows, results.runs[0].rules[&RuleId(0)].vanished_packets)
    }

    #[test]
    fn the_share_of_a_loss_and_what_vanished_in_the_dark_are_told() {
        let chance = "5%".parse().unwrap();
        let loss = Fault::Loss(Loss { toward: Toward::Device, chance, hold: None });
        let of_loss = |segments, passed| {
            notes(loss.clone(), Mechanism::RandomFilter, &[(Side::Device, segments, passed)], None)
        };
        assert_eq!(
            of_loss(37, 675),
            ["dark: the kernel dropped 37 of 712 segments that devices sent (5.1%; 5% were asked for)"]
        );
        assert_eq!(
            of_loss(1, 0),
            ["dark: the kernel dropped 1 of 1 segment that devices sent (5% were asked for)"]
        );
        let dropped = [(Side::Device, 6, 0), (Side::Hub, 4, 0), (Side::Hub, 3, 0)];
        assert_eq!(
            notes(blackhole("8s"), Mechanism::Filter, &dropped, Some(5)),
            [
                "dark: the kernel dropped all 6 segments that devices sent, and all 7 segments that the hub sent",
                "dark: the kernel dropped 5 packets of connects, SYNs above all, each of their repetitions",
            ]
        );
        assert!(notes(blackhole("8s"), Mechanism::Gate, &[], None).is_empty(), "no evidence, no word");
    }

    #[test]
    fn what_one_way_lacks_is_told_where_it_was_made() {
        let Fault::Blackhole(dark) = blackhole("8s") else { panic!("it is one") };
        let up = Blackhole {
            direction: WaysWanted::Up,
            toward: Toward::Device,
            fidelity: FidelityWanted::Packet,
            connects: Connects::Silence,
            ..dark
        };
        let told = notes(Fault::Blackhole(up), Mechanism::Filter, &[(Side::Device, 6, 0)], None);
        assert!(told[1].contains("what the hub sent was acknowledged by brownout all the same"), "{told:?}");
    }
}
