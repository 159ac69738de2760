//! One connection's task: the TLS handshake if there is one, then bytes both ways until an end.
//!
//! What is said at the end: over TLS close_notify and FIN, in plain FIN; a reset is a reset in both.

use super::io::{ConnId, HowClosed, Input};
use super::serve::{Core, End, Inlets};
use super::tls;
use crate::net::sys::reset;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Bytes read at once.
const READ_SIZE: usize = 4096;

/// How long a closed connection may take to drain and to see the peer's FIN before it is dropped.
const LINGER: Duration = Duration::from_secs(2);

/// Serves a connection to its end.
pub(super) async fn connection(core: Arc<Core>, conn: ConnId, mut stream: TcpStream, peer: String) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, conn = conn.0, "TCP_NODELAY was refused");
    }
    let Inlets { bytes, mut end } = core.open(conn, peer);
    match core.acceptor.clone() {
        None => {
            let (read, write) = stream.split();
            let ended = carry(&core, conn, read, write, bytes, end).await;
            arm(conn, &stream, ended);
        }
        Some(acceptor) => {
            let Some(mut stream) = secure(&core, conn, acceptor, stream, &mut end).await else { return };
            let (read, write) = tokio::io::split(&mut stream);
            let ended = carry(&core, conn, read, write, bytes, end).await;
            arm(conn, stream.get_ref().0, ended);
        }
    }
}

/// The TLS handshake. The hub bounds its time: it ends a connection that is not through.
async fn secure(
    core: &Core,
    conn: ConnId,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    end: &mut oneshot::Receiver<End>,
) -> Option<TlsStream<TcpStream>> {
    let handshake = tokio::select! {
        handshake = acceptor.accept(stream).into_fallible() => handshake,
        _ = end => return None,
    };
    match handshake {
        Ok(stream) => {
            core.input(Input::Secured { conn, security: tls::security(stream.get_ref().1) });
            Some(stream)
        }
        Err((error, stream)) => {
            core.input(Input::HandshakeFailed { conn, why: tls::handshake_error(&error, "device") });
            hear_out(stream).await;
            None
        }
    }
}

/// FIN, then whatever still comes: closing over unread bytes would reset the connection, and the alert that says why
/// would be lost with it.
async fn hear_out(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let mut buffer = [0; 1024];
    let rest = async { while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {} };
    let _ = tokio::time::timeout(LINGER, rest).await;
}

async fn carry(
    core: &Core,
    conn: ConnId,
    read: impl AsyncRead + Unpin,
    write: impl AsyncWrite + Unpin,
    bytes: mpsc::UnboundedReceiver<Vec<u8>>,
    end: oneshot::Receiver<End>,
) -> End {
    let failed = OnceLock::new();
    let both = async {
        tokio::join!(read_all(core, conn, read, &failed), write_all(core, conn, write, bytes, &failed));
        End::Close
    };
    // The halves end by themselves; a peer that neither reads nor closes is cut off by the end's own time.
    tokio::select! {
        ended = both => ended,
        ended = cut_off(end) => ended,
    }
}

fn arm(conn: ConnId, stream: &TcpStream, ended: End) {
    if ended == End::Reset
        && let Err(error) = reset::arm(stream)
    {
        tracing::debug!(%error, conn = conn.0, "the reset was refused; it is a FIN");
    }
}

/// When a connection that the hub has ended is dropped at the latest.
async fn cut_off(end: oneshot::Receiver<End>) -> End {
    match end.await {
        Ok(End::Reset) => End::Reset,
        Ok(End::Close) => {
            tokio::time::sleep(LINGER).await;
            End::Close
        }
        Err(_) => std::future::pending().await,
    }
}

/// Reads to the end, and tells how it ended. The system tells of a reset once: where a write met it, a read meets FIN.
async fn read_all(core: &Core, conn: ConnId, mut read: impl AsyncRead + Unpin, failed: &OnceLock<HowClosed>) {
    let mut buffer = vec![0; READ_SIZE];
    let ended = loop {
        match read.read(&mut buffer).await {
            Ok(0) => break HowClosed::Fin,
            Ok(count) => core.input(Input::Bytes { conn, bytes: &buffer[..count] }),
            Err(error) => break how_closed(&error),
        }
    };
    let how = match ended {
        HowClosed::Fin | HowClosed::Unnotified => *failed.get().unwrap_or(&ended),
        HowClosed::Alert(_) | HowClosed::BadRecord | HowClosed::Reset | HowClosed::TimedOut => ended,
    };
    core.input(Input::Closed { conn, how });
}

