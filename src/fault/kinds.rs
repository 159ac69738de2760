//! All faults, and what each is: whether it breaks links, is over at once, falls on connects.

use super::packet::{Inject, PacketAction, PacketFault};
use super::parameters::{
    Bandwidth, Blackhole, Close, CutAfter, Disconnect, FidelityWanted, HalfClose, IdleTimeout, Latency, Loss,
    Refuse, Reject, Slice, Stall, Takeover, TlsAlert, TlsHandshake, TlsRecord, TokenExpiry,
};
use crate::base::{Chance, Span};
use crate::mqtt::PacketKind;

/// A fault with its parameters.
#[derive(Clone, Debug, PartialEq)]
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
    /// One end is told FIN, and the other direction goes on.
    HalfClose(HalfClose),
    /// Connects are refused.
    Refuse(Refuse),
    /// Bytes pass at a rate.
    Bandwidth(Bandwidth),
    /// TCP segments are lost, and sent again by their sender's TCP.
    Loss(Loss),
    /// Bytes pass in small pieces.
    Slice(Slice),
    /// A link ends once so many bytes have passed.
    CutAfter(CutAfter),
    /// A middlebox forgets links on which nothing passes.
    IdleTimeout(IdleTimeout),
    /// The hub closes links whose token has expired.
    TokenExpiry(TokenExpiry),
    /// Another client with the device's name connects to the hub.
    Takeover(Takeover),
    /// CONNECT is answered with a refusal.
    Reject(Reject),
    /// DISCONNECT in the name of the other end, then FIN.
    Disconnect(Disconnect),
    /// A packet of brownout's own.
    Inject(Inject),
    /// What becomes of single packets.
    Packets(PacketFault),
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
            Fault::HalfClose(_) => "half_close",
            Fault::Refuse(_) => "refuse",
            Fault::Bandwidth(_) => "bandwidth",
            Fault::Loss(_) => "loss",
            Fault::Slice(_) => "slice",
            Fault::CutAfter(_) => "cut_after",
            Fault::IdleTimeout(_) => "idle_timeout",
            Fault::TokenExpiry(_) => "token_expiry",
            Fault::Takeover(_) => "takeover",
            Fault::Reject(_) => "reject",
            Fault::Disconnect(_) => "disconnect",
            Fault::Inject(_) => "inject",
            Fault::Packets(packets) => packets.action.name(),
        }
    }

    /// How long it holds: `None` for a one-shot, and for one that holds to the end of the run.
    pub fn hold(&self) -> Option<Span> {
        match self {
            Fault::Blackhole(blackhole) => Some(blackhole.hold),
            Fault::Stall(stall) => Some(stall.hold),
            Fault::Latency(latency) => latency.hold,
            Fault::TlsHandshake(handshake) => Some(handshake.hold),
            Fault::Refuse(refuse) => Some(refuse.hold),
            Fault::Bandwidth(bandwidth) => bandwidth.hold,
            Fault::Loss(loss) => loss.hold,
            Fault::Slice(slice) => slice.hold,
            Fault::CutAfter(cut) => cut.hold,
            Fault::IdleTimeout(idle) => idle.hold,
            Fault::TokenExpiry(token) => token.hold,
            Fault::Takeover(takeover) => Some(takeover.hold),
            Fault::Reject(reject) => Some(reject.hold),
            Fault::Packets(packets) => packets.hold,
            Fault::Rst(_)
            | Fault::Fin(_)
            | Fault::TlsAlert(_)
            | Fault::TlsRecord(_)
            | Fault::HalfClose(_)
            | Fault::Disconnect(_)
            | Fault::Inject(_) => None,
        }
    }

    /// Whether it falls on each link of a device by itself, whenever its moment comes, rather than on the one that it finds.
    pub fn falls_on_each_link(&self) -> bool {
        match self {
            Fault::CutAfter(_) | Fault::IdleTimeout(_) | Fault::TokenExpiry(_) | Fault::Takeover(_) => true,
            other => other.packets().is_some_and(PacketFault::breaks_link),
        }
    }

    /// Whether it happens in one moment and leaves nothing to lift.
    pub fn is_one_shot(&self) -> bool {
        matches!(
            self,
            Fault::Rst(_)
                | Fault::Fin(_)
                | Fault::TlsAlert(_)
                | Fault::TlsRecord(_)
                | Fault::HalfClose(_)
                | Fault::Disconnect(_)
                | Fault::Inject(_)
        )
    }

    /// Whether nothing of it is ever lifted from a link that it fell on, or that it cut: of a one-shot, a cut, a link forgotten or
    /// taken over. The path is there for the device's next one at once.
    pub fn is_for_good(&self, is_cut: bool) -> bool {
        self.is_one_shot()
            || (is_cut && self.falls_on_each_link())
            || matches!(self, Fault::IdleTimeout(_) | Fault::Takeover(_))
    }

    /// Whether it is a state of the path that every link of the device shares: then a path is restored when it is over.
    pub fn is_of_path(&self) -> bool {
        self.is_level() && !self.falls_on_each_link() && !self.is_of_handshakes()
    }

    /// Whether it is a state of the link that net/ confirms as such. What is none is confirmed by what it does: a cut, a
    /// packet changed.
    pub fn is_level(&self) -> bool {
        match self {
            Fault::Blackhole(_)
            | Fault::Stall(_)
            | Fault::Latency(_)
            | Fault::TlsHandshake(_)
            | Fault::Bandwidth(_)
            | Fault::Loss(_)
            | Fault::Slice(_)
            | Fault::IdleTimeout(_) => true,
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
            | Fault::Packets(_) => false,
        }
    }

    /// Whether it asks for ingress to be dropped in the kernel.
    pub fn wants_packet_fidelity(&self) -> bool {
        matches!(self, Fault::Blackhole(blackhole) if blackhole.fidelity == FidelityWanted::Packet)
    }

    /// Whether it takes that where what it hides is seen all the same, and does without it where that is refused.
    pub fn takes_packet_fidelity(&self) -> bool {
        matches!(self, Fault::Blackhole(blackhole) if blackhole.fidelity == FidelityWanted::Auto)
    }

    /// Whether it falls on TLS handshakes, before any CONNECT: then only listener, address and SNI say whose it is.
    pub fn is_of_handshakes(&self) -> bool {
        matches!(self, Fault::TlsHandshake(_))
    }

    /// Whether it falls on attempts to connect, and leaves links alone that are up: a device that is not back before it is
    /// over is kept out by it.
    pub fn is_of_connects(&self) -> bool {
        matches!(self, Fault::Refuse(_) | Fault::Reject(_))
    }

    /// Its fault of handshakes, if it is one.
    pub fn handshake(&self) -> Option<&TlsHandshake> {
        if let Fault::TlsHandshake(handshake) = self { Some(handshake) } else { None }
    }

    /// Its fault of packets, if it is one.
    pub fn packets(&self) -> Option<&PacketFault> {
        if let Fault::Packets(packets) = self { Some(packets) } else { None }
    }

    /// Whether a sound end is expected to find the link dead: then a missing detection is a finding.
    pub fn breaks_link(&self) -> bool {
        match self {
            Fault::Blackhole(_)
            | Fault::Rst(_)
            | Fault::Fin(_)
            | Fault::Stall(_)
            | Fault::TlsAlert(_)
            | Fault::TlsRecord(_)
            | Fault::HalfClose(_)
            | Fault::CutAfter(_)
            | Fault::IdleTimeout(_)
            | Fault::TokenExpiry(_)
            | Fault::Takeover(_)
            | Fault::Disconnect(_) => true,
            Fault::Packets(packets) => packets.breaks_link(),
            Fault::Latency(_)
            | Fault::TlsHandshake(_)
            | Fault::Refuse(_)
            | Fault::Bandwidth(_)
            | Fault::Loss(_)
            | Fault::Slice(_)
            | Fault::Reject(_)
            | Fault::Inject(_) => false,
        }
    }
}

impl PacketFault {
    /// Whether it ends links, or keeps every sign of life from a device that asks for one (PINGREQ or PINGRESP dropped,
    /// each of them): then the device should find the link dead.
    pub fn breaks_link(&self) -> bool {
        match &self.action {
            PacketAction::Cut(_) => true,
            PacketAction::Drop { .. } => {
                let of_pings = matches!(self.what.packet, Some(PacketKind::Pingreq | PacketKind::Pingresp));
                of_pings
                    && self.what.nth.is_none()
                    && self.what.times.is_none()
                    && self.what.chance == Chance::ALWAYS
            }
            PacketAction::Delay(_)
            | PacketAction::Duplicate { .. }
            | PacketAction::Edit(_)
            | PacketAction::Corrupt(_) => false,
        }
    }
}
