//! Packets worked on as they pass: asked about when their head is there, and told of when what was done is on its way.

use super::Link;
use super::packets::is_connect;
use crate::azure::{FaultRequest, message};
use crate::base::units::to_u64;
use crate::base::{Direction, Time, WindowId};
use crate::engine::{Beside, Input, PacketTicket};
use crate::fault::{Alteration, PacketEnd, Verdict};
use crate::mqtt::framer::Frame;
use crate::mqtt::property::{Properties, Property};
use crate::mqtt::wire::Reader;
use crate::mqtt::{PacketKind, QoS, Version, peek};
use crate::net::link::Passing;
use crate::net::pump::{Begun, Inlet, Note, WebSocket};
use crate::net::surgery::{
    COPIES_LIMIT, Carried, Done, Greeted, OWED_LIMIT, Operation, Output, Ruling, Seen, Swallowed, Theatre,
    Told, Under,
};
use crate::session::ledger::{Entry, Message};
use crate::tls::record::Records;
use std::borrow::Cow;
use std::time::Duration;

/// So many notes say of the copies of a message that they have passed. A note may take more room than the copy of a little one, and
/// there may be a thousand: then one note is of several.
const MOST_NOTES: u32 = 16;

impl Link {
    /// Takes bytes through the surgeon, where there is one.
    pub(super) fn operate(&mut self, now: Time, direction: Direction, bytes: &[u8], out: &mut Output) {
        let pump = self.pumps.get_mut(direction);
        let (Inlet::Mqtt(_) | Inlet::WebSocket(_), Some(theatre)) = (&pump.inlet, &mut pump.theatre) else {
            return;
        };
        if !theatre.attends && pump.inlet.is_amid_packet() {
            theatre.under =
                taken_over(direction, pump.begun.take().map_or_else(Begun::default, |begun| *begun));
        }
        theatre.copied = to_u64(pump.lane.len());
        let mut surgeon = std::mem::take(&mut theatre.surgeon);
        let mut reframer = std::mem::take(&mut theatre.reframer);
        let mut inlet = std::mem::replace(&mut pump.inlet, Inlet::Records(Records::default()));
        let mut is_opaque = false;
        match &mut inlet {
            Inlet::Mqtt(framer) => {
                self.feed(direction, framer, bytes);
                surgeon.take(framer, bytes, out, &mut |seen, out| self.see(now, direction, seen, out));
                is_opaque = framer.is_opaque();
            }
            Inlet::WebSocket(socket) => {
                let WebSocket { walker, framer } = socket.as_mut();
                let masked = direction == Direction::Up;
                let lost = reframer.take(walker, bytes, masked, out, &mut |carried, out| {
                    match carried {
                        Carried::Mqtt(bytes) => {
                            self.feed(direction, framer, bytes);
                            surgeon.take(framer, bytes, out, &mut |seen, out| {
                                self.see(now, direction, seen, out)
                            });
                        }
                        Carried::NoMore => surgeon.give_back(out),
                        Carried::Other(piece) => self.frame_seen(direction, piece),
                    }
                    !surgeon.is_over()
                });
                self.pumps.get_mut(direction).lose(lost);
                is_opaque = walker.is_opaque() || framer.is_opaque();
            }
            Inlet::Records(_) => {}
        }
        let pump = self.pumps.get_mut(direction);
        pump.inlet = inlet;
        pump.frame += u64::from(is_opaque);
        pump.tail_late = out.tail_late;
        pump.lose(surgeon.take_lost());
        let attends = pump.inlet.is_amid_packet();
        if let Some(theatre) = &mut pump.theatre {
            (theatre.surgeon, theatre.reframer, theatre.attends) = (surgeon, reframer, attends);
        }
    }

    /// Whether a cut amid a packet lets nothing more pass in this direction.
    pub(super) fn is_severed_amid(&self, direction: Direction) -> bool {
        self.pumps.get(direction).theatre.as_ref().is_some_and(Theatre::is_over)
    }

    fn see(
        &mut self,
        now: Time,
        direction: Direction,
        seen: Seen<'_>,
        out: &mut Output,
    ) -> Option<Operation> {
        match seen {
            Seen::Frame(frame) => return self.decide(now, direction, frame),
            Seen::End { passed, late, again } => {
                self.packet_ended(now, direction, passed, late, again, out);
            }
            Seen::Cut { after } => {
                self.write_cut(direction);
                self.sever(now, direction, after);
            }
            Seen::NotMqtt { offset, reason } => {
                let reason = reason.to_string();
                self.core.tell(Input::NotMqtt { link: self.id, direction, offset, reason });
            }
        }
        None
    }

