//! The thread that writes: items in order of time, each as the packets that it makes.

use super::Outcome;
use super::queue::{Item, LegId, Moment, Queue};
use crate::base::{Direction, Ends, Side, Time};
use crate::report::pcapng::block::{self, Statistics};
use crate::report::pcapng::{Connection, Where};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// How long an item waits, so that those of other threads that happened before can come before it, and what an event says of
/// it can be written with it.
const LAG: Duration = Duration::from_millis(50);

/// The most comments that wait for a packet; those beyond replace the oldest.
const MOST_WAITING: usize = 1000;

/// The writer of one file.
#[derive(Debug)]
pub(super) struct Writer {
    out: BufWriter<File>,
    /// The beginning of the run, in nanoseconds since 1970.
    began: u64,
    /// When the last packet was, in the same.
    last: u64,
    legs: BTreeMap<LegId, Leg>,
    /// The addresses that are in use in the file.
    taken: BTreeSet<(SocketAddr, SocketAddr)>,
    /// How many connections there were.
    opened: u64,
    /// Items on their way.
    waiting: VecDeque<Item>,
    /// Of those, what is to be said of the ends of legs.
    of_ends: BTreeMap<LegId, Vec<String>>,
    /// Comments that wait for the next packet.
    comments: VecDeque<String>,
    block: Vec<u8>,
    written: Ends<u64>,
    /// Items of legs whose beginning was dropped.
    lost: Ends<u64>,
    error: Option<io::Error>,
}

#[derive(Debug)]
struct Leg {
    connection: Connection,
    addresses: (SocketAddr, SocketAddr),
}

impl Writer {
    /// Into this file, of a run that began so many nanoseconds after 1970.
    pub(super) fn new(file: File, began: u64) -> Writer {
        Writer {
            out: BufWriter::with_capacity(256 * 1024, file),
            began,
            last: 0,
            legs: BTreeMap::new(),
            taken: BTreeSet::new(),
            opened: 0,
            waiting: VecDeque::new(),
            of_ends: BTreeMap::new(),
            comments: VecDeque::new(),
            block: Vec::new(),
            written: Ends::default(),
            lost: Ends::default(),
            error: None,
        }
    }

    /// The head of the file.
    pub(super) fn begin(&mut self, application: &str, comment: &str, legs: &Ends<String>) -> io::Result<()> {
        let mut head = Vec::new();
        block::section_header(&mut head, application, comment);
        for side in Side::BOTH {
            block::interface(&mut head, &format!("{} side", side.word()), legs.get(side));
        }
        self.out.write_all(&head)?;
        self.out.flush()
    }

    /// Writes what comes, until no more does.
    pub(super) fn run(mut self, queue: &Queue) -> Outcome {
        loop {
            let (items, now, more) = queue.take(LAG);
            self.arrange(items);
            self.write_until(if more { now - LAG } else { Time::MAX });
            let flushed = self.out.flush();
            self.keep(flushed);
            if self.error.is_some() {
                queue.switch_off();
            }
            if !more {
                return self.end(queue.dropped(), now);
            }
        }
    }

    /// Puts new items in their places: by time, and as they came.
    pub(super) fn arrange(&mut self, items: Vec<Item>) {
        for item in &items {
            if let Moment::Remark { place: Where::EndOf(link, side), text } = &item.what {
                self.of_ends.entry((*link, *side)).or_default().push(text.clone());
            }
        }
        self.waiting.extend(items);
        self.waiting.make_contiguous().sort_by_key(|item| item.at);
    }

    pub(super) fn write_until(&mut self, until: Time) {
        while self.waiting.front().is_some_and(|item| item.at <= until) {
            if let Some(item) = self.waiting.pop_front() {
                self.write(item);
            }
        }
    }

    fn write(&mut self, Item { at, what }: Item) {
        match what {
            Moment::Opened { leg, client, server } => self.open(at, leg, client, server),
            Moment::Said { leg, direction, offset, bytes } => {
                self.on(at, leg, &[], |connection, emit| connection.say(direction, offset, &bytes, emit));
            }
            Moment::Ended { leg, direction, offset, how, note } => {
                let mut comments: Vec<String> = note.into_iter().collect();
                if is_ours(leg, direction) {
                    comments.extend(self.of_ends.remove(&leg).unwrap_or_default());
                }
                self.on(at, leg, &comments, |connection, emit| connection.end(direction, offset, how, emit));
            }
            Moment::Gone { leg } => {
                if let Some(leg) = self.legs.remove(&leg) {
                    self.taken.remove(&leg.addresses);
                }
            }
            Moment::Remark { place: Where::Leg(link, side), text } => self.remark(at, (link, side), text),
            Moment::Remark { place: Where::EndOf(link, side), text } => {
                // Unless it was said with the end.
                if self.waits_for_end((link, side), &text) {
                    self.remark(at, (link, side), text);
                }
            }
            Moment::Remark { place: Where::Next, text } => self.say_next(text),
        }
    }

