//! Socket filters as data: classic BPF programs that net/ hands to the kernel.

use crate::base::Chance;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How many instructions a program may have (BPF_MAXINSNS, linux/bpf_common.h).
pub const MOST_INSTRUCTIONS: usize = 4096;

/// One instruction of classic BPF (`struct sock_filter`, linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to leap if it holds.
    pub yes: u8,
    /// How many instructions to leap if it does not.
    pub no: u8,
    /// The operand.
    pub operand: u32,
}

/// BPF_LD | BPF_W | BPF_ABS: load a word at this offset.
const LOAD: u16 = 0x20;
/// BPF_LD | BPF_B | BPF_ABS: load a byte at this offset.
const LOAD_BYTE: u16 = 0x30;
/// BPF_LD | BPF_MEM: load this word of the scratch memory.
const RECALL: u16 = 0x60;
/// BPF_ST: store into this word of the scratch memory.
const STORE: u16 = 0x02;
/// BPF_ALU | BPF_RSH | BPF_K: move right by so many bits.
const SHIFT: u16 = 0x74;
/// BPF_JMP | BPF_JA: leap over so many instructions, which may be more than the 255 of the others.
const LEAP: u16 = 0x05;
/// BPF_JMP | BPF_JEQ | BPF_K: is it the operand?
const EQUAL: u16 = 0x15;
/// BPF_JMP | BPF_JGE | BPF_K: is it at least the operand?
const AT_LEAST: u16 = 0x35;
/// BPF_RET | BPF_K: keep so many bytes of the packet; none drops it.
const KEEP: u16 = 0x06;
/// SKF_AD_OFF + SKF_AD_RANDOM: where the kernel shows 32 fresh random bits (linux/filter.h).
const RANDOM: u32 = 0xFFFF_F000 + 56;
/// SKF_NET_OFF: from where the network header is counted. Offsets from 0 on are of the transport header, which is where a
/// filter of a TCP socket begins.
const NETWORK: u32 = 0xFFF0_0000;
/// Where the source address stands in an IPv4 header (RFC 791 section 3.1).
const SOURCE_V4: u32 = NETWORK + 12;
/// Where the source address stands in an IPv6 header (RFC 8200 section 3).
const SOURCE_V6: u32 = NETWORK + 8;

/// What the version of IP is asked with, what IPv6 is read with, and what stands at the end of each version's list.
const FRAME: usize = 9 + READ_V6;
/// What reads the four words of an IPv6 address.
const READ_V6: usize = 8;
/// The cost of an address of each version.
const PER_V4: usize = 2;
const PER_V6: usize = 9;

/// A program that drops each packet with this chance, by the kernel's own random numbers, to within 2^-32.
pub fn random_drop(chance: Chance) -> [Instruction; 4] {
    [plain(LOAD, RANDOM), test(AT_LEAST, threshold(chance), 0, 1), plain(KEEP, u32::MAX), plain(KEEP, 0)]
}

/// How many of these addresses, from the first on, [`drop_from`] can take: at most 2039 of IPv4 alone, or 453 of IPv6.
pub fn fitting(sources: &[IpAddr]) -> usize {
    let mut room = MOST_INSTRUCTIONS - FRAME;
    let fits = |source: &&IpAddr| {
        let cost = if source.is_ipv4() { PER_V4 } else { PER_V6 };
        let left = room.checked_sub(cost);
        room = left.unwrap_or(0);
        left.is_some()
    };
    sources.iter().take_while(fits).count()
}

/// A program that drops each packet whose source address is one of these, and keeps all others. For a socket of either
/// family: one of IPv6 that takes IPv4 too sees an IPv4 header where the peer speaks IPv4, so addresses are to be canonical
/// ([`IpAddr::to_canonical`]). What goes beyond [`fitting`] is left out.
///
/// ```text
///   version of IP ──4──▶ source? is it a₁, drop; is it a₂, drop; … keep
///                 ──6──▶ source into scratch memory; last word of a₁? then the third, second and first: drop; else on to
///                        a₂; … keep
/// ```
///
/// A word is read from the packet once: each read becomes some ten instructions when the kernel translates the program, whose
/// size it bounds too (net.core.optmem_max).
pub fn drop_from(sources: &[IpAddr]) -> Vec<Instruction> {
    let mut v4: Vec<Instruction> = vec![plain(LOAD, SOURCE_V4)];
    let read = |at| [plain(LOAD, SOURCE_V6 + 4 * at), plain(STORE, at)];
    let mut v6: Vec<Instruction> = (0..4).flat_map(read).collect();
    for source in sources.iter().take(fitting(sources)) {
        match source {
            IpAddr::V4(source) => v4.extend(drop_v4(*source)),
            IpAddr::V6(source) => v6.extend(drop_v6(*source)),
        }
    }
    v4.push(plain(KEEP, u32::MAX));
    v6.push(plain(KEEP, u32::MAX));
    // Never more than MOST_INSTRUCTIONS.
    let over_v4 = u32::try_from(v4.len()).unwrap_or(u32::MAX);
    let version = [plain(LOAD_BYTE, NETWORK), plain(SHIFT, 4), test(EQUAL, 4, 1, 0), plain(LEAP, over_v4)];
    version.into_iter().chain(v4).chain([test(EQUAL, 6, 1, 0), plain(KEEP, u32::MAX)]).chain(v6).collect()
}

fn drop_v4(source: Ipv4Addr) -> [Instruction; PER_V4] {
    [test(EQUAL, source.to_bits(), 0, 1), plain(KEEP, 0)]
}

