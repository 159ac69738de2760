//! Fault-injection messages: device-to-cloud messages that the end-to-end tests of the Azure device SDKs send, and by which
//! they ask the hub to break the link.
//!
//! Source: the SDKs' own tests (`AzIoTHub_FaultOperationType` and its companions); only hubs that Microsoft allows honour
//! them. Topics: "Communicate with an IoT hub using the MQTT protocol", Microsoft Learn.

use super::url;
use crate::base::text::printable;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::time::Duration;

const TYPE: &str = "AzIoTHub_FaultOperationType";
const REASON: &str = "AzIoTHub_FaultOperationCloseReason";
const DELAY: &str = "AzIoTHub_FaultOperationDelayInSecs";
const DURATION: &str = "AzIoTHub_FaultOperationDurationInSecs";

/// The longest delay and the longest duration that are honoured, in seconds: a day. What asks for more gets this.
const LONGEST_SECS: u64 = 24 * 60 * 60;

/// How much of a type or a reason is kept, in characters: it goes into the log, and a device may send anything.
const TEXT_CHARS: usize = 100;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultOperation {
    /// `KillTcp`: RST.
    KillTcp,
    /// `ShutDownMqtt`: FIN.
    ShutDownMqtt,
    /// `InvokeThrottling`: PUBACK withheld.
    InvokeThrottling,
    /// `InvokeMaxMessageQuota`: PUBACK withheld.
    InvokeMaxMessageQuota,
    /// `InvokeAuthError`: the link is closed, and CONNECT refused.
    InvokeAuthError,
}

impl FaultOperation {
    /// All of them.
    pub const ALL: [FaultOperation; 5] = [
        FaultOperation::KillTcp,
        FaultOperation::ShutDownMqtt,
        FaultOperation::InvokeThrottling,
        FaultOperation::InvokeMaxMessageQuota,
        FaultOperation::InvokeAuthError,
    ];

    /// Its name in a message, where upper and lower case count.
    pub fn name(self) -> &'static str {
        match self {
            FaultOperation::KillTcp => "KillTcp",
            FaultOperation::ShutDownMqtt => "ShutDownMqtt",
            FaultOperation::InvokeThrottling => "InvokeThrottling",
            FaultOperation::InvokeMaxMessageQuota => "InvokeMaxMessageQuota",
            FaultOperation::InvokeAuthError => "InvokeAuthError",
        }
    }

    fn read(name: &str) -> Option<FaultOperation> {
        FaultOperation::ALL.into_iter().find(|operation| operation.name() == name)
    }
}

/// A command, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRequest {
    /// What; `Err` with the type as it stands there, where it means nothing over MQTT.
    pub operation: Result<FaultOperation, String>,
    /// How long to wait before.
    pub delay: Duration,
    /// For how long, where it says so.
    pub duration: Option<Duration>,
    /// The reason given.
    pub reason: Option<String>,
}

/// The command that a PUBLISH of a device is, by its topic name (`devices/{id}/messages/events/{property bag}`, or that of a
/// module) and the user properties that it has in MQTT 5; `None` for one that names no type of fault.
///
/// Of a name that comes twice the first counts, and the bag comes before the user properties. A field of the bag that is not
/// URL-encoded text is passed over. Times are whole seconds: a delay that is missing or is no such number is 0, a duration
/// like that is none, and more than a day is a day. A type that is none of [`FaultOperation`]'s, as those of AMQP are, is
/// told as it stands (its first 100 characters, control characters escaped).
pub fn request(topic: &str, user_properties: &[(String, String)]) -> Option<FaultRequest> {
    // Most messages are no commands: these cost one look at the topic, and no allocation.
    let bag = bag(topic).filter(|bag| bag.contains("FaultOperation")).unwrap_or_default();
    if bag.is_empty() && user_properties.is_empty() {
        return None;
    }
    let fields = || of_bag(bag).chain(of_user(user_properties));
    let value = |name: &str| fields().find_map(|(key, value)| (key == name).then_some(value));
    let kind = value(TYPE)?;
    Some(FaultRequest {
        operation: FaultOperation::read(&kind).ok_or_else(|| shown(&kind)),
        delay: value(DELAY).and_then(|text| seconds(&text)).unwrap_or_default(),
        duration: value(DURATION).and_then(|text| seconds(&text)),
        reason: value(REASON).map(|text| shown(&text)),
    })
}

