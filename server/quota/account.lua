-- account.lua is what every script of an account begins with. It reads the account as it stands at this moment, by this
-- server's clock and no other.
--
-- KEYS[1]  the account, a hash:
--            first_seen      when it first asked for an evaluation, ms since 1970
--            level, at       parts of its bucket in use, and at which moment they were, ms since 1970
--            e<epoch>        elements charged to it in that epoch
--            c<epoch>        units left of its credit for that epoch
--            p<epoch>        there once what was charged in that epoch has become a credit
--            burst, refill   limits of this account alone
--            blocked         since when, ms since 1970
--
-- A unit is DAY parts, and of these as many leak each ms as units are refilled a day. So all of it is whole numbers below
-- 2^53, which Lua adds, subtracts and compares exactly: nothing is ever rounded in anybody's favour.
--
-- For Redis 7.0 and for miniredis: no struct, bit or cmsgpack.

local DAY = 86400000
local MAX_BURST = 50000000 -- MaxBurst in limits.go; two full buckets stay below 2^53 parts
local MAX_COUNT = 4503599627370496

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local corrupt = false -- set when anything was read that no script writes

-- whole returns a stored number from least to most, or nil where nothing is stored.
local function whole(value, least, most)
  if not value then
    return nil
  end
  local n = #value <= 16 and string.find(value, '^%d+$') and tonumber(value)
  if not n or n < least or n > most then
    corrupt = true
    return nil
  end
  return n
end

-- fields reads fields of a hash. A key of another type has none, and is corrupt.
local function fields(key, ...)
  local values = redis.pcall('HMGET', key, ...)
  if values.err then
    corrupt = true
    return {}
  end
  return values
end

local function text(n)
  return string.format('%.0f', n)
end

-- up returns n / d rounded up, of whole numbers.
local function up(n, d)
  local rest = n % d
  return (n - rest) / d + (rest > 0 and 1 or 0)
end

-- settle returns the level of a bucket now that was level at an earlier moment. A clock that has gone back takes back what
-- it had let leak, down to an empty bucket: no stretch of time is credited twice, and none freezes an account.
local function settle(level, at, refill, capacity)
  if now >= at then
    return math.max(0, level - (now - at) * refill)
  end
  return math.max(level, math.min(capacity, level + (at - now) * refill))
end

-- open reads the account. burst and refill are the limits where it has none of its own; epoch is the one that is asked
-- about and before the one that it followed, '0' for none.
local function open(burst, refill, epoch, before)
  local v = fields(KEYS[1], 'level', 'at', 'first_seen', 'blocked', 'burst', 'refill', 'e' .. epoch, 'c' .. epoch,
    'e' .. before, 'p' .. before)
  local a = {
    burst = whole(v[5], 1, MAX_BURST) or tonumber(burst),
    refill = whole(v[6], 1, MAX_BURST) or tonumber(refill),
    seen = whole(v[3], 0, MAX_COUNT),
    blocked = whole(v[4], 0, MAX_COUNT),
    charged = whole(v[7], 0, MAX_COUNT) or 0,
    credit = whole(v[8], 0, MAX_COUNT),
    kept = (v[4] or v[5] or v[6]) and true or false, -- an operator's word is not forgotten with time
    known = (v[1] or v[3]) and true or false, -- it has asked for something
  }
  a.capacity = a.burst * DAY
  a.level = settle(whole(v[1], 0, MAX_BURST * DAY) or 0, whole(v[2], 0, MAX_COUNT) or now, a.refill, a.capacity)
  -- The credit of an epoch is granted with the first charge in it, once, and what was charged before becomes a credit once.
  a.credited = a.credit ~= nil
  a.grants = not a.credited and before ~= '0' and not v[10]
  if a.grants then
    a.credit = whole(v[9], 0, MAX_COUNT)
  end
  a.credit = a.credit or 0
  return a
end

-- state is what callers are told of an account: its limits, the units that it can use now, how many of them are credit,
-- and the ms until its bucket is full.
local function state(a)
  local free = math.max(0, a.capacity - a.level)
  return a.burst, a.refill, (free - free % DAY) / DAY + a.credit, a.credit, up(a.level, a.refill)
end
