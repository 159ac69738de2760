//! Who noticed, and after how long: the signs of both ends that a fault's link is gone.
//!
//! A sign counts for a fault that holds if it came before the path was restored. For one that breaks links it counts
//! after that too, from an end that had nothing to do with the link in between (the device sent nothing, the hub was
//! sent nothing), for two keep-alives and until another such fault falls on the link. Where the kernel
//! dropped the end's packets, its FIN or RST was not seen when it was sent: the sign is an upper bound, and one that
//! comes soon after the mute (as long as it lasted, and a second more: the sender's retransmission has doubled its
//! pause until then) is still the fault's. Where a tap saw all that arrived meanwhile, nothing was hidden: the sign is exact,
//! and none that was seen is none; but for an end whose data was sent again, which keeps its FIN back (see [`super::wire`]).
//! So it is where another fault drops them while this one holds on the link, from when on it does.
//! A hub that was left unread may have given its sign at any time since: it stood behind what was not read.

use super::cause;
use super::facts::{Applied, Link, Muted, RETRANSMISSION_GRACE, Showed, Sign, Window};
use super::fold::Measures;
use super::recovery::Outage;
use super::value::Value;
use super::wire::WireResults;
use crate::base::{Ends, LinkId, Side, Time, WindowId};
use crate::event::LastPackets;
use crate::fault::{Blackhole, Fault, FidelityWanted, LegFate, Mechanism, WaysWanted};
use std::collections::BTreeSet;
use std::time::Duration;

/// By so many keep-alives after the path was restored, a sound device has sent something (one), and a hub has timed
/// out one that has not (one and a half).
const LEFT_OVER_KEEP_ALIVES: u32 = 2;

/// By so long after a packet that was put in, an end that minds it has left.
const ANSWER_TO_A_PACKET: Duration = Duration::from_secs(5);

/// A window with the link that its fault found up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Struck<'a> {
    pub measures: &'a Measures,
    number: WindowId,
    pub window: &'a Window,
    pub fault: &'a Fault,
    /// When the fault began to hold: where every measure starts.
    pub start: Time,
    /// From when signs count: the start, or the cut of the link where that was noted a moment before it.
    since: Time,
    /// Whether this window's fault cut the link.
    is_cut: bool,
    /// Whether nothing of it is ever lifted from the link: a one-shot, a cut, a link forgotten or taken over.
    pub for_good: bool,
    pub id: LinkId,
    pub link: &'a Link,
    applied: Applied,
    /// When the run, as far as known, ends, or devices are told to: nothing that comes later counts.
    pub end: Time,
}

/// What one end showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Its sign, if it is the fault's.
    pub sign: Option<Sign>,
    /// From the start of the fault to the sign.
    pub detection: Option<Value>,
    /// From its last packet (the device) or the last packet for it (the hub) to the sign.
    pub silence: Option<Value>,
    /// When brownout told it instead, before any sign.
    pub told: Option<Time>,
    /// Whether it was a fault that told it, by its cut, and not the other end's end.
    pub cut_off: bool,
    /// It was to be told by a FIN, which was not sent: it stands behind what the end did not take.
    pub waits: bool,
}

impl Noticed {
    /// Connects could not be seen from then on, or not whose they were. Where the sign is one, the device may have tried before. One
    /// whose leg the fault had ended and that showed none may have, too, and was watched until then.
    pub fn connects_unseen(&mut self, start: Time, from: Time) {
        if let (Some(_), Some(Value::Never { watched })) = (self.told, &mut self.detection) {
            *watched = (*watched).min(from.since(start));
            return;
        }
        let sign = self.sign.filter(|sign| sign.showed == Showed::Connect);
        let (Some(sign), Some(Value::Exact(before))) = (sign, self.detection) else { return };
        let detection = Value::bracket(from.since(start), before);
        self.detection = Some(detection);
        self.silence =
            self.silence.and(sign.last.from.and_then(|last| silence(start, detection, last, sign.at)));
    }
}

impl Noticed {
    /// Of a device that is not told from others: a connect is no sign of its, and that none came shows nothing.
    pub fn of_one_of_several(self) -> Noticed {
        let is_connect = self.sign.is_some_and(|sign| sign.showed == Showed::Connect);
        let is_never = matches!(self.detection, Some(Value::Never { .. }));
        if is_connect || is_never { Noticed::default() } else { self }
    }
}

