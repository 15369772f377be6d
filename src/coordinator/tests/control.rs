//! The control probe: when targets are tried, and what waits for them.

use super::*;
use crate::coordinator::Purpose;
use proxy_shards::policy::{Mode, PolicyOptions};
use proxy_shards::target::TargetOptions;
use proxy_shards::{ProbePolicy, Require, Targets, Works};

fn one() -> Simulation {
    Simulation::still(controlled(&["a"], Require::All), 10, Image::default())
}

/// Keeps a sweep going for longer than two rounds are apart.
const SLOW: (Verdict, u64) = (Verdict::Alive, 14_000);

fn times(sim: &Simulation) -> Vec<u64> {
    sim.controls.iter().map(|(_, _, at)| *at).collect()
}

#[test]
fn nothing_is_handed_out_before_the_target_has_answered() {
    let mut sim = one();
    sim.fate(|_, _| (Verdict::Alive, 2_000));
    sim.deliver(0, list(0..10));
    sim.run_until(1_900);
    assert_eq!((sim.probes.len(), sim.controls.len()), (0, 1));
    sim.run_until(2_200);
    assert_eq!(sim.probes.len(), 10);
}

#[test]
fn targets_are_tried_every_interval_by_each_shard_in_turn_and_only_while_there_is_work() {
    let mut sim = one();
    sim.behave(|_, _| (Verdict::Alive, 14_000));
    sim.deliver(0, list(0..10));
    sim.run_until(59_000);
    assert_eq!(times(&sim), [0, 5_000, 10_000]);
    let shards: Vec<usize> = sim.controls.iter().map(|(shard, _, _)| *shard).collect();
    assert_eq!(shards, [1, 0, 1]);
}

#[test]
fn a_proof_counts_at_once_and_a_failure_only_after_the_target_has_answered() {
    let mut sim = one();
    sim.behave(|n, _| match n {
        0 => ALIVE,
        10 => SLOW,
        _ => (Verdict::Closed, 50),
    });
    sim.deliver(0, list(0..11));
    sim.run_until(4_900);
    let stat = sim.snapshot().stat.clone();
    assert_eq!((stat.total_alive, stat.total_dead, stat.held), (1, 0, 9));
    sim.run_until(6_000);
    let stat = sim.snapshot().stat.clone();
    assert_eq!((stat.total_alive, stat.total_dead, stat.held), (1, 9, 0));
}

#[test]
fn the_last_of_a_sweep_do_not_wait_for_the_next_round() {
    let mut sim = one();
    sim.behave(|_, _| (Verdict::Closed, 1_250));
    sim.deliver(0, list(0..10));
    sim.run_until(1_600);
    assert_eq!((times(&sim).len(), sim.state.sweep.done), (2, 10));
    assert!(sim.state.sweep.finished.is_some());
}

#[test]
fn one_that_was_alive_and_fails_leaves_the_pool_within_two_seconds() {
    let mut sim = one();
    sim.behave(|n, at| match n == 0 && at > 30_000 {
        true => (Verdict::Closed, 50),
        false => (Verdict::Alive, 50),
    });
    sim.deliver(0, list([0, 1]));
    sim.run_until(60_050);
    assert_eq!(sim.served(), [0, 1]);
    sim.run_until(60_500);
    let failed_at = sim.probed_at(0)[1];
    sim.run_until(failed_at + 2_000);
    assert_eq!(sim.served(), [1]);
}

#[test]
fn in_connect_only_mode_no_target_is_tried() {
    let mut config = controlled(&["a"], Require::All);
    let mut policy = ProbePolicy::clone(&config.checker.policy);
    policy.mode = Mode::ConnectOnly;
    config.checker.policy = Arc::new(policy);
    let mut sim = Simulation::new(config, 10, Image::default());
    sim.behave(|n, _| if n % 2 == 0 { ALIVE } else { DEAD });
    sim.deliver(0, list(0..10));
    sim.run_until(1_000);
    assert_eq!((sim.controls.len(), sim.served().len()), (0, 5));
    assert_eq!(sim.snapshot().stat.total_dead, 5);
}

