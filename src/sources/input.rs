//! A list named on the command line: a file, the standard input or a URL. For commands that may
//! block; the service reads its sources with `fetch`.

use super::fetch::{FetchError, Fetched, Fetcher};
use super::parse::{Parsed, Parser, Reading, Skip, Skipped, describe};
use crate::candidates::Candidates;
use crate::config::{Aggregator, Location, Source};
use proxy_shards::{Candidate, Scheme};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;
use url::Url;

/// Bytes read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Where a command reads a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A path: of a file, or of a pipe such as `<(…)` of a shell.
    File(PathBuf),
    /// `-`
    Stdin,
    /// `http://` or `https://`
    Url(Url),
}

/// What bounds reading a URL. A file that somebody names by hand is read to its end.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest time for one URL.
    pub timeout: Duration,
    /// Longest body of one URL, in bytes after decompression.
    pub bytes_max: u64,
    /// `User-Agent` of the requests.
    pub user_agent: Box<str>,
}

impl Default for Limits {
    /// 30 seconds, 64 MiB, and the name and version of this program.
    fn default() -> Limits {
        Limits {
            timeout: Duration::from_secs(30),
            bytes_max: 64 << 20,
            user_agent: concat!("proxy-checker/", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}

/// Why a text names no input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInput {
    /// It has the form of one proxy.
    #[error("this is a proxy and not a list: write it to a file or to the standard input")]
    Proxy,
    /// Its scheme cannot be read from.
    #[error("lists are read from files, http and https, not from `{0}`")]
    Scheme(String),
    /// It has a scheme that can be read from, but is no URL.
    #[error("not a URL: {0}")]
    Url(String),
}

/// Why an input gave no list. The text does not name the input.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file or the standard input cannot be read.
    #[error("cannot read it: {0}: check the path and its permissions")]
    Read(io::Error),
    /// There is no such file, and the name has the form of one proxy.
    #[error("there is no such file, and {}", NotAnInput::Proxy)]
    Proxy,
    /// The URL cannot be fetched, or holds no proxy.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It was read to its end, and there is no proxy in it.
    #[error(
        "no proxy found: expected ip:port, scheme://user:pass@host:port, CSV, JSON or HTML (docs/formats.md); {}",
        skipped_text(.0)
    )]
    NothingFound(Skipped),
    /// What was found cannot be handed on.
    #[error("cannot write the proxies: {0}")]
    Output(io::Error),
}

fn skipped_text(skipped: &Skipped) -> String {
    let total: u64 = skipped.iter().sum();
    let all_noise = skipped[Skip::Noise as usize] == total;
    let things = match (total, all_noise) {
        (0, _) => return "there is nothing but comments and white space".to_owned(),
        (1, true) => "line",
        (_, true) => "lines",
        (1, false) => "piece",
        (_, false) => "pieces",
    };
    format!("{total} {things} skipped ({})", describe(skipped))
}

/// Whether this is one proxy, with or without a scheme.
fn is_proxy(text: &str) -> bool {
    [text, &format!("http://{text}")]
        .iter()
        .any(|url| url.parse::<Candidate>().is_ok())
}

impl FromStr for Input {
    type Err = NotAnInput;

    /// `-`, a URL with `http`, `https` or `file`, or a path.
    fn from_str(text: &str) -> Result<Input, NotAnInput> {
        if text == "-" {
            return Ok(Input::Stdin);
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Ok(Input::File(text.into()));
        };
        let url = || Url::parse(text).map_err(|e| NotAnInput::Url(e.to_string()));
        match &scheme.to_ascii_lowercase()[..] {
            "http" | "https" => Ok(Input::Url(url()?)),
            "file" => match url()?.to_file_path() {
                Ok(path) => Ok(Input::File(path)),
                Err(()) => Err(NotAnInput::Url("it names another machine".to_owned())),
            },
            other if Scheme::from_label(other).is_some() => Err(NotAnInput::Proxy),
            other => Err(NotAnInput::Scheme(other.escape_debug().to_string())),
        }
    }
}

impl fmt::Display for Input {
    /// As it was named, without what may be secret in a URL: its credentials and its query. A file
    /// that came from elsewhere may have a name that a terminal would obey.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::File(path) => {
                for c in path.display().to_string().chars() {
                    match c.is_control() {
                        true => write!(f, "{}", c.escape_default())?,
                        false => write!(f, "{c}")?,
                    }
                }
                Ok(())
            }
            Input::Stdin => f.write_str("standard input"),
            Input::Url(url) => {
                let host = url.host_str().unwrap_or_default();
                write!(f, "{}://{host}", url.scheme())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                let query = if url.query().is_some() { "?…" } else { "" };
                write!(f, "{}{query}", url.path())
            }
        }
    }
}

/// The protocol of lines without a scheme, as a command line names it: `http`, `https`, `socks4`,
/// `socks5` or `auto`.
///
/// # Errors
/// With any other word; the text lists the right ones.
pub fn protocol_hint(text: &str) -> Result<Scheme, String> {
    match &text.to_ascii_lowercase()[..] {
        "auto" => Ok(Scheme::Auto),
        word => Scheme::from_label(word)
            .ok_or_else(|| "expected http, https, socks4, socks5 or auto".to_owned()),
    }
}

