//! The meter of one link: counts and timings that would be too many as events of their own.
//!
//! net/ holds one for each link, tells it of every packet, and passes on what it [flushes](Meter::flush).

use super::numbered::Numbered;
use crate::base::time::nanos;
use crate::base::units::to_u64;
use crate::base::{Direction, Ends, LinkId, Side, Time, Ways};
use crate::event::{Count, LastPackets, Samples, Traffic};
use crate::mqtt::{PacketKind, QoS};
use std::time::Duration;

/// A gap counts as longer than the keep-alive from a tenth over it, at least 100 ms: timers and networks are no
/// more exact than that, and hubs allow a half.
const TOLERANCE_SHARE: u32 = 10;
const TOLERANCE_LEAST: Duration = Duration::from_millis(100);

/// How long counts are gathered before they are due as an event.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// How many durations wait, of 8 bytes each, before they become samples.
const GATHERED_AT_ONCE: usize = 512;

/// Counts and timings of one link.
#[derive(Debug)]
pub struct Meter {
    link: LinkId,
    counts: Ways<Count>,
    last: Ends<LastPackets>,
    first_publish: Ways<bool>,
    keep_alive: Option<Duration>,
    /// None until the device publishes with QoS 1 or 2.
    flights: Option<Box<Flights>>,
    control_gap: Gathered,
    /// None where the device's last byte ended a packet.
    under_way: Option<UnderWay>,
    unread: Unread,
    /// Whether a fault may be hiding packets of the device, or have hidden some since the last one.
    disturbed: Disturbed,
    flushed: Time,
}

/// A packet of the device that is not there whole.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    /// When its first byte came.
    since: Time,
    /// When bytes of it last came.
    last: Time,
}

/// What the hub sends while the device takes no more.
#[derive(Clone, Copy, Debug, Default)]
struct Unread {
    /// Since when it has not been read; `None` while it is.
    since: Option<Time>,
    /// Since when the latest event said that it was not.
    told: Option<Time>,
    /// When it was last read again since then.
    read_again: Option<Time>,
}

/// The device's PUBLISH packets of QoS 1 and 2.
#[derive(Debug, Default)]
struct Flights {
    /// Those that wait for PUBACK or PUBCOMP, by packet identifier.
    waiting: Numbered<Time>,
    round_trips: Gathered,
}

/// Durations as they come. Every so many become samples, which have no more memory than there are values.
#[derive(Debug, Default)]
struct Gathered {
    samples: Samples,
    /// In nanoseconds; at most [`GATHERED_AT_ONCE`].
    fresh: Vec<u64>,
}

impl Gathered {
    fn add(&mut self, value: Duration) {
        if self.fresh.len() >= GATHERED_AT_ONCE {
            self.samples.add_all(&mut self.fresh);
            self.fresh.clear();
        }
        self.fresh.push(nanos(value));
    }

    fn add_many(&mut self, value: Duration, times: u64) {
        self.samples.add_many(value, times);
    }

    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.samples.is_empty()
    }

    fn take(&mut self) -> Samples {
        self.samples.add_all(&mut std::mem::take(&mut self.fresh));
        std::mem::take(&mut self.samples)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Disturbed {
    Sound,
    Now,
    SinceLastPacket,
}

/// What a packet meant beyond its count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remark {
    /// It is the first PUBLISH of the link in its direction.
    FirstPublish,
    /// It came later than the device's keep-alive allows [MQTT-3.1.2-23].
    KeepaliveExceeded(Silence),
}

/// The device sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// For how long.
    pub gap: Duration,
    /// How long the packet took to come that ended it.
    pub took: Duration,
}

/// A PUBLISH, as far as the meter asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Its quality of service.
    pub qos: QoS,
    /// Its packet identifier; `None` at QoS 0.
    pub id: Option<u16>,
}

