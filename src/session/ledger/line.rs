//! What a ledger keeps of one link; the link holds it, and it goes with it.

use crate::base::units::to_u64;
use crate::base::{LinkId, Time, Ways};
use std::collections::VecDeque;

/// Of messages of QoS 0 that wait to be passed on, so many are known by the time they came; the others are counted.
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
    /// When messages of QoS 0 arrived that were not passed on yet, oldest first; the first few.
    times: VecDeque<Time>,
    /// How many there are.
    pub waiting: u64,
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
        let all_known = self.waiting == to_u64(self.times.len());
        if all_known {
            let room = TIMES_KEPT.saturating_sub(self.times.len());
            let kept = usize::try_from(messages).unwrap_or(usize::MAX).min(room);
            self.times.extend(std::iter::repeat_n(now, kept));
        }
        self.waiting += u64::from(messages);
    }

    /// So many, the oldest, were passed on. Answers how many of them were waiting.
    pub fn go(&mut self, messages: u32) -> u64 {
        let known = usize::try_from(messages).unwrap_or(usize::MAX).min(self.times.len());
        self.times.drain(..known);
        let waited = self.waiting.min(u64::from(messages));
        self.waiting -= waited;
        waited
    }

    /// None of them will be passed on: how many, and when the first of them came.
    pub fn abandon(&mut self) -> (u64, VecDeque<Time>) {
        (std::mem::take(&mut self.waiting), std::mem::take(&mut self.times))
    }
}
