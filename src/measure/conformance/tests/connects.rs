//! Connects in a row, none of which comes to anything.

use super::*;
use crate::base::Side;
use crate::fault::Ending;

/// So many connects of a device, so far apart, each refused.
fn refused(story: &mut Story, device: u32, name: &'static str, from: u64, waits: &[u64]) {
    let mut at = from;
    for (nth, wait) in (0u64..).zip(waits) {
        let link = u64::from(device) * 1_000 + nth;
        story.at(at).connect(link, device, name, 2).connack(link, false, 3);
        story.ends(link, Side::Hub, Ending::Fin).carried(link, Side::Device).closes(link);
        at += wait;
    }
}

#[test]
fn ten_connects_within_a_tenth_of_a_second_each_are_a_loop() {
    for (waits, expected) in [
        (vec![99; 10], Some(("reconnect-loop", Grade::Fail))),
        (vec![99; 9], None),
        (vec![100; 10], Some(("no-back-off", Grade::Warn))),
        (vec![1_000; 10], None),
        (vec![10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 5_120], None),
    ] {
        let mut story = Story::new();
        refused(&mut story, 0, "a", 0, &waits);
        let told = found(&story).first().map(|finding| (finding.id, finding.grade));
        assert_eq!(told, expected, "{waits:?}");
    }
}

/// Links without a CONNECT are connects of the only device at their address where they come one after another; what is open
/// beside its link, or beside another of them, somebody else opened: a probe, a client that never speaks.
#[test]
fn a_link_without_connect_is_a_try_where_the_device_has_no_other() {
    let told = |story: &Story| found(story).first().map(|finding| (finding.id, finding.count));
    let open = |story: &mut Story, link: u64| {
        let (link, peer) = (LinkId(link), format!("127.0.0.1:{link}"));
        story.tell(What::LinkOpened { link, listener: crate::base::ListenerId(0), peer, to: None });
    };
    for (beside, expected) in [(false, Some(("reconnect-loop", 1))), (true, None)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(2_000).up(1, Packet::Disconnect { reason: 0 });
        story.ends(1, Side::Device, Ending::Fin).closes(1);
        for link in 2..13 {
            open(story.at(2_000 + link), link);
            if !beside {
                story.closes(link);
            }
        }
        (2..13).filter(|_| beside).for_each(|link| _ = story.at(3_000 + link).closes(link));
        assert_eq!(told(&story), expected, "{beside}");
    }
    for first in [true, false] {
        let mut story = Story::new();
        let probes = |story: &mut Story| (2..22).for_each(|link| open(story, link));
        if first {
            probes(&mut story);
        }
        story.at(1).joins(1, 0, "a", 60).at(2);
        if !first {
            probes(&mut story);
        }
        story.at(2_000).up(1, Packet::Disconnect { reason: 0 }).ends(1, Side::Device, Ending::Fin).closes(1);
        (2..22).for_each(|link| _ = story.at(3_000).closes(link));
        assert_eq!(told(&story), None, "{first}");
    }
}

#[test]
fn a_link_that_lived_ends_the_series_and_one_that_died_at_once_does_not() {
    for (lived, expected) in [(999, true), (1_000, false)] {
        let mut story = Story::new();
        let mut at = 0;
        for link in 0..20 {
            story.at(at).joins(link, 0, "a", 60).at(at + if link == 9 { lived } else { 10 });
            story.ends(link, Side::Hub, Ending::Fin).carried(link, Side::Device).closes(link);
            at += if link == 9 { lived + 10 } else { 20 };
        }
        story.over();
        let told = found(&story).into_iter().filter(|finding| finding.id == "reconnect-loop");
        let counts: Vec<u64> = told.map(|finding| finding.count).collect();
        assert_eq!(counts, [if expected { 1 } else { 2 }], "{lived}");
    }
}

/// A script that publishes a message with each of its connects, and says DISCONNECT: each came to what it was made for.
#[test]
fn who_leaves_with_disconnect_was_not_trying_to_connect() {
    for (by_device, expected) in [(true, None), (false, Some("reconnect-loop"))] {
        let mut story = Story::new();
        for link in 0..20 {
            story.at(link * 20).joins(link, 0, "a", 60).at(link * 20 + 10);
            match by_device {
                true => {
                    _ = story.up(link, Packet::Disconnect { reason: 0 }).ends(link, Side::Device, Ending::Fin)
                }
                false => _ = story.ends(link, Side::Device, Ending::Reset),
            }
            story.carried(link, Side::Hub).closes(link);
        }
        story.at(10_000).over();
        assert_eq!(found(&story).first().map(|finding| finding.id), expected, "{by_device}");
    }
    // In answer to the hub's end, or before CONNACK, it is no leave.
    for answered in [true, false] {
        let mut story = Story::new();
        for link in 0..20 {
            story.at(link * 20).connect(link, 0, "a", 60);
            if answered {
                story.connack(link, false, 0).ends(link, Side::Hub, Ending::Fin).carried(link, Side::Device);
            }
            story.at(link * 20 + 10).up(link, Packet::Disconnect { reason: 0 });
            story.ends(link, Side::Device, Ending::Fin).closes(link);
        }
        assert_eq!(found(&story).first().map(|finding| finding.id), Some("reconnect-loop"), "{answered}");
    }
}

/// Where TLS is passed through, what the hub says may be a CONNACK, and what the device says then DISCONNECT.
#[test]
fn who_was_answered_behind_tls_may_have_left_in_good_order() {
    use crate::base::Direction;
    for (answered, expected) in [(true, None), (false, Some("reconnect-loop"))] {
        let mut story = Story::new();
        for link in 0..20 {
            story.at(link * 20).opens_link(link, 0, "192.0.2.1").hello(link, true);
            let directions = [Direction::Up, Direction::Down].into_iter().take(if answered { 2 } else { 1 });
            for direction in directions {
                story.tell(What::FirstData { link: LinkId(link), direction });
            }
            story
                .at(link * 20 + 10)
                .ends(link, Side::Device, Ending::Fin)
                .carried(link, Side::Hub)
                .closes(link);
        }
        assert_eq!(found(&story).first().map(|finding| finding.id), expected, "{answered}");
    }
}

/// Ten devices that each wait 5 s.
#[test]
fn a_fleet_that_waits_alike() {
    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for (devices, expected) in [(9, false), (10, true)] {
        let mut story = Story::new();
        for (device, name) in (0u32..).zip(&NAMES[..devices]) {
            refused(&mut story, device, name, u64::from(device), &[5_000; 4]);
        }
        let told = named(&story);
        let fleet: Vec<_> = expected.then_some(("no-jitter", Grade::Warn, true)).into_iter().collect();
        assert_eq!(told, fleet, "{devices}");
    }
    // A connect that was not seen is no longer wait; longer waits are.
    for (waits, expected) in
        [([5_000, 5_000, 10_000, 5_000, 1], true), ([5_000, 5_000, 10_000, 20_000, 1], false)]
    {
        let mut story = Story::new();
        for (device, name) in (0u32..).zip(NAMES) {
            refused(&mut story, device, name, u64::from(device), &waits);
        }
        assert_eq!(!named(&story).is_empty(), expected, "{waits:?}");
    }
    let mut story = Story::new();
    for (device, name) in (0u32..).zip(NAMES) {
        let spread = u64::from(device) * 700;
        refused(&mut story, device, name, 0, &[1_000, 3_000 + spread, 1_500, 4_000, 900 + spread, 2_000]);
    }
    assert_eq!(named(&story), NOTHING);
}
