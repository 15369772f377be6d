//! Errors of the kernel put in under the running service, in every operation of a probe.

use super::RECOVERED_WITHIN;
use super::client::{Client, Habit};
use super::harm::{Harm, asks_for_a_sweep, is_swept, metric};
use crate::stage::{Service, Stage};
use crate::support::{PATIENCE, eventually};
use proxy_bench::farm::{Aim, Behaviour, Farm, FarmOptions};
use proxy_shards::Verdict;
use proxy_shards::hooks::{ALWAYS, Faults, Operation};
use rustix::io::Errno;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;

/// One kind of trouble: what fails, how, how many of a thousand do, and what it must be called.
type Trouble = (Operation, Errno, u32, Verdict);

/// Kinds that the short form tries, and then those of the long form.
const SHORT: [Trouble; 2] = [
    (
        Operation::Connect,
        Errno::ADDRNOTAVAIL,
        ALWAYS,
        Verdict::LocalPorts,
    ),
    (Operation::Send, Errno::NOBUFS, 300, Verdict::LocalMemory),
];
const LONG: [Trouble; 5] = [
    SHORT[0],
    SHORT[1],
    (
        Operation::Socket,
        Errno::MFILE,
        ALWAYS,
        Verdict::LocalDescriptors,
    ),
    (
        Operation::Receive,
        Errno::NOMEM,
        ALWAYS,
        Verdict::LocalMemory,
    ),
    // More answers than there are buffers: the rest must wait for one until its time is over.
    (
        Operation::Receive,
        Errno::NOBUFS,
        ALWAYS,
        Verdict::LocalMemory,
    ),
];

/// A service over a farm, and what is true of its candidates.
struct World {
    farm: Farm,
    stage: Stage,
    good: BTreeSet<String>,
    bad: Vec<String>,
}

impl World {
    fn new(good: usize, bad: usize) -> World {
        let farm = Farm::start(FarmOptions::default()).unwrap();
        let urls =
            |count, kinds: &[Behaviour]| farm.mix(count, kinds).into_iter().map(|(url, _)| url);
        let bad: Vec<String> = urls(bad, &[Behaviour::Refuses, Behaviour::AsksAuth]).collect();
        let good: BTreeSet<String> =
            urls(good, &[Behaviour::Forwards, Behaviour::Socks5]).collect();
        let all: Vec<&str> = good.iter().chain(&bad).map(String::as_str).collect();
        let mut stage = Stage::new(&all.join("\n"));
        stage.config["metrics"] = json!({"enabled": true});
        World {
            farm,
            stage,
            good,
            bad,
        }
    }

    fn start(&self) -> Service {
        let service = self.stage.start();
        service.serves(&self.good, PATIENCE);
        service.has_checked((self.good.len() + self.bad.len()) as u64);
        service
    }

    /// Panics if what is served or what is dead changed.
    fn blames_nobody(&self, service: &Service) {
        assert_eq!(service.served(), self.good);
        let stat = service.stat();
        let dead = stat["total_dead"].as_u64();
        assert_eq!(dead, Some(self.bad.len() as u64), "{stat}");
    }
}

/// What is known of one candidate.
fn facts(service: &Service, url: &str) -> Value {
    let address = url.rsplit(['/', '@']).next().unwrap();
    let (status, body) = service.get(&format!("/proxy/{address}"));
    assert_eq!(status, 200, "{body}");
    let page: Value = serde_json::from_str(&body).unwrap();
    page["candidates"][0].clone()
}

