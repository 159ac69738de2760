//! The faults of TCP on a link: budgets, idle links, one end told FIN, whoever sends reset, and the other client.

use super::{FIN_LINGER, Link};
use crate::base::{Chance, Direction, Ends, Side, Time, WindowId};
use crate::engine::{Granted, Input};
use crate::fault::{Cut, IdleWatch, LegFate};
use crate::net::leg::Answer;
use crate::net::rival::{Kept, Rival, Way};
use crate::net::sys::lossy;
use crate::net::tls::{HubTls, TlsError};
use std::sync::Arc;
use std::time::Duration;

/// How often to look whether the last bytes before a cut have left this machine, or those to an end that had given up were
/// heard.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What faults of TCP keep on a link.
#[derive(Debug, Default)]
pub(super) struct Tcp {
    pub(super) idle: IdleWatch,
    /// How likely segments are lost, as ordered.
    loss: Ends<Option<Chance>>,
    /// Whoever sends something is reset, for this window.
    pub(super) reset_senders: Option<WindowId>,
    /// The device's CONNECT, where a rule may need it.
    pub(super) connect: Kept,
    /// When to look again whether the last bytes before a cut have left, or those behind an end were heard.
    look: Option<Time>,
}

impl Tcp {
    /// For a new link.
    pub(super) fn new(keeps_connect: bool) -> Tcp {
        Tcp { connect: if keeps_connect { Kept::Begun(Vec::new()) } else { Kept::No }, ..Tcp::default() }
    }

    /// Something came.
    pub(super) fn came(&mut self, now: Time, direction: Direction, bytes: &[u8]) {
        self.idle.passed(now);
        if direction == Direction::Up {
            self.connect.push(bytes);
        }
    }

    /// Looks again soon.
    pub(super) fn look_again(&mut self, now: Time) {
        self.look_by(now + LOOK_AGAIN);
    }

    /// Looks again by then.
    pub(super) fn look_by(&mut self, at: Time) {
        self.look = Some(self.look.map_or(at, |look| look.min(at)));
    }

    /// When to look at the link again.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.idle.deadline().into_iter().chain(self.look).min()
    }
}

impl Link {
    /// Asks the kernel to drop all or some of what comes at each leg.
    pub(super) fn drop_ingress(&mut self, mute: Ends<bool>, loss: Ends<Option<Chance>>) -> Granted {
        self.tcp.loss = loss;
        let mut granted = Granted::default();
        for side in Side::BOTH {
            let leg = self.legs.get_mut(side);
            let asked = *loss.get(side);
            if *mute.get(side) || asked.is_some() {
                self.core.watch(self.id, side, leg.stream());
            }
            *granted.mute.get_mut(side) = leg.mute(*mute.get(side));
            *granted.loss.get_mut(side) = if leg.is_open() { leg.lose(asked) } else { for_later(asked) };
            let is_deaf = |answer: &Answer| matches!(answer, Some(Ok(_)));
            if !is_deaf(granted.mute.get(side)) && !is_deaf(granted.loss.get(side)) {
                self.core.unwatch(self.id, side);
            }
        }
        // Before the change is confirmed: it is of the faults that held until now.
        self.tell_dropped();
        granted
    }

    /// Tells what the kernel has dropped so far, for the faults in force.
    pub(super) fn tell_dropped(&mut self) {
        for side in Side::BOTH {
            if let Some(what) = self.legs.get_mut(side).take_dropped() {
                self.core.tell(Input::Dropped { link: self.id, side, what });
            }
        }
    }

    /// What was ordered before the hub's leg was there holds for it now.
    pub(super) fn drop_of_hub(&mut self) {
        // Where it is not granted, that was told when it was ordered.
        if self.tcp.loss.hub.is_some() {
            self.core.watch(self.id, Side::Hub, self.legs.hub.stream());
        }
        let _ = self.legs.hub.lose(self.tcp.loss.hub);
    }

