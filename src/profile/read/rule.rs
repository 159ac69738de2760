//! A rule: who, when, how often.

use super::fault::{fault, hold, kind};
use super::fields::Fields;
use super::packets::no_packets;
use super::plan::Names;
use crate::base::{Chance, ListenerId, Span};
use crate::fault::{Connects, Fault, Latency, Loss, Refusal, Refuse};
use crate::mqtt::{PacketKind, Version};
use crate::profile::plan::{Repeat, Rule, When, Who};
use crate::profile::problem::Sink;
use crate::profile::schema::PACKET_FAULTS;
use std::time::Duration;

/// The rule; `None` where something that it cannot do without was wrong, and has been told.
pub(super) fn rule(fields: &Fields, listeners: &Names<'_, ListenerId>, sink: &mut Sink) -> Option<Rule> {
    let who = match fields.one("who") {
        Some(given) => who(given, listeners, sink),
        None => Some(Who::EVERYONE),
    };
    let when_fields = fields.one("when");
    let when = when_fields.and_then(|given| when(given, sink));
    let chance = chance(fields, when_fields, sink);
    check_what(fields, sink);
    check_auth(fields, sink);
    let fault = fields.one("fault").and_then(|given| fault(given, fields, when_fields, sink));
    let when = if fields.has("when") { when } else { from_beginning(fields, fault.as_ref(), sink) };
    let logged_as = fields.azure_code("logged_as");
    let rule = Rule {
        id: fields.text("id")?,
        who: who?,
        when: when?,
        chance: chance?,
        fault: fault?,
        logged_as: if fields.has("logged_as") { Some(logged_as?) } else { None },
    };
    check_handshake(&rule, fields, sink);
    note_connects(&rule, fields, sink);
    note_refused(&rule, fields, sink);
    note_logged(&rule, fields, sink);
    note_overlap(&rule, fields, sink);
    note_piled(&rule, fields, sink);
    Some(rule)
}

fn who(fields: &Fields, listeners: &Names<'_, ListenerId>, sink: &mut Sink) -> Option<Who> {
    let listener = listeners.find(fields, "listener", sink);
    Some(Who {
        client: fields.text("client"),
        username: fields.text("username"),
        address: fields.network("address"),
        version: fields.word("version").and_then(|number| number.parse::<Version>().ok()),
        listener,
        // Names are compared without regard to case (RFC 6066 section 3, RFC 4343): as lower case.
        sni: fields.text("sni").map(|sni| sni.to_ascii_lowercase()),
        subject: fields.text("subject"),
        share: fields.chance("share")?,
    })
}

