//! Legs with TLS on them, over sockets: what is said behind FIN, and what a cut leaves on the wire.

use super::rig::{EACH, Pki, Versions, hear, name, open, said};
use super::shaking::Shaking;
use super::traffic::Traffic;
use super::*;
use crate::tls::Alert;
use crate::tls::record::{HANDSHAKE, Records};
use std::future::poll_fn;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A leg that a device has shaken hands with, and that device.
async fn up(versions: Versions) -> (Leg, TcpStream, Traffic) {
    let pki = Pki::new();
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut device = TcpStream::connect(door.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = door.accept().await.unwrap();
    let mut leg = Leg::connected(accepted, None).secured(Secure::server());
    let mut shaking = Shaking::client(pki.client(versions), name()).unwrap();
    let served = async {
        loop {
            match poll_fn(|cx| leg.poll_handshake(cx)).await {
                Step::Hello(_) => leg.secure().unwrap().answer(pki.device(), false).unwrap(),
                Step::Flight => {}
                Step::Up(_) => break,
                Step::Greeted | Step::Ended(..) | Step::Failed(_) => panic!("no handshake"),
            }
        }
    };
    let shaken = async {
        let mut says = Vec::new();
        shaking.feed(&[], &mut says).unwrap();
        loop {
            device.write_all(&says).await.unwrap();
            says.clear();
            if !shaking.state().is_handshaking() {
                break;
            }
            let mut came = [0; 4096];
            let count = device.read(&mut came).await.unwrap();
            shaking.feed(&came[..count], &mut says).unwrap();
        }
    };
    tokio::join!(served, shaken);
    (leg, device, shaking.into_traffic().unwrap())
}

/// All that the leg hears, and how that ends, while it sends what it has to say, as a link does.
async fn heard(leg: &mut Leg) -> (Vec<u8>, Got) {
    let (mut buffer, mut content) = (vec![0; 256 * 1024], Vec::new());
    loop {
        let got = poll_fn(|cx| {
            leg.flush(cx).expect("the socket takes it");
            leg.poll_read(cx, &mut buffer)
        })
        .await;
        match got {
            Got::Bytes(count) => content.extend_from_slice(&buffer[..count]),
            Got::Ended(..) | Got::Failed(_) => {
                poll_fn(|cx| Poll::Ready(leg.flush(cx))).await.expect("the socket takes it");
                return (content, got);
            }
        }
    }
}

/// What a device may say that asks for an answer.
fn asks(device: &mut Traffic, versions: Versions) -> Vec<u8> {
    let (mut bytes, is_13) = (Vec::new(), versions == EACH[1]);
    // KeyUpdate with update_requested, or a ClientHello.
    let asks: &[u8] = if is_13 { &[24, 0, 0, 1, 1] } else { &[1, 0, 0, 0] };
    assert!(device.seal_as(HANDSHAKE, asks, &mut bytes));
    if is_13 {
        device.renew_as_told();
    }
    bytes
}

#[tokio::test]
async fn nothing_is_answered_behind_fin_and_the_peers_end_is_its_own() {
    for versions in EACH {
        for notify in [true, false] {
            let (mut leg, mut device, mut tls) = up(versions).await;
            leg.shut(notify);
            let mut bytes = asks(&mut tls, versions);
            assert!(tls.seal(b"the other way goes on", &mut bytes));
            tls.close_notify(&mut bytes);
            device.write_all(&bytes).await.unwrap();
            device.shutdown().await.unwrap();
            let (content, end) = heard(&mut leg).await;
            assert_eq!(content, b"the other way goes on");
            assert!(matches!(end, Got::Ended(Ending::Fin, None)), "{versions:?} {notify}: {end:?}");
            let mut told = Vec::new();
            device.read_to_end(&mut told).await.unwrap();
            let (_, closed, _) = open(&mut tls, &told, 1_000);
            assert_eq!(closed.is_some(), notify, "{closed:?}");
        }
    }
}

#[tokio::test]
async fn what_is_refused_behind_fin_is_no_reset_of_the_peer() {
    for notify in [true, false] {
        let (mut leg, mut device, _) = up(EACH[1]).await;
        leg.shut(notify);
        device
            .write_all(&[23, 3, 3, 0, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
            .await
            .unwrap();
        let (_, end) = heard(&mut leg).await;
        assert!(matches!(end, Got::Failed(Failure::Refused(rustls::Error::DecryptError, _))), "{end:?}");
        leg.end();
        assert!(!leg.is_flushing());
    }
}

#[tokio::test]
async fn a_cut_says_nothing_behind_fin() {
    for fate in [LegFate::Alert(Alert::INTERNAL_ERROR), LegFate::Truncated] {
        for notify in [true, false] {
            let (mut leg, _device, _) = up(EACH[1]).await;
            leg.shut(notify);
            assert_eq!(leg.cut(fate, &[]), None);
            assert!(!leg.is_flushing());
            poll_fn(|cx| Poll::Ready(leg.flush(cx))).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_truncated_record_is_one_behind_what_the_peer_has_not_taken_too() {
    for is_full in [false, true] {
        let (mut leg, mut device, _) = up(EACH[1]).await;
        let noise = vec![7; 64 * 1024];
        while is_full && poll_fn(|cx| Poll::Ready(leg.poll_write(cx, &noise).is_ready())).await {}
        assert_eq!(leg.is_flushing(), is_full);
        assert_eq!(leg.cut(LegFate::Truncated, &[]), Some(LegFate::Truncated));
        assert_eq!(leg.cut(LegFate::Truncated, &[]), None, "again");
        let sent = poll_fn(|cx| {
            leg.flush(cx).unwrap();
            if leg.is_flushing() { Poll::Pending } else { Poll::Ready(()) }
        });
        let mut told = Vec::new();
        let (_, read) = tokio::join!(sent, device.read_to_end(&mut told));
        read.unwrap();
        let mut records = Records::default();
        let mut scan = records.scan(&told);
        while scan.next_piece().is_some() {}
        assert!(!records.at_boundary() && !records.is_opaque(), "{is_full}: {records:?}");
    }
}

#[test]
fn close_notify_goes_in_the_clear_behind_a_hello_retry_request() {
    let pki = Pki::new();
    let mut provider = crate::net::tls::provider().as_ref().clone();
    provider.kx_groups = vec![rustls::crypto::ring::kx_group::SECP384R1];
    let mut server = rustls::ServerConnection::new(pki.server_by(Arc::new(provider), EACH[1])).unwrap();
    let (mut shaking, mut says) = (Shaking::client(pki.client(EACH[1]), name()).unwrap(), Vec::new());
    shaking.feed(&[], &mut says).unwrap();
    hear(&mut server, &says).unwrap();
    says.clear();
    shaking.feed(&said(&mut server), &mut says).unwrap();
    // ChangeCipherSpec, and another ClientHello.
    assert_eq!((says[0], says[6]), (20, 22), "{says:?}");
    let mut last = Vec::new();
    shaking.close_notify(&mut last);
    assert_eq!(last, [21, 3, 3, 0, 2, 1, 0]);
}
