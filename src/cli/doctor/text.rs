//! The diagnosis, for people: on 80 columns, but for commands, which are not to be cut.

use super::Diagnosis;
use super::findings::{Finding, State};
use super::hints::Hint;
use crate::report::table::{self, Styling, Tone};

/// So wide are the names of faults.
const NAME: usize = 30;

/// The whole of it.
pub fn render(diagnosis: &Diagnosis, styling: Styling) -> String {
    let machine = &diagnosis.machine;
    let mut out = format!("brownout {} on Linux {}\n", env!("CARGO_PKG_VERSION"), machine.kernel);
    out += &heading("what this machine can do", styling);
    for finding in &diagnosis.findings {
        out += &line(finding, diagnosis, styling);
    }
    out += &heading("how true each fault will be", styling);
    out += &faults(diagnosis, styling);
    if let Some(profile) = &diagnosis.profile {
        out += &heading(&format!("what the profile {} asks for", profile.name), styling);
        for misfit in &profile.misfits {
            let letter = letter(misfit.hint, diagnosis);
            out += &table::wrap("  ", &format!("{}: {}{letter}", misfit.of, misfit.told));
        }
        if profile.misfits.is_empty() {
            let known = if profile.doubts.is_empty() { "" } else { ", as far as is known" };
            out += &table::wrap("  ", &format!("can all be made here as it is asked{known}"));
        }
        for doubt in &profile.doubts {
            out +=
                &table::wrap("  ", &format!("{}: {}{}", doubt.of, doubt.told, letter(doubt.hint, diagnosis)));
        }
    }
    if !diagnosis.hints.is_empty() {
        out += &heading("what improves it", styling);
    }
    for (hint, mark) in diagnosis.hints.iter().zip(letters()) {
        out += &format!("  {mark}  {}\n", table::paint(&hint.command(machine), Tone::Strong, styling));
        if let Some(note) = hint.note(machine) {
            out += &table::wrap("     ", &note);
        }
    }
    out
}

fn heading(text: &str, styling: Styling) -> String {
    format!("\n{}\n", table::paint(text, Tone::Strong, styling))
}

fn line(finding: &Finding, diagnosis: &Diagnosis, styling: Styling) -> String {
    let tone = match finding.state {
        State::Ok => Tone::Good,
        State::Missing => Tone::Bad,
        State::Limited | State::Unknown => Tone::Faint,
    };
    let (state, topic) = (finding.state.word(), finding.topic);
    let before = format!("  {state:<8} {topic:<21} ");
    let told = format!("{}{}", finding.told, letter(finding.hint, diagnosis));
    // Wrapped as it is told, under its beginning.
    let wrapped = table::wrap(&" ".repeat(before.len()), &told);
    let rest = wrapped.get(before.len()..).unwrap_or_default();
    format!("  {} {topic:<21} {rest}", table::paint(&format!("{state:<8}"), tone, styling))
}

fn faults(diagnosis: &Diagnosis, styling: Styling) -> String {
    let mut out = String::new();
    for row in &diagnosis.faults {
        let fidelity = row.made.fidelity.map_or("none", |fidelity| fidelity.word());
        let before = format!("  {:<NAME$}{fidelity:<8} ", row.fault);
        let told = format!("{}{}", row.made.by, letter(row.made.hint, diagnosis));
        let wrapped = table::wrap(&" ".repeat(before.len()), &told);
        let rest = wrapped.get(before.len()..).unwrap_or_default();
        let tone = if row.made.fidelity.is_some() { Tone::Normal } else { Tone::Bad };
        let painted = table::paint(&format!("{fidelity:<8}"), tone, styling);
        out += &format!("  {:<NAME$}{painted} {rest}", row.fault);
    }
    out
}

/// ` [a]`, where there is a hint.
fn letter(hint: Option<Hint>, diagnosis: &Diagnosis) -> String {
    let place = hint.and_then(|hint| diagnosis.hints.iter().position(|known| *known == hint));
    place.and_then(|place| letters().nth(place)).map_or_else(String::new, |mark| format!(" [{mark}]"))
}

fn letters() -> impl Iterator<Item = char> {
    'a'..='z'
}

/// `1 device`, `478 devices`.
pub fn counted(number: u64, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}
