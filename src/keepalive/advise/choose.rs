//! The keep-alive, or why there is none.

use super::bounds::{Bound, Bounds, UNRELIABLE};
use super::model::{Advice, Candidate, Setting, VERSION, Wish};
use super::reasons;
use super::{detect, fleet};
use crate::base::time::nanos;

/// The most keep-alives in the table.
const MOST_ROWS: usize = 9;

/// What is advised for a wish, in closed form.
pub fn advise(wish: &Wish) -> Advice {
    let bounds = Bounds::of(wish);
    let keep_alive = match (bounds.least(), bounds.most()) {
        (Some(least), Some(most)) if least <= most => {
            // With messages between pings, detection does not only grow with the keep-alive.
            let meets = |keep_alive: &u16| {
                !wish.of_device()
                    || detect::device(&wish.habits(*keep_alive), wish.round_trip)
                        .is_some_and(|time| time.total() <= wish.detect_within)
            };
            std::iter::once(round_down(least, most)).chain((least..=most).rev()).find(meets)
        }
        _ => None,
    };
    let back_off = fleet::back_off(wish);
    let chosen = keep_alive.map(|keep_alive| Candidate { chosen: true, ..Candidate::of(wish, keep_alive) });
    let setting = chosen.as_ref().map(|chosen| Setting {
        keep_alive: chosen.keep_alive,
        ping_interval_ns: chosen.ping_interval_ns,
        ping_timeout_ns: chosen.ping_timeout_ns,
        sets_ping_timeout: wish.client.sets_ping_timeout,
        back_off: back_off.backoff.to_string(),
    });
    let mut why = chosen.as_ref().map(|chosen| reasons::of(wish, &bounds, chosen)).unwrap_or_default();
    if setting.is_some() {
        why.extend(back_off.reasons);
    }
    let mut warnings = reasons::warnings(wish, chosen.as_ref());
    warnings.extend(back_off.warnings);
    Advice {
        brownout_keepalive_advice: VERSION,
        client: wish.client.name.to_owned(),
        hub: wish.hub.name.to_owned(),
        access: wish.access.name.to_owned(),
        workload: wish.workload.to_string(),
        tls: wish.tls,
        loss: wish.loss,
        round_trip_ns: nanos(wish.round_trip),
        detect_within_ns: nanos(wish.detect_within),
        detected_by: wish.detected_by,
        data_budget: wish.budget.as_ref().map(ToString::to_string),
        path_idle_ns: wish.path_idle.map(nanos),
        fleet: wish.fleet,
        candidates: candidates(wish, &bounds, chosen),
        conflicts: if setting.is_none() { reasons::conflicts(wish, &bounds) } else { Vec::new() },
        setting,
        reasons: why,
        warnings,
        assumptions: reasons::assumptions(wish),
        simulated: Vec::new(),
    }
}

/// The keep-alives worth a look: the one advised, the edges of what is allowed, the client's default, half and double.
fn candidates(wish: &Wish, bounds: &Bounds, chosen: Option<Candidate>) -> Vec<Candidate> {
    let edges = bounds.upper.iter().chain(&bounds.lower).filter_map(|bound: &Bound| bound.keep_alive);
    let (limits, takes) = (wish.hub.limits(), wish.client.takes);
    let (least, most) = (wish.hubs_least().max(takes.least), limits.most.min(takes.most));
    let around = chosen.iter().flat_map(|chosen| {
        let keep_alive = chosen.keep_alive;
        [keep_alive.div_ceil(2), keep_alive, keep_alive.saturating_mul(2)]
    });
    let default = wish.client.keep_alive.value;
    let shown = |keep_alive: &u16| (least.max(2)..=most.min(MOST_SHOWN)).contains(keep_alive);
    // Whatever is of interest: what is advised, and what would be without advice.
    let is_due = |k: &u16| *k == default || chosen.as_ref().is_some_and(|chosen| chosen.keep_alive == *k);
    let mut all: Vec<u16> =
        around.clone().chain([default]).chain(edges).filter(|k| shown(k) || is_due(k)).collect();
    if chosen.is_none() {
        all.extend(
            ROUND.iter().copied().filter(|keep_alive| shown(keep_alive) && keep_alive % 60 == 0).take(4),
        );
    }
    all.sort_unstable();
    all.dedup();
    let keep: Vec<u16> = around.chain([default]).collect();
    while all.len() > MOST_ROWS {
        let Some(at) = all.iter().rposition(|keep_alive| !keep.contains(keep_alive)) else { break };
        all.remove(at);
    }
    let row = |keep_alive: u16| match &chosen {
        Some(chosen) if chosen.keep_alive == keep_alive => chosen.clone(),
        Some(_) | None => Candidate::of(wish, keep_alive),
    };
    all.into_iter().map(row).collect()
}

/// Greater keep-alives are edges of no interest: a day.
const MOST_SHOWN: u16 = 43_200;

/// Keep-alives that people set.
const ROUND: [u16; 42] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 70, 80, 90, 100, 110, 120,
    150, 180, 210, 240, 270, 300, 360, 420, 480, 600, 720, 900, 1_080, 1_140, 1_200,
];

/// The greatest round number between the two, or the greatest at all: what is rarest pinged is cheapest.
fn round_down(least: u16, most: u16) -> u16 {
    let beyond = |most: u16| (most > 1_200).then_some(most / 300 * 300);
    let round = ROUND.into_iter().chain(beyond(most)).filter(|round| (least..=most).contains(round)).max();
    round.unwrap_or(most)
}

/// Whether the wish says that its network is unreliable.
pub(super) fn is_unreliable(wish: &Wish) -> bool {
    wish.loss >= UNRELIABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_round_number_between_the_edges_is_taken() {
        for (least, most, expected) in [
            (1, 29, 25),
            (1, 40, 40),
            (26, 29, 29),
            (1, 1_177, 1_140),
            (1, 65_535, 65_400),
            (1, 1, 1),
            (1_201, 1_300, 1_300),
        ] {
            assert_eq!(round_down(least, most), expected, "{least} to {most}");
        }
        assert!(ROUND.is_sorted());
    }
}
