//! What the forms of a scorecard say alike: figures of a cell in few characters, and text made fit for markup.

use super::model::{Cell, Scorecard};
use crate::base::text::printable;
use crate::report::model::Figure;
use crate::report::words::{count, many, perhaps, seconds};

/// `1.3 K`, `>4.0 K`, or `told` where FIN or RST told it; `None` where there was nothing to notice.
pub(super) fn detected(cell: &Cell, keep_alive_s: f64) -> Option<String> {
    let told = match (cell.detected_s?, cell.detected_keepalives) {
        (Figure::Never { never_watched_s }, _) if never_watched_s > 0.0 => {
            format!(">{:.1} K", never_watched_s / keep_alive_s)
        }
        (Figure::Never { .. }, _) => "hidden".into(),
        (_, Some(keep_alives)) => format!("{keep_alives:.1} K"),
        (Figure::Seconds(_) | Figure::Between { .. }, None) => "told".into(),
        (Figure::Count(_) | Figure::CountBetween { .. }, None) => return None,
    };
    Some(told)
}

/// The same in words: `detected after 1.3 K`, `told by FIN or RST`.
pub(super) fn detected_words(cell: &Cell, keep_alive_s: f64) -> Option<String> {
    detected(cell, keep_alive_s).map(|after| match after.as_str() {
        "told" => "told by FIN or RST".to_owned(),
        _ => format!("detected after {after}"),
    })
}

/// `0.4 s`, `never`; `None` where it was not down, or back before.
pub(super) fn recovered(cell: &Cell) -> Option<String> {
    match cell.recovered_s? {
        Figure::Seconds(after) | Figure::Between { before_s: after, .. } => Some(seconds(after)),
        Figure::Never { .. } => Some("never".into()),
        Figure::Count(_) | Figure::CountBetween { .. } => None,
    }
}

/// `2 lost`, `0 to 3 lost`: messages of QoS 1 and 2; `None` where none was, as far as is known.
pub(super) fn lost(cell: &Cell) -> Option<String> {
    let in_order = |counts: Option<[u64; 3]>| counts.map_or(0, |[_, once, exactly]| once + exactly);
    let (lost, unknown) = (in_order(cell.lost), in_order(cell.perhaps_lost));
    (lost + unknown > 0).then(|| format!("{} lost", perhaps(lost, unknown)))
}

/// What a cell says, in a line: `detected after 1.3 K, back after 0.4 s, 2 findings`.
pub(super) fn sentence(cell: &Cell, keep_alive_s: f64) -> String {
    let detected = detected_words(cell, keep_alive_s);
    let recovered = recovered(cell).map(|after| format!("back after {after}"));
    let findings = (cell.findings > 0).then(|| count(cell.findings, "finding"));
    let parts: Vec<String> = [detected, recovered, lost(cell), findings].into_iter().flatten().collect();
    parts.join(", ")
}

/// How the suite came out: `20 pass, 3 FAIL, 1 n/a`.
pub(super) fn totals(card: &Scorecard) -> String {
    use super::Verdict::{Error, Fail, Inconclusive, NotApplicable, NotRun, Pass, Warn};
    let counts = [Pass, Warn, Fail, Inconclusive, Error, NotApplicable, NotRun]
        .map(|verdict| (card.count(verdict), verdict.word()));
    let told: Vec<String> = counts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    told.join(", ")
}

/// Whether the machine kept up, in a sentence.
pub(super) fn timing(card: &Scorecard) -> String {
    let timing = card.timing;
    let (worst, bound) = (seconds(timing.worst_s), seconds(timing.bound_s));
    let jobs = many(timing.jobs, "run");
    match timing.disturbed {
        0 => format!("{jobs} at once at most; no timer was over {worst} late (bound {bound})"),
        disturbed => format!(
            "{jobs} at once at most; timers were up to {worst} late during {disturbed} of them, over the bound of {bound}: \
             what passed stands, what failed near a limit was made again or is unclear; use fewer --jobs"
        ),
    }
}

/// Text for XML and HTML, also in attributes; control characters, which XML has no form of, made visible.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // The two of Unicode that XML does not take.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
