//! What became of messages, device by device: a fold over the counts that the ledgers tell.

use super::results::{RunResults, Sample};
use super::value::Value;
use crate::base::pack::{Pack, Reader, Writer, fields};
use crate::base::{DeviceId, Direction, Few, Rest, Resting, Ways};
use crate::event::{Delivery, Event, What};
use crate::profile::Metric;
use crate::session::Sessions;

/// What became of a device's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryResults {
    /// Counts, by the direction of travel.
    pub counts: Ways<Delivery>,
    /// A link of its turned out not to be MQTT: there are messages that were not followed, and counts are no evidence.
    pub is_partial: bool,
    /// The run ended, so that what was in flight is known; else it is what is neither completed nor lost so far.
    pub is_final: bool,
}

/// What was told of a device's messages.
#[derive(Clone, Debug, Default)]
struct Known {
    counts: Ways<Counts>,
    is_partial: bool,
}

/// The counts of a direction that are not zero, each behind its number. Most devices send one way only, at one quality of
/// service, and have three.
#[derive(Clone, Debug, Default)]
struct Counts(Few<22>);

impl Rest for Known {
    fn may_rest(&self) -> bool {
        true
    }
}

fields! {
    Known { counts, is_partial }
}

impl Pack for Counts {
    fn pack(&self, to: &mut Writer) {
        self.0.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Option<Counts> {
        Pack::unpack(from).map(Counts)
    }
}

/// How many counts there are.
const COUNTS: usize = 40;

impl Counts {
    fn of(counts: &Delivery) -> Counts {
        let mut to = Writer::default();
        for (number, count) in (0_u8..).zip(numbers(counts)).filter(|(_, count)| *count > 0) {
            (number, count).pack(&mut to);
        }
        Counts(to.finish().as_slice().into())
    }

    fn all(&self) -> Delivery {
        let (mut numbers, mut from) = ([0; COUNTS], Reader::new(&self.0));
        while let Some((number, count)) = <(u8, u64)>::unpack(&mut from) {
            if let Some(place) = numbers.get_mut(usize::from(number)) {
                *place = count;
            }
        }
        delivery(&numbers)
    }
}

fn numbers(counts: &Delivery) -> [u64; COUNTS] {
    let Delivery { sent, received, completed, retransmitted, duplicated, lost, in_flight, .. } = *counts;
    let Delivery { unfollowed, numbered, missing, repeated, catch_ups, queued, .. } = *counts;
    let Delivery { numbered_catch_ups, dropped, perhaps_received, perhaps_duplicated, .. } = *counts;
    let Delivery { perhaps_completed, .. } = *counts;
    let by_qos = [sent, received, completed, retransmitted, duplicated, lost, in_flight, unfollowed];
    let by_qos = by_qos.into_iter().chain([perhaps_received, perhaps_duplicated, perhaps_completed]);
    let others = [numbered, missing, repeated, catch_ups, queued, numbered_catch_ups, dropped];
    let mut all = by_qos.flatten().chain(others);
    std::array::from_fn(|_| all.next().unwrap_or(0))
}

fn delivery(numbers: &[u64; COUNTS]) -> Delivery {
    let by_qos = |nth: usize| std::array::from_fn(|qos| numbers[nth * 3 + qos]);
    let other = |nth: usize| numbers[33 + nth];
    Delivery {
        sent: by_qos(0),
        received: by_qos(1),
        completed: by_qos(2),
        retransmitted: by_qos(3),
        duplicated: by_qos(4),
        lost: by_qos(5),
        in_flight: by_qos(6),
        unfollowed: by_qos(7),
        perhaps_received: by_qos(8),
        perhaps_duplicated: by_qos(9),
        perhaps_completed: by_qos(10),
        // In a sum, those are among the ones that are not followed, or only perhaps.
        doubted: [0; 3],
        doubted_again: [0; 3],
        doubted_completed: [0; 3],
        numbered: other(0),
        missing: other(1),
        repeated: other(2),
        catch_ups: other(3),
        queued: other(4),
        numbered_catch_ups: other(5),
        dropped: other(6),
    }
}

/// The messages of a run, device by device.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    devices: Resting<DeviceId, Known>,
    is_over: bool,
}

impl Deliveries {
    /// See [`Resting::pack_up`].
    pub fn pack_up(&mut self) {
        self.devices.pack_up();
    }

