//! Capabilities (capabilities(7)), each thread's own, and the user of the process.
//!
//! What is given up here is given up for good by the thread that calls, and by what it starts later. The bounding set
//! and the inheritable set stay as they are: a program that root executes begins with all that root had.

use super::check;
use super::user::User;
use serde::Serialize;
use std::io;

/// The layout of [`Data`] that the kernel is to speak (_LINUX_CAPABILITY_VERSION_3, linux/capability.h).
const VERSION_3: u32 = 0x2008_0522;

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(u64);

/// The capabilities that brownout has a use for, and their names.
const NAMES: [(Capabilities, &str); 6] = [
    (Capabilities::NET_ADMIN, "CAP_NET_ADMIN"),
    (Capabilities::NET_RAW, "CAP_NET_RAW"),
    (Capabilities::NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"),
    (Capabilities::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (Capabilities::DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"),
    (Capabilities::KILL, "CAP_KILL"),
];

impl Capabilities {
    /// None at all.
    pub const NONE: Capabilities = Capabilities(0);
    /// To write in any file and directory.
    pub const DAC_OVERRIDE: Capabilities = Capabilities(1 << 1);
    /// To read any file.
    pub const DAC_READ_SEARCH: Capabilities = Capabilities(1 << 2);
    /// To signal the processes of other users.
    pub const KILL: Capabilities = Capabilities(1 << 5);
    /// To listen on ports below 1024.
    pub const NET_BIND_SERVICE: Capabilities = Capabilities(1 << 10);
    /// To put filters on TCP sockets, and to speak from addresses of others (IP_TRANSPARENT).
    pub const NET_ADMIN: Capabilities = Capabilities(1 << 12);
    /// To open packet sockets.
    pub const NET_RAW: Capabilities = Capabilities(1 << 13);

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// Those of these that are among the others.
    #[must_use]
    pub const fn among(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & other.0)
    }

    /// Whether all of these are there.
    pub const fn has(self, all: Capabilities) -> bool {
        self.0 & all.0 == all.0
    }

    /// The names of those that brownout has a use for.
    pub fn names(self) -> Vec<&'static str> {
        NAMES.into_iter().filter(|(one, _)| self.has(*one)).map(|(_, name)| name).collect()
    }
}

impl Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.names().serialize(serializer)
    }
}

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    /// 0 is the calling thread.
    pid: libc::c_int,
}

/// `struct __user_cap_data_struct`: 32 capabilities; there are two, the lower ones first.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// What the calling thread may do now.
///
/// # Errors
/// The kernel's; none is known.
pub fn effective() -> io::Result<Capabilities> {
    Ok(join(get()?, |data| data.effective))
}

/// What the calling thread may do, or may give itself.
///
/// # Errors
/// The kernel's; none is known.
pub fn permitted() -> io::Result<Capabilities> {
    Ok(join(get()?, |data| data.permitted))
}

/// The calling thread gives up all but these; what it does not have it does not get.
///
/// # Errors
/// The kernel's, such as where a sandbox bars the system call; then all is as it was.
pub fn keep(kept: Capabilities) -> io::Result<()> {
    let before = get()?;
    let mut data = before;
    let parts = [kept.0 & u64::from(u32::MAX), kept.0 >> 32].map(|part| u32::try_from(part).unwrap_or(0));
    for (data, part) in data.iter_mut().zip(parts) {
        data.permitted &= part;
        data.effective = data.permitted;
    }
    // Who has nothing to give up asks for nothing: a sandbox may bar the system call.
    if data == before { Ok(()) } else { set(&data) }
}

/// The calling thread gives up all; for threads that only work on what is open already.
pub fn renounce() {
    if let Err(error) = keep(Capabilities::NONE) {
        // Seen only where a sandbox bars the system call; then there is little left to give up.
        tracing::warn!("a thread keeps privileges that it has no use for: {error}");
    }
}

