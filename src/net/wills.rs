//! Wills in the relay: which PUBLISH packets the engine is told of, because their topic may be that of a will.
//!
//! [`Known`] is shared by all links and holds a few bits of each topic, so that what is no will costs one look; without any
//! will, a PUBLISH costs one load. [`OfLink`] is what one link keeps.

use crate::event::Says;
use crate::mqtt::framer::Frame;
use crate::mqtt::{Version, peek};
use crate::net::surgery::Aliases;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many words of 64 bits: with 1,000 topics, one foreign topic in 66 is asked about in vain.
const WORDS: u64 = 1_024;

/// The topics of all wills that were ever left, as bits of their hashes. 8 KiB.
#[derive(Debug)]
pub struct Known {
    any: AtomicBool,
    bits: Vec<AtomicU64>,
}

impl Default for Known {
    fn default() -> Known {
        Known { any: AtomicBool::new(false), bits: (0..WORDS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Known {
    /// A will with this topic is left.
    pub fn add(&self, topic: &str) {
        let (word, bit) = place(topic);
        if let Some(word) = self.bits.get(word) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        self.any.store(true, Ordering::Release);
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Whether there may be one with this topic.
    pub fn may_hold(&self, topic: &str) -> bool {
        let (word, bit) = place(topic);
        self.bits.get(word).is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }
}

fn place(topic: &str) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    let hash = hasher.finish();
    (usize::try_from(hash / 64 % WORDS).unwrap_or(0), 1 << (hash % 64))
}

/// What a link keeps for wills.
#[derive(Debug, Default)]
pub struct OfLink {
    /// The topic of its device's will, until the device was seen to publish on it.
    pub own: Option<Box<str>>,
    /// What topic aliases of the hub's stand for, from the first will of the run on.
    aliases: Option<Box<Aliases>>,
}

impl OfLink {
    /// Whether a PUBLISH of the device is on the topic of its own will; true once.
    pub fn is_own(&mut self, frame: &Frame<'_>) -> bool {
        let Some(own) = &self.own else { return false };
        // The topic stands first, behind its length, in every version.
        let topic = frame.head.get(2..).unwrap_or_default();
        let is_own = topic.starts_with(own.as_bytes())
            && frame.head.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)))
                == Some(own.len());
        if is_own {
            self.own = None;
        }
        is_own
    }

    /// The topic of a PUBLISH of the hub, as events show it, whether it is retained, and what it says, where it may be a will.
    pub fn will(
        &mut self,
        known: &Known,
        version: Version,
        frame: &Frame<'_>,
    ) -> Option<(String, bool, Option<Says>)> {
        let view = peek::publish_view(version, frame.first_byte, frame.head)?;
        let topic = match view.topic_alias {
            None => view.topic.as_ref(),
            alias => self.aliases.get_or_insert_default().resolve(&view.topic, alias)?,
        };
        let shown = crate::event::shown(topic);
        known.may_hold(&shown).then(|| (shown, view.retain, says(frame, view.payload_at)))
    }
}

/// What a PUBLISH says, whose payload begins there in its body.
fn says(frame: &Frame<'_>, payload_at: Option<u32>) -> Option<Says> {
    let at = payload_at?;
    let length = frame.remaining_length.checked_sub(at)?;
    let at = usize::try_from(at).ok()?;
    // What is split over inputs may lie in neither.
    let in_head = frame.head.get(at..).unwrap_or_default();
    let at_hand = if in_head.is_empty() { frame.rest } else { in_head };
    Some(Says::of(length, at_hand))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::PacketKind;

    fn publish<'a>(head: &'a [u8]) -> Frame<'a> {
        Frame {
            kind: PacketKind::Publish,
            first_byte: 0x31,
            header_len: 2,
            remaining_length: u32::try_from(head.len()).unwrap(),
            start: 0,
            head,
            rest: &[],
            ended: true,
            begin_in_input: 0,
            end_in_input: head.len() + 2,
        }
    }

    #[test]
    fn only_topics_of_wills_are_told_of() {
        let known = Known::default();
        assert!(!known.any() && !known.may_hold("gone/a"));
        known.add("gone/a");
        assert!(known.any() && known.may_hold("gone/a") && !known.may_hold("gone/b"));
        let mut link = OfLink::default();
        let will = link.will(&known, Version::V311, &publish(b"\x00\x06gone/aoff"));
        assert_eq!(will, Some(("gone/a".into(), true, Some(Says::of(3, b"off")))));
        assert_eq!(link.will(&known, Version::V311, &publish(b"\x00\x06gone/boff")), None);
    }

    #[test]
    fn an_alias_stands_for_its_topic() {
        let known = Known::default();
        known.add("gone/a");
        let mut link = OfLink::default();
        let named = b"\x00\x06gone/a\x03\x23\x00\x07";
        assert!(link.will(&known, Version::V5, &publish(named)).is_some());
        assert!(link.will(&known, Version::V5, &publish(b"\x00\x00\x03\x23\x00\x07")).is_some());
        assert!(link.will(&known, Version::V5, &publish(b"\x00\x00\x03\x23\x00\x08")).is_none());
    }

    #[test]
    fn a_device_that_publishes_on_its_wills_topic_is_told_of_once() {
        let mut link = OfLink { own: Some("st".into()), ..OfLink::default() };
        assert!(!link.is_own(&publish(b"\x00\x03sty")) && !link.is_own(&publish(b"\x00")));
        assert!(link.is_own(&publish(b"\x00\x02sty")) && !link.is_own(&publish(b"\x00\x02sty")));
    }
}
