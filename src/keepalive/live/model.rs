//! What a live run came to: the one model that all its forms are made from. In JSON, fields that end in `_ns` are
//! nanoseconds.

use super::case::Case;
use super::foretell::Foretold;
use super::guess::Guess;
use super::measured::{Measured, Seen};
use crate::base::time::nanos;
use crate::measure::Value;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// The version of [`Live`]'s JSON.
pub const VERSION: u32 = 1;

/// A live run and all that came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Live {
    /// [`VERSION`].
    pub brownout_keepalive_live: u32,
    /// When it began, RFC 3339 in UTC.
    pub wall_clock: String,
    /// How long it took.
    pub lasted_ns: u64,
    /// The hub.
    pub upstream: String,
    /// The command; empty for a device that was not started here.
    pub command: Vec<String>,
    /// The client that the prediction takes the device for.
    pub client: String,
    /// The manner that it takes the hub to have.
    pub hub: String,
    /// What it takes the device to do.
    pub workload: String,
    /// How the device was given its keep-alives.
    pub mode: Mode,
    /// So far a difference may go.
    pub within_ns: u64,
    /// What was found out on the way.
    pub notes: Vec<String>,
    /// How many outages were to be made.
    pub planned: usize,
    /// Whether it was broken off.
    pub interrupted: bool,
    /// The outages, in the order of keep-alive, length and round.
    pub rows: Vec<Row>,
}

/// How a device is given its keep-alives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Its command is started anew, with BROWNOUT_KEEPALIVE.
    Restart,
    /// By Server Keep Alive in the CONNACK of MQTT 5.
    ServerKeepAlive,
}

/// One outage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The keep-alive that the device had, in seconds.
    pub keep_alive: u16,
    /// The one that it was to have.
    pub asked: u16,
    /// How long the outage was.
    pub outage_ns: u64,
    /// Its number among its like, from 1.
    pub round: u32,
    /// From the device's last packet to the outage, where that was seen.
    pub silent_ns: Option<u64>,
    /// How the outage was made: `packet`, `stall`; `None`: it was not.
    pub fidelity: Option<&'static str>,
    /// From the outage's start until the device gave its link up by itself.
    pub device: Held,
    /// The same of the hub.
    pub hub: Held,
    /// From the path restored until the device was accepted again.
    pub recovery: Held,
    /// Of what both ends noticed. The recovery is told, and not judged: a tenth of a second in when a device dials can be
    /// seconds in which of its SYNs gets through.
    pub verdict: Verdict,
    /// Why there is no evidence in all of it, where that is so: no outage was made, or the hub was not there all the while.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_evidence: Option<String>,
    /// By how much timers of this machine were late meanwhile.
    pub late_ns: u64,
    /// What is to be said of it.
    pub notes: Vec<String>,
}

/// A prediction and a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Between which times it was foretold; `None`: not to come about.
    pub predicted: Option<Bounds>,
    /// Whether it was foretold that it may not come about.
    pub predicted_never: bool,
    /// Between which times it was seen; `None`: not at all.
    pub measured: Option<Bounds>,
    /// Whether it was seen not to come about.
    pub measured_never: bool,
    /// How far the two are apart where both came about: positive for later than foretold, 0 where they overlap.
    pub difference_ns: Option<i64>,
    /// Between which times the device was foretold to dial again, where `measured` ends with that and its difference is from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted_connect: Option<Bounds>,
    /// What that comes to.
    pub verdict: Verdict,
}

/// What is sure to be foretold of an end in an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sure {
    GivesUp,
    Bears,
}

/// What is to be judged, and no outage gave any evidence of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bare {
    /// The keep-alive that the device was to have, in seconds.
    pub asked: u16,
    /// Of whom, and of what: `the device`, `the hub giving up`.
    pub what: &'static str,
}

