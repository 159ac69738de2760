//! Faults in short: one line, as a table or a window's title has it.

use crate::base::span::show_fixed;
use crate::base::{Chance, Direction, Ends, Span};
use crate::fault::{
    Blackhole, Close, Corrupt, Delay, Fault, Forgotten, HandshakeFault, HandshakeStage, Injection, LegFate,
    PacketAction, PacketFault, PacketMatch, RecordFault, Refusal, Slice, Toward, WaysWanted,
};
use crate::profile::codes::{disconnect_word, refusal_word};
use std::time::Duration;

/// A fault: `blackhole toward both for 1.5 keepalive + 10s`.
pub fn fault(fault: &Fault) -> String {
    let name = fault.name();
    match fault {
        Fault::Blackhole(Blackhole { direction: WaysWanted::Both, toward, hold, .. }) => {
            format!("{name} toward {} for {hold}", toward_words(*toward))
        }
        Fault::Blackhole(Blackhole { direction, hold, .. }) => {
            format!("{name} {} alone for {hold}", ways(*direction))
        }
        Fault::Rst(close) => format!("{name} {}", close_words(*close, LegFate::Reset)),
        Fault::Fin(close) => format!("{name} {}", close_words(*close, LegFate::Close)),
        Fault::TlsHandshake(handshake) => {
            let what = match handshake.what {
                HandshakeFault::Stall(HandshakeStage::BeforeServerHello) => "stall before ServerHello".into(),
                HandshakeFault::Stall(HandshakeStage::AfterServerHello) => "stall after ServerHello".into(),
                HandshakeFault::Abort(how) => format!("abort ({})", how.word()),
                HandshakeFault::Alert(alert) => format!("alert {alert}"),
                HandshakeFault::Certificate(bad) => format!("certificate {}", bad.words()),
            };
            format!("{name} {what} for {}", handshake.hold)
        }
        Fault::TlsAlert(alert) => format!("{name} {} toward {}", alert.alert, toward_words(alert.toward)),
        Fault::TlsRecord(record) => {
            let what = match record.what {
                RecordFault::Damaged(damage) => damage.words(),
                RecordFault::Truncated => "truncated",
            };
            format!("{name} {what}, toward the {}", record.toward.word())
        }
        Fault::Stall(stall) => format!("{name} {} for {}", ways(stall.direction), stall.hold),
        Fault::Latency(latency) => {
            let Delay { model, jitter } = latency.delay;
            let jitter = Some(jitter).filter(|jitter| !jitter.is_zero());
            let jitter = jitter.map_or(String::new(), |jitter| format!(", jitter {}", show_fixed(jitter)));
            format!("{name} {model}{jitter}, {} {}", ways(latency.direction), held(latency.hold))
        }
        Fault::HalfClose(half) => format!("{name} toward the {}", half.toward.word()),
        Fault::Refuse(refuse) => {
            let how = match refuse.how {
                Refusal::Closed => "closed",
                Refusal::Reset => "reset",
            };
            format!("{name} ({how}) for {}", refuse.hold)
        }
        Fault::Bandwidth(bandwidth) => {
            format!("{name} {} {} {}", bandwidth.rate, ways(bandwidth.direction), held(bandwidth.hold))
        }
        Fault::Loss(loss) => {
            format!("{name} {} toward {} {}", loss.chance, toward_words(loss.toward), held(loss.hold))
        }
        Fault::Slice(Slice { size, gap, direction, hold }) => {
            let gap = nonzero(*gap).map_or(String::new(), |gap| format!(", {gap} apart"));
            format!("{name} {size} B{gap}, {} {}", ways(*direction), held(*hold))
        }
        Fault::CutAfter(cut) => {
            let way = if cut.direction == Direction::Up { "up" } else { "down" };
            let ended = close_words(cut.close, cut.ending);
            format!("{name} {} B {way}, {} {ended}, {}", cut.bytes, ending(cut.ending), held(cut.hold))
        }
        Fault::IdleTimeout(idle) => {
            let then = match idle.then {
                Forgotten::Vanish => "vanish",
                Forgotten::Reset => "reset",
            };
            format!("{name} after {}, then {then}, {}", idle.after, held(idle.hold))
        }
        Fault::TokenExpiry(token) => {
            let lifetime = token.lifetime.map_or(String::new(), |lifetime| format!(" lifetime {lifetime},"));
            let grace = nonzero(token.grace).map_or(String::new(), |grace| format!(" grace {grace},"));
            format!("{name}{lifetime}{grace} {}", held(token.hold))
        }
        Fault::Takeover(takeover) => {
            let again =
                takeover.again.map_or(String::new(), |again| format!(", again after {}", show_fixed(again)));
            format!("{name} for {}{again}", takeover.hold)
        }
        Fault::Reject(reject) => format!("{name} {} for {}", refusal_word(reject.code), reject.hold),
        Fault::Disconnect(disconnect) => {
            let close = Close { toward: disconnect.toward, other: disconnect.other, close_notify: true };
            let legs = close_words(close, LegFate::Disconnected(disconnect.reason));
            format!("{name} {} {legs}", disconnect_word(disconnect.reason))
        }
        Fault::Inject(inject) => {
            format!("{name} {} toward the {}", injected(&inject.what), inject.toward.word())
        }
        Fault::Packets(packets) => of_packets(packets),
    }
}

