//! One story each.

use super::*;
use crate::event::Excuse;

fn first(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn gap(from: u64, to: u64, session_over: bool) -> MessageNews {
    MessageNews::Gap { from, to, excuse: session_over.then_some(Excuse::SessionOver) }
}

#[test]
fn a_message_of_each_quality_that_comes_through() {
    let mut run = Run::joined();
    run.goes(0, UP, message(0, 0, 7));
    run.goes(0, UP, message(1, 1, 7)).ack(0, UP, AckKind::Puback, 1);
    run.goes(0, UP, message(2, 2, 7)).ack(0, UP, AckKind::Pubrec, 2).ack(0, UP, AckKind::Pubrel, 2);
    run.ack(0, UP, AckKind::Pubcomp, 2);
    let up = run.ends(0).over().up;
    assert_eq!((up.sent, up.received, up.completed), ([1; 3], [1; 3], [0, 1, 1]));
    assert_eq!((up.lost, up.in_flight, up.retransmitted), ([0; 3], [0; 3], [0; 3]));
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
}

#[test]
fn what_may_have_reached_its_receiver_is_neither_received_nor_lost() {
    let mut run = Run::joined();
    run.goes(0, UP, message(0, 0, 7)).arrives(0, UP, message(0, 0, 7)).arrives(0, UP, message(0, 0, 7));
    run.tell(0, Entry::PassedUnknown { direction: UP, messages: 2 }).arrives(0, UP, message(0, 0, 7));
    let up = run.ends(0).over().up;
    assert_eq!((up.sent[0], up.received[0], up.unfollowed, up.lost[0]), (4, 1, [2, 0, 0], 1));
}

#[test]
fn equal_payloads_are_messages_of_their_own() {
    for of in Direction::BOTH {
        let mut run = Run::joined();
        for id in [1, 2, 1, 2, 1] {
            run.goes(0, of, message(1, id, 7)).ack(0, of, AckKind::Puback, id);
        }
        let counts = *run.over().get(of);
        assert_eq!((counts.sent[1], counts.completed[1]), (5, 5));
        assert_eq!(run.news(), [] as [&MessageNews; 0], "{of:?}");
    }
}

#[test]
fn an_acknowledgement_that_is_lost_makes_a_duplicate_on_the_next_link() {
    let mut run = Run::joined();
    run.at(10).goes(0, UP, message(1, 5, 7)).ack_arrives(0, UP, AckKind::Puback, 5).ends(0);
    run.at(20).connect(false).accepted(1, true);
    run.goes(1, UP, again(1, 5, 7)).ack(1, UP, AckKind::Puback, 5);
    let up = run.ends(1).over().up;
    assert_eq!((up.sent[1], up.received[1], up.retransmitted[1], up.duplicated[1]), (1, 1, 1, 1));
    assert_eq!((up.completed[1], up.lost[1], up.in_flight[1]), (1, 0, 0));
    let retransmitted = MessageNews::Retransmitted { first: first(10), dup: true, renumbered: false };
    assert_eq!(run.news(), [&retransmitted, &MessageNews::Duplicated { first: first(10), released: false }]);
}

#[test]
fn what_is_sent_again_with_another_identifier_is_renumbered_and_no_wrong() {
    let mut run = Run::joined();
    run.at(10).goes(0, UP, message(1, 5, 7)).ends(0);
    run.at(20).connect(true).accepted(1, false).goes(1, UP, message(1, 1, 7));
    // Another one that says the same is new: there was one in flight.
    run.goes(1, UP, message(1, 2, 7));
    let up = run.counts().up;
    assert_eq!((up.sent[1], up.retransmitted[1], up.duplicated[1]), (2, 1, 1));
    let retransmitted = MessageNews::Retransmitted { first: first(10), dup: false, renumbered: true };
    assert_eq!(run.news(), [&retransmitted, &MessageNews::Duplicated { first: first(10), released: false }]);
}

#[test]
fn of_quality_two_a_receiver_knows_the_identifier_until_pubrel() {
    // (PUBREL passed on before the link is lost, session present, passed on twice)
    for (released, goes_on, duplicated) in
        [(false, true, 0), (true, true, 1), (false, false, 1), (true, false, 1)]
    {
        let mut run = Run::joined();
        run.goes(0, UP, message(2, 5, 7));
        if released {
            run.ack(0, UP, AckKind::Pubrec, 5).ack(0, UP, AckKind::Pubrel, 5);
        }
        run.ends(0).connect(false).accepted(1, goes_on).goes(1, UP, again(2, 5, 7));
        let up = run.counts().up;
        assert_eq!((up.retransmitted[2], up.duplicated[2]), (1, duplicated), "{released} {goes_on}");
    }
}

/// A connect under the device's name that is not accepted takes nothing over: the link that was there goes on.
#[test]
fn a_link_beside_which_a_connect_was_refused_goes_on() {
    let mut run = Run::joined();
    run.at(10).connect(false).ends(1);
    run.goes(0, UP, message(1, 5, 7)).ack(0, UP, AckKind::Puback, 5);
    let up = run.ends(0).over().up;
    assert_eq!((up.sent[1], up.received[1], up.completed[1], up.unfollowed), (1, 1, 1, [0; 3]));
}

#[test]
fn in_mqtt_3_1_a_session_that_is_not_clean_goes_on_without_a_word_of_it() {
    for (clean, duplicated) in [(false, 0), (true, 1)] {
        let mut run = Run::joined();
        run.goes(0, UP, message(2, 5, 7));
        run.ends(0).connect_with(clean, Version::V31, None).accepted(1, false).goes(1, UP, again(2, 5, 7));
        let up = run.counts().up;
        assert_eq!((up.retransmitted[2], up.duplicated[2]), (1, duplicated), "{clean}");
    }
}

/// Whose wrong that is: only the sender's that had released it in the same session.
#[test]
fn of_quality_two_a_message_is_released_within_its_session() {
    // (clean start, session present, PUBREL passed on before the link is lost, sent again under its identifier, released)
    for (clean, goes_on, released, id, expected) in [
        (false, true, true, 5, Some(true)),
        (false, true, false, 5, None),
        (false, false, true, 5, Some(false)),
        (true, false, true, 5, Some(false)),
        (false, true, true, 6, Some(false)),
    ] {
        let mut run = Run::joined();
        run.at(10).goes(0, UP, message(2, 5, 7)).ack(0, UP, AckKind::Pubrec, 5);
        if released {
            run.ack(0, UP, AckKind::Pubrel, 5);
        }
        run.ends(0).connect(clean).accepted(1, goes_on).goes(1, UP, message(2, id, 7));
        let told = run.news().into_iter().find_map(|news| match news {
            MessageNews::Duplicated { released, .. } => Some(*released),
            _ => None,
        });
        assert_eq!(told, expected, "{clean} {goes_on} {released} {id}");
    }
    // Before the CONNACK says so, a clean start has ended the session.
    let mut run = Run::joined();
    run.at(10).goes(0, UP, message(2, 5, 7)).ack(0, UP, AckKind::Pubrec, 5).ack(0, UP, AckKind::Pubrel, 5);
    run.ends(0).connect(true).goes(1, UP, message(2, 5, 7));
    assert!(run.news().contains(&&MessageNews::Duplicated { first: first(10), released: false }));
    // On the same link.
    let mut run = Run::joined();
    run.at(10).goes(0, UP, message(2, 5, 7)).ack(0, UP, AckKind::Pubrec, 5).ack(0, UP, AckKind::Pubrel, 5);
    run.goes(0, UP, again(2, 5, 7));
    assert!(run.news().contains(&&MessageNews::Duplicated { first: first(10), released: true }));
}

/// In a session of its own its receiver takes it once more, and knows the second of the two by its identifier.
#[test]
fn of_quality_two_what_a_fault_doubles_in_a_new_session_is_a_duplicate_once() {
    let mut run = Run::joined();
    run.goes(0, UP, message(2, 5, 7)).ends(0).connect(true).accepted(1, false);
    run.arrives(1, UP, message(2, 5, 7));
    run.passes(1, UP, message(2, 5, 7)).tell(1, copied(2, 5, 1));
    assert_eq!(run.counts().up.duplicated, [0, 0, 1]);
}

fn copied(qos: u8, id: u16, copies: u32) -> Entry {
    Entry::Copied { direction: UP, qos: QoS::from_number(qos).unwrap(), id, copies }
}

/// A slow path passes a copy on when the first has been answered long ago. Guards: neither of them was counted.
#[test]
fn a_copy_that_comes_behind_the_answer_is_a_duplicate() {
    for (qos, duplicated) in [(1, [0, 2, 0]), (2, [0, 0, 1])] {
        let mut run = Run::joined();
        run.at(10).goes(0, UP, message(qos, 5, 7));
        let acks = match qos {
            1 => &[AckKind::Puback][..],
            _ => &[AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp],
        };
        acks.iter().for_each(|kind| _ = run.ack(0, UP, *kind, 5));
        run.tell(0, copied(qos, 5, 2));
        let up = run.counts().up;
        assert_eq!((up.received[usize::from(qos)], up.duplicated), (1, duplicated), "{qos}");
        assert!(matches!(run.news()[..], [MessageNews::Duplicated { .. }]), "{:?}", run.news());
    }
}

/// Its receiver has given the link up: that it got the copies is no more known than that it got the message.
#[test]
fn copies_that_are_perhaps_received_are_perhaps_duplicates() {
    for (qos, again) in [(0, [2, 0, 0]), (1, [0, 2, 0]), (2, [0, 0, 0])] {
        let mut run = Run::joined();
        copied(qos, 5, 2).unknown().into_iter().for_each(|entry| _ = run.tell(0, entry));
        let up = run.counts().up;
        assert_eq!((up.duplicated, up.perhaps_duplicated), ([0; 3], again), "{qos}");
    }
}

#[test]
fn what_a_fault_doubles_is_passed_on_twice() {
    for (qos, duplicated) in [(0, [1, 0, 0]), (1, [0, 1, 0]), (2, [0, 0, 0])] {
        let mut run = Run::joined();
        let id = u16::from(qos > 0);
        run.arrives(0, UP, message(qos, id, 7));
        run.passes(0, UP, message(qos, id, 7)).tell(0, copied(qos, id, 1));
        assert_eq!(run.counts().up.duplicated, duplicated);
    }
}

#[test]
fn of_quality_zero_what_is_not_passed_on_is_lost_with_its_link() {
    let mut run = Run::joined();
    run.at(10).arrives(0, UP, message(0, 0, 1)).arrives(0, UP, message(0, 0, 2)).passes(
        0,
        UP,
        message(0, 0, 1),
    );
    run.at(20).arrives(0, UP, Message { dropped: true, ..message(0, 0, 3) }).ends(0);
    let up = run.over().up;
    assert_eq!((up.sent[0], up.received[0], up.lost[0]), (3, 1, 2));
    let lost = |at| MessageNews::Lost { first: first(at), why: Loss::NotPassedOn };
    assert_eq!(run.news(), [&lost(20), &lost(10)]);
}

#[test]
fn of_quality_zero_many_at_once_are_one_after_another() {
    let (mut at_once, mut by_one) = (Run::joined(), Run::joined());
    for (millis, direction, arrived, passed) in [(10, UP, 40, 30), (20, DOWN, 3, 3), (1500, UP, 7, 20)] {
        at_once.at(millis).tell(0, Entry::ArrivedPlain { direction, messages: arrived });
        at_once.tell(0, Entry::PassedPlain { direction, messages: passed });
        by_one.at(millis);
        (0..arrived).for_each(|_| _ = by_one.arrives(0, direction, message(0, 0, 0)));
        (0..passed).for_each(|_| _ = by_one.passes(0, direction, message(0, 0, 0)));
    }
    at_once.tell(0, Entry::ArrivedPlain { direction: UP, messages: 9 }).ends(0);
    (0..9).for_each(|_| _ = by_one.arrives(0, UP, message(0, 0, 0)));
    by_one.ends(0);
    assert_eq!(at_once.over(), by_one.over());
    assert_eq!(at_once.counts().up.lost[0], 9);
    assert_eq!(at_once.news(), by_one.news());
}

#[test]
fn entries_are_taken_together_only_where_they_are_alike() {
    let mut entry = Entry::ArrivedPlain { direction: UP, messages: 1 };
    assert!(entry.absorb(&Entry::ArrivedPlain { direction: UP, messages: 2 }));
    assert_eq!(entry, Entry::ArrivedPlain { direction: UP, messages: 3 });
    assert!(!entry.absorb(&Entry::ArrivedPlain { direction: DOWN, messages: 1 }));
    assert!(!entry.absorb(&Entry::PassedPlain { direction: UP, messages: 1 }));
    assert!(!Entry::Meddled.absorb(&Entry::Meddled));
}

#[test]
fn of_quality_zero_what_waits_when_the_run_ends_is_in_flight() {
    let mut run = Run::joined();
    run.arrives(0, DOWN, message(0, 0, 1)).ends_stopped(0, true);
    let down = run.over().down;
    assert_eq!((down.lost[0], down.in_flight[0]), (0, 1));
}

#[test]
fn a_false_acknowledgement_loses_what_had_not_arrived() {
    let mut run = Run::joined();
    run.at(10).arrives(0, UP, Message { dropped: true, ..message(1, 1, 7) });
    run.at(20).tell(0, Entry::FalselyAcknowledged { direction: UP, id: 1 });
    // A resend that is dropped is of one that has arrived.
    run.goes(0, UP, message(1, 2, 8)).arrives(0, UP, Message { dropped: true, ..again(1, 2, 8) });
    run.tell(0, Entry::FalselyAcknowledged { direction: UP, id: 2 });
    let up = run.ends(0).over().up;
    assert_eq!((up.lost[1], up.completed[1], up.in_flight[1]), (1, 1, 0));
    let lost = MessageNews::Lost { first: first(10), why: Loss::FalselyAcknowledged };
    assert!(run.news().contains(&&lost));
}

/// A fault drops the PUBACK, and the sender does not care.
#[test]
fn what_its_receiver_has_and_its_sender_gave_up_is_neither_completed_nor_lost() {
    for (id, sent) in [(6, 2), (5, 2)] {
        let mut run = Run::joined();
        run.at(10).goes(0, UP, message(1, 5, 7)).ack_arrives(0, UP, AckKind::Puback, 5).ends(0);
        run.at(1000).connect(false).accepted(1, true);
        run.goes(1, UP, message(1, id, 8)).ack(1, UP, AckKind::Puback, id).at(9000).ends(1);
        let up = run.over().up;
        assert_eq!((up.sent[1], up.completed[1], up.lost[1], up.in_flight[1]), (sent, 1, 0, 1), "{id}");
    }
}

#[test]
fn what_is_never_sent_again_is_lost_when_the_next_link_has_shown_that() {
    // (CONNACK, how long after it a new message of quality 1 came, for how long it lived after CONNACK, lost)
    for (accepted, fresh, lived, lost) in [
        (true, Some(1000), 1010, 1),
        (true, Some(999), 1010, 0),
        (true, Some(0), 4999, 0),
        (true, Some(0), 5000, 1),
        (true, None, 5000, 1),
        (true, None, 4999, 0),
        (false, Some(1000), 60_000, 0),
    ] {
        let mut run = Run::joined();
        run.at(10).arrives(0, UP, message(1, 5, 7)).ends(0);
        run.at(1000).connect(false);
        if accepted {
            run.accepted(1, true);
        }
        if let Some(after) = fresh {
            run.at(1000 + after).goes(1, UP, message(1, 6, 8)).ack(1, UP, AckKind::Puback, 6);
        }
        run.at(1000 + lived).ends(1);
        let up = run.over().up;
        assert_eq!((up.lost[1], up.in_flight[1]), (lost, 1 - lost), "{accepted} {fresh:?} {lived}");
    }
}

/// A program publishes while its client comes to send again, and a fault ends the link amid that: what had not had its turn is sent
/// again on the next.
#[test]
fn a_new_message_before_or_amid_those_sent_again_gives_up_none_of_them() {
    for (at, order) in [(2000, [6, 1]), (2000, [1, 6]), (4000, [6, 1])] {
        let mut run = Run::joined();
        for id in 1..=3 {
            run.at(u64::from(id)).goes(0, UP, message(1, id, u64::from(id)));
        }
        run.ends(0).at(2000).connect(false).accepted(1, true).at(at);
        for id in order {
            let sent = if id == 6 { message(1, 6, 6) } else { again(1, id, u64::from(id)) };
            run.goes(1, UP, sent);
        }
        run.at(at + 5).ends(1);
        assert!(
            !run.news().iter().any(|news| matches!(news, MessageNews::GivenUp { .. })),
            "{at} {order:?}: {:?}",
            run.news()
        );
    }
}

#[test]
fn what_is_not_sent_again_in_another_session_is_lost_and_nobody_had_to() {
    // (clean start, session present, why)
    for (clean, goes_on, why) in [
        (false, true, Loss::NeverSentAgain),
        (false, false, Loss::SessionOver),
        (true, false, Loss::SessionOver),
        (true, true, Loss::SessionOver),
    ] {
        for of in Direction::BOTH {
            let mut run = Run::joined();
            run.at(10).arrives(0, of, message(1, 5, 7)).ends(0);
            run.at(1000).connect(clean).accepted(1, goes_on).at(6000).ends(1);
            assert_eq!(
                run.news(),
                [&MessageNews::Lost { first: first(10), why }],
                "{clean} {goes_on} {of:?}"
            );
            assert_eq!(run.over().get(of).lost[1], 1);
        }
    }
    // What was sent before the CONNACK that says so is of the new session.
    let mut run = Run::new();
    run.connect(false).at(10).arrives(0, UP, message(1, 5, 7)).accepted(0, false).ends(0);
    run.at(1000).connect(false).accepted(1, true).at(6000).ends(1);
    assert_eq!(run.news(), [&MessageNews::Lost { first: first(10), why: Loss::NeverSentAgain }]);
    // A link that a clean start came on, and no CONNACK; then one whose session goes on: it is another session.
    let mut run = Run::joined();
    run.at(10).arrives(0, UP, message(1, 5, 7)).ends(0).connect(true).ends(1);
    run.at(1000).connect(false).accepted(2, true).at(6000).ends(2);
    assert_eq!(run.news(), [&MessageNews::Lost { first: first(10), why: Loss::SessionOver }]);
}

/// Its receiver may have what was passed on, and has what it acknowledged; that it had to be sent again is another matter.
#[test]
fn what_was_passed_on_and_is_not_sent_again_is_not_known_to_be_lost() {
    for (acked, goes_on) in [(false, true), (false, false), (true, true), (true, false)] {
        for of in Direction::BOTH {
            let mut run = Run::joined();
            run.at(10).goes(0, of, message(1, 5, 7));
            if acked {
                run.ack_arrives(0, of, AckKind::Puback, 5);
            }
            run.ends(0).at(1000).connect(!goes_on).accepted(1, goes_on).at(6000).ends(1);
            let given_up = MessageNews::GivenUp { first: first(10) };
            let told: &[&MessageNews] = if goes_on { &[&given_up] } else { &[] };
            assert_eq!(run.news(), told, "{acked} {goes_on} {of:?}");
            let counts = *run.over().get(of);
            let left = (counts.lost[1], counts.unfollowed[1], counts.in_flight[1]);
            assert_eq!(left, (0, u64::from(!acked), u64::from(acked)), "{acked} {goes_on} {of:?}");
        }
    }
}

/// A hub may send a message of QoS 1 that a device of a group has not acknowledged to another of the group, as soon as the first
/// has lost its link (MQTT 5, section 4.8.2); one of QoS 2 only that device may get. Guards: the hub was held to have lost it.
#[test]
fn what_a_group_shares_and_is_not_sent_again_may_be_anothers() {
    // (quality, way, passed on, told)
    let (lost, given_up) = (
        MessageNews::Lost { first: first(10), why: Loss::NeverSentAgain },
        MessageNews::GivenUp { first: first(10) },
    );
    for (qos, of, passed, told) in [
        (1, DOWN, false, None),
        (1, DOWN, true, None),
        (2, DOWN, false, Some(&lost)),
        (2, DOWN, true, Some(&given_up)),
        // What the device itself sends is no business of its subscriptions.
        (1, UP, false, Some(&lost)),
        (1, UP, true, Some(&given_up)),
    ] {
        let mut run = Run::joined();
        run.tell(0, Entry::Shares).at(10).arrives(0, of, message(qos, 5, 7));
        if passed {
            run.passes(0, of, message(qos, 5, 7));
        }
        run.ends(0).at(1000).connect(false).accepted(1, true).at(6000).ends(1);
        assert_eq!(run.news(), told.into_iter().collect::<Vec<_>>(), "{qos} {of:?} {passed}");
        let counts = *run.over().get(of);
        let is_lost = told == Some(&lost);
        let nth = usize::from(qos);
        let left = (counts.lost[nth], counts.unfollowed[nth]);
        assert_eq!(left, (u64::from(is_lost), u64::from(!is_lost)), "{qos} {of:?} {passed}");
    }
}

/// Each of a group gets some of the numbers. Guards: the others were held to be lost.
#[test]
fn numbers_that_a_group_shares_leave_out_nothing() {
    let numbered = |number| Message { number: Some(number), ..message(0, 0, number) };
    let mut run = Run::joined();
    run.tell(0, Entry::Shares);
    for number in [1, 3, 5] {
        run.goes(0, DOWN, numbered(number)).goes(0, UP, numbered(number));
    }
    run.ends(0);
    let counts = run.over();
    assert_eq!((counts.down.numbered, counts.down.missing, counts.down.lost[0]), (0, 0, 0));
    assert_eq!((counts.up.numbered, counts.up.missing, counts.up.lost[0]), (3, 2, 2));
    assert_eq!(run.news(), [&gap(2, 2, false), &gap(4, 4, false)]);
}

/// In a new session the hub sends what it had retained once more, often under the same identifier, for it counts anew.
/// Guards: that was a message sent again, and a duplicate.
#[test]
fn what_a_hub_sends_in_another_session_is_another_message() {
    // (way, identifier, DUP, sent, duplicated)
    for (of, id, dup, sent, duplicated) in [
        (DOWN, 5, false, 2, 0),
        (DOWN, 6, false, 2, 0),
        (DOWN, 5, true, 1, 1),
        // A client may keep over sessions what it has not had acknowledged.
        (UP, 5, false, 1, 1),
        (UP, 6, false, 1, 1),
    ] {
        let mut run = Run::joined();
        run.at(10).goes(0, of, message(1, 5, 7)).ends(0);
        run.at(20).connect(true).accepted(1, false);
        run.at(1020).goes(1, of, Message { dup, ..message(1, id, 7) });
        run.ack(1, of, AckKind::Puback, id).ends(1);
        let counts = *run.over().get(of);
        assert_eq!((counts.sent[1], counts.duplicated[1]), (sent, duplicated), "{of:?} {id} {dup}");
        assert_eq!((counts.completed[1], counts.retransmitted[1]), (1, 2 - sent), "{of:?} {id} {dup}");
        assert_eq!(counts.unfollowed[1], sent - 1, "of what was passed on in the dark, nobody knows");
    }
}

/// The session goes on, and a SUBSCRIBE brings what the hub had retained, beside what it sends again. Guards: the same.
#[test]
fn what_a_hub_had_retained_is_another_message_in_the_same_session_too() {
    let retained = |dup| Message { retain: true, dup, ..message(1, 6, 7) };
    // (RETAIN as published, DUP, sent)
    for (as_published, dup, sent) in [(false, false, 2), (false, true, 1), (true, false, 1)] {
        let mut run = Run::joined();
        if as_published {
            run.tell(0, Entry::AsPublished);
        }
        run.goes(0, DOWN, message(1, 5, 7)).ends(0).connect(false).accepted(1, true);
        let down = run.goes(1, DOWN, retained(dup)).counts().down;
        assert_eq!((down.sent[1], down.duplicated[1]), (sent, 2 - sent), "{as_published} {dup}");
    }
}

/// What the hub had retained was published before the SUBSCRIBE. Guards: what lay between was held to be lost.
#[test]
fn numbers_that_a_hub_had_retained_leave_out_nothing_and_are_no_repetition() {
    let numbered = |number| Message { number: Some(number), ..message(0, 0, number) };
    let retained = |number| Message { retain: true, ..numbered(number) };
    // Where the device has asked for RETAIN as it was published, it says nothing sure.
    for as_published in [false, true] {
        let mut run = Run::joined();
        if as_published {
            run.tell(0, Entry::AsPublished);
        }
        run.goes(0, DOWN, retained(10)).goes(0, DOWN, numbered(15)).goes(0, DOWN, numbered(16));
        run.ends(0).connect(true).accepted(1, false);
        run.goes(1, DOWN, retained(10)).goes(1, DOWN, numbered(17)).ends(1);
        let down = run.over().down;
        assert_eq!((down.numbered, down.missing, down.lost[0]), (5, 0, 0), "{as_published}");
        assert_eq!(run.news(), [] as [&MessageNews; 0], "{as_published}");
    }
    // There, all may be published so, and what is missing amid them is told.
    for (as_published, missing) in [(false, 0), (true, 2)] {
        let mut run = Run::joined();
        if as_published {
            run.tell(0, Entry::AsPublished);
        }
        run.goes(0, DOWN, retained(10)).goes(0, DOWN, retained(11)).goes(0, DOWN, retained(14)).ends(0);
        assert_eq!(run.over().down.missing, missing, "{as_published}");
    }
    // What was published while the device was away is missing all the same.
    let mut run = Run::joined();
    run.goes(0, DOWN, numbered(5)).ends(0).connect(true).accepted(1, false);
    run.goes(1, DOWN, retained(7)).goes(1, DOWN, numbered(9)).ends(1);
    assert_eq!(run.over().down.missing, 2);
    // It is of an earlier time, and no beginning of a new count.
    let mut run = Run::joined();
    run.goes(0, DOWN, numbered(40)).ends(0).connect(true).accepted(1, false);
    run.goes(1, DOWN, retained(1)).goes(1, DOWN, numbered(42)).ends(1);
    assert_eq!(run.over().down.missing, 1);
    // A device's own flag says how its message is to be kept.
    let mut run = Run::joined();
    run.goes(0, UP, retained(1)).goes(0, UP, retained(3)).goes(0, UP, retained(3)).ends(0);
    let up = run.over().up;
    assert_eq!((up.missing, up.repeated), (1, 1));
}

/// Guards: a hub was held to have lost what it never had to send.
#[test]
fn of_numbers_that_are_left_out_it_is_told_whether_the_session_was_over() {
    let numbered = |number| Message { number: Some(number), ..message(1, 1, number) };
    // (way, clean start, session present, told of the first gap)
    for (of, clean, goes_on, session_over) in [
        (DOWN, true, false, true),
        (DOWN, false, false, true),
        (DOWN, false, true, false),
        // What a device leaves out it has dropped itself.
        (UP, true, false, false),
    ] {
        let mut run = Run::joined();
        run.goes(0, of, numbered(1)).ack(0, of, AckKind::Puback, 1).ends(0);
        run.connect(clean).accepted(1, goes_on);
        run.goes(1, of, numbered(4)).ack(1, of, AckKind::Puback, 1);
        run.goes(1, of, numbered(6)).ack(1, of, AckKind::Puback, 1).ends(1).over();
        assert_eq!(run.news(), [&gap(2, 3, session_over), &gap(5, 5, false)], "{of:?} {clean} {goes_on}");
    }
    // What it had retained comes before what it sends from now on, and was not the last that was published before.
    let mut run = Run::joined();
    run.goes(0, DOWN, numbered(1)).ack(0, DOWN, AckKind::Puback, 1).ends(0).connect(true).accepted(1, false);
    run.goes(1, DOWN, Message { retain: true, ..numbered(4) }).ack(1, DOWN, AckKind::Puback, 1);
    run.goes(1, DOWN, numbered(6)).ack(1, DOWN, AckKind::Puback, 1).ends(1).over();
    assert_eq!(run.news(), [&gap(2, 3, true), &gap(5, 5, true)]);
}

/// A hub throws away what has expired, also what it had sent and was not acknowledged (mosquitto 2.0 does). Guards: the hub was
/// held to have lost it.
#[test]
fn what_has_expired_nobody_has_to_send_again() {
    let expires = |seconds| Message { expiry: Some(seconds), ..message(1, 5, 7) };
    // (seconds, passed on, told); the device is back 10 s later
    let lost = |why| Some(MessageNews::Lost { first: first(10), why });
    for (seconds, passed, told) in [
        (3, false, lost(Loss::Expired)),
        (11, false, lost(Loss::Expired)),
        (12, false, lost(Loss::NeverSentAgain)),
        (3, true, None),
        (12, true, Some(MessageNews::GivenUp { first: first(10) })),
    ] {
        let mut run = Run::joined();
        run.at(10).arrives(0, DOWN, expires(seconds));
        if passed {
            run.passes(0, DOWN, expires(seconds));
        }
        run.ends(0).at(10_020).connect(false).accepted(1, true).at(60_000).ends(1);
        assert_eq!(run.news(), told.iter().collect::<Vec<_>>(), "{seconds} {passed}");
        let down = run.over().down;
        assert_eq!((down.lost[1], down.unfollowed[1]), (u64::from(!passed), u64::from(passed)));
    }
    // Sent again before that, it arrives.
    let mut run = Run::joined();
    run.arrives(0, DOWN, expires(30)).ends(0).at(10_000).connect(false).accepted(1, true);
    run.goes(1, DOWN, Message { dup: true, ..expires(20) }).ack(1, DOWN, AckKind::Puback, 5).ends(1);
    assert_eq!(run.over().down.completed[1], 1);
}

/// Guards: a hub that threw away what had expired in its queue was held to have lost it.
#[test]
fn numbers_that_are_left_out_may_have_expired() {
    // (way, seconds, the next comes so long after, may have expired)
    for (of, seconds, after, excuse) in [
        (DOWN, Some(3), 3_000, Some(Excuse::PerhapsExpired)),
        (DOWN, Some(3), 2_999, None),
        (DOWN, None, 60_000, None),
        (UP, Some(3), 3_000, Some(Excuse::PerhapsExpired)),
    ] {
        let numbered = |number| Message { number: Some(number), expiry: seconds, ..message(1, 1, number) };
        let mut run = Run::joined();
        run.at(10).goes(0, of, numbered(1)).ack(0, of, AckKind::Puback, 1);
        run.at(10 + after).goes(0, of, numbered(3)).ack(0, of, AckKind::Puback, 1).ends(0).over();
        assert_eq!(run.news(), [&MessageNews::Gap { from: 2, to: 2, excuse }], "{of:?} {seconds:?} {after}");
    }
}

/// RabbitMQ 3.10 does that, and clients go by it. Guards: none of its messages of QoS 2 was ever completed.
#[test]
fn of_quality_two_a_hub_that_answers_with_puback_has_it() {
    let mut run = Run::joined();
    run.goes(0, UP, message(2, 5, 7)).ack(0, UP, AckKind::Puback, 5).goes(0, UP, message(2, 6, 8));
    run.ack_arrives(0, UP, AckKind::Puback, 6).ends(0).connect(true).accepted(1, false).at(9_000).ends(1);
    let up = run.over().up;
    assert_eq!((up.sent[2], up.completed[2], up.in_flight[2], up.unfollowed[2]), (2, 1, 1, 0));
    let unknown = MessageNews::UnknownAck { packet: "puback".into() };
    assert_eq!(run.news(), [&unknown, &unknown], "it is against the standard");
}

/// In the dark a device connects anew, and the hub, which hears nothing of that, goes on sending on the link that it believes in.
/// Guards: of each such message it was not known what became of it, though it came again under its identifier.
#[test]
fn what_a_hub_sends_on_a_link_that_it_still_believes_in_is_sent_there() {
    // (quality, session present, lost)
    for (qos, goes_on, lost) in [(1, true, 0), (2, true, 0), (1, false, 2), (2, false, 2)] {
        let nth = usize::from(qos);
        let mut run = Run::joined();
        run.at(10).arrives(0, DOWN, message(qos, 4, 3)).at(8_000).connect(false);
        // It says what the one before said, and is another.
        run.at(9_000).arrives(0, DOWN, message(qos, 5, 3)).ends(0).at(20_000).accepted(1, goes_on);
        if goes_on {
            run.goes(1, DOWN, again(qos, 4, 3)).goes(1, DOWN, again(qos, 5, 3));
        }
        let down = run.at(30_000).ends(1).over().down;
        assert_eq!((down.sent[nth], down.unfollowed[nth]), (2, 0), "{qos} {goes_on}");
        assert_eq!((down.retransmitted[nth], down.lost[nth]), (2 - lost, lost), "{qos} {goes_on}");
        assert_eq!(down.duplicated, [0; 3]);
        assert!(!run.news().iter().any(|news| matches!(news, MessageNews::DupWrong { .. })));
    }
    // Once it has accepted the next, it has ended this one: what still comes was sent before.
    let mut run = Run::joined();
    run.at(10).connect(false).accepted(1, true).arrives(0, DOWN, message(1, 5, 3));
    assert_eq!(run.counts().down.unfollowed[1], 1);
    // Sent again on the next before that is known.
    let mut run = Run::joined();
    run.at(10).connect(false).goes(1, DOWN, again(1, 5, 3)).arrives(0, DOWN, message(1, 5, 3));
    assert_eq!((run.counts().down.sent[1], run.counts().down.unfollowed[1]), (1, 0));
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
}

/// Of QoS 0 too. Guards: their numbers were missing, and they were not received.
#[test]
fn numbers_that_a_hub_sends_on_a_link_that_it_still_believes_in_are_there() {
    let numbered = |number| Message { number: Some(number), ..message(0, 0, number) };
    let mut run = Run::joined();
    run.goes(0, DOWN, numbered(1)).connect(false).goes(0, DOWN, numbered(2)).ends(0).accepted(1, true);
    let down = run.goes(1, DOWN, numbered(3)).ends(1).over().down;
    assert_eq!((down.sent[0], down.received[0], down.missing, down.lost[0]), (3, 3, 0, 0));
}

/// A bridge of mosquitto hands on, with each reconnect, what its own hub had retained, and is sent what the other had. Guards: what
/// lay between was held to be lost.
#[test]
fn numbers_that_a_bridge_hands_on_are_not_followed() {
    let numbered = |number| Message { number: Some(number), retain: true, ..message(0, 0, number) };
    let mut run = Run::joined();
    run.tell(0, Entry::Bridges);
    for of in Direction::BOTH {
        run.goes(0, of, numbered(10)).goes(0, of, numbered(30)).goes(0, of, numbered(10));
    }
    let counts = run.ends(0).over();
    for counts in [counts.up, counts.down] {
        assert_eq!((counts.sent[0], counts.numbered, counts.missing, counts.repeated), (3, 0, 0, 0));
    }
}

/// What is handed on at PUBREL alone is lost with the session. Guards: it was neither lost nor perhaps.
#[test]
fn of_quality_two_what_was_not_released_before_its_session_was_over_is_perhaps_lost() {
    // (session goes on, identifier of the next message, PUBREL passed on, PUBCOMP arrived, not known)
    for (goes_on, id, released, taken, unfollowed) in [
        (false, 6, false, false, 1),
        (false, 5, false, false, 1),
        (false, 6, true, false, 1),
        (false, 6, true, true, 0),
        (false, 5, true, true, 0),
        (true, 6, false, false, 0),
    ] {
        for of in Direction::BOTH {
            let mut run = Run::joined();
            run.at(10).goes(0, of, message(2, 5, 7)).ack(0, of, AckKind::Pubrec, 5);
            if released {
                run.ack(0, of, AckKind::Pubrel, 5);
            }
            if taken {
                run.ack_arrives(0, of, AckKind::Pubcomp, 5);
            }
            run.ends(0).at(1000).connect(!goes_on).accepted(1, goes_on);
            run.goes(1, of, message(2, id, 8)).at(9000).ends(1);
            let counts = *run.counts().get(of);
            let left = (counts.lost[2], counts.unfollowed[2], counts.in_flight[2]);
            assert_eq!(left, (0, unfollowed, 1 - unfollowed), "{of:?} {goes_on} {id} {released} {taken}");
        }
    }
}

/// A PUBREC that refuses is no sign that its receiver has it, be it passed on or not.
#[test]
fn a_message_that_its_receiver_refuses_is_not_acknowledged() {
    for refuses in [false, true] {
        let mut run = Run::joined();
        run.at(10).goes(0, UP, message(2, 5, 7));
        run.tell(0, Entry::AckArrived(Ack { direction: UP, kind: AckKind::Pubrec, id: 5, refuses }));
        run.ends(0).at(1000).connect(false).accepted(1, true).at(6000).ends(1);
        let counts = run.over().up;
        let left = (counts.unfollowed[2], counts.in_flight[2]);
        assert_eq!(left, (u64::from(refuses), u64::from(!refuses)), "{refuses}");
    }
}

/// Kept back in the dark, the CONNECT of the next link comes before the end of this one is known.
#[test]
fn what_was_sent_on_a_link_is_not_lost_when_that_ends_after_the_next_has_begun() {
    for of in Direction::BOTH {
        let mut run = Run::joined();
        run.at(10).goes(0, of, message(1, 4, 3)).ack(0, of, AckKind::Puback, 4).goes(0, of, message(1, 5, 7));
        run.at(8_000).connect(false).at(25_000).ends(0);
        assert_eq!(run.news(), [] as [&MessageNews; 0], "{of:?}");
        run.accepted(1, true).goes(1, of, again(1, 5, 7)).ack(1, of, AckKind::Puback, 5);
        let counts = *run.ends(1).over().get(of);
        assert_eq!((counts.sent[1], counts.retransmitted[1]), (2, 1), "{of:?}");
        assert_eq!((counts.completed[1], counts.lost[1], counts.in_flight[1]), (2, 0, 0), "{of:?}");
    }
}

/// The same, and then it is not sent again: lost by what the next link shows.
#[test]
fn what_a_later_link_leaves_out_is_lost_with_that() {
    let mut run = Run::joined();
    run.at(10).arrives(0, UP, message(1, 5, 7)).connect(false).at(25_000).ends(0);
    run.accepted(1, true).at(26_000).goes(1, UP, message(1, 6, 8)).ack(1, UP, AckKind::Puback, 6);
    let up = run.ends(1).over().up;
    assert_eq!((up.sent[1], up.completed[1], up.lost[1], up.in_flight[1]), (2, 1, 1, 0));
}

#[test]
fn what_its_receiver_has_acknowledged_is_not_lost() {
    let mut run = Run::joined();
    run.goes(0, UP, message(1, 5, 7)).ack_arrives(0, UP, AckKind::Puback, 5).ends(0);
    run.connect(true).accepted(1, false).goes(1, UP, message(1, 6, 8)).ends(1);
    let up = run.over().up;
    assert_eq!((up.lost[1], up.received[1], up.completed[1]), (0, 2, 0));
}

#[test]
fn a_device_that_never_comes_back_leaves_it_in_flight() {
    let mut run = Run::joined();
    run.at(10).goes(0, UP, message(1, 5, 7)).at(20).ends(0);
    let up = run.at(90_000).over().up;
    assert_eq!((up.lost[1], up.in_flight[1]), (0, 1));
    assert_eq!(run.news(), [&MessageNews::InFlight { first: first(10) }]);
    assert_eq!(run.news[0].link, None);
}

#[test]
fn dup_is_judged_where_it_is_sure() {
    // A first sending with DUP, on the first link of a new session.
    let mut run = Run::joined();
    run.goes(0, UP, again(1, 1, 7));
    assert_eq!(run.news(), [&MessageNews::DupWrong { dup: true }]);
    // On a later link, or in a session that was there before, its first sending may have vanished.
    let mut run = Run::joined();
    run.ends(0).connect(true).accepted(1, false).goes(1, UP, again(1, 1, 7));
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
    let mut run = Run::new();
    run.connect(false).accepted(0, true).goes(0, UP, again(1, 1, 7));
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
    // At quality 0 it is always wrong.
    run.goes(0, UP, again(0, 0, 7));
    assert_eq!(run.news(), [&MessageNews::DupWrong { dup: true }]);
}

#[test]
fn dup_has_to_be_set_on_what_is_sent_again_in_the_same_session() {
    for (goes_on, wrong) in [(true, true), (false, false)] {
        let mut run = Run::joined();
        run.goes(0, UP, message(1, 1, 7)).ends(0);
        run.connect(false).accepted(1, goes_on).goes(1, UP, message(1, 1, 7));
        assert_eq!(run.news().contains(&&MessageNews::DupWrong { dup: false }), wrong, "{goes_on}");
        assert_eq!(run.counts().up.retransmitted[1], 1);
    }
}

#[test]
fn an_identifier_in_flight_may_not_be_used_again() {
    // On the same link; on a later one of the same session; of another session.
    for (later, goes_on, wrong) in [(false, false, true), (true, true, true), (true, false, false)] {
        let mut run = Run::joined();
        run.at(10).goes(0, UP, message(1, 1, 7));
        if later {
            run.ends(0).connect(false).accepted(1, goes_on);
        }
        run.goes(usize::from(later), UP, message(1, 1, 8));
        assert_eq!(
            run.news().contains(&&MessageNews::IdInUse { first: first(10) }),
            wrong,
            "{later} {goes_on}"
        );
        assert_eq!(run.counts().up.sent[1], 2);
    }
    // Of another session, since a clean start was in between.
    let mut run = Run::joined();
    run.goes(0, UP, message(1, 1, 7)).ends(0).connect(true).ends(1).connect(false).accepted(2, true);
    run.goes(2, UP, message(1, 1, 8));
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
}

#[test]
fn an_acknowledgement_of_nothing_is_told_where_nothing_can_be_hidden() {
    let unknown = MessageNews::UnknownAck { packet: "puback".into() };
    let mut run = Run::joined();
    run.ack_arrives(0, UP, AckKind::Puback, 9);
    assert_eq!(run.news(), [&unknown]);
    // Of quality 2 that has another identifier, too.
    run.goes(0, UP, message(2, 4, 7)).ack_arrives(0, UP, AckKind::Puback, 4);
    assert_eq!(run.news(), [&unknown, &unknown]);
    let mut run = Run::joined();
    run.ends(0).connect(true).accepted(1, false).ack_arrives(1, UP, AckKind::Puback, 9);
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
    // What a fault doubled is answered twice.
    let mut run = Run::joined();
    run.arrives(0, UP, message(1, 1, 7));
    run.passes(0, UP, message(1, 1, 7)).tell(0, copied(1, 1, 1));
    run.ack(0, UP, AckKind::Puback, 1).ack(0, UP, AckKind::Puback, 1);
    assert!(!run.news().contains(&&unknown));
}

/// PUBCOMP has to answer PUBREL, whatever that is of [MQTT-3.6.4-1 in 3.1.1], and PUBREL a PUBREC.
#[test]
fn an_answer_that_is_asked_for_is_no_wrong() {
    use AckKind::{Pubcomp, Pubrec, Pubrel};
    for (comes, told) in [
        (&[Pubrel, Pubcomp][..], &["pubrel"][..]),
        (&[Pubrel, Pubrel, Pubcomp, Pubcomp], &["pubrel", "pubrel"]),
        (&[Pubrec, Pubrel, Pubcomp], &["pubrec"]),
        (&[Pubcomp], &["pubcomp"]),
    ] {
        let mut run = Run::joined();
        comes.iter().for_each(|kind| _ = run.ack_arrives(0, UP, *kind, 77));
        let unknown: Vec<MessageNews> =
            told.iter().map(|packet| MessageNews::UnknownAck { packet: (*packet).to_owned() }).collect();
        assert_eq!(run.news(), unknown.iter().collect::<Vec<_>>(), "{comes:?}");
    }
    // PUBREL of a message in flight may be sent twice.
    let mut run = Run::joined();
    run.goes(0, UP, message(2, 4, 7)).ack(0, UP, Pubrec, 4).ack(0, UP, Pubrel, 4).ack(0, UP, Pubrel, 4);
    run.ack(0, UP, Pubcomp, 4).ack(0, UP, Pubcomp, 4);
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
}

/// Nobody makes a ledger grow by answering what was never sent.
#[test]
fn of_answers_to_nothing_so_many_are_remembered_and_then_none_is_judged() {
    let mut run = Run::joined();
    let known =
        |run: &Run| run.news().iter().filter(|news| matches!(news, MessageNews::UnknownAck { .. })).count();
    for id in 1..=1025 {
        // Told one by one: a second each.
        run.at(u64::from(id) * 1000).ack_arrives(0, UP, AckKind::Pubrel, id);
    }
    assert_eq!(known(&run), 1025);
    run.at(2_000_000).ack_arrives(0, UP, AckKind::Pubcomp, 2000).ack_arrives(0, UP, AckKind::Pubrel, 2001);
    assert_eq!(known(&run), 1025);
}

#[test]
fn nothing_is_anybodys_wrong_once_a_fault_has_meddled() {
    let mut run = Run::joined();
    run.tell(0, Entry::Meddled);
    run.goes(0, UP, again(0, 0, 1)).goes(0, UP, again(1, 1, 7)).goes(0, UP, message(1, 1, 8));
    run.ack_arrives(0, UP, AckKind::Puback, 9);
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
}

#[test]
fn the_receive_maximum_holds_for_each_link() {
    let mut run = Run::new();
    run.connect_with(true, Version::V5, Some(1));
    run.tell(0, Entry::Accepted { session_present: false, receive_maximum: Some(2) });
    run.goes(0, UP, message(1, 1, 1)).goes(0, UP, message(2, 2, 2)).goes(0, DOWN, message(1, 1, 1));
    run.ack(0, UP, AckKind::Puback, 1).goes(0, UP, message(1, 3, 3));
    assert_eq!(run.news(), [] as [&MessageNews; 0]);
    run.goes(0, UP, message(1, 4, 4)).goes(0, DOWN, message(1, 2, 2));
    let beyond = |in_flight, allowed| MessageNews::ReceiveMaximum { in_flight, allowed };
    assert_eq!(run.news(), [&beyond(3, 2), &beyond(2, 1)]);
    run.ends(0);
    run.connect_with(false, Version::V5, None);
    run.tell(1, Entry::Accepted { session_present: true, receive_maximum: Some(2) });
    run.news.clear();
    run.goes(1, UP, again(2, 2, 2)).goes(1, UP, again(1, 3, 3));
    assert!(!run.news().contains(&&beyond(3, 2)));
}

#[test]
fn an_identifier_that_is_used_again_amid_its_flight_is_in_flight_once() {
    let mut run = Run::new();
    run.connect_with(true, Version::V5, None);
    run.tell(0, Entry::Accepted { session_present: false, receive_maximum: Some(1) });
    run.at(10).goes(0, UP, message(1, 1, 7)).goes(0, UP, message(1, 1, 8));
    assert_eq!(run.news(), [&MessageNews::IdInUse { first: first(10) }]);
}

/// No sender may say CONNECT twice; one that does has what it sent on the link still in flight there.
#[test]
fn a_second_connect_makes_nothing_of_its_link_an_earlier_links() {
    let mut run = Run::joined();
    run.goes(0, UP, message(1, 1, 7));
    run.tell(0, Entry::Connect { clean: false, version: Version::V311, receive_maximum: None });
    run.goes(0, UP, message(1, 2, 7));
    let up = run.counts().up;
    assert_eq!((up.sent[1], up.retransmitted[1]), (2, 0));
}

/// What it left out was counted with the number that came after it.
#[test]
fn a_number_that_comes_late_is_lost_once() {
    let numbered = |number| Message { number: Some(number), ..message(0, 0, number) };
    let mut run = Run::joined();
    run.at(10).goes(0, UP, numbered(1)).connect(false).accepted(1, true).goes(1, UP, numbered(3));
    run.at(20).arrives(0, UP, numbered(2)).ends(0).at(9000).ends(1);
    let up = run.over().up;
    assert_eq!((up.missing, up.lost[0]), (1, 1));
}

#[test]
fn what_comes_late_on_a_link_that_the_device_has_left_is_no_new_message() {
    let mut run = Run::joined();
    // In the dark; on its next link the device sends it again, which is the first that is seen of it.
    run.connect(false).accepted(1, true).goes(1, UP, again(1, 1, 7)).ack(1, UP, AckKind::Puback, 1);
    // Then its own system delivers what it had sent before.
    run.goes(0, UP, message(1, 1, 7)).goes(0, UP, message(0, 0, 9)).ends(0).ends(1);
    let up = run.over().up;
    assert_eq!((up.sent, up.received), ([1, 1, 0], [0, 1, 0]));
    assert_eq!((up.retransmitted[1], up.duplicated[1], up.lost[0]), (0, 0, 1), "nobody hears the old link");
}

#[test]
fn more_than_is_followed_is_counted() {
    let mut run = Run::joined();
    let sent = u16::try_from(ENDED_LIMIT + 3).unwrap();
    for id in 1..=sent {
        run.arrives(0, UP, message(1, id, u64::from(id)));
    }
    let up = run.ends(0).counts().up;
    assert_eq!((up.sent[1], up.unfollowed), (sent.into(), [0, 3, 0]));
    // The oldest are given up: of what is sent again, the third is new, and the fourth is known.
    run.connect(false).accepted(1, true).arrives(1, UP, again(1, 3, 3)).arrives(1, UP, again(1, 4, 4));
    let up = run.ends(1).over().up;
    assert_eq!((up.sent[1], up.retransmitted[1]), (u64::from(sent) + 1, 1));
}

/// Of what is through, so much is known again when it comes once more.
#[test]
fn of_what_is_through_the_last_sixty_four_are_remembered() {
    let mut run = Run::joined();
    for id in 1..=65 {
        run.goes(0, UP, message(1, id, u64::from(id))).ack(0, UP, AckKind::Puback, id);
    }
    run.goes(0, UP, again(1, 2, 2));
    let up = run.counts().up;
    assert_eq!((up.sent[1], up.retransmitted[1]), (65, 1));
    run.goes(0, UP, again(1, 1, 1));
    let up = run.counts().up;
    assert_eq!((up.sent[1], up.retransmitted[1]), (66, 1));
}

#[test]
fn of_each_kind_a_few_are_told_in_a_second_and_the_others_in_one() {
    let mut run = Run::joined();
    let told = |run: &mut Run, millis| {
        (0..9).for_each(|_| _ = run.at(millis).goes(0, UP, again(0, 0, 1)));
        std::mem::take(&mut run.news).iter().map(|news| 1 + news.more).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut run, 5000), [1; 5]);
    assert_eq!(told(&mut run, 5999), [] as [u64; 0]);
    assert_eq!(told(&mut run, 6000), [13, 1, 1, 1, 1, 1]);
    // Once the second is over, whatever comes; or with the link.
    run.at(6999).ack_arrives(0, UP, AckKind::Puback, 3);
    assert_eq!(run.news.len(), 1, "an unknown acknowledgement");
    run.at(7000).ack_arrives(0, DOWN, AckKind::Puback, 3);
    assert_eq!(run.news.iter().map(|news| news.more).collect::<Vec<_>>(), [0, 3, 0]);
    told(&mut run, 7000);
    run.ends(0);
    assert_eq!(run.news.iter().map(|news| news.more).collect::<Vec<_>>(), [3]);
}

