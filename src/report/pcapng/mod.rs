//! The bytes of a capture file: pcapng (draft-ietf-opsawg-pcapng), as Wireshark and tshark read it.
//!
//! Owns its blocks, the IP packets in them, the TCP connections that these make up, and what comments say of faults.
//! brownout records streams, not packets: what a peer said and was told is written down as TCP segments that never were,
//! with the peers' real addresses, and sequence numbers and checksums that agree. Invariant: a byte of a stream stands at
//! the same sequence number whether those before it are in the file or not. Deliberately absent: whence the bytes come, and
//! when a file is written (net/capture).

pub mod block;
mod connection;
mod remarks;
mod segment;
#[cfg(test)]
mod tests;

pub use connection::{Connection, End};
pub use remarks::{Remark, Remarks, Where};
pub use segment::{LARGEST, Segment};
