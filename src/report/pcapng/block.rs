//! The blocks of a file, each appended to a buffer. Little-endian, as the byte-order magic says; all lengths are bounded by
//! what is written: a packet of at most 65,535 bytes, options of at most [`LONGEST_TEXT`].

/// The link type of every interface: packets begin with an IPv4 or IPv6 header (LINKTYPE_RAW).
const RAW: u16 = 101;

/// A text is cut off after so many bytes: an option's length has 16 bits, and a packet should stay readable.
pub const LONGEST_TEXT: usize = 4096;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1A2B_3C4D;
/// The length of the section is not told: it is not known when the header is written.
const UNTOLD: u64 = u64::MAX;

const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const ISB_STARTTIME: u16 = 2;
const ISB_ENDTIME: u16 = 3;
const ISB_IFRECV: u16 = 4;
const ISB_IFDROP: u16 = 5;

/// Timestamps count 10^-9 s.
const NANOSECONDS: u8 = 9;

/// What an interface has seen, at the end of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When the capture began and ended, in nanoseconds since 1970 in UTC.
    pub began: u64,
    /// See `began`.
    pub ended: u64,
    /// What came to be written, what was dropped included.
    pub received: u64,
    /// What was dropped for lack of room.
    pub dropped: u64,
}

/// The first block: who wrote this, and what of.
pub fn section_header(out: &mut Vec<u8>, application: &str, comment: &str) {
    block(out, SECTION_HEADER, |body| {
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        body.extend(1u16.to_le_bytes());
        body.extend(0u16.to_le_bytes());
        body.extend(UNTOLD.to_le_bytes());
        text(body, COMMENT, comment);
        text(body, SHB_USERAPPL, application);
        option(body, END_OF_OPTIONS, &[]);
    });
}

/// An interface; they are numbered from 0 in the order of their blocks.
pub fn interface(out: &mut Vec<u8>, name: &str, description: &str) {
    block(out, INTERFACE_DESCRIPTION, |body| {
        body.extend(RAW.to_le_bytes());
        body.extend(0u16.to_le_bytes());
        // Packets are whole, whatever their length.
        body.extend(0u32.to_le_bytes());
        text(body, IF_NAME, name);
        text(body, IF_DESCRIPTION, description);
        option(body, IF_TSRESOL, &[NANOSECONDS]);
        option(body, END_OF_OPTIONS, &[]);
    });
}

/// A packet, stamped in nanoseconds since 1970 in UTC, with what is to be said of it.
pub fn packet(out: &mut Vec<u8>, interface: u32, stamp: u64, bytes: &[u8], comments: &[String]) {
    block(out, ENHANCED_PACKET, |body| {
        body.extend(interface.to_le_bytes());
        body.extend(halves(stamp));
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(bytes);
        pad(body);
        for comment in comments {
            text(body, COMMENT, comment);
        }
        if !comments.is_empty() {
            option(body, END_OF_OPTIONS, &[]);
        }
    });
}

/// What an interface has seen in all.
pub fn statistics(out: &mut Vec<u8>, interface: u32, seen: Statistics, comments: &[String]) {
    block(out, INTERFACE_STATISTICS, |body| {
        body.extend(interface.to_le_bytes());
        body.extend(halves(seen.ended));
        for comment in comments {
            text(body, COMMENT, comment);
        }
        option(body, ISB_STARTTIME, &halves(seen.began));
        option(body, ISB_ENDTIME, &halves(seen.ended));
        option(body, ISB_IFRECV, &seen.received.to_le_bytes());
        option(body, ISB_IFDROP, &seen.dropped.to_le_bytes());
        option(body, END_OF_OPTIONS, &[]);
    });
}

/// A block: its type, its length before and after its body.
fn block(out: &mut Vec<u8>, kind: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    write(out);
    let length = u32::try_from(out.len() + 4 - start).unwrap_or(u32::MAX).to_le_bytes();
    out[start + 4..start + 8].copy_from_slice(&length);
    out.extend(length);
}

fn text(body: &mut Vec<u8>, code: u16, text: &str) {
    let end = (0..=text.len().min(LONGEST_TEXT)).rev().find(|end| text.is_char_boundary(*end));
    option(body, code, &text.as_bytes()[..end.unwrap_or(0)]);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    body.extend(value);
    pad(body);
}

/// Everything begins at a multiple of four bytes; blocks do, so the buffer's length tells.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// A time in two halves, the upper first, whatever the byte order.
fn halves(stamp: u64) -> [u8; 8] {
    let mut halves = [0; 8];
    let (upper, lower) = halves.split_at_mut(4);
    let bytes = stamp.to_le_bytes();
    upper.copy_from_slice(&bytes[4..]);
    lower.copy_from_slice(&bytes[..4]);
    halves
}
