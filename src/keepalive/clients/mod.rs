//! Popular MQTT clients, as what they do when nobody sets anything: facts, each with where it is from.
//!
//! Owns the table of them and how a row of it becomes [`Habits`]. Invariant: a value that nothing speaks to is marked
//! [`Evidence::Assumed`]; names are those that can be typed. Deliberately absent: what an application builds on top.

mod azure;
mod libraries;
mod own;
mod time;

pub use time::OfK;

use crate::device::{Backoff, Habits, PingRule, Preset};
use crate::mqtt::Version;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// Where a fact is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The project's or vendor's documentation says it.
    Documented,
    /// Its source was read.
    Read,
    /// It was seen on the wire.
    Measured,
    /// Nothing was found; a plain value stands in.
    Assumed,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Evidence::Documented => "documented",
            Evidence::Read => "read in source",
            Evidence::Measured => "measured",
            Evidence::Assumed => "assumed",
        })
    }
}

/// A value and where it is from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// Where it is from.
    pub by: Evidence,
}

const fn documented<T: Copy>(value: T) -> Fact<T> {
    Fact { value, by: Evidence::Documented }
}

const fn read<T: Copy>(value: T) -> Fact<T> {
    Fact { value, by: Evidence::Read }
}

const fn measured<T: Copy>(value: T) -> Fact<T> {
    Fact { value, by: Evidence::Measured }
}

const fn assumed<T: Copy>(value: T) -> Fact<T> {
    Fact { value, by: Evidence::Assumed }
}

/// The keep-alives that a client takes, in seconds; others it refuses. Whether it takes 0, which is none, is not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// The least.
    pub least: u16,
    /// The greatest.
    pub most: u16,
}

impl Takes {
    /// Whether the client is known to refuse this one.
    pub fn refuses(self, keep_alive: u16) -> bool {
        keep_alive > 0 && !(self.least..=self.most).contains(&keep_alive)
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Takes { least, most: u16::MAX } => write!(f, "{least} s or more"),
            Takes { least, most } => write!(f, "{least} to {most} s"),
        }
    }
}

/// Who dials again after a link is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Redial {
    /// The client, like this.
    Client(Backoff),
    /// The client once it is told to, like this.
    ClientIfAsked(Backoff),
    /// The application; this is what it is assumed to do.
    Application(Backoff),
}

impl Redial {
    /// How it waits.
    pub fn backoff(&self) -> Backoff {
        match self {
            Redial::Client(backoff) | Redial::ClientIfAsked(backoff) | Redial::Application(backoff) => {
                *backoff
            }
        }
    }
}

/// A client with its defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Client {
    /// As it is typed.
    pub name: &'static str,
    /// As its project calls it.
    pub title: &'static str,
    /// The version, file or page that the facts are from.
    pub source: &'static str,
    /// Keep-alive in seconds.
    pub keep_alive: Fact<u16>,
    /// The keep-alives that it takes.
    pub takes: Takes,
    /// When it pings.
    pub ping: Fact<PingRule>,
    /// The interval of that rule.
    pub ping_interval: Fact<OfK>,
    /// How long it waits for PINGRESP; `None` never looks.
    pub ping_timeout: Fact<Option<OfK>>,
    /// Whether an application can set that wait.
    pub sets_ping_timeout: bool,
    /// It waits no longer than this, whatever is set; `None`: as long as is set.
    pub most_ping_timeout: Option<OfK>,
    /// How often it looks at its clocks; zero: at once.
    pub check_every: Fact<OfK>,
    /// How long dialing and CONNACK may take together.
    pub connect_timeout: Fact<OfK>,
    /// How it dials again.
    pub redial: Fact<Redial>,
    /// Whether it asks for a clean session.
    pub clean_session: Fact<bool>,
    /// The version of MQTT it speaks.
    pub version: Fact<Version>,
    /// Whether it sees FIN and RST as they come.
    pub notices_close: bool,
    /// Whom brownout's own character it is.
    own: Option<Preset>,
    /// What else has to be known, in one sentence; empty where nothing has.
    pub note: &'static str,
}

/// What most rows begin from; each overrides what it knows.
const PLAIN: Client = Client {
    name: "",
    title: "",
    source: "",
    keep_alive: assumed(60),
    takes: Takes { least: 1, most: u16::MAX },
    ping: assumed(PingRule::WhenIdleOutgoing),
    ping_interval: assumed(OfK::share(1.0)),
    ping_timeout: assumed(Some(OfK::share(1.0))),
    sets_ping_timeout: false,
    most_ping_timeout: None,
    check_every: assumed(OfK::ZERO),
    connect_timeout: assumed(OfK::fixed(Duration::from_secs(30))),
    redial: assumed(Redial::Application(Backoff::NONE)),
    clean_session: assumed(true),
    version: assumed(Version::V311),
    notices_close: true,
    own: None,
    note: "",
};

impl Client {
    /// All of them, libraries first, then the SDKs of clouds, then brownout's own.
    pub fn all() -> impl Iterator<Item = &'static Client> {
        libraries::ALL.iter().chain(azure::ALL).chain(own::ALL)
    }

    /// The client of this name.
    ///
    /// # Errors
    /// There is none; in words that list them.
    pub fn named(name: &str) -> Result<&'static Client, String> {
        Client::all().find(|client| client.name == name).ok_or_else(|| {
            let all: Vec<&str> = Client::all().map(|client| client.name).collect();
            format!("`{name}` is not a client; write one of {}", all.join(", "))
        })
    }

    /// Its habits with this keep-alive, idle. A keep-alive of zero is none, and no pings.
    pub fn habits(&self, client_id: impl Into<String>, keep_alive: Duration) -> Habits {
        if let Some(preset) = self.own {
            return preset.habits(client_id, keep_alive);
        }
        let k =
            if keep_alive.is_zero() { Duration::from_secs(self.keep_alive.value.into()) } else { keep_alive };
        Habits {
            version: self.version.value,
            ping: self.ping.value,
            ping_interval: self.ping_interval.value.of(k),
            ping_timeout: self.ping_timeout.value.map(|wait| wait.of(k)),
            check_every: self.check_every.value.of(k),
            connect_timeout: self.connect_timeout.value.of(k),
            backoff: self.redial.value.backoff(),
            clean_session: self.clean_session.value,
            notices_close: self.notices_close,
            ..Preset::Typical.habits(client_id, keep_alive)
        }
    }

    /// What of it is only assumed, in words; empty where all has a source.
    pub fn assumptions(&self) -> Vec<&'static str> {
        let by = [
            (self.keep_alive.by, "the keep-alive"),
            (self.ping.by, "when it pings"),
            (self.ping_interval.by, "the ping interval"),
            (self.ping_timeout.by, "the wait for PINGRESP"),
            (self.check_every.by, "how often it looks at its clocks"),
            (self.connect_timeout.by, "the connect time-out"),
            (self.redial.by, "the back-off"),
            (self.clean_session.by, "clean session"),
            (self.version.by, "the version of MQTT"),
        ];
        by.into_iter().filter(|(by, _)| *by == Evidence::Assumed).map(|(_, what)| what).collect()
    }
}

#[cfg(test)]
mod tests;
