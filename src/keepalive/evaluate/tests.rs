//! Cases whose figures can be told beforehand: a device that pings each 0.9 of its keep-alive and waits 10 s, a hub that waits
//! 1.5 keep-alives, a round trip of 40 ms, nothing lost.

use super::*;
use crate::keepalive::outages::{Recording, trace};

/// One way, in seconds.
const WAY: f64 = 0.02;

fn terms() -> Terms {
    Terms {
        seed: 1,
        span_ns: 86_400_000_000_000,
        hub: "mqtt".into(),
        access: "ethernet".into(),
        round_trip_ns: 40_000_000,
        tls: false,
        workload: "idle".into(),
        late_ns: 10_000_000_000,
        fleet: 0,
    }
}

/// brownout's own `typical`: pings after 0.9 keep-alives without sending.
fn case(outages: &str) -> Case {
    Case {
        client: "typical".into(),
        keep_alive: 60,
        ping_timeout_ns: Some(10_000_000_000),
        back_off: "fixed:5s".into(),
        outages: outages.into(),
        path_idle_ns: None,
        loss: 0.0,
    }
}

/// These outages, as a trace that was read.
fn recorded(content: &str) -> (Case, Bench) {
    recorded_with(content, &terms())
}

fn recorded_with(content: &str, terms: &Terms) -> (Case, Bench) {
    let recording = Recording { file: "a.csv".into(), client: None, spells: None };
    let read = recording.with(content).unwrap();
    assert!(trace::read(content, None).is_ok());
    (case("trace:a.csv"), Bench::new(terms, vec![read]).unwrap())
}

fn secs(nanos: Option<u64>) -> f64 {
    Duration::from_nanos(nanos.unwrap()).as_secs_f64()
}

fn is(value: f64, wanted: f64, within: f64) -> bool {
    (value - wanted).abs() <= within
}

/// Over all phases of the ping cycle, detection lies between the ping timeout and that with a ping interval.
#[test]
fn detection_over_all_phases_is_what_the_timers_say() {
    // The device has a steady beat of 54 s and 40 ms of round trip from each accept on; outages of 5 min each 30 min, moved
    // by 1.2 s each time, come at each phase.
    let rows: Vec<String> =
        (0..45).map(|nth: u32| format!("{},300\n", 600.0 + f64::from(nth) * 1801.2)).collect();
    let (case, bench) = recorded(&rows.concat());
    let account = bench.account(&case).unwrap();
    let Figures { device_detection: device, hub_detection: hub, .. } = account.figures;
    assert_eq!((device.count, device.never, hub.count, hub.never), (45, 0, 45, 0));
    // The ping goes out up to an interval after the outage began, and 10 s are waited for its answer. If the answer was under
    // way, it is a round trip less.
    let (least, most) = (10.0 - 2.0 * WAY, 54.0 + 10.0);
    assert!(secs(device.min_ns) >= least - 0.001 && secs(device.max_ns) <= most + 2.0 * WAY, "{device:?}");
    // The hub heard of the device up to an interval before, and waits 90 s from then on.
    let (least, most) = (90.0 - 54.0, 90.0);
    assert!(secs(hub.min_ns) >= least - 3.0 * WAY && secs(hub.max_ns) <= most + WAY, "{hub:?}");
}

/// The device is up at 0.08 s, and pings at 54.08, then at 108.08, ...: that of 1,026.08 is the first not to be answered.
#[test]
fn one_outage_comes_out_to_the_millisecond() {
    let (case, bench) = recorded("1000,300");
    let account = bench.account(&case).unwrap();
    let figures = account.figures;
    assert_eq!((figures.outages, figures.struck, figures.connects), (1, 1, 2));
    assert_eq!((figures.false_disconnects, figures.forgotten), (0, 0));
    let interval = 54.0;
    let ping = 0.08 + interval * ((1000.0_f64 - 0.08) / interval).ceil();
    assert!(is(secs(figures.device_detection.max_ns), ping + 10.0 - 1000.0, 0.001), "{figures:?}");
    let heard = ping - interval + WAY;
    assert!(is(secs(figures.hub_detection.max_ns), heard + 90.0 - 1000.0, 0.001), "{figures:?}");
    let split = (ping + 10.0) - (heard + 90.0);
    assert!(is(secs(figures.split_view.max_ns), split.abs(), 0.001), "{figures:?}");
    // It dials into the dark: SYN again after 1, 3, 7, 15 ... s, and anew after each connect timeout of 60 s and 5 s of pause.
    let recovery = secs(figures.recovery.max_ns);
    assert!(recovery > 0.0 && recovery < 65.0, "{figures:?}");
    let downtime = Duration::from_nanos(figures.downtime_ns).as_secs_f64();
    assert!(is(downtime, 300.0 + recovery, 0.001), "{figures:?}");
    assert_eq!(account.struck.len(), 1);
}