/// Waits until enough probes had `trouble` for every candidate to have met it; nobody is blamed meanwhile.
fn bites(world: &World, service: &Service, trouble: Trouble) {
    let (_, _, permille, verdict) = trouble;
    let name = format!(r#"probes_total{{verdict="{}"}}"#, verdict.label());
    let count = (world.good.len() + world.bad.len()) as u32;
    let is_dry = trouble.0 == Operation::Receive && trouble.1 == Errno::NOBUFS;
    let enough = match is_dry {
        true => count / 10,
        false => count * permille / ALWAYS,
    };
    let wanted = metric(service, &name) + f64::from(enough);
    eventually(PATIENCE, "the trouble is met", || {
        world.blames_nobody(service);
        (metric(service, &name) >= wanted).then_some(())
    });
}

fn has_each(troubles: &[Trouble], seed: u64, world: &mut World) {
    world.stage.config["checker"]["enable_adaptive_concurrency"] = json!(true);
    let harm = Harm::new(&mut world.stage);
    let mut service = world.start();
    let client = Client::start(&service.address, Habit::Both);
    for (seed, &trouble) in (seed..).zip(troubles) {
        let (operation, errno, permille, verdict) = trouble;
        let failures = |url: &str| facts(&service, url)["failures_in_a_row"].as_u64().unwrap();
        let samples: Vec<(&String, u64)> = (world.bad.iter().step_by(50))
            .map(|url| (url, failures(url)))
            .collect();
        harm.begin(&Faults {
            seed,
            errors: vec![(operation, errno.raw_os_error(), permille)],
            panics: Vec::new(),
        });
        let before = asks_for_a_sweep(&service);
        bites(world, &service, trouble);
        harm.end();
        let began = Instant::now();
        is_swept(&service, before, RECOVERED_WITHIN);
        eprintln!(
            "{operation:?} {errno:?}: {verdict:?}, recovered in {:?}",
            began.elapsed()
        );
        world.blames_nobody(&service);
        for url in world.good.iter().step_by(50) {
            assert_eq!(failures(url), 0, "{url}");
        }
        for (url, before) in samples {
            // The sweep itself is one more.
            assert_eq!(failures(url), before + 1, "{url}");
        }
    }
    client.was_served();
    let decisions = metric(
        &service,
        r#"governor_decisions_total{cause="local_errors"}"#,
    );
    assert!(decisions >= 1.0, "{}", service.running.log());
    let log = service.end().err;
    assert!(
        log.contains("this host bears no more probes at once (local_"),
        "{log}"
    );
}

#[test]
fn no_error_of_the_kernel_is_held_against_a_proxy() {
    let _turn = crate::turn();
    let seed = crate::seed("errors of the kernel");
    let troubles = crate::times(&SHORT[..], &LONG[..]);
    let mut world = World::new(crate::times(800, 3_000), 400);
    has_each(troubles, seed, &mut world);
}

#[test]
fn while_the_kernel_refuses_the_targets_too_the_last_good_ones_are_served() {
    let _turn = crate::turn();
    let mut world = World::new(400, 200);
    let target = world.farm.target(Aim::NoContent);
    world.stage.config["checker"]["test_url"] = json!(target);
    world.stage.config["checker"]["control_probe"] = json!(true);
    let harm = Harm::new(&mut world.stage);
    let service = world.start();
    let client = Client::start(&service.address, Habit::Both);
    let is_stale = |service: &Service| service.stat()["stale"] == true;
    for errno in crate::times(
        &[Errno::MFILE][..],
        &[Errno::MFILE, Errno::NOMEM, Errno::NOBUFS][..],
    ) {
        harm.begin(&Faults {
            errors: vec![(Operation::Socket, errno.raw_os_error(), ALWAYS)],
            ..Faults::default()
        });
        let before = asks_for_a_sweep(&service);
        eventually(PATIENCE, "what is served is marked", || {
            world.blames_nobody(&service);
            is_stale(&service).then_some(())
        });
        harm.end();
        let took = is_swept(&service, before, RECOVERED_WITHIN);
        eprintln!("{errno:?}: recovered in {took:?}");
        world.blames_nobody(&service);
        assert!(!is_stale(&service), "{}", service.stat());
    }
    client.was_served();
    service.end();
}
