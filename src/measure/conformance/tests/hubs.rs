//! What hubs owe: the one and a half keep-alives, PINGRESP, SUBACK, session present, one link for a client identifier.

use super::*;
use crate::base::{Direction, ListenerId, Side};
use crate::event::{RivalNews, SessionTerms};
use crate::fault::{Alteration, Ending, LegFate};

/// Keep-alive 2 s: 1.5 of it, and 5 s more, after the last packet that the hub got.
#[test]
fn a_hub_ends_a_silent_link_in_time() {
    for (until, expected) in [(9_000, false), (9_001, true)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(1_000).pings(1).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
        story.at(until).ends(1, Side::Hub, Ending::Fin).lifts(1, 1).heals(1).closes(1);
        let told = named(&story);
        let enforced: Vec<_> =
            expected.then_some(("keepalive-not-enforced", Grade::Fail, true)).into_iter().collect();
        assert_eq!(told, enforced, "{until}");
    }
}

/// It is told at the end of the dark, too, and of a device that is silent by itself.
#[test]
fn a_hub_that_keeps_a_link_for_good() {
    for (until, expected) in [(9_000, false), (9_001, true)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(1_000).pings(1).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
        story.at(until).lifts(1, 1).heals(1).pings(1).at(until + 1).over();
        assert_eq!(!named(&story).is_empty(), expected, "{until}");
        let mut story = Story::new();
        let gap_ns = (until - 1_000) * 1_000_000;
        story.joins(1, 0, "a", 2).at(60_000).tell(What::KeepaliveExceeded {
            link: LinkId(1),
            gap_ns,
            took_ns: 0,
        });
        story.pings(1).closes(1);
        let told = named(&story).contains(&("keepalive-not-enforced", Grade::Fail, true));
        assert_eq!(told, expected, "{until}");
    }
}

/// A packet takes long to come in: the hub may count its bytes, or not.
#[test]
fn a_hub_that_hears_bytes_of_a_packet_is_not_said_to_hear_nothing() {
    for (last, until, expected) in [(8_000, 16_000, false), (8_000, 16_001, true)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(1_000).pings(1);
        for at in (2_000..=last).step_by(1_000) {
            story.at(at).trickles(1);
        }
        story.at(until).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).closes(1);
        assert_eq!(!named(&story).is_empty(), expected, "{until}");
    }
    // It went by whole packets, and was not too strict with it.
    let mut story = Story::new();
    story.joins_as(1, 0, "a", Version::V5).at(3_900).trickles(1);
    story.at(4_000).down(1, Packet::Disconnect { reason: 0x8d });
    assert_eq!(named(&story), NOTHING);
}

#[test]
fn a_hub_is_not_held_to_what_is_not_seen() {
    // Its FIN is dropped by the kernel; its leg leads nowhere; the device has said goodbye.
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).opens(1, 0, 0, 2).applies(1, 1, Mechanism::MinTtl).at(60_000).closes(1);
    assert_eq!(named(&story), NOTHING);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).cut(1, Side::Hub, LegFate::HalfOpen, 1).at(60_000).closes(1);
    assert_eq!(named(&story), NOTHING);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).up(1, Packet::Disconnect { reason: 0 }).at(60_000).closes(1);
    assert_eq!(named(&story), NOTHING);
}

#[test]
fn a_keep_alive_timeout_before_its_time() {
    for (at, expected) in [(1_899, true), (1_900, false)] {
        let mut story = Story::new();
        story.joins_as(1, 0, "a", Version::V5).at(at).down(1, Packet::Disconnect { reason: 0x8d });
        assert_eq!(!named(&story).is_empty(), expected, "{at}");
    }
}

#[test]
fn three_ends_after_the_same_silence_are_a_timers() {
    for (silences, expected) in [
        ([1_500, 1_510, 1_490], true),
        ([1_500, 1_200, 1_490], false),
        ([900, 910, 905], false),
        ([3_000, 3_010, 3_000], false),
    ] {
        let mut story = Story::new();
        for (nth, silence) in (1u64..).zip(silences) {
            story.at(nth * 10_000).joins(nth, 0, "a", 2).at(nth * 10_000 + silence);
            story.ends(nth, Side::Hub, Ending::Fin).carried(nth, Side::Device).closes(nth);
        }
        assert_eq!(!named(&story).is_empty(), expected, "{silences:?}");
    }
}

#[test]
fn a_pingreq_is_answered_within_the_keep_alive_at_least_five_seconds() {
    for (until, expected) in [(5_999, false), (6_000, true)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 4).at(1_000).up(1, Packet::Pingreq).at(until);
        story.ends(1, Side::Device, Ending::Reset);
        let told = named(&story);
        let unanswered: Vec<_> =
            expected.then_some(("pingreq-unanswered", Grade::Fail, true)).into_iter().collect();
        assert_eq!(told, unanswered, "{until}");
    }
    // Late is not never; and a fault in between excuses it.
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(1_000).up(1, Packet::Pingreq).at(20_000).down(1, Packet::Pingresp).over();
    assert_eq!(named(&story), NOTHING);
    let mut story = Story::new();
    story.joins(1, 0, "a", 10).at(1_000).up(1, Packet::Pingreq);
    story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate).lifts(1, 1).heals(1);
    story.at(15_000).ends(1, Side::Device, Ending::Reset);
    assert_eq!(named(&story), NOTHING);
}

