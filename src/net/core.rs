//! The engine behind its one lock.
//!
//! Everything that happens is told to the engine here, and stamped under the lock, so that events are in order of
//! time. Orders go to the mailbox of their link under the same lock, so that they arrive in order too. The lock is
//! held for the engine's work alone, never across an await.

use super::alarm::Alarm;
use super::capture::{Capture, Tap};
use super::door::Keeper;
use super::tap::WireTap;
use super::wills::Known;
use super::{Clock, EventQueue};
use crate::base::{DeviceId, Direction, LinkId, ListenerId, Side, Time, Ways};
use crate::engine::{Beside, Engine, Input, Order, Output, PacketTicket};
use crate::event::{EndReason, Packet, TlsTerms};
use crate::fault::{Asks, Verdict};
use crate::mqtt::{FilterTree, KindSet, PacketKind};
use crate::profile::Sequence;
use crate::session::Ledger;
use crate::session::ledger::{Account, Books};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

/// The engine, and the way of its outputs.
#[derive(Debug)]
pub struct Core {
    clock: Clock,
    inner: Mutex<Inner>,
    /// The kinds of packets that the engine wants.
    wanted: KindSet,
    works_on_packets: bool,
    follows_topics: bool,
    filters: FilterTree,
    honours_messages: bool,
    may_mute: bool,
    /// The engine's deadline came nearer.
    sooner: Notify,
    finish: watch::Sender<Option<EndReason>>,
    /// Whether a rule may need the CONNECT of a link.
    keeps_connects: bool,
    /// Held by each rival that is under way.
    rivals: Arc<()>,
    capture: Option<Capture>,
    wire: Option<WireTap>,
    /// Where numbers stand in payloads.
    sequence: Option<Sequence>,
    wills: Known,
}

#[derive(Debug)]
struct Inner {
    engine: Engine,
    events: EventQueue,
    links: BTreeMap<LinkId, Arc<Mailbox>>,
    listeners: BTreeMap<ListenerId, Keeper>,
    /// One ledger for each device that a CONNECT has named.
    books: Books,
    next_link: u64,
    /// How many closed since what they leave behind was last packed.
    closed: u32,
    armed: Option<Time>,
}

/// So many links that closed leave behind what is worth packing, once none is left.
const MANY_CLOSED: u32 = 512;

/// Orders on their way to a link's task.
#[derive(Debug, Default)]
pub struct Mailbox {
    full: AtomicBool,
    inner: Mutex<Letters>,
}

#[derive(Debug, Default)]
struct Letters {
    letters: Vec<Letter>,
    /// How many of them are due before the bytes of the last packet told.
    due: usize,
    waker: Option<Waker>,
}

/// One message to a link's task.
#[derive(Debug, PartialEq)]
pub enum Letter {
    /// Something to do.
    Order(Order),
    /// The run is over: say what was counted, and go.
    Stop,
}

impl Core {
    /// A core for this engine.
    pub fn new(engine: Engine, clock: Clock, events: EventQueue) -> Core {
        let keeps_connects = engine.has_takeovers();
        let mut wanted = KindSet::default();
        PacketKind::ALL.into_iter().filter(|kind| engine.wants(*kind)).for_each(|kind| wanted.insert(kind));
        Core {
            clock,
            wanted,
            works_on_packets: engine.works_on_packets(),
            follows_topics: engine.follows_topics(),
            filters: engine.filters(),
            honours_messages: engine.honours_messages(),
            may_mute: engine.may_mute(),
            sequence: engine.sequence().cloned(),
            inner: Mutex::new(Inner {
                engine,
                events,
                links: BTreeMap::new(),
                listeners: BTreeMap::new(),
                books: Books::default(),
                next_link: 0,
                closed: 0,
                armed: None,
            }),
            sooner: Notify::new(),
            finish: watch::Sender::new(None),
            keeps_connects,
            rivals: Arc::default(),
            capture: None,
            wire: None,
            wills: Known::default(),
        }
    }

    /// The same, with what passes on its links written to a capture.
    pub fn captured(self, capture: Option<Capture>) -> Core {
        Core { capture, ..self }
    }

