//! The way of the bytes: read, passed on at once or held, and the end carried through behind the last of them.

use super::{DESK, Desk, Dial, FIN_LINGER, Found, Link, READ_BUFFER, Read};
use crate::base::{Direction, Side, Time};
use crate::engine::Input;
use crate::fault::{Ending, Left};
use crate::net::leg::{Got, Leg};
use crate::net::pump::{Mark, Note, plain_until};
use crate::net::surgery::Output;
use std::task::{Context, Poll};

/// Bytes on their way to the other end.
struct Came<'b> {
    bytes: &'b [u8],
    /// As in `Marks`, for these bytes.
    noted: &'b [Mark],
    plain: &'b [u32],
    /// Those from here on are held in any case.
    prompt: usize,
}

impl Came<'_> {
    /// Whether a packet goes on behind this place.
    fn is_amid(&self, place: usize) -> bool {
        let ends_plainly = u32::try_from(place).is_ok_and(|place| self.plain.binary_search(&place).is_ok());
        !ends_plainly && self.noted.binary_search_by_key(&place, |mark| mark.end).is_err()
    }
}

impl Link {
    /// Passes on what is due.
    pub(super) fn pass_on(&mut self, cx: &mut Context<'_>, direction: Direction) -> bool {
        let mut moved = false;
        loop {
            if self.pumps.get(direction).is_idle() {
                self.settle_rest();
                return moved;
            }
            let now = self.now();
            let leg = self.legs.get_mut(direction.to());
            let pump = self.pumps.get_mut(direction);
            if !leg.writing {
                pump.shaper.block();
                self.settle_books(now);
                return moved;
            }
            let ready = pump.ready(now);
            if ready == 0 {
                self.settle_books(now);
                return moved;
            }
            let due = &pump.lane.ready(now)[..ready];
            let written =
                if pump.shaper.slices() { leg.poll_write_alone(cx, due) } else { leg.poll_write(cx, due) };
            match written {
                Poll::Pending => {
                    pump.shaper.block();
                    self.settle_books(now);
                    return moved;
                }
                Poll::Ready(Ok(written)) => {
                    self.see_harmed(direction.to());
                    self.gone(now, self.now(), direction, written);
                }
                Poll::Ready(Err(error)) => self.write_failed(direction.to(), &error),
            }
            moved = true;
        }
    }

    /// So many bytes of those that waited, and were due at `due`, have been passed on.
    pub(super) fn gone(&mut self, due: Time, now: Time, direction: Direction, written: usize) {
        let pump = self.pumps.get_mut(direction);
        let mut told = Vec::new();
        pump.wrote(due, written, |left| told.push(left));
        pump.amid = !pump.lane.is_whole();
        self.once_heard(now, direction, written, |link| {
            for left in told {
                match left {
                    Left::Note(note, _) => link.passed(now, direction, note, true),
                    Left::Tallied(count) => link.plain_passed(now, direction, count),
                }
            }
        });
    }

    pub(super) fn passed(&mut self, now: Time, direction: Direction, note: Note, held: bool) {
        if note.own {
            return self.own_passed(direction);
        }
        if note.closes {
            let (to, how) = (direction.to(), Ending::WsClose);
            self.core.tell(Input::EndCarried { link: self.id, to, how });
        }
        if note.frame_only {
            return;
        }
        if note.copies {
            return self.copies_passed(direction, note);
        }
        self.meter.passed(now, direction, note.acknowledges);
        if let Some(passing) = note.passing {
            self.write_passed(passing);
        }
        if note.first_data {
            self.core.tell(Input::FirstData { link: self.id, direction });
        }
        if let (true, Some(ticket)) = (note.altered, note.ticket) {
            self.altered_passed(direction, ticket.seq, false);
        }
        if let Some(mut ticket) = note.ticket {
            ticket.held |= held;
            if ticket.held || ticket.wanted {
                self.core.tell(Input::Passed { link: self.id, ticket });
            }
        }
    }

    fn copies_passed(&mut self, direction: Direction, note: Note) {
        if let Some(passing) = note.passing {
            self.write_passed(passing);
        }
        if let Some(ticket) = note.ticket {
            self.altered_passed(direction, ticket.seq, true);
        }
    }

