//! `/stat`: the figures of the snapshot.

use crate::api::ApiState;
use crate::api::answer::Answer;
use crate::api::time::Rfc3339;
use crate::cluster::{ClusterStat, NodeStat};
use crate::metrics::Saves;
use crate::snapshot::{ShardStat, Snapshot, SourceStat, Sweep, TargetStat};
use axum::http::StatusCode;
use proxy_shards::{Protocol, Verdict};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// The old keys with their old meaning, and ours beside them.
pub(super) fn answer(state: &ApiState) -> Answer {
    let snapshot = state.snapshots.load();
    let saves = state.metrics.saves();
    Answer::json(StatusCode::OK, &Figures::of(&snapshot, saves))
}

#[derive(Serialize)]
struct Figures<'s> {
    alive_percent: String,
    last_check: Rfc3339,
    sources: BTreeMap<&'s str, SourceFigures<'s>>,
    total_alive: u64,
    total_dead: u64,
    total_scraped: u64,
    updated: Rfc3339,
    generation: u64,
    stale: bool,
    stale_reason: Option<&'static str>,
    stale_since: Option<Rfc3339>,
    held: u64,
    targets: BTreeMap<&'s str, TargetFigures>,
    latency_ms: Latency,
    protocols: BTreeMap<&'static str, usize>,
    verdicts: BTreeMap<&'static str, u64>,
    sweep: SweepFigures,
    shards: Vec<ShardFigures>,
    storage: StorageFigures,
    /// Absent on a machine alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterFigures<'s>>,
}

impl Figures<'_> {
    fn of<'s>(snapshot: &'s Snapshot, saves: &Saves) -> Figures<'s> {
        let stat = &*snapshot.stat;
        let shard = |shard| ShardFigures::of(shard, stat.lanes.per_shard);
        let stale = stat.stale.filter(|_| snapshot.stale);
        let published = (snapshot.generation > 0).then_some(snapshot.published);
        Figures {
            alive_percent: percent(stat.total_alive, stat.total_dead),
            last_check: Rfc3339(stat.last_check),
            sources: stat.sources.iter().map(SourceFigures::of).collect(),
            total_alive: stat.total_alive,
            total_dead: stat.total_dead,
            total_scraped: stat.total_scraped,
            updated: Rfc3339(published),
            generation: snapshot.generation,
            stale: snapshot.stale,
            stale_reason: stale.map(|(why, _)| why.label()),
            stale_since: moment(stale.map(|(_, since)| since)),
            held: stat.held,
            targets: stat.targets.iter().map(TargetFigures::of).collect(),
            latency_ms: Latency {
                p50: stat.latency_ms_p50,
                p95: stat.latency_ms_p95,
                histogram: stat.latency_spread.rows().map(LatencyRow::from).collect(),
            },
            protocols: Protocol::ALL
                .map(|protocol| (protocol.label(), snapshot.pool.of(protocol).len()))
                .into(),
            verdicts: Verdict::ALL
                .map(|verdict| (verdict.label(), stat.verdicts[verdict as usize]))
                .into(),
            sweep: SweepFigures::of(&stat.sweep),
            shards: stat.shards.iter().map(shard).collect(),
            storage: StorageFigures {
                failing_since: moment(saves.failing_since()),
                saved_at: moment(saves.saved_at()),
            },
            cluster: snapshot.cluster.as_deref().map(ClusterFigures::of),
        }
    }
}

/// The alive among those that have a verdict, with two decimals.
fn percent(alive: u64, dead: u64) -> String {
    let checked = alive.saturating_add(dead).max(1);
    format!("{:.2}%", alive as f64 * 100.0 / checked as f64)
}

/// The first three keys are spelled as the old service spelled them.
#[derive(Serialize)]
struct SourceFigures<'s> {
    #[serde(rename = "URL")]
    url: &'s str,
    #[serde(rename = "ProxiesFound")]
    found: u64,
    #[serde(rename = "Error")]
    error: &'s str,
    skipped: u64,
    alive: u64,
    fetched_at: Option<Rfc3339>,
}

impl SourceFigures<'_> {
    fn of(source: &SourceStat) -> (&str, SourceFigures<'_>) {
        let figures = SourceFigures {
            url: &source.url,
            found: source.found,
            error: &source.error,
            skipped: source.skipped,
            alive: source.alive,
            fetched_at: moment(source.fetched_at),
        };
        (&source.url, figures)
    }
}

