//! Faults in sentences, and what there is to know about how they are made.

use super::links;
use super::packets;
use super::tls;
use super::words::{self, Words, both_ways, fate, toward};
use crate::fault::{
    Blackhole, Close, Connects, Delay, Fault, FidelityWanted, Latency, Stall, Toward, WaysWanted,
};
use crate::profile::plan::{Plan, Rule};
use crate::profile::read::{can_select, can_vanish};

/// What a fault does, as a sentence without its full stop.
pub(super) fn fault(fault: &Fault, words: Words) -> String {
    match fault {
        Fault::Blackhole(Blackhole { direction: WaysWanted::Both, toward: legs, hold, .. }) => {
            format!("the path goes dark {} for {}", toward(*legs), words.span(*hold))
        }
        Fault::Blackhole(Blackhole { direction, hold, .. }) => {
            format!("the path goes dark {} alone for {}", both_ways(*direction), words.span(*hold))
        }
        Fault::Rst(close) => ended("reset (RST)", *close),
        Fault::Fin(close) => ended("closed (FIN)", *close),
        Fault::HalfClose(half) => links::half_close(*half),
        Fault::Refuse(refuse) => format!("connects are refused for {}", words.span(refuse.hold)),
        Fault::Stall(Stall { direction, hold }) => {
            format!("bytes {} stop for {}", both_ways(*direction), words.span(*hold))
        }
        Fault::Latency(Latency { direction, delay, hold }) => {
            let (later, hold) = (later(*delay, words), words.hold(*hold));
            format!("bytes {} come later by {later}, {hold}", both_ways(*direction))
        }
        Fault::Bandwidth(bandwidth) => links::bandwidth(bandwidth, words),
        Fault::Loss(loss) => links::loss(loss, words),
        Fault::Slice(slice) => links::slice(slice, words),
        Fault::CutAfter(cut) => links::cut_after(cut, words),
        Fault::IdleTimeout(idle) => links::idle_timeout(idle, words),
        Fault::TlsHandshake(handshake) => words::handshake(handshake, words),
        Fault::TlsAlert(alert) => words::alert(alert),
        Fault::TlsRecord(record) => words::record(record),
        Fault::TokenExpiry(token) => links::token_expiry(token, words),
        Fault::Takeover(takeover) => links::takeover(takeover, words),
        Fault::Reject(reject) => links::reject(reject, words),
        Fault::Disconnect(disconnect) => links::disconnect(*disconnect),
        Fault::Inject(inject) => packets::inject(inject),
        Fault::Packets(fault) => packets::packets(fault, words),
    }
}

/// `300ms, moved by up to 50ms either way`
pub(super) fn later(Delay { model, jitter }: Delay, words: Words) -> String {
    let jitter = if jitter.is_zero() {
        String::new()
    } else {
        format!(", moved by up to {} either way", words.time(jitter))
    };
    format!("{}{jitter}", words.delay(&model))
}

/// `both legs are reset (RST), without DISCONNECT`
pub(super) fn ended(how: &str, close: Close) -> String {
    let rest = match close.toward {
        Toward::Both => return format!("both legs are {how}, without DISCONNECT"),
        Toward::Device => "the hub's leg",
        Toward::Hub => "the device's leg",
    };
    let leg = if close.toward == Toward::Device { "the device's leg" } else { "the hub's leg" };
    format!("{leg} is {how}, without DISCONNECT; {rest} {}", fate(close.other))
}

/// What becomes of connects, and how true the fault will be.
pub(super) fn more(rule: &Rule, plan: &Plan) -> Vec<String> {
    match &rule.fault {
        Fault::Blackhole(blackhole) => {
            let one_way = one_way(blackhole).map(str::to_owned);
            [connects(rule, blackhole), fidelity(blackhole.fidelity)].into_iter().chain(one_way).collect()
        }
        Fault::Stall(_) => {
            vec!["Made as stall: TCP acknowledges until its windows are full; no byte is lost.".into()]
        }
        Fault::Latency(_) => {
            vec!["Made as stream: bytes that came are held back; TCP itself is sound.".into()]
        }
        Fault::Fin(close) => tls::close(close, plan),
        Fault::TlsHandshake(handshake) => tls::handshake(handshake),
        Fault::TlsAlert(alert) => vec![tls::alert(alert.alert).into()],
        Fault::TlsRecord(record) => vec![tls::record(record)],
        Fault::Rst(_) => Vec::new(),
        Fault::Inject(inject) => packets::more_inject(inject),
        Fault::Packets(fault) => packets::more(fault),
        Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Loss(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_) => links::more(rule),
    }
}

fn connects(rule: &Rule, blackhole: &Blackhole) -> String {
    let silence = "TCP is accepted, and CONNECT is met with silence until it is over";
    match blackhole.connects {
        Connects::Allow => "Connects meanwhile pass; only links that are up when it begins go dark.".into(),
        Connects::Silence => format!("Connects meanwhile: {silence}."),
        Connects::Vanish if can_vanish(rule) => {
            format!(
                "Connects meanwhile vanish: their SYNs are dropped. Where the kernel refuses that, {silence}."
            )
        }
        Connects::Vanish if can_select(rule) => format!(
            "Connects meanwhile vanish where every device seen at their source address is in the dark: the SYNs are \
             dropped (needs CAP_NET_ADMIN). Of the others, {silence}."
        ),
        Connects::Vanish => {
            format!("Connects meanwhile cannot vanish, since a SYN does not say whose it is: {silence}.")
        }
    }
}

/// What a packet blackhole of one way is made of, and what it lacks.
fn one_way(blackhole: &Blackhole) -> Option<&'static str> {
    if blackhole.fidelity != FidelityWanted::Packet {
        return None;
    }
    match blackhole.direction {
        WaysWanted::Both => None,
        WaysWanted::Up => Some(
            "One way: what the device sends is dropped on its leg; what the hub sends still reaches it, as far as TCP sends on \
             without acknowledgements. The hub hears nothing, but its own TCP is acknowledged by brownout, which no filter can \
             keep from that.",
        ),
        WaysWanted::Down => Some(
            "One way: what the hub sends is dropped on its leg; what the device sends still reaches it, as far as TCP sends on \
             without acknowledgements. The device hears nothing, but its own TCP is acknowledged by brownout, which no filter \
             can keep from that: one that relies on TCP time-outs does not notice.",
        ),
    }
}

fn fidelity(wanted: FidelityWanted) -> String {
    match wanted {
        FidelityWanted::Auto => "Fidelity auto: made as stall (bytes held, TCP acknowledges until its windows are \
                                 full), since a drop in the kernel hides when each end gives up; with `--tap`, \
                                 which sees what is dropped, as packet."
            .into(),
        FidelityWanted::Packet => "Fidelity packet: what arrives is dropped in the kernel, TCP goes \
                                   unacknowledged; refused, and said so, where the machine does not let it. When \
                                   an end gives up meanwhile is not seen without `--tap`."
            .into(),
        FidelityWanted::Stall => {
            "Fidelity stall: bytes are held, TCP acknowledges until its windows are full.".into()
        }
    }
}