    /// Carries the end of one leg through to the other, behind the last byte.
    pub(super) fn carry_end(&mut self, direction: Direction) -> bool {
        let lane = &mut self.pumps.get_mut(direction).lane;
        if self.severing.is_some() || !lane.is_finished() || lane.is_over() {
            // A cut ends the link, each leg as it says.
            return false;
        }
        let Some(how) = lane.end_due(self.core.clock().now()) else { return false };
        let to = direction.to();
        let leg = self.legs.get_mut(to);
        let coming = matches!(self.dial, Dial::Trying { .. }) && !leg.is_open() || leg.is_shaking();
        if coming && matches!(how, Ending::Fin | Ending::Unnotified) {
            // Its peer may still come up, and then gets all that was sent, and the end in order.
            return false;
        }
        lane.ended();
        let is_told = self.pumps.get(direction).deaf && matches!(how, Ending::Fin | Ending::Unnotified);
        // Behind a cut nothing is carried any more, whatever is left open.
        if leg.is_open() && !leg.broken && !leg.severed && !is_told {
            match how {
                Ending::Fin | Ending::WsClose => leg.shut(true),
                Ending::Unnotified => leg.shut(false),
                Ending::Alert => {
                    // Nobody is left to hear the other way.
                    leg.end();
                    self.drop_at = Some(self.core.clock().now() + FIN_LINGER);
                }
                Ending::Reset => leg.reset(),
            }
            let how = match how {
                Ending::Unnotified | Ending::Alert if leg.is_secure() => Ending::Unnotified,
                Ending::Fin | Ending::Unnotified | Ending::Alert | Ending::WsClose => Ending::Fin,
                Ending::Reset => Ending::Reset,
            };
            // A record that waited may have gone with it.
            self.see_harmed(to);
            self.core.tell(Input::EndCarried { link: self.id, to, how });
            self.fin_said(to);
        }
        true
    }

    /// Reads what there is, unless it has to wait.
    pub(super) fn read_on(&mut self, cx: &mut Context<'_>, direction: Direction) -> Read {
        let read = self.read_once(cx, direction);
        if read != Read::Moved || !self.mailbox.is_empty() {
            return read;
        }
        if self.is_at_rest() {
            // What came alone and went at once has changed nothing. That no more is there, tokio knows from the short read.
            self.read_once(cx, direction)
        } else if self.has_ended_quietly(direction) {
            Read::Rests
        } else {
            Read::Moved
        }
    }

    /// What came before has to be passed on first: of the hub's it is told, since an answer may be in what is left unread.
    fn leaves_unread(&mut self, direction: Direction) {
        let lane = &self.pumps.get(direction).lane;
        if direction == Direction::Down && !lane.is_empty() && !lane.is_finished() {
            let now = self.now();
            if self.meter.left_unread(now, true) {
                self.flush(now);
            }
        }
    }

    /// Whether a direction has come to its end, and all of it was passed on with nothing in the way.
    fn has_ended_quietly(&self, direction: Direction) -> bool {
        let is_plain = |leg: &Leg| !leg.is_secure() && !leg.severed && !leg.broken;
        let pump = self.pumps.get(direction);
        matches!(self.dial, Dial::Done)
            && pump.lane.is_over()
            && pump.lane.is_empty()
            && pump.allowance.is_clear()
            && pump.theatre.is_none()
            && self.severing.is_none()
            && self.drop_at.is_none()
            && is_plain(&self.legs.device)
            && is_plain(&self.legs.hub)
    }

    fn read_once(&mut self, cx: &mut Context<'_>, direction: Direction) -> Read {
        let from = direction.from();
        let leg = self.legs.get_mut(from);
        if !leg.reading || leg.is_shaking() {
            return Read::Rests;
        }
        let beside = self.pumps.get(direction.to().sends()).lane.used();
        // Where it leads, and whether a fault holds its dial, is only known once its hello or its CONNECT has been read.
        let is_awaited = direction == Direction::Up && matches!(self.dial, Dial::Waiting);
        let awaited = is_awaited && self.pumps.up.has_room(beside);
        let leg = self.legs.get_mut(from);
        if !leg.severed && !awaited && !self.pumps.get(direction).wants_more(beside) {
            self.leaves_unread(direction);
            return if self.watch(cx, from) { Read::Moved } else { Read::Rests };
        }
        if direction == Direction::Down && self.meter.is_unread() {
            let now = self.now();
            self.meter.left_unread(now, false);
        }
        let leg = self.legs.get_mut(from);
        let mut desk = DESK.take().unwrap_or_default();
        let Desk { buffer, found } = &mut *desk;
        if buffer.len() != READ_BUFFER {
            // Zeroes that the system has: what no read has reached takes no memory.
            *buffer = vec![0; READ_BUFFER];
        }
        // TLS opens whole records, and keeps itself what finds no room.
        let size = if leg.is_secure() { READ_BUFFER } else { self.pumps.get(direction).read_size(beside) };
        leg.stamp(self.pumps.get(direction).delays.is_some());
        let size = size.min(READ_BUFFER);
        let result = leg.poll_read(cx, &mut buffer[..size]);
        let outcome = if result.is_ready() { Read::Moved } else { Read::Awaits };
        match result {
            Poll::Pending => {}
            Poll::Ready(Got::Ended(how, word)) => {
                let how = if leg.broken { Ending::Reset } else { how };
                self.ended(from, how, word);
                self.carry_end_on(direction);
            }
            Poll::Ready(Got::Bytes(read)) if leg.is_trap() => {
                leg.reset();
                self.pumps.get_mut(direction).lose(read);
            }
            Poll::Ready(Got::Bytes(read)) if self.legs.get(from).severed => {
                // How much of sealed bytes would have been passed on is not known.
                if !self.legs.get(from).is_secure() {
                    self.pumps.get_mut(direction).lose(read);
                }
            }
            Poll::Ready(Got::Bytes(read)) if self.is_forgotten_by(from) => {
                self.pumps.get_mut(direction).lose(read);
            }
            Poll::Ready(Got::Bytes(read)) => {
                self.take_in(cx, direction, &mut buffer[..size], read, found);
            }
            Poll::Ready(Got::Failed(failure)) => self.tls_failed_by(from, &failure),
        }
        DESK.set(Some(desk));
        outcome
    }

