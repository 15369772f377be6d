//! The engine as a whole, against loopback peers: every job comes back exactly once.

use super::*;
use crate::job::Record;
use crate::policy::PolicyOptions;
use crate::{Protocol, Protocols, Verdict};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

mod controls;
mod courses;
mod late;

const PATIENCE: Duration = Duration::from_secs(30);

fn policy(timeout_ms: u64, retries: u8) -> Arc<ProbePolicy> {
    let timeout = Duration::from_millis(timeout_ms);
    Arc::new(
        ProbePolicy::new(PolicyOptions {
            targets: vec!["http://target.test/generate_204".into()],
            timeout,
            connect_timeout: timeout,
            retries,
            ..PolicyOptions::default()
        })
        .unwrap(),
    )
}

fn engine(shards: usize, lanes: usize, policy: Arc<ProbePolicy>) -> Engine {
    let options = EngineOptions {
        shards: NonZeroUsize::new(shards),
        lanes: NonZeroUsize::new(lanes).unwrap(),
        tuning: Tuning::default(),
    };
    Engine::start(options, policy).unwrap()
}

/// A proxy that answers each request with 204, one connection after another.
fn forwarding() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let answer = |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    };
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    at
}

fn refusing() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

fn job(id: u64, address: SocketAddr) -> Job {
    Job {
        id,
        protocols: Protocols::only(Protocol::Http),
        address,
        credentials: None,
    }
}

/// Submits one job for each address and waits for as many records; fails if one comes twice.
fn check(engine: &Engine, addresses: &[SocketAddr]) -> BTreeMap<u64, Record> {
    for (id, &address) in (0..).zip(addresses) {
        engine.submit(engine.shard_of(address), vec![job(id, address)]);
    }
    collect(engine.reports(), addresses.len())
}

fn collect(reports: &Receiver<Report>, count: usize) -> BTreeMap<u64, Record> {
    let mut records = BTreeMap::new();
    while records.len() < count {
        let report = reports
            .recv_timeout(PATIENCE)
            .expect("every job comes back");
        for record in report.records {
            assert!(
                records.insert(record.id, record).is_none(),
                "{record:?} came twice"
            );
        }
    }
    records
}

#[test]
fn each_job_comes_back_once_with_its_own_verdict() {
    let engine = engine(2, 50, policy(5_000, 0));
    let (good, bad) = (forwarding(), refusing());
    let addresses: Vec<SocketAddr> = (0..400)
        .map(|n| if n % 3 == 0 { bad } else { good })
        .collect();
    let records = check(&engine, &addresses);
    for (id, record) in &records {
        let expected = if id % 3 == 0 {
            Verdict::Refused
        } else {
            Verdict::Alive
        };
        assert_eq!((record.verdict, record.attempts), (expected, 1), "job {id}");
        assert_eq!(record.timing.connect_us > 0, expected == Verdict::Alive);
        assert!(record.timing.total_us >= record.timing.connect_us);
    }
    assert!(
        engine
            .stop(Duration::ZERO)
            .try_iter()
            .all(|report| report.records.is_empty())
    );
}

#[test]
fn a_silent_proxy_is_tried_as_often_as_asked() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(1, 4, policy(100, 2));
    let records = check(&engine, &[silent.local_addr().unwrap(), refusing()]);
    assert_eq!(
        (records[&0].verdict, records[&0].attempts),
        (Verdict::ResponseTimeout, 3)
    );
    assert_eq!(
        (records[&1].verdict, records[&1].attempts),
        (Verdict::Refused, 1)
    );
}

#[test]
fn stopping_gives_every_job_back() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let engine = engine(1, 10, policy(60_000, 0));
    engine.submit(0, (0..100).map(|id| job(id, at)).collect());
    let started = Instant::now();
    let records = collect(&engine.stop(Duration::from_millis(100)), 100);
    assert!(
        records
            .values()
            .all(|record| record.verdict == Verdict::LocalCancelled)
    );
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn an_engine_that_is_dropped_ends_its_threads() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(2, 10, policy(60_000, 0));
    let reports = engine.reports().clone();
    engine.submit(0, vec![job(1, silent.local_addr().unwrap())]);
    drop(engine);
    while reports.recv().is_ok() {}
}

#[test]
fn lanes_grow_and_shrink_while_the_engine_runs() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let engine = engine(1, 2, policy(300, 0));
    for (lanes, ids) in [(2, 0..20), (20, 20..60), (1, 60..64)] {
        engine.set_lanes(NonZeroUsize::new(lanes).unwrap());
        let count = ids.clone().count();
        engine.submit(0, ids.map(|id| job(id, at)).collect());
        let (mut most, mut ended) = (0, 0);
        while ended < count {
            let report = engine.reports().recv_timeout(PATIENCE).unwrap();
            most = most.max(report.in_flight);
            ended += report.records.len();
        }
        assert!(most <= lanes, "{most} under way on {lanes} lanes");
    }
}

