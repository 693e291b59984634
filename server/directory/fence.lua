-- fence.lua raises the fence of one partition, and creates the partition if asked to. It never lowers a fence. It follows
-- whole.lua.
--
-- KEYS[1]  meta hash of the partition
-- ARGV[1]  generation of the caller's keyring, decimal, below 2^53
-- ARGV[2]  '1' to create a missing partition, '0' to leave it missing
--
-- Returns {'OK'}; {'INCOMPLETE'} if the partition is missing and was not to be created; or {'STALE'} if it has seen a
-- higher generation.

local fence = whole(redis.call('HGET', KEYS[1], 'fence'))
if not fence then
  if ARGV[2] ~= '1' then
    return {'INCOMPLETE'}
  end
  redis.call('HSET', KEYS[1], 'fence', ARGV[1])
  for _, counter in ipairs({'visible', 'hidden', 'deleted', 'changes'}) do -- of which there are some if the fence alone is lost
    redis.call('HSETNX', KEYS[1], counter, '0')
  end
  return {'OK'}
end
if tonumber(ARGV[1]) < fence then
  return {'STALE'}
end
redis.call('HSET', KEYS[1], 'fence', ARGV[1])
return {'OK'}
