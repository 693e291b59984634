-- lease.lua takes, renews or gives back the lease of one epoch's builder.
--
-- KEYS[1]  lease
-- ARGV[1]  owner
-- ARGV[2]  ms that the lease is to last from now; 0 to give it back
-- ARGV[3]  '1' to take it if nobody has it, '0' otherwise
--
-- Returns 'OK', or 'LEASE' if it is somebody else's, or nobody's and was not to be taken.

local owner = redis.call('GET', KEYS[1])
if owner ~= ARGV[1] and (owner or ARGV[3] ~= '1') then
  return 'LEASE'
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 'OK'
