//! The reference of the language in Markdown, made from the table.

use super::{Key, Place, Presence, Type, places};
use crate::profile::metric::{Metric, Unit};
use std::fmt::Write as _;

/// The reference of the profile language: every place, every key, every measure.
pub fn reference() -> String {
    let mut text = String::from("# The profile language\n");
    for place in places() {
        section(&mut text, place);
    }
    spans(&mut text);
    measures(&mut text);
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
        Type::Language
        | Type::Name
        | Type::Sentence
        | Type::Glob
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

fn measures(text: &mut String) {
    text.push_str("\n## Measures\n\n| measure | counts in | meaning |\n|---|---|---|\n");
    for metric in Metric::ALL {
        let unit = match metric.unit() {
            Unit::Time => "time",
            Unit::Count => "number",
        };
        put(text, format_args!("| `{metric}` | {unit} | {} |\n", cell(metric.meaning())));
    }
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn put(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = text.write_fmt(piece);
}
