//! `brownout hub` and `brownout device`: the embedded peers, alone.

mod account;
mod errand;
mod tls;
mod tokens;

use super::args::{DeviceArgs, HubArgs, SessionKind};
use super::exit::{Exit, Refusal};
use super::out;
use super::privileges;
use super::runner::raise_limit;
use super::signals::Signals;
use crate::base::Secret;
use crate::base::text::printable;
use crate::device::{self, DeviceDid, Fleet, Habits, Workload};
use crate::hub::{self, Azure, HubConfig};
use crate::mqtt::topic;
use crate::net::Clock;
use crate::net::sys::Capabilities;
use crate::profile;
use account::Account;
use std::collections::BTreeSet;
use std::future;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A free port of this machine.
pub(super) const FREE_PORT: &str = "127.0.0.1:0";

/// Where a device connects without being told: where `brownout run` listens.
const TARGET: &str = "127.0.0.1:1884";

/// A device's keep-alive, unless told: the most common default of clients.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// The beginning of devices' client identifiers, unless told.
const CLIENT_ID: &str = "device-";

/// Binds a listener for an embedded peer.
pub(super) async fn local_listener(address: &str) -> Result<TcpListener, Refusal> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            ErrorKind::AddrInUse => "another program has the port: stop it, or give another with --listen",
            _ => "give ADDRESS:PORT with --listen, such as 127.0.0.1:1883",
        };
        Refusal::environment(format!("cannot listen on {address}: {error}; {hint}"))
    })
}

/// Serves until a signal.
pub(super) fn hub(args: HubArgs) -> Exit {
    super::in_runtime_keeping(
        Capabilities::NONE,
        async move { serve(args).await.unwrap_or_else(Refusal::tell) },
    )
}

async fn serve(args: HubArgs) -> Result<Exit, Refusal> {
    raise_limit();
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    profile::check_listen(&args.listen).map_err(|error| Refusal::usage(format!("--listen: {error}")))?;
    let acceptor = tls::acceptor(&args)?;
    let clock = Clock::start();
    let config = HubConfig {
        server_keep_alive: args.server_keep_alive,
        max_packet: args.max_packet,
        azure: azure(&args)?,
        ..HubConfig::default()
    };
    let listener = local_listener(&args.listen).await?;
    let account = Account::open(args.quiet);
    let told = account.clone();
    let sink = move |event| told.line(event);
    let (stop, stopped) = watch::channel(false);
    let over = if acceptor.is_some() { " over TLS" } else { "" };
    let sink = Arc::new(sink);
    let hub = match acceptor {
        None => hub::serve(listener, config, clock, sink, stopped),
        Some(acceptor) => hub::serve_tls(listener, acceptor, config, clock, sink, stopped),
    };
    let hub = hub.map_err(|error| Refusal::environment(format!("cannot start the hub: {error}")))?;
    privileges::keep(Capabilities::NONE);
    out::tell(format_args!("hub: listening on {}{over}; Ctrl-C ends it", hub.address()));
    signals.next().await;
    let _ = stop.send(true);
    hub.stopped().await;
    Ok(account.finished(&mut signals).await)
}

/// Azure's settings; tokens expire by the wall clock as it is now.
fn azure(args: &HubArgs) -> Result<Option<Azure>, Refusal> {
    if !args.azure {
        return Ok(None);
    }
    let azure = Azure { key: None, unix_at_start: tokens::unix_now() };
    let azure = match &args.azure_key {
        None => Ok(azure),
        Some(key) => azure.with_key(key),
    };
    azure.map(Some).map_err(|problem| Refusal::usage(format!("--azure-key: {problem}")))
}

/// Runs devices until a signal, or the duration is over.
pub(super) fn device(args: DeviceArgs) -> Exit {
    super::in_runtime_keeping(
        Capabilities::NONE,
        async move { connect(args).await.unwrap_or_else(Refusal::tell) },
    )
}

async fn connect(args: DeviceArgs) -> Result<Exit, Refusal> {
    raise_limit();
    let mut signals = Signals::listen().map_err(|error| Refusal::environment(error.to_string()))?;
    let address = address(&args)?;
    let mut template = habits(&args)?;
    template.sas = tokens::sas(&args, &address)?;
    let (count, seed, stagger) = (args.count, args.seed.unwrap_or(0), args.stagger);
    let fleet = Fleet { count, template, seed, stagger };
    let target = tls::target(&args, address)?;
    // Keys have been read, and no port is taken.
    privileges::keep(Capabilities::NONE);
    let clock = Clock::start();
    let account = Account::open(args.quiet);
    let told = account.clone();
    let met = Arc::new(Mutex::new(BTreeSet::new()));
    let connected = Arc::clone(&met);
    let sink = move |name: &str, event: device::DeviceEvent| {
        if matches!(event.did, DeviceDid::Connected { .. }) {
            connected.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        told.line(format_args!("{:>8}  {name}: {}", event.at, event.did));
    };
    let (stop, stopped) = watch::channel(false);
    let over = async {
        match args.duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => future::pending().await,
        }
    };
    let devices = device::fleet(fleet, &target, clock, Arc::new(sink), stopped);
    tokio::pin!(devices);
    let lost = tokio::select! {
        lost = &mut devices => Some(lost),
        () = signals.next() => None,
        () = over => None,
    };
    let lost = match lost {
        Some(lost) => lost,
        None => {
            let _ = stop.send(true);
            devices.await
        }
    };
    let told = account.finished(&mut signals).await;
    Ok(ended(lost, &args, &met).max_with(told))
}

