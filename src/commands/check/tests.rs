//! The loop of a check, and its rows, with simulated shards.

use super::args::Format;
use super::drive::{Check, End, drive};
use super::list::List;
use super::progress::Counts;
use super::rows::Rows;
use crate::dispatch::Shards;
use crossbeam_channel::{Receiver, Sender, bounded, never, unbounded};
use indicatif::ProgressBar;
use proxy_shards::{
    Candidate, ControlJob, Job, ProbePolicy, Record, Report, Tally, Timing, Verdict,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Shards that answer as `answer` says; jobs for which it says nothing stay under way until the
/// stop.
struct Simulated<A> {
    shards: usize,
    answer: A,
    under_way: RefCell<Vec<u64>>,
    /// Taken away to let the shards be lost.
    tell: RefCell<Option<Sender<Report>>>,
    reports: Receiver<Report>,
    /// Whether they were stopped, for the test that keeps a clone.
    stopped: Rc<RefCell<bool>>,
}

impl<A: Fn(&Job) -> Option<Verdict>> Simulated<A> {
    fn new(shards: usize, answer: A) -> Simulated<A> {
        let (tell, reports) = unbounded();
        Simulated {
            shards,
            answer,
            under_way: RefCell::default(),
            tell: RefCell::new(Some(tell)),
            reports,
            stopped: Rc::default(),
        }
    }

    fn report(&self, shard: usize, records: Vec<Record>) {
        let report = Report {
            shard,
            records,
            controls: Vec::new(),
            tally: Tally::default(),
            in_flight: 0,
            queued: 0,
            restarts: 0,
        };
        if let Some(tell) = &*self.tell.borrow() {
            tell.send(report).unwrap();
        }
    }
}

fn record(id: u64, verdict: Verdict) -> Record {
    Record {
        attempts: 1,
        timing: Timing {
            total_us: 2_500,
            connect_us: 1_000,
            ..Timing::default()
        },
        ..Record::unprobed(id, verdict)
    }
}

impl<A: Fn(&Job) -> Option<Verdict>> Shards for Simulated<A> {
    fn shards(&self) -> usize {
        self.shards
    }
    fn lanes_per_shard(&self) -> usize {
        2
    }
    fn shard_of(&self, _address: SocketAddr) -> usize {
        0
    }
    fn submit(&self, shard: usize, jobs: Vec<Job>) {
        let mut records = Vec::new();
        for job in jobs {
            match (self.answer)(&job) {
                Some(verdict) => records.push(record(job.id, verdict)),
                None => self.under_way.borrow_mut().push(job.id),
            }
        }
        if !records.is_empty() {
            self.report(shard, records);
        }
    }
    fn control(&self, _shard: usize, _job: ControlJob) {
        todo!()
    }
    fn reports(&self) -> &Receiver<Report> {
        &self.reports
    }
    fn set_policy(&self, _policy: Arc<ProbePolicy>) {}
    fn set_lanes(&mut self, _lanes: NonZeroUsize) {}
    fn stop(self, _grace: Duration) -> Receiver<Report> {
        *self.stopped.borrow_mut() = true;
        let cancelled = |id| record(id, Verdict::LocalCancelled);
        let records = self.under_way.take().into_iter().map(cancelled).collect();
        self.report(0, records);
        self.reports
    }
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
    let rows = Rows::new(format, true, &mut out).unwrap();
    let mut check = Check::new(list, rows, ProgressBar::hidden());
    let end = drive(shards, &mut check, interrupts).unwrap();
    let counts = check.finish().unwrap();
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
        let rows = Rows::new(format, false, Gone).unwrap();
        let mut check = Check::new(&list, rows, ProgressBar::hidden());
        let error = drive(shards, &mut check, &never()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{format:?}");
        assert!(*stopped.borrow(), "{format:?}");
    }
}

/// Prints one record for each verdict, in the given order.
fn print(format: Format, all: bool, rows: &[(&str, Record)]) -> String {
    let list = list(rows.iter().map(|(url, _)| url.to_string()));
    let mut out = Vec::new();
    let mut printed = Rows::new(format, all, &mut out).unwrap();
    for (index, (_, record)) in (0..).zip(rows) {
        printed.push(&list, index, record).unwrap();
    }
    printed.finish(&list).unwrap();
    String::from_utf8(out).unwrap()
}

fn alive(total_us: u32) -> Record {
    let mut record = record(0, Verdict::Alive);
    record.timing.total_us = total_us;
    record
}

fn silent() -> Record {
    Record {
        attempts: 3,
        timing: Timing::default(),
        ..record(0, Verdict::ConnectTimeout)
    }
}

#[test]
fn text_is_the_alive_with_the_fastest_first() {
    let rows = [
        ("http://192.0.2.1:80", alive(9_000)),
        ("socks5://192.0.2.2:80", silent()),
        ("socks5://u:p%3A@192.0.2.3:80", alive(1_234)),
        ("http://[2001:db8::1]:80", alive(5_000)),
    ];
    let urls = "socks5://u:p%3A@192.0.2.3:80\nhttp://[2001:db8::1]:80\nhttp://192.0.2.1:80\n";
    assert_eq!(print(Format::Txt, false, &rows), urls);
    let with_verdicts = "\
        socks5://u:p%3A@192.0.2.3:80\talive\t1.234\n\
        http://[2001:db8::1]:80\talive\t5\n\
        http://192.0.2.1:80\talive\t9\n\
        socks5://192.0.2.2:80\tconnect_timeout\t-\n";
    assert_eq!(print(Format::Txt, true, &rows), with_verdicts);
}

#[test]
fn a_json_line_has_every_key_and_null_for_what_was_not_measured() {
    let rows = [
        ("socks5://u:p@192.0.2.3:80", alive(1_234)),
        ("http://192.0.2.2:80", silent()),
    ];
    let expected = concat!(
        r#"{"proxy":"socks5://u:p@192.0.2.3:80","address":"192.0.2.3:80","protocol":"socks5","#,
        r#""verdict":"alive","latency_ms":1.234,"connect_ms":1.0,"attempts":1}"#,
        "\n",
        r#"{"proxy":"http://192.0.2.2:80","address":"192.0.2.2:80","protocol":"http","#,
        r#""verdict":"connect_timeout","latency_ms":null,"connect_ms":null,"attempts":3}"#,
        "\n",
    );
    assert_eq!(print(Format::Jsonl, true, &rows), expected);
}

#[test]
fn csv_has_a_header_even_without_a_row() {
    let header = "proxy,address,protocol,verdict,latency_ms,connect_ms,attempts\n";
    let rows = [
        ("socks5://u:p@192.0.2.3:80", alive(1_234)),
        ("http://192.0.2.2:80", silent()),
    ];
    assert_eq!(print(Format::Csv, false, &rows[1..]), header);
    let expected = format!(
        "{header}socks5://u:p@192.0.2.3:80,192.0.2.3:80,socks5,alive,1.234,1.0,1\n\
         http://192.0.2.2:80,192.0.2.2:80,http,connect_timeout,,,3\n"
    );
    assert_eq!(print(Format::Csv, true, &rows), expected);
}
