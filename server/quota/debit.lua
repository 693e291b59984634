-- Charges one request to an account, unless it was charged before.
--
-- KEYS[1]  the account, a hash
-- KEYS[2]  the record of the request's Idempotency-Key; the account again where the request has none
-- ARGV[1]  hash of the request, 32 bytes, or "" where it has no Idempotency-Key
-- ARGV[2]  elements
-- ARGV[3]  field of the epoch in the account
-- ARGV[4]  how long a request is remembered, ms
-- ARGV[5]  how long an account is remembered after its last request, ms
--
-- Returns 1 if charged, 0 if it had been charged before, -1 if the key belongs to another request.
if ARGV[1] ~= '' then
  local known = redis.call('GET', KEYS[2])
  if known then
    if known == ARGV[1] then
      return 0
    end
    return -1
  end
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[4])
end
local t = redis.call('TIME')
redis.call('HSETNX', KEYS[1], 'first_seen', t[1] .. string.format('%03d', math.floor(tonumber(t[2]) / 1000)))
redis.call('HINCRBY', KEYS[1], ARGV[3], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
