//! What is kept of devices that come once and never again: a bounded number of them, in a process of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use brownout::base::{Direction, LinkId, ListenerId, Side, Time, Ways};
use brownout::engine::{Beside, Engine, Input, Output};
use brownout::event::{Event, LastPackets, Packet, RunStarted, SessionTerms, TlsTerms};
use brownout::fault::Ending;
use brownout::mqtt::Version;
use brownout::profile::{self, Plan};
use brownout::report::observe::{Anchor, Chapters};
use std::sync::Arc;

/// How many come, and what may come of it.
struct Course {
    links: u64,
    /// By then everything that is bounded by a number is full: 20,000 devices, and a chapter of 10,000 links.
    warm: u64,
    /// What the allocator may keep beside, in bytes.
    slack: usize,
    /// Whether an interval ends with this link.
    interval: fn(u64) -> bool,
}

/// The fullest moments are those before a chapter ends, with links 25,000 and 35,000; a kilobyte kept of each device that
/// comes between them is too much.
const SHORT: Course = Course { links: 36_000, warm: 26_000, slack: 10 << 20, interval: |nth| nth == 5_000 };

/// With intervals in which less comes than a chapter takes, and some in which more does; less than 600 bytes a device.
const LONG: Course = Course {
    links: 100_000,
    warm: 60_000,
    slack: 22 << 20,
    interval: |nth| nth % 30_000 == 5_000 || nth % 30_000 == 29_000,
};

fn plan() -> Plan {
    profile::read("brownout: 1\nname: observe\nsummary: Nothing.\n", &[]).unwrap().plan
}

struct Watch {
    engine: Engine,
    chapters: Chapters,
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

    /// A device that nobody has seen before connects, subscribes, and is reset.
    fn comes_once(&mut self, nth: u64) {
        let link = LinkId(nth);
        let client_id = format!("a-device-that-comes-only-once-{nth}");
        let host = u8::try_from(nth % 250).unwrap();
        let peer = format!("[2001:db8::{:x}:{host}]:1", nth / 250).parse().unwrap();
        self.tell(Input::LinkOpened { link, listener: ListenerId(0), peer });
        let terms = SessionTerms::default();
        let connect = Packet::Connect {
            version: Version::V311,
            client_id,
            keep_alive: 60,
            clean: true,
            username: None,
            token_expiry: None,
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
        self.tell(Input::LegEnded { link, side, how, error: None, last });
        self.tell(Input::LinkClosed { link, undelivered: Ways::default() });
    }
}

#[test]
fn devices_that_come_once_leave_a_bounded_number_behind() {
    comes_and_goes(&SHORT);
}

#[test]
#[ignore = "half a minute; .ci/run has it"]
fn a_hundred_thousand_devices_that_come_once_leave_a_bounded_number_behind() {
    comes_and_goes(&LONG);
}

fn comes_and_goes(course: &Course) {
    let &Course { links, warm: warm_up, slack, interval } = course;
    let plan = Arc::new(plan());
    let mut watch = Watch {
        engine: Engine::new(Arc::clone(&plan), 1, false),
        chapters: Chapters::new(&plan),
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
    for nth in 0..links {
        watch.now = Time::from_millis(nth);
        watch.comes_once(nth);
        if interval(nth) {
            watch.chapters.interval(watch.now, anchor);
        }
        if nth % 1_000 == 0 {
            let now = resident();
            *(if nth < warm_up { &mut warm } else { &mut highest }) =
                now.max(if nth < warm_up { warm } else { highest });
        }
    }
    let interval = watch.chapters.interval(watch.now, anchor).summary;
    assert_eq!((interval.seen, interval.forgotten), (links, links - 20_000));
    let total = watch.chapters.total(watch.now, anchor);
    assert_eq!((total.links, total.ended[0].count, total.down), (links, links, 20_000));
    println!("at most {} MB before, {} MB after the warm-up", warm >> 20, highest >> 20);
    assert!(highest < warm + slack, "grew from {warm} to {highest} bytes");
}

/// Resident memory of this process in bytes (proc(5)).
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
