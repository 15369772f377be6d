//! The probe ring: slots, submission, completion, deadlines, and the task that drives it. An
//! operation is one chain of linked entries that posts exactly one completion.

use super::bell::{self, Bell, Rope};
use super::buffers::{Buffers, GROUP};
use super::slot::{Given, Slot, State, Step, Tag};
use super::wheel::{self, Due, Wheel};
use futures_lite::future::yield_now;
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// Entries of the submission queue; a full one is submitted on the spot.
const SUBMISSIONS: u32 = 1024;
/// A completion queue of 16 384 is the most that 8 MiB of memlock allow.
const COMPLETIONS: std::ops::RangeInclusive<u32> = 4096..=16_384;
/// Completions taken in one round, before the tasks that they woke run.
const ROUND: usize = 256;
/// With this many operations in the kernel, and fewer than `FEW` completions in a round, more are
/// let gather for `NAP`: else the executor's own sleep costs more than the work. Too short to show
/// in a latency given in milliseconds, and off when little is under way.
const CROWD: usize = 256;
const FEW: usize = 16;
const NAP: Duration = Duration::from_micros(200);

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
    /// Receive buffers, a power of two.
    pub(crate) buffers: u16,
    /// Bytes in each.
    pub(crate) buffer_bytes: usize,
}

impl RingOptions {
    /// What probes need: an answer's head mostly fits one buffer.
    pub(crate) fn for_lanes(lanes: u32, lanes_max: u32) -> RingOptions {
        RingOptions {
            slots: lanes_max,
            expected: lanes,
            buffers: 1024,
            buffer_bytes: 2048,
        }
    }
}

/// One per shard. Everything is single-threaded.
pub(crate) struct Ring {
    io: ManuallyDrop<RefCell<IoUring>>,
    slots: ManuallyDrop<RefCell<Vec<Box<[Slot]>>>>,
    pub(super) buffers: ManuallyDrop<Buffers>,
    free: RefCell<Vec<u32>>,
    slots_max: u32,
    wheel: RefCell<Wheel>,
    /// Completions taken while making room for submissions.
    backlog: RefCell<Vec<cqueue::Entry>>,
    rope: Rope,
    bell: Rc<Bell>,
    tick: Box<types::Timespec>,
    ticking: Cell<bool>,
    now: Cell<Instant>,
    in_kernel: Cell<usize>,
    cancelled: Cell<bool>,
    completions: Cell<u64>,
    dry: Cell<u64>,
}

impl Ring {
    /// Sets the ring up and starts its driver. Call inside a glommio executor.
    pub(crate) fn new(options: RingOptions) -> io::Result<Rc<Ring>> {
        let io = IoUring::builder()
            .setup_cqsize(
                (options.expected * 2)
                    .next_power_of_two()
                    .clamp(*COMPLETIONS.start(), *COMPLETIONS.end()),
            )
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .build(SUBMISSIONS)?;
        io.submitter().register_files_sparse(options.slots)?;
        let buffers = Buffers::register(&io, options.buffers, options.buffer_bytes)?;
        let rope = Rope::new()?;
        io.submitter().register_eventfd(bell::raw(&rope))?;
        let now = Instant::now();
        let ring = Rc::new(Ring {
            io: ManuallyDrop::new(RefCell::new(io)),
            slots: ManuallyDrop::new(RefCell::default()),
            buffers: ManuallyDrop::new(buffers),
            free: RefCell::default(),
            slots_max: options.slots,
            wheel: RefCell::new(Wheel::new(now)),
            backlog: RefCell::default(),
            bell: Bell::hang(&rope)?,
            rope,
            tick: Box::new(types::Timespec::new().nsec(wheel::TICK.subsec_nanos())),
            ticking: Cell::new(false),
            now: Cell::new(now),
            in_kernel: Cell::new(0),
            cancelled: Cell::new(false),
            completions: Cell::new(0),
            dry: Cell::new(0),
        });
        glommio::spawn_local(drive(Rc::downgrade(&ring))).detach();
        Ok(ring)
    }

