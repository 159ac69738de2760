//! The axes of a sweep, and the cases that they span.

use super::clients::Client;
use super::model::Case;
use super::outages::Outages;
use crate::base::span::{parse_fixed, show_fixed};
use crate::base::units::to_u64;
use crate::base::{Chance, Span, time};
use crate::device::Backoff;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The most cases of a sweep: their figures take some 200 MB, and on two cores the time of a cup of coffee.
pub const MOST_CASES: u64 = 200_000;

/// The longest wait for PINGRESP: longer than any keep-alive.
const MOST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Values of a range of keep-alives, where nothing is said.
const STEPS: u32 = 10;

/// The most values of a range.
const MOST_STEPS: u32 = 1_000;

/// What is varied; the order of the fields is that of the cases, the last turning fastest. None is empty.
#[derive(Clone, Debug)]
pub struct Axes {
    /// Whose habits.
    pub clients: Vec<&'static Client>,
    /// Seconds; `None`: what the client has by default.
    pub keep_alives: Vec<Option<u16>>,
    /// How long PINGRESP is waited for.
    pub ping_timeouts: Vec<PingTimeout>,
    /// How the device waits before it dials again; `None`: as the client does by default.
    pub back_offs: Vec<Option<Backoff>>,
    /// When the path is gone.
    pub outages: Vec<Outages>,
    /// After how long without a packet the path forgets a connection; `None`: never.
    pub path_idles: Vec<Option<Duration>>,
    /// The share of segments lost.
    pub losses: Vec<Chance>,
}

/// How long PINGRESP is waited for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PingTimeout {
    /// As long as the client does by default.
    Default,
    /// For ever: it is not looked for.
    Never,
    /// So long.
    After(Span),
}

/// Keep-alives as they are typed: `60s`, `default`, or the range `30s..20m`, which is ten values whose ratio is the same;
/// `30s..20m/5` is five.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepAlives(pub Vec<Option<u16>>);

/// A path's idle timeout as it is typed: a time, or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathIdle(pub Option<Duration>);

/// A back-off as it is typed: that of [`Backoff`], or `default`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackOff(pub Option<Backoff>);

impl Axes {
    /// How many cases there are.
    ///
    /// # Errors
    /// More than [`MOST_CASES`]: how many, and the longest axis, in words.
    pub fn count(&self) -> Result<u64, String> {
        let lengths = self.lengths();
        let product =
            lengths.iter().try_fold(1u64, |product, (_, length)| product.checked_mul(to_u64(*length)));
        match product {
            Some(count) if count <= MOST_CASES => Ok(count),
            count => {
                let (name, length) =
                    lengths.into_iter().max_by_key(|(_, length)| *length).unwrap_or_default();
                let count = count.map_or_else(|| "too many".to_owned(), |count| count.to_string());
                Err(format!(
                    "{count} combinations are more than {MOST_CASES}; give fewer values, of --{name} first, which has {length}"
                ))
            }
        }
    }

    /// Refuses waits for PINGRESP of more than a day, at the longest keep-alive that they go by.
    ///
    /// # Errors
    /// Which it is, in words.
    pub fn check_waits(&self) -> Result<(), String> {
        let defaults = self.clients.iter().map(|client| client.keep_alive.value);
        let given = self.keep_alives.iter().copied();
        let longest = given.flat_map(|given| given.map_or_else(|| defaults.clone().max(), Some)).max();
        let keep_alive = span_keep_alive(longest.unwrap_or_default());
        for wait in &self.ping_timeouts {
            if let PingTimeout::After(span) = wait
                && span.resolve(keep_alive) > MOST_WAIT
            {
                let (most, keep_alive) = (show_fixed(MOST_WAIT), show_fixed(keep_alive));
                return Err(format!(
                    "--ping-timeout: `{span}` is more than {most} at a keep-alive of {keep_alive}"
                ));
            }
        }
        Ok(())
    }

    fn lengths(&self) -> [(&'static str, usize); 7] {
        [
            ("client", self.clients.len()),
            ("keep-alive", self.keep_alives.len()),
            ("ping-timeout", self.ping_timeouts.len()),
            ("back-off", self.back_offs.len()),
            ("outages", self.outages.len()),
            ("path-idle", self.path_idles.len()),
            ("loss", self.losses.len()),
        ]
    }

    /// All cases, in order.
    pub fn cases(&self) -> impl Iterator<Item = Case> {
        (0..).map_while(|number| self.case(number))
    }

    /// The case of this number, from 0.
    pub fn case(&self, number: u64) -> Option<Case> {
        let mut rest = number;
        let mut places = [0; 7];
        for (place, (_, length)) in places.iter_mut().zip(self.lengths()).rev() {
            let length = u64::try_from(length).ok()?;
            *place = usize::try_from(rest.checked_rem(length)?).ok()?;
            rest = rest.checked_div(length)?;
        }
        if rest > 0 {
            return None;
        }
        let [client, keep_alive, ping_timeout, back_off, outages, path_idle, loss] = places;
        let (client, keep_alive) = (*self.clients.get(client)?, *self.keep_alives.get(keep_alive)?);
        let keep_alive = keep_alive.unwrap_or(client.keep_alive.value);
        let habits = client.habits("device", Duration::from_secs(keep_alive.into()));
        let ping_timeout = match *self.ping_timeouts.get(ping_timeout)? {
            PingTimeout::Default => habits.ping_timeout,
            PingTimeout::Never => None,
            PingTimeout::After(span) => Some(span.resolve(span_keep_alive(keep_alive))),
        };
        Some(Case {
            client: client.name.to_owned(),
            keep_alive,
            ping_timeout_ns: ping_timeout.map(time::nanos),
            back_off: self.back_offs.get(back_off)?.unwrap_or(habits.backoff).to_string(),
            outages: self.outages.get(outages)?.to_string(),
            path_idle_ns: self.path_idles.get(path_idle)?.map(time::nanos),
            loss: self.losses.get(loss)?.get(),
        })
    }
}

/// The keep-alive that spans go by; 60 s where there is none, as in [`Habits`](crate::device::Habits).
pub(super) fn span_keep_alive(keep_alive: u16) -> Duration {
    Duration::from_secs(if keep_alive == 0 { 60 } else { keep_alive.into() })
}

impl FromStr for PingTimeout {
    type Err = String;

