//! A program to be measured: what is run, where, and under which limits; and what it used.

use super::cpus::Pinned;
use super::gauge::{Gauge, Watch};
use super::interrupt::Undone;
use super::usage::{Moment, Reaped, Usage};
use super::{Error, Result, at, proc, system};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much of the end of its standard error an error shows, in bytes.
const SAID_BYTES_MAX: u64 = 4096;

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    cpus: Vec<usize>,
    nofile: Option<u64>,
    output: Option<PathBuf>,
    limit: Option<Duration>,
}

impl Program {
    /// A program with its arguments.
    pub fn new(
        path: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Program {
        Program {
            path: path.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            cpus: Vec::new(),
            nofile: None,
            output: None,
            limit: None,
        }
    }

    /// Further arguments.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        self.arguments.extend(more.into_iter().map(Into::into));
        self
    }

    /// Runs on these CPUs only, and sees no others from its first instruction on.
    #[must_use]
    pub fn on(mut self, cpus: &[usize]) -> Program {
        self.cpus = cpus.to_vec();
        self
    }

    /// May have so many descriptors, hard and soft.
    #[must_use]
    pub fn nofile(mut self, descriptors: u64) -> Program {
        self.nofile = Some(descriptors);
        self
    }

    /// Writes its standard output to this file; it is thrown away otherwise.
    #[must_use]
    pub fn to(mut self, output: impl Into<PathBuf>) -> Program {
        self.output = Some(output.into());
        self
    }

    /// Is killed, and has failed, if it takes longer.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Program {
        self.limit = Some(limit);
        self
    }

    /// The command as one would type it, CPUs, limit and output included.
    pub fn command(&self) -> String {
        let mut words = Vec::new();
        if !self.cpus.is_empty() {
            let cpus: Vec<_> = self.cpus.iter().map(usize::to_string).collect();
            words.extend(["taskset".into(), "-c".into(), cpus.join(",")]);
        }
        words.push(self.path.to_string_lossy().into_owned());
        words.extend(
            self.arguments
                .iter()
                .map(|a| a.to_string_lossy().into_owned()),
        );
        let mut typed = typed(&words);
        if let Some(output) = &self.output {
            typed += &format!(" > {}", output.display());
        }
        match self.nofile {
            Some(limit) => format!("(ulimit -n {limit}; {typed})"),
            None => typed,
        }
    }

    fn spawnable(&self) -> Command {
        let Some(limit) = self.nofile else {
            let mut command = Command::new(&self.path);
            command.args(&self.arguments);
            return command;
        };
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {limit} && exec \"$@\"");
        command
            .args(["-c", &script, "sh"])
            .arg(&self.path)
            .args(&self.arguments);
        command
    }

    /// Starts it, and looks at `gauges` too while it runs.
    ///
    /// # Errors
    /// A program, CPU or file that is not there.
    pub fn start(&self, gauges: Vec<Gauge>) -> Result<Running> {
        let said = tempfile::tempfile().map_err(system("a scratch file"))?;
        let mut command = self.spawnable();
        command.stdin(Stdio::null());
        command.stdout(match &self.output {
            Some(path) => Stdio::from(File::create(path).map_err(at(path))?),
            None => Stdio::null(),
        });
        command.stderr(said.try_clone().map_err(system("a scratch file"))?);
        let started = Instant::now();
        let child = {
            let _pinned = match self.cpus.as_slice() {
                [] => None,
                cpus => Some(Pinned::to(cpus)?),
            };
            command.spawn().map_err(at(&self.path))?
        };
        let (pid, id) = (child.id(), Pid::from_child(&child));
        let kill = move || {
            // It fails if there is nothing left to be killed.
            let _ = kill_process(id, Signal::KILL);
        };
        // From here on the child is ended also if something fails.
        let mut running = Running {
            command: self.command(),
            child,
            said,
            started,
            watch: None,
            killed_by_signal: Undone::later(kill),
        };
        let watch = Watch::start(pid, gauges, self.limit, kill).map_err(system("a thread"))?;
        running.watch = Some(watch);
        Ok(running)
    }

    /// Runs it to its end, which must be good.
    ///
    /// # Errors
    /// As [`Program::start`]; an exit status that is not 0, or the time was over.
    pub fn run(&self) -> Result<Usage> {
        self.start(Vec::new())?.finish()
    }
}

