//! What a tap has seen, kept: connects that nobody accepted, retransmissions, and when it could not see.
//!
//! What was sent again keeps a sign back: Linux (6.18, measured) sends no FIN while data is unacknowledged past the first
//! retransmission timeout, its congestion window being one segment. So an end whose data was sent again, and whose FIN or RST
//! was not seen, may have given up before it showed.
//!
//! Whose a connect is that was not accepted: its device's, where its port was accepted later; else the one device that is known
//! at its address, unless that one went on over the link it has; else nobody's.

use super::facts::Showed;
use super::fold::Measures;
use crate::base::units::to_u64;
use crate::base::{DeviceId, Ends, LinkId, Side, Time};
use crate::event::WireNews;
use crate::session::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// The most connects that nobody accepted that are remembered; what goes over is only counted.
const MOST_ATTEMPTS: usize = 100_000;

/// The most spans in which frames were lost that are told apart.
const MOST_LOST: usize = 1_000;

/// A SYN that is accepted came at most twice its latest gap after the one before (it doubles), and this much later.
const LATER: Duration = Duration::from_secs(3);

/// What a tap has shown of a run, being gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    opened: Option<Time>,
    closed: Option<Time>,
    lost: Vec<(Time, Time)>,
    totals: WireTotals,
    attempts: Vec<Attempt>,
    /// The latest attempt from each address and port.
    by_peer: BTreeMap<SocketAddr, usize>,
    /// Those that links came of.
    by_link: BTreeMap<LinkId, usize>,
    /// Those that are a device's, or were taken to be.
    by_device: BTreeMap<DeviceId, Vec<usize>>,
    repeated: BTreeMap<LinkId, Vec<Watched>>,
    /// Legs that it may not see.
    blind: BTreeSet<(LinkId, Side)>,
    /// The signs of ends that their legs were deaf to, the first of each.
    signs: BTreeMap<(LinkId, Side), Time>,
}

/// What an end sent again while it was watched.
#[derive(Clone, Copy, Debug)]
struct Watched {
    side: Side,
    since: Time,
    until: Time,
    again: Option<Time>,
    fresh: Option<Time>,
    repeats: Repeats,
}

/// A connect that was not accepted at once.
#[derive(Clone, Debug)]
struct Attempt {
    first: Time,
    last: Time,
    gap: Duration,
    sendings: u64,
    /// The link that came of it in the end.
    link: Option<LinkId>,
    /// Whose: of its link, else the one device known at its address then.
    device: Option<DeviceId>,
}

/// A tap in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireTotals {
    /// Frames that the kernel had no room for.
    pub lost: u64,
    /// SYNs and connects beyond what is told and remembered.
    pub untold: u64,
    /// Connects that nobody accepted, and of which it is not known whose they were.
    pub nameless: u64,
    /// Those that are taken for a device's by their address alone: it was the only one known there.
    pub by_address: u64,
}

/// What an end sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repeats {
    /// Segments sent again.
    pub segments: u64,
    /// From the first sending of the oldest one to the second.
    pub first_gap: Option<Duration>,
    /// From its last sending but one to its last.
    pub last_gap: Option<Duration>,
    /// Keep-alive and window probes.
    pub probes: u64,
}

/// What a tap has shown of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireResults {
    /// Whether it saw all that arrived, from the start to the end of the fault.
    pub whole: bool,
    /// Connects that nobody accepted when they were made.
    pub connects: u64,
    /// How many of them nobody accepted ever.
    pub unanswered: u64,
    /// The SYNs that they were: more than connects, where the kernel repeated them.
    pub syns: u64,
    /// What each end sent again while it was not heard.
    pub repeated: Ends<Option<Repeats>>,
}

