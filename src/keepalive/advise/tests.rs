use super::*;
use crate::keepalive::access::Access;
use crate::keepalive::clients::Client;
use crate::keepalive::hubs::Manner;
use std::time::Duration;

fn wish(client: &str, hub: &str, seconds: u64) -> Wish {
    let access = Access::named("lte-m").unwrap();
    Wish {
        client: Client::named(client).unwrap(),
        hub: Manner::named(hub).unwrap(),
        access,
        workload: "idle".parse().unwrap(),
        tls: true,
        loss: 0.0,
        round_trip: access.round_trip.value,
        detect_within: Duration::from_secs(seconds),
        detected_by: DetectedBy::Both,
        budget: None,
        path_idle: None,
        fleet: 0,
        connects_per_second: None,
    }
}

fn keep_alive(wish: &Wish) -> Option<u16> {
    advise(wish).setting.map(|setting| setting.keep_alive)
}

#[test]
fn the_keep_alive_is_the_greatest_round_one_that_meets_all() {
    // 2 x (29 + 1) = 60 of the device, 1.5 x 40 = 60 of the hub.
    assert_eq!(keep_alive(&wish("paho-python", "azure", 60)), Some(25));
    assert_eq!(
        keep_alive(&Wish { detected_by: DetectedBy::Hub, ..wish("paho-python", "azure", 60) }),
        Some(40)
    );
    // 0.75 K + 5 s of the device: 73 s; the hub's 40 s binds.
    assert_eq!(keep_alive(&wish("careful", "azure", 60)), Some(40));
    // 1.5 K + 1 s + 6 s of the hub: 35 s.
    assert_eq!(keep_alive(&wish("careful", "mosquitto", 60)), Some(35));
    // Nothing but the ceiling binds.
    assert_eq!(keep_alive(&wish("careful", "azure", 7_200)), Some(1_140));
}

#[test]
fn a_setting_meets_its_targets_and_one_more_second_of_keep_alive_does_not() {
    for client in Client::all() {
        let wish = Wish {
            path_idle: Some(Duration::from_secs(240)),
            budget: Some("50MB/month".parse().unwrap()),
            ..wish(client.name, "azure", 90)
        };
        let advice = advise(&wish);
        let Some(setting) = advice.setting else {
            assert!(!advice.conflicts.is_empty(), "{}", client.name);
            continue;
        };
        let chosen = Candidate::of(&wish, setting.keep_alive);
        assert_eq!(chosen.misses, [], "{} at {}", client.name, setting.keep_alive);
        let most = bounds::Bounds::of(&wish).most().unwrap();
        assert_eq!(Candidate::of(&wish, most).misses, [], "{} at {most}", client.name);
        assert_ne!(Candidate::of(&wish, most + 1).misses, [], "{} at {most} + 1", client.name);
    }
}

#[test]
fn a_path_of_240_s_is_kept_clear_of_by_the_ping_interval_and_not_by_the_keep_alive() {
    for (client, most) in [
        // Pings at K: 240 less a tenth.
        ("mosquitto", 216),
        ("paho-python", 216),
        // Pings at K/2 and at K/4.
        ("esp-mqtt", 432),
        ("azure-csharp", 863),
    ] {
        let wish = Wish {
            path_idle: Some(Duration::from_secs(240)),
            detected_by: DetectedBy::Hub,
            ..wish(client, "mqtt", 36_000)
        };
        assert_eq!(bounds::Bounds::of(&wish).most(), Some(most), "{client}");
    }
    let default = Wish { path_idle: Some(Duration::from_secs(240)), ..wish("azure-c", "azure", 3_600) };
    let advice = advise(&default);
    let row = advice.candidates.iter().find(|candidate| candidate.is_default).unwrap();
    assert_eq!(row.keep_alive, 240);
    assert!(row.misses.contains(&Miss::Path), "a keep-alive of 240 s races a load balancer of 4 min");
}

#[test]
fn what_is_advised_is_beside_the_others_however_long() {
    let advice = advise(&wish("careful", "mqtt", 3_600_000));
    assert_eq!(advice.setting.map(|setting| setting.keep_alive), Some(65_400));
    let chosen = advice.candidates.iter().filter(|candidate| candidate.chosen);
    assert_eq!(chosen.map(|candidate| candidate.keep_alive).collect::<Vec<_>>(), [65_400]);
}

