//! Stories cut into chapters at every place: what they come to together is what they come to in one.

use super::{Anchor, Chapters, News, Summary, end_line, summary_lines};
use crate::base::{Direction, Side, Time};
use crate::event::{Event, Packet, Samples, What};
use crate::fault::Ending;
use crate::measure::story::{Story, plan};
use crate::measure::{Measures, RunResults};
use crate::profile::Plan;
use crate::report::Report;
use crate::session::Snapshot;

fn anchor() -> Anchor {
    Anchor { wall: "2026-01-01T00:10:00Z".parse().unwrap(), at: Time::from_secs(600) }
}

fn watched() -> Plan {
    plan(Vec::new())
}

/// A device that is reset and comes back, one that its hub times out, one that takes its own link over, one that is
/// refused, one that says goodbye, one that stays; and a machine that is too busy, twice.
fn busy() -> Story {
    let mut story = Story::new();
    let subscribe = |filter: &str| Packet::Subscribe { id: 1, filters: vec![filter.to_owned()] };
    story.at(1_000).joins(1, 1, "reset", 10).joins(2, 2, "silent", 10).joins(3, 3, "twice", 10);
    story.at(1_100).up(1, subscribe("a")).down(1, Packet::Suback { id: 1, codes: vec![0] });
    story.joins(5, 5, "leaves", 10).joins(6, 6, "stays", 10);
    story.at(2_000).up(6, Packet::Pingreq);
    story.at(2_500).down(6, Packet::Pingresp);
    story.at(3_000).ends(1, Side::Device, Ending::Reset).carried(1, Side::Hub);
    story.at(3_010).closes(1);
    story.at(4_000).connect(7, 3, "twice", 10);
    story.at(4_010).ends(3, Side::Hub, Ending::Fin).carried(3, Side::Device);
    story.at(4_020).closes(3);
    story.at(4_030).connack(7, false, 0);
    story.at(5_000).connect(8, 4, "refused", 10).connack(8, false, 5);
    story.at(5_010).ends(8, Side::Hub, Ending::Fin).closes(8);
    story.at(6_000).up(5, Packet::Disconnect { reason: 0 }).ends(5, Side::Device, Ending::Fin).closes(5);
    story.at(9_000).joins(9, 1, "reset", 10);
    story.at(16_000).tell(What::HeldUp { late_ns: 60_000_000 });
    story.ends(2, Side::Hub, Ending::Fin).carried(2, Side::Device);
    story.at(16_010).closes(2);
    story.tell(What::HeldUp { late_ns: 412_345_678 });
    story.at(20_000).up(6, Packet::Pingreq);
    story.at(20_500).down(6, Packet::Pingresp);
    story
}

fn told(plan: &Plan, events: &[Event], cuts: &[usize]) -> (Summary, Vec<News>) {
    let mut chapters = Chapters::new(plan);
    let mut news = Vec::new();
    for (nth, event) in events.iter().enumerate() {
        if cuts.contains(&nth) {
            news.extend(chapters.interval(event.at, anchor()).news);
        }
        news.extend(chapters.push(event));
    }
    let end = events.last().unwrap().at;
    news.extend(chapters.interval(end, anchor()).news);
    (chapters.total(end, anchor()), news)
}

#[test]
fn wherever_it_is_cut_the_totals_and_the_ends_are_the_same() {
    let (plan, story) = (watched(), busy());
    let (whole, news) = told(&plan, &story.events, &[]);
    let ended: Vec<(&str, u64)> = whole.ended.iter().map(|end| (end.cause.as_str(), end.count)).collect();
    assert_eq!(
        ended,
        [
            ("clean DISCONNECT", 1),
            ("reset without DISCONNECT by the device", 1),
            ("keep-alive timeout", 1),
            ("taken over", 1),
            ("refused with code 5", 1),
        ]
    );
    assert_eq!((whole.links, whole.connected, whole.outages, whole.down), (8, 3, 2, 1));
    assert_eq!(whole.worst_outage_s, Some(6.0));
    assert_eq!((whole.held_up, whole.worst_held_up_s), (2, Some(0.412_345_678)));
    assert_eq!(whole.worst_held_up_until_s, Some(16.01));
    assert_eq!(whole.longest_down_device.as_deref(), Some("silent"));
    assert_eq!(whole.ping_rtt.as_ref().map(|rtt| rtt.count), Some(2));
    for cut in 1..story.events.len() {
        let (total, cut_news) = told(&plan, &story.events, &[cut]);
        assert_eq!(total, whole, "cut before {}", story.events[cut]);
        assert_eq!(cut_news, news, "cut before {}", story.events[cut]);
    }
    let everywhere: Vec<usize> = (1..story.events.len()).collect();
    assert_eq!(told(&plan, &story.events, &everywhere), (whole, news));
}

