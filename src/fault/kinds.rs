//! The parameters of each fault, checked: no field is left open by the file.

use super::delay::Delay;
use super::effects::LegFate;
use crate::base::{Direction, Ends, Side, Span};
use serde::{Deserialize, Serialize};

/// A fault with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The path goes dark: nothing passes, connects included.
    Blackhole(Blackhole),
    /// TCP reset without DISCONNECT.
    Rst(Close),
    /// TCP close (FIN) without DISCONNECT.
    Fin(Close),
    /// Bytes stop; TCP acknowledges until its windows are full.
    Stall(Stall),
    /// Bytes come later.
    Latency(Latency),
}

impl Fault {
    /// Its key in a profile.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Blackhole(_) => "blackhole",
            Fault::Rst(_) => "rst",
            Fault::Fin(_) => "fin",
            Fault::Stall(_) => "stall",
            Fault::Latency(_) => "latency",
        }
    }

    /// How long it holds: `None` for a one-shot, and for one that holds to the end of the run.
    pub fn hold(&self) -> Option<Span> {
        match self {
            Fault::Blackhole(blackhole) => Some(blackhole.hold),
            Fault::Stall(stall) => Some(stall.hold),
            Fault::Latency(latency) => latency.hold,
            Fault::Rst(_) | Fault::Fin(_) => None,
        }
    }

    /// Whether it happens in one moment and leaves nothing to lift.
    pub fn is_one_shot(&self) -> bool {
        matches!(self, Fault::Rst(_) | Fault::Fin(_))
    }

    /// Whether a sound end is expected to find the link dead: then a missing detection is a finding.
    pub fn breaks_link(&self) -> bool {
        match self {
            Fault::Blackhole(_) | Fault::Rst(_) | Fault::Fin(_) | Fault::Stall(_) => true,
            Fault::Latency(_) => false,
        }
    }
}

/// Which leg or legs a fault falls on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Toward {
    /// The device's leg.
    Device,
    /// The hub's leg.
    Hub,
    /// Both legs.
    Both,
}

impl Toward {
    /// Whether it falls on this side's leg.
    pub fn hits(self, side: Side) -> bool {
        match self {
            Toward::Both => true,
            Toward::Device => side == Side::Device,
            Toward::Hub => side == Side::Hub,
        }
    }
}

/// Which direction or directions a fault works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaysWanted {
    /// Device to hub.
    Up,
    /// Hub to device.
    Down,
    /// Both.
    Both,
}

impl WaysWanted {
    /// Whether it works on this direction.
    pub fn hits(self, direction: Direction) -> bool {
        match self {
            WaysWanted::Both => true,
            WaysWanted::Up => direction == Direction::Up,
            WaysWanted::Down => direction == Direction::Down,
        }
    }
}

/// How true a blackhole is asked to be (DESIGN's fidelity).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FidelityWanted {
    /// The truest that still shows when each end gave up. Without a tap that sees dropped packets this is `stall`.
    Auto,
    /// Ingress dropped in the kernel: the peer's TCP goes unacknowledged. Refused, and said so, where impossible.
    Packet,
    /// Bytes held; the peer's TCP is acknowledged until its window closes. Needs nothing.
    Stall,
}

/// What becomes of connects during a blackhole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connects {
    /// Their SYNs vanish, where the fault falls on every device of a listener (the listening socket is muted);
    /// else as `Silence`, since a SYN does not say whose it is.
    Vanish,
    /// TCP is accepted, and CONNECT is met with silence until the blackhole ends.
    Silence,
    /// New links pass: only links that were up when it began go dark.
    Allow,
}

/// The path goes dark.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blackhole {
    /// The legs that go dark.
    pub toward: Toward,
    /// For how long.
    pub hold: Span,
    /// How true it is to be.
    pub fidelity: FidelityWanted,
    /// What becomes of connects meanwhile.
    pub connects: Connects,
}

/// A link ended from the middle, without DISCONNECT: `rst` or `fin`, by the [`Fault`] it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The legs that are reset or closed.
    pub toward: Toward,
    /// What becomes of the other leg, where only one is named.
    pub other: LegFate,
}

impl Close {
    /// What becomes of each leg, for a fault that ends legs in this way.
    pub fn legs(self, ending: LegFate) -> Ends<LegFate> {
        let fate = |side| if self.toward.hits(side) { ending } else { self.other };
        Ends { device: fate(Side::Device), hub: fate(Side::Hub) }
    }
}

/// Bytes stop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// The directions that stop.
    pub direction: WaysWanted,
    /// For how long.
    pub hold: Span,
}

/// Bytes come later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The directions delayed.
    pub direction: WaysWanted,
    /// By how much.
    pub delay: Delay,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}
