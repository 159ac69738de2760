//! The ledger against a model that knows each message by name: a sender that keeps to the standard, a receiver, and a wire
//! that loses what a link held when it ended. Whatever the interleaving, the counts are those that the model kept.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A new message.
    Send { of: Direction, qos: u8, says: u64 },
    /// The oldest PUBLISH that waits in brownout is passed on.
    Pass { of: Direction },
    /// A fault drops the next one in its place, if it may.
    Drop { of: Direction },
    /// The receiver answers the oldest that it owes an answer.
    Answer { of: Direction },
    /// The oldest answer that waits in brownout is passed on.
    PassAnswer { of: Direction },
    /// The link ends, and a new one comes; the session goes on.
    Reconnect,
}

/// A message, as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    qos: u8,
    says: u64,
    received: u64,
    done: bool,
}

/// One direction of the model.
#[derive(Default)]
struct Way {
    messages: Vec<Known>,
    /// In flight as the sender has it: identifier to message.
    by_id: BTreeMap<u16, usize>,
    /// PUBLISH packets in brownout: message, identifier.
    wire: VecDeque<(usize, u16)>,
    /// Answers that the receiver owes, and those in brownout: identifier and message.
    owed: VecDeque<(usize, u16)>,
    answers: VecDeque<(usize, u16)>,
    lost0: u64,
    resent: u64,
    twice: u64,
    drops: BTreeSet<usize>,
}

struct World {
    run: Run,
    link: usize,
    ways: [Way; 2],
    millis: u64,
}

fn index(of: Direction) -> usize {
    usize::from(of == DOWN)
}

impl World {
    fn new() -> World {
        let mut run = Run::new();
        run.connect(false).accepted(0, false);
        World { run, link: 0, ways: [Way::default(), Way::default()], millis: 0 }
    }

    fn step(&mut self, step: Step) {
        self.millis += 1;
        self.run.at(self.millis);
        match step {
            Step::Send { of, qos, says } => self.send(of, qos, says),
            Step::Pass { of } => self.pass(of),
            Step::Drop { of } => _ = self.ways[index(of)].drops.insert(self.ways[index(of)].messages.len()),
            Step::Answer { of } => self.answer(of),
            Step::PassAnswer { of } => self.pass_answer(of),
            Step::Reconnect => self.reconnect(),
        }
    }

    /// The first identifier that is free.
    fn send(&mut self, of: Direction, qos: u8, says: u64) {
        let way = &mut self.ways[index(of)];
        let id = (1..).find(|id| !way.by_id.contains_key(id)).unwrap();
        let id = if qos == 0 { 0 } else { id };
        let number = way.messages.len();
        way.messages.push(Known { qos, says, received: 0, done: false });
        if qos > 0 {
            way.by_id.insert(id, number);
        }
        self.put(of, number, id, false);
    }

    /// A PUBLISH comes to brownout.
    fn put(&mut self, of: Direction, number: usize, id: u16, dup: bool) {
        let way = &mut self.ways[index(of)];
        let Known { qos, says, .. } = way.messages[number];
        let dropped = !dup && way.drops.contains(&number);
        if dropped {
            way.lost0 += u64::from(qos == 0);
        } else {
            way.wire.push_back((number, id));
        }
        let message = Message { dup, dropped, ..message(qos, id, says) };
        self.run.arrives(self.link, of, message);
    }

    fn pass(&mut self, of: Direction) {
        let way = &mut self.ways[index(of)];
        let Some((number, id)) = way.wire.pop_front() else { return };
        let known = &mut way.messages[number];
        known.received += 1;
        way.twice += u64::from(known.qos == 1 && known.received > 1);
        if known.qos > 0 {
            way.owed.push_back((number, id));
        }
        let message = message(known.qos, id, known.says);
        self.run.passes(self.link, of, message);
    }

