//! The links of a run: those that live, and those that are over, at rest.

use super::Link;
use crate::base::{LinkId, Resting};

/// All links of a run, by number.
pub type Links = Resting<LinkId, Link>;

#[cfg(test)]
mod tests {
    use super::super::{Connack, DeviceFacts, Muted, Showed, Sign, Unread, Wrapped};
    use super::*;
    use crate::base::pack::{Pack, Reader, Writer};
    use crate::base::{DeviceId, Ends, Rest, RuleId, Side, Time, Ways, WindowId};
    use crate::event::{Count, LastPackets};
    use crate::fault::{ConnackCode, Ending, LegFate};
    use crate::measure::packets::{Greeting, KeepAlive};
    use crate::mqtt::Version;
    use crate::tls::Alert;
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
            Showed::Ended(Ending::WsClose),
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
        link.greeting = has(12).then(|| Greeting {
            at: at(2),
            token_expiry,
            same_password: has(37),
            clean: has(36),
            keep_alive,
        });
        link.asked = has(13).then(|| at(3));
        (link.connect_waited, link.hub_accepted, link.goodbye_lost) = (has(14), has(15), has(16));
        link.foreign = has(42);
        link.connack = has(17).then(|| Connack { at: at(4), delivered: has(18).then(|| at(5)), code: byte });
        let sign = |place| Sign { at: at(place), showed, last: last(place) };
        link.signs = Ends { device: has(19).then(|| sign(6)), hub: has(20).then(|| sign(7)) };
        link.told = Ends { device: has(21).then(|| at(8)), hub: has(22).then(|| at(9)) };
        link.cut_off = Ends { device: has(40), hub: has(41) };
        link.waits = Ends { device: has(36).then(|| has(22)), hub: has(35).then(|| has(21)) };
        link.cut = has(23).then(|| (at(10), has(24).then(|| WindowId(nth(1)))));
        link.fate = has(25).then(|| fates[usize::from(byte) % fates.len()]);
        link.rival = has(26).then(|| (at(11), RuleId(small(6))));
        link.left_under = has(27).then(|| RuleId(small(7)));
        link.last = Ends { device: last(3), hub: last(5) };
        link.unread = has(38).then(|| Unread { since: at(6), until: has(39).then(|| at(7)) });
        let muted = |place| Muted { since: at(place), until: has(46).then(|| at(9)) };
        link.muted = has(43)
            .then(|| Box::new(Ends { device: has(44).then(|| muted(8)), hub: has(45).then(|| muted(7)) }));
        link.unreachable = has(28);
        link.hub_connect = has(29).then(|| Duration::from_nanos(nth(8)));
        link.resubscribed = has(30).then(|| at(9));
        link.first = Ways { up: has(31).then(|| at(1)), down: has(32).then(|| at(2)) };
        link.count = Ways { up: count(1), down: count(5) };
        link.broken = has(33).then(|| at(3));
        link.wrapped = has(34).then(|| {
            let failed = has(37).then(|| (at(5), Side::Device));
            let closed = has(38).then(|| (at(6), Side::Hub, has(39).then(|| small(3))));
            let took = Ends { device: has(40).then(|| Duration::from_nanos(nth(1))), hub: None };
            let alert = Ends { device: has(41).then_some(Alert(byte)), hub: None };
            let (up, resumed) =
                (Ends { device: None, hub: has(42).then(|| at(7)) }, Ends { device: has(43), hub: has(44) });
            let (hello, passed_through) = (has(45).then(|| at(4)), has(46));
            let subject = has(47).then(|| format!("CN={byte}").into());
            Box::new(Wrapped { hello, passed_through, up, took, resumed, failed, alert, closed, subject })
        });
        link.unanswered = (0..nth(2) % 4).map(WindowId).collect();
        (link.settling, link.owed_to_the_end) = (has(35), has(36));
        link.close(at(7));
        link
    }

    fn packed(link: &Link) -> Vec<u8> {
        let mut to = Writer::default();
        link.pack(&mut to);
        to.finish()
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
            prop_assert!(link.may_rest());
            let back = Link::unpack(&mut Reader::new(&packed(&link))).unwrap();
            prop_assert_eq!(format!("{back:?}"), format!("{link:?}"));
        }

        #[test]
        fn other_bytes_are_no_link(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Link::unpack(&mut Reader::new(&bytes));
        }
    }

    #[test]
    fn what_is_known_of_a_device_that_rested_is_what_it_was() {
        let mut facts =
            DeviceFacts { links: vec![LinkId(7), LinkId(9), LinkId(8)], ..DeviceFacts::default() };
        let same = |facts: &DeviceFacts| {
            let mut to = Writer::default();
            facts.pack(&mut to);
            let back = DeviceFacts::unpack(&mut Reader::new(&to.finish())).unwrap();
            assert_eq!(format!("{back:?}"), format!("{facts:?}"));
        };
        same(&facts);
        facts.wanted.add(["a/+"]);
        (facts.violations, facts.subject) = (3, Some("CN=pump-1".into()));
        for nth in 1..30 {
            let took = Duration::from_millis(nth * nth);
            facts.control_gap.add(took);
            facts.publish_rtt.add(took / 2);
            facts.ping_rtt.add(took / 3);
            facts.sound.ping.add(took / 4);
            facts.sound.publish.add(took / 5);
            same(&facts);
        }
        assert!(!facts.may_rest());
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
        let size = packed(&link).len();
        assert!(size <= 130, "{size} bytes");
    }
}
