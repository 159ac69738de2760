//! Packets: what each shows of its sender when it comes, and what its receiver knows once it is passed on.

use super::cases::Names;
use super::ends::settle;
use super::watch::Said;
use super::{Conformance, Now, keep_alive, kept, ping, protocol, session};
use crate::base::{Direction, LinkId};
use crate::event::Packet;
use crate::measure::packets::Fared;
use crate::mqtt::Version;
use crate::session::Sessions;

impl Conformance {
    pub(super) fn packet(
        &mut self,
        now: Now,
        link: LinkId,
        direction: Direction,
        fared: Fared<'_>,
        sessions: &Sessions,
    ) {
        self.arrives(now, link, direction, fared, sessions);
        let Some(watch) = self.links.get_mut(&link) else { return };
        match fared.passed.map(Said::of) {
            None => watch.faults.touch(),
            Some(said) if fared.held && watch.waits(now.seq, direction, said) => {}
            Some(said) => self.passes(now, link, direction, said, sessions),
        }
    }

    /// What a packet shows of its sender.
    pub(super) fn arrives(
        &mut self,
        now: Now,
        link: LinkId,
        direction: Direction,
        fared: Fared<'_>,
        sessions: &Sessions,
    ) {
        let Fared { packet, passed, held: _ } = fared;
        let Some(watch) = self.links.get_mut(&link) else { return };
        let (Now { seq, at }, cases) = (now, &mut self.cases);
        let names = Names::Live(sessions);
        protocol::arrives(watch, at, seq, direction, packet, names, cases);
        watch.arrives(at, direction);
        match (direction, packet) {
            (Direction::Up, Packet::Connect { version, .. }) => {
                if watch.greeting.is_none() {
                    watch.greets(packet, passed);
                }
                if let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device)) {
                    habits.version = Some(*version);
                    if matches!(passed, Some(Packet::Connect { clean: true, .. })) {
                        habits.kept = None;
                    }
                }
            }
            (Direction::Up, Packet::Pingreq) => watch.pings.sent(at, seq),
            (Direction::Up, Packet::Subscribe { id, filters }) => {
                watch.session.minds();
                session::asks(watch, *id, filters.len());
            }
            (Direction::Up, Packet::Unsubscribe { .. }) => {
                watch.session.minds();
                let is_left = sessions.device_of(link).is_some_and(|device| !device.filters.is_empty());
                if let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device)) {
                    habits.holds &= is_left;
                }
            }
            (Direction::Up, Packet::Disconnect { .. }) => {
                settle(watch, at, names, cases);
                if watch.is_up()
                    && let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device))
                {
                    habits.connects.leaves(watch.opened);
                }
                watch.goodbye.device = true;
                // In MQTT 5 it may say how long the session lives on.
                if let Some(device) = watch.device.filter(|_| watch.version() == Version::V5) {
                    self.forget_session(device);
                }
            }
            (Direction::Down, Packet::Connack { code, .. }) => {
                session::connack(watch, at, seq, packet, names, cases);
                let is_first = watch.hub_accepted.is_none();
                watch.answered(at, packet, passed);
                if *code == 0 {
                    if is_first {
                        self.keeps(now, link, packet, sessions);
                    }
                    self.takes_over(now, link, sessions);
                }
            }
            (Direction::Down, Packet::Pingresp) => watch.pings.excuse_hub(),
            (Direction::Down, Packet::Suback { .. }) => {
                session::answers(watch, at, seq, packet, names, cases)
            }
            (Direction::Down, Packet::Disconnect { reason }) => {
                keep_alive::timed_out(watch, at, seq, *reason, names, cases);
                watch.goodbye.hub = true;
            }
            (Direction::Up | Direction::Down, _) => {}
        }
    }

    /// The hub has accepted a link: what it says of the session of before, and what it has to keep of this one.
    fn keeps(&mut self, now: Now, link: LinkId, packet: &Packet, sessions: &Sessions) {
        let (Some(watch), Some(link)) = (self.links.get(&link), sessions.link(link)) else { return };
        let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device)) else { return };
        // What the hub was told in place of what the device said is not known in full.
        let before = habits.kept.take();
        if !habits.altered {
            let before = (before.as_deref(), link);
            habits.kept = kept::answered(
                watch,
                now.at,
                now.seq,
                packet,
                before,
                Names::Live(sessions),
                &mut self.cases,
            );
        }
    }

    pub(super) fn forwarded(&mut self, now: Now, link: LinkId, packet_seq: u64, sessions: &Sessions) {
        let waited = self.links.get_mut(&link).and_then(|watch| watch.release(packet_seq));
        if let Some((direction, said)) = waited {
            self.passes(now, link, direction, said, sessions);
        }
    }

    /// A packet was passed on.
    pub(super) fn passes(
        &mut self,
        now: Now,
        link: LinkId,
        direction: Direction,
        said: Said,
        sessions: &Sessions,
    ) {
        let Some(watch) = self.links.get_mut(&link) else { return };
        let Now { seq, at } = now;
        watch.passes(at, direction);
        let habits = watch.device.and_then(|device| self.devices.get_mut(&device));
        match (direction, said) {
            (Direction::Down, Said::Connack { code: 0, session_present }) => {
                watch.accepted.get_or_insert(at);
                let Some(habits) = habits else { return };
                habits.connects.accepted(at);
                if !self.is_stopped {
                    session::accepted(watch, at, seq, session_present, habits.holds);
                }
            }
            (Direction::Down, Said::Pingresp) => ping::device_waited(watch, at, &mut self.cases),
            (Direction::Down, Said::Suback { refused }) => {
                session::granted(watch, at, seq, refused);
                if let Some(habits) = habits {
                    habits.holds |= sessions.device_of(link).is_some_and(|device| !device.filters.is_empty());
                }
            }
            (Direction::Up, Said::Pingreq) if watch.faults.is_sound() => watch.pings.passed(at, seq),
            (Direction::Up, Said::Subscribe { id }) if watch.faults.is_sound() => {
                session::asked(watch, at, seq, id)
            }
            (Direction::Up, Said::Disconnect { reason }) => {
                // Who says DISCONNECT begins anew when it comes back.
                habits.into_iter().for_each(|habits| habits.holds = false);
                self.hub_knows(now, link, reason == 0, sessions);
            }
            (Direction::Up | Direction::Down, _) => {}
        }
    }

    /// The hub has spoken on a link whose TLS is passed through: it may have accepted the device, and the device may leave with
    /// DISCONNECT, unseen.
    pub(super) fn has_spoken(&mut self, now: Now, link: LinkId) {
        let Some(watch) = self.links.get(&link) else { return };
        if let Some(habits) = watch.device.and_then(|device| self.devices.get_mut(&device)) {
            habits.connects.accepted(now.at);
            habits.connects.leaves(watch.opened);
        }
    }

    /// The hub has accepted a link of a client identifier: it is to end another that it has of it.
    pub(super) fn takes_over(&mut self, now: Now, link: LinkId, sessions: &Sessions) {
        let Some(watch) = self.links.get(&link) else { return };
        let Some(device) = watch.device.filter(|_| watch.greeting.as_ref().is_some_and(|of| of.named)) else {
            return;
        };
        self.wills.is_back(device, now.at);
        let links = sessions.device(device).into_iter().flat_map(|device| &device.links);
        let first = links.filter_map(|first| self.links.get(first)).find(|first| {
            let is_older = first.id < link && first.listener == watch.listener;
            is_older && first.is_up() && first.faults.is_pristine()
        });
        if let Some(first) = first {
            self.rivals.add(device, first.id, now.at, now.seq);
        }
    }
}
