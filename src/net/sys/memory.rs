//! Memory that this process has no use for.

use std::hint::black_box;
use std::thread;

/// The allocator keeps up to so many free blocks of a size for each thread, of all sizes up to [`LARGEST`] (glibc: tcache_count, and
/// sizes in steps of 16 bytes).
const KEPT: usize = 7;
const SMALLEST: usize = 24;
const LARGEST: usize = 1032;
const STEP: usize = 16;

/// Who frees a block of this size has glibc look whether the end of this thread's heap is free (FASTBIN_CONSOLIDATION_THRESHOLD).
const LOOKED_AT: usize = 64 * 1024;

/// So much may be free at the end of a heap until glibc gives it back by itself. It chooses anew with each larger block that
/// it is asked for, but not once it was told.
#[cfg(target_env = "gnu")]
const FREE_AT_THE_END: libc::c_int = 1024 * 1024;

/// Takes the free blocks that the allocator keeps for this thread, for [`give_back`]. Where thousands of links have come and gone,
/// they lie anywhere, some 300 of them, and each keeps the page that it lies in. Takes some 100 us.
pub fn take_kept() -> Vec<Vec<u8>> {
    let sizes = (SMALLEST..=LARGEST).step_by(STEP);
    sizes.flat_map(|size| (0..KEPT).map(move |_| Vec::with_capacity(size))).collect()
}

/// Gives whole free pages back to the system (malloc_trim(3)), with those of what was kept for threads: the allocator of glibc does
/// so by itself only at the end of its heaps, and where thousands of links have come and gone something lives there. Takes
/// some milliseconds, in which other threads may wait to allocate. Other libraries' allocators are left to themselves.
pub fn give_back(kept: Vec<Vec<Vec<u8>>>) {
    #[cfg(target_env = "gnu")]
    free_at_the_end(0);
    // What is kept for a thread goes where it belongs once the thread is over. Where there can be no thread, it is kept here.
    if let Ok(thread) = thread::Builder::new().spawn(move || drop(kept)) {
        _ = thread.join();
    }
    // malloc_trim leaves the ends of heaps alone, but for the first heap's.
    drop(black_box(Vec::<u8>::with_capacity(LOOKED_AT)));
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: takes no pointers, and may be called at any time from any thread.
        unsafe { libc::malloc_trim(0) };
        free_at_the_end(FREE_AT_THE_END);
    }
}

/// Has the allocator give back what is free at the end of a heap where it is more than this.
#[cfg(target_env = "gnu")]
fn free_at_the_end(most: libc::c_int) {
    // SAFETY: takes no pointers, and may be called at any time from any thread.
    unsafe { libc::mallopt(libc::M_TRIM_THRESHOLD, most) };
}
