//! Retained messages: the last of each topic.

use super::message::Message;
use crate::base::Time;
use crate::mqtt::topic;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of topics, properties and payloads that all retained messages may hold together.
const MAX_BYTES: usize = 256 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Retained {
    by_topic: BTreeMap<String, Arc<Message>>,
    bytes: usize,
}

impl Retained {
    /// Keeps the message as the last of its topic; an empty one takes the last away [MQTT-3.3.1-5, MQTT-3.3.1-10].
    /// `false` if there is no room.
    pub fn keep(&mut self, message: &Arc<Message>, most: usize) -> bool {
        let topic = &message.publish.topic;
        if let Some(before) = self.by_topic.remove(topic) {
            self.bytes -= before.size();
        }
        if message.publish.payload.is_empty() {
            return true;
        }
        if self.by_topic.len() >= most || self.bytes + message.size() > MAX_BYTES {
            return false;
        }
        self.bytes += message.size();
        self.by_topic.insert(topic.clone(), Arc::clone(message));
        true
    }

    /// Those that match the filter and have not expired, by topic.
    pub fn matching(&self, filter: &str, now: Time) -> Vec<Arc<Message>> {
        let wanted = self
            .by_topic
            .iter()
            .filter(|(name, message)| topic::matches(filter, name) && message.is_alive(now));
        wanted.map(|(_, message)| Arc::clone(message)).collect()
    }
}
