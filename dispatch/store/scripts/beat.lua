-- include: answer
-- include: lease
-- Keeps a call's slots and, when its reservation runs low, extends it by whole blocks.
-- Answers: state ('unknown' when there is none), milliseconds of talk left (or free), fully extended?
local call_id, lease_ttl_ms, low_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local answered_at_ms = tonumber(ARGV[4])

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
if price == 0 then return { call[1], 'free', 1 } end

local talked_ms = 0
if call[3] then talked_ms = at_ms - tonumber(call[3]) end
local function left_ms() return math.floor(reserved * 60000 / price) - talked_ms end

local extended = 1
if left_ms() < low_ms then
  -- After a long pause one block may not be enough.
  local missing = math.ceil((low_ms + talked_ms) * price / 60000) - reserved
  local wanted = math.max(1, math.ceil(missing / block)) * block
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
