//! SUBSCRIBE and UNSUBSCRIBE.
//!
//! `$share/name/filter` is a shared subscription in every version, as mosquitto and EMQX have it; MQTT 5 alone asks for
//! it (section 4.8.2).

use super::azure;
use super::config::MAX_LEVELS;
use super::io::ConnId;
use super::machine::Hub;
use super::message::Delivery;
use super::session::SessionId;
use super::topics::Wish;
use crate::mqtt::packet::{Suback, Subscribe, Subscription, Unsubscribe, reason};
use crate::mqtt::topic::Shared;
use crate::mqtt::{Packet, Properties, QoS, Version};

/// Retain Handling (section 3.8.3.1): whether a subscription brings retained messages.
mod retain_handling {
    pub const IF_NEW: u8 = 1;
    pub const NEVER: u8 = 2;
}

impl Hub {
    /// SUBACK first, then the retained messages, in the request's order [MQTT-3.8.4-1, MQTT-3.8.4-5].
    pub(super) fn subscribe(&mut self, conn: ConnId, session: SessionId, subscribe: Subscribe) {
        let identifier = subscribe.properties.subscription_identifier();
        let mut codes = Vec::new();
        let mut retained = Vec::new();
        for subscription in &subscribe.filters {
            let subscription = &self.granted(subscription);
            match self.add(session, subscription, identifier) {
                Ok(was_there) => {
                    codes.push(subscription.qos.number());
                    retained.extend(wants_retained(subscription, was_there).then(|| subscription.clone()));
                }
                Err(code) => codes.push(self.failure(conn, code)),
            }
        }
        let packet_id = subscribe.packet_id;
        self.send(conn, &Packet::Suback(Suback { packet_id, properties: Properties::NONE, codes }));
        for subscription in retained {
            self.send_retained(session, &subscription, identifier);
        }
    }

    /// What is granted of what is asked for: of Azure IoT Hub QoS 1 at most.
    fn granted(&self, wanted: &Subscription) -> Subscription {
        let most = if self.config.azure.is_some() { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        Subscription { qos: wanted.qos.min(most), ..wanted.clone() }
    }

    /// Adds or replaces a subscription [MQTT-3.8.4-3]; says whether it was there, or MQTT 5's reason against it.
    fn add(&mut self, id: SessionId, wanted: &Subscription, identifier: Option<u32>) -> Result<bool, u8> {
        let session = self.sessions.get_mut(id).ok_or(reason::UNSPECIFIED_ERROR)?;
        if wanted.filter.split('/').count() > MAX_LEVELS {
            return Err(reason::TOPIC_FILTER_INVALID);
        }
        if self.config.azure.is_some() && !azure::may_subscribe(&wanted.filter, &session.client_id) {
            return Err(reason::TOPIC_FILTER_INVALID);
        }
        let was_there = session.filters.contains(&wanted.filter);
        if !was_there && session.filters.len() >= self.config.max_subscriptions {
            return Err(reason::QUOTA_EXCEEDED);
        }
        session.filters.insert(wanted.filter.clone());
        self.topics.insert(&wanted.filter, id, wish(wanted, identifier));
        Ok(was_there)
    }

    /// The failure code that the device's version knows [MQTT-3.9.3-2].
    fn failure(&self, conn: ConnId, code: u8) -> u8 {
        match self.links.get(&conn).map(|link| link.version) {
            Some(Version::V5) => code,
            Some(Version::V31 | Version::V311) | None => reason::v3::SUBSCRIBE_FAILURE,
        }
    }

    /// Retained messages go out with RETAIN 1 [MQTT-3.3.1-8].
    fn send_retained(&mut self, session: SessionId, wanted: &Subscription, identifier: Option<u32>) {
        for message in self.retained.matching(&wanted.filter, self.now) {
            let qos = wanted.qos.min(message.publish.qos);
            let identifiers = identifier.into_iter().collect();
            self.deliver(session, Delivery { message, qos, retain: true, identifiers });
        }
    }

    /// [MQTT-3.10.4-4, MQTT-3.10.4-5]: always answered, whether the filters were there or not.
    pub(super) fn unsubscribe(&mut self, conn: ConnId, id: SessionId, unsubscribe: &Unsubscribe) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let mut codes = Vec::new();
        for filter in &unsubscribe.filters {
            let was_there = session.filters.remove(filter);
            self.topics.remove(filter, id);
            codes.push(if was_there { reason::SUCCESS } else { reason::NO_SUBSCRIPTION_EXISTED });
        }
        let packet_id = unsubscribe.packet_id;
        self.send(conn, &Packet::Unsuback(Suback { packet_id, properties: Properties::NONE, codes }));
    }
}

fn wish(wanted: &Subscription, identifier: Option<u32>) -> Wish {
    Wish {
        qos: wanted.qos,
        no_local: wanted.no_local,
        retain_as_published: wanted.retain_as_published,
        identifier,
    }
}

/// A shared subscription brings none (section 4.8.2); before MQTT 5 retain handling is 0: always
/// [MQTT-3.3.1-6; MQTT-3.3.1-9 to 11 in 5].
fn wants_retained(wanted: &Subscription, was_there: bool) -> bool {
    let by_handling = match wanted.retain_handling {
        retain_handling::IF_NEW => !was_there,
        retain_handling::NEVER => false,
        _ => true,
    };
    by_handling && Shared::parse(&wanted.filter).is_none()
}
