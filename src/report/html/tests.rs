//! The page without its style and script, held against a golden; and what must hold of every page.

use super::{POLICY, SCRIPT, STYLE, data, delivery, findings, page, render, rules};
use crate::base::{Direction, LinkId, Side};
use crate::event::What;
use crate::fault::{Ending, LegFate, Mechanism, Toward};
use crate::measure::story::{Story, blackhole, expect, plan, rst, span};
use crate::profile::{Comparison, Metric, Plan, Statistic};
use crate::report::model::{Delivery, DeliveryCounts, Figure, Finding, Repeated, Seen, Wire};
use crate::report::{Report, Timeline};

fn timeline(story: &Story) -> Timeline {
    let mut timeline = Timeline::default();
    story.events.iter().for_each(|event| timeline.push(event));
    timeline
}

fn dark() -> Plan {
    let mut plan = plan(vec![("dark", blackhole("8s")), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let at_most = |metric, limit| expect(metric, Statistic::Max, Comparison::AtMost, span(limit));
    plan.expectations =
        vec![at_most(Metric::DeviceDetection, "1 keepalive"), at_most(Metric::Recovery, "30s")];
    plan
}

/// One device in the dark; it is slow to notice.
fn one(name: &'static str) -> Story {
    let mut story = Story::new();
    story.at(10).joins(1, 0, name, 2);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).ends(1, Side::Hub, Ending::Fin).at(7_500).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(11_000).lifts(1, 1).heals(1).at(11_900).joins(2, 0, name, 2).at(14_000).closes(2).over();
    story
}

#[test]
fn a_small_story() {
    let (plan, story) = (dark(), one("<pump>"));
    let report = Report::new(&plan, &story.results(&plan));
    let timelines = [timeline(&story)];
    let data = data::json(&report, &timelines);
    let told = page(&report, &timelines, "STYLE\n", "SCRIPT\n", &data);
    insta::assert_snapshot!(told.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

/// The chart of runs together counts devices by who they are: an address on two machines is two.
#[test]
fn lanes_say_whose_they_are_where_their_names_do_not() {
    let of = |address: &'static str, wall_clock: &str| {
        let mut story = Story::new();
        if let What::RunStarted(started) = &mut story.events[0].what {
            started.wall_clock = wall_clock.into();
        }
        story.at(1_000).greets(1).hello(1, true).is_of(1, 0, address);
        story.tell(What::FirstData { link: LinkId(1), direction: Direction::Down });
        story.joins(2, 1, "pump", 60).at(30_000).over();
        story
    };
    let plan = plan(Vec::new());
    let whose = |other: &'static str| -> Vec<serde_json::Value> {
        let runs = [of("10.0.0.5", "2026-01-01T00:00:00Z"), of(other, "2026-01-01T00:00:10Z")];
        let results = runs[0].results(&plan).merge(runs[1].results(&plan));
        let report = Report::new(&plan, &results);
        let data = data::json(&report, &runs.each_ref().map(timeline));
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        let lanes =
            data["timelines"].as_array().unwrap().iter().flat_map(|run| run["lanes"].as_array().unwrap());
        lanes.map(|lane| lane["who"].clone()).collect()
    };
    let nobody = serde_json::Value::Null;
    assert_eq!(
        whose("10.0.0.5"),
        ["10.0.0.5 (run 1)".into(), nobody.clone(), "10.0.0.5 (run 2)".into(), nobody]
    );
    assert!(whose("10.0.0.6").iter().all(serde_json::Value::is_null), "each name is one device's");
}

/// Who was told of the other end's end has not noticed, and who was not told has nothing in that place.
#[test]
fn a_device_that_was_told_is_said_to_have_been_told() {
    let (plan, story) = (dark(), one("pump"));
    let mut report = Report::new(&plan, &story.results(&plan));
    let words = |report: &Report| page(report, &[], "", "", "").matches("told of the hub&#39;s end").count();
    assert_eq!(words(&report), 0);
    report.rules[0].windows[0].device_told = true;
    assert_eq!(words(&report), 0, "it noticed before");
    report.rules[0].windows[0].device_detection_s = None;
    assert_eq!(words(&report), 1);
    report.rules[0].windows[0].device_detection_s = Some(Figure::Never { never_watched_s: 0.0 });
    assert_eq!(words(&report), 1, "the fault hid whether it had, as on a terminal");
    report.rules[0].windows[0].device_told = false;
    assert_eq!(words(&report), 0);
}

/// What was found out, told as a whole; messages, where there were any.
#[test]
fn findings_and_messages() {
    let (plan, story) = (dark(), one("pump"));
    let mut report = Report::new(&plan, &story.results(&plan));
    let lost = Finding {
        id: "pingresp-not-awaited",
        class: "detection",
        grade: "fail",
        run: 1,
        device: Some("<b>pump</b>".into()),
        seen: "no PINGRESP came for 8.0 s, and the device sent on".into(),
        count: 2,
        evidence: vec![Seen { seq: 47, at_s: 3.0, what: "PINGREQ without PINGRESP".into() }],
        cause: "the client does not look whether its PINGREQ is answered".into(),
        advice: "close the link when no PINGRESP comes within the keep-alive".into(),
        rule: Some("MQTT-3.1.2-24"),
    };
    let fleet =
        Finding { grade: "warn", device: None, count: 1, evidence: Vec::new(), rule: None, ..lost.clone() };
    report.findings = vec![lost, fleet];
    let up =
        DeliveryCounts { sent: [0, 120, 0], received: [0, 118, 0], lost: [0, 2, 0], ..Default::default() };
    let (received, unfollowed) = ([5, 0, 0], [2, 0, 0]);
    let down = DeliveryCounts { sent: [7, 0, 0], received, unfollowed, ..Default::default() };
    report.fleet.delivery = Some(Delivery { up, down, queued_offline: Some(5), dropped_offline: None });
    insta::assert_snapshot!(findings::section(&report) + &delivery::section(&report));
}

#[test]
fn what_a_tap_saw_is_told_with_its_rule() {
    let (plan, story) = (dark(), one("pump"));
    let mut report = Report::new(&plan, &story.results(&plan));
    let again = Repeated { segments: 6, first_gap_s: Some(0.2), last_gap_s: Some(6.6), probes: 0 };
    report.rules[0].windows[0].wire =
        Some(Wire { whole: false, connects: 4, unanswered: 3, syns: 7, device: Some(again), hub: None });
    let told = "<li>on the wire: 4 connects not accepted at once (7 SYNs, 1 accepted later); devices sent 6 segments again, \
                200 ms to 6.6 s apart; not all was seen</li>";
    let shown = rules::section(&report);
    assert!(shown.contains(told), "{shown}");
}

#[test]
fn no_name_is_markup() {
    for name in
        ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "<!--", "'><b onclick='x"]
    {
        let (plan, story) = (dark(), one(name));
        let page = render(&Report::new(&plan, &story.results(&plan)), &[timeline(&story)]);
        assert!(!page.contains(name), "{name}");
        assert_eq!(page.matches("<script").count(), 3, "{name}");
        assert_eq!(page.matches("</script>").count(), 3, "{name}");
    }
}

