-- Writes what is newer than what is there; the rest is passed over. Atomic.
--
-- KEYS  the turn; for each order: its view, the user's placed, the user's changed;
--       for each stock level: its stock
-- ARGV  the turn that was read, orders, orders kept a user, ms an index is kept after a change;
--       for each order: version, view, expiry (epoch ms, 0: none), number, placed at, updated at;
--       for each stock level: version, warehouse, level
-- Returns how many orders and levels were written, or -1: somebody rebuilds the read model.

local turn = redis.call('GET', KEYS[1]) or ''
if turn ~= ARGV[1] or string.sub(turn, 1, 5) == 'held:' then
  return -1
end
local orders, cap, kept_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local written = 0

local function is_newer(version, stored, pattern)
  return tonumber(version) > tonumber(stored and string.match(stored, pattern) or 0)
end

local function note(key, order_no, at_ms)
  redis.call('ZADD', key, 'GT', at_ms, order_no)
  redis.call('ZREMRANGEBYRANK', key, 0, -cap - 1)
  local until_ms = tonumber(at_ms) + kept_ms
  if redis.call('PEXPIRETIME', key) < until_ms then
    redis.call('PEXPIREAT', key, string.format('%.0f', until_ms))
  end
end

for nth = 0, orders - 1 do
  local key, value = 2 + nth * 3, 5 + nth * 6
  local stored = redis.call('GETRANGE', KEYS[key], 0, 31)
  if is_newer(ARGV[value], stored, '^{"version":(%d+)') then
    redis.call('SET', KEYS[key], ARGV[value + 1])
    if ARGV[value + 2] ~= '0' then
      redis.call('PEXPIREAT', KEYS[key], ARGV[value + 2])
    end
    if stored == '' then
      note(KEYS[key + 1], ARGV[value + 3], ARGV[value + 4])
    end
    note(KEYS[key + 2], ARGV[value + 3], ARGV[value + 5])
    written = written + 1
  end
end

local first_key, first_value = 2 + orders * 3, 5 + orders * 6
for nth = 0, #KEYS - first_key do
  local key, value = KEYS[first_key + nth], first_value + nth * 3
  local stored = redis.call('HGET', key, ARGV[value + 1])
  if is_newer(ARGV[value], stored, '^%[(%d+)') then
    redis.call('HSET', key, ARGV[value + 1], ARGV[value + 2])
    written = written + 1
  end
end
return written
