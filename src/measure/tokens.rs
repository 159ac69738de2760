//! Tokens: whether a device comes with a fresh one before the old one expires, how late otherwise, and how often with a
//! stale one.
//!
//! A token expires when it says so itself, by the wall clock that the run began at; one that brownout cannot read, a
//! rule's lifetime after CONNACK, or at the cut that a rule made for it.

use super::cause::Cause;
use super::facts::{Link, Window};
use super::fold::Measures;
use super::value::Value;
use crate::base::units::to_u64;
use crate::base::{DeviceId, RuleId, Time};
use crate::event::RunStarted;
use crate::fault::{Fault, LegFate, TokenExpiry};
use crate::profile::Metric;
use std::time::Duration;

/// The measures of a device's tokens, with the rule that they belong to.
pub(super) fn measures(measures: &Measures, device: DeviceId) -> Vec<(Metric, Value, Option<RuleId>)> {
    let Some(facts) = measures.devices.get(&device) else { return Vec::new() };
    let links: Vec<&Link> = facts.links.iter().filter_map(|id| measures.links.get(id)).collect();
    let tokens = Tokens::of(measures, device);
    let mut values = Vec::new();
    let mut old: Option<(Time, &Link)> = None;
    let mut perhaps_stale = 0;
    for link in &links {
        if old.is_some_and(|(expiry, _)| tokens.is_perhaps_stale(expiry, link)) {
            perhaps_stale += 1;
        }
        if let Some((expiry, _)) = old.filter(|(_, before)| tokens.is_renewed(before, link)) {
            let asked = link.greeting.map_or(link.opened, |greeting| greeting.at);
            values.push(match asked <= expiry {
                true => (Metric::TokenMargin, Value::Exact(expiry.since(asked)), tokens.rule()),
                false => (Metric::TokenLate, Value::Exact(asked.since(expiry)), tokens.rule()),
            });
            old = None;
        }
        if link.accepted().is_some() {
            old = tokens.expiry(link).map(|expiry| (expiry, *link));
        }
    }
    let has_one =
        |link: &&Link| token(link).is_some() || tokens.expiry(link).is_some() || tokens.was_refused(link);
    if links.iter().any(has_one) {
        let stale = to_u64(links.iter().filter(|link| tokens.was_stale(link)).count());
        let stale = Value::at_least(stale, perhaps_stale);
        values.push((Metric::StaleTokens, stale, tokens.rule()));
    }
    values
}

/// What is known of tokens of one device.
struct Tokens<'a> {
    measures: &'a Measures,
    /// The windows of rules of token expiry that fell on it.
    windows: Vec<(&'a Window, TokenExpiry)>,
}

