-- include: call
-- include: lease
-- The end of a call: its bill, its money, its slots and the events that tell it.

-- The first settlement of a call that is over, as `finish` answered it.
local function settlement(call_id, repeated)
  local was = redis.call('HMGET', key.call .. call_id,
    'state', 'ended_at_ms', 'billed_s', 'cost', 'refunded', 'uncollected')
  return { was[1], was[2], was[3] or '0', was[4] or '0', was[5] or '0', was[6] or '0', repeated }
end

-- The bill of an answered call, as the text of a JSON object's field: what it consists of. The
-- price of its time, what else it used, and what no credit was left for.
local function bill_field(call_id, time_cost, uncollected)
  local call = redis.call('HMGET', key.call .. call_id, 'organization_id', 'project_id', 'agent_id',
    'kind', 'keys', 'price_version', 'price', 'usage')
  -- Calls that were admitted before there were bills have none.
  if not call[6] then return '{}' end
  return string.format('{"bill":{"organization_id":"%s","project_id":"%s","agent_id":"%s",'
    .. '"kind":"%s","keys":"%s","price_version":"%s","price_microcredits_per_minute":%s,'
    .. '"time_microcredits":%.0f,"uncollected_microcredits":%.0f,"usage":%s}}',
    call[1], call[2], call[3], call[4], call[5], call[6], call[7],
    time_cost, uncollected, call[8] or 'null')
end

-- Ends a call that rings or talks. `ended_at` lies between its answer and now.
local function finish(call_id, at_ms, ended_at_ms, ending, keep_s)
  local call_key = key.call .. call_id
  local call = redis.call('HMGET', call_key,
    'organization_id', 'did', 'answered_at_ms', 'price', 'reserved', 'usage_cost')
  local organization_id, did, answered_at_ms = call[1], call[2], call[3]
  local price, reserved = tonumber(call[4] or '0'), tonumber(call[5] or '0')

  local state, billed_s, time_cost, cost = 'missed', 0, 0, 0
  if answered_at_ms then
    state = 'ended'
    billed_s = math.max(0, math.ceil((ended_at_ms - tonumber(answered_at_ms)) / 1000))
    time_cost = math.ceil(billed_s * price / 60)
    cost = time_cost + tonumber(call[6] or '0')
  end

  local full_cost = cost

  if organization_id then
    local balance_key = key.balance .. organization_id
    local balance = redis.call('GET', balance_key)
    -- The reservation fell short of the bill: the rest comes out of the balance, as far as it goes.
    -- A balance below zero was corrected by hand and gives nothing; what is reserved was paid before.
    cost = math.min(cost, reserved + math.max(0, tonumber(balance or '0')))
    -- An unknown balance stays unknown: it is rebuilt from the ledger, which gets these events.
    if balance then redis.call('INCRBY', balance_key, digits(reserved - cost)) end
  end

  redis.call('HSET', call_key, 'state', state, 'ended_at_ms', digits(ended_at_ms),
    'billed_s', digits(billed_s), 'cost', digits(cost),
    'refunded', digits(math.max(0, reserved - cost)),
    'uncollected', digits(full_cost - cost))
  redis.call('HDEL', call_key, 'profile')
  redis.call('EXPIRE', call_key, keep_s)
  free_slots(call_id, organization_id, did)

  ending = merged(ending, string.format(
    '{"billed_s":%.0f,"cost_microcredits":%.0f,"ended_at_ms":%.0f}', billed_s, cost, ended_at_ms))
  if answered_at_ms and organization_id then
    ending = merged(ending, bill_field(call_id, time_cost, full_cost - cost))
  end
  emit(call_id, 'call.' .. state, at_ms, ending)
  emit_money(call_id, 'credit.released', at_ms, 'release', organization_id, reserved)
  emit_money(call_id, 'credit.charged', at_ms, 'charge', organization_id, -cost)
  return settlement(call_id, '0')
end
