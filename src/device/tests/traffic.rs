use super::*;
use crate::mqtt::packet::Suback;

#[test]
fn so_many_messages_and_no_more_whatever_becomes_of_the_link() {
    let workload = "publishing:a,every=1s,qos=1,size=0,times=2".parse().unwrap();
    let mut bench = Bench::up(Habits { workload, ..habits(Preset::Careful, 100) });
    bench.until(Time::from_secs(5));
    assert_eq!(show(&bench.got()), ["d 1 #1", "d 2 #2"]);
    bench.hub_says(Packet::Puback(Ack::success(1)));
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(bench.device.deadline().unwrap());
    bench.connect(true);
    bench.until(Time::from_secs(60));
    assert_eq!(show(&bench.got()), ["d 2 #2 dup"]);
}

fn publisher(qos: u8) -> Habits {
    Habits { workload: publishing("1s", qos), ..habits(Preset::Careful, 100) }
}

fn message(qos: QoS, packet_id: u16) -> Packet {
    let packet_id = (qos != QoS::AtMostOnce).then_some(packet_id);
    Packet::Publish(Publish { qos, topic: "a".into(), packet_id, ..Publish::default() })
}

#[test]
fn it_publishes_on_its_beat_and_resends_with_dup_where_the_session_goes_on() {
    let mut bench = Bench::up(publisher(1));
    bench.until(Time::from_secs(2));
    assert_eq!(show(&bench.got()), ["d 1 #1", "d 2 #2", "d 3 #3"]);
    bench.hub_says(Packet::Puback(Ack::success(2)));
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(bench.device.deadline().unwrap());
    bench.connect(true);
    assert_eq!(show(&bench.got()), ["d 1 #1 dup", "d 3 #3 dup", "d 4 #4"]);
    bench.hub_says(Packet::Puback(Ack::success(1)));
    assert_eq!(bench.did().last().unwrap(), "acknowledged 2");
}

#[test]
fn messages_that_are_a_little_late_are_made_and_those_of_a_pause_are_not() {
    let mut bench = Bench::up(Habits { workload: publishing("10ms", 0), ..habits(Preset::Careful, 100) });
    for (at, made) in [(0, 1), (35, 3), (39, 0), (40, 1), (150, 11), (275, 1), (284, 0), (285, 1)] {
        bench.at(Time::from_millis(at));
        assert_eq!(bench.got().len(), made, "at {at} ms");
    }
}

#[test]
fn where_the_hub_has_forgotten_the_session_they_go_as_new() {
    let mut bench = Bench::up(publisher(2));
    bench.until(Time::from_secs(1));
    bench.hub_says(Packet::Pubrec(Ack::success(1)));
    assert_eq!(show(&bench.got()), ["d 1 #1", "d 2 #2", "PUBREL #1"]);
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(bench.device.deadline().unwrap());
    bench.connect(false);
    assert_eq!(show(&bench.got()), ["d 2 #3", "d 3 #4"], "the first is the hub's already");
}

/// What was not acknowledged is to be sent again, and nobody says whether the hub still knows of it (MQTT 3.1, section 4.2).
#[test]
fn a_kept_session_of_mqtt_3_1_goes_on_though_no_connack_says_so() {
    for (clean_session, expected) in
        [(false, &["PUBREL #1", "d 2 #2 dup", "d 3 #3"][..]), (true, &["d 2 #3", "d 3 #4"])]
    {
        let mut bench = Bench::up(Habits { version: Version::V31, clean_session, ..publisher(2) });
        bench.until(Time::from_secs(1));
        bench.hub_says(Packet::Pubrec(Ack::success(1)));
        bench.got();
        bench.input(Input::Closed(HowClosed::Reset));
        bench.until(bench.device.deadline().unwrap());
        bench.connect(false);
        assert_eq!(show(&bench.got()), expected);
    }
    let workload = "subscribing:a,qos=2".parse().unwrap();
    let habits = Habits { workload, version: Version::V31, ..habits(Preset::Careful, 100) };
    let mut bench = Bench::new(habits);
    for received in [1, 0] {
        bench.connect(false);
        assert_eq!(show(&bench.got()), ["SUBSCRIBE"], "the hub may have forgotten it");
        bench.hub_says(Packet::Suback(Suback { packet_id: 1, properties: Properties::NONE, codes: vec![2] }));
        bench.hub_says(message(QoS::ExactlyOnce, 6));
        let told = bench.did().into_iter().filter(|line| line.starts_with("received")).count();
        assert_eq!(told, received, "a message is one until it is released");
        bench.input(Input::Closed(HowClosed::Reset));
        bench.until(bench.device.deadline().unwrap());
    }
}

