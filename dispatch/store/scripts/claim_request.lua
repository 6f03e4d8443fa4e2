-- Claims a request for the process that asks, unless it was answered or is being worked on.
local fingerprint, owner = ARGV[1], ARGV[2]
local lease_ms, keep_s = tonumber(ARGV[3]), ARGV[4]

local time = redis.call('TIME')
local at_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer', 'until_ms', 'owner')
if known[1] and known[1] ~= fingerprint then return { 'reused' } end
if known[2] then return { 'answered', known[2] } end
local left_ms = tonumber(known[3] or 0) - at_ms
-- Asked again by the same one: the answer to the first claim was lost.
if left_ms > 0 and known[4] ~= owner then return { 'running', left_ms } end
redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'owner', owner,
  'until_ms', string.format('%.0f', at_ms + lease_ms))
redis.call('EXPIRE', KEYS[1], keep_s)
return { 'claimed' }
