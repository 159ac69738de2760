//! Faults of single packets: which they fall on, what becomes of them, and whether both have a sense together.

use super::fault::{choice, delay, span};
use super::fields::Fields;
use super::links::ended;
use super::mqtt::{packet_id, qos};
use crate::fault::{Corrupt, Edit, MidCut, PacketAction, PacketFault, PacketMatch, WaysWanted};
use crate::mqtt::{PacketKind, QoS, Version};
use crate::profile::problem::Sink;
use crate::profile::schema::{PACKET_FAULTS, code_list};

/// What PUBLISH alone has.
const OF_PUBLISH: [&str; 4] = ["topic", "qos", "dup", "retain"];

/// The fault of packets of this name; `rule` is its rule's, where `what` stands.
pub(super) fn packet_fault(
    name: &str,
    fields: &Fields,
    rule: &Fields,
    when: Option<&Fields>,
    sink: &mut Sink,
) -> Option<PacketFault> {
    let hold = span(fields, when, sink);
    let what = match rule.one("what") {
        Some(given) => what(given, sink),
        // What is given and no mapping has been told.
        None => Some(PacketMatch::EVERY).filter(|_| !rule.has("what")),
    };
    let action = action(name, fields, sink);
    let fault = PacketFault { what: what?, action: action?, hold: hold? };
    check_sense(&fault, fields, rule, sink);
    Some(fault)
}

/// Tells that a fault which is none of packets has a `what`.
pub(super) fn no_packets(name: &str, rule: &Fields, sink: &mut Sink) {
    sink.error(rule.key_spot("what"), format!("`what` has no meaning for `{name}`, which is no fault of packets"))
        .help(format!(
            "take `what` out: `who` says on which devices it falls, `when` after which packet; faults of packets are {}",
            code_list(PACKET_FAULTS)
        ));
}

fn what(fields: &Fields, sink: &mut Sink) -> Option<PacketMatch> {
    let what = PacketMatch {
        packet: given(fields, "packet", Fields::packet)?,
        direction: choice(fields, "direction")?,
        topic: given(fields, "topic", Fields::text)?,
        qos: given(fields, "qos", qos)?,
        dup: given(fields, "dup", Fields::truth)?,
        retain: given(fields, "retain", Fields::truth)?,
        nth: given(fields, "nth", Fields::count)?,
        times: given(fields, "times", Fields::count)?,
        chance: fields.chance("chance")?,
    };
    check_publish(&what, fields, sink);
    check_direction(&what, fields, sink);
    check_number(&what, fields, sink);
    check_dup(&what, fields, sink);
    Some(what)
}

/// The value of a key that is given; `None` where it was wrong, and has been told.
fn given<'f, T>(
    fields: &'f Fields,
    key: &str,
    read: impl FnOnce(&'f Fields, &str) -> Option<T>,
) -> Option<Option<T>> {
    if fields.has(key) { read(fields, key).map(Some) } else { Some(None) }
}

fn check_publish(what: &PacketMatch, fields: &Fields, sink: &mut Sink) {
    let Some(packet) = what.packet.filter(|packet| *packet != PacketKind::Publish) else { return };
    for key in OF_PUBLISH.into_iter().filter(|key| fields.has(key)) {
        sink.error(
            fields.key_spot(key),
            format!("`{key}` has no meaning for {packet}: PUBLISH alone has it"),
        )
        .also(fields.value_spot("packet"), "")
        .help(format!("write `packet: publish`, or take `{key}` out"));
    }
}

/// The way that every packet of a type travels; `None` for types that travel both ways.
fn only_way(packet: PacketKind) -> Option<WaysWanted> {
    match packet {
        PacketKind::Connect | PacketKind::Subscribe | PacketKind::Unsubscribe | PacketKind::Pingreq => {
            Some(WaysWanted::Up)
        }
        PacketKind::Connack | PacketKind::Suback | PacketKind::Unsuback | PacketKind::Pingresp => {
            Some(WaysWanted::Down)
        }
        PacketKind::Publish
        | PacketKind::Puback
        | PacketKind::Pubrec
        | PacketKind::Pubrel
        | PacketKind::Pubcomp
        | PacketKind::Disconnect
        | PacketKind::Auth => None,
    }
}

fn check_direction(what: &PacketMatch, fields: &Fields, sink: &mut Sink) {
    let Some(packet) = what.packet else { return };
    let Some(only) = only_way(packet) else { return };
    if what.direction == WaysWanted::Both || what.direction == only {
        return;
    }
    let (way, word) =
        if only == WaysWanted::Up { ("from device to hub", "up") } else { ("from hub to device", "down") };
    sink.error(
        fields.value_spot("direction"),
        format!("{packet} only travels {way}: this matches no packet"),
    )
    .also(fields.value_spot("packet"), "")
    .help(format!("write `direction: {word}`, or take `direction` out"));
}

