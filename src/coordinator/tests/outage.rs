//! The target is killed at every moment of a sweep: not one proxy is lost.

use super::*;
use crate::coordinator::simulation::EPOCH_MS;
use proxy_shards::{Protocol, Protocols, Require, Targets, Works};
use std::ops::Range;
use std::time::SystemTime;

const PROXIES: u32 = 240;

/// How proxies and the control probe notice that a target is down.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// At once.
    Refuses,
    /// By waiting for it in vain.
    IsSilent,
}

/// One outage of the last target of some.
#[derive(Clone, Debug)]
struct Outage {
    down: Range<u64>,
    manner: Manner,
    targets: &'static [&'static str],
    require: Require,
}

impl Outage {
    fn is_down(&self, place: usize, at: u64) -> bool {
        place + 1 == self.targets.len() && self.down.contains(&at)
    }

    /// The targets that a proxy can reach; one of four is dead.
    fn reach(&self, number: u32) -> Targets {
        let both = Targets::first(self.targets.len());
        match number % 4 {
            0 => Targets::NONE,
            _ if self.require == Require::All => both,
            1 => both,
            2 => Targets::first(1),
            _ => Targets::NONE.with(self.targets.len() - 1),
        }
    }

    fn probe(&self, number: u32, protocols: Protocols, at: u64) -> (Verdict, Works, u64) {
        let mut works = Works::default();
        let reach = self.reach(number);
        if reach.is_empty() {
            return (Verdict::Refused, works, 30);
        }
        let up = |place: &usize| !self.is_down(*place, at + 20);
        let reached = reach.iter().filter(up).fold(Targets::NONE, Targets::with);
        protocols.in_order(0).for_each(|p| works.set(p, reached));
        let alive = self.require.is_met(reached, self.targets.len());
        match (alive, reached == reach, self.manner) {
            (true, true, _) => (Verdict::Alive, works, 50),
            (true, false, Manner::Refuses) => (Verdict::Alive, works, 60),
            (true, false, Manner::IsSilent) => (Verdict::Alive, works, 15_000),
            (false, _, Manner::Refuses) => (Verdict::Closed, works, 40),
            (false, _, Manner::IsSilent) => (Verdict::ResponseTimeout, works, 15_000),
        }
    }

    fn simulation(&self) -> Simulation {
        let config = controlled(self.targets, self.require);
        let mut sim = Simulation::still(config, 30, Image::default());
        let outage = self.clone();
        sim.fate(
            move |place, at| match (outage.is_down(place, at), outage.manner) {
                (false, _) => (Verdict::Alive, 20),
                (true, Manner::Refuses) => (Verdict::Refused, 1),
                (true, Manner::IsSilent) => (Verdict::ConnectTimeout, 5_000),
            },
        );
        let outage = self.clone();
        sim.behave_fully(move |n, protocols, at| outage.probe(n, protocols, at));
        sim.deliver(0, list(0..PROXIES));
        sim
    }

    /// Whoever was served once is served at any time after, and at the end everything is known.
    fn check(&self) {
        let mut sim = self.simulation();
        let mut seen = 0;
        let end = self.down.end + 100_000;
        while sim.now_ms < end {
            sim.run_until(sim.now_ms + 500);
            let served = sim.served().len();
            assert!(
                served >= seen,
                "{served} of {seen} at {} ms: {self:?}",
                sim.now_ms
            );
            seen = served;
        }
        let alive = (0..PROXIES).filter(|&n| !self.reach(n).is_empty());
        assert_eq!(sim.served(), alive.collect::<Vec<_>>(), "{self:?}");
        let snapshot = sim.snapshot();
        for proxy in snapshot.pool.proxies() {
            let number = number(proxy.candidate.host.ip().unwrap());
            assert_eq!(proxy.targets, self.reach(number), "{number}: {self:?}");
        }
        let dead = snapshot.stat.verdicts[Verdict::Refused as usize];
        assert_eq!(dead, u64::from(PROXIES / 4), "{self:?}");
        assert_eq!(
            (snapshot.stale, snapshot.stat.stale),
            (false, None),
            "{self:?}"
        );
    }
}

/// Each outage is longer than the 5 s between two rounds, and begins at every 2.3 s of a sweep, its
/// end and the sweep after it.
fn at_every_offset(targets: &'static [&'static str], require: Require) {
    let manners = [Manner::Refuses, Manner::IsSilent];
    for (manner, lasts) in manners.into_iter().flat_map(|m| [(m, 6_000), (m, 40_000)]) {
        for start in (0..70_000).step_by(2_300) {
            let down = start..start + lasts;
            Outage {
                down,
                manner,
                targets,
                require,
            }
            .check();
        }
    }
}

