//! The parameters of each fault, checked: no field is left open by the file.

use super::delay::Delay;
use super::effects::{Ending, LegFate};
use crate::base::{Direction, Ends, Side, Span};
use crate::tls::{Alert, Damage};
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
    /// TLS handshakes with devices go wrong.
    TlsHandshake(TlsHandshake),
    /// A TLS alert on a live link, then FIN.
    TlsAlert(TlsAlert),
    /// One TLS record of a live link is damaged.
    TlsRecord(TlsRecord),
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
            Fault::TlsHandshake(_) => "tls_handshake",
            Fault::TlsAlert(_) => "tls_alert",
            Fault::TlsRecord(_) => "tls_record",
        }
    }

    /// How long it holds: `None` for a one-shot, and for one that holds to the end of the run.
    pub fn hold(&self) -> Option<Span> {
        match self {
            Fault::Blackhole(blackhole) => Some(blackhole.hold),
            Fault::Stall(stall) => Some(stall.hold),
            Fault::Latency(latency) => latency.hold,
            Fault::TlsHandshake(handshake) => Some(handshake.hold),
            Fault::Rst(_) | Fault::Fin(_) | Fault::TlsAlert(_) | Fault::TlsRecord(_) => None,
        }
    }

    /// Whether it happens in one moment and leaves nothing to lift.
    pub fn is_one_shot(&self) -> bool {
        matches!(self, Fault::Rst(_) | Fault::Fin(_) | Fault::TlsAlert(_) | Fault::TlsRecord(_))
    }

    /// Whether it falls on TLS handshakes, before any CONNECT: then only listener, address and SNI say whose it is.
    pub fn is_of_handshakes(&self) -> bool {
        matches!(self, Fault::TlsHandshake(_))
    }

    /// Whether a sound end is expected to find the link dead: then a missing detection is a finding.
    pub fn breaks_link(&self) -> bool {
        match self {
            Fault::Blackhole(_)
            | Fault::Rst(_)
            | Fault::Fin(_)
            | Fault::Stall(_)
            | Fault::TlsAlert(_)
            | Fault::TlsRecord(_) => true,
            Fault::Latency(_) | Fault::TlsHandshake(_) => false,
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
    /// With `fin`: whether a leg with TLS says close_notify before it (RFC 8446 section 6.1). No meaning without TLS.
    pub close_notify: bool,
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

/// TLS handshakes with devices go wrong, where brownout is their TLS server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TlsHandshake {
    /// How.
    pub what: HandshakeFault,
    /// For how long.
    pub hold: Span,
}

/// What a TLS handshake meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeFault {
    /// Silence from here on, while the fault holds; then the handshake goes on.
    Stall(HandshakeStage),
    /// The device's leg is ended after ServerHello: `Reset` or `Close`.
    Abort(Ending),
    /// This alert instead of a ServerHello, then FIN.
    Alert(Alert),
    /// A certificate that a device should refuse.
    Certificate(BadCertificate),
}

/// A point of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandshakeStage {
    /// ClientHello came, nothing was answered.
    BeforeServerHello,
    /// ServerHello was sent, and nothing after it (in TLS 1.2, nothing after the record it stands in).
    AfterServerHello,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadCertificate {
    /// Its time is over: since yesterday.
    Expired,
    /// Its time is yet to come: from tomorrow on.
    NotYetValid,
    /// It is for another name.
    WrongName,
    /// It is signed by a CA that nobody knows.
    UntrustedCa,
    /// It is signed by itself.
    SelfSigned,
}

impl BadCertificate {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            BadCertificate::Expired => "expired",
            BadCertificate::NotYetValid => "not yet valid",
            BadCertificate::WrongName => "for another name",
            BadCertificate::UntrustedCa => "of an unknown CA",
            BadCertificate::SelfSigned => "self-signed",
        }
    }

    /// Whether the CA that devices trust has to sign it: else the device would refuse it for its issuer alone.
    pub fn needs_ca(self) -> bool {
        match self {
            BadCertificate::Expired | BadCertificate::NotYetValid | BadCertificate::WrongName => true,
            BadCertificate::UntrustedCa | BadCertificate::SelfSigned => false,
        }
    }
}

/// A fatal alert on a live link, then FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsAlert {
    /// The legs that get it.
    pub toward: Toward,
    /// Which.
    pub alert: Alert,
    /// What becomes of the other leg, where only one is named.
    pub other: LegFate,
}

impl TlsAlert {
    /// What becomes of each leg.
    pub fn legs(self) -> Ends<LegFate> {
        Close { toward: self.toward, other: self.other, close_notify: false }.legs(LegFate::Alert(self.alert))
    }
}

/// One TLS record is damaged; what comes after it passes as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsRecord {
    /// Who gets it.
    pub toward: Side,
    /// What happens to it.
    pub what: RecordFault,
}

/// What happens to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordFault {
    /// The next one of application data is damaged.
    Damaged(Damage),
    /// Part of one is sent, then FIN; the other leg is left half-open.
    Truncated,
}
