//! The model: rows of faults, columns of workloads; serialised, scorecard.json.
//!
//! Keys are stable and in snake case; those that end in `_s` are seconds, and figures are those of report.json.

use crate::measure::Class;
use crate::profile::Workload;
use crate::report::model::Figure;
use serde::Serialize;

/// The version of the JSON form; it changes when a key changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// A suite that was run against one client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scorecard {
    /// The version of this form: [`FORMAT`].
    pub format: u32,
    /// The suite's name.
    pub suite: String,
    /// What it is for.
    pub summary: String,
    /// The command of the client under test, with its arguments.
    pub command: Vec<String>,
    /// Wall-clock time of its beginning (RFC 3339).
    pub wall_clock: String,
    /// How long it took.
    pub lasted_s: f64,
    /// The keep-alive that the client was told to use.
    pub keep_alive_s: f64,
    /// The seed of every run.
    pub seed: u64,
    /// The hub: an address, or `null` for brownout's own, one for each run.
    pub hub: Option<String>,
    /// Whether it was ended before all runs were made.
    pub interrupted: bool,
    /// The workloads that have a column.
    pub workloads: Vec<&'static str>,
    /// The entries, in the order of the suite.
    pub rows: Vec<Row>,
    /// A grade for each class of findings and expectations, over all runs.
    pub classes: Vec<ClassGrade>,
    /// Whether the machine kept up.
    pub timing: Timing,
}

/// An entry of the suite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub entry: String,
    /// Its profile.
    pub profile: String,
    /// What the profile does.
    pub summary: String,
    /// Its runs, in the order of the workloads.
    pub cells: Vec<Card>,
}

/// A run's place in the scorecard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card {
    /// The workload.
    pub workload: &'static str,
    /// The directory of its report, inside that of the suite; `null` where none was written.
    pub directory: Option<String>,
    /// How it came out.
    #[serde(flatten)]
    pub cell: Cell,
}

/// How a run came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, where it did not pass: sentences.
    pub why: Vec<String>,
    /// The longest that the device took to notice a fault, from its start; `null` where there was nothing to notice.
    pub detected_s: Option<Figure>,
    /// The same (its upper end) in keep-alives; `null` where it did not notice.
    pub detected_keepalives: Option<f64>,
    /// The keep-alive of the device then; `None` where it has none. Not in the JSON.
    #[serde(skip)]
    pub detection_keep_alive_s: Option<f64>,
    /// The longest that it took to be accepted again: from the path restored, or from the fault where that was over at once.
    pub recovered_s: Option<Figure>,
    /// Messages lost, by quality of service, both ways; `null` where none could be followed.
    pub lost: Option<[u64; 3]>,
    /// So many more of which it is not known whether they were lost.
    pub perhaps_lost: Option<[u64; 3]>,
    /// How many findings of grade `warn` or `fail` there are.
    pub findings: u64,
    /// The grade of each class: violation, detection, recovery, loss; `null` where there is no report.
    pub grades: Option<[&'static str; 4]>,
    /// How long the run lasted; 0 where it was not made.
    pub lasted_s: f64,
    /// The latest that a timer of brownout came while it ran.
    pub late_s: f64,
    /// Whether it was made again by itself, since the machine had not kept up.
    pub again: bool,
    /// The last lines that the client wrote, where it did not pass.
    pub output: Vec<String>,
}

/// The verdict of a cell. The order is that of gravity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All as expected.
    Pass,
    /// It says nothing of this client.
    NotApplicable,
    /// As expected, with something worth a look.
    Warn,
    /// It was not run.
    #[default]
    NotRun,
    /// It shows neither the one nor the other.
    Inconclusive,
    /// Not as expected.
    Fail,
    /// The environment refused.
    Error,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::NotApplicable => "n/a",
            Verdict::Warn => "warn",
            Verdict::NotRun => "not run",
            Verdict::Inconclusive => "unclear",
            Verdict::Fail => "FAIL",
            Verdict::Error => "ERROR",
        }
    }

    /// Whether a suite with it has passed.
    pub fn is_sound(self) -> bool {
        matches!(self, Verdict::Pass | Verdict::NotApplicable | Verdict::Warn)
    }
}

/// The grade of one class of findings and expectations, over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassGrade {
    /// `violation`, `detection`, `recovery`, `loss`.
    pub class: &'static str,
    /// `pass`, `inconclusive`, `warn`, `fail`: the worst, where `inconclusive` counts only if no run says more.
    pub grade: &'static str,
    /// The runs that have this grade, where it is not a pass: `entry/workload`.
    pub runs: Vec<String>,
}

/// Whether the machine kept up: how late brownout's own timers came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// How many runs were made at once, at most.
    pub jobs: usize,
    /// Past this a run counts as disturbed.
    pub bound_s: f64,
    /// The latest that a timer came.
    pub worst_s: f64,
    /// How many runs were disturbed.
    pub disturbed: usize,
}

impl Scorecard {
    /// Each run with its row.
    pub fn cards(&self) -> impl Iterator<Item = (&Row, &Card)> {
        self.rows.iter().flat_map(|row| row.cells.iter().map(move |card| (row, card)))
    }

    /// How many runs came out so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cards().filter(|(_, card)| card.cell.verdict == verdict).count()
    }

    /// The worst verdict.
    pub fn worst(&self) -> Verdict {
        self.cards().map(|(_, card)| card.cell.verdict).max().unwrap_or(Verdict::NotRun)
    }

    /// Whether all runs passed.
    pub fn is_passed(&self) -> bool {
        self.worst().is_sound()
    }

    /// scorecard.json.
    ///
    /// # Errors
    /// None that this model can bring about.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|json| json + "\n")
    }
}

impl Row {
    /// The run with this workload.
    pub fn cell(&self, workload: &str) -> Option<&Card> {
        self.cells.iter().find(|card| card.workload == workload)
    }
}

/// The grades over all runs.
pub(super) fn classes(rows: &[Row]) -> Vec<ClassGrade> {
    let class = |(nth, class): (usize, Class)| {
        let graded: Vec<(&str, String)> = rows
            .iter()
            .flat_map(|row| row.cells.iter().map(move |card| (row, card)))
            .filter_map(|(row, card)| {
                let grade = *card.cell.grades?.get(nth)?;
                Some((grade, format!("{}/{}", row.entry, card.workload)))
            })
            .collect();
        // Of most runs most classes say nothing, which takes nothing from those that do.
        let order = ["fail", "warn", "pass", "inconclusive"];
        let worst = order.into_iter().find(|word| graded.iter().any(|(grade, _)| grade == word));
        let grade = worst.unwrap_or("inconclusive");
        let told = matches!(grade, "fail" | "warn");
        let runs = graded.into_iter().filter(|(of, _)| told && *of == grade).map(|(_, run)| run).collect();
        ClassGrade { class: class.word(), grade, runs }
    };
    (0..).zip(Class::ALL).map(class).collect()
}

/// The workloads that some row has, in their order.
pub(super) fn columns(rows: &[Row]) -> Vec<&'static str> {
    let words = Workload::ALL.map(Workload::word);
    words.into_iter().filter(|word| rows.iter().any(|row| row.cell(word).is_some())).collect()
}

impl Scorecard {
    /// Fills in what follows from the rows.
    #[must_use]
    pub fn with_rows(mut self, rows: Vec<Row>) -> Scorecard {
        self.workloads = columns(&rows);
        self.classes = classes(&rows);
        let late = |(_, card): &(&Row, &Card)| card.cell.late_s > self.timing.bound_s;
        self.rows = rows;
        self.timing.disturbed = self.cards().filter(late).count();
        self
    }
}
