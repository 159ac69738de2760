//! The fields of a ClientHello, read as far as they are there.

use super::ClientHello;
use crate::base::text::printable;

/// The most protocols that are kept of a list.
const ALPN_LIMIT: usize = 32;

/// The longest server name: what DNS allows.
const NAME_LIMIT: usize = 255;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// Reads a ClientHello's body.
pub(super) fn client_hello(body: &[u8]) -> ClientHello {
    let mut hello = ClientHello::default();
    // `None` says where it became malformed; what is read by then stays.
    let _ = fields(body, &mut hello);
    hello
}

fn fields(body: &[u8], hello: &mut ClientHello) -> Option<()> {
    let mut rest = body;
    hello.versions = vec![number(&mut rest)?];
    let _random = take(&mut rest, 32)?;
    let _session_id = short(&mut rest)?;
    let _cipher_suites = long(&mut rest)?;
    let _compression_methods = short(&mut rest)?;
    let mut extensions = long_or_rest(&mut rest)?;
    while !extensions.is_empty() {
        let kind = number(&mut extensions)?;
        let content = long_or_rest(&mut extensions)?;
        match kind {
            SERVER_NAME => hello.sni = server_name(content),
            ALPN => protocols(content, &mut hello.alpn),
            SUPPORTED_VERSIONS => versions(content, &mut hello.versions),
            _ => {}
        }
    }
    Some(())
}

/// The first name of type 0 (host_name).
fn server_name(mut content: &[u8]) -> Option<String> {
    let mut names = long(&mut content)?;
    loop {
        let kind = take(&mut names, 1)?;
        let name = long(&mut names)?;
        if kind == [0] {
            let name = str::from_utf8(name).ok()?;
            let is_name =
                (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
            return is_name.then(|| name.to_ascii_lowercase());
        }
    }
}

fn protocols(mut content: &[u8], into: &mut Vec<String>) {
    let mut list = long(&mut content).unwrap_or_default();
    while let Some(protocol) = short(&mut list) {
        if into.len() < ALPN_LIMIT && !is_reserved(protocol) {
            into.push(printable(&String::from_utf8_lossy(protocol)));
        }
    }
}

fn versions(mut content: &[u8], into: &mut Vec<u16>) {
    let (pairs, _) = short(&mut content).unwrap_or_default().as_chunks::<2>();
    let offered = pairs.iter().filter(|pair| !is_reserved(*pair)).map(|pair| u16::from_be_bytes(*pair));
    let offered: Vec<u16> = offered.collect();
    if !offered.is_empty() {
        *into = offered;
    }
}

/// Whether it is one of the values that are sent to be ignored (RFC 8701): 0x0a0a, 0x1a1a, and so on.
fn is_reserved(value: &[u8]) -> bool {
    matches!(value, [a, b] if a == b && a & 0x0f == 0x0a)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u16::from_be_bytes(*taken))
}

/// What stands after its length of one byte.
fn short<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = *take(rest, 1)?.first()?;
    take(rest, usize::from(length))
}

/// What stands after its length of two bytes.
fn long<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    take(rest, usize::from(length))
}

/// As [`long`], and where the length is more than there is, all that is there.
fn long_or_rest<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(rest)?;
    take(rest, rest.len().min(usize::from(length)))
}
