//! Faults and ends of links: what a fault excuses, and what an end had to do until it knew that the link is over.

use super::cases::{Cases, Names};
use super::watch::Watch;
use super::{Conformance, Now, farewell, keep_alive, ping, session};
use crate::base::Time;
use crate::base::{DeviceId, Ends, LinkId, Side, WindowId};
use crate::fault::{Ending, LegFate};
use crate::session::Sessions;
use std::time::Duration;

impl Conformance {
    /// A fault falls on a link, or is lifted.
    pub(super) fn disturb(&mut self, now: Now, link: LinkId, change: impl FnOnce(&mut Watch)) {
        self.wills.forget(link);
        self.rivals.forget(link);
        if let Some(watch) = self.links.get_mut(&link) {
            change(watch);
            watch.pings.excuse_hub();
            watch.asked.clear();
            watch.session.watch_anew(now.at);
        }
    }

    pub(super) fn lifted(&mut self, now: Now, window: WindowId, link: LinkId, sessions: &Sessions) {
        if let Some(watch) = self.links.get_mut(&link).filter(|watch| watch.over.hub.is_none()) {
            keep_alive::kept(watch, now.at, now.seq, Names::Live(sessions), &mut self.cases);
            // What it had kept back reaches the hub now.
            watch.hub_heard = watch.hub_heard.map(|heard| heard.max(now.at));
        }
        self.disturb(now, link, |watch| watch.faults.lifts(window));
    }

    /// The device sent nothing for so long, on a sound path, and so the hub heard nothing; then came a packet, which took so
    /// long.
    pub(super) fn was_silent(
        &mut self,
        now: Now,
        link: LinkId,
        gap: Duration,
        took: Duration,
        sessions: &Sessions,
    ) {
        let Some(watch) = self.links.get_mut(&link) else { return };
        let ended = now.at - took;
        keep_alive::exceeded(watch, now.at, ended, now.seq, gap, &mut self.cases);
        if watch.faults.is_sound() && watch.over == Ends::default() {
            // A hub that is slow to accept counts from there.
            let unheard = watch.hub_accepted.map_or(gap, |accepted| gap.min(ended.since(accepted)));
            keep_alive::silent(watch, now.at, now.seq, unheard, Names::Live(sessions), &mut self.cases);
            watch.hub_heard = Some(now.at);
        }
    }

    pub(super) fn leg_ended(&mut self, now: Now, link: LinkId, side: Side, how: Ending, sessions: &Sessions) {
        let Now { seq, at } = now;
        let device = self.links.get(&link).and_then(|watch| watch.device);
        let struck = device.is_some_and(|device| self.is_struck(device, at));
        let Some(watch) = self.links.get_mut(&link) else { return };
        match side {
            Side::Device => {
                let device = device.and_then(|device| sessions.device(device));
                let elsewhere = device.is_some_and(|device| device.links.len() > 1);
                if let Some(news) = farewell::left(watch, at, seq, how, struck || elsewhere) {
                    self.farewells.add(news, &mut self.cases);
                }
            }
            Side::Hub if !struck => {
                if let Some(habits) = device.and_then(|device| self.devices.get_mut(&device)) {
                    let (names, early) = (Names::Live(sessions), &mut habits.early);
                    keep_alive::hub_left(watch, at, seq, names, early, &mut self.cases);
                }
            }
            Side::Hub => {}
        }
        self.ends(now, link, side, sessions);
    }

    /// The end of one leg was carried to this one.
    pub(super) fn told(&mut self, now: Now, link: LinkId, to: Side, sessions: &Sessions) {
        self.ends(now, link, to, sessions);
    }

    /// The hub has accepted another client with this device's name: whether it publishes the will of a link that is taken
    /// over, hubs differ, and one with a delay is not to come [MQTT-3.1.3-9]. The session is that client's, too.
    pub(super) fn is_taken_over(&mut self, device: DeviceId) {
        self.forget_session(device);
        self.wills.is_unsure(device);
        for watch in self.links.values_mut().filter(|watch| watch.device == Some(device)) {
            watch.excuses_will();
        }
    }

