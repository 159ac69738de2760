//! The alert that is sealed here is the one that a peer of rustls reads.

use super::*;
use crate::tls::Alert;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::ALL_CIPHER_SUITES;
use rustls::{AlertDescription, CipherSuite, Connection, Error, SupportedCipherSuite};
use std::io::{Read, Write};

/// A device and brownout with this suite, after some traffic both ways.
fn up(suite: SupportedCipherSuite) -> Ends {
    let is_rsa = matches!(
        suite.suite(),
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
            | CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
    );
    let bench = Bench::new();
    let given = TlsPlan {
        certificate: Some(case("rsa-test-certificate.pem")),
        key: Some(case("rsa-test-key.key")),
        ..TlsPlan::default()
    };
    let plan = if is_rsa { given } else { bench.plan() };
    let ask = Ask { sni: None, local: loopback(), alpn: &[], flaw: None };
    let server = bench.devices(&plan).config(&ask).unwrap();
    let only = CryptoProvider { cipher_suites: vec![suite], ..CryptoProvider::clone(&provider()) };
    let verifier = Arc::new(verify::HubVerifier {
        against: None,
        known: Vec::new(),
        algorithms: only.signature_verification_algorithms,
    });
    let mut client = ClientConfig::builder_with_provider(Arc::new(only))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    client.enable_secret_extraction = true;
    let mut ends = Ends::up(&Arc::new(client), &server, "localhost");
    assert_eq!(ends.client.negotiated_cipher_suite(), Some(suite));
    for number in 0..5_u8 {
        ends.client.writer().write_all(&[number; 40]).unwrap();
        ends.server.writer().write_all(&vec![number; 20_000]).unwrap();
        assert_eq!(ends.run(), (None, None));
        let mut told = vec![0; 20_000];
        ends.server.reader().read_exact(&mut told[..40]).unwrap();
        ends.client.reader().read_exact(&mut told).unwrap();
    }
    ends
}

#[test]
fn a_device_reads_the_alert_with_every_suite() {
    for &suite in ALL_CIPHER_SUITES {
        for (alert, expected) in [
            (Alert::INTERNAL_ERROR, AlertDescription::InternalError),
            (Alert::BAD_RECORD_MAC, AlertDescription::BadRecordMac),
            (Alert(203), AlertDescription::from(203)),
        ] {
            let Ends { mut client, mut server } = up(suite);
            // What is not sent yet goes first.
            server.writer().write_all(b"last words").unwrap();
            let bytes = seal::alert(Connection::Server(server), alert).unwrap();
            let mut bytes = &bytes[..];
            let mut error = None;
            while !bytes.is_empty() && error.is_none() {
                client.read_tls(&mut bytes).unwrap();
                error = client.process_new_packets().err();
            }
            assert_eq!(error, Some(Error::AlertReceived(expected)), "{suite:?}");
            let mut said = [0; 10];
            client.reader().read_exact(&mut said).unwrap();
            assert_eq!(&said, b"last words");
        }
    }
}

#[test]
fn a_hub_reads_it_too() {
    for &suite in ALL_CIPHER_SUITES {
        let Ends { client, mut server } = up(suite);
        let bytes = seal::alert(Connection::Client(client), Alert::ACCESS_DENIED).unwrap();
        server.read_tls(&mut &bytes[..]).unwrap();
        let error = server.process_new_packets().unwrap_err();
        assert_eq!(error, Error::AlertReceived(AlertDescription::AccessDenied), "{suite:?}");
    }
}

#[test]
fn close_notify_is_one_of_them() {
    for &suite in ALL_CIPHER_SUITES {
        let Ends { mut client, server } = up(suite);
        let bytes = seal::alert(Connection::Server(server), Alert::CLOSE_NOTIFY).unwrap();
        client.read_tls(&mut &bytes[..]).unwrap();
        let state = client.process_new_packets().unwrap();
        assert!(state.peer_has_closed(), "{suite:?}");
    }
}

#[test]
fn before_the_handshake_is_done_there_is_nothing_to_seal_with() {
    let bench = Bench::new();
    let server = ServerConnection::new(bench.server("hub.example")).unwrap();
    let error = seal::alert(Connection::Server(server), Alert::INTERNAL_ERROR).unwrap_err().to_string();
    assert!(error.contains("cannot seal the alert"), "{error}");
}
