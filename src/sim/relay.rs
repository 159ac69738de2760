//! Brownout on a link, as net/ is: packets found and told, bytes passed on or held, ends carried through, links cut.

use super::path::{At, Hand, Leg, PathId, Relay};
use super::world::World;
use crate::base::units::to_u64;
use crate::base::{Direction, Ends, LinkId, ListenerId, Side, Time};
use crate::engine::{Beside, Granted, Input, PacketTicket};
use crate::event::Packet;
use crate::fault::lane::LANE_LIMIT;
use crate::fault::{Cut, Effects, Ending, Left, LegFate, Mechanism};
use crate::hub;
use crate::mqtt::PacketKind;
use crate::mqtt::framer::{Frame, Framer, Piece};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a leg is heard out after the FIN of a cut, as in a real run.
const FIN_LINGER: Duration = Duration::from_secs(2);

/// The first of a device's ports; each connection has the next (net.ipv4.ip_local_port_range).
const FIRST_PORT: u64 = 32_768;
const PORTS: u64 = 28_232;

/// Where a packet ends in what came, and what the engine said of it.
type Marks = Vec<(usize, Option<PacketTicket>)>;

impl World<'_> {
    pub(super) fn open_link(&mut self, id: PathId) {
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(link, id);
        let Some(path) = self.path(id) else { return };
        path.link = Some(link);
        path.relay = Some(Box::new(Relay::new(link)));
        let device = path.device;
        let handset = &self.handsets[device];
        let port = FIRST_PORT + handset.dials % PORTS;
        let peer = SocketAddr::new(handset.address, u16::try_from(port).unwrap_or_default());
        let opened = Input::LinkOpened { link, listener: ListenerId(0), peer, to: None };
        self.engine.handle(self.now, opened);
        self.obey();
        self.start_dial(id);
    }

    fn with<T>(&mut self, id: PathId, act: impl FnOnce(&mut Relay) -> T) -> Option<T> {
        self.touch(id)?.relay.as_deref_mut().map(act)
    }

    /// The hub's leg comes about, unless a fault holds it back.
    fn start_dial(&mut self, id: PathId) {
        let now = self.now;
        let Some(path) = self.touch(id) else { return };
        let Some(relay) = path.relay.as_deref_mut() else { return };
        if relay.dialled || relay.effects.hold_dial || !relay.hands.device.open {
            return;
        }
        (relay.dialled, relay.hands.hub) = (true, Hand::UP);
        path.legs.hub = Leg::default();
        // No distance lies between.
        for tcp in [&mut path.legs.hub.peer, &mut path.legs.hub.own] {
            tcp.saw_round_trip(Duration::ZERO);
        }
        let link = relay.link;
        let conn = hub::ConnId(link.0);
        self.hub.handle(now, hub::Input::Opened { conn, peer: format!("10.255.255.1:{link}"), tls: false });
        self.engine.handle(now, Input::HubConnected { link, took: Duration::ZERO, from: None });
        self.flow(id, Direction::Up);
    }

    /// Brings a link into a state.
    pub(super) fn apply(&mut self, id: PathId, generation: u64, effects: Effects) {
        let now = self.now;
        let granted = granted(&effects);
        let link = self.with(id, |relay| {
            relay.idle.set(now, effects.idle);
            relay.reset_senders = effects.reset_senders;
            for direction in Direction::BOTH {
                relay.lanes.get_mut(direction).gate(!*effects.closed.get(direction));
            }
            relay.effects = effects;
            relay.link
        });
        let Some(link) = link else { return };
        self.start_dial(id);
        self.engine.handle(now, Input::Applied { link, generation, granted });
        Direction::BOTH.into_iter().for_each(|direction| self.flow(id, direction));
        self.answer_hello(id);
    }

    /// Timers of a link.
    pub(super) fn relay_is_due(&mut self, id: PathId) {
        let now = self.now;
        let Some(relay) = self.path(id).and_then(|path| path.relay.as_deref_mut()) else { return };
        let is_cut = relay.hands.device.severed || relay.hands.hub.severed;
        let is_idle = relay.idle.deadline().is_some_and(|at| at <= now) && relay.idle.is_due(now) && !is_cut;
        let link = relay.link;
        if relay.drop_at.take_if(|at| *at <= now).is_some() {
            Side::BOTH.into_iter().for_each(|side| self.linger_over(id, side));
        }
        if is_idle {
            self.engine.handle(now, Input::Idle { link });
            self.obey();
        }
        Direction::BOTH.into_iter().for_each(|direction| self.flow(id, direction));
    }

    fn linger_over(&mut self, id: PathId, side: Side) {
        if self.with(id, |relay| relay.hands.get(side).lingering) == Some(true) {
            self.drop_socket(id, side);
        }
    }

    /// Lets a leg's socket go.
    fn drop_socket(&mut self, id: PathId, side: Side) {
        let now = self.now;
        let was_open = self.with(id, |relay| {
            let hand = relay.hands.get_mut(side);
            let was_open = hand.open;
            hand.drop_socket();
            was_open
        });
        if was_open == Some(true) {
            self.tcp(id, side, At::Own, |tcp, kernel, out| tcp.close(now, kernel, out));
        }
    }

    fn reset_leg(&mut self, id: PathId, side: Side) {
        self.with(id, |relay| relay.hands.get_mut(side).drop_socket());
        self.tcp(id, side, At::Own, |tcp, _, out| tcp.reset(out));
    }

    // Bytes.

    /// Bytes came from one end.
    pub(super) fn relay(&mut self, id: PathId, direction: Direction, bytes: &[u8]) {
        let (now, from) = (self.now, direction.from());
        let Some(relay) = self.touch(id).and_then(|path| path.relay.as_deref_mut()) else { return };
        relay.idle.passed(now);
        let hand = *relay.hands.get(from);
        if hand.severed || !hand.reading {
            relay.lose(direction, bytes.len());
            if hand.trap {
                self.reset_leg(id, from);
            }
            return;
        }
        if self.is_forgotten_by(id, from) {
            self.with(id, |relay| relay.lose(direction, bytes.len()));
            return;
        }
        let marks = self.scan(id, direction, bytes);
        self.route(id, direction, bytes, &marks);
    }

    /// An end has sent something on a link that a middlebox has forgotten: it is reset.
    fn is_forgotten_by(&mut self, id: PathId, side: Side) -> bool {
        let Some(window) = self.with(id, |relay| relay.reset_senders.take()).flatten() else { return false };
        let mut legs = Ends { device: LegFate::ResetWhenSends, hub: LegFate::ResetWhenSends };
        *legs.get_mut(side) = LegFate::Reset;
        self.cut(id, Cut { window: Some(window), legs });
        true
    }

    /// Finds the packets in what came and tells of them.
    fn scan(&mut self, id: PathId, direction: Direction, bytes: &[u8]) -> Marks {
        let mut marks = Marks::new();
        let taken = self
            .with(id, |relay| std::mem::replace(relay.framers.get_mut(direction), Framer::new(direction)));
        let Some(mut framer) = taken else { return marks };
        let mut scan = framer.scan(bytes);
        while let Some(piece) = scan.next_piece() {
            match piece {
                Piece::Frame(frame) => {
                    let packet = self.read(id, direction, &frame);
                    if frame.ended {
                        marks.push((frame.end_in_input, self.packet(id, direction, packet)));
                    } else {
                        self.with(id, |relay| *relay.begun.get_mut(direction) = packet.map(Box::new));
                    }
                }
                Piece::FrameEnd { end_in_input, .. } => {
                    let packet = self.with(id, |relay| relay.begun.get_mut(direction).take()).flatten();
                    marks.push((end_in_input, self.packet(id, direction, packet.map(|packet| *packet))));
                }
                Piece::NotMqtt { offset, reason } => {
                    let reason = reason.to_string();
                    if let Some(link) = self.path(id).and_then(|path| path.link) {
                        self.engine.handle(self.now, Input::NotMqtt { link, direction, offset, reason });
                    }
                }
            }
        }
        self.with(id, |relay| {
            if let (Direction::Down, Some(version)) = (direction, relay.version) {
                framer.set_version(version);
            }
            *relay.framers.get_mut(direction) = framer;
        });
        marks
    }

    /// What a packet says, if the engine wants it.
    fn read(&mut self, id: PathId, direction: Direction, frame: &Frame<'_>) -> Option<Packet> {
        let (now, wants) = (self.now, self.wanted.has(frame.kind));
        let (version, link, is_first) = self.with(id, |relay| {
            let is_first = frame.kind == PacketKind::Publish
                && !std::mem::replace(relay.published.get_mut(direction), true);
            (relay.version, relay.link, is_first)
        })?;
        if is_first {
            self.engine.handle(now, Input::FirstPublish { link, direction });
        }
        let packet = wants.then(|| Packet::read(version, frame))?;
        if let (Direction::Up, Packet::Connect { version, .. }) = (direction, &packet) {
            self.with(id, |relay| {
                relay.version = Some(*version);
                relay.framers.down.set_version(*version);
            });
        }
        Some(packet)
    }

    /// A packet is there whole.
    fn packet(&mut self, id: PathId, direction: Direction, packet: Option<Packet>) -> Option<PacketTicket> {
        let now = self.now;
        let (link, held) = self.with(id, |relay| {
            relay.last.get_mut(direction.from()).from = Some(now);
            (relay.link, relay.would_hold(direction))
        })?;
        let (ticket, _) = self.engine.packet(now, link, direction, packet?, Beside::default(), held);
        // What was ordered about it holds for its bytes.
        self.obey();
        Some(ticket)
    }

    /// Passes bytes on at once where nothing is in the way, and holds the rest.
    fn route(&mut self, id: PathId, direction: Direction, bytes: &[u8], marks: &Marks) {
        let now = self.now;
        let Some(relay) = self.path(id).and_then(|path| path.relay.as_deref_mut()) else { return };
        if relay.hands.get(direction.from()).severed {
            return relay.lose(direction, bytes.len());
        }
        if relay.would_hold(direction) {
            hold(relay, now, direction, bytes, marks);
            return self.flow(id, direction);
        }
        *relay.frames.get_mut(direction) += to_u64(marks.len());
        let to = direction.to();
        self.tcp(id, to, At::Own, |tcp, kernel, out| tcp.write(now, bytes, kernel, out));
        for (_, ticket) in marks {
            self.passed(id, direction, *ticket, false);
        }
    }

    fn passed(&mut self, id: PathId, direction: Direction, ticket: Option<PacketTicket>, held: bool) {
        let now = self.now;
        let link = self.with(id, |relay| {
            relay.last.get_mut(direction.to()).to = Some(now);
            relay.link
        });
        let Some((mut ticket, link)) = ticket.zip(link) else { return };
        ticket.held |= held;
        if ticket.held || ticket.wanted {
            self.engine.handle(now, Input::Passed { link, ticket });
        }
    }

    /// Writes what is due, and carries an end through behind it.
    pub(super) fn flow(&mut self, id: PathId, direction: Direction) {
        let (now, to) = (self.now, direction.to());
        let waits = self.path(id).and_then(|path| path.relay.as_deref()).is_some_and(|relay| {
            let lane = relay.lanes.get(direction);
            !lane.is_empty() || lane.is_finished()
        });
        if !waits {
            return;
        }
        loop {
            let mut left = Vec::new();
            let due = self.with(id, |relay| {
                if !relay.hands.get(to).writing {
                    return Vec::new();
                }
                let lane = relay.lanes.get_mut(direction);
                let due = lane.ready(now).to_vec();
                lane.wrote(now, due.len(), |note| left.push(note));
                due
            });
            let Some(due) = due.filter(|due| !due.is_empty()) else { break };
            self.tcp(id, to, At::Own, |tcp, kernel, out| tcp.write(now, &due, kernel, out));
            self.passed(id, direction, None, true);
            for note in left {
                if let Left::Note(ticket, _) = note {
                    self.passed(id, direction, Some(ticket), true);
                }
            }
        }
        self.carry_end(id, direction);
    }

    // Ends.

    fn carry_end(&mut self, id: PathId, direction: Direction) {
        let (now, to) = (self.now, direction.to());
        let Some(relay) = self.path(id).and_then(|path| path.relay.as_deref_mut()) else { return };
        let Some(how) = relay.lanes.get(direction).end_due(now) else { return };
        relay.lanes.get_mut(direction).ended();
        let hand = relay.hands.get_mut(to);
        let link = relay.link;
        if !hand.open {
            return;
        }
        if how == Ending::Reset {
            self.reset_leg(id, to);
        } else {
            hand.writing = false;
            self.tcp(id, to, At::Own, |tcp, kernel, out| tcp.shut(now, kernel, out));
        }
        let how = if how == Ending::Reset { Ending::Reset } else { Ending::Fin };
        self.engine.handle(now, Input::EndCarried { link, to, how });
        self.touch(id);
    }

    /// An end gave up its leg.
    pub(super) fn leg_ended(&mut self, id: PathId, side: Side, how: Ending, error: Option<String>) {
        let now = self.now;
        let Some(relay) = self.touch(id).and_then(|path| path.relay.as_deref_mut()) else { return };
        let (link, last) = (relay.link, *relay.last.get(side));
        let hand = relay.hands.get_mut(side);
        let is_news = hand.open && !std::mem::replace(&mut hand.end_told, true);
        if how == Ending::Reset {
            hand.drop_socket();
        }
        let (severed, trap) = (hand.severed, hand.trap);
        if is_news {
            self.engine.handle(now, Input::LegEnded { link, side, how, error, last });
            self.obey();
        }
        if !severed && self.is_forgotten_by(id, side) {
            return;
        }
        self.with(id, |relay| relay.hands.get_mut(side).reading = false);
        if severed {
            if trap {
                self.reset_leg(id, side);
            }
            return self.drop_socket(id, side);
        }
        self.with(id, |relay| {
            let direction = side.sends();
            let release = now + relay.delay(direction, *relay.frames.get(direction));
            relay.lanes.get_mut(direction).finish(release, how);
            if how == Ending::Reset {
                relay.discard(side.other().sends());
            }
        });
        self.flow(id, side.sends());
    }

    /// Ends the legs of a link.
    pub(super) fn cut(&mut self, id: PathId, cut: Cut) {
        let now = self.now;
        if self.with(id, |relay| relay.dialled = true).is_none() {
            return;
        }
        let mut done = Ends::default();
        for side in Side::BOTH {
            *done.get_mut(side) = self.cut_leg(id, side, cut.on(side));
        }
        let told = self.with(id, |relay| {
            Direction::BOTH.into_iter().for_each(|direction| relay.discard(direction));
            relay.drop_at = Some(now + FIN_LINGER);
            (relay.link, relay.last)
        });
        if let Some((link, last)) = told {
            self.engine.handle(now, Input::CutDone { link, window: cut.window, done, last });
        }
    }

    fn cut_leg(&mut self, id: PathId, side: Side, fate: LegFate) -> Option<LegFate> {
        let now = self.now;
        let hand = self.with(id, |relay| *relay.hands.get(side))?;
        if hand.is_over() {
            self.drop_socket(id, side);
            return None;
        }
        let said = self.path(id).is_some_and(|path| path.legs.get(side).own.is_shut());
        let done = match fate {
            LegFate::Reset => {
                self.reset_leg(id, side);
                Some(fate)
            }
            LegFate::HalfOpen | LegFate::ResetWhenSends => {
                self.with(id, |relay| {
                    let hand = relay.hands.get_mut(side);
                    (hand.writing, hand.trap) = (false, fate == LegFate::ResetWhenSends);
                });
                Some(fate)
            }
            LegFate::Close
            | LegFate::Unnotified
            | LegFate::Alert(_)
            | LegFate::Truncated
            | LegFate::Rejected(_)
            | LegFate::Disconnected(_) => {
                self.with(id, |relay| {
                    let hand = relay.hands.get_mut(side);
                    (hand.writing, hand.lingering) = (false, true);
                });
                self.tcp(id, side, At::Own, |tcp, kernel, out| tcp.shut(now, kernel, out));
                Some(fate).filter(|_| !said)
            }
        };
        self.with(id, |relay| relay.hands.get_mut(side).severed = true);
        done
    }

    /// Closes a link that is over.
    pub(super) fn close_if_over(&mut self, id: PathId) {
        let Some(path) = self.path(id) else { return };
        let is_deserted = path.is_deserted();
        let Some(relay) = path.relay.as_deref() else { return };
        let device = relay.hands.device;
        let is_over = if relay.dialled {
            is_deserted || relay.is_forgotten_by_both()
        } else {
            !device.reading || (relay.effects.hold_dial && device.end_told)
        };
        if is_over {
            self.close_link(id);
        }
    }

    pub(super) fn close_link(&mut self, id: PathId) {
        let told = self.with(id, |relay| {
            Direction::BOTH.into_iter().for_each(|direction| relay.discard(direction));
            (relay.link, relay.lost)
        });
        let Some((link, undelivered)) = told else { return };
        Side::BOTH.into_iter().for_each(|side| self.drop_socket(id, side));
        if let Some(path) = self.touch(id) {
            path.relay = None;
        }
        self.engine.handle(self.now, Input::LinkClosed { link, undelivered });
    }
}

