//! Outages from the log of a run; what is taken is said in [`super::trace`].

use super::Spell;
use crate::base::{DeviceId, Direction, LinkId, Side, Time, WindowId};
use crate::event::{Event, LastPackets, Numbers, Packet, RunStarted, What};
use crate::fault::{Blackhole, Fault, Toward, WaysWanted};
use crate::profile::{self, Override, Plan};
use std::collections::BTreeMap;

/// The outages of one device.
pub(super) fn read(content: &str, client: Option<&str>) -> Result<Vec<Spell>, String> {
    let mut reader: Option<Reader> = None;
    let mut numbers = Numbers::default();
    let bad = |number: usize, problem: String| {
        format!("line {number}: {problem}; give an events.jsonl as brownout wrote it")
    };
    let mut lines = content.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()).peekable();
    while let Some((line, number)) = lines.next() {
        match serde_json::from_str::<Event>(line) {
            Ok(event) => match (&mut reader, &event.what) {
                (Some(reader), _) => {
                    numbers.follow(&event).map_err(|error| bad(number, error.to_string()))?;
                    reader.push(&event);
                }
                (None, What::RunStarted(start)) => {
                    numbers.begin(&event).map_err(|error| bad(number, error.to_string()))?;
                    reader = Some(Reader::new(start)?);
                }
                (None, _) => return Err(bad(number, "the log of a run begins with `run_started`".into())),
            },
            // A run that was killed leaves half a line.
            Err(error) if error.is_eof() && lines.peek().is_none() => {}
            Err(error) => return Err(bad(number, error.to_string())),
        }
    }
    reader.unwrap_or_default().of(client)
}

/// The fold. Grows with the devices and links of the log.
#[derive(Debug, Default)]
struct Reader {
    /// Of a run that breaks links; `None`: of an observer.
    plan: Option<Plan>,
    windows: BTreeMap<WindowId, (DeviceId, Option<Time>)>,
    devices: BTreeMap<DeviceId, Device>,
    links: BTreeMap<LinkId, Link>,
}

#[derive(Debug, Default)]
struct Device {
    name: String,
    /// The newest link that was accepted.
    newest: Option<LinkId>,
    down: Option<Time>,
    spells: Vec<Spell>,
}

#[derive(Debug, Default)]
struct Link {
    device: Option<DeviceId>,
    /// It was given back with DISCONNECT.
    is_given_back: bool,
}

impl Reader {
    fn new(start: &RunStarted) -> Result<Reader, String> {
        let plan = if start.observer { None } else { Some(plan(start)?) };
        Ok(Reader { plan, ..Reader::default() })
    }

    fn push(&mut self, event: &Event) {
        match &event.what {
            What::DeviceNamed { device, name } => {
                self.devices.entry(*device).or_default().name.clone_from(name);
            }
            What::LinkIdentified { link, device } => {
                self.links.entry(*link).or_default().device = Some(*device);
            }
            _ if self.plan.is_some() => self.of_faults(event),
            _ => self.of_links(event),
        }
    }

    /// The blackholes of a run that made the whole path dark; of others a part of it was sound.
    fn of_faults(&mut self, event: &Event) {
        let is_blackhole = |rule| {
            let rule = self.plan.as_ref().and_then(|plan| plan.rule(rule));
            let is_whole =
                |hole: &Blackhole| (hole.toward, hole.direction) == (Toward::Both, WaysWanted::Both);
            rule.is_some_and(|rule| matches!(&rule.fault, Fault::Blackhole(hole) if is_whole(hole)))
        };
        match &event.what {
            What::WindowOpened { window, rule, device, .. } if is_blackhole(*rule) => {
                self.windows.insert(*window, (*device, None));
            }
            What::FaultApplied { window, .. } => {
                if let Some((_, start)) = self.windows.get_mut(window) {
                    start.get_or_insert(event.at);
                }
            }
            What::WindowClosed { window } => {
                if let Some((device, Some(start))) = self.windows.remove(window) {
                    self.add(device, start, event.at);
                }
            }
            _ => {}
        }
    }

