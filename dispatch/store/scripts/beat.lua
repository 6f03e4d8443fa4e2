-- include: answer
-- include: lease
-- include: usage
-- Keeps a call's slots, notes what it used and, when its reservation runs low, extends it by whole
-- blocks: what it cost so far and what talking on for a while will cost stay covered.
-- Answers: state ('unknown' when there is none), milliseconds of talk left (or free), fully extended?
local call_id, lease_ttl_ms, low_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local answered_at_ms, block_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local usage_total, usage_cost, usage = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]

-- The report of the answer may not have come through, or Redis may have forgotten it.
if answered_at_ms then note_answer(call_id, answered_at_ms) end
local call_key = key.call .. call_id
local call = redis.call('HMGET', call_key, 'state', 'admitted_at_ms', 'answered_at_ms',
  'organization_id', 'did', 'price', 'block', 'reserved', 'low_at_ms')
if call[1] ~= 'ringing' and call[1] ~= 'active' then return { call[1] or 'unknown', '0', 0 } end
-- A call that only rings has no slot to keep.
if not call[2] then return { 'unknown', '0', 0 } end

local at_ms = now_ms()
local organization_id = call[4]
local price, block, reserved = tonumber(call[6]), tonumber(call[7]), tonumber(call[8])
hold_slots(call_id, organization_id, call[5], at_ms + lease_ttl_ms)
redis.call('HSET', call_key, 'seen_at_ms', digits(at_ms))
local used = note_usage(call_id, usage_total, usage_cost, usage)
if price == 0 and used == 0 then return { call[1], 'free', 1 } end

local talked_ms = 0
if call[3] then talked_ms = at_ms - tonumber(call[3]) end
-- A minute more will cost its price, and usage at the rate it had so far.
local rate = price + used * 60000 / math.max(talked_ms, low_ms)
local function left_ms()
  return math.floor(((reserved - used) * 60000 - talked_ms * price) / rate)
end

local extended = 1
if left_ms() < low_ms then
  -- After a long pause one block may not be enough.
  local missing = math.ceil((low_ms * rate + talked_ms * price) / 60000) + used - reserved
  local step = math.max(block, math.ceil(rate * block_ms / 60000))
  local wanted = math.max(1, math.ceil(missing / step)) * step
  local balance_key = key.balance .. organization_id
  local amount = math.min(wanted, tonumber(redis.call('GET', balance_key) or '0'))
  if amount > 0 then
    redis.call('DECRBY', balance_key, digits(amount))
    reserved = reserved + amount
    redis.call('HSET', call_key, 'reserved', digits(reserved))
    emit_money(call_id, 'credit.reserved', at_ms, 'extend', organization_id, -amount)
  end
  if amount < wanted then
    extended = 0
    if not call[9] then
      redis.call('HSET', call_key, 'low_at_ms', digits(at_ms))
      emit(call_id, 'credit.low', at_ms,
        '{"remaining_ms":' .. digits(math.max(0, left_ms())) .. '}')
    end
  end
end
return { call[1], digits(math.max(0, left_ms())), extended }
