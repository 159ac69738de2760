//! What happened on a lane at a moment: packets, and the signs of each end.

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
}

impl Kind {
    /// What is to be marked of such news of a message that travels this way; `None` for what has no mark.
    pub(super) fn of_message(direction: Direction, news: &MessageNews) -> Option<Kind> {
        let (up, down) = match news {
            MessageNews::Lost { .. } => (Kind::LostUp, Kind::LostDown),
            MessageNews::Retransmitted { .. } => (Kind::AgainUp, Kind::AgainDown),
            MessageNews::Duplicated { .. } => (Kind::TwiceUp, Kind::TwiceDown),
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

/// How far the count of a mark stands from its kind.
const COUNT: u32 = 8;

impl Mark {
    fn new(at: Time, kind: Kind, count: u64) -> Mark {
        Mark { at, what: count.min(u64::MAX >> COUNT) << COUNT | u64::from(kind as u8) }
    }

    /// What.
    pub fn kind(self) -> Kind {
        let number = usize::try_from(self.what & 0xff).unwrap_or(0);
        Kind::ALL.get(number).copied().unwrap_or(Kind::Open)
    }

    /// How often: at most 72 million thousand million times.
    pub fn count(self) -> u64 {
        self.what >> COUNT
    }
}

/// The marks of a lane.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    marks: Vec<Mark>,
    grain: Duration,
}

impl Marks {
    pub fn all(&self) -> &[Mark] {
        &self.marks
    }

    pub fn grain(&self) -> Duration {
        self.grain
    }

    pub fn push(&mut self, at: Time, kind: Kind, count: u64, most: usize) {
        // A connect is known as this device's only later than some of what came after.
        let place = self.marks.partition_point(|mark| mark.at <= at);
        // Most lanes have few, and there are thousands of lanes: room is made for two more, or for half as many again.
        if self.marks.len() == self.marks.capacity() {
            self.marks.reserve_exact((self.marks.len() / 2).max(2));
        }
        self.marks.insert(place, Mark::new(at, kind, count));
        self.hold(most);
    }

    /// Keeps no more than so many; of a lane that is full, half of them stay.
    pub fn hold(&mut self, most: usize) {
        let most = most.clamp(LEAST_MARKS, MARKS_A_LANE);
        if self.marks.len() > most {
            while self.marks.len() > most / 2 && nanos(self.grain) < u64::MAX / 2 {
                self.coarsen();
            }
        }
    }

    /// Doubles the grain: of each kind, one is left in a bin, with the count of all. One pass: a full lane of a device in a
    /// tight loop does this all the time.
    fn coarsen(&mut self) {
        self.grain = (self.grain * 2).max(Duration::from_millis(1));
        let grain = nanos(self.grain).max(1);
        let bin = |mark: &Mark| mark.at.as_nanos() / grain;
        // Those before `kept` stay; of them, those from `begun` on are of the bin under way.
        let (mut kept, mut begun) = (0, 0);
        for nth in 0..self.marks.len() {
            let mark = self.marks[nth];
            if kept > begun && bin(&self.marks[begun]) != bin(&mark) {
                self.marks[begun..kept].sort_by_key(|mark| (mark.at, mark.kind()));
                begun = kept;
            }
            match self.marks[begun..kept].iter_mut().find(|first| first.kind() == mark.kind()) {
                Some(first) => {
                    *first = Mark::new(first.at, first.kind(), first.count().saturating_add(mark.count()))
                }
                None => {
                    self.marks[kept] = mark;
                    kept += 1;
                }
            }
        }
        self.marks[begun..kept].sort_by_key(|mark| (mark.at, mark.kind()));
        self.marks.truncate(kept);
    }
}
