//! Sweeps to show and to judge, made by hand: figures of no simulation.

use super::model::{Case, Figures, Messages, Row, Spread, Sweep, Terms, VERSION};

const SECOND: u64 = 1_000_000_000;

pub(super) fn terms() -> Terms {
    Terms {
        seed: 1,
        span_ns: 86_400 * SECOND,
        hub: "azure".into(),
        access: "lte-m".into(),
        round_trip_ns: 120_000_000,
        tls: true,
        workload: "publishing:qos=1,every=1m,size=200".into(),
        late_ns: 30 * SECOND,
        fleet: 1000,
    }
}

pub(super) fn case(keep_alive: u16) -> Case {
    Case {
        client: "paho-python".into(),
        keep_alive,
        ping_timeout_ns: Some(10 * SECOND),
        back_off: "exponential:1s..2m".into(),
        outages: "fixed:5m,every=6h".into(),
        path_idle_ns: Some(240 * SECOND),
        loss: 0.0,
    }
}

/// Detected after so many seconds at most by the device, and by the hub after 1.5 keep-alives; one cost after another.
pub(super) fn row(keep_alive: u16, detected_s: u64, cost: u64) -> Row {
    let hub_s = u64::from(keep_alive) * 3 / 2;
    let spread = |worst: u64| Spread::of((1..=4).map(|n| worst * SECOND * n / 4).collect(), 0);
    let figures = Figures {
        outages: 4,
        struck: 4,
        device_detection: spread(detected_s),
        hub_detection: if hub_s == 0 { Spread::of(Vec::new(), 4) } else { spread(hub_s) },
        split_view: spread(hub_s.abs_diff(detected_s)),
        recovery: spread(20),
        false_disconnects: 0,
        forgotten: 0,
        downtime_ns: (1200 + detected_s) * SECOND,
        connects: 5,
        messages: Messages { due: 1440, sent: 1400, late: 8, lost: 0, withheld: 40 },
        bytes_up: 90_000 * cost,
        bytes_down: 60_000 * cost,
        wake_ups: 1400 * cost,
        awake_ns: 5000 * SECOND * cost,
        storm_peak: Some(240),
    };
    Row { case: case(keep_alive), figures }
}

pub(super) fn sweep_of(cases: Vec<Row>) -> Sweep {
    Sweep { brownout_keepalive: VERSION, terms: terms(), cases }
}

/// Three keep-alives and two outages; with no keep-alive, the long outage is never noticed, and the path forgets the link.
pub(super) fn small() -> Sweep {
    let mut cases = Vec::new();
    for (keep_alive, cost) in [(30, 4), (60, 2), (0, 1)] {
        for outages in ["fixed:5m,every=6h", "exponential:2m,every=1h"] {
            let detected = if keep_alive == 0 { 900 } else { u64::from(keep_alive) + 10 };
            let mut row = row(keep_alive, detected, cost);
            row.case.outages = outages.into();
            if keep_alive == 0 {
                row.figures.device_detection = Spread::of(vec![900 * SECOND], 3);
                row.figures.forgotten = 2;
                row.figures.messages.lost = 14;
            }
            cases.push(row);
        }
    }
    sweep_of(cases)
}

/// Three clients, five keep-alives, four outages, two idle timeouts.
pub(super) fn large() -> Sweep {
    let mut cases = Vec::new();
    for (client, extra) in [("paho-python", 10), ("mosquitto", 60), ("azure-iot-device", 120)] {
        for (keep_alive, cost) in [(30, 24), (60, 12), (120, 6), (300, 3), (1200, 1)] {
            for (outages, length) in [
                ("none", 0),
                ("fixed:1m,every=6h", 60),
                ("fixed:5m,every=6h", 300),
                ("fixed:1h,every=6h", 3600),
            ] {
                for idle in [None, Some(240)] {
                    let mut row = row(keep_alive, u64::from(keep_alive) + extra, cost);
                    row.case = Case {
                        client: client.into(),
                        outages: outages.into(),
                        path_idle_ns: idle.map(|s: u64| s * SECOND),
                        ..row.case
                    };
                    struck(&mut row, length, idle);
                    cases.push(row);
                }
            }
        }
    }
    sweep_of(cases)
}

/// What outages of such a length, and such an idle timeout, make of it.
fn struck(row: &mut Row, length_s: u64, idle_s: Option<u64>) {
    let figures = &mut row.figures;
    let keep_alive = u64::from(row.case.keep_alive);
    if length_s == 0 {
        *figures = Figures {
            connects: 1,
            bytes_up: figures.bytes_up,
            wake_ups: figures.wake_ups,
            ..Figures::default()
        };
    } else if length_s < keep_alive {
        figures.device_detection = Spread::default();
        figures.hub_detection = Spread::default();
    }
    if idle_s.is_some_and(|idle_s| idle_s < keep_alive) {
        figures.forgotten = 72;
        figures.false_disconnects = 3;
        figures.downtime_ns += 7200 * SECOND;
    }
}
