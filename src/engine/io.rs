//! What goes into the engine and what comes out of it.

use crate::azure::FaultRequest;
use crate::base::{DeviceId, Direction, Ends, LinkId, ListenerId, Side, Time, Ways, WindowId};
use crate::event::{
    Delivery, Dropped, EndReason, Event, LastPackets, RivalNews, RunStarted, Says, TlsTerms, TlsUp, Traffic,
    WireNews,
};
use crate::fault::{Alteration, Cut, Effects, Ending, Harm, Inject, LegFate, Mechanism};
use crate::mqtt::{Flaw, PacketKind};
use crate::session::ledger::News;
use crate::session::meter::Silence;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Something that net/ saw or did. Packets come by [`Engine::packet`](super::Engine::packet).
#[derive(Debug)]
pub enum Input {
    /// The run begins; the first input.
    Started(Box<RunStarted>),
    /// A listener is bound.
    ListenerOpened {
        /// Which.
        listener: ListenerId,
        /// Its address.
        address: String,
        /// Where its links lead.
        upstream: String,
        /// What of TLS holds there.
        tls: TlsTerms,
    },
    /// A listener was asked to be mute or closed, or to listen again; this came of it.
    ListenerDone {
        /// Which.
        listener: ListenerId,
        /// `Ok(None)`: it listens to all; `Ok(Some)`: it is mute, or closed.
        outcome: Result<Option<Mechanism>, String>,
        /// What the kernel dropped of what came to it since it was mute, or since that was last told; `None` where it was not
        /// mute, or the kernel does not say.
        dropped: Option<u64>,
    },
    /// The run ends, and a listener that was mute until now is let go.
    ListenerClosed {
        /// Which.
        listener: ListenerId,
        /// As in [`Input::ListenerDone`].
        dropped: Option<u64>,
    },
    /// A connect could not be accepted.
    AcceptFailed {
        /// Which.
        listener: ListenerId,
        /// The system's word for it.
        error: String,
    },
    /// A connect came that was going nowhere but to brownout, which leads nowhere, and was reset.
    ConnectAstray {
        /// Where.
        listener: ListenerId,
        /// From where.
        peer: SocketAddr,
    },
    /// A device's connection was accepted.
    LinkOpened {
        /// A new number, higher than all before.
        link: LinkId,
        /// Where.
        listener: ListenerId,
        /// From where.
        peer: SocketAddr,
        /// The hub that its device dialled, where the kernel led it here.
        to: Option<SocketAddr>,
    },
    /// The hub's leg is up.
    HubConnected {
        /// The link.
        link: LinkId,
        /// How long the connect took.
        took: Duration,
        /// What the hub sees, where that is the device's address.
        from: Option<SocketAddr>,
    },
    /// The hub could not be reached.
    HubUnreachable {
        /// The link.
        link: LinkId,
        /// What, where, what to do.
        error: String,
    },
    /// A packet that the engine asked about, or that had been held, was passed on.
    Passed {
        /// The link.
        link: LinkId,
        /// Its ticket.
        ticket: PacketTicket,
    },
    /// The device's ClientHello came. What the engine orders about it is in the link's mailbox when this returns, and
    /// holds for the handshake.
    TlsHello {
        /// The link.
        link: LinkId,
        /// The server name asked for.
        sni: Option<String>,
        /// The protocols offered, best first.
        alpn: Vec<String>,
        /// Whether brownout passes the handshake through: then no MQTT will be seen.
        passthrough: bool,
    },
    /// A TLS handshake of brownout's own is done.
    TlsEstablished {
        /// The link.
        link: LinkId,
        /// With whom.
        side: Side,
        /// What came of it.
        up: Box<TlsUp>,
    },
    /// A TLS leg of brownout's own failed: not by its peer's end, which is [`Input::LegEnded`], but where the hub ended it in
    /// the handshake, without an alert that says why; then both come.
    TlsFailed {
        /// The link.
        link: LinkId,
        /// Which leg.
        side: Side,
        /// What is wrong, and the way out.
        error: String,
    },
    /// The first application data of a link whose TLS is passed through.
    FirstData {
        /// The link.
        link: LinkId,
        /// The direction.
        direction: Direction,
    },
    /// The hub agreed to speak WebSocket.
    WsUpgraded {
        /// The link.
        link: LinkId,
        /// The path that was asked for, secrets of its query taken out.
        path: String,
        /// The subprotocol that the hub chose.
        protocol: Option<String>,
    },
    /// A WebSocket close frame arrived.
    WsClosed {
        /// The link.
        link: LinkId,
        /// The direction.
        direction: Direction,
        /// Its status code.
        code: Option<u16>,
    },
    /// Something was done to a packet, as the verdict on it said, and is on the wire.
    Altered {
        /// The link.
        link: LinkId,
        /// Which way the packet travels.
        direction: Direction,
        /// The number of its event.
        seq: u64,
        /// The window, from the verdict.
        window: Option<WindowId>,
        /// What was done.
        what: Alteration,
    },
    /// What the verdict on a packet, or an order, said could not be done.
    NotAltered {
        /// The link.
        link: LinkId,
        /// The window.
        window: Option<WindowId>,
        /// The number of the packet's event, where it goes on without that; `None` for an order, and for all that waits on
        /// the link.
        seq: Option<u64>,
        /// Why not.
        error: String,
    },
    /// What the verdict on a packet said changes nothing of it: it has those values already, or has no such field.
    Unchanged {
        /// The link.
        link: LinkId,
        /// The window.
        window: Option<WindowId>,
        /// The number of the packet's event.
        seq: u64,
    },
    /// Nothing has passed either way for as long as [`Effects::idle`] says. Told once, until something passes.
    Idle {
        /// The link.
        link: LinkId,
    },
    /// A packet of brownout's own is on the wire.
    Injected {
        /// The link.
        link: LinkId,
        /// Its window.
        window: WindowId,
        /// Who gets it.
        toward: Side,
    },
    /// An end was told FIN, and the other direction goes on.
    HalfClosed {
        /// The link.
        link: LinkId,
        /// Its window; `None` for a link whose device was not known.
        window: Option<WindowId>,
        /// Who was told.
        toward: Side,
        /// Whether it was this fault that said it, and not something before.
        done: bool,
    },
    /// Something of the other client that was sent to the hub.
    Rival {
        /// The link whose CONNECT it has.
        link: LinkId,
        /// Its window.
        window: WindowId,
        /// What.
        news: RivalNews,
    },
    /// A record was damaged, as ordered, and sent.
    Harmed {
        /// The link.
        link: LinkId,
        /// Its window.
        window: Option<WindowId>,
        /// Who got it.
        toward: Side,
    },
    /// The first PUBLISH of a link in a direction.
    FirstPublish {
        /// The link.
        link: LinkId,
        /// The direction.
        direction: Direction,
    },
    /// The bytes are not MQTT from here on.
    NotMqtt {
        /// The link.
        link: LinkId,
        /// The direction.
        direction: Direction,
        /// Where in the stream.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A packet came whose form its receiver has to refuse.
    Malformed {
        /// The link.
        link: LinkId,
        /// The direction.
        direction: Direction,
        /// Its type.
        packet: PacketKind,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// A PUBLISH came for the device, on a topic that may be that of a will.
    Published {
        /// The link.
        link: LinkId,
        /// The topic, as events show it.
        topic: String,
        /// Its RETAIN flag.
        retain: bool,
        /// What it says, where that can be known.
        says: Option<Says>,
    },
    /// The device published on the topic of its own will.
    UsesWillTopic {
        /// The link.
        link: LinkId,
    },
    /// The device was silent for longer than its keep-alive.
    KeepaliveExceeded {
        /// The link.
        link: LinkId,
        /// How long.
        silence: Silence,
    },
    /// An end gave up its leg.
    LegEnded {
        /// The link.
        link: LinkId,
        /// The end.
        side: Side,
        /// How.
        how: Ending,
        /// The system's word, where it was neither FIN nor RST from the wire.
        error: Option<String>,
        /// The last packets from and to it.
        last: LastPackets,
    },
    /// The end of one leg was carried to the other.
    EndCarried {
        /// The link.
        link: LinkId,
        /// The end that was told.
        to: Side,
        /// How.
        how: Ending,
    },
    /// The FIN that was said to an end waits behind what that does not take, or has been sent since.
    EndWaits {
        /// The link.
        link: LinkId,
        /// The end.
        to: Side,
        /// Bytes of the stream that have not been sent, the FIN counted as one.
        unsent: u64,
    },
    /// The effects of this generation hold on the link.
    Applied {
        /// The link.
        link: LinkId,
        /// The generation, from its [`Order::Apply`]; earlier ones are confirmed with it.
        generation: u64,
        /// What the kernel granted.
        granted: Granted,
    },
    /// What the kernel dropped of what came on a leg, for the effects in force so far.
    Dropped {
        /// The link.
        link: LinkId,
        /// Whose segments.
        side: Side,
        /// How many.
        what: Dropped,
    },
    /// A cut was made.
    CutDone {
        /// The link.
        link: LinkId,
        /// Its window.
        window: Option<WindowId>,
        /// What was done to each leg; `None` for a leg that had gone before.
        done: Ends<Option<LegFate>>,
        /// The last packets from and to each end.
        last: Ends<LastPackets>,
    },
    /// Counts and timings.
    Traffic(Box<Traffic>),
    /// What became of messages of a device, since the last such input.
    Delivery {
        /// The device.
        device: DeviceId,
        /// By the direction of travel.
        counts: Box<Ways<Delivery>>,
    },
    /// Something remarkable of one message.
    Message {
        /// Whose.
        device: DeviceId,
        /// Which, and what.
        news: Box<News>,
    },
    /// Both legs are gone.
    LinkClosed {
        /// The link.
        link: LinkId,
        /// Bytes that were never passed on.
        undelivered: Ways<u64>,
    },
    /// The command beside the run is told to end.
    CommandStopped,
    /// The command beside the run ended.
    CommandEnded {
        /// Its exit code.
        code: Option<i32>,
    },
    /// The tap has seen something.
    Wire(WireNews),
    /// A thread was woken late: brownout was held up.
    HeldUp {
        /// By how much.
        late: Duration,
    },
    /// The capture of the run's MQTT was closed.
    CaptureClosed {
        /// Packets in the file.
        written: u64,
        /// Reads and writes that found no room.
        dropped: u64,
        /// Why the file ends before the run, if it does.
        error: Option<String>,
    },
    /// All links are closed and no more input comes: the last input.
    Ended(EndReason),
}

/// What the kernel said to what was asked of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// To each mute that was asked for.
    pub mute: Ends<Option<Result<Mechanism, String>>>,
    /// To each loss that was asked for.
    pub loss: Ends<Option<Result<Mechanism, String>>>,
}

/// What connects to a listener meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They arrive.
    #[default]
    Open,
    /// They vanish.
    Mute,
    /// Those from these addresses vanish, and all others arrive.
    MuteTo(Arc<[IpAddr]>),
    /// They are refused.
    Closed,
}

