//! The way of a packet through the engine: whose it is, what becomes of it, and what it brings about.
//!
//! ```text
//!   identified ──▶ firings in force fall on its device ──▶ judged ──▶ told ──▶ triggers counted
//! ```
//!
//! What a device is said to have done is what it sent; what it is said to know is what it gets. So of a packet from the
//! device its own words count, and from the hub the words as they are passed on: a CONNACK that a fault drops accepts nobody,
//! and one that a fault edits says what it then says. A packet that a cut ends counts as one that does not arrive.

use super::io::{Beside, Output, PacketTicket};
use super::machine::Engine;
use super::packets::Arrival;
use crate::base::{DeviceId, Direction, LinkId, Time, time};
use crate::event::{Packet, What};
use crate::fault::{PacketEnd, Verdict};
use crate::mqtt::PacketKind;
use crate::session::Device;

/// What is told of a packet beside what it says.
#[derive(Clone, Debug, PartialEq)]
struct Fate {
    held: bool,
    dropped: bool,
    passed: Option<Box<Packet>>,
}

impl Fate {
    /// Whether it brings an attempt to connect to nothing: then the device may never be accepted, and no run is to wait
    /// for that.
    fn keeps_out(&self, packet: &Packet) -> bool {
        let is_accepted = |packet: &Packet| matches!(packet, Packet::Connack { code: 0, .. });
        match packet {
            Packet::Connect { .. } => self.dropped,
            Packet::Connack { code: 0, .. } => {
                self.dropped || self.passed.as_deref().is_some_and(|passed| !is_accepted(passed))
            }
            _ => false,
        }
    }
}

impl Engine {
    /// Takes in a packet that arrived whole. `held`: it will wait in brownout, as things stand. It waits too where
    /// something that holds it is ordered already, be it because of this packet: the ticket says so then. The verdict, where
    /// there is one, is to be carried out on it, and each part of it confirmed ([`Input::Altered`](super::Input::Altered)).
    ///
    /// What is due by `now` is done first: a window falls on what arrives before its end, and not on what arrives at it.
    pub fn packet(
        &mut self,
        now: Time,
        link: LinkId,
        direction: Direction,
        mut packet: Packet,
        beside: Beside<'_>,
        held: bool,
    ) -> (PacketTicket, Option<Box<Verdict>>) {
        self.advance(now);
        self.do_what_is_due();
        let is_new = self.identify_by_packet(link, direction, &packet);
        self.look_at_password(link, &mut packet);
        let seq = self.next_seq;
        let mut is_turned_away = false;
        let as_is = Fate { held, dropped: false, passed: None };
        if is_new {
            // On whom it falls is known once the CONNECT is; what is told of it here is put right below.
            self.tell_packet(link, direction, packet.clone(), as_is.clone());
            is_turned_away = self.connected(link, &packet);
        }
        let request = beside.request.as_ref();
        let verdict =
            self.judge(Arrival { link, direction, seq, packet: &packet, topic: beside.topic, request });
        let mut fate = self.fate(link, direction, &packet, verdict.as_ref(), held);
        if fate.keeps_out(&packet)
            && let Some(device) = self.sessions.device_of(link)
        {
            self.progress.turned_away(device.id, false);
        }
        if is_turned_away {
            (fate.dropped, fate.held) = (true, false);
        }
        let held = fate.held;
        let (accepts, kind) = self.comes_to(direction, &packet, &fate);
        if !is_new {
            self.tell_packet(link, direction, packet, fate);
        } else if fate != as_is {
            self.tell_again(link, seq, fate);
        }
        let end = verdict.as_ref().and_then(|verdict| verdict.end);
        if let (Some((None, PacketEnd::Drop { .. })), Some(request)) = (end, request) {
            self.command(link, seq, request);
        }
        if accepts {
            self.changed();
            self.keep_password(link);
            self.watch_token(link);
        }
        let pulled = kind.is_some_and(|kind| self.pull_triggers(link, kind, seq));
        let falls = verdict.as_ref().is_some_and(|verdict| verdict.windows().flatten().next().is_some());
        self.settle_sources();
        (PacketTicket { seq, wanted: pulled || falls, held }, verdict.map(Box::new))
    }