impl Meter {
    /// A meter for a link that was just accepted.
    pub fn new(link: LinkId, now: Time) -> Meter {
        Meter {
            link,
            counts: Ways::default(),
            last: Ends::default(),
            first_publish: Ways::default(),
            keep_alive: None,
            flights: None,
            control_gap: Gathered::default(),
            under_way: None,
            unread: Unread::default(),
            disturbed: Disturbed::Sound,
            flushed: now,
        }
    }

    /// The keep-alive in force from now on; zero for none.
    pub fn set_keep_alive(&mut self, keep_alive: Duration) {
        self.keep_alive = (!keep_alive.is_zero()).then_some(keep_alive);
    }

    /// Bytes arrived.
    pub fn bytes(&mut self, direction: Direction, bytes: usize) {
        self.counts.get_mut(direction).bytes += to_u64(bytes);
    }

    /// All of the device's bytes that came were looked at, and the last of them did not end a packet.
    pub fn under_way(&mut self, now: Time) {
        self.under_way.get_or_insert(UnderWay { since: now, last: now }).last = now;
    }

    /// What the hub sends is left unread from now on, because the device takes no more, or is read again. Whether an event
    /// has to say so at once: that it begins to be; that it has ended is told with the next counts.
    pub fn left_unread(&mut self, now: Time, is_left: bool) -> bool {
        let before = self.unread.since;
        self.unread.since = is_left.then(|| before.unwrap_or(now));
        if before.is_some() && !is_left && self.unread.told.is_some() {
            self.unread.read_again = Some(now);
        }
        is_left && self.unread.told.is_none()
    }

    /// Whether what the latest event said of that is not so any more.
    pub fn is_unread_news(&self) -> bool {
        self.unread.since != self.unread.told
    }

    /// Whether what the hub sends was left unread when that was last asked.
    pub fn is_unread(&self) -> bool {
        self.unread.since.is_some()
    }

    /// A packet arrived whole.
    pub fn arrived(&mut self, now: Time, direction: Direction, publish: Option<Publish>) -> Option<Remark> {
        self.counts.get_mut(direction).packets += 1;
        let before = self.last.get_mut(direction.from()).from.replace(now);
        let late = match direction {
            // The keep-alive runs from the end of a packet to the beginning of the next (3.1.1 and 5.0, section 3.1.2.10).
            Direction::Up => {
                let began = self.under_way.take().map_or(now, |packet| packet.since);
                let too_long = before.and_then(|before| self.gap(began.since(before)));
                too_long.map(|gap| Silence { gap, took: now.since(began) })
            }
            Direction::Down => None,
        };
        let first = publish.is_some_and(|publish| self.publish(now, direction, publish));
        late.map(Remark::KeepaliveExceeded).or(first.then_some(Remark::FirstPublish))
    }

    /// Whether a PUBLISH has come in this direction.
    pub fn has_published(&self, direction: Direction) -> bool {
        *self.first_publish.get(direction)
    }

    /// So many PUBLISH packets of QoS 0 arrived whole at once, as many as [`Meter::arrived`] would be told of one by one;
    /// none of them the first of its direction.
    pub fn arrived_plain(&mut self, now: Time, direction: Direction, messages: u32) -> Option<Remark> {
        let more = u64::from(messages.checked_sub(1)?);
        let remark = self.arrived(now, direction, Some(Publish { qos: QoS::AtMostOnce, id: None }));
        let counts = self.counts.get_mut(direction);
        counts.packets += more;
        counts.publishes += more;
        if direction == Direction::Up && self.disturbed == Disturbed::Sound {
            self.control_gap.add_many(Duration::ZERO, more);
        }
        remark
    }

    /// A packet was passed on whole. `acknowledges`: the identifier that a PUBACK or PUBCOMP (or a PUBREC that
    /// refuses) ends the flight of.
    pub fn passed(&mut self, now: Time, direction: Direction, acknowledges: Option<u16>) {
        self.last.get_mut(direction.to()).to = Some(now);
        if direction == Direction::Down
            && let Some((flights, id)) = self.flights.as_mut().zip(acknowledges)
            && let Some(sent) = flights.waiting.remove(id)
        {
            flights.round_trips.add(now.since(sent));
        }
    }

