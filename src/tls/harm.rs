//! Damage to one record of a stream that is being sent.

#[cfg(test)]
mod tests;

use super::damage::Damage;
use super::record::{APPLICATION_DATA, Place, Records};

/// A content type that no record has.
const NO_TYPE: u8 = 99;

/// Damages the first record of application data that begins after this was made: that one, and no byte else.
///
/// Every split of the stream over calls gives the same damage.
#[derive(Clone, Debug)]
pub struct Harmer {
    damage: Damage,
    /// Whether the record under way began since this was made.
    ours: bool,
    done: bool,
}

impl Harmer {
    /// Ready for the record that begins next.
    pub fn new(damage: Damage) -> Harmer {
        Harmer { damage, ours: false, done: false }
    }

    /// Changes in `bytes`, the next of the stream, what is to be changed there. `before` is the walker of the stream
    /// as it stands before them; let it walk them afterwards or, if it is to stay in step with the sender, a copy of
    /// them as they were.
    ///
    /// True once one record is damaged so that its receiver must refuse it; later calls change nothing, and say the
    /// same. What is damaged:
    /// - [`Damage::Mac`]: the lowest bit of the content's first byte. A record without content is passed over.
    /// - [`Damage::Type`]: the content type, which becomes 99.
    /// - [`Damage::Length`]: the length, which becomes 65,535.
    pub fn harm(&mut self, before: &Records, bytes: &mut [u8]) -> bool {
        let mut walk = before.clone();
        let mut rest = bytes;
        while let [byte, ..] = rest
            && !self.done
        {
            let taken = match walk.place() {
                Place::Header(index) => {
                    let as_it_was = *byte;
                    let content_type = if index == 0 { as_it_was } else { walk.header().content_type };
                    self.ours |= index == 0;
                    if self.ours && content_type == APPLICATION_DATA {
                        self.header_byte(index, byte);
                    }
                    walk.header_byte(as_it_was);
                    1
                }
                Place::Content { first } => {
                    let is_it = first && self.ours && walk.header().content_type == APPLICATION_DATA;
                    if is_it && self.damage == Damage::Mac {
                        *byte ^= 1;
                        self.done = true;
                    }
                    walk.skip(rest.len())
                }
                Place::Opaque => break,
            };
            rest = &mut rest[taken..];
        }
        self.done
    }

    fn header_byte(&mut self, index: u8, byte: &mut u8) {
        match (self.damage, index) {
            (Damage::Type, 0) => {
                *byte = NO_TYPE;
                self.done = true;
            }
            (Damage::Length, 3) => *byte = u8::MAX,
            (Damage::Length, 4) => {
                *byte = u8::MAX;
                self.done = true;
            }
            (Damage::Mac | Damage::Type | Damage::Length, _) => {}
        }
    }
}

/// The beginning of a record of application data that says to be of 256 bytes, with 8 of them: followed by FIN, a
/// truncated record.
pub fn truncated() -> &'static [u8] {
    &[APPLICATION_DATA, 3, 3, 1, 0, 0x9d, 0x3a, 0x61, 0xe4, 0x57, 0x0b, 0xc8, 0x2f]
}
