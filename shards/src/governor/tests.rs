//! The governor over simulated hosts, on a simulated clock.

use super::*;
use fastrand::Rng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How often the governor looks, and the step of the simulation, in milliseconds.
const LOOK_MS: u64 = 100;
const TICK_MS: u64 = 20;
/// Probes that fail at once in one tick, at most: those that find no lane wait until they are made
/// again.
const FAILURES_PER_TICK: u64 = 50;

/// A host that bears so many probes at once, and shards with more jobs than they have lanes.
struct Host {
    bears: usize,
    /// CPU use of so many lanes, in percent.
    cpu: fn(usize) -> u32,
    /// Lag of so many lanes, in microseconds.
    lag: fn(usize) -> u32,
    /// Longest probe, in milliseconds.
    longest_ms: u64,
    governor: Governor,
    /// Ends of the probes under way.
    under_way: BinaryHeap<Reverse<u64>>,
    signs: Signs,
    now_ms: u64,
    rng: Rng,
    decisions: Vec<(u64, Decision)>,
}

impl Host {
    fn new(wish: usize, bears: usize, seed: u64) -> Host {
        let rule = Rule {
            wish,
            unit: 2,
            cpu_percent_max: 95,
        };
        Host {
            bears,
            cpu: |_| 10,
            lag: |_| 500,
            longest_ms: 15_000,
            governor: Governor::new(rule, 0),
            under_way: BinaryHeap::new(),
            signs: Signs::default(),
            now_ms: 0,
            rng: Rng::with_seed(seed),
            decisions: Vec::new(),
        }
    }

    /// Lets time pass; the fewest and the most lanes meanwhile.
    fn run(&mut self, ms: u64) -> (usize, usize) {
        let (mut fewest, mut most) = (usize::MAX, 0);
        let until = self.now_ms + ms;
        while self.now_ms < until {
            self.now_ms += TICK_MS;
            self.probe();
            if self.now_ms.is_multiple_of(LOOK_MS) {
                self.look();
            }
            fewest = fewest.min(self.governor.lanes());
            most = most.max(self.governor.lanes());
        }
        (fewest, most)
    }

    fn probe(&mut self) {
        while let Some(&Reverse(end)) = self.under_way.peek()
            && end <= self.now_ms
        {
            self.under_way.pop();
            self.signs.ended += 1;
        }
        let lanes = self.governor.lanes();
        while self.under_way.len() < lanes.min(self.bears) {
            let takes_ms = self.rng.u64(20..=self.longest_ms);
            self.under_way.push(Reverse(self.now_ms + takes_ms));
        }
        let idle = lanes.saturating_sub(self.under_way.len()) as u64;
        let failures = idle.min(FAILURES_PER_TICK);
        self.signs.errors[1] += failures;
        self.signs.ended += failures;
    }

    fn look(&mut self) {
        let lanes = self.governor.lanes();
        let measured = self.now_ms.is_multiple_of(1_000);
        let signs = Signs {
            in_flight: self.under_way.len(),
            demand: lanes + 100,
            cpu_percent: measured.then(|| (self.cpu)(lanes)),
            lag_us: (self.lag)(lanes),
            ..std::mem::take(&mut self.signs)
        };
        let decision = self.governor.look(&signs, self.now_ms);
        self.decisions
            .extend(decision.map(|decision| (self.now_ms, decision)));
    }

    fn steps_down(&self) -> usize {
        let up = [Cause::Raised, Cause::Recovered];
        let down = self
            .decisions
            .iter()
            .filter(|(_, d)| !up.contains(&d.cause));
        down.count()
    }
}

#[test]
fn it_finds_what_the_host_bears_and_stays_just_below() {
    for seed in 0..20 {
        let bears = Rng::with_seed(seed).usize(200..4_000);
        let mut host = Host::new(5_000, bears, seed);
        host.run(30_000);
        let (fewest, most) = host.run(600_000);
        assert!(
            fewest * 4 >= bears * 3,
            "{fewest} of {bears} lanes, seed {seed}"
        );
        let over = most.saturating_sub(bears);
        assert!(
            over <= bears / 64 + 2,
            "{most} > {bears} lanes, seed {seed}"
        );
    }
}

#[test]
fn the_first_trouble_is_over_within_two_seconds() {
    let mut host = Host::new(20_000, 300, 1);
    let (_, most) = host.run(2_000);
    assert_eq!((most, host.governor.lanes() <= 300), (20_000, true));
}

