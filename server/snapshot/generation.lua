-- generation.lua begins a feed, in place of the last one.
--
-- KEYS[1]   lease
-- KEYS[2]   feed
-- KEYS[3]   changes
-- ARGV[1]   owner of the lease
-- ARGV[2]   generation of the last feed as it is stored, '' for none
-- ARGV[3]   generation of the new one
-- ARGV[4..] field, value, field, value, ... of the new one
--
-- Returns 'OK', also when it was begun by a call whose answer was lost; 'LEASE' if the lease is not the owner's; or
-- 'CHANGED' if the last feed is another.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'LEASE'
end
local generation = redis.call('HGET', KEYS[2], 'generation') or ''
if generation == ARGV[3] then
  return 'OK'
end
if generation ~= ARGV[2] then
  return 'CHANGED'
end
redis.call('UNLINK', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[2], 'generation', ARGV[3])
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 'OK'
