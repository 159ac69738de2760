//! Live progress.

use super::stories::{dark_and_reset, fleet, four_devices, troubled};
use crate::base::{Direction, FiringId, LinkId, ListenerId, RuleId, Side, Span, Time};
use crate::event::{EndReason, Event, LastPackets, Packet, Samples, TlsTerms, What};
use crate::fault::{
    Ending, Fault, Forgotten, IdleTimeout, LegFate, Mechanism, TokenExpiry, Toward, WaysWanted,
};
use crate::measure::Measures;
use crate::measure::story::{Story, answers, blackhole, exact, latency, never, plan, rst, stall, values};
use crate::profile::{Metric, Plan};
use crate::report::Live;
use std::time::Duration;

/// The view beside the measures that it asks.
pub(super) struct Beside {
    pub live: Live,
    measures: Measures,
}

impl Beside {
    pub fn new(plan: &Plan) -> Beside {
        Beside { live: Live::new(plan), measures: Measures::new(plan) }
    }

    pub fn push(&mut self, event: &Event) -> Option<String> {
        self.measures.push(event);
        self.live.push(event, &self.measures)
    }

    pub fn status(&self, now: Time) -> Vec<String> {
        self.live.status(now, self.measures.sessions())
    }
}

pub(super) fn told(plan: &Plan, story: &Story) -> String {
    let mut live = Beside::new(plan);
    let lines: Vec<String> = story.events.iter().filter_map(|event| live.push(event)).collect();
    let text = lines.join("\n") + "\n";
    assert!(text.lines().all(|line| line.chars().count() <= 80), "wider than 80: {text}");
    text
}

#[test]
fn the_moments_of_a_run() {
    insta::assert_snapshot!(told(&dark_and_reset(), &four_devices()));
}

#[test]
fn many_at_once_do_not_flood() {
    insta::assert_snapshot!(told(&plan(vec![("dark", blackhole("8s"))]), &fleet(40)));
}

#[test]
fn troubles_are_told() {
    insta::assert_snapshot!(told(&plan(vec![("dark", blackhole("8s"))]), &troubled()));
}

#[test]
fn a_firing_that_falls_on_nobody_says_who_is_there() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let fires = What::Fired { firing: FiringId(1), rule: RuleId(0), nth: 1 };
    let last = |story: &mut Story| told(&plan, story.at(3_000).tell(fires.clone()).over());
    let here = last(Story::new().joins(1, 0, "a", 2).joins(2, 1, "b", 2));
    assert!(here.contains("both for 8s; it falls on none of 2 devices\n"), "{here}");
    let nobody = last(&mut Story::new());
    assert!(nobody.contains("both for 8s; no device is connected\n"), "{nobody}");
}

/// Who goes on over its link after a fault has not noticed it by what it does later, nor who leaves so late that it cannot be why:
/// as in the report.
#[test]
fn who_went_on_has_not_noticed() {
    let plan = plan(vec![("dark", blackhole("1s"))]);
    let last = |went_on: u64, left: u64| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 5).at(3_000).opens(1, 0, 0, 5).applies(1, 1, Mechanism::Filter);
        story.at(4_000).lifts(1, 1).heals(1);
        if went_on > 0 {
            story.at(went_on).up(1, Packet::Pingreq).traffic(1, 10, Samples::default());
        }
        story.at(left).up(1, Packet::Disconnect { reason: 0 });
        let text = told(&plan, &story);
        let text = text.lines().last().unwrap().trim().to_owned();
        story.ends(1, Side::Device, Ending::Fin).closes(1);
        story.at(left + 1_000).joins(2, 0, "a", 5).at(60_000);
        let detected = values(&story.results(&plan), Metric::DeviceDetection);
        (text, told(&plan, &story).lines().last().unwrap().trim().to_owned(), detected.len())
    };
    let (left, back, detected) = last(4_500, 8_000);
    assert_eq!(left, "8.00 s  a: the device ended the link (DISCONNECT)");
    assert_eq!((back.as_str(), detected), ("9.00 s  a is back", 0));
    let (left, back, detected) = last(0, 8_000);
    assert_eq!(left, "8.00 s  a noticed by 5.0 s at the latest (DISCONNECT); dark");
    assert_eq!((back.as_str(), detected), ("9.00 s  a is back, 5.0 s after the path was restored; dark", 1));
    let (left, back, detected) = last(0, 14_001);
    assert_eq!(left, "14.00 s  a: the device ended the link (DISCONNECT)");
    assert_eq!((back.as_str(), detected), ("15.00 s  a is back", 0));
}

