//! The Redis that keeps the store, or that the nodes share: its version, and what of it is in the way.

use super::finding::Finding;
use crate::config::RedisPlace;
use crate::redis_link::{self, Hurdle, hurdle};
use redis::{Connection, RedisError};
use std::time::Duration;

/// How long a Redis may take to answer.
const WAIT: Duration = Duration::from_secs(5);
/// The first version whose streams can be trimmed up to an entry (`XTRIM … MINID`), as the nodes do.
const CLUSTER_SINCE: (u64, u64) = (6, 2);

/// What a Redis is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `storage.type` is `redis`.
    Store,
    /// `cluster.redis_url` names it.
    Cluster,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Purpose::Store => "store",
            Purpose::Cluster => "cluster",
        }
    }

    /// The key that says where it is.
    const fn place(self) -> &'static str {
        match self {
            Purpose::Store => "storage.path",
            Purpose::Cluster => "cluster.redis_url",
        }
    }

    /// The block of the configuration that it is in.
    const fn block(self) -> &'static str {
        match self {
            Purpose::Store => "storage",
            Purpose::Cluster => "cluster",
        }
    }
}

/// Whether a Redis lets us in, and can be used. Nothing is written, and the store is not opened.
pub(super) fn look(purpose: Purpose, place: &RedisPlace) -> Finding {
    let shown = place.url.as_str();
    let asked = redis_link::connect(place, WAIT).and_then(|mut link| info(&mut link));
    match asked {
        Ok(Some(info)) => told(purpose, shown, &info),
        Ok(None) => {
            let found = format!("{shown} answers, and tells this user nothing of itself");
            Finding::ok(purpose.name(), found)
        }
        Err(error) => {
            let found = format!("{shown}: {error}");
            Finding::bad(purpose.name(), found, remedy(purpose, &error))
        }
    }
}

/// What it says of itself; nothing if its access list keeps that from us, but lets us in.
fn info(link: &mut Connection) -> Result<Option<String>, RedisError> {
    redis::cmd("PING").exec(link)?;
    match redis::cmd("INFO").query(link) {
        Ok(info) => Ok(Some(info)),
        Err(error) if error.code() == Some("NOPERM") => Ok(None),
        Err(error) => Err(error),
    }
}

fn remedy(purpose: Purpose, error: &RedisError) -> String {
    let (block, place) = (purpose.block(), purpose.place());
    match hurdle(error) {
        Hurdle::Silence => format!("see that it is there and not too busy, and {place}"),
        Hurdle::Login => format!("see {block}.password_env, and the user in {place}"),
        Hurdle::Certificate => format!("see {block}.ca_file"),
        Hurdle::Full => "give it more memory".to_owned(),
        Hurdle::Other => format!("see that it runs, {place}, and its log"),
    }
}

/// What `info`, the answer to INFO, means for us.
fn told(purpose: Purpose, shown: &str, info: &str) -> Finding {
    let field = |name: &str| {
        let lines = info
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'));
        let mut values = lines.filter(|(key, _)| *key == name);
        values.next().map(|(_, value)| value)
    };
    let version = field("redis_version").unwrap_or("of no known version");
    let found = format!("{shown} answers: Redis {version}");
    let name = purpose.name();
    if purpose == Purpose::Cluster && numbers(version).is_some_and(|known| known < CLUSTER_SINCE) {
        let found = format!("{found}, which cannot trim streams as nodes do");
        let (major, minor) = CLUSTER_SINCE;
        return Finding::bad(name, found, format!("use Redis {major}.{minor} or later"));
    }
    if field("role").is_some_and(|role| role != "master") {
        let remedy = format!("name the primary in {}", purpose.place());
        return Finding::bad(name, format!("{found}, a replica"), remedy);
    }
    if field("loading").is_some_and(|loading| loading != "0") {
        let found = format!("{found}, and is still reading its data");
        return Finding::warning(name, found, "wait until it has");
    }
    let policy = field("maxmemory_policy").unwrap_or("noeviction");
    if field("maxmemory").is_some_and(|most| most != "0") && policy != "noeviction" {
        let found = format!("{found}; at its maxmemory it forgets keys ({policy})");
        return Finding::warning(name, found, "set maxmemory-policy noeviction in it");
    }
    Finding::ok(name, found)
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(str::parse::<u64>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    fn check(purpose: Purpose, info: &str, state: State, word: &str) {
        let finding = told(purpose, "redis://r.example:6379", info);
        assert_eq!(finding.state, state, "{finding}");
        assert!(finding.found.contains(word), "{finding}");
        assert_eq!(finding.remedy.is_none(), state == State::Ok, "{finding}");
    }

    #[test]
    fn a_redis_tells_its_version_and_what_is_in_the_way() {
        use Purpose::{Cluster, Store};
        let good = "# Server\r\nredis_version:7.0.15\r\nrole:master\r\nloading:0\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n";
        for purpose in [Cluster, Store] {
            check(purpose, good, State::Ok, "Redis 7.0.15");
            let replica = good.replace("role:master", "role:slave");
            check(purpose, &replica, State::Bad, "a replica");
            let loading = good.replace("loading:0", "loading:1");
            check(purpose, &loading, State::Warning, "reading its data");
            let forgets = good.replace("maxmemory:0", "maxmemory:1048576");
            check(purpose, &forgets, State::Warning, "allkeys-lru");
            check(purpose, "", State::Ok, "no known version");
        }
        for (version, state) in [
            ("6.0.16", State::Bad),
            ("6.2.0", State::Ok),
            ("10.0.1", State::Ok),
        ] {
            let other = good.replace("7.0.15", version);
            check(Cluster, &other, state, version);
            check(Store, &other, State::Ok, version);
        }
    }
}
