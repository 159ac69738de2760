//! The ledgers of all devices: each is opened with a device's first CONNECT, and shared by its links.
//!
//! It is closed with the run, or, by an observer, when the device is forgotten: then what it still holds is told, so that
//! counts stay exact, and memory is bounded by the devices that are remembered. While a device is away, its ledger is at rest
//! as a few bytes.

use super::{Ledger, News};
use crate::base::{DeviceId, Shelf, Store, Time, Ways};
use crate::event::Delivery;
use std::sync::{Arc, Mutex, PoisonError};

/// The books.
#[derive(Debug, Default)]
pub struct Books {
    open: Shelf<DeviceId, Arc<Mutex<Ledger>>>,
    /// [`Ledger::rest`]
    at_rest: Store<DeviceId>,
}

/// What a ledger comes to as it is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose it was.
    pub device: DeviceId,
    /// Its last news.
    pub news: Vec<News>,
    /// Its last counts, if there are any.
    pub counts: Option<Ways<Delivery>>,
}

impl Books {
    /// The ledger of a device, opened if need be; `greatest` as in [`Ledger::new`].
    pub fn of(&mut self, device: DeviceId, greatest: Option<u64>) -> Arc<Mutex<Ledger>> {
        if let Some(ledger) = self.open.get(&device) {
            return Arc::clone(ledger);
        }
        // What came to rest here can be woken.
        let ledger = self.at_rest.get(&device).and_then(|bytes| Ledger::wake(bytes, greatest));
        self.at_rest.remove(&device);
        let ledger = Arc::new(Mutex::new(ledger.unwrap_or_else(|| Ledger::new(greatest))));
        self.open.insert(device, Arc::clone(&ledger));
        ledger
    }

    /// A link of the device is over: its ledger may rest, where no other has it.
    pub fn rest(&mut self, device: DeviceId) {
        let bytes = self
            .open
            .get_mut(&device)
            .and_then(Arc::get_mut)
            .and_then(|ledger| ledger.get_mut().unwrap_or_else(PoisonError::into_inner).rest());
        if bytes.is_some_and(|bytes| self.at_rest.insert(device, &bytes)) {
            self.open.remove(&device);
        }
    }

