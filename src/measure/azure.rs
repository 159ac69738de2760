//! As Azure IoT Hub would log it: the entry that its resource log would have for the end of a link, or for a connect that
//! was refused.
//!
//! Source: "Azure IoT Hub error codes" and "Troubleshoot 404104", Microsoft Learn. A hub logs what it saw: a link that it
//! never accepted has no entry, unless it refused it.

use super::cause::Cause;
use crate::azure::Code;
use crate::base::{RuleId, Side};
use crate::fault::{Fault, Toward};
use crate::profile::Plan;

/// MQTT 5 reason codes [section 2.4] that say which code is meant.
const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;
const SESSION_TAKEN_OVER: u8 = 0x8e;

/// What an entry is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `deviceConnect`; here always one that was refused.
    Connect,
    /// `deviceDisconnect`.
    Disconnect,
}

impl Operation {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Connect => "deviceConnect",
            Operation::Disconnect => "deviceDisconnect",
        }
    }
}

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// What it is of.
    pub operation: Operation,
    /// Its error; `None` for a disconnect without one, and for a refusal that no known code stands for.
    pub code: Option<Code>,
    /// Whether the code is only the nearest that is known.
    pub nearest: bool,
}

/// The end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub cause: Cause,
    /// Whether the hub had accepted it.
    pub accepted: bool,
    /// Whether the device's DISCONNECT never reached the hub.
    pub goodbye_lost: bool,
}

/// What the hub would log of this end, under this plan; `None` where it would log nothing.
pub fn code_of(end: End, plan: &Plan) -> Option<Entry> {
    let rule = end.cause.rule().and_then(|id| plan.rule(id));
    let code = |code| Some((Some(code), false));
    let told = match end.cause {
        Cause::Refused(returned) | Cause::RefusedBy(_, returned) => Some(refusal(returned)),
        Cause::TokenRefused(_) => code(Code::IotHubUnauthorized),
        // No connection came to the hub; what a rule says it stands for wins below.
        Cause::ConnectRefused(_) => None,
        _ if !end.accepted => return None,
        Cause::StillOpen | Cause::WithTheRun => return None,
        // Whether the hub had heard DISCONNECT before is not known.
        Cause::ClosedUnread(_) | Cause::ResetUnread(_) | Cause::ToldToEnd { clean: None } => return None,
        Cause::Disconnect(Side::Device)
        | Cause::DisconnectInError(_)
        | Cause::ToldToEnd { clean: Some(true) }
            if !end.goodbye_lost =>
        {
            Some((None, false))
        }
        Cause::TakenOver | Cause::TakenOverBy(_) => code(Code::ConnectionForcefullyClosedOnNewConnection),
        Cause::Injected(_) => Some(injected(rule.map(|rule| &rule.fault))),
        // Why the hub ended a link of its own accord is not told on the wire.
        Cause::Closed(Side::Hub)
        | Cause::Unnotified(Side::Hub)
        | Cause::TlsAlert(Side::Hub, _)
        | Cause::WsClosed(Side::Hub, _)
        | Cause::TlsFailed(Side::Hub)
        | Cause::Reset(Side::Hub)
        | Cause::Disconnect(Side::Hub)
        | Cause::HubUnavailable => Some((Some(Code::DeviceConnectionClosedRemotely), true)),
        Cause::Disconnect(Side::Device)
        | Cause::DisconnectInError(_)
        | Cause::Closed(Side::Device)
        | Cause::Unnotified(Side::Device)
        | Cause::TlsAlert(Side::Device, _)
        | Cause::WsClosed(Side::Device, _)
        | Cause::TlsFailed(Side::Device)
        | Cause::Reset(Side::Device)
        | Cause::ToldToEnd { clean: Some(_) }
        | Cause::While(_)
        | Cause::KeepAliveTimeout
        | Cause::TokenOver
        | Cause::TokenExpired(_) => code(Code::DeviceConnectionClosedRemotely),
    };
    let operation = if end.cause.is_refusal() { Operation::Connect } else { Operation::Disconnect };
    match (rule.filter(|_| end.cause.is_by_its_rule()).and_then(|rule| rule.logged_as), told) {
        (Some(wanted), _) => Some(Entry { operation, code: Some(wanted), nearest: false }),
        (None, told) => told.map(|(code, nearest)| Entry { operation, code, nearest }),
    }
}

