//! Verdicts of cells, both sides of each edge, and the forms as goldens.

use super::*;
use crate::base::Side;
use crate::event::{EndReason, What};
use crate::fault::{Ending, Mechanism};
use crate::measure::story::{Story, blackhole, expect, plan, span};
use crate::profile::{Comparison, Limit, Metric, Plan, Statistic};
use crate::report::model::Figure;
use crate::report::summary::MOST_BYTES;
use crate::report::{Report, Styling};

const IDLE: Case = Case { told: Told::Idle, keep_alive_s: Some(2.0), needs_mqtt5: false, late_bound_s: 0.05 };

fn dark() -> Plan {
    let mut plan = plan(vec![("dark", blackhole("8s"))]);
    plan.expectations =
        vec![expect(Metric::DeviceDetection, Statistic::Max, Comparison::AtMost, span("2 keepalive"))];
    plan
}

/// A device that gives its dark link up after so many milliseconds, and is back when the path is.
fn noticed_after(millis: u64) -> Report {
    let mut story = Story::new();
    story.joins(1, 0, "d", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(3_000 + millis).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(11_000).lifts(1, 1).heals(1).at(11_500).joins(2, 0, "d", 2);
    story.at(20_000).over();
    let plan = dark();
    Report::new(&plan, &story.results(&plan))
}

fn run() -> Judged {
    Judged {
        client: ClientEnd::Told,
        spoke_mqtt5: false,
        published: false,
        was_sent: false,
        late_s: 0.001,
        output: vec!["last words".into()],
        cut_off: None,
    }
}

#[test]
fn a_cell_has_the_worst_of_its_run() {
    let cell = judge(&noticed_after(3_000), &IDLE, run());
    assert_eq!((cell.verdict, cell.why.len(), cell.output.len()), (Verdict::Pass, 0, 0));
    assert_eq!((cell.detected_s, cell.detected_keepalives), (Some(Figure::Seconds(3.0)), Some(1.5)));
    assert_eq!(cell.recovered_s, Some(Figure::Seconds(0.5)));
    let cell = judge(&noticed_after(4_001), &IDLE, run());
    assert_eq!((cell.verdict, cell.output.len()), (Verdict::Fail, 1), "2 keep-alives are 4 s");
    assert!(cell.why[0].starts_with("device_detection, max <= 2 keepalive: d 4.001 s"), "{:?}", cell.why);
}

/// A fault that the suite's own limit kept from being made has shown nothing.
#[test]
fn what_the_suites_limit_cut_off_is_no_pass() {
    let undone = "ended by its duration: dark fired 1 of 3 times";
    let cut_off = || Judged { cut_off: Some(undone.into()), ..run() };
    let cell = judge(&noticed_after(3_000), &IDLE, cut_off());
    let why = format!("cut off by the suite's limit, {undone}; give the suite a longer `limit`");
    assert_eq!((cell.verdict, cell.why), (Verdict::Inconclusive, vec![why]));
    assert_eq!(judge(&noticed_after(4_001), &IDLE, cut_off()).verdict, Verdict::Fail);
}

#[test]
fn what_the_client_did_counts_whatever_was_measured() {
    let report = noticed_after(3_000);
    let ended = Judged { client: ClientEnd::ByItself("exit code 0".into()), ..run() };
    let cell = judge(&report, &IDLE, ended);
    assert_eq!(
        (cell.verdict, cell.why),
        (Verdict::Fail, vec!["client ended by itself, exit code 0".to_owned()])
    );
    let cell = judge(&report, &Case { keep_alive_s: Some(4.0), ..IDLE }, run());
    assert_eq!(cell.verdict, Verdict::Inconclusive);
    assert_eq!(cell.why, ["the client's keep-alive is 2 s, not 4 s as BROWNOUT_KEEPALIVE says"]);
    let cell = judge(&report, &Case { told: Told::Publish, ..IDLE }, run());
    assert_eq!((cell.verdict, cell.why.len()), (Verdict::Inconclusive, 1), "{:?}", cell.why);
    let sent = Judged { was_sent: true, ..run() };
    assert_eq!(judge(&report, &Case { told: Told::Subscribe, ..IDLE }, sent).verdict, Verdict::Pass);
    let mut nobody = Story::new();
    nobody.at(5_000).over();
    let nobody = Report::new(&dark(), &nobody.results(&dark()));
    let cell = judge(&nobody, &IDLE, run());
    assert_eq!((cell.verdict, cell.why[0].as_str()), (Verdict::Fail, "the client never connected"));
}

#[test]
fn a_disturbed_failure_proves_nothing_and_a_disturbed_pass_stands() {
    let late = |late_s| Judged { late_s, ..run() };
    assert_eq!(judge(&noticed_after(4_001), &IDLE, late(0.05)).verdict, Verdict::Fail);
    let cell = judge(&noticed_after(4_001), &IDLE, late(0.051));
    assert_eq!((cell.verdict, cell.why.len()), (Verdict::Inconclusive, 2));
    assert!(cell.why.iter().any(|why| why.contains("did not keep up")), "{:?}", cell.why);
    assert_eq!(judge(&noticed_after(3_000), &IDLE, late(9.0)).verdict, Verdict::Pass);
    // Half a second over a limit is not the doing of timers that were a tenth of that late.
    assert_eq!(judge(&noticed_after(4_000 + 600), &IDLE, late(0.06)).verdict, Verdict::Inconclusive);
    assert_eq!(judge(&noticed_after(4_000 + 601), &IDLE, late(0.06)).verdict, Verdict::Fail);
}

/// A reset, and connects that come to nothing for 5 s more: back counts from the end of that, for both.
#[test]
fn back_counts_from_the_end_of_the_last_fault_that_kept_a_device_away() {
    let mut report = noticed_after(3_000);
    let mut reset = report.rules[0].clone();
    (reset.windows[0].restored_s, reset.windows[0].recovery_s) = (Some(3.0), Some(Figure::Seconds(8.5)));
    report.rules.push(reset);
    assert_eq!(judge(&report, &IDLE, run()).recovered_s, Some(Figure::Seconds(0.5)));
    // Where the other did not keep the device away, it is the reset's own.
    report.rules[0].windows[0].recovery_s = None;
    assert_eq!(judge(&report, &IDLE, run()).recovered_s, Some(Figure::Seconds(8.5)));
}

/// A detection is in the keep-alives of the device, whatever the suite told it to use; in seconds where it has none. What was not
/// noticed is not told as noticed, and a bracket not as a time.
#[test]
fn a_detection_is_told_as_what_is_known_of_it() {
    let told = |keep_alive: u16, mechanism, signs: Option<u64>| {
        let mut story = Story::new();
        story.joins(1, 0, "d", keep_alive).at(3_000);
        story.opens(1, 0, 0, if keep_alive == 0 { 60 } else { u64::from(keep_alive) });
        if let (What::WindowOpened { assumed, .. }, 0) =
            (&mut story.events.last_mut().unwrap().what, keep_alive)
        {
            *assumed = true;
        }
        story.applies(1, 1, mechanism);
        if let Some(millis) = signs {
            story.at(3_000 + millis).ends(1, Side::Device, Ending::Fin).closes(1);
        }
        if signs.is_none() {
            story.at(9_000).ends(1, Side::Hub, Ending::Fin);
        }
        story.at(11_000).lifts(1, 1).heals(1).at(20_000).over();
        let report = Report::new(&dark(), &story.results(&dark()));
        let cell = judge(&report, &Case { keep_alive_s: Some(2.0), ..IDLE }, run());
        let text = terminal(&alone(cell.clone()), Styling::Plain);
        let cell_of = text.lines().find_map(|line| line.trim().strip_prefix("rst  ").map(str::to_owned));
        let page = html(&alone(cell));
        let words = page.split("<small>").find(|words| words.contains("detected")).unwrap_or_default();
        (cell_of.unwrap(), words.split("</small>").next().unwrap().to_owned())
    };
    for (keep_alive, mechanism, signs, short, words) in [
        (2, Mechanism::Gate, Some(3_000), "1.5 K", "detected after 1.5 K"),
        (4, Mechanism::Gate, None, ">2.0 K", "not detected in 2.0 K"),
        (0, Mechanism::Gate, Some(3_000), "3.0 s", "detected after 3.0 s"),
        (2, Mechanism::Filter, Some(8_500), "<4.2 K", "detected within 4.2 K"),
    ] {
        let (shown, said) = told(keep_alive, mechanism, signs);
        assert!(
            shown.replace(' ', "").contains(&short.replace(' ', "")) && said == words,
            "{keep_alive} {signs:?}: {shown} / {said}"
        );
    }
}

/// So long was watched for who did not come back; that may be no time at all.
#[test]
fn who_is_not_back_is_told_with_how_long_that_was_watched() {
    let of = |recovered: Figure| {
        alone(Cell { verdict: Verdict::Fail, recovered_s: Some(recovered), ..Cell::default() })
    };
    for (recovered, short, words) in [
        (Figure::Seconds(0.412), "412 ms", "back after 412 ms"),
        (Figure::Between { after_s: 1.0, before_s: 2.5 }, "<2.5 s", "back within 2.5 s"),
        (Figure::Never { never_watched_s: 9.0 }, ">9.0 s", "not back in 9.0 s"),
        (Figure::Never { never_watched_s: 0.0 }, "hidden", "not seen whether it was back"),
    ] {
        let card = of(recovered);
        assert!(terminal(&card, Styling::Plain).contains(&format!("  FAIL - {short}\n")), "{short}");
        assert!(html(&card).contains(&format!("<small>{words}</small>")), "{words}");
        assert!(junit(&card).contains(&format!("\n{words}<")), "{words}: {}", junit(&card));
    }
}

/// The longest watch tells the most of what was never noticed.
#[test]
fn of_what_was_never_noticed_the_longest_watch_counts() {
    let mut report = noticed_after(3_000);
    let one = &mut report.rules[0].windows[0];
    (one.device_detection_s, one.device_detection_keepalives) =
        (Some(Figure::Never { never_watched_s: 8.0 }), None);
    let mut shorter = one.clone();
    shorter.device_detection_s = Some(Figure::Never { never_watched_s: 1.0 });
    report.rules[0].windows.push(shorter);
    let cell = judge(&report, &IDLE, run());
    assert_eq!(cell.detected_s, Some(Figure::Never { never_watched_s: 8.0 }));
}

#[test]
fn an_entry_for_mqtt_5_says_nothing_of_others() {
    let case = Case { needs_mqtt5: true, ..IDLE };
    let five = Judged { spoke_mqtt5: true, ..run() };
    assert_eq!(judge(&noticed_after(4_001), &case, run()).verdict, Verdict::NotApplicable);
    assert_eq!(judge(&noticed_after(4_001), &case, five).verdict, Verdict::Fail);
}

#[test]
fn a_run_that_was_cut_off_shows_nothing() {
    let mut story = Story::new();
    story.joins(1, 0, "d", 2).at(500).tell(What::RunEnded { reason: EndReason::Interrupted });
    let mut plan = dark();
    plan.expectations =
        vec![expect(Metric::KeepaliveViolations, Statistic::Sum, Comparison::AtMost, Limit::Number(0.0))];
    let cell = judge(&Report::new(&plan, &story.results(&plan)), &IDLE, run());
    assert_eq!(cell.verdict, Verdict::Inconclusive);
    assert!(cell.why[0].starts_with("not through: "), "{:?}", cell.why);
    // Nor of a client that takes its time to connect.
    let mut nobody = Story::new();
    nobody.at(500).tell(What::RunEnded { reason: EndReason::Interrupted });
    let cell = judge(&Report::new(&plan, &nobody.results(&plan)), &IDLE, run());
    assert_eq!(cell.verdict, Verdict::Inconclusive);
    assert_eq!(cell.why, ["interrupted before the client connected"]);
}

fn card(cell: Cell, workload: &'static str, directory: Option<&str>) -> Card {
    Card { workload, directory: directory.map(str::to_owned), cell }
}

fn example() -> Scorecard {
    let pass = || Cell {
        verdict: Verdict::Pass,
        detected_s: Some(Figure::Seconds(5.2)),
        detected_keepalives: Some(1.3),
        recovered_s: Some(Figure::Seconds(0.412)),
        lost: Some([3, 0, 0]),
        grades: Some(["pass", "pass", "pass", "inconclusive"]),
        lasted_s: 41.25,
        ..Cell::default()
    };
    let fail = Cell {
        verdict: Verdict::Fail,
        why: vec![
            "device_detection of dark, max <= 3 keepalive: d never in 21.0 s, limit 12.0 s".into(),
            "LOSS messages-lost: 2 messages of QoS 1 were lost <once> & for all".into(),
        ],
        detected_s: Some(Figure::Never { never_watched_s: 21.0 }),
        detection_keep_alive_s: Some(4.0),
        lost: Some([0, 2, 0]),
        findings: 1,
        grades: Some(["inconclusive", "fail", "inconclusive", "fail"]),
        lasted_s: 44.0,
        output: vec!["Traceback | (most recent call last):".into()],
        ..Cell::default()
    };
    let row = |entry: &str, cells| Row {
        entry: entry.into(),
        profile: entry.into(),
        summary: "The path goes dark for longer than the keep-alive; each end has to find out by itself."
            .into(),
        cells,
    };
    let rows = vec![
        row("control", vec![card(Cell { detected_s: None, recovered_s: None, ..pass() }, "idle", None)]),
        row(
            "keepalive-blackhole-with-a-long-name",
            vec![
                card(pass(), "idle", Some("idle-keepalive-blackhole")),
                card(fail, "pub", Some("pub-keepalive-blackhole")),
                card(Cell { verdict: Verdict::NotApplicable, ..Cell::default() }, "sub", None),
            ],
        ),
    ];
    let scorecard = Scorecard {
        format: FORMAT,
        suite: "client".into(),
        summary: "What breaks real clients.".into(),
        command: vec!["python3".into(), "client.py".into(), "<x>".into()],
        wall_clock: "2026-01-02T03:04:05Z".into(),
        lasted_s: 85.25,
        keep_alive_s: 4.0,
        seed: 1,
        hub: None,
        interrupted: false,
        workloads: Vec::new(),
        rows: Vec::new(),
        classes: Vec::new(),
        timing: Timing { jobs: 4, bound_s: 0.1, worst_s: 0.012, disturbed: 0 },
    };
    scorecard.with_rows(rows)
}

#[test]
fn on_a_terminal_of_80_columns() {
    let text = terminal(&example(), Styling::Plain);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line}");
        assert_eq!(line.trim_end(), line, "blanks at the end");
    }
    insta::assert_snapshot!(text);
}

