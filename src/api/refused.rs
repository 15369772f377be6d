//! What is said of refused requests: a line at once for the first of a kind, and then a count, so that
//! a flood of requests is no flood of lines.

use axum::http::StatusCode;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shortest time between two lines about one kind.
pub(super) const PAUSE: Duration = Duration::from_secs(10);

/// Every kind that has a line of its own: the status, and the word for it in the log.
const KINDS: [(u16, &str); 12] = [
    (400, "bad_request"),
    (401, "key"),
    (403, "cross_site"),
    (404, "not_found"),
    (405, "method"),
    (408, "timeout"),
    (413, "too_large"),
    (422, "configuration"),
    (429, "rate"),
    (500, "internal"),
    (503, "unavailable"),
    (0, "other"),
];

/// One refused request, in words that are ours or were checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'r> {
    pub(super) status: StatusCode,
    pub(super) method: &'static str,
    pub(super) endpoint: &'static str,
    pub(super) client: std::net::IpAddr,
    pub(super) request_id: &'r str,
}

/// The refusals of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    rows: Mutex<[Row; KINDS.len()]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    told_at: Option<Instant>,
    untold: u64,
}

impl Row {
    /// Counts one; gives how many there were since the last line, if it is time for one.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        self.due(now)
    }

    /// How many were not told, if there are any and it is time for a line.
    fn due(&mut self, now: Instant) -> Option<u64> {
        let is_time = self
            .told_at
            .is_none_or(|told| now.duration_since(told) >= PAUSE);
        if !is_time || self.untold == 0 {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

impl Refusals {
    /// Notes a request that was refused, and says so if that is due.
    pub(super) fn note(&self, refused: Refused<'_>, now: Instant) {
        let place = kind(refused.status);
        let due = self.rows.lock().unwrap_or_else(PoisonError::into_inner)[place].count(now);
        let Some(count) = due else {
            return;
        };
        let (kind, status) = (KINDS[place].1, refused.status.as_u16());
        let Refused {
            method,
            endpoint,
            client,
            request_id,
            ..
        } = refused;
        if is_notable(status) {
            tracing::warn!(kind, status, count, method, endpoint, %client, request_id, "requests were refused");
        } else {
            tracing::info!(kind, status, count, method, endpoint, %client, request_id, "requests were refused");
        }
    }

    /// Says how many were refused since the last lines, of each kind of which more came than was said.
    pub(super) fn tell_rest(&self, now: Instant) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, (status, kind)) in rows.iter_mut().zip(KINDS) {
            match row.due(now) {
                Some(count) if is_notable(status) => {
                    tracing::warn!(kind, status, count, "more requests were refused");
                }
                Some(count) => tracing::info!(kind, status, count, "more requests were refused"),
                None => {}
            }
        }
    }

    /// Goes on doing so.
    pub(super) async fn tell(&self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.tell_rest(Instant::now());
        }
    }
}

/// Whether the operator should see it: it is about keys, limits, or this service itself.
fn is_notable(status: u16) -> bool {
    matches!(status, 401 | 403 | 429 | 500..)
}

/// The place of a status in [`KINDS`].
fn kind(status: StatusCode) -> usize {
    let known = KINDS.iter().position(|(code, _)| *code == status.as_u16());
    known.unwrap_or(KINDS.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_and_then_a_count_every_ten_seconds() {
        let (mut row, start) = (Row::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(row.count(at(0)), Some(1), "the first is told at once");
        let told: Vec<u64> = (1..25_000).filter_map(|ms| row.count(at(ms))).collect();
        assert_eq!(told, [10_000, 10_000]);
        assert_eq!(row.due(at(25_000)), None);
        assert_eq!(row.due(at(30_000)), Some(4_999), "none is forgotten");
        assert_eq!(row.due(at(90_000)), None, "and none told twice");
    }

    #[test]
    fn every_status_of_the_api_has_a_word_of_its_own() {
        let word = |status: u16| KINDS[kind(StatusCode::from_u16(status).unwrap())].1;
        for (status, expected) in KINDS.into_iter().filter(|(status, _)| *status > 0) {
            assert_eq!(word(status), expected);
        }
        assert_eq!(word(418), "other");
    }
}