/// Its answer may stand behind messages that the device does not take: the hub has its time once it is read again.
#[test]
fn a_hub_that_is_left_unread_is_not_held_to_answer() {
    for (since, again, until, expected) in [
        (Some(500), None, 20_000, false),
        (Some(3_000), None, 20_000, false),
        (Some(3_000), Some(10_000), 14_999, false),
        (Some(3_000), Some(10_000), 15_000, true),
        (None, None, 6_000, true),
    ] {
        for subscribes in [false, true] {
            let mut story = Story::new();
            story.joins(1, 0, "a", 4);
            if let Some(since) = since.filter(|since| *since < 1_000) {
                story.at(since).leaves_unread(1, Some(since));
            }
            let (asks, name) = match subscribes {
                true => (Packet::Subscribe { id: 1, filters: vec!["x".into()] }, "subscribe-unanswered"),
                false => (Packet::Pingreq, "pingreq-unanswered"),
            };
            story.at(1_000).up(1, asks);
            if let Some(since) = since.filter(|since| *since >= 1_000) {
                story.at(since).leaves_unread(1, Some(since));
            }
            if let Some(again) = again {
                story.at(again).leaves_unread(1, None);
            }
            story.at(until).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
            let told = found(&story).iter().any(|finding| finding.id == name);
            assert_eq!(told, expected, "{name} {since:?} {again:?} {until}");
        }
    }
}

#[test]
fn each_filter_has_its_code() {
    for (version, rule) in [(Version::V311, "MQTT-3.8.4-5"), (Version::V5, "MQTT-3.8.4-6")] {
        for (codes, expected) in [(vec![0, 1], None), (vec![0], Some(rule)), (vec![0; 3], Some(rule))] {
            let mut story = Story::new();
            story.joins_as(1, 0, "a", version);
            story.up(1, Packet::Subscribe { id: 9, filters: vec!["a".into(), "b".into()] });
            story.down(1, Packet::Suback { id: 9, codes });
            assert_eq!(found(&story).first().and_then(|finding| finding.rule), expected);
        }
    }
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).up(1, Packet::Subscribe { id: 9, filters: vec!["a".into()] });
    story.at(4_999).over();
    assert_eq!(named(&story), NOTHING);
    story.at(5_000).over();
    assert_eq!(only(&story).rule, Some("MQTT-3.8.4-1"));
}

#[test]
fn session_present_is_said_of_no_refusal_and_no_clean_start() {
    for (version, code, rule) in [
        (Version::V311, 5, "MQTT-3.2.2-4"),
        (Version::V5, 0x87, "MQTT-3.2.2-6"),
        (Version::V311, 0, "MQTT-3.2.2-1"),
        (Version::V5, 0, "MQTT-3.2.2-2"),
    ] {
        let mut story = Story::new();
        story.opens_link(1, 0, "a").up(1, asks("a", version, 2, None)).connack(1, true, code);
        let finding = only(&story);
        assert_eq!((finding.rule, finding.device), (Some(rule), None));
    }
}

/// Its FIN may stand behind what is left unread, since the device takes no more.
#[test]
fn a_hub_that_is_left_unread_may_have_ended_its_link() {
    for (unread, expected) in [(false, true), (true, false)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(1_000).pings(1).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
        if unread {
            story.at(1_500).leaves_unread(1, Some(1_500));
        }
        story.at(30_000).lifts(1, 1).heals(1).ends(1, Side::Hub, Ending::Fin).closes(1);
        assert_eq!(!named(&story).is_empty(), expected, "{unread}");
    }
}

/// What a device asks of its session, by version.
fn asking(version: Version, clean: bool, session_expiry: Option<u32>) -> Packet {
    let mut packet = asks("a", version, 2, None);
    if let Packet::Connect { clean: asked, terms, .. } = &mut packet {
        (*asked, terms.session_expiry) = (clean, session_expiry);
    }
    packet
}

/// Link 1 asks so, and link 2 so, 60 s later; the hub has no session for either. What comes between is told.
fn come_again(first: Packet, second: Packet, between: impl FnOnce(&mut Story)) -> Story {
    let mut story = Story::new();
    story.opens_link(1, 0, "a").up(1, first).connack(1, false, 0).at(1_000);
    between(&mut story);
    story.ends(1, Side::Device, Ending::Reset).carried(1, Side::Hub).closes(1);
    story.at(60_000).opens_link(2, 0, "a").up(2, second).connack(2, false, 0).at(61_000);
    story
}

const FORGOTTEN: &str = "session-forgotten";

