-- status.lua reads an account, and changes nothing. It follows account.lua.
--
-- KEYS[1]  the account
-- ARGV[1]  epoch
-- ARGV[2]  the epoch that it followed, '0' for none
-- ARGV[3]  burst of an account that has none of its own
-- ARGV[4]  refill a day of one that has none of its own
--
-- Returns {'OK', burst, refill, usable, credit, reset (ms), level (units, rounded up), charged (in this epoch),
-- first seen (ms since 1970, or -1), age (ms since then), blocked since (ms since 1970, or -1)}, or {'CORRUPT'}.

local a = open(ARGV[3], ARGV[4], ARGV[1], ARGV[2])
if corrupt then
  return {'CORRUPT'}
end
local burst, refill, usable, credit, reset = state(a)
return {'OK', burst, refill, usable, credit, reset, up(a.level, DAY), a.charged, a.seen or -1, now - (a.seen or now),
  a.blocked or -1}
