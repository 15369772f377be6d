//! A shard that is late all the time, or when a target is asked.

use super::*;
use crate::job::ControlRecord;
use std::sync::mpsc;

/// So long the shard is kept from everything, and as often: more than a quarter of the time of a probe
/// is lost to it, eight times over.
const STALL: Duration = Duration::from_millis(120);
const STALL_EVERY: Duration = Duration::from_millis(200);

/// Keeps the shard late until `done` says that it has enough of its reports.
fn keep_late(engine: &Engine, mut done: impl FnMut(&Report) -> bool) {
    let until = Instant::now() + PATIENCE;
    let mut next = Instant::now();
    loop {
        assert!(Instant::now() < until, "it never ends");
        if Instant::now() >= next {
            engine.shards[0].tell(Mail::Stall(STALL));
            next = Instant::now() + STALL_EVERY;
        }
        let pause = next.saturating_duration_since(Instant::now());
        if let Ok(report) = engine.reports().recv_timeout(pause)
            && done(&report)
        {
            return;
        }
    }
}

#[test]
fn a_silent_proxy_gets_its_verdict_on_a_host_that_is_always_late_and_has_had_its_time() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(1, 4, policy(TIMEOUT.as_millis() as u64, 0));
    engine.submit(0, vec![job(0, silent.local_addr().unwrap())]);
    let (mut late, mut record) = (0, None);
    keep_late(&engine, |report| {
        late += report.tally.verdicts[Verdict::LocalLate as usize];
        record = record.or(report.records.first().copied());
        record.is_some()
    });
    let record = record.unwrap();
    assert_eq!(record.verdict, Verdict::ResponseTimeout, "{record:?}");
    assert_eq!(u64::from(record.attempts), late + 1, "{record:?}");
    assert!(late > 0, "this host was late all the time: {record:?}");
    let given = Duration::from_micros(record.timing.total_us.into());
    assert!(given > TIMEOUT + TIMEOUT / 4, "{given:?}");
}

/// Asks a target of which nothing is heard the first time because the shard is held up, and gives what
/// came of it. `answer` is what it says the second time.
fn ask_while_held_up(answer: &'static [u8]) -> ControlRecord {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = engine(1, 4, policy(1_000, 0));
    let at = target.local_addr().unwrap();
    let job = ControlJob {
        id: 7,
        target: 0,
        address: at,
    };
    engine.control(0, job);
    let (tell, asked) = mpsc::channel();
    thread::spawn(move || {
        let accept = || {
            let (mut stream, _) = target.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            stream
        };
        let _never_answered = accept();
        tell.send(()).unwrap();
        accept().write_all(answer).unwrap();
    });
    asked.recv_timeout(PATIENCE).unwrap();
    engine.shards[0].tell(Mail::Stall(Duration::from_millis(1_500)));
    loop {
        let mut report = engine.reports().recv_timeout(PATIENCE).unwrap();
        if let Some(record) = report.controls.pop() {
            return record;
        }
    }
}

#[test]
fn a_target_is_asked_again_if_the_shard_was_held_up_when_it_was_asked() {
    let record = ask_while_held_up(b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!((record.id, record.verdict), (7, Verdict::Alive));
    let record = ask_while_held_up(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(record.verdict, Verdict::WrongStatus, "what it says counts");
}
