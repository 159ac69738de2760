//! What happened on a lane at a moment: packets, and the signs of each end.

use crate::base::pack::{Pack, Reader, Writer, apart, moved, push_number, take_number};
use crate::base::time::nanos;
use crate::base::{Direction, Time};
use crate::event::MessageNews;
use std::time::Duration;

/// A lane may always keep so many marks: one of each kind, and some.
pub const LEAST_MARKS: usize = 64;
/// No lane keeps more marks than this.
pub const MARKS_A_LANE: usize = 8_192;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $words:literal, $from:literal;)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// All of them, by number.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// The words for it.
            pub fn words(self) -> &'static str {
                match self { $(Kind::$kind => $words,)* }
            }

            /// From whom it came: `device`, `hub`, or `brownout`.
            pub fn from(self) -> &'static str {
                match self { $(Kind::$kind => $from,)* }
            }
        }
    };
}

kinds! {
    /// A TCP connect arrived.
    Open = "TCP connect", "device";
    /// A packet.
    Connect = "CONNECT", "device";
    /// One that accepts.
    Connack = "CONNACK", "hub";
    /// One that refuses.
    Refusal = "CONNACK, refused", "hub";
    /// A packet.
    Subscribe = "SUBSCRIBE", "device";
    /// A packet.
    Suback = "SUBACK", "hub";
    /// A packet.
    Pingreq = "PINGREQ", "device";
    /// A packet.
    Pingresp = "PINGRESP", "hub";
    /// Packets since the last such mark of the link.
    PublishUp = "PUBLISH", "device";
    /// The same from the hub.
    PublishDown = "PUBLISH", "hub";
    /// Another packet of the device.
    OtherUp = "other packet", "device";
    /// Another packet of the hub.
    OtherDown = "other packet", "hub";
    /// A packet.
    DeviceDisconnect = "DISCONNECT", "device";
    /// A packet.
    HubDisconnect = "DISCONNECT", "hub";
    /// The device ended its leg.
    DeviceFin = "FIN", "device";
    /// The hub ended its leg.
    HubFin = "FIN", "hub";
    /// The device reset its leg.
    DeviceRst = "RST", "device";
    /// The hub reset its leg.
    HubRst = "RST", "hub";
    /// The device ended its leg with an alert.
    DeviceAlert = "TLS alert", "device";
    /// The hub ended its leg with an alert.
    HubAlert = "TLS alert", "hub";
    /// The device sent a close frame of WebSocket.
    DeviceWsClose = "WebSocket close", "device";
    /// The hub sent one.
    HubWsClose = "WebSocket close", "hub";
    /// A fault ended the device's leg, or left it half-open.
    DeviceCut = "leg to the device cut by a fault", "brownout";
    /// A fault ended the hub's leg, or left it half-open.
    HubCut = "leg to the hub cut by a fault", "brownout";
    /// The hub's end was carried through to the device.
    DeviceTold = "device told of the end", "brownout";
    /// The device's end was carried through to the hub.
    HubTold = "hub told of the end", "brownout";
    /// The device was silent for longer than its keep-alive [MQTT-3.1.2-23].
    Late = "keep-alive exceeded", "device";
    /// The hub could not be reached.
    Unreachable = "hub unreachable", "hub";
    /// A message from the device is known to be lost from here on.
    LostUp = "message lost", "device";
    /// One for the device.
    LostDown = "message lost", "hub";
    /// The device sent a message again.
    AgainUp = "message sent again", "device";
    /// The hub did.
    AgainDown = "message sent again", "hub";
    /// The hub was passed a message of the device again.
    TwiceUp = "message duplicated", "device";
    /// The device was passed a message again.
    TwiceDown = "message duplicated", "hub";
    /// The device gave a message up that it had no acknowledgement of.
    GivenUpUp = "message given up", "device";
    /// The hub did.
    GivenUpDown = "message given up", "hub";
}

