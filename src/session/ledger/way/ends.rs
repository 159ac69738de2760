//! What is left of one direction's messages when a link is over, the run, or all that is known of the device.

use super::{Way, nth};
use crate::base::{Direction, Time};
use crate::event::{Loss, MessageNews};
use crate::mqtt::QoS;
use crate::session::ledger::Book;
use crate::session::ledger::flights::Flight;
use crate::session::ledger::line::Line;
use crate::session::ledger::teller::{About, NEWS_A_SECOND};
use std::time::Duration;

/// On a link that was accepted, a sender that says anything so long after has sent again what it was going to: clients do
/// so at once. TCP keeps the order, so that what it sent before has come.
const RESENDS_WITHIN: Duration = Duration::from_secs(5);

/// Intervals of expiry are of whole seconds, and a hub hands on what is left of them.
const EXPIRY_ROUNDED: Duration = Duration::from_secs(1);

impl Way {
    /// A link is over. `heard`: when its sender was last heard of on it. `stopped`: the run is over, and that ended it.
    pub fn link_ended(
        &mut self,
        now: Time,
        line: &mut Line,
        of: Direction,
        heard: Option<Time>,
        stopped: bool,
        book: &mut Book,
    ) {
        let about = About { link: Some(line.link), direction: of, qos: QoS::AtMostOnce, id: 0 };
        // Where it was not accepted, the link before is the one in use, if it is still there.
        self.latest = self.latest.filter(|latest| *latest != (line.link, false));
        let left = line.ways.get_mut(of).abandon();
        let waiting: u64 = left.iter().map(|(_, messages)| messages).sum();
        // Where there is none, no memory is taken to count it.
        if stopped && waiting > 0 {
            book.count(of).in_flight[0] += waiting;
        } else if waiting > 0 {
            book.count(of).lost[0] += waiting;
            for (first, messages) in left {
                let news = MessageNews::Lost { first, why: Loss::NotPassedOn };
                let one_by_one = messages.min(u64::from(NEWS_A_SECOND));
                (1..one_by_one).for_each(|_| book.tell(now, about, news.clone()));
                book.tell_of_many(now, about, news, messages - one_by_one);
            }
        }
        if let Some(messages) = line.unaccepted(of) {
            // No end has to take what it is sent before a CONNACK that accepts [MQTT-3.1.4-5, MQTT-3.2.0-1].
            book.count(of).doubted[0] += u64::from(messages);
            self.doubt(line, of, book);
        }
        let lived_on =
            heard.zip(line.accepted()).is_some_and(|(heard, from)| heard.since(from) >= RESENDS_WITHIN);
        if line.ways.get(of).fresh || lived_on {
            let given_up = self.flights.as_mut().map(|flights| flights.give_up(line.link));
            for flight in given_up.unwrap_or_default() {
                let about = About { qos: flight.qos, id: flight.id, ..about };
                let (first, session_over) = (flight.first, flight.session_over);
                let has_expired = line.accepted().is_some_and(|at| at + EXPIRY_ROUNDED >= flight.expires);
                let is_anothers = self.shared && flight.qos == QoS::AtLeastOnce;
                if flight.acked || flight.passed.is_some() || is_anothers {
                    Way::leave(of, &flight, book);
                    let counts = book.count(of);
                    // Its receiver has it, and its sender never learns that; or whether it has it is not known, nor whether
                    // another of its group has, to whom the hub may send it instead (MQTT 5, section 4.8.2).
                    let left = if flight.is_had() { &mut counts.in_flight } else { &mut counts.unfollowed };
                    left[nth(flight.qos)] += 1;
                    if !session_over && !is_anothers && !has_expired {
                        book.tell(now, about, MessageNews::GivenUp { first });
                    }
                    continue;
                }
                book.count(of).lost[nth(flight.qos)] += 1;
                let why = match (session_over, has_expired) {
                    (true, _) => Loss::SessionOver,
                    (false, true) => Loss::Expired,
                    (false, false) => Loss::NeverSentAgain,
                };
                book.tell(now, about, MessageNews::Lost { first, why });
            }
        }
        if let Some(flights) = self.flights.as_mut().filter(|_| line.ways.get(of).fresh || lived_on) {
            flights.trust_told(line.link);
        }
        let untold = self.flights.as_mut().map(|flights| flights.take_untold());
        Way::count_untold(untold, of, book);
        self.numbers.link_ended(now, line, of, heard, book);
    }

    /// What told their sender that so many have arrived may never have come to it.
    fn count_untold(untold: Option<[u64; 3]>, of: Direction, book: &mut Book) {
        if let Some(untold) = untold.filter(|untold| *untold != [0; 3]) {
            let counts = &mut book.count(of).doubted_completed;
            counts.iter_mut().zip(untold).for_each(|(sum, more)| *sum += more);
        }
    }

    /// No link of the device is left.
    pub fn alone(&mut self, of: Direction, book: &mut Book) {
        for left in self.flights.as_mut().map(|flights| flights.prune()).unwrap_or_default() {
            Way::leave(of, &left, book);
            book.count(of).unfollowed[nth(left.qos)] += 1;
        }
    }

    /// The run is over.
    pub fn run_ended(&mut self, now: Time, of: Direction, book: &mut Book) {
        self.tell_untold(of, book);
        for flight in self.take_all() {
            Way::leave(of, &flight, book);
            book.count(of).in_flight[nth(flight.qos)] += 1;
            let about = About { link: None, direction: of, qos: flight.qos, id: flight.id };
            book.tell(now, about, MessageNews::InFlight { first: flight.first });
        }
        self.numbers.end(now, of, book);
    }

    /// The device is forgotten.
    pub fn forgotten(&mut self, now: Time, of: Direction, book: &mut Book) {
        self.tell_untold(of, book);
        for left in self.take_all() {
            Way::leave(of, &left, book);
            book.count(of).unfollowed[nth(left.qos)] += 1;
        }
        self.numbers.end(now, of, book);
    }

    /// Of those that were doubted, nothing more will be known.
    fn tell_untold(&mut self, of: Direction, book: &mut Book) {
        let untold = self.flights.as_mut().map(|flights| flights.take_all_untold());
        Way::count_untold(untold, of, book);
    }

    /// All that is in flight, oldest first.
    fn take_all(&mut self) -> Vec<Flight> {
        self.flights.as_mut().map(|flights| flights.take_all()).unwrap_or_default()
    }
}
