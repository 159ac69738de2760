//! One link: two legs, two pumps, one task.
//!
//! ```text
//!   device leg ──read──▶ up pump   ──[lane]──write──▶ hub leg
//!   device leg ◀─write──[lane]──   down pump ◀──read── hub leg
//! ```
//!
//! The task does, in this order and until nothing moves: what its mailbox asks, the dial, and each direction: pass on
//! what is due, carry the end through, read on. So what the engine orders about a packet holds for that packet's
//! bytes. A read uses a buffer that the worker's links share; only what is held costs the link memory.

use super::alarm::AlarmSlot;
use super::core::{Core, Letter, Mailbox};
use super::leg::{Leg, ending_of};
use super::pump::{Begun, Mark, Note, Pump};
use crate::base::{Direction, Ends, LinkId, Side, Time, Ways};
use crate::engine::{Input, Order, PacketTicket};
use crate::event::Packet;
use crate::fault::{Cut, Effects, Ending};
use crate::mqtt::framer::{Frame, Framer, Piece};
use crate::mqtt::{PacketKind, QoS, Version, peek};
use crate::session::Meter;
use crate::session::meter::{Publish, Remark};
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

/// The size of the buffer that the links of a worker share, in bytes: a full socket buffer in one read.
const READ_BUFFER: usize = 256 * 1024;

/// How long the hub may take to accept a connect. Past it, a device would long have given up.
const DIAL_LIMIT: Duration = Duration::from_secs(30);

/// After a fault's FIN, how long the leg is still heard out, so that the FIN stays one: closing over unread bytes
/// would turn it into RST. Then the socket goes, and what is still sent to it is answered with RST, as after any
/// close.
const FIN_LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static MARKS: Cell<Vec<Mark>> = const { Cell::new(Vec::new()) };
}

/// One link, until both legs are gone.
pub struct Link {
    id: LinkId,
    core: Arc<Core>,
    mailbox: Arc<Mailbox>,
    registered: bool,
    legs: Ends<Leg>,
    pumps: Ways<Pump>,
    dial: Dial,
    /// A fault lets no dial begin yet.
    hold_dial: bool,
    upstream: Arc<str>,
    meter: Meter,
    version: Option<Version>,
    slot: AlarmSlot,
    drop_at: Option<Time>,
    /// Until when the lanes were last looked at: what was due by then waits for its peer.
    looked: Time,
    stopped: bool,
}

