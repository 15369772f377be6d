//! The probe ring: its slots, and what is submitted to it. An operation is one chain of linked
//! entries that posts exactly one completion.

use super::bell::{self, Bell, Rope};
use super::buffers::{Buffers, GROUP};
use super::enter::enter;
use super::settle::Look;
use super::slot::{Given, Slot, Step, Tag};
use super::wheel::{self, Due, Wheel};
use crate::lag::{self, Delays};
use crate::tuning::{TaskRun, Tuning};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

pub(super) const LINK: squeue::Flags = squeue::Flags::IO_LINK;
pub(super) const SKIP: squeue::Flags = squeue::Flags::SKIP_SUCCESS;

/// Slots come into being page by page, as sockets ask for them, and never move.
const PAGE: usize = 256;

/// Sizes of a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingOptions {
    /// Sockets at once, at most; bounded by the soft RLIMIT_NOFILE.
    pub(crate) slots: u32,
    /// Operations that are expected at once, for the size of the completion queue.
    pub(crate) expected: u32,
    /// The rest.
    pub(crate) tuning: Tuning,
}

impl RingOptions {
    /// What so many probes at once need, and more of them later.
    pub(crate) fn for_lanes(lanes: u32, lanes_max: u32, tuning: Tuning) -> RingOptions {
        RingOptions {
            slots: lanes_max,
            expected: lanes,
            tuning,
        }
    }
}

/// One per shard. Everything is single-threaded.
pub(crate) struct Ring {
    pub(super) tuning: Tuning,
    /// Absent once it was abandoned.
    pub(super) io: RefCell<Option<IoUring>>,
    pub(super) slots: ManuallyDrop<RefCell<Vec<Box<[Slot]>>>>,
    pub(super) buffers: ManuallyDrop<Buffers>,
    free: RefCell<Vec<u32>>,
    slots_max: u32,
    pub(super) wheel: RefCell<Wheel>,
    /// Completions taken while making room for submissions.
    pub(super) backlog: RefCell<Vec<cqueue::Entry>>,
    rope: Rope,
    bell: Rc<Bell>,
    /// How long the tick under way lasts; read by the kernel when it is submitted.
    tick: RefCell<Box<types::Timespec>>,
    /// When the next tick comes, if one is under way that counts.
    pub(super) ticks_at: Cell<Option<Instant>>,
    /// Its number.
    pub(super) ticks: Cell<u32>,
    pub(super) now: Cell<Instant>,
    /// How late ticks were seen: they wait in line with every other completion.
    pub(crate) delays: Delays,
    pub(super) in_kernel: Cell<usize>,
    cancelled: Cell<bool>,
    pub(super) completions: Cell<u64>,
    pub(super) dry: Cell<u64>,
}

impl Ring {
    /// Sets the ring up; see [`super::start`]. Call inside a glommio executor.
    pub(super) fn new(options: RingOptions) -> io::Result<Rc<Ring>> {
        let tuning = options.tuning;
        let completions = (options.expected * 2)
            .next_power_of_two()
            .max(tuning.completions_min)
            .min(tuning.completions_max.max(tuning.submissions));
        let mut builder = IoUring::builder();
        builder.setup_cqsize(completions).setup_single_issuer();
        match tuning.task_run {
            TaskRun::Deferred => builder.setup_coop_taskrun().setup_defer_taskrun(),
            TaskRun::Cooperative => builder.setup_coop_taskrun(),
            TaskRun::Interrupting => &mut builder,
        };
        let io = builder.build(tuning.submissions)?;
        io.submitter().register_files_sparse(options.slots)?;
        let buffers = Buffers::register(&io, tuning.buffers, tuning.buffer_bytes)?;
        let rope = Rope::new()?;
        io.submitter().register_eventfd(bell::raw(&rope))?;
        let now = Instant::now();
        Ok(Rc::new(Ring {
            tuning,
            io: RefCell::new(Some(io)),
            slots: ManuallyDrop::new(RefCell::default()),
            buffers: ManuallyDrop::new(buffers),
            free: RefCell::default(),
            slots_max: options.slots,
            wheel: RefCell::new(Wheel::new(now)),
            backlog: RefCell::default(),
            bell: Bell::hang(&rope)?,
            rope,
            tick: RefCell::default(),
            ticks_at: Cell::new(None),
            ticks: Cell::new(0),
            now: Cell::new(now),
            delays: Delays::default(),
            in_kernel: Cell::new(0),
            cancelled: Cell::new(false),
            completions: Cell::new(0),
            dry: Cell::new(0),
        }))
    }

