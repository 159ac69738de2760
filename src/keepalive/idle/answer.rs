//! The answer of a search: one model that its text and its JSON are made from.

use super::known::Known;
use super::outcome::{End, Outcome, Void};
use super::search::{Search, State};
use crate::base::time::nanos;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of [`Answer`]'s JSON.
pub const VERSION: u32 = 1;

/// The answer. In JSON, fields that end in `_ns` are nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`].
    pub brownout_path: u32,
    /// Under which circumstances it was found.
    pub circumstances: Circumstances,
    /// What was found.
    pub found: Found,
    /// The evidence in figures.
    pub findings: Findings,
    /// What was seen of other traffic on the same path.
    pub beside: Beside,
    /// The longest ping interval that is advised for this path, where it has a timeout.
    pub ping_interval_ns: Option<u64>,
    /// Every probe that came to an end.
    pub probes: Vec<Probed>,
}

/// Under which circumstances an answer was found, in words that can be typed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Circumstances {
    /// `host:port`.
    pub upstream: String,
    /// Whether TLS was spoken.
    pub tls: bool,
    /// The MQTT version.
    pub mqtt: String,
    /// The keep-alive in CONNECT, seconds; 0 is none.
    pub keep_alive: u16,
    /// The hub's, where it gave one in CONNACK [MQTT-3.2.2-21].
    pub server_keep_alive: Option<u16>,
    /// From PINGREQ to PINGRESP on the connection that is kept busy, the fastest; `None`: none came.
    pub round_trip_ns: Option<u64>,
    /// For how long an answer was awaited.
    pub answer_within_ns: u64,
    /// The longest span that was to be tried.
    pub to_ns: u64,
    /// How long it all took.
    pub took_ns: u64,
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The path forgets idle connections.
    Forgets,
    /// It holds them, up to the longest span that was tried.
    Holds,
    /// The hub, or a proxy that stands in for it, ends idle connections before the path forgets them.
    HubEnds,
    /// The other side does not let connections be idle for longer: it sends TCP segments by itself.
    NeverIdle,
    /// The path or the hub was down too often to say anything.
    Down,
    /// The search was ended before there was anything to say.
    Nothing,
}

/// The evidence of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Whether the bracket is as narrow as it was asked for, or nothing was lost up to the longest span.
    pub complete: bool,
    /// Up to here no connection was lost; `None`: none was outlived.
    pub alive_to_ns: Option<u64>,
    /// The shortest span that lost one.
    pub lost_from_ns: Option<u64>,
    /// From here on every connection was lost. More than [`Findings::lost_from_ns`]: between the two some were, and some not.
    pub always_lost_from_ns: Option<u64>,
    /// The longest span that was outlived.
    pub longest_alive_ns: Option<u64>,
    /// Whether a span was lost though a longer one was outlived, by more than was asked to be told apart.
    pub contradicts: bool,
    /// How the shortest was lost.
    pub how: Option<End>,
    /// How often each end was seen.
    pub ends: Vec<(End, usize)>,
    /// A single loss that was repeated, outlived each time, and is not counted.
    pub stray_ns: Option<u64>,
    /// Probes that said nothing and were made again, by reason.
    pub void: Vec<(Void, usize)>,
    /// Probes that were not waited for.
    pub unawaited: u32,
}

/// What other connections through the same path showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// How often the connection that is kept busy pinged.
    pub data_every_ns: u64,
    /// For how long it was up at the end.
    pub data_up_ns: u64,
    /// Whether it stayed up for longer than the spans that others were lost at; `None`: there is nothing to tell it by.
    pub data_refreshes: Option<bool>,
    /// How often TCP keepalive probes were sent on a connection without other traffic.
    pub tcp_keepalive_every_ns: u64,
    /// Whether that outlived the spans that others were lost at; `None`: there is nothing to tell it by.
    pub tcp_keepalive_refreshes: Option<bool>,
}

/// What other connections through the same path did meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// How often the one that is kept busy pinged at last.
    pub data_every: Duration,
    /// For how long it has been up without a break.
    pub data_up: Duration,
    /// How often TCP keepalive probes were sent on one without other traffic.
    pub tcp_every: Duration,
    /// For how long that one had no other traffic, and whether it was alive then; `None`: not known.
    pub tcp: Option<(Duration, bool)>,
}

