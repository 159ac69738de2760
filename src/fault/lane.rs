//! The delay lane of one direction of one link: bytes that wait for their release, and one end behind them.
//!
//! ```text
//!            push(release, bytes, note)                                   finish(release, end)
//!                      |                                                          |
//!   bytes    [ b b b b b b b b b b b b b b b b ]                                  v
//!   segments |   t=5   |  t=5 N |     t=9     |                              t=12  Fin | Reset
//!            ^                                ^
//!            ready(now=7) ends with t=5       releases never fall from left to right
//! ```
//!
//! The lane only says what is due. Whoever owns the socket writes what [`Lane::ready`] shows, says with
//! [`Lane::wrote`] how much the peer took, and comes again at [`Lane::deadline`].

use super::effects::Ending;
use crate::base::Time;
use crate::base::units::to_u64;
use std::collections::VecDeque;

/// What the two lanes of a link hold before their readers stop, in bytes: 1 MiB. That is 7 s of a link of 1 Mbit/s, or
/// 1 s of delay at 7 Mbit/s, well past what a device sends; and a hundred links that are all full take 100 MiB,
/// which a small CI machine has.
pub const LANE_LIMIT: usize = 1024 * 1024;

/// One in so many bytes of the limit is each lane's own: a direction that is full does not stop the other, else two ends
/// that read on only once they have written would wait for each other for ever.
const SHARES: usize = 8;

/// Up to how many bytes a lane's memory is doubled as it fills.
const DOUBLED_UP_TO: usize = 64 * 1024;

/// How many segments a lane keeps books for at first.
const SEGMENTS_AT_FIRST: usize = 8;

/// Bytes in order, each with its release time, and at most one [`Ending`] behind them.
///
/// `N` is a note that a segment may carry; it is handed back when the segment's last byte has been written.
#[derive(Debug)]
pub struct Lane<N> {
    /// None while nothing waits: of ten thousand lanes few hold anything.
    queue: Option<Box<Queue<N>>>,
    /// Bytes written so far.
    gone: u64,
    /// The latest release given, which no later one may undercut.
    latest: Time,
    end: Option<(Time, Ending)>,
    /// The end has been carried out.
    ended: bool,
    open: bool,
    /// The last byte written ended a segment with a note.
    whole: bool,
    limit: usize,
}

/// What waits.
#[derive(Debug)]
struct Queue<N> {
    /// `bytes[0]` is byte `gone` of the stream. Segments share this one ring.
    bytes: VecDeque<u8>,
    /// In order of both `end` and `release`; the last one's `end` is `gone + bytes.len()`.
    segments: VecDeque<Segment<N>>,
    /// Stream positions that are counted as they are passed, ascending; none lies past the last byte.
    tallies: VecDeque<u64>,
}

/// What was behind a byte that has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left<N> {
    /// A note, with the release time that it had.
    Note(N, Time),
    /// So many positions that were to be counted, one after another.
    Tallied(u32),
}

#[derive(Debug)]
struct Segment<N> {
    /// The stream position behind its last byte.
    end: u64,
    release: Time,
    note: Option<N>,
}

impl<N> Default for Queue<N> {
    fn default() -> Queue<N> {
        Queue { bytes: VecDeque::new(), segments: VecDeque::new(), tallies: VecDeque::new() }
    }
}

impl<N> Queue<N> {
    /// Makes room for more bytes: twice what there was while that is little, then a quarter more, for what is not used is
    /// not counted.
    fn make_room(&mut self, more: usize) {
        let (needed, had) = (self.bytes.len() + more, self.bytes.capacity());
        if needed > had {
            let step = had.min(DOUBLED_UP_TO).max(had / 4);
            self.bytes.reserve_exact(needed.max(had + step) - self.bytes.len());
        }
    }
}

impl<N> Default for Lane<N> {
    fn default() -> Lane<N> {
        Lane::new()
    }
}

impl<N> Lane<N> {
    /// An empty lane of [`LANE_LIMIT`], its gate open. Takes no heap memory.
    pub fn new() -> Lane<N> {
        Lane::with_limit(LANE_LIMIT)
    }

