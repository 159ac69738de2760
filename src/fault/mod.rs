//! Floor 2: faults as data.
//!
//! Owns the parameters of every fault, the [`Effects`] that the active ones add up to on one link, the one-shot
//! [`Cut`], and the lane that delayed bytes wait in. Invariant: nothing here acts; net/ performs an effect and
//! answers with what the kernel really did. Deliberately absent: when and on whom a fault falls (profile/, engine/).

pub(crate) mod allowance;
pub(crate) mod delay;
pub(crate) mod delays;
pub(crate) mod edit;
pub(crate) mod effects;
pub(crate) mod filter;
pub(crate) mod idle;
pub(crate) mod kinds;
pub mod lane;
pub(crate) mod packet;
pub(crate) mod parameters;
pub(crate) mod shaper;
pub(crate) mod tap;

pub use allowance::Allowance;
pub use delay::{BadDelay, Delay, DelayModel};
pub use delays::Delays;
pub use effects::{Asks, Budget, Cut, Effects, Ending, Fidelity, Harm, LegFate, Mechanism, RuleDelay, Shape};
pub use idle::IdleWatch;
pub use kinds::Fault;
pub use lane::{Lane, Left};
pub use packet::{
    Alteration, Corrupt, Edit, Inject, Injection, MidCut, PacketAction, PacketEnd, PacketFault, PacketMatch,
    Verdict,
};
pub use parameters::{
    BadCertificate, Bandwidth, Blackhole, Close, ConnackCode, Connects, CutAfter, Disconnect, FidelityWanted,
    Forgotten, HalfClose, HandshakeFault, HandshakeStage, IdleTimeout, Latency, Loss, RecordFault, Refusal,
    Refuse, Reject, Slice, Stall, Takeover, TlsAlert, TlsHandshake, TlsRecord, TokenExpiry, Toward,
    WaysWanted,
};
pub use shaper::Shaper;