impl Wire {
    pub fn push(&mut self, at: Time, news: &WireNews, sessions: &Sessions) {
        match news {
            WireNews::Opened { .. } => {
                self.opened.get_or_insert(at);
            }
            WireNews::Lost { frames, since } => {
                self.totals.lost = self.totals.lost.saturating_add(*frames);
                let is_full = self.lost.len() >= MOST_LOST;
                match self.lost.last_mut().filter(|(_, until)| is_full || *until >= *since) {
                    Some((_, until)) => *until = at,
                    None => self.lost.push((*since, at)),
                }
            }
            WireNews::Syn { peer, nth, gap_ns, seen, port: _ } => {
                let gap = Duration::from_nanos(gap_ns.unwrap_or(0));
                if let Ok(peer) = peer.parse::<SocketAddr>() {
                    self.syn(peer, *nth, gap, *seen, sessions);
                }
            }
            WireNews::Repeated {
                link,
                side,
                segments,
                gaps_ns,
                last_gap_ns,
                probes,
                again,
                fresh,
                since,
                until,
            } => {
                let repeats = Repeats {
                    segments: *segments,
                    first_gap: gaps_ns.first().copied().map(Duration::from_nanos),
                    last_gap: last_gap_ns.map(Duration::from_nanos),
                    probes: *probes,
                };
                let (since, until) = (*since, *until);
                let watched = Watched { side: *side, since, until, again: *again, fresh: *fresh, repeats };
                self.repeated.entry(*link).or_default().push(watched);
            }
            WireNews::Blind { link, side } => _ = self.blind.insert((*link, *side)),
            WireNews::Closed { untold, .. } => {
                self.closed = Some(at);
                self.totals.untold = self.totals.untold.saturating_add(*untold);
            }
            WireNews::Ended { link, side, how: _, seen } => {
                let sign = self.signs.entry((*link, *side)).or_insert(*seen);
                *sign = (*sign).min(*seen);
            }
        }
    }

    fn syn(&mut self, peer: SocketAddr, nth: u32, gap: Duration, seen: Time, sessions: &Sessions) {
        let known = self.by_peer.get(&peer).and_then(|at| self.attempts.get_mut(*at));
        if let Some(attempt) = known.filter(|_| nth > 1) {
            attempt.sendings = attempt.sendings.saturating_add(1);
            // It may be told only after it was accepted.
            if attempt.link.is_none() {
                (attempt.last, attempt.gap) = (seen, gap);
            }
            return;
        }
        if self.attempts.len() >= MOST_ATTEMPTS {
            self.totals.untold = self.totals.untold.saturating_add(1);
            return;
        }
        let mut there = sessions.from_address(peer.ip().to_canonical());
        let device = there.next().filter(|_| there.next().is_none());
        let place = self.attempts.len();
        self.by_peer.insert(peer, place);
        device.into_iter().for_each(|device| self.by_device.entry(device).or_default().push(place));
        self.attempts.push(Attempt { first: seen, last: seen, gap, sendings: 1, link: None, device });
    }

    /// A connection was accepted. When its connect began, where that was seen.
    pub fn accepted(&mut self, at: Time, link: LinkId, peer: &str) -> Option<Time> {
        if self.by_peer.is_empty() {
            return None;
        }
        let peer: SocketAddr = peer.parse().ok()?;
        // A socket of both families has an IPv4 address as an IPv6 one; on the wire it is the former.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let place = *self.by_peer.get(&peer)?;
        let attempt = self.attempts.get_mut(place)?;
        let is_it = attempt.link.is_none() && at <= attempt.last + attempt.gap * 2 + LATER;
        is_it.then(|| {
            attempt.link = Some(link);
            self.by_link.insert(link, place);
            attempt.first
        })
    }

    /// The link is this device's, and so the connect that it came of.
    pub fn identified(&mut self, link: LinkId, device: DeviceId) {
        let Some(place) = self.by_link.get(&link).copied() else { return };
        let Some(attempt) = self.attempts.get_mut(place) else { return };
        if attempt.device.replace(device) != Some(device) {
            self.by_device.entry(device).or_default().push(place);
        }
    }

    /// Whether there was a tap, and it saw all that arrived in this time.
    pub fn is_whole(&self, from: Time, until: Time) -> bool {
        self.opened.is_some_and(|opened| opened <= from)
            && self.closed.is_none_or(|closed| closed >= until)
            && !self.lost.iter().any(|(lost, told)| *lost <= until && *told >= from)
    }

    /// Whether it may not have seen this leg at all.
    pub fn is_blind(&self, link: LinkId, side: Side) -> bool {
        self.blind.contains(&(link, side))
    }

    /// Whether a sign of this end was seen then, though its leg was deaf to it.
    pub fn is_sign(&self, link: LinkId, side: Side, at: Time) -> bool {
        self.signs.get(&(link, side)) == Some(&at)
    }

    /// Whether this end had by then sent something again, of what it sent since, so that it may have kept back a FIN; and when
    /// it had last sent something new.
    pub fn keeps_back(&self, link: LinkId, side: Side, since: Time, until: Time) -> Option<Option<Time>> {
        let of_link = self.repeated.get(&link).into_iter().flatten();
        let mut own = of_link.filter(|watched| watched.side == side && watched.overlaps(since, until));
        let kept = own.find(|watched| watched.again.is_some_and(|again| again <= until))?;
        Some(kept.fresh.filter(|fresh| *fresh <= until))
    }

