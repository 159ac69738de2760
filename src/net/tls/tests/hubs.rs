//! What brownout asks hubs for, and shows them.

use super::*;
use crate::base::Side;
use crate::profile::Route;
use rustls::HandshakeKind;
use rustls::server::WebPkiClientVerifier;
use std::fs;

fn hub(plan: &TlsPlan, host: &str) -> HubTls {
    HubTls::load(plan, host, &Arc::new(KeyLog::off())).unwrap()
}

#[test]
fn the_name_is_the_one_that_the_hub_can_have() {
    let bench = Bench::new();
    let route = Route { sni: "*.hubs.example".into(), upstream: "10.0.0.9:8883".into() };
    let (plain, named, routed) = (
        bench.plan(),
        TlsPlan { hub_name: Some("named.example".into()), ..bench.plan() },
        TlsPlan { routes: vec![route], ..bench.plan() },
    );
    for (plan, host, sni, expected) in [
        (&plain, "hub.example", None, "hub.example"),
        (&plain, "hub.example", Some("localhost"), "hub.example"),
        (&plain, "[::1]", Some("localhost"), "::1"),
        (&named, "10.0.0.1", Some("localhost"), "named.example"),
        (&routed, "hub.example", Some("a.hubs.example"), "a.hubs.example"),
        (&routed, "hub.example", Some("localhost"), "hub.example"),
    ] {
        let name = hub(plan, host).name(sni).unwrap();
        assert_eq!(name.to_str(), expected, "{host} {sni:?}");
    }
    let error = hub(&plain, "not a name").name(None).unwrap_err().to_string();
    assert!(error.contains("`not a name`") && error.contains("--hub-name"), "{error}");
}

#[test]
fn a_hub_of_the_ca_is_taken_and_others_are_not() {
    let bench = Bench::new();
    let config = hub(&bench.plan(), "hub.example").config(&[], None).unwrap();
    Ends::up(&config, &bench.server("hub.example"), "hub.example");
    let other = Bench::new();
    let mut ends = Ends::new(&config, &other.server("hub.example"), "hub.example");
    let (error, alert) = ends.run();
    assert!(matches!(error, Some(rustls::Error::InvalidCertificate(_))), "{error:?}");
    // The alert is the one that rustls sends for it.
    assert_eq!(alert, Some(rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA)));
    let any = TlsPlan { hub_unverified: true, ..TlsPlan::default() };
    let config = hub(&any, "hub.example").config(&[b"mqtt".to_vec()], None).unwrap();
    Ends::up(&config, &other.server("hub.example"), "another.example");
}

#[test]
fn a_hub_whose_own_certificate_is_given_is_taken_for_its_names_and_time() {
    let bench = Bench::new();
    for is_ca in [false, true] {
        for (days, is_over) in [(1, false), (-1, true)] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut own = rcgen::CertificateParams::new(vec!["hub.example".into()]).unwrap();
            own.not_after = authority::now() + time::Duration::days(days);
            if is_ca {
                // What `openssl req -x509` makes.
                own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            }
            let (pem, key_path) = (bench.path("own.pem"), bench.path("own.key"));
            fs::write(&pem, own.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(&key_path, key.serialize_pem()).unwrap();
            let given = TlsPlan { certificate: Some(pem.clone()), key: Some(key_path), ..TlsPlan::default() };
            let ask = Ask { sni: None, local: loopback(), alpn: &[], flaw: None };
            let server = bench.devices(&given).config(&ask).unwrap();
            let trusting = TlsPlan { hub_ca: Some(pem), ..TlsPlan::default() };
            let config = hub(&trusting, "hub.example").config(&[], None).unwrap();
            for (name, is_its_own) in [("hub.example", true), ("other.example", false)] {
                let (error, _) = Ends::new(&config, &server, name).run();
                assert_eq!(error.is_none(), is_its_own && !is_over, "{is_ca} {days} {name}: {error:?}");
                let told = error.map(|error| names::explain(&error, refused().as_ref(), name, Side::Hub));
                assert_eq!(told.is_some_and(|told| told.contains("has expired")), is_over);
            }
        }
    }
}

/// A hub that wants a certificate of this CA.
fn strict(bench: &Bench) -> Arc<ServerConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(bench.authority.certificate().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let server = bench.authority.mint(&Named::one("hub.example"), None).unwrap();
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let resolver = rustls::sign::SingleCertAndKey::from(server);
    let mut config = builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(resolver));
    config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
    Arc::new(config)
}

