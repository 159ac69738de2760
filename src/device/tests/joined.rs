//! The pure device and the pure hub, joined by a pipe of memory: hours in milliseconds.

use super::*;
use crate::hub::{
    ConnId, Departure, Hub, HubConfig, HubEvent, HubSaw, Input as HubInput, Output as HubOutput,
};
use std::collections::BTreeMap;

/// One way through the pipe takes this long.
const LATENCY: Duration = Duration::from_millis(20);

/// What arrives at an end.
#[derive(Debug)]
enum Arrival {
    Dialed { device: usize },
    ToHub { conn: u64, bytes: Vec<u8> },
    ToDevice { conn: u64, bytes: Vec<u8> },
    FinAtHub { conn: u64 },
    FinAtDevice { conn: u64 },
}

struct World {
    now: Time,
    hub: Hub,
    devices: Vec<Device>,
    /// Which connection a device has.
    links: BTreeMap<usize, u64>,
    made: u64,
    on_the_way: BTreeMap<(Time, u64), Arrival>,
    sent: u64,
    /// While it is dark nothing arrives, for good; dials vanish.
    dark: std::ops::Range<Time>,
    hub_log: Vec<HubEvent>,
    device_log: Vec<(usize, DeviceEvent)>,
}

impl World {
    fn new(habits: Vec<Habits>, dark: std::ops::Range<Time>) -> World {
        World {
            now: Time::ZERO,
            hub: Hub::new(HubConfig::default()),
            devices: habits.into_iter().map(|habits| Device::new(habits, 7)).collect(),
            links: BTreeMap::new(),
            made: 0,
            on_the_way: BTreeMap::new(),
            sent: 0,
            dark,
            hub_log: Vec::new(),
            device_log: Vec::new(),
        }
    }

    fn send(&mut self, arrival: Arrival) {
        if !self.dark.contains(&self.now) {
            self.sent += 1;
            self.on_the_way.insert((self.now + LATENCY, self.sent), arrival);
        }
    }

    fn until(&mut self, end: Time) {
        loop {
            let deadlines = self.devices.iter().map(Device::deadline).chain([self.hub.deadline()]).flatten();
            let arrival = self.on_the_way.first_key_value().map(|(&(at, _), _)| at);
            let Some(next) = deadlines.chain(arrival).min().filter(|&at| at <= end) else { return };
            self.now = self.now.max(next);
            self.step();
        }
    }

    fn step(&mut self) {
        while let Some(entry) = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let arrival = entry.remove();
            if !self.dark.contains(&self.now) {
                self.arrive(arrival);
            }
        }
        self.hub.tick(self.now);
        self.devices.iter_mut().for_each(|device| device.tick(self.now));
        self.drain();
    }

    fn arrive(&mut self, arrival: Arrival) {
        let now = self.now;
        match arrival {
            Arrival::Dialed { device } => {
                self.made += 1;
                let conn = ConnId(self.made);
                self.links.insert(device, self.made);
                self.hub.handle(now, HubInput::Opened { conn, peer: String::new(), tls: false });
                self.devices[device].handle(now, Input::Connected);
            }
            Arrival::ToHub { conn, bytes } => {
                self.hub.handle(now, HubInput::Bytes { conn: ConnId(conn), bytes: &bytes })
            }
            Arrival::FinAtHub { conn } => {
                self.hub
                    .handle(now, HubInput::Closed { conn: ConnId(conn), how: crate::hub::HowClosed::Fin });
            }
            Arrival::ToDevice { conn, bytes } => self.tell(conn, Input::Bytes(&bytes)),
            Arrival::FinAtDevice { conn } => self.tell(conn, Input::Closed(HowClosed::Fin)),
        }
        self.drain();
    }

    fn tell(&mut self, conn: u64, input: Input<'_>) {
        let whose = self.links.iter().find(|&(_, &link)| link == conn).map(|(&device, _)| device);
        if let Some(device) = whose {
            self.devices[device].handle(self.now, input);
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll() {
            match output {
                HubOutput::Send { conn, bytes } => {
                    self.hub.handle(self.now, HubInput::Written { conn, count: bytes.len() });
                    self.send(Arrival::ToDevice { conn: conn.0, bytes });
                }
                HubOutput::Close { conn } | HubOutput::Reset { conn } => {
                    self.send(Arrival::FinAtDevice { conn: conn.0 })
                }
                HubOutput::Log(event) => self.hub_log.push(event),
            }
        }
        for device in 0..self.devices.len() {
            while let Some(output) = self.devices[device].poll() {
                self.carry_out(device, output);
            }
        }
    }

    fn carry_out(&mut self, device: usize, output: Output) {
        let link = self.links.get(&device).copied();
        match (output, link) {
            (Output::Dial, _) => self.send(Arrival::Dialed { device }),
            (Output::Send(bytes), Some(conn)) => {
                self.devices[device].handle(self.now, Input::Written(bytes.len()));
                self.send(Arrival::ToHub { conn, bytes });
            }
            (Output::Close | Output::Reset, Some(conn)) => {
                self.links.remove(&device);
                self.send(Arrival::FinAtHub { conn });
            }
            (Output::Log(event), _) => self.device_log.push((device, event)),
            (Output::Send(_) | Output::Close | Output::Reset, None) => {}
        }
    }

    /// The last count of its kind that the device told of.
    fn last(&self, device: usize, pick: impl Fn(&DeviceDid) -> Option<u64>) -> u64 {
        self.device_log
            .iter()
            .filter(|(whose, _)| *whose == device)
            .filter_map(|(_, e)| pick(&e.did))
            .last()
            .unwrap_or(0)
    }

    fn departures(&self) -> Vec<(Time, Departure)> {
        let pick = |event: &HubEvent| match &event.what {
            HubSaw::Disconnected { why } => Some((event.at, why.clone())),
            _ => None,
        };
        self.hub_log.iter().filter_map(pick).collect()
    }
}