#[test]
fn what_is_not_alike_is_told_apart() {
    let mut run = Run::joined();
    run.at(5000);
    (1..=7).for_each(|id| _ = run.ack_arrives(0, UP, AckKind::Puback, id));
    (1..=3).for_each(|id| _ = run.ack_arrives(0, UP, AckKind::Pubcomp, id));
    (1..=2).for_each(|id| _ = run.ack_arrives(0, DOWN, AckKind::Puback, id));
    run.ends(0);
    assert_eq!(run.news.iter().skip(5).map(|news| news.more).collect::<Vec<_>>(), [1, 2, 1]);
}

#[test]
fn numbers_tell_of_what_vanished_unseen() {
    let numbered = |number| Message { number: Some(number), ..message(0, 0, number) };
    let mut run = Run::joined();
    run.at(10).goes(0, UP, numbered(1)).goes(0, UP, numbered(2)).goes(0, UP, numbered(5));
    run.at(9000).goes(0, UP, numbered(6)).goes(0, UP, numbered(6)).ends(0);
    let up = run.over().up;
    assert_eq!((up.numbered, up.missing, up.repeated, up.lost[0]), (5, 2, 1, 2));
    assert_eq!(run.news(), [&gap(3, 4, false), &MessageNews::Repeated { number: 6 }]);
}

