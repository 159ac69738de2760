//! Runs told event by event, for tests: literal milliseconds, numbers and last packets kept as the engine would.

use super::{Measures, Results, Value};
use crate::base::{
    Chance, DeviceId, Direction, Ends, FiringId, LinkId, ListenerId, RuleId, Side, Span, Time,
};
use crate::base::{Ways, WindowId};
use crate::event::{
    Count, EndReason, Event, LastPackets, Packet, RivalNews, RunStarted, Samples, SessionTerms, TlsUp,
    Traffic, What,
};
use crate::fault::{
    Alteration, Blackhole, Close, Connects, Delay, Ending, Fault, Fidelity, FidelityWanted, HandshakeFault,
    Latency, LegFate, Mechanism, Stall, TlsHandshake, Toward, WaysWanted,
};
use crate::mqtt::{PacketKind, Version};
use crate::profile::{Comparison, Expectation, Limit, Metric, Plan, Rule, Statistic, When, Who};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) fn plan(rules: Vec<(&str, Fault)>) -> Plan {
    let when = When::After { packet: PacketKind::Connack, nth: 1, delay: Span::ZERO, times: 1 };
    let rule = |(id, fault): (&str, Fault)| Rule {
        id: id.to_owned(),
        who: Who::EVERYONE,
        when: when.clone(),
        chance: Chance::ALWAYS,
        fault,
        logged_as: None,
    };
    Plan {
        name: "keepalive-blackhole".into(),
        summary: "The path goes dark for longer than the keep-alive.".into(),
        reproduces: None,
        listeners: Vec::new(),
        devices: 1,
        default_keep_alive: Duration::from_secs(60),
        settle: Span::ZERO,
        duration: None,
        rules: rules.into_iter().map(rule).collect(),
        expectations: Vec::new(),
        fault_messages: None,
        strictness: None,
        server_keep_alive: None,
        sequence: None,
    }
}

pub(crate) fn blackhole(hold: &str) -> Fault {
    Fault::Blackhole(Blackhole {
        direction: WaysWanted::Both,
        toward: Toward::Both,
        hold: hold.parse().unwrap(),
        fidelity: FidelityWanted::Auto,
        connects: Connects::Silence,
    })
}

pub(crate) fn stall(direction: WaysWanted, hold: &str) -> Fault {
    Fault::Stall(Stall { direction, hold: hold.parse().unwrap() })
}

pub(crate) fn latency(millis: u64, hold: &str) -> Fault {
    Fault::Latency(Latency {
        direction: WaysWanted::Both,
        delay: Delay::fixed(Duration::from_millis(millis)),
        hold: Some(hold.parse().unwrap()),
    })
}

pub(crate) fn handshake(what: HandshakeFault, hold: &str) -> Fault {
    Fault::TlsHandshake(TlsHandshake { what, hold: hold.parse().unwrap() })
}

pub(crate) fn rst(toward: Toward, other: LegFate) -> Fault {
    Fault::Rst(Close { toward, other, close_notify: false })
}

pub(crate) fn expect(
    metric: Metric,
    statistic: Statistic,
    comparison: Comparison,
    limit: Limit,
) -> Expectation {
    Expectation { metric, of: None, client: None, statistic, comparison, limit }
}

pub(crate) fn span(text: &str) -> Limit {
    Limit::Span(text.parse().unwrap())
}

/// A run so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub events: Vec<Event>,
    now: Time,
    last: BTreeMap<LinkId, Ends<LastPackets>>,
    named: BTreeMap<u32, &'static str>,
}

impl Story {
    pub fn new() -> Story {
        let mut story = Story::default();
        story.tell(What::RunStarted(Box::new(RunStarted {
            version: "0.1.0".into(),
            wall_clock: "2026-01-01T00:00:00Z".into(),
            seed: 42,
            profile_name: "keepalive-blackhole".into(),
            profile: String::new(),
            overrides: Vec::new(),
            azure_fault_messages: None,
            observer: false,
            part: 0,
        })));
        story
    }

    /// What follows happens at this millisecond.
    pub fn at(&mut self, millis: u64) -> &mut Story {
        self.now = Time::from_millis(millis);
        self
    }

    pub fn tell(&mut self, what: What) -> &mut Story {
        let seq = u64::try_from(self.events.len()).unwrap();
        self.events.push(Event { seq, at: self.now, what });
        self
    }

    /// The device opens the link and sends CONNECT; held, if `held`.
    pub fn connect(&mut self, link: u64, device: u32, name: &'static str, keep_alive: u16) -> &mut Story {
        self.connecting(link, device, name, keep_alive, false)
    }

