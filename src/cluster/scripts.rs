//! What Redis does as one piece: every write of a leader compares the token first, and every report
//! the ownership of its job.
//!
//! A script is atomic, so between the comparison and the write nobody else leads. Ids of entries are
//! given, not made by Redis: a write whose answer was lost is made again under the same id, and is
//! then either there already or there for the first time.

use redis::Script;
use std::sync::LazyLock;

/// Lua that several scripts begin with.
const COMMON: &str = r"
local function last_of(stream)
  if redis.call('EXISTS', stream) == 0 then return '0-0' end
  local info = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return info[i + 1] end
  end
  return '0-0'
end
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function run_of()
  local info = redis.pcall('INFO', 'server')
  if type(info) ~= 'string' then return '' end
  return string.match(info, 'run_id:(%w+)') or ''
end
local function was_there(put, first)
  return first and put.err and string.find(put.err, 'equal or smaller') ~= nil
end
";

fn script(body: &str) -> Script {
    Script::new(&format!("{COMMON}{body}"))
}

/// Takes the lease, if nobody has it. The token grows even if Redis forgot the last one. What the
/// leader before handed out is void, and so is what was reported on it: what it did not log is handed
/// out again by the new one.
///
/// Keys: leader, epoch, policy, jobs, done, reports, log. Arguments: node, lease in ms, fingerprint,
/// whether it is taken (1) or only looked at (0). Answer: the token (`0`: somebody leads, or it was only
/// looked at); the last id of the log, or who leads (empty: nobody); for how long at
/// least, in ms; and which run of Redis that is.
pub(super) static ACQUIRE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local held = redis.call('GET', KEYS[1])
if held then return {'0', held, redis.call('PTTL', KEYS[1]), ''} end
if ARGV[4] ~= '1' then return {'0', '', 0, ''} end
local before = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
local token = string.format('%.0f', math.max(before + 1, now_ms()))
redis.call('SET', KEYS[1], token .. '|' .. ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[3], ARGV[3])
redis.call('UNLINK', KEYS[4], KEYS[5], KEYS[6])
redis.call('XGROUP', 'CREATE', KEYS[4], 'workers', '0', 'MKSTREAM')
return {token, last_of(KEYS[7]), 0, run_of()}
",
    )
});

/// Keeps the lease, within one run of Redis: a Redis that was started again may lack what was written
/// last, jobs that are out among it, so the reign is over. Keys: leader. Arguments: `token|node`, lease
/// in ms, the run in which it was taken. Answer: 1, or 0 if it is not ours any more.
pub(super) static RENEW: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if run_of() ~= ARGV[3] then
  redis.call('DEL', KEYS[1])
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
",
    )
});

/// Gives the lease back. Keys: leader. Arguments: `token|node`.
pub(super) static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
",
    )
});

/// Says by which policy the leader has jobs probed. Keys: leader, policy. Arguments: `token|node`,
/// fingerprint. Answer: 1, or 0 if it does not lead.
pub(super) static POLICY: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
return 1
",
    )
});

/// Hands jobs out. Keys: leader, jobs. Arguments: `token|node`, token, number of the first entry,
/// fingerprint, entries. Answer: 1, or 0 if it does not lead.
pub(super) static HAND_OUT: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 5, #ARGV do
  local id = ARGV[2] .. '-' .. string.format('%.0f', tonumber(ARGV[3]) + i - 5)
  local put = redis.pcall('XADD', KEYS[2], id, 'p', ARGV[4], 'j', ARGV[i])
  if type(put) == 'table' and put.err then
    if was_there(put, i == 5) then return 1 end
    return put
  end
end
return 1
",
    )
});

/// Appends to the log, each entry with the id of the one before it. Keys: leader, log. Arguments:
/// `token|node`, token, number of the first entry, id before it, most entries, entries. Answer: 1, or
/// 0 if it does not lead.
pub(super) static APPEND: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local before = ARGV[4]
for i = 6, #ARGV do
  local id = ARGV[2] .. '-' .. string.format('%.0f', tonumber(ARGV[3]) + i - 6)
  local put = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], id, 'p', before, 'd', ARGV[i])
  if type(put) == 'table' and put.err then
    if was_there(put, i == 6) then return 1 end
    return put
  end
  before = id
end
return 1
",
    )
});

/// Writes some chunks of an image that nobody reads yet; it goes by itself if it is not ended. Keys:
/// leader, image. Arguments: `token|node`, time to live in ms, then number and chunk by turns. Answer:
/// 1, or 0 if it does not lead.
pub(super) static CHUNKS: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
",
    )
});

/// Makes an image the checkpoint, and trims the log to what is newer. Keys: leader, checkpoint,
/// image, log. Arguments: `token|node`, meta record, last id that the image holds, the id behind that.
/// Answer: 1, or 0 if it does not lead.
pub(super) static SWITCH: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local old = redis.call('HGET', KEYS[2], 'image')
redis.call('HSET', KEYS[2], 'image', KEYS[3], 'meta', ARGV[2], 'at', ARGV[3])
redis.call('PERSIST', KEYS[3])
if old and old ~= KEYS[3] then redis.call('UNLINK', old) end
if redis.call('EXISTS', KEYS[4]) == 1 then redis.call('XTRIM', KEYS[4], 'MINID', ARGV[4]) end
return 1
",
    )
});