#[test]
fn what_a_device_had_kept_is_told_with_what_it_dropped() {
    let numbered = |id: u16| Message { number: Some(u64::from(id)), ..message(1, id, u64::from(id)) };
    let mut run = Run::joined();
    for id in 1..=7 {
        run.at(u64::from(id) * 1000).goes(0, UP, numbered(id)).ack(0, UP, AckKind::Puback, id);
    }
    run.at(8000).ends(0).at(20_000).connect(false).accepted(1, true);
    for id in 12..=20 {
        run.at(20_000 + u64::from(id)).goes(1, UP, numbered(id)).ack(1, UP, AckKind::Puback, id);
    }
    run.at(21_000).goes(1, UP, numbered(21)).ack(1, UP, AckKind::Puback, 21);
    let up = run.counts().up;
    assert_eq!((up.catch_ups, up.queued, up.numbered_catch_ups, up.dropped), (1, 9, 1, 4));
    assert_eq!((up.missing, up.repeated), (0, 0));
    assert_eq!(run.news(), [&MessageNews::CaughtUp { queued: 9, dropped: Some(4) }]);
}

/// News of messages that are lost with their link come to as many as the counts, however many waited.
#[test]
fn all_that_waited_and_is_lost_is_told_of() {
    for passed in [0, 3, 16, 40, 154] {
        let mut run = Run::joined();
        for millis in 0..155 {
            run.at(1_000 + millis).arrives(0, DOWN, message(0, 0, 7));
        }
        run.tell(0, Entry::PassedPlain { direction: DOWN, messages: passed });
        let down = run.ends(0).over().down;
        let told: u64 = run.news.iter().map(|news| news.news.messages() + news.more).sum();
        assert_eq!((down.received[0], down.lost[0]), (u64::from(passed), 155 - u64::from(passed)));
        assert_eq!(told, down.lost[0], "{passed} passed on");
    }
}

