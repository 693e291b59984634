-- whole.lua is what the scripts begin with that read numbers of a partition.
--
-- For Redis 7.0 and for miniredis.

local VERSION_END = 9007199254740992 -- 2^53, above which Lua's numbers are not exact

-- whole returns a stored number, or nil for anything that no script writes: tonumber takes 'nan' too, which is neither
-- above nor below any generation, and so no fence at all.
local function whole(value)
  if not value or #value > 16 or not string.find(value, '^%d+$') then
    return nil
  end
  local n = tonumber(value)
  if n >= VERSION_END then
    return nil
  end
  return n
end

