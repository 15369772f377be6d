//! What lists are made of: how each candidate behaves, and how long a sweep of them must last.

use super::Probe;
use proxy_shards::Verdict;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const TIMEOUT_US: u64 = 15_000_000;
const CONNECT_TIMEOUT_US: u64 = 5_000_000;

/// The part of each kind in a list, of 1 000.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    /// Let the time pass.
    pub(crate) silent: u64,
    /// Let the time to connect pass.
    pub(crate) unreachable: u64,
    /// Work, and take 50 to 2 000 ms.
    pub(crate) alive: u64,
    /// Answer after 20 ms, and do not work. The rest is refused after a millisecond.
    pub(crate) wrong: u64,
}

impl Mix {
    /// The farm's mix of 28 behaviours: three let the time pass, one that to connect, one thinks
    /// for long, the others answer at once.
    pub(crate) const FARM: Mix = Mix {
        silent: 107,
        unreachable: 36,
        alive: 36,
        wrong: 700,
    };
    /// A public list: hardly anything of it works, and most does not answer to a SYN.
    pub(crate) const PUBLIC: Mix = Mix {
        silent: 60,
        unreachable: 500,
        alive: 50,
        wrong: 90,
    };

    /// How long each of the first `count` candidates holds a lane, in microseconds.
    pub(crate) fn holds_us(self, count: u32) -> Vec<u64> {
        (0..count).map(|number| self.of(number).us).collect()
    }

    /// How the candidate of that number behaves, always the same.
    pub(crate) fn of(self, number: u32) -> Probe {
        let lot = mixed(number);
        let (kind, rest) = (lot % 1_000, lot / 1_000);
        let silent = self.silent;
        let unreachable = silent + self.unreachable;
        let alive = unreachable + self.alive;
        let wrong = alive + self.wrong;
        let (verdict, us) = match kind {
            kind if kind < silent => (Verdict::ResponseTimeout, TIMEOUT_US),
            kind if kind < unreachable => (Verdict::ConnectTimeout, CONNECT_TIMEOUT_US),
            kind if kind < alive => (Verdict::Alive, alive_us(rest)),
            kind if kind < wrong => (Verdict::OwnPage, 20_000),
            _ => (Verdict::Refused, 1_000),
        };
        let more = false;
        Probe { verdict, us, more }
    }
}

/// 50 to 2 000 ms, as many in each octave.
fn alive_us(lot: u64) -> u64 {
    let part = (lot % 10_000) as f64 / 10_000.0;
    (50_000.0 * 40f64.powf(part)) as u64
}

/// A number that looks like chance (SplitMix64).
fn mixed(number: u32) -> u64 {
    let mut lot = u64::from(number)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    lot = (lot ^ lot >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    lot = (lot ^ lot >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    lot ^ lot >> 31
}

/// No sweep is shorter than this on `lanes` lanes, whatever it knows before, in microseconds.
pub(crate) fn bound_us(holds_us: &[u64], lanes: usize) -> u64 {
    let sum: u64 = holds_us.iter().sum();
    let longest = holds_us.iter().copied().max().unwrap_or_default();
    longest.max(sum / lanes as u64)
}

/// How long it is if each lane takes the next of the list the moment that it is free, in microseconds.
/// Nobody can do better with a list in random order, unless he knows who will be silent.
pub(crate) fn greedy_us(holds_us: &[u64], lanes: usize) -> u64 {
    let mut free: BinaryHeap<Reverse<u64>> = std::iter::repeat_n(Reverse(0), lanes).collect();
    let mut end_us = 0;
    for hold_us in holds_us {
        let Reverse(from_us) = free.pop().expect("there are lanes");
        end_us = end_us.max(from_us + hold_us);
        free.push(Reverse(from_us + hold_us));
    }
    end_us
}

/// `part_us` is at most `most` of `whole_us`; says by how much it is not.
pub(crate) fn assert_within(part_us: u64, whole_us: u64, most: f64, what: &str) {
    let ratio = part_us as f64 / whole_us as f64;
    let [part_s, whole_s] = [part_us, whole_us].map(|us| us as f64 / 1e6);
    assert!(
        ratio <= most,
        "{what}: {part_s:.2} s is {ratio:.3} of {whole_s:.2} s"
    );
}
