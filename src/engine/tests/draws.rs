//! The draws of faults of packets: of which key they are, and that no order of links or directions changes them.

use super::packets::{DOWN, DROP, UP, any, connack, delay, edit, fault, held, of, publish};
use super::*;
use crate::base::{RuleId, WindowId, rand};
use crate::fault::{Corrupt, DelayModel, Edit, PacketAction, PacketEnd, PacketMatch, Verdict};
use crate::profile::Repeat;
use proptest::prelude::*;

fn likely(chance: f64) -> PacketMatch {
    PacketMatch { chance: Chance::new(chance).unwrap(), ..any() }
}

/// The chance draws of device `d`, link and count from 1, as the key has them: rule 0, and the low byte of chance and
/// direction.
fn drawn(seed: u64, direction: Direction, link_nth: u64, count: u64) -> f64 {
    let purpose = if direction == UP { 0x40 } else { 0x50 };
    rand::unit(rand::Key { seed, purpose, subject: rand::name_hash("d"), nth: (link_nth << 40) ^ count })
}

#[test]
fn a_chance_is_drawn_for_each_packet_of_each_link_and_direction() {
    let what = PacketMatch { packet: Some(PacketKind::Publish), ..likely(0.3) };
    let mut run = Run::new(plan(vec![rule(at(0), fault(what, DROP))]));
    run.to(10);
    for link_nth in [1, 2] {
        let link = run.device(link_nth, "d", 60);
        let mut hits = 0;
        for count in 1..=500 {
            for direction in [UP, DOWN] {
                let met = run.drops(link, direction, publish(0));
                assert_eq!(met, drawn(7, direction, link_nth, count) < 0.3, "{direction:?} {count}");
                hits += u32::from(met);
            }
        }
        // 1000 draws at 0.3: mean 300, deviation 14.5; four of these either way.
        assert!((242..=358).contains(&hits), "{hits}");
    }
}

#[test]
fn no_chance_never_falls_and_full_chance_always() {
    for (chance, met) in [(0.0, 0), (1.0, 200)] {
        let mut run = Run::new(plan(vec![rule(at(0), fault(likely(chance), DROP))]));
        let link = run.device(1, "d", 60);
        run.to(10);
        let hits = (0..200).filter(|_| run.drops(link, UP, publish(0))).count();
        assert_eq!(hits, met);
    }
}

/// A hub that assigns a name in CONNACK changes no draw of what the device sent before or after it.
#[test]
fn an_assigned_name_changes_no_draw() {
    let verdicts = |assigned_at: usize| -> Vec<bool> {
        let what = PacketMatch { packet: Some(PacketKind::Publish), ..likely(0.5) };
        let mut run = Run::new(plan(vec![rule(at(0), fault(what, DROP))]));
        run.to(10);
        let link = run.open(1);
        run.connect(link, "", 60);
        let assigned = Packet::Connack {
            session_present: false,
            code: 0,
            server_keep_alive: None,
            assigned_client_id: Some("auto-1".into()),
            terms: crate::event::SessionTerms::default(),
        };
        let mut drops = Vec::new();
        for nth in 0..64 {
            if nth == assigned_at {
                run.packet(link, DOWN, assigned.clone());
            }
            drops.push(run.drops(link, UP, publish(0)));
        }
        drops
    };
    assert_eq!(verdicts(0), verdicts(32));
}

fn everything() -> Plan {
    let every = Repeat { every: ms_span(700), jitter: ms_span(300), times: Some(6) };
    let often = When::At { first: ms_span(100), repeat: Some(every) };
    let far = DelayModel::Pareto { scale: ms_span(50), shape: 1.5, max: ms_span(10_000) };
    let near = DelayModel::Normal { mean: ms_span(100), deviation: ms_span(20) };
    let spread = |model| PacketAction::Delay(Delay { model, jitter: ms_span(30) });
    let nth = PacketMatch { nth: Some(2), ..of(PacketKind::Publish) };
    let times = PacketMatch { times: Some(2), direction: WaysWanted::Up, ..likely(0.5) };
    let dup = edit(Edit { dup: Some(true), ..Edit::default() });
    let half = Who { share: Chance::new(0.5).unwrap(), ..Who::EVERYONE };
    let single = Who { client: Some("b*".into()), ..Who::EVERYONE };
    plan(vec![
        rule(at(0), fault(likely(0.2), DROP)),
        rule(at(0), fault(of(PacketKind::Publish), spread(far))),
        rule(at(0), fault(likely(0.5), PacketAction::Corrupt(Corrupt::Anywhere))),
        rule(at(0), fault(nth, PacketAction::Duplicate { copies: 1 })),
        Rule { who: half, ..rule(at(0), fault(of(PacketKind::Publish), dup)) },
        Rule {
            chance: Chance::new(0.7).unwrap(),
            ..rule(often.clone(), held(likely(0.7), spread(near), "400ms"))
        },
        Rule { who: single, ..rule(often, held(times, delay(3), "400ms")) },
    ])
}

