//! Faults of TLS, and what TLS tells of whose a link is.

use super::*;
use crate::base::{DeviceId, Side, WindowId};
use crate::event::TlsUp;
use crate::fault::{
    BadCertificate, Fidelity, HandshakeFault, HandshakeStage, Harm, RecordFault, TlsAlert, TlsHandshake,
    TlsRecord,
};
use crate::tls::{Alert, Damage};
use proptest::prelude::*;
use std::collections::BTreeSet;

const STALL: HandshakeFault = HandshakeFault::Stall(HandshakeStage::BeforeServerHello);
const EXPIRED: HandshakeFault = HandshakeFault::Certificate(BadCertificate::Expired);

fn handshake(what: HandshakeFault, hold: &str) -> Fault {
    Fault::TlsHandshake(TlsHandshake { what, hold: span(hold) })
}

fn bad_mac(toward: Side) -> Fault {
    Fault::TlsRecord(TlsRecord { toward, what: RecordFault::Damaged(Damage::Mac) })
}

fn of_sni(rule: Rule, glob: &str) -> Rule {
    let who = Who { sni: Some(glob.into()), ..Who::EVERYONE };
    Rule { who, ..rule }
}

impl Run {
    /// A link from this address.
    fn open_from(&mut self, link: u64, address: &str) -> LinkId {
        let peer = format!("{address}:{}", 50_000 + link).parse().unwrap();
        let link = LinkId(link);
        self.tell(Input::LinkOpened { link, listener: ListenerId(0), peer, to: None });
        link
    }

    /// A link from this address, whose device has said hello.
    fn greets(&mut self, link: u64, address: &str) -> LinkId {
        let link = self.open_from(link, address);
        self.hello(link, "hub.example", false);
        link
    }

    fn hello(&mut self, link: LinkId, sni: &str, passthrough: bool) {
        self.tell(Input::TlsHello { link, sni: Some(sni.into()), alpn: Vec::new(), passthrough });
    }

    fn established(&mut self, link: LinkId, subject: Option<&str>) {
        let up = TlsUp {
            took_ns: 1_000_000,
            version: "TLS 1.3".into(),
            cipher: "TLS13_AES_128_GCM_SHA256".into(),
            resumed: false,
            alpn: None,
            subject: subject.map(str::to_owned),
        };
        self.tell(Input::TlsEstablished { link, side: Side::Device, up: Box::new(up) });
    }

    /// A device from this address that is connected over TLS.
    fn tls_device(&mut self, link: u64, name: &str, address: &str) -> LinkId {
        let link = self.greets(link, address);
        self.established(link, None);
        self.connect(link, name, 2);
        self.connack(link, 0);
        link
    }

    fn gives_up(&mut self, link: LinkId) {
        self.tell(Input::LegEnded {
            link,
            side: Side::Device,
            how: crate::fault::Ending::Fin,
            error: None,
            last: LastPackets::default(),
        });
        self.close(link);
    }

    /// The names of the devices, and the numbers of the links that each was told to have, the last word counting.
    fn devices(&self) -> Vec<(&str, Vec<u64>)> {
        let mut of: Vec<(u64, DeviceId)> = Vec::new();
        for event in &self.events {
            if let What::LinkIdentified { link, device } = event.what {
                of.retain(|(known, _)| *known != link.0);
                of.push((link.0, device));
            }
        }
        let links = |id| of.iter().filter(|(_, device)| *device == id).map(|(link, _)| *link).collect();
        self.engine.sessions.devices().map(|device| (&*device.name, links(device.id))).collect()
    }

    fn means(&self) -> Vec<(Fidelity, Ends<Option<Mechanism>>)> {
        let applied = self.events.iter().filter_map(|event| match event.what {
            What::FaultApplied { fidelity, means, .. } => Some((fidelity, means)),
            _ => None,
        });
        applied.collect()
    }

    fn harms(&self) -> Vec<(u64, LinkId, Harm)> {
        let harms = self.orders.iter().filter_map(|(at, link, order)| match order {
            Order::Harm(harm) => Some((at.as_nanos() / 1_000_000, *link, *harm)),
            _ => None,
        });
        harms.collect()
    }
}