    /// The links of an observer, lost and accepted again.
    fn of_links(&mut self, event: &Event) {
        let Some(link) = event.what.link() else { return };
        if event.what.accepts() {
            return self.accepted(link, event.at);
        }
        match &event.what {
            What::Packet { direction: Direction::Up, packet: Packet::Disconnect { .. }, .. } => {
                self.links.entry(link).or_default().is_given_back = true;
            }
            What::LegEnded { side, error, last, .. } => {
                self.lost(link, since(event.at, *side, error.is_some(), last));
            }
            What::LinkClosed { .. } => {
                self.links.remove(&link);
            }
            _ => {}
        }
    }

    fn accepted(&mut self, link: LinkId, at: Time) {
        let Some(id) = self.links.get(&link).and_then(|link| link.device) else { return };
        let device = self.devices.entry(id).or_default();
        device.newest = device.newest.max(Some(link));
        if let Some(start) = device.down.take() {
            self.add(id, start, at);
        }
    }

    fn lost(&mut self, id: LinkId, since: Time) {
        let Some(link) = self.links.get(&id).filter(|link| !link.is_given_back) else { return };
        let device = link.device.and_then(|device| self.devices.get_mut(&device));
        if let Some(device) = device.filter(|device| device.newest == Some(id)) {
            device.down.get_or_insert(since);
        }
    }

    fn add(&mut self, device: DeviceId, start: Time, end: Time) {
        let length = end.since(start);
        if length >= super::LEAST_LENGTH {
            self.devices.entry(device).or_default().spells.push(Spell { start, length });
        }
    }

    /// Of the device of this name, or of the one that has most.
    fn of(self, client: Option<&str>) -> Result<Vec<Spell>, String> {
        let of_name = |device: &&Device| client.is_none_or(|client| device.name == client);
        // Of equals, the last of a maximum is taken: so the other way round.
        let most = self.devices.values().rev().filter(of_name).max_by_key(|device| device.spells.len());
        match (most, client) {
            (Some(device), _) if !device.spells.is_empty() => Ok(device.spells.clone()),
            (Some(_), Some(client)) if self.plan.is_some() => Err(format!(
                "the log tells of no outage of `{client}`: no blackhole toward both ends, both ways"
            )),
            (Some(_), Some(client)) => Err(format!("the log tells of no outage of `{client}`")),
            (None, Some(client)) => Err(format!("the log knows no device `{client}`")),
            (_, None) => Err(match self.plan {
                Some(_) => "the log tells of no blackhole toward both ends, both ways, that was over before its end; \
                            others are not taken"
                    .into(),
                None => "the log tells of no link that was lost without DISCONNECT and came back".into(),
            }),
        }
    }
}

fn plan(start: &RunStarted) -> Result<Plan, String> {
    let sets: Result<Vec<Override>, _> = start.overrides.iter().map(|set| set.parse()).collect();
    let sets = sets.map_err(|error| error.to_string())?;
    let read = profile::read(&start.profile, &sets);
    read.map(|checked| checked.plan)
        .map_err(|_| format!("its profile, {}, cannot be read", start.profile_name))
}

