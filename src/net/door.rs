//! What a listening socket does with those who come: takes them in, lets them vanish, or refuses them.
//!
//! Refused, as by a program that is gone: the second descriptor of the listening socket is shut down, which takes the
//! socket out of the kernel's list of listeners. A SYN is then answered with RST, who waits to be accepted is reset, and
//! links that are up do not notice. The port stays bound, and `listen` on it takes connects again (Linux: inet_shutdown and
//! tcp_disconnect; held in place by tests). That is for a port that was asked for by its number: one that the kernel chose
//! would be given back, so [`bind`] asks again for what it was given.

use super::sys::transparent::make_transparent;
use super::sys::{drops, mute};
use crate::engine::Door;
use crate::fault::Mechanism;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener as StdListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How many connects may wait to be accepted: as many as Linux allows by default (net.core.somaxconn).
const BACKLOG: i32 = 4096;

/// Binds a listening socket that can be closed and opened again.
///
/// # Errors
/// The system's.
pub fn bind(address: SocketAddr) -> io::Result<StdListener> {
    bind_by(address, bound)
}

/// The same, for connects that were going elsewhere (IP_TRANSPARENT); `[::]` takes those of IPv4, too.
///
/// # Errors
/// The system's: without CAP_NET_ADMIN, that it is not permitted.
pub fn bind_transparent(address: SocketAddr) -> io::Result<StdListener> {
    bind_by(address, |address| {
        let socket = unbound(address)?;
        make_transparent(&socket, address)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        Ok(socket)
    })
}

