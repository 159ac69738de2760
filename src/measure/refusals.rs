//! What devices did while connects were refused: by a reset, by a closed listener, by a CONNACK.
//!
//! Such a fault leaves links alone that are up. It has kept a device out that was refused at least once, or that was down
//! while the listener was closed to it (then SYNs are not seen), and that came back only after that.

use super::facts::{Link, Window};
use super::fold::Measures;
use super::recovery::Outage;
use super::results::Outcome;
use super::value::Value;
use crate::base::units::to_u64;
use crate::base::{LinkId, Time, WindowId};
use crate::fault::Mechanism;
use crate::profile::Metric;

/// A window of such a fault, judged.
pub(super) struct Refused<'a> {
    /// Connects that it refused; `None` where the listener was closed, and none was seen.
    pub connects: Option<u64>,
    pub outcome: Outcome,
    pub downtime: Option<Value>,
    pub recovery: Option<Value>,
    /// The connects until the device was accepted; `None` where it was not kept out.
    pub outage: Option<Outage<'a>>,
    /// From when it was kept out.
    pub start: Option<Time>,
    /// The link that it had before, and lost otherwise.
    pub before: Option<LinkId>,
    /// From when it had no link: that was over before a connect was refused.
    pub down_since: Option<Time>,
}

impl Refused<'_> {
    pub fn measures(&self) -> Vec<(Metric, Value)> {
        let connects = self.connects.map(|connects| (Metric::ConnectsRefused, Value::Count(connects)));
        let mut values: Vec<(Metric, Value)> = connects.into_iter().collect();
        values.extend(self.downtime.map(|value| (Metric::Downtime, value)));
        values.extend(self.recovery.map(|value| (Metric::Recovery, value)));
        values
    }
}

/// What the device of this window met.
pub(super) fn judge<'a>(measures: &'a Measures, id: WindowId, window: &Window, end: Time) -> Refused<'a> {
    let links = || {
        let ids = measures.devices.get(&window.device).into_iter().flat_map(|facts| &facts.links);
        ids.filter_map(|id| Some((*id, measures.links.get(id)?)))
    };
    let is_refused = |link: &Link| link.cut.is_some_and(|(_, by)| by == Some(id));
    let refused = links().filter(|(_, link)| is_refused(link)).count();
    let first = links().find(|(_, link)| is_refused(link));
    let vanished = measures.firings.vanished.get(&window.rule);
    let was_closed = vanished.is_some_and(|means| means.contains(&Mechanism::Closed));
    let connects = (refused > 0 || !was_closed).then(|| to_u64(refused));
    let restored = window.restored();
    let until = restored.unwrap_or(end);
    let start = match first {
        Some((_, link)) => Some(link.opened.max(window.opened)),
        None if was_closed => down_from(links(), window.opened, until),
        None => None,
    };
    let nothing = |outcome| Refused {
        connects,
        outcome,
        downtime: None,
        recovery: None,
        outage: None,
        start: None,
        before: None,
        down_since: None,
    };
    let Some(start) = start else {
        let had_a_link = links().any(|(_, link)| link.opened <= until && link.is_open_at(window.opened));
        return nothing(if had_a_link { Outcome::NothingMet } else { Outcome::NoLink });
    };
    // A device that goes on over an earlier link was not kept out.
    let goes_on =
        |link: &Link| link.accepted().is_some_and(|at| at < start) && link.over().is_none_or(|at| at > until);
    if links().any(|(_, link)| goes_on(link)) {
        return Refused { start: Some(start), ..nothing(Outcome::Survived) };
    }
    let outage = Outage::of(links().filter(|(_, link)| link.opened >= start).map(|(_, link)| link))
        .with_unanswered(measures.wire.unanswered(window.device, start));
    let back = outage.back.map(|(_, at)| at);
    let value = |from: Time| match back {
        Some(at) => Value::Exact(at.since(from)),
        None => Value::Never { watched: end.since(from) },
    };
    let recovery = restored.filter(|restored| back.is_none_or(|at| at >= *restored)).map(value);
    let outcome = match (back, recovery) {
        (None, _) => Outcome::Gone,
        (Some(_), None) => Outcome::BackBefore,
        (Some(_), Some(_)) => Outcome::Back,
    };
    let before = links().rfind(|(_, link)| link.opened < start && link.accepted().is_some());
    Refused {
        connects,
        outcome,
        downtime: Some(value(start)),
        recovery,
        outage: Some(outage),
        start: Some(start),
        before: before.map(|(id, _)| id),
        down_since: before.and_then(|(_, link)| lost_at(link)).map(|lost| lost.min(start)),
    }
}

/// When the device lost this link; `None` where it left in good order, or has it still.
fn lost_at(link: &Link) -> Option<Time> {
    link.over_for_device().filter(|_| !link.took_leave())
}

/// From when a device had no link, where that began before the listener was open again and it had one ever. That of one that left
/// in good order is its own affair: connects of it, if it made any, were not seen.
fn down_from<'a>(links: impl Iterator<Item = (LinkId, &'a Link)>, opened: Time, until: Time) -> Option<Time> {
    let before = links.filter(|(_, link)| link.accepted().is_some_and(|at| at <= until)).last();
    let over = before?.1.over().filter(|_| before.is_some_and(|(_, link)| !link.took_leave()))?;
    (over < until).then(|| over.max(opened))
}
