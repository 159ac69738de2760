//! Messages of QoS 1 and 2 that wait for the other end, and those under way to it; the same on both ends of a link.
//!
//! ```text
//!         push               next                    puback (QoS 1), pubcomp (QoS 2)
//! item ─────────► queue ─────────────► in flight ─────────────────────────────────────► gone
//!                                        │   ^
//!                                pubrec  └───┘  from Published to Released
//! ```
//!
//! Invariant: what is in flight keeps its packet identifier and its order until acknowledged, over any number of
//! connections [MQTT-4.4.0-1, MQTT-4.6.0-1], and no more than the window is unacknowledged on one connection
//! [MQTT-3.3.4-9 in 5].

use crate::base::Time;
use std::collections::VecDeque;

/// Messages of type `T` on their way out of one session.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    queue: VecDeque<Waiting<T>>,
    queued_bytes: usize,
    in_flight: VecDeque<InFlight<T>>,
    /// How many in flight were not sent on this connection yet.
    to_resend: usize,
    last_id: u16,
    window: u16,
    /// How many PUBLISH may still be sent before an acknowledgement.
    quota: u16,
}

/// A message with what the queue must know of it.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    pub item: T,
    /// Bytes that it holds.
    pub size: usize,
    /// From when on it is not to be sent any more [MQTT-3.3.2-5 in 5].
    pub expires: Option<Time>,
}

