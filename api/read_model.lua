-- Returns the next cursor ('': no more) and the views of one page of a user's orders, newest first.
--
-- KEYS[1]  the user's placed
-- ARGV     after which order: its score ('+inf': the first page) and number; how many; the status
--          ('': any); how many orders may be looked at for that

local after, after_no, limit, status = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local wanted, looked_at, cursor, found = '"status":"' .. status .. '"', 0, '', {}

while looked_at < tonumber(ARGV[5]) do
  local part = redis.call(
    'ZREVRANGEBYSCORE', KEYS[1], after, '-inf', 'WITHSCORES', 'LIMIT', looked_at, 100)
  if #part == 0 then
    return {'', found}
  end
  for place = 1, #part, 2 do
    local order_no, score = part[place], part[place + 1]
    if score ~= after or order_no < after_no then
      local view = redis.call('GET', 'order:' .. order_no)
      if view and (status == '' or string.find(view, wanted, 1, true)) then
        if #found == limit then
          return {cursor, found}
        end
        table.insert(found, view)
      end
      cursor = score .. '-' .. order_no
    end
  end
  looked_at = looked_at + #part / 2
end
return {cursor, found}