/// Where the hub's leg stands.
enum Dial {
    /// Not asked for yet, or held back by a fault.
    Waiting,
    Trying {
        since: Time,
        connect: Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>,
    },
    Done,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Link {
    /// A link over an accepted connection.
    pub fn new(
        id: LinkId,
        core: Arc<Core>,
        mailbox: Arc<Mailbox>,
        device: Leg,
        upstream: Arc<str>,
        slot: AlarmSlot,
    ) -> Link {
        let now = core.clock().now();
        Link {
            id,
            mailbox,
            registered: false,
            legs: Ends { device, hub: Leg::default() },
            pumps: Ways { up: Pump::new(Direction::Up), down: Pump::new(Direction::Down) },
            dial: Dial::Waiting,
            hold_dial: false,
            looked: Time::ZERO,
            upstream,
            meter: Meter::new(id, now),
            version: None,
            slot,
            drop_at: None,
            stopped: false,
            core,
        }
    }

    /// Does what can be done; ready when the link is gone.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.registered, true) {
            self.mailbox.register(cx.waker());
            self.obey();
            self.start_dial();
        }
        loop {
            self.obey();
            self.looked = self.now();
            let mut moved = self.poll_dial(cx);
            for direction in Direction::BOTH {
                moved |= self.pass_on(cx, direction);
                moved |= self.carry_end(direction);
                moved |= self.read_on(cx, direction);
            }
            if self.is_over() {
                self.close();
                return Poll::Ready(());
            }
            if !moved && self.sleep(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn now(&self) -> Time {
        self.core.clock().now()
    }

    // Orders.

    fn obey(&mut self) {
        for letter in self.mailbox.take() {
            match letter {
                Letter::Order(Order::Apply { generation, effects }) => self.apply(generation, *effects),
                Letter::Order(Order::Cut(cut)) => self.cut(cut),
                Letter::Stop => self.stopped = true,
            }
        }
    }

    fn apply(&mut self, generation: u64, effects: Effects) {
        // What was counted so far is told before the fault is: so it is on the right side of the fault's start and end.
        self.flush(self.now());
        let Effects { hold_dial, closed, mute, delays } = effects;
        self.meter.disturb(closed != Ways::default() || mute != Ends::default());
        let granted = Ends { device: self.legs.device.mute(mute.device), hub: self.legs.hub.mute(mute.hub) };
        let Ways { up, down } = delays;
        for (direction, delays) in [(Direction::Up, up), (Direction::Down, down)] {
            let pump = self.pumps.get_mut(direction);
            pump.closed = *closed.get(direction);
            pump.lane.gate(!pump.closed);
            pump.delays = delays;
        }
        self.hold_dial = hold_dial;
        self.start_dial();
        self.core.tell(Input::Applied { link: self.id, generation, granted });
    }

    fn cut(&mut self, cut: Cut) {
        self.dial = Dial::Done;
        let mut done = Ends::default();
        for side in Side::BOTH {
            *done.get_mut(side) = self.legs.get_mut(side).cut(cut.on(side));
        }
        for direction in Direction::BOTH {
            self.pumps.get_mut(direction).discard();
        }
        self.drop_at = Some(self.now() + FIN_LINGER);
        let last = Ends { device: self.meter.last(Side::Device), hub: self.meter.last(Side::Hub) };
        self.core.tell(Input::CutDone { link: self.id, window: cut.window, done, last });
    }

    // The hub's leg.

    fn start_dial(&mut self) {
        if matches!(self.dial, Dial::Waiting) && !self.hold_dial {
            let upstream = Arc::clone(&self.upstream);
            self.dial = Dial::Trying { since: self.now(), connect: Box::pin(connect(upstream)) };
        }
    }

    fn poll_dial(&mut self, cx: &mut Context<'_>) -> bool {
        let Dial::Trying { since, connect } = &mut self.dial else { return false };
        let Poll::Ready(result) = connect.as_mut().poll(cx) else { return false };
        let since = *since;
        self.dial = Dial::Done;
        match result {
            Ok(stream) => {
                self.legs.hub = Leg::connected(stream, None);
                let took = self.now().since(since);
                self.core.tell(Input::HubConnected { link: self.id, took });
            }
            Err(error) => {
                let error = format!("{}: {error}", self.upstream);
                self.core.tell(Input::HubUnreachable { link: self.id, error });
                // What the device would have met: a connection that does not come about.
                self.legs.device.reset();
                self.core.tell(Input::EndCarried { link: self.id, to: Side::Device, how: Ending::Reset });
            }
        }
        true
    }

    // The way of the bytes.

    /// Passes on what is due.
    fn pass_on(&mut self, cx: &mut Context<'_>, direction: Direction) -> bool {
        let mut moved = false;
        loop {
            let now = self.now();
            let leg = self.legs.get_mut(direction.to());
            let lane = &mut self.pumps.get_mut(direction).lane;
            let due = lane.ready(now);
            if due.is_empty() || !leg.writing {
                return moved;
            }
            match leg.poll_write(cx, due) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(written)) => {
                    let mut notes = Vec::new();
                    lane.wrote(now, written, |note, _| notes.push(note));
                    for note in notes {
                        self.passed(direction, note, true);
                    }
                }
                Poll::Ready(Err(error)) => self.failed(direction.to(), &error),
            }
            moved = true;
        }
    }

    fn passed(&mut self, direction: Direction, note: Note, held: bool) {
        self.meter.passed(self.now(), direction, note.acknowledges);
        if let Some(mut ticket) = note.ticket {
            ticket.held |= held;
            if ticket.held || ticket.wanted {
                self.core.tell(Input::Passed { link: self.id, ticket });
            }
        }
    }

