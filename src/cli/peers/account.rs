//! What a peer tells of itself: a line for each thing that it did or saw.

use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::speaker::{self, Speaker};
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

/// So many lines wait for their reader: a fleet of thousands that comes all at once says several each.
const MOST_WAITING: usize = 65_536;

/// The account, which many may add to; nobody waits for who reads it.
#[derive(Clone, Debug)]
pub(super) struct Account(Arc<Mutex<Option<Speaker>>>);

impl Account {
    /// One that tells nothing, if `quiet`.
    pub fn open(quiet: bool) -> Account {
        let speaker = (!quiet).then(|| Speaker::start(MOST_WAITING, lost_words));
        Account(Arc::new(Mutex::new(speaker)))
    }

    /// Adds a line.
    pub fn line(&self, line: impl Display) {
        if let Some(speaker) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            speaker.say(format!("{line}\n"));
        }
    }

    /// Waits until all is told.
    pub async fn finished(self, signals: &mut Signals) -> Exit {
        let speaker = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(speaker) = speaker else { return Exit::Met };
        let telling = move || {
            speaker.conclude(String::new());
            Exit::Met
        };
        speaker::finished(telling, signals, "what reads standard output lacks the last lines").await
    }
}

fn lost_words(count: u64) -> String {
    format!("({count} lines were lost: nobody read them)\n")
}
