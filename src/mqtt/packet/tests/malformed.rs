//! What peers may not send, each with the rule that forbids it.

use super::*;

#[test]
fn malformed_packets_are_refused_by_their_rule() {
    for (version, bytes, says) in [
        (V311, &b"\0\0"[..], "reserved"),
        (V311, b"\xf0\0", "AUTH does not exist in MQTT 3.1.1"),
        (V311, b"\x11\0", "flags of CONNECT are 0x1 [MQTT-2.2.2-2"),
        (V311, b"\x60\x02\0\x01", "flags of PUBREL are 0x0"),
        (V311, b"\x8a\x06\0\x01\0\x01a\0", "flags of SUBSCRIBE are 0xa"),
        (V311, b"\xc0\x01\0", "1 bytes are left"),
        (V311, b"\xe0\x01\0", "1 bytes are left"),
        (V311, b"\x10\x0d\0\x04MQTX\x04\x02\0\x3c\0\x01c", "MQTT-3.1.2-1"),
        (V311, b"\x10\x0d\0\x04MQTT\x03\x02\0\x3c\0\x01c", "`MQTT` at level 3"),
        (V311, b"\x10\x0d\0\x04MQTT\x06\x02\0\x3c\0\x01c", "MQTT-3.1.2-2"),
        (V311, b"\x10\x0d\0\x04MQTT\x04\x03\0\x3c\0\x01c", "MQTT-3.1.2-3"),
        (V311, b"\x10\x0d\0\x04MQTT\x04\x22\0\x3c\0\x01c", "MQTT-3.1.2-11"),
        (V311, b"\x10\x13\0\x04MQTT\x04\x1e\0\x3c\0\x01c\0\x01w\0\x01x", "MQTT-3.1.2-14"),
        (V311, b"\x10\x13\0\x04MQTT\x04\x06\0\x3c\0\x01c\0\x01#\0\x01x", "will topic `#` has a wildcard"),
        (V311, b"\x10\x10\0\x04MQTT\x04\x42\0\x3c\0\x01c\0\x01p", "MQTT-3.1.2-22"),
        (V311, b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01\xff", "client identifier is not well-formed"),
        (V311, b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x02c", "ends inside the client identifier"),
        (V311, b"\x20\x02\x02\0", "MQTT-3.2.2-1"),
        (V311, b"\x20\x02\x01\x05", "MQTT-3.2.2-4"),
        (V311, b"\x36\x05\0\x01t\0\x01", "MQTT-3.3.1-4"),
        (V311, b"\x38\x03\0\x01t", "MQTT-3.3.1-2"),
        (V311, b"\x32\x05\0\x01t\0\0", "MQTT-2.3.1-1"),
        (V311, b"\x30\x02\0\0", "MQTT-4.7.3-1"),
        (V311, b"\x30\x03\0\x01+", "MQTT-3.3.2-2"),
        (V311, b"\x30\x03\0\x01\0", "MQTT-1.5.3-2"),
        (V5, b"\x30\x03\0\0\0", "MQTT-4.7.3-1"),
        (V311, b"\x82\x02\0\x01", "MQTT-3.8.3-3"),
        (V311, b"\x82\x06\0\x01\0\x01a\x03", "QoS 0, 1 or 2"),
        (V311, b"\x82\x06\0\x01\0\x01a\x04", "MQTT-3.8.3-4"),
        (V311, b"\x82\x07\0\x01\0\x02a#\0", "MQTT-4.7.1-2"),
        (V5, b"\x82\x07\0\x01\0\0\x01a\x40", "MQTT-3.8.3-5"),
        (V5, b"\x82\x07\0\x01\0\0\x01a\x30", "retain handling"),
        (V5, b"\x82\x10\0\x01\0\0\x0a$share/g/a\x04", "shared subscription"),
        (V5, b"\x82\x0d\0\x01\0\0\x07$share/\0", "MQTT-4.8.2-1"),
        (V311, b"\xa2\x02\0\x01", "MQTT-3.10.3-2"),
        (V311, b"\x90\x03\0\x01\x03", "MQTT-3.9.3-2"),
        (V5, b"\x20\x05\0\0\x02\x7f\0", "0x7f is not known"),
        (V5, b"\x20\x06\0\0\x03\x23\0\x01", "Topic Alias does not belong in CONNACK"),
        (V5, b"\x20\x09\0\0\x06\x13\0\x01\x13\0\x01", "Server Keep Alive stands twice in CONNACK"),
        (V5, b"\x20\x06\0\0\x03\x21\0\0", "Receive Maximum is 0x0; allowed is 1 to 65535"),
        (V5, b"\x20\x05\0\0\x02\x24\x02", "Maximum QoS is 0x2; allowed is 0 to 1"),
        (V5, b"\x20\x04\0\0\x01\x24", "ends inside the Maximum QoS"),
        (V5, b"\x20\x03\0\0\x01", "ends inside the properties"),
        (V5, b"\x20\x02\0\0", "ends inside the property length"),
        (V5, b"\x20\x04\0\0\x80\0", "MQTT-1.5.5-1"),
        (V5, b"\x30\x08\0\x01t\x04\x08\0\x01#", "Response Topic `#` has a wildcard"),
    ] {
        let error = read(version, bytes).expect_err(says).to_string();
        assert!(error.contains(says), "{bytes:02x?}: {error}");
    }
}

#[test]
fn mqtt_3_1_may_mark_repeated_requests() {
    assert!(read(V31, b"\x8a\x06\0\x01\0\x01a\0").is_ok());
    assert!(read(V31, b"\x6a\x02\0\x01").is_ok());
    assert!(read(V31, b"\x48\x02\0\x01").is_err());
}

/// In MQTT 3.1 the remaining length takes precedence over what the flags promise.
#[test]
fn mqtt_3_1_may_promise_a_user_name_and_send_none() {
    let connect = |bytes: &[u8]| match read(V31, bytes) {
        Ok(Packet::Connect(connect)) => (connect.username, connect.password.map(|password| password.0)),
        other => panic!("{other:?}"),
    };
    assert_eq!(connect(b"\x10\x0f\0\x06MQIsdp\x03\xc2\0\x3c\0\x01c"), (None, None));
    assert_eq!(connect(b"\x10\x12\0\x06MQIsdp\x03\xc2\0\x3c\0\x01c\0\x01u"), (Some("u".into()), None));
    let error = read(V31, b"\x10\x10\0\x06MQIsdp\x03\x82\0\x3c\0\x01c\0").unwrap_err();
    assert!(error.to_string().contains("user name"), "{error}");
    assert!(read(V311, b"\x10\x0d\0\x04MQTT\x04\x82\0\x3c\0\x01c").is_err());
}

#[test]
fn mqtt_5_allows_a_password_alone_and_an_alias_for_a_topic() {
    assert!(read(V5, b"\x10\x11\0\x04MQTT\x05\x42\0\x3c\0\0\x01c\0\x01p").is_ok());
    assert!(read(V5, b"\x30\x06\0\0\x03\x23\0\x01").is_ok());
}

#[test]
fn what_cannot_be_written_says_so_and_leaves_the_output_alone() {
    let mut out = b"before".to_vec();
    let long = Publish { topic: "x".repeat(65_536), ..Publish::default() };
    let no_id = Publish { topic: "x".into(), qos: crate::mqtt::QoS::AtLeastOnce, ..Publish::default() };
    for (packet, says) in [
        (Packet::Publish(long), "topic name has 65536 bytes"),
        (Packet::Publish(no_id), "MQTT-2.3.1-1"),
        (Packet::Auth(Auth::default()), "AUTH does not exist in MQTT 3.1.1"),
    ] {
        let error = encode(&packet, V311, &mut out).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(out, b"before");
}

#[test]
fn the_longest_packet_fits_and_one_byte_more_does_not() {
    let mut out = Vec::new();
    assert_eq!(put_header(&mut out, 0x30, 268_435_455), Ok(()));
    assert_eq!(out, b"\x30\xff\xff\xff\x7f");
    let too_long = put_header(&mut out, 0x30, 268_435_456);
    assert_eq!(too_long, Err(EncodeError::PacketTooLong { length: 268_435_456 }));
    assert_eq!(out.len(), 5);
}

#[test]
fn packets_on_both_sides_of_every_length_of_the_remaining_length() {
    for (length, header_len) in [(127, 2), (128, 3), (16_383, 3), (16_384, 4), (2_097_151, 4), (2_097_152, 5)]
    {
        let payload = vec![0x5a; length - 3];
        let packet = Packet::Publish(Publish { topic: "t".into(), payload, ..Publish::default() });
        let bytes = written(&packet, V311);
        assert_eq!(bytes.len(), header_len + length);
        assert_eq!(read(V311, &bytes), Ok(packet));
    }
}