fn close_words(close: Close, ending: LegFate) -> String {
    let Ends { device, hub } = close.legs(ending);
    let other = match close.toward {
        Toward::Both => return "toward both".into(),
        Toward::Device => format!("the hub {}", other_words(hub)),
        Toward::Hub => format!("the device {}", other_words(device)),
    };
    format!("toward the {}, {other}", toward_words(close.toward))
}

fn other_words(fate: LegFate) -> &'static str {
    match fate {
        LegFate::Reset => "reset",
        LegFate::Close => "closed",
        LegFate::Unnotified => "closed without close_notify",
        LegFate::Alert(_) => "sent a TLS alert",
        LegFate::Truncated => "sent part of a TLS record",
        LegFate::Rejected(_) | LegFate::Disconnected(_) | LegFate::HalfOpen | LegFate::ResetWhenSends => {
            fate.words()
        }
    }
}

fn toward_words(toward: Toward) -> &'static str {
    match toward {
        Toward::Device => "device",
        Toward::Hub => "hub",
        Toward::Both => "both",
    }
}

fn ways(direction: WaysWanted) -> &'static str {
    match direction {
        WaysWanted::Up => "up",
        WaysWanted::Down => "down",
        WaysWanted::Both => "both ways",
    }
}

/// `for 30s`, `to the end`
fn held(hold: Option<Span>) -> String {
    hold.map_or("to the end".into(), |hold| format!("for {hold}"))
}

fn nonzero(time: Duration) -> Option<String> {
    (!time.is_zero()).then(|| show_fixed(time))
}

fn ending(ending: LegFate) -> &'static str {
    if ending == LegFate::Close { "close" } else { "reset" }
}

fn injected(what: &Injection) -> String {
    match what {
        Injection::Pingreq | Injection::Pingresp => what.word().to_owned(),
        Injection::Ack { packet_id, .. } => format!("{} {packet_id}", what.word()),
        Injection::Publish { topic, qos, .. } => format!("{} {topic} (QoS {qos})", what.word()),
        Injection::Raw(raw) => format!("{} bytes", raw.len()),
    }
}

/// `drop PUBACK down, 50%, for 30s`
fn of_packets(PacketFault { what, action, hold }: &PacketFault) -> String {
    let how = match action {
        PacketAction::Drop { acknowledge: false } => None,
        PacketAction::Drop { acknowledge: true } => Some("acknowledged falsely".to_owned()),
        PacketAction::Delay(Delay { model, jitter }) => {
            let jitter = nonzero(*jitter).map_or(String::new(), |jitter| format!(", jitter {jitter}"));
            Some(format!("{model}{jitter}"))
        }
        PacketAction::Duplicate { copies } => Some(format!("{copies} more")),
        PacketAction::Edit(edit) => Some(edit.to_string()),
        PacketAction::Corrupt(Corrupt::Payload) => Some("in the payload".to_owned()),
        PacketAction::Corrupt(Corrupt::Body) => Some("in the body".to_owned()),
        PacketAction::Corrupt(Corrupt::Anywhere) => Some("anywhere".to_owned()),
        PacketAction::Cut(cut) => Some(format!(
            "after {} B, {} {}",
            cut.after_bytes,
            ending(cut.ending),
            close_words(cut.close, cut.ending)
        )),
    };
    let parts = [Some(which(what)), chance(what.chance), how, Some(held(*hold))];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{} {}", action.name(), parts.join(", "))
}

fn chance(chance: Chance) -> Option<String> {
    (chance != Chance::ALWAYS).then(|| chance.to_string())
}

