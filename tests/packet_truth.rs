//! What is told of packets is what the wire shows: random rules on random packets in both directions, and the bytes that
//! arrive held against those that were sent with exactly the told alterations applied. BROWNOUT_TRUTH_RUNS for more runs.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use brownout::base::rand::{Key, draw};
use brownout::base::{Chance, Direction};
use brownout::event::{Event, What};
use brownout::fault::{
    Alteration, Corrupt, Delay, DelayModel, Edit, Fault, PacketAction, PacketFault, PacketMatch, WaysWanted,
};
use brownout::mqtt::{PacketKind, QoS};
use brownout::profile::Rule;
use common::{at, bench, joined, wire};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Packets of each end in a run.
const PACKETS: u64 = 120;

/// Numbers of one run.
struct Dice {
    seed: u64,
    nth: u64,
}

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.nth += 1;
        draw(Key { seed: self.seed, purpose: 0x7457, subject: 3, nth: self.nth }) % below
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(u64::try_from(of.len()).unwrap())).unwrap()].clone()
    }
}

fn length(of: usize) -> Vec<u8> {
    let mut rest = of;
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(rest % 128).unwrap();
        rest /= 128;
        bytes.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return bytes;
        }
    }
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    [&[first], length(body.len()).as_slice(), body].concat()
}

fn any_packet(dice: &mut Dice, ping: [u8; 2]) -> Vec<u8> {
    match dice.below(8) {
        0 | 1 => ping.to_vec(),
        2 => packet(dice.one(&[0x40, 0x50, 0x62, 0x70]), &[0, dice.one(&[1, 7, 9])]),
        what => {
            let mut body = dice.one(&[b"\x00\x01t".as_slice(), b"\x00\x03a/b"]).to_vec();
            let qos = u8::try_from(dice.below(3)).unwrap();
            if qos > 0 {
                body.extend([0, dice.one(&[1, 7, 9])]);
            }
            let most = if what == 7 { 90_000 } else { 200 };
            let payload = dice.below(most);
            body.extend((0..payload).map(|nth| u8::try_from(nth % 251).unwrap()));
            packet(0x30 | qos << 1 | u8::try_from(dice.below(2)).unwrap(), &body)
        }
    }
}

fn any_rule(dice: &mut Dice) -> Rule {
    let ms = |millis| DelayModel::Fixed { delay: Duration::from_millis(millis) };
    let action = match dice.below(6) {
        0 => PacketAction::Drop { acknowledge: false },
        1 => PacketAction::Delay(Delay { model: ms(dice.below(4)), jitter: Duration::ZERO }),
        2 => PacketAction::Duplicate { copies: u32::try_from(dice.below(3)).unwrap() + 1 },
        3 => PacketAction::Edit(Edit {
            retain: dice.one(&[Some(true), Some(false), None]),
            dup: dice.one(&[Some(true), None]),
            packet_id: dice.one(&[Some(7), None]),
            ..Edit::default()
        }),
        _ => PacketAction::Corrupt(dice.one(&[Corrupt::Payload, Corrupt::Body, Corrupt::Anywhere])),
    };
    let what = PacketMatch {
        packet: dice.one(&[None, Some(PacketKind::Publish), Some(PacketKind::Pubrel)]),
        direction: dice.one(&[WaysWanted::Up, WaysWanted::Down, WaysWanted::Both]),
        times: dice.one(&[None, Some(20)]),
        chance: Chance::new(dice.one(&[0.1, 0.5])).unwrap(),
        ..PacketMatch::EVERY
    };
    // The type that no rule asks for is told of too: so that each packet has an event.
    let what =
        PacketMatch { qos: what.packet.filter(|_| dice.below(3) == 0).and(Some(QoS::AtLeastOnce)), ..what };
    at("packets", Duration::ZERO, Fault::Packets(PacketFault { what, action, hold: None }))
}

/// A rule that asks for every packet and changes none.
fn witness() -> Rule {
    let what = PacketMatch::EVERY;
    let action = PacketAction::Edit(Edit::default());
    at("witness", Duration::ZERO, Fault::Packets(PacketFault { what, action, hold: None }))
}