/// Reads one input whole. It blocks, and must not be called on a thread of an async runtime.
///
/// # Errors
/// Every [`InputError`] but `Output`.
pub fn read(input: &Input, reading: Reading, limits: &Limits) -> Result<Parsed, InputError> {
    let mut candidates = Candidates::default();
    let mut keep = |found: Vec<Candidate>| {
        found.into_iter().for_each(|one| candidates.push(one));
        Ok(())
    };
    let mut inputs = Inputs::new(reading, limits.clone());
    let skipped = inputs.read(input, &mut keep)?.skipped;
    Ok(Parsed {
        candidates,
        skipped,
        ..Parsed::default()
    })
}

/// Takes what was found, piece by piece, each candidate once.
pub type Take<'a> = &'a mut dyn FnMut(Vec<Candidate>) -> io::Result<()>;

/// How much an input held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Candidates that no input before it held.
    pub candidates: usize,
    /// What was skipped, by `skip as usize`.
    pub skipped: Skipped,
}

/// Reads inputs one after another; a candidate of an earlier one is a duplicate in the next.
#[derive(Debug)]
pub struct Inputs {
    reading: Reading,
    limits: Limits,
    parser: Parser,
}

impl Inputs {
    /// A reader that has read nothing yet.
    pub fn new(reading: Reading, limits: Limits) -> Inputs {
        Inputs {
            parser: Parser::new(reading.clone()),
            reading,
            limits,
        }
    }

    /// Reads one input and gives `take` what it finds, of a file while it is being read. It blocks,
    /// and must not be called on a thread of an async runtime.
    ///
    /// # Errors
    /// Every [`InputError`]; what was taken before stays taken.
    pub fn read(&mut self, input: &Input, take: Take<'_>) -> Result<Held, InputError> {
        match input {
            Input::Stdin => self.read_from(io::stdin().lock(), take),
            Input::File(path) => {
                let file = File::open(path).map_err(|e| self.not_opened(path, e))?;
                self.read_from(file, take)
            }
            Input::Url(url) => {
                let list = self.fetch(url)?;
                self.parser.add(list);
                self.end(0, take)
            }
        }
    }

    /// Why `path` cannot be opened. Who writes `1.2.3.4:8080` for a list means that proxy.
    fn not_opened(&self, path: &Path, error: io::Error) -> InputError {
        let missing = error.kind() == io::ErrorKind::NotFound;
        match path.to_str() {
            Some(text) if missing && is_proxy(text) => InputError::Proxy,
            _ => InputError::Read(error),
        }
    }

    /// Reads what an open file or pipe holds, up to its end.
    ///
    /// # Errors
    /// As [`Inputs::read`].
    pub fn read_from(&mut self, mut from: impl Read, take: Take<'_>) -> Result<Held, InputError> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut candidates = 0;
        loop {
            match from.read(&mut piece) {
                Ok(0) => return self.end(candidates, take),
                Ok(length) => self.parser.push(&piece[..length]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    self.end(candidates, take).ok(); // what came before the failure is good
                    return Err(InputError::Read(e));
                }
            }
            candidates += self.hand_on(take)?;
        }
    }

    /// Ends the list of which `candidates` were taken.
    fn end(&mut self, candidates: usize, take: Take<'_>) -> Result<Held, InputError> {
        let skipped = self.parser.end_list();
        let candidates = candidates + self.hand_on(take)?;
        if candidates == 0 && skipped[Skip::Duplicate as usize] == 0 {
            return Err(InputError::NothingFound(skipped));
        }
        Ok(Held {
            candidates,
            skipped,
        })
    }

    fn hand_on(&mut self, take: Take<'_>) -> Result<usize, InputError> {
        let found = self.parser.take();
        let length = found.len();
        if length > 0 {
            take(found).map_err(InputError::Output)?;
        }
        Ok(length)
    }

    fn fetch(&self, url: &Url) -> Result<Parsed, InputError> {
        let source = Source {
            url: url.as_str().into(),
            location: Location::Web(url.clone()),
            hint: self.reading.hint,
            format: self.reading.format,
        };
        let fetcher = Fetcher::new(&Aggregator {
            interval: Duration::ZERO,
            sources: Vec::new(),
            user_agent: self.limits.user_agent.clone(),
            addresses: self.reading.addresses.clone(),
            source_timeout: self.limits.timeout,
            source_bytes_max: self.limits.bytes_max,
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(InputError::Read)?;
        let fetched = runtime.block_on(fetcher.fetch(&source));
        runtime.shutdown_background(); // a name service that hangs must not hold us
        match fetched? {
            Fetched::List(list) => Ok(list),
            Fetched::NotModified => unreachable!("a new fetcher remembers no list"),
        }
    }
}

#[cfg(test)]
mod tests;
