//! How links end, and what hubs do.

use super::{findings, found, grade, is_reset, lives, name, observer, reset};
use crate::azure::Code;
use crate::base::{LinkId, Side, Time};
use crate::event::{LastPackets, What};
use crate::fault::Ending;
use crate::measure::cause::Cause;
use crate::measure::finding::Grade;
use crate::measure::story::{Story, answers, asks};
use crate::mqtt::Version;

/// Links of one device that end at these seconds, by this end, with a new one a second later.
fn ends_at(seconds: &[u64], side: Side) -> Story {
    let mut story = Story::new();
    let mut from = 0;
    for (link, until) in (1..).zip(seconds) {
        lives(&mut story, link, 0, from, until * 1_000, side, Ending::Fin);
        from = until * 1_000 + 1_000;
    }
    story.at(from).joins(99, 0, name(0), 60).at(from + 100_000).over();
    story
}

#[test]
fn disconnects_at_regular_intervals() {
    let graded = |seconds: &[u64]| grade(&observer(), &ends_at(seconds, Side::Device), "regular-disconnects");
    assert_eq!(graded(&[100, 200, 300]), None, "two intervals are none");
    assert_eq!(graded(&[100, 200, 300, 400]), Some(Grade::Warn));
    assert_eq!(graded(&[100, 200, 300, 410]), Some(Grade::Warn), "a tenth apart");
    assert_eq!(graded(&[100, 200, 300, 411]), None);
    let told = found(&observer(), &ends_at(&[65, 130, 195, 260], Side::Hub), "regular-disconnects").unwrap();
    assert_eq!(told.seen, "It lost its link every 65.0 s (65.0 s to 65.0 s, 4 times).");
    assert!(told.cause.contains("404104"), "{}", told.cause);
    assert_eq!(told.evidence[0].what, "closed without DISCONNECT by the hub");
}

#[test]
fn disconnects_at_random() {
    let graded = |seconds: &[u64]| grade(&observer(), &ends_at(seconds, Side::Device), "random-disconnects");
    assert_eq!(graded(&[100, 130, 300]), None);
    assert_eq!(graded(&[100, 130, 300, 1_000]), Some(Grade::Warn));
}

/// A link with a SAS token that expires at this second of the run.
fn with_token(story: &mut Story, link: u64, from: u64, expires_at: u64) {
    const BEGAN: u64 = 1_767_225_600;
    story.at(from).opens_link(link, 0, name(0));
    story.up(link, asks(name(0), Version::V311, 600, Some(BEGAN + expires_at))).down(link, answers(0, None));
}

#[test]
fn the_hub_closes_at_the_expiry_of_the_token() {
    let cause = |ended: u64| {
        let mut story = Story::new();
        with_token(&mut story, 1, 0, 60);
        story.at(ended).ends(1, Side::Hub, Ending::Fin).closes(1).over();
        story.results(&observer()).runs[0].ends[0].cause
    };
    assert_eq!(cause(58_999), Cause::Closed(Side::Hub));
    assert_eq!(cause(59_000), Cause::TokenOver);
    assert_eq!(cause(60_000 + 660_000), Cause::TokenOver);
    assert_eq!(cause(60_000 + 660_001), Cause::Closed(Side::Hub));
    let mut story = Story::new();
    for link in 1..=4 {
        with_token(&mut story, link, (link - 1) * 61_000, link * 61 - 1);
        story.at(link * 61_000 - 500).ends(link, Side::Hub, Ending::Fin).closes(link);
    }
    story.at(300_000).over();
    let told = found(&observer(), &story, "regular-disconnects").unwrap();
    assert!(told.seen.ends_with(", at token expiry.") && told.cause.contains("404104"), "{told:?}");
    assert!(told.cause.contains(&Code::IotHubUnauthorized.to_string()), "{}", told.cause);
}

/// What a rule does in a rhythm is nobody's.
#[test]
fn what_a_rule_did_is_held_against_nobody() {
    let mut story = Story::new();
    for link in 1..=5 {
        story.at(link * 100_000).joins(link, 0, name(0), 100);
        is_reset(&mut story, link, 0, link * 100_000 + 99_000);
    }
    story.at(600_000).joins(9, 0, name(0), 100).at(700_000).over();
    assert_eq!(findings(&reset(), &story), []);
}

#[test]
fn a_hub_that_refuses_again_and_again() {
    let story = |times: u64, code: u8, then: bool| {
        let mut story = Story::new();
        for link in 1..=times {
            story.at(link * 10_000).connect(link, 0, name(0), 60).connack(link, false, code);
            story.ends(link, Side::Hub, Ending::Fin).closes(link);
        }
        if then {
            story.at(times * 10_000 + 10_000).joins(99, 0, name(0), 60);
        }
        story.at(200_000).over();
        story
    };
    let id = "refused-again-and-again";
    assert_eq!(grade(&observer(), &story(2, 5, false), id), None);
    assert_eq!(grade(&observer(), &story(3, 5, false), id), Some(Grade::Fail));
    assert_eq!(grade(&observer(), &story(3, 5, true), id), Some(Grade::Warn));
    assert!(found(&observer(), &story(3, 5, true), id).unwrap().cause.contains("401003"));
    assert!(found(&observer(), &story(3, 3, true), id).unwrap().cause.contains("500001"));
}