fn is_lifted(what: &What) -> bool {
    matches!(what, What::FaultLifted { .. })
}

fn is_opened(what: &What) -> bool {
    matches!(what, What::WindowOpened { .. })
}

const NOTHING: [u64; 0] = [];

#[test]
fn a_rule_of_a_server_name_waits_until_the_link_has_asked_for_it() {
    let rules = vec![
        of_sni(rule(at(1000), dark("2s", Connects::Silence)), "*.example"),
        of_sni(rule(at(1500), rst()), "*.example"),
    ];
    let mut run = Run::new(plan(rules));
    run.to(1200);
    let (meant, other) = (run.open(1), run.open(2));
    assert!(run.effects(meant).is_clear(), "no name has been asked for");
    run.hello(meant, "hub.example", false);
    run.hello(other, "hub.test", false);
    assert!(run.effects(meant).hold_dial && run.effects(meant).closed.up);
    assert!(run.effects(other).is_clear());
    run.to(1600);
    assert_eq!(run.cuts(), [(1500, meant)]);
}

#[test]
fn a_rule_of_a_certificate_waits_until_the_handshake_is_done() {
    let who = Who { subject: Some("CN=pump-*".into()), ..Who::EVERYONE };
    let mut run = Run::new(plan(vec![Rule { who, ..rule(at(1000), dark("2s", Connects::Silence)) }]));
    run.to(1200);
    let (meant, other) = (run.greets(1, "10.0.0.1"), run.greets(2, "10.0.0.2"));
    assert!(run.effects(meant).is_clear());
    run.established(meant, Some("CN=pump-1"));
    run.established(other, None);
    assert!(run.effects(meant).closed.up);
    assert!(run.effects(other).is_clear());
    run.connect(meant, "pump-1", 2);
    assert!(run.effects(meant).closed.up);
    assert_eq!(run.times(is_applied), [1200]);
}

#[test]
fn a_handshake_is_struck_before_its_hello_is_answered() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(STALL, "2s"))]));
    run.to(1200);
    let link = run.open_from(1, "10.0.0.1");
    assert!(run.effects(link).is_clear());
    let hello = Input::TlsHello { link, sni: None, alpn: Vec::new(), passthrough: false };
    run.engine.handle(run.now, hello);
    // The order is there when the input has been taken in.
    run.confirm = false;
    run.drain();
    assert_eq!(run.effects(link).handshake, Some(STALL));
    assert_eq!(run.times(is_applied), NOTHING, "confirmed when it was done, not before");
    run.to(1300);
    run.tell(Input::Applied { link, generation: 1, granted: Granted::default() });
    let means = Ends { device: Some(Mechanism::Handshake), hub: None };
    assert_eq!((run.times(is_applied), run.means()), (vec![1300], vec![(Fidelity::Stream, means)]));
    run.confirm = true;
    run.to(3000);
    assert!(run.effects(link).is_clear(), "then the handshake goes on");
    assert_eq!((run.times(is_lifted), run.times(is_closed)), (vec![3000], vec![3000]));
}

#[test]
fn a_fault_of_handshakes_leaves_links_alone_that_are_past_theirs() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(EXPIRED, "2s"))]));
    let past = run.tls_device(1, "d", "10.0.0.1");
    let plain = run.open_from(2, "10.0.0.2");
    run.connect(plain, "p", 2);
    let under_way = run.greets(3, "10.0.0.3");
    run.to(1000);
    assert!(run.effects(past).is_clear() && run.effects(plain).is_clear());
    assert_eq!(run.effects(under_way).handshake, Some(EXPIRED), "whenever the window opened");
    run.to(1500);
    run.established(under_way, None);
    assert!(run.effects(under_way).is_clear());
    assert_eq!((run.times(is_applied), run.times(is_lifted)), (vec![1000], vec![1500]));
    run.gives_up(past);
    let again = run.greets(4, "10.0.0.1");
    assert_eq!(run.effects(again).handshake, Some(EXPIRED), "a later link of a known device");
    run.tell(Input::TlsFailed { link: again, side: Side::Device, error: "unknown_ca".into() });
    assert!(run.effects(again).is_clear());
}

