-- include: operation
-- include: lease
-- Sets credit aside for one operation, once. One that lapsed unfinished may be begun again.
-- Answers: `reserved` or `charged` (nothing left to do), or `refused` and why.
local operation_id, organization_id, project_id = ARGV[1], ARGV[2], ARGV[3]
local agent_id, source, price_version = ARGV[4], ARGV[5], ARGV[6]
local amount, lease_ms, keep_ms = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

local reservation_key = key.reservation .. operation_id
local was = redis.call('HMGET', reservation_key, 'state', 'organization_id', 'project_id',
  'attempt')
if was[1] and (was[2] ~= organization_id or (was[3] or project_id) ~= project_id) then
  return { 'refused', 'operation_in_use' }
end
if was[1] == 'reserved' or was[1] == 'charged' then return { was[1] } end

local refusal = unpaid(organization_id, amount)
if refusal then return { 'refused', refusal } end

local at_ms = now_ms()
local attempt = next_attempt(at_ms, tonumber(was[4]))
redis.call('DECRBY', key.balance .. organization_id, digits(amount))
redis.call('HSET', reservation_key, 'state', 'reserved', 'organization_id', organization_id,
  'project_id', project_id, 'agent_id', agent_id, 'source', source,
  'price_version', price_version, 'reserved', digits(amount), 'attempt', digits(attempt))
redis.call('PEXPIRE', reservation_key, digits(lease_ms + keep_ms))
redis.call('ZADD', key.reservations, digits(at_ms + lease_ms), operation_id)
emit_operation(operation_id, attempt * 2 - 1, 'operation.reserved', at_ms, string.format(
  '{"organization_id":"%s","reserved_microcredits":%.0f}', organization_id, amount))
return { 'reserved' }
