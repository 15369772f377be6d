use super::*;
use proxy_shards::policy::PolicyOptions;
use proxy_shards::target::TargetOptions;
use proxy_shards::{Exit, ProbePolicy, Protocol, Protocols, Require, Timing};

const ALL: Targets = Targets::first(1);

fn candidate(n: u32) -> Candidate {
    let [_, b, c, d] = n.to_be_bytes();
    format!("http://9.{b}.{c}.{d}:8080").parse().unwrap()
}

fn ended(verdict: Verdict) -> Record {
    Record {
        attempts: 1,
        timing: Timing {
            total_us: 1_500,
            connect_us: 500,
            ..Timing::default()
        },
        ..Record::unprobed(0, verdict)
    }
}

/// A ledger whose only source lists the candidates `0..n`, at the indexes `0..n`.
fn ledger(n: u32) -> Ledger {
    let mut ledger = Ledger::new(1);
    let indexes: Vec<u32> = (0..n)
        .map(|i| ledger.admit(candidate(i), 0).unwrap())
        .collect();
    assert_eq!(indexes, (0..n).collect::<Vec<_>>());
    ledger.set_list(0, indexes);
    ledger
}

fn restored(verdict: Option<Verdict>, failures: u32) -> Entry {
    Entry {
        verdict,
        timing: Timing {
            total_us: 9,
            ..Timing::default()
        },
        checked_at_ms: 1_000,
        alive_at_ms: 900,
        failures,
        ..Entry::new(candidate(7))
    }
}

/// Counts everything anew and compares it with the counters.
fn assert_counted(ledger: &Ledger) {
    let mut verdicts = [0; Verdict::COUNT];
    for entry in ledger.entries() {
        if let Some(verdict) = entry.verdict {
            verdicts[verdict as usize] += 1;
        }
    }
    assert_eq!(&verdicts, ledger.verdicts());
    assert_eq!(ledger.alive().count() as u64, ledger.total_alive());
    assert_eq!(ledger.entries().count(), ledger.len());
}

#[test]
fn a_row_is_32_bytes_and_so_is_its_place() {
    // A free place is told from a row by a value that one of its parts never has.
    assert_eq!((size_of::<Row>(), size_of::<Option<Row>>()), (32, 32));
}

#[test]
fn a_candidate_is_admitted_once() {
    let mut ledger = ledger(3);
    assert_eq!(ledger.admit(candidate(1), 0), Err(1));
    assert_eq!(ledger.len(), 3);
    assert_eq!(ledger.find(&candidate(2)), Some(2));
    assert_eq!(ledger.find(&candidate(3)), None);
}

#[test]
fn a_local_failure_changes_nothing_that_is_known() {
    let mut ledger = ledger(1);
    ledger.apply(0, &ended(Verdict::Alive), ALL, 50);
    let before = ledger.entry(0);
    for verdict in Verdict::ALL.into_iter().filter(|v| v.is_local()) {
        assert_eq!(ledger.apply(0, &ended(verdict), ALL, 99), Change::Local);
        assert_eq!(ledger.entry(0), before);
    }
    assert_eq!(ledger.last_check_ms(), 50);
    assert_counted(&ledger);
}

#[test]
fn a_verdict_says_what_it_changed() {
    let mut ledger = ledger(1);
    let steps = [
        (
            Verdict::Refused,
            Change::Failed,
            Standing::Dead { times: 1 },
        ),
        (Verdict::Alive, Change::Found, Standing::Alive),
        (Verdict::Alive, Change::Confirmed, Standing::Alive),
        (Verdict::Reset, Change::Lost, Standing::Failing),
        (Verdict::Reset, Change::Failed, Standing::Failing),
        (Verdict::Reset, Change::Failed, Standing::Dead { times: 1 }),
        (Verdict::Reset, Change::Failed, Standing::Dead { times: 2 }),
    ];
    assert_eq!(ledger.standing(0), Standing::New);
    for (at, (verdict, change, standing)) in (1u64..).zip(steps) {
        assert_eq!(ledger.apply(0, &ended(verdict), ALL, at), change);
        assert_eq!(ledger.standing(0), standing);
        assert_counted(&ledger);
    }
    let entry = ledger.entry(0);
    assert_eq!((entry.alive_at_ms, entry.checked_at_ms), (3, 7));
    assert_eq!((entry.timing.total_us, entry.failures), (1_500, 4));
}

