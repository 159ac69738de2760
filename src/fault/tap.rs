//! The filters of the tap, as data: what the kernel hands it of all that arrives.
//!
//! A program sees packets from their IP header on, of one family each. It keeps TCP without options of IPv6 before it, for
//! this machine, whole or the first fragment, to a port that devices connect to or from a port that hubs answer from; and of
//! that what has SYN, FIN or RST, and all of the flows that are watched. What it keeps, it cuts to its headers.

use super::filter::Instruction;
use std::net::{IpAddr, SocketAddr};

/// The most bytes of a packet that are kept: an IP and a TCP header, each of 60 bytes at most, and a little more.
pub const SNAP: u32 = 128;

/// The most flows of a family that are picked out by address; beyond that, all of TCP at the ports is kept. Programs are small
/// so: what a socket may hold of them is limited (net.core.optmem_max).
pub const MOST_FLOWS: usize = 32;

/// The most ports of each kind that a program holds; what goes over is not seen.
pub const MOST_PORTS: usize = 256;

/// FIN, SYN and RST in byte 13 of a TCP header (RFC 9293 section 3.1).
const SIGNS: u32 = 0x07;
const TCP: u32 = 6;
const PACKET_HOST: u32 = 0;

/// SKF_AD_OFF + SKF_AD_PKTTYPE: where the kernel shows whom a frame is for (linux/filter.h).
const FOR_WHOM: u32 = 0xFFFF_F000 + 4;
/// BPF_LD, from an absolute offset: a word, a half word, a byte.
const WORD: u16 = 0x20;
const HALF: u16 = 0x28;
const BYTE: u16 = 0x30;
/// The same, behind the length of the IPv4 header.
const HALF_BEHIND: u16 = 0x48;
const BYTE_BEHIND: u16 = 0x50;
/// BPF_LDX | BPF_B | BPF_MSH: the length of the IPv4 header.
const HEADER: u16 = 0xB1;
const EQUAL: u16 = 0x15;
const ANY_OF: u16 = 0x45;
const GO: u16 = 0x05;
const KEEP: u16 = 0x06;

/// The family that a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 (RFC 791).
    V4,
    /// IPv6 (RFC 8200).
    V6,
}

/// What comes of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// From where.
    pub from: SocketAddr,
    /// To where; `None` for anywhere, where an address translation may lie between the wire and the socket. The kernel's filter
    /// goes by the port alone.
    pub to: Option<SocketAddr>,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// The ports that devices connect to.
    pub ports: Vec<u16>,
    /// The ports that hubs answer from.
    pub hub_ports: Vec<u16>,
    /// The flows that all is kept of, not only SYN, FIN and RST.
    pub flows: Vec<Flow>,
}

/// The program for a family.
pub fn program(family: Family, interest: &Interest) -> Vec<Instruction> {
    let flows: Vec<&Flow> =
        interest.flows.iter().filter(|flow| flow.from.is_ipv4() == (family == Family::V4)).collect();
    let mut steps = opening(family);
    for (load, ports) in [(family.half(2), &interest.ports), (family.half(0), &interest.hub_ports)] {
        steps.push(Step::Do(load));
        steps.extend(ports.iter().take(MOST_PORTS).map(|port| Step::Matched(u32::from(*port))));
    }
    steps.push(Step::Do(keep(0)));
    steps.push(Step::Here);
    if flows.len() > MOST_FLOWS {
        steps.push(Step::Do(keep(SNAP)));
    } else {
        steps.push(Step::Do(family.byte(13)));
        steps.push(Step::Do(if_any(SIGNS, 0, 1)));
        steps.push(Step::Do(keep(SNAP)));
        steps.extend(flows.into_iter().flat_map(|flow| of_flow(family, flow)).map(Step::Do));
        steps.push(Step::Do(keep(0)));
    }
    assemble(&steps)
}

/// A step of a program, before it is known how far to leap.
enum Step {
    Do(Instruction),
    /// If what was loaded is this, go on at [`Step::Here`].
    Matched(u32),
    /// Where ports that match go on.
    Here,
}

fn assemble(steps: &[Step]) -> Vec<Instruction> {
    let length = |step: &Step| match step {
        Step::Do(_) => 1_u32,
        Step::Matched(_) => 2,
        Step::Here => 0,
    };
    let here = steps.iter().take_while(|step| !matches!(step, Step::Here)).map(length).sum::<u32>();
    let (mut program, mut at) = (Vec::new(), 0);
    for step in steps {
        at += length(step);
        match step {
            Step::Do(instruction) => program.push(*instruction),
            // A leap by condition reaches 255 instructions, one without reaches all.
            Step::Matched(value) => {
                program.extend([if_equal(*value, 0, 1), plain(GO, here.saturating_sub(at))]);
            }
            Step::Here => {}
        }
    }
    program
}

