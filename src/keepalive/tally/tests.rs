//! Every figure, from sights told by hand: milliseconds, and a round trip of 100 ms.

use super::*;
use crate::base::{DeviceId, FiringId, LinkId};
use crate::device::Sign;
use crate::event::SessionTerms;
use crate::fault::{Fidelity, Mechanism};
use crate::hub::{ConnId, Departure};
use crate::mqtt::Version;

/// The rule by which paths forget.
const FORGETS: RuleId = RuleId(1);

/// A run that is told sight by sight.
struct Told {
    tally: Tally,
    now: Time,
}

fn spell(start: u64, end: u64) -> Spell {
    Spell { start: Time::from_millis(start), length: Duration::from_millis(end - start) }
}

/// Outages from and to; the span is 1,000 s.
fn run(spells: &[(u64, u64)]) -> Told {
    with(spells, |_| {})
}

fn with(spells: &[(u64, u64)], change: impl FnOnce(&mut Watch)) -> Told {
    let mut watch = Watch {
        spells: spells.iter().map(|(start, end)| spell(*start, *end)).collect(),
        is_dark: true,
        span: Duration::from_secs(1_000),
        round_trip: Duration::from_millis(100),
        late: Duration::from_secs(10),
        beat: None,
        forgets: Some(FORGETS),
    };
    change(&mut watch);
    Told { tally: Tally::new(watch), now: Time::ZERO }
}

impl Told {
    fn at(&mut self, millis: u64) -> &mut Told {
        self.now = Time::from_millis(millis);
        self
    }

    fn did(&mut self, did: DeviceDid) -> &mut Told {
        self.tally.push(self.now, Sight::Device { device: 0, did: &did });
        self
    }

    fn event(&mut self, what: What) -> &mut Told {
        self.tally.push(self.now, Sight::Event(&Event { seq: 0, at: self.now, what }));
        self
    }

    fn hub(&mut self, conn: u64, what: HubSaw) -> &mut Told {
        let event = HubEvent { at: self.now, conn: Some(ConnId(conn)), client_id: None, what, code: None };
        self.tally.push(self.now, Sight::Hub(&event));
        self
    }

    fn packet(&mut self, link: u64, direction: Direction, packet: Packet) -> &mut Told {
        let link = LinkId(link);
        self.event(What::Packet { link, direction, held: false, dropped: false, passed: None, packet })
    }

    /// CONNECT, accepted by hub and device at once, on the link and the connection of this number.
    fn joins(&mut self, number: u64) -> &mut Told {
        self.rejoins(number, false)
    }

    fn rejoins(&mut self, number: u64, session_present: bool) -> &mut Told {
        let connect = Packet::Connect {
            version: Version::V311,
            client_id: "d".into(),
            keep_alive: 60,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: SessionTerms::default(),
        };
        let connack = Packet::Connack {
            session_present,
            code: 0,
            server_keep_alive: None,
            assigned_client_id: None,
            terms: SessionTerms::default(),
        };
        self.packet(number, Direction::Up, connect);
        self.hub(number, HubSaw::Connected { version: Version::V311, keep_alive: 60, session_present });
        self.packet(number, Direction::Down, connack);
        self.did(DeviceDid::Connected { session_present, took: Duration::ZERO })
    }

    /// The device sends MQTT.
    fn sends(&mut self) -> &mut Told {
        self.carries(Direction::Up, Carried::Data, 54)
    }

    fn carries(&mut self, direction: Direction, carried: Carried, bytes: u32) -> &mut Told {
        self.tally.push(self.now, Sight::Segment { device: 0, direction, carried, bytes, again: false });
        self
    }

    /// The device knows, after so many milliseconds without a packet of the hub.
    fn notices(&mut self, silent: u64) -> &mut Told {
        let silent = Duration::from_millis(silent);
        self.did(DeviceDid::NoticedDead { sign: Sign::PingTimeout, silent })
    }

    /// The hub times the connection out, after so many milliseconds without a packet of the device.
    fn times_out(&mut self, conn: u64, silent: u64) -> &mut Told {
        let why = Departure::KeepAliveTimeout { silent: Duration::from_millis(silent) };
        self.hub(conn, HubSaw::Disconnected { why })
    }

    fn takes_over(&mut self, conn: u64) -> &mut Told {
        self.hub(conn, HubSaw::Disconnected { why: Departure::TakenOver })
    }