#[test]
fn a_candidate_that_left_its_list_is_over_unless_it_is_alive() {
    let mut ledger = ledger(3);
    ledger.apply(0, &ended(Verdict::Alive), ALL, 1);
    ledger.apply(1, &ended(Verdict::Refused), ALL, 1);
    ledger.set_list(0, vec![]);
    assert_eq!([0, 1, 2].map(|i| ledger.is_over(i)), [false, true, true]);
    ledger.apply(0, &ended(Verdict::Refused), ALL, 2);
    assert!(ledger.is_over(0));
}

#[test]
fn a_forgotten_index_is_given_to_the_next_candidate() {
    let mut ledger = ledger(2);
    ledger.apply(1, &ended(Verdict::Alive), ALL, 1);
    ledger.set_list(0, vec![0]);
    ledger.forget(1);
    assert_counted(&ledger);
    assert_eq!((ledger.len(), ledger.find(&candidate(1))), (1, None));
    assert_eq!(ledger.admit(candidate(9), 0), Ok(1));
    assert_eq!(ledger.standing(1), Standing::New);
}

#[test]
fn a_listed_candidate_is_not_forgotten() {
    let mut ledger = ledger(1);
    ledger.forget(0);
    assert_eq!(ledger.len(), 1);
}

#[test]
fn the_first_source_that_lists_a_candidate_is_its_source() {
    let mut ledger = Ledger::new(3);
    let source_of = |ledger: &Ledger| ledger.alive().next().unwrap().source;
    for source in [2, 0, 1] {
        let (Ok(index) | Err(index)) = ledger.admit(candidate(0), source);
        ledger.set_list(source, vec![index]);
    }
    ledger.apply(0, &ended(Verdict::Alive), ALL, 1);
    assert_eq!(source_of(&ledger), Some(0));
    ledger.set_list(0, vec![]);
    assert_eq!(source_of(&ledger), Some(1));
    ledger.set_list(2, vec![]);
    assert_eq!(source_of(&ledger), Some(1));
    ledger.set_list(1, vec![]);
    assert_eq!(source_of(&ledger), None);
}

#[test]
fn lists_follow_their_sources_to_new_places() {
    let mut ledger = Ledger::new(2);
    for (n, source) in [(0, 0), (1, 1)] {
        let index = ledger.admit(candidate(n), source).unwrap();
        ledger.set_list(source, vec![index]);
    }
    ledger.reorder_sources(&[None, Some(1)], |_| true);
    assert_eq!([0, 1].map(|i| ledger.is_over(i)), [true, false]);
    assert_eq!([0, 1].map(|s| ledger.is_list_known(s)), [false, true]);
    ledger.reorder_sources(&[Some(1)], |c| *c != candidate(1));
    assert!(ledger.is_over(1));
}

#[test]
fn a_restored_candidate_waits_for_every_source_before_it_is_over() {
    let mut ledger = Ledger::new(2);
    let index = ledger.restore(restored(Some(Verdict::Refused), 5)).unwrap();
    assert_eq!(ledger.restore(restored(None, 0)), None);
    ledger.set_list(0, vec![]);
    assert!(!ledger.is_over(index));
    ledger.set_list(1, vec![]);
    assert!(ledger.is_over(index));
}

#[test]
fn a_restored_candidate_that_failed_long_waits_for_the_lists_that_are_to_come() {
    let mut ledger = Ledger::new(2);
    let index = ledger.restore(restored(Some(Verdict::Refused), 100));
    let index = index.unwrap();
    ledger.expect_lists(true);
    assert!(!ledger.is_over(index), "its list may be the second");
    ledger.expect_lists(false);
    assert!(ledger.is_over(index), "one of them never came");
}

