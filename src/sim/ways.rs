//! Segments arrive: handshakes of TCP and TLS, and bytes for whoever is at that end.

use super::arrivals;
use super::path::{At, Dialling, Flight, Path, PathId};
use super::shake;
use super::sight::Sight;
use super::tcp::{ACK_DELAY, Brought, FIRST_TIMEOUT, Kind, Overdue, Segment, Tcp};
use super::world::{Due, World};
use crate::base::units::to_u64;
use crate::base::{Direction, ListenerId, Side, Ways};
use crate::device;
use crate::engine::{Door, Input};
use crate::fault::{Ending, Mechanism};
use crate::hub;
use std::time::Duration;

/// The system's word for a connection that was not acknowledged for too long.
pub(super) const TIMED_OUT: &str = "Connection timed out (os error 110)";
const REFUSED: &str = "Connection refused (os error 111)";
const RESET: &str = "Connection reset by peer (os error 104)";

impl World<'_> {
    // The device.

    pub(super) fn device_is_due(&mut self, number: usize) {
        let now = self.now;
        let handset = &mut self.handsets[number];
        if handset.armed.is_none_or(|armed| armed > now) {
            return;
        }
        handset.armed = None;
        handset.device.tick(now);
        self.hear(number);
    }

    /// Tells a device's machine something of the path that it speaks over.
    fn tell_device(&mut self, id: PathId, input: device::Input<'_>) {
        let now = self.now;
        let Some(path) = self.path(id).filter(|path| path.is_current) else { return };
        let number = path.device;
        self.handsets[number].device.handle(now, input);
        self.hear(number);
    }

    /// Does what a device has put out.
    fn hear(&mut self, number: usize) {
        while let Some(output) = self.handsets[number].device.poll() {
            match output {
                device::Output::Dial => self.dial(number),
                device::Output::Send(bytes) => self.device_says(number, &bytes),
                device::Output::Close => self.hang_up(number, false),
                device::Output::Reset => self.hang_up(number, true),
                device::Output::Log(event) => {
                    (self.saw)(self.now, Sight::Device { device: number, did: &event.did });
                }
            }
        }
        let (now, handset) = (self.now, &mut self.handsets[number]);
        let Some(due) = handset.device.deadline().map(|due| due.max(now)) else { return };
        if handset.armed.is_none_or(|armed| due < armed) {
            handset.armed = Some(due);
            self.queue.push(due, Due::Device(number));
        }
    }

    fn device_says(&mut self, number: usize, bytes: &[u8]) {
        let now = self.now;
        let Some(id) = self.handsets[number].path else { return };
        let habits = &self.scenario.devices[number];
        let message = arrivals::number_in(bytes, habits.version, &habits.client_id);
        let Some(path) = self.path(id) else { return };
        if !path.legs.device.peer.is_there() {
            self.tell_device(id, device::Input::Closed(device::HowClosed::WriteFailed));
            return;
        }
        path.given += to_u64(bytes.len());
        let given = path.given;
        message.into_iter().for_each(|message| path.messages.push_back((given, message)));
        path.legs.device.untold += bytes.len();
        self.tcp(id, Side::Device, At::Peer, |tcp, kernel, out| tcp.write(now, bytes, kernel, out));
        self.tell_written(id, Side::Device);
    }

    /// The device lets go of its connection.
    fn hang_up(&mut self, number: usize, is_reset: bool) {
        let now = self.now;
        let Some(id) = self.handsets[number].path.take() else { return };
        let Some(path) = self.touch(id) else { return };
        path.is_current = false;
        if let Dialling::Syn { .. } = path.dialling {
            return path.legs.device.peer.vanish();
        }
        self.tcp(id, Side::Device, At::Peer, |tcp, kernel, out| {
            if is_reset { tcp.reset(out) } else { tcp.close(now, kernel, out) }
        });
    }

    fn dial(&mut self, number: usize) {
        self.hang_up(number, false);
        let place = self.free.pop().unwrap_or_else(|| u32::try_from(self.paths.len()).unwrap_or(u32::MAX));
        let id = PathId { place, number: self.next_path };
        self.next_path += 1;
        let dialling = Dialling::Syn { tries: 0, sent: self.now, due: self.now + FIRST_TIMEOUT };
        let mut path = Box::new(Path::new(id, number, dialling));
        if self.scenario.link.tls {
            path.shakes = Ways { up: shake::HELLO + shake::FINISHED, down: shake::FLIGHT };
            path.greeted = path.shakes;
        }
        match usize::try_from(place).ok().and_then(|place| self.paths.get_mut(place)) {
            Some(slot) => *slot = Some(path),
            None => self.paths.push(Some(path)),
        }
        let handset = &mut self.handsets[number];
        (handset.path, handset.dials) = (Some(id), handset.dials + 1);
        self.send_syn(id, false);
    }

    fn send_syn(&mut self, id: PathId, again: bool) {
        self.tcp(id, Side::Device, At::Peer, |tcp, _, out| {
            out.push(Segment { again, ..tcp.segment(Kind::Syn, 0) });
        });
    }

    /// SYN goes again after 1 s, and then after twice as long each time.
    pub(super) fn syn_is_due(&mut self, id: PathId) {
        let (now, kernel) = (self.now, self.kernel());
        let Some(path) = self.path(id) else { return };
        let Dialling::Syn { tries, due, .. } = path.dialling else { return };
        if due > now || !path.legs.device.peer.is_there() {
            return;
        }
        if tries >= kernel.syn_retries.saturating_add(kernel.syn_linear) {
            path.legs.device.peer.vanish();
            return self.tell_device(id, device::Input::ConnectFailed { why: TIMED_OUT.to_owned() });
        }
        let doublings = (tries + 1).saturating_sub(kernel.syn_linear).min(30);
        let wait = FIRST_TIMEOUT.saturating_mul(1 << doublings).min(kernel.most_timeout);
        path.dialling = Dialling::Syn { tries: tries + 1, sent: now, due: now + wait };
        self.send_syn(id, true);
    }

    // Segments.

    pub(super) fn arrive(&mut self, flight: &Flight) {
        let Flight { path: id, leg, to, segment } = *flight;
        if self.is_lost(flight) {
            return;
        }
        match segment.kind {
            Kind::Syn => return self.syn_arrives(id),
            Kind::SynAck => return self.syn_ack_arrives(id),
            Kind::Third | Kind::Plain if leg == Side::Device && to == At::Own && !self.accept(id) => return,
            Kind::Third | Kind::Plain | Kind::Rst => {}
        }
        let Some(path) = self.touch(id) else { return };
        let tcp = path.legs.get_mut(leg).end_mut(to);
        if !tcp.is_there() {
            if segment.kind != Kind::Rst {
                self.answer_with_reset(id, leg, to);
            }
        } else if segment.kind == Kind::Rst {
            tcp.vanish();
            self.reset_arrives(id, leg, to);
        } else {
            self.take_in(flight);
        }
    }

    fn answer_with_reset(&mut self, id: PathId, leg: Side, from: At) {
        self.launch(id, leg, from, Tcp::default().segment(Kind::Rst, 0));
    }

    fn take_in(&mut self, flight: &Flight) {
        let Flight { path: id, leg, to, segment } = *flight;
        let (now, kernel) = (self.now, self.kernel());
        let delay = if leg == Side::Device { ACK_DELAY } else { Duration::ZERO };
        let Some(path) = self.path(id) else { return };
        if to == At::Own && path.relay.as_ref().is_some_and(|relay| !relay.has_room(leg.sends())) {
            return;
        }
        let tcp = path.legs.get_mut(leg).end_mut(to);
        let Brought { bytes, fin, unwanted } = tcp.receive(now, &segment, delay, kernel);
        if unwanted {
            tcp.vanish();
            return self.answer_with_reset(id, leg, to);
        }
        if !bytes.is_empty() {
            let mut read = std::mem::take(&mut self.bytes);
            read.clear();
            if let Some(path) = self.path(id) {
                path.legs.get(leg).end(to.other()).read(bytes, &mut read);
            }
            self.hand_over(id, leg, to, &read);
            self.bytes = read;
        }
        if fin {
            self.fin_arrives(id, leg, to);
        }
        // What the program said has gone with the acknowledgement already.
        self.tcp(id, leg, to, |tcp, kernel, out| tcp.send(now, kernel, out));
        if to == At::Peer {
            self.tell_written(id, leg);
        }
    }

    /// Bytes for the program at that end; those of TLS's handshake are dealt with here.
    fn hand_over(&mut self, id: PathId, leg: Side, to: At, bytes: &[u8]) {
        let direction = if to == At::Own { leg.sends() } else { leg.other().sends() };
        let rest = if leg == Side::Device { self.shake(id, direction, bytes) } else { bytes };
        if rest.is_empty() {
            return;
        }
        match (leg, to) {
            (_, At::Own) => self.relay(id, direction, rest),
            (Side::Device, At::Peer) => self.tell_device(id, device::Input::Bytes(rest)),
            (Side::Hub, At::Peer) => self.hub_gets(id, rest),
        }
    }

    fn hub_gets(&mut self, id: PathId, bytes: &[u8]) {
        let now = self.now;
        let Some(path) = self.path(id) else { return };
        path.arrived += to_u64(bytes.len());
        let (arrived, device) = (path.arrived, path.device);
        let Some(link) = path.link else { return };
        while let Some(path) = self.path(id)
            && let Some((_, number)) = path.messages.front().copied().filter(|(end, _)| *end <= arrived)
        {
            path.messages.pop_front();
            if self.handsets[device].arrivals.add(number) {
                (self.saw)(now, Sight::Message { device, number });
            }
        }
        self.hub.handle(now, hub::Input::Bytes { conn: hub::ConnId(link.0), bytes });
    }

    fn fin_arrives(&mut self, id: PathId, leg: Side, to: At) {
        match (leg, to) {
            (_, At::Own) => self.leg_ended(id, leg, Ending::Fin, None),
            (Side::Device, At::Peer) => {
                self.tell_device(id, device::Input::Closed(device::HowClosed::Fin));
            }
            (Side::Hub, At::Peer) => self.hub_lost(id, hub::HowClosed::Fin),
        }
    }

    fn reset_arrives(&mut self, id: PathId, leg: Side, to: At) {
        let was_dialling = self.path(id).is_some_and(|path| matches!(path.dialling, Dialling::Syn { .. }));
        match (leg, to) {
            (_, At::Own) => self.leg_ended(id, leg, Ending::Reset, None),
            (Side::Device, At::Peer) if was_dialling => {
                self.tell_device(id, device::Input::ConnectFailed { why: REFUSED.to_owned() });
            }
            (Side::Device, At::Peer) if self.is_shaking(id) => {
                self.tell_device(id, device::Input::ConnectFailed { why: RESET.to_owned() });
            }
            (Side::Device, At::Peer) => {
                self.tell_device(id, device::Input::Closed(device::HowClosed::Reset));
            }
            (Side::Hub, At::Peer) => self.hub_lost(id, hub::HowClosed::Reset),
        }
    }

    fn is_shaking(&mut self, id: PathId) -> bool {
        self.path(id).is_some_and(|path| path.shakes.down > 0)
    }

    fn hub_lost(&mut self, id: PathId, how: hub::HowClosed) {
        let now = self.now;
        if let Some(link) = self.path(id).and_then(|path| path.link) {
            self.hub.handle(now, hub::Input::Closed { conn: hub::ConnId(link.0), how });
        }
    }

    pub(super) fn tick_tcp(&mut self, id: PathId, side: Side, at: At) {
        let now = self.now;
        let Some(path) = self.path(id) else { return };
        let tcp = path.legs.get(side).end(at);
        if tcp.deadline().is_none_or(|due| due > now) {
            return;
        }
        let is_orphan = tcp.is_orphan();
        let mut overdue = Overdue::Nothing;
        self.tcp(id, side, at, |tcp, kernel, out| overdue = tcp.tick(now, kernel, out));
        if overdue == Overdue::Nothing || is_orphan {
            return;
        }
        match (side, at) {
            (_, At::Own) => self.leg_ended(id, side, Ending::Reset, Some(TIMED_OUT.to_owned())),
            (Side::Device, At::Peer) if self.is_shaking(id) => {
                self.tell_device(id, device::Input::ConnectFailed { why: TIMED_OUT.to_owned() });
            }
            (Side::Device, At::Peer) => {
                self.tell_device(id, device::Input::Closed(device::HowClosed::TimedOut));
            }
            (Side::Hub, At::Peer) => self.hub_lost(id, hub::HowClosed::TimedOut),
        }
    }

    // Handshakes.

    pub(super) fn set_door(&mut self, listener: ListenerId, door: Door) {
        let outcome = match &door {
            Door::Open => None,
            Door::Mute | Door::MuteTo(_) => Some(Mechanism::Filter),
            Door::Closed => Some(Mechanism::Closed),
        };
        // All devices come to the first.
        if listener == ListenerId(0) {
            self.door = door;
        }
        let done = Input::ListenerDone { listener, outcome: Ok(outcome), dropped: None };
        self.engine.handle(self.now, done);
    }

    /// Whether what a device sends to the listener vanishes.
    fn is_shut_out(&self, device: usize) -> bool {
        match &self.door {
            Door::Open | Door::Closed => false,
            Door::Mute => true,
            Door::MuteTo(dark) => self.handsets.get(device).is_some_and(|it| dark.contains(&it.address)),
        }
    }

    fn syn_arrives(&mut self, id: PathId) {
        let now = self.now;
        let Some(path) = self.path(id) else { return };
        let (device, is_up) = (path.device, path.link.is_some());
        if is_up || self.is_shut_out(device) {
            return;
        }
        if self.door == Door::Closed {
            return self.answer_with_reset(id, Side::Device, At::Own);
        }
        let Some(path) = self.touch(id) else { return };
        let again = path.answered.replace(now).is_some();
        path.legs.device.own = Tcp::default();
        self.tcp(id, Side::Device, At::Own, |tcp, _, out| {
            out.push(Segment { again, ..tcp.segment(Kind::SynAck, 0) });
        });
    }

    fn syn_ack_arrives(&mut self, id: PathId) {
        let now = self.now;
        let Some(path) = self.touch(id) else { return };
        if !path.legs.device.peer.is_there() {
            return self.answer_with_reset(id, Side::Device, At::Peer);
        }
        let dialling = std::mem::replace(&mut path.dialling, Dialling::Up);
        if let Dialling::Syn { sent, .. } = dialling {
            path.legs.device.peer.saw_round_trip(now.since(sent));
        }
        self.tcp(id, Side::Device, At::Peer, |tcp, _, out| out.push(tcp.segment(Kind::Third, 0)));
        match dialling {
            Dialling::Up => {}
            Dialling::Syn { .. } if self.scenario.link.tls => self.say_in_shake(id, At::Peer, shake::HELLO),
            Dialling::Syn { .. } => self.tell_device(id, device::Input::Connected),
        }
    }

    /// A segment of a connection came to brownout; the first accepts it. Whether it is accepted.
    fn accept(&mut self, id: PathId) -> bool {
        let now = self.now;
        let Some(path) = self.touch(id) else { return false };
        let Some(answered) = path.answered else { return true };
        let device = path.device;
        if self.is_shut_out(device) {
            return false;
        }
        let Some(path) = self.path(id) else { return false };
        path.answered = None;
        path.legs.device.own.saw_round_trip(now.since(answered));
        self.open_link(id);
        true
    }

    /// Takes the handshake of TLS off what came; what is left.
    fn shake<'b>(&mut self, id: PathId, direction: Direction, bytes: &'b [u8]) -> &'b [u8] {
        let Some(path) = self.path(id) else { return bytes };
        let left = path.shakes.get_mut(direction);
        if *left == 0 {
            return bytes;
        }
        let before = *left;
        let taken = usize::try_from(before).unwrap_or(usize::MAX).min(bytes.len());
        *left -= to_u64(taken);
        let left = *left;
        match direction {
            // The ClientHello is there.
            Direction::Up if before > shake::FINISHED && left <= shake::FINISHED => {
                path.flight_waits = true;
                self.answer_hello(id);
            }
            Direction::Down if left == 0 => self.secured(id),
            Direction::Up | Direction::Down => {}
        }
        &bytes[taken..]
    }

    /// The server's flight goes, unless the gate is closed.
    pub(super) fn answer_hello(&mut self, id: PathId) {
        let Some(path) = self.path(id) else { return };
        let is_closed = path.relay.as_ref().is_none_or(|relay| relay.effects.closed.down);
        if path.flight_waits && !is_closed {
            path.flight_waits = false;
            self.say_in_shake(id, At::Own, shake::FLIGHT);
        }
    }

    fn secured(&mut self, id: PathId) {
        self.say_in_shake(id, At::Peer, shake::FINISHED);
        self.tell_device(id, device::Input::Secured { version: "TLS 1.3".to_owned(), resumed: false });
        self.tell_device(id, device::Input::Connected);
    }

    fn say_in_shake(&mut self, id: PathId, from: At, length: u64) {
        let now = self.now;
        let bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.tcp(id, Side::Device, from, |tcp, kernel, out| tcp.write(now, &bytes, kernel, out));
    }
}
