//! What stands between the framer and the way out, where packets may be worked on.
//!
//! ```text
//!            head not there yet      announced: operation known           last byte
//!   input ──▶ held back ───────────▶ passed │ swallowed │ changed ──────▶ copies, mark
//!                                       └─ after so many bytes: cut, and nothing passes any more
//! ```
//!
//! It is told of frames by the framer, asks what is to be done with each, and writes what is to be passed on into
//! [`Output`]. With nothing to be done, the output is the input; with something, it is what the operations make of whole
//! packets, however the stream is split. Held back is at most what a framer leaves unannounced; payload is never kept,
//! but for what is to be passed on more than once.

#[cfg(test)]
mod tests;

use super::operation::{Operation, Way};
use crate::base::units::to_u64;
use crate::mqtt::framer::{Frame, Framer, NotMqtt, Piece};
use crate::net::pump::{Mark, Note};
use std::time::Duration;

/// How much memory an empty output keeps, in bytes: twice what is read at once.
const BYTES_KEPT: usize = 512 * 1024;

/// How many marks an empty output keeps memory for: as many packets of 64 bytes as are read at once.
const MARKS_KEPT: usize = 4096;

/// Works on the packets of one direction.
#[derive(Debug, Default)]
pub struct Surgeon {
    /// Of a packet whose head is not there yet.
    held: Vec<u8>,
    /// The packet under way, once its head was there, where something is done to it: that is seldom.
    under: Option<Box<Patient>>,
    /// The stream was cut: nothing passes any more.
    over: bool,
    /// How late the bytes before the cut are.
    cut_late: Duration,
    /// Bytes that came and were not passed on.
    lost: usize,
}

/// A packet that something is done to.
#[derive(Debug)]
struct Patient {
    operation: Operation,
    /// Bytes of it given out, or swallowed.
    passed: u64,
    /// What is to be passed on again.
    kept: Vec<u8>,
}

/// What the surgeon sees.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A packet whose head is there: what is to be done with it?
    Frame(&'a Frame<'a>),
    /// The last byte of the packet came.
    End {
        /// Whether it was passed on; else it was swallowed.
        passed: bool,
        /// How late it is to be passed on.
        late: Duration,
        /// What is to be passed on again behind it, and how often.
        again: (&'a [u8], u32),
    },
    /// As many bytes as said were passed on: now the link is to end.
    Cut {
        /// How many.
        after: u64,
    },
    /// From here on this is not MQTT.
    NotMqtt {
        /// Stream offset.
        offset: u64,
        /// Why not.
        reason: NotMqtt,
    },
}

/// What is to be passed on.
#[derive(Debug, Default)]
pub struct Output {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Every packet that ends in them.
    pub marks: Vec<Mark>,
    /// How late what stands behind the last mark is.
    pub tail_late: Duration,
}

impl Output {
    /// Nothing.
    pub const NONE: Output = Output { bytes: Vec::new(), marks: Vec::new(), tail_late: Duration::ZERO };

    /// So many copies of a packet.
    pub fn put_copies(&mut self, (packet, copies): (&[u8], u32)) {
        (0..copies).for_each(|_| self.bytes.extend_from_slice(packet));
    }

    /// The packet whose bytes were put last ends here.
    pub fn mark(&mut self, frame: u64, note: Note, late: Duration) {
        let end = self.bytes.len();
        // A note needs a byte to ride on.
        if self.marks.last().map_or(0, |mark| mark.end) < end {
            self.marks.push(Mark { end, frame, note, late });
        }
    }

    /// How many of the bytes are not made to wait.
    pub fn prompt(&self) -> usize {
        let mut start = 0;
        for mark in &self.marks {
            if !mark.late.is_zero() {
                return start;
            }
            start = mark.end;
        }
        if self.tail_late.is_zero() { self.bytes.len() } else { start }
    }

    /// Empties it. What an uncommon packet took is given back: a worker keeps one for all its links.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.marks.clear();
        self.bytes.shrink_to(BYTES_KEPT);
        self.marks.shrink_to(MARKS_KEPT);
        self.tail_late = Duration::ZERO;
    }
}