/// What was counted as received, and was not acknowledged when its leg went, is not known.
#[test]
fn what_is_doubted_later_is_received_no_more() {
    let mut run = Run::joined();
    for _ in 0..5 {
        run.goes(0, DOWN, message(0, 0, 7));
    }
    assert_eq!(run.counts().down.received[0], 5);
    run.tell(0, Entry::Doubted { direction: DOWN, messages: 2 });
    let down = run.ends(0).over().down;
    assert_eq!((down.sent[0], down.received[0], down.unfollowed[0], down.lost[0]), (5, 3, 2, 0));
}

/// A hub that refuses a device need not take what came behind its CONNECT, nor a device what comes before a CONNACK.
#[test]
fn what_passed_on_a_link_without_a_connack_is_perhaps_received() {
    for direction in Direction::BOTH {
        for is_accepted in [false, true] {
            let mut run = Run::new();
            run.connect(true);
            for qos in 0..3 {
                run.goes(0, direction, message(qos, qos.into(), 7));
            }
            run.tell(0, Entry::ArrivedPlain { direction, messages: 4 });
            run.tell(0, Entry::PassedPlain { direction, messages: 3 });
            if is_accepted {
                run.accepted(0, false);
            }
            let counts = *run.ends(0).over().get(direction);
            let sure = if is_accepted { [4, 1, 1] } else { [0; 3] };
            assert_eq!((counts.sent, counts.received), ([5, 1, 1], sure), "{direction:?} {is_accepted}");
            let perhaps = if is_accepted { ([0; 3], [0; 3]) } else { ([4, 0, 0], [0, 1, 1]) };
            assert_eq!((counts.unfollowed, counts.perhaps_received), perhaps, "{direction:?} {is_accepted}");
            assert_eq!((counts.lost, counts.in_flight), ([1, 0, 0], [0, 1, 1]));
        }
    }
}