/// What is not for this machine, not TCP, or a later fragment is left.
fn opening(family: Family) -> Vec<Step> {
    let only = |value| [if_equal(value, 1, 0), keep(0)];
    let mut steps = vec![plain(WORD, FOR_WHOM)];
    steps.extend(only(PACKET_HOST));
    match family {
        Family::V4 => {
            steps.push(plain(BYTE, 9));
            steps.extend(only(TCP));
            steps.extend([plain(HALF, 6), if_any(0x1FFF, 0, 1), keep(0), plain(HEADER, 0)]);
        }
        Family::V6 => {
            steps.push(plain(BYTE, 6));
            steps.extend(only(TCP));
        }
    }
    steps.into_iter().map(Step::Do).collect()
}

/// Keeps what comes of the flow, and goes on behind for the rest.
fn of_flow(family: Family, flow: &Flow) -> Vec<Instruction> {
    let mut tests: Vec<(Instruction, u32)> = match flow.from.ip() {
        IpAddr::V4(ip) => vec![(plain(WORD, 12), ip.into())],
        IpAddr::V6(ip) => {
            let words = ip.octets();
            let word = |at: usize| words.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
            [0, 4, 8, 12]
                .into_iter()
                .filter_map(|at| Some((plain(WORD, 8 + u32::try_from(at).ok()?), word(at)?)))
                .collect()
        }
    };
    tests.push((family.half(0), u32::from(flow.from.port())));
    tests.extend(flow.to.map(|to| to.port()).map(|port| (family.half(2), u32::from(port))));
    let mut program = Vec::new();
    for (left, (load, value)) in (1..=tests.len()).rev().zip(tests) {
        // Over the tests that are left, and what keeps the packet.
        let over = u8::try_from(2 * (left - 1) + 1).unwrap_or(u8::MAX);
        program.extend([load, if_equal(value, 0, over)]);
    }
    program.push(keep(SNAP));
    program
}

impl Family {
    /// Loads two bytes of the TCP header.
    fn half(self, at: u32) -> Instruction {
        match self {
            Family::V4 => plain(HALF_BEHIND, at),
            Family::V6 => plain(HALF, 40 + at),
        }
    }

    /// Loads a byte of the TCP header.
    fn byte(self, at: u32) -> Instruction {
        match self {
            Family::V4 => plain(BYTE_BEHIND, at),
            Family::V6 => plain(BYTE, 40 + at),
        }
    }
}

fn plain(code: u16, operand: u32) -> Instruction {
    Instruction { code, yes: 0, no: 0, operand }
}

fn keep(bytes: u32) -> Instruction {
    plain(KEEP, bytes)
}

fn if_equal(operand: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code: EQUAL, yes, no, operand }
}

