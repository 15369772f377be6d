//! Bytes to and from the kernel, which takes and gives what it can.

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags};
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Words {
    Fixed(&'static [u8]),
    Shared(Arc<[u8]>),
}

impl From<&'static [u8]> for Words {
    fn from(bytes: &'static [u8]) -> Words {
        Words::Fixed(bytes)
    }
}

impl Words {
    /// What is left after `sent` bytes.
    pub(super) fn after(&self, sent: usize) -> &[u8] {
        match self {
            Words::Fixed(bytes) => &bytes[sent..],
            Words::Shared(bytes) => &bytes[sent..],
        }
    }
}

/// What the loop is to do about a connection after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Give it a turn when one of these is so.
    Watch(EventFlags),
    /// Close it.
    Close,
}

/// Reads at least one byte; otherwise the wish to be woken for more, or to close.
pub(super) fn read(socket: &OwnedFd, buffer: &mut [u8]) -> ControlFlow<Wish, usize> {
    match net::recv(socket, buffer, RecvFlags::empty()) {
        Ok((0, _)) => Break(Wish::Close),
        Ok((count, _)) => Continue(count),
        Err(Errno::AGAIN) => Break(Wish::Watch(EventFlags::IN)),
        Err(_) => Break(Wish::Close),
    }
}

/// Sends what the kernel takes, maybe 0 bytes.
pub(super) fn send(socket: &OwnedFd, bytes: &[u8]) -> ControlFlow<Wish, usize> {
    match net::send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(count) => Continue(count),
        Err(Errno::AGAIN) => Continue(0),
        Err(_) => Break(Wish::Close),
    }
}
