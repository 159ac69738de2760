//! A case, simulated: the scenario that it is, and the figures that come of it.
//!
//! Owns how a case becomes a run. A dark outage is a blackhole at packet fidelity, in which connects vanish; one that loses a
//! share of the segments is a `loss`; the path's idle timeout is an `idle_timeout` by which packets vanish. The device begins
//! with the run. Outages are drawn at any place, and so fall on any phase of its pings.
//!
//! Deliberately absent: threads. A case depends on nothing but itself, the terms and what is recorded in traces.

mod fleet;
mod scenario;
#[cfg(test)]
mod tests;

use super::access::{Access, Radio};
use super::axes::span_keep_alive;
use super::clients::Client;
use super::hubs::Manner;
use super::model::{Case, Figures, Terms};
use super::outages::{Outages, Spell};
use super::tally::{Account, Beat, Tally, Watch};
use crate::base::{Chance, Time, time};
use crate::device::{Backoff, Habits, Workload};
use crate::mqtt::QoS;
use crate::sim::{self, Kernel, Link, Sight};
use std::sync::Arc;
use std::time::Duration;

pub use fleet::{MOST_DEVICES, MOST_STORMS};

/// How long a run goes on after its span beside keep-alives and ping timeouts: the kernel's own patience with what is not
/// acknowledged (924.6 s), and some.
const AFTER: Duration = Duration::from_secs(1_000);

/// The longest that a run goes on after its span and its last outage.
const MOST_AFTER: Duration = Duration::from_secs(4 * 3600);

/// No device sends messages faster than this.
const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// The longest round trip that is simulated.
const MOST_ROUND_TRIP: Duration = Duration::from_secs(60);

/// What a case came to.
///
/// # Errors
/// Words that are none of the case's axes or of the terms'; outages from a trace, which take a [`Bench`] that has it.
pub fn evaluate(case: &Case, terms: &Terms) -> Result<Figures, String> {
    Bench::new(terms, Vec::new())?.figures(case)
}

/// Evaluates cases under the same terms.
#[derive(Clone, Debug)]
pub struct Bench {
    seed: u64,
    span: Duration,
    late: Duration,
    workload: Workload,
    manner: &'static Manner,
    access: &'static Access,
    link: Link,
    fleet: u32,
    /// Those that were read, by their text.
    traces: Vec<(String, Outages)>,
}

/// A case, its words understood.
struct Setting {
    habits: Habits,
    outages: Outages,
    /// Those of the span.
    spells: Arc<[Spell]>,
    path_idle: Option<Duration>,
    link: Link,
}

impl Bench {
    /// For these terms, and outages from traces that have been read.
    ///
    /// # Errors
    /// What is wrong with the terms.
    pub fn new(terms: &Terms, traces: Vec<Outages>) -> Result<Bench, String> {
        let round_trip = Duration::from_nanos(terms.round_trip_ns);
        if round_trip > MOST_ROUND_TRIP {
            return Err("a round trip of more than a minute is not simulated".into());
        }
        if terms.fleet > MOST_DEVICES {
            return Err(format!("a fleet of {} is more than {MOST_DEVICES} devices", terms.fleet));
        }
        let workload =
            terms.workload.parse().map_err(|error: crate::device::BadWorkload| error.to_string())?;
        Ok(Bench {
            seed: terms.seed,
            span: Duration::from_nanos(terms.span_ns),
            late: Duration::from_nanos(terms.late_ns),
            workload,
            manner: Manner::named(&terms.hub)?,
            access: Access::named(&terms.access)?,
            link: Link { round_trip, loss: Chance::NEVER, tls: terms.tls, kernel: Kernel::LINUX },
            fleet: terms.fleet,
            traces: traces.into_iter().map(|trace| (trace.to_string(), trace)).collect(),
        })
    }

