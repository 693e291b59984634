-- apply.lua writes records of one partition, by the rules in the package comment of directory. It follows whole.lua.
--
-- It first reads and decides everything and only then writes, so an error while reading leaves the partition as it was.
-- Of the writing, the stream goes first: it is the only key that was not read, and so the only one that can still refuse. The
-- counters by format are read by nobody who decides anything, so that one which is no number does not matter here.
-- For Redis 7.0 and for miniredis: no struct, bit or cmsgpack. Byte strings are never compared with "<", which would
-- follow the server's locale. Versions are below 2^53, where Lua's numbers are exact.
--
-- KEYS[1]     meta hash of the partition
-- KEYS[2]     stream of its changes
-- KEYS[3..]   the buckets written to, each once
--
-- ARGV[1]     generation of the writer's keyring, decimal
-- ARGV[2]     number of entries to which the stream is trimmed, roughly; decimal
-- ARGV[3]     what assigned versions leave when divided by two, '0' or '1'
-- ARGV[4]     how many bytes of a tag its bucket gives whole: its name in the bucket is what follows, decimal
-- ARGV[5..]   seven for each write:
--   bucket    index into KEYS, decimal
--   tag       16 bytes
--   format    1 visible, 2 hidden, 3 deleted; also the rank that decides between equal versions
--   version   decimal; 0 to have one assigned
--   body      wrapped element, 32 bytes; for format 1 followed by the compact label, 73 bytes
--   since     for formats 2 and 3: time in ms, decimal, 0 for the server's clock
--   expect    the stored value that the write was decided on; empty for any, and - for none
--
-- Changes of visibility get the numbers 1, 2, 3, ... without holes, as the stream's ids <number>-0, and the meta hash
-- counts them: a reader sees by the numbers whether any was trimmed, lost or rolled back. The only field of a change, c, is
-- format and version as a record has them, and the tag.
--
-- Returns {'INCOMPLETE'} if there is no meta hash, or none that can be read, and {'STALE'} if it has seen a higher
-- generation, and then writes nothing. Otherwise {'OK', result, version, result, version, ...} in the order of the writes:
-- a result as below, and the version stored afterwards, 0 for none.

local APPLIED, LOST, CONFLICT, CORRUPT = 1, 2, 3, 4
local VISIBLE, HIDDEN, DELETED = 1, 2, 3
local VISIBLE_SIZE, TOMBSTONE_SIZE = 112, 47
local FIELDS = 7
local COUNTERS = {'visible', 'hidden', 'deleted'} -- by format

-- header returns what a record begins with: 3 bits of format and 53 of version, 7 bytes, big-endian. Together they are too large for a
-- number of Lua.
local function header(format, version)
  local low = version % 2^24
  local middle = (version - low) / 2^24 % 2^24
  local floor = math.floor
  return string.char(
    format * 32 + floor(version / 2^48), floor(middle / 2^16), floor(middle / 2^8) % 256, middle % 256,
    floor(low / 2^16), floor(low / 2^8) % 256, low % 256)
end

-- parse returns format and version of a stored value, or nothing if it is malformed.
local function parse(value)
  if #value ~= VISIBLE_SIZE and #value ~= TOMBSTONE_SIZE then
    return nil
  end
  local first = string.byte(value, 1)
  local format = math.floor(first / 32)
  local version = first - format * 32
  for i = 2, 7 do
    version = version * 256 + string.byte(value, i)
  end
  local size = TOMBSTONE_SIZE
  if format == VISIBLE then
    size = VISIBLE_SIZE
  elseif format ~= HIDDEN and format ~= DELETED then
    return nil
  end
  if #value ~= size or version == 0 then
    return nil
  end
  return format, version
end

local meta = redis.call('HMGET', KEYS[1], 'fence', 'changes')
local fence, changed = whole(meta[1]), whole(meta[2])
if not fence or not changed then
  return {'INCOMPLETE'}
end
local generation, parity, skip = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
if generation < fence then
  return {'STALE'}
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local reply = {'OK'}
local current = {}       -- stored value by key and field, as it will be after the writes decided so far; false if none
local hashes = {}        -- {bucket key, field, value} to set
local changes = {}       -- what to add
local counts = {0, 0, 0} -- change of each counter, by format

-- decide returns result and version for one write, and notes what is to be written.
local function decide(bucket, tag, format, version, body, since, expect)
  local field = string.sub(tag, skip + 1)
  local id = bucket .. field
  local stored = current[id]
  if stored == nil then
    stored = redis.call('HGET', bucket, field)
    current[id] = stored
  end
  local stored_format, stored_version
  if stored then
    stored_format, stored_version = parse(stored)
  end
  local old = stored_version or 0

  -- The same write again, whose first answer may have been lost. This goes before the comparison with expect, which
  -- such a write changed itself; where the value is still the expected one, this write has not been made yet.
  if version ~= 0 and version == old and format == stored_format and stored ~= expect then
    return APPLIED, old
  end
  if expect == '-' then
    if stored then
      return CONFLICT, old
    end
  elseif expect ~= '' and stored ~= expect then
    return CONFLICT, old
  end
  -- Without its version nothing can be ordered against a malformed value. Who has seen it may replace it.
  if stored and not stored_format and expect == '' then
    return CORRUPT, 0
  end
  if version == 0 then
    version = math.max(old + 1, now)
    if version % 2 ~= parity then
      version = version + 1
    end
    if version >= VERSION_END then
      return LOST, old
    end
  elseif version < old or (version == old and format < stored_format) then
    return LOST, old
  end

  local head = header(format, version)
  local value = head .. body
  if format ~= VISIBLE then
    if since == 0 then
      since = now
    end
    value = value .. string.char(0) .. header(0, since)
  end
  current[id] = value
  table.insert(hashes, {bucket, field, value})

  counts[format] = counts[format] + 1
  if stored_format then
    counts[stored_format] = counts[stored_format] - 1
  end
  if (format == VISIBLE) ~= (stored_format == VISIBLE) then
    table.insert(changes, head .. tag)
  end
  return APPLIED, version
end

for i = 5, #ARGV, FIELDS do
  local result, version = decide(
    KEYS[tonumber(ARGV[i])], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]),
    ARGV[i + 4], tonumber(ARGV[i + 5]), ARGV[i + 6])
  table.insert(reply, result)
  table.insert(reply, version)
end

for _, c in ipairs(changes) do
  changed = changed + 1
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], string.format('%.0f-0', changed), 'c', c)
end
if #changes > 0 then
  redis.call('HSET', KEYS[1], 'changes', string.format('%.0f', changed))
end
if generation > fence then
  redis.call('HSET', KEYS[1], 'fence', ARGV[1])
end
for _, h in ipairs(hashes) do
  redis.call('HSET', h[1], h[2], h[3])
end
for format, change in ipairs(counts) do
  if change ~= 0 then
    redis.pcall('HINCRBY', KEYS[1], COUNTERS[format], string.format('%.0f', change))
  end
end
return reply