    /// No link is left: keeps no room for more ledgers.
    pub fn pack_up(&mut self) {
        self.open.shrink();
        self.at_rest.shrink();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len() + self.at_rest.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A device is forgotten, and has no link: its ledger is closed, if it had one.
    pub fn forget(&mut self, now: Time, device: DeviceId) -> Option<Account> {
        // Of one at rest nothing was in flight, and all was told.
        let rested = self.at_rest.remove(&device).then(|| Account { device, news: Vec::new(), counts: None });
        let open = self.open.remove(&device);
        open.map(|ledger| account(now, device, &ledger, Ledger::forgotten)).or(rested)
    }

    /// The run is over: every ledger is closed. Those at rest have nothing to tell.
    pub fn close(&self, now: Time) -> impl Iterator<Item = Account> {
        self.open.iter().map(move |(device, ledger)| account(now, *device, ledger, Ledger::run_ended))
    }
}

fn account(
    now: Time,
    device: DeviceId,
    ledger: &Mutex<Ledger>,
    end: fn(&mut Ledger, Time) -> Vec<News>,
) -> Account {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let news = end(&mut ledger, now);
    Account { device, news, counts: ledger.flush() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Direction, Ends, LinkId};
    use crate::mqtt::{QoS, Version};
    use crate::session::ledger::{Ack, AckKind, Entry, Line, Message};
    use std::time::Duration;

    /// A device sends three messages of QoS 1, of which one is acknowledged, and goes.
    fn comes_and_goes(books: &mut Books, device: DeviceId, now: Time) -> Ways<Delivery> {
        let ledger = books.of(device, None);
        let mut line = Line::new(LinkId(u64::from(device.0)));
        let mut entries = vec![
            Entry::Connect { clean: false, version: Version::V311, receive_maximum: None },
            Entry::Accepted { session_present: false, receive_maximum: None },
        ];
        for id in 1..=3 {
            let (qos, hash) = (QoS::AtLeastOnce, u64::from(id));
            let message = Message {
                qos,
                id,
                dup: false,
                retain: false,
                expiry: None,
                hash,
                topic: 1,
                number: None,
                dropped: false,
            };
            entries.push(Entry::Arrived(Direction::Up, message));
            entries.push(Entry::Passed { direction: Direction::Up, qos, id });
        }
        let ack = Ack { direction: Direction::Up, kind: AckKind::Puback, id: 2, refuses: false };
        entries.extend([Entry::AckArrived(ack), Entry::AckPassed(ack)]);
        let mut ledger = ledger.lock().unwrap();
        assert_eq!(ledger.take(now, &mut line, &entries), []);
        assert_eq!(ledger.link_ended(now, &mut line, Ends::default(), false), []);
        ledger.flush().unwrap()
    }

    #[test]
    fn a_ledger_that_rested_is_what_it_was() {
        let now = Time::from_secs(7);
        let (device, mut books) = (DeviceId(3), Books::default());
        let talks = |ledger: &Mutex<Ledger>, link: u64, messages: u64| {
            let mut ledger = ledger.lock().unwrap();
            let mut line = Line::new(LinkId(link));
            let version = Version::V311;
            let mut at = now + Duration::from_secs(link * 100);
            ledger.take(at, &mut line, &[Entry::Connect { clean: true, version, receive_maximum: None }]);
            ledger.take(at, &mut line, &[Entry::Accepted { session_present: false, receive_maximum: None }]);
            for _ in 0..messages {
                at += Duration::from_secs(2);
                let direction = Direction::Up;
                ledger.take(at, &mut line, &[Entry::ArrivedPlain { direction, messages: 1 }]);
                ledger.take(at, &mut line, &[Entry::PassedPlain { direction, messages: 1 }]);
            }
            ledger.link_ended(at, &mut line, Ends::default(), false);
            ledger.flush();
        };
        for (link, messages) in [(1, 0), (2, 3), (3, 40), (4, 1)] {
            let ledger = books.of(device, Some(9));
            talks(&ledger, link, messages);
            books.rest(device);
            assert!(books.open.contains_key(&device), "a link has it");
            let before = format!("{ledger:?}");
            drop(ledger);
            books.rest(device);
            assert!(books.at_rest.contains_key(&device) && books.open.is_empty());
            assert_eq!(format!("{:?}", books.of(device, Some(9))), before);
        }
    }

    #[test]
    fn what_follows_messages_does_not_rest() {
        let (device, mut books) = (DeviceId(3), Books::default());
        comes_and_goes(&mut books, device, Time::from_secs(1));
        books.rest(device);
        assert!(books.open.contains_key(&device));
        assert_eq!(books.close(Time::from_secs(5)).next().unwrap().news.len(), 2);
    }

    #[test]
    fn what_a_forgotten_device_left_in_flight_is_told_once_and_is_neither_lost_nor_of_the_end_of_the_run() {
        let mut books = Books::default();
        let mut sums = [0; 4];
        for device in (0..10).map(DeviceId) {
            let mut up = comes_and_goes(&mut books, device, Time::from_secs(1)).up;
            if let Some(counts) = books.forget(Time::from_secs(2), device).and_then(|told| told.counts) {
                up.add(&counts.up);
            }
            assert_eq!(books.forget(Time::from_secs(3), device), None);
            let counts = [up.sent[1], up.completed[1], up.unfollowed[1], up.lost[1] + up.in_flight[1]];
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        assert_eq!(sums, [30, 10, 20, 0]);
        assert!(books.is_empty());
        comes_and_goes(&mut books, DeviceId(11), Time::from_secs(4));
        assert_eq!(books.len(), 1);
        let told: Vec<Account> = books.close(Time::from_secs(5)).collect();
        assert_eq!((told[0].device, told[0].news.len()), (DeviceId(11), 2));
        let up = told[0].counts.unwrap().up;
        assert_eq!((up.in_flight[1], up.unfollowed), (2, [0; 3]));
    }
}
