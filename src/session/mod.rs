//! Floor 3: devices, followed across their links.
//!
//! Owns the fold from events to "which device, on which link, with which keep-alive, connected or not". The engine
//! and the measures hold one each and feed it the same events. Invariant: a link that closed leaves nothing behind
//! but its device. Deliberately absent: any judgement (measure/), any decision (engine/).

mod device;
mod filters;
pub mod ledger;
mod link;
pub(crate) mod meter;
mod numbered;
mod packets;
mod snapshot;
mod trail;
pub mod wire;

pub use device::Device;
pub use filters::Filters;
pub use ledger::Ledger;
pub use link::{Handshake, Link};
pub use meter::Meter;
pub use snapshot::Snapshot;

use crate::base::{DeviceId, Direction, LinkId, Resting, Shelf, Side, Time};
use crate::event::{Event, What};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many devices without a link an observer remembers; the one that went first is forgotten first. Who comes back after
/// that is a new device to it.
pub const MOST_GONE: usize = 20_000;

/// All devices and live links of a run.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    devices: Resting<DeviceId, Device>,
    /// The number of the next new device.
    next: u32,
    /// How many devices without a link are remembered; `None`: all.
    most_gone: Option<usize>,
    /// Devices without a link, and since when, where not all are remembered.
    gone: BTreeSet<(Time, DeviceId)>,
    /// How many devices were forgotten.
    forgotten: u64,
    /// Devices in the order of their names; of several that have one name, the latest.
    names: Vec<DeviceId>,
    /// Whose latest link came from each address, in order of numbers.
    addresses: BTreeMap<IpAddr, Vec<DeviceId>>,
    links: Shelf<LinkId, Link>,
    /// Those of them whose device is not known.
    unknown: BTreeSet<LinkId>,
    /// What the latest SUBACK granted.
    granted: Vec<String>,
}

impl Sessions {
    /// With a memory of at most so many devices that have no link.
    pub fn forgetful(most_gone: usize) -> Sessions {
        Sessions { most_gone: Some(most_gone), ..Sessions::default() }
    }

    /// Takes in one event. Events come in order.
    pub fn apply(&mut self, event: &Event) {
        match &event.what {
            What::LinkOpened { link, listener, peer, to: _ } => {
                self.links.insert(*link, Link::new(*listener, peer, event.at));
                self.unknown.insert(*link);
            }
            What::DeviceNamed { device, name } => self.name((event.seq, event.at), *device, name),
            What::LinkIdentified { link, device } => self.identify(event.at, *link, *device),
            What::Packet { link, direction, packet, dropped, passed, held: _ } => {
                let arrives = packet.passed_on(*dropped, passed.as_deref());
                self.packet(event.at, *link, *direction, packet, arrives);
            }
            What::LegEnded { link, side, .. } | What::LegCut { link, side, .. } => {
                if let Some(link) = self.links.get_mut(link) {
                    *link.ended.get_mut(*side) = true;
                    if *side == Side::Device {
                        link.handshake_is_over();
                    }
                }
            }
            What::TlsHello { link, sni, passthrough, .. } => {
                if let Some(link) = self.links.get_mut(link) {
                    link.sni = sni.as_deref().map(Box::from);
                    link.handshake =
                        if *passthrough { Handshake::PassedThrough } else { Handshake::UnderWay };
                }
            }
            What::TlsEstablished { link, side: Side::Device, up } => {
                if let Some(link) = self.links.get_mut(link) {
                    link.subject = up.subject.as_deref().map(Box::from);
                    link.handshake_is_over();
                }
            }
            What::TlsFailed { link, side: Side::Device, .. } => {
                if let Some(link) = self.links.get_mut(link) {
                    link.handshake_is_over();
                }
            }
            What::FirstData { link, direction } => self.first_data(event.at, *link, *direction),
            What::LinkClosed { link, .. } => self.close(event.at, *link),
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::CommandStopped
            | What::CommandEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::Dropped { .. }
            | What::AcceptFailed { .. }
            | What::ConnectAstray { .. }
            | What::HeldUp { .. }
            | What::CaptureClosed { .. }
            | What::Wire { .. }
            | What::HubConnected { .. }
            | What::HubUnreachable { .. }
            | What::Forwarded { .. }
            | What::Altered { .. }
            | What::FaultMessage { .. }
            | What::Rival { .. }
            | What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::FirstPublish { .. }
            | What::NotMqtt { .. }
            | What::Malformed { .. }
            | What::TlsEstablished { side: Side::Hub, .. }
            | What::TlsFailed { side: Side::Hub, .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::KeepaliveExceeded { .. }
            | What::EndCarried { .. }
            | What::EndWaits { .. }
            | What::Traffic(_)
            | What::Fired { .. }
            | What::Skipped { .. }
            | What::WindowOpened { .. }
            | What::FaultApplied { .. }
            | What::FaultRefused { .. }
            | What::FaultLifted { .. }
            | What::WindowClosed { .. } => {}
        }
    }

    /// The devices, in order of first appearance.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// The device of that number.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.get(&id)
    }

