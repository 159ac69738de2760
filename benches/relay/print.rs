//! Tables, for a terminal or as Markdown.

use crate::args::Args;
use crate::profiles::Rules;
use crate::row::{Against, Bar, Limit, Metric, Row};
use crate::run::{Measured, Verdict, reference};
use crate::ways::{Kind, find};
use std::fs;
use std::process::Command;

/// The direct way is to be so much faster than the fastest way in between, or the load is what is measured.
const HEADROOM: f64 = 1.5;

/// A way that waits for its core for more of its time than this has been disturbed.
const SHARED: f64 = 0.05;

pub struct Printer {
    is_markdown: bool,
    met: usize,
    missed: usize,
}

impl Printer {
    pub fn new(args: &Args, is_pinned: bool, cores: usize) -> Printer {
        let printer = Printer { is_markdown: args.markdown, met: 0, missed: 0 };
        printer.line(&machine(cores));
        printer.line(&if is_pinned {
            format!("What is in between: core {}; devices and hub: core {}.", args.proxy_core, args.load_core)
        } else {
            "Not pinned: devices, hub and what is in between share the cores, and only processor time says much.".into()
        });
        printer
    }

    pub fn row(&mut self, row: &Row, measured: &[Measured], verdicts: &[(&Bar, Verdict)]) {
        self.title(row, measured);
        let mut lines = vec![header(row, measured)];
        lines.extend(measured.iter().map(|way| line(row, way, measured)));
        self.table(&lines);
        if let Some(note) = bound(row, measured) {
            self.line(&note);
        }
        if let Some(note) = shared(measured) {
            self.line(&note);
        }
        for (bar, verdict) in verdicts {
            let state = match (verdict.is_met, verdict.reached) {
                (_, None) => "not measured",
                (true, _) => "ok",
                (false, _) => "MISSED",
            };
            self.met += usize::from(state == "ok");
            self.missed += usize::from(state == "MISSED");
            self.bullet(&told(row, bar, verdict, state, reference(measured)));
        }
    }

    pub fn end(&self) {
        self.line(&format!("Bars: {} met, {} missed.", self.met, self.missed));
    }

    fn title(&self, row: &Row, _measured: &[Measured]) {
        let mark = if self.is_markdown { "### " } else { "" };
        println!("\n{mark}{}  [{}]\n", row.title, row.id);
    }

    fn line(&self, text: &str) {
        println!("{}{text}", if self.is_markdown { "\n" } else { "" });
    }

    fn bullet(&self, text: &str) {
        println!("{}{text}", if self.is_markdown { "- " } else { "  " });
    }

    fn table(&self, lines: &[Vec<String>]) {
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
        for (nth, line) in lines.iter().enumerate() {
            let cells: Vec<_> =
                line.iter().zip(&widths).enumerate().map(|(n, (cell, width))| pad(cell, *width, n)).collect();
            if self.is_markdown {
                println!("| {} |", cells.join(" | "));
            } else {
                println!("  {}", cells.join("  ").trim_end());
            }
            if nth == 0 && self.is_markdown {
                println!("|---{}|", "|--:".repeat(widths.len() - 1));
            }
        }
        println!();
    }
}

/// Names to the left, figures to the right.
fn pad(cell: &str, width: usize, column: usize) -> String {
    if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
}

fn header(row: &Row, measured: &[Measured]) -> Vec<String> {
    let to = reference(measured).map_or("?", |way| short(way));
    let columns = row.metrics.iter().flat_map(|metric| {
        let ratio = metric.has_ratio.then(|| format!("/ {to}"));
        [Some(metric.name.to_owned()), ratio].into_iter().flatten()
    });
    std::iter::once(String::new()).chain(columns).collect()
}

fn short(way: &Measured) -> &str {
    if matches!(way.kind, Kind::HaProxy) { "H" } else { &way.name }
}

fn line(row: &Row, way: &Measured, all: &[Measured]) -> Vec<String> {
    let mut cells = vec![way.name.clone()];
    for (nth, metric) in row.metrics.iter().enumerate() {
        cells.push(way.spread(nth).map_or_else(|| "-".to_owned(), |figure| shown(metric, figure.median)));
        if metric.has_ratio {
            let ratio = reference(all).and_then(|to| way.ratio(to, nth));
            cells.push(
                ratio.map_or_else(
                    || "-".to_owned(),
                    |r| format!("{:.2} ({:.2}..{:.2})", r.median, r.min, r.max),
                ),
            );
        }
    }
    cells
}

fn shown(metric: &Metric, figure: f64) -> String {
    format!("{:.*}", metric.decimals, figure / metric.scale)
}

/// Whether something else ran on the core meanwhile.
fn shared(measured: &[Measured]) -> Option<String> {
    let most = measured.iter().max_by(|a, b| a.waited.total_cmp(&b.waited))?;
    let percent = most.waited * 100.0;
    (most.waited > SHARED)
        .then(|| format!("busy machine: {} had to wait for its core {percent:.0} % of its time", most.name))
}

/// Whether the load could have been faster than the fastest.
fn bound(row: &Row, measured: &[Measured]) -> Option<String> {
    let nth = row.metrics.iter().position(|metric| metric.is_rate)?;
    let of = |way: &Measured| way.spread(nth).map_or(0.0, |figure| figure.median);
    let is_direct = |way: &&Measured| matches!(way.kind, Kind::Direct);
    let direct = measured.iter().find(is_direct).map(of)?;
    let (name, fastest) = measured
        .iter()
        .filter(|way| !is_direct(way))
        .map(|way| (&way.name, of(way)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let factor = direct / fastest;
    (factor < HEADROOM)
        .then(|| format!("generator-bound: direct is {factor:.2} times {name}; processor time tells more"))
}

fn told(row: &Row, bar: &Bar, verdict: &Verdict, state: &str, to: Option<&Measured>) -> String {
    let metric = &row.metrics[bar.metric];
    let (sign, limit) = match bar.limit {
        Limit::AtLeast(least) => (">=", least),
        Limit::AtMost(most) => ("<=", most),
    };
    let unit = match bar.against {
        Against::Absolute => String::new(),
        Against::Reference => format!(" {}", to.map_or("?", |to| short(to))),
        Against::NoRules if bar.of == Rules::SecondCore => " of one core".to_owned(),
        Against::NoRules => " of without rules".to_owned(),
    };
    let reached = verdict.reached.map_or_else(String::new, |reached| format!(": {reached:.2}"));
    format!("{} {} {sign} {limit}{unit}{reached} {state}", verdict.who, metric.name)
}

/// The machine and who else is busy on it.
fn machine(cores: usize) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}, {}; load {load}.",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        haproxy()
    )
}

fn haproxy() -> String {
    let said = find("haproxy").and_then(|program| Command::new(program).arg("-v").output().ok());
    let said = said.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).into_owned());
    said.lines().next().map_or_else(
        || "no HAProxy".to_owned(),
        |line| line.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
    )
}
