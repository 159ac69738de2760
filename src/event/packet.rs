//! What an MQTT packet says, as far as rules and measures ask. Secrets are gone; payloads never get here.

use crate::mqtt::Version;
use serde::{Deserialize, Serialize};

/// An MQTT packet. `packet` in JSON is its name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "packet", rename_all = "snake_case")]
pub enum Packet {
    /// CONNECT.
    Connect {
        /// The protocol version asked for.
        version: Version,
        /// The client identifier; empty where the device leaves it to the hub.
        client_id: String,
        /// The keep-alive asked for, in seconds; 0 for none.
        keep_alive: u16,
        /// Clean Session, or Clean Start in MQTT 5.
        clean: bool,
        /// The user name, its secrets taken out.
        username: Option<String>,
    },
    /// CONNACK.
    Connack {
        /// Session Present.
        session_present: bool,
        /// The return code or reason code; 0 is accepted.
        code: u8,
        /// The Server Keep Alive that replaces the device's [MQTT-3.2.2-21], in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server_keep_alive: Option<u16>,
        /// The client identifier that the hub assigned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assigned_client_id: Option<String>,
    },
    /// PUBLISH, where a rule waits for one.
    Publish {
        /// The topic, its secrets taken out; empty where an alias stands for it.
        topic: String,
        /// 0 to 2.
        qos: u8,
        /// The DUP flag.
        dup: bool,
    },
    /// PUBACK, where a rule waits for one.
    Puback,
    /// PUBREC, where a rule waits for one.
    Pubrec,
    /// PUBREL, where a rule waits for one.
    Pubrel,
    /// PUBCOMP, where a rule waits for one.
    Pubcomp,
    /// SUBSCRIBE.
    Subscribe {
        /// Its packet identifier.
        id: u16,
        /// The topic filters.
        filters: Vec<String>,
    },
    /// SUBACK.
    Suback {
        /// The packet identifier it answers.
        id: u16,
        /// One code a filter; 0x80 and above is refused.
        codes: Vec<u8>,
    },
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// The topic filters.
        filters: Vec<String>,
    },
    /// UNSUBACK.
    Unsuback,
    /// PINGREQ.
    Pingreq,
    /// PINGRESP.
    Pingresp,
    /// DISCONNECT.
    Disconnect {
        /// The reason code; 0 (normal) before MQTT 5.
        reason: u8,
    },
    /// AUTH.
    Auth {
        /// The reason code.
        reason: u8,
    },
    /// A packet whose contents could not be read; it is passed on all the same.
    Unreadable {
        /// The name of its kind.
        kind: String,
    },
}