    /// When this end was last seen to send something new, while it was watched in this time.
    pub fn last_fresh(&self, link: LinkId, side: Side, since: Time, until: Time) -> Option<Time> {
        let of_link = self.repeated.get(&link).into_iter().flatten();
        let own = of_link.filter(|watched| watched.side == side && watched.overlaps(since, until));
        own.filter_map(|watched| watched.fresh).filter(|at| (since..=until).contains(at)).max()
    }

    /// When this device tried to connect and nobody accepted it ever, from this time on.
    pub fn unanswered(&self, device: DeviceId, from: Time) -> impl Iterator<Item = Time> + '_ {
        let never = self.of_device(device).filter(|attempt| attempt.link.is_none());
        never.map(|attempt| attempt.first).filter(move |at| *at >= from)
    }

    fn of_device(&self, device: DeviceId) -> impl Iterator<Item = &Attempt> + '_ {
        let places = self.by_device.get(&device).into_iter().flatten();
        let attempts = places.filter_map(|place| self.attempts.get(*place));
        attempts.filter(move |attempt| attempt.device == Some(device))
    }

    /// What was seen of the whole run; `None` without a tap.
    pub fn totals(&self) -> Option<WireTotals> {
        let unanswered = || self.attempts.iter().filter(|attempt| attempt.link.is_none());
        let by_address = to_u64(unanswered().filter(|attempt| attempt.device.is_some()).count());
        let nameless = to_u64(unanswered().count()) - by_address;
        self.opened.map(|_| WireTotals { nameless, by_address, ..self.totals.clone() })
    }
}

impl Wire {
    /// Whether anything was sent again on this link while it was watched.
    pub fn has_repeats(&self, link: LinkId) -> bool {
        self.repeated.contains_key(&link)
    }
}

impl Measures {
    /// An end gave up a leg that is deaf to it, at a time before this event.
    pub(super) fn ended_on_wire(&mut self, news: &WireNews) {
        let WireNews::Ended { link, side, how, seen } = news else { return };
        self.leaves(*link, *side);
        if let Some(link) = self.links.get_mut(link) {
            link.sign_seen(*side, *seen, Showed::Ended(*how));
        }
    }

    /// What a tap has shown of a device from this time to that, and of a link of its; `None` without one. What was sent again while
    /// it was watched for several windows of a rule is told with the first of them: `before` is the end of the one before.
    pub(super) fn on_wire(
        &self,
        device: DeviceId,
        link: LinkId,
        from: Time,
        until: Time,
        before: Option<Time>,
    ) -> Option<WireResults> {
        self.wire.opened?;
        let is_blind = |side| self.wire.is_blind(link, side);
        let whole = self.wire.is_whole(from, until) && !Side::BOTH.into_iter().any(is_blind);
        let mut results = WireResults { whole, ..WireResults::default() };
        let of_device = self.wire.of_device(device);
        for attempt in of_device.filter(|attempt| (from..=until).contains(&attempt.first)) {
            results.connects += 1;
            results.unanswered += u64::from(attempt.link.is_none());
            results.syns = results.syns.saturating_add(attempt.sendings);
        }
        let of_link = self.wire.repeated.get(&link).into_iter().flatten();
        let is_told = |watched: &Watched| before.is_some_and(|before| watched.since < before);
        for watched in of_link.filter(|watched| watched.overlaps(from, until) && !is_told(watched)) {
            results.repeated.get_mut(watched.side).get_or_insert_default().add(watched.repeats);
        }
        Some(results)
    }
}

impl Watched {
    /// Whether it was watched at a time in between. One watch may be for several faults, of which the first began it.
    fn overlaps(&self, from: Time, until: Time) -> bool {
        self.since <= until && self.until > from
    }
}

impl Repeats {
    /// Both, one after the other.
    fn add(&mut self, later: Repeats) {
        self.segments = self.segments.saturating_add(later.segments);
        self.probes = self.probes.saturating_add(later.probes);
        self.first_gap = self.first_gap.or(later.first_gap);
        self.last_gap = later.last_gap.or(self.last_gap);
    }
}

impl WireResults {
    /// Whether there is anything to tell.
    pub fn is_eventful(&self) -> bool {
        self.connects > 0 || self.repeated != Ends::default()
    }
}
