//! `brownout keepalive path`: after how long without a packet a path forgets a connection, and how.

mod bundle;
mod control;
mod line;
mod probe;
mod tcp;
mod told;

use crate::base::Secret;
use crate::base::span::show_fixed;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::keepalive::place::Place;
use crate::cli::number;
use crate::cli::out;
use crate::cli::runner::raise_limit;
use crate::cli::signals::Signals;
use crate::device::{DeviceTls, Target, TlsSettings, Trust};
use crate::keepalive::idle::{CONNECTIONS, Plan, State, Within};
use crate::mqtt::Version;
use crate::net::Clock;
use crate::profile;
use line::Terms;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use told::Told;

/// Client identifiers begin with it, unless told.
const CLIENT_ID: &str = "brownout-path-";

/// The longest wait for an answer: TCP sends again about eight times until then.
const LONGEST_ANSWER: Duration = Duration::from_secs(120);

/// The shortest: two of TCP's first repetitions (RFC 6298 has an RTO of 1 s at least, Linux one of 200 ms).
const SHORTEST_ANSWER: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(super) struct PathArgs {
    /// The hub on the far side of the path: `brownout hub`, or any broker
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: String,
    /// The shortest idle span of the first wave
    #[arg(long, value_name = "TIME", default_value = "10s", allow_hyphen_values = true, value_parser = number::time)]
    pub from: Duration,
    /// The longest; a path that holds this long is not looked at any further
    #[arg(long, value_name = "TIME", default_value = "20m", allow_hyphen_values = true, value_parser = number::time)]
    pub to: Duration,
    /// How wide the bracket may be that is told: a time, a share of its upper end, or the greater of both
    #[arg(long, value_name = "WIDTH", default_value_t)]
    pub within: Within,
    /// Connections in a wave, 2 to 64: with N of them each wave splits the bracket into N + 1
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = number::whole(CONNECTIONS))]
    pub connections: usize,
    /// How long the answer to a ping may take before it is silence
    #[arg(long, value_name = "TIME", default_value = "10s", allow_hyphen_values = true, value_parser = number::time)]
    pub answer_within: Duration,
    /// The keep-alive in CONNECT, whole seconds: 0s is none, and lets the hub wait for ever. For hubs that do not take that; a hub
    /// may end connections that are idle for 1.5 times as long
    #[arg(long, alias = "keepalive", value_name = "TIME", default_value = "0s", allow_hyphen_values = true, value_parser = number::time)]
    pub keep_alive: Duration,
    /// The client identifiers; a number is put behind it [default: brownout-path-, and four digits of chance]
    #[arg(long, value_name = "PREFIX")]
    pub client_id: Option<String>,
    /// The protocol version: 3.1, 3.1.1 or 5
    #[arg(long, value_name = "VERSION", default_value_t = Version::V311)]
    pub mqtt: Version,
    /// The user name in CONNECT
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The password in CONNECT; other users of the machine can read it from the list of processes
    #[arg(long, value_name = "TEXT", requires = "username")]
    pub password: Option<String>,
    /// Write the answer and every probe into this file, as JSON; `-` is standard output, in the place of the text
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Tell no waves and probes, only the answer
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub tls: PathTls,
}

/// TLS with the hub.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct PathTls {
    /// Connect over TLS
    #[arg(long)]
    pub tls: bool,
    /// Trust the CAs in this file (PEM) and no others [default: the system's]
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca: Option<PathBuf>,
    /// The name to ask the hub for (SNI) and to verify it by [default: the host of --upstream]
    #[arg(long, value_name = "NAME", requires = "tls")]
    pub server_name: Option<String>,
    /// Present this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires_all = ["key", "tls"])]
    pub cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Do not verify the hub
    #[arg(long, conflicts_with = "ca", requires = "tls")]
    pub insecure: bool,
}

/// Finds it.
pub(super) fn path(args: &PathArgs) -> Exit {
    crate::cli::in_runtime(async move { find(args).await.unwrap_or_else(Refusal::tell) })
}

async fn find(args: &PathArgs) -> Result<Exit, Refusal> {
    let plan = Plan::new(args.from, args.to, args.within, args.connections)
        .map_err(|error| Refusal::usage(error.to_string()))?;
    let terms = Arc::new(terms(args)?);
    raise_limit();
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let json = args.json.as_deref().map(|path| Place::open(path, "json")).transpose()?;
    let told = Told { quiet: args.quiet, answer_within: args.answer_within };
    let (answer, state) = bundle::search(terms, plan, told, &mut signals).await?;
    if !json.as_ref().is_some_and(Place::is_stdout) {
        out::show(&answer);
    }
    if let Some(place) = json {
        let text = answer.to_json().map_err(|error| Refusal::environment(error.to_string()))?;
        place.write(&text)?;
    }
    Ok(exit(state))
}

fn exit(state: State) -> Exit {
    match state {
        State::Done => Exit::Met,
        State::Searching | State::Exhausted => Exit::Unmet,
        State::GivenUp => Exit::Environment,
    }
}

fn terms(args: &PathArgs) -> Result<Terms, Refusal> {
    profile::check_upstream(&args.upstream)
        .map_err(|error| Refusal::usage(format!("--upstream: {error}")))?;
    if !(SHORTEST_ANSWER..=LONGEST_ANSWER).contains(&args.answer_within) {
        let (least, most) = (show_fixed(SHORTEST_ANSWER), show_fixed(LONGEST_ANSWER));
        return Err(Refusal::usage(format!("--answer-within is from {least} to {most}")));
    }
    let keep_alive =
        u16::try_from(args.keep_alive.as_secs()).ok().filter(|_| args.keep_alive.subsec_nanos() == 0);
    let keep_alive = keep_alive.ok_or_else(|| {
        Refusal::usage("--keep-alive is whole seconds, at most 65535s: CONNECT has two bytes for it")
    })?;
    let prefix = args.client_id.clone().unwrap_or_else(|| format!("{CLIENT_ID}{:04x}-", chance()));
    let texts = [Some(&prefix), args.username.as_ref(), args.password.as_ref()];
    // The number behind the prefix has five digits at most.
    if texts.into_iter().flatten().any(|text| text.len() > usize::from(u16::MAX) - 5) {
        return Err(Refusal::usage("MQTT has no room for a text of more than 65535 bytes"));
    }
    Ok(Terms {
        target: target(args)?,
        version: args.mqtt,
        keep_alive,
        username: args.username.clone(),
        password: args.password.clone().map(|password| Secret(password.into_bytes())),
        prefix,
        answer_within: args.answer_within,
        clock: Clock::start(),
    })
}

/// So that two searches on one hub do not take over each other's connections.
fn chance() -> u16 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    let mixed = (nanos ^ std::process::id().wrapping_mul(0x9e37_79b9)) >> 8 & 0xffff;
    u16::try_from(mixed).unwrap_or(0)
}

fn target(args: &PathArgs) -> Result<Target, Refusal> {
    let address = args.upstream.clone();
    if !args.tls.tls {
        return Ok(Target::from(address));
    }
    let trust = match (&args.tls.ca, args.tls.insecure) {
        (_, true) => Trust::Anyone,
        (Some(path), false) => Trust::File(path.clone()),
        (None, false) => Trust::System,
    };
    let settings = TlsSettings {
        trust,
        server_name: args.tls.server_name.clone(),
        identity: args.tls.cert.clone().zip(args.tls.key.clone()),
    };
    let tls = DeviceTls::load(&settings, &address).map_err(|error| Refusal::usage(error.to_string()))?;
    Ok(Target { address, tls: Some(tls) })
}
