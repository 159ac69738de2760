//! Which plans can be simulated.

use crate::fault::{Fault, LegFate};
use crate::profile::{Plan, When};

/// Refuses what the simulation does not have: TLS records and handshakes of brownout's own, and work on packets.
///
/// # Errors
/// What of the plan it is, and that it takes a real run.
pub fn check(plan: &Plan) -> Result<(), String> {
    if plan.server_keep_alive.is_some() {
        return Err("a server keep-alive of the plan edits packets: give the hub one".to_owned());
    }
    if plan.fault_messages.is_some() {
        return Err(
            "fault-injection messages are not simulated: they are looked for in a real run".to_owned()
        );
    }
    for rule in &plan.rules {
        if let When::At { repeat: Some(repeat), .. } = &rule.when
            && repeat.every.is_zero()
        {
            return Err(format!("rule `{}` fires again and again in one moment", rule.id));
        }
        if !is_simulated(&rule.fault) {
            let (id, name) = (&rule.id, rule.fault.name());
            return Err(format!("rule `{id}`: `{name}` is not simulated: try it in a real run"));
        }
    }
    Ok(())
}

fn is_simulated(fault: &Fault) -> bool {
    match fault {
        Fault::Blackhole(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::Loss(_)
        | Fault::IdleTimeout(_)
        | Fault::Refuse(_) => true,
        Fault::Rst(close) | Fault::Fin(close) => is_simulated_end(close.other),
        Fault::TlsHandshake(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Bandwidth(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => false,
    }
}

fn is_simulated_end(fate: LegFate) -> bool {
    match fate {
        LegFate::Reset | LegFate::Close | LegFate::HalfOpen | LegFate::ResetWhenSends => true,
        LegFate::Unnotified
        | LegFate::Alert(_)
        | LegFate::Truncated
        | LegFate::Rejected(_)
        | LegFate::Disconnected(_) => false,
    }
}