    /// A PUBLISH of the device will never be acknowledged by the hub: what acknowledges it came from elsewhere.
    pub fn forget(&mut self, id: u16) {
        if let Some(flights) = &mut self.flights {
            flights.waiting.remove(id);
        }
    }

    /// Whether an acknowledgement of this kind ends the flight of a PUBLISH.
    pub fn ends_flight(kind: PacketKind, reason: u8) -> bool {
        match kind {
            PacketKind::Puback | PacketKind::Pubcomp => true,
            // A PUBREC that refuses is the last word on its PUBLISH (MQTT 5, section 4.3.3).
            PacketKind::Pubrec => reason >= 0x80,
            PacketKind::Connect
            | PacketKind::Connack
            | PacketKind::Publish
            | PacketKind::Pubrel
            | PacketKind::Subscribe
            | PacketKind::Suback
            | PacketKind::Unsubscribe
            | PacketKind::Unsuback
            | PacketKind::Pingreq
            | PacketKind::Pingresp
            | PacketKind::Disconnect
            | PacketKind::Auth => false,
        }
    }

    /// A fault that may keep packets of the device from arriving begins, or holds no more.
    pub fn disturb(&mut self, hiding: bool) {
        self.disturbed = match (hiding, self.disturbed) {
            (true, _) => Disturbed::Now,
            (false, Disturbed::Now) => Disturbed::SinceLastPacket,
            (false, other) => other,
        };
    }

    /// The device's leg ended in order, behind all that it had said: its last silence counts as a gap if it was already too
    /// long.
    pub fn device_ended(&self, now: Time) -> Option<Silence> {
        let last = self.last.device.from?;
        let began = self.under_way.map_or(now, |packet| packet.since);
        let (gap, took) = (began.since(last), now.since(began));
        (self.disturbed == Disturbed::Sound && self.exceeds(gap)).then_some(Silence { gap, took })
    }

    /// The last packets from and to an end.
    pub fn last(&self, side: Side) -> LastPackets {
        *self.last.get(side)
    }

    /// The last packets from and to both ends.
    pub fn ends(&self) -> Ends<LastPackets> {
        self.last
    }

    /// Whether counts have been gathered for long enough.
    pub fn is_due(&self, now: Time) -> bool {
        now.since(self.flushed) >= FLUSH_EVERY
    }

    /// Hands out what was gathered; `None` if nothing was.
    pub fn flush(&mut self, now: Time) -> Option<Traffic> {
        self.flushed = now;
        let counts = std::mem::take(&mut self.counts);
        let round_trips = self.flights.as_mut().map(|flights| &mut flights.round_trips);
        let round_trips = round_trips.filter(|gathered| !gathered.is_empty());
        let has_unread_news = self.unread.since != self.unread.told;
        if counts == Ways::default() && round_trips.is_none() && !has_unread_news {
            return None;
        }
        self.unread.told = self.unread.since;
        Some(Traffic {
            link: self.link,
            up: counts.up,
            down: counts.down,
            last: self.last,
            under_way: self.under_way.map(|packet| packet.last),
            unread: self.unread.since,
            read_again: self.unread.read_again.take(),
            publish_rtt: round_trips.map(Gathered::take).unwrap_or_default(),
            control_gap: self.control_gap.take(),
        })
    }

    fn publish(&mut self, now: Time, direction: Direction, publish: Publish) -> bool {
        self.counts.get_mut(direction).publishes += 1;
        if direction == Direction::Up
            && let Some(id) = publish.id
        {
            // A repeat on the same link does not restart the flight.
            self.flights.get_or_insert_default().waiting.insert_new(id, now);
        }
        !std::mem::replace(self.first_publish.get_mut(direction), true)
    }

    fn gap(&mut self, gap: Duration) -> Option<Duration> {
        match self.disturbed {
            Disturbed::Now => None,
            Disturbed::SinceLastPacket => {
                self.disturbed = Disturbed::Sound;
                None
            }
            Disturbed::Sound => {
                self.control_gap.add(gap);
                self.exceeds(gap).then_some(gap)
            }
        }
    }