/// A suite of this run alone.
fn alone(cell: Cell) -> Scorecard {
    let cells = vec![card(cell, "idle", None)];
    let row = Row { entry: "rst".into(), profile: "rst".into(), summary: "A reset.".into(), cells };
    Scorecard { rows: Vec::new(), ..example() }.with_rows(vec![row])
}

/// As on the page, in Markdown and in JSON.
#[test]
fn a_class_of_which_no_run_said_enough_is_inconclusive_on_a_terminal_too() {
    let grades = Some(["pass", "inconclusive", "pass", "pass"]);
    let told = terminal(&alone(Cell { verdict: Verdict::Pass, grades, ..Cell::default() }), Styling::Plain);
    assert!(told.contains("\nDETECTION  inconclusive\n"), "{told}");
}

#[test]
fn what_was_lost_is_told_without_a_finding_too() {
    let pass = || Cell { verdict: Verdict::Pass, ..Cell::default() };
    let told = |cell: Cell| terminal(&alone(cell), Styling::Plain);
    for (lost, perhaps_lost, words) in [
        ([9, 2, 0], [0, 0, 0], Some("  2 lost\n")),
        ([0, 1, 1], [7, 2, 1], Some("  2 to 5 lost\n")),
        ([0, 0, 0], [0, 0, 1], Some("  0 to 1 lost\n")),
        ([3, 0, 0], [3, 0, 0], None),
    ] {
        let told = told(Cell { lost: Some(lost), perhaps_lost: Some(perhaps_lost), ..pass() });
        assert!(words.map_or(!told.contains("lost"), |words| told.contains(words)), "{words:?} {told}");
    }
}

