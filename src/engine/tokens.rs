//! Tokens that expire: the hub closes the link of a device whose token is no longer valid, and refuses one that is not.
//!
//! Source: "Control access to IoT Hub using shared access signatures", Microsoft Learn: the time in a SAS token is in
//! seconds since 1970, and the hub ends the connection when it has come.

use super::firing::Window;
use super::machine::{Engine, Timer};
use crate::base::{Ends, LinkId, Print, Time, WindowId};
use crate::event::Packet;
use crate::fault::{Fault, LegFate, TokenExpiry};

/// What the CONNECT of a link said of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Token {
    /// No CONNECT was seen.
    #[default]
    Unseen,
    /// There is none, or none that says when it expires; what its password is known again by.
    Absent(Option<Print>),
    /// It expires at this time, in seconds since 1970.
    Until(u64),
}

/// What becomes of the legs of a link whose token has expired.
const EXPIRED: Ends<LegFate> = Ends { device: LegFate::Close, hub: LegFate::Close };

/// Nanoseconds since 1970 of a time as RFC 3339 writes it; `None` for one before that, and for what is no time.
pub(super) fn since_1970(wall_clock: &str) -> Option<i128> {
    let time: jiff::Timestamp = wall_clock.parse().ok()?;
    Some(time.as_nanosecond()).filter(|nanos| *nanos >= 0)
}

/// The moment of a run that began at `began` (nanoseconds since 1970) when a token and its grace are over. The beginning, if
/// they were before; `None` where no run lasts so long.
fn over_at(began: i128, seconds: u64, grace_nanos: u128) -> Option<Time> {
    let expiry = i128::from(seconds) * 1_000_000_000;
    let over = expiry.checked_add(i128::try_from(grace_nanos).ok()?)?;
    let nanos = u64::try_from((over - began).max(0)).ok()?;
    Some(Time::from_nanos(nanos)).filter(|at| *at < Time::MAX)
}

impl Engine {
    pub(super) fn show_token(&mut self, link: LinkId, expiry: Option<u64>, password: Option<Print>) {
        if let Some(control) = self.links.get_mut(&link) {
            control.token = expiry.map_or(Token::Absent(password), Token::Until);
        }
    }

    /// A CONNECT is about to be told of: says of it whether its password is the one that its device was last accepted with, if
    /// that may matter.
    pub(super) fn look_at_password(&self, link: LinkId, packet: &mut Packet) {
        let Packet::Connect { password, token_expiry: None, same_password, .. } = packet else { return };
        let before = self.sessions.device_of(link).and_then(|device| self.passwords.get(&device.id));
        *same_password = password.is_some() && before == password.as_ref();
    }

    /// A link was accepted with its password, if it has one and that may matter later.
    pub(super) fn keep_password(&mut self, link: LinkId) {
        if !self.has_lifetimes {
            return;
        }
        let Some(device) = self.sessions.device_of(link).map(|device| device.id) else { return };
        match self.links.get(&link).map(|control| control.token) {
            Some(Token::Absent(Some(password))) => _ = self.passwords.insert(device, password),
            _ => _ = self.passwords.remove(&device),
        }
    }

    /// When this window ends a link; `None`: never. A link without a token lasts from its CONNACK on.
    pub(super) fn expires(&self, link: LinkId, window: &Window, fault: &TokenExpiry) -> Option<Time> {
        match self.links.get(&link)?.token {
            Token::Unseen => None,
            Token::Until(seconds) => over_at(self.began?, seconds, fault.grace.as_nanos()),
            Token::Absent(_) => {
                let (accepted, _) = self.sessions.link(link)?.connack.filter(|(_, code)| *code == 0)?;
                let over = accepted + fault.lifetime?.resolve(window.keep_alive) + fault.grace;
                Some(over).filter(|at| *at < Time::MAX)
            }
        }
    }

    /// Sees to it that a link ends when the windows on it that are about tokens say so.
    pub(super) fn watch_token(&mut self, link: LinkId) {
        if self.windows.is_empty() {
            return;
        }
        let due: Vec<(WindowId, Time)> = self
            .windows_on(link)
            .into_iter()
            .filter_map(|(id, window, rule)| match &rule.fault {
                Fault::TokenExpiry(fault) => Some((id, self.expires(link, window, fault)?)),
                _ => None,
            })
            .collect();
        for (window, at) in due {
            if at <= self.now() {
                self.expire(window, link);
            } else if self.links.get(&link).is_some_and(|it| !it.awaits_expiry(window)) {
                let key = self.set_timer(at, Timer::Expire { window, link });
                if let Some(control) = self.links.get_mut(&link) {
                    control.seldom().expiries.insert(window, key);
                }
            }
        }
    }

    /// A token may have expired: its link is cut if that is so.
    pub(super) fn expire(&mut self, window: WindowId, link: LinkId) {
        self.settle_devices();
        let Some(control) = self.links.get_mut(&link) else { return };
        control.seldom().expiries.remove(&window);
        let is_over = self.windows_on(link).into_iter().any(|(id, of, rule)| match &rule.fault {
            Fault::TokenExpiry(fault) => {
                id == window && self.expires(link, of, fault).is_some_and(|at| at <= self.now())
            }
            _ => false,
        });
        if is_over && !self.is_cut(link) && !self.waits_in_the_dark(link) {
            self.turn_away(link, window, EXPIRED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_and_what_is_no_time_are_none() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01T00:00:01.000000002Z", Some(1_000_000_002)),
            ("1970-01-01T02:00:00+01:00", Some(3_600_000_000_000)),
            ("1969-12-31T23:59:59Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(since_1970(text), expected, "{text}");
        }
    }

    #[test]
    fn a_token_is_over_at_a_moment_of_the_run_or_never() {
        let last = u128::from(Time::MAX.as_nanos());
        for (began, seconds, grace, expected) in [
            (5_000_000_000, 7, 0, Some(Time::from_secs(2))),
            (5_000_000_000, 7, 500_000_000, Some(Time::from_millis(2500))),
            (5_000_000_000, 5, 0, Some(Time::ZERO)),
            (5_000_000_000, 0, 1, Some(Time::ZERO)),
            (0, 0, last - 1, Some(Time::from_nanos(Time::MAX.as_nanos() - 1))),
            (0, 0, last, None),
            (0, u64::MAX, 0, None),
            (0, u64::MAX, u128::MAX, None),
            (i128::from(u64::MAX), 18_446_744_074, 0, Some(Time::from_nanos(290_448_385))),
        ] {
            assert_eq!(over_at(began, seconds, grace), expected, "{began} {seconds} {grace}");
        }
    }
}
