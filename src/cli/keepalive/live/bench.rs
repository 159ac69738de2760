//! What all outages of a live run share.

use super::LiveArgs;
use super::witness::Witness;
use crate::base::Chance;
use crate::cli::exit::Refusal;
use crate::cli::suite::lateness::Lateness;
use crate::device::{Habits, Workload};
use crate::hub::HubConfig;
use crate::keepalive::clients::Client;
use crate::keepalive::hubs::Manner;
use crate::keepalive::live::{Beliefs, CLOSELY};
use crate::sim::{Kernel, Link};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// From a device through brownout to a hub that are near: what matters here is seconds.
const ROUND_TRIP: Duration = Duration::from_millis(1);

/// What all outages share.
#[derive(Debug)]
pub struct Bench {
    /// The device; empty where it is not started here.
    pub command: Vec<String>,
    /// The hub.
    pub upstream: String,
    /// Where the device connects.
    pub listen: String,
    /// Whether what arrives is seen below the sockets, too.
    pub tap: crate::net::tap::Config,
    /// Where reports go.
    pub directory: Option<PathBuf>,
    /// The seed of every draw.
    pub seed: u64,
    /// How far a measure may be from its prediction.
    pub within: Duration,
    /// What the prediction assumes.
    pub faith: Faith,
    /// Tells this run's devices from those of another.
    pub tag: String,
    /// Whether the machine keeps up.
    pub lateness: Lateness,
    /// Whether the hub is there all the while.
    pub witness: Witness,
    /// Ends everything.
    pub stop: watch::Receiver<bool>,
}

/// What is believed of both ends, whatever the keep-alive.
#[derive(Clone, Debug)]
pub struct Faith {
    /// The client's name.
    pub client_name: String,
    /// The hub's name.
    pub hub_name: String,
    /// What the device does.
    pub workload: Workload,
    client: &'static Client,
    hub: HubConfig,
    seed: u64,
}

impl Faith {
    /// As the arguments say.
    pub fn of(args: &LiveArgs) -> Result<Faith, Refusal> {
        let client =
            Client::named(&args.client).map_err(|problem| Refusal::usage(format!("--client: {problem}")))?;
        let hub = Manner::named(&args.hub).map_err(|problem| Refusal::usage(format!("--hub: {problem}")))?;
        Ok(Faith {
            client_name: args.client.clone(),
            hub_name: args.hub.clone(),
            workload: args.workload.clone(),
            client,
            hub: hub.config(),
            seed: args.seed.unwrap_or(super::SEED),
        })
    }

    /// The device at this keep-alive, in seconds, and the hub.
    pub fn at(&self, keep_alive: u16) -> Beliefs {
        let habits = self.client.habits("device", Duration::from_secs(keep_alive.into()));
        Beliefs {
            habits: Habits { workload: self.workload.clone(), ..habits },
            hub: self.hub.clone(),
            link: Link { round_trip: ROUND_TRIP, loss: sound(), tls: false, kernel: Kernel::LINUX },
            seed: self.seed,
            variants: CLOSELY,
        }
    }
}

/// No segment is lost.
fn sound() -> Chance {
    Chance::new(0.0).unwrap_or(Chance::ALWAYS)
}
