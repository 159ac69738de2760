//! What the writer makes of items, in literal time, read back from the file.

use super::Recording;
use super::queue::{Item, Moment};
use super::writer::Writer;
use crate::base::{Direction, Ends, LinkId, Side, Time};
use crate::event::RunStarted;
use crate::net::Clock;
use crate::report::pcapng::{End, Where};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

const LEG: (LinkId, Side) = (LinkId(1), Side::Device);

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn item(millis: u64, what: Moment) -> Item {
    Item { at: Time::from_millis(millis), what }
}

fn opened(leg: (LinkId, Side), port: u16) -> Moment {
    let client = SocketAddr::new(at("192.0.2.7:1").ip(), port);
    Moment::Opened { leg, client, server: at("192.0.2.1:1883") }
}

fn said(leg: (LinkId, Side), offset: u64, bytes: &[u8]) -> Moment {
    Moment::Said { leg, direction: Direction::Up, offset, bytes: bytes.to_vec() }
}

fn reset_by_us(leg: (LinkId, Side)) -> Moment {
    Moment::Ended { leg, direction: Direction::Down, offset: 0, how: End::Rst, note: None }
}

fn remark(place: Where, text: &str) -> Moment {
    Moment::Remark { place, text: text.into() }
}

/// Of each packet in the file: its time in milliseconds, its interface, its client's port, flags and payload; and comments.
fn written(items: Vec<Item>) -> String {
    let mut file = tempfile::tempfile().unwrap();
    let mut writer = Writer::new(file.try_clone().unwrap(), 0);
    writer.begin("brownout", "test", &Ends::default()).unwrap();
    writer.arrange(items);
    writer.write_until(Time::MAX);
    let outcome = writer.end(Ends::default(), Time::from_secs(1));
    assert!(outcome.error.is_none());
    let mut text = read(&mut file);
    writeln!(text, "lost {} {}", outcome.dropped.device, outcome.dropped.hub).unwrap();
    text
}

fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    let mut text = String::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let length = usize::try_from(number(4)).unwrap();
        match number(0) {
            6 => {
                let stamp = u64::from(number(12)) << 32 | u64::from(number(16));
                let captured = usize::try_from(number(20)).unwrap();
                let packet = &rest[28..28 + captured];
                let options = &rest[28 + captured.next_multiple_of(4)..length - 4];
                let port = u16::from_be_bytes(packet[20..22].try_into().unwrap());
                let other = u16::from_be_bytes(packet[22..24].try_into().unwrap());
                let client = if other == 1883 { port } else { other };
                let payload = &packet[20 + usize::from(packet[32] >> 4) * 4..];
                writeln!(
                    text,
                    "{} if {} {client} flags {:02x} {:?}{}",
                    stamp / 1_000_000,
                    number(8),
                    packet[33],
                    String::from_utf8_lossy(payload),
                    comments(options)
                )
                .unwrap();
            }
            5 => writeln!(text, "statistics{}", comments(&rest[20..length - 4])).unwrap(),
            _ => {}
        }
        rest = &rest[length..];
    }
    text
}

fn comments(mut options: &[u8]) -> String {
    let mut text = String::new();
    while options.len() >= 4 {
        let code = u16::from_le_bytes(options[..2].try_into().unwrap());
        let length = usize::from(u16::from_le_bytes(options[2..4].try_into().unwrap()));
        if code == 1 {
            write!(text, " # {}", String::from_utf8_lossy(&options[4..4 + length])).unwrap();
        }
        options = &options[4 + length.next_multiple_of(4)..];
    }
    text
}

#[test]
fn items_are_written_in_order_of_time_and_remarks_where_they_belong() {
    insta::assert_snapshot!(written(vec![
        item(0, opened(LEG, 40001)),
        // Told by another thread, a little later.
        item(20, said(LEG, 3, b"two")),
        item(10, said(LEG, 0, b"one")),
        item(15, remark(Where::Leg(LEG.0, LEG.1), "dark began")),
        item(30, reset_by_us(LEG)),
        // The event that tells of the reset comes after it.
        item(31, remark(Where::EndOf(LEG.0, LEG.1), "cut: RST")),
        item(32, Moment::Gone { leg: LEG }),
        // Nothing is left to say this on.
        item(40, remark(Where::Leg(LEG.0, LEG.1), "dark ended")),
        item(50, opened((LinkId(2), Side::Hub), 40002)),
        item(60, remark(Where::Next, "the last word")),
    ]));
}

#[test]
fn connections_that_would_share_their_addresses_are_told_apart() {
    let other = (LinkId(2), Side::Device);
    insta::assert_snapshot!(written(vec![
        item(0, opened(LEG, 40001)),
        item(1, opened(other, 40001)),
        item(2, said(other, 0, b"b")),
        item(3, said(LEG, 0, b"a")),
        item(4, Moment::Gone { leg: LEG }),
        // Free again.
        item(5, opened((LinkId(3), Side::Device), 40001)),
    ]));
}

#[test]
fn bytes_of_a_connection_whose_beginning_was_dropped_are_counted_as_lost() {
    let text = written(vec![item(0, said(LEG, 0, b"one")), item(1, said((LinkId(1), Side::Hub), 0, b"one"))]);
    assert_eq!(text, "statistics\nstatistics\nlost 1 1\n");
}

/// A stall's end that is told as it came, while a cut is told with the end that it made: not both at the same place.
#[test]
fn an_end_by_the_peer_takes_no_remark_of_a_fault() {
    let by_peer = Moment::Ended {
        leg: LEG,
        direction: Direction::Up,
        offset: 0,
        how: End::Fin,
        note: Some("FIN".into()),
    };
    insta::assert_snapshot!(written(vec![
        item(0, opened(LEG, 40001)),
        item(10, by_peer),
        item(11, reset_by_us(LEG)),
        item(12, remark(Where::EndOf(LEG.0, LEG.1), "cut: RST")),
    ]));
}

fn recording(file: File) -> Recording {
    let plan = crate::profile::read("brownout: 1\nname: test\nsummary: A test.\n", &[]).unwrap().plan;
    let run = RunStarted {
        version: "test".into(),
        wall_clock: "2026-01-01T00:00:00Z".into(),
        seed: 1,
        profile_name: "test".into(),
        profile: String::new(),
        overrides: Vec::new(),
        azure_fault_messages: None,
        observer: false,
        part: 0,
    };
    Recording::start(file, &plan, &run, &Ends::default(), Clock::start()).unwrap()
}

/// A pipe that is full and still has its reader: a write into it would wait for ever.
#[test]
fn a_reader_that_stops_reading_does_not_hold_up_the_end() {
    let (reader, writer) = std::io::pipe().unwrap();
    let recording = recording(File::from(OwnedFd::from(writer)));
    let capture = recording.capture();
    capture.push(opened(LEG, 40001));
    capture.push(said(LEG, 0, &[0; 4 << 20]));
    let outcome = recording.finish_within(Duration::from_millis(50));
    assert_eq!(outcome.error.map(|error| error.kind()), Some(ErrorKind::TimedOut));
    drop(reader);
}

#[test]
fn a_reader_that_reads_gets_all() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let recording = recording(File::from(OwnedFd::from(writer)));
    let capture = recording.capture();
    let read = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()).unwrap());
    capture.push(opened(LEG, 40001));
    capture.push(said(LEG, 0, &[0; 4 << 20]));
    let outcome = recording.finish();
    assert!(outcome.error.is_none() && outcome.written > 3, "{outcome:?}");
    drop(capture);
    assert!(read.join().unwrap() > 4 << 20);
}
