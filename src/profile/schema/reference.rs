//! The reference of the language in Markdown, made from the table.

use super::{FAULT, Key, Place, Presence, Type, WHOLE, code_list, places, suite_places, whole_rule};
use crate::azure::Code;
use crate::fault::Fault;
use crate::profile::codes::DISCONNECTS;
use crate::profile::metric::{Metric, Unit};
use crate::profile::read;
use crate::profile::strictness::{Strictness, Weight};
use crate::tls::Alert;
use std::fmt::Write as _;

/// The reference of the profile language: every place, every key, every measure, overrides, the files of suites.
pub fn reference() -> String {
    let mut text = String::from("# The profile language\n");
    for place in places() {
        section(&mut text, place);
    }
    spans(&mut text);
    alerts(&mut text);
    reasons(&mut text);
    error_codes(&mut text);
    measures(&mut text);
    strictness(&mut text);
    overrides(&mut text);
    causes(&mut text);
    suites(&mut text);
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
    whole_of(text, place);
    for key in place.keys {
        let one = if let Type::List { of, .. } = &key.ty { *of } else { &key.ty };
        if let Type::Word(words) = one {
            put(text, format_args!("\n`{}`:\n\n", key.name));
            for word in *words {
                put(text, format_args!("- `{}`: {}\n", word.word, word.doc));
            }
        }
    }
}

/// The whole rule of a fault.
fn whole_of(text: &mut String, place: &Place) {
    let Some(rule) = whole_rule(place.name).filter(|_| FAULT.key(place.name).is_some()) else { return };
    let indented: Vec<String> = rule.lines().map(|line| format!("  {line}\n")).collect();
    put(text, format_args!("\n```yaml\nrules:\n{}```\n", indented.concat()));
}

/// The files of suites, whose values are those of profiles.
fn suites(text: &mut String) {
    text.push_str(
        "\n# Suites\n\n`brownout suite FILE -- COMMAND` runs the profiles of such a file against a client; \
         `brownout suite --list` tells which\nsuites are shipped. Values are written as in profiles; spans count in the \
         keep-alive of the suite.\n",
    );
    for place in suite_places() {
        section(text, place);
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
        | Type::Offset { .. }
        | Type::Number { .. }
        | Type::Chance
        | Type::Rule
        | Type::Listener
        | Type::List { .. }
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

fn reasons(text: &mut String) {
    text.push_str(
        "\n## Reason codes\n\nThe reason codes that a DISCONNECT may carry (MQTT 5, section 3.14.2.1); any other is given \
         by its number, 0 to 255:\n\n",
    );
    for (word, code) in DISCONNECTS {
        put(text, format_args!("- `{word}` (0x{code:02x})\n"));
    }
}

fn error_codes(text: &mut String) {
    text.push_str("\n## Error codes\n\nThe error codes of Azure IoT Hub that `logged_as` takes:\n\n");
    for code in Code::ALL {
        put(text, format_args!("- `{}` ({})\n", code.number(), code.name()));
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

/// Which measures may be taken of which faults; faults that are alike are one column, measures that are one row.
fn measures_of_rules(text: &mut String) {
    let mut columns: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for (name, _) in WHOLE {
        let cells: Vec<&str> = Metric::ALL.iter().map(|metric| given_by(name, *metric)).collect();
        match columns.iter_mut().find(|(_, known)| *known == cells) {
            Some((names, _)) => names.push(name),
            None => columns.push((vec![name], cells)),
        }
    }
    text.push_str(
        "\nWith `of` a rule, only samples of its windows count. Which faults give any:\n\n| `of` | measures |\n|---|---|\n",
    );
    for (names, cells) in columns {
        let of = |wanted: &str| {
            let named = Metric::ALL.iter().zip(&cells).filter(|(_, cell)| **cell == wanted);
            code_list(named.map(|(metric, _)| metric.name()))
        };
        let (always, sometimes) = (of(ALWAYS), of(SOMETIMES));
        let sometimes = if sometimes.is_empty() {
            sometimes
        } else {
            format!("; with `other: half_open` also {sometimes}")
        };
        let given = if always.is_empty() { "none".to_owned() } else { format!("{always}{sometimes}") };
        put(text, format_args!("| {} | {given} |\n", code_list(names)));
    }
    text.push_str(
        "\n`drop` of every PINGREQ or PINGRESP keeps every sign of life from a device: it gives what a `stall` gives. A measure \
         that is in no row is of no rule.\n",
    );
}

const NEVER: &str = "no";
const SOMETIMES: &str = "with `other: half_open`";
const ALWAYS: &str = "yes";

/// Whether a fault gives samples: its whole rule is asked, and where it may end either leg, both ways of that.
fn given_by(name: &str, metric: Metric) -> &'static str {
    let ends_either =
        FAULT.key(name).and_then(|key| key.ty.place()).is_some_and(|place| place.key("other").is_some());
    let ways: &[&[&str]] =
        if ends_either { &[&["toward=both"], &["toward=device", "other=half_open"]] } else { &[&[]] };
    let faults = ways.iter().filter_map(|sets| whole(name, sets));
    let gives: Vec<bool> = faults.map(|fault| metric.no_evidence(&fault).is_none()).collect();
    match (gives.contains(&true), gives.contains(&false)) {
        (true, false) => ALWAYS,
        (true, true) => SOMETIMES,
        (false, _) => NEVER,
    }
}

/// The fault of a whole rule, with keys of it set.
fn whole(name: &str, sets: &[&str]) -> Option<Fault> {
    let rule = whole_rule(name)?;
    let id = rule.strip_prefix("- id: ")?.lines().next()?;
    let sets: Vec<_> = sets.iter().filter_map(|set| format!("{id}.fault.{set}").parse().ok()).collect();
    let text = format!("brownout: 1\nname: a\nsummary: a\nrules:\n{rule}");
    read(&text, &sets).ok()?.plan.rules.into_iter().next().map(|rule| rule.fault)
}

/// How grave each kind of finding is.
fn strictness(text: &mut String) {
    text.push_str(
        "\n## Strictness\n\nHow grave findings of a kind are, by each strictness. `as found`: what the finding says of \
         itself, which depends on how far\nbeyond a limit it is; `at most warn`: never a failure; `fail`: always one; `-`: it \
         is not told. What is\nfound of a device whose version a strictness is not for is weighed by `standard`, and is a \
         warning at most; so is what is found\nof the hub or the fleet where no device speaks that version.\n",
    );
    let columns = Strictness::ALL.map(|strictness| format!("`{}` | ", strictness.word())).concat();
    put(
        text,
        format_args!("\n| finding | {columns}why |\n|---|{}---|\n", "---|".repeat(Strictness::ALL.len())),
    );
    for kind in Strictness::kinds() {
        let weights =
            Strictness::ALL.map(|strictness| format!("{} | ", weight(strictness.weight(kind)))).concat();
        put(
            text,
            format_args!("| `{kind}` | {weights}{} |\n", cell(Strictness::reason(kind).unwrap_or_default())),
        );
    }
}

fn weight(weight: Weight) -> &'static str {
    match weight {
        Weight::AsFound => "as found",
        Weight::Ignored => "-",
        Weight::Warn => "at most warn",
        Weight::Fail => "fail",
    }
}

fn overrides(text: &mut String) {
    text.push_str(
        "\n## Overrides\n\n`--set` puts a value in the place of the profile's, before the profile is checked:\n\n\
         - `dark.delay=1s`: a key of the rule `dark`, looked for in its fault, then in `what` (of faults of packets), in \
         `when`, in `who`,\n  and in the rule itself; where none of them has it yet, the first in which it may stand takes it\n\
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
