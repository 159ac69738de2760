//! The plan from sound fields: what spans several keys is checked here.

use super::expect::expectations;
use super::fields::Fields;
use super::rule::rule;
use super::scalar::did_you_mean;
use super::sequence::sequence;
use super::tls::{check_reach, tls};
use crate::base::span::show_fixed;
use crate::base::{ListenerId, RuleId};
use crate::profile::address::clash;
use crate::profile::nearest::nearest;
use crate::profile::plan::{ListenerPlan, Plan, When};
use crate::profile::problem::Sink;
use crate::profile::strictness::Strictness;
use std::time::Duration;

/// The longest keep-alive that MQTT can say: 16 bits of seconds [MQTT-3.1.2.10].
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(65_535);

/// Names that other keys refer to, with what they stand for.
pub(super) struct Names<'f, I> {
    what: &'static str,
    /// Each name once: the second of that name has been told, and the first is meant.
    known: Vec<(String, I, &'f Fields)>,
}

/// The plan; `None` where something that it cannot do without was wrong, and has been told.
pub(super) fn plan(fields: &Fields, sink: &mut Sink) -> Option<Plan> {
    let listeners = Names::read("listener", "name", fields.many("listeners"), ListenerId, sink);
    let names = Names::read("rule", "id", fields.many("rules"), RuleId, sink);
    let rules: Vec<_> = fields.many("rules").iter().map(|fields| rule(fields, &listeners, sink)).collect();
    let read_listeners: Vec<_> =
        fields.many("listeners").iter().map(|fields| listener(fields, sink)).collect();
    let has_numbers = fields.has("sequence");
    let expectations = expectations(fields.many("expect"), &names, &rules, has_numbers, sink);
    check_keep_alive(fields, sink);
    check_apart(fields.many("listeners"), sink);
    let sequence = fields.one("sequence").and_then(|fields| sequence(fields, sink));
    let plan = Plan {
        name: fields.text("name")?,
        summary: fields.text("summary")?.trim().to_owned(),
        reproduces: fields.text("reproduces").map(|symptom| symptom.trim().to_owned()),
        listeners: read_listeners.into_iter().collect::<Option<_>>()?,
        devices: fields.count("devices")?,
        default_keep_alive: fields.time("default_keepalive")?,
        settle: fields.span("settle")?,
        duration: fields.time("duration"),
        server_keep_alive: fields.seconds("server_keepalive"),
        sequence,
        fault_messages: None,
        strictness: fields.word("strictness").and_then(Strictness::from_word),
        rules: rules.into_iter().collect::<Option<_>>()?,
        expectations,
    };
    check_reach(&plan, fields, sink);
    note_endless(&plan, fields, sink);
    note_too_late(&plan, fields, sink);
    Some(plan)
}

impl<'f, I: Copy> Names<'f, I> {
    fn read(
        what: &'static str,
        key: &str,
        list: &'f [Fields],
        id: impl Fn(u16) -> I,
        sink: &mut Sink,
    ) -> Self {
        let mut names = Names { what, known: Vec::new() };
        for (number, fields) in (0..).zip(list) {
            let Some(name) = fields.text(key) else { continue };
            if let Some((_, _, first)) = names.known.iter().find(|(known, ..)| *known == name) {
                let article = if key.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                sink.error(fields.value_spot(key), format!("two {what}s are called `{name}`"))
                    .label("the second")
                    .also(first.value_spot(key), "the first")
                    .help(format!("give each {what} {article} `{key}` of its own"));
                continue;
            }
            names.known.push((name, id(number), fields));
        }
        names
    }

    /// What the name given under `key` stands for; told, where it is nothing.
    pub(super) fn find(&self, fields: &Fields, key: &str, sink: &mut Sink) -> Option<I> {
        let name = fields.text(key)?;
        let found = self.known.iter().find(|(known, ..)| *known == name).map(|(_, id, _)| *id);
        if found.is_none() {
            let known: Vec<&str> = self.known.iter().map(|(known, ..)| known.as_str()).collect();
            let help = match known.as_slice() {
                [] => format!("the profile has no {}s", self.what),
                known => format!("{}s: {}", self.what, known.join(", ")),
            };
            sink.error(fields.value_spot(key), format!("there is no {} `{name}`", self.what))
                .label(did_you_mean(nearest(&name, known.iter().copied())))
                .help(help);
        }
        found
    }
}

fn listener(fields: &Fields, sink: &mut Sink) -> Option<ListenerPlan> {
    let tls = tls(fields, sink);
    Some(ListenerPlan {
        name: fields.text("name")?,
        listen: fields.text("listen")?,
        upstream: fields.text("upstream")?,
        tls: tls?,
    })
}

/// The second of two at one address would find it taken, by brownout itself.
fn check_apart(listeners: &[Fields], sink: &mut Sink) {
    let mut taken: Vec<(String, &Fields)> = Vec::new();
    for fields in listeners {
        let Some(listen) = fields.text("listen") else { continue };
        if let Some((_, first)) = taken.iter().find(|(first, _)| clash(first, &listen)) {
            sink.error(fields.value_spot("listen"), "two listeners are at one address and port")
                .label("the second")
                .also(first.value_spot("listen"), "the first")
                .help("give each listener an address and port of its own; 0.0.0.0 and [::] are all addresses, port 0 takes a free one");
            continue;
        }
        taken.push((listen, fields));
    }
}

fn check_keep_alive(fields: &Fields, sink: &mut Sink) {
    if fields.time("default_keepalive").is_some_and(|keep_alive| keep_alive > LONGEST_KEEP_ALIVE) {
        sink.error(fields.value_spot("default_keepalive"), "`default_keepalive` is longer than MQTT can say")
            .help("the longest keep-alive is 65535 s");
    }
}

/// A run that nothing in the profile ends is right for watching, and a surprise in a CI job.
fn note_endless(plan: &Plan, fields: &Fields, sink: &mut Sink) {
    if plan.duration.is_some() {
        return;
    }
    let help = "set `duration`, here or with `--set duration=5m`";
    if plan.rules.is_empty() {
        sink.note(
            fields.key_spot("name"),
            "the profile has no rules: brownout only watches, until it is stopped",
        )
        .help(help);
    }
    for (rule, fields) in plan.rules.iter().zip(fields.many("rules")) {
        let endless = matches!(&rule.when, When::At { repeat: Some(repeat), .. } if repeat.times.is_none());
        if let Some(when) = fields.one("when").filter(|_| endless) {
            sink.note(when.key_spot("every"), format!("`{}` fires until the run is stopped", rule.id))
                .help(format!("set `times` beside `every`; or {help}"));
        }
    }
}

fn note_too_late(plan: &Plan, fields: &Fields, sink: &mut Sink) {
    let Some(duration) = plan.duration else { return };
    for (rule, fields) in plan.rules.iter().zip(fields.many("rules")) {
        let late = matches!(rule.when, When::At { first, .. } if first >= duration);
        if let Some(when) = fields.one("when").filter(|_| late) {
            let key = if when.has("at") { "at" } else { "every" };
            sink.note(when.value_spot(key), format!("`{}` never fires: the run is over before", rule.id))
                .help(format!("the run lasts at most {}", show_fixed(duration)));
        }
    }
}
