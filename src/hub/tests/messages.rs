use super::*;
use crate::mqtt::packet::reason;
use std::time::Duration;

/// A publisher on connection 1 and a listener to everything, QoS 2, on connection 2; both MQTT 5.
fn bench(config: HubConfig) -> Bench {
    let mut bench = Bench::new(config);
    bench.connect(1, v5("source"));
    bench.connect(2, v5("listener"));
    bench.subscribe(2, sub("#", 2));
    bench
}

fn with(topic: &str, properties: Vec<Property>) -> Packet {
    let properties = Properties(properties);
    Packet::Publish(Publish { topic: topic.into(), properties, payload: b"m".into(), ..Publish::default() })
}

fn properties(packet: Packet) -> Vec<Property> {
    let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
    publish.properties.0
}

#[test]
fn qos_2_is_delivered_once_however_often_it_is_sent() {
    let mut bench = bench(HubConfig::default());
    for dup in [false, true, true] {
        let Packet::Publish(message) = publish("a", "once", 2, 7) else { panic!() };
        bench.send(1, Packet::Publish(Publish { dup, ..message }));
        assert_eq!(bench.got_one(1), Packet::Pubrec(ack(7)));
    }
    assert_eq!(bench.messages(2), ["once qos2 #1"]);
    for code in [reason::SUCCESS, reason::PACKET_IDENTIFIER_NOT_FOUND] {
        bench.send(1, Packet::Pubrel(ack(7)));
        assert_eq!(bench.got_one(1), Packet::Pubcomp(Ack { reason: code, ..ack(7) }));
    }
    bench.send(1, publish("a", "another", 2, 7));
    assert_eq!(bench.messages(2), ["another qos2 #2"]);
}

#[test]
fn qos_2_outbound_takes_its_four_steps() {
    let mut bench = bench(HubConfig::default());
    bench.send(1, publish("a", "m", 2, 1));
    bench.got(2);
    for _ in 0..2 {
        bench.send(2, Packet::Pubrec(ack(1)));
        assert_eq!(bench.got_one(2), Packet::Pubrel(ack(1)), "a PUBREC again is answered again");
    }
    bench.send(2, Packet::Pubcomp(ack(1)));
    bench.send(2, Packet::Pubrec(ack(1)));
    let unknown = Ack { reason: reason::PACKET_IDENTIFIER_NOT_FOUND, ..ack(1) };
    assert_eq!(bench.got_one(2), Packet::Pubrel(unknown));
}

#[test]
fn no_more_are_under_way_than_the_receive_maximum() {
    let mut bench = bench(HubConfig::default());
    let properties = Properties(vec![Property::ReceiveMaximum(2)]);
    bench.connect(3, Connect { properties, ..v5("narrow") });
    bench.subscribe(3, sub("a", 1));
    (1..=4).for_each(|id| bench.send(1, publish("a", &format!("m{id}"), 1, id)));
    assert_eq!(bench.messages(3), ["m1 qos1 #1", "m2 qos1 #2"]);
    bench.send(1, publish("a", "zero", 0, 0));
    assert_eq!(bench.messages(3), ["zero"], "QoS 0 is not held back");
    bench.send(3, Packet::Puback(ack(2)));
    assert_eq!(bench.messages(3), ["m3 qos1 #3"]);
}

#[test]
fn a_device_that_exceeds_the_hubs_receive_maximum_is_closed() {
    let mut bench = bench(HubConfig { receive_maximum: 2, ..HubConfig::default() });
    (1..=2).for_each(|id| bench.send(1, publish("a", "m", 2, id)));
    assert!(bench.is_open(1));
    bench.send(1, publish("a", "m", 2, 3));
    let Some(Departure::ProtocolError { reason: code, .. }) = bench.departure(1) else { panic!() };
    assert_eq!(code, reason::RECEIVE_MAXIMUM_EXCEEDED);
}

#[test]
fn a_device_gets_no_packet_larger_than_it_takes() {
    let mut bench = bench(HubConfig::default());
    let properties = Properties(vec![Property::MaximumPacketSize(20)]);
    bench.connect(3, Connect { properties, ..v5("small") });
    bench.subscribe(3, sub("a", 1));
    // 2 + 3 of topic + 2 of identifier + 1 of properties leaves 12.
    bench.send(1, publish("a", &"x".repeat(13), 1, 1));
    bench.send(1, publish("a", &"y".repeat(12), 1, 2));
    assert_eq!(bench.messages(3), ["yyyyyyyyyyyy qos1 #2"]);
    assert!(bench.log.iter().any(|e| matches!(e.what, HubSaw::Dropped { why: Dropped::TooLarge, .. })));
}

