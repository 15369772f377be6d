//! Lines on their way: who logs hands a line over and goes on; one thread writes them.

use super::file::LogFile;
use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// The name of the thread that writes.
pub(super) const THREAD: &str = "log";
/// Lines that may wait; more are dropped, and counted.
const WAITING_MAX: usize = 8_192;
/// A file that failed is left alone for so long, and lines go to standard error.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Shortest time between two lines about the log itself.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Where lines are handed over.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    lines: Sender<Vec<u8>>,
    /// How many lines were handed over.
    count: Arc<AtomicU64>,
    /// Each with the count when it was given.
    orders: Sender<(u64, Order)>,
    dropped: Arc<AtomicU64>,
}

/// What the thread is told beside lines.
#[derive(Debug)]
enum Order {
    /// Lines go there from now on; without a file, to standard error.
    GoTo(Option<LogFile>),
    /// The file is opened anew.
    Reopen,
    /// Say when every line so far is written.
    Flush(Sender<()>),
}

impl Lines {
    /// Starts the `log` thread, which lives as long as the process.
    pub(super) fn start(file: Option<LogFile>) -> io::Result<Lines> {
        let (lines, from) = bounded(WAITING_MAX);
        let (orders, orders_from) = unbounded();
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = Writer::new(file, Arc::clone(&dropped), io::stderr());
        thread::Builder::new()
            .name(THREAD.into())
            .spawn(move || writer.run(&from, &orders_from))?;
        Ok(Lines {
            lines,
            count: Arc::default(),
            orders,
            dropped,
        })
    }

    /// Has it obeyed behind the lines that were handed over so far, and before those that come.
    fn order(&self, order: Order) -> bool {
        let count = self.count.load(Ordering::Acquire);
        // The thread is gone only if it panicked; then nothing is written any more.
        self.orders.send((count, order)).is_ok()
    }

    /// Lines go there from now on.
    pub(super) fn go_to(&self, file: Option<LogFile>) {
        self.order(Order::GoTo(file));
    }

    /// The file is opened anew: it may have been moved away.
    pub(super) fn reopen(&self) {
        self.order(Order::Reopen);
    }

    /// Waits until every line so far is written, or the time is over.
    pub(super) fn flush(&self, within: Duration) {
        let (done, wait) = bounded(1);
        if self.order(Order::Flush(done)) {
            let _ = wait.recv_timeout(within);
        }
    }

    /// Lines that found no room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> &'a Lines {
        self
    }
}

/// Each write is one line: the formatter makes it whole before it hands it over.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.lines.try_send(line.to_vec()) {
            Ok(()) => self.count.fetch_add(1, Ordering::AcqRel),
            Err(_) => self.dropped.fetch_add(1, Ordering::Relaxed),
        };
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The thread's own state. `E` is standard error.
struct Writer<E> {
    file: Option<LogFile>,
    /// When a file that failed is tried again.
    again_at: Option<Instant>,
    complained: Option<Instant>,
    dropped: Arc<AtomicU64>,
    dropped_told: u64,
    told_at: Option<Instant>,
    standard_error: E,
}

impl<E: Write> Writer<E> {
    fn new(file: Option<LogFile>, dropped: Arc<AtomicU64>, standard_error: E) -> Writer<E> {
        Writer {
            file,
            again_at: None,
            complained: None,
            dropped,
            dropped_told: 0,
            told_at: None,
            standard_error,
        }
    }

    fn run(&mut self, lines: &Receiver<Vec<u8>>, orders: &Receiver<(u64, Order)>) {
        let mut written = 0;
        loop {
            let (mut line, mut order) = (None, None);
            select! {
                recv(lines) -> next => match next {
                    Ok(next) => line = Some(next),
                    Err(_) => return,
                },
                recv(orders) -> next => match next {
                    Ok(next) => order = Some(next),
                    Err(_) => return,
                },
            }
            while let Some((count, order)) = order.take().or_else(|| orders.try_recv().ok()) {
                // What was logged before the order goes where it went before, and nothing else.
                while written < count
                    && let Some(line) = line.take().or_else(|| lines.try_recv().ok())
                {
                    self.write(&line, Instant::now());
                    written += 1;
                }
                self.obey(order);
            }
            if let Some(line) = line {
                self.write(&line, Instant::now());
                written += 1;
            }
            self.tell_of_dropped(Instant::now());
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::GoTo(file) => (self.file, self.again_at) = (file, None),
            Order::Reopen => self.file.iter_mut().for_each(LogFile::close),
            // Whoever waited may have gone on.
            Order::Flush(done) => drop(done.send(())),
        }
    }

