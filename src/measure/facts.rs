//! What is remembered of links, devices and windows: plain facts with their times, no judgement.

mod links;
mod muted;
mod pack;
mod unread;
mod window;

pub use links::Links;
pub use muted::{Muted, RETRANSMISSION_GRACE};
pub use unread::Unread;
pub use window::{Applied, Window};

use super::packets::{Greeting, KeepAlive};
use super::tls::Wrapped;
use crate::base::{DeviceId, Direction, Ends, LinkId, RuleId, Side, Time, Ways, WindowId};
use crate::event::{Count, LastPackets, Packet, Samples};
use crate::fault::{Ending, LegFate};
use crate::session::Filters;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Unanswered PINGREQs remembered of a link; a device that sends more without an answer is past measuring.
const MOST_PINGS: usize = 64;

/// The link notes when a packet came a little before its event is stamped (the engine's lock lies between): a last
/// packet this close before a DISCONNECT is taken for the DISCONNECT itself.
const STAMPS_APART: Duration = Duration::from_millis(50);

/// By so long after a packet was passed on a record is told to be damaged that it was in: one pass of a link. A device that was
/// accepted no longer before another record was damaged has as little of it.
const IN_ONE_RECORD: Duration = Duration::from_millis(5);

/// How an end showed that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Showed {
    /// It ended its leg.
    Ended(Ending),
    /// It sent DISCONNECT, with this reason code.
    Disconnect(u8),
    /// It connected anew.
    Connect,
}

/// The first sign of an end that it gives a link up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// When.
    pub at: Time,
    /// How.
    pub showed: Showed,
    /// The last packets from and to that end before it.
    pub last: LastPackets,
}

/// A CONNACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connack {
    /// When it arrived at brownout.
    pub at: Time,
    /// When it was passed on to the device; `None` while a fault holds it.
    pub delivered: Option<Time>,
    /// Its code; 0 is accepted.
    pub code: u8,
}

/// What a packet's delivery means, for those that wait in brownout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Connect,
    Connack,
    Pingresp,
    Resubscribed,
    Disconnect,
    Other,
}

/// A PINGREQ that waits for its PINGRESP.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ping {
    at: Time,
    /// The windows in force on its link when it arrived.
    windows: Vec<WindowId>,
    /// Whether no fault has held on its link since.
    sound: bool,
    /// The event of the packet, itself or its answer, that a fault dropped: it gets none.
    lost: Option<u64>,
}

/// The round trip of a PINGREQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoundTrip {
    /// How long it took.
    pub took: Duration,
    /// The windows in force on its link when the PINGREQ arrived.
    pub windows: Vec<WindowId>,
    /// Whether no fault held on its link from beginning to end.
    pub sound: bool,
}

