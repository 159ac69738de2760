//! How links ended, each told once: when it is known, which may be with the hub's answer to the device's next CONNECT.

use crate::base::{LinkId, Side, Time};
use crate::measure::azure::{Entry, code_of};
use crate::measure::{Cause, Ended, Measures};
use crate::profile::Plan;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How a link ended, and as what Azure IoT Hub would log it.
pub(super) type Kind = (Cause, Option<Entry>);

/// A link that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The link.
    pub link: LinkId,
    /// Its device's name.
    pub device: String,
    /// When it was known to be over, as far as the hub is concerned.
    pub at: Time,
    /// From its beginning until then.
    pub lasted: Duration,
    /// How it ended, and what a hub would log.
    pub kind: (Cause, Option<Entry>),
}

impl Over {
    /// Whether somebody may want to know: all but a DISCONNECT of the device, and the end of the run.
    pub fn is_unusual(&self) -> bool {
        !matches!(self.kind.0, Cause::Disconnect(Side::Device) | Cause::WithTheRun | Cause::StillOpen)
    }
}

/// Links that are over.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends {
    /// Those that wait for the answer on a newer one.
    waiting: BTreeMap<LinkId, Vec<Waiting>>,
    /// Those that a leg is left of: the device's may be for long, where it has vanished.
    lingering: BTreeSet<LinkId>,
}

#[derive(Clone, Debug)]
struct Waiting {
    link: LinkId,
    device: String,
    opened: Time,
}

impl Ends {
    /// A link is over for the hub: told now, unless it has to wait, or was told before.
    pub fn over(
        &mut self,
        link: LinkId,
        device: &str,
        opened: Time,
        measures: &Measures,
        plan: &Plan,
    ) -> Option<Over> {
        let is_news = self.lingering.insert(link);
        let over = is_news.then(|| Waiting { link, device: device.to_owned(), opened })?;
        self.decide(over, measures, plan)
    }

    /// Both of its legs are gone, and it was told that it is over.
    pub fn gone(&mut self, link: LinkId) {
        self.lingering.remove(&link);
    }

    /// There is an answer on this link, or none will come.
    pub fn settle(&mut self, newer: LinkId, measures: &Measures, plan: &Plan) -> Vec<Over> {
        let waiting = self.waiting.remove(&newer).unwrap_or_default();
        waiting.into_iter().filter_map(|over| self.decide(over, measures, plan)).collect()
    }

    /// The measures begin anew: what they do not know any more is told by the old ones.
    pub fn turn(&mut self, old: &Measures, next: &Measures, plan: &Plan) -> Vec<Over> {
        let mut told = Vec::new();
        for waiting in self.waiting.values_mut() {
            let (stay, go) =
                std::mem::take(waiting).into_iter().partition(|over| next.ended(over.link).is_some());
            *waiting = stay;
            let go: Vec<Waiting> = go;
            told.extend(go.into_iter().filter_map(|over| over.told(old, plan)));
        }
        self.waiting.retain(|_, waiting| !waiting.is_empty());
        told
    }

    fn decide(&mut self, over: Waiting, measures: &Measures, plan: &Plan) -> Option<Over> {
        if let Some(newer) = measures.awaited_by(over.link) {
            self.waiting.entry(newer).or_default().push(over);
            return None;
        }
        over.told(measures, plan)
    }
}

impl Waiting {
    fn told(self, measures: &Measures, plan: &Plan) -> Option<Over> {
        let Ended { at, end } = measures.ended(self.link)?;
        let kind = (end.cause, code_of(end, plan));
        Some(Over { link: self.link, device: self.device, at, lasted: at.since(self.opened), kind })
    }
}
