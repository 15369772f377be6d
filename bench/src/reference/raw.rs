//! io_uring without an executor: direct descriptors, socket → connect and send → receive as chains
//! of one completion each, buffers that the kernel picks, deferred task work.

mod ring;

use super::Pace;
use super::answer::{End, Head};
use super::deadlines::{Deadlines, Due};
use super::work::Work;
use ring::{Done, Ring, Step};
use std::io;
use std::time::{Duration, Instant};

/// How long a cancel that missed waits until it is tried again.
const AGAIN: Duration = Duration::from_millis(16);

#[derive(Debug, Default)]
struct Lane {
    /// Counts its probes.
    turn: u32,
    index: u32,
    /// What the kernel does for it, and whether its time is over.
    at: Option<Step>,
    is_over: bool,
    head: Head,
}

struct Sweep<'a> {
    work: &'a Work,
    ring: Ring,
    lanes: Vec<Lane>,
    next: usize,
    open: usize,
    ends: Vec<End>,
    deadlines: Deadlines,
    missed: Vec<Due>,
    now: Instant,
}

pub(super) fn check(work: &Work, pace: Pace) -> io::Result<Vec<End>> {
    let lanes = pace
        .lanes
        .min(u32::try_from(work.peers.len()).unwrap_or(u32::MAX));
    let mut sweep = Sweep {
        work,
        ring: Ring::new(lanes, work)?,
        lanes: (0..lanes).map(|_| Lane::default()).collect(),
        next: 0,
        open: 0,
        ends: vec![End::Open; work.peers.len()],
        deadlines: Deadlines::new(pace.connect_timeout, pace.timeout),
        missed: Vec::new(),
        now: Instant::now(),
    };
    sweep.run()?;
    Ok(sweep.ends)
}

impl Sweep<'_> {
    fn run(&mut self) -> io::Result<()> {
        for number in 0..self.lanes.len() as u32 {
            self.begin(number)?;
        }
        let mut batch = Vec::new();
        while self.open > 0 {
            let patience = self.patience();
            self.ring.wait(patience, self.open)?;
            self.now = Instant::now();
            self.ring.take(&mut batch);
            for done in batch.drain(..) {
                self.settle(done)?;
            }
            self.expire()?;
        }
        Ok(())
    }

    /// The next probe of the list in this lane; what was open in it is closed either way.
    fn begin(&mut self, number: u32) -> io::Result<()> {
        let Some(&peer) = self.work.peers.get(self.next) else {
            return self.ring.close(number);
        };
        let lane = &mut self.lanes[number as usize];
        (lane.turn, lane.index) = (lane.turn.wrapping_add(1), self.next as u32);
        (lane.at, lane.is_over) = (Some(Step::Connect), false);
        let due = (number, lane.turn);
        self.next += 1;
        self.open += 1;
        self.deadlines.begin(self.now, due);
        self.ring.connect(due, peer.at)
    }

    fn settle(&mut self, done: Done) -> io::Result<()> {
        let (number, turn) = done.due;
        let lane = &mut self.lanes[number as usize];
        match done.step {
            Step::Cancel => {
                // It was between two steps of its chain, or has ended meanwhile.
                if lane.turn == turn && lane.at.is_some() {
                    self.missed.push(done.due);
                }
                return Ok(());
            }
            Step::Close => return Ok(()),
            Step::Connect | Step::Receive => {}
        }
        assert!(
            lane.turn == turn && lane.at.is_some(),
            "one completion a chain"
        );
        if lane.is_over {
            self.give(&done);
            return self.end(number, End::TimedOut);
        }
        let end = match (done.step, done.result) {
            (_, result) if result == -libc::ENOBUFS => {
                // They come back with the end of this batch.
                return self.ring.receive(done.due);
            }
            (_, result) if result < 0 => Some(End::of_errno(-result)),
            (Step::Connect, _) => {
                lane.at = Some(Step::Receive);
                return self
                    .ring
                    .ask(done.due, self.work.peers[lane.index as usize]);
            }
            _ => lane.head.take(self.ring.bytes(&done)),
        };
        self.give(&done);
        match end {
            Some(end) => self.end(number, end),
            None => self.ring.receive(done.due),
        }
    }

    fn give(&mut self, done: &Done) {
        if let Some(buffer) = done.buffer {
            self.ring.give(buffer);
        }
    }

    fn end(&mut self, number: u32, end: End) -> io::Result<()> {
        let lane = &mut self.lanes[number as usize];
        lane.at = None;
        lane.head.clear();
        self.ends[lane.index as usize] = end;
        self.open -= 1;
        self.begin(number)
    }

    fn patience(&mut self) -> Option<Duration> {
        let lanes = &self.lanes;
        let at = |(number, turn): Due| {
            let lane = &lanes[number as usize];
            lane.at.filter(|_| lane.turn == turn && !lane.is_over)
        };
        let first = self.deadlines.next(
            self.now,
            |due| at(due) == Some(Step::Connect),
            |due| at(due).is_some(),
        );
        match self.missed.is_empty() {
            true => first,
            false => Some(first.map_or(AGAIN, |first| first.min(AGAIN))),
        }
    }

    fn expire(&mut self) -> io::Result<()> {
        for (number, turn) in std::mem::take(&mut self.missed) {
            self.give_up((number, turn), &[Step::Connect, Step::Receive])?;
        }
        while let Some(due) = self.deadlines.connect_over(self.now) {
            self.give_up(due, &[Step::Connect])?;
        }
        while let Some(due) = self.deadlines.over(self.now) {
            self.give_up(due, &[Step::Connect, Step::Receive])?;
        }
        Ok(())
    }

    /// Cancels a probe that is at one of `steps`.
    fn give_up(&mut self, due: Due, steps: &[Step]) -> io::Result<()> {
        let lane = &mut self.lanes[due.0 as usize];
        match lane.at {
            Some(step) if lane.turn == due.1 && steps.contains(&step) => {
                lane.is_over = true;
                self.ring.cancel(due, step)
            }
            _ => Ok(()),
        }
    }
}
