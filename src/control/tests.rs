use super::*;
use proxy_shards::policy::PolicyOptions;
use proxy_shards::target::Learnt;
use proxy_shards::{Protocol, Require, Timing, Works};

fn control(urls: &[&str], require: Require) -> Control<u32> {
    let named = |(place, url): (usize, &&str)| proxy_shards::target::TargetOptions {
        name: format!("t{place}"),
        ..(*url).into()
    };
    let policy = ProbePolicy::new(PolicyOptions {
        targets: urls.iter().enumerate().map(named).collect(),
        require,
        ..PolicyOptions::default()
    });
    Control::new(Arc::new(policy.unwrap()), Some(Duration::from_secs(5)))
}

fn one() -> Control<u32> {
    control(&["http://a.example/generate_204"], Require::All)
}

fn answer(id: u64, verdict: Verdict) -> ControlRecord {
    ControlRecord {
        id,
        target: (id & 0xff) as usize,
        verdict,
        timing: Timing::default(),
        learnt: None,
        own: None,
    }
}

/// A whole round at `at_ms`, in which the targets fare like `verdicts`.
fn round(control: &mut Control<u32>, at_ms: u64, verdicts: &[Verdict]) -> Round<u32> {
    let ids = control.start(at_ms);
    assert_eq!(ids.len(), verdicts.len());
    let mut rounds = ids
        .iter()
        .zip(verdicts)
        .filter_map(|(&id, &verdict)| control.ended(answer(id, verdict), at_ms));
    let round = rounds.next().expect("the last answer ends the round");
    assert!(rounds.next().is_none());
    round
}

fn record(verdict: Verdict, reached: Targets) -> Record {
    let mut works = Works::default();
    works.set(Protocol::Http, reached);
    Record {
        works,
        first: (verdict == Verdict::Alive).then_some(Protocol::Http),
        ..Record::unprobed(0, verdict)
    }
}

#[test]
fn nothing_is_probed_before_the_targets_have_answered() {
    let mut control = one();
    assert!(!control.allows_probes());
    assert_eq!(control.due_at(false), Some(0));
    let round = round(&mut control, 0, &[Verdict::Alive]);
    assert_eq!(round.changed_from, Some(Health::Unknown));
    assert!(control.allows_probes());
    assert_eq!(
        (control.due_at(false), control.due_at(true)),
        (None, Some(5_000))
    );
}

#[test]
fn only_a_proof_counts_by_itself() {
    let control = control(&["http://a.example/x", "http://b.example/x"], Require::Any);
    let first = Targets::first(1);
    assert!(control.is_proof(&record(Verdict::Alive, Targets::first(2)), Protocols::NONE));
    assert!(
        !control.is_proof(&record(Verdict::Alive, first), Protocols::NONE),
        "the other may be down"
    );
    assert!(!control.is_proof(&record(Verdict::Refused, Targets::NONE), Protocols::NONE));
    assert!(control.is_proof(&record(Verdict::LocalPorts, Targets::NONE), Protocols::NONE));
    assert!(!control.is_proof(
        &record(Verdict::LocalNetwork, Targets::NONE),
        Protocols::NONE
    ));
    let off: Control<u32> = Control::new(control.policy().clone(), None);
    assert!(
        off.is_proof(&record(Verdict::OwnPage, Targets::NONE), Protocols::NONE)
            && off.allows_probes()
    );
}

#[test]
fn a_verdict_counts_when_the_target_answered_after_it() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(1, 0, 4_000);
    control.hold(2, 0, 5_000);
    let ids = control.start(5_000);
    control.hold(3, 0, 5_001);
    let ended = control
        .ended(answer(ids[0], Verdict::Alive), 5_100)
        .unwrap();
    assert_eq!(
        (ended.settled, ended.void),
        (vec![(1, Targets::first(1)), (2, Targets::first(1))], vec![])
    );
    assert_eq!(control.held(), 1);
    let ended = round(&mut control, 10_000, &[Verdict::Alive]);
    assert_eq!(
        (ended.settled, ended.void, ended.changed_from),
        (vec![(3, Targets::first(1))], vec![], None)
    );
}

#[test]
fn while_the_target_is_down_no_verdict_counts_and_nothing_is_probed() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(1, 0, 4_000);
    let ids = control.start(5_000);
    control.hold(2, 0, 5_500);
    let ended = control
        .ended(answer(ids[0], Verdict::Refused), 5_600)
        .unwrap();
    assert_eq!((ended.settled, ended.void), (vec![], vec![1, 2]));
    assert_eq!(ended.changed_from, Some(Health::Fine));
    assert!(!control.allows_probes());
    assert_eq!(
        control.due_at(false),
        Some(6_000),
        "tried again soon, also when idle"
    );
    let ended = round(&mut control, 6_000, &[Verdict::Alive]);
    assert_eq!(ended.changed_from, Some(Health::Down));
}

