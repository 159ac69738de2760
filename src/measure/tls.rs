//! What was seen of TLS and WebSocket, beside what MQTT said: of each link, and of a run.

use super::facts::Link;
use super::finding::{MOST_EVIDENCE, Seen};
use crate::base::{Ends, Side, Time};
use crate::event::{Samples, TlsTerms, TlsUp};
use crate::tls::Alert;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many different words (of a failure, of a path) are kept; what peers may send has no end.
const MOST_WORDS: usize = 32;

/// What TLS and WebSocket showed of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrapped {
    /// When the device's ClientHello came.
    pub hello: Option<Time>,
    /// Whether TLS is passed through.
    pub passed_through: bool,
    /// When the handshake of each leg was done.
    pub up: Ends<Option<Time>>,
    /// How long each took.
    pub took: Ends<Option<Duration>>,
    /// Whether each resumed an earlier session.
    pub resumed: Ends<bool>,
    /// When brownout's TLS on a leg first failed, not by its peer's end.
    pub failed: Option<(Time, Side)>,
    /// The alert that each end sent, where its leg ended with one that is known.
    pub alert: Ends<Option<Alert>>,
    /// The first WebSocket close frame: when, by whom, and its status code.
    pub closed: Option<(Time, Side, Option<u16>)>,
    /// The subject of the certificate that the device presented.
    pub subject: Option<Box<str>>,
}

impl Wrapped {
    pub(super) fn established(&mut self, at: Time, side: Side, up: &TlsUp) {
        *self.up.get_mut(side) = Some(at);
        *self.took.get_mut(side) = Some(Duration::from_nanos(up.took_ns));
        *self.resumed.get_mut(side) = up.resumed;
        if side == Side::Device {
            self.subject = up.subject.as_deref().map(Box::from);
        }
    }
}

/// How many handshakes there were on one side, and how long they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsTimes {
    /// From ClientHello to the handshake done.
    pub took: Samples,
    /// How many resumed an earlier session.
    pub resumed: u64,
    /// How many did not.
    pub full: u64,
}

impl TlsTimes {
    /// How many were done.
    pub fn handshakes(&self) -> u64 {
        self.resumed + self.full
    }
}

/// Connects to the hub and TLS handshakes, of some links together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timings {
    /// How long connects to the hub took.
    pub connect: Samples,
    /// The handshakes by side.
    pub tls: Ends<TlsTimes>,
}

impl Timings {
    pub(super) fn add(&mut self, link: &Link) {
        if let Some(took) = link.hub_connect {
            self.connect.add(took);
        }
        let Some(wrapped) = &link.wrapped else { return };
        for side in Side::BOTH {
            let Some(took) = *wrapped.took.get(side) else { continue };
            let times = self.tls.get_mut(side);
            times.took.add(took);
            *(if *wrapped.resumed.get(side) { &mut times.resumed } else { &mut times.full }) += 1;
        }
    }
}

/// A listener with what of TLS holds there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Its address.
    pub address: String,
    /// Where its links lead.
    pub upstream: String,
}

/// What was seen of TLS and WebSocket in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TlsResults {
    /// The listeners.
    pub listeners: Vec<(Listener, TlsTerms)>,
    /// How many handshakes were done, by side, version and cipher suite.
    pub suites: BTreeMap<(Side, String, String), u64>,
    /// How often brownout's TLS on a leg failed, by side and words.
    pub failures: Tally<(Side, String)>,
    /// Ends that refused brownout's TLS, with no fault there: by side and alert.
    pub refused: BTreeMap<(Side, Alert), Refusals>,
    /// How many links spoke WebSocket, by path and subprotocol.
    pub web_sockets: Tally<(String, Option<String>)>,
    /// Links whose TLS was passed through.
    pub passed_through: u64,
    /// Of all links, those without a device too.
    pub timings: Timings,
}

/// Links that ends of one side refused with one alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refusals {
    /// How many.
    pub times: u64,
    /// The first of them.
    pub seen: Vec<Seen>,
}

impl TlsResults {
    /// An end refused brownout's TLS with this alert.
    pub(super) fn refused(&mut self, side: Side, alert: Alert, seen: Seen) {
        let refusals = self.refused.entry((side, alert)).or_default();
        refusals.times += 1;
        if refusals.seen.len() < MOST_EVIDENCE {
            refusals.seen.push(seen);
        }
    }

    pub(super) fn established(&mut self, side: Side, up: &TlsUp) {
        *self.suites.entry((side, up.version.clone(), up.cipher.clone())).or_default() += 1;
    }

    /// Whether there was any TLS or WebSocket, or was to be.
    pub fn is_used(&self) -> bool {
        self.listeners.iter().any(|(_, terms)| !terms.is_plain())
            || !self.suites.is_empty()
            || !self.failures.is_empty()
            || !self.refused.is_empty()
            || !self.web_sockets.is_empty()
            || self.passed_through > 0
    }
}

/// How often each of some words was told: the first so many of them, and the rest as a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<T: Ord> {
    /// Each with its number.
    pub told: BTreeMap<T, u64>,
    /// How often other words were.
    pub others: u64,
}

impl<T: Ord> Default for Tally<T> {
    fn default() -> Self {
        Tally { told: BTreeMap::new(), others: 0 }
    }
}

impl<T: Ord> Tally<T> {
    pub(super) fn add(&mut self, words: T) {
        if let Some(times) = self.told.get_mut(&words) {
            *times += 1;
        } else if self.told.len() < MOST_WORDS {
            self.told.insert(words, 1);
        } else {
            self.others += 1;
        }
    }

    /// How often anything was told.
    pub fn total(&self) -> u64 {
        self.told.values().sum::<u64>() + self.others
    }

    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_end_are_a_number_in_the_end() {
        let mut tally = Tally::default();
        for _ in 0..2 {
            (0..100).for_each(|words| tally.add(words));
        }
        assert_eq!((tally.told.len(), tally.others), (MOST_WORDS, 2 * (100 - 32)));
        assert!(tally.told.values().all(|times| *times == 2));
    }
}
