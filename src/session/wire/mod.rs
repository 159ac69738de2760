//! What the tap sees, told apart: attempts to connect, signs of ends that their legs are deaf to, retransmissions.
//!
//! Owns the parsing of headers and the state of flows. Invariant: bounded in all that peers can make it keep: 65,536 attempts,
//! as many initial sequence numbers, 16 sendings told of a SYN, 5,000 SYNs a second; and it knows no clock: segments bring their times.
//! Deliberately absent: whose an attempt is (measure/), sockets and filters (net/tap/).
//!
//! A SYN that a listener accepts is no news. One that is not accepted within [`ACCEPT_LIMIT`], or comes again, is told each
//! time: with the same port and initial sequence number it is the kernel's repetition of one attempt, else another attempt.

mod leg;
mod ring;
mod segment;
#[cfg(test)]
mod tests;

pub use segment::{Flags, Segment};

use crate::base::time::nanos;
use crate::base::{LinkId, Side, Time};
use crate::event::WireNews;
use crate::fault::tap::Flow;
use leg::Leg;
use ring::Ring;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// A SYN that was not accepted for so long is told.
pub const ACCEPT_LIMIT: Duration = Duration::from_millis(200);

/// So long after a watch has ended, what the kernel kept of it has been read.
const READ_LIMIT: Duration = Duration::from_millis(50);

/// The most attempts, and the most initial sequence numbers, that are remembered.
const MOST_FLOWS: usize = 1 << 16;

/// The most sendings of one SYN that are told.
const MOST_SENDINGS: u32 = 16;

/// The most SYNs that are told of one second: more is a flood.
const MOST_A_SECOND: u32 = 5_000;

/// What is known of the flows that the tap sees.
#[derive(Debug)]
pub struct Observer {
    attempts: Ring<SocketAddr, Attempt>,
    /// Attempts that are told if nobody accepts them until then, in order.
    waiting: VecDeque<(Time, SocketAddr)>,
    /// When the latest connection of this address was accepted.
    accepted: Ring<SocketAddr, Time>,
    /// The number of the first byte of each connection.
    firsts: Ring<Flow, u32>,
    legs: BTreeMap<(LinkId, Side), (Flow, Leg)>,
    by_flow: BTreeMap<Flow, (LinkId, Side)>,
    /// Watches that have ended, and when they are told.
    ending: VecDeque<(Time, (LinkId, Side))>,
    news: VecDeque<WireNews>,
    /// The second that SYNs were told of last, and how many.
    told: (u64, u32),
    untold: u64,
}

#[derive(Debug)]
struct Attempt {
    seq: u32,
    port: u16,
    /// When it was sent last.
    at: Time,
    nth: u32,
    told: bool,
}

impl Default for Observer {
    fn default() -> Observer {
        Observer {
            attempts: Ring::new(MOST_FLOWS),
            waiting: VecDeque::new(),
            accepted: Ring::new(MOST_FLOWS),
            firsts: Ring::new(MOST_FLOWS),
            legs: BTreeMap::new(),
            by_flow: BTreeMap::new(),
            ending: VecDeque::new(),
            news: VecDeque::new(),
            told: (0, 0),
            untold: 0,
        }
    }
}

impl Observer {
    /// A connection of this address was accepted.
    pub fn accepted(&mut self, now: Time, peer: SocketAddr) {
        self.accepted.insert(peer, now);
    }

    /// What comes of this flow is watched from now on: its leg is made deaf, or to lose some of it. `received`: bytes that
    /// TCP had taken in on it before.
    ///
    /// A connection whose beginning was not seen may be one that is never seen: by an address translation on the way, say. That is
    /// told, lest silence be taken for evidence.
    pub fn watch(&mut self, now: Time, link: LinkId, side: Side, flow: Flow, received: Option<u64>) {
        let key = (link, side);
        match self.legs.get(&key) {
            Some((_, leg)) if !leg.is_ending() => return,
            Some(_) | None => self.settle(now, key),
        }
        let first = self.firsts.get(flow).copied();
        if first.is_none() {
            self.news.push_back(WireNews::Blind { link, side });
        }
        let first = first.zip(received);
        // A number of bytes modulo 2^32, as sequence numbers are.
        let next = first
            .map(|(first, received)| first.wrapping_add(u32::try_from(received & 0xFFFF_FFFF).unwrap_or(0)));
        self.legs.insert(key, (flow, Leg::new(now, next)));
        self.by_flow.insert(flow, key);
    }

    /// The leg hears all again, or is gone; whether it was watched.
    pub fn unwatch(&mut self, now: Time, link: LinkId, side: Side) -> bool {
        let key = (link, side);
        let is_news = self.legs.get_mut(&key).is_some_and(|(_, leg)| leg.ends(now));
        if is_news {
            self.ending.push_back((now + READ_LIMIT, key));
        }
        is_news
    }