impl Beside {
    /// What company says in the light of what the path forgets.
    fn of(known: &Known, company: Company) -> Beside {
        let forgets = known.how.is_some_and(End::is_of_the_path);
        let whole = known.whole().filter(|_| forgets);
        Beside {
            data_every_ns: nanos(company.data_every),
            data_up_ns: nanos(company.data_up),
            data_refreshes: whole.filter(|whole| company.data_up > whole.lost).map(|_| true),
            tcp_keepalive_every_ns: nanos(company.tcp_every),
            tcp_keepalive_refreshes: whole.zip(company.tcp).and_then(|(whole, (idle, alive))| {
                // Probes that are rarer than the path forgets say nothing where they fail.
                let is_told = idle > whole.lost && (alive || company.tcp_every < whole.alive);
                is_told.then_some(alive)
            }),
        }
    }
}

/// A probe that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Its wave, from 1.
    pub wave: u32,
    /// For how long its connection was idle.
    pub idle_ns: u64,
    /// From PINGREQ to PINGRESP; `None`: none came.
    pub answered_ns: Option<u64>,
    /// How it was lost; `None`: it was not.
    pub end: Option<End>,
    /// Why it says nothing.
    pub void: Option<Void>,
}

impl Circumstances {
    /// The keep-alive that the hub goes by, seconds; 0 is none.
    pub fn in_force(&self) -> u16 {
        self.server_keep_alive.unwrap_or(self.keep_alive)
    }

    fn in_force_ns(&self) -> u64 {
        match self.in_force() {
            0 => u64::MAX,
            seconds => u64::from(seconds) * 1_000_000_000,
        }
    }
}

impl Found {
    /// By what is known.
    fn of(state: State, known: &Known) -> Found {
        match (known.how, known.longest_alive) {
            (Some(End::Refreshed), _) => Found::NeverIdle,
            (Some(end), _) if end.is_of_the_path() => Found::Forgets,
            (Some(_), _) => Found::HubEnds,
            (None, Some(_)) => Found::Holds,
            (None, None) if state == State::GivenUp => Found::Down,
            (None, None) => Found::Nothing,
        }
    }
}

impl Findings {
    fn of(search: &Search, known: &Known, probes: &[Probed]) -> Findings {
        let span = |span: Option<Duration>| span.map(nanos);
        let first = known.first;
        let alive_to = first.map_or(known.longest_alive, |edge| Some(edge.alive));
        let ended = u32::try_from(probes.len()).unwrap_or(u32::MAX);
        Findings {
            complete: search.state() == State::Done,
            alive_to_ns: span(alive_to.filter(|alive| !alive.is_zero())),
            lost_from_ns: span(first.map(|edge| edge.lost)),
            always_lost_from_ns: span(known.last.map(|edge| edge.lost)),
            longest_alive_ns: span(known.longest_alive),
            contradicts: search.contradicts(),
            how: known.how,
            ends: known.ends.clone(),
            stray_ns: span(known.stray),
            void: voids(probes),
            unawaited: search.made().saturating_sub(ended),
        }
    }
}

fn voids(probes: &[Probed]) -> Vec<(Void, usize)> {
    let all = [Void::NoConnection, Void::Down, Void::ControlLost, Void::NoFreshConnection];
    let count = |why| probes.iter().filter(|probe| probe.void == Some(why)).count();
    all.into_iter().map(|why| (why, count(why))).filter(|(_, count)| *count > 0).collect()
}

impl Answer {
    /// What a search says by now.
    pub fn of(
        search: &Search,
        circumstances: Circumstances,
        company: Company,
        probes: Vec<Probed>,
    ) -> Answer {
        let known = search.known();
        let found = Found::of(search.state(), &known);
        let findings = Findings::of(search, &known, &probes);
        let beside = Beside::of(&known, company);
        let ping_interval_ns = match found {
            Found::Forgets => findings.alive_to_ns.map(interval),
            // The hub holds a client to its keep-alive, whatever else it does.
            Found::HubEnds => {
                findings.alive_to_ns.map(|alive| interval(alive).min(circumstances.in_force_ns()))
            }
            Found::Holds | Found::NeverIdle | Found::Down | Found::Nothing => None,
        };
        Answer { brownout_path: VERSION, circumstances, found, findings, beside, ping_interval_ns, probes }
    }

    /// As JSON.
    ///
    /// # Errors
    /// None is known.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }
}

/// Three quarters of what was always outlived: a ping that comes late by a tenth of its interval, as clients' timers do, still has
/// time to be sent again when it is lost. In whole seconds where there are some.
fn interval(alive_ns: u64) -> u64 {
    let exact = alive_ns / 4 * 3;
    match exact {
        10_000_000_000.. => exact / 1_000_000_000 * 1_000_000_000,
        0..10_000_000_000 => exact / 100_000_000 * 100_000_000,
    }
}

impl Outcome {
    /// How it was lost.
    pub fn end(self) -> Option<End> {
        match self {
            Outcome::Alive => None,
            Outcome::Lost(end) => Some(end),
        }
    }
}
