//! The end of one link as the hub knows it, while the run goes on: what the resource log is written from.

use super::azure::End;
use super::cause;
use super::ends::{answered, cause_of};
use super::facts::{Link, Sign};
use super::fold::Measures;
use crate::base::{LinkId, Time, WindowId};

/// A link's end, and when the hub knew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When the hub knew of it: its own sign, being told, or its refusal; at the latest when both legs were gone.
    pub at: Time,
    /// The end.
    pub end: End,
}

impl Measures {
    /// How this link ended, as far as events have told; `None` for one that is not over for the hub, though the device may
    /// not know yet. It may yet turn out otherwise while [`Measures::awaited_by`] names a link, or [`Measures::is_contested`].
    pub fn ended(&self, id: LinkId) -> Option<Ended> {
        let link = self.links.get(&id)?;
        let cause = cause_of(self, link, answered(self.later(id, link).map(|(_, later)| later)));
        let refused = link.connack.filter(|connack| connack.code != 0).map(|connack| connack.at);
        let known = link.signs.hub.map(|sign| sign.at).into_iter().chain(link.told.hub).min();
        let at = refused.or(known).or(link.closed)?;
        Some(Ended { at, end: End { cause, accepted: link.hub_accepted, goodbye_lost: link.goodbye_lost } })
    }

    /// The device's next link, where this one was ended by the hub, and the hub has taken in the CONNECT of that one and not
    /// answered it yet: its answer may show that the device took the place of its own older link.
    pub fn awaited_by(&self, id: LinkId) -> Option<LinkId> {
        let link = self.links.get(&id).filter(|link| is_ended_by_hub(link))?;
        let answered = self.later(id, link).any(|(_, later)| later.connack.is_some());
        let is_awaited = |later: &Link| later.asked.is_some() && later.closed.is_none();
        let mut later = self.later(id, link).filter(|_| !answered);
        later.find(|(_, later)| is_awaited(later)).map(|(id, _)| id)
    }

    /// Whether the hub ended this link, that it had accepted, a moment ago, while a rule has another client fight for its
    /// device's name: the hub may do so before it is seen to accept that client.
    pub fn is_contested(&self, id: LinkId, now: Time) -> bool {
        let link = self.links.get(&id).filter(|link| is_ended_by_hub(link) && link.hub_accepted);
        let Some(link) = link.filter(|link| link.rival.is_none()) else { return false };
        let is_fresh = link.signs.hub.is_some_and(|sign| cause::is_about(now, sign.at));
        let is_fought_for =
            |device| self.fights.range((device, WindowId(0))..=(device, WindowId(u64::MAX))).next().is_some();
        is_fresh && link.device.is_some_and(is_fought_for)
    }

    /// The device's links after this one, oldest first.
    fn later(&self, id: LinkId, link: &Link) -> impl Iterator<Item = (LinkId, &Link)> {
        let device = link.device.and_then(|device| self.devices.get(&device));
        let links = device.map(|device| device.links.as_slice()).unwrap_or_default();
        // In the order of opening, and so of numbers.
        let after = links.partition_point(|known| *known <= id);
        links[after..].iter().filter_map(|id| Some((*id, self.links.get(id)?)))
    }
}

fn is_ended_by_hub(link: &Link) -> bool {
    let by_hub = |sign: Sign| link.signs.device.is_none_or(|of_device| sign.at <= of_device.at);
    link.signs.hub.is_some_and(by_hub)
}
