//! What is told of a link: its beginning, its device, its legs and its end.

use super::Measures;
use crate::base::{DeviceId, Direction, Ends, LinkId, RuleId, Side, Time};
use crate::event::{Event, LastPackets, Traffic};
use crate::fault::Ending;
use crate::measure::conformance::counted;
use crate::measure::facts::{Link, Showed};
use crate::measure::finding::Seen;
use crate::tls::Alert;
use std::time::Duration;

impl Measures {
    pub(super) fn link_opened(&mut self, at: Time, id: LinkId, peer: &str, to: Option<&str>, is_new: bool) {
        if is_new {
            self.rate.connect(at);
        }
        let mut link = Link::new(at);
        link.to = to.map(Box::from);
        link.opened_before = !is_new;
        link.dialled = self.wire.accepted(at, id, peer);
        self.links.insert(id, link);
    }

    pub(super) fn identified(&mut self, link_id: LinkId, device: DeviceId) {
        self.wire.identified(link_id, device);
        let Some(link) = self.links.get_mut(&link_id) else { return };
        let before = link.device.replace(device).and_then(|before| self.devices.get_mut(&before));
        if let Some(before) = before {
            before.links.retain(|held| *held != link_id);
        }
        let links = &mut self.devices.get_or_default(device).links;
        // Numbers are in the order of opening; links may be identified in another, though seldom far from it.
        let later = links.iter().rev().take_while(|held| **held > link_id).count();
        if links.len() == links.capacity() {
            links.reserve_exact((links.len() / 4).max(1));
        }
        links.insert(links.len() - later, link_id);
    }

    pub(super) fn traffic(&mut self, traffic: &Traffic) {
        self.on(traffic.link, |link| {
            link.heard(Side::Device, traffic.last.device);
            link.heard(Side::Hub, traffic.last.hub);
            link.leaves_unread(traffic.unread, traffic.read_again);
            for (direction, more) in [(Direction::Up, traffic.up), (Direction::Down, traffic.down)] {
                *link.count.get_mut(direction) += more;
            }
        });
        let timed = self.links.get_mut(&traffic.link).filter(|_| !traffic.publish_rtt.is_empty());
        let (windows, sound) = timed.map(Link::timed).unwrap_or_default();
        for window in windows {
            self.at_window(window, |window| window.round_trips.publish.merge(&traffic.publish_rtt));
        }
        if let Some(device) = self.device_of(traffic.link) {
            device.control_gap.merge(&traffic.control_gap);
            device.publish_rtt.merge(&traffic.publish_rtt);
            if sound {
                device.sound.publish.merge(&traffic.publish_rtt);
            }
        }
    }

    /// Of a link that a fault has cut, and that its device may not know of yet, nothing more is heard: that is no silence
    /// of the device's. Nor is a wait for CONNACK, or for a PINGRESP that a fault dropped, or what comes after the hub's end.
    pub(super) fn keep_alive_exceeded(&mut self, id: LinkId, gap: Duration, began: Time) {
        let Some(link) = self.links.get(&id).filter(|link| link.cut.is_none() && !link.waits_in_vain())
        else {
            return;
        };
        let accepted = link.connack.filter(|connack| connack.code == 0);
        let Some(accepted) = accepted.and_then(|connack| connack.delivered) else { return };
        let over = Ends { device: link.told.device, hub: link.signs.hub.map(|sign| sign.at) };
        let (_, counted) = counted(gap, began, accepted, over);
        let keep_alive = link.keep_alive();
        if counted > keep_alive + keep_alive / 10
            && let Some(device) = self.device_of(id)
        {
            device.violations += 1;
        }
    }

    /// TLS of brownout's own failed on a leg; of a hub that it was never up with, the hub could not be reached.
    pub(super) fn tls_failed(&mut self, at: Time, link: LinkId, side: Side, error: &str, is_new: bool) {
        if is_new {
            self.tls.failures.add((side, error.to_owned()));
        }
        let Some(link) = self.links.get_mut(&link) else { return };
        let never_up = link.wrapped().up.get(side).is_none();
        link.wrapped().failed.get_or_insert((at, side));
        if side == Side::Hub && never_up && is_new {
            self.trouble.hub_unreachable += 1;
        }
    }

