//! Made-up machines, and what is said of them.

use super::faults::{made, table};
use super::findings::{State, findings};
use super::machine::{DeviceTtl, Files, HubTtl, Lateness, Machine, Program, Tried, WallClock};
use super::{Diagnosis, Hint, text};
use crate::fault::Fidelity;
use crate::net::sys::Capabilities;
use crate::profile::{self, Plan};
use crate::report::Styling;
use std::time::Duration;

fn told(machine: Machine, plan: Option<&Plan>) -> String {
    let text = text::render(&Diagnosis::of(machine, plan), Styling::Plain);
    for line in text.lines() {
        // Commands are not cut.
        assert!(line.chars().count() <= 80 || line.starts_with("  a ") || line.contains("setcap"), "{line}");
    }
    text
}

fn plan(rules: &str) -> Plan {
    let text = format!("brownout: 1\nname: lab\nsummary: some faults\n{rules}");
    profile::read(&text, &[]).unwrap().plan
}

/// A plan of one rule with this fault.
fn with_fault(fault: &str) -> Plan {
    plan(&format!("rules:\n  - {{ id: dark, when: {{ after: connack }}, fault: {{ {fault} }} }}\n"))
}

#[test]
fn a_sound_machine() {
    insta::assert_snapshot!(told(Machine::sound(), None));
}

#[test]
fn an_ordinary_user_and_a_profile() {
    let plan = plan(
        "listeners: [{ name: plain, listen: 0.0.0.0:883, upstream: hub:1883 }]\n\
         rules:\n\
         \x20 - { id: dark, when: { after: connack }, fault: { blackhole: { for: 1s, fidelity: packet } } }\n\
         \x20 - { id: lossy, fault: { loss: { chance: 10% } } }\n",
    );
    insta::assert_snapshot!(told(Machine::unprivileged(), Some(&plan)));
}

#[test]
fn a_bare_container() {
    let unprivileged = || Tried::Unprivileged("Operation not permitted".into());
    let machine = Machine {
        uid: 0,
        capabilities: Capabilities::NET_BIND_SERVICE,
        grantable: Capabilities::NET_BIND_SERVICE,
        filter: unprivileged(),
        loss: unprivileged(),
        tap: unprivileged(),
        transparent_v6: Tried::Fails("Address family not supported by protocol".into()),
        nft: Program::Missing,
        ip: Program::Outside("/usr/sbin/ip".into()),
        redirect: Tried::Untried("there is no nft".into()),
        tproxy: Tried::Untried("there is no nft".into()),
        forwards_v4: Some(false),
        forwards_v6: None,
        rp_filter: Some(1),
        hub: HubTtl::NotHeld,
        device: DeviceTtl::NobodyCame,
        files: Files { soft: 1024, hard: Some(4096) },
        expected: Some(50_000),
        timers: Some(Lateness {
            count: 200,
            p50: Duration::from_micros(57),
            p99: Duration::from_micros(4_210),
            max: Duration::from_millis(12),
        }),
        clock_source: Some("hpet".into()),
        clock_reading: Duration::from_nanos(1_350),
        wall_clock: Some(WallClock { synchronised: false, error: Duration::ZERO }),
        ..Machine::sound()
    };
    insta::assert_snapshot!(told(machine, Some(&with_fault("blackhole: { for: 1s, fidelity: packet }"))));
}

#[test]
fn every_fault_of_the_language_is_in_the_table() {
    let rows = table(&Machine::sound());
    for (name, _) in profile::fault_examples() {
        assert!(rows.iter().any(|row| row.fault.split(' ').next() == Some(name)), "{name}");
    }
    assert!(rows.iter().all(|row| row.made.fidelity.is_some()), "all can be made on a sound machine");
    assert!(rows.iter().all(|row| !row.made.by.is_empty()));
}

