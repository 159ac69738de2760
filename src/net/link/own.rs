//! Packets of brownout's own, put between two others.

use super::{Dial, Link};
use crate::base::{Direction, Side, WindowId};
use crate::engine::Input;
use crate::fault::{Alteration, Inject, Injection};
use crate::mqtt::packet::{Ack, Publish};
use crate::mqtt::property::Properties;
use crate::mqtt::{Packet, PacketKind, QoS, encode};
use crate::net::pump::{Inlet, Note};
use crate::net::surgery::reframe::put_frame;
use crate::net::surgery::{Own, Told};
use crate::session::ledger::Entry;

impl Link {
    /// Puts a packet of brownout's own between two others, as ordered.
    pub(super) fn inject(&mut self, window: WindowId, inject: &Inject) {
        let toward = inject.toward;
        match self.injection(inject) {
            Ok(bytes) => {
                let own = Own { bytes, told: Told::Injected { window, toward } };
                if let Some(theatre) = &mut self.pumps.get_mut(toward.other().sends()).theatre {
                    theatre.wait(own);
                }
            }
            Err(error) => {
                let error = error.to_owned();
                self.core.tell(Input::NotAltered { link: self.id, window: Some(window), seq: None, error });
            }
        }
    }

    fn injection(&self, inject: &Inject) -> Result<Vec<u8>, &'static str> {
        let leg = self.legs.get(inject.toward);
        let coming = inject.toward == Side::Hub && !self.is_dialled();
        if !coming && !leg.can_hear() && !leg.is_shaking() {
            return Err("that leg is gone");
        }
        let pump = self.pumps.get(inject.toward.other().sends());
        match &pump.inlet {
            Inlet::Mqtt(framer) if framer.is_opaque() => return Err("the stream is not MQTT"),
            Inlet::Mqtt(_) => {}
            Inlet::WebSocket(socket) if socket.walker.is_opaque() || socket.framer.is_opaque() => {
                return Err("the stream is not MQTT in WebSocket");
            }
            Inlet::WebSocket(_) => {}
            Inlet::Records(_) => return Err("TLS is passed through"),
        }
        if pump.theatre.is_none() {
            return Err("packets of this link are not followed");
        }
        let packet = match &inject.what {
            Injection::Raw(bytes) if bytes.is_empty() => return Err("there are no bytes to put in"),
            Injection::Raw(bytes) => return Ok(bytes.clone()),
            Injection::Pingreq => Packet::Pingreq,
            Injection::Pingresp => Packet::Pingresp,
            Injection::Ack { kind, packet_id } => ack(*kind, *packet_id)
                .ok_or("only PUBACK, PUBREC, PUBREL and PUBCOMP are acknowledgements")?,
            Injection::Publish { topic, payload, qos, retain, packet_id } => Packet::Publish(Publish {
                dup: false,
                qos: *qos,
                retain: *retain,
                topic: topic.clone(),
                packet_id: (*qos != QoS::AtMostOnce).then_some(*packet_id),
                properties: Properties::NONE,
                payload: payload.clone(),
            }),
        };
        self.encoded(&packet).ok_or("the packet cannot be written in the version of the link")
    }

    /// Puts the packets that wait into the lane, if it ends between two packets; and tells of those that never will be
    /// passed on.
    pub(super) fn put_in(&mut self, direction: Direction) -> bool {
        if self.pumps.get(direction).theatre.is_none() {
            return false;
        }
        let now = self.now();
        let beside = self.pumps.get(direction.to().sends()).lane.used();
        let pump = self.pumps.get_mut(direction);
        let Some(theatre) = &mut pump.theatre else { return false };
        if theatre.waiting.is_empty() && theatre.early.is_empty() && theatre.failed.is_empty() {
            return false;
        }
        let leg = self.legs.get(direction.to());
        let coming = (direction == Direction::Up && !matches!(self.dial, Dial::Done)) || leg.is_shaking();
        let between = match &pump.inlet {
            // Before the first bytes it is not known what the device speaks.
            Inlet::Mqtt(framer) => framer.is_between_frames() && self.sniff.is_done(),
            Inlet::WebSocket(socket) => theatre.reframer.is_open() && socket.framer.is_between_frames(),
            Inlet::Records(_) => false,
        };
        let is_opaque = match &pump.inlet {
            Inlet::Mqtt(framer) => framer.is_opaque(),
            Inlet::WebSocket(socket) => socket.walker.is_opaque() || socket.framer.is_opaque(),
            Inlet::Records(_) => true,
        };
        let framed = matches!(&pump.inlet, Inlet::WebSocket(_));
        // What waits for an end that hears no more would stand in the way of the direction's end.
        let never =
            is_opaque || pump.lane.is_finished() || theatre.surgeon.is_over() || !(coming || leg.can_hear());
        let mut moved = false;
        if never {
            theatre.give_up();
        } else if between {
            // Who does not read what it makes brownout say finds the lane full.
            while pump.lane.room(beside) > 0
                && let Some(own) = theatre.waiting.pop_front()
            {
                let bytes = if framed { in_frame(direction, &own.bytes) } else { own.bytes };
                pump.lane.push(now, &bytes, Some(Note { own: true, ..Note::default() }));
                theatre.sent.push_back(own.told);
                moved = true;
            }
        }
        for told in std::mem::take(&mut theatre.failed) {
            self.told(told, false);
        }
        moved
    }

    /// A packet of brownout's own was passed on.
    pub(super) fn own_passed(&mut self, direction: Direction) {
        let theatre = &mut self.pumps.get_mut(direction).theatre;
        if let Some(told) = theatre.as_mut().and_then(|theatre| theatre.sent.pop_front()) {
            self.told(told, true);
        }
    }

    fn told(&mut self, told: Told, passed: bool) {
        match told {
            Told::Injected { window, toward } if passed => {
                self.books.write(Entry::Meddled);
                self.core.tell(Input::Injected { link: self.id, window, toward });
            }
            Told::Injected { window, .. } => {
                let error = "that leg is gone, or no place between two packets came".to_owned();
                self.core.tell(Input::NotAltered { link: self.id, window: Some(window), seq: None, error });
            }
            Told::Acknowledged { seq, window, direction, id } => {
                if passed && direction == Direction::Up {
                    self.meter.forget(id);
                }
                if passed && window.is_some() {
                    self.books.write(Entry::FalselyAcknowledged { direction, id });
                }
                self.altered(direction, seq, window, Alteration::Dropped { acknowledged: passed });
            }
            Told::Silent => {}
        }
    }

    /// An acknowledgement of brownout's own. False where it will not go.
    pub(super) fn put_ack(&mut self, toward: Side, kind: PacketKind, id: u16, told: Told) -> bool {
        let bytes = ack(kind, id).and_then(|packet| self.encoded(&packet)).unwrap_or_default();
        let theatre = &mut self.pumps.get_mut(toward.other().sends()).theatre;
        theatre.as_mut().is_some_and(|theatre| theatre.acknowledge(toward, Own { bytes, told }))
    }

    fn encoded(&self, packet: &Packet) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        encode(packet, self.version?, &mut bytes).ok()?;
        Some(bytes)
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
fn ack(kind: PacketKind, id: u16) -> Option<Packet> {
    let ack = Ack::success(id);
    match kind {
        PacketKind::Puback => Some(Packet::Puback(ack)),
        PacketKind::Pubrec => Some(Packet::Pubrec(ack)),
        PacketKind::Pubrel => Some(Packet::Pubrel(ack)),
        PacketKind::Pubcomp => Some(Packet::Pubcomp(ack)),
        PacketKind::Connect
        | PacketKind::Connack
        | PacketKind::Publish
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

/// In a WebSocket frame of its own.
pub(super) fn in_frame(direction: Direction, bytes: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    put_frame(bytes, direction == Direction::Up, &mut framed);
    framed
}
