//! Runs in literal time.

mod always;
mod outages;
mod wire;

use super::{Carried, Kernel, Link, Scenario, Sight, run};
use crate::base::{Chance, Direction, Span, Time};
use crate::device::{Backoff, DeviceDid, Habits, PingRule, Sign, Workload};
use crate::event::{Event, Packet, What};
use crate::fault::{Blackhole, Connects, Fault, FidelityWanted, Toward, WaysWanted};
use crate::hub::{Departure, HubConfig, HubEvent, HubSaw};
use crate::mqtt::Version;
use crate::profile::{Plan, Rule, When, Who};
use std::sync::Arc;
use std::time::Duration;

/// All that was seen, with its time.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: Vec<Event>,
    device: Vec<(Time, usize, DeviceDid)>,
    hub: Vec<HubEvent>,
    segments: Vec<(Time, Direction, Carried, u32, bool)>,
    messages: Vec<(Time, u64)>,
}

impl Seen {
    /// When the device noticed that its link is gone, and by what.
    fn noticed(&self) -> Vec<(Time, Sign)> {
        let signs = self.device.iter().filter_map(|(at, _, did)| match did {
            DeviceDid::NoticedDead { sign, .. } => Some((*at, *sign)),
            _ => None,
        });
        signs.collect()
    }

    /// When the hub gave a connection up, and why.
    fn departed(&self) -> Vec<(Time, Departure)> {
        let gone = self.hub.iter().filter_map(|event| match &event.what {
            HubSaw::Disconnected { why } => Some((event.at, why.clone())),
            _ => None,
        });
        gone.collect()
    }

    /// When the hub gave the first connection up.
    fn hub_lost_first_link(&self) -> Option<Time> {
        let gone = self.hub.iter().filter(|event| matches!(event.what, HubSaw::Disconnected { .. }));
        gone.filter(|event| event.conn == Some(crate::hub::ConnId(0))).map(|event| event.at).next()
    }

    fn sent(&self, direction: Direction, carried: Carried) -> Vec<Time> {
        let such = self.segments.iter().filter(|segment| (segment.1, segment.2) == (direction, carried));
        such.map(|segment| segment.0).collect()
    }

    fn told(&self, is_such: impl Fn(&What) -> bool) -> Vec<Time> {
        self.events.iter().filter(|event| is_such(&event.what)).map(|event| event.at).collect()
    }
}

fn see(scenario: &Scenario) -> Seen {
    let mut seen = Seen::default();
    let mut last = Time::ZERO;
    run(scenario, &mut |at, sight| {
        assert!(at >= last, "time goes back");
        last = at;
        match sight {
            Sight::Event(event) => seen.events.push(event.clone()),
            Sight::Device { device, did } => seen.device.push((at, device, did.clone())),
            Sight::Hub(event) => seen.hub.push(event.clone()),
            Sight::Segment { direction, carried, bytes, again, .. } => {
                seen.segments.push((at, direction, carried, bytes, again));
            }
            Sight::Message { number, .. } => seen.messages.push((at, number)),
        }
    })
    .unwrap();
    seen
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A device of MQTT 3.1.1 that is idle, pings when it has sent nothing for 0.9 of its keep-alive, and waits 10 s.
fn habits(keep_alive: u64) -> Habits {
    Habits {
        client_id: "d1".into(),
        version: Version::V311,
        keep_alive: secs(keep_alive),
        ping: PingRule::WhenIdleOutgoing,
        ping_interval: secs(keep_alive).mul_f64(0.9),
        ping_timeout: Some(secs(10)),
        check_every: Duration::ZERO,
        connect_timeout: secs(30),
        backoff: "fixed:5s".parse::<Backoff>().unwrap(),
        settled: secs(1),
        clean_session: false,
        session_expiry: secs(3600),
        notices_close: true,
        leaving: crate::device::Leaving::Disconnect,
        max_in_flight: 20,
        will: None,
        username: None,
        password: None,
        sas: None,
        workload: Workload::Idle,
    }
}

fn plan(rules: Vec<Rule>) -> Arc<Plan> {
    Arc::new(Plan {
        name: "sim".into(),
        summary: "A simulation.".into(),
        reproduces: None,
        listeners: Vec::new(),
        devices: 1,
        default_keep_alive: secs(60),
        settle: Span::ZERO,
        duration: None,
        rules,
        expectations: Vec::new(),
        fault_messages: None,
        strictness: None,
        server_keep_alive: None,
        sequence: None,
    })
}

fn at(first: Duration, fault: Fault) -> Rule {
    Rule {
        id: "fault".into(),
        who: Who::EVERYONE,
        when: When::At { first, repeat: None },
        chance: Chance::ALWAYS,
        fault,
        logged_as: None,
    }
}

fn dark(hold: Duration, connects: Connects) -> Fault {
    Fault::Blackhole(Blackhole {
        toward: Toward::Both,
        direction: WaysWanted::Both,
        hold: Span::fixed(hold),
        fidelity: FidelityWanted::Auto,
        connects,
    })
}

/// A round trip of 40 ms: CONNACK is there 80 ms after the dial.
fn scenario(habits: Habits, rules: Vec<Rule>, until: u64) -> Scenario {
    Scenario {
        devices: vec![habits],
        begin: Vec::new(),
        hub: HubConfig::default(),
        link: Link { round_trip: ms(40), loss: Chance::new(0.0).unwrap(), tls: false, kernel: Kernel::LINUX },
        plan: plan(rules),
        seed: 1,
        until: Time::from_secs(until),
    }
}
