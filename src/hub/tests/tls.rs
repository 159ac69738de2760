//! What the hub makes of TLS handshakes, without any TLS.

use super::*;
use crate::tls::Alert;
use std::time::Duration;

const CONN: ConnId = ConnId(1);

fn handshaking() -> Bench {
    let mut bench = Bench::new(HubConfig::default());
    bench.open_with(1, Version::V311, true);
    bench
}

fn secured(bench: &mut Bench) {
    let security = Security { version: "TLS 1.3".into(), resumed: true, certified: false };
    bench.input(Input::Secured { conn: CONN, security });
}

#[test]
fn a_handshake_has_its_time_and_connect_its_own_after_it() {
    let mut bench = handshaking();
    bench.at(Time::from_millis(9_999));
    secured(&mut bench);
    assert_eq!(bench.log.last().unwrap().to_string(), "conn 1: secured, TLS 1.3, resumed");
    bench.at(Time::from_millis(99_998));
    assert!(bench.is_open(1));
    bench.at(Time::from_millis(99_999));
    assert_eq!(bench.departure(1), Some(Departure::ConnectTimeout));

    let mut bench = handshaking();
    bench.at(Time::from_secs(10));
    let expected = "conn 1: gone: the TLS handshake failed: it was not done within 10s";
    assert_eq!(bench.log.last().unwrap().to_string(), expected);
    secured(&mut bench);
    assert!(!bench.is_open(1), "too late is too late");
}

#[test]
fn a_failed_handshake_is_told_and_costs_nobody_else_anything() {
    let mut bench = handshaking();
    bench.connect(2, v311("other"));
    bench.input(Input::HandshakeFailed { conn: CONN, why: "no\nreason".into() });
    assert_eq!(bench.log.last().unwrap().to_string(), "conn 1: gone: the TLS handshake failed: no\\nreason");
    assert!(bench.is_open(2));
    assert!(bench.hub.deadline().is_none_or(|at| at > Time::ZERO + Duration::from_secs(3_600)));
}

#[test]
fn what_ended_tls_is_told_apart() {
    for (how, words) in [
        (HowClosed::Fin, "closed without DISCONNECT"),
        (HowClosed::Unnotified, "closed without DISCONNECT and without close_notify"),
        (HowClosed::Alert(Alert::BAD_RECORD_MAC), "TLS alert bad_record_mac"),
        (HowClosed::BadRecord, "what came is not TLS, or does not decrypt"),
    ] {
        let mut bench = handshaking();
        secured(&mut bench);
        bench.send(1, Packet::Connect(v311("d")));
        bench.close(1, how);
        let line = bench.log.iter().map(HubEvent::to_string).rfind(|line| line.contains("gone")).unwrap();
        assert_eq!(line, format!("conn 1 d: gone: {words}"));
    }
}
