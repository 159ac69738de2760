//! Whole files in literal time, as hexadecimal lines and as what the checksums come to.

use super::block::{self, Statistics};
use super::{Connection, End, LARGEST, Remarks, Segment};
use crate::base::{Direction, Side};
use crate::event::What;
use crate::fault::{Alteration, LegFate, Mechanism, Toward};
use crate::measure::story::{Story, blackhole, plan, rst};
use crate::report::Report;
use insta::assert_snapshot;
use std::fmt::Write as _;
use std::net::SocketAddr;

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

/// Sixteen bytes a line, as `xxd` shows them.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, row) in bytes.chunks(16).enumerate() {
        let shown: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let letters: String =
            row.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        writeln!(text, "{:04x}  {:47}  {letters}", line * 16, shown.join(" ")).unwrap();
    }
    text
}

/// A header and its payload, told apart from what is around them.
fn segments(make: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    make(&mut packets);
    packets
}

fn show(packet: &[u8]) -> String {
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    let tcp = &packet[header..];
    let number = |from: usize| u32::from_be_bytes(tcp[from..from + 4].try_into().unwrap());
    let port = |from: usize| u16::from_be_bytes(tcp[from..from + 2].try_into().unwrap());
    let flags: Vec<&str> = [(2, "SYN"), (1, "FIN"), (4, "RST"), (8, "PSH"), (16, "ACK")]
        .into_iter()
        .filter(|(bit, _)| tcp[13] & bit != 0)
        .map(|(_, name)| name)
        .collect();
    let length = tcp.len() - usize::from(tcp[12] >> 4) * 4;
    let (from, to, seq, ack, window) = (port(0), port(2), number(4), number(8), port(14));
    format!("{from} > {to} {} seq {seq} ack {ack} win {window} len {length}", flags.join(" "))
}