#[test]
fn trouble_that_stays_is_asked_for_ever_more_rarely() {
    let mut host = Host::new(5_000, 1_000, 3);
    host.run(60_000);
    let before = host.steps_down();
    host.run(600_000);
    let steps = host.steps_down() - before;
    assert!((5..=14).contains(&steps), "{steps} steps down in 10 min");
}

#[test]
fn when_the_bound_goes_away_all_lanes_are_back_within_two_minutes() {
    for seed in 0..20 {
        let mut host = Host::new(5_000, 400, seed);
        host.run(300_000 + seed * 7_000);
        host.bears = 10_000;
        host.run(120_000);
        assert_eq!(host.governor.lanes(), 5_000, "seed {seed}");
        let last = host.decisions.last().map(|(_, decision)| decision.cause);
        assert_eq!(last, Some(Cause::Recovered));
        let decided = host.decisions.len();
        host.run(60_000);
        assert_eq!(host.decisions.len(), decided, "and there is peace");
    }
}

#[test]
fn cpu_comes_down_below_the_target_and_does_not_swing() {
    let mut host = Host::new(10_000, 50_000, 5);
    // Too much from 4 000 lanes on.
    host.cpu = |lanes| (lanes * 95).div_ceil(4_000).min(100) as u32;
    host.run(60_000);
    let decided = host.decisions.len();
    let (fewest, most) = host.run(600_000);
    assert!(fewest >= 3_000 && most <= 4_000, "{fewest}..={most} lanes");
    let since = host.decisions.len() - decided;
    assert!(since <= 40, "{since} decisions in ten minutes");
    assert_eq!(host.decisions[0].1.cause, Cause::Cpu);
}

#[test]
fn a_shard_that_comes_late_has_fewer_lanes_until_it_is_in_time() {
    let mut host = Host::new(8_000, 50_000, 6);
    host.lag = |lanes| if lanes > 5_000 { 300_000 } else { 2_000 };
    host.run(60_000);
    let lanes = host.governor.lanes();
    assert!((3_750..=5_000).contains(&lanes), "{lanes} lanes");
    assert_eq!(host.decisions[0].1.cause, Cause::Lag);
}

fn governor(wish: usize) -> Governor {
    Governor::new(
        Rule {
            wish,
            unit: 1,
            cpu_percent_max: 95,
        },
        0,
    )
}

#[test]
fn one_hiccup_and_one_error_among_thousands_change_nothing() {
    let mut governor = governor(1_000);
    let hiccup = Signs {
        lag_us: 900_000,
        cpu_percent: Some(100),
        ..Signs::default()
    };
    let rare = Signs {
        errors: [1, 0, 0, 0],
        ended: 10_000,
        cpu_percent: Some(50),
        ..Signs::default()
    };
    for second in 1..20 {
        let signs = [hiccup, rare][second % 2];
        let decision = governor.look(&signs, second as u64 * 1_000);
        assert_eq!(decision, None, "second {second}");
    }
}

#[test]
fn a_second_without_a_measurement_is_like_the_one_before() {
    let mut governor = governor(1_000);
    let look = |governor: &mut Governor, cpu_percent, second: u64| {
        let signs = Signs {
            cpu_percent,
            ..Signs::default()
        };
        governor.look(&signs, second * 1_000)
    };
    assert_eq!(look(&mut governor, Some(99), 1), None);
    let down = look(&mut governor, None, 2).unwrap();
    assert_eq!((down.lanes, down.cause), (875, Cause::Cpu));
    assert_eq!(look(&mut governor, Some(50), 4), None);
    assert_eq!(look(&mut governor, None, 8), None);
}

#[test]
fn lanes_that_nobody_waits_for_are_not_raised() {
    let mut governor = governor(1_000);
    let trouble = Signs {
        errors: [0, 0, 9, 0],
        ended: 9,
        in_flight: 500,
        demand: 1_000,
        ..Signs::default()
    };
    let down = governor.look(&trouble, 1_000).unwrap();
    assert_eq!((down.lanes, down.cause), (437, Cause::LocalErrors));
    let ask = |governor: &mut Governor, demand, in_flight, second: u64| {
        let signs = Signs {
            demand,
            in_flight,
            ..Signs::default()
        };
        governor.look(&signs, second * 1_000)
    };
    for second in 10..100 {
        assert_eq!(ask(&mut governor, 300, 300, second), None, "few jobs");
    }
    for second in 100..200 {
        let held = ask(&mut governor, 500, 438, second);
        assert_eq!(held, None, "the lanes of before still hold their proxies");
    }
    let up = ask(&mut governor, 500, 437, 200).unwrap();
    assert_eq!((up.lanes, up.cause), (444, Cause::Raised));
}