/// What of an end is judged over all outages at a keep-alive, in words: whether there is anything of it; else, where outages
/// were foretold in which it gives up or bears them, whether there is anything of those.
struct Judged {
    end: &'static str,
    all: &'static str,
    parts: [(Sure, &'static str); 2],
}

const JUDGED: [Judged; 2] = [
    Judged {
        end: "device",
        all: "the device",
        parts: [(Sure::GivesUp, "the device giving up"), (Sure::Bears, "the device bearing an outage")],
    },
    Judged {
        end: "hub",
        all: "the hub",
        parts: [(Sure::GivesUp, "the hub giving up"), (Sure::Bears, "the hub bearing an outage")],
    },
];

/// Two times that may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// The least.
    pub least_ns: u64,
    /// The greatest.
    pub most_ns: u64,
}

/// Whether a prediction was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Agrees,
    /// Nothing speaks to it.
    Inconclusive,
    /// It was not.
    Differs,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Agrees => "agrees",
            Verdict::Inconclusive => "unclear",
            Verdict::Differs => "DIFFERS",
        }
    }
}

impl Held {
    /// The one against the other.
    pub fn of(guess: &Guess, seen: Seen, within: Duration) -> Held {
        let predicted = guess.at.map(|(least, most)| Bounds { least_ns: nanos(least), most_ns: nanos(most) });
        let measured = match seen {
            Seen::At(value) => bounds(value),
            Seen::Never | Seen::Unknown => None,
        };
        let difference_ns = predicted.zip(measured).map(|(predicted, measured)| predicted.to(measured));
        let measured_never = seen == Seen::Never;
        let verdict = match (measured_never, difference_ns) {
            (true, _) if guess.never => Verdict::Agrees,
            (true, _) => Verdict::Differs,
            (false, Some(apart)) if u128::from(apart.unsigned_abs()) <= within.as_nanos() => Verdict::Agrees,
            (false, Some(_)) => Verdict::Differs,
            (false, None) if measured.is_some() => Verdict::Differs,
            (false, None) => Verdict::Inconclusive,
        };
        Held {
            predicted,
            predicted_never: guess.never,
            measured,
            measured_never,
            difference_ns,
            predicted_connect: None,
            verdict,
        }
    }

    /// With nothing to be held against: what it went by is not known.
    fn unjudged(self) -> Held {
        Held { difference_ns: None, predicted_connect: None, verdict: Verdict::Inconclusive, ..self }
    }

    /// With nothing that was seen.
    fn unseen(self) -> Held {
        Held { measured: None, measured_never: false, ..self.unjudged() }
    }

    /// Of which kind the prediction is, where it is sure.
    fn foretold(&self) -> Option<Sure> {
        match (self.predicted, self.predicted_never) {
            (Some(_), false) => Some(Sure::GivesUp),
            (None, true) => Some(Sure::Bears),
            (Some(_), true) | (None, false) => None,
        }
    }

    /// A device that was surely to dial again well before the outage was over, and did not, has not given up as foretold.
    fn by_absence(self, foretold: &Guess, no_connect: bool, outage: Duration, within: Duration) -> Held {
        let was_due = foretold.is_sure() && foretold.at.is_some_and(|(_, most)| most + within < outage);
        let verdict =
            if no_connect && was_due && !self.predicted_never { Verdict::Differs } else { self.verdict };
        Held { verdict, ..self }
    }

    /// Where a bracket ends with the device's next connect, that is foretold, too: the farther of both differences counts.
    fn by_connect(self, foretold: &Guess, connect: Option<Duration>, within: Duration) -> Held {
        let (Some(connect), Some(_), Some(own)) = (connect, foretold.at, self.difference_ns) else {
            return self;
        };
        let by_connect = Held::of(foretold, Seen::At(Value::Exact(connect)), within);
        let Some(apart) = by_connect.difference_ns else { return self };
        Held {
            difference_ns: Some(if own.unsigned_abs() > apart.unsigned_abs() { own } else { apart }),
            predicted_connect: by_connect.predicted,
            verdict: self.verdict.max(by_connect.verdict),
            ..self
        }
    }
}

fn bounds(value: Value) -> Option<Bounds> {
    match value {
        Value::Exact(at) => Some(Bounds { least_ns: nanos(at), most_ns: nanos(at) }),
        Value::Between { after, before } => Some(Bounds { least_ns: nanos(after), most_ns: nanos(before) }),
        Value::Never { .. } | Value::Count(_) | Value::CountBetween { .. } => None,
    }
}

