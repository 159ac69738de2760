//! Progress on standard error: a line for each wave and for each probe.

use super::probe::Came;
use crate::cli::out;
use crate::keepalive::idle::{Outcome, Wave, seconds};
use std::time::Duration;

/// Tells how a search goes, or nothing.
#[derive(Debug)]
pub(super) struct Told {
    pub quiet: bool,
    pub answer_within: Duration,
}

impl Told {
    pub fn line(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            out::tell(text);
        }
    }

    pub fn wave(&self, wave: &Wave) {
        let shortest = wave.spans.iter().min().copied().unwrap_or_default();
        let longest = wave.spans.iter().max().copied().unwrap_or_default();
        let why = match (wave.bracket, wave.again) {
            (_, true) => "again, to be sure: ".to_owned(),
            (Some(edge), false) => format!("{} to {}: ", seconds(edge.alive), seconds(edge.lost)),
            (None, false) => String::new(),
        };
        let (count, most) = (wave.spans.len(), seconds(longest + self.answer_within));
        let range = match shortest == longest {
            true => seconds(longest),
            false => format!("{} to {}", seconds(shortest), seconds(longest)),
        };
        let more = match wave.more {
            0 => String::new(),
            1 => ", then 1 wave more".to_owned(),
            more => format!(", then {more} more"),
        };
        self.line(format_args!("wave {}: {why}{count} connections idle for {range}", wave.number));
        self.line(format_args!("        {most} at most{more}"));
    }

    pub fn came(&self, came: &Came) {
        let idle = format!("{:.2} s", came.idle.as_secs_f64());
        self.line(match (came.outcome, came.answered) {
            (Ok(Outcome::Alive), Some(took)) => {
                format!("  {idle:>10}  alive, answer in {:.1} ms", took.as_secs_f64() * 1000.0)
            }
            (Ok(Outcome::Alive), None) => format!("  {idle:>10}  alive"),
            (Ok(Outcome::Lost(end)), _) => format!("  {idle:>10}  {end}"),
            (Err(why), _) => format!("  {idle:>10}  says nothing: {why}"),
        });
    }
}
