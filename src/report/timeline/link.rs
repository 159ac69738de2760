//! A link on its way through a run, as its device's lane shows it.

use super::lane::State;
use super::marks::Kind;
use crate::base::{DeviceId, Direction, Ends, LinkId, Side, Time, WindowId};
use crate::event::{Event, Packet, Traffic, What};
use crate::fault::{Ending, LegFate, Mechanism};
use std::collections::BTreeSet;
use std::time::Duration;

/// A gap counts as longer than the keep-alive from a tenth over it, at least 100 ms, as everywhere in the report.
const TOLERANCE_SHARE: u32 = 10;
const TOLERANCE_LEAST: Duration = Duration::from_millis(100);

/// A link.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub device: Option<DeviceId>,
    pub opened: Time,
    /// Whether each end knows that it is over.
    pub gone: Ends<bool>,
    /// Whether each end would know, but for a FIN that waits behind what it does not take.
    waits: Ends<bool>,
    answer: Option<u8>,
    /// What waits in brownout, by the number of its event.
    held: Option<(u64, Held)>,
    /// The windows that stop what an end of it sends.
    hidden_by: BTreeSet<WindowId>,
    keep_alive: Duration,
    last_up: Option<Time>,
    closed: bool,
}

/// A packet that changes the link when it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// CONNACK with this code and Server Keep Alive.
    Connack(u8, Option<u16>),
    /// DISCONNECT for this end.
    Goodbye(Side),
}

/// What an event meant for the lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// What to mark, and how often it happened: two kinds at the most.
    marks: [Option<(Kind, u64)>; 2],
    /// It turns out that the device was silent since then.
    pub silent_since: Option<Time>,
    /// A CONNECT came.
    pub is_connect: bool,
    /// A CONNACK accepted the device.
    pub is_accepted: bool,
}

impl Outcome {
    /// What to mark, and how often it happened.
    pub fn marks(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        self.marks.iter().copied().flatten()
    }

    fn mark(&mut self, kind: Kind) {
        self.mark_many(kind, 1);
    }

    fn mark_many(&mut self, kind: Kind, count: u64) {
        let free = self.marks.iter_mut().find(|mark| mark.is_none());
        debug_assert!(free.is_some(), "no room for {kind:?}");
        free.into_iter().for_each(|mark| *mark = Some((kind, count)));
    }
}

/// The link that an event tells of, where the timeline shows anything of it.
pub(super) fn of(what: &What) -> Option<LinkId> {
    match what {
        What::Packet { link, .. }
        | What::Forwarded { link, .. }
        | What::FirstData { link, .. }
        | What::KeepaliveExceeded { link, .. }
        | What::LegEnded { link, .. }
        | What::LegCut { link, .. }
        | What::EndCarried { link, .. }
        | What::EndWaits { link, .. }
        | What::HubUnreachable { link, .. }
        | What::FaultApplied { link, .. }
        | What::FaultLifted { link, .. }
        | What::LinkClosed { link, .. } => Some(*link),
        What::Traffic(traffic) => Some(traffic.link),
        _ => None,
    }
}

impl Link {
    pub fn new(opened: Time) -> Link {
        Link {
            device: None,
            opened,
            gone: Ends::default(),
            waits: Ends::default(),
            answer: None,
            held: None,
            hidden_by: BTreeSet::new(),
            keep_alive: Duration::ZERO,
            last_up: None,
            closed: false,
        }
    }

    /// What it is like.
    pub fn state(&self) -> State {
        match (self.answer, self.gone.device, self.gone.hub) {
            _ if self.closed => State::Down,
            (_, true, true) | (None | Some(1..), true, false) => State::Down,
            (None, false, _) => State::Connecting,
            (Some(0), false, false) if self.hidden_by.is_empty() => State::Connected,
            (Some(0), false, false) => State::Silent,
            (Some(0), true, false) => State::HubBelieves,
            (Some(0), false, true) => State::DeviceBelieves,
            (Some(1..), false, _) => State::Refused,
        }
    }

    /// Since when the device is silent that sends no more until then; `None` if it is in time, or hidden.
    pub fn silent_since(&self, now: Time) -> Option<Time> {
        let is_seen = self.state() == State::Connected && !self.keep_alive.is_zero();
        let since = self.last_up? + self.patience();
        (is_seen && since < now).then_some(since)
    }

    /// What was last heard before then is not known: it is not held to have been silent by then.
    pub fn is_heard_of_at(&mut self, now: Time) {
        self.last_up = self.last_up.max(Some(now));
    }

