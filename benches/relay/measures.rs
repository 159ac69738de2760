//! One round of each row: what it asks of a way, and its figures.

use crate::connects;
use crate::delay::Delayed;
use crate::held;
use crate::idle::Idle;
use crate::link::Link;
use crate::paced::Paced;
use crate::round_trips::RoundTrips;
use crate::route::Route;
use crate::row::Figures;
use crate::stats::{float, percentile};
use crate::stream::Stream;
use crate::sys::{self, FILES};
use crate::tls_stream::TlsStream;
use crate::trace::Taken;
use crate::wire;
use std::time::Duration;

/// Devices that write without a pause.
const WRITERS: usize = 8;

/// What a link of TLS is given in a second, in bytes: some 100 MB/s come through on it.
const TLS_BYTES_A_MILLI: usize = 100_000;

/// Messages a second, and nanoseconds of processor each.
pub fn stream(route: &Route, span: Duration, len: usize, in_one_write: usize) -> Figures {
    let stream = Stream { links: WRITERS, message: wire::publish(len), in_one_write, span };
    let (messages, taken) = stream.through(route);
    vec![Some(messages / taken.wall), cpu(messages, taken)]
}

/// The same over TLS.
pub fn tls_stream(route: &Route, span: Duration, len: usize) -> Figures {
    let bytes = usize::try_from(span.as_millis()).unwrap() * TLS_BYTES_A_MILLI;
    let stream = TlsStream { links: WRITERS, message: wire::publish(len), messages: bytes / len };
    let (messages, taken) = stream.through(route);
    vec![Some(messages / taken.wall), cpu(messages, taken)]
}

/// The same in so many units a message, and processor time for each byte in picoseconds.
pub fn per_byte(figures: Figures, message: f64, units: f64) -> Figures {
    vec![figures[0].map(|rate| rate * units), figures[1].map(|cpu| cpu * 1e3 / message)]
}

/// The pace that was kept, nanoseconds of processor each, and system calls each.
pub fn paced(route: &Route, span: Duration) -> Figures {
    let (messages, taken) = Paced { links: 50, rate: 100_000, span }.through(route);
    vec![Some(messages / taken.wall), cpu(messages, taken), taken.calls.map(|calls| calls / messages)]
}

/// The pace that was kept, p50 and p99 of the round trips, and nanoseconds of processor each.
pub fn round_trips(route: &Route, span: Duration) -> Figures {
    let (mut times, taken) = RoundTrips { links: 50, rate: 20_000, span }.through(route);
    let messages = float(times.len());
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    vec![Some(messages / taken.wall), Some(p50), Some(p99), cpu(messages, taken)]
}

/// Links a second, seconds of processor each, and the share of DISCONNECTs that the hub saw.
pub fn connects(route: &Route, span: Duration) -> Figures {
    let came = connects::through(route, span);
    vec![
        Some(came.links / came.wall),
        Some(came.taken.cpu / came.links).filter(|cpu| *cpu > 0.0),
        Some(came.disconnects / came.links),
    ]
}

/// The same with all of two cores: where the load has one of them, the rate is not that of two cores.
pub fn workers(route: &Route, span: Duration) -> Figures {
    let figures = per_byte(stream(route, span, 1024, 16), 1024.0, 1.0);
    vec![figures[0].filter(|_| !route.is_crowded), figures[1]]
}

/// Bytes of memory for each of these links while a rule holds back what they write: with messages of three lengths.
pub fn held(route: &Route, _: Duration) -> Figures {
    held::through(route, WRITERS, &[65_536, 1024, 64])
}

/// Memory of idle links.
pub fn idle(route: &Route, _: Duration) -> Figures {
    Idle { links: 5_000, devices: 5, reconnects: 1_000 }.plain(route)
}

/// The same with TLS.
pub fn tls_idle(route: &Route, _: Duration) -> Figures {
    Idle { links: 1_000, devices: 5, reconnects: 100 }.tls(route)
}

/// Nanoseconds of processor for each message, over few, more and many links, and the last over the first.
pub fn links(route: &Route, span: Duration) -> Figures {
    let mut links: Vec<Link> = Vec::new();
    let mut figures: Figures = Vec::new();
    for count in [10, 1_000, many()] {
        links.extend((links.len()..count).map(|n| route.link(&format!("d{n}"))));
        let (messages, taken) = Paced { links: count, rate: 50_000, span }.over(route, &links);
        figures.push(cpu(messages, taken));
    }
    let growth = figures[2].zip(figures[0]).map(|(many, few)| many / few);
    figures.push(growth);
    figures
}

/// Ten thousand links, where each process may have descriptors for both ends of them; else 8,000.
fn many() -> usize {
    if sys::raise_files(FILES) < FILES { 8_000 } else { 10_000 }
}

/// How late messages come, in microseconds: the earliest, p50, p99; with 1 message under way on each link, and with 5.
pub fn delays(route: &Route, span: Duration) -> Figures {
    let delay = if route.process.is_some() { Duration::from_millis(50) } else { Duration::ZERO };
    let figures = [25, 5].map(|links| {
        let mut late = Delayed { links, rate: 500, span, delay }.through(route);
        [0, 50, 99].map(|hundredths| Some(percentile(&mut late, hundredths)))
    });
    figures.concat()
}

/// Nanoseconds of processor for each; nothing for the direct way.
fn cpu(messages: f64, taken: Taken) -> Option<f64> {
    Some(taken.cpu / messages * 1e9).filter(|cpu| *cpu > 0.0)
}
