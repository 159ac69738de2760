//! brownout stands between MQTT devices and their hub, breaks the link the way real networks and hubs break it,
//! and says in numbers how each end noticed and recovered.
//!
//! The modules are floors; each imports only from lower ones (`tests/floors.rs` enforces it), and the floors up
//! to [`report`] know no sockets, no clock and no file system. ARCHITECTURE.md is the guided walk.

pub mod azure;
pub mod base;
pub mod cli;
pub mod device;
pub mod engine;
pub mod event;
pub mod fault;
pub mod hub;
pub mod keepalive;
pub mod measure;
pub mod mqtt;
pub mod net;
pub mod profile;
pub mod report;
pub mod session;
pub mod sim;
pub mod tls;
pub mod ws;
