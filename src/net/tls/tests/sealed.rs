//! What is sealed here is what a peer of rustls reads, and what it sealed is opened here.

use super::*;
use crate::net::tls::keys::{HEADER, Keys, Unopened};
use crate::tls::Alert;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::ALL_CIPHER_SUITES;
use rustls::{AlertDescription, CipherSuite, Connection, Error, ProtocolVersion, SupportedCipherSuite};
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

/// What is left to send of a connection, and its keys.
fn keys(mut connection: Connection) -> (Vec<u8>, Keys, Keys) {
    let mut bytes = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut bytes).unwrap();
    }
    let is_13 = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let secrets = connection.dangerous_extract_secrets().unwrap();
    (bytes, Keys::new(secrets.tx, is_13).unwrap(), Keys::new(secrets.rx, is_13).unwrap())
}

/// What is left to send of a connection, and then this alert.
fn alerted(connection: Connection, alert: Alert) -> Vec<u8> {
    let (mut bytes, mut seals, _) = keys(connection);
    assert!(seals.seal(21, &[alert.level(), alert.0], &mut bytes));
    bytes
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
            let bytes = alerted(Connection::Server(server), alert);
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
        let bytes = alerted(Connection::Client(client), Alert::ACCESS_DENIED);
        server.read_tls(&mut &bytes[..]).unwrap();
        let error = server.process_new_packets().unwrap_err();
        assert_eq!(error, Error::AlertReceived(AlertDescription::AccessDenied), "{suite:?}");
    }
}

#[test]
fn close_notify_is_one_of_them() {
    for &suite in ALL_CIPHER_SUITES {
        let Ends { mut client, server } = up(suite);
        let bytes = alerted(Connection::Server(server), Alert::CLOSE_NOTIFY);
        client.read_tls(&mut &bytes[..]).unwrap();
        let state = client.process_new_packets().unwrap();
        assert!(state.peer_has_closed(), "{suite:?}");
    }
}

#[test]
fn data_passes_both_ways_with_every_suite() {
    for &suite in ALL_CIPHER_SUITES {
        let Ends { mut client, server } = up(suite);
        let (_, mut seals, mut opens) = keys(Connection::Server(server));
        for content in [&b"x"[..], &[7; 1 << 14], b""] {
            let mut bytes = Vec::new();
            assert!(seals.seal(23, content, &mut bytes));
            let mut bytes = &bytes[..];
            while !bytes.is_empty() {
                client.read_tls(&mut bytes).unwrap();
                client.process_new_packets().unwrap();
            }
            let mut told = vec![0; content.len()];
            client.reader().read_exact(&mut told).unwrap();
            assert_eq!(told, content, "{suite:?}");
        }
        // Each is opened to the front of the buffer, behind what was opened before.
        client.writer().write_all(b"one").unwrap();
        client.writer().write_all(b"three").unwrap();
        let mut buffer = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut buffer).unwrap();
        }
        let first = HEADER + usize::from(u16::from_be_bytes([buffer[3], buffer[4]]));
        let end = buffer.len();
        assert_eq!(opens.open(&mut buffer, 0, 0..first), Ok((23, 3)), "{suite:?}");
        assert_eq!(opens.open(&mut buffer, 3, first..end), Ok((23, 5)), "{suite:?}");
        assert_eq!(&buffer[..8], b"onethree");
    }
}

#[test]
fn a_damaged_record_and_one_out_of_turn_are_not_opened() {
    for &suite in ALL_CIPHER_SUITES {
        let Ends { mut client, server } = up(suite);
        let (_, _, mut opens) = keys(Connection::Server(server));
        client.writer().write_all(b"content").unwrap();
        let mut record = Vec::new();
        client.write_tls(&mut record).unwrap();
        let all = 0..record.len();
        for at in 5..record.len() {
            let mut damaged = record.clone();
            damaged[at] ^= 1;
            assert_eq!(opens.open(&mut damaged, 0, all.clone()), Err(Unopened::Damaged), "{suite:?} at {at}");
        }
        assert_eq!(opens.open(&mut record.clone(), 0, 0..HEADER + 1), Err(Unopened::Damaged), "{suite:?}");
        assert_eq!(opens.open(&mut record.clone(), 0, all.clone()), Ok((23, 7)), "{suite:?}");
        assert_eq!(opens.open(&mut record, 0, all), Err(Unopened::Damaged), "{suite:?}: again");
    }
}
