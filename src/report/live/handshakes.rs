//! TLS handshakes that meet a fault: each told as it comes, with how it ended, as far as the budget allows.

use super::budget::Kind;
use super::{Live, span};
use crate::base::text::printable;
use crate::base::{DeviceId, LinkId, RuleId, Time, WindowId};
use crate::fault::HandshakeFault;
use crate::measure::Measures;
use std::collections::BTreeMap;

/// The handshakes that met a fault, until their links close, and the devices, until they are back.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshakes {
    links: BTreeMap<LinkId, Attempt>,
    devices: BTreeMap<DeviceId, Met>,
}

/// One handshake that met a fault.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    rule: RuleId,
    nth: u64,
    at: Time,
}

/// A device whose handshakes met a fault.
#[derive(Clone, Copy, Debug)]
struct Met {
    rule: RuleId,
    window: WindowId,
    attempts: u64,
    restored: Option<Time>,
}

impl Handshakes {
    /// Whether the handshake of this link met a fault and has not ended yet.
    pub fn is_met(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    pub fn forget(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// The window is over.
    pub fn restored(&mut self, device: DeviceId, window: WindowId, now: Time) {
        if let Some(met) = self.devices.get_mut(&device).filter(|met| met.window == window) {
            met.restored = Some(now);
        }
    }
}

impl Live {
    /// The fault was made in the handshake of this link.
    pub(super) fn handshake_met(
        &mut self,
        now: Time,
        window: WindowId,
        link: LinkId,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let &(id, device) = self.windows.get(&window)?;
        let firing = self.firings.get_mut(&id)?;
        firing.met += 1;
        let rule = firing.rule;
        let fresh = Met { rule, window, attempts: 0, restored: None };
        let met = self.handshakes.devices.entry(device).or_insert(fresh);
        if met.window != window {
            *met = fresh;
        }
        met.attempts += 1;
        let nth = met.attempts;
        self.handshakes.links.insert(link, Attempt { rule, nth, at: now });
        // Of later ones, their ends are told.
        let name = printable(&measures.sessions().device(device)?.name);
        (nth == 1).then(|| (Kind::Handshake, format!("{name}: its TLS handshake meets {}", self.rule(rule))))
    }

    /// The device gave up the handshake of this link, or what was left of it.
    pub(super) fn handshake_left(
        &mut self,
        now: Time,
        link: LinkId,
        how: &str,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let Attempt { rule, nth, at } = self.handshakes.links.remove(&link)?;
        let name = printable(&measures.sessions().device_of(link)?.name);
        let (after, rule) = (span(now.since(at)), self.rule(rule));
        Some((Kind::Handshake, format!("{name} left handshake {nth} after {after} ({how}); {rule}")))
    }

    /// The handshake of this link is done.
    pub(super) fn handshake_done(
        &mut self,
        now: Time,
        link: LinkId,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let Attempt { rule, nth, at } = self.handshakes.links.remove(&link)?;
        let rule = self.plan.rule(rule)?;
        let name = printable(&measures.sessions().device_of(link)?.name);
        match rule.fault.handshake()?.what {
            HandshakeFault::Certificate(bad) => Some((
                Kind::BadCertificate,
                format!("{name} ACCEPTED the bad certificate ({}); {}", bad.words(), rule.id),
            )),
            HandshakeFault::Stall(_) | HandshakeFault::Alert(_) | HandshakeFault::Abort(_) => {
                let after = span(now.since(at));
                Some((Kind::Handshake, format!("{name} finished handshake {nth} after {after}; {}", rule.id)))
            }
        }
    }

    /// How a device that met a fault of handshakes came back: `, 2.1 s after bad was over`.
    pub(super) fn back_from_handshakes(&mut self, now: Time, device: DeviceId) -> Option<String> {
        let met = self.handshakes.devices.remove(&device)?;
        let rule = self.rule(met.rule);
        Some(match met.restored {
            Some(restored) => format!(", {} after {rule} was over", span(now.since(restored))),
            None => format!("; {rule}"),
        })
    }
}
