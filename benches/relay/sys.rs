//! The system calls that nothing safe wraps: cores, another process's clock, and children that end with us.

#![allow(unsafe_code, reason = "each call has its safety argument")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Lets a command run on these cores alone, on any if there are none, and end when this thread does.
pub fn pin(command: &mut Command, cores: &[usize]) {
    let cores = cores.to_vec();
    let set = move || {
        // SAFETY: prctl with these arguments touches no memory.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        if cores.is_empty() { Ok(()) } else { pin_self(&cores) }
    };
    // SAFETY: between fork and exec it makes two system calls, and touches no memory but its own.
    unsafe { command.pre_exec(set) };
}

/// Lets this thread, and those that it starts, run on these cores alone (sched_setaffinity(2)).
///
/// # Errors
/// The kernel's: there are no such cores for us.
pub fn pin_self(cores: &[usize]) -> io::Result<()> {
    // SAFETY: a cpu_set_t is bits, for which zero is valid; CPU_SET checks its bounds.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.iter().for_each(|core| libc::CPU_SET(*core, &mut set));
        set
    };
    // SAFETY: the kernel reads one `cpu_set_t` from the reference.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })
}

/// What a process has had of the processors, all its threads, also those that ended: nanoseconds, where /proc has
/// ticks of 10 ms (clock_getcpuclockid(3)).
pub fn cpu_time(process: u32) -> Duration {
    let process = libc::pid_t::try_from(process).unwrap();
    let (mut clock, mut time) = (0, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: both write to the references, which are ours.
    let code = unsafe {
        libc::clock_getcpuclockid(process, &raw mut clock) | libc::clock_gettime(clock, &raw mut time)
    };
    assert_eq!(code, 0, "the process {process} has ended");
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Has the kernel hold nothing of a file in memory but what somebody maps (posix_fadvise(2)). What a linker or a copy has just
/// written lies there in larger pieces than what is read from the disk, and a fault maps the whole piece.
///
/// # Errors
/// Those of opening and of writing to the disk.
pub fn forget(file: &Path) -> io::Result<()> {
    let file = File::open(file)?;
    file.sync_all()?;
    // SAFETY: takes a descriptor, which is ours, and touches no memory.
    let code = unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// Sends SIGINT.
pub fn interrupt(process: u32) {
    // SAFETY: kill(2) touches no memory.
    unsafe { libc::kill(libc::pid_t::try_from(process).unwrap(), libc::SIGINT) };
}

/// Descriptors for two ends of 10,000 links each, and the rest.
pub const FILES: u64 = 20_500;

/// Raises the limit of open files to this, the hard one too where we may; what it is then.
pub fn raise_files(wanted: u64) -> u64 {
    let limit = libc::rlimit { rlim_cur: wanted, rlim_max: wanted };
    // SAFETY: the kernel reads one `rlimit` from the pointer.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
        return wanted;
    }
    brownout::net::sys::limit::raise_files().unwrap().now
}

fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
