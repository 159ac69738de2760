//! Bytes at a rate, or in pieces: the regulator where a lane is emptied.
//!
//! ```text
//!   lane: [ due since t0 ............. | not due yet ]
//!           └ piece ┘
//!   its line is free at f:  goes at max(f, t0) + bits / rate, and `gap` after the piece before at the least
//! ```
//!
//! What waits is cut into pieces as it leaves the lane, not as it comes in. So a rate that changes holds for what waits
//! too, a piece costs no memory, and what is lifted lets all that waits go at once, in order.

use super::effects::Shape;
use crate::base::{Rate, Time};
use std::time::Duration;

/// How many times a second a rate lets bytes go, at most: pieces of 10 ms look even to whoever receives them, and a
/// wake-up takes a small part of that.
const PIECES_A_SECOND: u64 = 100;

/// The regulator of one direction of one link. Takes no room before something is in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shaper(Option<Box<Regulator>>);

impl Shaper {
    /// Brings these shapes into force: the tightest rate, the smallest slice and the longest gap win.
    pub fn set(&mut self, now: Time, shapes: &[Shape]) {
        if self.0.is_some() || !shapes.is_empty() {
            self.0.get_or_insert_default().set(now, shapes);
        }
    }

    /// Whether nothing is in force.
    pub fn is_clear(&self) -> bool {
        self.0.as_ref().is_none_or(|regulator| regulator.is_clear())
    }

    /// Whether each piece is to stay by itself.
    pub fn slices(&self) -> bool {
        self.0.as_ref().is_some_and(|regulator| regulator.slices())
    }

    /// How many of the `due` bytes, which are due since `since`, may go now; at most one piece. Ask again after
    /// [`Shaper::wrote`].
    pub fn ready(&mut self, now: Time, due: usize, since: Time) -> usize {
        self.0.as_mut().map_or(due, |regulator| regulator.ready(now, due, since))
    }

    /// So many of the bytes that [`Shaper::ready`] let go have gone.
    pub fn wrote(&mut self, now: Time, bytes: usize) {
        if let Some(regulator) = &mut self.0 {
            regulator.wrote(now, bytes);
        }
    }

    /// The bytes cannot go, though they may: the peer takes none, or a gate is closed.
    pub fn block(&mut self) {
        if let Some(regulator) = &mut self.0 {
            regulator.block();
        }
    }

    /// What waited was thrown away.
    pub fn forget(&mut self) {
        if let Some(regulator) = &mut self.0 {
            regulator.forget();
        }
    }

    /// When the piece goes that [`Shaper::ready`] has last asked for.
    pub fn deadline(&self) -> Option<Time> {
        self.0.as_ref().and_then(|regulator| regulator.deadline())
    }
}

/// What shapes, where something does or did.
#[derive(Clone, Debug, Default, PartialEq)]
struct Regulator {
    rate: Option<Rate>,
    slice: Option<Slice>,
    /// When the line is free for the next piece.
    free: Time,
    /// When the last piece went.
    last: Option<Time>,
    piece: Option<Piece>,
    /// Something other than the line kept bytes back: what the line could have carried meanwhile is not made up for.
    blocked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slice {
    size: usize,
    gap: Duration,
}

/// The piece that is on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    left: usize,
    at: Time,
}

impl Regulator {
    fn set(&mut self, now: Time, shapes: &[Shape]) {
        let (rate, slice) = tightest(shapes);
        if (rate, slice) != (self.rate, self.slice) {
            *self = Regulator { rate, slice, free: now, last: self.last, piece: None, blocked: false };
        }
    }

    fn is_clear(&self) -> bool {
        self.rate.is_none() && self.slice.is_none()
    }

    fn slices(&self) -> bool {
        self.slice.is_some()
    }

    fn ready(&mut self, now: Time, due: usize, since: Time) -> usize {
        if self.is_clear() || due == 0 {
            return due;
        }
        if self.piece.is_none() {
            if std::mem::take(&mut self.blocked) {
                self.free = self.free.max(now);
            }
            self.begin(due, since);
        }
        self.piece.filter(|piece| piece.at <= now).map_or(0, |piece| piece.left.min(due))
    }

    fn wrote(&mut self, now: Time, bytes: usize) {
        let Some(piece) = &mut self.piece else { return };
        piece.left = piece.left.saturating_sub(bytes);
        if piece.left == 0 {
            self.free = if std::mem::take(&mut self.blocked) { now } else { piece.at };
            self.last = Some(self.free);
            self.piece = None;
        }
    }

    fn block(&mut self) {
        self.blocked = true;
    }

