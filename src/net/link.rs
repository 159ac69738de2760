//! One link: two legs, two pumps, one task.
//!
//! ```text
//!   device leg ──read──▶ up pump   ──[lane]──write──▶ hub leg
//!   device leg ◀─write──[lane]──   down pump ◀──read── hub leg
//! ```
//!
//! The task does, in this order and until nothing moves: what its mailbox asks, the dial, and each direction: pass on
//! what is due, carry the end through, read on. So what the engine orders about a packet holds for that packet's
//! bytes. A read uses a buffer that the worker's links share; only what is held costs the link memory.

mod attend;
mod books;
mod bytes;
mod doubts;
mod ends;
mod greeting;
mod heard;
mod own;
mod packets;
mod plain;
mod sever;
mod sniff;
mod surgery;
mod tcp;
#[cfg(test)]
mod tests;
mod words;

use super::alarm::AlarmSlot;
use super::core::{Core, Letter, Mailbox};
use super::dial::{Connect, Dialled, Upstream, unanswered};
use super::leg::{Leg, Secure};
use super::pump::{Marks, Pump};
use super::surgery::{Output, Theatre};
use super::sys::limit::explain;
use super::terms::Terms;
use super::transparent::Course;
use super::wills::OfLink;
use crate::base::{Direction, Ends, LinkId, Side, Time, Ways};
use crate::engine::{Input, Order};
use crate::fault::{Asks, Cut, Effects, Ending, Harm};
use crate::mqtt::Version;
use crate::session::Meter;
use crate::tls::hello::ClientHello;
use books::Books;
pub use books::Passing;
use greeting::{Greeting, Patience};
use sever::Severing;
use sniff::Sniff;
use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tcp::Tcp;

/// The size of the buffer that the links of a worker share, in bytes: a full socket buffer in one read.
const READ_BUFFER: usize = 256 * 1024;

/// After a fault's FIN, how long the leg is still heard out, so that the FIN stays one: closing over unread bytes
/// would turn it into RST. Then the socket goes, and what is still sent to it is answered with RST, as after any
/// close.
const FIN_LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static DESK: Cell<Option<Box<Desk>>> = const { Cell::new(None) };
}

/// What the links of a worker share: where a read goes, and what is found in it.
#[derive(Default)]
struct Desk {
    buffer: Vec<u8>,
    found: Found,
}

/// What is found in the bytes of one read.
#[derive(Default)]
struct Found {
    marks: Marks,
    /// What the surgeon has put out.
    out: Output,
}

/// One link, until both legs are gone.
pub struct Link {
    id: LinkId,
    core: Arc<Core>,
    mailbox: Arc<Mailbox>,
    registered: bool,
    legs: Ends<Leg>,
    pumps: Ways<Pump>,
    dial: Dial,
    /// A fault lets no dial begin yet.
    hold_dial: bool,
    /// A fault lets nothing pass for good.
    vanished: bool,
    terms: Arc<Terms>,
    /// Where the device was going, if not to brownout.
    course: Option<Box<Course>>,
    /// What the first bytes show the stream to be.
    sniff: Sniff,
    /// The TLS handshake with the device, until it is done.
    greeting: Option<Box<Greeting>>,
    /// What the device's TLS asked for.
    hello: Option<Box<ClientHello>>,
    /// The common name of the certificate that the device presented.
    device_name: Option<Box<str>>,
    /// How long the hub takes for its TLS handshake, once that has begun.
    hub_patience: Option<Patience>,
    /// The device was answered before the hub.
    ahead: bool,
    /// The protocol that the hub agreed to.
    hub_alpn: Option<Box<str>>,
    /// What is to become of a record toward each end.
    harm: Ends<Option<Box<Harm>>>,
    /// What faults of TCP keep.
    tcp: Tcp,
    /// The packets that the engine is asked about.
    asks: Ways<Asks>,
    /// A cut amid a packet that waits for the bytes before it.
    severing: Option<Box<Severing>>,
    meter: Meter,
    books: Books,
    version: Option<Version>,
    /// What was told to be wrong with the form of packets, a bit each.
    flaws: Ways<u8>,
    wills: OfLink,
    slot: AlarmSlot,
    drop_at: Option<Time>,
    /// Until when the lanes were last looked at: what was due by then waits for its peer.
    looked: Time,
    stopped: bool,
    closed: bool,
}

/// What reading has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Something came that may have left something to do.
    Moved,
    /// What came, if anything did, has left nothing to do, and the task is woken when more comes.
    Awaits,
    /// Nothing is read any more, or not now, or what came was an end and has been carried through.
    Rests,
}

