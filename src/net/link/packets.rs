//! The packets among the bytes: found, counted, told, and marked where they end.

use super::Link;
use crate::base::{Direction, Time};
use crate::engine::{Beside, Input, PacketTicket};
use crate::event::{Packet, Will};
use crate::mqtt::framer::{Frame, Framer, Piece};
use crate::mqtt::{Flaw, PacketKind, QoS, Version, peek};
use crate::net::link::Passing;
use crate::net::pump::{Begun, Inlet, Mark, Marks, Note, WebSocket};
use crate::session::Meter;
use crate::session::meter::{Publish, Remark};
use crate::tls::record::{self, Records};
use crate::ws;
use std::time::Duration;

/// Where the packets of one read end.
struct Marking<'m> {
    /// Every packet is marked, since each has a delay of its own.
    all: bool,
    /// Where the last one ended.
    ended: usize,
    marks: &'m mut Marks,
}

impl Link {
    /// Finds the packets in what came, tells of them, and marks where they end. How many bytes that took: all, or those
    /// before the first packet that the surgeon is to have.
    pub(super) fn scan(&mut self, now: Time, direction: Direction, bytes: &[u8], marks: &mut Marks) -> usize {
        let mut taken = bytes.len();
        let pump = self.pumps.get_mut(direction);
        let mut inlet = std::mem::replace(&mut pump.inlet, Inlet::Records(Records::default()));
        let mut marking = Marking { all: pump.delays.is_drawn(), ended: 0, marks };
        let is_opaque = match &mut inlet {
            Inlet::Mqtt(framer) => {
                taken = self.scan_packets(now, direction, framer, bytes, 0, &mut marking);
                framer.is_opaque()
            }
            Inlet::WebSocket(socket) => self.scan_frames(now, direction, socket, bytes, &mut marking),
            Inlet::Records(records) => {
                self.scan_records(now, direction, records, bytes, &mut marking);
                records.is_opaque()
            }
        };
        let ended = marking.ended;
        let pump = self.pumps.get_mut(direction);
        if is_opaque {
            pump.frame += 1;
        } else if marks.last() < ended {
            // One mark at the least, so that it is known when a packet was last passed on.
            let frame = pump.frame - 1;
            marks.noted.push(Mark { end: ended, frame, note: Note::default(), late: Duration::ZERO });
        }
        pump.inlet = inlet;
        taken
    }

    /// Finds the packets in MQTT that begins at `base` of the input. How many of these bytes are taken, as for
    /// [`Link::scan`].
    fn scan_packets(
        &mut self,
        now: Time,
        direction: Direction,
        framer: &mut Framer,
        bytes: &[u8],
        base: usize,
        marking: &mut Marking<'_>,
    ) -> usize {
        self.feed(direction, framer, bytes);
        let attended = self.attended(direction);
        let sifts = self.sifts(direction);
        let mut scan = framer.scan(bytes);
        loop {
            if !marking.all && (sifts || !attended.has(PacketKind::Publish)) {
                self.take_plain(now, direction, &mut scan, base, &mut marking.marks.plain);
            }
            let Some(piece) = scan.next_piece() else { break };
            let (end, note) = match piece {
                Piece::Frame(frame)
                    if attended.has(frame.kind)
                        && !self.is_let_go(direction)
                        && !(sifts && self.passes_by(direction, &frame)) =>
                {
                    let begin = frame.begin_in_input;
                    framer.put_back();
                    return begin;
                }
                Piece::Frame(frame) => match self.frame(now, direction, &frame) {
                    Some(note) => (frame.end_in_input, note),
                    None => continue,
                },
                Piece::FrameEnd { end_in_input, .. } => {
                    let begun = self
                        .pumps
                        .get_mut(direction)
                        .begun
                        .take()
                        .map_or_else(Begun::default, |begun| *begun);
                    (end_in_input, self.packet(now, direction, begun))
                }
                Piece::NotMqtt { offset, reason } => {
                    let reason = reason.to_string();
                    self.core.tell(Input::NotMqtt { link: self.id, direction, offset, reason });
                    continue;
                }
            };
            self.mark(direction, base + end, note, marking);
        }
        self.leave_head(direction, framer, bytes, attended)
    }

