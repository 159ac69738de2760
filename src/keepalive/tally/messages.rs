//! The device's messages: due, handed to its link, arrived, late, lost.

use crate::base::Time;
use crate::base::units::to_u64;
use crate::keepalive::model::Messages;
use std::collections::BTreeMap;
use std::time::Duration;

/// When messages are due: one as the device is accepted, and then one each time this has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// From one to the next; above 0.
    pub every: Duration,
    /// How many in all; `None`: as many as come.
    pub times: Option<u64>,
    /// Whether they are acknowledged (QoS 1 or 2), and so sent again in a session that begins anew.
    pub is_acknowledged: bool,
}

/// The messages of one device. Holds those that are under way, or lost.
#[derive(Debug)]
pub(super) struct Ledger {
    beat: Beat,
    late: Duration,
    /// What is due or handed over later does not count.
    span: Time,
    counts: Messages,
    /// When the device was last accepted, which its beat runs from.
    anchor: Option<Time>,
    /// When it then knew that the link was gone.
    gone: Option<Time>,
    /// Numbered so far.
    made: u64,
    acked: u64,
    /// Messages that a new session makes the device send again as if they were new.
    again: u64,
    under_way: BTreeMap<u64, Time>,
}

impl Ledger {
    pub fn new(beat: Beat, late: Duration, span: Time) -> Ledger {
        Ledger {
            beat,
            late,
            span,
            counts: Messages::default(),
            anchor: None,
            gone: None,
            made: 0,
            acked: 0,
            again: 0,
            under_way: BTreeMap::new(),
        }
    }

    /// The device was accepted.
    pub fn connected(&mut self, at: Time, session_present: bool) {
        self.count_due(at);
        (self.anchor, self.gone) = (Some(at), None);
        let is_sent_again = self.beat.is_acknowledged && !session_present;
        self.again = if is_sent_again { self.made.saturating_sub(self.acked) } else { 0 };
    }

    /// The device has no link any more, and knows.
    pub fn gone(&mut self, at: Time) {
        self.gone.get_or_insert(at);
    }

    /// It sent a message.
    pub fn handed(&mut self, at: Time, dup: bool) {
        if dup {
            return;
        }
        if self.again > 0 {
            self.again -= 1;
            return;
        }
        self.made += 1;
        if at < self.span {
            self.counts.sent += 1;
            self.under_way.insert(self.made, at);
        }
    }

    /// So many of its messages are acknowledged.
    pub fn acked(&mut self, total: u64) {
        self.acked = total;
    }

    /// A message has arrived at the hub for the first time.
    pub fn arrived(&mut self, at: Time, number: u64) {
        let took = self.under_way.remove(&number).map(|handed| at.since(handed));
        self.counts.late += u64::from(took.is_some_and(|took| took > self.late));
    }

    pub fn finish(mut self) -> Messages {
        self.count_due(self.span);
        let lost = to_u64(self.under_way.len());
        Messages { lost, ..self.counts }
    }

    /// What was due from the last accept up to this moment.
    fn count_due(&mut self, until: Time) {
        let (Some(anchor), until) = (self.anchor, until.min(self.span)) else { return };
        let room = self.beat.times.map_or(u64::MAX, |times| times.saturating_sub(self.counts.due));
        let due = self.beats(anchor, until).min(room);
        let with_link = self.beats(anchor, self.gone.map_or(until, |gone| gone.min(until)));
        self.counts.due += due;
        self.counts.withheld += due.saturating_sub(with_link);
    }

    /// How many fall from `anchor` up to, and not at, `until`.
    fn beats(&self, anchor: Time, until: Time) -> u64 {
        let every = self.beat.every.as_nanos().max(1);
        u64::try_from(until.since(anchor).as_nanos().div_ceil(every)).unwrap_or(u64::MAX)
    }
}
