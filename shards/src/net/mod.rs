//! The probe ring: the only code that opens probe sockets, and the only code with `unsafe`.
//!
//! A shard's executor hosts one [`Ring`]. Sockets are direct descriptors of that ring, so they are
//! not in the process's descriptor table. What the kernel reads or writes never belongs to a
//! future: addresses and outgoing bytes live in the slot, incoming bytes in provided buffers.
#![allow(unsafe_code)]

mod around;
mod bell;
mod buffers;
mod driver;
mod enter;
mod failure;
mod prefetch;
mod ring;
mod settle;
mod slot;
mod socket;
mod wheel;

pub(crate) use bell::{Bell, Rope};
pub(crate) use driver::start;
pub(crate) use failure::Failure;
pub use failure::socket_verdict;
pub(crate) use ring::{Ring, RingOptions};
pub(crate) use socket::Socket;

#[cfg(test)]
mod forbid;
#[cfg(test)]
pub(crate) use forbid::without_syscall;
#[cfg(test)]
mod tests;
