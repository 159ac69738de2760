//! Links as they are lost and come back: who gave one up, and who is connected again.

use super::budget::Kind;
use super::{Live, span};
use crate::base::text::printable;
use crate::base::{DeviceId, LinkId, RuleId, Side, Time, WindowId};
use crate::event::{Event, Packet, What, WireNews};
use crate::fault::Ending;
use crate::measure::{Measures, Showed, SoFar, Value};
use crate::report::words::whole_seconds;
use crate::session::{Link, Sessions};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A window that fell on a link of a device, and what was told of it.
#[derive(Clone, Debug)]
pub(super) struct Track {
    window: WindowId,
    /// The ends of links that were told to have noticed.
    told: BTreeSet<(LinkId, Side)>,
    /// The newest of its links that the device is back from.
    back: Option<LinkId>,
}

/// Of whom an event may show that they have noticed.
struct Shown<'a> {
    device: DeviceId,
    /// The end that gave a link up, and how; else the device connects anew.
    end: Option<(LinkId, Side)>,
    alert: Option<&'a str>,
}

impl Live {
    /// A fault holds on a link of this window's device, or has ended it. One that found no link to lose, as while its device is
    /// away, takes no other window's place.
    pub(super) fn applied(&mut self, now: Time, window: WindowId, measures: &Measures) {
        let Some(&(firing, device)) = self.windows.get(&window) else { return };
        let Some(rule) = self.firings.get(&firing).map(|firing| firing.rule) else { return };
        let is_known = self.tracks.get(&(device, rule)).is_some_and(|track| track.window == window);
        if !is_known && !measures.so_far(window, now).is_empty() {
            self.tracks.insert((device, rule), Track { window, told: BTreeSet::new(), back: None });
        }
    }

    /// Who has noticed a fault by this event, as the measures have it.
    pub(super) fn signs(&mut self, event: &Event, measures: &Measures) -> Vec<(Kind, String)> {
        let sessions = measures.sessions();
        let Some(shown) = Shown::of(&event.what, sessions) else { return Vec::new() };
        let mut signs = Vec::new();
        for ((_, rule), track) in self.tracks.range_mut(of_device(shown.device)) {
            for found in measures.so_far(track.window, event.at) {
                let new = Side::BOTH.into_iter().filter_map(|side| Some((side, shown.sign(&found, side)?)));
                let new = new.filter(|(side, _)| track.told.insert((found.link, *side)));
                signs.extend(new.map(|(side, told)| (*rule, side, told)));
            }
        }
        let Some(device) = sessions.device(shown.device).filter(|_| !signs.is_empty()) else {
            return Vec::new();
        };
        self.ended.extend(shown.end.map(|(link, _)| link));
        let name = printable(&device.name);
        let told = signs.into_iter().map(|(rule, side, told)| {
            let (kind, who) = match side {
                Side::Device => (Kind::Noticed, format!("{name} noticed")),
                Side::Hub => (Kind::GivenUp, format!("hub gave {name} up")),
            };
            (kind, format!("{who} {told}; {}", self.rule(rule)))
        });
        told.collect()
    }

    /// An end gave a link up that no fault is why of, or whose end was not told yet. Attempts that fail are the report's to
    /// count, and the other end's answer is no news.
    pub(super) fn ends(
        &mut self,
        link: LinkId,
        side: Side,
        how: &str,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let device = measures.sessions().device_of(link)?;
        let accepted = matches!(measures.sessions().link(link)?.connack, Some((_, 0)));
        let is_news = accepted && self.ended.insert(link);
        is_news.then(|| {
            self.told(Kind::Ended, || {
                format!("{}: the {} ended the link ({how})", printable(&device.name), side.word())
            })
        })
    }

    /// The hub's answer to a CONNECT has reached the device.
    pub(super) fn answered(
        &mut self,
        now: Time,
        link: LinkId,
        code: u8,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let sessions = measures.sessions();
        // What a fault let through only when the device had gone reached nobody.
        if sessions.link(link).is_some_and(|link| link.ended.device) {
            return None;
        }
        let device = sessions.device_of(link)?;
        let (id, name) = (device.id, || printable(&device.name));
        if code != 0 {
            return Some(self.told(Kind::Refused, || format!("{} refused with code {code}", name())));
        }
        let keep_alive = device.keep_alive.filter(|keep_alive| !keep_alive.is_zero());
        let unnamed = if device.unnamed { " without a client identifier" } else { "" };
        let (is_first, is_named) = (device.accepted == 1, device.version.is_some());
        let met = self.back_from_handshakes(now, id);
        if is_first {
            return Some(self.told(Kind::Connected, || {
                let none = if is_named { "no keep-alive" } else { "TLS passed through" };
                let keep_alive = keep_alive
                    .map_or(none.into(), |k| format!("keep-alive {}", whole_seconds(k.as_secs_f64())));
                format!("{} connected{unnamed}, {keep_alive}", name())
            }));
        }
        // Which of the devices at an address this is, nobody knows, nor whether it had been away.
        let is_beside = |other: &LinkId| *other != link && self.is_whole(now, id, *other, measures);
        if !is_named && (measures.is_several(id) || device.links.iter().any(is_beside)) {
            return Some(self.told(Kind::Connected, || format!("{} connected on one more link", name())));
        }
        let lost = self.back_from_fault(now, link, id, measures);
        Some(self.told(Kind::Back, || format!("{} is back{}", name(), met.or(lost).unwrap_or_default())))
    }

