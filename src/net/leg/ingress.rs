//! What the kernel is to drop of what a leg's peer sends: all of it, or some.

use crate::base::Chance;
use crate::fault::Mechanism;
use crate::net::sys::{lossy, mute};
use tokio::net::TcpStream;

/// What the kernel answered, where something was asked of it.
pub type Answer = Option<Result<Mechanism, String>>;

/// What the kernel drops at one socket.
#[derive(Debug, Default)]
pub struct Ingress {
    /// The TTL that the peer's SYN came with.
    ttl: Option<u8>,
    muted: Option<mute::Mechanism>,
    /// The chance of the filter that is attached, unless a mute has taken its place.
    lossy: Option<Chance>,
}

impl Ingress {
    /// Nothing is dropped yet.
    pub fn new(ttl: Option<u8>) -> Ingress {
        Ingress { ttl, ..Ingress::default() }
    }

    /// Whether all is dropped.
    pub fn is_mute(&self) -> bool {
        self.muted.is_some()
    }

    /// Mutes the socket or lets it hear again, as wanted; the mechanism where it is mute now.
    pub fn mute(&mut self, stream: &TcpStream, wanted: bool) -> Answer {
        match (wanted, self.muted) {
            (true, None) => match mute::mute(stream, mute::Mechanism::Filter, self.ttl) {
                Ok(mechanism) => {
                    self.muted = Some(mechanism);
                    if mechanism == mute::Mechanism::Filter {
                        self.lossy = None;
                    }
                }
                Err(error) => return Some(Err(error.to_string())),
            },
            (false, Some(mechanism)) => {
                if let Err(error) = mute::unmute(stream, mechanism) {
                    return Some(Err(error.to_string()));
                }
                self.muted = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
        self.muted.map(|mechanism| Ok(mechanism.into()))
    }

    /// Makes the socket lose segments with this chance, or none; after [`Ingress::mute`], which drops them all. The
    /// mechanism where it loses some now, or would without the mute.
    pub fn lose(&mut self, stream: &TcpStream, wanted: Option<Chance>) -> Answer {
        let overruled = self.muted == Some(mute::Mechanism::Filter);
        if !overruled && self.lossy != wanted {
            let done = match wanted {
                Some(chance) => lossy::lose(stream, chance).map_err(|error| error.to_string()),
                None => mute::unmute(stream, mute::Mechanism::Filter).map_err(|error| error.to_string()),
            };
            match done {
                Ok(()) => self.lossy = wanted,
                Err(error) => return wanted.map(|_| Err(error)),
            }
        }
        wanted.map(|_| Ok(Mechanism::RandomFilter))
    }
}