#[test]
fn an_outage_between_two_pings_is_downtime_and_nothing_else() {
    let (case, bench) = recorded("110,20");
    let figures = bench.figures(&case).unwrap();
    assert_eq!((figures.struck, figures.device_detection.count, figures.connects), (1, 0, 1));
    assert_eq!(figures.downtime_ns, 20_000_000_000);
}

/// An idle day costs its connect and so many pings, each of four segments.
#[test]
fn the_bytes_of_an_idle_day_are_those_of_its_pings() {
    let terms = terms();
    let bytes = |keep_alive| {
        let case = Case { keep_alive, ..case("none") };
        let figures = evaluate(&case, &terms).unwrap();
        assert_eq!((figures.downtime_ns, figures.connects, figures.outages), (0, 1, 0));
        (figures.bytes_up, figures.bytes_down)
    };
    let pings = |keep_alive: f64| ((86_400.0 - 0.08) / (0.9 * keep_alive)).floor();
    let (short, long) = (bytes(60), bytes(120));
    let more = pings(60.0) - pings(120.0);
    // PINGREQ and the acknowledgement of PINGRESP go up; PINGRESP, which has that of PINGREQ with it, comes down.
    let up = f64::from(u32::try_from(short.0 - long.0).unwrap()) / more;
    let down = f64::from(u32::try_from(short.1 - long.1).unwrap()) / more;
    assert!(is(up, 54.0 + 52.0, 0.2), "{up}");
    assert!((54.0..=54.0 + 52.0 + 0.2).contains(&down), "{down}");
}

#[test]
fn a_path_that_forgets_sooner_than_the_device_pings_costs_links_again_and_again() {
    let forgets = |keep_alive, path_idle: u64| {
        let case = Case { keep_alive, path_idle_ns: Some(path_idle * 1_000_000_000), ..case("none") };
        evaluate(&case, &terms()).unwrap()
    };
    let sound = forgets(60, 240);
    assert_eq!((sound.forgotten, sound.false_disconnects, sound.downtime_ns), (0, 0, 0));
    // Forgotten 240 s after the last packet, pinged at 540 s, given up at 550 s, dialled at 555 s.
    let lossy = forgets(600, 240);
    let each = 540.0 + 10.0 + 5.0 + 0.08;
    let expected = (86_400.0_f64 / each).floor();
    assert!(is(f64::from(u32::try_from(lossy.forgotten).unwrap()), expected, 1.0), "{lossy:?}");
    assert_eq!(lossy.false_disconnects, 0);
    let downtime = Duration::from_nanos(lossy.downtime_ns).as_secs_f64();
    assert!(is(downtime / expected, 315.0, 3.0), "{lossy:?}");
}

#[test]
fn loss_with_an_impatient_device_makes_false_disconnects() {
    let of = |loss| {
        let case = Case { ping_timeout_ns: Some(300_000_000), loss, ..case("none") };
        evaluate(&case, &terms()).unwrap()
    };
    assert_eq!(of(0.0).false_disconnects, 0);
    let lossy = of(0.2);
    assert!(lossy.false_disconnects > 50, "{lossy:?}");
    assert_eq!((lossy.forgotten, lossy.struck), (0, 0));
}

