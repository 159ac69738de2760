//! What we write we read; what we cannot read does no harm.

use super::samples::any_packet;
use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(
        (version, packet) in prop::sample::select(Version::ALL.to_vec())
            .prop_flat_map(|version| any_packet(version).prop_map(move |packet| (version, packet)))
    ) {
        prop_assert_eq!(read(version, &written(&packet, version)), Ok(packet));
    }

    #[test]
    fn arbitrary_bytes_never_panic(first in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..64)) {
        for version in Version::ALL {
            let _ = decode(version, first, &body);
        }
    }

    #[test]
    fn a_packet_with_a_byte_changed_never_panics_and_what_is_read_of_it_is_written_again(
        packet in any_packet(V5), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut bytes = written(&packet, V5);
        let mut body = bytes.split_off(bytes.len().min(1 + varint_len(&bytes)));
        if !body.is_empty() {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(changed) = decode(V5, bytes[0], &body)
            && !matches!(&changed, Packet::Connect(_))
        {
            prop_assert_eq!(read(V5, &written(&changed, V5)), Ok(changed));
        }
    }
}

fn varint_len(bytes: &[u8]) -> usize {
    1 + bytes[1..].iter().take_while(|byte| **byte & 0x80 != 0).count()
}
