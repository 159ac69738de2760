//! The loop: what happens next, and who is told.
//!
//! All machines see the same time. At each moment the engine and the hub do first what is due, then what was put in
//! earlier comes first; what crosses no distance happens at once, in the order in which it was sent.

use super::path::{At, Flight, Path, PathId};
use super::queue::Queue;
use super::scenario::{Kernel, Scenario};
use super::sight::{Carried, Sight};
use super::tcp::{Kind, Outbox, Segment, Tcp};
use super::{arrivals::Arrivals, shake};
use crate::base::rand::{Key, name_hash, unit};
use crate::base::{Chance, Direction, LinkId, ListenerId, Side, Time};
use crate::device::{self, Device};
use crate::engine::{Door, Engine, Input, Order, Output};
use crate::event::{EndReason, RunStarted, TlsTerms};
use crate::hub::{self, Hub};
use crate::mqtt::{KindSet, PacketKind};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// The least time a segment is under way between device and brownout: so nothing goes round in no time.
const LEAST_WAY: Duration = Duration::from_micros(1);

/// What a socket takes before its program has to wait (net.core.wmem_default of Linux is 212,992).
pub(super) const SEND_BUFFER: usize = 212_992;

/// Headers of IPv4 and TCP: bare, with time stamps, and with all that SYN carries.
const BARE: u32 = 40;
const STAMPED: u32 = 52;
const OF_SYN: u32 = 60;

/// What tells draws of lost segments from all others.
const LOST: u64 = 0x6c6f_7374;

#[derive(Debug)]
pub(super) enum Due {
    /// A device's machine.
    Device(usize),
    /// A segment arrives.
    Segment(Flight),
    /// Timers of a path.
    Path(PathId),
}

/// A device with what the world keeps of it.
pub(super) struct Handset {
    pub device: Device,
    /// The path that its machine speaks over.
    pub path: Option<PathId>,
    pub armed: Option<Time>,
    pub address: IpAddr,
    /// Dials so far.
    pub dials: u64,
    pub arrivals: Arrivals,
    /// Whom losses are drawn for, and how many were.
    subject: u64,
    drawn: u64,
}

pub(super) struct World<'s> {
    pub scenario: &'s Scenario,
    pub saw: &'s mut dyn FnMut(Time, Sight<'_>),
    pub now: Time,
    pub queue: Queue<Due>,
    /// What arrives now.
    pub instant: VecDeque<Flight>,
    pub handsets: Vec<Handset>,
    pub hub: Hub,
    pub engine: Engine,
    pub engine_due: Option<Time>,
    pub hub_due: Option<Time>,
    pub paths: Vec<Option<Box<Path>>>,
    pub free: Vec<u32>,
    pub next_path: u64,
    pub next_link: u64,
    pub links: BTreeMap<LinkId, PathId>,
    pub touched: Vec<PathId>,
    /// The kinds of packets that the engine wants.
    pub wanted: KindSet,
    pub door: Door,
    one_way: Duration,
    // Memory that is used again and again.
    pub outbox: Outbox,
    pub bytes: Vec<u8>,
}

