//! What became of messages, device by device.

use crate::base::{DeviceId, Direction, Ways};
use crate::event::{Delivery, Event, What};
use std::collections::BTreeMap;

/// What became of a device's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryResults {
    /// Counts, by the direction of travel.
    pub counts: Ways<Delivery>,
}

/// The messages of a run, device by device.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    devices: BTreeMap<DeviceId, DeliveryResults>,
}

impl Deliveries {
    /// Takes in an event.
    pub fn push(&mut self, event: &Event) {
        if let What::Delivery { device, up, down } = &event.what {
            let counts = &mut self.devices.entry(*device).or_default().counts;
            counts.get_mut(Direction::Up).add(up);
            counts.get_mut(Direction::Down).add(down);
        }
    }

    /// What became of the messages of a device.
    pub fn of(&self, device: DeviceId) -> DeliveryResults {
        self.devices.get(&device).cloned().unwrap_or_default()
    }
}
