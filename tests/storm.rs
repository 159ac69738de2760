//! Random faults on random traffic, for a few seconds; BROWNOUT_STORM_SECONDS for longer, BROWNOUT_STORM_SEED for
//! another storm. Whatever happens: bytes arrive in order and unchanged, every link ends, and the events are whole.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::rand::{Key, draw};
use brownout::base::{Chance, LinkId, Side, Span};
use brownout::event::{Event, Packet, What};
use brownout::fault::{
    Blackhole, Close, Connects, Delay, DelayModel, Ending, Fault, FidelityWanted, Latency, LegFate, Stall,
    Toward, WaysWanted,
};
use brownout::profile::{Repeat, Rule, When};
use common::{Bench, at, hub, plan, wire};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How many devices are there at once.
const DEVICES: u64 = 60;

/// How long one link may take from its first byte to its last: faults hold for half a second at most.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Plays one part: sends in random chunks, reads to the end. What came, and whether it came to a sound end.
async fn play(stream: TcpStream, seed: u64, purpose: u64, part: Part, mut got: Vec<u8>) -> (Vec<u8>, bool) {
    stream.set_nodelay(true).unwrap();
    let (reads, writes) = stream.into_split();
    let (ended, end) = tokio::sync::watch::channel(false);
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
            let mut end = end;
            let _ = end.wait_for(|ended| *ended).await;
        }
        if !matches!(part.ends, End::Reset(_)) {
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
        let _ = ended.send(true);
        (reads, got, sound)
    };
    if let End::Reset(_) = part.ends {
        // Reads until it has sent what it wants to, and no longer.
        tokio::pin!(sending, reading);
        let (writes, rest) = tokio::select! {
            writes = &mut sending => (writes, None),
            rest = &mut reading => (sending.await, Some(rest)),
        };
        let _ = writes.as_ref().set_zero_linger();
        // Dropped, it would say FIN first.
        writes.forget();
        drop(rest);
        return (Vec::new(), false);
    }
    let (writes, (reads, got, sound)) = tokio::join!(sending, reading);
    drop((writes, reads));
    (got, sound)
}

type Heard = Arc<Mutex<BTreeMap<u64, (Vec<u8>, bool)>>>;

/// The hub: reads CONNECT, and plays the other part of the conversation that its client identifier names.
async fn serve(hub: TcpListener, heard: Heard) {
    while let Ok((mut stream, _)) = hub.accept().await {
        let heard = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut head = [0; 2];
            if stream.read_exact(&mut head).await.is_err() {
                return;
            }
            let mut body = vec![0; usize::from(head[1])];
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
            let seed: u64 = std::str::from_utf8(&body[13..]).unwrap().parse().unwrap();
            let got = [head.to_vec(), body].concat();
            let play = play(stream, seed, DOWN, parts(seed).1, got);
            let came = tokio::time::timeout(PATIENCE, play).await.expect("the hub's end did not end");
            heard.lock().unwrap().insert(seed, came);
        });
    }
}

async fn converse(address: SocketAddr, seed: u64, heard: Heard) {
    let Ok(stream) = TcpStream::connect(address).await else { return };
    let play = play(stream, seed, UP, parts(seed).0, Vec::new());
    let came = tokio::time::timeout(PATIENCE, play).await;
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
        Fault::Blackhole(Blackhole { toward, hold: Span::fixed(ms(150)), fidelity, connects })
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

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_links_and_events_survive_a_storm() {
    let (length, storm) = (number("BROWNOUT_STORM_SECONDS", 4), number("BROWNOUT_STORM_SEED", 1));
    let hub = hub().await;
    let mut plan = plan(faults());
    plan.duration = Some(Duration::from_secs(length + 60));
    let bench = Bench::start(plan, hub.local_addr().unwrap()).await;
    let (up, down) = (Heard::default(), Heard::default());
    let serving = tokio::spawn(serve(hub, Arc::clone(&up)));
    let until = Instant::now() + Duration::from_secs(length);
    let devices: Vec<_> = (0..DEVICES)
        .map(|nth| {
            let (address, down) = (bench.address, Arc::clone(&down));
            tokio::spawn(async move {
                let mut seed = storm * 1_000_000 + nth;
                while Instant::now() < until {
                    converse(address, seed, Arc::clone(&down)).await;
                    seed += DEVICES;
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
    check(&events, &up.lock().unwrap(), &down.lock().unwrap());
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
            What::HubConnected { .. } => story.joined = true,
            What::LegCut { .. } => story.cut = true,
            What::LegEnded { how: Ending::Reset, .. }
            | What::EndCarried { how: Ending::Reset, .. }
            | What::HubUnreachable { .. } => story.reset = true,
            What::LinkClosed { undelivered, .. } => {
                story.closed = event.at;
                story.lost = (undelivered.up, undelivered.down);
            }
            _ => {}
        }
        if story.told.len() < 60 {
            story.told.push(event.to_string());
        }
    }
    stories
}

fn link_of(what: &What) -> Option<LinkId> {
    match what {
        What::LinkOpened { link, .. }
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

fn check(events: &[Event], up: &BTreeMap<u64, (Vec<u8>, bool)>, down: &BTreeMap<u64, (Vec<u8>, bool)>) {
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
    windows(events);
    let by_seed: BTreeMap<u64, &Story> =
        stories.values().filter_map(|story| Some((story.seed?, story))).collect();
    let mut whole = 0;
    for (seed, story) in &by_seed {
        let (says_up, says_down) = parts(*seed);
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
    println!("{} links, {whole} whole, {cut} cut, {} events", opened.len(), events.len());
    assert!(whole > 10 && cut > 3, "a storm that shows nothing: {whole} whole, {cut} cut");
}

fn ids<T: Ord>(events: &[Event], id: impl Fn(&What) -> Option<T>) -> BTreeSet<T> {
    events.iter().filter_map(|event| id(&event.what)).collect()
}

/// Every window that opened before the last second closed, and after it closed nothing of it is told.
fn windows(events: &[Event]) {
    let mut open = BTreeMap::new();
    for event in events {
        match &event.what {
            What::WindowOpened { window, .. } => {
                open.insert(*window, event.at);
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
    let stale: Vec<_> = open.iter().filter(|(_, at)| last.since(**at) > ms(1500)).collect();
    assert!(stale.is_empty(), "windows never closed: {stale:?}");
}
