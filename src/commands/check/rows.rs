//! Results on standard output: one row a candidate, in the format that was asked for.

use super::args::Format;
use super::list::List;
use proxy_shards::{Candidate, Record, Verdict};
use serde::Serialize;
use std::io::{self, BufWriter, Write};

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 64 * 1024;

/// One candidate and how it ended. The names of the fields are the keys of a JSON line and the
/// header of a CSV file.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    proxy: String,
    address: String,
    protocol: &'static str,
    verdict: &'static str,
    latency_ms: Option<f64>,
    connect_ms: Option<f64>,
    attempts: u8,
}

const HEADER: [&str; 7] = [
    "proxy",
    "address",
    "protocol",
    "verdict",
    "latency_ms",
    "connect_ms",
    "attempts",
];

impl Row {
    fn new(candidate: &Candidate, record: &Record) -> Row {
        let alive = record.verdict == Verdict::Alive;
        Row {
            proxy: candidate.url().to_string(),
            address: candidate.address().to_string(),
            protocol: candidate.scheme.label(),
            verdict: record.verdict.label(),
            latency_ms: alive.then(|| ms(record.timing.total_us)),
            connect_ms: (record.timing.connect_us > 0).then(|| ms(record.timing.connect_us)),
            attempts: record.attempts,
        }
    }
}

fn ms(us: u32) -> f64 {
    f64::from(us) / 1000.0
}

/// Where rows go. Each candidate is given to it exactly once.
pub(super) struct Rows<W: Write> {
    form: Form<W>,
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
}

impl<W: Write> Rows<W> {
    pub(super) fn new(format: Format, all: bool, out: W) -> io::Result<Rows<W>> {
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
        Ok(Rows { form, all })
    }

    /// Takes how the candidate `record.id` ended.
    pub(super) fn push(&mut self, list: &List, index: u32, record: &Record) -> io::Result<()> {
        if record.verdict != Verdict::Alive && !self.all {
            return Ok(());
        }
        let row = || Row::new(list.candidate(index), record);
        match &mut self.form {
            Form::Txt { kept, .. } => kept.push(Kept {
                verdict: record.verdict,
                total_us: if record.verdict == Verdict::Alive {
                    record.timing.total_us
                } else {
                    0
                },
                index,
            }),
            Form::Jsonl(out) => {
                serde_json::to_writer(&mut *out, &row())?;
                out.write_all(b"\n")?;
            }
            Form::Csv(out) => out.serialize(row()).map_err(io_error)?,
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
    write!(out, "{}", candidate.url())?;
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
