//! The links of a run: those that live, and those that are over, packed.

use super::{Link, Wrapped};
use crate::base::{LinkId, Shelf};
use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::iter;

/// So many that closed last are not packed yet: something may still be told of them, or asked.
const LATELY: usize = 64;

/// How many packed links may be looked at before what was unpacked for that goes.
const LOOKED_AT: usize = 1024;

/// All links of a run, by number.
#[derive(Clone, Debug, Default)]
pub struct Links {
    live: Shelf<LinkId, Link>,
    over: Shelf<LinkId, Past>,
    /// Those to be packed, the first one first.
    closed: VecDeque<LinkId>,
    /// How many of those that are over are unpacked, too.
    looked_at: Cell<usize>,
}

/// A link that is over.
#[derive(Clone, Debug)]
struct Past {
    packed: Box<[u8]>,
    wrapped: Option<Box<Wrapped>>,
    /// The same, where somebody has looked at it.
    seen: OnceCell<Box<Link>>,
}

impl Links {
    /// A link.
    pub fn get(&self, id: &LinkId) -> Option<&Link> {
        self.live.get(id).or_else(|| self.look(self.over.get(id)?))
    }

    /// A link, to be changed; one that is over, too.
    pub fn get_mut(&mut self, id: &LinkId) -> Option<&mut Link> {
        if let Some(past) = self.over.remove(id) {
            self.live.insert(*id, past.unpack());
            self.closed.push_back(*id);
        }
        self.live.get_mut(id)
    }

    /// A new link.
    pub fn insert(&mut self, id: LinkId, link: Link) {
        self.over.remove(&id);
        self.live.insert(id, link);
    }

    /// All links, in the order of numbers.
    pub fn values(&self) -> impl Iterator<Item = &Link> {
        let (mut live, mut over) = (self.live.iter().peekable(), self.over.iter().peekable());
        iter::from_fn(move || match (live.peek(), over.peek()) {
            (Some((first, _)), Some((other, _))) if first > other => self.look(over.next()?.1),
            (Some(_), _) => Some(live.next()?.1),
            (None, _) => self.look(over.next()?.1),
        })
    }

    /// A link has closed. Packs those that did before, of which nothing was told since.
    pub fn closes(&mut self, id: LinkId) {
        self.closed.push_back(id);
        while self.closed.len() > LATELY {
            self.closed.pop_front().into_iter().for_each(|id| self.pack(id));
        }
        if self.looked_at.get() > LOOKED_AT {
            self.looked_at.set(0);
            self.over.values_mut().for_each(|past| _ = past.seen.take());
        }
    }

    fn pack(&mut self, id: LinkId) {
        let Some(packed) = self.live.get(&id).and_then(Link::pack) else { return };
        let wrapped = self.live.remove(&id).and_then(|link| link.wrapped);
        self.over.insert(id, Past { packed, wrapped, seen: OnceCell::new() });
    }

    fn look<'a>(&self, past: &'a Past) -> Option<&'a Link> {
        Some(past.seen.get_or_init(|| {
            self.looked_at.set(self.looked_at.get() + 1);
            Box::new(past.clone().unpack())
        }))
    }
}

impl Past {
    fn unpack(self) -> Link {
        // What was packed here can be unpacked.
        let link = Link::unpack(&self.packed).unwrap_or_else(|| Link::new(crate::base::Time::ZERO));
        Link { wrapped: self.wrapped, ..link }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Connack, Showed, Sign};
    use super::*;
    use crate::base::{DeviceId, Ends, RuleId, Time, Ways, WindowId};
    use crate::event::{Count, LastPackets};
    use crate::fault::{ConnackCode, Ending, LegFate};
    use crate::measure::packets::{Greeting, KeepAlive};
    use crate::mqtt::Version;
    use proptest::prelude::*;
    use std::time::Duration;

