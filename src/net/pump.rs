//! One direction of a link: where its frames are, and what waits to be passed on.

use crate::base::units::to_u64;
use crate::base::{Direction, Time};
use crate::engine::PacketTicket;
use crate::event::Packet;
use crate::fault::{Allowance, Delays, Lane, Left, Shaper};
use crate::mqtt::QoS;
use crate::mqtt::framer::Framer;
use crate::net::link::Passing;
use crate::net::surgery::Theatre;
use crate::session::ledger::Message;
use crate::session::meter::Publish;
use crate::tls::record::Records;
use crate::ws;
use std::time::Duration;

/// What is read at once though the lane is nearly full, in bytes.
const LEAST_READ: usize = 4096;

/// One direction of a link.
#[derive(Debug)]
pub struct Pump {
    /// Finds the packets.
    pub inlet: Inlet,
    /// What waits.
    pub lane: Lane<Note>,
    /// The delays in force.
    pub delays: Delays,
    /// When the last of what was read last came, where that was noted.
    pub came: Option<Time>,
    /// Whether a fault lets nothing pass.
    pub closed: bool,
    /// Whether a fault has told the receiver FIN: what comes for it is thrown away.
    pub deaf: bool,
    /// The rates and slices in force.
    pub shaper: Shaper,
    /// How much may pass before the link ends.
    pub allowance: Allowance,
    /// The number of the frame that is under way; for bytes that are not MQTT, of the read.
    pub frame: u64,
    /// A packet whose last byte is still to come: a PUBLISH in pieces, or a huge one of another kind.
    pub begun: Option<Box<Begun>>,
    /// Bytes that came and will never be passed on.
    pub lost: u64,
    /// Where packets may be worked on: what that takes.
    pub theatre: Option<Theatre>,
    /// How late the packet under way is to be, beside the delays in force.
    pub tail_late: Duration,
    /// Whether single packets were made to wait, and what waits may be theirs.
    pub late: bool,
    /// Whether what was last passed on ended amid a packet; only kept where packets may be worked on.
    pub amid: bool,
    direction: Direction,
}

/// What finds the packets of a direction.
#[derive(Debug)]
pub enum Inlet {
    /// MQTT as it is.
    Mqtt(Framer),
    /// MQTT in WebSocket frames.
    WebSocket(Box<WebSocket>),
    /// TLS that is passed through: its records stand for packets.
    Records(Records),
}

/// MQTT in WebSocket frames.
#[derive(Debug)]
pub struct WebSocket {
    /// Finds the frames.
    pub walker: ws::Walker,
    /// Finds the packets in what they carry.
    pub framer: Framer,
}

impl Inlet {
    /// What finds MQTT packets, if anything does.
    pub fn framer(&mut self) -> Option<&mut Framer> {
        match self {
            Inlet::Mqtt(framer) => Some(framer),
            Inlet::WebSocket(socket) => Some(&mut socket.framer),
            Inlet::Records(_) => None,
        }
    }

    /// Whether the last byte of an MQTT packet is still to come, its head being there or not.
    pub fn is_within_packet(&self) -> bool {
        let is_within = |framer: &Framer| !framer.is_between_frames() && !framer.is_opaque();
        match self {
            Inlet::Mqtt(framer) => is_within(framer),
            Inlet::WebSocket(socket) => is_within(&socket.framer),
            Inlet::Records(_) => false,
        }
    }

    /// Whether the head of an MQTT packet was there, and its last byte not yet.
    pub fn is_amid_packet(&self) -> bool {
        match self {
            Inlet::Mqtt(framer) => framer.left() > 0,
            Inlet::WebSocket(socket) => socket.framer.left() > 0,
            Inlet::Records(_) => false,
        }
    }
}

/// What the head of a packet said, to be told when all of it is there.
#[derive(Debug, Default)]
pub struct Begun {
    /// Of a PUBLISH, for the meter.
    pub publish: Option<Publish>,
    /// Of a PUBLISH, for the ledger.
    pub message: Option<Message>,
    /// For the engine, if it wants it.
    pub packet: Option<Packet>,
}