/// A link.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its device, once known.
    pub device: Option<DeviceId>,
    /// The hub that its device dialled, where the kernel led it to brownout.
    pub to: Option<Box<str>>,
    /// When it was accepted.
    pub opened: Time,
    /// When its connect began, where a tap saw that: some time before.
    pub dialled: Option<Time>,
    /// Whether that was before what is measured began.
    pub opened_before: bool,
    /// Whether it was accepted before that.
    pub accepted_before: bool,
    /// When both legs were gone.
    pub closed: Option<Time>,
    /// Whether that was before what is measured began: then it only stands for what its device was.
    pub is_past: bool,
    /// What its CONNECT asked for, and the answer.
    pub greeting: Option<Greeting>,
    /// When its CONNECT was passed on to the hub.
    pub asked: Option<Time>,
    /// Whether its CONNECT had to wait in brownout.
    pub connect_waited: bool,
    /// What came on it before any CONNECT was not MQTT.
    pub foreign: bool,
    /// Its CONNACK.
    pub connack: Option<Connack>,
    /// Whether the hub accepted it, as it knows: also where its CONNACK never reached the device.
    pub hub_accepted: bool,
    /// The first sign of each end that it gives the link up.
    pub signs: Ends<Option<Sign>>,
    /// When each end was told by brownout: the other's end carried through, its leg cut by a fault, or the other's
    /// DISCONNECT passed on.
    pub told: Ends<Option<Time>>,
    /// Which of them a fault told so, by its cut.
    pub cut_off: Ends<bool>,
    /// A FIN to this end waits on this machine behind what the end does not take; and whether it is how brownout told it.
    pub waits: Ends<Option<bool>>,
    /// The window whose fault ended it, and when.
    pub cut: Option<(Time, Option<WindowId>)>,
    /// What that did to the device's leg, or else to the hub's.
    pub fate: Option<LegFate>,
    /// When the hub accepted another client in the device's name, and the rule that had sent it.
    pub rival: Option<(Time, RuleId)>,
    /// The rule that held when the device gave the link up, though its fault leaves links up.
    pub left_under: Option<RuleId>,
    /// The device's DISCONNECT never reached the hub.
    pub goodbye_lost: bool,
    /// The last packets from and to each end, as far as events have shown.
    pub last: Ends<LastPackets>,
    /// When the hub was left unread: the latest time before its sign.
    pub unread: Option<Unread>,
    /// When the kernel dropped what an end sent.
    muted: muted::MutedEnds,
    /// The hub could not be reached for it.
    pub unreachable: bool,
    /// How long the connect to the hub took.
    pub hub_connect: Option<Duration>,
    /// What TLS and WebSocket showed, where there was any.
    pub wrapped: Option<Box<Wrapped>>,
    /// Filters the device held before it, where the hub has no session for it.
    pub owed: Filters,
    /// When all of them were held again.
    pub resubscribed: Option<Time>,
    /// The first PUBLISH each way.
    pub first: Ways<Option<Time>>,
    /// What passed.
    pub count: Ways<Count>,
    /// The windows that the oldest PINGREQ without an answer came under or was lost to, when the device gave the link up.
    pub unanswered: Vec<WindowId>,
    /// When a fault that breaks links last fell on it.
    pub broken: Option<Time>,
    /// The windows whose faults hold on it.
    pub in_force: Vec<WindowId>,
    /// A fault has just been lifted: what is told next may have begun under it.
    settling: bool,
    /// Whether filters were owed when it closed; the set itself goes.
    owed_to_the_end: bool,
    pending: Option<Box<Pending>>,
}

/// What has not come to its end on a link. It goes once that is nothing.
#[derive(Clone, Debug, Default)]
struct Pending {
    pings: VecDeque<Ping>,
    waiting: BTreeMap<u64, (Direction, Delivery)>,
    /// Filters that are owed still.
    owed: Filters,
}

impl Pending {
    fn is_nothing(&self) -> bool {
        self.pings.is_empty() && self.waiting.is_empty() && self.owed.is_empty()
    }
}

impl Link {
    pub(super) fn new(opened: Time) -> Link {
        Link {
            device: None,
            to: None,
            opened,
            dialled: None,
            opened_before: false,
            accepted_before: false,
            closed: None,
            is_past: false,
            greeting: None,
            asked: None,
            connect_waited: false,
            foreign: false,
            connack: None,
            hub_accepted: false,
            signs: Ends::default(),
            told: Ends::default(),
            cut_off: Ends::default(),
            waits: Ends::default(),
            cut: None,
            fate: None,
            rival: None,
            left_under: None,
            goodbye_lost: false,
            last: Ends::default(),
            unread: None,
            muted: None,
            unreachable: false,
            hub_connect: None,
            wrapped: None,
            owed: Filters::default(),
            resubscribed: None,
            first: Ways::default(),
            count: Ways::default(),
            unanswered: Vec::new(),
            broken: None,
            in_force: Vec::new(),
            settling: false,
            owed_to_the_end: false,
            pending: None,
        }
    }

    /// What TLS and WebSocket showed, to be added to.
    pub(super) fn wrapped(&mut self) -> &mut Wrapped {
        self.wrapped.get_or_insert_default()
    }

    /// TLS is passed through, and the first application data went this way: all that is seen of a CONNECT and of the
    /// CONNACK that accepts it.
    pub(super) fn first_data(&mut self, at: Time, direction: Direction) {
        match direction {
            Direction::Up => _ = self.asked.get_or_insert(at),
            Direction::Down => {
                self.hub_accepted = true;
                self.connack.get_or_insert(Connack { at, delivered: Some(at), code: 0 });
            }
        }
    }