fn v5(habits: Habits) -> Habits {
    Habits { version: Version::V5, ..habits }
}

fn because(packet_id: u16, reason: u8) -> Ack {
    Ack { reason, ..Ack::success(packet_id) }
}

#[test]
fn what_the_hub_does_not_take_is_not_acknowledged() {
    let mut bench = Bench::up(v5(publisher(1)));
    bench.until(Time::from_secs(1));
    bench.did();
    bench.hub_says(Packet::Puback(because(1, 0x97)));
    bench.hub_says(Packet::Puback(because(2, 0x10)));
    assert_eq!(bench.did(), ["message rejected, 0x97, Quota exceeded", "acknowledged 1"]);
    let mut bench = Bench::up(v5(publisher(2)));
    bench.until(Time::from_secs(1));
    bench.did();
    bench.hub_says(Packet::Pubrec(because(1, 0x87)));
    bench.hub_says(Packet::Pubrec(Ack::success(2)));
    bench.hub_says(Packet::Pubcomp(because(2, 0x92)));
    assert_eq!(bench.did(), ["message rejected, 0x87, Not authorized", "acknowledged 1"]);
}

#[test]
fn a_hub_gets_no_higher_qos_than_it_takes() {
    let mut bench = Bench::new(v5(Habits { max_in_flight: 1, ..publisher(2) }));
    bench.connect_with(false, Properties::NONE.with(Property::MaximumQos(1)));
    assert!(bench.did().contains(&"publishes with QoS 1, not 2: the hub takes no more".to_owned()));
    bench.until(Time::from_secs(0));
    let got = bench.got();
    assert!(matches!(&got[..], [Packet::Publish(Publish { qos: QoS::AtLeastOnce, .. })]), "{got:?}");
    bench.hub_says(Packet::Puback(Ack::success(1)));
    bench.until(Time::from_secs(1));
    assert_eq!(show(&bench.got()), ["d 2 #2"]);
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(bench.device.deadline().unwrap());
    // What is under way goes as this one takes it, and nothing waits for an answer to it.
    bench.connect_with(true, Properties::NONE.with(Property::MaximumQos(0)));
    bench.until(bench.now + Duration::from_secs(1));
    let got = bench.got();
    assert_eq!(show(&got)[..2], ["d 2", "d 3"]);
    assert!(got.iter().all(|packet| matches!(packet, Packet::Publish(Publish { qos: QoS::AtMostOnce, .. }))));
}

#[test]
fn nothing_goes_that_is_larger_than_the_hub_takes() {
    let workload = "publishing:a,every=1s,qos=1,size=100".parse().unwrap();
    let mut bench = Bench::new(v5(Habits { workload, max_in_flight: 1, ..habits(Preset::Careful, 100) }));
    bench.connect_with(false, Properties::NONE.with(Property::MaximumPacketSize(107)));
    bench.until(Time::from_secs(1));
    assert_eq!(bench.got(), []);
    let told = bench.did();
    let withheld =
        told.iter().filter(|line| *line == "PUBLISH of 108 bytes not sent: the hub takes 107 at most");
    assert_eq!(withheld.count(), 2, "{told:?}");
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(bench.device.deadline().unwrap());
    bench.connect_with(true, Properties::NONE.with(Property::MaximumPacketSize(108)));
    bench.until(bench.now + Duration::from_secs(1));
    assert_eq!(bench.got().len(), 1);
}

#[test]
fn a_session_goes_on_only_where_the_device_may_take_it() {
    for (version, clean_session, accepted) in
        [(Version::V5, true, false), (Version::V5, false, true), (Version::V311, true, true)]
    {
        let mut bench = Bench::new(Habits { version, clean_session, ..habits(Preset::Careful, 100) });
        bench.connect(true);
        let told = bench.did().join("; ");
        assert_eq!(told.contains("connected in 0s, session resumed"), accepted, "{told}");
        assert_eq!(
            told.contains("CONNACK says that a session goes on, and it asked for a new one; close"),
            !accepted,
            "{told}"
        );
    }
}

