//! How a link ended, in the words that a hub's log would use.

use super::facts::{Link, Showed};
use super::tls::Wrapped;
use crate::base::{RuleId, Side, Time};
use crate::fault::{Ending, Fault, LegFate};
use crate::mqtt::Version;
use crate::tls::Alert;
use std::fmt;
use std::time::Duration;

/// A hub ends a silent link after 1.5 keep-alives [MQTT-3.1.2-24]; from 1.4 on its end is taken for that time-out
/// (its clock started a little after the packet was passed on, and some look early).
const TIMED_OUT_TENTHS: u32 = 14;

/// How long after its CONNACK to the newer link a hub may take to close the older one.
const TAKE_OVER_GRACE: Duration = Duration::from_secs(1);

/// MQTT 5 reason codes from here on are errors (MQTT 5.0 section 2.4).
const ERROR: u8 = 0x80;

/// MQTT 5 reason codes of a hub's DISCONNECT that name the cause.
const KEEP_ALIVE_TIMEOUT: u8 = 0x8d;
const SESSION_TAKEN_OVER: u8 = 0x8e;

/// How a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// It is still open.
    StillOpen,
    /// This end sent DISCONNECT.
    Disconnect(Side),
    /// The device sent DISCONNECT with this reason code, an error (MQTT 5.0 section 3.14.2.1: 0x80 and above).
    DisconnectInError(u8),
    /// This end closed (FIN) without DISCONNECT.
    Closed(Side),
    /// This end closed its TLS leg (FIN) without close_notify and without DISCONNECT.
    Unnotified(Side),
    /// This end sent a TLS alert, of this name where it is known.
    TlsAlert(Side, Option<Alert>),
    /// This end closed its WebSocket, with this code, without DISCONNECT.
    WsClosed(Side, Option<u16>),
    /// Brownout's TLS with this end failed, in the handshake or later.
    TlsFailed(Side),
    /// This end reset (RST, or its system gave up) without DISCONNECT.
    Reset(Side),
    /// This end closed (FIN) a link whose TLS was passed through: a DISCONNECT before it could not have been read.
    ClosedUnread(Side),
    /// The same, with RST.
    ResetUnread(Side),
    /// The hub ended it after 1.5 keep-alives without a packet.
    KeepAliveTimeout,
    /// The hub ended it because the device had connected anew.
    TakenOver,
    /// The hub refused the CONNECT with this code.
    Refused(u8),
    /// The hub could not be reached.
    HubUnavailable,
    /// This rule ended it; `None` where the rule is not known.
    Injected(Option<RuleId>),
    /// The hub ended it because another client came with its name, that this rule had sent.
    TakenOverBy(RuleId),
    /// The hub ended it soon after its token had expired, by this machine's clock.
    TokenOver,
    /// This rule ended it when its token had expired.
    TokenExpired(RuleId),
    /// This rule refused the CONNECT, as its token had expired.
    TokenRefused(RuleId),
    /// This rule refused the CONNECT with this code.
    RefusedBy(RuleId, u8),
    /// This rule refused the connect (RST), whatever it was to say.
    ConnectRefused(RuleId),
    /// The device ended it, without DISCONNECT, while this rule held that leaves links up.
    While(RuleId),
    /// The device ended it once the command had been told to end: that is no choice of the device's.
    ToldToEnd {
        /// Whether it said DISCONNECT; `None` where TLS was passed through.
        clean: Option<bool>,
    },
    /// Neither end showed anything: the link ended with the run.
    WithTheRun,
}

