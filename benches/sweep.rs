//! How fast a sweep is: combinations of a simulated day, on every processor. `cargo bench --bench sweep`; SWEEP for another
//! number than 10,000.
//!
//! Keep-alives from 30 s to 20 min against outages, idle timeouts, ping timeouts, back-offs and loss, as people ask for.

#![allow(missing_docs, clippy::unwrap_used)]

use brownout::base::Chance;
use brownout::keepalive::axes::{Axes, BackOff, KeepAlives, PathIdle};
use brownout::keepalive::clients::Client;
use brownout::keepalive::evaluate::Bench;
use brownout::keepalive::model::Terms;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

fn main() {
    let axes = axes();
    let wanted: u64 = std::env::var("SWEEP").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let (whole, threads) = (axes.count().unwrap(), std::thread::available_parallelism().unwrap());
    // Spread over all of them, so that a smaller number is of the same kind.
    let (count, step) = (wanted.min(whole), whole / wanted.clamp(1, whole));
    let bench = Bench::new(&terms(), Vec::new()).unwrap();
    let (next, pings) = (AtomicU64::new(0), AtomicU64::new(0));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{count} combinations of a simulated day on {threads} processors; load {}", load.trim());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let case = axes.case(number * step).unwrap();
                    let figures = bench.figures(&case).unwrap();
                    pings.fetch_add(figures.bytes_up / 106, Ordering::Relaxed);
                }
            });
        }
    });
    let took = started.elapsed().as_secs_f64();
    let each = took * 1e3 / f64::from(u32::try_from(count).unwrap());
    println!("{took:.1} s: {each:.2} ms each; some {} pings", pings.into_inner());
}

fn terms() -> Terms {
    Terms {
        seed: 1,
        span_ns: 86_400_000_000_000,
        hub: "mqtt".into(),
        access: "lte-m".into(),
        round_trip_ns: 50_000_000,
        tls: false,
        workload: "idle".into(),
        late_ns: 10_000_000_000,
        fleet: 0,
    }
}

/// 10 keep-alives x 5 ping timeouts x 5 back-offs x 5 outages x 4 idle timeouts x 2 losses: 10,000.
fn axes() -> Axes {
    let KeepAlives(keep_alives) = "30s..20m".parse().unwrap();
    let back_offs =
        ["default", "fixed:1s", "fixed:10s,jitter=20%", "exponential:1s..1m", "exponential:1s..2m,jitter"];
    let outages = [
        "none",
        "fixed:30s",
        "fixed:5m",
        "exponential:2m,every=2h",
        "gilbert-elliott:good=2h,bad=1m,loss=60%",
    ];
    Axes {
        clients: vec![Client::named("paho-python").unwrap()],
        keep_alives,
        ping_timeouts: ["default", "5s", "10s", "30s", "0.5 keepalive"]
            .map(|text| text.parse().unwrap())
            .into(),
        back_offs: back_offs.map(|text| text.parse::<BackOff>().unwrap().0).into(),
        outages: outages.map(|text| text.parse().unwrap()).into(),
        path_idles: ["never", "2m", "4m", "10m"].map(|text| text.parse::<PathIdle>().unwrap().0).into(),
        losses: [Chance::NEVER, Chance::new(0.01).unwrap()].into(),
    }
}
