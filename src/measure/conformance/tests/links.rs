//! What devices owe: keep-alive, PINGRESP, DISCONNECT, subscriptions, one CONNECT.

use super::*;
use crate::base::{Direction, Side};
use crate::fault::{Ending, LegFate};
use crate::measure::Class;
use crate::measure::story::answers;
use std::time::Duration;

fn gap(link: u64, millis: u64) -> What {
    What::KeepaliveExceeded {
        link: LinkId(link),
        gap_ns: crate::base::time::nanos(Duration::from_millis(millis)),
        took_ns: 0,
    }
}

#[test]
fn a_keep_alive_is_exceeded_by_a_tenth_and_wrong_from_one_and_a_half() {
    for (gap_ms, version, expected) in [
        (2_200, Version::V311, None),
        (2_201, Version::V311, Some((Grade::Warn, "MQTT-3.1.2-23"))),
        (3_000, Version::V311, Some((Grade::Warn, "MQTT-3.1.2-23"))),
        (3_001, Version::V311, Some((Grade::Fail, "MQTT-3.1.2-23"))),
        (3_001, Version::V5, Some((Grade::Fail, "MQTT-3.1.2-20"))),
    ] {
        let mut story = Story::new();
        story.joins_as(1, 0, "a", version).at(60_000).tell(gap(1, gap_ms)).pings(1);
        let told = found(&story).first().map(|finding| (finding.grade, finding.rule.unwrap()));
        assert_eq!(told, expected, "{gap_ms}");
    }
}

#[test]
fn a_silence_is_excused_by_a_fault_by_a_goodbye_and_before_connack() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::RandomFilter);
    story.at(9_000).tell(gap(1, 6_000));
    story.lifts(1, 1).heals(1).at(20_000).tell(gap(1, 11_000));
    assert_eq!(named(&story), NOTHING);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).up(1, Packet::Disconnect { reason: 0 }).at(9_000).tell(gap(1, 9_000));
    assert_eq!(named(&story), NOTHING);
    let mut story = Story::new();
    story.connect(1, 0, "a", 2).at(8_000).connack(1, false, 0).at(9_000).tell(gap(1, 9_000));
    assert_eq!(named(&story), NOTHING);
}

/// The first byte of a packet came at 9 s, and its last at 20 s; nobody has to say anything before CONNACK.
#[test]
fn a_silence_ends_with_the_first_byte_of_a_packet() {
    for (accepted, expected) in [(6_800, false), (6_799, true)] {
        let mut story = Story::new();
        story.connect(1, 0, "a", 2).at(accepted).connack(1, false, 0);
        let (gap_ns, took_ns) = (9_000_000_000, 11_000_000_000);
        story.at(20_000).tell(What::KeepaliveExceeded { link: LinkId(1), gap_ns, took_ns });
        assert_eq!(!named(&story).is_empty(), expected, "{accepted}");
    }
}

/// The hub ends the link of a device that is silent, as it has to: told is the silence until then.
#[test]
fn a_silence_that_the_hub_ends_is_one() {
    for (until, expected) in
        [(2_200, None), (2_201, Some(Grade::Warn)), (3_000, Some(Grade::Warn)), (3_001, Some(Grade::Fail))]
    {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(until).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        story.at(9_000).tell(gap(1, 9_000)).ends(1, Side::Device, Ending::Fin).closes(1);
        let told = found(&story).first().map(|finding| finding.grade);
        assert_eq!(told, expected, "{until}");
    }
}

#[test]
fn a_server_keep_alive_is_ignored_by_who_goes_by_its_own() {
    for (gap_ms, id) in [(1_500, "server-keepalive-ignored"), (2_201, "keepalive-exceeded")] {
        let mut story = Story::new();
        story.opens_link(1, 0, "a").up(1, asks("a", Version::V5, 2, None)).down(1, answers(0, Some(1)));
        story.at(60_000).tell(gap(1, gap_ms));
        assert_eq!(only(&story).id, id);
    }
}