/// The files of a device's certificate, signed by the CA of the bench.
fn write_device(bench: &Bench, name: &str) {
    let key = rcgen::KeyPair::try_from(&pem::key(Path::new(&bench.path("ca/ca.key"))).unwrap()).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_der(bench.authority.certificate(), key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut leaf = rcgen::CertificateParams::default();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name.push(rcgen::DnType::CommonName, name);
    fs::write(bench.path(&format!("{name}.pem")), leaf.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    fs::write(bench.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn shown(ends: &Ends) -> String {
    let chain = ends.server.peer_certificates().unwrap();
    names::Certificate::read(&chain[0]).unwrap().subject
}

#[test]
fn each_device_is_its_own_for_the_hub() {
    let bench = Bench::new();
    let strict = strict(&bench);
    write_device(&bench, "sensor-1");
    write_device(&bench, "sensor-2");
    let directory = bench.folder.path().to_str().unwrap().to_owned();
    let plan = TlsPlan { hub_certificates: Some(directory), ..bench.plan() };
    let hub = hub(&plan, "hub.example");
    for name in ["sensor-1", "sensor-2"] {
        let config = hub.config(&[], Some(name)).unwrap();
        let first = Ends::up(&config, &strict, "hub.example");
        assert_eq!(first.server.handshake_kind(), Some(HandshakeKind::Full), "{name} has no session yet");
        // Its own session is resumed, whatever it offers.
        let config = hub.config(&[b"mqtt".to_vec()], Some(name)).unwrap();
        let again = Ends::up(&config, &strict, "hub.example");
        assert_eq!(again.server.handshake_kind(), Some(HandshakeKind::Resumed));
        for ends in [&first, &again] {
            assert_eq!(shown(ends), format!("CN={name}"));
        }
    }
    // Who has no certificate has no session of another's either.
    let mut ends = Ends::new(&hub.config(&[], None).unwrap(), &strict, "hub.example");
    let (error, _) = ends.run();
    assert_eq!(error, Some(rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired)));
}

#[test]
fn one_certificate_is_shown_for_all() {
    let bench = Bench::new();
    write_device(&bench, "bench");
    let plan = TlsPlan {
        hub_certificate: Some(bench.path("bench.pem")),
        hub_key: Some(bench.path("bench.key")),
        ..bench.plan()
    };
    let hub = hub(&plan, "hub.example");
    assert_eq!(hub.warnings(), &[] as &[String]);
    let config = hub.config(&[], Some("sensor-1")).unwrap();
    assert_eq!(shown(&Ends::up(&config, &strict(&bench), "hub.example")), "CN=bench");
    let half = TlsPlan { hub_key: None, ..plan };
    let error = HubTls::load(&half, "hub.example", &Arc::new(KeyLog::off())).unwrap_err().to_string();
    assert!(error.contains("give both"), "{error}");
}

#[test]
fn a_common_name_cannot_leave_the_directory() {
    let bench = Bench::new();
    write_device(&bench, "sensor-1");
    fs::create_dir(bench.path("certs")).unwrap();
    let plan = TlsPlan { hub_certificates: Some(bench.path("certs")), ..bench.plan() };
    let hub = hub(&plan, "hub.example");
    for name in ["../sensor-1", "/etc/passwd", ".", "..", "", "a\0b"] {
        let error = hub.config(&[], Some(name)).unwrap_err().to_string();
        assert!(error.contains("cannot name a file"), "{name}: {error}");
    }
    let error = hub.config(&[], Some("sensor-9")).unwrap_err().to_string();
    assert!(error.contains(&bench.path("certs/sensor-9.pem")), "{error}");
    // What was missing is looked for again.
    for ending in ["pem", "key"] {
        let (from, to) = (format!("sensor-1.{ending}"), format!("certs/sensor-9.{ending}"));
        fs::copy(bench.path(&from), bench.path(&to)).unwrap();
    }
    assert!(hub.config(&[], Some("sensor-9")).is_ok());
    let nowhere = TlsPlan { hub_certificates: Some(bench.path("nowhere")), ..bench.plan() };
    let error = HubTls::load(&nowhere, "hub.example", &Arc::new(KeyLog::off())).unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
}