#[test]
fn nothing_is_loaded_and_no_name_could_become_markup_later() {
    let script = SCRIPT.concat();
    for way in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "import("]
    {
        assert!(!script.contains(way), "{way}");
    }
    let loads = |text: &str| text.contains("https://") || text.contains("url(") || text.contains("@import");
    assert!(!loads(STYLE));
    assert!(!loads(&script.replace("http://www.w3.org/2000/svg", "")));
    assert!(POLICY.starts_with("default-src 'none';"));
    assert!(!script.contains("</script") && !STYLE.contains("</style"));
}

/// The script takes a kind and a count out of one number.
#[test]
fn there_are_fewer_kinds_of_marks_than_the_data_has_room_for() {
    use crate::report::timeline::Kind;
    assert!(u64::try_from(Kind::ALL.len()).unwrap() <= data::COUNT_BY);
}

/// Each timeline finds its run, in whatever order they come; an unknown one is shown all the same.
#[test]
fn several_runs() {
    let plan = dark();
    let runs = [(1, "2026-01-02T00:00:00Z"), (2, "2026-01-01T00:00:00Z")].map(|(seed, clock)| {
        let mut story = one("pump");
        if let What::RunStarted(start) = &mut story.events[0].what {
            (start.seed, start.wall_clock) = (seed, clock.into());
        }
        story
    });
    let results = runs.iter().map(|story| story.results(&plan)).reduce(crate::measure::Results::merge);
    let report = Report::new(&plan, &results.unwrap());
    let which = runs.iter().map(|story| data::run_of(&report, &timeline(story)));
    assert_eq!(which.collect::<Vec<_>>(), [Some(2), Some(1)]);
    assert_eq!(data::run_of(&report, &timeline(&one("other"))), None);
    assert!(render(&report, &[timeline(&one("other"))]).contains("\"run\":null"));
}