    /// Finds the packets in WebSocket frames. True if there are none to be found any more.
    fn scan_frames(
        &mut self,
        now: Time,
        direction: Direction,
        socket: &mut WebSocket,
        bytes: &[u8],
        marking: &mut Marking<'_>,
    ) -> bool {
        let WebSocket { walker, framer } = socket;
        let mut opened = Vec::new();
        let mut scan = walker.scan(bytes);
        while let Some(piece) = scan.next_piece() {
            match piece {
                ws::Piece::Payload { range, mask } => {
                    let base = range.start;
                    let carried = match mask {
                        None => &bytes[range],
                        Some(mask) => {
                            opened.clear();
                            mask.unmask(&bytes[range], &mut opened);
                            &opened
                        }
                    };
                    self.scan_packets(now, direction, framer, carried, base, marking);
                }
                other => {
                    let closes = matches!(other, ws::Piece::Close { .. });
                    self.frame_seen(direction, other);
                    if closes && framer.is_between_frames() {
                        let (end, frame) = (scan.taken(), self.pumps.get(direction).frame);
                        let note = Note { frame_only: true, closes, ..Note::default() };
                        marking.marks.noted.push(Mark { end, frame, note, late: Duration::ZERO });
                    }
                }
            }
        }
        walker.is_opaque() || framer.is_opaque()
    }

    /// Finds the records of TLS that is passed through; each counts as a packet.
    fn scan_records(
        &mut self,
        now: Time,
        direction: Direction,
        records: &mut Records,
        bytes: &[u8],
        marking: &mut Marking<'_>,
    ) {
        let mut walker = records.clone();
        let first_data = self.sniff.first_data(direction, records, bytes);
        let mut scan = walker.scan(bytes);
        while let Some(piece) = scan.next_piece() {
            if let record::Piece::NotTls { offset } = piece {
                let reason = "these are no TLS records".to_owned();
                self.core.tell(Input::NotMqtt { link: self.id, direction, offset, reason });
            }
            let Some((_, end)) = piece.whole() else { continue };
            self.arrived(now, direction, None);
            let note = Note { first_data: first_data == Some(end), ..Note::default() };
            self.mark(direction, end, note, marking);
        }
    }

    /// A packet ends here.
    fn mark(&mut self, direction: Direction, end: usize, note: Note, marking: &mut Marking<'_>) {
        marking.ended = end;
        let pump = self.pumps.get_mut(direction);
        if !marking.all
            && note.is_plain()
            && let Ok(end) = u32::try_from(end)
        {
            marking.marks.plain.push(end);
        } else if marking.all || note != Note::default() {
            marking.marks.noted.push(Mark { end, frame: pump.frame, note, late: Duration::ZERO });
        }
        pump.frame += 1;
    }

    /// Takes in a frame whose head is there; what to say when it has been passed on, if its end is there too.
    pub(super) fn frame(&mut self, now: Time, direction: Direction, frame: &Frame<'_>) -> Option<Note> {
        self.look_for_will(direction, frame);
        self.look_at_form(direction, frame);
        let let_go = self.take_let_go(direction);
        let begun = Begun {
            publish: (frame.kind == PacketKind::Publish).then(|| self.publish(frame)).flatten(),
            message: self.look(direction, frame),
            packet: (self.asked(direction, frame.kind) && !let_go).then(|| self.read(direction, frame)),
        };
        if !frame.ended {
            self.pumps.get_mut(direction).begun = Some(Box::new(begun));
            return None;
        }
        let note = self.packet(now, direction, begun);
        let passing = note.passing.or_else(|| self.passing(direction, frame.kind, frame.head));
        Some(Note { acknowledges: self.acknowledges(direction, frame), passing, ..note })
    }

    /// Tells what is wrong with the form of a packet, each flaw once: a device may send nothing else.
    pub(super) fn look_at_form(&mut self, direction: Direction, frame: &Frame<'_>) {
        let Some(flaw) = self.version.and_then(|version| Flaw::of(direction, version, frame)) else { return };
        let (told, bit) = (self.flaws.get_mut(direction), flaw.bit());
        if *told & bit == 0 {
            *told |= bit;
            let (link, packet) = (self.id, frame.kind);
            self.core.tell(Input::Malformed { link, direction, packet, flaw });
        }
    }

    /// What of these bytes goes on with a PUBLISH whose head was there before.
    pub(super) fn feed(&mut self, direction: Direction, framer: &Framer, bytes: &[u8]) {
        let left = usize::try_from(framer.left()).unwrap_or(usize::MAX);
        self.books.sight.feed(direction, bytes.get(..left).unwrap_or(bytes));
    }

    /// A packet is there whole.
    pub(super) fn packet(&mut self, now: Time, direction: Direction, begun: Begun) -> Note {
        self.arrived(now, direction, begun.publish);
        let ticket = begun.packet.map(|packet| self.tell_packet(direction, packet));
        let passing = begun.message.map(|mut message| {
            self.looked(direction, &mut message);
            self.books.write_message(direction, message);
            Passing::of(direction, &message)
        });
        Note { ticket, passing, ..Note::default() }
    }

