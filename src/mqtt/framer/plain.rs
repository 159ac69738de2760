//! PUBLISH packets of QoS 0 of which nothing is to be said but that they came, found many at a time.
//!
//! They are what a busy link carries most. Nothing is kept of them but where they end, so that one costs some forty
//! instructions. Whatever may need a closer look is left to [`Scan::next_piece`], which takes every packet.

#[cfg(test)]
mod tests;

use super::Scan;
use crate::mqtt::kind::Version;
use crate::mqtt::packet::publish_flag as publish;
use crate::mqtt::wire::{Step, VarInt};

/// What a PUBLISH of QoS 0 without DUP begins with; RETAIN may be set.
const FIRST_BYTE: u8 = 0x30;

/// The identifier of Topic Alias among the properties (MQTT 5, section 3.3.2.3.4).
const TOPIC_ALIAS: u8 = 0x23;

impl<'a> Scan<'a> {
    /// Takes the plain packets that come next in the input and lie in it whole, up to the first that is something
    /// else: a PUBLISH of QoS 0 is plain if it has no DUP, its topic name ends within it, it uses no topic alias,
    /// and its topic is none that `except` is true of. Appends just past the last byte of each to `ends`, counted from
    /// `base` bytes before the input. How many there are.
    pub fn take_plain(
        &mut self,
        mut except: impl FnMut(&'a [u8]) -> bool,
        base: usize,
        ends: &mut Vec<u32>,
    ) -> u32 {
        if !self.framer.greeted || !self.framer.is_between_frames() {
            return 0;
        }
        let is_v5 = self.framer.version == Some(Version::V5);
        let rest = &self.input[self.at..];
        let (mut taken, mut count) = (0, 0);
        while let Some(len) = plain_len(&rest[taken..], is_v5, &mut except)
            && let Ok(end) = u32::try_from(base + self.at + taken + len)
        {
            ends.push(end);
            taken += len;
            count += 1;
        }
        self.take(taken);
        count
    }
}

/// The length of the packet that these bytes begin with, if it is plain and ends in them.
#[inline]
fn plain_len<'a>(bytes: &'a [u8], is_v5: bool, except: &mut impl FnMut(&'a [u8]) -> bool) -> Option<usize> {
    let (first, rest) = bytes.split_first()?;
    if first & !publish::RETAIN != FIRST_BYTE {
        return None;
    }
    let (remaining, length_len) = remaining_length(rest)?;
    let remaining = usize::try_from(remaining).ok()?;
    let body = rest.get(usize::from(length_len)..)?.get(..remaining)?;
    let (topic_len, after) = body.split_first_chunk::<2>()?;
    let (topic, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*topic_len)))?;
    if (is_v5 && may_have_alias(after)) || except(topic) {
        return None;
    }
    Some(1 + usize::from(length_len) + remaining)
}

/// The remaining length that these bytes begin with, and how many of them it takes; `None` where it does not end in
/// them, or at all.
#[inline]
pub(super) fn remaining_length(bytes: &[u8]) -> Option<(u32, u8)> {
    // Of most packets it is one byte.
    if let Some(&length @ 0..=0x7f) = bytes.first() {
        return Some((u32::from(length), 1));
    }
    let mut length = VarInt::START;
    for byte in bytes {
        match length.push(*byte) {
            Step::Done(value) => return Some((value, length.seen)),
            Step::TooLong => return None,
            Step::More => {}
        }
    }
    None
}

/// Whether the properties of a PUBLISH of MQTT 5, with which these bytes begin, may have a topic alias among them, or cannot
/// be told from the payload at a glance: those of 128 bytes and more.
pub fn may_have_alias(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((0, _)) => false,
        Some((length, rest)) if length & 0x80 == 0 => {
            rest.get(..usize::from(*length)).is_none_or(|properties| properties.contains(&TOPIC_ALIAS))
        }
        Some(_) | None => true,
    }
}
