-- include: call
-- What a call used besides its time: priced by the worker, kept with the call.

-- Notes what was used by now and returns its cost. Usage is cumulative, so of two states the one
-- with more is the later: a beat that comes late takes nothing back.
local function note_usage(call_id, total, cost, text)
  local call_key = key.call .. call_id
  local was = redis.call('HMGET', call_key, 'usage_total', 'usage_cost')
  if total <= tonumber(was[1] or '0') then return tonumber(was[2] or '0') end
  redis.call('HSET', call_key, 'usage_total', digits(total), 'usage_cost', digits(cost),
    'usage', text)
  return cost
end