    pub fn connecting(
        &mut self,
        link: u64,
        device: u32,
        name: &'static str,
        keep_alive: u16,
        held: bool,
    ) -> &mut Story {
        let id = LinkId(link);
        self.tell(What::LinkOpened {
            link: id,
            listener: ListenerId(0),
            peer: format!("127.0.0.1:{link}"),
            to: None,
        });
        if self.named.insert(device, name).is_none() {
            self.tell(What::DeviceNamed { device: DeviceId(device), name: name.into() });
        }
        self.tell(What::LinkIdentified { link: id, device: DeviceId(device) });
        let connect = Packet::Connect {
            version: Version::V311,
            client_id: name.into(),
            keep_alive,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: SessionTerms::default(),
        };
        self.passes(link, Direction::Up, connect, held)
    }

    pub fn connack(&mut self, link: u64, session_present: bool, code: u8) -> &mut Story {
        let connack = Packet::Connack {
            session_present,
            code,
            server_keep_alive: None,
            assigned_client_id: None,
            terms: SessionTerms::default(),
        };
        self.passes(link, Direction::Down, connack, false)
    }

    /// Connected and accepted at once.
    pub fn joins(&mut self, link: u64, device: u32, name: &'static str, keep_alive: u16) -> &mut Story {
        self.connect(link, device, name, keep_alive).connack(link, false, 0)
    }

    pub fn passes(&mut self, link: u64, direction: Direction, packet: Packet, held: bool) -> &mut Story {
        let last = self.last.entry(LinkId(link)).or_default();
        last.get_mut(direction.from()).from = Some(self.now);
        if !held {
            last.get_mut(direction.to()).to = Some(self.now);
        }
        self.tell(What::Packet { link: LinkId(link), direction, held, packet, dropped: false, passed: None })
    }

    /// A packet that fares as a fault has it: passed on as another, or, with none, not at all.
    pub fn fares(
        &mut self,
        link: u64,
        direction: Direction,
        packet: Packet,
        passed: Option<Packet>,
    ) -> &mut Story {
        let last = self.last.entry(LinkId(link)).or_default();
        last.get_mut(direction.from()).from = Some(self.now);
        let dropped = passed.is_none();
        if !dropped {
            last.get_mut(direction.to()).to = Some(self.now);
        }
        let (link, passed) = (LinkId(link), passed.map(Box::new));
        self.tell(What::Packet { link, direction, held: false, packet, dropped, passed })
    }

    /// A fault of packets did this to the packet told last.
    pub fn altered(&mut self, link: u64, direction: Direction, window: u64, what: Alteration) -> &mut Story {
        let (packet_seq, window) = (self.seq(), Some(WindowId(window)));
        self.tell(What::Altered { link: LinkId(link), direction, packet_seq, window, what })
    }

    /// Something of the other client in the name of this link's device.
    pub fn rival(&mut self, window: u64, link: u64, news: RivalNews) -> &mut Story {
        self.tell(What::Rival { window: WindowId(window), link: LinkId(link), news })
    }

    /// The device opens the link; its CONNECT is yet to be told.
    pub fn opens_link(&mut self, link: u64, device: u32, name: &'static str) -> &mut Story {
        let (id, listener) = (LinkId(link), ListenerId(0));
        self.tell(What::LinkOpened { link: id, listener, peer: format!("127.0.0.1:{link}"), to: None });
        self.is_of(link, device, name)
    }

    pub fn up(&mut self, link: u64, packet: Packet) -> &mut Story {
        self.passes(link, Direction::Up, packet, false)
    }

    pub fn down(&mut self, link: u64, packet: Packet) -> &mut Story {
        self.passes(link, Direction::Down, packet, false)
    }

    /// Passed on: the packet told as number `seq`.
    pub fn forwarded(&mut self, link: u64, direction: Direction, seq: u64) -> &mut Story {
        self.last.entry(LinkId(link)).or_default().get_mut(direction.to()).to = Some(self.now);
        self.tell(What::Forwarded { link: LinkId(link), packet_seq: seq })
    }

    /// The number of the event told last.
    pub fn seq(&self) -> u64 {
        self.events.last().unwrap().seq
    }

    pub fn ends(&mut self, link: u64, side: Side, how: Ending) -> &mut Story {
        let last = *self.last.entry(LinkId(link)).or_default().get(side);
        self.tell(What::LegEnded { link: LinkId(link), side, how, error: None, last })
    }

    /// The device ended its leg with this TLS alert.
    pub fn alerts(&mut self, link: u64, side: Side, name: &str) -> &mut Story {
        let last = *self.last.entry(LinkId(link)).or_default().get(side);
        let (link, error) = (LinkId(link), Some(name.to_owned()));
        self.tell(What::LegEnded { link, side, how: Ending::Alert, error, last })
    }

