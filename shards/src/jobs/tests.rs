//! The book of jobs: each is recorded once, whatever happens to it.

use super::*;
use crate::hooks::{self, Place};
use crate::job::Timing;
use crate::policy::{PolicyOptions, ProbePolicy};
use crate::{Protocol, Protocols};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

fn plan(retries: u8) -> Rc<Plan> {
    let policy = ProbePolicy::new(PolicyOptions {
        targets: vec!["http://target.test/generate_204".into()],
        retries,
        ..PolicyOptions::default()
    });
    Rc::new(Plan::new(Arc::new(policy.unwrap())))
}

fn job(id: u64) -> Job {
    Job {
        id,
        protocols: Protocols::only(Protocol::Http),
        address: ([127, 0, 0, 1], 80).into(),
        credentials: None,
    }
}

fn ended(verdict: Verdict) -> Ended {
    let connect_us = u32::from(!matches!(
        verdict,
        Verdict::ConnectTimeout | Verdict::Refused
    ));
    let timing = Timing {
        connect_us,
        ..Timing::default()
    };
    Ended {
        timing,
        ..Ended::unprobed(verdict)
    }
}

/// Runs one job whose every probe ends with the next of `verdicts`; gives its record's verdict
/// and attempts.
fn check(verdicts: &[Verdict], retries: u8) -> (Verdict, u8) {
    let (mut jobs, mut now, plan) = (Jobs::default(), Instant::now(), plan(retries));
    jobs.add(vec![job(7)]);
    for &verdict in verdicts {
        jobs.start(0, &plan).expect("another attempt");
        jobs.end(0, &ended(verdict), now);
        now += LOCAL_PAUSE;
        jobs.resume(now);
    }
    assert!(jobs.start(0, &plan).is_none(), "no attempt too many");
    let (records, tally) = jobs.take_ended();
    assert_eq!((records.len(), tally.total()), (1, verdicts.len() as u64));
    (records[0].verdict, records[0].attempts)
}

#[test]
fn a_refusal_is_never_retried() {
    assert_eq!(check(&[Verdict::Refused], 3), (Verdict::Refused, 1));
}

#[test]
fn a_timeout_is_retried_as_often_as_asked() {
    use Verdict::ConnectTimeout;
    assert_eq!(check(&[ConnectTimeout], 0), (ConnectTimeout, 1));
    assert_eq!(
        check(&[ConnectTimeout, ConnectTimeout], 1),
        (ConnectTimeout, 2)
    );
    assert_eq!(
        check(&[ConnectTimeout, Verdict::Alive], 2),
        (Verdict::Alive, 2)
    );
}

#[test]
fn the_most_retries_end_too() {
    let silence = [Verdict::ConnectTimeout; 256];
    assert_eq!(check(&silence, u8::MAX), (Verdict::ConnectTimeout, 255));
}

#[test]
fn local_trouble_is_retried_after_a_pause_and_does_not_use_up_the_retries() {
    use Verdict::{LocalPorts, Reset};
    assert_eq!(
        check(&[LocalPorts, Reset, Verdict::Alive], 1),
        (Verdict::Alive, 3)
    );
    assert_eq!(check(&[LocalPorts; 4], 0), (LocalPorts, 4));
}

#[test]
fn a_paused_job_is_not_ready_before_its_time() {
    let (mut jobs, now) = (Jobs::default(), Instant::now());
    jobs.add(vec![job(1)]);
    jobs.start(0, &plan(0));
    jobs.end(0, &ended(Verdict::LocalMemory), now);
    jobs.resume(now + LOCAL_PAUSE / 2);
    assert_eq!((jobs.ready(), jobs.waiting()), (0, 1));
}