#[test]
fn one_target_is_enough_if_any_is_required() {
    let urls = [
        "http://a.example/generate_204",
        "http://b.example/generate_204",
    ];
    let verdicts = [Verdict::Refused, Verdict::Alive];
    let mut any = control(&urls, Require::Any);
    assert_eq!(round(&mut any, 0, &verdicts).reached, Targets::NONE.with(1));
    assert_eq!(any.health(), Health::Fine);
    let mut all = control(&urls, Require::All);
    round(&mut all, 0, &verdicts);
    assert_eq!(all.health(), Health::Down);
}

#[test]
fn what_a_target_said_is_expected_of_every_proxy_from_then_on() {
    let mut control = control(&["http://a.example/page"], Require::All);
    let said = Learnt {
        status: 201,
        content_type: Some("text/html".into()),
    };
    let mut learn = |said: &Learnt, at_ms| {
        let ids = control.start(at_ms);
        let mut record = answer(ids[0], Verdict::Alive);
        record.learnt = Some(said.clone());
        record.own = Some([192, 0, 2, 1].into());
        control.ended(record, at_ms).unwrap().policy
    };
    let policy = learn(&said, 0).unwrap();
    let proxy_shards::target::Demand::Answer(expectation) = &policy.targets[0].demand else {
        panic!("{policy:?}");
    };
    assert_eq!((expectation.status, expectation.learnt), (201, true));
    assert_eq!(policy.own.len(), 1);
    assert!(learn(&said, 5_000).is_none(), "nothing new");
    let other = Learnt {
        status: 200,
        ..said
    };
    assert!(learn(&other, 10_000).is_some());
}

#[test]
fn a_round_without_an_answer_is_given_up_and_a_late_answer_is_not_taken_for_another() {
    let mut control = one();
    let ids = control.start(0);
    assert!(control.start(1).is_empty());
    let due = control.due_at(true).unwrap();
    assert!(control.give_up(due - 1).is_none());
    let given_up = control.give_up(due).unwrap();
    assert_eq!(given_up.reached, Targets::NONE);
    assert_eq!(control.seen(0), Some((Verdict::LocalLate, 0)));
    let again = control.start(due);
    assert!(control.ended(answer(ids[0], Verdict::Alive), due).is_none());
    assert!(
        control
            .ended(answer(again[0], Verdict::Alive), due)
            .is_some()
    );
    assert!(
        control
            .ended(answer(again[0], Verdict::Alive), due)
            .is_none()
    );
}

#[test]
fn that_this_host_was_late_says_nothing_of_a_target_and_what_is_held_waits() {
    let mut control = one();
    assert_eq!(
        round(&mut control, 0, &[Verdict::LocalLate]).changed_from,
        None
    );
    assert_eq!(control.health(), Health::Unknown);
    round(&mut control, 1_000, &[Verdict::Alive]);
    control.hold(1, 2_000, 3_000);
    for at_ms in [5_000, 10_000] {
        let late = round(&mut control, at_ms, &[Verdict::LocalLate]);
        assert_eq!((late.settled.len(), late.void.len()), (0, 0));
        assert_eq!((late.changed_from, control.held()), (None, 1));
        assert!(control.allows_probes());
    }
    let told = round(&mut control, 15_000, &[Verdict::Alive]);
    assert_eq!(told.settled, [(1, Targets::first(1))]);
}

#[test]
fn a_host_that_is_late_round_after_round_does_not_keep_verdicts_waiting_for_ever() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(1, 10, 20);
    for at_ms in (1_000..).step_by(1_000).take(UNTOLD_MAX.into()) {
        assert!(
            round(&mut control, at_ms, &[Verdict::LocalLate])
                .void
                .is_empty()
        );
    }
    let last = round(&mut control, 60_000, &[Verdict::LocalLate]);
    assert_eq!(
        (last.void, last.changed_from),
        (vec![1], Some(Health::Fine))
    );
    assert_eq!(control.health(), Health::Down);
}

#[test]
fn a_round_that_nobody_answered_is_no_outage_and_three_of_them_are() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    for (rounds, health) in [Health::Fine, Health::Fine, Health::Down]
        .iter()
        .enumerate()
    {
        let began_ms = 100_000 * (rounds as u64 + 1);
        control.start(began_ms);
        // A process that was stopped wakes up long after the time was over.
        control.give_up(began_ms + 90_000).expect("it is over");
        assert_eq!(control.health(), *health, "round {rounds}");
    }
}

#[test]
fn a_target_that_is_away_is_told_though_another_could_not_be_asked_in_time() {
    let urls = ["http://a.example/x", "http://b.example/x"];
    let mut control = control(&urls, Require::All);
    round(&mut control, 0, &[Verdict::Alive; 2]);
    control.hold(1, 10, 20);
    let ended = round(&mut control, 1_000, &[Verdict::Refused, Verdict::LocalLate]);
    assert_eq!(
        (ended.void, ended.reached),
        (vec![1], Targets::NONE.with(1))
    );
    assert_eq!(control.health(), Health::Down);
}

