-- dropmoves.lua removes what is kept of the moves of one partition, unless they are to a later epoch. It follows whole.lua.
--
-- KEYS[1]  hash of the moves, see moves.lua
-- ARGV[1]  epoch, decimal
--
-- Returns {'OK'}.

local epoch = whole(redis.call('HGET', KEYS[1], 'epoch')) or 0
if epoch <= tonumber(ARGV[1]) then
  redis.call('UNLINK', KEYS[1])
end
return {'OK'}
