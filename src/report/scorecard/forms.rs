//! What the forms of a scorecard say alike: figures of a cell in few characters, and text made fit for markup.

use super::model::{Cell, Scorecard};
use crate::base::text::printable;
use crate::report::model::Figure;
use crate::report::words::{count, many, perhaps, seconds};

/// What became of the longest detection.
enum Detection {
    /// Noticed after so long, or within it.
    After(String, Bound),
    /// Not noticed in so long.
    NotIn(String),
    /// The fault hid it.
    Hidden,
    /// FIN or RST told it.
    Told,
}

/// What a figure says of a time.
enum Bound {
    Exact,
    /// The greatest that it can be.
    Upper,
}

fn detection(cell: &Cell) -> Option<Detection> {
    let in_keep_alives = |span: f64| match cell.detection_keep_alive_s {
        Some(keep_alive) => format!("{:.1} K", span / keep_alive),
        None => seconds(span),
    };
    let bound =
        if matches!(cell.detected_s, Some(Figure::Between { .. })) { Bound::Upper } else { Bound::Exact };
    Some(match (cell.detected_s?, cell.detected_keepalives) {
        (Figure::Never { never_watched_s }, _) if never_watched_s > 0.0 => {
            Detection::NotIn(in_keep_alives(never_watched_s))
        }
        (Figure::Never { .. }, _) => Detection::Hidden,
        (_, Some(keep_alives)) => Detection::After(format!("{keep_alives:.1} K"), bound),
        (Figure::Seconds(span) | Figure::Between { before_s: span, .. }, None)
            if cell.detection_keep_alive_s.is_none() =>
        {
            Detection::After(seconds(span), bound)
        }
        (Figure::Seconds(_) | Figure::Between { .. }, None) => Detection::Told,
        (Figure::Count(_) | Figure::CountBetween { .. }, None) => return None,
    })
}

/// `1.3 K`, `<1.3 K`, `>4.0 K`, or `told` where FIN or RST told it; in seconds where the device has no keep-alive. `None` where
/// there was nothing to notice.
pub(super) fn detected(cell: &Cell) -> Option<String> {
    Some(match detection(cell)? {
        Detection::After(after, Bound::Exact) => after,
        Detection::After(within, Bound::Upper) => format!("<{within}"),
        Detection::NotIn(watched) => format!(">{watched}"),
        Detection::Hidden => "hidden".into(),
        Detection::Told => "told".into(),
    })
}

/// The same in words: `detected after 1.3 K`, `not detected in 4.0 K`.
pub(super) fn detected_words(cell: &Cell) -> Option<String> {
    Some(match detection(cell)? {
        Detection::After(after, Bound::Exact) => format!("detected after {after}"),
        Detection::After(within, Bound::Upper) => format!("detected within {within}"),
        Detection::NotIn(watched) => format!("not detected in {watched}"),
        Detection::Hidden => "not seen whether it was detected".into(),
        Detection::Told => "told by FIN or RST".into(),
    })
}

/// `0.4 s`, `<0.4 s`, `>9.0 s` where it was not back in so long; `None` where it was not down, or back before.
pub(super) fn recovered(cell: &Cell) -> Option<String> {
    match cell.recovered_s? {
        Figure::Seconds(after) => Some(seconds(after)),
        Figure::Between { before_s, .. } => Some(format!("<{}", seconds(before_s))),
        Figure::Never { never_watched_s } if never_watched_s > 0.0 => {
            Some(format!(">{}", seconds(never_watched_s)))
        }
        Figure::Never { .. } => Some("hidden".into()),
        Figure::Count(_) | Figure::CountBetween { .. } => None,
    }
}

/// The same in words: `back after 0.4 s`, `not back in 9.0 s`.
pub(super) fn recovered_words(cell: &Cell) -> Option<String> {
    Some(match cell.recovered_s? {
        Figure::Seconds(after) => format!("back after {}", seconds(after)),
        Figure::Between { before_s, .. } => format!("back within {}", seconds(before_s)),
        Figure::Never { never_watched_s } if never_watched_s > 0.0 => {
            format!("not back in {}", seconds(never_watched_s))
        }
        Figure::Never { .. } => "not seen whether it was back".into(),
        Figure::Count(_) | Figure::CountBetween { .. } => return None,
    })
}

/// `2 lost`, `0 to 3 lost`: messages of QoS 1 and 2; `None` where none was, as far as is known.
pub(super) fn lost(cell: &Cell) -> Option<String> {
    let in_order = |counts: Option<[u64; 3]>| counts.map_or(0, |[_, once, exactly]| once + exactly);
    let (lost, unknown) = (in_order(cell.lost), in_order(cell.perhaps_lost));
    (lost + unknown > 0).then(|| format!("{} lost", perhaps(lost, unknown)))
}

/// What a cell says, in a line: `detected after 1.3 K, back after 0.4 s, 2 findings`.
pub(super) fn sentence(cell: &Cell) -> String {
    let findings = (cell.findings > 0).then(|| count(cell.findings, "finding"));
    let parts = [detected_words(cell), recovered_words(cell), lost(cell), findings];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
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