/// A device that vanishes leaves brownout a leg that nobody answers on: until TCP gives up, a quarter of an hour.
#[test]
fn an_end_is_told_when_the_hub_knows_of_it_however_long_the_devices_leg_is_left() {
    let plan = watched();
    let mut story = Story::new();
    story.at(1_000).joins(1, 1, "vanished", 4);
    story.at(9_000).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
    let known = story.events.len() - 2;
    story.at(900_000).ends(1, Side::Device, Ending::Reset).closes(1);
    let mut chapters = Chapters::new(&plan);
    let mut news = Vec::new();
    for (nth, event) in story.events.iter().enumerate() {
        news.extend(chapters.push(event).into_iter().map(|news| (nth, news)));
        if nth == known {
            let summary = chapters.interval(Time::from_secs(20), anchor()).summary;
            assert_eq!(summary.ended.len(), 1, "in the interval in which it happened");
        }
    }
    let [(nth, News::End(over))] = &news[..] else { panic!("{news:?}") };
    assert_eq!(*nth, known);
    assert_eq!(end_line(over, anchor()), "00:00:09Z  vanished  keep-alive timeout (404104), 8.0 s\n");
    assert!(chapters.interval(Time::from_secs(1_000), anchor()).summary.ended.is_empty(), "and in no other");
}

/// The log of a part alone, from its first event on.
fn part(events: &[Event], cut: usize) -> Vec<Event> {
    let mut snapshot = Snapshot::default();
    events[..cut].iter().for_each(|event| snapshot.push(event));
    let first = &events[cut];
    let mut part = snapshot.begin(1, first.seq, first.at);
    part.extend_from_slice(&events[cut..]);
    part
}

fn results(plan: &Plan, events: &[Event]) -> RunResults {
    let mut measures = Measures::new(plan);
    events.iter().for_each(|event| measures.push(event));
    measures.results(events.last().unwrap().at).runs.remove(0)
}

/// Links, also those whose device is not known yet; accepted; events; links that are over.
fn counts(run: &RunResults) -> [u64; 4] {
    let devices = || run.devices.values();
    let over = run.ends.iter().filter(|end| end.over.is_some()).count();
    [
        devices().map(|device| device.links).sum::<u64>() + run.nameless_links,
        devices().map(|device| device.accepted).sum(),
        run.events,
        u64::try_from(over).unwrap(),
    ]
}

#[test]
fn a_part_of_a_log_tells_of_its_own_time_and_knows_what_was_before() {
    let (plan, story) = (watched(), busy());
    let whole = counts(&results(&plan, &story.events));
    assert_eq!(whole[..2], [8, 7]);
    for cut in 1..story.events.len() {
        let before = counts(&results(&plan, &story.events[..cut]));
        let after = counts(&results(&plan, &part(&story.events, cut)));
        let at = &story.events[cut];
        for (nth, all) in whole.iter().enumerate().take(3) {
            assert_eq!(before[nth] + after[nth], *all, "figure {nth}, cut before {at}");
        }
        // A leg may show its end in one part and the link be gone in the next: it is over in both.
        assert!(before[3] + after[3] >= whole[3], "cut before {at}");
    }
}

#[test]
fn a_part_begins_with_itself_and_then_what_lives_in_the_order_of_its_numbers() {
    let story = busy();
    for cut in 1..story.events.len() {
        let part = part(&story.events, cut);
        assert_eq!(part[0].seq, story.events[cut].seq);
        assert!(part[1..].is_sorted_by_key(|event| event.seq), "cut before {}", story.events[cut]);
        assert!(part[1..].iter().all(|event| story.events.contains(event)), "nothing is made up");
    }
}

