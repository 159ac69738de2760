//! What the report says of TLS and WebSocket.

use super::goldens::shown;
use super::live::told;
use crate::base::{Direction, FiringId, LinkId, ListenerId, RuleId, Side, Time, WindowId};
use crate::event::{TlsMode, TlsTerms, What};
use crate::fault::{BadCertificate, Ending, HandshakeFault, HandshakeStage};
use crate::measure::story::{Story, handshake, plan};
use crate::profile::{Plan, When};
use crate::report::Report;
use std::time::Duration;

/// An expired certificate from 3 to 33 s, and later a handshake that is met with silence; by the clock.
pub(super) fn bad_and_silent() -> Plan {
    let expired = HandshakeFault::Certificate(BadCertificate::Expired);
    let silent = HandshakeFault::Stall(HandshakeStage::BeforeServerHello);
    let mut plan = plan(vec![("expired", handshake(expired, "30s")), ("silent", handshake(silent, "10s"))]);
    for (rule, at) in plan.rules.iter_mut().zip([3, 50]) {
        rule.when = When::At { first: Duration::from_secs(at), repeat: None };
    }
    plan
}

fn fires(story: &mut Story, rule: u16, until: u64, devices: &[(u64, u32)]) {
    let firing = FiringId(u64::from(rule));
    story.tell(What::Fired { firing, rule: RuleId(rule), nth: 1 });
    for (window, device) in devices {
        joins_firing(story, rule, until, *window, *device);
    }
}

fn joins_firing(story: &mut Story, rule: u16, until: u64, window: u64, device: u32) {
    story.tell(What::WindowOpened {
        window: WindowId(window),
        firing: FiringId(u64::from(rule)),
        rule: RuleId(rule),
        device: crate::base::DeviceId(device),
        until: Some(Time::from_millis(until)),
        keep_alive_ns: 2_000_000_000,
        assumed: false,
        hub_keep_alive_ns: None,
    });
}

fn terms(mode: TlsMode, hub_unverified: bool, key_log: bool) -> TlsTerms {
    TlsTerms { mode, hub_unverified, key_log }
}

/// One device refuses the certificate and doubles its wait, one takes it, one tries twice and gives up, one stays
/// connected, one has never been seen before and never says its name.
pub(super) fn certificates() -> Story {
    let mut story = Story::new();
    for (listener, port, mode, at) in
        [(0, 8883, TlsMode::Reoriginate, true), (1, 8884, TlsMode::Passthrough, false)]
    {
        story.tell(What::ListenerOpened {
            listener: ListenerId(listener),
            address: format!("0.0.0.0:{port}"),
            upstream: "hub.example:8883".into(),
            tls: terms(mode, at, at),
        });
    }
    for (link, name) in [(1, "careful"), (2, "naive"), (3, "quitter"), (4, "steady")] {
        story.at(10 * link).joins_tls(link, u32::try_from(link).unwrap() - 1, name, 60);
        story.tell(What::HubConnected { link: LinkId(link), took_ns: 800_000 + link * 100_000, from: None });
        story.shakes_hands(link, Side::Hub, 5 + link, link > 1);
    }
    for link in [1, 2, 3] {
        story.at(2_000 + link).ends(link, Side::Device, Ending::Fin).carried(link, Side::Hub).closes(link);
    }
    story.at(3_000);
    fires(&mut story, 0, 33_000, &[(1, 0), (2, 1), (3, 2), (4, 3)]);
    refused(&mut story);
    story.at(33_000);
    for window in 1..=5 {
        story.heals(window);
    }
    story.at(37_000).joins_tls(60, 0, "careful", 60);
    silence(&mut story);
    other_ends(&mut story);
    story.at(80_000).over();
    story
}

fn refused(story: &mut Story) {
    let refuses = |story: &mut Story, at, link, device, name, window| {
        story.at(at).meets(link, device, name, window).at(at + 2);
        story.alerts(link, Side::Device, "certificate_expired").closes(link);
    };
    refuses(story, 3_100, 10, 0, "careful", 1);
    refuses(story, 3_500, 11, 2, "quitter", 3);
    story.at(4_000).meets(12, 1, "naive", 2).at(4_004).shakes_hands(12, Side::Device, 4, false).lifts(2, 12);
    story.speaks(12, "naive", 60);
    refuses(story, 4_100, 13, 0, "careful", 1);
    story.at(4_500).meets(14, 2, "quitter", 3).at(4_503).ends(14, Side::Device, Ending::Reset).closes(14);
    story.at(5_000);
    joins_firing(story, 0, 33_000, 5, 4);
    story.meets(15, 4, "10.0.0.7", 5).at(5_002).alerts(15, Side::Device, "unknown_ca").closes(15);
    for (nth, at) in (16..).zip([6_100, 10_100, 18_100]) {
        refuses(story, at, nth, 0, "careful", 1);
    }
}

/// At 50 s handshakes meet silence: careful waits it out.
fn silence(story: &mut Story) {
    story.at(49_000).ends(60, Side::Device, Ending::Unnotified).carried(60, Side::Hub).closes(60).at(50_000);
    fires(story, 1, 60_000, &[(6, 0)]);
    story.at(55_000).meets(61, 0, "careful", 6).at(60_000).lifts(6, 61).heals(6);
    story.at(60_004).shakes_hands(61, Side::Device, 4, true).at(60_020).speaks(61, "careful", 60);
}