impl<'s> World<'s> {
    pub fn new(scenario: &'s Scenario, saw: &'s mut dyn FnMut(Time, Sight<'_>)) -> World<'s> {
        // In a simulation nothing is hidden.
        let engine = Engine::new(Arc::clone(&scenario.plan), scenario.seed, false).beside_tap(true);
        let mut wanted = KindSet::default();
        PacketKind::ALL.into_iter().filter(|kind| engine.wants(*kind)).for_each(|kind| wanted.insert(kind));
        World {
            scenario,
            saw,
            now: Time::ZERO,
            queue: Queue::new(),
            instant: VecDeque::new(),
            handsets: handsets(scenario),
            hub: Hub::new(scenario.hub.clone()),
            engine,
            engine_due: None,
            hub_due: None,
            paths: Vec::new(),
            free: Vec::new(),
            next_path: 0,
            next_link: 0,
            links: BTreeMap::new(),
            touched: Vec::new(),
            wanted,
            door: Door::Open,
            one_way: (scenario.link.round_trip / 2).max(LEAST_WAY),
            outbox: Outbox::new(),
            bytes: Vec::new(),
        }
    }

    pub fn kernel(&self) -> &'s Kernel {
        &self.scenario.link.kernel
    }

    pub fn run(&mut self) {
        self.begin();
        while let Some(at) = self.next() {
            self.now = self.now.max(at);
            if self.engine_due.is_some_and(|due| due <= self.now) {
                self.engine.tick(self.now);
            }
            if self.hub_due.is_some_and(|due| due <= self.now) {
                self.hub.tick(self.now);
            }
            self.settle();
            while let Some(due) = self.queue.take_due(self.now) {
                self.happen(due);
                self.settle();
            }
        }
        self.end();
    }

    fn begin(&mut self) {
        let start = started(self.scenario);
        self.engine.handle(self.now, Input::Started(Box::new(start)));
        let count = self.scenario.plan.listeners.len().max(1);
        for listener in (0..).map(ListenerId).take(count) {
            let (address, upstream) = ("10.255.255.1:1883".to_owned(), "10.255.255.2:1883".to_owned());
            let tls = TlsTerms::default();
            self.engine.handle(self.now, Input::ListenerOpened { listener, address, upstream, tls });
        }
        for number in 0..self.handsets.len() {
            let at = self.scenario.begin.get(number).copied().unwrap_or(Time::ZERO);
            self.queue.push(at, Due::Device(number));
            self.handsets[number].armed = Some(at);
        }
        self.settle();
    }

    fn next(&self) -> Option<Time> {
        let due = [self.queue.first(), self.engine_due, self.hub_due].into_iter().flatten().min();
        due.filter(|at| *at <= self.scenario.until)
    }

    /// The run is over: links are let go, as a run that ends does.
    fn end(&mut self) {
        self.now = self.now.max(self.scenario.until);
        let links: Vec<PathId> = self.links.values().copied().collect();
        links.into_iter().for_each(|path| self.close_link(path));
        self.engine.handle(self.now, Input::Ended(EndReason::Duration));
        self.obey();
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Device(number) => self.device_is_due(number),
            Due::Segment(flight) => self.arrive(&flight),
            Due::Path(id) => self.path_is_due(id),
        }
    }

    /// Lets everything happen that happens now.
    fn settle(&mut self) {
        loop {
            if let Some(flight) = self.instant.pop_front() {
                self.arrive(&flight);
            } else if !self.obey() && !self.serve() && !self.look_after() {
                break;
            }
        }
        self.engine_due = self.engine.deadline();
        self.hub_due = self.hub.deadline();
    }

    /// Does what the engine has put out. Whether there was anything.
    pub fn obey(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.engine.poll() {
            any = true;
            match output {
                Output::Event(event) => (self.saw)(self.now, Sight::Event(&event)),
                Output::Link(link, order) => {
                    if let Some(path) = self.links.get(&link).copied() {
                        self.follow(path, order);
                    }
                }
                Output::Listener(listener, door) => self.set_door(listener, door),
                // The scenario says when it is over.
                Output::Finish(_) => {}
            }
        }
        any
    }

    fn follow(&mut self, path: PathId, order: Order) {
        match order {
            Order::Apply { generation, effects } => self.apply(path, generation, *effects),
            Order::Cut(cut) => self.cut(path, cut),
            // None of the faults that `check` lets pass orders these.
            Order::Harm(_) | Order::Inject { .. } | Order::HalfClose { .. } | Order::Rival { .. } => {}
        }
    }

    /// Does what the hub has put out. Whether there was anything.
    fn serve(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.hub.poll() {
            any = true;
            match output {
                hub::Output::Send { conn, bytes } => self.hub_says(conn, &bytes),
                hub::Output::Close { conn } => {
                    if let Some(path) = self.links.get(&LinkId(conn.0)).copied() {
                        let now = self.now;
                        self.tcp(path, Side::Hub, At::Peer, |tcp, kernel, out| tcp.close(now, kernel, out));
                    }
                }
                hub::Output::Reset { conn } => {
                    if let Some(path) = self.links.get(&LinkId(conn.0)).copied() {
                        self.tcp(path, Side::Hub, At::Peer, |tcp, _, out| tcp.reset(out));
                    }
                }
                hub::Output::Log(event) => (self.saw)(self.now, Sight::Hub(&event)),
            }
        }
        any
    }