#[test]
fn parts_that_follow_each_other_carry_on_what_a_session_holds() {
    let mut story = Story::new();
    let subscribe = Packet::Subscribe { id: 1, filters: vec!["a".into()] };
    story.at(1_000).joins(1, 1, "d", 10).up(1, subscribe.clone());
    story.down(1, Packet::Suback { id: 1, codes: vec![1] });
    story.at(2_000).ends(1, Side::Device, Ending::Reset).closes(1);
    // The session goes on, and with it the subscription; then the hub loses it.
    story.at(3_000).connect(2, 1, "d", 10).connack(2, true, 0);
    story.at(4_000).ends(2, Side::Device, Ending::Reset).closes(2);
    let before = story.events.len();
    story.at(5_000).connect(3, 1, "d", 10).connack(3, false, 0);
    story.at(7_000).up(3, subscribe).down(3, Packet::Suback { id: 1, codes: vec![1] });
    let resubscribed = |run: &RunResults| -> Vec<String> {
        let of = |sample: &&crate::measure::Sample| sample.metric == crate::profile::Metric::Resubscribe;
        run.samples.iter().filter(of).map(|sample| format!("{:?}", sample.value)).collect()
    };
    let plan = watched();
    assert_eq!(resubscribed(&results(&plan, &part(&story.events, before))), ["Exact(2s)"]);
}

#[test]
fn a_round_trip_that_the_cut_falls_into_is_told_by_the_later_part() {
    let (plan, story) = (watched(), busy());
    let asked = story.events.iter().rposition(|event| {
        matches!(&event.what, What::Packet { direction: Direction::Up, packet: Packet::Pingreq, .. })
    });
    let later = results(&plan, &part(&story.events, asked.unwrap() + 1));
    assert_eq!(later.devices.values().map(|device| device.ping_rtt.count()).sum::<u64>(), 1);
}

#[test]
fn an_outage_lasts_over_as_many_intervals_as_it_takes() {
    let plan = watched();
    let mut story = Story::new();
    story.at(1_000).joins(1, 1, "d", 10).at(2_000).ends(1, Side::Device, Ending::Reset).closes(1);
    let mut chapters = Chapters::new(&plan);
    story.events.iter().for_each(|event| _ = chapters.push(event));
    for minute in 1..60 {
        let summary = chapters.interval(Time::from_secs(minute * 60), anchor()).summary;
        assert_eq!((summary.down, summary.outages), (1, 0));
        assert_eq!(summary.longest_down_s, Some(60.0 * f64::from(u32::try_from(minute).unwrap()) - 2.0));
        assert_eq!(summary.is_quiet(), minute > 1);
    }
    let from = story.events.len();
    story.at(3_602_000).joins(2, 1, "d", 10);
    story.events[from..].iter().for_each(|event| _ = chapters.push(event));
    let summary = chapters.interval(Time::from_secs(3_660), anchor()).summary;
    assert_eq!((summary.down, summary.outages, summary.worst_outage_s), (0, 1, Some(3_600.0)));
}