    /// The same, beside a tap.
    pub fn beside_tap(self, wire: Option<WireTap>) -> Core {
        Core { wire, ..self }
    }

    /// A leg is about to be made deaf, or lossy.
    pub fn watch(&self, link: LinkId, side: Side, stream: Option<&TcpStream>) {
        if let Some((wire, stream)) = self.wire.as_ref().zip(stream) {
            wire.watch(link, side, stream);
        }
    }

    /// A leg hears all again.
    pub fn unwatch(&self, link: LinkId, side: Side) {
        if let Some(wire) = &self.wire {
            wire.unwatch(link, side);
        }
    }

    /// A tap for a leg, where there is a capture.
    pub fn tap(&self, link: LinkId, side: Side, stream: &TcpStream) -> Option<Tap> {
        self.capture.as_ref()?.tap(link, side, stream)
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether packets of this kind are to be told.
    pub fn wants(&self, kind: PacketKind) -> bool {
        self.wanted.has(kind)
    }

    /// The kinds of packets that are to be told.
    pub fn wanted(&self) -> KindSet {
        self.wanted
    }

    /// Whether a rule may need the CONNECT of a link.
    pub fn keeps_connects(&self) -> bool {
        self.keeps_connects
    }

    /// A rival is under way, for as long as this is held.
    pub fn count_rival(&self) -> Arc<()> {
        Arc::clone(&self.rivals)
    }

    /// Whether packets may be worked on, so that links have to know where each of them ends.
    pub fn works_on_packets(&self) -> bool {
        self.works_on_packets
    }

    /// Whether the kernel may be asked to drop what a peer sends.
    pub fn may_mute(&self) -> bool {
        self.may_mute
    }

    /// Whether topic aliases are to be followed.
    pub fn follows_topics(&self) -> bool {
        self.follows_topics
    }

    /// The topic filters of rules.
    pub fn filters(&self) -> &FilterTree {
        &self.filters
    }

    /// The topics of wills.
    pub fn wills(&self) -> &Known {
        &self.wills
    }

    /// Whether fault-injection messages are looked for.
    pub fn honours_messages(&self) -> bool {
        self.honours_messages
    }

    /// Where numbers stand in payloads.
    pub fn sequence(&self) -> Option<&Sequence> {
        self.sequence.as_ref()
    }

    /// The device of a link, and its ledger, which all its links share.
    pub fn ledger(&self, link: LinkId) -> Option<(DeviceId, Arc<Mutex<Ledger>>)> {
        let mut inner = self.lock();
        let device = inner.engine.device_of(link)?;
        let greatest = self.sequence.as_ref().and_then(Sequence::greatest);
        Some((device, inner.books.of(device, greatest)))
    }

    /// Tells what is still in flight, all links being closed, and then why the run ended.
    pub fn end(&self, reason: EndReason) {
        let mut inner = self.lock();
        for account in std::mem::take(&mut inner.books).close(self.clock.now()) {
            self.settle(&mut inner, account);
        }
        drop(inner);
        self.tell(Input::Ended(reason));
    }

    /// Tells the engine something; its outputs are on their way when this returns.
    pub fn tell(&self, input: Input) {
        let mut inner = self.lock();
        inner.engine.handle(self.clock.now(), input);
        self.deliver(&mut inner);
    }

    /// Tells the engine of a packet. What has been ordered on its link by then is due before its bytes are passed on:
    /// what the ticket says of them takes it into account, and nothing that is ordered later.
    pub fn packet(
        &self,
        link: LinkId,
        mailbox: &Mailbox,
        direction: Direction,
        packet: Packet,
        beside: Beside<'_>,
        held: bool,
    ) -> (PacketTicket, Option<Box<Verdict>>) {
        let mut inner = self.lock();
        let told = inner.engine.packet(self.clock.now(), link, direction, packet, beside, held);
        self.deliver(&mut inner);
        mailbox.mark();
        told
    }

    /// A connection from this address was accepted, here or by a hub: the tap is not to take it for one that nobody accepted.
    pub fn accepted(&self, from: SocketAddr) {
        if let Some(wire) = &self.wire {
            wire.accepted(from);
        }
    }

    /// Opens a link for an accepted connection: its number, and where its orders arrive. `to` is the hub that its device
    /// dialled, where the kernel led it here.
    pub fn open_link(
        &self,
        listener: ListenerId,
        peer: SocketAddr,
        to: Option<SocketAddr>,
    ) -> (LinkId, Arc<Mailbox>) {
        self.accepted(peer);
        if let (Some(wire), Some(to)) = (&self.wire, to) {
            wire.led_from(to.port());
        }
        let mut inner = self.lock();
        let link = LinkId(inner.next_link);
        inner.next_link += 1;
        let mailbox = Arc::new(Mailbox::default());
        inner.links.insert(link, Arc::clone(&mailbox));
        inner.engine.handle(self.clock.now(), Input::LinkOpened { link, listener, peer, to });
        self.deliver(&mut inner);
        (link, mailbox)
    }

    /// The link's last words: what it leaves undelivered.
    pub fn close_link(&self, link: LinkId, input: Input) {
        Side::BOTH.into_iter().for_each(|side| self.unwatch(link, side));
        let mut inner = self.lock();
        inner.links.remove(&link);
        if let Some(device) = inner.engine.device_of(link) {
            inner.books.rest(device);
        }
        for device in inner.engine.forgets_with(link) {
            if let Some(account) = inner.books.forget(self.clock.now(), device) {
                self.settle(&mut inner, account);
            }
        }
        inner.engine.handle(self.clock.now(), input);
        self.deliver(&mut inner);
        inner.closed += 1;
        if inner.links.is_empty() && inner.closed >= MANY_CLOSED {
            inner.closed = 0;
            inner.engine.pack_up();
            inner.books.pack_up();
        }
    }

    /// Tells what a ledger came to.
    fn settle(&self, inner: &mut Inner, account: Account) {
        let Account { device, news, counts } = account;
        for news in news {
            inner.engine.handle(self.clock.now(), Input::Message { device, news: Box::new(news) });
        }
        if let Some(counts) = counts {
            inner.engine.handle(self.clock.now(), Input::Delivery { device, counts: Box::new(counts) });
        }
        self.deliver(inner);
    }

    /// Makes a listener known, with what opens and closes it.
    pub fn open_listener(
        &self,
        listener: ListenerId,
        keeper: Keeper,
        address: String,
        upstream: String,
        tls: TlsTerms,
    ) {
        let mut inner = self.lock();
        inner.listeners.insert(listener, keeper);
        inner.engine.handle(self.clock.now(), Input::ListenerOpened { listener, address, upstream, tls });
        self.deliver(&mut inner);
    }

    /// Lets go of all listeners: who connects now is refused, or, where the kernel led connects here, led elsewhere. Of those
    /// that are mute it is told, with what the kernel has dropped there until now.
    pub fn close_listeners(&self) {
        let mut inner = self.lock();
        for (listener, keeper) in std::mem::take(&mut inner.listeners) {
            if let Some(dropped) = keeper.close() {
                inner.engine.handle(self.clock.now(), Input::ListenerClosed { listener, dropped });
            }
        }
        self.deliver(&mut inner);
    }

    /// Ends the run for this reason, unless it has ended.
    pub fn finish(&self, reason: EndReason) {
        self.finish.send_if_modified(|finish| {
            let first = finish.is_none();
            *finish = finish.or(Some(reason));
            first
        });
    }

    /// Waits until the run is to end.
    pub async fn finished(&self) -> EndReason {
        let mut finish = self.finish.subscribe();
        loop {
            if let Some(reason) = *finish.borrow_and_update() {
                return reason;
            }
            if finish.changed().await.is_err() {
                // The sender lives in self: this cannot be, and waiting on would hide it.
                return EndReason::Interrupted;
            }
        }
    }

    /// Tells every link and rival to go.
    pub fn stop(&self) {
        self.finish(EndReason::Interrupted);
        let inner = self.lock();
        for mailbox in inner.links.values() {
            mailbox.post(Letter::Stop);
        }
    }

    /// How many links there are, and rivals under way.
    pub fn links(&self) -> usize {
        self.lock().links.len() + Arc::strong_count(&self.rivals) - 1
    }

    /// Lets the engine do what falls due. Runs as long as the run.
    pub async fn keep_time(&self, alarm: &Alarm) {
        let mut slot = alarm.slot();
        loop {
            let sooner = self.sooner.notified();
            let deadline = self.tick();
            let due = poll_fn(|cx| match deadline {
                Some(at) => slot.poll_until(cx, at),
                None => std::task::Poll::Pending,
            });
            tokio::select! {
                () = due => {}
                () = sooner => {}
            }
        }
    }

    /// Lets the engine do what is due now; when to come again.
    pub(super) fn tick(&self) -> Option<Time> {
        let mut inner = self.lock();
        inner.engine.tick(self.clock.now());
        self.deliver(&mut inner);
        inner.armed = inner.engine.deadline();
        inner.armed
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, inner: &mut Inner) {
        while let Some(output) = inner.engine.poll() {
            match output {
                Output::Event(event) => {
                    tracing::debug!(target: "brownout::event", "{event}");
                    if let Some(capture) = &self.capture {
                        capture.note(&event);
                    }
                    inner.events.push(*event);
                }
                Output::Link(link, order) => {
                    if let Some(mailbox) = inner.links.get(&link) {
                        mailbox.post(Letter::Order(order));
                    }
                }
                Output::Listener(listener, door) => {
                    let done = inner.listeners.get_mut(&listener).map(|known| known.set(&door));
                    if let Some((outcome, dropped)) = done {
                        let now = self.clock.now();
                        inner.engine.handle(now, Input::ListenerDone { listener, outcome, dropped });
                    }
                }
                Output::Finish(reason) => self.finish(reason),
            }
        }
        let deadline = inner.engine.deadline();
        if deadline.is_some_and(|at| inner.armed.is_none_or(|armed| at < armed)) {
            inner.armed = deadline;
            self.sooner.notify_one();
        }
    }
}

impl Mailbox {
    /// Sets whom to wake when a letter comes.
    pub fn register(&self, waker: &Waker) {
        let mut letters = self.lock();
        if !letters.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            letters.waker = Some(waker.clone());
        }
    }

