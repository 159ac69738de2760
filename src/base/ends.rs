//! The two ends of a link and the two directions between them: different types, so that they cannot be swapped.

use serde::{Deserialize, Serialize};

/// An end of the link, and the leg (TCP connection) that leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The MQTT client and its leg.
    Device,
    /// The broker and its leg.
    Hub,
}

impl Side {
    /// Both sides, device first.
    pub const BOTH: [Side; 2] = [Side::Device, Side::Hub];

    /// The end on the other side of the proxy.
    pub fn other(self) -> Side {
        match self {
            Side::Device => Side::Hub,
            Side::Hub => Side::Device,
        }
    }

    /// The direction of what this end sends.
    pub fn sends(self) -> Direction {
        match self {
            Side::Device => Direction::Up,
            Side::Hub => Direction::Down,
        }
    }

    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            Side::Device => "device",
            Side::Hub => "hub",
        }
    }
}

/// A direction of travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Device to hub.
    Up,
    /// Hub to device.
    Down,
}

impl Direction {
    /// Both directions, up first.
    pub const BOTH: [Direction; 2] = [Direction::Up, Direction::Down];

    /// The end that sends in this direction.
    pub fn from(self) -> Side {
        match self {
            Direction::Up => Side::Device,
            Direction::Down => Side::Hub,
        }
    }

    /// The end that receives in this direction.
    pub fn to(self) -> Side {
        self.from().other()
    }

    /// The word for it in messages.
    pub fn word(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// One value for each end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ends<T> {
    /// The device's.
    pub device: T,
    /// The hub's.
    pub hub: T,
}

impl<T> Ends<T> {
    /// The value of one end.
    pub fn get(&self, side: Side) -> &T {
        match side {
            Side::Device => &self.device,
            Side::Hub => &self.hub,
        }
    }

    /// The value of one end, to change it.
    pub fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Device => &mut self.device,
            Side::Hub => &mut self.hub,
        }
    }
}

/// One value for each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ways<T> {
    /// Device to hub.
    pub up: T,
    /// Hub to device.
    pub down: T,
}

impl<T> Ways<T> {
    /// The value of one direction.
    pub fn get(&self, direction: Direction) -> &T {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// The value of one direction, to change it.
    pub fn get_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }
}
