//! How a device leaves: DISCONNECT before a wanted close (MQTT 3.1.1 and 5, section 3.14).
//!
//! Not where a signal ended the command beside the run about then: that close was wanted by brownout, or by its user.

use super::cases::{Cases, News, Size, seen};
use super::kind::Kind;
use super::watch::Watch;
use crate::base::{Ends, Time};
use crate::fault::Ending;
use crate::measure::finding::Grade;
use std::time::Duration;

/// How far the end of a command and the ends of its links lie apart.
const ABOUT: Duration = Duration::from_secs(2);

/// How many closes wait to be told, until it is known that no signal was behind them; more are told at once.
const MOST_WAITING: usize = 1_000;

/// Exit codes of shells for a command that SIGINT, SIGKILL or SIGTERM ended.
const SIGNALLED: [i32; 3] = [130, 137, 143];

/// Closes without DISCONNECT that are yet to be told.
#[derive(Clone, Debug, Default)]
pub(super) struct Farewells {
    waiting: Vec<News>,
    killed: Option<Time>,
}

impl Farewells {
    /// A device closed without DISCONNECT.
    pub fn add(&mut self, news: News, cases: &mut Cases) {
        let at = news.seen.at;
        if self.killed.is_some_and(|killed| at.since(killed) <= ABOUT) {
            return;
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push(news);
        } else {
            cases.add(news);
        }
    }

    /// The command beside the run ended.
    pub fn command_ended(&mut self, at: Time, code: Option<i32>) {
        if code.is_none_or(|code| SIGNALLED.contains(&code)) {
            self.killed = Some(at);
            self.waiting.retain(|news| at.since(news.seen.at) > ABOUT);
        }
    }

    /// Tells of those that no signal was behind, as of this moment.
    pub fn due(&mut self, now: Time, cases: &mut Cases) {
        let is_due = |news: &News| now.since(news.seen.at) > ABOUT;
        // Asked at each event, and mostly there is none.
        if !self.waiting.first().is_some_and(is_due) {
            return;
        }
        let due = self.waiting.partition_point(is_due);
        self.waiting.drain(..due).for_each(|news| cases.add(news));
        if self.waiting.is_empty() {
            // Many go at once, if ever.
            self.waiting = Vec::new();
        }
    }

    /// Tells of all.
    pub fn tell(&mut self, cases: &mut Cases) {
        self.waiting.drain(..).for_each(|news| cases.add(news));
    }
}

/// The device ended its leg: what there is to tell of it. `disturbed`: a fault has just fallen on it, or it has another link already.
pub(super) fn left(watch: &Watch, at: Time, seq: u64, how: Ending, disturbed: bool) -> Option<News> {
    let is_plain = matches!(how, Ending::Fin | Ending::Unnotified | Ending::WsClose);
    let nobody_before = watch.goodbye == Ends::default() && watch.over == Ends::default();
    // Who waits for a PINGRESP may have given the link up for lost.
    let is_wanted = is_plain && nobody_before && !watch.pings.are_waiting();
    if watch.accepted.is_none() || !is_wanted || !watch.faults.is_pristine() || disturbed {
        return None;
    }
    let has_will = watch.greeting.as_ref().is_some_and(|greeting| greeting.will.is_some());
    // Of thousands that leave so, none keeps words of its own.
    let what = match (how == Ending::WsClose, has_will) {
        (false, false) => "FIN without DISCONNECT",
        (false, true) => "FIN without DISCONNECT, with a will",
        (true, false) => "WebSocket close without DISCONNECT",
        (true, true) => "WebSocket close without DISCONNECT, with a will",
    };
    Some(News {
        device: watch.device,
        kind: Kind::ClosedWithoutDisconnect,
        grade: Grade::Warn,
        rule: watch.rule("MQTT 3.1.1 section 3.14", "MQTT 5.0 section 3.14"),
        size: Size::default(),
        seen: seen(seq, at, what),
    })
}
