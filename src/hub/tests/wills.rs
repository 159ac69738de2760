use super::*;
use crate::mqtt::packet::Disconnect;
use std::time::Duration;

/// A listener on connection 9 and a device on connection 1, with this will and keep-alive 10.
fn bench(connect: Connect) -> Bench {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(9, v311("listener"));
    bench.subscribe(9, sub("will", 0));
    bench.connect(1, Connect { keep_alive: 10, ..connect });
    bench
}

#[test]
fn a_will_is_sent_for_each_end_but_a_clean_disconnect() {
    type End = fn(&mut Bench);
    let ends: [(&str, End, bool); 6] = [
        ("DISCONNECT", |b| b.send(1, Packet::Disconnect(Disconnect::default())), false),
        ("DISCONNECT 0x04", |b| b.send(1, Packet::Disconnect(Disconnect::because(4))), true),
        ("FIN", |b| b.close(1, HowClosed::Fin), true),
        ("RST", |b| b.close(1, HowClosed::Reset), true),
        ("keep-alive", |b| b.at(Time::from_secs(15)), true),
        ("protocol error", |b| b.send(1, Packet::Pingresp), true),
    ];
    for (name, end, sent) in ends {
        let mut bench = bench(Connect { will: will("gone", 0), ..v5("d") });
        end(&mut bench);
        assert!(!bench.is_open(1));
        let expected: &[&str] = if sent { &["gone"] } else { &[] };
        assert_eq!(bench.messages(9), expected, "{name}");
    }
}

#[test]
fn a_delayed_will_waits_to_the_nanosecond() {
    let mut bench = bench(kept(Connect { will: will("gone", 5), ..v5("d") }));
    bench.close(1, HowClosed::Reset);
    bench.at(Time::from_secs(5) - Duration::from_nanos(1));
    assert_eq!(bench.messages(9), [""; 0]);
    bench.at(Time::from_secs(5));
    assert_eq!(bench.messages(9), ["gone"]);
}

#[test]
fn a_device_that_is_back_in_time_has_no_will_sent() {
    let mut bench = bench(kept(Connect { will: will("gone", 5), ..v5("d") }));
    bench.close(1, HowClosed::Reset);
    bench.at(Time::from_secs(4));
    assert!(bench.connect(2, kept(v5("d"))).session_present);
    bench.at(Time::from_secs(100));
    assert_eq!(bench.messages(9), [""; 0]);
}

#[test]
fn the_end_of_the_session_sends_a_will_that_waits() {
    // The session ends with its connection.
    let mut first = bench(Connect { will: will("gone", 5), ..v5("d") });
    first.close(1, HowClosed::Reset);
    assert_eq!(first.messages(9), ["gone"]);
    // It expires before the will's delay.
    let properties = Properties(vec![Property::SessionExpiry(2)]);
    let mut second = bench(Connect { will: will("gone", 5), properties, ..v5("d") });
    second.close(1, HowClosed::Reset);
    second.at(Time::from_secs(2));
    assert_eq!(second.messages(9), ["gone"]);
    // A clean start ends it.
    let mut third = bench(kept(Connect { will: will("gone", 5), ..v5("d") }));
    third.close(1, HowClosed::Reset);
    third.connect(2, v5("d"));
    assert_eq!(third.messages(9), ["gone"]);
}

#[test]
fn a_retained_will_is_retained() {
    let mut wanted = will("gone", 0).unwrap();
    (wanted.retain, wanted.qos) = (true, QoS::AtLeastOnce);
    let mut bench = bench(Connect { will: Some(wanted), ..v311("d") });
    bench.close(1, HowClosed::Fin);
    assert_eq!(bench.messages(9), ["gone"]);
    bench.subscribe(9, sub("+", 1));
    assert_eq!(bench.messages(9), ["gone retain qos1 #1"]);
}
