//! MQTT libraries, and the SDKs of AWS, which are one.

use super::{Client, OfK, PLAIN, Redial, Takes, assumed, documented, measured, read};
use crate::device::{Backoff, Growth, Jitter, PingRule};
use crate::mqtt::Version;
use std::time::Duration;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The same delay each time.
const fn each(delay: Duration) -> Backoff {
    Backoff { growth: Growth::Fixed(delay), jitter: Jitter::None, at_once: false }
}

/// Doubling.
const fn doubling(base: Duration, cap: Duration, jitter: Jitter) -> Backoff {
    Backoff { growth: Growth::Exponential { base, cap, factor: 2.0 }, jitter, at_once: false }
}

/// A time that K has no part in.
const fn fixed(time: Duration) -> OfK {
    OfK::fixed(time)
}

const K: OfK = OfK::share(1.0);

pub(super) const ALL: &[Client] = &[
    Client {
        name: "paho-python",
        title: "Eclipse Paho Python",
        source: "paho-mqtt 2.1.0 and 2.2.0, client.py: loop_forever, _check_keepalive, _reconnect_wait",
        keep_alive: read(60),
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K),
        ping_timeout: read(Some(K)),
        check_every: read(fixed(secs(1))),
        connect_timeout: read(fixed(secs(5))),
        redial: read(Redial::Client(doubling(secs(1), secs(120), Jitter::None))),
        clean_session: read(true),
        version: read(Version::V311),
        note: "5 s is how long a TCP connect waits; for a CONNACK it waits as long as for a PINGRESP.",
        ..PLAIN
    },
    Client {
        name: "paho-c",
        title: "Eclipse Paho C and C++ (MQTTAsync)",
        source: "paho.mqtt.c 1.3, MQTTAsync.h, MQTTAsyncUtils.c (setRetryLoopInterval, MQTTAsync_randomJitter), \
                 MQTTProtocolClient.c (MQTTProtocol_keepalive)",
        keep_alive: read(60),
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K),
        ping_timeout: read(Some(OfK::share(1.5))),
        check_every: read(OfK::share(0.1).at_least(Duration::from_millis(100)).at_most(secs(5))),
        connect_timeout: documented(fixed(secs(30))),
        redial: read(Redial::ClientIfAsked(doubling(secs(1), secs(60), Jitter::Percent(20.0)))),
        clean_session: documented(true),
        version: documented(Version::V311),
        note: "Older 1.3 versions wait for PINGRESP for one K only; automaticReconnect is off by default.",
        ..PLAIN
    },
    Client {
        name: "paho-java",
        title: "Eclipse Paho Java (mqttv3)",
        source: "org.eclipse.paho.client.mqttv3 1.2, MqttConnectOptions.java, ClientState.java (checkForActivity)",
        keep_alive: read(60),
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K.less(Duration::from_millis(100))),
        ping_timeout: read(Some(K)),
        check_every: read(OfK::ZERO),
        connect_timeout: read(fixed(secs(30))),
        redial: documented(Redial::ClientIfAsked(doubling(secs(1), secs(128), Jitter::None))),
        clean_session: read(true),
        version: read(Version::V311),
        note: "automaticReconnect is off by default.",
        ..PLAIN
    },
    Client {
        name: "paho-go",
        title: "Eclipse Paho Go (paho.mqtt.golang)",
        source: "paho.mqtt.golang 1.4, options.go, ping.go (keepalive)",
        keep_alive: read(30),
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K),
        ping_timeout: read(Some(fixed(secs(10)))),
        sets_ping_timeout: true,
        check_every: read(OfK::share(0.5).at_most(secs(5))),
        connect_timeout: read(fixed(secs(30))),
        redial: assumed(Redial::Client(Backoff {
            at_once: true,
            ..doubling(secs(1), secs(600), Jitter::None)
        })),
        clean_session: read(true),
        version: read(Version::V311),
        note: "The longest delay (10 min) is read; that delays double from 1 s after a first attempt at once is assumed.",
        ..PLAIN
    },
    Client {
        name: "mosquitto",
        title: "libmosquitto, as mosquitto_sub and mosquitto_pub use it",
        source: "mosquitto 2.0 and 2.1, lib/util_mosq.c (mosquitto__check_keepalive), lib/connect.c \
                 (mosquitto__connect_init), mosquitto_sub(1)",
        keep_alive: documented(60),
        takes: Takes { least: 5, most: u16::MAX },
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K),
        ping_timeout: read(Some(K)),
        check_every: read(fixed(secs(1))),
        connect_timeout: read(fixed(secs(131))),
        redial: documented(Redial::Client(each(secs(1)))),
        clean_session: documented(true),
        version: documented(Version::V311),
        note: "A TCP connect waits as long as the kernel does, 131 s; for a CONNACK it waits for K.",
        ..PLAIN
    },
    Client {
        name: "mqtt.js",
        title: "MQTT.js",
        source: "mqtt 5.16.0, lib/client.js, lib/KeepaliveManager.js, lib/handlers/index.js",
        keep_alive: read(60),
        ping: read(PingRule::WhenIdleIncoming),
        ping_interval: read(K),
        ping_timeout: read(Some(OfK::share(0.5))),
        check_every: read(OfK::ZERO),
        connect_timeout: read(fixed(secs(30))),
        redial: read(Redial::Client(each(secs(1)))),
        clean_session: read(true),
        version: read(Version::V311),
        note: "Acknowledgements and PINGRESP put the ping off, messages that come and go do not.",
        ..PLAIN
    },
    Client {
        name: "rumqttc",
        title: "rumqttc",
        source: "rumqttc 0.25.1, eventloop.rs, state.rs (outgoing_ping), lib.rs",
        keep_alive: read(60),
        ping: read(PingRule::EveryKeepAlive),
        ping_interval: read(K),
        ping_timeout: read(Some(K)),
        check_every: read(OfK::ZERO),
        connect_timeout: read(fixed(secs(5))),
        redial: read(Redial::Client(Backoff::NONE)),
        clean_session: read(true),
        version: read(Version::V311),
        note: "Whoever polls on connects again at once; a pause is the application's.",
        ..PLAIN
    },
    Client {
        name: "hivemq",
        title: "HiveMQ MQTT Client (Java)",
        source: "hivemq-mqtt-client 1.3, MqttPingHandler.java, MqttClientTransportConfigImpl.java; HiveMQ blog on reconnects",
        keep_alive: assumed(60),
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K.less(Duration::from_millis(100))),
        ping_timeout: read(Some(K.less(Duration::from_millis(100)))),
        check_every: read(OfK::ZERO),
        connect_timeout: assumed(fixed(secs(60))),
        redial: documented(Redial::ClientIfAsked(doubling(secs(1), secs(120), Jitter::Percent(25.0)))),
        clean_session: assumed(true),
        version: assumed(Version::V5),
        note: "Any packet that comes counts as the answer; automatic reconnect is off by default.",
        ..PLAIN
    },
    Client {
        name: "mqttnet",
        title: "MQTTnet (.NET)",
        source: "MQTTnet 5, MqttClient.cs (TrySendKeepAliveMessages), MqttClientOptions.cs",
        keep_alive: read(15),
        ping: read(PingRule::WhenIdleOutgoing),
        ping_interval: read(K),
        ping_timeout: read(Some(OfK::share(0.5))),
        check_every: read(fixed(Duration::from_millis(250))),
        connect_timeout: assumed(fixed(secs(100))),
        redial: assumed(Redial::Application(each(secs(5)))),
        clean_session: assumed(true),
        version: read(Version::V5),
        note: "Blind to a half-open link while it publishes with QoS 0 faster than K.",
        ..PLAIN
    },
    Client {
        name: "esp-mqtt",
        title: "ESP-MQTT of ESP-IDF",
        source: "esp-mqtt, mqtt_client.c (process_keepalive), mqtt_config.h; ESP-IDF reference of \
                 esp_mqtt_client_config_t",
        keep_alive: documented(120),
        ping: assumed(PingRule::EveryKeepAlive),
        ping_interval: documented(OfK::share(0.5)),
        ping_timeout: read(Some(OfK::share(0.5))),
        check_every: read(fixed(secs(1))),
        connect_timeout: documented(fixed(secs(10))),
        redial: documented(Redial::Client(each(secs(10)))),
        clean_session: documented(true),
        version: documented(Version::V311),
        note: "That other packets do not put the ping off is assumed.",
        ..PLAIN
    },
    Client {
        name: "aws-sdk",
        title: "AWS IoT Device SDK v2, MQTT 5 client (aws-c-mqtt)",
        source: "aws-c-mqtt, mqtt5_utils.h (defaults), mqtt5_client.c (s_reset_ping), pull request 361; awscrt 0.36.1, \
                 measured",
        keep_alive: documented(1_200),
        ping: measured(PingRule::EveryKeepAlive),
        ping_interval: read(K),
        ping_timeout: read(Some(OfK::share(0.5).at_most(secs(30)))),
        sets_ping_timeout: true,
        most_ping_timeout: Some(OfK::share(0.5)),
        check_every: read(OfK::ZERO),
        connect_timeout: read(fixed(secs(20))),
        redial: read(Redial::Client(doubling(secs(1), secs(120), Jitter::Full))),
        clean_session: assumed(true),
        version: documented(Version::V5),
        note: "It waits for PINGRESP for half of K at most, whatever is set. The MQTT 3.1.1 client of the same SDKs waits 3 s.",
        ..PLAIN
    },
];