impl Cause {
    /// The words for it, with the rules' names.
    pub fn words(self, rule_name: impl Fn(RuleId) -> String) -> String {
        match self {
            Cause::StillOpen => "still open".into(),
            Cause::Disconnect(Side::Device) => "clean DISCONNECT".into(),
            Cause::Disconnect(Side::Hub) => "DISCONNECT by the hub".into(),
            Cause::DisconnectInError(code) => format!("DISCONNECT by the device with reason {code:#04x}"),
            Cause::Closed(side) => format!("closed without DISCONNECT by the {}", side.word()),
            Cause::Unnotified(side) => format!("closed without close_notify by the {}", side.word()),
            Cause::TlsAlert(side, Some(alert)) => format!("TLS alert {alert} by the {}", side.word()),
            Cause::TlsAlert(side, None) => format!("TLS alert by the {}", side.word()),
            Cause::WsClosed(side, Some(code)) => {
                format!("WebSocket closed by the {} (code {code})", side.word())
            }
            Cause::WsClosed(side, None) => format!("WebSocket closed by the {}", side.word()),
            Cause::TlsFailed(side) => format!("TLS failed with the {}", side.word()),
            Cause::Reset(side) => format!("reset without DISCONNECT by the {}", side.word()),
            Cause::ClosedUnread(side) => format!("closed by the {}, TLS passed through", side.word()),
            Cause::ResetUnread(side) => format!("reset by the {}, TLS passed through", side.word()),
            Cause::KeepAliveTimeout => "keep-alive timeout".into(),
            Cause::TakenOver => "taken over".into(),
            Cause::Refused(code) => format!("refused with code {code}"),
            Cause::HubUnavailable => "hub unavailable".into(),
            Cause::Injected(Some(rule)) => format!("injected by {}", rule_name(rule)),
            Cause::Injected(None) => "injected".into(),
            Cause::TakenOverBy(rule) => format!("taken over by another client ({})", rule_name(rule)),
            Cause::TokenOver => "token expired".into(),
            Cause::TokenExpired(rule) => format!("token expired ({})", rule_name(rule)),
            Cause::TokenRefused(rule) => format!("refused, token expired ({})", rule_name(rule)),
            Cause::RefusedBy(rule, code) => format!("refused with code {code} by {}", rule_name(rule)),
            Cause::ConnectRefused(rule) => format!("connect refused by {}", rule_name(rule)),
            Cause::While(rule) => format!("ended by the device while {} held", rule_name(rule)),
            Cause::ToldToEnd { clean: Some(true) } => {
                "clean DISCONNECT after the command was told to end".into()
            }
            Cause::ToldToEnd { clean: Some(false) } => {
                "no DISCONNECT, after the command was told to end".into()
            }
            Cause::ToldToEnd { clean: None } => "by the device, after the command was told to end".into(),
            Cause::WithTheRun => "ended with the run".into(),
        }
    }
}

impl Cause {
    /// Whether the device left in good order, or may have.
    pub fn may_be_wanted(self) -> bool {
        matches!(
            self,
            Cause::Disconnect(Side::Device) | Cause::ClosedUnread(Side::Device) | Cause::ToldToEnd { .. }
        )
    }

    /// Whether the hub ended it, for no reason that the wire tells.
    pub fn is_of_hub(self) -> bool {
        matches!(
            self,
            Cause::Closed(Side::Hub)
                | Cause::Unnotified(Side::Hub)
                | Cause::Reset(Side::Hub)
                | Cause::Disconnect(Side::Hub)
                | Cause::WsClosed(Side::Hub, _)
        )
    }

