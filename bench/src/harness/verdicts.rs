//! Whether what a program found is the farm's truth.

use super::stage::Stage;
use super::{Error, Result, at};
use crate::compare::Comparison;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// How finely verdicts are held against the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fineness {
    /// Every verdict must be the one that is right.
    Exact,
    /// Who works must be alive and nobody else: for checkers that tell no failure from another.
    AliveOnly,
}

impl Fineness {
    /// What a table says of a run that held.
    pub const fn praise(self) -> &'static str {
        match self {
            Fineness::Exact => "all true",
            Fineness::AliveOnly => "alive true",
        }
    }
}

/// Holds results, as `proxy-checker check --format jsonl --all` writes them, against the truth of
/// the farm.
///
/// # Errors
/// [`Error::NotTrue`] if one differs; files that cannot be read.
pub fn hold(stage: &Stage, results: &Path, fineness: Fineness) -> Result<Comparison> {
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(at(path));
    let found = Comparison::of(open(&stage.truth())?, open(results)?)?;
    match is_true(&found, fineness) {
        true => Ok(found),
        false => Err(Error::NotTrue(found.to_string())),
    }
}

fn is_true(found: &Comparison, fineness: Fineness) -> bool {
    let each = [
        &found.missing,
        &found.doubled,
        &found.unknown,
        &found.false_alive,
        &found.false_dead,
    ];
    match fineness {
        Fineness::Exact => found.is_exact() && found.false_dead.count == 0,
        Fineness::AliveOnly => found.proxies > 0 && each.iter().all(|tally| tally.count == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: &str = r#"{"proxy":"http://127.4.0.0:1","behaviour":"forwards","verdicts":["alive"]}
{"proxy":"http://127.44.0.0:1","behaviour":"own_page","verdicts":["own_page"]}"#;

    fn both(works: &str, does_not: &str) -> [bool; 2] {
        let line = |proxy: &str, verdict: &str| {
            format!("{{\"proxy\":\"http://{proxy}:1\",\"verdict\":\"{verdict}\"}}\n")
        };
        let results = line("127.4.0.0", works) + &line("127.44.0.0", does_not);
        let found = Comparison::of(TRUTH.as_bytes(), results.as_bytes()).expect("readable");
        [Fineness::Exact, Fineness::AliveOnly].map(|fineness| is_true(&found, fineness))
    }

    #[test]
    fn a_failure_taken_for_another_is_only_wrong_where_they_are_told_apart() {
        assert_eq!(both("alive", "own_page"), [true, true]);
        assert_eq!(both("alive", "dead"), [false, true]);
    }

    #[test]
    fn the_alive_must_be_those_that_work() {
        assert_eq!(both("dead", "own_page"), [false, false]);
        assert_eq!(both("alive", "alive"), [false, false]);
    }

    #[test]
    fn nothing_is_no_truth() {
        assert!(!is_true(&Comparison::default(), Fineness::AliveOnly));
    }
}
