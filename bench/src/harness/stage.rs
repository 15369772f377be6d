//! A farm as a process of its own, on its own CPU, with a scratch folder for all that it writes.

use super::cpus::Pinned;
use super::interrupt::Undone;
use super::{Error, Result, at, proc, system};
use crate::farm::{Aim, Listing};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a farm may take until it serves.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a farm may take to do what it is told.
const OBEYS_WITHIN: Duration = Duration::from_secs(30);

/// How long a farm is waited for that is busy with what a program left behind, and how long it must
/// have nothing to do.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);
const REST: Duration = Duration::from_millis(50);
/// What the farm says on standard error, in the scratch folder.
const LOG: &str = "farm.log";

/// Who plays: as the arguments of `proxy-bench farm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// How many proxies.
    pub count: usize,
    /// Labels of behaviours with commas between, or `all`.
    pub behaviours: String,
    /// What is fetched through them.
    pub aim: Aim,
    /// Whether the list says what they speak.
    pub listing: Listing,
}

impl Cast {
    /// So many of these behaviours, asked for a page without content, listed with their schemes.
    pub fn of(behaviours: impl Into<String>, count: usize) -> Cast {
        Cast {
            count,
            behaviours: behaviours.into(),
            aim: Aim::NoContent,
            listing: Listing::Schemed,
        }
    }
}

/// A farm that serves. Dropped, it ends, and its folder is removed.
#[derive(Debug)]
pub struct Stage {
    child: Child,
    _folder_removed: Undone,
    folder: PathBuf,
    ready: Ready,
    command: String,
    lines: Mutex<Receiver<String>>,
}

/// What the line says that tells that all is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ready {
    ports: Vec<u16>,
    target: String,
    list_url: String,
}

impl Stage {
    /// Starts `bench farm` on the CPU `cpu` and waits until it serves.
    ///
    /// # Errors
    /// A folder or program that is not there, or a farm that does not start; what it said is told.
    pub fn set(bench: &Path, cast: &Cast, cpu: usize) -> Result<Stage> {
        Stage::set_with(bench, cast, &[], cpu)
    }

    /// The same with `more` arguments of `bench farm`.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn set_with(bench: &Path, cast: &Cast, more: &[&str], cpu: usize) -> Result<Stage> {
        let scratch = TempDir::with_prefix("proxy-bench-").map_err(system("a scratch folder"))?;
        let folder = scratch.keep();
        let gone = folder.clone();
        // Nobody is left to be told of what cannot be removed from a scratch folder.
        let removed = Undone::later(move || drop(std::fs::remove_dir_all(gone)));
        let mut arguments = arguments(cast, &folder);
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        let log = folder.join(LOG);
        let mut command = Command::new(bench);
        command
            .args(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command.stderr(File::create(&log).map_err(at(&log))?);
        let mut child = {
            let _pinned = Pinned::to(&[cpu])?;
            command.spawn().map_err(at(bench))?
        };
        let out = child.stdout.take();
        let words: Vec<String> = [vec![bench.display().to_string()], arguments].concat();
        let typed = shlex::try_join(words.iter().map(String::as_str));
        let mut stage = Stage {
            child,
            _folder_removed: removed,
            folder,
            ready: Ready::default(),
            command: format!(
                "taskset -c {cpu} {}",
                typed.unwrap_or_else(|_| words.join(" "))
            ),
            lines: Mutex::new(lines(out)?),
        };
        let line = stage.line(READY_WITHIN);
        let said = || Error::NoFarm(std::fs::read_to_string(&log).unwrap_or_default() + &line);
        stage.ready = ready(&line).ok_or_else(said)?;
        Ok(stage)
    }