fn check_number(what: &PacketMatch, fields: &Fields, sink: &mut Sink) {
    // A second CONNECT on a link is a protocol violation [MQTT-3.1.0-2].
    if let Some(packet @ (PacketKind::Connect | PacketKind::Connack | PacketKind::Disconnect)) = what.packet
        && what.nth.is_some_and(|nth| nth > 1)
    {
        sink.error(fields.value_spot("nth"), format!("a link has only one {packet}: this matches no packet"))
            .help("each reconnect is a link of its own: take `nth` out, and say with `times` how many");
    }
    if what.nth.is_some() && what.times.is_some_and(|times| times > 1) {
        sink.error(fields.key_spot("times"), "`nth` and `times` exclude each other: `nth` means one packet")
            .also(fields.key_spot("nth"), "the one")
            .help("keep `nth` for one packet, or `times` for the first so many");
    }
}

/// A message of QoS 0 is never sent again [MQTT-3.3.1-2].
fn check_dup(what: &PacketMatch, fields: &Fields, sink: &mut Sink) {
    if what.dup == Some(true) && what.qos == Some(QoS::AtMostOnce) {
        sink.error(
            fields.value_spot("dup"),
            "a PUBLISH of QoS 0 is never sent again: this matches no packet",
        )
        .also(fields.value_spot("qos"), "")
        .help("take `dup` out, or write `qos: 1` or `qos: 2`");
    }
}

fn action(name: &str, fields: &Fields, sink: &mut Sink) -> Option<PacketAction> {
    match name {
        "drop" => Some(PacketAction::Drop { acknowledge: fields.truth("acknowledge")? }),
        "delay" => delay(fields, sink).map(PacketAction::Delay),
        "duplicate" => Some(PacketAction::Duplicate { copies: fields.count("copies")? }),
        "edit" => edit(fields, sink).map(PacketAction::Edit),
        "corrupt" => choice(fields, "where").map(PacketAction::Corrupt),
        "cut" => {
            let (ending, close) = ended(fields, "cut", sink)?;
            Some(PacketAction::Cut(MidCut { after_bytes: fields.count("after_bytes")?, ending, close }))
        }
        _ => None,
    }
}

fn edit(fields: &Fields, sink: &mut Sink) -> Option<Edit> {
    let edit = Edit {
        keep_alive: given(fields, "keep_alive", Fields::seconds)?,
        server_keep_alive: given(fields, "server_keep_alive", Fields::seconds)?,
        clean: given(fields, "clean", Fields::truth)?,
        session_present: given(fields, "session_present", Fields::truth)?,
        code: given(fields, "code", Fields::code)?,
        packet_id: given(fields, "packet_id", |fields, _| packet_id(fields))?,
        dup: given(fields, "dup", Fields::truth)?,
        qos: given(fields, "qos", qos)?,
        retain: given(fields, "retain", Fields::truth)?,
    };
    if edit == Edit::default() {
        sink.error(fields.spot(), "`edit` changes nothing: it names no field").help(format!(
            "write for example `edit: {{ session_present: false }}`; fields: {}",
            code_list(FIELDS)
        ));
        return None;
    }
    Some(edit)
}

const FIELDS: [&str; 9] = [
    "keep_alive",
    "server_keep_alive",
    "clean",
    "session_present",
    "code",
    "packet_id",
    "dup",
    "qos",
    "retain",
];

/// The packets that have a field.
fn having(field: &str) -> Vec<PacketKind> {
    use PacketKind::{
        Auth, Connack, Connect, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe,
        Unsuback, Unsubscribe,
    };
    match field {
        "keep_alive" | "clean" => vec![Connect],
        "server_keep_alive" | "session_present" => vec![Connack],
        "code" => vec![Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth],
        "packet_id" => {
            vec![Publish, Puback, Pubrec, Pubrel, Pubcomp, Subscribe, Suback, Unsubscribe, Unsuback]
        }
        _ => vec![Publish],
    }
}

/// What is done held against the packets that it falls on.
fn check_sense(fault: &PacketFault, fields: &Fields, rule: &Fields, sink: &mut Sink) {
    let what = &fault.what;
    match &fault.action {
        PacketAction::Drop { acknowledge: true } => {
            let has_none = what.qos.is_some_and(|qos| qos.number() == 0);
            if has_none {
                sink.error(fields.key_spot("acknowledge"), "a PUBLISH of QoS 0 is never acknowledged")
                    .help("take `acknowledge` out, or write `qos: 1` or `qos: 2` in `what`");
            } else {
                check_having("acknowledge", &[PacketKind::Publish], what, fields, rule, sink);
            }
        }
        PacketAction::Edit(edit) => {
            for key in FIELDS.into_iter().filter(|key| fields.has(key)) {
                check_having(key, &having(key), what, fields, rule, sink);
            }
            check_id(edit, what, fields, sink);
            check_version(what, fields, rule, sink);
        }
        PacketAction::Corrupt(Corrupt::Payload) => {
            if what.packet.is_some_and(|packet| packet != PacketKind::Publish) {
                check_having("where", &[PacketKind::Publish], what, fields, rule, sink);
            }
        }
        PacketAction::Corrupt(Corrupt::Body) => {
            if let Some(packet @ (PacketKind::Pingreq | PacketKind::Pingresp)) = what.packet {
                sink.error(fields.value_spot("where"), format!("{packet} has no body"))
                    .help("write `where: anywhere`");
            }
        }
        PacketAction::Drop { acknowledge: false }
        | PacketAction::Corrupt(Corrupt::Anywhere)
        | PacketAction::Delay(_)
        | PacketAction::Duplicate { .. }
        | PacketAction::Cut(_) => {}
    }
}

