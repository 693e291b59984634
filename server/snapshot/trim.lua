-- trim.lua removes the oldest segments of the feed, a few at a time, and notes the last that it removed. One whose time can
-- not be read is removed too.
--
-- KEYS[1]  lease
-- KEYS[2]  feed
-- KEYS[3]  changes
-- ARGV[1]  owner of the lease
-- ARGV[2]  generation of the feed
-- ARGV[3]  time in ms before which segments are removed
-- ARGV[4]  number of segments above which the oldest are removed
-- ARGV[5]  how many to remove at most
--
-- Returns 'OK'; 'LEASE' if the lease is not the owner's; or 'CHANGED' if the feed has another generation.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'LEASE'
end
if redis.call('HGET', KEYS[2], 'generation') ~= ARGV[2] then
  return 'CHANGED'
end
local surplus = redis.call('XLEN', KEYS[3]) - tonumber(ARGV[4])
local trimmed
for i, segment in ipairs(redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', ARGV[5])) do
  local id, time = segment[1], tonumber(segment[2][4] or '')
  if i > surplus and time and time >= tonumber(ARGV[3]) then
    break
  end
  redis.call('XDEL', KEYS[3], id)
  trimmed = string.match(id, '%-(%d+)$')
end
if trimmed then
  redis.call('HSET', KEYS[2], 'trimmed', trimmed)
end
return 'OK'
