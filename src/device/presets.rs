//! Four characters of client, each scaled to its keep-alive K.
//!
//! | | careful | typical | naive | oblivious |
//! |---|---|---|---|---|
//! | PINGREQ | each 0.75 K | after 0.9 K without sending | as typical | as typical |
//! | PINGRESP within | min(K/2, 10 s) | K | 3 K | never looks |
//! | CONNACK within | min(K, 30 s) | min(K, 60 s) | K/20, 100 ms to 2 s | min(K, 60 s) |
//! | back-off | exponential K/10 (at most 1 s) to 2 K (at most 60 s), full jitter | fixed 1 s | none | fixed 1 s |
//! | begins that anew | after a link of min(K, 30 s) | at each CONNACK | - | at each CONNACK |
//! | session | kept | kept | clean | clean |
//! | sees FIN and RST | at once | at once | at once | when a write fails |
//!
//! So a half-open link is noticed while idle after at most 1.25 K, 1.9 K, 3.9 K, and never. At K = 2 s that is 2.5 s,
//! 3.8 s and 7.8 s: a demonstration ends within half a minute.

use super::backoff::{Backoff, Growth, Jitter};
use super::habits::{Habits, Leaving, PingRule};
use super::workload::Workload;
use crate::mqtt::Version;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A character of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Preset {
    /// Does what guides advise: pings whatever it sends, waits for the answer, backs off with jitter.
    Careful,
    /// Does what most clients do by default.
    Typical,
    /// Notices late, and then knocks without pause.
    Naive,
    /// Never notices by itself.
    Oblivious,
}

impl Preset {
    /// All of them, best first.
    pub const ALL: [Preset; 4] = [Preset::Careful, Preset::Typical, Preset::Naive, Preset::Oblivious];

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Preset::Careful => "careful",
            Preset::Typical => "typical",
            Preset::Naive => "naive",
            Preset::Oblivious => "oblivious",
        }
    }

    /// The habits of such a device with this keep-alive, MQTT 3.1.1, idle.
    pub fn habits(self, client_id: impl Into<String>, keep_alive: Duration) -> Habits {
        let common = Habits::plain(client_id.into(), keep_alive);
        // K in all that follows; a device without keep-alive has the times of 60 s.
        let k = common.span_keep_alive();
        let secs = Duration::from_secs;
        match self {
            Preset::Careful => Habits {
                ping: PingRule::EveryKeepAlive,
                // A quarter of K is left for a slow link before [MQTT-3.1.2-23] is broken.
                ping_interval: k.mul_f64(0.75),
                // Answers come within a second even over satellites; 10 s is what careful SDKs allow at K = 60.
                ping_timeout: Some((k / 2).min(secs(10))),
                // The C SDK of Azure waits 30 s.
                connect_timeout: k.min(secs(30)),
                backoff: Backoff {
                    growth: Growth::Exponential {
                        base: (k / 10).min(secs(1)),
                        cap: (k * 2).min(secs(60)),
                        factor: 2.0,
                    },
                    jitter: Jitter::Full,
                    at_once: false,
                },
                // Else a link that is accepted and ended again and again, as by a rival of its name, is fought for at the
                // base delay for ever. The MQTT 5 clients of the AWS SDKs wait 30 s.
                settled: k.min(secs(30)),
                clean_session: false,
                ..common
            },
            // Paho and its like: PINGRESP within K, a constant second between attempts.
            Preset::Typical => Habits { clean_session: false, ..common },
            Preset::Naive => Habits {
                ping_timeout: Some(k * 3),
                // Gives a busy hub hardly time to answer: what turns an outage into a storm.
                connect_timeout: (k / 20).clamp(Duration::from_millis(100), secs(2)),
                backoff: Backoff::NONE,
                ..common
            },
            Preset::Oblivious => Habits { ping_timeout: None, notices_close: false, ..common },
        }
    }
}

impl Habits {
    /// Those of [`Preset::Typical`] but with a clean session: what the presets change from.
    fn plain(client_id: String, keep_alive: Duration) -> Habits {
        let k = if keep_alive.is_zero() { Duration::from_secs(60) } else { keep_alive };
        Habits {
            client_id,
            version: Version::V311,
            keep_alive,
            ping: PingRule::WhenIdleOutgoing,
            // Clients aim a little before K, so that the packet is there by K.
            ping_interval: k.mul_f64(0.9),
            ping_timeout: Some(k),
            connect_timeout: k.min(Duration::from_secs(60)),
            check_every: Duration::ZERO,
            backoff: Backoff {
                growth: Growth::Fixed(Duration::from_secs(1)),
                jitter: Jitter::None,
                at_once: false,
            },
            settled: Duration::ZERO,
            clean_session: true,
            // An hour, past every fault of a test and short enough for a broker to forget the run.
            session_expiry: Duration::from_secs(3600),
            notices_close: true,
            leaving: Leaving::Disconnect,
            max_in_flight: 20,
            will: None,
            username: None,
            password: None,
            sas: None,
            workload: Workload::Idle,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Preset, String> {
        Preset::ALL.into_iter().find(|preset| preset.word() == text).ok_or_else(|| {
            format!(
                "`{text}` is not a kind of device; write one of {}",
                Preset::ALL.map(Preset::word).join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_known_by_their_words_and_scale_with_the_keep_alive() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
        assert!("carefull".parse::<Preset>().unwrap_err().contains("careful, typical"));
        let backoff = |k| Preset::Careful.habits("d", Duration::from_secs(k)).backoff.to_string();
        assert_eq!(backoff(2), "exponential:200ms..4s,jitter");
        assert_eq!(backoff(60), "exponential:1s..1m,jitter");
    }
}
