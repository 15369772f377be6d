//! What `/proc` says of a process, read by its id.

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a process holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Holds {
    /// Resident memory, in KiB.
    pub(super) rss_kib: u64,
    /// The most that it ever was since the process became this program; never falls.
    pub(super) rss_peak_kib: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Open descriptors.
    pub(super) descriptors: u64,
}

/// What `pid` holds now; `None` once it has ended.
pub(super) fn holds(pid: u32) -> Option<Holds> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut holds = of_status(&status)?;
    holds.descriptors = descriptors(pid)?;
    Some(holds)
}

/// A process that has ended and was not waited for has a status without memory.
fn of_status(status: &str) -> Option<Holds> {
    let number = |key: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(key))?;
        value.split_whitespace().next()?.parse().ok()
    };
    Some(Holds {
        rss_kib: number("VmRSS:")?,
        rss_peak_kib: number("VmHWM:")?,
        threads: number("Threads:")?,
        descriptors: 0,
    })
}

/// Since Linux 6.2 the size of the folder is their number; before, they must be counted.
fn descriptors(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    match fs::metadata(&folder).ok()?.len() {
        0 => Some(fs::read_dir(&folder).ok()?.count() as u64),
        count => Some(count),
    }
}

/// The CPU time of all threads of `pid`, ended ones too; exact, while `/proc` has hundredths.
pub(super) fn cpu(pid: u32) -> Option<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
    clock_gettime(clock).ok().map(Duration::from)
}

/// The CPU time of the threads of `pid` that have this name; `None` if there are none.
pub(super) fn cpu_of_threads(pid: u32, name: &str) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let of_thread = |folder: &Path| {
        let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
        (read("comm")?.trim_end() == name).then_some(())?;
        of_schedstat(&read("schedstat")?)
    };
    let cpus = threads.filter_map(|thread| of_thread(&thread.ok()?.path()));
    cpus.reduce(|sum, cpu| sum + cpu)
}

/// Nanoseconds on a CPU come first; `stat` would have hundredths of a second.
fn of_schedstat(text: &str) -> Option<Duration> {
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Connections to `port` that stand, by their clients' ends, on this host; read from the table of
/// TCP, which costs the kernel time when it is long.
pub(super) fn established_to(port: u16) -> Option<usize> {
    let read = |path: &str| fs::read_to_string(Path::new(path));
    Some(established_in(&read("/proc/net/tcp").ok()?, port))
}

/// A line is: number, local address, remote address, state. The kernel may show one twice while the
/// table moves, hence the set; of both ends, because a local port serves many remote ones.
fn established_in(table: &str, port: u16) -> usize {
    let to = format!(":{port:04X}");
    let standing = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (at, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        (state == "01" && remote.ends_with(&to)).then_some((at, remote))
    });
    standing.collect::<HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn this_process_holds_memory_threads_and_descriptors() {
        let before = holds(std::process::id()).expect("this process");
        assert!(
            before.rss_kib > 0 && before.rss_peak_kib >= before.rss_kib,
            "{before:?}"
        );
        assert!(before.threads >= 1, "{before:?}");
        let counted = fs::read_dir("/proc/self/fd").expect("a folder").count() as u64;
        // Other tests of this process open and close their own; a wild number is what is caught.
        assert!(
            before.descriptors.abs_diff(counted) < 64,
            "{before:?}, {counted} counted"
        );
        assert!(cpu(std::process::id()).expect("a clock") > Duration::ZERO);
    }

    #[test]
    fn the_cpu_time_of_a_thread_is_found_by_its_name() {
        let busy = || {
            let own = || cpu_of_threads(std::process::id(), "a busy one");
            let deadline = Instant::now() + Duration::from_secs(10);
            // The books are brought up to date at the kernel's ticks.
            while own().expect("the thread") < Duration::from_millis(1) {
                assert!(Instant::now() < deadline, "{:?}", own());
            }
        };
        let thread = std::thread::Builder::new().name("a busy one".into());
        thread
            .spawn(busy)
            .expect("a thread")
            .join()
            .expect("it was found");
        assert_eq!(cpu_of_threads(std::process::id(), "nobody"), None);
    }

    #[test]
    fn a_process_that_has_ended_holds_nothing() {
        let zombie = "Name:\tsh\nState:\tZ (zombie)\nThreads:\t1\n";
        assert_eq!(of_status(zombie), None);
    }

    #[test]
    fn only_the_clients_of_the_port_are_counted_and_each_connection_once() {
        let table = "  sl  local_address rem_address   st
   0: 0100007F:9C40 0200007F:0FA0 01 00000000:00000000
   0: 0100007F:9C40 0200007F:0FA0 01 00000000:00000000
   0: 0100007F:9C40 0400007F:0FA0 01 00000000:00000000
   1: 0100007F:9C41 0200007F:0FA0 02 00000000:00000000
   2: 0200007F:0FA0 0100007F:9C40 01 00000000:00000000
   3: 0100007F:9C42 0300007F:0FA0 01 00000000:00000000
";
        assert_eq!(established_in(table, 4000), 3);
    }
}
