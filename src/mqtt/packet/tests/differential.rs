//! Against mqttbytes 0.6, which shares no code and no author with ours.
//!
//! Each packet of ours is read by it and written again by it, and we read the result: equal packets mean that both
//! agree, both ways. Left out are its known faults: AUTH, v5 DISCONNECT and CONNACK without properties, packets
//! of 65,536 bytes and more, several subscription identifiers.

use super::samples;
use super::*;
use crate::mqtt::kind::QoS;
use crate::mqtt::property::Properties;
use mqttbytes::{v4, v5};
use proptest::prelude::*;

const MOST: usize = 60_000;

/// Writes any packet of theirs; their two versions have the same variants in two enums.
macro_rules! rewrite {
    ($version:ident, $packet:expr, $disconnect:pat => $written:expr) => {{
        let mut out = Default::default();
        match $packet {
            $version::Packet::Connect(packet) => packet.write(&mut out),
            $version::Packet::ConnAck(packet) => packet.write(&mut out),
            $version::Packet::Publish(packet) => packet.write(&mut out),
            $version::Packet::PubAck(packet) => packet.write(&mut out),
            $version::Packet::PubRec(packet) => packet.write(&mut out),
            $version::Packet::PubRel(packet) => packet.write(&mut out),
            $version::Packet::PubComp(packet) => packet.write(&mut out),
            $version::Packet::Subscribe(packet) => packet.write(&mut out),
            $version::Packet::SubAck(packet) => packet.write(&mut out),
            $version::Packet::Unsubscribe(packet) => packet.write(&mut out),
            $version::Packet::UnsubAck(packet) => packet.write(&mut out),
            $version::Packet::PingReq => $version::PingReq.write(&mut out),
            $version::Packet::PingResp => $version::PingResp.write(&mut out),
            $disconnect => $written.write(&mut out),
        }
        .unwrap();
        out.to_vec()
    }};
}

fn through_v4(bytes: &[u8]) -> Vec<u8> {
    let theirs = v4::read(&mut bytes.into(), MOST).unwrap();
    rewrite!(v4, theirs, v4::Packet::Disconnect => v4::Disconnect)
}

fn through_v5(bytes: &[u8]) -> Vec<u8> {
    let theirs = v5::read(&mut bytes.into(), MOST).unwrap();
    rewrite!(v5, theirs, v5::Packet::Disconnect(packet) => packet)
}

fn of_v4() -> impl Strategy<Value = Packet> {
    samples::any_packet(V311)
}

fn of_v5() -> impl Strategy<Value = Packet> {
    prop_oneof![
        samples::connect(V5),
        samples::connack(V5).prop_filter("their fault", |packet| !properties(packet).is_empty()),
        samples::publish(V5),
        samples::ack(V5),
        samples::subscribe(V5),
        samples::suback(V5),
        samples::unsubscribe(V5),
        samples::unsuback(V5),
        samples::disconnect(V5).prop_filter("their fault", |packet| !properties(packet).is_empty()),
    ]
}

fn properties(packet: &Packet) -> &Properties {
    match packet {
        Packet::Connack(packet) => &packet.properties,
        Packet::Disconnect(packet) => &packet.properties,
        other => panic!("{other:?}"),
    }
}

/// Their order of properties is their own: compare in the order of identifiers.
fn sorted(mut packet: Packet) -> Packet {
    let sort = |properties: &mut Properties| properties.0.sort_by_key(|property| property.id());
    match &mut packet {
        Packet::Connect(packet) => {
            sort(&mut packet.properties);
            packet.will.iter_mut().for_each(|will| sort(&mut will.properties));
        }
        Packet::Connack(packet) => sort(&mut packet.properties),
        Packet::Publish(packet) => sort(&mut packet.properties),
        Packet::Puback(packet)
        | Packet::Pubrec(packet)
        | Packet::Pubrel(packet)
        | Packet::Pubcomp(packet) => {
            sort(&mut packet.properties);
        }
        Packet::Subscribe(packet) => sort(&mut packet.properties),
        Packet::Suback(packet) | Packet::Unsuback(packet) => sort(&mut packet.properties),
        Packet::Unsubscribe(packet) => sort(&mut packet.properties),
        Packet::Disconnect(packet) => sort(&mut packet.properties),
        Packet::Auth(packet) => sort(&mut packet.properties),
        Packet::Pingreq | Packet::Pingresp => {}
    }
    packet
}

