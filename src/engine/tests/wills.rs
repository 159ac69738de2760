//! Wills: told of where a PUBLISH with their topic comes, about the time that they are due, once.

use super::*;
use crate::base::Side;
use crate::event::{Says, Will};
use crate::fault::Ending;

fn says(payload: &[u8]) -> Says {
    Says::of(u32::try_from(payload.len()).unwrap(), payload)
}

impl Run {
    /// A device that leaves a will, and what it is told.
    fn leaves(&mut self, link: u64, name: &str, delay: Option<u32>) -> LinkId {
        let link = self.open(link);
        let will = Some(Will { topic: "gone".into(), qos: 0, delay, says: Some(says(b"offline")) });
        let connect = Packet::Connect {
            version: Version::V5,
            client_id: name.into(),
            keep_alive: 2,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will,
            terms: crate::event::SessionTerms::default(),
        };
        self.packet(link, Direction::Up, connect);
        self.connack(link, 0);
        link
    }

    /// The hub knows of the link's end.
    fn hub_ends(&mut self, link: LinkId) {
        let last = LastPackets::default();
        self.tell(Input::LegEnded { link, side: Side::Hub, how: Ending::Fin, error: None, last });
    }

    fn publishes(&mut self, link: LinkId, topic: &str, retain: bool) {
        self.tell(Input::Published { link, topic: topic.into(), retain, says: None });
    }

    fn says(&mut self, link: LinkId, payload: &[u8]) {
        let says = Some(says(payload));
        self.tell(Input::Published { link, topic: "gone".into(), retain: false, says });
    }

    fn wills(&self) -> Vec<u64> {
        self.times(|what| matches!(what, What::WillDelivered { .. }))
    }
}

const REASON: [Packet; 2] = [Packet::Disconnect { reason: 0 }, Packet::Disconnect { reason: 4 }];

#[test]
fn a_will_is_told_of_once_and_while_it_may_come() {
    for (delay, at, expected) in
        [(None, 6_000, true), (None, 6_001, false), (Some(3), 9_000, true), (Some(3), 9_001, false)]
    {
        let mut run = Run::new(plan(Vec::new()));
        let (link, other) = (run.leaves(1, "d", delay), run.device(2, "e", 60));
        run.to(1_000).hub_ends(link);
        run.publishes(other, "elsewhere", false);
        run.to(at).publishes(other, "gone", false);
        run.publishes(other, "gone", false);
        assert_eq!(run.wills(), if expected { vec![at] } else { vec![] }, "{delay:?} {at}");
    }
}

#[test]
fn a_hub_may_publish_it_a_moment_before_it_ends_the_link() {
    for (at, expected) in [(3_000, true), (3_001, false)] {
        let mut run = Run::new(plan(Vec::new()));
        let (link, other) = (run.leaves(1, "d", None), run.device(2, "e", 60));
        run.to(1_000).publishes(other, "gone", false);
        run.to(at).hub_ends(link);
        assert_eq!(!run.wills().is_empty(), expected, "{at}");
    }
}

#[test]
fn after_disconnect_only_what_can_be_nothing_else_is_told_of() {
    for (disconnect, retain, uses, expected) in [
        (&REASON[0], false, false, true),
        (&REASON[0], true, false, false),
        (&REASON[0], false, true, false),
        (&REASON[1], true, true, true),
    ] {
        let mut run = Run::new(plan(Vec::new()));
        let (link, other) = (run.leaves(1, "d", None), run.device(2, "e", 60));
        if uses {
            run.tell(Input::UsesWillTopic { link });
        }
        run.to(1_000).packet(link, Direction::Up, disconnect.clone());
        run.hub_ends(link);
        run.close(link);
        run.to(1_100).publishes(other, "gone", retain);
        assert_eq!(!run.wills().is_empty(), expected, "{disconnect:?} {retain} {uses}");
    }
}

/// What is over leaves nothing behind, and what is waited for has a bound.
#[test]
fn wills_take_bounded_memory() {
    let mut run = Run::new(plan(Vec::new()));
    for link in 0..5_000u64 {
        let id = run.leaves(link, "d", Some(60));
        run.hub_ends(id);
        run.close(id);
    }
    assert!(run.engine.wills_kept() <= 4_096);
    run.to(70_000);
    let id = run.leaves(9_000, "d", None);
    run.hub_ends(id);
    run.close(id);
    assert_eq!(run.engine.wills_kept(), 1);
}

/// Many devices say "online" on the topic of their will, as they come and as they come back.
#[test]
fn what_says_something_else_is_not_the_will() {
    for (before, after, expected) in [
        (&b"offline"[..], &b""[..], vec![1_000]),
        (b"online", b"", vec![]),
        (b"online", b"offline", vec![1_500]),
        (b"", b"offlinE", vec![]),
    ] {
        let mut run = Run::new(plan(Vec::new()));
        let (link, other) = (run.leaves(1, "d", None), run.device(2, "e", 60));
        if !before.is_empty() {
            run.to(900).says(other, before);
        }
        run.to(1_000).hub_ends(link);
        if !after.is_empty() {
            run.to(1_500).says(other, after);
        }
        assert_eq!(run.wills(), expected, "{before:?} {after:?}");
    }
}