/// The calling thread, which has to be the only one of the process, becomes this user and keeps these capabilities of
/// those it has. What it executes later begins with none.
///
/// # Errors
/// The kernel's: it takes CAP_SETUID and CAP_SETGID. Then the process may be part of both users, and is to end.
pub fn become_user(user: &User, kept: Capabilities) -> io::Result<()> {
    // Else they would go with user 0. The flag is this thread's, and gone with an exec.
    keep_over_change(true)?;
    // SAFETY: the pointer and the length are those of a slice that lives until the call returns; it is only read.
    check(unsafe { libc::setgroups(user.groups.len(), user.groups.as_ptr()) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::setresgid(user.gid, user.gid, user.gid) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::setresuid(user.uid, user.uid, user.uid) })?;
    keep(kept)?;
    keep_over_change(false)
}

/// Which of those that brownout has a use for a program can be given that this one executes: the bounding set.
pub fn bounding() -> Capabilities {
    NAMES.into_iter().fold(Capabilities::NONE, |all, (one, _)| {
        let number = libc::c_ulong::from(one.0.trailing_zeros());
        // SAFETY: takes no pointers; a number that the kernel does not know is answered with EINVAL.
        if unsafe { libc::prctl(libc::PR_CAPBSET_READ, number) } == 1 { all.with(one) } else { all }
    })
}

/// Whether programs that this one executes get no privileges of their files (PR_GET_NO_NEW_PRIVS).
pub fn is_barred_from_more() -> bool {
    let unused: libc::c_ulong = 0;
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_GET_NO_NEW_PRIVS, unused, unused, unused, unused) == 1 }
}

/// The effective user and group.
pub fn ids() -> (u32, u32) {
    // SAFETY: take no pointers, and always succeed.
    unsafe { (libc::geteuid(), libc::getegid()) }
}

fn keep_over_change(keep: bool) -> io::Result<()> {
    let flag = libc::c_ulong::from(keep);
    let unused: libc::c_ulong = 0;
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_KEEPCAPS, flag, unused, unused, unused) }).map(drop)
}

fn get() -> io::Result<[Data; 2]> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: the layouts are those of this version, which takes two of `Data`; the kernel writes to no more, and to the
    // header. Both are ours.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(data) }
}

fn set(data: &[Data; 2]) -> io::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    // SAFETY: as in `get`; the kernel only reads `data`.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn join(data: [Data; 2], part: impl Fn(&Data) -> u32) -> Capabilities {
    let [low, high] = data.map(|data| u64::from(part(&data)));
    Capabilities(high << 32 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a thread of its own: what is given up is gone.
    fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().unwrap()
    }

    #[test]
    fn a_thread_keeps_what_it_is_told_to_and_its_neighbours_all() {
        let before = (effective().unwrap(), permitted().unwrap());
        let kept = apart(|| {
            keep(Capabilities::NET_ADMIN.with(Capabilities::NET_RAW)).unwrap();
            let first = effective().unwrap();
            // What is gone does not come back.
            keep(Capabilities::NET_ADMIN.with(Capabilities::DAC_OVERRIDE)).unwrap();
            (first, effective().unwrap(), permitted().unwrap())
        });
        let had = before.1;
        assert_eq!(kept.0, Capabilities::NET_ADMIN.with(Capabilities::NET_RAW).among(had));
        assert_eq!(kept.1, Capabilities::NET_ADMIN.among(had));
        assert_eq!(kept.2, kept.1);
        assert_eq!((effective().unwrap(), permitted().unwrap()), before);
    }

    #[test]
    fn a_thread_that_gives_all_up_starts_threads_without() {
        let of_child = apart(|| {
            keep(Capabilities::NONE).unwrap();
            apart(|| permitted().unwrap())
        });
        assert_eq!(of_child, Capabilities::NONE);
    }

    #[test]
    fn names_are_those_of_the_manual() {
        let set = Capabilities::NET_RAW.with(Capabilities::KILL);
        assert_eq!(set.names(), ["CAP_NET_RAW", "CAP_KILL"]);
        assert!(set.has(Capabilities::KILL) && !set.has(Capabilities::NET_ADMIN));
    }
}