    /// Takes in an event that `sessions` has taken in already.
    pub fn push(&mut self, event: &Event, sessions: &Sessions) {
        match &event.what {
            What::Delivery { device, up, down } => {
                let counts = &mut self.devices.get_or_default(*device).counts;
                for (direction, more) in [(Direction::Up, up), (Direction::Down, down)] {
                    if !more.is_empty() {
                        let known = counts.get_mut(direction);
                        let mut sum = known.all();
                        sum.add(more);
                        *known = Counts::of(&sum);
                    }
                }
                self.devices.rest(*device);
            }
            What::NotMqtt { link, .. } => {
                if let Some(device) = sessions.link(*link).and_then(|link| link.device) {
                    self.devices.get_or_default(device).is_partial = true;
                }
            }
            What::RunEnded { .. } => self.is_over = true,
            _ => {}
        }
    }

    /// Whether there was anything to say of its messages.
    pub fn knows(&self, device: DeviceId) -> bool {
        self.devices.contains_key(&device)
    }

    /// What became of the messages of a device.
    pub fn of(&self, device: DeviceId) -> DeliveryResults {
        let Some(known) = self.devices.get(&device) else {
            return DeliveryResults { is_final: self.is_over, ..DeliveryResults::default() };
        };
        let of = |direction| known.counts.get(direction).all();
        let counts = Ways { up: of(Direction::Up), down: of(Direction::Down) };
        DeliveryResults { counts, is_partial: known.is_partial, is_final: self.is_over }
    }
}

impl DeliveryResults {
    /// Both directions together.
    pub fn both(&self) -> Delivery {
        let mut sum = self.counts.up;
        sum.add(&self.counts.down);
        sum
    }

    /// Messages in flight in a direction, by quality of service.
    pub fn in_flight(&self, direction: Direction) -> [u64; 3] {
        let counts = self.counts.get(direction);
        if self.is_final {
            return counts.in_flight;
        }
        let of = |qos: usize| {
            let known = counts.completed[qos].saturating_add(counts.lost[qos]);
            counts.sent[qos].saturating_sub(known)
        };
        // At QoS 0 nothing stays in flight: what was not passed on is lost.
        [0, of(1), of(2)]
    }

    /// The measures that there is evidence for. Of messages that were not followed, each may be one more of it.
    pub fn measures(&self) -> Vec<(Metric, Value)> {
        let all = self.both();
        if self.is_partial {
            return Vec::new();
        }
        let has = |qos: usize| all.sent[qos] > 0;
        let of = |counts: [u64; 3], qos: usize| Value::at_least(counts[qos], all.unfollowed[qos]);
        let again = |qos: usize| {
            Value::at_least(all.duplicated[qos], all.unfollowed[qos] + all.perhaps_duplicated[qos])
        };
        let in_flight: u64 =
            [Direction::Up, Direction::Down].iter().flat_map(|way| self.in_flight(*way)).sum();
        // At QoS 0 none of them is: it was under way to an end that is closed.
        let [_, one, two] = all.unfollowed;
        let untold: u64 = all.perhaps_completed.iter().sum();
        let in_flight = Value::at_least(in_flight, one + two + untold);
        let known = [
            (Metric::Qos0Lost, has(0), of(all.lost, 0)),
            (Metric::Qos1Lost, has(1), of(all.lost, 1)),
            (Metric::Qos1Duplicated, has(1), again(1)),
            (Metric::Qos2Lost, has(2), of(all.lost, 2)),
            (Metric::Qos2Duplicated, has(2), again(2)),
            (
                Metric::Retransmitted,
                has(1) || has(2),
                of(all.retransmitted, 1).added(of(all.retransmitted, 2)),
            ),
            (Metric::InFlight, self.is_final && (has(0) || has(1) || has(2)), in_flight),
            (Metric::SequenceGaps, all.numbered > 0, Value::Count(all.missing)),
            (Metric::QueuedOffline, all.catch_ups > 0, Value::Count(all.queued)),
            (Metric::DroppedOffline, all.numbered_catch_ups > 0, Value::Count(all.dropped)),
        ];
        known.into_iter().filter(|(_, is_known, _)| *is_known).map(|(metric, _, of)| (metric, of)).collect()
    }
}

