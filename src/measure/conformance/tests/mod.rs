//! Each rule at both sides of its edge, and what is no finding: told as stories, in literal time.

mod connects;
mod hubs;
mod links;
mod messages;
mod wills;

use crate::base::{DeviceId, Ends, LinkId, WindowId};
use crate::event::{Event, Packet, What, Will};
use crate::fault::{Fidelity, Mechanism};
use crate::measure::finding::{Finding, Grade};
use crate::measure::story::{Story, asks, blackhole, plan};
use crate::mqtt::Version;

/// What is found of a story, by the conformance rules alone.
fn found(story: &Story) -> Vec<Finding> {
    let mut found = story.conformance(&plan(vec![("dark", blackhole("8s"))]));
    found
        .sort_by_key(|finding| (std::cmp::Reverse(finding.grade), finding.class, finding.id, finding.device));
    found
}

/// Name and grade of each finding, with whether it is the hub's (or the fleet's).
fn named(story: &Story) -> Vec<(&'static str, Grade, bool)> {
    let name = |finding: Finding| (finding.id, finding.grade, finding.device.is_none());
    found(story).into_iter().map(name).collect()
}

/// The one finding of a story.
fn only(story: &Story) -> Finding {
    let mut found = found(story);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

const NOTHING: Vec<(&str, Grade, bool)> = Vec::new();

impl Story {
    /// A link of this version that is accepted at once.
    fn joins_as(&mut self, link: u64, device: u32, name: &'static str, version: Version) -> &mut Story {
        self.opens_link(link, device, name).up(link, asks(name, version, 2, None)).connack(link, false, 0)
    }

    /// A link with a will, accepted at once.
    fn joins_leaving(&mut self, link: u64, device: u32, name: &'static str, will: Will) -> &mut Story {
        self.opens_link(link, device, name);
        let mut connect = asks(name, Version::V5, 2, None);
        if let Packet::Connect { will: left, .. } = &mut connect {
            *left = Some(will);
        }
        self.up(link, connect).connack(link, false, 0)
    }

    /// SUBSCRIBE, granted at once.
    fn subscribes(&mut self, link: u64, filter: &str) -> &mut Story {
        self.up(link, Packet::Subscribe { id: 1, filters: vec![filter.into()] });
        self.down(link, Packet::Suback { id: 1, codes: vec![0] })
    }

    fn pings(&mut self, link: u64) -> &mut Story {
        self.up(link, Packet::Pingreq).down(link, Packet::Pingresp)
    }

    /// A fault of packets falls on the link.
    fn works_on(&mut self, window: u64, link: u64, device: u32) -> &mut Story {
        self.opens(window, 0, device, 2);
        let means = Ends { device: Some(Mechanism::Packets), hub: None };
        let (window, link) = (WindowId(window), LinkId(link));
        self.tell(What::FaultApplied { window, link, fidelity: Fidelity::Stream, means })
    }

    fn says_of(&mut self, device: u32, link: u64, news: crate::event::MessageNews, qos: u8) -> &mut Story {
        self.tell(What::Message {
            device: DeviceId(device),
            link: Some(LinkId(link)),
            direction: crate::base::Direction::Up,
            qos,
            id: (qos > 0).then_some(7),
            news,
            more: 0,
        })
    }
}

/// Every kind that a finding can have, told apart, and no sentence without an end.
#[test]
fn kinds_are_told_apart() {
    let kinds = super::kind::Kind::ALL;
    let ids: std::collections::BTreeSet<&str> = kinds.iter().map(|kind| kind.id()).collect();
    assert_eq!(ids.len(), kinds.len());
    for kind in kinds {
        let seen = kind.seen(2, super::cases::Size::default());
        for sentence in [seen.as_str(), kind.cause(), kind.advice()] {
            assert!(sentence.ends_with('.') && !sentence.contains("  "), "{sentence}");
        }
    }
}

/// A device that is well, on a link that is well, through all that it does.
#[test]
fn a_healthy_device_gets_no_finding() {
    let mut story = Story::new();
    story.joins(1, 0, "a", 2).at(10).subscribes(1, "cmd/#");
    for second in 1..60u64 {
        story.at(second * 1_900).pings(1);
    }
    story.up(1, Packet::Disconnect { reason: 0 }).ends(
        1,
        crate::base::Side::Device,
        crate::fault::Ending::Fin,
    );
    story.carried(1, crate::base::Side::Hub).closes(1).at(200_000).over();
    assert_eq!(named(&story), NOTHING);
}

/// Memory is bounded, however many client identifiers come: what is over is forgotten, and cases are counted together.
#[test]
fn many_devices_take_bounded_memory() {
    use super::{Conformance, cases::MOST_CASES, devices::MOST_DEVICES};
    let (mut conformance, mut sessions) = (Conformance::default(), crate::session::Sessions::default());
    let many = u32::try_from(MOST_DEVICES + MOST_CASES).unwrap();
    let mut seq = 0;
    for device in 0..many {
        let mut story = Story::default();
        story.at(u64::from(device)).opens_link(u64::from(device), device, "x");
        story.connack(u64::from(device), false, 0);
        let id = LinkId(u64::from(device));
        let connect = asks("x", Version::V311, 2, None);
        for _ in 0..2 {
            story.up(u64::from(device), connect.clone());
        }
        story.tell(What::LinkClosed { link: id, undelivered: crate::base::Ways::default() });
        for event in story.events {
            let event = Event { seq, ..event };
            seq += 1;
            sessions.apply(&event);
            conformance.push(&event, &sessions);
        }
    }
    assert!(conformance.devices.len() <= MOST_DEVICES && conformance.links.is_empty());
    let findings = conformance.cases.findings();
    assert_eq!(findings.len(), MOST_CASES + 1);
    assert_eq!(findings.iter().map(|finding| finding.count).sum::<u64>(), u64::from(many));
}
