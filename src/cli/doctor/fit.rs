//! What of a profile a machine cannot make as it is asked.

use super::faults::{self, Doubt, Made};
use super::hints::Hint;
use super::machine::Machine;
use crate::net::sys::Capabilities;
use crate::profile::Plan;
use serde::Serialize;

/// Something that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// The rule, or the listener.
    pub of: String,
    /// What, and why.
    pub told: String,
    /// What improves it.
    pub hint: Option<Hint>,
}

/// All of them, in the order of the profile.
pub fn misfits(plan: &Plan, machine: &Machine) -> Vec<Misfit> {
    let rules = plan.rules.iter().flat_map(|rule| {
        let lacking = faults::made(&rule.fault, machine).into_iter().filter_map(|made| {
            let Made { lacks, hint, .. } = made;
            lacks.map(|told| Misfit { of: format!("rule `{}`", rule.id), told, hint })
        });
        lacking.map(|misfit| Misfit { told: format!("{}: {}", rule.fault.name(), misfit.told), ..misfit })
    });
    rules.chain(ports(plan, machine)).collect()
}

/// What is not known, and may yet bar it.
pub fn doubts(plan: &Plan, machine: &Machine) -> Vec<Misfit> {
    let of_rule = |fault| faults::made(fault, machine).into_iter().filter_map(|made| made.doubt);
    let rules = plan.rules.iter().flat_map(|rule| of_rule(&rule.fault).map(|doubt| (rule.id.clone(), doubt)));
    rules.map(|(id, doubt)| explain(format!("rule `{id}`"), doubt)).collect()
}

fn explain(of: String, doubt: Doubt) -> Misfit {
    let (who, hint) = match doubt {
        Doubt::HubTtl => ("the hub's", Hint::AskHub),
        Doubt::DeviceTtl => ("devices'", Hint::AskDevice),
    };
    let told = format!("only if {who} packets arrive with a TTL below 255, which is not known");
    Misfit { of, told, hint: Some(hint) }
}

/// Listeners on ports that take a capability.
fn ports(plan: &Plan, machine: &Machine) -> Vec<Misfit> {
    let first = machine.first_free_port.unwrap_or(0);
    let may = machine.capabilities.has(Capabilities::NET_BIND_SERVICE);
    let barred = plan.listeners.iter().filter(|listener| {
        let port = listener.listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u32>().ok());
        !may && port.is_some_and(|port| port != 0 && port < first)
    });
    barred
        .map(|listener| Misfit {
            of: format!("listener `{}`", listener.name),
            told: format!("{}: ports below {first} take CAP_NET_BIND_SERVICE", listener.listen),
            hint: Some(Hint::Grant),
        })
        .collect()
}