    /// Operations in the kernel now.
    pub(crate) fn in_kernel(&self) -> usize {
        self.in_kernel.get()
    }

    /// Times that a receive found no buffer, since the start.
    #[cfg(test)]
    pub(crate) fn dry(&self) -> u64 {
        self.dry.get()
    }

    /// Operations completed, since the start.
    #[cfg(test)]
    pub(crate) fn completions(&self) -> u64 {
        self.completions.get()
    }

    /// Gives up every operation, now and from now on: each ends as cancelled.
    pub(crate) fn cancel_all(&self) {
        self.cancelled.set(true);
        for i in self.busy() {
            self.slot(i).given.get_or_insert(Given::Cancelled);
            self.cancel(i);
        }
    }

    /// The slots for which the kernel works.
    fn busy(&self) -> Vec<u32> {
        let slots = self.slots.borrow();
        (0u32..)
            .zip(slots.iter().flatten())
            .filter(|(_, slot)| slot.in_kernel())
            .map(|(i, _)| i)
            .collect()
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    pub(super) fn take(&self) -> Option<u32> {
        let mut free = self.free.borrow_mut();
        if free.is_empty() {
            let mut slots = self.slots.borrow_mut();
            let (first, now) = ((slots.len() * PAGE) as u32, self.now.get());
            let next = (first + PAGE as u32).min(self.slots_max);
            if first < next {
                slots.push((0..PAGE).map(|_| Slot::new(now)).collect());
                free.extend((first..next).rev());
            }
        }
        free.pop()
    }

    pub(super) fn slot(&self, i: u32) -> RefMut<'_, Slot> {
        RefMut::map(self.slots.borrow_mut(), |slots| {
            &mut slots[i as usize / PAGE][i as usize % PAGE]
        })
    }

    /// Looks at slot `i`, if there is one.
    pub(super) fn peek<T>(&self, i: u32, look: impl FnOnce(&Slot) -> T) -> Option<T> {
        let (slots, i) = (self.slots.borrow(), i as usize);
        slots.get(i / PAGE).map(|page| look(&page[i % PAGE]))
    }

    /// Queues a chain whole: a submission in its middle would cut it.
    pub(super) fn push(&self, chain: &[squeue::Entry]) {
        let mut io = self.io.borrow_mut();
        let Some(io) = io.as_mut() else { return };
        loop {
            let room = {
                let queue = io.submission();
                queue.capacity() - queue.len()
            };
            if room >= chain.len() {
                break;
            }
            // With a full completion queue the kernel may decline: take what is there first.
            enter(io).expect("io_uring_enter: submission");
            self.backlog.borrow_mut().extend(io.completion());
        }
        // SAFETY: entries point into slots and buffers, which outlive every operation (see `Drop`).
        unsafe { io.submission().push_multiple(chain).expect("room was made") };
        self.bell.nudge();
    }

    /// Counts an operation that was pushed and will complete once.
    pub(super) fn began(&self) {
        self.in_kernel.set(self.in_kernel.get() + 1);
    }

    /// Has the wheel look at slot `i` at its deadline, unless it looks earlier anyway.
    pub(super) fn watch(&self, i: u32) {
        let (at, mark) = {
            let mut slot = self.slot(i);
            if slot.watched.is_some_and(|at| at <= slot.deadline) {
                return;
            }
            slot.mark = slot.mark.wrapping_add(1);
            slot.watched = Some(slot.deadline);
            (slot.deadline, slot.mark)
        };
        self.add_to_wheel(at, (i, mark));
    }

    /// Has the wheel look at slot `i` at the next tick.
    pub(super) fn watch_soon(&self, i: u32) {
        let (at, mark) = {
            let mut slot = self.slot(i);
            slot.mark = slot.mark.wrapping_add(1);
            slot.watched = Some(self.now.get());
            (self.now.get(), slot.mark)
        };
        self.add_to_wheel(at, (i, mark));
    }

    fn add_to_wheel(&self, at: Instant, due: Due) {
        self.wheel.borrow_mut().add(at, due);
        if self
            .ticks_at
            .get()
            .is_none_or(|tick| at + wheel::TICK < tick)
        {
            self.push_tick();
        }
    }

