//! What became of messages, device by device: a fold over the counts that the ledgers tell.

use super::results::{RunResults, Sample};
use super::value::Value;
use crate::base::{DeviceId, Direction, LinkId, Shelf, Ways};
use crate::event::{Delivery, Event, What};
use crate::profile::Metric;
use std::collections::BTreeMap;
use std::time::Duration;

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

/// What was told of a device's messages. Most devices send one way only.
#[derive(Clone, Debug, Default)]
struct Known {
    counts: Ways<Option<Box<Delivery>>>,
    is_partial: bool,
}

/// The messages of a run, device by device.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    devices: Shelf<DeviceId, Known>,
    /// The devices of live links.
    links: BTreeMap<LinkId, DeviceId>,
    is_over: bool,
}

impl Deliveries {
    /// Takes in an event.
    pub fn push(&mut self, event: &Event) {
        match &event.what {
            What::Delivery { device, up, down } => {
                let counts = &mut self.devices.get_or_default(*device).counts;
                for (direction, more) in [(Direction::Up, up), (Direction::Down, down)] {
                    if !more.is_empty() {
                        counts.get_mut(direction).get_or_insert_default().add(more);
                    }
                }
            }
            What::LinkIdentified { link, device } => _ = self.links.insert(*link, *device),
            What::LinkClosed { link, .. } => _ = self.links.remove(link),
            What::NotMqtt { link, .. } => {
                if let Some(device) = self.links.get(link) {
                    self.devices.get_or_default(*device).is_partial = true;
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
        let of = |direction| known.counts.get(direction).as_deref().copied().unwrap_or_default();
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

    /// The measures that there is evidence for.
    pub fn measures(&self) -> Vec<(Metric, u64)> {
        let all = self.both();
        if self.is_partial {
            return Vec::new();
        }
        let has = |qos: usize| all.sent[qos] > 0;
        let in_flight: u64 =
            [Direction::Up, Direction::Down].iter().flat_map(|way| self.in_flight(*way)).sum();
        let known = [
            (Metric::Qos0Lost, has(0), all.lost[0]),
            (Metric::Qos1Lost, has(1), all.lost[1]),
            (Metric::Qos1Duplicated, has(1), all.duplicated[1]),
            (Metric::Qos2Lost, has(2), all.lost[2]),
            (Metric::Qos2Duplicated, has(2), all.duplicated[2]),
            (Metric::Retransmitted, has(1) || has(2), all.retransmitted[1] + all.retransmitted[2]),
            (Metric::InFlight, self.is_final && (has(0) || has(1) || has(2)), in_flight),
            (Metric::SequenceGaps, all.numbered > 0, all.missing),
            (Metric::QueuedOffline, all.catch_ups > 0, all.queued),
            (Metric::DroppedOffline, all.numbered_catch_ups > 0, all.dropped),
        ];
        known.into_iter().filter(|(_, has_evidence, _)| *has_evidence).map(|(m, _, n)| (m, n)).collect()
    }
}

impl RunResults {
    /// One sample a device of each measure of messages.
    pub(super) fn add_deliveries(&mut self, keep_alive: impl Fn(Duration) -> Duration) {
        for (id, device) in &self.devices {
            let keep_alive = keep_alive(device.keep_alive);
            self.samples.extend(device.delivery.measures().into_iter().map(|(metric, count)| Sample {
                metric,
                value: Value::Count(count),
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
    use crate::base::Time;
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
        deliveries.push(&Event { seq: 0, at: Time::ZERO, what });
        assert_eq!(deliveries.of(DeviceId(0)).in_flight(Direction::Up), [0, 2, 4]);
    }
}