#[test]
fn a_restored_candidate_that_goes_on_failing_does_not_wait_for_a_broken_source() {
    let mut ledger = Ledger::new(1);
    let index = ledger.restore(restored(Some(Verdict::Refused), 7)).unwrap();
    assert!(!ledger.is_over(index));
    ledger.apply(index, &ended(Verdict::Refused), ALL, 2_000);
    assert!(ledger.is_over(index));
}

#[test]
fn what_was_saved_comes_back() {
    let mut ledger = Ledger::new(1);
    let entry = restored(Some(Verdict::Alive), 0);
    ledger.restore(entry.clone());
    assert!(ledger.entries().eq([entry]));
    assert_eq!(ledger.alive().count(), 1);
    assert_eq!(ledger.last_check_ms(), 1_000);
    assert_counted(&ledger);
}

#[test]
fn counters_agree_with_the_rows_after_a_random_life() {
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut ledger = Ledger::new(1);
    for at in 1..3_000u64 {
        let n = rng.u32(..200);
        let (Ok(index) | Err(index)) = ledger.admit(candidate(n), 0);
        let verdict = Verdict::ALL[rng.usize(..Verdict::COUNT)];
        ledger.apply(index, &ended(verdict), ALL, at);
        if at % 100 == 0 {
            let keep: Vec<u32> = ledger.indexes().filter(|i| i % 3 != 0).collect();
            let all: Vec<u32> = ledger.indexes().collect();
            ledger.set_list(0, all);
            ledger.set_list(0, keep);
            let over: Vec<u32> = ledger.indexes().filter(|&i| ledger.is_over(i)).collect();
            over.into_iter().for_each(|i| ledger.forget(i));
        }
    }
    assert!(ledger.len() > 50, "seed {seed}");
    assert_counted(&ledger);
}

/// A policy of these targets.
fn policy(names: &[&str], require: Require) -> ProbePolicy {
    let target = |name: &&str| TargetOptions {
        name: (*name).to_owned(),
        url: format!("http://{name}.example/generate_204"),
        ..TargetOptions::default()
    };
    ProbePolicy::new(PolicyOptions {
        targets: names.iter().map(target).collect(),
        require,
        ..PolicyOptions::default()
    })
    .unwrap()
}

fn reached(protocol: Protocol, targets: Targets) -> Record {
    let mut record = ended(Verdict::Alive);
    record.works.set(protocol, targets);
    record.first = Some(protocol);
    record
}

#[test]
fn one_that_was_never_alive_has_no_heap_and_one_that_was_has_its_last_checks() {
    let mut ledger = ledger(1);
    ledger.apply(0, &ended(Verdict::Refused), ALL, 1_000);
    assert!(ledger.row(0).life.is_none());
    for second in 2..=40u32 {
        let mut record = match second % 2 {
            0 => reached(Protocol::Http, ALL),
            _ => ended(Verdict::Closed),
        };
        record.timing.total_us = second;
        ledger.apply(0, &record, ALL, u64::from(second) * 1_000);
    }
    let entry = ledger.entry(0);
    let seconds: Vec<u32> = entry.history.iter().map(|check| check.at_s).collect();
    assert_eq!(seconds, (25..=40).collect::<Vec<_>>());
    assert_eq!(entry.timing.total_us, 40);
    let percentiles = [50, 95, 100].map(|percent| entry.latency_percentile(percent));
    assert_eq!(percentiles, [Some(32), Some(40), Some(40)]);
    assert_eq!(Entry::new(candidate(1)).latency_percentile(50), None);
}

#[test]
fn what_a_judge_saw_stays_while_the_judge_does_not_answer() {
    let mut ledger = ledger(1);
    ledger.aim(&policy(&["judge", "b"], Require::Any));
    let both = Targets::first(2);
    let exit = Some(Exit {
        ip: [9, 9, 9, 9].into(),
        anonymity: proxy_shards::Anonymity::Elite,
    });
    let record = Record {
        exit,
        ..reached(Protocol::Http, both)
    };
    ledger.apply(0, &record, both, 1);
    let only_b = reached(Protocol::Http, Targets::NONE.with(1));
    ledger.apply(0, &only_b, Targets::NONE.with(1), 2);
    assert_eq!(ledger.entry(0).exit, exit);
    assert_eq!(ledger.entry(0).works.by(Protocol::Http), both);
    ledger.apply(0, &only_b, both, 3);
    assert_eq!(ledger.entry(0).exit, None);
}

