//! What the simulation says of an outage: the same plan, at the phase at which it fell.

use super::case::Case;
use super::guess::Guess;
use super::trail::Trail;
use crate::base::Time;
use crate::device::{DeviceDid, Habits, Sign};
use crate::fault::FidelityWanted;
use crate::hub::{Departure, HubConfig, HubEvent, HubSaw};
use crate::profile;
use crate::sim::{self, Link, Scenario, Sight};
use std::sync::Arc;
use std::time::Duration;

/// So many simulations of each outage that was made, each with another phase of the hub and other draws: a hub that looks
/// each 6 s is met at phases that are no more than about 0.4 s apart.
pub const CLOSELY: u32 = 32;

/// So many of an outage that is only thought of.
pub const ROUGHLY: u32 = 10;

/// So many more of a hub that looks all the time, each at another part of a second.
const EAGERLY: u32 = 13;

/// Over so long devices begin; far longer than the pause between any hub's looks.
const BEGINNINGS: Duration = Duration::from_secs(60);

/// The golden section: multiples of it modulo 1 are spread evenly, whatever period they are looked at with.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// From here on a phase is another one.
const SAME_PHASE: Duration = Duration::from_millis(5);

/// What is believed of both ends.
#[derive(Clone, Debug)]
pub struct Beliefs {
    /// Of the device, at the keep-alive that it has.
    pub habits: Habits,
    /// Of the hub.
    pub hub: HubConfig,
    /// Of the way between.
    pub link: Link,
    /// The seed of every draw.
    pub seed: u64,
    /// How many simulations are made of each outage: [`CLOSELY`], [`ROUGHLY`].
    pub variants: u32,
}

/// What the simulations say of an outage; times as in [`Measured`](super::Measured).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Foretold {
    /// From the outage's start until the device gives its link up by itself.
    pub device: Guess,
    /// From the outage's start until a device that gave its link up by itself dials again.
    pub connect: Guess,
    /// From its start until the hub gives the link up by itself.
    pub hub: Guess,
    /// From the path restored until the device is accepted again.
    pub recovery: Guess,
}

impl Foretold {
    /// Takes in what is foretold at another phase.
    pub fn merge(&mut self, other: Foretold) {
        self.device.merge(other.device);
        self.connect.merge(other.connect);
        self.hub.merge(other.hub);
        self.recovery.merge(other.recovery);
    }
}

/// What the simulations say of this case. `silent`: for how long the device had been silent when the outage fell; without
/// it, it falls as long after the CONNACK as the case says.
///
/// # Errors
/// The case makes no plan, or no simulated device came as far as the outage.
pub fn foretell(
    beliefs: &Beliefs,
    case: &Case,
    fidelity: FidelityWanted,
    silent: Option<Duration>,
) -> Result<Foretold, String> {
    // The device is simulated with the keep-alive that it is told, so that it need not be told.
    let case = Case { server_keep_alive: false, ..case.clone() };
    let case = at_phase(beliefs, case, fidelity, silent)?;
    let mut foretold = Foretold::default();
    let mut struck = 0;
    for variant in 0..beliefs.variants {
        let account = simulate(beliefs, &case, fidelity, variant)?;
        let Some(start) = account.trail.struck else { continue };
        struck += 1;
        let since_start = |at: Option<Time>| at.map(|at| at.since(start.at));
        foretold.device.add(since_start(account.device));
        foretold.connect.add(since_start(account.dials));
        foretold.hub.add(since_start(account.hub));
        foretold.recovery.add(account.recovery());
    }
    foretell_soonest(beliefs, &case, fidelity, &mut foretold)?;
    match struck {
        0 => Err("no simulated device was there when the outage came".into()),
        _ => Ok(foretold),
    }
}

/// A hub that looks only now and then is met at some phases of its looks alone: how soon it can be is known from one that looks
/// all the time. What lies between is a matter of tenths of a second: a device's own retransmission may come before or after.
fn foretell_soonest(
    beliefs: &Beliefs,
    case: &Case,
    fidelity: FidelityWanted,
    foretold: &mut Foretold,
) -> Result<(), String> {
    let mut eager = beliefs.clone();
    let patience = &mut eager.hub.patience;
    if patience.looked_at_every.is_zero() && patience.looked_at_per_mille == 0 {
        return Ok(());
    }
    (patience.looked_at_every, patience.looked_at_per_mille) = (Duration::ZERO, 0);
    for variant in 0..EAGERLY {
        let account = simulate(&eager, case, fidelity, variant)?;
        if let (Some(start), Some(at)) = (account.trail.struck, account.hub) {
            foretold.hub.add(Some(at.since(start.at)));
        }
    }
    Ok(())
}

/// The same case with its outage moved, so that it finds the device as far in its silence as it was.
fn at_phase(
    beliefs: &Beliefs,
    case: Case,
    fidelity: FidelityWanted,
    silent: Option<Duration>,
) -> Result<Case, String> {
    let Some(silent) = silent else { return Ok(case) };
    let account = simulate(beliefs, &case, fidelity, 0)?;
    let Some(simulated) = account.trail.struck.and_then(|struck| struck.silent()) else { return Ok(case) };
    if simulated.abs_diff(silent) <= SAME_PHASE {
        return Ok(case);
    }
    let delay = (case.delay + silent).saturating_sub(simulated);
    Ok(Case { delay, ..case })
}

/// What one simulation showed.
#[derive(Debug, Default)]
struct Account {
    trail: Trail,
    device: Option<Time>,
    dials: Option<Time>,
    hub: Option<Time>,
    is_lost: bool,
    back: Option<Time>,
}

