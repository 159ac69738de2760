//! TLS handshakes with devices: whom a fault of them falls on, before any CONNECT says whose the link is.

use super::level::is_shaking_hands;
use super::machine::Engine;
use super::pick;
use crate::base::{DeviceId, LinkId, Side};
use crate::session::Handshake;
use std::net::IpAddr;

impl Engine {
    /// The ClientHello of a link came: its server name is known, and its handshake may meet a fault.
    pub(super) fn greeted(&mut self, link: LinkId) {
        let Some(live) = self.sessions.link(link) else { return };
        let (unknown, passed_through) = (live.device.is_none(), live.handshake == Handshake::PassedThrough);
        if unknown && passed_through {
            // No CONNECT will be seen.
            if let Some(address) = live.ip() {
                self.identify(link, &address.to_string());
            }
        } else if unknown {
            self.strike(link);
        }
        self.join_firings(link);
        self.refuse_link(link);
        self.settle_link(link);
    }

    /// The handshake of this side's leg is done or has failed: what it meets is over, and the device's certificate known.
    pub(super) fn shook_hands(&mut self, link: LinkId, side: Side) {
        if side == Side::Device {
            self.join_firings(link);
            self.refuse_link(link);
            self.settle_link(link);
        }
    }

    /// A fault of handshakes has come into force: handshakes under way are struck.
    pub(super) fn strike_unknown(&mut self) {
        let unknown = self.sessions.unknown().filter(|(_, link)| is_shaking_hands(link));
        let unknown: Vec<LinkId> = unknown.map(|(id, _)| id).collect();
        for link in unknown {
            self.strike(link);
            self.join_firings(link);
            self.settle_link(link);
        }
    }

    /// Where the handshake meets a fault, its link is identified by its address.
    fn strike(&mut self, link: LinkId) {
        let Some(device) = self.by_address(link).filter(|device| self.is_struck(link, *device)) else {
            return;
        };
        self.identify_by_address(link, device);
    }

    /// Whether a fault of handshakes is in force that falls on this link, if it is this device's.
    fn is_struck(&self, link: LinkId, device: Result<DeviceId, IpAddr>) -> bool {
        let Some(live) = self.sessions.link(link) else { return false };
        self.firings.that_may_hit(device.ok()).any(|(_, firing)| {
            let Some(rule) = self.plan.rule(firing.rule) else { return false };
            let falls = match device {
                Ok(device) => self.falls_on(firing.rule, rule, device, link),
                Err(_) => pick::may_match(&rule.who, live) && !rule.who.needs_connect(),
            };
            rule.fault.is_of_handshakes() && falls
        })
    }
}