    /// The same, where the device had not ended it before the command was told to end.
    pub(super) fn after_the_command(self) -> Cause {
        match self {
            Cause::Disconnect(Side::Device) => Cause::ToldToEnd { clean: Some(true) },
            Cause::ClosedUnread(Side::Device) | Cause::ResetUnread(Side::Device) => {
                Cause::ToldToEnd { clean: None }
            }
            Cause::DisconnectInError(_)
            | Cause::Closed(Side::Device)
            | Cause::Unnotified(Side::Device)
            | Cause::TlsAlert(Side::Device, _)
            | Cause::WsClosed(Side::Device, _)
            | Cause::Reset(Side::Device)
            | Cause::While(_) => Cause::ToldToEnd { clean: Some(false) },
            Cause::StillOpen
            | Cause::Disconnect(Side::Hub)
            | Cause::Closed(Side::Hub)
            | Cause::Unnotified(Side::Hub)
            | Cause::TlsAlert(Side::Hub, _)
            | Cause::WsClosed(Side::Hub, _)
            | Cause::TlsFailed(_)
            | Cause::Reset(Side::Hub)
            | Cause::ClosedUnread(Side::Hub)
            | Cause::ResetUnread(Side::Hub)
            | Cause::KeepAliveTimeout
            | Cause::TakenOver
            | Cause::Refused(_)
            | Cause::HubUnavailable
            | Cause::Injected(_)
            | Cause::TakenOverBy(_)
            | Cause::TokenOver
            | Cause::TokenExpired(_)
            | Cause::TokenRefused(_)
            | Cause::RefusedBy(..)
            | Cause::ConnectRefused(_)
            | Cause::ToldToEnd { .. }
            | Cause::WithTheRun => self,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(|rule| rule.to_string()))
    }
}

/// How this link ended. `by` is the rule whose fault cut it, `newer` the device's next link that the hub answered.
pub(super) fn cause(link: &Link, by: Option<(RuleId, &Fault)>, newer: Option<&Link>) -> Cause {
    let signs = [(Side::Device, link.signs.device), (Side::Hub, link.signs.hub)];
    let first = signs.into_iter().filter_map(|(side, sign)| Some((side, sign?))).min_by_key(|(_, s)| s.at);
    // What an end had given up before was not a fault's to end, though the other end had not let go of it yet.
    if link.cut.is_some_and(|(cut, _)| first.is_none_or(|(_, sign)| cut <= sign.at)) {
        return cut_by(link, by);
    }
    if link.unreachable {
        return Cause::HubUnavailable;
    }
    if let Some(refused) = link.connack.filter(|connack| connack.code != 0) {
        return Cause::Refused(refused.code);
    }
    let wrapped = link.wrapped.as_deref();
    // What followed a failure of TLS is its consequence.
    let failed = wrapped.and_then(|wrapped| wrapped.failed);
    if let Some((_, side)) = failed.filter(|(at, _)| first.is_none_or(|(_, sign)| *at <= sign.at)) {
        return Cause::TlsFailed(side);
    }
    let Some((side, sign)) = first else {
        return if link.closed.is_some() { Cause::WithTheRun } else { Cause::StillOpen };
    };
    match (side, sign.showed) {
        (Side::Hub, Showed::Disconnect(KEEP_ALIVE_TIMEOUT)) => Cause::KeepAliveTimeout,
        (Side::Hub, Showed::Disconnect(SESSION_TAKEN_OVER)) => {
            link.rival.map_or(Cause::TakenOver, |(_, rule)| Cause::TakenOverBy(rule))
        }
        (Side::Device, Showed::Disconnect(code @ ERROR..)) => Cause::DisconnectInError(code),
        (side, Showed::Disconnect(_)) => Cause::Disconnect(side),
        (side, showed) => {
            let closed = wrapped.and_then(|wrapped| wrapped.closed).filter(|(at, _, _)| *at <= sign.at);
            // Who closes its WebSocket first gives the link up; what the other's leg shows is its answer.
            let (at, side, showed) = match closed {
                Some((at, side, code)) => (at, side, Cause::WsClosed(side, code)),
                None => (sign.at, side, ended(side, showed, wrapped)),
            };
            let last = link.signs.hub.map_or(link.last.hub, |sign| sign.last).to.filter(|to| *to <= at);
            let rival = link.rival.filter(|(accepted, _)| is_about(*accepted, at));
            if let Some((_, rule)) = rival.filter(|_| side == Side::Hub) {
                return Cause::TakenOverBy(rule);
            }
            // What a device says in so many words is told in them.
            let is_plain = matches!(showed, Cause::Closed(_) | Cause::Unnotified(_) | Cause::Reset(_));
            if let Some(rule) = link.left_under.filter(|_| side == Side::Device && is_plain) {
                return Cause::While(rule);
            }
            match side {
                Side::Hub if newer.is_some_and(|newer| is_taken_over(newer, at)) => Cause::TakenOver,
                Side::Hub if is_timed_out(link.hub_keep_alive(), last, at) => Cause::KeepAliveTimeout,
                Side::Hub | Side::Device => showed,
            }
        }
    }
}

