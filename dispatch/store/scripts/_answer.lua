-- include: call
-- The answer of a call, where its bill begins.

-- Notes the answer of an admitted call, once. Returns when it was answered, or false when the call
-- is not live.
local function note_answer(call_id, answered_at_ms)
  local call_key = key.call .. call_id
  local call = redis.call('HMGET', call_key, 'state', 'admitted_at_ms', 'answered_at_ms')
  if call[1] == 'active' then return call[3] end
  if call[1] ~= 'ringing' or not call[2] then return false end

  local at_ms = now_ms()
  -- The worker's clock may be off: no answer before admission, none in the future.
  local answered = digits(math.min(at_ms, math.max(tonumber(call[2]), answered_at_ms)))
  redis.call('HSET', call_key, 'state', 'active', 'answered_at_ms', answered,
    'seen_at_ms', digits(at_ms))
  emit(call_id, 'call.answered', at_ms, '{"answered_at_ms":' .. answered .. '}')
  return answered
end
