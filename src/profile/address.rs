//! Addresses as text, the same in profiles and on the command line. Nothing is looked up here: a name that no
//! resolver knows is told by whoever connects.

use crate::base::text::printable;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// What is wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is nothing to listen on.
    #[error(
        "`{0}` is not an address and port; write address:port with a port of 0 to 65535, where 0 takes a free one: \
         127.0.0.1:1883, 0.0.0.0:1883, [::1]:0"
    )]
    Listen(String),
    /// It is nothing to connect to.
    #[error(
        "`{0}` is not a host and port; write host:port with a port of 1 to 65535: 127.0.0.1:1883, broker:1883, \
         [::1]:1883"
    )]
    Upstream(String),
    /// It is no name to ask for.
    #[error(
        "`{0}` is not a host name; write a name or an IP address alone, without a port: hub.example.com, 10.0.0.5, ::1"
    )]
    Host(String),
}

/// Checks what `listen` in a profile and `--listen` take: an address and port; port 0 takes a free one.
///
/// # Errors
/// Any other text; the error says what to write.
pub fn check_listen(text: &str) -> Result<(), BadAddress> {
    port(text).map(|_| ()).ok_or_else(|| BadAddress::Listen(printable(text)))
}

/// Checks what `upstream` in a profile and `--upstream` take: a host and port.
///
/// # Errors
/// Any other text, port 0 among them; the error says what to write.
pub fn check_upstream(text: &str) -> Result<(), BadAddress> {
    match port(text) {
        Some(1..) => Ok(()),
        Some(0) | None => Err(BadAddress::Upstream(printable(text))),
    }
}

/// Checks what `hub_name` in a profile and `--hub-name` take: a host name (RFC 1123 section 2.1, and underscores) or an IP
/// address, without a port.
///
/// # Errors
/// Any other text; the error says what to write.
pub fn check_host(text: &str) -> Result<(), BadAddress> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let is_label = |label: &str| {
        let is_framed = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= 63 && !is_framed && label.chars().all(is_letter)
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    if is_name || text.parse::<IpAddr>().is_ok() { Ok(()) } else { Err(BadAddress::Host(printable(text))) }
}

/// Whether two sound addresses cannot both be listened on: they are the same, or one stands for all of its family. What a
/// name stands for is not known here, nor whether this machine takes IPv4 at `[::]`.
pub(super) fn clash(one: &str, other: &str) -> bool {
    let taken = port(one).filter(|port| *port != 0);
    if taken.is_none() || taken != port(other) {
        return false;
    }
    match (one.parse::<SocketAddr>(), other.parse::<SocketAddr>()) {
        (Ok(one), Ok(other)) => {
            let is_all = one.ip().is_unspecified() || other.ip().is_unspecified();
            one == other || is_all && one.is_ipv4() == other.is_ipv4()
        }
        _ => one == other,
    }
}

/// The port of `host:port`, where both are sound. An IPv6 address stands in brackets: without, its last part would
/// be taken for the port.
fn port(text: &str) -> Option<u16> {
    let (host, port) = text.rsplit_once(':')?;
    let host_is_sound = if host.starts_with('[') {
        text.parse::<SocketAddrV6>().is_ok()
    } else {
        !host.is_empty() && !host.contains(|c: char| c == ':' || c == '/' || c.is_whitespace())
    };
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    if host_is_sound && digits { port.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_every_edge() {
        for (text, listen, upstream) in [
            ("127.0.0.1:1883", true, true),
            ("broker:1", true, true),
            ("broker:65535", true, true),
            ("broker:65536", false, false),
            ("broker:0", true, false),
            ("[::1]:1883", true, true),
            ("[::]:0", true, false),
            ("[fe80::1%2]:1883", true, true),
            ("[broker]:1883", false, false),
            ("[]:1883", false, false),
            ("::1:1883", false, false),
            ("broker", false, false),
            ("broker:", false, false),
            ("broker:+1", false, false),
            (":1883", false, false),
            ("1883", false, false),
            ("mqtt://broker:1883", false, false),
            ("a broker:1883", false, false),
            ("", false, false),
        ] {
            assert_eq!(check_listen(text).is_ok(), listen, "{text}");
            assert_eq!(check_upstream(text).is_ok(), upstream, "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_alone() {
        for (text, sound) in [
            ("hub", true),
            ("hub-1.eu.example.com", true),
            ("10.0.0.5", true),
            ("::1", true),
            ("hub:8883", false),
            ("hub..com", false),
            ("-hub", false),
            ("hub-", false),
            ("hub-.example.com", false),
            ("", false),
            ("*.example.com", false),
            (&"a".repeat(63), true),
            (&"a".repeat(64), false),
            (&format!("{}a", "a.".repeat(126)), true),
            (&format!("{}ab", "a.".repeat(126)), false),
        ] {
            assert_eq!(check_host(text).is_ok(), sound, "{text}");
        }
    }

    #[test]
    fn the_error_says_what_to_write() {
        let told = check_upstream("broker\u{1b}").unwrap_err().to_string();
        assert!(
            told.contains("is not a host and port; write host:port") && !told.contains('\u{1b}'),
            "{told}"
        );
        assert!(check_listen("1883").unwrap_err().to_string().contains("0 takes a free one"));
    }
}
