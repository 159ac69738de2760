//! Floor 1: what Azure IoT Hub writes into MQTT and into its log, as far as anyone on the path can read or write it.
//!
//! Owns the expiry of SAS tokens, the commands of fault-injection messages, and the error codes. Invariant: nothing here
//! shows a signature. Deliberately absent: the hub itself (hub/azure/), and when anything of this is used.

pub(crate) mod code;
pub(crate) mod message;
pub(crate) mod token;
pub(crate) mod url;

pub use code::Code;
pub use message::{FaultOperation, FaultRequest};
