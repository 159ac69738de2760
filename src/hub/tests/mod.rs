//! The pure hub in literal time.

mod azure;
mod connect;
mod hostile;
mod keep_alive;
mod messages;
mod sessions;
mod subscriptions;
mod tls;
mod wills;

use super::*;
use crate::base::Time;
use crate::mqtt::inlet::Inlet;
use crate::mqtt::packet::{Ack, Connack, Connect, Publish, Subscribe, Subscription, Will};
use crate::mqtt::{Packet, Properties, Property, QoS, Version, encode};
use std::collections::BTreeMap;

/// A hub with the other ends of its connections, at a time that the test sets.
struct Bench {
    hub: Hub,
    now: Time,
    ends: BTreeMap<u64, End>,
    log: Vec<HubEvent>,
}

/// The other end of a connection: what it was sent, and whether it was closed.
struct End {
    inlet: Inlet,
    version: Version,
    packets: Vec<Packet>,
    over: Option<Output>,
    reads: bool,
}

impl Bench {
    fn new(config: HubConfig) -> Bench {
        Bench { hub: Hub::new(config), now: Time::ZERO, ends: BTreeMap::new(), log: Vec::new() }
    }

    fn at(&mut self, now: Time) {
        self.now = now;
        self.hub.tick(now);
        self.drain();
    }

    fn open(&mut self, conn: u64, version: Version) {
        self.open_with(conn, version, false);
    }

    fn open_with(&mut self, conn: u64, version: Version, tls: bool) {
        let end = End { inlet: Inlet::new(usize::MAX), version, packets: vec![], over: None, reads: true };
        self.ends.insert(conn, end);
        self.input(Input::Opened { conn: ConnId(conn), peer: format!("peer-{conn}"), tls });
    }

    fn input(&mut self, input: Input<'_>) {
        self.hub.handle(self.now, input);
        self.drain();
    }

    fn raw(&mut self, conn: u64, bytes: &[u8]) {
        self.input(Input::Bytes { conn: ConnId(conn), bytes });
    }

    fn send(&mut self, conn: u64, packet: Packet) {
        let mut bytes = Vec::new();
        encode(&packet, self.ends[&conn].version, &mut bytes).unwrap();
        self.raw(conn, &bytes);
    }

    fn close(&mut self, conn: u64, how: HowClosed) {
        self.input(Input::Closed { conn: ConnId(conn), how });
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll() {
            match output {
                Output::Send { conn, bytes } => {
                    let end = self.ends.get_mut(&conn.0).unwrap();
                    assert_eq!(end.over, None, "nothing is sent after the end");
                    end.inlet.push(&bytes);
                    let version = end.version;
                    while let Some(packet) = end.inlet.next_packet(version).unwrap() {
                        end.packets.push(packet);
                    }
                    if end.reads {
                        self.hub.handle(self.now, Input::Written { conn, count: bytes.len() });
                    }
                }
                Output::Close { conn } | Output::Reset { conn } => {
                    self.ends.get_mut(&conn.0).unwrap().over = Some(output);
                }
                Output::Log(event) => self.log.push(event),
            }
        }
    }

    /// What the connection got since this was asked last.
    fn got(&mut self, conn: u64) -> Vec<Packet> {
        std::mem::take(&mut self.ends.get_mut(&conn).unwrap().packets)
    }

    /// The same, of which there is one.
    fn got_one(&mut self, conn: u64) -> Packet {
        let mut packets = self.got(conn);
        assert_eq!(packets.len(), 1, "{packets:?}");
        packets.remove(0)
    }

    /// The payloads of the messages in it, with `dup`, `retain` and the QoS where not 0.
    fn messages(&mut self, conn: u64) -> Vec<String> {
        self.got(conn)
            .into_iter()
            .filter_map(|packet| if let Packet::Publish(p) = packet { Some(show(&p)) } else { None })
            .collect()
    }

    fn is_open(&self, conn: u64) -> bool {
        self.ends[&conn].over.is_none()
    }

    /// Why the connection is over for the hub.
    fn departure(&self, conn: u64) -> Option<Departure> {
        self.log.iter().rev().filter(|event| event.conn == Some(ConnId(conn))).find_map(|event| match &event
            .what
        {
            HubSaw::Disconnected { why } => Some(why.clone()),
            _ => None,
        })
    }

    fn connect(&mut self, conn: u64, connect: Connect) -> Connack {
        self.open(conn, connect.version);
        self.send(conn, Packet::Connect(connect));
        match self.ends.get_mut(&conn).unwrap().packets.remove(0) {
            Packet::Connack(connack) => connack,
            other => panic!("{other:?}"),
        }
    }

    fn subscribe(&mut self, conn: u64, subscription: Subscription) -> Vec<u8> {
        self.subscribe_with(conn, subscription, Properties::NONE)
    }

    /// The codes of the SUBACK, which is the first packet got; retained messages are left to be got.
    fn subscribe_with(&mut self, conn: u64, subscription: Subscription, properties: Properties) -> Vec<u8> {
        self.send(
            conn,
            Packet::Subscribe(Subscribe { packet_id: 9, properties, filters: vec![subscription] }),
        );
        match self.ends.get_mut(&conn).unwrap().packets.remove(0) {
            Packet::Suback(suback) => suback.codes,
            other => panic!("{other:?}"),
        }
    }
}

fn show(p: &Publish) -> String {
    let mut text = String::from_utf8(p.payload.clone()).unwrap();
    text += if p.dup { " dup" } else { "" };
    text += if p.retain { " retain" } else { "" };
    if p.qos != QoS::AtMostOnce {
        text += &format!(" qos{} #{}", p.qos, p.packet_id.unwrap());
    }
    text
}

fn v311(client_id: &str) -> Connect {
    Connect {
        version: Version::V311,
        clean_start: true,
        keep_alive: 0,
        properties: Properties::NONE,
        client_id: client_id.into(),
        will: None,
        username: None,
        password: None,
    }
}

fn v5(client_id: &str) -> Connect {
    Connect { version: Version::V5, ..v311(client_id) }
}

/// A session that outlives its connections.
fn kept(mut connect: Connect) -> Connect {
    connect.clean_start = false;
    if connect.version == Version::V5 {
        connect.properties.0.push(Property::SessionExpiry(u32::MAX));
    }
    connect
}

fn publish(topic: &str, text: &str, qos: u8, packet_id: u16) -> Packet {
    let qos = QoS::from_number(qos).unwrap();
    let packet_id = (qos != QoS::AtMostOnce).then_some(packet_id);
    Packet::Publish(Publish {
        qos,
        topic: topic.into(),
        packet_id,
        payload: text.into(),
        ..Publish::default()
    })
}

fn retained(topic: &str, text: &str) -> Packet {
    Packet::Publish(Publish { retain: true, topic: topic.into(), payload: text.into(), ..Publish::default() })
}

fn sub(filter: &str, qos: u8) -> Subscription {
    Subscription::new(filter, QoS::from_number(qos).unwrap())
}

fn will(text: &str, delay: u32) -> Option<Will> {
    let properties = if delay == 0 { Properties::NONE } else { Properties(vec![Property::WillDelay(delay)]) };
    Some(Will { topic: "will".into(), payload: text.into(), qos: QoS::AtMostOnce, retain: false, properties })
}

fn ack(packet_id: u16) -> Ack {
    Ack::success(packet_id)
}
