//! Receive buffers that the kernel picks from (a provided buffer ring, `io_uring_register(2)`,
//! IORING_REGISTER_PBUF_RING). Only this memory is ever written by a receive, so no future owns
//! what the kernel may still touch.

use io_uring::IoUring;
use io_uring::types::BufRingEntry;
use std::cell::Cell;
use std::sync::atomic::{AtomicU16, Ordering};
use std::{io, ptr};

/// The one buffer group of a ring.
pub(super) const GROUP: u16 = 0;

/// The buffers of one ring.
#[derive(Debug)]
pub(super) struct Buffers {
    entries: Mapping,
    memory: Mapping,
    count: u16,
    size: usize,
    tail: Cell<u16>,
    /// Those that a test keeps from the kernel.
    #[cfg(any(test, feature = "hooks"))]
    withheld: std::cell::RefCell<Vec<u16>>,
    /// Which of them are not the kernel's now: what makes the rest sound, so tests see to it.
    #[cfg(debug_assertions)]
    ours: Box<[Cell<bool>]>,
}

/// Anonymous memory, page-aligned as the kernel asks.
#[derive(Debug)]
struct Mapping {
    at: *mut u8,
    len: usize,
}

impl Mapping {
    fn new(len: usize) -> io::Result<Mapping> {
        let (prot, flags) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a new anonymous mapping at an address of the kernel's choice.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Mapping { at: at.cast(), len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; the ring has drained before its fields go.
        unsafe { libc::munmap(self.at.cast(), self.len) };
    }
}

impl Buffers {
    /// Registers `count` buffers of `size` bytes; EINVAL unless they are a power of two.
    pub(super) fn register(ring: &IoUring, count: u16, size: usize) -> io::Result<Buffers> {
        let entries = Mapping::new(usize::from(count) * size_of::<BufRingEntry>())?;
        let memory = Mapping::new(usize::from(count) * size)?;
        // SAFETY: the mapping is large enough for `count` entries and outlives the ring.
        unsafe {
            ring.submitter()
                .register_buf_ring_with_flags(entries.at as u64, count, GROUP, 0)?
        };
        let buffers = Buffers {
            entries,
            memory,
            count,
            size,
            tail: Cell::new(0),
            #[cfg(any(test, feature = "hooks"))]
            withheld: Default::default(),
            #[cfg(debug_assertions)]
            ours: (0..count).map(|_| Cell::new(true)).collect(),
        };
        (0..count).for_each(|id| buffers.give(id));
        Ok(buffers)
    }

    /// A completion named buffer `id`: it is not the kernel's any more.
    pub(super) fn took(&self, id: u16) {
        #[cfg(debug_assertions)]
        {
            let was_ours = self.ours[usize::from(id)].replace(true);
            assert!(!was_ours, "the kernel named a buffer that it did not have");
        }
        #[cfg(not(debug_assertions))]
        let _ = id;
    }

    /// Hands buffer `id` to the kernel.
    pub(super) fn give(&self, id: u16) {
        #[cfg(any(test, feature = "hooks"))]
        if crate::hooks::withholds_buffers() {
            return self.withheld.borrow_mut().push(id);
        }
        #[cfg(debug_assertions)]
        {
            let was_ours = self.ours[usize::from(id)].replace(false);
            assert!(was_ours, "a buffer is given to the kernel once");
        }
        debug_assert!(id < self.count);
        let (tail, ring) = (self.tail.get(), self.entries.at.cast::<BufRingEntry>());
        // SAFETY: the entry is in bounds, and the kernel does not read past the published tail.
        unsafe {
            let entry = &mut *ring.add(usize::from(tail & (self.count - 1)));
            entry.set_addr(self.memory.at.add(usize::from(id) * self.size) as u64);
            entry.set_len(self.size as u32);
            entry.set_bid(id);
            let shared = BufRingEntry::tail(ring).cast::<AtomicU16>();
            (*shared).store(tail.wrapping_add(1), Ordering::Release);
        }
        self.tail.set(tail.wrapping_add(1));
    }

    /// Hands the kernel what a test kept from it, if it does so no longer.
    #[cfg(any(test, feature = "hooks"))]
    pub(super) fn give_withheld(&self) {
        if !crate::hooks::withholds_buffers() {
            self.withheld
                .take()
                .into_iter()
                .for_each(|id| self.give(id));
        }
    }

    /// The first `len` bytes of buffer `id`, which a completion has just named.
    pub(super) fn bytes(&self, id: u16, len: usize) -> &[u8] {
        assert!(
            id < self.count && len <= self.size,
            "the kernel names buffers that it was given"
        );
        #[cfg(debug_assertions)]
        assert!(
            self.ours[usize::from(id)].get(),
            "the kernel may write into it"
        );
        // SAFETY: in bounds; the kernel gave this buffer up with the completion that named it.
        unsafe { std::slice::from_raw_parts(self.memory.at.add(usize::from(id) * self.size), len) }
    }
}
