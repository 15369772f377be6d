//! No route, no names, and targets that are down, slow or lie.
//!
//! Each case runs in a network of its own, where it may take away what it likes.

mod gone;
mod names;
mod resolver;
mod targets;
mod world;

use crate::alone::alone;
use crate::stage::Service;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::eventually;

/// How soon an outage is told and is over: a probe of the target runs into its time, and a busy machine
/// is given as much again as a quiet one needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Named by the resolver of that network, and by nothing else.
const NAME_SERVER: &str = "127.0.0.53";

/// Whether this process is alone in a network that has its own resolver; otherwise `test` was run in one.
fn is_alone(test: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let resolver = folder.path().join("resolv.conf");
    fs::write(&resolver, format!("nameserver {NAME_SERVER}\n")).unwrap();
    let mount = format!("mount --bind {} /etc/resolv.conf", resolver.display());
    alone(test, &mount)
}

/// Runs a line of a shell, which must succeed.
fn shell(line: &str) {
    let status = Command::new("sh").args(["-c", line]).status();
    assert!(status.is_ok_and(|status| status.success()), "{line}");
}

/// The one sample of a metric without labels, or of one with these labels.
fn metric(service: &Service, name: &str) -> f64 {
    let (status, page) = service.get("/metrics");
    assert_eq!(status, 200, "{page}");
    let begin = format!("proxychecker_{name} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&begin));
    let value = line.unwrap_or_else(|| panic!("no {name}: {page}"));
    value.trim().parse().unwrap()
}

/// Checks that found a proxy alive that was alive before.
fn kept(service: &Service) -> f64 {
    metric(service, "alive_checks_total{result=\"kept\"}")
}

/// What must not change while nobody can say anything of a proxy.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    served: BTreeSet<String>,
    dead: Value,
    lost: String,
}

impl Standing {
    fn of(service: &Service) -> Standing {
        let lost = metric(service, "alive_checks_total{result=\"lost\"}");
        Standing {
            served: service.served(),
            dead: service.stat()["total_dead"].clone(),
            lost: lost.to_string(),
        }
    }
}

/// Waits until the service says that it cannot judge, and how its target `name` fares.
fn is_stale(service: &Service, name: &str) -> Value {
    eventually(PATIENCE, "the service says that it is stale", || {
        let stat = service.stat();
        (stat["stale"] == true).then_some(())
    });
    let stat = service.stat();
    assert_eq!(stat["stale_reason"], "target_unreachable", "{stat}");
    assert_eq!(stat["targets"][name]["up"], false, "{stat}");
    stat["targets"][name]["verdict"].clone()
}

/// For so long the service answers, says that it is stale, and nothing of `before` changes.
fn holds(service: &Service, before: &Standing, name: &str, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        assert_eq!(Standing::of(service), *before);
        assert_eq!(service.get("/health").0, 200);
        assert_eq!(service.get("/ready").0, 200);
        assert_eq!(metric(service, "snapshot_stale"), 1.0);
        let up = metric(service, &format!("control_up{{target=\"{name}\"}}"));
        assert_eq!(up, 0.0);
        thread::park_timeout(Duration::from_millis(100));
    }
}

/// Waits until the service judges again, and has confirmed as many of its proxies as it serves; when both
/// happened after now.
fn recovers(service: &Service, before: &Standing) -> (Duration, Duration) {
    let since = Instant::now();
    let kept_before = kept(service);
    eventually(PATIENCE, "the service is not stale any more", || {
        (service.stat()["stale"] == false).then_some(())
    });
    let fresh = since.elapsed();
    let count = before.served.len() as f64;
    eventually(PATIENCE, "every proxy was confirmed", || {
        (kept(service) >= kept_before + count).then_some(())
    });
    let checked = since.elapsed();
    assert_eq!(Standing::of(service), *before);
    (fresh, checked)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