    /// A damaged record was sent to the device: with a CONNACK in it, it was not accepted as far as it knows.
    pub(super) fn record_harmed(&mut self, at: Time) {
        let within = |delivered: Time| at.since(delivered) <= IN_ONE_RECORD;
        if let Some(connack) = &mut self.connack {
            connack.delivered = connack.delivered.filter(|delivered| !within(*delivered));
        }
    }

    /// When its connect began, as far as seen.
    pub fn began(&self) -> Time {
        self.dialled.unwrap_or(self.opened)
    }

    /// When the CONNACK that accepts the device was passed on to it.
    pub fn accepted(&self) -> Option<Time> {
        self.connack.filter(|connack| connack.code == 0)?.delivered
    }

    /// Whether both ends had set it up and neither had shown that it gives it up, as far as seen at this time.
    pub fn is_up(&self, at: Time) -> bool {
        self.connack.is_some_and(|connack| connack.code == 0 && connack.at <= at) && !self.is_given_up(at)
    }

    /// Whether it was there then: opened before, and not yet over.
    pub fn is_open_at(&self, at: Time) -> bool {
        self.over().is_none_or(|over| over >= at)
    }

    /// Whether an end had shown by then, at the latest, that it gives the link up.
    pub fn is_given_up(&self, at: Time) -> bool {
        Side::BOTH.into_iter().filter_map(|side| *self.signs.get(side)).any(|sign| sign.at < at)
    }

    /// The hub has no session of the device, which held these filters before.
    pub(super) fn owes(&mut self, wanted: &Filters) {
        self.owed.clone_from(wanted);
        if !wanted.is_empty() {
            self.pending.get_or_insert_default().owed.clone_from(wanted);
        }
    }

    /// The device has given these filters up.
    pub(super) fn owes_no_more(&mut self, filters: &[String]) {
        self.owed.drop_all(filters);
        self.gives_back(filters);
    }

    /// Filters were granted. Whether all are held again that were owed.
    pub(super) fn gives_back(&mut self, filters: &[String]) -> bool {
        if let Some(pending) = &mut self.pending {
            pending.owed.drop_all(filters);
            self.tidy();
        }
        !self.owed.is_empty() && self.pending.as_ref().is_none_or(|pending| pending.owed.is_empty())
    }

    /// Whether the device has filters to subscribe to again, the hub having no session for it.
    pub fn must_resubscribe(&self) -> bool {
        self.owed_to_the_end || !self.owed.is_empty()
    }

    /// The keep-alive that the device goes by; zero for none or not known.
    pub fn keep_alive(&self) -> Duration {
        self.greeting.map_or(Duration::ZERO, |greeting| greeting.keep_alive.of_device())
    }

    /// The keep-alive that the hub goes by; zero for none or not known.
    pub fn hub_keep_alive(&self) -> Duration {
        self.greeting.map_or(Duration::ZERO, |greeting| greeting.keep_alive.of_hub())
    }

    /// The moment it was over, for whichever end first.
    pub fn over(&self) -> Option<Time> {
        let signs = Side::BOTH.into_iter().filter_map(|side| Some((*self.signs.get(side))?.at));
        signs.chain(self.cut.map(|(at, _)| at)).chain(self.over_for_device()).min()
    }

    /// The moment it was over for the device: its own sign, or being told.
    pub fn over_for_device(&self) -> Option<Time> {
        self.signs.device.map(|sign| sign.at).into_iter().chain(self.told.device).chain(self.closed).min()
    }

    /// Whether the device left in good order: it said DISCONNECT, and not in answer to an end that it had been told of.
    pub fn took_leave(&self) -> bool {
        let said = self.signs.device.filter(|sign| matches!(sign.showed, Showed::Disconnect(_)));
        said.is_some_and(|sign| self.over_for_device() == Some(sign.at))
    }

    /// Notes a sign of this end; only the first counts. Later news of its last packets is taken in.
    pub(super) fn sign(&mut self, side: Side, at: Time, showed: Showed, last: Option<LastPackets>) {
        let known = latest(*self.last.get(side), last.unwrap_or_default(), at);
        match self.signs.get_mut(side) {
            Some(sign) => {
                // A DISCONNECT is itself the last packet from its end; the silence ran from the one before.
                let news = last.unwrap_or_default();
                let from = news.from.filter(|from| sign.at.since(*from) > STAMPS_APART);
                let before = LastPackets { from, to: news.to };
                sign.last = latest(sign.last, before, sign.at);
            }
            none => {
                *none = Some(Sign { at, showed, last: known });
                if side == Side::Device {
                    self.unanswered = self
                        .pending
                        .as_ref()
                        .and_then(|pending| pending.pings.front())
                        .map(|ping| ping.windows.clone())
                        .unwrap_or_default();
                }
            }
        }
    }