#[test]
fn targets_that_exclude_each_other_are_named_with_what_could_be_had() {
    let wish = Wish { budget: Some("100kB/month".parse().unwrap()), ..wish("paho-python", "azure", 10) };
    let advice = advise(&wish);
    assert_eq!(advice.setting, None);
    let all = advice.conflicts.join("\n");
    for words in [
        "within 10s allows keep-alives up to 4 s",
        "times the budget",
        "100kB/month needs",
        "What could be had: a keep-alive of 4 s",
    ] {
        assert!(all.contains(words), "{words}: {all}");
    }
}

/// A hub that takes a smaller keep-alive for its least only bears more silence: the device goes by its own, unless MQTT 5 tells it
/// the hub's.
#[test]
fn a_hubs_least_keep_alive_binds_devices_that_are_told_it() {
    let by_device = |client| Wish { detected_by: DetectedBy::Device, ..wish(client, "aws", 25) };
    assert_eq!(keep_alive(&by_device("careful")), Some(25));
    let told = advise(&by_device("careful")).warnings.join("\n");
    assert!(told.contains("AWS IoT Core takes a keep-alive of 25 s for one of 30 s"), "{told}");
    assert_eq!(bounds::Bounds::of(&by_device("aws-sdk")).least(), Some(30));
}

#[test]
fn what_no_keep_alive_can_do_is_said() {
    for (wish, words) in [
        (wish("oblivious", "azure", 60), "does not look for PINGRESP"),
        (wish("paho-python", "aws", 30), "AWS IoT Core needs 45s at least"),
        (wish("hivemq", "mqtt", 1), "HiveMQ MQTT Client (Java) needs 1.8s at least"),
        (
            Wish {
                workload: "publishing:t,every=1s,size=1000".parse().unwrap(),
                budget: Some("1MB/month".parse().unwrap()),
                ..wish("careful", "mqtt", 60)
            },
            "The messages alone cost",
        ),
        (
            Wish { budget: Some("1B/month".parse().unwrap()), ..wish("careful", "mqtt", 60) },
            "Even the pings of the longest keep-alive cost 10.8 kB in 30 days, more than 1B/month",
        ),
    ] {
        let all = advise(&wish).conflicts.join("\n");
        assert!(all.contains(words), "{words}: {all}");
    }
}

#[test]
fn an_unreliable_network_does_not_raise_the_keep_alive() {
    let good = wish("careful", "mqtt", 600);
    assert_eq!(keep_alive(&good), Some(360));
    assert_eq!(keep_alive(&Wish { loss: 0.01, ..good.clone() }), Some(60));
    let advice = advise(&Wish { loss: 0.01, ..good });
    assert!(advice.reasons[0].contains("only make detection slower"), "{}", advice.reasons[0]);
}

#[test]
fn the_wait_covers_retransmissions_where_it_can_be_set_and_is_told_where_it_cannot() {
    let timeout = |wish: &Wish| advise(wish).setting.and_then(|setting| setting.ping_timeout_ns);
    assert_eq!(timeout(&wish("careful", "mqtt", 60)), Some(5_000_000_000));
    let lossy = Wish { loss: 0.1, ..wish("careful", "mqtt", 60) };
    assert_eq!(timeout(&lossy), Some(19_000_000_000));
    let advice = advise(&wish("paho-python", "mqtt", 60));
    let text = text(&advice, &wish("paho-python", "mqtt", 60), false);
    assert!(text.contains("this client cannot be told another"), "{text}");
}

/// How often it pings decides how many losses in a row it meets in a year, and so how long it has to wait.
#[test]
fn the_wait_that_is_told_is_what_the_pings_of_that_keep_alive_need() {
    let access = Access::named("nb-iot").unwrap();
    let round_trip = access.round_trip.value;
    let wish = Wish { access, round_trip, loss: 0.1, ..wish("careful", "mqtt", 3_600) };
    let advice = advise(&wish);
    let chosen = advice.candidates.iter().find(|candidate| candidate.chosen).unwrap();
    assert_eq!(chosen.misses, []);
    // 701,000 pings a year, each 45 s: 2 x 0.1^7 x 701,000 = 0.14 a year. 2 s + 6 s x (2^5 - 1) + 120 s.
    assert_eq!((chosen.keep_alive, chosen.ping_timeout_ns), (60, Some(308_000_000_000)));
    let all = advice.reasons.join("\n") + &advice.warnings.join("\n");
    assert!(all.contains("5m 8s covers it") && !all.contains("False disconnects"), "{all}");
    // Those who ping each 63 s wait too long for 260 s; those who ping more seldom wait 2 s + 6 s x (2^5 - 1) = 188 s only.
    let near = Wish { detect_within: Duration::from_secs(260), detected_by: DetectedBy::Device, ..wish };
    let most = bounds::Bounds::of(&near).upper.iter().find(|bound| bound.why == bounds::Why::Device).copied();
    assert_eq!(most.and_then(|bound| bound.keep_alive), Some(96));
}