/// `PUBLISH QoS 1 a/# down, 3rd`
fn which(what: &PacketMatch) -> String {
    let PacketMatch { packet, direction, topic, qos, dup, retain, nth, times, chance: _ } = what;
    let is_publish = topic.is_some() || qos.is_some() || dup.is_some() || retain.is_some();
    let name = match packet {
        Some(packet) => packet.name(),
        None if is_publish => "PUBLISH",
        None => "packets",
    };
    let flag = |given: &Option<bool>, name: &str| {
        given.map(|set| if set { name.to_owned() } else { format!("no {name}") })
    };
    let way = (*direction != WaysWanted::Both).then(|| ways(*direction).to_owned());
    let words = [
        Some(name.to_owned()),
        qos.map(|qos| format!("QoS {qos}")),
        flag(dup, "DUP"),
        flag(retain, "RETAIN"),
        topic.clone(),
        way,
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    let nth = nth.map_or(String::new(), |nth| format!(", number {nth}"));
    let times = times.map_or(String::new(), |times| format!(", at most {times}"));
    format!("{}{nth}{times}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::story::{blackhole, rst, stall};
    use crate::profile::read;

    #[test]
    fn faults_in_words() {
        for (told, words) in [
            (blackhole("1.5 keepalive + 10s"), "blackhole toward both for 1.5 keepalive + 10s"),
            (stall(WaysWanted::Up, "8s"), "stall up for 8s"),
            (rst(Toward::Both, LegFate::Close), "rst toward both"),
            (rst(Toward::Device, LegFate::HalfOpen), "rst toward the device, the hub left half-open"),
        ] {
            assert_eq!(fault(&told), words);
        }
    }

    #[test]
    fn faults_of_a_profile_in_words() {
        for (rule, words) in [
            ("half_close: { toward: hub }", "half_close toward the hub"),
            ("refuse: { for: 30s }", "refuse (closed) for 30s"),
            ("bandwidth: { rate: 64kbit/s }", "bandwidth 64kbit/s both ways to the end"),
            ("loss: { chance: 10%, for: 5s }", "loss 10% toward both for 5s"),
            ("slice: { size: 1, gap: 5ms, direction: up }", "slice 1 B, 5ms apart, up to the end"),
            ("cut_after: { bytes: 10 }", "cut_after 10 B up, reset toward both, to the end"),
            ("idle_timeout: { after: 4m }", "idle_timeout after 4m, then vanish, to the end"),
            ("token_expiry: { lifetime: 1h, grace: 1s }", "token_expiry lifetime 1h, grace 1s, to the end"),
            ("token_expiry: {}", "token_expiry to the end"),
            ("takeover: { for: 30s, again: 1s }", "takeover for 30s, again after 1s"),
            ("reject: { code: server_unavailable, for: 30s }", "reject server_unavailable for 30s"),
            ("disconnect: {}", "disconnect server_shutting_down toward the device, the hub closed"),
            ("disconnect: { reason: 1, toward: both }", "disconnect 0x01 toward both"),
            ("inject: { ping: pingresp }", "inject PINGRESP toward the device"),
            ("inject: { ack: { packet: puback, packet_id: 7 } }", "inject PUBACK 7 toward the device"),
            ("inject: { publish: { topic: a/b }, toward: hub }", "inject PUBLISH a/b (QoS 0) toward the hub"),
            ("inject: { raw: \"d0 00\" }", "inject 2 bytes toward the device"),
            ("drop: {}", "drop packets, to the end"),
            (
                "drop: { for: 30s } }, what: { packet: puback, direction: down, chance: 50% ",
                "drop PUBACK down, 50%, for 30s",
            ),
            (
                "drop: { acknowledge: true } }, what: { topic: a/#, qos: 1, dup: false, nth: 3 ",
                "drop PUBLISH QoS 1 no DUP a/#, number 3, acknowledged falsely, to the end",
            ),
            ("delay: { fixed: 2s } }, what: { times: 2 ", "delay packets, at most 2, 2s, to the end"),
            ("duplicate: {}", "duplicate packets, 1 more, to the end"),
            ("edit: { keep_alive: 4s, code: 0x88 }", "edit packets, keep_alive 4, code 136, to the end"),
            ("corrupt: {}", "corrupt packets, in the payload, to the end"),
            (
                "cut: { toward: device }",
                "cut packets, after 1 B, reset toward the device, the hub left half-open, to the end",
            ),
        ] {
            let text = format!(
                "brownout: 1\nname: a\nsummary: a\nrules: [{{ id: a, when: {{ at: 1s }}, fault: {{ {rule} }} }}]\n"
            );
            let plan = read(&text, &[]).unwrap().plan;
            assert_eq!(fault(&plan.rules[0].fault), words);
        }
    }
}
