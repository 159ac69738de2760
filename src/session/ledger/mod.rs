//! The delivery ledger: what became of a device's messages, over all its links and sessions, both ways.
//!
//! Owns which PUBLISH packets are one message: by packet identifier and a hash of topic and payload, from one link of
//! the device to the next. A machine without clock or sockets: [`Ledger::take`] is told what arrived and what was
//! passed on, and hands out exact counts ([`Ledger::flush`]) and news of single messages, a few of each kind a second.
//! Invariant: what a fault of brownout's own explains is never news of a wrong on anybody's side. Deliberately absent:
//! payloads (net/ hashes them as they pass), and any verdict (measure/).
//!
//! ```text
//!            entries                  ┌──▶ up:   flights, series, pace
//!  link 1 ─────────────┐              │
//!  link 2 ─────────────┴──▶ Ledger ───┴──▶ down: flights, series        ──▶ counts, news
//!   (each holds its Line)
//! ```
//!
//! What brownout cannot see, a packet that vanished before it came, is not known here either: a PUBLISH with DUP may be
//! the first that comes of its message. Only numbers in the payloads tell of those (`series`).

mod books;
mod entry;
mod flights;
mod line;
mod numbers;
mod rhythm;
mod series;
mod sight;
mod teller;
#[cfg(test)]
mod tests;
mod way;

pub use books::{Account, Books};
pub use entry::{Ack, AckKind, Entry, Message};
pub use flights::ENDED_LIMIT;
pub use line::Line;
pub use sight::{Sight, ack};
pub use teller::{NEWS_A_SECOND, News};

use crate::base::pack::{Pack, Reader, Writer};
use crate::base::{Direction, Ends, Time, Ways};
use crate::event::{Delivery, LastPackets, MessageNews};
use crate::mqtt::{QoS, Version};
use rhythm::{CaughtUp, Rhythm};
use series::Number;
use std::time::Duration;
use teller::{About, Teller as Book};
use way::Way;

/// The messages of one device.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    ways: Ways<Way>,
    rhythm: Option<Box<Rhythm>>,
    book: Book,
    /// Links on which a CONNECT came, and that are not over.
    live: u32,
    /// Whether a CONNECT has come before.
    is_known: bool,
    /// The greatest number that a payload can have, where its width says so.
    greatest: Option<u64>,
}

impl Ledger {
    /// For a device that was not seen before. `greatest`: the greatest number that a payload can have, where its width is
    /// known.
    pub fn new(greatest: Option<u64>) -> Ledger {
        Ledger { greatest, ..Ledger::default() }
    }

    /// What it comes to while the device is away, in few bytes; `None` where it follows more than that, or has not told all.
    pub fn rest(&self) -> Option<Vec<u8>> {
        let Ledger { ways, rhythm, book, live, is_known, greatest: _ } = self;
        let mut to = Writer::default();
        let mut is_little = *live == 0;
        (*is_known, rhythm.is_some()).pack(&mut to);
        is_little &= book.rest(&mut to);
        is_little &= ways.up.rest(&mut to) && ways.down.rest(&mut to);
        is_little &= rhythm.as_ref().is_none_or(|rhythm| rhythm.rest(&mut to));
        is_little.then(|| to.finish())
    }

    /// As it was when it came to this; `greatest` as in [`Ledger::new`].
    pub fn wake(bytes: &[u8], greatest: Option<u64>) -> Option<Ledger> {
        let from = &mut Reader::new(bytes);
        let (is_known, has_rhythm) = Pack::unpack(from)?;
        let book = Book::wake(from)?;
        let ways = Ways { up: Way::wake(from)?, down: Way::wake(from)? };
        let rhythm = if has_rhythm { Some(Box::new(Rhythm::wake(from)?)) } else { None };
        Some(Ledger { ways, rhythm, book, live: 0, is_known, greatest })
    }

    /// Takes in what was seen on a link, in order. Answers the news.
    pub fn take(&mut self, now: Time, line: &mut Line, entries: &[Entry]) -> Vec<News> {
        for entry in entries {
            self.entry(now, line, entry);
        }
        self.book.look(now);
        self.book.take_news()
    }