impl Kind {
    /// What is to be marked of such news of a message that travels this way; `None` for what has no mark.
    pub(super) fn of_message(direction: Direction, news: &MessageNews) -> Option<Kind> {
        let (up, down) = match news {
            MessageNews::Lost { .. } => (Kind::LostUp, Kind::LostDown),
            MessageNews::Retransmitted { .. } => (Kind::AgainUp, Kind::AgainDown),
            MessageNews::Duplicated { .. } => (Kind::TwiceUp, Kind::TwiceDown),
            MessageNews::GivenUp { .. } => (Kind::GivenUpUp, Kind::GivenUpDown),
            MessageNews::InFlight { .. }
            | MessageNews::DupWrong { .. }
            | MessageNews::IdInUse { .. }
            | MessageNews::UnknownAck { .. }
            | MessageNews::ReceiveMaximum { .. }
            | MessageNews::Gap { .. }
            | MessageNews::Repeated { .. }
            | MessageNews::CaughtUp { .. } => return None,
        };
        Some(match direction {
            Direction::Up => up,
            Direction::Down => down,
        })
    }
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When; the first of several.
    pub at: Time,
    /// What, in the lowest byte, and how often: a run may have hundreds of thousands of these.
    what: u64,
}

/// Where the kind of a mark stands, and how far the count of it from there. There are fewer than 64 kinds.
const KIND: u64 = 0xff;
const COUNT: u32 = 8;
/// The same where a mark is packed: one of few is a byte.
const BITS: u32 = 6;
const _: () = assert!(Kind::ALL.len() <= 1 << BITS);

impl Mark {
    fn new(at: Time, kind: Kind, count: u64) -> Mark {
        Mark { at, what: count.min(u64::MAX >> COUNT) << COUNT | u64::from(kind as u8) }
    }

    /// What.
    pub fn kind(self) -> Kind {
        let number = usize::try_from(self.what & KIND).unwrap_or(0);
        Kind::ALL.get(number).copied().unwrap_or(Kind::Open)
    }

    /// How often: at most 72 million thousand million times.
    pub fn count(self) -> u64 {
        self.what >> COUNT
    }
}

/// How many of the latest marks are not packed at most.
const FRESH: usize = 16;

/// The marks of a lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// The earlier ones, each as how far from the one before it came, and what: five bytes, mostly. They stand as they came:
    /// a connect is known as this device's only later than some of what came after.
    packed: Vec<u8>,
    /// How many those are, and when the last of them was.
    earlier: usize,
    last: Time,
    fresh: Vec<Mark>,
    grain: Duration,
}

impl Marks {
    /// In order of time; those of the same time as they came.
    pub fn all(&self) -> Vec<Mark> {
        let (mut packed, mut at) = (self.packed.as_slice(), Time::ZERO);
        let mut all = Vec::with_capacity(self.earlier + self.fresh.len());
        while let (Some(way), Some(what)) = (take_number(&mut packed), take_number(&mut packed)) {
            at = moved(at, way);
            all.push(Mark { at, what: (what >> BITS) << COUNT | what & ((1 << BITS) - 1) });
        }
        all.extend(&self.fresh);
        all.sort_by_key(|mark| mark.at);
        all
    }

    pub fn grain(&self) -> Duration {
        self.grain
    }

    /// About how many bytes they take.
    pub fn size(&self) -> usize {
        self.packed.len() + self.fresh.len() * size_of::<Mark>()
    }

    pub fn push(&mut self, at: Time, kind: Kind, count: u64, most: usize) {
        // Most lanes have few, and there are thousands of lanes: room is made for two more, or for half as many again; of a
        // device that is back, for about as many as the last time.
        if self.fresh.len() == self.fresh.capacity() {
            let least = if self.earlier > 0 { FRESH / 2 } else { 2 };
            self.fresh.reserve_exact((self.fresh.len() / 2).max(least));
        }
        self.fresh.push(Mark::new(at, kind, count));
        self.hold(most);
        if self.fresh.len() >= FRESH {
            self.pack();
        }
    }

    /// Keeps no more than so many; of a lane that is full, half of them stay.
    pub fn hold(&mut self, most: usize) {
        let most = most.clamp(LEAST_MARKS, MARKS_A_LANE);
        if self.earlier + self.fresh.len() > most {
            self.unpack();
            // At the grain that it has, first: the lane of a device in a tight loop is full again and again.
            self.sum_up();
            while self.fresh.len() > most / 2 && nanos(self.grain) < u64::MAX / 2 {
                self.grain = (self.grain * 2).max(Duration::from_millis(1));
                self.sum_up();
            }
            self.rest();
        }
    }

    /// Nothing is to come for a while.
    pub fn rest(&mut self) {
        self.pack();
        self.fresh = Vec::new();
    }

