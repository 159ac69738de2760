//! Facts as bytes: for what is at rest, of which a run of days has very many.
//!
//! Numbers take a byte for each seven bits of theirs, times only what they lie apart from the one before, or a byte where the
//! same time was told lately. What is packed is had back as it was.

use super::{DeviceId, Ends, Few, LinkId, ListenerId, Name, RuleId, Side, Time, Ways, WindowId, time};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// How many truths are packed eight to a byte; more take a byte each.
const TRUTHS: usize = 128;

/// Bytes being made.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    truths: u128,
    /// How many truths there are.
    told: usize,
    times: Times,
}

/// The times that were told.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    last: Time,
    /// Different ones, the latest among them.
    lately: [Time; LATELY],
    next: usize,
}

/// How many times are known again: one event brings about several things.
const LATELY: usize = 8;

impl Times {
    fn is_new(&mut self, time: Time) {
        self.lately[self.next % LATELY] = time;
        self.next += 1;
    }
}

impl Default for Writer {
    fn default() -> Writer {
        // As much as most things take.
        Writer { bytes: Vec::with_capacity(128), truths: 0, told: 0, times: Times::default() }
    }
}

impl Writer {
    /// What was packed, with the truths behind it, and how many bytes these are.
    pub fn finish(mut self) -> Vec<u8> {
        let len = self.told.min(TRUTHS).div_ceil(8);
        self.bytes.extend(self.truths.to_le_bytes().into_iter().take(len));
        self.bytes.push(u8::try_from(len).unwrap_or(0));
        self.bytes
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Bytes, behind how many they are.
    pub fn slice(&mut self, bytes: &[u8]) {
        bytes.len().pack(self);
        self.bytes.extend_from_slice(bytes);
    }
}

/// Bytes being read.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    truths: u128,
    /// How many truths were read.
    told: usize,
    times: Times,
}

