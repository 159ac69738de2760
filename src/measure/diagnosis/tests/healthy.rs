//! Controls: a healthy client on a healthy link gets no finding, by whatever strictness.

use super::{by, findings, name, observer};
use crate::base::Side;
use crate::event::{Packet, Samples};
use crate::fault::{Ending, Mechanism};
use crate::measure::story::{Story, answers, asks, blackhole, plan};
use crate::mqtt::Version;
use crate::profile::Strictness;

/// Three devices that ping each 0.9 keep-alives of 60 s for an hour, publish, and say DISCONNECT at the end.
fn healthy(version: Version) -> Story {
    let mut story = Story::new();
    for device in 0..3 {
        let link = u64::from(device) + 1;
        story.at(link * 100).opens_link(link, device, name(device));
        story.up(link, asks(name(device), version, 60, None)).down(link, answers(0, None));
    }
    for round in 1..=66 {
        for link in 1..=3 {
            let at = round * 54_000 + link * 100;
            story.at(at).up(link, Packet::Pingreq).at(at + 2).down(link, Packet::Pingresp);
            story.traffic(link, 100, Samples::default());
        }
    }
    for link in 1..=3 {
        story.at(3_600_000 + link).up(link, Packet::Disconnect { reason: 0 });
        story.ends(link, Side::Device, Ending::Fin).closes(link);
    }
    story.over();
    story
}

#[test]
fn a_healthy_client_on_a_healthy_link_gets_no_finding() {
    for version in [Version::V31, Version::V311, Version::V5] {
        for strictness in Strictness::ALL {
            let plan = by(strictness, observer());
            assert_eq!(findings(&plan, &healthy(version)), [], "{version:?} by {}", strictness.word());
        }
    }
}

/// A client that notices within 2 K, comes back with back-off, and is at a hub that keeps to 1.5 K.
#[test]
fn a_sound_client_on_a_path_that_breaks_gets_none_either() {
    let mut story = Story::new();
    story.joins(1, 0, name(0), 60).at(54_000).up(1, Packet::Pingreq).at(54_001).down(1, Packet::Pingresp);
    story.at(60_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::Gate);
    story.at(60_000 + 90_000).ends(1, Side::Hub, Ending::Fin);
    story.at(60_000 + 110_000).ends(1, Side::Device, Ending::Fin).closes(1);
    for (link, at) in [(2, 171_000), (3, 175_000), (4, 183_000)] {
        story.at(at).connect(link, 0, name(0), 60).ends(link, Side::Device, Ending::Fin).closes(link);
    }
    story.at(200_000).heals(1).at(201_000).joins(5, 0, name(0), 60);
    story.at(255_000).up(5, Packet::Pingreq).down(5, Packet::Pingresp).at(280_000).over();
    for strictness in Strictness::ALL {
        let plan = by(strictness, plan(vec![("dark", blackhole("140s"))]));
        assert_eq!(findings(&plan, &story), [], "by {}", strictness.word());
    }
}
