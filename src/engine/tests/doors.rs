//! Connects of single devices vanish, by their source address.

use super::*;
use crate::base::{DeviceId, RuleId};
use crate::engine::firing::Window;
use crate::event::Sources;
use crate::fault::{Refusal, Refuse};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Falls on these clients, at a second, for two; their connects are to vanish.
fn dark_for(client: &str) -> Rule {
    Rule {
        who: Who { client: Some(client.into()), ..Who::EVERYONE },
        ..rule(at(1000), dark("2s", Connects::Vanish))
    }
}

fn refused(hold: &str) -> Fault {
    Fault::Refuse(Refuse { how: Refusal::Closed, hold: span(hold) })
}

impl Run {
    /// A device at an address of its own, accepted, with so many seconds of keep-alive.
    fn device_at(&mut self, address: &str, client: &str, keep_alive: u16) -> LinkId {
        let link = LinkId(self.engine.first_new.0);
        let peer = format!("{address}:4000").parse().unwrap();
        self.tell(Input::LinkOpened { link, listener: ListenerId(0), peer, to: None });
        self.connect(link, client, keep_alive);
        self.connack(link, 0);
        link
    }

    fn sources(&self) -> Vec<Sources> {
        let of = |event: &Event| match &event.what {
            What::ListenerMuted { from, .. } => from.clone(),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }
}

fn to(addresses: &[&str]) -> Door {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Door::MuteTo(addresses.into())
}

fn told(addresses: u32, shared: u32) -> Sources {
    Sources { addresses, shared, beyond: 0, rules: vec![RuleId(0)] }
}

#[test]
fn connects_from_the_addresses_of_devices_in_the_dark_vanish_and_no_others() {
    let mut run = Run::new(plan(vec![dark_for("a*")]));
    run.device_at("10.0.0.2", "a2", 2);
    run.device_at("[fd77::1]", "a1", 2);
    run.device_at("10.0.0.3", "b", 2);
    // A listener of both families sees those of IPv4 so.
    run.device_at("[::ffff:10.0.0.4]", "a4", 2);
    run.to(6000);
    let dark = to(&["10.0.0.2", "10.0.0.4", "fd77::1"]);
    assert_eq!(run.doors, [(ms(1000), dark), (ms(3000), Door::Open)], "at once for all, and for as long");
    assert_eq!(run.sources(), [told(3, 0)]);
}

/// NAT, or loopback: the SYN does not say whose it is.
#[test]
fn an_address_is_in_the_dark_only_if_every_device_known_there_is() {
    let mut run = Run::new(plan(vec![dark_for("a*")]));
    for (address, client) in [("10.0.0.2", "a1"), ("10.0.0.2", "b"), ("10.0.0.3", "a2"), ("10.0.0.3", "a3")] {
        run.device_at(address, client, 2);
    }
    run.to(1500);
    assert_eq!(run.doors, [(ms(1000), to(&["10.0.0.3"]))]);
    assert_eq!(run.sources(), [told(1, 1)]);
    // Somebody else shows up at that address, over a link that was there before.
    run.device_at("10.0.0.3", "b2", 2);
    assert_eq!(run.doors.last(), Some(&(ms(1500), Door::Open)));
    run.to(6000);
    assert_eq!(run.doors.len(), 2, "what is open is not opened again");
}

#[test]
fn a_device_takes_its_darkness_along_and_one_that_was_never_seen_has_none() {
    let mut run = Run::new(plan(vec![dark_for("a*")]));
    run.device_at("10.0.0.2", "b", 2);
    run.to(1500);
    assert_eq!(run.doors, [], "nobody is known that it falls on");
    run.device_at("10.0.0.3", "a", 2);
    run.to(2000);
    run.device_at("10.0.0.4", "a", 2);
    let dark = [(ms(1500), to(&["10.0.0.3"])), (ms(2000), to(&["10.0.0.4"]))];
    assert_eq!(run.doors, dark);
}

#[test]
fn windows_that_end_at_other_times_let_their_devices_in_one_by_one() {
    let hold = Fault::Blackhole(Blackhole { hold: span("1 keepalive"), ..blackhole("1s", Connects::Vanish) });
    let mut run = Run::new(plan(vec![Rule { fault: hold, ..dark_for("a*") }]));
    run.device_at("10.0.0.2", "a2", 2);
    run.device_at("10.0.0.3", "a3", 3);
    run.to(9000);
    let doors = [(1000, to(&["10.0.0.2", "10.0.0.3"])), (3000, to(&["10.0.0.3"])), (4000, Door::Open)];
    assert_eq!(run.doors, doors.map(|(at, door)| (ms(at), door)));
}

/// The firing's end and its windows' are one moment, in whatever order their timers come.
#[test]
fn a_listener_that_is_mute_to_all_opens_at_once() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("2s", Connects::Vanish))]));
    run.device_at("10.0.0.2", "a", 2);
    let late = run.open(7);
    run.to(1500);
    run.connect(late, "b", 2);
    run.to(6000);
    assert_eq!(run.doors, [(ms(1000), Door::Mute), (ms(3000), Door::Open)]);
}

