//! Candidates that came back with something that is not believed yet, and what is known of a hand-out.

use super::Schedule;
use super::task::{Class, Mark, Place, Task};

impl Schedule {
    /// Keeps what [`Schedule::back`] took: it is on no queue until [`Schedule::release`].
    pub fn hold(&mut self, index: u32) {
        let task = &mut self.tasks[index as usize];
        if task.place() == Place::Back {
            task.set_place(Place::Held);
            self.sweep_held += u64::from(task.is_swept());
        }
    }

    /// Gives back what is held, to be put back or removed. `false`: it is not held.
    pub fn release(&mut self, index: u32) -> bool {
        let task = &mut self.tasks[index as usize];
        let held = task.place() == Place::Held;
        if held {
            task.set_place(Place::Back);
            self.sweep_held -= u64::from(task.is_swept());
        }
        held
    }

    /// Whether it is held.
    pub fn is_held(&self, index: u32) -> bool {
        self.place(index) == Place::Held
    }

    /// When a candidate that came back was handed out.
    pub fn handed_out_ms(&self, index: u32) -> u64 {
        self.tasks[index as usize].due_ms
    }

    /// When a candidate that waits is due.
    pub fn waits_until(&self, index: u32) -> Option<u64> {
        (self.place(index) == Place::Waiting).then(|| self.tasks[index as usize].due_ms)
    }

    /// Whether it belongs to the sweep and was not checked yet.
    pub fn is_in_sweep(&self, index: u32) -> bool {
        self.tasks[index as usize].has(Mark::InSweep)
    }

    /// The rules are others now: what comes back of what is out answers other questions.
    pub fn outdate(&mut self) {
        for task in &mut self.tasks {
            let outdated = task.has(Mark::Outdated) || task.place() == Place::Out;
            task.set(Mark::Outdated, outdated);
        }
    }

    /// The same for one candidate: what comes back of it is of no use.
    pub fn outdate_one(&mut self, index: u32) {
        if self.place(index) == Place::Out {
            self.tasks[index as usize].set(Mark::Outdated, true);
        }
    }

    /// Whether a candidate that came back was handed out under rules that no longer hold.
    pub fn is_outdated(&self, index: u32) -> bool {
        self.tasks[index as usize].has(Mark::Outdated)
    }

    /// A candidate that waits is due now.
    pub fn hasten(&mut self, index: u32, now_ms: u64) {
        let task = &self.tasks[index as usize];
        let (queue, class) = (usize::from(task.queue), task.class());
        if task.place() != Place::Waiting || task.due_ms <= now_ms || class == Class::New {
            return;
        }
        self.stale += 1;
        self.waiting -= 1;
        self.wait(index, queue, class, now_ms);
        self.drop_stale();
    }

    fn place(&self, index: u32) -> Place {
        let task = self.tasks.get(index as usize);
        task.map_or(Place::Absent, Task::place)
    }
}
