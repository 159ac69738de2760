//! The fleet: how many devices were connected, how many fewer, and how they came back.

use super::heading;
use crate::report::model::{FleetFiring, Report};
use crate::report::table::{Styling, wrap};
use crate::report::words::{count, seconds, told};

/// From so many devices on there is a fleet.
const LEAST: usize = 3;
/// So many firings are told of one by one.
const MOST_FIRINGS: usize = 4;

/// The section, where there is a fleet that lost anything.
pub(super) fn section(report: &Report, styling: Styling) -> String {
    let fleet = &report.fleet;
    let Some(dip) = fleet.dip.filter(|_| fleet.devices >= LEAST) else { return String::new() };
    let at = fleet.dip_at_s.map_or(String::new(), |at| format!(" at {}", seconds(at)));
    let fewer = if dip == 0 { "never fewer".into() } else { format!("{dip} fewer{at}") };
    let rate = count(fleet.connect_rate, "connect");
    let rest = format!("at most {} connected, {fewer}; busiest second: {rate}", fleet.most_connected);
    let mut out = heading("fleet", &rest, styling);
    let several_runs = report.runs.len() > 1;
    let crowds: Vec<&FleetFiring> = fleet.firings.iter().filter(|firing| firing.lost > 1).collect();
    for firing in crowds.iter().take(MOST_FIRINGS) {
        out += &wrap("  ", &sentence(firing, several_runs));
    }
    match crowds.len().saturating_sub(MOST_FIRINGS) {
        0 => out,
        more => out + &format!("  and {more} more\n"),
    }
}

/// `dark at 3.0 s cost 40 devices their links within 4.4 ms, 36 back; 99 % back: never in 9.0 s; reconnects over 1.1 s;
/// back-off: 12 exponential; 3 exponential, jittered`
fn sentence(firing: &FleetFiring, several_runs: bool) -> String {
    let run = if several_runs { format!("run {}: ", firing.run) } else { String::new() };
    let FleetFiring { rule, lost, back, .. } = firing;
    let (at, within) = (seconds(firing.at_s), seconds(firing.lost_within_s));
    let devices = count(*lost, "device");
    let mut parts =
        vec![format!("{run}{rule} at {at} cost {devices} their links within {within}, {back} back")];
    parts.extend(firing.recovery_s.as_ref().map(|value| format!("99 % back: {}", told(value))));
    parts.extend(firing.reconnect_spread_s.as_ref().map(|value| format!("reconnects over {}", told(value))));
    let shapes = firing.back_offs.iter().filter(|(shape, _)| *shape != "unclear");
    let shapes: Vec<String> = shapes.map(|(shape, devices)| format!("{devices} {shape}")).collect();
    parts.extend((!shapes.is_empty()).then(|| format!("back-off: {}", shapes.join("; "))));
    parts.join("; ")
}