/// A hub that TLS does not reach, a WebSocket, TLS that is passed through.
fn other_ends(story: &mut Story) {
    for link in [70, 71] {
        story.at(61_000 + link).greets(link).shakes_hands(link, Side::Device, 2, true);
        let error =
            "the certificate of hub.example:8883 has expired; renew it, or pass --hub-insecure".into();
        story.tell(What::TlsFailed { link: LinkId(link), side: Side::Hub, error }).closes(link);
    }
    let (path, protocol) = ("/mqtt".into(), Some("mqtt".into()));
    story.tell(What::WsUpgraded { link: LinkId(4), path, protocol });
    let direction = Direction::Down;
    story.tell(What::WsClosed { link: LinkId(4), direction, code: Some(1001) });
    story.at(62_000).ends(4, Side::Hub, Ending::Fin).carried(4, Side::Device).closes(4);
    story.at(63_000).tell(What::LinkOpened {
        link: LinkId(80),
        listener: ListenerId(1),
        peer: "10.0.0.9:5000".into(),
        to: None,
    });
    story.hello(80, true).is_of(80, 5, "10.0.0.9");
    story.at(63_020).tell(What::FirstData { link: LinkId(80), direction });
}

/// A fleet whose handshakes are refused with an alert, each device trying every second.
fn storm(devices: u32) -> Story {
    let mut story = Story::new();
    let name = |device: u32| -> &'static str { Box::leak(format!("pump-{device:03}").into_boxed_str()) };
    for device in 0..devices {
        story.at(u64::from(device)).joins_tls(u64::from(device) + 1, device, name(device), 60);
    }
    for device in 0..devices {
        let link = u64::from(device) + 1;
        story.at(2_000 + link).ends(link, Side::Device, Ending::Fin).carried(link, Side::Hub).closes(link);
    }
    story.at(3_000);
    let windows: Vec<(u64, u32)> = (1..).zip(0..devices).collect();
    fires(&mut story, 0, 13_000, &windows);
    let mut link = 10_000;
    for second in 3..13 {
        for (window, device) in &windows {
            let at = second * 1_000 + u64::from(*device) * 2;
            link += 1;
            story.at(at).meets(link, *device, name(*device), *window).at(at + 1);
            story.ends(link, Side::Device, Ending::Fin).closes(link);
        }
    }
    story.at(13_000);
    windows.iter().for_each(|(window, _)| _ = story.heals(*window));
    for device in (0..devices).filter(|device| device % 10 != 9) {
        story.at(13_100 + u64::from(device)).joins_tls(20_000 + u64::from(device), device, name(device), 60);
    }
    story.at(30_000).over();
    story
}

fn refusing() -> Plan {
    let alert = HandshakeFault::Alert(crate::tls::Alert::HANDSHAKE_FAILURE);
    plan(vec![("refusing", handshake(alert, "10s"))])
}

#[test]
fn certificates_that_devices_refuse_and_one_does_not() {
    insta::assert_snapshot!(shown(&bad_and_silent(), &[certificates()]));
}

#[test]
fn two_runs_of_bad_certificates() {
    let mut later = certificates();
    later.events.truncate(later.events.len() - 30);
    insta::assert_snapshot!(shown(&bad_and_silent(), &[certificates(), later]));
}

#[test]
fn a_fleet_whose_handshakes_are_refused() {
    insta::assert_snapshot!(shown(&refusing(), &[storm(40)]));
}

#[test]
fn no_handshake_came() {
    let mut story = Story::new();
    story.joins_tls(1, 0, "a", 60).at(3_000);
    fires(&mut story, 0, 33_000, &[(1, 0)]);
    story.at(33_000).heals(1).at(40_000).over();
    let text = shown(&bad_and_silent(), &[story]);
    assert!(
        text.contains("expired  tls_handshake certificate expired for 30s\n  met no TLS handshake\n"),
        "{text}"
    );
    assert!(!text.contains("was not connected"), "{text}");
    assert!(text.contains("expired fired 1 time and met no TLS handshake"), "{text}");
}

#[test]
fn tls_live() {
    insta::assert_snapshot!(told(&bad_and_silent(), &certificates()));
}

#[test]
fn a_storm_of_handshakes_is_a_few_lines_a_second() {
    let lines = told(&refusing(), &storm(200)).lines().count();
    assert!(lines <= 60, "{lines}");
}

#[test]
fn tls_as_json() {
    let plan = bad_and_silent();
    let report = Report::new(&plan, &certificates().results(&plan));
    let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["tls"]).unwrap());
    let naive =
        json["rules"][0]["windows"].as_array().unwrap().iter().find(|w| w["device"] == "naive").unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(naive).unwrap());
}

#[test]
fn a_run_without_tls_says_nothing_of_it() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(4_000).over();
    let text = shown(&plan(Vec::new()), &[story]);
    assert!(!text.contains("tls"), "{text}");
}
