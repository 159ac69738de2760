//! The JSON Schema of the language for editors, made from the table.

use super::{Key, PERCENTILE, Place, Presence, Type, places, suite_places};
use crate::azure::Code;
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a profile, or where there are `entries`, of a suite: completion and first checks while
/// it is written. `check` knows more.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    for place in places().into_iter().chain(suite_places()) {
        definitions.insert(place.name.to_owned(), object(place));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "brownout profile or suite",
        "if": { "type": "object", "required": ["entries"] },
        "then": { "$ref": "#/$defs/suite" },
        "else": { "$ref": "#/$defs/profile" },
        "$defs": definitions,
    })
}

fn object(place: &Place) -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for key in place.keys {
        if key.name == PERCENTILE {
            patterns.insert(r"^p\d{1,3}(\.\d+)?$".to_owned(), property(key));
        } else {
            properties.insert(key.name.to_owned(), property(key));
        }
    }
    let required: Vec<&str> = place.keys.iter().filter(|key| key.is_required()).map(|key| key.name).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), json!(["object", "null"]));
    schema.insert("description".into(), json!(place.doc));
    schema.insert("additionalProperties".into(), json!(false));
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("type".into(), json!("object"));
        schema.insert("required".into(), json!(required));
    }
    if !patterns.is_empty() {
        schema.insert("patternProperties".into(), Value::Object(patterns));
    }
    if !place.one_of.is_empty() {
        let choices: Vec<Value> = place.one_of.iter().map(|key| json!({ "required": [key] })).collect();
        schema.insert("oneOf".into(), json!(choices));
    }
    Value::Object(schema)
}

fn property(key: &Key) -> Value {
    let mut schema = of_type(&key.ty);
    let without = match key.presence {
        Presence::Required => String::new(),
        Presence::Default(value) => format!(" Without it: {value}."),
        Presence::Optional(meaning) => format!(" Without it: {meaning}."),
    };
    schema.insert("description".into(), json!(format!("{}{without}", key.doc)));
    if let Ok(example) = serde_yaml::from_str::<Value>(key.example) {
        schema.insert("examples".into(), json!([example]));
    }
    Value::Object(schema)
}

/// A number of one byte in quotes, decimal or hexadecimal.
const QUOTED_BYTE: &str = r"^\s*(0x0*[0-9a-fA-F]{1,2}|0*(25[0-5]|2[0-4]\d|1?\d?\d))\s*$";

fn of_type(ty: &Type) -> Map<String, Value> {
    let schema = match ty {
        Type::Language => json!({ "const": 1 }),
        Type::Name => json!({ "type": "string", "pattern": "^[a-z0-9-]{1,64}$" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Alert => json!({ "anyOf": [
            { "enum": ty.choices() },
            { "type": "integer", "minimum": 0, "maximum": 255 },
        ] }),
        Type::Reason => json!({ "anyOf": [
            { "enum": ty.choices() },
            { "type": "integer", "minimum": 0, "maximum": 255 },
            { "type": "string", "pattern": QUOTED_BYTE },
        ] }),
        Type::Code => json!({ "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": 255 },
            { "type": "string", "pattern": QUOTED_BYTE },
        ] }),
        Type::AzureCode => json!({ "enum": Code::ALL.map(Code::number) }),
        Type::Text => json!({ "type": "string" }),
        Type::Hex => json!({ "type": "string", "pattern": r"^\s*([0-9a-fA-F]{2}\s*)+$" }),
        Type::Rate => json!({ "type": "string", "pattern": r"^\d+(\.\d+)?\s*([kMG]?bit/s|[kM]?B/s)$" }),
        Type::Sentence
        | Type::Filter
        | Type::Topic
        | Type::Glob
        | Type::Path
        | Type::Host
        | Type::Rule
        | Type::Listener
        | Type::Network => {
            json!({ "type": "string", "minLength": 1 })
        }
        Type::Address { .. } => json!({ "type": "string", "pattern": r"^.+:\d{1,5}$" }),
        // YAML reads some words (3.1, 5) as numbers.
        Type::Word(words) => {
            let numbers =
                words.iter().filter_map(|word| word.word.parse::<f64>().ok()).map(|number| json!(number));
            let all: Vec<Value> = words.iter().map(|word| json!(word.word)).chain(numbers).collect();
            json!({ "enum": all })
        }
        Type::Packet | Type::Metric => json!({ "enum": ty.choices() }),
        Type::Time { zero: true } | Type::Span { zero: true } | Type::Seconds { zero: true } => {
            json!({ "anyOf": [{ "type": "string" }, { "const": 0 }] })
        }
        Type::Time { zero: false } | Type::Span { zero: false } | Type::Seconds { zero: false } => {
            json!({ "type": "string" })
        }
        Type::Count { most } => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        Type::Offset { most } => json!({ "type": "integer", "minimum": 0, "maximum": most }),
        Type::Number { most } => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": most }),
        Type::Chance => json!({ "anyOf": [
            { "type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%?\s*$" },
            { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
        ] }),
        Type::Limit => json!({ "type": "string", "pattern": "^(<=|<|>=|>|==)" }),
        Type::List { of, most } => json!({ "type": "array", "maxItems": most, "items": of_type(of) }),
        Type::One(place) => json!({ "$ref": format!("#/$defs/{}", place.name) }),
        Type::Many { place, most } => json!({
            "type": ["array", "null"],
            "maxItems": most,
            "items": { "$ref": format!("#/$defs/{}", place.name) },
        }),
    };
    match schema {
        Value::Object(schema) => schema,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
