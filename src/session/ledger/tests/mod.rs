//! Tests of the ledger: the tables tell one story each, in literal time; the model plays random ones.

mod model;
mod tables;

use super::*;
use crate::base::LinkId;
use crate::event::Loss;

const UP: Direction = Direction::Up;
const DOWN: Direction = Direction::Down;

/// A device's ledger, and its links.
struct Run {
    ledger: Ledger,
    lines: Vec<Line>,
    now: Time,
    news: Vec<News>,
    counts: Ways<Delivery>,
}

impl Run {
    fn new() -> Run {
        Run {
            ledger: Ledger::new(None),
            lines: Vec::new(),
            now: Time::ZERO,
            news: Vec::new(),
            counts: Ways::default(),
        }
    }

    /// Connected, in a session of its own, on its first link.
    fn joined() -> Run {
        let mut run = Run::new();
        run.connect(true).accepted(0, false);
        run
    }

    fn at(&mut self, millis: u64) -> &mut Run {
        self.now = Time::from_millis(millis);
        self
    }

    /// A new link; its CONNECT comes.
    fn connect(&mut self, clean: bool) -> &mut Run {
        self.connect_with(clean, Version::V311, None)
    }

    fn connect_with(&mut self, clean: bool, version: Version, receive_maximum: Option<u16>) -> &mut Run {
        let link = self.lines.len();
        self.lines.push(Line::new(LinkId(u64::try_from(link).unwrap())));
        self.tell(link, Entry::Connect { clean, version, receive_maximum })
    }

    fn accepted(&mut self, link: usize, session_present: bool) -> &mut Run {
        self.tell(link, Entry::Accepted { session_present, receive_maximum: None })
    }

    fn tell(&mut self, link: usize, entry: Entry) -> &mut Run {
        let news = self.ledger.take(self.now, &mut self.lines[link], &[entry]);
        self.news.extend(news);
        self
    }

    fn arrives(&mut self, link: usize, of: Direction, message: Message) -> &mut Run {
        self.tell(link, Entry::Arrived(of, message))
    }

    fn passes(&mut self, link: usize, of: Direction, message: Message) -> &mut Run {
        let Message { qos, id, .. } = message;
        self.tell(link, Entry::Passed { direction: of, qos, id })
    }

    /// Arrives, and is passed on.
    fn goes(&mut self, link: usize, of: Direction, message: Message) -> &mut Run {
        self.arrives(link, of, message).passes(link, of, message)
    }

    fn ack_arrives(&mut self, link: usize, of: Direction, kind: AckKind, id: u16) -> &mut Run {
        self.tell(link, Entry::AckArrived(Ack { direction: of, kind, id, refuses: false }))
    }

    /// Arrives, and is passed on.
    fn ack(&mut self, link: usize, of: Direction, kind: AckKind, id: u16) -> &mut Run {
        self.ack_arrives(link, of, kind, id);
        self.tell(link, Entry::AckPassed(Ack { direction: of, kind, id, refuses: false }))
    }

    /// The link is over; both ends were heard of until now.
    fn ends(&mut self, link: usize) -> &mut Run {
        self.ends_stopped(link, false)
    }

    fn ends_stopped(&mut self, link: usize, stopped: bool) -> &mut Run {
        let heard = LastPackets { from: Some(self.now), to: Some(self.now) };
        let last = Ends { device: heard, hub: heard };
        let news = self.ledger.link_ended(self.now, &mut self.lines[link], last, stopped);
        self.news.extend(news);
        self
    }

    /// The run is over; all links are.
    fn over(&mut self) -> Ways<Delivery> {
        self.news.extend(self.ledger.run_ended(self.now));
        self.counts()
    }

    fn counts(&mut self) -> Ways<Delivery> {
        if let Some(more) = self.ledger.flush() {
            self.counts.up.add(&more.up);
            self.counts.down.add(&more.down);
        }
        self.counts
    }

    fn news(&self) -> Vec<&MessageNews> {
        self.news.iter().map(|news| &news.news).collect()
    }
}

/// A message of this quality of service, that says this.
fn message(qos: u8, id: u16, hash: u64) -> Message {
    let qos = QoS::from_number(qos).unwrap();
    Message { qos, id, dup: false, retain: false, expiry: None, hash, topic: 1, number: None, dropped: false }
}

fn again(qos: u8, id: u16, hash: u64) -> Message {
    Message { dup: true, ..message(qos, id, hash) }
}
