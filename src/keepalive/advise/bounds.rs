//! Each target as the greatest or the least keep-alive that meets it.

use super::detect;
use super::model::{Candidate, Miss, Wish};
use crate::keepalive::clients::OfK;

/// A network that loses this share of its segments counts as unreliable.
pub const UNRELIABLE: f64 = 0.01;

/// What limits the keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The device has to notice in time.
    Device,
    /// The hub has to.
    Hub,
    /// The path must not forget.
    Path,
    /// The hub goes by no greater one.
    HubsMost,
    /// On an unreliable network it is not raised above the client's default: detection would take longer, and what
    /// looks like too short a keep-alive is too short a wait.
    Unreliable,
    /// Data may not cost more.
    Budget,
    /// The device has to wait long enough for answers.
    Wait,
    /// The hub goes by no smaller one, and a device of MQTT 5 is told to, too.
    HubsLeast,
    /// The client takes no greater one.
    ClientsMost,
    /// The client takes no smaller one.
    ClientsLeast,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What limits.
    pub why: Why,
    /// The keep-alive in seconds; `None`: none at all meets it.
    pub keep_alive: Option<u16>,
}

/// The limits from above, and those from below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// No greater keep-alive meets these.
    pub upper: Vec<Bound>,
    /// No smaller one meets these.
    pub lower: Vec<Bound>,
}

impl Bounds {
    /// Those of a wish.
    pub fn of(wish: &Wish) -> Bounds {
        let (limits, client) = (wish.hub.limits(), wish.client);
        let missed = |keep_alive: u16, miss: Miss| Candidate::of(wish, keep_alive).misses.contains(&miss);
        let within = |keep_alive: u16| {
            let time = detect::device(&wish.habits(keep_alive), wish.round_trip);
            time.is_some_and(|time| time.total() <= wish.detect_within)
        };
        let mut upper = vec![Bound { why: Why::HubsMost, keep_alive: Some(limits.most) }];
        if client.takes.most < u16::MAX {
            upper.push(Bound { why: Why::ClientsMost, keep_alive: Some(client.takes.most) });
        }
        if wish.of_device() {
            // A wait that can be told is longer for those who ping often: detection does not only grow with K.
            let pings = greatest(|k| wish.habits(k).ping_interval <= wish.detect_within).unwrap_or_default();
            upper.push(Bound { why: Why::Device, keep_alive: (1..=pings).rev().find(|k| within(*k)) });
        }
        if wish.of_hub() {
            upper.push(Bound { why: Why::Hub, keep_alive: greatest(|k| !missed(k, Miss::Hub)) });
        }
        if wish.path_idle.is_some() {
            upper.push(Bound { why: Why::Path, keep_alive: greatest(|k| !missed(k, Miss::Path)) });
        }
        if wish.loss >= UNRELIABLE {
            upper.push(Bound { why: Why::Unreliable, keep_alive: Some(client.keep_alive.value) });
        }
        let mut lower = vec![Bound { why: Why::HubsLeast, keep_alive: Some(wish.hubs_least()) }];
        if client.takes.least > 1 {
            lower.push(Bound { why: Why::ClientsLeast, keep_alive: Some(client.takes.least) });
        }
        if wish.budget.is_some() {
            lower.push(Bound { why: Why::Budget, keep_alive: least(|k| !missed(k, Miss::Budget)) });
        }
        // Where it can be set to anything, or has nothing to do with K, no keep-alive makes it longer.
        let longest =
            if client.sets_ping_timeout { client.most_ping_timeout } else { client.ping_timeout.value };
        if longest.is_some_and(OfK::is_relative) {
            lower.push(Bound { why: Why::Wait, keep_alive: least(|k| !missed(k, Miss::Wait)) });
        }
        Bounds { upper, lower }
    }

    /// The greatest keep-alive that all upper limits allow; `None`: none.
    pub fn most(&self) -> Option<u16> {
        self.upper.iter().map(|bound| bound.keep_alive).min().flatten()
    }

    /// The least that all lower limits allow; `None`: none.
    pub fn least(&self) -> Option<u16> {
        let all: Option<Vec<u16>> = self.lower.iter().map(|bound| bound.keep_alive).collect();
        all?.into_iter().max()
    }

    /// The upper limit that binds.
    pub fn tightest_upper(&self) -> Option<Bound> {
        self.upper.iter().copied().min_by_key(|bound| bound.keep_alive)
    }
}

/// The greatest keep-alive for which it holds, where it holds for all smaller ones.
fn greatest(holds: impl Fn(u16) -> bool) -> Option<u16> {
    least(|keep_alive| !holds(keep_alive)).map_or(Some(u16::MAX), |fails| (fails > 1).then(|| fails - 1))
}

/// The least keep-alive for which it holds, where it holds for all greater ones.
fn least(holds: impl Fn(u16) -> bool) -> Option<u16> {
    if !holds(u16::MAX) {
        return None;
    }
    let (mut low, mut high) = (1_u16, u16::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    Some(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_of_what_holds_is_found() {
        for edge in [1, 2, 3, 59, 60, 61, 32_767, 65_534, 65_535] {
            assert_eq!(least(|k| k >= edge), Some(edge));
            assert_eq!(greatest(|k| k <= edge), Some(edge));
        }
        assert_eq!(least(|_| false), None);
        assert_eq!(greatest(|_| false), None);
        assert_eq!(greatest(|_| true), Some(65_535));
    }
}
