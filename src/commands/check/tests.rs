//! The loop of a check, and its rows, with simulated shards.

use super::args::Format;
use super::book::Check;
use super::direct::Addresses;
use super::drive::{Direct, End, Patience, drive};
use super::list::List;
use super::outside::Outdoors;
use super::progress::Counts;
use super::rows::{Goals, Rows};
use crate::control::Control;
use crate::dispatch::Shards;
use crate::lanes::{Lanes, Shares, Wish};
use crossbeam_channel::{Receiver, bounded, never};
use indicatif::ProgressBar;
use proxy_shards::policy::PolicyOptions;
use proxy_shards::{
    Candidate, ControlRecord, Job, ProbePolicy, Protocol, Record, Targets, Timing, Verdict, Works,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

mod control;
mod rows;
mod simulated;
mod sweeptime;
mod verdicts;

use simulated::{Simulated, Target, fares, record, tell};

fn policy() -> ProbePolicy {
    let url = "http://192.0.2.99/generate_204";
    ProbePolicy::new(PolicyOptions {
        targets: vec![url.into()],
        ..PolicyOptions::default()
    })
    .unwrap()
}

/// How the targets are reached without a proxy: every `every`, or never.
fn direct(policy: ProbePolicy, every: Option<Duration>, err: &mut dyn Write) -> Direct<'_> {
    Direct {
        addresses: Addresses::new(&policy, &HashMap::new()),
        control: Control::new(Arc::new(policy), every),
        patience: Patience::default(),
        lanes: lanes(None),
        err,
    }
}

/// Four lanes on two shards, governed or not.
fn lanes(within: Option<Shares>) -> Lanes {
    let lanes = NonZeroUsize::new(4).unwrap();
    Lanes::new(2, 2, u64::MAX, Wish { lanes, within }, 0)
}

fn list(urls: impl IntoIterator<Item = String>) -> List {
    let candidates: Vec<Candidate> = urls.into_iter().map(|url| url.parse().unwrap()).collect();
    let read = |_: &(), into: &mut Vec<Candidate>| {
        into.extend_from_slice(&candidates);
        Ok(())
    };
    List::gather(&[()], read, &mut io::sink()).unwrap()
}

fn urls(count: u16) -> impl Iterator<Item = String> {
    (1..=count).map(|port| format!("http://192.0.2.1:{port}"))
}

/// Runs a check and returns its rows.
fn check(
    list: &List,
    shards: impl Shards,
    format: Format,
    interrupts: &Receiver<()>,
) -> (End, Counts, String) {
    let mut out = Vec::new();
    let rows = Rows::new(format, true, Goals::new(&policy()), &mut out).unwrap();
    let mut check = Check::new(list, rows, ProgressBar::hidden());
    let mut err = io::sink();
    let end = drive(
        shards,
        &mut check,
        direct(policy(), None, &mut err),
        &Outdoors::new(interrupts),
    )
    .unwrap();
    let (counts, _) = check.finish().unwrap();
    (end, counts, String::from_utf8(out).unwrap())
}

/// The verdict of each proxy; a second row for one is a failure.
fn verdicts(jsonl: &str) -> BTreeMap<String, String> {
    let mut verdicts = BTreeMap::new();
    for line in jsonl.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| row[key].as_str().unwrap().to_string();
        let before = verdicts.insert(text("proxy"), text("verdict"));
        assert_eq!(before, None, "a second row: {line}");
    }
    verdicts
}

#[test]
fn each_candidate_has_one_row_with_its_own_verdict() {
    let list = list(urls(20_000));
    let of = |port: u16| Verdict::ALL[usize::from(port) % 17];
    let shards = Simulated::new(3, |job: &Job| Some(of(job.address.port())));
    let (end, counts, rows) = check(&list, shards, Format::Jsonl, &never());
    let verdicts = verdicts(&rows);
    assert_eq!(
        (end, counts.total(), verdicts.len()),
        (End::Complete, 20_000, 20_000)
    );
    for port in 1..=20_000 {
        let verdict = &verdicts[&format!("http://192.0.2.1:{port}")];
        assert_eq!(verdict, of(port).label(), "port {port}");
    }
}

#[test]
fn what_failed_for_want_of_ports_is_probed_again_where_lanes_are_governed() {
    let within = Shares {
        cpu: 95,
        descriptors: 100,
    };
    for (within, expected) in [(Some(within), "alive"), (None, "local_ports")] {
        let list = list(urls(300));
        let tried = RefCell::new(vec![0; 300]);
        // Two failures, one of another kind, which is as final as ever.
        let shards = Simulated::new(2, |job: &Job| {
            let times = &mut tried.borrow_mut()[job.id as usize];
            *times += 1;
            Some(match (job.id, *times) {
                (0, _) => Verdict::LocalFault,
                (_, 1) => Verdict::LocalPorts,
                (_, 2) => Verdict::LocalMemory,
                _ => Verdict::Alive,
            })
        });
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let rows = Rows::new(Format::Jsonl, true, Goals::new(&policy()), &mut out).unwrap();
        let mut check = Check::new(&list, rows, ProgressBar::hidden());
        let direct = Direct {
            lanes: lanes(within),
            ..direct(policy(), None, &mut err)
        };
        let end = drive(shards, &mut check, direct, &Outdoors::new(&never())).unwrap();
        let (counts, _) = check.finish().unwrap();
        let verdicts = verdicts(&String::from_utf8(out).unwrap());
        assert_eq!((end, counts.total()), (End::Complete, 300));
        assert_eq!(verdicts["http://192.0.2.1:1"], "local_fault");
        for port in 2..=300 {
            assert_eq!(verdicts[&format!("http://192.0.2.1:{port}")], expected);
        }
    }
}

