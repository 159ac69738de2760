//! `brownout keepalive advise`.

use crate::base::Chance;
use crate::base::span::show_fixed;
use crate::cli::exit::{Exit, Refusal};
use crate::cli::keepalive::place::Place;
use crate::cli::number;
use crate::cli::out;
use crate::device::Workload;
use crate::keepalive::access::Access;
use crate::keepalive::advise::{
    Advice, Budget, DetectedBy, Simulated, Wish, advise as settle, contradictions, simulate, text,
};
use crate::keepalive::clients::Client;
use crate::keepalive::hubs::Manner;
use std::path::PathBuf;
use std::time::Duration;

/// No target is nearer: keep-alives are whole seconds.
const SOONEST: Duration = Duration::from_secs(1);

/// No round trip is longer: a satellite's takes under a second, NB-IoT's at worst ten.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub(super) struct AdviseArgs {
    /// Within what time a lost link is to be noticed
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    detect_within: Duration,
    /// Who has to notice in that time: `device`, `hub` or `both`
    #[arg(long, value_name = "WHO", default_value = "both")]
    detected_by: DetectedBy,
    /// The data that keeping the link may cost, messages included, on a path that loses nothing, whatever --loss: `5MB/month`,
    /// `200kB/day`
    #[arg(long, value_name = "DATA")]
    data_budget: Option<Budget>,
    /// After what time without a packet the path forgets a connection (see `brownout keepalive path`)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    path_idle: Option<Duration>,
    /// The hub: mqtt (the standard's 1.5 keep-alives), azure, azure-event-grid, aws, mosquitto, mosquitto-2.1, emqx, hivemq, nanomq
    #[arg(long, value_name = "NAME", default_value = "mqtt", value_parser = Manner::named)]
    hub: &'static Manner,
    /// The client, such as paho-python, mqtt.js, azure-csharp; a wrong name lists all. The default pings each 0.75
    /// keep-alives and can be told how long to wait
    #[arg(long, value_name = "NAME", default_value = "careful", value_parser = Client::named)]
    client: &'static Client,
    /// The access network: ethernet, wifi, lte-m, nb-iot, 3g
    #[arg(long, value_name = "NAME", default_value = "ethernet", value_parser = Access::named)]
    access: &'static Access,
    /// What the device does while connected, as `brownout device --workload` takes it
    #[arg(long, default_value = "idle")]
    workload: Workload,
    /// TLS is spoken
    #[arg(long)]
    tls: bool,
    /// The share of packets that the path loses
    #[arg(long, value_name = "SHARE", default_value = "0%")]
    loss: Chance,
    /// From the device to the hub and back [default: that of the access network]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = number::time)]
    round_trip: Option<Duration>,
    /// How many devices may lose their links together, and return together
    #[arg(long, value_name = "DEVICES", default_value_t = 0, value_parser = number::whole(0..=u32::MAX))]
    fleet: u32,
    /// How many new connections a second the hub admits, for the --fleet [default: what is known of it]
    #[arg(long, value_name = "COUNT", requires = "fleet", value_parser = number::whole(1..=u32::MAX))]
    connects_per_second: Option<u32>,
    /// Do not hold the advice against a simulation
    #[arg(long)]
    no_simulation: bool,
    /// Write the advice as JSON into this file; `-` is standard output, in the place of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Advises; 1 where no keep-alive meets all that is wanted.
pub(super) fn advise(args: &AdviseArgs) -> Exit {
    told(args).unwrap_or_else(Refusal::tell)
}

fn told(args: &AdviseArgs) -> Result<Exit, Refusal> {
    let wish = wish(args)?;
    let json = args.json.as_deref().map(|path| Place::open(path, "json")).transpose()?;
    let mut advice = settle(&wish);
    if !args.no_simulation {
        advice.simulated = simulations(&wish, &advice)?;
        let chosen = advice.setting.as_ref().map(|setting| setting.keep_alive);
        let of_chosen = advice.simulated.iter().find(|one| Some(one.keep_alive) == chosen);
        advice.warnings.extend(of_chosen.map(|one| contradictions(&wish, one)).unwrap_or_default());
    }
    if !json.as_ref().is_some_and(Place::is_stdout) {
        out::show(text(&advice, &wish, crate::cli::colour_on_stdout()));
    }
    if let Some(place) = json {
        let json = serde_json::to_string_pretty(&advice);
        place.write(&(json.map_err(|error| Refusal::environment(error.to_string()))? + "\n"))?;
    }
    Ok(out::conclude(if advice.setting.is_some() { Exit::Met } else { Exit::Unmet }))
}

/// The keep-alive advised and the client's default, in outages.
fn simulations(wish: &Wish, advice: &Advice) -> Result<Vec<Simulated>, Refusal> {
    let Some(setting) = &advice.setting else { return Ok(Vec::new()) };
    let shown = advice.candidates.iter().filter(|candidate| candidate.chosen || candidate.is_default);
    let simulated = shown.map(|candidate| simulate(wish, candidate, &setting.back_off));
    simulated.collect::<Result<_, _>>().map_err(Refusal::usage)
}

fn wish(args: &AdviseArgs) -> Result<Wish, Refusal> {
    let at_least = |option: &str, time: Duration| {
        let told = || Refusal::usage(format!("{option} is {} at least", show_fixed(SOONEST)));
        if time < SOONEST { Err(told()) } else { Ok(()) }
    };
    at_least("--detect-within", args.detect_within)?;
    args.path_idle.map_or(Ok(()), |path_idle| at_least("--path-idle", path_idle))?;
    let round_trip = args.round_trip.unwrap_or(args.access.round_trip.value);
    if round_trip > LONGEST_ROUND_TRIP {
        let most = show_fixed(LONGEST_ROUND_TRIP);
        return Err(Refusal::usage(format!("--round-trip is {most} at most")));
    }
    Ok(Wish {
        client: args.client,
        hub: args.hub,
        access: args.access,
        workload: args.workload.clone(),
        tls: args.tls,
        loss: args.loss.get(),
        round_trip,
        detect_within: args.detect_within,
        detected_by: args.detected_by,
        budget: args.data_budget.clone(),
        path_idle: args.path_idle,
        fleet: args.fleet,
        connects_per_second: args.connects_per_second,
    })
}
