-- start.lua begins a build, in place of one that may be under way, and takes back the request for one.
--
-- KEYS[1]   lease
-- KEYS[2]   build
-- KEYS[3]   wanted
-- ARGV[1]   owner of the lease
-- ARGV[2..] field, value, field, value, ... of the build
--
-- Returns 'OK', or 'LEASE' if the lease is not the owner's.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'LEASE'
end
redis.call('DEL', KEYS[2], KEYS[3])
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return 'OK'
