//! The front and the combinations as tables.

use super::heat::title;
use crate::keepalive::aspect::{Aspect, Axis, varying};
use crate::keepalive::figure::{Figure, Reading};
use crate::keepalive::forms::{present, shown};
use crate::keepalive::model::{Row, Sweep};
use crate::keepalive::pareto::Front;
use crate::report::html::escape::text;

/// Rows of a table.
pub(super) const MOST_ROWS: usize = 200;

/// The combinations on the front, those that are noticed soonest first.
pub(super) fn front(sweep: &Sweep, axes: &[Axis], front: &Front) -> String {
    let mut members: Vec<usize> = front.members.clone();
    let weight = |nth: usize| {
        let row = sweep.cases.get(nth)?;
        Figure::DeviceP95.of(row, &sweep.terms).weight()
    };
    members
        .sort_by(|a, b| weight(*a).unwrap_or(f64::INFINITY).total_cmp(&weight(*b).unwrap_or(f64::INFINITY)));
    let caption = "The front, what the device notices soonest first";
    format!("<h3>The front</h3>\n{}</section>\n", table(sweep, axes, &members, None, caption, members.len()))
}

/// All combinations, as far as there is room.
pub(super) fn all(sweep: &Sweep, axes: &[Axis], front: &Front) -> String {
    let some: Vec<usize> = (0..sweep.cases.len().min(MOST_ROWS)).collect();
    let table =
        table(sweep, axes, &some, Some(front), "In the order of the axes; * on the front", sweep.cases.len());
    format!("<section aria-labelledby=\"all\"><h2 id=\"all\">Combinations</h2>\n{table}</section>\n")
}

fn table(
    sweep: &Sweep,
    axes: &[Axis],
    rows: &[usize],
    stars: Option<&Front>,
    caption: &str,
    of: usize,
) -> String {
    let (aspects, figures) = (varying(axes), present(sweep));
    let names = if aspects.is_empty() { vec![Aspect::KeepAlive] } else { aspects };
    let star = if stars.is_some() {
        "<th scope=\"col\"><span class=\"unseen\">on the front</span></th>"
    } else {
        ""
    };
    let heads: String = names
        .iter()
        .map(|aspect| format!("<th scope=\"col\" title=\"{}\">{}</th>", aspect.meaning(), aspect.name()))
        .collect();
    let figure_heads: String = figures
        .iter()
        .map(|figure| {
            format!("<th scope=\"col\" class=\"fig\" title=\"{}\">{}</th>", figure.meaning(), title(*figure))
        })
        .collect();
    let line = |nth: &usize| {
        let row = sweep.cases.get(*nth)?;
        let star = stars.map_or(String::new(), |front| {
            let is_member = front.members.binary_search(nth).is_ok();
            format!("<td>{}</td>", if is_member { "*" } else { "" })
        });
        let names: String =
            names.iter().map(|aspect| format!("<td>{}</td>", text(&aspect.of(&row.case)))).collect();
        let figures: String = figures.iter().map(|figure| cell(*figure, row, sweep)).collect();
        Some(format!("<tr>{star}{names}{figures}</tr>\n"))
    };
    let lines: String = rows.iter().take(MOST_ROWS).filter_map(line).collect();
    let caption = text(caption);
    let left_out = if of > MOST_ROWS {
        format!("<p class=\"left-out\">The first {MOST_ROWS} of {of}; the CSV has all.</p>\n")
    } else {
        String::new()
    };
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table class=\"rows\">\
         <caption>{caption}</caption>\n<thead><tr>{star}{heads}{figure_heads}</tr></thead>\n<tbody>\n{lines}</tbody></table></div>\n{left_out}"
    )
}

fn cell(figure: Figure, row: &Row, sweep: &Sweep) -> String {
    match figure.of(row, &sweep.terms) {
        Reading::NoSample => "<td class=\"fig none\">\u{2013}</td>".into(),
        Reading::Never => "<td class=\"fig never\">never</td>".into(),
        Reading::Time(_) | Reading::Number(_) => {
            format!("<td class=\"fig\">{}</td>", text(&shown(figure, row, &sweep.terms)))
        }
    }
}
