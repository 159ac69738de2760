//! The expectations, the unmet first, each with the combinations that speak against it.

use crate::keepalive::aspect::{Axis, varying};
use crate::keepalive::expect::Verdict;
use crate::keepalive::forms::verdicts::{against, word};
use crate::measure::Judgement;
use crate::report::html::escape::text;
use crate::report::words::many;

pub(super) fn section(verdicts: &[Verdict], axes: &[Axis]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let (met, not): (Vec<_>, Vec<_>) = verdicts.iter().partition(|verdict| verdict.judgement.is_met());
    let all = many(verdicts.len(), "expectation");
    let (grade, result, why) = if not.is_empty() {
        ("pass", "Passed", format!("{all}: all met"))
    } else {
        ("fail", "Failed", format!("{} of {all} unmet", not.len()))
    };
    let rows: String = not.into_iter().chain(met).map(|verdict| row(verdict, axes)).collect();
    format!(
        "<section class=\"verdict {grade}\" aria-label=\"Verdict\">\n<p class=\"word\">{result}</p>\n\
         <p class=\"why\">{why}</p>\n</section>\n\
         <section aria-labelledby=\"expectations\"><h2 id=\"expectations\">Expectations</h2>\n\
         <div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Expectations\"><table class=\"expectations\">\n\
         <thead><tr><th scope=\"col\">Result</th><th scope=\"col\">Expectation</th>\
         <th scope=\"col\" class=\"fig\">Combinations</th><th scope=\"col\">What speaks against it</th></tr></thead>\n\
         <tbody>\n{rows}</tbody></table></div></section>\n"
    )
}

fn row(verdict: &Verdict, axes: &[Axis]) -> String {
    let grade = match verdict.judgement {
        Judgement::Met => "pass",
        Judgement::Unmet => "fail",
        Judgement::Inconclusive | Judgement::NoEvidence => "inconclusive",
    };
    let lines = match verdict.cases {
        0 => vec!["no combination is selected".to_owned()],
        _ => against(verdict, &varying(axes)),
    };
    let items: String = lines.iter().map(|line| format!("<li>{}</li>", text(line))).collect();
    let items = if items.is_empty() { items } else { format!("<ul>{items}</ul>") };
    format!(
        "<tr><td><span class=\"badge {grade}\">{}</span></td><td>{}</td><td class=\"fig\">{}</td><td>{items}</td></tr>\n",
        word(verdict.judgement).to_lowercase(),
        text(&verdict.expectation.to_string()),
        verdict.cases,
    )
}
