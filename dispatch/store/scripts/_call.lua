-- Clock, numbers and events: what every script about a call stands on.

local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Lua would write a large number as 1e+15.
local function digits(number)
  return string.format('%.0f', number)
end

-- Joins the texts of two JSON objects with different fields. Texts that Python made are never
-- decoded and encoded again here: cjson turns an empty list into an object.
local function merged(first, second)
  if second == '{}' then return first end
  if first == '{}' then return second end
  return string.sub(first, 1, -2) .. ',' .. string.sub(second, 2)
end

-- Appends an event to the stream, with the call's next sequence number.
local function emit(call_id, event_type, at_ms, data)
  local seq = redis.call('HINCRBY', key.call .. call_id, 'seq', 1)
  redis.call('XADD', key.events, '*', 'call_id', call_id, 'seq', seq, 'type', event_type,
    'at_ms', digits(at_ms), 'data', data)
end

-- Appends a ledger movement; an amount of nothing is not a movement.
local function emit_money(call_id, event_type, at_ms, kind, organization_id, amount)
  if amount == 0 then return end
  emit(call_id, event_type, at_ms, string.format(
    '{"kind":"%s","organization_id":"%s","amount_microcredits":%.0f}',
    kind, organization_id, amount))
end
