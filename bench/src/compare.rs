//! Holds a checker's results against the truth: every proxy once, every verdict as it must be.

use crate::truth::{self, LinesError, Truth};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::BufRead;

/// How many proxies are named for each kind of difference.
const EXAMPLES_MAX: usize = 5;

const ALIVE: &str = "alive";

/// One line of a checker's results; other fields are ignored.
#[derive(Debug, Deserialize)]
struct Outcome {
    proxy: String,
    verdict: String,
    #[serde(default)]
    latency_ms: Option<f64>,
}

/// How many, and who for example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<String>,
}

impl Tally {
    fn add(&mut self, example: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(example());
        }
    }
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// By the verdict that must be and the one that was given.
    pub confusion: BTreeMap<(String, String), Tally>,
    /// Proxies of the truth without a result.
    pub missing: Tally,
    /// Results for a proxy that had one already.
    pub doubled: Tally,
    /// Results for a proxy that is not in the truth.
    pub unknown: Tally,
    /// Proxies called alive that are not.
    pub false_alive: Tally,
    /// `latency_ms` of the results that have one, in ascending order, by behaviour.
    pub latencies_ms: BTreeMap<String, Vec<f64>>,
}

/// The part of a proxy's URL that tells it from all others: without credentials, which a checker
/// may hide.
fn identity(proxy: &str) -> String {
    match proxy.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
            format!("{scheme}://{host}")
        }
        None => proxy.to_owned(),
    }
}

impl Comparison {
    /// Reads both files to their ends.
    ///
    /// # Errors
    /// A file that cannot be read, or a line in it that is not what it should be.
    pub fn of(truths: impl BufRead, results: impl BufRead) -> Result<Comparison, LinesError> {
        struct Known {
            truth: Truth,
            results: u64,
        }
        let mut known = HashMap::new();
        for truth in truth::lines::<Truth>("the truth", truths) {
            let truth = truth?;
            known.insert(identity(&truth.proxy), Known { truth, results: 0 });
        }
        let mut found = Comparison::default();
        for outcome in truth::lines::<Outcome>("the results", results) {
            let outcome = outcome?;
            match known.get_mut(&identity(&outcome.proxy)) {
                None => found.unknown.add(|| outcome.proxy),
                Some(known) => {
                    known.results += 1;
                    if known.results > 1 {
                        found.doubled.add(|| outcome.proxy.clone());
                    }
                    found.judge(&known.truth, outcome);
                }
            }
        }
        let mut without = (known.into_values().filter(|known| known.results == 0))
            .map(|known| known.truth.proxy)
            .collect::<Vec<_>>();
        without.sort_unstable();
        without.into_iter().for_each(|p| found.missing.add(|| p));
        for latencies in found.latencies_ms.values_mut() {
            latencies.sort_unstable_by(f64::total_cmp);
        }
        Ok(found)
    }

    fn judge(&mut self, truth: &Truth, outcome: Outcome) {
        let who = || format!("{} ({})", outcome.proxy, truth.behaviour);
        if outcome.verdict == ALIVE && truth.verdict != ALIVE {
            self.false_alive.add(who);
        }
        let pair = (truth.verdict.clone(), outcome.verdict.clone());
        self.confusion.entry(pair).or_default().add(who);
        if let Some(latency_ms) = outcome.latency_ms {
            let latencies = self.latencies_ms.entry(truth.behaviour.clone());
            latencies.or_default().push(latency_ms);
        }
    }

    /// Whether every proxy got its one result with the right verdict.
    pub fn is_exact(&self) -> bool {
        let none = |tally: &Tally| tally.count == 0;
        self.wrong() == 0 && none(&self.missing) && none(&self.doubled) && none(&self.unknown)
    }

    /// How many verdicts are not what they must be.
    pub fn wrong(&self) -> u64 {
        let wrong = self.confusion.iter().filter(|((must, got), _)| must != got);
        wrong.map(|(_, tally)| tally.count).sum()
    }

