//! timerfd: a timer of nanoseconds that is a file descriptor, and the clock that it runs by.

use super::check;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer on CLOCK_MONOTONIC (timerfd_create(2)), readable once it has fired. Never blocks.
#[derive(Debug)]
pub struct TimerFd(OwnedFd);

impl TimerFd {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// The kernel's, such as too many open files.
    pub fn new() -> io::Result<TimerFd> {
        let flags = libc::TFD_NONBLOCK | libc::TFD_CLOEXEC;
        // SAFETY: takes no pointers.
        let fd = check(unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, flags) })?;
        // SAFETY: just created, so open, and nobody else's.
        Ok(TimerFd(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Arms it for this reading of [`monotonic`], in place of what it was armed for; a past one fires at
    /// once.
    ///
    /// # Errors
    /// The kernel's; none is known for valid times.
    pub fn arm(&self, at: Duration) -> io::Result<()> {
        // All zero would disarm it (timerfd_settime(2)); a nanosecond after boot has passed as well.
        self.set(at.max(Duration::from_nanos(1)))
    }

    /// Disarms it.
    ///
    /// # Errors
    /// As [`TimerFd::arm`].
    pub fn disarm(&self) -> io::Result<()> {
        self.set(Duration::ZERO)
    }

    /// Takes back that it has fired, so that it is no longer readable; returns whether it had.
    ///
    /// # Errors
    /// The kernel's; none is known.
    pub fn clear(&self) -> io::Result<bool> {
        let mut fired = [0u8; 8];
        // SAFETY: the kernel writes at most 8 bytes to the pointer, which are ours.
        let read = unsafe { libc::read(self.0.as_raw_fd(), fired.as_mut_ptr().cast(), fired.len()) };
        if read >= 0 {
            return Ok(true);
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            error => Err(error),
        }
    }

    /// Hands it to tokio, to await that it fires. Must be called in a runtime with I/O enabled.
    ///
    /// # Errors
    /// The kernel's, such as no more room for watches.
    pub fn watched(self) -> io::Result<AsyncFd<TimerFd>> {
        // SAFETY: `as_raw_fd` gives the descriptor that `self` owns, always the same one, and open until the
        // `AsyncFd` drops it.
        Ok(unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }?)
    }

    fn set(&self, at: Duration) -> io::Result<()> {
        let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        let when = libc::itimerspec { it_interval: never, it_value: timespec(at) };
        let flags = libc::TFD_TIMER_ABSTIME;
        // SAFETY: the kernel reads one `itimerspec` from the pointer, which is ours; the old value is not
        // asked for.
        check(unsafe {
            libc::timerfd_settime(self.0.as_raw_fd(), flags, &raw const when, std::ptr::null_mut())
        })
        .map(drop)
    }
}

impl AsFd for TimerFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for TimerFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// CLOCK_MONOTONIC: time since some point in the past, about the boot (clock_gettime(2)).
pub fn monotonic() -> Duration {
    Duration::from_nanos(monotonic_nanos())
}

/// The same in nanoseconds: 64 bits last 584 years.
pub fn monotonic_nanos() -> u64 {
    nanos_of(libc::CLOCK_MONOTONIC)
}

/// CLOCK_BOOTTIME: the same, and goes on while the machine is suspended (clock_gettime(2)).
pub fn since_boot() -> Duration {
    Duration::from_nanos(nanos_of(libc::CLOCK_BOOTTIME))
}

/// Of a clock that every kernel has.
fn nanos_of(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec` to the pointer, which is ours. It fails for unknown clocks
    // only.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// A time past what the kernel can count (far past any run) is the latest that it can.
fn timespec(at: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(at.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: at.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_at_its_time_and_not_before() {
        let timer = TimerFd::new().unwrap();
        let at = monotonic() + Duration::from_millis(5);
        timer.arm(at).unwrap();
        while !timer.clear().unwrap() {
            std::thread::yield_now();
        }
        assert!(monotonic() >= at);
        assert!(!timer.clear().unwrap(), "fires once");
    }

    #[test]
    fn the_past_fires_at_once_and_the_end_of_time_is_no_error() {
        let timer = TimerFd::new().unwrap();
        timer.arm(Duration::ZERO).unwrap();
        assert!(timer.clear().unwrap());
        timer.arm(Duration::MAX).unwrap();
        assert!(!timer.clear().unwrap());
        timer.disarm().unwrap();
    }
}
