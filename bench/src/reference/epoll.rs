//! Edge-triggered epoll over plain non-blocking sockets: six system calls a probe, and one wait for
//! many.

use super::Pace;
use super::answer::{End, Head};
use super::deadlines::{Deadlines, Due};
use super::work::{Peer, Work};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
    socket_with,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// Events of one wait.
const EVENTS: usize = 1024;
const BUFFER_BYTES: usize = 4096;

#[derive(Debug, Default)]
struct Lane {
    socket: Option<OwnedFd>,
    /// Counts its probes.
    turn: u32,
    index: usize,
    asked: bool,
    head: Head,
}

struct Sweep<'a> {
    work: &'a Work,
    epoll: OwnedFd,
    lanes: Vec<Lane>,
    free: Vec<u32>,
    next: usize,
    open: usize,
    ends: Vec<End>,
    deadlines: Deadlines,
    buffer: Box<[u8; BUFFER_BYTES]>,
    now: Instant,
}

pub(super) fn check(work: &Work, pace: Pace) -> io::Result<Vec<End>> {
    let lanes = pace
        .lanes
        .min(u32::try_from(work.peers.len()).unwrap_or(u32::MAX));
    let mut sweep = Sweep {
        work,
        epoll: epoll::create(CreateFlags::CLOEXEC)?,
        lanes: (0..lanes).map(|_| Lane::default()).collect(),
        free: (0..lanes).rev().collect(),
        next: 0,
        open: 0,
        ends: vec![End::Open; work.peers.len()],
        deadlines: Deadlines::new(pace.connect_timeout, pace.timeout),
        buffer: Box::new([0; BUFFER_BYTES]),
        now: Instant::now(),
    };
    sweep.run()?;
    Ok(sweep.ends)
}

impl Sweep<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        loop {
            self.fill()?;
            if self.open == 0 {
                return Ok(());
            }
            let wait = self.patience();
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                wait.as_ref(),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            self.now = Instant::now();
            for event in &events {
                let due = unpacked({ event.data }.u64());
                if self.is_live(due) {
                    self.go_on(due.0, event.flags);
                }
            }
            self.expire();
        }
    }

    /// Begins a probe in each lane that is free.
    fn fill(&mut self) -> io::Result<()> {
        self.now = Instant::now();
        while self.next < self.work.peers.len() {
            let Some(number) = self.free.pop() else {
                break;
            };
            let (index, peer) = (self.next, self.work.peers[self.next]);
            self.next += 1;
            self.open += 1;
            let lane = &mut self.lanes[number as usize];
            lane.turn = lane.turn.wrapping_add(1);
            (lane.index, lane.asked) = (index, false);
            let due = (number, lane.turn);
            match begin(&self.epoll, peer, due)? {
                Ok(socket) => {
                    lane.socket = Some(socket);
                    self.deadlines.begin(self.now, due);
                }
                Err(errno) => self.end(number, End::of_errno(errno.raw_os_error())),
            }
        }
        Ok(())
    }

    fn is_live(&self, (number, turn): Due) -> bool {
        let lane = &self.lanes[number as usize];
        lane.turn == turn && lane.socket.is_some()
    }

    fn patience(&mut self) -> Option<Timespec> {
        let lanes = &self.lanes;
        let is_live = |(number, turn): Due| {
            let lane = &lanes[number as usize];
            lane.turn == turn && lane.socket.is_some()
        };
        let connects = |due: Due| is_live(due) && !lanes[due.0 as usize].asked;
        let time: Duration = self.deadlines.next(self.now, connects, is_live)?;
        // epoll counts milliseconds; never too short, or it would be asked again for nothing.
        Timespec::try_from(time + Duration::from_millis(1)).ok()
    }

    /// Its socket can do something that it could not before.
    fn go_on(&mut self, number: u32, flags: EventFlags) {
        let lane = &self.lanes[number as usize];
        let asked = match lane.asked {
            true => None,
            false => self.ask(number),
        };
        // An edge is told once: what came before it was asked is read now or never.
        let has_come = flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::ERR);
        let end = match asked {
            None if has_come => self.hear(number),
            asked => asked,
        };
        if let Some(end) = end {
            self.end(number, end);
        }
    }

    /// Sends the request, which tells also how the connect went.
    fn ask(&mut self, number: u32) -> Option<End> {
        let lane = &mut self.lanes[number as usize];
        let socket = lane.socket.as_ref()?;
        let request = self.work.request(self.work.peers[lane.index]);
        match send(socket, request, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == request.len() => lane.asked = true,
            Err(Errno::AGAIN) => {}
            // A new connection takes some hundred bytes whole.
            Ok(_) => return Some(End::Lost),
            Err(errno) => return Some(End::of_errno(errno.raw_os_error())),
        }
        None
    }

    /// Reads until nothing is left, or the end is clear.
    fn hear(&mut self, number: u32) -> Option<End> {
        let lane = &mut self.lanes[number as usize];
        let socket = lane.socket.as_ref()?;
        loop {
            match recv(socket, &mut self.buffer[..], RecvFlags::empty()) {
                Err(Errno::AGAIN) => return None,
                Err(errno) => return Some(End::of_errno(errno.raw_os_error())),
                Ok((count, _)) => {
                    if let Some(end) = lane.head.take(&self.buffer[..count]) {
                        return Some(end);
                    }
                }
            }
        }
    }

    /// Closing takes the socket out of the epoll too.
    fn end(&mut self, number: u32, end: End) {
        let lane = &mut self.lanes[number as usize];
        (lane.socket, lane.asked) = (None, false);
        lane.head.clear();
        self.ends[lane.index] = end;
        self.open -= 1;
        self.free.push(number);
    }

    fn expire(&mut self) {
        while let Some(due) = self.deadlines.connect_over(self.now) {
            if self.is_live(due) && !self.lanes[due.0 as usize].asked {
                self.end(due.0, End::TimedOut);
            }
        }
        while let Some(due) = self.deadlines.over(self.now) {
            if self.is_live(due) {
                self.end(due.0, End::TimedOut);
            }
        }
    }
}

fn packed((lane, turn): Due) -> u64 {
    u64::from(turn) << 32 | u64::from(lane)
}

fn unpacked(data: u64) -> Due {
    (data as u32, (data >> 32) as u32)
}

/// A socket that connects. Outside are this host's failures, inside are the peer's.
fn begin(epoll: &OwnedFd, peer: Peer, due: Due) -> io::Result<Result<OwnedFd, Errno>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        flags,
        Some(ipproto::TCP),
    )?;
    match connect(&socket, &peer.at) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(errno) => return Ok(Err(errno)),
    }
    let events = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
    epoll::add(epoll, &socket, EventData::new_u64(packed(due)), events)?;
    Ok(Ok(socket))
}