    fn answer(&mut self, of: Direction) {
        let way = &mut self.ways[index(of)];
        let Some((number, id)) = way.owed.pop_front() else { return };
        way.answers.push_back((number, id));
        let kind = if way.messages[number].qos == 1 { AckKind::Puback } else { AckKind::Pubrec };
        self.run.ack_arrives(self.link, of, kind, id);
    }

    /// PUBREC brings about PUBREL and PUBCOMP, which pass in one step.
    fn pass_answer(&mut self, of: Direction) {
        let way = &mut self.ways[index(of)];
        let Some((number, id)) = way.answers.pop_front() else { return };
        let is_in_flight = way.by_id.get(&id) == Some(&number);
        way.by_id.retain(|_, known| *known != number);
        way.messages[number].done = true;
        let link = self.link;
        if way.messages[number].qos == 1 {
            self.run.tell(
                link,
                Entry::AckPassed(Ack { direction: of, kind: AckKind::Puback, id, refuses: false }),
            );
        } else if is_in_flight {
            let pubrec = Ack { direction: of, kind: AckKind::Pubrec, id, refuses: false };
            self.run.tell(link, Entry::AckPassed(pubrec));
            self.run.ack(link, of, AckKind::Pubrel, id).ack(link, of, AckKind::Pubcomp, id);
        }
    }

    /// What the old link held is gone; what is in flight is sent again, in order, before anything else.
    fn reconnect(&mut self) {
        self.run.ends(self.link);
        for way in &mut self.ways {
            let gone = way.wire.iter().filter(|(number, _)| way.messages[*number].qos == 0).count();
            way.lost0 += u64::try_from(gone).unwrap();
            way.wire.clear();
            way.owed.clear();
            way.answers.clear();
        }
        self.run.connect(false);
        self.link += 1;
        self.run.accepted(self.link, true);
        for of in Direction::BOTH {
            let way = &mut self.ways[index(of)];
            let mut again: Vec<(usize, u16)> = way.by_id.iter().map(|(id, number)| (*number, *id)).collect();
            again.sort_unstable();
            way.resent += u64::try_from(again.len()).unwrap();
            for (number, id) in again {
                self.put(of, number, id, true);
            }
        }
    }

    fn check(mut self) {
        self.run.ends_stopped(self.link, true);
        let counts = self.run.over();
        for of in Direction::BOTH {
            let (way, told) = (&self.ways[index(of)], counts.get(of));
            let count = |is: &dyn Fn(&Known) -> bool| {
                [0, 1, 2].map(|qos| {
                    let of_qos = way.messages.iter().filter(|known| known.qos == qos && is(known));
                    u64::try_from(of_qos.count()).unwrap()
                })
            };
            let waits = way.wire.iter().filter(|(number, _)| way.messages[*number].qos == 0).count();
            let [_, one, two] = count(&|known| !known.done);
            assert_eq!(told.sent, count(&|_| true), "sent {of:?}");
            assert_eq!(told.received, count(&|known| known.received > 0), "received {of:?}");
            assert_eq!(told.completed, count(&|known| known.done), "completed {of:?}");
            assert_eq!(told.retransmitted.iter().sum::<u64>(), way.resent, "retransmitted {of:?}");
            assert_eq!(told.duplicated, [0, way.twice, 0], "duplicated {of:?}");
            assert_eq!(told.lost, [way.lost0, 0, 0], "lost {of:?}");
            assert_eq!(told.in_flight, [u64::try_from(waits).unwrap(), one, two], "in flight {of:?}");
        }
        let is_wrong = |news: &&News| {
            matches!(
                news.news,
                MessageNews::DupWrong { .. } | MessageNews::IdInUse { .. } | MessageNews::UnknownAck { .. }
            )
        };
        assert_eq!(self.run.news.iter().find(is_wrong), None, "peers that keep to the standard do no wrong");
    }
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(UP), Just(DOWN)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (direction(), 0..3_u8, 0..3_u64).prop_map(|(of, qos, says)| Step::Send { of, qos, says }),
        8 => direction().prop_map(|of| Step::Pass { of }),
        1 => direction().prop_map(|of| Step::Drop { of }),
        6 => direction().prop_map(|of| Step::Answer { of }),
        6 => direction().prop_map(|of| Step::PassAnswer { of }),
        1 => Just(Step::Reconnect),
    ]
}

