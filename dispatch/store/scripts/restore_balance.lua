-- include: call
-- Sets an unknown balance to the ledger's sum, marks the top-ups it counts as applied, and opens
-- again the reservations it counts as taken.
local balance_key = KEYS[1]
local amount, remember_s, organization_id = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local lease_ms, keep_ms = tonumber(ARGV[4]), tonumber(ARGV[5])

if not redis.call('SET', balance_key, string.format('%.0f', amount), 'NX') then return 0 end
for index = 2, #KEYS do redis.call('SET', KEYS[index], '1', 'EX', remember_s) end
for index = 6, #ARGV, 3 do
  local operation_id, attempt, reserved = ARGV[index], ARGV[index + 1], ARGV[index + 2]
  local reservation_key = key.reservation .. operation_id
  if redis.call('EXISTS', reservation_key) == 0 then
    redis.call('HSET', reservation_key, 'state', 'reserved', 'organization_id', organization_id,
      'reserved', reserved, 'attempt', attempt)
    redis.call('PEXPIRE', reservation_key, digits(lease_ms + keep_ms))
    redis.call('ZADD', key.reservations, digits(now_ms() + lease_ms), operation_id)
  end
end
return 1
