//! How truly each fault will be made on a machine, and by which means.

use super::hints::Hint;
use super::machine::{DeviceTtl, HubTtl, Machine, Tried};
use crate::base::Side;
use crate::fault::{
    Blackhole, Connects, Fault, Fidelity, FidelityWanted, Forgotten, LegFate, Mechanism, PacketAction,
    Refusal, Toward,
};
use crate::profile::{self, Rule};
use serde::Serialize;

/// How a fault will be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// What its peers' TCP will see; `None` if it cannot be made.
    pub fidelity: Option<Fidelity>,
    /// The means.
    pub by: String,
    /// Why it is not what was asked for, if it is not.
    pub lacks: Option<String>,
    /// What is not known, and may yet bar it.
    pub doubt: Option<Doubt>,
    /// What improves it.
    pub hint: Option<Hint>,
}

/// What is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Whether the hub's packets arrive with TTL 255.
    HubTtl,
    /// Whether devices' packets do.
    DeviceTtl,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The fault's key in a profile, and the parameter that makes the difference.
    pub fault: String,
    /// How it will be made.
    #[serde(flatten)]
    pub made: Made,
}

/// Where parameters decide how a fault is made, one rule for each way.
const WAYS: [(&str, &str, &str); 8] = [
    ("blackhole", "fidelity: packet", "blackhole: { for: 1s, fidelity: packet }"),
    ("blackhole", "auto", "blackhole: { for: 1s }"),
    ("blackhole", "fidelity: stall", "blackhole: { for: 1s, fidelity: stall }"),
    ("blackhole", "connects: vanish", "blackhole: { for: 1s, fidelity: stall, connects: vanish }"),
    ("refuse", "how: closed", "refuse: { how: closed, for: 1s }"),
    ("refuse", "how: reset", "refuse: { how: reset, for: 1s }"),
    ("cut_after", "ending: reset", "cut_after: { bytes: 1000 }"),
    ("cut_after", "ending: close", "cut_after: { bytes: 1000, ending: close }"),
];

/// The table: every fault of the language.
pub fn table(machine: &Machine) -> Vec<Row> {
    profile::fault_examples().flat_map(|(name, example)| rows(name, example, machine)).collect()
}

fn rows(name: &str, example: &str, machine: &Machine) -> Vec<Row> {
    let ways: Vec<&(&str, &str, &str)> = WAYS.iter().filter(|(of, _, _)| *of == name).collect();
    if ways.is_empty() {
        return rule(example).map(|rule| row(name.to_owned(), &rule, machine)).into_iter().collect();
    }
    let of_way = |(_, way, fault): &&(&str, &str, &str)| {
        let read = rule(&format!("- id: way\n  when: {{ at: 1s }}\n  fault: {{ {fault} }}\n"));
        read.map(|rule| row(format!("{name} ({way})"), &rule, machine))
    };
    ways.iter().filter_map(of_way).collect()
}

fn row(fault: String, rule: &Rule, machine: &Machine) -> Row {
    // Where connects are what it is about, they come last.
    let made = made(&rule.fault, machine).pop();
    Row { fault, made: made.unwrap_or_else(|| stream("nothing")) }
}

fn rule(item: &str) -> Option<Rule> {
    let text = format!("brownout: 1\nname: doctor\nsummary: one rule\nrules:\n{item}");
    profile::read(&text, &[]).ok()?.plan.rules.into_iter().next()
}

/// How this fault will be made: what becomes of links, and where that is another matter, of connects.
pub fn made(fault: &Fault, machine: &Machine) -> Vec<Made> {
    let one = match fault {
        Fault::Blackhole(blackhole) => {
            let connects = (blackhole.connects == Connects::Vanish).then(|| vanishing(machine));
            return [Some(dark(blackhole, machine)), connects].into_iter().flatten().collect();
        }
        Fault::Loss(_) => lossy(machine),
        Fault::Rst(_) => reset(machine),
        Fault::Refuse(refuse) => match refuse.how {
            Refusal::Closed => packet(Mechanism::Closed.words()),
            Refusal::Reset => reset(machine),
        },
        Fault::Fin(_) => packet(Mechanism::Shutdown.words()),
        Fault::HalfClose(_) => packet(Mechanism::HalfShut.words()),
        Fault::CutAfter(cut) => match cut.ending {
            LegFate::Reset | LegFate::ResetWhenSends => reset(machine),
            LegFate::Close
            | LegFate::Unnotified
            | LegFate::Alert(_)
            | LegFate::Truncated
            | LegFate::Rejected(_)
            | LegFate::Disconnected(_)
            | LegFate::HalfOpen => packet(Mechanism::Shutdown.words()),
        },
        Fault::Stall(_) => stall(),
        Fault::IdleTimeout(idle) => match idle.then {
            Forgotten::Vanish => stall(),
            Forgotten::Reset => reset(machine),
        },
        Fault::TokenExpiry(_) => packet(Mechanism::Shutdown.words()),
        Fault::Latency(_) => stream(Mechanism::Lane.words()),
        Fault::Bandwidth(_) | Fault::Slice(_) => stream(Mechanism::Shaper.words()),
        Fault::TlsHandshake(_) => stream(Mechanism::Handshake.words()),
        Fault::TlsAlert(_) => stream(Mechanism::Alert.words()),
        Fault::TlsRecord(_) => stream(Mechanism::Record.words()),
        Fault::Takeover(_) => stream(Mechanism::Rival.words()),
        Fault::Reject(_) => stream(Mechanism::Rejected.words()),
        Fault::Disconnect(_) => stream(Mechanism::Disconnected.words()),
        Fault::Inject(_) => stream(Mechanism::Injected.words()),
        Fault::Packets(packets) => match packets.action {
            PacketAction::Drop { .. }
            | PacketAction::Delay(_)
            | PacketAction::Duplicate { .. }
            | PacketAction::Edit(_)
            | PacketAction::Corrupt(_)
            | PacketAction::Cut(_) => stream(Mechanism::Packets.words()),
        },
    };
    vec![one]
}

