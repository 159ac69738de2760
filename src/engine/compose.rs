//! Composition: the open windows of a device, added up to the effects on one of its links.
//!
//! Order, tested: windows in the order of their rules, then of their numbers. A direction is closed if any fault
//! closes it; a leg is mute if any fault mutes it; delays stand one after another and add; a handshake meets the
//! first fault alone, a link has the first budget alone, and the shortest time to be idle.

use super::firing::Window;
use super::idle;
use crate::base::{Direction, LinkId, Side, WindowId, rand};
use crate::fault::{Blackhole, Budget, Connects, Effects, Fault, RuleDelay, Shape, WaysWanted};
use crate::session::Device;

/// Adds one window's share to the effects on a link of its device.
pub fn add(
    effects: &mut Effects,
    window: &Window,
    fault: &Fault,
    link: LinkId,
    device: &Device,
    key: LinkKey,
) {
    match fault {
        Fault::Blackhole(blackhole) => {
            darken(effects, blackhole, window.was_up(link), key.mutes);
        }
        Fault::Stall(stall) => {
            for direction in Direction::BOTH {
                *effects.closed.get_mut(direction) |= stall.direction.hits(direction);
            }
        }
        Fault::Latency(latency) => {
            for direction in Direction::BOTH.into_iter().filter(|d| latency.direction.hits(*d)) {
                effects.delays.get_mut(direction).push(RuleDelay {
                    rule: window.rule,
                    delay: latency.delay,
                    seed: key.seed,
                    subject: rand::name_hash(&device.name),
                    link_nth: key.link_nth,
                });
            }
        }
        // A handshake meets one fault: of several rules, the first's.
        Fault::TlsHandshake(handshake) => {
            effects.handshake.get_or_insert(handshake.what);
        }
        Fault::Bandwidth(bandwidth) => {
            shape(effects, bandwidth.direction, Shape::Rate(bandwidth.rate));
        }
        Fault::Slice(slice) => {
            shape(effects, slice.direction, Shape::Slice { size: slice.size, gap: slice.gap });
        }
        Fault::Loss(loss) => {
            for side in Side::BOTH.into_iter().filter(|side| loss.toward.hits(*side)) {
                let lost = effects.loss.get_mut(side);
                *lost = Some(lost.map_or(loss.chance, |before| before.or(loss.chance)));
            }
        }
        Fault::CutAfter(cut) => {
            let legs = cut.close.legs(cut.ending);
            effects.budgets.get_mut(cut.direction).get_or_insert(Budget {
                window: key.window,
                bytes: cut.bytes,
                legs,
            });
        }
        Fault::Packets(packets) => {
            for direction in Direction::BOTH.into_iter().filter(|d| packets.what.direction.hits(*d)) {
                effects.asks.get_mut(direction).add(window.rule, &packets.what);
            }
        }
        Fault::IdleTimeout(idle) => {
            let patience = idle::patience(window, idle);
            effects.idle = Some(effects.idle.map_or(patience, |shortest| shortest.min(patience)));
        }
        Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_) => {}
    }
}

fn shape(effects: &mut Effects, ways: WaysWanted, shape: Shape) {
    for direction in Direction::BOTH.into_iter().filter(|direction| ways.hits(*direction)) {
        effects.shapes.get_mut(direction).push(shape);
    }
}

/// What the draws of a link are keyed with, beside its device and rule.
#[derive(Clone, Copy, Debug)]
pub struct LinkKey {
    /// The seed of the run.
    pub seed: u64,
    /// Its number among the device's links.
    pub link_nth: u32,
    /// The window whose share it is.
    pub window: WindowId,
    /// Whether its fault is to drop ingress in the kernel.
    pub mutes: bool,
}

/// A blackhole closes both directions whichever leg it falls on, unless it is of one way: what one end sends cannot reach
/// the other. Only a link that was up when it began is muted in the kernel; one that came later was accepted, and meets
/// silence, both ways in any case: no handshake would have come about.
fn darken(effects: &mut Effects, blackhole: &Blackhole, was_up: bool, mutes: bool) {
    for direction in Direction::BOTH {
        *effects.closed.get_mut(direction) |= !was_up || blackhole.direction.hits(direction);
    }
    effects.hold_dial = true;
    for side in Side::BOTH {
        *effects.mute.get_mut(side) |= was_up && mutes && blackhole.toward.hits(side);
    }
}

/// Adds what holds on a link whose device is not known yet, while this fault is in force on devices that it may
/// turn out to be.
///
/// `needs_connect`: only the CONNECT can tell; then the hub is not dialled before it, and nothing else happens.
pub fn add_unknown(effects: &mut Effects, fault: &Fault, needs_connect: bool) {
    match fault {
        Fault::Blackhole(blackhole) if blackhole.connects != Connects::Allow => {
            effects.hold_dial = true;
            if !needs_connect {
                effects.closed.up = true;
                effects.closed.down = true;
            }
        }
        // Whoever is refused by name does not reach the hub before that.
        Fault::Refuse(_) | Fault::Reject(_) => effects.hold_dial = true,
        Fault::Blackhole(_)
        | Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::TlsHandshake(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => {}
    }
}
