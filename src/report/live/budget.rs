//! How much is told of each second of a run while it lasts.
//!
//! Of each kind of moment a few are told one by one, the rest of the second as a number. Where a kind came thick in
//! one second, the next second has its number alone: a storm is a line a second, not a scroll.

use crate::base::Time;
use crate::report::table::wrap;
use std::collections::BTreeMap;
use std::time::Duration;

/// So many moments of a kind are told one by one in a second: more would scroll past unread.
const MOST_OF_A_KIND: u64 = 4;

/// Kinds of moments, in the order in which their numbers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A device connected for the first time.
    Connected,
    /// A device connected again.
    Back,
    /// A device showed that it knows.
    Noticed,
    /// The hub showed that it knows.
    GivenUp,
    /// A link ended that no fault fell on.
    Ended,
    /// A CONNECT, or a connect, was refused.
    Refused,
    /// A fault of packets met its first.
    Altered,
    /// A TLS handshake met a fault, or ended in it.
    Handshake,
    /// A device took a certificate that it should have refused.
    BadCertificate,
    /// A rule fired.
    Fired,
    /// Firings were left out.
    Skipped,
    /// A fault was lifted.
    Restored,
    /// Something is wrong with the machine or the hub.
    Trouble,
    /// brownout itself was held up.
    HeldUp,
    /// The command or the run ended: always told.
    Over,
}

impl Kind {
    /// So many more of it: `3 more connected`.
    fn more(self, number: u64) -> String {
        let s = if number == 1 { "" } else { "s" };
        let words = match self {
            Kind::Connected => "connected".into(),
            Kind::Back => "back".into(),
            Kind::Noticed => "noticed".into(),
            Kind::GivenUp => "given up by the hub".into(),
            Kind::Ended => format!("link{s} ended"),
            Kind::Refused => "refused".into(),
            Kind::Altered => "with packets worked on".into(),
            Kind::Handshake => format!("handshake{s}"),
            Kind::BadCertificate => "took the bad certificate".into(),
            Kind::Fired => format!("firing{s}"),
            Kind::Skipped => "with firings skipped".into(),
            Kind::Restored => "restored".into(),
            Kind::Trouble => format!("trouble{s}"),
            Kind::HeldUp => format!("hold-up{s} of brownout itself"),
            Kind::Over => format!("end{s}"),
        };
        format!("{number} more {words}")
    }
}

/// What came in the second that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    second: u64,
    came: BTreeMap<Kind, u64>,
    /// The kinds that came thick in the second before.
    thick: BTreeMap<Kind, u64>,
}

impl Budget {
    /// In a new second, or at the end: a line for what the last one left out, with its end as its time.
    pub fn left_out(&mut self, now: Time, at_the_end: bool) -> Option<String> {
        let second = now.elapsed().as_secs();
        if second == self.second && !at_the_end {
            return None;
        }
        let came = std::mem::take(&mut self.came);
        let more = came.iter().map(|(kind, came)| (*kind, came.saturating_sub(self.quota(*kind))));
        let more: Vec<(Kind, u64)> = more.filter(|(_, more)| *more > 0).collect();
        // A second without events lies between: whatever storm there was is over.
        let over = Time::from_secs(std::mem::replace(&mut self.second, second) + 1);
        let follows = now < over + Duration::from_secs(1);
        self.thick = if follows { more.iter().copied().collect() } else { BTreeMap::new() };
        let told: Vec<String> = more.into_iter().map(|(kind, more)| kind.more(more)).collect();
        let first = format!("{:>9}  ... ", super::at(over.min(now)));
        (!told.is_empty()).then(|| wrap(&first, &told.join(", ")).trim_end().to_owned())
    }

    /// Whether one more moment of this kind would be told.
    pub fn has_room(&self, kind: Kind) -> bool {
        self.came.get(&kind).copied().unwrap_or_default() < self.quota(kind) || kind == Kind::Over
    }

    /// Whether one more moment of this kind may be told.
    pub fn allows(&mut self, kind: Kind) -> bool {
        let quota = self.quota(kind);
        let came = self.came.entry(kind).or_default();
        *came += 1;
        *came <= quota || kind == Kind::Over
    }

    fn quota(&self, kind: Kind) -> u64 {
        if self.thick.contains_key(&kind) { 0 } else { MOST_OF_A_KIND }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many devices connect in each second, in turn; the lines of each second, its left out ones as their own.
    fn told(by_second: &[u64]) -> Vec<String> {
        let mut budget = Budget::default();
        let mut lines = Vec::new();
        for (second, connects) in (0..).zip(by_second) {
            for nth in 0..*connects {
                let now = Time::from_millis(second * 1_000 + nth);
                lines.extend(budget.left_out(now, false));
                let has_room = budget.has_room(Kind::Connected);
                assert_eq!(budget.allows(Kind::Connected), has_room);
                if has_room {
                    lines.push(format!("{second}"));
                }
            }
        }
        lines.extend(budget.left_out(Time::from_secs(999), true));
        lines
    }

    #[test]
    fn the_edge_of_what_is_told() {
        assert_eq!(told(&[4]), ["0", "0", "0", "0"]);
        assert_eq!(told(&[5])[4..], ["   1.00 s  ... 1 more connected"]);
    }

    #[test]
    fn a_storm_is_a_line_a_second_until_it_is_over() {
        let lines = told(&[5, 100, 200, 3, 0, 2]);
        let more = |second, more| format!("{second:>4}.00 s  ... {more} more connected");
        assert_eq!(lines[..4], ["0", "0", "0", "0"]);
        assert_eq!(lines[4..], [more(1, 1), more(2, 100), more(3, 200), more(4, 3), "5".into(), "5".into()]);
    }
}
