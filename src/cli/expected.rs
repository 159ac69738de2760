//! Whether the system grants the files that so many devices take.

use super::exit::Refusal;
use crate::base::units::to_u64;
use crate::fault::Fault;
use crate::net::sys::limit;
use crate::profile::Plan;

/// A link is two connections.
const OF_A_LINK: u64 = 2;

/// A listener has its socket, the same once more to open and close it by, and the one that is watched.
const OF_A_LISTENER: u64 = 3;

/// What brownout needs for itself. Counted in a run with every log open and a command beside it: 20 (standard streams 3,
/// report and logs 7, runtime and signals 8, timer 1, command 1); the rest is for looking up names, which takes two a
/// thread for a moment.
pub(super) const RESERVE: u64 = 64;

/// Of how many devices it has to be ready.
#[derive(Debug, clap::Args)]
pub(super) struct ExpectArgs {
    /// Refuse to begin where the system grants too few open files for so many devices at once
    #[arg(long, value_name = "NUMBER", value_parser = crate::cli::number::whole(1..=10_000_000_u32))]
    pub expect_devices: Option<u32>,
}

/// Open files for so many devices with a link each.
pub(super) fn needed(devices: u32, listeners: usize, of_a_device: u64) -> u64 {
    let listeners = to_u64(listeners);
    u64::from(devices) * of_a_device + listeners.saturating_mul(OF_A_LISTENER) + RESERVE
}

/// How many devices so many open files are enough for.
pub(super) fn devices(files: u64, listeners: u64, of_a_device: u64) -> u64 {
    files.saturating_sub(RESERVE + listeners * OF_A_LISTENER) / of_a_device
}

/// Open files of a device: its link, and the rival of a takeover.
pub(super) fn of_a_device(plan: Option<&Plan>) -> u64 {
    let rules = plan.into_iter().flat_map(|plan| &plan.rules);
    let rival = rules.into_iter().any(|rule| matches!(rule.fault, Fault::Takeover(_)));
    OF_A_LINK + u64::from(rival)
}

/// Refuses where the hard limit is too low.
pub(super) fn check(args: &ExpectArgs, listeners: usize, plan: &Plan) -> Result<(), Refusal> {
    let Some(devices) = args.expect_devices else { return Ok(()) };
    let each = of_a_device(Some(plan));
    let needed = needed(devices, listeners, each);
    let most = limit::most_files().map_err(|error| Refusal::environment(error.to_string()))?;
    match most {
        Some(most) if most < needed => Err(Refusal::environment(too_few(devices, each, needed, most))),
        Some(_) | None => Ok(()),
    }
}

fn too_few(devices: u32, each: u64, needed: u64, most: u64) -> String {
    let own = needed - u64::from(devices) * each;
    format!(
        "--expect-devices {devices} takes {needed} open files ({each} a device, {own} of brownout's own), and the hard limit \
         is {most}, enough for {}; raise it: `ulimit -Hn {needed}` as root, LimitNOFILE={needed} in a systemd unit, \
         `--ulimit nofile={needed}` for a container",
        most.saturating_sub(own) / each
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_a_link_three_a_listener_and_the_reserve() {
        assert_eq!(needed(1000, 1, 2), 2067);
        assert_eq!(needed(1000, 2, 3), 3070);
        // One more device than that needs one more file than there is.
        assert_eq!(devices(2067, 1, 2), 1000);
        assert_eq!(devices(2066, 1, 2), 999);
        assert_eq!(devices(10, 1, 2), 0);
    }

    #[test]
    fn a_refusal_names_the_numbers_and_the_way_out() {
        let told = too_few(1000, 2, 2067, 1024);
        assert!(told.contains("takes 2067 open files (2 a device, 67 of brownout's own)"), "{told}");
        assert!(told.contains("the hard limit is 1024, enough for 478"), "{told}");
        assert!(told.contains("`ulimit -Hn 2067`") && told.contains("LimitNOFILE=2067"), "{told}");
    }
}