fn bind_by(address: SocketAddr, bound: fn(SocketAddr) -> io::Result<Socket>) -> io::Result<StdListener> {
    let placed = bound(address)?;
    let socket = match (address.port(), placed.local_addr()?.as_socket()) {
        // Both are bound for as long as the port changes hands, so nobody else gets it.
        (0, Some(given)) => bound(given)?,
        _ => placed,
    };
    // Without it a peer's TTL stays unknown, which only matters to mutes: not worth failing for.
    let _ = mute::save_syns(&socket);
    // What is accepted has it from there: small packets must not wait for the peer's acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = unbound(address)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn unbound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A second descriptor of a listening socket, to change what it does.
#[derive(Debug)]
pub struct Keeper {
    socket: OwnedFd,
    muted: Option<mute::Mechanism>,
    /// What the kernel had dropped there when that was last told, while it is mute.
    dropped: Option<u32>,
    ever_muted: Arc<AtomicBool>,
    closed: watch::Sender<bool>,
}

impl Keeper {
    /// The keeper of an open listener; `ever_muted` is set when it is first mute.
    pub fn new(socket: OwnedFd, ever_muted: Arc<AtomicBool>) -> Keeper {
        Keeper { socket, muted: None, dropped: None, ever_muted, closed: watch::Sender::new(false) }
    }

    /// Tells whoever accepts whether it is closed.
    pub fn closed(&self) -> watch::Receiver<bool> {
        self.closed.subscribe()
    }

    /// Makes connects meet this; by which means, where some or all do not arrive. And what the kernel dropped of what came
    /// since the listener was mute, or since that was last told.
    ///
    /// # Errors
    /// The kernel's, in words; then connects go on to meet what they did.
    pub fn set(&mut self, door: &Door) -> (Result<Option<Mechanism>, String>, Option<u64>) {
        let before = self.dropped;
        let outcome = self.change(door);
        let now = drops::of(&self.socket);
        self.dropped = now.filter(|_| self.muted.is_some());
        (outcome, before.zip(now).map(|(before, now)| drops::between(before, now)))
    }

    /// Lets go of the listener. Where it was mute, what the kernel dropped there since, or since that was last told.
    pub fn close(self) -> Option<Option<u64>> {
        let now = drops::of(&self.socket);
        let dropped = self.dropped.zip(now).map(|(before, now)| drops::between(before, now));
        self.muted.map(|_| dropped)
    }

    fn change(&mut self, door: &Door) -> Result<Option<Mechanism>, String> {
        // In such an order that nobody gets in between.
        match door {
            Door::Open => {
                self.unmute()?;
                self.listen()?;
                Ok(None)
            }
            Door::Mute => {
                let mechanism = self.mute()?;
                self.listen()?;
                Ok(Some(mechanism.into()))
            }
            Door::MuteTo(sources) => {
                self.mute_to(sources)?;
                self.listen()?;
                Ok(Some(Mechanism::Filter))
            }
            Door::Closed => {
                self.refuse()?;
                self.unmute()?;
                Ok(Some(Mechanism::Closed))
            }
        }
    }

    fn mute(&mut self) -> Result<mute::Mechanism, String> {
        self.ever_muted.store(true, Ordering::Release);
        let mechanism = mute::mute(&self.socket, mute::Mechanism::Filter, None)
            .map_err(|error| format!("connects cannot be made to vanish: {error}"))?;
        self.muted = Some(mechanism);
        Ok(mechanism)
    }

    /// A filter takes the place of one that was there. What a minimum TTL dropped is let through after that.
    fn mute_to(&mut self, sources: &[IpAddr]) -> Result<(), String> {
        self.ever_muted.store(true, Ordering::Release);
        mute::mute_to(&self.socket, sources)
            .map_err(|error| format!("connects of single devices cannot be made to vanish: {error}"))?;
        if self.muted == Some(mute::Mechanism::MinTtl) {
            self.unmute()?;
        }
        self.muted = Some(mute::Mechanism::Filter);
        Ok(())
    }

    fn unmute(&mut self) -> Result<(), String> {
        if let Some(mechanism) = self.muted {
            mute::unmute(&self.socket, mechanism)
                .map_err(|error| format!("the listener stays mute: {error}"))?;
            self.muted = None;
        }
        Ok(())
    }

    fn refuse(&mut self) -> Result<(), String> {
        // Whoever accepts knows before it sees what a closed listener says.
        if !self.closed.send_replace(true) {
            SockRef::from(&self.socket).shutdown(Shutdown::Read).map_err(|error| {
                self.closed.send_replace(false);
                format!("connects cannot be refused: {error}")
            })?;
        }
        Ok(())
    }

    fn listen(&mut self) -> Result<(), String> {
        if *self.closed.borrow() {
            SockRef::from(&self.socket).listen(BACKLOG).map_err(|error| {
                format!("the listener stays closed: {error}; has another program taken its port?")
            })?;
            self.closed.send_replace(false);
        }
        Ok(())
    }
}

/// Takes off what an accepted socket has from a listener that was mute: the least TTL, where a handshake was under way
/// when it came; the filter, with any handshake, that let it pass and would be run for each of its packets.
pub fn unmute_accepted(accepted: impl AsFd) {
    for mechanism in [mute::Mechanism::MinTtl, mute::Mechanism::Filter] {
        // Harmless where there is none; nothing else can fail on an open socket.
        let _ = mute::unmute(&accepted, mechanism);
    }
}

/// The listener, watched anew: what a closed one has told its watch does not go away otherwise.
///
/// # Errors
/// The system's, such as no more descriptors.
pub fn watch_again(listener: &StdListener) -> io::Result<TcpListener> {
    TcpListener::from_std(listener.try_clone()?)
}

impl From<mute::Mechanism> for Mechanism {
    fn from(mechanism: mute::Mechanism) -> Mechanism {
        match mechanism {
            mute::Mechanism::Filter => Mechanism::Filter,
            mute::Mechanism::MinTtl => Mechanism::MinTtl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::sys::info::tcp_info;
    use std::io::{ErrorKind, Write};
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
    use std::time::{Duration, Instant};

    /// What somebody who connects meets; `None`: nothing within a while.
    fn meets(address: SocketAddr) -> Option<Result<(), ErrorKind>> {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(_) => Some(Ok(())),
            Err(error) if error.kind() == ErrorKind::TimedOut => None,
            Err(error) => Some(Err(error.kind())),
        }
    }

    #[test]
    fn every_door_opens_into_every_other() {
        for ip in [IpAddr::from(Ipv4Addr::new(127, 77, 0, 1)), Ipv6Addr::LOCALHOST.into()] {
            let listener = bind(SocketAddr::new(ip, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let second = listener.as_fd().try_clone_to_owned().unwrap();
            let mut keeper = Keeper::new(second, Arc::default());
            let mut doors = vec![Door::Open, Door::Mute, Door::Closed];
            // What connects from this machine to any of its loopback addresses has.
            let own: IpAddr = if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { ip };
            let selective = Door::MuteTo([own].into());
            match keeper.set(&selective).0 {
                Ok(_) => doors.push(selective),
                Err(error) => println!("SKIPPED for one address: {error}"),
            }
            for (from, to) in doors.iter().flat_map(|from| doors.iter().map(move |to| (from, to))) {
                keeper.set(from).0.unwrap();
                let means = keeper.set(to).0.unwrap();
                let expected = match to {
                    Door::Open => Some(Ok(())),
                    Door::Mute | Door::MuteTo(_) => None,
                    Door::Closed => Some(Err(ErrorKind::ConnectionRefused)),
                };
                assert_eq!(meets(address), expected, "{from:?} to {to:?}");
                assert_eq!(means.is_none(), *to == Door::Open);
                assert_eq!(means == Some(Mechanism::Closed), *to == Door::Closed);
            }
        }
    }

    /// A connect from this address; whether it comes about within a while.
    fn comes_from(source: Ipv4Addr, address: SocketAddr) -> bool {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(source.into(), 0).into()).unwrap();
        socket.connect_timeout(&address.into(), Duration::from_millis(300)).is_ok()
    }

    /// Also where the listener takes both families; and what the kernel drops there is counted.
    #[test]
    fn one_address_finds_a_listener_mute_and_its_neighbour_does_not() {
        let (dark, neighbour) = (Ipv4Addr::new(127, 77, 3, 1), Ipv4Addr::new(127, 77, 3, 2));
        for on in ["127.0.0.1:0", "[::]:0"] {
            let listener = bind(on.parse().unwrap()).unwrap();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.local_addr().unwrap().port()));
            let mut keeper = Keeper::new(listener.as_fd().try_clone_to_owned().unwrap(), Arc::default());
            if let (Err(error), _) = keeper.set(&Door::MuteTo([dark.into()].into())) {
                assert!(error.contains("CAP_NET_ADMIN"), "{error}");
                return println!("SKIPPED: {error}");
            }
            assert!(!comes_from(dark, address) && comes_from(neighbour, address), "{on}");
            let (outcome, dropped) = keeper.set(&Door::MuteTo([neighbour.into()].into()));
            assert_eq!((outcome, dropped), (Ok(Some(Mechanism::Filter)), Some(1)), "{on}: one SYN");
            assert!(comes_from(dark, address) && !comes_from(neighbour, address), "{on}");
            assert_eq!(keeper.set(&Door::Open), (Ok(None), Some(1)));
            assert!(comes_from(neighbour, address), "{on}");
        }
    }

    /// The kernel has bounds of its own, beside the number of instructions.
    #[test]
    fn the_longest_filters_are_taken() {
        let v4 = (0..3000u32).map(|nth| IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + nth)));
        let v6 = (0..3000u128).map(|nth| IpAddr::V6(Ipv6Addr::from_bits(u128::MAX - (nth << 96) - nth)));
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        for sources in [v4.collect::<Vec<_>>(), v6.collect()] {
            match mute::mute_to(&listener, &sources) {
                Err(error) if error.to_string().contains("CAP_NET_ADMIN") => {
                    return println!("SKIPPED: {error}");
                }
                Err(error @ mute::MuteError::TooLarge { .. }) => println!("not on this system: {error}"),
                taken => taken.unwrap(),
            }
        }
    }

    /// Guards the warning in `sys/mute.rs`: a filter of the listener's is the accepted socket's too.
    #[tokio::test]
    async fn what_is_accepted_past_a_filter_is_rid_of_it() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut keeper = Keeper::new(listener.as_fd().try_clone_to_owned().unwrap(), Arc::default());
        let somebody = Ipv4Addr::new(127, 77, 4, 1);
        if let (Err(error), _) = keeper.set(&Door::MuteTo([somebody.into()].into())) {
            return println!("SKIPPED: {error}");
        }
        let _peer = TcpStream::connect(address).unwrap();
        let accepted = watch_again(&listener).unwrap().accept().await.unwrap().0;
        let detach = || SockRef::from(&accepted).detach_filter().map_err(|error| error.raw_os_error());
        assert!(detach().is_ok(), "it was there");
        mute::mute_to(&accepted, &[somebody.into()]).unwrap();
        unmute_accepted(&accepted);
        assert_eq!(detach(), Err(Some(libc::ENOENT)), "there is none");
    }

    /// The same of the least TTL, which takes no privilege.
    #[test]
    fn what_is_accepted_of_a_handshake_under_way_hears_again() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = loop {
            match listener.accept() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                accepted => break accepted.unwrap(),
            }
        };
        let muted = mute::mute(&accepted, mute::Mechanism::MinTtl, None).unwrap();
        assert_eq!(muted, mute::Mechanism::MinTtl);
        unmute_accepted(&accepted);
        (&peer).write_all(b"x").unwrap();
        let begun = Instant::now();
        while tcp_info(&peer).unwrap().unacked > 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "it is deaf");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_port_that_the_kernel_chose_is_kept_while_it_is_closed() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut keeper = Keeper::new(listener.as_fd().try_clone_to_owned().unwrap(), Arc::default());
        keeper.set(&Door::Closed).0.unwrap();
        let taken = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let error = taken.bind(&address.into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }
}