/// Of QoS 1, what was not acknowledged when its leg went was perhaps never received; sent again, it was, and is perhaps no duplicate.
#[test]
fn what_is_doubted_in_flight_is_perhaps_received_or_a_duplicate() {
    let doubted = Entry::DoubtedInFlight { direction: DOWN };
    let of = |run: &mut Run| {
        let down = run.over().down;
        let received = (down.received[1], down.perhaps_received[1]);
        (received, (down.duplicated[1], down.perhaps_duplicated[1]), (down.lost[1], down.unfollowed[1]))
    };
    // It is all that there was: in flight, and perhaps received.
    let mut run = Run::joined();
    run.goes(0, DOWN, message(1, 1, 7)).tell(0, doubted).ends(0);
    assert_eq!(of(&mut run), ((0, 1), (0, 0), (0, 0)));
    // It was answered: it is through, whatever was not acknowledged.
    let mut run = Run::joined();
    run.goes(0, DOWN, message(1, 1, 7)).ack(0, DOWN, AckKind::Puback, 1).tell(0, doubted).ends(0);
    assert_eq!(of(&mut run), ((1, 0), (0, 0), (0, 0)));
    // The session is over, and it is never sent again.
    let mut run = Run::joined();
    run.goes(0, DOWN, message(1, 1, 7)).tell(0, doubted).ends(0);
    run.connect(true)
        .accepted(1, false)
        .at(1000)
        .goes(1, DOWN, message(1, 9, 9))
        .ack(1, DOWN, AckKind::Puback, 9)
        .ends(1);
    assert_eq!(of(&mut run), ((1, 1), (0, 0), (0, 1)));
    // The same, and its leg goes only after that.
    let mut run = Run::joined();
    run.goes(0, DOWN, message(1, 1, 7));
    run.connect(true)
        .accepted(1, false)
        .at(1000)
        .goes(1, DOWN, message(1, 9, 9))
        .ack(1, DOWN, AckKind::Puback, 9)
        .ends(1);
    assert_eq!((run.counts().down.received[1], run.counts().down.perhaps_received[1]), (2, 0));
    run.tell(0, doubted).tell(0, doubted).ends(0);
    assert_eq!(of(&mut run), ((1, 1), (0, 0), (0, 1)));
    // It is sent again on the next link, before or after the leg of the first went, and that one is well or not.
    for (late, second, expected) in [
        (false, false, ((1, 0), (0, 1), (0, 0))),
        (true, false, ((1, 0), (0, 1), (0, 0))),
        (false, true, ((0, 1), (0, 1), (0, 0))),
        (true, true, ((0, 1), (0, 1), (0, 0))),
    ] {
        let mut run = Run::new();
        run.connect(false).accepted(0, false).goes(0, DOWN, message(1, 1, 7));
        if !late {
            run.tell(0, doubted).ends(0);
        }
        run.connect(false).accepted(1, true).goes(1, DOWN, again(1, 1, 7));
        if late {
            run.tell(0, doubted).ends(0);
        }
        if second {
            run.tell(1, doubted);
        }
        run.ends(1);
        assert_eq!(of(&mut run), expected, "{late} {second}");
    }
    // The first time is sure, the second is not.
    let mut run = Run::new();
    run.connect(false).accepted(0, false).goes(0, DOWN, message(1, 1, 7)).ends(0);
    run.connect(false).accepted(1, true).goes(1, DOWN, again(1, 1, 7)).tell(1, doubted).ends(1);
    assert_eq!(of(&mut run), ((1, 0), (0, 1), (0, 0)));
}

