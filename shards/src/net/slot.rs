//! A slot: one direct descriptor with at most one operation in flight, and all that the kernel may
//! read while it runs.

use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Instant;

/// Steps of a chain, the low bits of an entry's user data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Step {
    /// Make the socket.
    Socket = 0,
    /// Connect it.
    Connect = 1,
    /// Send the outgoing bytes.
    Send = 2,
    /// Receive into a provided buffer.
    Recv = 3,
    /// Drop the connection with RST.
    Abort = 4,
    /// Ask the kernel to give up a step.
    Cancel = 5,
    /// Close the descriptor; nobody waits for it.
    Close = 6,
    /// The ring's own tick.
    Tick = 7,
}

/// User data of an entry: which step of which operation on which slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) slot: u32,
    pub(super) turn: u32,
    pub(super) step: Step,
}

impl Tag {
    pub(super) fn pack(self) -> u64 {
        u64::from(self.turn) << 32 | u64::from(self.slot) << 3 | self.step as u64
    }

    pub(super) fn unpack(data: u64) -> Tag {
        const STEPS: [Step; 8] = [
            Step::Socket,
            Step::Connect,
            Step::Send,
            Step::Recv,
            Step::Abort,
            Step::Cancel,
            Step::Close,
            Step::Tick,
        ];
        Tag {
            slot: (data as u32) >> 3,
            turn: (data >> 32) as u32,
            step: STEPS[(data & 7) as usize],
        }
    }
}

/// Where a slot's operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Idle,
    /// In the kernel, and a future waits for it.
    Busy,
    /// In the kernel, and its future was dropped.
    Orphan,
    /// Back from the kernel, and its future has not seen it yet.
    Done,
}

/// Why an operation was given up before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The deadline passed.
    Expired,
    /// The engine stops.
    Cancelled,
}

/// An address as the kernel wants it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union RawAddress {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddress {
    pub(super) fn new(address: SocketAddr) -> (RawAddress, libc::socklen_t) {
        match address {
            SocketAddr::V4(at) => {
                let v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as _,
                    sin_port: at.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(at.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
                (RawAddress { v4 }, size_of::<libc::sockaddr_in>() as _)
            }
            SocketAddr::V6(at) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as _,
                    sin6_port: at.port().to_be(),
                    sin6_flowinfo: at.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: at.ip().octets(),
                    },
                    sin6_scope_id: at.scope_id(),
                };
                (RawAddress { v6 }, size_of::<libc::sockaddr_in6>() as _)
            }
        }
    }

    /// Connecting to no family undoes a connection, with RST (`connect(2)`).
    pub(super) fn unspecified() -> RawAddress {
        let (mut raw, _) = RawAddress::new(SocketAddr::from(([0, 0, 0, 0], 0)));
        raw.v4.sin_family = libc::AF_UNSPEC as _;
        raw
    }
}

/// What the kernel reads while an operation runs (`address`, `out`) and what comes back. It stays
/// until the completion, whatever becomes of the future.
pub(super) struct Slot {
    pub(super) address: RawAddress,
    pub(super) out: Option<Rc<[u8]>>,
    pub(super) waker: Option<Waker>,
    pub(super) deadline: Instant,
    /// When the wheel looks at this slot next, if it does.
    pub(super) watched: Option<Instant>,
    /// The mark of the wheel's entry that counts; others are stale.
    pub(super) mark: u32,
    /// Counts operations, so that a late completion is not taken for the current one.
    pub(super) turn: u32,
    pub(super) result: i32,
    pub(super) flags: u32,
    /// The step whose completion came.
    pub(super) step: Step,
    /// The step that a cancel aims at, and the other one in which the chain may wait.
    pub(super) aim: [Step; 2],
    pub(super) state: State,
    pub(super) given: Option<Given>,
}

impl Slot {
    pub(super) fn new(now: Instant) -> Slot {
        Slot {
            address: RawAddress::unspecified(),
            out: None,
            waker: None,
            deadline: now,
            watched: None,
            mark: 0,
            turn: 0,
            result: 0,
            flags: 0,
            step: Step::Close,
            aim: [Step::Recv; 2],
            state: State::Idle,
            given: None,
        }
    }

    /// Whether the kernel works for this slot.
    pub(super) fn in_kernel(&self) -> bool {
        matches!(self.state, State::Busy | State::Orphan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_comes_back_from_user_data() {
        for step in [
            Step::Socket,
            Step::Connect,
            Step::Recv,
            Step::Abort,
            Step::Tick,
        ] {
            for (slot, turn) in [(0, 0), (1, u32::MAX), (99_999, 7), ((1 << 29) - 1, 1)] {
                let tag = Tag { slot, turn, step };
                assert_eq!(Tag::unpack(tag.pack()), tag);
            }
        }
    }
}
