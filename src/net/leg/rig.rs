//! What the tests of legs share: certificates, peers of rustls, and brownout at both ends.

use super::shaking::Shaking;
use super::traffic::{End, Traffic};
use crate::event::TlsMode;
use crate::net::tls::{Ask, Authority, DeviceTls, HubTls, KeyLog, Named, provider};
use crate::profile::TlsPlan;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ConnectionCommon, Error, RootCertStore};
use rustls::{ServerConfig, ServerConnection, SupportedProtocolVersion};
use std::io::Read;
use std::ops::DerefMut;
use std::sync::Arc;
use tempfile::TempDir;

pub type Versions = &'static [&'static SupportedProtocolVersion];
pub const EACH: [Versions; 2] = [&[&TLS12], &[&TLS13]];

pub struct Pki {
    _directory: TempDir,
    authority: Authority,
    plan: TlsPlan,
}

impl Pki {
    pub fn new() -> Pki {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("ca");
        let authority = Authority::create(&path).unwrap();
        let ca = Some(path.to_str().unwrap().to_owned());
        let plan = TlsPlan { mode: TlsMode::Reoriginate, ca, hub_unverified: true, ..TlsPlan::default() };
        Pki { _directory: directory, authority, plan }
    }

    /// Brownout as a server, and a client of rustls: up.
    pub fn with_device(&self, versions: Versions) -> (Traffic, ClientConnection) {
        let (shaking, mut client) = self.pair(versions);
        (shake(shaking, &mut client).into_traffic().unwrap(), client)
    }

    /// The same before they shake hands.
    pub fn pair(&self, versions: Versions) -> (Shaking, ClientConnection) {
        let client = ClientConnection::new(self.client(versions), name()).unwrap();
        (Shaking::server(self.device()).unwrap(), client)
    }

    /// Brownout at both ends, up: as a server and as a client.
    pub fn both(&self, versions: Versions) -> (Traffic, Traffic) {
        let mut server = Shaking::server(self.device()).unwrap();
        let mut client = Shaking::client(self.client(versions), name()).unwrap();
        let (mut up, mut down) = (Vec::new(), Vec::new());
        client.feed(&[], &mut up).unwrap();
        while !(up.is_empty() && down.is_empty()) {
            server.feed(&std::mem::take(&mut up), &mut down).unwrap();
            client.feed(&std::mem::take(&mut down), &mut up).unwrap();
        }
        let (mut server, mut client) = (server.into_traffic().unwrap(), client.into_traffic().unwrap());
        // Tickets.
        assert_eq!(open(&mut client, &[], 1), (Vec::new(), None, Vec::new()));
        assert_eq!(open(&mut server, &[], 1), (Vec::new(), None, Vec::new()));
        (server, client)
    }

    /// What a device is served with.
    pub fn device(&self) -> Arc<ServerConfig> {
        let tls = DeviceTls::load(&self.plan, &Arc::new(KeyLog::off())).unwrap();
        let ask = Ask { sni: Some("hub"), local: [127, 0, 0, 1].into(), alpn: &[], flaw: None };
        tls.config(&ask).unwrap()
    }

    /// A client that trusts it, and gives its keys out.
    pub fn client(&self, versions: Versions) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.certificate().clone()).unwrap();
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.enable_secret_extraction = true;
        Arc::new(client)
    }

    /// Brownout as a client, and a server of rustls.
    pub fn with_hub(&self, hub: &HubTls, server: &Arc<ServerConfig>) -> (Shaking, ServerConnection) {
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        let shaking = Shaking::client(hub.config(&[], None).unwrap(), hub.name(None).unwrap()).unwrap();
        (shake(shaking, &mut server), server)
    }

    pub fn hub(&self) -> HubTls {
        HubTls::load(&self.plan, "hub", &Arc::new(KeyLog::off())).unwrap()
    }

    /// What a hub of rustls has.
    pub fn server(&self, versions: Versions) -> Arc<ServerConfig> {
        self.server_by(provider(), versions)
    }

    /// The same with another provider.
    pub fn server_by(&self, provider: Arc<CryptoProvider>, versions: Versions) -> Arc<ServerConfig> {
        let key = self.authority.mint(&Named::one("hub"), None).unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        Arc::new(server)
    }
}

/// By which a client knows brownout.
pub fn name() -> ServerName<'static> {
    ServerName::try_from("hub").unwrap()
}

pub fn said<D>(peer: &mut impl DerefMut<Target = ConnectionCommon<D>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while peer.wants_write() {
        peer.write_tls(&mut bytes).unwrap();
    }
    bytes
}

pub fn hear<D>(
    peer: &mut impl DerefMut<Target = ConnectionCommon<D>>,
    mut bytes: &[u8],
) -> Result<Vec<u8>, Error>
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
pub fn shake<D>(mut shaking: Shaking, peer: &mut impl DerefMut<Target = ConnectionCommon<D>>) -> Shaking
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
pub fn open(traffic: &mut Traffic, bytes: &[u8], at_once: usize) -> (Vec<u8>, Option<End>, Vec<u8>) {
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