/// How a link ended that a fault cut.
fn cut_by(link: &Link, by: Option<(RuleId, &Fault)>) -> Cause {
    match (by, link.fate) {
        (Some((rule, Fault::TokenExpiry(_))), Some(LegFate::Rejected(_))) => Cause::TokenRefused(rule),
        (Some((rule, Fault::TokenExpiry(_))), _) => Cause::TokenExpired(rule),
        (Some((rule, Fault::Refuse(_))), _) => Cause::ConnectRefused(rule),
        (Some((rule, _)), Some(LegFate::Rejected(code))) => {
            let is_v5 = link.greeting.is_some_and(|greeting| greeting.keep_alive.version == Version::V5);
            Cause::RefusedBy(rule, if is_v5 { code.reason_code } else { code.return_code })
        }
        (by, _) => Cause::Injected(by.map(|(rule, _)| rule)),
    }
}

/// Whether a hub that ended its link then did so for the other client that it had accepted: between that client's CONNECT
/// and its CONNACK, or soon after.
pub(super) fn is_about(accepted: Time, at: Time) -> bool {
    at <= accepted + TAKE_OVER_GRACE && accepted <= at + TAKE_OVER_GRACE
}

/// How an end that neither said DISCONNECT nor closed a WebSocket ended its leg, as far as could be read.
fn ended(side: Side, showed: Showed, wrapped: Option<&Wrapped>) -> Cause {
    let is_read = !wrapped.is_some_and(|wrapped| wrapped.passed_through);
    match showed {
        Showed::Ended(Ending::Reset) if !is_read => Cause::ResetUnread(side),
        Showed::Ended(Ending::Fin) | Showed::Connect if !is_read => Cause::ClosedUnread(side),
        Showed::Ended(Ending::Reset) => Cause::Reset(side),
        Showed::Ended(Ending::Unnotified) => Cause::Unnotified(side),
        Showed::Ended(Ending::Alert) => {
            Cause::TlsAlert(side, wrapped.and_then(|wrapped| *wrapped.alert.get(side)))
        }
        Showed::Disconnect(_) => Cause::Disconnect(side),
        Showed::Ended(Ending::Fin | Ending::WsClose) | Showed::Connect => Cause::Closed(side),
    }
}

/// The hub closes the older link when it takes in the CONNECT of the newer [MQTT-3.1.4-2]: between that CONNECT and
/// its CONNACK, or soon after.
fn is_taken_over(newer: &Link, at: Time) -> bool {
    let answered = newer.connack.map(|connack| connack.at + TAKE_OVER_GRACE);
    newer.asked.is_some_and(|asked| asked <= at) && answered.is_some_and(|until| at <= until)
}

