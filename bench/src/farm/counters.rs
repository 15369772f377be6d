//! How often each behaviour was met and how often it acted; written by the farm, read by anyone.

use super::behaviour::Behaviour;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// What one behaviour has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted. `silent` ones count when they are buried, after their peer has gone;
    /// `refuses` and `black_hole` never.
    pub accepted: u64,
    /// Requests acted upon, with an answer or whatever else the behaviour does.
    pub served: u64,
}

#[derive(Debug, Default)]
struct Cell {
    accepted: AtomicU64,
    served: AtomicU64,
}

/// The counters of a farm; the last cell is the target's.
#[derive(Debug, Default)]
pub(super) struct Counters {
    cells: [Cell; Behaviour::COUNT + 1],
    pub(super) open: AtomicUsize,
}

fn index(resident: Option<Behaviour>) -> usize {
    resident.map_or(Behaviour::COUNT, |b| b as usize)
}

impl Counters {
    pub(super) fn accepted(&self, resident: Option<Behaviour>) {
        self.cells[index(resident)].accepted.fetch_add(1, Relaxed);
    }

    pub(super) fn served(&self, resident: Option<Behaviour>) {
        self.cells[index(resident)].served.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self, resident: Option<Behaviour>) -> Counts {
        let cell = &self.cells[index(resident)];
        Counts {
            accepted: cell.accepted.load(Relaxed),
            served: cell.served.load(Relaxed),
        }
    }
}