/// Three messages of QoS 1, of each of which its sender was told at 1, 2 and 3 s.
fn three_are_told(clean: bool) -> Run {
    let mut run = Run::new();
    run.connect(clean).accepted(0, false);
    for id in 1..=3 {
        run.at(1_000 * u64::from(id)).goes(0, UP, message(1, id, u64::from(id))).ack(
            0,
            UP,
            AckKind::Puback,
            id,
        );
    }
    run
}

fn doubted(unacknowledged: u32, since: Option<u64>) -> Entry {
    Entry::DoubtedAcks { direction: UP, unacknowledged, since: since.map(Time::from_millis) }
}

/// How many are completed, perhaps completed, and in flight.
fn completed(run: &mut Run) -> (u64, u64, u64) {
    let up = run.over().up;
    (up.completed[1], up.perhaps_completed[1], up.in_flight[1])
}

/// What told a sender that its message has arrived may never have come, where its leg went.
#[test]
fn what_a_sender_was_told_last_is_doubted_with_its_leg() {
    for (doubted, expected) in [
        (doubted(0, None), (3, 0, 0)),
        (doubted(2, None), (1, 2, 0)),
        (doubted(9, None), (0, 3, 0)),
        (doubted(0, Some(2_000)), (1, 2, 0)),
        (doubted(0, Some(2_001)), (2, 1, 0)),
        (doubted(1, Some(3_001)), (2, 1, 0)),
    ] {
        let mut run = three_are_told(true);
        run.tell(0, doubted).ends(0);
        assert_eq!(completed(&mut run), expected, "{doubted:?}");
    }
    // Of more than are remembered it is those that are.
    let mut run = Run::joined();
    for id in 1..=70 {
        run.goes(0, UP, message(1, id, u64::from(id))).ack(0, UP, AckKind::Puback, id);
    }
    run.tell(0, doubted(70, None)).ends(0);
    assert_eq!(completed(&mut run), (6, 64, 0));
}

