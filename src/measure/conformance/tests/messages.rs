//! Messages: whose doing, and by which rule.

use super::*;
use crate::base::{Direction, Time};
use crate::event::{Excuse, Loss, MessageNews};

const FIRST: Time = Time::ZERO;

#[test]
fn news_of_messages_are_their_senders() {
    let unknown = MessageNews::UnknownAck { packet: "puback".into() };
    let lost = |why| MessageNews::Lost { first: FIRST, why };
    for (qos, news, expected) in [
        (1, MessageNews::DupWrong { dup: false }, Some(("dup-wrong", Grade::Fail, false))),
        (1, MessageNews::DupWrong { dup: true }, Some(("dup-wrong", Grade::Warn, false))),
        (0, MessageNews::DupWrong { dup: true }, Some(("dup-wrong", Grade::Fail, false))),
        (1, MessageNews::IdInUse { first: FIRST }, Some(("packet-id-in-use", Grade::Fail, false))),
        // What acknowledges a message of the device's is the hub.
        (1, unknown, Some(("unknown-acknowledgement", Grade::Warn, true))),
        (
            1,
            MessageNews::ReceiveMaximum { in_flight: 3, allowed: 2 },
            Some(("receive-maximum-exceeded", Grade::Fail, false)),
        ),
        (1, lost(Loss::NeverSentAgain), Some(("messages-lost", Grade::Fail, false))),
        (1, MessageNews::GivenUp { first: FIRST }, Some(("messages-not-sent-again", Grade::Fail, false))),
        (1, lost(Loss::FalselyAcknowledged), None),
        (1, lost(Loss::Expired), None),
        (1, MessageNews::Gap { from: 1, to: 2, excuse: Some(Excuse::PerhapsExpired) }, None),
        (0, lost(Loss::NotPassedOn), Some(("qos0-messages-lost", Grade::Warn, false))),
        (
            0,
            MessageNews::Gap { from: 1, to: 2, excuse: None },
            Some(("qos0-messages-lost", Grade::Warn, false)),
        ),
        (1, MessageNews::Gap { from: 1, to: 2, excuse: None }, Some(("messages-lost", Grade::Fail, false))),
        (
            1,
            MessageNews::Gap { from: 1, to: 2, excuse: Some(Excuse::SessionOver) },
            Some(("messages-lost", Grade::Warn, false)),
        ),
        // A PUBREL is the sender's own.
        (
            2,
            MessageNews::UnknownAck { packet: "pubrel".into() },
            Some(("unknown-acknowledgement", Grade::Warn, false)),
        ),
        (1, lost(Loss::SessionOver), Some(("messages-lost", Grade::Warn, false))),
        (1, MessageNews::Duplicated { first: FIRST, released: false }, None),
        (2, MessageNews::Duplicated { first: FIRST, released: false }, None),
        (
            2,
            MessageNews::Duplicated { first: FIRST, released: true },
            Some(("qos2-duplicated", Grade::Fail, false)),
        ),
        (1, MessageNews::Retransmitted { first: FIRST, dup: true, renumbered: false }, None),
        (1, MessageNews::InFlight { first: FIRST }, None),
        (0, MessageNews::Repeated { number: 3 }, None),
        (1, MessageNews::CaughtUp { queued: 3, dropped: None }, None),
    ] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).says_of(0, 1, news.clone(), qos);
        assert_eq!(named(&story).first().copied(), expected, "{qos} {news:?}");
    }
}

#[test]
fn what_a_fault_did_to_messages_is_nobodys() {
    for (qos, news) in [
        (0, MessageNews::Lost { first: FIRST, why: Loss::NotPassedOn }),
        (1, MessageNews::IdInUse { first: FIRST }),
        (1, MessageNews::UnknownAck { packet: "puback".into() }),
        (2, MessageNews::Duplicated { first: FIRST, released: true }),
        (1, MessageNews::Gap { from: 1, to: 2, excuse: None }),
        (1, MessageNews::Gap { from: 1, to: 2, excuse: Some(Excuse::SessionOver) }),
    ] {
        let mut story = Story::new();
        story.joins(1, 0, "a", 2).works_on(1, 1, 0).at(1_000).up(1, Packet::Pingreq);
        let what = crate::fault::Alteration::Dropped { acknowledged: false };
        story.altered(1, Direction::Up, 1, what).says_of(0, 1, news.clone(), qos);
        assert_eq!(named(&story), NOTHING, "{news:?}");
    }
}

#[test]
fn rules_have_the_numbers_of_the_version() {
    let again = MessageNews::Duplicated { first: FIRST, released: true };
    let lost = |why| MessageNews::Lost { first: FIRST, why };
    for (news, v311, v5) in [
        (again, Some("MQTT-4.3.3-1"), Some("MQTT-4.3.3-6")),
        (lost(Loss::NeverSentAgain), Some("MQTT-4.4.0-1"), Some("MQTT-4.4.0-1")),
        (MessageNews::GivenUp { first: FIRST }, Some("MQTT-4.4.0-1"), Some("MQTT-4.4.0-1")),
        (lost(Loss::SessionOver), None, None),
    ] {
        for (version, rule) in [(Version::V311, v311), (Version::V5, v5)] {
            let mut story = Story::new();
            story.joins_as(1, 0, "a", version).says_of(0, 1, news.clone(), 2);
            assert_eq!(only(&story).rule, rule, "{version:?} {news:?}");
        }
    }
}

#[test]
fn a_finding_counts_all_that_are_told_in_one() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).says_of(0, 1, MessageNews::Gap { from: 4, to: 6, excuse: None }, 1);
    let lost = MessageNews::Lost { first: FIRST, why: Loss::NeverSentAgain };
    story.says_of(0, 1, lost, 1);
    if let Some(What::Message { more, .. }) = story.events.last_mut().map(|event| &mut event.what) {
        *more = 25;
    }
    let finding = only(&story);
    assert_eq!(finding.count, 3 + 26);
    assert!(finding.evidence[1].what.ends_with(", and 25 more alike"), "{:?}", finding.evidence);
}
