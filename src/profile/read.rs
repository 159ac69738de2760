//! From text to plan: the tree, the overrides put into it, each key held against the table, then the sense of it all.
//!
//! ```text
//! text ─ node ─▶ tree ─ sets ─▶ tree ─ fields ─▶ sound values by key ─ plan, rule, fault, expect ─▶ Plan
//!                         └────────────┴─── problems, each with its path ──┴──▶ placed, all at once
//! ```

mod expect;
mod fault;
mod fields;
mod links;
mod mqtt;
mod packets;
mod plan;
mod rule;
mod scalar;
mod sequence;
mod sets;
mod suite;
mod tls;

pub use sets::{BadOverride, Override};
pub use suite::suite;

pub(super) use rule::{can_select, can_vanish};

use super::node::{Kind, Node, Origin};
use super::plan::Plan;
use super::problem::{Mark, Problem, Problems, Severity, Sink, mark_in, whole};
use super::schema::PROFILE;
use std::borrow::Cow;

/// The largest profile, in bytes: 1 MiB, some thousand times the shipped ones.
pub const LARGEST: usize = 1024 * 1024;

/// A plan that is fit to run, and what its writer should know all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The plan.
    pub plan: Plan,
    /// Notes; none of them keeps the plan from being run.
    pub notes: Vec<Problem>,
}

/// Reads a profile, with overrides put in the place of what it says.
///
/// # Errors
/// All problems of the text and of the overrides, each with its place.
pub fn read(text: &str, overrides: &[Override]) -> Result<Checked, Problems> {
    let root = tree(text, "profile").map_err(|problem| Problems(vec![problem]))?;
    let (mut root, mut sink) = (root, Sink::default());
    for (number, set) in overrides.iter().enumerate() {
        sets::apply(&mut root, number, set, &mut sink);
    }
    let plan =
        fields::fields(&PROFILE, &root, &[], &mut sink).and_then(|fields| plan::plan(&fields, &mut sink));
    let problems = sink.place(text, &root, overrides);
    match plan {
        Some(plan) if problems.iter().all(|problem| problem.severity == Severity::Note) => {
            Ok(Checked { plan, notes: problems })
        }
        Some(_) | None => Err(Problems(problems)),
    }
}

fn tree(text: &str, what: &str) -> Result<Node, Problem> {
    if text.len() > LARGEST {
        return Err(whole(format!("the {what} has more bytes than are read: at most {LARGEST} (1 MiB)")));
    }
    let root = Node::parse(&without_mark(text), Origin::File).map_err(|error| yaml_problem(text, &error))?;
    match root.kind {
        Kind::Map(_) => Ok(root),
        Kind::Null => Err(empty(&format!("the {what} is empty"))),
        Kind::Bool(_) | Kind::Number { .. } | Kind::Text(_) | Kind::List(_) => {
            Err(empty(&format!("a {what} is a mapping of keys, not {}", root.what())))
        }
    }
}

fn empty(message: &str) -> Problem {
    let help =
        "begin with `brownout: 1`, `name: ...` and `summary: ...`; the shipped profiles are whole examples";
    Problem { help: Some(help.into()), ..whole(message) }
}

/// The YAML reader's own error: `problem at line 3 column 5, while parsing ... at line 2 column 3`.
fn yaml_problem(text: &str, error: &serde_yaml::Error) -> Problem {
    let told = error.to_string();
    let (message, context) = match told.split_once(" at line ") {
        Some((message, rest)) => (message, rest.split_once(", ").map_or("", |(_, context)| context)),
        None => (told.as_str(), ""),
    };
    let message = match message {
        "deserializing from YAML containing more than one document is not supported" => {
            "there is a second YAML document (`---`); a profile is one"
        }
        "unknown anchor" => "this alias (`*...`) has no anchor (`&...`) before it",
        "repetition limit exceeded" => "aliases of aliases multiply beyond all bounds",
        "recursion limit exceeded" => "lists and mappings are nested too deep; 128 levels are read",
        other => other,
    };
    let second =
        message.starts_with("there is a second").then(|| text.rfind("\n---").map(|at| at + 1)).flatten();
    let place = error.location().map(|location| location.index()).or(second);
    let marks = place.map(|place| yaml_mark(text, place, context.to_owned()));
    let help = yaml_help(message).map(str::to_owned);
    Problem { marks: marks.into_iter().collect(), help, ..whole(message) }
}

fn yaml_help(message: &str) -> Option<&'static str> {
    if message.starts_with("this alias") || message.starts_with("found character that cannot start") {
        return Some(
            "put a text that begins with a sign such as `*`, `@`, `%` in quotes; indent with spaces, not tabs",
        );
    }
    message
        .starts_with("mapping values are not allowed")
        .then_some("put a text that holds a colon and a space in quotes")
}

/// The text with its byte order mark, which some editors write, made into as many bytes of nothing.
pub(super) fn without_mark(text: &str) -> Cow<'_, str> {
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Cow::Owned(format!("\n\n\n{rest}")),
        None => Cow::Borrowed(text),
    }
}

/// One character wide, and on the last line where the place is the end of the text.
fn yaml_mark(text: &str, index: usize, label: String) -> Mark {
    let mut start = index.min(text.trim_end().len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let width = text[start..].chars().next().map_or(0, char::len_utf8);
    mark_in(text, start..start + width, label)
}
