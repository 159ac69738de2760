//! `brownout run`.

use super::args::RunArgs;
use super::command::{self, Beside};
use super::exit::{Exit, Refusal};
use super::expected;
use super::files::RunFiles;
use super::load::{self, Text};
use super::out;
use super::privileges::{self, Became};
use super::progress::Progress;
use super::runner::{Runner, Setup};
use super::signals::Signals;
use super::{tap, tls, transparent};
use crate::base::span::show_fixed;
use crate::base::text::printable;
use crate::event::{EndReason, TlsMode};
use crate::net::Clock;
use crate::net::sys::Capabilities;
use crate::profile::{self, BadOverride, Checked, ListenerPlan, Override, Plan};
use std::time::Duration;

/// Where devices connect, unless told: beside a broker on this machine, which has 1883.
pub(super) const LISTEN: &str = "127.0.0.1:1884";

/// With a command, which is told the address: any free port, so that runs may stand side by side.
const LISTEN_ANY: &str = "127.0.0.1:0";

/// Runs a profile.
pub(super) fn run(args: RunArgs) -> Exit {
    started(args).unwrap_or_else(Refusal::tell)
}

/// What a run is to do, before anything is opened for it.
#[derive(Debug)]
struct Order {
    text: Text,
    sets: Vec<Override>,
    plan: Plan,
    listeners: Vec<ListenerPlan>,
    /// Who brownout has become.
    became: Option<Became>,
    /// The privileges that it takes.
    kept: Capabilities,
}

fn started(args: RunArgs) -> Result<Exit, Refusal> {
    args.tap.check(args.transparent)?;
    let became = privileges::become_user(&args.user)?;
    let order = order(&args, became)?;
    expected::check(&args.expect, order.listeners.len(), &order.plan)?;
    let user = args.user.clone();
    Ok(super::in_runtime_keeping(order.kept, async move {
        conduct(args, order).await.unwrap_or_else(|refusal| user.explain(refusal).tell())
    }))
}

fn order(args: &RunArgs, became: Option<Became>) -> Result<Order, Refusal> {
    let text = load::text(&args.profile)?;
    let sets = sets(args)?;
    let Checked { mut plan, notes } = load::checked(&text, &sets)?;
    if !notes.is_empty() && !args.quiet {
        out::tell(profile::render(&notes, &text.name, &text.text, super::colour_on_stderr()));
    }
    if let Some(program) = args.command.first() {
        command::find(program)?;
    }
    let listeners = listeners(args, &plan)?;
    if let Some(clients) = &args.azure_fault_messages {
        can_be_read(&listeners)?;
        plan.honour(clients.clone());
    }
    let reach = tls::reach(&text.name, &plan, &listeners)?;
    if !reach.is_empty() && !args.quiet {
        out::tell(reach);
    }
    let kept = privileges::of_plan(&plan).with(privileges::of_way(args.transparent));
    Ok(Order { text, sets, plan, listeners, became, kept })
}

async fn conduct(args: RunArgs, order: Order) -> Result<Exit, Refusal> {
    let Order { text, sets, plan, listeners, became, kept } = order;
    let files = RunFiles::open(args.report.as_deref(), args.resource_log.as_deref(), args.pcap.as_deref())?;
    // The report is put there at the end, by the thread that is here.
    let kept = match &files.report {
        Some(report) => kept.with(privileges::to_write_in(report.directory())?),
        None => kept,
    };
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let clock = Clock::start();
    let with_command = !args.command.is_empty();
    let progress = Progress::new(&plan, clock, args.quiet, !with_command);
    let setup = Setup {
        text,
        overrides: sets.iter().map(|set| set.text().to_owned()).collect(),
        plan,
        seed: args.seed.unwrap_or_else(draw_seed),
        listeners,
        transparent: args.transparent,
        files,
        progress,
        with_command: with_command && !args.stop_command,
        tap: args.tap.config(args.transparent),
    };
    let (seed, listeners) = (setup.seed, setup.listeners.clone());
    let runner = Runner::start(setup, clock, signals.next()).await?;
    greet(&runner, &listeners, args.transparent, seed);
    let beside = match begin(&runner, &args.command, &listeners, became.as_ref(), kept) {
        Ok(beside) => beside,
        Err(failure) => {
            runner.abandon().await;
            return Err(failure);
        }
    };
    let (reason, failure) = attend(&runner, beside, &args.command, &mut signals).await;
    let exit = runner.end(reason).await;
    Ok(match failure {
        Some(failure) => failure.tell().max_with(exit),
        None => exit,
    })
}

/// The overrides; a duration and a strictness are two like the others, so that the check and the log know of it.
fn sets(args: &RunArgs) -> Result<Vec<Override>, Refusal> {
    let mut sets = args.sets.clone();
    let duration = args.duration.map(|duration| format!("duration={}", show_fixed(duration)));
    let strictness = args.strictness.as_ref().map(|name| format!("strictness={name}"));
    for set in duration.into_iter().chain(strictness) {
        sets.push(set.parse().map_err(|error: BadOverride| Refusal::usage(error.to_string()))?);
    }
    Ok(sets)
}

