-- The slots a call holds: in the installation, its organisation and its number. A slot whose
-- expiry has passed counts for nothing, so a killed worker gives its slots back by itself.

local function hold_slots(call_id, organization_id, did, expiry_ms)
  local expiry = string.format('%.0f', expiry_ms)
  redis.call('ZADD', key.calls_live, expiry, call_id)
  redis.call('ZADD', key.leases_organization .. organization_id, expiry, call_id)
  if did ~= '' then redis.call('ZADD', key.leases_number .. did, expiry, call_id) end
end

local function free_slots(call_id, organization_id, did)
  redis.call('ZREM', key.calls_live, call_id)
  redis.call('ZREM', key.calls_ringing, call_id)
  if organization_id then redis.call('ZREM', key.leases_organization .. organization_id, call_id) end
  if did and did ~= '' then redis.call('ZREM', key.leases_number .. did, call_id) end
end

local function slots_used(lease_key, at_ms)
  return redis.call('ZCOUNT', lease_key, '(' .. string.format('%.0f', at_ms), '+inf')
end

-- Returns the refusal when a limit is reached, or nil.
local function full(organization_id, did, at_ms, limits)
  if did ~= '' and slots_used(key.leases_number .. did, at_ms) >= limits.number then
    return 'capacity_number'
  end
  if slots_used(key.leases_organization .. organization_id, at_ms) >= limits.organization then
    return 'capacity_organization'
  end
  if slots_used(key.calls_live, at_ms) >= limits.installation then
    return 'capacity_installation'
  end
  return nil
end

-- Returns the refusal when the project keeps no secret that the agent's models need, or nil.
local function unconfigured(project_id, needed_secrets)
  if not needed_secrets or needed_secrets == '' then return nil end
  local held = {}
  local copy = redis.call('GET', key.secrets .. project_id)
  for _, secret in ipairs(copy and cjson.decode(copy).secrets or {}) do
    held[secret.provider] = true
  end
  for name in string.gmatch(needed_secrets, '%S+') do
    if not held[name] then return 'provider_not_configured' end
  end
  return nil
end

-- Returns the refusal when a first block cannot be paid, or nil. An unknown balance is not zero:
-- it was lost and will be rebuilt, and until then nobody is answered for free.
local function unpaid(organization_id, block)
  local balance = redis.call('GET', key.balance .. organization_id)
  if not balance then return 'balance_unknown' end
  if tonumber(balance) < block then return 'insufficient_credits' end
  return nil
end
