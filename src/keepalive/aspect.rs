//! What tells combinations apart: the aspects of a case, with their names, their values as text, and what of them is asked for.

use super::model::{Case, Sweep};
use crate::base::span::{parse_fixed, show_fixed};
use crate::base::text::glob;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// An aspect of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Whose habits the device has.
    Client,
    /// The keep-alive.
    KeepAlive,
    /// How long the device waits for PINGRESP.
    PingTimeout,
    /// How it waits before it dials again.
    BackOff,
    /// The outages.
    Outages,
    /// When the path forgets an idle connection.
    PathIdle,
    /// The share of segments lost.
    Loss,
}

impl Aspect {
    /// All of them, in the order of tables.
    pub const ALL: [Aspect; 7] = [
        Aspect::KeepAlive,
        Aspect::Client,
        Aspect::PingTimeout,
        Aspect::BackOff,
        Aspect::Outages,
        Aspect::PathIdle,
        Aspect::Loss,
    ];

    /// Its name in `where` and in files.
    pub fn key(self) -> &'static str {
        match self {
            Aspect::Client => "client",
            Aspect::KeepAlive => "keepalive",
            Aspect::PingTimeout => "ping_timeout",
            Aspect::BackOff => "back_off",
            Aspect::Outages => "outages",
            Aspect::PathIdle => "path_idle",
            Aspect::Loss => "loss",
        }
    }

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Aspect::Client => "client",
            Aspect::KeepAlive => "keep-alive",
            Aspect::PingTimeout => "ping timeout",
            Aspect::BackOff => "back-off",
            Aspect::Outages => "outages",
            Aspect::PathIdle => "path idle",
            Aspect::Loss => "loss",
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Aspect::Client => "whose habits the device has",
            Aspect::KeepAlive => "the keep-alive",
            Aspect::PingTimeout => "how long the device waits for PINGRESP",
            Aspect::BackOff => "how the device waits before it dials again",
            Aspect::Outages => "the outages of the path",
            Aspect::PathIdle => "after how long without a packet the path forgets a connection",
            Aspect::Loss => "the share of segments that the path loses",
        }
    }

    /// The value that a case has, as text: `none` for no keep-alive, `never` for a ping timeout or an idle timeout that never comes.
    pub fn of(self, case: &Case) -> String {
        match self {
            Aspect::Client => case.client.clone(),
            Aspect::KeepAlive if case.keep_alive == 0 => "none".into(),
            Aspect::KeepAlive => format!("{}s", case.keep_alive),
            Aspect::PingTimeout => span(case.ping_timeout_ns),
            Aspect::BackOff => case.back_off.clone(),
            Aspect::Outages => case.outages.clone(),
            Aspect::PathIdle => span(case.path_idle_ns),
            Aspect::Loss => percent(case.loss),
        }
    }

    /// Whether a case has this value: a number or a time by what it says (`60`, `60s`, `1m`, `none`, `1%`), a text by a glob
    /// (`paho-*`). Of numbers, times and clients several may be given, with commas between them.
    ///
    /// # Errors
    /// A number or a time that is none.
    pub fn matches(self, case: &Case, wanted: &str) -> Result<bool, String> {
        match self {
            Aspect::Client => Ok(wanted.split(',').any(|one| glob(one.trim(), &case.client))),
            Aspect::BackOff => Ok(glob(wanted, &case.back_off)),
            Aspect::Outages => Ok(glob(wanted, &case.outages)),
            Aspect::KeepAlive => {
                let has = Some(Duration::from_secs(u64::from(case.keep_alive))).filter(|has| !has.is_zero());
                any(wanted, |one| Ok(seconds(one)?.filter(|one| !one.is_zero()) == has))
            }
            Aspect::PingTimeout => any(wanted, |one| is_time(one, case.ping_timeout_ns)),
            Aspect::PathIdle => any(wanted, |one| is_time(one, case.path_idle_ns)),
            Aspect::Loss => any(wanted, |one| Ok((share(one)? - case.loss).abs() < 1e-9)),
        }
    }

    /// Whether this can be asked for.
    ///
    /// # Errors
    /// As [`matches`](Aspect::matches).
    pub fn check(self, wanted: &str) -> Result<(), String> {
        if wanted.trim().is_empty() {
            return Err("no value is given".into());
        }
        match self {
            Aspect::Client | Aspect::BackOff | Aspect::Outages => Ok(()),
            Aspect::KeepAlive | Aspect::PingTimeout | Aspect::PathIdle => {
                any(wanted, |one| seconds(one).map(|_| false)).map(drop)
            }
            Aspect::Loss => any(wanted, |one| share(one).map(|_| false)).map(drop),
        }
    }
}

fn any(wanted: &str, is_it: impl Fn(&str) -> Result<bool, String>) -> Result<bool, String> {
    let mut found = false;
    for one in wanted.split(',') {
        found |= is_it(one.trim())?;
    }
    Ok(found)
}

fn is_time(wanted: &str, has_ns: Option<u64>) -> Result<bool, String> {
    Ok(seconds(wanted)? == has_ns.map(Duration::from_nanos))
}

/// A time, in seconds where it has no unit; `none`, `never`, `off` for none.
fn seconds(text: &str) -> Result<Option<Duration>, String> {
    if matches!(text, "none" | "never" | "off") {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(number) => Ok(Some(Duration::from_secs(u64::from(number)))),
        Err(_) => parse_fixed(text).map(Some),
    }
}

