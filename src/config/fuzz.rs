//! Configurations of any kind: every problem has a line of its own that shows no secret, what is valid
//! is within its bounds, and how a file is laid out makes no other configuration of it.
//!
//! Input: the text of a file. Every variable that it names is set, but for those that begin with `NO`.

use super::{Config, Problem};
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;

/// Files that a configuration names would be read; in a folder that is not there none is.
const FILE: &str = "a folder that is not there/config.json";
/// What every variable holds.
const SECRET: &str = "s3cret-of-a-variable";

pub(crate) fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let value: Option<Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
    if value.as_ref().is_some_and(names_a_file) {
        return;
    }
    match read(&text) {
        Err(problems) => {
            assert!(!problems.is_empty(), "refused for no reason");
            check_told(&problems, &text);
        }
        Ok((config, warnings)) => {
            check_told(&warnings, &text);
            check_bounds(&config);
            let shown = format!("{config:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            let printed = value.expect("what is valid is JSON").to_string();
            let again = read(&printed).map(|(config, _)| format!("{config:?}"));
            assert_eq!(again, Ok(shown), "{printed}");
        }
    }
}

type Read = Result<(Config, Vec<Problem>), Vec<Problem>>;

fn read(text: &str) -> Read {
    let env = |name: &str| (!name.starts_with("NO")).then(|| SECRET.to_owned());
    Config::from_json(text, FILE, &env).map_err(|error| error.problems)
}

/// Whether it names a file of certificates by its whole path: that may be one that never ends.
fn names_a_file(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().any(names_a_file),
        Value::Object(block) => block.iter().any(|(key, value)| {
            let is_whole = value.as_str().is_some_and(|path| path.starts_with('/'));
            key == "ca_file" && is_whole || names_a_file(value)
        }),
        _ => false,
    }
}

/// Each is one line without a secret, and there are no more of them than the text has bytes.
fn check_told(told: &[Problem], text: &str) {
    assert!(told.len() <= text.len() + 8, "{} lines", told.len());
    for problem in told {
        let line = problem.to_string();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(!line.contains(SECRET) || text.contains(SECRET), "{line}");
        assert!(!problem.text.is_empty(), "{line:?} says nothing");
    }
}

fn check_bounds(config: &Config) {
    let policy = &config.checker.policy;
    let longest = Duration::from_secs(300);
    assert!(policy.connect_timeout <= policy.timeout && policy.timeout <= longest);
    assert!((1..=proxy_shards::TARGETS_MAX).contains(&policy.targets.len()));
    let names: HashSet<&str> = policy.targets.iter().map(|target| &*target.name).collect();
    assert_eq!(names.len(), policy.targets.len(), "targets of one name");
    let sources = &config.aggregator.sources;
    let names: HashSet<&str> = sources.iter().map(|source| &*source.url).collect();
    assert_eq!(names.len(), sources.len(), "sources of one name");
    assert!(config.checker.concurrency.get() <= 100_000);
    assert!((1..=100).contains(&config.checker.max_fd_usage_percent));
    assert!((1..=100).contains(&config.checker.max_cpu_usage_percent));
    assert!(config.aggregator.interval >= Duration::from_secs(1));
    assert!(config.api.may_listen_on(config.api.addr).is_ok());
    assert!(config.metrics.endpoint.starts_with('/'));
    assert!(config.api.report_quorum >= 1);
}
