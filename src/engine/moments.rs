//! One-shots that wait on their link for their moment, and are told of once they have come about: a TLS record to be
//! damaged, a packet to be put between two others, a FIN behind what was said before.
//!
//! ```text
//!   the rule fires ──▶ window, and an order for each link ──▶ confirmed: told, and the link is let go
//!                                                         └─▶ refused, or the link is gone: let go
//!                                                             the window closes when it waits for no link
//! ```

use super::firing::Window;
use super::io::Order;
use super::machine::Engine;
use crate::base::{DeviceId, Ends, FiringId, LinkId, RuleId, Side, WindowId};
use crate::event::What;
use crate::fault::{Fault, Fidelity, HalfClose, Harm, Inject, Mechanism, RecordFault, TlsRecord};
use crate::profile::Rule;
use crate::tls::Damage;
use std::sync::Arc;

/// What is to happen on a link when the moment for it comes. Bytes go on until then, so that its link is not cut.
#[derive(Clone, Debug)]
enum Moment {
    Harm(Side, Damage),
    HalfClose(Side),
    Inject(Arc<Inject>),
}

/// A one-shot on a link whose device is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnknownMoment {
    firing: FiringId,
    rule: RuleId,
    toward: Side,
    mechanism: Mechanism,
}

impl Engine {
    /// The window waits for each of these links, or for its end.
    pub(super) fn order_moments(&mut self, id: WindowId, fault: &Fault, links: &[LinkId]) {
        let Some(moment) = Moment::of(fault) else { return };
        if let Some(window) = self.windows.get_mut(&id) {
            window.in_force.extend(links);
            window.ending = true;
        }
        for link in links {
            if let Some(order) = moment.order(Some(id)) {
                self.order(*link, order);
            }
        }
    }

    /// Links whose device is not known, where the rule asks for nothing that only CONNECT can tell. A packet has no place
    /// before CONNECT.
    pub(super) fn order_moments_unknown(
        &mut self,
        firing: FiringId,
        rule_id: RuleId,
        rule: &Rule,
        device: Option<DeviceId>,
    ) {
        let Some(moment) = Moment::of(&rule.fault) else { return };
        let (toward, mechanism) = (moment.toward(), moment.mechanism());
        for link in self.unknown_hit(rule, device) {
            let Some(order) = moment.order(None) else { return };
            if let Some(control) = self.links.get_mut(&link) {
                control.seldom().moments.push_back(UnknownMoment {
                    firing,
                    rule: rule_id,
                    toward,
                    mechanism,
                });
                self.order(link, order);
            }
        }
    }

    /// A record was damaged and sent.
    pub(super) fn harmed(&mut self, link: LinkId, window: Option<WindowId>, toward: Side) {
        self.came_about(link, window, toward, Mechanism::Record);
    }

    /// A packet of brownout's own was sent.
    pub(super) fn injected(&mut self, link: LinkId, window: WindowId, toward: Side) {
        self.came_about(link, Some(window), toward, Mechanism::Injected);
    }

    /// An end was told FIN. Not `done`: it had been before, so that nothing came of the fault.
    pub(super) fn half_closed(&mut self, link: LinkId, window: Option<WindowId>, toward: Side, done: bool) {
        if done {
            return self.came_about(link, window, toward, Mechanism::HalfShut);
        }
        match window {
            Some(window) => self.lift(window, link),
            None => drop(self.take_unknown(link, toward, Mechanism::HalfShut)),
        }
    }

    fn came_about(&mut self, link: LinkId, window: Option<WindowId>, toward: Side, mechanism: Mechanism) {
        let Some(window) = window.or_else(|| self.late_window(link, toward, mechanism)) else { return };
        if !self.windows.get(&window).is_some_and(|of| of.in_force.contains(&link)) {
            return;
        }
        let mut means = Ends::default();
        *means.get_mut(toward) = Some(mechanism);
        self.emit(What::FaultApplied { window, link, fidelity: fidelity(mechanism), means });
        self.lift(window, link);
    }

    /// The window of a one-shot that was ordered when nobody knew whose the link was. A record that it fell on may have
    /// been the CONNECT; if it came before that, the address has to do.
    fn late_window(&mut self, link: LinkId, toward: Side, mechanism: Mechanism) -> Option<WindowId> {
        let UnknownMoment { firing, rule, .. } = self.take_unknown(link, toward, mechanism)?;
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

    fn take_unknown(&mut self, link: LinkId, toward: Side, mechanism: Mechanism) -> Option<UnknownMoment> {
        let moments = &mut self.links.get_mut(&link)?.seldom.as_mut()?.moments;
        let place = moments.iter().position(|it| it.toward == toward && it.mechanism == mechanism)?;
        moments.remove(place)
    }
}

impl Moment {
    fn of(fault: &Fault) -> Option<Moment> {
        match fault {
            Fault::TlsRecord(TlsRecord { toward, what: RecordFault::Damaged(damage) }) => {
                Some(Moment::Harm(*toward, *damage))
            }
            Fault::HalfClose(HalfClose { toward }) => Some(Moment::HalfClose(*toward)),
            Fault::Inject(inject) => Some(Moment::Inject(Arc::new(inject.clone()))),
            Fault::TlsRecord(TlsRecord { what: RecordFault::Truncated, .. })
            | Fault::TlsAlert(_)
            | Fault::TlsHandshake(_)
            | Fault::Rst(_)
            | Fault::Fin(_)
            | Fault::Blackhole(_)
            | Fault::Stall(_)
            | Fault::Latency(_)
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
            | Fault::Packets(_) => None,
        }
    }

    /// The order for one link; `None` where it cannot be given for one whose device is not known.
    fn order(&self, window: Option<WindowId>) -> Option<Order> {
        match self {
            Moment::Harm(toward, damage) => {
                Some(Order::Harm(Harm { window, toward: *toward, damage: *damage }))
            }
            Moment::HalfClose(toward) => Some(Order::HalfClose { window, toward: *toward }),
            Moment::Inject(inject) => {
                window.map(|window| Order::Inject { window, inject: Arc::clone(inject) })
            }
        }
    }

    /// Who gets it.
    fn toward(&self) -> Side {
        match self {
            Moment::Harm(toward, _) | Moment::HalfClose(toward) => *toward,
            Moment::Inject(inject) => inject.toward,
        }
    }

    fn mechanism(&self) -> Mechanism {
        match self {
            Moment::Harm(..) => Mechanism::Record,
            Moment::HalfClose(_) => Mechanism::HalfShut,
            Moment::Inject(_) => Mechanism::Injected,
        }
    }
}

/// A FIN is TCP's own; a record or a packet is part of a stream that TCP carries as ever.
fn fidelity(mechanism: Mechanism) -> Fidelity {
    if mechanism == Mechanism::HalfShut { Fidelity::Packet } else { Fidelity::Stream }
}
