//! One probe: a connection that is idle for its span, and is then asked for a sign of life.

use super::control::Pulse;
use super::line::{Line, News, Terms};
use crate::base::Time;
use crate::device::HowClosed;
use crate::keepalive::idle::{End, Order, Outcome, Void, Witness};
use crate::mqtt::Packet;
use std::time::Duration;
use tokio::sync::watch;

/// Until then whatever belongs to the connect has passed, TCP's delayed acknowledgement (up to 200 ms) and TLS's tickets too; what
/// passes later is no idleness. Of short spans, half.
const SETTLED: Duration = Duration::from_millis(250);

/// How long a task may have had to wait for its turn.
const LATE: Duration = Duration::from_secs(1);

/// How often what the hub says unasked may begin the span anew.
const UNASKED: u32 = 3;

/// How long the path may be down before the search is given up: a hub that is started anew is back by then.
const DOWN: Duration = Duration::from_secs(30);

/// How long is waited between attempts to connect while the path is up.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long what a probe leaves behind on the hub may take to be tidied.
const TIDY: Duration = Duration::from_secs(2);

/// What came of a probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Came {
    pub order: Order,
    /// For how long it was idle.
    pub idle: Duration,
    /// From PINGREQ to PINGRESP.
    pub answered: Option<Duration>,
    pub outcome: Result<Outcome, Void>,
}

/// What a probe needs.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    pub terms: std::sync::Arc<Terms>,
    pub pulse: watch::Receiver<Pulse>,
    /// Becomes true when no outcome is of interest any more.
    pub stop: watch::Receiver<bool>,
}

/// Makes a probe; `None` where it was stopped.
pub(super) async fn probe(ground: Ground, order: Order) -> Option<Came> {
    let Ground { terms, mut pulse, mut stop } = ground;
    let client_id = terms.client_id(order.probe);
    let came = tokio::select! {
        came = made(&terms, &mut pulse, order, &client_id) => Some(came),
        _ = stop.wait_for(|stop| *stop) => None,
    };
    if came.is_none() {
        // The hub may hold a connection that the path has forgotten: one of the same name takes its place
        // [MQTT-3.1.4-2], and leaves.
        let _ = tokio::time::timeout(TIDY, take_over(&terms, &client_id)).await;
    }
    came
}

async fn made(terms: &Terms, pulse: &mut watch::Receiver<Pulse>, order: Order, client_id: &str) -> Came {
    let void = |why| Came { order, idle: Duration::ZERO, answered: None, outcome: Err(why) };
    // Where the sender is gone the search is over, too.
    let up = tokio::time::timeout(DOWN, pulse.wait_for(|pulse| pulse.is_up)).await;
    let Ok(Ok(lost_before)) = up.map(|up| up.map(|pulse| pulse.lost)) else {
        return void(Void::Down);
    };
    let line = match connected(terms, pulse, client_id).await {
        Ok(line) => line,
        Err(why) => return void(why),
    };
    let keep_alive = line.connack.properties.server_keep_alive().unwrap_or(terms.keep_alive);
    let (idle, outcome, answered) = Idle::of(terms, line, order.span).watch().await;
    let outcome = by_keep_alive(outcome, idle, keep_alive);
    let mut came = Came { order, idle, answered, outcome: Ok(outcome) };
    if let Outcome::Lost(_) = outcome {
        let witness = witness(terms, pulse, lost_before, client_id).await;
        came.outcome = outcome.doubt(witness).map_or(Ok(outcome), Err);
    }
    came
}

/// A connection. A hub that admits so many, or so many a second, may admit one more a little later.
async fn connected(terms: &Terms, pulse: &watch::Receiver<Pulse>, client_id: &str) -> Result<Line, Void> {
    for pause in PAUSES {
        match Line::connect(terms, client_id).await {
            Ok(line) => return Ok(line),
            Err(why) => tracing::debug!(%why, client_id, "no connection"),
        }
        if !pulse.borrow().is_up {
            return Err(Void::ControlLost);
        }
        tokio::time::sleep(pause).await;
    }
    Line::connect(terms, client_id).await.map_err(|_| Void::NoConnection)
}

/// A RST after the keep-alive in force may be the hub's doing. A hub that ends a connection says so: silence is the path's.
fn by_keep_alive(outcome: Outcome, idle: Duration, keep_alive: u16) -> Outcome {
    let is_over = keep_alive > 0 && idle >= Duration::from_secs(keep_alive.into());
    match outcome {
        Outcome::Lost(End::Reset | End::ResetIdle) if is_over => Outcome::Lost(End::KeepAlive),
        Outcome::Lost(_) | Outcome::Alive => outcome,
    }
}

