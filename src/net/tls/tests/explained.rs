//! The words for handshakes that failed.

use super::*;
use crate::base::Side;
use crate::fault::BadCertificate;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible};

/// What a hub with this flaw is told of.
fn told(flaw: BadCertificate) -> (String, String) {
    let bench = Bench::new();
    let ask =
        Ask { sni: Some("hub.example"), local: "10.0.0.1".parse().unwrap(), alpn: &[], flaw: Some(flaw) };
    let server = bench.devices(&bench.plan()).config(&ask).unwrap();
    let hub = HubTls::load(&bench.plan(), "hub.example", &Arc::new(KeyLog::off())).unwrap();
    let mut ends = Ends::new(&hub.config(&[], None).unwrap(), &server, "hub.example");
    let (error, _) = ends.run();
    let peer = refused();
    assert!(peer.is_some() && refused().is_none(), "the certificate is taken once");
    let until = names::moment(names::Certificate::read(peer.as_ref().unwrap()).unwrap().not_after);
    (names::explain(&error.unwrap(), peer.as_ref(), "hub.example", Side::Hub), until)
}

#[test]
fn a_hub_that_is_refused_is_told_with_the_way_out() {
    let (expired, until) = told(BadCertificate::Expired);
    assert_eq!(
        expired,
        format!(
            "the hub's certificate has expired: it was valid until {until}: renew it at the hub, set this machine's clock, \
             or skip the check with --hub-insecure (hub_verify: false)"
        )
    );
    let (early, _) = told(BadCertificate::NotYetValid);
    assert!(early.starts_with("the hub's certificate is not valid yet: it will be from 2"), "{early}");
    assert_eq!(
        told(BadCertificate::WrongName).0,
        "the hub's certificate is for wrong.brownout.invalid, and not for hub.example: ask for one of its names with \
         --hub-name NAME (hub_name), or skip the check with --hub-insecure (hub_verify: false)"
    );
    assert_eq!(
        told(BadCertificate::UntrustedCa).0,
        "the hub's certificate comes from `CN=brownout unknown CA`, which is not among the trusted CAs: give its CA with \
         --hub-ca FILE (hub_ca), or skip the check with --hub-insecure (hub_verify: false)"
    );
    assert_eq!(
        told(BadCertificate::SelfSigned).0,
        "the hub's certificate is signed by itself (CN=hub.example), and is not in the trusted CAs: give its CA with \
         --hub-ca FILE (hub_ca), or skip the check with --hub-insecure (hub_verify: false)"
    );
}

/// The hub's own can be trusted by itself; the file of `--client-ca` names CAs alone.
#[test]
fn a_ca_s_certificate_is_told_with_what_helps_on_that_side() {
    let ca = CertificateDer::from_pem_file(Bench::new().path("ca/ca.pem")).unwrap();
    let flaw = rustls::OtherError(Arc::new(std::io::Error::other("CaUsedAsEndEntity")));
    let error = Error::InvalidCertificate(CertificateError::Other(flaw));
    let told = |side| names::explain(&error, Some(&ca), "hub.example", side);
    assert!(told(Side::Hub).contains("with CA:FALSE, or trust it as it is, by its own file in --hub-ca"));
    assert!(told(Side::Device).contains("with CA:FALSE; leave out --client-ca"), "{}", told(Side::Device));
}

#[test]
fn a_hub_without_names_is_told_so() {
    let bench = Bench::new();
    let (pem, key) = (case("version-1-test-certificate.pem"), case("ec-test-key.sec1.key"));
    let plan = TlsPlan { certificate: Some(pem.clone()), key: Some(key), ..TlsPlan::default() };
    let ask = Ask { sni: None, local: loopback(), alpn: &[], flaw: None };
    let server = bench.devices(&plan).config(&ask).unwrap();
    let trusting = TlsPlan { hub_ca: Some(pem), ..TlsPlan::default() };
    let hub = HubTls::load(&trusting, "old.test", &Arc::new(KeyLog::off())).unwrap();
    let mut ends = Ends::new(&hub.config(&[], None).unwrap(), &server, "old.test");
    let (error, _) = ends.run();
    let words = names::explain(&error.unwrap(), refused().as_ref(), "old.test", Side::Hub);
    assert!(words.contains("X.509 version 1"), "{words}");
}

