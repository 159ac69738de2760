//! The device's own traffic while its link is up: its session, its messages, its answers.

use super::event::{DeviceDid, Sign};
use super::machine::{Counts, Device, State};
use super::workload::Workload;
use crate::mqtt::outbox::{Full, Sending, Waiting};
use crate::mqtt::packet::{Ack, Connack, Publish, Subscribe, Subscription, reason};
use crate::mqtt::{Packet, Properties, QoS, Version};

/// Bytes that may wait to be written before a message of the workload is skipped, as a client whose socket is full
/// makes its application wait.
const OUTPUT_LIMIT: usize = 256 * 1024;

/// The packet identifier of SUBSCRIBE. Free: a device that subscribes does not publish.
const SUBSCRIBE_ID: u16 = 1;

impl Device {
    /// The session goes on, or begins anew: resend, or send as new [MQTT-4.4.0-1]. It subscribes unless the session
    /// that goes on has a SUBACK for it: an earlier process's session, or one lost before SUBACK, does not count.
    pub(super) fn begin_session(&mut self, connack: &Connack) {
        let theirs = connack.properties.receive_maximum().unwrap_or(u16::MAX);
        let window = self.habits.max_in_flight.min(theirs).max(1);
        // MQTT 3.1 cannot say whether the session goes on: its client takes that for granted, and subscribes again.
        let untold = self.habits.version == Version::V31;
        if connack.session_present || (untold && !self.habits.clean_session) {
            self.outbox.resume(window);
        } else {
            self.outbox.restart(window);
            self.received.clear();
        }
        self.subscribed &= connack.session_present;
        if !self.subscribed {
            self.subscribe();
        }
        if let Workload::Publishing { qos: from, .. } = self.habits.workload
            && let to = self.allowed(from)
            && to < from
        {
            self.log(DeviceDid::QosLowered { from, to });
        }
        self.flush();
    }

    /// The QoS of a message, or the most that the hub takes.
    fn allowed(&self, qos: QoS) -> QoS {
        match &self.state {
            State::Up(link) => qos.min(link.takes.qos),
            State::Waiting { .. } | State::Dialing { .. } | State::Greeting { .. } | State::Stopped => qos,
        }
    }

    fn subscribe(&mut self) {
        let Workload::Subscribing { filter, qos } = &self.habits.workload else { return };
        let filters = vec![Subscription::new(filter.clone(), *qos)];
        let properties = Properties::NONE;
        self.send(&Packet::Subscribe(Subscribe { packet_id: SUBSCRIBE_ID, properties, filters }));
    }

    /// A message of the workload is due: it is sent, or skipped where the link takes no more.
    pub(super) fn make_message(&mut self) {
        if let State::Up(link) = &mut self.state {
            link.published(self.now);
        }
        let Workload::Publishing { qos, times, .. } = self.habits.workload else { return };
        if times.is_some_and(|times| self.counts.made >= times) {
            return;
        }
        let qos = self.allowed(qos);
        if self.unsent >= OUTPUT_LIMIT || (qos != QoS::AtMostOnce && !self.outbox.is_open()) {
            return;
        }
        self.counts.made += 1;
        let number = self.counts.made;
        if qos == QoS::AtMostOnce {
            return self.send_message(number, None, false);
        }
        // It is open: the message goes out at once, and the queue is empty again.
        match self.outbox.push(self.now, Waiting { item: number, size: 0, expires: None }, 1, 0) {
            Ok(()) | Err(Full) => self.flush(),
        }
    }

    /// Sends what the window allows.
    fn flush(&mut self) {
        while let Some(sending) = self.outbox.next(self.now) {
            match sending {
                Sending::Pubrel { packet_id } => {
                    self.send(&Packet::Pubrel(Ack::success(packet_id)));
                }
                Sending::Publish { packet_id, dup, item } => self.send_message(item, Some(packet_id), dup),
            }
        }
    }