#[test]
fn what_falls_on_everyone_mutes_everyone_and_what_tls_shows_cannot_be_told_of_a_syn() {
    let everyone = rule(at(2000), dark("500ms", Connects::Vanish));
    let by_name = Who { sni: Some("hub.*".into()), ..Who::EVERYONE };
    let by_name = Rule { who: by_name, ..rule(at(1000), dark("2s", Connects::Vanish)) };
    let mut run = Run::new(plan(vec![dark_for("a"), everyone, by_name]));
    run.device_at("10.0.0.2", "a", 2);
    let link = LinkId(run.engine.first_new.0);
    let peer = "10.0.0.3:4000".parse().unwrap();
    run.tell(Input::LinkOpened { link, listener: ListenerId(0), peer, to: None });
    run.tell(Input::TlsHello { link, sni: Some("hub.example".into()), alpn: Vec::new(), passthrough: false });
    run.connect(link, "b", 2);
    run.to(6000);
    let one = to(&["10.0.0.2"]);
    let doors = [(1000, one.clone()), (2000, Door::Mute), (2500, one), (3000, Door::Open)];
    assert_eq!(run.doors, doors.map(|(at, door)| (ms(at), door)));
}

#[test]
fn a_selective_mute_that_is_refused_is_told_once_and_not_asked_for_again() {
    let again = Rule { when: at(4000), ..dark_for("a*") };
    let mut run = Run::new(plan(vec![dark_for("a*"), again]));
    run.refuse_mute = true;
    run.device_at("10.0.0.2", "a", 2);
    run.to(9000);
    assert_eq!(run.doors, [(ms(1000), to(&["10.0.0.2"]))]);
    assert_eq!(run.times(|what| matches!(what, What::ListenerMuteRefused { .. })), [1000]);
    assert_eq!(run.times(|what| matches!(what, What::ListenerUnmuted { .. })), [0u64; 0]);
}

#[test]
fn what_finds_no_room_in_the_filter_is_left_out_and_told() {
    let mut run = Run::new(Plan { devices: 3000, ..plan(vec![dark_for("*")]) });
    for nth in 0..2100u32 {
        run.device_at(
            &IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0A00_0000 + nth)).to_string(),
            &format!("d{nth}"),
            2,
        );
    }
    run.to(1000);
    assert_eq!(run.sources(), [Sources { addresses: 2039, shared: 0, beyond: 61, rules: vec![RuleId(0)] }]);
}

/// One way, the other goes on; who comes anew gets nowhere.
#[test]
fn a_blackhole_of_one_way_mutes_the_sender_alone_and_holds_back_only_its_bytes() {
    for (direction, toward) in [(WaysWanted::Up, Toward::Device), (WaysWanted::Down, Toward::Hub)] {
        let fault = Blackhole {
            direction,
            toward,
            fidelity: FidelityWanted::Packet,
            ..blackhole("2s", Connects::Silence)
        };
        let mut run = Run::new(plan(vec![rule(at(1000), Fault::Blackhole(fault))]));
        let (old, new) = (run.device(1, "d", 2), LinkId(2));
        run.to(1000);
        run.device(2, "d", 2);
        let is_up = direction == WaysWanted::Up;
        for (link, closed, mute) in [
            (old, Ways { up: is_up, down: !is_up }, Ends { device: is_up, hub: !is_up }),
            (new, Ways { up: true, down: true }, Ends { device: false, hub: false }),
        ] {
            let effects = run.effects(link);
            assert_eq!((effects.closed, effects.mute), (closed, mute), "{direction:?} {link}");
        }
    }
}

