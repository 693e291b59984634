-- record.lua notes a finished shard in the build under way.
--
-- KEYS[1]   lease
-- KEYS[2]   build
-- ARGV[1]   owner of the lease
-- ARGV[2]   name of the build
-- ARGV[3..] field, value, field, value, ... to set
--
-- Returns 'OK'; 'LEASE' if the lease is not the owner's; or 'CHANGED' if another build is under way, or none.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'LEASE'
end
if redis.call('HGET', KEYS[2], 'build') ~= ARGV[2] then
  return 'CHANGED'
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 'OK'
