//! Where records begin and end in one direction of a TLS connection, found while the bytes pass (RFC 8446
//! section 5.1; the same in TLS 1.0 to 1.2).

#[cfg(test)]
mod tests;

use crate::base::units::to_u64;

/// The content type of application data; in TLS 1.3 also of everything else that is encrypted.
pub const APPLICATION_DATA: u8 = 23;

/// The content type of handshake messages.
pub const HANDSHAKE: u8 = 22;

/// The greatest length of a record's content: 2^14 and what encryption may add (RFC 5246 section 6.2.3; TLS 1.3
/// allows 256 in place of 2,048).
pub const LENGTH_MAX: u16 = (1 << 14) + 2048;

/// The same once TLS 1.3 is agreed on (RFC 8446 section 5.2).
pub const LENGTH_MAX_13: u16 = (1 << 14) + 256;

/// Bytes of a record's header.
const HEADER: u8 = 5;

/// In place of the count of header bytes: the stream is not TLS.
const OPAQUE: u8 = u8::MAX;

/// Walks the records of one direction. 16 bytes, and no heap memory ever.
///
/// Every split of a stream into inputs gives the same records with the same ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Bytes taken since the stream began.
    offset: u64,
    /// Of the record under way, as far as it came.
    header: [u8; HEADER as usize],
    /// Header bytes taken; all of them while content is to come; 0 between records; or [`OPAQUE`].
    have: u8,
    /// Bytes of content still to come.
    left: u16,
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record holds: 20 ChangeCipherSpec, 21 alert, 22 handshake, 23 application data, 24 heartbeat.
    pub content_type: u8,
    /// `legacy_record_version`: 0x0301 to 0x0303 in practice.
    pub version: u16,
    /// Bytes of content, at most [`LENGTH_MAX`].
    pub length: u16,
}

/// What the walker finds in an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A record whose header is there now.
    Record {
        /// Its header.
        header: Header,
        /// Just past its last byte, counted in this input; if that is not here, a [`Piece::RecordEnd`] follows in a
        /// later one.
        end_in_input: Option<usize>,
    },
    /// The last byte of a record that was told in an earlier input.
    RecordEnd {
        /// Its header.
        header: Header,
        /// Just past its last byte, counted in this input.
        end_in_input: usize,
    },
    /// From here on, these are not TLS records. Comes once; the walker then lets everything pass unseen.
    NotTls {
        /// Stream offset of the first byte of what is not a record.
        offset: u64,
    },
}

impl Piece {
    /// The record that is whole with this piece, and just past its last byte, counted in this input.
    pub fn whole(self) -> Option<(Header, usize)> {
        match self {
            Piece::Record { header, end_in_input } => end_in_input.map(|end| (header, end)),
            Piece::RecordEnd { header, end_in_input } => Some((header, end_in_input)),
            Piece::NotTls { .. } => None,
        }
    }
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a header: it is the byte of this index, 0 to 4.
    Header(u8),
    /// In the content of a record; `first` if none of it came yet.
    Content {
        /// Whether it is the content's first byte.
        first: bool,
    },
    /// In what is not TLS.
    Opaque,
}

/// What one more byte made of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes on.
    More,
    /// It is complete.
    Whole(Header),
    /// It is none.
    NotTls {
        /// Stream offset of the first byte of what was taken for a header.
        offset: u64,
    },
}

impl Records {
    /// Takes the next bytes of the stream. Call `next_piece` until `None`: only then all of `input` is
    /// taken.
    ///
    /// Whatever is no header (content type other than 20 to 24, major version other than 3, length over
    /// `LENGTH_MAX`) makes the stream opaque from that record's first byte on.
    pub fn scan<'a>(&'a mut self, input: &'a [u8]) -> RecordScan<'a> {
        RecordScan { records: self, input, at: 0 }
    }

    /// Whether no record is under way: the last byte taken ended one, or none was taken.
    pub fn at_boundary(&self) -> bool {
        self.place() == Place::Header(0)
    }

    /// Whether the stream has turned out not to be TLS records.
    pub fn is_opaque(&self) -> bool {
        self.place() == Place::Opaque
    }

    /// Bytes taken since the stream began.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn place(&self) -> Place {
        match self.have {
            OPAQUE => Place::Opaque,
            HEADER.. => Place::Content { first: self.left == self.header().length },
            index => Place::Header(index),
        }
    }

    /// Of the record under way: its content type is right as soon as one byte of it was taken.
    pub(super) fn header(&self) -> Header {
        let [content_type, major, minor, high, low] = self.header;
        Header {
            content_type,
            version: u16::from_be_bytes([major, minor]),
            length: u16::from_be_bytes([high, low]),
        }
    }

    /// Takes a byte that stands in a header ([`Place::Header`]).
    pub(super) fn header_byte(&mut self, byte: u8) -> Step {
        let (start, index) = (self.offset - u64::from(self.have), self.have);
        if let Some(place) = self.header.get_mut(usize::from(index)) {
            *place = byte;
        }
        self.offset += 1;
        self.have += 1;
        let header = self.header();
        let holds = match index {
            0 => (20..=24).contains(&byte),
            1 => byte == 3,
            4 => header.length <= LENGTH_MAX,
            _ => true,
        };
        if !holds {
            self.have = OPAQUE;
            return Step::NotTls { offset: start };
        }
        if self.have < HEADER {
            return Step::More;
        }
        self.left = header.length;
        self.end_if_whole();
        Step::Whole(header)
    }

    /// Steps over at most `available` bytes, all of which stand in the content of a record or in what is not TLS;
    /// says how many.
    pub(super) fn skip(&mut self, available: usize) -> usize {
        let taken = match self.place() {
            Place::Header(_) => 0,
            Place::Content { .. } => {
                let taken = u16::try_from(available).unwrap_or(u16::MAX).min(self.left);
                self.left -= taken;
                self.end_if_whole();
                usize::from(taken)
            }
            Place::Opaque => available,
        };
        self.offset += to_u64(taken);
        taken
    }

    fn end_if_whole(&mut self) {
        if self.left == 0 {
            self.have = 0;
        }
    }
}

/// The pieces of one input, one after another.
#[derive(Debug)]
#[must_use = "input is taken only as pieces are asked for, until None"]
pub struct RecordScan<'a> {
    records: &'a mut Records,
    input: &'a [u8],
    /// Bytes of the input taken so far.
    at: usize,
}

impl RecordScan<'_> {
    /// The next piece; `None` when all of the input is taken.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            match self.records.place() {
                Place::Header(_) => {
                    let byte = *self.input.get(self.at)?;
                    self.at += 1;
                    match self.records.header_byte(byte) {
                        Step::More => {}
                        Step::Whole(header) => {
                            return Some(Piece::Record { header, end_in_input: self.skip() });
                        }
                        Step::NotTls { offset } => return Some(Piece::NotTls { offset }),
                    }
                }
                Place::Content { .. } => {
                    let header = self.records.header();
                    return self.skip().map(|end_in_input| Piece::RecordEnd { header, end_in_input });
                }
                Place::Opaque => {
                    self.at += self.records.skip(self.input.len() - self.at);
                    return None;
                }
            }
        }
    }

    /// Steps over the record's content; where it ended, if it did.
    fn skip(&mut self) -> Option<usize> {
        self.at += self.records.skip(self.input.len() - self.at);
        self.records.at_boundary().then_some(self.at)
    }
}
