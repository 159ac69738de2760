//! TLS for the tests: a CA of their own, hubs and devices that are rustls's, and a client that takes what it should not.

#![allow(dead_code, reason = "each test file uses a part")]

use crate::common::{self, Bench};
use brownout::event::TlsMode;
use brownout::net::tls::{Authority, Named};
use brownout::profile::{ListenerPlan, Plan, TlsPlan};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// A CA of the test's own, in a directory.
pub struct Pki {
    pub directory: TempDir,
    authority: Authority,
}

impl Pki {
    pub fn new() -> Pki {
        let directory = TempDir::new().unwrap();
        let authority = Authority::create(directory.path()).unwrap();
        Pki { directory, authority }
    }

    pub fn path(&self) -> String {
        self.directory.path().to_str().unwrap().to_owned()
    }

    pub fn ca_file(&self) -> String {
        self.directory.path().join("ca.pem").to_str().unwrap().to_owned()
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.ca_file()).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        roots
    }

    /// What a device trusts: this CA.
    pub fn device(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(brownout::net::tls::provider());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_root_certificates(self.roots()).with_no_client_auth())
    }

    /// As [`Pki::device`], with TLS of this version alone.
    pub fn device_of(&self, version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(brownout::net::tls::provider());
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        Arc::new(builder.with_root_certificates(self.roots()).with_no_client_auth())
    }

    /// A device that presents a certificate; its chain and key in files too.
    pub fn device_with(&self, chain: &Path, key: &Path) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(brownout::net::tls::provider());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let chain = CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let builder = builder.with_root_certificates(self.roots());
        Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
    }

    /// A certificate of this CA for a name, in files: chain and key.
    pub fn issue(&self, name: &str) -> (String, String) {
        let file = |ending: &str| self.directory.path().join(format!("{name}.{ending}"));
        let (chain, key) = (file("pem"), file("key"));
        let issuer_key =
            rcgen::KeyPair::from_pem(&std::fs::read_to_string(self.directory.path().join("ca.key")).unwrap());
        let issuer_pem = std::fs::read_to_string(self.ca_file()).unwrap();
        let issuer = rcgen::Issuer::from_ca_cert_pem(&issuer_pem, issuer_key.unwrap()).unwrap();
        let own = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = params.signed_by(&own, &issuer).unwrap();
        std::fs::write(&chain, certificate.pem() + &issuer_pem).unwrap();
        std::fs::write(&key, own.serialize_pem()).unwrap();
        (chain.to_str().unwrap().to_owned(), key.to_str().unwrap().to_owned())
    }

    /// A hub for these names.
    pub fn hub(&self, names: &[&str], alpn: &[&str]) -> TlsAcceptor {
        let dns = names.iter().filter(|name| name.parse::<std::net::IpAddr>().is_err());
        let named = Named {
            dns: dns.map(|name| (*name).to_owned()).collect(),
            addresses: names.iter().filter_map(|name| name.parse().ok()).collect(),
        };
        let key = self.authority.mint(&named, None).unwrap();
        let builder = ServerConfig::builder_with_provider(brownout::net::tls::provider());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let resolver = rustls::sign::SingleCertAndKey::from(key);
        let mut config = builder.with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A listener that ends TLS with certificates of this CA.
    pub fn plan(&self, mode: TlsMode) -> TlsPlan {
        TlsPlan { mode, ca: Some(self.path()), ..TlsPlan::default() }
    }
}

/// A proxy with this TLS before a hub.
pub async fn start(plan: Plan, tls: TlsPlan, hub: SocketAddr) -> Bench {
    let listen = "127.0.0.1:0".into();
    Bench::with(plan, ListenerPlan { name: "main".into(), listen, upstream: hub.to_string(), tls }).await
}

/// A proxy with this TLS, and its hub's listener, past the probe that every start makes.
pub async fn bench(plan: Plan, tls: TlsPlan) -> (Bench, TcpListener) {
    let hub = common::hub().await;
    let bench = start(plan, tls, hub.local_addr().unwrap()).await;
    hub.accept().await.unwrap();
    (bench, hub)
}

/// A device's TLS with the proxy.
pub async fn connect(
    bench: &Bench,
    config: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(bench.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// The hub's TLS with the proxy.
pub async fn accept(hub: &TcpListener, acceptor: &TlsAcceptor) -> server::TlsStream<TcpStream> {
    let (stream, _) = hub.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    acceptor.accept(stream).await.unwrap()
}
