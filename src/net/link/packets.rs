//! The packets among the bytes: found, counted, told, and marked where they end.

use super::Link;
use crate::base::{Direction, Time};
use crate::engine::{Input, PacketTicket};
use crate::event::Packet;
use crate::mqtt::framer::{Frame, Framer, Piece};
use crate::mqtt::{PacketKind, QoS, Version, peek};
use crate::net::pump::{Begun, Mark, Note};
use crate::session::Meter;
use crate::session::meter::{Publish, Remark};
use std::time::Duration;

impl Link {
    /// Finds the packets in what came, tells of them, and marks where they end.
    pub(super) fn scan(&mut self, now: Time, direction: Direction, bytes: &[u8], marks: &mut Vec<Mark>) {
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
    pub(super) fn frame(&mut self, now: Time, direction: Direction, frame: &Frame<'_>) -> Option<Note> {
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
    pub(super) fn packet(&mut self, now: Time, direction: Direction, begun: Begun) -> Note {
        self.arrived(now, direction, begun.publish);
        let ticket = begun.packet.map(|packet| self.tell_packet(direction, packet));
        Note { ticket, acknowledges: None }
    }

    pub(super) fn publish(&self, frame: &Frame<'_>) -> Option<Publish> {
        let qos = QoS::from_number(frame.first_byte >> 1 & 3)?;
        Some(Publish { qos, id: peek::packet_id(frame.kind, frame.first_byte, frame.head) })
    }

    pub(super) fn arrived(&mut self, now: Time, direction: Direction, publish: Option<Publish>) {
        match self.meter.arrived(now, direction, publish) {
            None => {}
            Some(Remark::FirstPublish) => self.core.tell(Input::FirstPublish { link: self.id, direction }),
            Some(Remark::KeepaliveExceeded(gap)) => {
                self.core.tell(Input::KeepaliveExceeded { link: self.id, gap });
            }
        }
    }

    pub(super) fn read(&mut self, direction: Direction, frame: &Frame<'_>) -> Packet {
        let packet = Packet::read(self.version, frame);
        self.learn(direction, &packet);
        packet
    }

    pub(super) fn tell_packet(&mut self, direction: Direction, packet: Packet) -> PacketTicket {
        let ready = self.legs.get(direction.to()).writing;
        let held = self.pumps.get(direction).holds() || !ready;
        self.core.packet(self.id, &self.mailbox, direction, packet, held)
    }

    /// Keeps what later packets are read by.
    pub(super) fn learn(&mut self, direction: Direction, packet: &Packet) {
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