#[test]
fn what_is_told_reads_like_this() {
    let plan = watched();
    let mut chapters = Chapters::new(&plan);
    let mut out = String::new();
    let tell = |news: Vec<News>| -> String {
        let line = |news| match news {
            News::End(over) => end_line(&over, anchor()),
            News::More(more) => format!("{more} more\n"),
        };
        news.into_iter().map(line).collect()
    };
    let mut boundary = Time::from_secs(10);
    for event in &busy().events {
        if event.at >= boundary {
            let interval = chapters.interval(boundary, anchor());
            out += &(tell(interval.news) + &summary_lines(&interval.summary));
            boundary += std::time::Duration::from_secs(10);
        }
        out += &tell(chapters.push(event));
    }
    let last = chapters.interval(boundary, anchor());
    out += &summary_lines(&last.summary);
    out += &summary_lines(&chapters.interval(Time::from_secs(40), anchor()).summary);
    out += &summary_lines(&chapters.total(Time::from_secs(40), anchor()));
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn a_crowd_is_counted_whole_and_told_in_part() {
    let plan = watched();
    let mut story = Story::new();
    let names: Vec<&'static str> =
        (0..100).map(|nth| &*Box::leak(format!("d{nth}").into_boxed_str())).collect();
    for (name, nth) in names.iter().zip(0u32..) {
        story.at(1_000).joins(u64::from(nth), nth, name, 10);
    }
    for nth in 0..100 {
        story.at(2_000).ends(nth, Side::Device, Ending::Reset).closes(nth);
    }
    let mut chapters = Chapters::new(&plan);
    let told: usize = story.events.iter().map(|event| chapters.push(event).len()).sum();
    let summary = chapters.interval(Time::from_secs(3), anchor()).summary;
    assert_eq!((told, summary.ends_not_told, summary.ended[0].count), (10, 90, 100));
    assert_eq!((summary.connect_rate, summary.down), (100, 100));
}

/// A device has not subscribed again, and its hub said something wrong, in the part before: each is told in the part that saw
/// it, and what was not seen between is no silence.
#[test]
fn what_was_found_in_a_part_is_not_found_again_in_the_next() {
    let mut story = Story::new();
    story.joins(1, 1, "a", 10).at(10);
    story.up(1, Packet::Subscribe { id: 1, filters: vec!["a".into()] });
    // Two codes for one filter.
    story.down(1, Packet::Suback { id: 1, codes: vec![0, 0] });
    story.at(100).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).closes(1);
    story.at(1_000).joins(2, 1, "a", 10);
    let mut at = 1_000;
    let mut cut = 0;
    for nth in 0..300 {
        at += 9_000;
        story.at(at).up(2, Packet::Pingreq).down(2, Packet::Pingresp);
        if nth == 200 {
            cut = story.events.len();
        }
    }
    story.at(at + 500).ends(2, Side::Hub, Ending::Fin).carried(2, Side::Device).closes(2).over();
    let ids = |events: &[Event]| {
        let found = results(&watched(), events).findings;
        found.into_iter().map(|finding| finding.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&story.events[..cut]), ["suback-codes", "lost-subscriptions"]);
    let later = ids(&part(&story.events, cut));
    assert_eq!(later, Vec::<&str>::new());
    // Nothing but the end is in the last part: no packet of the device's is seen there.
    assert_eq!(ids(&part(&story.events, story.events.len() - 5)), Vec::<&str>::new());
}

/// A device that was accepted in an earlier part is still one whose packets are seen.
#[test]
fn a_long_link_is_judged_in_each_part() {
    let mut chapters = Chapters::new(&watched());
    let mut story = Story::new();
    story.joins(1, 1, "a", 10);
    for nth in 1..=20 {
        story.at(nth * 1_000).traffic(1, 20, Samples::default());
    }
    let grades: Vec<_> = story
        .events
        .chunks(story.events.len() / 2)
        .take(2)
        .map(|events| {
            events.iter().for_each(|event| _ = chapters.push(event));
            let results = chapters.interval(events.last().unwrap().at, anchor()).results;
            Report::new(&watched(), &results).verdicts.violation.grade
        })
        .collect();
    assert_eq!(grades, ["pass", "pass"]);
}

#[test]
fn what_is_found_of_a_whole_fleet_is_told_once_with_a_number() {
    let plan = watched();
    let mut story = Story::new();
    for nth in 0..300 {
        let name = Box::leak(format!("device-{nth}").into_boxed_str());
        story.at(1_000 + nth).joins(nth + 1, u32::try_from(nth).unwrap(), name, 10);
    }
    for nth in 0..300 {
        story.at(5_000 + nth).ends(nth + 1, Side::Device, Ending::Fin).carried(nth + 1, Side::Hub);
        story.closes(nth + 1);
    }
    let mut chapters = Chapters::new(&plan);
    story.events.iter().for_each(|event| _ = chapters.push(event));
    let first = chapters.interval(Time::from_secs(10), anchor()).summary;
    let told: Vec<_> =
        first.findings.iter().map(|new| (new.id, new.device.as_deref(), new.more_devices)).collect();
    assert_eq!(told, [("closed-without-disconnect", Some("device-0"), 299)]);
    assert_eq!(first.findings_so_far, 300);
    let text = summary_lines(&first);
    assert!(
        text.contains("  new finding warn closed-without-disconnect device-0 and 299 more: It"),
        "{text}"
    );
    assert!(text.lines().count() < 10, "{text}");
    assert_eq!(chapters.interval(Time::from_secs(20), anchor()).summary.findings, []);
}
