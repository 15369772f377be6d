//! The ring itself, and all `unsafe` of the references. What the kernel may touch – addresses,
//! requests, buffers – is leaked on purpose: the process checks one list and ends, and so nothing
//! of it can be freed too early.
#![allow(unsafe_code)] // what is pushed to a ring points to memory

use super::super::deadlines::Due;
use super::super::work::{Peer, Work};
use io_uring::types::{BufRingEntry, DestinationSlot, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};
use std::io;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

const ENTRIES: u32 = 4096;
/// Entries of the completion queue, at most: more is over what 8 MiB of locked memory allow.
const COMPLETIONS_MAX: u32 = 16_384;
const BUFFERS: u16 = 1024;
const BUFFER_BYTES: usize = 2048;
const GROUP: u16 = 0;

/// From so many probes on, so many completions are let gather, for at most so long.
const CROWD: usize = 256;
const FEW: usize = 16;
const NAP: Duration = Duration::from_micros(200);

const LINK: squeue::Flags = squeue::Flags::IO_LINK;
const SKIP: squeue::Flags = squeue::Flags::SKIP_SUCCESS;

/// What a completion ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// socket → connect.
    Connect,
    /// send → receive, or a further receive.
    Receive,
    /// A cancel; it is only told when it missed.
    Cancel,
    /// A close; it is only told when it failed.
    Close,
}

const STEPS: [Step; 4] = [Step::Connect, Step::Receive, Step::Cancel, Step::Close];

/// A completion.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) due: Due,
    pub(super) step: Step,
    pub(super) result: i32,
    pub(super) buffer: Option<u16>,
}

/// The kernel wants it at the start of a page.
#[repr(align(4096))]
struct Table([BufRingEntry; BUFFERS as usize]);

pub(super) struct Ring {
    io: IoUring,
    /// Each lane's own.
    addresses: &'static mut [libc::sockaddr_in],
    requests: Vec<&'static [u8]>,
    table: *mut BufRingEntry,
    memory: *mut [u8; BUFFER_BYTES],
    tail: u16,
}

/// Marks the first entry of a chain, so that a cancel finds only the last.
const FIRST: u64 = 4;
const LANES_MAX: u32 = (1 << 29) - 1;

fn tag((lane, turn): Due, step: Step) -> u64 {
    u64::from(turn) << 32 | u64::from(lane) << 3 | step as u64
}

impl Ring {
    /// A ring with a direct descriptor for each lane.
    pub(super) fn new(lanes: u32, work: &Work) -> io::Result<Ring> {
        let completions = (lanes * 2).next_power_of_two();
        let io = IoUring::builder()
            .setup_cqsize(completions.clamp(ENTRIES, COMPLETIONS_MAX))
            .setup_single_issuer()
            .setup_coop_taskrun()
            .setup_defer_taskrun()
            .build(ENTRIES)?;
        io.submitter().register_files_sparse(lanes)?;
        // SAFETY: both are plain numbers, for which zero is a value.
        let (address, table) =
            unsafe { (std::mem::zeroed(), Box::<Table>::new_zeroed().assume_init()) };
        let addresses = vec![address; lanes as usize].leak();
        let memory = vec![[0; BUFFER_BYTES]; usize::from(BUFFERS)].leak();
        let table = Box::leak(table).0.as_mut_ptr();
        // SAFETY: the table is leaked, page-aligned, and has room for so many entries.
        unsafe {
            let submitter = io.submitter();
            submitter.register_buf_ring_with_flags(table as u64, BUFFERS, GROUP, 0)?;
        }
        let leaked = |request: &[u8]| -> &'static [u8] { Box::leak(request.into()) };
        let mut ring = Ring {
            io,
            addresses,
            requests: work.requests().map(leaked).collect(),
            table,
            memory: memory.as_mut_ptr(),
            tail: 0,
        };
        (0..BUFFERS).for_each(|buffer| ring.give(buffer));
        Ok(ring)
    }