    fn exceeds(&self, gap: Duration) -> bool {
        self.keep_alive
            .is_some_and(|keep_alive| gap > keep_alive + (keep_alive / TOLERANCE_SHARE).max(TOLERANCE_LEAST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QOS0: Publish = Publish { qos: QoS::AtMostOnce, id: None };

    fn meter() -> Meter {
        let mut meter = Meter::new(LinkId(1), Time::ZERO);
        meter.set_keep_alive(Duration::from_secs(10));
        meter
    }

    #[test]
    fn what_is_left_unread_is_told_at_once_and_its_end_with_the_next_counts() {
        let mut meter = meter();
        let unread = |traffic: Option<Traffic>| traffic.map(|traffic| traffic.unread);
        assert!(!meter.left_unread(Time::from_millis(10), false));
        assert_eq!(unread(meter.flush(Time::from_millis(20))), None);
        assert!(meter.left_unread(Time::from_millis(100), true) && meter.is_unread());
        assert_eq!(unread(meter.flush(Time::from_millis(100))), Some(Some(Time::from_millis(100))));
        assert!(!meter.left_unread(Time::from_millis(200), true), "known already");
        assert_eq!(unread(meter.flush(Time::from_millis(300))), None);
        assert!(!meter.left_unread(Time::from_millis(400), false) && !meter.is_unread());
        assert!(meter.is_unread_news());
        assert!(!meter.left_unread(Time::from_millis(500), true), "nobody was told that it had ended");
        meter.left_unread(Time::from_millis(600), false);
        let told = meter.flush(Time::from_millis(700)).unwrap();
        assert_eq!((told.unread, told.read_again), (None, Some(Time::from_millis(600))));
        assert!(!meter.is_unread_news());
        assert_eq!(meter.flush(Time::from_millis(800)), None);
    }

    #[test]
    fn what_is_left_unread_again_was_read_meanwhile() {
        let mut meter = meter();
        meter.left_unread(Time::from_millis(100), true);
        meter.flush(Time::from_millis(100));
        meter.left_unread(Time::from_millis(200), false);
        meter.left_unread(Time::from_millis(900), true);
        let told = meter.flush(Time::from_millis(1_000)).unwrap();
        assert_eq!(told.unread, Some(Time::from_millis(900)));
        assert_eq!(told.read_again, Some(Time::from_millis(200)));
    }

    #[test]
    fn a_gap_is_too_long_from_a_tenth_over_the_keep_alive() {
        let silence = Silence { gap: Duration::from_millis(11_001), took: Duration::ZERO };
        for (gap, remark) in [(11_000, None), (11_001, Some(Remark::KeepaliveExceeded(silence)))] {
            let mut meter = meter();
            assert_eq!(meter.arrived(Time::from_secs(1), Direction::Up, None), None);
            let next = Time::from_millis(1000 + gap);
            assert_eq!(meter.arrived(next, Direction::Up, None), remark);
        }
    }

    #[test]
    fn a_gap_that_a_fault_had_a_part_in_says_nothing() {
        let mut meter = meter();
        meter.arrived(Time::from_secs(1), Direction::Up, None);
        meter.disturb(true);
        meter.disturb(false);
        assert_eq!(meter.arrived(Time::from_secs(30), Direction::Up, None), None);
        assert!(meter.arrived(Time::from_secs(60), Direction::Up, None).is_some());
    }

    #[test]
    fn a_last_silence_that_a_fault_had_a_part_in_says_nothing() {
        let mut meter = meter();
        meter.arrived(Time::from_secs(1), Direction::Up, None);
        assert!(meter.device_ended(Time::from_secs(30)).is_some());
        for hides in [true, false] {
            meter.disturb(hides);
            assert_eq!(meter.device_ended(Time::from_secs(30)), None);
        }
    }

    #[test]
    fn a_gap_runs_from_the_end_of_a_packet_to_the_beginning_of_the_next() {
        // (the first byte of the next, its last, told)
        for (first, last, told) in [(12_000, 60_000, false), (12_001, 60_000, true), (12_001, 12_001, true)] {
            let mut meter = meter();
            meter.arrived(Time::from_secs(1), Direction::Up, None);
            for at in (first..last).step_by(1_000) {
                meter.under_way(Time::from_millis(at));
            }
            let gap = Duration::from_millis(first - 1_000);
            let silence = told.then_some(Silence { gap, took: Duration::from_millis(last - first) });
            assert_eq!(meter.device_ended(Time::from_millis(last)), silence, "{first} {last}");
            let remark = meter.arrived(Time::from_millis(last), Direction::Up, None);
            assert_eq!(remark, silence.map(Remark::KeepaliveExceeded), "{first} {last}");
        }
        // The silence after it is one again.
        let mut meter = meter();
        meter.arrived(Time::from_secs(1), Direction::Up, None);
        meter.under_way(Time::from_secs(2));
        meter.bytes(Direction::Up, 1);
        let under_way = |traffic: Option<Traffic>| traffic.and_then(|traffic| traffic.under_way);
        assert_eq!(under_way(meter.flush(Time::from_secs(3))), Some(Time::from_secs(2)));
        meter.arrived(Time::from_secs(30), Direction::Up, None);
        assert_eq!(under_way(meter.flush(Time::from_secs(31))), None);
        assert!(meter.arrived(Time::from_secs(60), Direction::Up, None).is_some());
    }

    #[test]
    fn the_flight_of_a_publish_is_timed_once() {
        let mut meter = meter();
        let publish = Publish { qos: QoS::AtLeastOnce, id: Some(7) };
        assert_eq!(
            meter.arrived(Time::from_secs(1), Direction::Up, Some(publish)),
            Some(Remark::FirstPublish)
        );
        assert_eq!(meter.arrived(Time::from_secs(2), Direction::Up, Some(publish)), None);
        meter.passed(Time::from_secs(3), Direction::Down, Some(7));
        meter.passed(Time::from_secs(4), Direction::Down, Some(7));
        let traffic = meter.flush(Time::from_secs(5)).unwrap();
        assert_eq!(traffic.publish_rtt.count(), 1);
        assert!(traffic.publish_rtt.iter().all(|(rtt, _)| rtt.as_secs_f64() > 1.99));
        assert_eq!(traffic.up.publishes, 2);
    }

    #[test]
    fn many_at_once_count_as_one_after_another() {
        let (mut at_once, mut by_one) = (meter(), meter());
        for (at, messages, hides) in [
            (1, 1, None),
            (2, 3, None),
            (30, 4, None),
            (31, 2, Some(true)),
            (70, 3, Some(false)),
            (71, 0, None),
        ] {
            let now = Time::from_secs(at);
            for direction in Direction::BOTH {
                for meter in [&mut at_once, &mut by_one] {
                    hides.into_iter().for_each(|hides| meter.disturb(hides));
                }
                let told = at_once.arrived_plain(now, direction, messages);
                let one: Vec<_> =
                    (0..messages).filter_map(|_| by_one.arrived(now, direction, Some(QOS0))).collect();
                assert_eq!(Vec::from_iter(told), one);
                assert_eq!(at_once.disturbed, by_one.disturbed);
            }
        }
        assert!(at_once.has_published(Direction::Up) && at_once.ends() == by_one.ends());
        let traffic = at_once.flush(Time::from_secs(80));
        assert_eq!(traffic, by_one.flush(Time::from_secs(80)));
        assert_eq!(traffic.map(|traffic| traffic.up.publishes), Some(13));
    }

    #[test]
    fn nothing_gathered_is_nothing_to_say() {
        let mut meter = meter();
        assert_eq!(meter.flush(Time::from_secs(1)), None);
        meter.bytes(Direction::Down, 5);
        meter.arrived(Time::from_secs(1), Direction::Down, Some(QOS0));
        assert!(!meter.is_due(Time::from_millis(1999)) && meter.is_due(Time::from_secs(2)));
        assert!(meter.flush(Time::from_secs(2)).is_some());
    }
}
