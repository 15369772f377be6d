//! The real binary, run and watched: every wait has a deadline.

#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(unreachable_pub, reason = "the test binaries are the public")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// Longest wait for anything that ends by itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a finished run left.
#[derive(Debug)]
pub struct Ran {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }
}

/// A process whose output arrives line by line; killed if the test ends before it does.
pub struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
    /// Lines of standard error that were read on the way to another one.
    passed: Vec<String>,
}

/// Starts `proxy-checker` with these arguments, in `folder` if one is given.
pub fn start(arguments: &[&str], stdin: &str, folder: Option<&Path>) -> Running {
    start_with(&[], arguments, stdin, folder)
}

/// The same with these environment variables.
pub fn start_with(
    variables: &[(&str, &str)],
    arguments: &[&str],
    stdin: &str,
    folder: Option<&Path>,
) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-checker"));
    command.args(arguments).envs(variables.iter().copied());
    if let Some(folder) = folder {
        command.current_dir(folder);
    }
    watch(command, stdin)
}

/// Starts `proxy-checker` as a shell does after these `limits`, such as `ulimit -n 256`.
pub fn start_under(
    limits: &str,
    variables: &[(&str, &str)],
    arguments: &[&str],
    folder: &Path,
) -> Running {
    let mut command = Command::new("sh");
    let binary = env!("CARGO_BIN_EXE_proxy-checker");
    let line = format!("{limits}\nexec \"$0\" \"$@\"");
    command.args(["-c", &line, binary]).args(arguments);
    command.envs(variables.iter().copied()).current_dir(folder);
    watch(command, "")
}

fn watch(mut command: Command, stdin: &str) -> Running {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    let mut pipe = child.stdin.take().expect("piped");
    let text = stdin.to_owned();
    // A process that does not read its input closes the pipe.
    thread::spawn(move || pipe.write_all(text.as_bytes()).ok());
    let out = lines(child.stdout.take().expect("piped"));
    let err = lines(child.stderr.take().expect("piped"));
    Running {
        child,
        out,
        err,
        passed: Vec::new(),
    }
}

/// Runs `proxy-checker` to its end.
pub fn run(arguments: &[&str], stdin: &str) -> Ran {
    start(arguments, stdin, None).end(PATIENCE)
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, lines): (Sender<String>, _) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Dropping the pipe is how a reader goes away.
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Takes lines until the pipe is closed, and says whether that was in time.
fn drain(lines: &Receiver<String>, until: Instant, into: &mut String) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => {
                into.push_str(&line);
                into.push('\n');
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return true,
            Err(mpsc::RecvTimeoutError::Timeout) => return false,
        }
    }
}

impl Running {
    /// The next line of standard output.
    pub fn line(&mut self) -> String {
        self.out
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|e| panic!("no line: {e}; standard error:\n{}", self.log()))
    }

    /// The part after `mark` of the first line of standard error that contains it.
    pub fn after(&mut self, mark: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self
                .err
                .recv_timeout(left)
                .unwrap_or_else(|e| panic!("no {mark:?}: {e}; standard error:\n{}", self.log()));
            let found = line.split_once(mark).map(|(_, after)| after.to_owned());
            self.passed.push(line);
            if let Some(after) = found {
                return after;
            }
        }
    }

    /// Standard error so far.
    pub fn log(&mut self) -> String {
        self.passed.extend(self.err.try_iter());
        self.passed.join("\n")
    }

    /// Reads no more of standard output: as `head` after its last line.
    pub fn close_output(&mut self) {
        self.out = mpsc::channel().1;
    }

    /// The number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `INT`, `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success(), "SIG{name}");
    }

    /// Waits for the end.
    pub fn end(mut self, within: Duration) -> Ran {
        let until = Instant::now() + within;
        let (mut out, mut err) = (String::new(), String::new());
        for line in self.passed.drain(..) {
            err.push_str(&line);
            err.push('\n');
        }
        let ended = drain(&self.out, until, &mut out) && drain(&self.err, until, &mut err);
        assert!(
            ended,
            "still running after {within:?}; standard error:\n{err}"
        );
        // Its pipes are closed, so it is on its way out.
        let status = self.child.wait().expect("it can be waited for").code();
        Ran { status, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks until `what` gives something: the API has nothing to wait on.
pub fn eventually<T>(within: Duration, aim: &str, mut what: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(Instant::now() < until, "not within {within:?}: {aim}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// One HTTP request on a connection of its own: the status and the body.
pub fn ask(address: &str, method: &str, target: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the API accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding");
    assert!(!chunked, "this client reads plain bodies only: {head}");
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    (status.expect("a status"), body.to_owned())
}
