//! How late injected latency is: 500 messages a second through a rule of 50 ms, beside the same without a rule, the
//! same over one connection without brownout, and a bare timer, which are the floor that the machine's own scheduling
//! sets. `cargo bench --bench latency`; some 40 s.
//!
//! A message carries the time it was written at. Its error is how much later than that plus the delay it was read:
//! two hops of loopback and the wake-ups of proxy, timer and reader are in it. Earlier is never right, and ends the
//! bench.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use brownout::fault::{Delay, Fault, Latency, WaysWanted};
use brownout::net::sys::{TimerFd, timer::monotonic};
use brownout::profile::Rule;
use common::{Route, Way, at, machine, median, micros, percentile, publish};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const DELAY: Duration = Duration::from_millis(50);

/// Messages a second over all links.
const RATE: u32 = 500;

/// Over how many links they are spread in turn: 25, 5 and 1 messages are then under way on each.
const SPREADS: [usize; 3] = [1, 5, 25];

/// How often each way is measured, for so many messages. p50 and p99 are medians of the rounds, so that one stall of
/// the machine does not decide them; the maximum is that of all.
const ROUNDS: u32 = 5;
const MESSAGES: u32 = 300;

fn main() {
    let before = machine();
    let routes = [
        (Route::open("direct", Way::Direct), Duration::ZERO),
        (Route::open("no rules", Way::Brownout(vec![])), Duration::ZERO),
        (Route::open("50 ms", Way::Brownout(vec![slow()])), DELAY),
    ];
    let mut timer = Vec::new();
    let mut errors = vec![vec![Vec::new(); SPREADS.len()]; routes.len()];
    for _ in 0..ROUNDS {
        for (spread, links) in SPREADS.into_iter().enumerate() {
            timer.push(bare_timer());
            for ((route, delay), errors) in routes.iter().zip(&mut errors) {
                errors[spread].push(lateness(route, links, *delay));
            }
        }
    }
    println!("\nError of the release, microseconds; {RATE} messages/s. {before}; at the end {}\n", machine());
    println!("{:10} {:>5} {:>8} {:>8} {:>8} {:>8}", "", "links", "p50", "p99", "max", "samples");
    show("bare timer", None, timer);
    for ((route, _), errors) in routes.iter().zip(errors) {
        for (links, errors) in SPREADS.into_iter().zip(errors) {
            show(route.name, Some(links), errors);
        }
    }
    routes.into_iter().for_each(|(route, _)| route.close());
}

fn slow() -> Rule {
    let direction = WaysWanted::Up;
    at("slow", Duration::ZERO, Fault::Latency(Latency { direction, delay: Delay::fixed(DELAY), hold: None }))
}

fn show(name: &str, links: Option<usize>, mut rounds: Vec<Vec<Duration>>) {
    rounds.iter_mut().for_each(|errors| errors.sort());
    let of = |hundredths| -> Vec<f64> {
        rounds.iter().map(|errors| micros(percentile(errors, hundredths))).collect()
    };
    let (p50, p99, max) = (median(of(50)), median(of(99)), of(100).into_iter().fold(0.0, f64::max));
    let links = links.map_or_else(String::new, |links| links.to_string());
    let samples: usize = rounds.iter().map(Vec::len).sum();
    println!("{name:10} {links:>5} {p50:>8.0} {p99:>8.0} {max:>8.0} {samples:>8}");
}

/// How late each message comes.
fn lateness(route: &Route, links: usize, delay: Duration) -> Vec<Duration> {
    let (devices, hubs): (Vec<_>, Vec<_>) = (0..links).map(|n| route.connect(&format!("d{n}"))).unzip();
    let began = Instant::now();
    thread::scope(|scope| {
        let readers: Vec<_> =
            hubs.into_iter().map(|hub| scope.spawn(move || read_all(hub, began, delay))).collect();
        send_all(devices, began);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    })
}

/// Sends at an even pace, over the links in turn; then they end.
fn send_all(mut devices: Vec<TcpStream>, began: Instant) {
    let links = devices.len();
    for (nth, link) in (0..MESSAGES).zip((0..links).cycle()) {
        let due = Duration::from_secs(1) * nth / RATE;
        thread::sleep(due.saturating_sub(began.elapsed()));
        let stamp = u64::try_from(began.elapsed().as_nanos()).unwrap();
        devices[link].write_all(&publish(&stamp.to_be_bytes())).unwrap();
    }
}

fn read_all(mut hub: TcpStream, began: Instant, delay: Duration) -> Vec<Duration> {
    let packet_len = publish(&[0; 8]).len();
    let mut errors = Vec::new();
    let mut buffer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = hub.read(&mut chunk).unwrap();
        let came = began.elapsed();
        if read == 0 {
            return errors;
        }
        buffer.extend(&chunk[..read]);
        let whole = buffer.len() / packet_len * packet_len;
        for packet in buffer.drain(..whole).as_slice().chunks(packet_len) {
            let sent = u64::from_be_bytes(packet[packet_len - 8..].try_into().unwrap());
            let due = Duration::from_nanos(sent) + delay;
            errors.push(came.checked_sub(due).expect("released early"));
        }
    }
}

/// How late a timer of the kernel's wakes a thread that waits for nothing else.
///
/// Its times are set beforehand, as those of messages under way are: a stall of the machine makes all late that fall
/// into it. Sending stalls along with the machine, so the two ways without a delay see one late message there, and
/// only this row is the floor for the tail of the delayed ones.
fn bare_timer() -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let timer = TimerFd::new().unwrap().watched().unwrap();
        let began = monotonic();
        let mut late = Vec::new();
        for nth in 1..=MESSAGES {
            let due = began + Duration::from_secs(1) * nth / RATE;
            timer.get_ref().arm(due).unwrap();
            timer.readable().await.unwrap().clear_ready();
            late.push(monotonic().saturating_sub(due));
            timer.get_ref().clear().unwrap();
        }
        late
    })
}