#[derive(Serialize)]
struct TargetFigures {
    /// `None`: not asked without a proxy.
    up: Option<bool>,
    verdict: Option<&'static str>,
    latency_ms: Option<u32>,
    reached: u64,
}

impl TargetFigures {
    fn of(target: &TargetStat) -> (&str, TargetFigures) {
        let figures = TargetFigures {
            up: target.control.map(|verdict| verdict == Verdict::Alive),
            verdict: target.control.map(Verdict::label),
            latency_ms: target.control.map(|_| target.latency_ms),
            reached: target.reached,
        };
        (&target.name, figures)
    }
}

#[derive(Serialize)]
struct Latency {
    p50: u32,
    p95: u32,
    histogram: Vec<LatencyRow>,
}

#[derive(Serialize)]
struct LatencyRow {
    /// Milliseconds, inclusive; `None`: all that is longer.
    up_to: Option<u32>,
    count: u64,
}

impl From<(Option<u32>, u64)> for LatencyRow {
    fn from((up_to, count): (Option<u32>, u64)) -> LatencyRow {
        LatencyRow { up_to, count }
    }
}

#[derive(Serialize)]
struct SweepFigures {
    id: u64,
    total: u64,
    done: u64,
    unjudged: u64,
    started: Option<Rfc3339>,
    finished: Option<Rfc3339>,
}

impl SweepFigures {
    fn of(sweep: &Sweep) -> SweepFigures {
        SweepFigures {
            id: sweep.id,
            total: sweep.total,
            done: sweep.done,
            unjudged: sweep.unjudged,
            started: moment(sweep.started),
            finished: moment(sweep.finished),
        }
    }
}

#[derive(Serialize)]
struct ShardFigures {
    lanes: u64,
    in_flight: u64,
    queued: u64,
    lag_ms: u32,
    restarts: u64,
}

impl ShardFigures {
    fn of(shard: &ShardStat, lanes: u64) -> ShardFigures {
        ShardFigures {
            lanes,
            in_flight: shard.in_flight,
            queued: shard.queued,
            lag_ms: shard.lag_us / 1_000,
            restarts: shard.restarts,
        }
    }
}

/// What would be lost by a restart is what came after the last save.
#[derive(Serialize)]
struct StorageFigures {
    failing_since: Option<Rfc3339>,
    saved_at: Option<Rfc3339>,
}

/// The nodes, as this one sees them.
#[derive(Serialize)]
struct ClusterFigures<'s> {
    node: &'s str,
    leads: bool,
    leader: Option<&'s str>,
    /// `up`, or why the others cannot be heard.
    link: &'s str,
    /// When the nodes were as they stand here; `None`: a moment ago.
    as_of: Option<Rfc3339>,
    lag: u64,
    nodes: Vec<NodeFigures<'s>>,
}

#[derive(Serialize)]
struct NodeFigures<'s> {
    name: &'s str,
    leads: bool,
    lanes: u64,
    in_flight: u64,
    taken: u64,
    silent_ms: u64,
    lag: u64,
    idle_because: Option<&'s str>,
    version: &'s str,
}

impl ClusterFigures<'_> {
    fn of(cluster: &ClusterStat) -> ClusterFigures<'_> {
        ClusterFigures {
            node: &cluster.node,
            leads: cluster.leads,
            leader: cluster.leader.as_deref(),
            link: cluster.unlinked.as_deref().unwrap_or("up"),
            as_of: moment(cluster.as_of),
            lag: cluster.lag(),
            nodes: cluster.nodes.iter().map(NodeFigures::of).collect(),
        }
    }
}

impl NodeFigures<'_> {
    fn of(node: &NodeStat) -> NodeFigures<'_> {
        NodeFigures {
            name: &node.name,
            leads: node.leads,
            lanes: node.lanes,
            in_flight: node.in_flight,
            taken: node.taken,
            silent_ms: node.silent_ms,
            lag: node.lag,
            idle_because: node.idle_because.as_deref(),
            version: &node.version,
        }
    }
}

/// Our own keys say `null` for what never was.
fn moment(at: Option<SystemTime>) -> Option<Rfc3339> {
    at.map(|at| Rfc3339(Some(at)))
}

#[cfg(test)]
mod tests;
