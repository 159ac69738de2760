//! The figures of a combination by name: what forms show, what the Pareto front weighs and what expectations are held against.

use super::model::{Figures, Row, Spread, Terms};
use crate::measure::value::float;
use std::time::Duration;

/// An hour.
pub const HOUR: Duration = Duration::from_secs(3600);
/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// A month: 30 days.
pub const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a figure of a combination came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// Nothing speaks to it.
    NoSample,
    /// It did not come about. Greater than any time.
    Never,
    /// A time.
    Time(Duration),
    /// A number: of things, of bytes, a share.
    Number(f64),
}

impl Reading {
    /// As a number to compare by, in seconds where it is a time; `None` without a sample.
    pub fn weight(self) -> Option<f64> {
        match self {
            Reading::NoSample => None,
            Reading::Never => Some(f64::INFINITY),
            Reading::Time(time) => Some(time.as_secs_f64()),
            Reading::Number(number) => Some(number),
        }
    }
}

/// What of the samples of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The least.
    Min,
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
    /// The greatest.
    Max,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Statistic; 4] = [Statistic::Min, Statistic::P50, Statistic::P95, Statistic::Max];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Statistic::Min => "min",
            Statistic::P50 => "p50",
            Statistic::P95 => "p95",
            Statistic::Max => "max",
        }
    }

    /// What it comes to.
    pub fn of(self, spread: &Spread) -> Reading {
        let value = match self {
            Statistic::Min => spread.min_ns,
            Statistic::P50 => spread.p50_ns,
            Statistic::P95 => spread.p95_ns,
            Statistic::Max => spread.max_ns,
        };
        match value {
            _ if spread.count == 0 => Reading::NoSample,
            None => Reading::Never,
            Some(ns) => Reading::Time(Duration::from_nanos(ns)),
        }
    }
}

/// A measure of a combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// [`Figures::device_detection`].
    DeviceDetection,
    /// [`Figures::hub_detection`].
    HubDetection,
    /// [`Figures::split_view`].
    SplitView,
    /// [`Figures::recovery`].
    Recovery,
    /// [`Figures::downtime_ns`].
    Downtime,
    /// [`Figures::awake_ns`].
    Awake,
    /// [`Figures::false_disconnects`].
    FalseDisconnects,
    /// [`Figures::forgotten`].
    Forgotten,
    /// [`Figures::connects`].
    Connects,
    /// [`Messages::lost`](super::model::Messages::lost).
    MessagesLost,
    /// [`Messages::late`](super::model::Messages::late).
    MessagesLate,
    /// [`Messages::withheld`](super::model::Messages::withheld).
    MessagesWithheld,
    /// Bytes of IP both ways.
    Data,
    /// [`Figures::wake_ups`].
    WakeUps,
    /// [`Figures::storm_peak`].
    StormPeak,
}

/// What a measure is made of, and so how a limit of it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Samples of a time: a statistic of them is asked for.
    Samples,
    /// A time in all: so much in a day, or a share.
    Time,
    /// Things in all: so many in a day.
    Count,
    /// The same, or as a share of messages.
    Messages,
    /// Bytes in all.
    Bytes,
    /// A number.
    Peak,
}