    fn hub_says(&mut self, conn: hub::ConnId, bytes: &[u8]) {
        let Some(path) = self.links.get(&LinkId(conn.0)).copied() else { return };
        let now = self.now;
        self.tcp(path, Side::Hub, At::Peer, |tcp, kernel, out| tcp.write(now, bytes, kernel, out));
        let Some(leg) = self.path(path).map(|path| &mut path.legs.hub) else { return };
        leg.untold += bytes.len();
        self.tell_written(path, Side::Hub);
    }

    /// Tells a program of bytes that its socket has taken.
    pub fn tell_written(&mut self, id: PathId, side: Side) {
        let now = self.now;
        let Some(path) = self.path(id) else { return };
        let leg = path.legs.get_mut(side);
        if leg.untold == 0 || leg.peer.waiting() > SEND_BUFFER {
            return;
        }
        let count = std::mem::take(&mut leg.untold);
        match side {
            Side::Device => {
                let device = path.device;
                if path.is_current {
                    self.handsets[device].device.handle(now, device::Input::Written(count));
                }
            }
            Side::Hub => {
                if let Some(link) = path.link {
                    self.hub.handle(now, hub::Input::Written { conn: hub::ConnId(link.0), count });
                }
            }
        }
    }

    /// Sees what became of the paths that something happened on. Whether that brought anything about.
    fn look_after(&mut self) -> bool {
        let mut any = false;
        while let Some(id) = self.touched.pop() {
            any = true;
            self.close_if_over(id);
            let now = self.now;
            let Some(path) = self.path(id) else { continue };
            path.touched = false;
            if path.is_over() {
                self.forget(id);
                continue;
            }
            let due = path.deadline(now).map(|due| due.max(now));
            if due.is_some_and(|due| path.armed.is_none_or(|armed| due < armed)) {
                path.armed = due;
                let at = due.unwrap_or(now);
                self.queue.push(at, Due::Path(id));
            }
        }
        any
    }

    // Paths.

    pub fn path(&mut self, id: PathId) -> Option<&mut Path> {
        let place = usize::try_from(id.place).ok()?;
        self.paths.get_mut(place)?.as_deref_mut().filter(|path| path.id == id)
    }

    /// A path on which something happens: it will be looked after.
    pub fn touch(&mut self, id: PathId) -> Option<&mut Path> {
        let place = usize::try_from(id.place).ok()?;
        let path = self.paths.get_mut(place)?.as_deref_mut().filter(|path| path.id == id)?;
        if !std::mem::replace(&mut path.touched, true) {
            self.touched.push(id);
        }
        Some(path)
    }

    fn forget(&mut self, id: PathId) {
        let place = usize::try_from(id.place).unwrap_or(usize::MAX);
        if let Some(path) = self.paths.get_mut(place).and_then(Option::take) {
            path.link.into_iter().for_each(|link| _ = self.links.remove(&link));
            self.free.push(id.place);
        }
    }

    fn path_is_due(&mut self, id: PathId) {
        let now = self.now;
        let Some(path) = self.touch(id) else { return };
        if path.armed.is_none_or(|armed| armed > now) {
            return;
        }
        path.armed = None;
        self.syn_is_due(id);
        for side in Side::BOTH {
            for at in [At::Peer, At::Own] {
                self.tick_tcp(id, side, at);
            }
        }
        self.relay_is_due(id);
    }

    // TCP.

    /// Has one end do something, and sends what comes of it.
    pub fn tcp(&mut self, id: PathId, side: Side, at: At, act: impl FnOnce(&mut Tcp, &Kernel, &mut Outbox)) {
        let kernel = self.kernel();
        let mut out = std::mem::take(&mut self.outbox);
        if let Some(path) = self.touch(id) {
            act(path.legs.get_mut(side).end_mut(at), kernel, &mut out);
        }
        for segment in out.drain(..) {
            self.launch(id, side, at, segment);
        }
        self.outbox = out;
    }