#[test]
fn a_target_without_an_address_is_down_until_it_has_one() {
    let mut sim = one();
    sim.target_ip = None;
    sim.deliver(0, list(0..10));
    sim.run_until(30_000);
    let stat = sim.snapshot().stat.clone();
    assert_eq!((sim.controls.len(), sim.probes.len()), (0, 0));
    assert_eq!(stat.targets[0].control, Some(Verdict::LocalNames));
    sim.target_ip = Some([192, 0, 2, 9].into());
    sim.run_until(32_000);
    assert_eq!(sim.served().len(), 10);
    sim.target_ip = None;
    sim.run_until(600_000);
    assert!(!sim.snapshot().stale, "the address that it had still does");
    assert_eq!(sim.served().len(), 10);
}

#[test]
fn another_address_of_the_target_is_taken_after_each_failure() {
    let mut sim = one();
    sim.fate(|_, at| {
        (
            if at < 3_500 {
                Verdict::Refused
            } else {
                Verdict::Alive
            },
            1,
        )
    });
    sim.deliver(0, list(0..10));
    sim.run_until(300_000);
    let turns = sim.target_lookups.iter().map(|purpose| match purpose {
        Purpose::Target { turn, .. } => *turn,
        Purpose::Proxy(_) => unreachable!(),
    });
    let turns: Vec<usize> = turns.collect();
    assert_eq!(turns[..5], [0, 1, 2, 3, 4]);
    assert!(turns[5..].iter().all(|turn| *turn == 4), "{turns:?}");
    assert!(
        turns.len() < 12,
        "an address is used for a minute: {turns:?}"
    );
}

#[test]
fn a_round_that_is_never_answered_is_given_up() {
    let mut sim = one();
    sim.fate(|_, at| (Verdict::Alive, if at < 10_000 { 1_000_000 } else { 20 }));
    sim.deliver(0, list(0..10));
    sim.run_until(24_000);
    assert_eq!((sim.controls.len(), sim.snapshot().stale), (1, false));
    sim.run_until(25_050);
    // That nobody answered in time says nothing of the target yet.
    assert_eq!((sim.controls.len(), sim.snapshot().stale), (2, false));
    sim.run_until(26_000);
    assert!(!sim.snapshot().stale, "the next was answered");
    assert_eq!(sim.served().len(), 10);
}

#[test]
fn a_reload_gives_back_what_is_held_and_tries_the_targets_before_its_sweep() {
    let mut sim = one();
    sim.behave(|n, at| match n == 10 && at < 2_000 {
        true => SLOW,
        false => (Verdict::Closed, 50),
    });
    sim.deliver(0, list(0..11));
    sim.run_until(2_000);
    assert_eq!(sim.snapshot().stat.held, 10);
    sim.fate(|_, _| (Verdict::Alive, 1_000));
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(controlled(&["a"], Require::All)),
    });
    sim.run_until(2_900);
    assert_eq!((sim.snapshot().stat.held, sim.probes.len()), (0, 11));
    sim.run_until(3_200);
    assert_eq!((sim.probes.len(), sim.state.sweep.total), (21, 11));
    sim.run_until(22_000);
    assert_eq!(sim.state.sweep.done, 11);
}

#[test]
fn what_is_out_when_the_targets_change_says_nothing_about_the_new_ones() {
    let mut sim = one();
    sim.behave(|_, at| match at < 1_000 {
        true => (Verdict::Alive, 2_000),
        false => (Verdict::OwnPage, 20),
    });
    sim.deliver(0, list(0..10));
    sim.run_until(1_000);
    assert_eq!(sim.probes.len(), 10);
    sim.tell(Event::Configure {
        reload: 2,
        config: Arc::new(controlled(&["b"], Require::All)),
    });
    sim.run_until(20_000);
    assert!(
        sim.state
            .ledger
            .entries()
            .all(|entry| entry.alive_at_ms == 0)
    );
    assert_eq!(sim.snapshot().stat.total_dead, 10);
}