/// The property bag of a device-to-cloud topic. Some clients put a `?` before it, and some a `/` behind it.
fn bag(topic: &str) -> Option<&str> {
    let (_device, rest) = topic.strip_prefix("devices/")?.split_once('/')?;
    let own = rest
        .strip_prefix("modules/")
        .map_or(Some(rest), |of_module| of_module.split_once('/').map(|(_module, rest)| rest))?;
    let bag = own.strip_prefix("messages/events/")?;
    let bag = bag.strip_prefix('?').unwrap_or(bag);
    Some(bag.strip_suffix('/').unwrap_or(bag))
}

fn of_bag(bag: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    bag.split('&').filter_map(|field| {
        let (name, value) = field.split_once('=')?;
        Some((Cow::Owned(url::decode(name)?), Cow::Owned(url::decode(value)?)))
    })
}

fn of_user(properties: &[(String, String)]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    properties.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), Cow::Borrowed(value.as_str())))
}

fn seconds(text: &str) -> Option<Duration> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Digits that are too many for the type are more than a day, too.
    is_number.then(|| Duration::from_secs(text.parse().unwrap_or(LONGEST_SECS).min(LONGEST_SECS)))
}

fn shown(text: &str) -> String {
    printable(&text.chars().take(TEXT_CHARS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(operation: FaultOperation, delay: u64, duration: Option<u64>) -> FaultRequest {
        FaultRequest {
            operation: Ok(operation),
            delay: Duration::from_secs(delay),
            duration: duration.map(Duration::from_secs),
            reason: None,
        }
    }

    fn of_topic(topic: &str) -> Option<FaultRequest> {
        request(topic, &[])
    }

    #[test]
    fn a_command_is_read_from_the_property_bag() {
        let topic = "devices/d1/messages/events/%24.mid=7&AzIoTHub_FaultOperationType=KillTcp\
                     &AzIoTHub_FaultOperationCloseReason=byebye%20now&AzIoTHub_FaultOperationDelayInSecs=5\
                     &AzIoTHub_FaultOperationDurationInSecs=20";
        let expected =
            FaultRequest { reason: Some("byebye now".into()), ..asked(FaultOperation::KillTcp, 5, Some(20)) };
        assert_eq!(of_topic(topic), Some(expected.clone()));
        let of_module = topic.replace("d1/", "d1/modules/m/");
        assert_eq!(of_topic(&of_module), Some(expected));
    }

    #[test]
    fn names_may_be_encoded_and_come_in_any_order() {
        for bag in [
            "AzIoTHub_FaultOperationDelayInSecs=1&AzIoTHub_FaultOperationType=ShutDownMqtt",
            "AzIoTHub%5FFaultOperationType=ShutDownMqtt&AzIoTHub%5fFaultOperationDelayInSecs=1",
            "?AzIoTHub_FaultOperationType=ShutDownMqtt&AzIoTHub_FaultOperationDelayInSecs=1/",
            "x&%zz=1&=&AzIoTHub_FaultOperationType=ShutDownMqtt&AzIoTHub_FaultOperationDelayInSecs=1",
            "AzIoTHub_FaultOperationType=ShutDown%4Dqtt&AzIoTHub_FaultOperationDelayInSecs=1\
             &AzIoTHub_FaultOperationType=KillTcp&AzIoTHub_FaultOperationDelayInSecs=9",
        ] {
            let read = of_topic(&format!("devices/a/messages/events/{bag}"));
            assert_eq!(read, Some(asked(FaultOperation::ShutDownMqtt, 1, None)), "{bag}");
        }
    }

    #[test]
    fn what_is_no_command_is_none() {
        for topic in [
            "",
            "devices/a/messages/events/",
            "devices/a/messages/events/x=y",
            "devices/a/messages/events/AzIoTHub_FaultOperationType",
            "devices/a/messages/events/azIoTHub_FaultOperationType=KillTcp",
            "devices/a/messages/events/AzIoTHub_FaultOperationDelayInSecs=5",
            "devices/a/messages/devicebound/AzIoTHub_FaultOperationType=KillTcp",
            "devices/a/modules/messages/events/AzIoTHub_FaultOperationType=KillTcp",
            "things/a/messages/events/AzIoTHub_FaultOperationType=KillTcp",
        ] {
            assert_eq!(of_topic(topic), None, "{topic}");
        }
    }

    #[test]
    fn times_are_whole_seconds_of_a_day_at_most() {
        for (text, delay, duration) in [
            ("0", 0, Some(0)),
            ("007", 7, Some(7)),
            ("86400", 86_400, Some(86_400)),
            ("86401", 86_400, Some(86_400)),
            ("99999999999999999999999", 86_400, Some(86_400)),
            ("", 0, None),
            ("-1", 0, None),
            ("+1", 0, None),
            ("1.5", 0, None),
            ("soon", 0, None),
        ] {
            let topic =
                format!("devices/a/messages/events/{TYPE}=InvokeThrottling&{DELAY}={text}&{DURATION}={text}");
            let expected = asked(FaultOperation::InvokeThrottling, delay, duration);
            assert_eq!(of_topic(&topic), Some(expected), "{text}");
        }
    }

    #[test]
    fn types_of_amqp_are_told_as_they_stand() {
        for (kind, told) in [
            ("KillAmqpConnection", "KillAmqpConnection".to_owned()),
            ("killtcp", "killtcp".to_owned()),
            ("", String::new()),
            ("a%1Bb", "a\\u{1b}b".to_owned()),
            (&"x".repeat(101), "x".repeat(100)),
        ] {
            let read = of_topic(&format!("devices/a/messages/events/{TYPE}={kind}"));
            assert_eq!(read.map(|request| request.operation), Some(Err(told)), "{kind}");
        }
    }

    #[test]
    fn user_properties_say_the_same_whatever_the_topic() {
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let properties = [owned("x", "y"), owned(DELAY, "3"), owned(TYPE, "InvokeAuthError")];
        let expected = Some(asked(FaultOperation::InvokeAuthError, 3, None));
        assert_eq!(request("$iothub/telemetry", &properties), expected);
        assert_eq!(request("devices/a/messages/events/", &properties), expected);
        // They are not URL-encoded.
        let encoded = [owned(TYPE, "Kill%54cp")];
        let read = request("t", &encoded).map(|request| request.operation);
        assert_eq!(read, Some(Err("Kill%54cp".into())));
        // What the bag says comes first.
        let both = request("devices/a/messages/events/AzIoTHub_FaultOperationType=KillTcp", &properties);
        assert_eq!(both, Some(asked(FaultOperation::KillTcp, 3, None)));
    }

    #[test]
    fn each_operation_has_its_name() {
        for operation in FaultOperation::ALL {
            let topic = format!("devices/a/messages/events/{TYPE}={}", operation.name());
            assert_eq!(of_topic(&topic), Some(asked(operation, 0, None)));
        }
    }

    proptest! {
        #[test]
        fn no_topic_panics(topic in ".*", bag in "[ -~]*", value in ".*") {
            let _ = of_topic(&topic);
            let _ = of_topic(&format!("devices/a/messages/events/AzIoTHub_FaultOperationType={value}&{bag}"));
        }
    }
}