    /// This end knows that the link is over.
    pub(super) fn ends(&mut self, now: Now, link: LinkId, side: Side, sessions: &Sessions) {
        self.rivals.forget(link);
        self.wills.forget(link);
        let Some(watch) = self.links.get_mut(&link) else { return };
        if side == Side::Device {
            settle(watch, now.at, Names::Live(sessions), &mut self.cases);
            let device = watch.device.and_then(|device| self.devices.get_mut(&device));
            device.into_iter().for_each(|habits| habits.connects.closes(watch.opened, now.at));
        } else {
            ping::hub_waited(watch, now.at, Names::Live(sessions), &mut self.cases);
            session::unanswered(watch, now.at, Names::Live(sessions), &mut self.cases);
        }
        let is_news = watch.over.get(side).is_none();
        watch.is_over(side, now.at);
        if side == Side::Hub && is_news {
            self.hub_knows(now, link, false, sessions);
        }
    }

    pub(super) fn cut(&mut self, now: Now, link: LinkId, side: Side, fate: LegFate, sessions: &Sessions) {
        self.disturb(now, link, |watch| watch.faults.cut());
        if (side, fate) == (Side::Hub, LegFate::Disconnected(0)) {
            // What was said in the device's name took its will back [MQTT-3.14.4-3].
            self.links.get_mut(&link).into_iter().for_each(Watch::excuses_will);
        }
        let is_told = !matches!(fate, LegFate::HalfOpen | LegFate::ResetWhenSends);
        if is_told {
            self.ends(now, link, side, sessions);
        } else if let Some(watch) = self.links.get_mut(&link) {
            // What the hub does with a leg that leads nowhere is not seen.
            watch.faults.muted.hub |= side == Side::Hub;
        }
    }

    /// The hub knows of the link's end, `graceful`: by DISCONNECT that takes the will back.
    pub(super) fn hub_knows(&mut self, now: Now, link: LinkId, graceful: bool, sessions: &Sessions) {
        let will = self.links.get_mut(&link).and_then(|watch| watch.greeting.as_mut()?.will.take());
        if let (Some(will), Some(watch)) = (will, self.links.get(&link)) {
            self.wills.ends(&will, watch, now, graceful, &self.links, sessions);
        }
    }

    /// The command was told to end: what its devices owed until now is told, and what they have had no time for is not known.
    pub(super) fn stopped(&mut self, now: Now) {
        (self.undecided, self.is_stopped) = (self.undecided(now.at), true);
        for watch in self.links.values_mut().filter(|watch| watch.over.device.is_none()) {
            session::settle(watch, now.at, &mut self.cases);
        }
    }

    pub(super) fn closed(&mut self, now: Now, link: LinkId, sessions: &Sessions) {
        self.rivals.forget(link);
        self.wills.forget(link);
        let Some(mut watch) = self.links.remove(&link) else { return };
        self.undecided += u64::from(!self.is_stopped && session::is_undecided(&watch, now.at));
        settle(&mut watch, now.at, Names::Live(sessions), &mut self.cases);
        keep_alive::kept(&watch, now.at, now.seq, Names::Live(sessions), &mut self.cases);
        let named = watch.device.or_else(|| self.only_one_at(&watch, sessions));
        let Some(device) = named else { return };
        let connects = &mut self.devices.get_or_default(device).connects;
        if watch.device.is_none() && connects.are_over(watch.opened) {
            connects.opens(device, watch.opened, now.seq, &mut self.cases);
        }
        connects.closes(watch.opened, now.at);
        self.devices.rest(device);
    }
}

/// What the ends of a link were waited for, as of this moment.
pub(super) fn settle(watch: &mut Watch, at: Time, names: Names<'_>, cases: &mut Cases) {
    if watch.over.device.is_none() && watch.goodbye == Ends::default() {
        ping::device_waited(watch, at, cases);
        session::settle(watch, at, cases);
    }
    if watch.over.hub.is_none() {
        ping::hub_waited(watch, at, names, cases);
        session::unanswered(watch, at, names, cases);
    }
}
