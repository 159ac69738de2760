//! TLS 1.3 on both legs: the certificate of all, and links whose both ends are rustls's here.
//!
//! Nobody verifies anybody (the load has to be cheaper than what it measures, and so HAProxy is told `verify none` and
//! brownout `--hub-insecure`), and nobody resumes: each handshake is a full one, which is asserted.

use crate::link::prepare;
use crate::route::Route;
use crate::wire;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, ServerConfig,
    ServerConnection, SignatureScheme, StreamOwned,
};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, slice, thread};
use tempfile::TempDir;

/// A self-signed certificate of P-256, in files and configurations.
pub struct Pki {
    directory: TempDir,
    device: Arc<ClientConfig>,
    hub: Arc<ServerConfig>,
}

/// A link of TLS.
pub struct TlsLink {
    pub device: StreamOwned<ClientConnection, TcpStream>,
    pub hub: StreamOwned<ServerConnection, TcpStream>,
}

impl Pki {
    pub fn new() -> Pki {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let directory = TempDir::new().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        write("cert.pem", &certificate);
        write("key.pem", &key);
        write("both.pem", &format!("{certificate}{key}"));
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        Pki { directory, device: device(), hub: hub(made.cert.der().clone(), key) }
    }

    /// `cert.pem`, `key.pem`, or `both.pem`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn device_connection(&self) -> ClientConnection {
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::clone(&self.device), name).unwrap()
    }
}

fn device() -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(brownout::net::tls::provider());
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap().dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(Anyone)).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

fn hub(certificate: CertificateDer<'static>, key: PrivatePkcs8KeyDer<'static>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(brownout::net::tls::provider());
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![certificate], key.into()).unwrap();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

impl Route {
    fn pki(&self) -> &Pki {
        self.pki.as_deref().expect("a row of TLS")
    }

    pub fn tls_link(&self, client: &str) -> TlsLink {
        let connect = wire::connect(client);
        thread::scope(|scope| {
            let hub = scope.spawn(|| self.tls_hub(slice::from_ref(&connect)));
            let device = self.tls_device(&connect).unwrap_or_else(|error| panic!("{}: {error}", self.name));
            TlsLink { device, hub: hub.join().unwrap().unwrap() }
        })
    }

    /// A device, past its CONNACK.
    pub fn tls_device(&self, connect: &[u8]) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let socket = TcpStream::connect(self.address)?;
        prepare(&socket)?;
        let mut device = StreamOwned::new(self.pki().device_connection(), socket);
        device.write_all(connect)?;
        device.read_exact(&mut [0; wire::CONNACK.len()])?;
        assert_eq!(device.conn.handshake_kind(), Some(HandshakeKind::Full));
        Ok(device)
    }

    /// The hub's side of it, whose CONNECT is one of these, all as long; what only probed the hub is passed over.
    pub fn tls_hub(&self, connects: &[Vec<u8>]) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
        let mut came = vec![0; connects[0].len()];
        loop {
            let socket = self.hub.accept()?.0;
            prepare(&socket)?;
            let connection = ServerConnection::new(Arc::clone(&self.pki().hub)).map_err(io::Error::other)?;
            let mut hub = StreamOwned::new(connection, socket);
            match hub.read_exact(&mut came) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
                Err(error) => return Err(error),
            }
            assert!(connects.contains(&came), "another CONNECT came than was sent");
            assert_eq!(hub.conn.handshake_kind(), Some(HandshakeKind::Full));
            hub.write_all(&wire::CONNACK)?;
            return Ok(hub);
        }
    }
}

/// Takes any certificate, unread.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 is wanted".into()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
