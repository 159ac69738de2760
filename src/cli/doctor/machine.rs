//! What was found out of the machine, as facts: how it went when it was tried.

use crate::net::sys::Capabilities;
use serde::{Serialize, Serializer};
use std::path::PathBuf;
use std::time::Duration;

/// The facts. What they come to is judged elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// The kernel's release, such as 6.18.1.
    pub kernel: String,
    /// The effective user.
    pub uid: u32,
    /// What this process may do now.
    pub capabilities: Capabilities,
    /// What a program could be given by its file.
    pub grantable: Capabilities,
    /// Whether files give programs no privileges here (no_new_privs).
    pub is_barred_from_more: bool,
    /// This binary.
    pub binary: PathBuf,
    /// A connection on loopback, without which nothing of TCP can be tried.
    pub loopback: Tried,
    /// A mute by a socket filter.
    pub filter: Tried,
    /// A mute by a minimum TTL.
    pub min_ttl: Tried,
    /// A random-drop filter.
    pub loss: Tried,
    /// A reset that arrives as one.
    pub reset: Tried,
    /// A packet socket.
    pub tap: Tried,
    /// The program `nft`.
    pub nft: Program,
    /// The program `ip`.
    pub ip: Program,
    /// A ruleset with `redirect`, checked by the kernel.
    pub redirect: Tried,
    /// A ruleset with `tproxy`, checked by the kernel.
    pub tproxy: Tried,
    /// IP_TRANSPARENT.
    pub transparent_v4: Tried,
    /// IPV6_TRANSPARENT.
    pub transparent_v6: Tried,
    /// Whether IPv4 packets for others are passed on; `None` where the kernel does not say.
    pub forwards_v4: Option<bool>,
    /// The same for IPv6.
    pub forwards_v6: Option<bool>,
    /// net.ipv4.conf.all.rp_filter: 1 is strict.
    pub rp_filter: Option<u32>,
    /// The first port that takes no capability to listen on.
    pub first_free_port: Option<u32>,
    /// How many local ports there are for connections to one address of the hub.
    pub local_ports: Option<u32>,
    /// The hub's packets.
    pub hub: HubTtl,
    /// A device's packets.
    pub device: DeviceTtl,
    /// Open files.
    pub files: Files,
    /// Of how many devices it has to be ready.
    pub expected: Option<u32>,
    /// The lateness of timers.
    pub timers: Option<Lateness>,
    /// What the clock of the run is read from, such as tsc.
    pub clock_source: Option<String>,
    /// What reading it takes.
    #[serde(rename = "clock_reading_ns", serialize_with = "nanoseconds")]
    pub clock_reading: Duration,
    /// The wall clock; `None` where the kernel does not say.
    pub wall_clock: Option<WallClock>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "why")]
pub enum Tried {
    /// It did what it is for.
    Works,
    /// The kernel wants a privilege for it.
    Unprivileged(String),
    /// It does not work for another reason.
    Fails(String),
    /// It was not tried, for this reason.
    Untried(String),
}

impl Tried {
    /// Whether it does what it is for.
    pub fn works(&self) -> bool {
        *self == Tried::Works
    }

    /// Why not.
    pub fn why(&self) -> &str {
        match self {
            Tried::Works => "",
            Tried::Unprivileged(why) | Tried::Fails(why) | Tried::Untried(why) => why,
        }
    }
}

/// A program that something needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found", content = "path")]
pub enum Program {
    /// In PATH.
    InPath(PathBuf),
    /// Installed, but PATH does not lead there.
    Outside(PathBuf),
    /// Nowhere that one would look.
    Missing,
}

/// Whether a minimum TTL can hold the hub's packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "why")]
pub enum HubTtl {
    /// Nobody asked.
    NotAsked,
    /// They arrive with less than 255, and so are held.
    Held,
    /// They arrive with 255.
    NotHeld,
    /// It does not answer.
    Unreachable(String),
    /// It was not to be told.
    Unclear(String),
}

/// The TTL that a device's packets arrive with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "result", content = "value")]
pub enum DeviceTtl {
    /// Nobody asked.
    NotAsked,
    /// Nobody came.
    NobodyCame,
    /// This.
    Is(u8),
    /// It was not to be told.
    Unclear(String),
}

/// Limits of open files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Files {
    /// As the process began.
    pub soft: u64,
    /// As a run has it; `None` if there is none.
    pub hard: Option<u64>,
}

/// How late timers came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lateness {
    /// Of so many.
    pub count: usize,
    /// The median.
    #[serde(rename = "p50_ns", serialize_with = "nanoseconds")]
    pub p50: Duration,
    /// All but one in a hundred.
    #[serde(rename = "p99_ns", serialize_with = "nanoseconds")]
    pub p99: Duration,
    /// The worst.
    #[serde(rename = "max_ns", serialize_with = "nanoseconds")]
    pub max: Duration,
}

/// The wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WallClock {
    /// Whether somebody keeps it right.
    pub synchronised: bool,
    /// How far off it may be, where somebody does.
    #[serde(rename = "error_ns", serialize_with = "nanoseconds")]
    pub error: Duration,
}

fn nanoseconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
impl Machine {
    /// A machine on which all is well, and root asks.
    pub fn sound() -> Machine {
        let all = Capabilities::NET_ADMIN.with(Capabilities::NET_RAW).with(Capabilities::NET_BIND_SERVICE);
        Machine {
            kernel: "6.18.1".into(),
            uid: 0,
            capabilities: all,
            grantable: all,
            is_barred_from_more: false,
            binary: "/usr/local/bin/brownout".into(),
            loopback: Tried::Works,
            filter: Tried::Works,
            min_ttl: Tried::Works,
            loss: Tried::Works,
            reset: Tried::Works,
            tap: Tried::Works,
            nft: Program::InPath("/usr/sbin/nft".into()),
            ip: Program::InPath("/usr/sbin/ip".into()),
            redirect: Tried::Works,
            tproxy: Tried::Works,
            transparent_v4: Tried::Works,
            transparent_v6: Tried::Works,
            forwards_v4: Some(true),
            forwards_v6: Some(true),
            rp_filter: Some(0),
            first_free_port: Some(1024),
            local_ports: Some(28_232),
            hub: HubTtl::Held,
            device: DeviceTtl::Is(64),
            files: Files { soft: 1024, hard: Some(1_048_576) },
            expected: None,
            timers: Some(Lateness {
                count: 200,
                p50: Duration::from_nanos(900),
                p99: Duration::from_micros(75),
                max: Duration::from_micros(310),
            }),
            clock_source: Some("tsc".into()),
            clock_reading: Duration::from_nanos(24),
            wall_clock: Some(WallClock { synchronised: true, error: Duration::from_micros(180) }),
        }
    }

    /// The same, asked by an ordinary user.
    pub fn unprivileged() -> Machine {
        let refused = || Tried::Unprivileged("Operation not permitted".into());
        let unasked = || Tried::Untried("it takes CAP_NET_ADMIN to ask the kernel".into());
        Machine {
            uid: 1000,
            capabilities: Capabilities::NONE,
            filter: refused(),
            loss: refused(),
            tap: refused(),
            transparent_v4: refused(),
            transparent_v6: refused(),
            redirect: unasked(),
            tproxy: unasked(),
            hub: HubTtl::NotAsked,
            device: DeviceTtl::NotAsked,
            files: Files { soft: 1024, hard: Some(4096) },
            ..Machine::sound()
        }
    }
}
