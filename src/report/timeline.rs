//! The timeline of a run, for pictures: what each device's link was like at each moment, and what the fleet did, second by
//! second. A fold over events with bounded memory: what a screen cannot show is summed up.
//!
//! Bounds: [`MOST_LANES`] devices have a lane of their own; all lanes together keep about [`MOST_SEGMENTS`] segments and
//! [`MOST_MARKS`] marks, each an equal share; [`MOST_WINDOWS`] windows. A lane that is full makes its grain coarser and
//! sums up what is finer ([`State::Mixed`], marks with a count); what has no place at all is counted.
//!
//! A late part of a long log begins with its own `run_started` and what lived then: the timeline begins at that time, and what
//! was before only says what links are like.
//!
//! What is shown of a moment is what brownout had seen by then. A device is held to know that its link is gone from its FIN,
//! RST, DISCONNECT or next CONNECT on, or from when a fault or brownout told it; a hub likewise.

mod bins;
mod fleet;
mod lane;
mod link;
mod marks;
mod windows;

#[cfg(test)]
mod tests;

pub use bins::Bins;
pub use fleet::{Counts, Fleet, Level};
pub use lane::{Lane, Segment, State};
pub use marks::{Kind, Mark};
pub use windows::{Shade, Windows};

use self::link::{Link, Outcome};
use crate::base::{DeviceId, Direction, LinkId, Resting, Shelf, Side, Time};
use crate::event::{Event, MessageNews, What};
use std::time::Duration;

/// The most devices with a lane of their own.
pub const MOST_LANES: usize = 20_000;
/// The most segments of all lanes together, as far as `lane::LEAST_SEGMENTS` a lane leave it so.
pub const MOST_SEGMENTS: usize = 240_000;
/// The most marks of all lanes together, as far as `marks::LEAST_MARKS` a lane leave it so.
pub const MOST_MARKS: usize = 240_000;
/// The most windows.
pub const MOST_WINDOWS: usize = 20_000;

/// A link that closed while an end held it for up ended with the run, if the run ends within so long.
const END_OF_RUN: Duration = Duration::from_secs(1);

/// The timeline of one run, being made.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    began: Option<(String, u64)>,
    /// The number of the first event that is new in this part of the log.
    first: u64,
    events: u64,
    start: Time,
    end: Time,
    is_over: bool,
    lanes: Resting<DeviceId, Lane>,
    /// How many devices there were, with a lane or without: they are numbered as they appear.
    devices: usize,
    links: Shelf<LinkId, Link>,
    /// When links closed of which some end did not know, and whose they were.
    vanished: Vec<(Time, DeviceId)>,
    fleet: Fleet,
    windows: Windows,
}

impl Timeline {
    /// Takes in one event. Events come in order.
    pub fn push(&mut self, event: &Event) {
        self.events += u64::from(event.seq >= self.first);
        self.end = self.end.max(event.at);
        self.windows.push(event);
        self.settle(event);
        match &event.what {
            What::RunStarted(start) => {
                self.began = Some((start.wall_clock.clone(), start.seed));
                // Its event has the number of the first new one; what lived then has lower numbers, and does not count.
                if start.part > 0 {
                    (self.first, self.events) = (event.seq, 0);
                    self.start = event.at;
                    self.fleet.begins(event.at);
                }
            }
            What::RunEnded { .. } => self.over(event.at),
            What::DeviceNamed { device, name } => self.named(*device, name),
            What::LinkOpened { link, .. } => {
                if event.at >= self.start {
                    self.fleet.connects(event.at);
                }
                self.links.insert(*link, Link::new(event.at));
            }
            What::LinkIdentified { link, device } => self.identified(self.seen(event), *link, *device),
            What::Message { device, direction, news, .. } => {
                self.message(event.at, *device, *direction, news)
            }
            _ => {
                if let Some(id) = link::of(&event.what) {
                    self.on_link(event, id);
                }
            }
        }
    }