impl Metric {
    /// All of them.
    pub const ALL: [Metric; 15] = [
        Metric::DeviceDetection,
        Metric::HubDetection,
        Metric::SplitView,
        Metric::Recovery,
        Metric::Downtime,
        Metric::Awake,
        Metric::FalseDisconnects,
        Metric::Forgotten,
        Metric::Connects,
        Metric::MessagesLost,
        Metric::MessagesLate,
        Metric::MessagesWithheld,
        Metric::Data,
        Metric::WakeUps,
        Metric::StormPeak,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Metric::DeviceDetection => "device_detection",
            Metric::HubDetection => "hub_detection",
            Metric::SplitView => "split_view",
            Metric::Recovery => "recovery",
            Metric::Downtime => "downtime",
            Metric::Awake => "awake",
            Metric::FalseDisconnects => "false_disconnects",
            Metric::Forgotten => "forgotten",
            Metric::Connects => "connects",
            Metric::MessagesLost => "messages_lost",
            Metric::MessagesLate => "messages_late",
            Metric::MessagesWithheld => "messages_withheld",
            Metric::Data => "data",
            Metric::WakeUps => "wake_ups",
            Metric::StormPeak => "storm_peak",
        }
    }

    /// What it is made of.
    pub fn kind(self) -> Kind {
        match self {
            Metric::DeviceDetection | Metric::HubDetection | Metric::SplitView | Metric::Recovery => {
                Kind::Samples
            }
            Metric::Downtime | Metric::Awake => Kind::Time,
            Metric::FalseDisconnects | Metric::Forgotten | Metric::Connects | Metric::WakeUps => Kind::Count,
            Metric::MessagesLost | Metric::MessagesLate | Metric::MessagesWithheld => Kind::Messages,
            Metric::Data => Kind::Bytes,
            Metric::StormPeak => Kind::Peak,
        }
    }

    /// Its samples, where it is made of samples.
    pub fn spread(self, figures: &Figures) -> Option<&Spread> {
        match self {
            Metric::DeviceDetection => Some(&figures.device_detection),
            Metric::HubDetection => Some(&figures.hub_detection),
            Metric::SplitView => Some(&figures.split_view),
            Metric::Recovery => Some(&figures.recovery),
            Metric::Downtime
            | Metric::Awake
            | Metric::FalseDisconnects
            | Metric::Forgotten
            | Metric::Connects
            | Metric::MessagesLost
            | Metric::MessagesLate
            | Metric::MessagesWithheld
            | Metric::Data
            | Metric::WakeUps
            | Metric::StormPeak => None,
        }
    }

    /// What it came to in all: things, bytes, nanoseconds. `None` where it is made of samples, and where nothing speaks to it: a
    /// device that never dialled was never disconnected falsely, and of no message none is lost.
    pub fn total(self, figures: &Figures) -> Option<u64> {
        let dialled = figures.connects > 0;
        let messages = &figures.messages;
        match self {
            Metric::DeviceDetection | Metric::HubDetection | Metric::SplitView | Metric::Recovery => None,
            Metric::Downtime => Some(figures.downtime_ns),
            Metric::Awake => Some(figures.awake_ns),
            Metric::FalseDisconnects => Some(figures.false_disconnects).filter(|_| dialled),
            Metric::Forgotten => Some(figures.forgotten).filter(|_| dialled),
            Metric::Connects => Some(figures.connects),
            Metric::MessagesLost => Some(messages.lost).filter(|_| messages.sent > 0),
            Metric::MessagesLate => Some(messages.late).filter(|_| messages.sent > 0),
            Metric::MessagesWithheld => Some(messages.withheld).filter(|_| messages.due > 0),
            Metric::Data => Some(figures.bytes_up.saturating_add(figures.bytes_down)),
            Metric::WakeUps => Some(figures.wake_ups),
            Metric::StormPeak => figures.storm_peak,
        }
    }

    /// What a share of it is a share of: messages sent or due, or the time simulated, in nanoseconds.
    pub fn whole(self, figures: &Figures, terms: &Terms) -> Option<u64> {
        match self.kind() {
            Kind::Time => Some(terms.span_ns),
            Kind::Messages if self == Metric::MessagesWithheld => Some(figures.messages.due),
            Kind::Messages => Some(figures.messages.sent),
            Kind::Samples | Kind::Count | Kind::Bytes | Kind::Peak => None,
        }
    }

    /// What it came to in so long, as a rate; a peak as it is.
    pub fn per(self, row: &Row, terms: &Terms, long: Duration) -> Reading {
        match self.total(&row.figures) {
            Some(total) if self == Metric::StormPeak => Reading::Number(float(total)),
            Some(total) if terms.span_ns > 0 => {
                let rate =
                    float(total) * long.as_secs_f64() / Duration::from_nanos(terms.span_ns).as_secs_f64();
                if self.kind() == Kind::Time { time(rate / 1e9) } else { Reading::Number(rate) }
            }
            Some(_) | None => Reading::NoSample,
        }
    }
}

fn time(seconds: f64) -> Reading {
    Duration::try_from_secs_f64(seconds).map_or(Reading::NoSample, Reading::Time)
}

/// A figure that forms show and that combinations are weighed by: of all of them, the lesser the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The 95th percentile of the device's detection.
    DeviceP95,
    /// Its greatest.
    DeviceMax,
    /// The 95th percentile of the hub's.
    HubP95,
    /// Downtime a day.
    Downtime,
    /// False disconnects a day.
    FalseDisconnects,
    /// Bytes in a month.
    Data,
    /// Wake-ups of the radio a day.
    WakeUps,
    /// The share of the messages sent that came late, or never.
    LateOrLost,
    /// Connects in the busiest second of a reconnect storm.
    StormPeak,
}

/// In what a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A time.
    Time,
    /// A number.
    Number,
    /// Bytes.
    Bytes,
    /// A share, as per cent.
    Share,
}

impl Figure {
    /// All of them, in the order of tables.
    pub const ALL: [Figure; 9] = [
        Figure::DeviceP95,
        Figure::DeviceMax,
        Figure::HubP95,
        Figure::Downtime,
        Figure::FalseDisconnects,
        Figure::Data,
        Figure::WakeUps,
        Figure::LateOrLost,
        Figure::StormPeak,
    ];

    /// What it came to.
    pub fn of(self, row: &Row, terms: &Terms) -> Reading {
        let figures = &row.figures;
        match self {
            Figure::DeviceP95 => Statistic::P95.of(&figures.device_detection),
            Figure::DeviceMax => Statistic::Max.of(&figures.device_detection),
            Figure::HubP95 => Statistic::P95.of(&figures.hub_detection),
            Figure::Downtime => Metric::Downtime.per(row, terms, DAY),
            Figure::FalseDisconnects => Metric::FalseDisconnects.per(row, terms, DAY),
            Figure::Data => Metric::Data.per(row, terms, MONTH),
            Figure::WakeUps => Metric::WakeUps.per(row, terms, DAY),
            Figure::LateOrLost => late_or_lost(figures),
            Figure::StormPeak => Metric::StormPeak.per(row, terms, DAY),
        }
    }

