//! How far the figures can be trusted: what is known only as a bracket, how faults were really made, what is missing, what a
//! stamp is of.

use super::model::{Stamps, Uncertainty};
use super::words::count;
use crate::measure::{Results, RunResults, Value, WindowResults};
use std::collections::BTreeMap;

/// Of a monotonic clock that counts nanoseconds.
const RESOLUTION_S: f64 = 1e-9;
/// See [`crate::event::Samples`].
const HISTOGRAM_ERROR: f64 = 0.001;
/// See `net/core.rs`: under the engine's lock, so that the order of stamps is that of events.
const TAKEN: &str = "when brownout had read the packet; the wire had it earlier, by the time that the machine took to run \
                     brownout, which a run does not measure";

/// What is to be said of these runs.
pub(super) fn uncertainty(results: &Results) -> Uncertainty {
    let values = || results.runs.iter().flat_map(|run| &run.samples).map(|sample| sample.value);
    let (runs, several) = (results.runs.iter().zip(1..), results.runs.len() > 1);
    Uncertainty {
        values: number(values().count()),
        bracketed: number(values().filter(|value| matches!(value, Value::Between { .. })).count()),
        hidden: number(values().filter(|value| value.is_hidden()).count()),
        fidelity: fidelity(results),
        dropped: runs.flat_map(|(run, nth)| dropped(run, nth, several)).collect(),
        stamps: Stamps { resolution_s: RESOLUTION_S, taken: TAKEN },
        histogram_error: HISTOGRAM_ERROR,
    }
}

fn fidelity(results: &Results) -> BTreeMap<&'static str, u64> {
    let mut made: BTreeMap<&'static str, u64> = BTreeMap::new();
    let windows = results.runs.iter().flat_map(|run| run.windows.values());
    for window in windows.flat_map(|window| std::iter::once(window).chain(&window.later)) {
        for way in ways(window) {
            *made.entry(way).or_default() += 1;
        }
    }
    made
}

fn ways(window: &WindowResults) -> impl Iterator<Item = &'static str> {
    let refused = (!window.refused.is_empty()).then_some("refused");
    window.fidelities.iter().map(|fidelity| fidelity.word()).chain(refused)
}

/// What of a run is in no figure.
fn dropped(run: &RunResults, nth: usize, several: bool) -> Vec<String> {
    let of = |what: String| if several { format!("run {nth}: {what}") } else { what };
    let mut told = Vec::new();
    if run.ended.is_none() {
        told.push(of("the log breaks off; what came after that is not known".into()));
    }
    if run.trouble.accept_failed > 0 {
        let connects = count(run.trouble.accept_failed, "connect");
        told.push(of(format!("{connects} could not be accepted by this machine")));
    }
    if run.nameless_links > 0 {
        let links = count(run.nameless_links, "link");
        told.push(of(format!("{links} ended before a CONNECT said whose: no device has them")));
    }
    if run.trouble.not_mqtt.total() > 0 {
        let streams = count(run.trouble.not_mqtt.total(), "stream");
        told.push(of(format!(
            "{streams} were not MQTT from some byte on: what followed is not counted as packets"
        )));
    }
    told
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