impl Relay {
    /// How late a packet is.
    pub(super) fn delay(&self, direction: Direction, frame: u64) -> Duration {
        let delays = self.effects.delays.get(direction).iter();
        delays.map(|delay| delay.of(direction, frame)).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Whether more may wait this way: a sender that has filled this is acknowledged no more.
    pub(super) fn has_room(&self, direction: Direction) -> bool {
        self.lanes.get(direction).used() < LANE_LIMIT
    }
}

fn hold(relay: &mut Relay, now: Time, direction: Direction, bytes: &[u8], marks: &Marks) {
    let mut begin = 0;
    for (end, ticket) in marks {
        let frame = relay.frames.get_mut(direction);
        let nth = *frame;
        *frame += 1;
        let release = now + relay.delay(direction, nth);
        relay.lanes.get_mut(direction).push(release, &bytes[begin..*end], *ticket);
        begin = *end;
    }
    let release = now + relay.delay(direction, *relay.frames.get(direction));
    relay.lanes.get_mut(direction).push(release, &bytes[begin..], None);
}

fn granted(effects: &Effects) -> Granted {
    let mut granted = Granted::default();
    for side in Side::BOTH {
        *granted.mute.get_mut(side) = effects.mute.get(side).then_some(Ok(Mechanism::Filter));
        *granted.loss.get_mut(side) = effects.loss.get(side).map(|_| Ok(Mechanism::RandomFilter));
    }
    granted
}
