//! The number of lanes: what is wanted, what is in force, and what changed it. Pure: the governor
//! decides, this feeds it and remembers.

use crate::config::Checker;
use proxy_shards::governor::{Decision, Governor, HOST_ERRORS, Rule, Signs};
use proxy_shards::{Cause, Report};
use std::num::NonZeroUsize;

/// The governor looks this often, in milliseconds: as often as a shard reports.
const LOOK_MS: u64 = 100;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Lanes of all shards together.
    pub lanes: NonZeroUsize,
    /// What fewer lanes are to keep within; absent: there are as many as are wanted.
    pub within: Option<Shares>,
}

/// Shares of this host, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Of the CPUs that the process may use.
    pub cpu: u8,
    /// Of the descriptor table of each shard's ring.
    pub descriptors: u8,
}

impl From<&Checker> for Wish {
    fn from(checker: &Checker) -> Wish {
        Wish {
            lanes: checker.concurrency,
            within: checker.adaptive.then_some(Shares {
                cpu: checker.max_cpu_usage_percent,
                descriptors: checker.max_fd_usage_percent,
            }),
        }
    }
}

/// What is shown of the lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStat {
    /// As configured, all shards together.
    pub wanted: u64,
    /// In force in each shard.
    pub per_shard: u64,
    /// Decisions of the governor since the start, `cause as usize`.
    pub decisions: [u64; Cause::ALL.len()],
}

/// There are to be others now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// All shards together.
    pub lanes: NonZeroUsize,
    /// What is worth a line: a cause other than the last that was told.
    pub news: Option<News>,
}

/// What is told when the lanes change for another reason than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The kernel refuses probes, mostly with this verdict.
    LocalErrors(&'static str),
    /// The process uses more CPU than it may.
    Cpu,
    /// The shards come late.
    Lag,
    /// There are as many as are wanted again.
    Recovered,
}

impl News {
    /// The line.
    pub fn text(self) -> String {
        match self {
            News::LocalErrors(verdict) => format!(
                "this host bears no more probes at once ({verdict}): there are fewer lanes until it does"
            ),
            News::Cpu => {
                "more of the CPUs is used than may be: there are fewer lanes until less is".into()
            }
            News::Lag => {
                "the shards come late to their work: there are fewer lanes until they are in time"
                    .into()
            }
            News::Recovered => "there are as many lanes as are wanted again".into(),
        }
    }
}

/// The lanes of all shards.
#[derive(Debug)]
pub struct Lanes {
    shards: usize,
    /// The soft RLIMIT_NOFILE, which bounds the table of each ring.
    descriptors: u64,
    wanted: NonZeroUsize,
    /// What the shards were told last, and what each of them granted.
    told: usize,
    per_shard: usize,
    governor: Option<Governor>,
    /// Since the last look.
    signs: Signs,
    in_flight: Vec<usize>,
    looked_ms: u64,
    decisions: [u64; Cause::ALL.len()],
    /// The last cause that was news.
    cause: Option<Cause>,
}

impl Lanes {
    /// Each shard has `per_shard` so far. `descriptors` is the soft RLIMIT_NOFILE.
    pub fn new(
        shards: usize,
        per_shard: usize,
        descriptors: u64,
        wish: Wish,
        now_ms: u64,
    ) -> Lanes {
        let mut lanes = Lanes {
            shards,
            descriptors,
            wanted: wish.lanes,
            told: 0,
            per_shard,
            governor: None,
            signs: Signs::default(),
            in_flight: vec![0; shards],
            looked_ms: now_ms,
            decisions: [0; Cause::ALL.len()],
            cause: None,
        };
        lanes.set_wish(wish, now_ms);
        lanes.told = per_shard * shards;
        lanes
    }

    /// Something else is wanted: so many lanes there are to be now, all shards together.
    pub fn set_wish(&mut self, wish: Wish, now_ms: u64) -> NonZeroUsize {
        self.wanted = wish.lanes;
        let Some(shares) = wish.within else {
            (self.governor, self.cause) = (None, None);
            return self.tell(wish.lanes.get());
        };
        let rule = Rule {
            wish: self.allowed(wish.lanes.get(), shares.descriptors),
            unit: self.shards.max(1),
            cpu_percent_max: shares.cpu.into(),
        };
        let governor = self
            .governor
            .get_or_insert_with(|| Governor::new(rule, now_ms));
        governor.set_rule(rule);
        let lanes = governor.lanes();
        self.tell(lanes)
    }

