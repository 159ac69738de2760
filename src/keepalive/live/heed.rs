//! Whether a device goes by Server Keep Alive, by what it did when it was told one and nothing was broken.

use std::time::Duration;

/// A client that looks at its timers once a second pings so late.
const LOOPS: Duration = Duration::from_millis(1_300);

/// A look that tells more than the device's own tells so many times as much: clients that ping at half of their keep-alive
/// are then silent for longer than their own would let them.
const MORE: u16 = 4;

/// No device with a longer keep-alive of its own is looked at by its silence; in seconds.
const LONGEST: u16 = 300;

/// A first look at a device that was told a keep-alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Telling {
    /// The keep-alive that it asked for in CONNECT, in seconds; 0 for none.
    pub own: u16,
    /// The one that it was told in the CONNACK, in seconds.
    pub told: u16,
    /// From its last packet before to its first PINGREQ; `None`: it sent none.
    pub lull: Option<Duration>,
    /// Without one: from its last packet to the end of the look, or of its link.
    pub silence: Duration,
    /// Whether messages came by, which stand in for PINGREQ.
    pub messages: bool,
}

/// What that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heeds {
    /// It did what its own keep-alive does not account for.
    Yes,
    /// It did what the told one forbids, or what its own asks for.
    No,
    /// It would have done so either way.
    Unknown,
}

/// By so long after its last packet a device with this keep-alive, in seconds, has pinged: it has to within one
/// [MQTT-3.1.2-20], and no hub takes more than one and a half.
pub fn due(keep_alive: u16) -> Duration {
    let keep_alive = Duration::from_secs(keep_alive.into());
    (keep_alive + keep_alive / 2).max(keep_alive + LOOPS)
}

/// What to tell a device that asks for `own`, so that heeding it shows as silence; `None` where that would take too long, or
/// the device has none.
pub fn more_than(own: u16) -> Option<u16> {
    (1..=LONGEST).contains(&own).then(|| own.saturating_mul(MORE))
}

impl Telling {
    /// Whether the device heeded what it was told.
    pub fn heeds(&self) -> Heeds {
        if self.own == 0 || self.own > self.told { self.by_pings() } else { self.by_silence() }
    }

    /// Told less than its own: it has to ping sooner.
    fn by_pings(&self) -> Heeds {
        let own = Duration::from_secs(self.own.into());
        let told = Duration::from_secs(self.told.into());
        match self.lull {
            // Some clients ping at half of their keep-alive.
            Some(lull) if self.own == 0 || lull * 2 < own => Heeds::Yes,
            None if !self.messages && self.silence >= told.mul_f64(1.4) => Heeds::No,
            Some(_) | None => Heeds::Unknown,
        }
    }

    /// Told more than its own, or the same: only silence beyond its own [MQTT-3.1.2-20] comes of what it was told.
    fn by_silence(&self) -> Heeds {
        match self.lull {
            _ if self.messages => Heeds::Unknown,
            Some(lull) if lull > due(self.own) => Heeds::Yes,
            None if self.silence >= due(self.own) => Heeds::Yes,
            Some(_) if self.told >= self.own.saturating_mul(MORE) => Heeds::No,
            Some(_) | None => Heeds::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn telling(own: u16, told: u16, lull: Option<u64>, silence: u64) -> Telling {
        let silence = Duration::from_millis(silence);
        Telling { own, told, lull: lull.map(Duration::from_millis), silence, messages: false }
    }

    #[test]
    fn what_its_own_keep_alive_brings_about_is_no_heeding() {
        for (own, told, lull, silence, heeds) in [
            // Told less: a ping that its own does not account for.
            (60, 20, Some(18_000), 0, Heeds::Yes),
            (30, 20, Some(18_000), 0, Heeds::Unknown),
            (0, 20, Some(18_000), 0, Heeds::Yes),
            (60, 20, None, 30_000, Heeds::No),
            (0, 2, None, 2_900, Heeds::No),
            (60, 20, None, 5_000, Heeds::Unknown),
            // Told as much, or little more.
            (20, 20, Some(18_000), 0, Heeds::Unknown),
            (5, 7, Some(4_000), 0, Heeds::Unknown),
            // Told far more.
            (5, 20, Some(4_000), 0, Heeds::No),
            (5, 20, Some(18_000), 0, Heeds::Yes),
            (5, 20, None, 7_500, Heeds::Yes),
            (5, 20, None, 7_400, Heeds::Unknown),
            (1, 4, Some(2_000), 0, Heeds::No),
        ] {
            assert_eq!(telling(own, told, lull, silence).heeds(), heeds, "{own} {told} {lull:?} {silence}");
        }
    }

    #[test]
    fn a_publisher_that_is_not_silent_is_no_proof() {
        let with = |telling| Telling { messages: true, ..telling };
        assert_eq!(with(telling(60, 20, None, 30_000)).heeds(), Heeds::Unknown);
        assert_eq!(with(telling(5, 20, None, 30_000)).heeds(), Heeds::Unknown);
        assert_eq!(with(telling(5, 20, Some(4_000), 0)).heeds(), Heeds::Unknown);
        assert_eq!(with(telling(60, 20, Some(18_000), 0)).heeds(), Heeds::Yes);
    }

    #[test]
    fn it_is_told_more_only_where_that_ends() {
        assert_eq!((more_than(5), more_than(0), more_than(301)), (Some(20), None, None));
    }
}
