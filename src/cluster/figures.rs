//! A publication as it is carried: JSON, so that a node of another version neither breaks on what it
//! does not know nor misses what it is not told. Pure.

use super::Publication;
use crate::lanes::LaneStat;
use crate::snapshot::{ShardStat, SourceStat, Spread, Stale, Stat, Sweep, TargetStat, Turns};
use proxy_shards::tally::LATENCY_BUCKETS_MS;
use proxy_shards::{Cause, Tally, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The form that is written. One that only adds keys keeps its number.
const VERSION: u32 = 1;

/// Why a publication cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FiguresError {
    /// It is not what any version writes.
    #[error("what the leader published cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A later version wrote it, and means something else by the same words.
    #[error(
        "the leader publishes in form {0}, which this version does not know; have the same version on all nodes"
    )]
    Version(u32),
}

impl Publication {
    /// As it is carried.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&Figures::of(self)).expect("numbers, texts, lists and maps are JSON")
    }

    /// From what was carried.
    ///
    /// # Errors
    /// It is no JSON of that form, or of a later one.
    pub fn from_json(bytes: &[u8]) -> Result<Publication, FiguresError> {
        let figures: Figures = serde_json::from_slice(bytes)?;
        match figures.version {
            VERSION => Ok(figures.publication()),
            other => Err(FiguresError::Version(other)),
        }
    }
}