    /// The flows under watch in the order of their addresses: those of IPv4 come first.
    pub fn flows(&self) -> impl DoubleEndedIterator<Item = Flow> + '_ {
        self.by_flow.keys().copied()
    }

    /// Takes in a segment. They come in about the order of their times.
    pub fn segment(&mut self, segment: &Segment) {
        match (segment.flags.syn, segment.flags.ack) {
            (true, false) => self.syn(segment),
            (true, true) => {
                let flow = Flow { from: segment.from, to: Some(segment.to) };
                self.firsts.insert(flow, segment.seq.wrapping_add(1));
            }
            (false, _) => self.other(segment),
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        while self.ending.front().is_some_and(|(due, _)| *due <= now) {
            let Some((_, key)) = self.ending.pop_front() else { break };
            // One that is watched anew since has another end to wait for.
            if self.legs.get(&key).is_some_and(|(_, leg)| leg.has_ended_by(now, READ_LIMIT)) {
                self.settle(now, key);
            }
        }
        while self.waiting.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, peer)) = self.waiting.pop_front() {
                self.tell_attempt(peer);
            }
        }
    }

    /// When [`Observer::tick`] is due.
    pub fn deadline(&self) -> Option<Time> {
        let ending = self.ending.front().map(|(due, _)| *due);
        ending.into_iter().chain(self.waiting.front().map(|(due, _)| *due)).min()
    }

    /// The next news; `None` until the next input.
    pub fn poll(&mut self) -> Option<WireNews> {
        self.news.pop_front()
    }

    /// No more comes: all that is left is told. How many news were not.
    pub fn finish(&mut self, now: Time) -> u64 {
        let keys: Vec<(LinkId, Side)> = self.legs.keys().copied().collect();
        keys.into_iter().for_each(|key| self.settle(now, key));
        while let Some((_, peer)) = self.waiting.pop_front() {
            self.tell_attempt(peer);
        }
        self.untold
    }

    fn syn(&mut self, segment: &Segment) {
        let peer = segment.from;
        match self.attempts.get_mut(peer) {
            Some(attempt) if attempt.seq == segment.seq => {
                // The first is told before, if it was not.
                self.tell_attempt(peer);
                self.again(segment);
            }
            Some(_) | None => {
                let (seq, port, at) = (segment.seq, segment.to.port(), segment.at);
                self.attempts.insert(peer, Attempt { seq, port, at, nth: 1, told: false });
                self.firsts.insert(Flow { from: peer, to: None }, seq.wrapping_add(1));
                self.waiting.push_back((at + ACCEPT_LIMIT, peer));
            }
        }
    }

    /// Tells an attempt's first sending, unless it was accepted or told.
    fn tell_attempt(&mut self, peer: SocketAddr) {
        let accepted = self.accepted.get(peer).copied();
        let Some(attempt) = self.attempts.get_mut(peer).filter(|attempt| !attempt.told) else { return };
        attempt.told = true;
        if accepted.is_some_and(|accepted| accepted >= attempt.at) {
            return;
        }
        let (port, seen) = (attempt.port, attempt.at);
        self.tell_syn(seen, peer, port, (1, None));
    }

    fn again(&mut self, segment: &Segment) {
        let accepted = self.accepted.get(segment.from).copied();
        let Some(attempt) = self.attempts.get_mut(segment.from) else { return };
        if accepted.is_some_and(|accepted| accepted >= attempt.at) {
            // A stray one of a connection that is there.
            return;
        }
        let gap = nanos(segment.at.since(attempt.at));
        attempt.nth = attempt.nth.saturating_add(1);
        attempt.at = attempt.at.max(segment.at);
        let (port, nth) = (attempt.port, attempt.nth);
        self.tell_syn(segment.at, segment.from, port, (nth, Some(gap)));
    }

    /// Tells a sending, unless there were too many of it or of all.
    fn tell_syn(&mut self, seen: Time, peer: SocketAddr, port: u16, (nth, gap_ns): (u32, Option<u64>)) {
        let second = seen.elapsed().as_secs();
        if self.told.0 != second {
            self.told = (second, 0);
        }
        if nth > MOST_SENDINGS || self.told.1 >= MOST_A_SECOND {
            self.untold = self.untold.saturating_add(1);
            return;
        }
        self.told.1 += 1;
        self.news.push_back(WireNews::Syn { peer: peer.to_string(), port, nth, gap_ns, seen });
    }

    fn other(&mut self, segment: &Segment) {
        let flows = [Some(segment.to), None].map(|to| Flow { from: segment.from, to });
        let Some(key) = flows.iter().find_map(|flow| self.by_flow.get(flow)).copied() else { return };
        let Some((_, leg)) = self.legs.get_mut(&key) else { return };
        let (link, side) = key;
        if let Some(how) = leg.take(segment) {
            self.news.push_back(WireNews::Ended { link, side, how, seen: segment.at });
        }
    }

    /// A watch is over: what it came to.
    fn settle(&mut self, now: Time, key: (LinkId, Side)) {
        let Some((flow, leg)) = self.legs.remove(&key) else { return };
        if self.by_flow.get(&flow) == Some(&key) {
            self.by_flow.remove(&flow);
        }
        self.news.extend(leg.news(key.0, key.1, now));
    }
}
