//! What is outside of the process: the store, the sources, the targets.

use super::finding::Finding;
use super::redis::{self, Purpose};
use crate::commands::check::direct::{self, Addresses};
use crate::commands::check::names;
use crate::commands::explain::without_proxy;
use crate::config::{Aggregator, Backend};
use crate::sources::fetch::{FetchError, Fetched, Fetcher};
use crate::store::{is_want_of_room, openable};
use crossbeam_channel::never;
use proxy_shards::{ProbePolicy, Target, Verdict};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Less free space than this may not hold the next save, in bytes.
const FREE_MIN: u64 = 1 << 30;

/// Whether a file can be made beside what is kept. The store itself is not opened: the service may
/// run.
pub(super) fn store(backend: &Backend, in_cluster: bool) -> Finding {
    let backend = match openable(backend) {
        Ok(backend) => backend,
        Err(error) => {
            let text = error.to_string();
            let (found, remedy) = text
                .rsplit_once("; ")
                .unwrap_or((&text, "see storage.path"));
            return Finding::bad("store", found, remedy);
        }
    };
    let path = match &backend {
        Backend::Sled(path) | Backend::File(path) | Backend::Sqlite(path) => path,
        Backend::Memory => return Finding::ok("store", "nothing is kept: storage.type is memory"),
        Backend::Redis { place, .. } => return redis::look(Purpose::Store, place),
    };
    let folder = existing(path.parent().unwrap_or(Path::new("")));
    let shown = folder.display();
    if let Err(error) = tempfile::NamedTempFile::new_in(&folder) {
        let found = format!("nothing can be written into {shown}: {error}");
        // A node of a cluster does not start so.
        if is_want_of_room(&error) && !in_cluster {
            let remedy = "make room, or have it mounted writable: until then the service works and saves nothing";
            return Finding::warning("store", found, remedy);
        }
        let remedy = "make the folder writable for the service's user, or set storage.path";
        return Finding::bad("store", found, remedy);
    }
    match rustix::fs::statvfs(existing(path)) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let found = format!("{shown} is writable, {} MB are free", free / 1_000_000);
            match free >= FREE_MIN {
                true => Finding::ok("store", found),
                false => Finding::warning("store", found, "make room: a save needs twice its size"),
            }
        }
        Err(_) => Finding::ok("store", format!("{shown} is writable")),
    }
}

/// The first folder on the way up from `folder` that is there: the store makes the rest.
fn existing(folder: &Path) -> PathBuf {
    let ancestors = folder.ancestors().filter(|path| path.is_dir());
    let mut ancestors = ancestors.filter(|path| !path.as_os_str().is_empty());
    ancestors.next().unwrap_or(Path::new(".")).to_owned()
}

/// Fetches every source that is enabled. One that works is enough for the service.
pub(super) fn sources(aggregator: &Aggregator) -> Vec<Finding> {
    if aggregator.sources.is_empty() {
        let remedy = "add one to aggregator.sources, with \"enabled\": true";
        return vec![Finding::warning("sources", "none is enabled", remedy)];
    }
    match fetch(aggregator) {
        Ok(results) => {
            let all_failed = results.iter().all(|(_, result)| result.is_err());
            let told = results.into_iter();
            told.map(|(url, result)| source(&url, result, all_failed))
                .collect()
        }
        Err(text) => vec![Finding::bad("sources", text, "see above")],
    }
}

/// What became of each source, by its name.
type Results = Vec<(Box<str>, Result<Fetched, FetchError>)>;

fn fetch(aggregator: &Aggregator) -> Result<Results, String> {
    let fetcher = Fetcher::new(aggregator).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("no runtime: {error}"))?;
    let mut results = runtime.block_on(async {
        let (to, mut from) = mpsc::channel(1);
        let mut results = Vec::new();
        let collect = async {
            while let Some(result) = from.recv().await {
                results.push(result);
            }
        };
        tokio::join!(fetcher.fetch_all(&aggregator.sources, to), collect);
        results
    });
    results.sort_by_key(|(place, _)| *place);
    let named = |(place, result): (usize, _)| (aggregator.sources[place].url.clone(), result);
    Ok(results.into_iter().map(named).collect())
}

fn source(url: &str, result: Result<Fetched, FetchError>, all_failed: bool) -> Finding {
    match result {
        Ok(Fetched::List(list)) => Finding::ok(
            "source",
            format!("{url}: {} proxies", list.candidates.len()),
        ),
        Ok(Fetched::NotModified) => Finding::ok("source", url),
        Err(error) => {
            let found = format!("{url}: {error}");
            let remedy = "see whether this host reaches it; take it out if it is gone";
            match all_failed {
                true => Finding::bad("source", found, remedy),
                false => Finding::warning("source", found, remedy),
            }
        }
    }
}

/// Reaches the targets without a proxy, as the control probes do, but for those of whom it cannot be
/// told whether they answer rightly.
pub(super) fn targets(
    policy: &Arc<ProbePolicy>,
    is_untold: impl Fn(&Target) -> bool,
) -> Vec<Finding> {
    let (untold, told): (Vec<Target>, Vec<Target>) =
        policy.targets.iter().cloned().partition(is_untold);
    let mut findings: Vec<Finding> = untold
        .iter()
        .map(|target| {
            let url = direct::url(target);
            Finding::unknown(
                "target",
                format!("{url}: not asked, for want of its secret"),
            )
        })
        .collect();
    if !told.is_empty() {
        let policy = ProbePolicy {
            targets: told.into(),
            ..(**policy).clone()
        };
        findings.extend(reached(&Arc::new(policy)));
    }
    findings
}

/// Whether each target is reached.
fn reached(policy: &Arc<ProbePolicy>) -> Vec<Finding> {
    // Nobody interrupts it but by ending the process.
    let found = names::resolve(direct::host_names(policy), names::system, &never());
    let addresses = Addresses::new(policy, &found.unwrap_or_default());
    let verdicts = without_proxy(policy, &addresses);
    let alive = |verdict: &&Verdict| **verdict == Verdict::Alive;
    let reached = verdicts.iter().filter(alive).count();
    let enough = match policy.require {
        proxy_shards::Require::All => reached == verdicts.len(),
        proxy_shards::Require::Any => reached > 0,
    };
    let told = policy.targets.iter().zip(&verdicts);
    told.map(|(target, verdict)| {
        let found = format!("{}: {}", direct::url(target), verdict.label());
        let remedy =
            "docs/verdicts.md says what it means; no verdict counts while targets do not answer";
        match (verdict, enough) {
            (Verdict::Alive, _) => Finding::ok("target", found),
            (_, true) => Finding::warning("target", found, remedy),
            (_, false) => Finding::bad("target", found, remedy),
        }
    })
    .collect()
}