#[test]
fn lanes_taken_away_under_silent_probes_harm_none_of_them() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, good) = (silent.local_addr().unwrap(), forwarding());
    let engine = engine(1, 40, policy(600, 0));
    engine.submit(0, (0..40).map(|id| job(id, at)).collect());
    let _under_way: Vec<_> = (0..40).map(|_| silent.accept().unwrap()).collect();
    engine.set_lanes(NonZeroUsize::new(2).unwrap());
    engine.submit(0, (40..80).map(|id| job(id, good)).collect());
    engine.set_lanes(NonZeroUsize::new(3).unwrap());
    engine.submit(0, (80..90).map(|id| job(id, at)).collect());
    let mut records = BTreeMap::new();
    let mut most_later = 0;
    while records.len() < 90 {
        let report = engine.reports().recv_timeout(PATIENCE).unwrap();
        for record in report.records {
            assert!(records.insert(record.id, record).is_none(), "{record:?}");
        }
        if (0..40).all(|id| records.contains_key(&id)) {
            most_later = most_later.max(report.in_flight);
        }
    }
    assert!(most_later <= 3, "{most_later} under way on 3 lanes");
    for (id, record) in records {
        let expected = match id {
            40..80 => Verdict::Alive,
            _ => Verdict::ResponseTimeout,
        };
        assert_eq!((record.verdict, record.attempts), (expected, 1), "job {id}");
    }
}

#[test]
fn connections_are_begun_at_the_pace_and_at_full_speed_without_one() {
    let engine = engine(2, 500, policy(5_000, 0));
    engine.set_pace(NonZeroU32::new(400));
    let refusing: Vec<SocketAddr> = (0..200).map(|_| refusing()).collect();
    let started = Instant::now();
    assert_eq!(check(&engine, &refusing).len(), 200);
    let paced = started.elapsed();
    // Half a second's worth, less a burst; each shard has a share of its own.
    let least = Duration::from_millis(350);
    assert!(paced >= least, "{paced:?}");
    engine.set_pace(None);
    let started = Instant::now();
    assert_eq!(check(&engine, &refusing).len(), 200);
    let unpaced = started.elapsed();
    assert!(unpaced < paced, "{unpaced:?}, and paced {paced:?}");
}

#[test]
fn a_shard_that_is_held_up_says_by_how_much() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(1, 4, policy(900, 0));
    engine.submit(0, vec![job(0, silent.local_addr().unwrap())]);
    engine.shards[0].tell(Mail::Stall(Duration::from_millis(700)));
    let mut worst_us = 0;
    loop {
        let report = engine.reports().recv_timeout(PATIENCE).unwrap();
        worst_us = worst_us.max(report.lag_us);
        if !report.records.is_empty() {
            break;
        }
    }
    assert!((300_000..20_000_000).contains(&worst_us), "{worst_us} us");
}

#[test]
fn a_deadline_that_passes_while_the_shard_is_held_up_is_no_verdict() {
    check_held_up(None);
}

#[test]
fn what_a_shard_that_was_held_up_has_cost_is_counted_by_the_policy_of_the_probe() {
    check_held_up(Some(policy(600_000, 0)));
}

/// A probe of one second loses it to its shard, while another policy may come, and is made again.
fn check_held_up(newer: Option<Arc<ProbePolicy>>) {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(1, 4, policy(1_000, 0));
    engine.submit(0, vec![job(0, proxy.local_addr().unwrap())]);
    let (tell, asked) = unbounded();
    let answer_the_second_time = move || {
        let accept = || {
            let (mut stream, _) = proxy.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream
        };
        let _never_answered = accept();
        tell.send(()).unwrap();
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        accept().write_all(answer).unwrap();
    };
    thread::spawn(answer_the_second_time);
    asked.recv_timeout(PATIENCE).unwrap();
    if let Some(newer) = newer {
        engine.set_policy(newer);
    }
    engine.shards[0].tell(Mail::Stall(Duration::from_millis(1_500)));
    let (mut records, mut late) = (Vec::new(), 0);
    while records.is_empty() {
        let report = engine.reports().recv_timeout(PATIENCE).unwrap();
        late += report.tally.verdicts[Verdict::LocalLate as usize];
        records = report.records;
    }
    let (verdict, attempts) = (records[0].verdict, records[0].attempts);
    assert_eq!((verdict, attempts, late), (Verdict::Alive, 2, 1));
}

#[test]
fn a_new_policy_counts_for_the_jobs_that_wait() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let engine = engine(1, 1, policy(200, 0));
    engine.submit(0, vec![job(0, at)]);
    engine.set_policy(policy(200, 1));
    engine.submit(0, vec![job(1, at)]);
    assert_eq!(collect(engine.reports(), 2)[&1].attempts, 2);
}

#[test]
fn a_shard_whose_executor_panics_starts_again_and_loses_no_job() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(1, 8, policy(400, 0));
    let (good, at) = (forwarding(), silent.local_addr().unwrap());
    engine.submit(
        0,
        (0..40)
            .map(|id| job(id, if id % 2 == 0 { at } else { good }))
            .collect(),
    );
    engine.shards[0].tell(Mail::Panic);
    let mut restarts = 0;
    let mut records = BTreeMap::new();
    while records.len() < 40 {
        let report = engine
            .reports()
            .recv_timeout(PATIENCE)
            .expect("every job comes back");
        restarts = restarts.max(report.restarts);
        for record in report.records {
            assert!(
                records.insert(record.id, record).is_none(),
                "{record:?} came twice"
            );
        }
    }
    assert_eq!(restarts, 1);
    for (id, record) in records {
        let expected = if id % 2 == 0 {
            Verdict::ResponseTimeout
        } else {
            Verdict::Alive
        };
        assert_eq!(record.verdict, expected, "job {id}");
    }
}

#[test]
fn connecting_only_asks_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut connect_only = (*policy(2_000, 0)).clone();
    connect_only.mode = crate::policy::Mode::ConnectOnly;
    let engine = engine(1, 4, Arc::new(connect_only));
    let records = check(&engine, &[silent.local_addr().unwrap(), refusing()]);
    assert_eq!(
        (records[&0].verdict, records[&1].verdict),
        (Verdict::Alive, Verdict::Refused)
    );
}
