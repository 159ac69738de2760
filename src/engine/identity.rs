//! Whose a link is: by its CONNECT, or, where none has come or none can be seen, by its address.

use super::machine::Engine;
use crate::base::{DeviceId, LinkId};
use crate::event::What;
use crate::session::{Device, Link};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

impl Engine {
    /// A CONNECT came. Answers whether it says of a link whose it is; not where that was known.
    pub(super) fn identify_by_connect(&mut self, link: LinkId, client_id: &str) -> bool {
        let Some(live) = self.sessions.link(link) else { return false };
        let Some(taken_for) = live.device else {
            let name = name_of(live, client_id);
            let known = self.sessions.id_of(&name);
            let device = known.unwrap_or_else(|| {
                let device = self.was_nameless(link).unwrap_or_else(|| self.sessions.next_device());
                self.emit(What::DeviceNamed { device, name: name.into_owned() });
                device
            });
            self.emit(What::LinkIdentified { link, device });
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
        let (device, live) = (self.sessions.device(taken_for), self.sessions.link(link));
        let Some((device, live)) = device.zip(live) else { return };
        if client_id.is_empty() && is_nameless(device) {
            return;
        }
        let name = name_of(live, client_id);
        match self.sessions.id_of(&name) {
            Some(known) if known == taken_for => {}
            // Its attempts came one after another: all of them were this device's.
            None if may_be_named(device) => {
                self.emit(What::DeviceNamed { device: taken_for, name: name.into_owned() });
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
        let device = match self.sessions.id_of(name) {
            Some(known) => known,
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
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) | (None, _) => self.sessions.id_of(&address.to_string()).ok_or(address),
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
        if self.sessions.id_of(name).is_none() {
            let device = device.id;
            self.emit(What::DeviceNamed { device, name: name.to_owned() });
        }
    }
}

/// The name that a CONNECT gives the device of a link; where it leaves that to the hub, the address and port of the link.
pub(super) fn name_of<'a>(live: &Link, client_id: &'a str) -> Cow<'a, str> {
    match live.peer {
        Some(peer) if client_id.is_empty() => Cow::Owned(peer.to_string()),
        Some(_) | None => Cow::Borrowed(client_id),
    }
}

/// An address and its port, as `to_string` has them. Every link tells of one, and formatting it was a twentieth of all that the
/// engine does for a short link: so the digits of IPv4 are written right away.
pub(super) fn written(address: SocketAddr) -> String {
    let SocketAddr::V4(v4) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255:65535".len());
    let [first, others @ ..] = v4.ip().octets();
    push_number(&mut text, first.into());
    for octet in others {
        text.push('.');
        push_number(&mut text, octet.into());
    }
    text.push(':');
    push_number(&mut text, v4.port());
    text
}

fn push_number(text: &mut String, number: u16) {
    for power in [10_000, 1_000, 100, 10, 1] {
        if number >= power || power == 1 {
            text.push(char::from_digit(u32::from(number / power % 10), 10).unwrap_or('0'));
        }
    }
}

/// Whether a CONNECT from its address can say its name: as far as was seen, only one device is there.
fn may_be_named(device: &Device) -> bool {
    is_nameless(device) && !device.was_two && !device.passed_through
}

/// Whether its name is its address, since no CONNECT of its has been seen.
fn is_nameless(device: &Device) -> bool {
    let is_its_name = |address: IpAddr| *address.to_string() == *device.name;
    device.version.is_none() && device.address.is_some_and(is_its_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_address_is_written_as_it_is_displayed(octets: [u8; 4], port: u16, zero in 0_usize..4) {
            let mut with_zero = octets;
            with_zero[zero] = 0;
            for address in [SocketAddr::from((octets, port)), SocketAddr::from((with_zero, 0))] {
                prop_assert_eq!(written(address), address.to_string());
            }
            let mapped = SocketAddr::from((std::net::Ipv4Addr::from(octets).to_ipv6_mapped(), port));
            prop_assert_eq!(written(mapped), mapped.to_string());
        }
    }
}
