//! The runs that the goldens show.

use crate::base::{Direction, LinkId, ListenerId, Side};
use crate::base::{RuleId, WindowId};
use crate::event::{Packet, Samples, What};
use crate::fault::{
    Blackhole, Close, Connects, Delay, Ending, Fault, Latency, LegFate, Mechanism, Toward, WaysWanted,
};
use crate::measure::story::{Story, blackhole, expect, latency, plan, rst, span, stall};
use crate::profile::{Comparison, Expectation, Limit, Metric, Plan, Statistic, When};
use std::time::Duration;

fn at_most(metric: Metric, statistic: Statistic, limit: Limit, of: Option<u16>) -> Expectation {
    Expectation { of: of.map(RuleId), ..expect(metric, statistic, Comparison::AtMost, limit) }
}

/// A blackhole of 8 s, then a reset; keep-alive 2 s.
pub(in crate::report) fn dark_and_reset() -> Plan {
    let mut plan = plan(vec![("dark", blackhole("8s")), ("reset", rst(Toward::Both, LegFate::Reset))]);
    plan.reproduces = Some("404104, cause 2a: connectivity lost for longer than the keep-alive".into());
    plan.expectations = vec![
        at_most(Metric::HubDetection, Statistic::Max, span("1.5 keepalive + 6s"), Some(0)),
        at_most(Metric::DeviceDetection, Statistic::Max, span("3 keepalive"), Some(0)),
        at_most(Metric::Recovery, Statistic::Percentile(95.0), span("30s"), None),
        at_most(Metric::KeepaliveViolations, Statistic::Sum, Limit::Number(0.0), None),
        at_most(Metric::Resubscribe, Statistic::Max, span("5s"), None),
        Expectation {
            client: Some("naive".into()),
            ..expect(Metric::ConnectGap, Statistic::Min, Comparison::AtLeast, span("500ms"))
        },
    ];
    plan
}

/// Four devices that differ in what they notice and how they come back.
pub(in crate::report) fn four_devices() -> Story {
    let mut story = Story::new();
    for (link, name) in [(1, "careful"), (2, "naive"), (3, "sleeper"), (4, "keeper")] {
        story.at(10 * link).joins(link, u32::try_from(link).unwrap() - 1, name, 2);
    }
    for link in 1..=4 {
        story.at(2_000 + link).up(link, Packet::Pingreq).at(2_001 + link).down(link, Packet::Pingresp);
    }
    story.at(3_000);
    story.tell(What::Fired { firing: crate::base::FiringId(1), rule: RuleId(0), nth: 1 });
    for (window, device) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        window_opened(&mut story, window, device);
    }
    for link in 1..=4 {
        story.applies(link, link, Mechanism::Gate);
    }
    story.at(5_000).ends(3, Side::Hub, Ending::Fin);
    story.at(5_002).ends(1, Side::Hub, Ending::Fin).at(5_003).ends(2, Side::Hub, Ending::Fin);
    story.at(6_100).ends(1, Side::Device, Ending::Fin).closes(1);
    story.at(6_650).ends(2, Side::Device, Ending::Reset).closes(2);
    attempts(&mut story);
    story.at(11_000);
    for window in 1..=4 {
        story.lifts(window, window).heals(window);
    }
    story.carried(3, Side::Device).at(11_002).ends(3, Side::Device, Ending::Fin).closes(3);
    story.at(11_010).joins(50, 1, "naive", 2).at(11_300).joins(51, 2, "sleeper", 2);
    story.at(13_100).joins(52, 0, "careful", 2);
    story.at(14_000).tell(What::KeepaliveExceeded { link: LinkId(4), gap_ns: 2_400_000_000, took_ns: 0 });
    resets(&mut story);
    story.at(27_400).over();
    story
}

fn window_opened(story: &mut Story, window: u64, device: u32) {
    story.tell(What::WindowOpened {
        window: WindowId(window),
        firing: crate::base::FiringId(1),
        rule: RuleId(0),
        device: crate::base::DeviceId(device),
        until: Some(crate::base::Time::from_secs(11)),
        keep_alive_ns: 2_000_000_000,
        assumed: false,
        hub_keep_alive_ns: None,
    });
}

