//! One candidate on the schedule.

use crate::ledger::Standing;

/// What goes first when more is due than can be handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Was alive until just now.
    Urgent,
    /// Is alive.
    Alive,
    /// Was never checked.
    New,
    /// Is not alive.
    #[default]
    Dead,
}

impl Class {
    /// Every class, the first first: `ALL[class as usize] == class`.
    pub const ALL: [Class; 4] = [Class::Urgent, Class::Alive, Class::New, Class::Dead];
    /// The number of classes.
    pub const COUNT: usize = Self::ALL.len();

    /// Whether it is not known to be alive: a probe of it may well take as long as a probe may.
    pub fn is_unproven(self) -> bool {
        match self {
            Class::Urgent | Class::Alive => false,
            Class::New | Class::Dead => true,
        }
    }

    /// Hand-outs in a row while one of a lower class waits too; the next is for the lower. The dead
    /// that are due again get little before all that was never checked has been: most of it ends
    /// where they are, and each of them would hold a lane of the sweep.
    pub fn streak_max(self) -> u8 {
        match self {
            Class::Urgent | Class::Alive => 3,
            Class::New | Class::Dead => 63,
        }
    }

    /// The class of a candidate that stands there.
    pub fn of(standing: Standing) -> Class {
        match standing {
            Standing::Failing => Class::Urgent,
            Standing::Alive => Class::Alive,
            Standing::New => Class::New,
            Standing::Dead { .. } => Class::Dead,
        }
    }
}

/// One hand-out of one candidate. Its number is the id of the job, so that a report can be told
/// from one that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

impl Ticket {
    pub(super) fn new(index: u32, turn: u32) -> Ticket {
        Ticket(u64::from(turn) << 32 | u64::from(index))
    }

    /// The ticket of a job.
    pub fn from_id(id: u64) -> Ticket {
        Ticket(id)
    }

    /// The id of its job.
    pub fn id(self) -> u64 {
        self.0
    }

    /// The index of the candidate.
    pub fn index(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn turn(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Where a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Place {
    /// Not on the schedule.
    Absent,
    /// On a queue.
    Waiting,
    /// Handed out.
    Out,
    /// Came back, not yet put back.
    Back,
    /// Came back, and what came back is not believed yet.
    Held,
}

impl Place {
    /// Every place: `ALL[place as usize] == place`.
    const ALL: [Place; 5] = [
        Place::Absent,
        Place::Waiting,
        Place::Out,
        Place::Back,
        Place::Held,
    ];
}

/// One candidate on the schedule, in 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// When it is due; while it is not waiting, when it was handed out.
    pub(super) due_ms: u64,
    /// Number of the last hand-out.
    pub(super) turn: u32,
    pub(super) queue: u16,
    /// Failures of this host in a row.
    pub(super) local_failures: u8,
    state: State,
}

impl Default for Task {
    fn default() -> Task {
        Task {
            due_ms: 0,
            turn: 0,
            queue: 0,
            local_failures: 0,
            state: State(Place::Absent as u8 | (Class::Dead as u8) << CLASS),
        }
    }
}

/// A place, a class and three marks, in the bits of one byte.
#[derive(Clone, Copy, Debug)]
struct State(u8);

/// The bits of the place.
const PLACE: u8 = 0b111;
/// How far the two bits of the class are shifted.
const CLASS: u8 = 3;

/// What else is marked on a task.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Mark {
    /// It belongs to the sweep and was not checked yet.
    InSweep = 1 << 5,
    /// The sweep began while it was out.
    Again = 1 << 6,
    /// It was handed out under rules that no longer hold.
    Outdated = 1 << 7,
}

impl Task {
    /// One that is on no queue and was handed out so many times.
    pub(super) fn numbered_from(turn: u32) -> Task {
        Task {
            turn,
            ..Task::default()
        }
    }

    /// Whether what it comes back with is the sweep's.
    pub(super) fn is_swept(&self) -> bool {
        self.has(Mark::InSweep) && !self.has(Mark::Again)
    }