    /// Carries an end through that has just come, where nothing is in the way.
    fn carry_end_on(&mut self, direction: Direction) {
        let pump = self.pumps.get(direction);
        let is_free = pump.lane.is_empty() && pump.allowance.is_clear() && pump.theatre.is_none();
        if is_free && self.mailbox.is_empty() {
            self.carry_end(direction);
        }
    }

    /// Takes in what was read into the buffer. Where its sender's FIN is known to be there too and nothing is in the way, both
    /// are passed on in one segment: that is how they mostly come, and spares each end after us a wake-up.
    fn take_in(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        buffer: &mut [u8],
        read: usize,
        found: &mut Found,
    ) {
        let from = direction.from();
        let (bytes, room) = buffer.split_at_mut(read);
        let is_straight = !room.is_empty() && self.is_at_rest() && !self.pumps.get(direction).holds();
        match is_straight.then(|| self.legs.get_mut(from).read_known(room)).flatten() {
            None | Some(Got::Failed(_)) => self.received(cx, direction, bytes, found),
            Some(Got::Bytes(more)) => self.received(cx, direction, &buffer[..read + more], found),
            Some(Got::Ended(how, word)) => {
                self.legs.get_mut(direction.to()).write_last(how == Ending::Fin);
                self.received(cx, direction, bytes, found);
                // What came may have brought about that its link is cut.
                if self.legs.get(from).reading {
                    self.ended(from, how, word);
                    self.carry_end(direction);
                }
                self.legs.get_mut(direction.to()).write_last(false);
            }
        }
    }

    /// Without reading, sees whether an end gives up.
    pub(super) fn watch(&mut self, cx: &mut Context<'_>, side: Side) -> bool {
        let leg = self.legs.get_mut(side);
        if leg.end_told {
            return false;
        }
        match leg.poll_hang_up(cx) {
            Poll::Pending => false,
            Poll::Ready(Ending::Reset) => {
                self.ended(side, Ending::Reset, None);
                true
            }
            Poll::Ready(Ending::Fin | Ending::Unnotified | Ending::Alert | Ending::WsClose) => {
                // The bytes before it are still to be read; only the sign is told now.
                self.tell_end(side, Ending::Fin, None);
                true
            }
        }
    }

    /// An end that has said FIN may still be gone before it has heard all.
    pub(super) fn watch_half(&mut self, cx: &mut Context<'_>, side: Side) -> bool {
        let leg = self.legs.get_mut(side);
        if leg.reading || !leg.writing || leg.poll_gone(cx).is_pending() {
            return false;
        }
        self.ended(side, Ending::Reset, None);
        true
    }

