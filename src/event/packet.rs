//! What an MQTT packet says, as far as rules and measures ask. Secrets are gone; payloads never get here.

use crate::azure;
use crate::base::Print;
use crate::base::text::{printable, redact};
use crate::fault::Edit;
use crate::mqtt::framer::Frame;
use crate::mqtt::{PacketKind, QoS, Version, peek};
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
        /// When the SAS token in its password expires, in seconds since 1970.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_expiry: Option<u64>,
        /// Its password, where that may have to be known again; nothing of it is written.
        #[serde(skip)]
        password: Option<Print>,
        /// Its password is that of the link before, where a rule gives links without a SAS token a lifetime.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        same_password: bool,
        /// The will that it leaves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        will: Option<Will>,
        /// What it asks of the session.
        #[serde(default, flatten)]
        terms: SessionTerms,
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
        /// What it says of the session.
        #[serde(default, flatten)]
        terms: SessionTerms,
    },
    /// PUBLISH, where a rule waits for one.
    Publish {
        /// The topic, its secrets taken out; empty where an alias stands for it.
        topic: String,
        /// 0 to 2.
        qos: u8,
        /// The DUP flag.
        dup: bool,
        /// The RETAIN flag.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retain: bool,
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

/// What CONNECT or CONNACK of MQTT 5 say of the session, for the direction that leads to their sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTerms {
    /// Session Expiry Interval, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_expiry: Option<u32>,
    /// Receive Maximum: how many messages of QoS 1 and 2 its sender takes at once; 65,535 where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_maximum: Option<u16>,
}

/// The will in a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Will {
    /// Its topic, secrets taken out.
    pub topic: String,
    /// 0 to 2.
    pub qos: u8,
    /// Will Delay Interval of MQTT 5, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<u32>,
    /// What it says; never in a log.
    #[serde(skip)]
    pub says: Option<Says>,
}

/// A payload, as far as it takes to tell it from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Says {
    length: u32,
    /// The first bytes, zeros behind a shorter one; absent where they were not all at hand.
    begins: Option<[u8; 16]>,
}

impl Says {
    /// Of a payload of so many bytes, of which these are at hand.
    pub fn of(length: u32, at_hand: &[u8]) -> Says {
        let mut begins = [0; 16];
        let known = usize::try_from(length).unwrap_or(usize::MAX).min(begins.len());
        let at_hand = at_hand.get(..known).map(|first| {
            begins[..known].copy_from_slice(first);
            begins
        });
        Says { length, begins: at_hand }
    }

    /// Whether it may be the same.
    pub fn may_be(self, other: Says) -> bool {
        let begins = self.begins.zip(other.begins);
        self.length == other.length && begins.is_none_or(|(one, other)| one == other)
    }
}

impl Packet {
    /// Reads what a frame says. `version` is that of the link's CONNECT; 3.1.1 where that is not known.
    pub fn read(version: Option<Version>, frame: &Frame<'_>) -> Packet {
        let version = version.unwrap_or(Version::V311);
        Packet::known(version, frame).unwrap_or_else(|| Packet::Unreadable { kind: frame.kind.word() })
    }

    /// What of it is passed on, by what [`What::Packet`](super::What::Packet) says of it: what a fault made of it, where one
    /// did; `None` where it goes no further.
    pub fn passed_on<'a>(&'a self, dropped: bool, passed: Option<&'a Packet>) -> Option<&'a Packet> {
        (!dropped).then(|| passed.unwrap_or(self))
    }

    /// Its type; of one that could not be read, as its fixed header says.
    pub fn kind(&self) -> Option<PacketKind> {
        Some(match self {
            Packet::Connect { .. } => PacketKind::Connect,
            Packet::Connack { .. } => PacketKind::Connack,
            Packet::Publish { .. } => PacketKind::Publish,
            Packet::Puback => PacketKind::Puback,
            Packet::Pubrec => PacketKind::Pubrec,
            Packet::Pubrel => PacketKind::Pubrel,
            Packet::Pubcomp => PacketKind::Pubcomp,
            Packet::Subscribe { .. } => PacketKind::Subscribe,
            Packet::Suback { .. } => PacketKind::Suback,
            Packet::Unsubscribe { .. } => PacketKind::Unsubscribe,
            Packet::Unsuback => PacketKind::Unsuback,
            Packet::Pingreq => PacketKind::Pingreq,
            Packet::Pingresp => PacketKind::Pingresp,
            Packet::Disconnect { .. } => PacketKind::Disconnect,
            Packet::Auth { .. } => PacketKind::Auth,
            Packet::Unreadable { kind } => return kind.parse().ok(),
        })
    }