/// What is to be said when the last byte of a packet has been passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// The engine's ticket, if it wants to know.
    pub ticket: Option<PacketTicket>,
    /// The identifier whose PUBLISH this packet acknowledges for good.
    pub acknowledges: Option<u16>,
    /// It is the direction's first application data in TLS that is passed through.
    pub first_data: bool,
    /// For the ledger.
    pub passing: Option<Passing>,
    /// Something was done to it, as the verdict on it said.
    pub altered: bool,
    /// It is of the copies of a packet that has passed.
    pub copies: bool,
    /// It is brownout's own.
    pub own: bool,
    /// It is no packet, and ends between two: a head or a control frame of WebSocket.
    pub frame_only: bool,
    /// It is a close frame of WebSocket, by which its receiver is told.
    pub closes: bool,
}

impl Note {
    /// Whether there is nothing to say but that a PUBLISH of QoS 0 was passed on.
    pub fn is_plain(&self) -> bool {
        let said = Note { passing: None, ..*self };
        matches!(self.passing, Some(Passing::Publish { qos: QoS::AtMostOnce, .. })) && said == Note::default()
    }
}

/// Where the packets of one read end.
#[derive(Debug, Default)]
pub struct Marks {
    /// Those of which something is to be said when they have been passed on.
    pub noted: Vec<Mark>,
    /// Just past the last byte of each PUBLISH of QoS 0 of which only that is to be said, ascending. They come by the
    /// thousand in a read, and take four bytes each here.
    pub plain: Vec<u32>,
}

impl Marks {
    /// Just past the last byte of the last packet; 0 without any.
    pub fn last(&self) -> usize {
        self.noted.last().map_or(0, |mark| mark.end).max(self.plain.last().map_or(0, |end| place(*end)))
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.noted.clear();
        self.plain.clear();
    }
}

/// A place within the bytes of one read.
pub fn place(end: u32) -> usize {
    usize::try_from(end).unwrap_or(usize::MAX)
}

/// How many of these places are not past `end`.
pub fn plain_until(plain: &[u32], end: usize) -> usize {
    match plain.last() {
        Some(last) if place(*last) > end => plain.partition_point(|at| place(*at) <= end),
        Some(_) | None => plain.len(),
    }
}

/// The end of a packet within the bytes of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Just past its last byte.
    pub end: usize,
    /// Which frame of the direction it is.
    pub frame: u64,
    /// What to say.
    pub note: Note,
    /// How late it is to be, beside the delays in force.
    pub late: Duration,
}

impl Pump {
    /// A pump for this direction, with nothing in it.
    pub fn new(direction: Direction) -> Pump {
        Pump {
            inlet: Inlet::Mqtt(Framer::new(direction)),
            lane: Lane::new(),
            delays: Delays::default(),
            came: None,
            closed: false,
            deaf: false,
            shaper: Shaper::default(),
            allowance: Allowance::default(),
            frame: 0,
            begun: None,
            lost: 0,
            theatre: None,
            tail_late: Duration::ZERO,
            late: false,
            amid: false,
            direction,
        }
    }

    /// Whether bytes that come now would wait.
    pub fn holds(&self) -> bool {
        self.is_worked_on() || !self.lane.is_empty() || self.allowance.spent().is_some()
    }

    /// Whether nothing waits, and no time has to be kept for what comes.
    pub fn is_idle(&self) -> bool {
        self.lane.is_empty() && self.shaper.is_clear()
    }

    /// Whether bytes that came last wait at `now`, having arrived at `arrived`: a short delay may be over by then.
    pub fn holds_back(&self, arrived: Time, now: Time) -> bool {
        let is_late = || self.delays.same().is_none_or(|same| self.came.unwrap_or(arrived) + same > now);
        self.is_narrowed()
            || !self.lane.is_empty()
            || self.allowance.spent().is_some()
            || (self.delays.is_some() && is_late())
    }

