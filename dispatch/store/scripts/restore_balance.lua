-- Sets an unknown balance to the ledger's sum and marks the top-ups it counts as applied.
local balance_key = KEYS[1]
local amount, remember_s = tonumber(ARGV[1]), ARGV[2]

if not redis.call('SET', balance_key, string.format('%.0f', math.max(0, amount)), 'NX') then
  return 0
end
for index = 2, #KEYS do redis.call('SET', KEYS[index], '1', 'EX', remember_s) end
return 1
