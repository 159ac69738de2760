//! What a peer may not do, and what it is told then.

use super::*;
use rustls::AlertDescription as Told;

/// The sealed record of this type and content.
fn record(from: &mut Traffic, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    assert!(from.seal_as(kind, content, &mut record));
    record
}

/// What the peer is told of what it said.
fn told(to: &mut Traffic, peer: &mut Traffic, bytes: &[u8]) -> Option<Told> {
    let (content, end, says) = open(to, bytes, 1_000);
    let refused = match end {
        Some(End::Refused(_)) => true,
        Some(End::Closed) => panic!("closed"),
        None => false,
    };
    assert!(content.is_empty(), "{} bytes of content", content.len());
    let (_, heard, _) = open(peer, &says, 1_000);
    match heard {
        Some(End::Refused(Error::AlertReceived(alert))) if refused => Some(alert),
        None if !refused => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_wrong_of_a_device_in_tls_13_has_its_alert() {
    for (kind, content, alert) in [
        // RFC 8446 section 4.6.3.
        (HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 2][..], Told::IllegalParameter),
        (HANDSHAKE, &[KEY_UPDATE, 0, 0, 0], Told::DecodeError),
        // Refused as soon as their length is there, and their type.
        (HANDSHAKE, &[KEY_UPDATE, 0, 0, 2], Told::DecodeError),
        (HANDSHAKE, &[99, 2, 0, 0], Told::UnexpectedMessage),
        (HANDSHAKE, &[NEW_SESSION_TICKET, 0, 0, 9], Told::UnexpectedMessage),
        (HANDSHAKE, &[CLIENT_HELLO, 0, 0, 9], Told::UnexpectedMessage),
        // RFC 8446 section 5.4.
        (HANDSHAKE, &[], Told::UnexpectedMessage),
        (ALERT, &[], Told::UnexpectedMessage),
        (ALERT, &[1], Told::DecodeError),
        (20, &[1], Told::UnexpectedMessage),
        (0, &[], Told::UnexpectedMessage),
    ] {
        let (mut server, mut client) = Pki::new().both(EACH[1]);
        let bytes = record(&mut client, kind, content);
        assert_eq!(told(&mut server, &mut client, &bytes), Some(alert), "{kind}: {content:?}");
    }
}

#[test]
fn each_wrong_of_a_hub_in_tls_13_has_its_alert() {
    let doubled = [
        NEW_SESSION_TICKET,
        0,
        0,
        31,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        7,
        0,
        1,
        9,
        0,
        16,
        // early_data, twice.
        0,
        42,
        0,
        4,
        0,
        0,
        0,
        1,
        0,
        42,
        0,
        4,
        0,
        0,
        0,
        1,
    ];
    for (content, alert) in [
        (&doubled[..], Some(Told::IllegalParameter)),
        (&[NEW_SESSION_TICKET, 2, 1, 9], None),
        (&[NEW_SESSION_TICKET, 2, 1, 10], Some(Told::DecodeError)),
        (&[HELLO_REQUEST, 0, 0, 0], Some(Told::UnexpectedMessage)),
    ] {
        let (mut server, mut client) = Pki::new().both(EACH[1]);
        let bytes = record(&mut server, HANDSHAKE, content);
        assert_eq!(told(&mut client, &mut server, &bytes), alert, "{content:?}");
    }
}

#[test]
fn each_wrong_in_tls_12_has_its_alert() {
    for (content, alert) in [
        (&[HELLO_REQUEST, 0, 0, 0][..], Told::UnexpectedMessage),
        (&[KEY_UPDATE, 0, 0, 1], Told::UnexpectedMessage),
        (&[CLIENT_HELLO, 2, 1, 10], Told::DecodeError),
        (&[], Told::UnexpectedMessage),
    ] {
        let (mut server, mut client) = Pki::new().both(EACH[0]);
        let bytes = record(&mut client, HANDSHAKE, content);
        assert_eq!(told(&mut server, &mut client, &bytes), Some(alert), "{content:?}");
    }
    let (mut server, mut client) = Pki::new().both(EACH[0]);
    let bytes = record(&mut server, HANDSHAKE, &[HELLO_REQUEST, 0, 0, 1]);
    assert_eq!(told(&mut client, &mut server, &bytes), Some(Told::DecodeError));
}

#[test]
fn a_handshake_again_is_refused_once_by_a_warning_and_then_for_good() {
    let (mut server, mut client) = Pki::new().both(EACH[0]);
    let again = [HELLO_REQUEST, 0, 0, 0];
    let bytes = record(&mut server, HANDSHAKE, &again);
    let (_, end, says) = open(&mut client, &bytes, 7);
    assert!(end.is_none() && !says.is_empty());
    assert_eq!(open(&mut server, &says, 7), (Vec::new(), None, Vec::new()), "a warning");
    let bytes = record(&mut server, HANDSHAKE, &again);
    assert_eq!(told(&mut client, &mut server, &bytes), Some(Told::UnexpectedMessage));
}

#[test]
fn nothing_comes_between_the_parts_of_a_message() {
    for (kind, content) in [(ALERT, &[1, 0][..]), (APPLICATION_DATA, b"data")] {
        let (mut server, mut client) = Pki::new().both(EACH[1]);
        let mut bytes = record(&mut client, HANDSHAKE, &[KEY_UPDATE, 0]);
        bytes.extend(record(&mut client, kind, content));
        assert_eq!(told(&mut server, &mut client, &bytes), Some(Told::UnexpectedMessage), "{kind}");
    }
}

#[test]
fn a_message_in_many_parts_is_not_copied_with_each() {
    let (mut server, mut client) = Pki::new().both(EACH[1]);
    let mut bytes = record(&mut server, HANDSHAKE, &[NEW_SESSION_TICKET, 1, 0, 0]);
    for _ in 0..4_000 {
        bytes.extend(record(&mut server, HANDSHAKE, &[0]));
    }
    let mut capacities = Vec::new();
    for part in bytes.chunks(HEADER + 2 + 16) {
        assert_eq!(open(&mut client, part, part.len()).1, None);
        capacities.push(client.message.capacity());
    }
    capacities.dedup();
    assert!(client.message.len() >= 4_000, "{}", client.message.len());
    assert!(capacities.len() < 20, "{} buffers", capacities.len());
}

#[test]
fn keys_change_32_times_without_data_and_no_more() {
    let (mut server, mut client) = Pki::new().both(EACH[1]);
    let renewed = |client: &mut Traffic| {
        let mut bytes = Vec::new();
        client.owes_key = true;
        client.renew_own(&mut bytes).unwrap();
        bytes
    };
    for _ in 0..2 {
        for _ in 0..32 {
            let bytes = renewed(&mut client);
            assert_eq!(open(&mut server, &bytes, 100), (Vec::new(), None, Vec::new()));
        }
        let bytes = record(&mut client, APPLICATION_DATA, b"x");
        assert_eq!(open(&mut server, &bytes, 100).0, b"x");
    }
    for _ in 0..32 {
        let bytes = renewed(&mut client);
        assert_eq!(open(&mut server, &bytes, 100).1, None);
        // That is no data.
        let bytes = record(&mut client, APPLICATION_DATA, b"");
        assert_eq!(open(&mut server, &bytes, 100).1, None);
    }
    let bytes = renewed(&mut client);
    assert_eq!(told(&mut server, &mut client, &bytes), Some(Told::UnexpectedMessage));
}

#[test]
fn four_warnings_without_data_are_borne_and_no_more() {
    const USER_CANCELED: [u8; 2] = [1, 90];
    for (versions, warning) in [(EACH[0], [1, 112]), (EACH[0], USER_CANCELED), (EACH[1], USER_CANCELED)] {
        let (mut server, mut client) = Pki::new().both(versions);
        for _ in 0..2 {
            for _ in 0..4 {
                let bytes = record(&mut client, ALERT, &warning);
                assert_eq!(open(&mut server, &bytes, 100).1, None);
            }
            let bytes = record(&mut client, APPLICATION_DATA, b"x");
            assert_eq!(open(&mut server, &bytes, 100).0, b"x");
        }
        for _ in 0..4 {
            let bytes = record(&mut client, ALERT, &warning);
            assert_eq!(open(&mut server, &bytes, 100).1, None);
        }
        let bytes = record(&mut client, ALERT, &warning);
        assert_eq!(told(&mut server, &mut client, &bytes), Some(Told::UnexpectedMessage), "{warning:?}");
    }
}

#[test]
fn padding_may_exceed_a_record_by_what_java_adds_and_no_more() {
    for (padding, content) in
        [(0, MOST_CONTENT), (16, MOST_CONTENT), (17, MOST_CONTENT), (17 + 9, MOST_CONTENT - 9)]
    {
        let (mut server, mut client) = Pki::new().both(EACH[1]);
        let mut inner = vec![7; content];
        inner.push(APPLICATION_DATA);
        inner.resize(inner.len() + padding, 0);
        // The last byte goes in the place of the type.
        let last = inner.pop().unwrap();
        let bytes = record(&mut client, last, &inner);
        if padding <= 16 {
            let (opened, end, _) = open(&mut server, &bytes, 65_536);
            assert_eq!((opened.len(), end), (content, None), "{padding}");
        } else {
            assert_eq!(told(&mut server, &mut client, &bytes), Some(Told::RecordOverflow), "{padding}");
        }
    }
}

#[test]
fn a_record_is_as_long_as_its_version_allows() {
    for (versions, most) in [(EACH[0], 18_432_u16), (EACH[1], 16_640)] {
        for (length, alert) in [(most, None), (most + 1, Some(Told::RecordOverflow))] {
            let (mut server, mut client) = Pki::new().both(versions);
            let [high, low] = length.to_be_bytes();
            let header = [APPLICATION_DATA, 3, 3, high, low];
            assert_eq!(told(&mut server, &mut client, &header), alert, "{length}");
        }
    }
}

#[test]
fn nothing_is_said_behind_close_notify() {
    let (mut server, mut client) = Pki::new().both(EACH[1]);
    let mut says = Vec::new();
    server.close_notify(&mut says);
    let last = says.len();
    // The other way goes on.
    let mut bytes = record(&mut client, HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 1]);
    client.renew_as_told();
    bytes.extend(record(&mut client, APPLICATION_DATA, b"on"));
    bytes.extend([99; 9]);
    let (content, end, mut answers) = open(&mut server, &bytes, 1_000);
    assert_eq!(content, b"on");
    assert!(matches!(end, Some(End::Refused(_))), "{end:?}");
    server.answer(&mut answers);
    assert!(answers.is_empty(), "{} bytes", answers.len());
    assert!(!server.alert(Alert::INTERNAL_ERROR, &mut says));
    server.close_notify(&mut says);
    assert_eq!(says.len(), last);

    let (mut server, mut client) = Pki::new().both(EACH[0]);
    client.close_notify(&mut Vec::new());
    let bytes = record(&mut server, HANDSHAKE, &[HELLO_REQUEST, 0, 0, 0]);
    assert_eq!(open(&mut client, &bytes, 1_000), (Vec::new(), None, Vec::new()));
}