#[test]
fn a_workload_that_ends_costs_nothing_for_good() {
    let of =
        |workload: &str| advise(&Wish { workload: workload.parse().unwrap(), ..wish("careful", "mqtt", 60) });
    let (idle, ends) = (of("idle"), of("publishing:t,every=5s,times=3"));
    assert_eq!(ends.candidates, idle.candidates);
    let all = ends.warnings.join("\n");
    assert!(all.contains("The workload ends after 3 messages: what is told is of an idle device"), "{all}");
}

#[test]
fn no_keep_alive_is_advised_that_the_client_refuses() {
    let long = wish("azure-python", "mqtt", 36_000);
    assert_eq!(bounds::Bounds::of(&long).most(), Some(1_740));
    assert!(advise(&long).reasons[0].contains("1740 s is the greatest that the client takes"));
    // 2 x (4 + 1) = 10 s would do.
    let short = advise(&wish("mosquitto", "mqtt", 10));
    assert_eq!(short.setting, None);
    let all = short.conflicts.join("\n");
    for words in [
        "within 10s allows keep-alives up to 4 s; libmosquitto, as mosquitto_sub and mosquitto_pub use it needs 5 s",
        "What could be had: a keep-alive of 5 s, by which the device notices within 12s",
    ] {
        assert!(all.contains(words), "{words}: {all}");
    }
    assert!(!all.contains("a keep-alive of 4 s"), "{all}");
}

#[test]
fn what_is_lost_too_often_for_tcp_is_said() {
    let all = advise(&Wish { loss: 0.5, ..wish("careful", "mqtt", 3_600) }).reasons.join("\n");
    assert!(all.contains("more than once a year at 50% of loss, but TCP itself gives up then"), "{all}");
    let all = advise(&Wish { loss: 0.07, ..wish("careful", "mqtt", 3_600) }).reasons.join("\n");
    assert!(all.contains("less than once a year at 7% of loss)"), "{all}");
    assert!(all.contains("without what is sent again at 7% of loss"), "{all}");
}

#[test]
fn a_wait_that_the_client_cuts_short_is_told_as_it_is() {
    let wish = Wish { loss: 0.1, ..wish("aws-sdk", "mqtt", 60) };
    // 0.1 s + 0.3 s x (2^6 - 1) are needed, and half of K is waited for at most.
    for (keep_alive, seconds, misses) in [(20, 10, true), (38, 19, false), (40, 19, false)] {
        let candidate = Candidate::of(&wish, keep_alive);
        assert_eq!(candidate.ping_timeout_ns, Some(seconds * 1_000_000_000), "{keep_alive}");
        assert_eq!(candidate.misses.contains(&Miss::Wait), misses, "{keep_alive}");
    }
    assert_eq!(bounds::Bounds::of(&wish).least(), Some(38));
}

#[test]
fn a_fleet_gets_a_back_off_that_the_hub_admits() {
    for (fleet, throttle, back_off, words) in [
        (0, None, "exponential:1s..1m,jitter", ""),
        (20, None, "exponential:1s..1m,jitter", "they return at less than one a second at most"),
        // Each dials twice in the longest delay: 80 a second.
        (
            4_800,
            None,
            "exponential:1s..2m,jitter",
            "go up to 2m: once all have come so far, they return at 80 a second",
        ),
        (5_000, None, "exponential:1s..3m,jitter", "50s at least"),
        (100_000, None, "exponential:1s..42m,jitter", "1000s at least"),
        (100_000, Some(6_000), "exponential:1s..1m,jitter", "17s at least"),
        (1_000_000, None, "exponential:1s..1h,jitter", "more hubs or units"),
    ] {
        let wish = Wish { fleet, connects_per_second: throttle, ..wish("careful", "azure", 60) };
        let advice = advise(&wish);
        assert_eq!(advice.setting.unwrap().back_off, back_off, "{fleet}");
        let all = advice.reasons.join("\n") + &advice.warnings.join("\n");
        let words = words.replace("1000s", "16m 40s");
        assert!(all.contains(&words), "{words}: {all}");
    }
}

