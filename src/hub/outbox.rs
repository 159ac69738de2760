//! What waits for one device, and what is under way to it.
//!
//! ```text
//!            push               next                    puback (QoS 1), pubcomp (QoS 2)
//! delivery ───────► queue ─────────────► in flight ─────────────────────────────────────► gone
//!                                          │   ^
//!                                  pubrec  └───┘  from Published to Released
//! ```
//!
//! Invariant: what is in flight keeps its packet identifier and its order until acknowledged, over any number of
//! connections [MQTT-4.4.0-1, MQTT-4.6.0-1], and no more than the window is unacknowledged on one connection
//! [MQTT-3.3.4-9 in 5].

use super::event::Dropped;
use crate::base::Time;
use crate::mqtt::packet::Publish;
use crate::mqtt::{Property, QoS};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// A message as it was published, shared by all who get it.
#[derive(Debug)]
pub(super) struct Message {
    /// As it came, but for what does not go on: packet identifier, DUP, topic alias, expiry.
    pub publish: Publish,
    pub expires: Option<Time>,
}

/// A message on its way to one session.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    pub message: Arc<Message>,
    pub qos: QoS,
    pub retain: bool,
    pub identifiers: Vec<u32>,
}

/// The next thing to send.
#[derive(Debug)]
pub(super) enum Sending {
    Publish { packet_id: u16, dup: bool, delivery: Delivery },
    Pubrel { packet_id: u16 },
}

#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Delivery>,
    queued_bytes: usize,
    in_flight: VecDeque<InFlight>,
    /// How many in flight were not sent on this connection yet.
    to_resend: usize,
    last_id: u16,
    window: u16,
    /// How many PUBLISH may still be sent before an acknowledgement.
    quota: u16,
}

#[derive(Debug)]
struct InFlight {
    packet_id: u16,
    stage: Stage,
    sent_here: bool,
}

#[derive(Debug)]
enum Stage {
    /// PUBLISH was sent; PUBACK or PUBREC is to come.
    Published(Delivery),
    /// PUBREC came; PUBCOMP is to come.
    Released,
}

impl Outbox {
    /// A connection begins: all in flight is to be sent again, up to `window` at a time.
    pub fn begin(&mut self, window: u16) {
        (self.window, self.quota) = (window, window);
        self.to_resend = self.in_flight.len();
        self.in_flight.iter_mut().for_each(|one| one.sent_here = false);
    }

    /// Puts a message of QoS 1 or 2 at the end of the queue.
    ///
    /// # Errors
    /// The queue is full; the message is refused.
    pub fn push(&mut self, delivery: Delivery, most: usize, most_bytes: usize) -> Result<(), Dropped> {
        let size = delivery.message.size();
        if self.queue.len() >= most || self.queued_bytes.saturating_add(size) > most_bytes {
            return Err(Dropped::QueueFull);
        }
        self.queued_bytes += size;
        self.queue.push_back(delivery);
        Ok(())
    }

    /// What to send next on this connection, taken as sent; `None` until an acknowledgement or a message comes.
    pub fn next(&mut self, now: Time) -> Option<Sending> {
        if self.to_resend > 0 {
            return self.resend();
        }
        if self.quota == 0 {
            return None;
        }
        let delivery = self.take_queued(now)?;
        let packet_id = self.free_id();
        self.quota -= 1;
        let stage = Stage::Published(delivery.clone());
        self.in_flight.push_back(InFlight { packet_id, stage, sent_here: true });
        Some(Sending::Publish { packet_id, dup: false, delivery })
    }

    /// The oldest in flight that was not sent on this connection, with DUP 1 [MQTT-3.3.1-1].
    fn resend(&mut self) -> Option<Sending> {
        let one = self.in_flight.iter_mut().find(|one| !one.sent_here)?;
        let packet_id = one.packet_id;
        let sending = match &one.stage {
            Stage::Released => Sending::Pubrel { packet_id },
            Stage::Published(_) if self.quota == 0 => return None,
            Stage::Published(delivery) => {
                self.quota -= 1;
                Sending::Publish { packet_id, dup: true, delivery: delivery.clone() }
            }
        };
        one.sent_here = true;
        self.to_resend -= 1;
        Some(sending)
    }

