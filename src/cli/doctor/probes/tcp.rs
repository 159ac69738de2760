//! Connections on loopback that are muted and reset.

use super::super::machine::Tried;
use super::{refused, within, words};
use crate::base::Chance;
use crate::net::sys::info::tcp_info;
use crate::net::sys::lossy::{self, LossError};
use crate::net::sys::{Mechanism, MuteError, mute, reset as resets};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

/// An address of loopback that nobody uses: Linux remembers of pairs of addresses how their connections went.
const PLACE: Ipv4Addr = Ipv4Addr::new(127, 83, 1, 1);

/// How long a muted connection is watched: a byte on loopback is there in a fraction of it.
const DARK: Duration = Duration::from_millis(80);

/// How long the byte may take once the mute is lifted: it comes by retransmission, after 0.2 s at least.
const REPAIR: Duration = Duration::from_millis(1500);

/// How long what comes at once may take on a loaded machine.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Less than any TTL that a peer on loopback sends with is no matter; nor is this: a peer of 255, so that only the filter
/// is tried.
const TTL_OF_NOBODY: u8 = 255;

/// A connection: who dialled, who accepted.
fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((PLACE, 0))?;
    let dialled = TcpStream::connect_timeout(&listener.local_addr()?, AT_ONCE)?;
    dialled.set_nodelay(true)?;
    let (accepted, _) = listener.accept()?;
    accepted.set_nonblocking(true)?;
    Ok((dialled, accepted))
}

/// Whether there can be a connection at all.
pub fn loopback() -> Tried {
    pair().map_or_else(|error| refused(&error), |_| Tried::Works)
}

/// Mutes a connection, sees that a byte is not taken in, and that it comes afterwards.
pub fn mute(by: Mechanism) -> Tried {
    match pair() {
        Ok((dialled, accepted)) => {
            muted(&dialled, &accepted, by).unwrap_or_else(|error| Tried::Fails(words(&error)))
        }
        Err(error) => Tried::Untried(format!("no connection on loopback: {}", words(&error))),
    }
}

fn muted(mut dialled: &TcpStream, accepted: &TcpStream, by: Mechanism) -> io::Result<Tried> {
    let peer = match by {
        Mechanism::Filter => Some(TTL_OF_NOBODY),
        Mechanism::MinTtl => None,
    };
    match mute::mute(accepted, by, peer) {
        Ok(made) if made == by => {}
        Ok(_) => return Ok(Tried::Fails("the kernel refuses the option".into())),
        Err(MuteError::Unprivileged { source, .. }) => return Ok(Tried::Unprivileged(words(&source))),
        Err(
            MuteError::Refused { source, .. }
            | MuteError::Selective { source, .. }
            | MuteError::TooLarge { source, .. },
        ) => return Ok(Tried::Fails(words(&source))),
    }
    let before = tcp_info(accepted)?.segments_in;
    dialled.write_all(b"?")?;
    let came = within(DARK, || has_come(accepted));
    if came || tcp_info(accepted)?.segments_in != before {
        return Ok(Tried::Fails("a byte got through all the same".into()));
    }
    mute::unmute(accepted, by).map_err(|error| io::Error::other(error.to_string()))?;
    let repaired = within(REPAIR, || has_come(accepted));
    Ok(if repaired { Tried::Works } else { Tried::Fails("the byte did not come after it was lifted".into()) })
}

fn has_come(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0]), Ok(1))
}

/// Resets an idle connection, and sees that its peer hears of it at once.
pub fn reset() -> Tried {
    let (mut dialled, accepted) = match pair() {
        Ok(pair) => pair,
        Err(error) => return Tried::Untried(format!("no connection on loopback: {}", words(&error))),
    };
    let told = dialled.set_read_timeout(Some(AT_ONCE)).and_then(|()| resets::reset(accepted));
    match told.and_then(|()| dialled.read(&mut [0])) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Tried::Works,
        Ok(_) => Tried::Fails("it arrived as a FIN".into()),
        Err(error) => Tried::Fails(words(&error)),
    }
}

/// Puts a filter that drops by chance on a socket that goes nowhere.
pub fn loss() -> Tried {
    match lossy::probe(Chance::ALWAYS) {
        Ok(()) => Tried::Works,
        Err(LossError::Unprivileged(error)) => Tried::Unprivileged(words(&error)),
        Err(LossError::Refused(error)) => Tried::Fails(words(&error)),
    }
}