/// The ones' complement sum of all words is all ones where a checksum among them is right (RFC 1071).
fn sums_up(bytes: &[u8]) -> bool {
    let sum: u64 = bytes
        .chunks(2)
        .map(|word| u64::from(word[0]) << 8 | u64::from(word.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) + (folded >> 16) == 0xffff
}

fn checksums_are_right(packet: &[u8]) -> bool {
    let length = |header: usize| u32::try_from(packet.len() - header).unwrap().to_be_bytes();
    let (header, mut covered) = if packet[0] >> 4 == 4 {
        assert!(sums_up(&packet[..20]), "IPv4");
        (20, packet[12..20].to_vec())
    } else {
        (40, packet[8..40].to_vec())
    };
    covered.extend(6u32.to_be_bytes());
    covered.extend(length(header));
    covered.extend(&packet[header..]);
    sums_up(&covered)
}

#[test]
fn a_file() {
    let mut file = Vec::new();
    block::section_header(&mut file, "brownout 1.2.3", "profile demo, seed 7");
    block::interface(&mut file, "device side", "devices to brownout");
    block::interface(&mut file, "hub side", "brownout to the hub");
    let (device, shown) = (at("192.0.2.7:40001"), at("192.0.2.1:1883"));
    let mut connection = Connection::new(device, shown, 1);
    let packets = segments(|packets| {
        connection.say(Direction::Up, 0, &[0xc0, 0], |packet| packets.push(packet));
    });
    let began = 1_767_225_600_000_000_000;
    block::packet(&mut file, 0, began + 1, &packets[0], &["fault \"dark\" began on d (stall, stall)".into()]);
    let seen = Statistics { began, ended: began + 2, received: 3, dropped: 2 };
    block::statistics(&mut file, 0, seen, &["0.500 s: late".into()]);
    assert_eq!(file.len() % 4, 0);
    assert_snapshot!(hex(&file));
}

#[test]
fn a_connection_from_its_handshake_to_its_end() {
    let (device, shown) = (at("192.0.2.7:40001"), at("192.0.2.1:1883"));
    let mut connection = Connection::new(device, shown, 3);
    let packets = segments(|all| {
        connection.open(|packet| all.push(packet));
        connection.say(Direction::Up, 0, b"connect", |packet| all.push(packet));
        connection.say(Direction::Down, 0, b"ack", |packet| all.push(packet));
        all.push(connection.remark());
        all.push(connection.remark());
        // The bytes from 7 to 9 were dropped on the way here.
        connection.say(Direction::Up, 9, b"on", |packet| all.push(packet));
        connection.end(Direction::Up, 11, End::Fin, |packet| all.push(packet));
        connection.end(Direction::Up, 11, End::Fin, |_| panic!("FIN is said once"));
        connection.say(Direction::Down, 3, b"still", |packet| all.push(packet));
        assert!(!connection.is_over());
        connection.end(Direction::Down, 8, End::Rst, |packet| all.push(packet));
        assert!(connection.is_over());
        connection.say(Direction::Down, 8, b"late", |_| panic!("after RST there is nothing"));
    });
    assert!(packets.iter().all(|packet| checksums_are_right(packet)));
    assert_snapshot!(packets.iter().map(|packet| show(packet)).collect::<Vec<_>>().join("\n"));
}

#[test]
fn ipv6_and_odd_lengths_have_right_checksums() {
    let (device, shown) = (at("[2001:db8::7]:40001"), at("[2001:db8::1]:1883"));
    for length in [0, 1, 2, 33, 1000, 1001] {
        let payload = vec![0xab; length];
        let mut connection = Connection::new(device, shown, 1);
        let packets = segments(|all| connection.say(Direction::Down, 0, &payload, |packet| all.push(packet)));
        assert_eq!(packets.len(), usize::from(length > 0));
        for packet in packets {
            assert_eq!(packet[0] >> 4, 6);
            assert_eq!(usize::from(packet[4]) << 8 | usize::from(packet[5]), packet.len() - 40);
            assert!(checksums_are_right(&packet));
        }
    }
}

#[test]
fn what_is_too_long_for_a_packet_is_cut_and_acknowledged() {
    let (device, shown) = (at("127.0.0.1:40001"), at("127.0.0.1:1883"));
    let mut connection = Connection::new(device, shown, 1);
    let bytes = vec![0; 20 * LARGEST + 1];
    let packets = segments(|all| connection.say(Direction::Up, 0, &bytes, |packet| all.push(packet)));
    assert_eq!(packets.len(), 22);
    assert_eq!(packets[0].len(), 65_535);
    assert_eq!(packets[20].len(), 41);
    // 1.3 MB without a word from the other end.
    assert!(show(&packets[21]).starts_with("1883 > 40001 ACK"), "{}", show(&packets[21]));
}

#[test]
fn numbers_wrap() {
    let segment = Segment {
        from: at("127.0.0.1:1"),
        to: at("127.0.0.1:2"),
        seq: u32::MAX,
        ack: 0,
        flags: 0xff,
        window: u16::MAX,
        options: &[],
        payload: &[0xff; 3],
    };
    assert!(checksums_are_right(&segment.packet()));
    let mut connection = Connection::new(at("127.0.0.1:1"), at("127.0.0.1:2"), 1);
    let far = 1 << 32;
    let near = segments(|all| connection.say(Direction::Up, 5, b"x", |packet| all.push(packet)));
    let wrapped = segments(|all| connection.say(Direction::Up, far + 5, b"x", |packet| all.push(packet)));
    assert_eq!(show(&near[0]), show(&wrapped[0]));
}

#[test]
fn a_comment_is_cut_off_between_characters() {
    let mut file = Vec::new();
    block::packet(&mut file, 0, 0, &[], &["ä".repeat(block::LONGEST_TEXT)]);
    // Header, comment with its head, end of options, length.
    assert_eq!(file.len(), 28 + 4 + block::LONGEST_TEXT + 4 + 4);
}

#[test]
fn what_events_have_to_say_and_where() {
    let plan = plan(vec![("dark", blackhole("8s")), ("cut", rst(Toward::Both, LegFate::Reset))]);
    let mut story = Story::new();
    story.joins(1, 0, "sensor-1", 2).joins(2, 1, "sensor-2\u{1b}[31m", 2);
    story.at(3_000).opens(1, 0, 0, 2).applies(1, 1, Mechanism::Gate);
    story.opens(2, 0, 1, 2).applies(2, 2, Mechanism::Filter);
    story.at(4_000).closes(2);
    story.at(5_000).heals(1);
    story.at(6_000).heals(2);
    story.at(7_000).opens(3, 1, 0, 2).cut(1, Side::Device, LegFate::Reset, 3).cut(
        1,
        Side::Hub,
        LegFate::HalfOpen,
        3,
    );
    story.at(8_000).altered(1, Direction::Down, 3, Alteration::Dropped { acknowledged: false });
    let mut remarks = Remarks::new(&plan);
    let lines = story.events.iter().flat_map(|event| remarks.push(event));
    assert_snapshot!(
        lines.map(|remark| format!("{:?}  {}", remark.place, remark.text)).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn a_report_tells_of_a_capture_and_of_what_it_lacks() {
    let plan = plan(vec![("dark", blackhole("8s"))]);
    let notes = |told: Option<(u64, Option<&str>)>| {
        let mut story = Story::new();
        story.joins(1, 0, "sensor-1", 2).at(3_000);
        if let Some((dropped, error)) = told {
            story.tell(What::CaptureClosed { written: 9, dropped, error: error.map(str::to_owned) });
        }
        story.over();
        let report = Report::new(&plan, &story.results(&plan));
        [report.notes, report.uncertainty.dropped].concat().join("\n")
    };
    assert!(!notes(None).contains("capture"));
    let whole = notes(Some((0, None)));
    assert!(whole.contains("THE MQTT WAS WRITTEN TO A CAPTURE") && !whole.contains("lacks"), "{whole}");
    assert!(notes(Some((7, None))).contains("the capture lacks 7 reads and writes"));
    assert!(notes(Some((0, Some("disk full")))).contains("the capture ends before the run: disk full"));
}