/// No path is dark in a reset, nor is one restored where the fault is the link's own.
#[test]
fn of_what_leaves_the_path_alone_no_path_is_restored() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
    story.at(4_500).joins(2, 0, "a", 2);
    let text = told(&plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]), &story);
    assert!(text.ends_with("   4.50 s  a is back after 1.5 s; reset\n"), "{text}");
    assert!(!text.contains("path"), "{text}");
    let (after, then) = (Span::fixed(Duration::from_secs(4)), Forgotten::Vanish);
    let idle = plan(vec![("idle", Fault::IdleTimeout(IdleTimeout { after, then, hold: None }))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).opens(1, 0, 0, 2).at(5_000).applies(1, 1, Mechanism::Gate);
    story.at(7_000).ends(1, Side::Device, Ending::Fin).at(8_000).joins(2, 0, "a", 2).at(61_000).heals(1);
    let text = told(&idle, &story);
    assert!(text.contains("   8.00 s  a is back after 3.0 s; idle\n"), "{text}");
    assert!(text.ends_with("  61.00 s  idle: over; 1 of 1 device had noticed\n"), "{text}");
    assert_eq!(values(&story.results(&idle), Metric::Recovery), [exact(3_000)]);
}

/// Of several links that a fault finds, the newest is the device's: the hub has not closed the older one yet, say.
#[test]
fn of_two_links_of_a_device_the_newest_is_watched() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).joins(2, 0, "a", 2).at(3_000).opens(1, 0, 0, 2);
    story.applies(1, 1, Mechanism::Gate).applies(1, 2, Mechanism::Gate);
    story.at(6_000).ends(2, Side::Device, Ending::Fin).at(11_000).heals(1);
    let text = told(&plan, &story);
    assert!(text.contains("   6.00 s  a noticed after 3.0 s (FIN); dark\n"), "{text}");
    assert!(text.ends_with("dark: path restored; 1 of 1 device had noticed\n"), "{text}");
    assert_eq!(values(&story.at(12_000).results(&plan), Metric::DeviceDetection), [exact(3_000)]);
}

#[test]
fn firings_that_were_skipped_are_told_and_not_called_through() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let mut story = Story::new();
    story.at(9_000).tell(What::Skipped { rule: RuleId(0), first: 2, last: 3, late_ns: 3_300_000_000 });
    story.at(12_000).tell(What::Skipped { rule: RuleId(0), first: 7, last: 7, late_ns: 60_000_000 });
    story.at(20_000).tell(What::RunEnded { reason: EndReason::Complete });
    let told = told(&plan, &story);
    for line in [
        "dark: firings 2 to 3 were skipped: brownout was 3.3 s late",
        "dark: firing 7 was skipped: brownout was 60 ms late",
        "run ended: nothing more is to come of any rule, but 3 firings skipped",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn the_state_at_a_time() {
    let mut live = Beside::new(&dark_and_reset());
    let now = Time::from_millis(7_800);
    four_devices().events.iter().filter(|event| event.at <= now).for_each(|event| {
        live.push(event);
    });
    assert_eq!(
        live.status(now),
        [
            "1 of 4 devices connected; down: careful, naive, sleeper",
            "dark, 3.2 s left on 4 devices: blackhole toward both for 8s",
        ]
    );
}

#[test]
fn an_answer_that_was_held_counts_when_it_reaches_the_device() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).ends(1, Side::Device, Ending::Fin).closes(1).at(6_000).connect(2, 0, "a", 2);
    let connack = Packet::Connack {
        session_present: false,
        code: 0,
        server_keep_alive: None,
        assigned_client_id: None,
        terms: crate::event::SessionTerms::default(),
    };
    story.passes(2, Direction::Down, connack, true);
    let seq = story.seq();
    story.at(11_000).heals(1).at(11_200).forwarded(2, Direction::Down, seq);
    let told = told(&plan(vec![("dark", blackhole("8s"))]), &story);
    assert!(told.ends_with("  11.20 s  a is back, 200 ms after the path was restored; dark\n"), "{told}");
}