impl Bounds {
    /// From here to there, over what lies between them.
    fn to(self, there: Bounds) -> i64 {
        let after = i64::try_from(there.least_ns.saturating_sub(self.most_ns)).unwrap_or(i64::MAX);
        let before = i64::try_from(self.least_ns.saturating_sub(there.most_ns)).unwrap_or(i64::MAX);
        after - before
    }
}

impl Row {
    /// A case that was made, held against what was foretold of it. `actual`: the keep-alive that the device really had.
    pub fn of(case: &Case, actual: u16, foretold: &Foretold, measured: Measured, within: Duration) -> Row {
        let device = Held::of(&foretold.device, measured.device, within);
        let device = device.by_connect(&foretold.connect, measured.connect, within);
        let device = device.by_absence(&foretold.connect, measured.no_connect, case.outage, within);
        let hub = Held::of(&foretold.hub, measured.hub, within);
        let recovery = Held::of(&foretold.recovery, measured.recovery, within);
        Row {
            keep_alive: actual,
            asked: case.keep_alive,
            outage_ns: nanos(case.outage),
            round: case.round,
            silent_ns: None,
            fidelity: None,
            verdict: device.verdict.max(hub.verdict),
            device,
            hub,
            recovery,
            no_evidence: None,
            late_ns: 0,
            notes: Vec::new(),
        }
    }

    /// With all that was seen taken away: it cannot be laid to the outage, for this reason.
    pub fn without_evidence(self, why: String) -> Row {
        let (device, hub, recovery) = (self.device.unseen(), self.hub.unseen(), self.recovery.unseen());
        Row { device, hub, recovery, no_evidence: Some(why), verdict: Verdict::Inconclusive, ..self }
    }

    /// What was measured, with no verdict: whether the device had the keep-alive that the prediction assumes is not known.
    pub fn unjudged(self) -> Row {
        let (device, hub) = (self.device.unjudged(), self.hub.unjudged());
        let recovery = self.recovery.unjudged();
        Row { device, hub, recovery, verdict: Verdict::Inconclusive, ..self }
    }
}

impl Live {
    /// All predictions that were held against something: whose, and how.
    pub fn held(&self) -> impl Iterator<Item = (&Row, &'static str, &Held)> {
        self.rows.iter().flat_map(|row| {
            [("device", &row.device), ("hub", &row.hub), ("recovery", &row.recovery)]
                .map(|(what, held)| (row, what, held))
        })
    }

    /// What no outage gave any evidence of.
    pub fn bare(&self) -> Vec<Bare> {
        let asked: BTreeSet<u16> = self.rows.iter().map(|row| row.asked).collect();
        let mut bare = Vec::new();
        for asked in asked {
            for Judged { end, all, parts } in JUDGED {
                if self.is_bare(asked, end, None) {
                    bare.push(Bare { asked, what: all });
                    continue;
                }
                let found = parts.into_iter().filter(|(sure, _)| self.is_bare(asked, end, Some(*sure)));
                bare.extend(found.map(|(_, what)| Bare { asked, what }));
            }
        }
        bare
    }

    /// Whether there are such outages, and none of them gave any evidence of this end.
    fn is_bare(&self, asked: u16, end: &str, sure: Option<Sure>) -> bool {
        let of_end = self.held().filter(|(row, what, _)| row.asked == asked && *what == end);
        let mut of_kind = of_end.filter(|(_, _, held)| sure.is_none() || held.foretold() == sure).peekable();
        of_kind.peek().is_some() && of_kind.all(|(_, _, held)| held.verdict == Verdict::Inconclusive)
    }

    /// How many outages there are no rows of.
    pub fn missing(&self) -> usize {
        self.planned.saturating_sub(self.rows.len())
    }

