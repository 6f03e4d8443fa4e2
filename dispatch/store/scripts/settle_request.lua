-- Keeps the answer of a claimed request, or (with none) lets the next one try again.
local owner, answer, keep_s = ARGV[1], ARGV[2], ARGV[3]

-- A claim that lapsed may be another's by now, whose answer is as good.
if redis.call('HGET', KEYS[1], 'owner') ~= owner then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'until_ms')
if answer ~= '' then redis.call('HSET', KEYS[1], 'answer', answer) end
redis.call('EXPIRE', KEYS[1], keep_s)
return 1
