//! Packets of every kind, generated.

use super::*;
use crate::base::Secret;
use crate::mqtt::kind::QoS;
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::wire::VARINT_MAX;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 äß日$]{1,12}"
}

pub fn qos() -> impl Strategy<Value = QoS> {
    prop::sample::select(QoS::ALL.to_vec())
}

pub fn filter() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a/b", "+/b", "a/#", "#", "ä/+/日", "$SYS/#", "$share/g/a/+"])
        .prop_map(str::to_owned)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..20)
}

/// Some of `all`, each at most once, in this order, with user properties behind; none before MQTT 5.
fn properties(version: Version, all: Vec<BoxedStrategy<Property>>) -> BoxedStrategy<Properties> {
    if version != V5 {
        return Just(Properties::NONE).boxed();
    }
    let some: Vec<_> = all.into_iter().map(option::of).collect();
    let users = vec((text(), text()).prop_map(Property::UserProperty), 0..3);
    (some, users)
        .prop_map(|(some, users)| Properties(some.into_iter().flatten().chain(users).collect()))
        .boxed()
}

macro_rules! props {
    ($($variant:ident($strategy:expr)),* $(,)?) => {
        vec![$($strategy.prop_map(Property::$variant).boxed()),*]
    };
}

pub fn connect(version: Version) -> BoxedStrategy<Packet> {
    let own = props![
        SessionExpiry(any::<u32>()),
        ReceiveMaximum(1u16..),
        MaximumPacketSize(1u32..),
        TopicAliasMaximum(any::<u16>()),
        RequestResponseInformation(0u8..2),
        RequestProblemInformation(0u8..2),
        AuthenticationMethod(text()),
        AuthenticationData(bytes()),
    ];
    let of_will = props![
        WillDelay(any::<u32>()),
        PayloadFormat(0u8..2),
        MessageExpiry(any::<u32>()),
        ContentType(text()),
        ResponseTopic(text()),
        CorrelationData(bytes()),
    ];
    let will = (text(), bytes(), qos(), any::<bool>(), properties(version, of_will)).prop_map(
        |(topic, payload, qos, retain, properties)| Will { topic, payload, qos, retain, properties },
    );
    let login = option::of((text(), text()));
    (any::<bool>(), any::<u16>(), properties(version, own), text(), option::of(will), login)
        .prop_map(move |(clean_start, keep_alive, properties, client_id, will, login)| {
            let (username, password) = login.unzip();
            let password = password.map(String::into_bytes).map(Secret);
            Packet::Connect(Connect {
                version,
                clean_start,
                keep_alive,
                properties,
                client_id,
                will,
                username,
                password,
            })
        })
        .boxed()
}

pub fn connack(version: Version) -> BoxedStrategy<Packet> {
    let own = props![
        SessionExpiry(any::<u32>()),
        ReceiveMaximum(1u16..),
        MaximumQos(0u8..2),
        RetainAvailable(0u8..2),
        MaximumPacketSize(1u32..),
        AssignedClientId(text()),
        TopicAliasMaximum(any::<u16>()),
        ReasonString(text()),
        WildcardSubscriptionAvailable(0u8..2),
        SubscriptionIdentifierAvailable(0u8..2),
        SharedSubscriptionAvailable(0u8..2),
        ServerKeepAlive(any::<u16>()),
        ResponseInformation(text()),
        ServerReference(text()),
        AuthenticationMethod(text()),
        AuthenticationData(bytes()),
    ];
    let code = if version == V5 { vec![0, 0x80, 0x87, 0x88, 0x97] } else { vec![0, 1, 2, 3, 4, 5] };
    (any::<bool>(), prop::sample::select(code), properties(version, own))
        .prop_map(move |(present, code, properties)| {
            let session_present = present && code == 0 && version != V31;
            Packet::Connack(Connack { session_present, code, properties })
        })
        .boxed()
}

pub fn publish(version: Version) -> BoxedStrategy<Packet> {
    let own = props![
        PayloadFormat(0u8..2),
        MessageExpiry(any::<u32>()),
        TopicAlias(1u16..),
        ResponseTopic(text()),
        CorrelationData(bytes()),
        SubscriptionIdentifier(1u32..=VARINT_MAX),
        ContentType(text()),
    ];
    // Long enough for remaining lengths of one, two and three bytes; `u16` lengths stay below 65,536.
    let payload = prop_oneof![vec(any::<u8>(), 1..200), vec(any::<u8>(), 16_300..16_500)];
    ((any::<bool>(), qos(), any::<bool>()), text(), 1u16.., properties(version, own), payload)
        .prop_map(|((dup, qos, retain), topic, id, properties, payload)| {
            let acknowledged = qos != QoS::AtMostOnce;
            let packet_id = acknowledged.then_some(id);
            Packet::Publish(Publish {
                dup: dup && acknowledged,
                qos,
                retain,
                topic,
                packet_id,
                properties,
                payload,
            })
        })
        .boxed()
}