#[test]
fn a_handshake_meets_the_first_of_several_faults() {
    let rules = vec![
        rule(at(1200), handshake(STALL, "1s")),
        rule(at(1000), handshake(EXPIRED, "3s")),
        rule(at(1000), slow(50, Some("3s"))),
    ];
    let mut run = Run::new(plan(rules));
    run.to(1500);
    let link = run.greets(1, "10.0.0.1");
    assert_eq!(run.effects(link).handshake, Some(STALL), "in the order of the rules");
    assert_eq!(run.effects(link).delays.up.len(), 1, "other faults hold as ever");
    assert_eq!(run.means().len(), 2, "the other fault of handshakes did not happen");
    run.to(2200);
    assert_eq!(run.effects(link).handshake, Some(EXPIRED));
    assert_eq!(run.means().len(), 3);
}

#[test]
fn a_link_that_goes_before_its_handshake_met_the_fault_met_none() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(EXPIRED, "2s"))]));
    run.to(1200);
    run.confirm = false;
    let link = run.greets(1, "10.0.0.1");
    run.gives_up(link);
    run.to(3000);
    assert_eq!((run.times(is_applied), run.times(is_closed)), (vec![], vec![3000]));
}

#[test]
fn without_a_fault_a_handshake_names_nobody() {
    let mut run = Run::new(plan(vec![of_sni(rule(at(1000), handshake(STALL, "2s")), "*.test")]));
    run.to(1200);
    run.greets(1, "10.0.0.1");
    assert_eq!(run.devices(), []);
}

#[test]
fn a_struck_handshake_is_of_the_one_device_that_is_known_at_its_address() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(STALL, "2s"))]));
    let first = run.tls_device(1, "d", "10.0.0.1");
    run.tls_device(2, "e", "10.0.0.2");
    run.to(1000);
    run.gives_up(first);
    let again = run.greets(3, "10.0.0.1");
    assert_eq!(run.devices(), [("d", vec![1, 3]), ("e", vec![2])]);
    run.to(3000);
    run.established(again, None);
    run.connect(again, "d", 2);
    assert_eq!(run.devices(), [("d", vec![1, 3]), ("e", vec![2])]);
}

#[test]
fn devices_behind_one_address_share_its_name_until_they_say_theirs() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(STALL, "2s"))]));
    run.tls_device(1, "d", "10.0.0.1");
    run.tls_device(2, "e", "10.0.0.1");
    run.to(1000);
    let (one, two) = (run.greets(3, "10.0.0.1"), run.greets(4, "10.0.0.1"));
    assert_eq!(run.devices(), [("d", vec![1]), ("e", vec![2]), ("10.0.0.1", vec![3, 4])]);
    run.to(3000);
    for (link, name) in [(one, "e"), (two, "new")] {
        run.established(link, None);
        run.connect(link, name, 2);
    }
    let told = [("d", vec![1]), ("e", vec![2, 3]), ("10.0.0.1", vec![]), ("new", vec![4])];
    assert_eq!(run.devices(), told, "it had two links at once, so it may be two devices");
}

#[test]
fn attempts_one_after_another_are_the_one_devices_that_comes_of_them() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(STALL, "2s"))]));
    run.to(1000);
    for link in 1..=3 {
        run.to(1000 + link * 100);
        let link = run.greets(link, "10.0.0.1");
        run.gives_up(link);
    }
    run.to(3000);
    let link = run.tls_device(4, "d", "10.0.0.1");
    assert_eq!(run.devices(), [("d", vec![1, 2, 3, 4])], "although no fault struck the fourth");
    run.gives_up(link);

    let mut run = Run::new(plan(vec![rule(at(1000), handshake(EXPIRED, "2s"))]));
    run.to(1000);
    let first = run.greets(1, "10.0.0.1");
    run.gives_up(first);
    run.to(1500);
    let second = run.greets(2, "10.0.0.1");
    run.established(second, None);
    run.connect(second, "d", 2);
    assert_eq!(run.devices(), [("d", vec![1, 2])], "it took the bad certificate, and said its name");
    run.gives_up(second);
    run.greets(3, "10.0.0.1");
    assert_eq!(run.devices(), [("d", vec![1, 2, 3])]);
}