    /// Whether this was to be said with the end of the leg, and was not: it is forgotten then.
    fn waits_for_end(&mut self, leg: LegId, text: &str) -> bool {
        let Some(waiting) = self.of_ends.get_mut(&leg) else { return false };
        let place = waiting.iter().position(|of| of == text);
        place.map(|place| waiting.remove(place));
        if waiting.is_empty() {
            self.of_ends.remove(&leg);
        }
        place.is_some()
    }

    fn open(&mut self, at: Time, leg: LegId, client: SocketAddr, server: SocketAddr) {
        self.opened += 1;
        let (shown, comments) = self.free(client, server);
        let connection = Connection::new(shown, server, self.opened);
        let addresses = (shown, server);
        self.taken.insert(addresses);
        self.legs.insert(leg, Leg { connection, addresses });
        self.on(at, leg, &comments, |connection, emit| connection.open(emit));
    }

    /// All servers have one port here, so two connections may have the same addresses where in truth they have not: then
    /// one gets another port, and that is said.
    fn free(&self, client: SocketAddr, server: SocketAddr) -> (SocketAddr, Vec<String>) {
        if !self.taken.contains(&(client, server)) {
            return (client, Vec::new());
        }
        let ports = (1024..=u16::MAX).map(|port| SocketAddr::new(client.ip(), port));
        let free = ports.into_iter().find(|shown| !self.taken.contains(&(*shown, server)));
        let truth = format!("the client's port was {}, which another connection has here", client.port());
        (free.unwrap_or(client), vec![truth])
    }

    /// Writes a comment at a leg, if that is there; else with whatever comes next.
    fn remark(&mut self, at: Time, leg: LegId, text: String) {
        match self.legs.get(&leg) {
            Some(there) if !there.connection.is_over() => {
                self.on(at, leg, &[text], |connection, emit| emit(connection.remark()));
            }
            Some(_) | None => self.say_next(text),
        }
    }

    fn say_next(&mut self, text: String) {
        if self.comments.len() >= MOST_WAITING {
            self.comments.pop_front();
        }
        self.comments.push_back(text);
    }

    /// Writes the packets that something makes of a connection; comments go with the first.
    fn on(
        &mut self,
        at: Time,
        leg: LegId,
        comments: &[String],
        make: impl FnOnce(&mut Connection, &mut dyn FnMut(Vec<u8>)),
    ) {
        let Some(known) = self.legs.get_mut(&leg) else {
            *self.lost.get_mut(leg.1) += 1;
            return;
        };
        let mut packets = Vec::new();
        make(&mut known.connection, &mut |packet| packets.push(packet));
        let stamp = self.began.saturating_add(at.as_nanos()).max(self.last);
        self.last = stamp;
        let mut said: Vec<String> =
            if packets.is_empty() { Vec::new() } else { self.comments.drain(..).collect() };
        said.extend(comments.iter().cloned());
        for packet in packets {
            self.block.clear();
            block::packet(&mut self.block, number(leg.1), stamp, &packet, &said);
            said.clear();
            *self.written.get_mut(leg.1) += 1;
            self.flush_block();
        }
        for text in said {
            self.say_next(text);
        }
    }

    fn flush_block(&mut self) {
        if self.error.is_none() {
            let written = self.out.write_all(&self.block);
            self.keep(written);
        }
    }

    /// The first failure ends the file, and is told; the run goes on.
    fn keep(&mut self, result: io::Result<()>) {
        if let (None, Err(error)) = (&self.error, result) {
            tracing::error!(
                "the capture ends here: {error}; the run goes on, and its report will be complete"
            );
            self.error = Some(error);
        }
    }

    pub(super) fn end(mut self, dropped: Ends<u64>, now: Time) -> Outcome {
        let dropped = Ends { device: dropped.device + self.lost.device, hub: dropped.hub + self.lost.hub };
        let ended = self.began.saturating_add(now.as_nanos()).max(self.last);
        let comments: Vec<String> = std::mem::take(&mut self.comments).into();
        self.block.clear();
        for side in Side::BOTH {
            let (dropped, written) = (*dropped.get(side), *self.written.get(side));
            let received = written.saturating_add(dropped);
            let seen = Statistics { began: self.began, ended, received, dropped };
            let comments = if side == Side::Device { comments.as_slice() } else { &[] };
            block::statistics(&mut self.block, number(side), seen, comments);
        }
        self.flush_block();
        let flushed = self.out.flush();
        self.keep(flushed);
        let written = self.written.device + self.written.hub;
        Outcome { written, dropped, error: self.error }
    }
}

/// The number of the interface that stands for a side.
fn number(side: Side) -> u32 {
    match side {
        Side::Device => 0,
        Side::Hub => 1,
    }
}

/// Whether brownout is the one who speaks there.
fn is_ours((_, side): LegId, direction: Direction) -> bool {
    side.other().sends() == direction
}