    /// Opens a socket in the lane's slot, which closes what was there, and connects it.
    pub(super) fn connect(&mut self, due: Due, at: SocketAddrV4) -> io::Result<()> {
        let slot = slot(due.0)?;
        let address = &mut self.addresses[due.0 as usize];
        *address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: at.port().to_be(),
            sin_addr: libc::in_addr {
                s_addr: u32::from(*at.ip()).to_be(),
            },
            sin_zero: [0; 8],
        };
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        let connect = opcode::Connect::new(Fixed(due.0), (&raw const *address).cast(), length);
        let socket = opcode::Socket::new(libc::AF_INET, libc::SOCK_STREAM, 0);
        self.push(&[
            (socket.file_index(Some(slot)).build())
                .flags(LINK | SKIP)
                .user_data(tag(due, Step::Connect) | FIRST),
            connect.build().user_data(tag(due, Step::Connect)),
        ])
    }

    /// Sends the peer's request and receives.
    pub(super) fn ask(&mut self, due: Due, peer: Peer) -> io::Result<()> {
        let request = self.requests[usize::from(peer.request)];
        let length = request.len() as u32;
        let send = opcode::Send::new(Fixed(due.0), request.as_ptr(), length)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
            .flags(LINK | SKIP)
            .user_data(tag(due, Step::Receive) | FIRST);
        self.push(&[send, receive(due)])
    }

    /// Receives what comes next.
    pub(super) fn receive(&mut self, due: Due) -> io::Result<()> {
        self.push(&[receive(due)])
    }

    /// Has the kernel give up what the lane waits for.
    pub(super) fn cancel(&mut self, due: Due, step: Step) -> io::Result<()> {
        let entry = opcode::AsyncCancel::new(tag(due, step)).build();
        self.push(&[entry.flags(SKIP).user_data(tag(due, Step::Cancel))])
    }

    /// Closes the lane's socket.
    pub(super) fn close(&mut self, lane: u32) -> io::Result<()> {
        let entry = opcode::Close::new(Fixed(lane)).build();
        self.push(&[entry.flags(SKIP).user_data(tag((lane, 0), Step::Close))])
    }

    /// Queues a chain whole: a submission in its middle would cut it.
    fn push(&mut self, chain: &[squeue::Entry]) -> io::Result<()> {
        loop {
            let queue = self.io.submission();
            if queue.capacity() - queue.len() >= chain.len() {
                break;
            }
            drop(queue);
            ignore_passing(self.io.submit())?;
        }
        // SAFETY: what the entries point to is leaked.
        let pushed = unsafe { self.io.submission().push_multiple(chain) };
        pushed.map_err(io::Error::other)
    }

    /// Submits, and waits until something is done, or for so long. With a crowd in the kernel, `open`
    /// of them, a few are let gather first: each wake-up costs as much as some completions.
    pub(super) fn wait(&mut self, patience: Option<Duration>, open: usize) -> io::Result<()> {
        if open >= CROWD {
            self.gather(FEW, NAP)?;
            if !self.io.completion().is_empty() {
                return Ok(());
            }
        }
        match patience {
            None => ignore_passing(self.io.submit_and_wait(1)),
            Some(time) => self.gather(1, time),
        }
    }

    /// Submits, and waits for so many completions, or for so long.
    fn gather(&mut self, wanted: usize, time: Duration) -> io::Result<()> {
        let time = Timespec::from(time);
        let args = SubmitArgs::new().timespec(&time);
        ignore_passing(self.io.submitter().submit_with_args(wanted, &args))
    }

    /// What is done.
    pub(super) fn take(&mut self, batch: &mut Vec<Done>) {
        batch.extend(self.io.completion().map(|entry| {
            let data = entry.user_data();
            Done {
                due: ((data >> 3) as u32 & LANES_MAX, (data >> 32) as u32),
                step: STEPS[(data & 3) as usize],
                result: entry.result(),
                buffer: cqueue::buffer_select(entry.flags()),
            }
        }));
    }

    /// What a receive brought; nothing at the end of the stream.
    pub(super) fn bytes(&self, done: &Done) -> &[u8] {
        let length = usize::try_from(done.result).unwrap_or(0).min(BUFFER_BYTES);
        match done.buffer.filter(|&buffer| buffer < BUFFERS) {
            // SAFETY: in bounds, and the kernel gave it up with the completion that named it.
            Some(buffer) => unsafe {
                let bytes: *const u8 = self.memory.add(usize::from(buffer)).cast();
                std::slice::from_raw_parts(bytes, length)
            },
            None => &[],
        }
    }

    /// Hands a buffer back to the kernel.
    pub(super) fn give(&mut self, buffer: u16) {
        assert!(buffer < BUFFERS, "a buffer of this ring");
        // SAFETY: in bounds, and the kernel reads no entry behind the published tail.
        unsafe {
            let entry = &mut *self.table.add(usize::from(self.tail & (BUFFERS - 1)));
            entry.set_addr(self.memory.add(usize::from(buffer)) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(self.table).cast::<AtomicU16>();
            (*tail).store(self.tail, Ordering::Release);
        }
    }
}

fn slot(lane: u32) -> io::Result<DestinationSlot> {
    DestinationSlot::try_from_slot_target(lane).map_err(|_| io::Error::other("no such slot"))
}

fn receive(due: Due) -> squeue::Entry {
    opcode::Recv::new(Fixed(due.0), std::ptr::null_mut(), 0)
        .buf_group(GROUP)
        .build()
        .flags(squeue::Flags::BUFFER_SELECT)
        .user_data(tag(due, Step::Receive))
}

/// What passes with the next turn: the time was over, a signal, or completions to be taken first.
fn ignore_passing(entered: io::Result<usize>) -> io::Result<()> {
    const PASSING: [i32; 4] = [libc::ETIME, libc::EINTR, libc::EBUSY, libc::EAGAIN];
    match entered {
        Err(error)
            if !error
                .raw_os_error()
                .is_some_and(|errno| PASSING.contains(&errno)) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}