/// Who goes on in the session sends again what it was not told of.
#[test]
fn what_a_sender_does_on_a_later_link_shows_whether_it_was_told() {
    let goes_on = |clean: bool| {
        let mut run = three_are_told(clean);
        run.tell(0, doubted(3, None)).ends(0).connect(clean).accepted(1, !clean);
        run
    };
    let mut run = goes_on(false);
    run.at(5_000).goes(1, UP, message(1, 9, 9)).ack(1, UP, AckKind::Puback, 9).ends(1);
    assert_eq!(completed(&mut run), (4, 0, 0), "nothing is sent again");
    let mut run = goes_on(true);
    run.at(5_000).goes(1, UP, message(1, 9, 9)).ack(1, UP, AckKind::Puback, 9).ends(1);
    assert_eq!(completed(&mut run), (1, 3, 0), "it owes nothing");
    for (acknowledged, expected) in [(true, (3, 0, 0)), (false, (2, 1, 0))] {
        let mut run = goes_on(false);
        run.goes(1, UP, again(1, 3, 3));
        if acknowledged {
            run.ack(1, UP, AckKind::Puback, 3);
        }
        run.at(9_000).ends(1);
        assert_eq!(completed(&mut run), expected, "sent again, and acknowledged: {acknowledged}");
    }
    let mut run = goes_on(false);
    run.ends(1);
    assert_eq!(completed(&mut run), (0, 3, 0), "it has not shown anything yet");
}

/// What counts as lost is not completed, whatever its sender was told.
#[test]
fn what_is_lost_is_not_perhaps_completed() {
    let mut run = three_are_told(true);
    run.at(3_500).arrives(0, UP, Message { dropped: true, ..message(1, 4, 4) });
    run.tell(0, Entry::FalselyAcknowledged { direction: UP, id: 4 }).tell(0, doubted(1, None)).ends(0);
    assert_eq!(completed(&mut run), (2, 1, 0));
    let mut run = Run::new();
    run.connect(false).accepted(0, false).arrives(0, UP, message(1, 5, 5)).ends(0);
    run.connect(false).accepted(1, true);
    run.at(1000).goes(1, UP, message(1, 9, 9)).ack(1, UP, AckKind::Puback, 9).ends(1);
    run.connect(false).accepted(2, true).goes(2, UP, again(1, 5, 5)).ack(2, UP, AckKind::Puback, 5);
    run.tell(2, doubted(1, None)).ends(2);
    assert_eq!(completed(&mut run), (1, 0, 0));
}