    /// A packet whose head is there: tells of it, and gives what is to be done with it.
    fn decide(&mut self, now: Time, direction: Direction, frame: &Frame<'_>) -> Option<Operation> {
        self.look_for_will(direction, frame);
        self.look_at_form(direction, frame);
        let publish = (frame.kind == PacketKind::Publish).then(|| self.publish(frame)).flatten();
        if frame.ended {
            self.arrived(now, direction, publish);
        }
        let mut under = Under { arrival: (!frame.ended).then_some(publish), ..Under::default() };
        under.message = self.look(direction, frame).map(|message| (message, frame.ended));
        let mut passing = self.passing(direction, frame.kind, frame.head);
        let let_go = self.take_let_go(direction);
        let (ticket, verdict) = if let_go { (None, None) } else { self.ask(direction, frame) };
        let version = self.version.unwrap_or(Version::V311);
        let mut operation = None;
        let mut greets = self.greets(direction, frame.kind, frame.head);
        let mut acknowledges = self.acknowledges(direction, frame);
        let owed = self.owed(direction, frame);
        if let (Some(ticket), Some(verdict)) = (ticket, &verdict)
            && let Some(why) = self.is_beyond(direction, owed, verdict)
        {
            self.refuse(verdict, ticket.seq, why);
        } else if let (Some(ticket), Some(verdict)) = (ticket, verdict) {
            let room = self.room_for_copies(direction);
            let ruling = Ruling::of(*verdict, version, frame, room);
            if ruling.edited.is_some() || !ruling.operation.corrupt.is_empty() {
                self.write_meddled(frame.kind, &ruling.done);
            }
            if let Some(edited) = &ruling.edited {
                passing = self.passing(direction, frame.kind, &edited.head);
                acknowledges = self.acknowledges(direction, &Frame { head: &edited.head, ..*frame });
                greets = self.greets(direction, frame.kind, &edited.head);
                self.learn_edited(direction, frame.kind, &edited.head);
            }
            operation = Some(self.rule(direction, frame, ticket, ruling, &mut under));
        }
        if under.swallowed.is_none()
            && under.cut.is_none()
            && let Some(id) = owed
        {
            under.swallowed = Some(Swallowed::Owed { id });
            operation = Some(Operation::swallow());
        }
        self.is_known_anew(direction, frame, &under);
        under.greets = greets;
        let publish = under.message.as_ref().map(|(message, _)| Passing::of(direction, message));
        let passing = publish.or(passing);
        under.note =
            Note { ticket, acknowledges, passing, altered: !under.done.is_empty(), ..Note::default() };
        if let Some(theatre) = &mut self.pumps.get_mut(direction).theatre {
            theatre.under = under;
        }
        operation
    }