/// Writes what is given. Where that fails, the device is gone, and what it said before may still be unread: it tells nothing of the
/// end, which is not known before that is read. One that says DISCONNECT and closes over what it has not read resets.
async fn write_all(
    core: &Core,
    conn: ConnId,
    mut write: impl AsyncWrite + Unpin,
    mut outlet: mpsc::UnboundedReceiver<Vec<u8>>,
    failed: &OnceLock<HowClosed>,
) {
    while let Some(bytes) = outlet.recv().await {
        let written = async {
            write.write_all(&bytes).await?;
            // TLS keeps what the socket does not take at once.
            write.flush().await
        };
        if let Err(error) = written.await {
            let _ = failed.set(how_closed(&error));
            return;
        }
        core.input(Input::Written { conn, count: bytes.len() });
    }
    // FIN. Refused only where the connection is gone.
    let _ = write.shutdown().await;
}

/// What an error of a socket, or of the TLS on it, says about the other side.
fn how_closed(error: &io::Error) -> HowClosed {
    tls::how_closed(error).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            HowClosed::TimedOut
        }
        _ => HowClosed::Reset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Departure, HubConfig, HubSaw};
    use crate::mqtt::packet::{Connect, Disconnect, Will};
    use crate::mqtt::{Packet, Properties, QoS, Version, encode};
    use crate::net::clock::Clock;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll};
    use tokio::sync::Notify;

    /// The way to a device that is gone, and has not been heard out.
    struct Gone(Arc<Notify>);

    impl AsyncWrite for Gone {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.0.notify_one();
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn bytes(packet: &Packet) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(packet, Version::V311, &mut bytes).unwrap();
        bytes
    }

    fn connect() -> Vec<u8> {
        bytes(&Packet::Connect(Connect {
            version: Version::V311,
            clean_start: true,
            keep_alive: 0,
            properties: Properties::NONE,
            client_id: "d".into(),
            will: Some(Will {
                topic: "will".into(),
                payload: b"gone".into(),
                qos: QoS::AtMostOnce,
                retain: false,
                properties: Properties::NONE,
            }),
            username: None,
            password: None,
        }))
    }

    /// What the hub sees of a device that says `last` after CONNECT, and resets before it has read CONNACK; that is found out by
    /// a write while `last` is on its way through the system.
    async fn seen(last: &[u8]) -> Vec<HubSaw> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let sink = Arc::new(move |event: crate::hub::HubEvent| told.lock().unwrap().push(event.what));
        let core = Core::new(HubConfig::default(), None, Clock::start(), sink);
        let conn = ConnId(1);
        let Inlets { bytes, end } = core.open(conn, "peer".into());
        let (mut device, read) = tokio::io::duplex(256);
        device.write_all(&connect()).await.unwrap();
        let failed = Arc::new(Notify::new());
        tokio::join!(carry(&core, conn, read, Gone(Arc::clone(&failed)), bytes, end), async {
            failed.notified().await;
            device.write_all(last).await.unwrap();
            drop(device);
        });
        let seen = seen.lock().unwrap();
        seen.iter()
            .filter(|what| !matches!(what, HubSaw::Opened { .. } | HubSaw::Connected { .. }))
            .cloned()
            .collect()
    }

    /// As one does that leaves while messages still come: its system resets where its program has not read them all.
    #[tokio::test]
    async fn a_device_that_has_said_disconnect_has_left_in_order_though_a_write_to_it_fails() {
        let why = Departure::Disconnect { reason: 0 };
        let disconnect = bytes(&Packet::Disconnect(Disconnect::default()));
        assert_eq!(seen(&disconnect).await, [HubSaw::Disconnected { why }, HubSaw::SessionEnded]);
        let why = Departure::Reset;
        let sent = HubSaw::WillSent { topic: "will".into() };
        assert_eq!(seen(&[]).await, [HubSaw::Disconnected { why }, sent, HubSaw::SessionEnded]);
    }
}
