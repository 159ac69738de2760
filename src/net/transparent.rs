//! Transparent mode: devices connect to their hub, and the kernel hands their connects to brownout (`brownout lab up`).
//!
//! Owns where such a device was going, and the connect that goes on there in its place. By which of the kernel's two means
//! a connect came is seen at the accepted socket:
//!
//! | means | its own address | the hub sees |
//! |---|---|---|
//! | TPROXY | what the device dialled | the device's address, and a port that the kernel chooses |
//! | REDIRECT | brownout's; connection tracking keeps the hub's (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST) | brownout's |
//! | neither | brownout's | nobody: to go on would lead back to brownout, so it is reset |
//!
//! The hub's leg does not take the device's own port: to connection tracking, which routers often do, two connections
//! between the same addresses and ports are one.
//!
//! Deliberately absent: the rules that lead connects here, which are the business of `cli/lab`.

use super::dial::{Connect, Dialled, LIMIT, unanswered};
use super::door;
use super::sys::connect;
use super::sys::mute;
use super::sys::transparent::{choose_port_late, is_without_family, make_transparent};
use socket2::SockRef;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;
use tokio::net::TcpStream;

/// The port that connects are led to, unless told. Nothing is registered for it (IANA).
pub const PORT: u16 = 18830;

/// Where the links of a transparent listener lead, in words.
pub const ANYWHERE: &str = "where each device was going";

/// Where a device was going, and as whom brownout goes on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// The hub that the device dialled.
    pub to: SocketAddr,
    /// The device's address and no port, where the hub is to see that.
    pub from: Option<SocketAddr>,
}

impl Course {
    /// Where the device of an accepted connection was going, the port of whose listener is `own`. `None`: nowhere but to
    /// brownout itself.
    pub fn of(accepted: &TcpStream, own: u16, peer: SocketAddr) -> Option<Course> {
        let local = plain(accepted.local_addr().ok()?);
        let original = || original(accepted, local).ok();
        Course::told(local, own, plain(peer), original)
    }

    fn told(
        local: SocketAddr,
        own: u16,
        peer: SocketAddr,
        original: impl FnOnce() -> Option<SocketAddr>,
    ) -> Option<Course> {
        if local.port() != own {
            let mut from = peer;
            from.set_port(0);
            return Some(Course { to: local, from: Some(from) });
        }
        // Where connections are tracked and nothing was redirected, it is what the device dialled, too: brownout.
        let to = plain(original()?);
        (to != local).then_some(Course { to, from: None })
    }

    /// Connects to the hub, with a limit.
    ///
    /// # Errors
    /// The system's, or no answer in 30 s.
    pub async fn dial(self) -> io::Result<TcpStream> {
        let dialled = tokio::time::timeout(LIMIT, self.connect()).await;
        Ok(dialled.map_err(|_| self.unanswered(LIMIT))??.stream)
    }

    /// The connect to the hub, which nobody gives up.
    pub fn connect(self) -> Connect {
        match self.from {
            None => Connect::to(&self.to.into()),
            Some(from) => Connect::Other(Box::pin(self.as_device(from))),
        }
    }

    async fn as_device(self, from: SocketAddr) -> io::Result<Dialled> {
        let socket = connect::socket(self.to)?;
        make_transparent(&socket, self.to)?;
        // Without it there are fewer connects to be had from one address, and that is all.
        let _ = choose_port_late(&socket);
        socket.bind(&from.into())?;
        let begun = TcpStream::from_std(connect::begin(socket, self.to)?)?;
        Connect::To(self.to, Some(begun)).await
    }

    /// Why the connect is given up after so long.
    pub fn unanswered(self, limit: Duration) -> io::Error {
        self.from.map_or_else(|| unanswered(limit), |from| no_answer(from, limit))
    }
}

fn no_answer(from: SocketAddr, limit: Duration) -> io::Error {
    let words = format!(
        "no answer in {} s to {}, the device's address, which brownout connects from; does what the hub sends there come \
         through this machine, and is it led to brownout (`brownout lab status`)?",
        limit.as_secs(),
        from.ip()
    );
    io::Error::new(io::ErrorKind::TimedOut, words)
}