    /// A sign that the socket was deaf to, at an earlier time than its event's. One that was told before, and came later, gives
    /// way to it.
    pub(super) fn sign_seen(&mut self, side: Side, seen: Time, showed: Showed) {
        if self.signs.get(side).is_some_and(|sign| sign.at > seen) {
            *self.signs.get_mut(side) = None;
        }
        self.sign(side, seen, showed, None);
    }

    pub(super) fn told(&mut self, side: Side, at: Time) {
        self.told.get_mut(side).get_or_insert(at);
    }

    /// A fault cuts this end off; what told it before stands.
    pub(super) fn cuts_off(&mut self, side: Side, at: Time) {
        *self.cut_off.get_mut(side) |= self.told.get(side).is_none();
        self.told(side, at);
    }

    /// The FIN to this end waits, or does so no more: only then has it been told.
    pub(super) fn end_waits(&mut self, side: Side, at: Time, waits: bool) {
        if waits {
            let tells = self.told.get_mut(side).take().is_some();
            *self.waits.get_mut(side) = Some(tells);
        } else if self.waits.get_mut(side).take() == Some(true) {
            self.told(side, at);
        }
    }

    pub(super) fn heard(&mut self, side: Side, news: LastPackets) {
        let last = self.last.get_mut(side);
        *last = latest(*last, news, Time::MAX);
    }

    pub(super) fn ping(&mut self, at: Time) {
        let pings = &mut self.pending.get_or_insert_default().pings;
        if pings.len() < MOST_PINGS {
            let windows = self.in_force.clone();
            pings.push_back(Ping { at, sound: windows.is_empty(), windows, lost: None });
        }
    }

    /// A fault dropped a PINGREQ, or the PINGRESP to the oldest one that waits.
    pub(super) fn drops(&mut self, seq: u64, at: Time, packet: &Packet) {
        let Some(pings) = self.pending.as_mut().map(|pending| &mut pending.pings) else { return };
        let lost = match packet {
            Packet::Pingreq => pings.back_mut().filter(|ping| ping.at == at),
            Packet::Pingresp => pings.iter_mut().find(|ping| ping.lost.is_none()),
            _ => None,
        };
        if let Some(ping) = lost {
            ping.lost = Some(seq);
        }
    }

    /// Whether the device still waits for an answer that a fault kept from it.
    pub(super) fn waits_in_vain(&self) -> bool {
        self.pending.iter().flat_map(|pending| &pending.pings).any(|ping| ping.lost.is_some())
    }

    /// The window whose fault dropped this packet.
    pub(super) fn dropped_by(&mut self, seq: u64, window: WindowId) {
        let pings = self.pending.iter_mut().flat_map(|pending| &mut pending.pings);
        for ping in pings.filter(|ping| ping.lost == Some(seq) && !ping.windows.contains(&window)) {
            ping.windows.push(window);
        }
    }

    /// A fault holds on it from now on.
    pub(super) fn falls(&mut self, window: WindowId) {
        self.in_force.push(window);
        let pending = self.pending.iter_mut();
        pending.flat_map(|pending| &mut pending.pings).for_each(|ping| ping.sound = false);
    }

    /// A fault holds no more.
    pub(super) fn lifts(&mut self, window: WindowId) {
        let before = self.in_force.len();
        self.in_force.retain(|held| *held != window);
        self.settling |= self.in_force.len() < before;
    }

    /// Timings were told: the windows they were taken under, and whether all of them are of a sound path.
    pub(super) fn timed(&mut self) -> (Vec<WindowId>, bool) {
        let settling = std::mem::take(&mut self.settling);
        (self.in_force.clone(), self.in_force.is_empty() && !settling)
    }

    /// A packet arrived; where it waits, `delivered` follows when its number is forwarded.
    pub(super) fn arrived(&mut self, at: Time, direction: Direction) {
        self.heard(direction.from(), LastPackets { from: Some(at), to: None });
    }

