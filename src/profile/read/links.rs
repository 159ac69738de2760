//! The parameters of faults of TCP connections.

use super::fault::{check_moment, choice, legs, required_span, span};
use super::fields::Fields;
use crate::fault::{Bandwidth, Close, CutAfter, Fault, HalfClose, IdleTimeout, LegFate, Loss, Refuse, Slice};
use crate::profile::problem::Sink;

/// The fault of this name; `None` where it is none of these, or was wrong, and that has been told.
pub(super) fn fault(name: &str, fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<Fault> {
    match name {
        "half_close" => {
            check_moment(name, when, sink);
            Some(Fault::HalfClose(HalfClose { toward: choice(fields, "toward")? }))
        }
        "refuse" => {
            let hold = required_span(fields, when, sink);
            Some(Fault::Refuse(Refuse { how: choice(fields, "how")?, hold: hold? }))
        }
        "bandwidth" => {
            let hold = span(fields, when, sink);
            let (rate, direction) = (fields.rate("rate")?, choice(fields, "direction")?);
            Some(Fault::Bandwidth(Bandwidth { rate, direction, hold: hold? }))
        }
        "loss" => {
            let hold = span(fields, when, sink);
            let (toward, chance) = (choice(fields, "toward")?, fields.chance("chance")?);
            Some(Fault::Loss(Loss { toward, chance, hold: hold? }))
        }
        "slice" => {
            let hold = span(fields, when, sink);
            let (size, gap) = (fields.count("size")?, fields.time("gap")?);
            Some(Fault::Slice(Slice { size, gap, direction: choice(fields, "direction")?, hold: hold? }))
        }
        "cut_after" => cut_after(fields, when, sink).map(Fault::CutAfter),
        "idle_timeout" => {
            let hold = span(fields, when, sink);
            let (after, then) = (fields.span("after")?, choice(fields, "then")?);
            Some(Fault::IdleTimeout(IdleTimeout { after, then, hold: hold? }))
        }
        _ => None,
    }
}

fn cut_after(fields: &Fields, when: Option<&Fields>, sink: &mut Sink) -> Option<CutAfter> {
    let hold = span(fields, when, sink);
    let (ending, close) = ended(fields, "cut_after", sink)?;
    Some(CutAfter {
        bytes: fields.count("bytes")?.into(),
        direction: choice(fields, "direction")?,
        ending,
        close,
        hold: hold?,
    })
}

/// How legs end, and which.
pub(super) fn ended(fields: &Fields, name: &str, sink: &mut Sink) -> Option<(LegFate, Close)> {
    let (toward, other) = legs(fields, name, sink)?;
    Some((choice(fields, "ending")?, Close { toward, other, close_notify: true }))
}