    /// Whether an end that gave its leg up with an alert had not taken brownout's TLS. A server of TLS 1.3 may say so only when
    /// its client takes the handshake for done (RFC 8446 section 4.4.2.4): then it has sent nothing else.
    fn refused_tls(link: &Link, side: Side, last: LastPackets) -> bool {
        let wrapped = link.wrapped.as_ref();
        let is_up = wrapped.is_some_and(|it| it.up.get(side).is_some());
        let has_failed = wrapped.and_then(|it| it.failed).is_some_and(|(_, of)| of == side);
        !wrapped.is_some_and(|it| it.passed_through)
            && !has_failed
            && link.cut.is_none()
            && link.in_force.is_empty()
            && (!is_up || (side == Side::Hub && last.from.is_none()))
    }

    /// An end gave its leg up with an alert, of its own accord.
    fn alerted(
        &mut self,
        Event { seq, at, .. }: &Event,
        id: LinkId,
        side: Side,
        alert: Alert,
        last: LastPackets,
    ) {
        let link = self.links.get(&id).filter(|link| Measures::refused_tls(link, side, last));
        let Some(link) = link.filter(|_| *seq >= self.first) else { return };
        let device = link.device.and_then(|device| self.sessions.device(device));
        let whose = match (side, device) {
            (_, None) => String::new(),
            (Side::Device, Some(device)) => format!(" from {}", device.name),
            (Side::Hub, Some(device)) => format!(" to {}", device.name),
        };
        self.tls.refused(side, alert, Seen { seq: *seq, at: *at, what: format!("alert {alert}{whose}") });
    }

    pub(super) fn leg_ended(
        &mut self,
        event: &Event,
        id: LinkId,
        side: Side,
        how: Ending,
        error: Option<&str>,
        last: LastPackets,
    ) {
        let (at, alert) = (event.at, alert(how, error));
        if let Some(alert) = alert {
            self.alerted(event, id, side, alert, last);
        }
        self.leaves(id, side);
        self.on(id, |link| {
            link.sign(side, at, Showed::Ended(how), Some(last));
            link.heard(side, last);
            if let Some(alert) = alert {
                link.wrapped().alert.get_mut(side).get_or_insert(alert);
            }
        });
    }

    /// An end gives its link up: if it is the device, a fault that leaves links up may hold on it.
    pub(in crate::measure) fn leaves(&mut self, id: LinkId, side: Side) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if side == Side::Hub || link.signs.device.is_some() {
            return;
        }
        let rules = link.in_force.iter().filter_map(|id| {
            let rule = self.windows.get(id)?.rule;
            let fault = &self.plan.rule(rule)?.fault;
            // Faults that keep links from being set up are why one is given up.
            Some((rule, fault.breaks_link() || fault.is_of_handshakes() || fault.is_of_connects()))
        });
        let rules: Vec<(RuleId, bool)> = rules.collect();
        let is_broken = rules.iter().any(|(_, breaks)| *breaks);
        link.left_under = rules.last().filter(|_| !is_broken).map(|(rule, _)| *rule);
    }

    pub(super) fn link_closed(&mut self, at: Time, id: LinkId, is_new: bool) {
        self.on(id, |link| {
            link.close(at);
            link.is_past = !is_new;
        });
        self.keep_certificate(id);
        self.links.rest(id);
        let device = self.links.get(&id).and_then(|link| link.device);
        device.into_iter().for_each(|device| self.devices.rest(device));
    }

    /// A link that closed leaves the name of its certificate to its device.
    fn keep_certificate(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let subject = link.wrapped.as_mut().and_then(|wrapped| wrapped.subject.take());
        let device = link.device.and_then(|device| self.devices.get_mut(&device));
        if let Some((subject, device)) = subject.zip(device) {
            device.subject = Some(subject);
        }
    }
}

/// The alert that an end's leg ended with, by the name that its event gives.
fn alert(how: Ending, error: Option<&str>) -> Option<Alert> {
    match how {
        Ending::Alert => error?.parse().ok(),
        Ending::Fin | Ending::Unnotified | Ending::Reset | Ending::WsClose => None,
    }
}
