//! What was found out, the gravest first: what was seen, why probably, what to do.

use super::escape::text;
use super::moment;
use crate::report::model::{Finding, Report, Seen};
use crate::report::words::count;

/// So many findings are told in full; the others are counted.
const MOST: usize = 200;

pub(super) fn section(report: &Report) -> String {
    let several = report.runs.len() > 1;
    let items: String = report.findings.iter().take(MOST).map(|one| finding(one, several)).collect();
    let left = report.findings.len().saturating_sub(MOST);
    let more = if left > 0 {
        format!("<p class=\"faint\">and {left} more, in report.json</p>\n")
    } else {
        String::new()
    };
    let list = if items.is_empty() {
        "<p class=\"faint\">Nothing was found beside the figures.</p>\n".to_owned()
    } else {
        format!("<ul class=\"findings\">\n{items}</ul>\n{more}")
    };
    format!("<section aria-labelledby=\"findings\"><h2 id=\"findings\">Findings</h2>\n{list}</section>\n")
}

fn finding(finding: &Finding, several: bool) -> String {
    let grade = text(finding.grade);
    let device = finding.device.as_deref().map_or("the whole fleet".to_owned(), text);
    let run = if several { format!(", run {}", finding.run) } else { String::new() };
    let times = if finding.count > 1 { format!(", {}", count(finding.count, "time")) } else { String::new() };
    let rule =
        finding.rule.map_or(String::new(), |rule| format!(" <span class=\"cite\">[{}]</span>", text(rule)));
    let open = if finding.grade == "fail" { " open" } else { "" };
    format!(
        "<li class=\"card {grade}\"><details{open}><summary><span class=\"badge {grade}\">{grade}</span> \
         <span class=\"what\">{}{rule}</span> <span class=\"faint\">{}: {device}{run}{times}</span></summary>\n\
         <dl><dt>Probable cause</dt><dd>{}</dd><dt>What to do</dt><dd>{}</dd>{}<dt>Name</dt><dd><code>{}</code></dd></dl>\
         </details></li>\n",
        text(&finding.seen),
        text(finding.class),
        text(&finding.cause),
        text(&finding.advice),
        evidence(finding),
        text(finding.id),
    )
}

fn evidence(finding: &Finding) -> String {
    let seen = &finding.evidence;
    if seen.is_empty() {
        return String::new();
    }
    let one = |seen: &Seen| {
        format!(
            "<li>{} <span class=\"faint\">{}, event {}</span></li>",
            text(&seen.what),
            moment::link(seen.at_s, finding.run, finding.device.as_deref(), "at "),
            seen.seq
        )
    };
    let items: String = seen.iter().map(one).collect();
    format!("<dt>Evidence</dt><dd><ul>{items}</ul></dd>")
}
