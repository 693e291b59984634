-- refund.lua undoes one charge, and forgets its request, so that the same key is charged again. It follows account.lua.
--
-- KEYS[1]  the account
-- KEYS[2]  the record of the request (debit.lua)
-- ARGV[1]  n of the call that was charged
-- ARGV[2]  epoch in which it was charged
-- ARGV[3]  burst of an account that has none of its own
-- ARGV[4]  refill a day of one that has none of its own
--
-- Returns 1 if it was undone, 0 if the charge stands or was undone before, -1 if the account or the record is corrupt.
-- A charge stands once its request was repeated, by which the record has the n of another call, since the repetition may
-- have been answered; and once it has become a part of the credit for the next epoch.

local a = open(ARGV[3], ARGV[4], ARGV[2], '0')
local record = fields(KEYS[2], 'n', 'u', 'c')
local units = whole(record[2], 0, MAX_COUNT) or 0
local credit = whole(record[3], 0, MAX_COUNT) or 0
if corrupt or credit > units then
  return -1
end
if record[1] ~= ARGV[1] or redis.call('HEXISTS', KEYS[1], 'p' .. ARGV[2]) == 1 then
  return 0
end
redis.call('DEL', KEYS[2])
if not a.known then -- it was removed since
  return 1
end
redis.call('HSET', KEYS[1], 'level', text(math.max(0, a.level - (units - credit) * DAY)), 'at', text(now),
  'e' .. ARGV[2], text(math.max(0, a.charged - units)))
if a.credited then
  redis.call('HSET', KEYS[1], 'c' .. ARGV[2], text(a.credit + credit))
end
return 1