    fn pack(&mut self) {
        let mut bytes = Vec::with_capacity(self.fresh.len() * 6);
        self.earlier += self.fresh.len();
        for mark in self.fresh.drain(..) {
            push_number(apart(self.last, mark.at), &mut bytes);
            push_number(mark.count() << BITS | (mark.what & KIND), &mut bytes);
            self.last = mark.at;
        }
        if self.packed.is_empty() {
            bytes.shrink_to_fit();
            self.packed = bytes;
            return;
        }
        if self.packed.capacity() - self.packed.len() < bytes.len() {
            self.packed.reserve_exact(bytes.len().max(self.packed.len() / 4));
        }
        self.packed.extend(bytes);
    }

    fn unpack(&mut self) {
        self.fresh = self.all();
        (self.packed, self.earlier, self.last) = (Vec::new(), 0, Time::ZERO);
    }

    /// Of each kind, one is left in a bin of the grain, with the count of all. One pass: a full lane of a device in a tight loop
    /// does this all the time.
    fn sum_up(&mut self) {
        if self.grain.is_zero() {
            return;
        }
        let grain = nanos(self.grain);
        // Those before `kept` stay; of them, those from `begun` on are of the bin under way, which has these kinds, a bit each.
        let (mut kept, mut begun, mut bin, mut kinds) = (0, 0, 0, 0_u64);
        for nth in 0..self.fresh.len() {
            let mark = self.fresh[nth];
            let of = mark.at.as_nanos() / grain;
            if of != bin {
                self.fresh[begun..kept].sort_by_key(|mark| (mark.at, mark.kind()));
                (begun, bin, kinds) = (kept, of, 0);
            }
            let kind = 1 << (mark.what & KIND);
            if kinds & kind == 0 {
                self.fresh[kept] = mark;
                (kept, kinds) = (kept + 1, kinds | kind);
            } else if let Some(first) =
                self.fresh[begun..kept].iter_mut().find(|first| first.what & KIND == mark.what & KIND)
            {
                *first = Mark::new(first.at, first.kind(), first.count().saturating_add(mark.count()));
            }
        }
        self.fresh[begun..kept].sort_by_key(|mark| (mark.at, mark.kind()));
        self.fresh.truncate(kept);
    }
}

impl Pack for Marks {
    fn pack(&self, to: &mut Writer) {
        let Marks { packed, earlier, last, fresh, grain } = self;
        to.slice(packed);
        (*earlier, (*last, *grain)).pack(to);
        fresh.len().pack(to);
        fresh.iter().for_each(|mark| (mark.at, mark.what).pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Marks> {
        let packed = from.slice()?.to_vec();
        let (earlier, (last, grain)) = Pack::unpack(from)?;
        let fresh = Vec::unpack(from)?.into_iter().map(|(at, what)| Mark { at, what }).collect();
        Some(Marks { packed, earlier, last, fresh, grain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Marks come in order but for a few, and the lane rests now and then.
        #[test]
        fn they_are_had_back_in_order(
            steps in prop::collection::vec((0..60_000_000_u64, 0..32_usize, 1..90_u64, 0..12_u8), 0..200),
        ) {
            let (mut marks, mut plain, mut now) = (Marks::default(), Vec::new(), 0);
            for (apart, kind, count, what) in steps {
                now += apart;
                let at = Time::from_nanos(if what == 0 { now / 2 } else { now });
                let place = plain.partition_point(|mark: &Mark| mark.at <= at);
                plain.insert(place, Mark::new(at, Kind::ALL[kind], count));
                marks.push(at, Kind::ALL[kind], count, MARKS_A_LANE);
                if what == 1 {
                    marks.rest();
                }
                prop_assert_eq!(marks.all(), plain.as_slice());
            }
        }
    }

    #[test]
    fn a_thousand_take_little() {
        let mut marks = Marks::default();
        for nth in 0..1_000_u64 {
            marks.push(
                Time::from_millis(nth * 250),
                Kind::ALL[7],
                1 + nth / 999 * (u64::MAX >> COUNT),
                MARKS_A_LANE,
            );
        }
        let heap = marks.packed.capacity() + marks.fresh.capacity() * size_of::<Mark>();
        assert!(heap < 7_000, "{heap} bytes");
        marks.rest();
        assert_eq!(marks.all().last().map(|mark| mark.count()), Some(u64::MAX >> COUNT));
        assert_eq!(marks.fresh.capacity(), 0);
    }
}
