//! Probes without a proxy: ahead of all jobs, and each back exactly once.

use super::*;
use crate::controls::CONTROLS_AT_ONCE;
use crate::hooks::{ALWAYS, Faults, Place};
use crate::job::ControlRecord;
use crate::policy::Mode;
use crossbeam_channel::Receiver;
use std::sync::mpsc;

fn control(id: u64, address: SocketAddr) -> ControlJob {
    ControlJob {
        id,
        target: 0,
        address,
    }
}

/// Waits for as many control records; fails if one comes twice, and if one is counted as a probe of
/// a proxy.
fn collect_controls(reports: &Receiver<Report>, count: usize) -> BTreeMap<u64, ControlRecord> {
    let mut records = BTreeMap::new();
    while records.len() < count {
        let report = reports.recv_timeout(PATIENCE).expect("each comes back");
        assert!(report.tally.is_empty(), "{report:?}");
        for record in report.controls {
            assert!(!records.contains_key(&record.id), "{record:?} came twice");
            records.insert(record.id, record);
        }
    }
    records
}

/// A listener that completes connections and says nothing.
fn silent() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), listener)
}

#[test]
fn a_target_is_asked_for_itself() {
    let engine = engine(2, 4, policy(30_000, 0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    engine.control(1, control(7, at));
    let (mut stream, mut heard) = (listener.accept().unwrap().0, [0; 1024]);
    let length = stream.read(&mut heard).unwrap();
    assert!(heard[..length].starts_with(b"GET /generate_204 HTTP/1.1\r\nHost: target.test\r\n"));
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    let record = &collect_controls(engine.reports(), 1)[&7];
    assert_eq!((record.target, record.verdict), (0, Verdict::Alive));
    assert!(record.timing.connect_us > 0 && record.timing.first_byte_us > 0);
}

#[test]
fn it_does_not_wait_for_lanes_that_silent_proxies_hold() {
    let (silent, listener) = silent();
    let engine = engine(1, 2, policy(60_000, 0));
    engine.submit(0, (0..10).map(|id| job(id, silent)).collect());
    // Both lanes have their proxy.
    let held = [(); 2].map(|()| listener.accept().unwrap());
    for id in 0..20 {
        engine.control(0, control(id, forwarding()));
    }
    let reports = engine.reports();
    let mut ended = 0;
    while ended < 20 {
        let report = reports.recv_timeout(PATIENCE).unwrap();
        assert!(report.controls.iter().all(|c| c.verdict == Verdict::Alive));
        assert!(report.tally.is_empty() && report.records.is_empty());
        assert_eq!((report.in_flight, report.queued), (2, 8));
        ended += report.controls.len();
    }
    drop(held);
}

#[test]
fn a_silent_target_does_not_hold_up_the_others() {
    let (silent, _listener) = silent();
    let engine = engine(1, 1, policy(60_000, 0));
    for id in 1..CONTROLS_AT_ONCE as u64 {
        engine.control(0, control(id, silent));
    }
    for id in 100..110 {
        engine.control(0, control(id, forwarding()));
    }
    let records = collect_controls(engine.reports(), 10);
    assert!(records.keys().all(|&id| id >= 100));
}

#[test]
fn the_most_lanes_that_a_ring_can_have_leave_slots_for_it() {
    let nofile = |soft| Nofile { soft, hard: soft };
    let reserved = CONTROLS_AT_ONCE as u64;
    assert_eq!(lanes_max(nofile(20_000), None) as u64, 20_000 - reserved);
    assert_eq!(lanes_max(nofile(u64::MAX), None) as u64, LANES_MAX);
    assert_eq!(lanes_max(nofile(1), None), 1);
    let slots_max = NonZeroU32::new(100);
    assert_eq!(lanes_max(nofile(20_000), slots_max) as u64, 100 - reserved);
    assert_eq!(lanes_max(nofile(50), slots_max) as u64, 50 - reserved);
    let engine = engine(1, usize::MAX, policy(30_000, 0));
    engine.control(0, control(1, forwarding()));
    let records = collect_controls(engine.reports(), 1);
    assert_eq!(records[&1].verdict, Verdict::Alive);
}

#[test]
fn a_target_that_fails_says_how() {
    let (silent, _listener) = silent();
    let engine = engine(1, 1, policy(100, 3));
    let nowhere = ControlJob {
        target: 1,
        ..control(3, silent)
    };
    for job in [control(1, silent), control(2, refusing()), nowhere] {
        engine.control(0, job);
    }
    let records = collect_controls(engine.reports(), 3);
    let verdicts: Vec<_> = records.values().map(|r| (r.target, r.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            (0, Verdict::ResponseTimeout),
            (0, Verdict::Refused),
            (1, Verdict::LocalFault)
        ]
    );
}

#[test]
fn connecting_only_is_enough_of_a_target_too() {
    let (silent, _listener) = silent();
    let mut connect_only = (*policy(30_000, 0)).clone();
    connect_only.mode = Mode::ConnectOnly;
    let engine = engine(1, 1, Arc::new(connect_only));
    engine.control(0, control(1, silent));
    engine.control(0, control(2, refusing()));
    let records = collect_controls(engine.reports(), 2);
    assert_eq!(
        [&records[&1], &records[&2]].map(|record| record.verdict),
        [Verdict::Alive, Verdict::Refused]
    );
}

#[test]
fn stopping_gives_those_under_way_and_those_that_wait_back() {
    let (silent, _listener) = silent();
    let engine = engine(1, 1, policy(60_000, 0));
    let count = 3 * CONTROLS_AT_ONCE;
    for id in 0..count as u64 {
        engine.control(0, control(id, silent));
    }
    let reports = engine.stop(Duration::from_millis(50));
    let records = collect_controls(&reports, count);
    let cancelled = |record: &ControlRecord| record.verdict == Verdict::LocalCancelled;
    assert!(records.values().all(cancelled), "{records:?}");
    assert!(reports.try_iter().all(|report| report.controls.is_empty()));
}

#[test]
fn a_shard_whose_executor_panics_asks_the_target_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (accepted, second) = mpsc::channel();
    thread::spawn(move || {
        let first = listener.accept().unwrap();
        accepted.send(()).unwrap();
        let mut stream = listener.accept().unwrap().0;
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
        drop(first);
    });
    let engine = engine(1, 1, policy(30_000, 0));
    engine.control(0, control(5, at));
    second.recv_timeout(PATIENCE).unwrap();
    engine.shards[0].tell(Mail::Panic);
    let records = collect_controls(engine.reports(), 1);
    assert_eq!(records[&5].verdict, Verdict::Alive);
    let reports = engine.stop(Duration::ZERO);
    assert!(reports.try_iter().all(|report| report.controls.is_empty()));
}

#[test]
fn targets_that_are_asked_all_the_time_do_not_keep_the_jobs_waiting() {
    let engine = engine(1, 1, policy(30_000, 0));
    let (target, proxy) = (forwarding(), forwarding());
    engine.submit(0, (0..50).map(|id| job(id, proxy)).collect());
    (0..20).for_each(|id| engine.control(0, control(id, target)));
    let (mut asked, mut answered, mut ended) = (20, 0, 0);
    while ended < 50 {
        let report = engine.reports().recv_timeout(PATIENCE).unwrap();
        ended += report.records.len();
        for record in report.controls {
            assert_eq!(record.verdict, Verdict::Alive);
            engine.control(0, control(asked, target));
            (asked, answered) = (asked + 1, answered + 1);
        }
    }
    assert!(answered > 0);
}

#[test]
fn probes_of_a_target_that_end_before_they_wait_for_anything_take_no_shard_down() {
    let engine = engine(1, 1, policy(30_000, 0));
    engine.spoil(&Faults {
        panics: vec![(Place::Begin, ALWAYS, u32::MAX)],
        ..Faults::default()
    });
    let count = 3 * CONTROLS_AT_ONCE;
    let nowhere = refusing();
    (0..count as u64).for_each(|id| engine.control(0, control(id, nowhere)));
    let mut ended = 0;
    while ended < count {
        let report = engine.reports().recv_timeout(PATIENCE).unwrap();
        assert_eq!(report.restarts, 0);
        for record in &report.controls {
            assert_eq!(record.verdict, Verdict::LocalFault);
        }
        ended += report.controls.len();
    }
    assert_eq!(ended, count);
}
