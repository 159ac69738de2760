//! What a tap saw: the model of it, and its words.

use super::build::seconds;
use super::model::{Repeated, Rule, Tap, Wire};
use super::words::{self, count};
use crate::measure::Results;
use crate::measure::wire::{Repeats, WireResults};

/// In all runs that had one; `None` where none had.
pub(super) fn tap(results: &Results) -> Option<Tap> {
    let none = Tap { runs: 0, lost: 0, connects_without_device: 0, connects_by_address: 0 };
    let sum = results.runs.iter().filter_map(|run| run.wire.as_ref()).fold(none, |sum, run| Tap {
        runs: sum.runs + 1,
        lost: sum.lost.saturating_add(run.lost),
        connects_without_device: sum.connects_without_device.saturating_add(run.nameless),
        connects_by_address: sum.connects_by_address.saturating_add(run.by_address),
    });
    (sum.runs > 0).then_some(sum)
}

/// In one window.
pub(super) fn window(wire: &WireResults) -> Wire {
    let WireResults { whole, connects, unanswered, syns, repeated } = *wire;
    let [device, hub] = [repeated.device, repeated.hub].map(|end| end.map(of_end));
    Wire { whole, connects, unanswered, syns, device, hub }
}

fn of_end(repeats: Repeats) -> Repeated {
    Repeated {
        segments: repeats.segments,
        first_gap_s: repeats.first_gap.map(seconds),
        last_gap_s: repeats.last_gap.map(seconds),
        probes: repeats.probes,
    }
}

/// Over the windows of a rule, for a terminal: `on the wire: 4 connects that nobody accepted (7 SYNs); again by devices 6
/// segments, 0.2 to 6.6 s apart`.
pub(super) fn words(rule: &Rule) -> Option<String> {
    let seen = || rule.windows.iter().filter_map(|window| window.wire.as_ref());
    let sum = |of: fn(&Wire) -> u64| seen().map(of).fold(0_u64, u64::saturating_add);
    let mut told = Vec::new();
    let (connects, unanswered, syns) = (sum(|w| w.connects), sum(|w| w.unanswered), sum(|w| w.syns));
    if connects > 0 {
        let later = match connects - unanswered.min(connects) {
            0 => String::new(),
            accepted => format!(", {accepted} accepted later"),
        };
        told.push(format!(
            "{} not accepted at once ({}{later})",
            count(connects, "connect"),
            count(syns, "SYN")
        ));
    }
    told.extend(again("devices", seen().filter_map(|wire| wire.device.as_ref())));
    told.extend(again("hubs", seen().filter_map(|wire| wire.hub.as_ref())));
    if seen().any(|wire| !wire.whole) {
        told.push("not all was seen".into());
    }
    (!told.is_empty()).then(|| format!("on the wire: {}", told.join("; ")))
}

/// `devices sent 6 segments again, 0.2 to 6.6 s apart`
fn again<'a>(whose: &str, ends: impl Iterator<Item = &'a Repeated>) -> Option<String> {
    let ends: Vec<&Repeated> = ends.collect();
    let sum = |of: fn(&Repeated) -> u64| ends.iter().map(|end| of(end)).fold(0_u64, u64::saturating_add);
    let (segments, probes) = (sum(|end| end.segments), sum(|end| end.probes));
    let least = ends.iter().filter_map(|end| end.first_gap_s).min_by(f64::total_cmp);
    let most = ends.iter().filter_map(|end| end.last_gap_s).max_by(f64::total_cmp);
    let apart = least.zip(most).map(|(least, most)| {
        let (least, most) = (least.min(most), least.max(most));
        format!(", {} apart", words::range(least, most))
    });
    let mut told = Vec::new();
    if segments > 0 {
        told.push(format!("{} again{}", count(segments, "segment"), apart.unwrap_or_default()));
    }
    if probes > 0 {
        told.push(format!("{} of TCP", count(probes, "probe")));
    }
    (!told.is_empty()).then(|| format!("{whose} sent {}", told.join(" and ")))
}