#[test]
fn what_a_target_says_is_handed_to_the_shards_before_anything_is_probed() {
    let mut config = controlled(&["a"], Require::All);
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec![TargetOptions::from("http://192.0.2.1/page")],
        ..PolicyOptions::default()
    });
    config.checker.policy = Arc::new(policy.unwrap());
    let mut sim = Simulation::new(config, 10, Image::default());
    sim.deliver(0, list(0..10));
    sim.run_until(1_000);
    assert_eq!(sim.others, ["policy"]);
    assert!(
        sim.target_lookups.is_empty(),
        "an address needs no resolver"
    );
    let targets = &sim.state.control.policy().targets;
    assert!(matches!(
        &targets[0].demand,
        proxy_shards::target::Demand::Answer(expected) if expected.learnt
    ));
    assert_eq!(sim.served().len(), 10);
}

#[test]
fn after_the_stop_no_target_is_tried_and_what_is_held_is_not_applied() {
    let mut sim = one();
    sim.behave(|n, _| if n == 10 { SLOW } else { (Verdict::Closed, 50) });
    sim.deliver(0, list(0..11));
    sim.run_until(2_000);
    sim.tell(Event::Stop);
    sim.run_until(60_000);
    assert_eq!(sim.controls.len(), 1);
    let actions = sim.state.finish(super::super::Now::default());
    let saved = actions.iter().find_map(|action| match action {
        super::super::Action::Save(image) => Some(image),
        _ => None,
    });
    let entries = &saved.expect("the last image").entries;
    assert_eq!(entries.len(), 11);
    let judged = entries.iter().filter(|entry| entry.verdict.is_some());
    let judged: Vec<_> = judged.map(|entry| entry.verdict).collect();
    assert_eq!(
        judged,
        [Some(Verdict::Alive)],
        "but the one that was proven"
    );
}

/// Targets, proxies, lists and configurations that change at random; the simulation sees to it that
/// each candidate is at one place at any time.
#[test]
fn in_a_random_life_no_candidate_is_lost_or_doubled() {
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let requires = [Require::Any, Require::All];
    let mut sim = Simulation::new(controlled(&["a", "b"], Require::Any), 7, Image::default());
    let mut fates = rng.fork();
    sim.fate(move |_, at| match at < 900_000 && fates.u8(..3) == 0 {
        true => (
            Verdict::ALL[fates.usize(..Verdict::COUNT)],
            fates.u64(..40_000),
        ),
        false => (Verdict::Alive, 20),
    });
    let mut lives = rng.fork();
    sim.behave_fully(move |_, protocols, at| {
        let mut works = Works::default();
        if at > 900_000 {
            protocols
                .in_order(0)
                .for_each(|p| works.set(p, Targets::first(2)));
            return (Verdict::Alive, works, 50);
        }
        let bits = lives.u8(..4);
        protocols
            .in_order(0)
            .for_each(|p| works.set(p, Targets::from_bits(bits)));
        let verdict = match bits {
            3 => Verdict::Alive,
            _ => Verdict::ALL[lives.usize(1..Verdict::COUNT)],
        };
        (verdict, works, lives.u64(..20_000))
    });
    let mut reload = 1;
    while sim.now_ms < 900_000 {
        let numbers: Vec<u32> = (0..rng.u32(..150)).map(|_| rng.u32(..200)).collect();
        sim.deliver(0, list(numbers));
        if rng.u8(..4) == 0 {
            reload += 1;
            let targets = [&["a", "b"][..], &["b"], &["b", "c", "a"]][rng.usize(..3)];
            let config = Arc::new(controlled(targets, requires[rng.usize(..2)]));
            sim.tell(Event::Configure { reload, config });
        }
        sim.run_until(sim.now_ms + rng.u64(1..30_000));
    }
    let config = Arc::new(controlled(&["a", "b"], Require::All));
    reload += 1;
    sim.tell(Event::Configure { reload, config });
    sim.deliver(0, list(0..200));
    sim.run_until(sim.now_ms + 200_000);
    let mut served = sim.served();
    served.sort_unstable();
    assert_eq!(served, (0..200).collect::<Vec<_>>(), "seed {seed}");
    assert_eq!(sim.snapshot().stat.held, 0, "seed {seed}");
}
