//! What is to be simulated.

use crate::base::{Chance, Time};
use crate::device::Habits;
use crate::hub::HubConfig;
use crate::profile::Plan;
use std::sync::Arc;
use std::time::Duration;

/// More retransmissions than any kernel makes (tcp_retries2 is a byte).
const MOST_RETRIES: u32 = 255;

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
    /// How often a SYN is sent again, 1 s after the first (tcp_syn_retries, 6).
    pub syn_retries: u32,
    /// How often besides, 1 s apart each, before the pauses double (tcp_syn_linear_timeouts, 4 since Linux 6.5; 0 before).
    pub syn_linear: u32,
    /// How long data may go unacknowledged before the connection is given up, where the application says so
    /// (TCP_USER_TIMEOUT, RFC 5482).
    pub user_timeout: Option<Duration>,
    /// Whether what was last sent is sent once more after the first timeout, which then does not double (the tail loss
    /// probe, RFC 8985 section 7; tcp_early_retrans).
    pub tail_probe: bool,
}

impl Kernel {
    /// Linux, as it comes: include/net/tcp.h (TCP_RTO_MIN, TCP_RTO_MAX) and Documentation/networking/ip-sysctl (tcp_retries2,
    /// tcp_syn_retries, tcp_early_retrans).
    pub const LINUX: Kernel = Kernel {
        least_timeout: Duration::from_millis(200),
        most_timeout: Duration::from_secs(120),
        retries: 15,
        syn_retries: 6,
        syn_linear: 4,
        user_timeout: None,
        tail_probe: true,
    };

    /// For how long nothing need be acknowledged before a connection is given up after so many retransmissions: the sum of the
    /// pauses as if the first was the least (ip-sysctl on tcp_retries2: 15 are 924.6 s). Linux looks at it when a
    /// retransmission is due.
    pub fn patience(&self, retries: u32) -> Duration {
        let mut pause = self.least_timeout;
        let mut sum = Duration::ZERO;
        for _ in 0..=retries.min(MOST_RETRIES) {
            sum = sum.saturating_add(pause);
            pause = pause.saturating_mul(2).min(self.most_timeout);
        }
        sum
    }
}
