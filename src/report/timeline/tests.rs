//! Stories in literal time, and what must hold of every lane.

use super::lane::{SEGMENTS_A_LANE, State};
use super::{Bins, Counts, Kind, Lane, Timeline, bins::MOST_BINS};
use crate::base::{DeviceId, Direction, LinkId, Side, Time};
use crate::event::{EndReason, Event, Loss, MessageNews, Packet, Samples, What};
use crate::fault::{Ending, LegFate, Mechanism};
use crate::measure::story::Story;
use proptest::prelude::*;
use std::time::Duration;

fn folded(story: &Story) -> Timeline {
    let mut timeline = Timeline::default();
    story.events.iter().for_each(|event| timeline.push(event));
    timeline
}

/// The lane of the first device: from which millisecond on, what.
fn lane(story: &Story) -> Vec<(u64, State)> {
    let timeline = folded(story);
    let (_, lane) = timeline.lanes().next().unwrap();
    lane.segments().iter().map(|s| (s.from.as_nanos() / 1_000_000, s.state)).collect()
}

fn marks(lane: &Lane) -> Vec<(u64, Kind)> {
    lane.marks().iter().map(|mark| (mark.at.as_nanos() / 1_000_000, mark.kind())).collect()
}

#[test]
fn the_dark_is_silence_then_a_split_view_then_the_way_back() {
    let mut story = Story::new();
    story.at(10).connect(1, 0, "pump", 2).at(20).connack(1, false, 0);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.at(5_000).ends(1, Side::Hub, Ending::Fin);
    story.at(6_000).ends(1, Side::Device, Ending::Fin).at(6_001).closes(1);
    story.at(7_000).connecting(2, 0, "pump", 2, true);
    let connect = story.seq();
    story.at(8_000).forwarded(2, Direction::Up, connect).connack(2, false, 0);
    story.at(8_100).lifts(1, 1).heals(1);
    story.at(10_000).closes(2).at(10_002).over();
    assert_eq!(
        lane(&story),
        [
            (0, State::Down),
            (10, State::Connecting),
            (20, State::Connected),
            (3_000, State::Silent),
            (5_000, State::DeviceBelieves),
            (6_000, State::Down),
            (7_000, State::Connecting),
            (8_000, State::Connected),
        ],
        "and the end of the run is no end of the link"
    );
    let timeline = folded(&story);
    let (_, shade) = timeline.windows().all().next().unwrap();
    assert_eq!((shade.held, shade.closed), (Some(Time::from_millis(3_000)), Some(Time::from_millis(8_100))));
}

/// The device knows from its FIN, or, where that was not seen, from its next CONNECT on.
#[test]
fn the_hub_believes_until_it_is_told() {
    let mut story = Story::new();
    story.at(0).joins(1, 0, "pump", 2);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::MinTtl);
    story.at(4_500).connect(2, 0, "pump", 2);
    story.at(5_000).ends(2, Side::Device, Ending::Reset).closes(2);
    story.at(6_000).lifts(1, 1).heals(1).ends(1, Side::Device, Ending::Reset);
    story.at(6_001).carried(1, Side::Hub).closes(1).at(9_000).over();
    assert_eq!(
        lane(&story)[1..],
        [
            (3_000, State::Silent),
            (4_500, State::HubBelievesAnew),
            (5_000, State::HubBelieves),
            (6_001, State::Down),
        ]
    );
}

#[test]
fn a_reset_that_only_one_end_hears_leaves_the_other_half_open() {
    for (side, state) in [(Side::Device, State::HubBelieves), (Side::Hub, State::DeviceBelieves)] {
        let mut story = Story::new();
        story.at(0).joins(1, 0, "pump", 2);
        story.at(1_000).cut(1, side, LegFate::Reset, 1).cut(1, side.other(), LegFate::HalfOpen, 1);
        story.at(2_000).ends(1, side.other(), Ending::Fin).closes(1).at(9_000).over();
        assert_eq!(lane(&story)[1..], [(1_000, state), (2_000, State::Down)], "{side:?}");
    }
}