/// Keep-alive 2 s; the PINGREQ at 2.0 s gets no answer.
fn waiting(until: u64) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(2_000).passes(1, Direction::Up, Packet::Pingreq, true).at(until);
    story
}

#[test]
fn a_pingresp_is_awaited_for_two_keep_alives_and_for_four_at_most() {
    for (until, expected) in
        [(6_000, None), (6_001, Some(Grade::Warn)), (10_000, Some(Grade::Warn)), (10_001, Some(Grade::Fail))]
    {
        let mut story = waiting(until);
        story.ends(1, Side::Device, Ending::Reset);
        let told = found(&story);
        assert_eq!(told.first().map(|finding| finding.grade), expected, "{until}");
        assert!(told.iter().all(|finding| finding.class == Class::Detection));
    }
}

#[test]
fn what_ends_a_wait_for_pingresp() {
    // Its PINGRESP, a new connect, being told; and one whose answer comes in time.
    let mut story = waiting(6_000);
    story.lifts(1, 1).heals(1).pings(1).at(60_000).over();
    assert_eq!(named(&story), NOTHING);
    let mut story = waiting(6_000);
    story.joins(2, 0, "a", 2).at(60_000).over();
    assert_eq!(named(&story), NOTHING);
    let mut story = waiting(6_000);
    story.cut(1, Side::Device, LegFate::Reset, 1).at(60_000).over();
    assert_eq!(named(&story), NOTHING);
    // Nothing: it is still there at the end.
    let mut story = waiting(60_000);
    story.over();
    assert_eq!(only(&story).id, "pingresp-not-awaited");
}

/// Where the kernel drops what the device sends, its end is not seen: only what it was seen to send counts.
#[test]
fn a_muted_device_may_have_given_up() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000).up(1, Packet::Pingreq);
    story.opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter).at(60_000).ends(1, Side::Device, Ending::Reset);
    assert_eq!(named(&story), NOTHING);
}

#[test]
fn a_close_without_disconnect_is_told_where_nothing_was_wrong() {
    let fin = |story: &mut Story| {
        story.ends(1, Side::Device, Ending::Fin).closes(1);
    };
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(1_000);
    fin(&mut story);
    assert_eq!(named(&story), [("closed-without-disconnect", Grade::Warn, false)]);
    type Tell = fn(&mut Story);
    let excuses: [Tell; 6] = [
        |story| _ = story.up(1, Packet::Disconnect { reason: 0 }),
        |story| _ = story.down(1, Packet::Disconnect { reason: 0x8b }),
        |story| _ = story.up(1, Packet::Pingreq),
        |story| _ = story.ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device),
        |story| _ = story.opens(1, 0, 0, 2),
        |story| _ = story.opens_link(2, 0, "a"),
    ];
    for (nth, excuse) in excuses.into_iter().enumerate() {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).at(1_000);
        excuse(&mut story);
        fin(&mut story);
        assert_eq!(named(&story), NOTHING, "{nth}");
    }
}

/// A signal that ends the command closes its connections: that is not the client's wish.
#[test]
fn a_command_that_was_ended_by_a_signal_need_not_say_disconnect() {
    for (code, at, expected) in [
        (None, 3_000, false),
        (Some(143), 3_000, false),
        (None, 3_001, true),
        (Some(0), 3_000, true),
        (None, 900, false),
    ] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2);
        if at < 1_000 {
            story.at(at).tell(What::CommandEnded { code });
        }
        story.at(1_000).ends(1, Side::Device, Ending::Fin).closes(1);
        if at > 1_000 {
            story.at(at).tell(What::CommandEnded { code });
        }
        story.over();
        assert_eq!(!named(&story).is_empty(), expected, "{code:?} {at}");
    }
}

/// A subscriber that lost its link, and asks to be let in again.
fn back_as(spoken: Version, asks_clean: bool) -> Story {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).ends(1, Side::Hub, Ending::Fin);
    story.carried(1, Side::Device).closes(1).at(5_000).connect(2, 0, "a", 2);
    if let Some(Event { what: What::Packet { packet: Packet::Connect { version, clean, .. }, .. }, .. }) =
        story.events.last_mut()
    {
        (*version, *clean) = (spoken, asks_clean);
    }
    story
}