#[test]
fn a_session_without_an_end_is_there_again() {
    use Version::{V5, V31, V311};
    for (version, first, second, rule) in [
        (V311, (false, None), (false, None), Some("MQTT-3.1.2-4")),
        (V311, (true, None), (false, None), None),
        (V311, (false, None), (true, None), None),
        // It has no session present to say.
        (V31, (false, None), (false, None), None),
        (V5, (true, Some(60)), (false, Some(60)), None),
        (V5, (true, Some(61)), (false, Some(61)), Some("MQTT-3.1.2-23")),
        (V5, (true, Some(u32::MAX)), (false, None), Some("MQTT-3.1.2-23")),
        (V5, (false, None), (false, None), None),
        (V5, (true, Some(600)), (true, Some(600)), None),
    ] {
        let asks = |(clean, expiry)| asking(version, clean, expiry);
        let story = come_again(asks(first), asks(second), |_| {});
        let told = found(&story).into_iter().find(|finding| finding.id == FORGOTTEN);
        assert_eq!(told.as_ref().and_then(|told| told.rule), rule, "{version:?} {first:?} {second:?}");
        let Some(told) = told else { continue };
        assert_eq!((told.grade, told.device, told.count), (Grade::Warn, None, 1));
        assert_eq!(told.evidence[0].what, "no session for a, which had one from event 5 on");
    }
}

#[test]
fn a_session_that_may_have_gone_is_not_missed() {
    let keeps = || asking(Version::V311, false, None);
    let told = |story: &Story| found(story).iter().any(|finding| finding.id == FORGOTTEN);
    type Tell = fn(&mut Story);
    let excuses: [(bool, Tell); 4] = [
        (true, |_| {}),
        // DISCONNECT is no end of a session before MQTT 5.
        (true, |story| _ = story.up(1, Packet::Disconnect { reason: 0 })),
        (false, |story| _ = story.opens(1, 0, 0, 2).rival(1, 1, RivalNews::Accepted)),
        // A clean session, of which no answer came.
        (false, |story| {
            story.opens_link(7, 0, "a").up(7, asking(Version::V311, true, None));
            story.ends(7, Side::Device, Ending::Reset).closes(7);
        }),
    ];
    for (nth, (expected, excuse)) in excuses.into_iter().enumerate() {
        assert_eq!(told(&come_again(keeps(), keeps(), excuse)), expected, "{nth}");
    }
    let lasting = || asking(Version::V5, false, Some(3_600));
    let left = |story: &mut Story| _ = story.up(1, Packet::Disconnect { reason: 0 });
    assert!(!told(&come_again(lasting(), lasting(), left)), "it may have said for how long");
    // The hub lets it live for 10 s.
    let mut story = Story::new();
    let terms = SessionTerms { session_expiry: Some(10), ..SessionTerms::default() };
    let mut answer = crate::measure::story::answers(0, None);
    if let Packet::Connack { terms: told, .. } = &mut answer {
        *told = terms;
    }
    story.opens_link(1, 0, "a").up(1, lasting()).down(1, answer).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(10_000).opens_link(2, 0, "a").up(2, lasting()).connack(2, false, 0);
    assert!(!told(&story));
    // Another listener may lead to another hub.
    let mut story = come_again(keeps(), keeps(), |_| {});
    for event in &mut story.events {
        if let What::LinkOpened { link: LinkId(2), listener, .. } = &mut event.what {
            *listener = ListenerId(1);
        }
    }
    assert!(!told(&story));
    // A fault has changed its packets: whose session that is, is not known.
    let mut story = Story::new();
    story.opens_link(1, 0, "a").up(1, keeps()).connack(1, false, 0).closes(1);
    story.at(5_000).opens(1, 0, 0, 2).opens_link(2, 0, "a").up(2, keeps());
    story.altered(2, Direction::Up, 1, Alteration::Corrupted { offset: 20 }).connack(2, false, 0);
    assert!(!told(&story));
}

/// The device comes again at 1.0 s; its first link is the hub's to end within 5 s.
#[test]
fn the_first_link_of_a_client_identifier_ends() {
    for (until, expected) in [(6_000, false), (6_001, true)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(1_000).joins(2, 0, "a", 60);
        story.at(until).up(2, Packet::Pingreq).down(2, Packet::Pingresp);
        let told = named(&story);
        let second: Vec<_> =
            expected.then_some(("second-link-accepted", Grade::Fail, true)).into_iter().collect();
        assert_eq!(told, second, "{until}");
    }
    type Tell = fn(&mut Story);
    let excuses: [Tell; 3] = [
        |story| _ = story.ends(1, Side::Hub, Ending::Fin),
        |story| _ = story.ends(1, Side::Device, Ending::Fin),
        |story| _ = story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate),
    ];
    for excuse in excuses {
        let mut story = Story::new();
        story.joins(1, 0, "a", 60).at(1_000).joins(2, 0, "a", 60).at(2_000);
        excuse(&mut story);
        story.at(60_000).pings(2);
        assert_eq!(named(&story), NOTHING);
    }
    let mut story = Story::new();
    story.joins(1, 0, "a", 60).at(1_000).passes(1, Direction::Up, Packet::Disconnect { reason: 0 }, false);
    story.joins(2, 0, "a", 60).at(60_000).pings(2);
    assert_eq!(named(&story), NOTHING);
}
