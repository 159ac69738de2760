//! Faults of TLS end to end: what a client of rustls's says of each, and what the events say.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::unit_arg, reason = "an assertion inside of what an event is searched with")]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::{Side, Span};
use brownout::event::{Delivery, Event, TlsMode, What};
use brownout::fault::{
    BadCertificate, Close, Ending, Fault, HandshakeFault, HandshakeStage, LegFate, Mechanism, RecordFault,
    TlsAlert, TlsHandshake, TlsRecord, Toward,
};
use brownout::profile::TlsPlan;
use brownout::tls::{Alert, Damage};
use common::{Bench, after_connack, at, count, expect, find, plan, wire};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tls::{Pki, accept, bench, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;

const NOW: Duration = Duration::ZERO;

fn handshake(what: HandshakeFault, hold: Duration) -> Fault {
    Fault::TlsHandshake(TlsHandshake { what, hold: Span::fixed(hold) })
}

async fn in_force(bench: &Bench) {
    bench.until("firing", |e| matches!(e.what, What::Fired { .. }).then_some(())).await;
}

/// The means by which the fault was made on the device's leg.
fn means(events: &[Event]) -> Mechanism {
    find(events, "applied fault", |e| match &e.what {
        What::FaultApplied { means, .. } => means.device,
        _ => None,
    })
}

/// A proxy whose handshakes meet this for a minute, and what a device's handshake comes to.
async fn refused(what: HandshakeFault) -> (std::io::Error, Vec<Event>) {
    let pki = Pki::new();
    let hold = Duration::from_secs(60);
    let (bench, _hub) =
        bench(plan(vec![at("shake", NOW, handshake(what, hold))]), pki.plan(TlsMode::Terminate)).await;
    in_force(&bench).await;
    let error = connect(&bench, &pki.device(), "hub.example").await.unwrap_err();
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
    (error, bench.stop().await)
}

#[tokio::test]
async fn each_bad_certificate_is_refused_for_what_is_wrong_with_it() {
    for (flaw, word) in [
        (BadCertificate::Expired, "xpired"),
        (BadCertificate::NotYetValid, "not valid yet"),
        (BadCertificate::WrongName, "wrong.brownout.invalid"),
        (BadCertificate::UntrustedCa, "UnknownIssuer"),
        (BadCertificate::SelfSigned, "UnknownIssuer"),
    ] {
        let (error, events) = refused(HandshakeFault::Certificate(flaw)).await;
        assert!(error.to_string().contains(word), "{flaw:?}: {error}");
        assert_eq!(means(&events), Mechanism::Handshake);
        let told = find(&events, "the device's alert", |e| match &e.what {
            What::LegEnded { side: Side::Device, how, error, .. } => Some((*how, error.clone())),
            _ => None,
        });
        assert_eq!(told.0, Ending::Alert);
        assert!(told.1.is_some_and(|word| word.parse::<Alert>().is_ok()), "{events:#?}");
        assert_eq!(count(&events, |what| matches!(what, What::TlsEstablished { .. })), 0);
    }
}

#[tokio::test]
async fn an_alert_comes_in_the_place_of_a_server_hello() {
    for alert in [Alert::HANDSHAKE_FAILURE, Alert::UNRECOGNIZED_NAME, Alert(200)] {
        let (error, events) = refused(HandshakeFault::Alert(alert)).await;
        let seen = error.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
        assert_eq!(*seen, rustls::Error::AlertReceived(rustls::AlertDescription::from(alert.0)));
        assert_eq!(means(&events), Mechanism::Handshake);
    }
}

#[tokio::test]
async fn a_handshake_is_aborted_after_the_server_hello() {
    for (how, expected) in
        [(Ending::Reset, ErrorKind::ConnectionReset), (Ending::Fin, ErrorKind::UnexpectedEof)]
    {
        let (error, events) = refused(HandshakeFault::Abort(how)).await;
        assert_eq!(error.kind(), expected, "{how:?}: {error}");
        assert_eq!(means(&events), Mechanism::Handshake);
    }
}

#[tokio::test]
async fn a_stalled_handshake_goes_on_when_the_fault_is_over() {
    for stage in [HandshakeStage::BeforeServerHello, HandshakeStage::AfterServerHello] {
        let pki = Pki::new();
        let hold = Duration::from_secs(2);
        let rule = at("stall", NOW, handshake(HandshakeFault::Stall(stage), hold));
        let (bench, hub) = bench(plan(vec![rule]), pki.plan(TlsMode::Terminate)).await;
        in_force(&bench).await;
        let began = Instant::now();
        let mut device = connect(&bench, &pki.device(), "hub.example").await.unwrap();
        device.write_all(&wire::connect("d1", 60)).await.unwrap();
        let mut served = hub.accept().await.unwrap().0;
        expect(&mut served, &wire::connect("d1", 60)).await;
        assert!(began.elapsed() >= Duration::from_millis(500), "{stage:?}: it was not held");
        let events = bench.stop().await;
        assert_eq!(means(&events), Mechanism::Handshake);
        find(&events, "lift", |e| matches!(e.what, What::FaultLifted { .. }).then_some(()));
        let took = find(&events, "handshake", |e| match &e.what {
            What::TlsEstablished { up, .. } => Some(up.took_ns),
            _ => None,
        });
        assert!(took < 1_000_000_000, "what the fault made it wait is not its own: {took} ns");
    }
}

/// A connected device with TLS of brownout's own, and the hub's side of it.
async fn live(
    rules: Vec<brownout::profile::Rule>,
) -> (Bench, TlsStream<TcpStream>, TcpStream, TcpListener, Pki) {
    let pki = Pki::new();
    let (bench, hub) = bench(plan(rules), pki.plan(TlsMode::Terminate)).await;
    let config = pki.device();
    let (device, served) = tokio::join!(connect(&bench, &config, "hub.example"), hub.accept());
    let (mut device, mut served) = (device.unwrap(), served.unwrap().0);
    device.write_all(&wire::connect("d1", 60)).await.unwrap();
    expect(&mut served, &wire::connect("d1", 60)).await;
    served.write_all(&wire::CONNACK).await.unwrap();
    expect(&mut device, &wire::CONNACK).await;
    (bench, device, served, hub, pki)
}

const SOON: Duration = Duration::from_millis(100);
/// By then a device has come, shaken hands and been accepted, on a busy machine too.
const LATER: Duration = Duration::from_secs(2);

#[tokio::test]
async fn fin_with_and_without_close_notify() {
    for close_notify in [true, false] {
        let fin = Fault::Fin(Close { toward: Toward::Device, other: LegFate::HalfOpen, close_notify });
        let (bench, mut device, _served, _hub, _pki) = live(vec![after_connack("end", SOON, fin)]).await;
        let got = device.read(&mut [0; 10]).await;
        match close_notify {
            true => assert_eq!(got.unwrap(), 0),
            false => assert_eq!(got.unwrap_err().kind(), ErrorKind::UnexpectedEof),
        }
        let events = bench.stop().await;
        let expected = if close_notify { Mechanism::Shutdown } else { Mechanism::Unnotified };
        assert_eq!(means(&events), expected);
    }
}

#[tokio::test]
async fn any_alert_on_a_live_link() {
    for alert in [Alert::INTERNAL_ERROR, Alert::ACCESS_DENIED] {
        let fault = Fault::TlsAlert(TlsAlert { toward: Toward::Device, alert, other: LegFate::Close });
        let (bench, mut device, _served, _hub, _pki) = live(vec![after_connack("alert", SOON, fault)]).await;
        let error = device.read(&mut [0; 10]).await.unwrap_err();
        let seen = error.get_ref().unwrap().downcast_ref::<rustls::Error>().unwrap();
        assert_eq!(*seen, rustls::Error::AlertReceived(rustls::AlertDescription::from(alert.0)));
        assert_eq!(means(&bench.stop().await), Mechanism::Alert);
    }
}

#[tokio::test]
async fn a_truncated_record() {
    let fault = Fault::TlsRecord(TlsRecord { toward: Side::Device, what: RecordFault::Truncated });
    let (bench, mut device, _served, _hub, _pki) = live(vec![after_connack("cut", SOON, fault)]).await;
    assert_eq!(device.read(&mut [0; 10]).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(means(&bench.stop().await), Mechanism::Truncated);
}

/// What rustls says of a record with this damage.
fn said_of(damage: Damage) -> &'static str {
    match damage {
        Damage::Mac => "cannot decrypt",
        Damage::Type => "contenttype",
        Damage::Length => "toolarge",
    }
}

#[tokio::test]
async fn one_record_is_damaged_where_tls_is_ended() {
    for damage in [Damage::Mac, Damage::Type, Damage::Length] {
        let fault = Fault::TlsRecord(TlsRecord { toward: Side::Device, what: RecordFault::Damaged(damage) });
        let (bench, mut device, mut served, _hub, _pki) =
            live(vec![after_connack("harm", SOON, fault)]).await;
        in_force(&bench).await;
        // Nothing is told before a record goes.
        tokio::time::sleep(Duration::from_millis(50)).await;
        served.write_all(&wire::PINGRESP).await.unwrap();
        let error = device.read(&mut [0; 10]).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains(said_of(damage)), "{damage:?}: {error}");
        let events = bench.stop().await;
        assert_eq!(means(&events), Mechanism::Record);
        let fired = find(&events, "firing", |e| matches!(e.what, What::Fired { .. }).then_some(e.at));
        let applied =
            find(&events, "applied", |e| matches!(e.what, What::FaultApplied { .. }).then_some(e.at));
        assert!(applied.since(fired) >= Duration::from_millis(40), "told when it went");
    }
}