/// The last word first: neighbours differ there, so the rest is seldom looked at.
fn drop_v6(source: Ipv6Addr) -> [Instruction; PER_V6] {
    let [a, b, c, d, e, f, g, h] = source.segments().map(u32::from);
    let word = |at: u32| plain(RECALL, at);
    [
        word(3),
        test(EQUAL, g << 16 | h, 0, 7),
        word(2),
        test(EQUAL, e << 16 | f, 0, 5),
        word(1),
        test(EQUAL, c << 16 | d, 0, 3),
        word(0),
        test(EQUAL, a << 16 | b, 0, 1),
        plain(KEEP, 0),
    ]
}

fn plain(code: u16, operand: u32) -> Instruction {
    test(code, operand, 0, 0)
}

fn test(code: u16, operand: u32, yes: u8, no: u8) -> Instruction {
    Instruction { code, yes, no, operand }
}

/// Draws below it are lost.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a chance is 0 to 1, so this is 0 to 2^32, and a float that is too great becomes the greatest integer"
)]
fn threshold(chance: Chance) -> u32 {
    (chance.get() * 4_294_967_296.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a filter sees of a packet.
    struct Packet {
        draw: u32,
        network: Vec<u8>,
    }

    impl Packet {
        fn from(source: &str) -> Packet {
            let network = match source.parse().unwrap() {
                IpAddr::V4(source) => [&[0x45; 12], &source.octets()[..], &[0; 4]].concat(),
                IpAddr::V6(source) => [&[0x60; 8], &source.octets()[..], &[0; 16]].concat(),
            };
            Packet { draw: 0, network }
        }

        fn drawn(draw: u32) -> Packet {
            Packet { draw, network: Vec::new() }
        }

        /// So many bytes, as the kernel reads them: network order.
        fn read(&self, operand: u32, bytes: usize) -> u32 {
            if operand.cast_signed() == -0x1000 + 56 {
                return self.draw;
            }
            // Offsets of SKF_NET_OFF: -0x100000 (linux/filter.h).
            let at = usize::try_from(operand.cast_signed() + 0x10_0000).unwrap();
            self.network[at..at + bytes].iter().fold(0, |word, byte| word << 8 | u32::from(*byte))
        }
    }

    /// Runs the program as the kernel does, after the kernel's own check (bpf_check_classic): whether the packet is kept.
    fn keeps(program: &[Instruction], packet: &Packet) -> bool {
        assert!(program.len() <= MOST_INSTRUCTIONS && program.last().unwrap().code == KEEP);
        let (mut at, mut accumulator, mut scratch) = (0, 0, [0; 16]);
        loop {
            let Instruction { code, yes, no, operand } = program[at];
            at += 1;
            let branch = |holds: bool| usize::from(if holds { yes } else { no });
            match code {
                LOAD => accumulator = packet.read(operand, 4),
                LOAD_BYTE => accumulator = packet.read(operand, 1),
                RECALL => accumulator = scratch[usize::try_from(operand).unwrap()],
                STORE => scratch[usize::try_from(operand).unwrap()] = accumulator,
                SHIFT => accumulator >>= operand,
                LEAP => at += usize::try_from(operand).unwrap(),
                EQUAL => at += branch(accumulator == operand),
                AT_LEAST => at += branch(accumulator >= operand),
                KEEP => return operand > 0,
                other => panic!("{other:#x}"),
            }
        }
    }

    fn addresses(of: &[&str]) -> Vec<IpAddr> {
        of.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn draws_below_the_chance_are_lost() {
        let kept = |chance: &str, draw| keeps(&random_drop(chance.parse().unwrap()), &Packet::drawn(draw));
        assert!(!kept("25%", 0) && !kept("25%", (1 << 30) - 1));
        assert!(kept("25%", 1 << 30) && kept("25%", u32::MAX));
        assert!(kept("0%", 0), "never is exact");
        assert!(!kept("100%", u32::MAX - 1), "always is to within 2^-32");
    }

    #[test]
    fn packets_of_those_addresses_alone_are_dropped() {
        let dark = ["10.0.0.7", "10.0.1.7", "fd77::1:2", "fd77::2:2", "fd78::1:2", "fd77:0:9::1:2"];
        // Each differs in one word, or in the version alone.
        let others =
            ["10.0.0.8", "11.0.0.7", "fd77::1:3", "fd77:8::1:2", "fd77::8:0:1:2", "::10.0.0.7", "::a00:107"];
        let program = drop_from(&addresses(&dark));
        assert!(dark.iter().all(|source| !keeps(&program, &Packet::from(source))));
        assert!(others.iter().all(|source| keeps(&program, &Packet::from(source))));
        for alone in [["10.0.0.7"], ["fd77::1:2"]] {
            let program = drop_from(&addresses(&alone));
            assert!(!keeps(&program, &Packet::from(alone[0])));
            assert!(others.iter().all(|source| keeps(&program, &Packet::from(source))));
        }
        let nobody = drop_from(&[]);
        assert!(dark.iter().chain(&others).all(|source| keeps(&nobody, &Packet::from(source))));
    }

    #[test]
    fn a_program_is_as_long_as_the_kernel_takes_and_not_longer() {
        let v4 = |nth: u32| IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + nth));
        let v6 = |nth: u32| IpAddr::V6(Ipv6Addr::from_bits(u128::from(nth) << 64 | u128::from(nth)));
        for (of, most) in [(&v4 as &dyn Fn(u32) -> IpAddr, 2039), (&v6, 453)] {
            let sources: Vec<IpAddr> = (0..5000).map(of).collect();
            assert_eq!(fitting(&sources), most);
            let program = drop_from(&sources);
            assert!(program.len() <= MOST_INSTRUCTIONS);
            let kept = |nth: usize| keeps(&program, &Packet::from(&sources[nth].to_string()));
            assert!(!kept(0) && !kept(most / 2) && !kept(most - 1));
            assert!(kept(most), "one beyond is left out");
        }
    }
}
