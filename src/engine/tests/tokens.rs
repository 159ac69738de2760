//! Tokens that expire. The run of these tests begins at the beginning of 2026.

use super::*;
use crate::base::Print;
use crate::fault::{ConnackCode, TokenExpiry};

/// 2026-01-01T00:00:00Z in seconds since 1970.
const BEGAN: u64 = 1_767_225_600;
const EXPIRED: Ends<LegFate> = Ends { device: LegFate::Close, hub: LegFate::Close };
const NOT_AUTHORIZED: ConnackCode = ConnackCode { return_code: 5, reason_code: 0x87 };
const REJECTED: Ends<LegFate> = Ends { device: LegFate::Rejected(NOT_AUTHORIZED), hub: LegFate::Close };

fn expiry(grace: u64, lifetime: Option<&str>, hold: Option<&str>) -> Fault {
    Fault::TokenExpiry(TokenExpiry {
        lifetime: lifetime.map(span),
        grace: Duration::from_millis(grace),
        hold: hold.map(span),
    })
}

fn run_with(fault: Fault) -> Run {
    Run::new(plan(vec![rule(at(1000), fault)]))
}

impl Run {
    fn connect_with(&mut self, link: LinkId, name: &str, token_expiry: Option<u64>) {
        let mut packet = asks(name);
        if let Packet::Connect { token_expiry: expires, .. } = &mut packet {
            *expires = token_expiry;
        }
        self.packet(link, Direction::Up, packet);
    }

    /// A device that is connected with a token, or without one.
    fn holder(&mut self, link: u64, name: &str, token_expiry: Option<u64>) -> LinkId {
        let link = self.open(link);
        self.connect_with(link, name, token_expiry);
        self.connack(link, 0);
        link
    }

    fn ends(&self) -> Vec<(u64, LinkId, Ends<LegFate>)> {
        let cut = |(at, link, order): &(Time, LinkId, Order)| match order {
            Order::Cut(cut) => Some((at.as_nanos() / 1_000_000, *link, cut.legs)),
            _ => None,
        };
        self.orders.iter().filter_map(cut).collect()
    }
}

#[test]
fn a_link_ends_when_its_token_and_the_grace_are_over() {
    let mut run = run_with(expiry(500, None, None));
    let before = run.holder(1, "d", Some(BEGAN + 5));
    run.to(2000);
    let during = run.holder(2, "e", Some(BEGAN + 6));
    run.to(5499);
    assert_eq!(run.ends(), []);
    run.to(5500);
    assert_eq!(run.ends(), [(5500, before, EXPIRED)]);
    run.to(6500);
    assert_eq!(run.ends(), [(5500, before, EXPIRED), (6500, during, EXPIRED)]);
    assert_eq!(run.times(is_applied), [5500, 6500]);
    assert_eq!(run.times(is_closed), [0u64; 0], "the windows go on");
}

#[test]
fn a_token_that_expired_before_the_fault_ends_its_link_when_that_begins() {
    let mut run = run_with(expiry(0, None, None));
    let link = run.holder(1, "d", Some(BEGAN - 100));
    run.to(999);
    assert_eq!(run.ends(), []);
    run.to(1000);
    assert_eq!(run.ends(), [(1000, link, EXPIRED)]);
}

#[test]
fn a_stale_token_is_refused_at_its_connect() {
    // It is over at 2 s, and its grace at 2.5 s.
    for (at, expected) in [(2499, None), (2500, Some(REJECTED))] {
        let mut run = run_with(expiry(500, None, None));
        run.to(at);
        let link = run.open(1);
        run.connect_with(link, "d", Some(BEGAN + 2));
        let ends: Vec<Ends<LegFate>> = run.ends().into_iter().map(|(_, _, legs)| legs).collect();
        assert_eq!(ends.first().copied(), expected, "{at}");
        let dropped = run.events.iter().any(|event| matches!(event.what, What::Packet { dropped: true, .. }));
        assert_eq!(dropped, expected.is_some());
    }
}

#[test]
fn a_fresh_token_on_a_new_link_has_a_time_of_its_own() {
    let mut run = run_with(expiry(0, None, None));
    let old = run.holder(1, "d", Some(BEGAN + 3));
    run.to(2000);
    run.close(old);
    let new = run.holder(2, "d", Some(BEGAN + 8));
    run.to(7999);
    assert_eq!(run.ends(), [], "nothing comes of the old one");
    run.to(8000);
    assert_eq!(run.ends(), [(8000, new, EXPIRED)]);
}

#[test]
fn without_a_token_a_link_lasts_for_the_lifetime_from_its_connack_on_if_there_is_one() {
    for (lifetime, expected) in [(Some("2 keepalive"), vec![5600]), (None, vec![])] {
        let mut run = run_with(expiry(100, lifetime, None));
        run.to(1200);
        let link = run.open(1);
        run.connect_with(link, "d", None);
        run.to(1500);
        run.connack(link, 0);
        // The lifetime is of the window's keep-alive: 2 s.
        run.to(5599);
        assert_eq!(run.ends(), []);
        run.to(20_000);
        assert_eq!(run.times(is_applied), expected);
    }
}

#[test]
fn a_connect_that_is_not_accepted_has_no_lifetime() {
    let mut run = run_with(expiry(0, Some("1s"), None));
    run.to(1200);
    let (refused, unanswered) = (run.open(1), run.open(2));
    run.connect_with(refused, "d", None);
    run.connack(refused, 5);
    run.connect_with(unanswered, "e", None);
    run.to(20_000);
    assert_eq!(run.ends(), []);
}

