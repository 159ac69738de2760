use super::*;
use crate::mqtt::packet::{Disconnect, reason};
use std::time::Duration;

#[test]
fn a_kept_session_brings_what_was_missed_in_order() {
    for connect in [kept(v311("d")), kept(v5("d")), kept(Connect { version: Version::V31, ..v311("d") })] {
        let mut bench = Bench::new(HubConfig::default());
        assert!(!bench.connect(1, connect.clone()).session_present);
        bench.subscribe(1, sub("a", 2));
        bench.close(1, HowClosed::Reset);
        bench.connect(2, v311("source"));
        for (id, qos) in [(1, 1), (2, 0), (3, 2)] {
            bench.send(2, publish("a", &format!("m{id}"), qos, id));
        }
        let present = bench.connect(3, connect.clone()).session_present;
        assert_eq!(present, connect.version != Version::V31, "MQTT 3.1 cannot say it");
        assert_eq!(bench.messages(3), ["m1 qos1 #1", "m3 qos2 #2"], "QoS 0 does not wait");
    }
}

#[test]
fn what_is_not_acknowledged_comes_again_with_dup_and_the_same_identifier() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, kept(v311("d")));
    bench.subscribe(1, sub("a", 2));
    bench.connect(2, v311("source"));
    for (id, qos) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
        bench.send(2, publish("a", &format!("m{id}"), qos, id));
    }
    assert_eq!(bench.messages(1), ["m1 qos1 #1", "m2 qos1 #2", "m3 qos2 #3", "m4 qos2 #4"]);
    bench.send(1, Packet::Puback(ack(1)));
    bench.send(1, Packet::Pubrec(ack(3)));
    assert_eq!(bench.got_one(1), Packet::Pubrel(ack(3)));
    bench.close(1, HowClosed::Reset);
    bench.connect(3, kept(v311("d")));
    let got = bench.got(3);
    assert_eq!(got[1], Packet::Pubrel(ack(3)), "PUBREL in its place");
    bench.ends.get_mut(&3).unwrap().packets = got;
    assert_eq!(bench.messages(3), ["m2 dup qos1 #2", "m4 dup qos2 #4"]);
}

#[test]
fn nothing_is_sent_again_on_a_live_link() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, kept(v5("d")));
    bench.subscribe(1, sub("a", 1));
    bench.connect(2, v311("source"));
    bench.send(2, publish("a", "m", 1, 1));
    assert_eq!(bench.messages(1).len(), 1);
    bench.at(Time::from_secs(100_000));
    assert_eq!(bench.messages(1).len(), 0);
}

#[test]
fn a_clean_session_forgets_and_is_forgotten() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, kept(v311("d")));
    bench.subscribe(1, sub("a", 1));
    assert!(!bench.connect(2, v311("d")).session_present);
    bench.send(2, publish("a", "m", 0, 0));
    assert_eq!(bench.messages(2), [""; 0], "the subscription went with the session");
    bench.close(2, HowClosed::Fin);
    assert!(!bench.connect(3, kept(v311("d"))).session_present);
    assert!(bench.log.iter().any(|event| event.what == HubSaw::SessionEnded));
}

#[test]
fn an_mqtt_5_session_expires_to_the_nanosecond() {
    for (at, present) in
        [(Time::from_secs(107) - Duration::from_nanos(1), true), (Time::from_secs(107), false)]
    {
        let mut bench = Bench::new(HubConfig::default());
        let properties = Properties(vec![Property::SessionExpiry(7)]);
        bench.connect(1, Connect { clean_start: false, properties, ..v5("d") });
        bench.at(Time::from_secs(100));
        bench.close(1, HowClosed::Fin);
        bench.at(at);
        assert_eq!(bench.connect(2, kept(v5("d"))).session_present, present);
        bench.at(Time::from_secs(1_000_000));
        assert!(bench.is_open(2), "a session with a connection does not expire");
    }
}

