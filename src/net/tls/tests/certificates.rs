//! The CA, what it mints, and what devices make of it.

use super::*;
use crate::fault::BadCertificate;
use rustls::{CertificateError, Error};
use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;

const FLAWS: [BadCertificate; 5] = [
    BadCertificate::Expired,
    BadCertificate::NotYetValid,
    BadCertificate::WrongName,
    BadCertificate::UntrustedCa,
    BadCertificate::SelfSigned,
];

fn ask(sni: Option<&str>, flaw: Option<BadCertificate>) -> Ask<'_> {
    Ask { sni, local: loopback(), alpn: &[], flaw }
}

#[test]
fn the_key_is_the_owners_alone_and_nothing_shows_it() {
    let bench = Bench::new();
    let (key, certificate) = (bench.path("ca/ca.key"), bench.path("ca/ca.pem"));
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(&certificate) & 0o444, 0o444);
    let text = fs::read_to_string(&key).unwrap();
    assert!(text.contains("PRIVATE KEY"));
    let secret = text.lines().nth(1).unwrap();
    let tls = bench.devices(&bench.plan());
    assert!(!format!("{:?} {tls:?}", bench.authority).contains(secret));
    let again = Authority::create(&bench.folder.path().join("ca")).unwrap_err();
    assert!(matches!(again, TlsError::AuthorityExists { .. }), "{again}");
    assert_eq!(fs::read_to_string(&key).unwrap(), text);
}

#[test]
fn a_ca_is_opened_as_it_was_made() {
    let bench = Bench::new();
    let directory = bench.folder.path().join("ca");
    let opened = Authority::open(&directory).unwrap();
    assert_eq!(opened.certificate(), bench.authority.certificate());
    assert_eq!(opened.not_after(), bench.authority.not_after());
    assert_eq!(opened.warnings(), &[] as &[String]);
    fs::set_permissions(directory.join("ca.key"), Permissions::from_mode(0o644)).unwrap();
    let warning = Authority::open(&directory).unwrap().warnings().join("");
    assert!(warning.contains(&format!("chmod 600 {}/ca.key", directory.display())), "{warning}");
}

#[test]
fn a_directory_without_a_ca_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let error = Authority::open(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with(&format!("run `brownout ca {}` first", folder.path().display())), "{error}");
    fs::copy(case("rsa-test-certificate.pem"), folder.path().join("ca.pem")).unwrap();
    fs::copy(case("rsa-test-key.key"), folder.path().join("ca.key")).unwrap();
    let error = Authority::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("is not the certificate of a CA"), "{error}");
}

#[test]
fn a_sound_certificate_is_taken_for_what_was_asked() {
    let bench = Bench::new();
    let tls = bench.devices(&bench.plan());
    for (sni, name) in [
        (Some("Hub.Example"), "hub.example"),
        (Some("hub.example"), "127.0.0.1"),
        (None, "localhost"),
        (None, "127.0.0.1"),
        (None, "::1"),
    ] {
        let config = tls.config(&ask(sni, None)).unwrap();
        let ends = Ends::up(&bench.client(), &config, name);
        let chain = ends.client.peer_certificates().unwrap();
        assert_eq!(chain.len(), 2);
        assert_eq!(&chain[1], bench.authority.certificate());
    }
    let away: IpAddr = "192.0.2.7".parse().unwrap();
    let config = tls.config(&Ask { sni: None, local: away, alpn: &[], flaw: None }).unwrap();
    let ends = Ends::up(&bench.client(), &config, "192.0.2.7");
    let read = names::Certificate::read(&ends.client.peer_certificates().unwrap()[0]).unwrap();
    assert_eq!(read.names, ["192.0.2.7"]);
    assert!((397 * 86_400..=397 * 86_400 + 3600).contains(&(read.not_after - read.not_before)));
}

#[test]
fn each_flaw_is_refused_for_what_it_is() {
    let bench = Bench::new();
    let tls = bench.devices(&bench.plan());
    for sni in [Some("hub.example"), None] {
        for flaw in FLAWS {
            let config = tls.config(&ask(sni, Some(flaw))).unwrap();
            let mut ends = Ends::new(&bench.client(), &config, sni.unwrap_or("localhost"));
            let (client, server) = ends.run();
            let Some(Error::InvalidCertificate(found)) = client else { panic!("{flaw:?}: {client:?}") };
            let is_expected = match flaw {
                BadCertificate::Expired => matches!(found, CertificateError::ExpiredContext { .. }),
                BadCertificate::NotYetValid => matches!(found, CertificateError::NotValidYetContext { .. }),
                BadCertificate::WrongName => {
                    matches!(&found, CertificateError::NotValidForNameContext { presented, .. }
                        if format!("{presented:?}").contains("wrong.brownout.invalid"))
                }
                BadCertificate::UntrustedCa | BadCertificate::SelfSigned => {
                    found == CertificateError::UnknownIssuer
                }
            };
            assert!(is_expected, "{flaw:?}: {found:?}");
            assert!(matches!(server, Some(Error::AlertReceived(_))), "{flaw:?}: {server:?}");
        }
    }
}

