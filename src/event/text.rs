//! Events as text: one line each, for debug logs. Secrets are gone before; names of peers are made printable here.

use super::{Count, Dropped, EndReason, Event, Packet, RivalNews, What};
use crate::base::span::show_fixed;
use crate::base::text::printable;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

impl Display for Event {
    /// Number, time, what happened: `#12 3.104 L1 up PINGREQ`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {} {}", self.seq, self.at, self.what)
    }
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            What::RunStarted(run) => write!(
                f,
                "run started: profile {}, seed {}, brownout {}",
                printable(&run.profile_name),
                run.seed,
                run.version
            ),
            What::RunEnded { reason } => write!(f, "run ended: {}", reason.words()),
            What::CommandStopped => f.write_str("command told to end"),
            What::CommandEnded { code: Some(code) } => write!(f, "command ended with code {code}"),
            What::CommandEnded { code: None } => f.write_str("command ended by a signal"),
            What::ListenerOpened { listener, address, upstream, tls } => {
                write!(f, "{listener} listens on {address}, leads to {upstream}")?;
                if tls.is_plain() { Ok(()) } else { write!(f, ", {}", tls.mode.words()) }
            }
            What::ListenerMuted { listener, mechanism, from, dropped } => {
                write!(f, "{listener} muted")?;
                from.as_ref().map_or(Ok(()), |from| write!(f, " to {from}"))?;
                write!(f, " ({})", mechanism.words())?;
                dropped_there(f, *dropped)
            }
            What::ListenerMuteRefused { listener, error } => {
                write!(f, "{listener} mute refused: {}", printable(error))
            }
            What::ListenerUnmuted { listener, dropped } => {
                write!(f, "{listener} unmuted")?;
                dropped_there(f, *dropped)
            }
            What::ListenerClosed { listener, dropped } => {
                write!(f, "{listener} closed")?;
                dropped_there(f, *dropped)
            }
            What::HeldUp { late_ns } => {
                write!(f, "brownout was held up for {} at least", show_fixed(Duration::from_nanos(*late_ns)))
            }
            What::CaptureClosed { written, dropped, error } => {
                write!(f, "capture: {written} packets, {dropped} dropped")?;
                error.as_ref().map_or(Ok(()), |error| write!(f, ", not complete: {}", printable(error)))
            }
            What::Wire { news } => news.fmt(f),
            What::AcceptFailed { listener, error } => {
                write!(f, "{listener} accept failed: {}", printable(error))
            }
            What::ConnectAstray { listener, peer } => {
                write!(f, "{listener} reset a connect from {peer} that was going nowhere else")
            }
            What::LinkOpened { link, listener, peer, to } => {
                write!(f, "{link} opened at {listener} from {peer}")?;
                to.as_ref().map_or(Ok(()), |to| write!(f, " on its way to {to}"))
            }
            What::HubConnected { link, took_ns, from } => {
                write!(f, "{link} hub connected in {:?}", Duration::from_nanos(*took_ns))?;
                from.as_ref().map_or(Ok(()), |from| write!(f, " as {from}"))
            }
            What::HubUnreachable { link, error } => {
                write!(f, "{link} hub unreachable: {}", printable(error))
            }
            What::DeviceNamed { device, name } => write!(f, "{device} is {}", printable(name)),
            What::LinkIdentified { link, device } => write!(f, "{link} belongs to {device}"),
            What::LinkClosed { link, undelivered } => {
                write!(f, "{link} closed, undelivered {} up {} down", undelivered.up, undelivered.down)
            }
            What::Packet { link, direction, packet, held, dropped, passed } => {
                let held = if *held { ", held" } else { "" };
                let dropped = if *dropped { ", not passed on" } else { "" };
                write!(f, "{link} {} {packet}{held}{dropped}", direction.word())?;
                passed.as_ref().map_or(Ok(()), |passed| write!(f, ", passed on as {passed}"))
            }
            What::Altered { link, direction, packet_seq, window, what } => {
                write!(f, "{link} {} #{packet_seq} {what}", direction.word())?;
                window.map_or(Ok(()), |window| write!(f, " by {window}"))
            }
            What::FaultMessage { link, packet_seq, operation, delay_ns, duration_ns, ignored } => {
                let delay = show_fixed(Duration::from_nanos(*delay_ns));
                write!(f, "{link} fault message #{packet_seq}: {} after {delay}", printable(operation))?;
                if let Some(duration) = duration_ns {
                    write!(f, " for {}", show_fixed(Duration::from_nanos(*duration)))?;
                }
                ignored.as_ref().map_or(Ok(()), |why| write!(f, ", ignored: {}", printable(why)))
            }
            What::Rival { window, link, news } => {
                write!(f, "{window} another client like {link} ")?;
                match news {
                    RivalNews::Accepted => f.write_str("was accepted"),
                    RivalNews::Refused { code } => write!(f, "was refused with CONNACK {code}"),
                    RivalNews::Failed { error } => write!(f, "could not connect: {}", printable(error)),
                    RivalNews::Ended { how } => write!(f, "was ended by the hub ({})", how.word()),
                    RivalNews::Left => f.write_str("left"),
                }
            }
            What::Forwarded { link, packet_seq } => write!(f, "{link} forwarded #{packet_seq}"),
            What::Delivery { device, up, down } => {
                let total = |counts: [u64; 3]| counts.iter().sum::<u64>();
                write!(f, "{device} messages: {} up, {} down", total(up.sent), total(down.sent))
            }
            What::Message { device, direction, qos, id, news, more, .. } => {
                write!(f, "{device} {} message of QoS {qos}", direction.word())?;
                id.map_or(Ok(()), |id| write!(f, ", id {id}"))?;
                write!(f, ": {news}")?;
                if *more > 0 { write!(f, ", and {more} more alike") } else { Ok(()) }
            }
            What::WillDelivered { device, link, topic } => {
                write!(f, "{device} its will was delivered on {link}: {}", printable(topic))
            }
            What::FirstPublish { link, direction } => write!(f, "{link} {} first PUBLISH", direction.word()),
            What::Malformed { link, direction, packet, flaw } => {
                write!(f, "{link} {} {} {}", direction.word(), packet.name(), flaw.words())
            }
            What::NotMqtt { link, direction, offset, reason } => {
                write!(f, "{link} {} not MQTT from byte {offset}: {}", direction.word(), printable(reason))
            }
            What::TlsHello { link, sni, passthrough, .. } => {
                let name = sni.as_ref().map_or("no name".into(), |name| printable(name));
                let passed = if *passthrough { ", passed through" } else { "" };
                write!(f, "{link} ClientHello for {name}{passed}")
            }
            What::TlsEstablished { link, side, up } => {
                let resumed = if up.resumed { ", resumed" } else { "" };
                let took = Duration::from_nanos(up.took_ns);
                write!(f, "{link} {} {} in {took:?}{resumed}", side.word(), printable(&up.version))
            }
            What::TlsFailed { link, side, error } => {
                write!(f, "{link} {} TLS failed: {}", side.word(), printable(error))
            }
            What::FirstData { link, direction } => write!(f, "{link} {} first data", direction.word()),
            What::WsUpgraded { link, path, .. } => write!(f, "{link} WebSocket at {}", printable(path)),
            What::WsClosed { link, direction, code } => {
                let code = code.map_or("no code".into(), |code| code.to_string());
                write!(f, "{link} {} WebSocket close, {code}", direction.word())
            }
            What::KeepaliveExceeded { link, gap_ns, .. } => {
                write!(f, "{link} silent for {:?}", Duration::from_nanos(*gap_ns))
            }
            What::Traffic(traffic) => {
                write!(f, "{} passed: up {}; down {}", traffic.link, traffic.up, traffic.down)
            }
            What::LegEnded { link, side, how, error, .. } => {
                write!(f, "{link} {} ended its leg: {}", side.word(), how.word())?;
                error.iter().try_for_each(|error| write!(f, " ({})", printable(error)))
            }
            What::EndCarried { link, to, how } => {
                write!(f, "{link} end carried to {}: {}", to.word(), how.word())
            }
            What::EndWaits { link, to, unsent: 0 } => write!(f, "{link} FIN sent to {}", to.word()),
            What::EndWaits { link, to, unsent } => {
                write!(f, "{link} FIN to {} waits behind {unsent} bytes that it does not take", to.word())
            }
            What::LegCut { link, side, fate, window, .. } => {
                write!(f, "{link} {} leg cut: {}", side.word(), fate.words())?;
                window.iter().try_for_each(|window| write!(f, " ({window})"))
            }
            What::Fired { firing, rule, nth } => write!(f, "{rule} fired for the {nth}. time ({firing})"),
            What::Skipped { rule, first, last, late_ns } => {
                write!(f, "{rule} skipped its {first}. ")?;
                if last > first {
                    write!(f, "to {last}. firing")?
                } else {
                    write!(f, "firing")?
                }
                write!(f, ": brownout was {} late", show_fixed(Duration::from_nanos(*late_ns)))
            }
            What::WindowOpened { window, rule, device, until, .. } => {
                write!(f, "{window} opened: {rule} on {device}")?;
                until.iter().try_for_each(|until| write!(f, " until {until}"))
            }
            What::FaultApplied { window, link, fidelity, .. } => {
                write!(f, "{window} holds on {link} ({})", fidelity.word())
            }
            What::FaultRefused { window, link, error } => {
                write!(f, "{window} refused on {link}: {}", printable(error))
            }
            What::Dropped { link, side, what: Dropped { segments, passed } } => {
                let from = side.word();
                write!(
                    f,
                    "{link} kernel dropped {segments} of {} segments from the {from}",
                    segments + passed
                )
            }
            What::FaultLifted { window, link } => write!(f, "{window} lifted from {link}"),
            What::WindowClosed { window } => write!(f, "{window} closed"),
        }
    }
}