    pub(super) fn place(&self) -> Place {
        Place::ALL[usize::from(self.state.0 & PLACE)]
    }

    pub(super) fn set_place(&mut self, place: Place) {
        self.state.0 = self.state.0 & !PLACE | place as u8;
    }

    pub(super) fn class(&self) -> Class {
        Class::ALL[usize::from(self.state.0 >> CLASS & 0b11)]
    }

    pub(super) fn set_class(&mut self, class: Class) {
        self.state.0 = self.state.0 & !(0b11 << CLASS) | (class as u8) << CLASS;
    }

    pub(super) fn has(&self, mark: Mark) -> bool {
        self.state.0 & mark as u8 != 0
    }

    pub(super) fn set(&mut self, mark: Mark, on: bool) {
        self.state.0 = self.state.0 & !(mark as u8) | if on { mark as u8 } else { 0 };
    }

    /// Takes a mark off; whether it was there.
    pub(super) fn take(&mut self, mark: Mark) -> bool {
        let had = self.has(mark);
        self.set(mark, false);
        had
    }

    pub(super) fn waits_at(&self, queue: usize, class: Class, due_ms: u64) -> bool {
        self.place() == Place::Waiting
            && self.due_ms == due_ms
            && self.class() == class
            && usize::from(self.queue) == queue
    }
}

/// Latest time that [`Due`] can hold, in milliseconds: 8 900 years.
pub(super) const DUE_MS_MAX: u64 = (1 << 48) - 1;

/// When a candidate is due, its lot among those that are due at the same time, and its index, in 12
/// bytes: there is one on a queue for every candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// The upper 32 of the 48 bits of the time.
    upper: u32,
    /// The lower 16, and 16 of the lot.
    lower: u32,
    pub(super) index: u32,
}

impl Due {
    /// `due_ms` is at most [`DUE_MS_MAX`].
    pub(super) fn new(due_ms: u64, lot: u16, index: u32) -> Due {
        Due {
            upper: (due_ms >> 16) as u32,
            lower: (due_ms as u32) << 16 | u32::from(lot),
            index,
        }
    }

    pub(super) fn due_ms(self) -> u64 {
        u64::from(self.upper) << 16 | u64::from(self.lower >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_16_bytes_and_its_place_on_a_queue_12() {
        assert_eq!((size_of::<Task>(), size_of::<Due>()), (16, 12));
    }

    #[test]
    fn every_part_of_a_task_is_set_by_itself() {
        let marks = [Mark::InSweep, Mark::Again, Mark::Outdated];
        let mut task = Task::default();
        assert_eq!((task.place(), task.class()), (Place::Absent, Class::Dead));
        for bits in 0..8u8 {
            for place in Place::ALL {
                for class in Class::ALL {
                    task.set_class(class);
                    task.set_place(place);
                    for (n, mark) in marks.into_iter().enumerate() {
                        task.set(mark, bits & 1 << n != 0);
                    }
                    assert_eq!((task.place(), task.class()), (place, class));
                    for (n, mark) in marks.into_iter().enumerate() {
                        assert_eq!(task.has(mark), bits & 1 << n != 0, "{mark:?}");
                    }
                }
            }
        }
        task.set(Mark::Again, true);
        assert!(task.take(Mark::Again) && !task.take(Mark::Again));
    }

    #[test]
    fn the_earlier_goes_first_whatever_the_lots_and_then_the_lots_decide() {
        let dues = [
            Due::new(0, u16::MAX, 9),
            Due::new(1, 0, 3),
            Due::new(65_535, 7, 2),
            Due::new(65_536, 3, 1),
            Due::new(65_536, 4, 0),
            Due::new(DUE_MS_MAX, 0, 0),
        ];
        assert!(dues.is_sorted());
        let times = dues.map(Due::due_ms);
        assert_eq!(times, [0, 1, 65_535, 65_536, 65_536, DUE_MS_MAX]);
    }
}
