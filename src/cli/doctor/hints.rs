//! What improves the machine: a command each, told once.

use super::machine::{Machine, Program};
use crate::cli::expected;
use crate::net::sys::Capabilities;
use serde::Serialize;

/// What there is to be done, in the order in which it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// Loopback is down.
    RaiseLoopback,
    /// Capabilities for the binary.
    Grant,
    /// nftables is not installed.
    InstallNft,
    /// iproute2 is not installed.
    InstallIp,
    /// Programs of the system are not in PATH.
    ExtendPath,
    /// IPv4 is not passed on.
    ForwardV4,
    /// IPv6 is not passed on.
    ForwardV6,
    /// The filter of ways back is strict.
    LoosenReversePath,
    /// More open files.
    RaiseFiles,
    /// More local ports.
    WidenPorts,
    /// A wall clock that nobody keeps right.
    KeepClock,
    /// Ask with the hub.
    AskHub,
    /// Ask with a device.
    AskDevice,
}

/// What brownout can make use of, all in all.
const ALL: Capabilities =
    Capabilities::NET_ADMIN.with(Capabilities::NET_RAW).with(Capabilities::NET_BIND_SERVICE);

impl Hint {
    /// The command, or what stands for one.
    pub fn command(self, machine: &Machine) -> String {
        match self {
            Hint::RaiseLoopback => "sudo ip link set lo up".into(),
            Hint::Grant => grant(machine),
            Hint::InstallNft => "sudo apt-get install nftables".into(),
            Hint::InstallIp => "sudo apt-get install iproute2".into(),
            Hint::ExtendPath => format!("export PATH=\"$PATH:{}\"", outside(machine)),
            Hint::ForwardV4 => "sudo sysctl -w net.ipv4.ip_forward=1".into(),
            Hint::ForwardV6 => "sudo sysctl -w net.ipv6.conf.all.forwarding=1".into(),
            Hint::LoosenReversePath => "sudo sysctl -w net.ipv4.conf.all.rp_filter=2".into(),
            Hint::RaiseFiles => {
                let files = wanted_files(machine);
                format!("sudo prlimit --pid $$ --nofile={files}")
            }
            Hint::WidenPorts => "sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"".into(),
            Hint::KeepClock => "sudo timedatectl set-ntp true".into(),
            Hint::AskHub => "brownout doctor --hub HOST:PORT".into(),
            Hint::AskDevice => "brownout doctor --device ADDRESS:PORT".into(),
        }
    }

    /// What else there is to know of it.
    pub fn note(self, machine: &Machine) -> Option<String> {
        match self {
            Hint::Grant if machine.uid == 0 || !machine.grantable.has(ALL) => Some(
                "root has no such privilege here: it is to be given from outside, to the container, or by \
                 CapabilityBoundingSet= to the unit"
                    .into(),
            ),
            Hint::Grant if machine.is_barred_from_more => Some(
                "no_new_privs bars files from giving privileges: AmbientCapabilities= in the unit, where it is set"
                    .into(),
            ),
            Hint::Grant => Some("then without sudo; or run brownout with sudo, and `--user`".into()),
            Hint::RaiseFiles => {
                let files = wanted_files(machine);
                Some(format!(
                    "for this shell; LimitNOFILE={files} in a unit, --ulimit nofile={files} for a container"
                ))
            }
            Hint::LoosenReversePath => Some("for transparent mode, where ways there and back differ".into()),
            Hint::ForwardV4 | Hint::ForwardV6 => {
                Some("for transparent mode, where this machine is the devices' router".into())
            }
            Hint::AskDevice => Some("waits there 30 s for one device to connect".into()),
            Hint::RaiseLoopback
            | Hint::InstallNft
            | Hint::InstallIp
            | Hint::ExtendPath
            | Hint::WidenPorts
            | Hint::KeepClock
            | Hint::AskHub => None,
        }
    }
}

fn grant(machine: &Machine) -> String {
    if machine.uid == 0 || !machine.grantable.has(ALL) {
        return "docker run --cap-add NET_ADMIN --cap-add NET_RAW ...".into();
    }
    format!("sudo setcap cap_net_admin,cap_net_raw,cap_net_bind_service+ep {}", machine.binary.display())
}

/// Enough for the devices expected, or for a lab of some thousands.
fn wanted_files(machine: &Machine) -> u64 {
    const FAIR: u64 = 65_536;
    machine.expected.map_or(FAIR, |devices| {
        expected::needed(devices, 1, expected::of_a_device(None)).max(machine.files.hard.unwrap_or(0))
    })
}

/// Where the programs are that PATH does not lead to.
fn outside(machine: &Machine) -> String {
    let paths = [&machine.nft, &machine.ip].into_iter().filter_map(|program| match program {
        Program::Outside(path) => path.parent(),
        Program::InPath(_) | Program::Missing => None,
    });
    let mut folders: Vec<String> = paths.map(|folder| folder.display().to_string()).collect();
    folders.dedup();
    folders.join(":")
}
