//! How legs end, and the link with them.

use super::Link;
use super::own::in_frame;
use crate::base::{Direction, Ends, Side, Time, Ways};
use crate::engine::Input;
use crate::fault::Ending;
use crate::net::leg::ending_of;
use crate::net::pump::Inlet;
use crate::net::surgery::Output;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How often to look whether a FIN that waits behind what its receiver does not take has been sent.
const FIN_AGAIN: Duration = Duration::from_millis(50);

impl Link {
    /// A write failed: the peer is gone. What it said before is there still, and is passed on before its end.
    pub(super) fn write_failed(&mut self, side: Side, error: &io::Error) {
        let (how, word) = ending_of(error);
        let leg = self.legs.get_mut(side);
        if !leg.reading {
            return self.ended(side, how, word);
        }
        leg.writing = false;
        leg.broken = true;
        self.pumps.get_mut(side.other().sends()).discard();
        self.tell_end(side, how, word);
    }

    /// An end has sent a close frame of WebSocket. Its connection goes on: the other end has to answer, and closes it then.
    pub(super) fn ws_closed(&mut self, side: Side) {
        let (now, how) = (self.now(), Ending::WsClose);
        self.tell_last_silence(now, side, how);
        self.tell_end(side, how, None);
    }

    /// An end gave up its leg.
    pub(super) fn ended(&mut self, side: Side, how: Ending, error: Option<String>) {
        let now = self.now();
        self.tell_last_silence(now, side, how);
        self.tell_end(side, how, error);
        let leg = self.legs.get_mut(side);
        if how == Ending::Reset {
            leg.was_reset.get_or_insert_with(Instant::now);
            leg.drop_socket();
        }
        // On a forgotten link it is not carried, and a FIN is answered as all else is.
        if !leg.severed && self.is_forgotten_by(side) {
            return;
        }
        let leg = self.legs.get_mut(side);
        match how {
            Ending::Fin | Ending::Unnotified | Ending::WsClose => leg.reading = false,
            Ending::Alert | Ending::Reset => leg.drop_socket(),
        }
        if leg.severed {
            if leg.is_trap() {
                leg.reset();
            }
            leg.drop_socket();
            return;
        }
        let pump = self.pumps.get_mut(side.sends());
        let release = now + pump.delay(pump.frame);
        if pump.deaf {
            let held_back = pump.theatre.as_mut().map_or(0, |theatre| theatre.surgeon.discard());
            pump.lose(held_back);
        } else if let Some(theatre) = &mut pump.theatre {
            let mut out = Output::NONE;
            theatre.surgeon.give_back(&mut out);
            let mut bytes = out.bytes;
            if matches!(pump.inlet, Inlet::WebSocket(_)) {
                bytes = in_frame(side.sends(), &bytes);
                bytes.extend(theatre.reframer.give_back());
            }
            pump.lane.push(release, &bytes, None);
        }
        pump.lane.finish(release, how);
        if matches!(how, Ending::Reset | Ending::Alert) {
            // Nobody is left to hear the other way.
            self.pumps.get_mut(side.other().sends()).discard();
        }
    }

    /// All that the device said has been read. Where its leg was reset, or its end was seen before that, what it may have said
    /// is not known.
    pub(super) fn tell_last_silence(&self, now: Time, side: Side, how: Ending) {
        let is_in_order = how != Ending::Reset && !self.legs.get(side).end_told;
        if side == Side::Device
            && is_in_order
            && let Some(silence) = self.meter.device_ended(now)
        {
            self.core.tell(Input::KeepaliveExceeded { link: self.id, silence });
        }
    }

    pub(super) fn tell_end(&mut self, side: Side, how: Ending, error: Option<String>) {
        if std::mem::replace(&mut self.legs.get_mut(side).end_told, true) {
            return;
        }
        // What it answers was sent before.
        self.see_fins();
        if side == Side::Hub && self.meter.is_unread_news() {
            // Whether it may have come earlier.
            let now = self.now();
            self.flush(now);
        }
        let last = self.meter.last(side);
        self.core.tell(Input::LegEnded { link: self.id, side, how, error, last });
    }

    /// FIN was just said to an end: tells whether it has to wait there behind what that end does not take.
    pub(super) fn fin_said(&mut self, to: Side) {
        if let Some(unsent) = self.legs.get_mut(to).fin_said() {
            self.core.tell(Input::EndWaits { link: self.id, to, unsent });
            self.tcp.look_by(self.now() + FIN_AGAIN);
        }
    }

    /// Tells of those that have been sent since.
    pub(super) fn see_fins(&mut self) {
        for to in Side::BOTH {
            match self.legs.get_mut(to).fin_waits() {
                None => {}
                Some(Poll::Pending) => self.tcp.look_by(self.now() + FIN_AGAIN),
                Some(Poll::Ready(())) => self.core.tell(Input::EndWaits { link: self.id, to, unsent: 0 }),
            }
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        Side::BOTH.into_iter().for_each(|side| self.legs.get_mut(side).hear_last(false));
        self.see_heard();
        Direction::BOTH.into_iter().for_each(|direction| self.doubt(direction));
        let now = self.now();
        self.flush(now);
        for direction in Direction::BOTH {
            self.pumps.get_mut(direction).discard();
            self.put_in(direction);
        }
        self.close_books(now);
        self.tell_dropped();
        self.legs = Ends::default();
        let undelivered = Ways { up: self.pumps.up.lost, down: self.pumps.down.lost };
        self.core.close_link(self.id, Input::LinkClosed { link: self.id, undelivered });
    }

    pub(super) fn flush(&mut self, now: Time) {
        self.flush_books(now);
        if let Some(traffic) = self.meter.flush(now) {
            self.core.tell(Input::Traffic(Box::new(traffic)));
        }
    }
}
