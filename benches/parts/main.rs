//! What the parts of brownout cost, each by itself and the whole way of a message: nanoseconds for a unit of work, beside
//! the least that could do something like it in the same run. `cargo bench --bench parts`; some 20 s.
//!
//! `--part NAME --count N` does one part's work N times and says nothing: under callgrind, which counts instructions, the
//! difference between two counts is what one unit costs, whatever else the machine does. `.ci/instructions` holds these
//! figures against `benches/parts/budget.txt`.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod engine;
mod framer;
mod lane;
mod ledger;
mod relay;
mod short;
mod sim;
mod tls;

use common::{machine, median};
use std::time::Instant;

/// One part, with the least that could do something like it.
#[derive(Clone, Copy)]
pub struct Part {
    /// As `--part` names it.
    pub name: &'static str,
    /// What one unit is.
    pub unit: &'static str,
    /// Does so many units, after what they take to begin with.
    pub work: fn(u32),
    /// What it is held against, in words, and that.
    pub floor: (&'static str, fn(u32)),
    /// Units of a timed round.
    pub round: u32,
}

/// How often each is timed; the median counts.
const ROUNDS: usize = 5;

fn main() {
    let parts = [
        framer::PARTS,
        engine::PARTS,
        short::PARTS,
        lane::PARTS,
        ledger::PARTS,
        tls::PARTS,
        relay::PARTS,
        sim::PARTS,
    ]
    .concat();
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => show(&parts),
        ["--list"] => parts.iter().for_each(|part| println!("{}", part.name)),
        ["--part", name, "--count", count] => {
            let part = parts.iter().find(|part| part.name == name).expect("a name of --list");
            (part.work)(count.parse().expect("a count"));
        }
        _ => panic!("give nothing, or --list, or --part NAME --count N"),
    }
}

fn show(parts: &[Part]) {
    println!("\nMedians of {ROUNDS} rounds. {}\n", machine());
    println!("{:14} {:44} {:>9} {:>9} {:>6}  floor", "part", "unit", "ns", "floor ns", "ratio");
    for part in parts {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            times[0].push(nanos(part.work, part.round));
            times[1].push(nanos(part.floor.1, part.round));
        }
        let [own, floor] = times.map(median);
        let ratio = own / floor;
        println!("{:14} {:44} {own:>9.1} {floor:>9.1} {ratio:>6.1}  {}", part.name, part.unit, part.floor.0);
    }
}

/// Nanoseconds of a unit: what so many more of them take.
fn nanos(work: fn(u32), count: u32) -> f64 {
    let timed = |count| {
        let start = Instant::now();
        work(count);
        start.elapsed().as_secs_f64() * 1e9
    };
    let once = timed(count);
    (timed(2 * count) - once) / f64::from(count)
}