impl<'a> Reader<'a> {
    /// Of what a [`Writer`] has packed.
    pub fn new(packed: &'a [u8]) -> Reader<'a> {
        let parts = packed
            .split_last()
            .and_then(|(len, rest)| rest.split_at_checked(rest.len().checked_sub(usize::from(*len))?));
        let (bytes, told) = parts.unwrap_or_default();
        let truths =
            told.iter().rev().take(TRUTHS / 8).fold(0, |truths, byte| truths << 8 | u128::from(*byte));
        Reader { bytes, truths, told: 0, times: Times::default() }
    }

    /// The next byte, which stays.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    /// The next bytes, behind how many they are.
    pub fn slice(&mut self) -> Option<&'a [u8]> {
        let len = usize::unpack(self)?;
        let (slice, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(slice)
    }
}

/// What can be bytes.
pub trait Pack: Sized {
    /// Appends its bytes.
    fn pack(&self, to: &mut Writer);
    /// Takes them; `None` where the bytes are no such thing.
    fn unpack(from: &mut Reader<'_>) -> Option<Self>;
}

/// Appends a number: a byte for each seven bits of it.
pub fn push_number(number: u64, to: &mut Vec<u8>) {
    let mut left = number;
    loop {
        let [low, ..] = left.to_le_bytes();
        left >>= 7;
        if left == 0 {
            return to.push(low & 0x7f);
        }
        to.push(low | 0x80);
    }
}

/// How far a time is from another; its sign is in the lowest bit, so that a little earlier is as short as a little later.
pub fn apart(from: Time, to: Time) -> u64 {
    let apart = to.as_nanos().wrapping_sub(from.as_nanos()).cast_signed();
    ((apart << 1) ^ (apart >> 63)).cast_unsigned()
}

/// A time so far from another.
pub fn moved(from: Time, apart: u64) -> Time {
    let apart = (apart >> 1) ^ (apart & 1).wrapping_neg();
    Time::from_nanos(from.as_nanos().wrapping_add(apart))
}

/// Takes a number; `None` where the bytes are none.
pub fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

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

pub(crate) use {fields, kinds};

impl Pack for u64 {
    fn pack(&self, to: &mut Writer) {
        push_number(*self, &mut to.bytes);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<u64> {
        take_number(&mut from.bytes)
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

ids!(DeviceId, LinkId, ListenerId, RuleId, WindowId);

impl Pack for usize {
    fn pack(&self, to: &mut Writer) {
        u64::try_from(*self).unwrap_or(u64::MAX).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<usize> {
        usize::try_from(u64::unpack(from)?).ok()
    }
}

impl Pack for bool {
    fn pack(&self, to: &mut Writer) {
        if to.told < TRUTHS {
            to.truths |= u128::from(*self) << to.told;
        } else {
            to.bytes.push(u8::from(*self));
        }
        to.told += 1;
    }

    fn unpack(from: &mut Reader<'_>) -> Option<bool> {
        let nth = from.told;
        from.told += 1;
        if nth < TRUTHS { Some(from.truths >> nth & 1 == 1) } else { Some(from.byte()? == 1) }
    }
}

impl Pack for Time {
    fn pack(&self, to: &mut Writer) {
        let known = to.times.lately.iter().position(|time| time == self);
        known.is_some().pack(to);
        if let Some(nth) = known {
            nth.pack(to);
        } else {
            apart(to.times.last, *self).pack(to);
            to.times.is_new(*self);
        }
        to.times.last = *self;
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Time> {
        let time = if bool::unpack(from)? {
            let nth = usize::unpack(from)?;
            *from.times.lately.get(nth)?
        } else {
            let time = moved(from.times.last, u64::unpack(from)?);
            from.times.is_new(time);
            time
        };
        from.times.last = time;
        Some(time)
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

impl Pack for IpAddr {
    fn pack(&self, to: &mut Writer) {
        match self {
            IpAddr::V4(address) => to.slice(&address.octets()),
            IpAddr::V6(address) => to.slice(&address.octets()),
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Option<IpAddr> {
        let octets = from.slice()?;
        let v4 = || <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
        v4().or_else(|| <[u8; 16]>::try_from(octets).ok().map(IpAddr::from))
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
        self.len().pack(to);
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Vec<T>> {
        let len = u64::unpack(from)?;
        (0..len).map(|_| T::unpack(from)).collect()
    }
}

impl<T: Pack> Pack for VecDeque<T> {
    fn pack(&self, to: &mut Writer) {
        self.len().pack(to);
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<VecDeque<T>> {
        Vec::unpack(from).map(VecDeque::from)
    }
}

impl Pack for Box<str> {
    fn pack(&self, to: &mut Writer) {
        to.slice(self.as_bytes());
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Box<str>> {
        Some(str::from_utf8(from.slice()?).ok()?.into())
    }
}

impl Pack for Name {
    fn pack(&self, to: &mut Writer) {
        to.slice(self.as_bytes());
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Name> {
        Some(str::from_utf8(from.slice()?).ok()?.into())
    }
}

impl<const N: usize> Pack for Few<N> {
    fn pack(&self, to: &mut Writer) {
        to.slice(self);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Few<N>> {
        from.slice().map(Few::from)
    }
}

impl<T: Pack> Pack for Box<T> {
    fn pack(&self, to: &mut Writer) {
        (**self).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Box<T>> {
        T::unpack(from).map(Box::new)
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

impl Pack for Side {
    fn pack(&self, to: &mut Writer) {
        (*self == Side::Hub).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Side> {
        Some(if bool::unpack(from)? { Side::Hub } else { Side::Device })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Told = (Vec<Option<u64>>, (Vec<(bool, u16)>, (Vec<Time>, Vec<bool>)));

    proptest! {
        #[test]
        fn what_is_packed_is_had_back(
            numbers: Vec<Option<u64>>,
            pairs: Vec<(bool, u16)>,
            times in prop::collection::vec(prop_oneof![0..20_u64, 0..u64::MAX - 1], 0..40),
            truths: Vec<bool>,
        ) {
            let times = times.into_iter().map(Time::from_nanos).collect();
            let told: Told = (numbers, (pairs, (times, truths)));
            let mut to = Writer::default();
            told.pack(&mut to);
            let packed = to.finish();
            prop_assert_eq!(Told::unpack(&mut Reader::new(&packed)), Some(told));
        }

        #[test]
        fn other_bytes_are_nothing_or_something(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Told::unpack(&mut Reader::new(&bytes));
        }
    }
}
