//! The simulation: a day of one device, keep-alives mixed, with an outage every two hours.

use crate::Part;
use crate::common::plan;
use brownout::base::{Chance, Span, Time};
use brownout::device::{Habits, Leaving, PingRule, Workload};
use brownout::fault::{Blackhole, Connects, Fault, FidelityWanted, Toward, WaysWanted};
use brownout::hub::HubConfig;
use brownout::mqtt::Version;
use brownout::profile::{Rule, Spell, When, Who};
use brownout::sim::{Kernel, Link, Scenario, Sight, run};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

/// Their mean rate is that of a ping every 41 s.
const KEEP_ALIVES: [u64; 5] = [10, 120, 300, 600, 1177];

const DAY: Duration = Duration::from_secs(86_400);

pub const PARTS: &[Part] = &[Part {
    name: "sim-day",
    unit: "a simulated day of a device",
    work: days,
    floor: ("pings of a day, counted", |count| {
        for n in 0..count {
            black_box(n);
        }
    }),
    round: 20,
}];

fn days(count: u32) {
    let rule = outages();
    let plan = Arc::new(plan(vec![rule]));
    let mut seen = 0_u64;
    for (keep_alive, seed) in KEEP_ALIVES.into_iter().cycle().zip(0..u64::from(count)) {
        let scenario = Scenario {
            devices: vec![habits(Duration::from_secs(keep_alive))],
            begin: Vec::new(),
            hub: HubConfig::default(),
            link: Link {
                round_trip: Duration::from_millis(80),
                loss: Chance::new(0.0).unwrap(),
                tls: false,
                kernel: Kernel::LINUX,
            },
            plan: Arc::clone(&plan),
            seed,
            until: Time::ZERO + DAY,
        };
        run(&scenario, &mut |_, sight: Sight<'_>| {
            black_box(&sight);
            seen += 1;
        })
        .unwrap();
    }
    black_box(seen);
}

fn outages() -> Rule {
    let spells: Vec<Spell> = (1..12)
        .map(|n| Spell { at: Duration::from_secs(n * 7_200), hold: Duration::from_secs(n * 20) })
        .collect();
    Rule {
        id: "outage".into(),
        who: Who::EVERYONE,
        when: When::Spells(spells.into()),
        chance: Chance::ALWAYS,
        fault: Fault::Blackhole(Blackhole {
            toward: Toward::Both,
            direction: WaysWanted::Both,
            hold: Span::ZERO,
            fidelity: FidelityWanted::Auto,
            connects: Connects::Vanish,
        }),
        logged_as: None,
    }
}

fn habits(keep_alive: Duration) -> Habits {
    Habits {
        client_id: "d1".into(),
        version: Version::V311,
        keep_alive,
        ping: PingRule::WhenIdleOutgoing,
        ping_interval: keep_alive,
        ping_timeout: Some(Duration::from_secs(10)),
        check_every: Duration::ZERO,
        connect_timeout: Duration::from_secs(30),
        backoff: "exponential:1s..120s,jitter".parse().unwrap(),
        settled: Duration::from_secs(5),
        clean_session: false,
        session_expiry: Duration::from_secs(3600),
        notices_close: true,
        leaving: Leaving::Disconnect,
        max_in_flight: 20,
        will: None,
        username: None,
        password: None,
        sas: None,
        workload: Workload::Idle,
    }
}