    fn tell(&mut self, lanes: usize) -> NonZeroUsize {
        self.told = lanes;
        at_least_one(lanes)
    }

    /// No more lanes than may use the tables of the rings.
    fn allowed(&self, wish: usize, percent: u8) -> usize {
        let per_shard = (self.descriptors / 100).saturating_mul(percent.into())
            + self.descriptors % 100 * u64::from(percent) / 100;
        let per_shard = usize::try_from(per_shard).unwrap_or(usize::MAX);
        let allowed = per_shard.max(1).saturating_mul(self.shards);
        if allowed < wish {
            tracing::warn!(
                wanted = wish,
                lanes = allowed,
                nofile = self.descriptors,
                "fewer lanes than wanted: those of a shard may use checker.max_fd_usage_percent of \
                 RLIMIT_NOFILE; raise one of them, or the number of shards"
            );
        }
        wish.min(allowed)
    }

    /// Whether there may be fewer than are wanted.
    pub fn are_governed(&self) -> bool {
        self.governor.is_some()
    }

    /// The shards granted so many each.
    pub fn granted(&mut self, per_shard: usize) {
        self.per_shard = per_shard;
    }

    /// Takes in what a shard reports.
    pub fn note(&mut self, report: &Report) {
        self.signs.count(&report.tally);
        self.signs.lag_us = self.signs.lag_us.max(report.lag_us);
        if let Some(in_flight) = self.in_flight.get_mut(report.shard) {
            *in_flight = report.in_flight;
        }
    }

    /// The process uses so much of the CPUs.
    pub fn note_cpu(&mut self, percent: u32) {
        self.signs.cpu_percent = Some(percent);
    }

    /// When [`Lanes::look`] is due, if ever.
    pub fn due_at(&self) -> Option<u64> {
        self.governor.as_ref().map(|_| self.looked_ms + LOOK_MS)
    }

    /// Has the governor look, if it is time; `demand` is the number of jobs that are with the shards.
    pub fn look(&mut self, demand: usize, now_ms: u64) -> Option<Change> {
        let governor = self.governor.as_mut()?;
        if now_ms < self.looked_ms + LOOK_MS {
            return None;
        }
        self.looked_ms = now_ms;
        let seen = Signs {
            in_flight: self.in_flight.iter().sum(),
            demand,
            ..std::mem::take(&mut self.signs)
        };
        let decision = governor.look(&seen, now_ms);
        let lanes = governor.lanes();
        let news = decision.and_then(|Decision { cause, .. }| {
            self.decisions[cause as usize] += 1;
            self.news(cause, &seen)
        });
        (lanes != self.told).then(|| Change {
            lanes: self.tell(lanes),
            news,
        })
    }

    /// A line for a change of cause, none for each step.
    fn news(&mut self, cause: Cause, seen: &Signs) -> Option<News> {
        if cause == Cause::Raised || self.cause == Some(cause) {
            return None;
        }
        self.cause = Some(cause);
        match cause {
            Cause::Raised => None,
            Cause::LocalErrors => Some(News::LocalErrors(most(seen))),
            Cause::Cpu => Some(News::Cpu),
            Cause::Lag => Some(News::Lag),
            Cause::Recovered => Some(News::Recovered),
        }
    }

    /// What is shown.
    pub fn stat(&self) -> LaneStat {
        LaneStat {
            wanted: self.wanted.get() as u64,
            per_shard: self.per_shard as u64,
            decisions: self.decisions,
        }
    }
}

/// The word of the error that came most.
fn most(seen: &Signs) -> &'static str {
    let counted = HOST_ERRORS.into_iter().zip(seen.errors);
    let most = counted.max_by_key(|&(_, count)| count);
    most.map_or("", |(verdict, _)| verdict.label())
}

fn at_least_one(lanes: usize) -> NonZeroUsize {
    NonZeroUsize::new(lanes).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests;
