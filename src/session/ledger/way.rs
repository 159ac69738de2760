//! One direction of a device's messages.

mod acks;
mod ends;

use super::Book;
use super::entry::{AckKind, Message};
use super::flights::{Doubted, Flight, Flights};
use super::line::Line;
use super::numbers::Numbers;
use super::teller::About;
use crate::base::pack::{Pack, Reader, Writer};
use crate::base::{Direction, LinkId, Time};
use crate::event::{Loss, MessageNews};
use crate::mqtt::QoS;
use std::collections::BTreeSet;
use std::time::Duration;

/// How many PUBREC and PUBREL of nothing in flight are remembered, a direction: a client that is sound sends none. From
/// one more on nothing is anybody's wrong.
const PROMPTED_KEPT: usize = 1024;

/// Clients send again as soon as they are accepted, and a program's other thread may publish something new before that, as it
/// happens to come: a new message tells that nothing is sent again any more only so long after.
const RESENDS_BEGIN_WITHIN: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    /// None until there is a message of QoS 1 or 2.
    flights: Option<Box<Flights>>,
    /// All of the session was seen from its beginning, on the one link of the device so far.
    whole: bool,
    /// Answers may come that are of nothing in flight, and nobody's fault.
    tolerant: bool,
    /// A fault has changed packets, or put some in: what looks wrong may come of that.
    meddled: bool,
    /// The receiver has asked for a shared subscription: what it is not sent, or not sent again, may have gone to another of the
    /// group (MQTT 5, section 4.8.2).
    shared: bool,
    /// The receiver has asked for RETAIN as it was published, so that it says nothing of what the hub had retained.
    as_published: bool,
    /// Both its ends are hubs, and hand on what they had retained, old numbers amid new ones.
    bridged: bool,
    pub numbers: Numbers,
    /// PUBREC and PUBREL of nothing in flight: their other end has to answer them all the same. At most
    /// [`PROMPTED_KEPT`].
    #[expect(clippy::box_collection, reason = "most devices have none, and there may be a million of them")]
    prompted: Option<Box<BTreeSet<(AckKind, u16)>>>,
    /// The device's latest link, and whether it was accepted there.
    latest: Option<(LinkId, bool)>,
}

impl Way {
    /// Appends what is known at rest; `false` where messages or numbers are followed.
    pub fn rest(&self, to: &mut Writer) -> bool {
        let Way {
            flights,
            whole,
            tolerant,
            meddled,
            shared,
            as_published,
            bridged,
            numbers,
            prompted: _,
            latest,
        } = self;
        let asked = u8::from(*shared) | u8::from(*as_published) << 1 | u8::from(*bridged) << 2;
        (*latest, ((*whole, *tolerant), (*meddled, asked))).pack(to);
        flights.is_none() && numbers.is_none()
    }

    /// As it was at rest.
    pub fn wake(from: &mut Reader<'_>) -> Option<Way> {
        let (latest, ((whole, tolerant), (meddled, asked))) = Pack::unpack(from)?;
        let asked: u8 = asked;
        let (shared, as_published, bridged) = (asked & 1 != 0, asked & 2 != 0, asked & 4 != 0);
        Some(Way { latest, whole, tolerant, meddled, shared, as_published, bridged, ..Way::default() })
    }

    /// A CONNECT came, the device's first in the run or not.
    pub fn connect(&mut self, line: &Line, is_first: bool) {
        self.whole = is_first && line.clean;
        self.latest = Some((line.link, false));
        if let Some(flights) = &mut self.flights {
            flights.next_link(line.link);
        }
        if line.clean {
            self.begins_anew(line);
        }
        self.prompted = None;
    }

    /// The device was accepted.
    pub fn accepted(&mut self, line: &Line) {
        let Some((_, accepted)) = self.latest.as_mut().filter(|(link, _)| *link == line.link) else { return };
        *accepted = true;
        // The hub may have sent more on an earlier link, while this one waited.
        if let Some(flights) = &mut self.flights {
            flights.next_link(line.link);
        }
    }