fn dark(blackhole: &Blackhole, machine: &Machine) -> Made {
    match blackhole.fidelity {
        FidelityWanted::Stall => stall(),
        FidelityWanted::Packet => muted(blackhole.toward, machine),
        FidelityWanted::Auto => seen_by_tap(muted(blackhole.toward, machine), machine),
    }
}

/// What hides an end's signs is taken only where a tap sees them all the same.
fn seen_by_tap(muted: Made, machine: &Machine) -> Made {
    if machine.tap.works() && muted.fidelity.is_some() {
        let by = format!("{}; with --tap packet, by {}", Mechanism::Gate.words(), muted.by);
        return Made { by, hint: muted.hint, ..stall() };
    }
    Made { hint: privilege(&machine.tap), ..stall() }
}

fn muted(toward: Toward, machine: &Machine) -> Made {
    if machine.filter.works() {
        return packet(Mechanism::Filter.words());
    }
    let hint = privilege(&machine.filter);
    if !machine.min_ttl.works() {
        return cannot(format!("{}: {}", Mechanism::Filter.words(), machine.filter.why()), hint);
    }
    match beyond(toward, machine) {
        Ok(doubt) => Made {
            by: format!("{}, not for peers with TTL 255", Mechanism::MinTtl.words()),
            doubt,
            hint,
            ..packet("")
        },
        Err(who) => {
            cannot(format!("{who} packets arrive with TTL 255, which a minimum TTL does not hold"), hint)
        }
    }
}

/// Whose packets a minimum TTL is not known to hold; or is known not to.
fn beyond(toward: Toward, machine: &Machine) -> Result<Option<Doubt>, &'static str> {
    let hub = match &machine.hub {
        _ if !toward.hits(Side::Hub) => None,
        HubTtl::NotHeld => return Err("the hub's"),
        HubTtl::Held => None,
        HubTtl::NotAsked | HubTtl::Unreachable(_) | HubTtl::Unclear(_) => Some(Doubt::HubTtl),
    };
    let device = match &machine.device {
        _ if !toward.hits(Side::Device) => None,
        DeviceTtl::Is(u8::MAX) => return Err("a device's"),
        DeviceTtl::Is(_) => None,
        DeviceTtl::NotAsked | DeviceTtl::NobodyCame | DeviceTtl::Unclear(_) => Some(Doubt::DeviceTtl),
    };
    Ok(hub.or(device))
}

/// SYNs that vanish: the listener is muted, by the same means as a link.
fn vanishing(machine: &Machine) -> Made {
    let listener = |made: Made| Made { by: format!("listener muted: {}", made.by), ..made };
    let made = muted(Toward::Device, machine);
    if made.fidelity.is_some() { listener(made) } else { made }
}

fn lossy(machine: &Machine) -> Made {
    if machine.loss.works() {
        packet(Mechanism::RandomFilter.words())
    } else {
        let why = format!("{}: {}", Mechanism::RandomFilter.words(), machine.loss.why());
        cannot(why, privilege(&machine.loss))
    }
}

fn reset(machine: &Machine) -> Made {
    match &machine.reset {
        Tried::Works | Tried::Untried(_) => packet(Mechanism::Linger.words()),
        Tried::Unprivileged(why) | Tried::Fails(why) => cannot(format!("RST did not arrive: {why}"), None),
    }
}

fn packet(by: &str) -> Made {
    Made { fidelity: Some(Fidelity::Packet), by: by.into(), lacks: None, doubt: None, hint: None }
}

fn stall() -> Made {
    Made { fidelity: Some(Fidelity::Stall), ..packet(Mechanism::Gate.words()) }
}

fn stream(by: &str) -> Made {
    Made { fidelity: Some(Fidelity::Stream), ..packet(by) }
}

fn cannot(why: String, hint: Option<Hint>) -> Made {
    Made { fidelity: None, by: why.clone(), lacks: Some(why), doubt: None, hint }
}

/// Where a privilege is what is missing.
fn privilege(tried: &Tried) -> Option<Hint> {
    matches!(tried, Tried::Unprivileged(_)).then_some(Hint::Grant)
}
