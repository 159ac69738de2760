//! The device SDKs of Azure IoT Hub, over MQTT. Where nothing else is named: "404104
//! DeviceConnectionClosedRemotely", "Manage connections and reliable messaging", Microsoft Learn.

use super::{Client, OfK, PLAIN, Redial, Takes, assumed, documented, measured, read};
use crate::device::{Backoff, Growth, Jitter, PingRule};
use crate::mqtt::Version;
use std::time::Duration;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const K: OfK = OfK::share(1.0);

/// What the .NET and the Java SDK do: at once, then from 100 ms to 10 s, a fifth more or less.
const EXPONENTIAL: Backoff = Backoff {
    growth: Growth::Exponential { base: Duration::from_millis(100), cap: secs(10), factor: 2.0 },
    jitter: Jitter::Percent(20.0),
    at_once: true,
};

pub(super) const ALL: &[Client] = &[
    Client {
        name: "azure-python",
        title: "Azure IoT device SDK for Python",
        source: "azure-iot-device 2.14.0, pipeline/config.py, mqtt_transport.py, pipeline_stages_base.py; on paho-mqtt 1.6",
        keep_alive: read(60),
        takes: Takes { least: 1, most: 1_740 },
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K),
        ping_timeout: read(Some(K)),
        check_every: read(OfK::fixed(secs(1))),
        connect_timeout: documented(K),
        redial: measured(Redial::Client(Backoff {
            growth: Growth::Fixed(secs(10)),
            jitter: Jitter::None,
            at_once: true,
        })),
        clean_session: read(false),
        version: read(Version::V311),
        note: "Refuses a keep-alive above 1740 s.",
        ..PLAIN
    },
    Client {
        name: "azure-node",
        title: "Azure IoT device SDK for Node.js",
        source: "azure-iot-mqtt-base 1.13.3, mqtt_base.js; azure-iot-common 1.13.3, retry_policy.js; on mqtt 4.3",
        keep_alive: read(180),
        ping: read(PingRule::EveryKeepAlive),
        ping_interval: read(K),
        ping_timeout: read(Some(K)),
        check_every: read(OfK::ZERO),
        connect_timeout: read(OfK::fixed(secs(60))),
        redial: read(Redial::Client(Backoff {
            growth: Growth::Exponential { base: Duration::from_millis(100), cap: secs(10), factor: 2.0 },
            jitter: Jitter::Percent(20.0),
            at_once: true,
        })),
        clean_session: read(false),
        version: read(Version::V311),
        note: "Gives up after 4 min of attempts; its growth is random, shown here as a doubling with a fifth of jitter.",
        ..PLAIN
    },
    Client {
        name: "azure-java",
        title: "Azure IoT device SDK for Java",
        source: "404104 on Microsoft Learn (keep-alive, back-off); on Paho Java 1.2, whose source was read",
        keep_alive: documented(230),
        ping: read(PingRule::WhenIdleEither),
        ping_interval: read(K.less(Duration::from_millis(100))),
        ping_timeout: read(Some(K)),
        check_every: read(OfK::ZERO),
        connect_timeout: assumed(OfK::fixed(secs(60))),
        redial: documented(Redial::Client(EXPONENTIAL)),
        clean_session: assumed(false),
        version: documented(Version::V311),
        note: "Gives up after 4 min of attempts.",
        ..PLAIN
    },
    Client {
        name: "azure-c",
        title: "Azure IoT device SDK for C",
        source: "404104 on Microsoft Learn; azure-umqtt-c, mqtt_client.c (mqtt_client_dowork)",
        keep_alive: documented(240),
        ping: read(PingRule::WhenIdleOutgoing),
        ping_interval: read(K),
        ping_timeout: read(Some(OfK::share(0.5).at_most(secs(80)))),
        check_every: assumed(OfK::ZERO),
        connect_timeout: documented(OfK::fixed(secs(30))),
        redial: documented(Redial::Client(Backoff {
            growth: Growth::Exponential { base: secs(1), cap: secs(30), factor: 2.0 },
            jitter: Jitter::Percent(5.0),
            at_once: false,
        })),
        clean_session: assumed(false),
        version: documented(Version::V311),
        note: "Blind to a half-open link while it publishes with QoS 0 faster than K; the jitter is small, 5 % is assumed.",
        ..PLAIN
    },
    Client {
        name: "azure-csharp",
        title: "Azure IoT device SDK for C# (1.x)",
        source: "MqttTransportSettings.KeepAliveInSeconds on Microsoft Learn; azure-iot-sdk-csharp, MqttIotHubAdapter.cs",
        keep_alive: documented(300),
        ping: read(PingRule::WhenIdleIncoming),
        ping_interval: documented(OfK::share(0.25)),
        ping_timeout: documented(Some(OfK::fixed(secs(30)))),
        check_every: assumed(OfK::ZERO),
        connect_timeout: documented(OfK::fixed(secs(60))),
        redial: documented(Redial::Client(EXPONENTIAL)),
        clean_session: assumed(false),
        version: documented(Version::V311),
        note: "While much comes it looks each K/4 only, so that a ping may be late by that; gives up after 4 min of attempts.",
        ..PLAIN
    },
];
