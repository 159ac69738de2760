//! What is said to an end before a fault's FIN.

use super::Link;
use super::own::in_frame;
use crate::base::Side;
use crate::fault::LegFate;
use crate::mqtt::packet::{Connack, Disconnect};
use crate::mqtt::property::Properties;
use crate::mqtt::{Packet, Version, encode};
use crate::net::pump::Inlet;

impl Link {
    /// What a leg can be brought to, and the packet that is said for it. Where the packet cannot be said, that is FIN alone:
    /// amid another packet, in what is not MQTT, and where the version does not have it.
    pub(super) fn last_words(&self, side: Side, fate: LegFate) -> (LegFate, Vec<u8>) {
        let said = match fate {
            LegFate::Rejected(_) | LegFate::Disconnected(_) => self.words(side, fate),
            LegFate::Reset
            | LegFate::Close
            | LegFate::Unnotified
            | LegFate::Alert(_)
            | LegFate::Truncated
            | LegFate::HalfOpen
            | LegFate::ResetWhenSends => return (fate, Vec::new()),
        };
        said.unwrap_or((LegFate::Close, Vec::new()))
    }

    fn words(&self, side: Side, fate: LegFate) -> Option<(LegFate, Vec<u8>)> {
        let version = self.version.filter(|_| self.is_between_packets(side))?;
        let v5 = version == Version::V5;
        // No DISCONNECT goes before CONNECT, nor, to a device, before CONNACK [MQTT-3.14.0-1].
        let greeted = self.meter.last(side).to.is_some();
        let (fate, packet) = match (fate, side) {
            (LegFate::Rejected(code), Side::Device) => {
                let code = if v5 { code.reason_code } else { code.return_code };
                let connack = Connack { session_present: false, code, properties: Properties::NONE };
                (fate, Packet::Connack(connack))
            }
            (LegFate::Disconnected(reason), Side::Device | Side::Hub) if greeted && v5 => {
                (fate, Packet::Disconnect(Disconnect::because(reason)))
            }
            // Before MQTT 5, only devices say it, and give no reason.
            (LegFate::Disconnected(_), Side::Hub) if greeted => {
                (LegFate::Disconnected(0), Packet::Disconnect(Disconnect::default()))
            }
            (_, Side::Device | Side::Hub) => return None,
        };
        let mut bytes = Vec::new();
        encode(&packet, version, &mut bytes).ok()?;
        let direction = side.other().sends();
        if matches!(self.pumps.get(direction).inlet, Inlet::WebSocket(_)) {
            bytes = in_frame(direction, &bytes);
        }
        Some((fate, bytes))
    }

    /// Whether what was sent to this end ends with a packet.
    fn is_between_packets(&self, side: Side) -> bool {
        let pump = self.pumps.get(side.other().sends());
        pump.theatre.is_some()
            && !pump.amid
            && match &pump.inlet {
                Inlet::Mqtt(framer) => !framer.is_opaque(),
                Inlet::WebSocket(socket) => !socket.walker.is_opaque() && !socket.framer.is_opaque(),
                Inlet::Records(_) => false,
            }
    }
}
