-- include: call
-- include: lease
-- The end of a call: its bill, its money, its slots and the events that tell it.

-- The first settlement of a call that is over, as `finish` answered it.
local function settlement(call_id, repeated)
  local was = redis.call('HMGET', key.call .. call_id,
    'state', 'ended_at_ms', 'billed_s', 'cost', 'refunded')
  return { was[1], was[2], was[3] or '0', was[4] or '0', was[5] or '0', repeated }
end

-- Ends a call that rings or talks. `ended_at` lies between its answer and now.
local function finish(call_id, at_ms, ended_at_ms, ending, keep_s)
  local call_key = key.call .. call_id
  local call = redis.call('HMGET', call_key,
    'organization_id', 'did', 'answered_at_ms', 'price', 'reserved')
  local organization_id, did, answered_at_ms = call[1], call[2], call[3]
  local price, reserved = tonumber(call[4] or '0'), tonumber(call[5] or '0')

  local state, billed_s, cost = 'missed', 0, 0
  if answered_at_ms then
    state = 'ended'
    billed_s = math.max(0, math.ceil((ended_at_ms - tonumber(answered_at_ms)) / 1000))
    cost = math.ceil(billed_s * price / 60)
  end

  if organization_id then
    local balance_key = key.balance .. organization_id
    local balance = redis.call('GET', balance_key)
    -- The reservation fell short of the bill: the rest comes out of the balance, as far as it goes.
    cost = math.min(cost, reserved + tonumber(balance or '0'))
    -- An unknown balance stays unknown: it is rebuilt from the ledger, which gets these events.
    if balance then redis.call('INCRBY', balance_key, digits(reserved - cost)) end
  end

  redis.call('HSET', call_key, 'state', state, 'ended_at_ms', digits(ended_at_ms),
    'billed_s', digits(billed_s), 'cost', digits(cost),
    'refunded', digits(math.max(0, reserved - cost)))
  redis.call('HDEL', call_key, 'profile')
  redis.call('EXPIRE', call_key, keep_s)
  free_slots(call_id, organization_id, did)

  emit(call_id, 'call.' .. state, at_ms, merged(ending, string.format(
    '{"billed_s":%.0f,"cost_microcredits":%.0f,"ended_at_ms":%.0f}', billed_s, cost, ended_at_ms)))
  emit_money(call_id, 'credit.released', at_ms, 'release', organization_id, reserved)
  emit_money(call_id, 'credit.charged', at_ms, 'charge', organization_id, -cost)
  return settlement(call_id, '0')
end
