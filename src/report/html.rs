//! The report as a page: one file that needs nothing else, neither a network nor a server.
//!
//! Owns the page's skeleton, its style sheet and its script (their own files, put in as they are) and the data that the
//! script draws from. What there is to read stands in the HTML itself: without JavaScript only pictures, sorting and
//! filtering are missing. Names that peers gave themselves are hostile: every text goes through `escape::text`, the
//! script sets texts and never markup, and a policy in the page forbids it to load anything.

mod data;
mod delivery;
mod devices;
pub(crate) mod escape;
mod expectations;
mod findings;
mod head;
mod moment;
mod pictures;
mod rules;
mod table;
mod trust;

#[cfg(test)]
mod tests;

use super::{Report, Timeline};
use escape::text;

const STYLE: &str = concat!(include_str!("html/page.css"), include_str!("html/pictures.css"));
/// The style sheet that pages share: colours, text, tables.
pub(crate) const PAGE: &str = include_str!("html/page.css");
const SCRIPT: &[&str] = &[
    include_str!("html/base.js"),
    include_str!("html/tables.js"),
    include_str!("html/charts.js"),
    include_str!("html/view.js"),
    include_str!("html/lanes.js"),
    include_str!("html/timeline.js"),
    include_str!("html/main.js"),
];

/// Nothing is loaded from anywhere, and nothing sent.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// The style sheet hides what the script shows; should the script fail, nothing is hidden.
const MARK: &str = "document.documentElement.classList.add('js');\
                    addEventListener('error', () => document.documentElement.classList.remove('js'))";

/// The HTML.
pub fn render(report: &Report, timelines: &[Timeline]) -> String {
    let data = data::json(report, timelines);
    let script = SCRIPT.concat();
    page(report, timelines, STYLE, &script, &data)
}

fn page(report: &Report, timelines: &[Timeline], style: &str, script: &str, data: &str) -> String {
    let title = format!("{} \u{2013} brownout report", report.profile.name);
    let (title, body) = (text(&title), body(report, timelines));
    document(&Parts { title: &title, style, body: &body, data, script })
}

/// What a page is made of, each as it stands there.
pub(crate) struct Parts<'a> {
    /// Escaped.
    pub title: &'a str,
    pub style: &'a str,
    pub body: &'a str,
    /// JSON that is safe in HTML.
    pub data: &'a str,
    pub script: &'a str,
}

/// The page of these parts.
pub(crate) fn document(parts: &Parts<'_>) -> String {
    let Parts { title, style, body, data, script } = parts;
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>\n{style}</style>\n\
         <script>{MARK}</script>\n</head>\n<body>\n{body}\
         <script type=\"application/json\" id=\"data\">{data}</script>\n<script>\n{script}</script>\n</body>\n</html>\n"
    )
}

fn body(report: &Report, timelines: &[Timeline]) -> String {
    let sections = [
        head::section(report),
        findings::section(report),
        expectations::section(report),
        pictures::section(report, timelines),
        rules::section(report),
        devices::section(report),
        delivery::section(report),
        devices::endings(report),
        trust::section(report),
        head::notes(report),
        head::foot(),
    ];
    let skip = "<a class=\"skip\" href=\"#timeline\">Skip to the timeline</a>\n";
    format!("{skip}{}", sections.concat())
}