    /// The bytes that a budget lets pass have passed: the link ends as it says, once they have left this machine, which
    /// RST would keep them from.
    pub(super) fn spend(&mut self, direction: Direction) -> bool {
        let pump = self.pumps.get_mut(direction);
        let Some((budget, since)) = pump.allowance.spent() else { return false };
        let now = self.core.clock().now();
        if self.legs.get(direction.to()).unsent() > 0 && now < since + FIN_LINGER {
            self.tcp.look_again(now);
            return false;
        }
        self.cut(Cut { window: Some(budget.window), legs: budget.legs });
        true
    }

    /// Looks at what the time has brought: tells the engine of a link that is idle.
    pub(super) fn see_idle(&mut self) {
        if self.tcp.deadline().is_none() {
            return;
        }
        let now = self.now();
        self.tcp.look = self.tcp.look.filter(|at| *at > now);
        // A link that a fault has cut passes nothing for good.
        let is_cut = self.legs.device.severed || self.legs.hub.severed;
        if self.tcp.idle.is_due(now) && !is_cut {
            self.core.tell(Input::Idle { link: self.id });
            self.obey();
        }
    }

    /// An end has sent something on a link that is forgotten: it is reset, and the other hears nothing until it sends
    /// too. True if that is so.
    pub(super) fn is_forgotten_by(&mut self, side: Side) -> bool {
        let Some(window) = self.tcp.reset_senders.take() else { return false };
        let mut legs = Ends { device: LegFate::ResetWhenSends, hub: LegFate::ResetWhenSends };
        *legs.get_mut(side) = LegFate::Reset;
        self.cut(Cut { window: Some(window), legs });
        true
    }

    /// Tells an end FIN, behind what it was given already; what it says goes on.
    pub(super) fn half_close(&mut self, window: Option<WindowId>, toward: Side) {
        let leg = self.legs.get_mut(toward);
        let done = leg.can_hear();
        if done {
            leg.shut(true);
            let pump = self.pumps.get_mut(toward.other().sends());
            pump.deaf = true;
            pump.discard();
        }
        self.core.tell(Input::HalfClosed { link: self.id, window, toward, done });
        if done {
            self.fin_said(toward);
        }
    }
}

impl Link {
    /// Sends another client to the hub with this link's CONNECT.
    pub(super) fn send_rival(&self, window: WindowId, until: Time, again: Option<Duration>) {
        let core = Arc::clone(&self.core);
        Rival { core, link: self.id, window, until, again, way: self.way_of_rival() }.send();
    }

    fn way_of_rival(&self) -> Result<Way, String> {
        let connect = match &self.tcp.connect {
            Kept::Whole(connect) => Arc::clone(connect),
            Kept::Never(why) => return Err((*why).to_owned()),
            Kept::No | Kept::Begun(_) => return Err("the link's CONNECT has not come".to_owned()),
        };
        let terms = |tls: &HubTls| {
            let alpn: Vec<Vec<u8>> = self.hub_alpn.iter().map(|alpn| alpn.as_bytes().to_vec()).collect();
            let device = self.device_name.as_deref().filter(|_| self.terms.by_device);
            Ok((tls.config(&alpn, device)?, self.name_for(tls)?))
        };
        let tls = self.terms.hub.as_ref().map(terms).transpose();
        let course = self.course.as_deref().copied();
        let tls = tls.map_err(|error: TlsError| error.to_string())?;
        Ok(Way { upstream: self.upstream(), course, tls, connect })
    }
}

/// What the kernel will say when there is a leg.
fn for_later(loss: Option<Chance>) -> Answer {
    let chance = loss?;
    Some(
        lossy::probe(chance)
            .map(|()| crate::fault::Mechanism::RandomFilter)
            .map_err(|error| error.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_look_at_several_times_looks_at_the_first() {
        let mut tcp = Tcp::default();
        for (at, first) in [(7, 7), (9, 7), (5, 5)] {
            tcp.look_by(Time::from_millis(at));
            assert_eq!(tcp.deadline(), Some(Time::from_millis(first)));
        }
    }
}
