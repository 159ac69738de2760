//! What is kept of devices that come once and never again: a bounded number of them, in a process of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use brownout::base::{Direction, Ends, LinkId, ListenerId, Side, Time, Ways};
use brownout::engine::{Beside, Engine, Input, Output};
use brownout::event::{Event, LastPackets, Packet, RunStarted, SessionTerms, TlsTerms};
use brownout::fault::Ending;
use brownout::mqtt::{QoS, Version};
use brownout::profile::{self, Plan};
use brownout::report::observe::{Anchor, Chapters};
use brownout::session::Snapshot;
use brownout::session::ledger::{Account, Books, Entry, Line, Message};
use std::sync::Arc;

/// A tenth of what an observer remembers, and of what is a chapter to it: what holds for these holds for those.
const REMEMBERED: usize = 2_000;
const LATELY: usize = 500;
const CHAPTER: u32 = 1_000;
const LINKS: u64 = 9_000;
/// By then everything that is bounded by a number is full.
const WARM: u64 = 5_000;
/// What the allocator may keep beside; of the devices that come after, that is about a kilobyte each: less than a ledger and its device.
const SLACK: usize = 4 << 20;

fn plan() -> Plan {
    profile::read("brownout: 1\nname: observe\nsummary: Nothing.\n", &[]).unwrap().plan
}

struct Watch {
    engine: Engine,
    chapters: Chapters,
    books: Books,
    now: Time,
}

impl Watch {
    fn tell(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn packet(&mut self, link: LinkId, direction: Direction, packet: Packet) {
        let _ = self.engine.packet(self.now, link, direction, packet, Beside::default(), false);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            if let Output::Event(event) = output {
                let event: Event = *event;
                self.chapters.push(&event);
            }
        }
    }

    /// What the ledgers of those say that are forgotten with this link, as it closes.
    fn forget(&mut self, link: LinkId) {
        for device in self.engine.forgets_with(link) {
            let Account { news, counts, .. } = self.books.forget(self.now, device).unwrap();
            assert_eq!(news, []);
            self.tell(Input::Delivery { device, counts: Box::new(counts.unwrap()) });
        }
    }

    /// One message is sent, and never acknowledged.
    fn message(&mut self, link: LinkId) {
        let device = self.engine.device_of(link).unwrap();
        let (qos, of) = (QoS::AtLeastOnce, Direction::Up);
        let message = Message {
            qos,
            id: 1,
            dup: false,
            retain: false,
            expiry: None,
            hash: link.0,
            topic: 1,
            number: None,
            dropped: false,
        };
        let entries = [
            Entry::Connect { clean: true, version: Version::V311, receive_maximum: None },
            Entry::Accepted { session_present: false, receive_maximum: None },
            Entry::Arrived(of, message),
            Entry::Passed { direction: of, qos, id: 1 },
        ];
        let ledger = self.books.of(device, None);
        let mut ledger = ledger.lock().unwrap();
        let mut line = Line::new(link);
        assert_eq!(ledger.take(self.now, &mut line, &entries), []);
        assert_eq!(ledger.link_ended(self.now, &mut line, Ends::default(), false), []);
        let counts = Box::new(ledger.flush().unwrap());
        self.tell(Input::Delivery { device, counts });
    }

    /// A device that nobody has seen before connects, subscribes, sends a message, and is reset.
    fn comes_once(&mut self, nth: u64) {
        let link = LinkId(nth);
        let client_id = format!("a-device-that-comes-only-once-{nth}");
        let host = u8::try_from(nth % 250).unwrap();
        let peer = format!("[2001:db8::{:x}:{host}]:1", nth / 250).parse().unwrap();
        self.tell(Input::LinkOpened { link, listener: ListenerId(0), peer, to: None });
        let terms = SessionTerms::default();
        let connect = Packet::Connect {
            version: Version::V311,
            client_id,
            keep_alive: 60,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms,
        };
        self.packet(link, Direction::Up, connect);
        let connack = Packet::Connack {
            session_present: false,
            code: 0,
            server_keep_alive: None,
            assigned_client_id: None,
            terms,
        };
        self.packet(link, Direction::Down, connack);
        self.packet(link, Direction::Up, Packet::Subscribe { id: 1, filters: vec![format!("of/{nth}")] });
        self.packet(link, Direction::Down, Packet::Suback { id: 1, codes: vec![0] });
        let last = LastPackets::default();
        let (side, how) = (Side::Device, Ending::Reset);
        self.message(link);
        self.tell(Input::LegEnded { link, side, how, error: None, last });
        self.forget(link);
        self.tell(Input::LinkClosed { link, undelivered: Ways::default() });
    }
}

#[test]
fn devices_that_come_once_leave_a_bounded_number_behind() {
    let plan = Arc::new(plan());
    let mut watch = Watch {
        engine: Engine::new(Arc::clone(&plan), 1, false).remembering(REMEMBERED),
        chapters: Chapters::new(&plan).remembering(Snapshot::keeping(REMEMBERED, LATELY), CHAPTER),
        books: Books::default(),
        now: Time::ZERO,
    };
    let start = RunStarted {
        version: "test".into(),
        wall_clock: "2026-01-01T00:00:00Z".into(),
        seed: 1,
        profile_name: "observe".into(),
        profile: String::new(),
        overrides: Vec::new(),
        azure_fault_messages: None,
        observer: true,
        part: 0,
    };
    watch.tell(Input::Started(Box::new(start)));
    watch.tell(Input::ListenerOpened {
        listener: ListenerId(0),
        address: "[::1]:1884".into(),
        upstream: "hub:1883".into(),
        tls: TlsTerms::default(),
    });
    let anchor = Anchor { wall: "2026-01-01T00:00:00Z".parse().unwrap(), at: Time::ZERO };
    let (mut warm, mut highest) = (0, 0);
    for nth in 0..LINKS {
        watch.now = Time::from_millis(nth);
        watch.comes_once(nth);
        // An interval in which less comes than a chapter takes, and one in which more does.
        if nth % 3_000 == 500 || nth % 3_000 == 2_900 {
            watch.chapters.interval(watch.now, anchor);
        }
        if nth % 100 == 0 {
            let now = resident();
            *(if nth < WARM { &mut warm } else { &mut highest }) =
                now.max(if nth < WARM { warm } else { highest });
        }
    }
    let interval = watch.chapters.interval(watch.now, anchor).summary;
    assert_eq!((interval.seen, interval.forgotten), (LINKS, LINKS - 2_000));
    assert_eq!(watch.books.len(), REMEMBERED);
    let total = watch.chapters.total(watch.now, anchor);
    assert_eq!((total.links, total.ended[0].count, total.down), (LINKS, LINKS, 2_000));
    assert_eq!(total.messages.up.sent, LINKS);
    println!("at most {} MB before, {} MB after the warm-up", warm >> 20, highest >> 20);
    assert!(highest < warm + SLACK, "grew from {warm} to {highest} bytes");
}

/// Resident memory of this process in bytes (proc(5)).
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