    /// Whether there is a later link that its sender has begun to use: what still comes on this one was sent before that.
    pub fn is_stale(&self, of: Direction, line: &Line) -> bool {
        match of {
            Direction::Up => self.latest.is_some_and(|(link, _)| link > line.link),
            // In the dark the device's next CONNECT does not reach the hub, which goes on sending here.
            Direction::Down => self.is_dead(line),
        }
    }

    /// Whether nobody hears what is passed on: the hub has ended this link when it accepted a later one [MQTT-3.1.4-3].
    fn is_dead(&self, line: &Line) -> bool {
        self.latest.is_some_and(|(link, accepted)| accepted && link > line.link)
    }

    /// The session so far is over, and what its ends knew of messages is forgotten with it.
    pub fn begins_anew(&mut self, line: &Line) {
        if let Some(flights) = &mut self.flights {
            flights.end_session(line.link);
        }
    }

    /// A fault changed a packet, or put one in.
    pub fn meddled(&mut self) {
        self.meddled = true;
    }

    /// Its receiver asks for a shared subscription.
    pub fn shares(&mut self) {
        self.shared = true;
    }

    /// Both its ends are hubs.
    pub fn bridges(&mut self) {
        self.bridged = true;
    }

    /// Whether numbers tell what is missing: not where they may have gone to another receiver, nor where there are old ones amid
    /// the others.
    pub fn follows_numbers(&self) -> bool {
        !self.shared && !self.bridged
    }

    /// Its receiver asks for RETAIN as it was published.
    pub fn as_published(&mut self) {
        self.as_published = true;
    }

    /// Whether the hub had retained it, and sends it since its receiver asked for its topic [MQTT-3.3.1-8].
    pub fn is_retained(&self, of: Direction, m: &Message) -> bool {
        of == Direction::Down && m.retain && !self.as_published
    }

    /// A PUBLISH arrived. True where it is one that was not seen before.
    pub fn arrived(
        &mut self,
        now: Time,
        line: &mut Line,
        of: Direction,
        m: &Message,
        book: &mut Book,
    ) -> bool {
        let about = About { link: Some(line.link), direction: of, qos: m.qos, id: m.id };
        if m.qos != QoS::AtMostOnce {
            let is_new = self.follow(now, line, m, about, book);
            self.check_quota(now, line, about, book);
            return is_new;
        }
        book.sent_plain(of, 1);
        if m.number.is_some() && self.is_stale(of, line) {
            // Its number is left out by what came on the later link, and lost by that.
            return true;
        }
        if m.dup && !self.meddled {
            book.tell(now, about, MessageNews::DupWrong { dup: true });
        }
        if m.dropped {
            book.count(of).lost[0] += 1;
            book.tell(now, about, MessageNews::Lost { first: now, why: Loss::NotPassedOn });
        } else {
            line.ways.get_mut(of).wait(now, 1);
        }
        true
    }

    /// So many plain PUBLISH packets of QoS 0 arrived.
    pub fn arrived_plain(
        &mut self,
        now: Time,
        line: &mut Line,
        of: Direction,
        messages: u32,
        book: &mut Book,
    ) {
        book.sent_plain(of, u64::from(messages));
        line.ways.get_mut(of).wait(now, messages);
    }

    /// So many PUBLISH packets of QoS 0 were passed on.
    pub fn passed_plain(&mut self, line: &mut Line, of: Direction, messages: u32, book: &mut Book) {
        if !self.is_dead(line) {
            book.passed_plain(of, line.pass(of, messages));
        }
    }

    /// So many PUBLISH packets of QoS 0 were written, and whether their receiver got them will not be known.
    pub fn passed_unknown(&mut self, line: &mut Line, of: Direction, messages: u32, book: &mut Book) {
        book.count(of).unfollowed[0] += line.ways.get_mut(of).go(messages);
    }