    /// A segment leaves one end.
    pub fn launch(&mut self, id: PathId, side: Side, from: At, segment: Segment) {
        let flight = Flight { path: id, leg: side, to: from.other(), segment };
        let (one_way, tls) = (self.one_way, self.scenario.link.tls);
        let Some(path) = self.path(id) else { return };
        let is_dark = path.relay.as_ref().is_some_and(|relay| relay.is_dark(side));
        if from == At::Own && is_dark && segment.kind != Kind::Rst {
            return;
        }
        if side == Side::Hub {
            self.instant.push_back(flight);
            return;
        }
        let direction = if from == At::Peer { Direction::Up } else { Direction::Down };
        let sight = show(path, direction, &segment, tls);
        (self.saw)(self.now, sight);
        self.queue.push(self.now + one_way, Due::Segment(flight));
    }

    /// Whether a segment is lost before it is received.
    pub fn is_lost(&mut self, flight: &Flight) -> bool {
        let link = self.scenario.link.loss;
        let Some(path) = self.path(flight.path) else { return true };
        let effects = path.relay.as_ref().map(|relay| &relay.effects).filter(|_| flight.to == At::Own);
        if effects.is_some_and(|effects| *effects.mute.get(flight.leg)) {
            return true;
        }
        let of_fault = effects.and_then(|effects| *effects.loss.get(flight.leg));
        let of_link = Some(link).filter(|link| flight.leg == Side::Device && link.get() > 0.0);
        let device = path.device;
        let chances = [of_fault, of_link];
        chances.into_iter().flatten().any(|chance| self.draws(device, chance))
    }

    fn draws(&mut self, device: usize, chance: Chance) -> bool {
        let handset = &mut self.handsets[device];
        handset.drawn += 1;
        let (subject, nth) = (handset.subject, handset.drawn);
        chance.hits(unit(Key { seed: self.scenario.seed, purpose: LOST, subject, nth }))
    }
}

/// What is seen of a segment between a device and brownout.
fn show<'a>(path: &Path, direction: Direction, segment: &Segment, tls: bool) -> Sight<'a> {
    let is_shake = segment.len > 0 && segment.seq < *path.greeted.get(direction);
    let carried = match segment.kind {
        Kind::Syn | Kind::SynAck | Kind::Third | Kind::Rst => Carried::Control,
        Kind::Plain if segment.len > 0 && !is_shake => Carried::Data,
        Kind::Plain if segment.is_ack() => Carried::Ack,
        Kind::Plain => Carried::Control,
    };
    let record = if tls && carried == Carried::Data { shake::RECORD } else { 0 };
    let bytes = match segment.kind {
        Kind::Syn | Kind::SynAck => OF_SYN,
        Kind::Rst => BARE,
        Kind::Third | Kind::Plain => STAMPED + segment.len + record,
    };
    Sight::Segment { device: path.device, direction, carried, bytes, again: segment.again }
}

fn handsets(scenario: &Scenario) -> Vec<Handset> {
    let habits = scenario.devices.iter();
    habits
        .zip(1_u32..)
        .map(|(habits, number)| Handset {
            subject: name_hash(&habits.client_id),
            device: Device::new(habits.clone(), scenario.seed),
            path: None,
            armed: None,
            address: IpAddr::V4(Ipv4Addr::from_bits((10 << 24) | (number & 0x00ff_ffff))),
            dials: 0,
            arrivals: Arrivals::default(),
            drawn: 0,
        })
        .collect()
}

fn started(scenario: &Scenario) -> RunStarted {
    RunStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        wall_clock: "1970-01-01T00:00:00Z".to_owned(),
        seed: scenario.seed,
        profile_name: scenario.plan.name.clone(),
        profile: String::new(),
        overrides: Vec::new(),
        azure_fault_messages: None,
        observer: false,
        part: 0,
    }
}
