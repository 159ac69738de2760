//! What is asked of `lab up`, checked.

use crate::net::transparent;
use clap::{ArgAction, Args, ValueEnum};
use std::fmt;

/// The packet mark and the routing table, unless told: both stand for MQTT's port.
const MARK: &str = "0x1883";
const TABLE: u32 = 18830;

/// Linux's own tables: unspec, default, main, local (rt_names).
const KERNELS_TABLES: [u32; 4] = [0, 253, 254, 255];

/// The longest name of an interface, in bytes (IFNAMSIZ, with its final zero).
const LONGEST_NAME: usize = 15;

/// Its arguments.
#[derive(Debug, Args)]
pub(super) struct UpArgs {
    /// The interface behind which the devices are; may be given several times
    #[arg(long, required = true, value_name = "IFACE", value_delimiter = ',', value_parser = interface)]
    pub inside: Vec<String>,
    /// The hubs' ports
    #[arg(long, value_name = "PORT,PORT", value_delimiter = ',', default_value = "1883,8883",
          value_parser = crate::cli::number::whole(1..=u16::MAX))]
    pub ports: Vec<u16>,
    /// How the kernel leads connects to brownout
    #[arg(long, value_enum, default_value_t = Mode::Tproxy)]
    pub mode: Mode,
    /// Where brownout does not run, let devices go straight to their hubs [default: their connects are refused, so that no
    /// test passes because nothing was broken]
    #[arg(long, action = ArgAction::SetTrue)]
    pub fail_open: bool,
    /// The port of `run --transparent`; the one after it is taken, too
    #[arg(long, value_name = "PORT", default_value_t = transparent::PORT, value_parser = crate::cli::number::whole(1..=65_534_u16))]
    pub to: u16,
    /// The packet mark that TPROXY's policy routing goes by
    #[arg(long, value_name = "NUMBER", default_value = MARK, value_parser = number)]
    pub mark: u32,
    /// The routing table of the same
    #[arg(long, value_name = "NUMBER", default_value_t = TABLE, value_parser = crate::cli::number::whole(1..=u32::MAX))]
    pub table: u32,
    /// Print the commands as a shell script, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// How the kernel leads connects to brownout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// The hub sees the device's own address; its answers have to come back through this machine
    Tproxy,
    /// The hub sees this machine's address
    Redirect,
}

/// What is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The interfaces behind which the devices are; at least one.
    pub inside: Vec<String>,
    /// The hubs' ports; at least one.
    pub ports: Vec<u16>,
    /// How connects are led.
    pub mode: Mode,
    /// Whether they go on by themselves without brownout.
    pub fail_open: bool,
    /// Brownout's port.
    pub to: u16,
    /// The mark of packets that are brownout's.
    pub mark: u32,
    /// The routing table that keeps them here.
    pub table: u32,
    /// Whether the machine has IPv6.
    pub ipv6: bool,
}

impl Setting {
    /// What the arguments ask for; or what they must not.
    pub fn of(args: &UpArgs, ipv6: bool) -> Result<Setting, String> {
        let UpArgs { inside, ports, mode, fail_open, to, mark, table, dry_run: _ } = args;
        if *fail_open && *mode == Mode::Redirect {
            return Err("--fail-open needs --mode tproxy: what was redirected is refused where nobody listens, and only TPROXY \
                        lets it go its own way"
                .into());
        }
        if let Some(port) = ports.iter().find(|port| [*to, *to + 1].contains(port)) {
            return Err(format!(
                "--ports: {port} is brownout's own (--to {to}, and the port after it): a connect to it would come to \
                 brownout and not to a hub; give another with --to, here and as `run --listen [::]:PORT`"
            ));
        }
        if KERNELS_TABLES.contains(table) {
            return Err(format!("--table {table} is the kernel's own; give another number"));
        }
        let (mut inside, mut ports) = (inside.clone(), ports.clone());
        inside.sort();
        inside.dedup();
        ports.sort_unstable();
        ports.dedup();
        Ok(Setting {
            inside,
            ports,
            mode: *mode,
            fail_open: *fail_open,
            to: *to,
            mark: *mark,
            table: *table,
            ipv6,
        })
    }

    /// What is asked for by no option but the mode, of an interface that every machine has.
    pub fn usual(mode: Mode) -> Setting {
        Setting {
            inside: vec!["lo".into()],
            ports: vec![1883, 8883],
            mode,
            fail_open: false,
            to: transparent::PORT,
            mark: 0x1883,
            table: TABLE,
            ipv6: true,
        }
    }

    /// The port by which the rules know that brownout is there, while its listener is closed.
    pub fn guard(&self) -> u16 {
        // Of ports up to 65534.
        self.to.saturating_add(1)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let port = if ports.len() == 1 { "port" } else { "ports" };
        let families = if self.ipv6 { "IPv4 and IPv6" } else { "IPv4 alone (this machine has no IPv6)" };
        let seen = match self.mode {
            Mode::Tproxy => "hubs see the devices' own addresses",
            Mode::Redirect => "hubs see this machine's address",
        };
        let without = if self.fail_open { "go straight to their hubs" } else { "are refused" };
        write!(
            f,
            "up: devices behind {}, hubs on {port} {}, {families}\n\
             lab: their connects are led to port {}, for `brownout run --transparent`; {seen}\n\
             lab: while brownout does not run, they {without}",
            self.inside.join(" and "),
            ports.join(" and "),
            self.to
        )
    }
}

/// A name that an interface can have, and that nft takes as it is.
pub(super) fn interface(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
    let is_name =
        (1..=LONGEST_NAME).contains(&text.len()) && text.chars().all(is_plain) && !matches!(text, "." | "..");
    if is_name {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no name of an interface; `ip link` lists them"))
    }
}

/// A number as `ip` and `nft` write it, not 0.
pub(super) fn number(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    };
    number
        .filter(|&number| number != 0)
        .ok_or_else(|| format!("`{text}` is no mark; write a number from 1 to 0xffffffff"))
}
