//! TLS and WebSocket in the report model.

use super::build::{quantiles, seconds};
use super::model::{HandshakeEnd, Handshakes, Suite, Tls, TlsFailure, TlsLeg, TlsListener, WebSocket};
use crate::base::Side;
use crate::base::units::to_u64;
use crate::event::TlsTerms;
use crate::measure::tls::Listener;
use crate::measure::{self, Results, TlsResults};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

/// What was seen of both over all runs; `None` where there was neither.
pub(super) fn tls(results: &Results) -> Option<Tls> {
    let runs: Vec<&TlsResults> = results.runs.iter().map(|run| &run.tls).collect();
    if !runs.iter().any(|run| run.is_used()) {
        return None;
    }
    let mut listeners: Vec<(&Listener, &TlsTerms)> = Vec::new();
    let all = runs.iter().flat_map(|run| &run.listeners);
    for (listener, terms) in all.filter(|(_, terms)| !terms.is_plain()) {
        if !listeners.contains(&(listener, terms)) {
            listeners.push((listener, terms));
        }
    }
    let failures = added(runs.iter().flat_map(|run| &run.failures.told));
    let web_sockets = added(runs.iter().flat_map(|run| &run.web_sockets.told));
    Some(Tls {
        listeners: listeners.into_iter().map(listener).collect(),
        with_devices: leg(&runs, Side::Device),
        with_hub: leg(&runs, Side::Hub),
        links_passed_through: runs.iter().map(|run| run.passed_through).sum(),
        failures: failures
            .into_iter()
            .map(|((side, error), times)| TlsFailure { side: *side, error: error.clone(), times })
            .collect(),
        other_failures: runs.iter().map(|run| run.failures.others).sum(),
        web_sockets: web_sockets
            .into_iter()
            .map(|((path, protocol), links)| WebSocket {
                path: path.clone(),
                protocol: protocol.clone(),
                links,
            })
            .collect(),
        other_web_sockets: runs.iter().map(|run| run.web_sockets.others).sum(),
    })
}

fn listener((listener, terms): (&Listener, &TlsTerms)) -> TlsListener {
    let TlsTerms { mode, hub_unverified, key_log } = *terms;
    let Listener { address, upstream } = listener.clone();
    TlsListener { address, upstream, mode, hub_unverified, key_log }
}

fn leg(runs: &[&TlsResults], side: Side) -> Option<TlsLeg> {
    let times = || runs.iter().map(|run| run.timings.tls.get(side));
    let suites = added(runs.iter().flat_map(|run| &run.suites).filter(|((of, _, _), _)| *of == side));
    let handshakes: u64 = times().map(measure::tls::TlsTimes::handshakes).sum();
    (handshakes > 0).then(|| TlsLeg {
        handshakes,
        resumed: times().map(|times| times.resumed).sum(),
        time: quantiles(times().map(|times| &times.took)),
        suites: suites
            .into_iter()
            .map(|((_, version, cipher), handshakes)| Suite {
                version: version.clone(),
                cipher: cipher.clone(),
                handshakes,
            })
            .collect(),
    })
}

/// The same words added up, the most frequent first.
fn added<'a, T: Ord>(told: impl Iterator<Item = (&'a T, &'a u64)>) -> Vec<(&'a T, u64)> {
    let mut sums: BTreeMap<&T, u64> = BTreeMap::new();
    for (words, times) in told {
        *sums.entry(words).or_default() += times;
    }
    let mut sums: Vec<(&T, u64)> = sums.into_iter().collect();
    // Stable: equals stay in the order of their words.
    sums.sort_by_key(|(_, times)| Reverse(*times));
    sums
}

/// What a device did in a window of a fault of handshakes.
pub(super) fn handshakes(handshakes: &measure::Handshakes) -> Handshakes {
    let mut ends: BTreeMap<measure::AttemptEnd, (u64, Option<(Duration, Duration)>)> = BTreeMap::new();
    for attempt in &handshakes.attempts {
        let (times, took) = ends.entry(attempt.end).or_default();
        *times += 1;
        if let Some(more) = attempt.took {
            let (least, most) = took.unwrap_or((more, more));
            *took = Some((least.min(more), most.max(more)));
        }
    }
    let mut ends: Vec<HandshakeEnd> = ends
        .into_iter()
        .map(|(end, (attempts, took))| HandshakeEnd {
            end: end.words(),
            attempts,
            least_s: took.map(|(least, _)| seconds(least)),
            most_s: took.map(|(_, most)| seconds(most)),
        })
        .collect();
    ends.sort_by_key(|end| Reverse(end.attempts));
    Handshakes {
        attempts: to_u64(handshakes.attempts.len()),
        least_gap_s: handshakes.gaps().min().map(seconds),
        most_gap_s: handshakes.gaps().max().map(seconds),
        back_off: handshakes.back_off.to_string(),
        ends,
        last_s: handshakes.attempts.last().map_or(0.0, |last| seconds(last.began.elapsed())),
        gave_up_for_s: handshakes.gave_up.map(seconds),
        took_bad_certificate: handshakes.took_bad_certificate,
    }
}