    fn from_str(text: &str) -> Result<PingTimeout, String> {
        match text.trim() {
            "default" => Ok(PingTimeout::Default),
            "never" => Ok(PingTimeout::Never),
            span => match span.parse::<Span>().map_err(|error| error.to_string())? {
                span if span.is_zero() => Err("a ping timeout is more than 0, `default` or `never`".into()),
                span => Ok(PingTimeout::After(span)),
            },
        }
    }
}

impl FromStr for PathIdle {
    type Err = String;

    fn from_str(text: &str) -> Result<PathIdle, String> {
        match text.trim() {
            "never" => Ok(PathIdle(None)),
            time => match parse_fixed(time)
                .map_err(|problem| format!("{problem}; write a time such as `240s`, or `never`"))?
            {
                time if time < Duration::from_secs(1) => {
                    Err(format!("`{text}` is less than a second; no path forgets so soon"))
                }
                time => Ok(PathIdle(Some(time))),
            },
        }
    }
}

impl FromStr for BackOff {
    type Err = String;

    fn from_str(text: &str) -> Result<BackOff, String> {
        match text.trim() {
            "default" => Ok(BackOff(None)),
            other => other
                .parse()
                .map(|back_off| BackOff(Some(back_off)))
                .map_err(|error: crate::device::BadBackoff| error.to_string()),
        }
    }
}

impl FromStr for KeepAlives {
    type Err = String;

    fn from_str(text: &str) -> Result<KeepAlives, String> {
        let text = text.trim();
        if text == "default" {
            return Ok(KeepAlives(vec![None]));
        }
        let Some((first, rest)) = text.split_once("..") else {
            return Ok(KeepAlives(vec![Some(seconds(text)?)]));
        };
        let (last, steps) = match rest.split_once('/') {
            Some((last, steps)) => (last, parse_steps(steps)?),
            None => (rest, STEPS),
        };
        let (first, last) = (seconds(first)?, seconds(last)?);
        if first == 0 || first >= last {
            return Err(format!("`{text}`: a range goes from a second or more up to something longer"));
        }
        Ok(KeepAlives(range(first, last, steps).into_iter().map(Some).collect()))
    }
}

fn parse_steps(text: &str) -> Result<u32, String> {
    let steps = text.trim().parse().ok().filter(|steps| (2..=MOST_STEPS).contains(steps));
    steps.ok_or_else(|| format!("`{text}`: a range has from 2 to {MOST_STEPS} values"))
}

/// A keep-alive as CONNECT can carry it.
fn seconds(text: &str) -> Result<u16, String> {
    let time = parse_fixed(text)?;
    let seconds = u16::try_from(time.as_secs()).ok().filter(|_| time.subsec_nanos() == 0);
    seconds.ok_or_else(|| {
        format!(
            "`{}`: a keep-alive is of whole seconds, at most {}",
            text.trim(),
            show_fixed(Duration::from_secs(u16::MAX.into()))
        )
    })
}

/// So many values from the first to the last, each in the same ratio to the next, in whole seconds; equal ones once.
fn range(first: u16, last: u16, steps: u32) -> Vec<u16> {
    let ratio = f64::from(last) / f64::from(first);
    let mut values: Vec<u16> = (0..steps)
        .map(|step| {
            let value = f64::from(first) * ratio.powf(f64::from(step) / f64::from(steps - 1));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from `first` to `last`"
            )]
            let value = value.round() as u16;
            value
        })
        .collect();
    values.dedup();
    values
}

