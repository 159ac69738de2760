//! `brownout report`: every report again, from the logs of one or several runs.

use super::args::ReportArgs;
use super::exit::{Exit, Refusal};
use super::files::{LineFile, ReportFiles, of_report};
use super::logs::Merged;
use super::out;
use super::parts;
use super::runner;
use crate::report::Report;
use std::fs::File;
use std::io::{self, BufWriter, Write};

/// Renders the report of the logs.
pub(super) fn report(args: &ReportArgs) -> Exit {
    again(args).unwrap_or_else(Refusal::tell)
}

fn again(args: &ReportArgs) -> Result<Exit, Refusal> {
    for log in parts::files_of(&args.logs) {
        let written =
            of_report(args.report.as_deref(), false)?.with("--resource-log", args.resource_log.as_deref())?;
        written.with("the log that is read", Some(&log))?;
    }
    let files = args.report.as_deref().map(|directory| ReportFiles::open(directory, false)).transpose()?;
    let resource_log = args.resource_log.as_deref().map(LineFile::open).transpose()?;
    let Merged { plan, results, timelines, lines, .. } =
        Merged::read(&args.logs, resource_log.is_some(), args.strictness.as_deref())?;
    let report = Report::new(&plan, &results);
    if args.json {
        let json = report.to_json().map_err(|error| Refusal::environment(error.to_string()))?;
        out::show(json);
    } else {
        runner::show(&report);
    }
    let written = files.map_or(Ok(()), |mut files| {
        files.begin()?;
        files.write(&report, &timelines)
    });
    // Whatever became of the report.
    if let Some(file) = resource_log {
        write_lines(file.begin()?, &lines)
            .map_err(|error| Refusal::environment(format!("the resource log is not complete: {error}")))?;
    }
    written?;
    Ok(if report.is_met() { Exit::Met } else { Exit::Unmet })
}

fn write_lines(file: File, lines: &[String]) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
    file.flush()
}