    /// Carries the end of one leg through to the other, behind the last byte.
    fn carry_end(&mut self, direction: Direction) -> bool {
        let lane = &mut self.pumps.get_mut(direction).lane;
        let Some(how) = lane.end_due(self.core.clock().now()) else { return false };
        let to = direction.to();
        let leg = self.legs.get_mut(to);
        if !leg.is_open() && matches!(self.dial, Dial::Trying { .. }) && how == Ending::Fin {
            // The hub may still come up, and then gets all that was sent.
            return false;
        }
        lane.ended();
        if leg.is_open() {
            match how {
                Ending::Fin => leg.shut(),
                Ending::Reset => leg.reset(),
            }
            self.core.tell(Input::EndCarried { link: self.id, to, how });
        }
        true
    }

    /// Reads what there is, unless it has to wait.
    fn read_on(&mut self, cx: &mut Context<'_>, direction: Direction) -> bool {
        let from = direction.from();
        let leg = self.legs.get_mut(from);
        if !leg.reading {
            return false;
        }
        if !leg.severed && !self.pumps.get(direction).wants_more() {
            return self.watch(cx, from);
        }
        let mut buffer = BUFFER.take();
        buffer.resize(READ_BUFFER, 0);
        let result = leg.poll_read(cx, &mut buffer);
        let moved = result.is_ready();
        match result {
            Poll::Pending => {}
            Poll::Ready(Ok(0)) => self.ended(from, Ending::Fin, None),
            Poll::Ready(Ok(read)) if self.legs.get(from).severed => self.pumps.get_mut(direction).lose(read),
            Poll::Ready(Ok(read)) => self.received(cx, direction, &buffer[..read]),
            Poll::Ready(Err(error)) => self.failed(from, &error),
        }
        BUFFER.set(buffer);
        moved
    }

    /// Without reading, sees whether an end gives up.
    fn watch(&mut self, cx: &mut Context<'_>, side: Side) -> bool {
        let leg = self.legs.get_mut(side);
        if leg.end_told {
            return false;
        }
        match leg.poll_hang_up(cx) {
            Poll::Pending => false,
            Poll::Ready(Ending::Reset) => {
                self.ended(side, Ending::Reset, None);
                true
            }
            Poll::Ready(Ending::Fin) => {
                // The bytes before it are still to be read; only the sign is told now.
                self.tell_end(side, Ending::Fin, None);
                true
            }
        }
    }

    fn received(&mut self, cx: &mut Context<'_>, direction: Direction, bytes: &[u8]) {
        let now = self.now();
        self.meter.bytes(direction, bytes.len());
        let mut marks = MARKS.take();
        self.scan(now, direction, bytes, &mut marks);
        // What the engine ordered about these packets holds for their bytes.
        self.obey();
        self.route(cx, now, direction, bytes, &marks);
        marks.clear();
        MARKS.set(marks);
        if self.meter.is_due(now) {
            self.flush(now);
        }
    }

    /// Passes bytes on at once where nothing is in the way, and holds the rest.
    fn route(&mut self, cx: &mut Context<'_>, now: Time, direction: Direction, bytes: &[u8], marks: &[Mark]) {
        let mut written = 0;
        if self.legs.get(direction.from()).severed {
            return self.pumps.get_mut(direction).lose(bytes.len());
        }
        while written < bytes.len() && !self.pumps.get(direction).holds() {
            let leg = self.legs.get_mut(direction.to());
            if !leg.writing {
                break;
            }
            match leg.poll_write(cx, &bytes[written..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(taken)) => written += taken,
                Poll::Ready(Err(error)) => {
                    self.pumps.get_mut(direction).lose(bytes.len() - written);
                    return self.failed(direction.to(), &error);
                }
            }
        }
        for mark in marks.iter().take_while(|mark| mark.end <= written) {
            self.passed(direction, mark.note, false);
        }
        if written < bytes.len() {
            self.pumps.get_mut(direction).hold(now, bytes, written, marks);
        }
    }

    // Packets.

