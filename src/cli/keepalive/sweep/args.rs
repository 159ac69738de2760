//! The arguments of a sweep, and what they mean together.

use crate::base::units::to_u64;
use crate::base::{Chance, time};
use crate::cli::exit::Refusal;
use crate::cli::files::EVENTS;
use crate::cli::keepalive::once;
use crate::cli::number;
use crate::device::Workload;
use crate::keepalive::access::Access;
use crate::keepalive::axes::{Axes, BackOff, KeepAlives, PathIdle, PingTimeout};
use crate::keepalive::clients::Client;
use crate::keepalive::evaluate::{MOST_DEVICES, MOST_STORMS};
use crate::keepalive::expect::Expectation;
use crate::keepalive::hubs::Manner;
use crate::keepalive::model::Terms;
use crate::keepalive::outages::{Outages, trace};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A day, in seconds.
const DAY: f64 = 86_400.0;

/// The most days of one case.
const MOST_DAYS: f64 = 366.0;

/// Its arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Lists are separated by commas; each combination of all values is simulated, at most 200,000. Without options: paho-python, \
ten keep-alives from 30s to 20m, outages of 30s and of 5m, one each hour, on a path that never forgets and on one that does \
after 4m; LTE-M, idle, one day. What each figure means is said in docs/KEEPALIVE.md.

  brownout keepalive sweep --client mqtt.js,azure-python --hub azure \\
    --outages exponential:2m,every=3h --html keepalive.html
  brownout keepalive sweep --keep-alive 60s --ping-timeout default,5s --loss 0%,5%")]
pub struct SweepArgs {
    /// Whose habits the device has: a client's or an SDK's, by its name
    #[arg(long, value_name = "NAMES", default_value = "paho-python", value_delimiter = ',', value_parser = Client::named)]
    pub client: Vec<&'static Client>,
    /// Keep-alives: whole seconds, `0s` for none, `default` for the client's, or a range such as 30s..20m, which is ten values
    /// whose ratio is the same (30s..20m/5: five)
    #[arg(
        long,
        alias = "keepalive",
        value_name = "TIMES",
        default_value = "30s..20m",
        value_delimiter = ','
    )]
    pub keep_alive: Vec<KeepAlives>,
    /// How long PINGRESP is waited for: times, also in keep-alives (`0.5 keepalive`), a day at most, `never`, or `default` for the
    /// client's
    #[arg(long, value_name = "TIMES", default_value = "default", value_delimiter = ',')]
    pub ping_timeout: Vec<PingTimeout>,
    /// How the device waits before it dials again: `none`, `fixed:1s`, `linear:1s`, `exponential:1s..60s,jitter`, or `default`
    /// for the client's; may be given several times
    #[arg(long, value_name = "RULE", default_value = "default")]
    pub back_off: Vec<BackOff>,
    /// Lengths of outages, each short for fixed:LENGTH: one each hour, or each four lengths where that is longer [default:
    /// 30s,5m]
    #[arg(long, value_name = "LENGTHS", value_delimiter = ',', value_parser = length)]
    pub outage: Vec<Outages>,
    /// Outages: `none`; `fixed:5m,every=6h`, one in each 6 hours at a moment that is drawn; `exponential:30s,every=2h`, mean
    /// length and mean time from start to start; `gilbert-elliott:good=2h,bad=30s,loss=50%,good-loss=0.1%`; `trace:FILE`, a CSV
    /// (start,duration) or the events.jsonl of a run or of `observe`, of one device (`,client=ID`); may be given several times
    #[arg(long, value_name = "RULE")]
    pub outages: Vec<Outages>,
    /// After how long without a packet the path forgets a connection: times, or `never` [default: never,4m]
    #[arg(
        long,
        value_name = "TIMES",
        default_value = "never,4m",
        hide_default_value = true,
        value_delimiter = ','
    )]
    pub path_idle: Vec<PathIdle>,
    /// How much of the segments is lost, either way
    #[arg(long, value_name = "SHARES", default_value = "0%", value_delimiter = ',')]
    pub loss: Vec<Chance>,

    /// The hub's manner
    #[arg(long, value_name = "NAME", default_value = "mqtt", value_parser = Manner::named)]
    pub hub: &'static Manner,
    /// The access network: what a radio's wake-up costs, and the round trip
    #[arg(long, value_name = "NAME", default_value = "lte-m", value_parser = Access::named)]
    pub access: &'static Access,
    /// From the device to the hub and back [default: by access network]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    pub round_trip: Option<Duration>,
    /// Speak TLS
    #[arg(long)]
    pub tls: bool,
    /// What the device does while its link is up: `idle`, `publishing:topic,every=1m,qos=1,size=64` or `subscribing`
    #[arg(long, value_name = "WORKLOAD", default_value = "idle")]
    pub workload: Workload,
    /// How many days each combination is simulated for; also 0.5
    #[arg(long, value_name = "DAYS", default_value = "1", value_parser = span)]
    pub days: Duration,
    /// The seed of every draw: the same gives the same figures
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::seed)]
    pub seed: u64,
    /// How many devices meet one outage together, for the reconnect storm: connects in the busiest second after it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = number::whole(0..=MOST_DEVICES))]
    pub fleet: u32,
    /// From when on a message that arrives is late
    #[arg(long, value_name = "TIME", default_value = "10s", allow_hyphen_values = true, value_parser = number::time)]
    pub late: Duration,

    /// Write all figures as JSON into this file; `-` is standard output, in the place of the text
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The same as CSV, a line for each combination
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// The same as one HTML page, with heat maps and the best combinations
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write what became of the expectations as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// What is expected of the figures, such as `hub_detection p95 <= 1.5 keepalive + 2s`; exit code 1 where it is not met; may be given
    /// several times
    #[arg(long, value_name = "EXPECTATION")]
    pub expect: Vec<Expectation>,
    /// Show no progress, only the result
    #[arg(short, long)]
    pub quiet: bool,
}

