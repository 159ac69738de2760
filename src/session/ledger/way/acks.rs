//! Acknowledgements of one direction's messages, and what they complete.

use super::{PROMPTED_KEPT, Way, nth};
use crate::base::{Direction, LinkId, Time};
use crate::event::{Loss, MessageNews};
use crate::session::ledger::Book;
use crate::session::ledger::entry::{Ack, AckKind};
use crate::session::ledger::flights::Flight;
use crate::session::ledger::line::Line;
use crate::session::ledger::teller::About;

impl Way {
    /// An acknowledgement, or a PUBREL, arrived.
    pub fn ack_arrived(&mut self, now: Time, line: &mut Line, ack: &Ack, book: &mut Book) {
        let qos = ack.kind.qos();
        if self.flight(ack.id, qos).is_none() && self.sees_all() && !self.is_prompted(ack) {
            let about = About { link: Some(line.link), direction: ack.direction, qos, id: ack.id };
            let packet = ack.kind.word().to_owned();
            book.tell(now, about, MessageNews::UnknownAck { packet });
        }
        let Some(flight) = self.answered(ack) else { return };
        match ack.kind {
            AckKind::Puback => (flight.acked, flight.taken, flight.doubted) = (true, true, false),
            AckKind::Pubrec if ack.refuses => flight.doubted = false,
            AckKind::Pubrec => (flight.acked, flight.doubted) = (true, false),
            AckKind::Pubcomp => flight.taken = true,
            // What has come as far as PUBREC is sent on as PUBREL; sent twice, it is answered twice.
            AckKind::Pubrel => {
                let is_again = flight.released;
                self.tolerant |= is_again;
                self.sent_on(ack.id, line.link);
            }
        }
    }

    /// The message that an acknowledgement is of. Hubs without QoS 2 answer it with PUBACK, and clients take that for the end of it
    /// (RabbitMQ 3.10 is such a hub).
    fn answered(&mut self, ack: &Ack) -> Option<&mut Flight> {
        let is_of = |flight: &Flight| flight.qos == ack.kind.qos() || ack.kind == AckKind::Puback;
        self.flights.as_mut()?.get_mut(ack.id).filter(|flight| is_of(flight))
    }

    /// Whether an acknowledgement of nothing in flight answers such a one of the other end's, as it has to. It is remembered
    /// if it asks for an answer itself.
    fn is_prompted(&mut self, ack: &Ack) -> bool {
        let prompted = self.prompted.get_or_insert_default();
        let prompt = match ack.kind {
            AckKind::Puback => return false,
            AckKind::Pubrec => None,
            AckKind::Pubrel => Some(AckKind::Pubrec),
            AckKind::Pubcomp => return prompted.contains(&(AckKind::Pubrel, ack.id)),
        };
        let is_prompted = prompt.is_some_and(|prompt| prompted.contains(&(prompt, ack.id)));
        if prompted.len() < PROMPTED_KEPT {
            prompted.insert((ack.kind, ack.id));
        } else {
            (self.tolerant, self.prompted) = (true, None);
        }
        is_prompted
    }

    /// An acknowledgement, or a PUBREL, was passed on.
    pub fn ack_passed(&mut self, now: Time, line: &mut Line, ack: &Ack, book: &mut Book) {
        let Some(flight) = self.answered(ack) else { return };
        let qos = flight.qos;
        if ack.kind == AckKind::Pubrel {
            // From now on its receiver has forgotten the identifier.
            (flight.anew, flight.released) = (true, true);
        }
        if ack.is_last() {
            let is_news = self.complete(line, ack.direction, ack.id, Some(now));
            book.count(ack.direction).completed[nth(qos)] += u64::from(is_news);
        }
    }

    /// A fault told the sender that the message has arrived.
    pub fn falsely_acknowledged(
        &mut self,
        now: Time,
        line: &mut Line,
        of: Direction,
        id: u16,
        book: &mut Book,
    ) {
        self.tolerant = true;
        let Some(flight) = self.flights.as_deref().and_then(|flights| flights.get(id)) else { return };
        let about = About { link: Some(line.link), direction: of, qos: flight.qos, id };
        let (first, has_arrived, is_doubted) = (flight.first, flight.passed.is_some(), flight.doubted);
        let is_news = self.complete(line, of, id, has_arrived.then_some(now));
        if has_arrived {
            let counts = book.count(of);
            counts.completed[nth(about.qos)] += u64::from(is_news);
            let is_doubted = u64::from(is_news && is_doubted);
            counts.doubted[nth(about.qos)] += is_doubted;
            counts.unfollowed[nth(about.qos)] += is_doubted;
        } else if is_news {
            book.count(of).lost[nth(about.qos)] += 1;
            book.tell(now, about, MessageNews::Lost { first, why: Loss::FalselyAcknowledged });
        }
    }

    /// A message goes on on this link.
    fn sent_on(&mut self, id: u16, link: LinkId) {
        if let Some(flights) = &mut self.flights {
            flights.sent_again(id, link);
        }
    }

    /// A message is through. `told`: when its sender was told so, where it has arrived. Answers whether it had not been before.
    fn complete(&mut self, line: &mut Line, of: Direction, id: u16, told: Option<Time>) -> bool {
        let told = told.map(|at| (at, line.link));
        let completed = self.flights.as_mut().and_then(|flights| flights.complete(id, told));
        let Some((link, before)) = completed else { return false };
        let in_way = line.ways.get_mut(of);
        in_way.in_flight = in_way.in_flight.saturating_sub(u32::from(link == line.link));
        !before
    }
}
