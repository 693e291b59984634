-- publish.lua puts the manifest of a finished build in the place of the last one, and ends the build.
--
-- KEYS[1]  lease
-- KEYS[2]  build
-- KEYS[3]  feed
-- KEYS[4]  manifest
-- ARGV[1]  owner of the lease
-- ARGV[2]  name of the build
-- ARGV[3]  number of fields that the build has with all shards recorded
-- ARGV[4]  generation of the feed that the manifest refers to
-- ARGV[5]  manifest, JSON
-- ARGV[6]  ms until the manifest reaches its maximum age
--
-- Returns 'OK', also when it was published by a call whose answer was lost; 'LEASE' if the lease is not the owner's; or
-- 'CHANGED' if another build is under way, shards are missing, or the feed began anew.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'LEASE'
end
if redis.call('GET', KEYS[4]) == ARGV[5] then
  return 'OK'
end
if redis.call('HGET', KEYS[2], 'build') ~= ARGV[2]
  or redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[3])
  or redis.call('HGET', KEYS[3], 'generation') ~= ARGV[4] then
  return 'CHANGED'
end
redis.call('SET', KEYS[4], ARGV[5], 'PX', ARGV[6])
redis.call('DEL', KEYS[2])
return 'OK'
