//! What tokio has been told of a socket, asked without waiting and without a system call.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Whether nothing can be sent to the peer any more: by RST, because the peer did not acknowledge, because the connect failed, or
/// because both ends have said FIN (EPOLLHUP, epoll_ctl(2)). That stays, and tokio keeps it.
///
/// The kernel may know already what tokio has not been told yet; then it wakes who waits to write.
pub fn is_write_closed(stream: &TcpStream) -> bool {
    let told = pin!(stream.ready(Interest::WRITABLE)).poll(&mut Context::from_waker(Waker::noop()));
    matches!(told, Poll::Ready(Ok(ready)) if ready.is_write_closed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::future::poll_fn;
    use std::io;
    use std::time::Duration;
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (peer, listener.accept().await.unwrap().0)
    }

    /// As who waits for such an end does it: forgets that it can be written to, and waits for the next change.
    async fn wait_until_closed(ours: &TcpStream) {
        let closed = poll_fn(|cx| {
            loop {
                std::task::ready!(ours.poll_write_ready(cx)).unwrap();
                if is_write_closed(ours) {
                    return Poll::Ready(());
                }
                let _ = ours.try_io::<()>(Interest::WRITABLE, || Err(io::ErrorKind::WouldBlock.into()));
            }
        });
        tokio::time::timeout(Duration::from_secs(20), closed).await.expect("it is told");
    }

    #[tokio::test]
    async fn a_peers_fin_closes_nothing_and_its_rst_does() {
        let (peer, ours) = pair().await;
        SockRef::from(&peer).shutdown(std::net::Shutdown::Write).unwrap();
        while !ours.ready(Interest::READABLE).await.unwrap().is_read_closed() {
            let _ = ours.try_read(&mut [0]);
            tokio::task::yield_now().await;
        }
        assert!(!is_write_closed(&ours));
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        wait_until_closed(&ours).await;
        assert!(is_write_closed(&ours), "it stays");
    }

    #[tokio::test]
    async fn both_ends_fin_closes_it() {
        let (peer, ours) = pair().await;
        for end in [&peer, &ours] {
            assert!(!is_write_closed(end));
            SockRef::from(end).shutdown(std::net::Shutdown::Write).unwrap();
        }
        wait_until_closed(&ours).await;
    }
}
