//! The pure device in literal time, and against the pure hub in virtual time.

mod detection;
mod hostile;
mod joined;
mod reconnect;
mod secured;
mod sockets;
mod tokens;
mod traffic;

use super::*;
use crate::base::Time;
use crate::mqtt::inlet::Inlet;
use crate::mqtt::packet::{Ack, Connack, Publish};
use crate::mqtt::{Packet, Properties, Property, QoS, Version, encode};
use std::time::Duration;

const NANO: Duration = Duration::from_nanos(1);

/// A device with the hub's end of its link played by the test.
struct Bench {
    device: Device,
    now: Time,
    inlet: Inlet,
    version: Version,
    /// What the hub got since it was asked last.
    packets: Vec<Packet>,
    /// What the device did since it was asked last: its outputs but `Send`.
    did: Vec<String>,
}

impl Bench {
    fn new(habits: Habits) -> Bench {
        let version = habits.version;
        let device = Device::new(habits, 42);
        let mut bench = Bench {
            device,
            now: Time::ZERO,
            inlet: Inlet::new(usize::MAX),
            version,
            packets: vec![],
            did: vec![],
        };
        bench.at(Time::ZERO);
        bench
    }

    /// One whose link is up, at time 0.
    fn up(habits: Habits) -> Bench {
        let mut bench = Bench::new(habits);
        bench.connect(false);
        bench
    }

    fn at(&mut self, now: Time) {
        self.now = now;
        self.device.tick(now);
        self.drain();
    }

    /// Lets time pass, ticking at each deadline until `end`.
    fn until(&mut self, end: Time) {
        while let Some(deadline) = self.device.deadline().filter(|&deadline| deadline <= end) {
            self.at(deadline);
        }
        self.at(end);
    }

    fn input(&mut self, input: Input<'_>) {
        self.device.handle(self.now, input);
        self.drain();
    }

    fn hub_says(&mut self, packet: Packet) {
        let mut bytes = Vec::new();
        encode(&packet, self.version, &mut bytes).unwrap();
        self.input(Input::Bytes(&bytes));
    }

    /// The dial succeeds and the hub accepts.
    fn connect(&mut self, session_present: bool) {
        self.connect_with(session_present, Properties::NONE);
    }

    fn connect_with(&mut self, session_present: bool, properties: Properties) {
        self.got();
        self.input(Input::Connected);
        assert!(matches!(self.got().as_slice(), [Packet::Connect(_)]));
        self.hub_says(Packet::Connack(Connack { session_present, code: 0, properties }));
    }

    fn drain(&mut self) {
        while let Some(output) = self.device.poll() {
            match output {
                Output::Send(bytes) => {
                    self.inlet.push(&bytes);
                    while let Some(packet) = self.inlet.next_packet(self.version).unwrap() {
                        self.packets.push(packet);
                    }
                    self.device.handle(self.now, Input::Written(bytes.len()));
                }
                Output::Dial => {
                    self.inlet = Inlet::new(usize::MAX);
                    self.did.push("dial".into());
                }
                Output::Close => self.did.push("close".into()),
                Output::Reset => self.did.push("reset".into()),
                Output::Log(event) => self.did.push(event.did.to_string()),
            }
        }
    }

    fn got(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.packets)
    }

    fn did(&mut self) -> Vec<String> {
        std::mem::take(&mut self.did)
    }

    /// Whether it has noticed that its link is gone, since asked last.
    fn noticed(&mut self) -> bool {
        self.did().iter().any(|line| line.starts_with("link gone"))
    }
}

fn habits(preset: Preset, keep_alive: u64) -> Habits {
    preset.habits("d", Duration::from_secs(keep_alive))
}

fn publishing(every: &str, qos: u8) -> Workload {
    format!("publishing:a,every={every},qos={qos},size=0").parse().unwrap()
}

fn show(packets: &[Packet]) -> Vec<String> {
    let show = |packet: &Packet| match packet {
        Packet::Publish(p) => {
            let id = p.packet_id.map(|id| format!(" #{id}")).unwrap_or_default();
            let dup = if p.dup { " dup" } else { "" };
            format!("{}{id}{dup}", String::from_utf8_lossy(&p.payload).trim_end())
        }
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            format!("{} #{}", packet.kind(), ack.packet_id)
        }
        other => other.kind().to_string(),
    };
    packets.iter().map(show).collect()
}