fn is_timed_out(keep_alive: Duration, last: Option<Time>, at: Time) -> bool {
    let silence = last.map_or(Duration::ZERO, |last| at.since(last));
    !keep_alive.is_zero() && silence * 10 >= keep_alive * TIMED_OUT_TENTHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LastPackets, Packet};
    use crate::measure::facts::Connack;
    use crate::measure::packets::Greeting;

    fn ended(side: Side, showed: Showed, silent_ms: u64) -> Link {
        let mut link = Link::new(Time::ZERO);
        let asked = Packet::Connect {
            version: Version::V311,
            client_id: "a".into(),
            keep_alive: 10,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: crate::event::SessionTerms::default(),
        };
        link.greeting = Greeting::of(Time::ZERO, &asked, &asked);
        let at = Time::from_secs(100);
        let last = at - Duration::from_millis(silent_ms);
        link.sign(side, at, showed, Some(LastPackets { from: Some(last), to: Some(last) }));
        link.closed = Some(at);
        link
    }

    #[test]
    fn a_silence_of_one_and_a_half_keep_alives_is_a_timeout() {
        for (silent, expected) in [
            (15_000, Cause::KeepAliveTimeout),
            (21_000, Cause::KeepAliveTimeout),
            (14_000, Cause::KeepAliveTimeout),
            (13_999, Cause::Closed(Side::Hub)),
        ] {
            assert_eq!(cause(&ended(Side::Hub, Showed::Ended(Ending::Fin), silent), None, None), expected);
        }
    }

    #[test]
    fn the_first_to_show_it_names_the_cause() {
        let fin = Showed::Ended(Ending::Fin);
        let device_reset = ended(Side::Device, Showed::Ended(Ending::Reset), 20_000);
        assert_eq!(cause(&device_reset, None, None), Cause::Reset(Side::Device));
        assert_eq!(
            cause(&ended(Side::Device, Showed::Disconnect(0), 0), None, None),
            Cause::Disconnect(Side::Device)
        );
        let with = |code| cause(&ended(Side::Device, Showed::Disconnect(code), 0), None, None);
        assert_eq!(with(0x04), Cause::Disconnect(Side::Device), "with its will");
        assert_eq!(with(0x82), Cause::DisconnectInError(0x82));
        let mut refused = ended(Side::Hub, fin, 0);
        refused.connack = Some(Connack { at: Time::ZERO, delivered: None, code: 5 });
        assert_eq!(cause(&refused, None, None), Cause::Refused(5));
        assert_eq!(cause(&Link::new(Time::ZERO), None, None), Cause::StillOpen);
    }

    #[test]
    fn a_web_socket_that_is_closed_after_the_end_is_no_cause_of_it() {
        for (closed, expected) in
            [(100, Cause::WsClosed(Side::Device, Some(1000))), (101, Cause::Closed(Side::Hub))]
        {
            let mut link = ended(Side::Hub, Showed::Ended(Ending::Fin), 0);
            let closed = Some((Time::from_secs(closed), Side::Device, Some(1000)));
            link.wrapped = Some(Box::new(Wrapped { closed, ..Wrapped::default() }));
            assert_eq!(cause(&link, None, None), expected);
        }
    }

    #[test]
    fn a_cut_in_the_moment_of_a_sign_is_the_end() {
        for (at, expected) in [(100, Cause::Injected(None)), (101, Cause::Closed(Side::Device))] {
            let mut link = ended(Side::Device, Showed::Ended(Ending::Fin), 0);
            link.cut = Some((Time::from_secs(at), None));
            assert_eq!(cause(&link, None, None), expected);
        }
    }

    #[test]
    fn a_hub_that_closes_when_it_takes_in_the_next_connect_was_taken_over() {
        // The older link ends at 100.0 s, silent for so long; the newer one's CONNECT and CONNACK are at these times.
        let fin = Showed::Ended(Ending::Fin);
        for (silent, asked, answered, expected) in [
            (0, 99_990, 99_995, Cause::TakenOver),
            (0, 100_000, 100_010, Cause::TakenOver),
            (0, 99_000, 99_000, Cause::TakenOver),
            (0, 98_999, 98_999, Cause::Closed(Side::Hub)),
            (0, 100_001, 100_010, Cause::Closed(Side::Hub)),
            // A hub without a keep-alive timer notices by the newer connect, however long the silence.
            (23_000, 99_990, 99_995, Cause::TakenOver),
            // The newer CONNECT was still held when the hub's timer ran out.
            (15_000, 106_000, 106_001, Cause::KeepAliveTimeout),
        ] {
            let mut newer = Link::new(Time::from_secs(98));
            newer.asked = Some(Time::from_millis(asked));
            newer.connack = Some(Connack { at: Time::from_millis(answered), delivered: None, code: 0 });
            let told = cause(&ended(Side::Hub, fin, silent), None, Some(&newer));
            assert_eq!(told, expected, "{silent} {asked} {answered}");
        }
    }
}
