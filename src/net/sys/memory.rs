//! Memory that this process has no use for.

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
