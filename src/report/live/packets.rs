//! Links that a fault ends or refuses, packets that it works on, and the other client of a takeover: each told once, as far
//! as the budget allows.

use super::Live;
use super::budget::Kind;
use crate::base::text::printable;
use crate::base::{LinkId, RuleId, Side, WindowId};
use crate::event::{Packet, RivalNews};
use crate::fault::{Alteration, Fault, LegFate};
use crate::measure::Measures;
use crate::report::words::count;

impl Live {
    /// A fault ended this leg, or left it with nothing behind it.
    pub(super) fn cut(
        &mut self,
        link: LinkId,
        side: Side,
        fate: LegFate,
        window: Option<WindowId>,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        // What its ends make of that is a sign, or no news.
        self.ended.insert(link);
        let (rule, name) = self.of_window(window?, measures)?;
        let fault = &self.plan.rule(rule)?.fault;
        let id = self.rule(rule);
        let told = match (side, fault, fate) {
            (Side::Device, Fault::TokenExpiry(_), LegFate::Rejected(_)) => {
                (Kind::Refused, format!("{name}: its token has expired, CONNECT refused; {id}"))
            }
            (Side::Device, Fault::TokenExpiry(_), _) => {
                (Kind::Ended, format!("{name}: token expired, link closed; {id}"))
            }
            (Side::Device, Fault::Refuse(_), _) => (Kind::Refused, format!("{name}: connect refused; {id}")),
            (Side::Device, _, LegFate::Rejected(code)) => {
                let codes = format!("{} or {:#04x}", code.return_code, code.reason_code);
                (Kind::Refused, format!("{name}: CONNECT rejected (code {codes}); {id}"))
            }
            (Side::Device | Side::Hub, _, _) => return None,
        };
        // Whom it kept out, it has met: the end of the fault is worth a line.
        let (firing, _) = *self.windows.get(&window?)?;
        if let Some(firing) = self.firings.get_mut(&firing) {
            firing.refused += u64::from(told.0 == Kind::Refused);
        }
        Some(told)
    }

    /// Something was done to a packet: the first of each firing is told, the others are counted.
    pub(super) fn altered(
        &mut self,
        window: Option<WindowId>,
        what: &Alteration,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let (rule, name) = self.of_window(window?, measures)?;
        let (firing, _) = *self.windows.get(&window?)?;
        let firing = self.firings.get_mut(&firing)?;
        firing.altered += 1;
        let is_first = firing.altered == 1;
        is_first.then(|| (Kind::Altered, format!("{name}: a packet {what}; {}", self.rule(rule))))
    }

    /// Something of the other client that a takeover sends.
    pub(super) fn rival(
        &self,
        window: WindowId,
        news: &RivalNews,
        measures: &Measures,
    ) -> Option<(Kind, String)> {
        let (rule, name) = self.of_window(window, measures)?;
        let id = self.rule(rule);
        match news {
            RivalNews::Accepted => {
                Some((Kind::Ended, format!("{name}: the hub accepted another client with its name; {id}")))
            }
            RivalNews::Refused { code } => Some((
                Kind::Trouble,
                format!("{id}: the hub refused the other client of {name} with code {code}"),
            )),
            RivalNews::Failed { error } => {
                Some((Kind::Trouble, format!("{id}: no other client for {name}: {}", printable(error))))
            }
            RivalNews::Ended { .. } | RivalNews::Left => None,
        }
    }

    fn of_window(&self, window: WindowId, measures: &Measures) -> Option<(RuleId, String)> {
        let (firing, device) = self.windows.get(&window)?;
        let name = printable(&measures.sessions().device(*device)?.name);
        Some((self.firings.get(firing)?.rule, name))
    }
}

/// What a firing did beside links, for the line of its end: `it refused 4 connects`.
pub(super) fn done(refused: u64, altered: u64) -> Option<String> {
    match (refused, altered) {
        (0, 0) => None,
        (0, packets) => Some(format!("it worked on {}", count(packets, "packet"))),
        (connects, _) => Some(format!("it refused {}", count(connects, "connect"))),
    }
}

/// The code of a CONNACK as it reaches the device; `None` for one that does not.
pub(super) fn code_passed(packet: &Packet, dropped: bool, passed: Option<&Packet>) -> Option<u8> {
    match packet.passed_on(dropped, passed)? {
        Packet::Connack { code, .. } => Some(*code),
        _ => None,
    }
}
