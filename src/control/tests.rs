use super::*;
use proxy_shards::policy::PolicyOptions;
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
        .filter_map(|(&id, &verdict)| control.ended(answer(id, verdict)));
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
    assert!(control.is_proof(&record(Verdict::Alive, Targets::first(2))));
    assert!(
        !control.is_proof(&record(Verdict::Alive, first)),
        "the other may be down"
    );
    assert!(!control.is_proof(&record(Verdict::Refused, Targets::NONE)));
    assert!(control.is_proof(&record(Verdict::LocalPorts, Targets::NONE)));
    let off: Control<u32> = Control::new(control.policy().clone(), None);
    assert!(off.is_proof(&record(Verdict::OwnPage, Targets::NONE)) && off.allows_probes());
}

#[test]
fn a_verdict_counts_when_the_target_answered_after_it() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(1, 4_000);
    control.hold(2, 5_000);
    let ids = control.start(5_000);
    control.hold(3, 5_001);
    let ended = control.ended(answer(ids[0], Verdict::Alive)).unwrap();
    assert_eq!((ended.settled, ended.void), (vec![1, 2], vec![]));
    assert_eq!(control.held(), 1);
    let ended = round(&mut control, 10_000, &[Verdict::Alive]);
    assert_eq!(
        (ended.settled, ended.void, ended.changed_from),
        (vec![3], vec![], None)
    );
}

#[test]
fn while_the_target_is_down_no_verdict_counts_and_nothing_is_probed() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(1, 4_000);
    let ids = control.start(5_000);
    control.hold(2, 5_500);
    let ended = control.ended(answer(ids[0], Verdict::Refused)).unwrap();
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
        control.ended(record).unwrap().policy
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
    assert_eq!(control.give_up(due).unwrap().reached, Targets::NONE);
    let again = control.start(due);
    assert!(control.ended(answer(ids[0], Verdict::Alive)).is_none());
    assert!(control.ended(answer(again[0], Verdict::Alive)).is_some());
    assert!(control.ended(answer(again[0], Verdict::Alive)).is_none());
}

#[test]
fn a_target_without_an_address_is_one_that_does_not_answer() {
    let mut control = one();
    let ids = control.start(0);
    assert!(control.unresolved(ids[0]).is_some());
    assert_eq!(control.seen(0), Some((Verdict::LocalNames, 0)));
    assert_eq!(control.health(), Health::Down);
}

#[test]
fn another_policy_starts_anew_and_gives_back_what_was_held() {
    let mut control = one();
    round(&mut control, 0, &[Verdict::Alive]);
    control.hold(7, 10);
    let policy = control.policy().clone();
    assert_eq!(control.replace(policy, Some(Duration::from_secs(1))), [7]);
    assert_eq!((control.health(), control.held()), (Health::Unknown, 0));
}
