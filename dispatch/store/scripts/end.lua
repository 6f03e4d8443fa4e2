-- include: answer
-- include: settle
-- include: usage
-- Ends a call, once. `mode` is `end` (any call), `lost` (only when its heartbeat stopped), `miss`
-- (only while it rings and was not admitted) or `cancel` (only while it rings, or again). Answers a
-- settlement, or false.
local call_id, mode, ending = ARGV[1], ARGV[2], ARGV[3]
local ended_at_ms, answered_at_ms, keep_s = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local usage_total, usage_cost, usage = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]

-- Sequence numbers of a call whose record Redis lost start here, above any it had before: those
-- count its events or its milliseconds. It is given the age to match.
local AFTER_LOSS = 1000000000

-- The report of the answer may not have come through, or Redis may have forgotten it.
if answered_at_ms then note_answer(call_id, answered_at_ms) end

local at_ms = now_ms()
local call_key = key.call .. call_id
local call = redis.call('HMGET', call_key, 'state', 'admitted_at_ms', 'answered_at_ms',
  'seen_at_ms')
local state, admitted_at_ms = call[1], call[2]

if not state then
  free_slots(call_id, nil, nil)
  if mode ~= 'end' then return false end
  -- Nothing tells what it cost; what its reservation took stays taken if it was answered.
  redis.call('HSET', call_key, 'seq', AFTER_LOSS, 'ringing_at_ms', digits(at_ms - AFTER_LOSS),
    'answered_at_ms', digits(at_ms))
  ending = merged(ending, '{"state_lost":true}')
  if answered_at_ms then
    ending = merged(ending, '{"answered_at_ms":' .. digits(math.min(at_ms, answered_at_ms)) .. '}')
  end
  return finish(call_id, at_ms, at_ms, ending, keep_s)
end
if state ~= 'ringing' and state ~= 'active' then
  free_slots(call_id, nil, nil)
  local again = mode == 'cancel' and redis.call('HEXISTS', call_key, 'cancelled') == 1
  if mode ~= 'end' and not again then return false end
  return settlement(call_id, '1')
end
if mode == 'miss' and admitted_at_ms then return false end
if mode == 'cancel' then
  if state ~= 'ringing' then return false end
  redis.call('HSET', call_key, 'cancelled', '1')
end
if mode == 'lost' then
  local expiry = redis.call('ZSCORE', key.calls_live, call_id)
  if not admitted_at_ms or (expiry and tonumber(expiry) > at_ms) then return false end
  ended_at_ms = tonumber(call[4])
end

-- Where the worker's clock is wrong, what passed on it since the answer is still right.
if ended_at_ms and answered_at_ms and call[3] then
  ended_at_ms = ended_at_ms + tonumber(call[3]) - answered_at_ms
end
note_usage(call_id, usage_total, usage_cost, usage)
local earliest = tonumber(call[3] or admitted_at_ms or '0')
return finish(call_id, at_ms, math.min(at_ms, math.max(earliest, ended_at_ms or at_ms)), ending,
  keep_s)