    /// Finds the packets in what came, tells of them, and marks where they end.
    fn scan(&mut self, now: Time, direction: Direction, bytes: &[u8], marks: &mut Vec<Mark>) {
        let pump = self.pumps.get_mut(direction);
        let mut framer = std::mem::replace(&mut pump.framer, Framer::new(direction));
        let mark_all = !pump.delays.is_empty();
        let mut ended = 0;
        let mut scan = framer.scan(bytes);
        while let Some(piece) = scan.next_piece() {
            let (end, note) = match piece {
                Piece::Frame(frame) => match self.frame(now, direction, &frame) {
                    Some(note) => (frame.end_in_input, note),
                    None => continue,
                },
                Piece::FrameEnd { end_in_input, .. } => {
                    let begun = std::mem::take(&mut self.pumps.get_mut(direction).begun);
                    (end_in_input, self.packet(now, direction, begun))
                }
                Piece::NotMqtt { offset, reason } => {
                    let reason = reason.to_string();
                    self.core.tell(Input::NotMqtt { link: self.id, direction, offset, reason });
                    continue;
                }
            };
            ended = end;
            let frame = self.pumps.get(direction).frame;
            self.pumps.get_mut(direction).frame += 1;
            if mark_all || note != Note::default() {
                marks.push(Mark { end, frame, note });
            }
        }
        let pump = self.pumps.get_mut(direction);
        if framer.is_opaque() {
            pump.frame += 1;
        } else if ended > 0 && marks.last().is_none_or(|last| last.end < ended) {
            // One mark at the least, so that it is known when a packet was last passed on.
            marks.push(Mark { end: ended, frame: pump.frame - 1, note: Note::default() });
        }
        pump.framer = framer;
    }

    /// Takes in a frame whose head is there; what to say when it has been passed on, if its end is there too.
    fn frame(&mut self, now: Time, direction: Direction, frame: &Frame<'_>) -> Option<Note> {
        let begun = Begun {
            publish: (frame.kind == PacketKind::Publish).then(|| self.publish(frame)).flatten(),
            packet: self.core.wants(frame.kind).then(|| self.read(direction, frame)),
        };
        if !frame.ended {
            self.pumps.get_mut(direction).begun = begun;
            return None;
        }
        let note = self.packet(now, direction, begun);
        Some(Note { acknowledges: self.acknowledges(direction, frame), ..note })
    }

    /// A packet is there whole.
    fn packet(&mut self, now: Time, direction: Direction, begun: Begun) -> Note {
        self.arrived(now, direction, begun.publish);
        let ticket = begun.packet.map(|packet| self.tell_packet(direction, packet));
        Note { ticket, acknowledges: None }
    }

    fn publish(&self, frame: &Frame<'_>) -> Option<Publish> {
        let qos = QoS::from_number(frame.first_byte >> 1 & 3)?;
        Some(Publish { qos, id: peek::packet_id(frame.kind, frame.first_byte, frame.head) })
    }

    fn arrived(&mut self, now: Time, direction: Direction, publish: Option<Publish>) {
        match self.meter.arrived(now, direction, publish) {
            None => {}
            Some(Remark::FirstPublish) => self.core.tell(Input::FirstPublish { link: self.id, direction }),
            Some(Remark::KeepaliveExceeded(gap)) => {
                self.core.tell(Input::KeepaliveExceeded { link: self.id, gap });
            }
        }
    }

    fn read(&mut self, direction: Direction, frame: &Frame<'_>) -> Packet {
        let packet = Packet::read(self.version, frame);
        self.learn(direction, &packet);
        packet
    }

    fn tell_packet(&mut self, direction: Direction, packet: Packet) -> PacketTicket {
        let ready = self.legs.get(direction.to()).writing;
        let held = self.pumps.get(direction).holds() || !ready;
        self.core.packet(self.id, direction, packet, held)
    }

    /// Keeps what later packets are read by.
    fn learn(&mut self, direction: Direction, packet: &Packet) {
        let seconds = match (direction, packet) {
            (Direction::Up, Packet::Connect { version, keep_alive, .. }) => {
                self.version = Some(*version);
                self.pumps.down.framer.set_version(*version);
                *keep_alive
            }
            (Direction::Down, Packet::Connack { server_keep_alive: Some(seconds), .. }) => *seconds,
            (Direction::Up | Direction::Down, _) => return,
        };
        self.meter.set_keep_alive(Duration::from_secs(u64::from(seconds)));
    }

