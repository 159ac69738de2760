//! Links as they are lost and come back: who gave one up, and who is connected again.

use super::budget::Kind;
use super::{Live, Watch, span};
use crate::base::text::printable;
use crate::base::{DeviceId, LinkId, Side, Time};
use crate::report::words::whole_seconds;
use crate::session::Link;

impl Live {
    /// An end gave a link up.
    pub(super) fn sign(&mut self, now: Time, link: LinkId, side: Side, how: &str) -> Option<(Kind, String)> {
        let name = printable(&self.sessions.device_of(link)?.name);
        let accepted = matches!(self.sessions.link(link)?.connack, Some((_, 0)));
        let Some(watch) = self.watch_of(link).filter(|watch| watch.link == link && !watch.went_on.get(side))
        else {
            // Attempts that fail are the report's to count, and the other end's answer is no news.
            let ended = || format!("{name}: the {} ended the link ({how})", side.word());
            let is_news = accepted && self.ended.insert(link);
            return is_news.then(|| (Kind::Ended, ended()));
        };
        let first = !watch.told.get(side)
            && match side {
                Side::Device => !watch.noticed,
                Side::Hub => !std::mem::replace(&mut watch.hub_noticed, true),
            };
        if !first {
            return None;
        }
        let (when, rule) = (watch.when(side, now), watch.rule);
        let (kind, who) = match side {
            Side::Device => (Kind::Noticed, format!("{name} noticed")),
            Side::Hub => (Kind::GivenUp, format!("hub gave {name} up")),
        };
        if side == Side::Device {
            self.noticed(link);
        }
        Some((kind, format!("{who} {when} ({how}); {}", self.rule(rule))))
    }

    /// The device of this link has noticed.
    fn noticed(&mut self, link: LinkId) {
        let Some(watch) = self.watch_of(link) else { return };
        watch.noticed = true;
        let (firing, is_news) = (watch.firing, !std::mem::replace(&mut watch.counted, true));
        if let Some(firing) = self.firings.get_mut(&firing) {
            firing.noticed += usize::from(is_news);
        }
    }

    /// A device opened another link.
    pub(super) fn connected(&mut self, now: Time, link: LinkId, device: DeviceId) -> Option<(Kind, String)> {
        let watch = self.watches.get(&device).filter(|watch| watch.link != link && !watch.noticed)?;
        // It had noticed by its connect, however long its CONNECT took to say whose that was.
        let opened = self.sessions.link(link).map_or(now, |link| link.opened.max(watch.start));
        let (when, rule) = (watch.when(Side::Device, opened), watch.rule);
        let one_shot = self.plan.rule(rule).is_some_and(|rule| rule.fault.is_one_shot());
        if watch.back
            || watch.went_on.device
            || watch.cut_by_another
            || (watch.told.device && !watch.cut && !one_shot)
        {
            return None;
        }
        self.noticed(link);
        let name = printable(&self.sessions.device(device)?.name);
        Some((Kind::Noticed, format!("{name} noticed {when} (connects); {}", self.rule(rule))))
    }

    /// The hub's answer to a CONNECT has reached the device.
    pub(super) fn answered(&mut self, now: Time, link: LinkId, code: u8) -> Option<(Kind, String)> {
        // What a fault let through only when the device had gone reached nobody.
        if self.sessions.link(link).is_some_and(|link| link.ended.device) {
            return None;
        }
        let device = self.sessions.device_of(link)?;
        let (id, name) = (device.id, printable(&device.name));
        if code != 0 {
            return Some((Kind::Refused, format!("{name} refused with code {code}")));
        }
        let keep_alive = device.keep_alive.filter(|keep_alive| !keep_alive.is_zero());
        let unnamed = if device.unnamed { " without a client identifier" } else { "" };
        let (is_first, is_named) = (device.accepted == 1, device.version.is_some());
        let is_up = |other: &LinkId| *other != link && self.sessions.link(*other).is_some_and(Link::is_up);
        if !is_named && device.links.iter().any(is_up) {
            self.crowds.insert(id);
        }
        let met = self.back_from_handshakes(now, id);
        if is_first {
            let none = if is_named { "no keep-alive" } else { "TLS passed through" };
            let keep_alive =
                keep_alive.map_or(none.into(), |k| format!("keep-alive {}", whole_seconds(k.as_secs_f64())));
            return Some((Kind::Connected, format!("{name} connected{unnamed}, {keep_alive}")));
        }
        // Which of the devices at an address this is, nobody knows, nor whether it had been away.
        if self.crowds.contains(&id) {
            return Some((Kind::Connected, format!("{name} connected on one more link")));
        }
        // The hub may still believe in the lost link.
        let watch = self
            .watches
            .get_mut(&id)
            .filter(|watch| watch.link != link && !watch.back && !watch.went_on.device);
        let lost = watch.map(|watch| {
            watch.back = true;
            (watch.restored, watch.rule)
        });
        let after = |restored| format!(", {} after the path was restored", span(now.since(restored)));
        let how = lost.map(|(restored, rule)| {
            format!("{}; {}", restored.map(after).unwrap_or_default(), self.rule(rule))
        });
        Some((Kind::Back, format!("{name} is back{}", met.or(how).unwrap_or_default())))
    }

    pub(super) fn watch_of(&mut self, link: LinkId) -> Option<&mut Watch> {
        let device = self.sessions.device_of(link)?.id;
        self.watches.get_mut(&device)
    }
}