    pub(super) fn publish(&self, frame: &Frame<'_>) -> Option<Publish> {
        let qos = QoS::from_number(frame.first_byte >> 1 & 3)?;
        Some(Publish { qos, id: peek::packet_id(frame.kind, frame.first_byte, frame.head) })
    }

    pub(super) fn arrived(&mut self, now: Time, direction: Direction, publish: Option<Publish>) {
        let remark = self.meter.arrived(now, direction, publish);
        self.remark(direction, remark);
    }

    pub(super) fn remark(&self, direction: Direction, remark: Option<Remark>) {
        match remark {
            None => {}
            Some(Remark::FirstPublish) => self.core.tell(Input::FirstPublish { link: self.id, direction }),
            Some(Remark::KeepaliveExceeded(silence)) => {
                self.core.tell(Input::KeepaliveExceeded { link: self.id, silence });
            }
        }
    }

    pub(super) fn read(&mut self, direction: Direction, frame: &Frame<'_>) -> Packet {
        let packet = Packet::read(self.version, frame);
        if is_connect(&packet) {
            self.books.is_bridge = peek::is_bridge(frame.head);
        }
        self.learn(direction, &packet);
        packet
    }

    pub(super) fn tell_packet(&mut self, direction: Direction, packet: Packet) -> PacketTicket {
        let held = self.would_hold(direction);
        let connect = is_connect(&packet).then(|| packet.clone());
        let (ticket, verdict) =
            self.core.packet(self.id, &self.mailbox, direction, packet, Beside::default(), held);
        if let Some(connect) = connect {
            self.open_books(&connect);
        }
        if let Some(verdict) = verdict {
            self.refuse(&verdict, ticket.seq, "packets of this link are not followed");
        }
        ticket
    }

    /// Whether the engine is to be told of all packets of this kind.
    pub(super) fn asked(&self, direction: Direction, kind: PacketKind) -> bool {
        self.core.wants(kind) || self.asks.get(direction).kinds.has(kind)
    }

    /// Whether it is to be told of a PUBLISH with this topic name, an alias resolved.
    pub(super) fn asked_by_topic(&self, direction: Direction, topic: &[u8]) -> bool {
        let by_topic = &self.asks.get(direction).by_topic;
        !by_topic.is_empty() && self.core.filters().may_match(topic, by_topic)
    }

    /// Whether bytes of this direction would wait now.
    pub(super) fn would_hold(&self, direction: Direction) -> bool {
        let ready = self.legs.get(direction.to()).writing;
        self.pumps.get(direction).holds() || !ready
    }

    /// Keeps what later packets are read by.
    pub(super) fn learn(&mut self, direction: Direction, packet: &Packet) {
        let seconds = match (direction, packet) {
            (Direction::Up, Packet::Connect { version, keep_alive, will, .. }) => {
                self.version = Some(*version);
                self.leaves_will(will.as_ref());
                if let Some(framer) = self.pumps.down.inlet.framer() {
                    framer.set_version(*version);
                }
                *keep_alive
            }
            (Direction::Down, Packet::Connack { server_keep_alive: Some(seconds), .. }) => *seconds,
            (Direction::Up | Direction::Down, _) => return,
        };
        self.meter.set_keep_alive(Duration::from_secs(u64::from(seconds)));
    }

    /// The device leaves a will.
    fn leaves_will(&mut self, will: Option<&Will>) {
        if let Some(will) = will {
            self.core.wills().add(&will.topic);
        }
        self.wills.own = will.map(|will| will.topic.as_str().into());
    }

    /// Tells of a PUBLISH that may be a will.
    pub(super) fn look_for_will(&mut self, direction: Direction, frame: &Frame<'_>) {
        if frame.kind != PacketKind::Publish || !self.core.wills().any() {
            return;
        }
        let (link, version) = (self.id, self.version.unwrap_or(Version::V311));
        match direction {
            Direction::Up if self.wills.is_own(frame) => self.core.tell(Input::UsesWillTopic { link }),
            Direction::Up => {}
            Direction::Down => {
                if let Some((topic, retain, says)) = self.wills.will(self.core.wills(), version, frame) {
                    self.core.tell(Input::Published { link, topic, retain, says });
                }
            }
        }
    }

    pub(super) fn acknowledges(&self, direction: Direction, frame: &Frame<'_>) -> Option<u16> {
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
}

/// Whether it says whose its link is.
pub(super) fn is_connect(packet: &Packet) -> bool {
    matches!(packet, Packet::Connect { .. })
}
