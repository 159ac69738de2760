//! What the facts come to: a line each, good or not.

use super::hints::Hint;
use super::machine::{DeviceTtl, HubTtl, Lateness, Machine, Program, Tried};
use crate::cli::expected;
use serde::Serialize;
use std::time::Duration;

/// Timers later than this, at the 99th percentile, show in delays of a few milliseconds.
const LATE: Duration = Duration::from_millis(1);

/// Reading the clock for longer than this costs a relay of small messages some of its rate: two readings a message.
const SLOW_CLOCK: Duration = Duration::from_nanos(200);

/// How far off a device's or a hub's clock may be before tokens are refused (401003).
const TOKEN_TOLERANCE: Duration = Duration::from_secs(300);

/// The TTL that a minimum TTL cannot hold.
const HIGHEST_TTL: u8 = 255;

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works within limits, or may not be right.
    Limited,
    /// It cannot be had.
    Missing,
    /// Not known.
    Unknown,
}

impl State {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Limited => "limited",
            State::Missing => "missing",
            State::Unknown => "unknown",
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How good.
    pub state: State,
    /// Of what.
    pub topic: &'static str,
    /// What was found.
    pub told: String,
    /// What improves it.
    pub hint: Option<Hint>,
}

/// All of them, in the order of the report.
pub fn findings(machine: &Machine) -> Vec<Finding> {
    let mut all = vec![user(machine)];
    if !machine.loopback.works() {
        all.push(finding(State::Missing, "loopback", machine.loopback.why(), Some(Hint::RaiseLoopback)));
    }
    all.extend([
        tried("mute by filter", &machine.filter, "a byte vanished, and came once it was lifted"),
        tried("mute by minimum TTL", &machine.min_ttl, "the same; not for peers with TTL 255"),
        tried("loss filter", &machine.loss, "the kernel takes such a filter"),
        tried("reset", &machine.reset, "RST arrived at once, on an idle connection"),
        tried("tap", &machine.tap, "the kernel gives a packet socket"),
        program("nft", &machine.nft, Hint::InstallNft),
        program("ip", &machine.ip, Hint::InstallIp),
        ruleset("redirect", &machine.redirect, &machine.nft),
        ruleset("tproxy", &machine.tproxy, &machine.nft),
        transparent(machine),
        forwarding("forwarding, IPv4", machine.forwards_v4, Hint::ForwardV4),
        forwarding("forwarding, IPv6", machine.forwards_v6, Hint::ForwardV6),
    ]);
    all.extend(reverse_path(machine));
    all.extend([hub(machine), device(machine), files(machine), ports(machine), timers(machine)]);
    all.extend([clock(machine), wall_clock(machine)]);
    all
}

fn finding(state: State, topic: &'static str, told: impl Into<String>, hint: Option<Hint>) -> Finding {
    Finding { state, topic, told: told.into(), hint }
}

fn user(machine: &Machine) -> Finding {
    let who = if machine.uid == 0 { "root".to_owned() } else { format!("user {}", machine.uid) };
    let names: Vec<&str> =
        machine.capabilities.names().into_iter().filter(|name| name.starts_with("CAP_NET")).collect();
    let (state, held) = match names.len() {
        0 => (State::Limited, "no capabilities of the network".to_owned()),
        1 | 2 => (State::Limited, names.join(", ")),
        _ => (State::Ok, "CAP_NET_ADMIN, _RAW, _BIND_SERVICE".to_owned()),
    };
    finding(state, "privileges", format!("{who}: {held}"), (state != State::Ok).then_some(Hint::Grant))
}

fn tried(topic: &'static str, tried: &Tried, well: &str) -> Finding {
    match tried {
        Tried::Works => finding(State::Ok, topic, well, None),
        Tried::Unprivileged(why) => finding(State::Missing, topic, why, Some(Hint::Grant)),
        Tried::Fails(why) => finding(State::Missing, topic, why, None),
        Tried::Untried(why) => finding(State::Unknown, topic, why, None),
    }
}

fn program(topic: &'static str, program: &Program, install: Hint) -> Finding {
    match program {
        Program::InPath(path) => finding(State::Ok, topic, path.display().to_string(), None),
        Program::Outside(path) => {
            let told = format!("{}, where PATH does not lead", path.display());
            finding(State::Limited, topic, told, Some(Hint::ExtendPath))
        }
        Program::Missing => finding(State::Missing, topic, "not installed", Some(install)),
    }
}

fn ruleset(topic: &'static str, checked: &Tried, nft: &Program) -> Finding {
    match (nft, checked) {
        (Program::Missing, _) => {
            finding(State::Unknown, topic, "there is no nft to ask the kernel with", None)
        }
        (Program::InPath(_) | Program::Outside(_), Tried::Untried(why)) => {
            finding(State::Unknown, topic, why, Some(Hint::Grant))
        }
        (Program::InPath(_) | Program::Outside(_), checked) => {
            tried(topic, checked, "the kernel would take such a ruleset")
        }
    }
}

fn transparent(machine: &Machine) -> Finding {
    const TOPIC: &str = "transparent sockets";
    match (&machine.transparent_v4, &machine.transparent_v6) {
        (Tried::Works, Tried::Works) => finding(State::Ok, TOPIC, "IP_TRANSPARENT, IPV6_TRANSPARENT", None),
        (Tried::Works, v6) => finding(State::Limited, TOPIC, format!("IPv4 alone; IPv6: {}", v6.why()), None),
        (v4, _) => tried(TOPIC, v4, ""),
    }
}

