//! The connect to the hub.

use super::readiness::is_write_closed;
use super::sys::connect;
use super::sys::info::tcp_info;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};

/// How long the hub may take to accept a connect. Past it, a device would long have given up.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// How long an address of a hub is waited for before its next is tried beside it (RFC 8305 section 5: 2 s at most). A hub that is
/// there answers sooner, and has no connect that nobody uses.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_secs(1);

/// Where a hub is: a name or an address, and a port.
#[derive(Clone, Debug)]
pub struct Upstream {
    words: Arc<str>,
    /// If it is an address: there is nothing to look up then.
    address: Option<SocketAddr>,
}

impl From<&str> for Upstream {
    fn from(words: &str) -> Upstream {
        Upstream { words: words.into(), address: words.parse().ok() }
    }
}

impl From<SocketAddr> for Upstream {
    fn from(address: SocketAddr) -> Upstream {
        Upstream { words: address.to_string().into(), address: Some(address) }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// A connection to a hub that has come about.
#[derive(Debug)]
pub struct Dialled {
    /// It.
    pub stream: TcpStream,
    /// Its own address.
    pub own: SocketAddr,
}

/// A connect that is under way, for as long as this is kept.
pub enum Connect {
    /// To an address; begun when it is first polled.
    To(SocketAddr, Option<TcpStream>),
    /// One that takes more than that.
    Other(Pin<Box<dyn Future<Output = io::Result<Dialled>> + Send>>),
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect").finish_non_exhaustive()
    }
}

impl Connect {
    /// To a hub.
    pub fn to(upstream: &Upstream) -> Connect {
        match upstream.address {
            Some(address) => Connect::To(address, None),
            None => Connect::Other(Box::pin(by_name(Arc::clone(&upstream.words)))),
        }
    }
}

/// Goes on with it. It is not given up, however long it takes. Fails with the system's error, or where it met itself.
impl Future for Connect {
    type Output = io::Result<Dialled>;