    /// What it says once these fields of its are changed, as far as is kept of it. `version` is that of the link's CONNECT.
    #[must_use]
    pub fn edited(&self, edit: &Edit, version: Version) -> Packet {
        let mut packet = self.clone();
        match &mut packet {
            Packet::Connect { keep_alive, clean, .. } => {
                set(keep_alive, edit.keep_alive);
                set(clean, edit.clean);
            }
            Packet::Connack { session_present, code, server_keep_alive, .. } => {
                set(session_present, edit.session_present.filter(|_| version != Version::V31));
                set(code, edit.code);
                if version >= Version::V5 {
                    *server_keep_alive = edit.server_keep_alive.or(*server_keep_alive);
                }
            }
            Packet::Publish { qos, dup, retain, topic: _ } => {
                // At QoS 0 there is no DUP [MQTT-3.3.1-2].
                let falls = *qos > 0 && edit.qos == Some(QoS::AtMostOnce);
                set(qos, edit.qos.map(QoS::number));
                set(dup, edit.dup.or(falls.then_some(false)));
                set(retain, edit.retain);
            }
            Packet::Subscribe { id, filters: _ } => set(id, edit.packet_id),
            Packet::Suback { id, codes } => {
                set(id, edit.packet_id);
                codes.iter_mut().for_each(|code| set(code, edit.code));
            }
            Packet::Disconnect { reason } | Packet::Auth { reason } if version >= Version::V5 => {
                set(reason, edit.code);
            }
            Packet::Disconnect { .. }
            | Packet::Auth { .. }
            | Packet::Puback
            | Packet::Pubrec
            | Packet::Pubrel
            | Packet::Pubcomp
            | Packet::Unsubscribe { .. }
            | Packet::Unsuback
            | Packet::Pingreq
            | Packet::Pingresp
            | Packet::Unreadable { .. } => {}
        }
        packet
    }

    fn known(version: Version, frame: &Frame<'_>) -> Option<Packet> {
        let head = frame.head;
        Some(match frame.kind {
            PacketKind::Connect => connect(head)?,
            PacketKind::Connack => connack(version, head)?,
            PacketKind::Publish => {
                let view = peek::publish_view(version, frame.first_byte, head)?;
                Packet::Publish {
                    topic: shown(&view.topic),
                    qos: view.qos?.number(),
                    dup: view.dup,
                    retain: view.retain,
                }
            }
            PacketKind::Puback => Packet::Puback,
            PacketKind::Pubrec => Packet::Pubrec,
            PacketKind::Pubrel => Packet::Pubrel,
            PacketKind::Pubcomp => Packet::Pubcomp,
            PacketKind::Subscribe => {
                let view = peek::subscribe_view(version, head)?;
                let filters = view.filters.iter().map(|(filter, _)| shown(filter)).collect();
                Packet::Subscribe { id: view.packet_id, filters }
            }
            PacketKind::Suback => {
                let view = peek::suback_view(version, head)?;
                Packet::Suback { id: view.packet_id, codes: view.codes.to_vec() }
            }
            PacketKind::Unsubscribe => {
                let view = peek::unsubscribe_view(version, head)?;
                Packet::Unsubscribe { filters: view.filters.iter().map(|filter| shown(filter)).collect() }
            }
            PacketKind::Unsuback => Packet::Unsuback,
            PacketKind::Pingreq => Packet::Pingreq,
            PacketKind::Pingresp => Packet::Pingresp,
            PacketKind::Disconnect if version < Version::V5 => Packet::Disconnect { reason: 0 },
            PacketKind::Disconnect => Packet::Disconnect { reason: peek::reason_view(version, head)?.reason },
            PacketKind::Auth => Packet::Auth { reason: peek::reason_view(version, head)?.reason },
        })
    }
}

fn set<T>(field: &mut T, to: Option<T>) {
    if let Some(to) = to {
        *field = to;
    }
}

fn connect(head: &[u8]) -> Option<Packet> {
    let view = peek::connect_view(head)?;
    Some(Packet::Connect {
        version: view.version?,
        client_id: shown(&view.client_id),
        keep_alive: view.keep_alive,
        clean: view.clean_start,
        username: view.username.map(|name| shown(&name)),
        token_expiry: view.password.as_ref().and_then(|password| azure::token::expiry(password.0)),
        password: view.password.map(|password| Print::of(password.0)),
        same_password: false,
        will: view.will.map(|will| Will {
            topic: shown(&will.topic),
            qos: will.qos,
            delay: will.delay,
            says: u32::try_from(will.payload.len()).ok().map(|length| Says::of(length, will.payload)),
        }),
        terms: SessionTerms { session_expiry: view.session_expiry, receive_maximum: view.receive_maximum },
    })
}