    /// The next line of its standard output; empty if it ended, or took too long.
    fn line(&self, within: Duration) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.recv_timeout(within).unwrap_or_default()
    }

    /// The first `by` proxies of the list die, and as many others come behind the last; list and
    /// truth are the new ones when this returns.
    ///
    /// # Errors
    /// The farm has ended, or takes too long.
    pub fn slide(&self, by: usize) -> Result<()> {
        let input = self.child.stdin.as_ref();
        let told = input.map_or(Ok(()), |mut input| writeln!(input, "slide {by}"));
        told.map_err(system("telling the farm"))?;
        let line = self.line(OBEYS_WITHIN);
        match line.starts_with("list: ") {
            true => Ok(()),
            false => Err(Error::NoFarm(format!(
                "it was told to slide and said {line:?}"
            ))),
        }
    }

    /// The list of its proxies, one a line.
    pub fn list(&self) -> PathBuf {
        self.path("list.txt")
    }

    /// The verdicts that they must get.
    pub fn truth(&self) -> PathBuf {
        self.path("truth.jsonl")
    }

    /// The certificate of the target's authority, as PEM.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The secret of the judge.
    pub fn secret(&self) -> PathBuf {
        self.path("secret")
    }

    /// A file of this name in the scratch folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The scratch folder; it is removed with the farm.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The URL of the target, which answers without a proxy too.
    pub fn target(&self) -> &str {
        &self.ready.target
    }

    /// The URL where the list is served, as a source has it.
    pub fn list_url(&self) -> &str {
        &self.ready.list_url
    }

    /// The ports of the farm, in the order of its doors.
    pub fn ports(&self) -> &[u16] {
        &self.ready.ports
    }

    /// The farm's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the farm is at rest: what the last program left behind is closed. Gives up after
    /// a few seconds; whoever comes next then shares the farm with that.
    pub fn settle(&self) {
        let until = Instant::now() + SETTLED_WITHIN;
        let mut before = proc::cpu(self.pid());
        while Instant::now() < until {
            std::thread::sleep(REST);
            let now = proc::cpu(self.pid());
            if now
                .zip(before)
                .is_none_or(|(now, before)| now - before < REST / 50)
            {
                return;
            }
            before = now;
        }
    }

    /// The command of the farm, as [`Stage::short`] has it.
    pub fn command(&self) -> String {
        self.short(&self.command)
    }

    /// A command with `$DIR` for the scratch folder and `$TARGET` for the target's URL, so that it
    /// is the same in every run, and with paths as one types them from here.
    pub fn short(&self, command: &str) -> String {
        let here = std::env::current_dir().map(|dir| format!("{}/", dir.display()));
        let command = command
            .replace(&*self.folder.to_string_lossy(), "$DIR")
            .replace(self.target(), "$TARGET");
        match here {
            Ok(here) if here != "/" => command.replace(&here, ""),
            _ => command,
        }
    }
}

/// The lines of a farm as they come; the pipe must neither be full nor closed, whether or not
/// somebody waits for them.
fn lines(out: Option<impl std::io::Read + Send + 'static>) -> Result<Receiver<String>> {
    let (tell, told) = mpsc::channel();
    let read = move || {
        let lines = out.map(BufReader::new).into_iter().flat_map(BufRead::lines);
        for line in lines.map_while(std::result::Result::ok) {
            tell.send(line).ok();
        }
    };
    let thread = std::thread::Builder::new().name("farm's lines".into());
    thread.spawn(read).map_err(system("a thread"))?;
    Ok(told)
}

fn arguments(cast: &Cast, folder: &Path) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let mut arguments: Vec<String> = vec!["farm".into()];
    for (option, value) in [
        ("--count", cast.count.to_string()),
        ("--behaviour", cast.behaviours.clone()),
        ("--aim", cast.aim.label().to_owned()),
        ("--list", file("list.txt")),
        ("--truth", file("truth.jsonl")),
        ("--ca-out", file("ca.pem")),
        ("--secret-out", file("secret")),
    ] {
        arguments.extend([option.to_owned(), value]);
    }
    if cast.listing == Listing::Auto {
        arguments.push("--auto".into());
    }
    arguments.extend(["--serve-list".into(), "--until-eof".into()]);
    arguments
}

/// `ready: 6 proxies on ports 1 2 3, target http://…, list http://…`
fn ready(line: &str) -> Option<Ready> {
    let (_, rest) = line
        .strip_prefix("ready: ")?
        .trim()
        .split_once(" on ports ")?;
    let (ports, rest) = rest.split_once(", target ")?;
    let (target, list) = rest.split_once(", list ")?;
    let ports: std::result::Result<_, _> = ports.split(' ').map(str::parse).collect();
    Some(Ready {
        ports: ports.ok()?,
        target: target.to_owned(),
        list_url: list.to_owned(),
    })
}

impl Stage {
    /// Ends the farm, and gives what it says about its life.
    ///
    /// # Errors
    /// That cannot be read.
    pub fn end(mut self) -> Result<String> {
        self.close();
        let log = self.path(LOG);
        std::fs::read_to_string(&log).map_err(at(&log))
    }

    fn close(&mut self) {
        // The end of its input ends it; a farm that does not heed that is ended all the same.
        drop(self.child.stdin.take());
        for _ in 0..500 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_farm_that_is_ready_is_understood() {
        let line = "ready: 6 proxies on ports 1 2 65535, target http://127.0.0.1:4/generate_204, list http://127.0.0.1:1/lists/0\n";
        let found = ready(line).expect("ready");
        assert_eq!(found.ports, [1, 2, 65535]);
        assert_eq!(found.target, "http://127.0.0.1:4/generate_204");
        assert_eq!(found.list_url, "http://127.0.0.1:1/lists/0");
        assert_eq!(ready("proxy-bench: no"), None);
    }

    #[test]
    fn a_farm_that_cannot_start_says_why() {
        let error = Stage::set(
            Path::new("/nowhere/proxy-bench"),
            &Cast::of("forwards", 1),
            0,
        );
        assert!(
            error
                .expect_err("nothing there")
                .to_string()
                .contains("/nowhere")
        );
    }
}