    /// A link is over. `last`: when its ends were last heard of. `stopped`: because the run is. Answers the news.
    pub fn link_ended(
        &mut self,
        now: Time,
        line: &mut Line,
        last: Ends<LastPackets>,
        stopped: bool,
    ) -> Vec<News> {
        if let Some(caught_up) = self.rhythm.as_mut().and_then(|rhythm| rhythm.ended(line.link)) {
            self.caught_up(now, caught_up);
        }
        self.live = self.live.saturating_sub(1);
        for of in Direction::BOTH {
            let heard = last.get(of.from()).from;
            let way = self.ways.get_mut(of);
            way.link_ended(now, line, of, heard, stopped, &mut self.book);
            if self.live == 0 {
                way.alone(of, &mut self.book);
            }
        }
        self.book.tell_beyond();
        self.book.take_news()
    }

    /// The run is over, and all links are: what is left is in flight. Answers the news.
    pub fn run_ended(&mut self, now: Time) -> Vec<News> {
        for of in Direction::BOTH {
            self.ways.get_mut(of).run_ended(now, of, &mut self.book);
        }
        self.book.tell_beyond();
        self.book.take_news()
    }

    /// The device is forgotten, and no link of its is left: what became of what is in flight will not be known. Answers
    /// the news.
    pub fn forgotten(&mut self, now: Time) -> Vec<News> {
        for of in Direction::BOTH {
            self.ways.get_mut(of).forgotten(now, of, &mut self.book);
        }
        self.book.tell_beyond();
        self.book.take_news()
    }

    /// Hands out what was counted since the last time; `None` where that is nothing.
    pub fn flush(&mut self) -> Option<Ways<Delivery>> {
        self.book.take_counts()
    }

    fn entry(&mut self, now: Time, line: &mut Line, entry: &Entry) {
        let Ledger { ways, book, .. } = self;
        match entry {
            Entry::Connect { clean, version, receive_maximum } => {
                self.connect(line, *clean, *version, *receive_maximum);
            }
            Entry::Accepted { session_present, receive_maximum } => {
                self.accepted(now, line, *session_present, *receive_maximum);
            }
            Entry::Shares => ways.down.shares(),
            Entry::AsPublished => ways.down.as_published(),
            Entry::Bridges => Direction::BOTH.into_iter().for_each(|of| ways.get_mut(of).bridges()),
            Entry::Arrived(of, message) => {
                let way = ways.get_mut(*of);
                if way.arrived(now, line, *of, message, book) && !way.is_stale(*of, line) {
                    self.is_new(now, line, *of, message);
                }
            }
            Entry::ArrivedPlain { direction, messages } => {
                ways.get_mut(*direction).arrived_plain(now, line, *direction, *messages, book);
                if *direction == Direction::Up && !ways.up.is_stale(Direction::Up, line) {
                    self.are_new(now, line, *messages);
                }
            }
            Entry::PassedPlain { direction, messages } => {
                ways.get_mut(*direction).passed_plain(line, *direction, *messages, book);
            }
            Entry::PassedUnknown { direction, messages } => {
                ways.get_mut(*direction).passed_unknown(line, *direction, *messages, book);
            }
            Entry::Doubted { direction, messages } => {
                book.count(*direction).doubted[0] += u64::from(*messages);
            }
            Entry::DoubtedInFlight { direction } => ways.get_mut(*direction).doubt(line, *direction, book),
            Entry::DoubtedAcks { direction, unacknowledged, since } => {
                ways.get_mut(*direction).doubt_acks(line, *unacknowledged, *since);
            }
            Entry::Passed { direction, qos, id } => {
                let about = About { link: Some(line.link), direction: *direction, qos: *qos, id: *id };
                ways.get_mut(*direction).passed(now, line, about, book);
            }
            Entry::Copied { direction, qos, id, copies } => {
                let about = About { link: Some(line.link), direction: *direction, qos: *qos, id: *id };
                ways.get_mut(*direction).copied(now, line, about, *copies, book);
            }
            Entry::CopiedUnknown { direction, qos, copies } => {
                let (counts, nth) = (book.count(*direction), usize::from(qos.number()));
                counts.duplicated[nth] += u64::from(*copies);
                counts.doubted_again[nth] += u64::from(*copies);
            }
            Entry::AckArrived(ack) => ways.get_mut(ack.direction).ack_arrived(now, line, ack, book),
            Entry::AckPassed(ack) => ways.get_mut(ack.direction).ack_passed(now, line, ack, book),
            Entry::FalselyAcknowledged { direction, id } => {
                ways.get_mut(*direction).falsely_acknowledged(now, line, *direction, *id, book);
            }
            Entry::Meddled => Direction::BOTH.into_iter().for_each(|of| ways.get_mut(of).meddled()),
            Entry::Disturbed(disturbed) => {
                if let Some(rhythm) = &mut self.rhythm {
                    rhythm.disturb(*disturbed);
                }
            }
        }
    }

