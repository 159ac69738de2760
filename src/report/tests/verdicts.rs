//! Verdicts by class, what they rest on, and how far figures can be trusted.

use super::goldens::shown;
use super::stories::{dark_and_reset, four_devices};
use crate::base::{DeviceId, Side};
use crate::event::{Delivery, Packet, Samples, What};
use crate::fault::{Ending, LegFate, Mechanism, Toward};
use crate::measure::Results;
use crate::measure::story::{Story, blackhole, expect, plan, rst, span};
use crate::profile::{Comparison, Limit, Metric, Plan, Statistic, Strictness};
use crate::report::model::{ClassVerdict, HeldUp, Verdict};
use crate::report::{Report, Styling, html, junit, summary, terminal};

fn verdicts(plan: &Plan, story: &Story) -> [(&'static str, ClassVerdict); 4] {
    let report = Report::new(plan, &story.results(plan));
    report.verdicts.each().map(|(class, verdict)| (class, verdict.clone()))
}

/// The grade and the reason of a class.
fn of(plan: &Plan, story: &Story, class: &str) -> (&'static str, String) {
    let verdict = verdicts(plan, story).into_iter().find(|(name, _)| *name == class).unwrap().1;
    (verdict.grade, verdict.why)
}

fn watching() -> Plan {
    plan(Vec::new())
}

/// So many packets from a device on a link that nothing is wrong with.
fn quiet(packets: u64) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10);
    for _ in 0..packets / 2 {
        story.at(1_000).traffic(1, 20, Samples::default());
    }
    story.at(9_000).over();
    story
}

#[test]
fn a_rule_kept_has_to_be_seen_kept() {
    let few = "packets of devices seen: only 8 of the 10 that it takes".to_owned();
    assert_eq!(of(&watching(), &quiet(8), "violation"), ("inconclusive", few));
    assert_eq!(of(&watching(), &quiet(10), "violation"), ("pass", "packets of devices seen: 10".into()));
    assert_eq!(of(&watching(), &quiet(0), "violation").0, "inconclusive");
}

#[test]
fn without_a_fault_nobody_detects_and_nobody_recovers() {
    for class in ["detection", "recovery", "loss"] {
        assert_eq!(of(&watching(), &quiet(100), class).0, "inconclusive", "{class}");
    }
}

/// Dark from 10 s on, keep-alive 10 s; the device gives the link up after so long, and is back after the dark.
fn dark(given_up: u64) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(10_000).up(1, Packet::Pingreq).down(1, Packet::Pingresp);
    story.opens(1, 0, 0, 10).applies(1, 1, Mechanism::Gate);
    story.at(25_000).ends(1, Side::Hub, Ending::Fin);
    story.at(10_000 + given_up).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(60_000).heals(1).joins(2, 0, "a", 10).at(80_000).over();
    story
}

#[test]
fn detection_and_recovery_pass_on_what_was_measured() {
    let plan = plan(vec![("dark", blackhole("50s"))]);
    assert_eq!(of(&plan, &dark(15_000), "detection"), ("pass", "ends of dead links watched: 2".into()));
    assert_eq!(of(&plan, &dark(15_000), "recovery"), ("pass", "outages watched to the end: 1".into()));
    assert_eq!(of(&plan, &dark(25_000), "detection"), ("warn", "slow-detection".into()));
    assert_eq!(of(&plan, &dark(35_000), "detection"), ("fail", "slow-detection".into()));
    assert_eq!(of(&plan, &dark(35_000), "recovery").0, "pass", "classes are never mixed");
}

/// A device that was not back when the run ended, too soon to say, leaves it open.
#[test]
fn an_outage_that_has_no_end_leaves_recovery_open() {
    let plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    for (link, device, name) in [(1, 0, "a"), (2, 1, "b")] {
        story.at(link * 1_000).joins(link, device, name, 10).opens(link, 0, device, 10);
        story.applies(link, link, Mechanism::Linger);
        story.cut(link, Side::Device, LegFate::Reset, link).cut(link, Side::Hub, LegFate::Reset, link);
        story.heals(link).closes(link);
    }
    story.at(4_000).joins(3, 0, "a", 10).at(9_000).over();
    let why = "outages watched to the end: 1; not over by the end of the run: 1".to_owned();
    assert_eq!(of(&plan, &story, "recovery"), ("inconclusive", why));
}

#[test]
fn loss_passes_on_so_many_messages() {
    let story = |messages: u64| {
        let mut story = quiet(100);
        let up = Box::new(Delivery { sent: [50, messages, 0], ..Delivery::default() });
        story.tell(What::Delivery { device: DeviceId(0), up, down: Box::default() });
        of(&watching(), &story, "loss").0
    };
    assert_eq!((story(9), story(10)), ("inconclusive", "pass"));
}

