-- Adds a top-up to a known balance, once per operation. Answers the balance, or false when unknown.
local balance_key, operation_key = KEYS[1], KEYS[2]
local amount, remember_s = ARGV[1], ARGV[2]

local balance = redis.call('GET', balance_key)
if not balance then return false end
if not redis.call('SET', operation_key, '1', 'NX', 'EX', remember_s) then return balance end
return string.format('%.0f', redis.call('INCRBY', balance_key, amount))