/// The code for a CONNACK with this return code or reason code: the two lists do not overlap.
fn refusal(returned: u8) -> (Option<Code>, bool) {
    match returned {
        5 | 0x87 => (Some(Code::IotHubUnauthorized), false),
        // Bad user name or password: to this hub, not authorized.
        4 | 0x86 => (Some(Code::IotHubUnauthorized), true),
        3 | 0x88 | 0x89 => (Some(Code::ServerError), true),
        0x96 | 0x97 | 0x9f => (Some(Code::ThrottlingException), false),
        _ => (None, false),
    }
}

/// The code for a link that a fault ended.
fn injected(fault: Option<&Fault>) -> (Option<Code>, bool) {
    let closed = (Some(Code::DeviceConnectionClosedRemotely), false);
    let Some(Fault::Disconnect(disconnect)) = fault else { return closed };
    // A DISCONNECT of the device's, as far as the hub can see.
    let goodbye = (None, false);
    match disconnect.reason {
        _ if disconnect.toward == Toward::Hub => goodbye,
        SESSION_TAKEN_OVER => (Some(Code::ConnectionForcefullyClosedOnNewConnection), false),
        KEEP_ALIVE_TIMEOUT => closed,
        0..0x80 if disconnect.toward == Toward::Both => goodbye,
        // Where the device is told a reason of the hub's, the hub has it too.
        reason => match refusal(reason) {
            (Some(code), nearest) => (Some(code), nearest),
            (None, _) if disconnect.toward == Toward::Both => goodbye,
            (None, _) => closed,
        },
    }
}

impl Cause {
    /// The rule that had a part in it.
    pub fn rule(self) -> Option<RuleId> {
        match self {
            Cause::Injected(rule) => rule,
            Cause::TakenOverBy(rule)
            | Cause::TokenExpired(rule)
            | Cause::TokenRefused(rule)
            | Cause::RefusedBy(rule, _)
            | Cause::ConnectRefused(rule)
            | Cause::While(rule) => Some(rule),
            Cause::StillOpen
            | Cause::Disconnect(_)
            | Cause::DisconnectInError(_)
            | Cause::Closed(_)
            | Cause::Unnotified(_)
            | Cause::TlsAlert(_, _)
            | Cause::WsClosed(_, _)
            | Cause::TlsFailed(_)
            | Cause::Reset(_)
            | Cause::ClosedUnread(_)
            | Cause::ResetUnread(_)
            | Cause::KeepAliveTimeout
            | Cause::TakenOver
            | Cause::TokenOver
            | Cause::Refused(_)
            | Cause::HubUnavailable
            | Cause::ToldToEnd { .. }
            | Cause::WithTheRun => None,
        }
    }

    /// Whether a CONNECT, or a connect, was refused.
    pub fn is_refusal(self) -> bool {
        matches!(
            self,
            Cause::Refused(_) | Cause::RefusedBy(_, _) | Cause::TokenRefused(_) | Cause::ConnectRefused(_)
        )
    }

