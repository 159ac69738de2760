//! Memory under delay: devices write through a latency until nothing more goes, and nobody reads at the hub.

use crate::idle::memory;
use crate::link::Link;
use crate::route::Route;
use crate::row::Figures;
use crate::stats::float;
use crate::wire;
use std::io::Write;
use std::thread;
use std::time::Duration;

/// A write that waits for so long meets back-pressure.
const STUCK: Duration = Duration::from_millis(400);

/// Until the links of one length are gone.
const SETTLE: Duration = Duration::from_secs(1);

/// What comes in one write.
const CHUNK: usize = 65_536;

/// For each length the memory over that of the start, for each of so many links. The links of the lengths before are
/// closed, but what the allocator keeps of them counts. Nothing for the direct way.
pub fn through(route: &Route, links: usize, lengths: &[usize]) -> Figures {
    let Some(process) = &route.process else { return vec![None; lengths.len()] };
    drop(route.link("first"));
    thread::sleep(SETTLE);
    let base = memory(process);
    let full = |length: &usize| {
        let links = route.links(links);
        fill(&links, &wire::publish(*length).repeat(CHUNK / length));
        let taken = memory(process) - base;
        let each = taken / float(links.len());
        drop(links);
        thread::sleep(SETTLE);
        Some(each)
    };
    lengths.iter().map(full).collect()
}

/// Writes on all of them at once, until each is stuck.
fn fill(links: &[Link], chunk: &[u8]) {
    thread::scope(|scope| {
        for mut device in links.iter().map(|link| &link.device) {
            device.set_write_timeout(Some(STUCK)).unwrap();
            scope.spawn(move || while device.write(chunk).is_ok() {});
        }
    });
}
