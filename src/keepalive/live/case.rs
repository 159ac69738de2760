//! What a device is put through: one outage, and how long is watched.

use crate::base::span::show_fixed;
use crate::fault::FidelityWanted;
use std::time::Duration;

/// One outage of one link, so long after its CONNACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The keep-alive in seconds that the device is to have.
    pub keep_alive: u16,
    /// Whether an MQTT 5 device is told so by Server Keep Alive [MQTT-3.2.2-21]; else it is asked to ask for it.
    pub server_keep_alive: bool,
    /// From the CONNACK to the outage.
    pub delay: Duration,
    /// How long the outage lasts.
    pub outage: Duration,
    /// Its number among those of its keep-alive and outage, from 1.
    pub round: u32,
    /// How long is watched after the last change.
    pub settle: Duration,
    /// How long it may take in all.
    pub limit: Duration,
}

impl Case {
    /// Its name, which can be that of a directory: `4s-13.5s-1`.
    pub fn name(&self) -> String {
        let outage = show_fixed(self.outage).replace(' ', "");
        format!("{}s-{outage}-{}", self.keep_alive, self.round)
    }

    /// The profile of its run.
    pub fn profile(&self, fidelity: FidelityWanted) -> String {
        let fidelity = match fidelity {
            FidelityWanted::Auto => "auto",
            FidelityWanted::Packet => "packet",
            FidelityWanted::Stall => "stall",
        };
        let told = match self.server_keep_alive {
            true => format!("server_keepalive: {}s\n", self.keep_alive),
            false => String::new(),
        };
        let (delay, outage) = (show_fixed(self.delay), show_fixed(self.outage));
        let (settle, limit) = (show_fixed(self.settle), show_fixed(self.limit));
        format!(
            "brownout: 1\nname: keepalive-live\nsummary: An outage of {outage}, {delay} after the CONNACK.\n\
             {told}settle: {settle}\nduration: {limit}\nrules:\n  - id: outage\n    \
             when: {{ after: connack, delay: {delay} }}\n    \
             fault: {{ blackhole: {{ toward: both, fidelity: {fidelity}, connects: vanish, for: {outage} }} }}\n"
        )
    }
}

/// The profile of a first look at the device: nothing is broken for `limit`. With `server_keep_alive` it is told that one.
pub fn probe(server_keep_alive: Option<u16>, limit: Duration) -> String {
    let told = server_keep_alive.map(|seconds| format!("server_keepalive: {seconds}s\n")).unwrap_or_default();
    format!(
        "brownout: 1\nname: keepalive-live\nsummary: A first look at the device.\n{told}duration: {}\n",
        show_fixed(limit)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::profile::{self, When};

    #[test]
    fn its_profile_says_what_it_says() {
        let case = Case {
            keep_alive: 4,
            server_keep_alive: true,
            delay: Duration::from_millis(1_250),
            outage: Duration::from_millis(91_500),
            round: 2,
            settle: Duration::from_secs(9),
            limit: Duration::from_secs(120),
        };
        assert_eq!(case.name(), "4s-1m31.5s-2");
        let plan = profile::read(&case.profile(FidelityWanted::Packet), &[]).unwrap().plan;
        assert_eq!(plan.server_keep_alive, Some(4));
        assert_eq!(plan.settle.resolve(Duration::ZERO), case.settle);
        assert_eq!(plan.duration, Some(case.limit));
        let rule = &plan.rules[0];
        let When::After { delay, nth: 1, times: 1, .. } = &rule.when else { panic!("{:?}", rule.when) };
        assert_eq!(delay.resolve(Duration::ZERO), case.delay);
        assert!(matches!(rule.fault, Fault::Blackhole(_)), "{:?}", rule.fault);
        assert_eq!(rule.fault.hold().map(|hold| hold.resolve(Duration::ZERO)), Some(case.outage));
        let untold = Case { server_keep_alive: false, ..case };
        let plan = profile::read(&untold.profile(FidelityWanted::Auto), &[]).unwrap().plan;
        assert_eq!(plan.server_keep_alive, None);
        let plan = profile::read(&probe(Some(7), Duration::from_secs(3)), &[]).unwrap().plan;
        assert_eq!((plan.server_keep_alive, plan.rules.len()), (Some(7), 0));
    }
}
