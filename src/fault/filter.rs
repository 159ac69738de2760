//! Socket filters as data: classic BPF programs that net/ hands to the kernel.

use crate::base::Chance;

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
/// BPF_JMP | BPF_JGE | BPF_K: is it at least the operand?
const AT_LEAST: u16 = 0x35;
/// BPF_RET | BPF_K: keep so many bytes of the packet; none drops it.
const KEEP: u16 = 0x06;
/// SKF_AD_OFF + SKF_AD_RANDOM: where the kernel shows 32 fresh random bits (linux/filter.h).
const RANDOM: u32 = 0xFFFF_F000 + 56;

/// A program that drops each packet with this chance, by the kernel's own random numbers, to within 2^-32.
pub fn random_drop(chance: Chance) -> [Instruction; 4] {
    let plain = |code, operand| Instruction { code, yes: 0, no: 0, operand };
    [
        plain(LOAD, RANDOM),
        Instruction { code: AT_LEAST, yes: 0, no: 1, operand: threshold(chance) },
        plain(KEEP, u32::MAX),
        plain(KEEP, 0),
    ]
}

/// Draws below it are lost.
#[allow(
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

    /// Runs the program as the kernel does, with this draw: how many bytes are kept.
    fn run(program: &[Instruction], draw: u32) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let Instruction { code, yes, no, operand } = program[at];
            at += 1;
            match code {
                LOAD => {
                    assert_eq!(operand.cast_signed(), -0x1000 + 56);
                    accumulator = draw;
                }
                AT_LEAST => at += usize::from(if accumulator >= operand { yes } else { no }),
                KEEP => return operand,
                other => panic!("{other:#x}"),
            }
        }
    }

    #[test]
    fn draws_below_the_chance_are_lost() {
        let kept = |chance: &str, draw| run(&random_drop(chance.parse().unwrap()), draw) > 0;
        assert!(!kept("25%", 0) && !kept("25%", (1 << 30) - 1));
        assert!(kept("25%", 1 << 30) && kept("25%", u32::MAX));
        assert!(kept("0%", 0), "never is exact");
        assert!(!kept("100%", u32::MAX - 1), "always is to within 2^-32");
    }
}
