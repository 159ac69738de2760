//! The scorecard as a page: one file that needs nothing else, with a link to each run's own report.

use super::forms::{detected_words, escape, lost, recovered_words, sentence, timing, totals};
use super::model::{Card, Row, Scorecard, Verdict};
use crate::report::words::{count, seconds, whole_seconds};
use std::fmt::Write;

/// Light and dark as the reader has it; verdicts are words, so that colour only helps.
const STYLE: &str = "\
:root{color-scheme:light dark;--good:#1a7f37;--bad:#c62828;--warn:#8a5a00;--faint:#646c76;--line:#d0d7de;--back:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--good:#4cc26b;--bad:#ff8078;--warn:#e0b04a;--faint:#9aa4af;--line:#3a424c;--back:#1b2129}}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:.2em 0}h2{font-size:1.15rem;margin:1.6em 0 .4em}h3{font-size:1rem;margin:1.2em 0 .2em}
.faint{color:var(--faint)}.good{color:var(--good)}.bad{color:var(--bad);font-weight:700}.warn{color:var(--warn);font-weight:700}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid var(--line);padding:.45rem .6rem;text-align:left;vertical-align:top}
thead th{background:var(--back)}td small,th small{display:block;color:var(--faint);font-weight:400}td small{white-space:nowrap}
pre{background:var(--back);padding:.5rem;overflow-x:auto;font-size:.85rem}
";

/// The HTML.
pub fn render(card: &Scorecard) -> String {
    let title = escape(&format!("brownout suite {}", card.suite));
    let (result, class) = if card.is_passed() { ("passed", "good") } else { ("not passed", "bad") };
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}: {result}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    let _ = writeln!(out, "<h1>{title}: <span class=\"{class}\">{result}</span></h1>");
    let _ =
        writeln!(out, "<p>{}</p>\n<p>{}. {}</p>", escape(&card.summary), escape(&totals(card)), about(card));
    if card.interrupted {
        out += "<p class=\"warn\">Interrupted: this is a part.</p>\n";
    }
    out += &table(card);
    out += &classes(card);
    out += &failures(card);
    let _ = writeln!(out, "<h2>Timing</h2>\n<p>{}.</p>\n</main>\n</body>\n</html>", escape(&timing(card)));
    out
}

fn about(card: &Scorecard) -> String {
    let hub = card.hub.as_deref().unwrap_or("brownout's own, one for each run");
    format!(
        "Client <code>{}</code>, keep-alive (K) {}, hub {}, seed {}, {} from {} UTC.",
        escape(&card.command.join(" ")),
        whole_seconds(card.keep_alive_s),
        escape(hub),
        card.seed,
        seconds(card.lasted_s),
        // To the second.
        escape(&card.wall_clock.chars().take(19).collect::<String>())
    )
}

fn table(card: &Scorecard) -> String {
    let mut out = String::from(
        "<h2 id=\"card\">Workload and fault</h2>\n<div class=\"scroll\" role=\"region\" aria-labelledby=\"card\" \
         tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">fault</th>",
    );
    for workload in &card.workloads {
        let _ = write!(out, "<th scope=\"col\">{workload}</th>");
    }
    out += "</tr></thead>\n<tbody>\n";
    for row in &card.rows {
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}<small>{}</small></th>",
            escape(&row.entry),
            escape(&row.summary)
        );
        for workload in &card.workloads {
            out += &row.cell(workload).map_or_else(
                || "<td class=\"faint\"><span aria-label=\"not part of the suite\">-</span></td>".into(),
                |run| cell(row, run),
            );
        }
        out += "</tr>\n";
    }
    out += "</tbody>\n</table>\n</div>\n<p class=\"faint\">Detected: from the start of the fault, in keep-alives (K). \
            Back: from the path restored, or from a fault that leaves the path alone. The worst of each run.</p>\n";
    out
}

fn cell(row: &Row, run: &Card) -> String {
    let cell = &run.cell;
    let word = escape(cell.verdict.word());
    let verdict = match &run.directory {
        Some(directory) => {
            let label =
                escape(&format!("{}: report of {}, {}", cell.verdict.word(), row.entry, run.workload));
            let to = escape(&format!("{directory}/report.html"));
            format!("<a class=\"{}\" href=\"{to}\" aria-label=\"{label}\">{word}</a>", tone(cell.verdict))
        }
        None => format!("<span class=\"{}\">{word}</span>", tone(cell.verdict)),
    };
    let findings = (cell.findings > 0).then(|| count(cell.findings, "finding"));
    let below = [detected_words(cell), recovered_words(cell), lost(cell), findings].into_iter().flatten();
    let below: String = below.map(|part| format!("<small>{}</small>", escape(&part))).collect();
    format!("<td>{verdict}{below}</td>")
}

fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Warn => "warn",
        Verdict::NotApplicable | Verdict::NotRun => "faint",
        Verdict::Inconclusive | Verdict::Fail | Verdict::Error => "bad",
    }
}

fn classes(card: &Scorecard) -> String {
    let mut out = String::from("<h2>By class</h2>\n<ul>\n");
    for class in &card.classes {
        let tone = match class.grade {
            "pass" => "good",
            "warn" => "warn",
            "fail" => "bad",
            _ => "faint",
        };
        let places =
            if class.runs.is_empty() { String::new() } else { format!(": {}", class.runs.join(", ")) };
        let _ = writeln!(
            out,
            "<li>{} <span class=\"{tone}\">{}</span>{}</li>",
            class.class.to_uppercase(),
            class.grade,
            escape(&places)
        );
    }
    out + "</ul>\n"
}

fn failures(card: &Scorecard) -> String {
    let shown = |verdict| !matches!(verdict, Verdict::Pass | Verdict::NotRun | Verdict::NotApplicable);
    let mut told: String = String::new();
    for (row, run) in card.cards().filter(|(_, run)| shown(run.cell.verdict)) {
        let cell = &run.cell;
        let _ = writeln!(
            told,
            "<h3>{}/{} <span class=\"{}\">{}</span></h3>\n<p>{}</p>\n<ul>",
            escape(&row.entry),
            run.workload,
            tone(cell.verdict),
            cell.verdict.word(),
            escape(&sentence(cell))
        );
        for why in &cell.why {
            let _ = writeln!(told, "<li>{}</li>", escape(why));
        }
        told += "</ul>\n";
        if !cell.output.is_empty() {
            let lines: Vec<String> = cell.output.iter().map(|line| escape(line)).collect();
            let _ = writeln!(
                told,
                "<p class=\"faint\">The client's last words:</p>\n<pre>{}</pre>",
                lines.join("\n")
            );
        }
    }
    if told.is_empty() { told } else { format!("<h2>What did not pass</h2>\n{told}") }
}
