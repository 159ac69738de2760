//! The whole catalogue of faults, as the report and the live view tell it.

use super::goldens::shown;
use super::live;
use crate::base::{Direction, RuleId, Side};
use crate::event::{Packet, RivalNews, What};
use crate::fault::{
    Alteration, ConnackCode, Edit, Ending, Fault, LegFate, Mechanism, PacketAction, PacketFault, PacketMatch,
    Reject, Takeover, TokenExpiry, Toward, WaysWanted,
};
use crate::measure::story::{Story, answers, asks, plan, rst};
use crate::mqtt::{PacketKind, Version};
use crate::profile::Plan;
use crate::report::{Report, Styling, terminal};
use std::time::Duration;

fn packets(packet: PacketKind, action: PacketAction) -> Fault {
    let what = PacketMatch { packet: Some(packet), ..PacketMatch::EVERY };
    Fault::Packets(PacketFault { what, action, hold: Some("20s".parse().unwrap()) })
}

/// PUBACKs are dropped, a keep-alive is edited, AUTH is never seen; a rival takes a link over.
fn odd_packets() -> (Plan, Story) {
    let edit = Edit { keep_alive: Some(4), ..Edit::default() };
    let plan = plan(vec![
        ("short", packets(PacketKind::Connect, PacketAction::Edit(edit))),
        ("lost", packets(PacketKind::Puback, PacketAction::Drop { acknowledge: false })),
        ("never", packets(PacketKind::Auth, PacketAction::Duplicate { copies: 1 })),
        ("other", Fault::Takeover(Takeover { hold: "5s".parse().unwrap(), again: None })),
    ]);
    let mut story = Story::new();
    for (link, device, name, version, told) in
        [(1, 0, "sensor-1", Version::V5, Some(4)), (2, 1, "device-2", Version::V311, None)]
    {
        story.opens_link(link, device, name).opens(link, 0, device, 60);
        let connect = |keep_alive| asks(name, version, keep_alive, None);
        story.fares(link, Direction::Up, connect(60), Some(connect(4)));
        story.altered(link, Direction::Up, link, Alteration::Edited { edit });
        story.applies(link, link, Mechanism::Packets);
        story.fares(link, Direction::Down, answers(0, None), Some(answers(0, told)));
        story.opens(link + 10, 1, device, 60).opens(link + 20, 2, device, 60);
    }
    for nth in 0..5 {
        story.at(2_000 + 100 * nth).fares(1, Direction::Down, Packet::Puback, None);
        story.altered(1, Direction::Down, 11, Alteration::Dropped { acknowledged: nth > 2 });
        if nth == 0 {
            story.applies(11, 1, Mechanism::Packets);
        }
    }
    story.at(6_000).opens(30, 3, 0, 60).rival(30, 1, RivalNews::Accepted).applies(30, 1, Mechanism::Rival);
    story.ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).closes(1);
    story
        .at(6_500)
        .opens_link(3, 0, "sensor-1")
        .up(3, asks("sensor-1", Version::V5, 4, None))
        .connack(3, false, 0);
    story.at(11_000).rival(30, 1, RivalNews::Left).heals(30).at(20_000);
    for window in [1, 2, 11, 12, 21, 22] {
        story.heals(window);
    }
    story.at(25_000).over();
    (plan, story)
}

/// One device whose token expires each 65 s and that comes back with the stale one first; a fleet that is reset at once
/// and rejected for a while.
fn symptoms() -> (Plan, Story) {
    let lifetime = Some("65s".parse().unwrap());
    let code = ConnackCode { return_code: 3, reason_code: 0x88 };
    let plan = plan(vec![
        ("token", Fault::TokenExpiry(TokenExpiry { lifetime, grace: Duration::ZERO, hold: None })),
        ("reset", rst(Toward::Both, LegFate::Reset)),
        ("busy", Fault::Reject(Reject { code, hold: "8s".parse().unwrap() })),
    ]);
    let mut story = Story::new();
    story.joins(100, 0, "sensor-1", 60).opens(1, 0, 0, 60);
    for (link, at) in [(100, 65_000), (102, 130_400), (104, 195_600), (106, 261_000)] {
        story.at(at).cut(link, Side::Device, LegFate::Close, 1).cut(link, Side::Hub, LegFate::Close, 1);
        story.applies(1, link, Mechanism::Shutdown).closes(link);
        story.at(at + 100).connect(link + 1, 0, "sensor-1", 60);
        let stale = ConnackCode { return_code: 5, reason_code: 0x87 };
        story.cut(link + 1, Side::Device, LegFate::Rejected(stale), 1).closes(link + 1);
        story.at(at + 300).joins(link + 2, 0, "sensor-1", 60);
    }
    let names = ["plant-1/pump", "plant-1/valve", "plant-2/pump", "plant-2/valve"];
    story.at(270_000);
    for (device, name) in (1..).zip(names) {
        story.joins(200 + u64::from(device), device, name, 60);
    }
    one_firing(&mut story, 1, 280_000, 10);
    for device in 1..=4_u32 {
        let (window, link) = (10 + u64::from(device), 200 + u64::from(device));
        story.at(280_000 + 100 * u64::from(device));
        story.applies(window, link, Mechanism::Linger).cut(link, Side::Device, LegFate::Reset, window);
        story.cut(link, Side::Hub, LegFate::Reset, window).heals(window).closes(link);
    }
    one_firing(&mut story, 2, 280_500, 20);
    for (device, name) in (1..).zip(names) {
        let (window, link) = (20 + u64::from(device), 300 + 10 * u64::from(device));
        for nth in 0..3 {
            story.at(281_000 + 2_000 * nth + u64::from(device)).connect(link + nth, device, name, 60);
            story.cut(link + nth, Side::Device, LegFate::Rejected(code), window).closes(link + nth);
        }
    }
    for window in 21..=24 {
        story.at(288_500).heals(window);
    }
    for (device, name) in (1..).zip(names) {
        story.at(289_000 + 200 * u64::from(device)).joins(400 + u64::from(device), device, name, 60);
    }
    story.at(320_000).over();
    (plan, story)
}

