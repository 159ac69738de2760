//! A first look at the device, with nothing broken: what it speaks, whether it takes the keep-alive that it is given, and
//! whether several of it can be there at once.

use super::bench::Bench;
use super::outage::{self, Errands, Shown};
use super::{LiveArgs, ModeWanted};
use crate::base::Time;
use crate::base::text::printable;
use crate::cli::exit::Refusal;
use crate::cli::out;
use crate::keepalive::live::{Connect, Mode, Trail, probe};
use crate::mqtt::Version;
use std::time::Duration;

/// So long a command may take to connect: interpreters of some languages take seconds.
const TO_CONNECT: Duration = Duration::from_secs(20);

/// So long a device that is not started here may: what most clients back off to after an hour without a hub.
const TO_COME: Duration = Duration::from_secs(150);

/// After its CONNACK, so long is looked whether the hub keeps it.
const STANDS: Duration = Duration::from_millis(300);

/// The keep-alive that a command is given where it is to heed another one.
const OTHER: u16 = 60;

/// A client that looks at its timers once a second pings so late.
const LOOPS: Duration = Duration::from_millis(1_300);

/// Outages wait for nearly all of their time; so many side by side on each core leave timers on time.
const JOBS_PER_CORE: usize = 8;

/// The number of the first look; outages count from 2.
const FIRST: usize = 0;
const SECOND: usize = 1;

/// What is known of the device.
#[derive(Debug)]
pub struct Known {
    /// How it is given its keep-alives.
    pub mode: Mode,
    /// Those that it is stepped through, in seconds.
    pub keep_alives: Vec<u16>,
    /// How many of it may be there at once.
    pub jobs: usize,
    /// What is to be said.
    pub notes: Vec<String>,
    /// How long it is waited for its CONNECT.
    pub patience: Duration,
}

/// The keep-alive that the device's command is given in its environment.
pub fn in_environment(mode: Mode, keep_alive: u16) -> u16 {
    match mode {
        Mode::Restart => keep_alive,
        // Another, so that it can only have learned from the hub what it does.
        Mode::ServerKeepAlive if keep_alive == OTHER => OTHER + 1,
        Mode::ServerKeepAlive => OTHER,
    }
}

/// Looks.
pub async fn meet(bench: &Bench, args: &LiveArgs) -> Result<Known, Refusal> {
    let keep_alives = &args.keep_alives;
    let least = keep_alives.iter().copied().min().unwrap_or(1);
    if bench.command.is_empty() {
        out::tell(format_args!(
            "keepalive live: devices connect to {}, the hub is {}; waiting for one",
            bench.listen, bench.upstream
        ));
        return by_the_hub(bench, keep_alives, least, Vec::new()).await;
    }
    if args.mode == ModeWanted::ServerKeepAlive {
        return by_the_hub(bench, keep_alives, least, Vec::new()).await;
    }
    let (connect, _) = look(bench, FIRST, least, None).await?;
    let mut notes = Vec::new();
    let jobs = jobs(bench, FIRST, &connect, &mut notes);
    let restart = |keep_alives, notes| {
        Ok(Known { mode: Mode::Restart, keep_alives, jobs, notes, patience: TO_CONNECT })
    };
    let own = connect.keep_alive;
    if own == least {
        return restart(keep_alives.clone(), notes);
    }
    let ignores = format!("The device asks for a keep-alive of {own} s, and BROWNOUT_KEEPALIVE was {least}");
    match (args.mode, connect.version) {
        (ModeWanted::Auto | ModeWanted::ServerKeepAlive, Version::V5) => {
            let note = format!("{ignores}: it is told its keep-alives by Server Keep Alive.");
            by_the_hub(bench, keep_alives, least, vec![note]).await
        }
        (_, _) if own == 0 => Err(Refusal::unmet(format!("{ignores}: without one there is nothing to step"))),
        (_, _) => {
            notes.insert(0, format!("{ignores}: it is judged with its own."));
            restart(vec![own], notes)
        }
    }
}

