//! The CONNECT of a link, as it came: what a rival says.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest CONNECT that is kept, in bytes.
const CONNECT_LIMIT: usize = 64 * 1024;

/// The CONNECT of a link, as it came.
#[derive(Clone, Default)]
pub enum Kept {
    /// No rule may need it.
    #[default]
    No,
    /// So much of it is there.
    Begun(Vec<u8>),
    /// All of it.
    Whole(Arc<[u8]>),
    /// There is none to keep, for this reason.
    Never(&'static str),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kept::No => "No",
            Kept::Begun(_) => "Begun",
            Kept::Whole(_) => "Whole",
            Kept::Never(_) => "Never",
        })
    }
}

impl Kept {
    /// Takes in what the device says.
    pub fn push(&mut self, bytes: &[u8]) {
        let Kept::Begun(kept) = self else { return };
        let room = CONNECT_LIMIT + 1 - kept.len();
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if kept.first().is_some_and(|first| *first != 0x10) {
            *self = Kept::Never(
                "the link's first bytes are no CONNECT in the clear: in WebSocket, and in TLS that is passed through, \
                 there is none to connect with",
            );
            return;
        }
        match length_of(kept) {
            Length::Unknown => {}
            Length::None => *self = Kept::Never("the link's first packet is malformed"),
            Length::Known(length) if length > CONNECT_LIMIT => {
                *self = Kept::Never("the link's CONNECT is longer than 64 KiB");
            }
            Length::Known(length) => {
                if let Some(whole) = kept.get(..length) {
                    *self = Kept::Whole(whole.into());
                }
            }
        }
    }
}

enum Length {
    Unknown,
    None,
    Known(usize),
}

/// How long the packet is that begins here (MQTT section 2.2.3).
fn length_of(bytes: &[u8]) -> Length {
    let mut length = 0;
    for (nth, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * nth);
        if byte & 0x80 == 0 {
            return Length::Known(2 + nth + length);
        }
    }
    if bytes.len() > 4 { Length::None } else { Length::Unknown }
}

/// The keep-alive that a CONNECT asks for; zero for none.
pub fn keep_alive_of(connect: &[u8]) -> Duration {
    let seconds = || {
        let rest = connect.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 2;
        let body = connect.get(rest..)?;
        let name = usize::from(u16::from_be_bytes(body.get(..2)?.try_into().ok()?));
        // Behind the name: the level, the flags.
        let bytes = body.get(2 + name + 2..2 + name + 4)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    };
    Duration::from_secs(seconds().unwrap_or(0).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0E\x00\x04MQTT\x04\x02\x00\x3C\x00\x02d1";

    fn kept(pieces: &[&[u8]]) -> Kept {
        let mut kept = Kept::Begun(Vec::new());
        for piece in pieces {
            kept.push(piece);
        }
        kept
    }

    #[test]
    fn a_connect_is_kept_whole_however_it_comes() {
        for at in 0..CONNECT.len() {
            let (head, tail) = CONNECT.split_at(at);
            let Kept::Whole(whole) = kept(&[head, tail, b"\xC0\x00"]) else { panic!("split at {at}") };
            assert_eq!(*whole, *CONNECT);
        }
        assert!(matches!(kept(&[&CONNECT[..15]]), Kept::Begun(_)));
        assert!(matches!(kept(&[b"GET / HTTP/1.1"]), Kept::Never(_)));
        assert!(matches!(kept(&[b"\x10\xFF\xFF\xFF\xFF\x01"]), Kept::Never(_)));
        assert_eq!(format!("{:?}", kept(&[CONNECT])), "Whole", "what it holds is never told");
    }

    #[test]
    fn a_huge_connect_is_not_kept() {
        // 65,533 and 65,532 bytes behind a head of four.
        let of = |length: &[u8], body: usize| [b"\x10", length, &vec![0; body]].concat();
        assert!(matches!(kept(&[&of(b"\xFC\xFF\x03", 65_532)]), Kept::Whole(_)));
        assert!(matches!(kept(&[&of(b"\xFD\xFF\x03", 65_533)]), Kept::Never(_)));
    }

    #[test]
    fn the_keep_alive_is_read_where_it_is() {
        assert_eq!(keep_alive_of(CONNECT), Duration::from_secs(60));
        assert_eq!(keep_alive_of(&CONNECT[..11]), Duration::ZERO);
        assert_eq!(keep_alive_of(b"\x10"), Duration::ZERO);
    }
}
