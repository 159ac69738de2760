//! Handshakes in memory: what brownout shows and asks for, against peers of rustls.

use super::*;
use crate::profile::TlsPlan;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
use std::path::{Path, PathBuf};

mod certificates;
mod clients;
mod explained;
mod hubs;
mod resumption;
mod sealed;

/// Both ends of a connection, until neither has anything to say.
pub(super) struct Ends {
    pub client: ClientConnection,
    pub server: ServerConnection,
}

impl Ends {
    fn new(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, name: &str) -> Ends {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Ends {
            client: ClientConnection::new(Arc::clone(client), name).unwrap(),
            server: ServerConnection::new(Arc::clone(server)).unwrap(),
        }
    }

    /// Carries bytes; the errors of the client and of the server.
    fn run(&mut self) -> (Option<rustls::Error>, Option<rustls::Error>) {
        let (mut of_client, mut of_server) = (None, None);
        for _ in 0..20 {
            let mut up = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut up).unwrap();
            }
            let mut bytes = &up[..];
            while !bytes.is_empty() && of_server.is_none() {
                self.server.read_tls(&mut bytes).unwrap();
                of_server = self.server.process_new_packets().err();
            }
            let mut down = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut down).unwrap();
            }
            let mut bytes = &down[..];
            while !bytes.is_empty() && of_client.is_none() {
                self.client.read_tls(&mut bytes).unwrap();
                of_client = self.client.process_new_packets().err();
            }
            if up.is_empty() && down.is_empty() {
                break;
            }
        }
        (of_client, of_server)
    }

    /// A handshake that has to succeed.
    fn up(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>, name: &str) -> Ends {
        let mut ends = Ends::new(client, server, name);
        assert_eq!(ends.run(), (None, None));
        assert!(!ends.client.is_handshaking() && !ends.server.is_handshaking());
        ends
    }
}

/// A directory with a CA in it, which goes with the value.
struct Bench {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(&folder.path().join("ca")).unwrap();
        Bench { folder, authority }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn plan(&self) -> TlsPlan {
        TlsPlan { ca: Some(self.path("ca")), hub_ca: Some(self.path("ca/ca.pem")), ..TlsPlan::default() }
    }

    fn devices(&self, plan: &TlsPlan) -> DeviceTls {
        DeviceTls::load(plan, &Arc::new(KeyLog::off())).unwrap()
    }

    /// A server with a certificate of the CA for this name.
    fn server(&self, name: &str) -> Arc<ServerConfig> {
        let ask = Ask { sni: Some(name), local: "10.0.0.1".parse().unwrap(), alpn: &[], flaw: None };
        self.devices(&self.plan()).config(&ask).unwrap()
    }

    /// A client that trusts the CA.
    fn client(&self) -> Arc<ClientConfig> {
        client_of(&[self.authority.certificate().clone()], rustls::ALL_VERSIONS)
    }
}

fn client_of(
    roots: &[CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    Arc::new(builder.with_root_certificates(store).with_no_client_auth())
}

fn version_of(versions: &[&'static SupportedProtocolVersion]) -> ProtocolVersion {
    versions[0].version
}

/// A file of tests/cases/tls.
fn case(name: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/tls").join(name);
    path.to_str().unwrap().to_owned()
}

fn loopback() -> std::net::IpAddr {
    "127.0.0.1".parse().unwrap()
}
