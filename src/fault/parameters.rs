//! The parameters of each fault, checked: no field is left open by the file.

use super::delay::Delay;
use super::effects::{Ending, LegFate};
use crate::base::{Chance, Direction, Ends, Rate, Side, Span};
use crate::tls::{Alert, Damage};
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
    /// Their SYNs vanish: all of a listener, where the fault falls on each of its devices; else those from addresses at which
    /// every known device is in the dark, where the machine permits that. The rest as `Silence`.
    Vanish,
    /// TCP is accepted, and CONNECT is met with silence until the blackhole ends.
    Silence,
    /// New links pass: only links that were up when it began go dark.
    Allow,
}

/// The path goes dark.
///
/// One way only, what one end sends is lost, its acknowledgements among it, and what the other sends arrives. At packet
/// fidelity the sender's end of that is as on such a path: its leg's ingress is dropped, so that it goes unacknowledged, and
/// what the other says still reaches it, as far as TCP goes without its acknowledgements: once something is not acknowledged
/// in time, that alone is sent again and nothing behind it, not even a FIN (RFC 5681 section 3.1: a window of one segment).
/// The other end hears nothing of it, but its own TCP is acknowledged by brownout's kernel, which no filter on what arrives
/// can keep from that; on such a path it would go unacknowledged too. So the lost way has to be lost on its sender's leg: lost
/// on the other leg, it would be brownout's own segments that have to vanish.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blackhole {
    /// The legs that go dark. Of one that is lost one way: the sender's.
    pub toward: Toward,
    /// Which way nothing passes. Links that come while it holds meet silence both ways: a handshake takes both.
    pub direction: WaysWanted,
    /// For how long.
    pub hold: Span,
    /// How true it is to be.
    pub fidelity: FidelityWanted,
    /// What becomes of connects meanwhile.
    pub connects: Connects,
}

/// A link ended from the middle, without DISCONNECT: `rst` or `fin`, by the [`Fault`](super::Fault) it stands in.
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

/// One end is told FIN; what it says still goes on to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfClose {
    /// Who is told. What the other says from then on is thrown away.
    pub toward: Side,
}

/// Connects are refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refuse {
    /// How.
    pub how: Refusal,
    /// For how long.
    pub hold: Span,
}

/// How connects are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// SYN is answered with RST, where the fault falls on every device of a listener (the listening socket is closed); else
    /// as `Reset`, since a SYN does not say whose it is.
    Closed,
    /// TCP is accepted, and reset as soon as it is known whose it is.
    Reset,
}

/// Bytes pass at a rate, of each link by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bandwidth {
    /// How fast.
    pub rate: Rate,
    /// The directions slowed down.
    pub direction: WaysWanted,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// TCP segments of a peer are lost on their way to brownout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// Whose segments: of the legs' peers.
    pub toward: Toward,
    /// How likely each is lost. The kernel draws: these draws do not follow from the seed.
    pub chance: Chance,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// Bytes pass in small pieces, each a write of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    /// Bytes of a piece at most; at least 1.
    pub size: u32,
    /// From one piece to the next at least.
    pub gap: Duration,
    /// The directions sliced.
    pub direction: WaysWanted,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// Each link ends once so many bytes have passed while this holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CutAfter {
    /// How many; at least 1. The last of them is passed on, and none after.
    pub bytes: u64,
    /// Which way they travel.
    pub direction: Direction,
    /// How the legs end: `Reset` or `Close`.
    pub ending: LegFate,
    /// Which of them, and what becomes of the other.
    pub close: Close,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// A NAT or load balancer forgets a link on which nothing passed for a time. New links pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IdleTimeout {
    /// For how long nothing has to pass, either way.
    pub after: Span,
    /// What becomes of packets after that.
    pub then: Forgotten,
    /// For how long links can be forgotten; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// What becomes of packets on a link that a middlebox has forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgotten {
    /// They vanish.
    Vanish,
    /// Whoever sends one is answered with RST; the other end hears nothing until it sends too.
    Reset,
}

/// The hub closes the link of a device whose token has expired, and refuses a token that has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenExpiry {
    /// How long a link may last whose CONNECT carries no SAS token, from its CONNACK on; `None`: for ever.
    pub lifetime: Option<Span>,
    /// How long after the expiry the hub still waits.
    pub grace: Duration,
    /// For how long; `None`: to the end of the run.
    pub hold: Option<Span>,
}

/// Another client connects to the hub with the device's own CONNECT, so that the hub closes the device's link
/// [MQTT-3.1.4-2].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Takeover {
    /// For how long the other client lives.
    pub hold: Span,
    /// How long after it has lost its own link it connects again; `None`: it does not.
    pub again: Option<Duration>,
}

/// CONNECT is answered with a CONNACK that refuses, then FIN; the hub hears nothing of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reject {
    /// With which code.
    pub code: ConnackCode,
    /// For how long.
    pub hold: Span,
}

/// A refusal, in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnackCode {
    /// The return code of MQTT 3.1 and 3.1.1: 1 to 5, others are reserved [MQTT-3.2.2-6].
    pub return_code: u8,
    /// The reason code of MQTT 5, from 0x80.
    pub reason_code: u8,
}

/// DISCONNECT as from the other end, then FIN. To a device before MQTT 5 there is no such packet: FIN alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The legs that get it.
    pub toward: Toward,
    /// The reason code of MQTT 5.
    pub reason: u8,
    /// What becomes of the other leg, where only one is named.
    pub other: LegFate,
}

impl Disconnect {
    /// What becomes of each leg.
    pub fn legs(self) -> Ends<LegFate> {
        let close = Close { toward: self.toward, other: self.other, close_notify: true };
        close.legs(LegFate::Disconnected(self.reason))
    }
}
