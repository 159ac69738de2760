//! The words of the timeline.

use crate::base::span::show_fixed;
use crate::base::{Chance, Side, Span};
use crate::fault::delay::DelayModel;
use crate::fault::{
    HandshakeFault, HandshakeStage, LegFate, RecordFault, TlsAlert, TlsHandshake, TlsRecord, Toward,
    WaysWanted,
};
use crate::profile::plan::{Comparison, Limit, Network, Plan, Who};
use crate::tls::Alert;
use std::time::Duration;

/// How times are told.
#[derive(Clone, Copy)]
pub(super) struct Words {
    /// The keep-alive that spans are told for.
    pub example: Duration,
    /// Whether it is the plan's for devices without one.
    is_default: bool,
}

impl Words {
    /// As the run resolves them: the plan's default where the keep-alive is zero.
    pub(super) fn of(plan: &Plan, keep_alive: Duration) -> Words {
        let is_default = keep_alive.is_zero();
        Words { example: if is_default { plan.default_keep_alive } else { keep_alive }, is_default }
    }

    /// `10s`, as the language has it.
    pub(super) fn time(self, time: Duration) -> String {
        show_fixed(time)
    }

    /// `1.5 keep-alives + 10s (16s at a keep-alive of 4s)`, or `(1m 40s at the default_keepalive of 1m)`
    pub(super) fn span(self, span: Span) -> String {
        if !span.is_relative() {
            return span.to_string();
        }
        let text = span.to_string();
        let plural = if text.starts_with("1 keepalive") { "keep-alive" } else { "keep-alives" };
        let example = self.time(self.example);
        let at = if self.is_default {
            format!("the default_keepalive of {example}")
        } else {
            format!("a keep-alive of {example}")
        };
        format!("{} ({} at {at})", text.replace("keepalive", plural), self.time(span.resolve(self.example)))
    }

    /// `for 30s`, `to the end of the run`
    pub(super) fn hold(self, hold: Option<Span>) -> String {
        hold.map_or("to the end of the run".to_owned(), |hold| format!("for {}", self.span(hold)))
    }

    pub(super) fn delay(self, model: &DelayModel) -> String {
        match model {
            DelayModel::Fixed { delay } => self.time(*delay),
            DelayModel::Uniform { min, max } => {
                format!("{} to {}, each as likely", self.time(*min), self.time(*max))
            }
            DelayModel::Normal { mean, deviation } => {
                format!("about {} (bell-shaped, deviation {})", self.time(*mean), self.time(*deviation))
            }
            DelayModel::Pareto { scale, shape, max } => format!(
                "{} and more, up to {} (long tail, shape {shape})",
                self.time(*scale),
                self.time(*max)
            ),
        }
    }
}

/// `every device`, or the conditions that are given.
pub(super) fn who(who: &Who, plan: &Plan) -> String {
    let Who { client, username, address, version, listener, sni, subject, share } = who;
    let conditions: Vec<String> = [
        client.as_ref().map(|glob| format!("whose client identifier is like `{glob}`")),
        username.as_ref().map(|glob| format!("whose user name is like `{glob}`")),
        address.as_ref().map(|network| format!("with an address in {}", cidr(network))),
        version.map(|version| format!("of MQTT {version}")),
        sni.as_ref().map(|glob| format!("whose TLS asks for a server name like `{glob}`")),
        subject.as_ref().map(|glob| format!("whose certificate has a subject like `{glob}`")),
        listener
            .and_then(|id| plan.listeners.get(usize::from(id.0)))
            .map(|listener| format!("at listener {}", listener.name)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let everyone =
        if *share == Chance::ALWAYS { "every device".to_owned() } else { format!("{share} of the devices") };
    if conditions.is_empty() { everyone } else { format!("{everyone} {}", conditions.join(" and ")) }
}

fn cidr(network: &Network) -> String {
    format!("{}/{}", network.base, network.prefix)
}

pub(super) fn toward(toward: Toward) -> &'static str {
    match toward {
        Toward::Device => "toward the device",
        Toward::Hub => "toward the hub",
        Toward::Both => "toward both ends",
    }
}

pub(super) fn both_ways(ways: WaysWanted) -> &'static str {
    match ways {
        WaysWanted::Up => "from device to hub",
        WaysWanted::Down => "from hub to device",
        WaysWanted::Both => "in both directions",
    }
}

