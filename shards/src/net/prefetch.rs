//! Memory is asked for some completions ahead: with tens of thousands of lanes, whatever one of them
//! touches has left the CPU's caches since its last.

use super::ring::Ring;
use super::slot::{Slot, Tag};
use io_uring::cqueue;

/// Completions ahead: the slot's turn, and the task's, which the slot leads to.
const SLOT_AHEAD: usize = 8;
const TASK_AHEAD: usize = 4;
/// Of a lane's task, its head and the first of its state: about what a wake-up reads.
const TASK_BYTES: usize = 640;

impl Ring {
    /// Asks for what the completions behind the first of `batch` will touch.
    pub(super) fn prefetch(&self, batch: &[cqueue::Entry]) {
        let slot = |ahead: usize| Some(Tag::unpack(batch.get(ahead)?.user_data()).slot);
        if let Some(i) = slot(SLOT_AHEAD) {
            self.peek(i, |slot| {
                fetch((&raw const *slot).cast(), size_of::<Slot>())
            });
        }
        if let Some(i) = slot(TASK_AHEAD) {
            let waker = |slot: &Slot| slot.waker.as_ref().map(|waker| waker.data().cast());
            if let Some(task) = self.peek(i, waker).flatten() {
                fetch(task, TASK_BYTES);
            }
        }
    }
}

/// Asks the CPU for `len` bytes from `at` on; nothing is read.
fn fetch(at: *const u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(line).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, len);
}