/// Where the hub's leg stands.
enum Dial {
    /// Not asked for yet, or held back by a fault.
    Waiting,
    Trying {
        since: Time,
        // Links are many, and dial but once.
        connect: Box<Connect>,
    },
    Done,
}

/// However the task ends, the link is told to be gone, so that nobody waits for it.
impl Drop for Link {
    fn drop(&mut self) {
        if !self.closed {
            self.close();
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Link {
    /// A link over an accepted connection.
    pub fn new(
        id: LinkId,
        core: Arc<Core>,
        mailbox: Arc<Mailbox>,
        device: Leg,
        terms: Arc<Terms>,
        slot: AlarmSlot,
    ) -> Link {
        let now = core.clock().now();
        let serves = terms.mode.serves();
        let device = if serves { device.secured(Secure::server()) } else { device };
        Link {
            id,
            mailbox,
            registered: false,
            legs: Ends { device, hub: Leg::default() },
            pumps: Ways { up: pump(&core, Direction::Up), down: pump(&core, Direction::Down) },
            dial: Dial::Waiting,
            hold_dial: false,
            vanished: false,
            looked: Time::ZERO,
            terms,
            course: None,
            sniff: Sniff::default(),
            greeting: serves.then(|| Box::new(Greeting::new(now))),
            hello: None,
            device_name: None,
            hub_patience: None,
            ahead: false,
            hub_alpn: None,
            harm: Ends::default(),
            tcp: Tcp::new(core.keeps_connects()),
            asks: Ways::default(),
            severing: None,
            meter: Meter::new(id, now),
            books: Books::default(),
            version: None,
            flaws: Ways::default(),
            wills: OfLink::default(),
            slot,
            drop_at: None,
            stopped: false,
            closed: false,
            core,
        }
    }

    /// Says where its device was going, if somewhere of its own. Before it is polled.
    pub fn bind(&mut self, course: Option<Course>) {
        self.course = course.map(Box::new);
    }

    /// Does what can be done; ready when the link is gone.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.registered, true) {
            self.mailbox.register(cx.waker());
            self.obey();
            self.start_dial();
        }
        loop {
            self.obey();
            self.see_idle();
            let mut at_rest = self.is_at_rest();
            let mut moved = !at_rest && self.go_on(cx);
            let mut awaits_both = true;
            for direction in Direction::BOTH {
                moved |= !at_rest && self.work_off(cx, direction);
                let read = self.read_on(cx, direction);
                moved |= read == Read::Moved;
                awaits_both &= read == Read::Awaits;
                at_rest = at_rest && (read == Read::Awaits || self.is_at_rest());
                moved |= !at_rest && self.watch_half(cx, direction.from());
            }
            if !at_rest && self.is_over() {
                self.close();
                return Poll::Ready(());
            }
            if moved && awaits_both && self.mailbox.is_empty() && self.is_at_rest() {
                // What has moved came before both reads, and has left nothing to do but them.
                (moved, at_rest) = (false, true);
            }
            if !moved && self.sleep(cx, at_rest).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Whether there is nothing to do but read: both legs are up, as plain TCP, nothing waits and nothing ends. A message
    /// that comes alone then costs one look at everything, and no more looks at the clock than its own stamps.
    fn is_at_rest(&self) -> bool {
        matches!(self.dial, Dial::Done)
            && self.greeting.is_none()
            && self.severing.is_none()
            && self.drop_at.is_none()
            && !self.stopped
            && self.legs.device.is_open_plainly()
            && self.legs.hub.is_open_plainly()
            && self.pumps.up.is_out_of_the_way()
            && self.pumps.down.is_out_of_the_way()
    }

    /// Goes on with the dial and with TLS.
    fn go_on(&mut self, cx: &mut Context<'_>) -> bool {
        if self.waits() {
            self.looked = self.now();
        }
        self.poll_dial(cx) | self.poll_tls(cx)
    }

    /// Whether something is due at some time that may have come, while its peer is still to take it.
    fn waits(&self) -> bool {
        self.severing.is_some() || self.pumps.up.deadline().is_some() || self.pumps.down.deadline().is_some()
    }

    /// Does what is due in a direction.
    fn work_off(&mut self, cx: &mut Context<'_>, direction: Direction) -> bool {
        let mut moved = self.put_in(direction);
        moved |= self.pass_on(cx, direction);
        moved |= self.spend(direction);
        moved |= self.sever_due();
        moved | self.carry_end(direction)
    }

    fn now(&self) -> Time {
        self.core.clock().now()
    }

    // Orders.

    fn obey(&mut self) {
        if self.mailbox.is_empty() {
            return;
        }
        for letter in self.mailbox.take() {
            self.follow(letter);
        }
    }

    fn follow(&mut self, letter: Letter) {
        match letter {
            Letter::Order(Order::Apply { generation, effects }) => self.apply(generation, *effects),
            Letter::Order(Order::Cut(cut)) => self.cut(cut),
            Letter::Order(Order::Harm(harm)) => self.harm_record(harm),
            Letter::Order(Order::HalfClose { window, toward }) => self.half_close(window, toward),
            Letter::Order(Order::Rival { window, until, again }) => self.send_rival(window, until, again),
            Letter::Order(Order::Inject { window, inject }) => self.inject(window, &inject),
            Letter::Stop => self.stopped = true,
        }
    }

    fn apply(&mut self, generation: u64, effects: Effects) {
        // What was counted so far is told before the fault is: so it is on the right side of the fault's start and end.
        self.flush(self.now());
        let Effects {
            hold_dial,
            closed,
            vanished,
            mute,
            delays,
            handshake,
            shapes,
            loss,
            budgets,
            idle,
            reset_senders,
            asks,
        } = effects;
        self.asks = asks;
        let now = self.now();
        let hides = closed != Ways::default() || mute != Ends::default();
        self.meter.disturb(hides);
        self.disturb_books(
            hides || delays != Ways::default() || shapes != Ways::default() || loss != Ends::default(),
        );
        let granted = self.drop_ingress(mute, loss);
        self.tcp.idle.set(now, idle);
        self.tcp.reset_senders = reset_senders;
        let Ways { up, down } = delays;
        for (direction, delays) in [(Direction::Up, up), (Direction::Down, down)] {
            let pump = self.pumps.get_mut(direction);
            pump.closed = *closed.get(direction);
            pump.lane.gate(!pump.closed);
            pump.delays = delays.into();
            // What a gate kept back is not made up for.
            pump.shaper.block();
            pump.shaper.set(now, shapes.get(direction));
            pump.allowance.set(*budgets.get(direction));
        }
        self.hold_dial = hold_dial;
        self.vanished = vanished;
        self.start_dial();
        if !self.fault_handshake(handshake, generation, &granted) {
            self.core.tell(Input::Applied { link: self.id, generation, granted });
        }
    }

    fn cut(&mut self, cut: Cut) {
        self.severing = None;
        self.dial = Dial::Done;
        self.greeting = None;
        let mut done = Ends::default();
        for side in Side::BOTH {
            let (fate, words) = self.last_words(side, cut.on(side));
            *done.get_mut(side) = self.legs.get_mut(side).cut(fate, &words);
            self.see_harmed(side);
        }
        for direction in Direction::BOTH {
            let pump = self.pumps.get_mut(direction);
            pump.discard();
            pump.allowance.set(None);
            // What was dropped is told before its link is.
            self.put_in(direction);
        }
        self.drop_at = Some(self.now() + FIN_LINGER);
        let last = Ends { device: self.meter.last(Side::Device), hub: self.meter.last(Side::Hub) };
        self.core.tell(Input::CutDone { link: self.id, window: cut.window, done, last });
        for side in Side::BOTH.into_iter().filter(|side| done.get(*side).is_some()) {
            self.fin_said(side);
        }
    }

    // The hub's leg.

    fn start_dial(&mut self) {
        if matches!(self.dial, Dial::Waiting) && !self.is_dial_held() && !self.is_unrouted() {
            let connect = Box::new(match self.course.as_deref() {
                Some(course) => course.connect(),
                None => Connect::to(self.routed()),
            });
            self.dial = Dial::Trying { since: self.now(), connect };
        }
    }

    /// Whether a fault keeps the hub from being dialled. What waits for a CONNECT waits no longer once the device speaks
    /// WebSocket: it says no CONNECT before the hub has agreed to that.
    fn is_dial_held(&self) -> bool {
        let is_dark = self.pumps.up.closed || self.pumps.down.closed || self.legs.device.is_mute();
        self.hold_dial && (is_dark || !self.sniff.is_websocket())
    }

    /// Whether what the device says has still to show where the link leads.
    fn is_unrouted(&self) -> bool {
        self.terms.is_routed() && self.hello.is_none() && !self.sniff.is_done()
    }

    fn poll_dial(&mut self, cx: &mut Context<'_>) -> bool {
        let Dial::Trying { since, connect } = &mut self.dial else { return false };
        let (since, limit) = (*since, self.terms.dial_limit);
        let result = match Pin::new(connect.as_mut()).poll(cx) {
            Poll::Ready(result) => result,
            Poll::Pending if self.now() < since + limit => return false,
            Poll::Pending => Err(match &self.course {
                Some(course) => course.unanswered(limit),
                None => unanswered(limit),
            }),
        };
        self.dial = Dial::Done;
        match result {
            Ok(Dialled { stream, own }) => {
                let tap = self.core.tap(self.id, Side::Hub, &stream);
                // A hub on this machine is dialled where the tap sees it.
                self.core.accepted(own);
                let as_device = self.course.as_ref().is_some_and(|course| course.from.is_some());
                let from = as_device.then_some(own);
                self.legs.hub = self.secured(Leg::connected(stream, None).tapped(tap));
                if self.sniff.is_tls() {
                    self.legs.hub.follow_records();
                }
                self.rearm(Side::Hub);
                self.drop_of_hub();
                let took = self.now().since(since);
                self.core.tell(Input::HubConnected { link: self.id, took, from });
            }
            Err(error) => {
                let error = format!("{}: {}", self.upstream(), explain(&error));
                self.core.tell(Input::HubUnreachable { link: self.id, error });
                // What the device would have met: a connection that does not come about; in the dark, nothing yet.
                self.pumps.up.discard();
                self.pumps.down.lane.finish(self.now(), Ending::Reset);
            }
        }
        true
    }

    /// Whether the hub's leg has come about, or never will.
    fn is_dialled(&self) -> bool {
        matches!(self.dial, Dial::Done)
    }

    fn upstream(&self) -> Upstream {
        self.course.as_ref().map_or_else(|| self.routed().clone(), |course| course.to.into())
    }

    /// Where the listener leads it.
    fn routed(&self) -> &Upstream {
        self.terms.upstream(self.hello.as_ref().and_then(|hello| hello.sni.as_deref()))
    }

    fn harm_record(&mut self, harm: Harm) {
        self.legs.get_mut(harm.toward).harm(harm);
        *self.harm.get_mut(harm.toward) = Some(Box::new(harm));
    }

    /// What was ordered before there was TLS on a leg holds for it now.
    fn rearm(&mut self, toward: Side) {
        if let Some(harm) = self.harm.get(toward).as_deref() {
            self.legs.get_mut(toward).harm(*harm);
        }
    }

    fn is_over(&mut self) -> bool {
        self.see_heard();
        self.see_fins();
        if self.drop_at.is_some_and(|at| at <= self.core.clock().now()) {
            self.drop_at = None;
            for side in Side::BOTH {
                self.legs.get_mut(side).linger_over();
            }
        }
        let device = &self.legs.device;
        self.stopped
            || match self.dial {
                // Held back by a fault, and now the device has gone: there is nothing to dial for.
                // Its FIN may stand behind bytes that are not read yet.
                Dial::Waiting => !device.reading || (self.is_dial_held() && device.end_told),
                Dial::Trying { .. } => !device.is_open(),
                Dial::Done => {
                    let hub = &self.legs.hub;
                    // Where nothing passes for good, no end is carried through to the other.
                    (device.is_over() && hub.is_over()) || (self.vanished && device.end_told && hub.end_told)
                }
            }
    }

    /// Sleeps until the next byte, end or socket is due; ready if that is now.
    fn sleep(&mut self, cx: &mut Context<'_>, at_rest: bool) -> Poll<()> {
        let due = if at_rest { self.tcp.deadline() } else { self.deadline() };
        match due {
            Some(at) => self.slot.poll_until(cx, at),
            None => {
                self.slot.cancel();
                Poll::Pending
            }
        }
    }

    fn deadline(&self) -> Option<Time> {
        let lanes = Direction::BOTH.into_iter().filter_map(|direction| {
            let has_peer = self.legs.get(direction.to()).is_open();
            self.pumps.get(direction).deadline().filter(|at| has_peer && *at > self.looked)
        });
        let severing = self.severing.as_ref().map(|severing| severing.at).filter(|at| *at > self.looked);
        let dial = match self.dial {
            Dial::Trying { since, .. } => Some(since + self.terms.dial_limit),
            Dial::Waiting | Dial::Done => None,
        };
        let own = severing.into_iter().chain(self.tcp.deadline()).chain(self.drop_at).chain(dial);
        lanes.chain(own).chain(self.handshake_deadline()).min()
    }
}

/// A pump, with what it takes to work on packets if the plan may ask for that.
fn pump(core: &Core, direction: Direction) -> Pump {
    let mut pump = Pump::new(direction);
    pump.theatre = core.works_on_packets().then(Theatre::default);
    pump
}