    fn arrives(&mut self, number: u64) -> &mut Told {
        self.tally.push(self.now, Sight::Message { device: 0, number });
        self
    }

    fn publishes(&mut self) -> &mut Told {
        self.did(DeviceDid::Published { total: 0, dup: false })
    }

    /// The path forgets the link.
    fn forgets(&mut self, link: u64) -> &mut Told {
        self.event(What::WindowOpened {
            window: WindowId(7),
            firing: FiringId(0),
            rule: FORGETS,
            device: DeviceId(0),
            until: None,
            keep_alive_ns: 0,
            assumed: false,
            hub_keep_alive_ns: None,
        });
        self.event(What::FaultApplied {
            window: WindowId(7),
            link: LinkId(link),
            fidelity: Fidelity::Packet,
            means: crate::base::Ends { device: Some(Mechanism::Filter), hub: None },
        })
    }

    fn over(&mut self) -> Account {
        let empty = Tally::new(self.tally.watch.clone());
        std::mem::replace(&mut self.tally, empty).finish(Time::from_secs(2_000))
    }

    fn figures(&mut self) -> Figures {
        self.over().figures
    }
}

fn millis(spread: Spread) -> (u64, u64, Option<u64>) {
    (spread.count, spread.never, spread.max_ns.map(|nanos| nanos / 1_000_000))
}

/// An outage from 100 s to 400 s that both ends notice by themselves: the ping of 127 s is not answered.
fn noticed() -> Told {
    let mut told = run(&[(100_000, 400_000)]);
    told.at(0).joins(1).at(73_000).sends().at(127_000).sends();
    told.at(163_000).times_out(1, 90_000).at(187_000).notices(113_900);
    told.at(401_000).joins(2);
    told
}

#[test]
fn each_end_detects_by_its_own_word_and_between_them_the_view_is_split() {
    let Account { figures, struck } = noticed().over();
    assert_eq!((figures.outages, figures.struck), (1, 1));
    assert_eq!(millis(figures.device_detection), (1, 0, Some(87_000)));
    assert_eq!(millis(figures.hub_detection), (1, 0, Some(63_000)));
    assert_eq!(millis(figures.split_view), (1, 0, Some(24_000)));
    assert_eq!(millis(figures.recovery), (1, 0, Some(1_000)));
    assert_eq!((figures.false_disconnects, figures.forgotten, figures.connects), (0, 0, 2));
    let at = |millis| Some(Time::from_millis(millis));
    let only = Struck {
        start: Time::from_millis(100_000),
        restored: at(400_000),
        device_noticed: at(187_000),
        hub_noticed: at(163_000),
        back: at(401_000),
    };
    assert_eq!(struck, [only]);
}

#[test]
fn downtime_is_the_outage_and_the_time_without_a_shared_link() {
    assert_eq!(noticed().figures().downtime_ns, 301_000_000_000);
}

#[test]
fn an_outage_that_the_link_survives_is_downtime_and_no_sample() {
    let mut told = run(&[(100_000, 130_000)]);
    told.at(0).joins(1).at(127_000).sends();
    let Account { figures, struck } = told.over();
    assert_eq!((figures.outages, figures.struck), (1, 1));
    assert_eq!((figures.device_detection, figures.recovery), (Spread::default(), Spread::default()));
    assert_eq!(figures.downtime_ns, 30_000_000_000);
    assert_eq!((struck[0].device_noticed, struck[0].back), (None, None));
}

#[test]
fn a_hub_that_learns_of_it_as_the_device_comes_back_knows_from_then_on() {
    let mut told = run(&[(100_000, 130_000)]);
    told.at(0).joins(1).at(105_000).sends().at(115_000).notices(60_000);
    told.at(131_000).takes_over(1).joins(2);
    let figures = told.figures();
    assert_eq!(millis(figures.device_detection), (1, 0, Some(15_000)));
    assert_eq!(millis(figures.hub_detection), (1, 0, Some(31_000)));
    assert_eq!(millis(figures.split_view), (1, 0, Some(16_000)));
    assert_eq!(figures.downtime_ns, 31_000_000_000);
}

#[test]
fn a_device_that_never_notices_counts_as_never_and_its_link_as_down() {
    let mut told = run(&[(100_000, 400_000)]);
    told.at(0).joins(1).at(127_000).sends().at(163_000).times_out(1, 90_000);
    let figures = told.figures();
    assert_eq!(millis(figures.device_detection), (1, 1, None));
    assert_eq!(millis(figures.hub_detection), (1, 0, Some(63_000)));
    assert_eq!((millis(figures.split_view), millis(figures.recovery)), ((1, 1, None), (1, 1, None)));
    assert_eq!(figures.downtime_ns, 900_000_000_000, "up to the end of the span, and no further");
}

