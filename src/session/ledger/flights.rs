//! Messages of QoS 1 and 2 in one direction that are on their way, by packet identifier and by what they say.
//!
//! ```text
//!   PUBLISH arrived ──▶ in flight ──PUBACK, PUBCOMP passed on──▶ settled (the last few are remembered)
//!                        │    ▲
//!       later CONNECT ───┤    └── sent again, under its identifier or another
//!                        ▼
//!                      earlier ──identifier taken by a new message──▶ displaced
//! ```

use super::entry::Message;
use crate::base::{LinkId, Time};
use crate::mqtt::QoS;
use crate::session::numbered::Numbered;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How many messages of ended links are followed, a direction. Clients keep a few dozen in flight, hubs up to some
/// thousand for each; those beyond, the oldest, are counted as in flight and not followed.
pub const ENDED_LIMIT: usize = 4096;

/// How many completed messages are remembered, a direction: their sender may not have got the last acknowledgement, and
/// send them again. More than clients have in flight by default.
const SETTLED_KEPT: usize = 64;

/// A message of QoS 1 or 2.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    /// Its packet identifier.
    pub id: u16,
    pub hash: u64,
    pub qos: QoS,
    /// When it was first seen.
    pub first: Time,
    /// From when on its sender need not send it any more (MQTT 5, section 3.3.2.3.3).
    pub expires: Time,
    /// The link that it was last sent on.
    pub link: LinkId,
    /// When it was first passed on.
    pub passed: Option<Time>,
    /// The link on which it was last passed on, and its receiver took it for new.
    pub on: LinkId,
    /// The link on which it had been before, where it was counted as a duplicate.
    pub before: Option<LinkId>,
    /// It was passed on once that counts, and perhaps never got there.
    pub doubted: bool,
    /// Its receiver has acknowledged it, and so has it.
    pub acked: bool,
    /// Its receiver has acknowledged it for good: PUBACK, PUBCOMP.
    pub taken: bool,
    /// Of QoS 2: passed on again, its receiver takes it for a new one.
    pub anew: bool,
    /// Of QoS 2: its sender has released it in this session, and may not send it again.
    pub released: bool,
    /// The session that it was last sent in is over: nobody has to send it again.
    pub session_over: bool,
    /// It was counted as completed or lost: sent again all the same, it is not counted so twice.
    pub counted: bool,
    /// It counts as completed: what told its sender so.
    told: Option<Told>,
    /// In the order of first sight.
    serial: u64,
}

/// What told a sender that its message has arrived was passed on.
#[derive(Clone, Copy, Debug)]
struct Told {
    at: Time,
    on: LinkId,
    /// It perhaps never got there.
    doubted: bool,
}

impl Flight {
    /// Whether its receiver has it. PUBREC says that it keeps it until PUBREL, which many hand on only then, and with its session
    /// it may have thrown it away.
    pub fn is_had(&self) -> bool {
        self.acked && (self.taken || !self.session_over || self.qos != QoS::ExactlyOnce)
    }

    fn is_told_in_doubt(&self) -> bool {
        self.told.is_some_and(|told| told.doubted)
    }
}

/// So many that were counted are only perhaps, by quality of service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubted {
    pub duplicates: [u64; 3],
    pub received: [u64; 3],
}

#[derive(Clone, Debug, Default)]
pub(super) struct Flights {
    by_id: Numbered<Flight>,
    /// Of those, the ones that were last sent on an earlier link than the latest: hash, serial, identifier.
    earlier: BTreeSet<(u64, u64, u16)>,
    /// Of an earlier link, whose identifier a new message has: by hash and serial.
    displaced: BTreeMap<(u64, u64), Flight>,
    /// Their hashes by serial, the oldest first: a sender that never waits displaces one with each PUBLISH.
    displaced_by_age: BTreeMap<u64, u64>,
    settled: VecDeque<Flight>,
    /// Of those that are remembered no more, whose sender was perhaps not told, by quality of service.
    untold: [u64; 3],
    next: u64,
}

impl Flights {
    pub fn get(&self, id: u16) -> Option<&Flight> {
        self.by_id.get(id)
    }

    pub fn get_mut(&mut self, id: u16) -> Option<&mut Flight> {
        self.by_id.get_mut(id)
    }

    /// A new message.
    pub fn insert(&mut self, m: &Message, first: Time, link: LinkId) {
        let Message { id, hash, qos, expiry, .. } = *m;
        let expires = expiry.map_or(Time::MAX, |seconds| first + Duration::from_secs(seconds.into()));
        let serial = self.next;
        self.next += 1;
        let flight = Flight {
            id,
            hash,
            qos,
            first,
            expires,
            link,
            passed: None,
            on: link,
            before: None,
            doubted: false,
            acked: false,
            taken: false,
            anew: false,
            released: false,
            session_over: false,
            counted: false,
            told: None,
            serial,
        };
        self.by_id.insert(id, flight);
    }

