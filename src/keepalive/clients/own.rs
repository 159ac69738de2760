//! brownout's own four characters, for which [`Preset`] is the source.

use super::{Client, OfK, PLAIN, Redial, documented};
use crate::device::{Backoff, Growth, Jitter, PingRule, Preset};
use crate::mqtt::Version;
use std::time::Duration;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const EACH_SECOND: Backoff = Backoff { growth: Growth::Fixed(secs(1)), jitter: Jitter::None, at_once: false };

const OWN: Client = Client {
    source: "brownout device --kind",
    keep_alive: documented(60),
    ping: documented(PingRule::WhenIdleOutgoing),
    ping_interval: documented(OfK::share(0.9)),
    sets_ping_timeout: true,
    check_every: documented(OfK::ZERO),
    connect_timeout: documented(OfK::share(1.0).at_most(secs(60))),
    redial: documented(Redial::Client(EACH_SECOND)),
    clean_session: documented(false),
    version: documented(Version::V311),
    ..PLAIN
};

pub(super) const ALL: &[Client] = &[
    Client {
        name: "careful",
        title: "brownout's careful device",
        ping: documented(PingRule::EveryKeepAlive),
        ping_interval: documented(OfK::share(0.75)),
        ping_timeout: documented(Some(OfK::share(0.5).at_most(secs(10)))),
        connect_timeout: documented(OfK::share(1.0).at_most(secs(30))),
        redial: documented(Redial::Client(Backoff {
            growth: Growth::Exponential { base: secs(1), cap: secs(60), factor: 2.0 },
            jitter: Jitter::Full,
            at_once: false,
        })),
        own: Some(Preset::Careful),
        note: "Its back-off and settling time scale with keep-alives below 30 s.",
        ..OWN
    },
    Client {
        name: "typical",
        title: "brownout's typical device",
        ping_timeout: documented(Some(OfK::share(1.0))),
        own: Some(Preset::Typical),
        ..OWN
    },
    Client {
        name: "naive",
        title: "brownout's naive device",
        ping_timeout: documented(Some(OfK::share(3.0))),
        connect_timeout: documented(OfK::share(0.05).at_least(Duration::from_millis(100)).at_most(secs(2))),
        redial: documented(Redial::Client(Backoff::NONE)),
        clean_session: documented(true),
        own: Some(Preset::Naive),
        ..OWN
    },
    Client {
        name: "oblivious",
        title: "brownout's oblivious device",
        ping_timeout: documented(None),
        clean_session: documented(true),
        notices_close: false,
        own: Some(Preset::Oblivious),
        ..OWN
    },
];
