//! The rows, and their bars.

use crate::measures;
use crate::profiles::Rules;
use crate::row::Against::{Absolute, NoRules, Reference};
use crate::row::Limit::{self, AtLeast, AtMost};
use crate::row::{Bar, Metric, Others, Row, USUAL, bar, cost, plain, rate};
use std::time::Duration;

const K: f64 = 1e3;
const M: f64 = 1e6;
const KIB: f64 = 1024.0;

const RATE: Metric = rate("k msgs/s", K, 0);
const PER_MESSAGE: Metric = cost("CPU ns/msg", 1.0, 0);
const PER_BYTE: Metric = cost("CPU ps/B", 1.0, 0);
const PACE: Metric = plain("k msgs/s", K, 1);

/// Nothing, a rule that never fires, a latency of (almost) 0 ms.
const THREE: &[Rules] = &[Rules::None, Rules::Idle, Rules::Zero];
const IDLE: Bar = bar(0, Rules::Idle, NoRules, AtLeast(0.9));
const ZERO: Bar = bar(0, Rules::Zero, NoRules, AtLeast(0.9));

/// The columns of memory.
const MEMORY: &[Metric] = &[
    plain("base MB", M, 1),
    plain("KiB/link", KIB, 1),
    plain("idle CPU ms/s", 1e-3, 2),
    plain("kept MB", M, 1),
    plain("grown MB", M, 1),
];

/// What no idle CPU, given back, and flat mean here: within what else may happen in a process meanwhile.
const NO_CPU: Bar = bar(2, Rules::None, Absolute, AtMost(2.0));
const GIVEN_BACK: Bar = bar(3, Rules::None, Absolute, AtMost(4.0));
const FLAT: Bar = bar(4, Rules::None, Absolute, AtMost(1.0));

/// The MiB that a link may hold back, and a fifth for what holding takes.
const HELD: Limit = AtMost(1.2 * KIB);

