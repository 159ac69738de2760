//! A first look at the device, with nothing broken: what it speaks, whether it takes the keep-alive that it is given, and
//! whether several of it can be there at once.

use super::bench::Bench;
use super::outage::{self, Errands, Shown};
use super::{LiveArgs, ModeWanted};
use crate::base::Time;
use crate::base::text::printable;
use crate::cli::exit::Refusal;
use crate::cli::out;
use crate::keepalive::live::{Connect, Heeds, Mode, Telling, Trail, due, more_than, probe};
use crate::mqtt::Version;
use std::time::Duration;

/// So long a command may take to connect: interpreters of some languages take seconds.
const TO_CONNECT: Duration = Duration::from_secs(20);

/// So long a device that is not started here may: what most clients back off to after an hour without a hub.
const TO_COME: Duration = Duration::from_secs(150);

/// After its CONNACK, so long is looked whether the hub keeps it.
const STANDS: Duration = Duration::from_millis(300);

/// The least keep-alive, in seconds, that a command is given where it is to heed another one, and how many times that one it is
/// at least: no client pings so soon by itself.
const OTHER: u16 = 60;
const OTHER_TIMES: u16 = 4;

/// Outages wait for nearly all of their time; so many side by side on each core leave timers on time.
const JOBS_PER_CORE: usize = 8;

/// The number of the first look; outages count from 3.
const FIRST: usize = 0;
const SECOND: usize = 1;
const THIRD: usize = 2;

/// What is known of the device.
#[derive(Debug)]
pub struct Known {
    /// How it is given its keep-alives.
    pub mode: Mode,
    /// Those that it is stepped through, in seconds.
    pub keep_alives: Vec<u16>,
    /// Whether it is known to have the keep-alives that it is given: in what it asks for, or by going by Server Keep Alive.
    pub heeds: bool,
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
        // Far more, so that it can only have learned from the hub what it does.
        Mode::ServerKeepAlive => keep_alive.saturating_mul(OTHER_TIMES).max(OTHER),
    }
}

/// The one that it is given where it is told several: as for the greatest.
fn environment_of_looks(keep_alives: &[u16]) -> u16 {
    in_environment(Mode::ServerKeepAlive, keep_alives.iter().copied().max().unwrap_or(1))
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
        Ok(Known { mode: Mode::Restart, keep_alives, heeds: true, jobs, notes, patience: TO_CONNECT })
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
    let (connect, shown) = look(bench, SECOND, environment_of_looks(keep_alives), Some(least)).await?;
    if connect.version != Version::V5 {
        return Err(Refusal::unmet(format!(
            "the device speaks MQTT {}, which has no Server Keep Alive: give its command with --mode restart",
            connect.version
        )));
    }
    let heeds = heeds(bench, keep_alives, least, &connect, &shown).await?;
    if !heeds {
        notes.push("Whether it heeds Server Keep Alive is not known: no outage is judged.".into());
    }
    let jobs = match bench.command.is_empty() {
        true => 1,
        false => jobs(bench, SECOND, &connect, &mut notes),
    };
    let (mode, keep_alives) = (Mode::ServerKeepAlive, keep_alives.to_vec());
    Ok(Known { mode, keep_alives, heeds, jobs, notes, patience: patience(bench) })
}

/// Whether it is known that the device goes by what it is told: by more than its own where that is to be told, or where less
/// told nothing.
async fn heeds(
    bench: &Bench,
    keep_alives: &[u16],
    least: u16,
    connect: &Connect,
    shown: &Shown,
) -> Result<bool, Refusal> {
    let own = connect.keep_alive;
    let is_below = own == 0 || own > least;
    let first = judged(&shown.telling(connect, least))?;
    let is_told_more = own != 0 && keep_alives.iter().any(|&told| told >= own);
    if first == Heeds::Yes && !(is_below && is_told_more) {
        return Ok(true);
    }
    let Some(more) = more_than(own).filter(|_| !shown.has_messages()) else { return Ok(false) };
    out::tell(format_args!(
        "keepalive live: the device asks for {own} s; it is told {more} s, to see whether it heeds that (up to {:.0} s)",
        due(own).as_secs_f64()
    ));
    let environment = environment_of_looks(keep_alives);
    let (connect, shown) = look(bench, THIRD, environment, Some(more)).await?;
    Ok(judged(&shown.telling(&connect, more))? == Heeds::Yes)
}

/// What a look says of that; one that ignores what it is told is refused.
fn judged(telling: &Telling) -> Result<Heeds, Refusal> {
    let Telling { own, told, .. } = *telling;
    let did = match (telling.heeds(), telling.lull) {
        (Heeds::No, None) => format!("sent no PINGREQ for {:.1} s", telling.silence.as_secs_f64()),
        (Heeds::No, Some(lull)) => format!("sent a PINGREQ after {:.1} s", lull.as_secs_f64()),
        (known @ (Heeds::Yes | Heeds::Unknown), _) => return Ok(known),
    };
    Err(Refusal::unmet(format!(
        "the device ignores Server Keep Alive [MQTT-3.2.2-21]: it asked for {own} s, was told {told} s, and {did}; \
         --mode restart steps it by its own setting"
    )))
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
    let stands = server_keep_alive.map_or(STANDS, due);
    let errands = Errands {
        name: None,
        profile: probe(server_keep_alive, patience + stands * 2),
        keep_alive: environment,
        number,
    };
    let pings_wanted = server_keep_alive.is_some();
    let is_over = |trail: &Trail, now: Time| {
        let own = trail.connect.as_ref().map_or(0, |connect| connect.keep_alive);
        // Told more than its own, it has shown what it does once its own has run out.
        let stands = server_keep_alive.filter(|&told| (1..told).contains(&own)).map_or(stands, |_| due(own));
        let stood = trail.silence(now).is_some_and(|silence| silence >= stands);
        stood || (pings_wanted && (trail.pings > 0 || trail.is_left()))
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
        // It was not waited for longer.
        None if shown.ended.is_some() => "no device connected".to_owned(),
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
    /// Whether messages came by, which let the device go without PINGREQ.
    fn has_messages(&self) -> bool {
        let devices = self.results.runs.iter().flat_map(|run| run.devices.values());
        devices.map(|device| device.count.up.publishes + device.count.down.publishes).sum::<u64>() > 0
    }

    fn telling(&self, connect: &Connect, told: u16) -> Telling {
        Telling {
            own: connect.keep_alive,
            told,
            lull: self.trail.lull,
            silence: self.trail.silence(self.until).unwrap_or_default(),
            messages: self.has_messages(),
        }
    }
}
