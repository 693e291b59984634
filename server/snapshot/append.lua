-- append.lua adds a segment to the feed, together with the positions that it reaches.
--
-- KEYS[1]   lease
-- KEYS[2]   feed
-- KEYS[3]   changes
-- ARGV[1]   owner of the lease
-- ARGV[2]   generation of the feed
-- ARGV[3]   number of its last segment, as it is expected
-- ARGV[4]   number of the new segment
-- ARGV[5]   entries, 9 bytes each
-- ARGV[6]   time, ms
-- ARGV[7..] field, value, field, value, ... to set in the feed
--
-- Returns 'OK'; 'LEASE' if the lease is not the owner's; or 'CHANGED' if the feed is not as expected, also after a call
-- whose answer was lost, and if there are segments in it already that are not before the new one. Then the feed is made
-- unreadable, so that a new one begins: there is no telling which segments devices have.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'LEASE'
end
local feed = redis.call('HMGET', KEYS[2], 'generation', 'head')
if feed[1] ~= ARGV[2] or feed[2] ~= ARGV[3] then
  return 'CHANGED'
end
-- The stream goes first: it alone can still refuse.
local added = redis.pcall('XADD', KEYS[3], ARGV[2] .. '-' .. ARGV[4], 'e', ARGV[5], 't', ARGV[6])
if type(added) == 'table' and added.err then
  if not string.find(added.err, 'equal or smaller', 1, true) and not string.find(added.err, 'exhausted', 1, true) then
    return added
  end
  redis.call('HDEL', KEYS[2], 'head')
  return 'CHANGED'
end
redis.call('HSET', KEYS[2], 'head', ARGV[4])
for i = 7, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 'OK'
