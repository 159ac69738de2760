//! `--tap`: whether what arrives is seen below the sockets, too.

use super::exit::Refusal;
use super::out;
use crate::net::Proxy;
use crate::net::tap::{Config, Wanted};
use clap::ValueEnum;
use std::fmt::Display;

/// The ports of MQTT, and of MQTT over TLS (IANA).
const MQTT: u16 = 1883;
const MQTT_TLS: u16 = 8883;

/// The arguments of a tap.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TapArgs {
    /// See below the sockets, too: SYNs, FIN, RST and retransmissions that a blackhole drops, with the kernel's times, and
    /// make `fidelity: auto` at packet fidelity. Needs CAP_NET_RAW; `auto` does without where that is missing [default:
    /// off; auto in `keepalive live`, and where `run` and `observe` are --transparent]
    #[arg(long, value_enum, value_name = "WHETHER", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub tap: Option<Whether>,
    /// Room in the kernel for packets that the tap has not read yet; what finds none is lost, and told [default: 4194304]
    #[arg(long, value_name = "BYTES", requires = "tap", value_parser = super::number::whole(0..=u32::MAX))]
    pub tap_buffer: Option<u32>,
}

/// Those of a tap where connects may be led to brownout.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct LedTapArgs {
    #[command(flatten)]
    pub tap: TapArgs,
    /// The ports that devices dial, where these are not brownout's own: those of `brownout lab up --ports` [default: with
    /// --transparent 1883 and 8883]
    #[arg(long, value_name = "PORT,...", value_delimiter = ',', value_parser = super::number::whole(1..=u16::MAX))]
    pub tap_ports: Vec<u16>,
}

/// Whether there is to be a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Whether {
    /// No
    Off,
    /// Where this machine lets it
    Auto,
    /// Yes, or no run
    On,
}

impl TapArgs {
    /// What they ask for, where this is what is done untold.
    pub fn config(&self, untold: Whether) -> Config {
        let wanted = match self.tap.unwrap_or(untold) {
            Whether::Off => Wanted::Off,
            Whether::Auto => Wanted::Auto,
            Whether::On => Wanted::On,
        };
        let room = self.tap_buffer.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Config { wanted, room, ..Config::default() }
    }
}

impl LedTapArgs {
    /// Refuses ports for a tap that there is not.
    pub fn check(&self, is_transparent: bool) -> Result<(), Refusal> {
        if self.config(is_transparent).wanted == Wanted::Off && !self.tap_ports.is_empty() {
            return Err(Refusal::usage("--tap-ports says nothing without a tap: give --tap, too"));
        }
        Ok(())
    }

    /// What they ask for. Where connects are led to brownout, what is on the wire is between devices and their hubs.
    pub fn config(&self, is_transparent: bool) -> Config {
        let dialled = match self.tap_ports.as_slice() {
            [] if is_transparent => vec![MQTT, MQTT_TLS],
            given => given.to_vec(),
        };
        let hub_ports = if is_transparent { dialled.clone() } else { Vec::new() };
        let untold = if is_transparent { Whether::Auto } else { Whether::Off };
        Config { ports: dialled, hub_ports, ..self.tap.config(untold) }
    }
}

/// Says whether there is a tap, where one was asked for.
pub(super) fn tell(name: impl Display, proxy: &Proxy) {
    if proxy.has_tap() {
        out::tell(format_args!(
            "{name}: the tap is open; `fidelity: auto` is made at packet fidelity where that can be"
        ));
    } else if let Some(why) = proxy.no_tap() {
        out::tell(format_args!("{name}: no tap, `fidelity: auto` is made as stall; {why}"));
    }
}
