//! Manners of hubs: how long known hubs and brokers bear a device's silence, and which keep-alives have an effect on them.
//!
//! The embedded hub takes a manner on through its [`HubConfig`], so that a run, simulated or real, has it.

use crate::base::span::show_fixed;
use crate::hub::{HubConfig, Patience};
use std::time::Duration;

/// How a hub treats keep-alives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// As it is typed.
    pub name: &'static str,
    /// As its maker calls it.
    pub title: &'static str,
    /// Where the facts are from.
    pub source: &'static str,
    /// How long it bears silence.
    pub patience: Patience,
    /// The keep-alives that have an effect.
    pub limits: Limits,
    /// New connections a second that it admits, where that is documented for one of its sizes.
    pub connects: Option<Throttle>,
    /// What else has to be known, in one sentence; empty where nothing has.
    pub note: &'static str,
}

/// The least and the greatest keep-alive in seconds that make a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A smaller one has the effect of this.
    pub least: u16,
    /// A greater one has the effect of this.
    pub most: u16,
}

/// How many new connections a second a hub admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// So many.
    pub per_second: u32,
    /// Of which size of it.
    pub of: &'static str,
}

/// A hub that takes every keep-alive.
const ANY: Limits = Limits { least: 1, most: u16::MAX };

/// All of them.
pub const ALL: [Manner; 9] = [
    Manner {
        name: "mqtt",
        title: "the standard, to the letter",
        source: "[MQTT-3.1.2-24] in 3.1.1, [MQTT-3.1.2-22] in 5",
        patience: Patience::MQTT,
        limits: ANY,
        connects: None,
        note: "",
    },
    Manner {
        name: "azure",
        title: "Azure IoT Hub",
        source: "404104 DeviceConnectionClosedRemotely, IoT Hub quotas and throttling, Microsoft Learn",
        patience: Patience { at_most: Some(Duration::from_secs(1_767)), ..Patience::MQTT },
        limits: Limits { least: 1, most: 1_177 },
        connects: Some(Throttle { per_second: 100, of: "one S1 unit" }),
        note: "No silence is borne for longer than 29.45 min (1767 s).",
    },
    Manner {
        name: "azure-event-grid",
        title: "Azure Event Grid's MQTT broker",
        source: "MQTT features supported by Azure Event Grid, Microsoft Learn; that it waits for 1.5 K is assumed",
        patience: Patience { most: 1_160, instead_of_none: 1_160, ..Patience::MQTT },
        limits: Limits { least: 1, most: 1_160 },
        connects: None,
        note: "",
    },
    Manner {
        name: "aws",
        title: "AWS IoT Core",
        source: "AWS IoT Core endpoints and quotas; that greater ones count as 1200 s is assumed",
        patience: Patience { least: 30, most: 1_200, instead_of_none: 1_200, ..Patience::MQTT },
        limits: Limits { least: 30, most: 1_200 },
        connects: None,
        note: "A keep-alive of 0 counts as 1200 s.",
    },
    Manner {
        name: "mosquitto",
        title: "Eclipse Mosquitto 2.0",
        source: "mosquitto 2.0, src/keepalive.c (keepalive__check)",
        // More than 1.5 K in whole seconds, looked at when more than 5 whole seconds are over.
        patience: Patience {
            grace: Duration::from_secs(1),
            whole_seconds: true,
            looked_at_every: Duration::from_secs(6),
            ..Patience::MQTT
        },
        limits: ANY,
        connects: None,
        note: "It looks each 6 s only, and waits for more than 1.5 K in whole seconds.",
    },
    Manner {
        name: "mosquitto-2.1",
        title: "Eclipse Mosquitto after 2.0",
        source: "mosquitto, src/keepalive.c with its ring of seconds (keepalive__check, WITH_OLD_KEEPALIVE off)",
        patience: Patience {
            grace: Duration::from_secs(1),
            whole_seconds: true,
            looked_at_every: Duration::from_secs(1),
            ..Patience::MQTT
        },
        limits: ANY,
        connects: None,
        note: "It waits for more than 1.5 K in whole seconds.",
    },
    Manner {
        name: "emqx",
        title: "EMQX 5",
        source: "EMQX documentation, mqtt.keepalive_multiplier and keepalive_check_interval",
        patience: Patience {
            looked_at_every: Duration::from_secs(30),
            looked_at_per_mille: 500,
            ..Patience::MQTT
        },
        limits: ANY,
        connects: None,
        note: "It looks each 30 s, or each K/2 where that is less.",
    },
    Manner {
        name: "hivemq",
        title: "HiveMQ",
        source: "HiveMQ documentation, keep-alive (1.5 x, at most 65535 s)",
        patience: Patience::MQTT,
        limits: ANY,
        connects: None,
        note: "",
    },
    Manner {
        name: "nanomq",
        title: "NanoMQ",
        source: "NanoMQ documentation, mqtt.keepalive_multiplier (1.25)",
        patience: Patience { per_mille: 1_250, ..Patience::MQTT },
        limits: ANY,
        connects: None,
        note: "It waits for 1.25 K, less than the standard's 1.5 K.",
    },
];

