//! The lane of one device: what its link was like, from the beginning of the run on.

use super::marks::{Kind, Mark, Marks};
use crate::base::pack::{Pack, Reader, Writer};
use crate::base::time::nanos;
use crate::base::{LinkId, Name, Rest, Time};
use std::time::Duration;

/// A lane may always keep so many segments.
pub const LEAST_SEGMENTS: usize = 16;
/// No lane keeps more segments than this.
pub const SEGMENTS_A_LANE: usize = 4_096;

/// What a device's link is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is none.
    Down,
    /// One is being made: TCP, TLS or CONNECT is under way.
    Connecting,
    /// The hub refused the CONNECT, and the link is not yet closed.
    Refused,
    /// Accepted, and neither end has given it up.
    Connected,
    /// The same, but nothing is heard of the device: a fault stops its packets, or it sends none for longer than its keep-alive
    /// and a tenth.
    Silent,
    /// Half-open: the hub has given it up, the device has not.
    DeviceBelieves,
    /// Half-open: the device has given it up, the hub has not.
    HubBelieves,
    /// The same, and the device is connecting anew.
    HubBelievesAnew,
    /// Several of these in turn, each for less than the lane's grain.
    Mixed,
}

impl State {
    /// All of them, by number.
    pub const ALL: [State; 9] = [
        State::Down,
        State::Connecting,
        State::Refused,
        State::Connected,
        State::Silent,
        State::DeviceBelieves,
        State::HubBelieves,
        State::HubBelievesAnew,
        State::Mixed,
    ];

    /// Whether both ends hold the link for up.
    pub fn is_connected(self) -> bool {
        matches!(self, State::Connected | State::Silent)
    }

    /// Of several links of one device: the one that works best is what the device has.
    pub(super) fn together(links: impl Iterator<Item = State>) -> State {
        // A bit for each that is there.
        let seen = links.fold(0_u16, |seen, state| seen | 1 << state as u8);
        let has = |state: State| seen & 1 << state as u8 != 0;
        let best = [State::Connected, State::Silent, State::DeviceBelieves];
        if let Some(best) = best.into_iter().find(|state| has(*state)) {
            return best;
        }
        match (has(State::HubBelieves), has(State::Connecting)) {
            (true, true) => State::HubBelievesAnew,
            (true, false) => State::HubBelieves,
            (false, true) => State::Connecting,
            (false, false) if has(State::Refused) => State::Refused,
            (false, false) => State::Down,
        }
    }
}

/// A stretch of one state. It lasts until the next one, or the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From when.
    pub from: Time,
    /// What.
    pub state: State,
}

/// The lane of a device.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The device's name.
    pub name: Name,
    segments: Vec<Segment>,
    grain: Duration,
    marks: Marks,
    /// Ascending.
    links: Vec<LinkId>,
    has_had_links: bool,
}

impl Lane {
    pub(super) fn new(name: Name, from: Time) -> Lane {
        Lane {
            name,
            segments: vec![Segment { from, state: State::Down }],
            grain: Duration::ZERO,
            marks: Marks::default(),
            links: Vec::new(),
            has_had_links: false,
        }
    }

    /// In order of time, the first from where the timeline begins; neighbours differ.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Changes that followed each other faster than this are summed up; zero where none are.
    pub fn grain(&self) -> Duration {
        self.grain
    }

    /// In order of time.
    pub fn marks(&self) -> Vec<Mark> {
        self.marks.all()
    }

    /// Marks of one kind that were closer than this are one mark; zero where none are.
    pub fn marks_grain(&self) -> Duration {
        self.marks.grain()
    }

    pub(super) fn has_had_links(&self) -> bool {
        self.has_had_links
    }

    pub(super) fn links(&self) -> &[LinkId] {
        &self.links
    }

    pub(super) fn joins(&mut self, link: LinkId) {
        if let Err(place) = self.links.binary_search(&link) {
            self.links.reserve_exact(1);
            self.links.insert(place, link);
        }
        self.has_had_links = true;
    }

    pub(super) fn leaves(&mut self, link: LinkId) {
        self.links.retain(|held| *held != link);
        if self.links.is_empty() {
            self.links = Vec::new();
            self.marks.rest();
        }
    }

    pub(super) fn mark(&mut self, at: Time, kind: Kind, count: u64, most: usize) {
        self.marks.push(at, kind, count, most);
    }

    /// The state now.
    pub(super) fn state(&self) -> State {
        self.last().state
    }

    /// From then on it is in this state; not before what it is in now began.
    pub(super) fn turn(&mut self, from: Time, state: State, most: usize) {
        let last = self.last();
        if last.state == state {
            return;
        }
        let from = from.max(last.from);
        if from == last.from {
            self.segments.pop();
        }
        if self.segments.last().is_none_or(|before| before.state != state) {
            // As with marks.
            if self.segments.len() == self.segments.capacity() {
                self.segments.reserve_exact((self.segments.len() / 2).max(2));
            }
            self.segments.push(Segment { from, state });
        }
        self.hold(most);
    }

    /// Keeps no more than its share.
    pub(super) fn fit(&mut self, segments: usize, marks: usize) {
        self.hold(segments);
        self.marks.hold(marks);
    }