/// Fault-injection messages are MQTT: where TLS is passed through, there is none to be seen.
fn can_be_read(listeners: &[ListenerPlan]) -> Result<(), Refusal> {
    match listeners.iter().find(|listener| listener.tls.mode == TlsMode::Passthrough) {
        None => Ok(()),
        Some(listener) => Err(Refusal::usage(format!(
            "--azure-fault-messages needs MQTT to read, and listener `{}` passes TLS through, for which brownout has no \
             keys; give --tls terminate or --tls reoriginate",
            listener.name
        ))),
    }
}

/// Starts the command, if there is one, with all that the user may do; then what the run does not take is given up.
fn begin(
    runner: &Runner,
    command: &[String],
    listeners: &[ListenerPlan],
    became: Option<&Became>,
    kept: Capabilities,
) -> Result<Option<Beside>, Refusal> {
    let Some((program, arguments)) = command.split_first() else {
        privileges::keep(kept);
        return Ok(None);
    };
    let address = runner.proxy.addresses().first().copied();
    let no_listener = || Refusal::usage("a command needs a listener to connect to");
    let (address, listener) = address.zip(listeners.first()).ok_or_else(no_listener)?;
    let mut prepared = command::prepared(program, arguments, address, &listener.tls, runner.files_before);
    if let Some(became) = became {
        prepared.env("HOME", &became.home).env("USER", &became.name).env("LOGNAME", &became.name);
    }
    let beside = Beside::start(prepared, program);
    privileges::keep(kept.with(privileges::TO_END_A_COMMAND));
    beside.map(Some)
}

/// Waits for the end: the plan through, the duration over, a signal, or the command's failure.
async fn attend(
    runner: &Runner,
    beside: Option<Beside>,
    command: &[String],
    signals: &mut Signals,
) -> (EndReason, Option<Refusal>) {
    let (Some(mut beside), Some(program)) = (beside, command.first()) else {
        let reason = tokio::select! {
            reason = runner.proxy.finished() => reason,
            () = signals.next() => EndReason::Interrupted,
        };
        return (reason, None);
    };
    let mut ended = None;
    let reason = loop {
        tokio::select! {
            reason = runner.proxy.finished() => break reason,
            () = signals.next() => break EndReason::Interrupted,
            status = beside.wait(), if ended.is_none() => {
                runner.proxy.command_ended(status.code());
                ended = Some(status);
            }
        }
    };
    let status = match ended {
        Some(status) => status,
        None => {
            runner.proxy.command_stopped();
            let status = beside.stop(signals.next()).await;
            runner.proxy.command_ended(status.code());
            return (reason, None);
        }
    };
    (reason, status.failure(program))
}

fn listeners(args: &RunArgs, plan: &Plan) -> Result<Vec<ListenerPlan>, Refusal> {
    if args.transparent {
        return Ok(vec![transparent::listener(args.listen.as_deref(), &args.tls, &plan.listeners)?]);
    }
    if let Some(listen) = &args.listen {
        profile::check_listen(listen).map_err(|error| Refusal::usage(format!("--listen: {error}")))?;
    }
    if let Some(upstream) = &args.upstream {
        profile::check_upstream(upstream).map_err(|error| Refusal::usage(format!("--upstream: {error}")))?;
    }
    let listen = || match (&args.listen, args.command.is_empty()) {
        (Some(listen), _) => listen.clone(),
        (None, true) => LISTEN.to_owned(),
        (None, false) => LISTEN_ANY.to_owned(),
    };
    match (plan.listeners.as_slice(), &args.upstream) {
        ([], None) => Err(Refusal::usage(
            "there is no hub to lead to: give --upstream HOST:PORT, or `listeners` in the profile, or, where devices are \
             led here by `brownout lab up`, --transparent",
        )),
        ([], Some(upstream)) => Ok(vec![ListenerPlan {
            name: "main".into(),
            listen: listen(),
            upstream: upstream.clone(),
            tls: tls::of_listener(&args.tls, None)?,
        }]),
        ([only], upstream) => Ok(vec![ListenerPlan {
            name: only.name.clone(),
            tls: tls::of_listener(&args.tls, Some(&only.tls))?,
            listen: args.listen.clone().unwrap_or_else(|| only.listen.clone()),
            upstream: upstream.clone().unwrap_or_else(|| only.upstream.clone()),
        }]),
        (several, None) if args.listen.is_none() && tls::first_given(&args.tls).is_none() => {
            Ok(several.to_vec())
        }
        (several, _) => Err(tls::not_one(several.len())),
    }
}

/// Tells where devices are to connect.
fn greet(runner: &Runner, listeners: &[ListenerPlan], is_transparent: bool, seed: u64) {
    for (address, listener) in runner.proxy.addresses().iter().zip(listeners) {
        let way = match is_transparent {
            true => transparent::greeting(address),
            false => format!("devices connect to {address}, the hub is {}", listener.upstream),
        };
        let tls = tls::greeting(&listener.tls);
        out::tell(format_args!("{}: {way}{tls} (seed {seed})", runner.plan.name));
    }
    tap::tell(&runner.plan.name, &runner.proxy);
    if let Some(clients) = &runner.plan.fault_messages {
        out::tell(format_args!(
            "{}: fault-injection messages of devices that match `{}` are honoured",
            runner.plan.name,
            printable(clients)
        ));
    }
}

/// A seed from the wall clock, short enough to type.
pub(super) fn draw_seed() -> u64 {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .subsec_nanos();
    u64::from(nanos) % 1_000_000
}