/// Something for net/ to do, or an event for the log.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// It happened.
    Event(Box<Event>),
    /// For a link.
    Link(LinkId, Order),
    /// For a listener: what its connects are to meet.
    Listener(ListenerId, Door),
    /// The run is over for this reason; close the links, then say [`Input::Ended`].
    Finish(EndReason),
}

/// Something for a link to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Bring the link into this state and confirm it.
    Apply {
        /// Ascending for each link.
        generation: u64,
        /// The state.
        effects: Box<Effects>,
    },
    /// End its legs and confirm it.
    Cut(Cut),
    /// Damage a record, and confirm it once that is done.
    Harm(Harm),
    /// Put a packet into the stream at the next place between two, and confirm it once it is on the wire.
    Inject {
        /// Its window.
        window: WindowId,
        /// What, and toward whom.
        inject: Arc<Inject>,
    },
    /// Tell an end FIN, go on with the other direction, and confirm it.
    HalfClose {
        /// Its window; `None` for a link whose device is not known.
        window: Option<WindowId>,
        /// Who is told.
        toward: Side,
    },
    /// Send another client to the hub with this link's CONNECT, and tell how it fares. It outlives the link.
    Rival {
        /// Its window.
        window: WindowId,
        /// When it leaves.
        until: Time,
        /// How long after it has lost its own link it connects again.
        again: Option<Duration>,
    },
}

/// What net/ says of a packet beside what the log keeps of it.
#[derive(Clone, Debug, Default)]
pub struct Beside<'a> {
    /// Of a PUBLISH, the topic name as it is, an alias resolved; `None` where it is not known, or nobody asks.
    pub topic: Option<&'a str>,
    /// The command to brownout that it is, where these are honoured.
    pub request: Option<FaultRequest>,
}

/// What net/ is to do about a packet that it has told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketTicket {
    /// The number of its event.
    pub seq: u64,
    /// Whether [`Input::Passed`] is wanted even if the packet is not held.
    pub wanted: bool,
    /// Whether it was held.
    pub held: bool,
}
