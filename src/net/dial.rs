//! The connect to the hub.

use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long the hub may take to accept a connect. Past it, a device would long have given up.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Connects to a hub.
///
/// # Errors
/// The system's, no answer in 30 s, or a connect that met itself.
pub async fn dial(upstream: Arc<str>) -> io::Result<TcpStream> {
    let connect = TcpStream::connect(&*upstream);
    let stream = tokio::time::timeout(LIMIT, connect).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {} s", LIMIT.as_secs()))
    })??;
    if has_met_itself(&stream, &upstream)? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    // Small packets must not wait for the peer's acknowledgement: that would be a delay of our own.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Where nobody listens on a port of this machine, one connect in some ten thousand takes that very port as its own,
/// and so is answered by itself (RFC 9293, simultaneous open): the device would hear what it says.
fn has_met_itself(stream: &TcpStream, upstream: &str) -> io::Result<bool> {
    let own = stream.local_addr()?;
    // Nearly always the port alone says that there are two sockets, without asking the system once more.
    let port: Option<u16> = upstream.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    Ok(port.is_none_or(|port| port == own.port()) && own == stream.peer_addr()?)
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
        assert!(has_met_itself(&socket.connect(own).await.unwrap(), &own.to_string()).unwrap());
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = hub.local_addr().unwrap().to_string();
        let dialled = dial(upstream.as_str().into()).await.unwrap();
        assert!(!has_met_itself(&dialled, &upstream).unwrap());
    }
}
