//! What a sweep was asked, and what came of it: the one model that all its forms are made from.
//!
//! In JSON, fields that end in `_ns` are nanoseconds.

use crate::base::units::to_u64;
use serde::{Deserialize, Serialize};

/// The version of [`Sweep`]'s JSON.
pub const VERSION: u32 = 1;

/// A sweep and all that came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// [`VERSION`].
    pub brownout_keepalive: u32,
    /// What holds for all its cases.
    pub terms: Terms,
    /// The combinations, in the order of their axes, the last named turning fastest.
    pub cases: Vec<Row>,
}

/// What holds for all cases of a sweep, as words that can be typed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The seed of every draw.
    pub seed: u64,
    /// How long each case was simulated for one device.
    pub span_ns: u64,
    /// The hub's manner: `mqtt`, `azure`, `mosquitto`, ...
    pub hub: String,
    /// The access network: `ethernet`, `wifi`, `lte-m`, `nb-iot`.
    pub access: String,
    /// From device to hub and back.
    pub round_trip_ns: u64,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// What the device does: `idle`, `publishing:...`.
    pub workload: String,
    /// From when on a message that arrives is late.
    pub late_ns: u64,
    /// How many devices the reconnect storm is of; 0: none was simulated.
    pub fleet: u32,
}

/// One combination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The client whose habits the device has.
    pub client: String,
    /// The keep-alive in seconds; 0 is none.
    pub keep_alive: u16,
    /// How long the device waits for PINGRESP; `None` never looks.
    pub ping_timeout_ns: Option<u64>,
    /// How it waits before it dials again, as it is typed.
    pub back_off: String,
    /// The outages of the path, as they are typed: `fixed:5m,every=6h`, `exponential:...`, `none`.
    pub outages: String,
    /// After how long without a packet the path forgets a connection; `None`: never.
    pub path_idle_ns: Option<u64>,
    /// The share of segments lost, 0 to 1.
    pub loss: f64,
}

/// A combination with its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The combination.
    pub case: Case,
    /// What came of it.
    pub figures: Figures,
}

/// What came of a combination in [`Terms::span_ns`] of one device's time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Outages that began.
    pub outages: u64,
    /// Of those, how many began while the device had a link.
    pub struck: u64,
    /// From the outage's start until the device knew that its link was gone.
    pub device_detection: Spread,
    /// From the outage's start until the hub knew.
    pub hub_detection: Spread,
    /// From the first end that knew to the other.
    pub split_view: Spread,
    /// From the end of an outage until the device was accepted again, where its link had been lost.
    pub recovery: Spread,
    /// Links that an end gave up though the path was sound since the last packet passed or more than a round trip before.
    pub false_disconnects: u64,
    /// Links lost because the path had forgotten them (an idle timeout).
    pub forgotten: u64,
    /// For how long in all a message could not have been passed on: an outage holds, or the device has no link that the hub
    /// shares.
    pub downtime_ns: u64,
    /// CONNECTs that the device sent.
    pub connects: u64,
    /// Messages.
    pub messages: Messages,
    /// Bytes of IP that the device sent.
    pub bytes_up: u64,
    /// Bytes of IP that it was sent.
    pub bytes_down: u64,
    /// How often its radio had to wake up.
    pub wake_ups: u64,
    /// How long its radio was awake in all, tails included.
    pub awake_ns: u64,
    /// Connects of the whole fleet in the busiest second after an outage that met all; `None`: no fleet was simulated.
    pub storm_peak: Option<u64>,
}

/// What became of a device's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// That were due by its own beat, whether it had a link or not.
    pub due: u64,
    /// That it handed to its link.
    pub sent: u64,
    /// That arrived later than [`Terms::late_ns`] after they were handed over.
    pub late: u64,
    /// That it handed to its link and that never arrived.
    pub lost: u64,
    /// Due while it knew of no link: an application that keeps them sends them late, one that does not loses them.
    pub withheld: u64,
}

/// Samples of a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Samples, those that never came about among them.
    pub count: u64,
    /// That had not come about when the link was over otherwise, or the run.
    pub never: u64,
    /// The least.
    pub min_ns: Option<u64>,
    /// The median (nearest rank). `None` where it is a never.
    pub p50_ns: Option<u64>,
    /// The 95th percentile (nearest rank), nevers greatest. `None` where it is a never.
    pub p95_ns: Option<u64>,
    /// The greatest. `None` where one is a never.
    pub max_ns: Option<u64>,
}

impl Spread {
    /// Of these samples and so many nevers.
    pub fn of(mut samples: Vec<u64>, never: u64) -> Spread {
        samples.sort_unstable();
        let seen = to_u64(samples.len());
        let count = seen.saturating_add(never);
        let at = |percent: u64| {
            let rank = (count.saturating_mul(percent)).div_ceil(100).max(1);
            usize::try_from(rank - 1).ok().and_then(|index| samples.get(index).copied())
        };
        Spread {
            count,
            never,
            min_ns: samples.first().copied(),
            p50_ns: at(50),
            p95_ns: at(95),
            max_ns: at(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nevers_stand_behind_all_samples() {
        let spread = Spread::of(vec![3, 1, 2], 1);
        assert_eq!((spread.count, spread.never), (4, 1));
        assert_eq!(
            (spread.min_ns, spread.p50_ns, spread.p95_ns, spread.max_ns),
            (Some(1), Some(2), None, None)
        );
        assert_eq!(Spread::of(Vec::new(), 0), Spread::default());
        assert_eq!(Spread::of(vec![7], 0).p95_ns, Some(7));
    }
}
