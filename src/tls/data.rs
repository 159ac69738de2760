//! When application data first came each way on a TLS connection that is passed through.

#[cfg(test)]
mod tests;

use super::record::{APPLICATION_DATA, Header, Records};
use crate::base::Direction;

/// Lengths of a record that holds a TLS 1.3 Finished and nothing else: 4 bytes of header, a hash of 32 or 48, one
/// of content type, a tag of 16 (RFC 8446 sections 4.4.4 and 5.2); and the same for SHA-256 with the tag of 8 of
/// AES_128_CCM_8. No other message of a device's last flight has one of these lengths.
const FINISHED: [u16; 3] = [4 + 32 + 1 + 16, 4 + 48 + 1 + 16, 4 + 32 + 1 + 8];

/// Lengths of a record that holds a TLS 1.3 alert. The first of what a device or a hub has to say is longer: a
/// CONNECT, a CONNACK of 4 bytes, the heads of HTTP.
const ALERT: [u16; 2] = [2 + 1 + 16, 2 + 1 + 8];

/// Finds the first application data each way, by the headers of records alone. 2 bytes.
///
/// The one thing taken for granted of what is inside is that the device speaks first, as in MQTT and HTTP.
///
/// TLS 1.2 and before: the first record of type 23 each way. This is exact.
///
/// TLS 1.3 hides the rest of the handshake in records of type 23 too; that the hub's come first tells it from TLS 1.2.
/// - Up: the first such record after the device's last flight, which begins with the device's first such record after
///   the hub's first. The flight ends with a record as long as a Finished alone is, or, where none comes (an
///   implementation that packs the flight into one record), with the read in which it began, and those after it
///   while they end within a record. So: where a client certificate's flight arrives in several reads that end
///   between records, this is told of the second, early by the rest of that flight. Where the flight is packed into
///   one record and the first data arrives in the same read, this is told of the device's next data instead.
/// - Down: the first such record after the device's first data. A NewSessionTicket that the hub sends on the device's
///   Finished may come after the device's first data, and is then taken for the answer: early by what the hub takes
///   to answer (without it, it would be a round trip later at most), and told also where the hub never answers.
/// - Records as long as an alert are none of data, either way: a refusal of the client's certificate comes as one,
///   after the device's first data.
/// - Early data (0-RTT) is not told if it comes before the hub's answer; what of it comes after is taken for the
///   device's flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataWatch {
    phase: Phase,
    /// TLS 1.3: the hub sent type 23 before the device's first data.
    hides_types: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The hub has sent nothing.
    #[default]
    Hello,
    /// The hub has sent records, of type 23 none.
    Answered,
    /// TLS 1.3: the hub's flight is under way or done; of the device's, nothing came.
    HubFlight,
    /// TLS 1.3: the device's last flight is under way.
    DeviceFlight,
    /// The device's first data is next.
    Device,
    /// The hub's first data is next.
    Hub,
    /// Both were told.
    Done,
}

impl DataWatch {
    /// Takes the bytes of one read of one direction; `records` is that direction's walker, which walks them. Gives, once
    /// for each direction, just past the last byte of its first application data, counted in `input`.
    pub fn scan(&mut self, direction: Direction, records: &mut Records, input: &[u8]) -> Option<usize> {
        let mut found = None;
        let mut scan = records.scan(input);
        while let Some(piece) = scan.next_piece() {
            if let Some((header, end)) = piece.whole()
                && self.record(direction, header)
            {
                found = Some(end);
            }
        }
        if direction == Direction::Up && self.phase == Phase::DeviceFlight && records.at_boundary() {
            self.phase = Phase::Device;
        }
        found
    }

    /// Whether both were told: nothing more will be.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// A record is there whole; whether it is the first application data of its direction.
    fn record(&mut self, direction: Direction, header: Header) -> bool {
        let is_data = header.content_type == APPLICATION_DATA;
        let is_alert = self.hides_types && ALERT.contains(&header.length);
        let (next, told) = match (self.phase, direction) {
            (Phase::Hello, Direction::Down) if !is_data => (Phase::Answered, false),
            _ if !is_data => return false,
            (Phase::Hello | Phase::Answered, Direction::Down) => {
                self.hides_types = true;
                (Phase::HubFlight, false)
            }
            (Phase::HubFlight | Phase::DeviceFlight, Direction::Up) => {
                let is_last = FINISHED.contains(&header.length);
                (if is_last { Phase::Device } else { Phase::DeviceFlight }, false)
            }
            (Phase::Answered | Phase::Device, Direction::Up) if !is_alert => (Phase::Hub, true),
            (Phase::Hub, Direction::Down) if !is_alert => (Phase::Done, true),
            (Phase::Hello | Phase::Answered | Phase::Device | Phase::Hub | Phase::Done, Direction::Up)
            | (
                Phase::HubFlight | Phase::DeviceFlight | Phase::Device | Phase::Hub | Phase::Done,
                Direction::Down,
            ) => return false,
        };
        self.phase = next;
        told
    }
}