/// Whether the path is up: by the connection that is kept busy, which has to answer a ping of after the loss, and by a new one.
pub(super) async fn witness(
    terms: &Terms,
    pulse: &mut watch::Receiver<Pulse>,
    lost_before: u32,
    client_id: &str,
) -> Witness {
    let seen = terms.clock.now();
    // The new one has the name of the one that is lost: the hub is rid of that by it [MQTT-3.1.4-2].
    let fresh = take_over(terms, client_id).await;
    let wait = terms.answer_within + pulse.borrow().every + Duration::from_secs(1);
    let told = pulse.wait_for(|pulse| pulse.lost > lost_before || pulse.answered >= seen);
    let told = tokio::time::timeout(wait, told).await;
    let control = told.is_ok_and(|told| told.is_ok_and(|pulse| pulse.lost == lost_before && pulse.is_up));
    Witness { control, fresh }
}

/// Connects under this name and leaves; whether it came about.
async fn take_over(terms: &Terms, client_id: &str) -> bool {
    Line::connect(terms, client_id).await.map(Line::leave).is_ok()
}

/// A connection while it is idle.
struct Idle<'a> {
    terms: &'a Terms,
    line: Line,
    span: Duration,
    since: Time,
    /// TCP segments by when it had settled.
    settled: Option<u64>,
}

/// For how long it was idle, what came of it, and how long the answer took.
type Watched = (Duration, Outcome, Option<Duration>);

impl<'a> Idle<'a> {
    fn of(terms: &'a Terms, line: Line, span: Duration) -> Idle<'a> {
        Idle { terms, line, span, since: terms.clock.now(), settled: None }
    }

    async fn watch(mut self) -> Watched {
        let mut unasked = 0;
        while let Some(news) = self.until_asked().await {
            let idle = self.idle();
            match news {
                News::Packet(Packet::Disconnect(_)) => return self.lost(idle, End::Closed),
                News::Packet(_) if unasked == UNASKED => return self.lost(idle, End::Refreshed),
                News::Packet(_) => {
                    unasked += 1;
                    self.since = self.terms.clock.now();
                }
                News::Over(HowClosed::Reset | HowClosed::WriteFailed | HowClosed::TimedOut) => {
                    return self.lost(idle, End::ResetIdle);
                }
                News::Over(HowClosed::Fin | HowClosed::Unnotified | HowClosed::Alert(_)) => {
                    return self.lost(idle, End::Closed);
                }
                News::Over(HowClosed::BadRecord) => return self.lost(idle, End::Broken),
            }
        }
        self.ask().await
    }

    fn idle(&self) -> Duration {
        self.terms.clock.now().since(self.since)
    }

    /// Waits until the span is over; what came before that.
    async fn until_asked(&mut self) -> Option<News> {
        let settled = self.since + SETTLED.min(self.span / 2);
        let news = self.news_until(settled).await;
        if news.is_some() {
            return news;
        }
        self.settled = self.line.segments();
        self.correct();
        self.news_until(self.since + self.span).await
    }

    /// It is idle since the latest data came, which may be a record of TLS without any MQTT in it.
    fn correct(&mut self) {
        if let Some(quiet) = self.line.since_data() {
            let data = self.terms.clock.now() - quiet;
            // By more than a busy machine makes a task wait, the kernel speaks of something else.
            if data + LATE >= self.since {
                self.since = data;
            }
        }
    }

    async fn news_until(&mut self, until: Time) -> Option<News> {
        let until = self.terms.clock.instant(until).into();
        tokio::time::timeout_at(until, self.line.news()).await.ok()
    }

    async fn ask(mut self) -> Watched {
        let was_idle = self.line.segments() == self.settled;
        self.line.take_icmp_to_heart();
        let sent = self.terms.clock.now();
        let idle = sent.since(self.since);
        self.line.ping();
        match self.line.pingresp(self.terms.clock, sent + self.terms.answer_within).await {
            Some(Ok(_)) if !was_idle => self.lost(idle, End::Refreshed),
            Some(Ok(came)) => {
                self.line.leave();
                (idle, Outcome::Alive, Some(came.since(sent)))
            }
            Some(Err(HowClosed::Reset | HowClosed::WriteFailed | HowClosed::TimedOut)) => {
                self.lost(idle, End::Reset)
            }
            Some(Err(HowClosed::Fin | HowClosed::Unnotified | HowClosed::Alert(_))) => {
                self.lost(idle, End::Closed)
            }
            Some(Err(HowClosed::BadRecord)) => self.lost(idle, End::Broken),
            None if self.line.is_acknowledged() => self.lost(idle, End::Unanswered),
            None => self.lost(idle, End::Silence),
        }
    }

    fn lost(self, idle: Duration, end: End) -> Watched {
        self.line.abandon();
        (idle, Outcome::Lost(end), None)
    }
}