    fn poll(self: Pin<&mut Connect>, cx: &mut Context<'_>) -> Poll<io::Result<Dialled>> {
        match self.get_mut() {
            Connect::To(to, begun) => {
                let stream = match begun.take() {
                    Some(stream) => stream,
                    None => TcpStream::from_std(connect::begin(connect::socket(*to)?, *to)?)?,
                };
                if stream.poll_write_ready(cx)?.is_pending() {
                    *begun = Some(stream);
                    return Poll::Pending;
                }
                Poll::Ready(come_about(stream, *to))
            }
            Connect::Other(other) => other.as_mut().poll(cx),
        }
    }
}

/// What a connect to this address has come to.
fn come_about(stream: TcpStream, to: SocketAddr) -> io::Result<Dialled> {
    // A connect that failed leaves a socket that nothing can be written to; only then the system is asked why. So does a hub
    // that accepts and resets at once: it was reached, and that it reset is for the leg to find.
    if is_write_closed(&stream)
        && !has_been_up(&stream)
        && let Some(error) = stream.take_error()?
    {
        return Err(error);
    }
    unless_itself(stream, to.port())
}

/// Whether the hub has answered the SYN of a connection that is gone.
fn has_been_up(stream: &TcpStream) -> bool {
    tcp_info(stream).is_ok_and(|info| info.bytes_acked > 0)
}

async fn by_name(upstream: Arc<str>) -> io::Result<Dialled> {
    first_of(lookup_host(&*upstream).await?).await
}

/// Connects to the first of these addresses that answers: one that is silent does not keep from the next.
async fn first_of(mut addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Dialled> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut tried: Vec<Connect> = Vec::new();
    loop {
        tried.extend(addresses.next().map(|address| Connect::To(address, None)));
        if tried.is_empty() {
            return Err(failed);
        }
        match tokio::time::timeout(NEXT_ADDRESS_AFTER, poll_fn(|cx| poll_any(&mut tried, cx))).await {
            Ok(Ok(dialled)) => return Ok(dialled),
            Ok(Err(error)) => failed = error,
            Err(_) => {}
        }
    }
}

/// What one of these has come to, which is then none of them any more.
fn poll_any(tried: &mut Vec<Connect>, cx: &mut Context<'_>) -> Poll<io::Result<Dialled>> {
    for nth in 0..tried.len() {
        if let Poll::Ready(result) = Pin::new(&mut tried[nth]).poll(cx) {
            tried.swap_remove(nth);
            return Poll::Ready(result);
        }
    }
    Poll::Pending
}

/// Connects to a hub, with a limit.
///
/// # Errors
/// The system's, no answer in that time, or a connect that met itself.
pub async fn dial(upstream: &Upstream, limit: Duration) -> io::Result<TcpStream> {
    let dialled = tokio::time::timeout(limit, Connect::to(upstream)).await;
    Ok(dialled.map_err(|_| unanswered(limit))??.stream)
}

/// Why a connect is given up after so long.
pub(super) fn unanswered(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {} s", limit.as_secs()))
}

/// Where nobody listens on a port of this machine, one connect in some ten thousand takes that very port as its own,
/// and so is answered by itself (RFC 9293, simultaneous open): the device would hear what it says.
fn unless_itself(stream: TcpStream, port: u16) -> io::Result<Dialled> {
    let own = stream.local_addr()?;
    // Nearly always the port alone says that there are two sockets, without asking the system once more.
    if port == own.port() && own == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(Dialled { stream, own })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::sys::reset::reset;
    use tokio::net::{TcpListener, TcpSocket};

    #[tokio::test]
    async fn a_connect_that_meets_itself_is_known() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let itself = come_about(socket.connect(own).await.unwrap(), own);
        assert_eq!(itself.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_hub_is_dialled_by_address_and_by_name() {
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = hub.local_addr().unwrap();
        for words in [to.to_string(), format!("localhost:{}", to.port())] {
            let Dialled { stream, own } = Connect::to(&words.as_str().into()).await.unwrap();
            assert_eq!((stream.peer_addr().unwrap(), stream.local_addr().unwrap()), (to, own));
            assert!(stream.nodelay().unwrap());
            assert_eq!(hub.accept().await.unwrap().1, own);
        }
    }

    /// The port is taken up and dropped before the connect is looked at: the hub was there all the same.
    #[tokio::test]
    async fn a_hub_that_resets_what_it_accepts_was_reached() {
        let hub = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = hub.local_addr().unwrap();
        let begun = connect::begin(connect::socket(to).unwrap(), to).unwrap();
        reset(hub.accept().unwrap().0).unwrap();
        let Dialled { stream, own } =
            Connect::To(to, Some(TcpStream::from_std(begun).unwrap())).await.unwrap();
        assert_eq!(own.ip(), to.ip());
        stream.readable().await.unwrap();
        assert_eq!(stream.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    /// One address refuses, and one does not answer: its queue of connects is full.
    #[tokio::test]
    async fn an_address_that_does_not_answer_does_not_keep_from_the_next() {
        let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let silent = silent.listen(0).unwrap();
        let _first = TcpStream::connect(silent.local_addr().unwrap()).await.unwrap();
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = [refusing, silent.local_addr().unwrap(), hub.local_addr().unwrap()];
        let dialled = first_of(addresses.into_iter()).await.unwrap();
        assert_eq!(dialled.stream.peer_addr().unwrap(), hub.local_addr().unwrap());
        let refused = first_of([refusing].into_iter()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    /// One whose failure comes at once, and one whose comes later: it is the system's word both times.
    #[tokio::test]
    async fn a_connect_that_fails_says_why() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = dial(&nobody.into(), LIMIT).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        // Broadcast is no address to connect to.
        let nowhere = SocketAddr::from(([255, 255, 255, 255], 9));
        let expected = std::net::TcpStream::connect(nowhere).unwrap_err();
        assert_eq!(dial(&nowhere.into(), LIMIT).await.unwrap_err().to_string(), expected.to_string());
    }
}
