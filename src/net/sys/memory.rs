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

/// From this size on, a block has pages of its own, which go back to the system with it (glibc's M_MMAP_THRESHOLD). Left to itself,
/// glibc takes up to 32 MB for a size that belongs in its heaps once such a block was freed: then what waits on a link grows within a heap,
/// and each place that it grew out of stays behind as a hole.
#[cfg(target_env = "gnu")]
const OF_ITS_OWN: libc::c_int = 128 * 1024;

/// So much may be free at the end of a heap until glibc gives it back by itself.
#[cfg(target_env = "gnu")]
const FREE_AT_THE_END: libc::c_int = 1024 * 1024;

/// Once, before there are other threads: large blocks are given back as they are freed.
pub fn give_large_blocks_back_at_once() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: takes no pointers, and may be called at any time from any thread.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, OF_ITS_OWN) };
        free_at_the_end(FREE_AT_THE_END);
    }
}

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