/// All rows, in the order of the run.
pub const ROWS: &[Row] = &[
    Row {
        id: "64b",
        title: "64 B, QoS 0, pipelined, 8 links",
        metrics: &[RATE, PER_MESSAGE],
        rules: THREE,
        bars: &[bar(0, Rules::None, Reference, AtLeast(1.0)), IDLE, ZERO],
        measure: |route, span| measures::stream(route, span, 64, 64),
        ..USUAL
    },
    Row {
        id: "1k",
        title: "1 KiB, QoS 0, pipelined, 8 links",
        metrics: &[RATE, PER_BYTE],
        rules: THREE,
        bars: &[
            bar(0, Rules::None, Reference, AtLeast(1.3)),
            bar(1, Rules::None, Reference, AtMost(0.7)),
            IDLE,
            ZERO,
        ],
        measure: |route, span| measures::per_byte(measures::stream(route, span, 1024, 16), 1024.0, 1.0),
        ..USUAL
    },
    Row {
        id: "64k",
        title: "64 KiB, QoS 0, pipelined, 8 links",
        metrics: &[rate("MB/s", M, 0), PER_BYTE],
        rules: THREE,
        bars: &[
            bar(0, Rules::None, Reference, AtLeast(1.18)),
            bar(1, Rules::None, Reference, AtMost(0.55)),
            IDLE,
            ZERO,
        ],
        measure: |route, span| {
            measures::per_byte(measures::stream(route, span, 65_536, 1), 65_536.0, 65_536.0)
        },
        ..USUAL
    },
    Row {
        id: "paced",
        title: "64 B, QoS 0, 100,000 messages/s over 50 links",
        metrics: &[PACE, PER_MESSAGE, plain("syscalls/msg", 1.0, 2)],
        rules: THREE,
        bars: &[bar(1, Rules::None, Reference, AtMost(1.0)), bar(2, Rules::None, Absolute, AtMost(2.5))],
        measure: measures::paced,
        span: Duration::from_millis(500),
        counts_calls: true,
        ..USUAL
    },
    Row {
        id: "qos1",
        title: "64 B, QoS 1 round trips, 20,000/s over 50 links",
        metrics: &[PACE, cost("p50 us", 1.0, 0), cost("p99 us", 1.0, 0), PER_MESSAGE],
        bars: &[
            bar(1, Rules::None, Reference, AtMost(1.05)),
            bar(2, Rules::None, Reference, AtMost(1.3)),
            bar(3, Rules::None, Reference, AtMost(1.0)),
        ],
        measure: measures::round_trips,
        span: Duration::from_millis(500),
        ..USUAL
    },
    Row {
        id: "connects",
        title: "TCP, CONNECT, CONNACK, DISCONNECT, 12 devices at a time",
        metrics: &[rate("links/s", 1.0, 0), cost("CPU us/link", 1e-6, 1), DISCONNECTS],
        bars: &[bar(0, Rules::None, Reference, AtLeast(0.9)), bar(2, Rules::None, Absolute, AtLeast(100.0))],
        measure: measures::connects,
        span: Duration::from_millis(400),
        ..USUAL
    },
    Row {
        id: "idle",
        title: "5,000 idle links after CONNECT, SUBSCRIBE, one message of 1 KiB; 5 devices with 1,000 reconnects each",
        metrics: MEMORY,
        bars: &[
            bar(0, Rules::None, Absolute, AtMost(8.0)),
            bar(1, Rules::None, Absolute, AtMost(6.0)),
            NO_CPU,
            GIVEN_BACK,
            FLAT,
        ],
        measure: measures::idle,
        most_rounds: 3,
        is_anew: true,
        ..USUAL
    },
    Row {
        id: "tls-1k",
        title: "1 KiB, QoS 0, pipelined, 8 links, TLS 1.3 on both legs, a record each",
        metrics: &[RATE, PER_BYTE],
        others: Others::Tls,
        bars: &[bar(0, Rules::None, Reference, AtLeast(1.5))],
        measure: |route, span| measures::per_byte(measures::tls_stream(route, span, 1024), 1024.0, 1.0),
        ..USUAL
    },
    Row {
        id: "tls-64k",
        title: "64 KiB, QoS 0, pipelined, 8 links, TLS 1.3 on both legs",
        metrics: &[rate("MB/s", M, 0), PER_BYTE],
        others: Others::Tls,
        bars: &[bar(0, Rules::None, Reference, AtLeast(1.5))],
        measure: |route, span| {
            measures::per_byte(measures::tls_stream(route, span, 65_536), 65_536.0, 65_536.0)
        },
        ..USUAL
    },
    Row {
        id: "tls-connects",
        title: "Full handshakes (P-256) on both legs, CONNECT, CONNACK, DISCONNECT, 12 devices at a time",
        metrics: &[rate("links/s", 1.0, 0), cost("CPU us/link", 1e-6, 0), DISCONNECTS],
        others: Others::Tls,
        bars: &[bar(0, Rules::None, Reference, AtLeast(1.8)), bar(2, Rules::None, Absolute, AtLeast(100.0))],
        measure: measures::connects,
        span: Duration::from_millis(400),
        ..USUAL
    },
    Row {
        id: "tls-idle",
        title: "1,000 idle links of TLS on both legs; 5 devices with 100 reconnects each",
        metrics: MEMORY,
        others: Others::Tls,
        bars: &[bar(1, Rules::None, Absolute, AtMost(30.0)), NO_CPU],
        measure: measures::tls_idle,
        most_rounds: 1,
        is_anew: true,
        ..USUAL
    },
    Row {
        id: "links",
        title: "64 B, QoS 0, 50,000 messages/s over 10, 1,000 and 10,000 links (8,000 where 20,000 descriptors are all)",
        metrics: &[
            cost("ns/msg of 10", 1.0, 0),
            cost("of 1,000", 1.0, 0),
            cost("of most", 1.0, 0),
            cost("most / 10", 1.0, 2),
        ],
        rules: &[Rules::None, Rules::Hundred],
        bars: &[
            bar(3, Rules::None, Reference, AtMost(1.1)),
            bar(0, Rules::Hundred, NoRules, AtMost(1.1)),
            bar(1, Rules::Hundred, NoRules, AtMost(1.1)),
        ],
        others: Others::HaProxy,
        measure: measures::links,
        span: Duration::from_secs(1),
        ..USUAL
    },
    Row {
        id: "delay",
        title: "A latency of 50 ms at 500 messages/s: how late, with one message under way on each link and with 5",
        metrics: &[
            plain("least us", 1.0, 0),
            plain("p50", 1.0, 0),
            plain("p99", 1.0, 0),
            plain("5: least", 1.0, 0),
            plain("p50", 1.0, 0),
            plain("p99", 1.0, 0),
        ],
        rules: &[Rules::Late],
        others: Others::Direct,
        bars: &[
            bar(0, Rules::Late, Absolute, AtLeast(0.0)),
            bar(1, Rules::Late, Absolute, AtMost(150.0)),
            bar(2, Rules::Late, Absolute, AtMost(1000.0)),
            bar(3, Rules::Late, Absolute, AtLeast(0.0)),
            bar(4, Rules::Late, Absolute, AtMost(150.0)),
            bar(5, Rules::Late, Absolute, AtMost(1000.0)),
        ],
        measure: measures::delays,
        span: Duration::from_millis(800),
        ..USUAL
    },
    Row {
        id: "held",
        title: "8 devices write until they may no more, through a latency of 3 s: memory for each link",
        metrics: &[
            plain("64 KiB: KiB/link", KIB, 0),
            plain("1 KiB: KiB/link", KIB, 0),
            plain("64 B: KiB/link", KIB, 0),
        ],
        rules: &[Rules::Held],
        others: Others::Direct,
        bars: &[
            bar(0, Rules::Held, Absolute, HELD),
            bar(1, Rules::Held, Absolute, HELD),
            bar(2, Rules::Held, Absolute, HELD),
        ],
        measure: measures::held,
        most_rounds: 3,
        is_anew: true,
        ..USUAL
    },
    Row {
        id: "workers",
        title: "1 KiB, QoS 0, pipelined, 8 links, on one core and on two",
        metrics: &[plain("k msgs/s", K, 0), plain("CPU ps/B", 1.0, 0)],
        rules: &[Rules::None, Rules::SecondCore],
        others: Others::Direct,
        bars: &[
            bar(0, Rules::SecondCore, NoRules, AtLeast(1.8)),
            bar(1, Rules::SecondCore, NoRules, AtMost(1.1)),
        ],
        measure: measures::workers,
        ..USUAL
    },
];

/// Of those sent; all of them is 100.
const DISCONNECTS: Metric = plain("% of DISCONNECTs seen", 0.01, 2);