    /// Whether its rule ended it, or made the hub end it: what only happened while a rule held is not its doing.
    fn is_by_its_rule(self) -> bool {
        self.rule().is_some() && !matches!(self, Cause::While(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Disconnect, LegFate};
    use crate::measure::story::{plan, rst};

    /// The reason that a rule without one has.
    const SERVER_SHUTTING_DOWN: u8 = 0x8b;

    fn disconnect(toward: Toward, reason: u8) -> Fault {
        Fault::Disconnect(Disconnect { toward, reason, other: LegFate::Close })
    }

    fn plans() -> Plan {
        let mut plan = plan(vec![
            ("reset", rst(Toward::Both, LegFate::Reset)),
            ("drill", rst(Toward::Both, LegFate::Reset)),
            ("other", disconnect(Toward::Device, SESSION_TAKEN_OVER)),
            ("bye", disconnect(Toward::Hub, 0)),
            ("quota", disconnect(Toward::Both, 0x97)),
            ("left", disconnect(Toward::Hub, SERVER_SHUTTING_DOWN)),
            ("both", disconnect(Toward::Both, SERVER_SHUTTING_DOWN)),
            ("restart", disconnect(Toward::Device, SERVER_SHUTTING_DOWN)),
        ]);
        plan.rules[1].logged_as = Some(Code::ConnectionForcefullyClosedOnFaultInjection);
        plan
    }

    fn told(cause: Cause) -> Option<(Operation, Option<u32>, bool)> {
        let entry = code_of(End { cause, accepted: true, goodbye_lost: false }, &plans())?;
        Some((entry.operation, entry.code.map(Code::number), entry.nearest))
    }

    #[test]
    fn each_end_has_its_code() {
        use Operation::{Connect, Disconnect};
        for (cause, expected) in [
            (Cause::Disconnect(Side::Device), Some((Disconnect, None, false))),
            (Cause::ToldToEnd { clean: Some(true) }, Some((Disconnect, None, false))),
            (Cause::ToldToEnd { clean: Some(false) }, Some((Disconnect, Some(404_104), false))),
            (Cause::ToldToEnd { clean: None }, None),
            (Cause::ClosedUnread(Side::Device), None),
            (Cause::ResetUnread(Side::Hub), None),
            (Cause::Closed(Side::Device), Some((Disconnect, Some(404_104), false))),
            (Cause::Reset(Side::Device), Some((Disconnect, Some(404_104), false))),
            (Cause::KeepAliveTimeout, Some((Disconnect, Some(404_104), false))),
            (Cause::Closed(Side::Hub), Some((Disconnect, Some(404_104), true))),
            (Cause::TokenExpired(RuleId(0)), Some((Disconnect, Some(404_104), false))),
            (Cause::TokenRefused(RuleId(0)), Some((Connect, Some(401_003), false))),
            (Cause::TakenOver, Some((Disconnect, Some(400_027), false))),
            (Cause::TakenOverBy(RuleId(0)), Some((Disconnect, Some(400_027), false))),
            (Cause::Refused(5), Some((Connect, Some(401_003), false))),
            (Cause::Refused(0x87), Some((Connect, Some(401_003), false))),
            (Cause::Refused(3), Some((Connect, Some(500_001), true))),
            (Cause::RefusedBy(RuleId(0), 0x88), Some((Connect, Some(500_001), true))),
            (Cause::RefusedBy(RuleId(0), 0x97), Some((Connect, Some(429_001), false))),
            (Cause::Refused(2), Some((Connect, None, false))),
            (Cause::Injected(Some(RuleId(0))), Some((Disconnect, Some(404_104), false))),
            (Cause::Injected(Some(RuleId(1))), Some((Disconnect, Some(400_029), false))),
            (Cause::Injected(Some(RuleId(2))), Some((Disconnect, Some(400_027), false))),
            (Cause::Injected(Some(RuleId(3))), Some((Disconnect, None, false))),
            (Cause::Injected(Some(RuleId(4))), Some((Disconnect, Some(429_001), false))),
            (Cause::Injected(Some(RuleId(5))), Some((Disconnect, None, false))),
            (Cause::Injected(Some(RuleId(6))), Some((Disconnect, None, false))),
            (Cause::Injected(Some(RuleId(7))), Some((Disconnect, Some(404_104), false))),
            // The hub hears nothing of a connect that is refused before it, unless the rule stands for the hub.
            (Cause::ConnectRefused(RuleId(0)), None),
            (Cause::ConnectRefused(RuleId(1)), Some((Connect, Some(400_029), false))),
            // What a device did of itself while a rule held is not that rule's.
            (Cause::While(RuleId(1)), Some((Disconnect, Some(404_104), false))),
            (Cause::StillOpen, None),
            (Cause::WithTheRun, None),
        ] {
            assert_eq!(told(cause), expected, "{cause}");
        }
    }

    #[test]
    fn a_link_that_was_never_accepted_has_no_entry_and_a_lost_goodbye_is_none() {
        let of = |cause, accepted, goodbye_lost| code_of(End { cause, accepted, goodbye_lost }, &plans());
        assert_eq!(of(Cause::Closed(Side::Device), false, false), None);
        assert_eq!(of(Cause::HubUnavailable, false, false), None);
        assert!(of(Cause::Refused(5), false, false).is_some());
        let lost = of(Cause::Disconnect(Side::Device), true, true).unwrap();
        assert_eq!(lost.code, Some(Code::DeviceConnectionClosedRemotely));
    }
}