/// careful doubles its wait from 0.6 s, naive comes at once; each attempt meets silence for 10 ms, then is given up.
fn attempts(story: &mut Story) {
    let mut connects: Vec<(u64, u32, &str, u64)> = [(6_700, 20), (7_310, 21), (8_520, 22), (10_930, 23)]
        .map(|(at, link)| (at, 0, "careful", link))
        .into();
    connects.extend((0..20).map(|nth| (6_651 + nth * 12, 1, "naive", 24 + nth)));
    let mut moments: Vec<(u64, u32, &'static str, u64, bool)> = Vec::new();
    for (at, device, name, link) in connects {
        moments.push((at, device, name, link, true));
        moments.push((at + 10, device, name, link, false));
    }
    moments.sort_unstable();
    for (at, device, name, link, opens) in moments {
        story.at(at);
        if opens {
            story.connecting(link, device, name, 2, true);
        } else {
            story.ends(link, Side::Device, Ending::Fin).closes(link);
        }
    }
}

/// The reset falls on careful and keeper; both come back.
fn resets(story: &mut Story) {
    for (window, link, device) in [(5, 52, 0), (6, 4, 3)] {
        story.at(20_000).opens(window, 1, device, 2).applies(window, link, Mechanism::Linger);
        story.cut(link, Side::Device, LegFate::Reset, window).cut(link, Side::Hub, LegFate::Reset, window);
        story.heals(window).closes(link);
    }
    story.at(20_003).joins(60, 3, "keeper", 2).at(20_612).joins(61, 0, "careful", 2);
    let mut rtt = Samples::default();
    rtt.add(Duration::from_micros(480));
    story.at(27_000).traffic(61, 512, rtt);
}

/// So many devices in one blackhole: each notices 100 ms (of many, less) later than the one before, every tenth never.
pub(in crate::report) fn fleet(devices: u32) -> Story {
    const NAMES: [&str; 8] = ["pump", "valve", "meter", "lamp", "gate", "fan", "lock", "bell"];
    let mut story = Story::new();
    let name = |device: u32| -> &'static str {
        Box::leak(format!("{}-{device:02}", NAMES[usize::try_from(device % 8).unwrap()]).into_boxed_str())
    };
    let link = |device: u32| u64::from(device) + 1;
    let apart = (5_900 / u64::from(devices)).min(100);
    for device in 0..devices {
        story.at(u64::from(device)).joins(link(device), device, name(device), 2);
    }
    story.at(3_000).tell(What::Fired { firing: crate::base::FiringId(1), rule: RuleId(0), nth: 1 });
    for device in 0..devices {
        window_opened(&mut story, link(device), device);
    }
    for device in 0..devices {
        story.applies(link(device), link(device), Mechanism::Gate);
    }
    for device in (0..devices).filter(|device| device % 10 != 9) {
        story.at(5_000 + u64::from(device) * apart).ends(link(device), Side::Device, Ending::Fin);
    }
    story.at(11_000);
    for device in 0..devices {
        story.heals(link(device));
    }
    for device in (0..devices).filter(|device| device % 10 != 9) {
        story.at(11_100 + u64::from(device)).carried(link(device), Side::Hub).closes(link(device));
        story.joins(10_000 + link(device), device, name(device), 2);
    }
    story.at(20_000).over();
    story
}