proptest! {
    #[test]
    fn the_counts_are_those_of_the_model(steps in proptest::collection::vec(step(), 0..120)) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.check();
    }

    /// Whatever anybody sends, on however many links at once: nothing panics, and no count is of more than was sent.
    #[test]
    fn nothing_that_peers_do_confounds_it(
        entries in proptest::collection::vec((0..3_usize, any_entry()), 0..200)
    ) {
        let mut run = Run::new();
        for _ in 0..3 {
            run.connect(false);
        }
        for (millis, (link, entry)) in (0..).zip(entries) {
            run.at(millis * 500).tell(link, entry);
        }
        (0..3).for_each(|link| _ = run.ends(link));
        let counts = run.over();
        for counts in [counts.up, counts.down] {
            for qos in 0..3 {
                let missing = if qos == 0 { counts.missing } else { 0 };
                let known = counts.completed[qos] + counts.in_flight[qos] + counts.lost[qos];
                prop_assert!(known <= counts.sent[qos] + missing, "{counts:?}");
                prop_assert!(counts.received[qos] <= counts.sent[qos], "{counts:?}");
            }
        }
    }
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let qos = (0..3_u8).prop_map(|qos| QoS::from_number(qos).unwrap());
    let id = 0..4_u16;
    let says = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        proptest::option::of(0..9_u32),
        0..3_u64,
        proptest::option::of(0..6_u64),
    );
    let message = (direction(), qos.clone(), id.clone(), says).prop_map(|(of, qos, id, says)| {
        let (dup, retain, dropped, expiry, hash, number) = says;
        let id = if qos == QoS::AtMostOnce { 0 } else { id };
        Entry::Arrived(of, Message { qos, id, dup, retain, expiry, hash, topic: 1, number, dropped })
    });
    prop_oneof![
        6 => message,
        4 => (direction(), qos.clone(), id.clone()).prop_map(|(direction, qos, id)| {
            let id = if qos == QoS::AtMostOnce { 0 } else { id };
            Entry::Passed { direction, qos, id }
        }),
        1 => (direction(), qos, id.clone(), 1..3_u32).prop_map(|(direction, qos, id, copies)| {
            let id = if qos == QoS::AtMostOnce { 0 } else { id };
            Entry::Copied { direction, qos, id, copies }
        }),
        3 => any_ack().prop_map(Entry::AckPassed),
        1 => (direction(), id).prop_map(|(direction, id)| Entry::FalselyAcknowledged { direction, id }),
        1 => any::<bool>().prop_map(|clean| Entry::Connect {
            clean,
            version: Version::V5,
            receive_maximum: Some(1),
        }),
        1 => any::<bool>().prop_map(|session_present| Entry::Accepted {
            session_present,
            receive_maximum: Some(1),
        }),
        1 => any::<bool>().prop_map(Entry::Disturbed),
        1 => Just(Entry::Shares),
        1 => Just(Entry::AsPublished),
        1 => Just(Entry::Bridges),
        1 => (direction(), 0..3_u32, proptest::option::of(0..9_u64)).prop_map(|(direction, unacknowledged, since)| {
            Entry::DoubtedAcks { direction, unacknowledged, since: since.map(Time::from_millis) }
        }),
    ]
}

fn any_ack() -> impl Strategy<Value = Ack> {
    (direction(), 0..4_usize, 0..4_u16, any::<bool>()).prop_map(|(direction, kind, id, refuses)| {
        let kinds = [AckKind::Puback, AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp];
        Ack { direction, kind: kinds[kind], id, refuses }
    })
}