    /// It differs where one differs. It is inconclusive where nothing was seen of a whole outage, or outages are missing; and
    /// where at a keep-alive nothing was seen of an end at all, in no outage in which it was foretold to give up, or in none that
    /// it was foretold to bear. That one end of an outage gave no sign either way, while others of its like did, is told, and does
    /// not count.
    pub fn verdict(&self) -> Verdict {
        let is_bare =
            |row: &Row| [row.device, row.hub].iter().all(|held| held.verdict == Verdict::Inconclusive);
        if self.rows.iter().any(|row| row.verdict == Verdict::Differs) {
            Verdict::Differs
        } else if self.rows.is_empty()
            || self.interrupted
            || self.missing() > 0
            || self.rows.iter().any(is_bare)
            || !self.bare().is_empty()
        {
            Verdict::Inconclusive
        } else {
            Verdict::Agrees
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn guess(at: Option<(u64, u64)>, never: bool) -> Guess {
        Guess { at: at.map(|(least, most)| (ms(least), ms(most))), never }
    }

    #[test]
    fn a_bracket_that_ends_with_a_connect_is_held_against_the_predicted_connect() {
        let seen = Seen::At(Value::Between { after: ms(0), before: ms(8_510) });
        let held = |dials: Option<(u64, u64)>| {
            let held = Held::of(&guess(Some((7_500, 7_500)), false), seen, ms(500));
            held.by_connect(&guess(dials, false), Some(ms(8_510)), ms(500))
        };
        let of = |dials| (held(dials).difference_ns.map(|apart| apart / 1_000_000), held(dials).verdict);
        assert_eq!(of(Some((8_500, 8_500))), (Some(10), Verdict::Agrees));
        assert_eq!(of(Some((5_000, 8_500))), (Some(10), Verdict::Agrees));
        // A device that gave up far sooner would be in the bracket, and have dialled sooner.
        assert_eq!(of(Some((4_500, 4_500))), (Some(4_010), Verdict::Differs));
        assert_eq!(of(None), (Some(0), Verdict::Agrees));
    }

    #[test]
    fn a_device_that_does_not_dial_as_foretold_differs() {
        let held = |dials: Guess, no_connect, outage| {
            let held = Held::of(&guess(Some((1_750, 1_750)), false), Seen::Unknown, ms(1_500));
            held.by_absence(&dials, no_connect, ms(outage), ms(1_500)).verdict
        };
        let soon = guess(Some((1_800, 2_000)), false);
        assert_eq!(held(soon, true, 3_501), Verdict::Differs);
        assert_eq!(held(soon, true, 3_500), Verdict::Inconclusive);
        assert_eq!(held(soon, false, 9_000), Verdict::Inconclusive, "no outage was made");
        assert_eq!(held(guess(Some((1_800, 2_000)), true), true, 9_000), Verdict::Inconclusive);
    }

    #[test]
    fn a_prediction_is_right_to_the_millisecond_that_is_allowed() {
        let exact = |millis| Seen::At(Value::Exact(ms(millis)));
        let between = |after, before| Seen::At(Value::Between { after: ms(after), before: ms(before) });
        let at = |millis| guess(Some((millis, millis)), false);
        for (guess, seen, millis, verdict) in [
            (at(8_000), exact(9_500), Some(1_500), Verdict::Agrees),
            (at(8_000), exact(9_501), Some(1_501), Verdict::Differs),
            (at(8_000), exact(6_500), Some(-1_500), Verdict::Agrees),
            (at(8_000), exact(6_499), Some(-1_501), Verdict::Differs),
            // Of a bracket, its nearest end counts; of a range, too.
            (at(8_000), between(2_000, 7_000), Some(-1_000), Verdict::Agrees),
            (at(8_000), between(7_000, 9_000), Some(0), Verdict::Agrees),
            (guess(Some((6_000, 12_000)), false), exact(13_000), Some(1_000), Verdict::Agrees),
            (guess(Some((6_000, 12_000)), false), exact(9_000), Some(0), Verdict::Agrees),
            // Whether it comes about at all.
            (guess(None, true), Seen::Never, None, Verdict::Agrees),
            (guess(None, true), exact(8_000), None, Verdict::Differs),
            (at(8_000), Seen::Never, None, Verdict::Differs),
            (guess(Some((8_000, 9_000)), true), Seen::Never, None, Verdict::Agrees),
            (guess(Some((8_000, 9_000)), true), exact(12_000), Some(3_000), Verdict::Differs),
            // No evidence is no verdict.
            (at(8_000), Seen::Unknown, None, Verdict::Inconclusive),
            (guess(None, true), Seen::Unknown, None, Verdict::Inconclusive),
        ] {
            let held = Held::of(&guess, seen, ms(1_500));
            let difference = held.difference_ns.map(|apart| apart / 1_000_000);
            assert_eq!((difference, held.verdict), (millis, verdict), "{guess:?} {seen:?}");
        }
    }
}
