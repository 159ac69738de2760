//! The work of a sweep, shared by all processors. Results stand in the order of their cases, whoever was first.

use crate::cli::exit::Refusal;
use crate::cli::signals::Signals;
use crate::keepalive::axes::Axes;
use crate::keepalive::evaluate::Bench;
use crate::keepalive::model::Row;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// A case's number, and its row or what is wrong with it.
type Numbered = (u64, Result<Row, String>);

/// What is to be done, and how far that is.
pub struct Work {
    axes: Axes,
    bench: Bench,
    count: u64,
    /// The next case to begin with.
    next: AtomicU64,
    stop: AtomicBool,
    bar: ProgressBar,
}

impl Work {
    /// All cases, none begun.
    pub fn new(axes: Axes, bench: Bench, count: u64, quiet: bool) -> Work {
        let is_shown = !quiet && crate::cli::is_terminal_stderr();
        let target = if is_shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(count), target);
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} combinations, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Work { axes, bench, count, next: AtomicU64::new(0), stop: AtomicBool::new(false), bar }
    }

    /// Does it on so many threads; the rows that are through, in order.
    fn all(&self, threads: usize) -> Result<Vec<Row>, String> {
        let mut done: Vec<Numbered> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.share())).collect();
            let shares = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            shares.flatten().collect()
        });
        self.bar.finish_and_clear();
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, row)| row).collect()
    }

    /// What one thread does of it.
    fn share(&self) -> Vec<Numbered> {
        let mut done = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(case) = self.axes.case(number).filter(|_| number < self.count) else { break };
            let figures = self.bench.figures(&case);
            done.push((number, figures.map(|figures| Row { case, figures })));
            self.bar.inc(1);
        }
        done
    }
}

/// Does all of it on every processor, or as much as is through when a signal comes.
pub async fn done(work: &Arc<Work>, mut signals: Signals) -> Result<Vec<Row>, Refusal> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let shared = Arc::clone(work);
    let mut working = tokio::task::spawn_blocking(move || shared.all(threads));
    let rows = tokio::select! {
        rows = &mut working => rows,
        () = signals.next() => {
            work.stop.store(true, Ordering::Relaxed);
            // What is under way is waited for, until somebody asks again.
            tokio::select! {
                rows = &mut working => rows,
                () = signals.next() => return Err(Refusal::unmet("interrupted")),
            }
        }
    };
    let rows = rows.map_err(|error| Refusal::environment(format!("a thread ended: {error}")))?;
    rows.map_err(Refusal::usage)
}
