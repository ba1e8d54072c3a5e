-- One request's limits and its idempotency record, judged at once; api/limits.py sends it.
--
-- KEYS: one per charge, then the idempotency record if there is a fingerprint.
-- ARGV: fingerprint or '', milliseconds of a claim, then per charge: interval (us), window (us),
--       '1' when it is only for new requests.
-- Returns one string, which is cheaper to read than a list: a line of numbers, then the answer
-- that is remembered. The numbers: record (0 new, 1 in progress, 2 answered, 3 conflict), wait
-- (us), for each charge how far it is drawn (us; -1 not asked), the limited charges (from 0).

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fingerprint = ARGV[1]
local kept = redis.call('MGET', unpack(KEYS))
local charges = #KEYS

local record, answer = 0, ''
if fingerprint ~= '' then
  local remembered = kept[charges]
  charges = charges - 1
  if remembered then
    if string.sub(remembered, 1, 32) ~= fingerprint then
      record = 3
    elseif #remembered == 32 then
      record = 1
    else
      record, answer = 2, string.sub(remembered, 33)
    end
  end
end

local ahead, drawn, limited, wait = {}, {}, {}, 0
for i = 1, charges do
  local interval, window = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  if record ~= 0 and ARGV[3 * i + 2] == '1' then
    ahead[i] = -1
  else
    local tat = tonumber(kept[i] or 0)
    if tat < now then tat = now end
    ahead[i] = tat - now
    drawn[i] = tat + interval
    local over = drawn[i] - now - window
    if over > 0 then
      limited[#limited + 1] = i - 1
      if over > wait then wait = over end
    end
  end
end

if #limited == 0 then
  for i, tat in pairs(drawn) do
    ahead[i] = tat - now
    redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', math.ceil(ahead[i] / 1000))
  end
  if fingerprint ~= '' and record == 0 then
    redis.call('SET', KEYS[#KEYS], fingerprint, 'PX', ARGV[2])
  end
end
local told = {record, wait}
for i = 1, charges do told[#told + 1] = ahead[i] end
for i = 1, #limited do told[#told + 1] = limited[i] end
return table.concat(told, ' ') .. '\n' .. answer
