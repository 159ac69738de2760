use super::*;
use proptest::prelude::*;

/// The device's first bytes of a real conversation.
fn real(text: &str) -> Vec<u8> {
    let hex = text.lines().find_map(|line| line.strip_prefix("up ")).unwrap();
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn block(width: usize, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    [&length[length.len() - width..], content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &block(2, content)].concat()
}

fn body(extensions: &[u8]) -> Vec<u8> {
    let fixed = [&[3, 3][..], &[7; 32], &block(1, &[9; 32]), &block(2, &[0x13, 1]), &block(1, &[0])].concat();
    [fixed, block(2, extensions)].concat()
}

fn sni(name: &[u8]) -> Vec<u8> {
    extension(0, &block(2, &[&[0][..], &block(2, name)].concat()))
}

/// The message in records of at most `size` bytes of content.
fn records(message: &[u8], size: usize) -> Vec<u8> {
    message.chunks(size).flat_map(|part| [&[22, 3, 1][..], &block(2, part)].concat()).collect()
}

fn hello(extensions: &[u8]) -> Vec<u8> {
    let message = [&[1][..], &block(3, &body(extensions))].concat();
    records(&message, 1 << 14)
}

fn seen(stream: &[u8]) -> Option<Seen> {
    HelloPeek::default().push(stream)
}

fn read(stream: &[u8]) -> ClientHello {
    match seen(stream) {
        Some(Seen::Hello(hello)) => hello,
        other => panic!("{other:?}"),
    }
}

fn reason(stream: &[u8]) -> (u64, String) {
    match seen(stream) {
        Some(Seen::NotTls { offset, reason }) => (offset, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn real_hellos_are_read() {
    let alpn = vec!["mqtt".to_owned(), "x-amzn-mqtt-ca".to_owned()];
    let sni = Some("hub.example".to_owned());
    let new = read(&real(include_str!("../../../tests/cases/tls/tls13.txt")));
    assert_eq!(new, ClientHello { sni: sni.clone(), alpn: alpn.clone(), versions: vec![0x0304] });
    // OpenSSL leaves the extension out where it offers TLS 1.2 at most.
    let old = read(&real(include_str!("../../../tests/cases/tls/tls12.txt")));
    assert_eq!(old, ClientHello { sni, alpn, versions: vec![0x0303] });
}

#[test]
fn a_hello_may_be_in_many_records() {
    let message = [&[1][..], &block(3, &body(&sni(b"a.b")))].concat();
    for size in 1..message.len() {
        assert_eq!(read(&records(&message, size)).sni.as_deref(), Some("a.b"));
    }
}

#[test]
fn a_server_name_is_lower_case_and_printable() {
    assert_eq!(read(&hello(&sni(b"Hub-1.EXAMPLE"))).sni.as_deref(), Some("hub-1.example"));
    assert_eq!(read(&hello(&sni(&[b'a'; 255]))).sni.map(|name| name.len()), Some(255));
    for name in [&[b'a'; 256][..], b"", b"a b", b"a\x1b[2J", b"\xff", "é".as_bytes()] {
        assert_eq!(read(&hello(&sni(name))).sni, None, "{name:?}");
    }
    // Another type of name comes first.
    let both = [&[7][..], &block(2, b"other"), &[0], &block(2, b"hub")].concat();
    assert_eq!(read(&hello(&extension(0, &block(2, &both)))).sni.as_deref(), Some("hub"));
}

#[test]
fn protocols_are_shown_and_not_too_many() {
    let list = [block(1, b"\x0a\x0a"), block(1, b"m\x1bq\xff"), block(1, b"h2").repeat(100)].concat();
    let alpn = read(&hello(&extension(16, &block(2, &list)))).alpn;
    assert_eq!(alpn.len(), 32);
    assert_eq!(alpn[..2], ["m\\u{1b}q\u{fffd}", "h2"]);
}

#[test]
fn versions_are_those_offered() {
    let offered = extension(43, &block(1, &[0x8a, 0x8a, 3, 4, 0x7a, 0x7a, 3, 3]));
    assert_eq!(read(&hello(&offered)).versions, [0x0304, 0x0303]);
    assert_eq!(read(&hello(&[])).versions, [0x0303]);
}

#[test]
fn malformed_extensions_leave_what_could_be_read() {
    let good = [sni(b"hub"), extension(43, &block(1, &[3, 4]))].concat();
    for bad in [&[0][..], &[0, 16, 0], &[0, 16, 0, 9, 1], &[0, 16, 0, 2, 0, 9], &[0, 43, 0, 1, 0], &[0xff; 9]]
    {
        let read = read(&hello(&[&good[..], bad].concat()));
        assert_eq!((read.sni.as_deref(), read.versions.as_slice()), (Some("hub"), &[0x0304][..]), "{bad:?}");
    }
    // A protocol list that is cut short still gives its first; a body of nothing gives nothing.
    let cut = extension(16, &[0, 7, 2, b'h', b'2', 9, b'm', 0, 0]);
    assert_eq!(read(&hello(&cut)).alpn, ["h2"]);
    assert_eq!(read(&[22, 3, 1, 0, 4, 1, 0, 0, 0]), ClientHello::default());
}

#[test]
fn what_is_not_tls_is_named() {
    for (stream, offset, words) in [
        (&b"\x10"[..], 0, "plain MQTT"),
        (b"GET / HTTP/1.1\r\n", 0, "HTTP request"),
        (b"POST /", 0, "HTTP request"),
        (b"\x80\x2e\x01\x03\x01", 0, "SSLv2"),
        (b"\x17\x03\x03", 0, "0x17"),
        (b"\0", 0, "not TLS"),
        (b"\x16\x02", 0, "major version 2"),
        (b"\x16\x03\x01\xff\xff", 0, "65535"),
        (b"\x16\x03\x01\0\x01\x02", 0, "type 2"),
        (b"\x16\x03\x01\0\0", 0, "without content"),
        (b"\x16\x03\x01\0\x01\x01\x15", 6, "type 21"),
        (b"\x16\x03\x01\0\x01\x01\x16\x03\x01\0\x03\x00\xff\xfd", 0, "too long: 65537 bytes"),
    ] {
        let (at, reason) = reason(stream);
        assert_eq!(at, offset, "{reason}");
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn the_longest_hello_is_read_and_then_let_go() {
    let filler = HELLO_LIMIT - 4 - body(&[]).len() - sni(b"hub").len();
    // An extension's length has two bytes, so two of them.
    let (first, second) = (40_000, filler - 40_000 - 8);
    let extensions = [sni(b"hub"), extension(21, &vec![0; first]), extension(21, &vec![0; second])].concat();
    let stream = hello(&extensions);
    let mut peek = HelloPeek::default();
    assert_eq!(peek.push(&stream[..stream.len() - 1]), None);
    assert_eq!(peek.message.len(), HELLO_LIMIT - 1);
    let seen = peek.push(&stream[stream.len() - 1..]);
    assert!(matches!(&seen, Some(Seen::Hello(hello)) if hello.sni.as_deref() == Some("hub")), "{seen:?}");
    assert_eq!(peek.message.capacity(), 0);
    assert_eq!(peek.push(b"more"), seen);
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        extensions in prop::collection::vec(any::<u8>(), 0..60),
        tail in prop::collection::vec(any::<u8>(), 0..20),
        change in prop::option::of((0usize..200, any::<u8>())),
        size in 1usize..200,
        cuts in prop::collection::vec(1usize..30, 1..60),
    ) {
        let all = [sni(b"hub"), extensions].concat();
        let mut stream = records(&[&[1][..], &block(3, &body(&all))].concat(), size);
        stream.extend(tail);
        if let Some((at, value)) = change && let Some(byte) = stream.get_mut(at) {
            *byte = value;
        }
        let whole = seen(&stream);
        let (mut peek, mut rest, mut cuts, mut split) = (HelloPeek::default(), stream.as_slice(), cuts.iter().cycle(), None);
        while !rest.is_empty() {
            let (part, left) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            let now = peek.push(part);
            prop_assert!(split.is_none() || split == now, "it stays decided");
            split = now;
            rest = left;
        }
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn random_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let message = [&[1][..], &block(3, &bytes)].concat();
        prop_assert!(matches!(seen(&records(&message, 100)), Some(Seen::Hello(_))));
        let _ = seen(&bytes);
    }
}
