//! What the kernel is to drop of what a leg's peer sends: all of it, or some.

use crate::base::Chance;
use crate::event::Dropped;
use crate::fault::Mechanism;
use crate::net::sys::info::tcp_info;
use crate::net::sys::{drops, lossy, mute};
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
    /// The kernel's counts when they were last looked at, while something is to be dropped: dropped, and taken in.
    counts: Option<(u32, u32)>,
    /// What was dropped so far and has not been told.
    dropped: Option<Dropped>,
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

    /// What the kernel has dropped since that was last asked, where something was to be dropped. That nothing came at all is
    /// told once no more is to be dropped.
    pub fn take_dropped(&mut self, stream: Option<&TcpStream>) -> Option<Dropped> {
        if let Some(stream) = stream {
            self.count(stream);
        }
        let is_news = |dropped: &mut Dropped| *dropped != Dropped::default() || self.counts.is_none();
        self.dropped.take_if(is_news)
    }

    /// Adds what was dropped since it was last looked at. From now on no more is dropped than is now.
    pub fn count(&mut self, stream: &TcpStream) {
        let is_dropping = self.is_mute() || self.lossy.is_some();
        if self.counts.is_none() && !is_dropping {
            return;
        }
        let now = drops::of(stream).zip(tcp_info(stream).ok().map(|info| info.segments_in));
        if let Some((before, now)) = self.counts.zip(now) {
            let so_far = self.dropped.get_or_insert_default();
            so_far.segments += drops::between(before.0, now.0);
            so_far.passed += drops::between(before.1, now.1);
        }
        self.counts = now.filter(|_| is_dropping);
    }

    /// Mutes the socket or lets it hear again, as wanted; the mechanism where it is mute now.
    pub fn mute(&mut self, stream: &TcpStream, wanted: bool) -> Answer {
        self.count(stream);
        let answer = self.change_mute(stream, wanted);
        self.count(stream);
        answer
    }

    fn change_mute(&mut self, stream: &TcpStream, wanted: bool) -> Answer {
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
        self.count(stream);
        let answer = self.change_loss(stream, wanted);
        self.count(stream);
        answer
    }

    fn change_loss(&mut self, stream: &TcpStream, wanted: Option<Chance>) -> Answer {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (peer, listener.accept().await.unwrap().0)
    }

    /// Whether something that the peer sends now does not come.
    async fn is_dark(peer: &TcpStream, ours: &TcpStream) -> bool {
        let before = tcp_info(ours).unwrap().segments_in;
        peer.try_write(b"x").unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        tcp_info(ours).unwrap().segments_in == before
    }

    async fn hears(ours: &TcpStream) {
        let before = tcp_info(ours).unwrap().segments_in;
        let begun = Instant::now();
        while tcp_info(ours).unwrap().segments_in == before {
            assert!(begun.elapsed() < Duration::from_secs(20), "the peer's repair does not come");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A loss of all is dark for certain, so that a filter shows at once.
    #[tokio::test]
    async fn a_mute_overrules_a_loss_and_gives_it_back() {
        let (peer, ours) = pair().await;
        let mut ingress = Ingress::new(None);
        match ingress.lose(&ours, Some(Chance::ALWAYS)) {
            Some(Err(error)) => {
                assert!(error.contains("CAP_NET_ADMIN"), "{error}");
                return println!("SKIPPED: {error}");
            }
            granted => assert_eq!(granted, Some(Ok(Mechanism::RandomFilter))),
        }
        assert!(is_dark(&peer, &ours).await, "lost");
        assert_eq!(ingress.mute(&ours, true), Some(Ok(Mechanism::Filter)));
        assert_eq!(ingress.lose(&ours, Some(Chance::ALWAYS)), Some(Ok(Mechanism::RandomFilter)));
        assert_eq!(ingress.mute(&ours, false), None);
        assert_eq!(ingress.lose(&ours, Some(Chance::ALWAYS)), Some(Ok(Mechanism::RandomFilter)));
        assert!(is_dark(&peer, &ours).await, "the loss is there again");
        assert_eq!(ingress.lose(&ours, None), None);
        hears(&ours).await;
    }

    /// The order that brings both may bring them at once, and take them at once.
    #[tokio::test]
    async fn a_loss_that_ends_under_a_mute_leaves_it_mute() {
        let (peer, ours) = pair().await;
        let mut ingress = Ingress::new(None);
        assert!(ingress.mute(&ours, true).unwrap().is_ok());
        let _ = ingress.lose(&ours, Some(Chance::ALWAYS));
        assert!(ingress.lose(&ours, None).is_none());
        assert!(is_dark(&peer, &ours).await);
        assert_eq!(ingress.mute(&ours, false), None);
        hears(&ours).await;
    }
}