#[test]
fn a_loss_on_a_sound_path_is_a_false_disconnect() {
    // The outage was over before the last packet passed.
    let mut told = run(&[(10_000, 20_000)]);
    told.at(0).joins(1).at(54_000).sends().at(64_000).notices(9_900);
    let figures = told.figures();
    assert_eq!((figures.false_disconnects, figures.struck), (1, 1));
    assert_eq!(figures.device_detection, Spread::default());
    // An outage that swallowed nothing had no part in it either.
    let mut told = run(&[(10_000, 20_000)]);
    told.at(0).joins(1).at(54_000).sends().at(64_000).notices(63_900);
    assert_eq!(told.figures().false_disconnects, 1);
}

#[test]
fn what_was_under_way_as_an_outage_began_was_swallowed_by_it() {
    for (sent, false_disconnects) in [(99_901, 0), (99_900, 1)] {
        let mut told = run(&[(100_000, 120_000)]);
        told.at(0).joins(1).at(sent).sends().at(110_000).notices(60_000);
        assert_eq!(told.figures().false_disconnects, false_disconnects, "{sent}");
    }
}

#[test]
fn of_several_outages_the_first_that_swallowed_something_has_the_blame() {
    let mut told = run(&[(10_000, 20_000), (50_000, 60_000), (61_000, 90_000)]);
    told.at(0).joins(1).at(54_000).sends().at(62_000).sends().at(64_000).notices(63_900);
    told.at(95_000).takes_over(1).joins(2);
    let Account { figures, struck } = told.over();
    assert_eq!((figures.outages, figures.struck), (3, 3));
    assert_eq!(millis(figures.device_detection), (1, 0, Some(14_000)));
    assert_eq!(millis(figures.recovery), (1, 0, Some(35_000)));
    assert_eq!(struck[2].device_noticed, None);
}

#[test]
fn an_outage_that_begins_while_no_link_is_shared_strikes_none() {
    let mut told = run(&[(100_000, 200_000), (210_000, 220_000)]);
    told.at(0).joins(1).at(127_000).sends().at(163_000).times_out(1, 90_000).at(230_000).notices(150_000);
    told.at(231_000).joins(2);
    let figures = told.figures();
    assert_eq!((figures.outages, figures.struck), (2, 1));
    assert_eq!(figures.downtime_ns, 131_000_000_000, "the hub had given it up until then");
}

#[test]
fn a_link_that_the_path_forgot_is_down_from_then_on() {
    let mut told = run(&[]);
    told.at(0).joins(1).at(240_000).forgets(1).at(300_000).sends().at(310_000).notices(309_900);
    told.at(311_000).takes_over(1).joins(2).at(400_000).forgets(1);
    let figures = told.figures();
    assert_eq!((figures.forgotten, figures.false_disconnects), (1, 0));
    assert_eq!(millis(figures.split_view), (1, 0, Some(1_000)));
    assert_eq!(figures.downtime_ns, 71_000_000_000, "the link forgotten last is the old one");
}

#[test]
fn what_came_first_has_the_blame_the_outage_or_the_path_that_forgot() {
    for (forgotten, sent, of_path) in [(90_000, 101_000, 1), (340_000, 101_000, 0), (340_000, 99_000, 1)] {
        let mut told = run(&[(100_000, 400_000)]);
        told.at(0).joins(1);
        let mut sights = [(forgotten, false), (sent, true)];
        sights.sort_unstable();
        for (at, is_sent) in sights {
            if is_sent {
                told.at(at).sends()
            } else {
                told.at(at).forgets(1)
            };
        }
        let figures = told.at(390_000).notices(390_000).figures();
        assert_eq!(
            (figures.forgotten, figures.device_detection.count),
            (of_path, 1 - of_path),
            "{forgotten} {sent}"
        );
    }
}

#[test]
fn a_bad_spell_that_is_not_dark_is_no_downtime_by_itself() {
    let mut told = with(&[(100_000, 200_000)], |watch| watch.is_dark = false);
    told.at(0).joins(1).at(110_000).sends().at(120_000).notices(10_000).at(125_000).takes_over(1).joins(2);
    // A link that began in it is none that it struck.
    told.at(130_000).sends().at(140_000).notices(10_000).at(145_000).takes_over(2).joins(3);
    let figures = told.figures();
    assert_eq!(figures.downtime_ns, 10_000_000_000);
    assert_eq!(millis(figures.recovery), (1, 0, Some(0)), "it was back before the path was");
    assert_eq!((figures.false_disconnects, figures.device_detection.count), (0, 1));
}