/// A rule fires once on devices 1 to 4.
fn one_firing(story: &mut Story, rule: u16, at: u64, first: u64) {
    let firing = crate::base::FiringId(first);
    story.at(at).tell(What::Fired { firing, rule: RuleId(rule), nth: 1 });
    for device in 1..=4 {
        story.tell(What::WindowOpened {
            window: crate::base::WindowId(first + u64::from(device)),
            firing,
            rule: RuleId(rule),
            device: crate::base::DeviceId(device),
            until: None,
            keep_alive_ns: 60_000_000_000,
            assumed: false,
            hub_keep_alive_ns: None,
        });
    }
}

#[test]
fn packets_worked_on_and_a_keep_alive_rewritten() {
    let (plan, story) = odd_packets();
    insta::assert_snapshot!(shown(&plan, &[story]));
}

#[test]
fn the_symptoms_of_404104() {
    let (plan, story) = symptoms();
    insta::assert_snapshot!(shown(&plan, &[story]));
}

#[test]
fn the_catalogue_live() {
    let (plan, story) = odd_packets();
    insta::assert_snapshot!(live::told(&plan, &story));
    let (plan, story) = symptoms();
    insta::assert_snapshot!(live::told(&plan, &story));
}

#[test]
fn what_the_hub_would_log_is_in_the_json() {
    let (plan, story) = symptoms();
    let report = Report::new(&plan, &story.results(&plan));
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["azure"]).unwrap());
    assert_eq!(json["rules"][2]["connects_refused"], 12);
    assert_eq!(json["fleet"]["dip"], 4);
}

/// Rules that wait for a device to ask clutter nothing where none did; the messages are counted.
#[test]
fn faults_that_nobody_asked_for_are_not_told_of() {
    let mut plan = plan(vec![("reset", rst(Toward::Both, LegFate::Reset))]);
    plan.honour("d-*".into());
    let told = |asks: bool| {
        let mut story = Story::new();
        story.joins(1, 0, "d-1", 60).at(3_000);
        if asks {
            for (operation, ignored) in [("KillTcp", None), ("KillAmqp", Some("it means nothing over MQTT"))]
            {
                story.tell(What::FaultMessage {
                    link: crate::base::LinkId(1),
                    packet_seq: 1,
                    operation: operation.into(),
                    delay_ns: 0,
                    duration_ns: None,
                    ignored: ignored.map(str::to_owned),
                });
            }
            story.opens(1, 1, 0, 60).applies(1, 1, Mechanism::Linger).cut(1, Side::Device, LegFate::Reset, 1);
            story.heals(1).closes(1);
        }
        story.at(9_000).over();
        let report = Report::new(&plan, &story.results(&plan));
        let rules: Vec<String> = report.rules.iter().map(|rule| rule.id.clone()).collect();
        (rules, report.notes, shown(&plan, &[story]))
    };
    let (rules, notes, text) = told(false);
    assert_eq!(rules, ["reset"]);
    assert!(!text.contains("azure-"), "{text}");
    assert!(notes.contains(&"no message of d-* asked for a fault".to_owned()), "{notes:?}");
    let (rules, notes, _) = told(true);
    assert_eq!(rules, ["reset", "azure-kill-tcp"]);
    let came = "2 messages of d-* asked for a fault; 1 ignored: it means nothing over MQTT";
    assert!(notes.contains(&came.to_owned()), "{notes:?}");
}

