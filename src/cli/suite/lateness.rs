//! Whether the machine keeps up: how late a timer comes while many runs wait side by side.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often it is looked. Ten times finer than the least bound.
const EVERY: Duration = Duration::from_millis(5);

/// The worst of each second is kept, for so many seconds: a day, far past any suite.
const MOST_SECONDS: usize = 24 * 3600;

/// A timer that watches timers: of tokio, as those of hub, devices and commands are; those of faults are finer.
#[derive(Debug)]
pub struct Lateness {
    seconds: Arc<Mutex<VecDeque<(Instant, Duration)>>>,
    task: JoinHandle<()>,
}

impl Lateness {
    /// Begins to watch. Must be called in a tokio runtime.
    pub fn watch() -> Lateness {
        let seconds = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&seconds);
        let task = tokio::spawn(async move {
            loop {
                let due = Instant::now() + EVERY;
                tokio::time::sleep_until(due.into()).await;
                let now = Instant::now();
                note(
                    &mut kept.lock().unwrap_or_else(PoisonError::into_inner),
                    now,
                    now.saturating_duration_since(due),
                );
            }
        });
        Lateness { seconds, task }
    }

    /// The worst since then.
    pub fn worst_since(&self, since: Instant) -> Duration {
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let within = seconds.iter().rev().take_while(|(began, _)| *began + Duration::from_secs(1) >= since);
        within.map(|(_, worst)| *worst).max().unwrap_or_default()
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(seconds: &mut VecDeque<(Instant, Duration)>, now: Instant, late: Duration) {
    match seconds.back_mut() {
        Some((began, worst)) if now.saturating_duration_since(*began) < Duration::from_secs(1) => {
            *worst = late.max(*worst);
        }
        Some(_) | None => seconds.push_back((now, late)),
    }
    if seconds.len() > MOST_SECONDS {
        seconds.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_each_second_is_kept() {
        let (mut seconds, start) = (VecDeque::new(), Instant::now());
        for (at, late) in [(0, 3), (400, 90), (900, 2), (1_100, 7), (2_200, 1)] {
            note(&mut seconds, start + Duration::from_millis(at), Duration::from_millis(late));
        }
        let kept: Vec<u128> = seconds.iter().map(|(_, late)| late.as_millis()).collect();
        assert_eq!(kept, [90, 7, 1]);
    }
}
