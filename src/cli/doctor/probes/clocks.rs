//! Timers and clocks.

use super::super::machine::{Lateness, WallClock};
use crate::net::Clock;
use crate::net::alarm::Alarm;
use crate::net::sys::wall;
use std::hint::black_box;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// So many timers, so far apart: no whole number of milliseconds, as most delays are none.
const TIMERS: u32 = 200;
const APART: Duration = Duration::from_micros(1_300);

/// The lateness of timers, as the lanes of links have them: woken by the alarm, on a runtime like a run's.
pub fn timers() -> Option<Lateness> {
    let runtime = Runtime::new().ok()?;
    let late = runtime.block_on(async {
        let clock = Clock::start();
        let alarm = Alarm::start(clock).ok()?;
        let waits = tokio::spawn(async move {
            let mut late = Vec::new();
            for _ in 0..TIMERS {
                let due = clock.now() + APART;
                alarm.sleep_until(due).await;
                late.push(clock.now().since(due));
            }
            late
        });
        waits.await.ok()
    });
    let mut late = late?;
    late.sort_unstable();
    let at = |share: usize| late.get((late.len() * share / 100).min(late.len().saturating_sub(1))).copied();
    Some(Lateness { count: late.len(), p50: at(50)?, p99: at(99)?, max: at(100)? })
}

/// What reading the clock of the run takes: the best of some batches.
pub fn reading() -> Duration {
    const BATCHES: u32 = 5;
    const READINGS: u32 = 5_000;
    let batch = |_| {
        let start = Instant::now();
        for _ in 0..READINGS {
            black_box(Instant::now());
        }
        start.elapsed() / READINGS
    };
    (0..BATCHES).map(batch).min().unwrap_or_default()
}

/// The wall clock, as the kernel knows it.
pub fn wall() -> Option<WallClock> {
    let wall::WallClock { synchronised, error } = wall::wall_clock().ok()?;
    Some(WallClock { synchronised, error })
}
