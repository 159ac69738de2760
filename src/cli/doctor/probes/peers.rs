//! With which TTL the packets of hub and devices arrive.

use super::super::machine::{DeviceTtl, HubTtl};
use super::{within, words};
use crate::net::sys::info::tcp_info;
use crate::net::sys::mute::{save_syns, syn_ttl};
use crate::net::sys::{Mechanism, TcpState, mute};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a hub may take to accept.
const DIAL: Duration = Duration::from_secs(2);

/// From one keepalive probe of the kernel's to the next: the shortest that there is.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// How long an answer to a probe may take, past the probe's time.
const ANSWER: Duration = Duration::from_millis(500);

/// How long a device is waited for.
const DEVICE: Duration = Duration::from_secs(30);

/// Dials the hub, takes packets with TTL 255 alone, and sees whether its answers to keepalive probes are among them; then
/// all packets again, to see that it answers at all.
pub fn hub(address: &str) -> HubTtl {
    match dial(address) {
        Ok(stream) => held(&stream).unwrap_or_else(|error| HubTtl::Unclear(words(&error))),
        Err(error) => HubTtl::Unreachable(words(&error)),
    }
}

fn dial(address: &str) -> io::Result<TcpStream> {
    let mut error = io::Error::new(io::ErrorKind::NotFound, "no such address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, DIAL) {
            Ok(stream) => return Ok(stream),
            Err(refused) => error = refused,
        }
    }
    Err(error)
}

fn held(stream: &TcpStream) -> io::Result<HubTtl> {
    let unclear = |why: &str| Ok(HubTtl::Unclear(why.into()));
    let keepalive = TcpKeepalive::new().with_time(PROBE_EVERY).with_interval(PROBE_EVERY);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    let other = |error: mute::MuteError| io::Error::other(error.to_string());
    if mute::mute(stream, Mechanism::MinTtl, None).map_err(other)? != Mechanism::MinTtl {
        mute::unmute(stream, Mechanism::Filter).map_err(other)?;
        return unclear("the kernel takes no minimum TTL");
    }
    let start = tcp_info(stream)?;
    let segments = || tcp_info(stream).map(|info| (info.segments_in, info.segments_out));
    let sent = |before: u32| within(PROBE_EVERY + ANSWER, || segments().is_ok_and(|(_, out)| out != before));
    if !sent(start.segments_out) {
        return unclear("the kernel sent no keepalive probe");
    }
    if within(ANSWER, || segments().is_ok_and(|(taken, _)| taken != start.segments_in)) {
        return Ok(HubTtl::NotHeld);
    }
    mute::unmute(stream, Mechanism::MinTtl).map_err(other)?;
    let answered =
        within(PROBE_EVERY + ANSWER, || segments().is_ok_and(|(taken, _)| taken != start.segments_in));
    match (answered, tcp_info(stream)?.state) {
        (true, _) => Ok(HubTtl::Held),
        (false, TcpState::Established) => unclear("the hub answers no keepalive probes"),
        (false, _) => unclear("the hub ended the connection"),
    }
}

/// Waits for one device to connect, and reads the TTL off its SYN.
pub fn device(address: &str) -> DeviceTtl {
    let waited = || -> io::Result<DeviceTtl> {
        let listener = TcpListener::bind(address)?;
        save_syns(&listener)?;
        listener.set_nonblocking(true)?;
        let mut came = None;
        within(DEVICE, || {
            came = listener.accept().ok();
            came.is_some()
        });
        let Some((stream, _)) = came else { return Ok(DeviceTtl::NobodyCame) };
        Ok(syn_ttl(&stream)
            .map_or_else(|| DeviceTtl::Unclear("the kernel kept no SYN of it".into()), DeviceTtl::Is))
    };
    waited()
        .unwrap_or_else(|error| DeviceTtl::Unclear(format!("cannot listen on {address}: {}", words(&error))))
}
