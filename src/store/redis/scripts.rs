//! What has to happen at once: scripts, each of which first sees that the lock is free or ours.

use super::keys::{Keys, META};
use crate::store::Image;
use crate::store::changes::Changes;
use ::redis::{Connection, RedisError, Script, ScriptInvocation};
use std::time::Duration;

/// The lock's token, and how long it holds from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant<'a> {
    pub(super) token: &'a str,
    pub(super) lease: Duration,
}

/// What came of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Done,
    /// What the server holds is not what it should be done to.
    Differs,
    /// The token of another one that has the lock.
    Taken(String),
}

/// A change of little.
pub(super) struct Change<'a> {
    /// The record that the server must hold.
    pub(super) before: &'a [u8],
    /// The one that takes its place.
    pub(super) after: &'a [u8],
    pub(super) image: &'a Image,
    pub(super) changes: &'a Changes,
    pub(super) chunks_before: usize,
}

/// KEYS: the lock. ARGV: the token, milliseconds.
const HOLD: &str = "
    local holder = redis.call('GET', KEYS[1])
    if holder and holder ~= ARGV[1] then return {'taken', holder} end
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
";

/// Takes the lock if it is free, renews it if it is ours.
pub(super) fn hold(link: &mut Connection, keys: &Keys, grant: Grant<'_>) -> Outcome {
    run(link, "return {'done', ''}", keys, grant, |_| ())
}

/// Gives the lock back.
pub(super) fn release(link: &mut Connection, keys: &Keys, grant: Grant<'_>) -> Outcome {
    let rest = "redis.call('DEL', KEYS[1]) return {'done', ''}";
    run(link, rest, keys, grant, |_| ())
}

/// Writes what changed.
pub(super) fn apply(
    link: &mut Connection,
    keys: &Keys,
    grant: Grant<'_>,
    change: &Change<'_>,
) -> Outcome {
    let rest = "
        if redis.call('HGET', KEYS[2], ARGV[3]) ~= ARGV[4] then return {'differs', ''} end
        for place = 8, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[place], ARGV[place + 1]) end
        for number = tonumber(ARGV[6]), tonumber(ARGV[7]) - 1 do
            redis.call('HDEL', KEYS[2], string.format('%d', number))
        end
        redis.call('HSET', KEYS[2], ARGV[3], ARGV[5])
        return {'done', ''}";
    run(link, rest, keys, grant, |script| {
        script.key(&keys.ledger);
        script.arg(META).arg(change.before).arg(change.after);
        script.arg(change.changes.count()).arg(change.chunks_before);
        for &number in &change.changes.new {
            let chunk = change.image.entries.chunk(number as usize);
            script.arg(number).arg(chunk);
        }
    })
}

/// Puts what was written beside, `chunks` of them and the record, in the place of the image.
pub(super) fn switch(link: &mut Connection, keys: &Keys, grant: Grant<'_>, chunks: u32) -> Outcome {
    // A key keeps its end when it is renamed: the ledger has none.
    let rest = "
        if redis.call('HLEN', KEYS[3]) ~= ARGV[3] + 1 then return {'differs', ''} end
        redis.call('UNLINK', KEYS[2])
        redis.call('RENAME', KEYS[3], KEYS[2])
        redis.call('PERSIST', KEYS[2])
        return {'done', ''}";
    run(link, rest, keys, grant, |script| {
        script.key(&keys.ledger).key(keys.beside(grant.token));
        script.arg(chunks);
    })
}

/// Renames a key that cannot be read; it differs if it is gone.
pub(super) fn set_aside(
    link: &mut Connection,
    keys: &Keys,
    grant: Grant<'_>,
    key: &str,
    aside: &str,
) -> Outcome {
    let rest = "
        if redis.call('EXISTS', KEYS[2]) == 0 then return {'differs', ''} end
        redis.call('RENAMENX', KEYS[2], KEYS[3])
        return {'done', ''}";
    run(link, rest, keys, grant, |script| {
        script.key(key).key(aside);
    })
}

type Outcome = Result<Applied, RedisError>;

fn run(
    link: &mut Connection,
    rest: &str,
    keys: &Keys,
    grant: Grant<'_>,
    give: impl FnOnce(&mut ScriptInvocation<'_>),
) -> Outcome {
    let script = Script::new(&format!("{HOLD}{rest}"));
    let mut script = script.prepare_invoke();
    script.key(&keys.lock);
    let lease_ms = grant.lease.as_millis() as u64;
    script.arg(grant.token).arg(lease_ms);
    give(&mut script);
    let (word, holder): (String, String) = script.invoke(link)?;
    Ok(match word.as_str() {
        "done" => Applied::Done,
        "taken" => Applied::Taken(holder),
        _ => Applied::Differs,
    })
}
