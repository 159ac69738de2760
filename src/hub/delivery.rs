//! Messages on their way out: what goes now, what waits, what is dropped.

use super::event::{Dropped, HubSaw};
use super::io::ConnId;
use super::machine::Hub;
use super::message::Delivery;
use super::session::SessionId;
use crate::mqtt::outbox::{Full, Sending, Waiting};
use crate::mqtt::packet::{Ack, Publish};
use crate::mqtt::{Packet, QoS, encode};

impl Hub {
    /// Gives a message to a session: QoS 0 now or never, others by way of the queue.
    pub(super) fn deliver(&mut self, id: SessionId, delivery: Delivery) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if delivery.qos != QoS::AtMostOnce {
            let topic = delivery.message.publish.topic.clone();
            let (most, bytes) = (self.config.max_queued, self.config.max_queued_bytes);
            let (size, expires) = (delivery.message.size(), delivery.message.expires);
            match session.outbox.push(self.now, Waiting { item: delivery, size, expires }, most, bytes) {
                Ok(()) => self.flush(id),
                Err(Full) => self.log(None, Some(id), HubSaw::Dropped { topic, why: Dropped::QueueFull }),
            }
        } else if let Some(conn) = session.conn {
            self.deliver_at_most_once(conn, id, &delivery);
        }
    }

    fn deliver_at_most_once(&mut self, conn: ConnId, id: SessionId, delivery: &Delivery) {
        let packet = delivery.packet(self.now, None, false);
        let sent =
            if self.has_room(conn) { self.send_publish(conn, packet) } else { Err(Dropped::OutputFull) };
        if let Err(why) = sent {
            let topic = delivery.message.publish.topic.clone();
            self.log(Some(conn), Some(id), HubSaw::Dropped { topic, why });
        }
    }

    /// Sends what the session's window and the connection's output bound allow.
    pub(super) fn flush(&mut self, id: SessionId) {
        while let Some(session) = self.sessions.get_mut(id)
            && let Some(conn) = session.conn
            && self.links.get(&conn).is_some_and(|link| link.unsent < self.config.output_limit)
            && let Some(sending) = session.outbox.next(self.now)
        {
            match sending {
                Sending::Pubrel { packet_id } => self.send(conn, &Packet::Pubrel(Ack::success(packet_id))),
                Sending::Publish { packet_id, dup, item: delivery } => {
                    let packet = delivery.packet(self.now, Some(packet_id), dup);
                    if let Err(why) = self.send_publish(conn, packet) {
                        self.give_up(id, packet_id, &delivery, why);
                    }
                }
            }
        }
    }

    /// A message that cannot go to this device counts as delivered [MQTT-3.1.2-25 in 5].
    fn give_up(&mut self, id: SessionId, packet_id: u16, delivery: &Delivery, why: Dropped) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.outbox.done(packet_id);
        }
        let topic = delivery.message.publish.topic.clone();
        self.log(None, Some(id), HubSaw::Dropped { topic, why });
    }

    fn has_room(&self, conn: ConnId) -> bool {
        self.links.get(&conn).is_some_and(|link| link.unsent < self.config.output_limit)
    }

    fn send_publish(&mut self, conn: ConnId, publish: Publish) -> Result<(), Dropped> {
        let Some(link) = self.links.get(&conn) else { return Ok(()) };
        let mut bytes = Vec::new();
        let encoded = encode(&Packet::Publish(publish), link.version, &mut bytes);
        if encoded.is_err() || bytes.len() > link.max_packet {
            return Err(Dropped::TooLarge);
        }
        self.send_bytes(conn, bytes);
        Ok(())
    }
}
