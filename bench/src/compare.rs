//! Holds a checker's results against the truth: every proxy once, every verdict as it must be, and
//! given to the proxy that earned it.

mod text;

use crate::truth::{self, ALIVE, LinesError, Truth};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;
use std::net::IpAddr;

/// How many proxies are named for each kind of difference.
const EXAMPLES_MAX: usize = 5;

/// Least share of the working proxies that must be found, in thousandths.
const FOUND_PERMILLE_MIN: u64 = 999;

/// One line of a checker's results; other fields are ignored.
#[derive(Debug, Deserialize)]
struct Outcome {
    proxy: String,
    verdict: String,
    #[serde(default)]
    protocols: Option<Vec<String>>,
    #[serde(default)]
    exit: Option<IpAddr>,
    #[serde(default)]
    anonymity: Option<String>,
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
    pub confusion: BTreeMap<(String, String), u64>,
    /// By behaviour and the verdict that was given, where that is not the right one.
    pub wrong: BTreeMap<(String, String), Tally>,
    /// Proxies of the truth.
    pub proxies: u64,
    /// Those among them that work.
    pub alive: u64,
    /// Those that work and were called alive.
    pub found: u64,
    /// Proxies of the truth without a result.
    pub missing: Tally,
    /// Results for a proxy that had one already.
    pub doubled: Tally,
    /// Results for a proxy that is not in the truth.
    pub unknown: Tally,
    /// Proxies called alive that are not.
    pub false_alive: Tally,
    /// Proxies that work and were called something else.
    pub false_dead: Tally,
    /// Proxies that were given what another one earned: the judge saw another address, or the
    /// answer came sooner than this proxy gives any.
    pub wrong_owner: Tally,
    /// Proxies found alive by other protocols than those that work.
    pub wrong_protocols: Tally,
    /// Proxies found alive of which the judge sees more, or less, than was said.
    pub wrong_anonymity: Tally,
    /// `latency_ms` of the results that have one, in ascending order, by behaviour.
    pub latencies_ms: BTreeMap<String, Vec<f64>>,
}

/// Scheme, if there is one, and `host:port`; credentials may be hidden by a checker.
fn parts(proxy: &str) -> (Option<&str>, &str) {
    let (scheme, rest) = match proxy.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, proxy),
    };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    (scheme, host)
}

struct Known {
    truth: Truth,
    results: u64,
}

/// The proxy that a result is about. Addresses are unique in a farm, but a scheme that was listed
/// must come back.
fn find<'a>(known: &'a mut HashMap<String, Known>, proxy: &str) -> Option<&'a mut Known> {
    let (scheme, host) = parts(proxy);
    let known = known.get_mut(host)?;
    let (listed, _) = parts(&known.truth.proxy);
    (listed.is_none() || listed == scheme).then_some(known)
}

impl Comparison {
    /// Reads both files to their ends.
    ///
    /// # Errors
    /// A file that cannot be read, or a line in it that is not what it should be.
    pub fn of(truths: impl BufRead, results: impl BufRead) -> Result<Comparison, LinesError> {
        let mut known = HashMap::new();
        let mut found = Comparison::default();
        for truth in truth::lines::<Truth>("the truth", truths) {
            let truth = truth?;
            found.proxies += 1;
            found.alive += u64::from(truth.is_alive());
            let host = parts(&truth.proxy).1.to_owned();
            known.insert(host, Known { truth, results: 0 });
        }
        for outcome in truth::lines::<Outcome>("the results", results) {
            let outcome = outcome?;
            match find(&mut known, &outcome.proxy) {
                None => found.unknown.add(|| outcome.proxy),
                Some(known) => {
                    known.results += 1;
                    if known.results > 1 {
                        found.doubled.add(|| outcome.proxy.clone());
                    }
                    found.judge(&known.truth, &outcome);
                }
            }
        }
        let mut without: Vec<_> = (known.into_values().filter(|known| known.results == 0))
            .map(|known| known.truth.proxy)
            .collect();
        without.sort_unstable();
        without.into_iter().for_each(|p| found.missing.add(|| p));
        for latencies in found.latencies_ms.values_mut() {
            latencies.sort_unstable_by(f64::total_cmp);
        }
        Ok(found)
    }

    fn judge(&mut self, truth: &Truth, outcome: &Outcome) {
        let who = || format!("{} ({})", outcome.proxy, truth.behaviour);
        let given = outcome.verdict.clone();
        let must = truth.verdicts.join("|");
        let is_right = truth.verdicts.contains(&given);
        if !is_right {
            let pair = (truth.behaviour.clone(), given.clone());
            self.wrong
                .entry(pair)
                .or_default()
                .add(|| outcome.proxy.clone());
        }
        match (truth.is_alive(), given == ALIVE) {
            (true, true) => {
                self.found += 1;
                self.look_closer(truth, outcome);
            }
            (true, false) => self.false_dead.add(|| format!("{}: {given}", who())),
            (false, true) if !is_right => self.false_alive.add(who),
            (false, _) => {}
        }
        *self.confusion.entry((must, given)).or_default() += 1;
        if let Some(latency_ms) = outcome.latency_ms {
            let latencies = self.latencies_ms.entry(truth.behaviour.clone());
            latencies.or_default().push(latency_ms);
        }
    }

    /// What is said of a proxy that was rightly called alive.
    fn look_closer(&mut self, truth: &Truth, outcome: &Outcome) {
        let who = |what: String| format!("{} ({}): {what}", outcome.proxy, truth.behaviour);
        let at_least = truth.latency_ms_min as f64;
        if let Some(latency_ms) = outcome.latency_ms.filter(|&ms| ms < at_least) {
            let soon = || {
                who(format!(
                    "after {latency_ms} ms, but it thinks for {at_least}"
                ))
            };
            self.wrong_owner.add(soon);
        } else if truth.exit.is_some() && outcome.exit != truth.exit {
            let exit = || who(format!("exit {:?}, not {:?}", outcome.exit, truth.exit));
            self.wrong_owner.add(exit);
        }
        if truth.anonymity.is_some() && outcome.anonymity != truth.anonymity {
            let anonymity = || format!("{:?}, not {:?}", outcome.anonymity, truth.anonymity);
            self.wrong_anonymity.add(|| who(anonymity()));
        }
        if let Some(given) = &outcome.protocols {
            let (mut given, mut must) = (given.clone(), truth.protocols.clone());
            given.sort_unstable();
            must.sort_unstable();
            if !must.is_empty() && given != must {
                self.wrong_protocols
                    .add(|| who(format!("{given:?}, not {must:?}")));
            }
        }
    }

    /// Whether every proxy got its one result with the right verdict.
    pub fn is_exact(&self) -> bool {
        let none = |tally: &Tally| tally.count == 0;
        self.holds() && self.wrong.is_empty() && none(&self.wrong_protocols)
    }

    /// Whether what must never be is not: no proxy falsely alive, none that was given another one's
    /// verdict, lost, doubled or made up, and of those that work at most one in a thousand missed.
    pub fn holds(&self) -> bool {
        let never = [
            &self.false_alive,
            &self.wrong_owner,
            &self.wrong_anonymity,
            &self.missing,
            &self.doubled,
            &self.unknown,
        ];
        never.iter().all(|tally| tally.count == 0)
            && self.found * 1000 >= self.alive * FOUND_PERMILLE_MIN
    }

    /// How many verdicts are not what they must be.
    pub fn wrong_verdicts(&self) -> u64 {
        self.wrong.values().map(|tally| tally.count).sum()
    }
}

#[cfg(test)]
mod tests;
