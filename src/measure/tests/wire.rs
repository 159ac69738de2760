//! What a tap shows that a mute hides.

use crate::base::{LinkId, Side, Time};
use crate::event::WireNews;
use crate::fault::{Ending, Mechanism};
use crate::measure::Value;
use crate::measure::results::{Results, WindowResults};
use crate::measure::story::{Story, between, blackhole, exact, never, plan, values};
use crate::measure::wire::Repeats;
use crate::profile::Metric;
use std::time::Duration;

/// Device `a` (keep-alive 2 s) joins at 0 s; its last packet is at 2.0 s. Both legs are muted from 3.0 s on, to 11.0 s.
fn struck(tapped: bool) -> Story {
    let mut story = Story::new();
    if tapped {
        wire(&mut story, WireNews::Opened { ports: vec![1884], hub_ports: vec![1883] });
    }
    story.joins(1, 0, "a", 2).at(2_000).up(1, crate::event::Packet::Pingreq);
    story.down(1, crate::event::Packet::Pingresp).at(3_000).opens(1, 0, 0, 2).applies(
        1,
        1,
        Mechanism::Filter,
    );
    story
}

fn wire(story: &mut Story, news: WireNews) -> &mut Story {
    story.tell(crate::event::What::Wire { news })
}

fn ended(story: &mut Story, side: Side, seen: u64) -> &mut Story {
    let (how, seen) = (Ending::Fin, Time::from_millis(seen));
    wire(story, WireNews::Ended { link: LinkId(1), side, how, seen })
}

fn syn(story: &mut Story, port: u16, nth: u32, seen: u64) -> &mut Story {
    let gap_ns = (nth > 1).then_some(1_000_000_000);
    let (peer, seen) = (format!("127.0.0.1:{port}"), Time::from_millis(seen));
    wire(story, WireNews::Syn { peer, port: 1884, nth, gap_ns, seen })
}

/// The device sent something for the first time, and then again.
fn repeated(story: &mut Story, fresh: u64, again: u64) -> &mut Story {
    watched(story, 2_999, fresh, again)
}

/// The same, by a watch that began then.
fn watched(story: &mut Story, since: u64, fresh: u64, again: u64) -> &mut Story {
    let (link, side, since, until) =
        (LinkId(1), Side::Device, Time::from_millis(since), Time::from_millis(11_000));
    let (again, fresh) = (Some(Time::from_millis(again)), Some(Time::from_millis(fresh)));
    let (segments, gaps_ns, last_gap_ns, probes) = (1, vec![200_000_000], Some(200_000_000), 0);
    let news =
        WireNews::Repeated { link, side, segments, gaps_ns, last_gap_ns, probes, again, fresh, since, until };
    wire(story, news)
}

fn lost(story: &mut Story, since: u64) -> &mut Story {
    wire(story, WireNews::Lost { frames: 3, since: Time::from_millis(since) })
}

fn heals(story: &mut Story) -> &mut Story {
    story.at(11_000).lifts(1, 1).heals(1)
}

fn judged(story: &Story) -> Results {
    story.results(&plan(vec![("dark", blackhole("8s"))]))
}

fn window(results: &Results) -> &WindowResults {
    results.runs[0].windows.values().next().unwrap()
}

struct Case {
    name: &'static str,
    tapped: bool,
    tell: fn(&mut Story),
    device: Value,
    hub: Value,
}

