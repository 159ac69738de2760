//! Devices across their links: what is kept of each, and when a fault fell on it.

use super::connects::Connects;
use super::kept::Kept;
use super::watch::Watch;
use super::{Conformance, Now, keep_alive, ping, session};
use crate::base::pack::{Pack, Reader, Writer, fields};
use crate::base::{DeviceId, LinkId, Rest, Time};
use crate::mqtt::Version;
use crate::session::Sessions;
use std::collections::BTreeSet;
use std::time::Duration;

/// How many devices are remembered: beyond that, those without a link are forgotten, the first seen first. What is known of
/// one that was forgotten begins anew when it comes back.
pub const MOST_DEVICES: usize = 20_000;

/// Room is made at multiples of this.
const ROOM_EVERY: usize = 1_000;

/// For how long after a fault's window opened on a device, or closed, what it does with any of its links may be its answer.
const AFTERMATH: Duration = Duration::from_secs(2);

/// What is kept of a device across its links.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    /// Whether it holds subscriptions that it has to make again where there is no session.
    pub holds: bool,
    pub version: Option<Version>,
    /// Packets of its were dropped, changed, doubled or put in.
    pub altered: bool,
    /// How many windows are open on it.
    pub windows: u32,
    /// When one last opened or closed.
    pub struck: Option<Time>,
    pub early: keep_alive::Early,
    pub connects: Connects,
    /// The session that its hub has, where that is to be found again.
    pub kept: Option<Box<Kept>>,
}

impl Rest for Habits {
    fn may_rest(&self) -> bool {
        self.windows == 0
    }
}

fields! {
    Habits { holds, version, altered, windows, struck, early, connects, kept }
}

impl Conformance {
    pub(super) fn habits_of(&self, device: DeviceId) -> (Version, bool) {
        let habits = self.devices.get(&device);
        let version = habits.and_then(|habits| habits.version).unwrap_or(Version::V311);
        (version, habits.is_some_and(|habits| habits.altered))
    }

    /// Whether a fault has just fallen on the device, or been lifted from it, or holds.
    pub(super) fn is_struck(&self, device: DeviceId, at: Time) -> bool {
        self.devices.get(&device).is_some_and(|habits| {
            habits.windows > 0 || habits.struck.is_some_and(|struck| at.since(struck) < AFTERMATH)
        })
    }

    pub(super) fn strike(&mut self, device: DeviceId, at: Time, more: i32) {
        let habits = self.devices.get_or_default(device);
        habits.windows = habits.windows.saturating_add_signed(more);
        habits.struck = Some(at);
    }

    pub(super) fn note_altered(&mut self, link: LinkId) {
        let device = self.links.get(&link).and_then(|watch| watch.device);
        if let Some(device) = device {
            self.devices.get_or_default(device).altered = true;
        }
    }

    /// The hub's session of this device may be another from now on, or gone.
    pub(super) fn forget_session(&mut self, device: DeviceId) {
        if let Some(habits) = self.devices.get_mut(&device) {
            habits.kept = None;
        }
    }

    pub(super) fn identified(&mut self, now: Now, link: LinkId, device: DeviceId, sessions: &Sessions) {
        self.make_room();
        // Who connects anew has given its other links up, whether it closed them or not.
        let links = sessions.device(device).into_iter().flat_map(|device| &device.links);
        for other in links.filter(|other| **other != link) {
            if let Some(watch) = self.links.get_mut(other) {
                ping::device_waited(watch, now.at, &mut self.cases);
                session::settle(watch, now.at, &mut self.cases);
            }
        }
        let Some(watch) = self.links.get_mut(&link) else { return };
        watch.device = Some(device);
        let habits = self.devices.get_or_default(device);
        habits.connects.opens(device, watch.opened, now.seq, &mut self.cases);
    }

    /// Forgets devices where there are too many.
    pub(super) fn make_room(&mut self) {
        // Where all of them have links, there is nothing to forget: it is not looked for at each connect.
        if self.devices.len() < MOST_DEVICES || !self.devices.len().is_multiple_of(ROOM_EVERY) {
            return;
        }
        let live: BTreeSet<DeviceId> = self.links.values().filter_map(|watch| watch.device).collect();
        let goes = |(id, habits): &(&DeviceId, &Habits)| !live.contains(id) && habits.windows == 0;
        let gone: Vec<DeviceId> =
            self.devices.iter().filter(goes).map(|(id, _)| *id).take(MOST_DEVICES / 2).collect();
        gone.iter().for_each(|id| _ = self.devices.remove(id));
    }

    /// The device that a link without CONNECT is taken to be of: the only one at its address.
    pub(super) fn only_one_at(&self, watch: &Watch, sessions: &Sessions) -> Option<DeviceId> {
        let mut known = sessions.from_address(watch.ip?);
        let only = known.next()?;
        (known.next().is_none() && self.devices.contains_key(&only)).then_some(only)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::conformance::cases::Cases;

    #[test]
    fn habits_that_rested_are_what_they_were() {
        let (mut habits, mut cases) =
            (Habits { version: Some(Version::V5), ..Habits::default() }, Cases::default());
        habits.struck = Some(Time::from_secs(1));
        for nth in 0..20 {
            let mut to = Writer::default();
            habits.pack(&mut to);
            let back = Habits::unpack(&mut Reader::new(&to.finish())).unwrap();
            assert_eq!(format!("{back:?}"), format!("{habits:?}"));
            let opened = Time::from_millis(2_000 + nth * 150);
            habits.connects.opens(DeviceId(3), opened, nth, &mut cases);
            habits.connects.closes(opened, opened + Duration::from_millis(20));
        }
    }
}