impl Display for Packet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Packet::Connect { version, client_id, keep_alive, clean, .. } => {
                let clean = if *clean { ", clean" } else { "" };
                write!(f, "CONNECT {} ({version}, keep-alive {keep_alive} s{clean})", printable(client_id))
            }
            Packet::Connack { code, session_present, .. } => {
                let session = if *session_present { ", session present" } else { "" };
                write!(f, "CONNACK {code}{session}")
            }
            Packet::Publish { topic, qos, dup, retain } => {
                let (dup, retain) = (if *dup { ", DUP" } else { "" }, if *retain { ", RETAIN" } else { "" });
                write!(f, "PUBLISH {} (QoS {qos}{dup}{retain})", printable(topic))
            }
            Packet::Puback => f.write_str("PUBACK"),
            Packet::Pubrec => f.write_str("PUBREC"),
            Packet::Pubrel => f.write_str("PUBREL"),
            Packet::Pubcomp => f.write_str("PUBCOMP"),
            Packet::Subscribe { id, filters } => {
                write!(f, "SUBSCRIBE {id} {}", printable(&filters.join(", ")))
            }
            Packet::Suback { id, codes } => write!(f, "SUBACK {id} {codes:?}"),
            Packet::Unsubscribe { filters } => write!(f, "UNSUBSCRIBE {}", printable(&filters.join(", "))),
            Packet::Unsuback => f.write_str("UNSUBACK"),
            Packet::Pingreq => f.write_str("PINGREQ"),
            Packet::Pingresp => f.write_str("PINGRESP"),
            Packet::Disconnect { reason } => write!(f, "DISCONNECT {reason}"),
            Packet::Auth { reason } => write!(f, "AUTH {reason}"),
            Packet::Unreadable { kind } => write!(f, "{} (unreadable)", printable(kind)),
        }
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {} packets, {} PUBLISH", self.bytes, self.packets, self.publishes)
    }
}

