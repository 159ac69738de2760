//! A connection that is kept by TCP keepalive probes alone: whether the path counts them as traffic.

use super::line::{Line, News, Terms};
use crate::device::HowClosed;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
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
    pub fn begin(terms: Arc<Terms>, number: u32, every: Duration) -> Kept {
        let (ask, asked) = oneshot::channel();
        Kept { ask: Some(ask), task: tokio::spawn(keep(terms, number, every, asked)) }
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
    asked: oneshot::Receiver<()>,
) -> Option<(Duration, bool)> {
    let mut line = Line::connect(&terms, &terms.client_id(number)).await.ok()?;
    let since = terms.clock.now();
    line.keep_by_tcp(every).ok()?;
    tokio::select! {
        asked = asked => asked.ok()?,
        news = line.news() => return match news {
            News::Over(HowClosed::Reset | HowClosed::TimedOut | HowClosed::WriteFailed) => {
                Some((terms.clock.now().since(since), false))
            }
            // What the hub says unasked is traffic, and its FIN is its own.
            News::Over(_) | News::Packet(_) => None,
        },
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
            Some((sent.since(since), false))
        }
        Some(Err(_)) => None,
    }
}