/// It was accepted on a link that a rule then ended: that counts, though the end is the rule's.
#[test]
fn a_hub_that_accepted_a_device_whose_link_a_rule_ended_has_accepted_it() {
    let mut story = Story::new();
    story.joins(9, 0, name(0), 10);
    is_reset(&mut story, 9, 0, 5_000);
    for link in 10..13 {
        story.at(link * 1_000).connect(link, 0, name(0), 10).connack(link, false, 5);
        story.ends(link, Side::Hub, Ending::Fin).closes(link);
    }
    let told = found(&reset(), story.at(20_000).over(), "refused-again-and-again").unwrap();
    assert_eq!(
        (told.grade, told.seen.as_str()),
        (Grade::Warn, "The hub refused it 3 times, and accepted it 1.")
    );
}

#[test]
fn a_hub_that_ends_links_soon_after_the_connect() {
    let story = |times: u64, after: u64| {
        let mut story = Story::new();
        for link in 1..=times {
            // Not in any rhythm.
            let from = link * link * 10_000;
            lives(&mut story, link, 0, from, from + after, Side::Hub, Ending::Fin);
        }
        story.at(900_000).over();
        story
    };
    let graded = |times, after| grade(&observer(), &story(times, after), "ended-soon-after-connect");
    assert_eq!((graded(2, 100), graded(3, 100)), (None, Some(Grade::Warn)));
    assert_eq!((graded(3, 2_000), graded(3, 2_001)), (Some(Grade::Warn), None));
    let cause = found(&observer(), &story(3, 100), "ended-soon-after-connect").unwrap().cause;
    assert!(cause.starts_with("Another client with the same identifier"), "{cause}");
}

#[test]
fn two_that_fight_for_one_name() {
    let story = |times: u64, apart: u64| {
        let mut story = Story::new();
        story.joins(1, 0, name(0), 600);
        for link in 1..=times {
            story.at(link * apart).joins(link + 1, 0, name(0), 600);
            story.at(link * apart + 1).ends(link, Side::Hub, Ending::Fin).closes(link);
        }
        story.at(times * apart + 10_000).over();
        story
    };
    let graded = |times, apart| grade(&observer(), &story(times, apart), "client-id-fight");
    assert_eq!((graded(2, 1_000), graded(3, 1_000)), (None, Some(Grade::Fail)));
    assert_eq!((graded(3, 60_000), graded(3, 60_001)), (Some(Grade::Fail), None));
}

#[test]
fn a_hub_that_cannot_be_reached() {
    let mut story = Story::new();
    story.joins(1, 0, name(0), 60);
    assert_eq!(grade(&observer(), &story, "hub-unavailable"), None);
    story.at(5_000).connect(2, 1, name(1), 60);
    story.tell(What::HubUnreachable { link: LinkId(2), error: "refused".into() }).closes(2).over();
    let told = found(&observer(), &story, "hub-unavailable").unwrap();
    assert_eq!((told.grade, told.device, told.count), (Grade::Warn, None, 1));
}

/// Whoever refuses brownout's certificate never says its name: what it said is told of the run.
#[test]
fn an_alert_to_brownouts_handshake_is_told_with_what_to_do() {
    let refuses = |story: &mut Story, link: u64, shakes: bool| {
        story.greets(link);
        if shakes {
            story.shakes_hands(link, Side::Device, 3, false);
        }
        let (link, error) = (LinkId(link), Some("unknown_ca".into()));
        let (how, last) = (Ending::Alert, LastPackets::default());
        story.tell(What::LegEnded { link, side: Side::Device, how, error, last });
    };
    let mut story = Story::new();
    refuses(&mut story, 0, false);
    refuses(&mut story, 1, false);
    refuses(&mut story, 2, true);
    let told = found(&observer(), &story, "tls-handshake-refused").unwrap();
    assert_eq!(told.seen, "Devices ended 2 TLS handshakes with the alert unknown_ca.");
    assert_eq!((told.count, told.evidence.len(), told.grade), (2, 2, Grade::Warn));
    assert!(told.advice.contains("ca.pem"), "{}", told.advice);
}

/// A hub that wants a certificate says so in mid-handshake with TLS 1.2, and after what its client takes for the end of it with 1.3.
#[test]
fn a_hub_that_refuses_brownouts_tls_is_told_with_what_to_do() {
    let word = Some(Time::from_millis(5));
    // (its handshake was done, its last packet, refused)
    for (shakes, from, refused) in [(false, None, true), (true, None, true), (true, word, false)] {
        let mut story = Story::new();
        story.greets(0).shakes_hands(0, Side::Device, 3, false);
        if shakes {
            story.shakes_hands(0, Side::Hub, 3, false);
        }
        let (link, error) = (LinkId(0), Some("certificate_required".into()));
        let last = LastPackets { from, to: None };
        story.tell(What::LegEnded { link, side: Side::Hub, how: Ending::Alert, error, last });
        let told = found(&observer(), &story, "hub-refuses-tls");
        assert_eq!(told.is_some(), refused, "{shakes} {from:?}");
        if let Some(told) = told {
            let seen = "The hub ended 1 link with the TLS alert certificate_required, before any MQTT.";
            assert_eq!((told.seen.as_str(), told.count, told.grade), (seen, 1, Grade::Warn));
            assert!(told.advice.contains("--hub-cert"), "{}", told.advice);
        }
    }
}
