//! A link that ends amid a packet: the bytes before the cut are written first.

use super::{FIN_LINGER, Link};
use crate::base::{Direction, Side, Time, WindowId};
use crate::engine::Input;
use crate::fault::{Alteration, Cut, LegFate};
use crate::net::surgery::Under;
use std::time::Duration;

/// A cut that waits until the bytes before it have been written.
#[derive(Debug)]
pub(super) struct Severing {
    direction: Direction,
    /// Not before.
    pub at: Time,
    cut: Cut,
    /// The number of the packet's event.
    seq: u64,
    after_bytes: u32,
    /// What else was done to the packet's bytes.
    done: Vec<(Option<WindowId>, Alteration)>,
    /// Since when all has been written but what the kernel has not sent.
    written: Option<Time>,
}

impl Link {
    /// As many bytes of a packet as the verdict says are on their way; the link ends behind them.
    pub(super) fn sever(&mut self, now: Time, direction: Direction, after: u64) {
        let Some(theatre) = &mut self.pumps.get_mut(direction).theatre else { return };
        let Under { note, done, cut, .. } = std::mem::take(&mut theatre.under);
        let (Some((window, cut)), Some(ticket)) = (cut, note.ticket) else { return };
        let late = done.iter().map(|(_, what)| match what {
            Alteration::Delayed { by_ns } => Duration::from_nanos(*by_ns),
            Alteration::Dropped { .. }
            | Alteration::Duplicated { .. }
            | Alteration::Edited { .. }
            | Alteration::Corrupted { .. }
            | Alteration::CutShort { .. } => Duration::ZERO,
        });
        let at = now + late.sum();
        let legs = cut.legs();
        let after_bytes = u32::try_from(after).unwrap_or(u32::MAX);
        // Where packets are cut in both directions at once, the first one ends the link.
        self.severing.get_or_insert_with(|| {
            Box::new(Severing {
                direction,
                at,
                cut: Cut { window, legs },
                seq: ticket.seq,
                after_bytes,
                done,
                written: None,
            })
        });
    }

    /// Ends the link where a packet was cut short, once the bytes before have been written.
    pub(super) fn sever_due(&mut self) -> bool {
        let now = self.now();
        let is_dialled = self.is_dialled();
        let Some(severing) = &mut self.severing else { return false };
        let to = severing.direction.to();
        let leg = self.legs.get(to);
        let coming = to == Side::Hub && !is_dialled;
        let pump = self.pumps.get(severing.direction);
        // To an end that a fault has told FIN nothing is written any more.
        let gone = !coming && (!leg.is_open() || leg.broken || pump.deaf);
        let waits = !pump.lane.is_empty() || leg.is_flushing();
        if severing.at > now || (waits && !gone) {
            return false;
        }
        // RST would throw away what the kernel has not sent.
        let written = *severing.written.get_or_insert(now);
        let is_reset = severing.cut.on(to) == LegFate::Reset;
        if !gone && is_reset && leg.unsent() > 0 && now < written + FIN_LINGER {
            self.tcp.look_again(now);
            return false;
        }
        let Some(severing) = self.severing.take() else { return false };
        let Severing { direction, cut, seq, after_bytes, done, .. } = *severing;
        if gone {
            let error = "the end that was to get the bytes before the cut had gone".to_owned();
            self.core.tell(Input::NotAltered { link: self.id, window: cut.window, seq: None, error });
        } else {
            for (window, what) in done {
                self.altered(direction, seq, window, what);
            }
            self.altered(direction, seq, cut.window, Alteration::CutShort { after_bytes });
        }
        self.cut(cut);
        true
    }
}
