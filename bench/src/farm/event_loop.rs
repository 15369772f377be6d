//! The one thread of a farm: waits, accepts, gives turns, until it is told to stop.

use super::Shared;
use super::address;
use super::connection::{Arrival, Connection, Surroundings};
use super::doors::Listener;
use super::timers::{Seat, Timers};
use super::wire::Wish;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, SocketFlags, sockopt as option};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// Events taken from the kernel at a time.
const EVENTS_MAX: usize = 512;
/// Connections taken from one listener at a time, so that those who are here get their turn.
const ACCEPTS_PER_TURN: usize = 64;
/// How long a listener that could not accept waits before it is tried again.
const PAUSE: Duration = Duration::from_millis(20);
const SCRATCH_BYTES: usize = 64 * 1024;

/// Keys of the poll: a connection's place, a listener's index above this bit, or the stop.
const LISTENER: u64 = 1 << 32;
const STOP: u64 = u64::MAX;

/// Everything that the thread owns.
pub(super) struct EventLoop {
    poll: OwnedFd,
    listeners: Vec<Listener>,
    /// By file descriptor.
    connections: Vec<Option<Connection>>,
    timers: Timers,
    shared: Arc<Shared>,
    serial: u64,
    scratch: Box<[u8]>,
}

impl EventLoop {
    /// `stop` becomes readable when the loop must end.
    pub(super) fn new(
        listeners: Vec<Listener>,
        stop: BorrowedFd<'_>,
        shared: Arc<Shared>,
    ) -> io::Result<EventLoop> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&poll, stop, EventData::new_u64(STOP), EventFlags::IN)?;
        let mut this = EventLoop {
            poll,
            listeners,
            connections: Vec::new(),
            timers: Timers::default(),
            shared,
            serial: 0,
            scratch: vec![0; SCRATCH_BYTES].into(),
        };
        for index in 0..this.listeners.len() {
            this.resume(index)?;
        }
        Ok(this)
    }

    /// Serves until the stop; errors are those of the poll itself.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            self.wait(&mut events)?;
            let now = Instant::now();
            // A place is freed only by its own event, and alarms come after all events: no event
            // in this batch can meet another connection than its own.
            for event in events.drain(..) {
                match event.data.u64() {
                    STOP => return Ok(()),
                    key if key >= LISTENER => self.accept((key - LISTENER) as usize)?,
                    place => self.give_turn(place as usize, Connection::ready),
                }
            }
            while let Some((seat, alarm)) = self.timers.pop(now) {
                if self.is_taken_by(seat) {
                    self.give_turn(seat.place, |connection, around| {
                        connection.rung(alarm, around)
                    });
                }
            }
            for index in 0..self.listeners.len() {
                self.resume(index)?;
            }
        }
    }

    fn wait(&self, events: &mut Vec<Event>) -> io::Result<()> {
        let mut idle = self.timers.idle(Instant::now());
        if self.listeners.iter().any(|l| l.paused) {
            idle = Some(idle.unwrap_or(PAUSE).min(PAUSE));
        }
        let timeout = idle.map(|idle| Timespec {
            tv_sec: idle.as_secs() as _,
            tv_nsec: idle.subsec_nanos() as _,
        });
        let room = rustix::buffer::spare_capacity(events);
        match epoll::wait(&self.poll, room, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn is_taken_by(&self, seat: Seat) -> bool {
        let connection = self.connections.get(seat.place).and_then(Option::as_ref);
        connection.is_some_and(|c| c.serial == seat.serial)
    }

    /// Watches a listener again that has room.
    fn resume(&mut self, index: usize) -> io::Result<()> {
        let listener = &mut self.listeners[index];
        if listener.paused && listener.open < listener.open_max {
            let key = EventData::new_u64(LISTENER + index as u64);
            epoll::add(&self.poll, &listener.socket, key, EventFlags::IN)?;
            listener.paused = false;
        }
        Ok(())
    }

    fn accept(&mut self, index: usize) -> io::Result<()> {
        for _ in 0..ACCEPTS_PER_TURN {
            let listener = &mut self.listeners[index];
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let accepted = match listener.open < listener.open_max {
                true => net::acceptfrom_with(&listener.socket, flags),
                false => Err(Errno::MFILE),
            };
            match accepted {
                Ok((socket, peer)) => {
                    if let Some(peer) = peer.and_then(|peer| SocketAddr::try_from(peer).ok()) {
                        self.welcome(socket, peer.ip(), index);
                    }
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                // No room, no descriptor, no memory: those who wait are served when there is.
                Err(_) => {
                    epoll::delete(&self.poll, &listener.socket)?;
                    listener.paused = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn welcome(&mut self, socket: OwnedFd, peer: IpAddr, index: usize) {
        let local = net::getsockname(&socket).map(SocketAddr::try_from);
        let Ok(Ok(local)) = local else {
            return; // gone before it was here
        };
        let resident = address::resident(local.ip());
        if resident.is_some() && !self.shared.living.has(local.ip()) {
            // The close that follows is a reset; if that cannot be had, it is an ordinary one.
            option::set_socket_linger(&socket, Some(Duration::ZERO)).ok();
            return;
        }
        self.shared.counters.accepted(resident);
        self.shared.counters.open.fetch_add(1, Relaxed);
        self.listeners[index].open += 1;
        self.serial += 1;
        let place = socket.as_raw_fd() as usize;
        if place >= self.connections.len() {
            self.connections.resize_with(place + 1, || None);
        }
        let arrival = Arrival {
            resident,
            local: local.ip(),
            peer,
            listener: index,
            serial: self.serial,
        };
        self.connections[place] = Some(Connection::new(socket, arrival));
        self.give_turn(place, Connection::begin);
    }

    fn give_turn(
        &mut self,
        place: usize,
        turn: impl FnOnce(&mut Connection, &mut Surroundings<'_>) -> Wish,
    ) {
        let Some(connection) = self.connections.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let mut around = Surroundings {
            scratch: &mut self.scratch,
            lists: &self.shared.lists,
            counters: &self.shared.counters,
            identities: &self.shared.identities,
            target: self.shared.target(),
            timers: &mut self.timers,
        };
        let stays = match turn(connection, &mut around) {
            Wish::Close => false,
            Wish::Watch(flags) => {
                connection.watched == Some(flags) || {
                    let key = EventData::new_u64(place as u64);
                    let watched = match connection.watched.replace(flags) {
                        None => epoll::add(&self.poll, &connection.stream.socket, key, flags),
                        Some(_) => epoll::modify(&self.poll, &connection.stream.socket, key, flags),
                    };
                    watched.is_ok()
                }
            }
        };
        if !stays {
            self.listeners[connection.listener].open -= 1;
            self.shared.counters.open.fetch_sub(1, Relaxed);
            self.connections[place] = None;
        }
    }
}
