//! Figures over time in bins of equal width: where there are too many, neighbours are merged.

use crate::base::Time;
use crate::base::time::nanos;
use std::time::Duration;

/// The most bins of a series: more than a screen has columns.
pub const MOST_BINS: usize = 4_096;

/// What a bin holds.
pub trait Bin: Clone {
    /// A bin after this one in which nothing happens.
    #[must_use]
    fn next(&self) -> Self;
    /// Takes in the bin that follows.
    fn merge(&mut self, later: &Self);
}

/// A series, from where the timeline begins.
#[derive(Clone, Debug)]
pub struct Bins<T> {
    from: Time,
    width: u64,
    bins: Vec<T>,
}

impl<T: Bin + Default> Bins<T> {
    /// An empty series of bins of this width, which is no less than a nanosecond.
    pub fn new(width: Duration) -> Bins<T> {
        Bins { from: Time::ZERO, width: nanos(width).max(1), bins: Vec::new() }
    }

    /// Nothing is expected for a while: keeps no room for more.
    pub fn shrink(&mut self) {
        self.bins.shrink_to_fit();
    }

    /// The series begins at this time; before anything is in it.
    pub fn begins(&mut self, from: Time) {
        self.from = from;
    }

    /// The width of a bin.
    pub fn width(&self) -> Duration {
        Duration::from_nanos(self.width)
    }

    /// The bins so far.
    pub fn bins(&self) -> &[T] {
        &self.bins
    }

    /// The bin of this time, which is not before that of an earlier call.
    pub fn at(&mut self, time: Time) -> &mut T {
        while self.index(time) >= MOST_BINS {
            self.halve();
        }
        let index = self.index(time);
        while self.bins.len() <= index {
            let next = self.bins.last().map_or_else(T::default, T::next);
            self.bins.push(next);
        }
        let last = self.bins.len() - 1;
        &mut self.bins[index.min(last)]
    }

    fn index(&self, time: Time) -> usize {
        usize::try_from(nanos(time.since(self.from)) / self.width).unwrap_or(usize::MAX)
    }

    fn halve(&mut self) {
        self.width = self.width.saturating_mul(2);
        let merged = self.bins.chunks(2).map(|pair| {
            let mut one = pair[0].clone();
            pair[1..].iter().for_each(|later| one.merge(later));
            one
        });
        self.bins = merged.collect();
    }
}
