//! Live progress: notable moments as lines, and the state of things at any time.
//!
//! A fold beside the measures: whether an end has noticed, and what a device is back from, is asked of them, so that no line says
//! otherwise than the report will. Devices that a firing hits at once are told together, and of each kind of moment only so
//! much is told in a second; the report has it all.

mod budget;
mod firings;
mod handshakes;
mod links;
mod packets;
mod status;
mod wait;

use self::budget::{Budget, Kind};
use self::firings::Firing;
use self::handshakes::Handshakes;
use self::links::{Track, how_words};
use self::wait::Wait;
use crate::base::text::printable;
use crate::base::{DeviceId, Direction, FiringId, LinkId, RuleId, Side, Time, WindowId};
use crate::event::{EndReason, Event, Packet, What};
use crate::fault::Mechanism;
use crate::measure::Measures;
use crate::profile::Plan;
use crate::report::table::wrap;
use crate::report::words::{self, count, seconds};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The fold.
#[derive(Clone, Debug)]
pub struct Live {
    plan: Plan,
    budget: Budget,
    /// A firing whose windows are still being opened: told when all are known.
    fresh: Option<FiringId>,
    /// The firings with windows still open.
    firings: BTreeMap<FiringId, Firing>,
    /// The windows that are open.
    windows: BTreeMap<WindowId, (FiringId, DeviceId)>,
    /// The latest window of each rule that fell on a link of a device.
    tracks: BTreeMap<(DeviceId, RuleId), Track>,
    /// Handshakes that meet a fault.
    handshakes: Handshakes,
    /// The codes of CONNACKs that wait in brownout, by their link and the number of their event.
    held: BTreeMap<(LinkId, u64), u8>,
    /// Links whose end has been told, or that a fault has cut, until they close.
    ended: BTreeSet<LinkId>,
    /// Who said DISCONNECT before the hub had answered its CONNECT.
    early: BTreeMap<LinkId, Side>,
    /// The command beside the run was told to end.
    stopped: bool,
    /// How many firings were left out.
    skipped: u64,
    /// Nobody has connected yet.
    wait: Wait,
}

impl Live {
    /// Of a run of this plan.
    pub fn new(plan: &Plan) -> Live {
        Live {
            plan: plan.clone(),
            budget: Budget::default(),
            fresh: None,
            firings: BTreeMap::new(),
            windows: BTreeMap::new(),
            tracks: BTreeMap::new(),
            handshakes: Handshakes::default(),
            held: BTreeMap::new(),
            ended: BTreeSet::new(),
            early: BTreeMap::new(),
            stopped: false,
            skipped: 0,
            wait: Wait::default(),
        }
    }