impl RunResults {
    /// One sample a device of each measure of messages.
    pub(super) fn add_deliveries(&mut self) {
        for (id, device) in &self.devices {
            let keep_alive = device.reckoned;
            self.samples.extend(device.delivery.measures().into_iter().map(|(metric, value)| Sample {
                metric,
                value,
                device: Some(*id),
                window: None,
                rule: None,
                keep_alive,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LinkId, Time};
    use crate::measure::story::{Story, plan, values};

    fn told(story: &mut Story, up: Delivery) {
        story.tell(What::Delivery { device: DeviceId(0), up: Box::new(up), down: Box::default() });
    }

    fn joined() -> Story {
        let mut story = Story::new();
        story.at(100).joins(1, 0, "pump-1", 10);
        story
    }

    #[test]
    fn counts_are_had_back_as_they_were() {
        let numbers = std::array::from_fn(|nth| u64::try_from(nth).unwrap().pow(12));
        let all = delivery(&numbers);
        assert_eq!((super::numbers(&all), Counts::of(&all).all()), (numbers, all));
        assert_eq!(Counts::default().all(), Delivery::default());
        let few = Delivery { sent: [9_000, 0, 0], received: [8_000, 0, 0], ..Delivery::default() };
        assert_eq!((Counts::of(&few).all(), Counts::of(&few).0.len()), (few, 7));
        assert!(size_of::<Known>() <= 56);
    }

    #[test]
    fn counts_add_up_and_are_samples_of_their_device() {
        let mut story = joined();
        let first =
            Delivery { sent: [2, 3, 0], lost: [1, 0, 0], completed: [0, 2, 0], ..Delivery::default() };
        told(&mut story, first);
        let last = Delivery { retransmitted: [0, 4, 0], in_flight: [0, 1, 0], ..Delivery::default() };
        told(&mut story, last);
        story.at(2000).over();
        let results = story.results(&plan(Vec::new()));
        assert_eq!(values(&results, Metric::Qos0Lost), [Value::Count(1)]);
        assert_eq!(values(&results, Metric::Qos1Lost), [Value::Count(0)]);
        assert_eq!(values(&results, Metric::Retransmitted), [Value::Count(4)]);
        assert_eq!(values(&results, Metric::InFlight), [Value::Count(1)]);
    }

    #[test]
    fn of_whom_it_is_not_known_whether_its_sender_was_told_is_perhaps_in_flight() {
        let mut story = joined();
        told(&mut story, Delivery { sent: [0, 3, 0], completed: [0, 3, 0], ..Delivery::default() });
        told(&mut story, Delivery { doubted_completed: [0, 2, 0], ..Delivery::default() });
        let results = story.at(2000).over().results(&plan(Vec::new()));
        let counts = results.runs[0].devices[&DeviceId(0)].delivery.both();
        assert_eq!((counts.completed, counts.perhaps_completed), ([0, 1, 0], [0, 2, 0]));
        assert_eq!(values(&results, Metric::InFlight), [Value::CountBetween { least: 0, most: Some(2) }]);
        assert_eq!(values(&results, Metric::Qos1Lost), [Value::Count(0)]);
    }

    #[test]
    fn what_was_not_seen_is_no_evidence() {
        let mut story = joined();
        told(&mut story, Delivery { sent: [0, 3, 0], ..Delivery::default() });
        let results = story.at(2000).results(&plan(Vec::new()));
        for none in [
            Metric::Qos0Lost,
            Metric::Qos2Lost,
            Metric::Qos2Duplicated,
            Metric::SequenceGaps,
            Metric::QueuedOffline,
            Metric::DroppedOffline,
            // The log was cut off.
            Metric::InFlight,
        ] {
            assert_eq!(values(&results, none), [], "{none}");
        }
        assert_eq!(values(&joined().at(2000).over().results(&plan(Vec::new())), Metric::Qos1Lost), []);
    }

    #[test]
    fn messages_that_could_not_be_followed_are_no_evidence() {
        let mut story = joined();
        told(&mut story, Delivery { sent: [0, 3, 0], ..Delivery::default() });
        let (link, direction, reason) = (LinkId(1), Direction::Up, "a reserved type".to_owned());
        story.tell(What::NotMqtt { link, direction, offset: 99, reason });
        let results = story.at(2000).over().results(&plan(Vec::new()));
        assert_eq!(values(&results, Metric::Qos1Lost), []);
    }

    #[test]
    fn in_a_log_that_was_cut_off_what_is_in_flight_is_what_is_neither_completed_nor_lost() {
        let mut deliveries = Deliveries::default();
        let up = Delivery { sent: [9, 5, 5], completed: [0, 2, 1], lost: [0, 1, 0], ..Delivery::default() };
        let what = What::Delivery { device: DeviceId(0), up: Box::new(up), down: Box::default() };
        deliveries.push(&Event { seq: 0, at: Time::ZERO, what }, &Sessions::default());
        assert_eq!(deliveries.of(DeviceId(0)).in_flight(Direction::Up), [0, 2, 4]);
    }
}