    /// The device opens the link, and its ClientHello comes.
    pub fn greets(&mut self, link: u64) -> &mut Story {
        let (id, listener) = (LinkId(link), ListenerId(0));
        self.tell(What::LinkOpened { link: id, listener, peer: format!("10.0.0.1:{link}"), to: None });
        self.hello(link, false)
    }

    pub fn hello(&mut self, link: u64, passthrough: bool) -> &mut Story {
        self.tell(What::TlsHello {
            link: LinkId(link),
            sni: Some("hub.example".into()),
            alpn: Vec::new(),
            passthrough,
        })
    }

    /// The handshake with this side is done.
    pub fn shakes_hands(&mut self, link: u64, side: Side, took_ms: u64, resumed: bool) -> &mut Story {
        let subject = (side == Side::Device).then(|| "CN=pump-1".to_owned());
        let up = TlsUp {
            took_ns: took_ms * 1_000_000,
            version: "TLS 1.3".into(),
            cipher: "TLS13_AES_128_GCM_SHA256".into(),
            resumed,
            alpn: None,
            subject,
        };
        self.tell(What::TlsEstablished { link: LinkId(link), side, up: Box::new(up) })
    }

    /// The link is this device's, as far as its address tells.
    pub fn is_of(&mut self, link: u64, device: u32, name: &'static str) -> &mut Story {
        if self.named.insert(device, name).is_none() {
            self.tell(What::DeviceNamed { device: DeviceId(device), name: name.into() });
        }
        self.tell(What::LinkIdentified { link: LinkId(link), device: DeviceId(device) })
    }

    /// A handshake of this device begins, and meets the fault of this window.
    pub fn meets(&mut self, link: u64, device: u32, name: &'static str, window: u64) -> &mut Story {
        self.greets(link).is_of(link, device, name);
        let (window, link) = (WindowId(window), LinkId(link));
        let means = Ends { device: Some(Mechanism::Handshake), hub: None };
        self.tell(What::FaultApplied { window, link, fidelity: Fidelity::Stream, means })
    }

    /// CONNECT and the CONNACK that accepts it, over a link that is there.
    pub fn speaks(&mut self, link: u64, name: &'static str, keep_alive: u16) -> &mut Story {
        let connect = Packet::Connect {
            version: Version::V311,
            client_id: name.into(),
            keep_alive,
            clean: true,
            username: None,
            token_expiry: None,
            password: None,
            same_password: false,
            will: None,
            terms: SessionTerms::default(),
        };
        self.up(link, connect).connack(link, false, 0)
    }

    /// Connected over TLS, and accepted at once.
    pub fn joins_tls(&mut self, link: u64, device: u32, name: &'static str, keep_alive: u16) -> &mut Story {
        self.greets(link).shakes_hands(link, Side::Device, 3, false).is_of(link, device, name);
        self.speaks(link, name, keep_alive)
    }

    pub fn carried(&mut self, link: u64, to: Side) -> &mut Story {
        self.tell(What::EndCarried { link: LinkId(link), to, how: Ending::Fin })
    }

    pub fn waits(&mut self, link: u64, to: Side, unsent: u64) -> &mut Story {
        self.tell(What::EndWaits { link: LinkId(link), to, unsent })
    }

    pub fn cut(&mut self, link: u64, side: Side, fate: LegFate, window: u64) -> &mut Story {
        let last = *self.last.entry(LinkId(link)).or_default().get(side);
        self.tell(What::LegCut { link: LinkId(link), side, fate, window: Some(WindowId(window)), last })
    }

    pub fn closes(&mut self, link: u64) -> &mut Story {
        self.tell(What::LinkClosed { link: LinkId(link), undelivered: Ways::default() })
    }

    /// The rule fires on the device, whose keep-alive is so many seconds.
    pub fn opens(&mut self, window: u64, rule: u16, device: u32, keep_alive: u64) -> &mut Story {
        self.tell(What::Fired { firing: FiringId(window), rule: RuleId(rule), nth: 1 });
        self.tell(What::WindowOpened {
            window: WindowId(window),
            firing: FiringId(window),
            rule: RuleId(rule),
            device: DeviceId(device),
            until: None,
            keep_alive_ns: keep_alive * 1_000_000_000,
            assumed: false,
            hub_keep_alive_ns: None,
        })
    }

    pub fn applies(&mut self, window: u64, link: u64, by: Mechanism) -> &mut Story {
        let fidelity = match by {
            Mechanism::Filter | Mechanism::MinTtl => Fidelity::Packet,
            Mechanism::Linger | Mechanism::Shutdown | Mechanism::Parked => Fidelity::Packet,
            Mechanism::Unnotified | Mechanism::Alert | Mechanism::Truncated => Fidelity::Stream,
            Mechanism::Record | Mechanism::Handshake => Fidelity::Stream,
            Mechanism::Gate => Fidelity::Stall,
            Mechanism::RandomFilter | Mechanism::Closed | Mechanism::HalfShut => Fidelity::Packet,
            Mechanism::Lane | Mechanism::Shaper | Mechanism::Packets | Mechanism::Injected => {
                Fidelity::Stream
            }
            Mechanism::Rejected | Mechanism::Disconnected | Mechanism::Rival => Fidelity::Stream,
        };
        let means = Ends { device: Some(by), hub: Some(by) };
        self.tell(What::FaultApplied { window: WindowId(window), link: LinkId(link), fidelity, means })
    }

