-- include: ring
-- include: lease
-- Decides whether a call may be answered; if so, leases its slot and reserves its first block.
local call_id, arrival, room_name, kind, did = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local price, block, lease_ttl_ms = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local limits = {
  installation = tonumber(ARGV[9]), organization = tonumber(ARGV[10]), number = tonumber(ARGV[11]),
}
local keep_s, job_id, seat = ARGV[12], ARGV[13], ARGV[14]
local own_price, own_block, price_version = tonumber(ARGV[15]), tonumber(ARGV[16]), ARGV[17]
-- What the number's behaviour makes of the call, all empty until that was decided: `converse` with
-- another agent or none, `attend`, or `refuse` and why; the plan for it; the plan for when the agent
-- cannot take the call; and the profile of whoever answers then.
local decided, subject, plan, stand_in, attendant = ARGV[18], ARGV[19], ARGV[20], ARGV[21], ARGV[22]

local at_ms = now_ms()
local call_key = key.call .. call_id

local function admitted()
  local call = redis.call('HMGET', call_key,
    'organization_id', 'project_id', 'profile', 'price', 'funded', 'metadata', 'price_version',
    'plan')
  return { 'admitted', call[1], call[2], call[3], call[4], call[5], call[6], call[7], call[8] }
end

-- Returns the fields of an agent that can take the call, or nil and why it can not.
local function able_agent(tenant)
  if not tenant.agent_id then return nil, 'number_unassigned' end
  local agent = redis.call('HMGET', key.agent .. tenant.agent_id,
    'ready', 'project_id', 'version', 'profile', 'needed_secrets')
  if agent[1] ~= '1' or agent[2] ~= tenant.project_id then return nil, 'agent_unavailable' end
  local refusal = unconfigured(tenant.project_id, agent[5])
  if refusal then return nil, refusal end
  return {
    id = tenant.agent_id, version = agent[3], profile = agent[4],
    -- Models that need the tenant's own keys work at the tenant's expense.
    has_own_keys = agent[5] and agent[5] ~= '',
  }
end

-- Whoever knows only the room finds the first of its agents. Should that one be refused, or never
-- come, they find one that talks; but an agent without a seat of its own is found by its room alone.
local function speak_for_room()
  local room_key = session_key_of(room_name, '')
  local first = redis.call('HGET', room_key, 'call_id')
  if first then
    local known = redis.call('HMGET', key.call .. first, 'state', 'admitted_at_ms', 'seat')
    local goes_on = known[1] == 'ringing' or known[1] == 'active'
    if goes_on and (known[2] or not known[3]) then return end
  end
  redis.call('COPY', session_key_of(room_name, seat), room_key, 'REPLACE')
end

local was = redis.call('HMGET', call_key, 'state', 'admitted_at_ms', 'organization_id',
  'refusal_reason', 'job_id')
local state = was[1]
if state == 'refused' then return { 'refused', was[4] } end
if state == 'ended' or state == 'missed' then return { 'refused', 'already_over' } end
if was[2] then
  -- Two agents must not talk to one caller: if the first job died, the reaper ends the call.
  if was[5] ~= job_id then return { 'refused', 'already_taken' } end
  -- Asked again because the answer was lost: the same one, and a slot that does not lapse meanwhile.
  hold_slots(call_id, was[3], redis.call('HGET', call_key, 'did'), at_ms + lease_ttl_ms)
  return admitted()
end

local tenant, refusal = identify(call_id, kind, did, room_name, seat)
if not state then ring(call_id, arrival, room_name, kind, did, tenant, at_ms) end

if tenant and tenant.route and decided == '' then return { 'decide', tenant.route } end
if not refusal and decided == 'refuse' then refusal = subject end

local agent, unfit
if not refusal then
  if decided == 'converse' and subject ~= '' then tenant.agent_id = subject end
  agent, unfit = able_agent(tenant)
  if unfit and stand_in ~= '' then
    agent, plan, tenant.agent_id = { profile = attendant }, stand_in, nil
  else
    refusal = unfit
  end
end
local keys = 'platform'
if agent and agent.has_own_keys then keys, price, block = 'own', own_price, own_block end
if not refusal then refusal = unpaid(tenant.organization_id, block) end
if not refusal then refusal = full(tenant.organization_id, did, at_ms, limits) end

local behaviour = '{}'
if plan ~= '' then behaviour = '{"behaviour":' .. plan .. '}' end
redis.call('ZREM', key.calls_ringing, call_id)
if refusal then
  redis.call('HSET', call_key, 'state', 'refused', 'refusal_reason', refusal,
    'ended_at_ms', digits(at_ms))
  redis.call('EXPIRE', call_key, keep_s)
  emit(call_id, 'call.refused', at_ms,
    merged(merged('{"reason":"' .. refusal .. '"}', tenant_fields(tenant)), behaviour))
  return { 'refused', refusal }
end

-- Made before the first write: an error in the middle of a script undoes nothing.
local admission = merged(merged(
  string.format('{"agent_version":%s,"price_microcredits_per_minute":%.0f}',
    agent.version or 'null', price),
  tenant_fields(tenant)), behaviour)
if unfit then admission = merged(admission, '{"agent_refused":"' .. unfit .. '"}') end
redis.call('DECRBY', key.balance .. tenant.organization_id, digits(block))
hold_slots(call_id, tenant.organization_id, did, at_ms + lease_ttl_ms)
redis.call('HSET', call_key, 'admitted_at_ms', digits(at_ms), 'seen_at_ms', digits(at_ms),
  'job_id', job_id, 'organization_id', tenant.organization_id, 'project_id', tenant.project_id,
  'agent_id', tenant.agent_id or '', 'profile', agent.profile, 'metadata', tenant.metadata,
  'plan', plan, 'keys', keys, 'price_version', price_version,
  'price', digits(price), 'block', digits(block), 'reserved', digits(block),
  'funded', digits(block))
if seat ~= '' then speak_for_room() end
emit(call_id, 'call.admitted', at_ms, admission)
emit_money(call_id, 'credit.reserved', at_ms, 'reserve', tenant.organization_id, -block)
return admitted()