#[test]
fn a_sign_on_the_wire_is_exact_as_far_as_all_was_seen_until_then() {
    let cases = [
        Case {
            name: "the device's FIN was dropped by the mute, and seen",
            tapped: true,
            tell: |s| {
                ended(s.at(6_010), Side::Device, 6_000);
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
            },
            device: exact(3_000),
            hub: never(8_000),
        },
        Case {
            name: "the same without a tap is a bracket",
            tapped: false,
            tell: |s| {
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
            },
            device: between(0, 8_600),
            hub: never(0),
        },
        Case {
            name: "a leg that the tap may not see shows nothing by silence",
            tapped: true,
            tell: |s| {
                wire(s.at(3_001), WireNews::Blind { link: LinkId(1), side: Side::Device });
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
            },
            device: between(0, 8_600),
            hub: never(8_000),
        },
        Case {
            name: "sent again under a watch that an earlier fault began: FIN may have been kept back",
            tapped: true,
            tell: |s| {
                watched(s.at(11_000), 1_000, 4_000, 4_200);
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
            },
            device: between(1_000, 8_600),
            hub: never(8_000),
        },
        Case {
            name: "both ends",
            tapped: true,
            tell: |s| {
                ended(s.at(5_010), Side::Hub, 5_000);
                ended(s.at(6_010), Side::Device, 6_000);
                heals(s);
            },
            device: exact(3_000),
            hub: exact(2_000),
        },
        Case {
            name: "no sign was dropped: it came after the path was restored, and then it was sent",
            tapped: true,
            tell: |s| {
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
            },
            device: exact(8_600),
            hub: never(8_000),
        },
        Case {
            name: "packets were lost before: the sign may be the second",
            tapped: true,
            tell: |s| {
                lost(s.at(5_000), 4_000);
                ended(s.at(6_010), Side::Device, 6_000);
                heals(s);
            },
            device: between(0, 3_000),
            hub: never(0),
        },
        Case {
            name: "packets were lost after: the sign is what it was",
            tapped: true,
            tell: |s| {
                ended(s.at(6_010), Side::Device, 6_000);
                lost(s.at(8_000), 7_000);
                heals(s);
            },
            device: exact(3_000),
            hub: never(0),
        },
        Case {
            name: "packets were lost before the fault: no matter",
            tapped: true,
            tell: |s| {
                lost(s, 2_500);
                s.at(3_100);
                ended(s.at(6_010), Side::Device, 6_000);
                heals(s);
            },
            // Told in the moment that the fault began: that counts against it.
            device: between(0, 3_000),
            hub: never(0),
        },
        Case {
            name: "the news came after what the socket told in the end",
            tapped: true,
            tell: |s| {
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
                ended(s.at(11_610), Side::Device, 10_900);
            },
            device: exact(7_900),
            hub: never(8_000),
        },
        Case {
            name: "a SYN of the one device at its address is its next connect",
            tapped: true,
            tell: |s| {
                syn(s.at(7_200), 50_001, 1, 7_000);
                heals(s);
            },
            device: exact(4_000),
            hub: never(8_000),
        },
        Case {
            name: "a SYN before the device's last word over its link in the dark is somebody else's",
            tapped: true,
            tell: |s| {
                syn(s.at(3_200), 50_001, 1, 3_040);
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
                repeated(s, 4_000, 4_200);
            },
            device: between(1_000, 8_600),
            hub: never(8_000),
        },
        Case {
            name: "and so is one in the dark, where the device goes on over its link long after",
            tapped: true,
            tell: |s| {
                syn(s.at(3_200), 50_001, 1, 3_040);
                heals(s).at(21_000).up(1, crate::event::Packet::Pingreq);
            },
            device: never(8_000),
            hub: never(8_000),
        },
        Case {
            name: "an end whose data is sent again may keep its FIN back: a bracket, from its last word on",
            tapped: true,
            tell: |s| {
                syn(s.at(7_200), 50_001, 1, 7_000);
                heals(s);
                repeated(s.at(11_050), 4_000, 4_200);
            },
            device: between(1_000, 4_000),
            hub: never(8_000),
        },
        Case {
            name: "one that connects anew before anything is sent again does not",
            tapped: true,
            tell: |s| {
                syn(s.at(7_200), 50_001, 1, 7_000);
                heals(s);
                repeated(s.at(11_050), 6_900, 7_001);
            },
            device: exact(4_000),
            hub: never(8_000),
        },
        Case {
            name: "a RST goes out at once",
            tapped: true,
            tell: |s| {
                ended(s.at(6_010), Side::Device, 6_000);
                heals(s);
                repeated(s.at(11_050), 4_000, 4_200);
            },
            device: exact(3_000),
            hub: never(8_000),
        },
        Case {
            name: "a FIN that was kept back until the path was restored",
            tapped: true,
            tell: |s| {
                heals(s).at(11_600).ends(1, Side::Device, Ending::Fin);
                repeated(s, 4_000, 4_200);
            },
            device: between(1_000, 8_600),
            hub: never(8_000),
        },
        Case {
            name: "and one that nothing was heard of any more",
            tapped: true,
            tell: |s| {
                repeated(heals(s), 4_000, 4_200);
            },
            device: never(0),
            hub: never(8_000),
        },
    ];
    for Case { name, tapped, tell, device, hub } in cases {
        let mut story = struck(tapped);
        tell(&mut story);
        story.at(30_000).over();
        let results = judged(&story);
        assert_eq!(values(&results, Metric::DeviceDetection), [device], "{name}: device");
        assert_eq!(values(&results, Metric::HubDetection), [hub], "{name}: hub");
    }
}

#[test]
fn connects_that_nobody_accepted_are_attempts_with_their_gaps() {
    // As a listener of IPv4 has the address, and one of both families. The last SYN may be told after it was accepted.
    for peer in ["127.0.0.1:50003", "[::ffff:127.0.0.1]:50003"] {
        for told_late in [false, true] {
            attempts_with_their_gaps(peer, told_late);
        }
    }
}

