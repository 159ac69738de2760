//! Random faults on random traffic, for a few seconds; BROWNOUT_STORM_SECONDS for longer, BROWNOUT_STORM_SEED for
//! another storm. Whatever happens: bytes arrive in order and unchanged, every link ends, and the events are whole. One
//! storm each for plain MQTT, MQTT in WebSocket, and TLS that is ended, ended and begun again, and passed through.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/tls.rs"]
mod tls;

use brownout::base::rand::{Key, draw};
use brownout::base::{Chance, LinkId, Rate, RuleId, Side, Span};
use brownout::event::TlsMode;
use brownout::event::{Event, Packet, What};
use brownout::fault::{
    Bandwidth, Blackhole, Close, Connects, Delay, DelayModel, Edit, Ending, Fault, FidelityWanted, Forgotten,
    HandshakeFault, HandshakeStage, IdleTimeout, Latency, LegFate, Loss, Mechanism, PacketAction,
    PacketFault, PacketMatch, RecordFault, Slice, Stall, TlsAlert, TlsHandshake, TlsRecord, Toward,
    WaysWanted,
};
use brownout::mqtt::PacketKind;
use brownout::profile::{Repeat, Rule, TlsPlan, When};
use brownout::tls::{Alert, Damage};
use common::{at, hub, plan, wire};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tls::Pki;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What the devices and the hub speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Plain,
    WebSocket,
    Tls(TlsMode),
}

impl Mode {
    /// How many devices are there at once.
    fn devices(self) -> u64 {
        match self {
            Mode::Plain => 30,
            Mode::WebSocket | Mode::Tls(_) => 25,
        }
    }

    /// Tells the storms of one run apart.
    fn base(self) -> u64 {
        match self {
            Mode::Plain => 0,
            Mode::WebSocket => 1 << 40,
            Mode::Tls(TlsMode::Terminate) => 2 << 40,
            Mode::Tls(TlsMode::Reoriginate) => 3 << 40,
            Mode::Tls(_) => 4 << 40,
        }
    }

    fn has_tls(self, side: Side) -> bool {
        match (self, side) {
            (Mode::Tls(TlsMode::Terminate), Side::Hub) | (Mode::Plain | Mode::WebSocket, _) => false,
            (Mode::Tls(_), _) => true,
        }
    }
}

/// How long one link may take from its first byte to its last: faults hold for half a second at most.
const PATIENCE: Duration = Duration::from_secs(60);

const UP: u64 = 1;
const DOWN: u64 = 2;

/// A number for this purpose, below `below`.
fn pick(seed: u64, purpose: u64, nth: u64, below: u64) -> u64 {
    draw(Key { seed, purpose, subject: 7, nth }) % below
}

fn noise(seed: u64, purpose: u64, len: usize) -> Vec<u8> {
    let words = u64::try_from(len / 8 + 1).unwrap();
    let mut noise: Vec<u8> =
        (0..words).flat_map(|nth| draw(Key { seed, purpose, subject: 9, nth }).to_le_bytes()).collect();
    noise.truncate(len);
    noise
}

/// What one end sends and how it ends.
#[derive(Clone, Debug)]
struct Part {
    bytes: Vec<u8>,
    ends: End,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// FIN once all is sent.
    Fin,
    /// FIN once the other end has said it.
    FinAfter,
    /// RST after so many bytes.
    Reset(usize),
}

/// The device's part of a conversation begins with CONNECT; what follows is MQTT in one half of them.
fn part(seed: u64, purpose: u64, first: &[u8], ping: [u8; 2]) -> Part {
    let len = match pick(seed, purpose, 1, 8) {
        0 => 0,
        1..=6 => pick(seed, purpose, 2, 30_000),
        _ => pick(seed, purpose, 2, 2_500_000),
    };
    let len = usize::try_from(len).unwrap();
    let mut bytes = first.to_vec();
    if pick(seed, purpose, 3, 2) == 0 {
        bytes.extend(noise(seed, purpose, len));
    } else {
        bytes.extend(ping.iter().cycle().take(len.min(600) & !1));
    }
    let ends = match pick(seed, purpose, 4, 5) {
        0 | 1 => End::Fin,
        2 | 3 => End::FinAfter,
        _ => End::Reset(usize::try_from(pick(seed, purpose, 5, 100_000)).unwrap().min(bytes.len())),
    };
    Part { bytes, ends }
}

