//! What the kernel does, on loopback and without privileges. Real sockets, so real time passes. Each test has
//! an address of its own, because Linux remembers between two addresses what a muted dial did to the RTO
//! (tcp_metrics).

use super::info::{TcpState, set_user_timeout, tcp_info};
use super::mute::{mute, save_syns, syn_ttl, unmute};
use super::reset::{arm, reset};
use super::segment::{self, Segment};
use super::{FileLimit, Mechanism, MuteError, TcpInfo};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Longer than any repair here takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which sockets meet: the listener's family and the address dialled.
#[derive(Clone, Copy, Debug)]
enum Family {
    V4,
    V6,
    /// A dual-stack listener and an IPv4 peer.
    Mapped,
}

const FAMILIES: [Family; 3] = [Family::V4, Family::V6, Family::Mapped];

struct Pair {
    listener: Socket,
    dialled: TcpStream,
    accepted: TcpStream,
}

/// An address of 127.0.0.0/8 that no test of this process or of one running beside it has used.
fn fresh_v4() -> Ipv4Addr {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let [_, high, mid, low] =
        std::process::id().wrapping_mul(0x9e37_79b1).wrapping_add(nth * 0x101).to_be_bytes();
    Ipv4Addr::new(127, high, mid, low.clamp(1, 254))
}