/// The address that REDIRECT took out of the packets.
fn original(accepted: &TcpStream, local: SocketAddr) -> io::Result<SocketAddr> {
    let socket = SockRef::from(accepted);
    let kept = if local.is_ipv4() { socket.original_dst_v4()? } else { socket.original_dst_v6()? };
    kept.as_socket().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// An IPv4 address as such, where a socket of both families has it as an IPv6 one (RFC 4291 section 2.5.5.2).
pub fn plain(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(of_both) if of_both.ip().to_ipv4_mapped().is_some() => {
            SocketAddr::new(address.ip().to_canonical(), address.port())
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => address,
    }
}

/// Binds a listening socket for connects that were going elsewhere: `[::]` takes IPv4, too, and is `0.0.0.0` on a machine
/// without IPv6.
///
/// # Errors
/// The system's: without CAP_NET_ADMIN, that it is not permitted.
pub fn bind(address: SocketAddr) -> io::Result<StdListener> {
    match door::bind_transparent(address) {
        Err(error) if is_without_family(&error) && address.ip().is_unspecified() => {
            door::bind_transparent(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        bound => bound,
    }
}

/// Binds the guard of a listener: a socket on the port after the listener's, which says to the rules of `brownout lab up
/// --fail-open` that brownout is there. While a fault has closed the listener itself, they then refuse connects, instead
/// of letting them go on to the hub. Who connects to it meets silence.
///
/// # Errors
/// The system's.
pub fn bind_guard(listener: &StdListener) -> io::Result<StdListener> {
    let mut address = listener.local_addr()?;
    let port = address.port().checked_add(1);
    address.set_port(port.ok_or_else(|| io::Error::other("there is no port after it"))?);
    let guard = door::bind_transparent(address)?;
    // At worst its own backlog takes who comes by mistake.
    let _ = mute::mute(&guard, mute::Mechanism::Filter, None);
    Ok(guard)
}

/// What to do where the kernel does not permit transparent sockets.
pub fn unpermitted() -> String {
    let program =
        std::env::current_exe().map_or_else(|_| "brownout".into(), |path| path.display().to_string());
    format!(
        "--transparent needs CAP_NET_ADMIN; run it as root, or grant it: sudo setcap \
         cap_net_admin,cap_net_raw,cap_net_bind_service+ep {program}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn told(local: &str, peer: &str, original: Option<&str>) -> Option<Course> {
        Course::told(at(local), PORT, at(peer), || original.map(at))
    }

    #[test]
    fn by_tproxy_the_socket_has_the_hubs_address() {
        for (hub, device, from) in [
            ("10.2.0.10:1883", "10.1.0.7:40000", "10.1.0.7:0"),
            ("[fd00:2::10]:8883", "[fd00:1::7]:40000", "[fd00:1::7]:0"),
        ] {
            let course = told(hub, device, None);
            assert_eq!(course, Some(Course { to: at(hub), from: Some(at(from)) }));
        }
    }

    #[test]
    fn by_redirect_connection_tracking_has_it() {
        let course = told("10.1.0.1:18830", "10.1.0.7:40000", Some("10.2.0.10:1883"));
        assert_eq!(course, Some(Course { to: at("10.2.0.10:1883"), from: None }));
        let course = told("[fd00:1::1]:18830", "[fd00:1::7]:40000", Some("[fd00:2::10]:1883"));
        assert_eq!(course, Some(Course { to: at("[fd00:2::10]:1883"), from: None }));
    }

    #[test]
    fn who_came_to_brownout_itself_goes_nowhere() {
        for tracked in [None, Some("10.1.0.1:18830")] {
            assert_eq!(told("10.1.0.1:18830", "10.1.0.7:40000", tracked), None);
        }
    }

    #[test]
    fn addresses_of_both_families_are_plain() {
        assert_eq!(plain(at("[::ffff:10.1.0.7]:5")), at("10.1.0.7:5"));
        assert_eq!(plain(at("[fd00::7]:5")), at("[fd00::7]:5"));
        assert_eq!(plain(at("10.1.0.7:5")), at("10.1.0.7:5"));
    }

    #[tokio::test]
    async fn a_socket_that_came_by_no_rule_is_known() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let _device = TcpStream::connect(own).await.unwrap();
        let (accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(Course::of(&accepted, own.port(), peer), None);
    }
}
