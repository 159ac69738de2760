//! Fault-injection messages: devices that ask for a fault.
//!
//! Such a message is a PUBLISH from a device whose name matches the plan's glob. It goes no further: brownout acknowledges it
//! in the hub's place, and the rules that wait for what it asks fire on that device alone, after the delay that it names and
//! for as long as it says. From any other device the same message is one like all others.

use super::machine::{Engine, Timer};
use super::packets::Arrival;
use crate::azure::{FaultOperation, FaultRequest};
use crate::base::{DeviceId, Direction, LinkId, RuleId, text, time};
use crate::event::What;
use crate::mqtt::PacketKind;
use crate::profile::When;

/// How many firings that one device asked for may wait for their time: more than any test asks for at once, and a bound for
/// one that asks without end.
const MOST_WAITING: usize = 64;

impl Engine {
    /// Whether the packet is a command that is honoured.
    pub(super) fn is_command(&self, arrival: &Arrival<'_>) -> bool {
        let Some(glob) = self.plan.fault_messages.as_ref().filter(|_| arrival.request.is_some()) else {
            return false;
        };
        arrival.direction == Direction::Up
            && arrival.packet.kind() == Some(PacketKind::Publish)
            && self.sessions.device_of(arrival.link).is_some_and(|device| text::glob(glob, &device.name))
    }

    /// A command came, and is swallowed: says so, and does what it asks.
    pub(super) fn command(&mut self, link: LinkId, packet_seq: u64, request: &FaultRequest) {
        let Some(device) = self.sessions.device_of(link).map(|device| device.id) else { return };
        let rules = self.rules_asked(request);
        let ignored = match &request.operation {
            Err(_) => Some("it means nothing over MQTT".to_owned()),
            Ok(_) if rules.is_empty() => Some("no rule of the plan answers it".to_owned()),
            Ok(_) if self.waiting(device) >= MOST_WAITING => {
                Some(format!("{MOST_WAITING} faults that this device asked for wait already"))
            }
            Ok(_) => None,
        };
        let fires = ignored.is_none();
        self.emit(What::FaultMessage {
            link,
            packet_seq,
            operation: match &request.operation {
                Ok(operation) => name(*operation).to_owned(),
                Err(operation) => text::printable(operation),
            },
            delay_ns: time::nanos(request.delay),
            duration_ns: request.duration.map(time::nanos),
            ignored,
        });
        if fires {
            let at = self.now() + request.delay;
            for rule in rules {
                self.set_timer(at, Timer::FireAsked { rule, device, hold: request.duration });
            }
        }
    }

    fn rules_asked(&self, request: &FaultRequest) -> Vec<RuleId> {
        let Ok(asked) = request.operation else { return Vec::new() };
        let answers = |when: &When| matches!(when, When::Asked(operation) if *operation == asked);
        self.plan.rules().filter(|(_, rule)| answers(&rule.when)).map(|(id, _)| id).collect()
    }

    fn waiting(&self, of: DeviceId) -> usize {
        let is_its = |timer: &&Timer| matches!(timer, Timer::FireAsked { device, .. } if *device == of);
        self.timers.values().filter(is_its).count()
    }
}

/// Its name in a message.
fn name(operation: FaultOperation) -> &'static str {
    match operation {
        FaultOperation::KillTcp => "KillTcp",
        FaultOperation::ShutDownMqtt => "ShutDownMqtt",
        FaultOperation::InvokeThrottling => "InvokeThrottling",
        FaultOperation::InvokeMaxMessageQuota => "InvokeMaxMessageQuota",
        FaultOperation::InvokeAuthError => "InvokeAuthError",
    }
}