/// A fault that holds, and ends the link: the device's next connect is its sign, as in the report.
#[test]
fn who_connects_anew_after_a_fault_ended_its_link_has_noticed() {
    let expiry = TokenExpiry { lifetime: None, grace: Duration::ZERO, hold: None };
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Shutdown);
    story.cut(1, Side::Device, LegFate::Close, 1).cut(1, Side::Hub, LegFate::Close, 1);
    story.ends(1, Side::Device, Ending::Fin).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(4_000).joins(2, 0, "a", 2).at(6_000).heals(1);
    let told = told(&plan(vec![("token", Fault::TokenExpiry(expiry))]), &story);
    assert!(told.contains("a noticed after 1.0 s (connects); token\n"), "{told}");
    assert!(told.ends_with("token: over; 1 of 1 device had noticed\n"), "{told}");
}

/// As in the report: a device that had not noticed when its command was told to end has not noticed.
#[test]
fn who_connects_anew_after_the_command_was_told_to_end_has_not_noticed() {
    for is_stopped in [false, true] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
        story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
        story.at(7_000);
        if is_stopped {
            story.tell(What::CommandStopped);
        }
        story.at(8_000).joins(2, 0, "a", 2);
        let told = told(&plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]), &story);
        assert_eq!(told.contains("a noticed after 5.0 s (connects); reset\n"), !is_stopped, "{told}");
        assert_eq!(told.ends_with("   8.00 s  a is back\n"), is_stopped, "{told}");
    }
}

/// As in the report, though it is known only with its CONNECT whose connect that was.
#[test]
fn who_connects_anew_has_noticed_when_its_link_was_opened() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Linger);
    story.cut(1, Side::Device, LegFate::Reset, 1).cut(1, Side::Hub, LegFate::Reset, 1).heals(1).closes(1);
    story.at(4_000).tell(What::LinkOpened {
        link: LinkId(2),
        listener: ListenerId(0),
        peer: "127.0.0.1:2".into(),
        to: None,
    });
    story.at(5_100).is_of(2, 0, "a");
    let told = told(&plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]), &story);
    assert!(told.ends_with("   5.10 s  a noticed after 1.0 s (connects); reset\n"), "{told}");
}

/// All that it has to say comes in one segment, before the CONNACK.
#[test]
fn a_disconnect_before_the_connack_is_told_as_one() {
    let mut story = Story::new();
    story.connect(1, 0, "a", 2).up(1, Packet::Disconnect { reason: 0 }).at(10).connack(1, false, 0);
    story.at(20).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).ends(1, Side::Device, Ending::Fin);
    let told = told(&plan(vec![("dark", blackhole("8s"))]), story.closes(1).over());
    assert!(told.contains("a: the device ended the link (DISCONNECT)\n") && !told.contains("FIN"), "{told}");
}

#[test]
fn a_link_that_outlived_a_slow_path_ends_for_another_reason() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Lane);
    story.at(6_000).heals(1).at(8_000).ends(1, Side::Device, Ending::Fin);
    let told = told(&plan(vec![("slow", latency(300, "3s"))]), &story);
    assert!(told.ends_with("   8.00 s  a: the device ended the link (FIN)\n"), "{told}");
}

#[test]
fn a_thousand_devices_are_a_few_lines_and_a_small_block() {
    let (plan, story) = (plan(vec![("dark", blackhole("8s"))]), fleet(1_000));
    let lines = told(&plan, &story).lines().count();
    assert!(lines <= 40, "{lines}");
    let mut live = Beside::new(&plan);
    for event in &story.events {
        live.push(event);
        if event.seq % 64 == 0 {
            let status = live.status(event.at);
            assert!(status.len() <= 6, "{status:?}");
            assert!(status.iter().all(|line| line.chars().count() <= 80), "{status:?}");
        }
    }
}

#[test]
fn many_rules_in_force_are_a_small_block_too() {
    let names = ["a-rule-of-a-long-name", "b", "c", "d", "e", "f", "g"];
    let plan = plan(names.iter().map(|name| (*name, blackhole("8s"))).collect());
    let mut story = Story::new();
    let name = "a/device/with/quite/a/long/name/indeed/and/then/some/more/0000000000000000000001";
    story.joins(1, 0, name, 2).at(1_000).ends(1, Side::Device, Ending::Fin).closes(1).at(3_000);
    for (window, rule) in (1..).zip(0..7) {
        story.opens(window, rule, 0, 2);
    }
    let mut live = Beside::new(&plan);
    story.events.iter().for_each(|event| drop(live.push(event)));
    insta::assert_snapshot!(live.status(Time::from_millis(7_800)).join("\n"));
}