fn ms_span(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A verdict with the rule in the place of the window, whose number depends on who came first.
type Told = Vec<(RuleId, String)>;

fn by_rule(run: &Run, verdict: &Verdict) -> Told {
    let rule = |window: &WindowId| run.engine.windows[window].rule;
    let Verdict { edits, corruptions, delays, copies, end } = verdict;
    let edits = edits.iter().map(|(id, edit)| (rule(&id.unwrap()), format!("{edit}")));
    let corruptions = corruptions.iter().map(|(id, how, draws)| (rule(id), format!("{how:?} {draws:?}")));
    let delays = delays.iter().map(|(id, by)| (rule(id), format!("{by:?}")));
    let copies = copies.iter().map(|(id, copies)| (rule(id), format!("{copies}")));
    let end = end.iter().map(|(id, end)| (rule(&id.unwrap()), format!("{end:?}")));
    edits.chain(corruptions).chain(delays).chain(copies).chain(end).collect()
}

/// The links: their devices, of which one has two.
const LINKS: [&str; 4] = ["a", "a", "b", "c"];
const EPOCHS: u64 = 10;
const PACKETS: usize = 4;

/// Sends the same packets on each link in each direction, 4 every half second, and answers with their verdicts. `order` says
/// whose turn it is: of the links to come in (a device's links keep their order), then of links and directions.
fn play(seed: u64, order: &[usize]) -> Vec<Vec<Told>> {
    let plan = everything();
    let mut run = Run::new(plan.clone());
    run.engine = Engine::new(Arc::new(plan), seed, false);
    let started = run.events[0].what.clone();
    let What::RunStarted(start) = started else { panic!() };
    run.tell(Input::Started(start));
    run.to(1);
    let mut turns = order.iter().copied().cycle();
    let mut links = [None; LINKS.len()];
    for number in 1..=4 {
        let free: Vec<usize> =
            (0..links.len()).filter(|at| links[*at].is_none() && !(*at == 1 && links[0].is_none())).collect();
        let at = free[turns.next().unwrap() % free.len()];
        let link = run.open(number);
        run.connect(link, LINKS[at], 60);
        links[at] = Some(link);
    }
    let mut told = vec![Vec::new(); links.len() * 2];
    for epoch in 0..EPOCHS {
        run.to(10 + epoch * 500);
        let mut left = vec![PACKETS; told.len()];
        while left.iter().any(|left| *left > 0) {
            let free: Vec<usize> = (0..left.len()).filter(|stream| left[*stream] > 0).collect();
            let stream = free[turns.next().unwrap() % free.len()];
            left[stream] -= 1;
            let direction = if stream.is_multiple_of(2) { UP } else { DOWN };
            let packet = match left[stream] {
                0 => Packet::Puback,
                3 if epoch == 0 && direction == DOWN => connack(0),
                _ => publish(1),
            };
            let link = links[stream / 2].unwrap();
            let verdict = run.say(link, direction, packet);
            told[stream].push(by_rule(&run, &verdict));
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What each link meets in each direction is the same whoever comes first: draws know the seed, the rule, the device's
    /// name, the number of the link among its links, the direction and the count of packets that fit, and nothing else; no
    /// number of a firing, a window or a link. `times` is over the whole window: it is the same only where the window's
    /// packets come on one link in one direction, as those of `b` do here.
    #[test]
    fn verdicts_do_not_depend_on_the_order_of_links_and_directions(
        seed in 0..u64::MAX,
        one in proptest::collection::vec(0usize..1000, 50..100),
        other in proptest::collection::vec(0usize..1000, 50..100),
    ) {
        prop_assert_eq!(play(seed, &one), play(seed, &other));
    }
}

/// The property above is about something: the draws of a run fall on packets, and another seed's fall otherwise.
#[test]
fn every_rule_of_the_property_falls_and_seeds_differ() {
    let told = play(7, &[0]);
    let mut rules: Vec<RuleId> =
        (0..6).flat_map(|seed| play(seed, &[0])).flatten().flatten().map(|(rule, _)| rule).collect();
    rules.sort();
    rules.dedup();
    assert_eq!(rules, (0..7).map(RuleId).collect::<Vec<_>>());
    assert_ne!(told, play(8, &[0]));
    assert_ne!(told[0], told[2], "the second link of a device draws anew");
    assert_ne!(told[0], told[1], "and so does the other direction");
}

/// Who comes first has what `times` leaves, where two links of a device draw on one window: that, and no more, depends on
/// their order.
#[test]
fn times_of_a_window_go_to_who_comes_first() {
    let what = PacketMatch { times: Some(1), ..of(PacketKind::Pingreq) };
    let mut run = Run::new(plan(vec![rule(at(0), fault(what, DROP))]));
    let links = [1, 2].map(|link| run.device(link, "d", 60));
    run.to(10);
    let ends = [links[1], links[0]].map(|link| run.say(link, UP, Packet::Pingreq).end);
    assert!(matches!(ends, [Some((_, PacketEnd::Drop { .. })), None]));
}