    /// Nothing is expected for a while: what is over takes as little memory as it can.
    pub fn pack_up(&mut self) {
        self.lanes.pack_up();
        self.fleet.shrink();
        self.links.shrink();
    }

    /// When the run began by the wall clock (RFC 3339), and its seed; `None` for a log without its first event.
    pub fn began(&self) -> Option<(&str, u64)> {
        self.began.as_ref().map(|(clock, seed)| (clock.as_str(), *seed))
    }

    /// How many events there were; of a late part, how many new ones.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// When it begins: with the run, or, of a late part of a long log, at the time of its `run_started`.
    pub fn start(&self) -> Time {
        self.start
    }

    /// The time of the last event.
    pub fn end(&self) -> Time {
        self.end
    }

    /// The lanes of devices that had a link, in order of first appearance.
    pub fn lanes(&self) -> impl Iterator<Item = (DeviceId, &Lane)> {
        self.lanes.iter().filter(|(_, lane)| lane.has_had_links()).map(|(id, lane)| (*id, lane))
    }

    /// How many devices have no lane, since there are too many.
    pub fn without_lane(&self) -> usize {
        self.devices.saturating_sub(self.lanes.len())
    }

    /// What the fleet did.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The fault windows.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    fn named(&mut self, device: DeviceId, name: &str) {
        self.devices = self.devices.max(usize::try_from(device.0).unwrap_or(usize::MAX).saturating_add(1));
        if let Some(lane) = self.lanes.get_mut(&device) {
            lane.name = name.into();
        } else if self.lanes.len() < MOST_LANES {
            self.lanes.insert(device, Lane::new(name.into(), self.start));
        }
    }

    /// A link turns out to be a device's, or another's than was thought.
    fn identified(&mut self, now: Time, id: LinkId, device: DeviceId) {
        let share = self.share(MOST_MARKS);
        let Some(link) = self.links.get_mut(&id) else { return };
        let (opened, before) = (link.opened, link.device.replace(device));
        if before == Some(device) {
            return;
        }
        if let Some(lane) = before.and_then(|before| self.lanes.get_mut(&before)) {
            lane.leaves(id);
        }
        if let Some(lane) = self.lanes.get_mut(&device) {
            lane.joins(id);
            if opened >= self.start {
                lane.mark(opened, Kind::Open, 1, share);
            }
        }
        before.into_iter().for_each(|before| self.look(now, before));
        // Its attempt began when it was opened, unless there was something else to see then.
        self.look_since(opened.max(self.start), now, device);
    }

    fn on_link(&mut self, event: &Event, id: LinkId) {
        let now = self.seen(event);
        let Some(link) = self.links.get_mut(&id) else { return };
        let before = link.state();
        let outcome = link.push(event);
        let has_turned = link.state() != before;
        if event.at < now {
            link.is_heard_of_at(now);
        }
        let (device, is_over) = (link.device, link.gone.device && link.gone.hub);
        if event.at >= self.start {
            self.count(event, &outcome);
        }
        let closed = matches!(event.what, What::LinkClosed { .. });
        if closed {
            self.links.remove(&id);
        }
        let Some(device) = device else { return };
        if event.at >= self.start {
            self.tell(now, device, &outcome);
        }
        if outcome.is_connect {
            self.supersedes(id, device);
        }
        if closed && let Some(lane) = self.lanes.get_mut(&device) {
            lane.leaves(id);
            self.lanes.rest(device);
            if !is_over {
                self.vanished.push((now, device));
                return;
            }
        }
        // Else they all are as they were when the lane was last looked at.
        if has_turned || outcome.is_connect || closed || !self.vanished.is_empty() {
            self.look(now, device);
        }
    }

    /// What is remarkable of a message, as far as there is a mark for it.
    fn message(&mut self, now: Time, device: DeviceId, direction: Direction, news: &MessageNews) {
        let share = self.share(MOST_MARKS);
        if let (Some(kind), Some(lane)) = (Kind::of_message(direction, news), self.lanes.get_mut(&device)) {
            lane.mark(now, kind, 1, share);
        }
    }

    /// When an event is shown: what was before the timeline begins, at its beginning.
    fn seen(&self, event: &Event) -> Time {
        event.at.max(self.start)
    }

    fn count(&mut self, event: &Event, outcome: &Outcome) {
        if outcome.is_accepted {
            self.fleet.accepted(event.at);
        }
        if let What::Traffic(traffic) = &event.what {
            self.fleet.messages(event.at, traffic.up.publishes, traffic.down.publishes);
        }
    }

    /// Puts the marks of what happened, and a silence that was found out now, on the lane.
    fn tell(&mut self, now: Time, device: DeviceId, outcome: &Outcome) {
        let (marks, segments) = (self.share(MOST_MARKS), self.share(MOST_SEGMENTS));
        let Some(lane) = self.lanes.get_mut(&device) else { return };
        for (kind, count) in outcome.marks() {
            lane.mark(now, kind, count, marks);
        }
        if let Some(since) = outcome.silent_since {
            lane.was_silent(since, now, segments);
        }
    }

    /// A device that connects anew knows that its older links are gone.
    fn supersedes(&mut self, id: LinkId, device: DeviceId) {
        let Some(lane) = self.lanes.get(&device) else { return };
        for older in lane.links().iter().filter(|older| **older < id) {
            if let Some(link) = self.links.get_mut(older) {
                *link.gone.get_mut(Side::Device) = true;
            }
        }
    }

    fn look(&mut self, now: Time, device: DeviceId) {
        self.look_since(now, now, device);
    }

    /// What the device's links come to now, which they may have since an earlier moment.
    fn look_since(&mut self, since: Time, now: Time, device: DeviceId) {
        let share = self.share(MOST_SEGMENTS);
        let Some(lane) = self.lanes.get_mut(&device) else { return };
        let state = match lane.links() {
            [] => State::Down,
            // Most devices have one.
            [only] => self.links.get(only).map_or(State::Down, Link::state),
            links => State::together(links.iter().filter_map(|id| self.links.get(id)).map(Link::state)),
        };
        let was = lane.state().is_connected();
        lane.turn(since, state, share);
        match (was, state.is_connected()) {
            (false, true) => self.fleet.joins(now),
            (true, false) => self.fleet.leaves(now),
            (false, false) | (true, true) => {}
        }
    }

    /// Links that closed while an end held them for up, and not with the run: their devices have none from then on.
    fn settle(&mut self, event: &Event) {
        if self.vanished.is_empty() || matches!(event.what, What::RunEnded { .. }) {
            return;
        }
        // They came in the order of time.
        let old = self.vanished.partition_point(|(at, _)| event.at > *at + END_OF_RUN);
        let mut due: Vec<(Time, DeviceId)> = self.vanished.drain(..old).collect();
        if let What::LinkIdentified { device: opened, .. } = event.what {
            due.extend(self.vanished.extract_if(.., |(_, device)| *device == opened));
        }
        for (at, device) in due {
            self.look_since(at, event.at.max(at), device);
        }
    }

    /// Whoever was last heard of longer ago than its keep-alive allows was silent at the end.
    fn over(&mut self, now: Time) {
        self.is_over = true;
        let silent: Vec<(DeviceId, Time)> =
            self.links.values().filter_map(|link| Some((link.device?, link.silent_since(now)?))).collect();
        let share = self.share(MOST_SEGMENTS);
        for (device, since) in silent {
            if let Some(lane) = self.lanes.get_mut(&device) {
                lane.falls_silent(since, share);
            }
        }
        self.fleet.ends(now);
        let marks = self.share(MOST_MARKS);
        // Those that were full when there were fewer devices.
        for device in self.lanes.keys() {
            self.lanes.get_mut(&device).into_iter().for_each(|lane| lane.fit(share, marks));
        }
    }

    /// What each lane may keep of so many.
    fn share(&self, all: usize) -> usize {
        all / self.lanes.len().max(1)
    }
}