    /// Takes in one event that these measures have taken in; answers with what is worth telling, a line or some.
    pub fn push(&mut self, event: &Event, measures: &Measures) -> Option<String> {
        self.wait.push(&event.what);
        let is_over = matches!(event.what, What::RunEnded { .. });
        // First, since what is put in words depends on how much of this second was told.
        let mut lines: Vec<String> = self.budget.left_out(event.at, is_over).into_iter().collect();
        let fresh = self.told_fresh(&event.what, measures);
        let now = |(kind, text)| (kind, event.at, text);
        let signs = self.signs(event, measures).into_iter().map(now);
        let moment = self.moment(event, measures).map(now);
        for (kind, since, text) in fresh.into_iter().chain(signs).chain(moment) {
            if self.budget.allows(kind) {
                lines.push(line(since, &text));
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// When there is something to tell though nothing happens.
    pub fn deadline(&self) -> Option<Time> {
        self.wait.deadline()
    }

    /// At the deadline: what there is to tell. Before it, nothing.
    pub fn tick(&mut self, now: Time) -> Option<String> {
        let text = self.wait.tick(now, self.plan.duration.is_some())?;
        Some(line(now, &text))
    }

    /// A moment in words, which in a storm nobody asks for: then without.
    fn told(&self, kind: Kind, words: impl FnOnce() -> String) -> (Kind, String) {
        (kind, if self.budget.has_room(kind) { words() } else { String::new() })
    }

    fn moment(&mut self, event: &Event, measures: &Measures) -> Option<(Kind, String)> {
        let now = event.at;
        match &event.what {
            What::Fired { firing, rule, .. } => {
                self.fresh = Some(*firing);
                self.firings.insert(*firing, Firing::new(*rule, now));
                None
            }
            What::Skipped { rule, first, last, late_ns } => {
                self.skipped += u64::from(last.saturating_sub(*first)) + 1;
                let which = if first == last {
                    format!("firing {first}")
                } else {
                    format!("firings {first} to {last}")
                };
                let were = if first == last { "was" } else { "were" };
                let late = seconds(Duration::from_nanos(*late_ns).as_secs_f64());
                let rule = self.rule(*rule);
                Some((Kind::Skipped, format!("{rule}: {which} {were} skipped: brownout was {late} late")))
            }
            What::WindowOpened { window, firing, device, until, .. } => {
                self.opened(*window, *firing, *device, *until);
                None
            }
            What::FaultApplied { window, link, means, .. } => {
                if means.device == Some(Mechanism::Handshake) {
                    return self.handshake_met(now, *window, *link, measures);
                }
                self.applied(now, *window, measures);
                None
            }
            What::FaultRefused { window, error, .. } => {
                let (firing, _) = self.windows.get(window)?;
                let firing = self.firings.get(firing)?;
                Some((Kind::Trouble, format!("{}: REFUSED: {}", self.rule(firing.rule), printable(error))))
            }
            What::WindowClosed { window } => Some((Kind::Restored, self.closed(now, *window, measures)?)),
            // They were told to.
            What::LegEnded { .. } | What::Packet { packet: Packet::Disconnect { .. }, .. }
                if self.stopped =>
            {
                None
            }
            What::LegEnded { link, side, how, error, .. } => {
                let how = how_words(*how, error.as_deref());
                // What follows a DISCONNECT that came before the CONNACK is its consequence.
                if let Some(side) = self.early.remove(link) {
                    return self.ends(*link, side, "DISCONNECT", measures);
                }
                match side {
                    Side::Device if self.handshakes.is_met(*link) => {
                        self.handshake_left(now, *link, &how, measures)
                    }
                    Side::Device | Side::Hub => self.ends(*link, *side, &how, measures),
                }
            }
            What::Packet { link, direction, packet: Packet::Disconnect { .. }, .. } => {
                if measures.sessions().link(*link).is_some_and(|link| link.connack.is_none()) {
                    self.early.insert(*link, direction.from());
                }
                self.ends(*link, direction.from(), "DISCONNECT", measures)
            }
            What::LegCut { link, side, fate, window, .. } => self.cut(*link, *side, *fate, *window, measures),
            What::Altered { window, what, .. } => self.altered(*window, what, measures),
            What::Rival { window, news, .. } => {
                self.applied(now, *window, measures);
                self.rival(*window, news, measures)
            }
            What::Packet {
                link,
                direction: Direction::Down,
                packet: packet @ Packet::Connack { .. },
                held,
                dropped,
                passed,
            } => {
                let code = packets::code_passed(packet, *dropped, passed.as_deref())?;
                // A finding, and no news of its device.
                measures.sessions().link(*link).filter(|link| !link.accepted_before)?;
                if *held {
                    self.held.insert((*link, event.seq), code);
                    None
                } else {
                    self.answered(now, *link, code, measures)
                }
            }
            What::Forwarded { link, packet_seq } => {
                let code = self.held.remove(&(*link, *packet_seq))?;
                self.answered(now, *link, code, measures)
            }
            What::LinkClosed { link, .. } => {
                while let Some((&held, _)) = self.held.range((*link, 0)..=(*link, u64::MAX)).next() {
                    self.held.remove(&held);
                }
                self.ended.remove(link);
                self.early.remove(link);
                self.handshakes.forget(*link);
                None
            }
            What::TlsEstablished { link, side: Side::Device, .. } => {
                self.handshake_done(now, *link, measures)
            }
            What::FirstData { link, direction: Direction::Down } => self.answered(now, *link, 0, measures),
            What::HubUnreachable { error, .. } => trouble("hub unreachable", error),
            What::AcceptFailed { error, .. } => trouble("accept failed", error),
            What::ConnectAstray { peer, .. } => trouble("a connect to brownout itself was reset", peer),
            What::ListenerMuteRefused { error, .. } => trouble("mute REFUSED", error),
            What::NotMqtt { direction: Direction::Up, reason, .. } => {
                trouble("a device cannot be read as MQTT", reason)
            }
            What::TlsFailed { side, error, .. } => {
                trouble(&format!("TLS with the {} failed", side.word()), error)
            }
            What::HeldUp { late_ns } => Some((
                Kind::HeldUp,
                format!(
                    "brownout itself was held up for {} or more: times may be off by as much",
                    seconds(Duration::from_nanos(*late_ns).as_secs_f64())
                ),
            )),
            What::CommandStopped => {
                self.stopped = true;
                None
            }
            What::CommandEnded { code } => Some((
                Kind::Over,
                code.map_or("command ended by a signal".into(), |code| {
                    format!("command ended with code {code}")
                }),
            )),
            What::RunEnded { reason } => Some((Kind::Over, format!("run ended: {}", self.why(*reason)))),
            What::RunStarted(_)
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::CaptureClosed { .. }
            | What::Wire { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::Dropped { .. }
            | What::LinkOpened { .. }
            | What::LinkIdentified { .. }
            | What::EndCarried { .. }
            | What::EndWaits { .. }
            | What::FaultLifted { .. }
            | What::Traffic(_)
            | What::HubConnected { .. }
            | What::DeviceNamed { .. }
            | What::Packet { .. }
            | What::FaultMessage { .. }
            | What::Delivery { .. }
            | What::Message { .. }
            | What::WillDelivered { .. }
            | What::FirstPublish { .. }
            | What::NotMqtt { direction: Direction::Down, .. }
            | What::Malformed { .. }
            | What::TlsHello { .. }
            | What::TlsEstablished { side: Side::Hub, .. }
            | What::FirstData { direction: Direction::Up, .. }
            | What::WsUpgraded { .. }
            | What::WsClosed { .. }
            | What::KeepaliveExceeded { .. } => None,
        }
    }

    fn why(&self, reason: EndReason) -> String {
        match (reason, self.skipped) {
            (EndReason::Complete, 1..) => {
                format!("nothing more is to come of any rule, but {} skipped", count(self.skipped, "firing"))
            }
            (reason, _) => reason.words().to_owned(),
        }
    }

    fn rule(&self, rule: RuleId) -> String {
        words::rule_name(&self.plan, rule)
    }

    fn fault(&self, rule: RuleId) -> String {
        self.plan.rule(rule).map(|rule| words::fault(&rule.fault)).unwrap_or_default()
    }
}

fn trouble(what: &str, error: &str) -> Option<(Kind, String)> {
    Some((Kind::Trouble, format!("{what}: {}", printable(error))))
}

/// What is told of a moment, wrapped behind its time.
fn line(since: Time, text: &str) -> String {
    wrap(&format!("{:>9}  ", at(since)), text).trim_end().to_owned()
}

/// A time of the run: `12.34 s`.
fn at(time: Time) -> String {
    format!("{:.2} s", time.elapsed().as_secs_f64())
}

fn span(span: Duration) -> String {
    seconds(span.as_secs_f64())
}