#[test]
fn a_panicked_executor_loses_and_doubles_no_job() {
    let mut jobs = Jobs::default();
    jobs.add((0..10).map(job).collect());
    for round in 0..=CRASHES_MAX {
        (0..4).for_each(|lane| drop(jobs.start(lane, &plan(0))));
        assert_eq!(jobs.under_way(), 4, "round {round}");
        jobs.recover();
    }
    while jobs.start(0, &plan(0)).is_some() {
        jobs.end(0, &ended(Verdict::Alive), Instant::now());
    }
    let mut ids: Vec<u64> = jobs.take_ended().0.iter().map(|record| record.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_job_under_way_in_every_crash_is_given_up_as_our_fault() {
    let mut jobs = Jobs::default();
    jobs.add(vec![job(1)]);
    for _ in 0..=CRASHES_MAX {
        jobs.start(0, &plan(0));
        jobs.recover();
    }
    assert_eq!(jobs.take_ended().0[0].verdict, Verdict::LocalFault);
}

#[test]
fn cancelled_jobs_are_recorded_once_each() {
    let mut jobs = Jobs::default();
    jobs.add((0..3).map(job).collect());
    jobs.start(0, &plan(0));
    jobs.end(0, &ended(Verdict::LocalPorts), Instant::now());
    jobs.start(0, &plan(0));
    jobs.cancel_waiting();
    let records = jobs.take_ended().0;
    assert_eq!(records.len(), 2);
    assert!(
        records
            .iter()
            .all(|record| record.verdict == Verdict::LocalCancelled)
    );
    assert_eq!(jobs.under_way(), 1);
}

#[test]
fn a_job_with_more_to_ask_waits_behind_all_others_and_holds_no_lane() {
    let (mut jobs, plan) = (Jobs::default(), plan(0));
    let all = Job {
        protocols: Protocols::ALL,
        ..job(1)
    };
    jobs.add(vec![all, job(2)]);
    jobs.start(0, &plan);
    jobs.end(0, &ended(Verdict::Closed), Instant::now());
    assert_eq!((jobs.under_way(), jobs.ready()), (0, 2));
    let ways = [0, 1].map(|lane| jobs.start(lane, &plan).map(|probe| probe.way));
    let way = |protocol| Some(Way::Proxy(protocol));
    assert_eq!(ways, [way(Protocol::Http), way(Protocol::Socks5)]);
}

#[test]
fn a_job_ends_under_the_policy_that_it_began_with() {
    let (mut jobs, with, without) = (Jobs::default(), plan(1), plan(0));
    jobs.add(vec![job(1), job(2)]);
    jobs.start(0, &with);
    jobs.end(0, &ended(Verdict::Closed), Instant::now());
    for plan in [&without, &with] {
        let probe = jobs.start(0, &without).unwrap();
        assert!(Rc::ptr_eq(&probe.plan, plan));
        jobs.end(0, &ended(Verdict::Closed), Instant::now());
    }
    let records = jobs.take_ended().0;
    let attempts = records.iter().map(|record| (record.id, record.attempts));
    assert_eq!(attempts.collect::<Vec<_>>(), [(2, 1), (1, 2)]);
}

#[test]
fn what_was_found_before_a_cancellation_stays_found() {
    let (mut jobs, plan) = (Jobs::default(), plan(0));
    let all = |id| Job {
        protocols: Protocols::ALL,
        ..job(id)
    };
    jobs.add(vec![all(1), all(2)]);
    for verdict in [Verdict::Alive, Verdict::OwnPage] {
        jobs.start(0, &plan);
        jobs.end(0, &ended(verdict), Instant::now());
    }
    jobs.cancel_waiting();
    let records = jobs.take_ended().0;
    let verdicts: Vec<_> = records
        .iter()
        .map(|r| (r.id, r.verdict, r.attempts))
        .collect();
    assert_eq!(
        verdicts,
        [(1, Verdict::Alive, 1), (2, Verdict::LocalCancelled, 1)]
    );
}

#[test]
fn a_panic_in_the_middle_of_a_course_costs_the_probe_under_way_and_no_other() {
    let (mut jobs, plan) = (Jobs::default(), plan(0));
    jobs.add(vec![Job {
        protocols: Protocols::only(Protocol::Http).with(Protocol::Socks5),
        ..job(1)
    }]);
    jobs.start(0, &plan);
    jobs.end(0, &ended(Verdict::Alive), Instant::now());
    jobs.start(0, &plan);
    jobs.recover();
    let probe = jobs.start(3, &plan).unwrap();
    assert_eq!(probe.way, Way::Proxy(Protocol::Socks5));
    jobs.end(3, &ended(Verdict::Closed), Instant::now());
    let record = jobs.take_ended().0[0];
    assert_eq!((record.verdict, record.attempts), (Verdict::Alive, 2));
    assert_eq!(record.first, Some(Protocol::Http));
}

#[test]
fn a_panic_while_a_job_ends_does_not_lose_it() {
    let (mut jobs, plan) = (Jobs::default(), plan(0));
    jobs.add(vec![job(1), job(2)]);
    jobs.start(0, &plan);
    let panics = vec![(Place::Record, hooks::ALWAYS, 1)];
    let faults = hooks::Faults {
        panics,
        ..hooks::Faults::default()
    };
    hooks::set(faults, 0);
    let end = |jobs: &mut Jobs, lane| jobs.end(lane, &ended(Verdict::Alive), Instant::now());
    let panicked = catch_unwind(AssertUnwindSafe(|| end(&mut jobs, 0)));
    hooks::set(hooks::Faults::default(), 0);
    assert!(panicked.is_err());
    jobs.recover();
    assert_eq!((jobs.under_way(), jobs.ready()), (0, 2));
    for lane in [5, 6] {
        jobs.start(lane, &plan).expect("both are there");
        end(&mut jobs, lane);
    }
    let (records, tally) = jobs.take_ended();
    let mut ends: Vec<_> = records
        .iter()
        .map(|r| (r.id, r.verdict, r.attempts))
        .collect();
    ends.sort_unstable_by_key(|&(id, ..)| id);
    let alive = |id| (id, Verdict::Alive, 1);
    assert_eq!((ends, tally.total()), (vec![alive(1), alive(2)], 2));
    assert!(jobs.is_empty());
}