/// `silent` holds answers back when `reset` cuts the link: it did not leave that link whole.
#[test]
fn a_link_that_another_fault_cut_was_not_kept() {
    let stall = || crate::measure::story::stall(WaysWanted::Down, "20s");
    let plan = plan(vec![("silent", stall()), ("reset", rst(Toward::Both, LegFate::Reset))]);
    let of = |devices: u32| {
        let mut story = Story::new();
        for device in 0..devices {
            let (link, name) = (u64::from(device) + 1, format!("d-{device:02}"));
            story.joins(link, device, Box::leak(name.into_boxed_str()), 60);
        }
        for device in 0..devices {
            let (link, window) = (u64::from(device) + 1, u64::from(device) * 2 + 1);
            story.at(3_000 + link).opens(window, 0, device, 60).applies(window, link, Mechanism::Gate);
        }
        for device in 0..devices {
            let (link, window) = (u64::from(device) + 1, u64::from(device) * 2 + 2);
            story.at(4_000 + link).opens(window, 1, device, 60).applies(window, link, Mechanism::Linger);
            story.cut(link, Side::Device, LegFate::Reset, window).heals(window).closes(link);
        }
        story.at(9_000).over();
        story
    };
    let one = shown(&plan, &[of(1)]);
    assert!(one.contains("cut by reset") && !one.contains("kept"), "{one}");
    let many = shown(&plan, &[of(40)]);
    let no_empty_tables = "40 windows on 40 devices: 40 ended otherwise\n\n";
    assert!(many.contains(no_empty_tables), "{many}");
    let json = Report::new(&plan, &of(1).results(&plan)).to_json().unwrap();
    assert!(json.contains("\"outcome\": \"ended_otherwise\""));
}

/// A keep-alive that cannot be tested with an older device does not look as if it were.
#[test]
fn devices_that_the_plans_keep_alive_left_alone_are_named() {
    let mut plan = plan(Vec::new());
    plan.server_keep_alive = Some(3);
    let notes = |version| {
        let mut story = Story::new();
        story.opens_link(1, 0, "d-1").up(1, asks("d-1", version, 10, None)).connack(1, false, 0);
        Report::new(&plan, &story.at(9_000).over().results(&plan)).notes
    };
    let told = "server_keepalive 3 s was not tested with d-1: before MQTT 5 a device cannot be told, so its own \
                keep-alive held for both ends";
    assert_eq!(notes(Version::V311), [told]);
    assert!(notes(Version::V5).is_empty());
}

/// A device that loses its link now and then does so at random; one that loses it with all the others is none of its own case.
#[test]
fn who_is_lost_with_the_crowd_is_not_told_as_lost_at_random() {
    let plan = plan(Vec::new());
    let names = ["d-0", "d-1", "d-2"];
    let patterns = |names: &[&'static str]| {
        let mut story = Story::new();
        for (lost, nth) in [10_000, 40_000, 140_000, 160_000].into_iter().zip(0..) {
            for (name, device) in names.iter().zip(0_u32..) {
                let link = 1 + u64::from(device) + 10 * nth;
                story.at(lost - 5_000 + u64::from(device)).joins(link, device, name, 60);
            }
            for device in (0_u64..).take(names.len()) {
                let link = 1 + device + 10 * nth;
                story
                    .at(lost + device)
                    .ends(link, Side::Device, Ending::Fin)
                    .carried(link, Side::Hub)
                    .closes(link);
            }
        }
        story.at(170_000).over();
        Report::new(&plan, &story.results(&plan)).azure.unwrap().patterns
    };
    assert_eq!(patterns(&names[..1]), ["d-0: at random (20.0 to 100 s apart, 4 times)"]);
    let together = patterns(&names);
    assert_eq!(together.len(), 4, "{together:?}");
    assert!(together.iter().all(|told| told.starts_with("all at once: 3 of 3 devices")), "{together:?}");
}

/// Nothing stale is nothing to tell, and one hub is no news; two are.
#[test]
fn what_is_nothing_is_not_told() {
    let lifetime = Some("65s".parse().unwrap());
    let expiry = TokenExpiry { lifetime, grace: Duration::ZERO, hold: None };
    let plan = plan(vec![("token", Fault::TokenExpiry(expiry))]);
    let mut story = Story::new();
    story.joins(100, 0, "d-1", 60).opens(1, 0, 0, 60).at(30_000).over();
    let mut report = Report::new(&plan, &story.results(&plan));
    assert_eq!(report.rules[0].measures["stale_tokens"].samples, 1);
    let told = |report: &Report| terminal::render(report, Styling::Plain);
    assert!(!told(&report).contains("stale"), "{}", told(&report));
    report.devices[0].hubs = [("10.0.0.1:1883".to_owned(), 2)].into();
    assert!(!told(&report).contains("hubs dialled"), "{}", told(&report));
    report.devices[0].hubs.insert("10.0.0.2:1883".into(), 1);
    assert!(told(&report).contains("hubs dialled  2 hubs\n"), "{}", told(&report));
}

#[test]
fn fresh_tokens_are_told_as_in_time_or_late_and_stale_ones_are_counted() {
    let (plan, story) = symptoms();
    let told = shown(&plan, &[story]);
    assert!(told.contains("\n  4 fresh tokens late, by 300 to 400 ms, 4 stale tokens\n"), "{told}");
}