/// Everything that a reader must be told: a mute with brackets, a refusal, an assumed keep-alive, a hub out of reach,
/// a machine that was too busy, a window still open.
pub(in crate::report) fn troubled() -> Story {
    let mut story = Story::new();
    story.tell(What::AcceptFailed { listener: ListenerId(0), error: "too many open files".into() });
    story.tell(What::ConnectAstray { listener: ListenerId(0), peer: "10.0.0.5:4711".into() });
    story.joins(1, 0, "muted", 2).joins(2, 1, "endless", 0).joins(3, 2, "refused", 2);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::MinTtl);
    story.tell(What::WindowOpened {
        window: WindowId(2),
        firing: crate::base::FiringId(2),
        rule: RuleId(0),
        device: crate::base::DeviceId(1),
        until: None,
        keep_alive_ns: 60_000_000_000,
        assumed: true,
        hub_keep_alive_ns: None,
    });
    story.applies(2, 2, Mechanism::Gate);
    story.opens(3, 0, 2, 2).tell(What::FaultRefused {
        window: WindowId(3),
        link: LinkId(3),
        error: "SO_ATTACH_FILTER: operation not permitted; grant CAP_NET_ADMIN or write `fidelity: stall`"
            .into(),
    });
    story.heals(3).at(11_000).heals(1).at(11_600).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub);
    story.closes(1).at(12_000).connect(4, 0, "muted", 2);
    story.tell(What::HubUnreachable { link: LinkId(4), error: "connection refused".into() }).closes(4);
    story.at(13_000).joins(5, 0, "muted", 2).up(5, Packet::Pingreq);
    story.at(14_000).tell(What::HeldUp { late_ns: 60_000_000 });
    story.at(14_500).tell(What::HeldUp { late_ns: 412_345_678 });
    story.at(15_000).passes(5, Direction::Down, Packet::Pingresp, false);
    story
}

/// Two rules on two devices: packets dropped, with a connect that is met with silence until the path is there; and a
/// FIN inside a stall.
pub(in crate::report) fn ways_back() -> (Plan, Story) {
    let fin = Fault::Fin(Close { toward: Toward::Both, other: LegFate::Close, close_notify: true });
    let stall = stall(WaysWanted::Both, "8s");
    let mut story = Story::new();
    story.joins(1, 0, "waiter", 2).joins(2, 1, "sensor-1", 2);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Filter);
    story.opens(2, 1, 1, 2).applies(2, 2, Mechanism::Gate);
    story.at(4_000).opens(3, 2, 1, 2).applies(3, 2, Mechanism::Shutdown);
    story.cut(2, Side::Device, LegFate::Close, 3).cut(2, Side::Hub, LegFate::Close, 3).heals(3).closes(2);
    story.at(6_000).connecting(3, 0, "waiter", 2, true);
    let waits = story.seq();
    story.applies(1, 3, Mechanism::Gate);
    story.at(11_000).lifts(1, 3).heals(1).heals(2).at(11_001).forwarded(3, Direction::Up, waits);
    story.connack(3, false, 0).at(11_300).joins(4, 1, "sensor-1", 2).at(20_000).over();
    (plan(vec![("dark", blackhole("8s")), ("stall", stall), ("fin", fin)]), story)
}

/// A slow path of 300 ms each way, then, by the clock, one that connects vanish from; keep-alive 2 s.
pub(in crate::report) fn slow_and_dark() -> Plan {
    let Fault::Latency(slow) = latency(300, "8s") else { unreachable!("it is one") };
    let delay = Delay { jitter: Duration::from_millis(20), ..slow.delay };
    let Fault::Blackhole(dark) = blackhole("8s") else { unreachable!("it is one") };
    let mut plan = plan(vec![
        ("slow", Fault::Latency(Latency { delay, ..slow })),
        ("dark", Fault::Blackhole(Blackhole { connects: Connects::Vanish, ..dark })),
    ]);
    plan.rules[1].when = When::At { first: Duration::from_secs(14), repeat: None };
    plan
}