    /// Whether no letter waits.
    pub fn is_empty(&self) -> bool {
        !self.full.load(Ordering::Acquire)
    }

    /// The letters that came. Costs one atomic load where there are none.
    pub fn take(&self) -> Vec<Letter> {
        if !self.full.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut letters = self.lock();
        self.full.store(false, Ordering::Release);
        letters.due = 0;
        std::mem::take(&mut letters.letters)
    }

    /// The letters that had come when the last packet was told.
    pub fn take_due(&self) -> Vec<Letter> {
        if !self.full.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut letters = self.lock();
        let due = std::mem::take(&mut letters.due);
        let taken = letters.letters.drain(..due).collect();
        self.full.store(!letters.letters.is_empty(), Ordering::Release);
        taken
    }

    /// Of the effects ordered last, and not taken yet, which packets are asked about. Costs one atomic load where there are
    /// none.
    pub fn asks(&self) -> Option<Ways<Asks>> {
        if !self.full.load(Ordering::Acquire) {
            return None;
        }
        self.lock().letters.iter().rev().find_map(|letter| match letter {
            Letter::Order(Order::Apply { effects, .. }) => Some(effects.asks.clone()),
            Letter::Order(
                Order::Cut(_)
                | Order::Harm(_)
                | Order::Inject { .. }
                | Order::HalfClose { .. }
                | Order::Rival { .. },
            )
            | Letter::Stop => None,
        })
    }

    fn mark(&self) {
        if self.full.load(Ordering::Acquire) {
            let mut letters = self.lock();
            letters.due = letters.letters.len();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn post(&self, letter: Letter) {
        let mut letters = self.lock();
        letters.letters.push(letter);
        self.full.store(true, Ordering::Release);
        if let Some(waker) = &letters.waker {
            waker.wake_by_ref();
        }
    }
}
