-- dropmoves.lua removes what is kept of the moves of one partition, unless they are to a later epoch.
--
-- KEYS[1]  hash of the moves, see moves.lua
-- ARGV[1]  epoch, decimal
--
-- Returns {'OK'}.

local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
if epoch <= tonumber(ARGV[1]) then
  redis.call('UNLINK', KEYS[1])
end
return {'OK'}
