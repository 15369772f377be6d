//! Results on standard output: one row a candidate, in the format that was asked for.

use super::args::Format;
use super::list::List;
use proxy_shards::{
    Candidate, ProbePolicy, Protocol, Protocols, Record, Require, Targets, Verdict,
};
use serde::Serialize;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// One candidate and how it ended. The names of the fields are the keys of a JSON line and the
/// header of a CSV file. `L` is how a list is written.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row<L> {
    proxy: String,
    address: String,
    protocol: &'static str,
    verdict: &'static str,
    latency_ms: Option<f64>,
    connect_ms: Option<f64>,
    attempts: u8,
    url: Option<String>,
    protocols: L,
    targets: L,
    exit: Option<IpAddr>,
    anonymity: Option<&'static str>,
    handshake_ms: Option<f64>,
    tls_ms: Option<f64>,
    first_byte_ms: Option<f64>,
}

const HEADER: [&str; 15] = [
    "proxy",
    "address",
    "protocol",
    "verdict",
    "latency_ms",
    "connect_ms",
    "attempts",
    "url",
    "protocols",
    "targets",
    "exit",
    "anonymity",
    "handshake_ms",
    "tls_ms",
    "first_byte_ms",
];

/// What rows need to know of the policy.
#[derive(Clone, Debug)]
pub(super) struct Goals {
    names: Vec<Box<str>>,
    require: Require,
}

impl Goals {
    pub(super) fn new(policy: &ProbePolicy) -> Goals {
        Goals {
            names: policy.targets.iter().map(|t| t.name.clone()).collect(),
            require: policy.require,
        }
    }

    /// By which protocols a proxy works: none that is not alive.
    fn protocols(&self, record: &Record) -> Protocols {
        if record.verdict != Verdict::Alive {
            return Protocols::NONE;
        }
        let enough = record.works.enough(self.require, self.names.len());
        record.first.map_or(enough, |first| enough.with(first))
    }

    fn row<'a, L>(
        &'a self,
        candidate: &Candidate,
        record: &Record,
        list: impl Fn(Vec<&'a str>) -> L,
    ) -> Row<L> {
        let alive = record.verdict == Verdict::Alive;
        let first = record.first.filter(|_| alive);
        let protocols = self.protocols(record).in_order(candidate.port);
        let reached = first.map_or(Targets::NONE, |first| record.works.by(first));
        let names = reached.iter().filter_map(|place| self.names.get(place));
        let timing = &record.timing;
        let part = |us: u32| (us > 0).then(|| ms(us));
        Row {
            proxy: candidate.url().to_string(),
            address: candidate.address().to_string(),
            protocol: first.map_or(candidate.scheme.label(), Protocol::label),
            verdict: record.verdict.label(),
            latency_ms: alive.then(|| ms(timing.total_us)),
            connect_ms: part(timing.connect_us),
            attempts: record.attempts,
            url: alive.then(|| usable(candidate, first)),
            protocols: list(protocols.map(Protocol::label).collect()),
            targets: list(names.map(|name| &**name).collect()),
            exit: record.exit.map(|exit| exit.ip),
            anonymity: record.exit.map(|exit| exit.anonymity.label()),
            handshake_ms: part(timing.handshake_us),
            tls_ms: part(timing.tls_us),
            first_byte_ms: part(timing.first_byte_us),
        }
    }
}

/// How an alive proxy is used: by the first protocol that works. In connect-only mode none is known,
/// and it is as listed.
fn usable(candidate: &Candidate, first: Option<Protocol>) -> String {
    match first {
        Some(first) => candidate.url_by(first).to_string(),
        None => candidate.url().to_string(),
    }
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1000.0
}

/// Where rows go. Each candidate is given to it exactly once.
pub(super) struct Rows<W: Write> {
    form: Form<W>,
    goals: Goals,
    /// Whether the dead have rows too.
    all: bool,
}

enum Form<W: Write> {
    /// Kept to the end, to be sorted.
    Txt {
        kept: Vec<Kept>,
        out: BufWriter<W>,
    },
    Jsonl(BufWriter<W>),
    Csv(Box<csv::Writer<W>>),
}

/// What a line of text needs, in 12 bytes; it sorts as the lines do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    verdict: Verdict,
    total_us: u32,
    index: u32,
    /// By what the alive are used.
    first: Option<Protocol>,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(format: Format, all: bool, goals: Goals, out: W) -> io::Result<Rows<W>> {
        let form = match format {
            Format::Txt => Form::Txt {
                kept: Vec::new(),
                out: BufWriter::with_capacity(BUFFER_BYTES, out),
            },
            Format::Jsonl => Form::Jsonl(BufWriter::with_capacity(BUFFER_BYTES, out)),
            Format::Csv => {
                let mut builder = csv::WriterBuilder::new();
                builder.has_headers(false).buffer_capacity(BUFFER_BYTES);
                let mut out = builder.from_writer(out);
                // A list without an alive proxy has its header all the same.
                out.write_record(HEADER).map_err(io_error)?;
                Form::Csv(Box::new(out))
            }
        };
        Ok(Rows { form, goals, all })
    }

    /// By which protocols the proxy of `record` works.
    pub(super) fn protocols(&self, record: &Record) -> Protocols {
        self.goals.protocols(record)
    }

    /// Takes how the candidate `record.id` ended.
    pub(super) fn push(&mut self, list: &List, index: u32, record: &Record) -> io::Result<()> {
        if record.verdict != Verdict::Alive && !self.all {
            return Ok(());
        }
        let (candidate, goals) = (list.candidate(index), &self.goals);
        let alive = record.verdict == Verdict::Alive;
        match &mut self.form {
            Form::Txt { kept, .. } => kept.push(Kept {
                verdict: record.verdict,
                total_us: if alive { record.timing.total_us } else { 0 },
                index,
                first: record.first,
            }),
            Form::Jsonl(out) => {
                serde_json::to_writer(&mut *out, &goals.row(candidate, record, |list| list))?;
                out.write_all(b"\n")?;
            }
            Form::Csv(out) => {
                let row = goals.row(candidate, record, |list| list.join(";"));
                out.serialize(row).map_err(io_error)?;
            }
        }
        Ok(())
    }

    /// Hands on what has gathered.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Txt { .. } => Ok(()),
            Form::Jsonl(out) => out.flush(),
            Form::Csv(out) => out.flush(),
        }
    }

    /// Writes what waits for the end.
    pub(super) fn finish(mut self, list: &List) -> io::Result<()> {
        let all = self.all;
        if let Form::Txt { kept, out } = &mut self.form {
            kept.sort_unstable();
            for line in kept.iter() {
                write_line(out, list.candidate(line.index), line, all)?;
            }
            out.flush()?;
        }
        self.flush()
    }
}

fn write_line(
    out: &mut impl Write,
    candidate: &Candidate,
    line: &Kept,
    all: bool,
) -> io::Result<()> {
    let first = line.first.filter(|_| line.verdict == Verdict::Alive);
    out.write_all(usable(candidate, first).as_bytes())?;
    if all {
        write!(out, "\t{}\t", line.verdict.label())?;
        if line.verdict == Verdict::Alive {
            write!(out, "{}", ms(line.total_us))?;
        } else {
            out.write_all(b"-")?;
        }
    }
    out.write_all(b"\n")
}

/// The error of the writer underneath: a broken pipe must be known as one.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