/// A PUBLISH of QoS 0 has no packet identifier [MQTT-2.2.1-2], unless it is raised from there.
fn check_id(edit: &Edit, what: &PacketMatch, fields: &Fields, sink: &mut Sink) {
    let is_raised = edit.qos.is_some_and(|qos| qos != QoS::AtMostOnce);
    if edit.packet_id.is_some() && what.qos == Some(QoS::AtMostOnce) && !is_raised {
        sink.error(fields.key_spot("packet_id"), "a PUBLISH of QoS 0 has no `packet_id`")
            .help("take `packet_id` out, or write `qos: 1` or `qos: 2` in `what`");
    }
    let is_publish = what.packet == Some(PacketKind::Publish) || what.topic.is_some() || what.qos.is_some();
    if edit.packet_id.is_some() && edit.qos == Some(QoS::AtMostOnce) && is_publish {
        sink.error(fields.key_spot("packet_id"), "`qos: 0` takes the `packet_id` out of a PUBLISH")
            .help("take one of the two out");
    }
}

/// Tells that devices of the version that `who` asks for never have what is edited.
fn check_version(what: &PacketMatch, fields: &Fields, rule: &Fields, sink: &mut Sink) {
    let Some((who, version)) = rule.one("who").and_then(|who| Some((who, who.word("version")?))) else {
        return;
    };
    let is_before = |newer: Version| version.parse::<Version>().is_ok_and(|version| version < newer);
    // Of those that have a code in MQTT 5.
    let without_code = what.packet.filter(|packet| {
        having("code").contains(packet) && !matches!(packet, PacketKind::Connack | PacketKind::Suback)
    });
    for (key, packet, since) in [
        ("server_keep_alive", Some(PacketKind::Connack), Version::V5),
        ("code", without_code, Version::V5),
        ("session_present", Some(PacketKind::Connack), Version::V311),
    ] {
        if let Some(packet) = packet.filter(|_| fields.has(key) && is_before(since)) {
            sink.error(fields.key_spot(key), format!("{packet} has no `{key}` in MQTT {version}"))
                .also(who.value_spot("version"), "")
                .help(format!("take `{key}` out, or `version` out of `who`: it came with MQTT {since}"));
        }
    }
}

/// Tells that no packet which `what` means has what `key` is about.
fn check_having(
    key: &str,
    having: &[PacketKind],
    what: &PacketMatch,
    fields: &Fields,
    rule: &Fields,
    sink: &mut Sink,
) {
    let of_publish = rule.one("what").and_then(|what| OF_PUBLISH.into_iter().find(|key| what.has(key)));
    let implied = what.packet.or(of_publish.map(|_| PacketKind::Publish));
    let travels = |kind: &PacketKind| {
        what.direction == WaysWanted::Both || only_way(*kind).is_none_or(|only| only == what.direction)
    };
    let meant = having.iter().filter(|kind| implied.is_none_or(|packet| packet == **kind));
    // A packet that never travels this way has been told.
    if meant.filter(|kind| what.packet.is_some() || travels(kind)).count() > 0 {
        return;
    }
    let (message, place) = match (what.packet, of_publish) {
        (Some(packet), _) => (format!("{packet} has no {}", thing(key)), "packet"),
        (None, Some(key_of_publish)) => {
            (format!("PUBLISH has no {}, and `{key_of_publish}` means PUBLISH", thing(key)), key_of_publish)
        }
        (None, None) => (format!("no packet that travels this way has {}", thing(key)), "direction"),
    };
    let words: Vec<String> = having.iter().map(|kind| kind.word()).collect();
    let found = sink.error(fields.key_spot(key), message);
    if let Some(what) = rule.one("what") {
        found.also(what.value_spot(place), "");
    }
    let only = match having {
        [one] => format!("{one} alone has it; "),
        _ => String::new(),
    };
    let other = if key == "where" { "; or write `where: body`" } else { "" };
    found.help(format!("{only}write {} in `what`{other}", packet_keys(&words)));
}

/// `packet: connack`, or one of them.
fn packet_keys(words: &[String]) -> String {
    match words {
        [one] => format!("`packet: {one}`"),
        several => format!("`packet` as one of {}", code_list(several)),
    }
}

/// What a key is about, in words.
fn thing(key: &str) -> String {
    match key {
        "acknowledge" => "acknowledgement of its own".into(),
        "where" => "payload".into(),
        field => format!("`{field}`"),
    }
}