    /// A leg of this link went before its system had acknowledged all, or its receiver was never accepted there. How many messages
    /// were counted as duplicates, and how many of those given up as received, and are only perhaps, by quality of service.
    pub fn doubt(&mut self, link: LinkId) -> Doubted {
        let mut doubted = Doubted::default();
        let flights = self.by_id.values_mut().chain(self.displaced.values_mut()).chain(&mut self.settled);
        for flight in flights {
            let is_unanswered = flight.passed.is_some() && !flight.acked;
            let is_open = is_unanswered && !flight.counted;
            let is_again = match flight.before {
                Some(before) if before == link => {
                    flight.before = None;
                    true
                }
                Some(before) if flight.on == link && is_open => {
                    (flight.on, flight.before) = (before, None);
                    true
                }
                Some(_) | None => {
                    flight.doubted |= flight.before.is_none() && flight.on == link && is_open;
                    false
                }
            };
            // It was given up while this link was still there.
            let is_left = is_unanswered && flight.counted && flight.on == link && !flight.doubted;
            flight.doubted |= is_left;
            let qos = usize::from(flight.qos.number());
            doubted.duplicates[qos] += u64::from(is_again);
            doubted.received[qos] += u64::from(is_left);
        }
        doubted
    }

    /// The leg of their sender went, on this link: of the last that it was told of there so many, and all since this time, are
    /// in doubt.
    pub fn doubt_told(&mut self, link: LinkId, most: u32, since: Option<Time>) {
        let told = self.settled.iter_mut().rev().filter_map(|flight| flight.told.as_mut());
        for (nth, told) in (0..).zip(told.filter(|told| told.on == link)) {
            told.doubted |= nth < most || since.is_some_and(|since| told.at >= since);
        }
    }

    /// On a link after these its sender has gone on, and sent again what it was not told of.
    pub fn trust_told(&mut self, before: LinkId) {
        for flight in self.settled.iter_mut().filter(|flight| !flight.session_over) {
            if let Some(told) = flight.told.as_mut().filter(|told| told.on < before) {
                told.doubted = false;
            }
        }
    }

    /// Of how many, remembered no more, the sender was perhaps not told, by quality of service.
    pub fn take_untold(&mut self) -> [u64; 3] {
        std::mem::take(&mut self.untold)
    }

    /// The same, and of those that are remembered: nothing more comes.
    pub fn take_all_untold(&mut self) -> [u64; 3] {
        let mut untold = self.take_untold();
        let flights = self.by_id.values_mut().chain(self.displaced.values_mut()).chain(&mut self.settled);
        for flight in flights.filter(|flight| flight.is_told_in_doubt()) {
            flight.told = None;
            untold[usize::from(flight.qos.number())] += 1;
        }
        untold
    }

    /// A message of that identifier is sent again on this link.
    pub fn sent_again(&mut self, id: u16, link: LinkId) {
        if let Some(flight) = self.by_id.get_mut(id) {
            (flight.link, flight.session_over) = (link, false);
            self.earlier.remove(&(flight.hash, flight.serial, id));
        }
    }

    /// A new message takes the identifier of this one. Answers with the one that is not followed any further: this one, if its
    /// receiver has acknowledged it, or one that there is no room for.
    pub fn displace(&mut self, id: u16) -> Option<Flight> {
        let flight = self.remove(id)?;
        if flight.acked {
            self.settle(Flight { counted: true, ..flight.clone() });
            return Some(flight).filter(|flight| !flight.counted);
        }
        self.displaced_by_age.insert(flight.serial, flight.hash);
        self.displaced.insert((flight.hash, flight.serial), flight);
        if self.displaced.len() <= ENDED_LIMIT {
            return None;
        }
        let (serial, hash) = self.displaced_by_age.pop_first()?;
        self.displaced.remove(&(hash, serial))
    }

    /// Finds a message of an earlier link that says the same, and may be it, and gives it this identifier.
    pub fn renumber(
        &mut self,
        id: u16,
        hash: u64,
        link: LinkId,
        may_be: impl Fn(&Flight) -> bool,
    ) -> Option<&Flight> {
        if self.earlier.is_empty() && self.displaced.is_empty() {
            return None;
        }
        let every = (hash, 0, 0)..=(hash, u64::MAX, u16::MAX);
        let known = self
            .earlier
            .range(every)
            .map(|(_, _, id)| *id)
            .find(|id| self.by_id.get(*id).is_some_and(&may_be));
        let mut flight = match known {
            Some(before) => self.remove(before)?,
            None => {
                let mut same = self.displaced.range((hash, 0)..=(hash, u64::MAX));
                let key = same.find(|(_, flight)| may_be(flight)).map(|(key, _)| *key)?;
                self.displaced_by_age.remove(&key.1);
                self.displaced.remove(&key)?
            }
        };
        // That it is the same is likely, and not sure.
        (flight.id, flight.link, flight.anew, flight.released) = (id, link, true, false);
        flight.session_over = false;
        self.by_id.insert_new(id, flight);
        self.by_id.get(id)
    }

