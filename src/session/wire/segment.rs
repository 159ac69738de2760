//! A TCP segment, from the headers that the tap keeps of it.

use crate::base::Time;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a segment says of the connection (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// No more comes.
    pub fin: bool,
    /// A connection begins.
    pub syn: bool,
    /// The connection is no more.
    pub rst: bool,
    /// The acknowledgement counts.
    pub ack: bool,
}

/// A segment that arrived at this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When the kernel had it.
    pub at: Time,
    /// From where.
    pub from: SocketAddr,
    /// To where.
    pub to: SocketAddr,
    /// What it says of the connection.
    pub flags: Flags,
    /// The number of its first byte.
    pub seq: u32,
    /// Bytes of data.
    pub len: u32,
}

impl Segment {
    /// From an IP packet without its link layer, of which only the beginning needs to be there. `None` for what is not TCP,
    /// for what has headers between IPv6 and TCP, and for stumps.
    pub fn parse(packet: &[u8], at: Time) -> Option<Segment> {
        let (ips, header, all) = match packet.first()? >> 4 {
            4 => ipv4(packet)?,
            6 => ipv6(packet)?,
            _ => return None,
        };
        let tcp = packet.get(header..)?;
        let own = usize::from(*tcp.get(12)? >> 4) * 4;
        let bits = *tcp.get(13)?;
        let len = all.checked_sub(header)?.checked_sub(own)?;
        Some(Segment {
            at,
            from: SocketAddr::new(ips.0, half(tcp, 0)?),
            to: SocketAddr::new(ips.1, half(tcp, 2)?),
            flags: Flags {
                fin: bits & 0x01 != 0,
                syn: bits & 0x02 != 0,
                rst: bits & 0x04 != 0,
                ack: bits & 0x10 != 0,
            },
            seq: u32::from_be_bytes(tcp.get(4..8)?.try_into().ok()?),
            len: u32::try_from(len).ok()?,
        })
    }

    /// How many sequence numbers it takes: its bytes, and one for FIN.
    pub fn space(&self) -> u32 {
        self.len.saturating_add(u32::from(self.flags.fin))
    }
}

type Parsed = ((IpAddr, IpAddr), usize, usize);

/// Addresses, length of the header, length of all (RFC 791 section 3.1).
fn ipv4(packet: &[u8]) -> Option<Parsed> {
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?).into());
    let header = usize::from(packet.first()? & 0x0F) * 4;
    let is_tcp = *packet.get(9)? == 6;
    is_tcp.then_some(((address(12)?, address(16)?), header, usize::from(half(packet, 2)?)))
}

/// The same (RFC 8200 section 3).
fn ipv6(packet: &[u8]) -> Option<Parsed> {
    let address =
        |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(packet.get(at..at + 16)?).ok()?).into());
    let is_tcp = *packet.get(6)? == 6;
    is_tcp.then_some(((address(8)?, address(24)?), 40, 40 + usize::from(half(packet, 4)?)))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As tcpdump showed them on loopback, but for checksums.
    const SYN: &str = "4500003c1c4640004006000 07f0000017f0000019c40075c12345678000000 00a002ffd700000000";
    const DATA: &str = "6000000000170640fd0000000000000000000000000000 07fd000000000000000000000000000002138807 5c000000ff0000000050110200 00000000c00000";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
        digits.chunks(2).map(|two| u8::from_str_radix(&two.iter().collect::<String>(), 16).unwrap()).collect()
    }

    #[test]
    fn headers_of_both_families_are_read() {
        let at = Time::from_millis(5);
        let syn = Segment::parse(&bytes(SYN), at).unwrap();
        assert_eq!(
            (syn.from.to_string(), syn.to.to_string()),
            ("127.0.0.1:40000".into(), "127.0.0.1:1884".into())
        );
        assert_eq!((syn.flags, syn.seq, syn.len), (Flags { syn: true, ..Flags::default() }, 0x1234_5678, 0));
        let data = Segment::parse(&bytes(DATA), at).unwrap();
        assert_eq!(
            (data.from.to_string(), data.to.to_string()),
            ("[fd00::7]:5000".into(), "[fd00::2]:1884".into())
        );
        assert_eq!((data.flags.fin, data.flags.ack, data.flags.rst), (true, true, false));
        assert_eq!((data.seq, data.len, data.space()), (0xFF, 3, 4));
    }

    #[test]
    fn no_stump_and_no_garbage_is_a_segment_or_a_panic() {
        for whole in [bytes(SYN), bytes(DATA)] {
            for length in 0..whole.len() {
                let _ = Segment::parse(&whole[..length], Time::ZERO);
            }
            for (at, value) in
                (0..whole.len()).flat_map(|at| [0, 0x0F, 0x45, 0x60, 0xFF].map(|value| (at, value)))
            {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = Segment::parse(&changed, Time::ZERO);
            }
        }
        assert_eq!(Segment::parse(&[], Time::ZERO), None);
    }
}
