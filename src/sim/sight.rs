//! What is seen of a simulated run.

use crate::base::Direction;
use crate::device::DeviceDid;
use crate::event::Event;
use crate::hub::HubEvent;

/// One thing that is seen; its time comes beside it, and never goes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sight<'a> {
    /// An event of brownout's engine: fault windows opened, confirmed and closed, packets, ends.
    Event(&'a Event),
    /// A device's own account of what it did and noticed.
    Device {
        /// Which, by its place in [`Scenario::devices`](super::Scenario::devices).
        device: usize,
        /// What.
        did: &'a DeviceDid,
    },
    /// The hub's own account.
    Hub(&'a HubEvent),
    /// A segment was sent between a device and brownout: what the device's radio carries.
    Segment {
        /// Whose connection.
        device: usize,
        /// Which way.
        direction: Direction,
        /// What it carries.
        carried: Carried,
        /// Bytes of IP, headers of IPv4 and TCP included (RFC 9293: 20 and 20, and 12 of options with time stamps).
        bytes: u32,
        /// Whether it was sent before.
        again: bool,
    },
    /// A device's message has arrived at the hub for the first time.
    Message {
        /// Whose.
        device: usize,
        /// Its number in the device's life, from 1.
        number: u64,
    },
}

/// What a segment carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// A handshake of TCP or TLS, or an end.
    Control,
    /// An acknowledgement alone.
    Ack,
    /// MQTT.
    Data,
}
