//! The search as one pure machine: probes that it wants made, outcomes that it is told, until the bracket is as narrow as asked.

use super::known::{Edge, Known, OUTLIVED};
use super::outcome::{Evidence, Outcome, Void};
use super::plan::{Plan, split};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most waves. A consistent path takes few: two connections that begin at 1 s and 20 min are within 20 ms of it after a dozen.
const MAX_WAVES: u32 = 40;

/// How many losses in all an answer needs: a single one may be a fault of the moment.
const CONFIRMED: usize = 2;

/// How often each span is probed once outcomes contradict each other: one that was outlived once may meet another node the next time.
const AT_ODDS: usize = 2;

/// How many losses that others contradict are repeated before the contradiction is taken as the path's way.
const MAX_DOUBTS: usize = 3;

/// Void probes in a row before the search is given up, for each connection of a wave: the path or the hub is down.
const MAX_VOID: usize = 4;

/// A probe that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number, from 1.
    pub probe: u32,
    /// Its wave.
    pub wave: u32,
    /// How long its connection is to be idle.
    pub span: Duration,
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Outcomes are awaited.
    Searching,
    /// As narrow as asked, or nothing was lost up to the longest span.
    Done,
    /// As many waves as there may be have not narrowed it enough: the path contradicts itself too often.
    Exhausted,
    /// Probe after probe was void: nothing can be said of the path, which is down, or of the hub, which is.
    GivenUp,
}

/// A wave that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Its number, from 1.
    pub number: u32,
    /// Its spans, in order.
    pub spans: Vec<Duration>,
    /// The bracket that it splits; `None`: nothing is known yet.
    pub bracket: Option<Edge>,
    /// Whether it repeats what is doubted.
    pub again: bool,
    /// How many more will follow it, if outcomes do not contradict each other.
    pub more: u32,
}

/// A search for the idle timeout of a path.
#[derive(Debug)]
pub struct Search {
    plan: Plan,
    /// The outcomes that count, in the order in which they came.
    pub(super) evidence: Vec<Evidence>,
    pending: BTreeMap<u32, Pending>,
    orders: VecDeque<Order>,
    waves: VecDeque<Wave>,
    /// Losses that were repeated.
    doubted: Vec<Duration>,
    made: u32,
    wave: u32,
    voids: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    wave: u32,
    span: Duration,
    again: bool,
}

impl Search {
    /// A search whose first wave is wanted at once.
    pub fn new(plan: Plan) -> Search {
        let mut search = Search {
            plan,
            evidence: Vec::new(),
            pending: BTreeMap::new(),
            orders: VecDeque::new(),
            waves: VecDeque::new(),
            doubted: Vec::new(),
            made: 0,
            wave: 0,
            voids: 0,
            state: State::Searching,
        };
        search.send(plan.first_wave(), None, false);
        search
    }