#[test]
fn only_what_happens_in_the_span_counts_as_volume() {
    let mut told = run(&[]);
    told.at(0).joins(1).carries(Direction::Up, Carried::Data, 54).carries(Direction::Down, Carried::Ack, 52);
    told.at(999_999).carries(Direction::Up, Carried::Control, 60).at(1_000_000).carries(
        Direction::Up,
        Carried::Ack,
        52,
    );
    told.at(1_500_000).notices(10_000).at(1_501_000).takes_over(1).joins(2);
    let figures = told.figures();
    assert_eq!((figures.bytes_up, figures.bytes_down, figures.connects), (114, 52, 1));
    assert_eq!((figures.false_disconnects, figures.downtime_ns), (0, 0));
}

#[test]
fn what_the_end_of_the_run_cuts_off_is_no_split_view_that_lasted_for_ever() {
    for (lost, never) in [(900_000, 1), (1_990_000, 0)] {
        let mut told = run(&[]);
        told.at(0).joins(1).at(240_000).forgets(1).at(lost).notices(lost);
        assert_eq!(millis(told.figures().split_view).1, never, "{lost}");
    }
}

fn publisher(is_acknowledged: bool) -> Told {
    with(&[(100_000, 200_000)], |watch| {
        watch.beat = Some(Beat { every: Duration::from_secs(10), times: None, is_acknowledged });
    })
}

#[test]
fn messages_are_due_by_the_beat_and_withheld_while_no_link_is_known() {
    let mut told = publisher(false);
    told.at(0).joins(1).publishes().at(20).arrives(1);
    // Of those at 10 s, 20 s, ... 150 s, one is handed over in time, one that is late, and one that is lost.
    told.at(50_000).publishes().at(60_000).arrives(2).at(70_000).publishes().at(80_001).arrives(3);
    told.at(110_000).publishes().at(155_000).notices(155_000);
    // Beats of 160 s to 200 s find no link; the next accept begins a beat of its own.
    told.at(205_000).takes_over(1).joins(2).publishes();
    let messages = told.figures().messages;
    assert_eq!((messages.sent, messages.late, messages.lost), (5, 1, 2));
    assert_eq!((messages.due, messages.withheld), (21 + 80, 5));
}

#[test]
fn a_new_session_sends_again_what_was_not_acknowledged_and_that_is_no_new_message() {
    for (present, sent) in [(false, 2), (true, 3)] {
        let mut told = publisher(true);
        told.at(0).joins(1).publishes().arrives(1).did(DeviceDid::Acked { total: 1 });
        told.at(110_000)
            .publishes()
            .at(120_000)
            .notices(30_000)
            .at(205_000)
            .takes_over(1)
            .rejoins(2, present);
        // With the session, what is sent again says so.
        if present {
            told.did(DeviceDid::Published { total: 3, dup: true }).publishes();
        } else {
            told.publishes();
        }
        let messages = told.at(206_000).arrives(2).figures().messages;
        assert_eq!((messages.sent, messages.late), (sent, 1), "{present}");
    }
}

/// The span is 1,000 s: what is handed over at its very end belongs to the next.
#[test]
fn messages_count_up_to_the_end_of_the_span() {
    let mut told = publisher(false);
    told.at(0).joins(1).at(999_999).publishes().at(1_000_000).publishes();
    assert_eq!(told.figures().messages.sent, 1);
}

#[test]
fn a_device_that_is_done_owes_no_more() {
    let mut told = with(&[], |watch| {
        watch.beat = Some(Beat { every: Duration::from_secs(10), times: Some(3), is_acknowledged: false });
    });
    told.at(0).joins(1).publishes();
    let messages = told.figures().messages;
    assert_eq!((messages.due, messages.withheld, messages.sent, messages.lost), (3, 0, 1, 1));
}

#[test]
fn the_busiest_second_is_any_second() {
    let mut times: Vec<Time> = [2_500, 0, 900, 1_000, 1_899, 1_900].map(Time::from_millis).into();
    assert_eq!(busiest_second(&mut times), 3);
    assert_eq!(busiest_second(&mut []), 0);
}