#[test]
fn disconnect_may_change_the_expiry_but_not_begin_one() {
    let with = |seconds| {
        let properties = Properties(vec![Property::SessionExpiry(seconds)]);
        Packet::Disconnect(Disconnect { reason: 0, properties })
    };
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, kept(v5("d")));
    bench.send(1, with(0));
    assert!(!bench.connect(2, kept(v5("d"))).session_present);
    bench.connect(3, v5("e"));
    bench.send(3, with(5));
    let Some(Departure::ProtocolError { reason: code, .. }) = bench.departure(3) else { panic!() };
    assert_eq!(code, reason::PROTOCOL_ERROR);
}

#[test]
fn a_full_queue_refuses_the_newest_and_says_so() {
    let mut bench = Bench::new(HubConfig { max_queued: 2, ..HubConfig::default() });
    bench.connect(1, kept(v311("d")));
    bench.subscribe(1, sub("a", 1));
    bench.close(1, HowClosed::Fin);
    bench.connect(2, v311("source"));
    (1..=3).for_each(|id| bench.send(2, publish("a", &format!("m{id}"), 1, id)));
    let why = Dropped::QueueFull;
    let topic = "a".to_owned();
    assert_eq!(bench.log.last().unwrap().what, HubSaw::Dropped { topic, why });
    bench.connect(3, kept(v311("d")));
    assert_eq!(bench.messages(3), ["m1 qos1 #1", "m2 qos1 #2"]);
}

#[test]
fn the_properties_of_a_message_fill_the_queue_as_its_payload_does() {
    let mut bench = Bench::new(HubConfig { max_queued_bytes: 1_000, ..HubConfig::default() });
    bench.connect(1, kept(v5("d")));
    bench.subscribe(1, sub("a", 1));
    bench.close(1, HowClosed::Fin);
    bench.connect(2, v5("source"));
    for (packet_id, count) in [(1, 0), (2, 100)] {
        let Packet::Publish(message) = publish("a", "m", 1, packet_id) else { panic!() };
        let properties = Properties(vec![Property::UserProperty((String::new(), String::new())); count]);
        bench.send(2, Packet::Publish(Publish { properties, ..message }));
    }
    let why = Dropped::QueueFull;
    assert_eq!(bench.log.last().unwrap().what, HubSaw::Dropped { topic: "a".into(), why });
    bench.connect(3, kept(v5("d")));
    assert_eq!(bench.messages(3), ["m qos1 #1"]);
}

#[test]
fn what_has_expired_keeps_nothing_else_out_of_the_queue() {
    let mut bench = Bench::new(HubConfig { max_queued: 2, ..HubConfig::default() });
    bench.connect(1, kept(v5("d")));
    bench.subscribe(1, sub("a", 1));
    bench.close(1, HowClosed::Fin);
    bench.connect(2, v5("source"));
    for packet_id in 1..=2 {
        let Packet::Publish(old) = publish("a", "old", 1, packet_id) else { panic!() };
        let properties = Properties(vec![Property::MessageExpiry(10)]);
        bench.send(2, Packet::Publish(Publish { properties, ..old }));
    }
    bench.at(Time::from_secs(10));
    bench.send(2, publish("a", "fresh", 1, 3));
    assert!(bench.connect(3, kept(v5("d"))).session_present);
    assert_eq!(bench.messages(3), ["fresh qos1 #1"]);
}

#[test]
fn the_qos_2_identifiers_that_a_device_has_open_outlive_the_link() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(9, v311("listener"));
    bench.subscribe(9, sub("a", 0));
    bench.connect(1, kept(v311("d")));
    bench.send(1, publish("a", "once", 2, 7));
    bench.close(1, HowClosed::Reset);
    bench.connect(2, kept(v311("d")));
    bench.send(2, publish("a", "once", 2, 7));
    assert_eq!(bench.got_one(2), Packet::Pubrec(ack(7)));
    assert_eq!(bench.messages(9), ["once"]);
}
