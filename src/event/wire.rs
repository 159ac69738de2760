//! What the tap has seen on the wire, beside and below what sockets tell.
//!
//! The event is stamped when it is told; `seen` is when the kernel had the segment, and always somewhat earlier.

use super::bounded;
use crate::base::{LinkId, Side, Time};
use crate::fault::Ending;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// News of the tap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wire", rename_all = "snake_case")]
pub enum WireNews {
    /// It sees what comes from now on.
    Opened {
        /// The ports that devices connect to.
        ports: Vec<u16>,
        /// The ports that hubs answer from.
        hub_ports: Vec<u16>,
    },
    /// The kernel had no room for frames that it was to keep for the tap.
    Lost {
        /// How many.
        #[serde(deserialize_with = "bounded::count")]
        frames: u64,
        /// Not before this; and not after the event.
        since: Time,
    },
    /// A SYN that was not accepted within 200 ms, or that came again.
    Syn {
        /// From this address and port.
        peer: String,
        /// To this port.
        port: u16,
        /// How often this very SYN has been sent by now, from 1: the same port and initial sequence number. More than 1 is
        /// the kernel's repetition, not another attempt.
        nth: u32,
        /// From the time before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gap_ns: Option<u64>,
        /// When the kernel had it.
        seen: Time,
    },
    /// An end gave its leg up, and the leg is deaf to it.
    Ended {
        /// The link.
        link: LinkId,
        /// Whose leg.
        side: Side,
        /// By FIN or RST.
        how: Ending,
        /// When the kernel had it.
        seen: Time,
    },
    /// The tap did not see how the connection of a leg began that is deaf now, or loses some of what comes: it may not see the leg
    /// at all.
    Blind {
        /// The link.
        link: LinkId,
        /// Whose leg.
        side: Side,
    },
    /// What an end sent again while its leg was deaf, or lost some of what came.
    Repeated {
        /// The link.
        link: LinkId,
        /// Whose leg.
        side: Side,
        /// Segments sent again: data, and FIN.
        #[serde(deserialize_with = "bounded::count")]
        segments: u64,
        /// From one sending of the oldest segment to the next: the retransmission timeout, as it grew. The first 16.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        gaps_ns: Vec<u64>,
        /// The last of them, also beyond 16.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_gap_ns: Option<u64>,
        /// Keep-alive and window probes: an empty segment, one before what is next.
        #[serde(deserialize_with = "bounded::count")]
        probes: u64,
        /// When the first of them was sent again. From then on, an end may keep back a FIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<Time>,
        /// When it last sent something for the first time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fresh: Option<Time>,
        /// From when that was watched.
        since: Time,
        /// Until when.
        until: Time,
    },
    /// It sees nothing more.
    Closed {
        /// Frames that it has read.
        #[serde(deserialize_with = "bounded::count")]
        frames: u64,
        /// Frames that the kernel had no room for.
        #[serde(deserialize_with = "bounded::count")]
        lost: u64,
        /// SYNs that were not told, being too many: of one beyond the 16th sending, of all beyond 5,000 in a second.
        #[serde(deserialize_with = "bounded::count")]
        untold: u64,
    },
}

impl WireNews {
    /// The link that it is of.
    pub fn link(&self) -> Option<LinkId> {
        match self {
            WireNews::Ended { link, .. } | WireNews::Blind { link, .. } | WireNews::Repeated { link, .. } => {
                Some(*link)
            }
            WireNews::Opened { .. }
            | WireNews::Lost { .. }
            | WireNews::Syn { .. }
            | WireNews::Closed { .. } => None,
        }
    }
}

impl Display for WireNews {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            WireNews::Opened { ports, hub_ports } => {
                write!(f, "tap open: devices to ports {ports:?}, hubs from ports {hub_ports:?}")
            }
            WireNews::Lost { frames, since } => write!(f, "tap lost {frames} frames since {since}"),
            WireNews::Syn { peer, port, nth, gap_ns, seen } => {
                let peer = crate::base::text::printable(peer);
                write!(f, "SYN from {peer} to port {port}, sent for the {nth}. time, seen {seen}")?;
                gap_ns
                    .map_or(Ok(()), |gap| write!(f, ", {:?} after the one before", Duration::from_nanos(gap)))
            }
            WireNews::Ended { link, side, how, seen } => {
                write!(f, "{link} {} ended its deaf leg: {}, seen {seen}", side.word(), how.word())
            }
            WireNews::Blind { link, side } => {
                write!(f, "{link} {}: the tap did not see how this leg's connection began", side.word())
            }
            WireNews::Repeated { link, side, segments, last_gap_ns, probes, .. } => {
                write!(f, "{link} {} sent {segments} segments again, {probes} probes", side.word())?;
                last_gap_ns
                    .map_or(Ok(()), |gap| write!(f, ", the last after {:?}", Duration::from_nanos(gap)))
            }
            WireNews::Closed { frames, lost, untold } => {
                write!(f, "tap closed: {frames} frames, {lost} lost, {untold} not told")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, What};

    #[test]
    fn news_are_a_line_and_an_object_each() {
        let link = LinkId(2);
        let seen = Time::from_millis(3_100);
        for (news, line, json) in [
            (
                WireNews::Ended { link, side: Side::Device, how: Ending::Fin, seen },
                "#7 3.104 L2 device ended its deaf leg: FIN, seen 3.100",
                r#"{"seq":7,"t":3104000000,"event":"wire","wire":"ended","link":2,"side":"device","how":"fin","seen":3100000000}"#,
            ),
            (
                WireNews::Syn {
                    peer: "10.0.0.7:5123".into(),
                    port: 1884,
                    nth: 2,
                    gap_ns: Some(1_000_000_000),
                    seen,
                },
                "#7 3.104 SYN from 10.0.0.7:5123 to port 1884, sent for the 2. time, seen 3.100, 1s after the one before",
                r#"{"seq":7,"t":3104000000,"event":"wire","wire":"syn","peer":"10.0.0.7:5123","port":1884,"nth":2,"gap_ns":1000000000,"seen":3100000000}"#,
            ),
        ] {
            let event = Event { seq: 7, at: Time::from_millis(3_104), what: What::Wire { news } };
            assert_eq!(event.to_string(), line);
            let told = serde_json::to_string(&event).unwrap();
            assert_eq!(told, json);
            assert_eq!(serde_json::from_str::<Event>(&told).unwrap(), event);
        }
    }
}