    /// Whether a device is connected over a link that no fault has fallen on: its device may have lost one that one has, unseen.
    fn is_whole(&self, now: Time, device: DeviceId, link: LinkId, measures: &Measures) -> bool {
        let mut tracks = self.tracks.range(of_device(device)).map(|(_, track)| track.window);
        measures.sessions().link(link).is_some_and(Link::is_up)
            && !tracks.any(|window| measures.so_far(window, now).iter().any(|found| found.link == link))
    }

    /// How a device is back that lost its link to a fault: ` after 612 ms; reset`, where the link alone was broken, or
    /// `, 2.1 s after the path was restored; dark`. Of several faults, the one that began last is told.
    fn back_from_fault(
        &mut self,
        now: Time,
        link: LinkId,
        device: DeviceId,
        measures: &Measures,
    ) -> Option<String> {
        // What devices do since their command was told to end is no way back, in the report neither.
        if self.stopped {
            return None;
        }
        let mut latest: Option<(RuleId, SoFar)> = None;
        for ((_, rule), track) in self.tracks.range_mut(of_device(device)) {
            let lost = measures.so_far(track.window, now).into_iter();
            let lost =
                lost.filter(|found| found.is_lost && found.link < link && track.back < Some(found.link));
            let Some(found) = lost.max_by_key(|found| found.link) else { continue };
            track.back = Some(found.link);
            latest = latest.into_iter().chain([(*rule, found)]).max_by_key(|(_, found)| found.start);
        }
        let (id, found) = latest?;
        let is_of_path = self.plan.rule(id)?.fault.is_of_path();
        let rule = self.rule(id);
        Some(match found.restored {
            _ if found.for_good => format!(" after {}; {rule}", span(now.since(found.start))),
            Some(restored) if is_of_path => {
                format!(", {} after the path was restored; {rule}", span(now.since(restored)))
            }
            Some(restored) => format!(", {} after {rule} was over", span(now.since(restored))),
            None => format!("; {rule}"),
        })
    }
}

impl<'a> Shown<'a> {
    fn of(what: &'a What, sessions: &Sessions) -> Option<Shown<'a>> {
        let (link, side, alert) = match what {
            What::LegEnded { link, side, error, .. } => (*link, *side, error.as_deref()),
            What::Packet { link, direction, packet: Packet::Disconnect { .. }, .. } => {
                (*link, direction.from(), None)
            }
            What::Wire { news: WireNews::Ended { link, side, .. } } => (*link, *side, None),
            What::LinkIdentified { device, .. } => {
                return Some(Shown { device: *device, end: None, alert: None });
            }
            _ => return None,
        };
        let device = sessions.device_of(link)?.id;
        Some(Shown { device, end: Some((link, side)), alert })
    }

    /// What it shows of an end of a link that a fault has struck: `after 2.0 s (FIN)`. What a device answers when it was told is
    /// none, where its next connect is.
    fn sign(&self, found: &SoFar, side: Side) -> Option<String> {
        let noticed = found.noticed.get(side);
        let showed = noticed.sign?.showed;
        let is_its = match (self.end, showed) {
            (None, Showed::Connect) => true,
            (Some(end), Showed::Ended(_) | Showed::Disconnect(_)) => {
                end == (found.link, side) && !(found.for_good && noticed.told.is_some())
            }
            (None, Showed::Ended(_) | Showed::Disconnect(_)) | (Some(_), Showed::Connect) => false,
        };
        let how = match showed {
            Showed::Ended(how) => how_words(how, self.alert),
            Showed::Disconnect(_) => "DISCONNECT".into(),
            Showed::Connect => "connects".into(),
        };
        let when = match noticed.detection? {
            Value::Exact(after) => format!("after {}", span(after)),
            Value::Between { before, .. } => format!("by {} at the latest", span(before)),
            Value::Never { .. } | Value::Count(_) | Value::CountBetween { .. } => return None,
        };
        is_its.then(|| format!("{when} ({how})"))
    }
}

/// How an end ended its leg, a TLS alert by its name.
pub(super) fn how_words(how: Ending, error: Option<&str>) -> String {
    match (how, error) {
        (Ending::Alert, Some(alert)) => format!("alert {}", printable(alert)),
        (Ending::Alert, None) | (Ending::Fin | Ending::Unnotified | Ending::Reset | Ending::WsClose, _) => {
            how.word().into()
        }
    }
}

fn of_device(device: DeviceId) -> RangeInclusive<(DeviceId, RuleId)> {
    (device, RuleId(0))..=(device, RuleId(u16::MAX))
}
