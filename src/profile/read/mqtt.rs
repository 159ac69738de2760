//! The parameters of faults of MQTT that end links, refuse them, or put packets into them.

use super::fault::{check_moment, choice, legs, required_span, span};
use super::fields::Fields;
use crate::fault::{Disconnect, Fault, Inject, Injection, Reject, Takeover, TokenExpiry};
use crate::mqtt::QoS;
use crate::profile::codes::refusal;
use crate::profile::problem::Sink;

/// The fault of this name; `None` where it is none of these, or was wrong, and that has been told.
pub(super) fn fault(name: &str, fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Fault> {
    match name {
        "token_expiry" => {
            let hold = span(fields, when, sink);
            if fields.has("lifetime") && fields.span("lifetime").is_none() {
                return None;
            }
            let lifetime = fields.span("lifetime");
            Some(Fault::TokenExpiry(TokenExpiry { lifetime, grace: fields.time("grace")?, hold: hold? }))
        }
        "takeover" => {
            let hold = required_span(fields, when, sink);
            let again = if fields.has("again") { Some(fields.time("again")?) } else { None };
            Some(Fault::Takeover(Takeover { hold: hold?, again }))
        }
        "reject" => {
            let hold = required_span(fields, when, sink);
            Some(Fault::Reject(Reject { code: refusal(fields.word("code")?)?, hold: hold? }))
        }
        "disconnect" => {
            check_moment(name, when, sink);
            let (toward, other) = legs(fields, name, sink)?;
            Some(Fault::Disconnect(Disconnect { toward, reason: fields.code("reason")?, other }))
        }
        "inject" => {
            check_moment(name, when, sink);
            let what = injection(fields, sink);
            Some(Fault::Inject(Inject { toward: choice(fields, "toward")?, what: what? }))
        }
        _ => None,
    }
}

fn injection(fields: &Fields, sink: &mut Sink) -> Option<Injection> {
    if fields.has("ping") {
        let is_request = fields.word("ping")? == "pingreq";
        return Some(if is_request { Injection::Pingreq } else { Injection::Pingresp });
    }
    if let Some(ack) = fields.one("ack") {
        let packet_id = packet_id(ack)?;
        return Some(Injection::Ack { kind: ack.word("packet")?.parse().ok()?, packet_id });
    }
    if let Some(publish) = fields.one("publish") {
        let qos = qos(publish, "qos")?;
        if qos == QoS::AtMostOnce && publish.has("packet_id") {
            sink.error(publish.key_spot("packet_id"), "`packet_id` has no meaning for a PUBLISH of QoS 0")
                .help("write `qos: 1` or `qos: 2` beside it, or take `packet_id` out");
        }
        return Some(Injection::Publish {
            topic: publish.text("topic")?,
            payload: publish.text("payload")?.into_bytes(),
            qos,
            retain: publish.truth("retain")?,
            packet_id: packet_id(publish)?,
        });
    }
    fields.bytes("raw").map(Injection::Raw)
}

/// The table bounds it to 16 bits.
pub(super) fn packet_id(fields: &Fields) -> Option<u16> {
    u16::try_from(fields.count("packet_id")?).ok()
}

/// A quality of service that is given.
pub(super) fn qos(fields: &Fields, key: &str) -> Option<QoS> {
    QoS::from_number(fields.word(key)?.parse().ok()?)
}
