//! MQTT in WebSocket, end to end over loopback: bytes exact, packets found across frames, faults as on plain TCP.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::unit_arg, reason = "an assertion inside of what an event is searched with")]

mod common;

use brownout::base::{Direction, Side, Span};
use brownout::event::{Delivery, Event, MessageNews, Packet, What};
use brownout::fault::{Close, Ending, Fault, LegFate, Stall, Toward, WaysWanted};
use brownout::mqtt::PacketKind;
use brownout::profile::{Plan, When};
use common::{Bench, after_connack, at, bench, count, expect, find, joined, wire};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET /mqtt?sig=secret HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

const BINARY: u8 = 2;
const CONTINUED: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// A frame; a device masks what it sends (RFC 6455 section 5.3).
fn frame(fin: bool, opcode: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(fin) << 7 | opcode];
    let masked = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..126 => frame.push(masked | u8::try_from(len).unwrap()),
        len => {
            frame.push(masked | 126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    frame.extend(mask.iter().flatten());
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

async fn pass(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).await.unwrap();
    expect(to, bytes).await;
}

/// Both ends after the upgrade, and CONNECT and CONNACK in frames.
async fn upgraded(bench: &Bench, hub: &tokio::net::TcpListener) -> (TcpStream, TcpStream) {
    let (mut device, mut served) = joined(bench, hub).await;
    pass(&mut device, &mut served, REQUEST).await;
    pass(&mut served, &mut device, RESPONSE).await;
    // CONNECT in two fragments, with a ping between them.
    let connect = wire::connect("ws-1", 60);
    let (head, tail) = connect.split_at(5);
    pass(&mut device, &mut served, &frame(false, BINARY, Some([1, 2, 3, 4]), head)).await;
    pass(&mut device, &mut served, &frame(true, PING, Some([9, 9, 9, 9]), b"hi")).await;
    pass(&mut device, &mut served, &frame(true, CONTINUED, Some([250, 0, 7, 1]), tail)).await;
    pass(&mut served, &mut device, &frame(true, BINARY, None, &wire::CONNACK)).await;
    (device, served)
}

fn kinds(events: &[Event], wanted: Direction) -> Vec<String> {
    let packets = events.iter().filter_map(|event| match &event.what {
        What::Packet { direction, packet, .. } if *direction == wanted => Some(packet.to_string()),
        _ => None,
    });
    packets.collect()
}

#[tokio::test]
async fn packets_are_found_across_frames_and_bytes_are_exact() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = upgraded(&bench, &hub).await;
    // Two packets in one frame, and a frame a byte at a time.
    let pings = [wire::PINGREQ, wire::PINGREQ].concat();
    pass(&mut device, &mut served, &frame(true, BINARY, Some([5, 6, 7, 8]), &pings)).await;
    for byte in frame(true, BINARY, None, &wire::PINGRESP) {
        pass(&mut served, &mut device, &[byte]).await;
    }
    // The hub closes the WebSocket, without DISCONNECT.
    pass(&mut served, &mut device, &frame(true, CLOSE, None, &1001_u16.to_be_bytes())).await;
    drop(served);
    assert_eq!(device.read(&mut [0; 1]).await.unwrap(), 0);
    drop(device);
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
    let events = bench.stop().await;
    let up = kinds(&events, Direction::Up);
    assert!(up[0].starts_with("CONNECT ws-1"), "{up:?}");
    assert_eq!(up[1..], ["PINGREQ", "PINGREQ"]);
    assert_eq!(kinds(&events, Direction::Down), ["CONNACK 0", "PINGRESP"]);
    find(&events, "upgrade", |e| match &e.what {
        What::WsUpgraded { path, protocol, .. } => {
            assert!(path.starts_with("/mqtt") && !path.contains("secret"), "{path}");
            Some(assert_eq!(protocol.as_deref(), Some("mqtt")))
        }
        _ => None,
    });
    find(&events, "close", |e| match e.what {
        What::WsClosed { direction: Direction::Down, code, .. } => Some(assert_eq!(code, Some(1001))),
        _ => None,
    });
    assert_eq!(count(&events, |what| matches!(what, What::NotMqtt { .. })), 0);
}

