-- include: operation
-- Ends an operation. `mode` is `charge` (what it used is paid) or `lapse` (nobody finished it in
-- time: its credit goes back). Answers: cost, what could not be collected, charged before? Or
-- `balance_unknown`, with nothing changed.
local operation_id, mode = ARGV[1], ARGV[2]
local owner = { ARGV[3], ARGV[4], ARGV[5], ARGV[6] }
local wanted, usage, keep_ms = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])

local at_ms = now_ms()
local reservation_key = key.reservation .. operation_id
local was = redis.call('HMGET', reservation_key, 'state', 'organization_id', 'project_id',
  'agent_id', 'source', 'reserved', 'attempt', 'cost', 'uncollected')
local state = was[1]

if state == 'charged' then return { was[8], was[9], '1' } end
if mode == 'lapse' and state ~= 'reserved' then
  redis.call('ZREM', key.reservations, operation_id)
  return { '0', '0', '1' }
end
if mode == 'lapse' then owner = { was[2], was[3] or '', was[4] or '', was[5] or '' } end
local organization_id = owner[1]
local reserved, attempt = 0, tonumber(was[7])
if state == 'reserved' then
  reserved = tonumber(was[6])
else
  attempt = next_attempt(at_ms, attempt)
end

local balance_key = key.balance .. organization_id
local balance = redis.call('GET', balance_key)
-- Whether the rest is there will be known when the balance is rebuilt; until then it is not lost.
if not balance and wanted > reserved then return { 'balance_unknown' } end
-- A balance below zero was corrected by hand and gives nothing; what is reserved was paid before.
local cost = math.min(wanted, reserved + math.max(0, tonumber(balance or '0')))
-- An unknown balance stays unknown: it is rebuilt from the ledger, which gets this event.
if balance then redis.call('INCRBY', balance_key, digits(reserved - cost)) end
redis.call('HSET', reservation_key, 'state', mode == 'charge' and 'charged' or 'lapsed',
  'organization_id', organization_id, 'project_id', owner[2], 'cost', digits(cost),
  'uncollected', digits(wanted - cost))
redis.call('PEXPIRE', reservation_key, digits(keep_ms))
redis.call('ZREM', key.reservations, operation_id)
emit_operation(operation_id, attempt * 2, 'operation.settled', at_ms, merged(string.format(
  '{"organization_id":"%s","project_id":"%s","agent_id":"%s","source":"%s","mode":"%s"}',
  owner[1], owner[2], owner[3], owner[4], mode), string.format(
  '{"released_microcredits":%.0f,"cost_microcredits":%.0f,"uncollected_microcredits":%.0f,"usage":%s}',
  reserved, cost, wanted - cost, usage)))
return { digits(cost), digits(wanted - cost), '0' }
