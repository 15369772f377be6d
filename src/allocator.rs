//! How glibc's allocator is asked to behave: what is large comes from the kernel and goes back to it, and
//! so does now and then what is free.
//!
//! By itself glibc raises the size from which it does so each time a large piece is freed, up to 32 MiB
//! (mallopt(3), `M_MMAP_THRESHOLD`). Lists, images for the store and rendered answers then come from the
//! heaps of its threads, where they leave holes that no other thread can use, and memory grows for hours.

/// From this size on, in bytes, memory is mapped. It is glibc's first value, twice over: smaller pieces
/// are freed and taken again too often for a system call each.
#[cfg(target_env = "gnu")]
const MAPPED_FROM: i32 = 256 << 10;

/// Sets it for the whole process. Call before there are threads. An environment variable
/// `MALLOC_MMAP_THRESHOLD_` is the operator's own choice and is let be.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "mallopt(3) has no safe form")]
pub fn tune() {
    if std::env::var_os("MALLOC_MMAP_THRESHOLD_").is_none() {
        // SAFETY: it takes two numbers, and no other thread uses the allocator yet.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM) };
    }
}

/// Gives whole pages that nothing is in back to the kernel, in the middle of heaps too: each thread has
/// a heap of its own, and what one of them freed serves no other. Takes some milliseconds, in which a thread
/// that allocates may wait for its heap; call it once in a while, from a thread that nobody waits for.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code, reason = "malloc_trim(3) has no safe form")]
pub fn give_back() {
    // SAFETY: it takes a number, locks what it looks at, and moves nothing.
    unsafe { libc::malloc_trim(0) };
}

/// Another C library has another allocator.
#[cfg(not(target_env = "gnu"))]
pub fn tune() {}

/// Another C library has another allocator.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
