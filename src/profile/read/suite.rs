//! A suite from sound fields.

use super::fields::{Fields, fields};
use super::scalar::Scalar;
use super::sets::Override;
use super::tree;
use crate::profile::problem::{Problems, Severity, Sink};
use crate::profile::schema::SUITE;
use crate::profile::suite::{Entry, Suite, Workload};
use std::time::Duration;

/// Reads a suite. The profiles that it names are not looked at.
///
/// # Errors
/// All problems of the text, each with its place.
pub fn suite(text: &str) -> Result<Suite, Problems> {
    let root = tree(text, "suite").map_err(|problem| Problems(vec![problem]))?;
    let mut sink = Sink::default();
    let suite = fields(&SUITE, &root, &[], &mut sink).and_then(|fields| checked(&fields, &mut sink));
    let problems = sink.place(text, &root, &[]);
    match suite {
        Some(suite) if problems.iter().all(|problem| problem.severity == Severity::Note) => Ok(suite),
        Some(_) | None => Err(Problems(problems)),
    }
}

fn checked(fields: &Fields, sink: &mut Sink) -> Option<Suite> {
    let keep_alive = Duration::from_secs(fields.seconds("keepalive")?.into());
    let interval = fields.span("interval")?;
    if interval.resolve(keep_alive) >= keep_alive {
        sink.error(fields.value_spot("interval"), "`interval` is not shorter than the keep-alive")
            .help("messages that come faster are what keeps clients from pinging: write for example `0.25 keepalive`");
    }
    let entries: Vec<_> =
        fields.many("entries").iter().map(|entry| self::entry(entry, fields, sink)).collect();
    if fields.has("entries") && fields.many("entries").is_empty() {
        sink.error(fields.value_spot("entries"), "the suite has no entries")
            .help("write for example `- { profile: lost-pingresp }`");
    }
    tell_doubles(&entries, fields, sink);
    Some(Suite {
        name: fields.text("name")?,
        summary: fields.text("summary")?.trim().to_owned(),
        keep_alive,
        interval,
        limit: fields.span("limit")?,
        entries: entries.into_iter().collect::<Option<_>>()?,
    })
}

fn entry(entry: &Fields, suite: &Fields, sink: &mut Sink) -> Option<Entry> {
    let profile = entry.text("profile")?;
    let named = if entry.has("name") { entry.text("name")? } else { name_of(&profile) };
    let mut sets = Vec::new();
    for (set, spot) in entry.list("set").into_iter().flatten() {
        let Scalar::Text(text) = set else { continue };
        match text.parse::<Override>() {
            Ok(set) => sets.push(set),
            Err(bad) => drop(sink.error(spot, bad.to_string())),
        }
    }
    let own = entry.list("workloads").map(Vec::from_iter);
    let of_suite = || suite.list("workloads").map(Vec::from_iter);
    let workloads = match own.or_else(of_suite) {
        None => Workload::ALL.to_vec(),
        Some(given) => workloads(given.iter().map(|(scalar, _)| *scalar)),
    };
    if workloads.is_empty() {
        sink.error(entry.value_spot("workloads"), "the entry has no workload, and is never run");
    }
    let duration = if entry.has("duration") { Some(entry.span("duration")?) } else { None };
    let qos = entry.word("qos").or_else(|| suite.word("qos"))?;
    let needs_mqtt5 = entry.word("needs") == Some("mqtt5");
    Some(Entry { name: named, profile, sets, duration, workloads, qos: qos.parse().ok()?, needs_mqtt5 })
}

/// Each once, in the order of the scorecard.
fn workloads<'s>(given: impl Iterator<Item = &'s Scalar>) -> Vec<Workload> {
    let word =
        |scalar: &Scalar| if let Scalar::Word(word) = scalar { Workload::from_word(word) } else { None };
    let mut workloads: Vec<Workload> = given.filter_map(word).collect();
    workloads.sort();
    workloads.dedup();
    workloads
}

/// The shipped name, or the file's without its ending, made fit for a directory.
fn name_of(profile: &str) -> String {
    let file = profile.rsplit('/').next().unwrap_or(profile);
    let stem = [".yaml", ".yml"].iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    stem.chars().take(64).map(fit).collect()
}

fn tell_doubles(entries: &[Option<Entry>], fields: &Fields, sink: &mut Sink) {
    let list = fields.many("entries");
    // Entries that are no mapping are in neither list.
    for (nth, entry) in entries.iter().enumerate() {
        let Some(entry) = entry else { continue };
        let earlier = entries
            .iter()
            .take(nth)
            .position(|other| other.as_ref().is_some_and(|other| other.name == entry.name));
        if let Some((first, second)) = earlier.and_then(|earlier| list.get(earlier).zip(list.get(nth))) {
            sink.error(second.spot(), format!("two entries are called `{}`", entry.name))
                .label("the second")
                .also(first.spot(), "the first")
                .help("give each a `name` of its own");
        }
    }
}
