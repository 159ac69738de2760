//! A long observation, chapter by chapter.
//!
//! ```text
//!   events ──▶ measures, timeline ──▶ at each interval: summary, report; then both begin anew, with what lives now
//!      └─────▶ snapshot, observation: these go on
//! ```
//!
//! A chapter ends with its interval, or when it has seen [`MOST_LINKS`] links: so memory is bounded by what lives, whatever
//! comes and goes.

use super::{Anchor, News, Observation, Summary};
use crate::base::Time;
use crate::event::{Event, What};
use crate::measure::{Measures, Results};
use crate::profile::Plan;
use crate::report::Timeline;
use crate::session::Snapshot;

/// A chapter of so many links is long enough: some tens of MB.
pub const MOST_LINKS: u32 = 10_000;

/// The fold.
#[derive(Clone, Debug)]
pub struct Chapters {
    plan: Plan,
    measures: Measures,
    timeline: Timeline,
    snapshot: Snapshot,
    observation: Observation,
    /// How many chapters are over.
    over: u32,
    /// Links opened in this one.
    links: u32,
    most_links: u32,
    next_seq: u64,
}

/// What an interval came to.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Its summary.
    pub summary: Summary,
    /// The results of its last chapter.
    pub results: Results,
    /// The timeline of that.
    pub timeline: Timeline,
    /// What is to be told before the summary.
    pub news: Vec<News>,
}

impl Chapters {
    /// Of a run of this plan.
    pub fn new(plan: &Plan) -> Chapters {
        Chapters {
            plan: plan.clone(),
            measures: Measures::new(plan),
            timeline: Timeline::default(),
            snapshot: Snapshot::default(),
            observation: Observation::new(plan),
            over: 0,
            links: 0,
            most_links: MOST_LINKS,
            next_seq: 0,
        }
    }

    /// The same, where this is what is remembered, in chapters of so many links instead of [`MOST_LINKS`].
    pub fn remembering(self, snapshot: Snapshot, most_links: u32) -> Chapters {
        Chapters { snapshot, most_links, ..self }
    }

    /// Takes in one event. Events come in order. Answers with what is to be told at once.
    pub fn push(&mut self, event: &Event) -> Vec<News> {
        let mut news = Vec::new();
        if let What::LinkOpened { .. } = event.what {
            if self.links >= self.most_links {
                let results = self.measures.results(event.at);
                news = self.turn(event.at, &results);
            }
            self.links += 1;
        }
        self.measures.push(event);
        self.timeline.push(event);
        news.extend(self.observation.push(event, &self.measures, self.snapshot.sessions()));
        self.snapshot.push(event);
        self.next_seq = event.seq.saturating_add(1);
        news
    }

    /// Nothing is expected for a while, and all events until now were taken in: what is over takes as little memory as it can.
    pub fn pack_up(&mut self, now: Time) {
        self.measures.pack_up(now);
        self.timeline.pack_up();
    }

    /// The measures of the chapter.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// What lives.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The interval ends at this time, and a chapter with it.
    pub fn interval(&mut self, at: Time, anchor: Anchor) -> Interval {
        let results = self.measures.results(at);
        let timeline = self.timeline.clone();
        let news = self.turn(at, &results);
        let summary = self.observation.interval(at, anchor, self.snapshot.sessions());
        Interval { summary, results, timeline, news }
    }

    /// All intervals that are over, together.
    pub fn total(&self, at: Time, anchor: Anchor) -> Summary {
        self.observation.total(at, anchor, self.snapshot.sessions())
    }

    /// A new chapter: measures that know what lives now, and nothing else.
    fn turn(&mut self, at: Time, results: &Results) -> Vec<News> {
        self.over = self.over.saturating_add(1);
        let mut next = Measures::new(&self.plan);
        let mut timeline = Timeline::default();
        for event in &self.snapshot.begin(self.over, self.next_seq, at) {
            next.push(event);
            timeline.push(event);
        }
        let of_run = |run| self.observation.turn(run, &self.measures, &next);
        let news = results.runs.iter().flat_map(of_run).collect();
        (self.measures, self.timeline, self.links) = (next, timeline, 0);
        news
    }
}
