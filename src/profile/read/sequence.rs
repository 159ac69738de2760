//! The `sequence` of a profile: where numbers stand in payloads.

use super::fields::Fields;
use crate::profile::problem::Sink;
use crate::profile::sequence::{LOOKED_AT, Pattern, Sequence, SequencePlace, json_pointer};

/// Where numbers stand; `None` where that was wrong, and has been told.
pub(super) fn sequence(fields: &Fields, sink: &mut Sink) -> Option<Sequence> {
    for key in ["width", "order"] {
        if fields.has(key) && !fields.has("byte") {
            sink.error(fields.key_spot(key), format!("`{key}` has no meaning without `byte`"))
                .help("take it out, or say with `byte` where the number begins");
        }
    }
    let place = if fields.has("json") {
        json(fields, sink)
    } else if fields.has("regex") {
        regex(fields, sink)
    } else {
        bytes(fields, sink)
    };
    let topic = if fields.has("topic") { Some(fields.text("topic")?) } else { None };
    Some(Sequence { topic, place: place? })
}

fn json(fields: &Fields, sink: &mut Sink) -> Option<SequencePlace> {
    let text = fields.text("json")?;
    let pointer = json_pointer(&text);
    if pointer.is_none() {
        sink.error(fields.value_spot("json"), format!("`{text}` is no JSON pointer")).help(
            "a JSON pointer (RFC 6901) begins with `/`, and has at most 32 parts: `/seq`, `/header/number`",
        );
    }
    pointer.map(SequencePlace::Json)
}

fn regex(fields: &Fields, sink: &mut Sink) -> Option<SequencePlace> {
    match Pattern::new(&fields.text("regex")?) {
        Ok(pattern) => Some(SequencePlace::Regex(pattern)),
        Err(why) => {
            sink.error(fields.value_spot("regex"), format!("this regular expression cannot be used: {why}"))
                .help("write for example `regex: 'seq=(\\d+)'`");
            None
        }
    }
}

fn bytes(fields: &Fields, sink: &mut Sink) -> Option<SequencePlace> {
    let at = usize::try_from(fields.count("byte")?).ok()?;
    let width = usize::try_from(fields.count("width")?).ok()?;
    if at + width > LOOKED_AT {
        sink.error(fields.value_spot("byte"), "the number stands too far behind")
            .help(format!("the first {LOOKED_AT} bytes of a payload are looked at"));
        return None;
    }
    Some(SequencePlace::Bytes { at, width, big_endian: fields.word("order")? == "big" })
}
