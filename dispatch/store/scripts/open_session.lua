-- include: ring
-- include: lease
-- include: credential
-- Opens a web session when admission would admit it now, and puts its call on record as ringing.
-- Before that it may confirm who asks and count the request, so that both are one round trip.
local call_id, arrival, room_name = ARGV[1], ARGV[2], ARGV[3]
local agent_id, organization_id, project_id = ARGV[4], ARGV[5], ARGV[6]
local session_id, caller_identity, metadata = ARGV[7], ARGV[8], ARGV[9]
local block = tonumber(ARGV[10])
local limits = { installation = tonumber(ARGV[11]), organization = tonumber(ARGV[12]) }
local keep_s, seat, own_block = ARGV[13], ARGV[14], tonumber(ARGV[15])
local credential, api, presumed = KEYS[1], ARGV[16], ARGV[17]

local used = {}
if credential then
  used = use(credential, api, presumed)
  if used[1] == 'unknown' or used[1] == 'limited' then return { used, 'nobody_asked' } end
end
local function answer(...) return { used, ... } end

-- The name of a room may be used again once the call in it is over.
local function goes_on(known_id)
  local state = redis.call('HGET', key.call .. known_id, 'state')
  return state == 'ringing' or state == 'active'
end

local session_key = session_key_of(room_name, seat)
local was = redis.call('HMGET', session_key, 'session_id', 'created_at_ms', 'call_id')
local agent = redis.call('HMGET', key.agent .. agent_id, 'ready', 'project_id', 'name',
  'needed_secrets')
local is_again = was[1] == session_id
if was[1] and not is_again and goes_on(was[3]) then return answer('room_in_use') end
if agent[2] ~= project_id then return answer('agent_unknown') end
-- Sent again after a lost connection.
if is_again then return answer('opened', agent[3], was[2]) end
if agent[1] ~= '1' then return answer('agent_unavailable') end

local at_ms = now_ms()
if agent[4] and agent[4] ~= '' then block = own_block end
local refusal = unconfigured(project_id, agent[4]) or unpaid(organization_id, block) or full(organization_id, '', at_ms, limits)
if refusal then return answer(refusal) end

local function seat_at(where)
  redis.call('HSET', where, 'session_id', session_id, 'call_id', call_id,
    'agent_id', agent_id, 'organization_id', organization_id, 'project_id', project_id,
    'caller_identity', caller_identity, 'metadata', metadata, 'created_at_ms', digits(at_ms))
  redis.call('EXPIRE', where, keep_s)
end
seat_at(session_key)
-- Whoever knows only the room finds the first of its agents.
if seat ~= '' then
  local room_key = session_key_of(room_name, '')
  local first = redis.call('HGET', room_key, 'call_id')
  if not first or not goes_on(first) then seat_at(room_key) end
end
ring(call_id, arrival, room_name, 'web', '', {
  organization_id = organization_id, project_id = project_id, agent_id = agent_id,
  metadata = metadata,
}, at_ms)
if seat ~= '' then redis.call('HSET', key.call .. call_id, 'seat', seat) end
return answer('opened', agent[3], digits(at_ms))
