//! What a verdict comes to on the packet that it is on.

use crate::base::WindowId;
use crate::base::units::to_u64;
use crate::fault::edit::Beginning;
use crate::fault::{Alteration, Corrupt, MidCut, PacketEnd, Verdict};
use crate::mqtt::framer::Frame;
use crate::mqtt::{PacketKind, Version, peek};
use std::num::NonZeroU8;
use std::time::Duration;

/// The longest packet that is passed on more than once, in bytes: it is kept whole. 1 MiB is eight times the most that
/// the large cloud hubs take (128 KiB at AWS IoT Core, 256 KiB at Azure IoT Hub).
pub const COPY_LIMIT: u64 = 1024 * 1024;

/// What all copies of one packet come to at most, in bytes: they wait in the lane until the peer takes them.
pub const COPIES_LIMIT: u64 = 16 * COPY_LIMIT;

/// What is done to one packet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// What stands in the place of its fixed header and head.
    pub start: Option<Vec<u8>>,
    /// Bytes of what is passed on that are changed: where, and which bits.
    pub corrupt: Vec<(u64, NonZeroU8)>,
    /// How much later it is passed on.
    pub late: Duration,
    /// How many times more.
    pub copies: u32,
    /// Whether it is passed on.
    pub way: Way,
}

/// Whether a packet is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// All of it.
    #[default]
    Pass,
    /// Nothing of it.
    Swallow,
    /// So many bytes, then nothing any more.
    CutAfter(u64),
}

/// A verdict, as it falls on one packet.
#[derive(Debug, Default)]
pub struct Ruling {
    /// What to do.
    pub operation: Operation,
    /// What can be said to be done once the packet has been passed on.
    pub done: Vec<(Option<WindowId>, Alteration)>,
    /// Windows whose edits change nothing of it.
    pub unchanged: Vec<Option<WindowId>>,
    /// What cannot be done, and why.
    pub refused: Vec<(Option<WindowId>, String)>,
    /// How the packet ends.
    pub end: Option<(Option<WindowId>, PacketEnd)>,
    /// Its beginning, where that was edited.
    pub edited: Option<Beginning>,
}

impl Operation {
    /// Nothing of it is passed on.
    pub fn swallow() -> Operation {
        Operation { way: Way::Swallow, ..Operation::default() }
    }
}

/// What is known of a packet while its ruling is made: its beginning as it will be passed on.
struct Case {
    version: Version,
    kind: PacketKind,
    start: Beginning,
    header_len: u64,
}

impl Ruling {
    /// What this verdict comes to on this packet. Of a packet that ends here, nothing else is said to be done: it does not
    /// reach the other end. `room`: bytes that there is room for in copies.
    pub fn of(verdict: Verdict, version: Version, frame: &Frame<'_>, room: u64) -> Ruling {
        let Verdict { edits, corruptions, delays, copies, end } = verdict;
        let mut case = Case {
            version,
            kind: frame.kind,
            start: Beginning {
                first_byte: frame.first_byte,
                remaining_length: frame.remaining_length,
                head: frame.head.to_vec(),
            },
            header_len: u64::from(frame.header_len),
        };
        let mut ruling = Ruling::default();
        let came = case.start.bytes();
        if !matches!(end, Some((_, PacketEnd::Drop { .. }))) {
            ruling.edit(&mut case, edits);
            ruling.corrupt(&case, corruptions);
            ruling.delay(delays);
            if end.is_none() {
                ruling.copy(&case, copies, room);
            }
        }
        ruling.end(&case, &came, end);
        ruling
    }

    /// The beginning of the packet as it is passed on, where it was changed.
    fn edit(&mut self, case: &mut Case, edits: Vec<(Option<WindowId>, crate::fault::Edit)>) {
        for (window, edit) in edits {
            if let Some(edit) = case.start.edit(case.version, &edit) {
                self.done.push((window, Alteration::Edited { edit }));
            } else {
                self.unchanged.push(window);
            }
        }
        if !self.done.is_empty() {
            // Nothing else is done yet.
            let bytes = case.start.bytes();
            case.header_len = to_u64(bytes.len() - case.start.head.len());
            self.operation.start = Some(bytes);
            self.edited = Some(case.start.clone());
        }
    }

