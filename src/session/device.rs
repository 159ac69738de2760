//! A device, and how it rests while it is away.

use super::Filters;
use crate::base::pack::{Pack, Reader, Writer};
use crate::base::{DeviceId, LinkId, Name, Rest, Time};
use crate::mqtt::Version;
use std::net::IpAddr;
use std::time::Duration;

/// A device, known by its client identifier.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its number.
    pub id: DeviceId,
    /// Its client identifier, or its address where it has none.
    pub name: Name,
    /// The event that first told a name of its: its number and time.
    pub named: (u64, Time),
    /// Its live links, oldest first.
    pub links: Vec<LinkId>,
    /// How many links it has had; one that turned out to be another device's counts on.
    pub links_seen: u32,
    /// The address that its latest link came from.
    pub address: Option<IpAddr>,
    /// Whether it has had two links at once that neither end had given up: then it may be several devices behind one
    /// address, where its name is one.
    pub was_two: bool,
    /// Whether a link of its passed its TLS through: then its name is its address for good.
    pub passed_through: bool,
    /// How many CONNACKs accepted it; where TLS is passed through, how many links brought it application data.
    pub accepted: u32,
    /// The keep-alive in force on its latest link; `None` while unknown, zero for none.
    pub keep_alive: Option<Duration>,
    /// The keep-alive that its hub goes by: as CONNECT said when it was passed on, or as the hub's own CONNACK says. Another
    /// than the device's only where a fault made it so; `None` while unknown.
    pub hub_keep_alive: Option<Duration>,
    /// The protocol version of its latest CONNECT.
    pub version: Option<Version>,
    /// Whether that left its client identifier to the hub: if it does so again, its next link is another device's.
    pub unnamed: bool,
    /// The user name of its latest CONNECT, redacted.
    pub username: Option<Box<str>>,
    /// The topic filters it subscribed to and did not drop.
    pub filters: Filters,
    /// Since when it has had no link, where that is followed.
    pub(super) gone: Option<Time>,
}

impl Device {
    /// Without links.
    pub(super) fn new(id: DeviceId, name: Name, named: (u64, Time)) -> Device {
        Device {
            id,
            name,
            named,
            links: Vec::new(),
            links_seen: 0,
            address: None,
            was_two: false,
            passed_through: false,
            accepted: 0,
            keep_alive: None,
            hub_keep_alive: None,
            version: None,
            unnamed: false,
            username: None,
            filters: Filters::default(),
            gone: None,
        }
    }

    /// The keep-alive that spans are resolved with, and whether it is the default.
    pub fn keep_alive_or(&self, default: Duration) -> (Duration, bool) {
        match self.keep_alive {
            Some(keep_alive) if !keep_alive.is_zero() => (keep_alive, false),
            Some(_) | None => (default, true),
        }
    }

    /// The name in what was packed.
    pub(super) fn packed_name<'a>(from: &mut Reader<'a>) -> Option<&'a str> {
        str::from_utf8(from.slice()?).ok()
    }
}

impl Rest for Device {
    fn may_rest(&self) -> bool {
        self.links.is_empty()
    }
}

impl Pack for Device {
    /// Its name first: that is what it is looked for by.
    fn pack(&self, to: &mut Writer) {
        let Device { id, name, named, links: _, links_seen, address, was_two, passed_through, .. } = self;
        let Device {
            accepted, keep_alive, hub_keep_alive, version, unnamed, username, filters, gone, ..
        } = self;
        (name.clone(), *id).pack(to);
        (*named, (*links_seen, *address)).pack(to);
        (*was_two, (*passed_through, *accepted)).pack(to);
        (*keep_alive, (*hub_keep_alive, (*version, *unnamed))).pack(to);
        (username.clone(), *gone).pack(to);
        filters.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Device> {
        let (name, id) = Pack::unpack(from)?;
        let (named, (links_seen, address)) = Pack::unpack(from)?;
        let (was_two, (passed_through, accepted)) = Pack::unpack(from)?;
        let (keep_alive, (hub_keep_alive, (version, unnamed))) = Pack::unpack(from)?;
        let (username, gone) = Pack::unpack(from)?;
        let filters = Pack::unpack(from)?;
        Some(Device {
            id,
            name,
            named,
            links: Vec::new(),
            links_seen,
            address,
            was_two,
            passed_through,
            accepted,
            keep_alive,
            hub_keep_alive,
            version,
            unnamed,
            username,
            filters,
            gone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_rested_is_what_it_was() {
        let mut device = Device::new(DeviceId(70_000), "pump-1".into(), (9, Time::from_secs(3)));
        let packed = |device: &Device| {
            let mut to = Writer::default();
            device.pack(&mut to);
            to.finish()
        };
        let same = |device: &Device| {
            let back = Device::unpack(&mut Reader::new(&packed(device))).unwrap();
            assert_eq!(format!("{back:?}"), format!("{device:?}"));
        };
        same(&device);
        (device.links_seen, device.accepted, device.was_two) = (300, 2, true);
        device.address = "192.0.2.7".parse().ok();
        device.keep_alive = Some(Duration::from_secs(60));
        device.hub_keep_alive = Some(Duration::ZERO);
        (device.version, device.unnamed) = (Some(Version::V5), true);
        device.username = Some("user".into());
        device.filters.add(["a/+", "b/#"]);
        device.gone = Some(Time::from_secs(3));
        same(&device);
        (device.address, device.passed_through) = ("2001:db8::1".parse().ok(), true);
        same(&device);
        assert_eq!(Device::packed_name(&mut Reader::new(&packed(&device))), Some("pump-1"));
        device.links.push(LinkId(1));
        assert!(!device.may_rest());
    }
}
