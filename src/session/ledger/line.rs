//! What a ledger keeps of one link; the link holds it, and it goes with it.

use crate::base::{Direction, LinkId, Time, Ways};
use std::collections::VecDeque;

/// Messages of QoS 0 that wait to be passed on are known by so many times when they came; those after are counted with the
/// last.
const TIMES_KEPT: usize = 16;

/// A link of the device.
#[derive(Clone, Debug)]
pub struct Line {
    pub(super) link: LinkId,
    /// Whether its CONNECT asked for a session of its own.
    pub(super) clean: bool,
    /// Whether no CONNACK can say that a session goes on (MQTT 3.1): one that is not clean is taken for such.
    pub(super) untold: bool,
    accepted: Accepted,
    /// Whether an earlier session goes on, as both ends have it.
    pub(super) goes_on: bool,
    /// How many messages of QoS 1 and 2 may be in flight.
    pub(super) allowed: Ways<u16>,
    pub(super) ways: Ways<LineWay>,
}

/// Whether a CONNACK that accepts the device was passed on.
#[derive(Clone, Copy, Debug)]
enum Accepted {
    /// None so far, but so many messages of QoS 0: whoever got them need not have taken them.
    Not(Ways<u32>),
    At(Time),
}

/// One direction of it.
#[derive(Clone, Debug, Default)]
pub(super) struct LineWay {
    /// Messages of QoS 0 that arrived and were not passed on yet, oldest first: how many, by when the first of them came.
    times: VecDeque<(Time, u64)>,
    /// How many messages of QoS 1 and 2 were sent on this link and are not completed.
    pub in_flight: u32,
    /// Whether its sender has sent a message of QoS 1 or 2 on it that was new, some time after it was accepted, and none of an
    /// earlier link since.
    pub fresh: bool,
}

impl Line {
    /// A link that no CONNECT has come on.
    pub fn new(link: LinkId) -> Line {
        Line {
            link,
            clean: false,
            untold: false,
            accepted: Accepted::Not(Ways::default()),
            goes_on: false,
            allowed: Ways { up: u16::MAX, down: u16::MAX },
            ways: Ways::default(),
        }
    }

    /// When its CONNACK was passed on.
    pub(super) fn accepted(&self) -> Option<Time> {
        match self.accepted {
            Accepted::At(at) => Some(at),
            Accepted::Not(_) => None,
        }
    }

    /// Its CONNACK is passed on.
    pub(super) fn accept(&mut self, now: Time) {
        self.accepted = Accepted::At(now);
    }

    /// So many messages of QoS 0 were passed on, of those that waited. Answers how many that were.
    pub(super) fn pass(&mut self, of: Direction, messages: u32) -> u64 {
        let passed = self.ways.get_mut(of).go(messages);
        if let Accepted::Not(before) = &mut self.accepted {
            let before = before.get_mut(of);
            *before = before.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
        }
        passed
    }

    /// How many messages of QoS 0 were passed on to no purpose, where the device was never accepted; `None` where it was.
    pub(super) fn unaccepted(&self, of: Direction) -> Option<u32> {
        match &self.accepted {
            Accepted::At(_) => None,
            Accepted::Not(passed) => Some(*passed.get(of)),
        }
    }
}

impl LineWay {
    /// So many messages of QoS 0 wait to be passed on.
    pub fn wait(&mut self, now: Time, messages: u32) {
        let is_full = self.times.len() >= TIMES_KEPT;
        match self.times.back_mut().filter(|(at, _)| is_full || *at == now) {
            Some((_, waiting)) => *waiting += u64::from(messages),
            None if messages > 0 => {
                if self.times.is_empty() {
                    // Mostly it is one, and its room stays.
                    self.times.reserve_exact(1);
                }
                self.times.push_back((now, messages.into()));
            }
            None => {}
        }
    }

    /// So many, the oldest, were passed on. Answers how many of them were waiting.
    pub fn go(&mut self, messages: u32) -> u64 {
        let mut left = u64::from(messages);
        while let Some((_, waiting)) = self.times.front_mut().filter(|_| left > 0) {
            let gone = left.min(*waiting);
            (*waiting, left) = (*waiting - gone, left - gone);
            if *waiting == 0 {
                self.times.pop_front();
            }
        }
        u64::from(messages) - left
    }

    /// None of them will be passed on: how many, by when the first of them came.
    pub fn abandon(&mut self) -> VecDeque<(Time, u64)> {
        std::mem::take(&mut self.times)
    }
}