#[test]
fn a_link_that_turns_out_to_be_anothers_leaves_the_windows_it_was_under() {
    let rules = vec![rule(at(1000), handshake(EXPIRED, "9s")), rule(at(1000), slow(50, Some("9s")))];
    let mut run = Run::new(plan(rules));
    let d = run.tls_device(1, "d", "10.0.0.1");
    run.to(1000);
    run.confirm = false;
    // Taken for d, it is e; it goes before it has done what was ordered about that.
    let link = run.greets(2, "10.0.0.1");
    run.tell(Input::Applied { link, generation: 1, granted: Granted::default() });
    run.established(link, None);
    run.connect(link, "e", 2);
    assert_eq!(run.devices(), [("d", vec![1]), ("e", vec![2])]);
    run.close(link);
    run.confirm = true;
    run.gives_up(d);
    run.to(10_000);
    assert_eq!(run.times(is_opened).len(), run.times(is_closed).len());
}

#[test]
fn who_is_met_before_any_connect_is_met_no_longer_than_the_fault_holds() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(STALL, "2 keepalive"))]));
    run.tls_device(1, "d", "10.0.0.1");
    run.to(1500);
    run.greets(2, "10.0.0.9");
    run.to(5000);
    assert_eq!(run.times(is_closed), [5000, 5000], "not twice the keep-alive that it is taken to have");
}

#[test]
fn a_run_waits_for_a_fault_of_handshakes_to_be_over() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(STALL, "5s"))]));
    run.tls_device(1, "d", "10.0.0.1");
    run.to(7999);
    assert_eq!(run.finished, None);
    run.to(8000);
    assert_eq!(run.finished, Some((ms(8000), EndReason::Complete)));
}

/// It may never get in: then there is nothing more to wait for.
#[test]
fn a_device_that_a_fault_of_handshakes_keeps_out_was_seen() {
    let mut run = Run::new(plan(vec![rule(at(0), handshake(EXPIRED, "5s"))]));
    run.to(20_000);
    assert_eq!(run.finished, None, "nobody came");
    let mut run = Run::new(plan(vec![rule(at(0), handshake(EXPIRED, "5s"))]));
    run.to(100);
    let link = run.greets(1, "10.0.0.1");
    run.gives_up(link);
    run.to(6_999);
    assert_eq!(run.finished, None);
    run.to(7_000);
    assert_eq!(run.finished, Some((ms(7_000), EndReason::Complete)));
    // Two at once from one address may be two devices, and of neither is known whether it was the one that is waited for.
    let mut run = Run::new(plan(vec![rule(at(0), handshake(EXPIRED, "5s"))]));
    run.to(100);
    let links = [run.greets(1, "10.0.0.1"), run.greets(2, "10.0.0.1")];
    links.into_iter().for_each(|link| run.gives_up(link));
    run.to(20_000);
    assert_eq!(run.finished, None);
}

#[test]
fn a_rule_after_a_packet_strikes_the_next_handshakes_of_its_device_alone() {
    let mut run = Run::new(plan(vec![rule(after(PacketKind::Connack, "1s", 1), handshake(STALL, "2s"))]));
    let first = run.tls_device(1, "d", "10.0.0.1");
    run.to(1500);
    run.gives_up(first);
    let (again, other) = (run.greets(2, "10.0.0.1"), run.greets(3, "10.0.0.2"));
    assert_eq!(run.effects(again).handshake, Some(STALL));
    assert!(run.effects(other).is_clear());
}

#[test]
fn what_is_passed_through_is_known_by_its_address() {
    let mut run = Run::new(plan(vec![rule(at(1000), dark("1s", Connects::Silence))]));
    let first = run.open_from(1, "10.0.0.1");
    run.hello(first, "hub.example", true);
    assert_eq!(run.devices(), [("10.0.0.1", vec![1])]);
    assert!(!run.engine.sessions.link(first).unwrap().is_up());
    run.tell(Input::FirstData { link: first, direction: Direction::Up });
    assert!(!run.engine.sessions.link(first).unwrap().is_up());
    run.tell(Input::FirstData { link: first, direction: Direction::Down });
    assert!(run.engine.sessions.link(first).unwrap().is_up(), "the hub's first data is all there is to see");
    run.to(1500);
    assert!(run.effects(first).closed.up);
    run.gives_up(first);
    let second = run.open_from(2, "10.0.0.1");
    run.hello(second, "hub.example", true);
    assert_eq!(run.devices(), [("10.0.0.1", vec![1, 2])]);
    assert!(run.effects(second).closed.up);
    run.to(2500);
    run.tell(Input::FirstData { link: second, direction: Direction::Down });
    assert_eq!(run.engine.sessions.device(DeviceId(0)).unwrap().accepted, 2);
    run.to(4499);
    assert_eq!(run.finished, None, "watched for two seconds after it was back");
    run.to(4500);
    assert_eq!(run.finished, Some((ms(4500), EndReason::Complete)));
}

