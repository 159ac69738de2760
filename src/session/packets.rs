//! What a packet says of its device: of what the device sends, its own words; of what the hub sends, the words that the
//! device gets.

use super::{Device, Sessions};
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
        match direction {
            Direction::Up => self.said_by_device(link, packet, arrives),
            Direction::Down => self.told_to_device(at, link, packet, arrives),
        }
    }

    fn said_by_device(&mut self, link: LinkId, packet: &Packet, arrives: Option<&Packet>) {
        match packet {
            Packet::Connect { version, client_id, keep_alive, username, .. } => {
                let Some(device) = self.its_device(link) else { return };
                (device.version, device.unnamed) = (Some(*version), client_id.is_empty());
                device.keep_alive = Some(seconds(*keep_alive));
                if device.username.as_deref() != username.as_deref() {
                    device.username = username.as_deref().map(Box::from);
                }
                device.hub_keep_alive = match arrives {
                    Some(Packet::Connect { keep_alive, .. }) => Some(seconds(*keep_alive)),
                    Some(_) | None => None,
                };
            }
            Packet::Subscribe { id, filters } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.asks(*id, filters);
                }
            }
            Packet::Unsubscribe { filters } => {
                if let Some(device) = self.its_device(link) {
                    device.filters.drop_all(filters);
                }
            }
            Packet::Disconnect { .. } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.disconnected = true;
                }
            }
            _ => {}
        }
    }

    fn told_to_device(&mut self, at: Time, link: LinkId, packet: &Packet, arrives: Option<&Packet>) {
        if let Packet::Connack { server_keep_alive: Some(own), .. } = packet
            && let Some(device) = self.its_device(link)
        {
            // The hub holds to what it said, whether it arrives or not [MQTT-3.2.2-21].
            device.hub_keep_alive = Some(seconds(*own));
        }
        match arrives {
            Some(Packet::Connack { code, session_present, server_keep_alive, .. }) => {
                let Some(link) = self.links.get_mut(&link) else { return };
                link.accepted_before |= matches!(link.connack, Some((_, 0)));
                link.connack = Some((at, *code));
                let is_first = !link.accepted_before;
                let Some(device) = link.device.and_then(|id| self.devices.get_mut(&id)) else { return };
                if *code == 0 {
                    device.accepted += u32::from(is_first);
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
                self.granted.clear();
                let Some(link) = self.links.get_mut(&link) else { return };
                let asked = link.answered(*id).into_iter().zip(codes);
                self.granted = asked.filter(|(_, code)| **code < 0x80).map(|(filter, _)| filter).collect();
                if let Some(device) = link.device.and_then(|id| self.devices.get_mut(&id)) {
                    device.filters.add(self.granted.iter().map(String::as_str));
                }
            }
            Some(_) => {}
            None => {
                if let (Packet::Suback { id, .. }, Some(link)) = (packet, self.links.get_mut(&link)) {
                    link.answered(*id);
                }
            }
        }
    }

    /// The device of a live link.
    fn its_device(&mut self, link: LinkId) -> Option<&mut Device> {
        let device = self.links.get(&link)?.device?;
        self.devices.get_mut(&device)
    }
}

fn seconds(seconds: u16) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
