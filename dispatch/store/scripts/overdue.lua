-- include: call
-- Lists the calls of a sorted set whose score lies so many milliseconds in the past.
local set, age_ms, most = ARGV[1], tonumber(ARGV[2]), ARGV[3]

return redis.call('ZRANGEBYSCORE', key[set], '-inf', digits(now_ms() - age_ms), 'LIMIT', 0, most)
