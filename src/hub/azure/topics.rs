//! The topics of Azure IoT Hub: it is no broker, and takes no others.

/// The filter that brings answers about the twin.
pub(super) const TWIN_ANSWERS: &str = "$iothub/twin/res/#";

/// What a device may subscribe to besides its own messages.
const FILTERS: [&str; 3] =
    [TWIN_ANSWERS, "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#"];

/// What a device publishes, by its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent<'a> {
    /// A message for the back end.
    Telemetry,
    /// It asks for its twin.
    TwinGet {
        /// The request identifier.
        rid: &'a str,
    },
    /// It reports properties.
    TwinPatch {
        /// The request identifier.
        rid: &'a str,
    },
    /// It answers a method.
    MethodAnswer,
}

/// Whether this device may subscribe to this filter.
pub(in crate::hub) fn may_subscribe(filter: &str, device: &str) -> bool {
    let own = filter.strip_prefix("devices/").and_then(|rest| rest.strip_prefix(device));
    FILTERS.contains(&filter) || own == Some("/messages/devicebound/#")
}

/// What this device says by this topic; `None` for one that the hub does not have.
pub(super) fn sent<'a>(topic: &'a str, device: &str) -> Option<Sent<'a>> {
    if let Some(own) = topic.strip_prefix("devices/").and_then(|rest| rest.strip_prefix(device)) {
        let bag = own.strip_prefix("/messages/events")?;
        return (bag.is_empty() || bag.starts_with('/')).then_some(Sent::Telemetry);
    }
    let rest = topic.strip_prefix("$iothub/")?;
    if let Some(query) = rest.strip_prefix("twin/GET/?") {
        return Some(Sent::TwinGet { rid: request(query)? });
    }
    if let Some(query) = rest.strip_prefix("twin/PATCH/properties/reported/?") {
        return Some(Sent::TwinPatch { rid: request(query)? });
    }
    let (status, query) = rest.strip_prefix("methods/res/")?.split_once("/?")?;
    request(query).filter(|_| status.parse::<i32>().is_ok()).map(|_| Sent::MethodAnswer)
}

fn request(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("$rid=")).filter(|rid| !rid.is_empty())
}
