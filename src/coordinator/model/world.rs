//! What is true of the proxies and of the target, whatever the coordinator believes.

use proxy_shards::Verdict;

/// As long as a silent proxy holds its lane, in milliseconds.
pub(super) const TIMEOUT_MS: u64 = 15_000;
/// A moody proxy changes its mind this often, in milliseconds.
const MOOD_MS: u64 = 7_000;

/// How a proxy behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Alive,
    Refused,
    Silent,
    /// This host has no port for it.
    NoPort,
    /// Alive now and then.
    Moody,
}

pub(super) const NATURES: [Nature; 5] = [
    Nature::Alive,
    Nature::Refused,
    Nature::Silent,
    Nature::NoPort,
    Nature::Moody,
];

pub(super) struct World {
    pub(super) natures: Vec<Nature>,
    pub(super) target_answers: bool,
}

impl World {
    pub(super) fn new(natures: Vec<Nature>) -> World {
        World {
            natures,
            target_answers: true,
        }
    }

    /// How a probe of `n` ends that begins at `at_ms`, and after how many milliseconds.
    pub(super) fn probe(&self, n: u32, at_ms: u64) -> (Verdict, u64) {
        // Without its target an honest proxy has a page of its own.
        let served = match self.target_answers {
            true => Verdict::Alive,
            false => Verdict::OwnPage,
        };
        match self.natures[n as usize] {
            Nature::Alive => (served, 50),
            Nature::Refused => (Verdict::Refused, 30),
            Nature::Silent => (Verdict::ResponseTimeout, TIMEOUT_MS),
            Nature::NoPort => (Verdict::LocalPorts, 5),
            Nature::Moody if (at_ms / MOOD_MS).is_multiple_of(2) => (served, 400),
            Nature::Moody => (Verdict::OwnPage, 80),
        }
    }

    /// How the target fares without a proxy.
    pub(super) fn reach(&self) -> (Verdict, u64) {
        match self.target_answers {
            true => (Verdict::Alive, 20),
            false => (Verdict::Refused, 20),
        }
    }

    /// Nothing changes any more, and nothing is this host's fault.
    pub(super) fn settle(&mut self) {
        self.target_answers = true;
        for nature in &mut self.natures {
            *nature = match *nature {
                Nature::Moody => Nature::Alive,
                Nature::NoPort => Nature::Refused,
                settled => settled,
            };
        }
    }

    pub(super) fn is_alive(&self, n: u32) -> bool {
        self.natures[n as usize] == Nature::Alive
    }
}
