//! A message, as it was published and as it goes to one session.

use crate::base::Time;
use crate::mqtt::packet::Publish;
use crate::mqtt::{Property, QoS};
use std::sync::Arc;
use std::time::Duration;

/// A message as it was published, shared by all who get it.
#[derive(Debug)]
pub(super) struct Message {
    /// As it came, but for what does not go on: packet identifier, DUP, topic alias, expiry.
    pub publish: Publish,
    pub expires: Option<Time>,
}

/// A message on its way to one session.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub message: Arc<Message>,
    pub qos: QoS,
    pub retain: bool,
    pub identifiers: Vec<u32>,
}

impl Message {
    /// About how many bytes of memory it takes.
    pub fn size(&self) -> usize {
        let publish = &self.publish;
        publish.topic.len() + publish.properties.held() + publish.payload.len()
    }

    /// Whether its expiry has not come [MQTT-3.3.2-5 in 5].
    pub fn is_alive(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl Delivery {
    /// The packet for an MQTT 5 device; older versions leave the properties away. What is left of the message's
    /// expiry goes with it [MQTT-3.3.2-6].
    pub fn packet(&self, now: Time, packet_id: Option<u16>, dup: bool) -> Publish {
        let publish = self.message.publish.clone();
        let mut publish = Publish { dup, qos: self.qos, retain: self.retain, packet_id, ..publish };
        if let Some(expires) = self.message.expires {
            let left = expires.since(now).max(Duration::from_secs(1)).as_secs();
            publish.properties.0.push(Property::MessageExpiry(u32::try_from(left).unwrap_or(u32::MAX)));
        }
        let identifiers = self.identifiers.iter().copied().map(Property::SubscriptionIdentifier);
        publish.properties.0.extend(identifiers);
        publish
    }
}
