//! A run that nobody has connected to: what it waits for is told, ever more rarely, so that no job stands still in silence.

use crate::base::Time;
use crate::base::text::printable;
use crate::event::What;
use std::time::Duration;

/// After so long it is told first; from then on each time after twice as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Until the first connect.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    /// Where devices may connect.
    listeners: Vec<String>,
    /// When to tell next, and how long after the one before; `None` once somebody has connected, or nobody will.
    next: Option<(Time, Duration)>,
}

impl Default for Wait {
    fn default() -> Wait {
        Wait { listeners: Vec::new(), next: Some((Time::ZERO + PATIENCE, PATIENCE)) }
    }
}

impl Wait {
    pub fn push(&mut self, what: &What) {
        match what {
            What::ListenerOpened { address, .. } if self.next.is_some() => {
                self.listeners.push(printable(address));
            }
            What::LinkOpened { .. } | What::RunEnded { .. } => self.next = None,
            _ => {}
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        self.next.map(|(at, _)| at)
    }

    /// What is told, where it is time.
    pub fn tick(&mut self, now: Time, ends_by_itself: bool) -> Option<String> {
        let (_, gap) = self.next.filter(|(at, _)| *at <= now)?;
        self.next = Some((now + gap * 2, gap * 2));
        let end = if ends_by_itself { "" } else { "; the run waits for one, and --duration would end it" };
        Some(format!("no device has connected to {} yet{end}", self.listeners.join(" or ")))
    }
}
