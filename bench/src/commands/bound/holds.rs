//! How long each candidate held a lane, and what a sweep must last with so many lanes.

use proxy_bench::harness::{Error, Result};
use serde::Deserialize;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{BufRead, Error as IoError};
use std::time::Duration;

/// What a row of `proxy-checker check --format jsonl` says of time; other fields are ignored.
#[derive(Debug, Deserialize)]
struct Row {
    proxy: String,
    verdict: String,
    latency_ms: Option<f64>,
    connect_ms: Option<f64>,
    handshake_ms: Option<f64>,
    tls_ms: Option<f64>,
    first_byte_ms: Option<f64>,
}

/// How long a probe may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    pub(super) connect: Duration,
    pub(super) whole: Duration,
}

impl Row {
    /// How long it held its lane at least, in microseconds. Only of the alive does a row say all of it.
    /// Who was timed out held it until that deadline, any other at least as long as the parts that
    /// are told; of several attempts one counts. So nothing that is computed from it is too long.
    fn held_us(&self, patience: Patience) -> u64 {
        let whole = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        match (self.latency_ms, self.verdict.as_str()) {
            (Some(latency_ms), _) => us(latency_ms),
            (None, "connect_timeout") => whole(patience.connect),
            (None, "handshake_timeout" | "response_timeout") => whole(patience.whole),
            (None, _) => {
                let parts = [
                    self.connect_ms,
                    self.handshake_ms,
                    self.tls_ms,
                    self.first_byte_ms,
                ];
                us(parts.into_iter().flatten().sum())
            }
        }
    }
}

fn us(ms: f64) -> u64 {
    (ms * 1e3).round() as u64
}

/// The time for which each candidate held a lane, in microseconds, in the order of the list.
///
/// # Errors
/// A file that cannot be read, or a candidate of the list without a row.
pub(super) fn of(list: impl BufRead, rows: impl BufRead, patience: Patience) -> Result<Vec<u64>> {
    let system = |what: &str, error| Error::System {
        what: what.to_owned(),
        error,
    };
    let mut held = HashMap::new();
    for line in rows.lines() {
        let line = line.map_err(|e| system("the results", e))?;
        let row: Row = serde_json::from_str(&line).map_err(|e| system("the results", e.into()))?;
        let held_us = row.held_us(patience);
        held.insert(row.proxy, held_us);
    }
    let hold = |line: std::io::Result<String>| {
        let proxy = line.map_err(|e| system("the list", e))?;
        let none = || system("the results", IoError::other(format!("none of {proxy}")));
        held.get(&proxy).copied().ok_or_else(none)
    };
    list.lines().map(hold).collect()
}

/// How long the lanes were held in all, in seconds, as `check` itself counted it and says at its end;
/// `None` of a check that was over too soon.
pub(super) fn said_s(said: &str) -> Option<f64> {
    let (before, _) = said.split_once(" s in all")?;
    before.rsplit(' ').next()?.parse().ok()
}

/// What a sweep must last, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// All holds, one after the other.
    pub(super) sum: u64,
    /// The same, shared evenly by the lanes.
    pub(super) share: u64,
    /// The longest hold.
    pub(super) longest: u64,
    /// Its end if each lane takes the next of the list the moment that it is free: the best for one
    /// who does not know beforehand who will be silent.
    pub(super) greedy: u64,
}

impl Bounds {
    pub(super) fn new(holds_us: &[u64], lanes: u32) -> Bounds {
        let sum: u64 = holds_us.iter().sum();
        Bounds {
            sum,
            share: sum / u64::from(lanes),
            longest: holds_us.iter().copied().max().unwrap_or_default(),
            greedy: greedy(holds_us, lanes as usize),
        }
    }

    /// No sweep is shorter, whatever it knows beforehand.
    pub(super) fn bound(&self) -> u64 {
        self.share.max(self.longest)
    }
}

fn greedy(holds_us: &[u64], lanes: usize) -> u64 {
    let mut ends: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(lanes);
    let mut last = 0;
    for hold in holds_us {
        // A lane that was not used yet is free from the beginning.
        let from = match ends.len() < lanes {
            true => 0,
            false => ends.pop().map_or(0, |Reverse(end)| end),
        };
        ends.push(Reverse(from + hold));
        last = last.max(from + hold);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        connect: Duration::from_secs(5),
        whole: Duration::from_secs(15),
    };

    fn check(holds: &[u64], lanes: u32, share: u64, bound: u64, greedy: u64) {
        let bounds = Bounds::new(holds, lanes);
        let found = (bounds.share, bounds.bound(), bounds.greedy);
        assert_eq!(found, (share, bound, greedy), "{holds:?} on {lanes}");
    }

    #[test]
    fn one_lane_does_all_one_after_the_other() {
        check(&[3, 1, 2], 1, 6, 6, 6);
    }

    #[test]
    fn with_a_lane_for_each_the_longest_is_the_end() {
        check(&[3, 1, 2], 5, 1, 3, 3);
    }

    #[test]
    fn who_is_silent_and_comes_last_is_begun_last_by_who_does_not_know_him() {
        check(&[2, 2, 2, 2, 8], 2, 8, 8, 12);
        check(&[8, 2, 2, 2, 2], 2, 8, 8, 8);
    }

    #[test]
    fn the_lane_that_is_free_first_takes_the_next() {
        check(&[5, 1, 1, 4], 2, 5, 5, 6);
    }

    #[test]
    fn nothing_takes_no_time() {
        check(&[], 3, 0, 0, 0);
    }

    fn held(fields: &str) -> u64 {
        let row: Row =
            serde_json::from_str(&format!("{{\"proxy\":\"a\",{fields}}}")).expect(fields);
        row.held_us(PATIENCE)
    }

    #[test]
    fn a_lane_is_held_until_the_answer_the_deadline_or_what_is_known() {
        let alive = r#""verdict":"alive","latency_ms":12.5,"connect_ms":1.0"#;
        let deaf = r#""verdict":"connect_timeout","latency_ms":null,"connect_ms":null"#;
        let silent = r#""verdict":"response_timeout","latency_ms":null,"connect_ms":0.25"#;
        let page = r#""verdict":"own_page","connect_ms":0.25,"first_byte_ms":1.5,"tls_ms":null"#;
        assert_eq!(
            [alive, deaf, silent, page].map(held),
            [12_500, 5_000_000, 15_000_000, 1_750]
        );
    }

    #[test]
    fn holds_come_in_the_order_of_the_list_whatever_that_of_the_rows() {
        let row = |proxy, ms| {
            format!("{{\"proxy\":\"{proxy}\",\"verdict\":\"alive\",\"latency_ms\":{ms}}}\n")
        };
        let rows = row("b", 2) + &row("a", 1);
        let holds = |list: &str| of(list.as_bytes(), rows.as_bytes(), PATIENCE);
        assert_eq!(holds("a\nb\n").expect("both"), [1_000, 2_000]);
        let error = holds("a\nc\n").expect_err("no row").to_string();
        assert!(error.ends_with("none of c"), "{error}");
    }

    #[test]
    fn what_the_program_counted_is_read_from_its_last_words() {
        let said =
            "20 checked in 20.0 s: 20 alive\n10 lanes were busy 97 % of the time, 194 s in all\n";
        assert_eq!(said_s(said), Some(194.0));
        assert_eq!(said_s("20 checked in 0.1 s: 20 alive\n"), None);
    }
}
