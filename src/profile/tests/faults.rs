//! Faults of links and packets, as the plan has them.

use super::super::{Metric, When, read};
use super::{HEAD, sound};
use crate::azure::Code;
use crate::base::{Chance, Direction, Side, Span};
use crate::fault::{
    Bandwidth, Close, ConnackCode, Corrupt, CutAfter, Delay, DelayModel, Disconnect, Edit, Fault, Forgotten,
    HalfClose, IdleTimeout, Inject, Injection, LegFate, Loss, MidCut, PacketAction, PacketFault, PacketMatch,
    Refusal, Refuse, Reject, Slice, Takeover, TokenExpiry, Toward, WaysWanted,
};
use crate::mqtt::{PacketKind, QoS};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn rule(rule: &str) -> super::super::Rule {
    sound(&format!("{HEAD}rules: [{{ id: a, {rule} }}]\n")).rules[0].clone()
}

fn fault(fault: &str) -> Fault {
    rule(&format!("when: {{ at: 1s }}, fault: {{ {fault} }}")).fault
}

#[test]
fn faults_of_links_read_as_they_are_meant() {
    let (second, hold) = (Span::fixed(SECOND), Some(Span::fixed(SECOND)));
    let (both, close_notify) = (WaysWanted::Both, true);
    let rate = "64kbit/s".parse().unwrap();
    let chance = Chance::new(0.1).unwrap();
    let close = |toward, other| Close { toward, other, close_notify };
    for (text, wanted) in [
        ("half_close: {}", Fault::HalfClose(HalfClose { toward: Side::Device })),
        ("half_close: { toward: hub }", Fault::HalfClose(HalfClose { toward: Side::Hub })),
        ("refuse: { for: 1s }", Fault::Refuse(Refuse { how: Refusal::Closed, hold: second })),
        ("refuse: { how: reset, for: 1s }", Fault::Refuse(Refuse { how: Refusal::Reset, hold: second })),
        ("bandwidth: { rate: 64kbit/s }", Fault::Bandwidth(Bandwidth { rate, direction: both, hold: None })),
        ("loss: { chance: 10%, for: 1s }", Fault::Loss(Loss { toward: Toward::Both, chance, hold })),
        (
            "slice: { size: 3 }",
            Fault::Slice(Slice { size: 3, gap: Duration::ZERO, direction: both, hold: None }),
        ),
        (
            "cut_after: { bytes: 7 }",
            Fault::CutAfter(CutAfter {
                bytes: 7,
                direction: Direction::Up,
                ending: LegFate::Reset,
                close: close(Toward::Both, LegFate::HalfOpen),
                hold: None,
            }),
        ),
        (
            "cut_after: { bytes: 7, direction: down, ending: close, toward: hub, other: reset, for: 1s }",
            Fault::CutAfter(CutAfter {
                bytes: 7,
                direction: Direction::Down,
                ending: LegFate::Close,
                close: close(Toward::Hub, LegFate::Reset),
                hold,
            }),
        ),
        (
            "idle_timeout: { after: 1s }",
            Fault::IdleTimeout(IdleTimeout { after: second, then: Forgotten::Vanish, hold: None }),
        ),
        (
            "token_expiry: {}",
            Fault::TokenExpiry(TokenExpiry { lifetime: None, grace: Duration::ZERO, hold: None }),
        ),
        (
            "token_expiry: { lifetime: 1s, grace: 1s, for: 1s }",
            Fault::TokenExpiry(TokenExpiry { lifetime: hold, grace: SECOND, hold }),
        ),
        ("takeover: { for: 1s }", Fault::Takeover(Takeover { hold: second, again: None })),
        ("takeover: { for: 1s, again: 1s }", Fault::Takeover(Takeover { hold: second, again: Some(SECOND) })),
        (
            "reject: { code: quota_exceeded, for: 1s }",
            Fault::Reject(Reject { code: ConnackCode { return_code: 3, reason_code: 0x97 }, hold: second }),
        ),
        (
            "disconnect: {}",
            Fault::Disconnect(Disconnect { toward: Toward::Device, reason: 0x8b, other: LegFate::Close }),
        ),
        (
            "disconnect: { reason: 0x8E, toward: both }",
            Fault::Disconnect(Disconnect { toward: Toward::Both, reason: 0x8e, other: LegFate::Close }),
        ),
    ] {
        assert_eq!(fault(text), wanted, "{text}");
    }
}

