//! Problems of a profile: what is wrong, where, and what to do; all of a file at once.

use super::locate::{Part, Places};
use super::node::{Node, Origin};
use super::read::{Override, without_mark};
use crate::base::text::printable;
use std::fmt;
use std::ops::Range;

/// The most problems told of one profile: enough to see that it is no profile at all.
pub(super) const MOST_PROBLEMS: usize = 50;

/// Whether a problem keeps the profile from being run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not, but the profile may not do what its writer thinks.
    Note,
}

/// Something about a profile that its writer should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The places it is about, the main one first; none where it is about the whole file.
    pub marks: Vec<Mark>,
    /// What to do.
    pub help: Option<String>,
}

/// A place that a problem is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What was read there.
    pub source: Source,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The bytes of the source.
    pub span: Range<usize>,
    /// What to say beside the carets; may be empty.
    pub label: String,
}

impl Mark {
    /// Overrides as they were given, then the profile from its beginning.
    fn order(&self) -> (bool, usize) {
        match self.source {
            Source::Set(_) => (false, 0),
            Source::Profile => (true, self.span.start),
        }
    }
}

/// A text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The profile.
    Profile,
    /// An override; the text as it would stand on the command line: `--set dark.delay=1s`.
    Set(String),
}

/// All errors of a profile; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    /// One line for each: `3:5: unknown key ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.0.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.marks.first() {
            Some(Mark { source: Source::Profile, line, column, .. }) => write!(f, "{line}:{column}: ")?,
            Some(Mark { source: Source::Set(text), .. }) => write!(f, "{}: ", printable(text))?,
            None => {}
        }
        f.write_str(&self.message)
    }
}

/// A place in the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub path: Vec<usize>,
    pub part: Part,
}

impl Spot {
    pub(super) fn key(path: &[usize]) -> Spot {
        Spot { path: path.to_vec(), part: Part::Key }
    }

    pub(super) fn value(path: &[usize]) -> Spot {
        Spot { path: path.to_vec(), part: Part::Value }
    }
}

/// A problem that is yet to be placed.
pub(super) struct Found {
    severity: Severity,
    message: String,
    spots: Vec<(At, String)>,
    help: Option<String>,
}

enum At {
    Tree(Spot),
    Set(usize, Range<usize>),
}

impl Found {
    /// Says this beside the carets of the latest place.
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Found {
        if let Some((_, last)) = self.spots.last_mut() {
            *last = printable(&label.into());
        }
        self
    }

    /// Is about this place too.
    pub(super) fn also(&mut self, spot: Spot, label: impl Into<String>) -> &mut Found {
        self.spots.push((At::Tree(spot), label.into()));
        self
    }

    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Found {
        self.help = Some(printable(&help.into()));
        self
    }
}

/// Collects problems while a profile is read.
#[derive(Default)]
pub(super) struct Sink {
    found: Vec<Found>,
    errors: usize,
    /// One of those errors that are only counted, for whoever has more to say of it.
    counted: Option<Found>,
}

impl Sink {
    pub(super) fn error(&mut self, spot: Spot, message: impl Into<String>) -> &mut Found {
        self.push(Severity::Error, At::Tree(spot), message.into())
    }

    pub(super) fn note(&mut self, spot: Spot, message: impl Into<String>) -> &mut Found {
        self.push(Severity::Note, At::Tree(spot), message.into())
    }

    /// An error of an override itself, before it is in the tree; `span` is of its own text.
    pub(super) fn set_error(
        &mut self,
        number: usize,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> &mut Found {
        self.push(Severity::Error, At::Set(number, span), message.into())
    }

    /// Whether the next error is only counted, so that no words have to be found for it.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= MOST_PROBLEMS
    }

