//! How a device is to come back, so that a fleet of them does not knock the hub down again.

use super::model::Wish;
use crate::base::span::show_fixed;
use crate::device::{Backoff, Growth, Jitter, LONGEST_DELAY};
use crate::keepalive::advise::budget::show_count;
use crate::keepalive::clients::Redial;
use std::time::Duration;

/// The first delay: a short outage is over by then, and a hub is not knocked at in a tight loop.
const FIRST: Duration = Duration::from_secs(1);

/// The longest delay where no fleet asks for a longer one: a device that comes back on average half of this after
/// an outage is seldom missed.
const LONGEST: Duration = Duration::from_secs(60);

/// A hub's new connections are not for this fleet alone: it takes four fifths of them.
const SHARE: f64 = 0.8;

/// The back-off, and what is to be said of it.
pub struct BackOff {
    pub backoff: Backoff,
    pub reasons: Vec<String>,
    pub warnings: Vec<String>,
}

/// What is advised.
pub fn back_off(wish: &Wish) -> BackOff {
    let spread = spread(wish);
    let cap = spread.map_or(LONGEST, |spread| spread.max(LONGEST)).min(LONGEST_DELAY);
    let growth = Growth::Exponential { base: FIRST, cap, factor: 2.0 };
    let backoff = Backoff { growth, jitter: Jitter::Full, at_once: false };
    BackOff { backoff, reasons: reasons(wish, cap, spread), warnings: warnings(wish, cap, spread) }
}

/// How often a second a fleet dials whose delays are anything from nothing to `most`: each device twice in so long on average.
fn dials(fleet: f64, most: Duration) -> f64 {
    2.0 * fleet / most.as_secs_f64()
}

/// How long the longest delays of the fleet have to be, in whole minutes; `None` where nothing asks for it.
fn spread(wish: &Wish) -> Option<Duration> {
    let per_second = wish.throttle().filter(|_| wish.fleet > 1)?;
    let seconds = dials(wish.fleet.into(), Duration::from_secs(1)) / (f64::from(per_second.max(1)) * SHARE);
    Some(Duration::from_secs_f64((seconds / 60.0).ceil().max(1.0) * 60.0))
}

fn reasons(wish: &Wish, cap: Duration, spread: Option<Duration>) -> Vec<String> {
    let (fleet, shown) = (f64::from(wish.fleet), show_fixed(cap));
    let mut reasons = vec![format!(
        "Back-off: from {} doubling to {shown}, each delay anything from nothing to that (full jitter), so that devices \
         that lost their links together do not return together.",
        show_fixed(FIRST)
    )];
    if let (Some(spread), Some(per_second)) = (spread, wish.throttle()) {
        let of = match (wish.connects_per_second, wish.hub.connects) {
            (None, Some(throttle)) => format!(" ({})", throttle.of),
            (Some(_), _) | (None, None) => String::new(),
        };
        let rate = dials(fleet, cap);
        let rate = if rate < 1.0 { "less than one".to_owned() } else { show_count(rate) };
        let least = Duration::from_secs_f64((fleet / f64::from(per_second.max(1))).ceil());
        reasons.push(format!(
            "{} devices need {} at least to return to a hub that admits {per_second} connects a second{of}; with a fifth \
             of that left to others, delays have to go up to {}: once all have come so far, they return at {rate} a second \
             at most. After an outage of seconds nearly all come within seconds, and whom the hub does not admit then waits \
             longer each time.",
            show_count(fleet),
            show_fixed(least),
            show_fixed(spread.min(LONGEST_DELAY)),
        ));
    }
    reasons
}

fn warnings(wish: &Wish, cap: Duration, spread: Option<Duration>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(spread) = spread.filter(|spread| *spread > cap) {
        warnings.push(format!(
            "No back-off goes beyond {}: {} would be needed; connect the fleet to more hubs or units.",
            show_fixed(cap),
            show_fixed(spread)
        ));
    }
    let client = wish.client;
    let own = client.redial.value.backoff();
    let shown = match own.to_string().as_str() {
        "none" => "without any pause".to_owned(),
        text => format!("by `{text}`"),
    };
    let has_jitter = own.jitter != Jitter::None;
    match client.redial.value {
        Redial::Client(_) if own.at_once || !has_jitter => warnings.push(format!(
            "{} by itself dials again {shown}: {}; where it cannot be told another rule, let the application wait.",
            client.title,
            if has_jitter {
                "a fleet that lost its links in one moment dials in one moment"
            } else {
                "without jitter, a fleet that lost its links in one moment dials in one moment each time"
            }
        )),
        Redial::Client(_) => {}
        Redial::ClientIfAsked(_) => warnings.push(format!(
            "{} does not dial again unless it is told to; if it is, {shown}.",
            client.title
        )),
        Redial::Application(_) => {
            warnings.push(format!("{} does not dial again by itself: the application has to.", client.title));
        }
    }
    warnings
}
