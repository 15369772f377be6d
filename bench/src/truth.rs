//! The truth file: a JSON line for each proxy, with its behaviour and the verdict it must get.

use crate::farm::{Aim, Behaviour, Farm, Listing, Window, window};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::net::IpAddr;

/// What is true of one proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// As in the list.
    pub proxy: String,
    /// The label of what it does.
    pub behaviour: String,
    /// The labels of the verdicts that are right, mostly one.
    pub verdicts: Vec<String>,
    /// The labels of the protocols that must be found to work.
    #[serde(default)]
    pub protocols: Vec<String>,
    /// The address that a judge must see, if one is asked and reached.
    #[serde(default)]
    pub exit: Option<IpAddr>,
    /// How much of its client a judge must see, if one is asked and reached.
    #[serde(default)]
    pub anonymity: Option<String>,
    /// Least latency that is possible, in milliseconds.
    #[serde(default)]
    pub latency_ms_min: u64,
}

impl Farm {
    /// What is true of the same proxies for a check that aims at `aim`.
    ///
    /// # Panics
    /// As [`Farm::mix`].
    pub fn truths(
        &self,
        count: usize,
        behaviours: &[Behaviour],
        aim: Aim,
        listing: Listing,
    ) -> Vec<Truth> {
        self.truths_of(&window(count, behaviours), aim, listing)
    }

    /// The same of the proxies of a window.
    pub fn truths_of(&self, window: &Window, aim: Aim, listing: Listing) -> Vec<Truth> {
        let truth = |(behaviour, number)| Truth::new(self, behaviour, number, aim, listing);
        window.proxies().map(truth).collect()
    }
}

impl Truth {
    /// The truth about a farm's proxy for a check that aims at `aim`.
    ///
    /// # Panics
    /// As [`Farm::proxy`].
    pub fn new(
        farm: &Farm,
        behaviour: Behaviour,
        number: u32,
        aim: Aim,
        listing: Listing,
    ) -> Truth {
        let texts = |labels: Vec<&str>| labels.into_iter().map(str::to_owned).collect();
        let verdicts: Vec<String> = texts(behaviour.verdicts(aim, listing));
        let anonymity = behaviour.anonymity(aim).filter(|_| verdicts == [ALIVE]);
        Truth {
            proxy: farm.proxy_in(behaviour, number, listing),
            behaviour: behaviour.label().to_owned(),
            protocols: match aim {
                // What it speaks is not asked.
                Aim::ConnectOnly => Vec::new(),
                _ => texts(behaviour.protocols(aim, listing)),
            },
            exit: anonymity.map(|_| farm.address(behaviour, number).into()),
            anonymity: anonymity.map(str::to_owned),
            latency_ms_min: match aim {
                Aim::ConnectOnly => 0,
                _ => u64::try_from(behaviour.thinks().as_millis()).unwrap_or(u64::MAX),
            },
            verdicts,
        }
    }

    /// Whether it works.
    pub fn is_alive(&self) -> bool {
        self.verdicts == [ALIVE]
    }
}

/// The verdict on those that work.
pub(crate) const ALIVE: &str = "alive";

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
    use crate::farm::FarmOptions;

    #[test]
    fn what_is_written_is_read_back() {
        let farm = Farm::start(FarmOptions::default()).expect("a farm");
        let count = Behaviour::COUNT;
        let truths = farm.truths(count, &Behaviour::ALL, Aim::Judge, Listing::Auto);
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
