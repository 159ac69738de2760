//! Floor 2: faults as data.
//!
//! Owns the parameters of every fault, the [`Effects`] that the active ones add up to on one link, the one-shot
//! [`Cut`], and the lane that delayed bytes wait in. Invariant: nothing here acts; net/ performs an effect and
//! answers with what the kernel really did. Deliberately absent: when and on whom a fault falls (profile/, engine/).

pub mod delay;
pub mod effects;
pub mod kinds;
pub mod lane;

pub use delay::{Delay, DelayModel};
pub use effects::{Cut, Effects, Ending, Fidelity, Harm, LegFate, Mechanism, RuleDelay};
pub use kinds::{
    BadCertificate, Blackhole, Close, Connects, Fault, FidelityWanted, HandshakeFault, HandshakeStage,
    Latency, RecordFault, Stall, TlsAlert, TlsHandshake, TlsRecord, Toward, WaysWanted,
};
pub use lane::Lane;
