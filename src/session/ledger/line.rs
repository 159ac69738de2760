//! What a ledger keeps of one link; the link holds it, and it goes with it.

use crate::base::{LinkId, Time, Ways};
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
    /// When its CONNACK was passed on.
    pub(super) accepted: Option<Time>,
    /// Whether an earlier session goes on, as both ends have it.
    pub(super) goes_on: bool,
    /// How many messages of QoS 1 and 2 may be in flight.
    pub(super) allowed: Ways<u16>,
    pub(super) ways: Ways<LineWay>,
}

/// One direction of it.
#[derive(Clone, Debug, Default)]
pub(super) struct LineWay {
    /// Messages of QoS 0 that arrived and were not passed on yet, oldest first: how many, by when the first of them came.
    times: VecDeque<(Time, u64)>,
    /// How many messages of QoS 1 and 2 were sent on this link and are not completed.
    pub in_flight: u32,
    /// Whether its sender has sent a message of QoS 1 or 2 on it that was new.
    pub fresh: bool,
}

impl Line {
    /// A link that no CONNECT has come on.
    pub fn new(link: LinkId) -> Line {
        Line {
            link,
            clean: false,
            accepted: None,
            goes_on: false,
            allowed: Ways { up: u16::MAX, down: u16::MAX },
            ways: Ways::default(),
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
