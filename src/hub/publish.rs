//! PUBLISH from a device or a will: taken once, retained if asked, given to all who want it.

use super::event::{Dropped, HubSaw};
use super::io::ConnId;
use super::machine::Hub;
use super::message::{Delivery, Message};
use super::session::SessionId;
use super::timers::Expires;
use super::topics::Wish;
use crate::mqtt::packet::{Ack, Publish, Will, reason};
use crate::mqtt::{Packet, Properties, Property, QoS, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Hub {
    pub(super) fn publish(&mut self, conn: ConnId, session: SessionId, mut publish: Publish) {
        let most = self.config.topic_alias_maximum;
        let Some(link) = self.links.get_mut(&conn) else { return };
        if !link.resolve_alias(&mut publish, most) {
            let text = format!("a topic alias above {most} [MQTT-3.3.2-9]");
            return self.fail(conn, reason::TOPIC_ALIAS_INVALID, text);
        }
        if publish.topic.is_empty() {
            return self.fail(conn, reason::PROTOCOL_ERROR, "a topic alias that was never set".into());
        }
        if publish.properties.subscription_identifier().is_some() {
            let text = "PUBLISH from a device with a subscription identifier [MQTT-3.3.4-6]";
            return self.fail(conn, reason::PROTOCOL_ERROR, text.into());
        }
        if self.config.azure.is_some() {
            return self.azure_publish(conn, session, &publish);
        }
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => {
                self.send(conn, &Packet::Puback(Ack::success(id)));
                self.accept(Some(session), publish);
            }
            (QoS::ExactlyOnce, Some(id)) => self.take_once(conn, session, id, publish),
            // The decoder gives identifiers to QoS 1 and 2 alone.
            (QoS::AtMostOnce, _) | (QoS::AtLeastOnce | QoS::ExactlyOnce, None) => {
                self.accept(Some(session), publish);
            }
        }
    }

    /// QoS 2: the first with its identifier is the message, those after it until PUBREL are not [MQTT-4.3.3-2].
    fn take_once(&mut self, conn: ConnId, session: SessionId, id: u16, publish: Publish) {
        let most = usize::from(self.config.receive_maximum.max(1));
        let version = self.links.get(&conn).map(|link| link.version);
        let Some(state) = self.sessions.get_mut(session) else { return };
        let is_new = !state.received.contains(&id);
        // Before MQTT 5 a device cannot know the bound; identifiers end at 65,535 anyway.
        if is_new && state.received.len() >= most && version == Some(Version::V5) {
            let text = format!("more than {most} messages of QoS 2 open [MQTT-3.3.4-9]");
            return self.fail(conn, reason::RECEIVE_MAXIMUM_EXCEEDED, text);
        }
        state.received.insert(id);
        self.send(conn, &Packet::Pubrec(Ack::success(id)));
        if is_new {
            self.accept(Some(session), publish);
        }
    }

    /// PUBREC: the device has the message; PUBREL lets it go on [MQTT-4.3.3-1].
    pub(super) fn pubrec(&mut self, conn: ConnId, session: SessionId, ack: &Ack) {
        let packet_id = ack.packet_id;
        if ack.reason >= reason::UNSPECIFIED_ERROR {
            return self.message_done(session, packet_id);
        }
        let known = self.sessions.get_mut(session).is_some_and(|session| session.outbox.received(packet_id));
        let code = if known { reason::SUCCESS } else { reason::PACKET_IDENTIFIER_NOT_FOUND };
        self.send(conn, &Packet::Pubrel(Ack { reason: code, ..Ack::success(packet_id) }));
    }

    /// PUBREL: the device will not send the message again [MQTT-4.3.3-2].
    pub(super) fn pubrel(&mut self, conn: ConnId, session: SessionId, packet_id: u16) {
        let known = self.sessions.get_mut(session).is_some_and(|session| session.received.remove(&packet_id));
        let code = if known { reason::SUCCESS } else { reason::PACKET_IDENTIFIER_NOT_FOUND };
        self.send(conn, &Packet::Pubcomp(Ack { reason: code, ..Ack::success(packet_id) }));
    }

    /// PUBACK or PUBCOMP: one more may go out.
    pub(super) fn message_done(&mut self, session: SessionId, packet_id: u16) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.outbox.done(packet_id);
        }
        self.flush(session);
    }

    /// Publishes the will that the session still has, if any [MQTT-3.1.2-8].
    pub(super) fn send_will(&mut self, id: SessionId) {
        self.timers.set(Expires::Will(id), None);
        let Some(will) = self.sessions.get_mut(id).and_then(|session| session.will.take()) else { return };
        self.log(None, Some(id), HubSaw::WillSent { topic: will.topic.clone() });
        self.accept(Some(id), of_will(will));
    }

    /// A message that the hub has taken: retain it if asked, and route it.
    fn accept(&mut self, from: Option<SessionId>, mut publish: Publish) {
        // Azure IoT Hub gives a will to the back end, as all of telemetry; nothing goes from device to device.
        if self.config.azure.is_some() {
            return;
        }
        let expiry = publish.properties.message_expiry();
        publish.properties.0.retain(goes_on);
        let expires = expiry.map(|seconds| self.now + Duration::from_secs(seconds.into()));
        let message = Arc::new(Message { publish, expires });
        if message.publish.retain && !self.retained.keep(&message, self.config.max_retained) {
            let topic = message.publish.topic.clone();
            self.log(None, from, HubSaw::Dropped { topic, why: Dropped::RetainedFull });
        }
        self.route(from, &message);
    }

    fn route(&mut self, from: Option<SessionId>, message: &Arc<Message>) {
        let sessions = &self.sessions;
        let found = self.topics.matching(&message.publish.topic, |id| sessions.is_online(id));
        let mut each: BTreeMap<SessionId, Delivery> = BTreeMap::new();
        for (id, wish) in found.each {
            if wish.no_local && from == Some(id) {
                continue; // [MQTT-3.8.3-3 in 5]
            }
            let fresh = || Delivery::live(message, wish);
            each.entry(id).and_modify(|delivery| delivery.merge(message, wish)).or_insert_with(fresh);
        }
        let shared = found.shared.into_iter().map(|(id, wish)| (id, Delivery::live(message, wish)));
        each.into_iter().chain(shared).for_each(|(id, delivery)| self.deliver(id, delivery));
    }
}

