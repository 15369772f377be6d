//! How often each behaviour was met and how often it acted; written by the farm, read by anyone.

use super::behaviour::Behaviour;
use rustls::HandshakeKind;
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

/// TLS handshakes that the farm has finished, to proxies and to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    /// With a certificate.
    pub full: u64,
    /// With a ticket of an earlier one.
    pub resumed: u64,
}

#[derive(Debug, Default)]
struct Cell {
    accepted: AtomicU64,
    served: AtomicU64,
}

/// The counters of a farm; the last cell is the target's.
#[derive(Debug)]
pub(super) struct Counters {
    cells: [Cell; Behaviour::COUNT + 1],
    pub(super) open: AtomicUsize,
    full: AtomicU64,
    resumed: AtomicU64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            cells: std::array::from_fn(|_| Cell::default()),
            open: AtomicUsize::default(),
            full: AtomicU64::default(),
            resumed: AtomicU64::default(),
        }
    }
}

fn index(resident: Option<Behaviour>) -> usize {
    resident.map_or(Behaviour::COUNT, Behaviour::index)
}

impl Counters {
    pub(super) fn accepted(&self, resident: Option<Behaviour>) {
        self.cells[index(resident)].accepted.fetch_add(1, Relaxed);
    }

    pub(super) fn served(&self, resident: Option<Behaviour>) {
        self.cells[index(resident)].served.fetch_add(1, Relaxed);
    }

    pub(super) fn shook_hands(&self, kind: HandshakeKind) {
        let counter = match kind {
            HandshakeKind::Resumed => &self.resumed,
            _ => &self.full,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(super) fn handshakes(&self) -> Handshakes {
        Handshakes {
            full: self.full.load(Relaxed),
            resumed: self.resumed.load(Relaxed),
        }
    }

    pub(super) fn read(&self, resident: Option<Behaviour>) -> Counts {
        let cell = &self.cells[index(resident)];
        Counts {
            accepted: cell.accepted.load(Relaxed),
            served: cell.served.load(Relaxed),
        }
    }
}
