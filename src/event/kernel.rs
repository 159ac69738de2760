//! What the kernel was asked to drop, and says that it dropped.

use crate::base::RuleId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// From how many addresses connects vanish at a listener, and why not from more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Addresses whose SYNs are dropped.
    pub addresses: u32,
    /// Addresses that are not among them since other devices are known there, on which no blackhole holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub shared: u32,
    /// Addresses that found no room in the filter.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub beyond: u32,
    /// The rules that ask for it, ascending.
    pub rules: Vec<RuleId>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = if self.addresses == 1 { "address" } else { "addresses" };
        write!(f, "{} {addresses}", self.addresses)?;
        if self.shared > 0 {
            write!(f, ", not to {} shared with others", self.shared)?;
        }
        if self.beyond > 0 {
            write!(f, ", not to {} for which there was no room", self.beyond)?;
        }
        Ok(())
    }
}

/// What the kernel dropped at one leg while a fault asked it to: counted by the socket (SO_MEMINFO's SK_MEMINFO_DROPS), in
/// segments, however many of them the kernel had merged into one packet (GRO) before it drew.
///
/// Under a blackhole the count is exact: TCP sees nothing. Under a loss it also holds the few that got through and that TCP
/// threw away itself, such as what was sent twice; these are among those that got through, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// How many were dropped.
    pub segments: u64,
    /// How many got through to TCP in that time.
    pub passed: u64,
}
