-- Keeps a claim of a request from lapsing while it is worked on. Answers 0 when it is another's.
local owner, lease_ms, keep_s = ARGV[1], tonumber(ARGV[2]), ARGV[3]

if redis.call('HGET', KEYS[1], 'owner') ~= owner then return 0 end
local time = redis.call('TIME')
local at_ms = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'until_ms', string.format('%.0f', at_ms + lease_ms))
redis.call('EXPIRE', KEYS[1], keep_s)
return 1
