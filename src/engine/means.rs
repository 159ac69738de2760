//! What is said of how a fault was made: by what means on each leg, and what the peers' TCP sees of it.

use super::io::Granted;
use crate::base::{Direction, Ends, Side};
use crate::fault::{Bandwidth, Fault, Fidelity, LegFate, Mechanism, Slice};

/// What the peers' TCP sees of a cut: RST, FIN and silence are its own; what TLS says, or leaves out, comes in a stream
/// that TCP carries and ends in order.
pub(super) fn fidelity_of(done: &Ends<Option<LegFate>>) -> Fidelity {
    let is_of_stream = |side| match *done.get(side) {
        Some(
            LegFate::Unnotified
            | LegFate::Alert(_)
            | LegFate::Truncated
            | LegFate::Rejected(_)
            | LegFate::Disconnected(_),
        ) => true,
        Some(LegFate::Reset | LegFate::Close | LegFate::HalfOpen | LegFate::ResetWhenSends) | None => false,
    };
    if Side::BOTH.into_iter().any(is_of_stream) { Fidelity::Stream } else { Fidelity::Packet }
}

/// By what means a leg was brought to this.
pub(super) fn mechanism(fate: LegFate) -> Mechanism {
    match fate {
        LegFate::Reset => Mechanism::Linger,
        LegFate::Close => Mechanism::Shutdown,
        LegFate::Unnotified => Mechanism::Unnotified,
        LegFate::Alert(_) => Mechanism::Alert,
        LegFate::Truncated => Mechanism::Truncated,
        LegFate::Rejected(_) => Mechanism::Rejected,
        LegFate::Disconnected(_) => Mechanism::Disconnected,
        LegFate::HalfOpen | LegFate::ResetWhenSends => Mechanism::Parked,
    }
}

/// How a holding fault was made, given what the kernel granted.
pub(super) fn how(fault: &Fault, packet: bool, granted: &Granted) -> (Fidelity, Ends<Option<Mechanism>>) {
    let mut means = Ends::default();
    match fault {
        Fault::Blackhole(blackhole) => {
            let mut fidelity = Fidelity::Stall;
            for side in Side::BOTH.into_iter().filter(|side| blackhole.toward.hits(*side)) {
                let muted =
                    granted.mute.get(side).as_ref().and_then(|mute| mute.as_ref().ok()).filter(|_| packet);
                if muted.is_some() {
                    fidelity = Fidelity::Packet;
                }
                *means.get_mut(side) = Some(muted.copied().unwrap_or(Mechanism::Gate));
            }
            (fidelity, means)
        }
        Fault::Stall(stall) => {
            for direction in Direction::BOTH.into_iter().filter(|d| stall.direction.hits(*d)) {
                *means.get_mut(direction.from()) = Some(Mechanism::Gate);
            }
            (Fidelity::Stall, means)
        }
        Fault::Latency(latency) => {
            for direction in Direction::BOTH.into_iter().filter(|d| latency.direction.hits(*d)) {
                *means.get_mut(direction.from()) = Some(Mechanism::Lane);
            }
            (Fidelity::Stream, means)
        }
        Fault::TlsHandshake(_) => {
            means.device = Some(Mechanism::Handshake);
            (Fidelity::Stream, means)
        }
        Fault::Bandwidth(Bandwidth { direction: ways, .. }) | Fault::Slice(Slice { direction: ways, .. }) => {
            for direction in Direction::BOTH.into_iter().filter(|d| ways.hits(*d)) {
                *means.get_mut(direction.from()) = Some(Mechanism::Shaper);
            }
            (Fidelity::Stream, means)
        }
        Fault::Loss(loss) => {
            for side in Side::BOTH.into_iter().filter(|side| loss.toward.hits(*side)) {
                let granted = granted.loss.get(side).as_ref().and_then(|loss| loss.as_ref().ok());
                *means.get_mut(side) = granted.copied();
            }
            (Fidelity::Packet, means)
        }
        Fault::IdleTimeout(_) => {
            means = Ends { device: Some(Mechanism::Gate), hub: Some(Mechanism::Gate) };
            (Fidelity::Stall, means)
        }
        // These are confirmed by what they did, not by a state of the link.
        Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::CutAfter(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => (Fidelity::Packet, means),
    }
}
