//! What the old service's file holds: alive proxies and totals. Its clients read these keys, so
//! none of them changes.

use crate::ledger::Entry;
use crate::store::Image;
use crate::store::record::first;
use jiff::Timestamp;
use proxy_shards::{Candidate, Protocol, Scheme, Timing, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Number;

/// The time that stands for never.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// One of `proxies`.
#[derive(Serialize, Deserialize)]
pub(super) struct Proxy {
    address: String,
    protocol: Option<String>,
    #[serde(default)]
    alive: bool,
    latency_ms: Option<Number>,
    last_check: Option<String>,
}

impl Proxy {
    /// The form of an alive entry; the others are not in the list.
    pub(super) fn of(entry: &Entry) -> Option<Proxy> {
        (entry.verdict == Some(Verdict::Alive)).then(|| Proxy {
            address: entry.candidate.address().to_string(),
            protocol: Some(protocol(entry).label().to_owned()),
            alive: true,
            latency_ms: Some(entry.timing.total_us.div_ceil(1_000).into()),
            last_check: Some(time_text(entry.checked_at_ms)),
        })
    }

    /// What it says, or `None` if its address is none. The old service often left the protocol
    /// out, and meant http.
    pub(super) fn entry(&self) -> Option<Entry> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let scheme = Scheme::from_label(protocol).unwrap_or(Scheme::Http);
        let candidate: Candidate = match self.address.contains("://") {
            true => self.address.parse().ok()?,
            false => format!("{}://{}", scheme.label(), self.address)
                .parse()
                .ok()?,
        };
        let checked_at_ms = self.last_check.as_deref().map_or(0, time_of);
        let latency_ms = self.latency_ms.as_ref().and_then(Number::as_f64);
        let (verdict, latency_ms, alive_at_ms) = match self.alive {
            true => (Some(Verdict::Alive), latency_ms, checked_at_ms),
            // Dead of what, it did not say: that is for the next check.
            false => (None, None, 0),
        };
        Some(Entry {
            verdict,
            // A cast from a float stays within the bounds of the integer.
            timing: Timing {
                total_us: (latency_ms.unwrap_or(0.0) * 1_000.0) as u32,
                ..Timing::default()
            },
            works: first::works(candidate.scheme, verdict),
            checked_at_ms,
            alive_at_ms,
            ..Entry::new(candidate)
        })
    }
}

/// The protocol that an alive entry is listed with: the first, in the order of trying, of those
/// that reached the most targets; the first to be tried, if it is not known what was reached.
fn protocol(entry: &Entry) -> Protocol {
    let candidate = &entry.candidate;
    let mut tried = candidate.scheme.protocols().in_order(candidate.port);
    let first = tried.next().unwrap_or(Protocol::Http);
    let reached = |protocol| entry.works.by(protocol).iter().count();
    tried.fold(first, |best, next| match reached(next) > reached(best) {
        true => next,
        false => best,
    })
}

/// The totals.
#[derive(Serialize)]
pub(super) struct Stats {
    total_scraped: usize,
    total_alive: usize,
    total_dead: usize,
    alive_percent: f64,
    last_check_time: String,
}

impl Stats {
    pub(super) fn of(image: &Image) -> Stats {
        let (mut alive, mut dead, mut last) = (0usize, 0usize, 0);
        for entry in image.entries.iter() {
            alive += usize::from(entry.verdict == Some(Verdict::Alive));
            let is_dead = |v: Verdict| v != Verdict::Alive && !v.is_local();
            dead += usize::from(entry.verdict.is_some_and(is_dead));
            last = last.max(entry.checked_at_ms);
        }
        let percent = alive as f64 * 100.0 / (alive + dead).max(1) as f64;
        Stats {
            total_scraped: image.entries.len(),
            total_alive: alive,
            total_dead: dead,
            alive_percent: (percent * 100.0).round() / 100.0,
            last_check_time: time_text(last),
        }
    }
}

/// RFC 3339 of milliseconds since the Unix epoch; 0 is never.
pub(super) fn time_text(at_ms: u64) -> String {
    let time = i64::try_from(at_ms).ok().filter(|&ms| ms != 0);
    let time = time.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_string())
}

/// Milliseconds since the Unix epoch of RFC 3339; 0 for what is before it, or no time.
pub(super) fn time_of(text: &str) -> u64 {
    let time = text.parse::<Timestamp>();
    let ms = time.map_or(0, Timestamp::as_millisecond);
    u64::try_from(ms).unwrap_or(0)
}