/// A share: `1%` or `0.01`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    if matches!(text, "none") {
        return Ok(0.0);
    }
    let (number, part) = text.strip_suffix('%').map_or((text, 1.0), |number| (number.trim_end(), 100.0));
    let share = number.parse::<f64>().ok().filter(|number| (0.0..=part).contains(number));
    share
        .map(|number| number / part)
        .ok_or_else(|| format!("`{text}` is not a share from 0 to 1 or 0% to 100%"))
}

fn span(ns: Option<u64>) -> String {
    ns.map_or_else(|| "never".into(), |ns| show_fixed(Duration::from_nanos(ns)))
}

/// A share as per cent, without the noise of binary fractions.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.6}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The values that the cases of a sweep have in an aspect, in the order of their first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Which.
    pub aspect: Aspect,
    /// Its values.
    pub values: Vec<String>,
    /// Whether the client and the keep-alive settle it, as its defaults do: then it is no choice of its own.
    pub follows: bool,
}

impl Axis {
    /// Whether it tells cases apart by itself.
    pub fn is_choice(&self) -> bool {
        self.values.len() > 1 && !self.follows
    }

    /// What to say behind its values.
    pub fn note(&self) -> &'static str {
        if self.values.len() > 1 && self.follows { " (by client and keep-alive)" } else { "" }
    }
}

/// An axis for each aspect, also of those with one value.
pub fn axes(sweep: &Sweep) -> Vec<Axis> {
    Aspect::ALL.iter().map(|aspect| axis(*aspect, sweep)).collect()
}

fn axis(aspect: Aspect, sweep: &Sweep) -> Axis {
    let (mut known, mut values) = (BTreeSet::new(), Vec::new());
    for row in &sweep.cases {
        let value = aspect.of(&row.case);
        if !known.contains(&value) {
            known.insert(value.clone());
            values.push(value);
        }
    }
    Axis { aspect, values, follows: follows(aspect, sweep) }
}

/// Whether no two cases of the same client and keep-alive differ in it, though others do.
fn follows(aspect: Aspect, sweep: &Sweep) -> bool {
    let own = match aspect {
        Aspect::PingTimeout | Aspect::BackOff => true,
        Aspect::Client | Aspect::KeepAlive | Aspect::Outages | Aspect::PathIdle | Aspect::Loss => false,
    };
    let mut of: BTreeMap<(&str, u16), String> = BTreeMap::new();
    own && sweep.cases.iter().all(|row| {
        let value = aspect.of(&row.case);
        *of.entry((&row.case.client, row.case.keep_alive)).or_insert_with(|| value.clone()) == value
    })
}

/// The aspects in which the cases of a sweep differ, but for those that follow from others.
pub fn varying(axes: &[Axis]) -> Vec<Aspect> {
    axes.iter().filter(|axis| axis.is_choice()).map(|axis| axis.aspect).collect()
}

/// A case by these aspects: `keep-alive 60s, client paho-python`.
pub fn describe(case: &Case, aspects: &[Aspect]) -> String {
    let told: Vec<String> =
        aspects.iter().map(|aspect| format!("{} {}", aspect.name(), aspect.of(case))).collect();
    if told.is_empty() { "the only combination".into() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::fixtures::{case, row, sweep_of};

    #[test]
    fn what_follows_from_the_client_and_the_keep_alive_is_no_choice() {
        let mut sweep = sweep_of(vec![row(30, 40, 1), row(60, 70, 1), row(60, 70, 1)]);
        sweep.cases[0].case.ping_timeout_ns = Some(30_000_000_000);
        sweep.cases[2].case.client = "mosquitto".into();
        sweep.cases[2].case.back_off = "fixed:1s".into();
        assert_eq!(varying(&axes(&sweep)), [Aspect::KeepAlive, Aspect::Client]);
        sweep.cases[2].case.client = "paho-python".into();
        assert_eq!(varying(&axes(&sweep)), [Aspect::KeepAlive, Aspect::BackOff]);
    }

    #[test]
    fn values_are_asked_for_in_any_way_of_writing_them() {
        let case = Case { loss: 0.07, path_idle_ns: None, ..case(60) };
        for (aspect, wanted, expected) in [
            (Aspect::KeepAlive, "60", true),
            (Aspect::KeepAlive, "1m", true),
            (Aspect::KeepAlive, "30, 60s", true),
            (Aspect::KeepAlive, "none", false),
            (Aspect::PingTimeout, "10", true),
            (Aspect::PingTimeout, "never", false),
            (Aspect::PathIdle, "never", true),
            (Aspect::Loss, "7%", true),
            (Aspect::Loss, "0.07", true),
            (Aspect::Client, "paho-*", true),
            (Aspect::Client, "mosquitto,paho-python", true),
            (Aspect::Client, "paho", false),
            (Aspect::BackOff, "exponential:*", true),
        ] {
            assert_eq!(aspect.matches(&case, wanted), Ok(expected), "{aspect:?} {wanted}");
        }
        for (aspect, wanted) in [(Aspect::KeepAlive, "60 x"), (Aspect::Loss, "120%"), (Aspect::PathIdle, "x")]
        {
            assert!(
                aspect.matches(&case, wanted).is_err() && aspect.check(wanted).is_err(),
                "{aspect:?} {wanted}"
            );
        }
        assert_eq!(Aspect::Loss.of(&case), "7%");
    }
}
