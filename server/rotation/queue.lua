-- queue.lua hands out the items of one phase of a rotation: numbers from 0 to below a total, each to one owner at a time.
--
-- A queue with anything in it that this script does not write is one that was lost: it is removed, and opened anew.
-- All of it is by this server's clock. An item is done when its owner says so, and is given to another when the owner has
-- not been heard of for the length of its lease. For Redis 7.0 and for miniredis.
--
-- KEYS[1]  hash:
--            total, size, expected   fixed when the queue is opened: items, what an item stands for, records in all of them
--            started                 ms since 1970
--            next                    the first item that was never given
--            done                    items done
--            records, written, unreadable   what the items that are done add up to
--            since, before           ms and records at two earlier moments, for a rate: since is 10 s ago or more where
--            since_records,          there is such a moment
--            before_records
--            o<item>                 owner of an item that is being worked on
--            u<item>                 records of an item that is done which could not be read
-- KEYS[2]  sorted set of the items that are being worked on or are to be given once more, by the time, ms, from which on
--          they may be given
--
-- ARGV[1]  what to do, with ARGV[2..]:
--   open      total, size, expected
--   claim     owner, lease (ms), horizon (ms): a time later than that ahead is the word of another clock, and has come
--   renew     item, owner, lease (ms)
--   complete  item, owner, records, written, unreadable, again (ms): an item with unreadable records is done, and is
--             given once more after that time, in case they were mended; its counts then take the place of the earlier
--   release   item, owner, after (ms): the item is not done, and is given again after that time
--   read
--
-- Returns {'OK', ...}; of claim with item, size, and 1 if everything is done and this is looked at once more; of read with total, done, expected, records, written, unreadable,
-- started, and the records and ms since the earlier of the two moments. {'NONE'} if the queue is not open, {'LOST'} if the item is not the
-- owner's, and of claim {'WAIT'} if all that is left is being worked on, {'DONE'} if everything is done.

local queue, times = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local LIFE = 30 * 24 * 3600 * 1000 -- ms for which a queue that nobody touches is kept
local WINDOW = 10000               -- ms between two moments of the rate

local NUMBERS = {'total', 'size', 'expected', 'started', 'next', 'done', 'records', 'written', 'unreadable', 'since',
  'since_records', 'before', 'before_records'}

-- whole returns a stored number, or nil for what is none: tonumber takes 'nan' too.
local function whole(value)
  return value and #value <= 16 and string.find(value, '^%d+$') and tonumber(value) or nil
end

-- readable reports whether all that is read below is there.
local function readable()
  for _, value in ipairs(redis.call('HMGET', queue, unpack(NUMBERS))) do
    if not whole(value) then
      return false
    end
  end
  return whole(redis.call('HGET', queue, 'size')) > 0
end

local function number(field)
  return whole(redis.call('HGET', queue, field)) or 0
end

local function text(n)
  return string.format('%.0f', n)
end

local function live()
  redis.call('PEXPIRE', queue, LIFE)
  redis.call('PEXPIRE', times, LIFE)
end

-- due returns an item that may be given again, or nothing.
local function due(horizon, total)
  while true do
    local items = redis.call('ZRANGEBYSCORE', times, '-inf', text(now), 'LIMIT', 0, 1)
    if #items == 0 then
      items = redis.call('ZRANGEBYSCORE', times, '(' .. text(now + horizon), '+inf', 'LIMIT', 0, 1)
    end
    local item = whole(items[1])
    if #items == 0 or item and item < total then
      return items[1]
    end
    redis.call('ZREM', times, items[1])
  end
end

local function claim(owner, lease, horizon)
  local total, next, complete = number('total'), number('next'), 0
  local item
  if next < total then
    item = text(next)
    redis.call('HSET', queue, 'next', text(next + 1))
  else
    item = due(horizon, total)
  end
  if number('done') >= total then
    complete = 1
  end
  if not item then
    if complete == 1 then
      return {'DONE'}
    elseif redis.call('ZCARD', times) == 0 then
      -- Who works on what is lost, though the rest is there: it starts over.
      redis.call('UNLINK', queue)
      return {'NONE'}
    else
      return {'WAIT'}
    end
  end
  redis.call('ZADD', times, text(now + lease), item)
  redis.call('HSET', queue, 'o' .. item, owner)
  return {'OK', tonumber(item), number('size'), complete}
end

-- mark moves the two moments of the rate on.
local function mark()
  if now - number('since') < WINDOW then
    return
  end
  redis.call('HSET', queue, 'before', text(number('since')), 'before_records', text(number('since_records')),
    'since', text(now), 'since_records', text(number('records')))
end

local function complete(item, records, written, unreadable, again)
  local before = redis.call('HGET', queue, 'u' .. item)
  redis.call('HDEL', queue, 'o' .. item)
  if unreadable == 0 then
    redis.call('ZREM', times, item)
    redis.call('HDEL', queue, 'u' .. item)
  else
    redis.call('ZADD', times, text(now + again), item)
    redis.call('HSET', queue, 'u' .. item, text(unreadable))
  end
  if not before then
    redis.call('HINCRBY', queue, 'done', 1)
    redis.call('HINCRBY', queue, 'records', text(records))
    mark()
  end
  redis.call('HINCRBY', queue, 'written', text(written))
  redis.call('HINCRBY', queue, 'unreadable', text(unreadable - (whole(before) or 0)))
  return {'OK'}
end

local what = ARGV[1]
local open = redis.call('HEXISTS', queue, 'total') == 1
if open and not readable() then
  redis.call('UNLINK', queue, times)
  open = false
end
if what == 'open' then
  if not open then
    redis.call('DEL', queue, times)
    redis.call('HSET', queue, 'total', ARGV[2], 'size', ARGV[3], 'expected', ARGV[4], 'started', text(now), 'next', '0',
      'done', '0', 'records', '0', 'written', '0', 'unreadable', '0', 'since', text(now), 'since_records', '0',
      'before', text(now), 'before_records', '0')
  end
  live()
  return {'OK'}
end
if not open then
  return {'NONE'}
end
if what == 'read' then
  local records = number('records')
  return {'OK', number('total'), number('done'), number('expected'), records, number('written'), number('unreadable'),
    number('started'), records - number('before_records'), now - number('before')}
end
live()
if what == 'claim' then
  return claim(ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
end

local item = ARGV[2]
if redis.call('HGET', queue, 'o' .. item) ~= ARGV[3] then
  return {'LOST'}
end
if what == 'renew' then
  redis.call('ZADD', times, text(now + tonumber(ARGV[4])), item)
elseif what == 'complete' then
  return complete(item, tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
elseif what == 'release' then
  redis.call('HDEL', queue, 'o' .. item)
  redis.call('ZADD', times, text(now + tonumber(ARGV[4])), item)
end
return {'OK'}
