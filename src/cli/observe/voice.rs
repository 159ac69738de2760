//! What an observation says on standard output, in words or as JSON.

use crate::cli::speaker::Speaker;
use crate::report::observe::{Anchor, News, Over, Summary, end_line, summary_lines};
use crate::report::{Report, Styling, terminal};
use serde::Serialize;

/// So many pieces of text wait for their reader.
const MOST_WAITING: usize = 1_024;

/// The voice.
#[derive(Debug)]
pub struct Voice {
    json: bool,
    quiet: bool,
    speaker: Speaker,
}

/// An end of a link, as JSON.
#[derive(Serialize)]
struct End<'a> {
    kind: &'static str,
    time: String,
    t_s: f64,
    link: u64,
    device: &'a str,
    cause: String,
    azure_code: Option<u32>,
    nearest: bool,
    lasted_s: f64,
}

#[derive(Serialize)]
struct Count {
    kind: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Whole<'a> {
    kind: &'static str,
    report: &'a Report,
}

impl Voice {
    /// In JSON or as text; without single ends, if `quiet`.
    pub fn start(json: bool, quiet: bool) -> Voice {
        let speaker = Speaker::start(MOST_WAITING, if json { lost_object } else { lost_words });
        Voice { json, quiet, speaker }
    }

    /// Tells of single ends.
    pub fn news(&mut self, news: &[News], anchor: Anchor) {
        let told = if self.quiet { &[] } else { news };
        for news in told {
            let text = match news {
                News::End(over) if self.json => line(&End::of(over, anchor)),
                News::End(over) => end_line(over, anchor),
                News::More(count) if self.json => line(&Count { kind: "more_ends", count: *count }),
                News::More(count) => format!("           and {count} more, told in the summary alone\n"),
            };
            self.speaker.say(text);
        }
    }

    /// Tells a summary.
    pub fn summary(&mut self, summary: &Summary) {
        let text = if self.json {
            line(summary)
        } else {
            let untold = summary.ends_not_told;
            let more = (untold > 0 && !self.quiet)
                .then(|| format!("           and {untold} more, told in the summary alone\n"));
            more.unwrap_or_default() + &summary_lines(summary)
        };
        self.speaker.say(text);
    }

    /// Tells the last report, and the totals; waits until all is said.
    pub fn conclude(self, report: &Report, total: &Summary) {
        self.speaker.conclude(if self.json {
            line(&Whole { kind: "report", report }) + &line(total)
        } else {
            let heading = "\nThe last interval:\n\n";
            let text = format!("{heading}{}\n", terminal::render(report, Styling::Ansi));
            text + &summary_lines(total)
        });
    }
}

fn lost_object(count: u64) -> String {
    line(&Count { kind: "lost_lines", count })
}

fn lost_words(count: u64) -> String {
    format!("({count} summaries and lines were lost: nobody read them)\n")
}

impl<'a> End<'a> {
    fn of(over: &'a Over, anchor: Anchor) -> End<'a> {
        let (cause, entry) = over.kind;
        End {
            kind: "end",
            time: anchor.told(over.at),
            t_s: over.at.elapsed().as_secs_f64(),
            link: over.link.0,
            device: &over.device,
            cause: cause.to_string(),
            azure_code: entry.and_then(|entry| entry.code).map(|code| code.number()),
            nearest: entry.is_some_and(|entry| entry.nearest),
            lasted_s: over.lasted.as_secs_f64(),
        }
    }
}

fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default() + "\n"
}
