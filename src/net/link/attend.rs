//! Which packets the surgeon is to have, and which pass it by.

use super::Link;
use super::surgery::has_id;
use crate::base::Direction;
use crate::mqtt::framer::{Frame, Framer, may_have_alias};
use crate::mqtt::{KindSet, PacketKind, Version};
use crate::net::pump::Inlet;

impl Link {
    /// Whether what comes next goes to the surgeon, whatever it is: there is one, and something is under way there.
    /// WebSocket is always taken out of its frames, since a packet may have to be put into one of its own.
    pub(super) fn is_attended(&self, direction: Direction) -> bool {
        let pump = self.pumps.get(direction);
        match (&pump.inlet, &pump.theatre) {
            (Inlet::Mqtt(_), Some(theatre)) => !theatre.is_at_rest(),
            (Inlet::WebSocket(_), Some(_)) => true,
            (Inlet::Mqtt(_) | Inlet::WebSocket(_), None) | (Inlet::Records(_), _) => false,
        }
    }

    /// How much of what comes next that is: only what is left of the packet under way, where nothing else is.
    pub(super) fn attended_first(&self, direction: Direction, bytes: &[u8]) -> usize {
        if !self.is_attended(direction) {
            return 0;
        }
        let pump = self.pumps.get(direction);
        match (&pump.inlet, &pump.theatre) {
            (Inlet::Mqtt(framer), Some(theatre)) if theatre.has_one_packet() => framer.still_under_way(bytes),
            (Inlet::Mqtt(_) | Inlet::WebSocket(_) | Inlet::Records(_), _) => bytes.len(),
        }
    }

    /// The packets that the surgeon is to have; none where there is no surgeon.
    pub(super) fn attended(&self, direction: Direction) -> KindSet {
        if self.pumps.get(direction).theatre.is_none() {
            return KindSet::default();
        }
        let mut attended = self.core.wanted();
        let asks = self.asks.get(direction);
        attended.extend(asks.kinds);
        // A topic alias is to be learned though nobody asks about its packet, and a command is one of any kind of plan.
        if self.has_aliases() || !asks.by_topic.is_empty() || self.is_honoured(direction) {
            attended.insert(PacketKind::Publish);
        }
        attended
    }

    /// Whether the surgeon is to have a PUBLISH only for its topic, or for a topic alias: then what [`Link::passes_by`] passes
    /// it by.
    pub(super) fn sifts(&self, direction: Direction) -> bool {
        self.pumps.get(direction).theatre.is_some()
            && !self.asked(direction, PacketKind::Publish)
            && !self.is_honoured(direction)
    }

    /// Whether a PUBLISH is seen to be none that the engine is to be told of, from its bytes as they lie there, and has no
    /// topic alias to be learned.
    pub(super) fn passes_by(&self, direction: Direction, frame: &Frame<'_>) -> bool {
        let Some((topic, after)) = publish_topic(frame) else { return false };
        let has_alias = self.has_aliases() && may_have_alias(after);
        !has_alias && !self.asked_by_topic(direction, topic)
    }

    fn has_aliases(&self) -> bool {
        self.core.follows_topics() && self.version == Some(Version::V5)
    }

    /// Whether a PUBLISH may be a command to brownout.
    pub(super) fn is_honoured(&self, direction: Direction) -> bool {
        direction == Direction::Up && self.core.honours_messages()
    }

    /// Of what was scanned up to its end: what of a packet that the surgeon is to have, and whose head is not there yet, is
    /// left to it. How much is taken then.
    pub(super) fn leave_head(
        &mut self,
        direction: Direction,
        framer: &mut Framer,
        bytes: &[u8],
        attended: KindSet,
    ) -> usize {
        let Some(theatre) = &mut self.pumps.get_mut(direction).theatre else { return bytes.len() };
        let begun = usize::try_from(framer.unannounced()).unwrap_or(usize::MAX);
        let begin = bytes.len().checked_sub(begun).filter(|begin| *begin < bytes.len());
        let kind = begin.and_then(|begin| PacketKind::from_first_byte(bytes[begin]));
        match begin {
            Some(begin) if kind.is_some_and(|kind| attended.has(kind)) => {
                framer.put_back();
                begin
            }
            Some(_) => {
                theatre.let_go = true;
                bytes.len()
            }
            None => bytes.len(),
        }
    }

    /// Whether the first bytes of the packet under way went on before its head was there.
    pub(super) fn is_let_go(&self, direction: Direction) -> bool {
        self.pumps.get(direction).theatre.as_ref().is_some_and(|theatre| theatre.let_go)
    }

    /// The same, for the packet whose head is there now.
    pub(super) fn take_let_go(&mut self, direction: Direction) -> bool {
        let theatre = self.pumps.get_mut(direction).theatre.as_mut();
        theatre.is_some_and(|theatre| std::mem::take(&mut theatre.let_go))
    }
}

/// The topic name of a PUBLISH, and what of its head stands behind its packet identifier; `None` for another packet, and
/// where that is not there.
fn publish_topic<'a>(frame: &Frame<'a>) -> Option<(&'a [u8], &'a [u8])> {
    if frame.kind != PacketKind::Publish {
        return None;
    }
    let (length, rest) = frame.head.split_first_chunk::<2>()?;
    let (topic, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let id_len = if has_id(frame) { 2 } else { 0 };
    Some((topic, after.get(id_len..)?))
}
