//! Whose a link is: by its CONNECT, or, where none has come or none can be seen, by its address.

use super::machine::Engine;
use crate::base::{DeviceId, LinkId};
use crate::event::What;
use crate::session::Device;
use std::net::IpAddr;

impl Engine {
    /// A CONNECT came. Answers whether it says of a link whose it is; not where that was known.
    pub(super) fn identify_by_connect(&mut self, link: LinkId, client_id: &str) -> bool {
        let taken_for = match self.sessions.link(link).map(|live| live.device) {
            None => return false,
            Some(device) => device,
        };
        let Some(taken_for) = taken_for else {
            let name = if client_id.is_empty() { self.address_name(link) } else { client_id.to_owned() };
            if let Some(device) = self.was_nameless(link).filter(|_| self.sessions.by_name(&name).is_none()) {
                self.emit(What::DeviceNamed { device, name });
                self.emit(What::LinkIdentified { link, device });
            } else {
                self.identify(link, &name);
            }
            return true;
        };
        let by_address = self.links.get_mut(&link).is_some_and(|it| std::mem::take(&mut it.by_address));
        if by_address {
            self.identify_again(link, taken_for, client_id);
        }
        by_address
    }

    /// A link that was told by its address alone says whose it is.
    fn identify_again(&mut self, link: LinkId, taken_for: DeviceId, client_id: &str) {
        let Some(device) = self.sessions.device(taken_for) else { return };
        if client_id.is_empty() && is_nameless(device) {
            return;
        }
        let name = if client_id.is_empty() { self.address_name(link) } else { client_id.to_owned() };
        match self.sessions.by_name(&name) {
            Some(known) if known.id == taken_for => {}
            // Its attempts came one after another: all of them were this device's.
            None if may_be_named(device) => {
                self.emit(What::DeviceNamed { device: taken_for, name });
            }
            Some(_) | None => {
                let windows = self.by_device.get(&taken_for).cloned().unwrap_or_default();
                if let Some(control) = self.links.get_mut(&link).filter(|_| !windows.is_empty()) {
                    control.seldom().left.extend(windows);
                }
                self.identify(link, &name);
            }
        }
    }

    /// The device whose handshakes failed at this link's address until now, and of which no other link is left.
    fn was_nameless(&self, link: LinkId) -> Option<DeviceId> {
        let device = self.sessions.device(self.by_address(link)?.ok()?)?;
        (may_be_named(device) && device.links.is_empty()).then_some(device.id)
    }

    pub(super) fn identify(&mut self, link: LinkId, name: &str) {
        let device = match self.sessions.by_name(name) {
            Some(known) => known.id,
            None => {
                let device = self.sessions.next_device();
                self.emit(What::DeviceNamed { device, name: name.to_owned() });
                device
            }
        };
        self.emit(What::LinkIdentified { link, device });
    }

    /// The one device that its address tells, or a name for one that only its address tells.
    pub(super) fn by_address(&self, link: LinkId) -> Option<Result<DeviceId, IpAddr>> {
        let address = self.sessions.link(link)?.ip()?;
        let mut known = self.sessions.from_address(address);
        Some(match (known.next(), known.next()) {
            (Some(only), None) => Ok(only.id),
            (Some(_), Some(_)) | (None, _) => {
                self.sessions.by_name(&address.to_string()).map(|known| known.id).ok_or(address)
            }
        })
    }

    /// Takes the link for this device's; CONNECT may say that it is another's.
    pub(super) fn identify_by_address(&mut self, link: LinkId, device: Result<DeviceId, IpAddr>) {
        match device {
            Ok(device) => self.emit(What::LinkIdentified { link, device }),
            Err(address) => self.identify(link, &address.to_string()),
        }
        if let Some(control) = self.links.get_mut(&link) {
            control.by_address = true;
        }
    }

    pub(super) fn rename(&mut self, link: LinkId, name: &str) {
        let Some(device) = self.sessions.device_of(link) else { return };
        if self.sessions.by_name(name).is_none() {
            let device = device.id;
            self.emit(What::DeviceNamed { device, name: name.to_owned() });
        }
    }

    /// Address and port.
    pub(super) fn address_name(&self, link: LinkId) -> String {
        self.sessions.link(link).map(|live| live.peer.to_string()).unwrap_or_default()
    }
}

/// Whether a CONNECT from its address can say its name: as far as was seen, only one device is there.
fn may_be_named(device: &Device) -> bool {
    is_nameless(device) && !device.was_two && !device.passed_through
}

/// Whether its name is its address, since no CONNECT of its has been seen.
fn is_nameless(device: &Device) -> bool {
    let address = device.address.map(|address| address.to_string());
    device.version.is_none() && address.is_some_and(|address| *address == *device.name)
}