pub fn ack(version: Version) -> BoxedStrategy<Packet> {
    type Build = fn(Ack) -> Packet;
    let kinds: Vec<(Build, u8)> = vec![
        (Packet::Puback, reason::QUOTA_EXCEEDED),
        (Packet::Pubrec, reason::NOT_AUTHORIZED),
        (Packet::Pubrel, reason::PACKET_IDENTIFIER_NOT_FOUND),
        (Packet::Pubcomp, reason::PACKET_IDENTIFIER_NOT_FOUND),
    ];
    (prop::sample::select(kinds), any::<bool>(), 1u16.., properties(version, props![ReasonString(text())]))
        .prop_map(move |((packet, code), failed, packet_id, properties)| {
            let reason = if failed && version == V5 { code } else { 0 };
            packet(Ack { packet_id, reason, properties })
        })
        .boxed()
}

pub fn subscribe(version: Version) -> BoxedStrategy<Packet> {
    let own = properties(version, props![SubscriptionIdentifier(1u32..=VARINT_MAX)]);
    let one = (filter(), qos(), any::<bool>(), any::<bool>(), 0u8..3).prop_map(
        move |(filter, qos, no_local, retain_as_published, retain_handling)| match version {
            V5 => Subscription {
                no_local: no_local && !filter.starts_with("$share"),
                filter,
                qos,
                retain_as_published,
                retain_handling,
            },
            V31 | V311 => Subscription::new(filter, qos),
        },
    );
    (1u16.., own, vec(one, 1..5))
        .prop_map(|(packet_id, properties, filters)| {
            Packet::Subscribe(Subscribe { packet_id, properties, filters })
        })
        .boxed()
}

pub fn suback(version: Version) -> BoxedStrategy<Packet> {
    let own = properties(version, props![ReasonString(text())]);
    let code = if version == V5 { vec![0, 1, 2, 0x87, 0x8f] } else { vec![0, 1, 2, 0x80] };
    (1u16.., own, vec(prop::sample::select(code), 1..5))
        .prop_map(|(packet_id, properties, codes)| Packet::Suback(Suback { packet_id, properties, codes }))
        .boxed()
}

pub fn unsubscribe(version: Version) -> BoxedStrategy<Packet> {
    (1u16.., properties(version, vec![]), vec(filter(), 1..5))
        .prop_map(|(packet_id, properties, filters)| {
            Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
        })
        .boxed()
}

pub fn unsuback(version: Version) -> BoxedStrategy<Packet> {
    let own = properties(version, props![ReasonString(text())]);
    (1u16.., own, vec(prop::sample::select(vec![0u8, 0x11, 0x87]), 1..5))
        .prop_map(move |(packet_id, properties, codes)| {
            let codes = if version == V5 { codes } else { Vec::new() };
            Packet::Unsuback(Suback { packet_id, properties, codes })
        })
        .boxed()
}

pub fn disconnect(version: Version) -> BoxedStrategy<Packet> {
    let own = props![SessionExpiry(any::<u32>()), ReasonString(text()), ServerReference(text())];
    let code = if version == V5 { vec![0, 4, 0x8d, 0x8e, 0x9c] } else { vec![0] };
    (prop::sample::select(code), properties(version, own))
        .prop_map(|(reason, properties)| Packet::Disconnect(Disconnect { reason, properties }))
        .boxed()
}

pub fn auth() -> BoxedStrategy<Packet> {
    let own = properties(V5, props![AuthenticationMethod(text()), AuthenticationData(bytes())]);
    own.prop_map(|properties| Packet::Auth(Auth { reason: 0x18, properties })).boxed()
}

/// Any packet that the version has.
pub fn any_packet(version: Version) -> BoxedStrategy<Packet> {
    let always = prop_oneof![
        connect(version),
        connack(version),
        publish(version),
        ack(version),
        subscribe(version),
        suback(version),
        unsubscribe(version),
        unsuback(version),
        disconnect(version),
        Just(Packet::Pingreq),
        Just(Packet::Pingresp),
    ];
    if version == V5 { prop_oneof![10 => always, 1 => auth()].boxed() } else { always.boxed() }
}