/// The hub had given the link up, and a reset of the device's leg came before its FIN could be passed on.
#[test]
fn a_device_that_another_fault_cut_off_was_not_told_of_the_hubs_end() {
    for carried in [true, false] {
        let mut story = Story::new();
        story.at(10).joins(1, 0, "pump", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
        story.at(4_000).ends(1, Side::Hub, Ending::Fin).at(4_500);
        if carried {
            story.carried(1, Side::Device);
        } else {
            story.opens(2, 1, 0, 2).applies(2, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 2);
            story.heals(2);
        }
        story.closes(1).at(11_000).lifts(1, 1).heals(1).at(11_900).joins(2, 0, "pump", 2);
        let (plan, results) = (dark(), story.at(14_000).over().results(&dark()));
        let report = Report::new(&plan, &results);
        assert_eq!(report.rules[0].windows[0].device_told, carried);
        let shown = page(&report, &[], "", "", "").contains("told of the hub&#39;s end");
        assert_eq!(shown, carried);
    }
}

/// The head counts the busiest second wherever it begins; the chart has the seconds of the run, which may part it.
#[test]
fn which_seconds_are_meant_is_said_where_connects_are_counted_in_them() {
    let mut story = Story::new();
    for link in 0..10 {
        story.at(500 + 100 * link).opens_link(link, 0, "pump");
    }
    let results = story.at(14_000).over().results(&dark());
    let (report, timelines) = (Report::new(&dark(), &results), [timeline(&story)]);
    let data = data::json(&report, &timelines);
    assert!(data.contains(r#""busiest":[5,5,0"#), "{data}");
    let page = page(&report, &timelines, "", "", &data);
    assert!(page.contains("busiest second, wherever it begins: 10 connects"), "{page}");
    assert!(page.contains("Connect attempts in each of the run's own seconds"), "{page}");
    let told = SCRIPT.concat().matches("of the run's own seconds").count();
    assert_eq!(told, 3, "the heading, wide or not, and the words for those who do not see it");
}

/// A port that is open gets all kinds of things; what never speaks MQTT is no device, and is told apart in every form.
#[test]
fn what_never_speaks_mqtt_is_no_device() {
    let mut story = Story::new();
    story.at(10).joins(1, 0, "pump", 2).joins(2, 1, "fan", 2).at(1_000);
    for (link, name) in [(3, "127.0.0.1:3"), (4, "127.0.0.1:4"), (5, "127.0.0.1:5")] {
        story.greets(link);
        let (id, direction, reason) = (LinkId(link), Direction::Up, "a reserved type".to_owned());
        story.tell(What::NotMqtt { link: id, direction, offset: 0, reason });
        story.is_of(link, u32::try_from(link).unwrap(), name).closes(link);
    }
    // What comes after a CONNECT is a device's own.
    let reason = "a reserved type".to_owned();
    story.tell(What::NotMqtt { link: LinkId(2), direction: Direction::Up, offset: 99, reason });
    let plan = dark();
    let report = Report::new(&plan, &story.at(14_000).over().results(&plan));
    let head = page(&report, &[], "", "", "");
    assert!(head.contains(">2 devices, 5 links, 3 of them without MQTT; "), "{head}");
    assert_eq!(head.matches(">no MQTT<").count(), 3, "{head}");
    let text = crate::report::terminal::render(&report, crate::report::Styling::Plain);
    assert!(text.contains(", 2 devices, 3 links without MQTT\n"), "{text}");
    assert_eq!(text.matches(" no MQTT ").count(), 3, "{text}");
    let markdown = crate::report::summary::render(&report);
    assert!(markdown.contains("2 devices, 3 links without MQTT"), "{markdown}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["fleet"]["devices"], &json["fleet"]["links_without_mqtt"]), (&2.into(), &3.into()));
    assert_eq!(json["devices"][2]["without_mqtt"], true);
    assert_eq!(json["devices"][1]["without_mqtt"], false);
}
