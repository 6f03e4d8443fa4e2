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

-- Names the present run of Redis: another one may have forgotten what the last one wrote.
local this_run
local function run_id()
  this_run = this_run or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  return this_run
end

-- The call's next sequence number. They count from 1, but a Redis that crashed may have forgotten
-- some that are on record already. So in a new run they go on from the call's age in milliseconds:
-- above all that were given, for no call has an event in every millisecond.
local function next_seq(call_id, at_ms)
  local call_key = key.call .. call_id
  local was = redis.call('HMGET', call_key, 'seq', 'seq_run', 'ringing_at_ms')
  local seq = tonumber(was[1] or '0') + 1
  if was[2] and was[2] ~= run_id() then
    seq = math.max(seq, at_ms - tonumber(was[3] or '0'))
  end
  redis.call('HSET', call_key, 'seq', digits(seq), 'seq_run', run_id())
  return digits(seq)
end

-- Appends an event to the stream, with the call's next sequence number.
local function emit(call_id, event_type, at_ms, data)
  redis.call('XADD', key.events, '*', 'call_id', call_id, 'seq', next_seq(call_id, at_ms),
    'type', event_type, 'at_ms', digits(at_ms), 'data', data)
end

-- Appends a ledger movement; an amount of nothing is not a movement.
local function emit_money(call_id, event_type, at_ms, kind, organization_id, amount)
  if amount == 0 then return end
  emit(call_id, event_type, at_ms, string.format(
    '{"kind":"%s","organization_id":"%s","amount_microcredits":%.0f}',
    kind, organization_id, amount))
end
