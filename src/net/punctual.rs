//! Whether brownout is run when it asks to be: a thread that does nothing but wait, and looks how late it is woken.
//!
//! ```text
//!   thread: wait 50 ms ──▶ how late? ── 50 ms and more ──▶ task ──▶ engine: held_up
//! ```
//!
//! Threads of a machine that is too busy wait to be run, and what they stamp is late by as much. What held this thread up
//! lasted at least for as long as it is late, and at most `EVERY` longer, since it may have begun before the thread was due.
//! The same shows that the process was stopped (SIGSTOP), or the machine suspended, which the run's own clock does not count.
//!
//! A thread of its own since waking it takes a fifth of what a timer of the runtime does: an idle brownout is to stay idle. It
//! has no privileges, so what it finds goes to the engine by a task: the engine's orders to listeners may take some.

use super::core::Core;
use super::sys::privilege;
use super::sys::timer::since_boot;
use crate::engine::Input;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How often it looks: about 0.3 ms of processor time a second.
const EVERY: Duration = Duration::from_millis(50);

/// Told from here on. Less is what machines do all the time, and no figure that is worth a limit turns on it: it is the least
/// bound of a suite, and by how much `tests/interop/truth.py` lets a figure be off.
pub const HELD_UP: Duration = Duration::from_millis(50);

/// So many may be on their way to the engine: the thread waits where it is behind.
const UNTOLD: usize = 16;

/// Watches for as long as it lives.
#[derive(Debug)]
pub struct Watch {
    stop: SyncSender<()>,
    tells: JoinHandle<()>,
}

impl Watch {
    /// Begins to watch for this run. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The kernel's: too many threads.
    pub fn start(core: Arc<Core>) -> io::Result<Watch> {
        let (stop, stopped) = sync_channel(0);
        let (found, mut late) = mpsc::channel(UNTOLD);
        thread::Builder::new().name("punctual".into()).spawn(move || {
            privilege::renounce();
            watch(&stopped, &found);
        })?;
        let tells = tokio::spawn(async move {
            while let Some(late) = late.recv().await {
                core.tell(Input::HeldUp { late });
            }
        });
        Ok(Watch { stop, tells })
    }

    /// Looks a last time; all that was found is told when this returns.
    pub async fn stop(self) {
        drop(self.stop);
        let _ = self.tells.await;
    }
}

/// Until it is stopped, or nobody listens any more.
fn watch(stopped: &Receiver<()>, found: &mpsc::Sender<Duration>) {
    loop {
        let due = since_boot() + EVERY;
        let goes_on = stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout);
        // What held it up may be why the run is over by now.
        let is_heard = held_up(due, since_boot()).is_none_or(|late| found.blocking_send(late).is_ok());
        if !goes_on || !is_heard {
            return;
        }
    }
}

/// How late that is, where it is to be told.
fn held_up(due: Duration, now: Duration) -> Option<Duration> {
    Some(now.saturating_sub(due)).filter(|late| *late >= HELD_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_of_what_is_told() {
        let due = Duration::from_secs(100);
        assert_eq!(held_up(due, Duration::from_secs(99)), None);
        assert_eq!(held_up(due, due + HELD_UP - Duration::from_nanos(1)), None);
        assert_eq!(held_up(due, due + HELD_UP), Some(HELD_UP));
    }

    #[test]
    fn it_ends_when_it_is_stopped() {
        let ((stop, stopped), (found, _late)) = (sync_channel(0), mpsc::channel(UNTOLD));
        let thread = thread::spawn(move || watch(&stopped, &found));
        drop(stop);
        thread.join().unwrap();
    }
}