/// A client chooses its identifier, and what it prints.
#[test]
fn nothing_that_a_client_says_is_markup_or_a_file_to_show() {
    let mut card = example();
    let name = "[x](https://x.y) ![i](https://x.y/i.png) [[[ATTACHMENT|/etc/passwd]] </testcase>";
    let cell = &mut card.rows[1].cells[1].cell;
    (cell.why, cell.output) = (vec![name.to_owned()], vec![name.to_owned()]);
    let shown = markdown(&card);
    assert!(!shown.contains("](") && !shown.contains("://"), "{shown}");
    let xml = junit(&card);
    assert!(!xml.contains("[[") && xml.matches("</testcase>").count() == card.cards().count(), "{xml}");
}

#[test]
fn as_junit() {
    insta::assert_snapshot!(junit(&example()));
}

#[test]
fn as_markdown() {
    insta::assert_snapshot!(markdown(&example()));
}

/// Of a step of a job GitHub takes 1 MiB, and drops what is longer.
#[test]
fn a_summary_that_is_too_long_is_cut_openly() {
    let mut card = example();
    card.rows.iter_mut().flat_map(|row| &mut row.cells).for_each(|run| {
        run.cell.verdict = Verdict::Fail;
        run.cell.why = vec!["x".repeat(1_000); 2_000];
    });
    let text = markdown(&card);
    assert!(text.len() <= MOST_BYTES && text.contains("\n**The rest is left out:** "), "{}", text.len());
}

#[test]
fn as_html() {
    insta::assert_snapshot!(html(&example()));
}

#[test]
fn as_json() {
    let json: serde_json::Value = serde_json::from_str(&example().to_json().unwrap()).unwrap();
    let failed = &json["rows"][1]["cells"][1];
    assert_eq!(failed["verdict"], "fail");
    assert_eq!(failed["detected_s"]["never_watched_s"], 21.0);
    assert_eq!(failed["directory"], "pub-keepalive-blackhole");
    assert_eq!(
        json["classes"][3],
        serde_json::json!({
            "class": "loss", "grade": "fail", "runs": ["keepalive-blackhole-with-a-long-name/pub"]
        })
    );
}
