-- moves.lua stores beside one partition what a rotation keeps of having moved its buckets to another epoch. It follows
-- whole.lua.
--
-- The moves of a partition are all to one epoch, the latest: epochs are numbered upwards, and what is kept of a move to
-- an earlier one, which was aborted, goes when the first to a later one comes.
--
-- KEYS[1]    meta hash of the partition
-- KEYS[2]    hash of its moves: epoch (decimal), and by the decimal number of a bucket what is kept of it
-- ARGV[1]    generation of the writer's keyring, decimal
-- ARGV[2]    epoch that the buckets were moved to, decimal
-- ARGV[3..]  two for each bucket: its number, decimal, and what is kept
--
-- Returns {'INCOMPLETE'} if there is no meta hash; {'STALE'} if it has seen a higher generation, or the moves are to a
-- later epoch; and otherwise {'OK'}.

local fence = whole(redis.call('HGET', KEYS[1], 'fence'))
if not fence then
  return {'INCOMPLETE'}
end
local epoch, target = whole(redis.call('HGET', KEYS[2], 'epoch')) or 0, tonumber(ARGV[2])
if tonumber(ARGV[1]) < fence or target < epoch then
  return {'STALE'}
end
if target > epoch then
  redis.call('UNLINK', KEYS[2])
  redis.call('HSET', KEYS[2], 'epoch', ARGV[2])
end
for i = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
end
return {'OK'}
