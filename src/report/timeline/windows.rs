//! Fault windows as shades on the lanes.

use super::MOST_WINDOWS;
use crate::base::{DeviceId, FiringId, Time, WindowId};
use crate::event::{Event, What};
use std::collections::BTreeMap;

/// A fault window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shade {
    /// Its firing.
    pub firing: FiringId,
    /// Its device.
    pub device: DeviceId,
    /// When it opened.
    pub opened: Time,
    /// From when its fault held on a link; `None` if it held on none.
    pub held: Option<Time>,
    /// When it was over; `None` if it was not by the end.
    pub closed: Option<Time>,
}

/// The windows of a run.
#[derive(Clone, Debug, Default)]
pub struct Windows {
    all: BTreeMap<WindowId, Shade>,
    left_out: u64,
}

impl Windows {
    /// Them, by number.
    pub fn all(&self) -> impl Iterator<Item = (WindowId, &Shade)> {
        self.all.iter().map(|(id, shade)| (*id, shade))
    }

    /// How many are left out, since there are too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn push(&mut self, event: &Event) {
        match &event.what {
            What::WindowOpened { window, firing, device, .. } => {
                let (firing, device, opened) = (*firing, *device, event.at);
                if self.all.len() >= MOST_WINDOWS {
                    self.left_out += 1;
                    return;
                }
                self.all.insert(*window, Shade { firing, device, opened, held: None, closed: None });
            }
            What::FaultApplied { window, .. } => {
                if let Some(shade) = self.all.get_mut(window) {
                    shade.held.get_or_insert(event.at);
                }
            }
            What::WindowClosed { window } => {
                if let Some(shade) = self.all.get_mut(window) {
                    shade.closed.get_or_insert(event.at);
                }
            }
            _ => {}
        }
    }
}
