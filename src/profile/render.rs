//! Problems shown: the lines of the file with carets under the words that are meant.

use super::problem::{Mark, Problem, Severity, Source};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// The problems with the lines they are about. `text` is the profile that they were found in; `colour` is for
/// terminals, else the text is plain ASCII but for what the profile itself holds.
pub fn render(problems: &[Problem], file_name: &str, text: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let shown: Vec<String> =
        problems.iter().map(|problem| renderer.render(&[group(problem, file_name, text)])).collect();
    let mut shown = shown.join("\n\n");
    shown.push('\n');
    shown
}

fn group<'a>(problem: &'a Problem, file_name: &'a str, text: &'a str) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Note => Level::NOTE,
    };
    let mut group =
        level.primary_title(problem.message.as_str()).elements(snippets(problem, file_name, text));
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// One snippet for the file, one for each override.
fn snippets<'a>(
    problem: &'a Problem,
    file_name: &'a str,
    text: &'a str,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let mut shown: Vec<(&Source, Snippet<'a, _>)> = Vec::new();
    for (nth, mark) in problem.marks.iter().enumerate() {
        let kind = if nth == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation =
            kind.span(clamp(mark, text)).label((!mark.label.is_empty()).then_some(mark.label.as_str()));
        match shown.iter().position(|(source, _)| **source == mark.source) {
            Some(at) => {
                let (source, snippet) = shown.remove(at);
                shown.insert(at, (source, snippet.annotation(annotation)));
            }
            None => shown.push((&mark.source, snippet(&mark.source, file_name, text).annotation(annotation))),
        }
    }
    shown.into_iter().map(|(_, snippet)| snippet).collect()
}

fn snippet<'a>(
    source: &'a Source,
    file_name: &'a str,
    text: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    match source {
        Source::Profile => Snippet::source(text).path(file_name),
        Source::Set(set) => Snippet::source(set.as_str()).path("command line"),
    }
}

/// A span that lies within its source and on character boundaries, whatever text was given.
fn clamp(mark: &Mark, text: &str) -> std::ops::Range<usize> {
    let source = match &mark.source {
        Source::Profile => text,
        Source::Set(set) => set,
    };
    let boundary = |mut at: usize| {
        at = at.min(source.len());
        while !source.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(mark.span.start);
    start..boundary(mark.span.end).max(start)
}