/// A device cannot read it, though its system has it.
#[tokio::test]
async fn whether_a_message_in_a_damaged_record_was_received_is_not_known() {
    let what = RecordFault::Damaged(Damage::Mac);
    let fault = Fault::TlsRecord(TlsRecord { toward: Side::Device, what });
    let (bench, mut device, mut served, _hub, _pki) = live(vec![after_connack("harm", SOON, fault)]).await;
    let message = b"\x30\x05\x00\x01tp0";
    served.write_all(message).await.unwrap();
    expect(&mut device, message).await;
    in_force(&bench).await;
    // The order is on its way to the link.
    tokio::time::sleep(Duration::from_millis(50)).await;
    served.write_all(message).await.unwrap();
    assert!(device.read(&mut [0; 10]).await.is_err());
    let mut down = Delivery::default();
    for event in bench.stop().await {
        if let What::Delivery { down: more, .. } = event.what {
            down.add(&more);
        }
    }
    assert_eq!((down.sent[0], down.received[0], down.unfollowed[0]), (2, 1, 1));
}

#[tokio::test]
async fn one_record_is_damaged_and_one_truncated_where_tls_is_passed_through() {
    let faults = [
        RecordFault::Damaged(Damage::Mac),
        RecordFault::Damaged(Damage::Type),
        RecordFault::Damaged(Damage::Length),
        RecordFault::Truncated,
    ];
    for what in faults {
        let hubs = Pki::new();
        let rule = at("harm", LATER, Fault::TlsRecord(TlsRecord { toward: Side::Device, what }));
        let tls = TlsPlan { mode: TlsMode::Passthrough, ..TlsPlan::default() };
        let (bench, hub) = bench(plan(vec![rule]), tls).await;
        let (config, acceptor) = (hubs.device(), hubs.hub(&["hub.example"], &[]));
        let (device, mut served) =
            tokio::join!(connect(&bench, &config, "hub.example"), accept(&hub, &acceptor));
        let mut device = device.unwrap();
        device.write_all(&wire::connect("d1", 60)).await.unwrap();
        expect(&mut served, &wire::connect("d1", 60)).await;
        served.write_all(&wire::CONNACK).await.unwrap();
        expect(&mut device, &wire::CONNACK).await;
        in_force(&bench).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        served.write_all(&wire::PINGRESP).await.unwrap();
        let error = device.read(&mut [0; 10]).await.unwrap_err();
        match what {
            RecordFault::Damaged(damage) => {
                assert!(error.to_string().to_lowercase().contains(said_of(damage)), "{damage:?}: {error}");
            }
            RecordFault::Truncated => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
        }
        let expected = match what {
            RecordFault::Damaged(_) => Mechanism::Record,
            RecordFault::Truncated => Mechanism::Truncated,
        };
        assert_eq!(means(&bench.stop().await), expected);
    }
}