/// Detections of a simulated device in many outages come close to the closed form, and never go beyond it by more than a
/// round trip; and so does what it costs on a sound path.
#[test]
fn the_closed_form_and_the_simulation_agree() {
    for (client, hub, keep_alive, workload) in [
        ("paho-python", "mosquitto", 20, "idle"),
        ("mqtt.js", "azure", 60, "idle"),
        ("careful", "mqtt", 30, "idle"),
        ("azure-c", "azure", 240, "idle"),
        ("azure-csharp", "azure", 300, "idle"),
        ("esp-mqtt", "emqx", 120, "idle"),
        ("paho-go", "nanomq", 30, "idle"),
        ("mqttnet", "mqtt", 20, "publishing:t,every=27s,qos=0"),
    ] {
        let wish = Wish { workload: workload.parse().unwrap(), ..wish(client, hub, 60) };
        let closed = Candidate::of(&wish, keep_alive);
        let simulated = simulate(&wish, &closed, "fixed:1s").unwrap();
        assert!(simulated.struck >= 30, "{client}: {simulated:?}");
        assert_eq!((simulated.false_disconnects, simulated.forgotten), (0, 0), "{client}");
        for (end, closed, seen) in
            [("device", closed.device_ns, simulated.device_ns), ("hub", closed.hub_ns, simulated.hub_ns)]
        {
            let seconds = |nanos: Option<u64>| Duration::from_nanos(nanos.unwrap()).as_secs_f64();
            let (closed, seen) = (seconds(closed), seconds(seen));
            let round_trip = wish.round_trip.as_secs_f64();
            assert!(
                seen <= closed + round_trip && seen >= closed * 0.7,
                "{client}, {end}: {seen:.1} s seen, {closed:.1} s at most"
            );
        }
        let span = Duration::from_secs(2 * 24 * 3_600);
        let sound = verify::figures(&wish, &closed, "fixed:1s", "none", span).unwrap();
        let month =
            |sum: u64| f64::from(u32::try_from(sum).unwrap()) * MONTH.as_secs_f64() / span.as_secs_f64();
        let (seen, told) = (month(sound.bytes_up + sound.bytes_down), closed.bytes);
        assert!((seen / told - 1.0).abs() < 0.4, "{client}: {seen:.0} bytes seen, {told:.0} told");
        let wake_ups = month(sound.wake_ups);
        assert!((wake_ups - closed.wake_ups).abs() <= 0.02 * closed.wake_ups + 30.0, "{client}: {wake_ups}");
    }
}

/// MQTT.js goes by what comes: 2 min + 1 min, and 5 s for which the last answer was under way.
#[test]
fn an_answer_under_way_counts_and_a_simulation_that_contradicts_is_told() {
    let round_trip = Duration::from_secs(10);
    let wish =
        Wish { round_trip, tls: false, detected_by: DetectedBy::Device, ..wish("mqtt.js", "mqtt", 180) };
    assert_eq!(Candidate::of(&wish, 120).device_ns, Some(185_000_000_000));
    assert_eq!(keep_alive(&wish), Some(110));
    let at = |keep_alive| simulate(&wish, &Candidate::of(&wish, keep_alive), "fixed:1s").unwrap();
    assert_eq!(contradictions(&wish, &at(110)), [""; 0]);
    let late = at(120);
    assert!(late.device_ns.is_some_and(|longest| longest > 180_000_000_000), "{late:?}");
    let told = contradictions(&wish, &late).join("");
    assert!(told.starts_with("In the simulation of 120 s the device needed 3m"), "{told}");
    assert!(told.ends_with("and 3m are wanted."), "{told}");
}

#[test]
fn the_text_fits_a_terminal() {
    for client in Client::all() {
        for (seconds, budget) in [(10, "100kB/month"), (60, "50MB/month"), (600, "1GB/month")] {
            let wish = Wish {
                budget: Some(budget.parse().unwrap()),
                path_idle: Some(Duration::from_secs(240)),
                loss: 0.01,
                fleet: 5_000,
                ..wish(client.name, "azure", seconds)
            };
            let text = text(&advise(&wish), &wish, false);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }
}

#[test]
fn the_whole_of_an_advice() {
    let plain = Wish {
        path_idle: Some(Duration::from_secs(240)),
        budget: Some("50MB/month".parse().unwrap()),
        loss: 0.01,
        fleet: 5_000,
        ..wish("paho-python", "azure", 60)
    };
    insta::assert_snapshot!("possible", text(&advise(&plain), &plain, false));
    let tight = Wish { budget: Some("100kB/month".parse().unwrap()), ..wish("paho-python", "azure", 10) };
    insta::assert_snapshot!("impossible", text(&advise(&tight), &tight, false));
}
