//! Memory that this process has no use for.

/// The allocator keeps up to so many free blocks of a size for each thread, of all sizes up to [`LARGEST`] (glibc: tcache_count, and
/// sizes in steps of 16 bytes).
const KEPT: usize = 7;
const SMALLEST: usize = 24;
const LARGEST: usize = 1032;
const STEP: usize = 16;

/// Has the free blocks that the allocator keeps for this thread lie close together. Where thousands of links have come and gone,
/// they lie anywhere, some 300 of them, and each keeps the page that it lies in. Takes some 100 us.
pub fn gather() {
    for size in (SMALLEST..=LARGEST).step_by(STEP) {
        let take = || -> Vec<Vec<u8>> { (0..KEPT).map(|_| Vec::with_capacity(size)).collect() };
        // All that are kept, then as many from where there is room; those are kept instead.
        let (scattered, close) = (take(), take());
        drop(close);
        drop(scattered);
    }
}

/// Gives whole free pages back to the system (malloc_trim(3)): the allocator of glibc does so by itself only at the end of its
/// heaps, and where thousands of links have come and gone something lives there. Takes some milliseconds, in which other
/// threads may wait to allocate. Other libraries' allocators are left to themselves.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointers, and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