#[test]
fn a_device_that_takes_no_answer_of_the_size_it_needs_is_closed() {
    let mut bench = bench(HubConfig::default());
    let with_most =
        |most| Connect { properties: Properties(vec![Property::MaximumPacketSize(most)]), ..v5("small") };
    bench.open(3, Version::V5);
    bench.send(3, Packet::Connect(with_most(8)));
    // The farewell is of three bytes.
    let Packet::Disconnect(farewell) = bench.got_one(3) else { panic!() };
    assert_eq!(farewell.reason, reason::PACKET_TOO_LARGE);
    bench.connect(4, with_most(20));
    let filters =
        |count| (0..count).map(|number| Subscription::new(format!("f/{number}"), QoS::AtMostOnce)).collect();
    let subscribe = |count| {
        Packet::Subscribe(Subscribe { packet_id: 9, properties: Properties::NONE, filters: filters(count) })
    };
    // 2 + 2 of identifier + 1 of properties leaves 15.
    bench.send(4, subscribe(15));
    assert!(matches!(bench.got_one(4), Packet::Suback(_)));
    bench.send(4, subscribe(16));
    assert!(matches!(bench.got_one(4), Packet::Disconnect(_)));
    let Some(Departure::ProtocolError { text, .. }) = bench.departure(4) else { panic!() };
    assert_eq!(text, "its Maximum Packet Size, 20, is less than the 21 bytes of SUBACK [MQTT-3.1.2-24]");
    bench.open(5, Version::V5);
    bench.send(5, Packet::Connect(with_most(2)));
    assert!(!bench.is_open(5) && bench.got(5).is_empty());
}

#[test]
fn topic_aliases_are_learnt_used_and_bounded() {
    let mut bench = bench(HubConfig { topic_alias_maximum: 2, ..HubConfig::default() });
    bench.send(1, with("a/b", vec![Property::TopicAlias(2)]));
    bench.send(1, with("", vec![Property::TopicAlias(2)]));
    for packet in bench.got(2) {
        let Packet::Publish(publish) = packet else { panic!() };
        assert_eq!((publish.topic.as_str(), publish.properties.0.len()), ("a/b", 0));
    }
    for (conn, topic, alias, code) in
        [(3, "", 1, reason::PROTOCOL_ERROR), (4, "a", 3, reason::TOPIC_ALIAS_INVALID)]
    {
        bench.connect(conn, v5(&format!("d{conn}")));
        bench.send(conn, with(topic, vec![Property::TopicAlias(alias)]));
        let Some(Departure::ProtocolError { reason, .. }) = bench.departure(conn) else { panic!() };
        assert_eq!(reason, code);
    }
}

#[test]
fn what_goes_on_with_a_message_and_what_does_not() {
    let mut bench = bench(HubConfig::default());
    let user = |name: &str| Property::UserProperty((name.into(), "v".into()));
    let passed = vec![
        Property::PayloadFormat(1),
        user("b"),
        Property::ContentType("t".into()),
        user("a"),
        Property::ResponseTopic("r".into()),
        Property::CorrelationData(vec![1]),
    ];
    let mut sent = passed.clone();
    sent.insert(1, Property::TopicAlias(1));
    bench.send(1, with("a", sent));
    assert_eq!(properties(bench.got_one(2)), passed, "in their order");
    bench.connect(3, v5("bad"));
    bench.send(3, with("a", vec![Property::SubscriptionIdentifier(1)]));
    assert!(!bench.is_open(3));
}

#[test]
fn the_expiry_of_a_message_runs_while_it_waits() {
    for (at, expected) in [
        (Time::from_secs(4), Some(vec![Property::MessageExpiry(6)])),
        (Time::from_secs(10) - Duration::from_nanos(1), Some(vec![Property::MessageExpiry(1)])),
        (Time::from_secs(10), None),
    ] {
        let mut bench = bench(HubConfig::default());
        bench.connect(3, kept(v5("away")));
        bench.subscribe(3, sub("a", 1));
        bench.close(3, HowClosed::Fin);
        let Packet::Publish(message) = publish("a", "m", 1, 1) else { panic!() };
        let properties_of = Properties(vec![Property::MessageExpiry(10)]);
        bench.send(1, Packet::Publish(Publish { properties: properties_of, ..message }));
        bench.at(at);
        bench.connect(4, kept(v5("away")));
        assert_eq!(bench.got(4).pop().map(properties), expected);
    }
}

#[test]
fn a_device_that_does_not_read_loses_qos_0_then_waits_then_is_cut_off() {
    let config = HubConfig { output_limit: 1_000, max_packet: 2_000, ..HubConfig::default() };
    let mut bench = bench(config);
    bench.ends.get_mut(&2).unwrap().reads = false;
    let text = "x".repeat(600);
    (0..3).for_each(|_| bench.send(1, publish("a", &text, 0, 0)));
    assert_eq!(bench.got(2).len(), 2);
    assert!(bench.log.iter().any(|e| matches!(e.what, HubSaw::Dropped { why: Dropped::OutputFull, .. })));
    bench.send(1, publish("a", "waits", 1, 1));
    assert_eq!(bench.got(2).len(), 0);
    bench.input(Input::Written { conn: ConnId(2), count: 700 });
    assert_eq!(bench.messages(2), ["waits qos1 #1"]);
    let pings = [0xc0, 0].repeat(ANSWER_ROOM / 2 + 2_000);
    bench.raw(2, &pings);
    assert_eq!(bench.departure(2), Some(Departure::TooSlow));
    assert_eq!(bench.ends[&2].over, Some(Output::Reset { conn: ConnId(2) }));
}
