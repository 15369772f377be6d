//! One accepted connection: carries out what `play` decides, and says what to wait for.

mod hearing;
mod speech;

use super::answers;
use super::behaviour::Behaviour;
use super::counters::Counters;
use super::lists::Lists;
use super::play::{self, Act, Next, Reach, Role};
use super::stream::Stream;
use super::table::Entry;
use super::timers::{Alarm, Seat, Timers};
use super::tls::Identities;
use super::wire::{Wish, Words};
use rustix::event::epoll::EventFlags;
use std::net::IpAddr;
use std::ops::ControlFlow::{self, Break, Continue};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

/// Bytes that one turn may put into a flood, so that a fast reader leaves time for the others.
const FLOOD_BYTES_PER_TURN: usize = 64 * 1024;

/// The kernel's send buffer of a flood: what is in it when the peer goes was written for nothing.
const FLOOD_SEND_BUFFER: usize = 16 * 1024;

/// What a connection is about.
#[derive(Debug)]
enum Phase {
    /// Reads, and acts in this role.
    Plays(Role),
    /// The part of an answer, after `sent` bytes, that did not fit into the kernel's buffer.
    Writes {
        words: Words,
        sent: usize,
        next: Next,
    },
    /// The answer waits for [`Alarm::Late`].
    Thinks { words: Words, next: Next },
    /// One byte at each [`Alarm::Drip`]: of `first`, and then the same for ever.
    Drips { first: &'static [u8] },
    /// `now`, and then `again` and again.
    Floods {
        now: &'static [u8],
        again: &'static [u8],
    },
    /// Neither reads nor writes.
    Deaf,
    /// Has sent FIN; reads until the peer does.
    Drains,
}

/// What a turn needs from outside.
pub(super) struct Surroundings<'a> {
    /// Where bytes are read to.
    pub(super) scratch: &'a mut [u8],
    pub(super) lists: &'a Lists,
    pub(super) counters: &'a Counters,
    pub(super) identities: &'a Identities,
    pub(super) target: Reach,
    pub(super) timers: &'a mut Timers,
}

impl Surroundings<'_> {
    /// Counted from this very moment, not from the begin of the batch: a batch can take long, and
    /// who thinks must not answer sooner than he says.
    pub(super) fn set_alarm(&mut self, seat: Seat, alarm: Alarm) {
        self.timers.set(Instant::now(), seat, alarm);
    }
}

/// One accepted connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    /// Which listener it came from.
    pub(super) listener: usize,
    pub(super) serial: u64,
    /// What the poll watches it for at present, if it does.
    pub(super) watched: Option<EventFlags>,
    resident: Option<Behaviour>,
    /// The addresses of this end and of the other.
    local: IpAddr,
    peer: IpAddr,
    phase: Phase,
    /// The beginning of a request that is not whole yet; it takes memory only then.
    held: Vec<u8>,
}

/// Whom a connection leads to, and by which listener it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) resident: Option<Behaviour>,
    pub(super) local: IpAddr,
    pub(super) peer: IpAddr,
    pub(super) listener: usize,
    pub(super) serial: u64,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, arrival: Arrival) -> Connection {
        let Arrival {
            resident,
            local,
            peer,
            listener,
            serial,
        } = arrival;
        let entry = resident.map(|behaviour| behaviour.row().entry);
        let phase = match entry {
            Some(Entry::Silent | Entry::Refuses | Entry::BlackHole) => Phase::Deaf,
            _ => Phase::Plays(play::role_of(resident)),
        };
        Connection {
            stream: Stream::new(socket),
            listener,
            serial,
            watched: None,
            resident,
            local,
            peer,
            phase,
            held: Vec::new(),
        }
    }

    /// The first turn, right after the accept: the request is often there already.
    pub(super) fn begin(&mut self, around: &mut Surroundings<'_>) -> Wish {
        let entry = self.resident.map(|behaviour| behaviour.row().entry);
        if entry == Some(Entry::ClosesAtOnce) {
            around.counters.served(self.resident);
            self.drain(around);
        }
        self.turn(around)
    }

    /// Something that was watched for is so.
    pub(super) fn ready(&mut self, around: &mut Surroundings<'_>) -> Wish {
        match self.phase {
            // With nothing left to send these are watched for nothing but the end of the peer.
            Phase::Deaf | Phase::Thinks { .. } | Phase::Drips { .. }
                if self.stream.is_flushed() =>
            {
                Wish::Close
            }
            _ => self.turn(around),
        }
    }

    /// An alarm that this connection set is due.
    pub(super) fn rung(&mut self, alarm: Alarm, around: &mut Surroundings<'_>) -> Wish {
        let step = match (alarm, &mut self.phase) {
            (Alarm::Late, Phase::Thinks { words, next }) => {
                let (words, next) = (words.clone(), *next);
                match self.say(words, next, around) {
                    Continue(()) => self.catch_up(around),
                    gone => gone,
                }
            }
            (Alarm::Drip, Phase::Drips { first }) => {
                let (byte, rest) = first.split_at(first.len().min(1));
                *first = rest;
                let byte = if byte.is_empty() { answers::DRIP } else { byte };
                self.drip(byte, around)
            }
            (Alarm::Linger, Phase::Drains) => Break(Wish::Close),
            _ => Continue(()),
        };
        match step {
            Break(wish) => wish,
            Continue(()) => self.turn(around),
        }
    }

    /// Goes on as far as the socket allows.
    fn turn(&mut self, around: &mut Surroundings<'_>) -> Wish {
        loop {
            match self.step(around) {
                Continue(()) => {}
                Break(Wish::Watch(flags)) => return self.stream.watch(flags),
                Break(Wish::Close) => return Wish::Close,
            }
        }
    }

    fn step(&mut self, around: &mut Surroundings<'_>) -> ControlFlow<Wish> {
        self.stream.flush()?;
        if !self.stream.is_flushed() {
            return Break(Wish::Watch(EventFlags::OUT));
        }
        match self.phase {
            Phase::Plays(role) => self.listen(role, around),
            Phase::Writes { .. } => self.write(around),
            Phase::Floods { .. } => self.flood(),
            Phase::Drains => self.read_to_end(around),
            Phase::Deaf | Phase::Thinks { .. } | Phase::Drips { .. } => {
                Break(Wish::Watch(EventFlags::RDHUP))
            }
        }
    }

    pub(super) fn seat(&self) -> Seat {
        Seat {
            place: self.stream.socket.as_raw_fd() as usize,
            serial: self.serial,
        }
    }
}