    /// Whether its samples speak for the setting. Outages that are over before an end would have noticed leave no sample of
    /// detection, so that what is left are those that were noticed soonest: of fewer than 95 % of the outages that met a link (for
    /// the greatest: of fewer than all), the figure says too little of the setting.
    pub fn is_whole(self, figures: &Figures) -> bool {
        let (spread, percent) = match self {
            Figure::DeviceP95 => (&figures.device_detection, 95),
            Figure::DeviceMax => (&figures.device_detection, 100),
            Figure::HubP95 => (&figures.hub_detection, 95),
            Figure::Downtime
            | Figure::FalseDisconnects
            | Figure::Data
            | Figure::WakeUps
            | Figure::LateOrLost
            | Figure::StormPeak => return true,
        };
        spread.count.saturating_mul(100) >= figures.struck.saturating_mul(percent)
    }

    /// In what it is shown.
    pub fn form(self) -> Form {
        match self {
            Figure::DeviceP95 | Figure::DeviceMax | Figure::HubP95 | Figure::Downtime => Form::Time,
            Figure::FalseDisconnects | Figure::WakeUps | Figure::StormPeak => Form::Number,
            Figure::Data => Form::Bytes,
            Figure::LateOrLost => Form::Share,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Figure::DeviceP95 => "device detection p95",
            Figure::DeviceMax => "device detection max",
            Figure::HubP95 => "hub detection p95",
            Figure::Downtime => "downtime a day",
            Figure::FalseDisconnects => "false disconnects a day",
            Figure::Data => "data a month",
            Figure::WakeUps => "wake-ups a day",
            Figure::LateOrLost => "messages late or lost",
            Figure::StormPeak => "storm peak",
        }
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Figure::DeviceP95 | Figure::DeviceMax => {
                "from the start of an outage until the device knew that its link was gone"
            }
            Figure::HubP95 => "from the start of an outage until the hub knew",
            Figure::Downtime => "for how long a message could not have been passed on",
            Figure::FalseDisconnects => "links given up though the path was sound",
            Figure::Data => "bytes of IP both ways in 30 days",
            Figure::WakeUps => "how often the radio had to wake up",
            Figure::LateOrLost => "the share of the messages handed to a link that came late or never",
            Figure::StormPeak => "connects of the fleet in the busiest second after an outage that met all",
        }
    }
}

fn late_or_lost(figures: &Figures) -> Reading {
    let messages = &figures.messages;
    if messages.sent == 0 {
        return Reading::NoSample;
    }
    Reading::Number(float(messages.late.saturating_add(messages.lost)) / float(messages.sent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalive::fixtures::{row, terms};

    #[test]
    fn rates_are_of_the_time_simulated() {
        let (mut row, mut terms) = (row(60, 90, 1), terms());
        terms.span_ns = 2 * 86_400_000_000_000;
        row.figures.wake_ups = 7;
        row.figures.downtime_ns = 600_000_000_000;
        assert_eq!(Figure::WakeUps.of(&row, &terms), Reading::Number(3.5));
        assert_eq!(Figure::Downtime.of(&row, &terms), Reading::Time(Duration::from_secs(300)));
        row.figures.bytes_up = 1_000;
        row.figures.bytes_down = 1_000;
        assert_eq!(Figure::Data.of(&row, &terms), Reading::Number(30_000.0));
        terms.span_ns = 0;
        assert_eq!(Figure::Data.of(&row, &terms), Reading::NoSample);
    }

    #[test]
    fn what_was_noticed_of_a_few_outages_says_little_of_the_setting() {
        let mut figures = Figures { struck: 20, ..Figures::default() };
        for (samples, p95, max) in [(18, false, false), (19, true, false), (20, true, true)] {
            figures.device_detection = Spread::of(vec![1; samples], 0);
            assert_eq!(Figure::DeviceP95.is_whole(&figures), p95);
            assert_eq!(Figure::DeviceMax.is_whole(&figures), max);
        }
        assert!(!Figure::HubP95.is_whole(&figures) && Figure::Data.is_whole(&figures));
    }

    #[test]
    fn nothing_is_no_zero() {
        let figures = Figures::default();
        for metric in [
            Metric::FalseDisconnects,
            Metric::Forgotten,
            Metric::MessagesLost,
            Metric::MessagesLate,
            Metric::MessagesWithheld,
            Metric::StormPeak,
        ] {
            assert_eq!(metric.total(&figures), None, "{metric:?}");
        }
        assert_eq!(Statistic::P95.of(&Spread::default()), Reading::NoSample);
        assert_eq!(Statistic::P95.of(&Spread::of(Vec::new(), 3)), Reading::Never);
        assert_eq!(late_or_lost(&figures), Reading::NoSample);
    }
}