/// Since when the path is taken to have been gone, where a leg ended; `by_system`: by a time-out, and by nothing that came.
fn since(at: Time, side: Side, by_system: bool, last: &LastPackets) -> Time {
    match side {
        Side::Device if !by_system => at,
        Side::Device => last.from.unwrap_or(at),
        Side::Hub => last.to.unwrap_or(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Ending, Mechanism};
    use crate::measure::story::Story;

    const PROFILE: &str = "brownout: 1\nname: n\nsummary: s\nrules:\n  - id: dark\n    when: { at: 1s }\n    fault: { blackhole: { for: 5s } }\n";

    /// The story as the log of a run of this profile, or of an observer.
    fn log(story: &Story, observer: bool) -> String {
        let mut events = story.events.clone();
        if let What::RunStarted(start) = &mut events[0].what {
            start.observer = observer;
            start.profile = PROFILE.into();
        }
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect()
    }

    fn millis(spells: &[Spell]) -> Vec<(u64, u64)> {
        spells.iter().map(|it| (it.start.as_nanos() / 1_000_000, it.end().as_nanos() / 1_000_000)).collect()
    }

    #[test]
    fn of_a_run_blackholes_are_taken_that_held_and_were_over() {
        let mut story = Story::new();
        story.at(0).joins(1, 0, "a", 60);
        story.at(1_000).opens(1, 0, 0, 60).at(1_001).applies(1, 1, Mechanism::MinTtl);
        story.at(6_000).lifts(1, 1).heals(1);
        // One that fell on no link, and one that the log breaks off in.
        story.at(7_000).opens(2, 0, 0, 60).at(8_000).heals(2);
        story.at(9_000).opens(3, 0, 0, 60).applies(3, 1, Mechanism::MinTtl);
        let half = log(&story, false) + "{\"seq\":";
        assert_eq!(millis(&read(&half, None).unwrap()), [(1_001, 6_000)]);
        assert!(read(&half, Some("b")).unwrap_err().contains("knows no device `b`"));
    }

    /// A blackhole of one end or one way leaves a part of the path sound.
    #[test]
    fn blackholes_of_a_part_of_the_path_are_left_out() {
        let mut story = Story::new();
        story.at(0).joins(1, 0, "a", 60);
        story.at(1_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::MinTtl);
        story.at(6_000).lifts(1, 1).heals(1);
        let of = |fault: &str, client| {
            let log = log(&story, false).replace("for: 5s", &format!("{fault}, for: 5s"));
            read(&log, client)
        };
        assert_eq!(millis(&of("toward: both, direction: both", None).unwrap()), [(1_000, 6_000)]);
        for fault in ["toward: hub", "direction: up"] {
            let told = of(fault, None).unwrap_err();
            assert!(told.contains("no blackhole toward both ends, both ways"), "{fault}: {told}");
            let told = of(fault, Some("a")).unwrap_err();
            assert!(told.contains("no outage of `a`: no blackhole toward both ends"), "{fault}: {told}");
        }
    }

    #[test]
    fn of_an_observer_links_are_taken_that_were_lost_and_came_back() {
        let mut story = Story::new();
        story.at(0).joins(1, 0, "a", 4).joins(2, 1, "b", 4);
        // The hub times `a` out; its last packet was its CONNECT.
        story.at(6_000).ends(1, Side::Hub, Ending::Fin).closes(1);
        story.at(9_000).joins(3, 0, "a", 4);
        // `a` resets its link itself, and comes back; `b` does not.
        story
            .at(20_000)
            .ends(3, Side::Device, Ending::Reset)
            .closes(3)
            .ends(2, Side::Device, Ending::Fin)
            .closes(2);
        story.at(21_000).joins(4, 0, "a", 4);
        let log = log(&story, true);
        assert_eq!(millis(&read(&log, None).unwrap()), [(0, 9_000), (20_000, 21_000)]);
        assert!(read(&log, Some("b")).unwrap_err().contains("no outage of `b`"));
    }

    #[test]
    fn what_is_no_log_is_told_with_its_line() {
        assert!(read("{\"a\": 1}\n{}\n", None).unwrap_err().contains("line 1"));
        let mut story = Story::new();
        story.at(1).joins(1, 0, "a", 4);
        let (head, rest) =
            log(&story, true).split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(read(&rest, None).unwrap_err().contains("begins with `run_started`"));
        assert!(read(&head, None).unwrap_err().contains("lost without DISCONNECT"));
    }

    /// An outage whose end is missing would go on to the end of the next.
    #[test]
    fn a_log_that_lacks_lines_is_refused() {
        let mut story = Story::new();
        story.at(0).joins(1, 0, "a", 60);
        story.at(1_000).opens(1, 0, 0, 60).applies(1, 1, Mechanism::MinTtl).at(6_000).heals(1);
        let whole = log(&story, false);
        assert_eq!(millis(&read(&whole, None).unwrap()), [(1_000, 6_000)]);
        let lines: Vec<&str> = whole.lines().collect();
        let without: Vec<&str> = [&lines[..3], &lines[4..]].concat();
        let told = read(&without.join("\n"), None).unwrap_err();
        assert!(
            told.starts_with("line 4: the event has `seq` 4, and 3 was to come: lines are missing"),
            "{told}"
        );
    }
}
