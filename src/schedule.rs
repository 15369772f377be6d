//! What is due next and when: pure, with the time as an argument.

mod held;
mod resume;
mod rules;
mod task;

pub use resume::Found;
pub use rules::Rules;
pub use task::{Class, Ticket};

use fastrand::Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use task::{DUE_MS_MAX, Due, Mark, Place, Task};

use crate::ledger::Standing;

/// So many failures of this host in a row, the last of a kind that may never pass, are a turn in the
/// sweep: it would not come to its end otherwise.
const UNTOLD_MAX: u8 = 3;
/// Fewer entries than this are not worth a rebuild.
const STALE_MIN: usize = 1024;

/// How a hand-out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a verdict: this is where the candidate stands now.
    Checked(Standing),
    /// With a failure of this host: again after a short pause.
    Local(Standing),
    /// With a failure of this host that may never pass: likewise, and after some times in a row it has
    /// had its turn in the sweep.
    Untold(Standing),
    /// Its host name has no address that may be dialled: again after a pause that grows.
    NoAddress(Standing),
    /// It was not tried: due at once, on the queue that is named.
    Diverted,
}

/// The candidates that are due on one queue, by class and time.
///
/// An entry is believed only if it says what the task says; entries that no longer do are left
/// where they are until they come up.
#[derive(Debug, Default)]
struct Queue {
    by_class: [BinaryHeap<Reverse<Due>>; Class::COUNT],
    streak: [u8; Class::COUNT],
    /// What is handed out, by class.
    out: [usize; Class::COUNT],
}

/// Progress of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Candidates that belong to it.
    pub total: u64,
    /// Those of them that have had their turn.
    pub done: u64,
    /// Those of these of which nothing could be told, because of this host.
    pub unjudged: u64,
}

/// When each candidate is due. A candidate is on one queue, out or held, never two of these and never
/// twice.
#[derive(Debug)]
pub struct Schedule {
    rules: Rules,
    tasks: Vec<Task>,
    queues: Vec<Queue>,
    stale: usize,
    waiting: usize,
    progress: Progress,
    /// Candidates of the sweep that came back and are held.
    sweep_held: u64,
    /// When the sweep began.
    sweep_ms: u64,
    /// Number of the hand-out before the first of a candidate.
    first_turn: u32,
    rng: Rng,
}

/// How many of those that are known to be alive are due by some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DueSoon {
    /// Failed just now.
    pub urgent: usize,
    /// Alive.
    pub alive: usize,
}

impl Schedule {
    /// Nothing is due yet. `seed` decides the jitter.
    pub fn new(queues: usize, rules: Rules, seed: u64) -> Schedule {
        Schedule {
            rules,
            tasks: Vec::new(),
            queues: std::iter::repeat_with(Queue::default)
                .take(queues)
                .collect(),
            stale: 0,
            waiting: 0,
            progress: Progress::default(),
            sweep_held: 0,
            sweep_ms: 0,
            first_turn: 0,
            rng: Rng::with_seed(seed),
        }
    }