    /// A PUBLISH of QoS 1 or 2: of which message it is.
    fn follow(&mut self, now: Time, line: &mut Line, m: &Message, about: About, book: &mut Book) -> bool {
        let (id, link, of) = (m.id, line.link, about.direction);
        let is_known_later = |flights: &Flights| flights.get(id).is_some_and(|known| known.link > link);
        if self.is_stale(of, line) || self.flights.as_deref().is_some_and(is_known_later) {
            return self.comes_late(m, of, book);
        }
        let is_retained = self.is_retained(of, m);
        let has_settled = line.accepted().is_some_and(|at| now.since(at) >= RESENDS_BEGIN_WITHIN);
        let in_way = line.ways.get_mut(of);
        let flights = self.flights.get_or_insert_default();
        // Of a session that is over a hub sends nothing again: what it sends says the same, and is another message.
        let is_another = |known: &Flight| of == Direction::Down && !m.dup && known.session_over;
        if let Some(known) = flights.get(id) {
            let (first, before) = (known.first, known.link);
            let is_of_session = before == link || (line.goes_on && !known.session_over);
            let must_not_be = is_of_session && !self.meddled;
            if known.hash == m.hash && known.qos == m.qos && !is_another(known) {
                in_way.in_flight += u32::from(before != link);
                in_way.fresh &= before == link;
                flights.sent_again(id, link);
                self.sent_again(now, m, about, first, false, book);
                // In a session of its own it is a new packet, for all that the standard says.
                if !m.dup && must_not_be {
                    book.tell(now, about, MessageNews::DupWrong { dup: false });
                }
                return false;
            }
            if must_not_be {
                book.tell(now, about, MessageNews::IdInUse { first });
            }
            in_way.in_flight = in_way.in_flight.saturating_sub(u32::from(before == link));
            if let Some(left) = flights.displace(id) {
                Way::leave(of, &left, book);
                let counts = book.count(of);
                let left_behind = if left.is_had() { &mut counts.in_flight } else { &mut counts.unfollowed };
                left_behind[nth(left.qos)] += 1;
            }
        }
        in_way.in_flight += 1;
        let was_fresh = std::mem::take(&mut in_way.fresh);
        // Nor is what it sends for a SUBSCRIBE one that it had sent before.
        let may_be = |known: &Flight| {
            known.qos == m.qos && known.link != link && !is_another(known) && (!is_retained || m.dup)
        };
        if let Some(known) = flights.renumber(id, m.hash, link, may_be) {
            let first = known.first;
            self.sent_again(now, m, about, first, true, book);
            return false;
        }
        if m.dup
            && let Some(known) = flights.revive(id, m.hash, m.qos, link)
        {
            let first = known.first;
            self.sent_again(now, m, about, first, false, book);
            return false;
        }
        book.count(of).sent[nth(m.qos)] += 1;
        in_way.fresh = was_fresh || has_settled;
        if m.dup && self.sees_all() {
            book.tell(now, about, MessageNews::DupWrong { dup: true });
        }
        self.flights.get_or_insert_default().insert(m, now, link);
        true
    }

    /// A PUBLISH comes on an earlier link than the latest: it was sent before that, and again since, if its sender keeps
    /// to the standard. What is not known any more may be one that came through long ago.
    fn comes_late(&mut self, m: &Message, of: Direction, book: &mut Book) -> bool {
        self.tolerant = true;
        let is_it = |flights: &Flights| flights.is_known(m.id, m.hash, m.qos);
        let is_known = self.flights.as_deref().is_some_and(is_it);
        book.count(of).unfollowed[nth(m.qos)] += u64::from(!is_known);
        false
    }

    fn sent_again(
        &mut self,
        now: Time,
        m: &Message,
        about: About,
        first: Time,
        renumbered: bool,
        book: &mut Book,
    ) {
        self.tolerant = true;
        book.count(about.direction).retransmitted[nth(m.qos)] += 1;
        book.tell(now, about, MessageNews::Retransmitted { first, dup: m.dup, renumbered });
    }

    /// Whether nothing can be in flight that is not known.
    fn sees_all(&self) -> bool {
        self.whole && !self.tolerant && !self.meddled
    }

    fn check_quota(&self, now: Time, line: &Line, about: About, book: &mut Book) {
        let in_flight = line.ways.get(about.direction).in_flight;
        let allowed = *line.allowed.get(about.direction);
        if in_flight > u32::from(allowed) && !self.meddled {
            book.tell(now, about, MessageNews::ReceiveMaximum { in_flight, allowed });
        }
    }

