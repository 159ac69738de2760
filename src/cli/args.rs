//! The arguments: their syntax. What they mean together is checked where they are used.

use super::compare::CompareArgs;
use super::doctor::DoctorArgs;
use super::exit::Refusal;
use super::expected::ExpectArgs;
use super::keepalive::KeepaliveArgs;
use super::lab::LabArgs;
use super::number;
use super::observe::ObserveArgs;
use super::privileges::UserArgs;
use super::suite::SuiteArgs;
use super::tap::LedTapArgs;
use crate::device::{Backoff, Preset, Renew, Workload};
use crate::hub::MAX_PACKET;
use crate::mqtt::inlet::LARGEST_PACKET;
use crate::mqtt::{QoS, Version};
use crate::profile::{Override, Strictness};
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Room for a CONNECT with an identifier of 23 bytes [MQTT-3.1.3-5] and a short user name: with less, a hub takes nobody.
const LEAST_PACKET: usize = 64;

/// No machine has ports and descriptors for more.
const MOST_DEVICES: usize = 1_000_000;

/// Breaks MQTT links the way real networks and hubs do, and measures how each end recovers.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true, max_term_width = 90)]
pub struct Args {
    /// Tell more on standard error: -v every event, -vv the wiring too
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub verbose: u8,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// See the whole job in half a minute: embedded hub, simulated devices, three faults, a report
    Demo(DemoArgs),
    /// Put the proxy before a hub, break links by a profile, and report
    Run(Box<RunArgs>),
    /// Watch a hub and its devices, and break nothing: why each link ended, a summary each interval
    Observe(Box<ObserveArgs>),
    /// Run a set of profiles against a client under test, and end in one scorecard
    Suite(Box<SuiteArgs>),
    /// Compare two runs: what differs, and whether that is more than chance
    Compare(CompareArgs),
    /// Choose a keep-alive and prove it: simulate, measure a real device, find a path's idle timeout, be advised
    Keepalive(KeepaliveArgs),
    /// Tell every problem of a profile, or what will happen when it is run
    Check(CheckArgs),
    /// Tell what this machine can do, how true each fault will be on it, and what improves that
    Doctor(DoctorArgs),
    /// The profiles that come with brownout, and their language
    Profiles(ProfilesArgs),
    /// Render the report of one or several runs again, from their logs
    Report(ReportArgs),
    /// Serve as an MQTT hub, to test against
    Hub(HubArgs),
    /// Connect as simulated devices with stated habits
    Device(Box<DeviceArgs>),
    /// Lead the connects of devices behind an interface to brownout, and undo that
    Lab(LabArgs),
    /// Make a local CA for TLS with devices, and tell how they come to trust it
    Ca(CaArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct CaArgs {
    /// The directory of the CA; it is made if need be
    #[arg(value_name = "DIR", default_value = "brownout-ca")]
    pub directory: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Write the report in all its forms (report.html, report.json, junit.xml, summary.md) and the log, events.jsonl, into
    /// this directory; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Write what the resource log of Azure IoT Hub would say (category Connections) into this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub resource_log: Option<PathBuf>,
    /// Write the MQTT of every link into this file (pcapng, for Wireshark), with fault windows as comments; it is made for
    /// its owner alone
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// The seed of every draw [default: the same each time]
    #[arg(long, value_name = "N", value_parser = number::seed)]
    pub seed: Option<u64>,
    /// Show no progress, only the report
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// A profile's file, or the name of a shipped one (see `brownout profiles`)
    pub profile: String,
    /// Where devices connect; port 0 takes a free one [default: 127.0.0.1:1884, with a COMMAND 127.0.0.1:0, with
    /// --transparent `[::]:18830`, which takes IPv4, too]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// The hub [default: what the profile's listeners say]
    #[arg(long, value_name = "HOST:PORT")]
    pub upstream: Option<String>,
    /// Take connects that were going elsewhere (`brownout lab up` leads them here), and go on to where they were going, as
    /// the device; it takes CAP_NET_ADMIN
    #[arg(long, conflicts_with_all = ["upstream", "command"])]
    pub transparent: bool,
    /// Write the report in all its forms (report.html, report.json, junit.xml, summary.md) and the log, events.jsonl, into
    /// this directory; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Write what the resource log of Azure IoT Hub would say (category Connections) into this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub resource_log: Option<PathBuf>,
    /// Write the MQTT of every link into this file (pcapng, for Wireshark), as plain text whatever TLS or WebSocket is
    /// around it, with fault windows as comments. Passwords are in it: it is made for its owner alone
    #[arg(long, value_name = "FILE")]
    pub pcap: Option<PathBuf>,
    /// Honour the fault-injection messages of the Azure SDKs' tests (AzIoTHub_FaultOperationType) of devices whose client
    /// identifier matches this glob; `*` is every device. They are swallowed, and acknowledged in the hub's place
    #[arg(long, value_name = "GLOB", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub azure_fault_messages: Option<String>,
    /// The seed of every draw: the same seed and traffic give the same faults [default: drawn, and told]
    #[arg(long, value_name = "N", value_parser = number::seed)]
    pub seed: Option<u64>,
    /// Put a value in the place of the profile's: `dark.for=10s`, `settle=5s`; may be given several times
    #[arg(long = "set", value_name = "RULE.PARAM=VALUE")]
    pub sets: Vec<Override>,
    /// Judge devices and hub by this, and fail where a class of findings fails [default: what the profile says, or
    /// `standard`, by which findings change no exit code]
    #[arg(long, value_name = "NAME", value_parser = strictness())]
    pub strictness: Option<String>,
    /// End the run after this time at the latest, and the COMMAND with it: `90s`, `1h 30m`
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    pub duration: Option<Duration>,
    /// Show no progress, only the report
    #[arg(short, long)]
    pub quiet: bool,
    /// End the COMMAND (SIGTERM), and what it has started, when the profile is through, for clients that run for ever
    #[arg(long, requires = "command")]
    pub stop_command: bool,
    #[command(flatten)]
    pub expect: ExpectArgs,
    #[command(flatten)]
    pub user: UserArgs,
    /// Run this beside the proxy, with its address in BROWNOUT_HOST, BROWNOUT_PORT and BROWNOUT_URL, and the certificate
    /// of the CA that it has to trust, where there is one, in BROWNOUT_CA
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    #[command(flatten)]
    pub tap: LedTapArgs,
    // Last, since what follows would come under its heading.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// TLS at the one listener of a run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// Where TLS begins and ends, in the place of what the profile's listener says
    #[arg(long, value_enum, value_name = "MODE")]
    pub tls: Option<ModeWanted>,
    /// The certificate chain that devices are shown (PEM) [default: one for each name, made by the CA]
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<String>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<String>,
    /// The directory of the CA that `brownout ca` makes [default: brownout-ca, where no --cert is given]
    #[arg(long, value_name = "DIR")]
    pub ca: Option<String>,
    /// Whether devices are asked for a certificate [default: none]
    #[arg(long, value_enum, value_name = "WHETHER")]
    pub client_certs: Option<CertsWanted>,
    /// The CAs that devices' certificates have to come from (PEM) [default: any certificate is taken]
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<String>,
    /// The CAs that the hub's certificate has to come from (PEM) [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub hub_ca: Option<String>,
    /// The name that the hub's certificate has to be for [default: the host of --upstream]
    #[arg(long, value_name = "NAME")]
    pub hub_name: Option<String>,
    /// Do not verify the hub's certificate; the report says so
    #[arg(long)]
    pub hub_insecure: bool,
    /// The certificate chain that the hub is shown (PEM)
    #[arg(long, value_name = "FILE", requires = "hub_key")]
    pub hub_cert: Option<String>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "hub_cert")]
    pub hub_key: Option<String>,
    /// Certificates that the hub is shown: NAME.pem and NAME.key, by the common name of the device's own
    #[arg(long, value_name = "DIR")]
    pub hub_certs: Option<String>,
}

