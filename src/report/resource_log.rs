//! What the resource log of Azure IoT Hub would say of a run: its category Connections, a line of JSON each.
//!
//! ```text
//! CONNACK that accepts ──▶ deviceConnect, Information
//! CONNACK that refuses ──▶ deviceConnect, Error, 401003 ...
//! a link's end         ──▶ deviceDisconnect, Information or Error, 404104, 400027 ...
//! ```
//!
//! Source of the schema: "Monitoring Azure IoT Hub data reference", Microsoft Learn. `resourceId` and `location` are
//! placeholders: brownout does not know them. Not told of are links on which no CONNECT was seen, links that ended with the
//! run, and the other client of a `takeover` fault. A line is told once its cause is known, and at the latest when both legs
//! are gone: most lines, not all, are in the order of time.

use crate::azure::{Code, url};
use crate::base::{Direction, LinkId, Side, Time};
use crate::event::{Event, Packet, What};
use crate::measure::azure::{Operation, code_of};
use crate::measure::{Ended, Measures};
use crate::profile::Plan;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// In the place of a hub's resource identifier.
pub const RESOURCE_ID: &str =
    "/SUBSCRIPTIONS/BROWNOUT/RESOURCEGROUPS/BROWNOUT/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/BROWNOUT";

/// In the place of a hub's region.
pub const LOCATION: &str = "brownout";

/// The fold: events in, lines out.
#[derive(Clone, Debug)]
pub struct ResourceLog {
    plan: Plan,
    /// The wall clock at the beginning of the run, where the first event says it.
    began: Option<Timestamp>,
    /// The number of the first event that is told of; what is before stands in earlier parts of the log.
    first: u64,
    /// Links that are not told of to the end.
    links: BTreeMap<LinkId, Client>,
    /// Links that are over, by the link whose CONNACK tells why.
    waiting: BTreeMap<LinkId, Vec<LinkId>>,
    /// Links that the hub ended, perhaps for the other client of a `takeover` fault, in the order of their ends: the hub's
    /// answer to that tells, and after a moment that there is none.
    contested: VecDeque<LinkId>,
}

/// What the log says of a client.
#[derive(Clone, Debug, Default)]
struct Client {
    peer: String,
    /// The client identifier of its CONNECT; `None` before that.
    id: Option<String>,
    sdk: String,
    is_web_socket: bool,
    has_token: bool,
    has_certificate: bool,
}

impl ResourceLog {
    /// Of a run of this plan.
    pub fn new(plan: &Plan) -> ResourceLog {
        ResourceLog {
            plan: plan.clone(),
            began: None,
            first: 0,
            links: BTreeMap::new(),
            waiting: BTreeMap::new(),
            contested: VecDeque::new(),
        }
    }

    /// Takes in one event, that `measures` has taken in already; answers with the lines that are known now.
    pub fn push(&mut self, event: &Event, measures: &Measures) -> Vec<String> {
        let mut lines = self.decided(event.at, measures);
        lines.extend(self.take_in(event, measures));
        if event.seq < self.first { Vec::new() } else { lines }
    }

    fn take_in(&mut self, event: &Event, measures: &Measures) -> Vec<String> {
        match &event.what {
            What::RunStarted(start) => {
                (self.began, self.first) = (start.wall_clock.parse().ok(), event.seq);
            }
            What::LinkOpened { link, peer, .. } => {
                self.links.insert(*link, Client { peer: peer.clone(), ..Client::default() });
            }
            What::WsUpgraded { link, .. } => self.on(*link, |client| client.is_web_socket = true),
            What::TlsEstablished { link, side: Side::Device, up } => {
                self.on(*link, |client| client.has_certificate = up.subject.is_some());
            }
            // What a fault makes of a CONNACK stands for what the hub would have said.
            What::Packet { link, direction, packet, passed, .. } => {
                let said = passed.as_deref().unwrap_or(packet);
                return self.packet(event.at, *link, *direction, said, measures);
            }
            // The hub logs it then, however long the device's leg is left.
            What::LegEnded { link, side: Side::Hub, .. } | What::EndCarried { link, to: Side::Hub, .. } => {
                return self.over(event.at, *link, measures);
            }
            What::LinkClosed { link, .. } => {
                let mut lines = self.over(event.at, *link, measures);
                lines.extend(self.settle(event.at, *link, measures));
                return lines;
            }
            What::RunEnded { .. } => {
                let contested = std::mem::take(&mut self.contested);
                let rest = std::mem::take(&mut self.waiting).into_values().flatten().chain(contested);
                let rest: Vec<LinkId> = rest.collect();
                return rest.into_iter().filter_map(|link| self.told(link, measures)).collect();
            }
            _ => {}
        }
        Vec::new()
    }

    fn on(&mut self, link: LinkId, change: impl FnOnce(&mut Client)) {
        if let Some(client) = self.links.get_mut(&link) {
            change(client);
        }
    }