/// `chance` may stand in the rule or in its `when`.
fn chance(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Chance> {
    let inner = when.filter(|when| when.has("chance"));
    match (fields.has("chance"), inner) {
        (true, Some(inner)) => {
            sink.error(inner.key_spot("chance"), "`chance` stands in `when` and beside it; once is enough")
                .also(fields.key_spot("chance"), "here too");
            None
        }
        (true, None) => fields.chance("chance"),
        (false, Some(inner)) => inner.chance("chance"),
        (false, None) => Some(Chance::ALWAYS),
    }
}

fn when(fields: &Fields, sink: &mut Sink) -> Option<When> {
    let on_run_clock = ["at", "every"].into_iter().find(|key| fields.has(key));
    match (fields.has("after"), on_run_clock) {
        (true, Some(key)) => {
            sink.error(fields.key_spot(key), format!("`{key}` and `after` exclude each other"))
                .label("on the run's clock")
                .also(fields.key_spot("after"), "on each device's own clock")
                .help("keep one of them");
            None
        }
        (false, None) => {
            sink.error(fields.spot(), "`when` says no time").help(
                "write `at: 10s` for a time of the run, `every: 30s` to repeat it, or `after: connack` for a \
                 packet of each device's own link",
            );
            None
        }
        (true, None) => after(fields, sink),
        (false, Some(_)) => at(fields, sink),
    }
}

/// A fault that holds begins with the run, where nothing else is said.
fn from_beginning(rule: &Fields, fault: Option<&Fault>, sink: &mut Sink) -> Option<When> {
    let fault = fault?;
    if fault.is_one_shot() {
        sink.error(rule.spot(), format!("`when` is missing in this rule: `{}` happens in one moment", fault.name()))
            .help(
                "write `when: { at: 10s }` for a time of the run, or `when: { after: connack, delay: 5s }` for a packet \
                 of each device's own link",
            );
        return None;
    }
    Some(When::At { first: Duration::ZERO, repeat: None })
}

/// `what` belongs to faults of packets.
fn check_what(rule: &Fields, sink: &mut Sink) {
    let fault = rule.one("fault").and_then(kind);
    if let Some((name, _)) = fault.filter(|(name, _)| rule.has("what") && !PACKET_FAULTS.contains(name)) {
        no_packets(name, rule, sink);
    }
}

/// AUTH came with MQTT 5.
fn check_auth(rule: &Fields, sink: &mut Sink) {
    let Some((who, version)) = rule.one("who").and_then(|who| Some((who, who.word("version")?))) else {
        return;
    };
    let is_of_5 = version.parse() == Ok(Version::V5);
    for (place, key) in [("when", "after"), ("what", "packet")] {
        let given = rule.one(place).filter(|place| place.packet(key) == Some(PacketKind::Auth) && !is_of_5);
        if let Some(place) = given {
            sink.error(
                place.value_spot(key),
                format!("there is no AUTH in MQTT {version}: this meets no packet"),
            )
            .also(who.value_spot("version"), "")
            .help("write `version: 5` in `who`, or take `version` out");
        }
    }
}

fn after(fields: &Fields, sink: &mut Sink) -> Option<When> {
    // No `every` here: an `after` beside it has been told.
    needs(fields, "jitter", "every", sink);
    check_nth(fields, sink);
    Some(When::After {
        packet: fields.packet("after")?,
        nth: fields.count("nth")?,
        delay: fields.span("delay")?,
        times: if fields.has("times") { fields.count("times")? } else { 1 },
    })
}

/// A second CONNECT on a link is a protocol violation [MQTT-3.1.0-2], so there is one answer, and one end.
fn check_nth(fields: &Fields, sink: &mut Sink) {
    let Some(packet @ (PacketKind::Connect | PacketKind::Connack | PacketKind::Disconnect)) =
        fields.packet("after")
    else {
        return;
    };
    if fields.count("nth").is_some_and(|nth| nth > 1) {
        sink.error(fields.value_spot("nth"), format!("a link has only one {packet}, so this never fires"))
            .help("each reconnect is a link of its own: take `nth` out, and say with `times` how often");
    }
}

fn at(fields: &Fields, sink: &mut Sink) -> Option<When> {
    needs(fields, "nth", "after", sink);
    needs(fields, "delay", "after", sink);
    if !fields.has("every") {
        needs(fields, "jitter", "every", sink);
        needs(fields, "times", "every", sink);
        return Some(When::At { first: fields.time("at")?, repeat: None });
    }
    let repeat =
        Repeat { every: fields.time("every")?, jitter: fields.time("jitter")?, times: fields.count("times") };
    if repeat.jitter >= repeat.every {
        sink.error(
            fields.value_spot("jitter"),
            "`jitter` is not less than `every`: firings would overtake each other",
        )
        .also(fields.value_spot("every"), "the gap that it moves them in");
    }
    let first = if fields.has("at") { fields.time("at")? } else { repeat.every };
    Some(When::At { first, repeat: Some(repeat) })
}

fn needs(fields: &Fields, key: &str, other: &str, sink: &mut Sink) {
    if fields.has(key) {
        sink.error(fields.key_spot(key), format!("`{key}` has no meaning without `{other}`"))
            .help(format!("add `{other}`, or take `{key}` out"));
    }
}

/// Whether connects made during the rule's blackhole can be made to vanish: they come before the device can be
/// told, so the rule has to fall on every device of a listener.
pub(in crate::profile) fn can_vanish(rule: &Rule) -> bool {
    rule.when.is_by_clock()
        && !rule.who.needs_connect()
        && rule.who.is_of_anyone_there()
        && rule.chance == Chance::ALWAYS
}

/// A handshake comes before CONNECT, and before the device's certificate: whose it is cannot be told by them.
fn check_handshake(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    const HELP: &str = "`listener`, `address` and `sni` can tell whose handshake it is";
    if !rule.fault.is_of_handshakes() {
        return;
    }
    let id = &rule.id;
    if let Some(when) = fields.one("when").filter(|when| when.has("after")) {
        sink.error(
            when.key_spot("after"),
            format!("`{id}` would come too late: a handshake comes before every packet of its link"),
        )
        .help("use `at` or `every`; with a cut (`rst`, `fin`) while it holds, devices come and meet it");
    }
    if let Some(who) = fields.one("who") {
        for key in
            ["client", "username", "version", "subject", "share"].into_iter().filter(|key| who.has(key))
        {
            let when_known = if key == "subject" {
                "only the certificate tells it, which comes late in the handshake"
            } else {
                "only CONNECT tells it, which comes after the handshake"
            };
            sink.error(who.key_spot(key), format!("`{id}` cannot choose by `{key}`: {when_known}"))
                .help(HELP);
        }
    }
    for place in [Some(fields), fields.one("when")].into_iter().flatten().filter(|place| place.has("chance"))
    {
        sink.error(
            place.key_spot("chance"),
            format!("`{id}` cannot have a `chance`: it is drawn by the client identifier, which comes after the handshake"),
        )
        .help(format!("take `chance` out; {HELP}"));
    }
}

/// Whether connects made during the rule's blackhole can be made to vanish for single devices, told by their source
/// address: not where it falls on them by what only their TLS shows.
pub(in crate::profile) fn can_select(rule: &Rule) -> bool {
    rule.who.sni.is_none() && rule.who.subject.is_none()
}

fn note_connects(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    let Fault::Blackhole(blackhole) = &rule.fault else { return };
    if blackhole.connects != Connects::Vanish || can_vanish(rule) {
        return;
    }
    if can_select(rule) {
        return note_selected(rule, fields, sink);
    }
    let place = fields.one("fault").and_then(|fault| fault.one("blackhole"));
    let spot = place.map_or_else(|| fields.spot(), |place| place.value_spot("connects"));
    sink.note(spot, format!("connects cannot vanish for `{}`; they are met with silence", rule.id)).help(
        "a SYN does not say whose it is: to vanish, the rule has to fall on every device of a listener at a \
         time of the run (`at`, and no `who` but `listener`, no `chance`)",
    );
}

fn note_selected(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    let place = fields.one("fault").and_then(|fault| fault.one("blackhole"));
    let spot = place.map_or_else(|| fields.spot(), |place| place.value_spot("connects"));
    sink.note(spot, format!("connects vanish for `{}` by source address, where that can be; else they meet silence", rule.id))
        .help(
            "a SYN says no more than its address: it vanishes where every device seen there is in the dark, and CAP_NET_ADMIN \
             is there; for all connects to vanish, the rule has to fall on every device of a listener at a time of the run \
             (`at`, and no `who` but `listener`, no `chance`)",
        );
}

/// What `connects: vanish` is to a blackhole, `how: closed` is to a refusal.
fn note_refused(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    let Fault::Refuse(Refuse { how: Refusal::Closed, .. }) = rule.fault else { return };
    if can_vanish(rule) {
        return;
    }
    let place = fields.one("fault").and_then(|fault| fault.one("refuse"));
    let spot = place.map_or_else(|| fields.spot(), |place| place.value_spot("how"));
    sink.note(spot, format!("SYNs cannot be refused for `{}`; TCP is accepted, and then reset", rule.id)).help(
        "a SYN does not say whose it is: to be refused, the rule has to fall on every device of a listener at a time \
         of the run (`at`, and no `who` but `listener`, no `chance`); `how: reset` says what is done here",
    );
}

/// A fault that slows a link down neither ends it nor refuses it.
fn note_logged(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    let slows =
        matches!(rule.fault, Fault::Latency(_) | Fault::Bandwidth(_) | Fault::Loss(_) | Fault::Slice(_));
    if slows && rule.logged_as.is_some() {
        sink.note(
            fields.key_spot("logged_as"),
            format!("`logged_as` says nothing: `{}` ends no link and refuses no connect", rule.fault.name()),
        )
        .help("take `logged_as` out");
    }
}

fn note_overlap(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    let When::At { repeat: Some(repeat), .. } = &rule.when else { return };
    // Only the fixed part is known here.
    let least = rule.fault.hold().unwrap_or(Span::ZERO).resolve(Duration::ZERO);
    if let Some(place) = hold(fields).filter(|_| least > repeat.every) {
        sink.note(place, format!("`{}` fires again before it is over; the windows overlap", rule.id));
    }
}

/// Of a fault that holds to the end, each firing adds a window to those before. Of most faults more of the same is no more: the
/// tightest rate wins, and a packet meets a rule once.
fn note_piled(rule: &Rule, fields: &Fields, sink: &mut Sink) {
    let what = match rule.fault {
        Fault::Latency(Latency { hold: None, .. }) => "delays",
        Fault::Loss(Loss { hold: None, .. }) => "chances",
        _ => return,
    };
    let again = match &rule.when {
        When::At { repeat: Some(repeat), .. } => Some("every").filter(|_| repeat.times != Some(1)),
        When::After { times, .. } => Some("times").filter(|_| *times > 1),
        When::At { repeat: None, .. } | When::Spells(_) | When::Asked(_) => None,
    };
    if let Some((key, when)) = again.zip(fields.one("when")) {
        sink.note(
            when.key_spot(key),
            format!("`{}` holds to the end of the run and fires again: its {what} add up", rule.id),
        )
        .help(format!("say with `for` how long it holds each time; or take `{key}` out"));
    }
}