#[test]
fn an_address_whose_tls_passes_through_keeps_its_name() {
    let mut run = Run::new(plan(vec![rule(at(1000), handshake(EXPIRED, "5s"))]));
    let passed = run.open_from(1, "10.0.0.1");
    run.hello(passed, "hub.example", true);
    run.gives_up(passed);
    run.to(1500);
    let struck = run.greets(2, "10.0.0.1");
    run.established(struck, None);
    run.connect(struck, "d", 2);
    assert_eq!(run.devices(), [("10.0.0.1", vec![1]), ("d", vec![2])]);
}

#[test]
fn a_damaged_record_is_told_when_it_was_sent() {
    let mut run = Run::new(plan(vec![rule(at(1000), bad_mac(Side::Hub))]));
    let link = run.tls_device(1, "d", "10.0.0.1");
    run.confirm = false;
    run.to(1000);
    let window = Some(WindowId(0));
    assert_eq!(run.harms(), [(1000, link, Harm { window, toward: Side::Hub, damage: Damage::Mac })]);
    let packet = |run: &mut Run| {
        run.engine.packet(run.now, link, Direction::Up, Packet::Pingreq, Beside::default(), false).0
    };
    assert!(!packet(&mut run).held, "bytes go on");
    run.to(1700);
    run.tell(Input::Harmed { link, window, toward: Side::Hub });
    let means = Ends { device: None, hub: Some(Mechanism::Record) };
    assert_eq!(run.means(), [(Fidelity::Stream, means)]);
    assert_eq!((run.times(is_applied), run.times(is_closed)), (vec![1700], vec![1700]));
}

#[test]
fn a_link_that_closes_before_its_record_came_had_none_damaged() {
    let mut run = Run::new(plan(vec![rule(at(1000), bad_mac(Side::Device))]));
    let link = run.tls_device(1, "d", "10.0.0.1");
    run.confirm = false;
    run.to(1500);
    run.gives_up(link);
    assert_eq!((run.times(is_applied), run.times(is_closed)), (vec![], vec![1500]));
}

#[test]
fn a_record_of_nobody_yet_is_told_of_once_it_is_known_whose_it_was() {
    let mut run = Run::new(plan(vec![rule(at(1000), bad_mac(Side::Hub))]));
    let (link, silent) = (run.greets(1, "10.0.0.1"), run.greets(2, "10.0.0.2"));
    run.confirm = false;
    run.to(1000);
    assert_eq!(run.harms().len(), 2);
    assert_eq!(run.times(is_opened), NOTHING);
    run.to(1200);
    run.connect(link, "d", 2);
    for link in [link, silent] {
        run.tell(Input::Harmed { link, window: None, toward: Side::Hub });
    }
    assert_eq!(run.devices(), [("d", vec![1]), ("10.0.0.2", vec![2])]);
    assert_eq!(run.times(is_opened), [1200, 1200]);
    assert_eq!((run.times(is_applied), run.times(is_closed)), (vec![1200, 1200], vec![1200, 1200]));
}

#[test]
fn a_rule_that_only_connect_can_tell_damages_no_record_before_it() {
    let who = Who { client: Some("d*".into()), ..Who::EVERYONE };
    let mut run = Run::new(plan(vec![Rule { who, ..rule(at(1000), bad_mac(Side::Hub)) }]));
    run.greets(1, "10.0.0.1");
    run.to(1500);
    assert_eq!(run.harms(), []);
}