    /// Operations in the kernel now.
    #[cfg(test)]
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

    /// Queues a chain whole: a submission in its middle would cut it.
    pub(super) fn push(&self, chain: &[squeue::Entry]) {
        let mut io = self.io.borrow_mut();
        loop {
            let room = {
                let queue = io.submission();
                queue.capacity() - queue.len()
            };
            if room >= chain.len() {
                break;
            }
            // With a full completion queue the kernel may decline: take what is there first.
            enter(&mut io).expect("io_uring_enter: submission");
            self.backlog.borrow_mut().extend(io.completion());
        }
        // SAFETY: entries point into slots and buffers, which outlive every operation (see `Drop`).
        unsafe { io.submission().push_multiple(chain).expect("room was made") };
        drop(io);
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
    fn watch_soon(&self, i: u32) {
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
        if !self.ticking.replace(true) {
            self.push_tick();
        }
    }

    fn push_tick(&self) {
        let tag = Tag {
            slot: 0,
            turn: 0,
            step: Step::Tick,
        };
        self.push(&[opcode::Timeout::new(&raw const *self.tick)
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

    fn settle(&self, completion: &cqueue::Entry) {
        let tag = Tag::unpack(completion.user_data());
        match tag.step {
            Step::Close => {}
            Step::Cancel => self.cancel_missed(tag),
            Step::Tick => {
                let on = !self.wheel.borrow().is_empty();
                self.ticking.set(on);
                if on {
                    self.push_tick();
                }
            }
            Step::Socket | Step::Connect | Step::Send | Step::Recv | Step::Abort => {
                self.finish(tag, completion)
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

    /// An operation ended.
    fn finish(&self, tag: Tag, completion: &cqueue::Entry) {
        let mut slot = self.slot(tag.slot);
        assert!(
            slot.turn == tag.turn && slot.in_kernel(),
            "one completion per operation"
        );
        let wanted = slot.state == State::Busy && slot.given.is_none();
        if completion.result() == -libc::ENOBUFS && tag.step == Step::Recv && wanted {
            // No buffer was free. They come back as soon as the tasks woken so far have run.
            self.dry.set(self.dry.get() + 1);
            drop(slot);
            return self.push(&[Self::recv_entry(tag.slot, tag.turn)]);
        }
        self.in_kernel.set(self.in_kernel.get() - 1);
        self.completions.set(self.completions.get() + 1);
        slot.out = None;
        (slot.result, slot.flags, slot.step) = (completion.result(), completion.flags(), tag.step);
        if slot.state == State::Orphan {
            slot.state = State::Idle;
            if let Some(id) = cqueue::buffer_select(completion.flags()) {
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
    fn round(&self, batch: &mut Vec<cqueue::Entry>, last_look: bool) -> bool {
        batch.clear();
        batch.append(&mut self.backlog.borrow_mut());
        {
            let mut io = self.io.borrow_mut();
            if last_look {
                drain(&mut io).expect("io_uring_enter: last look");
                batch.extend(io.completion());
            } else {
                loop {
                    let had = batch.len();
                    enter(&mut io).expect("io_uring_enter: round");
                    batch.extend(io.completion());
                    if batch.len() == had || batch.len() >= ROUND {
                        break;
                    }
                }
            }
        }
        if batch.is_empty() {
            return false;
        }
        self.now.set(Instant::now());
        batch.iter().for_each(|completion| self.settle(completion));
        true
    }

    /// Gives up what is past its deadline.
    fn expire(&self, due: &mut Vec<Due>) {
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
    }

    /// Ends the driver and the bell's task.
    fn silence(&self) {
        self.bell.nudge();
        self.bell.silence(&self.rope);
    }

    fn eventfd(&self, on: bool) {
        let mut io = self.io.borrow_mut();
        let queue = io.completion();
        if on {
            queue.enable_eventfd()
        } else {
            queue.disable_eventfd()
        }
    }
}

/// Runs as long as the ring does. While there is work it goes to the back of the run queue, behind
/// every task it has just woken, so that what they queue is submitted in one go.
async fn drive(ring: Weak<Ring>) {
    let (mut batch, mut due) = (Vec::new(), Vec::new());
    while let Some(ring) = ring.upgrade() {
        if ring.round(&mut batch, false) {
            ring.expire(&mut due);
            ring.eventfd(false);
            yield_now().await;
            if batch.len() < FEW && ring.in_kernel.get() >= CROWD {
                let _ = ring.io.borrow_mut().submit();
                glommio::timer::Timer::new(NAP).await;
            }
            continue;
        }
        // Off while busy, the bell goes on for the last look: what came before it is found by that
        // look, what comes after rings.
        ring.eventfd(true);
        if !ring.round(&mut batch, true) {
            let bell = ring.bell.clone();
            drop(ring);
            bell.sleep().await;
        } else {
            ring.expire(&mut due);
        }
    }
}

/// Submits what is queued and lets the kernel post what is due. Never blocks. GETEVENTS is needed
/// even with nothing to wait for: deferred work runs only under it.
fn enter(ring: &mut IoUring) -> io::Result<()> {
    const GETEVENTS: u32 = 1;
    let queued = ring.submission().len() as u32;
    // SAFETY: no argument is passed.
    ignore_busy(unsafe {
        ring.submitter()
            .enter::<libc::sigset_t>(queued, 0, GETEVENTS, None)
    })
}

/// The same, but leaves nothing behind. Since Linux 6.13 an enter stops after 20 pieces of deferred
/// work, and while any are left over the eventfd is not signalled for new ones; asking for more
/// than can come lifts the limit, and the timeout of zero keeps it from waiting.
fn drain(ring: &mut IoUring) -> io::Result<()> {
    let zero = types::Timespec::new();
    let args = types::SubmitArgs::new().timespec(&zero);
    ignore_busy(ring.submitter().submit_with_args(1 << 16, &args))
}

fn ignore_busy(entered: io::Result<usize>) -> io::Result<()> {
    const PASSING: [i32; 5] = [
        libc::ETIME,
        libc::EINTR,
        libc::EBUSY,
        libc::EAGAIN,
        libc::ENOMEM,
    ];
    match entered {
        Err(e)
            if !e
                .raw_os_error()
                .is_some_and(|errno| PASSING.contains(&errno)) =>
        {
            Err(e)
        }
        _ => Ok(()),
    }
}

impl Drop for Ring {
    /// The kernel may hold pointers until the last completion, so wait for it. Sockets are gone by
    /// now (each holds the ring), only orphans are left, and each was asked to give up.
    fn drop(&mut self) {
        self.silence();
        let mut batch = Vec::new();
        let patience = Instant::now() + Duration::from_secs(2);
        while self.in_kernel.get() > 0 && Instant::now() < patience && !std::thread::panicking() {
            if !self.round(&mut batch, true) {
                std::thread::sleep(Duration::from_millis(1));
            }
            self.busy().into_iter().for_each(|i| self.cancel(i));
        }
        if self.in_kernel.get() == 0 {
            // SAFETY: dropped once, here, and the kernel refers to none of it any more. The ring's
            // descriptor goes first.
            unsafe {
                ManuallyDrop::drop(&mut self.io);
                ManuallyDrop::drop(&mut self.slots);
                ManuallyDrop::drop(&mut self.buffers);
            }
        } else {
            // After a panic, or with a kernel that does not answer: memory is leaked rather than
            // given to the allocator while the kernel may still write to it.
            // SAFETY: dropped once, here; closing the descriptor makes the kernel give up the rest.
            unsafe { ManuallyDrop::drop(&mut self.io) };
        }
    }
}
