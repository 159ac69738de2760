//! Suites: sets of profiles that one client is run against, read with every problem told at once as profiles are.
//!
//! Owns the checked [`Suite`] and the shipped ones. Deliberately absent: the profiles that a suite names, which may be
//! files (cli/ reads those).

use super::nearest::nearest;
use super::read::Override;
use super::shipped::Shipped;
use crate::base::Span;
use crate::base::span::show_fixed;
use std::fmt;
use std::time::Duration;

/// A suite that is fit to run, once its profiles are.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub summary: String,
    /// The keep-alive that the client is told to use: whole seconds, 1 to 65,535.
    pub keep_alive: Duration,
    /// The time from one message to the next; for this keep-alive shorter than it.
    pub interval: Span,
    /// The longest that a run may last whose profile does not say it.
    pub limit: Span,
    /// In the order of the scorecard; their names differ.
    pub entries: Vec<Entry>,
}

impl Suite {
    /// The same at another keep-alive, in whole seconds.
    ///
    /// # Errors
    /// Messages would not come faster than that.
    pub fn at(self, keep_alive: Duration) -> Result<Suite, String> {
        let interval = self.interval.resolve(keep_alive);
        if interval >= keep_alive {
            let (interval, keep_alive) = (show_fixed(interval), show_fixed(keep_alive));
            return Err(format!("messages each {interval} are not faster than a keep-alive of {keep_alive}"));
        }
        Ok(Suite { keep_alive, ..self })
    }
}

/// A profile of a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it is called: lower-case letters, digits and dashes.
    pub name: String,
    /// The name of a shipped profile, or a path.
    pub profile: String,
    /// Values in the place of the profile's.
    pub sets: Vec<Override>,
    /// How long a run lasts, in the place of the profile's `duration`.
    pub duration: Option<Span>,
    /// What the client does: a run for each; at least one.
    pub workloads: Vec<Workload>,
    /// The quality of service of messages: 0, 1 or 2.
    pub qos: u8,
    /// Whether it says nothing of a client that does not speak MQTT 5.
    pub needs_mqtt5: bool,
}

/// What a client does during a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Workload {
    /// It stays connected.
    Idle,
    /// It publishes faster than its keep-alive.
    Pub,
    /// It subscribes to a topic that is busier than its keep-alive.
    Sub,
}

impl Workload {
    /// All of them, in the order of the scorecard.
    pub const ALL: [Workload; 3] = [Workload::Idle, Workload::Pub, Workload::Sub];

    /// The word for it in suites, and what the client is told.
    pub fn word(self) -> &'static str {
        match self {
            Workload::Idle => "idle",
            Workload::Pub => "pub",
            Workload::Sub => "sub",
        }
    }

    /// The one of that word.
    pub fn from_word(word: &str) -> Option<Workload> {
        Workload::ALL.into_iter().find(|workload| workload.word() == word)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The suites that come with brownout, built in.
const SHIPPED: &[Shipped] =
    &[Shipped { name: "client", text: include_str!("../../profiles/suites/client.yaml") }];

/// No shipped suite has that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no shipped suite `{name}`{}; there are: {}", self.meant(), names())]
pub struct NoSuite {
    name: String,
}

/// All shipped suites, by name.
pub fn shipped() -> &'static [Shipped] {
    SHIPPED
}

/// The shipped suite of that name.
///
/// # Errors
/// Says which name is nearest, and which there are.
pub fn find(name: &str) -> Result<Shipped, NoSuite> {
    let found = SHIPPED.iter().copied().find(|suite| suite.name == name);
    found.ok_or_else(|| NoSuite { name: name.to_owned() })
}

impl NoSuite {
    fn meant(&self) -> String {
        nearest(&self.name, SHIPPED.iter().map(|suite| suite.name))
            .map(|name| format!("; did you mean `{name}`?"))
            .unwrap_or_default()
    }
}

fn names() -> String {
    SHIPPED.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
