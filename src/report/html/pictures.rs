//! The places of the pictures, which the script draws, and what there is to read instead.

use crate::report::model::Report;
use crate::report::timeline::{MOST_LANES, Timeline};
use crate::report::words::{count, seconds};

/// How the lanes are worked, for those who see them and those who hear them.
const HELP: &str = "Lanes: arrow up and down go from device to device, left and right from change to change; \
                    plus and minus zoom, Escape takes away the line of a moment, Shift with left and right moves the view, 0 shows the whole run. \
                    With a pointer: drag to move, Ctrl with the wheel (or two fingers) to zoom; over the charts above, \
                    drag over a span to zoom into it.";

pub(super) fn section(report: &Report, timelines: &[Timeline]) -> String {
    if timelines.is_empty() {
        return String::new();
    }
    format!(
        "<section id=\"timeline\" class=\"wide\" aria-labelledby=\"timeline-head\"><h2 id=\"timeline-head\">Timeline</h2>\n\
         <noscript><p class=\"faint\">The pictures and the sorting of tables need JavaScript. All else is here.</p></noscript>\n\
         <div id=\"pictures\" hidden>\n{TOOLS}{LEGEND}{FLEET}{LANES}\
         <p id=\"help\" class=\"faint help\">{HELP}</p>\n</div>\n{}</section>\n\
         <section id=\"spread\" class=\"wide\" aria-labelledby=\"spread-head\" hidden><h2 id=\"spread-head\">Detection and recovery</h2>\n\
         <p class=\"faint\">Each value is one fault window. From the start of the fault to each end\u{2019}s first sign; from the \
         path restored, or from a fault that leaves the path alone, to the CONNACK that accepts the device. The marks under a line are its median and its 95th percentile, the \
         dashed lines the limits of expectations.</p>\n\
         <div id=\"spreads\"></div>\n</section>\n",
        bounds(report, timelines),
    )
}

const TOOLS: &str = "<div class=\"tools\" role=\"toolbar\" aria-label=\"Timeline\">\n\
    <label id=\"run-label\" hidden>Run <select id=\"run\"></select></label>\n\
    <label>Devices <input id=\"lane-filter\" type=\"search\" placeholder=\"part of a name\" autocomplete=\"off\" spellcheck=\"false\"></label>\n\
    <label>Order <select id=\"lane-order\"><option value=\"seen\">as they appeared</option>\
    <option value=\"worst\">longest down first</option><option value=\"name\">by name</option></select></label>\n\
    <label>Lanes <select id=\"lane-size\"><option value=\"auto\">readable</option><option value=\"large\">large (packet names)</option><option value=\"small\">small</option>\
    <option value=\"fit\">all on one screen</option></select></label>\n\
    <span class=\"zoom\"><button type=\"button\" id=\"zoom-in\" aria-label=\"Zoom in\">+</button>\
    <button type=\"button\" id=\"zoom-out\" aria-label=\"Zoom out\">\u{2212}</button>\
    <button type=\"button\" id=\"earlier\" aria-label=\"Earlier\">\u{2190}</button>\
    <button type=\"button\" id=\"later\" aria-label=\"Later\">\u{2192}</button>\
    <button type=\"button\" id=\"zoom-all\">Whole run</button></span>\n</div>\n";

const LEGEND: &str = "<ul class=\"legend\" id=\"legend\" aria-label=\"What the lanes show\"></ul>\n";

const FLEET: &str = "<div class=\"charts\">\n\
    <canvas id=\"faults-strip\" role=\"img\" aria-label=\"When faults held\"></canvas>\n\
    <h3 id=\"level-head\">Connected devices</h3>\n<canvas id=\"level\" role=\"img\" aria-labelledby=\"level-head\" aria-describedby=\"level-told\"></canvas>\n\
    <p id=\"level-told\" class=\"unseen\"></p>\n\
    <h3 id=\"rate-head\">Connect attempts in each of the run's own seconds</h3>\n<canvas id=\"rate\" role=\"img\" aria-labelledby=\"rate-head\" aria-describedby=\"rate-told\"></canvas>\n\
    <p id=\"rate-told\" class=\"unseen\"></p>\n\
    <div id=\"flow-part\"><h3 id=\"flow-head\">PUBLISH packets per second</h3>\n<canvas id=\"flow\" role=\"img\" aria-labelledby=\"flow-head\"></canvas></div>\n\
    <h3 id=\"lanes-head\">A lane for each device</h3>\n<canvas id=\"axis\" role=\"img\" aria-label=\"Seconds of the run\" aria-describedby=\"axis-told\"></canvas>\n    <p id=\"axis-told\" class=\"faint help\"></p>\n</div>\n";

const LANES: &str = "<div id=\"lanes\" tabindex=\"0\" role=\"application\" aria-roledescription=\"timeline\" \
    aria-labelledby=\"lanes-head\" aria-describedby=\"help\"><div id=\"lanes-height\"><canvas id=\"lanes-canvas\"></canvas></div></div>\n\
    <p id=\"told\" class=\"told\" role=\"status\" aria-live=\"polite\"></p>\n<div id=\"tip\" class=\"tip\" hidden></div>\n";

/// What of the timelines is summed up or left out.
fn bounds(report: &Report, timelines: &[Timeline]) -> String {
    let mut told = Vec::new();
    let several = timelines.len() > 1;
    for timeline in timelines {
        let which = match super::data::run_of(report, timeline) {
            Some(run) if several => format!("Run {run}: "),
            Some(_) | None => String::new(),
        };
        told.extend(summed_up(timeline).into_iter().map(|one| format!("<li>{which}{one}</li>\n")));
    }
    if told.is_empty() {
        String::new()
    } else {
        format!("<ul class=\"notes bounds\">\n{}</ul>\n", told.concat())
    }
}

fn summed_up(timeline: &Timeline) -> Vec<String> {
    let coarse = timeline.lanes().map(|(_, lane)| lane).filter(|lane| !lane.grain().is_zero());
    let (lanes, grain) =
        coarse.fold((0, 0.0_f64), |(n, most), lane| (n + 1, most.max(lane.grain().as_secs_f64())));
    let marks = timeline.lanes().map(|(_, lane)| lane.marks_grain().as_secs_f64()).fold(0.0, f64::max);
    let mut told = Vec::new();
    if lanes > 0 {
        let lanes = count(lanes, "lane");
        told.push(format!(
            "{lanes} had too many changes: those that followed each other within {} are drawn as one.",
            seconds(grain)
        ));
    }
    if marks > 0.0 {
        told.push(format!(
            "Packets of a kind within {} of a lane are one mark, with their number.",
            seconds(marks)
        ));
    }
    if timeline.without_lane() > 0 {
        let left = timeline.without_lane();
        told.push(format!(
            "{left} devices beyond {MOST_LANES} have no lane, and are not counted as connected here."
        ));
    }
    if timeline.windows().left_out() > 0 {
        told.push(format!("{} fault windows are too many to be shaded.", timeline.windows().left_out()));
    }
    told
}
