//! What a ledger has to say: counts since the last flush, and news: of each kind a few a second one by one, and then those
//! that are alike in one.

use crate::base::pack::{Pack, Reader, Writer};
use crate::base::{Direction, LinkId, Time, Ways};
use crate::event::{Delivery, MessageNews};
use crate::mqtt::QoS;
use std::time::Duration;

/// How many news of each kind are told one by one in a second of a device; counts hold all.
pub const NEWS_A_SECOND: u8 = 5;

/// Of [`MessageNews`].
const KINDS: usize = 12;

/// Something remarkable of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The link that showed it; `None` for the end of the run.
    pub link: Option<LinkId>,
    /// Which way the message goes.
    pub direction: Direction,
    /// Its quality of service.
    pub qos: QoS,
    /// Its packet identifier.
    pub id: Option<u16>,
    /// What.
    pub news: MessageNews,
    /// How many more messages like it the same second had, which are not told by themselves.
    pub more: u64,
}

impl News {
    /// Whether nothing sets it apart from the other but its message.
    fn is_like(&self, other: &News) -> bool {
        let is_same = match (&self.news, &other.news) {
            (MessageNews::Duplicated { released: a, .. }, MessageNews::Duplicated { released: b, .. }) => {
                a == b
            }
            (MessageNews::Lost { why: a, .. }, MessageNews::Lost { why: b, .. }) => a == b,
            (MessageNews::DupWrong { dup: a }, MessageNews::DupWrong { dup: b }) => a == b,
            (MessageNews::UnknownAck { packet: a }, MessageNews::UnknownAck { packet: b }) => a == b,
            (a, b) => kind(a) == kind(b),
        };
        is_same && (self.link, self.direction, self.qos) == (other.link, other.direction, other.qos)
    }
}

/// Of which message news are.
#[derive(Clone, Copy, Debug)]
pub(super) struct About {
    pub link: Option<LinkId>,
    pub direction: Direction,
    pub qos: QoS,
    /// 0 for none.
    pub id: u16,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Teller {
    /// Of QoS 0, which is what most devices use, and is rarely lost.
    plain: Ways<Plain>,
    /// The others; none until there is one of that direction to count.
    counts: Ways<Option<Box<Delivery>>>,
    news: Vec<News>,
    /// What came beyond the few of this second. One for each that is not like another, so no more than some twenty a link.
    #[expect(clippy::box_collection, reason = "most devices have none, and there may be a million of them")]
    beyond: Option<Box<Vec<News>>>,
    /// How many of each kind were told in the second that began then.
    told: [u8; KINDS],
    since: Time,
}

/// Messages of QoS 0.
#[derive(Clone, Copy, Debug, Default)]
struct Plain {
    sent: u64,
    received: u64,
}

impl Plain {
    fn is_none(self) -> bool {
        self.sent == 0 && self.received == 0
    }
}

impl Teller {
    /// Appends what is known at rest; `false` where there is something to tell.
    pub fn rest(&self, to: &mut Writer) -> bool {
        let Teller { plain, counts, news, beyond, told, since } = self;
        since.pack(to);
        told.iter().any(|count| *count > 0).then_some(told.to_vec()).pack(to);
        let is_told =
            plain.up.is_none() && plain.down.is_none() && counts.up.is_none() && counts.down.is_none();
        is_told && news.is_empty() && beyond.is_none()
    }

    /// As it was at rest.
    pub fn wake(from: &mut Reader<'_>) -> Option<Teller> {
        let (since, told): (_, Option<Vec<u8>>) = Pack::unpack(from)?;
        let told = told.and_then(|told| told.try_into().ok()).unwrap_or_default();
        Some(Teller { since, told, ..Teller::default() })
    }

    /// So many messages of QoS 0 were sent.
    pub fn sent_plain(&mut self, direction: Direction, messages: u64) {
        self.plain.get_mut(direction).sent += messages;
    }

    /// So many messages of QoS 0 were passed on.
    pub fn passed_plain(&mut self, direction: Direction, messages: u64) {
        self.plain.get_mut(direction).received += messages;
    }

