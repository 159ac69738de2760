//! Facts as bytes: for links that are over, of which a run of days has very many.
//!
//! Numbers take a byte for each seven bits of theirs, times only what they lie apart from the one before. What is packed is had
//! back as it was.

use super::{Connack, Link, Showed, Sign};
use crate::base::{DeviceId, Ends, LinkId, RuleId, Time, Ways, WindowId, time};
use crate::event::{Count, LastPackets};
use crate::fault::{Ending, LegFate};
use crate::measure::packets::{Greeting, KeepAlive};
use crate::mqtt::Version;
use std::time::Duration;

/// Bytes being made.
#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    /// The last time, in nanoseconds.
    last: u64,
}

/// Bytes being read.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    last: u64,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, last: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }
}

/// What can be bytes.
pub trait Pack: Sized {
    fn pack(&self, to: &mut Writer);
    /// `None` where the bytes are no such thing.
    fn unpack(from: &mut Reader<'_>) -> Option<Self>;
}

impl Pack for u64 {
    fn pack(&self, to: &mut Writer) {
        let mut left = *self;
        loop {
            let [low, ..] = left.to_le_bytes();
            left >>= 7;
            if left == 0 {
                return to.bytes.push(low & 0x7f);
            }
            to.bytes.push(low | 0x80);
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = from.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Pack for $number {
            fn pack(&self, to: &mut Writer) {
                u64::from(*self).pack(to);
            }

            fn unpack(from: &mut Reader<'_>) -> Option<$number> {
                u64::unpack(from)?.try_into().ok()
            }
        }
    )* };
}

numbers!(u8, u16, u32);

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

macro_rules! ids {
    ($($id:ident),*) => { $(
        impl Pack for $id {
            fn pack(&self, to: &mut Writer) {
                self.0.pack(to);
            }

            fn unpack(from: &mut Reader<'_>) -> Option<$id> {
                Pack::unpack(from).map($id)
            }
        }
    )* };
}

ids!(DeviceId, LinkId, RuleId, WindowId);

/// Enums without fields, by a number for each.
macro_rules! kinds {
    ($($name:ident { $($number:literal = $kind:ident),* })*) => { $(
        impl Pack for $name {
            fn pack(&self, to: &mut Writer) {
                to.bytes.push(match self { $($name::$kind => $number),* });
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

impl Pack for bool {
    fn pack(&self, to: &mut Writer) {
        to.bytes.push(u8::from(*self));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<bool> {
        Some(from.byte()? != 0)
    }
}

impl Pack for Time {
    fn pack(&self, to: &mut Writer) {
        let apart = self.as_nanos().wrapping_sub(to.last).cast_signed();
        to.last = self.as_nanos();
        // The sign goes into the lowest bit: times a little earlier are as short as those a little later.
        ((apart << 1) ^ (apart >> 63)).cast_unsigned().pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Time> {
        let packed = u64::unpack(from)?;
        let apart = (packed >> 1) ^ (packed & 1).wrapping_neg();
        from.last = from.last.wrapping_add(apart);
        Some(Time::from_nanos(from.last))
    }
}

impl Pack for Duration {
    fn pack(&self, to: &mut Writer) {
        time::nanos(*self).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Duration> {
        u64::unpack(from).map(Duration::from_nanos)
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, to: &mut Writer) {
        self.is_some().pack(to);
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Option<T>> {
        Some(if bool::unpack(from)? { Some(T::unpack(from)?) } else { None })
    }
}

impl<T: Pack> Pack for Vec<T> {
    fn pack(&self, to: &mut Writer) {
        u64::try_from(self.len()).unwrap_or(u64::MAX).pack(to);
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Vec<T>> {
        let len = u64::unpack(from)?;
        (0..len).map(|_| T::unpack(from)).collect()
    }
}

impl Pack for Box<str> {
    fn pack(&self, to: &mut Writer) {
        self.as_bytes().to_vec().pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Box<str>> {
        Some(String::from_utf8(Vec::unpack(from)?).ok()?.into())
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn pack(&self, to: &mut Writer) {
        self.0.pack(to);
        self.1.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<(A, B)> {
        Some((A::unpack(from)?, B::unpack(from)?))
    }
}

impl<T: Pack> Pack for Ends<T> {
    fn pack(&self, to: &mut Writer) {
        self.device.pack(to);
        self.hub.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Ends<T>> {
        Some(Ends { device: T::unpack(from)?, hub: T::unpack(from)? })
    }
}

impl<T: Pack> Pack for Ways<T> {
    fn pack(&self, to: &mut Writer) {
        self.up.pack(to);
        self.down.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Ways<T>> {
        Some(Ways { up: T::unpack(from)?, down: T::unpack(from)? })
    }
}

impl Pack for Showed {
    fn pack(&self, to: &mut Writer) {
        match self {
            Showed::Ended(ending) => ending.pack(to),
            Showed::Disconnect(reason) => to.bytes.extend([DISCONNECT, *reason]),
            Showed::Connect => to.bytes.push(CONNECT),
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Showed> {
        match *from.bytes.first()? {
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

/// Numbers to eight truths.
impl Pack for [bool; 8] {
    fn pack(&self, to: &mut Writer) {
        to.bytes.push(self.iter().rev().fold(0, |bits, truth| bits << 1 | u8::from(*truth)));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<[bool; 8]> {
        let bits = from.byte()?;
        Some(std::array::from_fn(|nth| bits >> nth & 1 == 1))
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
        let [a, b, c, d] = before;
        let [e, f, g, h] = ends;
        [a, b, c, d, e, f, g, h].pack(&mut to);
        owed_to_the_end.pack(&mut to);
        (*device, dialled_to.clone()).pack(&mut to);
        (*opened, (*dialled, *closed)).pack(&mut to);
        (*greeting, (*asked, *connack)).pack(&mut to);
        (*signs, (*told, *cut)).pack(&mut to);
        (*fate, (*rival, *left_under)).pack(&mut to);
        (*last, (*hub_connect, *resubscribed)).pack(&mut to);
        (*first, *count).pack(&mut to);
        (unanswered.clone(), *broken).pack(&mut to);
        Some(to.bytes.into_boxed_slice())
    }

    /// What was packed; `None` where these are no such bytes.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Link> {
        let from = &mut Reader::new(bytes);
        let [
            opened_before,
            accepted_before,
            is_past,
            connect_waited,
            hub_accepted,
            goodbye_lost,
            unreachable,
            settling,
        ] = <[bool; 8]>::unpack(from)?;
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