    /// The device of that name.
    pub fn by_name(&self, name: &str) -> Option<&Device> {
        self.device(self.id_of(name)?)
    }

    /// Its number.
    pub fn id_of(&self, name: &str) -> Option<DeviceId> {
        self.names.get(self.named(name).ok()?).copied()
    }

    /// The devices whose latest link came from this address.
    pub fn from_address(&self, address: IpAddr) -> impl Iterator<Item = DeviceId> {
        self.addresses.get(&address).into_iter().flatten().copied()
    }

    /// How many those are.
    pub fn known_at(&self, address: IpAddr) -> usize {
        self.addresses.get(&address).map_or(0, Vec::len)
    }

    /// The number that a device not yet seen gets.
    pub fn next_device(&self) -> DeviceId {
        DeviceId(self.next)
    }

    /// How many devices were forgotten, of those that went first.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The devices that are forgotten once this link is closed.
    pub fn forgets_with(&self, link: LinkId) -> Vec<DeviceId> {
        let Some(most) = self.most_gone else { return Vec::new() };
        let goes = self.device_of(link).filter(|device| device.links == [link]).map(|device| device.id);
        let beyond = (self.gone.len() + usize::from(goes.is_some())).saturating_sub(most);
        self.gone.iter().map(|(_, id)| *id).chain(goes).take(beyond).collect()
    }

    /// The live link of that number.
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// The live links, oldest first.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }

    /// Those of them whose device is not known: few, since most say at once whose they are.
    pub fn unknown(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.unknown.iter().filter_map(|id| Some((*id, self.link(*id)?)))
    }

    /// The device of a live link.
    pub fn device_of(&self, link: LinkId) -> Option<&Device> {
        self.device(self.link(link)?.device?)
    }

    /// Whether a device is connected, as far as both ends have shown.
    pub fn is_up(&self, device: &Device) -> bool {
        device.links.iter().filter_map(|link| self.link(*link)).any(Link::is_up)
    }

    /// The filters that the latest SUBACK granted, to be asked when that has been taken in.
    pub fn granted(&self) -> &[String] {
        &self.granted
    }

    /// How many devices are known.
    pub fn known(&self) -> usize {
        self.devices.len()
    }

    /// How many of them are connected. Those at rest have no link, and are left there.
    pub fn connected(&self) -> usize {
        let up = self.links.values().filter(|link| link.is_up()).filter_map(|link| link.device);
        up.collect::<BTreeSet<DeviceId>>().len()
    }

    fn device_mut(&mut self, id: DeviceId) -> Option<&mut Device> {
        self.devices.get_mut(&id)
    }

    fn name(&mut self, named: (u64, Time), id: DeviceId, name: &str) {
        self.loses_name(id);
        match self.device_mut(id) {
            Some(device) => device.name = name.into(),
            None => {
                self.devices.insert(id, Device::new(id, name.into(), named));
                self.next = self.next.max(id.0.saturating_add(1));
            }
        }
        match self.named(name) {
            Ok(place) => self.names[place] = id,
            Err(place) => {
                if self.names.len() == self.names.capacity() {
                    self.names.reserve_exact((self.names.len() / 4).max(4));
                }
                self.names.insert(place, id);
            }
        }
    }

    /// Where the device of this name stands among the names, or would.
    fn named(&self, name: &str) -> Result<usize, usize> {
        self.names.binary_search_by(|id| self.name_of(*id).cmp(name))
    }

    fn name_of(&self, id: DeviceId) -> &str {
        match self.devices.peek(&id) {
            Some(Ok(device)) => &device.name,
            Some(Err(mut packed)) => Device::packed_name(&mut packed).unwrap_or_default(),
            None => "",
        }
    }

    /// A device is about to have another name, or to be forgotten. Another may have come to have the name that this one has, an
    /// address say.
    fn loses_name(&mut self, id: DeviceId) {
        let place = self.device(id).and_then(|device| self.named(&device.name).ok());
        if let Some(place) = place.filter(|place| self.names.get(*place) == Some(&id)) {
            self.names.remove(place);
        }
    }

