//! What findings need beside the results: the numbers of the events that show a thing, and how long links were idle.
//!
//! Some 100 bytes a link while it lives, 30 afterwards, and 40 a window.

use crate::base::pack::{Pack, Reader, Writer};
use crate::base::{Direction, LinkId, Shelf, Store, Time, WindowId};
use crate::event::{Event, Packet, Traffic, What};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was noted of a run.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    links: Shelf<LinkId, Noted>,
    /// Of links that have closed.
    closed: Store<LinkId>,
    /// The event that opened each window, and the first with which its fault held.
    windows: BTreeMap<WindowId, (u64, Option<u64>)>,
    /// When it held on another link later, and the event of that.
    later: BTreeMap<(WindowId, Time), u64>,
}

/// What was noted of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// The event that opened it.
    pub opened: u64,
    /// The first event that shows its end.
    pub over: Option<u64>,
    /// When the device last spoke after a pause on the link, both ways, and how long that pause was.
    pub woke: Option<(Time, Duration)>,
    /// The longest pause after which the device spoke and the hub answered.
    pub survived: Duration,
    /// Whether the hub has said nothing since.
    unanswered: bool,
    /// When the last packet came, either way.
    last: Option<Time>,
}

impl Watch {
    /// Nothing is expected for a while.
    pub fn pack_up(&mut self) {
        self.links.shrink();
        self.closed.shrink();
    }