fn simulate(
    beliefs: &Beliefs,
    case: &Case,
    fidelity: FidelityWanted,
    variant: u32,
) -> Result<Account, String> {
    let plan = profile::read(&case.profile(fidelity), &[]);
    let plan = plan.map_err(|problems| format!("the plan of a simulation: {problems:?}"))?.plan;
    let begin = Time::ZERO + BEGINNINGS.mul_f64((f64::from(variant) * GOLDEN).fract());
    let scenario = Scenario {
        devices: vec![beliefs.habits.clone()],
        begin: vec![begin],
        hub: beliefs.hub.clone(),
        link: beliefs.link,
        plan: Arc::new(profile::Plan { duration: None, ..plan }),
        seed: beliefs.seed.wrapping_add(u64::from(variant)),
        until: begin + case.limit,
    };
    let mut account = Account::default();
    sim::run(&scenario, &mut |at, sight| account.push(at, &sight))?;
    Ok(account)
}

impl Account {
    fn push(&mut self, at: Time, sight: &Sight<'_>) {
        match sight {
            Sight::Event(event) => self.trail.push(event),
            Sight::Device { did, .. } if self.trail.struck.is_some() => self.device_did(at, did),
            Sight::Hub(event) if self.trail.struck.is_some() => self.hub_saw(at, event),
            Sight::Device { .. } | Sight::Hub(_) | Sight::Segment { .. } | Sight::Message { .. } => {}
        }
    }

    fn device_did(&mut self, at: Time, did: &DeviceDid) {
        match did {
            DeviceDid::NoticedDead { sign, .. } if !self.is_lost => {
                self.is_lost = true;
                self.device = is_own(*sign).then_some(at);
            }
            DeviceDid::Dialing { .. } if self.device.is_some() => {
                self.dials.get_or_insert(at);
            }
            DeviceDid::Connected { .. } if self.is_lost => {
                self.back.get_or_insert(at);
            }
            _ => {}
        }
    }

    fn hub_saw(&mut self, at: Time, event: &HubEvent) {
        if let HubSaw::Disconnected { why: Departure::KeepAliveTimeout { .. } | Departure::TcpTimeout } =
            event.what
            && self.back.is_none()
        {
            self.hub.get_or_insert(at);
        }
    }

    /// As [`Measured::recovery`](super::Measured::recovery).
    fn recovery(&self) -> Option<Duration> {
        let (restored, back) = (self.trail.restored?, self.back?);
        (back >= restored).then(|| back.since(restored))
    }
}

/// Whether a device found out by itself, rather than being told by the other end.
fn is_own(sign: Sign) -> bool {
    match sign {
        Sign::PingTimeout | Sign::TcpTimeout | Sign::WriteFailed => true,
        Sign::Fin
        | Sign::Unnotified
        | Sign::Alert { .. }
        | Sign::BadRecord
        | Sign::Reset
        | Sign::HubDisconnect { .. }
        | Sign::ProtocolError => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Chance;
    use crate::keepalive::clients::Client;
    use crate::keepalive::hubs::Manner;
    use crate::sim::Kernel;

    fn of(outage: u64) -> Foretold {
        let keep_alive = Duration::from_secs(6);
        let beliefs = Beliefs {
            habits: Client::named("mosquitto").unwrap().habits("device", keep_alive),
            hub: Manner::named("mosquitto").unwrap().config(),
            link: Link {
                round_trip: Duration::from_millis(1),
                loss: Chance::new(0.0).unwrap(),
                tls: false,
                kernel: Kernel::LINUX,
            },
            seed: 1,
            variants: ROUGHLY,
        };
        let case = Case {
            keep_alive: 6,
            server_keep_alive: false,
            delay: Duration::from_secs(3),
            outage: Duration::from_millis(outage),
            round: 1,
            settle: Duration::from_secs(20),
            limit: Duration::from_secs(60),
        };
        foretell(&beliefs, &case, FidelityWanted::Packet, None).unwrap()
    }

    /// A device dials once it has given its link up, and is back once the path is; over a link that held it does neither.
    #[test]
    fn a_device_dials_when_it_knows_and_is_back_when_the_path_is() {
        let (short, long) = (of(1_000), of(20_000));
        for guess in [short.device, short.connect, short.recovery] {
            assert!(guess.is_never(), "{short:?}");
        }
        for guess in [long.device, long.connect, long.recovery] {
            assert!(guess.is_sure(), "{long:?}");
        }
        let (known, dials) = (long.device.at.unwrap(), long.connect.at.unwrap());
        assert!(known.0 <= dials.0 && dials.1 < Duration::from_secs(20), "{long:?}");
        assert!(long.recovery.at.unwrap().1 < Duration::from_secs(20), "{long:?}");
    }

    /// mosquitto 2.0 looks each 6 s. What its device sent in the dark comes 9.25 s after the CONNACK, and from 9 s on it may end
    /// the link: whether it looks in between is chance.
    #[test]
    fn a_hub_that_looks_now_and_then_is_surely_content_only_if_one_that_looks_all_the_time_is() {
        let of = |outage| of(outage).hub;
        assert!(of(4_000).is_never(), "{:?}", of(4_000));
        assert!(!of(4_800).is_never() && !of(4_800).is_sure(), "{:?}", of(4_800));
        assert!(of(13_000).is_sure() && of(13_000).at.unwrap().0 < Duration::from_millis(6_200));
    }
}