#[test]
fn a_full_window_skips_messages() {
    let mut bench = Bench::up(Habits { max_in_flight: 2, ..publisher(1) });
    bench.until(Time::from_secs(5));
    assert_eq!(show(&bench.got()), ["d 1 #1", "d 2 #2"]);
    bench.hub_says(Packet::Puback(Ack::success(1)));
    bench.until(Time::from_secs(6));
    assert_eq!(show(&bench.got()), ["d 3 #3"]);
}

#[test]
fn a_subscriber_subscribes_only_where_the_session_is_new() {
    let workload = "subscribing:a,qos=2".parse().unwrap();
    let mut bench = Bench::up(Habits { workload, ..habits(Preset::Careful, 100) });
    assert_eq!(show(&bench.got()), ["SUBSCRIBE"]);
    bench.hub_says(Packet::Suback(Suback { packet_id: 1, properties: Properties::NONE, codes: vec![2] }));
    assert_eq!(bench.did().last().unwrap(), "subscribed, 0x02");
    for (session_present, expected) in [(true, vec![]), (false, vec!["SUBSCRIBE"])] {
        bench.input(Input::Closed(HowClosed::Fin));
        bench.until(bench.device.deadline().unwrap());
        bench.connect(session_present);
        assert_eq!(show(&bench.got()), expected);
    }
}

#[test]
fn a_session_that_goes_on_without_a_suback_is_subscribed_in() {
    let workload = "subscribing:a,qos=2".parse().unwrap();
    let mut bench = Bench::new(Habits { workload, ..habits(Preset::Careful, 100) });
    for _ in 0..2 {
        bench.connect(true);
        assert_eq!(show(&bench.got()), ["SUBSCRIBE"]);
        bench.input(Input::Closed(HowClosed::Reset));
        bench.until(bench.device.deadline().unwrap());
    }
    bench.connect(true);
    bench.hub_says(Packet::Suback(Suback { packet_id: 1, properties: Properties::NONE, codes: vec![0x80] }));
    bench.input(Input::Closed(HowClosed::Reset));
    bench.until(bench.device.deadline().unwrap());
    bench.connect(true);
    assert_eq!(show(&bench.got()), ["SUBSCRIBE"], "a refusal is no subscription");
}

#[test]
fn messages_are_answered_and_qos_2_counts_once() {
    let mut bench = Bench::up(habits(Preset::Careful, 100));
    for packet in [
        message(QoS::AtMostOnce, 0),
        message(QoS::AtLeastOnce, 5),
        message(QoS::ExactlyOnce, 6),
        message(QoS::ExactlyOnce, 6),
        Packet::Pubrel(Ack::success(6)),
    ] {
        bench.hub_says(packet);
    }
    assert_eq!(show(&bench.got()), ["PUBACK #5", "PUBREC #6", "PUBREC #6", "PUBCOMP #6"]);
    assert_eq!(bench.did().last().unwrap(), "received 3");
}

#[test]
fn a_message_of_many_megabytes_is_taken() {
    let mut bench = Bench::up(habits(Preset::Careful, 100));
    let Packet::Publish(small) = message(QoS::AtLeastOnce, 5) else { panic!() };
    bench.hub_says(Packet::Publish(Publish { payload: vec![b'x'; 3 << 20], ..small }));
    assert_eq!(show(&bench.got()), ["PUBACK #5"]);
    assert_eq!(bench.did().last().unwrap(), "received 1");
}

#[test]
fn a_connection_that_takes_nothing_holds_the_workload_back() {
    let workload = "publishing:a,every=1s,qos=0,size=100000".parse().unwrap();
    let habits = Habits { workload, ping_timeout: None, ..habits(Preset::Typical, 100) };
    let mut device = Device::new(habits, 1);
    device.tick(Time::ZERO);
    device.handle(Time::ZERO, Input::Connected);
    device.handle(Time::ZERO, Input::Bytes(&[0x20, 2, 0, 0]));
    (1..100).for_each(|second| device.tick(Time::from_secs(second)));
    let mut bytes = 0;
    while let Some(output) = device.poll() {
        bytes += if let Output::Send(sent) = output { sent.len() } else { 0 };
    }
    assert!((300_000..400_000).contains(&bytes), "{bytes}");
}