    /// Writes a line to the file, or while that fails to standard error.
    fn write(&mut self, line: &[u8], now: Instant) {
        let rests = self.again_at.is_some_and(|at| now < at);
        let Some(file) = self.file.as_mut().filter(|_| !rests) else {
            // There is nobody left to tell.
            let _ = self.standard_error.write_all(line);
            return;
        };
        match file.write(line) {
            Ok(()) => self.again_at = None,
            Err(error) => {
                self.again_at = Some(now + AGAIN_AFTER);
                let path = file.path().display().to_string();
                let due = is_due(self.complained, now);
                if due {
                    self.complained = Some(now);
                    let text = format!(
                        "logging.file: {path} cannot be written ({error}); lines go to standard error, \
                         and it is tried again every {} s\n",
                        AGAIN_AFTER.as_secs()
                    );
                    let _ = self.standard_error.write_all(text.as_bytes());
                }
                let _ = self.standard_error.write_all(line);
            }
        }
    }

    fn tell_of_dropped(&mut self, now: Instant) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > self.dropped_told && is_due(self.told_at, now) {
            let lines = dropped - self.dropped_told;
            (self.dropped_told, self.told_at) = (dropped, Some(now));
            tracing::warn!(
                lines,
                "log lines were dropped: more came than could be written"
            );
        }
    }
}

fn is_due(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.duration_since(last) >= COMPLAIN_EVERY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogPlace;
    use std::fs;
    use std::path::Path;

    fn log(path: impl AsRef<Path>) -> LogFile {
        LogFile::new(LogPlace {
            path: path.as_ref().into(),
            bytes_max: 1_000,
            keep: 2,
        })
    }

    fn writer(file: LogFile) -> Writer<Vec<u8>> {
        Writer::new(Some(file), Arc::default(), Vec::new())
    }

    #[test]
    fn a_full_disk_costs_no_line_and_is_said_once_a_minute() {
        let (mut writer, start) = (writer(log("/dev/full")), Instant::now());
        for second in 0..130 {
            writer.write(b"line\n", start + Duration::from_secs(second));
        }
        let text = String::from_utf8(writer.standard_error).unwrap();
        let count = |part: &str| text.lines().filter(|line| line.contains(part)).count();
        assert_eq!(
            count("line"),
            130 + count("logging.file: /dev/full"),
            "{text}"
        );
        assert_eq!(count("logging.file: /dev/full"), 3, "{text}");
    }

    #[test]
    fn a_file_that_can_be_written_again_gets_the_next_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::create_dir(&path).unwrap();
        let (mut writer, start) = (writer(log(&path)), Instant::now());
        let mut write = |line: &str, seconds| {
            writer.write(line.as_bytes(), start + Duration::from_secs(seconds));
        };
        write("1\n", 0);
        fs::remove_dir(&path).unwrap();
        write("2\n", 9);
        write("3\n", 10);
        assert_eq!(fs::read_to_string(&path).unwrap(), "3\n");
        let text = String::from_utf8(writer.standard_error).unwrap();
        assert!(
            text.starts_with("logging.file: ") && text.ends_with("1\n2\n"),
            "{text}"
        );
    }

    #[test]
    fn whoever_logs_does_not_wait_and_what_finds_no_room_is_counted() {
        let (to, waiting) = bounded(2);
        let lines = Lines {
            lines: to,
            count: Arc::default(),
            orders: unbounded().0,
            dropped: Arc::default(),
        };
        for n in 0..5 {
            let mut writer = lines.make_writer();
            assert_eq!(writer.write(format!("{n}\n").as_bytes()).unwrap(), 2);
        }
        assert_eq!(lines.dropped(), 3);
        assert!(waiting.try_iter().eq([b"0\n".to_vec(), b"1\n".to_vec()]));
        // Nor does the end of the process, though nobody says that all is written.
        lines.flush(Duration::from_millis(1));
    }

    #[test]
    fn lines_go_on_in_the_file_of_the_last_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines = Lines::start(Some(log(&path))).unwrap();
        let write = |line: &str| {
            let mut writer = &lines;
            writer.write_all(line.as_bytes()).unwrap();
            lines.flush(Duration::from_secs(20));
        };
        write("1\n");
        // As logrotate does it.
        fs::rename(&path, folder.path().join("moved")).unwrap();
        write("2\n");
        lines.reopen();
        lines.flush(Duration::from_secs(20));
        write("between\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "between\n");
        lines.go_to(Some(log(&path)));
        lines.flush(Duration::from_secs(20));
        write("3\n");
        assert_eq!(
            fs::read_to_string(folder.path().join("moved")).unwrap(),
            "1\n2\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "between\n3\n");
    }

    #[test]
    fn a_line_goes_where_the_orders_before_it_say_however_late_they_are_obeyed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines = Lines::start(Some(log(&path))).unwrap();
        let write = |line: &str| (&lines).write_all(line.as_bytes()).unwrap();
        for turn in 0..500 {
            write("before\n");
            lines.flush(Duration::from_secs(20));
            let moved = folder.path().join(format!("moved{turn}"));
            fs::rename(&path, &moved).unwrap();
            write("the last\n");
            lines.reopen();
            write("after\n");
            lines.flush(Duration::from_secs(20));
            assert!(fs::read_to_string(&moved).unwrap().ends_with("the last\n"));
            assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        }
    }
}