    /// The latencies in a table: a line for each behaviour.
    pub fn timing(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            if self.latencies_ms.is_empty() {
                return writeln!(f, "no result has a latency_ms");
            }
            let title = "latency_ms of";
            writeln!(
                f,
                "{title:<20} {:>8} {:>9} {:>9} {:>9} {:>9}",
                "count", "least", "median", "p99", "most"
            )?;
            for (behaviour, sorted) in &self.latencies_ms {
                let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
                let (least, median, p99, most) = (at(0.0), at(0.5), at(0.99), at(1.0));
                writeln!(
                    f,
                    "{behaviour:<20} {:>8} {least:>9.1} {median:>9.1} {p99:>9.1} {most:>9.1}",
                    sorted.len()
                )?;
            }
            Ok(())
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<18} {:<18} {:>8}", "must be", "was given", "count")?;
        for ((must, got), tally) in &self.confusion {
            let mark = if must == got { ' ' } else { '!' };
            let got = got.escape_debug().to_string();
            writeln!(f, "{mark} {must:<18} {got:<18} {:>8}", tally.count)?;
            if must != &got {
                examples(f, tally)?;
            }
        }
        for (name, tally) in [
            ("missing", &self.missing),
            ("doubled", &self.doubled),
            ("unknown", &self.unknown),
            ("false alive", &self.false_alive),
        ] {
            writeln!(f, "{name}: {}", tally.count)?;
            examples(f, tally)?;
        }
        writeln!(f, "wrong verdicts: {}", self.wrong())
    }
}

fn examples(f: &mut fmt::Formatter<'_>, tally: &Tally) -> fmt::Result {
    for example in &tally.examples {
        writeln!(f, "    {}", example.escape_debug())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTH: &str = r#"{"proxy":"http://127.4.0.0:1","behaviour":"forwards","verdict":"alive"}
{"proxy":"http://user:pass@127.8.0.0:1","behaviour":"forwards_auth","verdict":"alive"}
{"proxy":"http://127.44.0.0:1","behaviour":"own_page","verdict":"own_page"}
"#;

    fn compare(results: &[(&str, &str)]) -> Comparison {
        let line = |(proxy, verdict): &(&str, &str)| {
            format!(r#"{{"proxy":"{proxy}","verdict":"{verdict}","latency_ms":2,"more":[]}}"#)
                + "\n"
        };
        let results: String = results.iter().map(line).collect();
        Comparison::of(TRUTH.as_bytes(), results.as_bytes()).expect("readable")
    }

    const RIGHT: [(&str, &str); 3] = [
        ("http://127.44.0.0:1", "own_page"),
        ("http://127.4.0.0:1", "alive"),
        ("http://127.8.0.0:1", "alive"),
    ];

    #[test]
    fn results_in_any_order_that_say_the_truth_are_exact() {
        let found = compare(&RIGHT);
        assert!(found.is_exact(), "{found}");
        assert_eq!(found.confusion.len(), 2);
        assert!(found.timing().to_string().contains("forwards_auth"));
    }

    #[test]
    fn a_wrong_verdict_is_told_with_its_proxy_and_a_false_alive_apart() {
        let found = compare(&[("http://127.44.0.0:1", "alive"), RIGHT[1], RIGHT[2]]);
        assert!(!found.is_exact());
        assert_eq!((found.wrong(), found.false_alive.count), (1, 1));
        let text = found.to_string();
        assert!(text.contains("http://127.44.0.0:1 (own_page)"), "{text}");
    }

    #[test]
    fn the_missing_the_doubled_and_the_unknown_are_differences_too() {
        let found = compare(&RIGHT[1..]);
        assert_eq!((found.missing.count, found.is_exact()), (1, false));
        let found = compare(&[RIGHT[0], RIGHT[0], RIGHT[1], RIGHT[2]]);
        assert_eq!((found.doubled.count, found.is_exact()), (1, false));
        let stranger = ("http://127.4.0.9:1", "alive");
        let found = compare(&[stranger, RIGHT[0], RIGHT[1], RIGHT[2]]);
        assert_eq!((found.unknown.count, found.is_exact()), (1, false));
    }

    #[test]
    fn another_protocol_is_another_proxy() {
        let found = compare(&[("socks5://127.4.0.0:1", "alive"), RIGHT[0], RIGHT[2]]);
        assert_eq!((found.unknown.count, found.missing.count), (1, 1));
    }
}
