//! Certificates of devices, in each mode.

use super::*;
use crate::profile::ClientCertificates;
use rustls::Error;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use std::fs;

/// A device with this certificate, whatever it is.
fn device(
    bench: &Bench,
    versions: &[&'static SupportedProtocolVersion],
    shown: Option<(&str, &str)>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(bench.authority.certificate().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    Arc::new(match shown {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
            let key =
                provider().key_provider.load_private_key(PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
            let key = rustls::sign::CertifiedKey::new(chain, key);
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(key)))
        }
    })
}

fn handshake(bench: &Bench, plan: &TlsPlan, device: &Arc<ClientConfig>) -> (Ends, Option<Error>) {
    let ask = Ask { sni: None, local: loopback(), alpn: &[], flaw: None };
    let config = bench.devices(plan).config(&ask).unwrap();
    let mut ends = Ends::new(device, &config, "localhost");
    let (_, of_server) = ends.run();
    (ends, of_server)
}

#[test]
fn each_mode_asks_for_what_it_says() {
    let bench = Bench::new();
    let rsa = (case("rsa-test-certificate.pem"), case("rsa-test-key.key"));
    let rsa = Some((rsa.0.as_str(), rsa.1.as_str()));
    let old = (case("version-1-test-certificate.pem"), case("ec-test-key.sec1.key"));
    let old = Some((old.0.as_str(), old.1.as_str()));
    for versions in [&[&TLS12], &[&TLS13]] {
        for (mode, shown, taken, seen) in [
            (ClientCertificates::None, rsa, true, None),
            (ClientCertificates::Request, None, true, None),
            (ClientCertificates::Request, rsa, true, Some("CN=rsa.test,O=brownout tests")),
            (ClientCertificates::Require, rsa, true, Some("CN=rsa.test,O=brownout tests")),
            (ClientCertificates::Require, old, true, Some("CN=old.test,O=brownout tests")),
            (ClientCertificates::Require, None, false, None),
        ] {
            let plan = TlsPlan { client_certificates: mode, ..bench.plan() };
            let (ends, error) = handshake(&bench, &plan, &device(&bench, versions, shown));
            assert_eq!(error.is_none(), taken, "{mode:?}: {error:?}");
            let subject = ends.server.peer_certificates().map(|chain| {
                let read = names::Certificate::read(&chain[0]).unwrap();
                read.subject
            });
            assert_eq!(subject.as_deref(), seen, "{mode:?}");
            if let Some(error) = error {
                assert_eq!(error, Error::NoCertificatesPresented);
                let words = names::explain(&error, None, "localhost", crate::base::Side::Device);
                assert!(words.contains("presented no certificate, and has to"), "{words}");
            }
        }
    }
}

#[test]
fn with_a_ca_only_its_certificates_are_taken() {
    let bench = Bench::new();
    let folder = &bench.folder;
    let ca = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "devices' CA");
    fs::write(folder.path().join("devices.pem"), parameters.self_signed(&ca).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(parameters, ca);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["sensor-1".into()]).unwrap();
    let (pem, key_path) = (bench.path("one.pem"), bench.path("one.key"));
    fs::write(&pem, leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(&key_path, key.serialize_pem()).unwrap();
    let plan = TlsPlan {
        client_certificates: ClientCertificates::Require,
        client_ca: Some(bench.path("devices.pem")),
        ..bench.plan()
    };
    for versions in [&[&TLS12], &[&TLS13]] {
        let (_, error) = handshake(&bench, &plan, &device(&bench, versions, Some((&pem, &key_path))));
        assert_eq!(error, None);
        let rsa = (case("rsa-test-certificate.pem"), case("rsa-test-key.key"));
        let (_, error) = handshake(&bench, &plan, &device(&bench, versions, Some((&rsa.0, &rsa.1))));
        let error = error.unwrap();
        let words = names::explain(&error, refused().as_ref(), "", crate::base::Side::Device);
        assert_eq!(
            words,
            "the device's certificate of `CN=rsa.test,O=brownout tests` comes from `CN=rsa.test,O=brownout tests`, \
             which is not in the file of --client-ca: add that CA there, or leave out --client-ca (client_ca) to take any \
             certificate"
        );
    }
}

#[test]
fn a_certificate_without_its_key_is_refused_though_any_would_do() {
    let bench = Bench::new();
    let plan = TlsPlan { client_certificates: ClientCertificates::Request, ..bench.plan() };
    let other = bench.path("other.key");
    fs::write(&other, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let stolen = bench.path("stolen.pem");
    fs::write(&stolen, rcgen::generate_simple_self_signed(vec!["sensor-1".into()]).unwrap().cert.pem())
        .unwrap();
    for versions in [&[&TLS12], &[&TLS13]] {
        for certificate in [stolen.clone(), case("version-1-test-certificate.pem")] {
            let thief = device(&bench, versions, Some((&certificate, &other)));
            let (_, error) = handshake(&bench, &plan, &thief);
            let error = error.unwrap();
            assert_eq!(error, Error::InvalidCertificate(rustls::CertificateError::BadSignature));
            let words = names::explain(&error, refused().as_ref(), "", crate::base::Side::Device);
            assert!(words.contains("whose key it does not have"), "{words}");
        }
    }
}
