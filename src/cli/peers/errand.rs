//! What `brownout suite` tells a device by its environment, where the command line does not say it.

use crate::base::Span;
use crate::cli::exit::Refusal;
use crate::device::Workload;
use crate::mqtt::QoS;
use crate::profile::suite;
use std::time::Duration;

/// What the environment says; `None` where it says nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Errand {
    /// BROWNOUT_WORKLOAD, with BROWNOUT_TOPIC, BROWNOUT_QOS and BROWNOUT_INTERVAL.
    pub workload: Option<Workload>,
    /// BROWNOUT_KEEPALIVE.
    pub keep_alive: Option<Duration>,
    /// BROWNOUT_CLIENT_ID.
    pub client_id: Option<String>,
}

/// Reads it.
pub(super) fn of_environment() -> Result<Errand, Refusal> {
    read(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn read(get: &impl Fn(&str) -> Option<String>) -> Result<Errand, Refusal> {
    let keep_alive = parsed(get, "BROWNOUT_KEEPALIVE", "whole seconds from 0 to 65535", |text| {
        text.parse::<u16>().ok().map(|seconds| Duration::from_secs(seconds.into()))
    })?;
    let wanted = "idle, pub or sub";
    let word = parsed(get, "BROWNOUT_WORKLOAD", wanted, suite::Workload::from_word)?;
    let workload = word.map(|word| workload(word, get)).transpose()?;
    Ok(Errand { workload, keep_alive, client_id: get("BROWNOUT_CLIENT_ID") })
}

fn workload(word: suite::Workload, get: &impl Fn(&str) -> Option<String>) -> Result<Workload, Refusal> {
    let told = parsed(get, "BROWNOUT_QOS", "0, 1 or 2", |text| QoS::from_number(text.parse().ok()?))?;
    let interval = parsed(get, "BROWNOUT_INTERVAL", "seconds from 0.001 to 86400", |text| {
        let seconds = text.parse::<f64>().ok().filter(|seconds| (0.001..=86_400.0).contains(seconds))?;
        Some(Duration::from_secs_f64(seconds))
    })?;
    let mut workload = match word {
        suite::Workload::Idle => Workload::Idle,
        suite::Workload::Pub => Workload::publishing(),
        suite::Workload::Sub => Workload::subscribing(),
    };
    match &mut workload {
        Workload::Idle => {}
        Workload::Publishing { topic, qos, every, .. } => {
            *topic = get("BROWNOUT_TOPIC").unwrap_or(std::mem::take(topic));
            *qos = told.unwrap_or(*qos);
            *every = interval.map_or(*every, Span::fixed);
        }
        Workload::Subscribing { filter, qos } => {
            *filter = get("BROWNOUT_TOPIC").unwrap_or(std::mem::take(filter));
            *qos = told.unwrap_or(*qos);
        }
    }
    Ok(workload)
}

fn parsed<T>(
    get: &impl Fn(&str) -> Option<String>,
    name: &str,
    wanted: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    let Some(text) = get(name) else { return Ok(None) };
    let value = parse(text.trim());
    value
        .map(Some)
        .ok_or_else(|| Refusal::usage(format!("{name} is `{text}` in the environment; it takes {wanted}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[(&str, &str)]) -> Result<Errand, String> {
        let get = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        read(&get).map_err(|refusal| refusal.message)
    }

    #[test]
    fn nothing_said_is_nothing_known() {
        assert_eq!(of(&[("BROWNOUT_TOPIC", "a")]), Ok(Errand::default()));
    }

    #[test]
    fn what_a_suite_says_is_a_workload() {
        let common = [("BROWNOUT_TOPIC", "a/b"), ("BROWNOUT_QOS", "0"), ("BROWNOUT_INTERVAL", "0.5")];
        for (word, expected) in [
            ("idle", "idle"),
            ("pub", "publishing:a/b,every=500ms,qos=0,size=64"),
            ("sub", "subscribing:a/b,qos=0"),
        ] {
            let set = [&[("BROWNOUT_WORKLOAD", word), ("BROWNOUT_KEEPALIVE", "4")][..], &common].concat();
            let errand = of(&set).unwrap();
            assert_eq!(errand.workload.unwrap().to_string(), expected);
            assert_eq!(errand.keep_alive, Some(Duration::from_secs(4)));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("BROWNOUT_WORKLOAD", "busy"),
            ("BROWNOUT_KEEPALIVE", "4s"),
            ("BROWNOUT_QOS", "3"),
            ("BROWNOUT_INTERVAL", "0"),
        ] {
            let told =
                of(&[("BROWNOUT_WORKLOAD", "pub"), (name, value)]
                    [usize::from(name == "BROWNOUT_WORKLOAD")..]);
            assert!(told.unwrap_err().contains(name), "{name}");
        }
    }
}