#[test]
fn a_window_that_is_over_ends_nothing() {
    for (token, expected) in [(3, vec![3000]), (4, vec![])] {
        let mut run = run_with(expiry(0, None, Some("2500ms")));
        run.holder(1, "d", Some(BEGAN + token));
        run.to(20_000);
        assert_eq!(run.times(is_applied), expected);
        assert_eq!(run.times(is_closed), [3500]);
    }
}

#[test]
fn a_time_that_no_run_lasts_to_never_comes() {
    for (clock, token, grace, expected) in [
        ("2026-01-01T00:00:00Z", u64::MAX, Duration::ZERO, 0),
        ("2026-01-01T00:00:00Z", BEGAN + 5, Duration::MAX, 0),
        ("2026-01-01T00:00:00Z", 0, Duration::ZERO, 1),
        ("1969-12-31T23:59:59Z", 0, Duration::ZERO, 0),
        ("noon", 0, Duration::ZERO, 0),
        ("1970-01-01T00:00:00Z", 5, Duration::ZERO, 1),
    ] {
        let fault = Fault::TokenExpiry(TokenExpiry { lifetime: None, grace, hold: None });
        let mut run = run_with(fault);
        run.engine.began = crate::engine::tokens::since_1970(clock);
        run.holder(1, "d", Some(token));
        run.to(60_000);
        assert_eq!(run.ends().len(), expected, "{clock} {token} {grace:?}");
        assert!(run.engine.deadline().is_none_or(|at| at < Time::MAX));
    }
}

/// The timer of a token may be hours away: links that come and go must not leave theirs behind.
#[test]
fn a_link_that_is_gone_leaves_no_timer() {
    let mut run = run_with(expiry(0, None, None));
    run.to(1000);
    for link in 0..100 {
        let link = run.holder(link, "d", Some(BEGAN + 36_000));
        run.close(link);
    }
    assert!(run.engine.timers.is_empty(), "{:?}", run.engine.timers);
}

#[test]
fn a_run_waits_for_the_first_token_to_expire_and_for_what_comes_of_it() {
    let mut run = run_with(expiry(0, None, None));
    let link = run.holder(1, "d", Some(BEGAN + 60));
    run.to(60_000);
    assert_eq!(run.ends(), [(60_000, link, EXPIRED)]);
    run.close(link);
    run.to(61_000);
    assert_eq!(run.finished, None, "it is watched how the device comes back");
    run.holder(2, "d", Some(BEGAN + 3600));
    run.to(62_999);
    assert_eq!(run.finished, None);
    run.to(63_000);
    assert!(run.finished.is_some(), "the next token is like the first");
}

/// A lifetime stands for what a password cannot be read to say: whether it is the one that the device was last accepted with.
#[test]
fn a_password_is_known_again_where_a_rule_gives_links_a_lifetime() {
    for (lifetime, expected) in [(Some("5s"), [false, true, false, false, true]), (None, [false; 5])] {
        let mut run = run_with(expiry(0, lifetime, None));
        let shown = |run: &mut Run, link: u64, password: &[u8], code: u8| {
            let link = run.open(link);
            let mut packet = asks("d");
            if let Packet::Connect { password: of, .. } = &mut packet {
                *of = Some(Print::of(password));
            }
            run.packet(link, Direction::Up, packet);
            run.connack(link, code);
            run.close(link);
            let told = run.events.iter().rev().find_map(|event| match &event.what {
                What::Packet { packet: Packet::Connect { same_password, .. }, .. } => Some(*same_password),
                _ => None,
            });
            told.unwrap()
        };
        // The last one but two was not accepted, so the one before it is what counts.
        let told = [
            shown(&mut run, 1, b"one", 0),
            shown(&mut run, 2, b"one", 0),
            shown(&mut run, 3, b"two", 0),
            shown(&mut run, 4, b"three", 5),
            shown(&mut run, 5, b"two", 0),
        ];
        assert_eq!(told, expected);
        assert_eq!(run.engine.passwords.len(), usize::from(lifetime.is_some()));
        let written = serde_json::to_string(&run.events).unwrap();
        assert!(!written.contains(r#""password""#) && !written.contains("***"), "{written}");
    }
}

/// What it was accepted with since was no password that cannot be read.
#[test]
fn a_password_from_before_a_token_is_not_the_one_that_was_accepted_last() {
    let mut run = run_with(expiry(0, Some("5s"), None));
    for (link, token) in [(1, None), (2, Some(BEGAN + 60)), (3, None)] {
        let link = run.open(link);
        let mut packet = asks("d");
        if let Packet::Connect { password, token_expiry, .. } = &mut packet {
            (*password, *token_expiry) = (Some(Print::of(b"one")), token);
        }
        run.packet(link, Direction::Up, packet);
        run.connack(link, 0);
        run.close(link);
    }
    let is_same = |what: &What| {
        matches!(what, What::Packet { packet: Packet::Connect { same_password: true, .. }, .. })
    };
    assert_eq!(run.times(is_same), [0u64; 0]);
}

fn asks(name: &str) -> Packet {
    Packet::Connect {
        version: Version::V311,
        client_id: name.into(),
        keep_alive: 2,
        clean: true,
        username: None,
        token_expiry: None,
        password: None,
        same_password: false,
        will: None,
        terms: crate::event::SessionTerms::default(),
    }
}

/// Nothing arrives in the dark, no FIN of the hub's either.
#[test]
fn a_token_that_expires_in_the_dark_ends_its_link_when_the_path_is_restored() {
    let rules = vec![rule(at(1000), dark("5s", Connects::Silence)), rule(at(0), expiry(0, None, None))];
    let mut run = Run::new(plan(rules));
    let link = run.holder(1, "d", Some(BEGAN + 3));
    run.to(5999);
    assert_eq!(run.ends(), []);
    run.to(6000);
    assert_eq!(run.ends(), [(6000, link, EXPIRED)]);
}
