//! A connection that is kept by TCP keepalive probes alone: whether the path counts them as traffic.

use super::control::Pulse;
use super::line::{Line, News, Terms};
use super::probe::witness;
use crate::device::HowClosed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// How often TCP probes it; half the shortest span, in whole seconds as the kernel takes them (tcp(7)).
pub(super) fn every(from: Duration) -> Duration {
    Duration::from_secs((from / 2).as_secs().clamp(1, 30))
}

/// The connection, and the way to ask it for a sign of life.
#[derive(Debug)]
pub(super) struct Kept {
    ask: Option<oneshot::Sender<()>>,
    task: JoinHandle<Option<(Duration, bool)>>,
}

impl Kept {
    /// Connects and begins.
    pub fn begin(terms: Arc<Terms>, number: u32, every: Duration, pulse: watch::Receiver<Pulse>) -> Kept {
        let (ask, asked) = oneshot::channel();
        Kept { ask: Some(ask), task: tokio::spawn(keep(terms, number, every, pulse, asked)) }
    }

    /// Asks it, once.
    pub fn ask(&mut self) {
        if let Some(ask) = self.ask.take() {
            let _ = ask.send(());
        }
    }

    /// For how long it had no traffic but TCP's probes, and whether it was alive then; `None`: not asked, or not known.
    pub async fn answer(self) -> Option<(Duration, bool)> {
        if self.ask.is_some() {
            self.task.abort();
            return None;
        }
        self.task.await.ok().flatten()
    }
}

async fn keep(
    terms: Arc<Terms>,
    number: u32,
    every: Duration,
    mut pulse: watch::Receiver<Pulse>,
    asked: oneshot::Receiver<()>,
) -> Option<(Duration, bool)> {
    let client_id = terms.client_id(number);
    let lost_before = pulse.borrow().lost;
    let mut line = Line::connect(&terms, &client_id).await.ok()?;
    let since = terms.clock.now();
    line.keep_by_tcp(every).ok()?;
    let ended = tokio::select! {
        asked = asked => {
            asked.ok()?;
            None
        }
        news = line.news() => Some(news),
    };
    let lost_after = match ended {
        None => None,
        Some(News::Over(HowClosed::Reset | HowClosed::TimedOut | HowClosed::WriteFailed)) => {
            Some(terms.clock.now().since(since))
        }
        // What the hub says unasked is traffic, and its FIN is its own.
        Some(News::Over(_) | News::Packet(_)) => return None,
    };
    if let Some(idle) = lost_after {
        return is_of_the_path(&terms, &mut pulse, lost_before, &client_id).await.then_some((idle, false));
    }
    let sent = terms.clock.now();
    line.ping();
    match line.pingresp(terms.clock, sent + terms.answer_within).await {
        Some(Ok(_)) => {
            line.leave();
            Some((sent.since(since), true))
        }
        Some(Err(HowClosed::Reset | HowClosed::TimedOut | HowClosed::WriteFailed)) | None => {
            line.abandon();
            let is_lost = is_of_the_path(&terms, &mut pulse, lost_before, &client_id).await;
            is_lost.then_some((sent.since(since), false))
        }
        Some(Err(_)) => None,
    }
}

/// Whether what was lost is the path's doing, and not an outage's.
async fn is_of_the_path(
    terms: &Terms,
    pulse: &mut watch::Receiver<Pulse>,
    lost_before: u32,
    client_id: &str,
) -> bool {
    let witness = witness(terms, pulse, lost_before, client_id).await;
    witness.control && witness.fresh
}
