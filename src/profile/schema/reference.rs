//! The reference of the language in Markdown, made from the table.

use super::{Key, Place, Presence, Type, code_list, places};
use crate::base::Side;
use crate::base::Span;
use crate::fault::{
    Close, Delay, DelayModel, Fault, HandshakeFault, HandshakeStage, Latency, LegFate, RecordFault, Stall,
    TlsHandshake, TlsRecord, Toward, WaysWanted,
};
use crate::profile::metric::{Metric, Unit};
use crate::tls::Alert;
use std::fmt::Write as _;
use std::time::Duration;

/// The reference of the profile language: every place, every key, every measure, overrides.
pub fn reference() -> String {
    let mut text = String::from("# The profile language\n");
    for place in places() {
        section(&mut text, place);
    }
    spans(&mut text);
    alerts(&mut text);
    measures(&mut text);
    overrides(&mut text);
    causes(&mut text);
    text
}

fn section(text: &mut String, place: &Place) {
    put(text, format_args!("\n## `{}`\n\n{}\n", place.name, place.doc));
    put(text, format_args!("\n| key | takes | without it | meaning | example |\n|---|---|---|---|---|\n"));
    for key in place.keys {
        put(
            text,
            format_args!(
                "| `{}` | {} | {} | {} | `{}` |\n",
                key.name,
                cell(&takes(key)),
                cell(&without(&key.presence)),
                cell(key.doc),
                cell(key.example)
            ),
        );
    }
    for key in place.keys {
        if let Type::Word(words) = key.ty {
            put(text, format_args!("\n`{}`:\n\n", key.name));
            for word in words {
                put(text, format_args!("- `{}`: {}\n", word.word, word.doc));
            }
        }
    }
}

fn takes(key: &Key) -> String {
    match &key.ty {
        Type::One(place) => format!("a mapping, see [`{0}`](#{0})", place.name),
        Type::Many { place, most } => format!("a list, at most {most}, see [`{0}`](#{0})", place.name),
        Type::Metric => "a measure, see [measures](#measures)".into(),
        Type::Span { .. } => format!("{}, see [spans](#spans)", key.ty.words()),
        Type::Alert => "a TLS alert by its name or number, see [alerts](#alerts)".into(),
        Type::Reason => "a reason code by its word or number, see [reason codes](#reason-codes)".into(),
        Type::AzureCode => "the number of an error code, see [error codes](#error-codes)".into(),
        Type::Language
        | Type::Name
        | Type::Sentence
        | Type::Glob
        | Type::Path
        | Type::Host
        | Type::Bool
        | Type::Code
        | Type::Filter
        | Type::Topic
        | Type::Text
        | Type::Hex
        | Type::Rate
        | Type::Seconds { .. }
        | Type::Address { .. }
        | Type::Network
        | Type::Word(_)
        | Type::Packet
        | Type::Time { .. }
        | Type::Count { .. }
        | Type::Number { .. }
        | Type::Chance
        | Type::Rule
        | Type::Listener
        | Type::Limit => key.ty.words(),
    }
}

fn without(presence: &Presence) -> String {
    match presence {
        Presence::Required => "required".into(),
        Presence::Default(value) => format!("`{value}`"),
        Presence::Optional(meaning) => (*meaning).into(),
    }
}

fn spans(text: &mut String) {
    text.push_str(
        "\n## Spans\n\nA time has a unit: `500ms`, `10s`, `1m 30s`, `2h`. A span may count in keep-alives of the \
         device, alone or with\na time: `1.5 keepalive`, `1.5 keepalive + 10s`. For a device without a keep-alive, \
         `default_keepalive` counts.\n",
    );
}

fn alerts(text: &mut String) {
    text.push_str(
        "\n## Alerts\n\nThe TLS alerts that have a name (RFC 8446 section 6, RFC 5246 section 7.2); any other is given by its \
         number, 0 to 255:\n\n",
    );
    for alert in Alert::ALL {
        put(text, format_args!("- `{alert}` ({})\n", alert.0));
    }
}

