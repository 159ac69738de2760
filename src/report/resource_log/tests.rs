use super::*;
use crate::event::{EndReason, RivalNews};
use crate::fault::{Ending, Fault, LegFate, Mechanism, Takeover, Toward};
use crate::measure::story::{Story, answers, plan, rst};
use crate::mqtt::Version;
use proptest::prelude::*;
use serde_json::Value;

/// The lines that a story comes to.
fn lines(story: &Story, plan: &Plan) -> Vec<Value> {
    let (mut log, mut measures) = (ResourceLog::new(plan), Measures::new(plan));
    let told = story.events.iter().flat_map(|event| {
        measures.push(event);
        log.push(event, &measures)
    });
    told.map(|line| serde_json::from_str(&line).unwrap()).collect()
}

fn run_ends(story: &mut Story, at: u64) -> &Story {
    story.at(at).tell(What::RunEnded { reason: EndReason::Complete })
}

/// `deviceConnect`, `deviceDisconnect 404104`, ... with the time.
fn short(lines: &[Value]) -> Vec<String> {
    let short = |line: &Value| {
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        let time = text("time").replace("2026-01-01T00:", "").replace("Z", "");
        format!("{time} {} {} {}", text("operationName"), text("level"), text("resultType"))
            .trim_end()
            .to_owned()
    };
    lines.iter().map(short).collect()
}

#[test]
fn a_line_has_the_keys_of_the_hubs_log() {
    let mut story = Story::new();
    story.at(1_500).joins(1, 0, "d1", 60);
    story.at(9_000).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub).closes(1);
    let lines = lines(run_ends(&mut story, 10_000), &plan(vec![]));
    // In the order of the alphabet, as `Value` keeps them.
    let keys = |line: &Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&lines[1]),
        "category level location operationName properties resourceId resultDescription resultType time"
    );
    assert_eq!(keys(&lines[0]), "category level location operationName properties resourceId time");
    assert_eq!(lines[1]["resultDescription"], "DeviceConnectionClosedRemotely");
    let properties: Value = serde_json::from_str(lines[0]["properties"].as_str().unwrap()).unwrap();
    assert_eq!(keys(&properties), "authType deviceId maskedIpAddress protocol sdkVersion");
    assert_eq!(
        (properties["deviceId"].as_str(), properties["protocol"].as_str()),
        (Some("d1"), Some("Mqtt"))
    );
    let auth: Value = serde_json::from_str(properties["authType"].as_str().unwrap()).unwrap();
    assert_eq!(keys(&auth), "acceptingIpFilterRule issuer scope type");
    assert_eq!(
        short(&lines),
        ["00:01.500000 deviceConnect Information", "00:09.000000 deviceDisconnect Error 404104"]
    );
}

#[test]
fn each_end_of_a_link_is_one_line() {
    let mut story = Story::new();
    // Goes in order.
    story.at(1_000).joins(1, 0, "d1", 60);
    story.at(2_000).up(1, Packet::Disconnect { reason: 0 });
    story.ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub).closes(1);
    // Is refused.
    story.at(3_000).connect(2, 0, "d1", 60).connack(2, false, 5);
    story.ends(2, Side::Hub, Ending::Fin).closes(2);
    // Is reset by a rule that stands for a drill.
    story.at(4_000).joins(3, 0, "d1", 60);
    story.at(5_000).opens(1, 0, 0, 60).cut(3, Side::Device, LegFate::Reset, 1);
    story.cut(3, Side::Hub, LegFate::Reset, 1).closes(3);
    // Lasts to the end of the run.
    story.at(6_000).joins(4, 0, "d1", 60);
    let mut plan = plan(vec![("drill", rst(Toward::Both, LegFate::Reset))]);
    plan.rules[0].logged_as = Some(Code::ConnectionForcefullyClosedOnFaultInjection);
    story.at(7_000).closes(4);
    assert_eq!(
        short(&lines(run_ends(&mut story, 7_000), &plan)),
        [
            "00:01.000000 deviceConnect Information",
            "00:02.000000 deviceDisconnect Information",
            "00:03.000000 deviceConnect Error 401003",
            "00:04.000000 deviceConnect Information",
            "00:05.000000 deviceDisconnect Error 400029",
            "00:06.000000 deviceConnect Information",
        ]
    );
}