/// Where TLS begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeWanted {
    /// TLS goes through as it is: no keys, no MQTT to be seen
    Passthrough,
    /// TLS with devices, plain to the hub
    Terminate,
    /// TLS with devices, and TLS again to the hub
    Reoriginate,
    /// Plain with devices, TLS to the hub
    Originate,
}

/// Whether devices are asked for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CertsWanted {
    /// They are not asked
    None,
    /// They may present one
    Request,
    /// They have to present one
    Require,
}

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// A profile's file, or the name of a shipped one
    pub profile: String,
    /// As for `run`
    #[arg(long = "set", value_name = "RULE.PARAM=VALUE")]
    pub sets: Vec<Override>,
    /// Check it as if it were run with this
    #[arg(long, value_enum, value_name = "MODE")]
    pub tls: Option<ModeWanted>,
    /// The keep-alive to give examples for
    #[arg(long, value_name = "TIME", default_value = "60s", allow_hyphen_values = true, value_parser = number::keep_alive)]
    pub keep_alive: Duration,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The events.jsonl of each run, or the directory it is in; several runs of one profile are merged
    #[arg(required = true, value_name = "EVENTS.jsonl")]
    pub logs: Vec<PathBuf>,
    /// Write the report in all its forms (report.html, report.json, junit.xml, summary.md) into this directory; it is made if
    /// need be
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Print report.json instead of the text
    #[arg(long)]
    pub json: bool,
    /// Judge devices and hub by this, in the place of what the runs were judged by
    #[arg(long, value_name = "NAME", value_parser = strictness())]
    pub strictness: Option<String>,
    /// Write what the resource log of Azure IoT Hub would have said of the runs into this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub resource_log: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct HubArgs {
    /// Where devices connect; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1883")]
    pub listen: String,
    /// The keep-alive that MQTT 5 devices are told to keep, in seconds [MQTT-3.2.2-21]
    #[arg(long, value_name = "SECONDS", value_parser = number::whole(0..=u16::MAX))]
    pub server_keep_alive: Option<u16>,
    /// Serve over TLS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Require of devices a certificate of a CA in this file (PEM); with --azure a token does, too
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub client_ca: Option<PathBuf>,
    /// Take what Azure IoT Hub's MQTT endpoint takes (user names, tokens, topics), and nothing else
    #[arg(long)]
    pub azure: bool,
    /// Check the signatures of tokens by this key, Base64 as in connection strings; other users of the machine can read
    /// it from the list of processes [default: not checked]
    #[arg(long, value_name = "KEY", requires = "azure")]
    pub azure_key: Option<String>,
    /// The largest packet taken, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = MAX_PACKET, value_parser = number::whole(LEAST_PACKET..=LARGEST_PACKET))]
    pub max_packet: usize,
    /// Do not tell who comes and goes
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct DeviceArgs {
    /// The hub [default: BROWNOUT_HOST and BROWNOUT_PORT where set, else 127.0.0.1:1884]
    #[arg(long, value_name = "HOST:PORT")]
    pub connect: Option<String>,
    /// Connect over TLS [default: so where BROWNOUT_URL is mqtts:// and --connect is not given]
    #[arg(long)]
    pub tls: bool,
    /// Trust the CAs in this file (PEM) and no others [default: BROWNOUT_CA where set, else the system's]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The name to ask the hub for (SNI) and to verify it by [default: the host of --connect]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,
    /// Present this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Do not verify the hub
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,
    /// How many devices
    #[arg(long, default_value_t = 1, value_parser = number::whole(1..=MOST_DEVICES))]
    pub count: usize,
    /// The kind of client; what follows changes single habits.
    /// careful: PINGREQ each 0.75 keep-alives, PINGRESP within half of one, exponential back-off with jitter;
    /// typical: PINGREQ after 0.9 keep-alives of sending nothing, PINGRESP within one, a second between connects;
    /// naive: PINGRESP within three, reconnects at once;
    /// oblivious: never looks for PINGRESP, nor at FIN and RST
    #[arg(long, default_value_t = Preset::Typical)]
    pub kind: Preset,
    /// The client identifier; the device's number is put behind it [default: BROWNOUT_CLIENT_ID where set, else device-]
    #[arg(long, value_name = "PREFIX")]
    pub client_id: Option<String>,
    /// The keep-alive: whole seconds, 0s for none [default: BROWNOUT_KEEPALIVE where set, else 60s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    pub keep_alive: Option<Duration>,
    /// How long to wait for PINGRESP before the link counts as dead; `never` does not look [default: by kind]
    #[arg(long, value_name = "TIME")]
    pub ping_timeout: Option<PingTimeout>,
    /// How long TCP, TLS, CONNECT and CONNACK may take together [default: by kind]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    pub connect_timeout: Option<Duration>,
    /// The wait before each reconnect: `none`, `fixed:1s`, `linear:1s`, `exponential:200ms..30s,jitter`
    /// [default: by kind]
    #[arg(long, value_name = "RULE")]
    pub backoff: Option<Backoff>,
    /// What to do while connected: `idle`, `publishing`, `subscribing`; also `publishing:topic,every=1s,qos=1,size=64`
    /// (and `times=1` for so many in all) and `subscribing:filter,qos=1`, where `{client}` stands for the client identifier
    /// [default: what BROWNOUT_WORKLOAD, _TOPIC, _QOS and _INTERVAL say where set, else idle]
    #[arg(long)]
    pub workload: Option<Workload>,
    /// The quality of service of the workload: 0, 1 or 2 [default: 1]
    #[arg(long, value_parser = quality)]
    pub qos: Option<QoS>,
    /// Messages a second of each publishing device: `10`, `0.5` [default: four in a keep-alive]
    #[arg(long, value_name = "PER SECOND")]
    pub rate: Option<Rate>,
    /// The user name in CONNECT
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// The password in CONNECT; other users of the machine can read it from the list of processes
    #[arg(long, value_name = "TEXT", requires = "username")]
    pub password: Option<String>,
    /// Make SAS tokens of Azure IoT Hub with this key, Base64 as in connection strings, and the user names that belong to
    /// them; other users of the machine can read it from the list of processes
    #[arg(long, value_name = "KEY", conflicts_with_all = ["username", "password"])]
    pub azure_key: Option<String>,
    /// The hub's name in user names and tokens [default: --server-name, or the host of --connect]
    #[arg(long, value_name = "HOST", requires = "azure_key")]
    pub azure_hub: Option<String>,
    /// How long each token lives, at least 1s [default: 1h]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time, requires = "azure_key")]
    pub token_lifetime: Option<Duration>,
    /// How long before its token expires a device connects anew with a fresh one: a time, a part of the lifetime, or
    /// `never`, which waits until the hub closes the link [default: 20%]
    #[arg(long, value_name = "TIME|PERCENT", requires = "azure_key")]
    pub renew_before: Option<Renew>,
    /// With --renew-before never: come back with the stale token first, and with a fresh one when the hub has refused it
    #[arg(long, requires = "renew_before")]
    pub stale: bool,
    /// Whether the hub keeps the session between links [default: by kind]
    #[arg(long, value_enum)]
    pub session: Option<SessionKind>,
    /// The protocol version: 3.1, 3.1.1 or 5
    #[arg(long, value_name = "VERSION", default_value_t = Version::V311)]
    pub mqtt: Version,
    /// The time from one device's first connect to the next one's
    #[arg(long, value_name = "TIME", default_value = "0s", allow_hyphen_values = true, value_parser = number::time)]
    pub stagger: Duration,
    /// End after this time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    pub duration: Option<Duration>,
    /// The seed of every draw [default: 0]
    #[arg(long, value_name = "N", value_parser = number::seed)]
    pub seed: Option<u64>,
    /// Do not tell what happens
    #[arg(short, long)]
    pub quiet: bool,
}

