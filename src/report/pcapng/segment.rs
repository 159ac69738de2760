//! A TCP segment in its IP packet, IPv4 or IPv6, with the checksums that belong to it.

use std::net::{IpAddr, SocketAddr};

/// The most payload of a segment, in bytes: an IPv4 packet has 65,535 with both headers (RFC 791 section 3.1).
pub const LARGEST: usize = 65_495;

/// Flags (RFC 9293 section 3.1).
pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;

const TCP: u8 = 6;
const HOPS: u8 = 64;
/// IPv4, DF set: it was never in pieces.
const DO_NOT_FRAGMENT: u16 = 0x4000;

/// A segment. Both addresses are of one family.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Whose.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its sequence number.
    pub seq: u32,
    /// What it acknowledges, where the flag says so.
    pub ack: u32,
    /// FIN, SYN, RST, PSH, ACK.
    pub flags: u8,
    /// The window it announces, before scaling.
    pub window: u16,
    /// TCP options, a multiple of four bytes.
    pub options: &'a [u8],
    /// At most [`LARGEST`] bytes, less the options.
    pub payload: &'a [u8],
}

impl Segment<'_> {
    /// The packet's bytes.
    pub fn packet(&self) -> Vec<u8> {
        let tcp = self.tcp();
        let length = u16::try_from(tcp.len()).unwrap_or(u16::MAX);
        let mut packet = match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut header = [0; 20];
                header[0] = 0x45;
                header[2..4].copy_from_slice(&length.saturating_add(20).to_be_bytes());
                header[6..8].copy_from_slice(&DO_NOT_FRAGMENT.to_be_bytes());
                header[8] = HOPS;
                header[9] = TCP;
                header[12..16].copy_from_slice(&from.octets());
                header[16..20].copy_from_slice(&to.octets());
                let sum = checksum(&[&header]);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                header.to_vec()
            }
            (from, to) => {
                let mut header = vec![0; 8];
                header[0] = 0x60;
                header[4..6].copy_from_slice(&length.to_be_bytes());
                header[6] = TCP;
                header[7] = HOPS;
                header.extend(octets(from));
                header.extend(octets(to));
                header
            }
        };
        packet.extend(tcp);
        packet
    }

    fn tcp(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let mut tcp = Vec::with_capacity(header + self.payload.len());
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.push(u8::try_from(header / 4).unwrap_or(5) << 4);
        tcp.push(self.flags);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(self.options);
        tcp.extend(self.payload);
        let sum = checksum(&[&self.pseudo_header(tcp.len()), &tcp]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        tcp
    }

    /// What the checksum of TCP covers of IP (RFC 9293 section 3.1, RFC 8200 section 8.1).
    fn pseudo_header(&self, length: usize) -> Vec<u8> {
        let mut pseudo = Vec::with_capacity(40);
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                pseudo.extend(from.octets());
                pseudo.extend(to.octets());
            }
            (from, to) => {
                pseudo.extend(octets(from));
                pseudo.extend(octets(to));
            }
        }
        pseudo.extend(u32::from(TCP).to_be_bytes());
        pseudo.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        pseudo
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

/// The ones' complement of the ones' complement sum (RFC 1071). Only the last part may have an odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum = words.fold(0u64, |sum, word| {
        let low = word.get(1).copied().unwrap_or(0);
        sum + u64::from(u16::from_be_bytes([word[0], low]))
    });
    let mut sum = sum;
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
