//! What is to be simulated.

use crate::base::{Chance, Time};
use crate::device::Habits;
use crate::hub::HubConfig;
use crate::profile::Plan;
use std::sync::Arc;
use std::time::Duration;

/// A run: its devices, the hub, the way between them, and what happens to it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The devices; their client identifiers differ. Each begins at its own moment of `begin`.
    pub devices: Vec<Habits>,
    /// When each device dials first, in the order of `devices`; whoever is not named begins at once.
    pub begin: Vec<Time>,
    /// The hub.
    pub hub: HubConfig,
    /// The way between a device and the hub while no fault holds.
    pub link: Link,
    /// The faults, as a real run would have them.
    pub plan: Arc<Plan>,
    /// The seed of every draw: the engine's, the devices', and that of segments lost.
    pub seed: u64,
    /// When the run ends.
    pub until: Time,
}

/// The way between a device and the hub, brownout in the middle of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// From the device to the hub and back, handshakes of TCP included in what waits for it.
    pub round_trip: Duration,
    /// How likely each segment between device and brownout is to be lost, either way.
    pub loss: Chance,
    /// Whether TLS 1.3 is spoken: its handshake, and what each record adds.
    pub tls: bool,
    /// How both ends' TCP behaves.
    pub kernel: Kernel,
}

/// How a TCP behaves where nothing is acknowledged; [`Kernel::LINUX`] is what Linux does by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The least retransmission timeout (TCP_RTO_MIN, 200 ms).
    pub least_timeout: Duration,
    /// The greatest (TCP_RTO_MAX, 120 s).
    pub most_timeout: Duration,
    /// Retransmissions before a connection is given up (tcp_retries2, 15: after about 924.6 s at the least timeout).
    pub retries: u32,
    /// How often a SYN is sent again, 1 s after the first and then doubling (tcp_syn_retries, 6).
    pub syn_retries: u32,
    /// How long data may go unacknowledged before the connection is given up, where the application says so
    /// (TCP_USER_TIMEOUT, RFC 5482).
    pub user_timeout: Option<Duration>,
}
