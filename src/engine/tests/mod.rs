//! The engine in literal time, with net/ played by the tests: orders are confirmed at once unless a test holds back.

mod asked;
mod clocked;
mod connects;
mod doors;
mod draws;
mod faults;
mod keep_alives;
mod packets;
mod passing;
mod tcp;
mod tls;
mod tokens;
mod wills;

use super::{Beside, Door, Engine, Granted, Input, Order, Output};
use crate::base::{Chance, Direction, Ends, LinkId, ListenerId, Span, Time, Ways};
use crate::event::{EndReason, Event, LastPackets, Packet, RivalNews, RunStarted, What};
use crate::fault::{
    Blackhole, Close, Connects, Delay, Effects, Fault, FidelityWanted, Latency, LegFate, Mechanism, Toward,
    WaysWanted,
};
use crate::mqtt::{PacketKind, Version};
use crate::profile::{Plan, Rule, When, Who};
use std::sync::Arc;
use std::time::Duration;

fn ms(millis: u64) -> Time {
    Time::from_millis(millis)
}

fn span(text: &str) -> Span {
    text.parse().unwrap()
}

fn plan(rules: Vec<Rule>) -> Plan {
    Plan {
        name: "test".into(),
        summary: "A test.".into(),
        reproduces: None,
        listeners: Vec::new(),
        devices: 1,
        default_keep_alive: Duration::from_secs(60),
        settle: span("2s"),
        duration: None,
        server_keep_alive: None,
        sequence: None,
        fault_messages: None,
        strictness: None,
        rules,
        expectations: Vec::new(),
    }
}

fn rule(when: When, fault: Fault) -> Rule {
    Rule { id: "r".into(), who: Who::EVERYONE, when, chance: Chance::ALWAYS, fault, logged_as: None }
}

fn at(millis: u64) -> When {
    When::At { first: Duration::from_millis(millis), repeat: None }
}

fn after(packet: PacketKind, delay: &str, times: u32) -> When {
    When::After { packet, nth: 1, delay: span(delay), times }
}

fn blackhole(hold: &str, connects: Connects) -> Blackhole {
    Blackhole {
        toward: Toward::Both,
        direction: WaysWanted::Both,
        hold: span(hold),
        fidelity: FidelityWanted::Auto,
        connects,
    }
}

fn dark(hold: &str, connects: Connects) -> Fault {
    Fault::Blackhole(blackhole(hold, connects))
}

fn packet_dark(hold: &str) -> Fault {
    let fidelity = FidelityWanted::Packet;
    Fault::Blackhole(Blackhole { fidelity, ..blackhole(hold, Connects::Silence) })
}

fn rst() -> Fault {
    Fault::Rst(Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false })
}

fn slow(delay: u64, hold: Option<&str>) -> Fault {
    Fault::Latency(Latency {
        direction: WaysWanted::Both,
        delay: Delay::fixed(Duration::from_millis(delay)),
        hold: hold.map(span),
    })
}

/// An engine with net/ played: what it ordered, what it said, and how net/ answers.
struct Run {
    engine: Engine,
    now: Time,
    orders: Vec<(Time, LinkId, Order)>,
    events: Vec<Event>,
    doors: Vec<(Time, Door)>,
    finished: Option<(Time, EndReason)>,
    confirm: bool,
    refuse_mute: bool,
}

impl Run {
    fn new(plan: Plan) -> Run {
        Run::with_command(plan, false)
    }

    fn with_command(plan: Plan, with_command: bool) -> Run {
        let mut run = Run {
            engine: Engine::new(Arc::new(plan), 7, with_command),
            now: Time::ZERO,
            orders: Vec::new(),
            events: Vec::new(),
            doors: Vec::new(),
            finished: None,
            confirm: true,
            refuse_mute: false,
        };
        let start = RunStarted {
            version: "test".into(),
            wall_clock: "2026-01-01T00:00:00Z".into(),
            seed: 7,
            profile_name: "test".into(),
            profile: String::new(),
            overrides: Vec::new(),
            azure_fault_messages: None,
            observer: false,
            part: 0,
        };
        run.tell(Input::Started(Box::new(start)));
        run.tell(Input::ListenerOpened {
            listener: ListenerId(0),
            address: "127.0.0.1:1884".into(),
            upstream: "hub:1883".into(),
            tls: crate::event::TlsTerms::default(),
        });
        run
    }

