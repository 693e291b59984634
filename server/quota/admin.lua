-- admin.lua is what an operator does to an account. It follows account.lua.
--
-- KEYS[1]  the account
-- ARGV[1]  what to do:
--            raise    give it limits of its own, ARGV[5] and ARGV[6], each '0' for those of all
--            reset    fill its bucket
--            block    refuse it until it is unblocked
--            unblock
-- ARGV[2]  burst of an account that has none of its own
-- ARGV[3]  refill a day of one that has none of its own
-- ARGV[4]  how long an account is kept, ms, unless it is blocked or has limits of its own: then it is kept for ever
--
-- Returns 1, or -1 if the account is corrupt. Whatever it is, it can be reset and blocked.

local what = ARGV[1]

-- limit sets or removes one of the account's own limits.
local function limit(field, value)
  if value == '0' then
    redis.call('HDEL', KEYS[1], field)
  else
    redis.call('HSET', KEYS[1], field, value)
  end
end

if what == 'raise' then
  local a = open(ARGV[2], ARGV[3], '0', '0')
  if corrupt then
    return -1
  end
  if a.known then -- what has leaked up to now leaked at the limits of up to now
    redis.call('HSET', KEYS[1], 'level', text(a.level), 'at', text(now))
  end
  limit('burst', ARGV[5])
  limit('refill', ARGV[6])
elseif what == 'reset' then
  redis.call('HDEL', KEYS[1], 'level', 'at')
elseif what == 'block' then
  redis.call('HSET', KEYS[1], 'blocked', text(now))
elseif what == 'unblock' then
  redis.call('HDEL', KEYS[1], 'blocked')
end

local own = redis.call('HMGET', KEYS[1], 'burst', 'refill', 'blocked')
if own[1] or own[2] or own[3] then
  redis.call('PERSIST', KEYS[1])
elseif redis.call('PTTL', KEYS[1]) == -1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
