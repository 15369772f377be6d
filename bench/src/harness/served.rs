//! Whether what a service serves, and what it says of the rest, is the farm's truth.

use super::stage::Stage;
use super::{Error, Result, at};
use crate::truth::{self, Truth};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io::BufReader;

/// How many proxies an error names.
const NAMED_MAX: usize = 5;

/// What is true of the proxies of a farm, as a service sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// `host:port` of those that work.
    pub alive: HashSet<String>,
    /// How many proxies there are.
    pub total: u64,
    /// How many of them must get each verdict, at least and at most: to some, one is as right as
    /// another.
    bounds: BTreeMap<String, (u64, u64)>,
}

impl Expected {
    /// Of the list as it is now.
    ///
    /// # Errors
    /// A truth that cannot be read.
    pub fn of(stage: &Stage) -> Result<Expected> {
        let path = stage.truth();
        let file = File::open(&path).map(BufReader::new).map_err(at(&path))?;
        let mut expected = Expected::default();
        for truth in truth::lines("the truth", file) {
            expected.add(&truth?);
        }
        Ok(expected)
    }

    fn add(&mut self, truth: &Truth) {
        self.total += 1;
        if truth.is_alive() {
            self.alive.insert(address(&truth.proxy).to_owned());
        }
        for verdict in &truth.verdicts {
            let (least, most) = self.bounds.entry(verdict.clone()).or_default();
            *least += u64::from(truth.verdicts.len() == 1);
            *most += 1;
        }
    }

    /// Holds what is served – `host:port` each – against who works.
    ///
    /// # Errors
    /// [`Error::NotTrue`] if one is missing or falsely there.
    pub fn hold<'a>(&self, served: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let served: HashSet<&str> = served.into_iter().collect();
        let alive: HashSet<&str> = self.alive.iter().map(String::as_str).collect();
        let mut wrong = Vec::new();
        for (what, proxies) in [
            ("work and are not served", alive.difference(&served)),
            ("are served and do not work", served.difference(&alive)),
        ] {
            let proxies: BTreeSet<&str> = proxies.copied().collect();
            if !proxies.is_empty() {
                let named: Vec<_> = proxies.iter().take(NAMED_MAX).copied().collect();
                wrong.push(format!("{} {what}, as {}", proxies.len(), named.join(", ")));
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Error::NotTrue(wrong.join("; "))),
        }
    }

    /// Holds how many candidates got each verdict against the truth.
    ///
    /// # Errors
    /// [`Error::NotTrue`] if a verdict was given too often or too rarely.
    pub fn hold_counts(&self, verdicts: &BTreeMap<String, u64>) -> Result<()> {
        let labels: BTreeSet<&String> = self.bounds.keys().chain(verdicts.keys()).collect();
        let wrong = |label: &&String| {
            let (least, most) = self.bounds.get(*label).copied().unwrap_or_default();
            let given = verdicts.get(*label).copied().unwrap_or_default();
            let says = || format!("{label}: {given}, and {least} to {most} are right");
            (!(least..=most).contains(&given)).then(says)
        };
        let wrong: Vec<_> = labels.iter().filter_map(wrong).collect();
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Error::NotTrue(wrong.join("; "))),
        }
    }
}

/// `host:port` of a proxy as a list has it.
fn address(proxy: &str) -> &str {
    let host = proxy.rsplit('/').next().unwrap_or(proxy);
    host.rsplit('@').next().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(truths: &[(&str, &[&str])]) -> Expected {
        let mut expected = Expected::default();
        for (proxy, verdicts) in truths {
            let verdicts = serde_json::json!(verdicts);
            let line = format!(r#"{{"proxy":"{proxy}","behaviour":"b","verdicts":{verdicts}}}"#);
            expected.add(&serde_json::from_str(&line).expect("a truth"));
        }
        expected
    }

    fn counts(verdicts: &[(&str, u64)]) -> BTreeMap<String, u64> {
        let count = |&(label, count): &(&str, u64)| (label.to_owned(), count);
        verdicts.iter().map(count).collect()
    }

    #[test]
    fn who_works_must_be_served_and_nobody_else() {
        let all = expected(&[
            ("http://user:pass@127.1.0.0:1", &["alive"]),
            ("socks5://127.2.0.0:1", &["alive"]),
            ("http://127.3.0.0:1", &["refused"]),
        ]);
        assert_eq!(all.total, 3);
        assert!(all.hold(["127.2.0.0:1", "127.1.0.0:1"]).is_ok());
        let error = all
            .hold(["127.2.0.0:1", "127.3.0.0:1"])
            .expect_err("two are wrong");
        let text = error.to_string();
        assert!(
            text.contains("1 work and are not served, as 127.1.0.0:1"),
            "{text}"
        );
        assert!(
            text.contains("1 are served and do not work, as 127.3.0.0:1"),
            "{text}"
        );
    }

    #[test]
    fn a_verdict_is_given_as_often_as_it_is_right() {
        let all = expected(&[
            ("http://127.1.0.0:1", &["alive"]),
            ("127.2.0.0:1", &["closed", "bad_protocol"]),
            ("127.3.0.0:1", &["closed"]),
        ]);
        let good = |verdicts| all.hold_counts(&counts(verdicts)).is_ok();
        assert!(good(&[("alive", 1), ("closed", 2)]));
        assert!(good(&[("alive", 1), ("closed", 1), ("bad_protocol", 1)]));
        assert!(!good(&[("alive", 1), ("bad_protocol", 1)]));
        assert!(!good(&[("alive", 1), ("closed", 3)]));
        assert!(!good(&[("alive", 1), ("closed", 2), ("local_fault", 1)]));
    }
}