    /// Has the ring tick when the first bucket of the wheel comes up, or sooner, so that it is known
    /// how late it is. A tick that is under way for a later one does not count any more.
    pub(super) fn push_tick(&self) {
        let due_at = self.wheel.borrow().due_at();
        let now = Instant::now();
        let at = due_at.map(|at| at.min(now + lag::TICK));
        self.ticks_at.set(at);
        let Some(at) = at else { return };
        self.ticks.set(self.ticks.get().wrapping_add(1));
        let mut tick = self.tick.borrow_mut();
        // Should the last one not be submitted yet, it comes with this one, which is sooner.
        **tick = at.saturating_duration_since(now).into();
        let tag = Tag {
            slot: 0,
            turn: self.ticks.get(),
            step: Step::Tick,
        };
        self.push(&[opcode::Timeout::new(&raw const **tick)
            .build()
            .user_data(tag.pack())]);
    }

    /// A receive into a buffer of the kernel's choice.
    pub(super) fn recv_entry(slot: u32, turn: u32) -> squeue::Entry {
        opcode::Recv::new(types::Fixed(slot), std::ptr::null_mut(), 0)
            .buf_group(GROUP)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT)
            .user_data(
                Tag {
                    slot,
                    turn,
                    step: Step::Recv,
                }
                .pack(),
            )
    }

    /// By user data, which the kernel hashes; by descriptor it would walk every request. A miss is
    /// answered, see [`Ring::cancel_missed`].
    pub(super) fn cancel(&self, i: u32) {
        let (turn, aim) = {
            let slot = self.slot(i);
            (slot.turn, slot.aim[0])
        };
        let entry = opcode::AsyncCancel::new(
            Tag {
                slot: i,
                turn,
                step: aim,
            }
            .pack(),
        )
        .build();
        self.push(&[entry
            .user_data(
                Tag {
                    slot: i,
                    turn,
                    step: Step::Cancel,
                }
                .pack(),
            )
            .flags(SKIP)]);
    }

    /// Closes slot `i`'s descriptor, if it has one.
    pub(super) fn close(&self, i: u32) {
        let tag = Tag {
            slot: i,
            turn: 0,
            step: Step::Close,
        };
        self.push(&[opcode::Close::new(types::Fixed(i))
            .build()
            .user_data(tag.pack())
            .flags(SKIP)]);
    }

    /// Closes slot `i` and gives it to the next [`super::Socket`].
    pub(super) fn release(&self, i: u32) {
        self.close(i);
        self.free.borrow_mut().push(i);
    }

    /// Closes the ring and every socket in it, when the executor is gone and with it all who could wait
    /// for an operation. They hold the ring, and it their wakers, so it is never dropped: memory that
    /// the kernel may still write to stays.
    pub(crate) fn abandon(&self) {
        self.io.take();
    }

    /// What the driver sleeps by.
    pub(super) fn bell(&self) -> Rc<Bell> {
        self.bell.clone()
    }

    /// Ends the driver and the bell's task.
    fn silence(&self) {
        self.bell.nudge();
        self.bell.silence(&self.rope);
    }

    /// Has the kernel ring the bell for completions, or not.
    pub(super) fn eventfd(&self, on: bool) {
        let mut io = self.io.borrow_mut();
        let Some(queue) = io.as_mut().map(IoUring::completion) else {
            return;
        };
        if on {
            queue.enable_eventfd()
        } else {
            queue.disable_eventfd()
        }
    }
}

impl Drop for Ring {
    /// The kernel may hold pointers until the last completion, so wait for it. Sockets are gone by
    /// now (each holds the ring), only orphans are left, and each was asked to give up.
    fn drop(&mut self) {
        self.silence();
        let mut batch = Vec::new();
        let patience = Instant::now() + Duration::from_secs(2);
        let answers = |now| now < patience && self.io.borrow().is_some();
        while self.in_kernel.get() > 0 && answers(Instant::now()) && !std::thread::panicking() {
            if !self.round(&mut batch, Look::Last) {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.busy().into_iter().for_each(|i| self.cancel(i));
        }
        if self.in_kernel.get() == 0 {
            self.io.take();
            // SAFETY: dropped once, here, and the kernel refers to none of it any more: the ring's
            // descriptor is gone.
            unsafe {
                ManuallyDrop::drop(&mut self.slots);
                ManuallyDrop::drop(&mut self.buffers);
            }
        } else {
            // After a panic, or with a kernel that does not answer: memory is leaked rather than
            // given to the allocator while the kernel may still write to it. Closing the descriptor
            // makes it give up the rest.
            self.io.take();
        }
    }
}