#[test]
fn a_device_is_silent_once_it_is_late_and_not_before() {
    let mut story = Story::new();
    story.at(0).joins(1, 0, "pump", 10);
    story.at(10_900).up(1, Packet::Pingreq);
    story.at(30_900).tell(What::KeepaliveExceeded { link: LinkId(1), gap_ns: 20_000_000_000, took_ns: 0 });
    story.up(1, Packet::Pingreq).at(50_000).closes(1).over();
    assert_eq!(lane(&story), [(0, State::Connected), (21_900, State::Silent), (30_900, State::Connected)]);

    let mut still = Story::new();
    still.at(0).joins(1, 0, "pump", 10).at(20_000).over();
    assert_eq!(lane(&still), [(0, State::Connected), (11_000, State::Silent)], "and it still is");
}

#[test]
fn a_refused_device_is_not_connected() {
    let mut story = Story::new();
    story.at(100).connect(1, 0, "pump", 2).at(200).connack(1, false, 5);
    story.at(250).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).closes(1).at(900).over();
    let expected = [(0, State::Down), (100, State::Connecting), (200, State::Refused), (250, State::Down)];
    assert_eq!(lane(&story), expected);
    let timeline = folded(&story);
    let (_, lane) = timeline.lanes().next().unwrap();
    let kinds = [Kind::Open, Kind::Connect, Kind::Refusal, Kind::HubFin, Kind::DeviceTold];
    assert_eq!(marks(lane).into_iter().map(|(_, kind)| kind).collect::<Vec<_>>(), kinds);
    assert_eq!(timeline.fleet().level().bins().iter().map(|bin| bin.high).max(), Some(0));
}

#[test]
fn a_new_link_over_a_half_open_one_is_what_counts() {
    let mut story = Story::new();
    story.at(0).joins(1, 0, "pump", 2).at(1_000).ends(1, Side::Device, Ending::Fin);
    story.at(2_000).joins(2, 0, "pump", 2).at(2_500).carried(1, Side::Hub).closes(1).at(3_000).over();
    let expected = [(0, State::Connected), (1_000, State::HubBelieves), (2_000, State::Connected)];
    assert_eq!(lane(&story), expected);
}

#[test]
fn a_link_that_vanished_amid_the_run_is_gone() {
    let mut story = Story::new();
    story.at(0).joins(1, 0, "pump", 2).at(1_000).closes(1).at(9_000).heals(7).at(9_500).over();
    assert_eq!(lane(&story), [(0, State::Connected), (1_000, State::Down)]);
}

#[test]
fn the_fleet_dips_and_comes_back() {
    let mut story = Story::new();
    for (link, name) in [(1, "a"), (2, "b"), (3, "c")] {
        story.at(link * 10).joins(link, u32::try_from(link).unwrap() - 1, name, 2);
    }
    story.at(2_000).ends(1, Side::Device, Ending::Fin).ends(2, Side::Device, Ending::Fin);
    story.at(2_350).joins(4, 0, "a", 2).at(5_000).over();
    let timeline = folded(&story);
    let level: Vec<u64> = timeline.fleet().level().bins().iter().map(|bin| bin.last).collect();
    assert_eq!(
        (level[2], level[3], level[199], level[200], level[235], *level.last().unwrap()),
        (2, 3, 3, 1, 2, 2)
    );
    let counts = timeline.fleet().counts().bins();
    let connects: Vec<u64> = counts.iter().map(|bin| bin.connects).collect();
    assert_eq!(connects, [3, 0, 1, 0, 0, 0]);
    assert_eq!(counts.iter().map(|bin| bin.accepted).sum::<u64>(), 4);
}

