//! The few MQTT packets of the load.

/// CONNACK, accepted.
pub const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// DISCONNECT.
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

const TOPIC: &[u8] = b"bench/up";

/// CONNECT of MQTT 3.1.1: clean session, keep-alive of an hour.
pub fn connect(client: &str) -> Vec<u8> {
    let mut body = b"\x00\x04MQTT\x04\x02\x0e\x10".to_vec();
    body.extend(u16::try_from(client.len()).unwrap().to_be_bytes());
    body.extend(client.as_bytes());
    packet(0x10, &body)
}

/// SUBSCRIBE to one topic, packet identifier 1, QoS 0.
pub fn subscribe() -> Vec<u8> {
    packet(0x82, b"\x00\x01\x00\x0abench/down\x00")
}

/// Its SUBACK.
pub const SUBACK: [u8; 5] = [0x90, 3, 0, 1, 0];

/// PUBLISH of QoS 0 of so many bytes in all.
pub fn publish(len: usize) -> Vec<u8> {
    publish_of(0x30, None, len)
}

/// PUBLISH of QoS 1 of so many bytes in all.
pub fn publish_qos1(len: usize, id: u16) -> Vec<u8> {
    publish_of(0x32, Some(id), len)
}

/// Where a PUBLISH of QoS 1 of up to 129 bytes has its packet identifier.
pub const ID_AT: usize = 2 + 2 + TOPIC.len();

pub fn puback(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [0x40, 2, high, low]
}

fn publish_of(first: u8, id: Option<u16>, len: usize) -> Vec<u8> {
    let mut body = u16::try_from(TOPIC.len()).unwrap().to_be_bytes().to_vec();
    body.extend(TOPIC);
    body.extend(id.into_iter().flat_map(u16::to_be_bytes));
    // The remaining length takes one byte to four: the one that makes the whole as long as asked.
    let rest = (1..=4).map(|digits| len - 1 - digits).find(|rest| 1 + digits(*rest).len() + rest == len);
    body.resize(rest.expect("no PUBLISH is so long"), b'x');
    packet(first, &body)
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    packet.extend(digits(body.len()));
    packet.extend(body);
    packet
}

/// The remaining length (MQTT 3.1.1, section 2.2.3).
fn digits(mut left: usize) -> Vec<u8> {
    let mut digits = Vec::new();
    loop {
        let digit = u8::try_from(left & 0x7f).unwrap();
        left >>= 7;
        digits.push(if left > 0 { digit | 0x80 } else { digit });
        if left == 0 {
            return digits;
        }
    }
}
