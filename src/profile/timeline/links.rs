//! Faults of links and connects in sentences: those that are neither of TLS nor of packets.

use super::faults::ended;
use super::words::{Words, both_ways, fate, of_other, toward};
use crate::base::{Direction, Side};
use crate::fault::{
    Bandwidth, CutAfter, Disconnect, Fault, Forgotten, HalfClose, IdleTimeout, LegFate, Loss, Refusal,
    Reject, Slice, Takeover, TokenExpiry, Toward,
};
use crate::profile::codes::{disconnect_word, refusal_word};
use crate::profile::plan::Rule;
use crate::profile::read::can_vanish;

const STREAM: &str = "TCP itself is sound";

pub(super) fn half_close(HalfClose { toward }: HalfClose) -> String {
    let (whom, other) = (toward.word(), toward.other().word());
    format!(
        "the {whom} is told FIN; what it says still goes on to the {other}, and what the {other} says from then on is \
         thrown away"
    )
}

pub(super) fn bandwidth(Bandwidth { rate, direction, hold }: &Bandwidth, words: Words) -> String {
    format!("bytes {} pass at {rate}, {}", both_ways(*direction), words.hold(*hold))
}

pub(super) fn loss(Loss { toward, chance, hold }: &Loss, words: Words) -> String {
    let whose = match toward {
        Toward::Device => "the device",
        Toward::Hub => "the hub",
        Toward::Both => "both ends",
    };
    format!("TCP segments of {whose} are lost, each with a chance of {chance}, {}", words.hold(*hold))
}

pub(super) fn slice(Slice { size, gap, direction, hold }: &Slice, words: Words) -> String {
    let apart = if gap.is_zero() { String::new() } else { format!(", at least {} apart", words.time(*gap)) };
    let hold = words.hold(*hold);
    format!("bytes {} pass in pieces of at most {}{apart}, {hold}", both_ways(*direction), bytes(*size))
}

/// `1 byte`, `2 bytes`
pub(super) fn bytes(number: impl Into<u64>) -> String {
    match number.into() {
        1 => "1 byte".to_owned(),
        more => format!("{more} bytes"),
    }
}

pub(super) fn cut_after(cut: &CutAfter, words: Words) -> String {
    let CutAfter { bytes: number, direction, ending, close, hold } = cut;
    let way = match direction {
        Direction::Up => "from device to hub",
        Direction::Down => "from hub to device",
    };
    let (number, ended, hold) = (bytes(*number), ended(ending_words(*ending), *close), words.hold(*hold));
    format!("{hold}, each link ends once {number} have passed on it {way}: {ended}")
}

/// How legs are ended.
pub(super) fn ending_words(ending: LegFate) -> &'static str {
    if ending == LegFate::Close { "closed (FIN)" } else { "reset (RST)" }
}

pub(super) fn idle_timeout(IdleTimeout { after, then, hold }: &IdleTimeout, words: Words) -> String {
    let then = match then {
        Forgotten::Vanish => "later packets vanish",
        Forgotten::Reset => "whoever sends is answered with RST",
    };
    let (after, hold) = (words.span(*after), words.hold(*hold));
    format!("a link on which nothing passes either way for {after} is forgotten, {hold}: {then}")
}

pub(super) fn token_expiry(TokenExpiry { lifetime, grace, hold }: &TokenExpiry, words: Words) -> String {
    let grace = if grace.is_zero() { String::new() } else { format!(" {} after", words.time(*grace)) };
    let without = match lifetime {
        Some(lifetime) => format!("; one without a token lasts {} from its CONNACK", words.span(*lifetime)),
        None => String::new(),
    };
    let when = if grace.is_empty() { " when".to_owned() } else { grace };
    let hold = words.hold(*hold);
    format!(
        "links are closed{when} their SAS token has expired, and an expired token is refused, {hold}{without}"
    )
}

pub(super) fn takeover(Takeover { hold, again }: &Takeover, words: Words) -> String {
    let again = again
        .map(|again| format!("; {} after it has lost its own link it connects again", words.time(again)))
        .unwrap_or_default();
    format!(
        "another client connects to the hub with the device's CONNECT, and lives for {}{again}",
        words.span(*hold)
    )
}

pub(super) fn reject(Reject { code, hold }: &Reject, words: Words) -> String {
    let word = refusal_word(*code);
    format!(
        "CONNECT is answered with a CONNACK that says {word} (return code {}, in MQTT 5 reason code 0x{:02x}), then FIN, \
         for {}",
        code.return_code,
        code.reason_code,
        words.span(*hold)
    )
}

pub(super) fn disconnect(Disconnect { toward: legs, reason, other }: Disconnect) -> String {
    let rest = match legs {
        Toward::Both => String::new(),
        Toward::Device => format!("; {} leg {}", of_other(Side::Device), fate(other)),
        Toward::Hub => format!("; {} leg {}", of_other(Side::Hub), fate(other)),
    };
    let word = disconnect_word(reason);
    let code = format!("0x{reason:02x}");
    let named = if word == code { code } else { format!("{word}, {code}") };
    format!("DISCONNECT ({named}) is sent {}, then FIN{rest}", toward(legs))
}

/// What there is to know about how these are made.
pub(super) fn more(rule: &Rule) -> Vec<String> {
    let told = match &rule.fault {
        Fault::HalfClose(_) => "A sound end answers with DISCONNECT or FIN: MQTT has no half-open mode.".into(),
        Fault::Refuse(refuse) if refuse.how == Refusal::Closed && can_vanish(rule) => {
            "SYNs are answered with RST: the listener is closed meanwhile. Links that are up are left alone.".into()
        }
        Fault::Refuse(_) => {
            "TCP is accepted, and reset as soon as it is known whose it is. Links that are up are left alone.".into()
        }
        Fault::Bandwidth(_) => {
            format!("Made as stream: bytes that came are let through at the rate, of each link by itself; {STREAM}.")
        }
        Fault::Slice(_) => format!("Made as stream: bytes that came are written in pieces; {STREAM}."),
        Fault::Loss(_) => "Made as packet: the kernel drops segments on arrival, and their sender's TCP sends them \
                           again; refused, and said so, where the machine does not let it. The kernel draws: which \
                           are lost does not follow from the seed."
            .into(),
        Fault::CutAfter(_) => {
            "The last of the bytes is passed on, and none after; where the count falls, a packet is cut.".into()
        }
        Fault::IdleTimeout(idle) => match idle.then {
            Forgotten::Vanish => "New links pass. Made as stall: bytes of a link that is forgotten are held, and TCP \
                                  acknowledges until its windows are full."
                .into(),
            Forgotten::Reset => "New links pass. An end that does not send hears nothing of it.".into(),
        },
        Fault::TokenExpiry(_) => "Done in the hub's name, which hears of it as a FIN. The expiry is read from `se=` in \
                                  the password of CONNECT; no signature is looked at."
            .into(),
        Fault::Takeover(_) => "The hub then closes the device's link [MQTT-3.1.4-2]; a device that comes back takes its \
                               name over in turn."
            .into(),
        Fault::Reject(_) => {
            "The hub hears nothing of it. Links that are up are left alone.".into()
        }
        Fault::Disconnect(disconnect) if disconnect.toward.hits(Side::Device) => {
            "A device before MQTT 5 has no such packet to hear: it gets FIN alone.".into()
        }
        Fault::Disconnect(_)
        | Fault::Blackhole(_)
        | Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::TlsHandshake(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => return Vec::new(),
    };
    vec![told]
}
