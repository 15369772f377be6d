//! A socket of the ring and what can be asked of it: connect, knock, ask, recv, close.

use super::failure::Failure;
use super::ring::{LINK, Ring, SKIP};
use super::slot::{Given, RawAddress, Slot, State, Step, Tag};
use io_uring::{cqueue, opcode, squeue, types};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

/// Received bytes, in a buffer that goes back to the kernel when this is dropped. Empty at the end
/// of the stream. Not to be held over an await: buffers are few.
pub(crate) struct Chunk<'a> {
    ring: &'a Ring,
    id: Option<u16>,
    len: usize,
}

impl Deref for Chunk<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.id
            .map_or(&[], |id| self.ring.buffers.bytes(id, self.len))
    }
}

impl Drop for Chunk<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.ring.buffers.give(id);
        }
    }
}

/// One slot of the ring, for one connection after another: opening the next closes the last.
pub(crate) struct Socket {
    ring: Rc<Ring>,
    slot: u32,
}

impl Socket {
    /// `None` if every slot is taken.
    pub(crate) fn new(ring: &Rc<Ring>) -> Option<Socket> {
        Some(Socket {
            slot: ring.take()?,
            ring: ring.clone(),
        })
    }

    /// Connects: socket and connect in one chain. What the last connection left in flight is waited
    /// for.
    pub(crate) async fn connect(
        &mut self,
        at: SocketAddr,
        deadline: Instant,
    ) -> Result<(), Failure> {
        let turn = self.open(deadline).await;
        let flight = self.launch(
            [Step::Connect; 2],
            &[self.socket_entry(turn, at), self.connect_entry(turn, at)],
        )?;
        let connected = flight.landed().await;
        connected.map(drop).map_err(|failure| failure.towards(at))
    }

    /// Connects and hangs up at once, with RST so as to leave no TIME_WAIT behind: one chain.
    pub(crate) async fn knock(&mut self, at: SocketAddr, deadline: Instant) -> Result<(), Failure> {
        let turn = self.open(deadline).await;
        let flight = self.launch(
            [Step::Connect; 2],
            &[
                self.socket_entry(turn, at),
                self.connect_entry(turn, at).flags(LINK | SKIP),
                self.abort_entry(turn),
            ],
        )?;
        let connected = flight.landed().await;
        connected.map(drop).map_err(|failure| failure.towards(at))
    }

    /// Moves the deadline of the operations to come on this connection.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        let mut slot = self.ring.slot(self.slot);
        (slot.deadline, slot.given) = (deadline, None);
    }

    /// Sends and waits for an answer: one chain, one wake-up.
    pub(crate) async fn ask(&mut self, out: Rc<[u8]>) -> Result<Chunk<'_>, Failure> {
        let turn = self.begin();
        let flight = self.launch(
            [Step::Recv, Step::Send],
            &[
                self.send_entry(turn, out).flags(LINK | SKIP),
                Ring::recv_entry(self.slot, turn),
            ],
        )?;
        let received = flight.landed().await?;
        Ok(self.chunk(received))
    }

    /// Waits for more.
    pub(crate) async fn recv(&mut self) -> Result<Chunk<'_>, Failure> {
        let turn = self.begin();
        let flight = self.launch([Step::Recv; 2], &[Ring::recv_entry(self.slot, turn)])?;
        let received = flight.landed().await?;
        Ok(self.chunk(received))
    }

    /// Closes the connection now instead of when the next one opens.
    pub(crate) fn close(&mut self) {
        self.ring.close(self.slot);
    }

    fn tag(&self, turn: u32, step: Step) -> u64 {
        Tag {
            slot: self.slot,
            turn,
            step,
        }
        .pack()
    }

    fn socket_entry(&self, turn: u32, at: SocketAddr) -> squeue::Entry {
        let family = if at.is_ipv4() {
            libc::AF_INET
        } else {
            libc::AF_INET6
        };
        let to = types::DestinationSlot::try_from_slot_target(self.slot).expect("a slot index");
        opcode::Socket::new(family, libc::SOCK_STREAM, 0)
            .file_index(Some(to))
            .build()
            .user_data(self.tag(turn, Step::Socket))
            .flags(LINK | SKIP)
    }

    fn connect_entry(&self, turn: u32, at: SocketAddr) -> squeue::Entry {
        let mut slot = self.ring.slot(self.slot);
        let (address, len) = RawAddress::new(at);
        slot.address = address;
        opcode::Connect::new(
            types::Fixed(self.slot),
            (&raw const slot.address).cast(),
            len,
        )
        .build()
        .user_data(self.tag(turn, Step::Connect))
    }

    /// Undoes the connection.
    fn abort_entry(&self, turn: u32) -> squeue::Entry {
        opcode::Connect::new(
            types::Fixed(self.slot),
            nowhere(),
            size_of::<libc::sockaddr>() as _,
        )
        .build()
        .user_data(self.tag(turn, Step::Abort))
    }

    fn send_entry(&self, turn: u32, out: Rc<[u8]>) -> squeue::Entry {
        let entry = opcode::Send::new(types::Fixed(self.slot), out.as_ptr(), out.len() as u32)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL)
            .build()
            .user_data(self.tag(turn, Step::Send));
        self.ring.slot(self.slot).out = Some(out);
        entry
    }

    /// A new connection in this slot, once the last one's orphan is back.
    async fn open(&mut self, deadline: Instant) -> u32 {
        poll_fn(|cx| {
            let mut slot = self.ring.slot(self.slot);
            if slot.state != State::Orphan {
                return Poll::Ready(());
            }
            slot.waker = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        {
            let mut slot = self.ring.slot(self.slot);
            (slot.deadline, slot.given) = (deadline, None);
        }
        self.begin()
    }

    /// A new operation on the same connection.
    fn begin(&self) -> u32 {
        let mut slot = self.ring.slot(self.slot);
        slot.turn = slot.turn.wrapping_add(1);
        slot.turn
    }

    /// Submits a chain. Not a part of the future that waits for it, which would keep its entries for
    /// as long as a peer is silent: there is one in each lane.
    fn launch(&self, aim: [Step; 2], chain: &[squeue::Entry]) -> Result<Flight<'_>, Failure> {
        {
            let mut slot = self.ring.slot(self.slot);
            assert_eq!(slot.state, State::Idle, "one operation at a time");
            let given = if self.ring.is_cancelled() {
                Some(Given::Cancelled)
            } else {
                slot.given
            };
            if let Some(given) = given {
                slot.out = None;
                return Err(given.into());
            }
            (slot.state, slot.aim) = (State::Busy, aim);
        }
        self.ring.watch(self.slot);
        self.ring.push(chain);
        self.ring.began();
        Ok(Flight {
            ring: &self.ring,
            slot: self.slot,
        })
    }

    fn chunk(&self, (received, flags): (i32, u32)) -> Chunk<'_> {
        Chunk {
            ring: &self.ring,
            id: cqueue::buffer_select(flags),
            len: received as usize,
        }
    }
}