/// Whether the hub keeps the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SessionKind {
    /// A new one each time.
    Clean,
    /// The same one, resumed.
    Persistent,
}

/// How long to wait for PINGRESP; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PingTimeout(pub Option<Duration>);

impl FromStr for PingTimeout {
    type Err = String;
    fn from_str(text: &str) -> Result<PingTimeout, String> {
        if text == "never" { Ok(PingTimeout(None)) } else { Ok(PingTimeout(Some(number::time(text)?))) }
    }
}

/// The time between two messages, from messages a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate(pub Duration);

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Rate, String> {
        match text.parse::<f64>() {
            Ok(rate) if (0.000_1..=1000.0).contains(&rate) => Ok(Rate(Duration::from_secs_f64(1.0 / rate))),
            Ok(_) | Err(_) => Err(format!(
                "`{text}` is not a rate; write messages a second, from 0.0001 to 1000, such as 10 or 0.5"
            )),
        }
    }
}

/// Refuses a line that ends with `--`: where the COMMAND is an empty variable, there would be none, and all would seem well.
pub(super) fn followed(line: impl Iterator<Item = OsString>) -> Result<(), Refusal> {
    match line.last() {
        Some(last) if last == "--" => {
            Err(Refusal::usage("nothing follows `--`: give the COMMAND there, or leave `--` out"))
        }
        Some(_) | None => Ok(()),
    }
}

