-- include: ring
-- include: lease
-- Begins an outbound call when its carrier and its tenant have room for one more, and puts it on
-- record as ringing. Asked again, it is the same call. Answers `begun`, `over`, or `wait` and why.
local call_id, arrival, room_name, did = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local connection_id, organization_id, project_id = ARGV[5], ARGV[6], ARGV[7]
local agent_id, metadata, placed, keep_s = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local per_second, most = tonumber(ARGV[12]), tonumber(ARGV[13])
local tenant_per_second, tenant_most = tonumber(ARGV[14]), tonumber(ARGV[15])
local limits = {
  installation = tonumber(ARGV[16]), organization = tonumber(ARGV[17]), number = tonumber(ARGV[18]),
}

local state = redis.call('HGET', key.call .. call_id, 'state')
if state == 'ringing' or state == 'active' then
  -- While its room cannot be made yet, it must not be given up as a call that nobody takes.
  redis.call('ZADD', key.calls_ringing, 'XX', digits(now_ms()), call_id)
  return { 'begun' }
end
if state then return { 'over' } end

local at_ms = now_ms()
local carrier = { pace = key.outbound_pace .. connection_id, live = key.outbound_live .. connection_id }
local tenant = {
  pace = key.outbound_pace .. organization_id, live = key.outbound_live .. organization_id,
}

-- Whether so many were begun within the last second. The newest is first in the list. What was
-- begun in the future was begun before the clock was set back.
local function too_fast(pace, limit)
  local oldest = redis.call('LINDEX', pace, limit - 1)
  return oldest and at_ms - tonumber(oldest) < 1000 and tonumber(oldest) <= at_ms
end

-- How many of the calls that were begun are not over. Those that are leave the set here.
local function count_live(live)
  local count = 0
  for _, id in ipairs(redis.call('SMEMBERS', live)) do
    local now = redis.call('HGET', key.call .. id, 'state')
    if now == 'ringing' or now == 'active' then
      count = count + 1
    else
      redis.call('SREM', live, id)
    end
  end
  return count
end

if too_fast(carrier.pace, per_second) then return { 'wait', 'carrier_pace' } end
if too_fast(tenant.pace, tenant_per_second) then return { 'wait', 'organization_pace' } end
if count_live(carrier.live) >= most then return { 'wait', 'carrier_capacity' } end
if count_live(tenant.live) >= tenant_most then return { 'wait', 'organization_capacity' } end
-- Admission would refuse it a moment later, and then it would not be tried again.
local busy = full(organization_id, did, at_ms, limits)
if busy then return { 'wait', busy } end

local function note(of, limit)
  redis.call('LPUSH', of.pace, digits(at_ms))
  redis.call('LTRIM', of.pace, 0, limit - 1)
  redis.call('PEXPIRE', of.pace, 2000)
  redis.call('SADD', of.live, call_id)
  redis.call('EXPIRE', of.live, keep_s)
end
note(carrier, per_second)
note(tenant, tenant_per_second)

local session_key = session_key_of(room_name, '')
redis.call('HSET', session_key, 'call_id', call_id, 'agent_id', agent_id,
  'organization_id', organization_id, 'project_id', project_id, 'metadata', metadata,
  'placed', placed)
redis.call('EXPIRE', session_key, keep_s)
ring(call_id, arrival, room_name, 'sip', did, {
  organization_id = organization_id, project_id = project_id, agent_id = agent_id,
  metadata = metadata,
}, at_ms)
return { 'begun' }
