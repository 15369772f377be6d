//! What is wrong with a configuration: every problem at once, each with its place and remedy.

use std::fmt;
use std::ops::RangeInclusive;

/// Most problems that are told of one file: who has more of them has another kind of file there.
const PROBLEMS_MAX: usize = 100;
/// Longest place that is told, in characters.
const PLACE_CHARS_MAX: usize = 200;

/// One thing that is wrong, or odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as a path (`aggregator.sources[2].url`), or the line; empty: the whole file.
    pub place: String,
    /// What is wrong there, and what to do about it.
    pub text: String,
}

/// Something odd that does not keep the configuration from working.
pub type Warning = Problem;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.text)
    }
}

/// Why there is no configuration. Its text is one line a problem: `file: place: problem; remedy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file that was read.
    pub file: String,
    /// Everything that is wrong with it; never empty. Of very many the first hundred, and how many
    /// more there are.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {problem}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Gathers problems and warnings while a configuration is checked.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
    /// How many more there are than are kept.
    beyond: usize,
    /// Where something of a wrong type stood: what is there now is not the operator's.
    misfits: Vec<String>,
}

impl Report {
    /// Notes a value of a wrong type. Nothing more is said about its place.
    pub(super) fn misfit(&mut self, place: &str, text: impl FnOnce() -> String) {
        let is_kept = self.problems.len() < PROBLEMS_MAX;
        self.problem_of(place, text);
        if is_kept {
            self.misfits.push(place.to_owned());
        }
    }

    /// How many problems there are so far.
    pub(super) fn count(&self) -> usize {
        self.problems.len() + self.beyond
    }

    /// All problems, with how many more there are as the last of them, and all warnings.
    pub(super) fn into_parts(mut self) -> (Vec<Problem>, Vec<Warning>) {
        if self.beyond > 0 {
            self.problems.push(Problem {
                place: String::new(),
                text: format!("and {} more; mend these first", self.beyond),
            });
        }
        (self.problems, self.warnings)
    }

    /// Whether a value of a wrong type stood there, or around it.
    pub(super) fn is_misfit(&self, place: &str) -> bool {
        self.misfits.iter().any(|misfit| {
            let below = place.strip_prefix(&**misfit);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Notes what makes the configuration invalid.
    pub(super) fn problem(&mut self, place: &str, text: impl Into<String>) {
        self.problem_of(place, || text.into());
    }

    /// The same with a text that takes a while to find: it is asked for only if it is told.
    pub(super) fn problem_of(&mut self, place: &str, text: impl FnOnce() -> String) {
        if self.problems.len() >= PROBLEMS_MAX {
            self.beyond += 1;
            return;
        }
        if self.is_misfit(place) {
            return;
        }
        self.problems.push(Problem {
            place: short(place, PLACE_CHARS_MAX),
            text: text(),
        });
    }

    /// Notes what is odd.
    pub(super) fn warning(&mut self, place: &str, text: impl Into<String>) {
        self.warnings.push(Problem {
            place: place.to_owned(),
            text: text.into(),
        });
    }

    /// The value, or `fallback` after noting the problem.
    pub(super) fn take<T>(&mut self, place: &str, value: Result<T, String>, fallback: T) -> T {
        value.unwrap_or_else(|text| {
            self.problem(place, text);
            fallback
        })
    }

    /// A number within its range; 0 means `default`.
    pub(super) fn number(
        &mut self,
        place: &str,
        value: u64,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        match value {
            0 => default,
            value if range.contains(&value) => value,
            value => {
                let (low, high) = (range.start(), range.end());
                let zero = if default == 0 { "0, or " } else { "" };
                let text = format!("is {value}; choose {zero}from {low} to {high}");
                self.problem(place, text);
                default
            }
        }
    }
}

/// A text of the file as it may be shown in a message: escaped, and not too long.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(80).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

/// The first `most` characters, and a sign where that is not all.
fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
