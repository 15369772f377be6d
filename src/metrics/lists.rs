//! The candidates of the lists of each source, added up over time.

use crate::snapshot::SourceStat;
use std::collections::BTreeMap;
use std::time::SystemTime;

/// Adds up what the lists of each source held, so that a counter can be made of figures that are
/// replaced with each list. A source that is no longer configured is forgotten.
#[derive(Debug, Default)]
pub(super) struct Lists {
    seen: BTreeMap<Box<str>, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    fetched_at: Option<SystemTime>,
    total: u64,
}

impl Lists {
    /// Takes note of the lists in `sources`; each is added once, told by when it was fetched.
    pub(super) fn look_at(&mut self, sources: &[SourceStat]) {
        self.seen
            .retain(|url, _| sources.iter().any(|source| source.url == *url));
        for source in sources {
            let seen = self.seen.entry(source.url.clone()).or_default();
            if source.fetched_at > seen.fetched_at {
                seen.fetched_at = source.fetched_at;
                seen.total += source.found;
            }
        }
    }

    /// Candidates in all lists of the source at `url`.
    pub(super) fn total(&self, url: &str) -> u64 {
        self.seen.get(url).map_or(0, |seen| seen.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn source(url: &str, found: u64, fetched_at_secs: u64) -> SourceStat {
        SourceStat {
            url: url.into(),
            found,
            fetched_at: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(fetched_at_secs)),
            ..SourceStat::default()
        }
    }

    #[test]
    fn a_list_is_added_once_however_often_it_is_looked_at() {
        let mut lists = Lists::default();
        lists.look_at(&[source("a", 10, 1)]);
        lists.look_at(&[source("a", 10, 1)]);
        lists.look_at(&[source("a", 4, 2)]);
        assert_eq!(lists.total("a"), 14);
    }

    #[test]
    fn a_source_that_was_never_fetched_has_nothing() {
        let mut lists = Lists::default();
        lists.look_at(&[SourceStat {
            url: "a".into(),
            ..SourceStat::default()
        }]);
        assert_eq!(lists.total("a"), 0);
    }

    #[test]
    fn a_source_that_was_removed_is_forgotten() {
        let mut lists = Lists::default();
        lists.look_at(&[source("a", 10, 1), source("b", 1, 1)]);
        lists.look_at(&[source("b", 1, 1)]);
        assert_eq!((lists.total("a"), lists.total("b")), (0, 1));
    }
}