/// Reports: what counts are jobs of entries that this consumer owns, each once; an entry all of whose
/// jobs ended is gone. Keys: leader, jobs, done, reports. Arguments: token, node, most reports, head,
/// then by fives: entry, bits of the jobs (low, high), whether they are its last, records. Answer:
/// `ok` and the entries that are not ours; `token` if its leader leads no more; `full`.
pub(super) static REPORT: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, #ARGV[1] + 1) ~= ARGV[1] .. '|' then return {'token'} end
if redis.call('XLEN', KEYS[4]) >= tonumber(ARGV[3]) then return {'full'} end
local answer, fields = {'ok'}, {'h', ARGV[4]}
for i = 5, #ARGV, 5 do
  local id = ARGV[i]
  local mine = redis.pcall('XPENDING', KEYS[2], 'workers', id, id, 1, ARGV[2])
  local low, high = bit.tobit(tonumber(ARGV[i + 1])), bit.tobit(tonumber(ARGV[i + 2]))
  local done = redis.call('HGET', KEYS[3], id) or '0,0'
  local comma = string.find(done, ',')
  local dl, dh = tonumber(string.sub(done, 1, comma - 1)), tonumber(string.sub(done, comma + 1))
  local al, ah = bit.band(low, dl), bit.band(high, dh)
  local is_new, is_known = al == 0 and ah == 0, al == low and ah == high
  if mine.err or #mine == 0 or not (is_new or is_known) then
    table.insert(answer, id)
  else
    if is_new then
      table.insert(fields, 'r')
      table.insert(fields, ARGV[i + 4])
    end
    if ARGV[i + 3] == '1' then
      redis.call('XACK', KEYS[2], 'workers', id)
      redis.call('XDEL', KEYS[2], id)
      redis.call('HDEL', KEYS[3], id)
    else
      redis.call('HSET', KEYS[3], id, string.format('%d,%d', bit.bor(low, dl), bit.bor(high, dh)))
    end
  end
end
if #fields > 2 then redis.call('XADD', KEYS[4], '*', unpack(fields)) end
return answer
",
    )
});

/// Trims a stream to what its reader, the leader, has not read: a reader that was deposed while it
/// waited has read what is for the next. Keys: leader, stream. Arguments: `token|node`, first id that
/// stays. Answer: 1, or 0 if it does not lead.
pub(super) static TRIM: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2])
return 1
",
    )
});

/// Renews what this consumer has taken. Keys: jobs. Arguments: node, entries. Answer: those that are
/// not its own any more.
pub(super) static KEEP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local lost, mine = {}, {'XCLAIM', KEYS[1], 'workers', ARGV[1], 0}
for i = 2, #ARGV do
  local own = redis.pcall('XPENDING', KEYS[1], 'workers', ARGV[i], ARGV[i], 1, ARGV[1])
  if own.err or #own == 0 then table.insert(lost, ARGV[i]) else table.insert(mine, ARGV[i]) end
end
if #mine > 5 then
  table.insert(mine, 'JUSTID')
  redis.call(unpack(mine))
end
return lost
",
    )
});

/// Says what a node says of itself, and forgets nodes that were silent. Keys: nodes, leader, policy,
/// log. Arguments: node, its figures (empty: it leaves; `-`: it only listens), longest silence in ms.
/// Answer: who leads, the leader's fingerprint, the last id of the log, what was said under this name
/// before, then name, silence in ms and figures by turns.
pub(super) static NODES: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
local now = now_ms()
local own = redis.call('HGET', KEYS[1], ARGV[1]) or '|'
own = string.sub(own, (string.find(own, '|', 1, true) or 0) + 1)
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
elseif ARGV[2] ~= '-' then redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now) .. '|' .. ARGV[2]) end
local answer = {redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[3]) or '', last_of(KEYS[4]), own}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local bar = string.find(all[i + 1], '|', 1, true) or 1
  local silent = math.max(now - (tonumber(string.sub(all[i + 1], 1, bar - 1)) or 0), 0)
  if silent > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i])
  else
    table.insert(answer, all[i])
    table.insert(answer, string.format('%.0f', silent))
    table.insert(answer, string.sub(all[i + 1], bar + 1))
  end
end
return answer
",
    )
});

/// Removes consumers that are no nodes any more and have nothing pending. Keys: leader, jobs, nodes.
/// Arguments: `token|node`.
pub(super) static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    script(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local all = redis.pcall('XINFO', 'CONSUMERS', KEYS[2], 'workers')
if all.err then return 0 end
local gone = 0
for _, consumer in ipairs(all) do
  local fact = {}
  for i = 1, #consumer, 2 do fact[consumer[i]] = consumer[i + 1] end
  if fact['pending'] == 0 and redis.call('HEXISTS', KEYS[3], fact['name']) == 0 then
    gone = gone + 1
    redis.call('XGROUP', 'DELCONSUMER', KEYS[2], 'workers', fact['name'])
  end
end
return gone
",
    )
});