pub(super) fn fate(fate: LegFate) -> &'static str {
    match fate {
        LegFate::Reset => "is reset",
        LegFate::Close => "is closed (FIN)",
        LegFate::Unnotified => "is closed (FIN) without close_notify",
        LegFate::Alert(_) => "gets a TLS alert",
        LegFate::Truncated => "gets part of a TLS record, then FIN",
        LegFate::Rejected(_) => "gets a CONNACK that refuses, then FIN",
        LegFate::Disconnected(_) => "gets DISCONNECT, then FIN",
        LegFate::ResetWhenSends => "stays half-open, and is reset once its end sends",
        LegFate::HalfOpen => "stays half-open, with nobody behind it, until its end gives up",
    }
}

pub(super) fn comparison(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::AtMost => "at most",
        Comparison::Below => "below",
        Comparison::AtLeast => "at least",
        Comparison::Above => "above",
        Comparison::Equal => "exactly",
    }
}

pub(super) fn limit(limit: Limit, words: Words) -> String {
    match limit {
        Limit::Span(span) => words.span(span),
        Limit::Number(number) => number.to_string(),
    }
}

/// `once`, `twice`, `3 times`
pub(super) fn times(times: u32) -> String {
    match times {
        1 => "once".into(),
        2 => "twice".into(),
        more => format!("{more} times"),
    }
}

/// `2nd`, `11th`
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        (_, _) => "th",
    };
    format!("{number}{ending}")
}

/// `50th`, `99.9th`
pub(super) fn percentile(percent: f64) -> String {
    let text = percent.to_string();
    text.parse().map_or_else(|_| format!("{text}th"), ordinal)
}

/// A handshake fault.
pub(super) fn handshake(fault: &TlsHandshake, words: Words) -> String {
    let what = match fault.what {
        HandshakeFault::Stall(HandshakeStage::BeforeServerHello) => "are met with silence".into(),
        HandshakeFault::Stall(HandshakeStage::AfterServerHello) => {
            "are met with silence after ServerHello".into()
        }
        HandshakeFault::Abort(how) => format!("are ended after ServerHello ({})", how.word()),
        HandshakeFault::Alert(alert) => {
            format!("are answered with the alert {} in the place of ServerHello, then FIN", named(alert))
        }
        HandshakeFault::Certificate(bad) => format!("are made with a certificate that is {}", bad.words()),
    };
    format!("TLS handshakes with devices {what}, for {}", words.span(fault.hold))
}

/// An alert on a live link.
pub(super) fn alert(fault: &TlsAlert) -> String {
    let rest = match fault.toward {
        Toward::Both => String::new(),
        Toward::Device => format!("; the hub's leg {}", fate(fault.other)),
        Toward::Hub => format!("; the device's leg {}", fate(fault.other)),
    };
    let toward = toward(fault.toward);
    format!("the TLS alert {} is sent {toward}, then FIN, without DISCONNECT{rest}", named(fault.alert))
}

/// `internal_error`, `number 200`
fn named(alert: Alert) -> String {
    alert.name().map_or_else(|| format!("number {alert}"), str::to_owned)
}

/// The leg of the other end.
pub(super) fn of_other(side: Side) -> &'static str {
    match side {
        Side::Device => "the hub's",
        Side::Hub => "the device's",
    }
}

/// A record harmed.
pub(super) fn record(fault: &TlsRecord) -> String {
    let whom = fault.toward.word();
    match fault.what {
        RecordFault::Damaged(damage) => {
            format!("the next TLS record of application data to the {whom} is damaged ({})", damage.words())
        }
        RecordFault::Truncated => {
            format!(
                "part of a TLS record is sent to the {whom}, then FIN; {} leg stays half-open",
                of_other(fault.toward)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order_have_the_endings_of_english() {
        for (number, told) in [
            (1, "1st"),
            (2, "2nd"),
            (3, "3rd"),
            (4, "4th"),
            (11, "11th"),
            (12, "12th"),
            (13, "13th"),
            (21, "21st"),
            (22, "22nd"),
            (23, "23rd"),
            (111, "111th"),
            (113, "113th"),
        ] {
            assert_eq!(ordinal(number), told);
        }
    }
}
