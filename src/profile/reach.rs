//! What rules and expectations need of the listeners that they are about: MQTT packets, TLS of brownout's own on one
//! leg or the other, certificates. One function for the listeners of a profile and for those of the command line.

mod need;

use super::metric::Metric;
use super::plan::{ListenerPlan, Plan, Rule, When};
use super::problem::Severity;
use super::tls::Wording;
use crate::base::{ListenerId, RuleId};
use crate::event::TlsMode;
use crate::fault::{Close, Fault, HandshakeFault, Toward};
use need::Need;

/// Something of a plan that these listeners do not give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutOfReach {
    /// An error where no listener gives it, a note where some do, and for expectations.
    pub severity: Severity,
    /// Which part of the plan.
    pub about: About,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A rule, and there this.
    Rule(RuleId, Part),
    /// The expectations of a measure.
    Metric(Metric),
    /// A key of the profile itself.
    Profile(&'static str),
}

/// A part of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `after` in `when`.
    After,
    /// This key of `who`.
    Who(&'static str),
    /// The fault, and there this key; where it is not given, the fault.
    Fault(&'static str),
}

/// What a plan asks of these listeners and does not get; nothing where there are none, since then they are yet to be
/// said. `wording` is that of whoever said what the listeners are.
pub fn out_of_reach(plan: &Plan, listeners: &[ListenerPlan], wording: Wording) -> Vec<OutOfReach> {
    if listeners.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (id, rule) in plan.rules() {
        let meant: Vec<&ListenerPlan> = (0..)
            .map(ListenerId)
            .zip(listeners)
            .filter(|(id, _)| rule.who.listener.is_none_or(|wanted| wanted == *id))
            .map(|(_, listener)| listener)
            .collect();
        for (part, need) in needs(rule) {
            found.extend(of_rule(rule, About::Rule(id, part), need, part, &meant, wording));
        }
    }
    found.extend(of_keep_alive(plan, listeners, wording));
    for metric in Metric::ALL {
        if plan.expectations.iter().any(|expectation| expectation.metric == *metric) {
            found.extend(of_metric(*metric, listeners, wording));
        }
    }
    found
}

/// What a rule needs, the fault first.
fn needs(rule: &Rule) -> Vec<(Part, Need)> {
    let mut needs = of_fault(&rule.fault);
    if matches!(rule.when, When::After { .. }) {
        needs.push((Part::After, Need::Mqtt));
    }
    let who = &rule.who;
    let of_who = [
        ("client", who.client.is_some(), Need::Mqtt),
        ("username", who.username.is_some(), Need::Mqtt),
        ("version", who.version.is_some(), Need::Mqtt),
        ("sni", who.sni.is_some(), Need::Sni),
        ("subject", who.subject.is_some(), Need::Subject),
    ];
    needs.extend(
        of_who.into_iter().filter(|(_, given, _)| *given).map(|(key, _, need)| (Part::Who(key), need)),
    );
    needs
}

fn of_fault(fault: &Fault) -> Vec<(Part, Need)> {
    match fault {
        Fault::TlsHandshake(handshake) => {
            let mut needs = vec![(Part::Fault("tls_handshake"), Need::Served)];
            if matches!(handshake.what, HandshakeFault::Certificate(bad) if bad.needs_ca()) {
                needs.push((Part::Fault("certificate"), Need::Ca));
            }
            needs
        }
        Fault::TlsAlert(alert) => {
            let need = match alert.toward {
                Toward::Device => Need::Served,
                Toward::Hub => Need::Dialled,
                Toward::Both => Need::ServedAndDialled,
            };
            vec![(Part::Fault("toward"), need)]
        }
        Fault::TlsRecord(record) => vec![(Part::Fault("toward"), Need::TlsOn(record.toward))],
        Fault::Fin(Close { toward, close_notify: false, .. }) => {
            vec![(Part::Fault("close_notify"), Need::CloseNotify(*toward))]
        }
        Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => vec![(Part::Fault(fault.name()), Need::Mqtt)],
        Fault::Fin(_)
        | Fault::Blackhole(_)
        | Fault::Rst(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_) => Vec::new(),
    }
}

fn of_rule(
    rule: &Rule,
    about: About,
    need: Need,
    part: Part,
    meant: &[&ListenerPlan],
    wording: Wording,
) -> Option<OutOfReach> {
    let (missing, given): (Vec<_>, Vec<_>) = meant.iter().partition(|listener| !need.is_met(&listener.tls));
    let (first, id, asker, what) = (missing.first()?, &rule.id, asker(rule, part), need.words());
    let there = there(need, &missing);
    let (severity, message) = match (need, given.is_empty()) {
        (Need::CloseNotify(_), true) => {
            (Severity::Note, format!("`close_notify` says nothing in `{id}`: it needs {what} ({there})"))
        }
        (Need::CloseNotify(_), false) => return None,
        // The mode alone has told what is wrong there.
        (Need::Ca, _) if missing.iter().all(|listener| !listener.tls.mode.serves()) => return None,
        (_, true) => (Severity::Error, format!("`{id}` can fall on nobody: {asker} needs {what} ({there})")),
        (_, false) => {
            (Severity::Note, format!("`{id}` passes some listeners by: {asker} needs {what} ({there})"))
        }
    };
    let closed =
        need.is_of_keys() && missing.iter().any(|listener| listener.tls.mode == TlsMode::Passthrough);
    let closed = if closed { "; for TLS that is passed through, brownout has no keys" } else { "" };
    // A fault of MQTT is one at any time and on anyone.
    let help =
        if matches!(part, Part::Fault(_)) { need.way(first, wording) } else { need.help(first, wording) };
    Some(OutOfReach { severity, about, message, help: format!("{help}{closed}") })
}

/// What `server_keepalive` asks of the listeners: that packets can be rewritten.
fn of_keep_alive(plan: &Plan, listeners: &[ListenerPlan], wording: Wording) -> Option<OutOfReach> {
    plan.server_keep_alive?;
    let need = Need::Mqtt;
    let missing: Vec<&ListenerPlan> =
        listeners.iter().filter(|listener| !need.is_met(&listener.tls)).collect();
    let first = missing.first()?;
    let there = there(need, &missing);
    Some(OutOfReach {
        severity: Severity::Note,
        about: About::Profile("server_keepalive"),
        message: format!("`server_keepalive` is told to nobody there: it needs {} ({there})", need.words()),
        help: format!("take it out; or {}", need.way(first, wording)),
    })
}

fn of_metric(metric: Metric, listeners: &[ListenerPlan], wording: Wording) -> Option<OutOfReach> {
    let need = of_measure(metric)?;
    let missing: Vec<&ListenerPlan> = listeners.iter().collect();
    let first = listeners.first()?;
    if listeners.iter().any(|listener| need.is_met(&listener.tls)) {
        return None;
    }
    Some(OutOfReach {
        severity: Severity::Note,
        about: About::Metric(metric),
        message: format!(
            "no sample of `{metric}` will come: it needs {} ({})",
            need.words(),
            there(need, &missing)
        ),
        help: format!(
            "without a sample the expectation is unmet: take it out; or {}",
            need.way(first, wording)
        ),
    })
}

/// What a measure is made from, where that is not to be had everywhere.
fn of_measure(metric: Metric) -> Option<Need> {
    match metric {
        Metric::DeviceSilence
        | Metric::HubSilence
        | Metric::Resubscribe
        | Metric::FirstPublish
        | Metric::FirstDelivery
        | Metric::ControlGap
        | Metric::KeepaliveViolations
        | Metric::PingRtt
        | Metric::PublishRtt
        | Metric::PacketsAltered
        | Metric::ConnackWait
        | Metric::TokenMargin
        | Metric::TokenLate
        | Metric::StaleTokens
        | Metric::Qos0Lost
        | Metric::Qos1Lost
        | Metric::Qos1Duplicated
        | Metric::Qos2Lost
        | Metric::Qos2Duplicated
        | Metric::Retransmitted
        | Metric::InFlight
        | Metric::SequenceGaps
        | Metric::QueuedOffline
        | Metric::DroppedOffline => Some(Need::Mqtt),
        Metric::DeviceTlsTime | Metric::TlsResumed | Metric::HandshakeAttempts | Metric::HandshakeGap => {
            Some(Need::Served)
        }
        Metric::HubTlsTime | Metric::HubTlsResumed => Some(Need::Dialled),
        Metric::DeviceDetection
        | Metric::HubDetection
        | Metric::SplitView
        | Metric::Downtime
        | Metric::Recovery
        | Metric::ConnectGap
        | Metric::ConnectAttempts
        | Metric::ConnectRate
        | Metric::ConnectTime
        | Metric::ConnectsRefused
        | Metric::DisconnectInterval
        | Metric::Dip
        | Metric::FleetRecovery
        | Metric::ReconnectSpread => None,
    }
}

/// What of the rule has the need.
fn asker(rule: &Rule, part: Part) -> String {
    match part {
        Part::After => "`after`".into(),
        Part::Who(key) => format!("`{key}`"),
        Part::Fault("toward") => format!("`{}` toward the {}", rule.fault.name(), legs(&rule.fault)),
        Part::Fault("certificate") => "this certificate".into(),
        Part::Fault(key) => format!("`{key}`"),
    }
}

fn legs(fault: &Fault) -> &'static str {
    match fault {
        Fault::TlsAlert(alert) => match alert.toward {
            Toward::Device => "device",
            Toward::Hub => "hub",
            Toward::Both => "device and the hub",
        },
        Fault::TlsRecord(record) => record.toward.word(),
        Fault::Blackhole(_)
        | Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::TlsHandshake(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => "",
    }
}

/// ``listener `main`: no TLS``
fn there(need: Need, missing: &[&ListenerPlan]) -> String {
    const TOLD: usize = 3;
    let told = missing.iter().take(TOLD);
    let mut told: Vec<String> = told
        .map(|listener| format!("listener `{}`: {}", listener.name, need.lacking(&listener.tls)))
        .collect();
    if missing.len() > TOLD {
        told.push(format!("and {} more", missing.len() - TOLD));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn listeners(modes: &[TlsMode]) -> Vec<ListenerPlan> {
        let of = |mode: &TlsMode| ListenerPlan {
            name: "main".into(),
            listen: "h:1".into(),
            upstream: "h:1".into(),
            tls: super::super::TlsParts { mode: *mode, ..Default::default() }.plan(),
        };
        modes.iter().map(of).collect()
    }

    /// Whether a rule with this fault and `when` can fall on somebody in each mode: none, passthrough, terminate,
    /// reoriginate, originate.
    fn can(when: &str, fault: &str) -> [bool; 5] {
        let text = format!(
            "brownout: 1\nname: case\nsummary: A case.\nrules: [{{ id: a, when: {{ {when} }}, fault: {{ {fault} }} }}]\n"
        );
        let plan = read(&text, &[]).unwrap().plan;
        let modes = [
            TlsMode::None,
            TlsMode::Passthrough,
            TlsMode::Terminate,
            TlsMode::Reoriginate,
            TlsMode::Originate,
        ];
        modes.map(|mode| {
            let found = out_of_reach(&plan, &listeners(&[mode]), Wording::CommandLine);
            found.iter().all(|found| found.severity != Severity::Error)
        })
    }

    #[test]
    fn each_fault_in_each_mode() {
        for (when, fault, expected) in [
            ("at: 1s", "rst: {}", [true, true, true, true, true]),
            ("after: connack", "rst: {}", [true, false, true, true, true]),
            (
                "at: 1s",
                "tls_handshake: { stall: before_server_hello, for: 1s }",
                [false, false, true, true, false],
            ),
            ("at: 1s", "tls_handshake: { certificate: expired, for: 1s }", [false, false, true, true, false]),
            ("at: 1s", "tls_alert: { alert: 80 }", [false, false, true, true, false]),
            ("at: 1s", "tls_alert: { alert: 80, toward: hub }", [false, false, false, true, true]),
            ("at: 1s", "tls_alert: { alert: 80, toward: both }", [false, false, false, true, false]),
            ("at: 1s", "tls_record: { damage: mac }", [false, true, true, true, false]),
            ("at: 1s", "tls_record: { damage: mac, toward: hub }", [false, true, false, true, true]),
            ("after: connack", "tls_record: { damage: mac }", [false, false, true, true, false]),
            ("at: 1s", "fin: { close_notify: false }", [true, true, true, true, true]),
            ("at: 1s", "half_close: {}", [true, true, true, true, true]),
            ("at: 1s", "refuse: { for: 1s }", [true, true, true, true, true]),
            ("at: 1s", "bandwidth: { rate: 1kbit/s }", [true, true, true, true, true]),
            ("at: 1s", "loss: { chance: 1% }", [true, true, true, true, true]),
            ("at: 1s", "cut_after: { bytes: 1 }", [true, true, true, true, true]),
            ("at: 1s", "idle_timeout: { after: 1s }", [true, true, true, true, true]),
            ("at: 1s", "token_expiry: {}", [true, false, true, true, true]),
            ("at: 1s", "takeover: { for: 1s }", [true, false, true, true, true]),
            ("at: 1s", "reject: { code: banned, for: 1s }", [true, false, true, true, true]),
            ("at: 1s", "disconnect: {}", [true, false, true, true, true]),
            ("at: 1s", "inject: { ping: pingresp }", [true, false, true, true, true]),
            ("at: 1s", "drop: {}", [true, false, true, true, true]),
            ("at: 1s", "cut: {}", [true, false, true, true, true]),
        ] {
            assert_eq!(can(when, fault), expected, "{when} {fault}");
        }
    }

    #[test]
    fn only_measures_that_are_expected_are_looked_for() {
        for (metric, is_told) in [("ping_rtt", true), ("downtime", false)] {
            let text = format!(
                "brownout: 1\nname: case\nsummary: A case.\nexpect: [{{ metric: {metric}, max: \"<= 1s\" }}]\n"
            );
            let plan = read(&text, &[]).unwrap().plan;
            let found = out_of_reach(&plan, &listeners(&[TlsMode::Passthrough]), Wording::CommandLine);
            assert_eq!(found.len(), usize::from(is_told), "{metric}: {found:?}");
        }
    }

    #[test]
    fn three_listeners_are_named_and_more_are_counted() {
        let listeners = listeners(&[TlsMode::None; 4]);
        let all: Vec<&ListenerPlan> = listeners.iter().collect();
        let told = |number: usize| there(Need::Mqtt, &all[..number]);
        assert_eq!(told(3).matches("listener `main`").count(), 3);
        assert!(!told(3).contains("more") && told(4).ends_with("; and 1 more"), "{} / {}", told(3), told(4));
    }

    #[test]
    fn where_some_listeners_give_it_there_is_a_note_and_where_none_are_known_nothing() {
        let text = "brownout: 1\nname: case\nsummary: A case.\nrules: [{ id: a, when: { after: connack }, fault: { rst: {} } }]\n";
        let plan = read(text, &[]).unwrap().plan;
        let found = |modes: &[TlsMode]| {
            let found = out_of_reach(&plan, &listeners(modes), Wording::Profile);
            found.into_iter().map(|found| found.severity).collect::<Vec<_>>()
        };
        assert_eq!(found(&[]), []);
        assert_eq!(found(&[TlsMode::Passthrough, TlsMode::None]), [Severity::Note]);
        assert_eq!(found(&[TlsMode::Passthrough, TlsMode::Passthrough]), [Severity::Error]);
    }
}
