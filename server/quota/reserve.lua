-- reserve.lua takes units from the budget of all young accounts together, for one server to hand out.
--
-- KEYS[1]  the budget, a hash: level (parts in use), at (s since 1970)
-- ARGV[1]  units a day; a day's worth is also the most that gathers
-- ARGV[2]  units that are needed
-- ARGV[3]  units that are wanted, as many or more; '0' to take none and be told how many there are
--
-- Returns {units, retry (s)}: those wanted or as many as there are, but 0 where there are fewer than needed, which there
-- will be in retry s; {-1, 0} if the budget is corrupt. A unit is 86,400 parts, and of these as many leak each s as there
-- are units a day, as account.lua does it in ms: up to 10^11 units a day are exact.

local DAY = 86400
local now = tonumber(redis.call('TIME')[1])
local a_day, needed, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local capacity = a_day * DAY

local function whole(value)
  local n = #value <= 16 and string.find(value, '^%d+$') and tonumber(value)
  return n and n <= 9007199254740991 and n or nil
end

local stored = redis.pcall('HMGET', KEYS[1], 'level', 'at')
if stored.err then
  return {-1, 0}
end
local level, at = whole(stored[1] or '0'), whole(stored[2] or string.format('%.0f', now))
if not level or not at then
  return {-1, 0}
end
if now >= at then
  level = math.max(0, level - (now - at) * a_day)
else
  level = math.min(capacity, level + (at - now) * a_day)
end
level = math.min(level, capacity) -- the budget may have been lowered since

local free = (capacity - level - (capacity - level) % DAY) / DAY
if free < needed then
  local short = level + needed * DAY - capacity
  return {0, math.max(1, math.ceil(short / a_day))}
end
if wanted == 0 then
  return {free, 0}
end
local taken = math.min(free, wanted)
redis.call('HSET', KEYS[1], 'level', string.format('%.0f', level + taken * DAY), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], 2 * DAY * 1000)
return {taken, 0}
