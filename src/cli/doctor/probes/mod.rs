//! The facts of this machine, found out by trying: on sockets of its own, each try bounded in time.
//!
//! Timers come first, by themselves: what is tried side by side would make them late.

mod clocks;
mod peers;
mod routing;
mod tcp;

use super::machine::{DeviceTtl, Files, HubTtl, Machine, Tried};
use crate::net::sys::{Capabilities, FileLimit, Mechanism, limit, privilege};
use std::fs;
use std::io;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

/// What to look at beside the machine.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// The hub to dial.
    pub hub: Option<String>,
    /// Where to wait for a device.
    pub device: Option<String>,
    /// How many devices it has to be ready for.
    pub expected: Option<u32>,
}

/// Tries everything; some two seconds, and up to 30 where a device is waited for.
pub fn gather(ask: &Ask) -> Machine {
    let timers = clocks::timers();
    let device = ask.device.as_deref().map_or(DeviceTtl::NotAsked, peers::device);
    thread::scope(|scope| {
        let filter = scope.spawn(|| tcp::mute(Mechanism::Filter));
        let min_ttl = scope.spawn(|| tcp::mute(Mechanism::MinTtl));
        let reset = scope.spawn(tcp::reset);
        let hub = scope.spawn(|| ask.hub.as_deref().map_or(HubTtl::NotAsked, peers::hub));
        let (nft, ip) = (routing::program("nft"), routing::program("ip"));
        let [redirect, tproxy] = routing::rulesets(&nft);
        Machine {
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(|| "of unknown release".into()),
            uid: privilege::ids().0,
            capabilities: privilege::effective().unwrap_or(Capabilities::NONE),
            grantable: privilege::bounding(),
            is_barred_from_more: privilege::is_barred_from_more(),
            binary: std::env::current_exe().unwrap_or_else(|_| "brownout".into()),
            loopback: tcp::loopback(),
            loss: tcp::loss(),
            tap: routing::tap(),
            nft,
            ip,
            redirect,
            tproxy,
            transparent_v4: routing::transparent(socket2::Domain::IPV4),
            transparent_v6: routing::transparent(socket2::Domain::IPV6),
            forwards_v4: number("/proc/sys/net/ipv4/ip_forward").map(|on| on != 0),
            forwards_v6: number("/proc/sys/net/ipv6/conf/all/forwarding").map(|on| on != 0),
            rp_filter: number("/proc/sys/net/ipv4/conf/all/rp_filter"),
            first_free_port: number("/proc/sys/net/ipv4/ip_unprivileged_port_start"),
            local_ports: local_ports(),
            files: files(),
            expected: ask.expected,
            timers,
            clock_source: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            clock_reading: clocks::reading(),
            wall_clock: clocks::wall(),
            filter: joined(filter),
            min_ttl: joined(min_ttl),
            reset: joined(reset),
            hub: hub.join().unwrap_or_else(|_| HubTtl::Unclear("the try failed".into())),
            device,
        }
    })
}

fn joined(tried: ScopedJoinHandle<'_, Tried>) -> Tried {
    tried.join().unwrap_or_else(|_| Tried::Fails("the try failed".into()))
}

/// What an error of the system says of what was tried.
fn refused(error: &io::Error) -> Tried {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Tried::Unprivileged(words(error)),
        _ => Tried::Fails(words(error)),
    }
}

/// An error, without its number: this is for people.
fn words(error: &io::Error) -> String {
    let told = error.to_string();
    told.split(" (os error").next().unwrap_or_default().to_owned()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: &str) -> Option<u32> {
    read(path)?.parse().ok()
}

/// net.ipv4.ip_local_port_range, the first and the last.
fn local_ports() -> Option<u32> {
    let range = read("/proc/sys/net/ipv4/ip_local_port_range")?;
    let (first, last) = range.split_once(char::is_whitespace)?;
    let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
    Some((last + 1).saturating_sub(first))
}

/// Raises the limit as a run does.
fn files() -> Files {
    let hard = limit::most_files().ok().flatten();
    let soft = limit::raise_files().map_or(0, |FileLimit { before, .. }| before);
    Files { soft, hard }
}

/// Looks again and again, at most for so long.
fn within(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    const EVERY: Duration = Duration::from_millis(5);
    let mut left = limit;
    while !done() {
        if left.is_zero() {
            return false;
        }
        thread::sleep(EVERY.min(left));
        left = left.saturating_sub(EVERY);
    }
    true
}