impl EndReason {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            EndReason::Complete => "every rule is through on the devices that are there",
            EndReason::Duration => "the duration is over",
            EndReason::Interrupted => "interrupted",
            EndReason::CommandEnded => "the command ended",
        }
    }
}

fn dropped_there(f: &mut Formatter<'_>, dropped: Option<u64>) -> fmt::Result {
    dropped.map_or(Ok(()), |dropped| write!(f, ", {dropped} packets dropped"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{DeviceId, Direction, FiringId, LinkId, RuleId, Side, Time, WindowId};
    use crate::event::LastPackets;
    use crate::fault::Ending;

    #[test]
    fn one_event_is_one_line() {
        let link = LinkId(1);
        for (what, line) in [
            (
                What::Packet {
                    link,
                    direction: Direction::Up,
                    held: true,
                    packet: Packet::Pingreq,
                    dropped: false,
                    passed: None,
                },
                "#7 3.104 L1 up PINGREQ, held",
            ),
            (What::LinkIdentified { link, device: DeviceId(2) }, "#7 3.104 L1 belongs to D2"),
            (
                What::LegEnded {
                    link,
                    side: Side::Hub,
                    how: Ending::Reset,
                    error: Some("timed out\n".into()),
                    last: LastPackets::default(),
                },
                "#7 3.104 L1 hub ended its leg: RST (timed out\\n)",
            ),
            (
                What::TlsHello { link, sni: None, alpn: Vec::new(), passthrough: true },
                "#7 3.104 L1 ClientHello for no name, passed through",
            ),
            (
                What::TlsFailed { link, side: Side::Hub, error: "no\nend".into() },
                "#7 3.104 L1 hub TLS failed: no\\nend",
            ),
            (
                What::WsClosed { link, direction: Direction::Down, code: Some(1001) },
                "#7 3.104 L1 down WebSocket close, 1001",
            ),
            (
                What::WindowOpened {
                    window: WindowId(4),
                    firing: FiringId(3),
                    rule: RuleId(0),
                    device: DeviceId(2),
                    until: Some(Time::from_secs(11)),
                    keep_alive_ns: 0,
                    assumed: false,
                    hub_keep_alive_ns: None,
                },
                "#7 3.104 W4 opened: R0 on D2 until 11.000",
            ),
            (
                What::Dropped {
                    link: LinkId(1),
                    side: Side::Device,
                    what: Dropped { segments: 37, passed: 675 },
                },
                "#7 3.104 L1 kernel dropped 37 of 712 segments from the device",
            ),
            (
                What::ListenerMuted {
                    listener: crate::base::ListenerId(0),
                    mechanism: crate::fault::Mechanism::Filter,
                    from: Some(crate::event::Sources {
                        addresses: 2,
                        shared: 1,
                        beyond: 0,
                        rules: vec![RuleId(0)],
                    }),
                    dropped: Some(3),
                },
                "#7 3.104 P0 muted to 2 addresses, not to 1 shared with others (socket filter), 3 packets dropped",
            ),
        ] {
            let event = Event { seq: 7, at: Time::from_millis(3_104), what };
            assert_eq!(event.to_string(), line);
            let json = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event, "{json}");
        }
    }

    #[test]
    fn held_is_in_the_log_only_where_it_is_so() {
        let packet = |held| What::Packet {
            link: LinkId(1),
            direction: Direction::Down,
            held,
            packet: Packet::Connack {
                session_present: false,
                code: 0,
                server_keep_alive: None,
                assigned_client_id: None,
                terms: crate::event::SessionTerms::default(),
            },
            dropped: false,
            passed: None,
        };
        for (held, count) in [(false, 0), (true, 1)] {
            let event = Event { seq: 0, at: Time::ZERO, what: packet(held) };
            let line = serde_json::to_string(&event).unwrap();
            assert_eq!(line.matches("\"held\":true").count(), count, "{line}");
            assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        }
    }
}
