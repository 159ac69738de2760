//! What a link costs that is connected and silent: memory of a thousand of them, and the processor time of their
//! silence, beside tokio's `copy_bidirectional`. `cargo bench --bench idle`; some 10 s.
//!
//! The memory includes what is kept of each link's events, which here is all of them.

#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use brownout::net::sys::limit;
use common::{Route, Way, machine, micros, resident};
use std::thread;
use std::time::Duration;

const LINKS: u32 = 1_000;

/// Watched for so long, after what connecting left to be done.
const SILENCE: Duration = Duration::from_secs(3);
const SETTLE: Duration = Duration::from_secs(1);

fn main() {
    limit::raise_files().unwrap();
    println!("\n{LINKS} links, connected and silent for {} s. {}\n", SILENCE.as_secs(), machine());
    println!("{:10} {:>16} {:>16}", "", "bytes a link", "cpu, us in all");
    // brownout first: what it frees could serve the other, and hide what that one takes.
    for (name, way) in [("no rules", Way::Brownout(vec![])), ("copy", Way::Copy)] {
        let route = Route::open(name, way);
        // The first link brings the workers' own buffers.
        let first = route.connect("first");
        let before = resident();
        let links: Vec<_> = (0..LINKS).map(|n| route.connect(&format!("d{n}"))).collect();
        thread::sleep(SETTLE);
        let (taken, cpu) = (resident().saturating_sub(before), route.cpu());
        thread::sleep(SILENCE);
        let cpu = route.cpu() - cpu;
        println!("{name:10} {:>16} {:>16.0}", taken / u64::from(LINKS), micros(cpu));
        drop((first, links));
        route.close();
    }
}