    pub(super) fn hold(&mut self, seq: u64, direction: Direction, delivery: Delivery) {
        self.connect_waited |= delivery == Delivery::Connect;
        self.pending.get_or_insert_default().waiting.insert(seq, (direction, delivery));
    }

    pub(super) fn release(&mut self, seq: u64) -> Option<(Direction, Delivery)> {
        let waited = self.pending.as_mut()?.waiting.remove(&seq);
        self.tidy();
        waited
    }

    /// A packet was passed on. Answers with the round trip of a PINGREQ, where it ends one.
    pub(super) fn delivered(
        &mut self,
        at: Time,
        direction: Direction,
        delivery: Delivery,
    ) -> Option<RoundTrip> {
        self.heard(direction.to(), LastPackets { from: None, to: Some(at) });
        // What a fault let through only when the device had gone reached nobody.
        if direction == Direction::Down && self.signs.device.is_some() {
            return None;
        }
        match delivery {
            Delivery::Connect => {
                self.asked.get_or_insert(at);
            }
            Delivery::Connack => {
                if let Some(connack) = &mut self.connack {
                    connack.delivered.get_or_insert(at);
                }
            }
            Delivery::Resubscribed => {
                self.resubscribed.get_or_insert(at);
            }
            Delivery::Disconnect => self.told(direction.to(), at),
            Delivery::Pingresp => {
                let pings = &mut self.pending.as_mut()?.pings;
                while pings.front().is_some_and(|ping| ping.lost.is_some()) {
                    pings.pop_front();
                }
                let answered = pings.pop_front();
                self.tidy();
                let Ping { at: asked, windows, sound, lost: _ } = answered?;
                // What a device that had given the link up by then was sent is no answer.
                let heard = self.signs.device.is_none();
                return heard.then(|| RoundTrip { took: at.since(asked), windows, sound });
            }
            Delivery::Other => {}
        }
        None
    }

    fn tidy(&mut self) {
        self.pending.take_if(|pending| pending.is_nothing());
    }

    /// Nothing more comes of it: what only a live link needs goes.
    pub(super) fn close(&mut self, at: Time) {
        self.closed = Some(at);
        self.owed_to_the_end |= !self.owed.is_empty();
        self.owed.clear();
        self.in_force = Vec::new();
        self.pending = None;
    }
}

/// The later of each, as far as not after `until`.
fn latest(a: LastPackets, b: LastPackets, until: Time) -> LastPackets {
    let later = |a: Option<Time>, b: Option<Time>| a.max(b.filter(|at| *at <= until));
    LastPackets { from: later(a.from, b.from), to: later(a.to, b.to) }
}

/// A device over its links.
#[derive(Clone, Debug, Default)]
pub struct DeviceFacts {
    /// Its links, oldest first.
    pub links: Vec<LinkId>,
    /// The filters it wants: subscribed to once, and not given up.
    pub wanted: Filters,
    /// Gaps between its packets on a sound path.
    pub control_gap: Samples,
    /// Round trips of its QoS 1 and 2 PUBLISH packets.
    pub publish_rtt: Samples,
    /// Round trips of its PINGREQs.
    pub ping_rtt: Samples,
    /// Those of both during which no fault held.
    pub sound: RoundTrips,
    /// Gaps over its keep-alive.
    pub violations: u64,
    /// The subject of the certificate that it presented last.
    pub subject: Option<Box<str>>,
    /// Its latest keep-alive, where a fault or the profile made it another on the way.
    pub rewritten: Option<KeepAlive>,
}

/// Round trips, by what they are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoundTrips {
    /// Of PINGREQs.
    pub ping: Samples,
    /// Of QoS 1 and 2 PUBLISH packets.
    pub publish: Samples,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_remembered_in_little() {
        let size = size_of::<Link>();
        assert!(size <= 700, "{size} bytes; a run of hours may have a million links");
        let size = size_of::<Wrapped>();
        assert!(size <= 220, "{size} bytes more with TLS");
        // A window of one fault on one link, with its round trips.
        let size = size_of::<Window>() + size_of::<Applied>();
        assert!(size <= 430, "{size} bytes");
    }
}
