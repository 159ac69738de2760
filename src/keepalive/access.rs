//! Access networks: how long a round trip takes by default, and what keeping a radio awake costs.
//!
//! A cellular network keeps a radio connected for a while after each packet (the RRC inactivity timer, set by the
//! operator: 3GPP TS 36.331 for LTE-M and NB-IoT, TS 25.331 for 3G), and a Wi-Fi client stays awake for a moment. That
//! tail, not the packet, is what a keep-alive costs a battery.

use super::clients::{Evidence, Fact};
use crate::base::Time;
use std::time::Duration;

/// An access network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Access {
    /// As it is typed.
    pub name: &'static str,
    /// As people say.
    pub title: &'static str,
    /// From the device to the hub and back, where nobody says otherwise.
    pub round_trip: Fact<Duration>,
    /// How long the radio stays awake after the last packet; `None`: it has no radio that sleeps.
    pub tail: Fact<Option<Duration>>,
    /// Where the facts are from, and what is only assumed.
    pub source: &'static str,
}

const fn millis(value: u64, by: Evidence) -> Fact<Duration> {
    Fact { value: Duration::from_millis(value), by }
}

const fn tail(millis: u64, by: Evidence) -> Fact<Option<Duration>> {
    Fact { value: Some(Duration::from_millis(millis)), by }
}

/// All of them.
pub const ALL: [Access; 5] = [
    Access {
        name: "ethernet",
        title: "Ethernet",
        round_trip: millis(20, Evidence::Assumed),
        tail: Fact { value: None, by: Evidence::Documented },
        source: "no radio; the round trip to a hub of the same continent is assumed",
    },
    Access {
        name: "wifi",
        title: "Wi-Fi",
        round_trip: millis(30, Evidence::Assumed),
        tail: tail(238, Evidence::Documented),
        source: "tail as measured on a phone: Huang et al., MobiSys 2012; the round trip is assumed",
    },
    Access {
        name: "lte-m",
        title: "LTE-M",
        round_trip: millis(100, Evidence::Documented),
        tail: tail(11_576, Evidence::Documented),
        source: "50 to 100 ms: Arduino's documentation of Cat-M1 modules; tail as measured on an LTE phone: Huang et \
                 al., MobiSys 2012; operators set other ones, 5 to 20 s",
    },
    Access {
        name: "nb-iot",
        title: "NB-IoT",
        round_trip: millis(2_000, Evidence::Assumed),
        tail: tail(20_000, Evidence::Assumed),
        source: "both assumed: 1.6 to 10 s are named for a round trip, and operators set the tail",
    },
    Access {
        name: "3g",
        title: "3G (WCDMA)",
        round_trip: millis(200, Evidence::Assumed),
        tail: tail(17_000, Evidence::Documented),
        source: "tail of 5 s in DCH and 12 s in FACH: Qian et al., IMC 2010; the round trip is assumed",
    },
];

impl Access {
    /// The network of this name.
    ///
    /// # Errors
    /// There is none; in words that list them.
    pub fn named(name: &str) -> Result<&'static Access, String> {
        ALL.iter().find(|access| access.name == name).ok_or_else(|| {
            let all: Vec<&str> = ALL.iter().map(|access| access.name).collect();
            format!("`{name}` is not an access network; write one of {}", all.join(", "))
        })
    }

    /// What of it is only assumed, in words; empty where all has a source.
    pub fn assumptions(&self) -> Vec<&'static str> {
        [(self.round_trip.by, "the round trip"), (self.tail.by, "the radio's tail")]
            .into_iter()
            .filter(|(by, _)| *by == Evidence::Assumed)
            .map(|(_, what)| what)
            .collect()
    }
}

/// A device's radio, as a fold over its packets in the order of their times, either way.
#[derive(Clone, Debug)]
pub struct Radio {
    tail: Option<Duration>,
    awake_until: Option<Time>,
    wake_ups: u64,
    awake: Duration,
}

impl Radio {
    /// A radio that sleeps.
    pub fn new(access: &Access) -> Radio {
        Radio { tail: access.tail.value, awake_until: None, wake_ups: 0, awake: Duration::ZERO }
    }

    /// A packet passes.
    pub fn active(&mut self, at: Time) {
        let Some(tail) = self.tail else { return };
        let until = self.awake_until.map_or(at + tail, |awake_until| awake_until.max(at + tail));
        match self.awake_until.filter(|&awake_until| at <= awake_until) {
            Some(awake_until) => self.awake += until.since(awake_until),
            None => {
                self.wake_ups += 1;
                self.awake += tail;
            }
        }
        self.awake_until = Some(until);
    }

    /// How often it had to wake up: packets after more than the tail of silence.
    pub fn wake_ups(&self) -> u64 {
        self.wake_ups
    }

    /// How long it was awake in all, the last tail included.
    pub fn awake(&self) -> Duration {
        self.awake
    }

    /// The same, of the time until then.
    pub fn awake_until(&self, end: Time) -> Duration {
        let beyond = self.awake_until.map_or(Duration::ZERO, |until| until.since(end));
        self.awake.saturating_sub(beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_is_found_by_its_name() {
        for access in ALL {
            assert_eq!(Access::named(access.name).unwrap().title, access.title);
        }
        assert!(Access::named("5g").unwrap_err().contains("ethernet, wifi, lte-m, nb-iot"));
        assert_eq!(Access::named("nb-iot").unwrap().assumptions(), ["the round trip", "the radio's tail"]);
        assert_eq!(Access::named("lte-m").unwrap().assumptions(), [""; 0]);
    }

    #[test]
    fn a_packet_within_the_tail_prolongs_it_and_one_after_it_wakes_the_radio() {
        let mut radio = Radio::new(Access::named("nb-iot").unwrap());
        for (second, wake_ups, awake) in
            [(0, 1, 20), (5, 1, 25), (5, 1, 25), (25, 1, 45), (46, 2, 65), (1_000, 3, 85)]
        {
            radio.active(Time::from_secs(second));
            assert_eq!((radio.wake_ups(), radio.awake().as_secs()), (wake_ups, awake), "at {second} s");
        }
        let until = |second| radio.awake_until(Time::from_secs(second)).as_secs();
        assert_eq!([until(1_005), until(1_020), until(2_000)], [70, 85, 85]);
    }

    #[test]
    fn a_wire_has_no_radio() {
        let mut radio = Radio::new(Access::named("ethernet").unwrap());
        radio.active(Time::from_secs(1));
        assert_eq!((radio.wake_ups(), radio.awake()), (0, Duration::ZERO));
    }
}
