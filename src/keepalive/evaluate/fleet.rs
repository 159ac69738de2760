//! The storm of a fleet's connects after one outage that meets all of it.
//!
//! Each device is simulated by itself, with draws of its own, which is the same as all together: neither brownout nor the hub
//! makes one wait for another. They begin evenly over a ping interval, so that the outage meets them at any phase; then it lasts
//! as long as the longest of the case's. What counts are CONNECTs since it began.

use super::{Bench, MOST_AFTER, Setting};
use crate::base::rand::{Key, draw, unit};
use crate::base::{Direction, Time};
use crate::device::{DeviceDid, PingRule};
use crate::event::{Packet, What};
use crate::keepalive::outages::Spell;
use crate::keepalive::tally::busiest_second;
use crate::sim::{self, Sight};
use std::time::Duration;

/// The largest fleet: each device of it is simulated.
pub const MOST_DEVICES: u32 = 10_000;

/// The most devices of all fleets of a sweep together: some minutes of two cores.
pub const MOST_STORMS: u64 = 1_000_000;

/// The purposes that tell the draws of a fleet's devices from all others.
const SEEDS: u64 = 0x666c_6565_7400_0000;
const PHASES: u64 = 0x666c_6565_7400_0001;

/// So many round trips are enough to be accepted: TCP, TLS, CONNECT, with some lost on the way.
const JOINING: u32 = 20;

/// How long a device is watched after the outage beside its own timers and its longest delay: what it dials takes no longer.
const AFTER: Duration = Duration::from_secs(120);

impl Bench {
    /// Connects of the fleet in the busiest second; `None` without a fleet, or without outages, or where a device may come
    /// back after the time that is watched.
    pub(super) fn storm(&self, setting: &Setting) -> Result<Option<u64>, String> {
        let longest = setting.spells.iter().map(|spell| spell.length).max();
        let Some(length) = longest.filter(|_| self.fleet > 0) else { return Ok(None) };
        let apart = setting.phases();
        let start = Time::ZERO + apart + self.link.round_trip * JOINING + Duration::from_secs(1);
        let spell = Spell { start, length };
        let timers = setting.habits.ping_timeout.unwrap_or_default().saturating_add(apart).saturating_mul(2);
        let until = spell.end() + timers.min(MOST_AFTER) + setting.habits.backoff.longest() + AFTER;
        let mut connects = Vec::new();
        for nth in 0..self.fleet {
            let key = Key { seed: self.seed, purpose: SEEDS, subject: 0, nth: nth.into() };
            let begin = Time::ZERO + apart.mul_f64(unit(Key { purpose: PHASES, ..key }));
            let scenario = setting.scenario(self, &[spell], (begin, until), draw(key));
            let (mut is_heard, mut is_lost) = (false, false);
            sim::run(&scenario, &mut |at, sight| {
                if at >= start && is_connect(&sight) {
                    connects.push(at);
                }
                is_heard |= at >= spell.end() && is_of_device(&sight);
                is_lost |= at >= start && is_loss(&sight);
            })?;
            if !is_heard && (is_lost || timers > MOST_AFTER) {
                return Ok(None);
            }
        }
        Ok(Some(busiest_second(&mut connects)))
    }
}

impl Setting {
    /// Over how long the beginnings of a fleet are spread.
    fn phases(&self) -> Duration {
        let pings = self.habits.ping != PingRule::Never && !self.habits.keep_alive.is_zero();
        if pings { self.habits.ping_interval } else { Duration::from_secs(60) }
    }
}

/// Whether it is a packet of the device that came through.
fn is_of_device(sight: &Sight<'_>) -> bool {
    match sight {
        Sight::Event(event) => matches!(event.what, What::Packet { direction: Direction::Up, .. }),
        Sight::Device { .. } | Sight::Hub(_) | Sight::Segment { .. } | Sight::Message { .. } => false,
    }
}

/// Whether the device gave its link up.
fn is_loss(sight: &Sight<'_>) -> bool {
    matches!(sight, Sight::Device { did: DeviceDid::NoticedDead { .. }, .. })
}

fn is_connect(sight: &Sight<'_>) -> bool {
    match sight {
        Sight::Event(event) => {
            matches!(
                event.what,
                What::Packet { direction: Direction::Up, packet: Packet::Connect { .. }, .. }
            )
        }
        Sight::Device { .. } | Sight::Hub(_) | Sight::Segment { .. } | Sight::Message { .. } => false,
    }
}