#[test]
fn a_lane_that_is_full_says_how_coarse_it_is() {
    let mut story = Story::new();
    story.at(0).joins(1, 0, "pump", 2);
    let changes = u64::try_from(SEGMENTS_A_LANE).unwrap();
    for nth in 0..changes {
        let link = nth + 2;
        story.at(1_000 + nth * 20).ends(link - 1, Side::Device, Ending::Fin).carried(link - 1, Side::Hub);
        story.closes(link - 1).at(1_010 + nth * 20).joins(link, 0, "pump", 2);
    }
    story.over();
    let timeline = folded(&story);
    let (_, lane) = timeline.lanes().next().unwrap();
    assert!(lane.segments().len() <= SEGMENTS_A_LANE);
    assert!(lane.grain() > Duration::from_millis(10), "{:?}", lane.grain());
    assert!(lane.segments().iter().any(|segment| segment.state == State::Mixed));
    assert_eq!(lane.state(), State::Connected);
    let marks = lane.marks();
    let connects = marks.iter().filter(|mark| mark.kind() == Kind::Connect);
    assert_eq!(connects.map(|mark| mark.count()).sum::<u64>(), changes + 1);
}

fn step(story: &mut Story, (kind, device, pause): (u8, u32, u64)) {
    let link = u64::from(device) + 10 * (story.seq() / 40);
    let now = story.events.last().unwrap().at.as_nanos() / 1_000_000;
    story.at(now + pause);
    let name = ["a", "b", "c"][usize::try_from(device % 3).unwrap()];
    match kind % 17 {
        0 | 1 => story.joins(link, device, name, 2),
        2 => story.connecting(link, device, name, 2, true),
        3 => story.up(link, Packet::Pingreq),
        4 => story.ends(link, Side::Device, Ending::Fin),
        5 => story.ends(link, Side::Hub, Ending::Reset),
        6 => story.carried(link, Side::Device),
        7 => story.closes(link),
        8 => story.opens(link, 0, device, 2),
        9 => story.applies(link, link, Mechanism::Gate),
        10 => story.lifts(link, link).heals(link),
        11 => story.connack(link, false, kind % 2),
        12 => story.traffic(link, 1, Samples::default()),
        13 => story.cut(link, Side::Hub, LegFate::HalfOpen, link),
        14 => story.is_of(link, device + 1, name),
        15 => story.down(link, Packet::Disconnect { reason: 0 }),
        _ => {
            story.tell(What::KeepaliveExceeded { link: LinkId(link), gap_ns: pause * 3_000_000, took_ns: 0 })
        }
    };
}

proptest! {
    #[test]
    fn lanes_are_in_order_and_cover_the_run(
        steps in prop::collection::vec((any::<u8>(), 0..3u32, 0..3_000u64), 0..200),
        ends in any::<bool>(),
    ) {
        let mut story = Story::new();
        steps.into_iter().for_each(|next| step(&mut story, next));
        if ends {
            story.over();
        }
        let timeline = folded(&story);
        for (_, lane) in timeline.lanes() {
            let segments = lane.segments();
            prop_assert_eq!(segments.first().map(|first| first.from), Some(Time::ZERO));
            for pair in segments.windows(2) {
                prop_assert!(pair[0].from < pair[1].from && pair[0].state != pair[1].state, "{:?}", pair);
            }
            prop_assert!(segments.iter().all(|segment| segment.from <= timeline.end()));
            prop_assert!(lane.marks().windows(2).all(|pair| pair[0].at <= pair[1].at));
        }
        let connected = timeline.lanes().filter(|(_, lane)| lane.state().is_connected()).count();
        let told = timeline.fleet().level().bins().last().map_or(0, |bin| bin.last);
        prop_assert_eq!(u64::try_from(connected).unwrap(), told);
    }

    #[test]
    fn a_coarser_lane_covers_the_same_time(gaps in prop::collection::vec(1..5_000u64, 1..300), most in 16..64usize) {
        let mut lane = Lane::new("a".into(), Time::ZERO);
        let mut now = 0;
        for (nth, gap) in gaps.iter().enumerate() {
            now += gap;
            let state = if nth % 2 == 0 { State::Connected } else { State::Down };
            lane.turn(Time::from_millis(now), state, most);
            lane.mark(Time::from_millis(now), Kind::ALL[nth % 5], 1, most);
            prop_assert!(lane.segments().len() <= most);
        }
        prop_assert_eq!(lane.segments()[0].from, Time::ZERO);
        prop_assert!(lane.segments().windows(2).all(|pair| pair[0].from < pair[1].from));
        let last = if gaps.len() % 2 == 1 { State::Connected } else { State::Down };
        prop_assert_eq!(lane.state(), last);
        prop_assert_eq!(lane.marks().iter().map(|mark| mark.count()).sum::<u64>(), u64::try_from(gaps.len()).unwrap());
    }

    #[test]
    fn merging_bins_keeps_the_counts(gaps in prop::collection::vec(0..100_000u64, 1..400)) {
        let mut bins: Bins<Counts> = Bins::new(Duration::from_secs(1));
        let mut now = 0;
        for gap in &gaps {
            now += gap;
            bins.at(Time::from_millis(now)).connects += 1;
        }
        prop_assert!(bins.bins().len() <= MOST_BINS);
        let sum: u64 = bins.bins().iter().map(|bin| bin.connects).sum();
        prop_assert_eq!(sum, u64::try_from(gaps.len()).unwrap());
    }
}