impl Surgeon {
    /// Takes the next bytes of the stream. `see` is told what is found, answers a frame with what is to be done, and may
    /// put bytes of its own into the output at an end.
    pub fn take(
        &mut self,
        framer: &mut Framer,
        input: &[u8],
        out: &mut Output,
        see: &mut impl FnMut(Seen<'_>, &mut Output) -> Option<Operation>,
    ) {
        // Up to where the input is done with.
        let mut done = 0;
        let mut scan = framer.scan(input);
        while let Some(piece) = scan.next_piece() {
            if self.over {
                continue;
            }
            match piece {
                Piece::Frame(frame) => {
                    let operation = see(Seen::Frame(&frame), out);
                    self.begin(&frame, &input[done..frame.end_in_input], operation, out);
                    done = frame.end_in_input;
                    self.settle(frame.ended, out, see);
                }
                Piece::FrameEnd { end_in_input, .. } => {
                    self.go_on(&input[done..end_in_input], out);
                    done = end_in_input;
                    self.settle(true, out, see);
                }
                Piece::NotMqtt { offset, reason } => {
                    see(Seen::NotMqtt { offset, reason }, out);
                    self.give_back(out);
                }
            }
        }
        let rest = &input[done..];
        if self.over {
            self.lost += rest.len();
        } else if framer.unannounced() > 0 {
            self.held.extend_from_slice(rest);
        } else {
            self.go_on(rest, out);
            self.settle(false, out, see);
        }
        out.tail_late = self.under.as_ref().map_or(self.cut_late, |patient| patient.operation.late);
    }

    /// The stream ends: what was held back is passed on, since no more comes that could say what to do with it.
    pub fn give_back(&mut self, out: &mut Output) {
        out.bytes.append(&mut self.held);
        self.held = Vec::new();
    }

    /// Whether nothing is held back, or done to the packet under way.
    pub fn is_at_rest(&self) -> bool {
        self.held.is_empty() && self.under.is_none() && !self.over
    }

    /// Whether the stream was cut.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// How many bytes were not passed on, since this was last asked.
    pub fn take_lost(&mut self) -> usize {
        std::mem::take(&mut self.lost)
    }

    /// Throws away what is held back: how much that was.
    pub fn discard(&mut self) -> usize {
        std::mem::take(&mut self.held).len()
    }

    fn begin(&mut self, frame: &Frame<'_>, bytes: &[u8], operation: Option<Operation>, out: &mut Output) {
        let held = std::mem::take(&mut self.held);
        let Some(mut operation) = operation else {
            out.bytes.extend_from_slice(&held);
            out.bytes.extend_from_slice(bytes);
            return;
        };
        let start = operation.start.take();
        self.under = Some(Box::new(Patient { operation, passed: 0, kept: Vec::new() }));
        let Some(start) = start else {
            self.go_on(&held, out);
            return self.go_on(bytes, out);
        };
        // The head is there whole, in what was held back and what came.
        let replaced = usize::from(frame.header_len) + frame.head.len();
        self.go_on(&start, out);
        self.go_on(held.get(replaced..).unwrap_or_default(), out);
        self.go_on(bytes.get(replaced.saturating_sub(held.len())..).unwrap_or_default(), out);
    }

    fn go_on(&mut self, bytes: &[u8], out: &mut Output) {
        match &mut self.under {
            Some(patient) => self.lost += patient.pass(bytes, out),
            None => out.bytes.extend_from_slice(bytes),
        }
    }

    /// Says what came of the packet under way, as far as that is known. `ended`: its last byte was taken.
    fn settle(
        &mut self,
        ended: bool,
        out: &mut Output,
        see: &mut impl FnMut(Seen<'_>, &mut Output) -> Option<Operation>,
    ) {
        let cut = self.under.as_ref().and_then(|patient| match patient.operation.way {
            Way::CutAfter(bytes) => (ended || patient.passed >= bytes).then_some(patient.passed),
            Way::Pass | Way::Swallow => None,
        });
        if let Some(after) = cut {
            self.over = true;
            self.cut_late = self.under.take().map_or(Duration::ZERO, |patient| patient.operation.late);
            see(Seen::Cut { after }, out);
        } else if ended {
            let under = self.under.take();
            let end = match &under {
                Some(patient) => patient.end(),
                None => Seen::End { passed: true, late: Duration::ZERO, again: (&[], 0) },
            };
            see(end, out);
        }
    }
}

impl Patient {
    /// Passes on what is to be; how many bytes were not.
    fn pass(&mut self, bytes: &[u8], out: &mut Output) -> usize {
        let wanted = match self.operation.way {
            Way::Pass => bytes.len(),
            Way::Swallow => 0,
            Way::CutAfter(limit) => {
                let left = usize::try_from(limit.saturating_sub(self.passed)).unwrap_or(usize::MAX);
                left.min(bytes.len())
            }
        };
        let from = out.bytes.len();
        out.bytes.extend_from_slice(&bytes[..wanted]);
        let passed = &mut out.bytes[from..];
        for (offset, change) in &self.operation.corrupt {
            let at = offset.checked_sub(self.passed).and_then(|at| usize::try_from(at).ok());
            if let Some(byte) = at.and_then(|at| passed.get_mut(at)) {
                *byte ^= change.get();
            }
        }
        if self.operation.copies > 0 {
            self.kept.extend_from_slice(passed);
        }
        self.passed += to_u64(wanted);
        bytes.len() - wanted
    }

    fn end(&self) -> Seen<'_> {
        let Operation { way, late, copies, .. } = &self.operation;
        Seen::End { passed: *way != Way::Swallow, late: *late, again: (&self.kept, *copies) }
    }
}
