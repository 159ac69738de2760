//! When memory is given back: once most links have gone, and no other has come or gone for a while.

use crate::event::{Event, What};
use crate::net::sys::memory;
use std::time::{Duration, Instant};

/// So many links that closed leave behind what is worth the while.
const MANY: u64 = 512;

/// So long none may come or go: giving back makes others wait to allocate, which must not fall on devices that come back.
const QUIET: Duration = Duration::from_secs(10);

/// The links of a run as they come and go, as one who gives memory back sees them.
#[derive(Debug, Default)]
pub struct Quiet {
    links: u64,
    /// How many closed since memory was last given back.
    closed: u64,
    /// A link came or went since it was last asked how long to wait.
    moved: bool,
    /// When such was last known.
    latest: Option<Instant>,
}

impl Quiet {
    /// Takes in an event.
    pub fn push(&mut self, event: &Event) {
        match event.what {
            What::LinkOpened { .. } => self.links += 1,
            What::LinkClosed { .. } => {
                self.links = self.links.saturating_sub(1);
                self.closed += 1;
            }
            _ => return,
        }
        self.moved = true;
    }

    /// How long it has to stay as quiet as it is until memory is given back; `None`: nothing is to be given back.
    pub fn left(&mut self, now: Instant) -> Option<Duration> {
        if std::mem::take(&mut self.moved) {
            self.latest = Some(now);
        }
        let latest = self.latest.filter(|_| self.closed >= MANY && self.links <= self.closed / 4)?;
        Some((latest + QUIET).saturating_duration_since(now))
    }

    /// Gives memory back, and waits for many to go anew.
    pub fn give_back(&mut self) {
        memory::give_back();
        self.closed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(links: u64, closed: u64) -> Quiet {
        Quiet { links, closed, moved: true, latest: None }
    }

    #[test]
    fn memory_is_given_back_once_when_many_have_gone_and_it_stays_quiet() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quiet = with(128, 512);
        assert_eq!(quiet.left(at(0)), Some(QUIET));
        assert_eq!(quiet.left(at(7)), Some(Duration::from_secs(3)));
        quiet.moved = true;
        assert_eq!(quiet.left(at(9)), Some(QUIET), "somebody came");
        assert_eq!(quiet.left(at(20)), Some(Duration::ZERO));
        quiet.give_back();
        assert_eq!(quiet.left(at(40)), None);
    }

    #[test]
    fn few_that_went_and_many_that_are_left_keep_it() {
        assert_eq!(with(0, 511).left(Instant::now()), None);
        assert_eq!(with(129, 512).left(Instant::now()), None);
        assert_eq!(Quiet::default().left(Instant::now()), None);
    }
}
