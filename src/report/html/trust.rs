//! How far the figures can be trusted: the report's own uncertainty, in sentences.

use super::escape::text;
use crate::report::model::{Report, Uncertainty};
use crate::report::words::count;

pub(super) fn section(report: &Report) -> String {
    let told = told(&report.uncertainty);
    let items: String = told.iter().map(|one| format!("<li>{}</li>\n", text(one))).collect();
    format!(
        "<section aria-labelledby=\"trust\"><h2 id=\"trust\">How far the figures can be trusted</h2>\n\
         <ul class=\"notes\" id=\"uncertainty\">\n{items}</ul></section>\n"
    )
}

fn told(known: &Uncertainty) -> Vec<String> {
    let mut told = vec![values(known)];
    if !known.fidelity.is_empty() {
        let each: Vec<String> =
            known.fidelity.iter().map(|(way, windows)| format!("{way} {windows}")).collect();
        told.push(format!("Fault windows by how they were really made: {}.", each.join(", ")));
    }
    if known.dropped.is_empty() {
        told.push("Nothing was dropped: every event is in the figures.".into());
    }
    told.extend(known.dropped.iter().map(|what| format!("Not in the figures: {what}.")));
    let (taken, resolution) = (known.stamps.taken, known.stamps.resolution_s * 1e9);
    told.push(format!("Times are taken {taken}; the clock\u{2019}s resolution is {resolution} ns."));
    let share = known.histogram_error * 100.0;
    told.push(format!("Round trips and gaps are kept to within {share} % of each."));
    told
}

fn values(known: &Uncertainty) -> String {
    if known.values == 0 {
        return "No measure of a fault window has a value.".into();
    }
    let exact = known.values.saturating_sub(known.bracketed).saturating_sub(known.hidden);
    let mut parts = vec![format!("{exact} exact")];
    if known.bracketed > 0 {
        parts.push(format!(
            "{} between two ends, since it is not known when it happened, or how often",
            known.bracketed
        ));
    }
    if known.hidden > 0 {
        parts.push(format!("{} unknown, since the fault hid whether it happened at all", known.hidden));
    }
    format!("Of {} of measures: {}.", count(known.values, "value"), parts.join(", "))
}
