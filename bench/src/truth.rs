//! The truth file: a JSON line for each proxy, with its behaviour and the verdict it must get.

use crate::farm::{Behaviour, Expect};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// What is true of one proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Its URL, as in the list.
    pub proxy: String,
    /// The label of what it does.
    pub behaviour: String,
    /// The label of the verdict it must get.
    pub verdict: String,
}

impl Truth {
    /// The truth about a farm's proxy under an expectation.
    pub fn new(proxy: &str, behaviour: Behaviour, expect: Expect) -> Truth {
        Truth {
            proxy: proxy.to_owned(),
            behaviour: behaviour.label().to_owned(),
            verdict: behaviour.verdict(expect).to_owned(),
        }
    }
}

/// Why a file of JSON lines cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The file itself.
    #[error("{what}: {error}")]
    Read {
        /// Which of the files.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// One line of it.
    #[error("{what}, line {line}: {error}")]
    Line {
        /// Which of the files.
        what: &'static str,
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        error: serde_json::Error,
    },
}

/// Writes a truth file.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut impl Write, truths: impl IntoIterator<Item = Truth>) -> io::Result<()> {
    for truth in truths {
        serde_json::to_writer(&mut *out, &truth)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads JSON lines; empty ones are skipped. `what` names the file in errors.
pub(crate) fn lines<T: for<'a> Deserialize<'a>>(
    what: &'static str,
    input: impl BufRead,
) -> impl Iterator<Item = Result<T, LinesError>> {
    input
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.as_ref().is_ok_and(|text| text.trim().is_empty()))
        .map(move |(index, line)| {
            let text = line.map_err(|error| LinesError::Read { what, error })?;
            serde_json::from_str(&text).map_err(|error| LinesError::Line {
                what,
                line: index + 1,
                error,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let truths = Behaviour::ALL.map(|b| Truth::new("http://127.4.0.0:1", b, Expect::KnownBody));
        let mut file = Vec::new();
        write(&mut file, truths.clone()).expect("written");
        let read: Result<Vec<Truth>, _> = lines("truth", file.as_slice()).collect();
        assert_eq!(read.expect("read"), truths);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let read: Result<Vec<Truth>, _> = lines("the truth", &b"\n{}\n"[..]).collect();
        let error = read.expect_err("no proxy").to_string();
        assert!(
            error.starts_with("the truth, line 2: missing field"),
            "{error}"
        );
    }
}