#[test]
fn a_packet_blackhole_is_made_by_the_best_that_works() {
    let blackhole = |fault: &str, machine: &Machine| made(&with_fault(fault).rules[0].fault, machine);
    let asked = "blackhole: { for: 1s, fidelity: packet }";
    let sound = Machine::sound();
    assert_eq!(blackhole(asked, &sound)[0].by, "socket filter");
    let unprivileged = Machine::unprivileged();
    let by_ttl = &blackhole(asked, &unprivileged)[0];
    assert_eq!((by_ttl.fidelity, by_ttl.hint), (Some(Fidelity::Packet), Some(Hint::Grant)));
    assert!(by_ttl.by.starts_with("minimum TTL") && by_ttl.lacks.is_none());
    // A hub on the same segment whose packets arrive with 255: only toward the device, then.
    let near = Machine { hub: HubTtl::NotHeld, ..Machine::unprivileged() };
    assert_eq!(blackhole(asked, &near)[0].fidelity, None);
    let device = "blackhole: { for: 1s, fidelity: packet, toward: device }";
    assert_eq!(blackhole(device, &near)[0].fidelity, Some(Fidelity::Packet));
    assert_eq!(
        blackhole(asked, &Machine { hub: HubTtl::NotHeld, ..Machine::sound() })[0].by,
        "socket filter"
    );
    let far = Machine { hub: HubTtl::Held, device: DeviceTtl::Is(254), ..Machine::unprivileged() };
    assert_eq!(blackhole(asked, &far)[0].doubt, None);
    assert_eq!(blackhole(asked, &Machine { device: DeviceTtl::Is(255), ..far })[0].fidelity, None);
    // Neither way.
    let none = Machine { min_ttl: Tried::Fails("a byte got through all the same".into()), ..unprivileged };
    assert_eq!(blackhole(asked, &none)[0].fidelity, None);
    assert_eq!(
        blackhole("blackhole: { for: 1s, fidelity: stall }", &none)[0].fidelity,
        Some(Fidelity::Stall)
    );
    // Links are held as bytes, but SYNs cannot be made to vanish.
    let vanish = blackhole("blackhole: { for: 1s, fidelity: stall, connects: vanish }", &none);
    assert_eq!(vanish.iter().map(|made| made.fidelity).collect::<Vec<_>>(), [Some(Fidelity::Stall), None]);
}

#[test]
fn a_profile_that_fits_has_nothing_to_say() {
    let loss = with_fault("loss: { chance: 10%, for: 1s }");
    let misfits = |machine| Diagnosis::of(machine, Some(&loss)).profile.unwrap().misfits;
    assert!(misfits(Machine::sound()).is_empty());
    let [lossy] = &misfits(Machine::unprivileged())[..] else { panic!("one rule") };
    assert_eq!((lossy.of.as_str(), lossy.hint), ("rule `dark`", Some(Hint::Grant)));
}

#[test]
fn ports_below_1024_take_a_capability() {
    let of = |listen: &str, machine| {
        let plan = plan(&format!("listeners: [{{ name: a, listen: \"{listen}\", upstream: hub:1883 }}]\n"));
        Diagnosis::of(machine, Some(&plan)).profile.unwrap().misfits.len()
    };
    assert_eq!(of("0.0.0.0:1023", Machine::unprivileged()), 1);
    assert_eq!(of("0.0.0.0:1024", Machine::unprivileged()), 0);
    assert_eq!(of("[::]:883", Machine::sound()), 0);
    assert_eq!(of("[::]:883", Machine { first_free_port: Some(0), ..Machine::unprivileged() }), 0);
}

#[test]
fn limits_are_met_to_the_last_device() {
    let state = |topic: &str, machine: &Machine| {
        findings(machine).into_iter().find(|finding| finding.topic == topic).unwrap().state
    };
    // 2 a device, 3 of the listener, 64 in reserve.
    let machine = |expected| Machine {
        files: Files { soft: 1024, hard: Some(20_067) },
        local_ports: Some(10_001),
        expected: Some(expected),
        ..Machine::sound()
    };
    assert_eq!(state("open files", &machine(10_000)), State::Ok);
    assert_eq!(state("open files", &machine(10_001)), State::Missing);
    assert_eq!(state("local ports", &machine(10_001)), State::Ok);
    assert_eq!(state("local ports", &machine(10_002)), State::Missing);
}

#[test]
fn hints_are_told_once() {
    let hints = Diagnosis::of(Machine::unprivileged(), None).hints;
    assert_eq!(hints, [Hint::Grant, Hint::RaiseFiles, Hint::AskHub, Hint::AskDevice]);
    assert!(Diagnosis::of(Machine::sound(), None).hints.is_empty());
}

#[test]
fn root_without_privileges_is_told_of_the_container() {
    let machine = Machine { uid: 0, grantable: Capabilities::NONE, ..Machine::unprivileged() };
    assert!(Hint::Grant.command(&machine).starts_with("docker run --cap-add NET_ADMIN"));
    let user = Machine::unprivileged();
    assert!(Hint::Grant.command(&user).ends_with("+ep /usr/local/bin/brownout"));
    let barred = Machine { is_barred_from_more: true, ..user };
    assert!(Hint::Grant.note(&barred).unwrap().contains("AmbientCapabilities="));
}