#[test]
fn proxies_of_a_late_host_are_probed_again_where_lanes_are_governed_and_never_dead() {
    let within = Shares {
        cpu: 95,
        descriptors: 100,
    };
    for (within, late_times, expected) in [
        (Some(within), 5, "alive"),
        (Some(within), 1_000, "local_late"),
        (None, 1, "local_late"),
    ] {
        let list = list(urls(30));
        let tried = RefCell::new(vec![0; 30]);
        let shards = Simulated::new(2, |job: &Job| {
            let times = &mut tried.borrow_mut()[job.id as usize];
            *times += 1;
            match *times > late_times {
                true => Some(Verdict::Alive),
                false => Some(Verdict::LocalLate),
            }
        });
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let rows = Rows::new(Format::Jsonl, true, Goals::new(&policy()), &mut out).unwrap();
        let mut check = Check::new(&list, rows, ProgressBar::hidden());
        let direct = Direct {
            lanes: lanes(within),
            ..direct(policy(), None, &mut err)
        };
        let end = drive(shards, &mut check, direct, &Outdoors::new(&never())).unwrap();
        let (counts, occupation) = check.finish().unwrap();
        let unjudged = counts.of(Verdict::LocalLate);
        assert!(occupation.warning(unjudged).is_some());
        let verdicts = verdicts(&String::from_utf8(out).unwrap());
        assert_eq!((end, verdicts.len()), (End::Complete, 30));
        assert!(verdicts.values().all(|verdict| verdict == expected));
    }
}

#[test]
fn a_shard_that_is_full_holds_no_other_back() {
    let list = list(urls(20_000));
    let (tell, interrupts) = bounded(1);
    let left = RefCell::new(10_000);
    // Candidates are dealt out in turn. The shard with the even ones never answers; once the other
    // one has all its jobs, the check is interrupted.
    let shards = Simulated::new(2, |job: &Job| {
        (job.id % 2 == 1).then(|| {
            *left.borrow_mut() -= 1;
            if *left.borrow() == 0 {
                tell.send(()).unwrap();
            }
            Verdict::Refused
        })
    });
    let (end, counts, _) = check(&list, shards, Format::Jsonl, &interrupts);
    assert_eq!(end, End::Interrupted);
    assert_eq!(counts.total(), 20_000);
    assert_eq!(*left.borrow(), 0);
}

#[test]
fn an_interrupt_leaves_one_row_for_each_candidate_all_the_same() {
    let list = list(urls(9_000));
    let (tell, interrupts) = bounded(1);
    let silent = |job: &Job| {
        if job.id == 7 {
            tell.send(()).unwrap();
        }
        None
    };
    let (end, counts, rows) = check(&list, Simulated::new(2, silent), Format::Jsonl, &interrupts);
    assert_eq!(end, End::Interrupted);
    assert_eq!(counts.of(Verdict::LocalCancelled), 9_000);
    assert_eq!(verdicts(&rows).len(), 9_000);
}

#[test]
fn shards_that_are_lost_leave_a_local_fault() {
    let list = list(urls(10));
    let shards = Simulated::new(1, |_: &Job| None);
    shards.tell.take();
    let (end, counts, _) = check(&list, shards, Format::Txt, &never());
    assert_eq!((end, counts.of(Verdict::LocalFault)), (End::Lost, 10));
}

#[test]
fn a_second_report_on_a_candidate_is_not_a_second_row() {
    let list = list(urls(3));
    let shards = Simulated::new(1, |job: &Job| (job.id == 2).then_some(Verdict::Alive));
    let stray = [0, 0, 0, 1, 99, u64::MAX].map(|id| record(id, Verdict::Refused));
    shards.report(0, stray.into());
    let (end, counts, rows) = check(&list, shards, Format::Jsonl, &never());
    assert_eq!((end, counts.total()), (End::Complete, 3));
    assert_eq!(verdicts(&rows).len(), 3);
}

#[test]
fn a_name_that_does_not_resolve_is_never_handed_to_a_shard() {
    let mut list = list(["http://gone.test:1", "http://here.test:2"].map(String::from));
    let here = vec![[192, 0, 2, 7].into()];
    list.resolved(HashMap::from([("here.test".into(), here)]), |_| true);
    let shards = Simulated::new(1, |job: &Job| {
        assert_eq!(job.address, "192.0.2.7:2".parse().unwrap());
        Some(Verdict::Alive)
    });
    let (end, _, rows) = check(&list, shards, Format::Jsonl, &never());
    assert_eq!(end, End::Complete);
    let verdicts = verdicts(&rows);
    assert_eq!(verdicts["http://gone.test:1"], "local_names");
    assert_eq!(verdicts["http://here.test:2"], "alive");
}

/// A reader that went away.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_went_away_ends_the_check_and_stops_the_shards() {
    for format in [Format::Jsonl, Format::Csv] {
        let list = list(urls(5_000));
        // Only the first ever answers, so the check can end for one reason only.
        let shards = Simulated::new(1, |job: &Job| (job.id == 0).then_some(Verdict::Alive));
        let stopped = shards.stopped.clone();
        let rows = Rows::new(format, false, Goals::new(&policy()), Gone).unwrap();
        let mut check = Check::new(&list, rows, ProgressBar::hidden());
        let mut err = io::sink();
        let direct = direct(policy(), None, &mut err);
        let error = drive(shards, &mut check, direct, &Outdoors::new(&never())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{format:?}");
        assert!(*stopped.borrow(), "{format:?}");
    }
}