impl<T> Waiting<T> {
    /// Whether it may still be sent.
    fn is_alive(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// The next thing to send.
#[derive(Debug)]
pub(crate) enum Sending<T> {
    Publish { packet_id: u16, dup: bool, item: T },
    Pubrel { packet_id: u16 },
}

/// The queue is full; the message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug)]
struct InFlight<T> {
    packet_id: u16,
    stage: Stage<T>,
    sent_here: bool,
}

#[derive(Debug)]
enum Stage<T> {
    /// PUBLISH was sent; PUBACK or PUBREC is to come.
    Published(T),
    /// PUBREC came; PUBCOMP is to come.
    Released,
}

impl<T> Default for Outbox<T> {
    fn default() -> Outbox<T> {
        Outbox {
            queue: VecDeque::new(),
            queued_bytes: 0,
            in_flight: VecDeque::new(),
            to_resend: 0,
            last_id: 0,
            window: 0,
            quota: 0,
        }
    }
}

impl<T: Clone> Outbox<T> {
    /// A connection begins on which the session goes on: all in flight is to be sent again, up to `window` at a time.
    pub fn resume(&mut self, window: u16) {
        (self.window, self.quota) = (window, window);
        self.to_resend = self.in_flight.len();
        self.in_flight.iter_mut().for_each(|one| one.sent_here = false);
    }

    /// A connection begins on which the other end knows of no session: what it did not take is new to it.
    pub fn restart(&mut self, window: u16) {
        for one in std::mem::take(&mut self.in_flight).into_iter().rev() {
            match one.stage {
                Stage::Published(item) => self.queue.push_front(Waiting { item, size: 0, expires: None }),
                Stage::Released => {}
            }
        }
        self.resume(window);
    }

    /// Puts a message at the end of the queue, which holds `most` messages and `most_bytes` of them, those that have expired not
    /// counted.
    pub fn push(
        &mut self,
        now: Time,
        waiting: Waiting<T>,
        most: usize,
        most_bytes: usize,
    ) -> Result<(), Full> {
        let size = waiting.size;
        let is_full = |outbox: &Self| {
            outbox.queue.len() >= most || outbox.queued_bytes.saturating_add(size) > most_bytes
        };
        if is_full(self) {
            self.forget_expired(now);
        }
        if is_full(self) {
            return Err(Full);
        }
        self.queued_bytes += waiting.size;
        self.queue.push_back(waiting);
        Ok(())
    }

    /// Whether a message pushed now would go out now.
    pub fn is_open(&self) -> bool {
        self.queue.is_empty() && self.to_resend == 0 && self.quota > 0
    }

    /// What to send next on this connection, taken as sent; `None` until an acknowledgement or a message comes.
    pub fn next(&mut self, now: Time) -> Option<Sending<T>> {
        if self.to_resend > 0 {
            return self.resend();
        }
        if self.quota == 0 {
            return None;
        }
        let item = self.take_queued(now)?;
        let packet_id = self.free_id();
        self.quota -= 1;
        let stage = Stage::Published(item.clone());
        self.in_flight.push_back(InFlight { packet_id, stage, sent_here: true });
        Some(Sending::Publish { packet_id, dup: false, item })
    }

    /// The oldest in flight that was not sent on this connection, with DUP 1 [MQTT-3.3.1-1].
    fn resend(&mut self) -> Option<Sending<T>> {
        let one = self.in_flight.iter_mut().find(|one| !one.sent_here)?;
        let packet_id = one.packet_id;
        let sending = match &one.stage {
            Stage::Released => Sending::Pubrel { packet_id },
            Stage::Published(_) if self.quota == 0 => return None,
            Stage::Published(item) => {
                self.quota -= 1;
                Sending::Publish { packet_id, dup: true, item: item.clone() }
            }
        };
        one.sent_here = true;
        self.to_resend -= 1;
        Some(sending)
    }

    fn take_queued(&mut self, now: Time) -> Option<T> {
        loop {
            let waiting = self.queue.pop_front()?;
            self.queued_bytes = self.queued_bytes.saturating_sub(waiting.size);
            if waiting.is_alive(now) {
                return Some(waiting.item);
            }
        }
    }

    fn forget_expired(&mut self, now: Time) {
        self.queue.retain(|waiting| waiting.is_alive(now));
        self.queued_bytes = self.queue.iter().map(|waiting| waiting.size).sum();
    }

    /// The next identifier that is not in flight; the window is far smaller than the 65,535 there are.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if self.in_flight.iter().all(|one| one.packet_id != self.last_id) {
                return self.last_id;
            }
        }
    }

    /// PUBACK, PUBCOMP, a PUBREC that refuses, or a message that cannot be sent: it is done. Whether it was known.
    pub fn done(&mut self, packet_id: u16) -> bool {
        let index = self.in_flight.iter().position(|one| one.packet_id == packet_id);
        let Some(one) = index.and_then(|index| self.in_flight.remove(index)) else { return false };
        if one.sent_here {
            self.quota = self.quota.saturating_add(1).min(self.window);
        } else {
            self.to_resend -= 1;
        }
        true
    }

    /// PUBREC: the other end has the message. Whether it was known to be under way.
    pub fn received(&mut self, packet_id: u16) -> bool {
        let known = self.in_flight.iter_mut().find(|one| one.packet_id == packet_id);
        let Some(one) = known else { return false };
        one.stage = Stage::Released;
        if !std::mem::replace(&mut one.sent_here, true) {
            self.to_resend -= 1;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(text: &'static str) -> Waiting<&'static str> {
        Waiting { item: text, size: text.len(), expires: None }
    }

    fn outbox(window: u16, texts: &[&'static str]) -> Outbox<&'static str> {
        let mut outbox = Outbox::default();
        outbox.resume(window);
        texts.iter().for_each(|text| outbox.push(Time::ZERO, waiting(text), 10, 10).unwrap());
        outbox
    }

    fn next(outbox: &mut Outbox<&'static str>) -> String {
        match outbox.next(Time::ZERO) {
            None => "-".into(),
            Some(Sending::Pubrel { packet_id }) => format!("rel {packet_id}"),
            Some(Sending::Publish { packet_id, dup, item }) => {
                format!("{item} {packet_id}{}", if dup { " dup" } else { "" })
            }
        }
    }

    #[test]
    fn the_window_is_kept_and_an_acknowledgement_opens_it() {
        let mut outbox = outbox(2, &["a", "b", "c"]);
        assert_eq!([next(&mut outbox), next(&mut outbox), next(&mut outbox)], ["a 1", "b 2", "-"]);
        outbox.done(7);
        assert_eq!(next(&mut outbox), "-");
        outbox.done(2);
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["c 3", "-"]);
    }

    #[test]
    fn another_connection_gets_what_is_open_again_in_order_with_the_same_identifiers() {
        let mut outbox = outbox(3, &["a", "b", "c", "d"]);
        (0..3).for_each(|_| assert_ne!(next(&mut outbox), "-"));
        assert!(outbox.received(2));
        outbox.resume(2);
        let sent: Vec<_> = (0..4).map(|_| next(&mut outbox)).collect();
        assert_eq!(sent, ["a 1 dup", "rel 2", "c 3 dup", "-"]);
        outbox.done(2);
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["d 4", "-"]);
    }

    #[test]
    fn a_smaller_window_holds_resends_back_too() {
        let mut outbox = outbox(3, &["a", "b"]);
        (0..2).for_each(|_| assert_ne!(next(&mut outbox), "-"));
        outbox.resume(1);
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["a 1 dup", "-"]);
        outbox.done(1);
        assert_eq!(next(&mut outbox), "b 2 dup");
    }

    #[test]
    fn a_full_queue_refuses_the_newest() {
        let mut outbox = outbox(1, &["a", "b"]);
        assert_eq!(outbox.push(Time::ZERO, waiting("c"), 2, 10), Err(Full));
        assert_eq!(outbox.push(Time::ZERO, waiting("c"), 3, 2), Err(Full));
        assert_eq!(outbox.push(Time::ZERO, waiting("c"), 3, 3), Ok(()));
    }

    #[test]
    fn identifiers_go_round_and_skip_those_in_flight() {
        let mut outbox = outbox(5, &["a", "b", "c"]);
        outbox.last_id = u16::MAX - 1;
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["a 65535", "b 1"]);
        outbox.last_id = u16::MAX - 1;
        assert_eq!(next(&mut outbox), "c 2");
    }

    #[test]
    fn an_end_that_has_forgotten_the_session_gets_what_it_did_not_take_as_new() {
        let mut outbox = outbox(3, &["a", "b", "c", "d"]);
        (0..3).for_each(|_| assert_ne!(next(&mut outbox), "-"));
        assert!(outbox.received(2));
        outbox.restart(3);
        let sent: Vec<_> = (0..4).map(|_| next(&mut outbox)).collect();
        assert_eq!(sent, ["a 4", "c 5", "d 6", "-"]);
    }

    #[test]
    fn what_expires_is_not_sent_from_its_nanosecond_on() {
        for (at, sent) in [(6, true), (7, false)] {
            let mut outbox = outbox(1, &[]);
            let expires = Some(Time::from_nanos(7));
            outbox.push(Time::ZERO, Waiting { item: "a", size: 1, expires }, 1, 1).unwrap();
            assert_eq!(outbox.next(Time::from_nanos(at)).is_some(), sent);
        }
    }

    #[test]
    fn what_has_expired_takes_no_room() {
        for (at, fits) in [(6, Err(Full)), (7, Ok(()))] {
            for (most, most_bytes) in [(2, 10), (10, 2)] {
                let mut outbox = outbox(0, &["a"]);
                let expires = Some(Time::from_nanos(7));
                outbox.push(Time::ZERO, Waiting { item: "b", size: 1, expires }, 2, 2).unwrap();
                let now = Time::from_nanos(at);
                assert_eq!(outbox.push(now, waiting("c"), most, most_bytes), fits);
                outbox.resume(5);
                let last = if fits.is_ok() { "c 2" } else { "b 2" };
                assert_eq!([next(&mut outbox), next(&mut outbox), next(&mut outbox)], ["a 1", last, "-"]);
            }
        }
    }
}
