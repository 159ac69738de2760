//! What was measured of an outage: what each end noticed by itself, and when the device was back.

use crate::base::Side;
use crate::fault::Fidelity;
use crate::measure::{Outcome, Showed, Value, WindowResults};
use std::time::Duration;

/// What was seen of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It came about: exactly then, or somewhere in a bracket.
    At(Value),
    /// It did not, though it was watched for.
    Never,
    /// Nothing speaks to it.
    Unknown,
}

/// What was measured of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// From the outage's start until the device gave its link up by itself. One that is told by the hub's end, passed on to
    /// it when the path is back, has not noticed.
    pub device: Seen,
    /// Where that is a bracket which ends with the device's next connect: from the outage's start until then.
    pub connect: Option<Duration>,
    /// Whether nothing is known of the device but that it did not connect again while the outage held.
    pub no_connect: bool,
    /// From its start until the hub gave the link up by itself.
    pub hub: Seen,
    /// From the path restored until the device was accepted again. Never: it kept its link, or was back before.
    pub recovery: Seen,
}

impl Measured {
    /// What nothing speaks to.
    pub const NOTHING: Measured = Measured {
        device: Seen::Unknown,
        connect: None,
        no_connect: false,
        hub: Seen::Unknown,
        recovery: Seen::Unknown,
    };

    /// Of the window of an outage.
    pub fn of(window: &WindowResults) -> Measured {
        if !matches!(window.outcome, Outcome::Survived | Outcome::Back | Outcome::BackBefore | Outcome::Gone)
        {
            return Measured::NOTHING;
        }
        let device = noticed(window, Side::Device);
        Measured {
            device,
            no_connect: device == Seen::Unknown,
            connect: connect(window),
            hub: noticed(window, Side::Hub),
            recovery: recovery(window),
        }
    }
}

fn noticed(window: &WindowResults, side: Side) -> Seen {
    let noticed = window.noticed.get(side);
    let survived = window.outcome == Outcome::Survived;
    match noticed.detection {
        Some(value @ (Value::Exact(_) | Value::Between { .. })) => Seen::At(value),
        // An end that goes on with its link afterwards has not given it up, whatever was hidden meanwhile.
        _ if survived => Seen::Never,
        Some(value) if value.is_never() => Seen::Never,
        // One that had to be told has not, unless it could have shown so and nobody seen it.
        None if noticed.told.is_some() && !window.fidelities.contains(&Fidelity::Packet) => Seen::Never,
        Some(Value::Never { .. } | Value::Count(_) | Value::CountBetween { .. }) | None => Seen::Unknown,
    }
}

fn connect(window: &WindowResults) -> Option<Duration> {
    let device = window.noticed.device;
    let is_connect = device.sign.is_some_and(|sign| sign.showed == Showed::Connect);
    match device.detection {
        Some(Value::Between { before, .. }) if is_connect => Some(before),
        Some(
            Value::Between { .. }
            | Value::Exact(_)
            | Value::Never { .. }
            | Value::Count(_)
            | Value::CountBetween { .. },
        )
        | None => None,
    }
}

fn recovery(window: &WindowResults) -> Seen {
    match (window.outcome, window.recovery) {
        (Outcome::Survived | Outcome::BackBefore, _) => Seen::Never,
        (_, Some(value @ (Value::Exact(_) | Value::Between { .. }))) => Seen::At(value),
        (_, _) => Seen::Unknown,
    }
}
