-- include: call
-- Whose call it is, and putting it on record as ringing.

local function session_key_of(room_name, seat)
  if seat == '' then return key.voice_session .. room_name end
  return key.seat .. seat .. ':' .. room_name
end

-- Returns the tenant a call belongs to, or nil and why there is none.
local function identify(call_id, kind, did, room_name, seat)
  local found = redis.call('HMGET', session_key_of(room_name, seat),
    'call_id', 'organization_id', 'project_id', 'agent_id', 'metadata')
  -- A telephone call that has a session is one that we place; any other is looked up by its number.
  if kind == 'sip' and not found[1] then
    local text = redis.call('GET', key.route .. did)
    if not text then return nil, 'number_unknown' end
    local route = cjson.decode(text)
    local agent_id = route.agent_id
    if agent_id == cjson.null then agent_id = nil end
    -- A route with a behaviour is handed over as it is: who decides by it has a calendar.
    local behaviour = route.behaviour and route.behaviour ~= cjson.null
    return {
      organization_id = route.organization_id, project_id = route.project_id,
      agent_id = agent_id, metadata = '{}', route = behaviour and text or nil,
    }
  end
  if found[1] ~= call_id then return nil, 'session_unknown' end
  return {
    organization_id = found[2], project_id = found[3], agent_id = found[4], metadata = found[5],
  }
end

-- The tenant's fields of an event, as the text of a JSON object.
local function tenant_fields(tenant)
  if not tenant then return '{}' end
  return cjson.encode({
    organization_id = tenant.organization_id, project_id = tenant.project_id,
    agent_id = tenant.agent_id,
  })
end

local function ring(call_id, arrival, room_name, kind, did, tenant, at_ms)
  redis.call('HSET', key.call .. call_id, 'state', 'ringing', 'kind', kind, 'did', did,
    'room_name', room_name, 'ringing_at_ms', digits(at_ms))
  redis.call('ZADD', key.calls_ringing, digits(at_ms), call_id)
  local data = merged(arrival, tenant_fields(tenant))
  if tenant and tenant.metadata ~= '{}' then
    data = merged(data, '{"metadata":' .. tenant.metadata .. '}')
  end
  emit(call_id, 'call.ringing', at_ms, data)
end