#[test]
fn subscriptions_are_lost_after_three_seconds_without_a_session() {
    for (session_present, until, expected) in
        [(false, 8_000, false), (false, 8_001, true), (true, 60_000, false)]
    {
        let mut story = back_as(Version::V311, false);
        story.connack(2, session_present, 0).at(until).over();
        let told = named(&story);
        let expected: Vec<_> =
            expected.then_some(("lost-subscriptions", Grade::Fail, false)).into_iter().collect();
        assert_eq!(told, expected, "{session_present} {until}");
    }
}

/// Its CONNACK has no Session Present, so that a device which asks for its session has to take it for kept.
#[test]
fn in_mqtt_3_1_a_session_that_was_asked_for_is_not_known_to_be_gone() {
    for (asks_clean, expected) in [(false, false), (true, true)] {
        let mut story = back_as(Version::V31, asks_clean);
        story.connack(2, false, 0).at(60_000).over();
        let told = found(&story).iter().any(|finding| finding.id == "lost-subscriptions");
        assert_eq!(told, expected);
    }
}

/// Where the watch ends before that, it is not known, however the run ends; and a device that subscribes or leaves has said
/// what it does.
#[test]
fn whether_subscriptions_are_lost_is_not_known_within_three_seconds() {
    let back = |more: &dyn Fn(&mut Story)| {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).ends(1, Side::Hub, Ending::Fin);
        story.carried(1, Side::Device).closes(1).at(5_000).joins(2, 0, "a", 2).at(7_000);
        more(&mut story);
        story.results(&plan(Vec::new())).runs[0].undecided
    };
    assert_eq!(back(&|_| {}), 1, "the log breaks off");
    assert_eq!(back(&|story| _ = story.closes(2).over()), 1);
    assert_eq!(back(&|story| _ = story.tell(What::CommandStopped).at(9_000).closes(2).over()), 1);
    assert_eq!(back(&|story| _ = story.at(8_001)), 0, "they are lost");
    assert_eq!(back(&|story| _ = story.subscribes(2, "cmd/#").closes(2).over()), 0);
    assert_eq!(back(&|story| _ = story.ends(2, Side::Device, Ending::Fin).closes(2).over()), 0);
}

/// The command is told to end 2 s after its device is back, and takes its time: whether it had subscribed again nobody knows.
/// What it does after that is told of nobody.
#[test]
fn who_is_told_to_end_has_lost_no_subscriptions_meanwhile() {
    for (told_at, again, expected) in [(7_000, false, false), (8_001, false, true), (7_000, true, false)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).ends(1, Side::Hub, Ending::Fin);
        story.carried(1, Side::Device).closes(1).at(5_000).joins(2, 0, "a", 2);
        story.at(told_at).tell(What::CommandStopped);
        if again {
            story.ends(2, Side::Hub, Ending::Fin).closes(2).at(told_at + 10).joins(3, 0, "a", 2);
        }
        story.at(20_000).over();
        let told = found(&story).iter().any(|finding| finding.id == "lost-subscriptions");
        assert_eq!(told, expected, "{told_at} {again}");
    }
}

#[test]
fn who_subscribes_again_or_had_said_disconnect_has_lost_nothing() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(5_000).joins(2, 0, "a", 2).at(7_900).subscribes(2, "cmd/#").at(60_000).pings(2).over();
    assert_eq!(named(&story), NOTHING);
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).up(1, Packet::Disconnect { reason: 0 });
    story.ends(1, Side::Device, Ending::Fin).closes(1).at(5_000).joins(2, 0, "a", 2).at(60_000).over();
    assert_eq!(named(&story), NOTHING);
    // Nobody has to wait for CONNACK (MQTT 3.1.1 section 3.1.4).
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(5_000).connect(2, 0, "a", 2).up(2, Packet::Subscribe { id: 1, filters: vec!["cmd/#".into()] });
    story.connack(2, false, 0).down(2, Packet::Suback { id: 1, codes: vec![0] }).at(60_000).pings(2).over();
    assert_eq!(named(&story), NOTHING);
    // In the dark, what it sends may not come; and its link may be too short to tell.
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).subscribes(1, "cmd/#").at(4_000).ends(1, Side::Hub, Ending::Fin).closes(1);
    story.at(5_000).joins(2, 0, "a", 2).opens(1, 0, 0, 2).applies(1, 2, Mechanism::Gate).at(60_000).over();
    assert_eq!(named(&story), NOTHING);
}