    /// An empty lane that has room for `limit` bytes with what waits in its neighbour, the book-keeping of segments included.
    pub fn with_limit(limit: usize) -> Lane<N> {
        Lane {
            queue: None,
            gone: 0,
            latest: Time::ZERO,
            end: None,
            ended: false,
            open: true,
            whole: true,
            limit,
        }
    }

    /// Queues bytes, not to be written before `release`, nor before anything pushed earlier.
    ///
    /// Returns whether the lane took them: once [`Lane::finish`] has been called, nothing may follow, and
    /// they are refused. The lane takes them even where there is no [`room`](Lane::room): the limit binds
    /// whoever reads, not a packet that a rule injects. A note needs at least one byte to ride on.
    pub fn push(&mut self, release: Time, bytes: &[u8], note: Option<N>) -> bool {
        debug_assert!(note.is_none() || !bytes.is_empty(), "a note needs a byte to ride on");
        if self.end.is_some() || bytes.is_empty() {
            return self.end.is_none();
        }
        self.latest = self.latest.max(release);
        let queue = self.queue.get_or_insert_default();
        queue.make_room(bytes.len());
        queue.bytes.extend(bytes);
        let end = self.gone + to_u64(queue.bytes.len());
        match queue.segments.back_mut() {
            // The note of the longer segment is then due with its last byte, so only one without may grow.
            Some(last) if last.release == self.latest && last.note.is_none() => {
                last.end = end;
                last.note = note;
            }
            _ => {
                if queue.segments.len() == queue.segments.capacity() {
                    // By a quarter, for what is not used is not counted.
                    queue.segments.reserve_exact((queue.segments.len() / 4).max(SEGMENTS_AT_FIRST));
                }
                queue.segments.push_back(Segment { end, release: self.latest, note });
            }
        }
        true
    }

    /// Has positions counted as they are passed: each is just past a byte of those that wait, counted from the one
    /// behind `before` of them, ascending, and past all that were given before.
    pub fn tally(&mut self, before: usize, positions: impl IntoIterator<Item = usize>) {
        let Some(queue) = &mut self.queue else { return };
        let first = self.gone + to_u64(before);
        queue.tallies.extend(positions.into_iter().map(|position| first + to_u64(position)));
        debug_assert!(queue.tallies.back().is_none_or(|last| *last <= self.gone + to_u64(queue.bytes.len())));
    }

    /// Sets the end, not to come before `release` nor before the last byte is written.
    ///
    /// The first end stands, except that a reset takes the place of a FIN: of one that waits, together with
    /// the bytes before it (see [`Lane::clear`] for a reset that overtakes them), and of one that is out.
    pub fn finish(&mut self, release: Time, end: Ending) {
        let replaces = match self.end {
            None => true,
            Some((_, Ending::Fin | Ending::Unnotified | Ending::Alert | Ending::WsClose)) => {
                end == Ending::Reset
            }
            Some((_, Ending::Reset)) => false,
        };
        if replaces {
            self.latest = self.latest.max(release);
            self.end = Some((self.latest, end));
            self.ended = false;
        }
    }

    /// Closes the gate, and nothing is due however long it waits; or opens it, and all that is due is due.
    pub fn gate(&mut self, open: bool) {
        self.open = open;
    }

    /// Throws away what waits, notes and all; the end and the gate stay. Returns the number of bytes lost.
    /// With nothing left to overtake, what comes next may be released earlier than what was thrown away.
    pub fn clear(&mut self) -> usize {
        let lost = self.len();
        self.gone += to_u64(lost);
        self.queue = None;
        self.latest = Time::ZERO;
        lost
    }

    /// The bytes to write now: due, in order, in one piece. More may be due behind them, so ask again after
    /// [`Lane::wrote`]; empty when nothing is due. Takes O(log segments).
    pub fn ready(&self, now: Time) -> &[u8] {
        let Some(queue) = &self.queue else { return &[] };
        let (front, _) = queue.bytes.as_slices();
        &front[..self.due(now).min(front.len())]
    }

