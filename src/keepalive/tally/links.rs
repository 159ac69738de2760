//! The device's links: who knows when that one is gone, and why it went.

use super::{Samples, Struck};
use crate::base::units::to_u64;
use crate::base::{LinkId, Time};
use crate::hub::{ConnId, Departure};
use crate::keepalive::model::Figures;
use crate::keepalive::outages::Spell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The most links that the device has given up and the hub has not. A hub takes the old one over as the device comes back, so
/// there are hardly ever two; of more, the oldest counts as never noticed.
const MOST_LOOSE: usize = 64;

/// Why a link was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// By this outage.
    Outage(usize),
    /// The path had forgotten it.
    Forgotten,
    /// Neither.
    Sound,
}

/// A link that the device was accepted on.
#[derive(Clone, Debug)]
struct Life {
    conn: Option<ConnId>,
    link: Option<LinkId>,
    /// When something was last known to have passed.
    heard: Time,
    forgotten: Option<Time>,
    device: Option<Time>,
    hub: Option<Time>,
    cause: Option<Cause>,
}

/// What became of an outage.
#[derive(Clone, Copy, Debug, Default)]
struct Strike {
    /// Both ends had the link as it began; without that, no sample comes of it.
    is_struck: bool,
    /// It swallowed something that the device sent.
    is_touched: bool,
    /// It cost the link.
    is_lost: bool,
    device: Option<Time>,
    hub: Option<Time>,
    back: Option<Time>,
}

/// All links of one device.
#[derive(Debug)]
pub(super) struct Links {
    spells: Arc<[Spell]>,
    strikes: Vec<Strike>,
    round_trip: Duration,
    /// Losses after it do not count.
    span: Time,
    /// Accepted by the hub, and not yet known to the device.
    offered: (Option<ConnId>, Option<LinkId>),
    /// What the device takes for its link.
    present: Option<Life>,
    /// What the device has given up and the hub has not.
    loose: VecDeque<Life>,
    /// Outages that cost the device a link, which it has not come back from.
    awaiting: Vec<usize>,
    split: Samples,
}

impl Links {
    pub fn new(spells: Arc<[Spell]>, round_trip: Duration, span: Time) -> Links {
        Links {
            strikes: vec![Strike::default(); spells.len()],
            spells,
            round_trip,
            span,
            offered: (None, None),
            present: None,
            loose: VecDeque::new(),
            awaiting: Vec::new(),
            split: Samples::default(),
        }
    }

    /// Whether both ends share a link that the path has not forgotten.
    pub fn are_whole(&self) -> bool {
        self.present.as_ref().is_some_and(|life| life.hub.is_none() && life.forgotten.is_none())
    }

    /// An outage begins. `is_touched`: something that the device sent may be under way.
    pub fn begins(&mut self, nth: usize, is_touched: bool) {
        let is_struck = self.are_whole();
        if let Some(strike) = self.strikes.get_mut(nth) {
            *strike = Strike { is_struck, is_touched, ..Strike::default() };
        }
    }

    /// The device sent something into an outage.
    pub fn touches(&mut self, nth: usize) {
        self.strikes.get_mut(nth).into_iter().for_each(|strike| strike.is_touched = true);
    }

    /// Something has passed just now.
    pub fn heard(&mut self, at: Time) {
        self.present.iter_mut().for_each(|life| life.heard = life.heard.max(at));
    }

    pub fn offers(&mut self, conn: ConnId) {
        self.offered.0 = Some(conn);
    }

    pub fn offers_link(&mut self, link: LinkId) {
        self.offered.1 = Some(link);
    }

    /// The device was accepted.
    pub fn connected(&mut self, at: Time) {
        let (conn, link) = std::mem::take(&mut self.offered);
        // The hub may have gone before its CONNACK came.
        let hub = conn.is_none().then_some(at);
        self.present = Some(Life { conn, link, heard: at, forgotten: None, device: None, hub, cause: None });
        for nth in self.awaiting.drain(..) {
            self.strikes.get_mut(nth).into_iter().for_each(|strike| strike.back = strike.back.or(Some(at)));
        }
    }

    /// The path has forgotten a link.
    pub fn forgets(&mut self, at: Time, link: LinkId) {
        let present = self.present.as_mut().filter(|life| life.link == Some(link));
        if let Some(life) = present {
            life.forgotten.get_or_insert(at);
        }
    }

    /// The device has left of its own accord.
    pub fn given_back(&mut self) {
        self.present = None;
    }

    /// The device knows; it heard of the hub last at `heard`.
    pub fn device_noticed(&mut self, at: Time, heard: Time, figures: &mut Figures) {
        let Some(mut life) = self.present.take() else { return };
        life.device = Some(at);
        self.account(&mut life, at, heard, figures);
        if let Some(Cause::Outage(nth)) = life.cause {
            self.strikes
                .get_mut(nth)
                .into_iter()
                .for_each(|strike| strike.device = strike.device.or(Some(at)));
            self.awaiting.push(nth);
        }
        match life.hub {
            Some(_) => self.splits(&life),
            None => self.loose.push_back(life),
        }
        if self.loose.len() > MOST_LOOSE
            && let Some(oldest) = self.loose.pop_front()
        {
            self.splits(&oldest);
        }
    }