/// Words as a shell takes them.
fn typed(words: &[String]) -> String {
    // A word with a NUL cannot have been run.
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

/// A program that was started. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    said: File,
    started: Instant,
    watch: Option<Watch>,
    killed_by_signal: Undone,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// What it used.
    pub usage: Usage,
    /// Its exit status.
    pub status: ExitStatus,
    /// The end of what it wrote to standard error.
    pub said: String,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it holds and has used until now; `None` once it has ended.
    pub fn now(&self) -> Option<Moment> {
        let holds = proc::holds(self.pid())?;
        Some(Moment {
            at_s: self.started.elapsed().as_secs_f64(),
            cpu_s: proc::cpu(self.pid())?.as_secs_f64(),
            rss_kib: holds.rss_kib,
            rss_peak_kib: holds.rss_peak_kib,
            descriptors: holds.descriptors,
            threads: holds.threads,
        })
    }

    /// The CPU time so far of its threads of this name, in seconds; `None` if there are none.
    pub fn cpu_of_threads(&self, name: &str) -> Option<f64> {
        Some(proc::cpu_of_threads(self.pid(), name)?.as_secs_f64())
    }

    /// The end of what it has written to standard error so far.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn said(&self) -> Result<String> {
        tail(&self.said).map_err(system("what it said"))
    }

    /// When it was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        // It was not waited for yet, so the id is still its own.
        let sent = kill_process(Pid::from_child(&self.child), signal);
        sent.map_err(|e| system(format!("{signal:?} to {}", self.command))(e.into()))
    }

    /// Waits for its end, whatever that is.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn wait(mut self) -> Result<Ended> {
        let error = |what: &'static str| system(what);
        // Seen, but not yet waited for: until the next lines its id cannot be another's.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let id = Pid::from_child(&self.child);
        while let Err(errno) = waitid(WaitId::Pid(id), options) {
            if errno != rustix::io::Errno::INTR {
                return Err(error("waitid")(errno.into()));
            }
        }
        let wall_s = self.started.elapsed().as_secs_f64();
        let peaks = self.watch.take().map(Watch::stop).unwrap_or_default();
        self.killed_by_signal.forget();
        let mut usage = Usage {
            wall_s,
            rss_peak_kib: peaks.holds.rss_peak_kib,
            descriptors_peak: peaks.holds.descriptors,
            threads_peak: peaks.holds.threads,
            gauges: peaks.gauges,
            ..Usage::default()
        };
        let status = reap(&mut self.child, &mut usage).map_err(error("wait"))?;
        let said = tail(&self.said).map_err(error("what it said"))?;
        Ok(Ended {
            usage,
            status,
            said,
        })
    }

    /// Waits for its end, which must be good.
    ///
    /// # Errors
    /// As [`Running::wait`]; an exit status that is not 0.
    pub fn finish(self) -> Result<Usage> {
        let command = self.command.clone();
        let ended = self.wait()?;
        match ended.status.success() {
            true => Ok(ended.usage),
            false => Err(Error::Failed {
                command,
                status: ended.status.to_string(),
                said: ended.said,
            }),
        }
    }
}

/// The kernel sums the usage of children up as they are waited for: one at a time, what is added
/// is this child's.
fn reap(child: &mut Child, usage: &mut Usage) -> std::io::Result<ExitStatus> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = Reaped::now()?;
    let status = child.wait()?;
    Reaped::now()?.since(before, usage);
    Ok(status)
}

/// Read where it stands: the program writes at the file's own place, which must not move.
fn tail(said: &File) -> std::io::Result<String> {
    let length = said.metadata()?.len();
    let from = length.saturating_sub(SAID_BYTES_MAX);
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
    let count = said.read_at(&mut bytes, from)?;
    Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

impl Drop for Running {
    fn drop(&mut self) {
        // The watch is stopped first: after the wait the id may be another process's.
        drop(self.watch.take().map(Watch::stop));
        self.killed_by_signal.forget();
        // Both fail if it has ended and was waited for, as it should have.
        let _ = self.child.kill();
        let _ = reap(&mut self.child, &mut Usage::default());
    }
}

#[cfg(test)]
mod tests;
