//! What holds of every run: it ends, it is the same for the same seed, it keeps nothing that grows.

use super::*;
use crate::fault::{Forgotten, IdleTimeout};
use crate::profile::{Repeat, Spell};
use crate::sim::world::World;
use proptest::prelude::*;

fn spells() -> impl Strategy<Value = Vec<Spell>> {
    proptest::collection::vec((0_u64..600_000, 0_u64..200_000), 0..12).prop_map(|mut spells| {
        spells.sort_unstable();
        spells.into_iter().map(|(at, hold)| Spell { at: ms(at), hold: ms(hold) }).collect()
    })
}

fn any_scenario() -> impl Strategy<Value = Scenario> {
    let device = (1_u64..100, prop::bool::ANY, prop::bool::ANY, 0_usize..3, 1_usize..4);
    let link = (0_u64..3_000, 0.0..0.5_f64, prop::bool::ANY, prop::option::of(1_u64..60));
    let connects = prop::sample::select(vec![Connects::Vanish, Connects::Silence, Connects::Allow]);
    let way = prop::sample::select(vec![WaysWanted::Both, WaysWanted::Up, WaysWanted::Down]);
    let packet = prop::sample::select(vec![FidelityWanted::Auto, FidelityWanted::Stall]);
    let idle = prop::option::of((1_u64..100, prop::bool::ANY));
    (device, link, spells(), (connects, way, packet), idle, any::<u64>()).prop_map(
        |((keep_alive, notices_close, clean_session, workload, count), link, spells, of, idle, seed)| {
            let (round_trip, loss, tls, user_timeout) = link;
            let (connects, direction, fidelity) = of;
            let workload = ["idle", "publishing:a,every=7s", "subscribing"][workload].parse().unwrap();
            let template = Habits { notices_close, clean_session, workload, ..habits(keep_alive) };
            let fault = Fault::Blackhole(Blackhole {
                toward: Toward::Both,
                direction,
                hold: Span::ZERO,
                fidelity,
                connects,
            });
            let mut rules = vec![Rule { when: When::Spells(spells.into()), ..at(Duration::ZERO, fault) }];
            if let Some((after, is_reset)) = idle {
                let then = if is_reset { Forgotten::Reset } else { Forgotten::Vanish };
                let fault =
                    Fault::IdleTimeout(IdleTimeout { after: Span::fixed(secs(after)), then, hold: None });
                rules.push(at(secs(1), fault));
            }
            let mut scenario = scenario(template.clone(), rules, 900);
            scenario.devices =
                (0..count).map(|n| Habits { client_id: format!("d{n}"), ..template.clone() }).collect();
            scenario.link.round_trip = ms(round_trip);
            scenario.link.loss = Chance::new(loss).unwrap();
            scenario.link.tls = tls;
            scenario.link.kernel.user_timeout = user_timeout.map(secs);
            scenario.seed = seed;
            scenario
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// [`see`] holds that time never goes back.
    #[test]
    fn the_same_seed_gives_the_same_sights(scenario in any_scenario()) {
        let seen = see(&scenario);
        prop_assert!(seen.segments.len() < 200_000);
        prop_assert_eq!(seen, see(&scenario));
    }
}

#[test]
fn another_seed_loses_other_segments() {
    let mut scenario = scenario(habits(30), vec![], 3_600);
    scenario.link.loss = Chance::new(0.2).unwrap();
    let seen = see(&scenario);
    scenario.seed = 2;
    assert_ne!(see(&scenario).segments, seen.segments);
}

#[test]
fn a_day_of_outages_leaves_no_paths_behind() {
    for connects in [Connects::Vanish, Connects::Silence] {
        let repeat = Some(Repeat { every: secs(300), jitter: Duration::ZERO, times: None });
        let when = When::At { first: secs(100), repeat };
        let rules = vec![Rule { when, ..at(secs(0), dark(secs(150), connects)) }];
        let scenario = scenario(habits(60), rules, 86_400);
        let mut ignore = |_: Time, _: Sight<'_>| {};
        let mut world = World::new(&scenario, &mut ignore);
        world.run();
        assert!(world.paths.len() <= 6, "{connects:?}: {} at once", world.paths.len());
    }
}

#[test]
fn forgotten_links_leave_nothing_behind() {
    let fault =
        Fault::IdleTimeout(IdleTimeout { after: Span::fixed(secs(30)), then: Forgotten::Vanish, hold: None });
    let scenario = scenario(habits(60), vec![at(secs(0), fault)], 86_400);
    let mut ignore = |_: Time, _: Sight<'_>| {};
    let mut world = World::new(&scenario, &mut ignore);
    world.run();
    assert!(world.paths.len() <= 6, "{} at once", world.paths.len());
}

#[test]
fn what_is_not_simulated_is_refused_in_words() {
    let mut refused = scenario(habits(60), vec![], 1);
    let text = |scenario: &Scenario| run(scenario, &mut |_, _| {}).unwrap_err();
    let mut plan = (*refused.plan).clone();
    plan.server_keep_alive = Some(30);
    refused.plan = Arc::new(plan);
    assert!(text(&refused).contains("keep-alive"));
    let alert = Fault::TlsAlert(crate::fault::TlsAlert {
        toward: Toward::Device,
        alert: crate::tls::Alert(40),
        other: crate::fault::LegFate::Close,
    });
    let refused = scenario(habits(60), vec![at(secs(1), alert)], 1);
    assert_eq!(text(&refused), "rule `fault`: `tls_alert` is not simulated: try it in a real run");
}