    /// Whether a message of that identifier says that, in flight or completed.
    pub fn is_known(&self, id: u16, hash: u64, qos: QoS) -> bool {
        let is_it = |known: &Flight| known.id == id && known.hash == hash && known.qos == qos;
        self.by_id.get(id).is_some_and(is_it) || self.settled.iter().any(is_it)
    }

    /// A completed message is sent again: it is in flight once more.
    pub fn revive(&mut self, id: u16, hash: u64, qos: QoS, link: LinkId) -> Option<&Flight> {
        let is_it = |known: &Flight| known.id == id && known.hash == hash && known.qos == qos;
        let at = self.settled.iter().rposition(is_it)?;
        let mut flight = self.settled.remove(at)?;
        (flight.link, flight.anew, flight.session_over) = (link, true, false);
        self.by_id.insert_new(id, flight);
        self.by_id.get(id)
    }

    /// A message is through. `told`: when and on which link its sender was told so, where it has arrived. Answers the link that it
    /// was last sent on, and whether that was known of it already.
    pub fn complete(&mut self, id: u16, told: Option<(Time, LinkId)>) -> Option<(LinkId, bool)> {
        let mut flight = self.remove(id)?;
        let (link, before) = (flight.link, std::mem::replace(&mut flight.counted, true));
        // What counts as lost does so still.
        if !before || flight.told.is_some() {
            flight.told = told.map(|(at, on)| Told { at, on, doubted: false });
        }
        self.settle(flight);
        Some((link, before))
    }

    fn settle(&mut self, flight: Flight) {
        if self.settled.len() >= SETTLED_KEPT
            && let Some(oldest) = self.settled.pop_front().filter(Flight::is_told_in_doubt)
        {
            self.untold[usize::from(oldest.qos.number())] += 1;
        }
        self.settled.push_back(flight);
    }

    /// A later link than any so far begins: all that is in flight is of earlier ones.
    pub fn next_link(&mut self, link: LinkId) {
        let earlier = self.by_id.values().filter(|flight| flight.link != link);
        self.earlier = earlier.map(|flight| (flight.hash, flight.serial, flight.id)).collect();
    }

    /// The session before this link is over: what its receiver is passed on again, it takes for new, and nobody owes anything
    /// of it.
    pub fn end_session(&mut self, link: LinkId) {
        let flights = self.by_id.values_mut().chain(self.displaced.values_mut()).chain(&mut self.settled);
        for flight in flights.filter(|flight| flight.link != link) {
            (flight.anew, flight.released, flight.session_over) = (true, false, true);
        }
    }

    /// Gives up what was last sent before that link, and not again since, oldest first; it is settled, and what its receiver has
    /// acknowledged is not lost. What was sent on that link, or later, may still be sent again on the next.
    pub fn give_up(&mut self, before: LinkId) -> Vec<Flight> {
        let is_past = |flight: &Flight| flight.link < before;
        let past = self.earlier.iter().filter(|(_, _, id)| self.by_id.get(*id).is_some_and(is_past));
        let ids: Vec<u16> = past.map(|(_, _, id)| *id).collect();
        let mut given_up: Vec<Flight> = ids.into_iter().filter_map(|id| self.remove(id)).collect();
        let (past, since): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.displaced).into_iter().partition(|(_, flight)| is_past(flight));
        self.displaced_by_age = since.keys().map(|(hash, serial)| (*serial, *hash)).collect();
        self.displaced = since;
        given_up.extend(past.into_values());
        given_up.sort_by_key(|flight| flight.serial);
        given_up.iter().for_each(|flight| self.settle(Flight { counted: true, ..flight.clone() }));
        given_up.retain(|flight| !flight.counted);
        given_up
    }

    /// No link is left: what is more than is followed goes, the oldest first.
    pub fn prune(&mut self) -> Vec<Flight> {
        let excess = self.by_id.len().saturating_sub(ENDED_LIMIT);
        if excess == 0 {
            return Vec::new();
        }
        let mut all: Vec<(u64, u16)> = self.by_id.values().map(|flight| (flight.serial, flight.id)).collect();
        all.sort_unstable();
        all.into_iter().take(excess).filter_map(|(_, id)| self.remove(id)).collect()
    }

    /// All that is in flight, oldest first.
    pub fn take_all(&mut self) -> Vec<Flight> {
        let mut all: Vec<Flight> = std::mem::take(&mut self.by_id).into_values().collect();
        all.extend(self.take_displaced());
        self.earlier.clear();
        all.retain(|flight| !flight.counted);
        all.sort_by_key(|flight| flight.serial);
        all
    }

    fn take_displaced(&mut self) -> impl Iterator<Item = Flight> + use<> {
        self.displaced_by_age.clear();
        std::mem::take(&mut self.displaced).into_values()
    }

    fn remove(&mut self, id: u16) -> Option<Flight> {
        let flight = self.by_id.remove(id)?;
        self.earlier.remove(&(flight.hash, flight.serial, id));
        Some(flight)
    }
}
