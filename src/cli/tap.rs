//! `--tap`: whether what arrives is seen below the sockets, too.

use super::out;
use crate::net::Proxy;
use crate::net::tap::{Config, Wanted};
use clap::ValueEnum;
use std::fmt::Display;

/// The arguments of a tap.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TapArgs {
    /// See below the sockets, too: SYNs, FIN, RST and retransmissions that a blackhole drops, with the kernel's times, and
    /// make `fidelity: auto` at packet fidelity. Needs CAP_NET_RAW; `auto` does without where that is missing [default:
    /// off]
    #[arg(long, value_enum, value_name = "WHETHER", num_args = 0..=1, require_equals = true, default_missing_value = "on")]
    pub tap: Option<Whether>,
    /// Room in the kernel for packets that the tap has not read yet; what finds none is lost, and told [default: 4194304]
    #[arg(long, value_name = "BYTES", requires = "tap")]
    pub tap_buffer: Option<u32>,
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
    /// What they ask for.
    pub fn config(&self) -> Config {
        let wanted = match self.tap {
            None | Some(Whether::Off) => Wanted::Off,
            Some(Whether::Auto) => Wanted::Auto,
            Some(Whether::On) => Wanted::On,
        };
        let room = self.tap_buffer.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        Config { wanted, room, ..Config::default() }
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