impl SweepArgs {
    /// What is varied, with what is recorded in traces.
    pub fn axes(&self) -> Result<Axes, Refusal> {
        let outages = self.outage.iter().chain(&self.outages).cloned();
        let mut outages = outages.map(with_recording).collect::<Result<Vec<_>, _>>()?;
        if outages.is_empty() {
            outages = [30, 300].map(|seconds| Outages::fixed(Duration::from_secs(seconds))).into();
        }
        Ok(Axes {
            clients: once(self.client.iter().copied()),
            keep_alives: once(self.keep_alive.iter().flat_map(|KeepAlives(all)| all.iter().copied())),
            ping_timeouts: once(self.ping_timeout.iter().copied()),
            back_offs: once(self.back_off.iter().map(|BackOff(back_off)| *back_off)),
            outages: once(outages),
            path_idles: once(self.path_idle.iter().map(|PathIdle(idle)| *idle)),
            losses: once(self.loss.iter().copied()),
        })
    }

    /// What holds for all cases.
    pub fn terms(&self) -> Terms {
        Terms {
            seed: self.seed,
            span_ns: time::nanos(self.days),
            hub: self.hub.name.to_owned(),
            access: self.access.name.to_owned(),
            round_trip_ns: time::nanos(self.round_trip.unwrap_or(self.access.round_trip.value)),
            tls: self.tls,
            workload: self.workload.to_string(),
            late_ns: time::nanos(self.late),
            fleet: self.fleet,
        }
    }
}

/// What no argument says by itself. Answers with the number of cases.
pub fn check(axes: &Axes, terms: &Terms) -> Result<u64, Refusal> {
    let count = axes.count().map_err(Refusal::usage)?;
    axes.check_waits().map_err(Refusal::usage)?;
    for outages in &axes.outages {
        outages.check(Duration::from_nanos(terms.span_ns)).map_err(Refusal::usage)?;
    }
    let storms = count.saturating_mul(terms.fleet.into());
    if storms > MOST_STORMS {
        return Err(Refusal::usage(format!(
            "{count} combinations of {} devices are {storms} simulations, more than {MOST_STORMS}; give fewer combinations \
             or a smaller --fleet",
            terms.fleet
        )));
    }
    Ok(count)
}

/// Outages that were read from traces.
pub fn traces(axes: &Axes) -> Vec<Outages> {
    axes.outages.iter().filter(|outages| matches!(outages, Outages::Trace(_))).cloned().collect()
}

/// With what its file holds, where it is a trace.
fn with_recording(outages: Outages) -> Result<Outages, Refusal> {
    let Outages::Trace(recording) = outages else { return Ok(outages) };
    let path = PathBuf::from(&recording.file);
    let path = if path.is_dir() { path.join(EVENTS) } else { path };
    let content = content(&path, trace::LARGEST)?;
    let wrong = |problem| Refusal::usage(format!("{}: {problem}", path.display()));
    recording.with(&content).map_err(wrong)
}

/// All of a file, where that is at most so many bytes. What has no length, a pipe say, may turn out to be longer.
fn content(path: &Path, most: u64) -> Result<String, Refusal> {
    let cannot = |error: std::io::Error| Refusal::usage(format!("cannot read {}: {error}", path.display()));
    let is_too_large = || {
        let most = most / (1024 * 1024);
        Refusal::usage(format!("{} is larger than {most} MiB", path.display()))
    };
    if fs::metadata(path).map_err(cannot)?.len() > most {
        return Err(is_too_large());
    }
    let mut content = String::new();
    File::open(path).map_err(cannot)?.take(most + 1).read_to_string(&mut content).map_err(cannot)?;
    if to_u64(content.len()) > most { Err(is_too_large()) } else { Ok(content) }
}

fn length(text: &str) -> Result<Outages, String> {
    format!("fixed:{text}").parse::<Outages>().map_err(|error| error.to_string())
}

fn span(text: &str) -> Result<Duration, String> {
    let days = text.trim().parse::<f64>().ok().filter(|days| *days > 0.0 && *days <= MOST_DAYS);
    let days = days.ok_or_else(|| format!("`{text}` is no number of days above 0 and up to {MOST_DAYS}"))?;
    let span = Duration::from_secs_f64(days * DAY);
    if span < Duration::from_secs(60) { Err("less than a minute shows nothing".into()) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a longer one was left out without a word.
    #[test]
    fn what_has_no_length_is_not_cut_off_unsaid() {
        let zeros = Path::new("/dev/zero");
        assert!(content(zeros, 3 << 20).unwrap_err().message.contains("/dev/zero is larger than 3 MiB"));
        let nothing = content(Path::new("/dev/null"), 3 << 20).unwrap();
        assert_eq!(nothing, "");
    }
}