/// What is told of the ends of a link, in order.
fn ends(events: &[Event]) -> Vec<(&'static str, Side, Ending)> {
    let end = |event: &Event| match event.what {
        What::LegEnded { side, how, .. } => Some(("ended", side, how)),
        What::EndCarried { to, how, .. } => Some(("told", to, how)),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

fn told(side: Side) -> impl Fn(&Event) -> Option<()> {
    move |event| matches!(event.what, What::EndCarried { to, .. } if to == side).then_some(())
}

/// A device that closes its WebSocket waits for the hub to close the connection (RFC 6455 section 7.1.1), as browsers do. Guards: it
/// was held to have noticed nothing, and the hub to have been first.
#[tokio::test]
async fn who_closes_a_websocket_gives_the_link_up_and_the_other_is_told() {
    // The second is a plan that works on packets, where frames are brownout's own.
    for server_keep_alive in [None, Some(60)] {
        let hub = common::hub().await;
        let plan = Plan { server_keep_alive, ..common::plan(Vec::new()) };
        let bench = Bench::start(plan, hub.local_addr().unwrap()).await;
        hub.accept().await.unwrap();
        let (mut device, mut served) = joined(&bench, &hub).await;
        pass(&mut device, &mut served, REQUEST).await;
        pass(&mut served, &mut device, RESPONSE).await;
        device.write_all(&frame(true, BINARY, Some([1, 2, 3, 4]), &wire::connect("ws-1", 60))).await.unwrap();
        assert!(served.read(&mut [0; 4096]).await.unwrap() > 0);
        served.write_all(&frame(true, BINARY, None, &wire::CONNACK)).await.unwrap();
        assert!(device.read(&mut [0; 4096]).await.unwrap() > 0);
        pass(&mut device, &mut served, &frame(true, CLOSE, Some([1, 2, 3, 4]), &[])).await;
        pass(&mut served, &mut device, &frame(true, CLOSE, None, &[])).await;
        bench.until("device told", told(Side::Device)).await;
        let expected = [
            ("ended", Side::Device, Ending::WsClose),
            ("told", Side::Hub, Ending::WsClose),
            ("ended", Side::Hub, Ending::WsClose),
            ("told", Side::Device, Ending::WsClose),
        ];
        assert_eq!(ends(&bench.stop().await)[..4], expected, "{server_keep_alive:?}");
        drop((device, served));
    }
}

/// The same in the dark: the other end is told once the frame is passed on.
#[tokio::test]
async fn a_close_frame_that_is_held_has_told_nobody() {
    let hold = Span::fixed(Duration::from_millis(600));
    let stall = Fault::Stall(Stall { direction: WaysWanted::Both, hold });
    let (bench, hub) = bench(vec![after_connack("dark", Duration::ZERO, stall)]).await;
    let (mut device, mut served) = upgraded(&bench, &hub).await;
    bench.until("stall", |e| matches!(e.what, What::FaultApplied { .. }).then_some(())).await;
    let close = frame(true, CLOSE, Some([1, 2, 3, 4]), &[]);
    device.write_all(&close).await.unwrap();
    expect(&mut served, &close).await;
    bench.until("hub told", told(Side::Hub)).await;
    let events = bench.stop().await;
    let place = |is: &dyn Fn(&What) -> bool| events.iter().position(|event| is(&event.what)).unwrap();
    let ended =
        place(&|what| matches!(what, What::LegEnded { side: Side::Device, how: Ending::WsClose, .. }));
    let lifted = place(&|what| matches!(what, What::FaultLifted { .. }));
    let told = place(&|what| matches!(what, What::EndCarried { to: Side::Hub, how: Ending::WsClose, .. }));
    assert!(ended < lifted && lifted < told, "{events:#?}");
    drop((device, served));
}

#[tokio::test]
async fn messages_in_frames_are_in_the_books() {
    const QOS0: &[u8] = b"\x30\x05\x00\x01tp0";
    const SEVENTH: &[u8] = b"\x32\x07\x00\x01t\x00\x07p1";
    const EIGHTH: &[u8] = b"\x32\x07\x00\x01t\x00\x08p2";
    const EIGHTH_AGAIN: &[u8] = b"\x3a\x07\x00\x01t\x00\x08p2";
    let puback = |id| [0x40, 2, 0, id];
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = upgraded(&bench, &hub).await;
    // A message over two fragments, the cut within its topic and a ping between; two more in one frame.
    let (head, tail) = SEVENTH.split_at(4);
    pass(&mut device, &mut served, &frame(false, BINARY, Some([1, 2, 3, 4]), head)).await;
    pass(&mut device, &mut served, &frame(true, PING, Some([9, 9, 9, 9]), b"hi")).await;
    pass(&mut device, &mut served, &frame(true, CONTINUED, Some([250, 0, 7, 1]), tail)).await;
    let both = frame(true, BINARY, Some([4, 3, 2, 1]), &[QOS0, EIGHTH].concat());
    pass(&mut device, &mut served, &both).await;
    // The first is acknowledged, in one frame with a message the other way; the second is not before the hub closes.
    let down = frame(true, BINARY, None, &[&puback(7), SEVENTH].concat());
    pass(&mut served, &mut device, &down).await;
    pass(&mut device, &mut served, &frame(true, BINARY, Some([0; 4]), &puback(7))).await;
    pass(&mut served, &mut device, &frame(true, CLOSE, None, &1001_u16.to_be_bytes())).await;
    drop((device, served));
    bench.until("closed link", |e| matches!(e.what, What::LinkClosed { .. }).then_some(())).await;
    let (mut device, mut served) = upgraded(&bench, &hub).await;
    pass(&mut device, &mut served, &frame(true, BINARY, Some([8, 8, 8, 8]), EIGHTH_AGAIN)).await;
    pass(&mut served, &mut device, &frame(true, BINARY, None, &puback(8))).await;
    let (mut sum_up, mut sum_down, mut news) = (Delivery::default(), Delivery::default(), Vec::new());
    for event in bench.stop().await {
        match event.what {
            What::Delivery { up, down, .. } => {
                sum_up.add(&up);
                sum_down.add(&down);
            }
            What::Message { news: told, .. } => news.push(told),
            _ => {}
        }
    }
    let again = Delivery {
        retransmitted: [0, 1, 0],
        duplicated: [0, 1, 0],
        completed: [0, 2, 0],
        ..Delivery::default()
    };
    assert_eq!(sum_up, Delivery { sent: [1, 2, 0], received: [1, 2, 0], ..again });
    let once = [0, 1, 0];
    assert_eq!(sum_down, Delivery { sent: once, received: once, completed: once, ..Delivery::default() });
    assert!(
        matches!(news[..], [MessageNews::Retransmitted { dup: true, .. }, MessageNews::Duplicated { .. }]),
        "{news:?}"
    );
}

#[tokio::test]
async fn a_rule_that_waits_for_a_packet_fires_on_it() {
    let rst = Fault::Rst(Close { toward: Toward::Both, other: LegFate::HalfOpen, close_notify: false });
    let mut rule = at("reset", Duration::ZERO, rst);
    rule.when = When::After { packet: PacketKind::Pingresp, nth: 2, delay: Span::ZERO, times: 1 };
    let (bench, hub) = bench(vec![rule]).await;
    let (mut device, mut served) = upgraded(&bench, &hub).await;
    // The second PINGRESP, in the same frame as the first: it is passed on before the reset.
    let both = frame(true, BINARY, None, &[wire::PINGRESP, wire::PINGRESP].concat());
    pass(&mut served, &mut device, &both).await;
    for stream in [&mut device, &mut served] {
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    }
    let events = bench.stop().await;
    assert_eq!(count(&events, |what| matches!(what, What::LegCut { .. })), 2);
}

#[tokio::test]
async fn http_that_is_no_websocket_passes_and_is_named() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    pass(&mut device, &mut served, b"GET /health HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    pass(&mut served, &mut device, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes").await;
    let events = bench.stop().await;
    find(&events, "reason", |e| match &e.what {
        What::NotMqtt { reason, .. } => Some(assert!(reason.contains("does not ask"), "{reason}")),
        _ => None,
    });
}

#[tokio::test]
async fn an_upgrade_that_the_hub_refuses_is_named() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    pass(&mut device, &mut served, REQUEST).await;
    pass(&mut served, &mut device, b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!").await;
    let events = bench.stop().await;
    find(&events, "reason", |e| match &e.what {
        What::NotMqtt { reason, .. } => Some(assert!(reason.contains("404"), "{reason}")),
        _ => None,
    });
}

#[tokio::test]
async fn mqtt_that_begins_like_nothing_else_is_still_mqtt() {
    let (bench, hub) = bench(vec![]).await;
    let (mut device, mut served) = joined(&bench, &hub).await;
    pass(&mut device, &mut served, &wire::connect("plain", 60)).await;
    let events = bench.stop().await;
    find(&events, "CONNECT", |e| match &e.what {
        What::Packet { packet: Packet::Connect { client_id, .. }, .. } => {
            Some(assert_eq!(client_id, "plain"))
        }
        _ => None,
    });
    let _ = Side::Device;
}
