//! The mask over what a device sends (RFC 6455 section 5.3).

/// A mask, turned so that its first byte is for the first byte of what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mask([u8; 4]);

impl Mask {
    /// The masking key, for the payload's first byte.
    pub fn new(key: [u8; 4]) -> Mask {
        Mask(key)
    }

    /// The mask for what comes after `count` bytes.
    #[must_use]
    pub fn after(self, count: usize) -> Mask {
        let mut key = self.0;
        key.rotate_left(count % 4);
        Mask(key)
    }

    /// The first two bytes, unmasked.
    pub(super) fn unmask_two(self, [first, second]: [u8; 2]) -> [u8; 2] {
        [first ^ self.0[0], second ^ self.0[1]]
    }

    /// Appends the bytes, unmasked; masking is the same.
    pub fn unmask(&self, bytes: &[u8], into: &mut Vec<u8>) {
        let from = into.len();
        into.extend_from_slice(bytes);
        let [a, b, c, d] = self.0;
        let key = [a, b, c, d, a, b, c, d];
        let (eights, rest) = into[from..].as_chunks_mut::<8>();
        for eight in eights {
            *eight = (u64::from_ne_bytes(*eight) ^ u64::from_ne_bytes(key)).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(key) {
            *byte ^= key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 6455 section 5.7: "Hello", masked.
    #[test]
    fn hello_is_unmasked() {
        let mut hello = b"> ".to_vec();
        Mask::new([0x37, 0xfa, 0x21, 0x3d]).unmask(&[0x7f, 0x9f, 0x4d, 0x51, 0x58], &mut hello);
        assert_eq!(hello, b"> Hello");
    }

    proptest! {
        #[test]
        fn any_part_is_unmasked_as_in_the_whole(
            bytes in prop::collection::vec(any::<u8>(), 0..70),
            key in any::<[u8; 4]>(),
            cut in 0usize..70,
        ) {
            let expected: Vec<u8> = bytes.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            let cut = cut.min(bytes.len());
            let mut parts = Vec::new();
            Mask::new(key).unmask(&bytes[..cut], &mut parts);
            Mask::new(key).after(cut).unmask(&bytes[cut..], &mut parts);
            prop_assert_eq!(parts, expected);
        }
    }
}