fn measures(text: &mut String) {
    text.push_str(
        "\n## Measures\n\nA window is one firing on one device. Where an end had the time to notice and never did, or a device \
         never came back,\nthe sample is `never`: longer than it was watched for, so that it meets no upper limit.\n\n\
         | measure | counts in | meaning | one sample for each |\n|---|---|---|---|\n",
    );
    for metric in Metric::ALL {
        let unit = match metric.unit() {
            Unit::Time => "time",
            Unit::Count => "number",
        };
        put(
            text,
            format_args!(
                "| `{metric}` | {unit} | {} | {} |\n",
                cell(metric.meaning()),
                cell(metric.sample())
            ),
        );
    }
    measures_of_rules(text);
}

/// Which measures may be taken of which faults, those that are alike in one row.
fn measures_of_rules(text: &mut String) {
    text.push_str(
        "\nWith `of` a rule, only samples of its windows count. Which faults give any:\n\n\
         | measure | `of` blackhole, stall | `of` rst, fin, tls_alert | `of` latency | `of` tls_handshake | `of` tls_record |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut rows: Vec<([&str; 5], Vec<Metric>)> = Vec::new();
    for metric in Metric::ALL {
        let cells = given_by(*metric);
        match rows.iter_mut().find(|(known, _)| *known == cells) {
            Some((_, metrics)) => metrics.push(*metric),
            None => rows.push((cells, vec![*metric])),
        }
    }
    for (cells, metrics) in rows {
        let names = code_list(metrics.into_iter().map(Metric::name));
        put(text, format_args!("| {names} | {} |\n", cells.join(" | ")));
    }
}

/// Whether a holding fault, a one-shot, latency, a handshake fault and a damaged record give samples: one fault of
/// each kind is asked.
fn given_by(metric: Metric) -> [&'static str; 5] {
    let gives = |fault: &Fault| metric.no_evidence(fault).is_none();
    let rst = |toward| Fault::Rst(Close { toward, other: LegFate::HalfOpen, close_notify: false });
    let direction = WaysWanted::Both;
    let delay = Delay { model: DelayModel::Fixed { delay: Duration::ZERO }, jitter: Duration::ZERO };
    let stalled = HandshakeFault::Stall(HandshakeStage::BeforeServerHello);
    let word = |given| if given { "yes" } else { "no" };
    let one_shot = match (gives(&rst(Toward::Both)), gives(&rst(Toward::Device))) {
        (false, true) => "with `toward: device, other: half_open`",
        (both, _) => word(both),
    };
    [
        word(gives(&Fault::Stall(Stall { direction, hold: Span::ZERO }))),
        one_shot,
        word(gives(&Fault::Latency(Latency { direction, delay, hold: None }))),
        word(gives(&Fault::TlsHandshake(TlsHandshake { what: stalled, hold: Span::ZERO }))),
        word(gives(&Fault::TlsRecord(TlsRecord { toward: Side::Device, what: RecordFault::Truncated }))),
    ]
}

fn overrides(text: &mut String) {
    text.push_str(
        "\n## Overrides\n\n`--set` puts a value in the place of the profile's, before the profile is checked:\n\n\
         - `dark.delay=1s`: a key of the rule `dark`, looked for in its fault, then in `when`, in `who`, and in the \
         rule itself;\n  where none of them has it yet, the first in which it may stand takes it\n\
         - `dark.when.delay=1s`, `dark.fault.for=30s`: the same, with the place said\n\
         - `settle=5s`: a key of the profile itself\n\n\
         Expectations and listeners cannot be set.\n",
    );
}

fn causes(text: &mut String) {
    text.push_str(
        "\n## 404104\n\n`reproduces` numbers the causes that Azure IoT Hub's page on error 404104 \
         (DeviceConnectionClosedRemotely) gives:\n1, the token expired; 2a, connectivity lost for longer than the MQTT \
         keep-alive; 2b, TCP reset without an MQTT DISCONNECT;\n2c, the application crashed; 3, a transient fault of the \
         hub. The page has 2a to 2c as one cause; the letters are brownout's.\n",
    );
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn put(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(piece);
}
