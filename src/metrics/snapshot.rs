//! The families that are derived from a snapshot.

use super::families as row;
use super::lists::Lists;
use super::page::Page;
use crate::cluster::{ClusterStat, NodeStat};
use crate::lanes::LaneStat;
use crate::snapshot::{Snapshot, SourceStat, Stat, Sweep, TargetStat};
use crate::version;
use proxy_shards::tally::LATENCY_BUCKETS_MS;
use proxy_shards::{Cause, Protocol, Tally, Verdict};
use std::time::SystemTime;

/// Puts every family of `snapshot` on the page.
pub(super) fn put_all(page: &mut Page, snapshot: &Snapshot, lists: &Lists, now: SystemTime) {
    put_probes(page, &snapshot.stat.probes);
    put_shards(page, &snapshot.stat);
    put_lanes(page, &snapshot.stat.lanes);
    put_sources(page, &snapshot.stat.sources, lists);
    put_targets(page, &snapshot.stat.targets);
    let age = now.duration_since(snapshot.published).unwrap_or_default();
    page.put_one(&row::ALIVE, snapshot.stat.total_alive as f64);
    page.put_one(&row::DEAD, snapshot.stat.total_dead as f64);
    let turns = snapshot.stat.turns;
    page.put(
        &row::TURNS,
        [
            (["found"], turns.found as f64),
            (["kept"], turns.kept as f64),
            (["lost"], turns.lost as f64),
        ],
    );
    page.put_one(&row::SWEEP_PROGRESS, progress(&snapshot.stat.sweep));
    page.put_one(&row::SWEEP_UNJUDGED, snapshot.stat.sweep.unjudged as f64);
    page.put_one(&row::GENERATION, snapshot.generation as f64);
    page.put_one(&row::AGE, age.as_secs_f64());
    page.put_one(&row::STALE, f64::from(u8::from(snapshot.stale)));
    page.put_one(&row::HELD, snapshot.stat.held as f64);
    page.put(
        &row::BY_PROTOCOL,
        Protocol::ALL.map(|p| ([p.label()], snapshot.pool.of(p).len() as f64)),
    );
    if let Some(cluster) = &snapshot.cluster {
        put_cluster(page, cluster, now);
    }
    page.put(
        &row::BUILD_INFO,
        [([version::NUMBER, version::COMMIT], 1.0)],
    );
}

fn put_probes(page: &mut Page, probes: &Tally) {
    let count = |verdict: Verdict| probes.verdicts[verdict as usize];
    let success = count(Verdict::Alive);
    let failure: u64 = Verdict::ALL
        .into_iter()
        .filter(|&verdict| verdict != Verdict::Alive && !verdict.is_local())
        .map(count)
        .fold(0, u64::saturating_add);
    page.put(
        &row::CHECKS,
        [(["failure"], failure as f64), (["success"], success as f64)],
    );
    page.put_one(&row::CHECKS_SUCCESS, success as f64);
    page.put_one(&row::CHECKS_FAILURE, failure as f64);
    page.put(
        &row::PROBES,
        Verdict::ALL.map(|verdict| ([verdict.label()], count(verdict) as f64)),
    );
    page.put_histogram(
        &row::CHECK_DURATION,
        LATENCY_BUCKETS_MS.map(|ms| f64::from(ms) / 1000.0),
        &probes.latency,
        probes.latency_us_sum as f64 / 1e6,
    );
}

fn put_shards(page: &mut Page, stat: &Stat) {
    let names: Vec<String> = (0..stat.shards.len()).map(|n| n.to_string()).collect();
    let shards = || names.iter().map(String::as_str).zip(&stat.shards);
    page.put(
        &row::PROBES_IN_FLIGHT,
        shards().map(|(name, shard)| ([name], shard.in_flight as f64)),
    );
    page.put(
        &row::PROBES_QUEUED,
        shards().map(|(name, shard)| ([name], shard.queued as f64)),
    );
    page.put(
        &row::SHARD_RESTARTS,
        shards().map(|(name, shard)| ([name], shard.restarts as f64)),
    );
    page.put(
        &row::LAG,
        shards().map(|(name, shard)| ([name], f64::from(shard.lag_us) / 1e6)),
    );
    page.put(
        &row::LANES,
        shards().map(|(name, _)| ([name], stat.lanes.per_shard as f64)),
    );
}

fn put_lanes(page: &mut Page, lanes: &LaneStat) {
    page.put_one(&row::LANES_WANTED, lanes.wanted as f64);
    let count = |cause: Cause| lanes.decisions[cause as usize] as f64;
    page.put(
        &row::GOVERNOR_DECISIONS,
        Cause::ALL.map(|cause| ([cause.label()], count(cause))),
    );
}

/// Names of nodes come from their configurations, where they are bounded.
fn put_cluster(page: &mut Page, cluster: &ClusterStat, now: SystemTime) {
    let flag = |is: bool| f64::from(u8::from(is));
    page.put_one(&row::CLUSTER_NODES, cluster.nodes.len() as f64);
    page.put_one(&row::CLUSTER_LEADER, flag(cluster.leads));
    page.put_one(&row::CLUSTER_LAG, cluster.lag() as f64);
    page.put_one(&row::CLUSTER_LINK_UP, flag(cluster.unlinked.is_none()));
    let age = cluster.as_of.and_then(|at| now.duration_since(at).ok());
    page.put_one(&row::CLUSTER_AGE, age.unwrap_or_default().as_secs_f64());
    let lanes = |node: &NodeStat| match node.idle_because {
        None => node.lanes as f64,
        Some(_) => 0.0,
    };
    page.put(
        &row::CLUSTER_NODE_LANES,
        cluster
            .nodes
            .iter()
            .map(|node| ([&*node.name], lanes(node))),
    );
}

fn put_targets(page: &mut Page, targets: &[TargetStat]) {
    let tried = || {
        let tried = targets.iter();
        tried.filter_map(|target| Some((&*target.name, target.control?, target.latency_ms)))
    };
    page.put(
        &row::REACHED,
        targets.iter().map(|t| ([&*t.name], t.reached as f64)),
    );
    page.put(
        &row::CONTROL_UP,
        tried().map(|(name, verdict, _)| ([name], f64::from(u8::from(verdict == Verdict::Alive)))),
    );
    page.put(
        &row::CONTROL_DURATION,
        tried().map(|(name, _, ms)| ([name], f64::from(ms) / 1000.0)),
    );
}

/// Their names hold no secret, and each has its own.
fn put_sources(page: &mut Page, sources: &[SourceStat], lists: &Lists) {
    page.put(
        &row::SCRAPED,
        sources
            .iter()
            .map(|s| ([&*s.url], lists.total(&s.url) as f64)),
    );
    page.put(
        &row::SOURCE_CANDIDATES,
        sources.iter().map(|s| ([&*s.url], s.found as f64)),
    );
    let tried = |s: &&SourceStat| s.fetched_at.is_some() || !s.error.is_empty();
    page.put(
        &row::SOURCE_UP,
        sources
            .iter()
            .filter(tried)
            .map(|s| ([&*s.url], f64::from(u8::from(s.error.is_empty())))),
    );
}

/// A sweep of nothing is complete; before the first sweep nothing is.
fn progress(sweep: &Sweep) -> f64 {
    match (sweep.id, sweep.total) {
        (0, _) => 0.0,
        (_, 0) => 1.0,
        (_, total) => (sweep.done as f64 / total as f64).min(1.0),
    }
}