#[test]
fn a_target_without_an_address_is_one_that_does_not_answer() {
    let mut control = one();
    let ids = control.start(0);
    assert!(control.unresolved(ids[0], 0).is_some());
    assert_eq!(control.seen(0), Some((Verdict::LocalNames, 0)));
    assert_eq!(control.health(), Health::Down);
}

#[test]
fn another_policy_starts_anew_and_gives_back_what_was_held() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(7, 0, 10);
    let policy = control.policy().clone();
    assert_eq!(control.replace(policy, Some(Duration::from_secs(1))), [7]);
    assert_eq!((control.health(), control.held()), (Health::Unknown, 0));
}

#[test]
fn a_proof_takes_nothing_away_from_what_worked() {
    let control = one();
    let record = record(Verdict::Alive, Targets::first(1));
    let working = |protocol| Protocols::only(Protocol::Http).with(protocol);
    assert!(control.is_proof(&record, working(Protocol::Http)));
    assert!(!control.is_proof(&record, working(Protocol::Socks5)));
}

#[test]
fn a_verdict_does_not_count_if_the_target_was_down_while_it_was_asked_for() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    round(&mut control, 5_000, &[Verdict::ResponseTimeout]);
    round(&mut control, 6_000, &[Verdict::Alive]);
    control.hold(1, 4_000, 19_000);
    control.hold(2, 6_000, 19_500);
    let ended = round(&mut control, 20_000, &[Verdict::Alive]);
    assert_eq!(ended.void, [1]);
    assert_eq!(ended.settled, [(2, Targets::first(1))]);
}

#[test]
fn a_target_that_was_down_is_not_trusted_for_what_began_before_it_was_back() {
    let urls = ["http://a.example/x", "http://b.example/x"];
    let mut control = control(&urls, Require::Any);
    round(&mut control, 0, &[Verdict::Alive, Verdict::Refused]);
    control.hold(1, 1_000, 2_000);
    let ended = round(&mut control, 5_000, &[Verdict::Alive; 2]);
    assert_eq!(ended.settled, [(1, Targets::first(1))]);
    assert_eq!(ended.missed_before, Targets::NONE.with(1));
    control.hold(2, 5_000, 6_000);
    let ended = round(&mut control, 10_000, &[Verdict::Alive; 2]);
    assert_eq!(ended.settled, [(2, Targets::first(2))]);
    assert!(ended.missed_before.is_empty());
}

#[test]
fn what_readers_should_see_soon_does_not_wait_for_the_interval() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hurry();
    assert_eq!(control.due_at(true), Some(5_000), "nothing is held");
    control.hold(1, 10, 20);
    assert_eq!(control.due_at(true), Some(1_000));
    assert_eq!(
        round(&mut control, 1_000, &[Verdict::Alive]).settled.len(),
        1
    );
    assert_eq!(control.due_at(true), Some(6_000));
}

#[test]
fn what_was_asked_before_the_target_said_something_else_says_nothing() {
    let mut control = control(&["http://a.example/page"], Require::All);
    let mut say = |status, at_ms| {
        let ids = control.start(at_ms);
        let mut record = answer(ids[0], Verdict::Alive);
        let content_type = None;
        record.learnt = Some(Learnt {
            status,
            content_type,
        });
        control.hold(at_ms as u32, at_ms, at_ms);
        control.ended(record, at_ms).unwrap()
    };
    let first = say(200, 0);
    assert!(first.relearnt && !first.said_else);
    assert!(!say(200, 1_000).relearnt);
    let round = say(201, 2_000);
    assert!(round.relearnt && round.said_else && round.settled.is_empty());
    assert_eq!(round.void, [2_000]);
}

#[test]
fn what_a_target_said_is_still_known_after_a_reload_that_leaves_it_as_it_is() {
    let mut learning = control(&["http://a.example/page"], Require::All);
    let base = learning.policy().clone();
    let ids = learning.start(0);
    let mut record = answer(ids[0], Verdict::Alive);
    record.learnt = Some(Learnt {
        status: 201,
        content_type: None,
    });
    learning.ended(record, 0);
    let learnt = learning.policy().targets.clone();
    assert_ne!(learnt, base.targets);
    let every = Some(Duration::from_secs(5));
    learning.replace(base, every);
    assert_eq!(learning.policy().targets, learnt);
    let other = control(&["http://b.example/page"], Require::All);
    learning.replace(other.policy().clone(), every);
    assert_eq!(learning.policy().targets, other.policy().targets);
    assert!(!learning.allows_probes());
}