    fn take_queued(&mut self, now: Time) -> Option<Delivery> {
        loop {
            let delivery = self.queue.pop_front()?;
            self.queued_bytes -= delivery.message.size();
            if delivery.message.is_alive(now) {
                return Some(delivery);
            }
        }
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

    /// PUBACK, PUBCOMP, a PUBREC that refuses, or a message that cannot be sent: it is done.
    pub fn done(&mut self, packet_id: u16) {
        let Some(index) = self.in_flight.iter().position(|one| one.packet_id == packet_id) else { return };
        if let Some(one) = self.in_flight.remove(index) {
            if one.sent_here {
                self.quota = self.quota.saturating_add(1).min(self.window);
            } else {
                self.to_resend -= 1;
            }
        }
    }

    /// PUBREC: the device has the message. Whether it was known to be under way.
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

impl Message {
    /// Bytes that it holds.
    pub fn size(&self) -> usize {
        self.publish.topic.len() + self.publish.payload.len()
    }

    /// Whether its expiry has not come [MQTT-3.3.2-5 in 5].
    pub fn is_alive(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl Delivery {
    /// The packet for an MQTT 5 device; older versions leave the properties away. What is left of the message's
    /// expiry goes with it [MQTT-3.3.2-6].
    pub fn packet(&self, now: Time, packet_id: Option<u16>, dup: bool) -> Publish {
        let mut publish =
            Publish { dup, qos: self.qos, retain: self.retain, packet_id, ..self.message.publish.clone() };
        if let Some(expires) = self.message.expires {
            let left = expires.since(now).max(Duration::from_secs(1)).as_secs();
            publish.properties.0.push(Property::MessageExpiry(u32::try_from(left).unwrap_or(u32::MAX)));
        }
        let identifiers = self.identifiers.iter().copied().map(Property::SubscriptionIdentifier);
        publish.properties.0.extend(identifiers);
        publish
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(text: &str) -> Delivery {
        let publish = Publish { topic: text.into(), ..Publish::default() };
        let message = Arc::new(Message { publish, expires: None });
        Delivery { message, qos: QoS::ExactlyOnce, retain: false, identifiers: Vec::new() }
    }

    fn outbox(window: u16, texts: &[&str]) -> Outbox {
        let mut outbox = Outbox::default();
        outbox.begin(window);
        texts.iter().for_each(|text| outbox.push(delivery(text), 10, 10).unwrap());
        outbox
    }

    fn next(outbox: &mut Outbox) -> String {
        match outbox.next(Time::ZERO) {
            None => "-".into(),
            Some(Sending::Pubrel { packet_id }) => format!("rel {packet_id}"),
            Some(Sending::Publish { packet_id, dup, delivery }) => {
                format!("{} {packet_id}{}", delivery.message.publish.topic, if dup { " dup" } else { "" })
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
        outbox.begin(2);
        let sent: Vec<_> = (0..4).map(|_| next(&mut outbox)).collect();
        assert_eq!(sent, ["a 1 dup", "rel 2", "c 3 dup", "-"]);
        outbox.done(2);
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["d 4", "-"]);
    }

    #[test]
    fn a_smaller_window_holds_resends_back_too() {
        let mut outbox = outbox(3, &["a", "b"]);
        (0..2).for_each(|_| assert_ne!(next(&mut outbox), "-"));
        outbox.begin(1);
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["a 1 dup", "-"]);
        outbox.done(1);
        assert_eq!(next(&mut outbox), "b 2 dup");
    }

    #[test]
    fn a_full_queue_refuses_the_newest() {
        let mut outbox = outbox(1, &["a", "b"]);
        assert_eq!(outbox.push(delivery("c"), 2, 10), Err(Dropped::QueueFull));
        assert_eq!(outbox.push(delivery("c"), 3, 2), Err(Dropped::QueueFull));
        assert_eq!(outbox.push(delivery("c"), 3, 3), Ok(()));
    }

    #[test]
    fn identifiers_go_round_and_skip_those_in_flight() {
        let mut outbox = outbox(5, &["a", "b", "c"]);
        outbox.last_id = u16::MAX - 1;
        assert_eq!([next(&mut outbox), next(&mut outbox)], ["a 65535", "b 1"]);
        outbox.last_id = u16::MAX - 1;
        assert_eq!(next(&mut outbox), "c 2");
    }
}
