use super::*;
use std::collections::BTreeSet;

#[test]
fn every_client_is_found_by_its_name_alone() {
    let names: BTreeSet<&str> = Client::all().map(|client| client.name).collect();
    assert_eq!(names.len(), Client::all().count(), "each name once");
    for client in Client::all() {
        assert_eq!(Client::named(client.name).unwrap().title, client.title);
        assert!(!client.source.is_empty() && !client.title.is_empty(), "{}", client.name);
        let typed = client.redial.value.backoff();
        assert_eq!(typed.to_string().parse(), Ok(typed), "{}", client.name);
    }
    let unknown = Client::named("paho").unwrap_err();
    assert!(unknown.contains("paho-python, paho-c"), "{unknown}");
}

#[test]
fn a_client_at_its_default_has_the_times_of_its_source() {
    for (name, interval, timeout) in [
        ("paho-python", 60_000, 60_000),
        ("paho-c", 60_000, 90_000),
        ("paho-java", 59_900, 60_000),
        ("paho-go", 30_000, 10_000),
        ("mqtt.js", 60_000, 30_000),
        ("hivemq", 59_900, 59_900),
        ("mqttnet", 15_000, 7_500),
        ("esp-mqtt", 60_000, 60_000),
        ("aws-sdk", 1_200_000, 30_000),
        ("azure-c", 240_000, 80_000),
        ("azure-csharp", 75_000, 30_000),
        ("azure-node", 180_000, 180_000),
    ] {
        let client = Client::named(name).unwrap();
        let habits = client.habits("d", Duration::from_secs(client.keep_alive.value.into()));
        assert_eq!(habits.ping_interval.as_millis(), interval, "{name}");
        assert_eq!(habits.ping_timeout.map(|wait| wait.as_millis()), Some(timeout), "{name}");
    }
}

/// Measured with awscrt 0.36.1, whose PINGREQ a hub left unanswered: PINGREQ, and the end of the link after it.
#[test]
fn the_sdk_of_aws_waits_for_half_a_keep_alive_and_half_a_minute_at_most() {
    for (keep_alive, timeout) in [(4, 2), (20, 10), (60, 30), (1_200, 30)] {
        let habits = Client::named("aws-sdk").unwrap().habits("d", Duration::from_secs(keep_alive));
        assert_eq!(habits.ping_timeout, Some(Duration::from_secs(timeout)), "{keep_alive}");
    }
}

#[test]
fn our_own_characters_are_those_of_the_device() {
    for preset in Preset::ALL {
        let client = Client::named(preset.word()).unwrap();
        // From 30 s on nothing of a preset is scaled by another rule than the table's.
        for k in [30, 60, 600].map(Duration::from_secs) {
            let habits = client.habits("d", k);
            assert_eq!(habits, preset.habits("d", k));
            assert_eq!(client.ping.value, habits.ping);
            assert_eq!(client.ping_interval.value.of(k), habits.ping_interval);
            assert_eq!(client.ping_timeout.value.map(|wait| wait.of(k)), habits.ping_timeout);
            assert_eq!(client.connect_timeout.value.of(k), habits.connect_timeout);
            assert_eq!(client.clean_session.value, habits.clean_session);
            assert_eq!(client.redial.value.backoff(), habits.backoff);
        }
    }
}

#[test]
fn without_keep_alive_the_times_are_those_of_the_default_and_nothing_is_pinged() {
    let habits = Client::named("paho-python").unwrap().habits("d", Duration::ZERO);
    assert_eq!((habits.keep_alive, habits.ping_interval), (Duration::ZERO, Duration::from_secs(60)));
}

#[test]
fn a_time_of_k_is_shown_as_its_rule() {
    let secs = Duration::from_secs;
    for (time, shown, at_100) in [
        (OfK::share(1.0), "K", secs(100)),
        (OfK::share(0.5).at_most(secs(30)), "0.5 K, at most 30s", secs(30)),
        (OfK::share(1.0).less(secs(1)), "K - 1s", secs(99)),
        (OfK::share(0.1).at_least(secs(20)), "0.1 K, at least 20s", secs(20)),
        (OfK::share(0.1).at_least(secs(1)).at_most(secs(5)), "0.1 K, 1s to 5s", secs(5)),
        (OfK::fixed(secs(3)), "3s", secs(3)),
    ] {
        assert_eq!((time.to_string().as_str(), time.of(secs(100))), (shown, at_100));
    }
}