/// A device that vanished leaves a leg behind that nobody answers on, for long.
#[test]
fn an_end_is_logged_when_the_hub_knows_of_it_and_once() {
    let plan = plan(vec![]);
    let mut story = Story::new();
    story.at(1_000).joins(1, 0, "d1", 4);
    story.at(9_000).ends(1, Side::Hub, Ending::Fin);
    let known = short(&lines(&story, &plan));
    assert_eq!(known.last().unwrap(), "00:09.000000 deviceDisconnect Error 404104");
    story.carried(1, Side::Device).at(900_000).ends(1, Side::Device, Ending::Reset).closes(1);
    assert_eq!(short(&lines(run_ends(&mut story, 900_000), &plan)), known);
}

/// The hub closes the older link before it answers the newer one: which of the two causes it is, the answer tells.
#[test]
fn a_takeover_is_told_once_the_newer_link_is_answered() {
    for (answered, expected) in [(true, "400027"), (false, "404104")] {
        let mut story = Story::new();
        story.at(1_000).joins(1, 0, "d1", 60);
        story.at(5_000).connect(2, 0, "d1", 60);
        story.at(5_010).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device).closes(1);
        if answered {
            story.at(5_020).connack(2, false, 0);
        }
        let told = short(&lines(run_ends(&mut story, 9_000), &plan(vec![])));
        let wanted = format!("00:05.010000 deviceDisconnect Error {expected}");
        assert!(told.contains(&wanted), "{told:?}");
        assert_eq!(told.iter().filter(|line| line.contains("deviceDisconnect")).count(), 1);
    }
}

/// The hub may end the link a moment before it is seen to accept the other client, and the link be over by then.
#[test]
fn a_link_that_another_client_takes_is_told_once_that_is_known() {
    let other = Fault::Takeover(Takeover { hold: "5s".parse().unwrap(), again: None });
    let plan = plan(vec![("other", other)]);
    for (accepted, expected) in [(true, "400027"), (false, "404104")] {
        let mut story = Story::new();
        story.at(1_000).joins(1, 0, "d1", 60).at(5_000).opens(1, 0, 0, 60);
        story.at(5_010).ends(1, Side::Hub, Ending::Fin).carried(1, Side::Device);
        story.at(5_011).ends(1, Side::Device, Ending::Fin).closes(1);
        if accepted {
            story.at(5_020).rival(1, 1, RivalNews::Accepted).applies(1, 1, Mechanism::Rival);
        }
        story.at(7_000).joins(2, 0, "d1", 60);
        let told = short(&lines(run_ends(&mut story, 9_000), &plan));
        let wanted = format!("00:05.010000 deviceDisconnect Error {expected}");
        assert_eq!(
            told.iter().filter(|line| line.contains("deviceDisconnect")).collect::<Vec<_>>(),
            [&wanted]
        );
        assert_eq!(in_report(&story, &plan), [expected.parse::<u32>().unwrap()]);
    }
}

/// The codes of links' ends, as the report has them.
fn in_report(story: &Story, plan: &Plan) -> Vec<u32> {
    let results = story.results(plan);
    results.runs[0].ends.iter().filter_map(|end| Some(end.logged?.code?.number())).collect()
}

