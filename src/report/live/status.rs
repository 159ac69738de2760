//! The state of things at any time, for a block of lines at the bottom of a terminal.

use super::{Live, span};
use crate::base::text::printable;
use crate::base::{RuleId, Time};
use crate::report::table::{WIDTH, cut, width};
use crate::report::words::{self, many};
use crate::session::Sessions;
use std::collections::BTreeMap;

/// So many rules in force are told of: with the line of the devices and that of the rest, six lines.
const MOST_RULES: usize = 4;

impl Live {
    /// Who is connected, and which faults are in force for how long still: at most six lines of a terminal's width.
    pub fn status(&self, now: Time, sessions: &Sessions) -> Vec<String> {
        let mut lines = vec![connected_now(sessions)];
        let in_force = self.in_force();
        for (rule, (devices, until)) in in_force.iter().take(MOST_RULES) {
            let left = until.map_or("to the end".into(), |until| format!("{} left", span(until.since(now))));
            let (rule, fault) = (self.rule(*rule), self.fault(*rule));
            lines.push(cut(&format!("{rule}, {left} on {}: {fault}", many(*devices, "device")), WIDTH));
        }
        match in_force.len().saturating_sub(MOST_RULES) {
            0 => {}
            more => lines.push(format!("and {} in force", many(more, "more rule"))),
        }
        lines
    }

    /// By rule: on how many devices it is in force, and until when at the latest (`None`: to the end).
    fn in_force(&self) -> BTreeMap<RuleId, (usize, Option<Time>)> {
        let mut rules: BTreeMap<RuleId, (usize, Option<Time>)> = BTreeMap::new();
        for firing in self.firings.values().filter(|firing| !firing.open.is_empty()) {
            let (devices, until) = rules.entry(firing.rule).or_default();
            *devices += firing.open.len();
            *until = (*until).max(firing.until);
        }
        rules
    }
}

/// Devices at rest are looked at only for their names, and only for as many as there is room for.
fn connected_now(sessions: &Sessions) -> String {
    let (all, up) = (sessions.known(), sessions.connected());
    let devices = many(all, "device");
    if up == all {
        return format!("{devices} connected");
    }
    let told = format!("{up} of {devices} connected; down: ");
    let room = WIDTH.saturating_sub(width(&told));
    let down = sessions.devices().filter(|device| !sessions.is_up(device));
    let names: Vec<String> =
        down.take(words::most_within(room)).map(|device| printable(&device.name)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    cut(&(told + &words::names_within(&names, all - up, room)), WIDTH)
}