/// Milliseconds since the Unix epoch.
type Ms = u64;

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Figures {
    version: u32,
    generation: u64,
    at_ms: Ms,
    held_pool: bool,
    total_scraped: u64,
    total_alive: u64,
    total_dead: u64,
    last_check: Option<Ms>,
    verdicts: BTreeMap<String, u64>,
    /// Found, kept, lost.
    turns: [u64; 3],
    probes: Probes,
    sources: Vec<Source>,
    sweep: SweepFigures,
    targets: Vec<Target>,
    stale: Option<(String, Ms)>,
    held: u64,
    lanes: Lanes,
    shards: Vec<Shard>,
    /// Median and 95th percentile.
    latency_ms: [u32; 2],
    latency_spread: Vec<u64>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Probes {
    verdicts: BTreeMap<String, u64>,
    latency: Vec<u64>,
    latency_us_sum: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Source {
    url: Box<str>,
    found: u64,
    alive: u64,
    skipped: u64,
    error: Box<str>,
    failures: u32,
    fetched_at: Option<Ms>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct SweepFigures {
    id: u64,
    total: u64,
    done: u64,
    unjudged: u64,
    started: Option<Ms>,
    finished: Option<Ms>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Target {
    name: Box<str>,
    control: Option<String>,
    latency_ms: u32,
    reached: u64,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Lanes {
    wanted: u64,
    per_shard: u64,
    decisions: BTreeMap<String, u64>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Shard {
    in_flight: u64,
    queued: u64,
    lag_us: u32,
    restarts: u64,
}

impl Figures {
    fn of(publication: &Publication) -> Figures {
        let stat = &*publication.stat;
        Figures {
            version: VERSION,
            generation: publication.generation,
            at_ms: publication.at_ms,
            held_pool: publication.stale,
            total_scraped: stat.total_scraped,
            total_alive: stat.total_alive,
            total_dead: stat.total_dead,
            last_check: stat.last_check.map(ms),
            verdicts: by_label(&stat.verdicts),
            turns: [stat.turns.found, stat.turns.kept, stat.turns.lost],
            probes: Probes {
                verdicts: by_label(&stat.probes.verdicts),
                latency: stat.probes.latency.to_vec(),
                latency_us_sum: stat.probes.latency_us_sum,
            },
            sources: stat.sources.iter().map(Source::of).collect(),
            sweep: SweepFigures {
                id: stat.sweep.id,
                total: stat.sweep.total,
                done: stat.sweep.done,
                unjudged: stat.sweep.unjudged,
                started: stat.sweep.started.map(ms),
                finished: stat.sweep.finished.map(ms),
            },
            targets: stat.targets.iter().map(Target::of).collect(),
            stale: stat
                .stale
                .map(|(why, since)| (why.label().into(), ms(since))),
            held: stat.held,
            lanes: Lanes::of(&stat.lanes),
            shards: stat.shards.iter().map(Shard::of).collect(),
            latency_ms: [stat.latency_ms_p50, stat.latency_ms_p95],
            latency_spread: stat.latency_spread.rows().map(|(_, count)| count).collect(),
        }
    }

    fn publication(self) -> Publication {
        let [found, kept, lost] = self.turns;
        let stat = Stat {
            total_scraped: self.total_scraped,
            total_alive: self.total_alive,
            total_dead: self.total_dead,
            last_check: self.last_check.map(moment),
            verdicts: verdicts(&self.verdicts),
            turns: Turns { found, kept, lost },
            probes: self.probes.tally(),
            sources: self.sources.into_iter().map(Source::stat).collect(),
            sweep: Sweep {
                id: self.sweep.id,
                total: self.sweep.total,
                done: self.sweep.done,
                unjudged: self.sweep.unjudged,
                started: self.sweep.started.map(moment),
                finished: self.sweep.finished.map(moment),
            },
            targets: self.targets.into_iter().map(Target::stat).collect(),
            // A reason that is not known here yet is still one.
            stale: self.stale.map(|(why, since)| {
                (
                    Stale::from_label(&why).unwrap_or(Stale::Control),
                    moment(since),
                )
            }),
            held: self.held,
            lanes: self.lanes.stat(),
            shards: self.shards.into_iter().map(Shard::stat).collect(),
            latency_ms_p50: self.latency_ms[0],
            latency_ms_p95: self.latency_ms[1],
            latency_spread: Spread::of_counts(&self.latency_spread),
        };
        Publication {
            generation: self.generation,
            at_ms: self.at_ms,
            stat: Arc::new(stat),
            stale: self.held_pool,
        }
    }
}

impl Probes {
    fn tally(&self) -> Tally {
        let mut latency = [0; LATENCY_BUCKETS_MS.len() + 1];
        latency
            .iter_mut()
            .zip(&self.latency)
            .for_each(|(to, from)| *to = *from);
        Tally {
            verdicts: verdicts(&self.verdicts),
            latency,
            latency_us_sum: self.latency_us_sum,
        }
    }
}

impl Source {
    fn of(stat: &SourceStat) -> Source {
        Source {
            url: stat.url.clone(),
            found: stat.found,
            alive: stat.alive,
            skipped: stat.skipped,
            error: stat.error.clone(),
            failures: stat.failures,
            fetched_at: stat.fetched_at.map(ms),
        }
    }

    fn stat(self) -> SourceStat {
        SourceStat {
            url: self.url,
            found: self.found,
            alive: self.alive,
            skipped: self.skipped,
            error: self.error,
            failures: self.failures,
            fetched_at: self.fetched_at.map(moment),
        }
    }
}

impl Target {
    fn of(stat: &TargetStat) -> Target {
        Target {
            name: stat.name.clone(),
            control: stat.control.map(|verdict| verdict.label().to_owned()),
            latency_ms: stat.latency_ms,
            reached: stat.reached,
        }
    }

    fn stat(self) -> TargetStat {
        TargetStat {
            name: self.name,
            control: self.control.and_then(|label| Verdict::from_label(&label)),
            latency_ms: self.latency_ms,
            reached: self.reached,
        }
    }
}

impl Lanes {
    fn of(stat: &LaneStat) -> Lanes {
        let decision = |cause: Cause| (cause.label().to_owned(), stat.decisions[cause as usize]);
        Lanes {
            wanted: stat.wanted,
            per_shard: stat.per_shard,
            decisions: Cause::ALL.into_iter().map(decision).collect(),
        }
    }

    fn stat(&self) -> LaneStat {
        let count = |cause: Cause| self.decisions.get(cause.label()).copied().unwrap_or(0);
        LaneStat {
            wanted: self.wanted,
            per_shard: self.per_shard,
            decisions: Cause::ALL.map(count),
        }
    }
}

impl Shard {
    fn of(stat: &ShardStat) -> Shard {
        Shard {
            in_flight: stat.in_flight,
            queued: stat.queued,
            lag_us: stat.lag_us,
            restarts: stat.restarts,
        }
    }

    fn stat(self) -> ShardStat {
        ShardStat {
            in_flight: self.in_flight,
            queued: self.queued,
            lag_us: self.lag_us,
            restarts: self.restarts,
        }
    }
}

/// By their words, since another version may have more of them; none that are 0.
fn by_label(counts: &[u64; Verdict::COUNT]) -> BTreeMap<String, u64> {
    let counted = Verdict::ALL
        .into_iter()
        .map(|v| (v.label(), counts[v as usize]));
    let counted = counted.filter(|(_, count)| *count > 0);
    counted
        .map(|(label, count)| (label.to_owned(), count))
        .collect()
}

fn verdicts(by_label: &BTreeMap<String, u64>) -> [u64; Verdict::COUNT] {
    Verdict::ALL.map(|verdict| by_label.get(verdict.label()).copied().unwrap_or(0))
}

fn ms(at: SystemTime) -> Ms {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// What cannot be a moment, from whoever wrote it, is the epoch.
fn moment(ms: Ms) -> SystemTime {
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    at.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