    fn forget(&mut self) {
        self.piece = None;
    }

    fn deadline(&self) -> Option<Time> {
        self.piece.map(|piece| piece.at)
    }

    fn begin(&mut self, due: usize, since: Time) {
        let left = due.min(self.size());
        let takes = self.rate.map_or(Duration::ZERO, |rate| rate.time_for(left));
        let through = self.free.max(since) + takes;
        let gap = self.last.zip(self.slice).map_or(Time::ZERO, |(last, slice)| last + slice.gap);
        self.piece = Some(Piece { left, at: through.max(gap) });
    }

    /// Bytes of a piece at most; at least 1.
    fn size(&self) -> usize {
        let even = |rate: Rate| usize::try_from(rate.bits() / 8 / PIECES_A_SECOND).unwrap_or(usize::MAX);
        // A slice is one write, however long the line takes for it.
        self.slice.map(|slice| slice.size).or(self.rate.map(even)).unwrap_or(usize::MAX).max(1)
    }
}

fn tightest(shapes: &[Shape]) -> (Option<Rate>, Option<Slice>) {
    let mut rate: Option<Rate> = None;
    let mut slice: Option<Slice> = None;
    for shape in shapes {
        match *shape {
            Shape::Rate(another) => rate = Some(rate.map_or(another, |one| one.min(another))),
            Shape::Slice { size, gap } => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let tighter = |one: Slice| Slice { size: one.size.min(size), gap: one.gap.max(gap) };
                slice = Some(slice.map_or(Slice { size, gap }, tighter));
            }
        }
    }
    (rate, slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(text: &str) -> Shape {
        Shape::Rate(text.parse().unwrap())
    }

    fn slice(size: u32, gap: u64) -> Shape {
        Shape::Slice { size, gap: Duration::from_millis(gap) }
    }

    fn shaper(shapes: &[Shape]) -> Shaper {
        let mut shaper = Shaper::default();
        shaper.set(Time::ZERO, shapes);
        shaper
    }

    /// Lets `bytes` that are due since `since` go, as soon as they may: when, and how many at once.
    fn drain(shaper: &mut Shaper, since: Time, bytes: usize) -> Vec<(Time, usize)> {
        let (mut now, mut left, mut gone) = (since, bytes, Vec::new());
        while left > 0 {
            match shaper.ready(now, left, since) {
                0 => now = shaper.deadline().unwrap().max(now),
                count => {
                    shaper.wrote(now, count);
                    gone.push((now, count));
                    left -= count;
                }
            }
        }
        gone
    }

    const fn ms(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    #[test]
    fn without_a_shape_all_goes_at_once() {
        assert_eq!(drain(&mut shaper(&[]), ms(5), 1_000_000), [(ms(5), 1_000_000)]);
    }

    #[test]
    fn bytes_take_their_time_in_pieces_of_ten_milliseconds() {
        let gone = drain(&mut shaper(&[rate("80kbit/s")]), ms(0), 1_050);
        assert_eq!(gone.len(), 11);
        assert_eq!(gone[0], (ms(10), 100));
        assert_eq!(gone[10], (ms(105), 50));
    }

    #[test]
    fn a_slow_line_lets_single_bytes_go() {
        assert_eq!(drain(&mut shaper(&[rate("8bit/s")]), ms(0), 2), [(ms(1_000), 1), (ms(2_000), 1)]);
    }

    #[test]
    fn a_line_that_was_idle_makes_nothing_up() {
        let mut shaper = shaper(&[rate("80kbit/s")]);
        drain(&mut shaper, ms(0), 100);
        assert_eq!(drain(&mut shaper, ms(1_000), 200), [(ms(1_010), 100), (ms(1_020), 100)]);
    }

    #[test]
    fn a_delay_comes_before_the_line_and_does_not_slow_it() {
        let mut shaper = shaper(&[rate("80kbit/s")]);
        // Three packets that came at once, each 40 ms late.
        let gone: Vec<_> = (0..3).flat_map(|_| drain(&mut shaper, ms(40), 100)).collect();
        assert_eq!(gone, [(ms(50), 100), (ms(60), 100), (ms(70), 100)]);
    }

    #[test]
    fn a_late_wake_up_is_made_up_for() {
        let mut shaper = shaper(&[rate("80kbit/s")]);
        assert_eq!(shaper.ready(ms(0), 300, ms(0)), 0);
        // It is woken 15 ms late, and two pieces have been through.
        assert_eq!(shaper.ready(ms(25), 300, ms(0)), 100);
        shaper.wrote(ms(25), 100);
        assert_eq!(shaper.ready(ms(25), 200, ms(0)), 100);
        shaper.wrote(ms(25), 100);
        assert_eq!((shaper.ready(ms(25), 100, ms(0)), shaper.deadline()), (0, Some(ms(30))));
    }

    #[test]
    fn a_peer_that_takes_nothing_makes_the_line_wait() {
        let mut shaper = shaper(&[rate("80kbit/s")]);
        shaper.ready(ms(0), 300, ms(0));
        assert_eq!(shaper.ready(ms(10), 300, ms(0)), 100);
        shaper.block();
        assert_eq!(shaper.ready(ms(500), 300, ms(0)), 100);
        shaper.wrote(ms(500), 100);
        assert_eq!((shaper.ready(ms(500), 200, ms(0)), shaper.deadline()), (0, Some(ms(510))));
    }

    #[test]
    fn a_change_holds_for_what_waits() {
        let mut shaper = shaper(&[rate("8kbit/s")]);
        shaper.ready(ms(0), 1_000, ms(0));
        shaper.set(ms(5), &[rate("8kbit/s"), rate("800kbit/s")]);
        assert_eq!(shaper.deadline(), Some(ms(10)), "the tighter one is as before: nothing changes");
        shaper.set(ms(5), &[rate("800kbit/s")]);
        assert_eq!(drain(&mut shaper, ms(5), 1_000), [(ms(15), 1_000)]);
        shaper.set(ms(20), &[]);
        assert_eq!(drain(&mut shaper, ms(20), 1_000), [(ms(20), 1_000)]);
    }

    #[test]
    fn slices_go_one_by_one_with_their_gap() {
        let gone = drain(&mut shaper(&[slice(10, 5), slice(4, 20), slice(7, 0)]), ms(0), 10);
        assert_eq!(gone, [(ms(0), 4), (ms(20), 4), (ms(40), 2)]);
        let gone = drain(&mut shaper(&[slice(4, 0)]), ms(0), 10);
        assert_eq!(gone, [(ms(0), 4), (ms(0), 4), (ms(0), 2)]);
    }

    #[test]
    fn of_a_rate_and_a_gap_the_slower_holds() {
        let gone = drain(&mut shaper(&[slice(10, 5), rate("8kbit/s")]), ms(0), 20);
        assert_eq!(gone, [(ms(10), 10), (ms(20), 10)]);
        let gone = drain(&mut shaper(&[slice(10, 50), rate("8kbit/s")]), ms(0), 20);
        assert_eq!(gone, [(ms(10), 10), (ms(60), 10)]);
    }

    #[test]
    fn what_was_kept_back_before_it_was_on_the_line_is_not_made_up_for() {
        let mut shaper = shaper(&[rate("80kbit/s")]);
        shaper.block();
        assert_eq!(shaper.ready(ms(1_000), 200, ms(5)), 0);
        assert_eq!(shaper.deadline(), Some(ms(1_010)));
        assert_eq!(drain(&mut shaper, ms(1_000), 200), [(ms(1_010), 100), (ms(1_020), 100)]);
    }

    #[test]
    fn other_slices_keep_the_gap_to_the_piece_before() {
        let mut shaper = shaper(&[slice(10, 50)]);
        assert_eq!(drain(&mut shaper, ms(0), 10), [(ms(0), 10)]);
        shaper.set(ms(20), &[slice(20, 40)]);
        assert_eq!(drain(&mut shaper, ms(20), 40), [(ms(40), 20), (ms(80), 20)]);
    }

    proptest! {
        /// However bytes arrive, all of them go, never back in time, never before they are due, and never faster than
        /// the rate.
        #[test]
        fn no_faster_than_the_rate(
            bits in 1_000u64..100_000_000,
            arrivals in proptest::collection::vec((0u64..200, 1usize..5_000), 1..20),
        ) {
            let wanted = Rate::from_bits(bits).unwrap();
            let mut shaper = shaper(&[Shape::Rate(wanted)]);
            let (mut since, mut total, mut latest) = (Time::ZERO, 0, Time::ZERO);
            for (after, bytes) in arrivals {
                since += Duration::from_millis(after);
                let mut passed = 0;
                for (at, count) in drain(&mut shaper, since, bytes) {
                    prop_assert!(at >= latest && at >= since);
                    latest = at;
                    passed += count;
                }
                total += bytes;
                prop_assert_eq!(passed, bytes);
            }
            // Each piece may be rounded down by a nanosecond.
            let least = wanted.time_for(total).saturating_sub(Duration::from_micros(100));
            prop_assert!(latest.elapsed() >= least);
        }
    }
}
