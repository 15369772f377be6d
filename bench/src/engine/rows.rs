//! A row for each proxy, as the comparison with the truth reads it.

use proxy_shards::{Protocol, Record, Verdict};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Row<'a> {
    proxy: &'a str,
    verdict: &'static str,
    protocols: Vec<&'static str>,
    latency_ms: f64,
}

/// Writes the rows of all proxies that have a record.
pub(super) fn write(
    out: &mut impl Write,
    list: &[&str],
    records: &[Option<Record>],
) -> io::Result<()> {
    for (proxy, record) in list.iter().zip(records) {
        if let Some(record) = record {
            serde_json::to_writer(&mut *out, &row(proxy, record))?;
            out.write_all(b"\n")?;
        }
    }
    out.flush()
}

fn row<'a>(proxy: &'a str, record: &Record) -> Row<'a> {
    let works = |protocol: &Protocol| !record.works.by(*protocol).is_empty();
    let protocols = Protocol::ALL.into_iter().filter(works);
    Row {
        proxy,
        verdict: record.verdict.label(),
        protocols: match record.verdict {
            Verdict::Alive => protocols.map(Protocol::label).collect(),
            _ => Vec::new(),
        },
        latency_ms: f64::from(record.timing.total_us) / 1e3,
    }
}