    /// Whether nothing waits, and nothing is to be done when the time comes.
    pub fn is_out_of_the_way(&self) -> bool {
        self.lane.is_empty()
            && !self.lane.is_finished()
            && self.allowance.is_clear()
            && self.theatre.as_ref().is_none_or(Theatre::is_out_of_the_way)
    }

    /// Whether a fault makes what passes wait.
    fn is_worked_on(&self) -> bool {
        self.is_narrowed() || self.delays.is_some()
    }

    /// Whether a fault lets nothing pass, or only so much.
    fn is_narrowed(&self) -> bool {
        self.closed || !self.shaper.is_clear()
    }

    /// How many of the bytes that the lane shows may go now.
    pub fn ready(&mut self, now: Time) -> usize {
        let due = self.lane.ready(now).len();
        let since = self.lane.deadline().unwrap_or(now);
        self.shaper.ready(now, self.allowance.of(due), since)
    }

    /// So many of them have gone.
    pub fn wrote(&mut self, now: Time, written: usize, left: impl FnMut(Left<Note>)) {
        self.lane.wrote(now, written, left);
        self.shaper.wrote(now, written);
        self.allowance.passed(now, written);
    }

    /// When to come again for what waits.
    pub fn deadline(&self) -> Option<Time> {
        self.lane.deadline().map(|at| at.max(self.shaper.deadline().unwrap_or(at)))
    }

    /// Whether to read on. Without a fault, what the peer did not take yet is passed on first; with one, the lane
    /// fills to its limit. `beside`: what waits in the other direction.
    pub fn wants_more(&self, beside: usize) -> bool {
        if self.fills() { self.has_room(beside) } else { !self.lane.is_finished() && self.lane.is_empty() }
    }

    /// Whether a fault has the lane fill to its limit.
    fn fills(&self) -> bool {
        self.is_worked_on() || (self.late && !self.lane.is_empty())
    }

    /// Whether more can be taken in, whatever is in the way of passing it on.
    pub fn has_room(&self, beside: usize) -> bool {
        !self.lane.is_finished() && self.lane.room(beside) > 0
    }

    /// How many bytes to read at once, at most: what passes at once is not kept, and what is kept fills the lane not far
    /// past its limit, however small its packets are.
    pub fn read_size(&self, beside: usize) -> usize {
        if self.fills() { (self.lane.room(beside) / 4).max(LEAST_READ) } else { usize::MAX }
    }

    /// How long bytes of this frame are delayed.
    pub fn delay(&self, frame: u64) -> Duration {
        self.delays.of(self.direction, frame)
    }

    /// Puts bytes that came at `now` into the lane, each packet with its own delay. `from`: how many of them have
    /// been passed on already. `plain`: as in [`Marks`], where the frames have no delays of their own.
    pub fn hold(&mut self, now: Time, bytes: &[u8], from: usize, marks: &[Mark], plain: &[u32]) {
        if self.lane.is_finished() {
            return;
        }
        let came = self.came.unwrap_or(now);
        let (mut start, waited) = (from, self.lane.len());
        let late = !self.tail_late.is_zero() || marks.iter().any(|mark| !mark.late.is_zero());
        self.late = late || (self.late && !self.lane.is_empty());
        for mark in marks.iter().filter(|mark| mark.end > from) {
            let release = came + self.delay(mark.frame) + mark.late;
            self.lane.push(release, &bytes[start..mark.end], Some(mark.note));
            start = mark.end;
        }
        if start < bytes.len() {
            self.lane.push(came + self.delay(self.frame) + self.tail_late, &bytes[start..], None);
        }
        let held = &plain[plain_until(plain, from)..];
        self.lane.tally(waited, held.iter().map(|end| place(*end) - from));
    }