    /// Takes in one event. Events come in order.
    pub fn push(&mut self, event: &Event) {
        match &event.what {
            What::LinkOpened { link, .. } => {
                self.links.insert(*link, Noted { opened: event.seq, ..Noted::default() });
            }
            What::Packet { link, direction, packet, .. } => {
                self.packet(event, *link, *direction, matches!(packet, Packet::Disconnect { .. }));
            }
            What::LegEnded { link, .. }
            | What::LegCut { link, .. }
            | What::EndCarried { link, .. }
            | What::HubUnreachable { link, .. } => self.over(event.seq, *link),
            What::LinkClosed { link, .. } => {
                self.over(event.seq, *link);
                self.closes(*link);
            }
            What::Traffic(traffic) => self.traffic(traffic),
            What::WindowOpened { window, .. } => _ = self.windows.insert(*window, (event.seq, None)),
            // Where a fault came about is better evidence than where it was due.
            What::FaultApplied { window, .. } => self.applied(*window, event),
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::HeldUp { .. }
            | What::CaptureClosed { .. }
            | What::Wire { .. }
            | What::CommandStopped
            | What::CommandEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::Dropped { .. }
            | What::EndWaits { .. }
            | What::AcceptFailed { .. }
            | What::ConnectAstray { .. }
            | What::HubConnected { .. }
            | What::DeviceNamed { .. }
            | What::LinkIdentified { .. }
            | What::Altered { .. }
            | What::FaultMessage { .. }
            | What::Rival { .. }
            | What::Forwarded { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { .. }
            | What::TlsFailed { .. }
            | What::FirstData { .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::FirstPublish { .. }
            | What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::NotMqtt { .. }
            | What::Malformed { .. }
            | What::KeepaliveExceeded { .. }
            | What::Fired { .. }
            | What::Skipped { .. }
            | What::FaultRefused { .. }
            | What::FaultLifted { .. }
            | What::WindowClosed { .. } => {}
        }
    }

    /// An event of an earlier part of the log was taken in, since its link lives: what came between such events is not
    /// known, and no pause.
    pub fn recalled(&mut self, link: Option<LinkId>) {
        let Some(link) = link else { return };
        if let Some(noted) = self.closed.get(&link).and_then(Noted::unpack) {
            self.closed.remove(&link);
            self.links.insert(link, noted);
        }
        if let Some(noted) = self.links.get_mut(&link) {
            *noted = Noted { opened: noted.opened, over: noted.over, ..Noted::default() };
        }
    }

    /// What was noted of a link.
    pub fn link(&self, id: LinkId) -> Noted {
        let closed = || Noted::unpack(self.closed.get(&id)?);
        self.links.get(&id).copied().or_else(closed).unwrap_or_default()
    }

    /// Nothing more is told of a link.
    fn closes(&mut self, link: LinkId) {
        if let Some(noted) = self.links.get(&link)
            && self.closed.insert(link, &noted.pack())
        {
            self.links.remove(&link);
        }
    }

    /// The event with which a window's fault began to hold at this time; the first such event, where it did not then.
    pub fn window(&self, id: WindowId, at: Option<Time>) -> u64 {
        let later = at.and_then(|at| self.later.get(&(id, at)).copied());
        let first = || self.windows.get(&id).map(|(opened, applied)| applied.unwrap_or(*opened));
        later.or_else(first).unwrap_or_default()
    }

    fn over(&mut self, seq: u64, link: LinkId) {
        if let Some(noted) = self.links.get_mut(&link) {
            noted.over.get_or_insert(seq);
        }
    }

    fn applied(&mut self, window: WindowId, event: &Event) {
        match self.windows.get_mut(&window) {
            Some((_, applied @ None)) => *applied = Some(event.seq),
            Some(_) => _ = self.later.entry((window, event.at)).or_insert(event.seq),
            None => {}
        }
    }

    fn packet(&mut self, event: &Event, link: LinkId, direction: Direction, is_goodbye: bool) {
        if let Some(noted) = self.links.get_mut(&link) {
            noted.hears(direction, event.at);
        }
        if is_goodbye {
            self.over(event.seq, link);
        }
    }

    /// PUBLISH packets are told once a second: pauses before them are known to within that. Of an end that has said nothing
    /// since, the last packet is told again; that is no news of it.
    fn traffic(&mut self, traffic: &Traffic) {
        let Some(noted) = self.links.get_mut(&traffic.link) else { return };
        let (before, last) = (noted.last, traffic.last);
        for (direction, at) in [(Direction::Up, last.device.from), (Direction::Down, last.hub.from)] {
            at.filter(|_| at > before).into_iter().for_each(|at| noted.hears(direction, at));
        }
    }
}

impl Noted {
    /// What is known of a link that has closed; what waits for its next packet goes.
    fn pack(&self) -> Vec<u8> {
        let Noted { opened, over, woke, survived, unanswered: _, last: _ } = self;
        let mut to = Writer::default();
        // Numbers of events that lie close together.
        (*opened, over.map(|over| over.wrapping_sub(*opened))).pack(&mut to);
        (*woke, *survived).pack(&mut to);
        to.finish()
    }

    fn unpack(packed: &[u8]) -> Option<Noted> {
        let from = &mut Reader::new(packed);
        let (opened, over): (u64, Option<u64>) = Pack::unpack(from)?;
        let (woke, survived) = Pack::unpack(from)?;
        let over = over.map(|apart| opened.wrapping_add(apart));
        Some(Noted { opened, over, woke, survived, ..Noted::default() })
    }

    fn hears(&mut self, direction: Direction, at: Time) {
        let pause = self.last.map(|last| at.since(last));
        match (direction, pause) {
            // What the device says again before any answer belongs to the same waking.
            (Direction::Up, Some(pause)) if !self.unanswered => {
                self.woke = Some((at, pause));
                self.unanswered = true;
            }
            (Direction::Up, _) => {}
            (Direction::Down, _) => {
                let answered = self.woke.filter(|_| self.unanswered);
                self.survived = answered.map_or(self.survived, |(_, pause)| pause.max(self.survived));
                self.unanswered = false;
            }
        }
        self.last = self.last.max(Some(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_of_a_link_that_closed_is_what_it_was() {
        let woke = Some((Time::from_millis(3_600_009), Duration::from_millis(45_000)));
        let survived = Duration::from_millis(31_007);
        let noted = Noted { opened: 100_000, over: Some(100_009), woke, survived, ..Noted::default() };
        for noted in [noted, Noted { woke: None, over: None, ..noted }, Noted::default()] {
            assert_eq!(Noted::unpack(&noted.pack()), Some(noted));
        }
        assert!(noted.pack().len() <= 25);
    }
}