#[test]
fn a_failure_that_may_be_a_targets_is_remembered_as_such_until_the_next_check() {
    let mut ledger = ledger(3);
    ledger.aim(&policy(&["a", "b"], Require::Any));
    let (a, both) = (Targets::first(1), Targets::first(2));
    for index in 0..3 {
        let change = ledger.apply(index, &ended(Verdict::Closed), a, 1);
        assert_eq!(change, Change::Failed);
    }
    ledger.apply(1, &ended(Verdict::Closed), both, 2);
    ledger.set_list(0, vec![0, 1]);
    ledger.forget(2);
    assert_eq!(ledger.take_doubtful(), [0]);
    assert!(ledger.take_doubtful().is_empty());
    ledger.apply(0, &ended(Verdict::Closed), a, 3);
    assert_eq!(ledger.doubtful, 1);
}

#[test]
fn other_targets_take_nothing_from_the_pool_until_the_next_check() {
    let mut ledger = ledger(1);
    ledger.aim(&policy(&["a", "b"], Require::All));
    ledger.apply(
        0,
        &reached(Protocol::Http, Targets::first(2)),
        Targets::first(2),
        1,
    );
    assert_eq!(ledger.working(0), Protocols::only(Protocol::Http));
    ledger.aim(&policy(&["c", "b"], Require::All));
    assert!(ledger.working(0).is_empty(), "it is asked for everything");
    let targets = ledger.alive().next().map(|alive| alive.targets);
    assert_eq!(targets, Some(Targets::NONE.with(1)));
    ledger.aim(&policy(&["b"], Require::All));
    assert_eq!(ledger.working(0), Protocols::only(Protocol::Http));
}

/// What a proxy that reached the targets `0b01` by SOCKS5 is served with, after a restart.
fn served_after(saved: &[&str], configured: &[&str]) -> Vec<(Protocol, u8)> {
    let mut entry = Entry::new("auto://9.9.9.9:8080".parse().unwrap());
    (entry.verdict, entry.alive_at_ms) = (Some(Verdict::Alive), 1);
    entry.works.set(Protocol::Socks5, Targets::from_bits(0b01));
    let mut ledger = Ledger::new(1);
    ledger.restore(entry).unwrap();
    let saved: Vec<Box<str>> = saved.iter().map(|&name| name.into()).collect();
    ledger.aim_restored(&saved, &policy(configured, Require::Any));
    let alive = ledger.alive();
    alive.map(|a| (a.protocol, a.targets.bits())).collect()
}

#[test]
fn after_a_restart_what_was_reached_follows_the_names_of_the_targets() {
    let check = |saved: &[&str], configured: &[&str], bits| {
        let expected = [(Protocol::Socks5, bits)];
        assert_eq!(
            served_after(saved, configured),
            expected,
            "{saved:?} {configured:?}"
        );
    };
    check(&["a", "b"], &["a", "b"], 0b01);
    check(&["a", "b"], &["b", "a"], 0b10);
    check(&["a", "b"], &["x", "b"], 0);
    check(&["a"], &["x", "y", "a"], 0b100);
    // An older version did not say.
    check(&[], &["a"], 0b1);
    check(&[], &["a", "b"], 0);
}

#[test]
fn a_target_with_another_name_does_not_change_what_a_proxy_speaks() {
    let mut ledger = Ledger::new(1);
    let index = ledger
        .admit("auto://9.9.9.9:8080".parse().unwrap(), 0)
        .unwrap();
    ledger.aim(&policy(&["a"], Require::All));
    ledger.apply(index, &reached(Protocol::Socks5, ALL), ALL, 1);
    ledger.aim(&policy(&["b"], Require::All));
    let served: Vec<Protocol> = ledger.alive().map(|alive| alive.protocol).collect();
    assert_eq!(served, [Protocol::Socks5]);
}