#[test]
fn given_certificates_of_every_form_are_shown() {
    for (certificate, key) in [
        ("rsa-test-certificate.pem", "rsa-test-key.key"),
        ("rsa-test-certificate.pem", "rsa-test-key.pkcs1.key"),
        ("version-1-test-certificate.pem", "ec-test-key.sec1.key"),
    ] {
        let plan = TlsPlan {
            certificate: Some(case(certificate)),
            key: Some(case(key)),
            hub_unverified: true,
            ..TlsPlan::default()
        };
        let tls = DeviceTls::load(&plan, &Arc::new(KeyLog::off())).unwrap();
        let warnings = tls.warnings().join("");
        assert_eq!(warnings.contains("has no subjectAltName"), certificate.starts_with("version-1"));
        let config = tls.config(&ask(Some("any.example"), None)).unwrap();
        let hub = HubTls::load(&plan, "any.example", &Arc::new(KeyLog::off())).unwrap();
        Ends::up(&hub.config(&[], None).unwrap(), &config, "any.example");
        // Untrusted and self-signed ones need no CA.
        for flaw in FLAWS {
            let made = tls.config(&ask(None, Some(flaw)));
            assert_eq!(made.is_err(), flaw.needs_ca(), "{flaw:?}");
        }
    }
}

#[test]
fn a_flaw_of_a_given_certificate_keeps_its_names() {
    let plan = TlsPlan {
        certificate: Some(case("rsa-test-certificate.pem")),
        key: Some(case("rsa-test-key.key")),
        ..TlsPlan::default()
    };
    let tls = DeviceTls::load(&plan, &Arc::new(KeyLog::off())).unwrap();
    let any = TlsPlan { hub_unverified: true, ..TlsPlan::default() };
    let hub = HubTls::load(&any, "rsa.test", &Arc::new(KeyLog::off())).unwrap();
    let config = tls.config(&ask(None, Some(BadCertificate::SelfSigned))).unwrap();
    let ends = Ends::up(&hub.config(&[], None).unwrap(), &config, "rsa.test");
    let read = names::Certificate::read(&ends.client.peer_certificates().unwrap()[0]).unwrap();
    assert_eq!(read.names, ["rsa.test", "127.0.0.1"]);
    assert!(read.is_self_issued());
}

#[test]
fn what_is_wrong_with_files_is_told() {
    let bench = Bench::new();
    let (rsa, key) = (case("rsa-test-certificate.pem"), case("rsa-test-key.key"));
    let empty = bench.path("empty");
    fs::write(&empty, "").unwrap();
    let der = bench.path("der");
    fs::write(&der, bench.authority.certificate()).unwrap();
    let missing = bench.path("missing.pem");
    for (certificate, key, says) in [
        (&rsa, &case("ec-test-key.sec1.key"), "its key is not that of the certificate"),
        (&rsa, &case("encrypted-test-key.key"), "encrypted with a passphrase"),
        (&rsa, &empty, "holds no private key"),
        (&empty, &key, "holds no certificate"),
        (&der, &key, "it looks like DER"),
        (&missing, &key, "cannot read"),
    ] {
        let plan =
            TlsPlan { certificate: Some(certificate.clone()), key: Some(key.clone()), ..TlsPlan::default() };
        let error = DeviceTls::load(&plan, &Arc::new(KeyLog::off())).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let neither = DeviceTls::load(&TlsPlan::default(), &Arc::new(KeyLog::off())).unwrap_err().to_string();
    assert!(neither.contains("brownout ca"), "{neither}");
}

#[test]
fn configurations_are_kept_up_to_a_bound() {
    let bench = Bench::new();
    let tls = bench.devices(&bench.plan());
    let first = tls.config(&ask(Some("a.example"), None)).unwrap();
    assert!(Arc::ptr_eq(&first, &tls.config(&ask(Some("A.Example"), None)).unwrap()));
    let alpn = [b"mqtt".to_vec()];
    let with = Ask { alpn: &alpn, ..ask(Some("a.example"), None) };
    assert!(!Arc::ptr_eq(&first, &tls.config(&with).unwrap()));
    for number in 0..server::MOST_CONFIGS {
        tls.config(&ask(Some(&format!("{number}.example")), None)).unwrap();
    }
    assert!(!Arc::ptr_eq(&first, &tls.config(&ask(Some("a.example"), None)).unwrap()), "the oldest has gone");
    let long = "x".repeat(63) + "." + &"y".repeat(63) + ".example";
    Ends::up(&bench.client(), &tls.config(&ask(Some(&long), None)).unwrap(), &long);
    assert!(tls.config(&ask(Some("ä.example"), None)).unwrap_err().to_string().contains("ä.example"));
}
