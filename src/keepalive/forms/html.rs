//! A sweep as a page: one file that needs nothing else, in the looks of the report's page.
//!
//! What there is to read stands in the HTML itself: without a script the heat maps show the first combination of the further axes
//! and selects are missing. The script sets texts and classes and never markup; a policy in the page forbids it to load anything.
//! The page is bounded ([`heat::MOST_CELLS`], [`scatter::MOST_POINTS`], [`tables::MOST_ROWS`]) and says what it leaves out.

mod expectations;
mod heat;
mod scatter;
mod tables;

use super::remarks::remarks;
use super::{conditions, extent};
use crate::keepalive::aspect::{Axis, axes};
use crate::keepalive::expect::Verdict;
use crate::keepalive::model::Sweep;
use crate::keepalive::pareto;
use crate::report::html::escape::{self, text};
use crate::report::html::{PAGE, Parts, document};

const STYLE: &str = include_str!("html/sweep.css");
const SCRIPT: &str = include_str!("html/sweep.js");

/// So many values of an axis are told in the head.
const MOST_VALUES: usize = 40;

/// The HTML.
pub fn html(sweep: &Sweep, verdicts: &[Verdict]) -> String {
    page(sweep, verdicts, &[PAGE, STYLE].concat(), SCRIPT)
}

pub(super) fn page(sweep: &Sweep, verdicts: &[Verdict], style: &str, script: &str) -> String {
    let maps = heat::Maps::of(sweep);
    let (body, data) = (body(sweep, verdicts, &maps), escape::json(&maps.json()));
    let title = "Keep-alive sweep \u{2013} brownout";
    document(&Parts { title, style, body: &body, data: &data, script })
}

fn body(sweep: &Sweep, verdicts: &[Verdict], maps: &heat::Maps) -> String {
    let axes = axes(sweep);
    let mut out = head(sweep, &axes) + &expectations::section(verdicts, &axes);
    if sweep.cases.is_empty() {
        out += "<p>No combination was simulated.</p>\n";
    } else {
        let front = pareto::front(sweep, &pareto::DEFAULT);
        out += &stands_out(sweep);
        out += &maps.section();
        out += &scatter::section(sweep, &axes, &front);
        out += &tables::front(sweep, &axes, &front);
        out += &tables::all(sweep, &axes, &front);
    }
    out + NOTES + &foot()
}

fn head(sweep: &Sweep, axes: &[Axis]) -> String {
    let told = |axis: &Axis| {
        let values: Vec<String> = axis
            .values
            .iter()
            .take(MOST_VALUES)
            .map(|value| format!("<code>{}</code>", text(value)))
            .collect();
        let more = axis.values.len().saturating_sub(MOST_VALUES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("<dt>{}</dt><dd>{}{more}{}</dd>\n", axis.aspect.name(), values.join(" "), axis.note())
    };
    let (vary, same): (Vec<&Axis>, Vec<&Axis>) = axes.iter().partition(|axis| axis.values.len() > 1);
    let list = |title: &str, axes: &[&Axis]| {
        let items: String = axes.iter().map(|axis| told(axis)).collect();
        if items.is_empty() || sweep.cases.is_empty() {
            String::new()
        } else {
            format!("<div><h3>{title}</h3>\n<dl>\n{items}</dl></div>\n")
        }
    };
    format!(
        "<header class=\"top\">\n<div class=\"brand\"><strong>brownout</strong> keepalive sweep\
         <button type=\"button\" id=\"theme\" class=\"needs-js\" hidden>Dark</button></div>\n\
         <h1>Keep-alive sweep</h1>\n<p class=\"lead\">{}, simulated.</p>\n<p class=\"facts\">{}</p>\n</header>\n<main>\n\
         <section class=\"axes\" aria-label=\"What was simulated\">\n{}{}</section>\n",
        text(&extent(sweep)),
        text(&conditions(&sweep.terms).join(", ")),
        list("What varies", &vary),
        list("The same in all", &same),
    )
}

fn stands_out(sweep: &Sweep) -> String {
    let items: String = remarks(sweep).iter().map(|remark| format!("<li>{}</li>\n", text(remark))).collect();
    if items.is_empty() {
        return String::new();
    }
    format!(
        "<section aria-labelledby=\"remarks\"><h2 id=\"remarks\">What stands out</h2>\n<ul class=\"notes\">\n{items}</ul></section>\n"
    )
}

const NOTES: &str = "<section aria-labelledby=\"notes\"><h2 id=\"notes\">What to know</h2>\n<ul class=\"notes\">\n\
    <li>All figures are of simulated time, from brownout\u{2019}s own engine, device and hub.</li>\n\
    <li>Detection is counted from the start of an outage; <b>never</b>: not before the link was over otherwise, or the run. \
    It stands behind every time. <b>\u{2013}</b>: nothing speaks to it.</li>\n\
    <li>Downtime is the time in which a message could not have been passed on: an outage holds, or the device has no link that \
    the hub shares.</li>\n\
    <li>Percentiles are nearest-rank, each of one combination; nothing is averaged.</li>\n\
    <li>A month is 30 days. Bytes are of IP, both ways; 1 kB is 1000 bytes.</li>\n</ul></section>\n";

fn foot() -> String {
    format!(
        "</main>\n<footer class=\"faint\">Written by brownout {}. This page loads nothing.</footer>\n",
        env!("CARGO_PKG_VERSION")
    )
}