#[test]
fn a_refused_subscription_is_ignored_after_ten_seconds() {
    for (until, expected) in [(10_000, false), (10_001, true)] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).up(1, Packet::Subscribe { id: 1, filters: vec!["x".into()] });
        story.down(1, Packet::Suback { id: 1, codes: vec![0x80] }).at(until).over();
        assert_eq!(!named(&story).is_empty(), expected, "{until}");
    }
}

#[test]
fn one_connect_a_link_and_packets_that_can_be_read() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).up(1, asks("a", Version::V311, 2, None));
    let finding = only(&story);
    assert_eq!((finding.id, finding.rule), ("second-connect", Some("MQTT-3.1.0-2")));
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).up(1, Packet::Unreadable { kind: "subscribe".into() });
    assert_eq!(named(&story), [("unreadable-packet", Grade::Warn, false)]);
    let mut story = Story::new();
    let reason = "the device's first byte is 0x47; a CONNECT begins with 0x10 [MQTT-3.1.0-1]".to_owned();
    story.opens_link(1, 0, "10.0.0.1:5").tell(What::NotMqtt {
        link: LinkId(1),
        direction: Direction::Up,
        offset: 0,
        reason,
    });
    assert_eq!(only(&story).rule, Some("MQTT-3.1.0-1"));
    // Compressed by what both ends agreed on it is MQTT all the same.
    let mut story = Story::new();
    let reason = format!("compression was agreed, and {}", crate::ws::HIDDEN);
    story.opens_link(1, 0, "10.0.0.1:5").tell(What::NotMqtt {
        link: LinkId(1),
        direction: Direction::Up,
        offset: 200,
        reason,
    });
    assert_eq!(named(&story), NOTHING);
    // Packets before CONNACK are allowed.
    let mut story = Story::new();
    story.connect(1, 0, "a", 2).up(1, Packet::Subscribe { id: 1, filters: vec!["x".into()] });
    story.connack(1, false, 0).down(1, Packet::Suback { id: 1, codes: vec![0] });
    assert_eq!(named(&story), NOTHING);
}

#[test]
fn a_packet_of_a_wrong_form_is_its_senders() {
    use crate::mqtt::{Flaw, PacketKind};
    for (direction, version, rule) in [
        (Direction::Up, Version::V311, "MQTT-2.3.1-1"),
        (Direction::Up, Version::V5, "MQTT-2.2.1-3"),
        (Direction::Down, Version::V5, "MQTT-2.2.1-4"),
    ] {
        let mut story = Story::new();
        story.joins_as(1, 0, "a", version);
        let (packet, flaw) = (PacketKind::Publish, Flaw::NoIdentifier);
        story.tell(What::Malformed { link: LinkId(1), direction, packet, flaw });
        let finding = only(&story);
        let whose = finding.device.is_some();
        assert_eq!(
            (finding.id, finding.rule, whose),
            ("malformed-packet", Some(rule), direction == Direction::Up)
        );
        assert_eq!(finding.evidence[0].what, "PUBLISH with packet identifier 0");
    }
}

#[test]
fn a_finding_counts_all_and_shows_eight() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2);
    for at in 1..=20u64 {
        story.at(at * 10_000).tell(gap(1, 2_000 + at * 300)).pings(1);
    }
    let finding = only(&story);
    assert_eq!((finding.count, finding.evidence.len(), finding.grade), (20, 8, Grade::Fail));
    assert!(finding.seen.contains("8.0 s (4.0 keep-alives)"), "{}", finding.seen);
}