impl Delivery {
    /// A message that is published now, for one subscription [MQTT-3.3.1-9; MQTT-3.3.1-12, MQTT-3.3.1-13 in 5].
    fn live(message: &Arc<Message>, wish: Wish) -> Delivery {
        Delivery {
            message: Arc::clone(message),
            qos: wish.qos.min(message.publish.qos),
            retain: wish.retain_as_published && message.publish.retain,
            identifiers: wish.identifier.into_iter().collect(),
        }
    }

    /// Another subscription of the same session matches: one copy of the highest QoS, with all identifiers
    /// [MQTT-3.3.5-1; MQTT-3.3.4-2, MQTT-3.3.4-3 in 5].
    fn merge(&mut self, message: &Arc<Message>, wish: Wish) {
        let other = Delivery::live(message, wish);
        self.qos = self.qos.max(other.qos);
        self.retain |= other.retain;
        self.identifiers.extend(other.identifiers);
    }
}

/// The properties that go on unchanged to those who get the message (section 3.3.2.3); its expiry goes on less the
/// time that it waited.
fn goes_on(property: &Property) -> bool {
    matches!(
        property,
        Property::PayloadFormat(_)
            | Property::ContentType(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_)
            | Property::UserProperty(_)
    )
}

fn of_will(will: Will) -> Publish {
    Publish {
        dup: false,
        qos: will.qos,
        retain: will.retain,
        topic: will.topic,
        packet_id: None,
        properties: Properties(will.properties.0),
        payload: will.payload,
    }
}
