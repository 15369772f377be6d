//! What a worker reports: records and the figures that go with them.

use super::{FORMAT, opened, protocols, put_protocols};
use crate::store::record::{self, Reader};
use proxy_shards::tally::LATENCY_BUCKETS_MS;
use proxy_shards::{Record, Tally, Verdict};

/// The figures of one node that come with its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its name.
    pub(crate) node: Box<str>,
    /// Its probes since its last report.
    pub(crate) tally: Tally,
    /// Its probes under way.
    pub(crate) in_flight: u32,
    /// Its jobs that wait for a lane.
    pub(crate) queued: u32,
    /// How late one of its shards was at worst, in microseconds.
    pub(crate) lag_us: u32,
    /// Restarts of its shards.
    pub(crate) restarts: u64,
}

/// `format · node · in_flight u32 · queued u32 · lag_us u32 · restarts u64 · latency_us_sum u64 ·
/// buckets u8 [u64] · verdicts u8 [verdict, u64]`, the counts that are not zero.
pub(crate) fn pack_head(head: &Head) -> Vec<u8> {
    let mut out = vec![FORMAT];
    record::put_text(&head.node, &mut out);
    for figure in [head.in_flight, head.queued, head.lag_us] {
        out.extend(figure.to_le_bytes());
    }
    for figure in [head.restarts, head.tally.latency_us_sum] {
        out.extend(figure.to_le_bytes());
    }
    out.push(head.tally.latency.len() as u8);
    for count in head.tally.latency {
        out.extend(count.to_le_bytes());
    }
    let counted = Verdict::ALL.map(|v| (v, head.tally.verdicts[v as usize]));
    let counted = counted.iter().filter(|(_, count)| *count > 0);
    out.push(counted.clone().count() as u8);
    for (verdict, count) in counted {
        record::put_verdict(Some(*verdict), &mut out);
        out.extend(count.to_le_bytes());
    }
    out
}

/// The head of a report.
pub(crate) fn unpack_head(bytes: &[u8]) -> Option<Head> {
    let mut reader = opened(bytes)?;
    let mut head = Head {
        node: reader.text()?.into(),
        in_flight: reader.u32()?,
        queued: reader.u32()?,
        lag_us: reader.u32()?,
        restarts: reader.u64()?,
        tally: Tally::default(),
    };
    head.tally.latency_us_sum = reader.u64()?;
    if usize::from(reader.u8()?) != LATENCY_BUCKETS_MS.len() + 1 {
        return None;
    }
    for count in &mut head.tally.latency {
        *count = reader.u64()?;
    }
    for _ in 0..reader.u8()? {
        let verdict = reader.verdict()??;
        head.tally.verdicts[verdict as usize] = reader.u64()?;
    }
    reader.is_at_end().then_some(head)
}

/// `format`, then of each record `id u64 · verdict u8 · attempts u8 · works 4 × u8 · first u8 ·
/// untried u8 · timing 5 × u32 · exit`.
pub(crate) fn pack_records(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + 54 * records.len());
    out.push(FORMAT);
    for record in records {
        out.extend(record.id.to_le_bytes());
        record::put_verdict(Some(record.verdict), &mut out);
        out.push(record.attempts);
        record::put_works(record.works, &mut out);
        put_protocols(record.first.into_iter().collect(), &mut out);
        put_protocols(record.untried, &mut out);
        record::put_timing(record.timing, &mut out);
        record::put_exit(record.exit, &mut out);
    }
    out
}

/// The records of a piece.
pub(crate) fn unpack_records(bytes: &[u8]) -> Option<Vec<Record>> {
    let mut reader = opened(bytes)?;
    let mut records = Vec::new();
    while !reader.is_at_end() {
        records.push(read(&mut reader)?);
    }
    Some(records)
}

fn read(reader: &mut Reader<'_>) -> Option<Record> {
    let (id, verdict) = (reader.u64()?, reader.verdict()??);
    Some(Record {
        attempts: reader.u8()?,
        works: reader.works()?,
        first: protocols(reader)?.in_order(0).next(),
        untried: protocols(reader)?,
        timing: reader.timing()?,
        exit: reader.exit()?,
        ..Record::unprobed(id, verdict)
    })
}
