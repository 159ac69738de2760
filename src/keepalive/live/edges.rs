//! Outages on both sides of each threshold: short enough that an end surely keeps the link, and long enough that it surely
//! gives it up.

use super::foretell::Foretold;
use super::guess::Guess;
use crate::base::Side;
use std::time::Duration;

/// An outage that is not sure is made shorter, or longer, by this share, so many times at most.
const STEP: f64 = 0.1;
const STEPS: u32 = 12;

/// Outages nearer to each other than this share of the margin are one.
const ALIKE: f64 = 0.5;

/// No outage is made longer for a connect that comes later than this.
const SOON: Duration = Duration::from_secs(10);

/// No outage is shorter: timers and system calls of the fault itself take some of it.
const LEAST: Duration = Duration::from_millis(200);

/// An outage beside a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// How long it is.
    pub outage: Duration,
    /// The ends that surely notice it, or surely do not; whoever is not named may do either.
    pub sides: Vec<(Side, bool)>,
}

/// Outages on both sides of both ends' thresholds, shortest first, each at least `margin` beside what is foretold of an
/// outage without end (`longest`).
///
/// An end that never notices has no threshold: it is only shown the longest that the other end gives rise to.
///
/// # Errors
/// What `foretell` refuses.
pub fn edges(
    longest: Duration,
    margin: Duration,
    foretell: &mut dyn FnMut(Duration) -> Result<Foretold, String>,
) -> Result<Vec<Edge>, String> {
    let endless = foretell(longest)?;
    let mut found = Vec::new();
    for side in Side::BOTH {
        let Some((least, most)) = of(&endless, side).at else { continue };
        let below = least.saturating_sub(margin);
        found.extend(sure(below, 1.0 - STEP, foretell, |foretold| of(foretold, side).is_never())?);
        let most = shown(&endless, side).map_or(most, |shown| shown.max(most));
        found.extend(sure(most + margin, 1.0 + STEP, foretell, |foretold| of(foretold, side).is_sure())?);
    }
    found.sort_unstable();
    let near = margin.mul_f64(ALIKE);
    // The shorter one of two stands for both: it still is half a margin above what it is to be above.
    found.dedup_by(|later, earlier| later.abs_diff(*earlier) < near);
    found.into_iter().map(|outage| Ok(Edge { outage, sides: sides(&foretell(outage)?) })).collect()
}

/// Where packets vanish, a device shows by its next connect that it has given up: that is to fall into the outage, too, unless
/// it is too far away.
fn shown(endless: &Foretold, side: Side) -> Option<Duration> {
    let (_, most) = endless.connect.at.filter(|_| side == Side::Device)?;
    let (given_up, _) = endless.device.at?;
    (most.saturating_sub(given_up) <= SOON).then_some(most)
}

/// The first of these outages of which it is sure.
fn sure(
    first: Duration,
    factor: f64,
    foretell: &mut dyn FnMut(Duration) -> Result<Foretold, String>,
    is_sure: impl Fn(&Foretold) -> bool,
) -> Result<Option<Duration>, String> {
    let mut outage = first;
    for _ in 0..STEPS {
        outage = rounded(outage);
        if outage < LEAST {
            return Ok(None);
        }
        if is_sure(&foretell(outage)?) {
            return Ok(Some(outage));
        }
        outage = outage.mul_f64(factor);
    }
    Ok(None)
}

/// To a tenth of a second: outages are read by people.
fn rounded(outage: Duration) -> Duration {
    let tenths = (outage.as_millis() + 50) / 100;
    Duration::from_millis(u64::try_from(tenths).unwrap_or(u64::MAX / 100) * 100)
}

fn of(foretold: &Foretold, side: Side) -> Guess {
    match side {
        Side::Device => foretold.device,
        Side::Hub => foretold.hub,
    }
}

fn sides(foretold: &Foretold) -> Vec<(Side, bool)> {
    let of_side = |side| {
        let guess = of(foretold, side);
        (guess.is_sure() || guess.is_never()).then(|| (side, guess.is_sure()))
    };
    Side::BOTH.into_iter().filter_map(of_side).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A device that gives up after 8 s, a hub that does after 6 to 11 s.
    fn story(outage: Duration) -> Foretold {
        let mut foretold = Foretold::default();
        foretold.device.add((outage >= ms(8_000)).then_some(ms(8_000)));
        for at in [6_000, 11_000] {
            foretold.hub.add((outage >= ms(at)).then_some(ms(at)));
        }
        foretold
    }

    #[test]
    fn there_is_one_on_each_side_of_each_threshold() {
        let found = edges(ms(60_000), ms(1_500), &mut |outage| Ok(story(outage))).unwrap();
        let (device, hub) = (Side::Device, Side::Hub);
        let expected = [
            (4_500, vec![(device, false), (hub, false)]),
            (6_500, vec![(device, false)]),
            (9_500, vec![(device, true)]),
            (12_500, vec![(device, true), (hub, true)]),
        ];
        let found: Vec<_> = found.into_iter().map(|edge| (edge.outage, edge.sides)).collect();
        assert_eq!(found, expected.map(|(millis, sides)| (ms(millis), sides)));
    }

    #[test]
    fn an_end_that_never_notices_has_no_threshold() {
        let deaf = |outage| Foretold { device: Guess { at: None, never: true }, ..story(outage) };
        let found = edges(ms(60_000), ms(1_500), &mut |outage| Ok(deaf(outage))).unwrap();
        let outages: Vec<_> = found.iter().map(|edge| edge.outage).collect();
        assert_eq!(outages, [ms(4_500), ms(12_500)]);
        assert_eq!(found[1].sides, [(Side::Device, false), (Side::Hub, true)]);
    }

    #[test]
    fn what_is_not_sure_gives_way() {
        // What was sent in the dark comes 2 s after it: short outages are noticed all the same.
        let late = |outage: Duration| story(outage + ms(2_000));
        let found = edges(ms(60_000), ms(1_500), &mut |outage| Ok(late(outage))).unwrap();
        assert!(
            found.iter().any(|edge| edge.outage < ms(6_000) && edge.sides.contains(&(Side::Device, false)))
        );
        assert!(edges(ms(60_000), ms(1_500), &mut |_| Err("no".into())).is_err());
    }

    #[test]
    fn thresholds_that_are_alike_share_their_outages() {
        let close = |outage: Duration| {
            let mut foretold = Foretold::default();
            foretold.device.add((outage >= ms(6_200)).then_some(ms(6_200)));
            foretold.hub.add((outage >= ms(6_000)).then_some(ms(6_000)));
            foretold
        };
        let found = edges(ms(60_000), ms(1_500), &mut |outage| Ok(close(outage))).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|edge| edge.sides.len() == 2));
    }
}
