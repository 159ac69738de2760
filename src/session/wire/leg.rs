//! What an end sends to a leg that is deaf, or hears only some of it.
//!
//! ```text
//!   head                      high: what is next, as far as seen
//!   │ sent, not acknowledged  │
//!   ▼                         ▼
//! ──┴─────────────────────────┴──── sequence numbers ──▶
//!   again from head: a retransmission after the timeout; its gaps show how that grows
//!                   one before high, and empty: a probe
//! ```

use super::segment::Segment;
use crate::base::time::nanos;
use crate::base::{LinkId, Side, Time};
use crate::event::WireNews;
use crate::fault::Ending;
use std::time::Duration;

/// The most gaps that are told one by one.
const MOST_GAPS: usize = 16;

/// A leg under watch.
#[derive(Debug)]
pub(super) struct Leg {
    since: Time,
    /// Until when what comes is a part of this; `None` while it lasts.
    until: Option<Time>,
    /// The number of the byte that follows all that has been sent; `None` before it is known.
    high: Option<u32>,
    /// The oldest segment that is sent again and again, and when that was last.
    head: Option<(u32, Time)>,
    /// When something was last sent for the first time.
    fresh: Option<Time>,
    /// When something was first sent again.
    again: Option<Time>,
    fin: bool,
    rst: bool,
    segments: u64,
    gaps: Vec<u64>,
    last_gap: Option<u64>,
    probes: u64,
}

impl Leg {
    /// From now on; `next`: the number of the byte that its peer sends next, where that is known.
    pub fn new(since: Time, next: Option<u32>) -> Leg {
        Leg {
            since,
            until: None,
            high: next,
            head: None,
            fresh: None,
            again: None,
            fin: false,
            rst: false,
            segments: 0,
            gaps: Vec::new(),
            last_gap: None,
            probes: 0,
        }
    }

    /// What comes later is of another state of the leg; whether that is news.
    pub fn ends(&mut self, at: Time) -> bool {
        let is_news = self.until.is_none();
        self.until.get_or_insert(at);
        is_news
    }

    /// Whether that was said.
    pub fn is_ending(&self) -> bool {
        self.until.is_some()
    }

    /// Whether it ended so long ago.
    pub fn has_ended_by(&self, now: Time, ago: Duration) -> bool {
        self.until.is_some_and(|until| until + ago <= now)
    }

    /// Takes in a segment. The sign of the end, where this is the first of its kind.
    pub fn take(&mut self, segment: &Segment) -> Option<Ending> {
        if segment.at < self.since || self.until.is_some_and(|until| segment.at > until) {
            return None;
        }
        if segment.flags.rst {
            return (!std::mem::replace(&mut self.rst, true)).then_some(Ending::Reset);
        }
        self.count(segment);
        (segment.flags.fin && !std::mem::replace(&mut self.fin, true)).then_some(Ending::Fin)
    }

    fn count(&mut self, segment: &Segment) {
        let (seq, space) = (segment.seq, segment.space());
        let Some(high) = self.high else {
            if space > 0 {
                self.send(segment);
            }
            return;
        };
        // Of one byte of an old stack (RFC 9293 section 3.8.4), unless that byte itself was sent here before.
        let is_small = space == 0 || (segment.len == 1 && !segment.flags.fin && self.fresh.is_none());
        if is_small && seq.wrapping_add(1) == high {
            self.probes = self.probes.saturating_add(1);
        } else if space > 0 && is_before(seq, high) {
            self.repeat(segment);
        } else if space > 0 {
            self.send(segment);
        }
    }

    /// For the first time.
    fn send(&mut self, segment: &Segment) {
        self.fresh = Some(segment.at);
        self.high = Some(segment.seq.wrapping_add(segment.space()));
        self.head.get_or_insert((segment.seq, segment.at));
    }

    fn repeat(&mut self, segment: &Segment) {
        self.again.get_or_insert(segment.at);
        self.segments = self.segments.saturating_add(1);
        match &mut self.head {
            Some((seq, at)) if *seq == segment.seq => {
                let gap = nanos(segment.at.since(*at));
                if self.gaps.len() < MOST_GAPS {
                    self.gaps.push(gap);
                }
                self.last_gap = Some(gap);
                *at = segment.at;
            }
            // An older one than any that was sent here, or the next one after that was acknowledged.
            head => *head = Some((segment.seq, segment.at)),
        }
    }

    /// What there is to say of it, if anything.
    pub fn news(self, link: LinkId, side: Side, now: Time) -> Option<WireNews> {
        (self.segments > 0 || self.probes > 0).then(|| WireNews::Repeated {
            link,
            side,
            segments: self.segments,
            gaps_ns: self.gaps,
            last_gap_ns: self.last_gap,
            probes: self.probes,
            again: self.again,
            fresh: self.fresh,
            since: self.since,
            until: self.until.unwrap_or(now),
        })
    }
}

/// In the arithmetic of sequence numbers (RFC 9293 section 3.4).
fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 1 << 31
}
