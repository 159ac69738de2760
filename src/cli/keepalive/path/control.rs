//! The connection that is kept busy: whether the path is up at all.

use super::line::{Line, Terms};
use crate::base::Time;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Its client identifier's number.
pub(super) const NUMBER: u32 = 0;

/// The shortest time between two pings.
const BUSIEST: Duration = Duration::from_millis(100);

/// The longest, unless the shortest span asks for less.
const CALMEST: Duration = Duration::from_secs(3);

/// Between two connects while the path is down.
const AGAIN: Duration = Duration::from_secs(1);

/// What it knows of the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    /// How often it was lost.
    pub lost: u32,
    pub is_up: bool,
    /// Since when it is up.
    pub since: Time,
    /// When the latest PINGREQ was sent that was answered.
    pub answered: Time,
    /// The fastest answer.
    pub round_trip: Option<Duration>,
    /// How often it pings.
    pub every: Duration,
}

impl Pulse {
    /// Of one that came up now; `from` is the shortest span of a search.
    pub fn new(now: Time, from: Duration) -> Pulse {
        let every = (from / 4).clamp(BUSIEST, CALMEST);
        Pulse { lost: 0, is_up: true, since: now, answered: now, round_trip: None, every }
    }

    fn answered(&mut self, sent: Time, came: Time) {
        let took = came.since(sent);
        self.answered = sent;
        self.round_trip = Some(self.round_trip.map_or(took, |fastest| fastest.min(took)));
    }

    fn is_lost(&mut self) {
        self.lost += 1;
        self.is_up = false;
    }

    fn is_back(&mut self, now: Time, at_once: bool) {
        (self.is_up, self.since, self.answered) = (true, now, now);
        if at_once {
            // The path was up all the while: it may forget sooner than this pings.
            self.every = (self.every / 2).max(BUSIEST);
        }
    }
}

/// Keeps it busy for ever; whoever listens is told of every answer and every loss.
pub(super) async fn keep(terms: Arc<Terms>, mut line: Line, pulse: watch::Sender<Pulse>) {
    loop {
        busy(&terms, &mut line, &pulse).await;
        pulse.send_modify(Pulse::is_lost);
        line.abandon();
        let mut at_once = true;
        line = loop {
            match Line::connect(&terms, &terms.client_id(NUMBER)).await {
                Ok(line) => break line,
                Err(why) => tracing::debug!(%why, "the connection that is kept busy does not come about"),
            }
            at_once = false;
            tokio::time::sleep(AGAIN).await;
        };
        pulse.send_modify(|pulse| pulse.is_back(terms.clock.now(), at_once));
    }
}

/// Pings until it is lost.
async fn busy(terms: &Terms, line: &mut Line, pulse: &watch::Sender<Pulse>) {
    loop {
        let sent = terms.clock.now();
        line.ping();
        match line.pingresp(terms.clock, sent + terms.answer_within).await {
            Some(Ok(came)) => pulse.send_modify(|pulse| pulse.answered(sent, came)),
            Some(Err(_)) | None => return,
        }
        let every = pulse.borrow().every;
        tokio::time::sleep_until(terms.clock.instant(sent + every).into()).await;
    }
}