    fn corrupt(&mut self, case: &Case, corruptions: Vec<(WindowId, Corrupt, [f64; 2])>) {
        for (window, what, [place, value]) in corruptions {
            let from = match what {
                Corrupt::Anywhere => Some(0),
                Corrupt::Body => Some(case.header_len),
                Corrupt::Payload => case.payload_at(),
            };
            let found = from.and_then(|from| Some(from + pick(place, case.len().checked_sub(from)?)?));
            let Some(offset) = found else {
                self.refused.push((Some(window), format!("this {} has no {}", case.kind, word(what))));
                continue;
            };
            // Of 255 changes of a byte, one.
            let change = pick(value, 255).and_then(|drawn| u8::try_from(drawn + 1).ok());
            self.operation.corrupt.push((offset, change.and_then(NonZeroU8::new).unwrap_or(NonZeroU8::MAX)));
            let offset = u32::try_from(offset).unwrap_or(u32::MAX);
            self.done.push((Some(window), Alteration::Corrupted { offset }));
        }
    }

    fn delay(&mut self, delays: Vec<(WindowId, Duration)>) {
        for (window, by) in delays {
            self.operation.late = self.operation.late.saturating_add(by);
            let by_ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            self.done.push((Some(window), Alteration::Delayed { by_ns }));
        }
    }

    fn copy(&mut self, case: &Case, copies: Vec<(WindowId, u32)>, room: u64) {
        for (window, more) in copies {
            let copies = self.operation.copies.saturating_add(more);
            if case.len() > COPY_LIMIT {
                let why = format!("it has {} bytes; a packet of up to {COPY_LIMIT} is doubled", case.len());
                self.refused.push((Some(window), why));
            } else if case.len().saturating_mul(u64::from(copies)) > COPIES_LIMIT {
                let why = format!("{copies} copies have more than {COPIES_LIMIT} bytes");
                self.refused.push((Some(window), why));
            } else if case.len().saturating_mul(u64::from(copies)) > room {
                let why = format!("more than {COPIES_LIMIT} bytes would wait in copies");
                self.refused.push((Some(window), why));
            } else {
                self.operation.copies = copies;
                self.done.push((Some(window), Alteration::Duplicated { copies: more }));
            }
        }
    }

    /// `came`: the beginning of the packet as it came.
    fn end(&mut self, case: &Case, came: &[u8], end: Option<(Option<WindowId>, PacketEnd)>) {
        self.end = end;
        match end {
            None => {}
            Some((_, PacketEnd::Drop { .. })) => self.operation.way = Way::Swallow,
            Some((_, PacketEnd::Cut(MidCut { after_bytes, .. }))) => {
                let after = u64::from(after_bytes).min(case.len());
                self.operation.way = Way::CutAfter(after);
                // What lies behind the cut does not come about; an edit does where it shows in the bytes before.
                let before = usize::try_from(after).unwrap_or(usize::MAX);
                let start = self.operation.start.as_deref().unwrap_or(came);
                let is_seen = start[..before.min(start.len())] != came[..before.min(came.len())];
                let reached = |what: &Alteration| match what {
                    Alteration::Corrupted { offset } => u64::from(*offset) < after,
                    Alteration::Edited { .. } => after == case.len() || is_seen,
                    Alteration::Delayed { .. } => after > 0,
                    Alteration::Dropped { .. }
                    | Alteration::Duplicated { .. }
                    | Alteration::CutShort { .. } => true,
                };
                self.done.retain(|(_, what)| reached(what));
            }
        }
    }
}

impl Case {
    /// Bytes of the packet as it is passed on.
    fn len(&self) -> u64 {
        self.header_len + u64::from(self.start.remaining_length)
    }

    fn payload_at(&self) -> Option<u64> {
        if self.kind != PacketKind::Publish {
            return None;
        }
        let view = peek::publish_view(self.version, self.start.first_byte, &self.start.head)?;
        Some(self.header_len + u64::from(view.payload_at?))
    }
}

/// One of `count`, by an even draw of [0, 1); `None` of none.
fn pick(draw: f64, count: u64) -> Option<u64> {
    // A packet has less than 2^32 bytes, which an f64 holds exactly.
    let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within 0 and count")]
    let drawn = (draw * f64::from(count)).clamp(0.0, f64::from(count - 1)) as u32;
    Some(u64::from(drawn))
}

fn word(what: Corrupt) -> &'static str {
    match what {
        Corrupt::Payload => "payload",
        Corrupt::Body => "body",
        Corrupt::Anywhere => "bytes",
    }
}
