//! TLS records to be damaged: ordered when the rule fires, done when the next one comes.

use super::firing::Window;
use super::io::Order;
use super::machine::{Engine, UnknownHarm};
use crate::base::{DeviceId, Ends, FiringId, LinkId, RuleId, Side, WindowId};
use crate::event::What;
use crate::fault::{Fault, Fidelity, Harm, Mechanism, RecordFault, TlsRecord};
use crate::profile::Rule;
use crate::tls::Damage;

impl Engine {
    /// Bytes go on until the record comes, so that its link is not cut. The window waits for it, or for the link's end.
    pub(super) fn order_harms(&mut self, id: WindowId, fault: &Fault, links: &[LinkId]) {
        let Some((toward, damage)) = damage_of(fault) else { return };
        if let Some(window) = self.windows.get_mut(&id) {
            window.in_force.extend(links);
            window.ending = true;
        }
        for link in links {
            self.order(*link, Order::Harm(Harm { window: Some(id), toward, damage }));
        }
    }

    /// Links whose device is not known, where the rule asks for nothing that only CONNECT can tell.
    pub(super) fn harm_unknown(
        &mut self,
        firing: FiringId,
        rule_id: RuleId,
        rule: &Rule,
        device: Option<DeviceId>,
    ) {
        let Some((toward, damage)) = damage_of(&rule.fault) else { return };
        for link in self.unknown_hit(rule, device) {
            if let Some(control) = self.links.get_mut(&link) {
                control.harms.push_back(UnknownHarm { firing, rule: rule_id, toward });
                self.order(link, Order::Harm(Harm { window: None, toward, damage }));
            }
        }
    }

    /// A record was damaged and sent.
    pub(super) fn harmed(&mut self, link: LinkId, window: Option<WindowId>, toward: Side) {
        let Some(window) = window.or_else(|| self.late_window(link, toward)) else { return };
        let mut means = Ends::default();
        *means.get_mut(toward) = Some(Mechanism::Record);
        self.emit(What::FaultApplied { window, link, fidelity: Fidelity::Stream, means });
        self.lift(window, link);
    }

    /// The window of a harm that was ordered when nobody knew whose the link was. The record that it fell on may have
    /// been the CONNECT; if it came before that, the address has to do.
    fn late_window(&mut self, link: LinkId, toward: Side) -> Option<WindowId> {
        let harms = &mut self.links.get_mut(&link)?.harms;
        let place = harms.iter().position(|harm| harm.toward == toward)?;
        let UnknownHarm { firing, rule, .. } = harms.remove(place)?;
        if self.sessions.device_of(link).is_none() {
            let device = self.by_address(link)?;
            self.identify_by_address(link, device);
        }
        let device = self.sessions.device_of(link)?;
        let keep_alive = device.keep_alive_or(self.plan.default_keep_alive);
        let mut window = Window::new(rule, device.id);
        window.in_force.insert(link);
        window.ending = true;
        Some(self.add_window(window, firing, None, keep_alive))
    }
}

/// Who gets the damaged record, and how it is damaged.
fn damage_of(fault: &Fault) -> Option<(Side, Damage)> {
    match fault {
        Fault::TlsRecord(TlsRecord { toward, what: RecordFault::Damaged(damage) }) => {
            Some((*toward, *damage))
        }
        Fault::TlsRecord(TlsRecord { what: RecordFault::Truncated, .. })
        | Fault::TlsAlert(_)
        | Fault::TlsHandshake(_)
        | Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::Blackhole(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => None,
    }
}