/// A CONNACK that was held until the device had gone brings nobody back, and a fault whose link another one cut had none to
/// be noticed on.
#[test]
fn answers_to_nobody_and_links_that_were_cut_are_not_told_of() {
    let plan =
        plan(vec![("silent", stall(WaysWanted::Down, "20s")), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(4_000).opens(2, 1, 0, 2).applies(2, 1, Mechanism::Linger).cut(
        1,
        Side::Device,
        LegFate::Reset,
        2,
    );
    story.cut(1, Side::Hub, LegFate::Reset, 2).heals(2).closes(1);
    story.at(4_500).connect(2, 0, "a", 2).applies(1, 2, Mechanism::Gate);
    story.passes(2, Direction::Down, answers(0, None), true);
    let connack = story.seq();
    story.at(6_500).ends(2, Side::Device, Ending::Fin).carried(2, Side::Hub);
    story.at(23_000).lifts(1, 2).forwarded(2, Direction::Down, connack).closes(2).heals(1);
    let text = told(&plan, &story);
    assert!(!text.contains("is back") && !text.contains("had noticed"), "{text}");
    assert!(text.contains("silent: path restored"), "{text}");
    story.at(23_500).joins(3, 0, "a", 2);
    assert_eq!(told(&plan, &story).matches("a is back after 19.5 s; reset").count(), 1);
}

/// A fault that falls on each link by itself is why the second is lost, too; of the devices that noticed, it is one.
#[test]
fn a_second_loss_in_a_window_is_the_faults_too() {
    let (after, then) = (Span::fixed(Duration::from_secs(4)), Forgotten::Vanish);
    let idle = Fault::IdleTimeout(IdleTimeout { after, then, hold: None });
    let plan = plan(vec![("idle", idle)]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).opens(1, 0, 0, 2).at(5_000).applies(1, 1, Mechanism::Gate);
    story.at(6_000).ends(1, Side::Device, Ending::Fin).at(7_000).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(8_000).joins(2, 0, "a", 2).at(12_000).applies(1, 2, Mechanism::Gate);
    story.at(13_000).ends(2, Side::Device, Ending::Fin).at(14_500).ends(2, Side::Hub, Ending::Fin).closes(2);
    story.at(61_000).heals(1);
    let told = told(&plan, &story);
    for line in [
        "   6.00 s  a noticed after 1.0 s (FIN); idle",
        "   7.00 s  hub gave a up after 2.0 s (FIN); idle",
        "  13.00 s  a noticed after 1.0 s (FIN); idle",
        "  14.50 s  hub gave a up after 2.5 s (FIN); idle",
        "  61.00 s  idle: over; 1 of 1 device had noticed",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\n{told}");
    }
}

/// A device whose link another fault ended was told, and had not noticed the first: so says the report.
#[test]
fn who_is_cut_off_by_another_fault_has_not_noticed_the_first() {
    let plan = plan(vec![("dark", blackhole("8s")), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(6_000).ends(1, Side::Hub, Ending::Fin).at(8_000).opens(2, 1, 0, 2);
    story.applies(2, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 2).heals(2).closes(1);
    story.at(9_000).connect(2, 0, "a", 2).applies(1, 2, Mechanism::Gate).at(11_000).heals(1);
    let text = told(&plan, &story);
    assert!(text.contains("hub gave a up after 3.0 s (FIN); dark"), "{text}");
    assert!(!text.contains("a noticed"), "{text}");
    assert!(text.ends_with("dark: path restored; 0 of 1 device had noticed\n"), "{text}");
    let results = story.at(12_000).results(&plan);
    assert_eq!(values(&results, Metric::DeviceDetection), [never(5_000)]);
}

/// Whether a device had noticed whose packets the kernel dropped is not known when the path is restored, and the report may
/// say that it had.
#[test]
fn of_whom_nothing_was_to_be_seen_it_is_said() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter);
    story.at(11_000).heals(1).at(11_500).ends(1, Side::Device, Ending::Fin);
    let text = told(&plan, &story);
    assert!(text.contains("dark: path restored; 0 of 1 device had been seen to notice\n"), "{text}");
    assert!(text.ends_with("a noticed by 8.5 s at the latest (FIN); dark\n"), "{text}");
}

/// A hub that says CONNACK twice is a finding; its device has not come back for that.
#[test]
fn a_second_connack_is_no_way_back() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).connack(1, false, 0);
    let text = told(&plan(Vec::new()), &story);
    assert!(text.contains("a connected, keep-alive 2 s") && !text.contains("is back"), "{text}");
    // On a link of its own it is.
    story.at(4_000).ends(1, Side::Device, Ending::Fin).closes(1).at(5_000).joins(2, 0, "a", 2);
    assert_eq!(told(&plan(Vec::new()), &story).matches("a is back").count(), 1);
}

