//! Frames (RFC 6455 section 5.2): their headers, byte by byte, and the small ones that control.

use super::mask::Mask;

/// Opcodes (RFC 6455 section 5.2).
pub(super) const BINARY: u8 = 2;
pub(super) const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The most payload of a control frame (RFC 6455 section 5.5).
const CONTROL_LIMIT: u8 = 125;

/// In a reason why frames cannot be read: what both ends agreed on hides the MQTT, which is no wrong of theirs.
pub const HIDDEN: &str = "what is inside is not seen";

/// What was agreed that may change frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extensions {
    None,
    /// permessage-deflate, RFC 7692.
    Deflate,
    Other,
}

impl Extensions {
    /// Of what the hub's answer says.
    pub(super) fn of(agreed: Option<&str>) -> Extensions {
        match agreed {
            None => Extensions::None,
            Some(text) if text.to_ascii_lowercase().contains("permessage-deflate") => Extensions::Deflate,
            Some(_) => Extensions::Other,
        }
    }
}

/// A frame's header, as far as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    bytes: [u8; 14],
    have: u8,
}

/// A control frame whose header is read; of its payload, no more is kept than may be a status code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    opcode: u8,
    length: u8,
    /// Bytes of payload taken.
    taken: u8,
    mask: Option<Mask>,
    /// The first two bytes of the payload, as they came.
    code: [u8; 2],
}

/// The control frames there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ControlKind {
    Close,
    Ping,
    Pong,
}

/// What a header came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begun {
    /// It goes on.
    NotYet,
    /// A frame of data with a payload of so many bytes.
    Data { length: u64, mask: Option<Mask> },
    /// A control frame.
    Control(Control),
}

impl Header {
    /// Before the first byte of a frame.
    pub(super) const START: Header = Header { bytes: [0; 14], have: 0 };

    /// Bytes taken.
    pub(super) fn have(&self) -> usize {
        usize::from(self.have)
    }

    /// Takes the next byte of the header; why the frame cannot be read, if it cannot.
    pub(super) fn push(&mut self, byte: u8, extensions: Extensions) -> Result<Begun, String> {
        if let Some(place) = self.bytes.get_mut(usize::from(self.have)) {
            *place = byte;
        }
        self.have += 1;
        self.check(extensions)?;
        Ok(self.begun())
    }

    fn opcode(&self) -> u8 {
        self.bytes[0] & 0x0f
    }

    fn is_control(&self) -> bool {
        self.opcode() >= CLOSE
    }

    fn is_masked(&self) -> bool {
        self.bytes[1] & 0x80 != 0
    }

    fn short_length(&self) -> u8 {
        self.bytes[1] & 0x7f
    }

    /// Bytes of the field that holds the length of longer payloads.
    fn length_field(&self) -> usize {
        match self.short_length() {
            127 => 8,
            126 => 2,
            _ => 0,
        }
    }

    /// Whether the byte taken last is one that can stand there.
    fn check(&self, extensions: Extensions) -> Result<(), String> {
        let (first, opcode) = (self.bytes[0], self.opcode());
        match self.have {
            1 if first & 0x40 != 0 && extensions == Extensions::Deflate => Err(format!(
                "WebSocket compression (permessage-deflate) was agreed, and {HIDDEN} until one end is told not to compress"
            )),
            1 if first & 0x70 != 0 => Err(match extensions {
                Extensions::None => format!(
                    "a WebSocket frame of first byte {first:#04x}: reserved bits are set, and no extension was agreed (RFC 6455 section 5.2)"
                ),
                Extensions::Deflate | Extensions::Other => format!(
                    "a WebSocket frame of first byte {first:#04x}: reserved bits are set by an extension that was agreed; {HIDDEN}"
                ),
            }),
            1 if !matches!(opcode, 0..=BINARY | CLOSE..=PONG) => {
                Err(format!("WebSocket opcode {opcode} is reserved (RFC 6455 section 5.2)"))
            }
            1 if self.is_control() && first & 0x80 == 0 => Err(format!(
                "a WebSocket control frame (opcode {opcode}) is fragmented (RFC 6455 section 5.5)"
            )),
            2 if self.is_control() && self.short_length() > CONTROL_LIMIT => Err(format!(
                "a WebSocket control frame (opcode {opcode}) is longer than {CONTROL_LIMIT} bytes (RFC 6455 section 5.5)"
            )),
            3 if self.length_field() == 8 && self.bytes[2] & 0x80 != 0 => {
                Err("a WebSocket frame is longer than 2^63 - 1 bytes (RFC 6455 section 5.2)".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What the bytes so far make.
    fn begun(&self) -> Begun {
        let length_end = 2 + self.length_field();
        let end = length_end + if self.is_masked() { 4 } else { 0 };
        if self.have < 2 || usize::from(self.have) < end {
            return Begun::NotYet;
        }
        let field = &self.bytes[2..length_end];
        let long = field.iter().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
        let key = self.bytes[length_end..].first_chunk::<4>().filter(|_| self.is_masked());
        let mask = key.map(|key| Mask::new(*key));
        if self.is_control() {
            let (opcode, length) = (self.opcode(), self.short_length());
            return Begun::Control(Control { opcode, length, taken: 0, mask, code: [0; 2] });
        }
        Begun::Data { length: if field.is_empty() { u64::from(self.short_length()) } else { long }, mask }
    }
}

impl Control {
    /// Whether its payload is there.
    pub(super) fn is_whole(&self) -> bool {
        self.taken == self.length
    }

    /// Takes a byte of the payload.
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.code.get_mut(usize::from(self.taken)) {
            *place = byte;
        }
        self.taken += 1;
    }

    /// Which it is; the header lets no other pass.
    pub(super) fn kind(&self) -> ControlKind {
        match self.opcode {
            PING => ControlKind::Ping,
            PONG => ControlKind::Pong,
            _ => ControlKind::Close,
        }
    }

    /// The status code of a close, once it is whole, if it has one.
    pub(super) fn code(&self) -> Option<u16> {
        let code = self.mask.map_or(self.code, |mask| mask.unmask_two(self.code));
        (self.length >= 2).then(|| u16::from_be_bytes(code))
    }
}