    /// A link of which nearly all is known, made from numbers.
    fn link(n: &[u64; 12], bits: u64) -> Link {
        let nth = |at: usize| n[at % n.len()];
        let at = |place: usize| Time::from_nanos(nth(place));
        let has = |place: u64| bits >> place & 1 == 1;
        let last = |place: usize| LastPackets {
            from: has(1).then_some(at(place)),
            to: has(2).then_some(at(place + 1)),
        };
        let small = |place: usize| u16::try_from(nth(place) % 65_536).unwrap();
        let [byte, ..] = nth(3).to_le_bytes();
        let showed = [
            Showed::Ended(Ending::Fin),
            Showed::Ended(Ending::Unnotified),
            Showed::Ended(Ending::Alert),
            Showed::Ended(Ending::Reset),
            Showed::Disconnect(byte),
            Showed::Connect,
        ];
        let showed = showed[usize::from(byte) % showed.len()];
        let fates = [
            LegFate::Reset,
            LegFate::Rejected(ConnackCode { return_code: 5, reason_code: 0x87 }),
            LegFate::Disconnected(byte),
            LegFate::HalfOpen,
        ];
        let count = |place| Count { bytes: nth(place), packets: nth(place + 1), publishes: nth(place + 2) };
        let version = [Version::V31, Version::V311, Version::V5][usize::from(byte) % 3];
        let keep_alive = KeepAlive {
            version,
            asked: small(1),
            hub_told: small(2),
            hub_answered: has(3).then(|| small(3)),
            device_told: has(4).then(|| small(4)),
        };
        let mut link = Link::new(at(0));
        link.device = has(5).then(|| DeviceId(u32::from(small(5))));
        link.to = has(6).then(|| format!("[::1]:{byte}").into());
        link.dialled = has(7).then(|| at(1));
        (link.opened_before, link.accepted_before, link.is_past) = (has(8), has(9), has(10));
        let token_expiry = has(11).then(|| nth(2));
        link.greeting = has(12).then(|| Greeting { at: at(2), token_expiry, keep_alive });
        link.asked = has(13).then(|| at(3));
        (link.connect_waited, link.hub_accepted, link.goodbye_lost) = (has(14), has(15), has(16));
        link.connack = has(17).then(|| Connack { at: at(4), delivered: has(18).then(|| at(5)), code: byte });
        let sign = |place| Sign { at: at(place), showed, last: last(place) };
        link.signs = Ends { device: has(19).then(|| sign(6)), hub: has(20).then(|| sign(7)) };
        link.told = Ends { device: has(21).then(|| at(8)), hub: has(22).then(|| at(9)) };
        link.cut = has(23).then(|| (at(10), has(24).then(|| WindowId(nth(1)))));
        link.fate = has(25).then(|| fates[usize::from(byte) % fates.len()]);
        link.rival = has(26).then(|| (at(11), RuleId(small(6))));
        link.left_under = has(27).then(|| RuleId(small(7)));
        link.last = Ends { device: last(3), hub: last(5) };
        link.unreachable = has(28);
        link.hub_connect = has(29).then(|| Duration::from_nanos(nth(8)));
        link.resubscribed = has(30).then(|| at(9));
        link.first = Ways { up: has(31).then(|| at(1)), down: has(32).then(|| at(2)) };
        link.count = Ways { up: count(1), down: count(5) };
        link.broken = has(33).then(|| at(3));
        link.wrapped = has(34).then(|| Box::new(Wrapped { hello: Some(at(4)), ..Wrapped::default() }));
        link.unanswered = (0..nth(2) % 4).map(WindowId).collect();
        (link.settling, link.owed_to_the_end) = (has(35), has(36));
        link.close(at(7));
        link
    }

    /// Times as they are, and as nobody has seen them.
    fn numbers() -> impl Strategy<Value = [u64; 12]> {
        let near = 3_600_000_000_000_u64..3_660_000_000_000;
        prop::array::uniform12(prop_oneof![near, 0..300_u64, Just(u64::MAX - 1), any::<u64>()])
            .prop_map(|numbers| numbers.map(|number| number.min(u64::MAX - 1)))
    }

    proptest! {
        #[test]
        fn what_is_packed_is_had_back_as_it_was(n in numbers(), bits in any::<u64>()) {
            let link = link(&n, bits);
            let mut back = Link::unpack(&link.pack().unwrap()).unwrap();
            back.wrapped.clone_from(&link.wrapped);
            prop_assert_eq!(format!("{back:?}"), format!("{link:?}"));
        }

        #[test]
        fn other_bytes_are_no_link(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Link::unpack(&bytes);
        }

        /// Links open and close in any order, are looked at and changed afterwards.
        #[test]
        fn it_holds_what_a_map_holds(
            n in numbers(),
            steps in prop::collection::vec((0_u8..8, 0_u64..300), 1..900),
        ) {
            let (mut links, mut map) = (Links::default(), std::collections::BTreeMap::new());
            for (what, id) in steps {
                let id = LinkId(id);
                match what {
                    0..=2 => {
                        links.insert(id, link(&n, id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
                        map.insert(id, link(&n, id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
                    }
                    3..=5 => links.closes(id),
                    6 => {
                        let same = format!("{:?}", links.get(&id)) == format!("{:?}", map.get(&id));
                        prop_assert!(same);
                    }
                    _ => {
                        links.get_mut(&id).into_iter().for_each(|link| link.count.up.bytes = 7);
                        map.get_mut(&id).into_iter().for_each(|link| link.count.up.bytes = 7);
                    }
                }
            }
            let all: Vec<String> = links.values().map(|link| format!("{link:?}")).collect();
            prop_assert_eq!(all, map.values().map(|link| format!("{link:?}")).collect::<Vec<_>>());
        }
    }

    /// A device that connects, says hello, and closes, again and again.
    #[test]
    fn a_link_that_is_over_takes_little() {
        let second = |seconds: u64| seconds * 1_000_000_000;
        let n = std::array::from_fn(|nth| second(100_000) + second(u64::try_from(nth).unwrap()) / 100);
        let mut link = link(&n, 0x7_bfff_ffff & !(1 << 34));
        (link.to, link.cut, link.fate, link.rival) = (None, None, None, None);
        link.unanswered = Vec::new();
        link.count.up = Count { bytes: 1_200, packets: 4, publishes: 1 };
        link.count.down = Count { bytes: 9, packets: 2, publishes: 0 };
        let size = link.pack().unwrap().len();
        assert!(size <= 130, "{size} bytes");
        let mut links = Links::default();
        for id in (0..1_000).map(LinkId) {
            links.insert(id, link.clone());
            links.closes(id);
        }
        assert_eq!((links.live.len(), links.over.len()), (LATELY, 1_000 - LATELY));
        assert!(size_of::<Past>() <= 32);
    }
}