#[test]
fn messages_in_an_outage_are_late_or_withheld_and_of_qos_0_lost() {
    let of = |qos: u8| {
        let terms = Terms { workload: format!("publishing:t,every=10s,qos={qos}"), ..terms() };
        let (case, bench) = recorded_with("1000,300", &terms);
        // Nothing is pinged while it publishes; so it is the kernel, or the hub's end, that it hears of it by.
        bench.figures(&case).unwrap()
    };
    let acknowledged = of(1);
    assert!(acknowledged.messages.late > 0, "{acknowledged:?}");
    assert_eq!(acknowledged.messages.lost, 0, "{acknowledged:?}");
    let once = of(0);
    assert!(once.messages.lost > 0, "{once:?}");
    assert!(once.messages.due >= once.messages.sent + once.messages.withheld);
    assert!(is(f64::from(u32::try_from(once.messages.due).unwrap()), 8_640.0, 10.0), "{once:?}");
}

/// `naive` waits 2 s for its connect, so that its SYNs do not spread over the pauses of TCP: in the dark it dials each 3 s.
#[test]
fn a_fleet_comes_back_within_its_pause_and_jitter_spreads_it() {
    let terms = Terms { fleet: 40, span_ns: 7_200_000_000_000, ..terms() };
    let of = |back_off: &str| {
        let naive = Case { client: "naive".into(), ..case("fixed:5m,every=1h") };
        let case = Case { back_off: back_off.into(), ..naive };
        evaluate(&case, &terms).unwrap().storm_peak.unwrap()
    };
    let (together, apart) = (of("fixed:1s"), of("exponential:1s..5m,jitter"));
    assert!((14..=40).contains(&together), "forty in three seconds: {together}");
    assert!((1..=together / 2).contains(&apart), "{apart} {together}");
    let none = Terms { fleet: 0, ..terms };
    assert_eq!(evaluate(&case("fixed:5m,every=1h"), &none).unwrap().storm_peak, None);
}

#[test]
fn a_fleet_is_watched_until_its_longest_delay_is_over() {
    let terms = Terms { fleet: 20, span_ns: 7_200_000_000_000, ..terms() };
    let case = Case { back_off: "fixed:10m".into(), ..case("fixed:1m,every=1h") };
    let peak = evaluate(&case, &terms).unwrap().storm_peak;
    assert!(peak.is_some_and(|peak| (1..=20).contains(&peak)), "{peak:?}");
}

/// Nothing is known of a device that is silent for longer than is watched; of one without keep-alive, that it stays.
#[test]
fn a_fleet_that_may_come_back_later_is_no_evidence() {
    let terms = Terms { fleet: 2, ..terms() };
    let of = |keep_alive| {
        let ping_timeout_ns = Some(9_830_250_000_000_000_000);
        let case = Case { keep_alive, ping_timeout_ns, ..case("fixed:5m,every=20h") };
        evaluate(&case, &terms).unwrap().storm_peak
    };
    assert_eq!(of(65_535), None);
    let quiet = Case { keep_alive: 0, ..case("fixed:5m,every=20h") };
    assert_eq!(evaluate(&quiet, &terms).unwrap().storm_peak, Some(0));
}

#[test]
fn the_same_case_gives_the_same_figures_and_another_seed_others() {
    let case = Case { loss: 0.05, ..case("gilbert-elliott:good=1h,bad=1m,loss=60%,good-loss=1%") };
    let terms = Terms { span_ns: 4 * 3_600_000_000_000, ..terms() };
    let first = evaluate(&case, &terms).unwrap();
    assert_eq!(first, evaluate(&case, &terms).unwrap());
    assert_ne!(first, evaluate(&case, &Terms { seed: 2, ..terms }).unwrap());
}

#[test]
fn words_that_mean_nothing_are_refused() {
    let wrong = |case: Case, terms: Terms| evaluate(&case, &terms).unwrap_err();
    assert!(wrong(Case { client: "x".into(), ..case("none") }, terms()).contains("`x` is not a client"));
    assert!(wrong(Case { back_off: "x".into(), ..case("none") }, terms()).contains("`x` is not a back-off"));
    assert!(wrong(case("x"), terms()).contains("`x` are no outages"));
    assert!(wrong(case("trace:a.csv"), terms()).contains("has not been read"));
    assert!(wrong(Case { loss: 2.0, ..case("none") }, terms()).contains("from 0 to 1"));
    assert!(wrong(case("none"), Terms { hub: "x".into(), ..terms() }).contains("`x` is not a hub's manner"));
    assert!(wrong(case("none"), Terms { fleet: 99_999, ..terms() }).contains("more than 10000"));
}