/// Where TLS is passed through, a device is its address: which of those behind it came, and whether it had been away, is not known.
#[test]
fn of_several_devices_behind_an_address_none_is_back() {
    let mut story = Story::new();
    for (link, at) in [(1, 0), (2, 10), (3, 9_000)] {
        story.at(at).opens_link(link, 0, "10.0.0.7").hello(link, true);
        story.tell(What::FirstData { link: LinkId(link), direction: Direction::Down });
        if link == 2 {
            story.at(5_000).ends(1, Side::Device, Ending::Fin).closes(1);
            story.ends(2, Side::Device, Ending::Fin).closes(2);
        }
    }
    let text = told(&plan(Vec::new()), &story);
    assert!(text.contains("10.0.0.7 connected, TLS passed through\n"), "{text}");
    // They were not seen to send in turn, so that the third may be any of them.
    assert_eq!((text.matches("connected on one more link").count(), text.matches("is back").count()), (1, 1));
}

/// They send in turn, so that a connect is no sign of the one whose link a fault fell on, and nobody's way back. One whose link is
/// still there, as far as brownout can see in the dark, is back all the same.
#[test]
fn behind_an_address_of_several_devices_a_connect_is_no_sign() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let of = |devices: u64| {
        let mut story = Story::new();
        let data = |link| What::FirstData { link: LinkId(link), direction: Direction::Down };
        for link in 1..=devices {
            story.at(link * 100).opens_link(link, 0, "10.0.0.7").hello(link, true).tell(data(link));
        }
        let last = |millis| LastPackets { from: Some(Time::from_millis(millis)), to: None };
        story.at(3_000);
        (1..=devices).for_each(|link| _ = story.says(link, last(2_900)));
        story.opens(1, 0, 0, 2);
        (1..=devices).for_each(|link| _ = story.applies(1, link, Mechanism::Filter));
        story.at(11_000).heals(1).at(11_500).opens_link(9, 0, "10.0.0.7").hello(9, true).tell(data(9));
        let results = story.at(30_000).results(&plan);
        (told(&plan, &story), values(&results, Metric::DeviceDetection).len())
    };
    let (text, detected) = of(2);
    assert!(!text.contains("noticed by") && !text.contains("is back"), "{text}");
    assert!(text.ends_with("  11.50 s  10.0.0.7 connected on one more link\n"), "{text}");
    assert_eq!(detected, 0);
    let (text, detected) = of(1);
    assert!(text.contains("10.0.0.7 noticed by 8.5 s at the latest (connects); dark\n"), "{text}");
    assert!(text.ends_with("10.0.0.7 is back, 500 ms after the path was restored; dark\n"), "{text}");
    assert_eq!(detected, 1);
}

/// A job that stands still says what for, ever more rarely, until somebody comes.
#[test]
fn what_a_run_waits_for_is_told_while_nobody_comes() {
    let mut endless = plan(Vec::new());
    let address = String::from("127.0.0.1:1884");
    let (listener, upstream, tls) = (ListenerId(0), "hub:1883".into(), TlsTerms::default());
    let opened = What::ListenerOpened { listener, address, upstream, tls };
    let wait = |plan: &Plan| {
        let mut story = Story::new();
        story.tell(opened.clone());
        let mut live = Beside::new(plan);
        story.events.iter().for_each(|event| _ = live.push(event));
        let mut lines = Vec::new();
        while let Some(at) = live.live.deadline().filter(|at| *at < Time::from_secs(100)) {
            assert_eq!(live.live.tick(Time::from_millis(9_999)), None);
            lines.extend(live.live.tick(at));
        }
        story.at(100_000).joins(1, 0, "a", 2);
        story.events.iter().for_each(|event| _ = live.push(event));
        assert_eq!((live.live.deadline(), live.live.tick(Time::from_secs(999))), (None, None));
        lines
    };
    let first = "  10.00 s  no device has connected to 127.0.0.1:1884 yet; the run waits for one,\n           \
                 and --duration would end it";
    let lines = wait(&endless);
    assert_eq!((lines.len(), lines[0].as_str()), (3, first), "at 10, 30 and 70 s");
    endless.duration = Some(Duration::from_secs(300));
    assert_eq!(wait(&endless)[1], "  30.00 s  no device has connected to 127.0.0.1:1884 yet");
}
