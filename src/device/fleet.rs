//! Many devices in one process: a task each, started one after another, each failing alone.

use super::event::DeviceEvent;
use super::habits::Habits;
use super::run::{Target, run};
use crate::net::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A fleet of devices of one kind.
///
/// Each costs a task, a socket and a few kilobytes. To one address of a hub about 28,000 can connect (the ports that
/// Linux gives out by default), and each needs a file descriptor. Connects are not held back: that a fleet comes back
/// all at once is what some tests are about.
#[derive(Clone, Debug, PartialEq)]
pub struct Fleet {
    /// How many.
    pub count: usize,
    /// Their habits; `client_id` with the device's number behind it, from 1, is each one's own.
    pub template: Habits,
    /// For all chance in them.
    pub seed: u64,
    /// From one device's first connect to the next one's.
    pub stagger: Duration,
}

/// Where a fleet's events go, with the client identifier.
pub type FleetSink = Arc<dyn Fn(&str, DeviceEvent) + Send + Sync>;

/// Runs the fleet against the hub at `target` until `shutdown` says `true` or its sender is gone.
///
/// Returns how many devices did not end in order, which would be a fault of ours: 0.
pub async fn fleet(
    fleet: Fleet,
    target: &Target,
    clock: Clock,
    sink: FleetSink,
    shutdown: watch::Receiver<bool>,
) -> usize {
    let mut devices = JoinSet::new();
    let began = clock.now();
    let mut stopping = shutdown.clone();
    for index in 0..fleet.count {
        let wait = fleet.stagger.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
        tokio::select! {
            () = tokio::time::sleep_until(clock.instant(began + wait).into()) => {}
            _ = stopping.wait_for(|&stop| stop) => break,
        }
        let client_id = format!("{}{}", fleet.template.client_id, index + 1);
        let habits = Habits { client_id: client_id.clone(), ..fleet.template.clone() };
        let sink = Arc::clone(&sink);
        let own_sink = Arc::new(move |event| sink(&client_id, event));
        devices.spawn(run(habits, fleet.seed, target.clone(), clock, own_sink, shutdown.clone()));
    }
    let mut failed = 0;
    while let Some(ended) = devices.join_next().await {
        failed += usize::from(ended.is_err());
    }
    failed
}