#[test]
fn of_a_connack_that_a_fault_drops_or_holds_the_report_and_the_log_say_the_same() {
    for fate in ["dropped", "held", "made a refusal"] {
        let mut story = Story::new();
        story.at(1_000).connect(1, 0, "d1", 60).at(1_010);
        match fate {
            "dropped" => _ = story.fares(1, Direction::Down, answers(0, None), None),
            "held" => _ = story.passes(1, Direction::Down, answers(0, None), true),
            _ => _ = story.fares(1, Direction::Down, answers(0, None), Some(answers(5, None))),
        }
        story.at(3_000).ends(1, Side::Device, Ending::Fin).carried(1, Side::Hub).closes(1);
        let told = short(&lines(run_ends(&mut story, 9_000), &plan(vec![])));
        let expected = match fate {
            "made a refusal" => vec!["00:01.010000 deviceConnect Error 401003"],
            _ => vec!["00:01.010000 deviceConnect Information", "00:03.000000 deviceDisconnect Error 404104"],
        };
        assert_eq!(told, expected, "{fate}");
        let code = expected.last().and_then(|line| line.rsplit_once(' ')).map(|(_, code)| code).unwrap();
        assert_eq!(in_report(&story, &plan(vec![])), [code.parse::<u32>().unwrap()], "{fate}");
    }
}

#[test]
fn links_without_a_connect_are_not_told_of() {
    let mut story = Story::new();
    story.at(1_000).greets(1);
    story.at(2_000).ends(1, Side::Device, Ending::Reset).closes(1);
    assert_eq!(short(&lines(run_ends(&mut story, 9_000), &plan(vec![]))), [""; 0]);
}

#[test]
fn the_sdk_is_told_by_the_user_name() {
    for (username, sdk) in [
        (
            "h/d/?api-version=2021-04-12&DeviceClientType=py-azure-iot-device%2F2.14.0",
            "py-azure-iot-device/2.14.0",
        ),
        ("h/d/?DeviceClientType=a%20b&x=1", "a b"),
        ("h/d/?api-version=2021-04-12", ""),
        ("h/d/?DeviceClientType=%zz", ""),
        ("d", ""),
    ] {
        assert_eq!(sdk_version(username).unwrap_or_default(), sdk, "{username}");
    }
}

#[test]
fn addresses_lose_their_last_part() {
    for (peer, shown) in [
        ("192.0.2.17:5000", "192.0.2.XXX"),
        ("[::ffff:192.0.2.17]:5000", "192.0.2.XXX"),
        ("[2001:db8::7]:5000", "2001:db8:0:0:0:0:0:XXX"),
        ("nowhere", ""),
    ] {
        assert_eq!(masked(peer), shown, "{peer}");
    }
}

#[test]
fn authentication_is_told_by_what_was_seen() {
    for (has_token, has_certificate, kind) in
        [(true, true, "sas"), (true, false, "sas"), (false, true, "x509Certificate"), (false, false, "none")]
    {
        let client = Client { has_token, has_certificate, ..Client::default() };
        assert_eq!(client.auth().kind, kind);
    }
}

proptest! {
    /// Whatever a device calls itself, a line is one line of JSON.
    #[test]
    fn names_cannot_break_a_line(client_id in ".*", username in ".*") {
        let mut story = Story::new();
        story.at(1_000).greets(1).up(1, Packet::Connect {
            version: Version::V311,
            client_id: client_id.clone(),
            keep_alive: 60,
            clean: true,
            username: Some(username),
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: crate::event::SessionTerms::default(),
        });
        story.connack(1, false, 0);
        let (mut log, mut measures) = (ResourceLog::new(&plan(vec![])), Measures::new(&plan(vec![])));
        for event in &story.events {
            measures.push(event);
            for line in log.push(event, &measures) {
                prop_assert!(!line.contains('\n'));
                let line: Value = serde_json::from_str(&line).unwrap();
                let properties: Value = serde_json::from_str(line["properties"].as_str().unwrap()).unwrap();
                prop_assert_eq!(properties["deviceId"].as_str(), Some(client_id.as_str()));
            }
        }
    }
}