/// Under it one device holds, one publishes, one gives up; then it is dark for two, the third not being there.
pub(in crate::report) fn slow_path() -> Story {
    let mut story = Story::new();
    for (link, name) in [(1, "pinger"), (2, "publisher"), (3, "factory-7/line-3/impatient-000123")] {
        story.joins(link, u32::try_from(link).unwrap() - 1, name, 2);
        story.at(1_000).up(link, Packet::Pingreq).at(1_001).down(link, Packet::Pingresp);
    }
    let mut rtt = Samples::default();
    rtt.add(Duration::from_micros(900));
    story.at(2_000).traffic(2, 512, rtt.clone());
    story.at(3_000);
    for window in 1..=3 {
        let device = u32::try_from(window).unwrap() - 1;
        story.opens(window, 0, device, 2).applies(window, window, Mechanism::Lane);
    }
    for (at, took) in [(3_500, 610), (5_400, 632), (7_300, 598)] {
        story.at(at).up(1, Packet::Pingreq).at(at + took).down(1, Packet::Pingresp);
    }
    rtt = Samples::default();
    [602, 618, 641].into_iter().for_each(|took| rtt.add(Duration::from_millis(took)));
    story.at(6_000).traffic(2, 2_048, rtt).up(3, Packet::Pingreq);
    story.at(6_500).ends(3, Side::Device, Ending::Fin).carried(3, Side::Hub).closes(3);
    story.at(8_000).joins(4, 2, "factory-7/line-3/impatient-000123", 2).at(11_000);
    for window in 1..=3 {
        story.lifts(window, window).heals(window);
    }
    vanishing(&mut story);
    story.at(32_000).over();
    story
}

fn vanishing(story: &mut Story) {
    story.at(13_000).ends(4, Side::Device, Ending::Fin).closes(4).at(14_000);
    story.tell(What::Fired { firing: crate::base::FiringId(9), rule: RuleId(1), nth: 1 });
    for (window, device) in [(4, 0), (5, 1)] {
        story.tell(What::WindowOpened {
            window: WindowId(window),
            firing: crate::base::FiringId(9),
            rule: RuleId(1),
            device: crate::base::DeviceId(device),
            until: Some(crate::base::Time::from_secs(22)),
            keep_alive_ns: 2_000_000_000,
            assumed: false,
            hub_keep_alive_ns: None,
        });
        story.applies(window, u64::from(device) + 1, Mechanism::Filter);
    }
    let listener = ListenerId(0);
    story.tell(What::ListenerMuted { listener, mechanism: Mechanism::MinTtl, from: None, dropped: None });
    story.at(22_000).tell(What::ListenerUnmuted { listener, dropped: None }).heals(4).heals(5);
    for (window, link, back) in [(4, 1, 22_800), (5, 2, 23_100)] {
        story.at(back - 100).ends(link, Side::Device, Ending::Fin).carried(link, Side::Hub).closes(link);
        let (device, name) = if window == 4 { (0, "pinger") } else { (1, "publisher") };
        story.at(back).joins(link + 10, device, name, 2);
    }
}

/// So many devices, each reset so many times over, each time back after a while.
pub(in crate::report) fn restless(devices: u32, times: u32) -> Story {
    let mut story = Story::new();
    let name = |device: u32| -> &'static str {
        Box::leak(format!("plant-{}/cell-{}/sensor-{device:06}", device % 7, device % 50).into_boxed_str())
    };
    let mut links: Vec<u64> = (1..=u64::from(devices)).collect();
    for (device, link) in (0..devices).zip(&links) {
        story.at(u64::from(device)).joins(*link, device, name(device), 60);
    }
    let mut next = u64::from(devices) + 1;
    for time in 0..times {
        for device in 0..devices {
            let link = &mut links[usize::try_from(device).unwrap()];
            let window = next;
            let at = 10_000 * u64::from(time + 1) + u64::from(device) * 8;
            story.at(at).up(*link, Packet::Pingreq).down(*link, Packet::Pingresp);
            story.opens(window, 0, device, 60).applies(window, *link, Mechanism::Linger);
            story.cut(*link, Side::Device, LegFate::Reset, window).cut(
                *link,
                Side::Hub,
                LegFate::Reset,
                window,
            );
            story.heals(window).closes(*link).at(at + 5);
            *link = next;
            next += 1;
            story.joins(*link, device, name(device), 60);
        }
    }
    story.over();
    story
}