#[test]
fn messages_are_marked_on_the_lane_of_their_device() {
    let mut story = Story::new();
    story.at(10).joins(1, 0, "a", 10);
    let of = |at: u64, direction, news| {
        let what =
            What::Message { device: DeviceId(0), link: None, direction, qos: 1, id: Some(7), news, more: 0 };
        Event { seq: at, at: Time::from_nanos(at * 1_000_000), what }
    };
    let first = Time::from_nanos(1);
    let again = MessageNews::Retransmitted { first, dup: true, renumbered: false };
    let lost = MessageNews::Lost { first, why: Loss::NeverSentAgain };
    let mut timeline = Timeline::default();
    story.events.iter().for_each(|event| timeline.push(event));
    let told = [
        of(100, Direction::Up, again),
        of(200, Direction::Down, MessageNews::Duplicated { first, released: false }),
        of(300, Direction::Up, lost),
        of(400, Direction::Up, MessageNews::InFlight { first }),
        of(500, Direction::Up, MessageNews::GivenUp { first }),
    ];
    told.iter().for_each(|event| timeline.push(event));
    let lane = timeline.lanes().next().unwrap().1;
    let marks: Vec<(u64, Kind)> = lane
        .marks()
        .iter()
        .map(|mark| (mark.at.as_nanos() / 1_000_000, mark.kind()))
        .filter(|(at, _)| *at >= 100)
        .collect();
    let expected =
        [(100, Kind::AgainUp), (200, Kind::TwiceDown), (300, Kind::LostUp), (500, Kind::GivenUpUp)];
    assert_eq!(marks, expected);
}

/// What a late part begins with says what lives; it is not in the picture, and does not make its bins coarse.
#[test]
fn a_late_part_begins_where_it_begins() {
    let mut story = Story::new();
    story.at(10).joins(1, 0, "a", 10);
    let late = Time::from_nanos(10 * 86_400 * 1_000_000_000);
    let mut timeline = Timeline::default();
    for mut event in story.events.clone() {
        if let What::RunStarted(start) = &mut event.what {
            start.part = 3;
            (event.seq, event.at) = (999, late);
        }
        timeline.push(&event);
    }
    let end = Event {
        seq: 1_000,
        at: late + Duration::from_secs(60),
        what: What::RunEnded { reason: EndReason::Duration },
    };
    timeline.push(&end);
    assert_eq!((timeline.start(), timeline.end(), timeline.events()), (late, end.at, 1));
    let lane = timeline.lanes().next().unwrap().1;
    assert_eq!(lane.marks(), []);
    assert!(lane.segments().iter().all(|segment| segment.from >= late), "{:?}", lane.segments());
    assert_eq!(lane.segments().first().map(|first| first.state), Some(State::Connected));
    let level = timeline.fleet().level();
    assert_eq!((level.bins().len(), level.bins()[0].last), (3_001, 1));
    assert_eq!(level.width(), Duration::from_millis(20));
    assert!(timeline.fleet().counts().bins().iter().all(|bin| bin.connects == 0));
}