    /// A PUBLISH was passed on.
    pub fn passed(&mut self, now: Time, line: &mut Line, about: About, book: &mut Book) {
        let (of, qos) = (about.direction, nth(about.qos));
        if self.is_dead(line) {
            return;
        }
        if about.qos == QoS::AtMostOnce {
            if line.pass(of, 1) > 0 {
                book.passed_plain(of, 1);
            }
            return;
        }
        let Some(flight) = self.flight(about.id, about.qos) else {
            return;
        };
        let is_new_to_it = about.qos == QoS::AtLeastOnce || flight.anew;
        let released = flight.released;
        (flight.anew, flight.released) = (false, false);
        let was_doubted = std::mem::take(&mut flight.doubted);
        match flight.passed {
            None => {
                (flight.passed, flight.on) = (Some(now), line.link);
                book.count(of).received[qos] += 1;
            }
            Some(_) if was_doubted => {
                flight.on = line.link;
                if is_new_to_it {
                    let counts = book.count(of);
                    counts.duplicated[qos] += 1;
                    counts.doubted_again[qos] += 1;
                    self.tolerant = true;
                }
            }
            Some(first) if is_new_to_it => {
                if flight.on != line.link {
                    flight.before = Some(std::mem::replace(&mut flight.on, line.link));
                }
                self.duplicated(now, about, first, released, 1, book);
            }
            Some(_) => {}
        }
    }

    /// Copies of a PUBLISH were passed on, that a fault made.
    pub fn copied(&mut self, now: Time, line: &Line, about: About, copies: u32, book: &mut Book) {
        if self.is_dead(line) {
            return;
        }
        let flight = self.flight(about.id, about.qos);
        let first = flight.as_ref().and_then(|flight| flight.passed).unwrap_or(now);
        let (released, times) = match (about.qos, flight) {
            (QoS::AtMostOnce | QoS::AtLeastOnce, _) => (false, copies),
            // Its receiver knows it by its identifier until PUBREL, and then once more.
            (QoS::ExactlyOnce, Some(flight)) => {
                let is_new_to_it = std::mem::take(&mut flight.anew);
                (std::mem::take(&mut flight.released), u32::from(is_new_to_it))
            }
            (QoS::ExactlyOnce, None) => (true, 1),
        };
        self.duplicated(now, about, first, released, times, book);
    }

    /// A receiver's leg went before its system had acknowledged all that was passed on, or it was never accepted there.
    pub fn doubt(&mut self, line: &Line, of: Direction, book: &mut Book) {
        let doubted = self.flights.as_mut().map(|flights| flights.doubt(line.link)).unwrap_or_default();
        if doubted != Doubted::default() {
            let counts = book.count(of);
            counts.doubted_again.iter_mut().zip(doubted.duplicates).for_each(|(sum, more)| *sum += more);
            counts.doubted.iter_mut().zip(doubted.received).for_each(|(sum, more)| *sum += more);
        }
    }

    /// The leg of their sender went: of the last that it was told of, so many, and all since then, are in doubt.
    pub fn doubt_acks(&mut self, line: &Line, unacknowledged: u32, since: Option<Time>) {
        if let Some(flights) = &mut self.flights {
            flights.doubt_told(line.link, unacknowledged, since);
        }
    }

    /// What is no longer followed was received, or perhaps not.
    fn leave(of: Direction, flight: &Flight, book: &mut Book) {
        if flight.doubted {
            book.count(of).doubted[nth(flight.qos)] += 1;
        }
    }

    fn duplicated(
        &mut self,
        now: Time,
        about: About,
        first: Time,
        released: bool,
        times: u32,
        book: &mut Book,
    ) {
        if times > 0 {
            self.tolerant = true;
            book.count(about.direction).duplicated[nth(about.qos)] += u64::from(times);
            book.tell(now, about, MessageNews::Duplicated { first, released });
        }
    }

    /// The message of that identifier and quality of service.
    fn flight(&mut self, id: u16, qos: QoS) -> Option<&mut Flight> {
        self.flights.as_mut()?.get_mut(id).filter(|flight| flight.qos == qos)
    }
}

/// The place of a quality of service among its counts.
fn nth(qos: QoS) -> usize {
    usize::from(qos.number())
}