    /// What a case came to.
    ///
    /// # Errors
    /// As of [`evaluate`].
    pub fn figures(&self, case: &Case) -> Result<Figures, String> {
        self.account(case).map(|account| account.figures)
    }

    /// The same, with each outage that struck.
    ///
    /// # Errors
    /// As of [`evaluate`].
    pub fn account(&self, case: &Case) -> Result<Account, String> {
        let setting = self.setting(case)?;
        let mut account = self.alone(&setting)?;
        account.figures.storm_peak = self.storm(&setting)?;
        Ok(account)
    }

    fn setting(&self, case: &Case) -> Result<Setting, String> {
        let client = Client::named(&case.client)?;
        let mut habits = client.habits("device", Duration::from_secs(case.keep_alive.into()));
        habits.ping_timeout = case.ping_timeout_ns.map(Duration::from_nanos);
        habits.backoff = case.back_off.parse::<Backoff>().map_err(|error| error.to_string())?;
        habits.workload = self.workload.clone();
        let outages = self.outages(&case.outages)?;
        outages.check(self.span)?;
        let loss =
            Chance::new(case.loss).ok_or_else(|| format!("a loss of {} is not from 0 to 1", case.loss))?;
        let loss = outages.good_loss().map_or(loss, |good| loss.or(good));
        Ok(Setting {
            habits,
            spells: outages.spells(self.seed, self.span).into(),
            outages,
            path_idle: case.path_idle_ns.map(Duration::from_nanos),
            link: Link { loss, ..self.link },
        })
    }

    fn outages(&self, text: &str) -> Result<Outages, String> {
        match self.traces.iter().find(|(name, _)| name == text) {
            Some((_, read)) => Ok(read.clone()),
            None => text.parse::<Outages>().map_err(|error| error.to_string()),
        }
    }

    /// One device, for the whole span.
    fn alone(&self, setting: &Setting) -> Result<Account, String> {
        let until = Time::ZERO + self.span + setting.after(self.span);
        let scenario = setting.scenario(self, &setting.spells, (Time::ZERO, until), self.seed);
        let mut tally = Tally::new(Watch {
            spells: Arc::clone(&setting.spells),
            is_dark: setting.outages.is_dark(),
            span: self.span,
            round_trip: self.link.round_trip,
            late: self.late,
            beat: beat(&setting.habits),
            forgets: setting.forgets(),
        });
        let mut radio = Radio::new(self.access);
        let span = Time::ZERO + self.span;
        sim::run(&scenario, &mut |at, sight| {
            if at < span && matches!(sight, Sight::Segment { .. }) {
                radio.active(at);
            }
            tally.push(at, sight);
        })?;
        let mut account = tally.finish(until);
        account.figures.wake_ups = radio.wake_ups();
        account.figures.awake_ns = time::nanos(radio.awake_until(span));
        Ok(account)
    }
}

impl Setting {
    /// How long the run goes on after its span, for what began in it: the rest of the last outage, three times what the slower
    /// of the two ends waits, and the kernel's patience.
    fn after(&self, span: Duration) -> Duration {
        let rest = self.spells.last().map_or(Duration::ZERO, |last| last.end().since(Time::ZERO + span));
        let slower = self.habits.keep_alive.max(self.habits.ping_timeout.unwrap_or_default());
        let timers = slower.saturating_mul(3).saturating_add(AFTER);
        rest.saturating_add(timers.min(MOST_AFTER))
    }
}

/// When the device's messages are due.
fn beat(habits: &Habits) -> Option<Beat> {
    match &habits.workload {
        Workload::Publishing { qos, every, times, .. } => {
            let seconds = u16::try_from(habits.keep_alive.as_secs()).unwrap_or(u16::MAX);
            let every = every.resolve(span_keep_alive(seconds)).max(LEAST_INTERVAL);
            Some(Beat { every, times: *times, is_acknowledged: *qos != QoS::AtMostOnce })
        }
        Workload::Idle | Workload::Subscribing { .. } => None,
    }
}