fn connack(version: Version, head: &[u8]) -> Option<Packet> {
    let view = peek::connack_view(version, head)?;
    Some(Packet::Connack {
        session_present: view.session_present,
        code: view.code,
        server_keep_alive: view.server_keep_alive,
        assigned_client_id: view.assigned_client_id.map(|id| shown(&id)),
        terms: SessionTerms { session_expiry: view.session_expiry, receive_maximum: view.receive_maximum },
    })
}

/// Text of a peer's that may be shown and stored.
pub fn shown(text: &str) -> String {
    printable(&redact(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every field of an edit, at a packet that has it and in a version that has it, and where one of both has not.
    #[test]
    fn an_edit_changes_what_a_packet_has() {
        let all = Edit {
            keep_alive: Some(4),
            server_keep_alive: Some(5),
            clean: Some(false),
            session_present: Some(true),
            code: Some(0x87),
            packet_id: Some(9),
            dup: Some(true),
            qos: Some(QoS::ExactlyOnce),
            retain: Some(true),
        };
        let connect = |keep_alive, clean| Packet::Connect {
            version: Version::V5,
            client_id: "d".into(),
            keep_alive,
            clean,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: SessionTerms::default(),
        };
        let connack = |session_present, code, server_keep_alive| Packet::Connack {
            session_present,
            code,
            server_keep_alive,
            assigned_client_id: None,
            terms: SessionTerms::default(),
        };
        let publish = |qos, flag| Packet::Publish { topic: "t".into(), qos, dup: flag, retain: flag };
        let filters = vec!["a".to_owned()];
        let subscribe = |id| Packet::Subscribe { id, filters: filters.clone() };
        let disconnect = |reason| Packet::Disconnect { reason };
        let unreadable = || Packet::Unreadable { kind: "connack".into() };
        let cases = [
            (Version::V311, connect(60, true), connect(4, false)),
            (Version::V5, connack(false, 0, None), connack(true, 0x87, Some(5))),
            (Version::V311, connack(false, 0, None), connack(true, 0x87, None)),
            (Version::V31, connack(false, 0, None), connack(false, 0x87, None)),
            (Version::V311, publish(0, false), publish(2, true)),
            (Version::V5, subscribe(1), subscribe(9)),
            (
                Version::V311,
                Packet::Suback { id: 1, codes: vec![0, 1] },
                Packet::Suback { id: 9, codes: vec![0x87, 0x87] },
            ),
            (Version::V5, disconnect(0), disconnect(0x87)),
            (Version::V311, disconnect(0), disconnect(0)),
            (Version::V5, Packet::Puback, Packet::Puback),
            (Version::V5, unreadable(), unreadable()),
        ];
        for (version, packet, edited) in cases {
            assert_eq!(packet.edited(&Edit::default(), version), packet);
            assert_eq!(packet.edited(&all, version), edited, "{version:?}");
            assert_eq!(packet.kind(), edited.kind());
        }
        // At QoS 0 there is no DUP, unless that is what is asked for.
        for (dup, expected) in [(None, false), (Some(true), true)] {
            let Packet::Publish { dup: told, .. } = publish(1, true)
                .edited(&Edit { qos: Some(QoS::AtMostOnce), dup, ..Edit::default() }, Version::V311)
            else {
                panic!("a PUBLISH");
            };
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_payload_is_told_from_another_by_its_length_and_how_it_begins() {
        let long = b"0123456789abcdef";
        for (one, other, same) in [
            (Says::of(3, b"off"), Says::of(3, b"off"), true),
            (Says::of(3, b"off"), Says::of(2, b"on"), false),
            (Says::of(1, b"0"), Says::of(1, b"1"), false),
            (Says::of(0, b""), Says::of(0, b""), true),
            (Says::of(20, &long[..]), Says::of(20, &long[..15]), true),
            (Says::of(20, b"0123456789abcdeX"), Says::of(20, &long[..]), false),
            (Says::of(3, b"of"), Says::of(3, b"off"), true),
        ] {
            assert_eq!((one.may_be(other), other.may_be(one)), (same, same), "{one:?} {other:?}");
        }
    }
}