    /// The other counts of a direction.
    pub fn count(&mut self, direction: Direction) -> &mut Delivery {
        self.counts.get_mut(direction).get_or_insert_default()
    }

    pub fn tell(&mut self, now: Time, about: About, news: MessageNews) {
        self.tell_of_many(now, about, news, 0);
    }

    /// The same of so many more messages that are alike.
    pub fn tell_of_many(&mut self, now: Time, about: About, news: MessageNews, more: u64) {
        if self.is_over(now) {
            self.tell_beyond();
            (self.since, self.told) = (now, [0; KINDS]);
        }
        let told = &mut self.told[kind(&news)];
        let About { link, direction, qos, id } = about;
        let news = News { link, direction, qos, id: (id != 0).then_some(id), news, more };
        if *told < NEWS_A_SECOND {
            *told += 1;
            return self.news.push(news);
        }
        let beyond = self.beyond.get_or_insert_default();
        match beyond.iter_mut().find(|known| known.is_like(&news)) {
            Some(known) => known.more += news.news.messages() + more,
            None => beyond.push(news),
        }
    }

    /// What came beyond the few of a second is told once that is over.
    pub fn look(&mut self, now: Time) {
        if self.beyond.is_some() && self.is_over(now) {
            self.tell_beyond();
        }
    }

    /// The same, though the second is not over.
    pub fn tell_beyond(&mut self) {
        self.news.extend(self.beyond.take().into_iter().flat_map(|beyond| *beyond));
    }

    fn is_over(&self, now: Time) -> bool {
        now.since(self.since) >= Duration::from_secs(1)
    }

    /// The news that came.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// The counts since they were last taken; `None` where there are none.
    pub fn take_counts(&mut self) -> Option<Ways<Delivery>> {
        let Ways { up, down } = self.plain;
        let has_plain = [up, down].iter().any(|plain| plain.sent > 0 || plain.received > 0);
        if !has_plain && self.counts.up.is_none() && self.counts.down.is_none() {
            return None;
        }
        let Ways { up, down } = std::mem::take(&mut self.counts);
        let mut counts = Ways {
            up: up.map(|up| *up).unwrap_or_default(),
            down: down.map(|down| *down).unwrap_or_default(),
        };
        let Ways { up, down } = std::mem::take(&mut self.plain);
        for (counts, plain) in [(&mut counts.up, up), (&mut counts.down, down)] {
            counts.sent[0] += plain.sent;
            counts.received[0] += plain.received;
        }
        (!counts.up.is_empty() || !counts.down.is_empty()).then_some(counts)
    }
}

fn kind(news: &MessageNews) -> usize {
    match news {
        MessageNews::Retransmitted { .. } => 0,
        MessageNews::Duplicated { .. } => 1,
        MessageNews::Lost { .. } => 2,
        MessageNews::InFlight { .. } => 3,
        MessageNews::DupWrong { .. } => 4,
        MessageNews::IdInUse { .. } => 5,
        MessageNews::UnknownAck { .. } => 6,
        MessageNews::ReceiveMaximum { .. } => 7,
        MessageNews::Gap { .. } => 8,
        MessageNews::Repeated { .. } => 9,
        MessageNews::GivenUp { .. } => 10,
        MessageNews::CaughtUp { .. } => KINDS - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::LinkId;

    #[test]
    fn what_was_told_within_the_second_is_known_after_a_rest() {
        let mut teller = Teller::default();
        let about = About { link: Some(LinkId(1)), direction: Direction::Up, qos: QoS::AtMostOnce, id: 0 };
        let now = Time::from_millis(5_000);
        teller.tell(now, about, MessageNews::InFlight { first: now });
        assert!(!teller.rest(&mut Writer::default()), "there is something to tell");
        teller.take_news();
        let mut to = Writer::default();
        assert!(teller.rest(&mut to));
        let woken = Teller::wake(&mut Reader::new(&to.finish())).unwrap();
        assert_eq!((woken.told, woken.since), (teller.told, now));
        assert_ne!(woken.told, [0; KINDS]);
    }
}
