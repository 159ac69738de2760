//! What simulations of one outage foretell of one thing.

use std::time::Duration;

/// Over what is not known beforehand (the phase of the hub's own looks, draws of the device's back-off): the times at
/// which it came about, and whether there were some in which it did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guess {
    /// The least and the greatest time; `None` where it never came about.
    pub at: Option<(Duration, Duration)>,
    /// Whether it did not come about in some.
    pub never: bool,
}

impl Guess {
    /// Takes in what one simulation showed.
    pub fn add(&mut self, at: Option<Duration>) {
        match (at, self.at) {
            (None, _) => self.never = true,
            (Some(at), None) => self.at = Some((at, at)),
            (Some(at), Some((least, most))) => self.at = Some((least.min(at), most.max(at))),
        }
    }

    /// Takes in another.
    pub fn merge(&mut self, other: Guess) {
        if let Some((least, most)) = other.at {
            self.add(Some(least));
            self.add(Some(most));
        }
        self.never |= other.never;
    }

    /// Whether it always comes about.
    pub fn is_sure(&self) -> bool {
        self.at.is_some() && !self.never
    }

    /// Whether it never does.
    pub fn is_never(&self) -> bool {
        self.at.is_none() && self.never
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sure_only_where_all_agree() {
        let of = |times: &[Option<u64>]| {
            let mut guess = Guess::default();
            times.iter().for_each(|at| guess.add(at.map(Duration::from_secs)));
            guess
        };
        let both = of(&[Some(3), Some(1), Some(2)]);
        assert_eq!(both.at, Some((Duration::from_secs(1), Duration::from_secs(3))));
        assert!(both.is_sure() && !both.is_never());
        assert!(of(&[None, None]).is_never());
        let either = of(&[None, Some(1)]);
        assert!(!either.is_sure() && !either.is_never());
        assert!(!of(&[]).is_sure() && !of(&[]).is_never());
    }
}