    /// The next probe to make; call until `None` after each [`Search::tell`] and [`Search::void`].
    pub fn poll(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// The next wave that began, for whoever follows the search.
    pub fn poll_wave(&mut self) -> Option<Wave> {
        self.waves.pop_front()
    }

    /// Where it stands. Once it is over, probes that have not come in are of no interest.
    pub fn state(&self) -> State {
        self.state
    }

    /// What is known by now.
    pub fn known(&self) -> Known {
        Known::of(&self.evidence)
    }

    /// Whether a span was lost though a longer one was outlived, by more than is to be told apart.
    pub fn contradicts(&self) -> bool {
        let known = self.known();
        known.contradicts() && !self.is_narrow(&known)
    }

    /// Probes that were asked for.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// A probe has come to its end after its connection was idle for so long. A number that is not awaited is ignored.
    pub fn tell(&mut self, probe: u32, idle: Duration, outcome: Outcome) {
        let Some(pending) = self.pending.remove(&probe) else { return };
        self.voids = 0;
        self.evidence.push(Evidence { idle, outcome, again: pending.again });
        self.step();
    }

    /// A probe came to nothing that says anything; it is made again, unless there is nothing that it could be made on. A number
    /// that is not awaited is ignored.
    pub fn void(&mut self, probe: u32, why: Void) {
        let Some(pending) = self.pending.remove(&probe) else { return };
        self.voids += 1;
        if why == Void::Down || self.voids > self.plan.connections() * MAX_VOID {
            self.over(State::GivenUp);
        } else if self.state == State::Searching {
            self.order(pending);
        }
    }

    fn over(&mut self, state: State) {
        if self.state == State::Searching {
            self.state = state;
            self.orders.clear();
        }
    }

    /// What follows from what is known.
    fn step(&mut self) {
        if self.state != State::Searching {
            return;
        }
        let known = self.known();
        if self.doubt(&known) || self.is_awaited(&known) {
            return;
        }
        let Some(first) = known.first else {
            // All spans were outlived.
            return self.over(State::Done);
        };
        let open = self.open(&known);
        if open.is_empty() {
            return self.confirm(&known, first);
        }
        self.split(&open, if known.contradicts() { AT_ODDS } else { 1 });
    }

    /// Has a loss repeated that a longer span outlived; whether it does.
    fn doubt(&mut self, known: &Known) -> bool {
        let Some(first) = known.first.filter(|_| known.contradicts() && !self.is_narrow(known)) else {
            return false;
        };
        if self.doubted.len() >= MAX_DOUBTS || self.doubted.contains(&first.lost) {
            return false;
        }
        self.doubted.push(first.lost);
        self.send(vec![first.lost; OUTLIVED], Some(first), true);
        true
    }

    /// Whether a probe is on its way that may say more.
    fn is_awaited(&self, known: &Known) -> bool {
        self.pending.values().any(|pending| pending.again || known.is_open(pending.span))
    }

    fn is_narrow(&self, known: &Known) -> bool {
        known.whole().is_some_and(|whole| whole.width() <= self.plan.tolerance(whole.lost))
    }

    /// The edges that are wider than asked, from below.
    fn open(&self, known: &Known) -> Vec<Edge> {
        if self.is_narrow(known) {
            return Vec::new();
        }
        let mut edges: Vec<Edge> = known.first.into_iter().chain(known.last).collect();
        edges.dedup();
        edges.retain(|edge| edge.width() > self.plan.tolerance(edge.lost));
        edges
    }

    fn confirm(&mut self, known: &Known, first: Edge) {
        let unsure = self.unsure(known);
        if !unsure.is_empty() && self.wave < MAX_WAVES {
            return self.send(unsure, Some(first), true);
        }
        let losses: usize = known.ends.iter().map(|(_, count)| count).sum();
        if losses >= CONFIRMED {
            return self.over(State::Done);
        }
        self.send(vec![first.lost; CONFIRMED], Some(first), true);
    }

    /// Where outcomes contradict each other, the ends of the bracket that too few probes speak for: they may have met one node of
    /// several.
    fn unsure(&self, known: &Known) -> Vec<Duration> {
        let Some((first, last)) = known.first.zip(known.last).filter(|_| self.contradicts()) else {
            return Vec::new();
        };
        let alive_from = first.alive.saturating_sub(self.plan.tolerance(first.lost));
        let lost_to = last.lost + self.plan.tolerance(last.lost);
        let (mut alive, mut lost) = (0, 0);
        for it in &self.evidence {
            match it.outcome {
                Outcome::Alive => alive += usize::from(it.idle > alive_from && it.idle < first.lost),
                Outcome::Lost(_) => lost += usize::from(it.idle >= last.lost && it.idle < lost_to),
            }
        }
        let mut spans = Vec::new();
        if alive <= OUTLIVED && !first.alive.is_zero() {
            spans.extend([first.alive; OUTLIVED]);
        }
        if lost <= OUTLIVED {
            spans.extend([last.lost; OUTLIVED]);
        }
        spans
    }

    /// Splits these edges, each span probed so many times.
    fn split(&mut self, open: &[Edge], copies: usize) {
        if self.wave >= MAX_WAVES {
            return self.over(State::Exhausted);
        }
        let each = (self.plan.connections() / open.len() / copies).max(1);
        let spans = open.iter().flat_map(|edge| split(edge.alive, edge.lost, each));
        let spans = spans.flat_map(|span| std::iter::repeat_n(span, copies)).collect();
        let bracket = open.first().zip(open.last());
        let bracket = bracket.map(|(first, last)| Edge { alive: first.alive, lost: last.lost });
        self.send(spans, bracket, false);
    }

    fn send(&mut self, spans: Vec<Duration>, bracket: Option<Edge>, again: bool) {
        self.wave += 1;
        let more = if again { 0 } else { self.more(&spans, bracket) };
        for &span in &spans {
            self.order(Pending { wave: self.wave, span, again });
        }
        self.waves.push_back(Wave { number: self.wave, spans, bracket, again, more });
    }

    fn order(&mut self, pending: Pending) {
        self.made += 1;
        self.pending.insert(self.made, pending);
        self.orders.push_back(Order { probe: self.made, wave: pending.wave, span: pending.span });
    }

    /// How many waves follow one of these spans, by the widest gap that it leaves.
    fn more(&self, spans: &[Duration], bracket: Option<Edge>) -> u32 {
        let ends = bracket.map(|edge| (edge.alive, edge.lost));
        let (low, high) = ends.unwrap_or((self.plan.from(), self.plan.to()));
        let mut all = spans.to_vec();
        all.extend([low, high]);
        all.sort_unstable();
        let mut gap = all.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
        let parts = u32::try_from(self.plan.connections() + 1).unwrap_or(u32::MAX);
        let mut more = 0;
        while gap > self.plan.tolerance(high) && more < MAX_WAVES {
            gap /= parts;
            more += 1;
        }
        more
    }
}
