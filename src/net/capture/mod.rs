//! The MQTT of a run into a capture file, as plain text, for Wireshark.
//!
//! Owns the taps at the legs, the queue behind them and the thread that writes. What TLS and WebSocket wrap is written as it
//! is inside; TLS that is passed through is left out. Invariant: a run never waits for its capture: what the queue has no room
//! for is dropped, counted and told. Deliberately absent: the bytes of the format (`report/pcapng`), and what is not on a
//! link: the rival of a takeover, and SYNs that nobody accepted.
//!
//! ```text
//!   leg ──tap──┐
//!   leg ──tap──┼──▶ queue ──▶ writer ──▶ file
//!   engine's events ──remarks──┘
//! ```

mod queue;
mod tap;
#[cfg(test)]
mod tests;
mod writer;

pub use tap::Tap;

use self::queue::{Moment, Queue};
use self::writer::Writer;
use crate::base::{Ends, LinkId, Side};
use crate::event::{Event, RunStarted};
use crate::net::Clock;
use crate::net::sys::privilege;
use crate::profile::Plan;
use crate::report::pcapng::{Remark, Remarks};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpStream;

/// The server's port that packets are shown with, whatever the true one: Wireshark takes what goes there for MQTT.
pub const SHOWN_PORT: u16 = 1883;

/// So long the end of a run waits for what is not written yet: the reader of a pipe may have stopped reading.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// The way into a capture; clones share it.
#[derive(Clone, Debug)]
pub struct Capture(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Queue,
    remarks: Mutex<Remarks>,
}

/// A capture that is being written.
#[derive(Debug)]
pub struct Recording {
    capture: Capture,
    writer: Option<JoinHandle<()>>,
    /// Locked by nobody: that makes it one that tasks may share.
    outcome: Mutex<Receiver<Outcome>>,
}

/// What came of a capture.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Packets in the file.
    pub written: u64,
    /// Reads and writes that the queue had no room for, by leg.
    pub dropped: Ends<u64>,
    /// Why the file ends before the run, if it does.
    pub error: Option<io::Error>,
}

impl Recording {
    /// Begins a capture in this file, which is emptied.
    ///
    /// # Errors
    /// The file cannot be emptied or written, or there can be no thread.
    pub fn start(
        file: File,
        plan: &Plan,
        run: &RunStarted,
        legs: &Ends<String>,
        clock: Clock,
    ) -> io::Result<Recording> {
        match file.set_len(0) {
            // Such as a pipe, which has no length, and is empty.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let remarks = Mutex::new(Remarks::new(plan));
        let shared = Arc::new(Shared { queue: Queue::new(clock), remarks });
        let mut writer = Writer::new(file, began(run));
        writer.begin(&application(run), &comment(plan, run), legs)?;
        let capture = Capture(Arc::clone(&shared));
        let (done, outcome) = sync_channel(1);
        let write = move || {
            privilege::renounce();
            // Nobody waits any more if the time for it was over.
            let _ = done.send(writer.run(&shared.queue));
        };
        let writer = thread::Builder::new().name("capture".into()).spawn(write)?;
        Ok(Recording { capture, writer: Some(writer), outcome: Mutex::new(outcome) })
    }

    /// The way into it.
    pub fn capture(&self) -> Capture {
        self.capture.clone()
    }

    /// Waits until all that was said is written, at most 10 s. Blocks the thread.
    pub fn finish(self) -> Outcome {
        self.finish_within(FINISH_LIMIT)
    }

    fn finish_within(mut self, limit: Duration) -> Outcome {
        self.capture.0.queue.close();
        let outcome = self.outcome.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(limit);
        match (outcome, self.writer.take()) {
            (Ok(outcome), _) => outcome,
            (Err(RecvTimeoutError::Timeout), _) => not_taken(limit, self.capture.0.queue.dropped()),
            (Err(RecvTimeoutError::Disconnected), writer) => match writer.map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                Some(Ok(())) | None => Outcome::default(),
            },
        }
    }
}

/// The writer is stuck in its file; it is left there until the process ends.
fn not_taken(limit: Duration, dropped: Ends<u64>) -> Outcome {
    let why = format!("the rest was not taken within {} s; does its reader still read?", limit.as_secs());
    Outcome { written: 0, dropped, error: Some(io::Error::new(io::ErrorKind::TimedOut, why)) }
}

/// A run that could not start leaves no thread behind.
impl Drop for Recording {
    fn drop(&mut self) {
        self.capture.0.queue.close();
    }
}

impl Capture {
    /// A tap at a leg over this socket; `None` where the socket is gone already.
    pub fn tap(&self, link: LinkId, side: Side, stream: &TcpStream) -> Option<Tap> {
        let (ours, theirs) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        let (client, server) = match side {
            Side::Device => (theirs, ours),
            Side::Hub => (ours, theirs),
        };
        let server = SocketAddr::new(server.ip().to_canonical(), SHOWN_PORT);
        let client = SocketAddr::new(client.ip().to_canonical(), client.port());
        Some(Tap::new(self.clone(), (link, side), client, server))
    }

    /// Takes in an event, for the comments. Called in the order of the events.
    pub fn note(&self, event: &Event) {
        let remarks = self.0.remarks.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        for remark in remarks {
            self.remark(remark);
        }
    }

    fn remark(&self, remark: Remark) {
        self.0.queue.push_at(remark.at, Moment::Remark { place: remark.place, text: remark.text });
    }

    fn push(&self, moment: Moment) {
        self.0.queue.push(moment);
    }
}

/// When the run began, in nanoseconds since 1970; 1970 where its beginning cannot be read.
fn began(run: &RunStarted) -> u64 {
    let began = run.wall_clock.parse::<jiff::Timestamp>().unwrap_or_default();
    u64::try_from(began.as_nanosecond()).unwrap_or(0)
}

fn application(run: &RunStarted) -> String {
    format!("brownout {}", run.version)
}

fn comment(plan: &Plan, run: &RunStarted) -> String {
    let what = if run.observer { "observed".to_owned() } else { format!("profile {}", plan.name) };
    format!(
        "{what}, seed {}. The TCP segments are made from what brownout read and wrote, as plain text, whatever TLS or \
         WebSocket was around it; fault windows are comments.",
        run.seed
    )
}
