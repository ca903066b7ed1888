//! What Redis does in one step: a script runs alone, so no other node comes in between.
//!
//! Each gets all its keys as keys, and none of them asks for more than the ACL line of packaging/redis.acl allows.

use crate::redis::Script;

/// Keys: lease, term. Arguments: node, the counter that the node knows, time to live, random bits.
///
/// A lease without an end was set by hand, and would keep all nodes from leading.
const TAKE: &str = r"
local held = redis.call('GET', KEYS[1])
if held and redis.call('PTTL', KEYS[1]) >= 0 and string.match(held, '^%d+:%d+:(.*)$') ~= ARGV[1] then
  return false
end
local counter = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
counter = string.format('%.0f', math.max(counter, tonumber(ARGV[2])) + 1)
redis.call('SET', KEYS[2], counter)
redis.call('SET', KEYS[1], counter .. ':' .. ARGV[4] .. ':' .. ARGV[1], 'PX', ARGV[3])
return counter
";

/// Key: lease. Arguments: what it must be, time to live.
const RENEW: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
";

/// Key: lease. Argument: what it must be.
const RESIGN: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";

/// Key: the log. Arguments: id, batch.
const FOUND: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('XADD', KEYS[1], ARGV[1], 'b', ARGV[2])
return 1
";

/// Keys: values by node, nodes by when they end. Arguments: node, value, time to live, most nodes.
///
/// A cluster that has ended leaves nothing behind.
const PUT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HDEL', KEYS[1], gone)
  redis.call('ZREM', KEYS[2], gone)
end
local others = redis.call('ZCARD', KEYS[2])
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and others >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1])
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
end
return 1
";

/// Keys: values by node, nodes by when they end.
const MEMBERS: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local members = {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], now + 1, '+inf')) do
  local value = redis.call('HGET', KEYS[1], node)
  if value then
    members[#members + 1] = node
    members[#members + 1] = value
  end
end
return members
";

/// Keys: values by node and nodes by when they end, twice. Argument: node.
const LEAVE: &str = r"
for i = 1, 4, 2 do
  redis.call('HDEL', KEYS[i], ARGV[1])
  redis.call('ZREM', KEYS[i + 1], ARGV[1])
end
return 1
";

/// Keys: inbox, its size. Argument: the id behind which it goes on.
///
/// The empty entry only raises the newest id: readers begin behind it.
const OPEN_INBOX: &str = r"
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
  redis.call('XADD', KEYS[1], ARGV[1] == '0-0' and '0-1' or ARGV[1], 'b', '', 'c', '0')
  redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)
else
  redis.pcall('XADD', KEYS[1], ARGV[1], 'b', '', 'c', '0')
end
return 1
";

/// Keys: inbox, its size, what was pushed under the key. Arguments: entry, most bytes, time to live of the key or nothing.
///
/// Each entry says how many bytes were pushed up to it; so what waits is a difference, and trimming need not count.
const PUSH: &str = r"
if ARGV[3] ~= '' then
  local before = redis.call('GET', KEYS[3])
  if before then return before end
end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local pushed = tonumber(redis.call('HGET', KEYS[2], 'in') or '0')
local gone = tonumber(redis.call('HGET', KEYS[2], 'out') or '0')
if redis.call('XLEN', KEYS[1]) == 0 then gone = pushed end
if pushed - gone + #ARGV[1] > tonumber(ARGV[2]) then return 1 end
local total = string.format('%.0f', pushed + #ARGV[1])
local id = redis.call('XADD', KEYS[1], '*', 'b', ARGV[1], 'c', total)
redis.call('HSET', KEYS[2], 'in', total, 'out', string.format('%.0f', gone))
if ARGV[3] ~= '' then redis.call('SET', KEYS[3], id, 'PX', ARGV[3]) end
return id
";

/// Keys: inbox, its size. Arguments: the last id that goes, the next one.
const TRIM_INBOX: &str = r"
local last = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
local gone = tonumber(redis.call('HGET', KEYS[2], 'out') or '0')
if last and last[2][3] == 'c' and tonumber(last[2][4]) > gone then
  redis.call('HSET', KEYS[2], 'out', last[2][4])
end
return redis.call('XTRIM', KEYS[1], 'MINID', ARGV[2])
";

/// Key: the pieces. Arguments: piece, most that wait, time to live.
const PUT_PIECE: &str = r"
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
";

/// All scripts of a log.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) take: Script,
    pub(super) renew: Script,
    pub(super) resign: Script,
    pub(super) found: Script,
    pub(super) put: Script,
    pub(super) members: Script,
    pub(super) leave: Script,
    pub(super) open_inbox: Script,
    pub(super) push: Script,
    pub(super) trim_inbox: Script,
    pub(super) put_piece: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            take: Script::new(TAKE),
            renew: Script::new(RENEW),
            resign: Script::new(RESIGN),
            found: Script::new(FOUND),
            put: Script::new(PUT),
            members: Script::new(MEMBERS),
            leave: Script::new(LEAVE),
            open_inbox: Script::new(OPEN_INBOX),
            push: Script::new(PUSH),
            trim_inbox: Script::new(TRIM_INBOX),
            put_piece: Script::new(PUT_PIECE),
        }
    }
}
