//! How long PINGRESP may take on a path that loses packets, and yet the path be sound.

use crate::sim::Kernel;
use std::time::Duration;

/// The least that TCP adds to the round trip before it sends again (Linux: TCP_RTO_MIN).
pub const LEAST_VARIANCE: Duration = Duration::from_millis(200);

/// After its first measurement of a round trip R, TCP waits for R + 4 x R/2 before it sends again (RFC 6298, section
/// 2.2); on a connection that only pings it hardly ever learns better.
const ROUND_TRIPS: u32 = 3;

/// One false disconnect of a device in this time is taken as seldom enough.
pub const SELDOM: Duration = Duration::from_secs(365 * 24 * 3_600);

/// TCP itself gives up after so many losses of one segment, and after this time in all (Linux: tcp_retries2).
const MOST_LOSSES: u32 = Kernel::LINUX.retries;

/// See [`MOST_LOSSES`].
const GIVES_UP: Duration = Duration::from_millis(924_600);

/// What a PINGREQ and its answer may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// Losses in a row that have to be borne.
    pub losses: u32,
    /// After how long TCP sends again the first time.
    pub retransmission: Duration,
    /// The whole time.
    pub time: Duration,
    /// Whether TCP gives up before more losses are seldom enough.
    pub is_cut: bool,
}

/// The time that an answer needs through so many losses in a row that a device which pings at this interval meets more
/// of them less than once in [`SELDOM`]; at least one, which every network has.
pub fn needed(round_trip: Duration, loss: f64, interval: Duration) -> Needed {
    let pings = SELDOM.as_secs_f64() / interval.as_secs_f64().max(1.0);
    // Either of the two segments may be the one that is lost again and again.
    let too_often = |losses: u32| 2.0 * loss.powi(i32::try_from(losses + 1).unwrap_or(1)) * pings >= 1.0;
    let retransmission = (round_trip * ROUND_TRIPS).max(round_trip + LEAST_VARIANCE);
    // Doubling each time, up to a limit.
    let (mut losses, mut waits, mut next) = (0, Duration::ZERO, retransmission);
    while losses < MOST_LOSSES && (losses == 0 || too_often(losses)) {
        let wait = next.min(Kernel::LINUX.most_timeout);
        if waits + wait > GIVES_UP {
            break;
        }
        (losses, waits, next) = (losses + 1, waits + wait, wait * 2);
    }
    Needed { losses, retransmission, time: round_trip + waits, is_cut: too_often(losses) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_more_doubles_the_wait() {
        let minute = Duration::from_secs(60);
        for (round_trip, loss, losses, millis) in [
            (20, 0.0, 1, 240),
            (100, 0.0, 1, 400),
            // 525,600 pings a year: 2 x 0.01^4 x 525,600 = 0.01 a year, with 0.01^3 it is 1.05.
            (100, 0.01, 3, 2_200),
            (100, 0.1, 6, 19_000),
            (2_000, 0.0, 1, 8_000),
            // 6 + 12 + 24 + 48 + 96 + 120 s, and no 192 s.
            (2_000, 0.1, 6, 308_000),
        ] {
            let needed = needed(Duration::from_millis(round_trip), loss, minute);
            assert_eq!((needed.losses, needed.time.as_millis()), (losses, millis), "{round_trip} ms, {loss}");
        }
    }

    #[test]
    fn the_wait_ends_where_tcp_gives_up() {
        let of = |round_trip, loss| needed(Duration::from_millis(round_trip), loss, Duration::from_secs(1));
        let near = of(20, 1.0);
        assert_eq!((near.losses, near.is_cut), (MOST_LOSSES, true));
        // 186 s of doublings, and six times 120 s are 906 s; a seventh would be too much.
        let far = of(2_000, 1.0);
        assert_eq!((far.losses, far.time.as_secs(), far.is_cut), (11, 908, true));
        assert!(!of(2_000, 0.01).is_cut);
    }
}
