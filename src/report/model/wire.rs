//! What a tap saw.

use serde::Serialize;

/// What a tap saw in one window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wire {
    /// Whether it saw all that arrived meanwhile: else it may have been more, and signs are brackets.
    pub whole: bool,
    /// Connects of the device that nobody accepted when they were made.
    pub connects: u64,
    /// How many of them nobody accepted ever.
    pub unanswered: u64,
    /// The SYNs that they were, the kernel's repetitions among them.
    pub syns: u64,
    /// What the device sent again while it was not heard; `null` for nothing.
    pub device: Option<Repeated>,
    /// What the hub sent again.
    pub hub: Option<Repeated>,
}

/// What an end sent again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Repeated {
    /// Segments.
    pub segments: u64,
    /// From the first sending of the oldest one to the second: the first retransmission timeout.
    pub first_gap_s: Option<f64>,
    /// The last such gap: how far the timeout had grown.
    pub last_gap_s: Option<f64>,
    /// Keep-alive and window probes of TCP.
    pub probes: u64,
}

/// What a tap saw in all runs that had one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tap {
    /// How many runs had one.
    pub runs: u64,
    /// Packets that the kernel had no room for.
    pub lost: u64,
    /// Connects that nobody accepted, and of which it is not known whose they were.
    pub connects_without_device: u64,
    /// Those that are taken for a device's by their address alone, since no other was known there.
    pub connects_by_address: u64,
}
