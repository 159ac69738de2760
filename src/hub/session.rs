//! What the hub keeps for a client identifier, with or without a connection.

use super::io::ConnId;
use super::message::Delivery;
use crate::mqtt::Version;
use crate::mqtt::outbox::Outbox;
use crate::mqtt::packet::{Connect, Will};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// A session, in order of its making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SessionId(pub u64);

#[derive(Debug)]
pub(super) struct Session {
    pub client_id: String,
    pub conn: Option<ConnId>,
    pub lasts: Lasts,
    /// The topic filters, as they were asked for.
    pub filters: BTreeSet<String>,
    /// Messages of QoS 2 that were taken and not yet released [MQTT-4.3.3-2].
    pub received: BTreeSet<u16>,
    pub will: Option<Will>,
    /// The version of the twin's reported properties, from 1; of a hub that plays Azure IoT Hub.
    pub reported: u64,
    pub outbox: Outbox<Delivery>,
}

/// How long a session lasts without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasts {
    /// Not at all: clean session, or expiry interval 0 [MQTT-3.1.2-6; MQTT-3.1.2-23 in 5].
    AsTheConnection,
    After(Duration),
    /// Until the hub ends, or the device asks for a clean one.
    Forever,
}

impl Lasts {
    /// By the Session Expiry Interval of MQTT 5 (section 3.1.2.11.2).
    pub fn of_interval(seconds: u32) -> Lasts {
        match seconds {
            0 => Lasts::AsTheConnection,
            u32::MAX => Lasts::Forever,
            seconds => Lasts::After(Duration::from_secs(seconds.into())),
        }
    }

    pub fn of_connect(connect: &Connect) -> Lasts {
        match connect.version {
            Version::V5 => Lasts::of_interval(connect.properties.session_expiry().unwrap_or(0)),
            Version::V31 | Version::V311 if connect.clean_start => Lasts::AsTheConnection,
            Version::V31 | Version::V311 => Lasts::Forever,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: BTreeMap<SessionId, Session>,
    by_name: HashMap<String, SessionId>,
    made: u64,
}

impl Sessions {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn named(&self, client_id: &str) -> Option<SessionId> {
        self.by_name.get(client_id).copied()
    }

    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.by_id.get_mut(&id)
    }

    pub fn is_online(&self, id: SessionId) -> bool {
        self.get(id).is_some_and(|session| session.conn.is_some())
    }

    /// A new session; the name must be free.
    pub fn make(&mut self, client_id: &str) -> SessionId {
        self.made += 1;
        let id = SessionId(self.made);
        let session = Session {
            client_id: client_id.to_owned(),
            conn: None,
            lasts: Lasts::AsTheConnection,
            filters: BTreeSet::new(),
            received: BTreeSet::new(),
            will: None,
            reported: 1,
            outbox: Outbox::default(),
        };
        self.by_id.insert(id, session);
        self.by_name.insert(client_id.to_owned(), id);
        id
    }

    pub fn remove(&mut self, id: SessionId) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        self.by_name.remove(&session.client_id);
        Some(session)
    }

    /// A client identifier for a device that left it to the hub [MQTT-3.1.3-6]: free, and new each time.
    pub fn assign_name(&mut self) -> String {
        loop {
            self.made += 1;
            let name = format!("assigned-{}", self.made);
            if self.named(&name).is_none() {
                return name;
            }
        }
    }
}