    /// A link whose device was another's until now moves.
    fn identify(&mut self, at: Time, link_id: LinkId, id: DeviceId) {
        let before = self.link(link_id).and_then(|link| link.device);
        if let Some(before) = before.filter(|_| self.devices.contains_key(&id)) {
            self.leaves(at, before, link_id);
        }
        let Some(device) = self.devices.get_mut(&id) else { return };
        if let Some(since) = device.gone.take() {
            self.gone.remove(&(since, id));
        }
        let is_alive = |link: &LinkId| self.links.get(link).is_some_and(|link| !link.is_ended());
        device.was_two |= device.links.iter().any(is_alive);
        device.links_seen += 1;
        // One is what most devices have.
        device.links.reserve_exact(1);
        device.links.push(link_id);
        let mut address = None;
        self.unknown.remove(&link_id);
        if let Some(link) = self.links.get_mut(&link_id) {
            link.device = Some(id);
            link.nth = device.links_seen;
            device.passed_through |= link.handshake == Handshake::PassedThrough;
            address = link.ip();
        }
        let before = std::mem::replace(&mut device.address, address);
        if before != address {
            self.moved(id, before, address);
        }
    }

    /// The device's latest link comes from another address than the one before.
    fn moved(&mut self, id: DeviceId, before: Option<IpAddr>, address: Option<IpAddr>) {
        if let Some(before) = before {
            self.leave_address(before, id);
        }
        if let Some(address) = address {
            let devices = self.addresses.entry(address).or_default();
            if let Err(place) = devices.binary_search(&id) {
                if devices.len() == devices.capacity() {
                    devices.reserve_exact((devices.len() / 4).max(1));
                }
                devices.insert(place, id);
            }
        }
    }

    /// Of TLS that is passed through, application data from the hub is all that is seen of an acceptance.
    fn first_data(&mut self, at: Time, link_id: LinkId, direction: Direction) {
        let Some(link) = self.links.get_mut(&link_id) else { return };
        if direction == Direction::Up || link.connack.is_some() {
            return;
        }
        link.connack = Some((at, 0));
        if let Some(device) = link.device.and_then(|id| self.device_mut(id)) {
            device.accepted += 1;
        }
    }

    fn leave_address(&mut self, address: IpAddr, id: DeviceId) {
        let Some(devices) = self.addresses.get_mut(&address) else { return };
        if let Ok(place) = devices.binary_search(&id) {
            devices.remove(place);
        }
        if devices.is_empty() {
            self.addresses.remove(&address);
        }
    }

    fn close(&mut self, at: Time, link_id: LinkId) {
        let Some(link) = self.links.remove(&link_id) else { return };
        self.unknown.remove(&link_id);
        if let Some(id) = link.device {
            self.leaves(at, id, link_id);
        }
        // Only here, where it can be said before ([`Sessions::forgets_with`]).
        while self.most_gone.is_some_and(|most| self.gone.len() > most) {
            if let Some((_, first)) = self.gone.pop_first() {
                self.forget(first);
            }
        }
    }

    /// Nothing is expected for a while of devices that are away.
    pub fn pack_up(&mut self) {
        self.devices.pack_up();
        self.links.shrink();
    }

    /// The device has this link no more. Without any, it may be forgotten when the next link closes.
    fn leaves(&mut self, at: Time, id: DeviceId, link: LinkId) {
        let Some(device) = self.devices.get_mut(&id) else { return };
        device.links.retain(|held| *held != link);
        if !device.links.is_empty() {
            return;
        }
        device.links = Vec::new();
        if self.most_gone.is_none() {
            self.devices.rest(id);
            return;
        }
        device.gone = Some(at);
        self.gone.insert((at, id));
        self.devices.rest(id);
    }

    fn forget(&mut self, id: DeviceId) {
        self.loses_name(id);
        let Some(device) = self.devices.remove(&id) else { return };
        self.forgotten += 1;
        if let Some(address) = device.address {
            self.leave_address(address, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ListenerId;

    #[test]
    fn a_link_is_unknown_until_its_device_is_known_or_it_closes() {
        let mut sessions = Sessions::default();
        let (first, second, device) = (LinkId(1), LinkId(2), DeviceId(0));
        let open =
            |link| What::LinkOpened { link, listener: ListenerId(0), peer: "127.0.0.1:5".into(), to: None };
        let closed = |link| What::LinkClosed { link, undelivered: crate::base::Ways::default() };
        let mut unknown = |what| {
            sessions.apply(&Event { seq: 0, at: Time::ZERO, what });
            sessions.unknown().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(unknown(open(first)), [first]);
        assert_eq!(unknown(open(second)), [first, second]);
        assert_eq!(unknown(What::DeviceNamed { device, name: "d".into() }), [first, second]);
        assert_eq!(unknown(What::LinkIdentified { link: first, device }), [second]);
        assert_eq!(unknown(closed(first)), [second]);
        assert_eq!(unknown(closed(second)), []);
    }
}