fn acked(did: &DeviceDid) -> Option<u64> {
    if let DeviceDid::Acked { total } = did { Some(*total) } else { None }
}

fn received(did: &DeviceDid) -> Option<u64> {
    if let DeviceDid::Received { total } = did { Some(*total) } else { None }
}

fn pair(version: Version, qos: u8) -> Vec<Habits> {
    let k = Duration::from_secs(60);
    let publisher = Habits {
        workload: format!("publishing:news,every=1s,qos={qos}").parse().unwrap(),
        version,
        ..Preset::Careful.habits("publisher", k)
    };
    let workload = format!("subscribing:news,qos={qos}").parse().unwrap();
    let subscriber = Habits { workload, version, ..Preset::Careful.habits("subscriber", k) };
    vec![subscriber, publisher]
}

#[test]
fn an_hour_of_messages_on_a_healthy_link() {
    for version in [Version::V31, Version::V311, Version::V5] {
        for qos in 0..=2 {
            let mut world = World::new(pair(version, qos), Time::MAX..Time::MAX);
            world.until(Time::from_secs(3_600) + Duration::from_millis(500));
            assert_eq!(world.departures(), [], "a healthy link stays up");
            let got = world.last(0, received);
            assert!((3_600..=3_601).contains(&got), "MQTT {version} QoS {qos}: {got}");
            assert_eq!(world.last(1, acked), if qos == 0 { 0 } else { 3_601 });
        }
    }
}

#[test]
fn an_outage_loses_nothing_of_qos_2_and_doubles_nothing() {
    for version in [Version::V311, Version::V5] {
        let dark = Time::from_secs(600)..Time::from_secs(900);
        let mut world = World::new(pair(version, 2), dark);
        world.until(Time::from_secs(3_600));
        let (acked, got) = (world.last(1, acked), world.last(0, received));
        assert!(acked > 3_000 && acked.abs_diff(got) <= 1, "acknowledged {acked}, received {got}");
        let whys = world.departures();
        assert_eq!(whys.len(), 2, "{whys:?}");
        assert!(whys.iter().all(|(_, why)| matches!(why, Departure::KeepAliveTimeout { .. })));
    }
}

/// Messages go every 100 ms and a message takes four steps of 20 ms: breaking the link at each 5 ms of a beat
/// breaks it before, in and after each step.
#[test]
fn wherever_in_the_four_steps_the_link_breaks_nothing_is_lost_or_doubled() {
    let workload = |text: &str| text.parse().unwrap();
    for step in 0..20 {
        let begins = Time::from_millis(20_000 + step * 5);
        let k = Duration::from_secs(2);
        let publisher = Preset::Careful.habits("publisher", k);
        let publisher = Habits { workload: workload("publishing:news,every=100ms,qos=2"), ..publisher };
        let subscriber = Preset::Careful.habits("subscriber", k);
        let subscriber = Habits { workload: workload("subscribing:news,qos=2"), ..subscriber };
        let mut world = World::new(vec![subscriber, publisher], begins..begins + Duration::from_secs(5));
        world.until(Time::from_secs(60));
        let resent =
            world.device_log.iter().any(|(_, e)| matches!(e.did, DeviceDid::Published { dup: true, .. }));
        let (acked, got) = (world.last(1, acked), world.last(0, received));
        assert!(resent, "the outage at {begins} hit a message");
        assert!(acked > 400 && acked.abs_diff(got) <= 2, "at {begins}: acknowledged {acked}, received {got}");
    }
}

#[test]
fn the_hub_times_an_idle_device_out_at_one_and_a_half_keep_alives() {
    let dark = Time::from_secs(100)..Time::from_secs(1_000);
    let mut world = World::new(vec![Preset::Typical.habits("d", Duration::from_secs(60))], dark);
    world.until(Time::from_secs(3_600));
    // CONNACK came at 60 ms; the PINGREQ 54 s after it is 20 ms on the way; the next falls into the dark.
    let last_packet = Time::from_millis(54_080);
    let (at, why) = world.departures().remove(0);
    assert_eq!(why, Departure::KeepAliveTimeout { silent: Duration::from_secs(90) });
    assert_eq!(at, last_packet + Duration::from_secs(90));
    assert_eq!(world.departures().len(), 1, "one outage, one departure");
}

#[test]
fn a_hundred_devices_come_back_from_an_outage() {
    let habits: Vec<_> =
        (0..100).map(|n| Preset::ALL[n % 3].habits(format!("d{n}"), Duration::from_secs(60))).collect();
    let mut world = World::new(habits, Time::from_secs(300)..Time::from_secs(900));
    world.until(Time::from_secs(1_200));
    assert_eq!(world.links.len(), 100);
}
