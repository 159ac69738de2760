//! What is written to an end that has given its leg up counts as passed on once that end's system has acknowledged it.

use super::{FIN_LINGER, Link};
use crate::base::{Direction, Side, Time};
use crate::net::leg::{Heard, Written};
use crate::session::ledger::Entry;

impl Link {
    /// Of so many bytes that were just written, `say` says what was passed on: it is written down at once where their
    /// receiver listens, else once it has them. Whether it can read what comes in a damaged record, or behind one, is not known.
    pub(super) fn once_heard(
        &mut self,
        now: Time,
        direction: Direction,
        written: usize,
        say: impl FnOnce(&mut Link),
    ) {
        let leg = self.legs.get(direction.to());
        if written == 0 || !(leg.end_told || leg.harmed) {
            let before = self.books.passed();
            say(self);
            let passed = self.books.passed().since(before);
            self.legs.get_mut(direction.to()).carried |= self.books.take_has_passed();
            return self.books.recent.get_mut(direction).wrote(written, passed);
        }
        self.settle_books(now);
        say(self);
        let entries = std::mem::take(&mut self.books.entries);
        if self.legs.get(direction.to()).harmed {
            return self.unknown(entries);
        }
        self.legs.get_mut(direction.to()).await_heard(written, entries);
    }

    /// Writes down what has come to be known of that. A leg that has nothing else to do waits for it, as long as an end is
    /// heard out.
    pub(super) fn see_heard(&mut self) {
        for side in Side::BOTH {
            for (heard, written) in self.legs.get_mut(side).take_heard() {
                self.was_heard(side.other().sends(), heard, written);
                self.settle_rest();
            }
            if self.legs.get(side).waits_to_be_heard() {
                let now = self.now();
                self.drop_at.get_or_insert(now + FIN_LINGER);
                self.tcp.look_again(now);
            }
        }
    }

    fn was_heard(&mut self, direction: Direction, heard: Heard, written: Written) {
        let Written { bytes, entries, .. } = written;
        match heard {
            Heard::Whole => entries.into_iter().for_each(|entry| self.books.write(entry)),
            Heard::Refused => self.pumps.get_mut(direction).lose(bytes),
            Heard::Unknown => self.unknown(entries),
        }
    }

    /// Whether this was received will not be known.
    fn unknown(&mut self, entries: Vec<Entry>) {
        entries.into_iter().filter_map(|entry| entry.unknown()).for_each(|entry| self.books.write(entry));
    }
}
