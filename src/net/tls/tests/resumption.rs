//! Sessions are resumed where they may be, and nowhere else.

use super::*;
use crate::fault::BadCertificate;
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

const EACH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

fn config(tls: &DeviceTls, alpn: &[Vec<u8>], flaw: Option<BadCertificate>) -> Arc<ServerConfig> {
    tls.config(&Ask { sni: Some("hub.example"), local: loopback(), alpn, flaw }).unwrap()
}

#[test]
fn a_device_resumes_with_another_configuration_for_the_same_name() {
    let bench = Bench::new();
    let tls = bench.devices(&bench.plan());
    for versions in EACH {
        let client = client_of(&[bench.authority.certificate().clone()], versions);
        let first = Ends::up(&client, &config(&tls, &[], None), "hub.example");
        assert_eq!(first.server.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(first.server.protocol_version(), Some(version_of(versions)));
        let again = Ends::up(&client, &config(&tls, &[b"mqtt".to_vec()], None), "hub.example");
        assert_eq!(again.server.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}");
    }
}

#[test]
fn a_flawed_configuration_takes_no_ticket_and_gives_none() {
    let bench = Bench::new();
    let tls = bench.devices(&bench.plan());
    for versions in EACH {
        let client = client_of(&[bench.authority.certificate().clone()], versions);
        Ends::up(&client, &config(&tls, &[], None), "hub.example");
        let flawed = config(&tls, &[], Some(BadCertificate::Expired));
        let mut ends = Ends::new(&client, &flawed, "hub.example");
        let (error, _) = ends.run();
        assert!(matches!(error, Some(rustls::Error::InvalidCertificate(_))), "{versions:?}: {error:?}");
        // A device that takes whatever it is shown must not carry a session over.
        let any = TlsPlan { hub_unverified: true, ..TlsPlan::default() };
        let hub = HubTls::load(&any, "hub.example", &Arc::new(KeyLog::off())).unwrap();
        let mut careless = ClientConfig::clone(&hub.config(&[], None).unwrap());
        careless.alpn_protocols.clear();
        let careless = Arc::new(careless);
        Ends::up(&careless, &flawed, "hub.example");
        for target in [&flawed, &config(&tls, &[], None)] {
            let next = Ends::up(&careless, target, "hub.example");
            assert_eq!(next.server.handshake_kind(), Some(HandshakeKind::Full));
        }
    }
}

#[test]
fn two_listeners_do_not_know_each_others_sessions() {
    let bench = Bench::new();
    let (one, other) = (bench.devices(&bench.plan()), bench.devices(&bench.plan()));
    for versions in EACH {
        let client = client_of(&[bench.authority.certificate().clone()], versions);
        Ends::up(&client, &config(&one, &[], None), "hub.example");
        let ends = Ends::up(&client, &config(&other, &[], None), "hub.example");
        assert_eq!(ends.server.handshake_kind(), Some(HandshakeKind::Full));
    }
}
