//! The parameters of a fault.

use super::fields::Fields;
use super::packets::packet_fault;
use super::{links, mqtt};
use crate::base::Span;
use crate::fault::delay::DelayModel;
use crate::fault::{
    Blackhole, Close, Delay, Ending, Fault, HandshakeFault, Latency, LegFate, RecordFault, Stall, TlsAlert,
    TlsHandshake, TlsRecord, Toward, WaysWanted,
};
use crate::profile::problem::{Sink, Spot};
use crate::profile::schema::PACKET_FAULTS;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};

/// The fault; `rule` is its rule's, where `what` stands, and `when`, where `for` may stand too.
pub(super) fn fault(fields: &Fields, rule: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Fault> {
    let (name, fields) = kind(fields)?;
    match name {
        "blackhole" => blackhole(fields, when, sink).map(Fault::Blackhole),
        "rst" => close(fields, name, when, sink).map(Fault::Rst),
        "fin" => close(fields, name, when, sink).map(Fault::Fin),
        "stall" => {
            let hold = required_span(fields, when, sink);
            Some(Fault::Stall(Stall { direction: choice(fields, "direction")?, hold: hold? }))
        }
        "latency" => {
            let hold = span(fields, when, sink);
            let delay = delay(fields, sink);
            Some(Fault::Latency(Latency {
                direction: choice(fields, "direction")?,
                delay: delay?,
                hold: hold?,
            }))
        }
        "tls_handshake" => handshake(fields, when, sink).map(Fault::TlsHandshake),
        "tls_alert" => alert(fields, when, sink).map(Fault::TlsAlert),
        "tls_record" => record(fields, when, sink).map(Fault::TlsRecord),
        _ if PACKET_FAULTS.contains(&name) => {
            packet_fault(name, fields, rule, when, sink).map(Fault::Packets)
        }
        _ => links::fault(name, fields, when, sink).or_else(|| mqtt::fault(name, fields, when, sink)),
    }
}

/// The fault that is given, by its key.
pub(super) fn kind(fault: &Fields) -> Option<(&str, &Fields)> {
    fault.all().find_map(|given| Some((given.name.as_str(), fault.one(&given.name)?)))
}

/// Where a rule says how long its fault holds.
pub(super) fn hold(rule: &Fields) -> Option<Spot> {
    let fault = rule.one("fault").and_then(kind).map(|(_, fields)| fields);
    let places = fault.into_iter().chain(rule.one("when"));
    places.into_iter().find(|place| place.has("for")).map(|place| place.value_spot("for"))
}

fn blackhole(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Blackhole> {
    let hold = required_span(fields, when, sink);
    let direction = choice(fields, "direction")?;
    Some(Blackhole {
        toward: leg_lost(fields, direction, sink)?,
        direction,
        hold: hold?,
        fidelity: choice(fields, "fidelity")?,
        connects: choice(fields, "connects")?,
    })
}

/// The legs of a blackhole: of one that is lost one way, its sender's.
fn leg_lost(fields: &Fields, direction: WaysWanted, sink: &mut Sink) -> Option<Toward> {
    let toward: Toward = choice(fields, "toward")?;
    let (sender, receiver, way) = match direction {
        WaysWanted::Both => return Some(toward),
        WaysWanted::Up => (Toward::Device, "hub", "up"),
        WaysWanted::Down => (Toward::Hub, "device", "down"),
    };
    if fields.has("toward") && toward != sender {
        let word = if sender == Toward::Device { "device" } else { "hub" };
        sink.error(
            fields.value_spot("toward"),
            format!("what is lost one way, `{way}`, is lost on its sender's leg alone: `toward: {word}`"),
        )
        .label(format!("here brownout's own segments to the {receiver} would have to vanish, acknowledgements among them"))
        .also(fields.key_spot("direction"), "one way")
        .help(format!(
            "a filter drops what arrives, and not what is sent: take `toward` out; or write `stall: {{ direction: {way} }}`, \
             under which TCP is acknowledged at both ends"
        ));
    }
    Some(sender)
}

fn close(fields: &Fields, name: &str, when: Option<&Fields>, sink: &mut Sink) -> Option<Close> {
    check_moment(name, when, sink);
    let (toward, other) = legs(fields, name, sink)?;
    // Only `fin` has the key.
    let close_notify = if name == "fin" { fields.truth("close_notify")? } else { true };
    Some(Close { toward, other, close_notify })
}

/// A one-shot does not hold.
pub(super) fn check_moment(name: &str, when: Option<&Fields>, sink: &mut Sink) {
    if let Some(when) = when.filter(|when| when.has("for")) {
        sink.error(
            when.key_spot("for"),
            format!("`for` has no meaning for `{name}`, which happens in one moment"),
        )
        .help("take `for` out");
    }
}

/// The legs that it falls on, and what becomes of the other.
pub(super) fn legs(fields: &Fields, name: &str, sink: &mut Sink) -> Option<(Toward, LegFate)> {
    let toward: Toward = choice(fields, "toward")?;
    if toward == Toward::Both && fields.has("other") {
        sink.error(fields.key_spot("other"), format!("`other` has no meaning: `{name}` falls on both legs"))
            .help("write `toward: device` or `toward: hub` beside it, or take `other` out");
    }
    Some((toward, choice(fields, "other")?))
}

fn handshake(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<TlsHandshake> {
    let hold = required_span(fields, when, sink);
    let what = if fields.has("stall") {
        HandshakeFault::Stall(choice(fields, "stall")?)
    } else if fields.has("abort") {
        let how = if fields.word("abort")? == "reset" { Ending::Reset } else { Ending::Fin };
        HandshakeFault::Abort(how)
    } else if fields.has("alert") {
        HandshakeFault::Alert(fields.alert("alert")?)
    } else {
        HandshakeFault::Certificate(choice(fields, "certificate")?)
    };
    Some(TlsHandshake { what, hold: hold? })
}

fn alert(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<TlsAlert> {
    check_moment("tls_alert", when, sink);
    let (toward, other) = legs(fields, "tls_alert", sink)?;
    Some(TlsAlert { toward, alert: fields.alert("alert")?, other })
}

fn record(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<TlsRecord> {
    check_moment("tls_record", when, sink);
    let what = match fields.word("damage")? {
        "truncated" => RecordFault::Truncated,
        _ => RecordFault::Damaged(choice(fields, "damage")?),
    };
    Some(TlsRecord { toward: choice(fields, "toward")?, what })
}

/// A shape and its jitter.
pub(super) fn delay(fields: &Fields, sink: &mut Sink) -> Option<Delay> {
    let model = model(fields)?;
    if let Err(bad) = model.check() {
        let place = ["uniform", "normal", "pareto"].into_iter().find_map(|shape| fields.one(shape));
        let told = bad.to_string();
        let (message, help) = told.split_once("; ").unwrap_or((&told, ""));
        let found = sink.error(place.map_or_else(|| fields.spot(), Fields::spot), message);
        if !help.is_empty() {
            found.help(help);
        }
    }
    Some(Delay { model, jitter: fields.time("jitter")? })
}

fn model(fields: &Fields) -> Option<DelayModel> {
    if let Some(uniform) = fields.one("uniform") {
        return Some(DelayModel::Uniform { min: uniform.time("min")?, max: uniform.time("max")? });
    }
    if let Some(normal) = fields.one("normal") {
        return Some(DelayModel::Normal { mean: normal.time("mean")?, deviation: normal.time("deviation")? });
    }
    if let Some(pareto) = fields.one("pareto") {
        return Some(DelayModel::Pareto {
            scale: pareto.time("scale")?,
            shape: pareto.number("shape")?,
            max: pareto.time("max")?,
        });
    }
    Some(DelayModel::Fixed { delay: fields.time("fixed")? })
}

/// A word of the table as its type: both are written alike.
pub(super) fn choice<T: DeserializeOwned>(fields: &Fields, key: &str) -> Option<T> {
    let word: StrDeserializer<'_, serde::de::value::Error> = fields.word(key)?.into_deserializer();
    T::deserialize(word).ok()
}

/// How long it holds, for a fault that has to say so.
pub(super) fn required_span(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Span> {
    if !fields.has("for") && !when.is_some_and(|when| when.has("for")) {
        fields.missing("for", sink);
    }
    span(fields, when, sink)?
}

/// `for`, from the fault or from `when`; not from both. `None` where it was wrong, and has been told.
pub(super) fn span(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Option<Span>> {
    let outer = when.filter(|when| when.has("for"));
    match (fields.has("for"), outer) {
        (true, Some(outer)) => {
            sink.error(outer.key_spot("for"), "`for` stands in `when` and in the fault; once is enough")
                .also(fields.key_spot("for"), "here too");
            None
        }
        (false, Some(outer)) => outer.span("for").map(Some),
        (true, None) => fields.span("for").map(Some),
        (false, None) => Some(None),
    }
}