fn if_any(operand: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code: ANY_OF, yes, no, operand }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel does, on a packet from its IP header on, for this machine: how much is kept.
    fn run(program: &[Instruction], packet: &[u8]) -> u32 {
        let bytes = |at: usize, count: usize| {
            packet
                .get(at..at + count)
                .map(|bytes| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)))
        };
        let (mut at, mut loaded, mut header) = (0, 0_u32, 0_usize);
        loop {
            let Instruction { code, yes, no, operand } = program[at];
            at += 1;
            let place = operand as usize;
            let leap = |holds: bool| usize::from(if holds { yes } else { no });
            let load = match code {
                WORD if operand == FOR_WHOM => Some(0),
                WORD => bytes(place, 4),
                HALF => bytes(place, 2),
                BYTE => bytes(place, 1),
                HALF_BEHIND => bytes(header + place, 2),
                BYTE_BEHIND => bytes(header + place, 1),
                HEADER => {
                    header = 4 * usize::from(packet[place] & 0x0F);
                    continue;
                }
                EQUAL => {
                    at += leap(loaded == operand);
                    continue;
                }
                ANY_OF => {
                    at += leap(loaded & operand != 0);
                    continue;
                }
                GO => {
                    at += place;
                    continue;
                }
                KEEP => return operand,
                other => panic!("{other:#x}"),
            };
            // What is not there ends the program, and the packet is left (linux/filter.h).
            let Some(value) = load else { return 0 };
            loaded = value;
        }
    }

    fn packet(from: &str, to: &str, flags: u8, options: usize) -> Vec<u8> {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let mut packet = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut ip = vec![0; 20 + options];
                ip[0] = 0x45 + u8::try_from(options / 4).unwrap();
                ip[9] = 6;
                ip[12..16].copy_from_slice(&from.octets());
                ip[16..20].copy_from_slice(&to.octets());
                ip
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut ip = vec![0; 40];
                (ip[0], ip[6]) = (0x60, 6);
                ip[8..24].copy_from_slice(&from.octets());
                ip[24..40].copy_from_slice(&to.octets());
                ip
            }
            _ => panic!("two families"),
        };
        let mut tcp = [0; 20];
        tcp[0..2].copy_from_slice(&from.port().to_be_bytes());
        tcp[2..4].copy_from_slice(&to.port().to_be_bytes());
        tcp[13] = flags;
        packet.extend(tcp);
        packet
    }

    fn interest(flows: Vec<Flow>) -> Interest {
        Interest { ports: vec![1884, 8884], hub_ports: vec![1883], flows }
    }

    fn flow(from: &str, to_port: Option<u16>) -> Flow {
        let from: SocketAddr = from.parse().unwrap();
        Flow { from, to: to_port.map(|port| SocketAddr::new(from.ip(), port)) }
    }

    const ACK: u8 = 0x10;

    #[test]
    fn signs_are_always_kept_and_data_of_flows_that_are_watched() {
        let watched = vec![
            flow("10.0.0.7:5000", None),
            flow("10.0.0.1:1883", Some(40_000)),
            flow("[fd00::7]:5000", None),
            flow("[fd00::1]:1883", Some(40_000)),
        ];
        for (from, to, flags, kept) in [
            ("10.0.0.7:5000", "10.0.0.2:1884", 0x02, true),
            ("10.0.0.7:5000", "10.0.0.2:8884", 0x11, true),
            ("10.0.0.8:5000", "10.0.0.2:1884", 0x14, true),
            ("10.0.0.7:5000", "10.0.0.2:1884", ACK, true),
            ("10.0.0.7:5001", "10.0.0.2:1884", ACK, false),
            ("10.0.0.8:5000", "10.0.0.2:1884", ACK, false),
            ("10.0.0.7:5000", "10.0.0.2:22", 0x02, false),
            ("10.0.0.1:1883", "10.0.0.2:40000", ACK, true),
            ("10.0.0.1:1883", "10.0.0.2:40001", ACK, false),
            ("10.0.0.1:1883", "10.0.0.2:40001", 0x11, true),
            ("10.0.0.2:40000", "10.0.0.1:1883", 0x11, false),
            ("[fd00::7]:5000", "[fd00::2]:1884", ACK, true),
            ("[fd00::8]:5000", "[fd00::2]:1884", ACK, false),
            ("[fd00::8]:5000", "[fd00::2]:1884", 0x02, true),
            ("[fd00::1]:1883", "[fd00::2]:40000", ACK, true),
            ("[fd00::1]:1883", "[fd00::2]:40001", ACK, false),
        ] {
            let family = if from.starts_with('[') { Family::V6 } else { Family::V4 };
            let program = program(family, &interest(watched.clone()));
            let seen = run(&program, &packet(from, to, flags, 0));
            assert_eq!(seen, if kept { SNAP } else { 0 }, "{from} {to} {flags:#x}");
            if family == Family::V4 {
                assert_eq!(run(&program, &packet(from, to, flags, 40)), seen, "with options");
            }
        }
    }

    #[test]
    fn other_protocols_later_fragments_and_stumps_are_left() {
        let program = program(Family::V4, &interest(Vec::new()));
        let syn = packet("10.0.0.7:5000", "10.0.0.2:1884", 0x02, 0);
        assert_eq!(run(&program, &syn), SNAP);
        let changed = |at: usize, value: u8| {
            let mut packet = syn.clone();
            packet[at] = value;
            packet
        };
        assert_eq!(run(&program, &changed(9, 17)), 0, "UDP");
        assert_eq!(run(&program, &changed(7, 1)), 0, "a later fragment");
        assert_eq!(run(&program, &changed(6, 0x20)), SNAP, "the first");
        assert_eq!(run(&program, &syn[..30]), 0);
    }

    #[test]
    fn many_flows_are_all_and_programs_stay_within_what_the_kernel_takes() {
        let many = |count: u16| (0..count).map(|n| flow(&format!("[fd00::{n:x}]:5000"), Some(1))).collect();
        let full = Interest { ports: vec![1; 300], hub_ports: vec![2; 300], flows: many(32) };
        // BPF_MAXINSNS (linux/bpf_common.h).
        assert!(program(Family::V6, &full).len() <= 4096);
        let stranger = packet("[fd00::ffff]:9", "[fd00::2]:1884", ACK, 0);
        assert_eq!(run(&program(Family::V6, &interest(many(32))), &stranger), 0);
        assert_eq!(run(&program(Family::V6, &interest(many(33))), &stranger), SNAP);
    }
}
