use super::*;

const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// RFC 6455 section 1.2.
#[test]
fn a_request_is_read() {
    let expected = Request {
        path: "/chat".to_owned(),
        upgrade: true,
        protocols: vec!["chat".to_owned(), "superchat".to_owned()],
    };
    assert_eq!(request(REQUEST), Ok(expected));
}

#[test]
fn names_of_headers_have_no_case_and_lists_may_be_apart() {
    let head = b"GET / HTTP/1.1\nUPGRADE : h2c, WebSocket\nsec-websocket-protocol:mqtt\nSec-WebSocket-Protocol: ,mqttv3.1,\n\n";
    let read = request(head).unwrap();
    assert!(read.upgrade);
    assert_eq!(read.protocols, ["mqtt", "mqttv3.1"]);
}

#[test]
fn only_a_get_with_the_header_asks_for_an_upgrade() {
    for head in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nUpgrade: h2c\r\nX-Upgrade: websocket\r\n\r\n",
    ] {
        assert_eq!(request(head).map(|request| request.upgrade), Ok(false));
    }
    for head in [&b"\r\n"[..], b"GET\r\n\r\n", b"GET / x\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"G A B C\n\n"] {
        assert_eq!(request(head), Err(NotHttp::RequestLine));
    }
}

#[test]
fn no_secret_of_a_path_is_shown() {
    for (target, shown) in [
        ("/mqtt", "/mqtt"),
        ("/$iothub/websocket?iothub-no-client-cert=true", "/$iothub/websocket?iothub-no-client-cert=***"),
        ("/mqtt?X-Amz-Signature=abc&X-Amz-Date=1;b=2", "/mqtt?X-Amz-Signature=***&X-Amz-Date=***;b=***"),
        ("/mqtt?eyJhbGciOi", "/mqtt?***"),
        ("/mqtt?dGhlIHNhbXBsZQ==", "/mqtt?***"),
        ("/mqtt?a=b?c=d=e", "/mqtt?a=***"),
        ("/mqtt?", "/mqtt?"),
        ("/mqtt?&&", "/mqtt?&&"),
        ("/mqtt;token=abc", "/mqtt;token=***"),
        ("http://user:pass@hub/mqtt?a=b", "/mqtt?a=***"),
        ("wss://user:pass@hub", "/"),
        ("/to?url=http://user:pass@hub/", "/to?url=***"),
        ("/a\u{202e}b", "/a\\u{202e}b"),
    ] {
        assert_eq!(path(target), shown);
    }
}

/// RFC 6455 section 1.2; RFC 7692 section 7.
#[test]
fn a_response_is_read() {
    let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\
        Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover, x\r\n\r\n";
    let expected = Response {
        status: 101,
        upgrade: true,
        protocol: Some("chat".to_owned()),
        extensions: Some("permessage-deflate; server_no_context_takeover, x".to_owned()),
    };
    assert_eq!(response(head), Ok(expected));
    let bare = Response { status: 404, upgrade: false, protocol: None, extensions: None };
    assert_eq!(response(b"HTTP/1.1 404\r\nA: b\r\n\r\n"), Ok(bare));
}

#[test]
fn a_status_has_three_digits() {
    for head in [
        &b"HTTP/1.1\r\n\r\n"[..],
        b"HTTP/1.1 ok\n\n",
        b"HTTP/1.1 +10\n\n",
        b"HTTP/1.1 1010\n\n",
        b"HTTP/1.1 099\n\n",
    ] {
        assert_eq!(response(head), Err(NotHttp::StatusLine));
    }
}

#[test]
fn a_head_ends_with_its_empty_line() {
    for (bytes, end) in [
        (&b"GET / HTTP/1.1\r\nA: b\r\n\r\nmore"[..], Some(24)),
        (b"GET / HTTP/1.1\n\nmore", Some(16)),
        (b"GET / HTTP/1.1\n\r\n", Some(17)),
        (b"GET / HTTP/1.1\r\nA: b\r\n\r", None),
    ] {
        assert_eq!(Ending::default().find(Direction::Up, bytes), Ok(end));
    }
    assert_eq!(Ending::default().find(Direction::Up, REQUEST), Ok(Some(REQUEST.len())));
}

#[test]
fn what_is_no_head_is_found_at_its_first_such_byte() {
    let find = |direction, bytes: &[u8]| Ending::default().find(direction, bytes);
    assert_eq!(find(Direction::Up, b"\x10"), Err(NotHttp::Method { first_byte: 0x10 }));
    assert_eq!(find(Direction::Up, b"get"), Err(NotHttp::Method { first_byte: b'g' }));
    assert_eq!(find(Direction::Down, b"\x20"), Err(NotHttp::Response));
    assert_eq!(find(Direction::Down, b"HTTQ"), Err(NotHttp::Response));
    assert_eq!(find(Direction::Up, b"GET \0"), Err(NotHttp::Control { byte: 0 }));
    assert_eq!(find(Direction::Down, b"HTTP/1.1 1\x7f"), Err(NotHttp::Control { byte: 0x7f }));
    let mut longest = vec![b'A'; HEAD_LIMIT - 2];
    longest.extend(b"\n\n");
    assert_eq!(find(Direction::Up, &longest), Ok(Some(HEAD_LIMIT)));
    longest.insert(0, b'A');
    assert_eq!(find(Direction::Up, &longest), Err(NotHttp::TooLong));
}

#[test]
fn a_get_is_no_connect() {
    assert!(looks_like_http(b'G'));
    assert!(!looks_like_http(0x10));
    assert!(!looks_like_http(0x16));
}
