//! getsockopt and setsockopt, typed.

use super::check;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A socket option: its level and its number.
#[derive(Clone, Copy)]
pub(super) struct Name(pub libc::c_int, pub libc::c_int);

/// Values that any bytes make: plain numbers, and structures of them without padding that matters.
///
/// # Safety
/// Every pattern of bits must be a value of the type, zero bits too, and it must own nothing.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: an integer; all patterns of bits are values.
unsafe impl Plain for libc::c_int {}
// SAFETY: as above.
unsafe impl Plain for libc::c_uint {}
// SAFETY: as above, for an array of them.
unsafe impl<const N: usize> Plain for [u8; N] {}
// SAFETY: nothing but integers, as in `struct tcp_info` of linux/tcp.h.
unsafe impl Plain for libc::tcp_info {}

/// Sets an option to a value whose layout is the one that the option's manual page names.
pub(super) fn set<T: Plain>(fd: BorrowedFd<'_>, Name(level, name): Name, value: T) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; the pointer and the length are those of `value`,
    // which lives until the call returns, and the kernel only reads from it.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), length_of::<T>())
    })
    .map(drop)
}

/// Reads an option, and how many bytes of it the kernel filled; the rest are zero (an older kernel's
/// structure is shorter than ours).
pub(super) fn get<T: Plain>(fd: BorrowedFd<'_>, Name(level, name): Name) -> io::Result<(T, usize)> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut length = length_of::<T>();
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `length` bytes, which is
    // the size of `value`, and the new length.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut length)
    })?;
    let filled = usize::try_from(length).unwrap_or(0).min(size_of::<T>());
    // SAFETY: zeroed, then partly overwritten; any bytes are a value of a `Plain` type.
    Ok((unsafe { value.assume_init() }, filled))
}

/// Sizes here are of a few hundred bytes at most.
fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}
