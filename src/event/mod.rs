//! Floor 2: what happened. Every figure that brownout shows is a fold over these events.
//!
//! Owns the event types, their JSON form (one line each in `events.jsonl`) and their one-line text. Invariant: an
//! event says what was seen or what a system call returned, never what was intended; secrets are gone before a
//! value gets here. Deliberately absent: any arithmetic over events (measure/), any writing of them (cli/).
//!
//! In JSON, fields that end in `_ns` and the field `t` are nanoseconds; `t` counts from the beginning of the run.

mod bounded;
mod kernel;
mod line;
pub(crate) mod message;
mod numbers;
mod packet;
mod samples;
mod text;
mod tls;
mod wire;

pub use kernel::{Dropped, Sources};
pub use line::Line;
pub use message::{Delivery, Excuse, Loss, MessageNews};
pub use numbers::{Numbers, Place};
pub use packet::{Packet, Says, SessionTerms, Will, shown};
pub use samples::Samples;
pub use tls::{TlsMode, TlsTerms, TlsUp};
pub use wire::WireNews;

use crate::base::{
    DeviceId, Direction, Ends, FiringId, LinkId, ListenerId, RuleId, Side, Time, Ways, WindowId,
};
use crate::fault::{Alteration, Ending, Fidelity, LegFate, Mechanism};
use crate::mqtt::{Flaw, PacketKind};
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number in the run, from 0, without gaps.
    pub seq: u64,
    /// When it happened.
    #[serde(rename = "t")]
    pub at: Time,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The run began; always the first event.
    RunStarted(Box<RunStarted>),
    /// The run ended; always the last event.
    RunEnded {
        /// Why.
        reason: EndReason,
    },
    /// The run comes to its end, and the command beside it is told to end. What devices and hubs show from here on, they were
    /// brought to, and it is no sign of a fault.
    CommandStopped,
    /// The command beside the run ended.
    CommandEnded {
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
    },
    /// A listener is ready for devices.
    ListenerOpened {
        /// Which.
        listener: ListenerId,
        /// Its address.
        address: String,
        /// Where its links lead.
        upstream: String,
        /// What of TLS holds there.
        #[serde(default, skip_serializing_if = "TlsTerms::is_plain")]
        tls: TlsTerms,
    },
    /// Connects to the listener vanish from now on.
    ListenerMuted {
        /// Which.
        listener: ListenerId,
        /// By what means.
        mechanism: Mechanism,
        /// Those from some addresses alone; `None`: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Sources>,
        /// Packets that the kernel dropped there since it was last told, where it was mute before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dropped: Option<u64>,
    },
    /// The kernel refused to mute the listener; connects are met with silence instead.
    ListenerMuteRefused {
        /// Which.
        listener: ListenerId,
        /// The reason, and the way out.
        error: String,
    },
    /// Connects to the listener arrive again.
    ListenerUnmuted {
        /// Which.
        listener: ListenerId,
        /// Packets that the kernel dropped there since it was mute, or since that was last told: SYNs, and what belonged to
        /// handshakes under way. Missing where it was not mute, or the kernel does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dropped: Option<u64>,
    },
    /// The run ends, and a listener that was mute is let go: who connects from now on is refused.
    ListenerClosed {
        /// Which.
        listener: ListenerId,
        /// Packets that the kernel dropped there since it was mute, or since that was last told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dropped: Option<u64>,
    },
    /// Connects could not be accepted (the listener lives on); told once a second at most.
    AcceptFailed {
        /// Which.
        listener: ListenerId,
        /// The system's word for it.
        error: String,
    },
    /// A connect came to brownout itself where devices are led here on their way to hubs (`--transparent`), and was reset;
    /// told once a second at most.
    ConnectAstray {
        /// Where.
        listener: ListenerId,
        /// The address and port it came from.
        peer: String,
    },
    /// A device's TCP connection was accepted.
    LinkOpened {
        /// The new link.
        link: LinkId,
        /// Where.
        listener: ListenerId,
        /// The device's address and port.
        peer: String,
        /// The address and port of the hub that the device dialled, where the kernel led it here (`--transparent`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// The hub's leg is up.
    HubConnected {
        /// The link.
        link: LinkId,
        /// How long the connect took.
        took_ns: u64,
        /// The address and port that the hub sees, where these are the device's (`--transparent`): the port is not the one
        /// that the device has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// The hub could not be reached for this link.
    HubUnreachable {
        /// The link.
        link: LinkId,
        /// What, where, what to do.
        error: String,
    },
    /// A device was seen for the first time, or is known by another name from now on.
    DeviceNamed {
        /// The device.
        device: DeviceId,
        /// Its client identifier, or its address where it has none.
        name: String,
    },
    /// The link belongs to this device.
    LinkIdentified {
        /// The link.
        link: LinkId,
        /// Its device.
        device: DeviceId,
    },
    /// An MQTT packet arrived at brownout, whole.
    Packet {
        /// The link.
        link: LinkId,
        /// Which way it travels.
        direction: Direction,
        /// Whether it waits in brownout; a `forwarded` event follows when it has been passed on.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        held: bool,
        /// Whether a fault lets it go no further.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dropped: bool,
        /// What it says as it is passed on, where a fault changes that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passed: Option<Box<Packet>>,
        /// What it says.
        #[serde(flatten)]
        packet: Packet,
    },
    /// A fault of packets did this to one, for good.
    Altered {
        /// The link.
        link: LinkId,
        /// Which way the packet travels.
        direction: Direction,
        /// The number of its `packet` event.
        packet_seq: u64,
        /// The window it belongs to; `None` for the plan's own `server_keepalive`, and for a command to brownout.
        window: Option<WindowId>,
        /// What was done.
        #[serde(flatten)]
        what: Alteration,
    },
    /// A fault-injection message of the Azure SDKs' tests arrived.
    FaultMessage {
        /// The link.
        link: LinkId,
        /// The number of its `packet` event.
        packet_seq: u64,
        /// What it asks for, as it stands there.
        operation: String,
        /// How long to wait before.
        delay_ns: u64,
        /// For how long, where it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_ns: Option<u64>,
        /// Why nothing comes of it, where that is so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ignored: Option<String>,
    },
    /// Something of the other client that a `takeover` fault sends to the hub.
    Rival {
        /// The window.
        window: WindowId,
        /// The link whose CONNECT it has.
        link: LinkId,
        /// What.
        #[serde(flatten)]
        news: RivalNews,
    },
    /// A packet that a fault had held or delayed was passed on, whole.
    Forwarded {
        /// The link.
        link: LinkId,
        /// The number of its `packet` event.
        packet_seq: u64,
    },
    /// The device's ClientHello came.
    TlsHello {
        /// The link.
        link: LinkId,
        /// The server name asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sni: Option<String>,
        /// The protocols offered, best first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        alpn: Vec<String>,
        /// Whether the handshake is passed through: then no MQTT is seen.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        passthrough: bool,
    },
    /// A TLS handshake of brownout's own is done.
    TlsEstablished {
        /// The link.
        link: LinkId,
        /// With whom.
        side: Side,
        /// What came of it.
        #[serde(flatten)]
        up: Box<TlsUp>,
    },
    /// A TLS leg of brownout's own failed, and not because its peer ended it, unless that was the hub in the handshake.
    TlsFailed {
        /// The link.
        link: LinkId,
        /// Which leg.
        side: Side,
        /// What is wrong, and the way out.
        error: String,
    },
    /// The first application data of a link whose TLS is passed through. From the hub, it counts as acceptance: a CONNACK
    /// cannot be seen.
    FirstData {
        /// The link.
        link: LinkId,
        /// Which way.
        direction: Direction,
    },
    /// The hub agreed to speak WebSocket.
    WsUpgraded {
        /// The link.
        link: LinkId,
        /// The path that was asked for, secrets of its query taken out.
        path: String,
        /// The subprotocol that the hub chose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protocol: Option<String>,
    },
    /// A WebSocket close frame arrived.
    WsClosed {
        /// The link.
        link: LinkId,
        /// Which way it travels.
        direction: Direction,
        /// Its status code (RFC 6455 section 7.4).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
    },
    /// The first PUBLISH of this link in this direction.
    FirstPublish {
        /// The link.
        link: LinkId,
        /// Which way.
        direction: Direction,
    },
    /// Messages of a device, as far as they can be followed: exact counts since the last such event.
    Delivery {
        /// The device.
        device: DeviceId,
        /// From the device.
        #[serde(default, skip_serializing_if = "is_nothing")]
        up: Box<Delivery>,
        /// For the device.
        #[serde(default, skip_serializing_if = "is_nothing")]
        down: Box<Delivery>,
    },
    /// Something remarkable of one message.
    Message {
        /// Whose: the device that sent it, or that it is for.
        device: DeviceId,
        /// The link that showed it; `None` where the end of the run did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<LinkId>,
        /// Which way it travels.
        direction: Direction,
        /// 0 to 2.
        qos: u8,
        /// Its packet identifier; `None` at QoS 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u16>,
        /// What.
        #[serde(flatten)]
        news: MessageNews,
        /// How many more messages alike the same second had, which are not told by themselves.
        #[serde(default, skip_serializing_if = "bounded::is_none", deserialize_with = "bounded::count")]
        more: u64,
    },
    /// The hub delivered the will of a device: a PUBLISH with its topic came down to some device, whose payload is as long and begins
    /// alike.
    WillDelivered {
        /// Whose will, of those with this topic.
        device: DeviceId,
        /// The link that it came down on.
        link: LinkId,
        /// The topic.
        topic: String,
    },
    /// The bytes are not MQTT, or cannot be read as such; they are relayed as they come from here on.
    NotMqtt {
        /// The link.
        link: LinkId,
        /// Which way.
        direction: Direction,
        /// The offset in the stream of the first byte that is not.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A packet came whose form its receiver has to refuse; each flaw is told once of a link and way.
    Malformed {
        /// The link.
        link: LinkId,
        /// Which way.
        direction: Direction,
        /// Its type.
        packet: PacketKind,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The device sent nothing for longer than its keep-alive [MQTT-3.1.2-23], with no fault to blame.
    KeepaliveExceeded {
        /// The link.
        link: LinkId,
        /// How long it was silent.
        gap_ns: u64,
        /// How long the packet took to come that ended it.
        #[serde(default, skip_serializing_if = "bounded::is_none")]
        took_ns: u64,
    },
    /// An end gave its leg up, of its own accord: the sign that it knows.
    LegEnded {
        /// The link.
        link: LinkId,
        /// Whose leg.
        side: Side,
        /// How.
        how: Ending,
        /// The system's word, where it was neither FIN nor RST from the wire (a TCP time-out, say).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        /// The last packets from and to that end.
        last: LastPackets,
    },
    /// The end of one leg was carried through to the other; of a WebSocket that was closed by a frame, first that, then the FIN.
    EndCarried {
        /// The link.
        link: LinkId,
        /// The end that was told.
        to: Side,
        /// How.
        how: Ending,
    },
    /// The FIN that was just said to an end waits on this machine behind what that end does not take: it has not been told. Then
    /// once more, when it has been sent.
    EndWaits {
        /// The link.
        link: LinkId,
        /// The end that was to be told.
        to: Side,
        /// Bytes of the stream that have not been sent, the FIN counted as one; 0: now it has been sent.
        #[serde(deserialize_with = "bounded::count")]
        unsent: u64,
    },
    /// A fault ended this leg, or left it with nothing behind it.
    LegCut {
        /// The link.
        link: LinkId,
        /// Whose leg.
        side: Side,
        /// What was done.
        fate: LegFate,
        /// The window it belongs to.
        window: Option<WindowId>,
        /// The last packets from and to that end.
        last: LastPackets,
    },
    /// What passed since the last such event of this link.
    Traffic(Box<Traffic>),
    /// Both legs are gone; the link's last event.
    LinkClosed {
        /// The link.
        link: LinkId,
        /// Bytes that arrived and were never passed on, by direction of travel: a cut or an error cost them, or their receiver
        /// had ended the link and refused them.
        undelivered: Ways<u64>,
    },
    /// A rule fired.
    Fired {
        /// The firing.
        firing: FiringId,
        /// The rule.
        rule: RuleId,
        /// The number of the firing among the rule's (for this device, where it fires per device), from 1.
        nth: u32,
    },
    /// Firings of a rule by the run's clock were left out: brownout came to them too late, and they are not made up for.
    Skipped {
        /// The rule.
        rule: RuleId,
        /// The number of the first among the rule's, from 1.
        first: u32,
        /// The number of the last.
        last: u32,
        /// How late brownout was: with the first, or with the one before it, which stands for it.
        late_ns: u64,
    },
    /// A firing fell on a device. What was done to its links follows.
    WindowOpened {
        /// The window.
        window: WindowId,
        /// Its firing.
        firing: FiringId,
        /// Its rule.
        rule: RuleId,
        /// The device.
        device: DeviceId,
        /// When it is to end; `None` for a one-shot or with the run.
        until: Option<Time>,
        /// The keep-alive that spans were resolved with.
        keep_alive_ns: u64,
        /// Whether that keep-alive is the stated default, because the device has none.
        assumed: bool,
        /// The keep-alive that the hub was told, where a fault made it another.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hub_keep_alive_ns: Option<u64>,
    },
    /// The fault holds on this link from now on (stamped when the last system call returned).
    FaultApplied {
        /// The window.
        window: WindowId,
        /// The link.
        link: LinkId,
        /// What the peers' TCP sees of it.
        fidelity: Fidelity,
        /// The means, by leg; `None` for a leg left alone.
        means: Ends<Option<Mechanism>>,
    },
    /// The kernel refused; this fault did not happen on this link.
    FaultRefused {
        /// The window.
        window: WindowId,
        /// The link.
        link: LinkId,
        /// The reason, and the way out.
        error: String,
    },
    /// The fault no longer holds on this link: its path is restored.
    FaultLifted {
        /// The window.
        window: WindowId,
        /// The link.
        link: LinkId,
    },
    /// What the kernel dropped of what came on a leg, for the faults that held there; told when what it is to drop changes,
    /// before that is confirmed, and at the end of the link. Missing where the kernel does not count it.
    Dropped {
        /// The link.
        link: LinkId,
        /// Whose segments.
        side: Side,
        /// How many.
        #[serde(flatten)]
        what: Dropped,
    },
    /// The window is over: for this device the path is restored.
    WindowClosed {
        /// The window.
        window: WindowId,
    },
    /// The tap has seen something on the wire, or has begun or ended.
    Wire {
        /// What.
        #[serde(flatten)]
        news: WireNews,
    },
    /// brownout itself was held up: a thread of its own was woken late, because the machine was too busy to run it, or because
    /// it was stopped, or the machine suspended. Times of events around then may be off by as much.
    HeldUp {
        /// How late: brownout was held up for at least so long.
        late_ns: u64,
    },
    /// The capture of the run's MQTT is complete, or as complete as it becomes.
    CaptureClosed {
        /// Packets in the file.
        written: u64,
        /// Reads and writes that found no room on their way into it.
        dropped: u64,
        /// Why the file ends before the run, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl What {
    /// The link that it is of; `None` for what is of several, or of none.
    pub fn link(&self) -> Option<LinkId> {
        match self {
            What::LinkOpened { link, .. }
            | What::HubConnected { link, .. }
            | What::HubUnreachable { link, .. }
            | What::LinkIdentified { link, .. }
            | What::Packet { link, .. }
            | What::Altered { link, .. }
            | What::FaultMessage { link, .. }
            | What::Rival { link, .. }
            | What::Forwarded { link, .. }
            | What::TlsHello { link, .. }
            | What::TlsEstablished { link, .. }
            | What::TlsFailed { link, .. }
            | What::FirstData { link, .. }
            | What::WsUpgraded { link, .. }
            | What::WsClosed { link, .. }
            | What::FirstPublish { link, .. }
            | What::WillDelivered { link, .. }
            | What::NotMqtt { link, .. }
            | What::Malformed { link, .. }
            | What::KeepaliveExceeded { link, .. }
            | What::LegEnded { link, .. }
            | What::EndCarried { link, .. }
            | What::EndWaits { link, .. }
            | What::LegCut { link, .. }
            | What::LinkClosed { link, .. }
            | What::FaultApplied { link, .. }
            | What::FaultRefused { link, .. }
            | What::FaultLifted { link, .. }
            | What::Dropped { link, .. } => Some(*link),
            What::Message { link, .. } => *link,
            What::Wire { news } => news.link(),
            What::Traffic(traffic) => Some(traffic.link),
            What::RunStarted(_)
            | What::RunEnded { .. }
            | What::CommandStopped
            | What::CommandEnded { .. }
            | What::ListenerOpened { .. }
            | What::ListenerMuted { .. }
            | What::ListenerMuteRefused { .. }
            | What::ListenerUnmuted { .. }
            | What::ListenerClosed { .. }
            | What::AcceptFailed { .. }
            | What::ConnectAstray { .. }
            | What::DeviceNamed { .. }
            | What::Delivery { .. }
            | What::Fired { .. }
            | What::Skipped { .. }
            | What::WindowOpened { .. }
            | What::WindowClosed { .. }
            | What::HeldUp { .. }
            | What::CaptureClosed { .. } => None,
        }
    }

    /// Whether its device is accepted by it: by a CONNACK that is passed on, now or later, or, of TLS that is passed through, by
    /// the first application data from the hub.
    pub fn accepts(&self) -> bool {
        match self {
            What::FirstData { direction: Direction::Down, .. } => true,
            What::Packet { direction: Direction::Down, packet, dropped, passed, .. } => {
                let passed = packet.passed_on(*dropped, passed.as_deref());
                matches!(passed, Some(Packet::Connack { code: 0, .. }))
            }
            _ => false,
        }
    }
}

/// The first event: all that is needed to read the others, and to render every report again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The version of brownout that wrote this.
    pub version: String,
    /// Wall-clock time of the beginning, RFC 3339 in UTC.
    pub wall_clock: String,
    /// The seed of every draw.
    pub seed: u64,
    /// The profile's file or shipped name.
    pub profile_name: String,
    /// The profile's text, as read.
    pub profile: String,
    /// The `--set` overrides, as given.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// The client identifiers (a glob) whose fault-injection messages are honoured, where any are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_fault_messages: Option<String>,
    /// Whether this is `brownout observe`: nothing is broken, and the run has no end of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observer: bool,
    /// The number of this part of the log, from 0: a long log is cut into parts, each of which stands for itself. Of a
    /// later part, this event has the time at which the part begins and the number of its first new event; what is told
    /// with lower numbers is what lived then, and stands in earlier parts too.
    #[serde(default, skip_serializing_if = "is_first")]
    pub part: u32,
}

#[expect(clippy::borrowed_box, reason = "serde passes a reference")]
fn is_nothing(counts: &Box<Delivery>) -> bool {
    counts.is_empty()
}

fn is_first(part: &u32) -> bool {
    *part == 0
}

/// What became of the other client that a `takeover` fault sends to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rival", rename_all = "snake_case")]
pub enum RivalNews {
    /// The hub accepted it.
    Accepted,
    /// The hub refused its CONNECT.
    Refused {
        /// With this code.
        code: u8,
    },
    /// It could not come so far.
    Failed {
        /// Why.
        error: String,
    },
    /// The hub ended its link.
    Ended {
        /// How.
        how: Ending,
    },
    /// The fault is over, and it has gone.
    Left,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Every rule is through on the devices that are there, and these were watched long enough after.
    Complete,
    /// The duration is over.
    Duration,
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
    /// The command ended and no rule is left.
    CommandEnded,
}

/// Counts and timings of one link since its last such event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// The link.
    pub link: LinkId,
    /// From the device.
    pub up: Count,
    /// From the hub.
    pub down: Count,
    /// The last packets from and to each end.
    pub last: Ends<LastPackets>,
    /// When bytes last came of a packet of the device's that is not there whole; `None` where all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Time>,
    /// Since when what the hub sends is left unread, because the device takes no more; `None` where it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Time>,
    /// Where an earlier event said that it was left unread, and it was read again since: when that was last so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_again: Option<Time>,
    /// From each QoS 1 or 2 PUBLISH to its PUBACK or PUBCOMP, in nanoseconds: up, measured at the device's leg.
    #[serde(default, skip_serializing_if = "Samples::is_empty")]
    pub publish_rtt: Samples,
    /// From each packet of the device to the next, in nanoseconds, but for gaps that a fault may have made.
    #[serde(default, skip_serializing_if = "Samples::is_empty")]
    pub control_gap: Samples,
}

/// When an end was last heard of, and when it last heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPackets {
    /// When its last packet arrived at brownout.
    pub from: Option<Time>,
    /// When the last packet for it was passed on.
    pub to: Option<Time>,
}

/// What passed in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Bytes.
    #[serde(deserialize_with = "bounded::count")]
    pub bytes: u64,
    /// MQTT packets.
    #[serde(deserialize_with = "bounded::count")]
    pub packets: u64,
    /// PUBLISH packets among them.
    #[serde(deserialize_with = "bounded::count")]
    pub publishes: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, more: Count) {
        self.bytes += more.bytes;
        self.packets += more.packets;
        self.publishes += more.publishes;
    }
}
