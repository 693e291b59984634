-- Changes the keyring if its generation is still the one expected, sets the next, and announces it on the channel that has
-- the keyring's name.
--
-- KEYS[1]  the keyring, a hash
-- ARGV[1]  the generation expected, "0" where no keyring exists yet
-- ARGV[2]  the generation to set
-- ARGV[3]  "1" if the fields that are not given are to be removed, else "0"
-- ARGV[4+] field, value, field, value, ...
--
-- Returns 1 if changed, 0 if the generation was another.
local current = redis.call('HGET', KEYS[1], 'generation') or '0'
if current ~= ARGV[1] then
  return 0
end
if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'generation', ARGV[2])
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PUBLISH', KEYS[1], ARGV[2])
return 1