#[test]
fn plain_mqtt_on_a_tls_port_is_known() {
    let bench = Bench::new();
    let ask = Ask { sni: None, local: loopback(), alpn: &[], flaw: None };
    let config = bench.devices(&bench.plan()).config(&ask).unwrap();
    let mut server = ServerConnection::new(config).unwrap();
    let connect: &[u8] = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x3c\x00\x03abc";
    server.read_tls(&mut &*connect).unwrap();
    let error = server.process_new_packets().unwrap_err();
    let words = names::explain(&error, None, "", Side::Device);
    assert!(words.contains("it speaks plain MQTT (or something else) on a TLS port"), "{error:?}: {words}");
    let mut acceptor = rustls::server::Acceptor::default();
    acceptor.read_tls(&mut &*connect).unwrap();
    let (error, _) = acceptor.accept().unwrap_err();
    assert_eq!(names::explain(&error, None, "", Side::Device), words);
    let answer = Error::InvalidMessage(InvalidMessage::InvalidContentType);
    assert!(names::explain(&answer, None, "", Side::Hub).contains("--upstream"));
}

#[test]
fn nothing_in_common_is_told_for_what_it_is() {
    let told = |problem, side| names::explain(&Error::PeerIncompatible(problem), None, "", side);
    assert_eq!(
        told(PeerIncompatible::Tls12NotOfferedOrEnabled, Side::Device),
        "the device speaks neither TLS 1.2 nor TLS 1.3"
    );
    assert!(
        told(PeerIncompatible::NoCipherSuitesInCommon, Side::Hub)
            .contains("the hub knows none of brownout's cipher")
    );
    assert!(names::explain(&Error::NoApplicationProtocol, None, "", Side::Device).contains("ALPN"));
}

/// A ClientHello as devices of old send it (RFC 5246 section 7.4.1.2), which rustls cannot be made to.
fn old_hello(version: [u8; 2], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let mut hello = [version.as_slice(), &[7; 32], &[0, 0, 2], &suite, &[1, 0]].concat();
    if let Ok(length @ 1..) = u16::try_from(extensions.len()) {
        hello.extend(length.to_be_bytes());
        hello.extend(extensions);
    }
    let length = u8::try_from(hello.len()).unwrap();
    [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length], hello.as_slice()].concat()
}

#[test]
fn a_device_of_old_is_told_for_what_it_is() {
    const SIGNATURES: &[u8] = &[0, 13, 0, 4, 0, 2, 4, 3];
    let bench = Bench::new();
    for (hello, expected) in [
        (
            old_hello([3, 2], [0xc0, 0x13], &[]),
            "speaks neither TLS 1.2 nor TLS 1.3, or TLS 1.2 with SHA-1 alone",
        ),
        (old_hello([3, 2], [0xc0, 0x13], SIGNATURES), "speaks neither TLS 1.2 nor TLS 1.3"),
        (old_hello([3, 3], [0, 0x2f], SIGNATURES), "knows no cipher suite with ECDHE"),
    ] {
        let ask = Ask { sni: None, local: loopback(), alpn: &[], flaw: None };
        let mut server = ServerConnection::new(bench.devices(&bench.plan()).config(&ask).unwrap()).unwrap();
        server.read_tls(&mut hello.as_slice()).unwrap();
        let error = server.process_new_packets().unwrap_err();
        let words = names::explain(&error, None, "", Side::Device);
        assert!(words.ends_with(expected), "{error:?}: {words}");
    }
}
