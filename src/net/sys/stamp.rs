//! When bytes came, as the kernel has it: without what a sleeping reader takes to wake.

use super::check;
use super::option::{Name, set};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// The longest ago that bytes are believed to have come. They may have waited for longer, but a clock that was set
/// meanwhile would say so too.
const LONGEST_AGO: Duration = Duration::from_millis(2);

/// Room for what comes beside the bytes: one header of 16 bytes and a `timespec` of 16, twice that.
#[repr(align(8))]
struct Control([u8; 64]);

/// Where the `timespec` stands: behind length, level and type (cmsg(3), on machines of 64 bits).
const STAMP_AT: usize = 16;

/// Has the kernel note when each segment came (SO_TIMESTAMPNS, socket(7)), or no more. Where no other socket of the machine has
/// asked for it, it begins a little later, and what comes before is not noted.
///
/// # Errors
/// The kernel's; none is known.
pub fn stamp(socket: &impl AsFd, wanted: bool) -> io::Result<()> {
    set(socket.as_fd(), Name(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS), libc::c_int::from(wanted))
}

/// Receives what is there, and how long ago the last of it came, where the kernel has noted that.
///
/// # Errors
/// The kernel's, such as that nothing is there.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<Duration>)> {
    let (count, came) = receive_at(socket, buffer)?;
    let ago = came.map(|came| real_time().saturating_sub(came).min(LONGEST_AGO));
    Ok((count, ago))
}

/// Receives what is there, and the reading of CLOCK_REALTIME at which the last of it came, where the kernel has noted that.
///
/// # Errors
/// The kernel's, such as that nothing is there.
pub fn receive_at(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<Duration>)> {
    let mut control = Control([0; 64]);
    let (count, filled) = receive_with(socket.as_fd(), buffer, &mut control)?;
    Ok((count, control.0.get(..filled).and_then(came)))
}

fn receive_with(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    control: &mut Control,
) -> io::Result<(usize, usize)> {
    let mut bytes = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all of it are numbers and pointers, for which zero and null are values.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut bytes;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len();
    // SAFETY: the kernel writes to `buffer` and `control` alone, each as long as said, and both ours for as long as it
    // does.
    let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    match usize::try_from(count) {
        Ok(count) => Ok((count, message.msg_controllen)),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// The reading of CLOCK_REALTIME at which it came.
fn came(control: &[u8]) -> Option<Duration> {
    let number = |at: usize| Some(i32::from_ne_bytes(control.get(at..at + 4)?.try_into().ok()?));
    let wide = |at: usize| Some(i64::from_ne_bytes(control.get(at..at + 8)?.try_into().ok()?));
    if (number(8), number(12)) != (Some(libc::SOL_SOCKET), Some(libc::SO_TIMESTAMPNS)) {
        return None;
    }
    let (seconds, nanos) = (wide(STAMP_AT)?, wide(STAMP_AT + 8)?);
    Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanos).ok()?))
}

/// CLOCK_REALTIME, since 1970.
pub fn real_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec` to the pointer, which is ours. It fails for unknown clocks only.
    let read = check(unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut now) });
    // A clock that cannot be read makes everything come now.
    read.map_or(Duration::ZERO, |_| {
        Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    #[test]
    fn says_how_long_ago_bytes_came_and_no_longer_than_that() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ours = listener.accept().unwrap().0;
        let mut buffer = [0; 8];
        peer.write_all(b"old").unwrap();
        assert_eq!(receive(&ours, &mut buffer).unwrap(), (3, None), "not asked for");
        stamp(&ours, true).unwrap();
        // The kernel begins to note times a moment after the first socket of all has asked for it.
        let asked = Instant::now();
        loop {
            peer.write_all(b"old").unwrap();
            if receive(&ours, &mut buffer).unwrap().1.is_some() {
                break;
            }
            assert!(asked.elapsed() < Duration::from_secs(5), "the kernel notes no time");
        }
        for wait in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(20)] {
            let before = Instant::now();
            peer.write_all(b"new").unwrap();
            let sent = Instant::now();
            while sent.elapsed() < wait {
                std::hint::spin_loop();
            }
            let least = sent.elapsed().min(LONGEST_AGO);
            let (count, ago) = receive(&ours, &mut buffer).unwrap();
            let ago = ago.expect("the kernel notes it");
            assert_eq!(count, 3);
            assert!(ago <= before.elapsed(), "{ago:?} ago is before it was sent");
            // The note is made in the middle of the sending.
            assert!(ago + Duration::from_millis(1) >= least.min(wait), "{ago:?} ago of {least:?}");
        }
    }
}