impl<'a> Tokens<'a> {
    fn of(measures: &'a Measures, device: DeviceId) -> Tokens<'a> {
        let of_device = measures.windows.values().filter(|window| window.device == device);
        let windows = of_device.filter_map(|window| match &measures.plan.rule(window.rule)?.fault {
            Fault::TokenExpiry(expiry) => Some((window, *expiry)),
            _ => None,
        });
        Tokens { measures, windows: windows.collect() }
    }

    /// The rule that the figures belong to: the first that fell on the device.
    fn rule(&self) -> Option<RuleId> {
        self.windows.first().map(|(window, _)| window.rule)
    }

    /// When the token that this link was accepted with expires.
    fn expiry(&self, link: &Link) -> Option<Time> {
        let cut = link.cut.filter(|_| self.is_cut_by_a_rule(link)).map(|(at, _)| at);
        let told = self.by_the_clock(link).or_else(|| self.by_a_rule(link));
        told.map(|at| cut.map_or(at, |cut| cut.min(at))).or(cut)
    }

    fn by_the_clock(&self, link: &Link) -> Option<Time> {
        expires(self.measures, link)
    }

    fn by_a_rule(&self, link: &Link) -> Option<Time> {
        let accepted = link.accepted()?;
        self.windows.iter().find_map(|(window, expiry)| {
            let at = accepted + expiry.lifetime?.resolve(window.keep_alive);
            (window.opened <= at && window.closed.is_none_or(|closed| at <= closed)).then_some(at)
        })
    }

    fn is_cut_by_a_rule(&self, link: &Link) -> bool {
        self.cut_by(link) && !matches!(link.fate, Some(LegFate::Rejected(_)))
    }

    fn was_refused(&self, link: &Link) -> bool {
        self.cut_by(link) && matches!(link.fate, Some(LegFate::Rejected(_)))
    }

    fn cut_by(&self, link: &Link) -> bool {
        let window = link.cut.and_then(|(_, window)| self.measures.windows.get(&window?));
        window.is_some_and(|window| self.windows.iter().any(|(of_tokens, _)| of_tokens.rule == window.rule))
    }

    fn was_stale(&self, link: &Link) -> bool {
        let asked = link.greeting.map(|greeting| greeting.at);
        let has_expired = self.by_the_clock(link).zip(asked).is_some_and(|(expiry, asked)| expiry <= asked);
        has_expired || self.was_refused(link)
    }

    /// Whether it comes, after the expiry that a rule's lifetime made, with the password of the link before: a token that has
    /// expired, or a password that does not expire.
    fn is_perhaps_stale(&self, expiry: Time, link: &Link) -> bool {
        let asked = link.greeting.filter(|greeting| greeting.same_password).map(|greeting| greeting.at);
        asked.is_some_and(|asked| expiry <= asked) && !self.was_stale(link)
    }

    /// Whether `link` comes with a fresh token after `before`: one that expires later, or, where tokens cannot be read, a
    /// link after one that the expiry ended, or that the device left in good order, unless it shows the same password.
    fn is_renewed(&self, before: &Link, link: &Link) -> bool {
        if link.greeting.is_none_or(|greeting| greeting.same_password) || self.was_stale(link) {
            return false;
        }
        match (token(before), token(link)) {
            (Some(old), Some(new)) => new > old,
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => self.is_cut_by_a_rule(before) || before.took_leave(),
        }
    }
}

/// A hub that ends a link no later than this after its token has expired does so for that: Azure's SDKs are told of a
/// grace of up to ten minutes, and documents of its services differ by some.
const HUB_GRACE: Duration = Duration::from_secs(11 * 60);
/// Expiries are whole seconds, and clocks are seldom alike to the last of them.
const CLOCKS_APART: Duration = Duration::from_secs(1);

/// Whether the hub, which ended this link of its own accord as far as the wire tells, did so when its token had expired.
pub(super) fn had_expired(measures: &Measures, link: &Link, cause: Cause) -> bool {
    let ended = link.signs.hub.map(|sign| sign.at);
    let ended = ended.filter(|_| cause.is_of_hub() && link.accepted().is_some());
    let Some((ended, expiry)) = ended.zip(expires(measures, link)) else { return false };
    expiry <= ended + CLOCKS_APART && ended <= expiry + HUB_GRACE
}

/// When the token of this link expires, by the wall clock that the run began at.
fn expires(measures: &Measures, link: &Link) -> Option<Time> {
    let expiry = u128::from(token(link)?) * 1_000_000_000;
    // What expired before the run began had expired at its beginning.
    let since = expiry.saturating_sub(measures.started.as_ref().and_then(began)?);
    Some(Time::from_nanos(u64::try_from(since).unwrap_or(u64::MAX)))
}

fn token(link: &Link) -> Option<u64> {
    link.greeting?.token_expiry
}

/// When the run began, in nanoseconds since 1970; `None` for a log that does not say.
fn began(started: &RunStarted) -> Option<u128> {
    let wall_clock: jiff::Timestamp = started.wall_clock.parse().ok()?;
    u128::try_from(wall_clock.as_nanosecond()).ok()
}

/// From each CONNECT that the device gave up without a CONNACK to its giving up.
pub(super) fn connack_wait(link: &Link) -> Option<Duration> {
    let asked = link.greeting?.at;
    let left = link.signs.device?.at;
    let was_told = link.told.device.is_some_and(|told| told <= left) || link.fate.is_some();
    let is_answered = link.connack.and_then(|connack| connack.delivered).is_some_and(|at| at <= left);
    (!was_told && !is_answered).then(|| left.since(asked))
}