    /// Lets time pass, stopping at each deadline as net/ does.
    fn to(&mut self, millis: u64) -> &mut Run {
        let until = ms(millis);
        while let Some(deadline) = self.engine.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.engine.tick(self.now);
            self.drain();
        }
        self.now = until;
        self.engine.tick(until);
        self.drain();
        self
    }

    fn tell(&mut self, input: Input) {
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Event(event) => self.events.push(*event),
                Output::Link(link, order) => {
                    self.orders.push((self.now, link, order.clone()));
                    if self.confirm {
                        self.answer(link, order);
                    }
                }
                Output::Listener(listener, door) => {
                    self.doors.push((self.now, door.clone()));
                    let outcome = if self.refuse_mute && door != Door::Open {
                        Err("not permitted".to_owned())
                    } else {
                        Ok(match door {
                            Door::Open => None,
                            Door::Mute => Some(Mechanism::MinTtl),
                            Door::MuteTo(_) => Some(Mechanism::Filter),
                            Door::Closed => Some(Mechanism::Closed),
                        })
                    };
                    self.engine.handle(self.now, Input::ListenerDone { listener, outcome, dropped: None });
                }
                Output::Finish(reason) => self.finished = self.finished.or(Some((self.now, reason))),
            }
        }
    }

    fn answer(&mut self, link: LinkId, order: Order) {
        let input = match order {
            Order::Apply { generation, effects } => {
                let mute = |wanted: bool| {
                    wanted.then(|| {
                        if self.refuse_mute { Err("not permitted".to_owned()) } else { Ok(Mechanism::Filter) }
                    })
                };
                let mute = Ends { device: mute(effects.mute.device), hub: mute(effects.mute.hub) };
                let loss = |wanted: bool| {
                    wanted.then(|| {
                        if self.refuse_mute {
                            Err("no filter".to_owned())
                        } else {
                            Ok(Mechanism::RandomFilter)
                        }
                    })
                };
                let Ends { device, hub } = effects.loss;
                let loss = Ends { device: loss(device.is_some()), hub: loss(hub.is_some()) };
                let granted = Granted { mute, loss };
                Input::Applied { link, generation, granted }
            }
            Order::Cut(cut) => Input::CutDone {
                link,
                window: cut.window,
                done: Ends { device: Some(cut.legs.device), hub: Some(cut.legs.hub) },
                last: Ends::default(),
            },
            Order::Harm(harm) => Input::Harmed { link, window: harm.window, toward: harm.toward },
            Order::Inject { window, inject } => Input::Injected { link, window, toward: inject.toward },
            Order::HalfClose { window, toward } => Input::HalfClosed { link, window, toward, done: true },
            Order::Rival { window, .. } => Input::Rival { link, window, news: RivalNews::Accepted },
        };
        self.engine.handle(self.now, input);
    }

    fn open(&mut self, link: u64) -> LinkId {
        self.open_at(link, ListenerId(0))
    }

    fn open_at(&mut self, link: u64, listener: ListenerId) -> LinkId {
        let link = LinkId(link);
        let peer = format!("127.0.0.1:{}", 50_000 + link.0).parse().unwrap();
        self.tell(Input::LinkOpened { link, listener, peer, to: None });
        link
    }

    fn packet(&mut self, link: LinkId, direction: Direction, packet: Packet) {
        let ticket = self.engine.packet(self.now, link, direction, packet, Beside::default(), false).0;
        self.drain();
        if ticket.wanted {
            self.tell(Input::Passed { link, ticket });
        }
    }

    fn connect(&mut self, link: LinkId, name: &str, keep_alive: u16) {
        let packet = Packet::Connect {
            version: Version::V311,
            client_id: name.into(),
            keep_alive,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: crate::event::SessionTerms::default(),
        };
        self.packet(link, Direction::Up, packet);
    }

    fn connack(&mut self, link: LinkId, code: u8) {
        let packet = Packet::Connack {
            session_present: false,
            code,
            server_keep_alive: None,
            assigned_client_id: None,
            terms: crate::event::SessionTerms::default(),
        };
        self.packet(link, Direction::Down, packet);
    }

    /// A device that is connected over a new link.
    fn device(&mut self, link: u64, name: &str, keep_alive: u16) -> LinkId {
        let link = self.open(link);
        self.connect(link, name, keep_alive);
        self.connack(link, 0);
        link
    }

    fn close(&mut self, link: LinkId) {
        self.tell(Input::LinkClosed { link, undelivered: Ways::default() });
    }

    /// The effects last ordered on a link.
    fn effects(&self, link: LinkId) -> Effects {
        let applied = self.orders.iter().rev().find_map(|(_, of, order)| match order {
            Order::Apply { effects, .. } if *of == link => Some((**effects).clone()),
            _ => None,
        });
        applied.unwrap_or_default()
    }

    fn times(&self, matches: impl Fn(&What) -> bool) -> Vec<u64> {
        let hits = self.events.iter().filter(|event| matches(&event.what));
        hits.map(|event| event.at.as_nanos() / 1_000_000).collect()
    }

    fn cuts(&self) -> Vec<(u64, LinkId)> {
        let cuts = self.orders.iter().filter(|(_, _, order)| matches!(order, Order::Cut(_)));
        cuts.map(|(at, link, _)| (at.as_nanos() / 1_000_000, *link)).collect()
    }
}

fn is_applied(what: &What) -> bool {
    matches!(what, What::FaultApplied { .. })
}

fn is_closed(what: &What) -> bool {
    matches!(what, What::WindowClosed { .. })
}
