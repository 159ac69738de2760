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
    /// How long the device may be silent; `None`: for ever.
    pub patience: Option<Duration>,
    /// How often the hub looks whether it was, counted from the run's beginning; zero: at once.
    looks: Duration,
    /// Whether the hub's clock has whole seconds alone.
    pub whole_seconds: bool,
    pub last_packet: Time,
    /// Bytes given out and not yet reported as written.
    pub unsent: usize,
    /// Whether the device presented a certificate in the TLS handshake.
    pub certified: bool,
    /// Bytes of the largest packet that the device takes.
    pub max_packet: usize,
    aliases: BTreeMap<u16, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The TLS handshake is not done.
    Securing,
    /// CONNECT has not come.
    Greeting,
    /// CONNACK was given out.
    Up(SessionId),
}

impl Link {
    pub fn new(now: Time, max_inbound: usize, tls: bool) -> Link {
        Link {
            inlet: Inlet::new(max_inbound),
            version: Version::V311,
            stage: if tls { Stage::Securing } else { Stage::Greeting },
            patience: None,
            looks: Duration::ZERO,
            whole_seconds: false,
            last_packet: now,
            unsent: 0,
            certified: false,
            max_packet: usize::MAX,
            aliases: BTreeMap::new(),
        }
    }

    /// Takes over what CONNECT says about the connection itself.
    pub fn greet(
        &mut self,
        connect: &Connect,
        patience: Option<Duration>,
        looks: Duration,
        session: SessionId,
    ) {
        self.version = connect.version;
        self.patience = patience;
        self.looks = looks;
        self.stage = Stage::Up(session);
        let most = connect.properties.maximum_packet_size();
        self.max_packet = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    }

    /// When the hub sees that the device has been silent for too long.
    pub fn silent_at(&self) -> Option<Time> {
        self.patience.map(|patience| self.looked_at(self.heard_at() + patience))
    }

    /// When the hub believes that the last packet came.
    fn heard_at(&self) -> Time {
        let fraction = Duration::from_nanos(self.last_packet.elapsed().subsec_nanos().into());
        if self.whole_seconds { self.last_packet - fraction } else { self.last_packet }
    }

    /// The first look at `due` or after it.
    fn looked_at(&self, due: Time) -> Time {
        let every = self.looks.as_nanos();
        let late = u128::from(due.as_nanos()).checked_rem(every).filter(|&late| late > 0);
        late.map_or(due, |late| due + Duration::from_nanos(u64::try_from(every - late).unwrap_or(0)))
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
