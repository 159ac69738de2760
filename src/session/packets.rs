//! What a packet says of its device: of what the device sends, its own words; of what the hub sends, the words that the
//! device gets.

use super::{Device, Link, Sessions};
use crate::base::{Direction, LinkId, Time};
use crate::event::Packet;
use std::time::Duration;

impl Sessions {
    /// Takes in a packet. `arrives`: what of it comes to the other end; `None` for nothing.
    pub(super) fn packet(
        &mut self,
        at: Time,
        link: LinkId,
        direction: Direction,
        packet: &Packet,
        arrives: Option<&Packet>,
    ) {
        let Some(link) = self.links.get_mut(&link) else { return };
        let device = link.device.and_then(|id| self.devices.get_mut(&id));
        match direction {
            Direction::Up => from_device(link, device, packet, arrives),
            Direction::Down => to_device(at, link, device, packet, arrives),
        }
    }
}

fn from_device(link: &mut Link, device: Option<&mut Device>, packet: &Packet, arrives: Option<&Packet>) {
    match packet {
        Packet::Connect { version, keep_alive, username, .. } => {
            let Some(device) = device else { return };
            device.version = Some(*version);
            device.keep_alive = Some(seconds(*keep_alive));
            device.username = username.as_deref().map(Box::from);
            device.hub_keep_alive = match arrives {
                Some(Packet::Connect { keep_alive, .. }) => Some(seconds(*keep_alive)),
                Some(_) | None => None,
            };
        }
        Packet::Subscribe { id, filters } => {
            link.asked.retain(|(asked, _)| asked != id);
            link.asked.push((*id, filters.clone()));
        }
        Packet::Unsubscribe { filters } => {
            if let Some(device) = device {
                device.filters.drop_all(filters);
            }
        }
        Packet::Disconnect { .. } => link.disconnected = true,
        _ => {}
    }
}

fn to_device(
    at: Time,
    link: &mut Link,
    mut device: Option<&mut Device>,
    packet: &Packet,
    arrives: Option<&Packet>,
) {
    if let (Packet::Connack { server_keep_alive: Some(own), .. }, Some(device)) = (packet, &mut device) {
        // The hub holds to what it said, whether it arrives or not [MQTT-3.2.2-21].
        device.hub_keep_alive = Some(seconds(*own));
    }
    match arrives {
        Some(Packet::Connack { code, session_present, server_keep_alive, .. }) => {
            link.connack = Some((at, *code));
            let Some(device) = device else { return };
            if *code == 0 {
                device.accepted += 1;
                if !session_present {
                    // Filters held before count as lost until subscribed again; measures keep the old set.
                    device.filters.clear();
                }
            }
            if let Some(told) = server_keep_alive {
                device.keep_alive = Some(seconds(*told));
            }
        }
        Some(Packet::Suback { id, codes }) => {
            let asked = link.answered(*id);
            let granted = asked.iter().zip(codes).filter(|(_, code)| **code < 0x80);
            if let Some(device) = device {
                device.filters.add(granted.map(|(filter, _)| filter.as_str()));
            }
        }
        Some(_) | None => {}
    }
}

fn seconds(seconds: u16) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