    fn packet(
        &mut self,
        at: Time,
        link: LinkId,
        direction: Direction,
        packet: &Packet,
        measures: &Measures,
    ) -> Vec<String> {
        match (direction, packet) {
            (Direction::Up, Packet::Connect { client_id, username, token_expiry, .. }) => {
                self.on(link, |client| {
                    client.id = Some(client_id.clone());
                    client.sdk = username.as_deref().and_then(sdk_version).unwrap_or_default();
                    client.has_token = token_expiry.is_some();
                });
                Vec::new()
            }
            (Direction::Down, Packet::Connack { code, assigned_client_id, .. }) => {
                self.on(link, |client| {
                    if let Some(assigned) = assigned_client_id {
                        client.id = Some(assigned.clone());
                    }
                });
                let connected = (*code == 0).then(|| self.line(at, link, Operation::Connect, None)).flatten();
                self.settle(at, link, measures).into_iter().chain(connected).collect()
            }
            (Direction::Up | Direction::Down, _) => Vec::new(),
        }
    }

    /// A link is over: its line, unless the answer to the device's next CONNECT is needed for it.
    fn over(&mut self, now: Time, link: LinkId, measures: &Measures) -> Vec<String> {
        if measures.is_contested(link, now) {
            self.contested.push_back(link);
            return Vec::new();
        }
        match measures.awaited_by(link) {
            Some(newer) => {
                self.waiting.entry(newer).or_default().push(link);
                Vec::new()
            }
            None => self.told(link, measures).into_iter().collect(),
        }
    }

    /// The lines of the links of which it is known by now whether another client took them. The oldest is looked at alone:
    /// thousands may end in the second for which it can be open.
    fn decided(&mut self, now: Time, measures: &Measures) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(link) =
            self.contested.front().filter(|link| !measures.is_contested(**link, now)).copied()
        {
            self.contested.pop_front();
            lines.extend(self.over(now, link, measures));
        }
        lines
    }

    /// The lines of the links that waited for this one.
    fn settle(&mut self, now: Time, newer: LinkId, measures: &Measures) -> Vec<String> {
        let waited = self.waiting.remove(&newer).unwrap_or_default();
        waited.into_iter().flat_map(|link| self.over(now, link, measures)).collect()
    }

    /// The last line of a link.
    fn told(&mut self, link: LinkId, measures: &Measures) -> Option<String> {
        let told = measures.ended(link).and_then(|Ended { at, end }| {
            let entry = code_of(end, &self.plan)?;
            let failed = entry.operation == Operation::Connect || entry.code.is_some();
            self.line(at, link, entry.operation, failed.then_some(entry.code))
        });
        self.links.remove(&link);
        told
    }

    /// `error`: `Some(None)` is one that no known code stands for.
    fn line(
        &self,
        at: Time,
        link: LinkId,
        operation: Operation,
        error: Option<Option<Code>>,
    ) -> Option<String> {
        let client = self.links.get(&link)?;
        let properties = serde_json::to_string(&client.properties()?).ok()?;
        let code = error.flatten();
        let line = Line {
            time: self.began.and_then(|began| time(began, at)),
            resource_id: RESOURCE_ID,
            operation_name: operation.name(),
            category: "Connections",
            level: if error.is_some() { "Error" } else { "Information" },
            result_type: code.map(|code| code.number().to_string()),
            result_description: code.map(Code::name),
            properties,
            location: LOCATION,
        };
        serde_json::to_string(&line).ok()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    resource_id: &'static str,
    operation_name: &'static str,
    category: &'static str,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_description: Option<&'static str>,
    /// JSON as a string, as the hub has it.
    properties: String,
    location: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    device_id: &'a str,
    sdk_version: &'a str,
    protocol: &'static str,
    /// JSON as a string once more.
    auth_type: String,
    masked_ip_address: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthType {
    scope: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    issuer: &'static str,
    accepting_ip_filter_rule: Option<&'static str>,
}

impl Client {
    /// `None` before its CONNECT.
    fn properties(&self) -> Option<Properties<'_>> {
        Some(Properties {
            device_id: self.id.as_deref()?,
            sdk_version: &self.sdk,
            protocol: if self.is_web_socket { "MqttWs" } else { "Mqtt" },
            auth_type: serde_json::to_string(&self.auth()).ok()?,
            masked_ip_address: masked(&self.peer),
        })
    }

    /// A token comes before a certificate, as in the hub.
    fn auth(&self) -> AuthType {
        let (kind, issuer) = match (self.has_token, self.has_certificate) {
            (true, _) => ("sas", "iothub"),
            (false, true) => ("x509Certificate", "external"),
            (false, false) => ("none", "none"),
        };
        AuthType { scope: "device", kind, issuer, accepting_ip_filter_rule: None }
    }
}

/// A time of the run by the wall clock, RFC 3339 in UTC, to the microsecond.
fn time(began: Timestamp, at: Time) -> Option<String> {
    let since = SignedDuration::try_from(at.elapsed()).ok()?;
    began.checked_add(since).ok().map(|time| format!("{time:.6}"))
}

/// `DeviceClientType` of a user name's query, URL-decoded.
fn sdk_version(username: &str) -> Option<String> {
    let (_, query) = username.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("DeviceClientType="))?;
    url::decode(value)
}

/// An address with its last part, of IPv4 an octet, of IPv6 a group, as `XXX`.
fn masked(peer: &str) -> String {
    let Ok(address) = peer.parse::<SocketAddr>() else { return String::new() };
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.XXX")
        }
        IpAddr::V6(ip) => {
            let groups: Vec<String> =
                ip.segments().iter().take(7).map(|group| format!("{group:x}")).collect();
            format!("{}:XXX", groups.join(":"))
        }
    }
}

#[cfg(test)]
mod tests;