/// Both parts of the conversation of that number. Two ends that wait for each other's FIN would wait for ever.
fn parts(seed: u64) -> (Part, Part) {
    let name = format!("s{seed}");
    let up = part(seed, UP, &wire::connect(&name, 60), wire::PINGREQ);
    let mut down = part(seed, DOWN, &wire::CONNACK, wire::PINGRESP);
    if (up.ends, down.ends) == (End::FinAfter, End::FinAfter) {
        down.ends = End::Fin;
    }
    (up, down)
}

/// The same in WebSocket, all of it: behind the heads, in frames of random lengths.
fn in_websocket(seed: u64, (mut up, mut down): (Part, Part)) -> (Part, Part) {
    let ask = format!("GET /s{seed} HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").into_bytes();
    let agree = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n".to_vec();
    for (part, purpose, head) in [(&mut up, UP, ask), (&mut down, DOWN, agree)] {
        let mut framed = head;
        let mut rest = part.bytes.as_slice();
        let mut nth = 0;
        while !rest.is_empty() {
            nth += 1;
            let most = if nth % 5 == 0 { 90_000 } else { 700 };
            let length = usize::try_from(pick(seed, purpose, 300_000 + nth, most)).unwrap().min(rest.len());
            let (here, after) = rest.split_at(length);
            rest = after;
            let masked = if purpose == UP { 0x80 } else { 0 };
            framed.push(0x82);
            match u16::try_from(length) {
                Ok(short) if short < 126 => framed.push(masked | u8::try_from(short).unwrap()),
                Ok(long) => {
                    framed.push(masked | 126);
                    framed.extend(long.to_be_bytes());
                }
                Err(_) => {
                    framed.push(masked | 127);
                    framed.extend(u64::try_from(length).unwrap().to_be_bytes());
                }
            }
            let key = if purpose == UP { [1, 2, 3, 4] } else { [0; 4] };
            if purpose == UP {
                framed.extend(key);
            }
            framed.extend(here.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        }
        part.bytes = framed;
        if let End::Reset(after) = &mut part.ends {
            *after = (*after).min(part.bytes.len());
        }
    }
    (up, down)
}

fn parts_in(mode: Mode, seed: u64) -> (Part, Part) {
    match mode {
        Mode::WebSocket => in_websocket(seed, parts(seed)),
        Mode::Plain | Mode::Tls(_) => parts(seed),
    }
}

/// Plays one part: sends in random chunks, reads to the end. What came, and whether it came to a sound end.
async fn play(
    stream: impl AsyncRead + AsyncWrite,
    seed: u64,
    purpose: u64,
    part: Part,
    mut got: Vec<u8>,
) -> (Vec<u8>, bool) {
    let (reads, writes) = tokio::io::split(stream);
    let (ended, end) = tokio::sync::watch::channel(None);
    let limit = if let End::Reset(after) = part.ends { after } else { part.bytes.len() };
    let sending = async {
        let mut writes = writes;
        let (mut at, mut nth) = (0, 0);
        while at < limit {
            let most = if nth % 7 == 0 { 200_000 } else { 3_000 };
            let chunk = usize::try_from(pick(seed, purpose, 100 + nth, most) + 1).unwrap();
            let to = (at + chunk).min(limit);
            if writes.write_all(&part.bytes[at..to]).await.is_err() {
                return writes;
            }
            at = to;
            nth += 1;
            if pick(seed, purpose, 100_000 + nth, 12) == 0 {
                tokio::time::sleep(Duration::from_millis(pick(seed, purpose, 200_000 + nth, 30))).await;
            }
        }
        if part.ends == End::FinAfter {
            let mut end = end.clone();
            let _ = end.wait_for(|ended| ended.is_some()).await;
        }
        // TLS that failed has said so: there is no end in order behind that.
        let failed = *end.borrow() == Some(false);
        if !matches!(part.ends, End::Reset(_)) && !failed {
            let _ = writes.shutdown().await;
        }
        writes
    };
    let reading = async {
        let mut reads = reads;
        let mut buffer = vec![0; 50_000];
        let sound = loop {
            match reads.read(&mut buffer).await {
                Ok(0) => break true,
                Ok(read) => got.extend(&buffer[..read]),
                Err(_) => break false,
            }
        };
        let _ = ended.send(Some(sound));
        (reads, got, sound)
    };
    if let End::Reset(_) = part.ends {
        // Reads until it has sent what it wants to, and no longer.
        tokio::pin!(sending, reading);
        let both = tokio::select! {
            writes = &mut sending => (writes, None),
            rest = &mut reading => (sending.await, Some(rest)),
        };
        // It was set to reset when it is dropped.
        drop(both);
        return (Vec::new(), false);
    }
    let (writes, (reads, got, sound)) = tokio::join!(sending, reading);
    drop((writes, reads));
    (got, sound)
}

type Heard = Arc<Mutex<BTreeMap<u64, (Vec<u8>, bool)>>>;

/// A socket that plays this part.
fn set(stream: &TcpStream, part: &Part) {
    stream.set_nodelay(true).unwrap();
    if let End::Reset(_) = part.ends {
        stream.set_zero_linger().unwrap();
    }
}

/// The hub: reads what names the conversation, and plays the other part of it.
async fn serve(hub: TcpListener, mode: Mode, acceptor: TlsAcceptor, heard: Heard) {
    while let Ok((stream, _)) = hub.accept().await {
        let (heard, acceptor) = (Arc::clone(&heard), acceptor.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true).unwrap();
            let came = if mode.has_tls(Side::Hub) {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let raw = |stream: &tokio_rustls::server::TlsStream<TcpStream>, part: &Part| {
                    set(stream.get_ref().0, part);
                };
                serve_one(stream, mode, raw).await
            } else {
                serve_one(stream, mode, set).await
            };
            if let Some((seed, came)) = came {
                heard.lock().unwrap().insert(seed, came);
            }
        });
    }
}