#[test]
fn killing_the_only_target_loses_not_one_proxy() {
    at_every_offset(&["a"], Require::All);
}

#[test]
fn killing_one_of_two_targets_that_are_both_required_loses_not_one_proxy() {
    at_every_offset(&["a", "b"], Require::All);
}

#[test]
fn killing_one_of_two_targets_of_which_one_will_do_loses_not_one_proxy() {
    at_every_offset(&["a", "b"], Require::Any);
}

#[test]
fn a_start_with_the_target_down_judges_nothing_and_then_finds_everything() {
    let outage = Outage {
        down: 0..300_000,
        manner: Manner::Refuses,
        targets: &["a"],
        require: Require::All,
    };
    let mut sim = outage.simulation();
    sim.run_until(299_000);
    let snapshot = sim.snapshot();
    assert_eq!((sim.probes.len(), snapshot.stat.total_dead), (0, 0));
    assert!(snapshot.stale);
    let (reason, since) = snapshot.stat.stale.unwrap();
    assert_eq!(reason, Stale::Control);
    let start = Duration::from_millis(EPOCH_MS);
    let after = since
        .duration_since(SystemTime::UNIX_EPOCH + start)
        .unwrap();
    assert!(after < Duration::from_secs(1), "since the first round");
    let rounds = sim.controls.len();
    assert!((250..=301).contains(&rounds), "{rounds} rounds in 300 s");
    sim.run_until(305_000);
    assert_eq!(sim.served().len() as u32, PROXIES / 4 * 3);
    assert!(!sim.snapshot().stale);
}

#[test]
fn while_the_target_is_down_the_pool_stays_and_is_stale_however_long() {
    let outage = Outage {
        down: 30_000..8_000_000,
        manner: Manner::Refuses,
        targets: &["a"],
        require: Require::All,
    };
    let mut sim = outage.simulation();
    sim.run_until(29_000);
    assert!(!sim.snapshot().stale);
    let probes = sim.probes.len();
    sim.run_until(7_000_000);
    assert_eq!(sim.served().len() as u32, PROXIES / 4 * 3);
    let stat = sim.snapshot().stat.clone();
    assert_eq!(stat.stale.map(|(reason, _)| reason), Some(Stale::Control));
    assert_eq!(stat.targets[0].control, Some(Verdict::Refused));
    assert_eq!(
        (stat.targets[0].reached, stat.held),
        (u64::from(PROXIES / 4 * 3), 0)
    );
    let more = sim.probes.len() - probes;
    assert!(more <= 240, "{more} probes until it was noticed");
}

#[test]
fn one_that_dies_while_one_of_two_targets_is_down_is_not_served_on() {
    let outage = Outage {
        down: 30_000..8_000_000,
        manner: Manner::Refuses,
        targets: &["a", "b"],
        require: Require::Any,
    };
    let mut sim = outage.simulation();
    sim.behave_fully(move |n, protocols, at| match n == 1 && at > 100_000 {
        true => (Verdict::OwnPage, Works::default(), 40),
        false => outage.probe(n, protocols, at),
    });
    sim.run_until(99_000);
    assert!(sim.served().contains(&1));
    sim.run_until(170_000);
    assert!(!sim.served().contains(&1));
    assert!(
        sim.served().contains(&3),
        "it was alive by the other target alone"
    );
    let http = |n| {
        sim.state
            .ledger
            .find(&candidate(n))
            .map(|i| sim.state.ledger.entry(i).works.by(Protocol::Http))
    };
    assert_eq!(http(5), Some(Targets::first(2)));
}

#[test]
fn what_was_judged_without_a_target_is_checked_again_as_soon_as_it_is_back() {
    let outage = Outage {
        down: 0..400_000,
        manner: Manner::Refuses,
        targets: &["a", "b"],
        require: Require::Any,
    };
    let mut sim = outage.simulation();
    sim.run_until(399_000);
    assert!(!sim.snapshot().stale, "the other target will do");
    assert_eq!(
        sim.served().len() as u32,
        PROXIES / 2,
        "the rest needs the one that is down"
    );
    assert_eq!(
        sim.state.sweep.done,
        u64::from(PROXIES),
        "the sweep has an end"
    );
    let checks = sim.probed_at(3).len();
    assert!(checks <= 5, "{checks}: it backs off like any other");
    sim.run_until(410_000);
    assert_eq!(sim.served().len() as u32, PROXIES / 4 * 3);
}