    fn push(&mut self, severity: Severity, at: At, message: String) -> &mut Found {
        let is_counted = severity == Severity::Error && self.is_full();
        self.errors += usize::from(severity == Severity::Error);
        let message = printable(&message);
        let found = Found { severity, message, spots: vec![(at, String::new())], help: None };
        if is_counted {
            return self.counted.insert(found);
        }
        self.found.push(found);
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    /// Finds the places, in the order of the text: errors, or notes where there is no error.
    pub(super) fn place(self, text: &str, root: &Node, sets: &[Override]) -> Vec<Problem> {
        let mut errors = Vec::new();
        let mut notes = Vec::new();
        for found in self.found {
            match found.severity {
                Severity::Error => errors.push(found),
                Severity::Note => notes.push(found),
            }
        }
        // Some rest on what is wrong, such as that there are no rules.
        if !errors.is_empty() {
            notes.clear();
        }
        let more_errors = self.errors.saturating_sub(MOST_PROBLEMS);
        let more_notes = notes.len().saturating_sub(MOST_PROBLEMS);
        notes.truncate(MOST_PROBLEMS);
        // Those behind an alias are counted once for each alias; without an anchor there is none.
        let most = if text.contains('&') { "up to " } else { "" };
        let without_mark = without_mark(text);
        let mut places = Places::of(&without_mark);
        let mut place = |found: Vec<Found>| {
            let mut problems: Vec<Problem> = Vec::new();
            for problem in found.into_iter().map(|found| placed(found, &mut places, text, root, sets)) {
                // What stands behind an alias is met once for each alias.
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
            problems.sort_by_key(|problem| problem.marks.first().map(Mark::order));
            problems
        };
        let mut problems = place(errors);
        if more_errors > 0 {
            let told = format!("and {most}{more_errors} more problems; they are told when these are mended");
            problems.push(whole(told));
        }
        problems.extend(place(notes));
        if more_notes > 0 {
            let told = format!("and {most}{more_notes} more notes; they are told when these are gone");
            problems.push(Problem { severity: Severity::Note, ..whole(told) });
        }
        problems
    }
}

/// An error about the whole profile.
pub(super) fn whole(message: impl Into<String>) -> Problem {
    Problem { severity: Severity::Error, message: message.into(), marks: Vec::new(), help: None }
}

/// A mark in the profile's text.
pub(super) fn mark_in(text: &str, span: Range<usize>, label: String) -> Mark {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Mark {
        source: Source::Profile,
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        span,
        label,
    }
}

fn placed(found: Found, places: &mut Places<'_>, text: &str, root: &Node, sets: &[Override]) -> Problem {
    let marks = found.spots.into_iter();
    let marks = marks.filter_map(|(at, label)| mark(at, label, places, text, root, sets)).collect();
    Problem { severity: found.severity, message: found.message, marks, help: found.help }
}

fn mark(
    at: At,
    label: String,
    places: &mut Places<'_>,
    text: &str,
    root: &Node,
    sets: &[Override],
) -> Option<Mark> {
    let spot = match at {
        At::Set(number, span) => return mark_set(sets.get(number)?, span, label),
        At::Tree(spot) => spot,
    };
    let (node, origin) = walk(root, &spot);
    match origin {
        Origin::Set(number) => {
            let set = sets.get(number)?;
            let span = if spot.part == Part::Key { set.path_span() } else { set.value_span() };
            mark_set(set, span, label)
        }
        Origin::File => {
            let span = places.locate(&spot.path, spot.part, node.and_then(Node::scalar))?;
            Some(mark_in(text, span, label))
        }
    }
}

fn mark_set(set: &Override, span: Range<usize>, label: String) -> Option<Mark> {
    const BEFORE: &str = "--set ";
    let shifted = span.start + BEFORE.len()..span.end + BEFORE.len();
    let source = Source::Set(format!("{BEFORE}{}", set.text()));
    let column = BEFORE.len() + set.text().get(..span.start)?.chars().count() + 1;
    Some(Mark { source, line: 1, column, span: shifted, label })
}

/// The node of a spot, and whether an override has put it there.
fn walk<'n>(root: &'n Node, spot: &Spot) -> (Option<&'n Node>, Origin) {
    let mut node = root;
    for (depth, &number) in spot.path.iter().enumerate() {
        let last = depth + 1 == spot.path.len();
        let next = match node.entries().get(number) {
            Some((key, _)) if last && spot.part == Part::Key => Some(key),
            Some((_, value)) => Some(value),
            None => node.items().get(number),
        };
        let Some(next) = next else { return (None, node.origin) };
        node = next;
        if node.origin != Origin::File {
            return (Some(node), node.origin);
        }
    }
    (Some(node), node.origin)
}
