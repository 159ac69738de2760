//! When the kernel dropped what an end sent: what it did meanwhile shows later, or never.

use super::Link;
use crate::base::{Ends, Side, Time};
use std::time::Duration;

/// Beyond a mute's own length, how much later the first retransmission may come: the sender has doubled its pause until then.
pub const RETRANSMISSION_GRACE: Duration = Duration::from_secs(1);

/// A time in which the kernel dropped what an end sent, whichever faults it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Muted {
    /// From when.
    pub since: Time,
    /// Until when; `None` where that is not over.
    pub until: Option<Time>,
}

impl Muted {
    /// When it is over, with what had been said meanwhile and is sent again.
    pub fn over(self) -> Option<Time> {
        self.until.map(|until| until + until.since(self.since) + RETRANSMISSION_GRACE)
    }
}

impl Link {
    /// From now on the kernel drops what an end sends. Of one that has shown its sign, none is awaited.
    pub(in crate::measure) fn mutes(&mut self, side: Side, at: Time) {
        if self.signs.get(side).is_some() {
            return;
        }
        let muted = self.muted.get_or_insert_default().get_mut(side);
        match muted {
            Some(muted) if muted.over().is_none_or(|over| at <= over) => muted.until = None,
            before => *before = Some(Muted { since: at, until: None }),
        }
    }

    /// The kernel drops it no more.
    pub(in crate::measure) fn unmutes(&mut self, side: Side, at: Time) {
        if let Some(Muted { until, .. }) = self.muted.as_mut().and_then(|muted| muted.get_mut(side).as_mut())
        {
            until.get_or_insert(at);
        }
    }

    /// When an end was muted: the latest time before its sign.
    pub fn muted(&self, side: Side) -> Option<Muted> {
        *self.muted.as_deref()?.get(side)
    }
}

/// Of each end, the latest time before its sign.
pub(super) type MutedEnds = Option<Box<Ends<Option<Muted>>>>;