/// A fleet did well if every device was accepted once, and ended in order.
fn ended(lost: usize, args: &DeviceArgs, met: &Mutex<BTreeSet<String>>) -> Exit {
    if lost > 0 {
        return Refusal::environment(format!("{lost} devices did not end in order")).tell();
    }
    let met = met.lock().unwrap_or_else(PoisonError::into_inner).len();
    if met < args.count {
        return Refusal::unmet(format!("{} of {} devices were never accepted", args.count - met, args.count))
            .tell();
    }
    Exit::Met
}

/// Where to connect: as told, or else the target.
fn address(args: &DeviceArgs) -> Result<String, Refusal> {
    let (said, address) = match &args.connect {
        Some(given) => ("--connect", given.clone()),
        None => ("BROWNOUT_HOST and BROWNOUT_PORT", target()),
    };
    profile::check_upstream(&address).map_err(|error| Refusal::usage(format!("{said}: {error}")))?;
    Ok(address)
}

/// The address that `brownout run` gives to its command, or the one that it listens on by default.
fn target() -> String {
    match (std::env::var("BROWNOUT_HOST"), std::env::var("BROWNOUT_PORT")) {
        (Ok(host), Ok(port)) if host.contains(':') => format!("[{host}]:{port}"),
        (Ok(host), Ok(port)) => format!("{host}:{port}"),
        (_, _) => TARGET.to_owned(),
    }
}

/// The habits of the preset, changed by what was given.
fn habits(args: &DeviceArgs) -> Result<Habits, Refusal> {
    let errand = errand::of_environment()?;
    let keep_alive = args.keep_alive.or(errand.keep_alive).unwrap_or(KEEP_ALIVE);
    if keep_alive > Duration::from_secs(65_535) || keep_alive.subsec_nanos() > 0 {
        return Err(Refusal::usage(
            "--keep-alive is whole seconds, at most 65535s: CONNECT has two bytes for it",
        ));
    }
    let client_id = args.client_id.clone().or(errand.client_id).unwrap_or_else(|| CLIENT_ID.to_owned());
    let mut habits = args.kind.habits(client_id, keep_alive);
    habits.version = args.mqtt;
    if let Some(timeout) = args.ping_timeout {
        habits.ping_timeout = timeout.0;
    }
    if let Some(timeout) = args.connect_timeout {
        habits.connect_timeout = timeout;
    }
    if let Some(backoff) = args.backoff {
        habits.backoff = backoff;
    }
    if let Some(session) = args.session {
        habits.clean_session = session == SessionKind::Clean;
    }
    habits.username.clone_from(&args.username);
    habits.password = args.password.clone().map(|password| Secret(password.into_bytes()));
    habits.workload = workload(args, errand.workload)?;
    check(&habits, args.count)?;
    Ok(habits)
}

/// What no packet can say would be known to a device only as it connects, which it then never does.
fn check(habits: &Habits, count: usize) -> Result<(), Refusal> {
    // The longest, which the last device has.
    let client_id = format!("{}{count}", habits.client_id);
    let fields = [
        ("--client-id, with the device's number,", Some(client_id.len())),
        ("--username", habits.username.as_ref().map(String::len)),
        ("--password", habits.password.as_ref().map(|password| password.0.len())),
    ];
    for (said, length) in fields {
        if let Some(length) = length.filter(|&length| length > usize::from(u16::MAX)) {
            return Err(Refusal::usage(format!("{said} has {length} bytes; at most 65535 fit in CONNECT")));
        }
    }
    let workload = habits.workload.of(&client_id);
    let (text, checked) = match &workload {
        Workload::Idle => return Ok(()),
        Workload::Publishing { topic: text, .. } => (text, topic::check_name(text)),
        Workload::Subscribing { filter: text, .. } => (text, topic::check_filter(text)),
    };
    checked.map_err(|problem| {
        let shown: String = text.chars().take(80).collect();
        Refusal::usage(format!(
            "the workload's topic `{}` {problem}; change it, or the client identifier in it",
            printable(&shown)
        ))
    })
}

fn workload(args: &DeviceArgs, told: Option<Workload>) -> Result<Workload, Refusal> {
    // Those of a suite come in turn, and what is given is for those that it fits.
    let in_turn = args.workload.is_none() && told.is_some();
    let mut workload = args.workload.clone().or(told).unwrap_or(Workload::Idle);
    match &mut workload {
        Workload::Idle if !in_turn && (args.qos.is_some() || args.rate.is_some()) => {
            return Err(Refusal::usage(
                "--qos and --rate say nothing of --workload idle; give another workload",
            ));
        }
        Workload::Idle => {}
        Workload::Publishing { qos, every, .. } => {
            *qos = args.qos.unwrap_or(*qos);
            if let Some(rate) = args.rate {
                *every = crate::base::Span::fixed(rate.0);
            }
        }
        Workload::Subscribing { .. } if !in_turn && args.rate.is_some() => {
            return Err(Refusal::usage("--rate is of --workload publishing; a subscriber sends no messages"));
        }
        Workload::Subscribing { qos, .. } => *qos = args.qos.unwrap_or(*qos),
    }
    Ok(workload)
}