#[test]
fn packets_put_in_read_as_they_are_meant() {
    let publish = |payload: &str, qos, retain, packet_id| Injection::Publish {
        topic: "a/b".into(),
        payload: payload.into(),
        qos,
        retain,
        packet_id,
    };
    for (text, toward, what) in [
        ("ping: pingresp", Side::Device, Injection::Pingresp),
        ("ping: pingreq, toward: hub", Side::Hub, Injection::Pingreq),
        (
            "ack: { packet: pubrel, packet_id: 65535 }",
            Side::Device,
            Injection::Ack { kind: PacketKind::Pubrel, packet_id: 65_535 },
        ),
        ("publish: { topic: a/b }", Side::Device, publish("", QoS::AtMostOnce, false, 1)),
        (
            "publish: { topic: a/b, payload: ' x ', qos: 2, retain: true, packet_id: 9 }",
            Side::Device,
            publish(" x ", QoS::ExactlyOnce, true, 9),
        ),
        ("raw: \"D0 00 ff\"", Side::Device, Injection::Raw(vec![0xd0, 0, 0xff])),
    ] {
        assert_eq!(fault(&format!("inject: {{ {text} }}")), Fault::Inject(Inject { toward, what }), "{text}");
    }
}

#[test]
fn faults_of_packets_read_as_they_are_meant() {
    let model = DelayModel::Fixed { delay: SECOND };
    for (text, action) in [
        ("drop: {}", PacketAction::Drop { acknowledge: false }),
        ("drop: { acknowledge: true }", PacketAction::Drop { acknowledge: true }),
        ("delay: { fixed: 1s, jitter: 1s }", PacketAction::Delay(Delay { model, jitter: SECOND })),
        ("duplicate: {}", PacketAction::Duplicate { copies: 1 }),
        (
            "edit: { keep_alive: 0s, server_keep_alive: 2m, clean: true, session_present: false }",
            PacketAction::Edit(Edit {
                keep_alive: Some(0),
                server_keep_alive: Some(120),
                clean: Some(true),
                session_present: Some(false),
                ..Edit::default()
            }),
        ),
        (
            "edit: { code: 0x88, packet_id: 7, dup: true, qos: 2, retain: false }",
            PacketAction::Edit(Edit {
                code: Some(0x88),
                packet_id: Some(7),
                dup: Some(true),
                qos: Some(QoS::ExactlyOnce),
                retain: Some(false),
                ..Edit::default()
            }),
        ),
        ("corrupt: {}", PacketAction::Corrupt(Corrupt::Payload)),
        ("corrupt: { where: anywhere }", PacketAction::Corrupt(Corrupt::Anywhere)),
        (
            "cut: { toward: device, other: close }",
            PacketAction::Cut(MidCut {
                after_bytes: 1,
                ending: LegFate::Reset,
                close: Close { toward: Toward::Device, other: LegFate::Close, close_notify: true },
            }),
        ),
    ] {
        let wanted = PacketFault { what: PacketMatch::EVERY, action, hold: None };
        assert_eq!(fault(text), Fault::Packets(wanted), "{text}");
    }
    let some = PacketMatch {
        packet: Some(PacketKind::Publish),
        direction: WaysWanted::Up,
        topic: Some("a/+".into()),
        qos: Some(QoS::AtLeastOnce),
        dup: Some(false),
        retain: Some(true),
        nth: Some(3),
        times: Some(1),
        chance: Chance::new(0.5).unwrap(),
    };
    let what = "packet: publish, direction: up, topic: a/+, qos: 1, dup: false, retain: true, nth: 3, times: 1, chance: 50%";
    let read = rule(&format!("what: {{ {what} }}, fault: {{ drop: {{ for: 1s }} }}"));
    let action = PacketAction::Drop { acknowledge: false };
    assert_eq!(
        read.fault,
        Fault::Packets(PacketFault { what: some, action, hold: Some(Span::fixed(SECOND)) })
    );
}

