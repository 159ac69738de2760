//! Wills: seen where somebody would see them, due after their delay, and not after DISCONNECT.

use super::*;
use crate::base::Side;
use crate::event::RivalNews;
use crate::fault::{Ending, LegFate};

fn will(delay: Option<u32>) -> Will {
    Will { topic: "gone/a".into(), qos: 1, delay, says: None }
}

/// A device with a will, and one that is subscribed to this filter; the first ends its link at 1.0 s.
fn left(filter: &str, delay: Option<u32>) -> Story {
    let mut story = Story::new();
    story.joins_leaving(1, 0, "a", will(delay)).joins(2, 1, "b", 60).subscribes(2, filter);
    story.at(1_000).ends(1, Side::Device, Ending::Reset).carried(1, Side::Hub).closes(1);
    story
}

fn delivered(story: &mut Story) {
    story.tell(What::WillDelivered { device: DeviceId(0), link: LinkId(2), topic: "gone/a".into() });
}

#[test]
fn a_will_is_due_after_its_delay_and_a_grace() {
    for (delay, until, expected) in
        [(None, 6_000, false), (None, 6_001, true), (Some(10), 16_000, false), (Some(10), 16_001, true)]
    {
        let mut story = left("gone/+", delay);
        story.at(until).pings(2);
        let told = named(&story);
        let missing: Vec<_> =
            expected.then_some(("will-not-delivered", Grade::Fail, true)).into_iter().collect();
        assert_eq!(told, missing, "{delay:?} {until}");
    }
}

#[test]
fn a_will_is_not_missed_where_nobody_would_see_it() {
    for filter in ["other/+", "$share/g/gone/+"] {
        let mut story = left(filter, None);
        story.at(60_000).pings(2);
        assert_eq!(named(&story), NOTHING, "{filter}");
    }
    type Tell = fn(&mut Story);
    let excuses: [Tell; 4] = [
        delivered,
        |story| _ = story.at(2_000).opens(1, 0, 1, 60).applies(1, 2, Mechanism::Gate),
        |story| _ = story.at(2_000).ends(2, Side::Device, Ending::Fin),
        // Back before the delay was over.
        |story| _ = story.at(10_999).joins(3, 0, "a", 60),
    ];
    for (nth, excuse) in excuses.into_iter().enumerate() {
        let mut story = left("gone/+", Some(10));
        excuse(&mut story);
        story.at(60_000).up(2, Packet::Pingreq).down(2, Packet::Pingresp);
        assert!(found(&story).iter().all(|finding| finding.id != "will-not-delivered"), "{nth}");
    }
    let mut story = left("gone/+", Some(10));
    story.at(11_001).joins(3, 0, "a", 60).at(60_000).pings(2).pings(3);
    assert_eq!(only(&story).id, "will-not-delivered");
}

#[test]
fn a_will_after_disconnect() {
    for (reason, id) in [(0, Some("will-after-disconnect")), (4, None)] {
        let mut story = Story::new();
        story.joins_leaving(1, 0, "a", will(None)).joins(2, 1, "b", 60).subscribes(2, "gone/+");
        story.at(1_000).up(1, Packet::Disconnect { reason }).ends(1, Side::Device, Ending::Fin).closes(1);
        story.at(1_100);
        delivered(&mut story);
        assert_eq!(found(&story).first().map(|finding| finding.id), id, "{reason}");
    }
    let mut story = Story::new();
    story.joins_leaving(1, 0, "a", will(None)).joins(2, 1, "b", 60).subscribes(2, "gone/+");
    story.at(1_000).up(1, Packet::Disconnect { reason: 0 }).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(60_000).pings(2);
    assert_eq!(named(&story), NOTHING);
}

/// Another client takes the link over, and the hub ends it, before it is seen to accept that client or after.
#[test]
fn of_a_link_that_a_rival_took_over_no_will_is_missed() {
    for (accepted_first, delay) in [(true, None), (false, None), (true, Some(10)), (false, Some(10))] {
        let mut story = Story::new();
        story.joins_leaving(1, 0, "a", will(delay)).joins(2, 1, "b", 60).subscribes(2, "gone/+");
        story.at(1_000).opens(1, 0, 0, 2);
        if accepted_first {
            story.rival(1, 1, RivalNews::Accepted);
        }
        story.ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        if !accepted_first {
            story.rival(1, 1, RivalNews::Accepted);
        }
        story.closes(1).at(60_000).pings(2);
        assert_eq!(named(&story), NOTHING, "{accepted_first} {delay:?}");
    }
}

/// A rule says DISCONNECT to the hub in the device's name: without a reason it takes the will back.
#[test]
fn a_disconnect_of_a_rules_takes_the_will_back() {
    for (reason, expected) in [(0, None), (0x8b, Some("will-not-delivered"))] {
        let mut story = Story::new();
        story.joins_leaving(1, 0, "a", will(None)).joins(2, 1, "b", 60).subscribes(2, "gone/+");
        story.at(1_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Disconnected);
        story.cut(1, Side::Hub, LegFate::Disconnected(reason), 1).cut(1, Side::Device, LegFate::Close, 1);
        story.heals(1).closes(1).at(60_000).pings(2);
        assert_eq!(found(&story).first().map(|finding| finding.id), expected, "{reason}");
    }
}

/// A rule puts bytes into what the hub is sent: they may say DISCONNECT. What it puts into what the device is sent does not.
#[test]
fn bytes_that_a_rule_puts_in_may_take_the_will_back() {
    for (toward, expected) in [(Side::Hub, None), (Side::Device, Some("will-not-delivered"))] {
        let mut story = Story::new();
        story.joins_leaving(1, 0, "a", will(None)).joins(2, 1, "b", 60).subscribes(2, "gone/+");
        let mut means = Ends::default();
        *means.get_mut(toward) = Some(Mechanism::Injected);
        let (window, link, fidelity) = (WindowId(1), LinkId(1), Fidelity::Stream);
        story.at(1_000).opens(1, 0, 0, 2).tell(What::FaultApplied { window, link, fidelity, means });
        story.lifts(1, 1).heals(1).at(1_010).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        story.closes(1).at(60_000).pings(2);
        assert_eq!(found(&story).first().map(|finding| finding.id), expected, "{toward:?}");
    }
}
