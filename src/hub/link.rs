//! One connection, as the hub knows it.

use super::session::SessionId;
use crate::base::Time;
use crate::mqtt::Version;
use crate::mqtt::inlet::Inlet;
use crate::mqtt::packet::{Connect, Publish};
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Link {
    pub inlet: Inlet,
    /// Known with CONNECT; 3.1.1 before.
    pub version: Version,
    pub stage: Stage,
    /// The keep-alive in force, in seconds; 0 is none.
    pub keep_alive: u16,
    pub last_packet: Time,
    /// Bytes given out and not yet reported as written.
    pub unsent: usize,
    /// Bytes of the largest packet that the device takes.
    pub max_packet: usize,
    aliases: BTreeMap<u16, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// CONNECT has not come.
    Greeting,
    /// CONNACK was given out.
    Up(SessionId),
}

impl Link {
    pub fn new(now: Time, max_inbound: usize) -> Link {
        Link {
            inlet: Inlet::new(max_inbound),
            version: Version::V311,
            stage: Stage::Greeting,
            keep_alive: 0,
            last_packet: now,
            unsent: 0,
            max_packet: usize::MAX,
            aliases: BTreeMap::new(),
        }
    }

    /// Takes over what CONNECT says about the connection itself.
    pub fn greet(&mut self, connect: &Connect, keep_alive: u16, session: SessionId) {
        self.version = connect.version;
        self.keep_alive = keep_alive;
        self.stage = Stage::Up(session);
        let most = connect.properties.maximum_packet_size();
        self.max_packet = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    }

    /// When the device has been silent for too long: one and a half keep-alives after its last packet
    /// [MQTT-3.1.2-24 in 3.1.1, MQTT-3.1.2-22 in 5].
    pub fn silent_at(&self) -> Option<Time> {
        let patience = Duration::from_millis(u64::from(self.keep_alive) * 1_500);
        (self.keep_alive > 0).then(|| self.last_packet + patience)
    }

    /// Puts the topic name in the place of its alias, or learns the alias. `false` if the alias is above `most`;
    /// a topic that is still empty then has an alias which was never set.
    pub fn resolve_alias(&mut self, publish: &mut Publish, most: u16) -> bool {
        let Some(alias) = publish.properties.topic_alias() else { return true };
        if alias > most {
            return false;
        }
        if publish.topic.is_empty() {
            publish.topic = self.aliases.get(&alias).cloned().unwrap_or_default();
        } else {
            self.aliases.insert(alias, publish.topic.clone());
        }
        true
    }
}
