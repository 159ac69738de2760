//! Floor 1: WebSocket (RFC 6455) as it stands on the wire, walked in place.
//!
//! Owns the two HTTP heads that open it, the frames after them, and the mask. Invariant: payload is walked over, never
//! kept; no input can make it panic. Deliberately absent: the MQTT inside, which is mqtt's, and anything that is sent:
//! the handshake of the embedded peers, closing, pings.

mod frame;
mod head;
mod mask;
mod walker;

pub use frame::HIDDEN;
pub use head::{HEAD_LIMIT, looks_like_http};
pub use mask::Mask;
pub use walker::{Piece, Scan, Walker};