    /// Whether a packet accepts the device, and what it counts as for rules that wait for one: by what is sent of the
    /// device, by what arrives of the hub.
    fn comes_to(&self, direction: Direction, packet: &Packet, fate: &Fate) -> (bool, Option<PacketKind>) {
        let counts = match direction {
            Direction::Up => packet,
            Direction::Down if fate.dropped => return (false, None),
            Direction::Down => fate.passed.as_deref().unwrap_or(packet),
        };
        let accepts = matches!((direction, counts), (Direction::Down, Packet::Connack { code: 0, .. }));
        (accepts, self.triggers.kind_of(counts))
    }

    /// Whether the packet says of a link whose it is.
    fn identify_by_packet(&mut self, link: LinkId, direction: Direction, packet: &Packet) -> bool {
        match (direction, packet) {
            (Direction::Up, Packet::Connect { client_id, .. }) => self.identify_by_connect(link, client_id),
            (Direction::Down, Packet::Connack { assigned_client_id: Some(name), .. }) => {
                self.rename(link, name);
                self.join_firings(link);
                self.settle_link(link);
                false
            }
            (Direction::Up | Direction::Down, _) => false,
        }
    }

    fn fate(
        &self,
        link: LinkId,
        direction: Direction,
        packet: &Packet,
        verdict: Option<&Verdict>,
        held: bool,
    ) -> Fate {
        let holds = self.links.get(&link).is_some_and(|control| control.holds(direction));
        let is_delayed = verdict.is_some_and(|verdict| !verdict.delays.is_empty());
        let end = verdict.and_then(|verdict| verdict.end);
        let is_kept = matches!(end, Some((_, PacketEnd::Drop { .. })));
        Fate {
            held: (held || holds || is_delayed) && !is_kept,
            dropped: end.is_some(),
            passed: self.as_edited(link, packet, verdict).map(Box::new),
        }
    }

    fn tell_packet(&mut self, link: LinkId, direction: Direction, packet: Packet, fate: Fate) {
        let Fate { held, dropped, passed } = fate;
        self.emit(What::Packet { link, direction, packet, held, dropped, passed });
    }

    /// A CONNECT that was just told meets what it brought about, and is not passed on as it came; its event, and those of the
    /// windows that it opened, then say so.
    fn tell_again(&mut self, link: LinkId, seq: u64, fate: Fate) {
        let Fate { held, dropped, passed } = fate;
        for output in self.outputs.iter_mut().rev() {
            let Output::Event(event) = output else { continue };
            if event.seq != seq {
                continue;
            }
            if let What::Packet { held: h, dropped: d, passed: p, .. } = &mut event.what {
                (*h, *d, *p) = (held, dropped, passed);
            }
            // CONNECT says the same of its device twice, and now also what the hub is told.
            self.sessions.apply(event);
            break;
        }
        let Some(device) = self.sessions.device_of(link) else { return };
        let (its, told) = (device.id, hub_keep_alive_ns(device));
        for output in self.outputs.iter_mut().rev() {
            let Output::Event(event) = output else { continue };
            if event.seq <= seq {
                break;
            }
            let What::WindowOpened { device, hub_keep_alive_ns, .. } = &mut event.what else { continue };
            if *device == its {
                *hub_keep_alive_ns = told;
            }
        }
    }

    /// The keep-alive that a device's hub was told, where a fault made it another.
    pub(super) fn hub_keep_alive_ns(&self, device: DeviceId) -> Option<u64> {
        self.sessions.device(device).and_then(hub_keep_alive_ns)
    }
}

fn hub_keep_alive_ns(device: &Device) -> Option<u64> {
    device.hub_keep_alive.filter(|told| Some(*told) != device.keep_alive).map(time::nanos)
}