async fn serve_one<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mode: Mode,
    set: impl Fn(&S, &Part),
) -> Option<(u64, (Vec<u8>, bool))> {
    let (seed, got) = if mode == Mode::WebSocket {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let seed = std::str::from_utf8(&head[6..]).unwrap().split(' ').next().unwrap().parse().unwrap();
        (seed, head)
    } else {
        let mut head = [0; 2];
        stream.read_exact(&mut head).await.ok()?;
        let mut body = vec![0; usize::from(head[1])];
        stream.read_exact(&mut body).await.ok()?;
        (std::str::from_utf8(&body[13..]).unwrap().parse().unwrap(), [head.to_vec(), body].concat())
    };
    let part = parts_in(mode, seed).1;
    set(&stream, &part);
    let play = play(stream, seed, DOWN, part, got);
    let came = tokio::time::timeout(PATIENCE, play).await.expect("the hub's end did not end");
    Some((seed, came))
}

async fn converse(address: SocketAddr, mode: Mode, config: Arc<ClientConfig>, seed: u64, heard: Heard) {
    let Ok(stream) = TcpStream::connect(address).await else { return };
    let part = parts_in(mode, seed).0;
    set(&stream, &part);
    let came = if mode.has_tls(Side::Device) {
        let name = ServerName::try_from(format!("s{seed}.storm.test")).unwrap();
        let shaken = TlsConnector::from(config).connect(name, stream);
        let shaken = tokio::time::timeout(PATIENCE, shaken).await;
        let shaken = shaken.unwrap_or_else(|_| panic!("the handshake of {seed} did not end"));
        let Ok(stream) = shaken else { return };
        tokio::time::timeout(PATIENCE, play(stream, seed, UP, part, Vec::new())).await
    } else {
        tokio::time::timeout(PATIENCE, play(stream, seed, UP, part, Vec::new())).await
    };
    heard.lock().unwrap().insert(seed, came.unwrap_or_else(|_| panic!("conversation {seed} did not end")));
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn every(id: &str, first: u64, every: u64, chance: f64, fault: Fault) -> Rule {
    let repeat = Repeat { every: ms(every), jitter: ms(50), times: None };
    let chance = Chance::new(chance).unwrap();
    Rule {
        when: When::At { first: ms(first), repeat: Some(repeat) },
        chance,
        ..at(id, Duration::ZERO, fault)
    }
}

fn faults() -> Vec<Rule> {
    let dark = |toward, fidelity, connects| {
        Fault::Blackhole(Blackhole {
            direction: WaysWanted::Both,
            toward,
            hold: Span::fixed(ms(150)),
            fidelity,
            connects,
        })
    };
    let stall = |direction| Fault::Stall(Stall { direction, hold: Span::fixed(ms(120)) });
    let model = DelayModel::Uniform { min: ms(0), max: ms(40) };
    let slow = |direction| {
        let delay = Delay { model, jitter: ms(5) };
        Fault::Latency(Latency { direction, delay, hold: Some(Span::fixed(ms(200))) })
    };
    let both = |other| Close { toward: Toward::Both, other, close_notify: true };
    let one = |toward, other| Close { toward, other, close_notify: true };
    vec![
        every("stall-up", 100, 310, 0.5, stall(WaysWanted::Up)),
        every("stall-down", 150, 370, 0.5, stall(WaysWanted::Down)),
        every("slow", 120, 410, 0.6, slow(WaysWanted::Both)),
        every("slow-up", 220, 530, 0.6, slow(WaysWanted::Up)),
        every("dark", 300, 900, 0.3, dark(Toward::Both, FidelityWanted::Stall, Connects::Silence)),
        every("mute", 500, 1_100, 0.2, dark(Toward::Both, FidelityWanted::Packet, Connects::Allow)),
        every("mute-hub", 600, 1_700, 0.2, dark(Toward::Hub, FidelityWanted::Packet, Connects::Silence)),
        every("vanish", 800, 1_900, 1.0, dark(Toward::Device, FidelityWanted::Auto, Connects::Vanish)),
        every("rst", 350, 470, 0.07, Fault::Rst(both(LegFate::Reset))),
        every("fin", 450, 610, 0.07, Fault::Fin(both(LegFate::Close))),
        every("rst-hub", 250, 890, 0.05, Fault::Rst(one(Toward::Hub, LegFate::Close))),
        every("fin-device", 650, 970, 0.05, Fault::Fin(one(Toward::Device, LegFate::Reset))),
    ]
}

/// Those that keep every byte, and so may fall on anybody: slow, in pieces, lost and sent again, watched and left alone.
fn gentle() -> Vec<Rule> {
    let hold = Some(Span::fixed(ms(250)));
    let rate = |bits, direction| {
        let rate = Rate::from_bits(bits).unwrap();
        Fault::Bandwidth(Bandwidth { rate, direction, hold })
    };
    let slice = |size, gap, direction| Fault::Slice(Slice { size, gap: ms(gap), direction, hold });
    let idle = IdleTimeout { after: Span::fixed(PATIENCE * 4), then: Forgotten::Reset, hold };
    let loss = Loss { toward: Toward::Both, chance: Chance::new(0.05).unwrap(), hold };
    vec![
        every("narrow", 130, 430, 0.5, rate(800_000, WaysWanted::Both)),
        every("narrower", 260, 570, 0.4, rate(90_000, WaysWanted::Up)),
        every("pieces", 170, 490, 0.5, slice(700, 1, WaysWanted::Down)),
        every("crumbs", 330, 710, 0.3, slice(1, 2, WaysWanted::Both)),
        every("lossy", 410, 830, 0.2, Fault::Loss(loss)),
        every("idle", 20, 320, 1.0, Fault::IdleTimeout(idle)),
    ]
}

/// Faults of packets that keep every byte: packets made to wait, edits that change nothing, a topic that nobody has.
fn of_packets(mode: Mode) -> Vec<Rule> {
    if mode == Mode::WebSocket {
        // What passes there is put into frames anew: tests/packet_faults.rs looks at what they carry.
        return Vec::new();
    }
    let any = PacketMatch { chance: Chance::new(0.3).unwrap(), ..PacketMatch::EVERY };
    let fault = |what: &PacketMatch, action, hold| {
        Fault::Packets(PacketFault { what: what.clone(), action, hold: Some(Span::fixed(ms(hold))) })
    };
    let always =
        |what: &PacketMatch, action| Fault::Packets(PacketFault { what: what.clone(), action, hold: None });
    let model = DelayModel::Uniform { min: ms(0), max: ms(15) };
    let nobodys = PacketMatch { topic: Some("nobodys/topic".into()), ..any.clone() };
    // Noise may look like a CONNECT too, of another keep-alive: it is the device's own that is edited, by a rule that is
    // there before any of them.
    let connect = PacketMatch {
        packet: Some(PacketKind::Connect),
        direction: WaysWanted::Up,
        nth: Some(1),
        ..any.clone()
    };
    let retained = PacketMatch { packet: Some(PacketKind::Publish), retain: Some(true), ..any.clone() };
    let ping = PacketMatch { packet: Some(PacketKind::Pingreq), ..any.clone() };
    let same = Edit { keep_alive: Some(60), ..Edit::default() };
    let still = Edit { retain: Some(true), ..Edit::default() };
    vec![
        every("later", 90, 390, 0.5, fault(&any, PacketAction::Delay(Delay { model, jitter: ms(2) }), 250)),
        every("nothing", 60, 350, 0.7, fault(&nobodys, PacketAction::Drop { acknowledge: true }, 300)),
        at("same", Duration::ZERO, always(&connect, PacketAction::Edit(same))),
        every("still", 40, 460, 0.7, fault(&retained, PacketAction::Edit(still), 400)),
        every("none", 30, 440, 0.7, fault(&ping, PacketAction::Edit(same), 350)),
    ]
}

/// Those of TLS, where it is in the way.
fn tls_faults(mode: Mode) -> Vec<Rule> {
    let Mode::Tls(mode) = mode else { return Vec::new() };
    let hold = Span::fixed(ms(120));
    let shake = |what| Fault::TlsHandshake(TlsHandshake { what, hold });
    let harm = |toward, what| Fault::TlsRecord(TlsRecord { toward, what });
    let alert = TlsAlert { toward: Toward::Device, alert: Alert::INTERNAL_ERROR, other: LegFate::Close };
    let fin = Close { toward: Toward::Both, other: LegFate::Close, close_notify: false };
    let mut rules = vec![
        every("harm-device", 700, 790, 0.1, harm(Side::Device, RecordFault::Damaged(Damage::Mac))),
        every("harm-hub", 750, 830, 0.1, harm(Side::Hub, RecordFault::Damaged(Damage::Type))),
        every("cut", 800, 870, 0.05, harm(Side::Device, RecordFault::Truncated)),
    ];
    if mode.serves() {
        rules.extend([
            every("before", 50, 290, 0.5, shake(HandshakeFault::Stall(HandshakeStage::BeforeServerHello))),
            every("after", 150, 330, 0.5, shake(HandshakeFault::Stall(HandshakeStage::AfterServerHello))),
            every("abort", 400, 910, 0.2, shake(HandshakeFault::Abort(Ending::Fin))),
            every("refuse", 450, 950, 0.2, shake(HandshakeFault::Alert(Alert::HANDSHAKE_FAILURE))),
            every("alert", 500, 590, 0.05, Fault::TlsAlert(alert)),
            every("unnotified", 550, 690, 0.05, Fault::Fin(fin)),
        ]);
    }
    rules
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_links_and_events_survive_a_storm() {
    storm(Mode::Plain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websocket_survives_a_storm() {
    storm(Mode::WebSocket).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_that_is_ended_survives_a_storm() {
    storm(Mode::Tls(TlsMode::Terminate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_on_both_legs_survives_a_storm() {
    storm(Mode::Tls(TlsMode::Reoriginate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_that_is_passed_through_survives_a_storm() {
    storm(Mode::Tls(TlsMode::Passthrough)).await;
}

/// One storm at a time: a proxy that is not run for a while has all the more to do then, and as much again must not be beside it.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

async fn storm(mode: Mode) {
    let _alone = ALONE.lock().await;
    let (length, storm) = (number("BROWNOUT_STORM_SECONDS", 4), number("BROWNOUT_STORM_SEED", 1));
    let hub = hub().await;
    let pki = Pki::new();
    let mut rules = faults();
    rules.extend(tls_faults(mode));
    rules.extend(gentle());
    rules.extend(of_packets(mode));
    if mode == Mode::Tls(TlsMode::Passthrough) {
        // All devices are one by their address, and meet a fault together or not at all.
        for rule in rules.iter_mut().filter(|rule| rule.fault.is_one_shot()) {
            rule.chance = Chance::new(0.15).unwrap();
        }
    }
    let lasting: BTreeSet<RuleId> = (0..)
        .zip(&rules)
        .filter(|(_, rule)| rule.fault.hold().is_none() && !rule.fault.is_one_shot())
        .map(|(nth, _)| RuleId(nth))
        .collect();
    let mut plan = plan(rules);
    plan.duration = Some(Duration::from_secs(length + 60));
    let tls = match mode {
        Mode::Plain | Mode::WebSocket => TlsPlan::default(),
        Mode::Tls(mode) => {
            TlsPlan { hub_ca: Some(pki.ca_file()), hub_name: Some("hub.storm.test".into()), ..pki.plan(mode) }
        }
    };
    let bench = tls::start(plan, tls, hub.local_addr().unwrap()).await;
    let (up, down) = (Heard::default(), Heard::default());
    let acceptor = pki.hub(&["*.storm.test"], &[]);
    let serving = tokio::spawn(serve(hub, mode, acceptor, Arc::clone(&up)));
    let config = pki.device();
    let until = Instant::now() + Duration::from_secs(length);
    let devices: Vec<_> = (0..mode.devices())
        .map(|nth| {
            let (address, down, config) = (bench.address, Arc::clone(&down), Arc::clone(&config));
            tokio::spawn(async move {
                let mut seed = mode.base() + storm * 1_000_000 + nth;
                while Instant::now() < until {
                    converse(address, mode, Arc::clone(&config), seed, Arc::clone(&down)).await;
                    seed += mode.devices();
                }
            })
        })
        .collect();
    for device in devices {
        device.await.unwrap();
    }
    // Links end by themselves once both ends have.
    let ended = tokio::time::timeout(PATIENCE, async {
        while links_left(&bench.events.lock().unwrap()) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    if ended.await.is_err() {
        let events = bench.stop().await;
        let last = events.last().unwrap().at;
        for (link, story) in stories(&events).iter().filter(|(_, story)| last.since(story.closed) < ms(100)) {
            println!("{link} was there to the end: {story:#?}");
        }
        panic!("links are left");
    }
    let events = bench.stop().await;
    serving.abort();
    let _ = serving.await;
    check(mode, &lasting, &events, &up.lock().unwrap(), &down.lock().unwrap());
}

fn links_left(events: &[Event]) -> usize {
    let opened = events.iter().filter(|e| matches!(e.what, What::LinkOpened { .. })).count();
    opened - events.iter().filter(|e| matches!(e.what, What::LinkClosed { .. })).count()
}

/// What became of one link, by the events.
#[derive(Debug)]
struct Story {
    seed: Option<u64>,
    /// Whether the hub was dialled: nobody dials for a device that gave up in the dark.
    joined: bool,
    cut: bool,
    reset: bool,
    closed: brownout::base::Time,
    lost: (u64, u64),
    told: Vec<String>,
}

fn stories(events: &[Event]) -> BTreeMap<LinkId, Story> {
    let mut stories = BTreeMap::new();
    for event in events {
        let Some(link) = link_of(&event.what) else { continue };
        let story = stories.entry(link).or_insert(Story {
            seed: None,
            joined: false,
            cut: false,
            reset: false,
            closed: event.at,
            lost: (0, 0),
            told: Vec::new(),
        });
        match &event.what {
            What::Packet { packet: Packet::Connect { client_id, .. }, .. } => {
                story.seed = client_id.strip_prefix('s').and_then(|id| id.parse().ok());
            }
            What::TlsHello { sni: Some(sni), .. } => {
                story.seed = sni.split('.').next().and_then(|name| name.strip_prefix('s')?.parse().ok());
            }
            What::HubConnected { .. } => story.joined = true,
            What::LegCut { .. } => story.cut = true,
            What::FaultApplied { means, .. }
                if Side::BOTH.iter().any(|side| {
                    matches!(means.get(*side), Some(Mechanism::Record | Mechanism::Handshake))
                }) =>
            {
                story.cut = true;
            }
            What::LegEnded { how: Ending::Alert, .. } | What::TlsFailed { .. } => story.reset = true,
            What::LegEnded { how: Ending::Reset, .. }
            | What::EndCarried { how: Ending::Reset, .. }
            | What::HubUnreachable { .. } => story.reset = true,
            What::LinkClosed { undelivered, .. } => {
                story.closed = event.at;
                story.lost = (undelivered.up, undelivered.down);
            }
            _ => {}
        }
        let is_ping = matches!(&event.what, What::Packet { packet: Packet::Pingreq | Packet::Pingresp, .. });
        if story.told.len() < 60 && !is_ping {
            story.told.push(event.to_string());
        }
    }
    stories
}

fn link_of(what: &What) -> Option<LinkId> {
    match what {
        What::LinkOpened { link, .. }
        | What::TlsHello { link, .. }
        | What::TlsEstablished { link, .. }
        | What::TlsFailed { link, .. }
        | What::HubConnected { link, .. }
        | What::HubUnreachable { link, .. }
        | What::LinkIdentified { link, .. }
        | What::Packet { link, .. }
        | What::NotMqtt { link, .. }
        | What::LegEnded { link, .. }
        | What::EndCarried { link, .. }
        | What::LegCut { link, .. }
        | What::FaultApplied { link, .. }
        | What::FaultLifted { link, .. }
        | What::FaultRefused { link, .. }
        | What::LinkClosed { link, .. } => Some(*link),
        _ => None,
    }
}

fn check(
    mode: Mode,
    lasting: &BTreeSet<RuleId>,
    events: &[Event],
    up: &BTreeMap<u64, (Vec<u8>, bool)>,
    down: &BTreeMap<u64, (Vec<u8>, bool)>,
) {
    for (nth, event) in (0..).zip(events) {
        assert_eq!(event.seq, nth, "a gap");
    }
    assert!(events.windows(2).all(|pair| pair[0].at <= pair[1].at), "events out of order");
    assert!(matches!(events.last().unwrap().what, What::RunEnded { .. }));
    let stories = stories(events);
    let opened: BTreeSet<LinkId> = ids(events, |what| match what {
        What::LinkOpened { link, .. } => Some(*link),
        _ => None,
    });
    let closed = ids(events, |what| match what {
        What::LinkClosed { link, .. } => Some(*link),
        _ => None,
    });
    assert_eq!(opened, closed);
    windows(events, lasting);
    let by_seed: BTreeMap<u64, &Story> =
        stories.values().filter_map(|story| Some((story.seed?, story))).collect();
    let mut whole = 0;
    for (seed, story) in &by_seed {
        let (says_up, says_down) = parts_in(mode, *seed);
        let sound = story.joined && !story.cut && !story.reset;
        for (side, says, came, lost) in [
            (Side::Hub, says_up.bytes, up.get(seed), story.lost.0),
            (Side::Device, says_down.bytes, down.get(seed), story.lost.1),
        ] {
            let Some((got, ended)) = came else { continue };
            assert!(says.starts_with(got), "{side:?} of {seed} got other bytes than were sent: {story:#?}");
            if sound {
                assert!(
                    *ended && got.len() == says.len(),
                    "{side:?} of {seed} got {} of {} bytes: {story:#?}",
                    got.len(),
                    says.len()
                );
                assert_eq!(lost, 0, "{side:?} of {seed}: {story:#?}");
            }
        }
        whole += usize::from(sound);
    }
    let cut = by_seed.values().filter(|story| story.cut).count();
    println!("{mode:?}: {} links, {whole} whole, {cut} cut, {} events", opened.len(), events.len());
    let (least_whole, least_cut) = match mode {
        Mode::Plain => (10, 3),
        Mode::WebSocket | Mode::Tls(TlsMode::Terminate | TlsMode::Reoriginate) => (5, 3),
        // It may be that none is cut: see its rules.
        Mode::Tls(_) => (5, 0),
    };
    assert!(whole >= least_whole && cut >= least_cut, "a storm that shows nothing: {whole} whole, {cut} cut");
}

fn ids<T: Ord>(events: &[Event], id: impl Fn(&What) -> Option<T>) -> BTreeSet<T> {
    events.iter().filter_map(|event| id(&event.what)).collect()
}

/// Every window that opened before the last seconds closed, unless its rule lasts as long as the run, and after it closed nothing of it is told.
fn windows(events: &[Event], lasting: &BTreeSet<RuleId>) {
    let mut open = BTreeMap::new();
    for event in events {
        match &event.what {
            What::WindowOpened { window, rule, .. } => {
                open.insert(*window, (event.at, *rule));
            }
            What::FaultApplied { window, .. } | What::FaultLifted { window, .. } => {
                assert!(open.contains_key(window), "{event} of a window that is not open");
            }
            What::LegCut { window: Some(window), .. } => {
                assert!(open.contains_key(window), "{event} of a window that is not open");
            }
            What::WindowClosed { window } => {
                assert!(open.remove(window).is_some(), "{event} twice");
            }
            _ => {}
        }
    }
    let last = events.last().unwrap().at;
    let stale: Vec<_> = open
        .iter()
        .filter(|(_, (at, rule))| !lasting.contains(rule) && last.since(*at) > ms(3_000))
        .collect();
    assert!(stale.is_empty(), "windows never closed: {stale:?}");
}
