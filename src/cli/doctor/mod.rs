//! `brownout doctor`: what this machine can do, how true each fault will be on it, and what improves that.
//!
//! Owns the diagnosis: [`probes`] finds facts by trying, everything else here judges them and is pure. Invariant: what is
//! said to work was seen to work, in this process, a moment ago; what was not tried is said to be unknown. Deliberately
//! absent: any change to the machine. Commands that would change it are told.

mod faults;
mod findings;
mod fit;
mod hints;
mod machine;
mod probes;
#[cfg(test)]
mod tests;
mod text;

use super::exit::{Exit, Refusal};
use super::{load, out};
use crate::profile::{Override, Plan, check_listen, check_upstream};
use crate::report::Styling;
use faults::Row;
use findings::Finding;
use fit::Misfit;
use hints::Hint;
use machine::Machine;
use probes::Ask;
use serde::Serialize;

/// Its arguments.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// A profile's file, or the name of a shipped one: what of it cannot be made here ends with code 3
    pub profile: Option<String>,
    /// As for `run`
    #[arg(long = "set", value_name = "RULE.PARAM=VALUE", requires = "profile")]
    pub sets: Vec<Override>,
    /// Dial this hub, and tell whether a mute without privileges holds its packets
    #[arg(long, value_name = "HOST:PORT")]
    pub hub: Option<String>,
    /// Wait here, at most 30 s, for one device to connect, and tell the TTL that its packets arrive with
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub device: Option<String>,
    /// Look whether open files and local ports are enough for so many devices at once
    #[arg(long, value_name = "NUMBER", value_parser = crate::cli::number::whole(1..=10_000_000_u32))]
    pub expect_devices: Option<u32>,
    /// Print JSON instead of the text
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The facts.
    pub machine: Machine,
    /// What they come to.
    pub findings: Vec<Finding>,
    /// How each fault will be made.
    pub faults: Vec<Row>,
    /// What of a profile cannot be made, where one was named.
    pub profile: Option<OfProfile>,
    /// What improves it: each once, in order.
    pub hints: Vec<Hint>,
}

/// What of a profile cannot be made.
#[derive(Clone, Debug, Serialize)]
pub struct OfProfile {
    /// Its name.
    pub name: String,
    /// What.
    pub misfits: Vec<Misfit>,
    /// What may yet turn out so.
    pub doubts: Vec<Misfit>,
}

/// The hints, with their commands, for JSON.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
    commands: Vec<String>,
}

/// Does it.
pub(super) fn doctor(args: &DoctorArgs) -> Exit {
    examine(args).unwrap_or_else(Refusal::tell)
}

fn examine(args: &DoctorArgs) -> Result<Exit, Refusal> {
    let plan = args.profile.as_deref().map(|name| plan(name, &args.sets)).transpose()?;
    if let Some(hub) = &args.hub {
        check_upstream(hub).map_err(|error| Refusal::usage(format!("--hub: {error}")))?;
    }
    if let Some(device) = &args.device {
        check_listen(device).map_err(|error| Refusal::usage(format!("--device: {error}")))?;
        out::tell(format_args!("doctor: let one device connect to {device} within 30 s"));
    }
    let (hub, device) = (args.hub.clone(), args.device.clone());
    let machine = probes::gather(&Ask { hub, device, expected: args.expect_devices });
    let diagnosis = Diagnosis::of(machine, plan.as_ref());
    if args.json {
        let commands = diagnosis.hints.iter().map(|hint| hint.command(&diagnosis.machine)).collect();
        let told = serde_json::to_string_pretty(&Told { diagnosis: &diagnosis, commands });
        out::show_line(told.map_err(|error| Refusal::environment(error.to_string()))?);
    } else {
        out::show(text::render(&diagnosis, Styling::Ansi));
    }
    let fits = diagnosis.profile.as_ref().is_none_or(|profile| profile.misfits.is_empty());
    Ok(if fits { Exit::Met } else { Exit::Environment })
}

fn plan(name: &str, sets: &[Override]) -> Result<Plan, Refusal> {
    Ok(load::checked(&load::text(name)?, sets)?.plan)
}

impl Diagnosis {
    /// Of these facts, and of this plan where there is one.
    pub fn of(machine: Machine, plan: Option<&Plan>) -> Diagnosis {
        let (findings, faults) = (findings::findings(&machine), faults::table(&machine));
        let profile = plan.map(|plan| OfProfile {
            name: plan.name.clone(),
            misfits: fit::misfits(plan, &machine),
            doubts: fit::doubts(plan, &machine),
        });
        let of_profile = profile.iter().flat_map(|profile| profile.misfits.iter().chain(&profile.doubts));
        let of_profile = of_profile.filter_map(|misfit| misfit.hint);
        let of_faults = faults.iter().filter_map(|row| row.made.hint);
        let told = findings.iter().filter_map(|finding| finding.hint).chain(of_faults).chain(of_profile);
        let mut hints: Vec<Hint> = told.collect();
        hints.sort_unstable();
        hints.dedup();
        Diagnosis { machine, findings, faults, profile, hints }
    }
}