/// Off is how most machines are meant to be: it matters where this one is to be a router.
fn forwarding(topic: &'static str, on: Option<bool>, hint: Hint) -> Finding {
    match on {
        Some(true) => finding(State::Ok, topic, "on", None),
        Some(false) => finding(State::Limited, topic, "off: no router for devices", Some(hint)),
        None => finding(State::Unknown, topic, "the kernel does not say", None),
    }
}

fn reverse_path(machine: &Machine) -> Option<Finding> {
    (machine.rp_filter == Some(1)).then(|| {
        let told = "strict: what comes by another way than it would go is dropped";
        finding(State::Limited, "rp_filter", told, Some(Hint::LoosenReversePath))
    })
}

fn hub(machine: &Machine) -> Finding {
    const TOPIC: &str = "TTL of the hub";
    match &machine.hub {
        HubTtl::NotAsked => finding(State::Unknown, TOPIC, "no hub was named", Some(Hint::AskHub)),
        HubTtl::Held => finding(State::Ok, TOPIC, "below 255: a minimum TTL holds it", None),
        HubTtl::NotHeld => {
            let hint = (!machine.filter.works()).then_some(Hint::Grant);
            finding(State::Limited, TOPIC, "255: a minimum TTL does not hold it, a filter does", hint)
        }
        HubTtl::Unreachable(why) => finding(State::Unknown, TOPIC, format!("not reachable: {why}"), None),
        HubTtl::Unclear(why) => finding(State::Unknown, TOPIC, why, None),
    }
}

fn device(machine: &Machine) -> Finding {
    const TOPIC: &str = "TTL of a device";
    match &machine.device {
        DeviceTtl::NotAsked => finding(State::Unknown, TOPIC, "no device was asked", Some(Hint::AskDevice)),
        DeviceTtl::NobodyCame => finding(State::Unknown, TOPIC, "no device connected within 30 s", None),
        DeviceTtl::Is(HIGHEST_TTL) => {
            let hint = (!machine.filter.works()).then_some(Hint::Grant);
            finding(State::Limited, TOPIC, "255: a minimum TTL does not hold it, a filter does", hint)
        }
        DeviceTtl::Is(ttl) => finding(State::Ok, TOPIC, format!("{ttl}: a minimum TTL holds it"), None),
        DeviceTtl::Unclear(why) => finding(State::Unknown, TOPIC, why, None),
    }
}

fn files(machine: &Machine) -> Finding {
    const TOPIC: &str = "open files";
    let Some(hard) = machine.files.hard else {
        return finding(State::Ok, TOPIC, "no limit", None);
    };
    let each = expected::of_a_device(None);
    let enough = expected::devices(hard, 1, each);
    let told =
        format!("soft {}, raised to {hard}: {}", machine.files.soft, super::text::counted(enough, "device"));
    match machine.expected {
        Some(devices) if u64::from(devices) > enough => {
            let needed = expected::needed(devices, 1, each);
            let told = format!("{told}; {devices} take {needed}");
            finding(State::Missing, TOPIC, told, Some(Hint::RaiseFiles))
        }
        // The customary hard limit of a service; a fleet of a few hundred devices is a small lab.
        None if hard <= 4096 => finding(State::Limited, TOPIC, told, Some(Hint::RaiseFiles)),
        Some(_) | None => finding(State::Ok, TOPIC, told, None),
    }
}

fn ports(machine: &Machine) -> Finding {
    const TOPIC: &str = "local ports";
    let Some(ports) = machine.local_ports else {
        return finding(State::Unknown, TOPIC, "the kernel does not say", None);
    };
    let told = format!("{ports}: so many links to one address of a hub");
    if machine.expected.is_some_and(|devices| devices > ports) {
        finding(State::Missing, TOPIC, told, Some(Hint::WidenPorts))
    } else {
        finding(State::Ok, TOPIC, told, None)
    }
}

fn timers(machine: &Machine) -> Finding {
    const TOPIC: &str = "timers";
    let Some(Lateness { count, p50, p99, .. }) = machine.timers else {
        return finding(State::Missing, TOPIC, "the kernel gives none", None);
    };
    let told = format!("late by {} (p50), {} (p99) of {count}", span(p50), span(p99));
    if p99 > LATE {
        finding(State::Limited, TOPIC, format!("{told}: a busy machine, or slow to wake"), None)
    } else {
        finding(State::Ok, TOPIC, told, None)
    }
}

fn clock(machine: &Machine) -> Finding {
    let source = machine.clock_source.as_deref().unwrap_or("of a kind that the kernel does not name");
    let told = format!("{source}, {} a reading", span(machine.clock_reading));
    if machine.clock_reading > SLOW_CLOCK {
        let told = format!("{told}: slow, which costs a relay of small messages");
        return finding(State::Limited, "clock", told, None);
    }
    finding(State::Ok, "clock", told, None)
}

fn wall_clock(machine: &Machine) -> Finding {
    const TOPIC: &str = "wall clock";
    match machine.wall_clock {
        None => finding(State::Unknown, TOPIC, "the kernel does not say", None),
        Some(clock) if clock.synchronised && clock.error < TOKEN_TOLERANCE => {
            finding(State::Ok, TOPIC, format!("kept right, to within {}", span(clock.error)), None)
        }
        Some(_) => {
            let told = "nobody keeps it right; 5 min off, hubs refuse tokens (401003)";
            finding(State::Limited, TOPIC, told, Some(Hint::KeepClock))
        }
    }
}

/// In the unit that leaves one to three digits before the point.
fn span(span: Duration) -> String {
    let nanos = span.as_nanos();
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{}.{} us", nanos / 1_000, nanos % 1_000 / 100),
        1_000_000..1_000_000_000 => format!("{}.{} ms", nanos / 1_000_000, nanos % 1_000_000 / 100_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}