    /// Throws away what waits.
    pub fn discard(&mut self) {
        self.lose(self.lane.len());
        self.lane.clear();
        self.shaper.forget();
        let held_back = self.theatre.as_mut().map_or(0, |theatre| theatre.discard());
        self.lose(held_back);
    }

    /// Bytes will never be passed on.
    pub fn lose(&mut self, bytes: usize) {
        self.lost += to_u64(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Ends, RuleId, WindowId};
    use crate::fault::{Budget, Delay, Ending, LegFate, RuleDelay, Shape};

    #[test]
    fn what_fills_the_lane_is_read_in_pieces_of_its_room_and_all_else_at_once() {
        let mut pump = Pump::new(Direction::Up);
        assert_eq!(pump.read_size(0), usize::MAX);
        pump.closed = true;
        let room = pump.lane.room(0);
        assert_eq!(pump.read_size(0), room / 4);
        pump.hold(Time::ZERO, &vec![0; room - LEAST_READ], 0, &[], &[]);
        assert_eq!(pump.read_size(0), LEAST_READ);
        assert!(pump.wants_more(0));
        pump.hold(Time::ZERO, &[0; LEAST_READ], 0, &[], &[]);
        assert!(!pump.wants_more(0));
    }

    /// An end that waited behind bytes on a slow line is due at once where they are thrown away.
    #[test]
    fn what_is_thrown_away_keeps_no_end_waiting() {
        let mut pump = Pump::new(Direction::Up);
        pump.shaper.set(Time::ZERO, &[Shape::Rate("8bit/s".parse().unwrap())]);
        pump.hold(Time::ZERO, &[0; 10], 0, &[], &[]);
        pump.lane.finish(Time::ZERO, Ending::Fin);
        assert_eq!(pump.ready(Time::ZERO), 0);
        assert_eq!(pump.deadline(), Some(Time::from_secs(1)));
        pump.discard();
        assert_eq!((pump.deadline(), pump.lost), (Some(Time::ZERO), 10));
    }

    /// What follows a packet that is made to wait waits behind it, so that reading goes on until nothing waits.
    #[test]
    fn behind_a_late_packet_the_lane_fills() {
        let mut pump = Pump::new(Direction::Up);
        let late = Duration::from_millis(100);
        let mark = Mark { end: 4, frame: 0, note: Note::default(), late };
        pump.hold(Time::ZERO, &[0; 4], 0, &[mark], &[]);
        assert!(pump.wants_more(0));
        pump.hold(Time::from_millis(1), &[0; 4], 0, &[Mark { late: Duration::ZERO, ..mark }], &[]);
        assert!(pump.wants_more(0));
        let then = Time::ZERO + late;
        assert_eq!(pump.ready(then), 8);
        pump.wrote(then, 8, |_| {});
        pump.hold(then, &[0; 4], 0, &[], &[]);
        assert!(!pump.wants_more(0), "the peer is to take that first");
    }

    #[test]
    fn a_delay_counts_from_when_bytes_came_and_a_budget_when_they_go() {
        let at = Time::from_millis;
        let mut pump = Pump::new(Direction::Up);
        let delay = Delay::fixed(Duration::from_millis(10));
        pump.delays = vec![RuleDelay { rule: RuleId(0), delay, seed: 0, subject: 0, link_nth: 0 }].into();
        pump.came = Some(at(3));
        assert!(pump.holds_back(at(5), at(12)));
        assert!(!pump.holds_back(at(5), at(13)));
        let legs = Ends { device: LegFate::Reset, hub: LegFate::Reset };
        pump.allowance.set(Some(Budget { window: WindowId(0), bytes: 4, legs }));
        pump.hold(at(5), &[0; 9], 0, &[], &[]);
        assert_eq!((pump.ready(at(12)), pump.ready(at(13))), (0, 4));
        pump.wrote(at(13), 4, |_| {});
        assert_eq!(pump.allowance.spent().map(|(_, since)| since), Some(at(13)));
        assert_eq!(pump.ready(at(14)), 0);
    }
}