/// A fault that holds begins with the run; `for` may still stand in `when`.
#[test]
fn without_a_time_a_fault_that_holds_begins_with_the_run() {
    let beginning = When::At { first: Duration::ZERO, repeat: None };
    assert_eq!(rule("fault: { drop: {} }").when, beginning);
    assert_eq!(rule("fault: { stall: { for: 1s } }").when, beginning);
    let told = read(&format!("{HEAD}rules: [{{ id: a, fault: {{ fin: {{}} }} }}]\n"), &[]).unwrap_err();
    assert!(told.to_string().contains("`when` is missing in this rule: `fin`"), "{told}");
    let held = rule("when: { at: 1s, for: 1s }, fault: { edit: { dup: true } }");
    assert_eq!(held.fault.hold(), Some(Span::fixed(SECOND)));
}

#[test]
fn the_keep_alive_and_the_code_of_the_log_are_in_the_plan() {
    assert_eq!(sound(HEAD).server_keep_alive, None);
    assert_eq!(sound(&format!("{HEAD}server_keepalive: 4s\n")).server_keep_alive, Some(4));
    let sets = ["server_keepalive=65535s".parse().unwrap()];
    assert_eq!(read(HEAD, &sets).unwrap().plan.server_keep_alive, Some(65_535));
    assert_eq!(rule("fault: { drop: {} }").logged_as, None);
    assert_eq!(rule("fault: { drop: {} }, logged_as: 429001").logged_as, Some(Code::ThrottlingException));
}

/// A measure that never has a sample of a fault is an error in a profile, and one that has is none.
#[test]
fn each_kind_of_fault_gives_some_measures() {
    for (text, given, never) in [
        ("half_close: {}", vec![Metric::HubDetection, Metric::Recovery], vec![Metric::PingRtt]),
        (
            "refuse: { for: 1s }",
            vec![Metric::Downtime, Metric::Recovery, Metric::ConnectGap, Metric::ConnectAttempts],
            vec![Metric::DeviceDetection, Metric::HubDetection, Metric::FirstPublish, Metric::HandshakeGap],
        ),
        ("loss: { chance: 1% }", vec![Metric::PingRtt], vec![Metric::Downtime, Metric::DeviceDetection]),
        ("cut_after: { bytes: 1 }", vec![Metric::DeviceDetection], vec![Metric::HubDetection]),
        ("cut_after: { bytes: 1, toward: device }", vec![Metric::HubDetection], vec![]),
        ("cut: {}", vec![Metric::DeviceDetection], vec![Metric::SplitView]),
        ("cut: { toward: device }", vec![Metric::SplitView], vec![Metric::ConnectRate]),
        ("takeover: { for: 1s }", vec![Metric::HubDetection, Metric::Recovery], vec![]),
        ("token_expiry: {}", vec![Metric::Recovery], vec![Metric::HubDetection]),
        ("inject: { ping: pingreq }", vec![], vec![Metric::PingRtt, Metric::Recovery]),
        ("drop: {}", vec![Metric::PublishRtt], vec![Metric::Recovery]),
    ] {
        let fault = fault(text);
        for metric in given {
            assert_eq!(metric.no_evidence(&fault), None, "{text}: {metric}");
        }
        for metric in never {
            assert!(metric.no_evidence(&fault).is_some(), "{text}: {metric}");
        }
    }
    let pings = rule("what: { packet: pingresp }, fault: { drop: {} }").fault;
    assert_eq!(Metric::DeviceDetection.no_evidence(&pings), None);
}