impl<'a> Struck<'a> {
    /// The links that the fault found up: of one that falls on each link by itself, every one of them, oldest first; else
    /// the newest that was there when the window opened.
    pub fn all(measures: &'a Measures, number: WindowId, window: &'a Window, end: Time) -> Vec<Struck<'a>> {
        let Some(rule) = measures.plan.rule(window.rule) else { return Vec::new() };
        if !rule.fault.falls_on_each_link() {
            return Struck::find(measures, number, window, end).into_iter().collect();
        }
        let mut seen = BTreeSet::new();
        let first = window.applied.iter().filter(|applied| seen.insert(applied.link));
        let found = first.filter_map(|applied| {
            let link = measures.links.get(&applied.link)?;
            let since = begins(link, number, &rule.fault, applied.at);
            let is_cut = link.cut.is_some_and(|(_, by)| by == Some(number));
            // A CONNECT that was refused is an attempt of the outage, not a link lost.
            let is_refused = matches!(link.fate, Some(LegFate::Rejected(_)));
            let is_struck = (is_cut || link.is_up(since)) && !is_refused;
            is_struck.then(|| Struck::on(measures, number, window, &rule.fault, *applied, link, since, end))
        });
        found.collect()
    }

    /// The newest link of the window's device that the fault found up, or the first that it came about on, where it waits for
    /// packets; `None` where it found none.
    ///
    /// An attempt that no CONNACK has accepted yet is up only for faults that end it (its reset is a reset) or leave it
    /// be (it may yet be accepted): a device that tries in the dark has nothing left to find dead.
    fn find(measures: &'a Measures, number: WindowId, window: &'a Window, end: Time) -> Option<Struck<'a>> {
        let start = window.start()?;
        let fault = &measures.plan.rule(window.rule)?.fault;
        let attempts_count = fault.is_one_shot() || !fault.breaks_link();
        // A fault that waits for what it falls on may find it on a later link.
        let waits = !fault.is_level() && !fault.is_one_shot();
        let found = window.applied.iter().filter_map(|applied| {
            let link = measures.links.get(&applied.link)?;
            let since = counts_from(link, number, applied.at);
            let is_there = (waits || link.opened <= window.opened) && !link.is_given_up(since);
            (is_there && (attempts_count || link.is_up(since))).then_some((link, *applied, since))
        });
        let up_and_which = |(link, applied, since): &(&Link, Applied, Time)| {
            // Of a fault of packets that goes on over the device's links, the first is where it began.
            let which = if waits { u64::MAX - applied.link.0 } else { applied.link.0 };
            (link.is_up(*since), which)
        };
        let (link, applied, _) = found.max_by_key(up_and_which)?;
        let since = counts_from(link, number, start);
        let applied = Applied { at: start, ..applied };
        Some(Struck::on(measures, number, window, fault, applied, link, since, end))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the facts that a strike is made of, put together in one place"
    )]
    fn on(
        measures: &'a Measures,
        number: WindowId,
        window: &'a Window,
        fault: &'a Fault,
        applied: Applied,
        link: &'a Link,
        since: Time,
        end: Time,
    ) -> Struck<'a> {
        let is_cut = link.cut.is_some_and(|(_, by)| by == Some(number));
        let for_good = fault.is_for_good(is_cut);
        let (start, id) = (applied.at, applied.link);
        Struck { measures, number, window, fault, start, since, is_cut, for_good, id, link, applied, end }
    }

    /// What both ends showed.
    fn noticed(&self) -> Ends<Noticed> {
        Ends { device: self.by(Side::Device), hub: self.by(Side::Hub) }
    }

    /// The same, and whether the link was lost: where no link depends on the fault, or there was none to lose, nobody noticed
    /// anything.
    pub fn shown(&self) -> (Ends<Noticed>, bool) {
        let noticed = self.noticed();
        let is_lost = self.is_lost(&noticed);
        let is_nobodys = self.leaves_links_up() || (!is_lost && self.was_refused());
        (if is_nobodys { Ends::default() } else { noticed }, is_lost)
    }

    /// Whether the device may have noticed with its sign dropped in the kernel.
    pub fn hides_the_device(&self) -> bool {
        self.is_hidden(Side::Device, self.watched_until())
    }

    /// The device's links after the struck one, oldest first.
    pub fn later_links(&self) -> impl Iterator<Item = (LinkId, &'a Link)> + use<'a> {
        let (measures, id, since, end) = (self.measures, self.id, self.since, self.end);
        let links = measures.devices.get(&self.window.device).map_or(&[][..], |device| &device.links);
        links
            .iter()
            .filter(move |later| **later > id)
            .filter_map(move |later| Some((*later, measures.links.get(later)?)))
            .filter(move |(_, link)| (since..=end).contains(&link.opened))
    }

    /// When the device tried to connect since, seen by a tap alone: nobody accepted it. A connect before it was last known to
    /// go on over this link was somebody else's at its address.
    pub fn unanswered(&self) -> impl Iterator<Item = Time> + use<'a> {
        let (end, since) = (self.end, self.since.max(self.went_on().unwrap_or(self.since)));
        self.measures.wire.unanswered(self.window.device, since).filter(move |at| *at <= end)
    }

    /// When the device last said something new over this link: in the dark, as a tap saw, or so long after that it cannot be
    /// what it had said in the dark.
    fn went_on(&self) -> Option<Time> {
        let until = self.watched_until();
        let in_the_dark = self.measures.wire.last_fresh(self.id, Side::Device, self.start, until);
        let latest = until + until.since(self.start) + RETRANSMISSION_GRACE;
        let after = life(Side::Device, self.link.last.device).filter(|at| *at > latest);
        in_the_dark.max(after)
    }

    /// Whether a tap saw all that came until then.
    pub fn has_tap(&self, until: Time) -> bool {
        self.measures.wire.is_whole(self.start, until)
    }

    /// What a tap saw of it.
    pub fn on_wire(&self) -> Option<WireResults> {
        let before = self.measures.wire.has_repeats(self.id).then(|| self.closed_before()).flatten();
        self.measures.on_wire(self.window.device, self.id, self.start, self.watched_until(), before)
    }

    /// When the window before it of its rule was over that held on this link.
    fn closed_before(&self) -> Option<Time> {
        let earlier = self.measures.windows.range(..self.number).rev().map(|(_, window)| window);
        let mut of_rule = earlier
            .filter(|other| other.rule == self.window.rule && other.device == self.window.device)
            .filter(|other| other.applied.iter().any(|applied| applied.link == self.id));
        of_rule.next()?.closed
    }

    /// Whether the fault made this end's leg deaf, and no tap saw all that came to it until then, or the end may have kept a
    /// FIN back.
    fn is_hidden(&self, side: Side, until: Time) -> bool {
        let wire = &self.measures.wire;
        self.dark(side, until).is_some()
            && (!wire.is_whole(self.start, until)
                || wire.is_blind(self.id, side)
                || wire.keeps_back(self.id, side, self.start, until).is_some())
    }

    /// Whether a tap saw this sign, and all that came before.
    fn is_seen(&self, side: Side, sign: &Sign) -> bool {
        let wire = &self.measures.wire;
        let sees = wire.is_whole(self.start, sign.at) && !wire.is_blind(self.id, side);
        sees && wire.is_sign(self.id, side, sign.at)
    }

    /// Whether the fault ended the link itself, or made an end give it up.
    fn is_lost(&self, noticed: &Ends<Noticed>) -> bool {
        let is_given_up = noticed.device.sign.is_some() || noticed.hub.sign.is_some();
        self.is_cut || (is_given_up && !self.was_refused())
    }

    /// Whether the hub refused the CONNECT: then there was no link to lose.
    fn was_refused(&self) -> bool {
        self.link.connack.is_some_and(|connack| connack.code != 0)
    }

    /// Whether it works on packets that no link depends on: an end that leaves all the same is told, and no finding.
    fn leaves_links_up(&self) -> bool {
        self.fault.packets().is_some_and(|packets| !packets.breaks_link())
    }

    /// Whether its link ended while it held, for something else: another fault cut it, the hub had refused it, or, of a fault
    /// that leaves links up, an end gave it up.
    pub fn ended_otherwise(&self) -> bool {
        let held_at = |at: Time| at <= self.watched_until();
        let cut = self.link.cut.filter(|(at, by)| *by != Some(self.number) && held_at(*at));
        let is_left = self.leaves_links_up() || self.was_refused();
        let over = self.link.over().filter(|at| is_left && held_at(*at) && *at < self.end);
        cut.is_some() || over.is_some()
    }

    /// Whether the fault held bytes of the link that it found.
    pub fn held_found(&self) -> bool {
        Side::BOTH.into_iter().any(|side| *self.applied.means.get(side) == Some(Mechanism::Gate))
    }

    /// Whether the link that brought the device back was opened in this blackhole, and its CONNECT waited in brownout.
    pub fn has_waited(&self) -> bool {
        let back = self.first_accepted();
        let is_held =
            |id| self.window.applied.iter().any(|a| a.link == id && a.means.device == Some(Mechanism::Gate));
        matches!(self.fault, Fault::Blackhole(_))
            && back.is_some_and(|(id, link)| link.connect_waited && is_held(id))
    }

    fn by(&self, side: Side) -> Noticed {
        Noticed { waits: self.link.waits.get(side).is_some(), ..self.shown_by(side) }
    }

    fn shown_by(&self, side: Side) -> Noticed {
        let sign = self.first_sign(side);
        let told = self.link.told.get(side).filter(|at| (self.since..=self.end).contains(at));
        let half_closed = self.half_closed(side);
        let told = told.into_iter().chain(half_closed).min();
        let told = told.filter(|told| sign.is_none_or(|sign| *told <= sign.at));
        let cut_off = *self.link.cut_off.get(side) || (half_closed.is_some() && told == half_closed);
        let anothers = self.anothers_cut(sign).filter(|_| self.for_good);
        match (told, self.for_good && anothers.is_none()) {
            (None, _) => match (anothers, sign.filter(|sign| self.is_the_faults(side, sign))) {
                (Some(cut), _) => self.missed(side, cut.min(self.watched_until())),
                (None, Some(sign)) => self.by_itself(side, sign),
                (None, None) => self.missed(side, self.watched_until()),
            },
            (Some(told), false) => {
                Noticed { told: Some(told), cut_off, ..self.missed(side, told.min(self.watched_until())) }
            }
            (Some(told), true) => Noticed { told: Some(told), cut_off, ..self.after_the_cut(side) },
        }
    }

    /// When another fault cut the link that this one had left up, before this sign: what comes then is that one's doing.
    fn anothers_cut(&self, sign: Option<Sign>) -> Option<Time> {
        let (at, _) = self.link.cut.filter(|(at, by)| *at >= self.since && *by != Some(self.number))?;
        (!self.is_cut && sign.is_none_or(|sign| at < sign.at)).then_some(at)
    }

    /// When another fault told this end FIN, and left its leg up.
    fn half_closed(&self, side: Side) -> Option<Time> {
        let (at, by) = self.link.cut.filter(|(at, _)| (self.since..=self.end).contains(at))?;
        let other = self.measures.windows.get(&by.filter(|by| *by != self.number)?)?;
        let Fault::HalfClose(half_close) = self.measures.plan.rule(other.rule)?.fault else { return None };
        (half_close.toward == side).then_some(at)
    }

    /// An end that brownout had told nothing.
    fn by_itself(&self, side: Side, sign: Sign) -> Noticed {
        let detection = self.detection(side, &sign);
        let last = last_packet(side, &sign);
        let silence = last.and_then(|last| silence(self.start, detection, last, sign.at));
        Noticed { sign: Some(sign), detection: Some(detection), silence, ..Noticed::default() }
    }

    /// An end whose leg the fault ended: of the hub nothing more can be seen, the device shows in its next connect, or, where
    /// none comes, in its own close. Its system told it at once, so that any time without either is a miss; but its own FIN, in
    /// answer to brownout's, is only seen as long as brownout hears it out.
    fn after_the_cut(&self, side: Side) -> Noticed {
        match (side, self.next_connect().or_else(|| self.first_sign(side))) {
            (Side::Hub, _) => Noticed::default(),
            (Side::Device, Some(sign)) => self.by_itself(side, sign),
            (Side::Device, None) => {
                let heard_out = self.link.closed.filter(|_| self.may_answer_with_fin());
                let until = heard_out.map_or(self.end, |closed| closed.min(self.end));
                let watched = until.since(self.start);
                Noticed { detection: Some(Value::Never { watched }), ..Noticed::default() }
            }
        }
    }

    /// Whether the device was told FIN, and may close its own side without another connect.
    fn may_answer_with_fin(&self) -> bool {
        self.applied.means.device != Some(Mechanism::Linger)
    }

    /// An end that showed nothing until then: a miss, if it had the time and the reason to notice. Of a muted end that
    /// was not heard of since, nothing is known: it may have given up with its sign dropped, so it was watched for no
    /// time at all; nor was one that the fault was to tell, where the FIN was not sent. What comes soon after the mute is no
    /// word of it either: its system may be repeating what it said before it gave up. One that was left unread was watched
    /// until then.
    fn missed(&self, side: Side, until: Time) -> Noticed {
        let watched = until.since(self.start);
        let heard = self.link.last.get(side).from.is_some_and(|last| last > self.news_from(side));
        let hidden = self.is_hidden(side, self.watched_until()) && !heard;
        let dark = self.dark(side, self.watched_until()).filter(|_| hidden);
        let untold = self.is_cut && self.link.waits.get(side).is_some();
        // Less than a keep-alive of silence shows nobody anything.
        let missed = watched >= self.window.keep_alive && self.has_reason(side);
        let watched = if untold { Duration::ZERO } else { watched };
        let watched = dark.map_or(watched, |(from, _)| watched.min(from.since(self.start)));
        let unread = self.link.unread_from(side, until);
        let watched = unread.map_or(watched, |unread| watched.min(unread.since(self.start)));
        Noticed { detection: missed.then_some(Value::Never { watched }), ..Noticed::default() }
    }

    /// Whether this end's side of the conversation breaks off.
    fn has_reason(&self, side: Side) -> bool {
        match (self.fault, side) {
            // It never had the link, as while brownout still connects to it.
            (_, Side::Hub) if self.link.connack.is_none_or(|connack| connack.code != 0) => false,
            // The hub hears all that the device sends; where its acknowledgements are lost, only the first of it.
            (Fault::Stall(stall), Side::Hub) => stall.direction != WaysWanted::Down,
            (Fault::Blackhole(Blackhole { direction, fidelity, .. }), Side::Hub) => {
                // Beside a tap, `auto` is made as packet, too.
                let is_packet = *fidelity == FidelityWanted::Packet || self.is_muted(Side::Hub);
                *direction != WaysWanted::Down || is_packet
            }
            (fault, Side::Device | Side::Hub) => fault.breaks_link(),
        }
    }

    fn first_sign(&self, side: Side) -> Option<Sign> {
        let own = self.link.signs.get(side).filter(|sign| (self.since..=self.end).contains(&sign.at));
        let connect = match side {
            Side::Device => self.next_connect(),
            Side::Hub => None,
        };
        own.into_iter().chain(connect).min_by_key(|sign| sign.at)
    }

    fn next_connect(&self) -> Option<Sign> {
        let accepted = self.later_links().next().map(|(_, next)| next.began().max(self.since));
        let at = accepted.into_iter().chain(self.unanswered()).min()?;
        Some(Sign { at, showed: Showed::Connect, last: self.link.last.device })
    }

    fn is_the_faults(&self, side: Side, sign: &Sign) -> bool {
        // What stood behind bytes that were not read may have been said as early as that.
        let earliest = self.link.unread_since(side, sign.at).unwrap_or(sign.at);
        let restored = self.window.closed.filter(|_| !self.for_good);
        if let Fault::Inject(_) = self.fault {
            return sign.at <= self.start + ANSWER_TO_A_PACKET
                && !matches!(sign.showed, Showed::Disconnect(0));
        }
        if self.leaves_links_up() {
            return side == Side::Device && self.link.left_under == Some(self.window.rule);
        }
        // What it made late, or took, may still be waited for when it is over.
        let is_waiting = side == Side::Device && self.link.unanswered.contains(&self.number);
        if !self.fault.breaks_link() {
            let in_time = restored.is_none_or(|restored| earliest <= restored) || is_waiting;
            return in_time && !matches!(sign.showed, Showed::Disconnect(0));
        }
        let Some(restored) = restored else { return true };
        let is_in_time = earliest <= restored + self.retransmission(side);
        is_in_time || is_waiting || self.is_left_over(side, sign, restored)
    }

    /// Whether a sign after the path was restored is still the fault's: the end had nothing to do with the link in
    /// between, not for longer than that can be the fault's doing, and no other fault came.
    fn is_left_over(&self, side: Side, sign: &Sign, restored: Time) -> bool {
        life(side, sign.last).is_none_or(|last| last < restored)
            && sign.at <= restored + self.window.keep_alive * LEFT_OVER_KEEP_ALIVES
            && self.link.broken.is_none_or(|last| last <= restored)
    }

    fn detection(&self, side: Side, sign: &Sign) -> Value {
        let dark = self.dark(side, sign.at).filter(|_| self.is_hidden(side, sign.at));
        let earliest = dark.filter(|_| !self.is_seen(side, sign)).map_or(sign.at, |(from, until)| {
            // What it sent in the dark shows that it had not given up, as what came of it does.
            let fresh = self.measures.wire.keeps_back(self.id, side, self.start, sign.at).flatten();
            let seen = sign.last.from.max(fresh).filter(|at| (from..=until).contains(at));
            seen.unwrap_or(from)
        });
        let unread = self.link.unread_since(side, sign.at);
        let earliest = unread.map_or(earliest, |unread| earliest.min(unread));
        Value::bracket(earliest.since(self.start), sign.at.since(self.start))
    }

    /// For how long after the path was restored what a muted end sent in the dark may still arrive.
    fn retransmission(&self, side: Side) -> Duration {
        if self.is_muted(side) && self.is_hidden(side, self.watched_until()) {
            self.watched_until().since(self.start) + RETRANSMISSION_GRACE
        } else {
            Duration::ZERO
        }
    }

    /// From when what comes from this end was said after the fault, and after it was muted.
    fn news_from(&self, side: Side) -> Time {
        let own = self.watched_until() + self.retransmission(side);
        let muted = self.link.muted(side).filter(|muted| muted.since <= own);
        muted.and_then(Muted::over).map_or(own, |over| over.max(own))
    }

    fn is_muted(&self, side: Side) -> bool {
        self.applied.mutes(side)
    }

    /// From when to when this end was in the dark, where what it did in there may not have been seen by this time: the fault
    /// itself mutes it, or another that held on the link while this one did.
    fn dark(&self, side: Side, seen: Time) -> Option<(Time, Time)> {
        if self.is_muted(side) {
            return Some((self.start, self.watched_until()));
        }
        // An end that the fault's cut has told has nothing more to show on its leg; one whose leg it left up, or that could not be
        // told, has.
        let is_told = self.is_cut && self.link.told.get(side).is_some_and(|told| told <= seen);
        let muted = self.link.muted(side).filter(|muted| muted.since < seen && !is_told)?;
        let is_left = muted.until.is_none_or(|until| self.start < until)
            && muted.over().is_none_or(|over| seen <= over);
        is_left.then(|| (muted.since.max(self.start), muted.until.unwrap_or(seen).min(seen)))
    }

    /// The later link that was accepted first.
    fn first_accepted(&self) -> Option<(LinkId, &'a Link)> {
        let (_, at) = Outage::of(self.later_links().map(|(_, link)| link)).back?;
        self.later_links().find(|(_, link)| link.accepted() == Some(at))
    }

    /// Until when there was something to notice.
    fn watched_until(&self) -> Time {
        let restored = self.window.closed.filter(|_| !self.for_good);
        restored.map_or(self.end, |restored| restored.min(self.end))
    }
}

