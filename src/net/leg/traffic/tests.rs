//! Both sides of an established connection against rustls itself.

use super::super::shaking::Shaking;
use super::*;
use crate::event::TlsMode;
use crate::net::tls::{Ask, Authority, DeviceTls, HubTls, KeyLog, Named, provider};
use crate::profile::TlsPlan;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, HandshakeKind, RootCertStore};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::ops::DerefMut;
use std::sync::Arc;
use tempfile::TempDir;

type Versions = &'static [&'static SupportedProtocolVersion];
const EACH: [Versions; 2] = [&[&TLS12], &[&TLS13]];

struct Pki {
    _directory: TempDir,
    authority: Authority,
    plan: TlsPlan,
}

impl Pki {
    fn new() -> Pki {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ca");
        let authority = Authority::create(&path).unwrap();
        let ca = Some(path.to_str().unwrap().to_owned());
        let plan = TlsPlan { mode: TlsMode::Reoriginate, ca, hub_unverified: true, ..TlsPlan::default() };
        Pki { _directory: directory, authority, plan }
    }

    /// Brownout as a server, and a client of rustls: up.
    fn with_device(&self, versions: Versions) -> (Traffic, ClientConnection) {
        let (shaking, mut client) = self.pair(versions);
        (shake(shaking, &mut client).into_traffic().unwrap(), client)
    }

    /// The same before they shake hands.
    fn pair(&self, versions: Versions) -> (Shaking, ClientConnection) {
        let tls = DeviceTls::load(&self.plan, &Arc::new(KeyLog::off())).unwrap();
        let ask = Ask { sni: Some("hub"), local: [127, 0, 0, 1].into(), alpn: &[], flaw: None };
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("hub").unwrap();
        let client = ClientConnection::new(Arc::new(client), name).unwrap();
        (Shaking::server(tls.config(&ask).unwrap()).unwrap(), client)
    }

    /// Brownout as a client, and a server of rustls.
    fn with_hub(&self, hub: &HubTls, server: &Arc<ServerConfig>) -> (Shaking, ServerConnection) {
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        let shaking = Shaking::client(hub.config(&[], None).unwrap(), hub.name(None).unwrap()).unwrap();
        (shake(shaking, &mut server), server)
    }

    fn hub(&self) -> HubTls {
        HubTls::load(&self.plan, "hub", &Arc::new(KeyLog::off())).unwrap()
    }

    fn server(&self, versions: Versions) -> Arc<ServerConfig> {
        let key = self.authority.mint(&Named::one("hub"), None).unwrap();
        let server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Arc::new(server)
    }
}

fn said<D>(peer: &mut impl DerefMut<Target = ConnectionCommon<D>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while peer.wants_write() {
        peer.write_tls(&mut bytes).unwrap();
    }
    bytes
}

fn hear<D>(peer: &mut impl DerefMut<Target = ConnectionCommon<D>>, mut bytes: &[u8]) -> Result<Vec<u8>, Error>
where
    D: rustls::SideData,
{
    let mut content = Vec::new();
    while !bytes.is_empty() {
        peer.read_tls(&mut bytes).unwrap();
        peer.process_new_packets()?;
        let _ = peer.reader().read_to_end(&mut content);
    }
    Ok(content)
}

/// A whole handshake, with each byte of the peer's by itself.
fn shake<D>(mut shaking: Shaking, peer: &mut impl DerefMut<Target = ConnectionCommon<D>>) -> Shaking
where
    D: rustls::SideData,
{
    let mut says = Vec::new();
    shaking.feed(&[], &mut says).unwrap();
    loop {
        assert_eq!(hear(peer, &says), Ok(Vec::new()));
        says.clear();
        let bytes = said(peer);
        for byte in &bytes {
            shaking.feed(&[*byte], &mut says).unwrap();
        }
        if bytes.is_empty() && says.is_empty() {
            assert!(!shaking.state().is_handshaking());
            return shaking;
        }
    }
}

/// Opens all of this, so many bytes at once: the content, the end, and what is answered.
fn open(traffic: &mut Traffic, bytes: &[u8], at_once: usize) -> (Vec<u8>, Option<End>, Vec<u8>) {
    let mut buffer = vec![0; 128 * 1024];
    let (mut content, mut says) = (Vec::new(), Vec::new());
    for part in [&[][..]].into_iter().chain(bytes.chunks(at_once)) {
        let waiting = traffic.waiting();
        buffer[waiting..waiting + part.len()].copy_from_slice(part);
        let opened = traffic.open(&mut buffer, waiting + part.len(), &mut says);
        content.extend_from_slice(&buffer[..opened.content]);
        if opened.end.is_some() {
            return (content, opened.end, says);
        }
    }
    (content, None, says)
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
        (&b"GET / HTTP/1.1\r\n"[..], AlertDescription::DecodeError),
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
