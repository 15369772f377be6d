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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Not on the schedule.
    #[default]
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

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    /// When it is due; while it is not waiting, when it was handed out.
    pub(super) due_ms: u64,
    /// Number of the last hand-out.
    pub(super) turn: u32,
    pub(super) queue: u16,
    pub(super) class: Class,
    pub(super) place: Place,
    /// Failures of this host in a row.
    pub(super) local_failures: u8,
    /// Belongs to the sweep and was not checked yet.
    pub(super) in_sweep: bool,
    /// The sweep began while it was out.
    pub(super) again: bool,
    /// It was handed out under rules that no longer hold.
    pub(super) outdated: bool,
}

impl Task {
    /// Whether what it comes back with is the sweep's.
    pub(super) fn is_swept(&self) -> bool {
        self.in_sweep && !self.again
    }

    pub(super) fn waits_at(&self, queue: usize, class: Class, due_ms: u64) -> bool {
        self.place == Place::Waiting
            && self.due_ms == due_ms
            && self.class == class
            && usize::from(self.queue) == queue
    }
}