    /// Takes in one event of its own.
    pub fn push(&mut self, event: &Event) -> Outcome {
        let mut outcome = Outcome::default();
        match &event.what {
            What::Packet { direction, held, dropped, passed, packet, .. } => {
                let arrives = packet.passed_on(*dropped, passed.as_deref());
                self.packet(event, *direction, packet, &mut outcome);
                self.passes(event.seq, *held, arrives, *direction, &mut outcome);
            }
            What::Forwarded { packet_seq, .. } => {
                if let Some((_, held)) = self.held.take_if(|(seq, _)| seq == packet_seq) {
                    self.arrives(held, &mut outcome);
                }
            }
            What::FirstData { direction: Direction::Down, .. } if self.answer.is_none() => {
                self.arrives(Held::Connack(0, None), &mut outcome);
            }
            What::Traffic(traffic) => self.traffic(traffic, &mut outcome),
            What::KeepaliveExceeded { gap_ns, took_ns, .. } => {
                let before = event.at - Duration::from_nanos(*took_ns) - Duration::from_nanos(*gap_ns);
                outcome.silent_since = Some(before + self.patience());
                outcome.mark(Kind::Late);
            }
            What::LegEnded { side, how, .. } => {
                outcome.mark(sign(*side, *how));
                *self.gone.get_mut(*side) = true;
            }
            What::LegCut { side, fate, .. } => {
                outcome.mark(by_side(*side, Kind::DeviceCut, Kind::HubCut));
                *self.gone.get_mut(*side) |= !matches!(fate, LegFate::HalfOpen | LegFate::ResetWhenSends);
            }
            What::EndCarried { to, .. } => {
                outcome.mark(by_side(*to, Kind::DeviceTold, Kind::HubTold));
                *self.gone.get_mut(*to) = true;
            }
            What::EndWaits { to, unsent, .. } => {
                let (gone, waits) = (self.gone.get_mut(*to), self.waits.get_mut(*to));
                if *unsent > 0 {
                    *waits = std::mem::take(gone);
                } else {
                    *gone |= std::mem::take(waits);
                }
            }
            What::HubUnreachable { .. } => outcome.mark(Kind::Unreachable),
            What::FaultApplied { window, means, .. } if hides(*means) => _ = self.hidden_by.insert(*window),
            What::FaultLifted { window, .. } => _ = self.hidden_by.remove(window),
            What::LinkClosed { .. } => self.closed = true,
            _ => {}
        }
        outcome
    }

    /// What a packet says of its sender.
    fn packet(&mut self, event: &Event, direction: Direction, packet: &Packet, outcome: &mut Outcome) {
        if direction == Direction::Up {
            self.last_up = Some(event.at);
        }
        if let Some(kind) = kind(direction, packet) {
            outcome.mark(kind);
        }
        match packet {
            Packet::Connect { keep_alive, .. } if direction == Direction::Up => {
                self.keep_alive = seconds(*keep_alive);
                outcome.is_connect = true;
            }
            Packet::Disconnect { .. } => *self.gone.get_mut(direction.from()) = true,
            _ => {}
        }
    }

    /// What it says to its receiver, now or once it is passed on.
    fn passes(
        &mut self,
        seq: u64,
        held: bool,
        arrives: Option<&Packet>,
        direction: Direction,
        outcome: &mut Outcome,
    ) {
        let what = match (arrives, direction) {
            (Some(Packet::Connack { code, server_keep_alive, .. }), Direction::Down) => {
                Held::Connack(*code, *server_keep_alive)
            }
            (Some(Packet::Disconnect { .. }), _) => Held::Goodbye(direction.to()),
            (Some(_) | None, _) => return,
        };
        if held {
            self.held = Some((seq, what));
        } else {
            self.arrives(what, outcome);
        }
    }

    fn arrives(&mut self, what: Held, outcome: &mut Outcome) {
        match what {
            Held::Goodbye(side) => *self.gone.get_mut(side) = true,
            Held::Connack(code, keep_alive) => {
                self.keep_alive = keep_alive.map_or(self.keep_alive, seconds);
                self.answer = Some(code);
                outcome.is_accepted = code == 0;
            }
        }
    }

    fn traffic(&mut self, traffic: &Traffic, outcome: &mut Outcome) {
        self.last_up = self.last_up.max(traffic.last.device.from);
        let publishes =
            [(Kind::PublishUp, traffic.up.publishes), (Kind::PublishDown, traffic.down.publishes)];
        let told = publishes.into_iter().filter(|(_, count)| *count > 0);
        told.for_each(|(kind, count)| outcome.mark_many(kind, count));
    }

    /// How long the device may be silent.
    fn patience(&self) -> Duration {
        self.keep_alive + (self.keep_alive / TOLERANCE_SHARE).max(TOLERANCE_LEAST)
    }
}

fn seconds(seconds: u16) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

/// Whether a fault by these means stops what a peer sends.
fn hides(means: Ends<Option<Mechanism>>) -> bool {
    let hides = |by| matches!(by, Some(Mechanism::Filter | Mechanism::MinTtl | Mechanism::Gate));
    hides(means.device) || hides(means.hub)
}

fn by_side(side: Side, device: Kind, hub: Kind) -> Kind {
    match side {
        Side::Device => device,
        Side::Hub => hub,
    }
}

fn sign(side: Side, how: Ending) -> Kind {
    match how {
        Ending::Fin | Ending::Unnotified => by_side(side, Kind::DeviceFin, Kind::HubFin),
        Ending::Alert => by_side(side, Kind::DeviceAlert, Kind::HubAlert),
        Ending::Reset => by_side(side, Kind::DeviceRst, Kind::HubRst),
        Ending::WsClose => by_side(side, Kind::DeviceWsClose, Kind::HubWsClose),
    }
}

/// The mark of a packet; PUBLISH packets are marked by their counts.
fn kind(direction: Direction, packet: &Packet) -> Option<Kind> {
    let other = by_side(direction.from(), Kind::OtherUp, Kind::OtherDown);
    Some(match packet {
        Packet::Connect { .. } => Kind::Connect,
        Packet::Connack { code: 0, .. } => Kind::Connack,
        Packet::Connack { .. } => Kind::Refusal,
        Packet::Publish { .. } => return None,
        Packet::Subscribe { .. } => Kind::Subscribe,
        Packet::Suback { .. } => Kind::Suback,
        Packet::Pingreq => Kind::Pingreq,
        Packet::Pingresp => Kind::Pingresp,
        Packet::Disconnect { .. } => by_side(direction.from(), Kind::DeviceDisconnect, Kind::HubDisconnect),
        Packet::Puback
        | Packet::Pubrec
        | Packet::Pubrel
        | Packet::Pubcomp
        | Packet::Unsubscribe { .. }
        | Packet::Unsuback
        | Packet::Auth { .. }
        | Packet::Unreadable { .. } => other,
    })
}
