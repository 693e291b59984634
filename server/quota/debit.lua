-- debit.lua charges one request to an account, unless it was charged before. It follows account.lua.
--
-- KEYS[1]   the account
-- KEYS[2]   the record of the request, a hash, in the account's slot:
--             h         what the request asked for, a hash of 32 bytes
--             n         the call that was answered last, 16 random bytes
--             r         how often the request was repeated after it was charged
--             u, c      units charged, and how many of them came from the credit
--             y         there if the units were taken from the budget of young accounts
-- ARGV[1]   h of the request
-- ARGV[2]   n of this call
-- ARGV[3]   elements
-- ARGV[4]   epoch
-- ARGV[5]   the epoch that it followed, '0' for none
-- ARGV[6]   burst of an account that has none of its own
-- ARGV[7]   refill a day of one that has none of its own
-- ARGV[8]   how long the record is kept, ms
-- ARGV[9]   how long the account is kept, ms
-- ARGV[10]  how often a request may be repeated
-- ARGV[11]  the age below which an account is young, ms; '0' if young accounts have no budget
-- ARGV[12]  '1' if the caller has taken the elements from the budget of young accounts
--
-- Returns {status, burst, refill, usable, credit, reset (ms), retry (ms), from credit, young}, where status is
--   CHARGED   now, or by this very call when it was sent before and its answer was lost
--   KNOWN     the request was charged before
--   REUSED    the key of the record belongs to another request
--   REPLAYS   the request was repeated as often as it may be
--   BLOCKED   the account is blocked
--   LARGE     there are more elements than the bucket ever holds
--   EXCEEDED  there are more than it holds now; in retry ms they are not
--   YOUNG     the account is young, and the elements have to be taken from the budget first
-- or {'CORRUPT'}. Only CHARGED and KNOWN have changed anything, and YOUNG when it saw the account for the first time.

local a = open(ARGV[6], ARGV[7], ARGV[4], ARGV[5])
local record = fields(KEYS[2], 'h', 'n', 'r', 'c', 'y')
local repeated = whole(record[3], 0, MAX_COUNT) or 0
local paid = whole(record[4], 0, MAX_COUNT) or 0
local n = tonumber(ARGV[3])
if corrupt then
  return {'CORRUPT'}
end

local function reply(status, retry, credit, young)
  local burst, refill, usable, left, reset = state(a)
  return {status, burst, refill, usable, left, reset, retry or 0, credit or 0, young and 1 or 0}
end

if a.blocked then
  return reply('BLOCKED')
end
if record[1] then
  if record[1] ~= ARGV[1] then
    return reply('REUSED')
  elseif record[2] == ARGV[2] then
    return reply(repeated == 0 and 'CHARGED' or 'KNOWN', 0, paid, record[5])
  elseif repeated >= tonumber(ARGV[10]) then
    return reply('REPLAYS')
  end
  redis.call('HSET', KEYS[2], 'n', ARGV[2], 'r', text(repeated + 1))
  return reply('KNOWN')
end

if n > a.burst then
  return reply('LARGE')
end
local credit = math.min(a.credit, n)
local level = a.level + (n - credit) * DAY
if n > credit and level > a.capacity then
  return reply('EXCEEDED', up(level - a.capacity, a.refill))
end
local seen = a.seen or now
local young = ARGV[11] ~= '0' and now - seen < tonumber(ARGV[11])
if young and ARGV[12] ~= '1' then
  if not a.seen then
    redis.call('HSET', KEYS[1], 'first_seen', text(seen))
    if not a.kept then
      redis.call('PEXPIRE', KEYS[1], ARGV[9])
    end
  end
  return reply('YOUNG')
end

a.level, a.credit = level, a.credit - credit
local changed = {'level', text(a.level), 'at', text(now), 'first_seen', text(seen), 'e' .. ARGV[4], text(a.charged + n)}
if a.credited or a.grants then
  changed[#changed + 1] = 'c' .. ARGV[4]
  changed[#changed + 1] = text(a.credit)
end
if a.grants then
  changed[#changed + 1] = 'p' .. ARGV[5]
  changed[#changed + 1] = '1'
  -- What is older than the epoch before is of no more use.
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local epoch = string.match(field, '^[ecp](%d+)$')
    if epoch and tonumber(epoch) < tonumber(ARGV[5]) then
      redis.call('HDEL', KEYS[1], field)
    end
  end
end
redis.call('HSET', KEYS[1], unpack(changed))
if not a.kept then
  redis.call('PEXPIRE', KEYS[1], ARGV[9])
end
redis.call('HSET', KEYS[2], 'h', ARGV[1], 'n', ARGV[2], 'r', '0', 'u', text(n), 'c', text(credit))
if young then
  redis.call('HSET', KEYS[2], 'y', '1')
end
redis.call('PEXPIRE', KEYS[2], ARGV[8])
return reply('CHARGED', 0, credit, young)