    fn acknowledges(&self, direction: Direction, frame: &Frame<'_>) -> Option<u16> {
        if direction == Direction::Up {
            return None;
        }
        match frame.kind {
            PacketKind::Puback | PacketKind::Pubrec | PacketKind::Pubcomp => {
                let ack = peek::ack_view(self.version.unwrap_or(Version::V311), frame.head)?;
                Meter::ends_flight(frame.kind, ack.reason).then_some(ack.packet_id)
            }
            PacketKind::Connect
            | PacketKind::Connack
            | PacketKind::Publish
            | PacketKind::Pubrel
            | PacketKind::Subscribe
            | PacketKind::Suback
            | PacketKind::Unsubscribe
            | PacketKind::Unsuback
            | PacketKind::Pingreq
            | PacketKind::Pingresp
            | PacketKind::Disconnect
            | PacketKind::Auth => None,
        }
    }

    // Ends.

    /// A read or write failed: the peer is gone.
    fn failed(&mut self, side: Side, error: &io::Error) {
        let (how, word) = ending_of(error);
        self.ended(side, how, word);
    }

    /// An end gave up its leg.
    fn ended(&mut self, side: Side, how: Ending, error: Option<String>) {
        self.tell_end(side, how, error);
        let now = self.now();
        let leg = self.legs.get_mut(side);
        match how {
            Ending::Fin => leg.reading = false,
            Ending::Reset => leg.drop_socket(),
        }
        if leg.severed {
            leg.drop_socket();
            return;
        }
        let pump = self.pumps.get_mut(side.sends());
        let release = now + pump.delay(pump.frame);
        pump.lane.finish(release, how);
        if how == Ending::Reset {
            // Nobody is left to hear the other way.
            self.pumps.get_mut(side.other().sends()).discard();
        }
    }

    fn tell_end(&mut self, side: Side, how: Ending, error: Option<String>) {
        if std::mem::replace(&mut self.legs.get_mut(side).end_told, true) {
            return;
        }
        let now = self.now();
        if side == Side::Device
            && let Some(gap) = self.meter.device_ended(now)
        {
            self.core.tell(Input::KeepaliveExceeded { link: self.id, gap });
        }
        let last = self.meter.last(side);
        self.core.tell(Input::LegEnded { link: self.id, side, how, error, last });
    }

    fn is_over(&mut self) -> bool {
        if self.drop_at.is_some_and(|at| at <= self.core.clock().now()) {
            self.drop_at = None;
            for side in Side::BOTH {
                self.legs.get_mut(side).linger_over();
            }
        }
        let device = &self.legs.device;
        self.stopped
            || match self.dial {
                // Held back by a fault, and now the device has gone: there is nothing to dial for.
                Dial::Waiting => !device.reading,
                Dial::Trying { .. } => !device.is_open(),
                Dial::Done => device.is_over() && self.legs.hub.is_over(),
            }
    }

    fn close(&mut self) {
        let now = self.now();
        self.flush(now);
        for direction in Direction::BOTH {
            self.pumps.get_mut(direction).discard();
        }
        self.legs = Ends::default();
        let undelivered = Ways { up: self.pumps.up.lost, down: self.pumps.down.lost };
        self.core.close_link(self.id, Input::LinkClosed { link: self.id, undelivered });
    }

    fn flush(&mut self, now: Time) {
        if let Some(traffic) = self.meter.flush(now) {
            self.core.tell(Input::Traffic(Box::new(traffic)));
        }
    }

    /// Sleeps until the next byte, end or socket is due; ready if that is now.
    fn sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lanes = Direction::BOTH.into_iter().filter_map(|direction| {
            let has_peer = self.legs.get(direction.to()).writing;
            self.pumps.get(direction).lane.deadline().filter(|at| has_peer && *at > self.looked)
        });
        match lanes.chain(self.drop_at).min() {
            Some(at) => self.slot.poll_until(cx, at),
            None => {
                self.slot.cancel();
                Poll::Pending
            }
        }
    }
}

async fn connect(upstream: Arc<str>) -> io::Result<TcpStream> {
    let connect = TcpStream::connect(&*upstream);
    let stream = tokio::time::timeout(DIAL_LIMIT, connect).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {} s", DIAL_LIMIT.as_secs()))
    })??;
    // Small packets must not wait for the peer's acknowledgement: that would be a delay of our own.
    stream.set_nodelay(true)?;
    Ok(stream)
}
