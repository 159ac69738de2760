//! A link that is over as bytes: a run of days has very many.

use super::{Connack, Link, Showed, Sign};
use crate::base::pack::{Pack, Reader, Writer};
use crate::event::{Count, LastPackets};
use crate::fault::{Ending, LegFate};
use crate::measure::packets::{Greeting, KeepAlive};
use crate::mqtt::Version;

/// Structs, by all of their fields.
macro_rules! fields {
    ($($name:ident { $($field:ident),* })*) => { $(
        impl Pack for $name {
            fn pack(&self, to: &mut Writer) {
                let $name { $($field),* } = self;
                $($field.pack(to);)*
            }

            fn unpack(from: &mut Reader<'_>) -> Option<$name> {
                $(let $field = Pack::unpack(from)?;)*
                Some($name { $($field),* })
            }
        }
    )* };
}

fields! {
    Connack { at, delivered, code }
    Count { bytes, packets, publishes }
    Greeting { at, token_expiry, keep_alive }
    KeepAlive { version, asked, hub_told, hub_answered, device_told }
    LastPackets { from, to }
    Sign { at, showed, last }
}

/// Enums without fields, by a number for each.
macro_rules! kinds {
    ($($name:ident { $($number:literal = $kind:ident),* })*) => { $(
        impl Pack for $name {
            fn pack(&self, to: &mut Writer) {
                to.byte(match self { $($name::$kind => $number),* });
            }

            fn unpack(from: &mut Reader<'_>) -> Option<$name> {
                match from.byte()? { $($number => Some($name::$kind),)* _ => None }
            }
        }
    )* };
}

kinds! {
    Ending { 0 = Fin, 1 = Unnotified, 2 = Alert, 3 = Reset }
    Version { 0 = V31, 1 = V311, 2 = V5 }
}

impl Pack for Showed {
    fn pack(&self, to: &mut Writer) {
        match self {
            Showed::Ended(ending) => ending.pack(to),
            Showed::Disconnect(reason) => {
                to.byte(DISCONNECT);
                to.byte(*reason);
            }
            Showed::Connect => to.byte(CONNECT),
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Showed> {
        match from.peek()? {
            DISCONNECT => from.byte().and_then(|_| from.byte()).map(Showed::Disconnect),
            CONNECT => from.byte().map(|_| Showed::Connect),
            _ => Ending::unpack(from).map(Showed::Ended),
        }
    }
}

/// Beside the numbers of [`Ending`].
const DISCONNECT: u8 = 0x10;
const CONNECT: u8 = 0x11;

impl Pack for LegFate {
    /// As in a log: few links have one.
    fn pack(&self, to: &mut Writer) {
        serde_json::to_vec(self).unwrap_or_default().pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<LegFate> {
        serde_json::from_slice(&Vec::unpack(from)?).ok()
    }
}

impl Link {
    /// All that is known of a link that is over, but for [`Link::wrapped`]. `None` where something may still come of it.
    pub(super) fn pack(&self) -> Option<Box<[u8]>> {
        let Link { device, to: dialled_to, opened, dialled, opened_before, accepted_before, closed, .. } =
            self;
        let Link {
            is_past, greeting, asked, connect_waited, connack, hub_accepted, signs, told, cut, ..
        } = self;
        let Link {
            fate, rival, left_under, goodbye_lost, last, unreachable, hub_connect, wrapped: _, ..
        } = self;
        let Link { owed, resubscribed, first, count, unanswered, broken, in_force, .. } = self;
        let Link { settling, owed_to_the_end, pending, .. } = self;
        if closed.is_none() || !owed.is_empty() || !in_force.is_empty() || pending.is_some() {
            return None;
        }
        let mut to = Writer::default();
        let before = [*opened_before, *accepted_before, *is_past, *connect_waited];
        let ends = [*hub_accepted, *goodbye_lost, *unreachable, *settling];
        before.into_iter().chain(ends).for_each(|truth| truth.pack(&mut to));
        owed_to_the_end.pack(&mut to);
        (*device, dialled_to.clone()).pack(&mut to);
        (*opened, (*dialled, *closed)).pack(&mut to);
        (*greeting, (*asked, *connack)).pack(&mut to);
        (*signs, (*told, *cut)).pack(&mut to);
        (*fate, (*rival, *left_under)).pack(&mut to);
        (*last, (*hub_connect, *resubscribed)).pack(&mut to);
        (*first, *count).pack(&mut to);
        (unanswered.clone(), *broken).pack(&mut to);
        Some(to.finish().into_boxed_slice())
    }

    /// What was packed; `None` where these are no such bytes.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Link> {
        let from = &mut Reader::new(bytes);
        let mut truth = || bool::unpack(from);
        let (opened_before, accepted_before, is_past) = (truth()?, truth()?, truth()?);
        let (connect_waited, hub_accepted, goodbye_lost) = (truth()?, truth()?, truth()?);
        let (unreachable, settling) = (truth()?, truth()?);
        let owed_to_the_end = Pack::unpack(from)?;
        let (device, to) = Pack::unpack(from)?;
        let (opened, (dialled, closed)) = Pack::unpack(from)?;
        let (greeting, (asked, connack)) = Pack::unpack(from)?;
        let (signs, (told, cut)) = Pack::unpack(from)?;
        let (fate, (rival, left_under)) = Pack::unpack(from)?;
        let (last, (hub_connect, resubscribed)) = Pack::unpack(from)?;
        let (first, count) = Pack::unpack(from)?;
        let (unanswered, broken) = Pack::unpack(from)?;
        let mut link = Link::new(opened);
        (link.opened_before, link.accepted_before, link.is_past) = (opened_before, accepted_before, is_past);
        (link.connect_waited, link.hub_accepted) = (connect_waited, hub_accepted);
        (link.goodbye_lost, link.unreachable, link.settling) = (goodbye_lost, unreachable, settling);
        (link.owed_to_the_end, link.device, link.to) = (owed_to_the_end, device, to);
        (link.dialled, link.closed) = (dialled, closed);
        (link.greeting, link.asked, link.connack) = (greeting, asked, connack);
        (link.signs, link.told, link.cut) = (signs, told, cut);
        (link.fate, link.rival, link.left_under) = (fate, rival, left_under);
        (link.last, link.hub_connect, link.resubscribed) = (last, hub_connect, resubscribed);
        (link.first, link.count) = (first, count);
        (link.unanswered, link.broken) = (unanswered, broken);
        Some(link)
    }
}
