//! The way back: connect attempts until a CONNACK accepts the device, then subscriptions and traffic.

use super::backoff::{self, BackOff};
use super::facts::Link;
use super::value::Value;
use crate::base::Time;
use crate::base::units::to_u64;
use crate::profile::Metric;
use std::time::Duration;

/// What a device did from losing its link until it was accepted again.
#[derive(Clone, Debug)]
pub(super) struct Outage<'a> {
    /// Its connects, the one that was accepted included.
    attempts: Vec<Attempt>,
    /// How many more may be its own, of those that say no more than the address that it shares.
    perhaps: u64,
    /// The link that was accepted, and when.
    pub back: Option<(&'a Link, Time)>,
}

/// A connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attempt {
    /// When it began, as far as seen.
    began: Time,
    /// When it was over for the device, where that was seen.
    over: Option<Time>,
}

impl<'a> Outage<'a> {
    /// From the links that the device opened after the lost one, oldest first. One that it has given up may be accepted, too, and
    /// later than the next.
    pub fn of(later_links: impl Iterator<Item = &'a Link>) -> Outage<'a> {
        let (mut attempts, mut back): (Vec<Attempt>, Option<(&Link, Time)>) = (Vec::new(), None);
        for link in later_links {
            if back.is_some_and(|(_, at)| link.opened >= at) {
                break;
            }
            attempts.push(Attempt { began: link.began(), over: link.over_for_device() });
            back = back.into_iter().chain(link.accepted().map(|at| (link, at))).min_by_key(|(_, at)| *at);
        }
        if let Some((link, _)) = back {
            attempts.retain(|attempt| attempt.began <= link.began());
        }
        Outage { attempts, perhaps: 0, back }
    }

    /// The same, with connects that began at these times and that only a tap saw: nobody accepted them.
    pub fn with_unanswered(mut self, begun: impl Iterator<Item = Time>) -> Outage<'a> {
        let until = self.back.map_or(Time::MAX, |(link, _)| link.began());
        let meanwhile = begun.filter(|began| *began < until);
        self.attempts.extend(meanwhile.map(|began| Attempt { began, over: None }));
        self.attempts.sort();
        self
    }

    /// So many connects more may be its own.
    pub fn may_have_made(&mut self, perhaps: u64) {
        self.perhaps = perhaps;
    }

    /// How many connects it took, of those that are known to be its own.
    pub fn count(&self) -> u64 {
        to_u64(self.attempts.len())
    }

    /// From each connect to the next, where all are known; the time that an attempt took to fail is in it.
    pub fn gaps(&self) -> impl Iterator<Item = Duration> + '_ {
        self.pairs().filter(|_| self.perhaps == 0).map(|(one, next)| next.began.since(one.began))
    }

    /// The shape of the waits: from the end of each attempt to the next connect, or from connect to connect where the
    /// end was not seen before.
    pub fn back_off(&self) -> BackOff {
        let pairs = self.pairs().filter(|_| self.perhaps == 0);
        let waits: Vec<Duration> = pairs.map(|(one, next)| wait(one, next)).collect();
        backoff::classify(&waits)
    }

    /// The measures of the outage itself and of what followed it, as of `end`.
    pub fn measures(&self, end: Time) -> Vec<(Metric, Value)> {
        let attempts = self.count();
        // Who is not back has not made its last one.
        let attempts = if self.back.is_some() {
            Value::at_least(attempts, self.perhaps)
        } else {
            Value::CountBetween { least: attempts, most: None }
        };
        let mut values = vec![(Metric::ConnectAttempts, attempts)];
        values.extend(self.gaps().map(|gap| (Metric::ConnectGap, Value::Exact(gap))));
        let Some((link, accepted)) = self.back else { return values };
        if link.must_resubscribe() {
            let watched = link.closed.unwrap_or(end).since(accepted);
            let done = link.resubscribed.map(|at| Value::Exact(at.since(accepted)));
            values.push((Metric::Resubscribe, done.unwrap_or(Value::Never { watched })));
        }
        for (metric, first) in
            [(Metric::FirstPublish, link.first.up), (Metric::FirstDelivery, link.first.down)]
        {
            values.extend(first.map(|at| (metric, Value::Exact(at.since(accepted)))));
        }
        values
    }

    fn pairs(&self) -> impl Iterator<Item = (Attempt, Attempt)> + '_ {
        self.attempts.iter().copied().zip(self.attempts.iter().copied().skip(1))
    }
}

fn wait(one: Attempt, next: Attempt) -> Duration {
    let over = one.over.filter(|over| *over <= next.began);
    next.began.since(over.unwrap_or(one.began))
}