impl fmt::Display for PingTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PingTimeout::Default => f.write_str("default"),
            PingTimeout::Never => f.write_str("never"),
            PingTimeout::After(span) => write!(f, "{span}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Axes {
        Axes {
            clients: vec![Client::named("typical").unwrap()],
            keep_alives: vec![Some(60), Some(120)],
            ping_timeouts: vec![PingTimeout::Default],
            back_offs: vec![None],
            outages: vec![Outages::None, Outages::fixed(Duration::from_secs(30))],
            path_idles: vec![None],
            losses: vec![Chance::NEVER, Chance::new(0.01).unwrap()],
        }
    }

    fn keep_alives(text: &str) -> Vec<u16> {
        text.parse::<KeepAlives>().unwrap().0.into_iter().map(|value| value.unwrap_or(0)).collect()
    }

    #[test]
    fn the_last_axis_turns_fastest() {
        let all: Vec<Case> = axes().cases().collect();
        assert_eq!(axes().count(), Ok(8));
        let turned: Vec<(u16, &str, f64)> =
            all.iter().map(|case| (case.keep_alive, case.outages.as_str(), case.loss)).collect();
        assert_eq!(turned[0], (60, "none", 0.0));
        assert_eq!(turned[1], (60, "none", 0.01));
        assert_eq!(turned[2], (60, "fixed:30s,every=1h", 0.0));
        assert_eq!(turned[7], (120, "fixed:30s,every=1h", 0.01));
        assert_eq!(turned.len(), 8);
    }

    #[test]
    fn what_a_case_says_is_resolved_and_reads_back() {
        let timeouts =
            ["default", "never", "0.5 keepalive", "1 keepalive + 2s"].map(|text| text.parse().unwrap());
        let axes = Axes { ping_timeouts: timeouts.into(), losses: vec![Chance::NEVER], ..axes() };
        let waits: Vec<Option<u64>> =
            axes.cases().map(|case| case.ping_timeout_ns.map(|nanos| nanos / 1_000_000_000)).collect();
        assert_eq!(
            waits,
            [60, 0, 30, 62, 120, 0, 60, 122]
                .map(|secs| Some(secs).filter(|secs| *secs > 0))
                .into_iter()
                .flat_map(|wait| [wait, wait])
                .collect::<Vec<_>>()
        );
        for client in Client::all() {
            let axes = Axes { clients: vec![client], keep_alives: vec![None], ..axes.clone() };
            let case = axes.case(0).unwrap();
            assert_eq!((case.client.as_str(), case.keep_alive), (client.name, client.keep_alive.value));
            assert_eq!(
                case.back_off.parse::<Backoff>().unwrap().to_string(),
                case.back_off,
                "{}",
                client.name
            );
        }
    }

    #[test]
    fn too_many_are_refused_and_the_longest_axis_is_named() {
        let many = Axes { keep_alives: (0..50_001).map(Some).collect(), ..axes() };
        let error = many.count().unwrap_err();
        assert!(
            error.contains("200004 combinations") && error.contains("--keep-alive first, which has 50001"),
            "{error}"
        );
        let huge = Axes {
            keep_alives: vec![None; 100_000],
            ping_timeouts: vec![PingTimeout::Never; 100_000],
            back_offs: vec![None; 100_000],
            losses: vec![Chance::NEVER; 100_000],
            ..axes()
        };
        assert!(huge.count().unwrap_err().contains("too many combinations"));
    }

    #[test]
    fn a_wait_of_more_than_a_day_is_refused() {
        let of = |wait: &str| Axes { ping_timeouts: vec![wait.parse().unwrap()], ..axes() }.check_waits();
        assert_eq!(of("24h"), Ok(()));
        assert_eq!(of("720 keepalive"), Ok(()));
        for wait in ["25h", "721 keepalive"] {
            let error = of(wait).unwrap_err();
            assert!(error.ends_with("is more than 24h at a keep-alive of 2m"), "{error}");
        }
    }

    #[test]
    fn keep_alives_are_values_and_ranges() {
        assert_eq!(keep_alives("30s..20m"), [30, 45, 68, 103, 155, 233, 351, 529, 796, 1200]);
        assert_eq!(keep_alives("1s..3s"), [1, 2, 3]);
        assert_eq!(keep_alives("1m..16m/3"), [60, 240, 960]);
        assert_eq!(keep_alives("0s"), [0]);
        assert_eq!("default".parse(), Ok(KeepAlives(vec![None])));
        for (text, problem) in [
            ("60", "`60` has no unit"),
            ("1.5s", "whole seconds"),
            ("20h", "at most 18h 12m 15s"),
            ("0s..1m", "from a second"),
            ("2m..1m", "from a second"),
            ("1m..2m/1", "from 2 to 1000"),
        ] {
            let error = text.parse::<KeepAlives>().unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn other_values_say_what_is_wrong() {
        assert!("0s".parse::<PingTimeout>().unwrap_err().contains("more than 0"));
        assert!("soon".parse::<PingTimeout>().unwrap_err().contains("not a span"));
        assert_eq!("never".parse(), Ok(PathIdle(None)));
        assert_eq!("4m".parse(), Ok(PathIdle(Some(Duration::from_secs(240)))));
        assert!("4".parse::<PathIdle>().unwrap_err().contains("or `never`"));
        assert!("10ms".parse::<PathIdle>().unwrap_err().contains("less than a second"));
        assert_eq!("default".parse(), Ok(BackOff(None)));
        assert!("soon".parse::<BackOff>().unwrap_err().contains("not a back-off"));
    }
}