    /// Why nothing of a verdict can be done, where that is so.
    fn is_beyond(&self, direction: Direction, owed: Option<u16>, verdict: &Verdict) -> Option<&'static str> {
        if self.pumps.get(direction).deaf {
            return Some("the end that was to get it has been told FIN");
        }
        // It is answered here, and goes no further in any case.
        let is_answered = owed.is_some() && verdict.end.is_none();
        is_answered.then_some("this PUBREL is of a PUBLISH that was acknowledged falsely")
    }

    /// Of a CONNACK with this head, what it says to the device.
    fn greets(&self, direction: Direction, kind: PacketKind, head: &[u8]) -> Option<Greeted> {
        if direction == Direction::Up || kind != PacketKind::Connack {
            return None;
        }
        let view = peek::connack_view(self.version.unwrap_or(Version::V311), head);
        let is_accepted = view.is_some_and(|view| view.code == 0);
        Some(if is_accepted { Greeted::Accepted } else { Greeted::Refused })
    }

    /// How many bytes of copies there is room for, beside what waits.
    fn room_for_copies(&self, direction: Direction) -> u64 {
        let theatre = self.pumps.get(direction).theatre.as_ref();
        theatre.map_or(0, |theatre| COPIES_LIMIT.saturating_sub(theatre.copied))
    }

    /// A PUBLISH of QoS 2 that is passed on is no longer the one of its identifier that was acknowledged falsely.
    fn is_known_anew(&mut self, direction: Direction, frame: &Frame<'_>, under: &Under) {
        if frame.kind != PacketKind::Publish || under.swallowed.is_some() {
            return;
        }
        if let (Some(id), Some(theatre)) = (
            peek::packet_id(frame.kind, frame.first_byte, frame.head),
            &mut self.pumps.get_mut(direction).theatre,
        ) {
            theatre.owed.remove(&id);
        }
    }

    /// The keep-alive that the device is told holds for it, whoever says it.
    fn learn_edited(&mut self, direction: Direction, kind: PacketKind, head: &[u8]) {
        if direction == Direction::Down && kind == PacketKind::Connack {
            let view = peek::connack_view(self.version.unwrap_or(Version::V311), head);
            if let Some(seconds) = view.and_then(|view| view.server_keep_alive) {
                self.meter.set_keep_alive(Duration::from_secs(u64::from(seconds)));
            }
        }
    }

    /// Tells the engine of a packet, if it is to be told.
    fn ask(
        &mut self,
        direction: Direction,
        frame: &Frame<'_>,
    ) -> (Option<PacketTicket>, Option<Box<Verdict>>) {
        let topic = self.topic(direction, frame);
        // A command is told of whoever else asks for a PUBLISH: most runs tell of none.
        let request = topic.as_deref().and_then(|topic| self.request(direction, topic, frame));
        let is_asked =
            || topic.as_deref().is_some_and(|topic| self.asked_by_topic(direction, topic.as_bytes()));
        if request.is_none() && !self.asked(direction, frame.kind) && !is_asked() {
            return (None, None);
        }
        let packet = self.read(direction, frame);
        let connect = is_connect(&packet).then(|| packet.clone());
        let beside = Beside { topic: topic.as_deref(), request };
        let held = self.would_hold(direction);
        let (ticket, verdict) = self.core.packet(self.id, &self.mailbox, direction, packet, beside, held);
        if let Some(connect) = connect {
            self.open_books(&connect);
        }
        // What was ordered with this packet may ask for the next one, which is perhaps here already.
        if let Some(asks) = self.mailbox.asks() {
            self.asks = asks;
        }
        (Some(ticket), verdict)
    }

    /// The topic name of a PUBLISH, where topics are followed.
    fn topic<'a>(&mut self, direction: Direction, frame: &Frame<'a>) -> Option<Cow<'a, str>> {
        if frame.kind != PacketKind::Publish || !self.core.follows_topics() {
            return None;
        }
        let version = self.version.unwrap_or(Version::V311);
        let view = peek::publish_view(version, frame.first_byte, frame.head)?;
        let theatre = self.pumps.get_mut(direction).theatre.as_mut()?;
        if view.topic_alias.is_none() && !view.topic.is_empty() {
            return Some(view.topic);
        }
        theatre.aliases.resolve(&view.topic, view.topic_alias).map(|topic| Cow::Owned(topic.to_owned()))
    }

    /// The command to brownout that a PUBLISH of the device is, where these are honoured.
    fn request(&self, direction: Direction, topic: &str, frame: &Frame<'_>) -> Option<FaultRequest> {
        if !self.is_honoured(direction) {
            return None;
        }
        let properties = match self.version {
            Some(Version::V5) => user_properties(frame),
            Some(Version::V31 | Version::V311) | None => Vec::new(),
        };
        message::request(topic, &properties)
    }

    /// Sets out what the ruling says; what it cannot do is told.
    fn rule(
        &mut self,
        direction: Direction,
        frame: &Frame<'_>,
        ticket: PacketTicket,
        ruling: Ruling,
        under: &mut Under,
    ) -> Operation {
        let (link, seq) = (self.id, ticket.seq);
        for (window, error) in ruling.refused {
            self.core.tell(Input::NotAltered { link, window, seq: Some(seq), error });
        }
        for window in ruling.unchanged {
            self.core.tell(Input::Unchanged { link, window, seq });
        }
        if let Some(theatre) = &mut self.pumps.get_mut(direction).theatre {
            let length = frame.len().saturating_add(2);
            theatre.copied += length.saturating_mul(u64::from(ruling.operation.copies));
        }
        under.done = ruling.done;
        match ruling.end {
            None => {}
            Some((window, PacketEnd::Drop { acknowledge })) => {
                let answer = acknowledge.then(|| self.false_answer(direction, frame)).flatten();
                under.swallowed = Some(Swallowed::Dropped { window, seq: ticket.seq, answer });
            }
            Some((window, PacketEnd::Cut(cut))) => under.cut = Some((window, cut)),
        }
        ruling.operation
    }

    /// What a PUBLISH is acknowledged with.
    fn false_answer(&self, direction: Direction, frame: &Frame<'_>) -> Option<(PacketKind, u16)> {
        if frame.kind != PacketKind::Publish {
            return None;
        }
        let publish = self.publish(frame)?;
        // No acknowledgement has 0 [MQTT-2.2.1-3].
        let id = publish.id.filter(|id| *id != 0)?;
        let owed = self.pumps.get(direction).theatre.as_ref().map_or(0, |theatre| theatre.owed.len());
        match publish.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some((PacketKind::Puback, id)),
            QoS::ExactlyOnce => (owed < OWED_LIMIT).then_some((PacketKind::Pubrec, id)),
        }
    }

    /// The identifier of a PUBREL whose PUBLISH was acknowledged falsely.
    fn owed(&self, direction: Direction, frame: &Frame<'_>) -> Option<u16> {
        if frame.kind != PacketKind::Pubrel {
            return None;
        }
        let id = peek::packet_id(frame.kind, frame.first_byte, frame.head)?;
        self.pumps.get(direction).theatre.as_ref().filter(|theatre| theatre.owed.contains(&id)).map(|_| id)
    }

    /// The last byte of a packet came.
    fn packet_ended(
        &mut self,
        now: Time,
        direction: Direction,
        passed: bool,
        late: Duration,
        again: (&[u8], u32),
        out: &mut Output,
    ) {
        let pump = self.pumps.get_mut(direction);
        let frame = pump.frame;
        pump.frame += 1;
        let Some(theatre) = &mut pump.theatre else { return };
        let Under { arrival, greets, message, note, done, swallowed, .. } =
            std::mem::take(&mut theatre.under);
        if let Some(greets) = greets {
            theatre.greet(if passed { greets } else { Greeted::Refused });
        }
        self.write_arrived(direction, message, passed, swallowed);
        let Some(theatre) = &mut self.pumps.get_mut(direction).theatre else { return };
        if passed {
            if let Some(ticket) = note.ticket {
                let done = done.into_iter().map(|(window, what)| Done { seq: ticket.seq, window, what });
                theatre.done.extend(done);
            }
            out.mark(frame, note, late);
            // A cut may come between them; what was done is told with the last.
            let (packet, mut left) = again;
            let is_message = matches!(note.passing, Some(Passing::Publish { .. }));
            let at_once = if is_message { left.div_ceil(MOST_NOTES) } else { left };
            while left > 0 {
                let copies = at_once.min(left);
                left -= copies;
                out.put_copies((packet, copies));
                let passing = note.passing.and_then(|passing| passing.copies(copies));
                let ticket = note.ticket.filter(|_| left == 0);
                out.mark(frame, Note { ticket, passing, copies: true, ..Note::default() }, late);
            }
        }
        theatre.put_in(frame, out);
        if let Some(publish) = arrival {
            self.arrived(now, direction, publish);
        }
        if let Some(swallowed) = swallowed {
            self.swallowed(direction, swallowed);
        }
    }

    /// A PUBLISH came whole. A command to brownout is no message.
    fn write_arrived(
        &mut self,
        direction: Direction,
        message: Option<(Message, bool)>,
        passed: bool,
        swallowed: Option<Swallowed>,
    ) {
        let Some((mut message, _)) = message else { return };
        self.looked(direction, &mut message);
        message.dropped = !passed;
        let is_command = matches!(swallowed, Some(Swallowed::Dropped { window: None, .. }));
        self.books.write(if is_command { Entry::Meddled } else { Entry::Arrived(direction, message) });
    }

    /// A packet is cut short; a PUBLISH that had come whole was sent all the same.
    fn write_cut(&mut self, direction: Direction) {
        let theatre = self.pumps.get(direction).theatre.as_ref();
        if let Some((message, true)) = theatre.and_then(|theatre| theatre.under.message) {
            self.books.write(Entry::Arrived(direction, message));
        }
    }

    /// A packet is passed on as another: where that concerns messages, what looks wrong from now on may come of it.
    fn write_meddled(&mut self, kind: PacketKind, done: &[(Option<WindowId>, Alteration)]) {
        let is_of_messages = match kind {
            PacketKind::Publish
            | PacketKind::Puback
            | PacketKind::Pubrec
            | PacketKind::Pubrel
            | PacketKind::Pubcomp => true,
            PacketKind::Connect | PacketKind::Connack => done.iter().any(|(_, what)| match what {
                Alteration::Edited { edit } => edit.clean.is_some() || edit.session_present.is_some(),
                Alteration::Corrupted { .. } => true,
                Alteration::Dropped { .. }
                | Alteration::Delayed { .. }
                | Alteration::Duplicated { .. }
                | Alteration::CutShort { .. } => false,
            }),
            PacketKind::Subscribe
            | PacketKind::Suback
            | PacketKind::Unsubscribe
            | PacketKind::Unsuback
            | PacketKind::Pingreq
            | PacketKind::Pingresp
            | PacketKind::Disconnect
            | PacketKind::Auth => false,
        };
        if is_of_messages {
            self.books.write(Entry::Meddled);
        }
    }

    /// A packet is gone that is not passed on.
    fn swallowed(&mut self, direction: Direction, swallowed: Swallowed) {
        match swallowed {
            Swallowed::Dropped { window, seq, answer: None } => {
                self.altered(direction, seq, window, Alteration::Dropped { acknowledged: false });
            }
            Swallowed::Dropped { window, seq, answer: Some((kind, id)) } => {
                let told = Told::Acknowledged { seq, window, direction, id };
                let is_on_its_way = self.put_ack(direction.from(), kind, id, told);
                if let (PacketKind::Pubrec, true, Some(theatre)) =
                    (kind, is_on_its_way, &mut self.pumps.get_mut(direction).theatre)
                {
                    theatre.owed.insert(id);
                }
            }
            Swallowed::Owed { id } => {
                if let Some(theatre) = &mut self.pumps.get_mut(direction).theatre {
                    theatre.owed.remove(&id);
                }
                self.put_ack(direction.from(), PacketKind::Pubcomp, id, Told::Silent);
            }
        }
    }

    pub(super) fn altered(&self, direction: Direction, seq: u64, window: Option<WindowId>, what: Alteration) {
        self.core.tell(Input::Altered { link: self.id, direction, seq, window, what });
    }

    /// A packet that something was done to was passed on, or its copies were.
    pub(super) fn altered_passed(&mut self, direction: Direction, seq: u64, copies: bool) {
        let theatre = &mut self.pumps.get_mut(direction).theatre;
        let done = theatre.as_mut().map(|theatre| theatre.passed(seq, copies)).unwrap_or_default();
        for Done { seq, window, what } in done {
            self.altered(direction, seq, window, what);
        }
    }

    /// Says that nothing of a verdict on the packet of that number can be done, and why.
    pub(super) fn refuse(&self, verdict: &Verdict, seq: u64, why: &str) {
        let (link, seq) = (self.id, Some(seq));
        for window in verdict.windows() {
            self.core.tell(Input::NotAltered { link, window, seq, error: why.to_owned() });
        }
    }
}

/// A packet whose head passed without the surgeon, and whose end comes with something that is to go in behind it.
fn taken_over(direction: Direction, begun: Begun) -> Under {
    let passing = begun.message.map(|message| Passing::of(direction, &message));
    Under {
        arrival: Some(begun.publish),
        message: begun.message.map(|message| (message, false)),
        note: Note { passing, ..Note::default() },
        ..Under::default()
    }
}

/// Whether the quality of service of a PUBLISH asks for a packet identifier; 3, which no peer may say, does as well.
pub(super) fn has_id(frame: &Frame<'_>) -> bool {
    frame.first_byte & 0x06 != 0
}

/// The user properties of a PUBLISH of MQTT 5, as far as they can be read.
fn user_properties(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut reader = Reader::new(frame.head);
    if reader.binary("topic name").is_err() || (has_id(frame) && reader.u16("packet identifier").is_err()) {
        return Vec::new();
    }
    let pair = |property| if let Property::UserProperty(pair) = property { Some(pair) } else { None };
    Properties::read_leniently(&mut reader).0.into_iter().filter_map(pair).collect()
}