fn attempts_with_their_gaps(peer: &str, told_late: bool) {
    let mut story = struck(true);
    ended(story.at(5_010), Side::Device, 5_000);
    // Three attempts, the second of them repeated by the kernel, the last of them repeated until it is accepted.
    syn(story.at(6_200), 50_001, 1, 6_000);
    syn(story.at(8_200), 50_002, 1, 8_000);
    syn(story.at(9_010), 50_002, 2, 9_000);
    syn(story.at(10_200), 50_003, 1, 10_000);
    heals(&mut story).at(11_010);
    if !told_late {
        syn(&mut story, 50_003, 2, 11_000);
    }
    story.at(11_011);
    story.tell(crate::event::What::LinkOpened {
        link: LinkId(2),
        listener: crate::base::ListenerId(0),
        peer: peer.into(),
        to: None,
    });
    if told_late {
        syn(&mut story, 50_003, 2, 11_000);
    }
    story.is_of(2, 0, "a").speaks(2, "a", 2).at(30_000).over();
    let results = judged(&story);
    assert_eq!(values(&results, Metric::ConnectAttempts), [Value::Count(3)]);
    assert_eq!(values(&results, Metric::ConnectGap), [exact(2_000), exact(2_000)]);
    assert_eq!(values(&results, Metric::Recovery), [exact(11)]);
    let wire = window(&results).wire.unwrap();
    assert_eq!((wire.connects, wire.unanswered, wire.syns, wire.whole), (3, 2, 5, true));
    let totals = results.runs[0].wire.as_ref().unwrap();
    assert_eq!((totals.by_address, totals.nameless), (2, 0), "those that were never accepted");
}

#[test]
fn a_connect_from_an_address_of_two_devices_is_nobodys_until_its_port_is_accepted() {
    for accepted in [false, true] {
        let mut story = struck(true);
        story.joins(5, 1, "b", 2);
        syn(story.at(9_200), 50_001, 1, 9_000);
        heals(&mut story);
        if accepted {
            story.tell(crate::event::What::LinkOpened {
                link: LinkId(6),
                listener: crate::base::ListenerId(0),
                peer: "127.0.0.1:50001".into(),
                to: None,
            });
            story.is_of(6, 0, "a").speaks(6, "a", 2);
        }
        story.at(30_000).over();
        let results = judged(&story);
        let detection = values(&results, Metric::DeviceDetection);
        assert_eq!(detection, [if accepted { exact(6_000) } else { never(8_000) }]);
        let nameless = results.runs[0].wire.as_ref().unwrap().nameless;
        assert_eq!(nameless, u64::from(!accepted));
    }
}

#[test]
fn retransmissions_of_a_window_are_told_by_end() {
    let mut story = struck(true);
    heals(&mut story).at(11_050);
    let ms = |millis: u64| millis * 1_000_000;
    wire(
        &mut story,
        WireNews::Repeated {
            link: LinkId(1),
            side: Side::Device,
            segments: 4,
            gaps_ns: vec![ms(200), ms(400), ms(800), ms(1_600)],
            last_gap_ns: Some(ms(1_600)),
            probes: 1,
            again: Some(Time::from_millis(4_200)),
            fresh: Some(Time::from_millis(4_000)),
            since: Time::from_millis(2_999),
            until: Time::from_millis(11_000),
        },
    );
    story.at(30_000).over();
    let results = judged(&story);
    let wire = window(&results).wire.unwrap();
    let gap = |millis| Some(Duration::from_millis(millis));
    let expected = Repeats { segments: 4, first_gap: gap(200), last_gap: gap(1_600), probes: 1 };
    assert_eq!((wire.repeated.device, wire.repeated.hub), (Some(expected), None));
}

/// What a watch saw that went on from one window of a rule to the next, under another fault say, was sent once.
#[test]
fn what_several_windows_of_a_rule_share_is_told_with_the_first() {
    let mut story = struck(true);
    for (window, at) in [(1, 4_000), (2, 6_000), (3, 8_000)] {
        if window > 1 {
            story.at(at - 1_000).opens(window, 0, 0, 2).applies(window, 1, Mechanism::Filter);
        }
        story.at(at).lifts(window, 1).heals(window);
    }
    story.at(11_000);
    repeated(&mut story, 3_500, 3_700);
    watched(&mut story, 6_999, 7_100, 7_300);
    let results = judged(story.at(30_000).over());
    let segments = |window: &WindowResults| Some(window.wire?.repeated.device?.segments);
    let told: Vec<_> = results.runs[0].windows.values().map(segments).collect();
    assert_eq!(told, [Some(1), None, Some(1)], "the first watch is of all three, the second of the third");
}
