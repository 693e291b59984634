-- purge.lua removes tombstones of one bucket, each only if it is still stored as the caller has read it.
--
-- KEYS[1]    meta hash of the partition
-- KEYS[2]    the bucket
-- ARGV[1..]  two for each tombstone of a deletion: field and stored value
--
-- Returns {'INCOMPLETE'} if there is no meta hash, and otherwise {'OK', number removed}.

if redis.call('HEXISTS', KEYS[1], 'fence') == 0 then
  return {'INCOMPLETE'}
end
local removed = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[2], ARGV[i])
    removed = removed + 1
  end
end
if removed > 0 then
  redis.pcall('HINCRBY', KEYS[1], 'deleted', string.format('%.0f', -removed))
end
return {'OK', removed}