/// A device that learns its keep-alives from the hub, if it does.
async fn by_the_hub(
    bench: &Bench,
    keep_alives: &[u16],
    least: u16,
    mut notes: Vec<String>,
) -> Result<Known, Refusal> {
    let (connect, shown) =
        look(bench, SECOND, in_environment(Mode::ServerKeepAlive, least), Some(least)).await?;
    if connect.version != Version::V5 {
        return Err(Refusal::unmet(format!(
            "the device speaks MQTT {}, which has no Server Keep Alive: give its command with --mode restart",
            connect.version
        )));
    }
    let heeds = connect.keep_alive == least || shown.trail.pings > 0 || !shown.is_silent();
    if !heeds {
        return Err(Refusal::unmet(format!(
            "the device ignores Server Keep Alive [MQTT-3.2.2-21]: it asked for {} s, was told {least} s, and sent no \
             PINGREQ for {} s; --mode restart steps it by its own setting",
            connect.keep_alive,
            heeding(least).as_secs_f64()
        )));
    }
    let jobs = match bench.command.is_empty() {
        true => 1,
        false => jobs(bench, SECOND, &connect, &mut notes),
    };
    let (mode, keep_alives) = (Mode::ServerKeepAlive, keep_alives.to_vec());
    Ok(Known { mode, keep_alives, jobs, notes, patience: patience(bench) })
}

/// By so long after its CONNACK a device with this keep-alive has pinged: it has to within one [MQTT-3.1.2-20], and no hub
/// takes more than one and a half.
fn heeding(keep_alive: u16) -> Duration {
    let keep_alive = Duration::from_secs(keep_alive.into());
    (keep_alive + keep_alive / 2).max(keep_alive + LOOPS)
}

fn patience(bench: &Bench) -> Duration {
    if bench.command.is_empty() { TO_COME } else { TO_CONNECT }
}

async fn look(
    bench: &Bench,
    number: usize,
    environment: u16,
    server_keep_alive: Option<u16>,
) -> Result<(Connect, Shown), Refusal> {
    let patience = patience(bench);
    let stands = server_keep_alive.map_or(STANDS, heeding);
    let errands = Errands {
        name: None,
        profile: probe(server_keep_alive, patience + stands),
        keep_alive: environment,
        number,
    };
    let pings_wanted = server_keep_alive.is_some();
    let is_over = |trail: &Trail, now: Time| {
        let stood = trail.accepted.is_some_and(|at| now.since(at) >= stands);
        stood || (pings_wanted && trail.pings > 0)
    };
    let shown = outage::run(bench, &errands, is_over).await?;
    if *bench.stop.borrow() {
        return Err(Refusal::unmet("interrupted before the first outage"));
    }
    match (&shown.trail.connect, shown.trail.accepted) {
        (Some(connect), Some(_)) => Ok((connect.clone(), shown)),
        (connect, _) => Err(Refusal::unmet(nobody(bench, connect.as_ref(), &shown, patience))),
    }
}

/// Why nothing can be made with this device.
fn nobody(bench: &Bench, connect: Option<&Connect>, shown: &Shown, patience: Duration) -> String {
    let mut told = match connect {
        Some(_) => "the hub accepted no CONNECT of the device".to_owned(),
        None if shown.trail.links > 0 => "what connected sent no CONNECT".to_owned(),
        None => format!("no device connected within {} s", patience.as_secs()),
    };
    if let Some(ended) = &shown.ended {
        told.push_str(&format!("; the command ended with {ended}"));
    } else if connect.is_none() && !bench.command.is_empty() {
        told.push_str("; the command is to connect to $BROWNOUT_HOST, port $BROWNOUT_PORT");
    }
    for line in &shown.output {
        told.push_str(&format!("\n  {}", printable(line)));
    }
    told
}

/// Several at once only where they do not take each other's links [MQTT-3.1.4-2].
fn jobs(bench: &Bench, number: usize, connect: &Connect, notes: &mut Vec<String>) -> usize {
    // A fleet puts a number behind it.
    let given = outage::client_id(bench, number);
    let is_its_own = !connect.client_id.is_empty() && !connect.client_id.starts_with(&given);
    if is_its_own {
        let name = printable(&connect.client_id);
        notes.push(format!(
            "The device has a client identifier of its own ({name}): without --jobs, outages are made one by one."
        ));
        return 1;
    }
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get) * JOBS_PER_CORE
}

impl Shown {
    /// Whether the device sent no messages, which would let it go without PINGREQ.
    fn is_silent(&self) -> bool {
        let devices = self.results.runs.iter().flat_map(|run| run.devices.values());
        devices.map(|device| device.count.up.publishes).sum::<u64>() == 0
    }
}