    /// The hub knows.
    pub fn hub_noticed(&mut self, at: Time, conn: ConnId, why: &Departure, figures: &mut Figures) {
        if self.offered.0 == Some(conn) {
            self.offered.0 = None;
        }
        if let Some(life) = self.present.take_if(|life| life.conn == Some(conn)) {
            self.hub_first(life, at, why, figures);
            return;
        }
        let Some(nth) = self.loose.iter().position(|life| life.conn == Some(conn)) else { return };
        let Some(mut life) = self.loose.remove(nth) else { return };
        life.hub = Some(at);
        if let Some(strike) = self.strike_of(&life) {
            strike.hub = strike.hub.or(Some(at));
        }
        self.splits(&life);
    }

    /// A sample of the split view, or a never. Of what was lost after the span, only what an outage cost: those all began in it,
    /// and the run has gone on for long enough to see them through.
    fn splits(&mut self, life: &Life) {
        let is_of_outage = matches!(life.cause, Some(Cause::Outage(_)));
        match (life.device, life.hub) {
            (Some(device), Some(hub)) if is_of_outage || device.min(hub) < self.span => {
                self.split.push(Some(device.since(hub).max(hub.since(device))));
            }
            (Some(only), None) | (None, Some(only)) if is_of_outage || only < self.span => {
                self.split.push(None);
            }
            (Some(_) | None, Some(_) | None) => {}
        }
    }

    /// The hub gives up what the device takes for its link.
    fn hub_first(&mut self, mut life: Life, at: Time, why: &Departure, figures: &mut Figures) {
        if let Departure::Disconnect { .. } = why {
            return;
        }
        life.hub = Some(at);
        let silent = if let Departure::KeepAliveTimeout { silent } = why { Some(*silent) } else { None };
        let heard = silent.map_or(Time::ZERO, |silent| at - silent);
        self.account(&mut life, at, heard, figures);
        if let Some(strike) = self.strike_of(&life) {
            strike.hub = strike.hub.or(Some(at));
        }
        self.present = Some(life);
    }

    /// The first end knows: settles the cause.
    fn account(&mut self, life: &mut Life, at: Time, heard: Time, figures: &mut Figures) {
        if life.cause.is_some() {
            return;
        }
        let cause = self.cause(life, at, heard.max(life.heard));
        let counts = u64::from(at < self.span);
        match cause {
            Cause::Outage(nth) => {
                self.strikes.get_mut(nth).into_iter().for_each(|strike| strike.is_lost = true);
            }
            Cause::Forgotten => figures.forgotten += counts,
            Cause::Sound => figures.false_disconnects += counts,
        }
        life.cause = Some(cause);
    }

    /// The first outage that swallowed something since the last packet passed, unless the link was forgotten before it.
    fn cause(&self, life: &Life, at: Time, heard: Time) -> Cause {
        let since = heard - self.round_trip;
        let first = self.spells.partition_point(|spell| spell.end() <= since);
        let all = (0..).zip(self.strikes.iter().zip(self.spells.iter()));
        let mut guilty = all.skip(first).take_while(|(_, (_, spell))| spell.start <= at);
        let guilty = guilty.find(|(_, (strike, _))| strike.is_touched);
        match (guilty.map(|(nth, (_, spell))| (nth, spell.start)), life.forgotten) {
            (Some((_, start)), Some(forgotten)) if forgotten < start => Cause::Forgotten,
            (Some((nth, _)), _) => Cause::Outage(nth),
            (None, Some(_)) => Cause::Forgotten,
            (None, None) => Cause::Sound,
        }
    }

    fn strike_of(&mut self, life: &Life) -> Option<&mut Strike> {
        match life.cause? {
            Cause::Outage(nth) => self.strikes.get_mut(nth),
            Cause::Forgotten | Cause::Sound => None,
        }
    }

    /// The spreads, and the outages that struck.
    pub fn finish(mut self, figures: &mut Figures, until: Time) -> Vec<Struck> {
        let present = self.present.take().filter(|life| life.hub.is_some());
        let half: Vec<Life> = self.loose.drain(..).chain(present).collect();
        half.iter().for_each(|life| self.splits(life));
        let (mut device, mut hub, mut recovery) =
            (Samples::default(), Samples::default(), Samples::default());
        let mut struck = Vec::new();
        for (strike, spell) in self.strikes.iter().zip(self.spells.iter()).filter(|(it, _)| it.is_struck) {
            let restored = Some(spell.end()).filter(|end| *end <= until);
            if strike.is_lost {
                device.push(strike.device.map(|at| at.since(spell.start)));
                hub.push(strike.hub.map(|at| at.since(spell.start)));
                recovery.push(strike.back.map(|at| at.since(spell.end())));
            }
            struck.push(Struck {
                start: spell.start,
                restored,
                device_noticed: strike.device,
                hub_noticed: strike.hub,
                back: strike.back,
            });
        }
        figures.struck = to_u64(struck.len());
        figures.device_detection = device.spread();
        figures.hub_detection = hub.spread();
        figures.recovery = recovery.spread();
        figures.split_view = self.split.spread();
        struck
    }
}