    /// Replaces the rules for what comes back from now on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
    }

    /// So many candidates are going to be known: there is room for them at once.
    pub fn expect(&mut self, candidates: usize) {
        let new = candidates.saturating_sub(self.tasks.len());
        self.tasks.reserve(new);
    }

    /// Adds a candidate that is not scheduled yet: due at `now_ms`, outside the sweep.
    pub fn add(&mut self, index: u32, queue: usize, standing: Standing, now_ms: u64) {
        if index as usize >= self.tasks.len() {
            let task = Task::numbered_from(self.first_turn);
            self.tasks.resize(index as usize + 1, task);
        }
        let task = &mut self.tasks[index as usize];
        if task.place() == Place::Absent {
            task.local_failures = 0;
            let class = Class::of(standing);
            self.wait(index, queue, class, due_at_once(class, now_ms));
        }
    }

    /// Adds a candidate that is not scheduled yet: due at once, as a part of the sweep.
    pub fn add_to_sweep(&mut self, index: u32, queue: usize, standing: Standing, now_ms: u64) {
        self.add(index, queue, standing, now_ms);
        self.join_sweep(index);
    }

    /// Adds a candidate that is not scheduled yet and has had its turn in the sweep: due when its
    /// standing says, from a check `age_ms` ago on; at once if that time is over.
    pub fn add_swept(
        &mut self,
        index: u32,
        queue: usize,
        standing: Standing,
        age_ms: u64,
        now_ms: u64,
    ) {
        let left_ms = self.rules.left_ms(standing, age_ms, &mut self.rng);
        self.add(index, queue, standing, now_ms + left_ms);
        self.progress.total += 1;
        self.progress.done += 1;
    }

    /// Takes a candidate off the schedule. `false`: it is out or held, and must come back first.
    pub fn remove(&mut self, index: u32) -> bool {
        let task = &mut self.tasks[index as usize];
        match task.place() {
            Place::Out | Place::Held => return false,
            Place::Waiting => {
                self.stale += 1;
                self.waiting -= 1;
            }
            Place::Absent | Place::Back => {}
        }
        task.set_place(Place::Absent);
        task.set(Mark::Again, false);
        if task.take(Mark::InSweep) {
            self.progress.total -= 1;
        }
        self.drop_stale();
        true
    }

    /// Hands out what is due next on `queue`, if anything is.
    ///
    /// Higher classes go first, but after some in a row one of a lower class has its turn. Of those
    /// that are not known to be alive, at most `unproven_max` are out.
    pub fn next(&mut self, queue: usize, now_ms: u64, unproven_max: usize) -> Option<Ticket> {
        let full = self.queues[queue].unproven_out() >= unproven_max;
        let due = Class::ALL.map(|class| match full && class.is_unproven() {
            true => None,
            false => self.peek(queue, class, now_ms),
        });
        let streak = &mut self.queues[queue].streak;
        let mut pick = None;
        for (class, index) in Class::ALL.into_iter().zip(due) {
            let (rank, Some(index)) = (class as usize, index) else {
                continue;
            };
            pick = Some((rank, index));
            let contested = due[rank + 1..].iter().any(Option::is_some);
            if !contested || streak[rank] < class.streak_max() {
                streak[rank] += u8::from(contested);
                break;
            }
            streak[rank] = 0;
        }
        let (rank, index) = pick?;
        self.queues[queue].out[rank] += 1;
        let heap = &mut self.queues[queue].by_class[rank];
        heap.pop();
        // A first sweep empties one heap of all candidates into another.
        if heap.len() < heap.capacity() / 4 && heap.capacity() > STALE_MIN {
            heap.shrink_to(heap.capacity() / 2);
        }
        self.waiting -= 1;
        let task = &mut self.tasks[index as usize];
        task.set_place(Place::Out);
        task.due_ms = now_ms;
        task.set(Mark::Outdated, false);
        task.turn = task.turn.wrapping_add(1);
        Some(Ticket::new(index, task.turn))
    }

    /// Takes back what was handed out and returns its index; `None` if this very ticket is not out.
    /// It is then to be put back or removed.
    pub fn back(&mut self, ticket: Ticket) -> Option<u32> {
        let index = ticket.index();
        let task = self.tasks.get_mut(index as usize)?;
        if task.place() != Place::Out || task.turn != ticket.turn() {
            return None;
        }
        task.set_place(Place::Back);
        self.queues[usize::from(task.queue)].out[task.class() as usize] -= 1;
        Some(index)
    }

    /// Puts back what [`Schedule::back`] took, due when its outcome says.
    pub fn put_back(&mut self, index: u32, queue: usize, outcome: Outcome, now_ms: u64) {
        let task = &mut self.tasks[index as usize];
        if task.place() != Place::Back {
            return;
        }
        // What was out when the sweep began is swept when it comes back the next time.
        let again = task.take(Mark::Again);
        task.local_failures = match outcome {
            Outcome::Checked(_) => 0,
            Outcome::Local(_) | Outcome::Untold(_) | Outcome::NoAddress(_) => {
                task.local_failures.saturating_add(1)
            }
            Outcome::Diverted => task.local_failures,
        };
        let failures = task.local_failures;
        if !again && outcome.ends_the_sweep(failures) && task.take(Mark::InSweep) {
            self.progress.done += 1;
            self.progress.unjudged += u64::from(matches!(outcome, Outcome::Untold(_)));
        }
        let (class, delay) = match outcome {
            Outcome::Checked(s) => (Class::of(s), self.rules.recheck_ms(s, &mut self.rng)),
            Outcome::Local(s) | Outcome::Untold(s) => (
                Class::of(s),
                self.rules.local_pause_ms(failures, &mut self.rng),
            ),
            Outcome::NoAddress(s) => (
                Class::of(s),
                self.rules.name_pause_ms(s, failures, &mut self.rng),
            ),
            Outcome::Diverted => (task.class(), 0),
        };
        // It has waited since the sweep began, and goes before what was due after that.
        let due_ms = match again {
            true => self.sweep_ms,
            false => now_ms + delay,
        };
        self.wait(index, queue, class, due_ms);
    }

    /// When the next candidate of `queue` is due that [`Schedule::next`] would hand out; may be too
    /// early by one that was removed.
    pub fn due_at(&self, queue: usize, unproven_max: usize) -> Option<u64> {
        let queue = &self.queues[queue];
        let full = queue.unproven_out() >= unproven_max;
        Class::ALL
            .iter()
            .filter(|class| !(full && class.is_unproven()))
            .filter_map(|class| queue.by_class[*class as usize].peek())
            .map(|Reverse(due)| due.due_ms())
            .min()
    }

    /// How many of `queue` that are known to be alive, or were until just now, wait and are due by
    /// `until_ms`; may be too many by those that were removed.
    pub fn due_soon(&self, queue: usize, until_ms: u64) -> DueSoon {
        let by_class = &self.queues[queue].by_class;
        let is_due = |Reverse(due): &&Reverse<Due>| due.due_ms() <= until_ms;
        let count = |class: Class| by_class[class as usize].iter().filter(is_due).count();
        DueSoon {
            urgent: count(Class::Urgent),
            alive: count(Class::Alive),
        }
    }

    /// Starts a sweep: everything is due now; what is out is due again as soon as it is back. Of what
    /// was checked before, those with the smaller `turn_ms` go first: what is due at the same
    /// millisecond goes in random order.
    pub fn sweep(&mut self, now_ms: u64, turn_ms: impl Fn(u32) -> u64) {
        self.progress = Progress::default();
        self.sweep_held = 0;
        self.sweep_ms = now_ms;
        for (index, task) in (0u32..).zip(&mut self.tasks) {
            let waits = task.place() == Place::Waiting;
            let again = matches!(task.place(), Place::Out | Place::Held);
            task.set(Mark::Again, again);
            task.set(Mark::InSweep, again || waits);
            self.progress.total += u64::from(again || waits);
            if waits {
                task.due_ms = due_at_once(task.class(), now_ms + turn_ms(index));
                task.local_failures = 0;
            }
        }
        self.rebuild();
    }

    /// Progress of the last sweep that was started.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether of the sweep nothing is left but what is held.
    pub fn rest_of_sweep_is_held(&self) -> bool {
        let Progress { total, done, .. } = self.progress;
        self.sweep_held > 0 && done + self.sweep_held == total
    }

    /// Candidates that wait, due or not.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    fn join_sweep(&mut self, index: u32) {
        let task = &mut self.tasks[index as usize];
        if task.place() == Place::Waiting && !task.has(Mark::InSweep) {
            task.set(Mark::InSweep, true);
            self.progress.total += 1;
        }
    }

    fn wait(&mut self, index: u32, queue: usize, class: Class, due_ms: u64) {
        let task = &mut self.tasks[index as usize];
        let due_ms = due_ms.min(DUE_MS_MAX);
        task.set_place(Place::Waiting);
        task.due_ms = due_ms;
        task.set_class(class);
        task.queue = queue as u16;
        self.waiting += 1;
        let due = Due::new(due_ms, lot(&mut self.rng), index);
        self.queues[queue].by_class[class as usize].push(Reverse(due));
    }

    /// The first of a class that is due, what is stale before it dropped.
    fn peek(&mut self, queue: usize, class: Class, now_ms: u64) -> Option<u32> {
        let heap = &mut self.queues[queue].by_class[class as usize];
        while let Some(&Reverse(due)) = heap.peek() {
            if due.due_ms() > now_ms {
                return None;
            }
            if self.tasks[due.index as usize].waits_at(queue, class, due.due_ms()) {
                return Some(due.index);
            }
            heap.pop();
            self.stale = self.stale.saturating_sub(1);
        }
        None
    }

    /// Builds the queues anew once most entries are stale.
    fn drop_stale(&mut self) {
        if self.stale > STALE_MIN && self.stale > self.waiting {
            self.rebuild();
        }
    }

    /// Builds the queues anew from the tasks, which drops what is stale.
    fn rebuild(&mut self) {
        let mut dues: Vec<[Vec<Reverse<Due>>; Class::COUNT]> = Vec::new();
        dues.resize_with(self.queues.len(), Default::default);
        for queue in &mut self.queues {
            queue.by_class = Default::default();
        }
        for (index, task) in (0u32..).zip(&self.tasks) {
            if task.place() == Place::Waiting {
                let place = &mut dues[usize::from(task.queue)][task.class() as usize];
                place.push(Reverse(Due::new(task.due_ms, lot(&mut self.rng), index)));
            }
        }
        for (queue, dues) in self.queues.iter_mut().zip(dues) {
            queue.by_class = dues.map(BinaryHeap::from);
        }
        self.stale = 0;
    }
}

/// When a candidate is due that does not have to wait. All that were never checked are due at the same
/// time, whenever they came, so that the lot decides: a long list of dead ones does not hold up what
/// stands behind it, or in another list.
fn due_at_once(class: Class, now_ms: u64) -> u64 {
    match class {
        Class::New => 0,
        Class::Urgent | Class::Alive | Class::Dead => now_ms,
    }
}

/// The lot of a candidate among those that are due at the same time.
fn lot(rng: &mut Rng) -> u16 {
    (rng.u32(..) >> 16) as u16
}

impl Queue {
    fn unproven_out(&self) -> usize {
        let unproven = Class::ALL.iter().filter(|class| class.is_unproven());
        unproven.map(|class| self.out[*class as usize]).sum()
    }
}

impl Outcome {
    /// Whether the sweep has had its turn on the candidate, after so many `failures` of this host in a
    /// row. A name without an address has: it may never get one.
    fn ends_the_sweep(self, failures: u8) -> bool {
        match self {
            Outcome::Checked(_) | Outcome::NoAddress(_) => true,
            Outcome::Untold(_) => failures >= UNTOLD_MAX,
            Outcome::Local(_) | Outcome::Diverted => false,
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