/// From when a fault counts on a link; a hub may close the link of a client taken over before it has told so.
fn begins(link: &Link, window: WindowId, fault: &Fault, start: Time) -> Time {
    let from = counts_from(link, window, start);
    let closed = link.signs.hub.map(|sign| sign.at).filter(|at| cause::is_about(start, *at));
    closed.filter(|_| matches!(fault, Fault::Takeover(_))).map_or(from, |at| from.min(at))
}

/// From when a fault that began then counts on a link that its window may have cut a moment before.
fn counts_from(link: &Link, window: WindowId, start: Time) -> Time {
    link.cut.filter(|(_, by)| *by == Some(window)).map_or(start, |(at, _)| at.min(start))
}

/// The packet that the end's silence runs from.
fn last_packet(side: Side, sign: &Sign) -> Option<Time> {
    life(side, sign.last).filter(|last| *last <= sign.at)
}

/// The last that this end had to do with its link: what the device sent, what the hub was sent.
fn life(side: Side, last: LastPackets) -> Option<Time> {
    match side {
        Side::Device => last.from,
        Side::Hub => last.to,
    }
}

/// From the last packet to a sign that came `detection` after the start; `None` where that packet may have come after the end
/// had given up, so that it is not known which was the last before.
fn silence(start: Time, detection: Value, last: Time, sign: Time) -> Option<Value> {
    match detection {
        Value::Between { after, .. } if start + after < last => None,
        Value::Between { after, .. } => Some(Value::bracket((start + after).since(last), sign.since(last))),
        Value::Exact(_) | Value::Never { .. } | Value::Count(_) | Value::CountBetween { .. } => {
            Some(Value::Exact(sign.since(last)))
        }
    }
}
