//! Ctrl-C, SIGTERM, and SIGHUP: the terminal has gone.

use crate::net::sys::process;
use std::future::pending;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for signals that ask a run to end.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under nohup(1), which is there so that the run goes on.
    hang_up: Option<Signal>,
}

impl Signals {
    /// Takes the signals over from their default, which would end the run without a report.
    pub fn listen() -> io::Result<Signals> {
        let hang_up = (!process::bears_hangup()).then(|| signal(SignalKind::hangup()));
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: hang_up.transpose()?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        let hung_up = async {
            match &mut self.hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hung_up => {}
        }
    }
}
