//! Sources that turn bad beside one that stays good, and what must hold meanwhile.

use super::server::{Server, Stream, Turn};
use super::{SOURCE_TIMEOUT, cap, usual};
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::{Behaviour, Farm, FarmOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the service may need more than before for each byte of the cap: the candidates of one list that
/// is all proxies, and the index of them, which grows by doubling.
const PEAK_PER_CAP_BYTE: u64 = 3;
/// What it may need besides: buffers of the connections, and what the allocator keeps.
const PEAK_BESIDES: u64 = 32 << 20;

/// Proxies that the good source adds while the others are bad, one after another.
const ADDED: u32 = 5;

/// Somebody may be missing for so long, on a busy machine.
const MISSED_MAX: Duration = Duration::from_secs(5);

/// How a source turns bad, and what must then be said of it.
pub(super) struct Bad {
    /// What it is called.
    pub(super) name: &'static str,
    /// What its server does; nothing where the case does it itself.
    pub(super) turn: Option<Turn>,
    /// What `/stat` and the log say, any of these; nothing if it goes on giving a list.
    pub(super) says: &'static [&'static str],
}

impl Bad {
    /// A source of the server.
    pub(super) fn served(
        name: &'static str,
        says: &'static [&'static str],
        turn: impl Fn(&mut dyn Stream, &str, &str) -> io::Result<()> + Send + Sync + 'static,
    ) -> Bad {
        Bad {
            name,
            turn: Some(Arc::new(turn)),
            says,
        }
    }
}

