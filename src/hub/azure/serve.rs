//! What the hub does where it plays Azure IoT Hub.

use super::topics::{self, Sent, TWIN_ANSWERS};
use crate::azure::Code;
use crate::base::Time;
use crate::hub::connect::Refusal;
use crate::hub::io::ConnId;
use crate::hub::machine::Hub;
use crate::hub::message::{Delivery, Message};
use crate::hub::session::SessionId;
use crate::mqtt::packet::{Ack, Connect, Publish, reason};
use crate::mqtt::{Packet, QoS, Version};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The answer to a twin request: its status, what follows the request identifier in the topic, and the body.
struct Answer<'a> {
    status: u16,
    rid: &'a str,
    version: Option<u64>,
    body: String,
}

impl Hub {
    /// Whether the device may come in, and until when if not for ever. A hub that does not play Azure lets all in.
    pub(in crate::hub) fn admit(&self, conn: ConnId, connect: &Connect) -> Result<Option<Time>, Refusal> {
        let Some(azure) = &self.config.azure else { return Ok(None) };
        match connect.version {
            Version::V311 => {}
            Version::V31 | Version::V5 => {
                return Err(Refusal {
                    v3: reason::v3::UNACCEPTABLE_PROTOCOL,
                    v5: reason::UNSUPPORTED_PROTOCOL_VERSION,
                    text: format!("MQTT {}; the hub speaks 3.1.1", connect.version),
                    code: None,
                });
            }
        }
        let certified = self.links.get(&conn).is_some_and(|link| link.certified);
        azure.admit(connect, certified, self.now).map_err(|text| Refusal {
            v3: reason::v3::NOT_AUTHORIZED,
            v5: reason::NOT_AUTHORIZED,
            text,
            code: Some(Code::IotHubUnauthorized),
        })
    }

    /// PUBLISH from a device: QoS 2 and topics that the hub does not have close the connection. RETAIN is taken and
    /// nothing is retained (the back end gets the message with `mqtt-retain`).
    pub(in crate::hub) fn azure_publish(&mut self, conn: ConnId, session: SessionId, publish: &Publish) {
        let Some(device) = self.sessions.get(session).map(|session| session.client_id.clone()) else {
            return;
        };
        let Some(sent) = topics::sent(&publish.topic, &device) else {
            let text = format!("PUBLISH to `{}`, which is no topic of this device", publish.topic);
            return self.fail(conn, reason::TOPIC_NAME_INVALID, text);
        };
        match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, _) => {
                let text = "PUBLISH with QoS 2, which the hub does not take";
                return self.fail(conn, reason::QOS_NOT_SUPPORTED, text.into());
            }
            (QoS::AtLeastOnce, Some(id)) => self.send(conn, &Packet::Puback(Ack::success(id))),
            (QoS::AtMostOnce, _) | (QoS::AtLeastOnce, None) => {}
        }
        match sent {
            Sent::Telemetry | Sent::MethodAnswer => {}
            Sent::TwinGet { rid } => {
                let version = self.sessions.get(session).map_or(1, |session| session.reported);
                let body = format!(r#"{{"desired":{{"$version":1}},"reported":{{"$version":{version}}}}}"#);
                self.answer(session, &Answer { status: 200, rid, version: None, body });
            }
            Sent::TwinPatch { rid } => self.patch(session, rid, &publish.payload),
        }
    }

    /// Reported properties: counted, not kept.
    fn patch(&mut self, id: SessionId, rid: &str, body: &[u8]) {
        let is_object = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(body).is_ok();
        let version = self.sessions.get_mut(id).filter(|_| is_object).map(|session| {
            session.reported = session.reported.saturating_add(1);
            session.reported
        });
        let status = if is_object { 204 } else { 400 };
        self.answer(id, &Answer { status, rid, version, body: String::new() });
    }

    /// Answers the device that asked, if it has subscribed to answers, with QoS 0.
    fn answer(&mut self, id: SessionId, answer: &Answer<'_>) {
        if !self.sessions.get(id).is_some_and(|session| session.filters.contains(TWIN_ANSWERS)) {
            return;
        }
        let version = answer.version.map(|version| format!("&$version={version}")).unwrap_or_default();
        let topic = format!("$iothub/twin/res/{}/?$rid={}{version}", answer.status, answer.rid);
        let publish = Publish { topic, payload: answer.body.clone().into_bytes(), ..Publish::default() };
        let message = Arc::new(Message { publish, expires: None });
        self.deliver(id, Delivery { message, qos: QoS::AtMostOnce, retain: false, identifiers: Vec::new() });
    }
}
