//! A keep-alive of an advice, held against the simulation.

use super::model::{Candidate, Simulated, Wish};
use crate::base::time::nanos;
use crate::keepalive::evaluate::evaluate;
use crate::keepalive::model::{Case, Figures, Terms};
use std::time::Duration;

/// Outages of a simulation: enough to meet pings at most of their phases.
const OUTAGES: u32 = 40;

/// No outage is shorter: the kernel's first retransmissions are over.
const LEAST_OUTAGE: Duration = Duration::from_secs(60);

/// Beyond what both ends need an outage lasts this share longer, so that the detection and not its end is seen.
const BEYOND: u32 = 4;

/// Of the time an outage is a tenth.
const APART: u32 = 10;

/// No run is longer: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);

/// The seed: the same advice says the same.
const SEED: u64 = 1;

/// What a device with this keep-alive does in outages that are longer than both ends should need.
///
/// # Errors
/// What cannot be simulated of it.
pub fn simulate(wish: &Wish, candidate: &Candidate, back_off: &str) -> Result<Simulated, String> {
    let longest = candidate.device_ns.into_iter().chain(candidate.hub_ns).max().unwrap_or(0);
    let longest = Duration::from_nanos(longest).max(LEAST_OUTAGE);
    let length = whole_minutes(longest + longest / BEYOND);
    let every = (length * APART).min(LONGEST / OUTAGES).max(length * 2);
    let outages = format!("fixed:{}s,every={}s", length.as_secs(), every.as_secs());
    let span = every * OUTAGES;
    let figures = figures(wish, candidate, back_off, &outages, span)?;
    Ok(Simulated {
        keep_alive: candidate.keep_alive,
        span_ns: nanos(span),
        outages,
        struck: figures.struck,
        device_count: figures.device_detection.count,
        device_ns: figures.device_detection.max_ns,
        hub_count: figures.hub_detection.count,
        hub_ns: figures.hub_detection.max_ns,
        false_disconnects: figures.false_disconnects,
        forgotten: figures.forgotten,
    })
}

pub(super) fn figures(
    wish: &Wish,
    candidate: &Candidate,
    back_off: &str,
    outages: &str,
    span: Duration,
) -> Result<Figures, String> {
    let terms = Terms {
        seed: SEED,
        span_ns: nanos(span),
        hub: wish.hub.name.to_owned(),
        access: wish.access.name.to_owned(),
        round_trip_ns: nanos(wish.round_trip),
        tls: wish.tls,
        workload: wish.workload.to_string(),
        late_ns: nanos(wish.detect_within),
        fleet: 0,
    };
    let case = Case {
        client: wish.client.name.to_owned(),
        keep_alive: candidate.keep_alive,
        ping_timeout_ns: candidate.ping_timeout_ns,
        back_off: back_off.to_owned(),
        outages: outages.to_owned(),
        path_idle_ns: wish.path_idle.map(nanos),
        loss: wish.loss,
    };
    evaluate(&case, &terms)
}

fn whole_minutes(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().div_ceil(60) * 60)
}