    fn send_message(&mut self, number: u64, packet_id: Option<u16>, dup: bool) {
        let Workload::Publishing { topic, qos, size, .. } = &self.habits.workload else { return };
        let payload = payload(&self.habits.client_id, number, *size);
        let (topic, qos) = (topic.clone(), self.allowed(*qos));
        let properties = Properties::NONE;
        // One that was under way to a hub that took more goes as this one takes it.
        let is_once = qos == QoS::AtMostOnce;
        let dup = dup && !is_once;
        let id = packet_id.filter(|_| !is_once);
        let publish = Publish { dup, qos, retain: false, topic, packet_id: id, properties, payload };
        let was_sent = self.send(&Packet::Publish(publish));
        if let Some(packet_id) = packet_id.filter(|_| is_once || !was_sent) {
            // Nobody will acknowledge it.
            self.outbox.done(packet_id);
        }
        if was_sent {
            self.counts.published += 1;
            self.log(DeviceDid::Published { total: self.counts.published, dup });
        }
    }

    /// What the hub sends on a link that is up.
    pub(super) fn link_packet(&mut self, packet: Packet) {
        match packet {
            Packet::Publish(publish) => self.take_message(publish.qos, publish.packet_id),
            Packet::Puback(ack) | Packet::Pubrec(ack) if ack.reason >= reason::UNSPECIFIED_ERROR => {
                self.message_done(ack, |_, code| DeviceDid::Rejected { code });
            }
            // Whatever it says: after PUBREC the hub has the message.
            Packet::Puback(ack) | Packet::Pubcomp(ack) => self.message_done(ack, |counts, _| {
                counts.acked += 1;
                DeviceDid::Acked { total: counts.acked }
            }),
            Packet::Pubrec(ack) => {
                self.outbox.received(ack.packet_id);
                self.send(&Packet::Pubrel(Ack::success(ack.packet_id)));
            }
            Packet::Pubrel(ack) => {
                self.received.remove(&ack.packet_id);
                self.send(&Packet::Pubcomp(Ack::success(ack.packet_id)));
            }
            Packet::Suback(suback) => {
                self.subscribed = suback.codes.iter().all(|&code| code < reason::UNSPECIFIED_ERROR);
                suback.codes.into_iter().for_each(|code| self.log(DeviceDid::Subscribed { code }));
            }
            Packet::Pingresp => {
                if let State::Up(link) = &mut self.state {
                    link.answered();
                }
            }
            Packet::Disconnect(disconnect) => self.notice(Sign::HubDisconnect { reason: disconnect.reason }),
            Packet::Unsuback(_) => {}
            Packet::Connect(_)
            | Packet::Connack(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::Pingreq
            | Packet::Auth(_) => self.broken(),
        }
    }

    fn take_message(&mut self, qos: QoS, packet_id: Option<u16>) {
        let is_new = match (qos, packet_id) {
            (QoS::ExactlyOnce, Some(id)) => {
                self.send(&Packet::Pubrec(Ack::success(id)));
                self.received.insert(id) // [MQTT-4.3.3-2]
            }
            (QoS::AtLeastOnce, Some(id)) => {
                self.send(&Packet::Puback(Ack::success(id)));
                true
            }
            // The decoder gives identifiers to QoS 1 and 2 alone.
            (QoS::AtMostOnce, _) | (QoS::AtLeastOnce | QoS::ExactlyOnce, None) => true,
        };
        if is_new {
            self.counts.received += 1;
            self.log(DeviceDid::Received { total: self.counts.received });
        }
    }

    fn message_done(&mut self, ack: Ack, told: impl FnOnce(&mut Counts, u8) -> DeviceDid) {
        if self.outbox.done(ack.packet_id) {
            let did = told(&mut self.counts, ack.reason);
            self.log(did);
        }
        self.flush();
    }
}

/// `client-id number`, filled up with dots: each message is one of a kind.
fn payload(client_id: &str, number: u64, size: usize) -> Vec<u8> {
    let mut payload = format!("{client_id} {number} ").into_bytes();
    payload.resize(size.max(payload.len()), b'.');
    payload
}
