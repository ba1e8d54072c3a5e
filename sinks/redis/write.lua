-- Writes what is newer than what is there; the rest is passed over. Atomic.
--
-- KEYS[1]  the turn
-- ARGV[1]  the turn as it was read
-- ARGV[2]  MessagePack, one value for all: thousands of arguments would cost more than their writes
--   orders  of each: key, version, view, expiry (epoch ms, 0: none), number, key and score in the
--           user's placed, key and score in its changed
--   levels  of each: key, version, warehouse, level
--   cap     orders kept in each index
--   kept    ms that an index is kept after a placement
-- Returns how many orders and levels were written, or -1: somebody rebuilds the read model.

local call = redis.call
local turn = call('GET', KEYS[1]) or ''
if turn ~= ARGV[1] or string.sub(turn, 1, 5) == 'held:' then
  return -1
end
local batch = cmsgpack.unpack(ARGV[2])
local written = 0

local function is_newer(version, stored, pattern)
  return version > tonumber(stored and string.match(stored, pattern) or 0)
end

local function note(key, order_no, score, placed_at_ms)
  if call('ZADD', key, 'GT', score, order_no) == 0 then
    return
  end
  call('ZREMRANGEBYRANK', key, 0, -batch.cap - 1)
  local until_ms = placed_at_ms + batch.kept
  if call('PEXPIRETIME', key) < until_ms then
    call('PEXPIREAT', key, until_ms)
  end
end

for _, order in ipairs(batch.orders) do
  local key, version, view, expires_at_ms, order_no = unpack(order)
  local placed, placed_at_ms, changed, at_ms = unpack(order, 6)
  local stored = call('GETRANGE', key, 0, 31)
  if is_newer(version, stored, '^{"version":(%d+)') then
    call('SET', key, view)
    if expires_at_ms > 0 then
      call('PEXPIREAT', key, expires_at_ms)
    end
    if stored == '' then
      note(placed, order_no, placed_at_ms, placed_at_ms)
    end
    note(changed, order_no, at_ms, placed_at_ms)
    written = written + 1
  end
end

for _, level in ipairs(batch.levels) do
  local key, version, warehouse, value = unpack(level)
  if is_newer(version, call('HGET', key, warehouse), '^%[(%d+)') then
    call('HSET', key, warehouse, value)
    written = written + 1
  end
end
return written
