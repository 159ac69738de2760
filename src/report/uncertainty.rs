//! How far the figures can be trusted: what is known only as a bracket, how faults were really made, what is missing, what a
//! stamp is of.

use super::build::seconds;
use super::model::{HeldUp, Stamps, Uncertainty};
use super::words::count;
use crate::base::Direction;
use crate::base::text::printable;
use crate::base::units::to_u64;
use crate::event::Delivery;
use crate::measure::{Captured, Results, RunResults, WindowResults};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Of a monotonic clock that counts nanoseconds.
const RESOLUTION_S: f64 = 1e-9;
/// See [`crate::event::Samples`].
const HISTOGRAM_ERROR: f64 = 0.001;
/// See `net/core.rs`: under the engine's lock, so that the order of stamps is that of events; and `net/punctual.rs`.
const TAKEN: &str = "when brownout had read the packet; the wire had it earlier, by the time that the machine took to run \
                     brownout, of which a run tells what a timer shows, from 50 ms on";

/// `tests/interop/truth.py`, once, 252 events in all.
const COMPARED: &str = "not in this run; in one of brownout's tests, on loopback and a machine of two cores with a load near 10, \
                        half of 252 stamps were within 0.27 ms of an independent capture, the worst 26 to 36 ms off";

/// What is to be said of these runs.
pub(super) fn uncertainty(results: &Results) -> Uncertainty {
    let values = || results.runs.iter().flat_map(|run| &run.samples).map(|sample| sample.value);
    let (runs, several) = (results.runs.iter().zip(1..), results.runs.len() > 1);
    Uncertainty {
        values: to_u64(values().count()),
        bracketed: to_u64(values().filter(|value| value.is_bracket()).count()),
        hidden: to_u64(values().filter(|value| value.is_hidden()).count()),
        fidelity: fidelity(results),
        dropped: runs.flat_map(|(run, nth)| dropped(run, nth, several)).collect(),
        held_up: held_up(results),
        stamps: Stamps { resolution_s: RESOLUTION_S, taken: TAKEN, compared: COMPARED },
        histogram_error: HISTOGRAM_ERROR,
    }
}

/// How brownout was held up, if it was; of runs that were so alike, the first.
pub(super) fn held_up(results: &Results) -> Option<HeldUp> {
    let known = || results.runs.iter().zip(1..).filter_map(|(run, nth)| Some((run.trouble.held_up?, nth)));
    let (worst, worst_run) = known().max_by_key(|(held_up, nth)| (held_up.worst, Reverse(*nth)))?;
    Some(HeldUp {
        times: known().map(|(held_up, _)| held_up.times).sum(),
        worst_s: seconds(worst.worst),
        worst_run,
        worst_until_s: seconds(worst.worst_until.elapsed()),
    })
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
        let seconds = count(run.trouble.accept_failed, "second");
        told.push(of(format!(
            "connects of {seconds} that this machine could not accept at once: how many, and what became of them, is not known"
        )));
    }
    if run.nameless_links > 0 {
        let links = count(run.nameless_links, "link");
        told.push(of(format!("{links} ended before a CONNECT said whose: no device has them")));
    }
    if run.trouble.not_mqtt.total() > 0 {
        let number = run.trouble.not_mqtt.total();
        let streams = count(number, "stream");
        told.push(of(format!(
            "{streams} could not be read as MQTT from some byte on: what followed is not counted as packets"
        )));
    }
    let unfollowed = sum(run, |counts| counts.unfollowed.iter().sum());
    if unfollowed > 0 {
        let messages = count(unfollowed, "message");
        told.push(of(format!(
            "of {messages} it is not known what became: beyond what is followed, come late, passed on and never acknowledged nor sent again, or to an end that had left"
        )));
    }
    let doubtful =
        sum(run, |counts| [counts.perhaps_received, counts.perhaps_duplicated].iter().flatten().sum());
    if doubtful > 0 {
        let messages = count(doubtful, "message");
        told.push(of(format!(
            "of {messages} of QoS 1 or 2 it is not known whether they came once, or twice: their receiver's system had not acknowledged them when its leg went"
        )));
    }
    let untold = sum(run, |counts| counts.perhaps_completed.iter().sum());
    if untold > 0 {
        let messages = count(untold, "message");
        told.push(of(format!(
            "of {messages} of QoS 1 or 2 it is not known whether their sender got what told it that they had arrived: its leg went just then"
        )));
    }
    if run.undecided > 0 {
        let devices = count(run.undecided, "device");
        told.push(of(format!(
            "{devices} came back without a session too shortly before the end to tell whether subscriptions are lost"
        )));
    }
    if let Some(lost) = run.wire.as_ref().map(|wire| wire.lost).filter(|lost| *lost > 0) {
        told.push(of(format!(
            "the tap lost {} for which the kernel had no room: signs of ends that a blackhole hid meanwhile are brackets",
            count(lost, "packet")
        )));
    }
    if let Some(nameless) = run.wire.as_ref().map(|wire| wire.nameless).filter(|nameless| *nameless > 0) {
        told.push(of(format!(
            "{} that nobody accepted came from addresses of several devices, or of none: no device has them",
            count(nameless, "connect")
        )));
    }
    if let Some(untold) = run.wire.as_ref().map(|wire| wire.untold).filter(|untold| *untold > 0) {
        told.push(of(format!(
            "{} beyond what the tap tells: 16 sendings of one, 5,000 in a second",
            count(untold, "SYN")
        )));
    }
    if let Some(capture) = &run.trouble.capture {
        told.extend(not_captured(capture).map(of));
    }
    told
}

/// What is not in the capture; the figures have it.
fn not_captured(capture: &Captured) -> impl Iterator<Item = String> {
    let reads = if capture.dropped == 1 { "read or write" } else { "reads and writes" };
    let lacking = (capture.dropped > 0).then(|| {
        format!(
            "the capture lacks {} {reads}, for which there was no room on the way into it",
            capture.dropped
        )
    });
    let error = capture.error.as_deref();
    let cut = error.map(|error| format!("the capture ends before the run: {}", printable(error)));
    lacking.into_iter().chain(cut)
}

/// Of all devices, both ways.
fn sum(run: &RunResults, of: fn(&Delivery) -> u64) -> u64 {
    let counts =
        |way| run.devices.values().map(move |device| of(device.delivery.counts.get(way))).sum::<u64>();
    Direction::BOTH.map(counts).iter().sum()
}
