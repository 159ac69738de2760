//! A packet socket: a copy of what arrives at this machine, before its TCP sees or drops it (packet(7)).
//!
//! One is bound to one protocol, IPv4 or IPv6, on all interfaces. So it sees what the IP layer receives, once: of loopback what
//! comes in and not what goes out too, of a VLAN or a bridge what comes out of it and not what its ports carry. The kernel
//! hands over what a filter keeps, from the IP header on, with the time at which it had it.
//!
//! It needs CAP_NET_RAW. A frame that finds no room in the receive buffer is counted, and the count can be read.

use super::check;
use super::option::{self, Name, Plain};
use super::stamp::{self, receive_at};
use crate::fault::filter::Instruction;
use crate::fault::tap::Family;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

const STATISTICS: Name = Name(libc::SOL_PACKET, PACKET_STATISTICS);
const FORCED_BUFFER: Name = Name(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE);
/// linux/if_packet.h
const PACKET_STATISTICS: libc::c_int = 6;

/// `struct tpacket_stats` of linux/if_packet.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    packets: libc::c_uint,
    drops: libc::c_uint,
}

// SAFETY: two integers, without padding; all patterns of bits are values.
unsafe impl Plain for Statistics {}

/// A packet socket of one family.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens one that sees what this program keeps, and has room for about so many bytes (of the kernel's own counting,
    /// which takes 768 and more for a small packet) that are not read yet.
    ///
    /// # Errors
    /// The kernel's: without CAP_NET_RAW, EPERM.
    pub fn open(family: Family, program: &[Instruction], room: usize) -> io::Result<PacketSocket> {
        // Of no protocol at first: nothing comes before there is a filter.
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new_raw(Domain::PACKET, kind, Some(Protocol::from(0)))?;
        let opened = PacketSocket(socket.into());
        opened.keep(program)?;
        stamp::stamp(&opened, true)?;
        opened.make_room(room)?;
        opened.bind(family)?;
        Ok(opened)
    }

    /// The same, that tasks can wait for. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The system's, such as no more descriptors.
    pub fn watched(self) -> io::Result<AsyncFd<PacketSocket>> {
        // SAFETY: the socket owns its descriptor and never gives it away or another, so it stays open and the same until
        // `AsyncFd` drops it.
        Ok(unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }?)
    }

    /// What this program keeps is seen from now on.
    ///
    /// # Errors
    /// The kernel's; then the program before stays.
    pub fn keep(&self, program: &[Instruction]) -> io::Result<()> {
        let program: Vec<SockFilter> =
            program.iter().map(|i| SockFilter::new(i.code, i.yes, i.no, i.operand)).collect();
        SockRef::from(&self.0).attach_filter(&program)
    }

    /// The next packet, cut to the buffer, and the reading of CLOCK_REALTIME at which the kernel had it.
    ///
    /// # Errors
    /// The kernel's, such as that nothing is there.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<Duration>)> {
        receive_at(&self.0, buffer)
    }

    /// How many packets found no room since this was last asked.
    ///
    /// # Errors
    /// The kernel's; none is known.
    pub fn lost(&self) -> io::Result<u32> {
        option::get::<Statistics>(self.0.as_fd(), STATISTICS).map(|(counts, _)| counts.drops)
    }

    /// Above the limit of the system (net.core.rmem_max) only with CAP_NET_ADMIN; else up to it.
    fn make_room(&self, room: usize) -> io::Result<()> {
        let bytes = libc::c_int::try_from(room).unwrap_or(libc::c_int::MAX);
        option::set(self.0.as_fd(), FORCED_BUFFER, bytes)
            .or_else(|_| SockRef::from(&self.0).set_recv_buffer_size(room))
    }

    fn bind(&self, family: Family) -> io::Result<()> {
        let protocol = match family {
            Family::V4 => libc::ETH_P_IP,
            Family::V6 => libc::ETH_P_IPV6,
        };
        let number = |value: libc::c_int| u16::try_from(value).unwrap_or_default();
        // SAFETY: all of it are numbers, for which zero is a value; an interface of 0 is every one.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = number(libc::AF_PACKET);
        address.sll_protocol = number(protocol).to_be();
        let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).unwrap_or_default();
        // SAFETY: the pointer and the length are those of `address`, which the kernel only reads from.
        check(unsafe { libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), length) }).map(drop)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Time;
    use crate::fault::tap::{Interest, program};
    use crate::session::wire::Segment;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    fn open(family: Family, interest: &Interest, room: usize) -> Option<PacketSocket> {
        match PacketSocket::open(family, &program(family, interest), room) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                println!("SKIPPED: {error}");
                None
            }
            opened => Some(opened.unwrap()),
        }
    }

    /// The next segment that comes within a second, and its stamp.
    fn next(socket: &PacketSocket) -> Option<(Segment, Duration)> {
        let began = Instant::now();
        let mut buffer = [0; 128];
        while began.elapsed() < Duration::from_secs(1) {
            match socket.receive(&mut buffer) {
                Ok((count, stamp)) => {
                    return Some((Segment::parse(&buffer[..count], Time::ZERO).unwrap(), stamp.unwrap()));
                }
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        None
    }

    #[test]
    fn a_syn_and_a_fin_on_loopback_are_each_seen_once_with_the_time_of_the_kernel() {
        for (family, ip) in [(Family::V4, "127.0.0.1:0"), (Family::V6, "[::1]:0")] {
            let listener = TcpListener::bind(ip).unwrap();
            let address = listener.local_addr().unwrap();
            let interest = Interest { ports: vec![address.port()], ..Interest::default() };
            let Some(socket) = open(family, &interest, 1 << 20) else { return };
            let before = stamp::real_time();
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"not seen").unwrap();
            let own = client.local_addr().unwrap();
            drop(client);
            let (syn, at) = next(&socket).unwrap();
            assert!(at >= before && at <= stamp::real_time(), "{at:?}");
            assert_eq!((syn.from, syn.to, syn.flags.syn, syn.flags.ack), (own, address, true, false));
            let (fin, _) = next(&socket).unwrap();
            assert_eq!((fin.from, fin.flags.fin), (own, true));
            assert_eq!(fin.seq, syn.seq.wrapping_add(9), "SYN, and 8 bytes");
            assert_eq!(next(&socket).map(|(segment, _)| segment), None);
            assert_eq!(socket.lost().unwrap(), 0);
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let interest = Interest { ports: vec![address.port()], ..Interest::default() };
        let Some(socket) = open(Family::V4, &interest, 1) else { return };
        for _ in 0..40 {
            drop(TcpStream::connect(address).unwrap());
            drop(listener.accept().unwrap());
        }
        let lost = socket.lost().unwrap();
        assert!(lost >= 40, "{lost} of at least 80");
        assert_eq!(socket.lost().unwrap(), 0);
    }
}
