//! Fault-injection messages: device-to-cloud messages that the end-to-end tests of the Azure device SDKs send, and by which
//! they ask the hub to break the link.
//!
//! Source: the SDKs' own tests (`AzIoTHub_FaultOperationType` and its companions); only hubs that Microsoft allows honour
//! them.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultOperation {
    /// `KillTcp`: RST.
    KillTcp,
    /// `ShutDownMqtt`: FIN.
    ShutDownMqtt,
    /// `InvokeThrottling`: PUBACK withheld.
    InvokeThrottling,
    /// `InvokeMaxMessageQuota`: PUBACK withheld.
    InvokeMaxMessageQuota,
    /// `InvokeAuthError`: the link is closed, and CONNECT refused.
    InvokeAuthError,
}

/// A command, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRequest {
    /// What; `Err` with the type as it stands there, where it means nothing over MQTT.
    pub operation: Result<FaultOperation, String>,
    /// How long to wait before.
    pub delay: Duration,
    /// For how long, where it says so.
    pub duration: Option<Duration>,
    /// The reason given.
    pub reason: Option<String>,
}
