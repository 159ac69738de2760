//! Live progress on standard error: on a terminal a block of status lines that stays at the bottom, elsewhere a line for
//! each notable moment.

use super::out;
use crate::base::Time;
use crate::event::Event;
use crate::keepalive::live::Trail;
use crate::measure::Measures;
use crate::net::Clock;
use crate::net::sys::privilege;
use crate::profile::Plan;
use crate::report::live::Live;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
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
    Block(Block),
    /// Not here: they are folded for somebody who waits for what they tell.
    Trail(Arc<Mutex<Trail>>),
}

/// A status block on a terminal.
#[derive(Debug)]
pub struct Block {
    shared: Arc<Shared>,
    redraw: thread::JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    live: Mutex<Option<Live>>,
    screen: MultiProgress,
    lines: Mutex<Vec<ProgressBar>>,
    clock: Clock,
}

impl Progress {
    /// Fit for where standard error goes. `block`: a status block may be drawn there.
    pub fn new(plan: &Plan, clock: Clock, quiet: bool, block: bool) -> Progress {
        if quiet {
            return Progress::Silent;
        }
        let live = Live::new(plan);
        if !block || !super::is_terminal_stderr() {
            return Progress::Lines(Box::new(live), clock);
        }
        let shared = Arc::new(Shared {
            live: Mutex::new(Some(live)),
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            lines: Mutex::new(Vec::new()),
            clock,
        });
        let drawn = Arc::clone(&shared);
        let redraw = thread::spawn(move || {
            privilege::renounce();
            while drawn.draw() {
                thread::sleep(REDRAW);
            }
        });
        Progress::Block(Block { shared, redraw })
    }

    /// Takes in an event that these measures have taken in.
    pub fn push(&mut self, event: &Event, measures: &mut Measures) {
        match self {
            Progress::Silent => {}
            Progress::Lines(live, _) => {
                if let Some(line) = live.push_beside(event, measures.sessions_mut()) {
                    out::tell(line);
                }
            }
            Progress::Block(block) => block.shared.tell(|live, _| live.push(event)),
            Progress::Trail(trail) => trail.lock().unwrap_or_else(PoisonError::into_inner).push(event),
        }
    }

    /// In how long there is something to tell though no event comes.
    pub fn left(&self) -> Option<Duration> {
        let (deadline, clock) = match self {
            Progress::Silent | Progress::Trail(_) => return None,
            Progress::Lines(live, clock) => (live.deadline(), clock),
            Progress::Block(Block { shared, .. }) => {
                (shared.live().as_ref().and_then(Live::deadline), &shared.clock)
            }
        };
        Some(deadline?.since(clock.now()))
    }

    /// Tells what there is to tell by now.
    pub fn tick(&mut self) {
        match self {
            Progress::Silent | Progress::Trail(_) => {}
            Progress::Lines(live, clock) => {
                if let Some(line) = live.tick(clock.now()) {
                    out::tell(line);
                }
            }
            Progress::Block(block) => block.shared.tell(|live, now| live.tick(now)),
        }
    }

    /// Takes the status block away.
    pub fn finish(self) {
        if let Progress::Block(block) = self {
            *block.shared.live() = None;
            let _ = block.redraw.join();
            let _ = block.shared.screen.clear();
        }
    }
}

impl Shared {
    fn live(&self) -> std::sync::MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: impl FnOnce(&mut Live, Time) -> Option<String>) {
        let line = self.live().as_mut().and_then(|live| what(live, self.clock.now()));
        if let Some(line) = line {
            let _ = self.screen.println(line);
        }
    }

    /// Draws the status anew; false once there is nothing to draw any more.
    fn draw(&self) -> bool {
        let Some(status) = self.live().as_ref().map(|live| live.status(self.clock.now())) else {
            return false;
        };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while lines.len() < status.len() {
            let line = self.screen.add(ProgressBar::new_spinner());
            line.set_style(
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            lines.push(line);
        }
        let blank = std::iter::repeat_n(String::new(), lines.len().saturating_sub(status.len()));
        for (line, text) in lines.iter().zip(status.into_iter().chain(blank)) {
            line.set_message(text);
        }
        true
    }
}