/// A service over a good source and many that turn.
pub(super) struct World {
    pub(super) server: Server,
    pub(super) service: Service,
    pub(super) stage: Stage,
    farm: Farm,
    /// By bad source: its name, what it must say, its URL.
    bad: Vec<(&'static str, &'static [&'static str], String)>,
    served: BTreeSet<String>,
    added: u32,
    before: u64,
}

impl World {
    /// Starts it; `prepare` may change the stage, and give the URL of a source that is not the server's,
    /// which then lists the text that it is given.
    pub(super) fn start(
        bad: Vec<Bad>,
        mut prepare: impl FnMut(&mut Stage, &Server, &str, &str) -> Option<String>,
    ) -> World {
        let farm = Farm::start(FarmOptions::default()).unwrap();
        let server = Server::start();
        let mut stage = Stage::new("");
        let timeout_ms = SOURCE_TIMEOUT.as_millis() as u64;
        stage.config["aggregator"]["source_timeout_ms"] = timeout_ms.into();
        let mut sources = Vec::new();
        let mut all = Vec::new();
        let mut served = BTreeSet::new();
        for (number, bad) in (100..).zip(bad) {
            let proxy = farm.proxy(Behaviour::Forwards, number);
            let url = prepare(&mut stage, &server, bad.name, &proxy)
                .unwrap_or_else(|| server.list(bad.name, &proxy, bad.turn.clone()));
            sources.push(json!({"url": url, "type": "http", "enabled": true}));
            all.push((bad.name, bad.says, url));
            served.insert(proxy);
        }
        // Last, where whoever is in the way would be.
        let first = farm.proxy(Behaviour::Forwards, 0);
        let good = server.list("good", &first, None);
        sources.push(json!({"url": good, "type": "http", "enabled": true}));
        served.insert(first);
        let aggregator = &mut stage.config["aggregator"];
        aggregator["sources"] = sources.into();
        aggregator["interval_seconds"] = 1.into();
        aggregator["source_bytes_max"] = cap().into();
        stage.config["checker"]["timeout_ms"] = 10_000.into();
        stage.config["metrics"] = json!({"enabled": true});
        let service = stage.start();
        let mut world = World {
            server,
            service,
            stage,
            farm,
            bad: all,
            served,
            added: 0,
            before: 0,
        };
        world.service.serves(&world.served, PATIENCE);
        // The buffers that every fetch and probe takes are there.
        world.good_comes_through();
        world.before = world.service.memory() as u64;
        // The peak from here on (proc(5)); where the kernel cannot, that of the start counts too.
        fs::write(world.proc("clear_refs"), "5").ok();
        world
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.service.running.pid())
    }

    /// The URLs of what must be served.
    pub(super) fn served(&self) -> &BTreeSet<String> {
        &self.served
    }

    /// Further proxies, which no source lists yet.
    pub(super) fn more(&self, count: u32) -> Vec<String> {
        let proxies = (200..200 + count).map(|n| self.farm.proxy(Behaviour::Forwards, n));
        proxies.collect()
    }

    /// From now on these must be served too.
    pub(super) fn must_serve(&mut self, proxies: &[String]) {
        self.served.extend(proxies.iter().cloned());
    }

    /// The good source adds a proxy, which must be served in its usual time; how long that took.
    pub(super) fn good_comes_through(&mut self) -> Duration {
        self.added += 1;
        let listed = (0..=self.added).map(|n| self.farm.proxy(Behaviour::Forwards, n));
        let listed: Vec<String> = listed.collect();
        self.server.set("good", &listed.join("\n"), None);
        self.served.extend(listed);
        let changed = Instant::now();
        self.service.serves(&self.served, usual());
        changed.elapsed()
    }

    /// What `/stat` says of the source at `url`.
    pub(super) fn stat_of(&self, url: &str) -> Value {
        let source = self.service.stat()["sources"][url].clone();
        assert!(source.is_object(), "{url}: {}", self.service.stat());
        source
    }

    /// All have turned: each says what is wrong, nothing that was known is lost, the good source comes
    /// through, and the peak of the memory stays near the cap.
    pub(super) fn withstands(&mut self, of: &str) {
        let mut complete = Instant::now();
        for (name, says, url) in &self.bad {
            eventually(PATIENCE, name, || {
                if self.service.served().is_superset(&self.served) {
                    complete = Instant::now();
                }
                assert!(
                    complete.elapsed() < MISSED_MAX,
                    "{name}: somebody is missing"
                );
                let source = self.stat_of(url);
                let error = source["Error"].as_str().unwrap().to_owned();
                let is_said = match says {
                    [] => error.is_empty() && source["ProxiesFound"].as_u64() >= Some(1),
                    _ => says.iter().any(|words| error.contains(words)),
                };
                let found = source["ProxiesFound"].as_u64().unwrap();
                assert!(found >= 1, "{name}: its last good list is kept: {source}");
                let unexpected = !error.is_empty() && !is_said;
                assert!(!unexpected, "{name}: {says:?} expected, not {error:?}");
                is_said.then_some(())
            });
        }
        let slowest = (0..ADDED).map(|_| self.good_comes_through()).max();
        self.metrics_tell();
        let served = self.service.served();
        assert_eq!(served, self.served, "nothing that was known is lost");
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.unwrap().trim().trim_end_matches(" kB");
        let peak = peak.parse::<u64>().unwrap() * 1024;
        let grown = peak.saturating_sub(self.before);
        eprintln!(
            "{of}: {} bad sources; the good one was served within {:?}; peak {} MiB over {} MiB with a cap of {} MiB",
            self.bad.len(),
            slowest.unwrap_or_default(),
            grown >> 20,
            self.before >> 20,
            cap() >> 20,
        );
        let bound = PEAK_PER_CAP_BYTE * cap() + PEAK_BESIDES;
        assert!(
            grown <= bound,
            "{grown} bytes more than before, over {bound}"
        );
    }

    /// The metrics say of each source whether it gives a list.
    fn metrics_tell(&self) {
        let (status, page) = self.service.get("/metrics");
        assert_eq!(status, 200, "{page}");
        for (name, says, url) in &self.bad {
            let sample = format!("proxychecker_source_up{{source=\"{url}\"}} ");
            let up = page.lines().find_map(|line| line.strip_prefix(&sample));
            let up: f64 = up
                .unwrap_or_else(|| panic!("{name}: {page}"))
                .parse()
                .unwrap();
            assert_eq!(up > 0.5, says.is_empty(), "{name}: source_up is {up}");
        }
    }

    /// The log names each bad source, once and with what is wrong; then the service ends in order. What it
    /// has logged.
    pub(super) fn ends(self) -> String {
        let log = self.service.end().err;
        for (name, says, url) in &self.bad {
            let of_it = |line: &&str| line.contains(url) && line.contains("a source gave no list");
            let lines: Vec<&str> = log.lines().filter(of_it).collect();
            match says {
                [] => assert!(lines.is_empty(), "{name}: {lines:?}"),
                _ => {
                    let said = lines
                        .iter()
                        .any(|line| says.iter().any(|s| line.contains(s)));
                    assert!(said, "{name}: {lines:?}");
                }
            }
        }
        log
    }
}
