//! The record of format 1, which earlier versions wrote: read for ever, and encoded only to
//! check the CRC of a file that holds it.
//!
//! After the candidate: `verdict u8 · latency_us u32 · checked_at_ms u64 · alive_at_ms u64 ·
//! failures u32`.

use super::{Reader, code, put_candidate};
use crate::ledger::Entry;
use proxy_shards::{Protocol, Scheme, Targets, Timing, Verdict, Works};

/// Appends what format 1 holds of a storable entry.
pub(in crate::store) fn encode(entry: &Entry, out: &mut Vec<u8>) {
    put_candidate(&entry.candidate, out);
    out.push(entry.verdict.map_or(code::VERDICT_NONE, code::verdict));
    out.extend(entry.timing.total_us.to_le_bytes());
    out.extend(entry.checked_at_ms.to_le_bytes());
    out.extend(entry.alive_at_ms.to_le_bytes());
    out.extend(entry.failures.to_le_bytes());
}

impl Reader<'_> {
    /// The next entry of format 1.
    pub(in crate::store) fn first_entry(&mut self) -> Option<Entry> {
        let mut entry = Entry::new(self.candidate()?);
        entry.verdict = self.verdict()?;
        entry.works = works(entry.candidate.scheme, entry.verdict);
        entry.timing = Timing {
            total_us: self.u32()?,
            ..Timing::default()
        };
        entry.checked_at_ms = self.u64()?;
        entry.alive_at_ms = self.u64()?;
        entry.failures = self.u32()?;
        Some(entry)
    }
}

/// What an entry reached when there was one target and a candidate had one protocol; `https` was
/// a word for HTTP then.
pub(in crate::store) fn works(scheme: Scheme, verdict: Option<Verdict>) -> Works {
    let protocol = match scheme {
        Scheme::Http | Scheme::Https => Protocol::Http,
        Scheme::Socks4 => Protocol::Socks4,
        Scheme::Socks5 => Protocol::Socks5,
        Scheme::Auto => return Works::default(),
    };
    let mut works = Works::default();
    if verdict == Some(Verdict::Alive) {
        works.set(protocol, Targets::first(1));
    }
    works
}