    fn received(&mut self, cx: &mut Context<'_>, direction: Direction, bytes: &[u8], found: &mut Found) {
        let now = self.now();
        // A delay counts from when the bytes came, not from when this task got to run.
        self.pumps.get_mut(direction).came = self.legs.get(direction.from()).ago().map(|ago| now - ago);
        self.meter.bytes(direction, bytes.len());
        self.tcp.came(now, direction, bytes);
        self.look_at_first(now, direction, bytes);
        if self.is_severed_amid(direction) {
            return self.pumps.get_mut(direction).lose(bytes.len());
        }
        let Found { marks, out } = found;
        let (first, bytes) = bytes.split_at(self.attended_first(direction, bytes));
        if !first.is_empty() {
            self.operate(now, direction, first, out);
        }
        let is_passing = !bytes.is_empty() && !self.is_attended(direction);
        let passing = if is_passing { self.scan(now, direction, bytes, marks) } else { 0 };
        let (passing, attended) = bytes.split_at(passing);
        if !first.is_empty() && !passing.is_empty() {
            self.follow_due();
            self.route_worked_on(cx, now, direction, out);
        }
        if !attended.is_empty() {
            self.operate(now, direction, attended, out);
        }
        if direction == Direction::Up && self.pumps.up.inlet.is_within_packet() {
            self.meter.under_way(now);
        }
        // What the engine had ordered when it was told of these packets holds for their bytes, and no more: it has
        // said of each whether it is held.
        self.follow_due();
        if !passing.is_empty() {
            let (noted, plain) = (&marks.noted[..], &marks.plain[..]);
            self.route(cx, now, direction, &Came { bytes: passing, noted, plain, prompt: passing.len() });
        }
        if !first.is_empty() || !attended.is_empty() {
            self.route_worked_on(cx, now, direction, out);
        }
        marks.clear();
        self.flush_due(now);
    }

    /// Passes on what the surgeon has put out, and empties it.
    fn route_worked_on(&mut self, cx: &mut Context<'_>, now: Time, direction: Direction, out: &mut Output) {
        let (bytes, prompt) = (&out.bytes[..], out.prompt());
        self.route(cx, now, direction, &Came { bytes, noted: &out.marks, plain: &[], prompt });
        out.clear();
    }

    fn follow_due(&mut self) {
        if self.mailbox.is_empty() {
            return;
        }
        for letter in self.mailbox.take_due() {
            self.follow(letter);
        }
    }

    fn flush_due(&mut self, now: Time) {
        self.settle_books(now);
        if self.meter.is_due(now) {
            self.flush(now);
        }
    }

    /// Passes bytes on at once where nothing is in the way, and holds the rest.
    fn route(&mut self, cx: &mut Context<'_>, now: Time, direction: Direction, came: &Came<'_>) {
        let Came { bytes, noted, plain, prompt } = *came;
        let mut written = 0;
        if self.legs.get(direction.from()).severed || self.pumps.get(direction).deaf {
            let pump = self.pumps.get_mut(direction);
            if let Some(theatre) = &mut pump.theatre {
                theatre.never_passed();
            }
            return pump.lose(bytes.len());
        }
        let is_late = self.pumps.get(direction).delays.is_some();
        let at = if is_late { self.now() } else { now };
        while written < prompt && !self.pumps.get(direction).holds_back(now, at) {
            let leg = self.legs.get_mut(direction.to());
            if !leg.writing {
                break;
            }
            let pump = self.pumps.get_mut(direction);
            let allowed = pump.allowance.of(prompt - written);
            match leg.poll_write(cx, &bytes[written..written + allowed]) {
                Poll::Pending => break,
                Poll::Ready(Ok(taken)) => {
                    written += taken;
                    pump.allowance.passed(now, taken);
                    self.see_harmed(direction.to());
                }
                Poll::Ready(Err(error)) => {
                    self.pumps.get_mut(direction).lose(bytes.len() - written);
                    return self.write_failed(direction.to(), &error);
                }
            }
        }
        if written > 0 && self.core.works_on_packets() {
            self.pumps.get_mut(direction).amid = came.is_amid(written);
        }
        // One look at the clock for all that one write passed on.
        let now = if written > 0 { self.now() } else { now };
        self.went(now, direction, written, noted, plain);
        if written < bytes.len() {
            self.pumps.get_mut(direction).hold(now, bytes, written, noted, plain);
        }
    }

    /// Bytes were passed on as they came, up to this place: says of the packets that end there what is to be said.
    pub(super) fn went(
        &mut self,
        now: Time,
        direction: Direction,
        written: usize,
        marks: &[Mark],
        plain: &[u32],
    ) {
        let mut plain = &plain[..plain_until(plain, written)];
        self.once_heard(now, direction, written, |link| {
            for mark in marks.iter().take_while(|mark| mark.end <= written) {
                let (before, after) = plain.split_at(plain_until(plain, mark.end));
                link.plain_passed(now, direction, u32::try_from(before.len()).unwrap_or(u32::MAX));
                link.passed(now, direction, mark.note, false);
                plain = after;
            }
            link.plain_passed(now, direction, u32::try_from(plain.len()).unwrap_or(u32::MAX));
        });
    }
}