impl Manner {
    /// The manner of this name.
    ///
    /// # Errors
    /// There is none; in words that list them.
    pub fn named(name: &str) -> Result<&'static Manner, String> {
        ALL.iter().find(|manner| manner.name == name).ok_or_else(|| {
            let all: Vec<&str> = ALL.iter().map(|manner| manner.name).collect();
            format!("`{name}` is not a hub's manner; write one of {}", all.join(", "))
        })
    }

    /// The embedded hub in this manner.
    pub fn config(&self) -> HubConfig {
        HubConfig { patience: self.patience, ..HubConfig::default() }
    }

    /// The keep-alives that have an effect.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How long a device with this keep-alive may be silent until it is surely gone, what looking seldom adds
    /// included; `None`: for ever.
    pub fn silence_borne(&self, keep_alive: u16) -> Option<Duration> {
        self.patience.of(keep_alive).map(|borne| borne + self.patience.looks(keep_alive))
    }

    /// What is to be said of a keep-alive that does not have the effect it seems to have; `None` where it has.
    pub fn warning(&self, keep_alive: u16) -> Option<String> {
        let Limits { least, most } = self.limits;
        let title = self.title;
        match keep_alive {
            0 => self.patience.of(0).map(|borne| {
                format!("{title} bears no silence for longer than {}, keep-alive or none", show_fixed(borne))
            }),
            k if k < least => Some(format!("{title} takes a keep-alive of {k} s for one of {least} s")),
            k if k > most => Some(format!(
                "{title} lets go after {} of silence at most, so that a keep-alive of {k} s has no more effect \
                 than one of {most} s",
                show_fixed(self.patience.of(k).unwrap_or_default())
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manner_is_found_by_its_name() {
        for manner in ALL {
            assert_eq!(Manner::named(manner.name), Ok(&manner));
            assert_eq!(manner.config().patience, manner.patience);
        }
        assert_eq!(Manner::named("mqtt").unwrap().config(), HubConfig::default());
        let unknown = Manner::named("rabbitmq").unwrap_err();
        assert!(unknown.contains("mqtt, azure, "), "{unknown}");
    }

    #[test]
    fn the_greatest_keep_alive_with_an_effect_is_the_edge_of_the_silence_that_is_borne() {
        for (name, keep_alive, secs) in [
            ("azure", 1_177, 1_765),
            ("azure", 1_179, 1_767),
            ("azure", 65_535, 1_767),
            ("azure", 0, 1_767),
            ("azure-event-grid", 1_200, 1_740),
            ("aws", 10, 45),
            ("aws", 1_300, 1_800),
            ("mosquitto", 60, 97),
            ("mosquitto-2.1", 60, 92),
            ("emqx", 60, 120),
            ("emqx", 20, 40),
            ("nanomq", 60, 75),
        ] {
            let borne = Manner::named(name).unwrap().silence_borne(keep_alive);
            assert_eq!(borne.map(|borne| borne.as_secs()), Some(secs), "{name} at {keep_alive} s");
        }
        assert_eq!(Manner::named("hivemq").unwrap().silence_borne(0), None);
    }

    #[test]
    fn warns_of_keep_alives_outside_its_limits_alone() {
        for (name, keep_alive, words) in [
            ("azure", 1_177, None),
            ("azure", 1_178, Some("29m 27s of silence at most")),
            ("azure", 0, Some("no silence for longer than 29m 27s")),
            ("aws", 30, None),
            ("aws", 29, Some("takes a keep-alive of 29 s for one of 30 s")),
            ("aws", 1_201, Some("no more effect than one of 1200 s")),
            ("mqtt", 65_535, None),
            ("mqtt", 0, None),
        ] {
            let warning = Manner::named(name).unwrap().warning(keep_alive);
            match words {
                None => assert_eq!(warning, None, "{name} at {keep_alive} s"),
                Some(words) => assert!(warning.as_ref().is_some_and(|w| w.contains(words)), "{warning:?}"),
            }
        }
    }
}
