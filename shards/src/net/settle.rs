//! What comes back: completions are settled, deadlines are enforced.

use super::enter::{drain, enter, gather};
use super::ring::Ring;
use super::slot::{Given, State, Step, Tag};
use super::wheel::Due;
use io_uring::cqueue;
use std::time::{Duration, Instant};

/// How a round looks for completions. Each is one system call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Look {
    /// What is there.
    Now,
    /// Until there are so many, or for so long. Blocks the executor: its own way to sleep costs
    /// several times the system call.
    Wait(usize, Duration),
    /// Before a sleep: nothing is left undone.
    Last,
}

impl Ring {
    fn settle(&self, completion: &cqueue::Entry) {
        let tag = Tag::unpack(completion.user_data());
        match tag.step {
            Step::Close => {}
            Step::Cancel => self.cancel_missed(tag),
            // What is due is looked at behind the round, and only then is it known what is next.
            Step::Tick if tag.turn == self.ticks.get() => {
                if let Some(at) = self.ticks_at.take() {
                    self.delays
                        .add(self.now.get().saturating_duration_since(at));
                }
            }
            Step::Tick => {}
            Step::Socket | Step::Connect | Step::Send | Step::Recv | Step::Abort => {
                let (result, flags) = (completion.result(), completion.flags());
                #[cfg(any(test, feature = "hooks"))]
                let (tag, result, flags) = self.spoilt(tag, result, flags);
                self.finish(tag, result, flags);
            }
        }
    }

    /// The chain is between two steps, or has ended. Tried again at the next tick: retrying at
    /// once would be quadratic when many expire together.
    fn cancel_missed(&self, tag: Tag) {
        let again = {
            let mut slot = self.slot(tag.slot);
            let again = slot.turn == tag.turn && slot.in_kernel();
            if again {
                slot.aim.swap(0, 1);
            }
            again
        };
        if again {
            self.watch_soon(tag.slot);
        }
    }

    /// What a test has the kernel say instead: which step of the chain it was, and how it ended.
    #[cfg(any(test, feature = "hooks"))]
    fn spoilt(&self, tag: Tag, result: i32, flags: u32) -> (Tag, i32, u32) {
        use crate::hooks::{Operation, Place, error_of, panic_at};
        panic_at(Place::Ring);
        let steps = match tag.step {
            // Given up, or made again, as it is.
            _ if result == -libc::ECANCELED || result == -libc::ENOBUFS => {
                return (tag, result, flags);
            }
            Step::Send | Step::Recv => [
                (Operation::Send, Step::Send),
                (Operation::Receive, Step::Recv),
            ],
            _ => [
                (Operation::Socket, Step::Socket),
                (Operation::Connect, Step::Connect),
            ],
        };
        for (operation, step) in steps {
            if let Some(errno) = error_of(operation) {
                if let Some(id) = cqueue::buffer_select(flags) {
                    self.buffers.took(id);
                    self.buffers.give(id);
                }
                return (Tag { step, ..tag }, -errno, 0);
            }
        }
        (tag, result, flags)
    }

    /// An operation ended.
    fn finish(&self, tag: Tag, result: i32, flags: u32) {
        let mut slot = self.slot(tag.slot);
        assert!(
            slot.turn == tag.turn && slot.in_kernel(),
            "one completion per operation"
        );
        let wanted = slot.state == State::Busy && slot.given.is_none();
        if result == -libc::ENOBUFS && tag.step == Step::Recv && wanted {
            // No buffer was free. They come back as soon as the tasks woken so far have run.
            self.dry.set(self.dry.get() + 1);
            drop(slot);
            return self.push(&[Self::recv_entry(tag.slot, tag.turn)]);
        }
        self.in_kernel.set(self.in_kernel.get() - 1);
        self.completions.set(self.completions.get() + 1);
        slot.out = None;
        (slot.result, slot.flags, slot.step) = (result, flags, tag.step);
        let buffer = cqueue::buffer_select(flags);
        if let Some(id) = buffer {
            self.buffers.took(id);
        }
        if slot.state == State::Orphan {
            slot.state = State::Idle;
            if let Some(id) = buffer {
                self.buffers.give(id);
            }
        } else {
            slot.state = State::Done;
        }
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// One round: submit, take what is there. `true` if anything was.
    pub(super) fn round(&self, batch: &mut Vec<cqueue::Entry>, look: Look) -> bool {
        #[cfg(any(test, feature = "hooks"))]
        self.buffers.give_withheld();
        batch.clear();
        batch.append(&mut self.backlog.borrow_mut());
        {
            let mut io = self.io.borrow_mut();
            let Some(io) = io.as_mut() else { return false };
            let entered = match look {
                // What was taken while making room does not wait for more.
                _ if !batch.is_empty() => enter(io),
                Look::Now => enter(io),
                Look::Wait(wanted, patience) => gather(io, wanted, patience),
                Look::Last => drain(io),
            };
            entered.expect("io_uring_enter: round");
            batch.extend(io.completion());
        }
        if batch.is_empty() {
            return false;
        }
        self.now.set(Instant::now());
        for (n, completion) in batch.iter().enumerate() {
            self.prefetch(&batch[n..]);
            self.settle(completion);
        }
        true
    }

    /// Gives up what is past its deadline.
    pub(super) fn expire(&self, due: &mut Vec<Due>) {
        let now = self.now.get();
        due.clear();
        self.wheel.borrow_mut().sweep(now, due);
        for &(i, mark) in due.iter() {
            let mut slot = self.slot(i);
            if slot.mark != mark {
                continue;
            }
            slot.watched = None;
            if !slot.in_kernel() {
                // Nothing runs: the next operation watches again, or finds itself expired.
                continue;
            }
            if slot.deadline > now && slot.given.is_none() && slot.state != State::Orphan {
                drop(slot);
                self.watch(i);
                continue;
            }
            slot.given.get_or_insert(Given::Expired);
            drop(slot);
            self.cancel(i);
        }
        if self.ticks_at.get().is_none() {
            self.push_tick();
        }
    }
}
