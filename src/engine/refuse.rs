//! Attempts to connect that a fault turns away: cut as soon as it is known that it falls on them. Links that were there
//! before a refusal are left alone.
//!
//! ```text
//!   accepted ──▶ ClientHello ──▶ certificate ──▶ CONNECT
//!   refuse: at the first of these that tells whose it is   reject, token_expiry: here
//! ```
//!
//! In the dark, that is where a blackhole or a stall closes a direction of the link, nothing may arrive, no RST and no CONNACK
//! either: a link is turned away when the path is restored, if the refusal still holds then. So is one whose token has expired.

use super::machine::Engine;
use super::pick;
use super::tokens::Token;
use crate::base::{DeviceId, Ends, LinkId, WindowId};
use crate::event::Packet;
use crate::fault::{ConnackCode, Fault, LegFate};
use std::net::IpAddr;

/// What becomes of the legs of a link that is refused.
const REFUSED: Ends<LegFate> = Ends { device: LegFate::Reset, hub: LegFate::Reset };

impl Engine {
    /// More is known of a link than before, and no CONNECT yet: it is cut where a refusal falls on it for certain.
    pub(super) fn refuse_link(&mut self, link: LinkId) {
        if self.has_nothing_on(link) || self.is_cut(link) || self.waits_in_the_dark(link) {
            return;
        }
        if self.sessions.device_of(link).is_none() {
            let device = self.alone_at_address(link);
            if !self.is_refused(link, device) {
                return;
            }
            // Of several devices at its address it may be any: its CONNECT will say.
            let Some(device) = device else { return };
            self.identify_by_address(link, device);
            self.join_firings(link);
        }
        if let Some(window) = self.refusal(link, false) {
            self.turn_away(link, window, REFUSED);
        }
    }

    /// The CONNECT of a link has come, the first thing that says for certain whose it is. Answers whether it goes no further.
    pub(super) fn connected(&mut self, link: LinkId, packet: &Packet) -> bool {
        self.join_firings(link);
        if let Packet::Connect { token_expiry, password, .. } = packet {
            self.show_token(link, *token_expiry, *password);
        }
        if self.is_cut(link) {
            return true;
        }
        match self.rejection(link) {
            Some(_) if self.waits_in_the_dark(link) => {}
            Some((window, legs)) => {
                self.turn_away(link, window, legs);
                return true;
            }
            None => self.watch_token(link),
        }
        self.settle_link(link);
        false
    }

    /// Whether the path lets nothing pass, and so a refusal waits.
    pub(super) fn waits_in_the_dark(&mut self, link: LinkId) -> bool {
        let is_dark = self.is_in_the_dark(link);
        if let Some(control) = self.links.get_mut(&link) {
            control.waits_for_light |= is_dark;
        }
        is_dark
    }

    /// The path of a link is open. Whether that is news to a refusal, which then falls on it if it still holds.
    pub(super) fn sees_light(&mut self, link: LinkId) -> bool {
        let Some(control) = self.links.get_mut(&link) else { return false };
        if !std::mem::take(&mut control.waits_for_light) || control.cut {
            return false;
        }
        let is_accepted = self.sessions.link(link).is_some_and(|live| matches!(live.connack, Some((_, 0))));
        if control.token == Token::Unseen {
            self.refuse_link(link);
        } else if is_accepted {
            self.watch_token(link);
        } else if let Some((window, legs)) = self.rejection(link) {
            self.turn_away(link, window, legs);
        } else {
            self.watch_token(link);
        }
        true
    }

    /// Whether a refusal that asks for nothing that only CONNECT can tell falls on a link of nobody yet, taken to be this
    /// device's.
    fn is_refused(&self, link: LinkId, device: Option<Result<DeviceId, IpAddr>>) -> bool {
        let Some(live) = self.sessions.link(link) else { return false };
        let known = device.and_then(Result::ok).and_then(|id| self.sessions.device(id));
        self.firings.of_everyone().any(|firing| {
            let Some(rule) = self.plan.rule(firing.rule) else { return false };
            let falls = matches!(rule.fault, Fault::Refuse(_))
                && !rule.needs_connect()
                && pick::may_match(&rule.who, live);
            let is_new = link >= firing.first_new;
            let holds = known.is_none_or(|device| self.holds_on(firing, device));
            let in_force = firing.until.is_none_or(|until| until > self.now());
            falls && is_new && holds && in_force
        })
    }

    /// The device whose attempt a link is, as far as its address tells: the only one that is known there, if it is not
    /// connected, or one that nobody knows yet. `None` where it may be any of several.
    fn alone_at_address(&self, link: LinkId) -> Option<Result<DeviceId, IpAddr>> {
        let address = self.sessions.link(link)?.ip()?;
        let mut known = self.sessions.from_address(address);
        match (known.next(), known.next()) {
            (None, _) => self.by_address(link),
            (Some(only), None) => {
                let is_up = self.sessions.device(only).is_some_and(|only| self.sessions.is_up(only));
                (!is_up).then_some(Ok(only))
            }
            (Some(_), Some(_)) => None,
        }
    }

    /// The window of the first rule that refuses a link of a device. `certain`: CONNECT has said whose it is, not its address
    /// alone.
    fn refusal(&self, link: LinkId, certain: bool) -> Option<WindowId> {
        let guessed = !certain && self.links.get(&link)?.by_address;
        let mut windows = self.windows_on(link).into_iter();
        windows.find_map(|(id, window, rule)| {
            let refuses = matches!(rule.fault, Fault::Refuse(_)) && link >= window.first_new;
            (refuses && !(guessed && rule.needs_connect())).then_some(id)
        })
    }

    /// The window of the first rule that turns a CONNECT away, and how.
    fn rejection(&self, link: LinkId) -> Option<(WindowId, Ends<LegFate>)> {
        if self.windows.is_empty() {
            return None;
        }
        let refusal = self.refusal(link, true);
        let mut windows = self.windows_on(link).into_iter();
        windows.find_map(|(id, window, rule)| {
            let code = match &rule.fault {
                Fault::Refuse(_) if refusal == Some(id) => return Some((id, REFUSED)),
                Fault::Reject(reject) => reject.code,
                Fault::TokenExpiry(expiry) => {
                    self.expires(link, window, expiry).filter(|at| *at <= self.now())?;
                    ConnackCode { return_code: 5, reason_code: 0x87 }
                }
                _ => return None,
            };
            Some((id, Ends { device: LegFate::Rejected(code), hub: LegFate::Close }))
        })
    }
}