/// Whatever was told one by one: where the counts say that messages were lost, that is no pass.
#[test]
fn loss_never_passes_over_lost_messages() {
    let of_lost = |lost: [u64; 3]| {
        let mut story = quiet(100);
        let up = Box::new(Delivery { sent: [50, 50, 0], lost, ..Delivery::default() });
        story.tell(What::Delivery { device: DeviceId(0), up, down: Box::default() });
        of(&watching(), &story, "loss")
    };
    assert_eq!(of_lost([0; 3]).0, "pass");
    assert_eq!(of_lost([3, 1, 0]), ("warn", "lost, held against nobody: 3 of QoS 0, 1 of QoS 1".into()));
    assert_eq!(of_lost([0, 0, 1]).0, "warn");
}

/// Nor over messages that may be lost, for all that is known.
#[test]
fn loss_never_passes_over_messages_that_were_not_followed() {
    let of_unfollowed = |lost, unfollowed: [u64; 3]| {
        let mut story = quiet(100);
        let up = Delivery { sent: [50, 50, 0], lost: [lost, 0, 0], unfollowed, ..Delivery::default() };
        story.tell(What::Delivery { device: DeviceId(0), up: Box::default(), down: up.into() });
        of(&watching(), &story, "loss")
    };
    let told = "not known whether they are lost: 2 of QoS 0, 1 of QoS 2".to_owned();
    assert_eq!(of_unfollowed(0, [2, 0, 1]), ("inconclusive", told));
    assert_eq!(of_unfollowed(1, [2, 0, 0]), ("warn", "lost, held against nobody: 1 of QoS 0".into()));
}

/// A device that had just come back when the run ended has not shown yet whether it subscribes again.
#[test]
fn recovery_never_passes_over_a_device_that_was_just_back() {
    let of_watched = |until| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).up(1, Packet::Subscribe { id: 1, filters: vec!["cmd/#".into()] });
        story.down(1, Packet::Suback { id: 1, codes: vec![0] }).at(4_000).ends(1, Side::Hub, Ending::Fin);
        story.carried(1, Side::Device).closes(1).at(5_000).joins(2, 0, "a", 60);
        of(&watching(), story.at(until).over(), "recovery")
    };
    let told = "outages watched to the end: 1; back too shortly before the end to tell whether it subscribes again: 1";
    assert_eq!(of_watched(8_000), ("inconclusive", told.into()));
    assert_eq!(of_watched(8_001), ("fail", "lost-subscriptions".into()));
}

#[test]
fn messages_that_were_not_followed_are_named_as_dropped() {
    let mut story = quiet(100);
    let of = |messages| Box::new(Delivery { unfollowed: [messages, 0, 0], ..Delivery::default() });
    story.tell(What::Delivery { device: DeviceId(0), up: of(2), down: of(3) });
    let known = Report::new(&watching(), &story.results(&watching())).uncertainty;
    let told = "of 5 messages it is not known what became: beyond what is followed, come late, passed on and never acknowledged nor sent again, or to an end that had left";
    assert_eq!(known.dropped, [told]);
}

#[test]
fn messages_whose_sender_was_perhaps_not_told_are_named_so() {
    let mut story = quiet(100);
    let first = Delivery { sent: [0, 9, 0], completed: [0, 9, 0], ..Delivery::default() };
    for up in [first, Delivery { doubted_completed: [0, 2, 0], ..Delivery::default() }] {
        story.tell(What::Delivery { device: DeviceId(0), up: Box::new(up), down: Box::default() });
    }
    let known = Report::new(&watching(), &story.results(&watching())).uncertainty;
    let told = "of 2 messages of QoS 1 or 2 it is not known whether their sender got what told it that they had arrived: its leg went just then";
    assert_eq!(known.dropped, [told]);
}

#[test]
fn an_expectation_speaks_for_its_class() {
    let mut plan = plan(vec![("dark", blackhole("50s"))]);
    let recovery = |limit| expect(Metric::Recovery, Statistic::Max, Comparison::AtMost, span(limit));
    plan.expectations = vec![recovery("1ms")];
    plan.expectations.push(expect(
        Metric::TokenLate,
        Statistic::Count,
        Comparison::Equal,
        Limit::Number(0.0),
    ));
    assert_eq!(of(&plan, &dark(15_000), "recovery"), ("inconclusive", "1 expectation unmet".into()));
    plan.expectations = vec![recovery("0s")];
    assert_eq!(of(&plan, &dark(15_000), "recovery").0, "pass", "it was back at that very moment");
    plan.expectations = vec![expect(Metric::DeviceDetection, Statistic::Max, Comparison::Below, span("15s"))];
    assert_eq!(of(&plan, &dark(15_000), "detection"), ("fail", "1 expectation unmet".into()));
}

/// Only what somebody asked for changes how a run ends.
#[test]
fn a_class_that_fails_fails_the_run_where_that_was_asked_for() {
    let mut plan = plan(vec![("dark", blackhole("50s"))]);
    let report = |plan: &Plan| Report::new(plan, &dark(35_000).results(plan));
    assert!(report(&plan).is_met());
    assert_eq!(report(&plan).verdict, Verdict::NoExpectations);
    plan.strictness = Some(Strictness::Standard);
    let failed = report(&plan);
    assert_eq!((failed.is_met(), failed.verdict), (false, Verdict::Failed));
    for (form, told) in [
        (terminal::render(&failed, Styling::Plain), "FAILED: DETECTION"),
        (summary::render(&failed), ": FAILED, DETECTION\n"),
        (html::render(&failed, &[]), "<p class=\"why\">detection</p>"),
        (junit::render(&failed), "<failure message=\"fail: "),
    ] {
        assert!(form.contains(told), "{told}: {form}");
    }
    plan.strictness = Some(Strictness::Strict311);
    assert!(report(&plan).is_met(), "no MUST of the specification");
    plan.strictness = Some(Strictness::Strict5);
    let verdict = of(&plan, &dark(15_000), "detection");
    assert_eq!(verdict, ("inconclusive", "no device speaks the version that strict-5 is for".into()));
}