/// How the completed operation of `slot` ended. A success counts even if it was given up meanwhile.
/// No chain ends with its send: the completion of one counts the bytes that went out before it was
/// given up or the connection was lost.
fn outcome(slot: &Slot) -> Result<(i32, u32), Failure> {
    match (slot.result, slot.given, slot.step) {
        (0.., None, Step::Send) => Err(Failure::Os(libc::ECONNRESET)),
        (0.., _, step) if step != Step::Send => Ok((slot.result, slot.flags)),
        // To the end there was no buffer of ours for what the peer may have said.
        (errno, Some(Given::Expired), Step::Recv) if errno == -libc::ENOBUFS => {
            Err(Failure::Os(libc::ENOBUFS))
        }
        (_, Some(given), _) => Err(given.into()),
        (errno, None, Step::Socket) => Err(Failure::NoSocket(-errno)),
        (errno, None, _) => Err(Failure::Os(-errno)),
    }
}

/// The address that undoes a connection, for the whole life of the process.
fn nowhere() -> *const libc::sockaddr {
    struct Nowhere(RawAddress);
    // SAFETY: plain bytes that are only read.
    unsafe impl Sync for Nowhere {}
    // SAFETY: as above.
    unsafe impl Send for Nowhere {}
    static NOWHERE: std::sync::OnceLock<Nowhere> = std::sync::OnceLock::new();
    (&raw const NOWHERE.get_or_init(|| Nowhere(RawAddress::unspecified())).0).cast()
}

impl Drop for Socket {
    fn drop(&mut self) {
        // An orphan keeps its memory in the slot, and its completion comes before the next
        // operation on that slot; the close only frees the descriptor.
        self.ring.release(self.slot);
    }
}

/// An operation in flight. Dropped before its end, it leaves an orphan behind: the kernel is asked
/// to give up, and the slot keeps all the kernel may touch until it answers.
struct Flight<'a> {
    ring: &'a Rc<Ring>,
    slot: u32,
}

impl Flight<'_> {
    /// Waits for its completion.
    async fn landed(self) -> Result<(i32, u32), Failure> {
        poll_fn(|cx| {
            let mut slot = self.ring.slot(self.slot);
            if slot.state == State::Done {
                slot.state = State::Idle;
                return Poll::Ready(outcome(&slot));
            }
            if !slot
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                slot.waker = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut slot = self.ring.slot(self.slot);
        match slot.state {
            State::Busy => {
                (slot.state, slot.waker) = (State::Orphan, None);
                drop(slot);
                self.ring.cancel(self.slot);
            }
            State::Done => {
                slot.state = State::Idle;
                let id = cqueue::buffer_select(slot.flags);
                drop(slot);
                if let Some(id) = id {
                    self.ring.buffers.give(id);
                }
            }
            State::Idle | State::Orphan => {}
        }
    }
}
