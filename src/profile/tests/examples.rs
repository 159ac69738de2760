//! Every example and every word of the table, in a profile of its own.

use super::super::read;
use super::super::schema::{FAULT, Type, WHOLE, places};
use super::{HEAD, sound};

/// Each example of the table stands in a profile of its own.
#[test]
fn every_example_of_the_table_reads() {
    for place in places() {
        for key in place.keys {
            let text = example_of(place.name, key.name, key.example);
            let told = read(&text, &[]).map_err(|problems| problems.to_string());
            assert!(told.is_ok(), "{}.{}: {}\n{text}", place.name, key.name, told.unwrap_err());
        }
    }
}

fn example_of(place: &str, key: &str, example: &str) -> String {
    let key = key.replace("pNN", "p99.9");
    let rule = |who: &str, when: &str, fault: &str| {
        format!(
            "{HEAD}listeners: [{{ name: main, listen: \"h:1\", upstream: \"h:1\", tls: {{ mode: reoriginate, client_certificates: request }} }}]\nrules: [{{ id: dark, who: {{ {who} }}, when: {{ {when} }}, fault: {{ {fault} }} }}]\n"
        )
    };
    let pair = format!("{key}: {example}");
    let close = |kind: &str| {
        let toward = if key == "other" { ", toward: device" } else { "" };
        rule("", "at: 1s", &format!("{kind}: {{ {pair}{toward} }}"))
    };
    // With a rule, so that every text has one.
    let listener = |tls: &str| {
        format!(
            "{HEAD}listeners: [{{ name: main, listen: \"h:1\", upstream: \"h:1\", tls: {{ {tls} }} }}]\nrules: [{{ id: a, when: {{ at: 1s }}, fault: {{ rst: {{}} }} }}]\n"
        )
    };
    match (place, key.as_str()) {
        ("profile", "brownout" | "name" | "summary" | "duration") => {
            let kept: Vec<&str> = HEAD.lines().filter(|line| !line.starts_with(&format!("{key}:"))).collect();
            format!("{}\n{pair}\n", kept.join("\n"))
        }
        ("profile", _) => format!("{HEAD}{pair}\n"),
        ("listeners", key) => {
            let all = [("name", "a"), ("listen", "\"h:1\""), ("upstream", "\"h:1\"")];
            let rest: Vec<String> =
                all.into_iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}")).collect();
            format!("{HEAD}listeners: [{{ {pair}, {} }}]\n", rest.join(", "))
        }
        ("tls", "mode") => listener(&pair),
        ("tls", "routes") => listener(&format!("mode: passthrough, {pair}")),
        ("tls", "certificate") => listener(&format!("mode: terminate, key: a, {pair}")),
        ("tls", "key") => listener(&format!("mode: terminate, certificate: a, {pair}")),
        ("tls", "ca" | "client_certificates") => listener(&format!("mode: terminate, {pair}")),
        ("tls", "client_ca" | "hub_certificates") => {
            listener(&format!("mode: reoriginate, client_certificates: request, {pair}"))
        }
        ("tls", "hub_certificate") => listener(&format!("mode: originate, hub_key: a, {pair}")),
        ("tls", "hub_key") => listener(&format!("mode: originate, hub_certificate: a, {pair}")),
        ("tls", _) => listener(&format!("mode: originate, {pair}")),
        ("routes", "sni") => {
            listener(&format!("mode: passthrough, routes: [{{ {pair}, upstream: \"h:1\" }}]"))
        }
        ("routes", _) => listener(&format!("mode: passthrough, routes: [{{ {pair}, sni: a }}]")),
        ("tls_handshake", "for") => rule("", "at: 1s", &format!("{place}: {{ {pair}, abort: close }}")),
        ("tls_handshake", _) => rule("", "at: 1s", &format!("{place}: {{ {pair}, for: 1s }}")),
        ("tls_alert", "alert") => rule("", "at: 1s", &format!("{place}: {{ {pair} }}")),
        ("tls_alert", _) => rule("", "at: 1s", &format!("{place}: {{ {pair}, alert: 80 }}")),
        ("tls_record", "damage") => rule("", "at: 1s", &format!("{place}: {{ {pair} }}")),
        ("tls_record", _) => rule("", "at: 1s", &format!("{place}: {{ {pair}, damage: mac }}")),
        ("rules", key) => {
            let fault = if key == "what" { "{ drop: {} }" } else { "{ rst: {} }" };
            let all = [("id", "a"), ("when", "{ at: 1s }"), ("fault", fault)];
            let rest: Vec<String> =
                all.into_iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}")).collect();
            format!("{HEAD}rules: [{{ {pair}, {} }}]\n", rest.join(", "))
        }
        ("who", _) => rule(&pair, "at: 1s", "rst: {}"),
        ("when", "for") => rule("", &format!("at: 1s, {pair}"), "stall: {}"),
        ("when", "jitter" | "times") => rule("", &format!("every: 30s, {pair}"), "rst: {}"),
        ("when", "nth" | "delay") => rule("", &format!("after: pingreq, {pair}"), "rst: {}"),
        ("when", "chance") => rule("", &format!("at: 1s, {pair}"), "rst: {}"),
        ("when", _) => rule("", &pair, "rst: {}"),
        ("expect", "metric") => format!("{HEAD}expect: [{{ {pair}, max: \"<= 1s\" }}]\n"),
        ("expect", "of") => format!(
            "{}expect: [{{ {pair}, metric: recovery, max: \"<= 1s\" }}]\n",
            rule("", "at: 1s", "rst: {}")
        ),
        ("expect", "client") => format!("{HEAD}expect: [{{ {pair}, metric: recovery, max: \"<= 1s\" }}]\n"),
        ("expect", _) => format!("{HEAD}expect: [{{ {pair}, metric: recovery }}]\n"),
        ("sequence", key) => {
            let place = match key {
                "width" | "order" => "byte: 0, ",
                "topic" => "json: /seq, ",
                _ => "",
            };
            format!("{}sequence: {{ {place}{pair} }}\n", rule("", "at: 1s", "rst: {}"))
        }
        ("fault", _) => rule("", "at: 1s", &pair),
        ("rst" | "fin", _) => close(place),
        ("what", _) => format!("{HEAD}rules: [{{ id: a, what: {{ {pair} }}, fault: {{ drop: {{}} }} }}]\n"),
        ("ack", _) => {
            let rest = if key == "packet" { "packet_id: 1" } else { "packet: puback" };
            rule("", "at: 1s", &format!("inject: {{ ack: {{ {pair}, {rest} }} }}"))
        }
        ("publish", "topic") => rule("", "at: 1s", &format!("inject: {{ publish: {{ {pair} }} }}")),
        ("publish", "packet_id") => {
            rule("", "at: 1s", &format!("inject: {{ publish: {{ {pair}, topic: a, qos: 1 }} }}"))
        }
        ("publish", _) => rule("", "at: 1s", &format!("inject: {{ publish: {{ {pair}, topic: a }} }}")),
        (
            "half_close" | "refuse" | "bandwidth" | "loss" | "slice" | "cut_after" | "idle_timeout"
            | "token_expiry" | "takeover" | "reject" | "disconnect" | "inject" | "drop" | "delay"
            | "duplicate" | "edit" | "corrupt" | "cut",
            key,
        ) => {
            let all: &[(&str, &str)] = match place {
                "refuse" | "takeover" => &[("for", "1s")],
                "bandwidth" => &[("rate", "1kbit/s")],
                "loss" => &[("chance", "1%")],
                "slice" => &[("size", "1")],
                "cut_after" => &[("bytes", "1")],
                "idle_timeout" => &[("after", "1s")],
                "reject" => &[("code", "banned"), ("for", "1s")],
                "inject" if key == "toward" => &[("ping", "pingreq")],
                "delay" if matches!(key, "jitter" | "for") => &[("fixed", "1s")],
                "edit" if key == "for" => &[("clean", "true")],
                _ => &[],
            };
            let toward = if key == "other" { vec!["toward: device".to_owned()] } else { Vec::new() };
            let rest = all.iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}"));
            let pairs: Vec<String> = [pair.clone()].into_iter().chain(rest).chain(toward).collect();
            rule("", "at: 1s", &format!("{place}: {{ {} }}", pairs.join(", ")))
        }
        ("blackhole" | "stall", "for") => rule("", "at: 1s", &format!("{place}: {{ {pair} }}")),
        ("blackhole" | "stall", _) => rule("", "at: 1s", &format!("{place}: {{ {pair}, for: 1s }}")),
        ("latency", "fixed" | "uniform" | "normal" | "pareto") => {
            rule("", "at: 1s", &format!("latency: {{ {pair} }}"))
        }
        ("latency", _) => rule("", "at: 1s", &format!("latency: {{ {pair}, fixed: 1s }}")),
        (shape, key) => {
            let all: &[(&str, &str)] = match shape {
                "uniform" => &[("min", "1ms"), ("max", "1s")],
                "normal" => &[("mean", "1s"), ("deviation", "0s")],
                "pareto" => &[("scale", "1ms"), ("shape", "2"), ("max", "10s")],
                other => panic!("the table has a new place `{other}`: say here how its keys stand"),
            };
            let rest: Vec<String> =
                all.iter().filter(|(k, _)| *k != key).map(|(k, v)| format!("{k}: {v}")).collect();
            rule("", "at: 1s", &format!("latency: {{ {shape}: {{ {pair}, {} }} }}", rest.join(", ")))
        }
    }
}

/// The reference shows these: each is of the fault that it stands for, and reads without a word.
#[test]
fn the_whole_rule_of_each_fault_reads() {
    let faults: Vec<&str> = FAULT.names().collect();
    let whole: Vec<&str> = WHOLE.into_iter().map(|(name, _)| name).collect();
    assert_eq!(whole, faults);
    for (name, rule) in WHOLE {
        let text = format!("{HEAD}rules:\n{rule}");
        let checked = read(&text, &[]).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert_eq!(checked.notes, [], "{name}");
        assert_eq!(checked.plan.rules[0].fault.name(), name);
    }
}

#[test]
fn every_word_of_the_table_is_a_word_of_its_type() {
    for place in places() {
        for key in place.keys {
            for word in key.ty.choices() {
                if matches!(key.ty, Type::Metric) {
                    continue;
                }
                let text = example_of(place.name, key.name, &word);
                let plan = sound(&text);
                let rules = usize::from(place.name != "profile");
                assert_eq!(plan.rules.len(), rules, "{text}");
            }
        }
    }
}