    pub fn lifts(&mut self, window: u64, link: u64) -> &mut Story {
        self.tell(What::FaultLifted { window: WindowId(window), link: LinkId(link) })
    }

    pub fn heals(&mut self, window: u64) -> &mut Story {
        self.tell(What::WindowClosed { window: WindowId(window) })
    }

    pub fn traffic(&mut self, link: u64, bytes: u64, publish_rtt: Samples) -> &mut Story {
        self.carries(link, bytes, publish_rtt, None, (None, None))
    }

    /// The hub is left unread since then, or is read from now on.
    pub fn leaves_unread(&mut self, link: u64, since: Option<u64>) -> &mut Story {
        let read_again = since.is_none().then_some(self.now);
        self.carries(link, 1, Samples::default(), None, (since.map(Time::from_millis), read_again))
    }

    /// The hub is read, again since then.
    pub fn reads_again(&mut self, link: u64, since: u64) -> &mut Story {
        self.carries(link, 1, Samples::default(), None, (None, Some(Time::from_millis(since))))
    }

    /// Bytes of a packet that is not there whole.
    pub fn trickles(&mut self, link: u64) -> &mut Story {
        self.carries(link, 1, Samples::default(), Some(self.now), (None, None))
    }

    fn carries(
        &mut self,
        link: u64,
        bytes: u64,
        publish_rtt: Samples,
        under_way: Option<Time>,
        (unread, read_again): (Option<Time>, Option<Time>),
    ) -> &mut Story {
        let count = Count { bytes, packets: 2, publishes: 1 };
        let last = *self.last.entry(LinkId(link)).or_default();
        self.tell(What::Traffic(Box::new(Traffic {
            link: LinkId(link),
            up: count,
            down: count,
            last,
            publish_rtt,
            under_way,
            unread,
            read_again,
            control_gap: Samples::default(),
        })))
    }

    /// Bytes of the device's, last then.
    pub fn says(&mut self, link: u64, last: LastPackets) -> &mut Story {
        self.last.entry(LinkId(link)).or_default().device = last;
        self.traffic(link, 10, Samples::default())
    }

    pub fn over(&mut self) -> &mut Story {
        self.tell(What::RunEnded { reason: EndReason::Complete })
    }

    pub fn results(&self, plan: &Plan) -> Results {
        self.measures(plan).results(self.now)
    }

    /// What conformance finds by itself, before it is known whether diagnosis tells of the same fact.
    pub fn conformance(&self, plan: &Plan) -> Vec<crate::measure::Finding> {
        let measures = self.measures(plan);
        let run = measures.results(self.now).runs.remove(0);
        measures.conformance.findings(&run, self.now)
    }

    fn measures(&self, plan: &Plan) -> Measures {
        let mut measures = Measures::new(plan);
        self.events.iter().for_each(|event| measures.push(event));
        measures
    }
}

/// A CONNECT of this version and keep-alive, with a SAS token that expires at this second since 1970.
pub(crate) fn asks(name: &str, version: Version, keep_alive: u16, token_expiry: Option<u64>) -> Packet {
    Packet::Connect {
        version,
        client_id: name.into(),
        keep_alive,
        clean: true,
        username: None,
        token_expiry,
        password: None,
        same_password: false,
        will: None,
        terms: SessionTerms::default(),
    }
}

/// A CONNACK with this code and Server Keep Alive.
pub(crate) fn answers(code: u8, server_keep_alive: Option<u16>) -> Packet {
    Packet::Connack {
        session_present: false,
        code,
        server_keep_alive,
        assigned_client_id: None,
        terms: SessionTerms::default(),
    }
}

/// The values of a measure, in the order they were made.
pub(crate) fn values(results: &Results, metric: Metric) -> Vec<Value> {
    let samples = results.runs.iter().flat_map(|run| &run.samples);
    samples.filter(|sample| sample.metric == metric).map(|sample| sample.value).collect()
}

pub(crate) const fn exact(millis: u64) -> Value {
    Value::Exact(Duration::from_millis(millis))
}

pub(crate) const fn never(millis: u64) -> Value {
    Value::Never { watched: Duration::from_millis(millis) }
}

pub(crate) const fn between(after: u64, before: u64) -> Value {
    Value::Between { after: Duration::from_millis(after), before: Duration::from_millis(before) }
}