    /// Takes off the `written` bytes at the front, of those that [`Lane::ready`] showed at `now`, and hands
    /// back, in order, each note whose last byte is among them, and how many positions were passed.
    pub fn wrote(&mut self, now: Time, written: usize, mut left: impl FnMut(Left<N>)) {
        debug_assert!(written <= self.due(now), "wrote {written} bytes of {} due", self.due(now));
        let Some(queue) = &mut self.queue else {
            self.latest = Time::ZERO;
            return;
        };
        let written = written.min(queue.bytes.len());
        queue.bytes.drain(..written);
        self.gone += to_u64(written);
        self.whole &= written == 0;
        while let Some((carried, end, release)) = self.next_left() {
            self.whole = end == self.gone;
            self.pass(end).into_iter().for_each(&mut left);
            left(Left::Note(carried, release));
        }
        self.pass(self.gone).into_iter().for_each(left);
        if self.is_empty() {
            self.clear();
        }
    }

    /// The note of the first segment that has been written whole, with its end and release; those without are passed over.
    fn next_left(&mut self) -> Option<(N, u64, Time)> {
        let segments = &mut self.queue.as_mut()?.segments;
        while segments.front().is_some_and(|first| first.end <= self.gone) {
            if let Some(Segment { end, release, note: Some(note) }) = segments.pop_front() {
                return Some((note, end, release));
            }
        }
        None
    }

    /// Counts the positions up to this one.
    fn pass(&mut self, position: u64) -> Option<Left<N>> {
        let tallies = &mut self.queue.as_mut()?.tallies;
        if tallies.front().is_none_or(|first| *first > position) {
            return None;
        }
        let passed = tallies.partition_point(|at| *at <= position);
        self.whole |= tallies.get(passed - 1) == Some(&self.gone);
        tallies.drain(..passed);
        u32::try_from(passed).ok().map(Left::Tallied)
    }

    /// Whether the last byte written was the last of a segment with a note, or before a position that was counted; true
    /// before the first.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// When to come again: the next release, which may have passed (then write at once). `None` when nothing
    /// waits or the gate is closed. Changes by every other call.
    pub fn deadline(&self) -> Option<Time> {
        let end = self.end.filter(|_| !self.ended).map(|(at, _)| at);
        let first = self.queue.as_ref().and_then(|queue| queue.segments.front());
        let next = first.map(|segment| segment.release).or(end);
        next.filter(|_| self.open)
    }

    /// The end, once its time has come and all bytes before it are written; until [`Lane::ended`] is called.
    pub fn end_due(&self, now: Time) -> Option<Ending> {
        let (at, end) = self.end.filter(|_| !self.ended)?;
        (self.open && self.is_empty() && at <= now).then_some(end)
    }

    /// Says that the end has been carried out: nothing is due from here on.
    pub fn ended(&mut self) {
        self.ended = true;
    }

    /// Whether the end has been carried out.
    pub fn is_over(&self) -> bool {
        self.end.is_some() && self.ended
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes.len())
    }

    /// Whether no byte waits; an end may.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an end has been set, due or not: nothing more may be pushed.
    pub fn is_finished(&self) -> bool {
        self.end.is_some()
    }

    /// How many bytes may still be read for this lane, where `beside` are [used](Lane::used) by its neighbour. At 0, stop
    /// reading: the sender's own TCP then waits.
    pub fn room(&self, beside: usize) -> usize {
        let share = self.limit / SHARES;
        self.limit.saturating_sub(beside.clamp(share, self.limit - share) + self.used())
    }

    /// What waits, in bytes. Each segment and each position counts with what its book-keeping takes, so that a flood of tiny packets is
    /// bounded too.
    pub fn used(&self) -> usize {
        let Some(queue) = &self.queue else { return 0 };
        let books = queue.segments.len() * size_of::<Segment<N>>() + queue.tallies.len() * size_of::<u64>();
        queue.bytes.len() + books
    }

    /// How many of the waiting bytes are due.
    fn due(&self, now: Time) -> usize {
        let Some(queue) = self.queue.as_ref().filter(|_| self.open) else { return 0 };
        let segments = &queue.segments;
        let is_due = |segment: &Segment<N>| segment.release <= now;
        // Where messages come one by one, the first is due at most, and no search is needed.
        let last = match segments.get(1) {
            Some(second) if is_due(second) => segments.get(segments.partition_point(is_due) - 1),
            _ => segments.front().filter(|first| is_due(first)),
        };
        let due = last.map_or(0, |segment| segment.end - self.gone);
        usize::try_from(due).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests;
