//! What the ledger keeps of one candidate.

use super::entry::Check;
use super::life::{History, Life, LifeId, Lives};
use crate::candidates::Short;
use proxy_shards::{Record, Require, TARGETS_MAX, Verdict, Works};

/// Failures in a row of a proxy that was alive, before it counts as dead for good. Each is followed
/// by a quick re-check; the pool lost it at the first.
pub const QUICK_RECHECKS: u32 = 2;

/// Where a candidate stands: decides when it is checked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never checked.
    New,
    /// Its last verdict is alive.
    Alive,
    /// It was alive until just now.
    Failing,
    /// It failed `times` in a row, the quick re-checks not counted.
    Dead {
        /// At least 1.
        times: u32,
    },
}

/// No source lists it any more.
pub(super) const UNLISTED: u16 = u16::MAX;
/// It was restored with a verdict, and no source has listed it since the start.
pub(super) const UNCLAIMED: u16 = u16::MAX - 1;
/// Somebody imported it, or it was restored without a verdict; no source has listed it since, and it
/// was not checked since.
pub(super) const IMPORTED: u16 = u16::MAX - 2;
/// Most sources that can be told apart.
pub const SOURCES_MAX: usize = IMPORTED as usize;

/// One candidate, in 32 bytes. What else there is of it stands elsewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) candidate: Short,
    pub(super) checked_at_ms: u64,
    /// Of one that was alive once.
    pub(super) life: Option<LifeId>,
    pub(super) failures: u32,
    /// The first source that lists it, [`IMPORTED`], [`UNCLAIMED`] or [`UNLISTED`].
    pub(super) source: u16,
    pub(super) verdict: Option<Verdict>,
    /// Its last failure may be the fault of a target that did not answer.
    pub(super) doubtful: bool,
    /// Its address was known under another scheme too, once.
    pub(super) shared: bool,
}

impl Row {
    pub(super) fn new(candidate: Short, source: u16) -> Row {
        Row {
            candidate,
            checked_at_ms: 0,
            life: None,
            failures: 0,
            source,
            verdict: None,
            doubtful: false,
            shared: false,
        }
    }

    /// Takes a record that counts, at `unix_ms`; the proxy reaches `works`.
    pub(super) fn take(
        &mut self,
        lives: &mut Lives,
        record: &Record,
        works: Works,
        doubtful: bool,
        unix_ms: u64,
    ) {
        self.verdict = Some(record.verdict);
        self.checked_at_ms = unix_ms;
        self.doubtful = doubtful;
        let is_alive = record.verdict == Verdict::Alive;
        self.failures = match is_alive {
            true => 0,
            false => self.failures.saturating_add(1),
        };
        if is_alive && self.life.is_none() {
            self.life = Some(lives.add(Life::default(), History::default()));
        }
        let Some(id) = self.life else { return };
        let life = lives.get_mut(id);
        if is_alive {
            life.alive_at_ms = unix_ms;
            life.timing = record.timing;
            life.spoke = works.enough(Require::Any, TARGETS_MAX);
            // A judge that did not answer takes nothing back.
            life.exit = record.exit.or(life.exit.filter(|_| works != record.works));
        }
        life.works = works;
        lives.history_mut(id).note(Check {
            at_s: u32::try_from(unix_ms / 1_000).unwrap_or(u32::MAX),
            total_us: record.timing.total_us,
            verdict: record.verdict,
        });
    }

    pub(super) fn is_alive(&self) -> bool {
        self.verdict == Some(Verdict::Alive)
    }

    /// Where it stands; `life` is its own.
    pub(super) fn standing(&self, life: Option<&Life>) -> Standing {
        let was_alive = life.is_some_and(|life| life.alive_at_ms != 0);
        let quick = if was_alive { QUICK_RECHECKS } else { 0 };
        match self.verdict {
            None => Standing::New,
            Some(Verdict::Alive) => Standing::Alive,
            Some(_) if self.failures <= quick => Standing::Failing,
            Some(_) => Standing::Dead {
                times: self.failures - quick,
            },
        }
    }
}