fn strictness() -> PossibleValuesParser {
    PossibleValuesParser::new(Strictness::ALL.map(Strictness::word))
}

fn quality(text: &str) -> Result<QoS, String> {
    let number = text.parse().ok().and_then(QoS::from_number);
    number.ok_or_else(|| format!("`{text}` is not a quality of service; write 0, 1 or 2"))
}

#[derive(Debug, clap::Args)]
pub(super) struct ProfilesArgs {
    #[command(subcommand)]
    pub command: Option<ProfilesCommand>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProfilesCommand {
    /// List them
    List,
    /// Print one
    Show {
        /// Its name
        name: String,
    },
    /// Print the reference of the profile language, in Markdown
    Reference,
    /// Print the JSON Schema of the profile language, for editors
    Schema,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::clients::Client;

    #[test]
    fn a_number_or_time_that_is_none_or_too_much_is_told_with_what_is_allowed() {
        let whole = "write a whole number from ";
        for (line, told) in [
            ("run p --seed abc", format!("{whole}0 to 18446744073709551615")),
            ("run p --seed 99999999999999999999999", format!("{whole}0 to 18446744073709551615")),
            ("run p --tap-ports abc", format!("{whole}1 to 65535")),
            ("run p --duration 5", "`5` has no unit; write a time with its unit, such as 500ms".into()),
            ("run p --duration -5s", "`-5s` is negative".into()),
            ("device --count abc", format!("{whole}1 to 1000000")),
            ("device --count 0", format!("{whole}1 to 1000000")),
            ("device --count 100000000", format!("{whole}1 to 1000000")),
            ("hub --max-packet 0", format!("{whole}64 to 268435460")),
            ("lab up --inside e0 --ports=", format!("{whole}1 to 65535")),
            ("check p --keep-alive 1.5s", "whole seconds from 1s to 65535s".into()),
            ("check p --keep-alive 99999999s", "whole seconds from 1s to 65535s".into()),
        ] {
            let read = Args::try_parse_from(["brownout"].into_iter().chain(line.split(' ')));
            let error = read.unwrap_err().to_string();
            assert!(error.contains(&told), "{line}: {error}");
        }
    }

    /// Advice named an option that there is not.
    #[test]
    fn what_is_known_of_brownouts_own_devices_is_a_command_that_there_is() {
        for preset in Preset::ALL {
            let client = Client::named(preset.word()).unwrap();
            let line = format!("{} {}", client.source, client.name);
            Args::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }

    /// They run on ports of their own: nothing is led there.
    #[test]
    fn suites_and_live_runs_have_no_way_to_be_transparent() {
        for line in ["suite --tap-ports 1883", "suite --transparent", "keepalive live --tap-ports 1883"] {
            let read = Args::try_parse_from(["brownout"].into_iter().chain(line.split(' ')));
            assert_eq!(read.unwrap_err().kind(), clap::error::ErrorKind::UnknownArgument, "{line}");
        }
    }
}
