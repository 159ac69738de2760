//! Live progress on standard error: on a terminal a block of status lines that stays at the bottom, elsewhere a line for
//! each notable moment.

use super::out;
use crate::base::Time;
use crate::event::Event;
use crate::keepalive::live::Trail;
use crate::measure::Measures;
use crate::net::Clock;
use crate::profile::Plan;
use crate::report::live::Live;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the status block is drawn anew: often enough to count seconds by.
const REDRAW: Duration = Duration::from_millis(200);

/// How progress is shown.
#[derive(Debug)]
pub enum Progress {
    /// Not at all.
    Silent,
    /// A line for each notable moment.
    Lines(Box<Live>, Clock),
    /// Those, and a status block below.
    Block(Box<Block>),
    /// Not here: they are folded for somebody who waits for what they tell.
    Trail(Arc<Mutex<Trail>>),
}

/// A status block on a terminal.
#[derive(Debug)]
pub struct Block {
    live: Live,
    screen: MultiProgress,
    lines: Vec<ProgressBar>,
    clock: Clock,
    /// When it is to be drawn anew; `None` before anything was awaited: what is told of the run's beginning comes first.
    due: Option<Time>,
}

impl Progress {
    /// Fit for where standard error goes. `block`: a status block may be drawn there.
    pub fn new(plan: &Plan, clock: Clock, quiet: bool, block: bool) -> Progress {
        if quiet {
            return Progress::Silent;
        }
        let target = if block { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Progress::at(target, Live::new(plan), clock)
    }

    /// A block where one can be drawn: not where there is no terminal, nor on one that cannot move its cursor (TERM is `dumb`, or
    /// not set). What is told beside a block would not be seen there, either.
    fn at(target: ProgressDrawTarget, live: Live, clock: Clock) -> Progress {
        if target.is_hidden() {
            return Progress::Lines(Box::new(live), clock);
        }
        let screen = MultiProgress::with_draw_target(target);
        out::above(Some(screen.clone()));
        Progress::Block(Box::new(Block { live, screen, lines: Vec::new(), clock, due: None }))
    }

    /// Takes in an event that these measures have taken in.
    pub fn push(&mut self, event: &Event, measures: &Measures) {
        match self {
            Progress::Silent => {}
            Progress::Lines(live, _) => live.push(event, measures).into_iter().for_each(out::tell),
            Progress::Block(block) => {
                let told = block.live.push(event, measures);
                block.tell(told);
            }
            Progress::Trail(trail) => trail.lock().unwrap_or_else(PoisonError::into_inner).push(event),
        }
    }

    /// In how long there is something to tell, or to draw, though no event comes.
    pub fn left(&self) -> Option<Duration> {
        let (due, clock) = match self {
            Progress::Silent | Progress::Trail(_) => return None,
            Progress::Lines(live, clock) => (live.deadline()?, clock),
            Progress::Block(block) => {
                (block.live.deadline().into_iter().chain(block.due).min()?, &block.clock)
            }
        };
        Some(due.since(clock.now()))
    }

    /// Tells and draws what is due by now.
    pub fn tick(&mut self, measures: &Measures) {
        match self {
            Progress::Silent | Progress::Trail(_) => {}
            Progress::Lines(live, clock) => live.tick(clock.now()).into_iter().for_each(out::tell),
            Progress::Block(block) => {
                let now = block.clock.now();
                let told = block.live.tick(now);
                block.tell(told);
                let due = *block.due.get_or_insert(now + REDRAW);
                if now >= due {
                    block.draw(now, measures);
                    block.due = Some(now + REDRAW);
                }
            }
        }
    }

    /// Takes the status block away.
    pub fn finish(self) {
        if let Progress::Block(block) = self {
            out::above(None);
            let _ = block.screen.clear();
        }
    }
}

impl Block {
    fn tell(&self, lines: Option<String>) {
        if let Some(lines) = lines {
            let _ = self.screen.println(lines);
        }
    }

    /// Draws the status anew.
    fn draw(&mut self, now: Time, measures: &Measures) {
        let status = self.live.status(now, measures.sessions());
        while self.lines.len() < status.len() {
            let line = self.screen.add(ProgressBar::new_spinner());
            line.set_style(
                ProgressStyle::with_template("{wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            self.lines.push(line);
        }
        let blank = std::iter::repeat_n(String::new(), self.lines.len().saturating_sub(status.len()));
        for (line, text) in self.lines.iter().zip(status.into_iter().chain(blank)) {
            line.set_message(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;
    use indicatif::TermLike;
    use std::io::{self, Write};

    /// A terminal that keeps what is written, and has no cursor to move.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Where the log could not be written, that was told below the block, and wiped out with it a moment later.
    #[test]
    fn notes_go_above_the_block() {
        let plan = profile::read("brownout: 1\nname: x\nsummary: y\n", &[]).unwrap().plan;
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let progress = Progress::at(target, Live::new(&plan), Clock::start());
        out::Notes.write_all(b"ERROR the log ends here\n").unwrap();
        progress.finish();
        out::Notes.write_all(b"after it\n").unwrap();
        let written = paper.0.lock().unwrap().clone();
        assert!(written.contains("ERROR the log ends here") && !written.contains("after it"), "{written}");
    }
}