    fn connect(&mut self, line: &mut Line, clean: bool, version: Version, receive_maximum: Option<u16>) {
        let is_first = !std::mem::replace(&mut self.is_known, true);
        self.live += 1;
        (line.clean, line.untold) = (clean, version == Version::V31);
        if version == Version::V5 {
            line.allowed.down = receive_maximum.unwrap_or(u16::MAX);
        }
        Direction::BOTH.into_iter().for_each(|of| self.ways.get_mut(of).connect(line, is_first));
    }

    fn accepted(&mut self, now: Time, line: &mut Line, session_present: bool, receive_maximum: Option<u16>) {
        line.accept(now);
        line.goes_on = (session_present || line.untold) && !line.clean;
        Direction::BOTH.into_iter().for_each(|of| self.ways.get_mut(of).accepted(line));
        line.allowed.up = receive_maximum.unwrap_or(u16::MAX);
        if !line.goes_on {
            Direction::BOTH.into_iter().for_each(|of| self.ways.get_mut(of).begins_anew(line));
            // What is published until the device has asked for its topic again, the hub does not owe it.
            self.ways.down.numbers.begin_anew();
        }
        self.rhythm.get_or_insert_default().accepted(now, line.link);
    }

    /// A message came that was not seen before: its number, and its place in the device's pace.
    fn is_new(&mut self, now: Time, line: &Line, of: Direction, m: &Message) {
        let (link, accepted) = (line.link, line.accepted());
        let rhythm = self.rhythm.as_mut().filter(|_| of == Direction::Up);
        let in_burst = rhythm.as_ref().is_some_and(|rhythm| rhythm.is_in_burst(now, link));
        // What ends the burst is no more of it.
        let caught_up = rhythm.and_then(|rhythm| rhythm.message(now, link, m.dup, m.number.is_some()));
        if let Some(caught_up) = caught_up {
            self.caught_up(now, caught_up);
        }
        if let Some(number) = m.number.filter(|_| self.ways.get(of).follows_numbers()) {
            let Message { topic, qos, id, .. } = *m;
            let number = Number {
                topic,
                number,
                link,
                qos,
                id,
                at: now,
                in_burst,
                retained: self.ways.get(of).is_retained(of, m),
                perhaps_retained: of == Direction::Down && m.retain,
                expiry: m.expiry.map(|seconds| Duration::from_secs(seconds.into())),
                accepted,
                greatest: self.greatest,
            };
            self.ways.get_mut(of).numbers.take(now, of, &number, &mut self.book);
        }
    }

    /// So many plain messages of the device came at once: their place in its pace.
    fn are_new(&mut self, now: Time, line: &Line, messages: u32) {
        let told = self.rhythm.as_mut().and_then(|rhythm| rhythm.messages(now, line.link, messages));
        if let Some(told) = told {
            self.caught_up(now, told);
        }
    }

    fn caught_up(&mut self, now: Time, told: CaughtUp) {
        let (of, CaughtUp { link, queued, numbered }) = (Direction::Up, told);
        let dropped = self.ways.get_mut(of).numbers.burst_over(now, of, queued > 0, &mut self.book);
        let counts = self.book.count(of);
        counts.catch_ups += 1;
        counts.queued += queued;
        counts.numbered_catch_ups += u64::from(numbered);
        counts.dropped += dropped;
        if queued > 0 {
            let about = About { link: Some(link), direction: of, qos: QoS::AtMostOnce, id: 0 };
            let dropped = numbered.then_some(dropped);
            self.book.tell(now, about, MessageNews::CaughtUp { queued, dropped });
        }
    }
}