#[test]
fn a_cut_is_told_as_what_was_done() {
    let alert = TlsAlert { toward: Toward::Both, alert: Alert::BAD_RECORD_MAC, other: LegFate::HalfOpen };
    for (done, fidelity, means) in [
        (
            Ends { device: Some(LegFate::Alert(Alert::BAD_RECORD_MAC)), hub: Some(LegFate::Close) },
            Fidelity::Stream,
            Ends { device: Some(Mechanism::Alert), hub: Some(Mechanism::Shutdown) },
        ),
        (
            Ends { device: Some(LegFate::Close), hub: None },
            Fidelity::Packet,
            Ends { device: Some(Mechanism::Shutdown), hub: None },
        ),
        (
            Ends { device: Some(LegFate::Truncated), hub: Some(LegFate::Unnotified) },
            Fidelity::Stream,
            Ends { device: Some(Mechanism::Truncated), hub: Some(Mechanism::Unnotified) },
        ),
    ] {
        let mut run = Run::new(plan(vec![rule(at(1000), Fault::TlsAlert(alert))]));
        let link = run.tls_device(1, "d", "10.0.0.1");
        run.confirm = false;
        run.to(1000);
        run.tell(Input::CutDone { link, window: Some(WindowId(0)), done, last: Ends::default() });
        assert_eq!(run.means(), [(fidelity, means)]);
        let cuts = run.events.iter().filter_map(|event| match event.what {
            What::LegCut { side, fate, .. } => Some((side, fate)),
            _ => None,
        });
        let expected = Side::BOTH.into_iter().filter_map(|side| Some((side, (*done.get(side))?)));
        assert_eq!(cuts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

proptest! {
    /// Whatever TLS does in whatever order: what is told holds together, and every window closes.
    #[test]
    fn windows_end_and_lifts_follow_applications(
        steps in prop::collection::vec((0..12u8, 0..6u64, 0..500u64), 0..120)
    ) {
        let rules = vec![
            rule(at(300), handshake(STALL, "2 keepalive")),
            rule(at(900), handshake(EXPIRED, "1s")),
            rule(at(500), bad_mac(Side::Hub)),
            rule(at(1300), bad_mac(Side::Device)),
            rule(at(700), slow(10, Some("900ms"))),
            of_sni(rule(at(200), dark("1500ms", Connects::Silence)), "hub*"),
            rule(after(PacketKind::Connack, "100ms", 2), handshake(STALL, "1s")),
        ];
        let mut run = Run::new(plan(rules));
        for (what, link, wait) in steps {
            run.to(run.now.as_nanos() / 1_000_000 + wait);
            let (id, address) = (LinkId(link), format!("10.0.0.{}", link % 2));
            match what {
                0..3 => {
                    run.close(id);
                    run.greets(link, &address);
                }
                3 => run.established(id, None),
                4 => run.connect(id, ["a", "b", ""][usize::try_from(link % 3).unwrap()], 1),
                5 => run.connack(id, 0),
                6 => run.gives_up(id),
                7 => run.confirm = !run.confirm,
                8 => run.tell(Input::TlsFailed { link: id, side: Side::Device, error: String::new() }),
                9 => run.hello(id, "hub", true),
                10 => run.tell(Input::FirstData { link: id, direction: Direction::Down }),
                _ => run.tell(Input::Harmed { link: id, window: None, toward: Side::Hub }),
            }
        }
        run.confirm = true;
        (0..6).for_each(|link| run.close(LinkId(link)));
        run.to(run.now.as_nanos() / 1_000_000 + 200_000);
        let (mut open, mut holding) = (BTreeSet::new(), BTreeSet::new());
        for event in &run.events {
            match event.what {
                What::WindowOpened { window, .. } => prop_assert!(open.insert(window)),
                What::FaultApplied { window, link, .. } => {
                    prop_assert!(open.contains(&window) && holding.insert((window, link)));
                }
                What::FaultLifted { window, link } => prop_assert!(holding.remove(&(window, link))),
                What::LinkClosed { link, .. } => holding.retain(|(_, of)| *of != link),
                What::WindowClosed { window } => prop_assert!(open.remove(&window)),
                _ => {}
            }
        }
        prop_assert!(open.is_empty(), "{open:?}");
    }
}