/// Sends these packets in random pieces, then FIN; and hears all that comes.
async fn play(stream: TcpStream, sent: Vec<u8>, seed: u64) -> Vec<u8> {
    let (mut reads, mut writes) = stream.into_split();
    let sending = async {
        let mut dice = Dice { seed, nth: 1 << 30 };
        let mut rest = sent.as_slice();
        while !rest.is_empty() {
            let most = dice.one(&[3, 200, 20_000]);
            let piece = usize::try_from(dice.below(most)).unwrap() + 1;
            let (now, later) = rest.split_at(piece.min(rest.len()));
            writes.write_all(now).await.unwrap();
            rest = later;
            if dice.below(9) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        writes.shutdown().await.unwrap();
    };
    let mut got = Vec::new();
    let (_, read) = tokio::join!(sending, reads.read_to_end(&mut got));
    read.unwrap();
    got
}

/// What is to arrive: each byte, and whether it is one that was corrupted so often.
fn altered(packet: &[u8], told: &[Alteration]) -> Vec<(u8, u32)> {
    let mut bytes: Vec<(u8, u32)> = packet.iter().map(|byte| (*byte, 0)).collect();
    let mut copies = 0;
    for what in told {
        match what {
            Alteration::Dropped { .. } => return Vec::new(),
            Alteration::Delayed { .. } => {}
            Alteration::Duplicated { copies: more } => copies += more,
            Alteration::Corrupted { offset } => bytes[usize::try_from(*offset).unwrap()].1 += 1,
            Alteration::Edited { edit } => apply(&mut bytes, edit),
            Alteration::CutShort { .. } => panic!("nobody asked for a cut"),
        }
    }
    bytes.repeat(usize::try_from(copies).unwrap() + 1)
}

fn apply(bytes: &mut [(u8, u32)], edit: &Edit) {
    let first = bytes[0].0;
    for (flag, bit) in [(edit.retain, 1), (edit.dup, 8)] {
        if let Some(on) = flag {
            assert_eq!(first >> 4, 3, "only a PUBLISH has flags");
            assert_ne!(bytes[0].0 & bit != 0, on, "nothing was changed");
            bytes[0].0 ^= bit;
        }
    }
    if let Some(id) = edit.packet_id {
        let body = bytes.iter().skip(1).position(|(byte, _)| byte & 0x80 == 0).unwrap() + 2;
        let topic = usize::from(bytes[body].0) << 8 | usize::from(bytes[body + 1].0);
        let place = if first >> 4 == 3 { body + 2 + topic } else { body };
        let [high, low] = id.to_be_bytes();
        assert_ne!((bytes[place].0, bytes[place + 1].0), (high, low), "nothing was changed");
        (bytes[place].0, bytes[place + 1].0) = (high, low);
    }
}

fn check(
    direction: Direction,
    sent: &[Vec<u8>],
    got: &[u8],
    events: &[Event],
    seed: u64,
) -> BTreeMap<String, u32> {
    let seqs: Vec<u64> = events
        .iter()
        .filter(|event| matches!(event.what, What::Packet { direction: of, .. } if of == direction))
        .map(|event| event.seq)
        .collect();
    assert_eq!(seqs.len(), sent.len(), "{direction:?} of {seed}: an event for each packet");
    let mut told: BTreeMap<u64, Vec<Alteration>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for event in events {
        if let What::Altered { direction: of, packet_seq, what, .. } = event.what
            && of == direction
        {
            told.entry(packet_seq).or_default().push(what);
            let word = what.to_string().split(' ').next().unwrap().to_owned();
            *counts.entry(word).or_default() += 1;
        }
    }
    let none = Vec::new();
    let wanted: Vec<(u8, u32)> = sent
        .iter()
        .zip(&seqs)
        .flat_map(|(packet, seq)| altered(packet, told.get(seq).unwrap_or(&none)))
        .collect();
    assert_eq!(got.len(), wanted.len(), "{direction:?} of {seed}: {counts:?}");
    for (at, ((byte, corrupted), got)) in wanted.iter().zip(got).enumerate() {
        // A byte that is changed twice may be what it was.
        let right = match corrupted {
            0 => byte == got,
            1 => byte != got,
            _ => true,
        };
        assert!(
            right,
            "{direction:?} of {seed}, byte {at}: {got:#x} where {byte:#x} was sent, changed {corrupted} times"
        );
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_is_what_the_wire_shows() {
    let runs = std::env::var("BROWNOUT_TRUTH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let mut all: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..runs {
        let mut dice = Dice { seed, nth: 0 };
        let mut rules = vec![witness()];
        rules.extend((0..=dice.below(4)).map(|_| any_rule(&mut dice)));
        let (mut up, mut down) = (vec![wire::connect("d1", 60)], vec![wire::CONNACK.to_vec()]);
        up.extend((0..PACKETS).map(|_| any_packet(&mut dice, wire::PINGREQ)));
        down.extend((0..PACKETS).map(|_| any_packet(&mut dice, wire::PINGRESP)));
        let (bench, hub) = bench(rules).await;
        let (device, served) = joined(&bench, &hub).await;
        let answer = async {
            // Before the CONNECT nobody knows whose link it is, and no rule falls on it.
            let is_known = |event: &Event| matches!(event.what, What::LinkIdentified { .. });
            while !bench.events.lock().unwrap().iter().any(is_known) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            play(served, down.concat(), seed + (1 << 32)).await
        };
        let both = async { tokio::join!(play(device, up.concat(), seed), answer) };
        let (down_got, up_got) =
            tokio::time::timeout(Duration::from_secs(60), both).await.expect("both ends in time");
        let events = bench.stop().await;
        for (direction, sent, got) in [(Direction::Up, &up, &up_got), (Direction::Down, &down, &down_got)] {
            for (word, count) in check(direction, sent, got, &events, seed) {
                *all.entry(word).or_default() += count;
            }
        }
    }
    println!("{all:?}");
    let words: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(words, ["corrupted", "delayed", "dropped", "edited", "passed"], "a test that shows nothing");
}
