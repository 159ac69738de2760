use super::*;
use crate::mqtt::packet::{Suback, Unsubscribe, reason};

#[test]
fn a_message_goes_to_whom_it_matches_with_the_lower_qos() {
    let mut bench = Bench::new(HubConfig::default());
    for (conn, filter, qos) in [(1, "a/+", 0), (2, "a/#", 1), (3, "#", 2), (4, "a/b/c", 2)] {
        bench.connect(conn, v311(&format!("d{conn}")));
        assert_eq!(bench.subscribe(conn, sub(filter, qos)), [qos]);
    }
    bench.connect(5, v311("source"));
    bench.send(5, publish("a/b", "m", 1, 1));
    bench.send(5, publish("$SYS/x", "hidden", 0, 0));
    let got: Vec<_> = (1..=4).map(|conn| bench.messages(conn)).collect();
    assert_eq!(got, [vec!["m"], vec!["m qos1 #1"], vec!["m qos1 #1"], vec![]]);
}

#[test]
fn overlapping_subscriptions_bring_one_copy_with_all_identifiers() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, v5("d"));
    for (filter, qos, identifier) in [("a/+", 1, 11), ("a/b", 0, 12), ("#", 2, 13)] {
        let properties = Properties(vec![Property::SubscriptionIdentifier(identifier)]);
        bench.subscribe_with(1, sub(filter, qos), properties);
    }
    bench.connect(2, v5("source"));
    bench.send(2, publish("a/b", "m", 2, 1));
    let Packet::Publish(got) = bench.got_one(1) else { panic!() };
    let mut identifiers = got.properties.0.clone();
    identifiers.sort_by_key(|property| format!("{property:?}"));
    assert_eq!(got.qos, QoS::ExactlyOnce);
    assert_eq!(identifiers, [11, 12, 13].map(Property::SubscriptionIdentifier));
}

#[test]
fn unsubscribe_is_always_answered_and_takes_effect() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, v5("d"));
    bench.subscribe(1, sub("a", 0));
    let filters = vec!["a".into(), "never".into()];
    bench.send(1, Packet::Unsubscribe(Unsubscribe { packet_id: 3, properties: Properties::NONE, filters }));
    let codes = vec![0, reason::NO_SUBSCRIPTION_EXISTED];
    assert_eq!(
        bench.got_one(1),
        Packet::Unsuback(Suback { packet_id: 3, properties: Properties::NONE, codes })
    );
    bench.send(1, publish("a", "m", 0, 0));
    assert_eq!(bench.got(1), []);
}

#[test]
fn retained_messages_come_with_a_subscription_and_go_with_an_empty_one() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, v311("d"));
    bench.send(1, retained("a/b", "old"));
    bench.send(1, retained("a/b", "new"));
    bench.send(1, retained("a/c", "other"));
    bench.subscribe(1, sub("a/+", 0));
    assert_eq!(bench.messages(1), ["new retain", "other retain"]);
    bench.send(1, retained("a/c", "live"));
    assert_eq!(bench.messages(1), ["live"], "to one who listens already it is not a retained one");
    bench.send(1, retained("a/c", ""));
    bench.got(1);
    bench.subscribe(1, sub("a/+", 0));
    assert_eq!(bench.messages(1), ["new retain"], "subscribing again brings them again");
}

#[test]
fn retain_handling_and_retain_as_published() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(1, v5("d"));
    bench.send(1, retained("a", "kept"));
    let mut ask = |retain_handling| {
        bench.subscribe(1, Subscription { retain_handling, retain_as_published: true, ..sub("a", 0) });
        bench.messages(1)
    };
    assert_eq!(ask(2), [""; 0], "never");
    assert_eq!(ask(1), [""; 0], "only if new");
    assert_eq!(ask(0), ["kept retain"]);
    bench.send(1, retained("a", "live"));
    assert_eq!(bench.messages(1), ["live retain"]);
    bench.connect(2, v5("e"));
    bench.subscribe(2, Subscription { retain_handling: 1, ..sub("a", 0) });
    assert_eq!(bench.messages(2), ["live retain"]);
}

#[test]
fn no_local_keeps_a_devices_own_messages_from_it() {
    let mut bench = Bench::new(HubConfig::default());
    for conn in [1, 2] {
        bench.connect(conn, v5(&format!("d{conn}")));
        bench.subscribe(conn, Subscription { no_local: true, ..sub("a", 0) });
    }
    bench.send(1, publish("a", "m", 0, 0));
    assert_eq!((bench.messages(1), bench.messages(2)), (vec![], vec!["m".into()]));
}

#[test]
fn a_shared_subscription_deals_messages_out_in_turn_and_brings_no_retained_ones() {
    let mut bench = Bench::new(HubConfig::default());
    bench.connect(9, v5("source"));
    bench.send(9, retained("a", "kept"));
    for conn in 1..=3 {
        bench.connect(conn, v5(&format!("d{conn}")));
        bench.subscribe(conn, sub("$share/g/a", 1));
    }
    bench.subscribe(3, sub("a", 0));
    assert_eq!(bench.messages(3), ["kept retain"], "only by its own");
    (1..=4).for_each(|id| bench.send(9, publish("a", &format!("m{id}"), 1, id)));
    assert_eq!(bench.messages(1), ["m1 qos1 #1", "m4 qos1 #2"]);
    assert_eq!(bench.messages(2), ["m2 qos1 #1"]);
    assert_eq!(bench.messages(3), ["m1", "m2", "m3", "m3 qos1 #1", "m4"]);
    bench.close(2, HowClosed::Fin);
    (1..=2).for_each(|id| bench.send(9, publish("a", &format!("n{id}"), 1, id)));
    assert_eq!(bench.messages(1), ["n2 qos1 #3"], "those who are gone lose their turn");
}

#[test]
fn subscriptions_are_bounded_in_number_and_depth() {
    let mut bench = Bench::new(HubConfig { max_subscriptions: 1, ..HubConfig::default() });
    bench.connect(1, v5("d"));
    bench.connect(2, v311("e"));
    assert_eq!(bench.subscribe(1, sub("a", 1)), [1]);
    assert_eq!(bench.subscribe(1, sub("a", 2)), [2], "the same again is not another");
    assert_eq!(bench.subscribe(1, sub("b", 0)), [reason::QUOTA_EXCEEDED]);
    let levels = |count: usize| vec!["x"; count].join("/");
    assert_eq!(bench.subscribe(2, sub(&levels(MAX_LEVELS + 1), 0)), [reason::v3::SUBSCRIBE_FAILURE]);
    assert_eq!(bench.subscribe(2, sub(&levels(MAX_LEVELS), 0)), [0]);
}
