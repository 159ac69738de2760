//! What a device does while its link is up.

use crate::base::Span;
use crate::mqtt::{QoS, topic};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Stands for the device's client identifier in topics and filters.
const CLIENT: &str = "{client}";

/// The least time between two messages: a thousand a second from one device.
pub(super) const LEAST_INTERVAL: Duration = Duration::from_millis(1);

/// The largest payload that a device makes.
const MOST_PAYLOAD: usize = 256 * 1024;

/// What a device does. Half-open links are seen or missed by the workload (a client that publishes steadily may never
/// ping), so every fault is worth trying with all three.
///
/// As text: `idle`; `publishing` or `publishing:topic`, with `,every=1s` (also in keep-alives), `,qos=1`,
/// `,size=64`, `,times=1`; `subscribing` or `subscribing:filter`, with `,qos=1`. `{client}` in a topic is the client identifier.
#[derive(Clone, Debug, PartialEq)]
pub enum Workload {
    /// Nothing but its keep-alive.
    Idle,
    /// Messages at an interval.
    Publishing {
        /// Where to.
        topic: String,
        /// With what QoS.
        qos: QoS,
        /// How often.
        every: Span,
        /// Bytes of payload; at least the message's number in it.
        size: usize,
        /// How many messages in the device's whole life, resends not counted; `None`: as many as come.
        times: Option<u64>,
    },
    /// Listens.
    Subscribing {
        /// To what.
        filter: String,
        /// With what QoS at most.
        qos: QoS,
    },
}

/// What is wrong with a workload's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a workload: {problem}; write `idle`, `publishing:topic,every=1s,qos=1,size=64,times=1` or \
     `subscribing:filter,qos=1`, of which all behind the first word may be left away"
)]
pub struct BadWorkload {
    text: String,
    problem: String,
}

impl Workload {
    /// Publishes with QoS 1 four times in a keep-alive: faster than the keep-alive, so that it need never ping.
    pub fn publishing() -> Workload {
        Workload::Publishing {
            topic: format!("devices/{CLIENT}/messages/events/"),
            qos: QoS::AtLeastOnce,
            every: Span::of(0.25, Duration::ZERO),
            size: 64,
            times: None,
        }
    }

    /// Listens with QoS 1 to what is for this device.
    pub fn subscribing() -> Workload {
        Workload::Subscribing {
            filter: format!("devices/{CLIENT}/messages/devicebound/#"),
            qos: QoS::AtLeastOnce,
        }
    }

    /// With the client identifier in the place of `{client}`.
    pub fn of(&self, client_id: &str) -> Workload {
        let mut own = self.clone();
        match &mut own {
            Workload::Idle => {}
            Workload::Publishing { topic: text, .. } | Workload::Subscribing { filter: text, .. } => {
                *text = text.replace(CLIENT, client_id);
            }
        }
        own
    }
}

impl FromStr for Workload {
    type Err = BadWorkload;

    fn from_str(text: &str) -> Result<Workload, BadWorkload> {
        parse(text).map_err(|problem| BadWorkload { text: text.to_owned(), problem })
    }
}

fn parse(text: &str) -> Result<Workload, String> {
    let mut parts = text.split(',').map(str::trim);
    let first = parts.next().unwrap_or_default();
    let (kind, place) = first.split_once(':').map_or((first, None), |(kind, place)| (kind, Some(place)));
    let mut workload = match kind {
        "idle" => Workload::Idle,
        "publishing" => Workload::publishing(),
        "subscribing" => Workload::subscribing(),
        _ => return Err(format!("`{kind}` is not a kind of it")),
    };
    if let Some(place) = place {
        set_place(&mut workload, place)?;
    }
    parts.try_for_each(|option| set_option(&mut workload, option))?;
    Ok(workload)
}

fn set_place(workload: &mut Workload, place: &str) -> Result<(), String> {
    let (checked, text) = match workload {
        Workload::Idle => return Err("`idle` has no topic".into()),
        Workload::Publishing { topic: text, .. } => (topic::check_name(place), text),
        Workload::Subscribing { filter: text, .. } => (topic::check_filter(place), text),
    };
    checked.map_err(|problem| format!("`{place}` {problem}"))?;
    *text = place.to_owned();
    Ok(())
}

fn set_option(workload: &mut Workload, option: &str) -> Result<(), String> {
    let (name, value) = option.split_once('=').unwrap_or((option, ""));
    match (name, workload) {
        ("qos", Workload::Publishing { qos, .. } | Workload::Subscribing { qos, .. }) => {
            let number = value.parse().ok().and_then(QoS::from_number);
            *qos = number.ok_or_else(|| format!("the QoS is 0, 1 or 2, not `{value}`"))?;
        }
        ("every", Workload::Publishing { every, .. }) => {
            *every = value.parse::<Span>().map_err(|error| error.to_string())?;
            if every.is_zero() {
                return Err("`every` is more than 0".into());
            }
        }
        ("times", Workload::Publishing { times, .. }) => {
            let number = value.parse().ok().filter(|&number| number > 0);
            *times = Some(number.ok_or_else(|| format!("`times` is 1 or more, not `{value}`"))?);
        }
        ("size", Workload::Publishing { size, .. }) => {
            let number = value.parse().ok().filter(|&number| number <= MOST_PAYLOAD);
            *size =
                number.ok_or_else(|| format!("the size is from 0 to {MOST_PAYLOAD} bytes, not `{value}`"))?;
        }
        _ => return Err(format!("`{name}` is not one of its options")),
    }
    Ok(())
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Workload::Idle => f.write_str("idle"),
            Workload::Publishing { topic, qos, every, size, times } => {
                write!(f, "publishing:{topic},every={every},qos={qos},size={size}")?;
                times.map_or(Ok(()), |times| write!(f, ",times={times}"))
            }
            Workload::Subscribing { filter, qos } => write!(f, "subscribing:{filter},qos={qos}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows_and_fills_in_what_is_left_away() {
        for text in [
            "idle",
            "publishing:a/{client},every=1s,qos=2,size=10",
            "publishing:a=b&c=d,every=1s,qos=1,size=0,times=2",
            "subscribing:$share/g/a/#,qos=0",
        ] {
            assert_eq!(text.parse::<Workload>().unwrap().to_string(), text);
        }
        assert_eq!("publishing".parse(), Ok(Workload::publishing()));
        let short: Workload = "publishing,qos=0".parse().unwrap();
        assert_eq!(
            short.to_string(),
            "publishing:devices/{client}/messages/events/,every=0.25 keepalive,qos=0,size=64"
        );
        assert_eq!(
            "subscribing".parse::<Workload>().unwrap().of("d1"),
            "subscribing:devices/d1/messages/devicebound/#,qos=1".parse().unwrap()
        );
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, problem) in [
            ("busy", "`busy` is not a kind"),
            ("idle:a", "`idle` has no topic"),
            ("idle,qos=1", "`qos` is not one of its options"),
            ("publishing:a/#", "wildcard"),
            ("subscribing:a#", "MQTT-4.7.1-2"),
            ("publishing,qos=3", "0, 1 or 2"),
            ("publishing,every=5", "`5` has no unit"),
            ("publishing,every=0s", "more than 0"),
            ("publishing,size=1e9", "from 0 to 262144"),
            ("publishing,times=0", "1 or more"),
        ] {
            let error = text.parse::<Workload>().unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