#[test]
fn errors_while_few_lanes_are_asked_for_take_none_away() {
    let mut governor = governor(20_000);
    for look in 1..1_000 {
        let stray = Signs {
            errors: [0, 0, 1, 0],
            ended: 3,
            in_flight: 10,
            demand: 30,
            ..Signs::default()
        };
        assert_eq!(governor.look(&stray, look * 100), None);
    }
    assert_eq!(governor.lanes(), 20_000);
}

#[test]
fn errors_of_before_a_step_are_not_held_against_the_lanes_after_it() {
    let mut governor = governor(1_000);
    let trouble = Signs {
        errors: [5, 0, 0, 0],
        ended: 5,
        in_flight: 100,
        demand: 1_000,
        ..Signs::default()
    };
    assert_eq!(governor.look(&trouble, 100).unwrap().lanes, 437);
    assert_eq!(governor.look(&trouble, 200), None);
    assert_eq!(governor.look(&trouble, 399), None);
    assert_eq!(governor.look(&trouble, 400).unwrap().lanes, 190);
}

#[test]
fn another_wish_counts_at_once_unless_lanes_are_held_back() {
    let rule = |wish| Rule {
        wish,
        unit: 1,
        cpu_percent_max: 95,
    };
    let mut governor = governor(1_000);
    governor.set_rule(rule(2_000));
    assert_eq!(governor.lanes(), 2_000);
    let trouble = Signs {
        errors: [5, 0, 0, 0],
        ended: 5,
        demand: 2_000,
        ..Signs::default()
    };
    assert_eq!(governor.look(&trouble, 100).unwrap().lanes, 875);
    governor.set_rule(rule(4_000));
    assert_eq!(governor.lanes(), 875);
    governor.set_rule(rule(10));
    assert_eq!(governor.lanes(), 10);
    governor.set_rule(rule(500));
    assert_eq!(governor.lanes(), 500, "nothing was held back any more");
}

#[test]
fn whatever_is_seen_lanes_stay_between_the_floor_and_the_wish() {
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let mut decided = 0;
    for _ in 0..300 {
        let mut rule = Rule {
            wish: rng.usize(1..100_000),
            unit: rng.usize(1..64),
            cpu_percent_max: rng.u32(1..=100),
        };
        let mut governor = Governor::new(rule, 0);
        let mut now_ms = 0;
        for _ in 0..500 {
            now_ms += rng.u64(0..2_000);
            let some = |rng: &mut Rng| match rng.u8(0..3) {
                0 => rng.u64(0..10),
                _ => 0,
            };
            let signs = Signs {
                errors: HOST_ERRORS.map(|_| some(&mut rng)),
                ended: rng.u64(0..3_000),
                in_flight: rng.usize(0..rule.wish * 2),
                demand: rng.usize(0..rule.wish * 2),
                cpu_percent: rng.bool().then(|| rng.u32(0..300)),
                lag_us: rng.u32(..) >> rng.u32(0..32),
            };
            if rng.u8(..) == 0 {
                rule.wish = rng.usize(1..100_000);
                governor.set_rule(rule);
            }
            let before = governor.lanes();
            let decision = governor.look(&signs, now_ms);
            let (lanes, floor) = (governor.lanes(), FLOOR.min(rule.wish));
            assert!(
                (floor..=rule.wish).contains(&lanes),
                "{lanes} lanes of {rule:?}, seed {seed}"
            );
            match decision {
                None => assert_eq!(lanes, before, "seed {seed}"),
                Some(decision) => {
                    assert!(lanes != before && decision.lanes == lanes, "seed {seed}");
                    decided += 1;
                }
            }
        }
    }
    assert!(decided > 1_000, "{decided} decisions, seed {seed}");
}

#[test]
fn each_cause_has_its_place_and_a_word_of_its_own() {
    let mut words: Vec<&str> = Cause::ALL.map(Cause::label).into();
    for (place, cause) in Cause::ALL.into_iter().enumerate() {
        assert_eq!(cause as usize, place);
    }
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Cause::ALL.len());
}