impl Run {
    /// The addresses in the dark, from all that is known.
    fn in_the_dark(&self) -> Vec<IpAddr> {
        let engine = &self.engine;
        let hides =
            |window: &&Window| !window.ending && window.until.is_none_or(|until| until > engine.now());
        let hidden: BTreeSet<DeviceId> =
            engine.windows.values().filter(hides).map(|window| window.device).collect();
        let address = |id: &DeviceId| engine.sessions.device(*id)?.address;
        let addresses: BTreeSet<IpAddr> = hidden.iter().filter_map(address).collect();
        let all_hidden = |at: &IpAddr| engine.sessions.from_address(*at).all(|id| hidden.contains(&id));
        addresses.into_iter().filter(all_hidden).collect()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Join { client: u8, address: u8 },
    Close(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..5, 1u8..4).prop_map(|(client, address)| Step::Join { client, address }),
        any::<usize>().prop_map(Step::Close),
        (1u64..700).prop_map(Step::Wait),
    ]
}

proptest! {
    /// What is kept up to date is what all that is known comes to, whoever comes, moves and goes.
    #[test]
    fn who_is_in_the_dark_is_known_at_every_step(steps in prop::collection::vec(step(), 1..40)) {
        let single = rule(after(PacketKind::Connack, "300ms", 9), dark("1s", Connects::Vanish));
        let mut run = Run::new(plan(vec![single, dark_for("c1"), dark_for("c2")]));
        for step in steps {
            match step {
                Step::Join { client, address } => {
                    run.device_at(&format!("10.0.0.{address}"), &format!("c{client}"), 2);
                }
                Step::Close(nth) => {
                    let opened = run.engine.first_new.0;
                    let link = LinkId(u64::try_from(nth).unwrap() % opened.max(1));
                    run.tell(Input::LinkClosed { link, undelivered: Ways::default() });
                }
                Step::Wait(millis) => {
                    let until = run.now.elapsed() + Duration::from_millis(millis);
                    run.to(u64::try_from(until.as_millis()).unwrap());
                }
            }
            let door = run.doors.last().map_or(Door::Open, |(_, door)| door.clone());
            let dark = run.in_the_dark();
            prop_assert_eq!(door, if dark.is_empty() { Door::Open } else { Door::MuteTo(dark.into()) });
        }
    }
}

/// Spans are of each one's keep-alive: a door is for all, and is open again as soon as the fault is over for one of them.
#[test]
fn who_is_in_the_dark_no_more_comes_in_while_others_still_are() {
    for (fault, shut, narrower) in [
        (dark("1 keepalive", Connects::Vanish), Door::Mute, to(&["10.0.0.3"])),
        (refused("1 keepalive"), Door::Closed, Door::Open),
    ] {
        let mut run = Run::new(plan(vec![rule(at(1000), fault)]));
        run.device_at("10.0.0.2", "short", 1);
        run.device_at("10.0.0.3", "long", 10);
        run.to(20_000);
        let mut doors = vec![(ms(1000), shut), (ms(2000), narrower)];
        if doors[1].1 != Door::Open {
            doors.push((ms(11_000), Door::Open));
        }
        assert_eq!(run.doors, doors);
    }
}

/// It was away as the fault began, and its keep-alive is the shortest; or it comes for the first time.
#[test]
fn who_has_no_window_counts_too() {
    for is_known in [false, true] {
        let mut run = Run::new(plan(vec![rule(at(1000), dark("1 keepalive", Connects::Vanish))]));
        if is_known {
            let short = run.device_at("10.0.0.2", "short", 1);
            run.close(short);
        }
        run.device_at("10.0.0.3", "long", 10);
        run.to(3000);
        if !is_known {
            // From another listener, say.
            run.device_at("10.0.0.2", "short", 1);
        }
        run.to(3001);
        let opens = if is_known { 2000 } else { 3000 };
        assert_eq!(run.doors, [(ms(1000), Door::Mute), (ms(opens), to(&["10.0.0.3"]))], "{is_known}");
    }
}

/// TLS says whose a link is at CONNECT alone, and that comes only if the handshake does.
#[test]
fn a_link_that_may_be_of_a_device_in_the_dark_no_more_can_say_whose_it_is() {
    let is_silent = |run: &Run, link: LinkId| run.effects(link).closed == Ways { up: true, down: true };
    let mut run = Run::new(plan(vec![rule(at(1000), dark("1 keepalive", Connects::Silence))]));
    run.device(1, "short", 1);
    run.device(2, "long", 10);
    run.to(1500);
    let early = run.open(3);
    assert!(is_silent(&run, early));
    run.to(1999);
    assert!(is_silent(&run, early));
    run.to(2000);
    let late = run.open(4);
    for link in [early, late] {
        assert!(!is_silent(&run, link) && run.effects(link).hold_dial, "the hub does not hear of it yet");
    }
    run.connect(early, "long", 10);
    assert!(is_silent(&run, early));
    run.connect(late, "short", 1);
    assert!(run.effects(late).is_clear());
}
