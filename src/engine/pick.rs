//! Whom a rule may fall on.

use crate::base::{RuleId, rand, text};
use crate::profile::{Rule, Who};
use crate::session::{Device, Link};
use std::net::IpAddr;

/// Purposes of draws, in the low byte beside the rule's number. Delays use those below 0x20.
const SHARE: u64 = 0xF0;
const CHANCE: u64 = 0xF1;
const JITTER: u64 = 0xF2;

/// Whether the rule may fall on this device, as seen on one of its links.
pub fn matches(seed: u64, id: RuleId, who: &Who, device: &Device, link: &Link) -> bool {
    may_match(who, link)
        && who.client.as_ref().is_none_or(|glob| text::glob(glob, &device.name))
        && who
            .username
            .as_ref()
            .is_none_or(|glob| device.username.as_ref().is_some_and(|name| text::glob(glob, name)))
        && who.version.is_none_or(|version| device.version == Some(version))
        && who.share.hits(rand::unit(key(seed, id, SHARE, &device.name, 0)))
}

/// Whether the rule may fall on a link, as far as is known before its CONNECT. One that asks for a server name or a
/// certificate waits until the link has shown it.
pub fn may_match(who: &Who, link: &Link) -> bool {
    let shows = |wanted: &Option<String>, shown: &Option<Box<str>>| {
        wanted.as_ref().is_none_or(|glob| shown.as_ref().is_some_and(|shown| text::glob(glob, shown)))
    };
    who.listener.is_none_or(|listener| listener == link.listener)
        && who.address.is_none_or(|network| link.ip().is_some_and(|ip: IpAddr| network.contains(ip)))
        && shows(&who.sni, &link.sni)
        && shows(&who.subject, &link.subject)
}

/// Whether the `nth` firing of a rule falls on a device, by its chance.
pub fn chance(seed: u64, id: RuleId, rule: &Rule, device: &Device, nth: u32) -> bool {
    rule.chance.hits(rand::unit(key(seed, id, CHANCE, &device.name, nth)))
}

/// A number from -1 to 1 for the jitter of the `nth` firing of a rule.
pub fn jitter(seed: u64, id: RuleId, nth: u32) -> f64 {
    rand::unit(key(seed, id, JITTER, "", nth)) * 2.0 - 1.0
}

fn key(seed: u64, rule: RuleId, purpose: u64, subject: &str, nth: u32) -> rand::Key {
    rand::Key {
        seed,
        purpose: (u64::from(rule.0) << 8) | purpose,
        subject: rand::name_hash(subject),
        nth: u64::from(nth),
    }
}