/// A command that fails fails the run, in every form; not one that was told to end.
#[test]
fn a_command_that_fails_fails_the_run() {
    let plan = plan(vec![("dark", blackhole("50s"))]);
    let report = |code, is_stopped: bool| {
        let mut story = dark(15_000);
        if is_stopped {
            story.tell(What::CommandStopped);
        }
        story.tell(What::CommandEnded { code });
        Report::new(&plan, &story.results(&plan))
    };
    for (code, is_stopped) in [(Some(0), false), (Some(3), true), (None, true)] {
        let report = report(code, is_stopped);
        assert_eq!((report.is_met(), report.verdict), (true, Verdict::NoExpectations));
        assert!(!report.to_json().unwrap().contains("command_failed"));
    }
    let failed = report(Some(3), false);
    assert_eq!((failed.is_met(), failed.verdict), (false, Verdict::Failed));
    for (form, told) in [
        (terminal::render(&failed, Styling::Plain), "FAILED: COMMAND"),
        (summary::render(&failed), ": FAILED, COMMAND\n"),
        (html::render(&failed, &[]), "<p class=\"why\">command</p>"),
        (junit::render(&failed), " type=\"command_failed\">it ended with code 3</error>"),
        (failed.to_json().unwrap(), "\"command_failed\": \"it ended with code 3\""),
    ] {
        assert!(form.contains(told), "{told}: {form}");
    }
    assert_eq!(report(None, false).notes[0], "the command failed: a signal ended it");
}

#[test]
fn a_strictness_is_shown_in_the_head() {
    let plan = Plan { strictness: Some(Strictness::DeviceAdvisor), ..dark_and_reset() };
    insta::assert_snapshot!(shown(&plan, &[four_devices()]));
}

#[test]
fn the_longest_that_brownout_was_held_up_is_told_with_its_run() {
    let held_up = |late: &[(u64, u64)]| {
        let mut story = quiet(100);
        for (at, late_ms) in late {
            story.at(*at).tell(What::HeldUp { late_ns: late_ms * 1_000_000 });
        }
        story.results(&watching())
    };
    let of = |results: &Results| {
        let report = Report::new(&watching(), results);
        let notes = report.notes.into_iter().filter(|note| note.contains("held up"));
        (report.uncertainty.held_up, notes.collect::<Vec<_>>())
    };
    assert_eq!(of(&held_up(&[])), (None, Vec::new()));
    let known =
        |times, worst_s, worst_run, worst_until_s| Some(HeldUp { times, worst_s, worst_run, worst_until_s });
    let told = "brownout itself was held up for 60 ms or more (until 110 s): the machine was too busy to run it, or one of \
                the two was stopped; figures of such a moment may be off by as much";
    assert_eq!(of(&held_up(&[(110_000, 60)])), (known(1, 0.06, 1, 110.0), vec![told.to_owned()]));
    let both = held_up(&[(110_000, 60)]).merge(held_up(&[(110_000, 50), (111_000, 2_500), (112_000, 70)]));
    let (known_of_both, told) = of(&both);
    let run = both.runs.iter().position(|run| run.trouble.held_up.unwrap().times == 3).unwrap() + 1;
    assert_eq!(known_of_both, known(4, 2.5, run, 111.0));
    let told_of_both = format!("held up 4 times, at worst for 2.5 s or more (run {run}, until 111 s)");
    assert!(told[0].contains(&told_of_both), "{told:?}");
}

#[test]
fn what_is_dropped_and_bracketed_is_counted() {
    let plan = plan(vec![("dark", blackhole("50s"))]);
    let whole = Report::new(&plan, &dark(15_000).results(&plan)).uncertainty;
    assert_eq!((whole.bracketed, whole.hidden, whole.dropped.len()), (0, 0, 0));
    assert_eq!(whole.fidelity.get("stall"), Some(&1));
    let mut muted = Story::new();
    muted.joins(1, 0, "a", 10).at(10_000).opens(1, 0, 0, 10).applies(1, 1, Mechanism::Filter);
    muted.at(60_000).heals(1).at(60_500).ends(1, Side::Device, Ending::Fin).closes(1);
    let known = Report::new(&plan, &muted.results(&plan)).uncertainty;
    assert!(known.bracketed > 0 && known.values >= known.bracketed, "{known:?}");
    assert_eq!(known.fidelity.get("packet"), Some(&1));
    assert_eq!(known.dropped, ["the log breaks off; what came after that is not known"]);
}
