//! What is known and asked of one live link.

use super::moments::UnknownMoment;
use super::packets::Counts;
use super::tokens::Token;
use crate::base::{Direction, Time, WindowId};
use crate::fault::{Effects, Forgotten};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What is known and asked of one live link.
#[derive(Debug)]
pub(super) struct Control {
    /// None: nothing was ever ordered.
    pub orders: Option<Box<Orders>>,
    /// What its CONNECT said of a token.
    pub token: Token,
    /// It was ordered to be cut: nothing passes any more.
    pub cut: bool,
    /// Its device was told by its address alone; CONNECT may say that it is another.
    pub by_address: bool,
    /// None: nothing.
    pub seldom: Option<Box<Seldom>>,
    /// What faults of packets count; none where the plan has none.
    pub packets: Option<Box<Counts>>,
    /// A fault turns it away, once nothing holds its bytes back: in the dark no answer arrives.
    pub waits_for_light: bool,
}

/// The states that a link was ordered into.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// The latest.
    pub desired: Effects,
    pub generation: u64,
    /// What is not confirmed yet, oldest first.
    pub asked: VecDeque<Asked>,
    /// [`Effects::idle`], as it was last confirmed.
    pub idle: Option<Duration>,
    /// The windows behind what was confirmed.
    pub in_force: BTreeSet<WindowId>,
}

/// What is asked of few links.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    /// A middlebox has forgotten it, by this window, and will not remember: for the life of the link.
    pub forgotten: Option<(WindowId, Forgotten)>,
    /// The timers of its token, by window.
    pub expiries: BTreeMap<WindowId, (Time, u64)>,
    /// Windows of the device that it was taken to be of before, which it may still have to be lifted from.
    pub left: BTreeSet<WindowId>,
    /// One-shots ordered before its device was known, oldest first.
    pub moments: VecDeque<UnknownMoment>,
}

/// A state that a link was ordered into.
#[derive(Debug)]
pub(super) struct Asked {
    pub generation: u64,
    /// The windows behind it.
    pub windows: BTreeSet<WindowId>,
    /// Its [`Effects::idle`].
    pub idle: Option<Duration>,
}

impl Control {
    pub fn new() -> Control {
        Control {
            orders: None,
            token: Token::default(),
            cut: false,
            by_address: false,
            seldom: None,
            packets: None,
            waits_for_light: false,
        }
    }

    /// Whether bytes of this direction wait, once all that was ordered is done.
    pub fn holds(&self, direction: Direction) -> bool {
        let Some(orders) = &self.orders else { return self.cut };
        let Effects {
            hold_dial: _,
            closed,
            mute: _,
            delays,
            handshake: _,
            shapes,
            loss: _,
            budgets: _,
            idle: _,
            reset_senders: _,
            asks: _,
            vanished: _,
        } = &orders.desired;
        self.cut
            || *closed.get(direction)
            || !delays.get(direction).is_empty()
            || !shapes.get(direction).is_empty()
    }

    /// By which window a middlebox has forgotten it, if one has.
    pub fn forgotten(&self) -> Option<(WindowId, Forgotten)> {
        self.seldom.as_ref()?.forgotten
    }

    /// Whether a timer of its token runs, by that window.
    pub fn awaits_expiry(&self, window: WindowId) -> bool {
        self.seldom.as_ref().is_some_and(|seldom| seldom.expiries.contains_key(&window))
    }

    pub fn seldom(&mut self) -> &mut Seldom {
        self.seldom.get_or_insert_default()
    }

    pub fn awaits(&self, window: WindowId) -> bool {
        let asked = self.orders.iter().flat_map(|orders| &orders.asked);
        asked.into_iter().any(|asked| asked.windows.contains(&window))
    }

    /// Whether nothing was ever ordered of it, and nothing was put off: where no fault is in force, no fault has a part
    /// in it then.
    pub fn is_untouched(&self) -> bool {
        self.orders.is_none() && self.seldom.is_none() && !self.waits_for_light
    }

    /// Whether this window holds on it, or was ordered to.
    pub fn knows(&self, window: WindowId) -> bool {
        self.is_under(window) || self.awaits(window)
    }

    /// Whether this window holds on it, as was confirmed.
    pub fn is_under(&self, window: WindowId) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.in_force.contains(&window))
    }
}