    fn hold(&mut self, most: usize) {
        let most = most.clamp(LEAST_SEGMENTS, SEGMENTS_A_LANE);
        if self.segments.len() > most {
            self.coarsen(most / 2);
        }
    }

    /// It turns out that the device was silent from then until now.
    pub(super) fn was_silent(&mut self, since: Time, now: Time, most: usize) {
        if self.falls_silent(since, most) {
            self.turn(now, State::Connected, most);
        }
    }

    /// It turns out that the device is silent since then.
    pub(super) fn falls_silent(&mut self, since: Time, most: usize) -> bool {
        let is_up = self.state() == State::Connected;
        if is_up {
            self.turn(since, State::Silent, most);
        }
        is_up
    }

    fn last(&self) -> Segment {
        self.segments.last().copied().unwrap_or(Segment { from: Time::ZERO, state: State::Down })
    }

    /// Sums up at the grain that there is, and makes it coarser until no more than so many segments are left.
    fn coarsen(&mut self, most: usize) {
        self.segments = summed_up(&self.segments, self.grain);
        while self.segments.len() > most && nanos(self.grain) < u64::MAX / 2 {
            self.grain = (self.grain * 2).max(Duration::from_millis(1));
            self.segments = summed_up(&self.segments, self.grain);
        }
    }
}

/// A lane with more segments, or more bytes of marks, than that is not packed: it would be unpacked again with each link.
const MOST_AT_REST: usize = 64;
const MOST_MARKED_AT_REST: usize = 1_024;

impl Rest for Lane {
    fn may_rest(&self) -> bool {
        let is_small = self.segments.len() <= MOST_AT_REST && self.marks.size() <= MOST_MARKED_AT_REST;
        self.links.is_empty() && is_small
    }
}

impl Pack for Lane {
    fn pack(&self, to: &mut Writer) {
        let Lane { name, segments, grain, marks, links: _, has_had_links } = self;
        name.pack(to);
        (*grain, *has_had_links).pack(to);
        segments.len().pack(to);
        segments.iter().for_each(|segment| (segment.from, segment.state as u8).pack(to));
        marks.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Lane> {
        let name = Pack::unpack(from)?;
        let (grain, has_had_links) = Pack::unpack(from)?;
        let segments = Vec::<(Time, u8)>::unpack(from)?
            .into_iter()
            .map(|(from, state)| Some(Segment { from, state: *State::ALL.get(usize::from(state))? }))
            .collect::<Option<_>>()?;
        let marks = Pack::unpack(from)?;
        Some(Lane { name, segments, grain, marks, links: Vec::new(), has_had_links })
    }
}

/// Runs of segments shorter than the grain become one. The last one is not over and stays.
fn summed_up(segments: &[Segment], grain: Duration) -> Vec<Segment> {
    let mut kept: Vec<Segment> = Vec::new();
    let mut run: Vec<Segment> = Vec::new();
    let end_run = |run: &mut Vec<Segment>, kept: &mut Vec<Segment>| {
        let one = run.first().map(|first| match run.as_slice() {
            [only] => *only,
            _ => Segment { from: first.from, state: State::Mixed },
        });
        run.clear();
        kept.extend(one);
    };
    for (nth, segment) in segments.iter().enumerate() {
        let next = segments.get(nth + 1);
        let is_fine =
            next.is_some_and(|next| segment.state == State::Mixed || next.from.since(segment.from) < grain);
        if is_fine {
            run.push(*segment);
        } else {
            end_run(&mut run, &mut kept);
            kept.push(*segment);
        }
    }
    end_run(&mut run, &mut kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::timeline::marks::LEAST_MARKS;

    /// A device in a tight loop fills its lane again and again.
    #[test]
    fn a_lane_stays_within_its_share_and_gets_no_coarser_than_that_takes() {
        let mut lane = Lane::new("pump-1".into(), Time::ZERO);
        for (nth, kind) in (0..20_000_u64).zip(Kind::ALL[..9].iter().cycle()) {
            let at = Time::from_millis(nth * 5);
            lane.turn(at, if nth % 2 == 0 { State::Connected } else { State::Down }, LEAST_SEGMENTS);
            lane.mark(at, *kind, 1, LEAST_MARKS);
            assert!(lane.segments().len() <= LEAST_SEGMENTS && lane.marks().len() <= LEAST_MARKS);
        }
        assert!(lane.grain() <= Duration::from_millis(8), "{:?}", lane.grain());
        // Of nine kinds three at a time have room, in 100 s.
        assert!(lane.marks_grain() <= Duration::from_secs(66), "{:?}", lane.marks_grain());
    }

    #[test]
    fn a_lane_that_rested_is_what_it_was() {
        let mut lane = Lane::new("pump-1".into(), Time::ZERO);
        let link = LinkId(7);
        for (at, state) in (0_u64..).zip(State::ALL) {
            lane.joins(link);
            lane.turn(Time::from_millis(at * 700), state, 1_000);
            lane.mark(Time::from_millis(at * 650), Kind::Pingreq, at + 1, 1_000);
            assert!(!lane.may_rest());
            lane.leaves(link);
            let mut to = Writer::default();
            assert!(lane.may_rest());
            lane.pack(&mut to);
            let back = Lane::unpack(&mut Reader::new(&to.finish())).unwrap();
            assert_eq!(format!("{back:?}"), format!("{lane:?}"));
        }
    }
}