proptest! {
    #[test]
    fn v4_agrees_both_ways(packet in of_v4()) {
        prop_assert_eq!(read(V311, &through_v4(&written(&packet, V311))), Ok(packet));
    }

    #[test]
    fn v5_agrees_both_ways(packet in of_v5()) {
        let ours = written(&packet, V5);
        prop_assert_eq!(read(V5, &through_v5(&ours)).map(sorted), Ok(sorted(packet)));
    }

    #[test]
    fn fields_of_publish_mean_the_same(packet in samples::publish(V5)) {
        let v5::Packet::Publish(theirs) = v5::read(&mut written(&packet, V5).as_slice().into(), MOST).unwrap() else {
            panic!("not a PUBLISH");
        };
        let Packet::Publish(ours) = packet else { panic!("not a PUBLISH") };
        prop_assert_eq!((theirs.dup, theirs.retain, theirs.topic), (ours.dup, ours.retain, ours.topic));
        prop_assert_eq!((theirs.pkid, theirs.payload.to_vec()), (ours.packet_id.unwrap_or(0), ours.payload));
        prop_assert_eq!(theirs.properties.and_then(|p| p.topic_alias), ours.properties.topic_alias());
    }

    #[test]
    fn fields_of_connect_mean_the_same(packet in samples::connect(V5)) {
        let v5::Packet::Connect(theirs) = v5::read(&mut written(&packet, V5).as_slice().into(), MOST).unwrap() else {
            panic!("not a CONNECT");
        };
        let Packet::Connect(ours) = packet else { panic!("not a CONNECT") };
        prop_assert_eq!(
            (theirs.clean_session, theirs.keep_alive, theirs.client_id),
            (ours.clean_start, ours.keep_alive, ours.client_id)
        );
        prop_assert_eq!(theirs.properties.and_then(|p| p.session_expiry_interval), ours.properties.session_expiry());
        prop_assert_eq!(theirs.login.map(|login| login.username), ours.username);
        let (theirs, ours) = (theirs.last_will, ours.will);
        prop_assert_eq!(theirs.as_ref().map(|will| will.retain), ours.as_ref().map(|will| will.retain));
        let delay = theirs.and_then(|will| will.properties).and_then(|p| p.delay_interval);
        prop_assert_eq!(delay, ours.and_then(|will| will.properties.will_delay()));
    }

    #[test]
    fn fields_of_subscribe_mean_the_same(packet in samples::subscribe(V5)) {
        let v5::Packet::Subscribe(theirs) = v5::read(&mut written(&packet, V5).as_slice().into(), MOST).unwrap() else {
            panic!("not a SUBSCRIBE");
        };
        let Packet::Subscribe(ours) = packet else { panic!("not a SUBSCRIBE") };
        for (theirs, ours) in theirs.filters.into_iter().zip(ours.filters) {
            let handling = match theirs.retain_forward_rule {
                v5::RetainForwardRule::OnEverySubscribe => 0,
                v5::RetainForwardRule::OnNewSubscribe => 1,
                v5::RetainForwardRule::Never => 2,
            };
            let qos = match theirs.qos {
                mqttbytes::QoS::AtMostOnce => QoS::AtMostOnce,
                mqttbytes::QoS::AtLeastOnce => QoS::AtLeastOnce,
                mqttbytes::QoS::ExactlyOnce => QoS::ExactlyOnce,
            };
            prop_assert_eq!(
                (theirs.path, qos, theirs.nolocal, theirs.preserve_retain, handling),
                (ours.filter, ours.qos, ours.no_local, ours.retain_as_published, ours.retain_handling)
            );
        }
    }
}
