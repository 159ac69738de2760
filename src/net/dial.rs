//! The connect to the hub.

use super::readiness::is_write_closed;
use super::sys::connect::begin;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;

/// How long the hub may take to accept a connect. Past it, a device would long have given up.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

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

    /// Goes on with it. It is not given up, however long it takes.
    ///
    /// # Errors
    /// The system's, or a connect that met itself.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Dialled>> {
        match self {
            Connect::To(to, begun) => {
                let stream = match begun.take() {
                    Some(stream) => stream,
                    None => TcpStream::from_std(begin(*to)?)?,
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
    // A connect that failed leaves a socket that nothing can be written to; only then the system is asked why.
    if is_write_closed(&stream)
        && let Some(error) = stream.take_error()?
    {
        return Err(error);
    }
    unless_itself(stream, Some(to.port()))
}

async fn by_name(upstream: Arc<str>) -> io::Result<Dialled> {
    let stream = TcpStream::connect(&*upstream).await?;
    // As for an address.
    stream.set_nodelay(true)?;
    unless_itself(stream, upstream.rsplit_once(':').and_then(|(_, port)| port.parse().ok()))
}

/// Connects to a hub, with a limit.
///
/// # Errors
/// The system's, no answer in 30 s, or a connect that met itself.
pub async fn dial(upstream: &Upstream) -> io::Result<TcpStream> {
    let mut connect = Connect::to(upstream);
    let dialled = poll_fn(|cx| connect.poll(cx));
    Ok(tokio::time::timeout(LIMIT, dialled).await.map_err(|_| unanswered(LIMIT))??.stream)
}

/// Why a connect is given up after so long.
pub(super) fn unanswered(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {} s", limit.as_secs()))
}

/// Where nobody listens on a port of this machine, one connect in some ten thousand takes that very port as its own,
/// and so is answered by itself (RFC 9293, simultaneous open): the device would hear what it says.
fn unless_itself(stream: TcpStream, port: Option<u16>) -> io::Result<Dialled> {
    let own = stream.local_addr()?;
    // Nearly always the port alone says that there are two sockets, without asking the system once more.
    if port.is_none_or(|port| port == own.port()) && own == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(Dialled { stream, own })
}

#[cfg(test)]
mod tests {
    use super::*;
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
            let mut connect = Connect::to(&words.as_str().into());
            let Dialled { stream, own } = poll_fn(|cx| connect.poll(cx)).await.unwrap();
            assert_eq!((stream.peer_addr().unwrap(), stream.local_addr().unwrap()), (to, own));
            assert!(stream.nodelay().unwrap());
            assert_eq!(hub.accept().await.unwrap().1, own);
        }
    }

    /// One whose failure comes at once, and one whose comes later: it is the system's word both times.
    #[tokio::test]
    async fn a_connect_that_fails_says_why() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = dial(&nobody.into()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        // Broadcast is no address to connect to.
        let nowhere = SocketAddr::from(([255, 255, 255, 255], 9));
        let expected = std::net::TcpStream::connect(nowhere).unwrap_err();
        assert_eq!(dial(&nowhere.into()).await.unwrap_err().to_string(), expected.to_string());
    }
}
