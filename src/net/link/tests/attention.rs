//! Which packets the surgeon has, and that all others pass as they came.

use super::orders::{Ring, expect};
use super::*;
use crate::base::WindowId;
use crate::event::Packet;
use crate::fault::{Inject, Injection};
use crate::mqtt::PacketKind;

const PUBLISH: &[u8] = b"\x30\x06\x00\x01tpay";
const PUBLISH_1: &[u8] = b"\x32\x09\x00\x01t\x00\x07load";

/// From now on, PUBLISH from the device is asked about.
fn ask(ring: &Ring, generation: u64) {
    let asks = Ways { up: PacketKind::Publish.into(), down: KindSet::default() };
    ring.order(Order::Apply { generation, effects: Box::new(Effects { asks, ..Effects::default() }) });
}

/// The PUBLISH that were told of, by their quality of service.
async fn told(ring: Ring) -> Vec<u8> {
    let events = ring.told().await;
    let publish = |event: &Event| match &event.what {
        What::Packet { packet: Packet::Publish { qos, .. }, .. } => Some(*qos),
        _ => None,
    };
    events.iter().filter_map(publish).collect()
}

#[tokio::test]
async fn what_nobody_asks_about_passes_in_whatever_pieces_and_what_is_asked_about_too() {
    let mut ring = Ring::connected(0).await;
    let stream = [PUBLISH, PUBLISH_1, b"\xc0\x00", PUBLISH].concat();
    for asked in [false, true] {
        if asked {
            ask(&ring, 1);
        }
        for size in [1, 2, 3, 5, 9, stream.len()] {
            for piece in stream.chunks(size) {
                ring.device.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            expect(&mut ring.served, &stream).await;
        }
    }
    assert_eq!(told(ring).await, [0, 1, 0].repeat(6), "of those that were asked about");
}

/// Its first byte has gone: whatever falls on it now comes too late.
#[tokio::test]
async fn a_packet_whose_beginning_has_gone_goes_on_and_the_next_is_asked_about() {
    let mut ring = Ring::connected(0).await;
    ring.device.write_all(&PUBLISH[..1]).await.unwrap();
    expect(&mut ring.served, &PUBLISH[..1]).await;
    ask(&ring, 1);
    ring.device.write_all(&PUBLISH[1..3]).await.unwrap();
    ring.device.write_all(&[&PUBLISH[3..], PUBLISH_1].concat()).await.unwrap();
    expect(&mut ring.served, &[&PUBLISH[1..], PUBLISH_1].concat()).await;
    assert_eq!(told(ring).await, [1]);
}

#[tokio::test]
async fn a_packet_put_in_waits_for_the_end_of_one_whose_head_nobody_had_asked_about() {
    for begun in [1, 3, 6] {
        let mut ring = Ring::connected(0).await;
        ring.device.write_all(&PUBLISH_1[..begun]).await.unwrap();
        expect(&mut ring.served, &PUBLISH_1[..begun]).await;
        let inject = Arc::new(Inject { toward: Side::Hub, what: Injection::Pingreq });
        ring.order(Order::Inject { window: WindowId(0), inject });
        ring.device.write_all(&[&PUBLISH_1[begun..], PUBLISH].concat()).await.unwrap();
        expect(&mut ring.served, &[&PUBLISH_1[begun..], b"\xc0\x00", PUBLISH].concat()).await;
        assert_eq!(told(ring).await, [0; 0]);
    }
}
