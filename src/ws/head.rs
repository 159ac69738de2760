//! The HTTP heads that open a WebSocket (RFC 6455 section 4, RFC 9112), read leniently.

#[cfg(test)]
mod tests;

use crate::base::Direction;
use crate::base::text::{printable, redact};

/// The longest head that is read, with the empty line that ends it.
pub const HEAD_LIMIT: usize = 16 * 1024;

/// The most subprotocols that are kept of an offer.
const PROTOCOL_LIMIT: usize = 32;

/// What every response begins with.
const RESPONSE: &[u8] = b"HTTP/";

/// Whether a stream that begins with this byte may be a request to open a WebSocket, which is a GET. No CONNECT
/// begins so.
pub fn looks_like_http(first_byte: u8) -> bool {
    first_byte == b'G'
}

/// Finds the empty line that ends a head, over any split.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    /// Bytes of the head so far.
    count: usize,
    /// Whether the line under way has anything but a carriage return.
    in_line: bool,
}

/// Why what was taken for a head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotHttp {
    #[error(
        "not HTTP: the first byte is {first_byte:#04x}, where a request begins with the name of its method"
    )]
    Method { first_byte: u8 },
    #[error("not HTTP: a response begins with `HTTP/`")]
    Response,
    #[error("not HTTP: control character {byte:#04x} in a head")]
    Control { byte: u8 },
    #[error("the HTTP head is longer than {HEAD_LIMIT} bytes")]
    TooLong,
    #[error("not HTTP: the request line is not a method, a target and a version")]
    RequestLine,
    #[error("not HTTP: the status line has no status of three digits")]
    StatusLine,
}

impl Ending {
    /// Takes bytes of a head up to its end, if that is among them: how many those are.
    pub(super) fn find(&mut self, direction: Direction, bytes: &[u8]) -> Result<Option<usize>, NotHttp> {
        for (at, &byte) in bytes.iter().enumerate() {
            match direction {
                Direction::Up if self.count == 0 && !byte.is_ascii_uppercase() => {
                    return Err(NotHttp::Method { first_byte: byte });
                }
                Direction::Down if RESPONSE.get(self.count).is_some_and(|expected| *expected != byte) => {
                    return Err(NotHttp::Response);
                }
                Direction::Up | Direction::Down => {}
            }
            self.count += 1;
            match byte {
                b'\n' if !self.in_line => return Ok(Some(at + 1)),
                b'\n' => self.in_line = false,
                b'\r' => {}
                b'\t' | b' '..=b'~' | 0x80.. => self.in_line = true,
                _ => return Err(NotHttp::Control { byte }),
            }
            if self.count == HEAD_LIMIT {
                return Err(NotHttp::TooLong);
            }
        }
        Ok(None)
    }
}

/// A request's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) upgrade: bool,
    pub(super) protocols: Vec<String>,
}

/// A response's head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) upgrade: bool,
    pub(super) protocol: Option<String>,
    pub(super) extensions: Option<String>,
}

pub(super) fn request(head: &[u8]) -> Result<Request, NotHttp> {
    let text = String::from_utf8_lossy(head);
    let first = text.lines().next().unwrap_or_default();
    let [method, target, version] =
        first.split(' ').collect::<Vec<_>>().try_into().map_err(|_| NotHttp::RequestLine)?;
    if target.is_empty() || !version.starts_with("HTTP/") {
        return Err(NotHttp::RequestLine);
    }
    let protocols = items(&text, "sec-websocket-protocol").take(PROTOCOL_LIMIT).map(printable).collect();
    Ok(Request { path: path(target), upgrade: method == "GET" && upgrades(&text), protocols })
}

pub(super) fn response(head: &[u8]) -> Result<Response, NotHttp> {
    let text = String::from_utf8_lossy(head);
    let first = text.lines().next().unwrap_or_default();
    let status = first.split(' ').nth(1).filter(|word| word.len() == 3 && !word.starts_with(['0', '+']));
    let status = status.and_then(|word| word.parse().ok()).ok_or(NotHttp::StatusLine)?;
    let extensions: Vec<&str> = items(&text, "sec-websocket-extensions").collect();
    Ok(Response {
        status,
        upgrade: upgrades(&text),
        protocol: items(&text, "sec-websocket-protocol").next().map(printable),
        extensions: (!extensions.is_empty()).then(|| printable(&extensions.join(", "))),
    })
}

fn upgrades(head: &str) -> bool {
    items(head, "upgrade").any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// The items of a header that is a list with commas, and may be there more than once.
fn items<'a>(head: &'a str, name: &'static str) -> impl Iterator<Item = &'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(move |(this, _)| this.trim().eq_ignore_ascii_case(name))
        .flat_map(|(_, value)| value.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// The path that a target asks for, fit to be shown: no host, no user, and of a query the names alone, since a
/// value may be a signature or a token, and so may a part that has no name (`=` at its end may be Base64's padding).
fn path(target: &str) -> String {
    let origin = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => {
            rest.find(['/', '?']).map_or("/", |at| &rest[at..])
        }
        _ => target,
    };
    let (path, query) = origin.split_once('?').map_or((origin, None), |(path, query)| (path, Some(query)));
    let mut shown = redact(path);
    let parts = query.map(|query| query.split_inclusive(['&', ';'])).into_iter().flatten();
    if query.is_some() {
        shown.push('?');
    }
    for part in parts {
        let (part, end) = part.strip_suffix(['&', ';']).map_or((part, ""), |cut| (cut, &part[cut.len()..]));
        if let Some((name, value)) = part.split_once('=')
            && value.chars().any(|c| c != '=')
        {
            shown.push_str(name);
            shown.push('=');
        }
        shown.push_str(if part.is_empty() { "" } else { "***" });
        shown.push_str(end);
    }
    printable(&shown)
}
