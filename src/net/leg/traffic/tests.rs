//! Both sides of an established connection against rustls itself.

mod refused;

use super::*;
use crate::net::leg::rig::{EACH, Pki, hear, open, said};
use rustls::HandshakeKind;
use std::io::Write;

impl Traffic {
    /// The sealed record of this type and content.
    pub fn seal_as(&mut self, kind: u8, content: &[u8], says: &mut Vec<u8>) -> bool {
        self.seals.seal(kind, content, says)
    }

    /// What this side says is sealed with another key from here on, without a word of that.
    pub fn renew_as_told(&mut self) {
        let next = match &mut self.kernel {
            Kernel::Client(kernel) => kernel.update_tx_secret(),
            Kernel::Server(kernel) => kernel.update_tx_secret(),
        };
        self.seals = Keys::new(next.unwrap(), true).unwrap();
    }
}

#[test]
fn any_split_of_what_a_device_says_is_opened_and_it_reads_what_is_sealed() {
    let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| n.to_le_bytes()).take(100_000).collect();
    for versions in EACH {
        for at_once in [1, 7, 1_000, 65_536] {
            let (mut traffic, mut device) = Pki::new().with_device(versions);
            device.set_buffer_limit(None);
            for part in [&noise[..1], &noise[1..30], &noise[30..]] {
                device.writer().write_all(part).unwrap();
            }
            let bytes = said(&mut device);
            let (content, end, says) = open(&mut traffic, &bytes, at_once);
            assert!(content == noise && end.is_none() && says.is_empty(), "{at_once} bytes at once");
            assert_eq!((traffic.waits.capacity(), traffic.message.capacity()), (0, 0), "at rest");
            let mut says = Vec::new();
            assert!(traffic.seal(&noise, &mut says));
            assert!(hear(&mut device, &says).unwrap() == noise);
        }
    }
}

#[test]
fn what_comes_right_behind_a_handshake_is_data() {
    for versions in EACH {
        let (mut shaking, mut device) = Pki::new().pair(versions);
        device.writer().write_all(b"early bird").unwrap();
        loop {
            let (bytes, mut says) = (said(&mut device), Vec::new());
            shaking.feed(&bytes, &mut says).unwrap();
            hear(&mut device, &says).unwrap();
            if bytes.is_empty() && says.is_empty() {
                break;
            }
        }
        let mut traffic = shaking.into_traffic().unwrap();
        assert!(traffic.is_fresh());
        assert_eq!(open(&mut traffic, &[], 1).0, b"early bird");
        assert!(!traffic.is_fresh());
    }
}

#[test]
fn keys_change_both_ways() {
    let (mut traffic, mut device) = Pki::new().with_device(EACH[1]);
    for _ in 0..3 {
        // It asks for ours too; several such are answered once.
        device.refresh_traffic_keys().unwrap();
        device.refresh_traffic_keys().unwrap();
        device.writer().write_all(b"up").unwrap();
        let bytes = said(&mut device);
        let (content, end, mut says) = open(&mut traffic, &bytes, 9);
        assert_eq!((&content[..], end, says.len()), (&b"up"[..], None, 0));
        traffic.answer(&mut says);
        let answered = says.len();
        assert_eq!(answered, HEADER + UPDATED.len() + 1 + 16, "one record");
        traffic.answer(&mut says);
        assert_eq!(says.len(), answered);
        assert!(traffic.seal(b"down", &mut says));
        assert_eq!(hear(&mut device, &says).unwrap(), b"down");
    }
}

#[test]
fn a_ticket_of_the_hub_resumes_the_next_session() {
    for versions in EACH {
        let pki = Pki::new();
        let (hub, server) = (pki.hub(), pki.server(versions));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (shaking, mut served) = pki.with_hub(&hub, &server);
            kinds.push(shaking.state().handshake_kind());
            served.writer().write_all(b"x").unwrap();
            let bytes = said(&mut served);
            let mut traffic = shaking.into_traffic().unwrap();
            assert_eq!(open(&mut traffic, &bytes, 50).0, b"x");
        }
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)], "{versions:?}");
    }
}

#[test]
fn a_damaged_record_is_refused_and_its_peer_told() {
    for versions in EACH {
        let (mut traffic, mut device) = Pki::new().with_device(versions);
        device.writer().write_all(b"good").unwrap();
        let mut bytes = said(&mut device);
        device.writer().write_all(b"bad").unwrap();
        bytes.extend(said(&mut device));
        *bytes.last_mut().unwrap() ^= 1;
        let (content, end, says) = open(&mut traffic, &bytes, 1_000);
        assert_eq!((&content[..], end), (&b"good"[..], Some(End::Refused(Error::DecryptError))));
        let told = hear(&mut device, &says);
        assert_eq!(told, Err(Error::AlertReceived(AlertDescription::BadRecordMac)));
    }
}

#[test]
fn what_is_no_record_of_data_is_refused() {
    let oversized = [23, 3, 3, 0x48, 1];
    for (bytes, alert) in [
        (&b"GET / HTTP/1.1\r\n"[..], AlertDescription::UnexpectedMessage),
        (&[23, 2, 0, 0, 1, 0], AlertDescription::DecodeError),
        (&oversized, AlertDescription::RecordOverflow),
        (&[20, 3, 3, 0, 1, 1], AlertDescription::UnexpectedMessage),
    ] {
        let (mut traffic, mut device) = Pki::new().with_device(EACH[1]);
        let (content, end, says) = open(&mut traffic, bytes, 100);
        assert!(content.is_empty() && matches!(end, Some(End::Refused(_))), "{bytes:?}: {end:?}");
        assert_eq!(hear(&mut device, &says), Err(Error::AlertReceived(alert)));
    }
}

#[test]
fn close_notify_ends_it_and_is_said_once() {
    for versions in EACH {
        let (mut traffic, mut device) = Pki::new().with_device(versions);
        device.writer().write_all(b"last").unwrap();
        device.send_close_notify();
        let mut bytes = said(&mut device);
        bytes.extend([0; 40]);
        let (content, end, _) = open(&mut traffic, &bytes, 1_000);
        assert_eq!((&content[..], end), (&b"last"[..], Some(End::Closed)));
        let mut says = Vec::new();
        traffic.close_notify(&mut says);
        let once = says.len();
        traffic.close_notify(&mut says);
        assert_eq!(says.len(), once);
        let mut all = &says[..];
        device.read_tls(&mut all).unwrap();
        assert!(device.process_new_packets().unwrap().peer_has_closed());
    }
}