/// A listener with saved SYNs, and the address to dial.
fn listen(family: Family) -> (Socket, SocketAddr) {
    let v4 = fresh_v4();
    let (domain, bound, dialled): (_, IpAddr, IpAddr) = match family {
        Family::V4 => (Domain::IPV4, v4.into(), v4.into()),
        Family::V6 => (Domain::IPV6, Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
        Family::Mapped => (Domain::IPV6, v4.to_ipv6_mapped().into(), v4.into()),
    };
    let listener = Socket::new(domain, Type::STREAM, None).unwrap();
    if let Domain::IPV6 = domain {
        listener.set_only_v6(false).unwrap();
    }
    listener.bind(&SocketAddr::new(bound, 0).into()).unwrap();
    listener.listen(16).unwrap();
    save_syns(&listener).unwrap();
    let port = listener.local_addr().unwrap().as_socket().unwrap().port();
    (listener, SocketAddr::new(dialled, port))
}

fn pair(family: Family) -> Pair {
    let (listener, address) = listen(family);
    let dialled = TcpStream::connect(address).unwrap();
    let accepted = listener.accept().unwrap().0.into();
    Pair { listener, dialled, accepted }
}

/// A connect under way, without waiting for it.
fn connect_begun(socket: Socket, address: SocketAddr) -> TcpStream {
    socket.set_nonblocking(true).unwrap();
    let _in_progress = socket.connect(&SockAddr::from(address));
    socket.into()
}

/// Waits until the kernel's view of the socket is as wanted.
fn await_info(socket: &TcpStream, what: &str, wanted: impl Fn(&TcpInfo) -> bool) -> TcpInfo {
    let start = Instant::now();
    loop {
        let info = tcp_info(socket).unwrap();
        if wanted(&info) {
            return info;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {info:?}");
        std::thread::sleep(ms(5));
    }
}

/// What `sender` sends is not acknowledged while `muted` is; then it heals, and nothing is lost.
fn goes_dark_and_heals(
    mut sender: &TcpStream,
    mut muted: &TcpStream,
    mechanism: Mechanism,
    peer_ttl: Option<u8>,
) {
    sender.write_all(b"before ").unwrap();
    assert_eq!(mute(muted, mechanism, peer_ttl).unwrap(), mechanism);
    let taken_in = tcp_info(muted).unwrap().segments_in;
    sender.write_all(b"in the dark").unwrap();
    let dark = await_info(sender, "retransmission", |info| info.retransmits >= 1);
    assert!(dark.unacked > 0 && dark.backoff > 0, "{dark:?}");
    assert_eq!(tcp_info(muted).unwrap().segments_in, taken_in, "the mute holds");

    unmute(muted, mechanism).unwrap();
    await_info(sender, "repair", |info| info.unacked == 0);
    let mut got = [0; 18];
    muted.set_read_timeout(Some(PATIENCE)).unwrap();
    muted.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"before in the dark");
}

/// A connect to the muted listener hangs in SYN_SENT; after the mute it completes.
fn connects_hang_and_complete(family: Family, mechanism: Mechanism) {
    let (listener, address) = listen(family);
    assert_eq!(mute(&listener, mechanism, None).unwrap(), mechanism);
    let client = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    let client = connect_begun(client, address);
    std::thread::sleep(ms(300));
    assert_eq!(tcp_info(&client).unwrap().state, TcpState::SynSent, "{family:?}");
    unmute(&listener, mechanism).unwrap();
    await_info(&client, "connect", |info| info.state == TcpState::Established);
    assert_eq!(syn_ttl(listener.accept().unwrap().0), Some(64), "{family:?}");
}

#[test]
fn min_ttl_mutes_accepted_and_dialled_sockets_of_every_family() {
    for family in FAMILIES {
        let Pair { dialled, accepted, .. } = pair(family);
        goes_dark_and_heals(&dialled, &accepted, Mechanism::MinTtl, syn_ttl(&accepted));
        let Pair { dialled, accepted, .. } = pair(family);
        goes_dark_and_heals(&accepted, &dialled, Mechanism::MinTtl, None);
    }
}

#[test]
fn min_ttl_makes_the_syns_to_a_listener_vanish() {
    for family in FAMILIES {
        connects_hang_and_complete(family, Mechanism::MinTtl);
    }
}

#[test]
fn a_filter_does_the_same_where_it_is_permitted() {
    let Pair { listener, .. } = pair(Family::V4);
    // TTL 255 bars the other way, so that the refusal is told.
    match mute(&listener, Mechanism::Filter, Some(255)) {
        Ok(mechanism) => assert_eq!(mechanism, Mechanism::Filter),
        Err(error) => return println!("SKIPPED: {error}"),
    }
    for family in FAMILIES {
        let Pair { dialled, accepted, .. } = pair(family);
        goes_dark_and_heals(&dialled, &accepted, Mechanism::Filter, Some(255));
        connects_hang_and_complete(family, Mechanism::Filter);
    }
}

#[test]
fn a_peer_at_ttl_255_is_muted_by_filter_or_not_at_all() {
    let Pair { accepted, .. } = pair(Family::V4);
    match mute(&accepted, Mechanism::MinTtl, Some(255)) {
        Ok(mechanism) => assert_eq!(mechanism, Mechanism::Filter),
        Err(error) => {
            assert!(matches!(error, MuteError::Unprivileged { .. }));
            let told = error.to_string();
            assert!(told.contains("CAP_NET_ADMIN") && told.contains("fidelity: stall"), "{told}");
        }
    }
    assert_eq!(mute(&accepted, Mechanism::MinTtl, Some(254)).unwrap(), Mechanism::MinTtl);
}

#[test]
fn a_packet_at_ttl_255_does_pass_the_minimum() {
    let Pair { dialled, accepted, .. } = pair(Family::V4);
    dialled.set_ttl(255).unwrap();
    mute(&accepted, Mechanism::MinTtl, None).unwrap();
    (&dialled).write_all(b"through").unwrap();
    await_info(&dialled, "acknowledged", |info| info.unacked == 0);
}

#[test]
fn unmute_is_harmless_on_what_is_not_muted_and_what_is_no_tcp_socket_is_told() {
    let Pair { dialled, .. } = pair(Family::V6);
    unmute(&dialled, Mechanism::Filter).unwrap();
    unmute(&dialled, Mechanism::MinTtl).unwrap();
    let file = std::fs::File::open("/dev/null").unwrap();
    let error = mute(&file, Mechanism::MinTtl, None).unwrap_err();
    assert!(error.to_string().starts_with("IP_MINTTL: Socket operation on non-socket"), "{error}");
}

/// Guards the warning in `mute.rs`: who accepts must unmute.
#[test]
fn a_handshake_under_way_passes_a_muted_listener_and_inherits_its_mute() {
    let (listener, address) = listen(Family::V4);
    // The client does not hear the answer to its SYN until the listener is muted.
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    mute(&client, Mechanism::MinTtl, None).unwrap();
    let client = connect_begun(client, address);
    mute(&listener, Mechanism::MinTtl, None).unwrap();
    unmute(&client, Mechanism::MinTtl).unwrap();
    let accepted: TcpStream = listener.accept().unwrap().0.into();

    unmute(&listener, Mechanism::MinTtl).unwrap();
    (&client).write_all(b"x").unwrap();
    std::thread::sleep(ms(100));
    assert_eq!(tcp_info(&client).unwrap().unacked, 1, "inherited");
    unmute(&accepted, Mechanism::MinTtl).unwrap();
    // Not by the client's own repair: it took the long handshake for a long way, and its RTO is of seconds.
    (&accepted).write_all(b"y").unwrap();
    await_info(&accepted, "healed", |info| info.unacked == 0);
}

#[test]
fn what_waits_to_be_accepted_is_not_muted_with_its_listener() {
    let (listener, address) = listen(Family::V4);
    let dialled = TcpStream::connect(address).unwrap();
    mute(&listener, Mechanism::MinTtl, None).unwrap();
    (&dialled).write_all(b"x").unwrap();
    await_info(&dialled, "acknowledged", |info| info.unacked == 0);
}

#[test]
fn a_muted_end_does_not_notice_the_peers_reset_until_it_writes() {
    let Pair { dialled, accepted, .. } = pair(Family::V4);
    mute(&accepted, Mechanism::MinTtl, None).unwrap();
    reset(dialled).unwrap();
    std::thread::sleep(ms(50));
    assert_eq!(tcp_info(&accepted).unwrap().state, TcpState::Established);
    unmute(&accepted, Mechanism::MinTtl).unwrap();
    (&accepted).write_all(b"x").unwrap();
    await_info(&accepted, "RST", |info| info.state == TcpState::Closed);
}

#[test]
fn the_user_timeout_of_a_peer_in_the_dark_runs_out() {
    let Pair { mut dialled, accepted, .. } = pair(Family::V4);
    set_user_timeout(&dialled, ms(300)).unwrap();
    mute(&accepted, Mechanism::MinTtl, None).unwrap();
    dialled.write_all(b"x").unwrap();
    dialled.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(failure(&mut dialled), ErrorKind::TimedOut);
}

/// How a read fails. With a limit, one is interrupted where the process was stopped for a while (signal(7)).
fn failure(socket: &mut TcpStream) -> ErrorKind {
    loop {
        match socket.read(&mut [0]).unwrap_err().kind() {
            ErrorKind::Interrupted => {}
            kind => return kind,
        }
    }
}

/// An idle connection, nothing in flight: the peer is told at once and not at its next byte.
#[test]
fn a_reset_is_seen_at_once_on_an_idle_connection() {
    let told_reset = |mut peer: TcpStream| {
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(failure(&mut peer), ErrorKind::ConnectionReset);
    };
    let idle = pair(Family::V4);
    reset(idle.accepted).unwrap();
    assert_eq!(tcp_info(&idle.dialled).unwrap().state, TcpState::Closed, "already, on loopback");
    told_reset(idle.dialled);

    let muted = pair(Family::V6);
    mute(&muted.accepted, Mechanism::MinTtl, None).unwrap();
    (&muted.dialled).write_all(b"unheard").unwrap();
    reset(muted.accepted).unwrap();
    told_reset(muted.dialled);

    let armed = pair(Family::V4);
    arm(&armed.accepted).unwrap();
    drop(armed.accepted);
    told_reset(armed.dialled);
}

#[test]
fn the_saved_syn_is_given_once() {
    for family in FAMILIES {
        let Pair { accepted, dialled, .. } = pair(family);
        assert_eq!((syn_ttl(&accepted), syn_ttl(&accepted)), (Some(64), None), "{family:?}");
        assert_eq!(syn_ttl(&dialled), None);
    }
}

#[test]
fn the_file_limit_is_raised_to_the_hard_one() {
    let FileLimit { before, now } = super::limit::raise_files().unwrap();
    assert!(now >= before);
    assert_eq!(super::limit::raise_files().unwrap(), FileLimit { before: now, now });
}

/// What is kept for FIN goes in FIN's segment, and where no FIN comes, when it is pushed.
#[test]
fn bytes_that_wait_for_what_follows_go_with_it_or_when_pushed() {
    // The kernel keeps them for 200 ms at most: whoever was held up so long has seen nothing of it.
    while !waits_for_what_follows(ms(100)) {}
}

/// Whether what was to be seen was seen in time.
fn waits_for_what_follows(limit: Duration) -> bool {
    let Pair { mut dialled, accepted, .. } = pair(Family::V4);
    let mut read = [0; 8];
    let begun = Instant::now();
    assert_eq!(segment::send(&accepted, b"early", Segment::WithNext).unwrap(), 5);
    let kept = tcp_info(&accepted).unwrap().unsent_bytes;
    if begun.elapsed() > limit {
        return false;
    }
    assert_eq!(kept, 5, "kept");
    segment::push(&accepted).unwrap();
    assert_eq!(dialled.read(&mut read).unwrap(), 5);
    let before = tcp_info(&dialled).unwrap().segments_in;
    let begun = Instant::now();
    assert_eq!(segment::send(&accepted, b"last", Segment::WithNext).unwrap(), 4);
    accepted.shutdown(std::net::Shutdown::Write).unwrap();
    if begun.elapsed() > limit {
        return false;
    }
    assert_eq!(dialled.read(&mut read).unwrap(), 4);
    assert_eq!(dialled.read(&mut read).unwrap(), 0, "FIN");
    assert_eq!(tcp_info(&dialled).unwrap().segments_in - before, 1, "in one segment");
    true
}
